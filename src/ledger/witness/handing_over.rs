//! From one policy to the next: a witness closes its epoch, says what it last did in it, and crosses chains into the next
//! (`slot/crossing.rs` says why that is safe).

use std::sync::Arc;

use kinfolk_wire::ids::{CurrencyId, PolicyHash};
use kinfolk_wire::time::Timestamp;

use super::desk::{Key, read_line};
use super::line::{Kept, Line};
use super::perform::{Answer, Performed, reason};
use super::shelf::{Position, Shelf};
use super::{End, Served, Witness};
use crate::limits;
use crate::message::{Reason, Reply};
use crate::policy::succession::ReleasableEndorsement;
use crate::policy::{LoadedPolicy, ProposedPolicy, SignedPolicy};
use crate::recovery::{GenuineReport, SignedReport};
use crate::slot::held::Held;

impl Served {
    /// The policy in force.
    pub(super) fn policy(&self) -> &LoadedPolicy {
        self.policies.current()
    }

    /// The epoch of the policy in force.
    pub(super) fn present(&self) -> u32 {
        self.policy().epoch()
    }

    /// The place under which it votes.
    ///
    /// # Errors
    /// It does not: it closed the epoch, or its policy names others.
    pub(super) fn voting(&self) -> Result<u8, Reason> {
        let present = self.present();
        let open = !self.ends.contains_key(&present);
        self.place.filter(|_| open).ok_or(Reason::Epoch { present })
    }
}

impl<S: Shelf> Witness<S> {
    /// Ends an epoch here, unless it is over already: the first line that says so is what closing reports stand on.
    pub(super) fn end_epoch(&mut self, currency: CurrencyId, epoch: u32, end: End) {
        let Some(served) = self.served.get_mut(&currency) else { return };
        let served = Arc::make_mut(served);
        match served.ends.get_mut(&epoch) {
            Some(known) if known.kept.line == end.kept.line => known.kept.at = known.kept.at.or(end.kept.at),
            Some(_) => {}
            None => {
                served.ends.insert(epoch, end);
            }
        }
    }

    /// Goes on with the next policy, unless it is known already; nothing if it is not the next.
    pub(super) fn go_on(&mut self, currency: CurrencyId, policy: &SignedPolicy, at: Option<Position>) -> Option<()> {
        let epoch = policy.policy.epoch;
        let served = Arc::make_mut(self.served.get_mut(&currency)?);
        match served.policies.at(epoch) {
            Some(known) if known.policy() == &policy.policy => {}
            Some(_) => return None,
            None => served.policies.extend(policy.clone()).ok()?,
        }
        let (vk, hash) = (self.vk, served.policies.at(epoch)?.hash());
        served.place = super::serving::place_of(&vk, served.policies.current());
        let line = Line::Next { currency, policy: policy.clone() };
        self.end_epoch(currency, epoch.checked_sub(1)?, End { kept: Kept { line, at }, policy: hash });
        Some(())
    }

    /// Takes a policy after those that are known, or endorses it.
    pub(super) fn succeed(&mut self, currency: CurrencyId, policy: &SignedPolicy) -> Performed<S> {
        let served = match self.serving(&currency) {
            Ok(served) => served,
            Err(reason) => return Ok(Err(Reply::Refused(reason))),
        };
        let (epoch, present) = (policy.policy.epoch, served.present());
        let Some((last, before)) = epoch.checked_sub(1).and_then(|last| Some((last, served.policies.at(last)?))) else {
            return Ok(Err(Reply::Refused(Reason::Epoch { present })));
        };
        let proposed = match policy.clone().proposed_after(before) {
            Ok(proposed) => proposed,
            Err(error) => return Ok(Err(Reply::Refused(Reason::invalid(error)))),
        };
        let hash = proposed.hash();
        match served.policies.at(epoch).map(LoadedPolicy::hash) {
            Some(known) if known == hash => {}
            Some(_) => return self.second_policy(currency, proposed, before),
            None if policy.endorsed.is_none() => {}
            None => {
                if let Err(error) = proposed.in_force(before) {
                    return Ok(Err(Reply::Refused(Reason::invalid(error))));
                }
                let endorsed = self.endorsement(&served, last, hash);
                if self.go_on(currency, policy, None).is_none() {
                    return Ok(Err(Reply::Refused(Reason::invalid("the policy does not follow the one before it"))));
                }
                let line = Line::Next { currency, policy: policy.clone() };
                let answer = Answer::Succeeded { epoch, endorsed };
                return Ok(Ok(Held::new(Kept { line, at: None }, answer)));
            }
        }
        let Some(endorsed) = self.endorsement(&served, last, hash) else {
            return Ok(Err(if epoch <= present {
                Reply::Succeeded { epoch: present, endorsement: None }
            } else {
                let words =
                    "this witness endorses nothing here: the policy before names others, or it has endorsed another";
                Reply::Refused(Reason::invalid(words))
            }));
        };
        let line = Line::Closed { currency, epoch: last, policy: hash };
        self.end_epoch(currency, last, End { kept: Kept { line: line.clone(), at: None }, policy: hash });
        let end = self.served.get(&currency).and_then(|served| served.ends.get(&last));
        let kept = end.map_or(Kept { line, at: None }, |end| end.kept.clone());
        Ok(Ok(Held::new(kept, Answer::Succeeded { epoch: present, endorsed: Some(endorsed) })))
    }

