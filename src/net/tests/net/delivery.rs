//! Frames and their answers.

use std::collections::BTreeSet;

use kinfolk_net::{Command, CommandError, Event, RequestId};
use kinfolk_wire::direct::{Frame, FrameKind, NackCode};
use kinfolk_wire::limits;

use crate::support::{BOTH, Node, Over, connect, greet, pair, seed};

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_talk_over_either_transport() {
    for over in BOTH {
        let (mut left, mut right) = pair(over).await;
        for body in [&b""[..], b"x", &[7; 300], &vec![1; limits::FRAME - Frame::HEAD]] {
            let request = left.send(right.peer, FrameKind::Payload, body);
            let (delivery, kind, received) = right.received().await;
            assert_eq!((kind, received.as_slice()), (FrameKind::Payload, body));
            right.acknowledge(delivery);
            assert_eq!(left.outcome(request).await, Event::Sent { request, peer: right.peer });
        }
        left.shut_down().await;
        right.shut_down().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_frame_arrives_as_what_it_is() {
    let (mut left, mut right) = pair(Over::Quic).await;
    for kind in [FrameKind::Hello, FrameKind::Payload, FrameKind::Knock, FrameKind::Prekeys, FrameKind::Chain] {
        left.send(right.peer, kind, b"body");
        let (delivery, found, _) = right.received().await;
        assert_eq!(found, kind);
        right.acknowledge(delivery);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_is_sent_only_when_the_other_side_says_so() {
    for over in BOTH {
        let (mut left, mut right) = pair(over).await;
        let first = left.send(right.peer, FrameKind::Payload, b"first");
        let second = left.send(right.peer, FrameKind::Payload, b"second");
        let (of_first, ..) = right.received().await;
        let (of_second, ..) = right.received().await;
        right.acknowledge(of_second);
        let told = left.event("an outcome").await;
        assert_eq!(told, Event::Sent { request: second, peer: right.peer }, "the first has no answer yet");
        right.acknowledge(of_first);
        assert_eq!(left.event("an outcome").await, Event::Sent { request: first, peer: right.peer });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_comes_back_with_its_code() {
    let (mut left, mut right) = pair(Over::Quic).await;
    for code in [NackCode::Refused, NackCode::Undecryptable, NackCode::Later] {
        let request = left.send(right.peer, FrameKind::Payload, b"no");
        let (delivery, ..) = right.received().await;
        right.refuse(delivery, code);
        assert_eq!(left.outcome(request).await, Event::Refused { request, peer: right.peer, code });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_answer_changes_nothing() {
    let (mut left, mut right) = pair(Over::Quic).await;
    let request = left.send(right.peer, FrameKind::Payload, b"once");
    let (delivery, ..) = right.received().await;
    right.acknowledge(delivery);
    right.refuse(delivery, NackCode::Refused);
    right.acknowledge(delivery);
    right.acknowledge(kinfolk_net::Delivery { sequence: 9_999, ..delivery });
    right.acknowledge(kinfolk_net::Delivery { stream: 9_999, ..delivery });
    assert_eq!(left.event("an outcome").await, Event::Sent { request, peer: right.peer });
    greet(&mut left, &mut right).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_to_nobody_is_lost_at_once() {
    let (mut left, right) = (Node::start(seed(1), Over::Quic).await, Node::start(seed(2), Over::Quic).await);
    let request = left.send(right.peer, FrameKind::Hello, b"hello?");
    assert_eq!(left.event("an outcome").await, Event::Lost { request, peer: right.peer });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_cannot_be_sent_is_refused_here() {
    let (mut left, right) = pair(Over::Quic).await;
    let too_long = left.send(right.peer, FrameKind::Payload, &vec![0; limits::FRAME - Frame::HEAD + 1]);
    assert!(matches!(left.event("an outcome").await, Event::Refused { request, .. } if request == too_long));
    for kind in [FrameKind::Ack, FrameKind::Nack] {
        let ours = left.send(right.peer, kind, &[0; 16]);
        assert!(matches!(left.event("an outcome").await, Event::Refused { request, .. } if request == ours));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_on_a_stream_where_we_have_said_nothing_is_lost() {
    let (mut left, mut right) = (Node::start(seed(1), Over::Quic).await, Node::start(seed(2), Over::Quic).await);
    left.dial(&right);
    left.connected(right.peer).await;
    right.connected(left.peer).await;
    let request = left.send(right.peer, FrameKind::Payload, b"who am I?");
    assert_eq!(left.event("an outcome").await, Event::Lost { request, peer: right.peer });
    greet(&mut left, &mut right).await;
    let request = left.send(right.peer, FrameKind::Payload, b"me");
    let (delivery, ..) = right.received().await;
    right.acknowledge(delivery);
    assert!(matches!(left.outcome(request).await, Event::Sent { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_unanswered_is_lost_when_the_other_side_dies() {
    for over in BOTH {
        let (mut left, mut right) = pair(over).await;
        let requests: BTreeSet<RequestId> = (0..10).map(|_| left.send(right.peer, FrameKind::Payload, b"?")).collect();
        for _ in 0..10 {
            right.received().await;
        }
        right.network.task.abort();
        let mut lost = BTreeSet::new();
        left.until("what became of them", |event| match event {
            Event::Lost { request, .. } => {
                lost.insert(request);
                None
            }
            Event::Disconnected { .. } => Some(()),
            other => panic!("{other:?}"),
        })
        .await;
        assert_eq!(lost, requests, "each is reported, and before the end of the stream");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_frames_each_way_at_once_have_one_outcome_each() {
    const FRAMES: usize = 2_000;
    for over in BOTH {
        let (left, right) = pair(over).await;
        let (to_right, to_left) = (right.peer, left.peer);
        let run = |mut node: Node, to| async move {
            let mut open: BTreeSet<RequestId> =
                (0..FRAMES).map(|_| node.send(to, FrameKind::Payload, &[5; 256])).collect();
            let mut received = 0;
            while received < FRAMES || !open.is_empty() {
                match node.event("frames and outcomes").await {
                    Event::Received { delivery, .. } => {
                        received += 1;
                        node.acknowledge(delivery);
                    }
                    Event::Sent { request, .. } => assert!(open.remove(&request), "{request:?} twice"),
                    other => panic!("{other:?}"),
                }
            }
            node
        };
        let (_left, _right) = tokio::join!(tokio::spawn(run(left, to_right)), tokio::spawn(run(right, to_left)));
        _left.unwrap();
        _right.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_arrive_in_the_order_they_were_sent() {
    let (mut left, mut right) = pair(Over::Quic).await;
    for number in 0..500_u32 {
        left.send(right.peer, FrameKind::Payload, &number.to_be_bytes());
    }
    for number in 0..500_u32 {
        assert_eq!(right.received().await.2, number.to_be_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_does_not_listen_bounds_what_waits_here_and_still_obeys() {
    const BODY: usize = 16 * 1_024;
    const QUEUE: u32 = 1 << 20;
    for over in BOTH {
        let mut left = Node::start_with(seed(1), over, |config| config.limits.queued_bytes = QUEUE).await;
        let mut right = Node::start_with(seed(2), over, |config| config.limits.events = 4).await;
        connect(&mut left, &mut right).await;
        let before = resident();
        // The other side reads no event from here on. Its channel, the streams between and our queue fill up; what is
        // over comes back at once.
        let mut open = BTreeSet::new();
        let mut lost = 0;
        for _ in 0..4_000 {
            open.insert(left.send(right.peer, FrameKind::Payload, &[9; BODY]));
            while let Ok(event) = left.network.events.try_recv() {
                match event {
                    Event::Lost { request, .. } => {
                        lost += 1;
                        assert!(open.remove(&request));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        let last = *open.last().unwrap();
        let marker = left.send(right.peer, FrameKind::Ack, &[]);
        while !matches!(left.event("the marker").await, Event::Refused { request, .. } if request == marker) {
            lost += 1;
        }
        assert!(lost > 1_000, "{lost} of 4,000 were given back");
        assert!(resident().saturating_sub(before) < 48 << 20, "{} bytes more", resident().saturating_sub(before));
        // Commands to the other side still work: it sends, and it hangs up.
        let heard = right.send(left.peer, FrameKind::Payload, b"still here");
        assert_ne!(heard, last);
        let body = left
            .until("a frame from the deaf side", |event| match event {
                Event::Received { body, .. } => Some(body),
                _ => None,
            })
            .await;
        assert_eq!(body, b"still here");
        right.command(Command::Disconnect { peer: left.peer });
        left.disconnected(right.peer).await;
    }
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_given_before_hanging_up_arrives() {
    for over in BOTH {
        let (mut left, mut right) = (Node::start(seed(1), over).await, Node::start(seed(2), over).await);
        for _ in 0..20 {
            left.dial(&right);
            left.connected(right.peer).await;
            right.connected(left.peer).await;
            let request = left.send(right.peer, FrameKind::Knock, b"let me in");
            let (delivery, ..) = right.received().await;
            right.refuse(delivery, NackCode::Refused);
            right.command(Command::Disconnect { peer: left.peer });
            assert!(matches!(left.outcome(request).await, Event::Refused { .. }));
            left.disconnected(right.peer).await;
            right.disconnected(left.peer).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_stream_closes_at_both_ends() {
    for over in BOTH {
        let mut left = Node::start_with(seed(1), over, |config| {
            config.deadlines.idle_stream = std::time::Duration::from_millis(200);
        })
        .await;
        let mut right = Node::start(seed(2), over).await;
        connect(&mut left, &mut right).await;
        left.disconnected(right.peer).await;
        right.disconnected(left.peer).await;
        // And is opened again on the connection that is still there.
        connect(&mut left, &mut right).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_tells_the_others_and_ends_the_task() {
    for over in BOTH {
        let (left, mut right) = pair(over).await;
        let (peer, commands) = (left.peer, left.network.commands.clone());
        left.shut_down().await;
        right.disconnected(peer).await;
        assert!(matches!(commands.try_send(Command::Disconnect { peer }), Err(CommandError::Stopped(_))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_has_gone_ends_the_task() {
    let (left, mut right) = pair(Over::Quic).await;
    let (peer, kinfolk_net::Network { commands, events, task }) = (left.peer, left.network);
    drop((commands, events));
    tokio::time::timeout(crate::support::PATIENCE, task).await.unwrap().unwrap().unwrap();
    right.disconnected(peer).await;
}
