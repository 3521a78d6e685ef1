//! Page 7: where things lie, seals, stamps, requests and replies, links, and what contacts tell each other of it.

use kinfolk_crypto::kdf::{hkdf, sha256};
use kinfolk_crypto::label::Label;
use kinfolk_crypto::mailbox::{DirectionKey, SEAL, Slot, bits_for, is_stamped, stamp};
use kinfolk_wire::content::{Body, Content, Mailboxes, Serving, TokenShare, TokensIssued, TokensWanted};
use kinfolk_wire::ids::{ConversationId, DeviceId, GroupElement, MailboxTag, MessageId, PeerId};
use kinfolk_wire::invite::Address;
use kinfolk_wire::mailbox::{
    Admission, Bucket, Collect, Deposit, Erasure, Found, Host, Refused, Reply, Request, Stamp, TAGS, Token,
};
use serde_json::{Value, json};

use super::{BEGINNING, Transcript, hex};

/// The hour and the day of [`BEGINNING`].
const HOUR: u32 = 490_896;
const DAY: u32 = 20_454;
/// The work that the hosts of these vectors ask for: little, so that the stamps are found at once.
const WORK: u8 = 12;

/// What waits for one device from the other, in this order everywhere: from the first to the second, and back.
struct Direction {
    key: DirectionKey,
    said: Value,
}

/// One sealed envelope.
struct Sealed {
    slot: Slot,
    erasure: Erasure,
    blob: Vec<u8>,
}

impl Sealed {
    fn deposit(&self, lifetime: u16, admission: Admission) -> Deposit {
        let (erasure, blob) = (sha256(&[&self.erasure.key]), self.blob.clone());
        Deposit { tag: self.erasure.tag, lifetime, erasure, admission, blob }
    }
}

pub(crate) fn make() -> Value {
    let rng = &mut Transcript::of("mailbox");
    let pair_root: [u8; 32] = rng.array();
    let devices = [DeviceId::new(rng.array()), DeviceId::new(rng.array())];
    let hosts: Vec<PeerId> = (0..3).map(|_| PeerId::new(rng.array())).collect();
    let directions = [[0, 1], [1, 0]].map(|[from, to]| direction(&pair_root, devices[from], devices[to], &hosts));
    let keys = directions.each_ref().map(|direction| &direction.key);
    let (said_seals, seals): (Vec<Value>, Vec<Sealed>) = seals(rng, keys, &hosts).into_iter().unzip();
    let (said_requests, requests) = requests(rng, keys, &hosts, &seals);
    let (said_replies, replies) = replies(&seals);

    json!({
        "pair_root": hex(pair_root),
        "devices": devices.map(|device| hex(device.as_bytes())),
        "hosts": hosts.iter().map(|host| hex(host.as_bytes())).collect::<Vec<String>>(),
        "directions": directions.map(|direction| direction.said),
        "seals": said_seals,
        "bits": bits(),
        "stamps": stamps(&seals),
        "requests": said_requests,
        "requests_refused": refused(&REQUESTS_REFUSED, &requests, |bytes| Request::decode(bytes).is_err()),
        "replies": said_replies,
        "replies_refused": refused(&REPLIES_REFUSED, &replies, |bytes| Reply::decode(bytes).is_err()),
        "links": links(rng),
        "contents": contents(rng),
    })
}

/// Bytes as they are, or of long ones the length, both ends and SHA-256.
pub(super) fn long(bytes: &[u8]) -> Value {
    if bytes.len() <= 2_048 {
        return json!(hex(bytes));
    }
    let (first, last) = (&bytes[..64], &bytes[bytes.len() - 64..]);
    json!({ "length": bytes.len(), "first": hex(first), "last": hex(last), "sha256": hex(sha256(&[bytes])) })
}

fn direction(pair_root: &[u8; 32], from: DeviceId, to: DeviceId, hosts: &[PeerId]) -> Direction {
    let key = DirectionKey::new(pair_root, from, to);
    let mut places = Vec::new();
    for (at, host) in hosts.iter().enumerate() {
        for (day, number) in
            [(0, 1), (DAY, 1), (DAY, 2), (DAY + 1, 1), (u32::MAX, 0x0102_0304_0506_0708), (1, u64::MAX)]
        {
            let slot = Slot { host: *host, day, number };
            let Erasure { tag, key: erase } = key.erasure(&slot);
            assert_eq!(tag, key.tag(&slot));
            let mut seal = [0; 32];
            let info = [Label::MailboxSeal.as_bytes(), &number.to_be_bytes()];
            hkdf(&[], key.to_bytes().as_slice(), &info, &mut seal).unwrap();
            places.push(json!({
                "host": at,
                "day": day,
                "number": number,
                "tag": hex(tag.as_bytes()),
                "erase_key": hex(erase),
                "erasure_digest": hex(sha256(&[&erase])),
                "seal_key": hex(seal),
            }));
        }
    }
    let said = json!({
        "sender": hex(from.as_bytes()),
        "recipient": hex(to.as_bytes()),
        "k_dir": hex(key.to_bytes().as_slice()),
        "places": places,
    });
    Direction { key, said }
}

