//! What is sealed for one is brought to another, or into another conversation.

use kinfolk_engine::Rejection;
use kinfolk_engine::store::{MessageState, Table};
use kinfolk_wire::content::{Body, Receipt};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::time::Span;

use crate::town::{Town, peer, text};

#[test]
fn a03_a_payload_for_one_contact_opens_for_no_other_and_under_no_other_name() {
    let mut town = Town::of_friends(3);
    town.say(0, 1, "for Bea");
    let (_, body) = town.sent(0, 1, FrameKind::Payload).pop().unwrap();
    let to_cora = town.receive(2, peer(0), FrameKind::Payload, body.clone());
    assert_eq!(to_cora.rejections, [Rejection::Undecryptable]);
    let as_coras = town.receive(1, peer(2), FrameKind::Payload, body);
    assert_eq!(as_coras.rejections, [Rejection::Undecryptable]);
    assert!((0..3).all(|who| town.table(who, Table::Message).len() == usize::from(who == 0)));
    town.pass(Span::from_secs(5));
    assert_eq!(town.heard(1, 0), ["for Bea"], "on its own way it arrives");
    assert!([(1, 2), (2, 0), (2, 1)].iter().all(|(who, other)| town.lines(*who, *other).is_empty()));
    for (from, to) in [(0, 1), (0, 2), (2, 0), (2, 1), (1, 2)] {
        town.say(from, to, "and on");
        town.pass(Span::from_secs(5));
        assert_eq!(town.heard(to, from).last().map(String::as_str), Some("and on"), "from {from} to {to}");
    }
}

#[test]
fn a03_a_contact_speaks_in_no_conversation_but_the_one_of_the_two() {
    let mut town = Town::of_friends(3);
    let before = town.settled(1);
    for elsewhere in [town.conversation(1, 2), town.conversation(0, 2)] {
        let mut content = town.content(0, 1, 1, text("Bea, this is Cora"));
        content.conversation = elsewhere;
        let payload = town.forge(0, 1, &content);
        let made = town.receive(1, peer(0), FrameKind::Payload, payload);
        assert_eq!(made.rejections, [Rejection::Misplaced]);
    }
    assert_eq!(town.settled(1), before);
    town.say(0, 1, "this is Anna");
    town.pass(Span::from_secs(1));
    assert_eq!(town.heard(1, 0), ["this is Anna"]);
}

#[test]
fn a03_a_contact_receipts_nothing_that_was_said_to_another() {
    let mut town = Town::of_friends(3);
    town.sleep(2);
    let said = town.say(1, 2, "for Cora alone");
    town.pass(Span::from_secs(1));
    let before = town.settled(1);
    for conversation in [town.conversation(0, 1), town.conversation(1, 2)] {
        let receipt = Receipt { delivered: vec![said], read: vec![said] };
        let mut content = town.content(0, 1, 0, Body::Receipt(receipt));
        content.conversation = conversation;
        let payload = town.forge(0, 1, &content);
        town.receive(1, peer(0), FrameKind::Payload, payload);
    }
    assert_eq!(town.settled(1), before);
    assert_eq!(town.lines(1, 2)[0].state, MessageState::Queued);
}

#[test]
fn a03_an_id_that_another_has_used_shadows_nothing() {
    let mut town = Town::of_friends(3);
    let said = town.say(1, 0, "of Bea");
    town.pass(Span::from_secs(1));
    let mut content = town.content(0, 1, 5, text("of Anna, under the id of Bea's"));
    content.id = said;
    let payload = town.forge(0, 1, &content);
    town.receive(1, peer(0), FrameKind::Payload, payload);
    let words: Vec<Body> = town.lines(1, 0).into_iter().map(|line| line.body).collect();
    assert_eq!(words, [text("of Bea"), text("of Anna, under the id of Bea's")]);
}
