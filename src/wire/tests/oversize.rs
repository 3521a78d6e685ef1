//! D2: what is larger than its limit is refused by its size, and what is just as large is taken.

use kinfolk_wire::bundle::PrekeyId;
use kinfolk_wire::codec::{DecodeError, to_cbor};
use kinfolk_wire::content::{
    Body, Content, GeoUri, Mailboxes, NeedReinit, Plaintext, Receipt, Serving, StickerId, Text, TextError, TokenShare,
    TokensIssued, TokensWanted,
};
use kinfolk_wire::direct::{Ack, Frame, FrameKind};
use kinfolk_wire::envelope::{InitMessage, RatchetMessage};
use kinfolk_wire::ids::{GroupElement, MailboxTag, MessageId, PayloadDigest, SigchainHead};
use kinfolk_wire::invite::{Address, Invite, InviteLink, InviteLinkError};
use kinfolk_wire::limits;
use kinfolk_wire::mailbox::{
    Admission, Bucket, ERASURES, Erasure, Found, Host, HostLinkError, REPLY, REQUEST, ROOM, Reply, Request, TAGS,
    TOKENS,
};
use kinfolk_wire::name::{Name, NameError};
use kinfolk_wire::sigchain::{Entry, SigchainBytes, Signed};

use crate::values::{
    self, content_around, init_message, plain_deposit, plain_host, plain_token, ratchet_message, samples, signed_around,
};

fn refused_by_size<T: std::fmt::Debug + PartialEq>(result: Result<T, DecodeError>, limit: usize, found: usize) {
    match result {
        Err(DecodeError::TooLong { limit: named, found: counted, .. }) => assert_eq!((named, counted), (limit, found)),
        other => panic!("expected a refusal by size, found {other:?}"),
    }
}

#[test]
fn d02_a_frame_over_its_limit_is_neither_read_nor_written() {
    let frame = |length: usize| Frame { kind: FrameKind::Payload, sequence: 1, body: vec![0; length] };
    let largest = limits::FRAME - Frame::HEAD;
    assert_eq!(frame(largest).encode().unwrap().len(), 4 + limits::FRAME);
    refused_by_size(frame(largest + 1).encode(), limits::FRAME, limits::FRAME + 1);
    let mut bytes = frame(largest).encode().unwrap().split_off(4);
    assert_eq!(Frame::decode(&bytes), Ok(frame(largest)));
    bytes.push(0);
    refused_by_size(Frame::decode(&bytes), limits::FRAME, limits::FRAME + 1);
}

#[test]
fn d02_a_payload_over_its_limit_is_refused_in_both_forms() {
    let ratchet = |length: usize| ratchet_message([0; 24], &[], &vec![0; length - RatchetMessage::PREFIX]);
    let init = |length: usize| init_message(Some(PrekeyId(1)), &ratchet(length - InitMessage::PREFIX));
    assert!(RatchetMessage::decode(&ratchet(limits::PAYLOAD)).is_ok());
    assert!(InitMessage::decode(&init(limits::PAYLOAD)).is_ok());
    refused_by_size(RatchetMessage::decode(&ratchet(limits::PAYLOAD + 1)), limits::PAYLOAD, limits::PAYLOAD + 1);
    refused_by_size(InitMessage::decode(&init(limits::PAYLOAD + 1)), limits::PAYLOAD, limits::PAYLOAD + 1);
}

#[test]
fn d02_a_sealed_header_over_its_limit_is_refused() {
    let message = |length: usize| ratchet_message([0; 24], &vec![0; length], &[]);
    assert!(RatchetMessage::decode(&message(limits::SEALED_HEADER)).is_ok());
    let over = limits::SEALED_HEADER + 1;
    refused_by_size(RatchetMessage::decode(&message(over)), limits::SEALED_HEADER, over);
}

#[test]
fn d02_a_text_over_its_limit_is_refused_when_typed_and_when_received() {
    let longest = "a".repeat(limits::TEXT);
    let content = content_around(Body::Text(Text::new(longest.clone()).unwrap())).encode();
    assert!(Content::decode(&content).is_ok());
    let found = limits::TEXT + 1;
    assert_eq!(Text::new(longest.clone() + "a"), Err(TextError::TooLong { limit: limits::TEXT, found }));
    assert_eq!(Text::new(""), Err(TextError::Empty));

    let forged = content_around(Body::Unknown { kind: 1, body: map_of_text(&(longest + "a")) }).encode();
    assert_eq!(Content::decode(&forged), Err(DecodeError::Malformed { what: "text" }));
    let empty = content_around(Body::Unknown { kind: 1, body: map_of_text("") }).encode();
    assert_eq!(Content::decode(&empty), Err(DecodeError::Malformed { what: "text" }));
}

