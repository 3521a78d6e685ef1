//! A witness is opened from its log: the lines that its index does not have are taken again.

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_wire::codec::DecodeError;
use kinfolk_wire::ids::CurrencyId;

use super::desk::{read_line, read_row, take_crossed};
use super::line::{Compacted, Kept, Line, checkpoint_of};
use super::perform::opens_account;
use super::shelf::{Position, RowKey, Shelf, Stretch};
use super::{End, Served, ShelfError, Totals, Witness, quota};
use crate::account::Committed;
use crate::equivocation::EquivocationProof;
use crate::limits;
use crate::policy::Policies;

/// Why a witness does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A line of the log that this program did not write so.
    #[error("line {} of the witness's log cannot be read: {error}", .at.number())]
    Line {
        /// Where.
        at: Position,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A row of the index that this program did not write so.
    #[error("a row of the witness's index cannot be read: {0}")]
    Row(DecodeError),
    /// A line that does not fit to those before it.
    #[error("line {} of the witness's log does not fit to those before it", .at.number())]
    Inconsistent {
        /// Where.
        at: Position,
    },
}

impl<S: Shelf> Witness<S> {
    /// Opens a witness from its log and index; one that has written nothing yet serves nothing.
    ///
    /// # Errors
    /// [`ShelfError`].
    pub fn open(shelf: S) -> Result<Self, ShelfError<S::Error>> {
        let vk = shelf.key().vk();
        let totals = match shelf.row(&RowKey::Totals).map_err(ShelfError::Shelf)? {
            Some(bytes) => read_row(&bytes)?,
            None => Totals::default(),
        };
        let mut witness = Self {
            shelf,
            vk,
            served: BTreeMap::new(),
            desks: BTreeMap::new(),
            entries: BTreeMap::new(),
            proofs: BTreeMap::new(),
            fresh: BTreeMap::new(),
            bases: Vec::new(),
            totals: Totals::default(),
            unindexed: 0,
            strangers: quota::Strangers::default(),
            refused_by_quota: 0,
            stopped: false,
        };
        for at in &totals.policies {
            let line = read_line(&witness.shelf, *at)?;
            witness.take(line, *at)?;
        }
        for at in totals.closed.iter().flatten() {
            let line = read_line(&witness.shelf, *at)?;
            witness.take(line, *at)?;
        }
        for currency in totals.broken.iter().copied() {
            witness.take(Line::Broken(currency), Position::default())?;
        }
        witness.totals = totals;
        witness.unindexed = 0;
        witness.replay()?;
        Ok(witness)
    }

    /// Takes the lines that the index does not know of.
    fn replay(&mut self) -> Result<(), ShelfError<S::Error>> {
        let mut from = self.shelf.indexed();
        loop {
            let Stretch { lines, next } = self.shelf.lines(from).map_err(ShelfError::Shelf)?;
            if lines.is_empty() {
                return Ok(());
            }
            for (at, bytes) in lines {
                let line = Line::decode(&bytes).map_err(|error| OpenError::Line { at, error })?;
                self.take(line, at)?;
            }
            from = next;
            if self.unindexed >= limits::UNINDEXED {
                self.index(from)?;
            }
        }
    }

    /// Takes a line that is in the log already.
    pub(super) fn take(&mut self, line: Line, at: Position) -> Result<(), ShelfError<S::Error>> {
        let inconsistent = OpenError::Inconsistent { at };
        match &line {
            Line::Policy(_)
            | Line::Proof(_)
            | Line::Broken(_)
            | Line::Closed { .. }
            | Line::Next { .. }
            | Line::Cited(_)
            | Line::Compacted(_) => {}
            Line::Base(receipt, kept) => {
                let header = *receipt.entry.header();
                let Some(served) = self.served.get(&header.currency).map(Arc::clone) else {
                    return Err(inconsistent.into());
                };
                let Some(desk) = self.desk((header.currency, header.chain))? else { return Err(inconsistent.into()) };
                let opened = desk.account.state().is_none();
                let done = desk.account.adopt(checkpoint_of(receipt.clone(), kept.clone()), &served.policies);
                desk.account.take_checkpoint();
                match done {
                    Ok(Committed::Executed(_)) => self.count_opened(opened),
                    Ok(Committed::Parked | Committed::Known) => {}
                    Err(_) => return Err(inconsistent.into()),
                }
            }
            Line::Crossed(reports) => {
                let slot = reports.first().map(|report| report.findings.slot);
                let slot = slot.ok_or(OpenError::Inconsistent { at })?;
                let Some(served) = self.served.get(&slot.currency).map(Arc::clone) else {
                    return Err(inconsistent.into());
                };
                let Some(desk) = self.desk((slot.currency, slot.chain))? else { return Err(inconsistent.into()) };
                take_crossed(&mut desk.account, reports.clone(), &served.policies).ok_or(inconsistent)?;
            }
            Line::Vote(record) => {
                let Some(desk) = self.desk((record.slot.currency, record.slot.chain))? else {
                    return Err(inconsistent.into());
                };
                desk.account.take(record);
            }
            Line::Certified(receipt) => {
                let header = *receipt.entry.header();
                let key = (header.currency, header.chain);
                let Some(served) = self.served.get(&header.currency).map(Arc::clone) else {
                    return Err(inconsistent.into());
                };
                let Some(desk) = self.desk(key)? else { return Err(inconsistent.into()) };
                let opened = opens_account(&desk.account, receipt);
                let done = desk.account.commit(receipt.clone().verified_before(), &served.policies);
                // If it was a checkpoint, the line that says so follows.
                desk.account.take_checkpoint();
                match done {
                    Ok(Committed::Executed(_)) => self.count_opened(opened),
                    Ok(Committed::Parked | Committed::Known) => {}
                    Err(_) => return Err(inconsistent.into()),
                }
            }
        }
        self.note(line, at)
    }

