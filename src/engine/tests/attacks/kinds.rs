//! Bytes of one kind come under the name of another.

use kinfolk_engine::Rejection;
use kinfolk_engine::input::Report;
use kinfolk_wire::codec::to_cbor;
use kinfolk_wire::content::{Accept, Body, GeoUri, NeedReinit, Reach, Receipt, Request, StickerId, Text};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::{InviteId, MessageId, PayloadDigest};
use kinfolk_wire::invite::Uses;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;

use crate::town::{STRANGER, Town, address, peer};

const KINDS: [FrameKind; 7] = [
    FrameKind::Hello,
    FrameKind::Payload,
    FrameKind::Ack,
    FrameKind::Nack,
    FrameKind::Knock,
    FrameKind::Prekeys,
    FrameKind::Chain,
];

#[test]
fn a10_no_frame_of_a_whole_acquaintance_does_anything_under_another_kind() {
    let mut town = Town::of_strangers(2);
    let link = town.link(0, Uses::Once);
    town.ask(1, &link);
    let (mut seen, mut spoken) = (Vec::new(), 0);
    let end = town.now.after(Span::from_secs(5));
    loop {
        if let Some((who, Report::Received { delivery, kind, body })) = town.reports.front().cloned() {
            if !seen.contains(&kind) {
                seen.push(kind);
            }
            for other in KINDS.into_iter().filter(|other| *other != kind) {
                let mut aside = town.clone();
                aside.receive(who, delivery.peer, other, body.clone());
                assert_eq!(aside.settled(who), town.settled(who), "{kind:?} as {other:?}");
            }
        }
        if !town.step(end) {
            if spoken == 2 {
                break;
            }
            town.say(spoken, 1 - spoken, "hello");
            spoken += 1;
        }
    }
    for kind in [FrameKind::Hello, FrameKind::Payload, FrameKind::Knock, FrameKind::Prekeys, FrameKind::Chain] {
        assert!(seen.contains(&kind), "no {kind:?} was seen");
    }
    assert_eq!((town.heard(0, 1), town.heard(1, 0)), (vec!["hello".to_owned()], vec!["hello".to_owned()]));
}

/// The kinds that stand inside the seal, each with bytes of its own.
fn bodies() -> Vec<(u16, Vec<u8>)> {
    let (invite, digest) = (InviteId::new([1; 16]), PayloadDigest::new([2; 16]));
    let reach = Reach { peer: STRANGER, addresses: vec![address(5)] };
    let name = Name::new("Zoe").unwrap();
    let receipt = Receipt { delivered: vec![MessageId::new([3; 16])], read: Vec::new() };
    vec![
        (1, to_cbor(&Text::new("a text").unwrap())),
        (2, to_cbor(&StickerId::new("pack", "one").unwrap())),
        (3, to_cbor(&GeoUri::from_parts("48.2", "16.4", None).unwrap())),
        (16, to_cbor(&receipt)),
        (32, to_cbor(&Request { name: name.clone(), invite, reach: reach.clone(), mailboxes: Vec::new() })),
        (33, to_cbor(&Accept { name })),
        (35, to_cbor(&NeedReinit { digests: vec![digest] })),
        (36, to_cbor(&reach)),
    ]
}

#[test]
fn a10_no_content_of_a_contact_is_shown_or_changes_anything_under_another_kind() {
    let mut town = Town::of_friends(2);
    for (kind, _) in bodies() {
        for (other, body) in bodies() {
            // A text and a yes are one text field, digests are a list of ids, and what else stands there is passed over
            // as a newer program's: such bytes are what their sender, inside the seal, says they are.
            let begins_with_text = |kind| [1, 2, 3, 32, 33].contains(&kind);
            if kind == other || ([1, 33].contains(&kind) && begins_with_text(other)) || (kind, other) == (35, 16) {
                continue;
            }
            let before = town.settled(1);
            let content = town.content(0, 1, 1, Body::Unknown { kind, body });
            let payload = town.forge(0, 1, &content);
            let made = town.receive(1, peer(0), FrameKind::Payload, payload);
            assert_eq!(made.rejections, [Rejection::Malformed], "{other} as {kind}");
            assert_eq!(town.settled(1), before, "{other} as {kind}");
        }
    }
    town.pass(Span::from_secs(1));
    town.say(0, 1, "the next");
    town.pass(Span::from_secs(1));
    assert_eq!(town.heard(1, 0), ["the next"]);
}

#[test]
fn a10_words_of_first_contact_on_a_session_change_nobody() {
    let mut town = Town::of_friends(2);
    let before = town.settled(1);
    let name = Name::new("Zoe").unwrap();
    let reach = Reach { peer: STRANGER, addresses: vec![address(5)] };
    let request = Request { name: name.clone(), invite: InviteId::new([1; 16]), reach, mailboxes: Vec::new() };
    for body in [Body::Request(request), Body::Accept(Accept { name }), Body::Decline] {
        let content = town.content(0, 1, 0, body);
        let payload = town.forge(0, 1, &content);
        town.receive(1, peer(0), FrameKind::Payload, payload);
        assert_eq!(town.settled(1), before);
    }
}
