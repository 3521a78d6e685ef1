//! One chain as one witness has it: its state, the slot at its next place, and what came too early.
//!
//! A witness service keeps one of these for each account, gives it what clients send, writes the records it returns and
//! lets the answers out. It never looks at a clock or a disk itself.

pub(crate) mod tabs;

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_wire::codec::{DecodeError, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, Vk};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

use crate::chain::{ChainState, Invalid};
use crate::checkpoint::GenuineCheckpoint;
use crate::entry::{ApprovedEntry, Ctl, Entry, SignedHeader};
use crate::escrow::TabState;
use crate::inception::{Inception, Recovery};
use crate::limits;
use crate::policy::{LoadedPolicy, Policies};
use crate::recovery::{Findings, GenuineRecover, GenuineReport, ReleasableReport};
use crate::rules::{Cited, NotValid, validate};
use crate::signature::Unverified;
use crate::slot::crossing::{Closing, CrossRefusal, Crossed, cross};
use crate::slot::held::Held;
use crate::slot::pick::{Pick, pick};
use crate::slot::{Ballot, CLOSING, HeldVote, Lock, Slot, SlotRefusal, Step};
use crate::vote::{CertifiedEntry, GenuinePrepCert, PrepCert, Releasable, SlotId, Statement};

/// What a witness writes down before it answers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Record {
    /// Of which slot.
    #[n(0)]
    pub slot: SlotId,
    /// What it is about to say.
    #[n(1)]
    pub step: Step<EntryHash, PrepCert>,
    /// The entry that it is about to say it of, so that it can be completed whoever loses it.
    #[n(2)]
    pub entry: Option<Entry>,
}

impl Record {
    /// Reads a record of at most [`limits::MESSAGE`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("record of a vote", bytes, limits::MESSAGE)
    }

    /// The bytes in the log.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }
}

/// One chain at one witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    chain: AccountId,
    /// Nothing until the chain is opened, and in an escrow chain.
    state: Option<ChainState>,
    /// Nothing until an entry of an escrow chain was run.
    tab: Option<TabState>,
    /// The epoch of the last entry's certificate.
    since: u32,
    /// What this witness did at the next place, in each epoch in which it did something there.
    slots: BTreeMap<u32, Slot<EntryHash, PrepCert>>,
    /// What the closing reports of epochs before the present admit.
    crossed: BTreeMap<u32, Crossed<EntryHash>>,
    /// What the votes in the slots are for.
    entries: BTreeMap<EntryHash, Entry>,
    parked: BTreeMap<u64, CertifiedEntry>,
    /// The last checkpoint that was run since somebody took it.
    checkpoint: Option<Box<GenuineCheckpoint>>,
}

