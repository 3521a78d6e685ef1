//! Clocks that jump: back by years, ahead by years and back again. Nothing is lost or shown twice, nothing stands still.

use kinfolk_engine::store::{ContactState, Key, MessageState, Opened, PrekeyKind, Row, Table};
use kinfolk_wire::bundle::PrekeyBundle;
use kinfolk_wire::content::Body;
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::invite::Uses;
use kinfolk_wire::time::{Span, Timestamp};

use crate::town::{STRANGER, Town, peer, secret, text};

const YEARS: Span = Span::from_days(3_650);

fn talk(town: &mut Town, words: &str) {
    for (from, to) in [(0, 1), (1, 0)] {
        town.say(from, to, words);
        town.pass(Span::from_secs(5));
        assert_eq!(town.heard(to, from).last().map(String::as_str), Some(words));
        let lines = town.lines(from, to);
        assert_eq!(lines.iter().filter(|line| line.state == MessageState::Queued).count(), 0);
    }
}

#[test]
fn g07_talk_goes_on_whatever_the_clock_does() {
    let mut town = Town::of_friends(2);
    let now = town.now;
    let mut said = 0;
    for then in [
        now.before(Span::from_days(3)),
        now.before(YEARS),
        now.after(YEARS),
        now,
        Timestamp::from_millis(0),
        Timestamp::from_millis(u64::MAX - 1_000_000),
        now.after(Span::from_days(1)),
    ] {
        // Under way while the clock jumps.
        town.say(0, 1, &format!("before {said}"));
        town.set_clock(then);
        town.pass(Span::from_secs(30));
        talk(&mut town, &format!("after {said}"));
        said += 1;
    }
    let lines = town.heard(1, 0);
    assert_eq!(lines.len(), 2 * said, "{lines:?}");
    assert_eq!(lines.iter().collect::<std::collections::BTreeSet<_>>().len(), lines.len());
    assert!(town.lines(0, 1).iter().all(|line| line.state != MessageState::NotDelivered));
}

#[test]
fn g07_strangers_become_contacts_though_a_clock_was_years_ahead_when_the_profile_was_made() {
    for years in [YEARS, Span::from_days(40)] {
        let mut town = Town::of_strangers(3);
        town.set_clock(town.now.before(years));
        town.pass(Span::from_secs(60));
        for (host, guest) in [(0, 1), (1, 2), (2, 0)] {
            let link = town.link(host, Uses::Once);
            town.ask(guest, &link);
            town.pass(Span::from_secs(60));
            assert_eq!(town.contact(guest, host).unwrap().state, ContactState::Accepted);
        }
        talk(&mut town, "in time");
    }
}

#[test]
fn g07_prekeys_are_rotated_and_wiped_again_after_the_clock_was_ahead() {
    let mut town = Town::of_friends(2);
    let right = town.now;
    town.set_clock(right.after(YEARS));
    town.pass(Span::from_hours(2));
    town.set_clock(right.after(Span::from_hours(4)));
    town.pass(Span::from_hours(2));
    let bundle = |town: &Town| PrekeyBundle::decode(&town.profile(0).bundle).unwrap();
    let after = bundle(&town);
    assert!(after.not_before <= town.now, "the bundle is of a time to come");
    let of_then = town.profile(0).bundle_id;
    town.pass(Span::from_days(8));
    assert_ne!(town.profile(0).bundle_id, of_then);
    town.pass(Span::from_days(40));
    let oldest = town.table(0, Table::Prekey).into_iter().filter_map(|(key, _)| match key {
        Key::Prekey(PrekeyKind::Signed, id) => Some(id),
        _ => None,
    });
    assert!(oldest.min().unwrap() > of_then, "what was replaced is wiped");
    assert_eq!(PrekeyBundle::decode(&town.device(1, 0).bundle).unwrap(), bundle(&town), "and contacts have the newest");
}

#[test]
fn g07_a_clock_that_is_ahead_for_less_than_an_hour_destroys_nothing() {
    let mut town = Town::of_friends(2);
    // An older session, an invite, a pair that was handed out, a line that was taken and never receipted.
    town.receive(1, peer(0), FrameKind::Payload, vec![kinfolk_wire::envelope::INIT; 900]);
    town.pass(Span::from_secs(5));
    let link = town.link(0, Uses::Many);
    town.knock(0, STRANGER, &secret(&link));
    town.say(0, 1, "taken");
    while town.table(0, Table::Unreceipted).is_empty() {
        let end = town.now.after(Span::from_secs(5));
        assert!(town.step(end));
    }
    town.sleep(1);
    let perishable = [Table::Invite, Table::Session, Table::Prekey, Table::Unreceipted, Table::Opened];
    let there =
        |town: &Town| perishable.map(|table| town.table(0, table).into_iter().map(|(key, _)| key).collect::<Vec<_>>());
    let before = there(&town);
    assert!(before.iter().all(|rows| !rows.is_empty()));
    let right = town.now;
    for ahead in [Span::from_days(45), YEARS] {
        town.set_clock(right.after(ahead));
        town.pass(Span::from_secs(50 * 60));
        town.set_clock(right.after(Span::from_secs(50 * 60)));
        town.pass(Span::from_secs(60));
        for (before, after) in before.iter().zip(there(&town)) {
            assert!(before.iter().all(|key| after.contains(key)), "{before:?} {after:?}");
        }
    }
    town.wake(1);
    town.pass(Span::from_secs(600));
    assert_eq!(town.heard(1, 0), ["taken"]);
    assert_eq!(town.lines(0, 1)[0].state, MessageState::Delivered);
}

