//! The lab itself: its routers do what their names say, its lines lose and delay what they are told to. A test that
//! stands on a lab that lies proves nothing.

use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use crate::world::{Nat, Site, World};

/// How long a packet of the lab may be on its way; what has not come then was dropped.
const PATIENCE: Duration = Duration::from_millis(400);

fn socket(site: &Site, port: u16) -> UdpSocket {
    let socket = site.space.socket(SocketAddrV4::new(site.address, port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Says a word to an address; says from where it came, if it came.
fn word(from: &UdpSocket, to: impl Into<SocketAddr>, at: &UdpSocket) -> Option<SocketAddr> {
    from.send_to(b"word", to.into()).unwrap();
    match at.recv_from(&mut [0; 16]) {
        Ok((_, seen)) => Some(seen),
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
            None
        }
    }
}

fn at(site: &Site, port: u16) -> SocketAddr {
    SocketAddrV4::new(site.outside, port).into()
}

/// What is seen of a home by two hosts, and whether a third may write to where the first sees it.
fn seen(world: &mut World, nat: Nat) -> (SocketAddr, SocketAddr, bool, bool) {
    let (one, other, home) = (world.public(), world.public(), world.home(nat));
    let (first, second, stranger) = (socket(&one, 4_001), socket(&other, 4_001), socket(&other, 4_002));
    let inside = socket(&home, 4_001);
    let seen_by_first = word(&inside, at(&one, 4_001), &first).unwrap();
    let seen_by_second = word(&inside, at(&other, 4_001), &second).unwrap();
    assert_eq!(seen_by_first.ip(), home.outside);
    let answer = word(&first, seen_by_first, &inside).is_some();
    let unasked = word(&stranger, seen_by_first, &inside).is_some();
    (seen_by_first, seen_by_second, answer, unasked)
}

#[test]
fn routers_do_what_their_names_say() {
    let Some(mut world) = World::new("routers_do_what_their_names_say") else { return };
    for (nat, same_port, lets_strangers_in) in [
        (Nat::FullCone, true, true),
        (Nat::PortRestricted, true, false),
        (Nat::Symmetric, false, false),
        (Nat::CarrierGrade, true, false),
    ] {
        let (first, second, answer, unasked) = seen(&mut world, nat);
        assert!(answer, "{nat:?}");
        assert_eq!((first == second, unasked), (same_port, lets_strangers_in), "{nat:?}: {first} {second}");
    }
}

#[test]
fn two_port_restricted_routers_let_both_in_who_write_to_each_other() {
    let Some(mut world) = World::new("two_port_restricted_routers_let_both_in_who_write_to_each_other") else { return };
    for (nat, works) in [(Nat::PortRestricted, true), (Nat::CarrierGrade, true), (Nat::Symmetric, false)] {
        let (public, one, other) = (world.public(), world.home(nat), world.home(nat));
        let (witness, here, there) = (socket(&public, 4_001), socket(&one, 4_001), socket(&other, 4_001));
        let seen_here = word(&here, at(&public, 4_001), &witness).unwrap();
        let seen_there = word(&there, at(&public, 4_001), &witness).unwrap();
        // The first word dies at the other's router, and opens the own one.
        assert_eq!(word(&here, seen_there, &there), None, "{nat:?}");
        assert_eq!(word(&there, seen_here, &here).is_some(), works, "{nat:?}");
        assert_eq!(word(&here, seen_there, &there).is_some(), works, "{nat:?}");
    }
}

#[test]
fn far_lines_take_their_time_and_parted_sites_hear_nothing() {
    const DELAY: Duration = Duration::from_millis(100);
    let Some(mut world) = World::new("far_lines_take_their_time_and_parted_sites_hear_nothing") else { return };
    let one = world.public();
    world.slow_down(DELAY);
    let other = world.public();
    let (here, there) = (socket(&one, 4_001), socket(&other, 4_001));
    for (from, to, site) in [(&here, &there, &other), (&there, &here, &one)] {
        let begun = Instant::now();
        word(from, at(site, 4_001), to).unwrap();
        assert!(begun.elapsed() >= DELAY, "{:?}", begun.elapsed());
    }
    world.part(&one, &other);
    assert_eq!(word(&here, at(&other, 4_001), &there), None);
    assert_eq!(word(&there, at(&one, 4_001), &here), None);
    world.heal();
    assert!(word(&here, at(&other, 4_001), &there).is_some());
}

#[test]
fn of_what_is_to_be_lost_a_fifth_is_lost() {
    let Some(mut world) = World::new("of_what_is_to_be_lost_a_fifth_is_lost") else { return };
    let (one, other) = (world.public(), world.public());
    let (here, there) = (socket(&one, 4_001), socket(&other, 4_001));
    world.lose(20);
    let mut came = 0;
    // As many at a time as a socket holds.
    for _ in 0..20 {
        for _ in 0..50 {
            here.send_to(b"word", at(&other, 4_001)).unwrap();
        }
        while there.recv(&mut [0; 16]).is_ok() {
            came += 1;
        }
    }
    // Six standard deviations to either side.
    assert!((724..=876).contains(&came), "{came} of 1,000 came");
}
