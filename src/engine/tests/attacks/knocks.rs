//! Too many knocks: put off, and in nobody else's way.

use kinfolk_crypto::InviteSecret;
use kinfolk_engine::store::{ContactState, Table};
use kinfolk_engine::{Effect, Turn};
use kinfolk_wire::direct::NackCode;
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Uses;
use kinfolk_wire::time::Span;

use crate::town::{Town, refused, secret};

fn stranger(number: u8) -> PeerId {
    PeerId::new([100 + number; PeerId::LENGTH])
}

fn knock(town: &mut Town, number: u8, with: &InviteSecret) -> Turn {
    town.knock(0, stranger(number), with)
}

#[test]
fn one_peer_is_heard_three_times_a_minute() {
    let mut town = Town::of_strangers(1);
    let link = town.link(0, Uses::Many);
    for with in [secret(&link), InviteSecret::new([1; 16])] {
        let first = town.now;
        let codes: Vec<_> = (0..5).map(|_| refused(&knock(&mut town, 1, &with))).collect();
        let heard = codes[0];
        assert_ne!(heard, Some(NackCode::Later));
        assert_eq!(codes, [heard, heard, heard, Some(NackCode::Later), Some(NackCode::Later)]);
        town.pass(Span::from_secs(59));
        assert_eq!(refused(&knock(&mut town, 1, &with)), Some(NackCode::Later));
        town.now = first.after(Span::from_secs(60));
        assert_eq!(refused(&knock(&mut town, 1, &with)), heard, "after a minute it is heard again");
        town.pass(Span::from_secs(60));
    }
}

#[test]
fn all_strangers_without_a_good_invite_are_heard_ten_times_a_minute_and_what_is_put_off_changes_nothing() {
    let mut town = Town::of_strangers(1);
    let guess = InviteSecret::new([1; 16]);
    let before = town.kept(0);
    let codes: Vec<_> = (0..20).map(|number| refused(&knock(&mut town, number, &guess)).unwrap()).collect();
    assert_eq!(codes[..10], [NackCode::Refused; 10]);
    assert_eq!(codes[10..], [NackCode::Later; 10]);
    let made = knock(&mut town, 30, &guess);
    assert!(matches!(made.effects.as_slice(), [Effect::Refuse(..)]));
    assert_eq!(town.kept(0), before);
    assert_eq!(town.table(0, Table::Prekey).len(), 2, "no one-time pair was made for any of them");
    town.pass(Span::from_secs(60));
    assert_eq!(refused(&knock(&mut town, 31, &guess)), Some(NackCode::Refused));
}

#[test]
fn ten_a_minute_come_by_one_invite_and_the_eleventh_comes_later() {
    let mut town = Town::of_strangers(2);
    let link = town.link(0, Uses::Many);
    for number in 0..10 {
        assert_eq!(refused(&knock(&mut town, number, &secret(&link))), None);
    }
    assert_eq!(refused(&knock(&mut town, 11, &secret(&link))), Some(NackCode::Later));
    town.ask(1, &link);
    town.pass(Span::from_secs(5));
    assert_eq!(town.contact(1, 0).unwrap().state, ContactState::Requested, "Bea waits like everybody");
    town.pass(Span::from_secs(300));
    assert_eq!(town.contact(1, 0).unwrap().state, ContactState::Accepted);
}

#[test]
fn a_flood_of_bad_knocks_keeps_no_good_one_waiting() {
    let mut town = Town::of_strangers(2);
    let (link, other) = (town.link(0, Uses::Once), town.link(0, Uses::Many));
    let guess = InviteSecret::new([1; 16]);
    let flood = |town: &mut Town| {
        for number in 0..40 {
            knock(town, number, &guess);
            // Somebody who holds another link floods with that.
            knock(town, 50 + number, &secret(&other));
        }
    };
    flood(&mut town);
    town.ask(1, &link);
    for _ in 0..10 {
        flood(&mut town);
        town.pass(Span::from_millis(500));
    }
    assert_eq!(town.contact(0, 1).unwrap().state, ContactState::Accepted);
    assert_eq!(town.contact(1, 0).unwrap().state, ContactState::Accepted);
    assert!(town.table(0, Table::Prekey).len() <= 2 + 64);
}
