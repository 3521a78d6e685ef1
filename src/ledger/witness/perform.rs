//! What is done once the signatures are found good, and what is read.

use std::sync::Arc;

use kinfolk_wire::time::Timestamp;

use super::desk::{Desk, Key};
use super::handing_over::fitting;
use super::line::{Kept, Line};
use super::shelf::Shelf;
use super::sift::{CitedEntries, Work};
use super::{Served, ShelfError, Witness, broken};
use crate::account::tabs::is_of_tab;
use crate::account::{Account, Broken, Committed, Record, Refusal};
use crate::chain::Invalid;
use crate::checkpoint::GenuineCheckpoint;
use crate::entry::{ApprovedEntry, Entry, SignedHeader};
use crate::equivocation::EquivocationProof;
use crate::limits;
use crate::message::{Reason, Reply, Request};
use crate::policy::succession::ReleasableEndorsement;
use crate::recovery::{GenuineRecover, GenuineReport, ReleasableReport, SignedReport};
use crate::rules::NotValid;
use crate::signature::SecretKey;
use crate::slot::SlotRefusal;
use crate::slot::crossing::CrossRefusal;
use crate::slot::held::Held;
use crate::vote::{CertifiedEntry, GenuinePrepCert, Receipt, Releasable};

/// What is said once its line is in the log.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time, which is said at once")]
pub(super) enum Answer {
    /// A policy is known, and may be endorsed by the witness at that place of the one before.
    Succeeded {
        epoch: u32,
        endorsed: Option<(ReleasableEndorsement, u8)>,
    },
    /// Its own closing report, and those that it was shown.
    Closings {
        own: Option<(ReleasableReport, u8)>,
        shown: Vec<SignedReport>,
    },
    Vote {
        vote: Releasable,
        place: u8,
    },
    Report {
        report: ReleasableReport,
        place: u8,
    },
    Say(Reply),
}

impl Answer {
    pub(super) fn say(self, key: &SecretKey) -> Reply {
        match self {
            Self::Vote { vote, place } => Reply::Vote(vote.sign(place, key)),
            Self::Report { report, place } => Reply::Report(report.sign(place, key)),
            Self::Succeeded { epoch, endorsed } => {
                let endorsement = endorsed.map(|(endorsement, place)| endorsement.sign(place, key));
                Reply::Succeeded { epoch, endorsement }
            }
            Self::Closings { own, shown } => {
                let own = own.map(|(report, place)| report.sign(place, key));
                Reply::Closings(fitting(own.into_iter().chain(shown), |report| report.encode().len()))
            }
            Self::Say(reply) => reply,
        }
    }
}

/// Held until it is written, or a refusal that nothing stands behind.
pub(super) type Performed<S> = Result<Result<Held<Kept, Answer>, Reply>, ShelfError<<S as Shelf>::Error>>;

impl<S: Shelf> Witness<S> {
    pub(super) fn perform(&mut self, work: Work, now: Timestamp) -> Performed<S> {
        let key = match &work {
            Work::Propose { key, .. }
            | Work::Late { key, .. }
            | Work::Commit { key, .. }
            | Work::Recover { key, .. }
            | Work::Prepare { key, .. }
            | Work::Lock { key, .. }
            | Work::Cross { key, .. }
            | Work::Adopt { key, .. } => *key,
        };
        // Broken by something earlier in this batch, perhaps.
        let served = match self.serving(&key.0) {
            Ok(served) => served,
            Err(reason) => return Ok(Err(Reply::Refused(reason))),
        };
        let voting = match &work {
            Work::Late { .. } | Work::Commit { .. } | Work::Cross { .. } | Work::Adopt { .. } => Ok(0),
            Work::Propose { .. } | Work::Recover { .. } | Work::Prepare { .. } | Work::Lock { .. } => served.voting(),
        };
        // So may the epoch have been closed.
        let place = match voting {
            Ok(place) => place,
            Err(reason) => return Ok(Err(Reply::Refused(reason))),
        };
        match work {
            Work::Cross { reports, .. } => self.cross(key, &reports, now),
            Work::Propose { approved, cited, .. } => self.propose(key, &served, place, approved, cited, now),
            Work::Late { first, second, .. } => self.conflict(key, first, second),
            Work::Commit { certified, .. } => self.commit(key, &served, certified),
            Work::Adopt { checkpoint, .. } => self.adopt(key, &served, checkpoint),
            Work::Recover { recover, .. } => self.recover(key, &served, place, &recover, now),
            Work::Prepare { ballot, approved, reports, cited, .. } => {
                self.prepare(key, &served, place, ballot, approved, &reports, cited, now)
            }
            Work::Lock { prepared, .. } => self.lock(key, &served, place, prepared),
        }
    }