#[test]
fn what_is_kept_for_a_time_is_forgotten_by_a_node_that_runs_ten_minutes_a_day() {
    let mut town = Town::of_strangers(1);
    let link = town.link_for(0, Uses::Many, Span::from_days(10));
    town.knock(0, STRANGER, &secret(&link));
    let of_then = town.profile(0).bundle_id;
    for _ in 0..45 {
        town.sleep(0);
        town.pass(Span::from_days(1));
        town.wake(0);
        town.pass(Span::from_secs(600));
    }
    assert!(town.table(0, Table::Invite).is_empty());
    let left = town.table(0, Table::Prekey).into_iter().filter_map(|(key, _)| match key {
        Key::Prekey(PrekeyKind::OneTime, _) => Some(0),
        Key::Prekey(_, id) => Some(id),
        _ => None,
    });
    assert!(left.min().unwrap() > of_then);
}

#[test]
fn a_session_is_kept_for_thirty_days_after_another_took_its_place() {
    let mut town = Town::of_friends(2);
    town.pass(Span::from_days(40));
    let sessions = |town: &Town| -> Vec<_> { town.device(1, 0).sessions.iter().map(|place| place.session).collect() };
    let [first] = sessions(&town)[..] else { panic!("{:?}", sessions(&town)) };
    town.receive(1, peer(0), FrameKind::Payload, vec![kinfolk_wire::envelope::INIT; 900]);
    town.pass(Span::from_days(29));
    assert!(sessions(&town).len() > 1 && sessions(&town).contains(&first), "it was in use until 29 days ago");
    town.pass(Span::from_days(2));
    assert!(!sessions(&town).contains(&first));
}

#[test]
fn g07_one_time_pairs_of_a_time_to_come_are_not_held_back_for_ever() {
    let mut town = Town::of_strangers(1);
    let right = town.now;
    town.set_clock(right.after(YEARS));
    let link = town.link(0, Uses::Many);
    town.knock(0, STRANGER, &secret(&link));
    let out = |town: &Town| {
        town.table(0, Table::Prekey)
            .iter()
            .filter(|(key, _)| matches!(key, Key::Prekey(PrekeyKind::OneTime, _)))
            .count()
    };
    assert_eq!(out(&town), 1);
    town.set_clock(right);
    town.pass(Span::from_days(32));
    assert_eq!(out(&town), 0);
}

#[test]
fn g07_what_waits_since_the_clock_was_ahead_is_given_up_after_thirty_days() {
    let mut town = Town::of_friends(2);
    let right = town.now;
    town.sleep(1);
    town.set_clock(right.after(YEARS));
    town.say(0, 1, "dated ten years on");
    town.set_clock(right);
    town.pass(Span::from_days(29));
    assert_eq!(town.lines(0, 1)[0].state, MessageState::Queued);
    town.pass(Span::from_days(2));
    assert_eq!(town.lines(0, 1)[0].state, MessageState::NotDelivered);
}

#[test]
fn g07_what_opened_while_the_clock_was_ahead_is_known_again_and_then_forgotten() {
    let mut town = Town::of_friends(2);
    let right = town.now;
    town.set_clock(right.after(Span::from_days(20)));
    town.say(0, 1, "once");
    let (_, payload) = town.sent(0, 1, FrameKind::Payload).pop().unwrap();
    town.pass(Span::from_secs(5));
    town.set_clock(right);
    let made = town.receive(1, peer(0), FrameKind::Payload, payload);
    assert_eq!(made.rejections, [kinfolk_engine::Rejection::Replay]);
    assert_eq!(town.heard(1, 0), ["once"]);
    town.set_clock(right.after(YEARS));
    town.say(0, 1, "twice");
    town.pass(Span::from_secs(5));
    town.set_clock(right.after(Span::from_days(1)));
    town.pass(Span::from_hours(3));
    let days: Vec<u64> = town
        .table(1, Table::Opened)
        .into_iter()
        .filter_map(|(key, row)| match (key, row) {
            (Key::Opened(day, ..), Row::Opened(Opened { .. })) => Some(day),
            _ => None,
        })
        .collect();
    let today = town.now.as_millis() / Span::from_days(1).as_millis();
    assert!(days.iter().all(|day| *day <= today + 31), "{days:?} on day {today}");
}

#[test]
fn d12_lines_that_are_dated_years_off_stand_where_they_were_said() {
    let mut town = Town::of_friends(2);
    let dates = [
        Timestamp::from_millis(0),
        town.now.after(Span::from_days(2)),
        Timestamp::from_millis(4_291_747_200_000),
        Timestamp::from_millis(u64::MAX),
    ];
    let mut said = Vec::new();
    for (number, date) in dates.into_iter().enumerate() {
        said.push(format!("{number} of Anna"));
        let lamport = 2 * number as u64 + 1;
        let mut content = town.content(0, 1, lamport, text(&said[2 * number]));
        content.sent_at = date;
        let payload = town.forge(0, 1, &content);
        assert!(town.receive(1, peer(0), FrameKind::Payload, payload).rejections.is_empty());
        said.push(format!("{number} of Bea"));
        town.say(1, 0, &said[2 * number + 1]);
    }
    let lines = town.lines(1, 0);
    let words: Vec<Body> = lines.iter().map(|line| line.body.clone()).collect();
    assert_eq!(words, said.iter().map(|word| text(word)).collect::<Vec<_>>());
    // What they are dated lets nothing of theirs, nor of hers, end before its time or stay for ever.
    town.sleep(0);
    town.say(1, 0, "while Anna is away");
    town.pass(Span::from_days(29));
    assert_eq!(town.lines(1, 0).last().map(|line| line.state), Some(MessageState::Queued));
    town.pass(Span::from_days(2));
    assert_eq!(town.lines(1, 0).last().map(|line| line.state), Some(MessageState::NotDelivered));
}
