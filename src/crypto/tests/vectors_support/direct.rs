//! Page 6: frames and what stands in them.

use kinfolk_crypto::{InviteSecret, sign_hello, verify_hello};
use kinfolk_wire::direct::{Ack, Chain, Frame, FrameKind, Nack, NackCode, Prekeys, Role};
use kinfolk_wire::ids::PeerId;
use serde_json::{Value, json};

use super::handshake::Prekeyed;
use super::{Person, Transcript, hex};

pub(crate) fn make() -> Value {
    let rng = &mut Transcript::of("direct");
    let (anna, bela) = (Person::new(rng), Person::new(rng));
    let (dialer, listener) = (PeerId::new(rng.array()), PeerId::new(rng.array()));
    let prekeyed = Prekeyed::new(rng, anna);
    let mut frames = Vec::new();
    let mut frame = |kind: FrameKind, said: Value, body: Vec<u8>| {
        let sequence = frames.len() as u64 * 300 + 1;
        let bytes = Frame { kind, sequence, body }.encode().unwrap();
        frames.push(json!({ "kind": kind.number(), "sequence": sequence, "says": said, "frame": hex(bytes) }));
    };

    for (person, role) in [(&bela, Role::Dialer), (&prekeyed.person, Role::Listener)] {
        let (identity, head) = (person.chain.identity(), person.chain.head());
        let hello = sign_hello(&person.keys, identity, head, &dialer, &listener, role);
        assert_eq!(verify_hello(&hello, &person.chain.devices()[0], &dialer, &listener, role), Ok(()));
        let said = json!({ "secrets": person.secrets(), "role": role.number() });
        frame(FrameKind::Hello, said, hello.encode());
    }
    frame(FrameKind::Payload, json!({ "payload": "11" }), vec![0x11]);
    let ranges = vec![(1, 1), (3, 300), (0x0102_0304_0506_0708, u64::MAX)];
    frame(FrameKind::Ack, json!({ "ranges": ranges.clone() }), Ack { ranges }.encode());
    for (code, number) in [(NackCode::Refused, 1), (NackCode::Undecryptable, 2), (NackCode::Later, 3)] {
        frame(FrameKind::Nack, json!({ "sequence": 7, "code": number }), Nack { sequence: 7, code }.encode());
    }
    let secret = InviteSecret::generate(rng);
    rng.drawn();
    let knock = secret.knock(rng, &dialer, &listener);
    assert!(secret.check_knock(&knock, &dialer, &listener) && !secret.check_knock(&knock, &listener, &dialer));
    let said = json!({ "secret": hex(secret.as_bytes()), "nonce": rng.drawn(), "id": hex(secret.id().as_bytes()) });
    frame(FrameKind::Knock, said, knock.encode());
    for one_time in [None, Some(prekeyed.one_time_wire())] {
        let said = json!({
            "chain": hex(prekeyed.person.chain.to_wire().encode()),
            "bundle": hex(prekeyed.bundle.encode()),
            "one_time": one_time.as_ref().map(|prekey| hex(prekey.encode())),
        });
        let (sigchain, bundle) = (prekeyed.person.chain.to_wire(), prekeyed.bundle.clone());
        frame(FrameKind::Prekeys, said, Prekeys { sigchain, bundle, one_time }.encode());
    }
    let (sigchain, device, init) = (bela.chain.to_wire(), bela.keys.device(), rng.array::<40>().to_vec());
    let said = json!({
        "invite": hex(secret.id().as_bytes()),
        "chain": hex(sigchain.encode()),
        "device": hex(device.as_bytes()),
        "init": hex(&init),
    });
    frame(FrameKind::Chain, said, Chain { invite: secret.id(), sigchain, device, init }.encode());

    json!({ "dialer": hex(dialer.as_bytes()), "listener": hex(listener.as_bytes()), "frames": frames })
}
