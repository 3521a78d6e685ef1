//! Which stream stays: for each node its connections, the dials that wait, and at most one stream.
//!
//! This table does nothing itself. It is told what happened and says what is to be done, so that two of them can be
//! tested against each other in every order of events. `S` is the stream.

use std::collections::BTreeMap;
use std::time::Duration;

use kinfolk_wire::direct::Role;
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use libp2p::Multiaddr;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use crate::command::RequestId;
use crate::event::{DialFailure, Event};

/// Dials of one node that may wait at a time.
const DIALS: usize = 8;
/// Streams that a node may open in [`OPENINGS_EACH`]; a node that opens more is cut off.
const OPENINGS: u32 = 16;
const OPENINGS_EACH: Duration = Duration::from_secs(10);

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action<S> {
    /// Make a connection and tell [`Peers::dialling`] of it, or tell the driver why not.
    Connect { request: RequestId, peer: PeerId, places: Vec<Multiaddr> },
    /// Ask for a stream on this connection.
    Open { peer: PeerId, connection: ConnectionId },
    /// Begin to use this stream, once the driver has been told of it.
    Start { peer: PeerId, stream: u64, role: Role, io: S },
    /// Let this stream close; its end is to be told to [`Peers::ended`].
    Close { stream: u64 },
    /// Close this connection.
    CloseConnection { connection: ConnectionId },
    /// Close all connections to a node, and those that are being made.
    CloseAll { peer: PeerId },
    /// Tell the driver.
    Tell(Event),
}

/// The nodes that we are connected to, or want to be.
#[derive(Debug)]
pub(crate) struct Peers<S> {
    local: PeerId,
    nodes: BTreeMap<PeerId, Node<S>>,
    streams: u64,
}

#[derive(Debug)]
struct Node<S> {
    connections: Vec<Connection>,
    /// Connections that are being made.
    dialling: Vec<Dialling>,
    /// Dials that wait for a stream on a connection that is there, or for one that is being made.
    waiting: Vec<Waiting>,
    /// The connection on which we asked for a stream.
    opening: Option<ConnectionId>,
    link: Option<LinkState>,
    /// A stream that waits for our own to fail, or for the old one to end.
    next: Option<Opened<S>>,
    /// Until the stream has closed on our wish, nothing new begins.
    leaving: bool,
    openings: u32,
    openings_since: Option<Instant>,
}

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    address: Address,
    /// It is closed on our wish, and the swarm has not said so yet.
    closing: bool,
    /// The stream that we asked for on it was not to be.
    barren: bool,
}

/// A connection that is being made.
#[derive(Debug)]
struct Dialling {
    connection: ConnectionId,
    /// The dial that it is made for, unless that had its answer already.
    request: Option<RequestId>,
    /// Where.
    places: Vec<Multiaddr>,
}

/// A dial that found a connection. That may be about to close, so where else the node could be is kept for once.
#[derive(Debug)]
struct Waiting {
    request: RequestId,
    places: Vec<Multiaddr>,
}

#[derive(Debug, Clone, Copy)]
struct LinkState {
    stream: u64,
    role: Role,
    connection: ConnectionId,
    /// The other side opened a stream although this one is there, once.
    contested: bool,
    closing: bool,
}

#[derive(Debug)]
struct Opened<S> {
    connection: ConnectionId,
    role: Role,
    io: S,
}

impl<S> Default for Node<S> {
    fn default() -> Self {
        Self {
            connections: Vec::new(),
            dialling: Vec::new(),
            waiting: Vec::new(),
            opening: None,
            link: None,
            next: None,
            leaving: false,
            openings: 0,
            openings_since: None,
        }
    }
}

impl<S> Node<S> {
    fn is_forgotten(&self) -> bool {
        self.connections.is_empty()
            && self.dialling.is_empty()
            && self.waiting.is_empty()
            && self.opening.is_none()
            && self.link.is_none()
            && self.next.is_none()
    }

    /// The newest connection that can carry a stream; one over a relay only where there is no other.
    fn usable(&self) -> Option<ConnectionId> {
        let can = |known: &&Connection| !known.closing && !known.barren;
        let straight = self.connections.iter().rev().filter(can).find(|known| !known.address.is_relayed());
        straight.or_else(|| self.connections.iter().rev().find(can)).map(|connection| connection.id)
    }

    fn is_relayed(&self, id: ConnectionId) -> bool {
        self.connections.iter().any(|known| known.id == id && known.address.is_relayed())
    }

    /// Opens a stream on a straight connection where the one that is there goes over a relay.
    fn go_straight(&mut self, peer: PeerId) -> Option<Action<S>> {
        let link = self.link.as_ref().filter(|link| !link.closing)?;
        if self.leaving || self.opening.is_some() || self.next.is_some() || !self.is_relayed(link.connection) {
            return None;
        }
        let connection = self.usable().filter(|connection| !self.is_relayed(*connection))?;
        self.opening = Some(connection);
        Some(Action::Open { peer, connection })
    }

