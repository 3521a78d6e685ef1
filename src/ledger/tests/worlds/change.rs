//! What an issuer does who changes the witnesses, and what everybody does then: have their chains crossed.
//!
//! The next policy names the same witnesses, but for the first, in whose place there is a new one. Sometimes an issuer signs
//! two such policies, and shows one here and one there.

use kinfolk_ledger::policy::{Endorsement, Policy, SignedPolicy, Witness as Named};
use kinfolk_ledger::slot::crossing::{Closing, cross};
use kinfolk_wire::ids::PeerId;

use super::*;

/// A policy that the issuer signed, and who has endorsed it.
pub(super) struct Proposal {
    policy: SignedPolicy,
    endorsements: BTreeMap<u8, Endorsement>,
}

impl World {
    /// The number under which the issuer asks.
    pub(super) fn issuer_number(&self) -> usize {
        self.writers.len() + 1
    }

    /// The issuer begins a change, or asks again.
    pub(super) fn change(&mut self) {
        if self.proposals.is_empty() {
            let count = if self.one_in(6) { 2 } else { 1 };
            self.proposals = (1..=count).map(|count| self.propose_policy(count)).collect();
        }
        let currency = self.begin.policy.currency();
        if self.policies.current().epoch() > 0 {
            let policy = self.policies.current().signed();
            self.broadcast(self.issuer_number(), &Request::Succeed { currency, policy });
            return;
        }
        for witness in 0..self.n() {
            let which = self.below(self.proposals.len());
            let policy = self.proposals[which].policy.clone();
            let request = Request::Succeed { currency, policy };
            self.queue.push(Message::Ask { from: self.issuer_number(), witness, request });
        }
    }

    fn propose_policy(&self, count: u32) -> Proposal {
        let last = self.begin.shelves.len() as u8;
        let mut next: Policy = self.begin.policy.next();
        next.witnesses[0] = Named { vk: key(2, last).vk(), peer_id: PeerId::new([last; 38]) };
        // Two policies differ by something.
        next.limits.per_day -= count;
        Proposal { policy: next.sign(&issuer()), endorsements: BTreeMap::new() }
    }

    pub(super) fn issuer_hears(&mut self, reply: &Reply) -> Checked<()> {
        let Reply::Succeeded { endorsement: Some(endorsement), .. } = reply else { return Ok(()) };
        let before = &self.begin.policy;
        let mut in_force = None;
        for proposal in &mut self.proposals {
            let proposed = proposal.policy.clone().proposed_after(before).map_err(|error| error.to_string())?;
            if proposed.endorsed_by(*endorsement, before).is_some_and(|one| one.verify().is_ok()) {
                proposal.endorsements.insert(endorsement.witness, *endorsement);
            }
            if proposal.endorsements.len() >= before.quorum().q() {
                in_force = Some(proposal.policy.clone().endorsed(proposal.endorsements.values().copied()));
            }
        }
        if let Some(policy) = in_force {
            self.goes_on(policy)?;
        }
        Ok(())
    }

    fn goes_on(&mut self, policy: SignedPolicy) -> Checked<()> {
        if self.policies.current().epoch() > 0 {
            let same = self.policies.current().policy() == &policy.policy;
            return if same { Ok(()) } else { Err("two policies of one epoch have a quorum".to_owned()) };
        }
        self.policies.extend(policy).map_err(|error| error.to_string())?;
        self.counts.changes += 1;
        let all = self.policies.iter().map(|policy| policy.signed()).collect();
        // Its keeper starts it anew to serve the currency, whatever has happened to its disk.
        let newcomer = self.witnesses.last_mut().unwrap();
        let shelf = newcomer[0].take().unwrap().into_shelf().restarted();
        let mut begun = Witness::open(shelf).map_err(|error| error.to_string())?;
        begun.serve_since(all).map_err(|error| error.to_string())?;
        newcomer[0] = Some(begun);
        self.change();
        Ok(())
    }

    /// Whether the issuer's own doing may have left the currency with no policy that can go on.
    pub(super) fn is_stuck(&self) -> bool {
        self.proposals.len() > 1 && self.policies.current().epoch() == 0
    }

    /// A witness has not crossed a chain: it is shown what the old ones said last of it, or they are asked.
    pub(super) fn bring_closings(&mut self, number: usize, witness: usize, chain: AccountId) {
        let known: Vec<SignedReport> =
            self.closings.get(&chain).map(|reports| reports.values().cloned().collect()).unwrap_or_default();
        if known.len() >= self.q() {
            self.counts.crossed += 1;
            let request = Request::Cross { inception: None, reports: known, opening: None };
            self.queue.push(Message::Ask { from: number, witness, request });
            return;
        }
        let currency = self.begin.policy.currency();
        self.broadcast(number, &Request::Closings { currency, chain, epoch: 0 });
    }

    pub(super) fn keep_closings(&mut self, reports: Vec<SignedReport>) {
        for report in reports {
            self.closings.entry(report.findings.slot.chain).or_default().insert(report.witness, report);
        }
    }

    /// A witness does not know the policy that is in force.
    pub(super) fn bring_policy(&mut self, number: usize, witness: usize, present: u32) {
        if present < self.policies.current().epoch() {
            let (currency, policy) = (self.begin.policy.currency(), self.policies.current().signed());
            self.queue.push(Message::Ask { from: number, witness, request: Request::Succeed { currency, policy } });
        }
    }

    /// What the closing reports that are known bind a place to.
    pub(super) fn bound_before(&self, slot: &SlotId) -> Option<EntryHash> {
        let reports = self.closings.get(&slot.chain).filter(|_| slot.epoch > 0)?;
        let closings = reports
            .iter()
            .map(|(witness, report)| {
                let v0 = report.findings.v0.map(|signed| signed.header.hash());
                let report = Report { v0, lock: report.findings.lock.clone() };
                (*witness, Closing { next: reports[witness].findings.slot.seq, report })
            })
            .collect();
        cross(self.begin.policy.quorum(), slot.seq, &closings).ok()?.bound_at(slot.seq)
    }
}
