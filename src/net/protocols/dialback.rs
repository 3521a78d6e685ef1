//! Being dialled back: whether others reach this node where it thinks it is, and the same for them (AutoNAT v2).
//!
//! libp2p's asking side believes one node and asks each address once. Here every node that is asked has an asking side
//! of its own, so that each is heard about each address, and what they say is only reported: `reach` counts. Both sides
//! ask and answer on every straight connection, whoever dialled it: a node that others only dial could ask nobody else.
//!
//! The answering side dials where a stranger says. It dials the address from which the stranger is connected at this
//! moment and no other host, only on the open internet and no privileged service, one at a time, and so often.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::PeerId;
use libp2p::autonat::v2::{client, server};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, NewExternalAddrCandidate};
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionHandler as _, ConnectionHandlerSelect, ConnectionId, FromSwarm,
    NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use tokio::time::Instant;

use crate::address::{self, Global, Place};

/// Dials that one node, one IP address and all together may have us make in [`DIALS_EACH`].
const DIALS_OF_NODE: u32 = 16;
const DIALS_OF_ADDRESS: u32 = 64;
const DIALS_OF_ALL: u32 = 512;
const DIALS_EACH: Duration = Duration::from_secs(60 * 60);
/// Dials that are under way for one node.
const AT_ONCE: usize = 4;

type Asking = THandler<client::Behaviour>;

/// What a node that was asked has found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) by: PeerId,
    pub(crate) address: Multiaddr,
    pub(crate) reached: bool,
}

/// The asking side: a client for each node that is asked.
pub(crate) struct Ask {
    /// Makes the handlers, which are all alike.
    any: client::Behaviour,
    clients: BTreeMap<PeerId, Client>,
    /// Straight connections.
    connections: HashMap<ConnectionId, PeerId>,
}

/// The asking side towards one node. It is left alone, clock and all, while it has nothing to ask.
#[derive(Default)]
struct Client {
    inner: client::Behaviour,
    unanswered: BTreeSet<Multiaddr>,
}

impl Ask {
    pub(crate) fn new() -> Self {
        Self { any: client::Behaviour::default(), clients: BTreeMap::new(), connections: HashMap::new() }
    }

    /// Has this node dial us at these addresses, each of them once. Says whether it is asked at all.
    pub(crate) fn ask(&mut self, node: &PeerId, addresses: &[Multiaddr]) -> bool {
        let Some(client) = self.clients.get_mut(node) else { return false };
        for addr in addresses {
            client.inner.on_swarm_event(FromSwarm::NewExternalAddrCandidate(NewExternalAddrCandidate { addr }));
            client.unanswered.insert(addr.clone());
        }
        true
    }

    fn handler(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
    ) -> Result<Either<ConnectionHandlerSelect<Asking, Asking>, dummy::ConnectionHandler>, ConnectionDenied> {
        let (role, port) = (Endpoint::Dialer, PortUse::Reuse);
        let asks = self.any.handle_established_outbound_connection(connection, peer, remote, role, port)?;
        let hears = self.any.handle_established_inbound_connection(connection, peer, remote, remote)?;
        Ok(Either::Left(asks.select(hears)))
    }

    fn established(&mut self, event: ConnectionEstablished<'_>) {
        if event.endpoint.is_relayed() {
            return;
        }
        let node = event.peer_id;
        self.connections.insert(event.connection_id, node);
        let client = self.clients.entry(node).or_default();
        client.inner.on_swarm_event(FromSwarm::ConnectionEstablished(event));
    }

    fn closed(&mut self, event: ConnectionClosed<'_>) {
        let Some(node) = self.connections.remove(&event.connection_id) else { return };
        if let Some(client) = self.clients.get_mut(&node) {
            client.inner.on_swarm_event(FromSwarm::ConnectionClosed(event));
        }
        if !self.connections.values().any(|other| *other == node) {
            self.clients.remove(&node);
        }
    }
}

