//! Questions to witnesses: as those to mailboxes, but for their sizes and for how many there may be at a time.

use std::collections::BTreeSet;
use std::time::Instant;

use futures::AsyncWriteExt;
use kinfolk_net::{AskFailure, Command, Event, RequestId};
use kinfolk_wire::ledger::{MESSAGE, PROTOCOL};
use kinfolk_wire::mailbox;
use libp2p::PeerId;

use crate::asking::{Host, SHORT, all_framed, framed, read, say};
use crate::raw::{Raw, ended, write};
use crate::support::{BOTH, Node, Over, PATIENCE, address, seed};

#[tokio::test(flavor = "multi_thread")]
async fn a_question_to_a_witness_and_its_reply_arrive_whole_over_both_transports() {
    for over in BOTH {
        let (mut witness, mut node) = (Node::start(seed(1), over).await, Node::start(seed(2), over).await);
        for (length, reply) in [(1, 0), (650, 100), (MESSAGE, MESSAGE)] {
            let (body, reply) = (vec![2; length], vec![9; reply]);
            let request = node.inquire(&witness, &body, 1);
            let (inquiry, heard) = witness.inquiry().await;
            assert_eq!(heard, body);
            witness.reply(inquiry, &reply);
            assert_eq!(node.told(request).await, Ok(reply));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h09_a_witness_sees_neither_who_asks_nor_that_two_accounts_are_of_one() {
    let mut witness = Host::start(9, PROTOCOL).await;
    let mut node = Node::start(seed(1), Over::Quic).await;
    let own = PeerId::from_bytes(node.peer.as_bytes()).unwrap();
    let mut seen = Vec::new();
    for group in [1, 1, 2, 3, 1] {
        let request = node.inquire(&witness, b"?", group);
        seen.push(witness.answer(b"!").await);
        assert_eq!(node.told(request).await, Ok(b"!".to_vec()));
    }
    assert!(!seen.contains(&own), "the node's own identity");
    assert_eq!([seen[1], seen[4]], [seen[0]; 2], "the second payment costs no handshake");
    assert_eq!(BTreeSet::from([seen[0], seen[2], seen[3]]).len(), 3, "each account an identity of its own");
    assert_eq!(witness.raw.count.borrow().visitors, [seen[0], seen[2], seen[3]], "and nobody else came");
    assert!(witness.raw.identified.try_recv().is_err(), "whoever asks does not introduce itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn h09_one_who_asks_a_node_as_a_mailbox_and_as_a_witness_is_two_strangers() {
    let mut witness = Host::start(9, PROTOCOL).await;
    let mut questions = witness.raw.control().accept(libp2p::StreamProtocol::new(mailbox::PROTOCOL)).unwrap();
    let mut node = Node::start(seed(1), Over::Tcp).await;
    let request = node.inquire(&witness, b"?", 1);
    let one = witness.answer(b"!").await;
    assert!(node.told(request).await.is_ok());
    let (request, host) = (node.request(), witness.raw.peer);
    let addresses = vec![address(&witness.raw.address.to_string())];
    node.command(Command::Ask { request, host, addresses, body: b"?".to_vec(), group: 1 });
    let asked = tokio::time::timeout(PATIENCE, futures::StreamExt::next(&mut questions));
    let (other, _) = asked.await.unwrap().unwrap();
    assert_ne!(one, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_questions_of_one_account_are_under_way_at_a_time() {
    let (mut witness, mut node) = (Node::start(seed(9), Over::Quic).await, Node::start(seed(1), Over::Quic).await);
    let requests: Vec<RequestId> = (0..20).map(|number| node.inquire(&witness, &[number], 1)).collect();
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(witness.inquiry().await);
    }
    assert!(tokio::time::timeout(SHORT, witness.inquiry()).await.is_err(), "a ninth at a time");
    // The last that was asked may be answered first.
    for (inquiry, body) in held.into_iter().rev() {
        witness.reply(inquiry, &body);
    }
    for _ in 8..20 {
        let (inquiry, body) = witness.inquiry().await;
        witness.reply(inquiry, &body);
    }
    let mut replies = BTreeSet::new();
    for _ in 0..20 {
        replies.insert(
            node.until("a reply", |event| match event {
                Event::Replied { request, body } => Some((request.0, body)),
                Event::Unreplied { reason, .. } => panic!("{reason}"),
                _ => None,
            })
            .await,
        );
    }
    let expected: BTreeSet<_> = (0..).zip(requests).map(|(number, request)| (request.0, vec![number])).collect();
    assert_eq!(replies, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_is_asked_at_once_and_one_that_is_silent_holds_up_nobody() {
    let mut node = Node::start(seed(1), Over::Quic).await;
    let mut silent = Host::start(99, PROTOCOL).await;
    node.inquire(&silent, b"?", 1);
    let _open = silent.asked().await;
    let mut witnesses = Vec::new();
    for number in 10..14 {
        witnesses.push(Host::start(number, PROTOCOL).await);
    }
    let requests: Vec<RequestId> = witnesses.iter().map(|witness| node.inquire(witness, b"?", 1)).collect();
    // All four have been asked before any of them answers.
    let mut held = Vec::new();
    for witness in &mut witnesses {
        held.push(witness.asked().await.1);
    }
    for (stream, request) in held.into_iter().zip(requests) {
        say(stream, b"!").await;
        assert_eq!(node.told(request).await, Ok(b"!".to_vec()), "beside {request:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_of_a_witness_is_told_at_once() {
    let mut node = Node::start_with(seed(1), Over::Quic, |config| config.limits.queued_inquiries = 2).await;
    let raw = Raw::start(9).await;
    let at = address(&raw.address.to_string());
    let (mut other, impostor) = (Node::start(seed(2), Over::Tcp).await, Node::start(seed(3), Over::Tcp).await);
    for (what, addresses, body, expected) in [
        ("no address", vec![], vec![1], AskFailure::NoAddress),
        ("a long body", vec![at.clone()], vec![1; MESSAGE + 1], AskFailure::TooLong),
        ("nobody there", vec![address("/ip4/127.0.0.1/tcp/9")], vec![1], AskFailure::Unreachable),
        ("no witness", vec![at.clone()], vec![1], AskFailure::NotSpoken),
    ] {
        let request = node.inquire(&(raw.peer, addresses), &body, 1);
        assert_eq!(node.told(request).await, Err(expected), "{what}");
    }
    let request = node.inquire(&(other.peer, vec![impostor.address.clone()]), b"?", 1);
    assert_eq!(node.told(request).await, Err(AskFailure::AnotherNode));
    let requests = [1, 2, 3].map(|group| node.inquire(&other, b"?", group));
    assert_eq!(node.told(requests[2]).await, Err(AskFailure::Full), "both places are taken");
    // Mailboxes have places of their own.
    let (request, host, addresses) = (node.request(), other.peer, vec![other.address.clone()]);
    node.command(Command::Ask { request, host, addresses, body: b"?".to_vec(), group: 1 });
    let ask = other
        .until("to be asked as a mailbox", |event| match event {
            Event::Asked { ask, .. } => Some(ask),
            _ => None,
        })
        .await;
    other.command(Command::Answer { ask, body: b"!".to_vec() });
    node.until("an answer", |event| matches!(event, Event::Answered { .. }).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d04_a_witness_that_does_not_answer_properly_is_given_up_in_time_with_all_it_was_asked() {
    let limit = u32::try_from(MESSAGE).unwrap();
    let mut witness = Host::start(9, PROTOCOL).await;
    let mut node = Node::start_with(seed(1), Over::Tcp, |config| config.deadlines.inquiry = 5 * SHORT).await;
    for (group, (what, bytes, closes, expected)) in (1..).zip([
        ("says nothing", vec![], false, AskFailure::Silent),
        ("closes at once", vec![], true, AskFailure::Broken),
        ("announces 4 GiB", [u32::MAX.to_be_bytes().to_vec(), vec![0; 65_536]].concat(), false, AskFailure::Broken),
        ("announces a byte too much", (limit + 1).to_be_bytes().to_vec(), false, AskFailure::Broken),
        ("stops half-way", [limit.to_be_bytes().to_vec(), vec![0; 100]].concat(), false, AskFailure::Silent),
    ]) {
        let began = Instant::now();
        let one = node.inquire(&witness, b"one", group);
        let (_, mut stream, _) = witness.asked().await;
        let two = node.inquire(&witness, b"two", group);
        assert_eq!(read(&mut stream).await.unwrap(), b"two");
        write(&mut stream, &bytes).await;
        if closes {
            stream.close().await.ok();
        }
        assert_eq!(node.all_told(2).await, [one, two].map(|request| (request, Err(expected))), "{what}");
        assert!(began.elapsed() < PATIENCE / 2, "{what}: {:?}", began.elapsed());
        // What was wrong with one is forgotten with its connection.
        let request = node.inquire(&witness, b"?", group);
        witness.answer(b"!").await;
        assert_eq!(node.told(request).await, Ok(b"!".to_vec()), "after one that {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d01_a_question_to_a_witness_that_is_too_long_cut_off_or_dripped_is_dropped_and_the_next_is_heard() {
    let mut node = Node::start_with(seed(1), Over::Tcp, |config| config.deadlines.frame = SHORT).await;
    let raw = Raw::start(9).await;
    assert!(raw.dial(&node).await);
    let limit = u32::try_from(MESSAGE).unwrap();
    for (bytes, closes) in [
        ([u32::MAX.to_be_bytes().to_vec(), vec![2; 65_536]].concat(), false),
        ((limit + 1).to_be_bytes().to_vec(), false),
        ([limit.to_be_bytes().to_vec(), vec![2; 100]].concat(), true),
        ([limit.to_be_bytes().to_vec(), vec![2; 100]].concat(), false),
        (vec![], false),
    ] {
        let mut stream = raw.question(node.peer, PROTOCOL).await.unwrap();
        write(&mut stream, &bytes).await;
        if closes {
            stream.close().await.ok();
        }
        ended(&mut stream).await;
    }
    let (answer, ()) = tokio::join!(raw.ask(node.peer, PROTOCOL, b"whole"), async {
        let (inquiry, body) = node.inquiry().await;
        assert_eq!(body, b"whole");
        node.reply(inquiry, b"heard");
        node.reply(inquiry, b"twice");
    });
    assert_eq!(answer.unwrap(), b"heard");
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_a_flood_of_questions_to_a_witness_on_one_connection_is_bounded_and_others_are_served() {
    let mut node = Node::start(seed(1), Over::Tcp).await;
    let mut honest = Node::start(seed(2), Over::Quic).await;
    let raw = Raw::start(9).await;
    assert!(raw.dial(&node).await);
    let streams = raw.flood(&node, PROTOCOL, 1_000).await;
    let request = honest.inquire(&node, b"honest", 1);
    let mut flood = 0;
    let inquiry = loop {
        match node.inquiry().await {
            (inquiry, body) if body == b"honest" => break inquiry,
            _ => flood += 1,
        }
    };
    assert!((5..=16).contains(&flood), "{flood} of {} went up", streams.len());
    node.reply(inquiry, b"served");
    assert_eq!(honest.told(request).await, Ok(b"served".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_questions_to_a_witness_over_the_limit_are_told_what_the_node_says_until_there_is_room() {
    let limit = |config: &mut kinfolk_net::Config| {
        config.limits.inquiries = 2;
        config.no_room = b"come later".to_vec();
    };
    let mut node = Node::start_with(seed(1), Over::Quic, limit).await;
    let raw = Raw::start(9).await;
    assert!(raw.dial(&node).await);
    let _held = raw.flood(&node, PROTOCOL, 2).await;
    let inquiries = [node.inquiry().await.0, node.inquiry().await.0];
    let mut other = Node::start(seed(2), Over::Tcp).await;
    let request = other.inquire(&node, b"?", 1);
    assert_eq!(other.told(request).await, Ok(b"come later".to_vec()));
    // Those who ask it as a mailbox are heard all the same.
    let (request, host, addresses) = (other.request(), node.peer, vec![node.address.clone()]);
    other.command(Command::Ask { request, host, addresses, body: b"?".to_vec(), group: 1 });
    node.until("to be asked as a mailbox", |event| matches!(event, Event::Asked { .. }).then_some(())).await;
    inquiries.into_iter().for_each(|inquiry| node.reply(inquiry, b"!"));
    // Room is there when the answer has been delivered, of which this end hears a moment after the other.
    let served = async {
        loop {
            let request = other.inquire(&node, b"?", 1);
            tokio::select! {
                (inquiry, _) = node.inquiry() => break inquiry,
                told = other.told(request) => assert_eq!(told.unwrap(), b"come later"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, served).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_of_one_substream_are_answered_in_their_order_whatever_is_answered_first() {
    for over in BOTH {
        let mut node = Node::start(seed(1), over).await;
        let raw = Raw::start(9).await;
        assert!(raw.dial(&node).await);
        let mut stream = raw.question(node.peer, PROTOCOL).await.unwrap();
        // Cut where no body ends, and several at a time.
        let bytes = all_framed((1..=12).map(|number| vec![number; 700]));
        for part in bytes.chunks(1_500) {
            assert!(write(&mut stream, part).await);
        }
        let heard = node.inquiries(12).await;
        assert_eq!(heard.iter().map(|(_, body)| body[0]).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
        for (inquiry, body) in heard.into_iter().rev() {
            node.reply(inquiry, &body[..usize::from(body[0])]);
        }
        for number in 1..=12 {
            assert_eq!(read(&mut stream).await.unwrap(), vec![number; usize::from(number)], "{over:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_the_seventeenth_question_of_a_connection_waits_until_an_answer_has_left() {
    let mut node = Node::start(seed(1), Over::Tcp).await;
    let raw = Raw::start(9).await;
    assert!(raw.dial(&node).await);
    let mut stream = raw.question(node.peer, PROTOCOL).await.unwrap();
    let mut other = raw.question(node.peer, PROTOCOL).await.unwrap();
    assert!(write(&mut stream, &all_framed((0..20).map(|number| vec![number]))).await);
    let mut heard = node.inquiries(16).await;
    node.is_left_alone().await;
    // Nor on another substream.
    assert!(write(&mut other, &framed(b"other")).await);
    node.is_left_alone().await;
    // An answer that waits for the one before it has not left.
    let (last, body) = heard.pop().unwrap();
    node.reply(last, &body);
    node.is_left_alone().await;
    let (first, body) = heard.remove(0);
    node.reply(first, &body);
    heard.push(node.inquiry().await);
    node.is_left_alone().await;
    let mut answered_other = false;
    for _ in 0..4 {
        for (inquiry, body) in std::mem::take(&mut heard) {
            answered_other |= body == b"other";
            node.reply(inquiry, &body);
        }
        while let Ok(question) = tokio::time::timeout(SHORT, node.inquiry()).await {
            heard.push(question);
        }
    }
    assert!(heard.is_empty() && answered_other);
    for number in 0..20 {
        assert_eq!(read(&mut stream).await.unwrap(), [number]);
    }
    assert_eq!(read(&mut other).await.unwrap(), b"other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_written_question_is_given_up_in_time_and_what_was_whole_is_answered() {
    let mut node = Node::start_with(seed(1), Over::Tcp, |config| config.deadlines.frame = SHORT / 3).await;
    let raw = Raw::start(9).await;
    assert!(raw.dial(&node).await);
    let half = [&100_u32.to_be_bytes()[..], &[7; 50]].concat();
    let mut stream = raw.question(node.peer, PROTOCOL).await.unwrap();
    let mut beside = raw.question(node.peer, PROTOCOL).await.unwrap();
    assert!(write(&mut beside, &framed(b"beside")).await);
    assert!(write(&mut stream, &[framed(b"one"), framed(b"two"), half.clone()].concat()).await);
    let heard = node.inquiries(3).await;
    node.is_left_alone().await;
    // Too late: nothing more is heard on it.
    write(&mut stream, &[&[7; 50][..], &framed(b"three")].concat()).await;
    node.is_left_alone().await;
    for (inquiry, body) in heard {
        node.reply(inquiry, &body);
    }
    assert_eq!(read(&mut stream).await.unwrap(), b"one");
    assert_eq!(read(&mut stream).await.unwrap(), b"two");
    ended(&mut stream).await;
    assert_eq!(read(&mut beside).await.unwrap(), b"beside");
    // Between questions there is more time than that.
    assert!(write(&mut beside, &framed(b"again")).await);
    let (inquiry, body) = node.inquiry().await;
    node.reply(inquiry, &body);
    assert_eq!(read(&mut beside).await.unwrap(), b"again");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_asks_and_closes_their_half_is_answered_and_then_the_other_half_is_closed() {
    for over in BOTH {
        let mut node = Node::start(seed(1), over).await;
        let raw = Raw::start(9).await;
        assert!(raw.dial(&node).await);
        for questions in [1, 3] {
            let mut stream = raw.question(node.peer, PROTOCOL).await.unwrap();
            assert!(write(&mut stream, &all_framed((0..questions).map(|number| vec![number]))).await);
            stream.close().await.unwrap();
            for (inquiry, body) in node.inquiries(questions.into()).await {
                node.reply(inquiry, &body);
            }
            for number in 0..questions {
                assert_eq!(read(&mut stream).await.unwrap(), [number]);
            }
            assert_eq!(read(&mut stream).await, None, "{over:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_substream_on_which_nothing_is_asked_is_closed_after_a_while_and_whoever_asks_opens_another() {
    let mut node = Node::start_with(seed(9), Over::Tcp, |config| config.deadlines.idle_connection = SHORT).await;
    let raw = Raw::start(8).await;
    assert!(raw.dial(&node).await);
    let mut stream = raw.question(node.peer, PROTOCOL).await.unwrap();
    assert!(write(&mut stream, &framed(b"?")).await);
    let (inquiry, _) = node.inquiry().await;
    node.reply(inquiry, b"!");
    assert_eq!(read(&mut stream).await.unwrap(), b"!");
    ended(&mut stream).await;
    // So does this program, without a word to whoever asked.
    let mut asking = Node::start(seed(1), Over::Quic).await;
    for moments in [0, 3, 0, 3] {
        let request = asking.inquire(&node, b"?", 1);
        let (inquiry, _) = node.inquiry().await;
        node.reply(inquiry, b"!");
        assert_eq!(asking.told(request).await, Ok(b"!".to_vec()));
        for _ in 0..moments {
            node.is_left_alone().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_answers_once_on_each_substream_is_asked_everything_all_the_same() {
    let mut witness = Host::start(9, PROTOCOL).await;
    let mut node = Node::start(seed(1), Over::Quic).await;
    let requests: Vec<RequestId> = (0..12).map(|number| node.inquire(&witness, &[number], 1)).collect();
    let mut streams = 0;
    let answering = async {
        let mut answered = BTreeSet::new();
        while answered.len() < 12 {
            let (_, stream, body) = witness.asked().await;
            say(stream, &body).await;
            streams += 1;
            answered.insert(body);
        }
    };
    let (told, ()) = tokio::join!(node.all_told(12), answering);
    let expected: Vec<_> = (0..).zip(requests).map(|(number, request)| (request, Ok(vec![number]))).collect();
    assert_eq!(told, expected);
    assert_eq!(streams, 12, "one each");
    assert_eq!(witness.raw.count.borrow().opened, 1, "on one connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_says_more_than_it_was_asked_is_left() {
    let mut witness = Host::start(9, PROTOCOL).await;
    let mut node = Node::start(seed(1), Over::Tcp).await;
    let request = node.inquire(&witness, b"?", 1);
    let (_, mut stream, _) = witness.asked().await;
    assert!(write(&mut stream, &all_framed([b"!".to_vec(), b"and another".to_vec()])).await);
    assert_eq!(node.told(request).await, Ok(b"!".to_vec()));
    witness.raw.until("to be left", |count| count.closed == 1).await;
    let request = node.inquire(&witness, b"?", 1);
    witness.answer(b"!").await;
    assert_eq!(node.told(request).await, Ok(b"!".to_vec()), "what was too much is the answer to nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_question_on_a_connection_that_dies_is_told_of_once() {
    let mut node = Node::start(seed(1), Over::Tcp).await;
    let mut witness = Host::start(9, PROTOCOL).await;
    // Some are under way then, the others wait.
    let mut requests: Vec<RequestId> = (0..20).map(|number| node.inquire(&witness, &[number], 1)).collect();
    let (_, mut stream, first) = witness.asked().await;
    for number in 1..8 {
        assert_eq!(read(&mut stream).await.unwrap(), [number]);
    }
    assert!(write(&mut stream, &framed(&first)).await);
    assert_eq!(node.told(requests.remove(0)).await, Ok(first));
    drop((stream, witness));
    let told: Vec<RequestId> = node
        .all_told(19)
        .await
        .into_iter()
        .map(|(request, told)| {
            assert!(matches!(told, Err(AskFailure::Broken | AskFailure::Unreachable)), "{told:?}");
            request
        })
        .collect();
    assert_eq!(told, requests);
    let nothing_more = tokio::time::timeout(SHORT, node.event("nothing more")).await;
    assert!(nothing_more.is_err(), "{nothing_more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_the_places_of_one_who_leaves_in_the_midst_of_questions_are_free_again() {
    let limit = |config: &mut kinfolk_net::Config| {
        config.limits.inquiries = 5;
        config.no_room = b"come later".to_vec();
    };
    let mut node = Node::start_with(seed(1), Over::Tcp, limit).await;
    let mut honest = Node::start(seed(2), Over::Quic).await;
    let raw = Raw::start(9).await;
    assert!(raw.dial(&node).await);
    let mut stream = raw.question(node.peer, PROTOCOL).await.unwrap();
    assert!(write(&mut stream, &all_framed((0..5).map(|number| vec![number]))).await);
    let left = node.inquiries(5).await;
    let request = honest.inquire(&node, b"?", 1);
    assert_eq!(honest.told(request).await, Ok(b"come later".to_vec()));
    drop((stream, raw));
    let served = async {
        loop {
            let request = honest.inquire(&node, b"?", 1);
            tokio::select! {
                (inquiry, _) = node.inquiry() => {
                    // Answers to who has left go nowhere.
                    left.iter().for_each(|(inquiry, body)| node.reply(*inquiry, body));
                    node.reply(inquiry, b"!");
                    break honest.told(request).await;
                }
                told = honest.told(request) => assert_eq!(told.unwrap(), b"come later"),
            }
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, served).await.unwrap(), Ok(b"!".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_a_flood_of_questions_on_one_substream_is_bounded_and_others_are_served() {
    let mut node = Node::start(seed(1), Over::Tcp).await;
    let mut honest = Node::start(seed(2), Over::Quic).await;
    let raw = Raw::start(9).await;
    assert!(raw.dial(&node).await);
    let mut stream = raw.question(node.peer, PROTOCOL).await.unwrap();
    let flooding = tokio::spawn(async move { while write(&mut stream, &framed(&[7; MESSAGE])).await {} });
    let mut flood = node.inquiries(16).await;
    let request = honest.inquire(&node, b"honest", 1);
    let (inquiry, body) = node.inquiry().await;
    assert_eq!(body, b"honest", "a seventeenth");
    node.reply(inquiry, b"served");
    assert_eq!(honest.told(request).await, Ok(b"served".to_vec()));
    // It is not punished: what it asks is answered as long as it reads on, or until nothing can be put out any more.
    let (first, _) = flood.remove(0);
    node.reply(first, b"!");
    assert_eq!(node.inquiry().await.1.len(), MESSAGE);
    flooding.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_one_substream_too_many_of_a_connection_is_closed_at_once() {
    for (protocol, most) in [(PROTOCOL, 16), (mailbox::PROTOCOL, 4)] {
        let node = Node::start(seed(1), Over::Tcp).await;
        let (raw, other) = (Raw::start(9).await, Raw::start(8).await);
        assert!(raw.dial(&node).await && other.dial(&node).await);
        let mut held = Vec::new();
        for _ in 0..most {
            let mut stream = raw.question(node.peer, protocol).await.unwrap();
            assert!(write(&mut stream, &[0, 0]).await);
            held.push(stream);
        }
        let began = Instant::now();
        ended(&mut raw.question(node.peer, protocol).await.unwrap()).await;
        assert!(began.elapsed() < SHORT * 10, "{protocol}: as late as one that says nothing");
        for stream in &mut held {
            assert!(write(stream, &[0]).await, "{protocol}");
        }
        // Another connection has its own.
        let mut stream = other.question(node.peer, protocol).await.unwrap();
        assert!(write(&mut stream, &framed(b"?")).await, "{protocol}");
        assert!(tokio::time::timeout(SHORT, ended(&mut stream)).await.is_err(), "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d04_one_who_asks_and_never_reads_is_cut_off_in_time() {
    let limits = |config: &mut kinfolk_net::Config| {
        config.deadlines.write = SHORT;
        config.limits.inquiries = 16;
        config.no_room = b"come later".to_vec();
    };
    for over in BOTH {
        let mut node = Node::start_with(seed(1), over, limits).await;
        let raw = Raw::start(9).await;
        assert!(raw.dial(&node).await);
        let mut stream = raw.question(node.peer, PROTOCOL).await.unwrap();
        let mut asking = tokio::spawn(async move {
            while write(&mut stream, &framed(b"?")).await {}
            stream
        });
        // Answers go out until no more fit into what lies between the two.
        let cut = async {
            loop {
                tokio::select! {
                    (inquiry, _) = node.inquiry() => node.reply(inquiry, &[9; MESSAGE]),
                    stream = &mut asking => break stream,
                }
            }
        };
        drop(tokio::time::timeout(PATIENCE, cut).await.expect("it goes on").unwrap());
        // And its places are free.
        let mut honest = Node::start(seed(2), over).await;
        let request = honest.inquire(&node, b"honest", 1);
        let inquiry = loop {
            let (inquiry, body) = node.inquiry().await;
            if body == b"honest" {
                break inquiry;
            }
        };
        node.reply(inquiry, b"served");
        assert_eq!(honest.told(request).await, Ok(b"served".to_vec()), "{over:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_one_answer_that_does_not_come_holds_the_others_of_its_substream_only_for_a_time() {
    let mut node = Node::start_with(seed(1), Over::Tcp, |config| config.deadlines.answer = 2 * SHORT).await;
    let raw = Raw::start(9).await;
    assert!(raw.dial(&node).await);
    let mut stream = raw.question(node.peer, PROTOCOL).await.unwrap();
    assert!(write(&mut stream, &all_framed((0..3).map(|number| vec![number]))).await);
    let mut beside = raw.question(node.peer, PROTOCOL).await.unwrap();
    assert!(write(&mut beside, &framed(b"beside")).await);
    let mut heard = node.inquiries(4).await;
    let silent = heard.iter().position(|(_, body)| body == &[1]).unwrap();
    let (late, _) = heard.remove(silent);
    heard.iter().for_each(|(inquiry, body)| node.reply(*inquiry, body));
    assert_eq!(read(&mut stream).await.unwrap(), [0]);
    assert_eq!(read(&mut beside).await.unwrap(), b"beside");
    assert_eq!(read(&mut stream).await, None, "what comes behind the missing one goes with it");
    node.reply(late, b"late");
    assert!(write(&mut beside, &framed(b"again")).await);
    let (inquiry, body) = node.inquiry().await;
    node.reply(inquiry, &body);
    assert_eq!(read(&mut beside).await.unwrap(), b"again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_asks_no_more_leaves_its_witness_and_comes_back_as_somebody_else() {
    let mut witness = Host::start(9, PROTOCOL).await;
    let mut node = Node::start_with(seed(1), Over::Quic, |config| config.deadlines.stay = SHORT).await;
    let mut seen = BTreeSet::new();
    for times in 1..=2 {
        let request = node.inquire(&witness, b"?", 1);
        seen.insert(witness.answer(b"!").await);
        assert!(node.told(request).await.is_ok());
        witness.raw.until("to be left alone", |count| count.closed == times).await;
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_shuts_down_leaves_its_witnesses() {
    let mut witness = Host::start(9, PROTOCOL).await;
    let mut node = Node::start(seed(1), Over::Quic).await;
    node.inquire(&witness, b"?", 1);
    let (_, mut stream, _) = witness.asked().await;
    node.shut_down().await;
    ended(&mut stream).await;
    witness.raw.until("to be left", |count| count.closed == 1).await;
}
