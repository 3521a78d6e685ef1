//! Two engines in situations that went wrong once, or that somebody would bring about.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic: that is how it fails")]

#[path = "support/duo.rs"]
mod duo;

use duo::{Duo, peer};
use kinfolk_engine::effect::RequestId;
use kinfolk_engine::input::{Command, Delivery, Report};
use kinfolk_engine::store::{Alarm, Changes, Device, Key, MessageState, Read, Row, mend};
use kinfolk_engine::{Effect, Input, Rejection, query};
use kinfolk_wire::content::Body;
use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::time::Span;

fn sent_payloads(duo: &Duo, who: usize) -> Vec<(RequestId, Vec<u8>)> {
    let of_who = duo.effects.iter().filter(|(from, _)| *from == who);
    of_who
        .filter_map(|(_, effect)| match effect {
            Effect::Send { request, kind: FrameKind::Payload, body, .. } => Some((*request, body.clone())),
            _ => None,
        })
        .collect()
}

#[test]
fn what_is_said_is_shown_and_known_to_be_delivered() {
    let mut duo = Duo::friends();
    duo.say(0, "hello");
    duo.pass(Span::from_secs(1));
    assert_eq!(duo.lines(0)[0].state, MessageState::Delivered);
    assert_eq!(duo.lines(1)[0].state, MessageState::Received);
}

#[test]
fn an_outcome_that_comes_twice_does_not_hide_what_another_item_owes() {
    let mut duo = Duo::friends();
    duo.effects.clear();
    let next = query_last_request(&duo, 0) + 1;
    duo.lost.push((0, next));
    duo.say(0, "lost");
    duo.say(0, "refused");
    let refused = sent_payloads(&duo, 0)[1].0;
    for _ in 0..2 {
        duo.input(0, Input::Network(Report::Refused(peer(1), refused, NackCode::Later)));
    }
    duo.pass(Span::from_secs(19));
    duo.lost.clear();
    duo.pass(Span::from_secs(60));
    assert!(duo.lines(0).iter().all(|line| line.state == MessageState::Delivered), "{:?}", duo.lines(0));
}

fn query_last_request(duo: &Duo, who: usize) -> u64 {
    match duo.stores[who].get(&Key::Counters).unwrap() {
        Some(kinfolk_engine::store::Row::Counters(counters)) => counters.last_request,
        _ => panic!("no counters"),
    }
}

#[test]
fn lines_that_do_not_open_soon_after_a_new_session_was_asked_for_come_within_seconds() {
    let mut duo = Duo::friends();
    let sessions = |duo: &Duo| -> Vec<_> {
        duo.stores[0].iter().filter(|(key, _)| matches!(key, Key::Session(..))).cloned().collect()
    };
    duo.say(0, "before");
    duo.pass(Span::from_secs(1));
    // The sender's session goes back by three lines, as in a copy of its store, and a new one was asked for lately.
    let older = sessions(&duo);
    for number in 0..3 {
        duo.say(0, &format!("then {number}"));
    }
    duo.pass(Span::from_secs(1));
    assert_ne!(sessions(&duo), older);
    let mut changes = Changes::default();
    older.into_iter().for_each(|(key, row)| changes.put(key, row));
    duo.stores[0].commit(&changes);
    let (key, row) = duo.stores[1].iter().find(|(key, _)| matches!(key, Key::Device(_))).cloned().unwrap();
    let Row::Device(device) = row else { panic!("{row:?}") };
    let mut changes = Changes::default();
    changes.put(key, Row::Device(Device { reinit_asked_at: Some(duo.now), ..device }));
    duo.stores[1].commit(&changes);
    duo.effects.clear();
    for number in 0..3 {
        duo.say(0, &format!("now {number}"));
    }
    duo.pass(Span::from_secs(9));
    assert_eq!(duo.lines(1).len(), 4, "it was asked a moment ago");
    duo.pass(Span::from_secs(3));
    assert_eq!(duo.lines(1).len(), 7);
    assert!(duo.lines(0).iter().all(|line| line.state == MessageState::Delivered), "{:?}", duo.lines(0));
    // All of them came with one new session, and nothing of them is asked for again.
    let asked_at = |duo: &Duo| match duo.stores[1].get(&key).unwrap() {
        Some(Row::Device(device)) => (device.unopened.len(), device.reinit_asked_at, device.reinits_in_a_row),
        other => panic!("{other:?}"),
    };
    let before = asked_at(&duo);
    assert_eq!((before.0, before.2), (0, 1));
    duo.pass(Span::from_hours(1));
    assert_eq!(asked_at(&duo), before);
}