/// Why a witness does not answer with a vote or a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The entry is not one to vote for.
    #[error(transparent)]
    NotValid(#[from] NotValid),
    /// The slot does not admit it.
    #[error(transparent)]
    Slot(#[from] SlotRefusal<EntryHash>),
    /// The request is about another place than the next.
    #[error("the witness stands at entry {next} of this chain, the request is about another place")]
    Elsewhere {
        /// The next place.
        next: u64,
    },
    /// Nobody has told the witness whose account this is.
    #[error("the witness does not know this account")]
    Unknown,
    /// What the recovery quorum approves is agreed upon in its own ballots: a fast vote is for an entry that the writer
    /// signed, and reported as such.
    #[error("an entry of the recovery quorum is not voted for in ballot 0")]
    RecoveryInBallotZero,
    /// Reports that bind nothing let the recovery quorum choose, not the writer, whose key may be a thief's.
    #[error("where the choice is free, the entry must be the recovery quorum's")]
    NotRecoverys,
    /// An escrow chain has several writers, and no ballot 0.
    #[error("a tab's entries are agreed upon in ballots from 1, not proposed")]
    EscrowInBallotZero,
    /// Nothing binds the ballot, and the entry is not by whom the ballot belongs to.
    #[error("where the choice is free, the entry must be by whom the ballot belongs to")]
    NotProposers,
    /// A payee who opened the highest ballots would leave the payer none.
    #[error("a payee opens ballots below {limit}, this is {ballot}", limit = limits::PAYEE_BALLOTS)]
    TooHigh {
        /// What was asked.
        ballot: u32,
    },
    /// It is the other side's turn to open ballots.
    #[error("until the tab has expired, at {expires:?}, its payee opens ballots, afterwards its payer")]
    NotTurn {
        /// When it expires.
        expires: Timestamp,
    },
    /// The chain was not crossed from an epoch from which it must be.
    #[error("the witness must see closing reports of epoch {epoch} of this chain before it votes there")]
    NotCrossed {
        /// Which.
        epoch: u32,
    },
    /// The closing reports of an epoch before admit another entry only.
    #[error("the closing reports of epoch {epoch} admit another entry only")]
    BoundBefore {
        /// Which epoch.
        epoch: u32,
    },
    /// The entry is of an epoch that has not begun here.
    #[error("the witness votes in epoch {present}, the entry is of a later one: bring the policies after it")]
    Ahead {
        /// The epoch in which it votes.
        present: u32,
    },
    /// The closing reports do not let the chain be crossed.
    #[error(transparent)]
    Cross(#[from] CrossRefusal),
    /// A report that is of another slot or ballot, or two of one witness.
    #[error("the reports are not of this ballot, or two are of one witness")]
    Reports,
}

/// What became of a certified entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It was run, and with it as many as this in all, it included.
    Executed(usize),
    /// It waits for those before it.
    Parked,
    /// It was run before.
    Known,
}

/// A certified entry that cannot be: more witnesses are faulty than the currency bears. The witness must stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Two certified entries at one place.
    #[error("two entries are certified at place {seq}")]
    Two {
        /// The place.
        seq: u64,
    },
    /// It was found out before.
    #[error("two entries of one place were certified, or one that breaks the rules")]
    Before,
    /// A certified entry that breaks the rules.
    #[error("a certified entry breaks the rules: {0}")]
    Rules(#[from] Invalid),
}

impl Account {
    /// An account that nobody has opened.
    #[must_use]
    pub fn new(chain: AccountId) -> Self {
        Self {
            chain,
            state: None,
            tab: None,
            since: 0,
            slots: BTreeMap::new(),
            crossed: BTreeMap::new(),
            entries: BTreeMap::new(),
            parked: BTreeMap::new(),
            checkpoint: None,
        }
    }

    /// An account as it was kept: its state, and what the log has of it. Records of places that are past are ignored.
    #[must_use]
    pub fn restore<'a>(
        chain: AccountId,
        state: Option<ChainState>,
        since: u32,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> Self {
        let mut account = Self { state, since, ..Self::new(chain) };
        for record in records {
            account.take(record);
        }
        account
    }

    /// Takes part in what a record says, if it is of the next place. Whether it is.
    pub(crate) fn take(&mut self, record: &Record) -> bool {
        let Record { slot, step, entry } = record;
        let is_next = slot.chain == self.chain && slot.seq == self.next();
        if is_next {
            self.slots.entry(slot.epoch).or_default().take(step);
            self.keep(entry.clone());
        }
        is_next
    }

    /// The next place.
    #[must_use]
    pub fn next(&self) -> u64 {
        let of_tab = || self.tab.as_ref().map_or(0, TabState::seq);
        self.state.as_ref().map_or_else(of_tab, ChainState::seq)
    }

    /// Whether a certified entry waits for those before it.
    pub(crate) fn is_parked(&self, seq: u64) -> bool {
        self.parked.contains_key(&seq)
    }

    /// The chain's state, once it is opened.
    #[must_use]
    pub const fn state(&self) -> Option<&ChainState> {
        self.state.as_ref()
    }

    /// Whether an entry of it was run, of an account or of an escrow chain.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.state.is_some() || self.tab.is_some()
    }

    /// What this witness did at the next place in an epoch.
    #[must_use]
    pub fn slot(&self, epoch: u32) -> Slot<EntryHash, PrepCert> {
        self.slots.get(&epoch).cloned().unwrap_or_default()
    }

    /// The epoch of the last entry's certificate.
    #[must_use]
    pub const fn since(&self) -> u32 {
        self.since
    }

    /// The entries that the votes in the slot are for, as far as this witness was shown them.
    pub fn pending(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().take(limits::PENDING)
    }

    /// The entry with this hash, if a vote in the slot is for it: what is sent along with a report or a conflict.
    #[must_use]
    pub fn entry(&self, hash: &EntryHash) -> Option<&Entry> {
        self.entries.get(hash)
    }

    /// Who writes and who recovers, where `inception` is what a stranger says of an account that is not opened.
    #[must_use]
    pub fn keys(&self, inception: Option<&Inception>) -> Option<(Vk, Recovery)> {
        if let Some(state) = &self.state {
            return Some((state.keys().writer, state.recovery().clone()));
        }
        let inception = inception.filter(|inception| inception.account() == self.chain)?;
        inception.check().ok()?;
        Some((inception.writer, inception.recovery.clone()))
    }

    /// An entry for this account as far as its approval is genuine; nothing if nobody's keys could have approved it.
    #[must_use]
    pub fn approval(&self, entry: Entry) -> Option<Unverified<ApprovedEntry>> {
        if let Some(opening) = self.opening(tabs::opening_of(&entry)) {
            return entry.approved_by_proposer(opening.tab());
        }
        let inception = match &entry.body().ctl {
            Some(Ctl::Open(inception)) => Some(inception),
            _ => None,
        };
        let (writer, recovery) = self.keys(inception)?;
        entry.approved_by(&writer, &recovery)
    }

    /// Votes fast.
    ///
    /// # Errors
    /// [`Refusal`]; the conflicting entry of a [`SlotRefusal::Conflict`] is kept by [`Account::entry`].
    pub fn propose(
        &mut self,
        approved: ApprovedEntry,
        policies: &Policies,
        cited: &impl Cited,
        now: Timestamp,
    ) -> Result<Held<Record, Releasable>, Refusal> {
        if self.tab.is_some() || tabs::is_of_tab(approved.entry()) {
            return Err(Refusal::EscrowInBallotZero);
        }
        // A conflict is told before anything else, since it is the proof against the writer.
        let hash = approved.entry().hash();
        let slot = self.slot_id(policies.current());
        if slot.takes(approved.entry().header())
            && let Some(first) = self.slot(slot.epoch).v0().filter(|first| *first != hash)
        {
            return Err(SlotRefusal::Conflict { first }.into());
        }
        let bound = self.check_crossed(approved.entry(), slot.epoch)?;
        self.check(&approved, policies, cited, (!bound).then_some(now))?;
        if approved.entry().signed_header().is_none() {
            return Err(Refusal::RecoveryInBallotZero);
        }
        let held = self.slot_mut(slot.epoch).propose(hash)?;
        Ok(self.vote(held, slot, Some(approved.into_entry())))
    }

    /// Promises a ballot and reports.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn recover(
        &mut self,
        request: &GenuineRecover,
        policy: &LoadedPolicy,
    ) -> Result<Held<Record, ReleasableReport>, Refusal> {
        let (slot, ballot) = (self.slot_id(policy), request.request().ballot);
        if request.request().slot != slot {
            return Err(Refusal::Elsewhere { next: self.next() });
        }
        let v0 = self.fast_vote(slot.epoch)?;
        let held = self.slot_mut(slot.epoch).recover(ballot)?;
        Ok(held.map(
            |step| Record { slot, step, entry: None },
            |report| ReleasableReport(Findings { slot, ballot, v0, lock: report.lock }),
        ))
    }

    /// Says the last of this chain in an epoch that is closed, which is on the disk.
    ///
    /// # Errors
    /// [`Refusal::RecoveryInBallotZero`], which cannot be.
    pub fn close(&mut self, currency: CurrencyId, epoch: u32) -> Result<ReleasableReport, Refusal> {
        let slot = SlotId { currency, epoch, chain: self.chain, seq: self.next() };
        let v0 = self.fast_vote(epoch)?;
        let report = self.slot_mut(epoch).close();
        Ok(ReleasableReport(Findings { slot, ballot: CLOSING, v0, lock: report.lock }))
    }

    /// Crosses the chain from an epoch of that policy, by closing reports of it. Whether it says anything new.
    ///
    /// # Errors
    /// [`Refusal::Reports`], [`Refusal::Cross`].
    pub fn cross(&mut self, reports: &[GenuineReport], policy: &LoadedPolicy) -> Result<bool, Refusal> {
        let mut closings = BTreeMap::new();
        for report in reports {
            let slot = report.findings().slot;
            let closing = Closing { next: slot.seq, report: report.report() };
            let here = slot.in_epoch(policy.epoch()) == slot && slot.chain == self.chain && report.is_closing();
            if !here || closings.insert(report.witness(), closing).is_some() {
                return Err(Refusal::Reports);
            }
        }
        let crossed = cross(policy.quorum(), self.next(), &closings)?;
        Ok(self.crossed.insert(policy.epoch(), crossed) != Some(crossed))
    }

    /// Which entry the crossed epochs bind the next place to, if any.
    #[must_use]
    pub fn bound(&self) -> Option<EntryHash> {
        self.crossed.values().find_map(|crossed| crossed.bound_at(self.next()))
    }

    /// Whether the epochs before let an entry be voted for at the next place in this epoch, and whether they bind it.
    fn check_crossed(&self, entry: &Entry, present: u32) -> Result<bool, Refusal> {
        let opened_since = match (&entry.body().ctl, tabs::opening_of(entry)) {
            (Some(Ctl::Open(inception)), _) => inception.first_epoch(),
            (_, Some(opening)) => opening.tab().epoch,
            _ => 0,
        };
        let first = if self.is_known() { self.since } else { opened_since };
        let mut bound = false;
        for epoch in first..present {
            let crossed = self.crossed.get(&epoch).ok_or(Refusal::NotCrossed { epoch })?;
            if !crossed.admits(self.next(), &entry.hash()) {
                return Err(Refusal::BoundBefore { epoch });
            }
            bound |= crossed.bound_at(self.next()).is_some();
        }
        Ok(bound)
    }

    /// The fast vote in an epoch, as the writer signed it. One that cannot be shown must not go unreported.
    fn fast_vote(&self, epoch: u32) -> Result<Option<SignedHeader>, Refusal> {
        let shown = |hash| self.entries.get(&hash).and_then(Entry::signed_header);
        let v0 = self.slots.get(&epoch).and_then(Slot::v0);
        v0.map(|hash| shown(hash).ok_or(Refusal::RecoveryInBallotZero)).transpose()
    }

    fn slot_mut(&mut self, epoch: u32) -> &mut Slot<EntryHash, PrepCert> {
        self.slots.entry(epoch).or_default()
    }

    /// Votes to prepare an entry in a ballot, on the reports of that ballot.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn prepare(
        &mut self,
        ballot: u32,
        approved: ApprovedEntry,
        reports: &[GenuineReport],
        policies: &Policies,
        cited: &impl Cited,
        now: Timestamp,
    ) -> Result<Held<Record, Releasable>, Refusal> {
        if self.tab.is_some() || tabs::is_of_tab(approved.entry()) {
            return self.prepare_tab(ballot, approved, reports, policies, cited, now);
        }
        let policy = policies.current();
        let slot = self.slot_id(policy);
        let mut by_witness = BTreeMap::new();
        for report in reports {
            let Findings { slot: of, ballot: made_for, .. } = report.findings();
            let again = by_witness.insert(report.witness(), report.report()).is_some();
            if *of != slot || *made_for != ballot || again {
                return Err(Refusal::Reports);
            }
        }
        let told = pick(policy.quorum(), &by_witness);
        let bound = self.check_crossed(approved.entry(), slot.epoch)? || matches!(told, Pick::Bound(_));
        if told == Pick::Free && !bound && approved.entry().signed_header().is_some() {
            return Err(Refusal::NotRecoverys);
        }
        self.check(&approved, policies, cited, (!bound).then_some(now))?;
        let held = self.slot_mut(slot.epoch).prepare(policy.quorum(), ballot, approved.entry().hash(), &by_witness)?;
        Ok(self.vote(held, slot, Some(approved.into_entry())))
    }

    /// Locks an entry that a quorum prepared, and votes to commit it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn lock(
        &mut self,
        prepared: GenuinePrepCert,
        policy: &LoadedPolicy,
    ) -> Result<Held<Record, Releasable>, Refusal> {
        let slot = self.slot_id(policy);
        let GenuinePrepCert { slot: of, cert } = prepared;
        if of != slot {
            return Err(Refusal::Elsewhere { next: self.next() });
        }
        let held = self.slot_mut(slot.epoch).lock(Lock { ballot: cert.ballot, entry: cert.entry, proof: cert })?;
        Ok(self.vote(held, slot, None))
    }

    /// Runs a certified entry and those that waited for it, or lets it wait, or knows it already. In any order and any
    /// number of times the same entries make the same state.
    ///
    /// # Errors
    /// [`Broken`]; the account is as it was, or as it was when those before the broken one had been run.
    pub fn commit(&mut self, certified: CertifiedEntry, policies: &Policies) -> Result<Committed, Broken> {
        let (seq, hash) = (certified.entry().header().seq, certified.entry().hash());
        if certified.entry().header().chain != self.chain {
            return Err(Invalid::Chain.into());
        }
        if seq < self.next() {
            let is_last = seq.checked_add(1) == Some(self.next());
            let of_tab = || self.tab.as_ref().map(TabState::head);
            let head = self.state.as_ref().map(ChainState::head).or_else(of_tab);
            let other = is_last && head.is_some_and(|head| head != hash);
            return if other { Err(Broken::Two { seq }) } else { Ok(Committed::Known) };
        }
        if self.parked.get(&seq).is_some_and(|parked| parked.entry().hash() != hash) {
            return Err(Broken::Two { seq });
        }
        if seq > self.next() {
            self.park(seq, certified);
            return Ok(Committed::Parked);
        }
        self.run(certified, policies)?;
        let mut executed = 1_usize;
        while let Some(next) = self.parked.remove(&self.next()) {
            self.run(next, policies)?;
            executed = executed.saturating_add(1);
        }
        Ok(Committed::Executed(executed))
    }

    /// Goes on from a checkpoint, whose state stands for all entries before it; then as [`commit`](Self::commit).
    ///
    /// # Errors
    /// [`Broken`]; the account is as it was, or as it was when those before the broken one had been run.
    pub fn adopt(&mut self, checkpoint: GenuineCheckpoint, policies: &Policies) -> Result<Committed, Broken> {
        let (certified, state) = checkpoint.into_parts();
        if state.chain() != self.chain {
            return Err(Invalid::Chain.into());
        }
        let seq = state.seq();
        if seq > self.next() {
            if self.parked.get(&seq).is_some_and(|parked| parked.entry().hash() != certified.entry().hash()) {
                return Err(Broken::Two { seq });
            }
            self.state = Some(*state);
            // What was done at places that are passed over is of the past.
            self.slots.clear();
            self.entries.clear();
            self.parked.retain(|parked, _| *parked > seq);
        }
        self.commit(certified, policies)
    }

    /// Whether both stand at one place with one state, did the same there, and can show what they voted for: whatever one of
    /// them answers, the other does.
    pub(crate) fn answers_as(&self, other: &Self) -> bool {
        let epochs: BTreeSet<u32> = self.slots.keys().chain(other.slots.keys()).copied().collect();
        let did_the_same = epochs.into_iter().all(|epoch| {
            let (mut slot, mut others) = (self.slot(epoch), other.slot(epoch));
            // That an epoch is over here stands in a line of the currency, and is done to a slot when somebody asks.
            if slot.promised() == CLOSING || others.promised() == CLOSING {
                slot.close();
                others.close();
            }
            let shown = [slot.v0(), slot.prepared(), slot.locked().map(|lock| lock.entry)];
            slot == others && shown.iter().flatten().all(|hash| self.entry(hash) == other.entry(hash))
        });
        let stands = (&self.state, &self.tab, self.since, &self.crossed, &self.parked);
        did_the_same && stands == (&other.state, &other.tab, other.since, &other.crossed, &other.parked)
    }

    /// The last checkpoint that was run since this was asked.
    pub(crate) fn take_checkpoint(&mut self) -> Option<Box<GenuineCheckpoint>> {
        self.checkpoint.take()
    }

    fn run(&mut self, certified: CertifiedEntry, policies: &Policies) -> Result<(), Broken> {
        let entry = certified.entry();
        if self.tab.is_some() || tabs::is_of_tab(entry) {
            return self.run_tab(&certified, policies);
        }
        let policy = terms(entry, policies)?;
        let mut opened = match &self.state {
            Some(_) => None,
            None => Some(ChainState::before(entry, policy)?),
        };
        let Some(state) = self.state.as_mut().or(opened.as_mut()) else { return Err(Invalid::Open.into()) };
        let change = state.try_entry(entry, policy)?;
        let before = matches!(entry.body().ctl, Some(Ctl::Checkpoint { .. })).then(|| Box::new(state.clone()));
        state.apply(change, entry.body());
        if let Some(opened) = opened {
            self.state = Some(opened);
        }
        self.settled(&certified);
        if let Some(before) = before {
            self.checkpoint = Some(Box::new(GenuineCheckpoint::verified_before(certified, before)));
        }
        Ok(())
    }

    /// Its place is past.
    fn settled(&mut self, certified: &CertifiedEntry) {
        self.since = self.since.max(certified.cert().epoch);
        self.slots.clear();
        self.entries.clear();
    }

    /// Keeps the nearest of those that came too early.
    fn park(&mut self, seq: u64, certified: CertifiedEntry) {
        self.parked.insert(seq, certified);
        if self.parked.len() > limits::PARKED {
            self.parked.pop_last();
        }
    }

    fn check(
        &self,
        approved: &ApprovedEntry,
        policies: &Policies,
        cited: &impl Cited,
        now: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let ahead = Refusal::Ahead { present: policies.current().epoch() };
        let policy = policies.at(approved.entry().header().epoch).ok_or(ahead)?;
        let opened;
        let state = match &self.state {
            Some(state) => state,
            None => {
                opened = ChainState::before(approved.entry(), policy).map_err(NotValid::from)?;
                if opened.chain() != self.chain {
                    return Err(NotValid::from(Invalid::Chain).into());
                }
                &opened
            }
        };
        validate(state, approved, policy, cited, now)?;
        Ok(())
    }

    fn vote(
        &mut self,
        held: HeldVote<EntryHash, PrepCert>,
        slot: SlotId,
        entry: Option<Entry>,
    ) -> Held<Record, Releasable> {
        self.keep(entry.clone());
        let votes = |slot: &Slot<_, _>| [slot.v0(), slot.prepared(), slot.locked().map(|lock| lock.entry)];
        let of_slots: Vec<Option<EntryHash>> = self.slots.values().flat_map(votes).collect();
        self.entries.retain(|hash, _| of_slots.contains(&Some(*hash)));
        held.map(
            |step| Record { slot, step, entry },
            |Ballot { ballot, phase, entry }| Releasable(Statement { slot, ballot, phase, entry }),
        )
    }

    /// Keeps an entry as it came first: what was voted for in ballot 0 bears its writer's signature, and must be reported
    /// with it, even where the recovery quorum approves the same entry later.
    fn keep(&mut self, entry: Option<Entry>) {
        if let Some(entry) = entry {
            self.entries.entry(entry.hash()).or_insert(entry);
        }
    }

    fn slot_id(&self, policy: &LoadedPolicy) -> SlotId {
        SlotId { currency: policy.currency(), epoch: policy.epoch(), chain: self.chain, seq: self.next() }
    }
}

/// The policy by which an entry is judged: that of the epoch which its writer named, wherever it is certified, so that
/// all judge it alike and nothing that was signed becomes wrong by a change.
fn terms<'a>(entry: &Entry, policies: &'a Policies) -> Result<&'a LoadedPolicy, Invalid> {
    let (found, expected) = (entry.header().epoch, policies.current().epoch());
    policies.at(found).ok_or(Invalid::Epoch { expected, found })
}
