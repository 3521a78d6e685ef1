//! One visit to a host: a fresh key, a swarm of its own, a connection, and so many questions at a time.
//!
//! Nothing of the node's own is in it: another key, another socket, no protocol but this one. What goes wrong, whatever
//! it is, ends the connection and whatever is under way on it; the next question of the group goes over a new one, under
//! another key.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures::StreamExt;
use libp2p::core::upgrade::NegotiationError;
use libp2p::identity::Keypair;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::request_response::{Event as Happened, Message, OutboundFailure, OutboundRequestId};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{DialError, NetworkBehaviour, Swarm, SwarmEvent};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout};

use super::visits::{Placed, Shared};
use super::{Questions, To, asking};
use crate::address::Route;
use crate::command::RequestId;
use crate::config::Deadlines;
use crate::event::AskFailure;
use crate::protocols::circuits::Circuits;
use crate::transports;
use crate::upward::NobodyListens;

/// The turn of a question among all that are to be under way.
type Turn = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// Performs what comes by its lane, and closes it when nothing more has come for a while.
pub(super) struct Visit {
    lane: mpsc::Receiver<Placed>,
    shared: Shared,
    connection: Option<Connection>,
    /// The next question, which waits for its turn.
    next: Option<(Placed, Turn)>,
    /// On the connection.
    asked: HashMap<OutboundRequestId, Asked>,
}

/// A question that is under way.
struct Asked {
    request: RequestId,
    until: Instant,
    /// Given back with the outcome.
    _places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

/// What a visit woke up for.
enum Woken {
    Next(Option<Placed>),
    Turn(Result<OwnedSemaphorePermit, AcquireError>),
    Told(OutboundRequestId, Result<Vec<u8>, AskFailure>),
    Late,
}

impl Visit {
    pub(super) fn new(lane: mpsc::Receiver<Placed>, shared: Shared) -> Self {
        Self { lane, shared, connection: None, next: None, asked: HashMap::new() }
    }

    pub(super) async fn run(mut self) {
        while let Ok(true) = self.turn().await {}
    }

    /// One step; whether there is another.
    async fn turn(&mut self) -> Result<bool, NobodyListens> {
        if self.next.is_none() && self.asked.is_empty() {
            match self.idle().await {
                Some(placed) => self.line_up(placed),
                None => return Ok(false),
            }
        }
        match self.wait().await {
            Woken::Next(Some(placed)) => self.line_up(placed),
            Woken::Next(None) => {}
            Woken::Turn(Ok(turn)) => self.begin(turn).await?,
            Woken::Turn(Err(_)) => return Err(NobodyListens),
            Woken::Told(asked, outcome) => {
                let broken = outcome.as_ref().err().copied();
                self.tell_of(asked, outcome).await?;
                if let Some(reason) = broken {
                    self.break_off(reason).await?;
                }
            }
            Woken::Late => self.break_off(AskFailure::Silent).await?,
        }
        Ok(true)
    }

