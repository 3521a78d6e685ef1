//! A witness: what it does with what it is asked, whole, but for the disk and the network.
//!
//! Whoever drives it (a thread of the node, a simulated world) gives it the requests that wait, all together, with the
//! time and a source of randomness, and has an answer to each. [`Witness::answer`] goes through a batch in four steps:
//!
//! 1. *Sift.* What can be answered at once is; of everything else the signatures are gathered (`sift`).
//! 2. *Verify.* All signatures of the batch in one equation, singly where that fails.
//! 3. *Perform.* Each [`Account`](crate::account::Account) takes its step, in the order of the requests (`perform`).
//!    What may be said about it comes back [`Held`].
//! 4. *Write, then say.* One append to the log for all of it, durable when it returns; only then is anything signed.
//!
//! So an answer that no record in the log stands behind cannot be had, and durability costs one sync a batch. If the
//! append fails, nothing of the batch is said, and the witness says nothing more: it was about to say things which it does
//! not know to be written. It is opened anew, from what the log has.
//!
//! # What is kept
//!
//! The log is the truth (`line`); the [`Shelf`] has it, with the key. The index is only a way not to read all of it again:
//! rows of accounts, and where entries lie. It is behind by up to [`limits::UNINDEXED`] lines, of which the accounts are in
//! memory; when it is opened, a witness takes those lines again. One that knows a million accounts has a few thousand in
//! memory.
//!
//! The key belongs to the log: a witness that may have lost lines must not vote with that key again, and there is no way
//! to take the key to another log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use kinfolk_wire::codec::to_cbor;
use kinfolk_wire::ids::{AccountId, CurrencyId, PolicyHash, Vk};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::account::Broken;
use crate::checkpoint::{Checkpoint, GenuineCheckpoint};
use crate::limits;
use crate::message::{Reason, Reply, Request};
use crate::policy::Policies;
use crate::signature::verify_batch;
use crate::slot::held::Held;
use crate::vote::{CertifiedEntry, Receipt};
use desk::{Desk, Key, read_line, read_row};
use line::{Kept, Writing, checkpoint_of};
use perform::Answer;
use sift::Sifted;

pub mod compaction;
mod desk;
mod exposing;
mod handing_over;
pub mod line;
mod opening;
mod perform;
mod quota;
mod serving;
pub mod shelf;
mod sift;

pub use compaction::{CompactError, Compaction};
pub use line::{Compacted, Line};
pub use opening::OpenError;
pub use serving::{ServeError, ServedCurrency, Status};
pub use shelf::{Position, Renewable, RowKey, Shelf, Stretch};

/// Why a witness says nothing.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError<E> {
    /// The disk.
    #[error(transparent)]
    Shelf(E),
    /// What is on the disk.
    #[error("{0}")]
    Kept(OpenError),
    /// The disk failed before.
    #[error("the witness has stopped, since its log could not be written; open it anew")]
    Stopped,
}

impl<E> From<OpenError> for ShelfError<E> {
    fn from(error: OpenError) -> Self {
        Self::Kept(error)
    }
}

/// A currency that is served.
#[derive(Debug, Clone)]
struct Served {
    policies: Policies,
    /// The witness's place in the policy in force, if that names it.
    place: Option<u8>,
    /// More of its witnesses are faulty than it bears.
    broken: bool,
    /// How epochs ended here.
    ends: BTreeMap<u32, End>,
}

/// What ended an epoch at this witness.
#[derive(Debug, Clone)]
struct End {
    /// The line that says so, and where the log has it.
    kept: Kept,
    /// The one policy after it that this witness endorses.
    policy: PolicyHash,
}

/// What is counted, and kept in one row.
#[derive(Debug, Clone, Default, Encode, Decode)]
#[cbor(map)]
struct Totals {
    #[n(0)]
    policies: Vec<Position>,
    #[n(1)]
    broken: Vec<CurrencyId>,
    #[n(2)]
    accounts: u64,
    #[n(3)]
    entries: u64,
    #[n(4)]
    votes: u64,
    #[n(5)]
    proofs: u64,
    /// Lines by which epochs were closed; absent for none.
    #[n(6)]
    closed: Option<Vec<Position>>,
    /// When the log was last written anew, and where that line stands.
    #[n(7)]
    compacted: Option<(Compacted, Position)>,
}

/// A witness.
#[derive(Debug)]
pub struct Witness<S> {
    shelf: S,
    vk: Vk,
    served: BTreeMap<CurrencyId, Arc<Served>>,
    desks: BTreeMap<Key, Desk>,
    /// Where the log has what the index does not have yet.
    entries: BTreeMap<(Key, u64), Position>,
    proofs: BTreeMap<u64, Position>,
    /// What was committed in this batch, and is on its way into the log.
    fresh: BTreeMap<(Key, u64), CertifiedEntry>,
    /// Checkpoints that were run and are to be written down with what they came with.
    bases: Vec<GenuineCheckpoint>,
    totals: Totals,
    unindexed: usize,
    strangers: quota::Strangers,
    refused_by_quota: u64,
    stopped: bool,
}

