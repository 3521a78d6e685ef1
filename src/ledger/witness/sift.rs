//! The first look at a request: what can be answered at once, and which signatures everything else stands on.
//!
//! Nothing is changed here. Whatever a stranger can have for nothing costs little: what is asked about another place than
//! the next, too often, or of a currency that is not served, is refused before any signature is looked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use kinfolk_wire::ids::{AccountId, CurrencyId, Vk};
use kinfolk_wire::time::Timestamp;

use super::desk::{Desk, Key};
use super::shelf::Shelf;
use super::{Served, ShelfError, Witness, broken};
use crate::account::tabs::{is_of_tab, opening_of};
use crate::account::{Account, Broken};
use crate::checkpoint::{Checkpoint, GenuineCheckpoint};
use crate::entry::{ApprovedEntry, Ctl, Entry, OutRef, SignedHeader};
use crate::escrow::{Opening, Proposer};
use crate::inception::Inception;
use crate::limits;
use crate::message::{Reason, Reply, Request};
use crate::policy::Policies;
use crate::recovery::{GenuineRecover, GenuineReport, Recover, SignedReport};
use crate::signature::Unverified;
use crate::vote::{CertifiedEntry, GenuinePrepCert, PrepCert, Receipt, SlotId};

/// Places of chains.
type Places = Vec<(AccountId, u64)>;

/// Certified entries by their places.
pub(super) type CitedEntries = BTreeMap<(AccountId, u64), CertifiedEntry>;

/// What is to be done once its signatures are found good.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time, which is taken apart at once")]
pub(super) enum Work {
    Propose {
        key: Key,
        approved: ApprovedEntry,
        cited: CitedEntries,
    },
    /// A writer's second entry for a place where another is certified.
    Late {
        key: Key,
        first: SignedHeader,
        second: SignedHeader,
    },
    Commit {
        key: Key,
        certified: CertifiedEntry,
    },
    Recover {
        key: Key,
        recover: GenuineRecover,
    },
    Prepare {
        key: Key,
        ballot: u32,
        approved: ApprovedEntry,
        reports: Vec<GenuineReport>,
        cited: CitedEntries,
    },
    Lock {
        key: Key,
        prepared: GenuinePrepCert,
    },
    Cross {
        key: Key,
        reports: Vec<GenuineReport>,
    },
    Adopt {
        key: Key,
        checkpoint: GenuineCheckpoint,
    },
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time, which is taken apart at once")]
pub(super) enum Sifted {
    Say(Reply),
    /// Nothing to verify, but to be answered in its turn.
    Read(Request),
    Verify(Unverified<Work>),
}

impl From<Reason> for Sifted {
    fn from(reason: Reason) -> Self {
        Self::Say(Reply::Refused(reason))
    }
}

type Step<S> = Result<Sifted, ShelfError<<S as Shelf>::Error>>;
type NextPlace<'a, S> = Result<Result<(Arc<Served>, &'a mut Desk), Reason>, ShelfError<<S as Shelf>::Error>>;

impl<S: Shelf> Witness<S> {
    pub(super) fn sift(&mut self, request: Request, now: Timestamp) -> Step<S> {
        match request {
            Request::Witness
            | Request::Head { .. }
            | Request::Entries { .. }
            | Request::Policy { .. }
            | Request::Pending { .. }
            | Request::Policies { .. }
            | Request::Succeed { .. }
            | Request::Closings { .. } => Ok(Sifted::Read(request)),
            Request::Cross { inception, reports, opening } => {
                self.sift_cross(inception.as_ref(), opening.as_ref(), reports, now)
            }
            Request::Propose { entry, cited } => self.sift_propose(entry, cited, now),
            Request::Commit { receipt } => self.sift_commit(receipt),
            Request::Adopt(checkpoint) => self.sift_adopt(checkpoint),
            Request::Recover(recover) => self.sift_recover(recover, now),
            Request::Prepare { ballot, entry, reports, cited } => self.sift_prepare(ballot, entry, reports, cited, now),
            Request::Lock { slot, prepared } => self.sift_lock(slot, prepared),
        }
    }

