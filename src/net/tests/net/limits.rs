//! How many may come.

use kinfolk_net::{DialFailure, Event};

use crate::raw::Raw;
use crate::support::{BOTH, Node, connect, greet, seed};

#[tokio::test(flavor = "multi_thread")]
async fn d06_connections_over_the_limit_are_refused_until_one_leaves() {
    const LIMIT: u8 = 3;
    for over in BOTH {
        let mut node = Node::start_with(seed(1), over, |config| config.limits.incoming = u32::from(LIMIT)).await;
        let mut guests = Vec::new();
        for number in 0..LIMIT {
            let mut guest = Node::start(seed(10 + number), over).await;
            connect(&mut guest, &mut node).await;
            guests.push(guest);
        }
        let mut late = Node::start(seed(50), over).await;
        let request = late.dial(&node);
        let told = late.outcome(request).await;
        assert!(
            matches!(told, Event::DialFailed { reason: DialFailure::NoStream | DialFailure::Unreachable, .. }),
            "{told:?}"
        );
        for guest in &mut guests {
            greet(guest, &mut node).await;
        }
        let leaves = guests.remove(0);
        let peer = leaves.peer;
        leaves.shut_down().await;
        node.disconnected(peer).await;
        connect(&mut late, &mut node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_one_peer_holds_four_connections_at_most() {
    for over in BOTH {
        let node = Node::start(seed(1), over).await;
        let mut raw = Raw::start(3).await;
        for _ in 0..6 {
            raw.dial(&node).await;
        }
        raw.until("the rest to be refused", |count| count.closed + count.failed == 2).await;
        assert_eq!(raw.count.borrow().opened - raw.count.borrow().closed, 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_without_memory_to_spare_no_connection_is_made() {
    for over in BOTH {
        let mut poor = Node::start_with(seed(1), over, |config| config.limits.memory = 1).await;
        let mut other = Node::start(seed(2), over).await;
        let request = poor.dial(&other);
        let told = poor.outcome(request).await;
        assert!(matches!(told, Event::DialFailed { reason: DialFailure::Full, .. }), "{told:?}");
        let request = other.dial(&poor);
        let told = other.outcome(request).await;
        assert!(matches!(told, Event::DialFailed { .. }), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_without_a_stream_is_closed() {
    for over in BOTH {
        let node = Node::start_with(seed(1), over, |config| {
            config.deadlines.idle_connection = std::time::Duration::from_millis(200);
            // What may yet ask to be relayed for has ten seconds for that.
            config.reach.relay = false;
        })
        .await;
        let mut raw = Raw::start(3).await;
        assert!(raw.dial(&node).await);
        raw.until("to be closed", |count| count.closed == 1).await;
    }
}
