//! mDNS: who shows themselves on the local network.
//!
//! Answers trickle in address by address. They are gathered for a moment and told once for each node, all addresses
//! together, so that it is dialled once. Anybody on the network can answer anything: the addresses are filtered, and
//! nodes, addresses and memory are bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kinfolk_wire::limits;
use libp2p::{Multiaddr, PeerId, mdns};
use tokio::time::Instant;

use crate::address;
use crate::event::Event;
use crate::filtered::Filtered;
use crate::identity;

/// How long the addresses of a node are gathered.
const GATHER: Duration = Duration::from_millis(250);
/// Nodes that are remembered at a time: a large office.
const NODES: usize = 256;

pub(crate) type Finder = Filtered<mdns::tokio::Behaviour>;

/// The finder of this node.
///
/// # Errors
/// What the system says where the network's interfaces cannot be listed.
pub(crate) fn behaviour(local: PeerId) -> std::io::Result<Finder> {
    let finder = mdns::tokio::Behaviour::new(mdns::Config::default(), local)?;
    Ok(Filtered::new(finder, address::may_be_dialled_from_neighbours))
}

/// The nodes seen at present, and which of them the driver has not been told of.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    /// Oldest address first.
    seen: BTreeMap<PeerId, Vec<Multiaddr>>,
    untold: BTreeSet<PeerId>,
    due: Option<Instant>,
}

impl Neighbours {
    pub(crate) fn on_event(&mut self, event: mdns::Event, now: Instant) {
        match event {
            mdns::Event::Discovered(found) => found.into_iter().for_each(|(peer, at)| self.found(peer, at, now)),
            mdns::Event::Expired(gone) => gone.into_iter().for_each(|(peer, at)| self.gone(peer, &at)),
        }
    }

    /// When the driver is to be told.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// One event for each node with something new.
    pub(crate) fn tell(&mut self) -> Vec<Event> {
        self.due = None;
        let untold = std::mem::take(&mut self.untold);
        untold
            .iter()
            .filter_map(|node| {
                let addresses: Vec<_> = self.seen.get(node)?.iter().filter_map(address::write).collect();
                Some(Event::Discovered { peer: identity::from_libp2p(node)?, addresses })
            })
            .collect()
    }

    fn found(&mut self, peer: PeerId, at: Multiaddr, now: Instant) {
        if !address::may_be_dialled_from_neighbours(&at) || (self.seen.len() >= NODES && !self.seen.contains_key(&peer))
        {
            return;
        }
        let addresses = self.seen.entry(peer).or_default();
        if addresses.contains(&at) {
            return;
        }
        if addresses.len() >= limits::ADDRESSES {
            // A node that starts again listens elsewhere; its old addresses expire only after minutes.
            addresses.remove(0);
        }
        addresses.push(at);
        self.untold.insert(peer);
        self.due.get_or_insert(now + GATHER);
    }

    fn gone(&mut self, peer: PeerId, at: &Multiaddr) {
        if let Some(addresses) = self.seen.get_mut(&peer) {
            addresses.retain(|known| known != at);
            if addresses.is_empty() {
                self.seen.remove(&peer);
                self.untold.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_is_told_once_with_all_its_addresses() {
        let (node, now) = (PeerId::random(), Instant::now());
        let mut neighbours = Neighbours::default();
        for text in ["/ip4/192.168.1.7/udp/4001/quic-v1", "/ip4/192.168.1.7/tcp/4001", "/ip4/127.0.0.1/tcp/22"] {
            neighbours.found(node, text.parse().unwrap(), now);
        }
        assert_eq!(neighbours.due(), Some(now + GATHER));
        // A random id is a hash, not a key, so there is no node of ours behind it: use a real key.
        assert!(neighbours.tell().is_empty());
        let real = crate::identity::keypair(&[7; 32]).public().to_peer_id();
        for text in ["/ip4/192.168.1.7/udp/4001/quic-v1", "/ip4/192.168.1.7/tcp/4001", "/ip4/127.0.0.1/tcp/22"] {
            neighbours.found(real, text.parse().unwrap(), now);
        }
        let told = neighbours.tell();
        assert!(matches!(&told[..], [Event::Discovered { addresses, .. }] if addresses.len() == 2), "{told:?}");
        assert!(neighbours.tell().is_empty());
        assert_eq!(neighbours.due(), None);
    }

    #[tokio::test]
    async fn d10_a_flood_of_answers_is_bounded() {
        let now = Instant::now();
        let mut neighbours = Neighbours::default();
        for _ in 0..2 * NODES {
            let node = PeerId::random();
            for port in 2_000..2_100 {
                neighbours.found(node, format!("/ip4/192.168.1.7/tcp/{port}").parse().unwrap(), now);
            }
        }
        assert_eq!(neighbours.seen.len(), NODES);
        assert!(neighbours.seen.values().all(|addresses| addresses.len() == limits::ADDRESSES));
    }

    #[tokio::test]
    async fn a_node_that_has_gone_is_not_told() {
        let (node, now) = (crate::identity::keypair(&[7; 32]).public().to_peer_id(), Instant::now());
        let at: Multiaddr = "/ip4/192.168.1.7/tcp/4001".parse().unwrap();
        let mut neighbours = Neighbours::default();
        neighbours.on_event(mdns::Event::Discovered(vec![(node, at.clone())]), now);
        neighbours.on_event(mdns::Event::Expired(vec![(node, at)]), now);
        assert!(neighbours.tell().is_empty());
    }
}