    async fn wait(&mut self) -> Woken {
        let takes = self.next.is_none() && self.asked.len() < self.shared.to.asked_at_once() && !self.lane.is_closed();
        let late = self.asked.values().map(|asked| asked.until).min();
        let turn = async {
            match &mut self.next {
                Some((_, turn)) => turn.await,
                None => std::future::pending().await,
            }
        };
        let told = async {
            match &mut self.connection {
                Some(open) => open.told().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            turn = turn => Woken::Turn(turn),
            (asked, outcome) = told => Woken::Told(asked, outcome),
            placed = self.lane.recv(), if takes => Woken::Next(placed),
            () = tokio::time::sleep_until(late.unwrap_or_else(Instant::now)), if late.is_some() => Woken::Late,
        }
    }

    /// The next question, when nothing is under way. Where none waits, the connection is kept for a moment, if there is
    /// one; then the lane is closed, and what came at the last moment is still performed.
    async fn idle(&mut self) -> Option<Placed> {
        if let Ok(placed) = self.lane.try_recv() {
            return Some(placed);
        }
        if let Some(open) = &mut self.connection
            && !self.lane.is_closed()
            && let Some(_place) = self.shared.linger().await
        {
            tokio::select! {
                placed = self.lane.recv() => return placed,
                () = open.closed() => {}
                () = self.shared.make_room.notified() => {}
                () = tokio::time::sleep(self.shared.to.linger(&self.shared.deadlines)) => {}
            }
        }
        self.connection = None;
        self.lane.close();
        self.lane.recv().await
    }

    fn line_up(&mut self, placed: Placed) {
        let turn = Arc::clone(&self.shared.under_way).acquire_owned();
        self.next = Some((placed, Box::pin(turn)));
    }

    /// It is the next question's turn.
    async fn begin(&mut self, turn: OwnedSemaphorePermit) -> Result<(), NobodyListens> {
        let Some((Placed { request, host, places, body, place }, _)) = self.next.take() else { return Ok(()) };
        let until = Instant::now() + self.shared.to.patience(&self.shared.deadlines);
        // What was under way on it is told already.
        if self.asked.is_empty() && self.connection.as_ref().is_some_and(|open| !open.is_open()) {
            self.connection = None;
        }
        let open = match &mut self.connection {
            Some(open) => open,
            none => {
                let patience = self.shared.deadlines.reach.min(self.shared.to.patience(&self.shared.deadlines));
                let reaching = Connection::open(self.shared.to, host, places, &self.shared.deadlines);
                match timeout(patience, reaching).await.unwrap_or(Err(AskFailure::Unreachable)) {
                    Ok(open) => none.insert(open),
                    Err(reason) => return self.shared.tell(request, Err(reason)).await,
                }
            }
        };
        let asked = open.ask(body);
        self.asked.insert(asked, Asked { request, until, _places: (place, turn) });
        Ok(())
    }

    /// Gives up the connection, and what is under way on it.
    async fn break_off(&mut self, reason: AskFailure) -> Result<(), NobodyListens> {
        self.connection = None;
        let asked: Vec<OutboundRequestId> = self.asked.keys().copied().collect();
        for asked in asked {
            self.tell_of(asked, Err(reason)).await?;
        }
        Ok(())
    }

    async fn tell_of(
        &mut self,
        asked: OutboundRequestId,
        outcome: Result<Vec<u8>, AskFailure>,
    ) -> Result<(), NobodyListens> {
        match self.asked.remove(&asked) {
            Some(asked) => self.shared.tell(asked.request, outcome).await,
            None => Ok(()),
        }
    }
}

struct Connection {
    host: libp2p::PeerId,
    swarm: Swarm<Spoken>,
}

/// What a visit speaks: questions, and what it takes to come to a host over its relay.
#[derive(NetworkBehaviour)]
struct Spoken {
    questions: Questions,
    circuits: Circuits,
}

impl Connection {
    async fn open(
        to: To,
        host: libp2p::PeerId,
        mut places: Vec<Multiaddr>,
        deadlines: &Deadlines,
    ) -> Result<Self, AskFailure> {
        let swarm = transports::asking(Keypair::generate_ed25519(), deadlines, |_, circuits| Spoken {
            questions: asking(to, deadlines),
            circuits,
        });
        let mut swarm = swarm.map_err(|error| {
            tracing::warn!(%error, "no socket to ask from");
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

    fn ask(&mut self, body: Vec<u8>) -> OutboundRequestId {
        self.swarm.behaviour_mut().questions.send_request(&self.host, body)
    }

    /// What becomes of the next question that something becomes of.
    async fn told(&mut self) -> (OutboundRequestId, Result<Vec<u8>, AskFailure>) {
        loop {
            match self.swarm.select_next_some().await {
                SwarmEvent::Behaviour(SpokenEvent::Questions(Happened::Message {
                    message: Message::Response { request_id, response },
                    ..
                })) => return (request_id, Ok(response)),
                SwarmEvent::Behaviour(SpokenEvent::Questions(Happened::OutboundFailure {
                    request_id, error, ..
                })) => {
                    tracing::debug!(%error, "a host did not answer");
                    return (request_id, Err(no_answer(&error)));
                }
                other => tracing::trace!(?other, "visit"),
            }
        }
    }

    fn is_open(&self) -> bool {
        self.swarm.is_connected(&self.host)
    }

    /// Waits until the other side closes.
    async fn closed(&mut self) {
        while self.is_open() {
            self.swarm.select_next_some().await;
        }
    }
}

async fn reached(swarm: &mut Swarm<Spoken>, host: libp2p::PeerId) -> Result<(), DialError> {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } if peer_id == host => return Ok(()),
            // A relay on the way that is not reached ends the dial of the host, which is told as well.
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } if peer_id == Some(host) => {
                tracing::debug!(%error, "a host was not reached");
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

fn no_answer(error: &OutboundFailure) -> AskFailure {
    match error {
        OutboundFailure::UnsupportedProtocols => AskFailure::NotSpoken,
        OutboundFailure::Timeout => AskFailure::Silent,
        OutboundFailure::DialFailure => AskFailure::Unreachable,
        // The protocol is agreed on while the question is on its way already.
        OutboundFailure::Io(error) if error.get_ref().is_some_and(|error| error.is::<NegotiationError>()) => {
            AskFailure::NotSpoken
        }
        OutboundFailure::ConnectionClosed | OutboundFailure::Io(_) => AskFailure::Broken,
    }
}
