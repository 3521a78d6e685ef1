//! Our own questions: which visit performs which, and how many there are.
//!
//! Questions to one host in one group go, one after the other, over one connection; of another group, over another. Each
//! question has a place until its outcome is handed up, and there are so many places; so many visits have something
//! under way at a time, in the order in which they came; and so many hold a connection on which nothing is under way.

use std::collections::HashMap;
use std::sync::Arc;

use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use kinfolk_wire::mailbox;
use libp2p::Multiaddr;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};

use super::visit::visit;
use crate::command::RequestId;
use crate::config::{Deadlines, Limits};
use crate::event::{AskFailure, Event};
use crate::{address, identity};

/// Visits with something under way, and connections that wait for more of their group.
const UNDER_WAY: usize = 8;
const LINGERING: usize = 8;

/// What a host may connect with each other: itself and a group.
pub(super) type Key = (PeerId, u64);

/// A question to a host.
#[derive(Debug)]
pub(crate) struct Ask {
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

/// What all visits share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) events: mpsc::Sender<Event>,
    pub(super) deadlines: Deadlines,
    pub(super) under_way: Arc<Semaphore>,
    lingering: Arc<Semaphore>,
    /// Rings for the one that has lingered longest, when another wants its place.
    pub(super) make_room: Arc<Notify>,
}

impl Shared {
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
    places: Arc<Semaphore>,
    room: usize,
    lanes: HashMap<Key, mpsc::Sender<Placed>>,
    tasks: JoinSet<Key>,
    shared: Shared,
}

impl Visits {
    pub(crate) fn new(limits: &Limits, deadlines: Deadlines, events: mpsc::Sender<Event>) -> Self {
        let room = limits.queued_asks.clamp(1, Semaphore::MAX_PERMITS);
        let shared = Shared {
            events,
            deadlines,
            under_way: Arc::new(Semaphore::new(UNDER_WAY)),
            lingering: Arc::new(Semaphore::new(LINGERING)),
            make_room: Arc::new(Notify::new()),
        };
        Self { places: Arc::new(Semaphore::new(room)), room, lanes: HashMap::new(), tasks: JoinSet::new(), shared }
    }

    /// Takes a question, or says at once what has become of it.
    pub(crate) fn ask(&mut self, ask: Ask) -> Option<Event> {
        let request = ask.request;
        self.place(ask).err().map(|reason| Event::Unanswered { request, reason })
    }

    fn place(&mut self, ask: Ask) -> Result<(), AskFailure> {
        let Ask { request, host, addresses, body, group } = ask;
        if body.len() > mailbox::REQUEST {
            tracing::error!(bytes = body.len(), "the network was handed a question that cannot be asked");
            return Err(AskFailure::TooLong);
        }
        let node = identity::to_libp2p(&host).ok_or(AskFailure::NoAddress)?;
        let places = address::vouched(&addresses, node);
        if places.is_empty() {
            return Err(AskFailure::NoAddress);
        }
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| AskFailure::Full)?;
        let placed = Placed { request, host: node, places, body, place };
        let placed = match self.lanes.get(&(host, group)) {
            None => placed,
            Some(lane) => match lane.try_send(placed) {
                Ok(()) => return Ok(()),
                // That visit is at its end.
                Err(mpsc::error::TrySendError::Closed(placed) | mpsc::error::TrySendError::Full(placed)) => placed,
            },
        };
        let (lane, asks) = mpsc::channel(self.room);
        lane.try_send(placed).map_err(|_| AskFailure::Full)?;
        self.lanes.insert((host, group), lane);
        let shared = self.shared.clone();
        self.tasks.spawn(async move {
            visit(asks, shared).await;
            (host, group)
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
