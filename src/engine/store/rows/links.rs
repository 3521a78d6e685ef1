//! What is known of the network as long as the process lives.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_wire::direct::Role;
use kinfolk_wire::ids::{DeviceId, InviteId, PeerId};
use kinfolk_wire::invite::Address;
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

/// A stream with a peer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Link {
    /// Which end this node is: whether it opened the stream.
    #[n(0)]
    pub opened: bool,
    /// Where the peer is.
    #[n(1)]
    pub address: Address,
    /// The device it proved to be.
    #[n(2)]
    pub device: Option<DeviceId>,
    /// Whether we said who we are.
    #[n(3)]
    pub greeted: bool,
    /// The invite it knocked with, once the knock was good.
    #[n(4)]
    pub knocked: Option<InviteId>,
    /// The last outbox number that was sent on it.
    #[n(5)]
    pub cursor: u64,
    /// Whether there may be more after it.
    #[n(10)]
    pub behind: bool,
    /// Outbox items under way on it.
    #[n(6)]
    pub in_flight: BTreeSet<u64>,
    /// When it was opened, or what is under way on it last had an outcome.
    #[n(7)]
    pub acknowledged_at: Timestamp,
    /// The time of its pending timer.
    #[n(8)]
    pub look_at: Option<Timestamp>,
    /// Outbox items that were not taken on it, and when they are to be sent again.
    #[n(9)]
    pub again: BTreeMap<u64, Timestamp>,
}

impl Link {
    /// Which end of the stream this node is.
    #[must_use]
    pub const fn role(&self) -> Role {
        if self.opened { Role::Dialer } else { Role::Listener }
    }
}

/// How often strangers knocked of late.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Knocks {
    /// Who, with which invite where it was a good one, and when, within the last minute.
    #[n(0)]
    pub recent: Vec<(PeerId, Option<InviteId>, Timestamp)>,
}

/// Where this node can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Listening {
    /// Multiaddrs, in the order they were reported.
    #[n(0)]
    pub addresses: Vec<Address>,
}
