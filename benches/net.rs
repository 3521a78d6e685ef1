//! A frame to another node and its acknowledgement back, beside a plain libp2p stream that echoes the same bytes.
//!
//! `cargo bench -p kinfolk-net --bench net`. Both nodes of each pair run in this process, over loopback; what is compared
//! runs in turns. Time is the clock's: on a busy machine compare ratios, not figures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench prints, and stops where something fails"
)]

use std::time::{Duration, Instant};

use futures::io::{AsyncReadExt, AsyncWriteExt};
use futures::{AsyncRead, AsyncWrite, StreamExt};
use kinfolk_net::{Command, Config, Event, Network, RequestId, peer_id, spawn};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{StreamProtocol, SwarmEvent};
use libp2p::{Stream, Swarm, SwarmBuilder, noise, tcp, yamux};

const ROUNDS: usize = 5;
const ROUND_TRIPS: usize = 3_000;
const PIPELINED: usize = 30_000;
/// A text of ordinary length, sealed.
const BODY: usize = 256;
/// What our frame adds to it on the wire.
const HEAD: usize = 4 + 1 + 8;
/// Frames on their way at a time, as many as our window allows.
const WINDOW: usize = 1_024;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("{BODY}-byte frames, two nodes on loopback, median of {ROUNDS} rounds (least .. most)\n");
    for (name, listen) in [("QUIC", "/ip4/127.0.0.1/udp/0/quic-v1"), ("TCP+Noise+Yamux", "/ip4/127.0.0.1/tcp/0")] {
        runtime.block_on(over(name, listen));
    }
}

async fn over(name: &str, listen: &str) {
    let mut ours = Ours::connect(listen).await;
    let mut raw = Raw::connect(listen).await;
    ours.round_trips(ROUND_TRIPS / 10).await;
    raw.round_trips(ROUND_TRIPS / 10).await;
    let (mut our_trip, mut raw_trip, mut our_rate, mut raw_rate, mut raw_one_way) = Default::default();
    for _ in 0..ROUNDS {
        push(&mut our_trip, ours.round_trips(ROUND_TRIPS).await);
        push(&mut raw_trip, raw.round_trips(ROUND_TRIPS).await);
        push(&mut our_rate, ours.pipelined(PIPELINED).await);
        push(&mut raw_rate, raw.pipelined(PIPELINED).await);
        push(&mut raw_one_way, raw.one_way(PIPELINED).await);
    }
    show(&format!("{name}: frame and acknowledgement, p50"), "us", &our_trip);
    show(&format!("{name}: plain stream, echo, p50"), "us", &raw_trip);
    show("  ratio", "x", &ratios(&our_trip, &raw_trip));
    show(&format!("{name}: pipelined, each acknowledged"), "frames/s", &our_rate);
    show(&format!("{name}: plain stream, pipelined, each echoed"), "frames/s", &raw_rate);
    show("  ratio", "x", &ratios(&our_rate, &raw_rate));
    show(&format!("{name}: plain stream, one way, a flush each"), "frames/s", &raw_one_way);
    println!();
}

fn push(figures: &mut Vec<f64>, figure: f64) {
    figures.push(figure);
}

fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()
}

fn show(name: &str, unit: &str, figures: &[f64]) {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, median, most) = (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
    println!("{name:<58} {median:>10.2} {unit:<8} ({least:.2} .. {most:.2})");
}

fn median_micros(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// Two nodes of ours; the second acknowledges whatever comes.
struct Ours {
    left: Network,
    right: PeerId,
    requests: u64,
}

impl Ours {
    async fn connect(listen: &str) -> Self {
        let (mut left, _) = node(1, listen).await;
        let (mut right, address) = node(2, listen).await;
        let peer = peer_id(&[2; 32]);
        let dial = Command::Dial { request: RequestId(0), peer, addresses: vec![address] };
        left.commands.try_send(dial).unwrap();
        while !matches!(left.events.recv().await.unwrap(), Event::Connected { .. }) {}
        tokio::spawn(async move {
            while let Some(event) = right.events.recv().await {
                if let Event::Received { delivery, .. } = event {
                    right.commands.try_send(Command::Acknowledge { delivery }).unwrap();
                }
            }
        });
        let mut ours = Self { left, right: peer, requests: 0 };
        ours.send(FrameKind::Hello);
        ours.sent().await;
        ours
    }

    fn send(&mut self, kind: FrameKind) {
        self.requests += 1;
        let (request, peer, body) = (RequestId(self.requests), self.right, vec![0x6b; BODY]);
        self.left.commands.try_send(Command::Send { request, peer, kind, body }).unwrap();
    }

    async fn sent(&mut self) {
        match self.left.events.recv().await {
            Some(Event::Sent { .. }) => {}
            other => panic!("{other:?}"),
        }
    }

    async fn round_trips(&mut self, count: usize) -> f64 {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            self.send(FrameKind::Payload);
            self.sent().await;
            times.push(began.elapsed());
        }
        median_micros(times)
    }

    async fn pipelined(&mut self, count: usize) -> f64 {
        let began = Instant::now();
        let (mut sent, mut done) = (0, 0);
        while done < count {
            while sent < count && sent - done < WINDOW {
                self.send(FrameKind::Payload);
                sent += 1;
            }
            self.sent().await;
            done += 1;
        }
        count as f64 / began.elapsed().as_secs_f64()
    }
}