#[test]
fn lines_do_not_run_so_far_ahead_of_those_that_are_to_come_later_that_nobody_can_open_them() {
    let mut duo = Duo::friends();
    // More than a session may be ahead of what it has opened.
    const LINES: usize = 2_300;
    duo.refuses = true;
    for number in 1..LINES {
        duo.say(0, &format!("{number}"));
        duo.pass(Span::ZERO);
    }
    duo.refuses = false;
    duo.effects.clear();
    duo.say(0, "the last");
    duo.pass(Span::from_secs(10));
    let unopened =
        duo.effects.iter().filter(|(_, effect)| matches!(effect, Effect::Refuse(_, NackCode::Undecryptable)));
    assert_eq!(unopened.count(), 0);
    assert_eq!(query::history(&duo.stores[1], duo.conversation(), None, 10_000).unwrap().lines.len(), LINES);
}

#[test]
fn a_device_that_sends_what_nobody_can_open_without_end_is_asked_ever_more_seldom() {
    let mut duo = Duo::friends();
    let mut resets = Vec::new();
    for number in 0..3 * 3_600 / 5 {
        let delivery = Delivery { peer: peer(0), stream: 1, sequence: 90_000 + number };
        let body = format!("nothing that opens, {number}").into_bytes();
        let made = duo.input(1, Input::Network(Report::Received { delivery, kind: FrameKind::Payload, body }));
        assert_eq!(made.rejections, [Rejection::Undecryptable]);
        duo.pass(Span::from_secs(5));
        let mut rows = duo.stores[1].iter().map(|(_, row)| row);
        let asked_at = rows.find_map(|row| if let Row::Device(device) = row { device.reinit_asked_at } else { None });
        if resets.last() != asked_at.as_ref() {
            resets.extend(asked_at);
        }
    }
    let waits: Vec<_> = resets.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    let least = (0..).map(|number| Span::from_secs(10).times(1 << number).min(Span::from_hours(1)));
    assert!(waits.iter().zip(least).all(|(wait, least)| *wait >= least), "{waits:?}");
    assert_eq!(waits.len(), 10, "{waits:?}");
    duo.say(0, "and lines go on");
    duo.pass(Span::from_secs(5));
    assert_eq!(duo.lines(0).last().map(|line| line.state), Some(MessageState::Delivered));
}

#[test]
fn alarms_ring_though_the_clock_was_turned_back_by_days() {
    let mut duo = Duo::friends();
    duo.say(0, "before");
    duo.pass(Span::ZERO);
    assert!(duo.stores[1].iter().any(|(key, _)| matches!(key, Key::Timer(_, Alarm::Receipts(_)))));
    duo.now = duo.now.before(Span::from_days(3));
    duo.input(1, Input::Wake);
    duo.pass(Span::from_secs(1));
    assert_eq!(duo.lines(0)[0].state, MessageState::Delivered);
}

#[test]
fn a01_a_payload_that_comes_again_is_shown_once_and_moves_nothing() {
    let mut duo = Duo::friends();
    duo.effects.clear();
    duo.say(0, "once");
    duo.pass(Span::from_secs(1));
    let body = sent_payloads(&duo, 0)[0].1.clone();
    let delivery = Delivery { peer: peer(0), stream: 1, sequence: 90_000 };
    let made = duo.input(1, Input::Network(Report::Received { delivery, kind: FrameKind::Payload, body }));
    assert_eq!(made.rejections, [Rejection::Replay]);
    assert!(made.changes.iter().all(|(key, _)| !matches!(key, Key::Session(..) | Key::Message(..))));
    assert_eq!(duo.lines(1).len(), 1);
}

#[test]
fn a02_a_payload_that_comes_back_to_its_sender_is_shown_to_nobody() {
    let mut duo = Duo::friends();
    duo.effects.clear();
    duo.say(0, "mine");
    duo.pass(Span::from_secs(1));
    let body = sent_payloads(&duo, 0)[0].1.clone();
    let delivery = Delivery { peer: peer(1), stream: 1, sequence: 90_000 };
    let made = duo.input(0, Input::Network(Report::Received { delivery, kind: FrameKind::Payload, body }));
    assert_eq!(made.rejections, [Rejection::Undecryptable]);
    assert_eq!(duo.lines(0).len(), 1);
}

