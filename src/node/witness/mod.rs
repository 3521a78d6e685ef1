//! This node's witness, on a thread of its own: the driver's never waits for it, nor for its disk.
//!
//! Questions come through a bounded channel; the thread takes what waits, has the witness answer all of it with one
//! durable append (`bench`), and lets the answers out: to the network straight, to this node's own wallet by way of the
//! driver. Where something goes wrong with the log the witness says nothing more, and says so in its status; the rest of
//! the node goes on. What is gossiped of the currencies that it serves is checked here as well (`rumours`).
//!
//! Nobody is a witness unasked: the log, and with it the key, is made when somebody asks for the key, or when the person
//! serves a currency.

mod bench;
mod compacting;
mod rumours;

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use kinfolk_engine::effect::RequestId;
use kinfolk_ledger::message::{Reason, Reply};
use kinfolk_ledger::policy::{Code, SignedPolicy};
use kinfolk_ledger::witness::{Position, Renewable};
use kinfolk_net::{CommandSender, GossipId, InquiryId, Topic, Verdict};
use kinfolk_store::{Votes, VotesPlace};
use kinfolk_wire::ids::{CurrencyId, Vk};
use kinfolk_wire::time::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use crate::handle::CommandError;
use bench::Bench;

/// Questions that wait for the thread: many times what comes while the disk syncs once.
const WAITING: usize = 1_024;
/// Answers to this node's own wallet that wait for the driver.
const ANSWERED: usize = 256;
/// When somebody is to come again for whom there is no room: a few syncs later.
const NO_ROOM: u32 = 1;
/// The same where the witness has stopped: a person has to look at it first.
const STOPPED: u32 = 3_600;

/// How this node's witness is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WitnessStatus {
    /// The key that it votes with; nothing where its log could not be opened.
    pub vk: Option<Vk>,
    /// What it serves, by currency.
    pub currencies: Vec<Served>,
    /// Accounts that were opened here.
    pub accounts: u64,
    /// Certified entries that it has.
    pub entries: u64,
    /// Votes and promises that it has given.
    pub votes: u64,
    /// Writers of whom it has a proof that they signed two entries for one place.
    pub conflicts: u64,
    /// Requests that it refused because there had been too many, since the node started.
    pub refused: u64,
    /// Bytes of its log.
    pub log_bytes: u64,
    /// When its log was last written anew, without what nobody needs any more.
    pub compacted: Option<LogCompacted>,
    /// Why it says nothing any more, where it has stopped.
    pub stopped: Option<String>,
}

/// A log that was written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogCompacted {
    /// When.
    pub at: Timestamp,
    /// Bytes that it had.
    pub before: u64,
    /// Bytes that were left.
    pub after: u64,
    /// Lines that were let go.
    pub dropped: u64,
}

/// A currency that this node's witness serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Which.
    pub currency: CurrencyId,
    /// Its name.
    pub code: Code,
    /// The witness's place in the policy, from 0.
    pub place: u8,
    /// Of how many.
    pub witnesses: usize,
    /// How many of them certify.
    pub quorum: usize,
    /// More of its witnesses are faulty than it bears: it is served no more.
    pub broken: bool,
}

/// Where a witness's log lies.
pub(crate) trait Place: Send + 'static {
    /// The log, and its index.
    type Shelf: Renewable + Send;

    /// How long the log is, at least, when it is written anew.
    const WRITTEN_ANEW: u64;

    /// Whether this node has ever been a witness.
    fn is_there(&self) -> bool;

    /// Opens the log, or makes one.
    ///
    /// # Errors
    /// Why not, for the person.
    fn open(&mut self) -> Result<Self::Shelf, String>;

    /// Bytes of a log that ends there.
    fn bytes(end: Position) -> u64;

    /// Leaves it so that the next opening is quick.
    ///
    /// # Errors
    /// Why not; nothing is lost then.
    fn close(shelf: Self::Shelf) -> Result<(), String>;
}

impl Place for VotesPlace {
    type Shelf = Votes;

    /// Where it is shorter, nobody minds it; and so often as it has become twice as long as it was left.
    const WRITTEN_ANEW: u64 = 64 << 20;

    fn is_there(&self) -> bool {
        self.exists()
    }

    fn open(&mut self) -> Result<Votes, String> {
        let votes = if self.exists() { Self::open(self) } else { self.create() };
        votes.map_err(|error| error.to_string())
    }

    fn bytes(end: Position) -> u64 {
        end.number()
    }

    fn close(votes: Votes) -> Result<(), String> {
        votes.close().map_err(|error| error.to_string())
    }
}

/// Who has asked, and so where the answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Somebody, over the network.
    Somebody(InquiryId),
    /// This node's own wallet.
    Oneself(RequestId),
}

/// What the thread is asked.
enum Job {
    Question { asker: Asker, body: Vec<u8>, at: Timestamp },
    Serve(Box<SignedPolicy>, oneshot::Sender<Result<Served, CommandError>>),
    Gossiped { gossip: GossipId, topic: Topic, message: Vec<u8> },
    Status(oneshot::Sender<Option<WitnessStatus>>),
}

/// The answer to a question of this node's own wallet.
pub(crate) type Answered = (RequestId, Vec<u8>);

/// The thread, and the ways to it and back. It begins with the first question, or with the node where there is a log.
pub(crate) struct WitnessThread<P> {
    /// Nothing once it runs.
    place: Option<P>,
    running: Option<(SyncSender<Job>, JoinHandle<()>)>,
    network: Option<CommandSender>,
    back: mpsc::Sender<Answered>,
    answered: mpsc::Receiver<Answered>,
    status: watch::Receiver<Option<WitnessStatus>>,
    told: Option<watch::Sender<Option<WitnessStatus>>>,
}

