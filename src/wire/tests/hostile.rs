//! D1: frames and values that are cut, lengthened, lied about or mutated are refused without a panic.

use kinfolk_wire::bundle::PrekeyBundle;
use kinfolk_wire::codec::{DecodeError, from_cbor, to_cbor};
use kinfolk_wire::content::{Body, Content, Plaintext, Receipt, Text};
use kinfolk_wire::direct::{Ack, Frame, FrameKind, Nack};
use kinfolk_wire::envelope::{INIT, InitMessage, Payload, RatchetMessage};
use kinfolk_wire::invite::Invite;
use kinfolk_wire::limits;
use kinfolk_wire::mailbox::{self, Bucket, Host, HostLinkError, Reply, Request};
use kinfolk_wire::sigchain::{Entry, Genesis, Signed};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::decoders::{DECODERS, check, check_small_texts, decoder};
use crate::values;

/// Which beginnings of an accepted value are no value themselves.
enum Cut {
    /// All of them.
    Every,
    /// Those shorter than this; after it comes a tail of any length, whose end is told from outside.
    Below(usize),
    /// Those that end within an item of this many bytes.
    Within(usize),
    /// Those that do not end with an item of this many bytes, after a head of so many and one item at least.
    Items(usize, usize),
    /// Those whose rest after so many bytes is not of a size that blobs have.
    Blob(usize),
    /// A text whose beginning may be a shorter text.
    Text,
}

fn cut_of(name: &str, sample: &[u8]) -> Cut {
    let header_end = |start: usize| {
        start + RatchetMessage::PREFIX + usize::from(u16::from_be_bytes([sample[start + 1], sample[start + 2]]))
    };
    match name {
        "frame" => Cut::Below(Frame::HEAD),
        "ratchet" => Cut::Below(header_end(0)),
        "init" => Cut::Below(header_end(InitMessage::PREFIX)),
        "payload" if sample[0] == INIT => Cut::Below(header_end(InitMessage::PREFIX)),
        "payload" => Cut::Below(header_end(0)),
        "ack" => Cut::Within(16),
        "mailbox_request" if sample[0] == 1 && sample[51] == 1 => Cut::Blob(53 + 52 * usize::from(sample[52])),
        "mailbox_request" if sample[0] == 1 => Cut::Blob(64),
        "mailbox_request" if sample[0] == 3 => Cut::Items(1, 32),
        "mailbox_reply" if sample[0] == 2 => Cut::Below(found_end(sample)),
        "geo_uri" | "sticker_id" | "name" => Cut::Text,
        _ => Cut::Every,
    }
}

/// Where the last blob of what was found ends, and zeros begin.
fn found_end(sample: &[u8]) -> usize {
    let Ok(Reply::Found(found)) = Reply::decode(sample) else { panic!("nothing was found") };
    4 + found.blobs.iter().map(|(_, blob)| blob.len() + 2).sum::<usize>()
}

fn every_cut_is_refused(name: &str) {
    for sample in values::samples(name) {
        let cut = cut_of(name, &sample);
        for length in 0..sample.len() {
            let accepted = check(name, &sample[..length]);
            match cut {
                Cut::Every => assert!(!accepted, "{name} cut to {length}"),
                Cut::Below(end) => assert_eq!(accepted, length >= end, "{name} cut to {length}"),
                Cut::Within(item) => assert_eq!(accepted, length % item == 0, "{name} cut to {length}"),
                Cut::Items(head, item) => {
                    let items = length > head && (length - head) % item == 0;
                    assert_eq!(accepted, items, "{name} cut to {length}");
                }
                Cut::Blob(start) => {
                    let is_blob = length.checked_sub(start).and_then(Bucket::of).is_some();
                    assert_eq!(accepted, is_blob, "{name} cut to {length}");
                }
                Cut::Text => {}
            }
        }
    }
}