    fn sift_propose(&mut self, entry: Entry, cited: Vec<Receipt>, now: Timestamp) -> Step<S> {
        let header = *entry.header();
        let key = (header.currency, header.chain);
        let served = match self.serving(&key.0) {
            Ok(served) => served,
            Err(reason) => return Ok(reason.into()),
        };
        let Some(desk) = self.desk(key)? else { return Ok(Reason::NotServed.into()) };
        let next = desk.account.next();
        if header.seq < next {
            return self.sift_late(key, &entry);
        }
        if header.seq > next {
            return Ok(Reason::Elsewhere { next }.into());
        }
        let present = served.present();
        if let Err(reason) = served.voting() {
            return Ok(reason.into());
        }
        if header.epoch > present {
            return Ok(Reason::Epoch { present }.into());
        }
        let slot = desk.account.slot(present);
        let untouched = slot.v0().is_none() && slot.promised() == 0;
        if untouched && let Err(seconds) = desk.quota.entry(&served.policy().policy().limits, now) {
            self.refused_by_quota = self.refused_by_quota.saturating_add(1);
            return Ok(Reason::Later { seconds }.into());
        }
        let Some(approval) = desk.account.approval(entry.clone()) else { return Ok(nobodys(&desk.account)) };
        let (known, missing) = self.look_up(key, &entry)?;
        let with_known = approval.map(|approved| (approved, known));
        Ok(match with_cited(with_known, &missing, cited, &served.policies) {
            Ok(both) => Sifted::Verify(both.map(|(approved, cited)| Work::Propose { key, approved, cited })),
            Err(reason) => reason.into(),
        })
    }

    /// A proposal for a place that is past: the proof against its writer, if it is another entry than the certified one.
    fn sift_late(&mut self, key: Key, entry: &Entry) -> Step<S> {
        let header = entry.header();
        let certified = self.certified(key, header.seq)?;
        let Some(desk) = self.desk(key)? else { return Ok(Reason::NotServed.into()) };
        let elsewhere = Reason::Elsewhere { next: desk.account.next() }.into();
        let Some(certified) = certified.filter(|certified| certified.entry().hash() != entry.hash()) else {
            return Ok(elsewhere);
        };
        let keys = desk.account.state().map(|state| *state.keys());
        let (Some(keys), Some(second), Some(first)) = (keys, entry.signed_header(), certified.entry().signed_header())
        else {
            return Ok(elsewhere);
        };
        if second.header.key_seq != keys.key_seq || first.header.key_seq != keys.key_seq {
            return Ok(elsewhere);
        }
        // The first one's signature is no part of its certificate, and so it is looked at as well.
        let both =
            first.unverified(&keys.writer).with(second.unverified(&keys.writer), |first, second| (first, second));
        Ok(Sifted::Verify(both.map(|(first, second)| Work::Late { key, first, second })))
    }

    fn sift_commit(&mut self, receipt: Receipt) -> Step<S> {
        let header = *receipt.entry.header();
        let key = (header.currency, header.chain);
        let served = match self.serving(&key.0) {
            Ok(served) => served,
            Err(reason) => return Ok(reason.into()),
        };
        let known = self.certified(key, header.seq)?;
        let Some(desk) = self.desk(key)? else { return Ok(Reason::NotServed.into()) };
        let next = desk.account.next();
        let has_it = known.is_some_and(|known| known.entry().hash() == receipt.entry.hash());
        if has_it && (header.seq < next || desk.account.is_parked(header.seq)) {
            return Ok(Sifted::Say(Reply::Ack { next }));
        }
        if receipt.cert.epoch > served.present() {
            return Ok(Reason::Epoch { present: served.present() }.into());
        }
        Ok(match receipt.verify_among(&served.policies) {
            Ok(certified) => Sifted::Verify(certified.map(|certified| Work::Commit { key, certified })),
            Err(error) => Reason::invalid(error).into(),
        })
    }

