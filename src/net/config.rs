//! What a node's network is told at its start.

use std::time::Duration;

use kinfolk_wire::invite::Address;
use zeroize::Zeroizing;

use crate::range::IpRange;

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
    /// How to be reached from outside.
    pub reach: Reach,
    /// Whether nodes that the distributed hash table names are dialled, and shown to others, at private and loopback
    /// addresses too: for a network that is not the internet.
    pub dht_private: bool,
    /// What is said to those who ask this node as a witness while too many questions wait, as it travels.
    pub no_room: Vec<u8>,
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
            reach: Reach::default(),
            dht_private: false,
            no_room: Vec::new(),
            limits: Limits::default(),
            deadlines: Deadlines::default(),
        }
    }
}

/// How this node is reached through routers, and what it does for others there (docs/protocol/09-reach.md).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Whether to ask contacts, and the nodes to begin with, to dial this node back, and to do so for others.
    pub ask: bool,
    /// Whether to relay for contacts where this node can be reached from outside.
    pub relay: bool,
    /// Whether to be reached over contacts that relay.
    pub over_relays: bool,
    /// Whether to try, together with a contact on a circuit, to go straight.
    pub punch: bool,
    /// Whether to ask the router to map ports (UPnP).
    pub upnp: bool,
    /// Ranges that count as parts of the open internet although they are none: for networks that are cut off from it,
    /// and for tests.
    pub also_global: Vec<IpRange>,
    /// Nodes that are to relay for this one at a time.
    pub relays: usize,
    /// How long a node waits to hear that it can be reached before it asks contacts to relay.
    pub patience: Duration,
    /// The wait before a contact is asked again to relay; doubled each time, up to 64 times as long.
    pub again: Duration,
    /// What others may have relayed here.
    pub relayed: Relayed,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            ask: true,
            relay: true,
            over_relays: true,
            punch: true,
            upnp: false,
            also_global: Vec::new(),
            relays: 3,
            patience: Duration::from_secs(10),
            again: Duration::from_secs(5),
            relayed: Relayed::default(),
        }
    }
}

/// What others may have relayed here, all contacts together and each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relayed {
    /// Contacts for which this node listens at a time.
    pub reservations: usize,
    /// How long it listens for one that does not ask again.
    pub reservation: Duration,
    /// Circuits at a time.
    pub circuits: usize,
    /// Of these, begun by one node.
    pub circuits_each: usize,
    /// Circuits that one node may begin in an hour; from one IP address, four times as many.
    pub circuits_an_hour: u32,
    /// Bytes of a circuit, both ways together, before it is cut.
    pub bytes: u64,
    /// How long a circuit lasts before it is cut.
    pub duration: Duration,
}

impl Default for Relayed {
    fn default() -> Self {
        Self {
            reservations: 64,
            reservation: Duration::from_secs(60 * 60),
            circuits: 64,
            circuits_each: 4,
            circuits_an_hour: 60,
            bytes: 32 << 20,
            duration: Duration::from_secs(60 * 60),
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
    /// Events that wait for the driver; each may carry a frame or a witness's reply of 64 KiB, or a mailbox's of
    /// 128 KiB.
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
    /// Questions to this node as a witness, from when they are read until their answers have left; each may be of 64 KiB,
    /// and so its answer. At thousands a second, what comes while the disk syncs once is far less.
    pub inquiries: usize,
    /// Questions of our own to witnesses, until they are answered; each may be of 64 KiB, and a payment asks up to 31
    /// twice.
    pub queued_inquiries: usize,
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
            inquiries: 1_024,
            queued_inquiries: 2_048,
        }
    }
}

/// How long a thing may take before the stream, or the connection, is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// The first frame on a stream that the other side opened.
    pub first_frame: Duration,
    /// A frame, or somebody's question, from its first byte to its last.
    pub frame: Duration,
    /// A write that makes no progress; or an answer of ours, from the one before it until it has left.
    pub write: Duration,
    /// A frame of ours, from the wire to its acknowledgement.
    pub acknowledgement: Duration,
    /// A stream on which nothing travels.
    pub idle_stream: Duration,
    /// A connection without a stream, and a stream of questions on which none is in hand.
    pub idle_connection: Duration,
    /// A connection that gives no sign of life.
    pub silence: Duration,
    /// Somebody's question to this node as a mailbox, or as a witness, until it is answered here.
    pub answer: Duration,
    /// Reaching a mailbox, or a witness.
    pub reach: Duration,
    /// A question of ours to a mailbox, from the dial to the last byte of the reply.
    pub visit: Duration,
    /// A connection to a mailbox on which nothing is asked.
    pub linger: Duration,
    /// A question of ours to a witness, from the dial to the last byte of the reply.
    pub inquiry: Duration,
    /// A connection to a witness on which nothing is asked: so long the next payment costs no handshake, and so long a
    /// place of the witness is taken.
    pub stay: Duration,
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
            inquiry: Duration::from_secs(20),
            stay: Duration::from_secs(30),
            close: Duration::from_secs(2),
        }
    }
}
