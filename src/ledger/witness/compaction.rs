//! A log that has grown is written anew, without what nobody can need any more; meanwhile the witness votes.
//!
//! Beside the log that is in use a second one is begun, with the same key. The lines of the first are gone through in
//! their order, some at a time, and those that are needed are copied; a second witness takes each as it would take them
//! when it is opened ([`opening`](super)). What is said in the meantime goes to the first log alone, and its lines are
//! copied in their turn. When all are, the second log is made durable, takes the first one's place, and the second witness
//! goes on. Where that does not come to an end, by a crash or a disk that is full, the first log is there as it was.
//!
//! # What is needed
//!
//! | line | copied if |
//! |---|---|
//! | a policy, the end of an epoch, a broken currency, a proof | always |
//! | a vote, a promise, a lock | it is of the place at which the chain stands now, and none that came later has replaced it |
//! | a certified entry | it stands after the chain's last checkpoint that was written down, or is what is cited by an entry that was voted for and is not certified yet |
//! | a checkpoint with its state | it is that last one |
//! | closing reports | the chain was crossed by them |
//!
//! # Why a witness that has let go of lines never votes twice for a place
//!
//! A witness votes, promises, prepares and locks at a chain's next place only, and that place never goes back.
//!
//! 1. *The next place of each chain is the same after.* It follows from the certified entries in a row. Those after the
//!    last checkpoint are copied, and the checkpoint's line has the state that all before it gave: running the
//!    checkpoint on that state, and those after it, gives the state that there was (I12), and so the same place.
//! 2. *What was said at that place is copied.* A line is let go only if its place is past, or if one that came later for
//!    the same slot replaces it: a fast vote the same fast vote, a promise one that is not higher. Places only go on, and
//!    what is replaced stays so: so a line that is let go when it is come to is not needed later either, whatever is said
//!    until all lines are copied. What is said after a line was copied comes later in the log, and is copied in its turn.
//! 3. *Nothing is said in between.* The second log takes the first one's place when it is durable, then its name is made
//!    durable, and only after that anything is said of which only the second one knows. A crash leaves the one or the
//!    other, whole, and both have every line that anybody was told of.
//!
//! At places that are past a witness says nothing but where it stands, and shows entries. Of those it let go it shows the
//! checkpoint instead, with the state: whoever asks verifies one certificate and one hash, and has what the entries would
//! have given. What it cannot do any more is prove that a writer signed a second entry for a place before the checkpoint:
//! such an entry can be certified by nobody, and harms nobody.
//!
//! # What was paid and not claimed
//!
//! An output is claimed with the receipt of the entry that it stands in, which the payee keeps: the witness needs no entry
//! of its own for that. That it is claimed once is the payee's state, whose `spent` is never let go.

use std::collections::{BTreeSet, VecDeque};

use kinfolk_wire::time::Timestamp;

use super::desk::{Key, read_line};
use super::line::{Compacted, Line};
use super::shelf::{Position, Renewable, Shelf};
use super::{OpenError, ShelfError, Witness};
use crate::account::Record;
use crate::vote::Receipt;

/// Bytes that are copied between two syncs of the new log.
const SYNCED: usize = 1 << 20;
/// Lines after which the new log's index is written.
const INDEXED: usize = 1_024;

/// A log that is being written anew.
#[derive(Debug)]
pub struct Compaction<S> {
    /// What stands on the new log.
    fresh: Witness<S>,
    /// Lines that were read and not come to yet, and where the ones after them begin.
    waiting: VecDeque<(Position, Vec<u8>)>,
    from: Position,
    dropped: u64,
    unsynced: usize,
    /// Accounts that are compared before the new log is used; nothing before its end was come to.
    compared: Option<Vec<Key>>,
}

/// Why a log was not written anew.
#[derive(Debug, thiserror::Error)]
pub enum CompactError<E> {
    /// The log that is in use: the witness must be opened anew.
    #[error(transparent)]
    InUse(ShelfError<E>),
    /// The new one, which is to be given up; the witness goes on as it was.
    #[error(transparent)]
    Fresh(ShelfError<E>),
}

type Compacting<T, S> = Result<T, CompactError<<S as Shelf>::Error>>;

impl<S: Renewable> Witness<S> {
    /// Begins to write the log anew.
    ///
    /// # Errors
    /// [`ShelfError`], of the new log: the witness goes on as it was.
    pub fn compact(&self) -> Result<Compaction<S>, ShelfError<S::Error>> {
        if self.stopped {
            return Err(ShelfError::Stopped);
        }
        let fresh = Self::open(self.shelf.beside().map_err(ShelfError::Shelf)?)?;
        let (waiting, from) = (VecDeque::new(), self.shelf.first());
        Ok(Compaction { fresh, waiting, from, dropped: 0, unsynced: 0, compared: None })
    }

