//! A peer that is not ours: plain libp2p, which says whatever bytes it is told to.

use std::collections::HashMap;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use kinfolk_wire::direct::{Frame, FrameKind, PROTOCOL};
use kinfolk_wire::ids::PeerId;
use libp2p::kad::store::MemoryStore;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, NetworkBehaviour, Stream, StreamProtocol, SwarmEvent};
use libp2p::{Multiaddr, SwarmBuilder, identify, identity, kad, noise, tcp, yamux};
use tokio::sync::{mpsc, oneshot, watch};

use crate::support::{Node, PATIENCE};

#[derive(NetworkBehaviour)]
struct Behaviour {
    stream: libp2p_stream::Behaviour,
    identify: identify::Behaviour,
    kad: Toggle<kad::Behaviour<MemoryStore>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Count {
    pub(crate) opened: usize,
    pub(crate) closed: usize,
    pub(crate) failed: usize,
    pub(crate) queried: usize,
    pub(crate) visitors: Vec<libp2p::PeerId>,
}

pub(crate) struct Raw {
    pub(crate) peer: PeerId,
    pub(crate) libp2p: libp2p::PeerId,
    pub(crate) address: Multiaddr,
    control: libp2p_stream::Control,
    dials: mpsc::Sender<(DialOpts, oneshot::Sender<bool>)>,
    pub(crate) count: watch::Receiver<Count>,
    pub(crate) identified: mpsc::Receiver<identify::Info>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A node of the hash table, and where somebody says it is.
pub(crate) type Rumour = (libp2p::PeerId, Multiaddr);

impl Raw {
    pub(crate) async fn start(number: u8) -> Self {
        Self::start_with(number, None, Vec::new()).await
    }

    /// `kad`: its mode in the hash table, and what it knows there; it starts with a search if it is a client.
    pub(crate) async fn start_with(number: u8, mode: Option<kad::Mode>, rumours: Vec<Rumour>) -> Self {
        let key = identity::Keypair::ed25519_from_bytes([number; 32]).unwrap();
        let local = key.public().to_peer_id();
        let mut swarm = SwarmBuilder::with_existing_identity(key)
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_quic()
            .with_behaviour(|key| Behaviour {
                stream: libp2p_stream::Behaviour::new(),
                identify: identify::Behaviour::new(identify::Config::new("raw/1".to_owned(), key.public())),
                kad: mode
                    .map(|mode| {
                        let config = kad::Config::new(StreamProtocol::new("/kinfolk/kad/1"));
                        let mut table = kad::Behaviour::with_config(local, MemoryStore::new(local), config);
                        table.set_mode(Some(mode));
                        for (peer, address) in rumours {
                            table.add_address(&peer, address);
                        }
                        if mode == kad::Mode::Client {
                            table.bootstrap().unwrap();
                        }
                        table
                    })
                    .into(),
            })
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3_600)))
            .build();
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let control = swarm.behaviour().stream.new_control();
        let (dials, mut dials_rx) = mpsc::channel::<(DialOpts, oneshot::Sender<bool>)>(64);
        let (count_tx, count) = watch::channel(Count::default());
        let (identified_tx, identified) = mpsc::channel(64);
        let task = tokio::spawn(async move {
            let mut waiting: HashMap<ConnectionId, oneshot::Sender<bool>> = HashMap::new();
            loop {
                let event = tokio::select! {
                    Some((options, answer)) = dials_rx.recv() => {
                        waiting.insert(options.connection_id(), answer);
                        swarm.dial(options).unwrap();
                        continue;
                    }
                    event = swarm.select_next_some() => event,
                };
                match event {
                    SwarmEvent::ConnectionEstablished { connection_id, peer_id, .. } => {
                        count_tx.send_modify(|count| {
                            count.opened += 1;
                            count.visitors.push(peer_id);
                        });
                        waiting.remove(&connection_id).map(|answer| answer.send(true));
                    }
                    SwarmEvent::OutgoingConnectionError { connection_id, .. } => {
                        count_tx.send_modify(|count| count.failed += 1);
                        waiting.remove(&connection_id).map(|answer| answer.send(false));
                    }
                    SwarmEvent::ConnectionClosed { .. } => count_tx.send_modify(|count| count.closed += 1),
                    SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { info, .. })) => {
                        identified_tx.try_send(info).ok();
                    }
                    SwarmEvent::Behaviour(BehaviourEvent::Kad(kad::Event::InboundRequest { .. })) => {
                        count_tx.send_modify(|count| count.queried += 1);
                    }
                    _ => {}
                }
            }
        });
        let peer = PeerId::new(local.to_bytes().try_into().unwrap());
        Self { peer, libp2p: local, address, control, dials, count, identified, task }
    }

    /// A connection to a node; `false` if there is none.
    pub(crate) async fn dial(&self, node: &Node) -> bool {
        let peer = libp2p::PeerId::from_bytes(node.peer.as_bytes()).unwrap();
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::Always)
            .addresses(vec![node.address.as_str().parse().unwrap()])
            .build();
        let (answer, answered) = oneshot::channel();
        self.dials.send((options, answer)).await.unwrap();
        tokio::time::timeout(PATIENCE, answered).await.unwrap().unwrap()
    }

    /// A direct stream on a connection that is there.
    pub(crate) async fn open(&self, node: &Node) -> Stream {
        let peer = libp2p::PeerId::from_bytes(node.peer.as_bytes()).unwrap();
        let mut control = self.control.clone();
        let opening = control.open_stream(peer, StreamProtocol::new(PROTOCOL));
        tokio::time::timeout(PATIENCE, opening).await.unwrap().unwrap()
    }

    /// A direct stream, if one is to be had.
    pub(crate) async fn open_or_not(&self, node: &Node) -> Option<Stream> {
        let peer = libp2p::PeerId::from_bytes(node.peer.as_bytes()).unwrap();
        self.control.clone().open_stream(peer, StreamProtocol::new(PROTOCOL)).await.ok()
    }

    /// The streams of any protocol.
    pub(crate) fn control(&self) -> libp2p_stream::Control {
        self.control.clone()
    }

    pub(crate) fn accept(&self) -> libp2p_stream::IncomingStreams {
        self.control.clone().accept(StreamProtocol::new(PROTOCOL)).unwrap()
    }

    pub(crate) async fn until(&mut self, what: &str, fits: impl FnMut(&Count) -> bool) {
        let waiting = self.count.wait_for(fits);
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "waited {what}");
    }
}

pub(crate) fn frame(kind: FrameKind, sequence: u64, body: &[u8]) -> Vec<u8> {
    Frame { kind, sequence, body: body.to_vec() }.encode().unwrap()
}

/// Waits until the other side has closed or reset the stream, reading whatever comes before.
pub(crate) async fn ended(stream: &mut Stream) {
    let mut bytes = [0; 4_096];
    let reading = async { while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {} };
    assert!(tokio::time::timeout(PATIENCE, reading).await.is_ok(), "the stream stays open");
}

/// One frame that the other side sent.
pub(crate) async fn read_frame(stream: &mut Stream) -> Frame {
    let reading = async {
        let mut prefix = [0; 4];
        stream.read_exact(&mut prefix).await.unwrap();
        let mut bytes = vec![0; u32::from_be_bytes(prefix) as usize];
        stream.read_exact(&mut bytes).await.unwrap();
        Frame::decode(&bytes).unwrap()
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("no frame came")
}

/// Writes all, or stops where the other side has closed.
pub(crate) async fn write(stream: &mut Stream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok()
}