impl<P: Place> WitnessThread<P> {
    /// Starts the thread if there is a log.
    pub(crate) fn new(place: P, network: Option<CommandSender>) -> Self {
        let (back, answered) = mpsc::channel(ANSWERED);
        let (told, status) = watch::channel(None);
        let is_there = place.is_there();
        let mut thread = Self { place: Some(place), running: None, network, back, answered, status, told: Some(told) };
        if is_there {
            thread.run();
        }
        thread
    }

    /// Has a question answered; says what is answered at once.
    pub(crate) fn ask(&mut self, asker: Asker, body: Vec<u8>, at: Timestamp) -> Option<Answered> {
        self.run();
        let refused = match &self.running {
            Some((jobs, _)) => match jobs.try_send(Job::Question { asker, body, at }) {
                Ok(()) => return None,
                Err(TrySendError::Full(_)) => NO_ROOM,
                Err(TrySendError::Disconnected(_)) => STOPPED,
            },
            None => STOPPED,
        };
        answer(asker, &later(refused), self.network.as_ref())
    }

    /// Has what was gossiped judged; where it cannot be, it goes no further.
    pub(crate) fn gossiped(&self, gossip: GossipId, topic: Topic, message: Vec<u8>) {
        let job = Job::Gossiped { gossip, topic, message };
        if let Some((jobs, _)) = &self.running
            && jobs.try_send(job).is_ok()
        {
            return;
        }
        judge(self.network.as_ref(), gossip, Verdict::Ignore);
    }

    /// Has a currency served.
    pub(crate) fn serve(&mut self, policy: SignedPolicy, reply: oneshot::Sender<Result<Served, CommandError>>) {
        self.run();
        let job = Job::Serve(Box::new(policy), reply);
        let refused = match &self.running {
            Some((jobs, _)) => match jobs.try_send(job) {
                Ok(()) => return,
                Err(TrySendError::Full(job)) => (job, "the witness has too much to do; try again"),
                Err(TrySendError::Disconnected(job)) => (job, "the witness has crashed; start the program again"),
            },
            None => (job, "the system gives no thread for a witness"),
        };
        if let (Job::Serve(_, reply), message) = refused {
            // Whoever no longer waits is told nothing.
            drop(reply.send(Err(CommandError::Refused { code: "witness_failed", message: message.to_owned() })));
        }
    }

    /// Says how it is; nothing where there is none. While its log is being opened, that is when it is open.
    pub(crate) fn status(&self, reply: oneshot::Sender<Option<WitnessStatus>>) {
        let mut status = self.status.borrow().clone();
        if let Some((jobs, thread)) = &self.running {
            match &mut status {
                Some(status) if thread.is_finished() => {
                    status.stopped.get_or_insert_with(|| "the witness has crashed; start the program again".to_owned());
                }
                Some(_) => {}
                // Where there is no room, there is no status for those who ask either.
                None => return drop(jobs.try_send(Job::Status(reply))),
            }
        }
        // Whoever no longer waits is told nothing.
        drop(reply.send(status));
    }

    /// The next answer to this node's own wallet.
    pub(crate) async fn answered(&mut self) -> Answered {
        match self.answered.recv().await {
            Some(answered) => answered,
            // This end holds a sender too.
            None => std::future::pending().await,
        }
    }

    /// Waits until what was asked is answered and the log closed.
    pub(crate) fn stop(&mut self) {
        // Nobody hears what the wallet would be answered, and nobody may wait for that.
        self.answered.close();
        if let Some((jobs, thread)) = self.running.take() {
            drop(jobs);
            if thread.join().is_err() {
                tracing::error!("the witness has crashed");
            }
        }
    }

    /// Starts the thread, if it was not started.
    fn run(&mut self) {
        let (Some(place), Some(told)) = (self.place.take(), self.told.take()) else { return };
        let (jobs, queue) = sync_channel(WAITING);
        let bench = Bench::new(place, self.network.clone(), self.back.clone(), told);
        let thread = std::thread::Builder::new().name("kinfolk-witness".to_owned()).spawn(move || bench.run(&queue));
        match thread {
            Ok(thread) => self.running = Some((jobs, thread)),
            Err(error) => tracing::error!(%error, "no thread for the witness"),
        }
    }
}

/// What is said to those for whom there is no room.
pub(crate) fn no_room() -> Vec<u8> {
    later(NO_ROOM).encode()
}

fn later(seconds: u32) -> Reply {
    Reply::Refused(Reason::Later { seconds })
}

/// Sends an answer to the network; gives back one to this node's own wallet.
fn answer(asker: Asker, reply: &Reply, network: Option<&CommandSender>) -> Option<Answered> {
    let body = reply.encode();
    match asker {
        Asker::Oneself(request) => Some((request, body)),
        Asker::Somebody(inquiry) => {
            // Where it is not taken, the network ends; whoever asked asks again.
            if let Some(network) = network
                && let Err(error) = network.try_send(kinfolk_net::Command::Reply { inquiry, body })
            {
                tracing::debug!(%error, "an answer of the witness did not leave");
            }
            None
        }
    }
}

fn judge(network: Option<&CommandSender>, gossip: GossipId, verdict: Verdict) {
    // What is not judged in time goes no further either.
    if let Some(network) = network
        && let Err(error) = network.try_send(kinfolk_net::Command::Judge { gossip, verdict })
    {
        tracing::debug!(%error, "gossip was not judged");
    }
}

#[cfg(test)]
mod tests;
