//! Opens and takes streams inside the swarm.
//!
//! Unlike a general stream behaviour this one names the connection that each stream belongs to, never dials, and never
//! drops a stream because somebody above was slow: the swarm is then not polled, and the connection waits.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use kinfolk_wire::direct::PROTOCOL;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, Stream, StreamProtocol, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use kinfolk_wire::direct::Role;

/// Streams of one connection that wait to be taken; a node that opens more at once is misbehaving.
const WAITING: usize = 4;

/// What became of a stream.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is open. `role` is ours: `Dialer` if we asked for it.
    Opened { peer: PeerId, connection: ConnectionId, role: Role, stream: Stream },
    /// The other side does not speak the protocol, or went away.
    Failed { peer: PeerId, connection: ConnectionId },
}

/// The streams' place in the swarm.
#[derive(Default)]
pub(crate) struct Behaviour {
    queue: VecDeque<ToSwarm<Outcome, Open>>,
}

impl Behaviour {
    /// Asks for a stream on this connection; ends in an [`Outcome`], unless the connection closes first.
    pub(crate) fn open(&mut self, peer_id: PeerId, connection: ConnectionId) {
        self.queue.push_back(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(connection), event: Open });
    }
}

/// From the behaviour to a connection: open a stream.
#[derive(Debug)]
pub(crate) struct Open;

/// From a connection to the behaviour.
#[derive(Debug)]
pub(crate) enum Happened {
    Opened(Role, Stream),
    Failed,
}

/// One connection's part.
#[derive(Default)]
pub(crate) struct Handler {
    wanted: usize,
    happened: VecDeque<Happened>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = Happened;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        protocol()
    }

    fn on_behaviour_event(&mut self, Open: Open) {
        self.wanted = self.wanted.saturating_add(1);
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if let Some(happened) = self.happened.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(happened));
        }
        if self.wanted > 0 {
            self.wanted -= 1;
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol: protocol() });
        }
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) => {
                if self.happened.len() < WAITING {
                    self.happened.push_back(Happened::Opened(Role::Listener, stream));
                } else {
                    tracing::debug!("too many streams at once, this one is closed");
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, .. }) => {
                self.happened.push_back(Happened::Opened(Role::Dialer, stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                tracing::debug!(%error, "no direct stream");
                self.happened.push_back(Happened::Failed);
            }
            _ => {}
        }
    }
}

fn protocol() -> SubstreamProtocol<ReadyUpgrade<StreamProtocol>> {
    SubstreamProtocol::new(ReadyUpgrade::new(StreamProtocol::new(PROTOCOL)), ())
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Outcome;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.queue.push_back(ToSwarm::GenerateEvent(match event {
            Happened::Opened(role, stream) => Outcome::Opened { peer, connection, role, stream },
            Happened::Failed => Outcome::Failed { peer, connection },
        }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
