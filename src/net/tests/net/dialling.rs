//! Getting to each other: addresses, both at once, again after a restart.

use kinfolk_net::{Command, Config, DialFailure, Event, Role, StartError, peer_id, spawn};
use kinfolk_wire::direct::FrameKind;

use crate::support::{BOTH, Node, Over, address, connect, greet, ordered, pair, seed, until_free};

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_dial_each_other_at_once_end_with_one_stream_and_agree_on_it() {
    for over in BOTH {
        for round in 0..12 {
            let (small, large) = ordered(10 + 2 * round, 11 + 2 * round);
            let (mut small, mut large) = (Node::start(small, over).await, Node::start(large, over).await);
            small.dial(&large);
            large.dial(&small);
            let (of_small, of_large) = settle(&mut small, &mut large).await;
            assert_eq!(of_small, of_large.other(), "{over:?} round {round}");
        }
    }
}

/// Each says hello on every stream it is told of, until both have an answer on the stream they have; their roles then.
async fn settle(one: &mut Node, other: &mut Node) -> (Role, Role) {
    let mut roles = [None, None];
    let mut answered = [None, None];
    while roles.iter().zip(&answered).any(|(role, answered)| role.is_none() || role != answered) {
        let (at, event) = tokio::select! {
            event = one.event("to settle") => (0, event),
            event = other.event("to settle") => (1, event),
        };
        let (node, peer) = if at == 0 { (&mut *one, other.peer) } else { (&mut *other, one.peer) };
        match event {
            Event::Connected { role, .. } => {
                (roles[at], answered[at]) = (Some(role), None);
                node.send(peer, FrameKind::Hello, b"hello");
            }
            Event::Disconnected { .. } => {
                (roles[at], answered[at]) = (None, None);
                let addresses = Vec::new();
                let request = node.request();
                node.command(Command::Dial { request, peer, addresses });
            }
            Event::Received { delivery, .. } => node.acknowledge(delivery),
            Event::Sent { .. } => answered[at] = roles[at],
            Event::Lost { .. } => {}
            Event::DialFailed { reason: DialFailure::Connected | DialFailure::NoAddress, .. } => {}
            event => panic!("{event:?}"),
        }
    }
    (roles[0].unwrap(), roles[1].unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_restarts_is_reached_again_and_reaches_again() {
    for over in BOTH {
        for (stays, restarts) in [(1, 2), (2, 1)] {
            for killed in [true, false] {
                let mut stays = Node::start(seed(stays), over).await;
                let key = seed(restarts);
                let mut restarts = Node::start(key, over).await;
                connect(&mut stays, &mut restarts).await;
                let at = restarts.address.clone();
                let peer = restarts.peer;
                if killed {
                    restarts.network.task.abort();
                    assert!(restarts.network.task.await.unwrap_err().is_cancelled());
                    until_free(&at).await;
                } else {
                    restarts.shut_down().await;
                }
                stays.disconnected(peer).await;
                let mut restarted = Node::start_with(key, over, |config| config.listen = vec![at.clone()]).await;
                assert_eq!(restarted.address, at, "the same port is free again");
                connect(&mut stays, &mut restarted).await;
                restarted.shut_down().await;
                stays.disconnected(peer).await;
                let mut again = Node::start_with(key, over, |config| config.listen = vec![at]).await;
                connect(&mut again, &mut stays).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_while_connected_says_so_and_harms_nothing() {
    let (mut left, mut right) = pair(Over::Quic).await;
    let request = left.dial(&right);
    let reason = DialFailure::Connected;
    assert_eq!(left.outcome(request).await, Event::DialFailed { request, peer: right.peer, reason });
    greet(&mut left, &mut right).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_dials_at_once_make_one_stream() {
    let (mut left, mut right) = (Node::start(seed(1), Over::Quic).await, Node::start(seed(2), Over::Quic).await);
    for _ in 0..5 {
        left.dial(&right);
    }
    left.connected(right.peer).await;
    right.connected(left.peer).await;
    greet(&mut left, &mut right).await;
    greet(&mut right, &mut left).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_both_transports_is_reached_where_one_does_not_answer() {
    let mut left = Node::start(seed(1), Over::Quic).await;
    for (answers, silent) in [(Over::Quic, Over::Tcp), (Over::Tcp, Over::Quic)] {
        let mut right = Node::start(seed(2), answers).await;
        left.dial_at(right.peer, vec![silent.port(closed_port(silent)), right.address.clone()]);
        left.connected(right.peer).await;
        right.connected(left.peer).await;
        right.shut_down().await;
    }
}

/// A port on which nobody listens just now.
fn closed_port(over: Over) -> u16 {
    match over {
        Over::Quic => std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
        Over::Tcp => std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_that_comes_to_nothing_says_why() {
    let mut left = Node::start(seed(1), Over::Quic).await;
    let (absent, elsewhere) = (peer_id(&seed(9)), Node::start(seed(3), Over::Tcp).await);
    for (peer, addresses, expected) in [
        (absent, vec![], DialFailure::NoAddress),
        (absent, vec![address("/dns4/localhost/tcp/4001")], DialFailure::NoAddress),
        (absent, vec![address("/ip4/0.0.0.0/tcp/4001")], DialFailure::NoAddress),
        (absent, vec![address("/ip4/224.0.0.1/udp/4001/quic-v1")], DialFailure::NoAddress),
        (absent, vec![Over::Tcp.port(closed_port(Over::Tcp))], DialFailure::Unreachable),
        (absent, vec![elsewhere.address.clone()], DialFailure::AnotherNode),
        (left.peer, vec![left.address.clone()], DialFailure::Oneself),
    ] {
        let request = left.dial_at(peer, addresses.clone());
        assert_eq!(left.outcome(request).await, Event::DialFailed { request, peer, reason: expected }, "{addresses:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_leads_to_another_node_does_not_hide_the_right_one() {
    let mut left = Node::start(seed(1), Over::Tcp).await;
    let wrong = Node::start(seed(3), Over::Quic).await;
    let mut right = Node::start(seed(2), Over::Tcp).await;
    left.dial_at(right.peer, vec![wrong.address.clone(), left.address.clone(), right.address.clone()]);
    left.connected(right.peer).await;
    right.connected(left.peer).await;
    greet(&mut left, &mut right).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_know_where_the_other_is() {
    for over in BOTH {
        let (mut left, mut right) = (Node::start(seed(1), over).await, Node::start(seed(2), over).await);
        left.dial(&right);
        let at = left
            .until("to connect", |event| match event {
                Event::Connected { address, .. } => Some(address),
                _ => None,
            })
            .await;
        assert_eq!(at, right.address, "where it was dialled");
        let from = right
            .until("to connect", |event| match event {
                Event::Connected { address, .. } => Some(address),
                _ => None,
            })
            .await;
        assert!(from.as_str().starts_with("/ip4/127.0.0.1/"), "{from}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_works_as_ipv4_does() {
    for listen in ["/ip6/::1/udp/0/quic-v1", "/ip6/::1/tcp/0"] {
        let at = |config: &mut Config| config.listen = vec![address(listen)];
        let mut left = Node::start_with(seed(1), Over::Quic, at).await;
        let mut right = Node::start_with(seed(2), Over::Quic, at).await;
        assert!(right.address.as_str().starts_with("/ip6/::1/"));
        connect(&mut left, &mut right).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_with_what_to_do() {
    for over in BOTH {
        let first = Node::start(seed(1), over).await;
        let mut config = Config::new(seed(2));
        config.listen = vec![first.address.clone()];
        let error = spawn(config).unwrap_err();
        assert!(matches!(&error, StartError::InUse { address } if *address == first.address), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(first.address.as_str()) && text.contains("another port"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_named_with_what_to_write() {
    for text in ["/ip4/127.0.0.1", "/hello", "/dns4/localhost/tcp/1", "/ip4/1.2.3.4/udp/5", "/ip4/300.1.1.1/tcp/1"] {
        let mut config = Config::new(seed(1));
        config.listen = vec![address(text)];
        let error = spawn(config).unwrap_err();
        assert!(matches!(error, StartError::NotAnAddress { .. }), "{error:?}");
        assert!(error.to_string().contains(text) && error.to_string().contains("/ip4/0.0.0.0/udp/PORT/quic-v1"));
    }
    let mut config = Config::new(seed(1));
    config.bootstrap = vec![address("/ip4/127.0.0.1/tcp/4001")];
    let error = spawn(config).unwrap_err();
    assert!(matches!(error, StartError::NotANode { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_another_machine_cannot_be_listened_on() {
    for text in ["/ip4/192.0.2.1/tcp/0", "/ip4/192.0.2.1/udp/0/quic-v1"] {
        let mut config = Config::new(seed(1));
        config.listen = vec![address(text)];
        assert!(matches!(spawn(config).unwrap_err(), StartError::NotHere { .. }), "{text}");
    }
}

#[test]
fn outside_of_a_runtime_nothing_starts() {
    assert!(matches!(spawn(Config::new(seed(1))), Err(StartError::NoRuntime)));
}
