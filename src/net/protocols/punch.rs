//! From a circuit to a straight connection: both ends dial at the same moment, and each opens its router for the other
//! (libp2p DCUtR). Over QUIC that is done from the port that we listen on, so that the router's mapping is the one that
//! others have seen; over TCP see decision 0011.
//!
//! The other end says where we are to dial. So only contacts are listened to, each may have us dial so often, and no
//! more places than an honest node has.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::PeerId;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::dcutr;
use libp2p::multiaddr::Multiaddr;
use libp2p::swarm::behaviour::NewExternalAddrCandidate;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::address;

/// Places that one node may have us dial in one go: what libp2p itself keeps.
const PLACES: usize = 20;
/// How often a node may have us dial: three tries for each of some circuits.
const TRIES: u32 = 12;
const TRIES_EACH: Duration = Duration::from_secs(10 * 60);

pub(crate) struct Punch {
    inner: dcutr::Behaviour,
    contacts: watch::Receiver<BTreeSet<PeerId>>,
    begun: HashSet<ConnectionId>,
    tries: BTreeMap<PeerId, (Instant, u32)>,
}

/// This node does not dial there.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("somebody wants this node to dial where it does not, or too often")]
struct NotThere;

impl Punch {
    pub(crate) fn new(local: PeerId, contacts: watch::Receiver<BTreeSet<PeerId>>) -> Self {
        Self { inner: dcutr::Behaviour::new(local), contacts, begun: HashSet::new(), tries: BTreeMap::new() }
    }

    /// Where others may find our router open; told to contacts on a circuit.
    pub(crate) fn candidate(&mut self, addr: &Multiaddr) {
        self.inner.on_swarm_event(FromSwarm::NewExternalAddrCandidate(NewExternalAddrCandidate { addr }));
    }

    fn is_contact(&self, peer: &PeerId) -> bool {
        self.contacts.borrow().contains(peer)
    }

    fn may_dial(&mut self, peer: Option<PeerId>, addresses: &[Multiaddr], now: Instant) -> bool {
        let Some(peer) = peer.filter(|peer| self.is_contact(peer)) else { return false };
        self.tries.retain(|_, (since, _)| now.saturating_duration_since(*since) < TRIES_EACH);
        let (_, tries) = self.tries.entry(peer).or_insert((now, 0));
        *tries = tries.saturating_add(1);
        let straight = |address| address::may_be_dialled_if_vouched(address) && !address::is_relayed(address);
        *tries <= TRIES && addresses.len() <= PLACES && addresses.iter().all(straight)
    }
}

impl NetworkBehaviour for Punch {
    type ConnectionHandler = <dcutr::Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = dcutr::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if address::is_relayed(local) && !self.is_contact(&peer) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if self.begun.remove(&connection) && !self.may_dial(peer, addresses, Instant::now()) {
            tracing::debug!(?peer, "not dialled for a straight connection");
            return Err(ConnectionDenied::new(NotThere));
        }
        self.inner.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if address::is_relayed(address) && !self.is_contact(&peer) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        // What anybody says of where we are is no candidate: `candidate` names them.
        if !matches!(event, FromSwarm::NewExternalAddrCandidate(_)) {
            self.inner.on_swarm_event(event);
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        let polled = self.inner.poll(cx);
        if let Poll::Ready(ToSwarm::Dial { opts }) = &polled {
            self.begun.insert(opts.connection_id());
        }
        polled
    }
}

pub(crate) fn on_event(event: &dcutr::Event) {
    match &event.result {
        Ok(connection) => tracing::debug!(peer = %event.remote_peer_id, ?connection, "straight now"),
        Err(error) => tracing::debug!(peer = %event.remote_peer_id, %error, "not straight"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(seed: u8) -> PeerId {
        crate::identity::keypair(&[seed; 32]).public().to_peer_id()
    }

    fn at(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn d14_only_contacts_have_us_dial_and_only_so_often() {
        let (contact, stranger, now) = (node(2), node(3), Instant::now());
        let (_contacts, contacts) = watch::channel(BTreeSet::from([contact]));
        let mut punch = Punch::new(node(1), contacts);
        let place = [at("/ip4/192.0.2.7/udp/4001/quic-v1")];
        assert!(!punch.may_dial(Some(stranger), &place, now) && !punch.may_dial(None, &place, now));
        for _ in 0..TRIES {
            assert!(punch.may_dial(Some(contact), &place, now));
        }
        assert!(!punch.may_dial(Some(contact), &place, now + TRIES_EACH / 2));
        assert!(punch.may_dial(Some(contact), &place, now + TRIES_EACH));
    }

    #[tokio::test]
    async fn d14_a_contact_names_single_hosts_and_not_many_and_no_relays() {
        let (contact, now) = (node(2), Instant::now());
        let (_contacts, contacts) = watch::channel(BTreeSet::from([contact]));
        let mut punch = Punch::new(node(1), contacts);
        let fine = at("/ip4/192.0.2.7/udp/4001/quic-v1");
        let over = format!("/ip4/192.0.2.7/tcp/4001/p2p/{}/p2p-circuit", node(4));
        for bad in ["/ip4/224.0.0.1/udp/4001/quic-v1", "/ip4/255.255.255.255/tcp/1", "/dns4/victim/tcp/1", &over] {
            assert!(!punch.may_dial(Some(contact), &[fine.clone(), at(bad)], now), "{bad}");
        }
        assert!(!punch.may_dial(Some(contact), &vec![fine.clone(); PLACES + 1], now));
        assert!(punch.may_dial(Some(contact), &vec![fine; PLACES], now));
    }
}
