//! Nodes that nobody can dial: over a relay, straight after that, and what a relay does not do.

use std::time::Duration;

use kinfolk_net::{Command, Config, Event, Reachability, Role};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use kinfolk_wire::limits;

use crate::support::{Node, Over, connect, greet, seed, until_free};

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