impl<S: Shelf> Witness<S> {
    /// The key that it votes with.
    #[must_use]
    pub const fn vk(&self) -> Vk {
        self.vk
    }

    /// Answers requests, each in its place. What they change is on the disk when this returns.
    ///
    /// # Errors
    /// [`ShelfError`]: nothing of this batch may be said, and the witness must be opened anew.
    pub fn answer(
        &mut self,
        requests: Vec<Request>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Reply>, ShelfError<S::Error>> {
        if self.stopped {
            return Err(ShelfError::Stopped);
        }
        let answered = self.try_answer(requests, now, rng);
        self.stopped |= answered.is_err();
        answered
    }

    fn try_answer(
        &mut self,
        requests: Vec<Request>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Reply>, ShelfError<S::Error>> {
        let mut said: BTreeMap<usize, Reply> = BTreeMap::new();
        let mut held: Vec<Held<Kept, Option<(usize, Answer)>>> = Vec::new();
        let mut waiting: VecDeque<(usize, Request)> = requests.into_iter().enumerate().collect();
        while !waiting.is_empty() {
            // Who may sign an entry, and which is the next, follows from those before it: what is asked about a chain
            // after a certified entry of it waits for the next round.
            let mut committed = Vec::new();
            let mut later = VecDeque::new();
            let mut sifted = Vec::new();
            for (number, request) in waiting {
                let chain = chain_of(&request);
                let commits = matches!(request, Request::Commit { .. } | Request::Adopt(_));
                if chain.is_some_and(|chain| committed.contains(&chain)) && !commits {
                    later.push_back((number, request));
                    continue;
                }
                if let Request::Commit { receipt } | Request::Adopt(Checkpoint { receipt, .. }) = &request {
                    committed.push(receipt.entry.header().chain);
                }
                sifted.push((number, self.sift(request, now)?));
            }
            let mut to_do = Vec::new();
            let mut unverified = Vec::new();
            for (number, sifted) in sifted {
                match sifted {
                    Sifted::Say(reply) => {
                        said.insert(number, reply);
                    }
                    Sifted::Read(request) => to_do.push((number, Some(request))),
                    Sifted::Verify(work) => {
                        unverified.push(work);
                        to_do.push((number, None));
                    }
                }
            }
            let mut verified = verify_batch(unverified, rng).into_iter();
            for (number, read) in to_do {
                let performed = match read {
                    Some(request) => self.turn(request)?,
                    None => match verified.next() {
                        Some(Ok(work)) => self.perform(work, now)?,
                        _ => Err(Reply::Refused(Reason::invalid("a signature is not genuine"))),
                    },
                };
                match performed {
                    Ok(answer) => held.push(answer.map(|kept| kept, |answer| Some((number, answer)))),
                    Err(reply) => {
                        said.insert(number, reply);
                    }
                }
                // Right behind what it came with: all lines of the chain that follow stand on it.
                let bases = self.bases.drain(..);
                held.extend(bases.map(|base| Held::new(Kept { line: Line::base(&base), at: None }, None)));
            }
            waiting = later;
        }
        for (number, answer) in self.write(held)?.into_iter().flatten() {
            said.insert(number, answer.say(self.shelf.key()));
        }
        if self.unindexed >= limits::UNINDEXED {
            let end = self.shelf.end();
            self.index(end)?;
        }
        self.forget_unchanged();
        Ok(said.into_values().collect())
    }

    /// Verifies and commits entries that this witness has missed, as another has them. Says of each which place is the
    /// next of its chain afterwards, or why it was not taken.
    ///
    /// # Errors
    /// As of [`Witness::answer`].
    pub fn catch_up(
        &mut self,
        receipts: Vec<Receipt>,
        now: Timestamp,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Result<u64, Reason>>, ShelfError<S::Error>> {
        let requests = receipts.into_iter().map(|receipt| Request::Commit { receipt }).collect();
        let replies = self.answer(requests, now, rng)?.into_iter().map(|reply| match reply {
            Reply::Ack { next } => Ok(next),
            Reply::Refused(reason) => Err(reason),
            _ => Err(Reason::invalid("not an answer to that")),
        });
        Ok(replies.collect())
    }

    /// Brings the index up to the log, so that the next opening is quick: before a pause, and at the end.
    ///
    /// # Errors
    /// [`ShelfError`].
    pub fn settle(&mut self) -> Result<(), ShelfError<S::Error>> {
        if self.stopped {
            return Err(ShelfError::Stopped);
        }
        let end = self.shelf.end();
        let settled = if self.unindexed > 0 { self.index(end) } else { Ok(()) };
        self.stopped |= settled.is_err();
        settled
    }

    /// Where the next line of its log will begin.
    #[must_use]
    pub fn end(&self) -> Position {
        self.shelf.end()
    }

    /// The log and the index, with whatever is not in the index yet left for the next opening.
    #[must_use]
    pub fn into_shelf(self) -> S {
        self.shelf
    }

    /// Writes what answers stand on, then gives them. Nothing else gets an answer out of [`Held`].
    fn write<A>(&mut self, held: Vec<Held<Kept, A>>) -> Result<Vec<A>, ShelfError<S::Error>> {
        let mut writing = Writing { shelf: &mut self.shelf, written: Vec::new() };
        let answers = match Held::release_all(held, &mut writing) {
            Ok(answers) => answers,
            Err(error) => {
                self.stopped = true;
                return Err(ShelfError::Shelf(error));
            }
        };
        let written = writing.written;
        self.fresh.clear();
        for (line, at) in written {
            self.note(line, at)?;
        }
        Ok(answers)
    }

    fn index(&mut self, until: Position) -> Result<(), ShelfError<S::Error>> {
        let mut rows = vec![(RowKey::Totals, to_cbor(&self.totals))];
        for ((currency, chain), desk) in self.desks.iter().filter(|(_, desk)| desk.changed) {
            rows.push((RowKey::Account(*currency, *chain), desk.row((*currency, *chain))));
        }
        for (((currency, chain), seq), at) in &self.entries {
            rows.push((RowKey::Entry(*currency, *chain, *seq), to_cbor(at)));
        }
        rows.extend(self.proofs.iter().map(|(number, at)| (RowKey::Proof(*number), to_cbor(at))));
        self.shelf.index(rows, until).map_err(ShelfError::Shelf)?;
        self.entries.clear();
        self.proofs.clear();
        self.unindexed = 0;
        self.desks.values_mut().for_each(|desk| desk.changed = false);
        self.forget_unchanged();
        Ok(())
    }

    /// Lets go of accounts that the index has as they are, where they are many.
    fn forget_unchanged(&mut self) {
        if self.desks.len() > limits::DESKS {
            self.desks.retain(|_, desk| desk.changed);
        }
    }

    /// An account of a currency that is served.
    fn desk(&mut self, key: Key) -> Result<Option<&mut Desk>, ShelfError<S::Error>> {
        let Some(served) = self.served.get(&key.0) else { return Ok(None) };
        if !self.desks.contains_key(&key) {
            let desk = Desk::load(key, &served.policies, &self.shelf)?;
            self.desks.insert(key, desk);
        }
        Ok(self.desks.get_mut(&key))
    }

    /// The certified entry at a place, if the witness has it.
    fn certified(&self, key: Key, seq: u64) -> Result<Option<CertifiedEntry>, ShelfError<S::Error>> {
        if let Some(certified) = self.fresh.get(&(key, seq)) {
            return Ok(Some(certified.clone()));
        }
        let Some(at) = self.entry_at(key, seq)? else { return Ok(None) };
        match read_line(&self.shelf, at)? {
            Line::Certified(receipt) | Line::Base(receipt, _) | Line::Cited(receipt) => {
                Ok(Some(receipt.verified_before()))
            }
            _ => Err(OpenError::Inconsistent { at }.into()),
        }
    }

    /// Where the log has the certified entry at a place.
    fn entry_at(&self, key: Key, seq: u64) -> Result<Option<Position>, ShelfError<S::Error>> {
        if let Some(at) = self.entries.get(&(key, seq)) {
            return Ok(Some(*at));
        }
        let row = self.shelf.row(&RowKey::Entry(key.0, key.1, seq)).map_err(ShelfError::Shelf)?;
        row.map(|bytes| read_row(&bytes)).transpose()
    }

    /// The checkpoint that stands for everything before it of a chain, if the log has one.
    fn base(&mut self, key: Key) -> Result<Option<GenuineCheckpoint>, ShelfError<S::Error>> {
        let Some((_, at)) = self.desk(key)?.and_then(|desk| desk.base) else { return Ok(None) };
        match read_line(&self.shelf, at)? {
            Line::Base(receipt, kept) => Ok(Some(checkpoint_of(receipt, kept))),
            _ => Err(OpenError::Inconsistent { at }.into()),
        }
    }
}

fn chain_of(request: &Request) -> Option<AccountId> {
    match request {
        Request::Propose { entry, .. } | Request::Prepare { entry, .. } => Some(entry.header().chain),
        Request::Commit { receipt } | Request::Adopt(Checkpoint { receipt, .. }) => Some(receipt.entry.header().chain),
        Request::Recover(recover) => Some(recover.slot.chain),
        Request::Lock { slot, .. } => Some(slot.chain),
        Request::Cross { reports, .. } => reports.first().map(|report| report.findings.slot.chain),
        Request::Closings { chain, .. } => Some(*chain),
        Request::Witness
        | Request::Head { .. }
        | Request::Entries { .. }
        | Request::Policy { .. }
        | Request::Pending { .. }
        | Request::Policies { .. }
        | Request::Succeed { .. } => None,
    }
}

/// Why a currency is served no more.
fn broken(why: &Broken) -> Reason {
    Reason::invalid(format!("more witnesses of this currency are faulty than it bears: {why}"))
}
