//! One visit to a host: a fresh key, a swarm of its own, a connection, and so many questions at a time.
//!
//! Nothing of the node's own is in it: another key, another socket, no protocol but this one. Its questions go over one
//! substream, one behind the other. A host may close that in good order after any answer; what it had not answered then
//! is asked on another. Whatever else goes wrong ends the connection and whatever is under way on it; the next question
//! of the group goes over a new one, under another key.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt;
use libp2p::core::upgrade::NegotiationError;
use libp2p::identity::Keypair;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{DialError, NetworkBehaviour, Stream, Swarm, SwarmEvent};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout};

use super::To;
use super::asking::{Asking, Ended};
use super::behaviour::{Behaviour, Outcome};
use super::visits::{Placed, Shared};
use crate::address::Route;
use crate::command::RequestId;
use crate::config::Deadlines;
use crate::event::AskFailure;
use crate::protocols::circuits::Circuits;
use crate::protocols::framing::ReadError;
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
    /// On the connection, in order.
    asked: VecDeque<Asked>,
}

/// A question that is under way.
struct Asked {
    request: RequestId,
    /// Kept until it is answered: it may have to be asked on another substream.
    body: Vec<u8>,
    until: Instant,
    /// Given back with the outcome.
    _places: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl AsRef<[u8]> for Asked {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

/// What a visit woke up for.
enum Woken {
    Next(Option<Placed>),
    Turn(Result<OwnedSemaphorePermit, AcquireError>),
    /// What became of the first question.
    Told(Result<Vec<u8>, AskFailure>),
    Late,
}

impl Visit {
    pub(super) fn new(lane: mpsc::Receiver<Placed>, shared: Shared) -> Self {
        Self { lane, shared, connection: None, next: None, asked: VecDeque::new() }
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
            Woken::Told(Ok(answer)) => {
                if let Some(asked) = self.asked.pop_front() {
                    self.shared.tell(asked.request, Ok(answer)).await?;
                }
            }
            Woken::Told(Err(reason)) => self.break_off(reason).await?,
            Woken::Late => self.break_off(AskFailure::Silent).await?,
        }
        Ok(true)
    }

    async fn wait(&mut self) -> Woken {
        let takes = self.next.is_none() && self.asked.len() < self.shared.to.asked_at_once() && !self.lane.is_closed();
        // In the order in which they came, so the first is the first to be late.
        let late = self.asked.front().map(|asked| asked.until);
        let turn = async {
            match &mut self.next {
                Some((_, turn)) => turn.await,
                None => std::future::pending().await,
            }
        };
        let told = async {
            match &mut self.connection {
                Some(open) => open.told(&self.asked).await,
                None => std::future::pending().await,
            }
        };
        // What waits to be asked comes first, so that it leaves together.
        tokio::select! {
            biased;
            turn = turn => Woken::Turn(turn),
            placed = self.lane.recv(), if takes => Woken::Next(placed),
            told = told => Woken::Told(told),
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
                _ = open.told(&self.asked) => {}
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
        if self.asked.is_empty() && self.connection.as_ref().is_some_and(|open| !open.is_open()) {
            self.connection = None;
        }
        if self.connection.is_none() {
            let patience = self.shared.deadlines.reach.min(self.shared.to.patience(&self.shared.deadlines));
            let reaching = Connection::open(self.shared.to, host, places, &self.shared.deadlines);
            match timeout(patience, reaching).await.unwrap_or(Err(AskFailure::Unreachable)) {
                Ok(open) => self.connection = Some(open),
                Err(reason) => return self.shared.tell(request, Err(reason)).await,
            }
        }
        self.asked.push_back(Asked { request, body, until, _places: (place, turn) });
        Ok(())
    }

    /// Gives up the connection, and what is under way on it.
    async fn break_off(&mut self, reason: AskFailure) -> Result<(), NobodyListens> {
        self.connection = None;
        while let Some(asked) = self.asked.pop_front() {
            self.shared.tell(asked.request, Err(reason)).await?;
        }
        Ok(())
    }
}

struct Connection {
    to: To,
    host: libp2p::PeerId,
    // Before the swarm, so that it is closed while the connection is still there.
    substream: Substream,
    swarm: Swarm<Spoken>,
}

/// The substream of a connection.
enum Substream {
    /// None was asked for, or the host has closed it.
    Absent,
    Opening,
    Open(Box<Asking<Stream>>),
}

/// What a visit speaks: questions, and what it takes to come to a host over its relay.
#[derive(NetworkBehaviour)]
struct Spoken {
    questions: Behaviour,
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
            questions: Behaviour::asking(to),
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
                Ok(()) => return Ok(Self { to, host, substream: Substream::Absent, swarm }),
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

    fn is_open(&self) -> bool {
        self.swarm.is_connected(&self.host)
    }

    /// The answer to the first of these questions, all of which are put out; or why there is none. Where there are no
    /// questions, it waits for the end of the connection.
    async fn told(&mut self, asked: &VecDeque<Asked>) -> Result<Vec<u8>, AskFailure> {
        std::future::poll_fn(|cx| self.poll(cx, asked)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, asked: &VecDeque<Asked>) -> Poll<Result<Vec<u8>, AskFailure>> {
        loop {
            if let Poll::Ready(answer) = self.poll_substream(cx, asked) {
                return Poll::Ready(answer);
            }
            match self.swarm.poll_next_unpin(cx) {
                Poll::Ready(Some(SwarmEvent::Behaviour(SpokenEvent::Questions(outcome)))) => match outcome {
                    Outcome::Opened { stream } => {
                        self.substream = Substream::Open(Box::new(Asking::new(self.to, stream)));
                    }
                    Outcome::Failed { reason } => return Poll::Ready(Err(reason)),
                    // Nobody is heard here.
                    Outcome::Heard { .. } => {}
                },
                Poll::Ready(Some(other)) => {
                    tracing::trace!(?other, "visit");
                    if !self.is_open() {
                        return Poll::Ready(Err(AskFailure::Broken));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(Err(AskFailure::Broken)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_substream(&mut self, cx: &mut Context<'_>, asked: &VecDeque<Asked>) -> Poll<Result<Vec<u8>, AskFailure>> {
        match &mut self.substream {
            Substream::Absent if !asked.is_empty() => {
                self.substream = Substream::Opening;
                self.swarm.behaviour_mut().questions.open(self.host);
                Poll::Pending
            }
            Substream::Absent | Substream::Opening => Poll::Pending,
            Substream::Open(asking) => match std::task::ready!(asking.poll(cx, asked)) {
                Ok(answer) => Poll::Ready(Ok(answer)),
                Err(Ended::Left) => {
                    self.substream = Substream::Absent;
                    self.poll_substream(cx, asked)
                }
                Err(ended) => {
                    tracing::debug!(%ended, "a host did not answer");
                    Poll::Ready(Err(no_answer(&ended)))
                }
            },
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

fn no_answer(ended: &Ended) -> AskFailure {
    // The protocol is agreed on while the question is on its way already.
    let is_not_spoken = |error: &io::Error| error.get_ref().is_some_and(|error| error.is::<NegotiationError>());
    match ended {
        Ended::Broken(ReadError::Stream(error)) if is_not_spoken(error) => AskFailure::NotSpoken,
        Ended::Broken(_) | Ended::Left | Ended::Unanswered | Ended::Unasked => AskFailure::Broken,
    }
}
