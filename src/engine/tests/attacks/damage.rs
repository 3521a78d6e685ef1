//! Rows that cannot be read: what needs them waits, everything else goes on.

use kinfolk_engine::input::Command;
use kinfolk_engine::store::{ContactState, Key, MessageState, Table};
use kinfolk_engine::{Input, Rejection};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::time::Span;

use crate::town::{Town, peer, text};

/// Anna cannot read what she knows of Bea's device.
fn torn() -> Town {
    let mut town = Town::of_friends(3);
    town.disconnect(0, 1);
    town.disconnect(0, 2);
    town.pass(Span::ZERO);
    let bea = Key::Device(town.profile(1).device);
    town.people[0].damaged.insert(bea);
    town.torn = true;
    town
}

#[test]
fn g03_a_damaged_row_stops_no_alarm_but_its_own() {
    let mut town = torn();
    let prekeys = town.profile(0).bundle_id;
    town.say(2, 0, "is anybody there?");
    town.say(0, 2, "I am");
    town.pass(Span::from_secs(600));
    assert_eq!((town.heard(0, 2), town.heard(2, 0)), (vec!["is anybody there?".into()], vec!["I am".into()]));
    let cora = town.people[2].identity;
    let said = town.lines(2, 0).into_iter().find(|line| line.place.sender == cora).unwrap();
    assert_eq!(said.state, MessageState::Delivered, "with receipts");
    town.pass(Span::from_days(8));
    assert_ne!(town.profile(0).bundle_id, prekeys, "housekeeping is done");
    // When the row can be read again, so is what it was needed for.
    town.people[0].damaged.clear();
    town.say(1, 0, "and I?");
    town.pass(Span::from_secs(900));
    assert_eq!(town.heard(0, 1), ["and I?"]);
}

#[test]
fn g03_a_node_starts_and_dials_its_contacts_though_a_row_of_one_is_damaged() {
    let mut town = torn();
    town.sleep(0);
    town.say(2, 0, "good morning");
    town.wake(0);
    town.pass(Span::from_secs(60));
    assert_eq!(town.heard(0, 2), ["good morning"]);
}

#[test]
fn g02_a_disk_that_fails_for_a_moment_is_not_taken_for_damage() {
    let mut town = Town::of_friends(3);
    let bea = Key::Device(town.profile(1).device);
    town.people[0].withheld.insert(bea);
    let before = town.kept(0);
    town.now = town.now.after(Span::from_hours(2));
    for input in [Input::Started, Input::Wake] {
        assert_eq!(town.try_input(0, input).unwrap_err().code(), "store_failed");
    }
    assert_eq!(town.kept(0), before, "what is due is still due");
    town.people[0].withheld.clear();
    town.input(0, Input::Wake);
}

#[test]
fn g03_what_waits_for_its_time_is_counted_where_it_cannot_be_done() {
    let mut town = torn();
    town.now = town.now.after(Span::from_secs(600));
    let made = town.input(0, Input::Wake);
    assert!(made.rejections.contains(&Rejection::Damaged), "{:?}", made.rejections);
}

#[test]
fn g03_whose_device_cannot_be_read_can_be_blocked_and_removed() {
    for command in [Command::Block, Command::RemoveContact] {
        let mut town = torn();
        let bea = town.people[1].identity;
        town.input(0, Input::Command(command(bea)));
        town.pass(Span::from_secs(60));
        let left = town.contact(0, 1);
        assert!(left.is_none_or(|contact| contact.blocked && contact.state == ContactState::Accepted));
    }
}

#[test]
fn g03_a_line_is_not_refused_for_good_because_a_skipped_key_cannot_be_read_now() {
    let mut town = Town::of_friends(2);
    let late = town.say(0, 1, "late");
    let (request, held_back) = town.sent(0, 1, FrameKind::Payload).pop().unwrap();
    town.lost.push((0, request.0));
    town.reports.retain(|(to, _)| *to != 1);
    town.say(0, 1, "early");
    town.pass(Span::from_millis(1));
    let keys: Vec<Key> = town.table(1, Table::SkippedKey).into_iter().map(|(key, _)| key).collect();
    assert!(!keys.is_empty());
    town.people[1].damaged.extend(keys.iter().copied());
    let anna = peer(0);
    let refusal = town.try_receive(1, anna, FrameKind::Payload, held_back.clone()).unwrap_err();
    assert_eq!(refusal.code(), "store_damaged", "and not that it does not open");
    town.people[1].damaged.clear();
    town.receive(1, anna, FrameKind::Payload, held_back);
    let there = town.lines(1, 0).into_iter().find(|line| line.place.id == late).unwrap();
    assert_eq!(there.body, text("late"));
}
