//! A behaviour whose addresses come from others, with a rule in front of every dial.
//!
//! The swarm asks every behaviour for addresses of a node that some behaviour wants dialled. This wrapper lets through
//! what the rule allows and what the person named themselves, and nothing else.

use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};

pub(crate) struct Filtered<B> {
    inner: B,
    rule: fn(&Multiaddr) -> bool,
    vouched: Vec<(PeerId, Multiaddr)>,
}

impl<B> Filtered<B> {
    pub(crate) fn new(inner: B, rule: fn(&Multiaddr) -> bool) -> Self {
        Self { inner, rule, vouched: Vec::new() }
    }

    /// Lets one address of one node through, whatever the rule says. Without `p2p`.
    pub(crate) fn vouch(&mut self, peer: PeerId, address: Multiaddr) {
        self.vouched.push((peer, address));
    }

    /// Lets the addresses of one node through, and no others of it that were before.
    pub(crate) fn vouch_for(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        self.vouched.retain(|(node, _)| *node != peer);
        self.vouched.extend(addresses.into_iter().map(|address| (peer, address)));
    }

    pub(crate) fn inner(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Whether this address of this node may be dialled.
    pub(crate) fn allows(&self, peer: &PeerId, address: &Multiaddr) -> bool {
        let bare: Multiaddr = address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect();
        (self.rule)(address) || self.vouched.iter().any(|(node, at)| node == peer && *at == bare)
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Filtered<B> {
    type ConnectionHandler = B::ConnectionHandler;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(connection, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        let mut known = self.inner.handle_pending_outbound_connection(connection, peer, addresses, role)?;
        known.retain(|address| peer.is_some_and(|peer| self.allows(&peer, address)));
        Ok(known)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            match self.inner.poll(cx) {
                Poll::Ready(ToSwarm::NewExternalAddrOfPeer { peer_id, address })
                    if !self.allows(&peer_id, &address) => {}
                other => return other,
            }
        }
    }
}
