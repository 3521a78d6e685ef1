//! What is over a limit at the engine's door is dropped, and the next message is handled.

use kinfolk_engine::input::Command;
use kinfolk_engine::store::MessageState;
use kinfolk_engine::{Input, Refusal, Rejection};
use kinfolk_wire::codec::to_cbor;
use kinfolk_wire::content::Body;
use kinfolk_wire::direct::{Frame, FrameKind};
use kinfolk_wire::ids::{MessageId, PayloadDigest};
use kinfolk_wire::limits;
use kinfolk_wire::time::Span;
use minicbor::Encode;

use crate::town::{STRANGER, Town, address, peer, refused, text};

/// A list in the first field, and nothing or an empty list in the second: a text, a receipt, digests.
#[derive(Encode)]
#[cbor(map)]
struct Words {
    #[n(0)]
    words: String,
}

#[derive(Encode)]
#[cbor(map)]
struct Ids {
    #[n(0)]
    delivered: Vec<MessageId>,
    #[n(1)]
    read: Vec<MessageId>,
}

#[derive(Encode)]
#[cbor(map)]
struct Digests {
    #[n(0)]
    digests: Vec<PayloadDigest>,
}

fn the_next_arrives(town: &mut Town, words: &str) {
    town.say(0, 1, words);
    town.pass(Span::from_secs(5));
    assert_eq!(town.heard(1, 0).last().map(String::as_str), Some(words));
    assert!(town.lines(0, 1).iter().all(|line| line.state == MessageState::Delivered));
}

#[test]
fn d02_a_well_sealed_message_over_a_limit_is_dropped_and_the_next_is_shown() {
    let mut town = Town::of_friends(2);
    let words = |length: usize| to_cbor(&Words { words: "x".repeat(length) });
    let ids = |count: usize| Ids { delivered: vec![MessageId::new([1; 16]); count], read: Vec::new() };
    let digests = |count: usize| Digests { digests: vec![PayloadDigest::new([1; 16]); count] };
    let reach = |count: usize| {
        to_cbor(&kinfolk_wire::content::Reach {
            peer: peer(0),
            addresses: (0..count).map(|n| address(n % 200)).collect(),
        })
    };
    let over = [
        (1, words(limits::TEXT + 1)),
        (1, words(0)),
        (16, to_cbor(&ids(limits::RECEIPT_IDS + 1))),
        (35, to_cbor(&digests(limits::REINIT_DIGESTS + 1))),
        (36, reach(limits::ADDRESSES + 1)),
    ];
    for (kind, body) in over {
        let before = town.settled(1);
        let content = town.content(0, 1, 1, Body::Unknown { kind, body });
        let payload = town.forge(0, 1, &content);
        let made = town.receive(1, peer(0), FrameKind::Payload, payload);
        assert_eq!((made.rejections.as_slice(), refused(&made)), (&[Rejection::Malformed][..], None), "kind {kind}");
        assert_eq!(town.settled(1), before, "kind {kind}");
        the_next_arrives(&mut town, &format!("after kind {kind}"));
    }
    for (kind, body) in
        [(1, words(limits::TEXT)), (16, to_cbor(&ids(limits::RECEIPT_IDS))), (36, reach(limits::ADDRESSES))]
    {
        let content = town.content(0, 1, 9, Body::Unknown { kind, body });
        let payload = town.forge(0, 1, &content);
        let made = town.receive(1, peer(0), FrameKind::Payload, payload);
        assert!(made.rejections.is_empty(), "at the limit kind {kind} is taken: {:?}", made.rejections);
    }
    let longest = town.heard(1, 0).iter().any(|words| words.len() == limits::TEXT);
    assert!(longest, "the longest text is shown whole");
}

#[test]
fn d02_bytes_that_are_no_content_are_dropped_and_the_next_is_shown() {
    let mut town = Town::of_friends(2);
    for filling in [0x00, 0x80, 0xa0, 0xff] {
        let before = town.settled(1);
        let payload = town.seal_as(0, 1, &vec![filling; limits::PLAINTEXT]);
        let made = town.receive(1, peer(0), FrameKind::Payload, payload);
        assert_eq!((made.rejections.as_slice(), refused(&made)), (&[Rejection::Malformed][..], None));
        assert_eq!(town.settled(1), before);
        the_next_arrives(&mut town, &format!("after {filling:x}"));
    }
}

#[test]
fn d02_a_frame_as_long_as_a_frame_can_be_changes_nothing_and_the_next_is_handled() {
    let mut town = Town::of_friends(2);
    town.stranger_comes(1, STRANGER);
    let kinds = [FrameKind::Hello, FrameKind::Payload, FrameKind::Knock, FrameKind::Prekeys, FrameKind::Chain];
    for kind in kinds {
        for first in [0x00, 0x11, 0x12, 0xa3, 0xbf, 0xff] {
            for length in [limits::PAYLOAD + 1, limits::FRAME - Frame::HEAD] {
                for from in [peer(0), STRANGER] {
                    let mut body = vec![0xff; length];
                    body[0] = first;
                    let before = town.settled(1);
                    let made = town.receive(1, from, kind, body);
                    assert!(refused(&made).is_some(), "{kind:?}");
                    assert_eq!(town.settled(1), before, "{kind:?}");
                }
            }
        }
        town.pass(Span::from_secs(60));
        the_next_arrives(&mut town, &format!("after {kind:?}"));
    }
}

#[test]
fn d02_what_cannot_be_a_line_is_refused_before_anything_is_kept() {
    let mut town = Town::of_friends(2);
    let conversation = town.conversation(0, 1);
    let before = town.kept(0);
    for body in [Body::Unknown { kind: 1, body: vec![0; limits::PLAINTEXT] }, Body::Decline] {
        let command = Command::SendMessage { id: None, conversation, body };
        assert!(matches!(town.try_input(0, Input::Command(command)), Err(Refusal::NotSendable)));
    }
    assert_eq!(town.kept(0), before);
    let command = Command::SendMessage { id: None, conversation, body: text(&"\u{10ffff}".repeat(limits::TEXT / 4)) };
    town.input(0, Input::Command(command));
    town.pass(Span::from_secs(1));
    assert_eq!(town.heard(1, 0)[0].len(), limits::TEXT);
}
