//! What a node's network is told at its start.

use std::time::Duration;

use kinfolk_wire::invite::Address;
use zeroize::Zeroizing;

/// What a node's network is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// The seed of the Ed25519 network key; the [`PeerId`](kinfolk_wire::ids::PeerId) follows from it.
    pub network_key: Zeroizing<[u8; 32]>,
    /// Where to listen: `/ip4/ADDRESS/udp/PORT/quic-v1`, `/ip4/ADDRESS/tcp/PORT`, or the same with `ip6`. Port 0
    /// takes any; 0.0.0.0 and `::` take every interface.
    pub listen: Vec<Address>,
    /// Whether to show ourselves, and look for others, on the local network.
    pub mdns: bool,
    /// Nodes of the distributed hash table to begin with, each ending in `/p2p/ID`. Vouched for by the person.
    pub bootstrap: Vec<Address>,
    /// Whether to answer others' queries of the distributed hash table.
    pub dht_server: bool,
    /// Whether nodes that the distributed hash table names are dialled, and shown to others, at private and loopback
    /// addresses too: for a network that is not the internet.
    pub dht_private: bool,
    /// How many, how much.
    pub limits: Limits,
    /// How long.
    pub deadlines: Deadlines,
}

impl Config {
    /// Defaults for a node with this network key: no listener, no mDNS, client of the hash table.
    #[must_use]
    pub fn new(network_key: [u8; 32]) -> Self {
        Self {
            network_key: Zeroizing::new(network_key),
            listen: Vec::new(),
            mdns: false,
            bootstrap: Vec::new(),
            dht_server: false,
            dht_private: false,
            limits: Limits::default(),
            deadlines: Deadlines::default(),
        }
    }
}

/// How many and how much; memory follows from these, never from what others send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Established connections.
    pub connections: u32,
    /// Of these, opened by others; the rest stays free for our own.
    pub incoming: u32,
    /// Connections that others have begun.
    pub pending_incoming: u32,
    /// Connections that we have begun.
    pub pending_outgoing: u32,
    /// Resident memory of the process, in bytes, above which no new connection is made.
    pub memory: usize,
    /// Events that wait for the driver; each may carry a frame of 64 KiB, or a mailbox's reply of 128 KiB.
    pub events: usize,
    /// Commands that wait for the network.
    pub commands: usize,
    /// Frames that wait for a place in one stream's window.
    pub queued_frames: usize,
    /// The same, in bytes of their bodies.
    pub queued_bytes: u32,
    /// Questions to this node as a mailbox, from when they are read until their answers have left; each may be of
    /// 72 KiB, and its answer of 128 KiB.
    pub asks: usize,
    /// Questions of our own to mailboxes, until they are answered; each may be of 72 KiB.
    pub queued_asks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            incoming: 192,
            pending_incoming: 64,
            pending_outgoing: 64,
            memory: 1 << 30,
            events: 256,
            commands: 4_096,
            queued_frames: 4_096,
            queued_bytes: 4 << 20,
            asks: 256,
            queued_asks: 1_024,
        }
    }
}

/// How long a thing may take before the stream, or the connection, is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// The first frame on a stream that the other side opened.
    pub first_frame: Duration,
    /// A frame, from its first byte to its last.
    pub frame: Duration,
    /// A write that makes no progress.
    pub write: Duration,
    /// A frame of ours, from the wire to its acknowledgement.
    pub acknowledgement: Duration,
    /// A stream on which nothing travels.
    pub idle_stream: Duration,
    /// A connection without a stream.
    pub idle_connection: Duration,
    /// A connection that gives no sign of life.
    pub silence: Duration,
    /// Somebody's question to this node as a mailbox, until it is answered here.
    pub answer: Duration,
    /// Reaching a mailbox.
    pub reach: Duration,
    /// A question of ours to a mailbox, from the dial to the last byte of the reply.
    pub visit: Duration,
    /// A connection to a mailbox on which nothing is asked.
    pub linger: Duration,
    /// Closing in good order.
    pub close: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            first_frame: Duration::from_secs(15),
            frame: Duration::from_secs(20),
            write: Duration::from_secs(20),
            acknowledgement: Duration::from_secs(60),
            idle_stream: Duration::from_secs(15 * 60),
            idle_connection: Duration::from_secs(120),
            silence: Duration::from_secs(20),
            answer: Duration::from_secs(20),
            reach: Duration::from_secs(15),
            visit: Duration::from_secs(40),
            linger: Duration::from_secs(2),
            close: Duration::from_secs(2),
        }
    }
}
