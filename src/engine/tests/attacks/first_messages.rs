//! What a first message was is remembered as long as it could be opened, and no longer.

use kinfolk_engine::store::{Device, Table};
use kinfolk_engine::{Rejection, Turn};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::envelope::INIT;
use kinfolk_wire::invite::Uses;
use kinfolk_wire::time::Span;

use crate::town::{Town, peer, refused};

/// Sessions that Anna began and Bea answered, as Bea lists them.
fn answered(town: &Town) -> Vec<kinfolk_wire::ids::SessionId> {
    let Device { sessions, .. } = town.device(1, 0);
    let mut answered: Vec<_> = sessions.iter().filter(|place| !place.initiated).map(|place| place.session).collect();
    answered.sort();
    answered
}

/// Something of Bea's does not open at Anna's, so that she begins a session anew, and says something on it at once.
fn a_line_in_a_first_message(town: &mut Town) -> Vec<u8> {
    town.receive(0, peer(1), FrameKind::Payload, vec![INIT; 900]);
    town.say(0, 1, "first of all");
    let (_, payload) = town.sent(0, 1, FrameKind::Payload).pop().unwrap();
    assert_eq!(payload[0], INIT);
    town.pass(Span::from_secs(5));
    assert_eq!(town.heard(1, 0), ["first of all"]);
    payload
}

fn repeat(town: &mut Town, payload: &[u8]) -> Turn {
    let (lines, sessions) = (town.settled(1), answered(town));
    let made = town.receive(1, peer(0), FrameKind::Payload, payload.to_vec());
    assert_eq!(town.settled(1), lines, "the repeat was shown");
    // Another session may begin to heal what did not open; none may come of the repeat.
    assert!(answered(town).iter().all(|session| sessions.contains(session)), "the repeat made a session");
    town.pass(Span::from_secs(5));
    made
}

#[test]
fn a01_a_first_message_that_comes_again_is_not_shown_again_before_or_after_its_prekeys_are_wiped() {
    let mut town = Town::of_friends(2);
    let began = town.now;
    // So late that the prekeys are wiped before it is forgotten that the message opened.
    let late = town.clone();
    let payload = a_line_in_a_first_message(&mut town);
    let remembered = town.table(1, Table::AcceptedInit).len();
    assert!(remembered >= 1);
    assert_eq!(repeat(&mut town, &payload).rejections, [Rejection::Replay], "on the same day");

    // The prekeys are replaced after 7 days and wiped in the first hour after 30 more.
    let wiped = began.after(Span::from_days(37)).after(Span::from_hours(1));
    town.pass(wiped.since(town.now.after(Span::from_secs(60))));
    assert_eq!(town.table(1, Table::AcceptedInit).len(), remembered, "it is still known");
    assert_eq!(repeat(&mut town, &payload).rejections, [Rejection::Undecryptable], "just before they are wiped");
    town.pass(Span::from_hours(2));
    assert!(town.table(1, Table::AcceptedInit).len() < remembered, "and then it is not");
    assert_eq!(repeat(&mut town, &payload).rejections, [Rejection::Undecryptable], "just after they are wiped");
    town.say(0, 1, "and on");
    town.pass(Span::from_secs(5));
    assert_eq!(town.heard(1, 0), ["first of all", "and on"]);

    let mut town = late;
    town.pass(Span::from_days(20));
    let payload = a_line_in_a_first_message(&mut town);
    town.pass(wiped.since(town.now.after(Span::from_secs(60))));
    assert_eq!(repeat(&mut town, &payload).rejections, [Rejection::Replay]);
    town.pass(Span::from_hours(2));
    assert_eq!(repeat(&mut town, &payload).rejections, [Rejection::Replay]);
}

#[test]
fn a01_what_first_messages_were_is_forgotten_with_the_prekeys_that_opened_them() {
    let mut town = Town::of_friends(2);
    let mut most = 0;
    for _ in 0..12 {
        a_line_of_a_week(&mut town);
        most = most.max(town.table(1, Table::AcceptedInit).len());
        town.pass(Span::from_days(7));
    }
    assert!((4..=8).contains(&most), "{most} at once of the twelve and their answers");
    town.pass(Span::from_days(45));
    assert!(town.table(1, Table::AcceptedInit).is_empty());
}

fn a_line_of_a_week(town: &mut Town) {
    town.receive(0, peer(1), FrameKind::Payload, vec![INIT; 900]);
    town.say(0, 1, "first of the week");
    town.pass(Span::from_secs(5));
}

#[test]
fn a01_a_chain_that_comes_again_makes_nobody_a_contact_twice_before_or_after_its_prekeys_are_wiped() {
    let mut town = Town::of_strangers(2);
    let link = town.link(0, Uses::Many);
    let began = town.now;
    town.ask(1, &link);
    town.pass(Span::from_secs(60));
    let (_, chain) = town.sent(1, 0, FrameKind::Chain).pop().unwrap();
    let knock = |town: &mut Town| {
        let (_, knock) = town.sent(1, 0, FrameKind::Knock).pop().unwrap();
        assert_eq!(refused(&town.receive(0, peer(1), FrameKind::Knock, knock)), None);
    };
    let repeat = |town: &mut Town| {
        let (people, sessions) = (town.settled(0), town.device(0, 1).sessions);
        knock(town);
        let made = town.receive(0, peer(1), FrameKind::Chain, chain.clone());
        assert_eq!((town.settled(0), town.device(0, 1).sessions), (people, sessions));
        made
    };
    assert_eq!(refused(&repeat(&mut town)), None, "on the same day the answer is repeated");
    let wiped = began.after(Span::from_days(37)).after(Span::from_hours(1));
    town.pass(wiped.since(town.now.after(Span::from_secs(60))));
    assert!(refused(&repeat(&mut town)).is_some());
    town.pass(Span::from_hours(2));
    assert!(refused(&repeat(&mut town)).is_some());
    town.say(0, 1, "still here");
    town.pass(Span::from_secs(5));
    assert_eq!(town.heard(1, 0), ["still here"]);
}