#[test]
fn nothing_a_stranger_sends_changes_what_is_kept() {
    let mut duo = Duo::friends();
    duo.effects.clear();
    duo.say(0, "to a friend");
    let body = sent_payloads(&duo, 0)[0].1.clone();
    let stranger = PeerId::new([9; PeerId::LENGTH]);
    let kept = |duo: &Duo| -> Vec<_> { duo.stores[1].iter().filter(|(key, _)| !key.is_volatile()).cloned().collect() };
    let before = kept(&duo);
    for (number, kind) in [FrameKind::Payload, FrameKind::Hello, FrameKind::Prekeys, FrameKind::Chain, FrameKind::Knock]
        .into_iter()
        .enumerate()
    {
        let delivery = Delivery { peer: stranger, stream: 7, sequence: u64::try_from(number).unwrap() + 1 };
        let made = duo.input(1, Input::Network(Report::Received { delivery, kind, body: body.clone() }));
        assert!(made.effects.iter().all(|effect| matches!(effect, Effect::Refuse(..))), "{:?}", made.effects);
    }
    assert_eq!(kept(&duo), before);
}

#[test]
fn a_blocked_contact_gets_no_answer_to_a_hello_and_nothing_through() {
    let mut duo = Duo::friends();
    let their = duo.identities[0];
    duo.input(1, Input::Command(Command::Block(their)));
    duo.pass(Span::from_secs(1));
    duo.effects.clear();
    duo.say(0, "hear me");
    duo.pass(Span::from_secs(120));
    assert!(duo.lines(1).is_empty());
    assert!(duo.effects.iter().all(|(who, effect)| *who == 0 || !matches!(effect, Effect::Send { .. })));
    duo.input(1, Input::Command(Command::Unblock(their)));
    duo.pass(Span::from_secs(600));
    assert_eq!(duo.lines(1).len(), 1);
}

#[test]
fn a_conversation_is_not_marked_as_less_read_and_read_is_told_only_where_it_is_allowed() {
    let mut duo = Duo::friends();
    for text in ["one", "two"] {
        duo.say(0, text);
        duo.pass(Span::from_secs(1));
    }
    let (conversation, lines) = (duo.conversation(), duo.lines(1));
    duo.input(1, Input::Command(Command::AllowReadReceipts(conversation, true)));
    duo.input(1, Input::Command(Command::MarkRead(conversation, lines[1].place.id)));
    duo.input(1, Input::Command(Command::MarkRead(conversation, lines[0].place.id)));
    duo.pass(Span::from_secs(1));
    assert_eq!(query::contacts(&duo.stores[1]).unwrap()[0].unread, 0);
    assert!(duo.lines(0).iter().all(|line| line.state == MessageState::Read));
    duo.input(1, Input::Command(Command::AllowReadReceipts(conversation, false)));
    duo.say(0, "three");
    duo.pass(Span::from_secs(1));
    let last = duo.lines(1)[2].place.id;
    duo.input(1, Input::Command(Command::MarkRead(conversation, last)));
    duo.pass(Span::from_secs(1));
    assert_eq!(duo.lines(0)[2].state, MessageState::Delivered);
}

#[test]
fn a_receipt_that_gathers_is_something_that_waits() {
    let mut duo = Duo::friends();
    duo.pass(Span::from_secs(1));
    let waits = |duo: &Duo| query::outbox_len(&duo.stores[1]).unwrap();
    assert_eq!(waits(&duo), 0);
    duo.say(0, "read this");
    while duo.lines(1).is_empty() {
        duo.pass(Span::from_millis(1));
    }
    assert_eq!(waits(&duo), 1);
    duo.pass(Span::from_secs(1));
    assert_eq!(waits(&duo), 0);
}

#[test]
fn a17_a_line_whose_receipt_came_to_a_state_that_was_rolled_back_is_receipted_again() {
    let mut duo = Duo::friends();
    duo.say(0, "receipted once");
    let mut copy = None;
    while copy.is_none() {
        duo.pass(Span::from_millis(1));
        copy = (duo.lines(0)[0].state == MessageState::Sent).then(|| duo.stores[0].clone());
    }
    duo.pass(Span::from_secs(1));
    assert_eq!(duo.lines(0)[0].state, MessageState::Delivered);
    duo.stores[0] = copy.unwrap();
    duo.say(0, "after the copy was put back");
    duo.pass(Span::from_secs(5));
    let states = |duo: &Duo| duo.lines(0).iter().map(|line| line.state).collect::<Vec<_>>();
    assert_eq!(states(&duo), [MessageState::Sent, MessageState::Delivered], "nobody knows that a receipt was lost");
    duo.pass(Span::from_hours(3));
    assert_eq!(states(&duo), [MessageState::Delivered; 2], "but what is long without one is said again");
    assert_eq!(duo.lines(1).len(), 2);
}