/// Payloads on both sides of every size of a blob; two that look like padding; one at two places.
fn seals(rng: &mut Transcript, keys: [&DirectionKey; 2], hosts: &[PeerId]) -> Vec<(Value, Sealed)> {
    let edges = Bucket::ALL.map(|bucket| bucket.bytes() - SEAL);
    let mut payloads: Vec<(usize, Vec<u8>)> = Vec::new();
    for (at, edge) in edges.into_iter().enumerate() {
        payloads.push((edge, [&[0x11][..], &rng.array::<60>()].concat()));
        if at + 1 < edges.len() {
            payloads.push((edge + 1, [&[0x12][..], &rng.array::<52>()].concat()));
        }
    }
    payloads.extend([(3, vec![0x11, 0x80, 0]), (160, vec![0x11, 0, 0]), (1, vec![0x11])]);
    let again = (200, [&[0x11][..], &rng.array::<40>()].concat());
    payloads.extend([again.clone(), again]);
    for key in keys {
        assert!(key.seal(&Slot { host: hosts[0], day: DAY, number: 1 }, &vec![0x11; edges[4] + 1]).is_none());
    }

    payloads
        .into_iter()
        .enumerate()
        .map(|(at, (length, repeats))| {
            let payload: Vec<u8> = repeats.iter().copied().cycle().take(length).collect();
            let key = keys[at % 2];
            let slot =
                Slot { host: hosts[at % 3], day: DAY + u32::try_from(at).unwrap(), number: at as u64 * 1_000 + 1 };
            let blob = key.seal(&slot, &payload).unwrap();
            assert_eq!(key.open(&slot, &blob).unwrap().as_slice(), payload);
            let said = json!({
                "direction": at % 2,
                "host": at % 3,
                "day": slot.day,
                "number": slot.number,
                "payload": { "length": length, "repeats": hex(&repeats) },
                "nonce": hex(&blob[1..25]),
                "blob": long(&blob),
            });
            (said, Sealed { slot, erasure: key.erasure(&slot), blob })
        })
        .collect()
}

/// The bits for each size, at hosts that ask for different work.
fn bits() -> Vec<Value> {
    [0, 1, WORK, 20, 40]
        .into_iter()
        .map(|asked| json!({ "asked": asked, "sizes": Bucket::ALL.map(|bucket| bits_for(asked, bucket)) }))
        .collect()
}

/// For each size the first nonce that is enough and one that is not; for the smallest also one for 20 bits.
fn stamps(seals: &[Sealed]) -> Vec<Value> {
    let mut stamps = Vec::new();
    for bucket in Bucket::ALL {
        let at = seals.iter().position(|sealed| sealed.blob.len() == bucket.bytes()).unwrap();
        let Sealed { slot, erasure, blob } = &seals[at];
        let mut tell = |asked: u8, stamp: Stamp| {
            let holds = |bits: u8| is_stamped(&slot.host, &erasure.tag, blob, stamp, bits);
            let zeros = (1..=u8::MAX).take_while(|bits| holds(*bits)).count();
            stamps.push(json!({
                "seal": at,
                "asked": asked,
                "hour": stamp.hour,
                "nonce": stamp.nonce,
                "zero_bits": zeros,
                "enough": holds(bits_for(asked, bucket)),
            }));
        };
        let find = |bits: u8| stamp(&slot.host, &erasure.tag, blob, HOUR, bits).unwrap();
        let found = find(bits_for(WORK, bucket));
        tell(WORK, found);
        tell(WORK, Stamp { nonce: found.nonce ^ 1 << 40, ..found });
        tell(WORK, Stamp { hour: HOUR + 1, ..found });
        if bucket == Bucket::Line {
            tell(20, find(20));
        }
    }
    stamps
}