    pub(super) fn count_opened(&mut self, opened: bool) {
        if opened {
            self.totals.accounts = self.totals.accounts.saturating_add(1);
        }
    }

    /// Notes where the log has a line whose step was taken.
    pub(super) fn note(&mut self, line: Line, at: Position) -> Result<(), ShelfError<S::Error>> {
        self.unindexed = self.unindexed.saturating_add(1);
        match line {
            Line::Policy(policy) => {
                let policy = policy.load().map_err(|_| OpenError::Inconsistent { at })?;
                let place = self.place_in(&policy);
                let served = Served { place, broken: false, ends: BTreeMap::new(), policies: Policies::from(policy) };
                self.served.insert(served.policies.currency(), Arc::new(served));
                self.totals.policies.push(at);
            }
            Line::Next { currency, ref policy } => {
                self.go_on(currency, policy, Some(at)).ok_or(OpenError::Inconsistent { at })?;
                self.totals.policies.push(at);
            }
            Line::Closed { currency, epoch, policy } => {
                self.end_epoch(currency, epoch, End { kept: Kept { line, at: Some(at) }, policy });
                self.totals.closed.get_or_insert_default().push(at);
            }
            Line::Crossed(reports) => {
                let slot = reports.first().map(|report| report.findings.slot);
                let desk = slot.and_then(|slot| self.desks.get_mut(&(slot.currency, slot.chain)).zip(Some(slot.epoch)));
                if let Some((desk, epoch)) = desk {
                    desk.note_crossed(epoch, at);
                }
            }
            Line::Vote(record) => {
                self.totals.votes = self.totals.votes.saturating_add(1);
                if let Some(desk) = self.desks.get_mut(&(record.slot.currency, record.slot.chain)) {
                    desk.note_vote(&record, at);
                }
            }
            Line::Certified(receipt) => {
                let header = receipt.entry.header();
                let key = (header.currency, header.chain);
                self.totals.entries = self.totals.entries.saturating_add(1);
                self.entries.insert((key, header.seq), at);
                if let Some(desk) = self.desks.get_mut(&key) {
                    desk.note_certified(header.seq, at);
                }
            }
            Line::Base(receipt, _) => {
                let header = receipt.entry.header();
                let key = (header.currency, header.chain);
                self.entries.insert((key, header.seq), at);
                if let Some(desk) = self.desks.get_mut(&key) {
                    desk.note_base(header.seq, at);
                }
            }
            Line::Cited(receipt) => {
                let header = receipt.entry.header();
                self.entries.insert(((header.currency, header.chain), header.seq), at);
            }
            Line::Compacted(compacted) => {
                let Compacted { accounts, entries, votes, .. } = compacted;
                self.totals = Totals { accounts, entries, votes, ..std::mem::take(&mut self.totals) };
                self.totals.compacted = Some((compacted, at));
            }
            Line::Proof(EquivocationProof::Writer(one, _)) => {
                let key = (one.header.currency, one.header.chain);
                self.proofs.insert(self.totals.proofs, at);
                self.totals.proofs = self.totals.proofs.saturating_add(1);
                if let Some(desk) = self.desk(key)? {
                    desk.proof = Some(at);
                    desk.changed = true;
                }
            }
            Line::Proof(EquivocationProof::Witness(..)) => {}
            Line::Broken(currency) => {
                self.stop_serving(currency);
                if !self.totals.broken.contains(&currency) {
                    self.totals.broken.push(currency);
                }
            }
        }
        Ok(())
    }

    pub(super) fn stop_serving(&mut self, currency: CurrencyId) {
        if let Some(served) = self.served.get(&currency) {
            let served = Served { broken: true, ..Served::clone(served) };
            self.served.insert(currency, Arc::new(served));
        }
    }
}