    fn propose(
        &mut self,
        key: Key,
        served: &Arc<Served>,
        place: u8,
        approved: ApprovedEntry,
        mut cited: CitedEntries,
        now: Timestamp,
    ) -> Performed<S> {
        self.add_fresh(key, &approved, &mut cited);
        let second = approved.entry().signed_header();
        let Some(desk) = self.desk(key)? else { return Ok(Err(Reply::Refused(Reason::NotServed))) };
        let is_new = desk.account.slot(served.present()).v0().is_none();
        if is_new && let Err(seconds) = desk.quota.entry(&served.policy().policy().limits, now) {
            self.refused_by_quota = self.refused_by_quota.saturating_add(1);
            return Ok(Err(Reply::Refused(Reason::Later { seconds })));
        }
        match desk.account.propose(approved, &served.policies, &cited, now) {
            Ok(held) => {
                if is_new {
                    desk.quota.count_entry(now);
                }
                Ok(Ok(hold_vote(desk, held, place)))
            }
            Err(Refusal::Slot(SlotRefusal::Conflict { first })) => {
                let first = desk.account.entry(&first).and_then(Entry::signed_header);
                match (first, second) {
                    (Some(first), Some(second)) => self.conflict(key, first, second),
                    _ => Ok(Err(Reply::Refused(Reason::invalid("the witness has voted for another entry here")))),
                }
            }
            Err(refusal) => Ok(Err(Reply::Refused(reason(&refusal)))),
        }
    }

    /// Tells a writer's first entry to who brought the second, and keeps the first proof of each account.
    fn conflict(&mut self, key: Key, first: SignedHeader, second: SignedHeader) -> Performed<S> {
        let reply = Reply::Conflict { first };
        let Some(desk) = self.desk(key)? else { return Ok(Err(Reply::Refused(Reason::NotServed))) };
        if desk.proof.is_some() || first.header.key_seq != second.header.key_seq {
            return Ok(Err(reply));
        }
        let line = Line::Proof(EquivocationProof::Writer(first, second));
        Ok(Ok(Held::new(Kept { line, at: None }, Answer::Say(reply))))
    }

    fn commit(&mut self, key: Key, served: &Arc<Served>, certified: CertifiedEntry) -> Performed<S> {
        let (seq, hash) = (certified.entry().header().seq, certified.entry().hash());
        let known = self.certified(key, seq)?;
        let Some(desk) = self.desk(key)? else { return Ok(Err(Reply::Refused(Reason::NotServed))) };
        let receipt = certified.receipt();
        let opened = opens_account(&desk.account, &receipt);
        let done = match known {
            Some(known) if known.entry().hash() != hash => Err(Broken::Two { seq }),
            _ => desk.account.commit(certified.clone(), &served.policies),
        };
        let next = desk.account.next();
        let at = desk.parked_at(seq);
        let base = desk.account.take_checkpoint();
        let base = base.filter(|base| desk.wants_base(base.state().seq()) && base.checkpoint().fits());
        let done = match done {
            Ok(done) => done,
            Err(why) => return Ok(Ok(self.found_broken(key, &why))),
        };
        match done {
            Committed::Known => return Ok(Err(Reply::Ack { next })),
            Committed::Parked if !desk.account.is_parked(seq) => {
                return Ok(Err(Reply::Refused(Reason::Elsewhere { next })));
            }
            Committed::Parked => {}
            Committed::Executed(_) => self.count_opened(opened),
        }
        self.bases.extend(base.map(|base| *base));
        self.fresh.insert((key, seq), certified);
        Ok(Ok(Held::new(Kept { line: Line::Certified(receipt), at }, Answer::Say(Reply::Ack { next }))))
    }

    /// Goes on from a checkpoint, where what is before it is not here.
    fn adopt(&mut self, key: Key, served: &Arc<Served>, checkpoint: GenuineCheckpoint) -> Performed<S> {
        let line = Line::base(&checkpoint);
        let certified = checkpoint.certified().clone();
        let (seq, hash) = (certified.entry().header().seq, certified.entry().hash());
        let known = self.certified(key, seq)?;
        let Some(desk) = self.desk(key)? else { return Ok(Err(Reply::Refused(Reason::NotServed))) };
        let opened = desk.account.state().is_none();
        let done = match known {
            Some(known) if known.entry().hash() != hash => Err(Broken::Two { seq }),
            _ => desk.account.adopt(checkpoint, &served.policies),
        };
        let next = desk.account.next();
        // If a later one was run as well, that came of entries which were parked, and is as good as this one.
        desk.account.take_checkpoint();
        match done {
            Err(why) => return Ok(Ok(self.found_broken(key, &why))),
            Ok(Committed::Known | Committed::Parked) => return Ok(Err(Reply::Ack { next })),
            Ok(Committed::Executed(_)) => self.count_opened(opened),
        }
        self.fresh.insert((key, seq), certified);
        Ok(Ok(Held::new(Kept { line, at: None }, Answer::Say(Reply::Ack { next }))))
    }