fn requests(
    rng: &mut Transcript,
    keys: [&DirectionKey; 2],
    hosts: &[PeerId],
    seals: &[Sealed],
) -> (Vec<Value>, Vec<Vec<u8>>) {
    let mut requests = Vec::new();
    let mut add = |said: Value, request: Request| {
        let bytes = request.encode();
        assert!(Request::decode(&bytes) == Ok(request));
        requests.push((json!({ "says": said, "request": long(&bytes) }), bytes));
    };
    for (lifetime, bucket) in [(1, Bucket::Line), (720, Bucket::Page), (336, Bucket::Crate)] {
        let at = seals.iter().position(|sealed| sealed.blob.len() == bucket.bytes()).unwrap();
        let stamp = Stamp { hour: HOUR, nonce: 0x0102_0304_0506_0708 };
        let said = json!({ "lifetime": lifetime, "seal": at, "work": { "hour": stamp.hour, "nonce": stamp.nonce } });
        add(said, Request::Deposit(seals[at].deposit(lifetime, Admission::Work(stamp))));
        let tokens: Vec<Token> = (0..bucket.tokens()).map(|at| token(rng, at * 70_000)).collect();
        let said = json!({ "lifetime": lifetime, "seal": at, "tokens": said_tokens(&tokens) });
        add(said, Request::Deposit(seals[at].deposit(lifetime, Admission::Tokens(tokens))));
    }
    for room in [1, 128] {
        let tags: Vec<MailboxTag> = (0..TAGS).map(|_| MailboxTag::new(rng.array())).collect();
        let said =
            json!({ "room": room, "tags": hex(tags.iter().flat_map(|tag| *tag.as_bytes()).collect::<Vec<u8>>()) });
        add(said, Request::Collect(Collect { room, tags }));
    }
    for (direction, last) in [(0, 1), (1, 3), (0, 1_024)] {
        let erasure = |number: u64| keys[direction].erasure(&Slot { host: hosts[direction], day: DAY, number });
        let said = json!({ "direction": direction, "host": direction, "day": DAY, "numbers_from_1_to": last });
        add(said, Request::Erase((1..=last).map(erasure).collect()));
    }
    requests.into_iter().unzip()
}

fn replies(seals: &[Sealed]) -> (Vec<Value>, Vec<Vec<u8>>) {
    let mut replies = Vec::new();
    let mut add = |said: Value, room: u8, reply: &Reply| {
        let bytes = reply.encode(room);
        replies.push((json!({ "says": said, "reply": long(&bytes) }), bytes));
    };
    add(json!({ "done": true }), 1, &Reply::Done);
    for (reason, number, why) in [
        (1, json!(0), Refused::NotServing),
        (2, json!(0), Refused::Full),
        (3, json!({ "bits": 20, "hour": HOUR }), Refused::Work { bits: 20, hour: HOUR }),
        (3, json!({ "bits": 255, "hour": 0x0123_4567 }), Refused::Work { bits: 255, hour: 0x0123_4567 }),
        (4, json!(0), Refused::Tokens),
        (5, json!(0), Refused::Taken),
        (6, json!(0), Refused::Later(0)),
        (6, json!(u16::MAX), Refused::Later(u16::MAX)),
        (7, json!(0), Refused::Malformed),
    ] {
        add(json!({ "reason": reason, "number": number }), 1, &Reply::Refused(why));
    }
    let of = |bucket: Bucket| seals.iter().position(|sealed| sealed.blob.len() == bucket.bytes()).unwrap();
    let (line, page, parcel, largest) = (of(Bucket::Line), of(Bucket::Page), of(Bucket::Parcel), of(Bucket::Crate));
    for (room, more, found) in [
        (1, false, vec![]),
        (2, true, vec![]),
        (1, true, vec![(17, line)]),
        (1, false, vec![(255, line)]),
        (3, false, vec![(0, page), (255, line)]),
        (128, true, vec![(7, largest), (9, parcel), (200, page)]),
    ] {
        let blobs = found.iter().map(|(index, at)| (*index, seals[*at].blob.clone())).collect();
        let said = json!({ "room": room, "more": more, "found": found });
        let reply = Reply::Found(Found { more, blobs });
        let bytes = reply.encode(room);
        assert!(bytes.len() == usize::from(room) * 1_024 && Reply::decode(&bytes).as_ref() == Ok(&reply));
        add(said, room, &reply);
    }
    replies.into_iter().unzip()
}