/// `{0: text}`, as a text message is written, but of any length.
fn map_of_text(text: &str) -> Vec<u8> {
    [&[0xa1, 0x00], &to_cbor(&text)[..]].concat()
}

#[test]
fn d02_a_plaintext_and_a_content_over_their_limit_are_refused() {
    let plaintext = |content: usize| Plaintext {
        sender_head: SigchainHead::new([1; 32]),
        recipient_head: SigchainHead::new([2; 32]).prefix(),
        mailbox_seen: None,
        content: vec![0; content],
    };
    let overhead = plaintext(limits::PLAINTEXT / 2).encode().len() - limits::PLAINTEXT / 2;
    let largest = plaintext(limits::PLAINTEXT - overhead);
    assert_eq!(largest.encode().len(), limits::PLAINTEXT);
    assert_eq!(Plaintext::decode(&largest.encode()), Ok(largest));
    let over = limits::PLAINTEXT + 1;
    refused_by_size(Plaintext::decode(&plaintext(over - overhead).encode()), limits::PLAINTEXT, over);
    refused_by_size(Content::decode(&vec![0; over]), limits::PLAINTEXT, over);
}

#[test]
fn d02_the_largest_text_fits_a_payload_with_all_that_stands_in_front_of_it() {
    let content = content_around(Body::Text(Text::new("a".repeat(limits::TEXT)).unwrap())).encode();
    let plaintext = Plaintext {
        sender_head: SigchainHead::new([1; 32]),
        recipient_head: SigchainHead::new([2; 32]).prefix(),
        mailbox_seen: Some(u64::MAX),
        content,
    };
    assert!(plaintext.encode().len() <= limits::PLAINTEXT);
    // Padmé: of 16 significant bits the last 11 are rounded up; one byte of padding at least; then the tag.
    let sealed_body = (limits::PLAINTEXT + 1).next_multiple_of(1 << 11) + 16;
    assert!(InitMessage::PREFIX + RatchetMessage::PREFIX + limits::SEALED_HEADER + sealed_body <= limits::PAYLOAD);
    const { assert!(limits::PAYLOAD + Frame::HEAD <= limits::FRAME) };
}

#[test]
fn d02_counts_over_their_limit_are_refused() {
    let receipt = |count: usize| {
        content_around(Body::Receipt(Receipt { delivered: vec![MessageId::new([1; 16]); count], read: Vec::new() }))
    };
    assert!(Content::decode(&receipt(limits::RECEIPT_IDS).encode()).is_ok());
    assert!(Content::decode(&receipt(limits::RECEIPT_IDS + 1).encode()).is_err());

    let reinit = |count: usize| {
        content_around(Body::NeedReinit(NeedReinit { digests: vec![PayloadDigest::new([1; 16]); count] }))
    };
    assert!(Content::decode(&reinit(limits::REINIT_DIGESTS).encode()).is_ok());
    assert!(Content::decode(&reinit(limits::REINIT_DIGESTS + 1).encode()).is_err());

    let ack = |count: u64| Ack { ranges: (0..count).map(|i| (i * 2, i * 2)).collect() };
    assert!(Ack::decode(&ack(limits::ACK_RANGES as u64).encode()).is_ok());
    let found = limits::ACK_RANGES + 1;
    refused_by_size(Ack::decode(&ack(found as u64).encode()), limits::ACK_RANGES, found);

    let chain = |count: usize| SigchainBytes {
        genesis: Signed { payload: Vec::new(), signature: [0; 64], countersignature: None },
        entries: vec![Signed { payload: Vec::new(), signature: [0; 64], countersignature: None }; count],
    };
    let largest = (limits::PAYLOAD - chain(0).encode().len()) / (chain(1).encode().len() - chain(0).encode().len());
    assert!(SigchainBytes::decode(&chain(largest - 1).encode()).is_ok());
    let found = chain(limits::SIGCHAIN_ENTRIES).encode().len();
    refused_by_size(SigchainBytes::decode(&chain(limits::SIGCHAIN_ENTRIES).encode()), limits::PAYLOAD, found);
}

#[test]
fn d02_a_sigchain_entry_over_its_limits_is_refused() {
    let entry = Entry::decode(&samples("entry")[0]).unwrap();
    let parents = |count: usize| Entry { parents: vec![SigchainHead::new([3; 32]); count], ..entry.clone() };
    assert!(Entry::decode(&to_cbor(&parents(limits::PARENTS))).is_ok());
    assert!(Entry::decode(&to_cbor(&parents(limits::PARENTS + 1))).is_err());
    let signed = signed_around(vec![0; limits::SIGCHAIN_ENTRY]).encode();
    refused_by_size(Signed::decode("entry", &signed), limits::SIGCHAIN_ENTRY, signed.len());
}

