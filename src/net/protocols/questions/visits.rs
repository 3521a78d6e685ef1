//! Our own questions: which visit performs which, and how many there are.
//!
//! Questions to one host in one group go over one connection, so many at a time; of another group, over another. Each
//! question has a place until its outcome is handed up, and there are so many places; so many are under way at a time,
//! in the order in which they came; and so many visits hold a connection on which nothing is under way. Mailboxes and
//! witnesses have their own of each.

use std::collections::HashMap;
use std::sync::Arc;

use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use libp2p::Multiaddr;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};

use super::To;
use super::visit::Visit;
use crate::command::RequestId;
use crate::config::{Deadlines, Limits};
use crate::event::{AskFailure, Event};
use crate::upward::NobodyListens;
use crate::{address, identity};

/// What a host may connect with each other: what it is asked as, itself and a group.
pub(super) type Key = (To, PeerId, u64);

/// A question to a host.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) to: To,
    pub(crate) request: RequestId,
    pub(crate) host: PeerId,
    pub(crate) addresses: Vec<Address>,
    pub(crate) body: Vec<u8>,
    pub(crate) group: u64,
}

/// A question that has a place.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) request: RequestId,
    pub(super) host: libp2p::PeerId,
    pub(super) places: Vec<Multiaddr>,
    pub(super) body: Vec<u8>,
    /// Given back with the outcome.
    pub(super) place: OwnedSemaphorePermit,
}

/// What all visits to mailboxes share, or all to witnesses.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) to: To,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) deadlines: Deadlines,
    pub(super) under_way: Arc<Semaphore>,
    lingering: Arc<Semaphore>,
    /// Rings for the one that has lingered longest, when another wants its place.
    pub(super) make_room: Arc<Notify>,
}

impl Shared {
    fn new(to: To, deadlines: Deadlines, events: mpsc::Sender<Event>) -> Self {
        Self {
            to,
            events,
            deadlines,
            under_way: Arc::new(Semaphore::new(to.under_way())),
            lingering: Arc::new(Semaphore::new(to.lingering())),
            make_room: Arc::new(Notify::new()),
        }
    }

    /// Hands up what became of a question.
    pub(super) async fn tell(
        &self,
        request: RequestId,
        outcome: Result<Vec<u8>, AskFailure>,
    ) -> Result<(), NobodyListens> {
        self.events.send(self.to.told(request, outcome)).await.map_err(|_| NobodyListens)
    }

    /// A place to linger at; who has been there longest goes where there is none. Nothing when the network ends.
    pub(super) async fn linger(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.lingering).try_acquire_owned() {
            return Some(place);
        }
        self.make_room.notify_one();
        Arc::clone(&self.lingering).acquire_owned().await.ok()
    }
}

/// The visits of this node.
pub(crate) struct Visits {
    mailboxes: Guests,
    witnesses: Guests,
    lanes: HashMap<Key, mpsc::Sender<Placed>>,
    tasks: JoinSet<Key>,
}

/// Those to mailboxes, or those to witnesses.
struct Guests {
    places: Arc<Semaphore>,
    room: usize,
    shared: Shared,
}

impl Guests {
    fn new(to: To, limits: &Limits, deadlines: Deadlines, events: mpsc::Sender<Event>) -> Self {
        let room = to.queued(limits).clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(room)), room, shared: Shared::new(to, deadlines, events) }
    }
}

impl Visits {
    pub(crate) fn new(limits: &Limits, deadlines: Deadlines, events: &mpsc::Sender<Event>) -> Self {
        let guests = |to| Guests::new(to, limits, deadlines, events.clone());
        Self {
            mailboxes: guests(To::Mailbox),
            witnesses: guests(To::Witness),
            lanes: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Takes a question, or says at once what has become of it.
    pub(crate) fn ask(&mut self, ask: Ask) -> Option<Event> {
        let (to, request) = (ask.to, ask.request);
        self.place(ask).err().map(|reason| to.told(request, Err(reason)))
    }

    fn place(&mut self, ask: Ask) -> Result<(), AskFailure> {
        let Ask { to, request, host, addresses, body, group } = ask;
        if body.len() > to.question() {
            tracing::error!(bytes = body.len(), "the network was handed a question that cannot be asked");
            return Err(AskFailure::TooLong);
        }
        let node = identity::to_libp2p(&host).ok_or(AskFailure::NoAddress)?;
        let places = address::vouched(&addresses, node);
        if places.is_empty() {
            return Err(AskFailure::NoAddress);
        }
        let guests = match to {
            To::Mailbox => &self.mailboxes,
            To::Witness => &self.witnesses,
        };
        let place = Arc::clone(&guests.places).try_acquire_owned().map_err(|_| AskFailure::Full)?;
        let placed = Placed { request, host: node, places, body, place };
        let key = (to, host, group);
        let placed = match self.lanes.get(&key) {
            None => placed,
            Some(lane) => match lane.try_send(placed) {
                Ok(()) => return Ok(()),
                // That visit is at its end.
                Err(mpsc::error::TrySendError::Closed(placed) | mpsc::error::TrySendError::Full(placed)) => placed,
            },
        };
        let (lane, asks) = mpsc::channel(guests.room);
        lane.try_send(placed).map_err(|_| AskFailure::Full)?;
        self.lanes.insert(key, lane);
        let visit = Visit::new(asks, guests.shared.clone());
        self.tasks.spawn(async move {
            visit.run().await;
            key
        });
        Ok(())
    }

    /// Waits until a visit has ended; for ever where there is none.
    ///
    /// # Errors
    /// The visit has panicked: a bug.
    pub(crate) async fn ended(&mut self) -> Result<(), JoinError> {
        match self.tasks.join_next().await {
            Some(ended) => {
                let key = ended?;
                // Another one may have taken its place already.
                if self.lanes.get(&key).is_some_and(mpsc::Sender::is_closed) {
                    self.lanes.remove(&key);
                }
                Ok(())
            }
            None => std::future::pending().await,
        }
    }

    /// Ends all visits, whatever they have under way.
    pub(crate) async fn shut_down(&mut self) {
        self.lanes.clear();
        self.tasks.shutdown().await;
    }
}
