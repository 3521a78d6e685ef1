//! What is gossiped: judged before it is passed on, and not taken from who floods.

use std::collections::BTreeMap;

use kinfolk_net::{Command, Event, GossipId, Topic, Verdict};
use kinfolk_wire::ids::PeerId;

use crate::support::{Node, Over, greet, seed};

fn topic() -> Topic {
    Topic::new("test/heads").unwrap()
}

/// Waits until a node is connected with another and knows that it follows the topic.
async fn meets(node: &mut Node, other: PeerId) {
    let (mut is_connected, mut is_known) = (false, false);
    node.until("to be connected with a follower", |event| {
        is_connected |= matches!(event, Event::Connected { peer, .. } if peer == other);
        is_known |= matches!(event, Event::Follower { peer, follows: true, .. } if peer == other);
        (is_connected && is_known).then_some(())
    })
    .await;
}

/// Nodes in a row, each connected to the next, that follow the topic.
async fn row<const N: usize>() -> [Node; N] {
    let mut nodes: Vec<Node> = Vec::new();
    for number in 0..N {
        let mut node = Node::start(seed(u8::try_from(number).unwrap() + 1), Over::Quic).await;
        node.command(Command::Follow { topic: topic(), follows: true });
        if let Some(last) = nodes.last_mut() {
            node.dial(last);
            meets(&mut node, last.peer).await;
            meets(last, node.peer).await;
        }
        nodes.push(node);
    }
    nodes.try_into().unwrap_or_else(|_| panic!("as many as asked for"))
}

fn say(node: &Node, message: impl Into<Vec<u8>>) {
    node.command(Command::Gossip { topic: topic(), message: message.into() });
}

fn judge(node: &Node, gossip: GossipId, verdict: Verdict) {
    node.command(Command::Judge { gossip, verdict });
}

async fn heard(node: &mut Node) -> (GossipId, Vec<u8>) {
    node.until("to hear gossip", |event| match event {
        Event::Gossiped { gossip, message, .. } => Some((gossip, message)),
        _ => None,
    })
    .await
}

/// What comes next, of whatever was said.
async fn all_heard(node: &mut Node, count: usize) -> BTreeMap<Vec<u8>, GossipId> {
    let mut all = BTreeMap::new();
    while all.len() < count {
        let (gossip, message) = heard(node).await;
        all.insert(message, gossip);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn d07_nothing_is_passed_on_before_it_was_judged_and_what_is_refused_never_is() {
    let [one, mut middle, mut last] = row().await;
    for message in ["refused", "passed over", "accepted"] {
        say(&one, message);
    }
    let all = all_heard(&mut middle, 3).await;
    judge(&middle, all[&b"refused"[..]], Verdict::Reject);
    judge(&middle, all[&b"passed over"[..]], Verdict::Ignore);
    judge(&middle, all[&b"accepted"[..]], Verdict::Accept);
    assert_eq!(heard(&mut last).await.1, b"accepted");
    // Nothing that was said before comes after what is said now.
    say(&middle, "the end");
    assert_eq!(heard(&mut last).await.1, b"the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn d07_who_brings_what_nobody_may_say_is_soon_not_listened_to_and_others_are() {
    let [mut liar, mut middle, honest] = row().await;
    for number in 0..4 {
        say(&liar, format!("rubbish {number}"));
        let (gossip, _) = heard(&mut middle).await;
        judge(&middle, gossip, Verdict::Reject);
    }
    // The verdicts are in effect when this has come, and the rubbish has come when the second has.
    greet(&mut liar, &mut middle).await;
    for number in 0..100 {
        say(&liar, format!("rubbish once more {number}"));
    }
    greet(&mut liar, &mut middle).await;
    say(&honest, "the truth");
    assert_eq!(heard(&mut middle).await.1, b"the truth");
}

#[tokio::test(flavor = "multi_thread")]
async fn d07_of_a_flood_no_more_is_looked_at_than_the_measure_and_others_are_heard() {
    let [flood, mut middle, honest] = row().await;
    for number in 0..10_000u32 {
        let message = number.to_be_bytes().to_vec();
        while flood.network.commands.try_send(Command::Gossip { topic: topic(), message: message.clone() }).is_err() {
            tokio::task::yield_now().await;
        }
    }
    say(&honest, "the truth");
    let (mut looked_at, mut is_heard) = (0, false);
    while looked_at < 256 || !is_heard {
        let (gossip, message) = heard(&mut middle).await;
        judge(&middle, gossip, Verdict::Ignore);
        if message == b"the truth" {
            is_heard = true;
        } else {
            looked_at += 1;
        }
    }
    // The measure at once, and what is added to it while the flood lasts.
    let gone = flood.peer;
    flood.shut_down().await;
    middle
        .until("the end of the flood", |event| {
            looked_at += usize::from(matches!(event, Event::Gossiped { .. }));
            matches!(event, Event::Disconnected { peer } if peer == gone).then_some(())
        })
        .await;
    assert!(looked_at < 1_024, "{looked_at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_what_they_do_not_follow_and_nothing_too_long_is_said() {
    let [mut one, mut other] = row().await;
    one.command(Command::Gossip { topic: Topic::new("test/else").unwrap(), message: b"unheard".to_vec() });
    say(&one, vec![7; (8 << 10) + 1]);
    say(&one, vec![7; 8 << 10]);
    assert_eq!(heard(&mut other).await.1.len(), 8 << 10);
    other.command(Command::Follow { topic: topic(), follows: false });
    one.until("to lose a follower", |event| matches!(event, Event::Follower { follows: false, .. }).then_some(()))
        .await;
}