#[test]
fn b05_a_link_over_its_limit_is_refused_by_its_size() {
    let link = |payload: usize| InviteLink { signed: signed_around(vec![0; payload]) }.to_string();
    let longest = (0..).find(|payload| link(*payload).len() > limits::INVITE_LINK).unwrap() - 1;
    assert!(link(longest).parse::<InviteLink>().is_ok());
    let found = link(longest + 1).len();
    assert_eq!(link(longest + 1).parse::<InviteLink>(), Err(InviteLinkError::TooLong { found }));
    let found = limits::INVITE_LINK * 100;
    let endless = format!("kinfolk:{}", "A".repeat(found - "kinfolk:".len()));
    assert_eq!(endless.parse::<InviteLink>(), Err(InviteLinkError::TooLong { found }));
}

#[test]
fn b05_an_invite_with_too_many_or_too_long_addresses_is_refused() {
    let short = Address::new("/ip4/192.0.2.1/tcp/1").unwrap();
    let invite = |count: usize| Invite { addresses: vec![short.clone(); count], ..values::plain_invite() };
    assert!(Invite::decode(&invite(limits::ADDRESSES).encode()).is_ok());
    assert!(Invite::decode(&invite(limits::ADDRESSES + 1).encode()).is_err());
    assert!(Address::new(&format!("/{}", "a".repeat(limits::ADDRESS - 1))).is_ok());
    refused_by_size(Address::new(&format!("/{}", "a".repeat(limits::ADDRESS))), limits::ADDRESS, limits::ADDRESS + 1);
    let hosts = |count: usize| Invite { mailboxes: vec![plain_host(); count], ..values::plain_invite() };
    assert!(Invite::decode(&hosts(limits::MAILBOX_HOSTS).encode()).is_ok());
    assert!(Invite::decode(&hosts(limits::MAILBOX_HOSTS + 1).encode()).is_err());
    for text in ["", "ip4/1.2.3.4", "/ip4/1.2.3.4 ", "/dns/\u{e9}", "/a\nb"] {
        assert_eq!(Address::new(text), Err(DecodeError::Malformed { what: "address" }), "{text:?}");
    }
}

#[test]
fn d02_a_sticker_or_a_place_over_its_limit_is_refused() {
    let longest = "a".repeat(limits::STICKER_ID);
    assert!(StickerId::new(&longest, &longest).is_ok());
    assert!(StickerId::new(&(longest.clone() + "a"), "x").is_err());
    assert!(StickerId::new("x", &(longest + "a")).is_err());
    let padded = |length: usize| format!("geo:1,2;u=5.{}", "0".repeat(length - "geo:1,2;u=5.".len()));
    assert!(padded(44).parse::<GeoUri>().is_ok());
    assert!(padded(limits::GEO_URI + 1).parse::<GeoUri>().is_err());
}

#[test]
fn b06_a_name_over_its_limit_is_refused_with_the_limit_named() {
    assert!(Name::new(&"x".repeat(limits::NAME_GRAPHEMES)).is_ok());
    let found = limits::NAME + 1;
    assert_eq!(Name::new(&"x".repeat(found)), Err(NameError::TooManyBytes { limit: limits::NAME, found }));
}

#[test]
fn d02_a_mailbox_request_over_its_limits_is_refused() {
    let tokens = |count: usize| Admission::Tokens(vec![plain_token(); count]);
    let deposit = |count: usize| Request::Deposit(plain_deposit(tokens(count), Bucket::Crate));
    assert!(deposit(TOKENS).encode().len() <= REQUEST);
    assert_eq!(Request::decode(&deposit(TOKENS).encode()), Ok(deposit(TOKENS)));
    refused_by_size(Request::decode(&deposit(TOKENS + 1).encode()), TOKENS, TOKENS + 1);
    refused_by_size(Request::decode(&deposit(0).encode()), TOKENS, 0);

    let erase = |count: usize| Request::Erase(vec![Erasure { tag: MailboxTag::new([1; 16]), key: [2; 16] }; count]);
    assert_eq!(Request::decode(&erase(ERASURES).encode()), Ok(erase(ERASURES)));
    refused_by_size(Request::decode(&erase(ERASURES + 1).encode()), ERASURES, ERASURES + 1);

    for kind in 0..=3 {
        refused_by_size(Request::decode(&vec![kind; REQUEST + 1]), REQUEST, REQUEST + 1);
    }
    let blob_of = |length: usize| {
        let mut deposit = plain_deposit(tokens(1), Bucket::Line);
        deposit.blob.resize(length, 1);
        Request::decode(&Request::Deposit(deposit).encode())
    };
    for bucket in Bucket::ALL {
        assert!(blob_of(bucket.bytes()).is_ok());
        assert_eq!(blob_of(bucket.bytes() + 1), Err(DecodeError::Malformed { what: "mailbox request" }));
        assert_eq!(blob_of(bucket.bytes() - 1), Err(DecodeError::Malformed { what: "mailbox request" }));
    }
}