    fn sift_adopt(&mut self, checkpoint: Checkpoint) -> Step<S> {
        let header = *checkpoint.receipt.entry.header();
        let key = (header.currency, header.chain);
        let served = match self.serving(&key.0) {
            Ok(served) => served,
            Err(reason) => return Ok(reason.into()),
        };
        let Some(desk) = self.desk(key)? else { return Ok(Reason::NotServed.into()) };
        let next = desk.account.next();
        if header.seq < next {
            return Ok(Sifted::Say(Reply::Ack { next }));
        }
        if checkpoint.receipt.cert.epoch > served.present() {
            return Ok(Reason::Epoch { present: served.present() }.into());
        }
        if !checkpoint.fits() {
            let words = format!("a checkpoint with its state has at most {} bytes", limits::CHECKPOINT);
            return Ok(Reason::invalid(words).into());
        }
        Ok(match checkpoint.verify_among(&served.policies) {
            Ok(checkpoint) => Sifted::Verify(checkpoint.map(|checkpoint| Work::Adopt { key, checkpoint })),
            Err(error) => Reason::invalid(error).into(),
        })
    }

    fn sift_recover(&mut self, recover: Recover, now: Timestamp) -> Step<S> {
        let Recover { slot, ballot, inception, .. } = &recover;
        let (key, ballot, strangers) = ((slot.currency, slot.chain), *ballot, self.strangers);
        let (served, desk) = match self.next_place(key, slot.seq)? {
            Ok(found) => found,
            Err(reason) => return Ok(reason.into()),
        };
        let present = served.present();
        if slot.epoch != present {
            return Ok(Reason::Epoch { present }.into());
        }
        if let Err(reason) = served.voting() {
            return Ok(reason.into());
        }
        let mine = inception.as_ref().filter(|inception| inception.currency == key.0);
        let opening = desk.account.opening(recover.opening.as_ref());
        let keys = desk.account.keys(mine);
        if opening.is_none() && keys.is_none() {
            return Ok(Reason::Unknown.into());
        }
        if ballot > desk.account.slot(present).promised() {
            let is_stranger = !desk.account.is_known();
            let allowed = desk.quota.recovery(now);
            let allowed = if is_stranger { allowed.and_then(|()| strangers.recovery(now)) } else { allowed };
            if let Err(seconds) = allowed {
                self.refused_by_quota = self.refused_by_quota.saturating_add(1);
                return Ok(Reason::Later { seconds }.into());
            }
        }
        let (signed, why) = match (opening, keys) {
            (Some(opening), _) => {
                (recover.unverified_of(opening.tab()), "another than whom the ballot belongs to signed")
            }
            (None, Some((_, keys))) => {
                (recover.unverified(&keys), "too few of the account's recovery keys have signed")
            }
            (None, None) => return Ok(Reason::Unknown.into()),
        };
        Ok(match signed {
            Some(recover) => Sifted::Verify(recover.map(|recover| Work::Recover { key, recover })),
            None => Reason::invalid(why).into(),
        })
    }