fn a_trailing_byte_is_refused(name: &str) {
    for sample in values::samples(name) {
        let open_ended = matches!(cut_of(name, &sample), Cut::Below(_));
        for byte in [0x00, 0x01, 0x80, 0xff] {
            let longer = [&sample[..], &[byte]].concat();
            let taken = match name {
                // A name may contain any character, though none that is not UTF-8.
                "name" => byte.is_ascii(),
                // What was found is followed by zeros.
                "mailbox_reply" => open_ended && byte == 0,
                _ => open_ended,
            };
            assert_eq!(check(name, &longer), taken, "{name} and {byte:#04x}");
        }
    }
}

/// At every place a head that announces up to 2^64-1 bytes, characters, items or pairs.
fn a_length_that_lies_is_refused(name: &str) {
    if !IS_CBOR.contains(&name) {
        return;
    }
    for sample in values::samples(name) {
        for at in 0..sample.len() {
            for major in [0x40, 0x60, 0x80, 0xa0] {
                for lie in [
                    &[major | 27, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..],
                    &[major | 26, 0xff, 0xff, 0xff, 0xff],
                    &[major | 25, 0xff, 0xff],
                ] {
                    let lying = [&sample[..at], lie, &sample[at + 1..]].concat();
                    assert!(!check(name, &lying), "{name} with {lie:02x?} at {at}");
                }
            }
        }
    }
}

const IS_CBOR: [&str; 9] =
    ["prekeys", "chain", "sigchain", "signed", "genesis", "entry", "invite", "content", "plaintext"];

macro_rules! for_each_decoder {
    ($($name:ident)*) => {
        const NAMED: [&str; 30] = [$(stringify!($name)),*];

        $(mod $name {
            #[test]
            fn d01_every_cut_is_refused() {
                super::every_cut_is_refused(stringify!($name));
            }

            #[test]
            fn d01_a_trailing_byte_is_refused() {
                super::a_trailing_byte_is_refused(stringify!($name));
            }

            #[test]
            fn d01_a_length_that_lies_is_refused() {
                super::a_length_that_lies_is_refused(stringify!($name));
            }
        })*
    };
}

for_each_decoder!(
    frame hello ack nack knock prekeys chain payload ratchet init sigchain signed genesis entry invite invite_link
    content plaintext bundle bundle_file otk geo_uri sticker_id name mailbox_request mailbox_reply
    address_record host_link currency_link invoice_link
);

#[test]
fn every_decoder_is_named_here() {
    assert_eq!(DECODERS.map(|decoder| decoder.name), NAMED);
}