    /// Whether a connection to all these places is being made already.
    fn tries(&self, places: &[Multiaddr]) -> bool {
        !places.is_empty()
            && self.dialling.iter().any(|dialling| places.iter().all(|place| dialling.places.contains(place)))
    }

    /// Opens a stream for the dials that wait, on the connection that is there or else on a new one.
    fn open_or_connect(&mut self, peer: PeerId) -> Vec<Action<S>> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        match self.usable() {
            Some(connection) => {
                self.opening = Some(connection);
                vec![Action::Open { peer, connection }]
            }
            None => self.connect_instead(peer),
        }
    }

    /// The connection that was there is of no use: the dials that wait make their own, or have failed.
    fn connect_instead(&mut self, peer: PeerId) -> Vec<Action<S>> {
        self.waiting
            .drain(..)
            .map(|Waiting { request, places }| match places.is_empty() {
                false => Action::Connect { request, peer, places },
                true => Action::Tell(Event::DialFailed { request, peer, reason: DialFailure::NoStream }),
            })
            .collect()
    }

    fn cancel_dials(&mut self, peer: PeerId) -> Vec<Action<S>> {
        let waiting = self.waiting.drain(..).map(|waiting| waiting.request);
        let dialling = self.dialling.iter_mut().filter_map(|dialling| dialling.request.take());
        waiting
            .chain(dialling)
            .map(|request| Action::Tell(Event::DialFailed { request, peer, reason: DialFailure::Cancelled }))
            .collect()
    }

    /// Closes every connection there is; those that come later are not meant.
    fn close_all(&mut self, peer: PeerId) -> Action<S> {
        self.leaving = false;
        self.connections.iter_mut().for_each(|connection| connection.closing = true);
        Action::CloseAll { peer }
    }

    fn close_connection(&mut self, id: ConnectionId) -> Action<S> {
        self.connections.iter_mut().filter(|connection| connection.id == id).for_each(|found| found.closing = true);
        Action::CloseConnection { connection: id }
    }

    /// Ends the stream that is there; the new one begins when it is over.
    fn replace(&mut self, new: Opened<S>) -> Vec<Action<S>> {
        self.next = Some(new);
        match &mut self.link {
            Some(link) if !link.closing => {
                link.closing = true;
                vec![Action::Close { stream: link.stream }]
            }
            _ => Vec::new(),
        }
    }

    fn opens_too_often(&mut self, now: Instant) -> bool {
        if self.openings_since.is_none_or(|since| now.saturating_duration_since(since) > OPENINGS_EACH) {
            (self.openings_since, self.openings) = (Some(now), 0);
        }
        self.openings = self.openings.saturating_add(1);
        self.openings > OPENINGS
    }
}

impl<S> Peers<S> {
    pub(crate) fn new(local: PeerId) -> Self {
        Self { local, nodes: BTreeMap::new(), streams: 0 }
    }

    /// The stream to a node, if one is usable.
    pub(crate) fn stream(&self, peer: &PeerId) -> Option<u64> {
        let link = self.nodes.get(peer)?.link.as_ref()?;
        (!link.closing).then_some(link.stream)
    }

    /// A dial is asked for.
    pub(crate) fn dial(&mut self, request: RequestId, peer: PeerId, places: Vec<Multiaddr>) -> Vec<Action<S>> {
        let failed = |reason| vec![Action::Tell(Event::DialFailed { request, peer, reason })];
        if peer == self.local {
            return failed(DialFailure::Oneself);
        }
        let Some(node) = self.nodes.get_mut(&peer) else { return vec![Action::Connect { request, peer, places }] };
        if node.leaving {
            return failed(DialFailure::Cancelled);
        }
        if node.link.as_ref().is_some_and(|link| !link.closing) {
            return failed(DialFailure::Connected);
        }
        if node.waiting.len() + node.dialling.len() >= DIALS {
            return failed(DialFailure::Full);
        }
        if node.opening.is_none() && node.next.is_none() && node.usable().is_none() {
            if node.tries(&places) {
                node.waiting.push(Waiting { request, places });
                return Vec::new();
            }
            return vec![Action::Connect { request, peer, places }];
        }
        node.waiting.push(Waiting { request, places });
        // A stream that is being opened, or takes the place of one that closes, is the answer.
        let comes = node.opening.is_some() || node.next.is_some() || node.link.is_some();
        if comes { Vec::new() } else { node.open_or_connect(peer) }
    }