#[test]
fn a_line_that_is_never_receipted_is_repeated_ever_more_seldom_and_shown_once() {
    let mut duo = Duo::friends();
    duo.receipts_are_lost = true;
    duo.say(0, "no answer");
    let (mut spoken, mut last) = (0, 0);
    for hour in 0..24 * 61 {
        duo.pass(Span::from_hours(1));
        let now = sent_payloads(&duo, 0).len();
        spoken += now;
        last = if now > 0 { hour } else { last };
        duo.effects.clear();
    }
    assert!((8..=16).contains(&spoken), "{spoken} times");
    assert!((500..1_100).contains(&last), "the last time after {last} hours");
    assert_eq!(duo.lines(1).len(), 1);
    assert!(duo.stores[0].iter().all(|(key, _)| !matches!(key, Key::Unreceipted(..))), "and in the end forgotten");
}

#[test]
fn a_line_whose_receipt_went_with_a_link_is_known_to_be_delivered_on_the_next_one() {
    let mut duo = Duo::friends();
    duo.receipts_are_lost = true;
    duo.say(0, "taken, and not receipted");
    duo.pass(Span::from_secs(1));
    duo.receipts_are_lost = false;
    duo.pass(Span::from_secs(60));
    assert_eq!(duo.lines(0)[0].state, MessageState::Sent);
    for who in [0, 1] {
        duo.input(who, Input::Network(Report::Disconnected(peer(1 - who))));
    }
    for (who, role) in [(1, kinfolk_wire::direct::Role::Listener), (0, kinfolk_wire::direct::Role::Dialer)] {
        let address = kinfolk_wire::invite::Address::new("/ip4/192.0.2.9/udp/4001/quic-v1").unwrap();
        duo.input(who, Input::Network(Report::Connected { peer: peer(1 - who), role, address }));
    }
    duo.pass(Span::from_secs(5));
    assert_eq!(duo.lines(0)[0].state, MessageState::Delivered);
    assert_eq!(duo.lines(1).len(), 1);
}

#[test]
fn a17_a_restored_copy_heals() {
    let mut duo = Duo::friends();
    duo.say(0, "before the copy");
    duo.pass(Span::from_secs(1));
    let mut copy = duo.stores[0].clone();
    copy.forget_volatile();
    for text in ["a", "b", "c", "d", "e"] {
        duo.say(0, text);
        duo.say(1, text);
        duo.pass(Span::from_secs(1));
    }
    duo.stores[0] = copy;
    duo.input(1, Input::Network(Report::Disconnected(peer(0))));
    duo.input(0, Input::Started);
    let report = |who: usize| Report::Connected {
        peer: peer(1 - who),
        role: if who == 0 { kinfolk_wire::direct::Role::Dialer } else { kinfolk_wire::direct::Role::Listener },
        address: kinfolk_wire::invite::Address::new("/ip4/192.0.2.9/udp/4001/quic-v1").unwrap(),
    };
    duo.input(1, Input::Network(report(1)));
    duo.input(0, Input::Network(report(0)));
    duo.say(0, "after the copy");
    duo.pass(Span::from_hours(2));
    let said = |duo: &Duo, who: usize| duo.lines(who).iter().filter(|l| l.place.sender == duo.identities[0]).count();
    assert_eq!(said(&duo, 0), 2);
    assert_eq!(said(&duo, 1), 7);
    assert!(
        duo.lines(0).iter().filter(|l| l.place.sender == duo.identities[0]).all(|l| l.state == MessageState::Delivered)
    );
}

#[test]
fn rows_that_agree_need_no_mending_and_after_sessions_and_lines_are_lost_both_talk_on() {
    let mut duo = Duo::friends();
    duo.say(0, "before");
    duo.say(1, "before, too");
    duo.pass(Span::from_secs(1));
    assert!(mend(&duo.stores[0]).unwrap().is_empty());
    let is_lost = |key: &Key| match key {
        Key::Session(..) | Key::Timer(_, Alarm::Housekeeping) => true,
        Key::Message(_, _, sender, _) => *sender == duo.identities[0],
        _ => false,
    };
    let mut lost = Changes::default();
    duo.stores[0].iter().filter(|(key, _)| is_lost(key)).for_each(|(key, _)| lost.delete(*key));
    assert_eq!(lost.iter().count(), 3);
    duo.stores[0].commit(&lost);
    let mended = mend(&duo.stores[0]).unwrap();
    duo.stores[0].commit(&mended);
    assert!(mend(&duo.stores[0]).unwrap().is_empty());
    duo.say(0, "after");
    duo.say(1, "after, too");
    duo.pass(Span::from_days(1));
    let said = |who: usize| -> Vec<String> {
        let words = |line: &query::Line| match &line.body {
            Body::Text(text) => text.as_str().to_owned(),
            other => panic!("{other:?}"),
        };
        duo.lines(who).iter().map(words).collect()
    };
    assert_eq!(said(0), ["before, too", "after", "after, too"]);
    assert_eq!(said(1), ["before", "before, too", "after", "after, too"]);
}
