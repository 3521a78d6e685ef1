//! Questions to witnesses: as those to mailboxes, but for their sizes and for how many there may be at a time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::AsyncWriteExt;
use kinfolk_net::{AskFailure, Command, Event, InquiryId, RequestId};
use kinfolk_wire::invite::Address;
use kinfolk_wire::ledger::{MESSAGE, PROTOCOL};
use kinfolk_wire::mailbox;
use libp2p::PeerId;

use crate::asking::{Host, framed, say};
use crate::raw::{Raw, ended, write};
use crate::support::{BOTH, Node, Over, PATIENCE, address, seed};

/// Long for a machine, short for a person.
const SHORT: Duration = Duration::from_millis(300);

impl Node {
    fn inquire_at(
        &mut self,
        host: kinfolk_wire::ids::PeerId,
        addresses: Vec<Address>,
        body: &[u8],
        group: u64,
    ) -> RequestId {
        let request = self.request();
        self.command(Command::Inquire { request, host, addresses, group, body: body.to_vec() });
        request
    }

    fn inquire(&mut self, witness: &Self, body: &[u8], group: u64) -> RequestId {
        self.inquire_at(witness.peer, vec![witness.address.clone()], body, group)
    }

    fn inquire_raw(&mut self, witness: &Host, body: &[u8], group: u64) -> RequestId {
        self.inquire_at(witness.raw.peer, vec![address(&witness.raw.address.to_string())], body, group)
    }

    async fn inquiry(&mut self) -> (InquiryId, Vec<u8>) {
        self.until("to be asked as a witness", |event| match event {
            Event::Inquiry { inquiry, body } => Some((inquiry, body)),
            Event::Connected { .. } | Event::Asked { .. } => panic!("{event:?}"),
            _ => None,
        })
        .await
    }

    /// What became of a question.
    async fn replied(&mut self, of: RequestId) -> Result<Vec<u8>, AskFailure> {
        self.until("a reply", |event| match event {
            Event::Replied { request, body } if request == of => Some(Ok(body)),
            Event::Unreplied { request, reason } if request == of => Some(Err(reason)),
            _ => None,
        })
        .await
    }

    fn reply(&self, inquiry: InquiryId, body: &[u8]) {
        self.command(Command::Reply { inquiry, body: body.to_vec() });
    }
}

/// Opens so many questions on one connection, and says what came of the first ones that are still to be answered.
async fn flood(raw: &Raw, node: &Node, count: usize) -> Vec<libp2p::Stream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let Some(mut stream) = raw.question(node.peer, PROTOCOL).await else { break };
        write(&mut stream, &framed(b"flood")).await;
        streams.push(stream);
    }
    streams
}

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
            assert_eq!(node.replied(request).await, Ok(reply));
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
        let request = node.inquire_raw(&witness, b"?", group);
        seen.push(witness.answer(b"!").await);
        assert_eq!(node.replied(request).await, Ok(b"!".to_vec()));
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
    let request = node.inquire_raw(&witness, b"?", 1);
    let one = witness.answer(b"!").await;
    assert!(node.replied(request).await.is_ok());
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
    node.inquire_raw(&silent, b"?", 1);
    let _open = silent.asked().await;
    let mut witnesses = Vec::new();
    for number in 10..14 {
        witnesses.push(Host::start(number, PROTOCOL).await);
    }
    let requests: Vec<RequestId> = witnesses.iter().map(|witness| node.inquire_raw(witness, b"?", 1)).collect();
    // All four have been asked before any of them answers.
    let mut held = Vec::new();
    for witness in &mut witnesses {
        held.push(witness.asked().await.1);
    }
    for (stream, request) in held.into_iter().zip(requests) {
        say(stream, b"!").await;
        assert_eq!(node.replied(request).await, Ok(b"!".to_vec()), "beside {request:?}");
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
        let request = node.inquire_at(raw.peer, addresses, &body, 1);
        assert_eq!(node.replied(request).await, Err(expected), "{what}");
    }
    let request = node.inquire_at(other.peer, vec![impostor.address.clone()], b"?", 1);
    assert_eq!(node.replied(request).await, Err(AskFailure::AnotherNode));
    let requests = [1, 2, 3].map(|group| node.inquire(&other, b"?", group));
    assert_eq!(node.replied(requests[2]).await, Err(AskFailure::Full), "both places are taken");
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
    for (what, bytes, closes, expected) in [
        ("says nothing", vec![], false, AskFailure::Silent),
        ("closes at once", vec![], true, AskFailure::Broken),
        ("announces 4 GiB", [u32::MAX.to_be_bytes().to_vec(), vec![0; 65_536]].concat(), false, AskFailure::Broken),
        ("announces a byte too much", (limit + 1).to_be_bytes().to_vec(), false, AskFailure::Broken),
        ("stops half-way", [limit.to_be_bytes().to_vec(), vec![0; 100]].concat(), false, AskFailure::Silent),
    ] {
        let began = Instant::now();
        let one = node.inquire_raw(&witness, b"one", 1);
        let (_, mut stream, _) = witness.asked().await;
        let requests = [one, node.inquire_raw(&witness, b"two", 1)];
        let _other = witness.asked().await;
        write(&mut stream, &bytes).await;
        if closes {
            stream.close().await.ok();
        }
        let mut told = Vec::new();
        while told.len() < requests.len() {
            let unreplied = node.until("the end of a question", |event| match event {
                Event::Unreplied { request, reason } => Some((request, reason)),
                Event::Replied { .. } => panic!("{what}"),
                _ => None,
            });
            let (request, reason) = unreplied.await;
            assert!(requests.contains(&request));
            told.push(reason);
        }
        assert_eq!(told, [expected; 2], "{what}");
        assert!(began.elapsed() < PATIENCE / 2, "{what}: {:?}", began.elapsed());
        // What was wrong with one is forgotten with its connection.
        let request = node.inquire_raw(&witness, b"?", 1);
        witness.answer(b"!").await;
        assert_eq!(node.replied(request).await, Ok(b"!".to_vec()), "after one that {what}");
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
    let streams = flood(&raw, &node, 1_000).await;
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
    assert_eq!(honest.replied(request).await, Ok(b"served".to_vec()));
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
    let _held = flood(&raw, &node, 2).await;
    let inquiries = [node.inquiry().await.0, node.inquiry().await.0];
    let mut other = Node::start(seed(2), Over::Tcp).await;
    let request = other.inquire(&node, b"?", 1);
    assert_eq!(other.replied(request).await, Ok(b"come later".to_vec()));
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
                told = other.replied(request) => assert_eq!(told.unwrap(), b"come later"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, served).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_asks_no_more_leaves_its_witness_and_comes_back_as_somebody_else() {
    let mut witness = Host::start(9, PROTOCOL).await;
    let mut node = Node::start_with(seed(1), Over::Quic, |config| config.deadlines.stay = SHORT).await;
    let mut seen = BTreeSet::new();
    for times in 1..=2 {
        let request = node.inquire_raw(&witness, b"?", 1);
        seen.insert(witness.answer(b"!").await);
        assert!(node.replied(request).await.is_ok());
        witness.raw.until("to be left alone", |count| count.closed == times).await;
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_shuts_down_leaves_its_witnesses() {
    let mut witness = Host::start(9, PROTOCOL).await;
    let mut node = Node::start(seed(1), Over::Quic).await;
    node.inquire_raw(&witness, b"?", 1);
    let (_, mut stream, _) = witness.asked().await;
    node.shut_down().await;
    ended(&mut stream).await;
    witness.raw.until("to be left", |count| count.closed == 1).await;
}