/// How something that is understood is altered until it is not.
enum Altered {
    /// These places have these bytes.
    Set(&'static [(usize, u8)]),
    /// So many bytes at the end are gone.
    Cut(usize),
    /// So many bytes of this kind more.
    Add(usize, u8),
}

/// Requests by their place in the list: 0 by work, 1 by a token, 6 and 7 collect, 8 and 10 erase one and 1,024.
const REQUESTS_REFUSED: [(usize, &str, Altered); 17] = [
    (0, "there is no such kind", Altered::Set(&[(0, 0)])),
    (0, "there is no such kind", Altered::Set(&[(0, 4)])),
    (0, "a lifetime of no hours", Altered::Set(&[(17, 0), (18, 0)])),
    (0, "a lifetime of 721 hours", Altered::Set(&[(17, 0x02), (18, 0xd1)])),
    (0, "there is no such admission", Altered::Set(&[(51, 3)])),
    (0, "a blob of 511 bytes", Altered::Cut(1)),
    (0, "a blob of 513 bytes", Altered::Add(1, 0)),
    (0, "no blob", Altered::Cut(512)),
    (1, "no tokens", Altered::Set(&[(52, 0)])),
    (5, "33 tokens", Altered::Set(&[(52, 33)])),
    (6, "no room", Altered::Set(&[(1, 0)])),
    (6, "too much room", Altered::Set(&[(1, 129)])),
    (7, "255 tags", Altered::Cut(16)),
    (7, "257 tags", Altered::Add(16, 7)),
    (8, "nothing to erase", Altered::Cut(32)),
    (8, "half a key", Altered::Cut(8)),
    (10, "1,025 erasures", Altered::Add(32, 7)),
];

/// Replies by their place in the list: 0 done, 1 serves nobody, 12 one line at 17, 14 a page at 0 and a line at 255.
const REPLIES_REFUSED: [(usize, &str, Altered); 11] = [
    (0, "there is no such kind", Altered::Set(&[(0, 3)])),
    (0, "more than done", Altered::Add(1, 0)),
    (1, "there is no such reason", Altered::Set(&[(1, 0)])),
    (1, "there is no such reason", Altered::Set(&[(1, 8)])),
    (1, "a number of three bytes", Altered::Cut(1)),
    (12, "more is neither 0 nor 1", Altered::Set(&[(1, 2)])),
    (12, "there is no such size", Altered::Set(&[(5, 5)])),
    (12, "a second blob that is not there", Altered::Set(&[(3, 2), (518, 255), (519, 0)])),
    (12, "what fills it is not zero", Altered::Set(&[(1_023, 1)])),
    (12, "the blob ends early", Altered::Cut(507)),
    (14, "the second index is not above the first", Altered::Set(&[(4, 255)])),
];

fn refused(list: &[(usize, &str, Altered)], of: &[Vec<u8>], is_refused: fn(&[u8]) -> bool) -> Vec<Value> {
    let tell = |(at, why, altered): &(usize, &str, Altered)| {
        let mut bytes = of[*at].clone();
        let said = match altered {
            Altered::Set(places) => {
                places.iter().for_each(|(place, byte)| bytes[*place] = *byte);
                json!({ "set": places })
            }
            Altered::Cut(count) => {
                bytes.truncate(bytes.len() - count);
                json!({ "cut": count })
            }
            Altered::Add(count, byte) => {
                bytes.resize(bytes.len() + count, *byte);
                json!({ "add": [count, byte] })
            }
        };
        assert!(!is_refused(&of[*at]) && is_refused(&bytes), "{why}");
        json!({ "of": at, "why": why, "altered": said })
    };
    list.iter().map(tell).collect()
}

fn token(rng: &mut Transcript, epoch: usize) -> Token {
    Token { epoch: u32::try_from(epoch).unwrap(), nonce: rng.array(), output: rng.array() }
}

fn said_tokens(tokens: &[Token]) -> Vec<Value> {
    let tell = |token: &Token| json!({ "epoch": token.epoch, "nonce": hex(token.nonce), "output": hex(token.output) });
    tokens.iter().map(tell).collect()
}

const ADDRESSES: [&str; 8] = [
    "/ip4/192.0.2.7/udp/4001/quic-v1",
    "/ip6/2001:db8::7/udp/4001/quic-v1",
    "/dns4/mailbox.example.org/tcp/443",
    "/ip4/192.0.2.8/tcp/1",
    "/ip4/192.0.2.9/tcp/22",
    "/ip4/192.0.2.10/tcp/333",
    "/ip4/192.0.2.11/tcp/4444",
    "/ip4/192.0.2.12/tcp/55555",
];

pub(super) fn host(rng: &mut Transcript, addresses: usize, work_bits: u8) -> (Value, Host) {
    let addresses = &ADDRESSES[..addresses];
    let peer = PeerId::new(rng.array());
    let said = json!({ "peer": hex(peer.as_bytes()), "addresses": addresses, "work_bits": work_bits });
    let addresses = addresses.iter().map(|address| Address::new(address).unwrap()).collect();
    (said, Host { peer, addresses, work_bits })
}

fn links(rng: &mut Transcript) -> Vec<Value> {
    [(1, 20), (0, 0), (8, 255)]
        .into_iter()
        .map(|(addresses, work_bits)| {
            let (said, host) = host(rng, addresses, work_bits);
            assert_eq!(Host::from_link(&host.link()), Ok(host.clone()));
            json!({ "host": said, "link": host.link() })
        })
        .collect()
}

fn contents(rng: &mut Transcript) -> Vec<Value> {
    let tell = |rng: &mut Transcript, (said, body): (Value, Body)| {
        let (id, conversation) = (MessageId::new(rng.array()), ConversationId::new(rng.array()));
        let content = Content { id, conversation, sent_at: BEGINNING, lamport: 0, body };
        assert!(!content.body.is_shown() && Content::decode(&content.encode()).as_ref() == Ok(&content));
        json!({
            "id": hex(id.as_bytes()),
            "conversation": hex(conversation.as_bytes()),
            "sent_at": BEGINNING.as_millis(),
            "body": said,
            "content": hex(content.encode()),
        })
    };
    bodies(rng).into_iter().map(|body| tell(rng, body)).collect()
}

fn bodies(rng: &mut Transcript) -> Vec<(Value, Body)> {
    let (said_hosts, hosts): (Vec<Value>, Vec<Host>) = (0..5).map(|at| host(rng, at, 20)).unzip();
    let shares: Vec<TokenShare> = hosts[..2]
        .iter()
        .map(|host| TokenShare { peer: host.peer, tokens: (0..3).map(|at| token(rng, at)).collect() })
        .collect();
    let said_shares: Vec<Value> = shares
        .iter()
        .map(|share| json!({ "peer": hex(share.peer.as_bytes()), "tokens": said_tokens(&share.tokens) }))
        .collect();
    let key = GroupElement::new(rng.array());
    let elements: Vec<GroupElement> = (0..4).map(|_| GroupElement::new(rng.array())).collect();
    let said_elements: Vec<String> = elements.iter().map(|element| hex(element.as_bytes())).collect();
    let proof: [u8; 64] = rng.array();
    let mailboxes = |hosts: &[Host], tokens: &[TokenShare], version| {
        Body::Mailboxes(Mailboxes { hosts: hosts.to_vec(), tokens: tokens.to_vec(), version })
    };
    let serving =
        |host: Option<&Host>, epoch, version| Body::Serving(Serving { host: host.cloned(), epoch, key, version });
    vec![
        (json!({ "kind": 37, "hosts": [], "tokens": [], "version": 0 }), mailboxes(&[], &[], 0)),
        (
            json!({ "kind": 37, "hosts": said_hosts[..1], "tokens": said_shares[..1], "version": 1_800_000_000_000_u64 }),
            mailboxes(&hosts[..1], &shares[..1], 1_800_000_000_000),
        ),
        (
            json!({ "kind": 37, "hosts": said_hosts, "tokens": said_shares, "version": u64::MAX }),
            mailboxes(&hosts, &shares, u64::MAX),
        ),
        (
            json!({ "kind": 38, "host": said_hosts[1], "epoch": 1, "key": hex(key.as_bytes()), "version": 7 }),
            serving(Some(&hosts[1]), 1, 7),
        ),
        (
            json!({ "kind": 38, "host": null, "epoch": u32::MAX, "key": hex(key.as_bytes()), "version": 8 }),
            serving(None, u32::MAX, 8),
        ),
        (
            json!({ "kind": 39, "epoch": 24, "blinded": said_elements }),
            Body::TokensWanted(TokensWanted { epoch: 24, blinded: elements.clone() }),
        ),
        (
            json!({ "kind": 40, "epoch": 24, "evaluated": said_elements, "proof": hex(proof) }),
            Body::TokensIssued(TokensIssued { epoch: 24, evaluated: elements, proof }),
        ),
        (
            json!({ "kind": 40, "epoch": 0, "evaluated": [], "proof": hex([0; 64]) }),
            Body::TokensIssued(TokensIssued { epoch: 0, evaluated: vec![], proof: [0; 64] }),
        ),
    ]
}
