//! One side of a tab: what it holds, and how it brings the next entry of the chain through.
//!
//! A [`Holding`] is the payer's or the payee's. Vouchers are signed and taken with nobody reached. For a redeem or a
//! close it says what is to be asked of each witness ([`Holding::ask`]), and heeds what they answer
//! ([`Holding::heed`]), until the entry is certified, or another one at its place is. It never waits, sends or stores:
//! whoever drives it keeps it, encoded, after every call that changes it and **before** anything that it says leaves.
//! Then a program that stops anywhere asks the same again, with the same entry in the same ballot, or a higher one.
//! What witnesses said of themselves ([`Standing`]) need not be kept.

use std::collections::BTreeMap;

use kinfolk_wire::codec::{DecodeError, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::{AccountId, EntryHash, NoteHash, Vk};
use kinfolk_wire::time::{Span, Timestamp};
use minicbor::{Decode, Encode};

use super::{Opening, Proposer, Stamp, TabAct, TabState, Voucher};
use crate::amount::Amount;
use crate::chain::Invalid;
use crate::entry::Entry;
use crate::limits;
use crate::message::{Reason, Reply, Request};
use crate::policy::LoadedPolicy;
use crate::recovery::{GenuineReport, Recover, SignedReport, admitted};
use crate::signature::SecretKey;
use crate::slot::pick::Pick;
use crate::vote::{Cert, CertifiedEntry, GenuineVote, Phase, PrepCert, Receipt, SlotId, Vote};

/// How long before a tab expires its payee takes no more vouchers, and redeems: so that a clock may be wrong, and a
/// node away for an hour.
pub const MARGIN: Span = Span::from_hours(2);
/// How far one witness's word raises a ballot.
const RAISE: u32 = 1_000;
/// Entries that are kept of what witnesses have voted for at one place.
const BODIES: usize = 8;
/// The most bytes of a holding: a few entries for each day of a month.
const KEPT: usize = 1 << 20;

/// One side of a tab.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Holding {
    #[n(0)]
    payee: bool,
    /// The entry that funded it.
    #[n(1)]
    funding: Receipt,
    /// The last voucher that was signed, or taken.
    #[n(2)]
    voucher: Option<Voucher>,
    /// After all entries of the chain that are known to be certified.
    #[n(3)]
    state: TabState,
    /// Those entries.
    #[n(4)]
    done: Vec<Receipt>,
    /// What is under way at the next place.
    #[n(5)]
    work: Option<Work>,
}

/// What is under way at one place.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Work {
    /// Under which policy.
    #[n(0)]
    epoch: u32,
    #[n(1)]
    ballot: u32,
    /// What this side signed for this place. Never another.
    #[n(2)]
    own: Box<Entry>,
    /// What witnesses reported for this ballot, verified.
    #[n(3)]
    reports: Vec<SignedReport>,
    /// The other side's entries that witnesses have voted for here.
    #[n(4)]
    bodies: Vec<Entry>,
    /// What is to stand here.
    #[n(5)]
    choice: Option<EntryHash>,
    /// Votes to prepare it, genuine.
    #[n(6)]
    prepared: Vec<Vote>,
    #[n(7)]
    prepcert: Option<PrepCert>,
    /// Votes to commit it, genuine.
    #[n(8)]
    committed: Vec<Vote>,
    /// The highest ballot that a witness said it has promised.
    #[n(9)]
    promised: u32,
    /// Whether this ballot comes to nothing.
    #[n(10)]
    stuck: bool,
}

/// What one witness has said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Standing {
    #[n(0)]
    next: Option<u64>,
    #[n(1)]
    has_shown: bool,
    #[n(2)]
    trouble: Option<String>,
}

impl Standing {
    /// What went wrong with it, in words, until it is asked again.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// All witnesses, by their places.
pub type Standings = BTreeMap<u8, Standing>;

/// Why an entry that was shown funds no tab of this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotFunded {
    /// There is no tab at that place.
    #[error("that output funds no tab")]
    NoTab,
    /// For another account or key.
    #[error("the tab is for another account, or for another key of it")]
    NotMine,
    /// Over already, or nearly.
    #[error("the tab expires at {expires:?}, too soon to be redeemed; ask for another")]
    TooLate {
        /// When.
        expires: Timestamp,
    },
}