    /// Goes on with it, by so many lines at most. Whether all is copied: then, and before anything else is answered, it
    /// is [finished](Self::finish_compaction).
    ///
    /// # Errors
    /// [`CompactError`].
    pub fn compact_some(&mut self, compaction: &mut Compaction<S>, most: usize) -> Compacting<bool, S> {
        if self.stopped {
            return Err(CompactError::InUse(ShelfError::Stopped));
        }
        let done = self.try_compact_some(compaction, most);
        self.stopped |= matches!(done, Err(CompactError::InUse(_)));
        self.forget_unchanged();
        done
    }

    fn try_compact_some(&mut self, compaction: &mut Compaction<S>, most: usize) -> Compacting<bool, S> {
        let (mut lines, mut keys) = (Vec::new(), BTreeSet::new());
        for _ in 0..most {
            if compaction.waiting.is_empty() {
                let stretch = self.shelf.lines(compaction.from).map_err(|error| in_use(ShelfError::Shelf(error)))?;
                compaction.waiting = stretch.lines.into();
                compaction.from = stretch.next;
            }
            let Some((at, bytes)) = compaction.waiting.pop_front() else { break };
            let line = Line::decode(&bytes).map_err(|error| in_use(OpenError::Line { at, error }.into()))?;
            if !self.needs(&line, at).map_err(CompactError::InUse)? {
                compaction.dropped = compaction.dropped.saturating_add(1);
                continue;
            }
            keys.extend(key_of(&line));
            if let Line::Vote(record) = &line {
                lines.extend(self.cited_by(record).map_err(CompactError::InUse)?);
            }
            lines.push(line);
        }
        let is_end = lines.is_empty() && compaction.waiting.is_empty() && compaction.from >= self.shelf.end();
        compaction.take(lines).map_err(CompactError::Fresh)?;
        for key in keys {
            let quota = self.desk(key).map_err(CompactError::InUse)?.map(|desk| desk.quota);
            if let (Some(quota), Some(desk)) = (quota, compaction.fresh.desk(key).map_err(CompactError::Fresh)?) {
                (desk.quota, desk.changed) = (quota, true);
            }
        }
        compaction.fresh.forget_unchanged();
        if !is_end {
            return Ok(false);
        }
        self.compare(compaction, most)
    }

    /// Compares accounts that are in memory with what the new log makes of them. Whether all are.
    fn compare(&mut self, compaction: &mut Compaction<S>, most: usize) -> Compacting<bool, S> {
        let compared = compaction.compared.get_or_insert_with(|| self.desks.keys().copied().collect());
        for key in compared.split_off(compared.len().saturating_sub(most)) {
            // Of a broken currency the log does not have what was run last.
            let Some(desk) = self.desks.get(&key).filter(|_| self.serving(&key.0).is_ok()) else { continue };
            let fresh = compaction.fresh.desk(key).map_err(CompactError::Fresh)?;
            if fresh.is_none_or(|fresh| !fresh.account.answers_as(&desk.account)) {
                let at = compaction.fresh.shelf.end();
                return Err(CompactError::Fresh(OpenError::Inconsistent { at }.into()));
            }
        }
        compaction.fresh.forget_unchanged();
        Ok(compaction.compared.as_ref().is_some_and(Vec::is_empty))
    }

    /// Makes the new log durable, all of it.
    ///
    /// # Errors
    /// [`ShelfError`], of the new log: the witness goes on as it was.
    pub fn finish_compaction(
        &self,
        compaction: &mut Compaction<S>,
        now: Timestamp,
    ) -> Result<(), ShelfError<S::Error>> {
        let super::Totals { accounts, entries, votes, .. } = self.totals;
        let (before, dropped) = (self.shelf.end().number(), compaction.dropped);
        compaction.take(vec![Line::Compacted(Compacted { at: now, before, dropped, accounts, entries, votes })])?;
        compaction.fresh.shelf.finish().map_err(ShelfError::Shelf)
    }

    /// The witness on its new log, which takes the place of the one that it had.
    ///
    /// # Errors
    /// [`ShelfError`]: nobody knows which of the two is there; the witness must be opened anew.
    pub fn compacted(self, compaction: Compaction<S>) -> Result<Self, ShelfError<S::Error>> {
        let mut fresh = compaction.fresh;
        fresh.refused_by_quota = self.refused_by_quota;
        fresh.strangers = self.strangers;
        fresh.shelf.replace(self.shelf).map_err(ShelfError::Shelf)?;
        Ok(fresh)
    }

