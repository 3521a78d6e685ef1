//! One account at a witness: the chain, and where the log has what must not be forgotten of it.

use std::collections::BTreeMap;

use kinfolk_wire::codec::{DecodeError, from_cbor, to_cbor};
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash};
use minicbor::{Decode, Encode};

use super::line::{Line, checkpoint_of};
use super::quota::Quota;
use super::shelf::{Position, RowKey, Shelf};
use super::{OpenError, ShelfError};
use crate::account::{Account, Record};
use crate::chain::KeptState;
use crate::escrow::TabState;
use crate::limits;
use crate::policy::Policies;
use crate::recovery::SignedReport;
use crate::slot::Step;
use crate::vote::{PrepCert, SlotId};

/// The most bytes of a row: far more than a state whose account was paid by ten thousand others.
const ROW: usize = 1 << 24;

/// A chain of a currency.
pub(super) type Key = (CurrencyId, AccountId);

type VoteStep = Step<EntryHash, PrepCert>;

/// One account.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) account: Account,
    /// What was written of the open slot: of each kind the last, ascending by position.
    steps: Vec<Written>,
    /// Where the log has what is parked.
    parked: BTreeMap<u64, Position>,
    /// Where the log has the closing reports by which it was crossed, by epoch.
    crossed: BTreeMap<u32, Position>,
    /// Where the log has the proof against its writer.
    pub(super) proof: Option<Position>,
    /// The place of the checkpoint that stands for all before it, and where the log has that.
    pub(super) base: Option<(u64, Position)>,
    pub(super) quota: Quota,
    /// Whether the index does not have all of this.
    pub(super) changed: bool,
}

/// A step that the log has. It names its slot, since two slots may have the same step, and one that was written for the
/// one was not written for the other.
#[derive(Debug, Clone)]
struct Written {
    at: Position,
    slot: SlotId,
    step: VoteStep,
}

#[derive(Debug, Encode, Decode)]
#[cbor(map)]
struct Row {
    /// Absent before the first entry, and where the account stands right after its base: there it follows from that.
    #[n(0)]
    state: Option<KeptState>,
    #[n(1)]
    steps: Vec<Position>,
    #[n(2)]
    parked: Vec<(u64, Position)>,
    #[n(3)]
    proof: Option<Position>,
    #[n(4)]
    quota: Quota,
    /// The epoch of the last entry's certificate; absent for 0.
    #[n(5)]
    since: Option<u32>,
    /// Lines by which it was crossed; absent for none.
    #[n(6)]
    crossed: Option<Vec<Position>>,
    #[n(7)]
    base: Option<(u64, Position)>,
    /// Whose row it is: what it is kept under does not tell.
    #[n(8)]
    of: (CurrencyId, AccountId),
    /// The state of an escrow chain.
    #[n(9)]
    tab: Option<TabState>,
}

impl Desk {
    fn new(chain: AccountId) -> Self {
        Self {
            account: Account::new(chain),
            steps: Vec::new(),
            parked: BTreeMap::new(),
            crossed: BTreeMap::new(),
            proof: None,
            base: None,
            quota: Quota::default(),
            changed: false,
        }
    }

    /// As the index and the log have it.
    pub(super) fn load<S: Shelf>(key: Key, policies: &Policies, shelf: &S) -> Result<Self, ShelfError<S::Error>> {
        let (currency, chain) = key;
        let Some(bytes) = shelf.row(&RowKey::Account(currency, chain)).map_err(ShelfError::Shelf)? else {
            return Ok(Self::new(chain));
        };
        let row: Row = read_row(&bytes)?;
        let mut records = Vec::new();
        for at in row.steps {
            match read_line(shelf, at)? {
                Line::Vote(record) => records.push((at, record)),
                _ => return Err(OpenError::Inconsistent { at }.into()),
            }
        }
        let steps = records.iter().map(|(_, record)| record);
        let state = row.state.map(|kept| kept.within(currency, chain));
        let since = row.since.unwrap_or_default();
        let mut account = match (row.tab, state, row.base) {
            (Some(tab), ..) => Account::restore_tab(tab, since, steps),
            (None, None, Some((_, at))) => {
                let mut account = Account::new(chain);
                let Line::Base(receipt, kept) = read_line(shelf, at)? else {
                    return Err(OpenError::Inconsistent { at }.into());
                };
                let adopted = account.adopt(checkpoint_of(receipt, kept), policies);
                adopted.map_err(|_| OpenError::Inconsistent { at })?;
                account.take_checkpoint();
                steps.for_each(|step| {
                    account.take(step);
                });
                account
            }
            (None, state, _) => Account::restore(chain, state, since, steps),
        };
        let mut crossed = BTreeMap::new();
        for at in row.crossed.unwrap_or_default() {
            let inconsistent = OpenError::Inconsistent { at };
            let Line::Crossed(reports) = read_line(shelf, at)? else { return Err(inconsistent.into()) };
            match take_crossed(&mut account, reports, policies) {
                Some(epoch) => crossed.insert(epoch, at),
                None => return Err(inconsistent.into()),
            };
        }
        for (_, at) in &row.parked {
            match read_line(shelf, *at)? {
                Line::Certified(receipt) => {
                    account
                        .commit(receipt.verified_before(), policies)
                        .map_err(|_| OpenError::Inconsistent { at: *at })?;
                }
                _ => return Err(OpenError::Inconsistent { at: *at }.into()),
            }
        }
        let steps = records.into_iter().map(|(at, Record { slot, step, .. })| Written { at, slot, step }).collect();
        let parked = row.parked.into_iter().collect();
        let Row { proof, quota, base, .. } = row;
        let mut desk = Self { account, steps, parked, crossed, proof, base, quota, changed: false };
        desk.settle();
        Ok(desk)
    }