    /// What it may sign, and as whom, of the policy after that epoch; nothing if it endorsed another or was no witness then.
    fn endorsement(&self, served: &Served, last: u32, policy: PolicyHash) -> Option<(ReleasableEndorsement, u8)> {
        let place = self.place_in(served.policies.at(last)?)?;
        let is_the_one = served.ends.get(&last).is_none_or(|end| end.policy == policy);
        is_the_one.then_some((ReleasableEndorsement { currency: served.policies.currency(), policy }, place))
    }

    /// Another policy for an epoch that has one: if a quorum endorsed both, more witnesses are faulty than can be borne.
    fn second_policy(&mut self, currency: CurrencyId, proposed: ProposedPolicy, before: &LoadedPolicy) -> Performed<S> {
        if proposed.in_force(before).is_err() {
            return Ok(Err(Reply::Refused(Reason::invalid("another policy is in force in that epoch"))));
        }
        self.stop_serving(currency);
        let reply = Reply::Refused(super::broken(&crate::account::Broken::Before));
        Ok(Ok(Held::new(Kept { line: Line::Broken(currency), at: None }, Answer::Say(reply))))
    }

    /// Says the last of a chain in an epoch that is over here, and what it was shown of it.
    pub(super) fn closings(&mut self, key: Key, epoch: u32) -> Performed<S> {
        let served = match self.serving(&key.0) {
            Ok(served) => served,
            Err(reason) => return Ok(Err(Reply::Refused(reason))),
        };
        let Some(end) = served.ends.get(&epoch) else {
            return Ok(Err(Reply::Refused(Reason::Epoch { present: served.present() })));
        };
        let place = served.policies.at(epoch).and_then(|policy| self.place_in(policy));
        let Some(desk) = self.desk(key)? else { return Ok(Err(Reply::Refused(Reason::NotServed))) };
        let crossed_at = desk.crossed_at(epoch);
        let own = match place {
            Some(place) => match desk.account.close(key.0, epoch) {
                Ok(report) => Some((report, place)),
                Err(refusal) => return Ok(Err(Reply::Refused(reason(&refusal)))),
            },
            None => None,
        };
        let shown = match crossed_at {
            Some(at) => match read_line(&self.shelf, at)? {
                Line::Crossed(reports) => reports,
                _ => return Err(super::OpenError::Inconsistent { at }.into()),
            },
            None => Vec::new(),
        };
        let shown = shown.into_iter().filter(|report| Some(report.witness) != place).collect();
        Ok(Ok(Held::new(end.kept.clone(), Answer::Closings { own, shown })))
    }

    /// Crosses a chain from an epoch before.
    pub(super) fn cross(&mut self, key: Key, reports: &[GenuineReport], now: Timestamp) -> Performed<S> {
        let served = match self.serving(&key.0) {
            Ok(served) => served,
            Err(reason) => return Ok(Err(Reply::Refused(reason))),
        };
        let signed: Vec<SignedReport> = reports.iter().map(|report| report.signed().clone()).collect();
        let epoch = signed.first().map(|report| report.findings.slot.epoch);
        let Some(policy) = epoch.and_then(|epoch| served.policies.at(epoch)) else {
            return Ok(Err(Reply::Refused(Reason::Epoch { present: served.present() })));
        };
        let mut strangers = self.strangers;
        let Some(desk) = self.desk(key)? else { return Ok(Err(Reply::Refused(Reason::NotServed))) };
        let is_stranger = !desk.account.is_known();
        let allowed = desk.quota.recovery(now).and(if is_stranger { strangers.recovery(now) } else { Ok(()) });
        let mut tried = desk.account.clone();
        let next = tried.next();
        match tried.cross(reports, policy) {
            Err(refusal) => return Ok(Err(Reply::Refused(reason(&refusal)))),
            Ok(false) => return Ok(Err(Reply::Ack { next })),
            Ok(true) => {}
        }
        if let Err(seconds) = allowed {
            self.refused_by_quota = self.refused_by_quota.saturating_add(1);
            return Ok(Err(Reply::Refused(Reason::Later { seconds })));
        }
        desk.account = tried;
        desk.quota.count_recovery(now);
        if is_stranger {
            strangers.count(now);
            self.strangers = strangers;
        }
        let kept = Kept { line: Line::Crossed(signed), at: None };
        Ok(Ok(Held::new(kept, Answer::Say(Reply::Ack { next }))))
    }

    /// Policies from an epoch on, as many as fit.
    pub(super) fn policies_from(&self, served: &Served, from: u32) -> Vec<SignedPolicy> {
        let later = served.policies.iter().filter(|policy| policy.epoch() >= from).map(LoadedPolicy::signed);
        fitting(later, |policy| policy.encode().len())
    }
}

/// As many as fit into an answer, in their order.
pub(super) fn fitting<T>(all: impl IntoIterator<Item = T>, size: impl Fn(&T) -> usize) -> Vec<T> {
    // The answer's own head, with room to spare.
    let mut room = limits::MESSAGE.saturating_sub(16);
    let fits = all.into_iter().map_while(|one| {
        room = room.checked_sub(size(&one))?;
        Some(one)
    });
    fits.collect()
}
