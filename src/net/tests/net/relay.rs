//! Nodes that nobody can dial: over a relay, straight after that, and what a relay does not do.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_net::{Command, Config, DialFailure, Event, Reachability, Role};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use kinfolk_wire::limits;

use crate::raw::Raw;
use crate::support::{Node, Over, PATIENCE, connect, greet, seed, until_free};

/// As in a network of its own: loopback counts as the open internet.
fn cut_off(config: &mut Config) {
    config.reach.also_global = vec!["127.0.0.0/8".parse().unwrap()];
    config.reach.patience = Duration::from_millis(100);
    config.reach.again = Duration::from_millis(100);
}

fn befriend(node: &Node, peer: PeerId) {
    node.command(Command::Contact { peer, is_one: true });
}

/// Two nodes that know each other as contacts, and are connected; the second dials.
async fn meet(known: &mut Node, comes: &mut Node) {
    befriend(known, comes.peer);
    befriend(comes, known.peer);
    connect(comes, known).await;
}

/// Waits until the node can be reached from outside, as far as others have said.
async fn reached(node: &mut Node, fits: impl Fn(&Reachability) -> bool) -> Reachability {
    node.until("to be reached", |event| match event {
        Event::Reachability(reachability) if fits(&reachability) => Some(reachability),
        _ => None,
    })
    .await
}

/// Waits for an address over a relay.
async fn relayed(node: &mut Node) -> Address {
    node.until("to be relayed for", |event| match event {
        Event::Listening { address } if address.is_relayed() => Some(address),
        _ => None,
    })
    .await
}

