//! Who is at the other end of a stream: a hello of one connection, direction or person serves for no other.

use kinfolk_crypto::{DeviceKeys, sign_hello};
use kinfolk_engine::input::{Command, Report};
use kinfolk_engine::store::{Key, Table};
use kinfolk_engine::{Effect, Input, Rejection, Turn};
use kinfolk_wire::direct::{FrameKind, Hello, NackCode, Role};
use kinfolk_wire::ids::{IdentityId, PeerId};
use kinfolk_wire::time::Span;

use crate::town::{STRANGER, Town, address, peer};

fn is_turned_away(made: &Turn) -> bool {
    made.rejections == [Rejection::Hello]
        && matches!(made.effects.as_slice(), [Effect::Refuse(_, NackCode::Refused)])
        && made.changes.is_empty()
}

/// A new stream with a peer, on which nothing has been said.
fn stream(town: &mut Town, who: usize, with: PeerId, role: Role) {
    town.input(who, Input::Network(Report::Disconnected(with)));
    town.input(who, Input::Network(Report::Connected { peer: with, role, address: address(40) }));
}

fn hello(town: &Town, who: usize, identity: IdentityId, dialer: &PeerId, listener: &PeerId, role: Role) -> Vec<u8> {
    let profile = town.profile(who);
    let keys = DeviceKeys::from_bytes(profile.device_keys.as_slice()).unwrap();
    sign_hello(&keys, identity, profile.head, dialer, listener, role).encode()
}

#[test]
fn b07_a_hello_to_one_contact_is_worth_nothing_when_that_contact_repeats_it_to_another() {
    let mut town = Town::of_friends(3);
    let bea = town.profile(1).device;
    let to_cora = hello(&town, 1, town.people[1].identity, &peer(1), &peer(2), Role::Dialer);
    stream(&mut town, 0, peer(2), Role::Listener);
    let made = town.receive(0, peer(2), FrameKind::Hello, to_cora);
    assert!(is_turned_away(&made), "{made:?}");
    assert_eq!(town.row::<PeerId>(0, &Key::LinkOf(bea)), Some(peer(1)));
    assert_eq!(town.row(0, &Key::Peer(peer(2))), Some(town.profile(2).device));
}

#[test]
fn b07_a_hello_serves_for_one_direction_and_one_end() {
    let mut town = Town::of_friends(2);
    let bea = town.people[1].identity;
    for (ours, dialer, listener, role, good) in [
        (Role::Listener, peer(1), peer(0), Role::Dialer, true),
        (Role::Listener, peer(1), peer(0), Role::Listener, false),
        (Role::Listener, peer(0), peer(1), Role::Dialer, false),
        (Role::Dialer, peer(0), peer(1), Role::Listener, true),
        (Role::Dialer, peer(0), peer(1), Role::Dialer, false),
        (Role::Dialer, peer(1), peer(0), Role::Listener, false),
    ] {
        let mut town = town.clone();
        stream(&mut town, 0, peer(1), ours);
        let said = hello(&town, 1, bea, &dialer, &listener, role);
        let made = town.receive(0, peer(1), FrameKind::Hello, said);
        assert_eq!(is_turned_away(&made), !good, "{ours:?}: {role:?} of {dialer} to {listener}");
        assert_eq!(made.rejections.is_empty(), good);
    }
    town.pass(Span::from_secs(1));
}

#[test]
fn b07_no_altered_hello_is_taken() {
    let mut town = Town::of_friends(2);
    let good = hello(&town, 1, town.people[1].identity, &peer(1), &peer(0), Role::Dialer);
    stream(&mut town, 0, peer(1), Role::Listener);
    for at in 0..good.len() {
        for bit in [0, 7] {
            let mut altered = good.clone();
            altered[at] ^= 1 << bit;
            let made = town.receive(0, peer(1), FrameKind::Hello, altered);
            // The head of a sigchain stands under the signature like everything else.
            assert!(is_turned_away(&made), "bit {bit} of byte {at}");
        }
    }
    for short in [&good[..good.len() - 1], &[good.as_slice(), &[0]].concat()] {
        assert!(is_turned_away(&town.receive(0, peer(1), FrameKind::Hello, short.to_vec())));
    }
    assert!(town.receive(0, peer(1), FrameKind::Hello, good).rejections.is_empty(), "unaltered it is");
}

#[test]
fn b07_nobody_says_hello_as_somebody_else_or_without_being_known() {
    let mut town = Town::of_friends(2);
    let [anna, bea] = [0, 1].map(|who| town.people[who].identity);
    // Whoever has a node of their own and keys of their own, and says to be Bea, or Anna herself.
    let mut elsewhere = Town::of_strangers(3);
    stream(&mut town, 0, STRANGER, Role::Listener);
    for claimed in [bea, anna, elsewhere.people[2].identity] {
        let said = hello(&elsewhere, 2, claimed, &STRANGER, &peer(0), Role::Dialer);
        assert!(is_turned_away(&town.receive(0, STRANGER, FrameKind::Hello, said.clone())));
        // Nor with Bea's device named beside it.
        let mut named = Hello::decode(&said).unwrap();
        named.device = town.profile(1).device;
        assert!(is_turned_away(&town.receive(0, STRANGER, FrameKind::Hello, named.encode())));
    }
    elsewhere.pass(Span::ZERO);
    assert!(town.table(0, Table::LinkOf).iter().all(|(key, _)| *key == Key::LinkOf(town.profile(1).device)));
}

#[test]
fn b07_who_was_blocked_or_removed_is_turned_away_and_the_others_are_not() {
    for command in [Command::Block, Command::RemoveContact] {
        let mut town = Town::of_friends(3);
        let (bea, cora) = (town.people[1].identity, town.people[2].identity);
        town.input(0, Input::Command(command(bea)));
        town.pass(Span::from_secs(1));
        for (who, identity, turned_away) in [(1, bea, true), (2, cora, false)] {
            let said = hello(&town, who, identity, &peer(who), &peer(0), Role::Dialer);
            stream(&mut town, 0, peer(who), Role::Listener);
            let made = town.receive(0, peer(who), FrameKind::Hello, said);
            assert_eq!(is_turned_away(&made), turned_away, "{who}: {made:?}");
        }
    }
}

#[test]
fn b07_what_comes_before_the_hello_is_put_off_and_shown_after_it() {
    let mut town = Town::of_friends(2);
    town.say(1, 0, "early");
    let (_, body) = town.sent(1, 0, FrameKind::Payload).pop().unwrap();
    stream(&mut town, 0, peer(1), Role::Listener);
    let made = town.receive(0, peer(1), FrameKind::Payload, body.clone());
    assert_eq!(made.rejections, [Rejection::Stranger]);
    assert!(made.changes.is_empty() && matches!(made.effects.as_slice(), [Effect::Refuse(_, NackCode::Later)]));
    let said = hello(&town, 1, town.people[1].identity, &peer(1), &peer(0), Role::Dialer);
    town.receive(0, peer(1), FrameKind::Hello, said);
    town.receive(0, peer(1), FrameKind::Payload, body);
    assert_eq!(town.heard(0, 1), ["early"]);
}
