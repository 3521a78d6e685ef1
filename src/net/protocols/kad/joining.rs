//! Where this node begins: at nodes that the person named, and at contacts who serve. Whether there is anybody to ask,
//! and if not, what was tried.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use kinfolk_wire::invite::Address;
use libp2p::PeerId;
use libp2p::multiaddr::Multiaddr;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use crate::address::Place;
use crate::event::{Event, Unreached};

/// The first wait before the named nodes are tried again, and the longest.
const AGAIN: Duration = Duration::from_secs(5);
const AGAIN_AT_MOST: Duration = Duration::from_secs(10 * 60);
/// Contacts that are known by their word at a time.
const INTRODUCED: usize = 512;

/// A node that the person named.
#[derive(Debug)]
struct Named {
    peer: PeerId,
    place: Place,
    /// As it was named.
    address: Address,
    reason: String,
}

#[derive(Debug, Default)]
pub(crate) struct Joining {
    named: Vec<Named>,
    /// Contacts' nodes, and where they say they are.
    introduced: BTreeMap<PeerId, Vec<Multiaddr>>,
    /// Nodes that are connected and answer queries.
    serving: BTreeSet<PeerId>,
    connections: HashMap<ConnectionId, PeerId>,
    /// What the driver was last told.
    is_joined: Option<bool>,
    failures: u32,
    again_at: Option<Instant>,
}

impl Joining {
    pub(crate) fn new(named: &[(PeerId, Place, Address)]) -> Self {
        let named = named.iter().map(|(peer, place, address)| Named {
            peer: *peer,
            place: *place,
            address: address.clone(),
            reason: "it does not answer queries of the hash table".to_owned(),
        });
        Self { named: named.collect(), ..Self::default() }
    }

    /// Where a named node is.
    pub(crate) fn named(&self) -> impl Iterator<Item = (PeerId, Multiaddr)> {
        self.named.iter().map(|named| (named.peer, named.place.multiaddr()))
    }

    /// A dial to a node came to nothing.
    pub(crate) fn not_reached(&mut self, peer: &PeerId, reason: &str) {
        for named in self.named.iter_mut().filter(|named| named.peer == *peer) {
            reason.clone_into(&mut named.reason);
        }
    }

    /// A contact said who they are: where they serve, they are a beginning. Says where, if they are known to serve.
    pub(crate) fn introduced(&mut self, peer: PeerId, places: Vec<Multiaddr>) -> bool {
        if !self.introduced.contains_key(&peer) && self.introduced.len() >= INTRODUCED {
            self.introduced.pop_first();
        }
        self.introduced.insert(peer, places);
        self.serving.contains(&peer)
    }

    /// A connected node answers queries. Says where a contact's node is.
    pub(crate) fn serves(&mut self, peer: PeerId) -> Vec<Multiaddr> {
        self.serving.insert(peer);
        self.introduced.get(&peer).cloned().unwrap_or_default()
    }

    pub(crate) fn connected(&mut self, connection: ConnectionId, peer: PeerId) {
        self.connections.insert(connection, peer);
    }

    pub(crate) fn closed(&mut self, connection: ConnectionId) {
        if let Some(peer) = self.connections.remove(&connection)
            && !self.connections.values().any(|other| *other == peer)
        {
            self.serving.remove(&peer);
        }
    }

    /// Whether a query was answered by anybody; says what is new about that.
    pub(crate) fn asked(&mut self, answered: bool, now: Instant) -> Option<Event> {
        if answered {
            (self.failures, self.again_at) = (0, None);
            return (self.is_joined.replace(true) != Some(true)).then_some(Event::Joined);
        }
        if self.again_at.is_none() && !self.named.is_empty() {
            let wait = AGAIN.saturating_mul(1 << self.failures.min(10)).min(AGAIN_AT_MOST);
            self.failures = self.failures.saturating_add(1);
            self.again_at = now.checked_add(wait);
        }
        let was = self.is_joined.replace(false);
        (was != Some(false)).then(|| Event::NotJoined { tried: self.tried() })
    }

    fn tried(&self) -> Vec<Unreached> {
        let of = |named: &Named| Unreached { address: named.address.clone(), reason: named.reason.clone() };
        self.named.iter().map(of).collect()
    }

    /// When the named nodes are to be tried again.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.again_at
    }

    pub(crate) const fn begins_again(&mut self) {
        self.again_at = None;
    }
}