impl NetworkBehaviour for Ask {
    type ConnectionHandler = Either<ConnectionHandlerSelect<Asking, Asking>, dummy::ConnectionHandler>;
    type ToSwarm = Found;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if address::is_relayed(local) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.handler(connection, peer, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if address::is_relayed(remote) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.handler(connection, peer, remote)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => self.established(event),
            FromSwarm::ConnectionClosed(event) => self.closed(event),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        let event = match event {
            Either::Left(Either::Left(event) | Either::Right(event)) => event,
            Either::Right(never) => match never {},
        };
        // A dial back comes on a connection of its own, but from the node that was asked.
        if let Some(client) = self.clients.get_mut(&peer)
            && self.connections.contains_key(&connection)
        {
            client.inner.on_connection_handler_event(peer, connection, event);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        for client in self.clients.values_mut().filter(|client| !client.unanswered.is_empty()) {
            while let Poll::Ready(event) = client.inner.poll(cx) {
                match event {
                    ToSwarm::GenerateEvent(client::Event { tested_addr, server, result, .. }) => {
                        client.unanswered.remove(&tested_addr);
                        let found = Found { by: server, address: tested_addr, reached: result.is_ok() };
                        return Poll::Ready(ToSwarm::GenerateEvent(found));
                    }
                    ToSwarm::NotifyHandler { peer_id, handler, event } => {
                        let event = Either::Left(Either::Left(event));
                        return Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event });
                    }
                    // One node's word; nothing to tell the swarm.
                    _ => {}
                }
            }
        }
        Poll::Pending
    }
}

/// The answering side.
pub(crate) struct Answer {
    inner: server::Behaviour,
    global: Global,
    /// From where nodes are connected straight.
    from: HashMap<ConnectionId, (PeerId, IpAddr)>,
    /// Dials that the inner side has begun and that were not looked at yet.
    begun: Vec<ConnectionId>,
    /// Dials that are under way or have come through.
    dials: HashMap<ConnectionId, (PeerId, Multiaddr)>,
    since: Option<Instant>,
    by_node: BTreeMap<PeerId, u32>,
    by_address: BTreeMap<IpAddr, u32>,
    by_all: u32,
    over: Vec<(PeerId, ConnectionId)>,
}

/// This node does not dial there.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("somebody wants this node to dial where they are not, or too often")]
struct NotThere;

impl Answer {
    pub(crate) fn new(global: Global) -> Self {
        Self {
            inner: server::Behaviour::default(),
            global,
            from: HashMap::new(),
            begun: Vec::new(),
            dials: HashMap::new(),
            since: None,
            by_node: BTreeMap::new(),
            by_address: BTreeMap::new(),
            by_all: 0,
            over: Vec::new(),
        }
    }

    fn may_dial(&mut self, peer: PeerId, address: &Multiaddr, now: Instant) -> bool {
        let Some(Place { socket, .. }) = Place::of(address) else { return false };
        let ip = socket.ip();
        let is_there = self.from.values().any(|(node, from)| *node == peer && *from == ip);
        let under_way = self.dials.values().filter(|(node, _)| *node == peer).count();
        if !is_there || !self.global.holds(ip) || !address::is_open_port(socket.port()) || under_way >= AT_ONCE {
            return false;
        }
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= DIALS_EACH) {
            self.since = Some(now);
            (self.by_all, self.by_node, self.by_address) = (0, BTreeMap::new(), BTreeMap::new());
        }
        let (node, host) = (self.by_node.entry(peer).or_default(), self.by_address.entry(ip).or_default());
        if *node >= DIALS_OF_NODE || *host >= DIALS_OF_ADDRESS || self.by_all >= DIALS_OF_ALL {
            return false;
        }
        (*node, *host, self.by_all) = (*node + 1, *host + 1, self.by_all + 1);
        true
    }
}

