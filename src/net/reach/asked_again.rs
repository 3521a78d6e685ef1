//! Whoever left before it answered is asked again.

use super::*;

fn at(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

/// A contact comes and says what it sees; says where it is to dial us.
fn comes(reach: &mut Reach, contact: PeerId, id: usize, now: Instant) -> Vec<Multiaddr> {
    let id = ConnectionId::new_unchecked(id);
    let local_addr = at("/ip4/192.0.2.2/udp/4001/quic-v1");
    let send_back_addr = at("/ip4/198.51.100.7/udp/4001/quic-v1");
    reach.connected(contact, id, &ConnectedPoint::Listener { local_addr: local_addr.clone(), send_back_addr });
    reach.identified(id, &[DIALS_BACK], &local_addr);
    let asked = reach.settle(now).into_iter().filter_map(|todo| match todo {
        Do::Ask { node, addresses } if node == contact => Some(addresses),
        _ => None,
    });
    asked.flatten().collect()
}

#[test]
fn a_contact_that_left_before_it_answered_is_asked_again_when_it_is_back_and_one_that_answered_is_not() {
    let (contact, now) = (PeerId::random(), Instant::now());
    let (contacts, _) = watch::channel(BTreeSet::new());
    let mut reach = Reach::new(config::Reach::default(), true, BTreeSet::new(), contacts);
    let here = at("/ip4/192.0.2.2/udp/4001/quic-v1");
    reach.listening(ListenerId::next(), &here);
    reach.contact(contact, true);
    assert_eq!(comes(&mut reach, contact, 1, now), std::slice::from_ref(&here));
    reach.closed(ConnectionId::new_unchecked(1));
    assert_eq!(comes(&mut reach, contact, 2, now), std::slice::from_ref(&here), "it is asked again");
    reach.found(contact, here, true, now);
    reach.closed(ConnectionId::new_unchecked(2));
    assert_eq!(comes(&mut reach, contact, 3, now), [], "what it said holds for a while");
}