/// A voucher that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How much more it is than all before it.
    pub more: Amount,
    /// Whether there is time to redeem it. What came too late is kept, and redeemed if it can be.
    pub is_safe: bool,
}

/// Why no voucher is signed, or one is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VoucherError {
    /// More than there is.
    #[error("the tab has {funded} in all, of which {left} are left, and this is {asked}")]
    OverCap {
        /// What funded it, in smallest units.
        funded: u64,
        /// What is not promised yet.
        left: u64,
        /// What was asked for.
        asked: u64,
    },
    /// It has ended.
    #[error("the tab is closed; open another")]
    Closed,
    /// It is being closed.
    #[error("the tab is being closed; open another")]
    Closing,
    /// It has expired, or is so near to it that the payee might not redeem in time.
    #[error("the tab expires at {expires:?}, too soon for another payment; open another")]
    TooLate {
        /// When.
        expires: Timestamp,
    },
    /// Of another tab.
    #[error("the voucher is of another tab")]
    OtherTab,
    /// Not by the payer.
    #[error("the voucher is not signed with the tab's voucher key")]
    NotGenuine,
    /// The other side does that.
    #[error("vouchers are signed by the payer and taken by the payee")]
    Side,
}

/// Why nothing is brought to the witnesses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// There is something under way.
    #[error("an entry of this tab is under way already")]
    UnderWay,
    /// There is no voucher beyond what was redeemed.
    #[error("there is nothing to redeem: all vouchers are redeemed")]
    Nothing,
    /// It is the payee's until it expired.
    #[error("the tab expires at {expires:?}; until then only its payee can close it")]
    NotYet {
        /// When.
        expires: Timestamp,
    },
    /// Only the payee redeems.
    #[error("vouchers are redeemed by the payee")]
    Side,
    /// The rules.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// What an answer has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heeded {
    /// Nothing that is final.
    Nothing,
    /// These entries of the chain are certified, in their order.
    Certified(Vec<Receipt>),
}

impl Holding {
    /// The payer's side, of an output that was certified.
    ///
    /// # Errors
    /// [`NotFunded::NoTab`].
    pub fn of_payer(funding: &CertifiedEntry, idx: u8) -> Result<Self, NotFunded> {
        Self::new(funding, idx, false)
    }

    /// The payee's side: what they need to know that vouchers of it are good, with nobody reached.
    ///
    /// # Errors
    /// [`NotFunded`].
    pub fn of_payee(
        funding: &CertifiedEntry,
        idx: u8,
        account: AccountId,
        key: &Vk,
        now: Timestamp,
    ) -> Result<Self, NotFunded> {
        let holding = Self::new(funding, idx, true)?;
        let tab = holding.opening().tab();
        if tab.payee != account || tab.redeemer != *key {
            return Err(NotFunded::NotMine);
        }
        if holding.is_late(now) {
            return Err(NotFunded::TooLate { expires: tab.expires });
        }
        Ok(holding)
    }

    fn new(funding: &CertifiedEntry, idx: u8, payee: bool) -> Result<Self, NotFunded> {
        let entry = funding.entry();
        let opening = Opening::of(entry, idx).ok_or(NotFunded::NoTab)?;
        let funded = entry.body().outs.get(usize::from(idx)).ok_or(NotFunded::NoTab)?.amt;
        let state = TabState::new(entry.header().currency, opening, funded);
        Ok(Self { payee, funding: funding.receipt(), voucher: None, state, done: Vec::new(), work: None })
    }