    /// Whether a line of the log is needed. Once it is not, it never is again.
    fn needs(&mut self, line: &Line, at: Position) -> Result<bool, ShelfError<S::Error>> {
        Ok(match line {
            Line::Policy(_) | Line::Next { .. } | Line::Closed { .. } | Line::Broken(_) | Line::Proof(_) => true,
            // What is cited goes along with the vote that it is cited by.
            Line::Cited(_) | Line::Compacted(_) => false,
            Line::Vote(record) => {
                let desk = self.desk((record.slot.currency, record.slot.chain))?;
                desk.is_some_and(|desk| desk.stands_on(at))
            }
            Line::Certified(receipt) => {
                let (key, seq) = place_of(receipt);
                let is_after = self.desk(key)?.is_some_and(|desk| desk.base.is_none_or(|(base, _)| seq > base));
                is_after && self.entry_at(key, seq)? == Some(at)
            }
            Line::Base(receipt, _) => {
                let (key, seq) = place_of(receipt);
                self.desk(key)?.is_some_and(|desk| desk.base == Some((seq, at)))
            }
            Line::Crossed(reports) => {
                let slot = reports.first().map(|report| report.findings.slot);
                match slot {
                    Some(slot) => {
                        let desk = self.desk((slot.currency, slot.chain))?;
                        desk.is_some_and(|desk| desk.crossed_at(slot.epoch) == Some(at))
                    }
                    None => false,
                }
            }
        })
    }

    /// What the entry cites that is voted for, as far as it would be let go.
    fn cited_by(&mut self, record: &Record) -> Result<Vec<Line>, ShelfError<S::Error>> {
        let Some(entry) = &record.entry else { return Ok(Vec::new()) };
        let body = entry.body();
        let refunded = body.outs.iter().filter_map(|out| out.refund_of);
        let cited: BTreeSet<_> =
            body.claims.iter().map(|claim| claim.out).chain(refunded).map(|out| (out.chain, out.seq)).collect();
        let mut lines = Vec::new();
        for (chain, seq) in cited {
            let key = (record.slot.currency, chain);
            let is_before = self.desk(key)?.is_some_and(|desk| desk.base.is_some_and(|(base, _)| seq < base));
            if is_before && let Some(at) = self.entry_at(key, seq)? {
                match read_line(&self.shelf, at)? {
                    Line::Certified(receipt) | Line::Cited(receipt) | Line::Base(receipt, _) => {
                        lines.push(Line::Cited(receipt));
                    }
                    _ => return Err(OpenError::Inconsistent { at }.into()),
                }
            }
        }
        Ok(lines)
    }
}

impl<S: Renewable> Compaction<S> {
    /// Removes what was written of the new log.
    pub fn give_up(self) {
        self.fresh.shelf.give_up();
    }

    /// Copies lines, and takes what they say.
    fn take(&mut self, lines: Vec<Line>) -> Result<(), ShelfError<S::Error>> {
        if lines.is_empty() {
            return Ok(());
        }
        let encoded: Vec<Vec<u8>> = lines.iter().map(Line::encode).collect();
        let places = self.fresh.shelf.copy(&encoded).map_err(ShelfError::Shelf)?;
        for (line, at) in lines.into_iter().zip(places) {
            self.fresh.take(line, at)?;
        }
        self.unsynced = encoded.iter().map(Vec::len).fold(self.unsynced, usize::saturating_add);
        if self.unsynced >= SYNCED {
            self.fresh.shelf.finish().map_err(ShelfError::Shelf)?;
            self.unsynced = 0;
        }
        if self.fresh.unindexed >= INDEXED {
            let end = self.fresh.shelf.end();
            self.fresh.index(end)?;
        }
        Ok(())
    }
}

fn in_use<E>(error: ShelfError<E>) -> CompactError<E> {
    CompactError::InUse(error)
}

fn place_of(receipt: &Receipt) -> (Key, u64) {
    let header = receipt.entry.header();
    ((header.currency, header.chain), header.seq)
}

fn key_of(line: &Line) -> Option<Key> {
    match line {
        Line::Vote(record) => Some((record.slot.currency, record.slot.chain)),
        Line::Certified(receipt) | Line::Base(receipt, _) => Some(place_of(receipt).0),
        _ => None,
    }
}
