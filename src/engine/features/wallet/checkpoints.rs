//! Checkpoints: an account says how it stands, so that its witnesses can let go of what is before
//! (docs/protocol/12-wallet.md, section 9).
//!
//! One is written when nothing else is under way, where the last is so many entries or so long ago, and where anything was
//! signed since. It moves no money, and is certified like any entry.

use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::checkpoint::{Checkpoint, GenuineCheckpoint};
use kinfolk_ledger::entry::{Ctl, Entry};
use kinfolk_ledger::message::Request;
use kinfolk_ledger::vote::Receipt;
use kinfolk_wire::ids::{AccountId, CurrencyId};
use kinfolk_wire::time::{Span, Timestamp};

use super::book::{Book, Order};
use super::settling;
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Alarm, Key, OwnCheckpoint, OwnEntry};

/// Entries after which the next is a checkpoint.
const ENTRIES: u64 = 512;
/// How old a checkpoint is when the next is written, where anything was signed since.
const AGE: Span = Span::from_hours(30 * 24);

/// Writes a checkpoint if it is time for one; says when it will be.
pub(super) fn write_due(step: &mut Step<'_>, id: CurrencyId) -> Result<(), Refusal> {
    let mut book = Book::open(step, id)?;
    let is_idle = book.account.certified == book.signed() && book.account.stopped.is_none();
    if !is_idle || book.account.unsearched || book.account.state.is_none() {
        return Ok(());
    }
    let (next, since) = last(step, &book)?;
    let signed = book.signed().saturating_sub(next);
    if signed == 0 {
        return Ok(());
    }
    let due = since.after(AGE);
    if !is_due(signed, due, step.now) {
        if book.account.again_at.is_none_or(|before| due < before) {
            step.set_alarm(Alarm::Settle(id), book.account.again_at, due);
            book.account.again_at = Some(due);
            book.save(step);
        }
        return Ok(());
    }
    book.checkpoint(step)?;
    settling::take(step, &mut book)
}

/// Whether so many entries since the last checkpoint, or the time, ask for the next.
fn is_due(signed: u64, due: Timestamp, now: Timestamp) -> bool {
    signed >= ENTRIES || (signed > 0 && now >= due)
}

/// The place after the last checkpoint, and when that was; those of the beginning where there was none.
fn last(step: &Step<'_>, book: &Book) -> Result<(u64, Timestamp), Refusal> {
    let row: Option<OwnCheckpoint> = step.find(&Key::OwnCheckpoint(book.id))?;
    Ok(match row {
        Some(OwnCheckpoint { seq, at, .. }) => (seq.saturating_add(1), at),
        None => (0, book.own(step, 0)?.entry.body().ts),
    })
}

/// Notes an entry that stands in the account's chain now, if it is a checkpoint.
pub(super) fn note(step: &mut Step<'_>, id: CurrencyId, entry: &Entry) -> Result<(), Refusal> {
    if matches!(entry.body().ctl, Some(Ctl::Checkpoint { .. })) {
        let base = base(step, id)?;
        let (seq, at) = (entry.header().seq, entry.body().ts);
        step.put(Key::OwnCheckpoint(id), OwnCheckpoint { seq, at, base });
    }
    Ok(())
}

/// The checkpoint that stands for entries which are not here.
pub(super) fn base(step: &Step<'_>, id: CurrencyId) -> Result<Option<Box<Checkpoint>>, Refusal> {
    Ok(step.find::<OwnCheckpoint>(&Key::OwnCheckpoint(id))?.and_then(|row| row.base))
}

/// What brings a witness on that stands at this place of the account's chain: the entry, or the checkpoint that stands for
/// it.
pub(super) fn bringing(step: &Step<'_>, id: CurrencyId, seq: u64) -> Result<Request, Refusal> {
    let own: Option<OwnEntry> = step.find(&Key::OwnEntry(id, seq))?;
    if let Some(OwnEntry { entry, cert: Some(cert), .. }) = own {
        return Ok(Request::Commit { receipt: Receipt { entry: *entry, cert: *cert } });
    }
    match base(step, id)?.filter(|base| seq <= base.seq()) {
        Some(base) => Ok(Request::Adopt(*base)),
        None => Err(Refusal::Inconsistent("a certified entry has no certificate")),
    }
}

/// A checkpoint of this account that a witness has shown, as far as a quorum stands behind it.
pub(super) fn genuine(book: &Book, account: AccountId, shown: Checkpoint) -> Option<GenuineCheckpoint> {
    let genuine = shown.verify(&book.policy).ok()?.verify().ok()?;
    (genuine.certified().entry().header().chain == account).then_some(genuine)
}

/// Keeps a checkpoint that stands for entries which are not here, and the entry that it is; the state after it.
pub(super) fn adopt(
    step: &mut Step<'_>,
    book: &Book,
    checkpoint: &GenuineCheckpoint,
) -> Result<Box<ChainState>, Refusal> {
    let certified = checkpoint.certified();
    let (entry, cert) = (certified.entry().clone(), certified.cert().clone());
    let mut state = Box::new(checkpoint.state().clone());
    let change = state.try_entry(&entry, &book.policy).map_err(|error| Refusal::Ledger(error.to_string()))?;
    state.apply(change, entry.body());
    let (seq, at) = (entry.header().seq, entry.body().ts);
    let base = Some(Box::new(checkpoint.checkpoint()));
    step.put(Key::OwnCheckpoint(book.id), OwnCheckpoint { seq, at, base });
    let (entry, cert) = (Box::new(entry), Some(Box::new(cert)));
    step.put(
        Key::OwnEntry(book.id, seq),
        OwnEntry { entry, cited: Vec::new(), movement: None, votes: Vec::new(), cert },
    );
    Ok(state)
}

impl Book {
    /// Signs a checkpoint as the next entry, and keeps it.
    fn checkpoint(&mut self, step: &mut Step<'_>) -> Result<(), Refusal> {
        let Some(state) = &self.account.state else { return Ok(()) };
        let ctl = Some(Ctl::Checkpoint { state_root: state.root() });
        self.put(step, Order { ctl, ..Order::default() }, &[], None).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_is_due_after_so_many_entries_or_so_long_and_never_for_nothing() {
        let (due, before) = (Timestamp::from_millis(1_000), Timestamp::from_millis(999));
        assert!(!is_due(0, due, due) && !is_due(1, due, before) && !is_due(511, due, before));
        assert!(is_due(1, due, due) && is_due(512, due, before));
    }
}