    fn sift_prepare(
        &mut self,
        ballot: u32,
        entry: Entry,
        reports: Vec<SignedReport>,
        cited: Vec<Receipt>,
        now: Timestamp,
    ) -> Step<S> {
        let header = *entry.header();
        let key = (header.currency, header.chain);
        let (served, desk) = match self.next_place(key, header.seq)? {
            Ok(found) => found,
            Err(reason) => return Ok(reason.into()),
        };
        if let Err(reason) = served.voting() {
            return Ok(reason.into());
        }
        let untouched = is_of_tab(&entry) && desk.account.slot(served.present()).prepared().is_none();
        if untouched && let Err(seconds) = desk.quota.entry(&served.policy().policy().limits, now) {
            self.refused_by_quota = self.refused_by_quota.saturating_add(1);
            return Ok(Reason::Later { seconds }.into());
        }
        let writer = writer_of(&desk.account, opens(&entry), opening_of(&entry));
        let (Some(writer), Some(approval)) = (writer, desk.account.approval(entry.clone())) else {
            return Ok(nobodys(&desk.account));
        };
        let mut with_reports = approval.map(|approved| (approved, Vec::new()));
        for report in reports {
            match report.unverified(&writer, served.policy()) {
                Ok(report) => {
                    with_reports = with_reports.with(report, |(approved, mut reports), report| {
                        reports.push(report);
                        (approved, reports)
                    });
                }
                Err(error) => return Ok(Reason::invalid(error).into()),
            }
        }
        let (known, missing) = self.look_up(key, &entry)?;
        let with_known = with_reports.map(|verified| (verified, known));
        Ok(match with_cited(with_known, &missing, cited, &served.policies) {
            Ok(all) => Sifted::Verify(all.map(|((approved, reports), cited)| Work::Prepare {
                key,
                ballot,
                approved,
                reports,
                cited,
            })),
            Err(reason) => reason.into(),
        })
    }

    fn sift_lock(&mut self, slot: SlotId, prepared: PrepCert) -> Step<S> {
        let key = (slot.currency, slot.chain);
        let (served, _) = match self.next_place(key, slot.seq)? {
            Ok(found) => found,
            Err(reason) => return Ok(reason.into()),
        };
        if let Err(reason) = served.voting() {
            return Ok(reason.into());
        }
        Ok(match prepared.unverified(slot, served.policy()) {
            Ok(prepared) => Sifted::Verify(prepared.map(|prepared| Work::Lock { key, prepared })),
            Err(error) => Reason::invalid(error).into(),
        })
    }

    /// What each report says of the chain's place here is verified; who stands further is asked for what is lacking first.
    fn sift_cross(
        &mut self,
        inception: Option<&Inception>,
        opening: Option<&Opening>,
        reports: Vec<SignedReport>,
        now: Timestamp,
    ) -> Step<S> {
        let Some(slot) = reports.first().map(|report| report.findings.slot) else {
            return Ok(Reason::invalid("there is no closing report").into());
        };
        let (key, strangers) = ((slot.currency, slot.chain), self.strangers);
        let served = match self.serving(&key.0) {
            Ok(served) => served,
            Err(reason) => return Ok(reason.into()),
        };
        let Some(policy) = served.policies.at(slot.epoch).filter(|policy| policy.epoch() < served.present()) else {
            return Ok(Reason::Epoch { present: served.present() }.into());
        };
        let Some(desk) = self.desk(key)? else { return Ok(Reason::NotServed.into()) };
        let next = desk.account.next();
        if reports.iter().any(|report| report.findings.slot.seq > next) {
            return Ok(Reason::Elsewhere { next }.into());
        }
        let mine = inception.filter(|inception| inception.currency == key.0);
        let is_tab = desk.account.opening(opening).is_some();
        if is_tab && reports.iter().any(|report| report.findings.v0.is_some()) {
            return Ok(Reason::invalid("there are no fast votes in an escrow chain").into());
        }
        let Some(writer) = writer_of(&desk.account, mine, opening) else { return Ok(Reason::Unknown.into()) };
        let is_stranger = !desk.account.is_known();
        let allowed = desk.quota.recovery(now).and(if is_stranger { strangers.recovery(now) } else { Ok(()) });
        if let Err(seconds) = allowed {
            self.refused_by_quota = self.refused_by_quota.saturating_add(1);
            return Ok(Reason::Later { seconds }.into());
        }
        let mut all = Unverified::new(Vec::new());
        for report in reports {
            match report.closing(next, &writer, policy) {
                Ok(report) => {
                    all = all.with(report, |mut reports, report| {
                        reports.push(report);
                        reports
                    });
                }
                Err(error) => return Ok(Reason::invalid(error).into()),
            }
        }
        Ok(Sifted::Verify(all.map(|reports| Work::Cross { key, reports })))
    }

