//! Opens and takes substreams of questions inside the swarm, and names the connection each belongs to.
//!
//! Like the direct stream's ([`direct`](crate::protocols::direct)) it never dials. Whoever answers takes so many at a time
//! on each connection; what is over is closed at once. Whoever asks takes none.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour,
    NotifyHandler, Stream, StreamProtocol, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::To;
use crate::event::AskFailure;

/// What became of a substream.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Somebody asks. The place is given back when the substream is closed.
    Heard { connection: ConnectionId, stream: Stream, place: OwnedSemaphorePermit },
    /// It is open, and we may ask.
    Opened { stream: Stream },
    /// The other side does not speak the protocol, or went away.
    Failed { reason: AskFailure },
}

/// The substreams' place in the swarm.
pub(crate) struct Behaviour {
    spoken: Spoken,
    /// Substreams of one connection that are heard.
    heard: usize,
    queue: VecDeque<ToSwarm<Outcome, Open>>,
}

impl Behaviour {
    /// Of a node that answers.
    pub(crate) fn answering(to: To) -> Self {
        Self { spoken: Spoken::new(to), heard: to.heard_at_once(), queue: VecDeque::new() }
    }

    /// Of one that asks.
    pub(super) fn asking(to: To) -> Self {
        Self { spoken: Spoken::new(to), heard: 0, queue: VecDeque::new() }
    }

    /// Asks for a substream to this node; ends in [`Outcome::Opened`] or [`Outcome::Failed`], unless the connection closes.
    pub(super) fn open(&mut self, peer_id: PeerId) {
        self.queue.push_back(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::Any, event: Open });
    }

    fn handler(&self) -> Handler {
        Handler {
            spoken: self.spoken.clone(),
            places: Arc::new(Semaphore::new(self.heard)),
            heard: self.heard,
            wanted: 0,
            happened: VecDeque::new(),
        }
    }
}

/// From the behaviour to a connection: open a substream.
#[derive(Debug)]
pub(crate) struct Open;

/// From a connection to the behaviour.
#[derive(Debug)]
pub(crate) enum Happened {
    Heard(Stream, OwnedSemaphorePermit),
    Opened(Stream),
    Failed(AskFailure),
}

/// One connection's part.
pub(crate) struct Handler {
    spoken: Spoken,
    places: Arc<Semaphore>,
    heard: usize,
    wanted: usize,
    happened: VecDeque<Happened>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = Happened;
    type InboundProtocol = Spoken;
    type OutboundProtocol = Spoken;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Spoken> {
        let spoken = if self.heard > 0 { self.spoken.clone() } else { Spoken(None) };
        SubstreamProtocol::new(spoken, ())
    }

    fn on_behaviour_event(&mut self, Open: Open) {
        self.wanted = self.wanted.saturating_add(1);
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ConnectionHandlerEvent<Spoken, (), Happened>> {
        if let Some(happened) = self.happened.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(happened));
        }
        if self.wanted > 0 {
            self.wanted -= 1;
            let protocol = SubstreamProtocol::new(self.spoken.clone(), ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Spoken, Spoken>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) => {
                match Arc::clone(&self.places).try_acquire_owned() {
                    Ok(place) => self.happened.push_back(Happened::Heard(stream, place)),
                    Err(_) => tracing::debug!("too many streams of questions at once, this one is closed"),
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, .. }) => {
                self.happened.push_back(Happened::Opened(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                tracing::debug!(%error, "no stream for questions");
                self.happened.push_back(Happened::Failed(match error {
                    StreamUpgradeError::NegotiationFailed => AskFailure::NotSpoken,
                    StreamUpgradeError::Timeout => AskFailure::Silent,
                    StreamUpgradeError::Io(_) | StreamUpgradeError::Apply(_) => AskFailure::Broken,
                }));
            }
            _ => {}
        }
    }
}

/// The protocol that a side speaks, if it does; what is agreed on is the bare stream.
#[derive(Debug, Clone)]
pub(crate) struct Spoken(Option<StreamProtocol>);

impl Spoken {
    const fn new(to: To) -> Self {
        Self(Some(StreamProtocol::new(to.protocol())))
    }
}

impl UpgradeInfo for Spoken {
    type Info = StreamProtocol;
    type InfoIter = std::option::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl<S> InboundUpgrade<S> for Spoken {
    type Output = S;
    type Error = Infallible;
    type Future = Ready<Result<S, Infallible>>;

    fn upgrade_inbound(self, stream: S, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

impl<S> OutboundUpgrade<S> for Spoken {
    type Output = S;
    type Error = Infallible;
    type Future = Ready<Result<S, Infallible>>;

    fn upgrade_outbound(self, stream: S, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
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
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.queue.push_back(ToSwarm::GenerateEvent(match event {
            Happened::Heard(stream, place) => Outcome::Heard { connection, stream, place },
            Happened::Opened(stream) => Outcome::Opened { stream },
            Happened::Failed(reason) => Outcome::Failed { reason },
        }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