impl NetworkBehaviour for Answer {
    type ConnectionHandler = <server::Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if address::is_relayed(local) {
            return Ok(Either::Left(Either::Right(dummy::ConnectionHandler)));
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
        if let Some(at) = self.begun.iter().position(|begun| *begun == connection) {
            self.begun.swap_remove(at);
            match (peer, addresses) {
                (Some(peer), [address]) if self.may_dial(peer, address, Instant::now()) => {
                    self.dials.insert(connection, (peer, address.clone()));
                }
                _ => {
                    tracing::debug!(?peer, ?addresses, "not dialled back");
                    return Err(ConnectionDenied::new(NotThere));
                }
            }
        }
        self.inner.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.dials.contains_key(&connection) {
            return self.inner.handle_established_outbound_connection(connection, peer, remote, role, port);
        }
        if address::is_relayed(remote) {
            return Ok(Either::Left(Either::Right(dummy::ConnectionHandler)));
        }
        let bare: Multiaddr = remote.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect();
        self.inner.handle_established_inbound_connection(connection, peer, &bare, &bare)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, endpoint, .. })
                if !endpoint.is_relayed() && !self.dials.contains_key(connection_id) =>
            {
                if let Some(place) = Place::of(endpoint.get_remote_address()) {
                    self.from.insert(*connection_id, (*peer_id, place.socket.ip()));
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.from.remove(connection_id);
                self.dials.remove(connection_id);
            }
            FromSwarm::DialFailure(failure) => drop(self.dials.remove(&failure.connection_id)),
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            if let Some((peer_id, connection)) = self.over.pop() {
                let connection = CloseConnection::One(connection);
                return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection });
            }
            match std::task::ready!(self.inner.poll(cx)) {
                ToSwarm::GenerateEvent(server::Event { client, tested_addr, .. }) => {
                    let dials = self.dials.iter().filter(|(_, (node, at))| *node == client && *at == tested_addr);
                    self.over.extend(dials.map(|(connection, (node, _))| (*node, *connection)));
                }
                ToSwarm::Dial { opts } => {
                    self.begun.push(opts.connection_id());
                    return Poll::Ready(ToSwarm::Dial { opts });
                }
                // It has nothing else to say.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: usize) -> PeerId {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        crate::identity::keypair(&seed).public().to_peer_id()
    }

    fn at(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    /// Somebody is connected from there.
    fn come(answer: &mut Answer, number: usize, ip: &str) {
        answer.from.insert(ConnectionId::new_unchecked(number), (node(number), ip.parse().unwrap()));
    }

    #[tokio::test]
    async fn d14_whoever_asks_is_dialled_back_where_they_are_and_nowhere_else() {
        let mut answer = Answer::new(Global::default());
        let now = Instant::now();
        come(&mut answer, 1, "192.0.2.7");
        come(&mut answer, 2, "10.0.0.7");
        come(&mut answer, 3, "192.0.2.9");
        for bad in [
            "/ip4/192.0.2.9/udp/4001/quic-v1", // somebody else is there
            "/ip4/198.51.100.1/tcp/4001",
            "/ip4/192.0.2.7/tcp/25",
            "/ip4/192.0.2.7/tcp/0",
            "/ip4/127.0.0.1/tcp/4001",
            "/dns4/victim/tcp/4001",
            "/ip4/192.0.2.7/tcp/4001/ws",
        ] {
            assert!(!answer.may_dial(node(1), &at(bad), now), "{bad}");
        }
        assert!(!answer.may_dial(node(2), &at("/ip4/10.0.0.7/tcp/4001"), now), "a private host");
        assert!(!answer.may_dial(node(4), &at("/ip4/192.0.2.7/tcp/4001"), now), "who asks is not there");
        assert!(answer.may_dial(node(1), &at("/ip4/192.0.2.7/tcp/4001"), now));
        let mut here = Answer::new(Global::new(&["10.0.0.0/8".parse().unwrap()]));
        come(&mut here, 2, "10.0.0.7");
        assert!(here.may_dial(node(2), &at("/ip4/10.0.0.7/tcp/4001"), now));
    }

    #[tokio::test]
    async fn d14_nobody_has_a_victim_dialled_again_and_again() {
        let mut answer = Answer::new(Global::default());
        let now = Instant::now();
        let place = at("/ip4/192.0.2.7/udp/4001/quic-v1");
        let mut dialled = 0;
        for number in 0..20 {
            come(&mut answer, number, "192.0.2.7");
            for _ in 0..2 * DIALS_OF_NODE {
                dialled += u32::from(answer.may_dial(node(number), &place, now));
            }
            assert!(dialled <= DIALS_OF_NODE * (u32::try_from(number).unwrap() + 1));
        }
        assert_eq!(dialled, DIALS_OF_ADDRESS, "twenty nodes at one address");
        for number in 20..1_000 {
            let ip = format!("198.51.{}.{}", number / 250, number % 250);
            come(&mut answer, number, &ip);
            dialled += u32::from(answer.may_dial(node(number), &at(&format!("/ip4/{ip}/tcp/4001")), now));
        }
        assert_eq!(dialled, DIALS_OF_ALL, "all together");
        assert!(answer.may_dial(node(1), &place, now + DIALS_EACH));
        for connection in 5_000..5_000 + AT_ONCE {
            answer.dials.insert(ConnectionId::new_unchecked(connection), (node(1), place.clone()));
        }
        assert!(!answer.may_dial(node(1), &place, now + DIALS_EACH), "too many at once");
    }
}