    /// The account that is asked about its next place, of a currency that is served and whole.
    fn next_place(&mut self, key: Key, seq: u64) -> NextPlace<'_, S> {
        let served = match self.serving(&key.0) {
            Ok(served) => served,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(desk) = self.desk(key)? else { return Ok(Err(Reason::NotServed)) };
        let next = desk.account.next();
        Ok(if seq == next { Ok((served, desk)) } else { Err(Reason::Elsewhere { next }) })
    }

    /// A currency that is served and whole.
    pub(super) fn serving(&self, currency: &CurrencyId) -> Result<Arc<Served>, Reason> {
        match self.served.get(currency) {
            None => Err(Reason::NotServed),
            Some(served) if served.broken => Err(broken(&Broken::Before)),
            Some(served) => Ok(Arc::clone(served)),
        }
    }

    /// What an entry cites: what the witness has of it, and the places of the rest.
    fn look_up(&self, key: Key, entry: &Entry) -> Result<(CitedEntries, Places), ShelfError<S::Error>> {
        let (mut known, mut missing) = (BTreeMap::new(), Vec::new());
        let body = entry.body();
        let claimed = body.claims.iter().map(|claim| claim.out);
        let refunded = body.outs.iter().filter_map(|out| out.refund_of);
        for OutRef { chain, seq, .. } in claimed.chain(refunded) {
            if known.contains_key(&(chain, seq)) || missing.contains(&(chain, seq)) {
                continue;
            }
            match self.certified((key.0, chain), seq)? {
                Some(certified) => {
                    known.insert((chain, seq), certified);
                }
                None => missing.push((chain, seq)),
            }
        }
        Ok((known, missing))
    }
}

/// Something and what it cites.
type WithCited<T> = Unverified<(T, CitedEntries)>;

/// Adds what came along of what is missing; anything else that came along is not looked at.
fn with_cited<T>(
    mut value: WithCited<T>,
    missing: &[(AccountId, u64)],
    cited: Vec<Receipt>,
    policies: &Policies,
) -> Result<WithCited<T>, Reason> {
    let mut missing = missing.to_vec();
    for receipt in cited {
        let place = (receipt.entry.header().chain, receipt.entry.header().seq);
        let Some(at) = missing.iter().position(|missing| *missing == place) else { continue };
        missing.swap_remove(at);
        let certified = receipt.verify_among(policies).map_err(Reason::invalid)?;
        value = value.with(certified, |(value, mut known), certified| {
            known.insert(place, certified);
            (value, known)
        });
    }
    Ok(value)
}

fn opens(entry: &Entry) -> Option<&Inception> {
    match &entry.body().ctl {
        Some(Ctl::Open(inception)) => Some(inception),
        _ => None,
    }
}

/// Whose signature a reported fast vote bears; in an escrow chain, where there is none, that of nobody who matters.
fn writer_of(account: &Account, inception: Option<&Inception>, opening: Option<&Opening>) -> Option<Vk> {
    match account.opening(opening) {
        Some(opening) => Some(*opening.tab().key(Proposer::Payee)),
        None => account.keys(inception).map(|(writer, _)| writer),
    }
}

/// An entry that nobody's keys could have approved.
fn nobodys(account: &Account) -> Sifted {
    if account.tab().is_some() {
        Reason::invalid("the entry is by neither side of the tab").into()
    } else if account.state().is_some() {
        Reason::invalid("too few of the account's recovery keys have signed").into()
    } else {
        Reason::invalid("the first entry of a chain opens it, under the id that its inception has").into()
    }
}
