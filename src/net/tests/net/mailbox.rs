//! Questions to mailboxes: asked as nobody in particular, answered by whoever is asked, bounded on both sides.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::AsyncWriteExt;
use kinfolk_net::{AskFailure, Event, RequestId};
use kinfolk_wire::mailbox::{PROTOCOL, REPLY, REQUEST, Refused, Reply};
use libp2p::PeerId;

use crate::asking::{Host, SHORT, framed};
use crate::raw::{Raw, ended, write};
use crate::support::{BOTH, Node, Over, PATIENCE, address, seed};

#[tokio::test(flavor = "multi_thread")]
async fn a_question_and_its_answer_arrive_whole_over_both_transports() {
    for over in BOTH {
        let (mut host, mut node) = (Node::start(seed(1), over).await, Node::start(seed(2), over).await);
        for (length, reply) in [(1, 0), (500, 6), (REQUEST, REPLY)] {
            let (body, reply) = (vec![2; length], vec![9; reply]);
            let request = node.ask(&host, &body, 1);
            let (ask, heard) = host.asked().await;
            assert_eq!(heard, body);
            host.answer(ask, &reply);
            assert_eq!(node.told(request).await, Ok(reply));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h09_a_host_sees_neither_who_asks_nor_that_two_groups_are_asked_for_by_one() {
    let mut host = Host::start(9, PROTOCOL).await;
    let mut node = Node::start_with(seed(1), Over::Quic, |config| config.deadlines.linger = PATIENCE).await;
    let own = PeerId::from_bytes(node.peer.as_bytes()).unwrap();
    let mut seen = Vec::new();
    for group in [1, 1, 2, 3, 1] {
        let request = node.ask(&host, b"?", group);
        seen.push(host.answer(b"!").await);
        assert_eq!(node.told(request).await, Ok(b"!".to_vec()));
    }
    assert!(!seen.contains(&own), "the node's own identity");
    assert_eq!(seen[0], seen[1], "one group, one connection");
    assert_eq!(seen[0], seen[4], "another group in between changes nothing");
    assert_eq!(BTreeSet::from([seen[0], seen[2], seen[3]]).len(), 3, "each group an identity of its own");
    let visitors = host.raw.count.borrow().visitors.clone();
    assert_eq!(visitors, [seen[0], seen[2], seen[3]], "and nobody else came");
    assert!(host.raw.identified.try_recv().is_err(), "whoever asks does not introduce itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn h09_an_identity_is_thrown_away_with_its_connection() {
    let mut host = Host::start(9, PROTOCOL).await;
    let mut node = Node::start_with(seed(1), Over::Quic, |config| config.deadlines.linger = SHORT).await;
    let mut seen = Vec::new();
    for times in 1..=3 {
        let request = node.ask(&host, b"?", 1);
        seen.push(host.answer(b"!").await);
        assert!(node.told(request).await.is_ok());
        host.raw.until("to be left alone", |count| count.closed == times).await;
    }
    assert_eq!(BTreeSet::from_iter(seen).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_that_wait_for_one_another_share_a_connection_and_keep_their_order() {
    let mut host = Host::start(9, PROTOCOL).await;
    let mut node = Node::start(seed(1), Over::Tcp).await;
    let requests: Vec<RequestId> = (0..20).map(|number| node.ask(&host, &[number], 1)).collect();
    for number in 0..20 {
        let (peer, mut stream, body) = host.asked().await;
        assert_eq!(body, [number]);
        assert!(write(&mut stream, &framed(&body)).await);
        // Whether there is one substream for all or one for each is the host's affair.
        if number % 3 == 0 {
            stream.close().await.ok();
        } else {
            host.listen(peer, stream);
        }
    }
    for (number, request) in (0..).zip(requests) {
        assert_eq!(node.told(request).await, Ok(vec![number]));
    }
    assert_eq!(host.raw.count.borrow().opened, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_groups_are_asked_for_eight_at_a_time() {
    for over in BOTH {
        let (mut host, mut node) = (Node::start(seed(9), over).await, Node::start(seed(1), over).await);
        let requests: Vec<RequestId> = (0..40).map(|group| node.ask(&host, b"?", group)).collect();
        let mut held = Vec::new();
        for _ in 0..8 {
            held.push(host.asked().await.0);
        }
        assert!(tokio::time::timeout(SHORT, host.asked()).await.is_err(), "a ninth at a time");
        held.into_iter().for_each(|ask| host.answer(ask, b"!"));
        for _ in 8..40 {
            let (ask, _) = host.asked().await;
            host.answer(ask, b"!");
        }
        for _ in requests {
            let told = node.until("an answer", |event| match event {
                Event::Answered { body, .. } => Some(Ok(body)),
                Event::Unanswered { reason, .. } => Some(Err(reason)),
                _ => None,
            });
            assert_eq!(told.await, Ok(b"!".to_vec()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn few_connections_are_kept_and_the_oldest_goes_first() {
    let mut host = Host::start(9, PROTOCOL).await;
    let mut node = Node::start_with(seed(1), Over::Tcp, |config| config.deadlines.linger = 4 * PATIENCE).await;
    let mut seen = Vec::new();
    for group in 0..12 {
        let request = node.ask(&host, b"?", group);
        seen.push(host.answer(b"!").await);
        assert_eq!(node.told(request).await, Ok(b"!".to_vec()));
        host.raw.until("the rest to be closed", |count| count.opened - count.closed <= 9).await;
    }
    for (group, known) in [(11, true), (0, false)] {
        let request = node.ask(&host, b"?", group);
        assert_eq!(seen.contains(&host.answer(b"!").await), known, "{group}");
        assert!(node.told(request).await.is_ok());
    }
    assert_eq!(host.raw.count.borrow().opened, 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_told_at_once() {
    let mut node = Node::start_with(seed(1), Over::Quic, |config| config.limits.queued_asks = 2).await;
    let raw = Raw::start(9).await;
    let at = address(&raw.address.to_string());
    let (mut other, impostor) = (Node::start(seed(2), Over::Tcp).await, Node::start(seed(3), Over::Tcp).await);
    for (what, addresses, body, expected) in [
        ("no address", vec![], vec![1], AskFailure::NoAddress),
        ("a group of hosts", vec![address("/ip4/224.0.0.1/udp/4001/quic-v1")], vec![1], AskFailure::NoAddress),
        ("a long body", vec![at.clone()], vec![1; REQUEST + 1], AskFailure::TooLong),
        ("nobody there", vec![address("/ip4/127.0.0.1/tcp/9")], vec![1], AskFailure::Unreachable),
        ("no mailbox", vec![at.clone()], vec![1], AskFailure::NotSpoken),
    ] {
        let request = node.ask(&(raw.peer, addresses), &body, 1);
        assert_eq!(node.told(request).await, Err(expected), "{what}");
    }
    let request = node.ask(&(other.peer, vec![impostor.address.clone()]), b"?", 1);
    assert_eq!(node.told(request).await, Err(AskFailure::AnotherNode));
    // The right node at the next address is found all the same.
    let request = node.ask(&(other.peer, vec![impostor.address.clone(), other.address.clone()]), b"?", 1);
    let (ask, _) = other.asked().await;
    // Both places are taken, by this one and the next; the one after has none.
    let second = node.ask(&other, b"??", 2);
    let third = node.ask(&other, b"???", 3);
    assert_eq!(node.told(third).await, Err(AskFailure::Full));
    other.answer(ask, &[7]);
    assert_eq!(node.told(request).await, Ok(vec![7]));
    let (ask, _) = other.asked().await;
    other.answer(ask, &[8]);
    assert_eq!(node.told(second).await, Ok(vec![8]));
}

#[tokio::test(flavor = "multi_thread")]
async fn d04_a_host_that_does_not_answer_properly_is_given_up_in_time() {
    let limit = u32::try_from(REPLY).unwrap();
    let mut host = Host::start(9, PROTOCOL).await;
    let mut node = Node::start_with(seed(1), Over::Tcp, |config| config.deadlines.visit = 5 * SHORT).await;
    for (group, (what, bytes, closes, expected)) in (1..).zip([
        ("says nothing", vec![], false, AskFailure::Silent),
        ("closes at once", vec![], true, AskFailure::Broken),
        ("announces 4 GiB", [u32::MAX.to_be_bytes().to_vec(), vec![0; 65_536]].concat(), false, AskFailure::Broken),
        ("announces a byte too much", (limit + 1).to_be_bytes().to_vec(), false, AskFailure::Broken),
        ("closes half-way", [limit.to_be_bytes().to_vec(), vec![0; 100]].concat(), true, AskFailure::Broken),
        ("stops half-way", [limit.to_be_bytes().to_vec(), vec![0; 100]].concat(), false, AskFailure::Silent),
    ]) {
        let began = Instant::now();
        let request = node.ask(&host, b"?", group);
        let (_, mut stream, _) = host.asked().await;
        // It may be given up before the last byte.
        write(&mut stream, &bytes).await;
        if closes {
            stream.close().await.ok();
        }
        assert_eq!(node.told(request).await, Err(expected), "{what}");
        assert!(began.elapsed() < PATIENCE / 2, "{what}: {:?}", began.elapsed());
        // What was wrong with one is forgotten with its connection.
        let request = node.ask(&host, b"?", group);
        host.answer(b"!").await;
        assert_eq!(node.told(request).await, Ok(b"!".to_vec()), "after one that {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d04_a_host_that_answers_byte_by_byte_is_given_up_in_time() {
    let mut host = Host::start(9, PROTOCOL).await;
    let mut node = Node::start_with(seed(1), Over::Tcp, |config| config.deadlines.visit = 5 * SHORT).await;
    let began = Instant::now();
    let request = node.ask(&host, b"?", 1);
    let (_, mut stream, _) = host.asked().await;
    let dripping = tokio::spawn(async move {
        let mut drip = tokio::time::interval(Duration::from_millis(20));
        for byte in framed(&[0; REPLY]).chunks(1) {
            drip.tick().await;
            if !write(&mut stream, byte).await {
                break;
            }
        }
    });
    assert_eq!(node.told(request).await, Err(AskFailure::Silent));
    assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
    tokio::time::timeout(PATIENCE, dripping).await.expect("the connection stays open").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn d01_a_question_that_is_too_long_cut_off_or_dripped_is_dropped_and_the_next_is_heard() {
    let mut node = Node::start_with(seed(1), Over::Tcp, |config| config.deadlines.frame = SHORT).await;
    let raw = Raw::start(9).await;
    assert!(raw.dial(&node).await);
    let limit = u32::try_from(REQUEST).unwrap();
    for (bytes, closes) in [
        ([u32::MAX.to_be_bytes().to_vec(), vec![2; 65_536]].concat(), false),
        ((limit + 1).to_be_bytes().to_vec(), false),
        ([limit.to_be_bytes().to_vec(), vec![2; 100]].concat(), true),
        ([limit.to_be_bytes().to_vec(), vec![2; 100]].concat(), false),
        (vec![0, 0], false),
        (vec![], false),
    ] {
        let mut stream = raw.question(node.peer, PROTOCOL).await.unwrap();
        write(&mut stream, &bytes).await;
        if closes {
            stream.close().await.ok();
        }
        ended(&mut stream).await;
    }
    // The first that goes up is the first that is whole.
    let (answer, ()) = tokio::join!(raw.ask(node.peer, PROTOCOL, b"whole"), async {
        let (ask, body) = node.asked().await;
        assert_eq!(body, b"whole");
        node.answer(ask, b"heard");
    });
    assert_eq!(answer.unwrap(), b"heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_nobody_answers_is_dropped_in_time_and_a_late_answer_passed_over() {
    let mut node = Node::start_with(seed(1), Over::Tcp, |config| config.deadlines.answer = SHORT).await;
    let raw = Raw::start(9).await;
    assert!(raw.dial(&node).await);
    let (answer, (late, _)) = tokio::join!(raw.ask(node.peer, PROTOCOL, b"?"), node.asked());
    assert_eq!(answer, None);
    node.answer(late, b"late");
    let (answer, ()) = tokio::join!(raw.ask(node.peer, PROTOCOL, b"??"), async {
        let (ask, _) = node.asked().await;
        node.answer(late, b"later");
        node.answer(ask, b"at once");
        node.answer(ask, b"twice");
    });
    assert_eq!(answer.unwrap(), b"at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn d05_the_eleventh_deposit_in_a_second_is_told_later() {
    let mut node = Node::start(seed(1), Over::Tcp).await;
    let (raw, other) = (Raw::start(9).await, Raw::start(8).await);
    assert!(raw.dial(&node).await && other.dial(&node).await);
    let (peer, deposit, collect) = (node.peer, [1, 0, 0], [2, 0, 0]);
    let answering = tokio::spawn(async move {
        while let Some(event) = node.network.events.recv().await {
            if let Event::Asked { ask, .. } = event {
                node.answer(ask, b"done");
            }
        }
    });
    let later = Reply::Refused(Refused::Later(1)).encode(0);
    let (began, mut refused) = (Instant::now(), 0);
    for _ in 0..30 {
        let told = raw.ask(peer, PROTOCOL, &deposit).await.unwrap();
        assert!(told == later || told == b"done", "{told:?}");
        refused += usize::from(told == later);
    }
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    assert!(30 - refused <= 10 * seconds, "{refused} of 30 refused in {seconds} s");
    assert!(seconds > 2 || refused > 0);
    assert_eq!(raw.ask(peer, PROTOCOL, &collect).await.unwrap(), b"done", "another kind of question");
    assert_eq!(other.ask(peer, PROTOCOL, &deposit).await.unwrap(), b"done", "another connection");
    answering.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_a_flood_of_questions_on_one_connection_is_bounded_and_others_are_served() {
    let mut node = Node::start(seed(1), Over::Tcp).await;
    let mut honest = Node::start(seed(2), Over::Quic).await;
    let raw = Raw::start(9).await;
    assert!(raw.dial(&node).await);
    let streams = raw.flood(&node, PROTOCOL, 1_000).await;
    let request = honest.ask(&node, b"honest", 1);
    let mut flood = Vec::new();
    let ask = loop {
        match node.asked().await {
            (ask, body) if body == b"honest" => break ask,
            (ask, _) => flood.push(ask),
        }
    };
    assert!((1..=4).contains(&flood.len()), "{} of {} went up", flood.len(), streams.len());
    node.answer(ask, b"served");
    assert_eq!(honest.told(request).await, Ok(b"served".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_questions_over_the_limit_are_told_later_until_there_is_room() {
    let mut node = Node::start_with(seed(1), Over::Quic, |config| config.limits.asks = 2).await;
    let mut others = Vec::new();
    for number in 2..5 {
        others.push(Node::start(seed(number), Over::Tcp).await);
    }
    let mut waiting = Vec::new();
    for other in &mut others[..2] {
        let request = other.ask(&node, b"?", 1);
        waiting.push((request, node.asked().await.0));
    }
    let request = others[2].ask(&node, b"?", 1);
    let later = others[2].told(request).await.unwrap();
    assert!(matches!(Reply::decode(&later), Ok(Reply::Refused(Refused::Later(_)))), "{later:?}");
    for (other, (request, ask)) in others.iter_mut().zip(waiting) {
        node.answer(ask, b"!");
        assert_eq!(other.told(request).await, Ok(b"!".to_vec()));
    }
    // Room is there when the answer has been delivered, of which this end hears a moment after the other.
    let served = async {
        loop {
            let request = others[2].ask(&node, b"?", 1);
            tokio::select! {
                (ask, _) = node.asked() => break ask,
                told = others[2].told(request) => assert_eq!(told.unwrap(), later),
            }
        }
    };
    tokio::time::timeout(PATIENCE, served).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_shuts_down_leaves_its_visits() {
    let mut host = Host::start(9, PROTOCOL).await;
    let mut node = Node::start(seed(1), Over::Quic).await;
    node.ask(&host, b"?", 1);
    let (_, mut stream, _) = host.asked().await;
    node.shut_down().await;
    ended(&mut stream).await;
    host.raw.until("to be left", |count| count.closed == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visit_that_is_over_takes_no_place_at_the_host() {
    for over in BOTH {
        let mut host = Node::start_with(seed(9), over, |config| config.limits.incoming = 2).await;
        let mut node = Node::start_with(seed(1), over, |config| config.deadlines.linger = Duration::ZERO).await;
        let (began, mut groups) = (Instant::now(), 0);
        while groups < 12 {
            // Far sooner than a host gives up those that are silent.
            assert!(began.elapsed() < Duration::from_secs(10), "{over:?}: {groups} of 12");
            let request = node.ask(&host, b"?", groups);
            tokio::select! {
                (ask, _) = host.asked() => host.answer(ask, b"!"),
                // The host has not heard of the end of the one before.
                told = node.told(request) => {
                    assert!(told.is_err());
                    continue;
                }
            }
            assert_eq!(node.told(request).await, Ok(b"!".to_vec()));
            groups += 1;
        }
    }
}