    /// Reads a holding that was kept.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("holding of a tab", bytes, KEPT)
    }

    /// The bytes that are kept.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Whose side it is.
    #[must_use]
    pub const fn side(&self) -> Proposer {
        if self.payee { Proposer::Payee } else { Proposer::Payer }
    }

    /// What the tab is.
    #[must_use]
    pub const fn opening(&self) -> &Opening {
        self.state.opening()
    }

    /// The entry that funded it, with its certificate: what a payee is shown.
    #[must_use]
    pub const fn funding(&self) -> &Receipt {
        &self.funding
    }

    /// The tab after all entries that are known to be certified.
    #[must_use]
    pub const fn state(&self) -> &TabState {
        &self.state
    }

    /// The last voucher.
    #[must_use]
    pub const fn voucher(&self) -> Option<&Voucher> {
        self.voucher.as_ref()
    }

    /// What vouchers have promised, in smallest units; at least what was redeemed.
    #[must_use]
    pub fn promised(&self) -> u64 {
        self.voucher.map_or(0, |voucher| voucher.total.units()).max(self.state.redeemed())
    }

    /// What can still be promised, in smallest units.
    #[must_use]
    pub fn left(&self) -> u64 {
        if self.state.is_closed() { 0 } else { self.state.funded().units().saturating_sub(self.promised()) }
    }

    /// What was promised and is not redeemed, in smallest units.
    #[must_use]
    pub fn unredeemed(&self) -> u64 {
        if self.state.is_closed() { 0 } else { self.promised().saturating_sub(self.state.redeemed()) }
    }

    /// Whether an entry is under way.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        self.work.is_some()
    }

    /// When this side has something to do by itself: the payee redeems before it expires, the payer has the rest after.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let expires = self.opening().tab().expires;
        match self.side() {
            _ if self.state.is_closed() => None,
            Proposer::Payee => (self.unredeemed() > 0).then(|| expires.before(MARGIN)),
            // The witnesses' clocks, and this one's.
            Proposer::Payer => Some(expires.after(limits::CLOCKS).after(limits::CLOCKS)),
        }
    }

    fn is_late(&self, now: Timestamp) -> bool {
        now.after(MARGIN) >= self.opening().tab().expires
    }

    fn for_payment(&self, now: Timestamp) -> Result<(), VoucherError> {
        if self.state.is_closed() {
            return Err(VoucherError::Closed);
        }
        if self.is_late(now) {
            return Err(VoucherError::TooLate { expires: self.opening().tab().expires });
        }
        Ok(())
    }

    /// Signs a voucher for so much more than the last.
    ///
    /// # Errors
    /// [`VoucherError`].
    pub fn pay(
        &mut self,
        amount: Amount,
        memo_hash: Option<NoteHash>,
        key: &SecretKey,
        now: Timestamp,
    ) -> Result<Voucher, VoucherError> {
        if self.payee {
            return Err(VoucherError::Side);
        }
        self.for_payment(now)?;
        if self.work.is_some() {
            return Err(VoucherError::Closing);
        }
        let (funded, left, asked) = (self.state.funded().units(), self.left(), amount.units());
        let over = VoucherError::OverCap { funded, left, asked };
        let total = self.promised().checked_add(asked).filter(|total| *total <= funded).ok_or(over)?;
        let total = Amount::new(total).map_err(|_| over)?;
        let voucher = Voucher::sign(self.state.chain(), total, memo_hash, key);
        self.voucher = Some(voucher);
        Ok(voucher)
    }

    /// Takes a voucher, with nobody reached. Nothing for one that was overtaken, or came before; it does no harm.
    ///
    /// # Errors
    /// [`VoucherError`]: it is none.
    pub fn take(&mut self, voucher: Voucher, now: Timestamp) -> Result<Option<Taken>, VoucherError> {
        if !self.payee {
            return Err(VoucherError::Side);
        }
        if voucher.tab != self.state.chain() {
            return Err(VoucherError::OtherTab);
        }
        let signed = voucher.unverified(self.opening().tab().key(Proposer::Payer));
        signed.verify().map_err(|_| VoucherError::NotGenuine)?;
        let (asked, before, funded) = (voucher.total.units(), self.promised(), self.state.funded().units());
        let Ok(more) = Amount::new(asked.saturating_sub(before)) else { return Ok(None) };
        if asked > funded {
            let left = funded.saturating_sub(before);
            return Err(VoucherError::OverCap { funded, left, asked: more.units() });
        }
        if self.state.is_closed() {
            return Err(VoucherError::Closed);
        }
        self.voucher = Some(voucher);
        Ok(Some(Taken { more, is_safe: !self.is_late(now) }))
    }

    /// Signs a redeem of the last voucher, and begins to bring it through.
    ///
    /// # Errors
    /// [`BeginError`].
    pub fn redeem(&mut self, stamp: Stamp<'_>, key: &SecretKey) -> Result<(), BeginError> {
        if !self.payee {
            return Err(BeginError::Side);
        }
        let voucher = self.voucher.filter(|_| self.unredeemed() > 0).ok_or(BeginError::Nothing)?;
        // Too late to redeem, it may still be closed: that pays the same.
        let is_over = stamp.now >= self.opening().tab().expires;
        let act = if is_over { TabAct::Close(Some(voucher)) } else { TabAct::Redeem(voucher) };
        self.begin(act, stamp, key)
    }

    /// Signs the end of the tab, which pays the last voucher, and begins to bring it through.
    ///
    /// # Errors
    /// [`BeginError`].
    pub fn close(&mut self, stamp: Stamp<'_>, key: &SecretKey) -> Result<(), BeginError> {
        let expires = self.opening().tab().expires;
        if !self.payee && stamp.now < expires.after(limits::CLOCKS) {
            return Err(BeginError::NotYet { expires });
        }
        self.begin(TabAct::Close(self.voucher), stamp, key)
    }

    fn begin(&mut self, act: TabAct, stamp: Stamp<'_>, key: &SecretKey) -> Result<(), BeginError> {
        if self.work.is_some() {
            return Err(BeginError::UnderWay);
        }
        let own = self.state.sign(self.side(), act, stamp, key)?;
        let ballot = if self.payee { 1 } else { 2 };
        self.work = Some(Work::new(Box::new(own), stamp.policy.epoch(), ballot));
        self.choose_first();
        Ok(())
    }

    /// In ballot 1 there is nothing to ask about before.
    fn choose_first(&mut self) {
        if let Some(work) = self.work.as_mut().filter(|work| work.ballot == 1) {
            work.choice = Some(work.own.hash());
        }
    }

    fn slot(&self, policy: &LoadedPolicy) -> SlotId {
        let (currency, epoch) = (policy.currency(), policy.epoch());
        SlotId { currency, epoch, chain: self.state.chain(), seq: self.state.seq() }
    }

    /// What is to be asked of a witness now; nothing where all is said, or the others are waited for. The key is this
    /// side's.
    pub fn ask(&self, standing: &Standing, witness: u8, policy: &LoadedPolicy, key: &SecretKey) -> Option<Request> {
        if standing.trouble.is_some() {
            return None;
        }
        let (currency, chain, seq) = (policy.currency(), self.state.chain(), self.state.seq());
        let place = |seq: u64| usize::try_from(seq).ok();
        match standing.next {
            Some(next) if next > seq => return Some(Request::Entries { currency, chain, from: seq, to: next }),
            Some(next) if next < seq => {
                return self.done.get(place(next)?).map(|done| Request::Commit { receipt: done.clone() });
            }
            // Whatever it says to the last tells where it stands.
            None if seq > 0 => return self.done.last().map(|done| Request::Commit { receipt: done.clone() }),
            _ => {}
        }
        let (work, slot) = (self.work.as_ref()?, self.slot(policy));
        if let Some(prepared) = &work.prepcert {
            let is_asked = work.committed.iter().any(|vote| vote.witness == witness);
            return (!is_asked).then(|| Request::Lock { slot, prepared: prepared.clone() });
        }
        let opening = (seq == 0).then(|| *self.opening());
        if work.ballot > 1 && !work.has_report_of(witness) {
            return Some(Request::Recover(Recover::propose(slot, work.ballot, opening, key)));
        }
        if work.ballot > 1 && work.lacks_body() && !standing.has_shown {
            return Some(Request::Pending { currency, chain });
        }
        let entry = work.chosen()?.clone();
        if work.prepared.iter().any(|vote| vote.witness == witness) {
            return None;
        }
        let cited = if seq == 0 { vec![self.funding.clone()] } else { Vec::new() };
        Some(Request::Prepare { ballot: work.ballot, entry, reports: work.reports.clone(), cited })
    }

    /// A witness gave no answer, or none that can be read.
    pub fn failed(&mut self, standings: &mut Standings, witness: u8, why: &str, policy: &LoadedPolicy) {
        standings.entry(witness).or_default().trouble = Some(why.to_owned());
        self.decide(standings, policy);
    }

    /// Heeds what a witness has answered.
    pub fn heed(&mut self, standings: &mut Standings, witness: u8, reply: Reply, policy: &LoadedPolicy) -> Heeded {
        let seq = self.state.seq();
        let standing = standings.entry(witness).or_default();
        let outcome = match reply {
            Reply::Vote(vote) => self.voted(witness, vote, policy),
            Reply::Report(report) => {
                // What it names may not have been shown yet.
                standing.has_shown = false;
                self.reported(witness, report, policy)
            }
            Reply::Pending { next, entries } => {
                standing.next = Some(next);
                standing.has_shown = true;
                if next == seq {
                    self.shown(entries);
                }
                Ok(Heeded::Nothing)
            }
            Reply::Entries(entries) => self.fetched(entries, policy),
            Reply::Ack { next } | Reply::Refused(Reason::Elsewhere { next }) => {
                match standing.next.is_some_and(|before| next <= before) {
                    true => Err("does not take what it is given".to_owned()),
                    false => {
                        standing.next = Some(next);
                        Ok(Heeded::Nothing)
                    }
                }
            }
            Reply::Refused(reason) => {
                if let (Reason::Promised { ballot }, Some(work)) = (&reason, &mut self.work) {
                    work.promised = work.promised.max(*ballot);
                }
                Err(in_words(&reason))
            }
            _ => Err("gave an answer to another question".to_owned()),
        };
        let heeded = match outcome {
            Ok(heeded) => heeded,
            Err(why) => {
                standing.trouble = Some(why);
                Heeded::Nothing
            }
        };
        self.decide(standings, policy);
        heeded
    }

    /// It is time to ask again those that gave no answer, or no good one: in a higher ballot where this one came to
    /// nothing.
    pub fn again(&mut self, standings: &mut Standings, policy: &LoadedPolicy) {
        let seq = self.state.seq();
        for standing in standings.values_mut() {
            // What nobody here knows of, it may have invented.
            let next = standing.next.filter(|next| *next <= seq);
            *standing = Standing { next, ..Standing::default() };
        }
        if let Some(work) = &mut self.work {
            work.raise(policy.epoch());
        }
        self.choose_first();
    }

    fn voted(&mut self, witness: u8, vote: Vote, policy: &LoadedPolicy) -> Result<Heeded, String> {
        let slot = self.slot(policy);
        let Some(work) = &mut self.work else { return Ok(Heeded::Nothing) };
        let said = vote.statement;
        // Of a ballot or place that is past.
        if said.slot != slot || said.ballot != work.ballot {
            return Ok(Heeded::Nothing);
        }
        let none = || Err("gave a vote that is none".to_owned());
        let verify = |vote: &Vote| vote.unverified(policy).and_then(|vote| vote.verify().ok());
        if vote.witness != witness || Some(said.entry) != work.choice || verify(&vote).is_none() {
            return none();
        }
        let votes = match said.phase {
            Phase::Prepare => &mut work.prepared,
            Phase::Commit => &mut work.committed,
            Phase::Fast => return none(),
        };
        votes.retain(|before| before.witness != witness);
        votes.push(vote);
        let genuine: Vec<GenuineVote> = votes.iter().filter_map(verify).collect();
        if said.phase == Phase::Prepare {
            work.prepcert = PrepCert::of(&genuine, policy).or_else(|| work.prepcert.take());
            return Ok(Heeded::Nothing);
        }
        let (Some(cert), Some(entry)) = (Cert::of(&genuine, policy), work.chosen().cloned()) else {
            return Ok(Heeded::Nothing);
        };
        let receipt = Receipt { entry, cert };
        self.advance(&receipt, policy)?;
        Ok(Heeded::Certified(vec![receipt]))
    }

    fn reported(&mut self, witness: u8, report: SignedReport, policy: &LoadedPolicy) -> Result<Heeded, String> {
        let slot = self.slot(policy);
        let payee = *self.opening().tab().key(Proposer::Payee);
        let Some(work) = &mut self.work else { return Ok(Heeded::Nothing) };
        let findings = &report.findings;
        if findings.slot != slot || findings.ballot != work.ballot {
            return Ok(Heeded::Nothing);
        }
        let is_asked = report.witness == witness && findings.v0.is_none();
        let genuine = report.clone().unverified(&payee, policy);
        if !is_asked || !genuine.is_ok_and(|genuine| genuine.verify().is_ok()) {
            return Err("gave a report that is none".to_owned());
        }
        work.reports.retain(|before| before.witness != witness);
        work.reports.push(report);
        Ok(Heeded::Nothing)
    }

    /// Keeps what is named in a report, where one of the two sides signed it.
    fn shown(&mut self, entries: Vec<Entry>) {
        let tab = *self.opening().tab();
        let Some(work) = &mut self.work else { return };
        for entry in entries {
            let is_wanted = work.locked().any(|named| named == entry.hash()) && work.entry(entry.hash()).is_none();
            let approved = entry.clone().approved_by_proposer(&tab);
            if is_wanted && work.bodies.len() < BODIES && approved.is_some_and(|entry| entry.verify().is_ok()) {
                work.bodies.push(entry);
            }
        }
    }

    /// Certified entries came that this side did not know of.
    fn fetched(&mut self, entries: Vec<Receipt>, policy: &LoadedPolicy) -> Result<Heeded, String> {
        let mut certified = Vec::new();
        for receipt in entries {
            let header = receipt.entry.header();
            let is_next = header.chain == self.state.chain() && header.seq == self.state.seq();
            let genuine = receipt.clone().verify(policy).ok().filter(|_| is_next).and_then(|entry| entry.verify().ok());
            if genuine.is_none() || self.advance(&receipt, policy).is_err() {
                break;
            }
            certified.push(receipt);
        }
        match certified.is_empty() {
            true => Err("does not show the entries that it claims to have".to_owned()),
            false => Ok(Heeded::Certified(certified)),
        }
    }

    /// Takes an entry that the other side showed, with its certificate. Whether it is news.
    pub fn learn(&mut self, receipt: &Receipt, policy: &LoadedPolicy) -> bool {
        let header = receipt.entry.header();
        let is_next = header.chain == self.state.chain() && header.seq == self.state.seq();
        let genuine = receipt.clone().verify(policy).ok().filter(|_| is_next).and_then(|entry| entry.verify().ok());
        genuine.is_some() && self.advance(receipt, policy).is_ok()
    }

    fn advance(&mut self, receipt: &Receipt, policy: &LoadedPolicy) -> Result<(), String> {
        let change = self.state.try_entry(&receipt.entry, policy).map_err(|invalid| invalid.to_string())?;
        self.state.apply(&change);
        self.done.push(receipt.clone());
        self.work = None;
        Ok(())
    }

    /// Decides what is to stand at the next place, once all that can report has.
    fn decide(&mut self, standings: &Standings, policy: &LoadedPolicy) {
        let payee = *self.opening().tab().key(Proposer::Payee);
        let quorum = policy.quorum();
        let Some(work) = &mut self.work else { return };
        if work.ballot == 1 || work.choice.is_some() || work.stuck || work.reports.len() < quorum.q() {
            return;
        }
        let is_awaited = |place: &u8| {
            let standing = standings.get(place);
            !work.has_report_of(*place) && standing.is_none_or(|standing| standing.trouble.is_none())
        };
        if (0_u8..).take(quorum.n()).any(|place| is_awaited(&place)) {
            return;
        }
        let genuine: Vec<GenuineReport> = work
            .reports
            .iter()
            .filter_map(|report| report.clone().unverified(&payee, policy).ok()?.verify().ok())
            .collect();
        match admitted(&genuine, policy) {
            Pick::Free => work.choice = Some(work.own.hash()),
            Pick::Bound(hash) if work.entry(hash).is_some() => work.choice = Some(hash),
            Pick::Bound(_) => {
                let is_silent = |place: u8| {
                    let standing = standings.get(&place);
                    standing.is_some_and(|standing| standing.has_shown || standing.trouble.is_some())
                };
                work.stuck = (0_u8..).take(quorum.n()).all(is_silent);
            }
            Pick::Undecided | Pick::Frozen | Pick::Broken => work.stuck = true,
        }
    }
}

