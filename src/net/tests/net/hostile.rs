//! A peer that breaks the rules loses its stream; nobody else notices.

use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use kinfolk_net::{Event, Role};
use kinfolk_wire::direct::{Ack, FrameKind, Nack, NackCode};
use kinfolk_wire::limits;
use libp2p::kad;

use crate::raw::{Raw, ended, frame, read_frame, write};
use crate::support::{Node, Over, PATIENCE, greet, seed};

/// A node with an honest contact, and a stranger who holds a stream to it.
struct Scene {
    node: Node,
    contact: Node,
    raw: Raw,
    stream: libp2p::Stream,
}

async fn scene(change: impl FnOnce(&mut kinfolk_net::Config)) -> Scene {
    let mut node = Node::start_with(seed(1), Over::Tcp, change).await;
    let mut contact = Node::start(seed(2), Over::Quic).await;
    node.dial(&contact);
    node.connected(contact.peer).await;
    contact.connected(node.peer).await;
    greet(&mut node, &mut contact).await;
    greet(&mut contact, &mut node).await;
    let raw = Raw::start(3).await;
    assert!(raw.dial(&node).await);
    let stream = raw.open(&node).await;
    assert_eq!(node.connected(raw.peer).await, Role::Listener);
    Scene { node, contact, raw, stream }
}