/// A relay that two contacts have found to be reachable, and one of the two, which it relays for.
async fn relay_and_node(over: Over, change: impl Fn(&mut Config)) -> (Node, Node, Address) {
    let mut relay = Node::start_with(seed(1), over, |config| {
        cut_off(config);
        change(config);
    })
    .await;
    let mut node = Node::start_with(seed(2), over, cut_off).await;
    meet(&mut relay, &mut node).await;
    reached(&mut relay, |reached| reached.confirmed.is_some() && reached.relaying).await;
    let at = relayed(&mut node).await;
    (relay, node, at)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_talk_over_a_relay_that_a_contact_found_to_be_reachable() {
    for over in [Over::Quic, Over::Tcp] {
        let (relay, mut node, at) = relay_and_node(over, |_| {}).await;
        assert!(at.as_str().starts_with(relay.address.as_str()) && at.as_str().ends_with("/p2p-circuit"), "{at}");
        let mut third = Node::start_with(seed(3), over, cut_off).await;
        third.dial_at(node.peer, vec![at.clone()]);
        let told = third
            .until("to connect", |event| match event {
                Event::Connected { peer, role, address } if peer == node.peer => Some((role, address)),
                Event::DialFailed { reason, .. } => panic!("{reason}"),
                _ => None,
            })
            .await;
        assert_eq!(told, (Role::Dialer, at));
        assert_eq!(node.connected(third.peer).await, Role::Listener);
        greet(&mut third, &mut node).await;
        greet(&mut node, &mut third).await;
        let long = vec![7; limits::FRAME - 13];
        let request = third.send(node.peer, FrameKind::Payload, &long);
        let (delivery, _, body) = node.received().await;
        assert_eq!(body, long);
        node.acknowledge(delivery);
        assert!(matches!(third.outcome(request).await, Event::Sent { .. }));
    }
}

/// Connects a new node to all these places at once, none of which may fail.
async fn dial_all(over: Over, places: &[(PeerId, Address)]) {
    let mut third = Node::start_with(seed(4), over, cut_off).await;
    for (peer, place) in places {
        third.dial_at(*peer, vec![place.clone()]);
    }
    let mut missing: BTreeSet<PeerId> = places.iter().map(|(peer, _)| *peer).collect();
    while !missing.is_empty() {
        let peer = third
            .until("to connect", |event| match event {
                Event::Connected { peer, .. } => Some(peer),
                Event::DialFailed { reason, peer, .. } => panic!("{reason}: {:?} {peer:?} {over:?}", places),
                _ => None,
            })
            .await;
        missing.remove(&peer);
    }
    third.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_and_all_who_are_behind_it_are_dialled_at_once() {
    for over in [Over::Quic, Over::Tcp] {
        let (mut relay, node, at) = relay_and_node(over, |_| {}).await;
        let mut second = Node::start_with(seed(3), over, cut_off).await;
        meet(&mut relay, &mut second).await;
        let second_at = relayed(&mut second).await;
        let places = [(relay.peer, relay.address.clone()), (node.peer, at), (second.peer, second_at)];
        for order in [[0, 1, 2], [1, 2, 0], [2, 0, 1]] {
            dial_all(over, &order.map(|at| places[at].clone())).await;
        }
        dial_all(over, &places[1..]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_that_meet_over_a_relay_go_straight_and_the_stream_moves() {
    for (node, third) in [(2, 3), (3, 2)] {
        let over = Over::Quic;
        let mut relay = Node::start_with(seed(1), over, cut_off).await;
        let mut node = Node::start_with(seed(node), over, cut_off).await;
        let mut third = Node::start_with(seed(third), over, cut_off).await;
        meet(&mut relay, &mut node).await;
        meet(&mut relay, &mut third).await;
        befriend(&node, third.peer);
        befriend(&third, node.peer);
        let at = relayed(&mut node).await;
        third.dial_at(node.peer, vec![at]);
        let (of_node, of_third) = (node.peer, third.peer);
        for (this, other) in [(&mut node, of_third), (&mut third, of_node)] {
            this.until("a straight stream", |event| match event {
                Event::Connected { peer, address, .. } if peer == other => (!address.is_relayed()).then_some(()),
                _ => None,
            })
            .await;
        }
        greet(&mut third, &mut node).await;
        greet(&mut node, &mut third).await;
        // It no longer needs the relay.
        relay.shut_down().await;
        greet(&mut third, &mut node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_starts_again_is_asked_again() {
    let over = Over::Quic;
    let (relay, mut node, at) = relay_and_node(over, |_| {}).await;
    let (place, peer) = (relay.address.clone(), relay.peer);
    relay.shut_down().await;
    node.until("to lose the relay", |event| {
        matches!(event, Event::NotListening { address } if address == at).then_some(())
    })
    .await;
    until_free(&place).await;
    let mut relay = Node::start_with(seed(1), over, |config| {
        cut_off(config);
        config.listen = vec![place];
    })
    .await;
    assert_eq!(relay.peer, peer);
    meet(&mut relay, &mut node).await;
    assert_eq!(relayed(&mut node).await, at);
    let mut third = Node::start_with(seed(3), over, cut_off).await;
    third.dial_at(node.peer, vec![at]);
    third.connected(node.peer).await;
    greet(&mut third, &mut node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d14_a_relay_listens_for_its_contacts_only() {
    let over = Over::Quic;
    let (mut relay, _node, _) = relay_and_node(over, |_| {}).await;
    let mut stranger = Node::start_with(seed(3), over, cut_off).await;
    // It believes in the relay, and asks it ten times a second; the relay knows nothing of that.
    befriend(&stranger, relay.peer);
    connect(&mut stranger, &mut relay).await;
    let refused = tokio::time::timeout(Duration::from_secs(2), relayed(&mut stranger)).await;
    assert!(refused.is_err(), "a stranger was listened for at {refused:?}");
    befriend(&relay, stranger.peer);
    relayed(&mut stranger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d14_nobody_begins_more_circuits_than_the_relay_allows() {
    let over = Over::Quic;
    for each in [true, false] {
        let (_relay, mut node, at) = relay_and_node(over, |config| {
            let relayed = &mut config.reach.relayed;
            if each { relayed.circuits_an_hour = 2 } else { relayed.circuits = 2 }
        })
        .await;
        let mut guests = Vec::new();
        for number in 0..3_u8 {
            // One node that comes again and again, or one after the other.
            let mut guest = match guests.pop() {
                Some(guest) if each => guest,
                other => {
                    guests.extend(other);
                    Node::start_with(seed(10 + number), over, cut_off).await
                }
            };
            let request = guest.dial_at(node.peer, vec![at.clone()]);
            if number < 2 {
                guest.connected(node.peer).await;
                greet(&mut guest, &mut node).await;
                if each {
                    guest.command(Command::Disconnect { peer: node.peer });
                    guest.disconnected(node.peer).await;
                }
            } else {
                let told = guest.outcome(request).await;
                let unreachable = matches!(told, Event::DialFailed { reason: DialFailure::Unreachable, .. });
                assert!(unreachable, "{told:?}");
            }
            guests.push(guest);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circuit_that_is_cut_is_survived() {
    let over = Over::Quic;
    for by_bytes in [true, false] {
        let (_relay, mut node, at) = relay_and_node(over, |config| {
            let relayed = &mut config.reach.relayed;
            if by_bytes { relayed.bytes = 256 << 10 } else { relayed.duration = Duration::from_secs(2) }
        })
        .await;
        let mut third = Node::start_with(seed(3), over, cut_off).await;
        for _ in 0..2 {
            third.dial_at(node.peer, vec![at.clone()]);
            third.connected(node.peer).await;
            greet(&mut third, &mut node).await;
            if by_bytes {
                for _ in 0..5 {
                    third.send(node.peer, FrameKind::Payload, &vec![7; 60_000]);
                }
            }
            // What was under way is told to be lost, and so is the stream, at both ends.
            third.disconnected(node.peer).await;
            node.disconnected(third.peer).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_relay_listens_for_is_renewed_before_it_ends() {
    let over = Over::Quic;
    let (_relay, mut node, at) =
        relay_and_node(over, |config| config.reach.relayed.reservation = Duration::from_secs(4)).await;
    // Longer than the relay listens for one that does not ask again.
    let lost = tokio::time::timeout(
        Duration::from_secs(7),
        node.until("to lose the relay", |event| matches!(event, Event::NotListening { .. }).then_some(())),
    );
    assert!(lost.await.is_err(), "the relay was lost");
    let mut third = Node::start_with(seed(3), over, cut_off).await;
    third.dial_at(node.peer, vec![at]);
    third.connected(node.peer).await;
    greet(&mut third, &mut node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d14_a_node_that_does_not_dial_back_makes_nobody_public() {
    let over = Over::Quic;
    // To the one that is asked, loopback is no place to dial on anybody's word.
    let mut asked = Node::start(seed(1), over).await;
    let mut node = Node::start_with(seed(2), over, cut_off).await;
    meet(&mut asked, &mut node).await;
    let reached = reached(&mut node, |reached| reached.could_not > 0).await;
    assert_eq!((reached.confirmed, reached.came_through, reached.relaying), (None, 0, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_nobody_can_dial_is_visited_over_its_relay() {
    let over = Over::Quic;
    let (_relay, mut host, at) = relay_and_node(over, |_| {}).await;
    let mut third = Node::start_with(seed(3), over, cut_off).await;
    let request = third.request();
    let body = vec![1, 2, 3];
    third.command(Command::Ask { request, host: host.peer, addresses: vec![at], body: body.clone(), group: 1 });
    let ask = host
        .until("to be asked", |event| match event {
            Event::Asked { ask, body: asked } => (asked == body).then_some(ask),
            _ => None,
        })
        .await;
    host.command(Command::Answer { ask, body: vec![9; 70_000] });
    let answer = third
        .until("an answer", |event| match event {
            Event::Answered { request: of, body } if of == request => Some(body),
            Event::Unanswered { reason, .. } => panic!("{reason}"),
            _ => None,
        })
        .await;
    assert_eq!(answer, vec![9; 70_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn d11_strangers_are_not_told_who_relays_for_a_node_nor_where_it_was_found() {
    let (relay, node, _) = relay_and_node(Over::Quic, |_| {}).await;
    for at in [&relay, &node] {
        let mut stranger = Raw::start(3).await;
        assert!(stranger.dial(at).await);
        let info = tokio::time::timeout(PATIENCE, stranger.identified.recv()).await.unwrap().unwrap();
        assert_eq!(info.listen_addrs, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_circuit_carries_thousands_of_frames_at_once_and_stays() {
    for over in [Over::Quic, Over::Tcp] {
        let (_relay, mut node, at) = relay_and_node(over, |_| {}).await;
        let mut third = Node::start_with(seed(3), over, cut_off).await;
        third.dial_at(node.peer, vec![at]);
        third.connected(node.peer).await;
        greet(&mut third, &mut node).await;
        let (peer, commands) = (node.peer, node.network.commands.clone());
        let answering = tokio::spawn(async move {
            while let Some(event) = node.network.events.recv().await {
                if let Event::Received { delivery, .. } = event {
                    commands.try_send(Command::Acknowledge { delivery }).unwrap();
                }
            }
        });
        let (mut sent, mut answered) = (0, 0);
        while answered < 5_000 {
            while sent < 5_000 && sent - answered < 1_000 {
                third.send(peer, FrameKind::Payload, &[7; 256]);
                sent += 1;
            }
            match third.event("an answer").await {
                Event::Sent { .. } => answered += 1,
                other => panic!("{over:?} after {answered}: {other:?}"),
            }
        }
        answering.abort();
    }
}