fn in_words(reason: &Reason) -> String {
    match reason {
        Reason::NotServed => "does not serve this currency".to_owned(),
        Reason::Unknown => "does not know this tab".to_owned(),
        Reason::Elsewhere { .. } => "stands at another place".to_owned(),
        Reason::NotCited { .. } => "lacks the entry that funded the tab".to_owned(),
        Reason::Later { seconds } => format!("wants to be asked again in {seconds} s"),
        Reason::Frozen => "has this tab frozen".to_owned(),
        Reason::Promised { ballot } => format!("takes part in ballot {ballot} of this tab"),
        Reason::Epoch { present } => format!("votes under the policy of epoch {present}"),
        Reason::NotCrossed { epoch } => format!("wants closing reports of epoch {epoch}"),
        Reason::Invalid(why) => format!("says: {why}"),
    }
}

impl Work {
    fn new(own: Box<Entry>, epoch: u32, ballot: u32) -> Self {
        Self {
            epoch,
            ballot,
            own,
            reports: Vec::new(),
            bodies: Vec::new(),
            choice: None,
            prepared: Vec::new(),
            prepcert: None,
            committed: Vec::new(),
            promised: 0,
            stuck: false,
        }
    }

    /// Leaves a ballot that came to nothing for this side's next one, above what was promised.
    fn raise(&mut self, epoch: u32) {
        if self.epoch != epoch {
            let first = if self.ballot & 1 == 0 { 2 } else { 1 };
            *self = Self { bodies: std::mem::take(&mut self.bodies), ..Self::new(self.own.clone(), epoch, first) };
        } else if self.stuck || self.promised > self.ballot {
            let told = self.promised.min(self.ballot.saturating_add(RAISE));
            let above = told.max(self.ballot).saturating_add(1);
            let ballot = if above & 1 == self.ballot & 1 { above } else { above.saturating_add(1) };
            *self = Self { bodies: std::mem::take(&mut self.bodies), ..Self::new(self.own.clone(), epoch, ballot) };
        }
    }

    fn entry(&self, hash: EntryHash) -> Option<&Entry> {
        self.bodies.iter().chain([&*self.own]).find(|entry| entry.hash() == hash)
    }

    fn chosen(&self) -> Option<&Entry> {
        self.choice.and_then(|hash| self.entry(hash))
    }

    fn locked(&self) -> impl Iterator<Item = EntryHash> + use<> {
        let locked = self.reports.iter().filter_map(|report| report.findings.lock.as_ref().map(|lock| lock.entry));
        locked.collect::<Vec<_>>().into_iter()
    }

    fn lacks_body(&self) -> bool {
        self.locked().any(|hash| self.entry(hash).is_none())
    }

    fn has_report_of(&self, witness: u8) -> bool {
        self.reports.iter().any(|report| report.witness == witness)
    }
}
