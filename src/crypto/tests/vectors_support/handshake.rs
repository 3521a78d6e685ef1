//! Page 3: prekeys, and handshakes with and without a one-time pair and an invite.

use kinfolk_crypto::dh::KeyPair;
use kinfolk_crypto::kdf::{hkdf, sha256};
use kinfolk_crypto::kem::{Kem, KemPrivate, MlKem768};
use kinfolk_crypto::{
    LastResortSecret, LocalDevice, OneTimePrekeySecret, ResponderPrekeys, SignedPrekeySecret, VerifiedBundle,
    VerifiedOneTimePrekey, init_digest, initiate, respond, sign_bundle, sign_one_time_prekey,
};
use kinfolk_wire::bundle::{OneTimePrekey, PrekeyBundle, PrekeyId};
use kinfolk_wire::envelope::InitMessage;
use kinfolk_wire::ids::InviteId;
use kinfolk_wire::time::Span;
use serde_json::{Value, json};

use super::{BEGINNING, Person, Transcript, hex};

/// A person whose device has prekeys.
pub(crate) struct Prekeyed {
    pub(crate) person: Person,
    pub(crate) signed: SignedPrekeySecret,
    pub(crate) last_resort: LastResortSecret,
    pub(crate) one_time: OneTimePrekeySecret,
    pub(crate) bundle: PrekeyBundle,
}

impl Prekeyed {
    pub(crate) fn new(rng: &mut Transcript, person: Person) -> Self {
        let signed = SignedPrekeySecret::generate(PrekeyId(0x0102_0304), rng);
        let last_resort = LastResortSecret::generate(PrekeyId(5), rng);
        let one_time = OneTimePrekeySecret::generate(PrekeyId(0xfffe_fdfc), rng);
        rng.drawn();
        let until = BEGINNING.after(Span::from_days(37));
        let (identity, head) = (person.chain.identity(), person.chain.head());
        let bundle = sign_bundle(&person.keys, identity, &signed, &last_resort, BEGINNING, until, head);
        Self { person, signed, last_resort, one_time, bundle }
    }

    pub(crate) fn one_time_wire(&self) -> OneTimePrekey {
        sign_one_time_prekey(&self.person.keys, &self.one_time)
    }

    pub(crate) fn local(&self) -> LocalDevice<'_> {
        LocalDevice { identity: self.person.chain.identity(), keys: &self.person.keys }
    }

    /// The private halves, in their stored forms without the version.
    pub(crate) fn secrets(&self) -> Value {
        let (signed, last, one) = (self.signed.to_bytes(), self.last_resort.to_bytes(), self.one_time.to_bytes());
        let (signed, last, one) = (signed.as_slice(), last.as_slice(), one.as_slice());
        json!({
            "person": self.person.secrets(),
            "spk_id": 0x0102_0304_u32,
            "spk_private": hex(&signed[5..37]),
            "lrk_id": 5,
            "lrk_seed": hex(&last[5..69]),
            "otk_id": 0xfffe_fdfc_u32,
            "otk_x25519_private": hex(&one[5..37]),
            "otk_kem_seed": hex(&one[69..133]),
            "not_before": self.bundle.not_before.as_millis(),
            "not_after": self.bundle.not_after.as_millis(),
        })
    }
}

pub(crate) fn make() -> Value {
    let rng = &mut Transcript::of("handshake");
    let anna = Person::new(rng);
    let bela = Person::new(rng);
    let bela = Prekeyed::new(rng, bela);
    let invite = InviteId::new(rng.array());
    let mut handshakes = Vec::new();
    for one_time in [false, true] {
        for invite in [None, Some(invite)] {
            handshakes.push(handshake(rng, &anna, &bela, one_time, invite));
        }
    }
    json!({
        "initiator": anna.secrets(),
        "responder": bela.secrets(),
        "bundle": hex(bela.bundle.encode()),
        "one_time": hex(bela.one_time_wire().encode()),
        "handshakes": handshakes,
    })
}

