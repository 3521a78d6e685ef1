//! What a witness does in an escrow chain: ballots of several proposers, and no fast votes (`escrow.rs` says why).

use std::collections::BTreeMap;

use kinfolk_wire::time::Timestamp;

use super::{Account, Broken, Record, Refusal, terms};
use crate::chain::Invalid;
use crate::entry::{ApprovedEntry, Ctl, Entry};
use crate::escrow::{Opening, Proposer, TabEntry, TabInvalid, TabState};
use crate::limits;
use crate::policy::{LoadedPolicy, Policies};
use crate::recovery::{Findings, GenuineRecover, GenuineReport, ReleasableReport};
use crate::rules::{Cited, NotValid, validate_tab};
use crate::slot::held::Held;
use crate::slot::pick::{Pick, pick};
use crate::vote::{CertifiedEntry, Mode, Releasable};

/// What an entry says its escrow chain is.
pub(crate) const fn opening_of(entry: &Entry) -> Option<&Opening> {
    match &entry.body().ctl {
        Some(Ctl::Tab(TabEntry { opening, .. })) => opening.as_ref(),
        _ => None,
    }
}

/// Whether an entry is one of a tab.
pub(crate) const fn is_of_tab(entry: &Entry) -> bool {
    matches!(entry.body().ctl, Some(Ctl::Tab(_)))
}

impl Account {
    /// The tab, once an entry of its chain was run.
    #[must_use]
    pub const fn tab(&self) -> Option<&TabState> {
        self.tab.as_ref()
    }

    /// An escrow chain as it was kept, as [`Account::restore`] does an account.
    #[must_use]
    pub fn restore_tab<'a>(tab: TabState, since: u32, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut account = Self { since, ..Self::new(tab.chain()) };
        account.tab = Some(tab);
        for record in records {
            account.take(record);
        }
        account
    }

    /// What this chain is, where it is an escrow's: as its entries say, or as a stranger does of one that has none.
    #[must_use]
    pub fn opening(&self, said: Option<&Opening>) -> Option<Opening> {
        let known = self.tab.as_ref().map(TabState::opening);
        known.or_else(|| said.filter(|said| said.chain() == self.chain)).copied()
    }

    /// Promises a ballot of a tab and reports, if it is the turn of whom the ballot belongs to: the payee's before the
    /// tab has expired, the payer's afterwards. `said` is as in [`Account::opening`].
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn recover_tab(
        &mut self,
        request: &GenuineRecover,
        policy: &LoadedPolicy,
        now: Timestamp,
    ) -> Result<Held<Record, ReleasableReport>, Refusal> {
        let asked = request.request();
        let opening = self.opening(asked.opening.as_ref()).ok_or(Refusal::Unknown)?;
        let (tab, promised) = (opening.tab(), self.slot(policy.epoch()).promised());
        let turn = if tab.is_over(now) { Proposer::Payer } else { Proposer::Payee };
        if asked.ballot > promised && Proposer::of(asked.ballot) != turn {
            return Err(Refusal::NotTurn { expires: tab.expires });
        }
        if Proposer::of(asked.ballot) == Proposer::Payee && asked.ballot >= limits::PAYEE_BALLOTS {
            return Err(Refusal::TooHigh { ballot: asked.ballot });
        }
        self.recover(request, policy)
    }

    /// Votes to prepare an entry of a tab in a ballot: on the reports of that ballot, or in ballot 1 on none.
    pub(super) fn prepare_tab(
        &mut self,
        ballot: u32,
        approved: ApprovedEntry,
        reports: &[GenuineReport],
        policies: &Policies,
        cited: &impl Cited,
        now: Timestamp,
    ) -> Result<Held<Record, Releasable>, Refusal> {
        let policy = policies.current();
        let slot = self.slot_id(policy);
        let mut by_witness = BTreeMap::new();
        for report in reports {
            let Findings { slot: of, ballot: made_for, v0, .. } = report.findings();
            let again = by_witness.insert(report.witness(), report.report()).is_some();
            // There are no fast votes here: who reports one would bind the ballot to what nobody voted for.
            if *of != slot || *made_for != ballot || again || v0.is_some() {
                return Err(Refusal::Reports);
            }
        }
        let is_first = ballot == 1 && reports.is_empty();
        let told = if is_first { Pick::Free } else { pick(policy.quorum(), &by_witness) };
        let (entry, hash) = (approved.entry(), approved.entry().hash());
        let bound = self.check_crossed(entry, slot.epoch)? || matches!(told, Pick::Bound(_));
        if !bound && entry.header().key_seq != u32::from(Proposer::of(ballot).place()) {
            return Err(Refusal::NotProposers);
        }
        // What it voted to prepare before it was judged by the clock of that time.
        let is_again = self.slot(slot.epoch).prepared() == Some(hash);
        self.check_tab(&approved, policies, cited, (!bound && !is_again).then_some(now))?;
        let mine = self.slot_mut(slot.epoch);
        let held = match is_first {
            true => mine.prepare_first(hash)?,
            false => mine.prepare(policy.quorum(), ballot, hash, &by_witness)?,
        };
        Ok(self.vote(held, slot, Some(approved.into_entry())))
    }

    fn check_tab(
        &self,
        approved: &ApprovedEntry,
        policies: &Policies,
        cited: &impl Cited,
        now: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let ahead = Refusal::Ahead { present: policies.current().epoch() };
        let policy = policies.at(approved.entry().header().epoch).ok_or(ahead)?;
        let opened;
        let state = match &self.tab {
            Some(state) => state,
            None => {
                opened = TabState::before(approved.entry(), policy).map_err(NotValid::from)?;
                &opened
            }
        };
        Ok(validate_tab(state, approved, policy, cited, now)?)
    }

    /// Runs a certified entry of a tab.
    pub(super) fn run_tab(&mut self, certified: &CertifiedEntry, policies: &Policies) -> Result<(), Broken> {
        let entry = certified.entry();
        if self.state.is_some() || certified.cert().mode != Mode::Ordered {
            return Err(Invalid::from(TabInvalid::Chain).into());
        }
        let policy = terms(entry, policies)?;
        let mut tab = match &self.tab {
            Some(tab) => tab.clone(),
            None => TabState::before(entry, policy)?,
        };
        let change = tab.try_entry(entry, policy)?;
        tab.apply(&change);
        self.tab = Some(tab);
        self.settled(certified);
        Ok(())
    }
}
