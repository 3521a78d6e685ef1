//! The connections on which somebody asks: a task for each, and the way to it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::io::{AsyncRead, AsyncWrite};
use kinfolk_wire::mailbox::{Refused, Reply};
use libp2p::swarm::ConnectionId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};

use super::hearing::{Hearing, Inlets, Opened, Room};
use super::{Number, To};
use crate::config::Config;
use crate::event::Event;
use crate::upward::Upward;

/// What is told those for whom a mailbox has no room, in seconds.
const NO_ROOM: u16 = 5;

/// Those who ask this node.
pub(crate) struct Hearings<S> {
    mailbox: Room,
    witness: Room,
    /// The number of the last task.
    last: u32,
    numbers: HashMap<(To, ConnectionId), u32>,
    inlets: BTreeMap<u32, Inlet<S>>,
    tasks: JoinSet<()>,
}

struct Inlet<S> {
    streams: mpsc::Sender<Opened<S>>,
    answers: mpsc::Sender<(u32, Vec<u8>)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Hearings<S> {
    pub(crate) fn new(config: &Config) -> Self {
        let room = |to: To, no_room: Vec<u8>| {
            let places = to.in_hand(&config.limits).clamp(1, Semaphore::MAX_PERMITS);
            Room { to, places: Arc::new(Semaphore::new(places)), no_room: no_room.into(), deadlines: config.deadlines }
        };
        Self {
            mailbox: room(To::Mailbox, Reply::Refused(Refused::Later(NO_ROOM)).encode(0)),
            witness: room(To::Witness, config.no_room.clone()),
            last: 0,
            numbers: HashMap::new(),
            inlets: BTreeMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Somebody has opened a substream.
    pub(crate) fn opened(
        &mut self,
        to: To,
        connection: ConnectionId,
        stream: S,
        place: OwnedSemaphorePermit,
        events: mpsc::Sender<Event>,
    ) {
        let number = match self.numbers.get(&(to, connection)) {
            Some(number) => *number,
            None => self.start(to, connection, events),
        };
        // There is room for as many as have a place.
        let taken =
            self.inlets.get(&number).is_some_and(|inlet| inlet.streams.try_send(Opened { stream, place }).is_ok());
        if !taken {
            tracing::debug!("a stream of questions was not taken");
        }
    }

    fn start(&mut self, to: To, connection: ConnectionId, events: mpsc::Sender<Event>) -> u32 {
        self.last = self.last.wrapping_add(1);
        let (streams_tx, streams) = mpsc::channel(to.heard_at_once());
        // As many again may come too late.
        let (answers_tx, answers) = mpsc::channel(2 * to.heard_at_once());
        self.numbers.insert((to, connection), self.last);
        self.inlets.insert(self.last, Inlet { streams: streams_tx, answers: answers_tx });
        let room = match to {
            To::Mailbox => self.mailbox.clone(),
            To::Witness => self.witness.clone(),
        };
        let hearing = Hearing::new(self.last, room, Inlets { streams, answers }, Upward::new(events));
        self.tasks.spawn(hearing.run());
        self.last
    }

    /// Hands an answer to the connection on which it was asked for; passed over if that is gone.
    pub(crate) fn answer(&self, to: To, number: u64, body: Vec<u8>) {
        let Number { hearing, question } = number.into();
        if body.len() > to.answer() {
            tracing::error!(bytes = body.len(), "the network was handed an answer that cannot be given");
            return;
        }
        let taken = self.inlets.get(&hearing).is_some_and(|inlet| inlet.answers.try_send((question, body)).is_ok());
        if !taken {
            tracing::debug!("an answer came too late");
        }
    }

    /// A connection has closed.
    pub(crate) fn closed(&mut self, connection: ConnectionId) {
        for to in [To::Mailbox, To::Witness] {
            if let Some(number) = self.numbers.remove(&(to, connection)) {
                self.inlets.remove(&number);
            }
        }
    }

    /// Lets all end: answers that were handed to them still leave, for a moment.
    pub(crate) fn close_all(&mut self) {
        self.numbers.clear();
        self.inlets.clear();
    }

    /// Whether any task runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Waits until a task has ended; for ever where there is none.
    ///
    /// # Errors
    /// It has panicked: a bug.
    pub(crate) async fn ended(&mut self) -> Result<(), JoinError> {
        match self.tasks.join_next().await {
            Some(ended) => ended,
            None => std::future::pending().await,
        }
    }
}