#[test]
fn d02_a_mailbox_reply_over_its_limits_is_refused() {
    let found = Found { more: false, blobs: vec![(0, vec![1; Bucket::Crate.bytes()])] };
    let mut bytes = Reply::Found(found.clone()).encode(ROOM);
    assert_eq!((bytes.len(), Reply::decode(&bytes)), (REPLY, Ok(Reply::Found(found))));
    bytes.push(0);
    refused_by_size(Reply::decode(&bytes), REPLY, REPLY + 1);
    let count = |count: usize| [&[2, 0], &u16::try_from(count).unwrap().to_be_bytes()[..], &[0; 1_020]].concat();
    refused_by_size(Reply::decode(&count(TAGS + 1)), TAGS, TAGS + 1);
    refused_by_size(Reply::decode(&count(usize::from(u16::MAX))), TAGS, usize::from(u16::MAX));
    // So many may be told of; these all lie under the first tag.
    assert_eq!(Reply::decode(&count(TAGS)), Err(DecodeError::NotCanonical { what: "mailbox reply" }));
}

#[test]
fn b05_a_link_to_a_host_over_its_limits_is_refused() {
    let addresses = |count: usize| vec![Address::new("/ip4/192.0.2.1/tcp/1").unwrap(); count];
    let host = |count: usize| Host { addresses: addresses(count), ..plain_host() };
    assert_eq!(Host::from_link(&host(limits::ADDRESSES).link()), Ok(host(limits::ADDRESSES)));
    assert!(matches!(Host::from_link(&host(limits::ADDRESSES + 1).link()), Err(HostLinkError::Damaged(_))));
    let long = |length: usize| {
        let mut addresses = vec![Address::new(&format!("/{}", "a".repeat(limits::ADDRESS - 1))).unwrap(); 3];
        addresses.push(Address::new(&format!("/{}", "a".repeat(length))).unwrap());
        Host { addresses, ..plain_host() }
    };
    let longest = (1..).find(|length| long(*length).link().len() > limits::INVITE_LINK).unwrap() - 1;
    assert_eq!(Host::from_link(&long(longest).link()), Ok(long(longest)));
    let found = long(longest + 1).link().len();
    assert_eq!(Host::from_link(&long(longest + 1).link()), Err(HostLinkError::TooLong { found }));
}

#[test]
fn d02_what_is_said_of_mailboxes_over_its_limits_is_refused() {
    let read = |body: Body| Content::decode(&content_around(body.clone()).encode()).map(|content| content.body == body);
    let refused = |body: Body, what: &'static str| assert_eq!(read(body), Err(DecodeError::Malformed { what }));

    let mailboxes = |hosts: usize, shares: usize, tokens: usize| {
        let share = TokenShare { peer: plain_host().peer, tokens: vec![plain_token(); tokens] };
        Body::Mailboxes(Mailboxes { hosts: vec![plain_host(); hosts], tokens: vec![share; shares], version: 1 })
    };
    let (hosts, tokens) = (limits::MAILBOX_HOSTS, limits::TOKENS_AT_ONCE);
    assert_eq!(read(mailboxes(hosts, hosts, 100)), Ok(true));
    assert_eq!(read(mailboxes(0, 1, tokens)), Ok(true));
    refused(mailboxes(hosts + 1, 0, 0), "mailboxes");
    refused(mailboxes(0, hosts + 1, 0), "mailboxes");
    refused(mailboxes(0, 1, tokens + 1), "mailboxes");

    let key = GroupElement::new([1; 32]);
    let serving = |count: usize| {
        let addresses = vec![plain_host().addresses[0].clone(); count];
        Body::Serving(Serving { host: Some(Host { addresses, ..plain_host() }), epoch: 1, key, version: 1 })
    };
    assert_eq!(read(serving(limits::ADDRESSES)), Ok(true));
    refused(serving(limits::ADDRESSES + 1), "serving");

    let wanted = |count: usize| Body::TokensWanted(TokensWanted { epoch: 1, blinded: vec![key; count] });
    assert_eq!(read(wanted(tokens)), Ok(true));
    refused(wanted(tokens + 1), "tokens wanted");
    let issued =
        |count: usize| Body::TokensIssued(TokensIssued { epoch: 1, evaluated: vec![key; count], proof: [1; 64] });
    assert_eq!(read(issued(tokens)), Ok(true));
    refused(issued(tokens + 1), "tokens issued");
}
