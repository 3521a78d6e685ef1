//! The way in for the floors above: a sender and nothing else.

use std::collections::BTreeMap;

use kinfolk_engine::event::Notice;
use kinfolk_engine::input::Command;
use kinfolk_engine::store::Read;
use kinfolk_engine::{Refusal, Rejection};
use kinfolk_ledger::policy::SignedPolicy;
use kinfolk_store::CommitError;
use tokio::sync::{broadcast, mpsc, oneshot};

pub use kinfolk_engine::Answer;
pub use kinfolk_net::Reachability;

use crate::witness::{Served, WitnessStatus};

/// Requests that may wait for the driver: enough for a burst, little enough to notice that it is behind.
pub(crate) const QUEUE: usize = 1_024;
/// Events a slow face may miss before it must read the log.
pub(crate) const NOTICES: usize = 4_096;

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The rules, the store or the system said no. Nothing was kept and nothing was sent.
    #[error("{message}")]
    Refused {
        /// A name for programs, in snake_case.
        code: &'static str,
        /// For the person, with what to do next.
        message: String,
    },
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

impl From<&Refusal> for CommandError {
    fn from(refusal: &Refusal) -> Self {
        Self::Refused { code: refusal.code(), message: refusal.to_string() }
    }
}

impl From<&CommitError> for CommandError {
    fn from(error: &CommitError) -> Self {
        let code = match error {
            CommitError::Full => "disk_full",
            _ => "store_failed",
        };
        Self::Refused { code, message: error.to_string() }
    }
}

/// The node has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node has stopped")]
pub struct Stopped;

/// How often each kind of thing was thrown away since the node started.
pub type Counters = BTreeMap<Rejection, u64>;

/// A question: reads what it wants while the driver waits.
pub(crate) type Question = Box<dyn FnOnce(&dyn Read) + Send>;

/// What waits for the driver.
pub(crate) enum Request {
    Command(Box<Command>, oneshot::Sender<Result<Answer, CommandError>>),
    Question(Question),
    Counters(oneshot::Sender<Counters>),
    Reachability(oneshot::Sender<Option<Reachability>>),
    Serve(Box<SignedPolicy>, oneshot::Sender<Result<Served, CommandError>>),
    Witness(oneshot::Sender<Option<WitnessStatus>>),
    Stop(oneshot::Sender<()>),
}

/// The way in. Cheap to clone; all clones lead to one driver.
#[derive(Clone)]
pub struct Handle {
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) notices: broadcast::Sender<Notice>,
}

impl Handle {
    /// Has a command carried out; the answer comes when what it changed is on disk.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn command(&self, command: Command) -> Result<Answer, CommandError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Command(Box::new(command), reply);
        self.requests.send(request).await.map_err(|_| CommandError::Stopped)?;
        answer.await.map_err(|_| CommandError::Stopped)?
    }

    /// Asks the store something, between two batches: what is seen is committed.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn query<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Read) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |read| drop(reply.send(question(read))));
        self.requests.send(Request::Question(question)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// What the faces are told from now on. One that falls behind by more than the channel holds is told so, and reads
    /// the log.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// How often each kind of thing was thrown away.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn counters(&self) -> Result<Counters, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Counters(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// How this node can be reached from outside; nothing while it runs without a network.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn reachability(&self) -> Result<Option<Reachability>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Reachability(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Serves a currency as one of its witnesses from now on, if its policy names this node's key. The first time, this
    /// makes the node a witness.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn serve_currency(&self, policy: SignedPolicy) -> Result<Served, CommandError> {
        let (reply, answer) = oneshot::channel();
        let request = Request::Serve(Box::new(policy), reply);
        self.requests.send(request).await.map_err(|_| CommandError::Stopped)?;
        answer.await.map_err(|_| CommandError::Stopped)?
    }

    /// How this node's witness is; nothing where nobody has asked for one yet. While its log is being opened this waits.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn witness_status(&self) -> Result<Option<WitnessStatus>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(Request::Witness(reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Returns when the node has ended, by itself or because it was told to.
    pub async fn ended(&self) {
        self.requests.closed().await;
    }

    /// Ends the node: what is queued is done first. Returns when the store is closed; at once where it is already.
    pub async fn stop(&self) {
        let (reply, done) = oneshot::channel();
        if self.requests.send(Request::Stop(reply)).await.is_ok() {
            // An error means that the driver ended by itself, which is what was wanted.
            drop(done.await);
        }
    }
}
