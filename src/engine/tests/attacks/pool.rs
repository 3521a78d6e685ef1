//! One-time prekeys: each serves once, one peer cannot have them all for ever, and without them it still works.

use kinfolk_engine::Effect;
use kinfolk_engine::input::Report;
use kinfolk_engine::store::{ContactState, Key, PrekeyKind, Table};
use kinfolk_wire::direct::{FrameKind, Prekeys};
use kinfolk_wire::invite::{InviteLink, Uses};
use kinfolk_wire::time::Span;

use crate::town::{STRANGER, Town, refused, secret};

fn out(town: &Town, wanted: PrekeyKind) -> usize {
    town.table(0, Table::Prekey)
        .iter()
        .filter(|(key, _)| matches!(key, Key::Prekey(kind, _) if *kind == wanted))
        .count()
}

/// The stranger knocks at Anna's with a good link; what she hands out.
fn knock(town: &mut Town, link: &InviteLink) -> Option<Prekeys> {
    let made = town.knock(0, STRANGER, &secret(link));
    assert_eq!(refused(&made), None);
    made.effects.iter().find_map(|effect| match effect {
        Effect::Send { kind: FrameKind::Prekeys, body, .. } => Prekeys::decode(body).ok(),
        _ => None,
    })
}

#[test]
fn a12_a_one_time_pair_that_was_handed_out_twice_serves_the_first_alone() {
    let mut town = Town::of_strangers(3);
    let link = town.link(0, Uses::Many);
    let end = town.now.after(Span::from_secs(5));
    let prekeys_to = |town: &Town, who: usize| {
        town.reports
            .iter()
            .position(|(to, report)| *to == who && matches!(report, Report::Received { kind: FrameKind::Prekeys, .. }))
    };
    town.ask(1, &link);
    town.ask(2, &link);
    let (to_bea, to_cora) = loop {
        if let (Some(bea), Some(cora)) = (prekeys_to(&town, 1), prekeys_to(&town, 2)) {
            break (bea, cora);
        }
        assert!(town.step(end));
    };
    // A network that hands one pair to two.
    let Report::Received { body: pair, .. } = town.reports[to_bea].1.clone() else { panic!("no frame") };
    let Report::Received { body, .. } = &mut town.reports[to_cora].1 else { panic!("no frame") };
    assert_ne!(*body, pair, "each is handed one of their own");
    *body = pair;
    town.pass(Span::from_secs(5));
    assert_eq!(town.contact(0, 1).unwrap().state, ContactState::Accepted);
    assert!(town.contact(0, 2).is_none(), "the second first message opened");
    assert_eq!(town.contact(2, 0).unwrap().state, ContactState::Declined);

    town.ask(2, &link);
    town.pass(Span::from_secs(60));
    for guest in [1, 2] {
        town.say(0, guest, "welcome");
        town.pass(Span::from_secs(1));
        assert_eq!(town.heard(guest, 0), ["welcome"]);
    }
}

#[test]
fn a12_who_takes_every_one_time_pair_keeps_nobody_out() {
    let mut town = Town::of_strangers(2);
    let link = town.link(0, Uses::Many);
    let mut handed = 0;
    for _ in 0..100 {
        handed += usize::from(knock(&mut town, &link).unwrap().one_time.is_some());
        assert!(out(&town, PrekeyKind::OneTime) <= 64);
        town.pass(Span::from_secs(20));
    }
    assert_eq!(handed, 64, "no more than that are out at once");
    town.ask(1, &link);
    town.pass(Span::from_secs(60));
    assert_eq!(out(&town, PrekeyKind::OneTime), 64, "Bea was given none");
    for (from, to) in [(0, 1), (1, 0)] {
        town.say(from, to, "by the last-resort key");
        town.pass(Span::from_secs(1));
        assert_eq!(town.heard(to, from), ["by the last-resort key"]);
    }
    town.pass(Span::from_days(31));
    assert!(knock(&mut town, &link).unwrap().one_time.is_some(), "after a month they are handed out again");
}

#[test]
fn a12_the_last_resort_key_is_another_every_week_and_the_old_ones_go() {
    let mut town = Town::of_strangers(1);
    let link = town.link(0, Uses::Many);
    let mut keys = Vec::new();
    for week in 0..9 {
        let key = knock(&mut town, &link).unwrap().bundle.last_resort_key;
        assert!(!keys.contains(&key), "week {week} has a key of an earlier one");
        keys.push(key);
        for kind in [PrekeyKind::Signed, PrekeyKind::LastResort] {
            // The one that is given out, and those of the last thirty days.
            assert!((1..=6).contains(&out(&town, kind)), "{} {kind:?} keys in week {week}", out(&town, kind));
        }
        town.pass(Span::from_days(7));
        town.pass(Span::from_hours(2));
    }
}
