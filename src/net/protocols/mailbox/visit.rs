//! One visit to a host: a fresh key, a swarm of its own, a connection, one question after the other.
//!
//! Nothing of the node's own is in it: another key, another socket, no protocol but this one. What goes wrong, whatever
//! it is, ends the connection; the next question of the group goes over a new one, under another key.

use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::request_response::{Event as Happened, Message, OutboundFailure};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{DialError, NetworkBehaviour, Swarm, SwarmEvent};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::visits::{Placed, Shared};
use super::{Questions, asking};
use crate::address::Route;
use crate::config::Deadlines;
use crate::event::{AskFailure, Event};
use crate::protocols::circuits::Circuits;
use crate::transports;

/// Performs what comes by the lane, and closes it when nothing more has come for a while.
pub(super) async fn visit(mut lane: mpsc::Receiver<Placed>, shared: Shared) {
    let mut connection = None;
    while let Some(Placed { request, host, places, body, place }) = next(&mut lane, &mut connection, &shared).await {
        let Ok(_under_way) = shared.under_way.acquire().await else { return };
        let asked = timeout(shared.deadlines.visit, perform(&mut connection, host, places, body, &shared.deadlines));
        let event = match asked.await.unwrap_or(Err(AskFailure::Silent)) {
            Ok(body) => Event::Answered { request, body },
            Err(reason) => {
                connection = None;
                Event::Unanswered { request, reason }
            }
        };
        if shared.events.send(event).await.is_err() {
            return;
        }
        drop(place);
    }
}

/// The next question. Where none waits, the connection is kept for a moment, if there is one; then the lane is closed,
/// and what came at the last moment is still performed.
async fn next(
    lane: &mut mpsc::Receiver<Placed>,
    connection: &mut Option<Connection>,
    shared: &Shared,
) -> Option<Placed> {
    if let Ok(ask) = lane.try_recv() {
        return Some(ask);
    }
    if let Some(open) = connection
        && !lane.is_closed()
        && let Some(_place) = shared.linger().await
    {
        tokio::select! {
            ask = lane.recv() => return ask,
            () = open.closed() => {}
            () = shared.make_room.notified() => {}
            () = tokio::time::sleep(shared.deadlines.linger) => {}
        }
    }
    *connection = None;
    lane.close();
    lane.recv().await
}

async fn perform(
    connection: &mut Option<Connection>,
    host: libp2p::PeerId,
    places: Vec<Multiaddr>,
    body: Vec<u8>,
    deadlines: &Deadlines,
) -> Result<Vec<u8>, AskFailure> {
    let open = match connection {
        Some(open) => open,
        None => {
            let reaching = timeout(deadlines.reach, Connection::open(host, places, deadlines));
            connection.insert(reaching.await.unwrap_or(Err(AskFailure::Unreachable))?)
        }
    };
    open.ask(body).await
}

struct Connection {
    host: libp2p::PeerId,
    swarm: Swarm<Visit>,
}

/// What a visit speaks: questions, and what it takes to come to a host over its relay.
#[derive(NetworkBehaviour)]
struct Visit {
    questions: Questions,
    circuits: Circuits,
}

impl Connection {
    async fn open(host: libp2p::PeerId, mut places: Vec<Multiaddr>, deadlines: &Deadlines) -> Result<Self, AskFailure> {
        let swarm = transports::swarm(Keypair::generate_ed25519(), deadlines, |_, circuits| Visit {
            questions: asking(deadlines),
            circuits,
        });
        let mut swarm = swarm.map_err(|error| {
            tracing::warn!(%error, "no socket to ask a mailbox from");
            AskFailure::Unreachable
        })?;
        loop {
            let addresses = places.iter().map(|place| place.clone().with(Protocol::P2p(host))).collect();
            swarm.dial(DialOpts::peer_id(host).addresses(addresses).build()).map_err(|error| failure(&error))?;
            match reached(&mut swarm, host).await {
                Ok(()) => return Ok(Self { host, swarm }),
                // The first answer came from somebody else. That must not hide the right node at the next address.
                Err(DialError::WrongPeerId { address, .. }) => {
                    let wrong = Route::of(&address).map(|route| route.multiaddr());
                    places.retain(|place| Some(place) != wrong.as_ref());
                    if wrong.is_none() || places.is_empty() {
                        return Err(AskFailure::AnotherNode);
                    }
                }
                Err(error) => return Err(failure(&error)),
            }
        }
    }

    async fn ask(&mut self, body: Vec<u8>) -> Result<Vec<u8>, AskFailure> {
        let asked = self.swarm.behaviour_mut().questions.send_request(&self.host, body);
        loop {
            match self.swarm.select_next_some().await {
                SwarmEvent::Behaviour(VisitEvent::Questions(Happened::Message {
                    message: Message::Response { request_id, response },
                    ..
                })) if request_id == asked => return Ok(response),
                SwarmEvent::Behaviour(VisitEvent::Questions(Happened::OutboundFailure {
                    request_id, error, ..
                })) if request_id == asked => {
                    tracing::debug!(%error, "a mailbox did not answer");
                    return Err(match error {
                        OutboundFailure::UnsupportedProtocols => AskFailure::NoMailbox,
                        OutboundFailure::Timeout => AskFailure::Silent,
                        OutboundFailure::DialFailure => AskFailure::Unreachable,
                        OutboundFailure::ConnectionClosed | OutboundFailure::Io(_) => AskFailure::Broken,
                    });
                }
                other => tracing::trace!(?other, "visit"),
            }
        }
    }

    /// Waits until the other side closes.
    async fn closed(&mut self) {
        while self.swarm.is_connected(&self.host) {
            self.swarm.select_next_some().await;
        }
    }
}

async fn reached(swarm: &mut Swarm<Visit>, host: libp2p::PeerId) -> Result<(), DialError> {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } if peer_id == host => return Ok(()),
            // A relay on the way that is not reached ends the dial of the host, which is told as well.
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } if peer_id == Some(host) => {
                tracing::debug!(%error, "a mailbox was not reached");
                return Err(error);
            }
            other => tracing::trace!(?other, "visit"),
        }
    }
}

fn failure(error: &DialError) -> AskFailure {
    match error {
        DialError::WrongPeerId { .. } => AskFailure::AnotherNode,
        DialError::NoAddresses => AskFailure::NoAddress,
        _ => AskFailure::Unreachable,
    }
}