fn handshake(rng: &mut Transcript, a: &Person, b: &Prekeyed, one_time: bool, invite: Option<InviteId>) -> Value {
    let verified = VerifiedBundle::verify(&b.bundle, &b.person.chain, BEGINNING).unwrap();
    let pair = VerifiedOneTimePrekey::verify(&b.one_time_wire(), &verified).unwrap();
    let ours = LocalDevice { identity: a.chain.identity(), keys: &a.keys };
    rng.drawn();
    let made = initiate(rng, BEGINNING, ours, &verified, one_time.then_some(&pair), invite).unwrap();
    let drawn_to_initiate = rng.drawn();
    let mut session = made.session;
    let plaintext = b"the first message";
    let message = session.encrypt(rng, BEGINNING, plaintext).unwrap();
    let drawn_to_encrypt = rng.drawn();

    let init = InitMessage::decode(&message).unwrap();
    let prekeys = ResponderPrekeys {
        signed: &b.signed,
        last_resort: (!one_time).then_some(&b.last_resort),
        one_time: one_time.then_some(&b.one_time),
    };
    let theirs = &a.chain.devices()[0];
    let accepted = respond(BEGINNING, b.local(), prekeys, a.chain.identity(), theirs, invite, &init).unwrap();
    assert_eq!(accepted.plaintext.as_slice(), plaintext);
    assert_eq!(accepted.session.id(), session.id());
    assert_eq!(accepted.pair_root.to_bytes(), made.pair_root.to_bytes());

    let between = Intermediate::of(a, b, &init, one_time, invite);
    assert_eq!(between.keys[128..160], *session.id().as_bytes());
    assert_eq!(between.keys[160..], made.pair_root.to_bytes().as_slice()[1..]);
    let (from, to) = (a.keys.device(), b.person.keys.device());
    json!({
        "one_time": one_time,
        "invite": invite.map(|id| hex(id.as_bytes())),
        "drawn_to_initiate": drawn_to_initiate,
        "drawn_to_encrypt": drawn_to_encrypt,
        "plaintext": hex(plaintext),
        "km": hex(&between.material),
        "t": hex(between.transcript),
        "okm": hex(between.keys),
        "sid": hex(session.id().as_bytes()),
        "init_digest": hex(init_digest(&init.ephemeral_key)),
        "k_dir_a_to_b": hex(made.pair_root.direction_key(from, to).to_bytes().as_slice()),
        "k_dir_b_to_a": hex(made.pair_root.direction_key(to, from).to_bytes().as_slice()),
        "message": hex(&message),
    })
}

/// What the program derives on the way and does not show, computed once more on the answering side.
struct Intermediate {
    material: Vec<u8>,
    transcript: [u8; 32],
    keys: [u8; 192],
}

impl Intermediate {
    fn of(a: &Person, b: &Prekeyed, init: &InitMessage<'_>, one_time: bool, invite: Option<InviteId>) -> Self {
        let (signed, last, one) = (b.signed.to_bytes(), b.last_resort.to_bytes(), b.one_time.to_bytes());
        let device = b.person.keys.to_bytes();
        let pair = |stored: &[u8], at: usize| KeyPair::from_secret(stored[at..at + 32].try_into().unwrap());
        let (spk, dik) = (pair(signed.as_slice(), 5), pair(device.as_slice(), 33));
        let otk = pair(one.as_slice(), 5);
        let seed = if one_time { &one.as_slice()[69..] } else { &last.as_slice()[5..] };
        let kem = MlKem768::expand(seed.try_into().unwrap());

        let mut material = vec![0xff; 32];
        let theirs = a.keys.identity_key();
        material.extend_from_slice(spk.diffie_hellman(&theirs).unwrap().as_slice());
        material.extend_from_slice(dik.diffie_hellman(&init.ephemeral_key).unwrap().as_slice());
        material.extend_from_slice(spk.diffie_hellman(&init.ephemeral_key).unwrap().as_slice());
        if one_time {
            material.extend_from_slice(otk.diffie_hellman(&init.ephemeral_key).unwrap().as_slice());
        }
        material.extend_from_slice(kem.decapsulate(init.kem_ciphertext).as_slice());

        let mut hashed = Vec::new();
        let mut part = |bytes: &[u8]| {
            hashed.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
            hashed.extend_from_slice(bytes);
        };
        part(&[1]);
        part(b"X25519+ML-KEM-768 SHA-256 ChaCha20-Poly1305");
        for person in [a, &b.person] {
            part(person.chain.identity().as_bytes());
            part(person.keys.device().as_bytes());
            part(&person.keys.signing_key());
            part(&person.keys.identity_key());
        }
        part(&init.ephemeral_key);
        part(&init.signed_prekey.0.to_be_bytes());
        part(spk.public());
        part(if one_time { &[0xff, 0xfe, 0xfd, 0xfc] } else { &[] });
        part(if one_time { otk.public() } else { &[] });
        part(&init.kem_prekey.0.to_be_bytes());
        part(kem.public());
        part(init.kem_ciphertext);
        part(invite.as_ref().map_or(&[], |id| id.as_bytes().as_slice()));

        let transcript = sha256(&[&hashed]);
        let mut keys = [0; 192];
        hkdf(&[0; 32], &material, &[b"kinfolk/1 pqxdh", &transcript], &mut keys).unwrap();
        Self { material, transcript, keys }
    }
}