async fn node(seed: u8, listen: &str) -> (Network, Address) {
    let mut config = Config::new([seed; 32]);
    config.listen = vec![Address::new(listen).unwrap()];
    let mut network = spawn(config).unwrap();
    match network.events.recv().await {
        Some(Event::Listening { address }) => (network, address),
        other => panic!("{other:?}"),
    }
}

/// Two plain libp2p nodes with one stream, of which the second sends back what it reads.
struct Raw {
    stream: Stream,
}

const ECHO: StreamProtocol = StreamProtocol::new("/echo/1");

impl Raw {
    async fn connect(listen: &str) -> Self {
        let (mut left, mut right) = (plain(3), plain(4));
        right.listen_on(listen.parse().unwrap()).unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = right.select_next_some().await {
                break address;
            }
        };
        let peer = *right.local_peer_id();
        let mut incoming = right.behaviour().new_control().accept(ECHO).unwrap();
        tokio::spawn(async move { while right.next().await.is_some() {} });
        tokio::spawn(async move {
            let (_, stream) = incoming.next().await.unwrap();
            echo(stream).await;
        });
        left.dial(DialOpts::peer_id(peer).addresses(vec![address]).build()).unwrap();
        while !matches!(left.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
        let mut control = left.behaviour().new_control();
        tokio::spawn(async move { while left.next().await.is_some() {} });
        Self { stream: control.open_stream(peer, ECHO).await.unwrap() }
    }

    async fn round_trips(&mut self, count: usize) -> f64 {
        let mut bytes = [0x6b; HEAD + BODY];
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            self.stream.write_all(&bytes).await.unwrap();
            self.stream.flush().await.unwrap();
            self.stream.read_exact(&mut bytes).await.unwrap();
            times.push(began.elapsed());
        }
        median_micros(times)
    }

    /// Frame by frame, with a flush each; at most a window of them on their way.
    async fn pipelined(&mut self, count: usize) -> f64 {
        let began = Instant::now();
        let places = tokio::sync::Semaphore::new(WINDOW);
        let (mut reading, mut writing) = (&mut self.stream).split();
        let write = async {
            for _ in 0..count {
                places.acquire().await.unwrap().forget();
                writing.write_all(&[0x6b; HEAD + BODY]).await.unwrap();
                writing.flush().await.unwrap();
            }
        };
        let read = async {
            let mut bytes = [0; HEAD + BODY];
            for _ in 0..count {
                reading.read_exact(&mut bytes).await.unwrap();
                places.add_permits(1);
            }
        };
        futures::join!(write, read);
        count as f64 / began.elapsed().as_secs_f64()
    }

    /// Frame by frame, with a flush each, and no word back until the end.
    async fn one_way(&mut self, count: usize) -> f64 {
        let began = Instant::now();
        let (mut reading, mut writing) = (&mut self.stream).split();
        let write = async {
            for _ in 0..count {
                writing.write_all(&[QUIET; HEAD + BODY]).await.unwrap();
                writing.flush().await.unwrap();
            }
            writing.write_all(&[ASKS; HEAD + BODY]).await.unwrap();
            writing.flush().await.unwrap();
        };
        let read = async {
            let mut bytes = [0; HEAD + BODY];
            reading.read_exact(&mut bytes).await.unwrap();
        };
        futures::join!(write, read);
        count as f64 / began.elapsed().as_secs_f64()
    }
}

/// The first byte of a frame that is read and not sent back.
const QUIET: u8 = 0;
/// The first byte of a frame that ends a row of them.
const ASKS: u8 = 1;

/// Sends back every frame but those that are to be read only.
async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut bytes = [0; HEAD + BODY];
    while stream.read_exact(&mut bytes).await.is_ok() {
        if bytes[0] != QUIET {
            stream.write_all(&bytes).await.unwrap();
            stream.flush().await.unwrap();
        }
    }
}

fn plain(seed: u8) -> Swarm<libp2p_stream::Behaviour> {
    let key = libp2p::identity::Keypair::ed25519_from_bytes([seed; 32]).unwrap();
    SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_quic()
        .with_behaviour(|_| libp2p_stream::Behaviour::new())
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
        .build()
}