#[derive(Debug, Clone)]
enum Mutation {
    Flip(Index, u8),
    Set(Index, u8),
    Remove(Index, Index),
    Repeat(Index, Index),
    Insert(Index, Vec<u8>),
    Cut(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0_u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        (at(), at()).prop_map(|(from, to)| Mutation::Remove(from, to)),
        (at(), at()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
        (at(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        at().prop_map(Mutation::Cut),
    ]
}

fn mutate(mut bytes: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        let place = |index: &Index| index.index(bytes.len() + 1);
        let range = |from: &Index, to: &Index| (place(from).min(place(to)), place(from).max(place(to)));
        match mutation {
            Mutation::Flip(at, bit) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Mutation::Set(at, byte) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Mutation::Flip(..) | Mutation::Set(..) => {}
            Mutation::Remove(from, to) => {
                let (from, to) = range(from, to);
                bytes.drain(from..to);
            }
            Mutation::Repeat(from, to) => {
                let (from, to) = range(from, to);
                bytes.extend_from_within(from..to);
            }
            Mutation::Insert(at, inserted) => {
                let at = place(at);
                bytes.splice(at..at, inserted.iter().copied());
            }
            Mutation::Cut(at) => bytes.truncate(place(at)),
        }
    }
    bytes
}

fn any_decoder() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(NAMED.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn d01_no_bytes_make_a_decoder_panic(bytes in vec(any::<u8>(), 0..400)) {
        for decoder in DECODERS {
            check(decoder.name, &bytes);
        }
        check_small_texts(&bytes);
    }

    #[test]
    fn d01_no_text_makes_a_decoder_panic(text in "\\PC{0,100}|geo:[0-9.,;u=-]{0,40}|[a-z/_-]{0,80}|kinfolk:[\\w-]{0,200}") {
        for decoder in DECODERS {
            check(decoder.name, text.as_bytes());
        }
        check_small_texts(text.as_bytes());
    }

    #[test]
    fn d01_no_mutation_of_what_is_valid_makes_a_decoder_panic(
        (name, bytes) in any_decoder().prop_flat_map(|name| (Just(name), values::encoded(name))),
        mutations in vec(mutation(), 1..5),
    ) {
        check(name, &mutate(bytes, &mutations));
    }

    #[test]
    fn d01_bytes_of_one_kind_given_to_another_make_no_decoder_panic(
        bytes in any_decoder().prop_flat_map(values::encoded),
    ) {
        for decoder in DECODERS {
            check(decoder.name, &bytes);
        }
    }
}

#[test]
fn d01_a_header_longer_than_its_message_is_refused() {
    for (length, expected) in [
        (0xffff_u16, DecodeError::TooLong { what: "ratchet message", limit: limits::SEALED_HEADER, found: 0xffff }),
        (9, DecodeError::Truncated { what: "ratchet message", expected: 9, found: 8 }),
    ] {
        let mut bytes = values::ratchet_message([0; 24], &[1; 8], &[]);
        bytes[1..3].copy_from_slice(&length.to_be_bytes());
        assert_eq!(RatchetMessage::decode(&bytes), Err(expected));
    }
}

#[test]
fn d01_an_empty_frame_and_an_unknown_kind_are_refused() {
    assert!(matches!(Frame::decode(&[]), Err(DecodeError::Truncated { .. })));
    for kind in [0_u8, 8, 255] {
        let bytes = [&[kind][..], &[0; 8]].concat();
        assert_eq!(Frame::decode(&bytes), Err(DecodeError::UnknownKind { what: "frame", found: kind.into() }));
    }
    assert!(matches!(Payload::decode(&[]), Err(DecodeError::Truncated { .. })));
    assert_eq!(Payload::decode(&[0x21]), Err(DecodeError::UnknownKind { what: "payload", found: 0x21 }));
    assert_eq!(Nack::decode(&[0, 0, 0, 0, 0, 0, 0, 1, 4]), Err(DecodeError::UnknownKind { what: "nack", found: 4 }));
}

#[test]
fn d01_ranges_that_overlap_or_run_backwards_are_refused() {
    for ranges in [vec![(2, 1)], vec![(1, 5), (5, 6)], vec![(7, 9), (1, 2)], vec![(1, u64::MAX), (0, 0)]] {
        let bytes = Ack { ranges }.encode();
        assert_eq!(Ack::decode(&bytes), Err(DecodeError::NotCanonical { what: "ack" }));
    }
}

#[test]
fn d01_a_field_of_tomorrow_is_skipped_where_nothing_is_hashed_and_refused_where_it_is() {
    for name in ["content", "plaintext", "chain", "prekeys"] {
        for sample in values::samples(name) {
            assert_eq!((decoder(name).read)(&with_field_23(&sample)), Some(sample), "{name}");
        }
    }
    for name in ["genesis", "entry", "signed", "sigchain", "invite"] {
        for sample in values::samples(name) {
            assert!(!check(name, &with_field_23(&sample)), "{name}");
        }
    }
}

/// A map with one field more than this program knows, after all others.
fn with_field_23(map: &[u8]) -> Vec<u8> {
    assert!(map[0] & 0xe0 == 0xa0 && map[0] & 0x1f < 22, "a small map");
    [&[map[0] + 1], &map[1..], &[0x17, 0xf5]].concat()
}

/// Kind and body of a content, as they are written.
fn body_bytes(body: Body) -> (u16, Vec<u8>) {
    let content = values::content_around(body).encode();
    let mut d = minicbor::Decoder::new(&content);
    assert_eq!(d.map().unwrap(), Some(6));
    for _ in 0..2 * 4 {
        d.skip().unwrap();
    }
    assert_eq!(d.u8().unwrap(), 4);
    let kind = d.u16().unwrap();
    assert_eq!(d.u8().unwrap(), 5);
    (kind, d.bytes().unwrap().to_vec())
}

fn read_body(kind: u16, body: Vec<u8>) -> Result<Body, DecodeError> {
    Content::decode(&values::content_around(Body::Unknown { kind, body }).encode()).map(|content| content.body)
}

/// Replaces the one place where these bytes stand.
fn with_part(bytes: &[u8], part: &[u8], other: &[u8]) -> Vec<u8> {
    let at = bytes.windows(part.len()).position(|window| window == part).unwrap();
    [&bytes[..at], other, &bytes[at + part.len()..]].concat()
}

#[test]
fn d01_a_field_of_tomorrow_is_skipped_in_what_is_said_of_mailboxes() {
    let mut kinds = Vec::new();
    for body in values::plain_mailbox_bodies() {
        let (kind, bytes) = body_bytes(body.clone());
        assert_eq!(read_body(kind, with_field_23(&bytes)), Ok(body.clone()), "{kind}");
        kinds.push(kind);
        for part in [to_cbor(&values::plain_host()), to_cbor(&values::plain_token())] {
            if bytes.windows(part.len()).any(|window| window == part) {
                let newer = with_part(&bytes, &part, &with_field_23(&part));
                assert_eq!(read_body(kind, newer), Ok(body.clone()), "within {kind}");
                kinds.push(kind);
            }
        }
    }
    // Each once and those that hold a host or a token once more for it.
    assert_eq!(kinds, [37, 37, 37, 37, 38, 38, 38, 39, 40]);
}

#[test]
fn d01_a_field_of_tomorrow_is_refused_in_a_link_to_a_host() {
    let link = |cbor: &[u8]| format!("{}{}", mailbox::SCHEME, data_encoding::BASE64URL_NOPAD.encode(cbor));
    let bytes = to_cbor(&values::plain_host());
    assert_eq!(Host::from_link(&link(&bytes)), Ok(values::plain_host()));
    assert!(matches!(Host::from_link(&link(&with_field_23(&bytes))), Err(HostLinkError::Damaged(_))));
}

#[test]
fn d01_what_is_said_of_mailboxes_is_refused_when_it_is_cut_or_goes_on() {
    for body in values::plain_mailbox_bodies() {
        let (kind, bytes) = body_bytes(body);
        for length in 0..bytes.len() {
            assert!(read_body(kind, bytes[..length].to_vec()).is_err(), "{kind} cut to {length}");
        }
        assert!(read_body(kind, [&bytes[..], &[0]].concat()).is_err(), "{kind}");
    }
}

#[test]
fn a10_what_is_asked_of_a_mailbox_is_not_read_as_something_else() {
    for sample in values::samples("mailbox_request") {
        for kind in (0..=u8::MAX).filter(|kind| *kind != sample[0]) {
            let other = [&[kind], &sample[1..]].concat();
            assert!(Request::decode(&other).is_err(), "{} as {kind}", sample[0]);
        }
    }
    for kind in 3..=u8::MAX {
        let unknown = Err(DecodeError::UnknownKind { what: "mailbox reply", found: kind.into() });
        assert_eq!(Reply::decode(&[kind]), unknown);
    }
}

#[test]
fn d01_a_field_nested_too_deep_is_refused_even_where_fields_are_skipped() {
    let nested = |depth: usize| [&[0xa1, 0x17][..], &vec![0x81; depth], &[0x00]].concat();
    let read = |bytes: &[u8]| from_cbor::<Receipt>("receipt", bytes, limits::PLAINTEXT);
    assert_eq!(read(&[0xa2, 0x00, 0x80, 0x01, 0x80]), Ok(Receipt::default()));
    assert!(matches!(read(&nested(limits::CBOR_DEPTH)), Err(DecodeError::TooLong { .. })));
    assert!(matches!(read(&nested(10_000)), Err(DecodeError::TooLong { .. })));
}

#[test]
fn d01_a_text_that_is_not_utf8_is_refused() {
    let text = to_cbor(&Text::new("ab").unwrap());
    let read = |bytes: &[u8]| from_cbor::<Text>("text", bytes, limits::PLAINTEXT);
    assert!(read(&text).is_ok());
    for wrong in [[0xff, b'b'], [0xc3, 0x28], [0xc0, 0x80]] {
        let bytes = [&text[..text.len() - 2], &wrong].concat();
        assert_eq!(read(&bytes), Err(DecodeError::Malformed { what: "text" }));
    }
}

#[test]
fn d01_a_field_given_twice_is_refused() {
    let signed = values::signed_around(vec![7]).encode();
    assert!(Signed::decode("signed", &signed).is_ok());
    let twice = [&[signed[0] + 1, 0x00, 0x41, 0x07], &signed[1..]].concat();
    assert_eq!(Signed::decode("signed", &twice), Err(DecodeError::NotCanonical { what: "signed" }));
}

#[test]
fn d01_a_field_that_is_missing_is_refused() {
    let content = values::content_around(Body::Decline).encode();
    assert_eq!(content[..2], [0xa6, 0x00]);
    let without_id = [&[0xa5], &content[19..]].concat();
    assert_eq!(Content::decode(&without_id), Err(DecodeError::Malformed { what: "content" }));
    assert_eq!(Plaintext::decode(&[0xa0]), Err(DecodeError::Malformed { what: "plaintext" }));
}

#[test]
fn a10_a_body_of_one_kind_is_not_read_as_another() {
    let receipt = values::content_around(Body::Receipt(Receipt::default())).encode();
    let text = values::content_around(Body::Text(Text::new("x").unwrap())).encode();
    let kind_at = |bytes: &[u8], kind: u8| bytes.windows(2).rposition(|pair| pair == [0x04, kind]).unwrap() + 1;
    let mut as_text = receipt.clone();
    as_text[kind_at(&receipt, 16)] = 1;
    assert_eq!(Content::decode(&as_text), Err(DecodeError::Malformed { what: "text" }));
    let mut as_receipt = text.clone();
    as_receipt[kind_at(&text, 1)] = 16;
    assert_eq!(Content::decode(&as_receipt), Err(DecodeError::Malformed { what: "receipt" }));
}

#[test]
fn a11_another_version_is_refused_by_its_number() {
    for (name, version_at) in [("genesis", 2), ("entry", 2), ("invite", 2), ("bundle", 0)] {
        for sample in values::samples(name) {
            assert_eq!(sample[version_at], 1, "{name}");
            for version in [0, 2, 23] {
                let mut other = sample.clone();
                other[version_at] = version;
                let refusal = match name {
                    "genesis" => Genesis::decode(&other).err(),
                    "entry" => Entry::decode(&other).err(),
                    "invite" => Invite::decode(&other).err(),
                    _ => PrekeyBundle::decode(&other).err(),
                };
                let found = version.into();
                assert!(
                    matches!(refusal, Some(DecodeError::UnknownVersion { found: named, .. }) if named == found),
                    "{name} {version}: {refusal:?}"
                );
            }
        }
    }
}

#[test]
fn d01_a_field_given_twice_is_refused_even_where_fields_are_skipped() {
    let receipt = [0xa2, 0x00, 0x80, 0x01, 0x80];
    let read = |bytes: &[u8]| from_cbor::<Receipt>("receipt", bytes, limits::PLAINTEXT);
    assert_eq!(read(&receipt), Ok(Receipt::default()));
    for wrong in [[0xa3, 0x00, 0x80, 0x01, 0x80, 0x01, 0x80], [0xa3, 0x00, 0x80, 0x02, 0x80, 0x01, 0x80]] {
        assert_eq!(read(&wrong), Err(DecodeError::NotCanonical { what: "receipt" }));
    }
}

#[test]
fn a10_a_frame_kind_is_what_its_number_says() {
    for number in 0..=u8::MAX {
        match FrameKind::from_number(number) {
            Ok(kind) => assert_eq!(kind.number(), number),
            Err(error) => assert_eq!(error, DecodeError::UnknownKind { what: "frame", found: number.into() }),
        }
    }
}