impl Scene {
    /// The stranger's stream is gone, the contact's is not.
    async fn only_the_stranger_is_dropped(mut self, what: &str) {
        ended(&mut self.stream).await;
        let (stranger, contact) = (self.raw.peer, self.contact.peer);
        self.node
            .until(what, |event| match event {
                Event::Disconnected { peer } if peer == stranger => Some(()),
                Event::Disconnected { peer } if peer == contact => panic!("{what}: the contact was dropped"),
                _ => None,
            })
            .await;
        greet(&mut self.contact, &mut self.node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_libp2p_peer_that_keeps_the_rules_is_heard_and_answered() {
    let Scene { mut node, mut stream, contact: _contact, raw: _raw } = scene(|_| {}).await;
    assert!(write(&mut stream, &frame(FrameKind::Hello, 1, b"first")).await);
    assert!(write(&mut stream, &frame(FrameKind::Payload, 2, b"second")).await);
    let (first, ..) = node.received().await;
    let (second, _, body) = node.received().await;
    assert_eq!(body, b"second");
    node.refuse(second, NackCode::Later);
    let nack = read_frame(&mut stream).await;
    assert_eq!((nack.kind, nack.sequence), (FrameKind::Nack, 1));
    assert_eq!(Nack::decode(&nack.body), Ok(Nack { sequence: 2, code: NackCode::Later }));
    node.acknowledge(first);
    let ack = read_frame(&mut stream).await;
    assert_eq!((ack.kind, ack.sequence), (FrameKind::Ack, 2));
    assert_eq!(Ack::decode(&ack.body), Ok(Ack { ranges: vec![(1, 1)] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_given_together_leave_as_ranges() {
    let Scene { mut node, mut stream, contact: _contact, raw: _raw } = scene(|_| {}).await;
    for sequence in 1..=600 {
        assert!(write(&mut stream, &frame(FrameKind::Payload, sequence, b"")).await);
    }
    let mut deliveries = Vec::new();
    for _ in 0..600 {
        deliveries.push(node.received().await.0);
    }
    deliveries.into_iter().for_each(|delivery| node.acknowledge(delivery));
    let (mut answered, mut frames) = (0, 0);
    while answered < 600 {
        let ack = Ack::decode(&read_frame(&mut stream).await.body).unwrap();
        answered += ack.ranges.iter().map(|(first, last)| last - first + 1).sum::<u64>();
        frames += 1;
    }
    assert!(frames < 300, "{frames} frames for 600 answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn d01_malformed_frames_drop_the_stream_and_nothing_else() {
    let good = frame(FrameKind::Hello, 1, b"hello");
    let with_kind = |kind: u8| {
        let mut bytes = good.clone();
        bytes[4] = kind;
        bytes
    };
    let ack = |body: &[u8]| frame(FrameKind::Ack, 1, body);
    let range = |first: u64, last: u64| [first.to_be_bytes(), last.to_be_bytes()].concat();
    for (what, bytes) in [
        ("length 0", vec![0; 4]),
        ("length 8, shorter than a head", [&8_u32.to_be_bytes()[..], &[1; 8]].concat()),
        ("length one over the limit", [&65_537_u32.to_be_bytes()[..], &[1; 64]].concat()),
        ("length 2^32-1", u32::MAX.to_be_bytes().to_vec()),
        ("kind 0", with_kind(0)),
        ("kind 8", with_kind(8)),
        ("kind 255", with_kind(255)),
        ("a cut ack", ack(&[0; 15])),
        ("an ack that runs backwards", ack(&range(2, 1))),
        ("an ack of 65 ranges", ack(&(1..=65).flat_map(|at| range(2 * at, 2 * at)).collect::<Vec<u8>>())),
        ("an empty nack", frame(FrameKind::Nack, 1, &[])),
        ("a nack of an unknown code", frame(FrameKind::Nack, 1, &[0, 0, 0, 0, 0, 0, 0, 1, 9])),
        ("noise", (0..4_096_u32).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect()),
    ] {
        let mut scene = scene(|_| {}).await;
        write(&mut scene.stream, &bytes).await;
        scene.only_the_stranger_is_dropped(what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d01_a_frame_that_is_cut_off_drops_the_stream_and_nothing_else() {
    let good = frame(FrameKind::Hello, 1, b"hello");
    for cut in [1, 4, 5, good.len() - 1] {
        let mut scene = scene(|_| {}).await;
        assert!(write(&mut scene.stream, &good[..cut]).await);
        scene.stream.close().await.unwrap();
        scene.only_the_stranger_is_dropped("a frame that is cut off").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d02_miscounting_drops_the_stream_and_nothing_else() {
    let acknowledges = |number: u64| Ack { ranges: vec![(number, number)] }.encode();
    for (what, bytes) in [
        ("number 0", frame(FrameKind::Hello, 0, b"")),
        ("number 2 at first", frame(FrameKind::Hello, 2, b"")),
        ("the greatest number", frame(FrameKind::Hello, u64::MAX, b"")),
        ("one number twice", [frame(FrameKind::Hello, 1, b""), frame(FrameKind::Hello, 1, b"")].concat()),
        ("an ack of what was never sent", frame(FrameKind::Ack, 1, &acknowledges(1))),
        ("an ack of everything", frame(FrameKind::Ack, 1, &Ack { ranges: vec![(1, u64::MAX)] }.encode())),
        ("an ack of frame 0", frame(FrameKind::Ack, 1, &acknowledges(0))),
        (
            "a nack of what was never sent",
            frame(FrameKind::Nack, 1, &Nack { sequence: 1, code: NackCode::Refused }.encode()),
        ),
    ] {
        let mut scene = scene(|_| {}).await;
        write(&mut scene.stream, &bytes).await;
        scene.only_the_stranger_is_dropped(what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d02_the_longest_frame_passes_and_the_next_still_arrives() {
    let Scene { mut node, mut stream, contact: _contact, raw: _raw } = scene(|_| {}).await;
    let longest = vec![7; limits::FRAME - 9];
    assert!(write(&mut stream, &frame(FrameKind::Payload, 1, &longest)).await);
    assert!(write(&mut stream, &frame(FrameKind::Payload, 2, b"next")).await);
    assert_eq!(node.received().await.2, longest);
    assert_eq!(node.received().await.2, b"next");
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_more_frames_than_the_window_without_an_answer_drop_the_stream() {
    let mut scene = scene(|_| {}).await;
    let window = u64::from(limits::STREAM_WINDOW);
    for sequence in 1..=window {
        assert!(write(&mut scene.stream, &frame(FrameKind::Payload, sequence, b"x")).await);
    }
    for _ in 0..window {
        scene.node.received().await;
    }
    write(&mut scene.stream, &frame(FrameKind::Payload, window + 1, b"one too many")).await;
    scene.only_the_stranger_is_dropped("the window").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_is_kept_and_opens_frame_by_frame() {
    let Scene { mut node, mut stream, contact: _contact, raw } = scene(|_| {}).await;
    assert!(write(&mut stream, &frame(FrameKind::Hello, 1, b"hello")).await);
    let window = u64::from(limits::STREAM_WINDOW);
    for _ in 0..window + 3 {
        node.send(raw.peer, FrameKind::Hello, b"hello");
    }
    for sequence in 1..=window {
        assert_eq!(read_frame(&mut stream).await.sequence, sequence);
    }
    for answered in 1..=3 {
        let mut byte = [0];
        let more = tokio::time::timeout(SHORT, stream.read(&mut byte));
        assert!(more.await.is_err(), "{} frames without an answer", window + 1);
        let ack = Ack { ranges: vec![(answered, answered)] }.encode();
        assert!(write(&mut stream, &frame(FrameKind::Ack, answered + 1, &ack)).await);
        assert_eq!(read_frame(&mut stream).await.sequence, window + answered);
    }
}

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn d06_a_stream_on_which_nothing_is_said_is_closed() {
    let scene = scene(|config| config.deadlines.first_frame = SHORT).await;
    scene.only_the_stranger_is_dropped("silence").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_a_frame_that_trickles_in_is_given_up() {
    let mut scene = scene(|config| config.deadlines.frame = SHORT).await;
    let (began, bytes) = (Instant::now(), frame(FrameKind::Payload, 2, &[0; 60_000]));
    assert!(write(&mut scene.stream, &frame(FrameKind::Hello, 1, b"hello")).await);
    let mut trickle = tokio::time::interval(Duration::from_millis(20));
    for byte in bytes.chunks(1) {
        trickle.tick().await;
        if began.elapsed() > PATIENCE || !write(&mut scene.stream, byte).await {
            break;
        }
    }
    assert!(began.elapsed() < PATIENCE);
    scene.only_the_stranger_is_dropped("a trickle").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_a_peer_that_does_not_read_is_given_up_and_what_was_sent_to_it_is_lost() {
    let mut scene = scene(|config| {
        config.deadlines.write = SHORT;
        config.limits.queued_bytes = 64 << 20;
    })
    .await;
    assert!(write(&mut scene.stream, &frame(FrameKind::Hello, 1, b"hello")).await);
    let stranger = scene.raw.peer;
    scene.node.send(stranger, FrameKind::Hello, b"hello");
    let requests: Vec<_> = (0..500).map(|_| scene.node.send(stranger, FrameKind::Payload, &[1; 60_000])).collect();
    let mut lost = 0;
    scene
        .node
        .until("to be given up", |event| match event {
            Event::Lost { .. } => {
                lost += 1;
                None
            }
            Event::Disconnected { peer } => (peer == stranger).then_some(()),
            _ => None,
        })
        .await;
    assert_eq!(lost, requests.len() + 1);
    greet(&mut scene.contact, &mut scene.node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_a_peer_that_never_answers_is_given_up() {
    let mut scene = scene(|config| config.deadlines.acknowledgement = SHORT).await;
    assert!(write(&mut scene.stream, &frame(FrameKind::Hello, 1, b"hello")).await);
    let request = scene.node.send(scene.raw.peer, FrameKind::Hello, b"hello?");
    assert!(matches!(scene.node.outcome(request).await, Event::Lost { .. }));
    scene.only_the_stranger_is_dropped("no answer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_a_peer_that_opens_stream_after_stream_is_cut_off() {
    let mut scene = scene(|_| {}).await;
    let mut opened = 0;
    while scene.raw.count.borrow().closed == 0 {
        let opening = tokio::time::timeout(Duration::from_secs(1), scene.raw.open_or_not(&scene.node)).await;
        opened += usize::from(opening.is_ok_and(|stream| stream.is_some()));
        assert!(opened < 200, "nobody stops it");
    }
    scene.raw.until("to be cut off", |count| count.closed == count.opened).await;
    greet(&mut scene.contact, &mut scene.node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_streams_that_one_side_opened_the_newer_stays() {
    let mut scene = scene(|_| {}).await;
    let mut newer = scene.raw.open(&scene.node).await;
    ended(&mut scene.stream).await;
    scene.node.disconnected(scene.raw.peer).await;
    assert_eq!(scene.node.connected(scene.raw.peer).await, Role::Listener);
    assert!(write(&mut newer, &frame(FrameKind::Hello, 1, b"on the newer")).await);
    assert_eq!(scene.node.received().await.2, b"on the newer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_speaks_no_direct_stream_is_no_node_to_talk_to() {
    let mut node = Node::start(seed(1), Over::Quic).await;
    let raw = Raw::start(3).await;
    let at = kinfolk_wire::invite::Address::new(&raw.address.to_string()).unwrap();
    let request = node.dial_at(raw.peer, vec![at]);
    let told = node.outcome(request).await;
    assert!(matches!(told, Event::DialFailed { reason: kinfolk_net::DialFailure::NoStream, .. }), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_libp2p_peer_can_be_dialled() {
    let mut node = Node::start(seed(1), Over::Quic).await;
    let raw = Raw::start(3).await;
    let mut streams = raw.accept();
    let at = kinfolk_wire::invite::Address::new(&raw.address.to_string()).unwrap();
    node.dial_at(raw.peer, vec![at]);
    assert_eq!(node.connected(raw.peer).await, Role::Dialer);
    let (_, mut stream) = tokio::time::timeout(PATIENCE, streams.next()).await.unwrap().unwrap();
    let request = node.send(raw.peer, FrameKind::Hello, b"hello");
    assert_eq!(read_frame(&mut stream).await.body, b"hello");
    write(&mut stream, &frame(FrameKind::Ack, 1, &Ack { ranges: vec![(1, 1)] }.encode())).await;
    assert!(matches!(node.outcome(request).await, Event::Sent { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn d11_a_node_says_neither_its_version_nor_where_it_listens() {
    let mut scene = scene(|_| {}).await;
    let info = tokio::time::timeout(PATIENCE, scene.raw.identified.recv()).await.unwrap().unwrap();
    assert_eq!((info.agent_version.as_str(), info.protocol_version.as_str()), ("kinfolk", "kinfolk/1"));
    assert_eq!(info.listen_addrs, []);
    for part in env!("CARGO_PKG_VERSION").split('.').filter(|part| part.len() > 1) {
        assert!(!info.agent_version.contains(part));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d10_an_address_that_a_stranger_names_is_not_dialled_where_it_is_private() {
    let mut trap = Raw::start(7).await;
    let rumour = vec![(trap.libp2p, trap.address.clone())];
    let mut liar = Raw::start_with(3, Some(kad::Mode::Server), rumour).await;

    // A plain client of the hash table walks into the trap: the rumour reaches whoever asks.
    let known = (liar.libp2p, liar.address.clone());
    let victim = Raw::start_with(4, Some(kad::Mode::Client), vec![known]).await;
    trap.until("the victim", |count| count.visitors.contains(&victim.libp2p)).await;
    let asked = liar.count.borrow().queried;

    let bootstrap = crate::support::address(&format!("{}/p2p/{}", liar.address, liar.libp2p));
    let node = Node::start_with(seed(6), Over::Quic, |config| config.bootstrap = vec![bootstrap]).await;
    let node = libp2p::PeerId::from_bytes(node.peer.as_bytes()).unwrap();
    liar.until("us", |count| count.visitors.contains(&node)).await;
    liar.until("to be asked by us", |count| count.queried > asked).await;
    let comes = trap.count.wait_for(|count| count.visitors.contains(&node));
    assert!(tokio::time::timeout(Duration::from_secs(2), comes).await.is_err(), "we asked, were told, and went there");
}

/// Whoever writes somebody else's address on what they send must not have us flood them (RFC 9000, section 8.1).
#[tokio::test(flavor = "multi_thread")]
async fn d13_an_address_that_was_not_proved_gets_three_times_what_came_from_it_at_most() {
    let victim = Node::start(seed(1), Over::Quic).await;
    let port = |node: &Node| node.address.as_str().split('/').nth(4).unwrap().parse::<u16>().unwrap();
    // Between the two: the dialler's datagrams go on, and no answer comes back, as if its address were another's.
    let way_in = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let way_on = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    way_on.connect(("127.0.0.1", port(&victim))).await.unwrap();
    let mut dialler = Node::start(seed(2), Over::Quic).await;
    dialler.dial_at(victim.peer, vec![Over::Quic.port(way_in.local_addr().unwrap().port())]);
    let (mut sent, mut datagrams, mut answered) = (0, 0, 0);
    let (mut coming, mut going) = ([0; 2_048], [0; 2_048]);
    let exchange = async {
        while datagrams < 4 || answered == 0 {
            tokio::select! {
                length = way_in.recv(&mut coming) => {
                    let length = length.unwrap();
                    (sent, datagrams) = (sent + length, datagrams + 1);
                    way_on.send(&coming[..length]).await.unwrap();
                }
                length = way_on.recv(&mut going) => answered += length.unwrap(),
            }
        }
    };
    tokio::time::timeout(PATIENCE, exchange).await.unwrap();
    // What is still on its way within one more of the dialler's datagrams.
    let rest = async {
        let datagrams_before = datagrams;
        while datagrams == datagrams_before {
            tokio::select! {
                length = way_in.recv(&mut coming) => {
                    length.unwrap();
                    datagrams += 1;
                }
                length = way_on.recv(&mut going) => answered += length.unwrap(),
            }
        }
    };
    tokio::time::timeout(PATIENCE, rest).await.unwrap();
    assert!(answered <= 3 * sent, "{answered} bytes for {sent}");
}