    /// Two certified entries of one place, or one that breaks the rules.
    fn found_broken(&mut self, key: Key, why: &Broken) -> Held<Kept, Answer> {
        // What the account ran before it broke is not in the log: it is not to be believed any more either.
        self.stop_serving(key.0);
        let reply = Reply::Refused(broken(why));
        Held::new(Kept { line: Line::Broken(key.0), at: None }, Answer::Say(reply))
    }

    fn recover(
        &mut self,
        key: Key,
        served: &Arc<Served>,
        place: u8,
        recover: &GenuineRecover,
        now: Timestamp,
    ) -> Performed<S> {
        let strangers = self.strangers.recovery(now);
        let Some(desk) = self.desk(key)? else { return Ok(Err(Reply::Refused(Reason::NotServed))) };
        let is_new = recover.request().ballot > desk.account.slot(served.present()).promised();
        let is_stranger = !desk.account.is_known();
        let allowed = desk.quota.recovery(now).and(if is_stranger { strangers } else { Ok(()) });
        if is_new && let Err(seconds) = allowed {
            self.refused_by_quota = self.refused_by_quota.saturating_add(1);
            return Ok(Err(Reply::Refused(Reason::Later { seconds })));
        }
        let is_tab = desk.account.opening(recover.request().opening.as_ref()).is_some();
        let recovered = match is_tab {
            true => desk.account.recover_tab(recover, served.policy(), now),
            false => desk.account.recover(recover, served.policy()),
        };
        let held = match recovered {
            Ok(held) => held,
            Err(refusal) => return Ok(Err(Reply::Refused(reason(&refusal)))),
        };
        let at = desk.written(held.record());
        if is_new {
            desk.quota.count_recovery(now);
        }
        if is_new && is_stranger {
            self.strangers.count(now);
        }
        Ok(Ok(held.map(|record| Kept { line: Line::Vote(record), at }, |report| Answer::Report { report, place })))
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one request")]
    fn prepare(
        &mut self,
        key: Key,
        served: &Arc<Served>,
        place: u8,
        ballot: u32,
        approved: ApprovedEntry,
        reports: &[GenuineReport],
        mut cited: CitedEntries,
        now: Timestamp,
    ) -> Performed<S> {
        self.add_fresh(key, &approved, &mut cited);
        let Some(desk) = self.desk(key)? else { return Ok(Err(Reply::Refused(Reason::NotServed))) };
        // In an escrow chain this is what an entry begins with, and is counted as a proposal is elsewhere.
        let is_new = is_of_tab(approved.entry()) && desk.account.slot(served.present()).prepared().is_none();
        if is_new && let Err(seconds) = desk.quota.entry(&served.policy().policy().limits, now) {
            self.refused_by_quota = self.refused_by_quota.saturating_add(1);
            return Ok(Err(Reply::Refused(Reason::Later { seconds })));
        }
        Ok(match desk.account.prepare(ballot, approved, reports, &served.policies, &cited, now) {
            Ok(held) => {
                if is_new {
                    desk.quota.count_entry(now);
                }
                Ok(hold_vote(desk, held, place))
            }
            Err(refusal) => Err(Reply::Refused(reason(&refusal))),
        })
    }

    fn lock(&mut self, key: Key, served: &Arc<Served>, place: u8, prepared: GenuinePrepCert) -> Performed<S> {
        let Some(desk) = self.desk(key)? else { return Ok(Err(Reply::Refused(Reason::NotServed))) };
        Ok(match desk.account.lock(prepared, served.policy()) {
            Ok(held) => Ok(hold_vote(desk, held, place)),
            Err(refusal) => Err(Reply::Refused(reason(&refusal))),
        })
    }

    /// What is cited may have been committed in this batch, after the first look.
    fn add_fresh(&self, key: Key, approved: &ApprovedEntry, cited: &mut CitedEntries) {
        let body = approved.entry().body();
        let claimed = body.claims.iter().map(|claim| claim.out);
        for out in claimed.chain(body.outs.iter().filter_map(|out| out.refund_of)) {
            if let Some(fresh) = self.fresh.get(&((key.0, out.chain), out.seq)) {
                cited.entry((out.chain, out.seq)).or_insert_with(|| fresh.clone());
            }
        }
    }

    /// Answers what has no signatures to verify together with those of others.
    pub(super) fn turn(&mut self, request: Request) -> Performed<S> {
        match request {
            Request::Succeed { currency, policy } => self.succeed(currency, &policy),
            Request::Closings { currency, chain, epoch } => self.closings((currency, chain), epoch),
            read => Ok(Err(self.read(&read)?)),
        }
    }

    /// Answers what changes nothing.
    fn read(&mut self, request: &Request) -> Result<Reply, ShelfError<S::Error>> {
        let (Request::Head { currency, .. }
        | Request::Entries { currency, .. }
        | Request::Policy { currency }
        | Request::Policies { currency, .. }
        | Request::Pending { currency, .. }) = request
        else {
            return Ok(Reply::Witness { vk: self.vk });
        };
        let Some(served) = self.served.get(currency).map(Arc::clone) else {
            return Ok(Reply::Refused(Reason::NotServed));
        };
        Ok(match request {
            Request::Head { chain, .. } => {
                let key = (*currency, *chain);
                let next = self.desk(key)?.map_or(0, |desk| desk.account.next());
                let last = match next.checked_sub(1) {
                    Some(last) => self.certified(key, last)?.map(|certified| certified.receipt()),
                    None => None,
                };
                Reply::Head { next, last }
            }
            Request::Pending { chain, .. } => match self.desk((*currency, *chain))? {
                Some(desk) => {
                    let (next, entries) = (desk.account.next(), desk.account.pending().cloned().collect());
                    Reply::Pending { next, entries }
                }
                None => Reply::Pending { next: 0, entries: Vec::new() },
            },
            Request::Entries { chain, from, to, .. } => self.entries((*currency, *chain), *from, *to)?,
            Request::Policies { from, .. } => Reply::Policies(self.policies_from(&served, *from)),
            _ => Reply::Policy(served.policy().signed()),
        })
    }

    /// Entries in a row; where the first that was asked for was let go, the checkpoint that stands for it.
    fn entries(&mut self, key: Key, from: u64, to: u64) -> Result<Reply, ShelfError<S::Error>> {
        // The reply's own head, with room to spare.
        let mut room = limits::MESSAGE.saturating_sub(16);
        let mut found = Vec::new();
        for seq in (from..to).take(limits::ENTRIES) {
            let Some(certified) = self.certified(key, seq)? else { break };
            let receipt = certified.receipt();
            let Some(left) = room.checked_sub(receipt.encode().len()) else { break };
            room = left;
            found.push(receipt);
        }
        if found.is_empty() && from < to {
            let base = self.base(key)?.filter(|base| from < base.state().seq());
            if let Some(base) = base {
                return Ok(Reply::Checkpoint(base.checkpoint()));
            }
        }
        Ok(Reply::Entries(found))
    }
}

/// Whether a certified entry opens an account that nobody had opened here.
pub(super) fn opens_account(account: &Account, receipt: &Receipt) -> bool {
    !account.is_known() && !is_of_tab(&receipt.entry)
}

fn hold_vote(desk: &Desk, held: Held<Record, Releasable>, place: u8) -> Held<Kept, Answer> {
    let at = desk.written(held.record());
    held.map(|record| Kept { line: Line::Vote(record), at }, |vote| Answer::Vote { vote, place })
}

/// What a refusal is on the wire.
pub(super) fn reason(refusal: &Refusal) -> Reason {
    match refusal {
        Refusal::NotValid(NotValid::NotCited { chain, seq }) => Reason::NotCited { chain: *chain, seq: *seq },
        Refusal::NotValid(NotValid::Chain(Invalid::Seq { expected, .. })) => Reason::Elsewhere { next: *expected },
        Refusal::Elsewhere { next } => Reason::Elsewhere { next: *next },
        Refusal::Unknown => Reason::Unknown,
        Refusal::Slot(SlotRefusal::Promised { promised, .. }) => Reason::Promised { ballot: *promised },
        Refusal::Slot(SlotRefusal::Prepared { ballot }) => Reason::Promised { ballot: *ballot },
        Refusal::Slot(SlotRefusal::Frozen) => Reason::Frozen,
        Refusal::NotCrossed { epoch } => Reason::NotCrossed { epoch: *epoch },
        Refusal::Ahead { present } => Reason::Epoch { present: *present },
        Refusal::Cross(CrossRefusal::Frozen) => Reason::Frozen,
        other => Reason::invalid(other),
    }
}
