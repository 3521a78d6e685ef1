//! One of two is not there for long: prekeys change meanwhile, and what was said waits.

use kinfolk_engine::input::Command;
use kinfolk_engine::store::{AcceptedInit, Key, MessageState, PrekeyKind, Table};
use kinfolk_engine::{Input, query};
use kinfolk_wire::bundle::PrekeyBundle;
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::envelope::{INIT, InitMessage};
use kinfolk_wire::time::Span;

use crate::town::{Town, peer};

#[test]
fn whoever_slept_while_prekeys_were_rotated_begins_the_next_session_with_the_new_ones() {
    let mut town = Town::of_friends(2);
    let old = town.profile(0).bundle_id;
    town.sleep(1);
    town.pass(Span::from_days(8));
    let new = town.profile(0).bundle_id;
    assert_ne!(new, old);
    assert_eq!(PrekeyBundle::decode(&town.device(1, 0).bundle).unwrap().signed_prekey_id.0, old);
    town.wake(1);
    town.pass(Span::from_secs(600));
    assert_eq!(PrekeyBundle::decode(&town.device(1, 0).bundle).unwrap().signed_prekey_id.0, new);
    assert_eq!(town.device(0, 1).knows_prekey, new);
    town.effects.clear();
    // Something does not open at Bea's: she begins anew.
    town.receive(1, peer(0), FrameKind::Payload, vec![INIT; 900]);
    let (_, begun) = town.sent(1, 0, FrameKind::Payload).pop().unwrap();
    assert_eq!(InitMessage::decode(&begun).unwrap().signed_prekey.0, new);
    town.pass(Span::from_secs(5));
    for (from, to) in [(0, 1), (1, 0)] {
        town.say(from, to, "anew");
        town.pass(Span::from_secs(5));
        assert_eq!(town.heard(to, from), ["anew"]);
    }
}

#[test]
fn a_session_begun_with_prekeys_that_were_replaced_since_opens_while_they_are_kept() {
    let mut town = Town::of_friends(2);
    let old = town.profile(0).bundle_id;
    town.receive(1, peer(0), FrameKind::Payload, vec![INIT; 900]);
    town.say(1, 0, "begun long ago");
    town.sleep(1);
    town.pass(Span::from_days(29));
    assert_ne!(town.profile(0).bundle_id, old);
    town.wake(1);
    town.pass(Span::from_secs(600));
    assert_eq!(town.heard(0, 1), ["begun long ago"]);
    let accepted = town.table(0, Table::AcceptedInit).into_iter().filter_map(|(key, _)| town.row(0, &key));
    assert!(accepted.into_iter().any(|AcceptedInit { signed_prekey, .. }| signed_prekey == old));
    assert!(town.row::<kinfolk_engine::store::Prekey>(0, &Key::Prekey(PrekeyKind::Signed, old)).is_some());
}

#[test]
fn what_was_said_on_both_sides_before_and_in_thirty_days_of_absence_arrives_once_and_in_order() {
    let mut town = Town::of_friends(2);
    let (mut of_anna, mut of_bea) = (Vec::new(), Vec::new());
    for number in 0..3 {
        town.say(1, 0, &format!("bea {number}"));
        of_bea.push(format!("bea {number}"));
    }
    // The stream breaks before anything of it has arrived.
    town.sleep(1);
    for day in 0..30 {
        town.say(0, 1, &format!("anna {day}"));
        of_anna.push(format!("anna {day}"));
        town.pass(if day == 29 { Span::from_hours(23) } else { Span::from_days(1) });
    }
    town.wake(1);
    assert!(town.lines(0, 1).iter().all(|line| line.state == MessageState::Queued));
    town.pass(Span::from_secs(600));
    assert_eq!((town.heard(0, 1), town.heard(1, 0)), (of_bea.clone(), of_anna.clone()));
    let order = |who: usize, other: usize| -> Vec<_> { town.lines(who, other).iter().map(|line| line.place).collect() };
    assert_eq!(order(0, 1), order(1, 0), "the same order on both sides");
    let own = [0, 1].map(|who| town.people[who].identity);
    for (who, other) in [(0, 1), (1, 0)] {
        let mine = town.lines(who, other).into_iter().filter(|line| line.place.sender == own[who]);
        assert!(mine.into_iter().all(|line| line.state == MessageState::Delivered));
    }
}

#[test]
fn what_waited_longer_than_thirty_days_is_said_to_be_undelivered_and_the_rest_arrives() {
    let mut town = Town::of_friends(2);
    town.sleep(1);
    town.say(0, 1, "too long ago");
    town.pass(Span::from_days(10));
    town.say(0, 1, "not so long ago");
    town.pass(Span::from_days(25));
    town.wake(1);
    town.pass(Span::from_secs(600));
    assert_eq!(town.heard(1, 0), ["not so long ago"]);
    let states: Vec<_> = town.lines(0, 1).iter().map(|line| line.state).collect();
    assert_eq!(states, [MessageState::NotDelivered, MessageState::Delivered]);
    town.say(1, 0, "back again");
    town.pass(Span::from_secs(5));
    assert_eq!(town.heard(0, 1), ["back again"]);
}

#[test]
fn whoever_comes_back_after_more_than_thirty_days_has_an_hour_to_deliver_what_waits() {
    let mut town = Town::of_friends(2);
    town.disconnect(0, 1);
    town.say(0, 1, "before the holidays");
    town.sleep(0);
    town.pass(Span::from_days(40));
    town.wake(0);
    town.pass(Span::from_secs(600));
    assert_eq!(town.heard(1, 0), ["before the holidays"]);
    assert_eq!(town.lines(0, 1)[0].state, MessageState::Delivered);
    town.sleep(1);
    town.say(0, 1, "to nobody");
    town.sleep(0);
    town.pass(Span::from_days(40));
    town.wake(0);
    town.pass(Span::from_hours(2));
    assert_eq!(town.lines(0, 1)[1].state, MessageState::NotDelivered);
}

#[test]
fn after_an_absence_of_a_hundred_days_both_talk_on() {
    let mut town = Town::of_friends(2);
    town.sleep(1);
    town.pass(Span::from_days(100));
    town.wake(1);
    town.pass(Span::from_secs(600));
    for (from, to) in [(0, 1), (1, 0)] {
        town.say(from, to, "after a hundred days");
        town.pass(Span::from_secs(5));
        assert_eq!(town.heard(to, from), ["after a hundred days"]);
    }
}

#[test]
fn however_much_waits_it_is_counted_and_given_up_whole() {
    let mut town = Town::of_friends(3);
    town.sleep(1);
    for number in 0..150 {
        town.say(0, 1, &format!("{number}"));
    }
    let waiting = |town: &Town| query::outbox_len(&town.people[0].store).unwrap();
    assert_eq!(waiting(&town), 150);
    let mut removed = town.clone();
    removed.input(0, Input::Command(Command::RemoveContact(town.people[1].identity)));
    assert!(removed.table(0, Table::Outbox).is_empty());
    town.pass(Span::from_days(31));
    assert_eq!(waiting(&town), 0);
    assert!(town.lines(0, 1).iter().all(|line| line.state == MessageState::NotDelivered));
    assert_eq!(town.lines(0, 1).len(), 150);
}