    /// What the index is given of it.
    pub(super) fn row(&self, of: Key) -> Vec<u8> {
        let is_at_base = self.base.is_some_and(|(seq, _)| seq.checked_add(1) == Some(self.account.next()));
        to_cbor(&Row {
            state: self.account.state().filter(|_| !is_at_base).map(KeptState::of),
            tab: self.account.tab().cloned(),
            steps: self.steps.iter().map(|written| written.at).collect(),
            parked: self.parked.iter().map(|(seq, at)| (*seq, *at)).collect(),
            proof: self.proof,
            quota: self.quota,
            since: Some(self.account.since()).filter(|since| *since > 0),
            crossed: Some(self.crossed.values().copied().collect()).filter(|crossed: &Vec<_>| !crossed.is_empty()),
            base: self.base,
            of,
        })
    }

    /// Whether the log is to have a checkpoint at this place, of which everything before can be let go.
    pub(super) fn wants_base(&self, seq: u64) -> bool {
        self.base.is_none_or(|(base, _)| seq >= base.saturating_add(limits::CHECKPOINTS))
    }

    /// Notes that the log has a checkpoint there.
    pub(super) fn note_base(&mut self, seq: u64, at: Position) {
        self.changed = true;
        if self.base.is_none_or(|(base, _)| base <= seq) {
            self.base = Some((seq, at));
        }
        self.settle();
    }

    /// Whether the log's line at a place is one of the open slot, that says what this witness did there.
    pub(super) fn stands_on(&self, at: Position) -> bool {
        self.steps.iter().any(|written| written.at == at)
    }

    /// Where the log has this record, of the open slot.
    pub(super) fn written(&self, record: &Record) -> Option<Position> {
        let found = self.steps.iter().find(|written| written.slot == record.slot && written.step == record.step)?;
        Some(found.at)
    }

    /// Where the log has the certified entry that is parked at this place.
    pub(super) fn parked_at(&self, seq: u64) -> Option<Position> {
        self.parked.get(&seq).copied()
    }

    /// Notes that the log has this record there. One of a place that is past is of no use any more.
    pub(super) fn note_vote(&mut self, record: &Record, at: Position) {
        self.changed = true;
        self.settle();
        if record.slot.seq == self.account.next() {
            self.steps.retain(|written| record.slot != written.slot || !replaces(&record.step, &written.step));
            self.steps.push(Written { at, slot: record.slot, step: record.step.clone() });
        }
    }

    /// Notes that the log has closing reports of an epoch there.
    pub(super) fn note_crossed(&mut self, epoch: u32, at: Position) {
        self.changed = true;
        self.crossed.insert(epoch, at);
    }

    /// Where the log has the closing reports of an epoch by which the chain was crossed.
    pub(super) fn crossed_at(&self, epoch: u32) -> Option<Position> {
        self.crossed.get(&epoch).copied()
    }

    /// Notes that the log has this certified entry there.
    pub(super) fn note_certified(&mut self, seq: u64, at: Position) {
        self.changed = true;
        if self.account.is_parked(seq) {
            self.parked.insert(seq, at);
        }
        self.settle();
    }

    /// Lets go of what was noted of places that are past.
    fn settle(&mut self) {
        let (account, next) = (&self.account, self.account.next());
        self.parked.retain(|seq, _| account.is_parked(*seq));
        self.steps.retain(|written| written.slot.seq == next);
    }
}

/// Crosses a chain by reports that were verified before they were written down; from which epoch.
pub(super) fn take_crossed(account: &mut Account, reports: Vec<SignedReport>, policies: &Policies) -> Option<u32> {
    let epoch = reports.first()?.findings.slot.epoch;
    let reports: Vec<_> = reports.into_iter().map(SignedReport::verified_before).collect();
    account.cross(&reports, policies.at(epoch)?).ok()?;
    Some(epoch)
}

/// Whether a slot that took the one step and then the other is as if it had taken the other only.
fn replaces(later: &VoteStep, earlier: &VoteStep) -> bool {
    match (later, earlier) {
        (Step::Fast(_), Step::Fast(_))
        | (Step::Prepare { .. }, Step::Prepare { .. })
        | (Step::Lock(_), Step::Lock(_)) => true,
        (Step::Promise(later), Step::Promise(earlier)) => later >= earlier,
        _ => false,
    }
}

/// Reads a row of one's own index.
pub(super) fn read_row<T, E>(bytes: &[u8]) -> Result<T, ShelfError<E>>
where
    T: for<'b> Decode<'b, ()>,
{
    from_cbor("row of a witness", bytes, ROW).map_err(|error: DecodeError| OpenError::Row(error).into())
}

/// Reads a line of one's own log.
pub(super) fn read_line<S: Shelf>(shelf: &S, at: Position) -> Result<Line, ShelfError<S::Error>> {
    let bytes = shelf.line(at).map_err(ShelfError::Shelf)?;
    Line::decode(&bytes).map_err(|error| OpenError::Line { at, error }.into())
}