    /// This connection is being made for this dial.
    pub(crate) fn dialling(
        &mut self,
        request: RequestId,
        peer: PeerId,
        connection: ConnectionId,
        places: Vec<Multiaddr>,
    ) {
        let request = Some(request);
        self.nodes.entry(peer).or_default().dialling.push(Dialling { connection, request, places });
    }

    /// Another connection is being made for the dial that `failed` was made for.
    pub(crate) fn redialling(&mut self, peer: PeerId, failed: ConnectionId, connection: ConnectionId) {
        let dialling = self.nodes.get_mut(&peer).map(|node| &mut node.dialling).into_iter().flatten();
        for found in dialling.filter(|dialling| dialling.connection == failed) {
            found.connection = connection;
        }
    }

    /// A connection that was being made is not to be.
    pub(crate) fn dial_failed(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        reason: DialFailure,
    ) -> Vec<Action<S>> {
        let Some(node) = self.nodes.get_mut(&peer) else { return Vec::new() };
        let Some(at) = node.dialling.iter().position(|dialling| dialling.connection == connection) else {
            return Vec::new();
        };
        let request = node.dialling.remove(at).request;
        if node.opening.is_some() || node.next.is_some() {
            node.waiting.extend(request.map(|request| Waiting { request, places: Vec::new() }));
            return Vec::new();
        }
        let mut failed: Vec<RequestId> = request.into_iter().collect();
        if node.dialling.is_empty() && node.link.is_none() {
            // They waited for this one, which was on its way to where they wanted to go.
            failed.extend(node.waiting.drain(..).map(|waiting| waiting.request));
        }
        self.forget(&peer);
        failed.into_iter().map(|request| Action::Tell(Event::DialFailed { request, peer, reason })).collect()
    }

    /// A connection is there.
    pub(crate) fn connected(&mut self, peer: PeerId, id: ConnectionId, address: Address) -> Vec<Action<S>> {
        let we_win = self.local < peer;
        let node = self.nodes.entry(peer).or_default();
        let address_is_relayed = address.is_relayed();
        node.connections.push(Connection { id, address, closing: false, barren: false });
        let dialled = node.dialling.iter().position(|dialling| dialling.connection == id);
        let request = dialled.map(|at| node.dialling.remove(at)).and_then(|dialling| dialling.request);
        let is_better = |link: &LinkState| !address_is_relayed && node.is_relayed(link.connection);
        if node.leaving || (dialled.is_some() && node.link.as_ref().is_some_and(|link| !is_better(link))) {
            // Unwanted; or the other side was faster, and one connection is enough.
            node.waiting.extend(request.map(|request| Waiting { request, places: Vec::new() }));
            return vec![node.close_connection(id)];
        }
        node.waiting.extend(request.map(|request| Waiting { request, places: Vec::new() }));
        if node.link.is_some() {
            // The one whose stream would stay moves it; so the two do not do it both.
            return if we_win { node.go_straight(peer).into_iter().collect() } else { Vec::new() };
        }
        if dialled.is_none() || node.waiting.is_empty() || node.opening.is_some() || node.next.is_some() {
            return Vec::new();
        }
        node.opening = Some(id);
        vec![Action::Open { peer, connection: id }]
    }

    /// A connection is gone. Streams on it end by themselves.
    pub(crate) fn connection_closed(&mut self, peer: PeerId, id: ConnectionId) -> Vec<Action<S>> {
        let Some(node) = self.nodes.get_mut(&peer) else { return Vec::new() };
        node.connections.retain(|connection| connection.id != id);
        let actions = self.open_failed(peer, id);
        self.forget(&peer);
        actions
    }

    /// The stream that we asked for is not to be.
    pub(crate) fn open_failed(&mut self, peer: PeerId, connection: ConnectionId) -> Vec<Action<S>> {
        let we_win = self.local < peer;
        let Some(node) = self.nodes.get_mut(&peer) else { return Vec::new() };
        if node.opening != Some(connection) {
            return Vec::new();
        }
        node.opening = None;
        node.connections.iter_mut().filter(|known| known.id == connection).for_each(|known| known.barren = true);
        let actions = match (&node.link, node.next.take()) {
            (None, Some(new)) => self.start(peer, new),
            (None, None) => node.open_or_connect(peer),
            (Some(_), next) => {
                node.next = next;
                let straight = if we_win { node.go_straight(peer) } else { None };
                straight.into_iter().collect()
            }
        };
        self.forget(&peer);
        actions
    }

