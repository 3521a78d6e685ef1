//! Two nodes of ours, and two plain libp2p nodes beside them, over the loopback interface of one process.
#![allow(dead_code, reason = "not every bench needs all of it")]

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

use super::figures::median_micros;

/// A text of ordinary length, sealed.
pub(crate) const BODY: usize = 256;
/// What our frame adds to it on the wire.
const HEAD: usize = 4 + 1 + 8;
/// A frame of ours, as the plain stream carries it.
const FRAME: usize = HEAD + BODY;
/// Frames on their way at a time, as many as our window allows.
const WINDOW: usize = 1_024;

/// Two nodes of ours; the second acknowledges whatever comes.
pub(crate) struct Ours {
    left: Network,
    right: PeerId,
    body: usize,
    requests: u64,
}

impl Ours {
    pub(crate) async fn connect(listen: &str, body: usize) -> Self {
        let (left, _) = node(1, listen).await;
        let (right, address) = node(2, listen).await;
        Self::meet(left, right, peer_id(&[2; 32]), address, body).await
    }

    /// The same over a relay that the second is a contact of; the two are none, and so do not go straight.
    pub(crate) async fn connect_over_relay(listen: &str, body: usize) -> Self {
        let (left, _) = node(7, listen).await;
        let (mut right, _) = node(6, listen).await;
        let (relay, at) = node(5, listen).await;
        let (peer, between) = (peer_id(&[6; 32]), peer_id(&[5; 32]));
        relay.commands.try_send(Command::Contact { peer, is_one: true }).unwrap();
        right.commands.try_send(Command::Contact { peer: between, is_one: true }).unwrap();
        let dial = Command::Dial { request: RequestId(0), peer: between, addresses: vec![at] };
        right.commands.try_send(dial).unwrap();
        let address = loop {
            match right.events.recv().await.unwrap() {
                Event::Listening { address } if address.is_relayed() => break address,
                _ => {}
            }
        };
        tokio::spawn(async move {
            // All of it, or it ends with its way in.
            let Network { commands: _commands, mut events, task: _task } = relay;
            while events.recv().await.is_some() {}
        });
        Self::meet(left, right, peer, address, body).await
    }

    async fn meet(mut left: Network, mut right: Network, peer: PeerId, address: Address, body: usize) -> Self {
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
        let mut ours = Self { left, right: peer, body, requests: 0 };
        ours.send(FrameKind::Hello);
        ours.sent().await;
        ours
    }

    fn send(&mut self, kind: FrameKind) {
        self.requests += 1;
        let (request, peer, body) = (RequestId(self.requests), self.right, vec![0x6b; self.body]);
        self.left.commands.try_send(Command::Send { request, peer, kind, body }).unwrap();
    }

    async fn sent(&mut self) {
        match self.left.events.recv().await {
            Some(Event::Sent { .. }) => {}
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn round_trips(&mut self, count: usize) -> f64 {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            self.send(FrameKind::Payload);
            self.sent().await;
            times.push(began.elapsed());
        }
        median_micros(&times)
    }

    pub(crate) async fn pipelined(&mut self, count: usize) -> f64 {
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
    config.reach.also_global = vec!["127.0.0.0/8".parse().unwrap()];
    // Else the circuit is cut amid the rounds.
    config.reach.relayed.bytes = 1 << 40;
    let mut network = spawn(config).unwrap();
    match network.events.recv().await {
        Some(Event::Listening { address }) => (network, address),
        other => panic!("{other:?}"),
    }
}

/// Two plain libp2p nodes with one stream, of which the second sends back what it reads.
pub(crate) struct Raw {
    stream: Stream,
}

const ECHO: StreamProtocol = StreamProtocol::new("/echo/1");

impl Raw {
    pub(crate) async fn connect(listen: &str) -> Self {
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

    pub(crate) async fn round_trips(&mut self, count: usize) -> f64 {
        let mut bytes = [0x6b; FRAME];
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            self.stream.write_all(&bytes).await.unwrap();
            self.stream.flush().await.unwrap();
            self.stream.read_exact(&mut bytes).await.unwrap();
            times.push(began.elapsed());
        }
        median_micros(&times)
    }

    /// Frame by frame, with a flush each; at most a window of them on their way.
    pub(crate) async fn pipelined(&mut self, count: usize) -> f64 {
        let began = Instant::now();
        let places = tokio::sync::Semaphore::new(WINDOW);
        let (mut reading, mut writing) = (&mut self.stream).split();
        let write = async {
            for _ in 0..count {
                places.acquire().await.unwrap().forget();
                writing.write_all(&[0x6b; FRAME]).await.unwrap();
                writing.flush().await.unwrap();
            }
        };
        let read = async {
            let mut bytes = [0; FRAME];
            for _ in 0..count {
                reading.read_exact(&mut bytes).await.unwrap();
                places.add_permits(1);
            }
        };
        futures::join!(write, read);
        count as f64 / began.elapsed().as_secs_f64()
    }

    /// Frame by frame, with a flush each, and no word back until the end.
    pub(crate) async fn one_way(&mut self, count: usize) -> f64 {
        let began = Instant::now();
        let (mut reading, mut writing) = (&mut self.stream).split();
        let write = async {
            for _ in 0..count {
                writing.write_all(&[QUIET; FRAME]).await.unwrap();
                writing.flush().await.unwrap();
            }
            writing.write_all(&[ASKS; FRAME]).await.unwrap();
            writing.flush().await.unwrap();
        };
        let read = async {
            let mut bytes = [0; FRAME];
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
    let mut bytes = [0; FRAME];
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