    /// A stream is open; `role` is ours. What is not used is dropped, which closes it.
    pub(crate) fn opened(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        role: Role,
        io: S,
        now: Instant,
    ) -> Vec<Action<S>> {
        let we_win = self.local < peer;
        let Some(node) = self.nodes.get_mut(&peer) else { return Vec::new() };
        if node.leaving || node.connections.iter().any(|known| known.id == connection && known.closing) {
            return Vec::new();
        }
        let new = Opened { connection, role, io };
        if role == Role::Dialer {
            if node.opening != Some(connection) {
                return Vec::new();
            }
            node.opening = None;
            // What the other side opened meanwhile has waited for this, and is not needed.
            node.next = None;
            return match node.link {
                Some(_) => node.replace(new),
                None => self.start(peer, new),
            };
        }
        if node.opens_too_often(now) {
            tracing::debug!(?peer, "opens streams too often");
            return self.cut_off(peer);
        }
        // Of a straight stream and one over a relay, the straight one stays, whoever opened it.
        let relayed = node.is_relayed(connection);
        let other = |ours: ConnectionId| node.is_relayed(ours) != relayed;
        let ours_stays = |ours: ConnectionId| if other(ours) { relayed } else { we_win };
        let waits = node.opening.is_some_and(ours_stays);
        let stays = node.link.as_ref().is_some_and(|link| link.role == Role::Dialer && ours_stays(link.connection));
        match &mut node.link {
            None if waits => {
                node.next = Some(new);
                Vec::new()
            }
            None => {
                node.opening = None;
                self.start(peer, new)
            }
            Some(link) if stays && !link.contested && !link.closing => {
                // Both opened at the same time, and ours stays. If ours is dead at the other end they open again.
                link.contested = true;
                Vec::new()
            }
            Some(_) => {
                node.opening = None;
                node.replace(new)
            }
        }
    }

    /// A stream takes nothing more; its [`Peers::ended`] follows.
    pub(crate) fn ending(&mut self, peer: &PeerId) {
        if let Some(link) = self.nodes.get_mut(peer).and_then(|node| node.link.as_mut()) {
            link.closing = true;
        }
    }

    /// A stream is over, and the driver knows what became of every frame.
    pub(crate) fn ended(&mut self, peer: PeerId, stream: u64) -> Vec<Action<S>> {
        let Some(node) = self.nodes.get_mut(&peer) else { return Vec::new() };
        let Some(link) = node.link.take_if(|link| link.stream == stream) else { return Vec::new() };
        let mut actions = vec![Action::Tell(Event::Disconnected { peer })];
        if node.leaving {
            actions.push(node.close_all(peer));
        } else if let Some(new) = node.next.take() {
            if new.connection != link.connection {
                actions.push(node.close_connection(link.connection));
            }
            actions.extend(self.start(peer, new));
        } else if node.opening.is_none() {
            actions.extend(node.open_or_connect(peer));
        }
        self.forget(&peer);
        actions
    }

    /// Close everything to a node.
    pub(crate) fn disconnect(&mut self, peer: PeerId) -> Vec<Action<S>> {
        let Some(node) = self.nodes.get_mut(&peer) else { return Vec::new() };
        let mut actions = node.cancel_dials(peer);
        (node.opening, node.next) = (None, None);
        match &mut node.link {
            Some(link) => {
                node.leaving = true;
                if !link.closing {
                    link.closing = true;
                    actions.push(Action::Close { stream: link.stream });
                }
            }
            None => actions.push(node.close_all(peer)),
        }
        self.forget(&peer);
        actions
    }

    /// Close everything to a node that misbehaves, without a goodbye.
    fn cut_off(&mut self, peer: PeerId) -> Vec<Action<S>> {
        let mut actions = self.disconnect(peer);
        if let Some(node) = self.nodes.get_mut(&peer).filter(|node| node.leaving) {
            actions.push(node.close_all(peer));
        }
        actions
    }

    fn start(&mut self, peer: PeerId, Opened { connection, role, io }: Opened<S>) -> Vec<Action<S>> {
        let Some(node) = self.nodes.get_mut(&peer) else { return Vec::new() };
        let Some(address) = node.connections.iter().find(|known| known.id == connection).map(|c| c.address.clone())
        else {
            // Its connection closed while it waited.
            return node.connect_instead(peer);
        };
        self.streams = self.streams.saturating_add(1);
        let stream = self.streams;
        node.waiting.clear();
        node.dialling.iter_mut().for_each(|dialling| dialling.request = None);
        node.link = Some(LinkState { stream, role, connection, contested: false, closing: false });
        let begun = [Action::Tell(Event::Connected { peer, role, address }), Action::Start { peer, stream, role, io }];
        let straight = if self.local < peer { node.go_straight(peer) } else { None };
        begun.into_iter().chain(straight).collect()
    }

    fn forget(&mut self, peer: &PeerId) {
        if self.nodes.get(peer).is_some_and(Node::is_forgotten) {
            self.nodes.remove(peer);
        }
    }
}

#[cfg(test)]
mod tests;
