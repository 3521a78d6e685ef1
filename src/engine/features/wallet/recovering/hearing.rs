//! What witnesses answer.

use kinfolk_ledger::checkpoint::Checkpoint;
use kinfolk_ledger::entry::Entry;
use kinfolk_ledger::message::{Reason, Reply};
use kinfolk_ledger::recovery::SignedReport;
use kinfolk_ledger::vote::{Cert, GenuineVote, Phase, PrepCert, Receipt, SlotId, Statement, Vote};
use kinfolk_wire::codec::DecodeError;
use kinfolk_wire::ids::{AccountId, CurrencyId};

use super::super::{Final, adopting, checkpoints, settling};
use super::{BODIES, Bringing, advance, go_on, names, trouble};
use crate::effect::RequestId;
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Candidate, Key, Recoverer, RecoveryInquiry, RecoveryPhase, SlotWork, Stuck};

/// A witness has answered, or has not. Says which payments of this profile are final by that.
pub(crate) fn replied(
    step: &mut Step<'_>,
    request: RequestId,
    (currency, witness): (CurrencyId, u8),
    what: RecoveryInquiry,
    reply: Option<Result<Reply, DecodeError>>,
) -> Result<Vec<Final>, Refusal> {
    let Some(mut bringing) = Bringing::find(step, currency)? else { return Ok(Vec::new()) };
    let before = bringing.recoverer(step, witness)?;
    // What was asked before the account was found is of no use any more.
    if before.asked != Some(request.0) {
        return Ok(Vec::new());
    }
    let has_answered = before.has_answered || reply.is_some();
    step.put(Key::Recoverer(currency, witness), Recoverer { asked: None, has_answered, ..before });
    match reply {
        None => trouble(step, &mut bringing, witness, "did not answer".to_owned())?,
        Some(Err(_)) => trouble(step, &mut bringing, witness, "gave an answer that is none".to_owned())?,
        Some(Ok(Reply::Refused(reason))) => refused(step, &mut bringing, witness, what, &reason)?,
        Some(Ok(reply)) => heed(step, &mut bringing, witness, what, reply)?,
    }
    if bringing.row.phase == RecoveryPhase::Taking && bringing.is_taken() {
        return adopting::adopt(step, bringing);
    }
    go_on(step, &mut bringing)?;
    Ok(Vec::new())
}

fn heed(
    step: &mut Step<'_>,
    bringing: &mut Bringing,
    witness: u8,
    what: RecoveryInquiry,
    reply: Reply,
) -> Result<(), Refusal> {
    use RecoveryInquiry as Asked;
    let now = (bringing.seq(), bringing.row.slot.ballot);
    match (what, reply) {
        (Asked::Candidate(number), Reply::Pending { next, entries }) => {
            known(step, bringing, witness, number, next, &entries)
        }
        (Asked::First(number), Reply::Entries(entries)) => first(step, bringing, witness, number, entries),
        (Asked::First(number), Reply::Checkpoint(checkpoint)) => {
            let candidate =
                usize::try_from(number).ok().and_then(|number| bringing.row.candidates.get(number)).copied();
            match candidate.filter(|_| bringing.row.phase == RecoveryPhase::Searching) {
                Some(candidate) => passed_over(step, bringing, witness, candidate, checkpoint),
                None => Ok(()),
            }
        }
        (Asked::Entries, Reply::Checkpoint(checkpoint)) => {
            let candidate = bringing.candidate()?;
            passed_over(step, bringing, witness, candidate, checkpoint)
        }
        (Asked::Pending, Reply::Pending { next, entries }) => shown(step, bringing, witness, next, entries),
        (Asked::Entries, Reply::Entries(entries)) => fetched(step, bringing, witness, entries),
        (Asked::Commit(_), Reply::Ack { next }) => stands(step, bringing, witness, next),
        (Asked::Report(seq, ballot), Reply::Report(report)) => match (seq, ballot) == now {
            true => reported(step, bringing, witness, report),
            false => Ok(()),
        },
        (Asked::Propose(seq), Reply::Vote(_)) if seq != now.0 => Ok(()),
        (Asked::Propose(_), Reply::Vote(vote)) => voted(step, bringing, witness, vote, Phase::Fast),
        (Asked::Prepare(seq, ballot) | Asked::Lock(seq, ballot), Reply::Vote(_)) if (seq, ballot) != now => Ok(()),
        (Asked::Prepare(..), Reply::Vote(vote)) => voted(step, bringing, witness, vote, Phase::Prepare),
        (Asked::Lock(..), Reply::Vote(vote)) => voted(step, bringing, witness, vote, Phase::Commit),
        (Asked::Cited(chain, seq), Reply::Entries(entries)) => cited(step, bringing, witness, (chain, seq), entries),
        (Asked::Propose(_), Reply::Conflict { .. }) => {
            trouble(step, bringing, witness, "has voted for another first entry of this account".to_owned())
        }
        _ => trouble(step, bringing, witness, "gave an answer to another question".to_owned()),
    }
}

fn refused(
    step: &mut Step<'_>,
    bringing: &mut Bringing,
    witness: u8,
    what: RecoveryInquiry,
    reason: &Reason,
) -> Result<(), Refusal> {
    use RecoveryInquiry as Asked;
    match (reason, what) {
        (Reason::Elsewhere { next }, _) => return stands(step, bringing, witness, *next),
        (Reason::Promised { ballot }, Asked::Report(seq, of) | Asked::Prepare(seq, of) | Asked::Lock(seq, of))
            if (seq, of) == (bringing.seq(), bringing.row.slot.ballot) =>
        {
            bringing.row.slot.promised = bringing.row.slot.promised.max(*ballot);
        }
        (Reason::NotCited { .. }, Asked::Propose(_) | Asked::Prepare(..)) if !bringing.row.slot.wants_cited => {
            bringing.row.slot.wants_cited = true;
            return Ok(());
        }
        (Reason::Invalid(_) | Reason::Frozen, Asked::Prepare(seq, of))
            if (seq, of) == (bringing.seq(), bringing.row.slot.ballot) =>
        {
            bringing.row.slot.stuck = Some(Stuck::Refused);
        }
        _ => {}
    }
    trouble(step, bringing, witness, settling::in_words(reason))
}

/// A witness has said what it knows of a candidate.
fn known(
    step: &mut Step<'_>,
    bringing: &mut Bringing,
    witness: u8,
    number: u32,
    next: u64,
    entries: &[Entry],
) -> Result<(), Refusal> {
    let before = bringing.recoverer(step, witness)?;
    let candidate = usize::try_from(number).ok().and_then(|number| bringing.row.candidates.get(number)).copied();
    let Some(candidate) = candidate.filter(|_| bringing.row.phase == RecoveryPhase::Searching) else {
        return Ok(());
    };
    let id = bringing.book.id;
    if next > 0 {
        step.put(Key::Recoverer(id, witness), Recoverer { next: Some(next), ..before });
        return Ok(());
    }
    for entry in entries {
        if bringing.opens(entry, candidate)? {
            take(step, bringing, candidate);
            bringing.row.slot.choice = Some(entry.hash());
            bringing.row.slot.bodies = vec![entry.clone()];
            return Ok(());
        }
    }
    let next = number.saturating_add(1);
    step.put(Key::Recoverer(id, witness), Recoverer { candidate: next, ..before });
    if usize::try_from(next).is_ok_and(|next| next < bringing.row.candidates.len()) {
        return Ok(());
    }
    bringing.row.nothing_at.push(witness);
    if bringing.row.nothing_at.len() >= bringing.book.policy.quorum().q() {
        return adopting::nothing(step, bringing);
    }
    Ok(())
}

/// A witness shows the first entry of a candidate.
fn first(
    step: &mut Step<'_>,
    bringing: &mut Bringing,
    witness: u8,
    number: u32,
    entries: Vec<Receipt>,
) -> Result<(), Refusal> {
    let candidate = usize::try_from(number).ok().and_then(|number| bringing.row.candidates.get(number)).copied();
    let Some(candidate) = candidate.filter(|_| bringing.row.phase == RecoveryPhase::Searching) else {
        return Ok(());
    };
    let receipt = entries.into_iter().next();
    let certified = receipt.and_then(|receipt| receipt.verify(&bringing.book.policy).ok()?.verify().ok());
    let is_its = certified.is_some_and(|certified| {
        let header = certified.entry().header();
        header.chain == candidate.account && header.seq == 0
    });
    if !is_its {
        return trouble(step, bringing, witness, "says that it knows an account that it does not show".to_owned());
    }
    take(step, bringing, candidate);
    Ok(())
}

/// A witness shows a checkpoint of a candidate, since it has let go of what is before: that is gone on with.
fn passed_over(
    step: &mut Step<'_>,
    bringing: &mut Bringing,
    witness: u8,
    candidate: Candidate,
    checkpoint: Checkpoint,
) -> Result<(), Refusal> {
    let Some(genuine) = checkpoints::genuine(&bringing.book, candidate.account, checkpoint) else {
        let what = "shows a checkpoint that is none of this account";
        return trouble(step, bringing, witness, what.to_owned());
    };
    if bringing.row.phase == RecoveryPhase::Searching {
        take(step, bringing, candidate);
    }
    // Somebody else may have shown what is after it in the meantime.
    if genuine.state().seq() >= bringing.seq() {
        bringing.row.state = Some(checkpoints::adopt(step, &bringing.book, &genuine)?);
        (bringing.row.slot, bringing.row.tries) = (SlotWork::default(), 0);
    }
    Ok(())
}

/// The account was found.
fn take(step: &mut Step<'_>, bringing: &mut Bringing, candidate: Candidate) {
    bringing.row.phase = RecoveryPhase::Taking;
    bringing.row.found = Some(candidate);
    bringing.row.state = None;
    bringing.row.slot = SlotWork::default();
    bringing.forget(step);
}

/// A witness shows where it stands, and what it has voted for there.
fn shown(
    step: &mut Step<'_>,
    bringing: &mut Bringing,
    witness: u8,
    next: u64,
    entries: Vec<Entry>,
) -> Result<(), Refusal> {
    let before = bringing.recoverer(step, witness)?;
    step.put(Key::Recoverer(bringing.book.id, witness), Recoverer { next: Some(next), has_shown: true, ..before });
    if next != bringing.seq() {
        return Ok(());
    }
    for entry in entries {
        let hash = entry.hash();
        let work = &bringing.row.slot;
        let is_named = work.reports.iter().flat_map(names).any(|named| named == hash);
        let is_wanted = is_named || (bringing.row.state.is_none() && work.choice.is_none());
        let is_new = is_wanted && work.entry(hash).is_none() && work.bodies.len() < BODIES;
        if is_new && bringing.is_genuine(&entry)? {
            let work = &mut bringing.row.slot;
            work.bodies.push(entry);
            // Nobody but its writer opens an account: there is no ballot to choose in.
            if bringing.row.state.is_none() {
                work.choice = work.choice.or(Some(hash));
            }
        }
    }
    Ok(())
}

/// A witness stands at this place of the chain.
fn stands(step: &mut Step<'_>, bringing: &mut Bringing, witness: u8, next: u64) -> Result<(), Refusal> {
    let before = bringing.recoverer(step, witness)?;
    if before.next.is_some_and(|before| next <= before) {
        return trouble(step, bringing, witness, "does not take what it is given".to_owned());
    }
    let standing = Recoverer { next: Some(next), has_shown: true, ..before };
    step.put(Key::Recoverer(bringing.book.id, witness), standing);
    Ok(())
}

/// Certified entries came.
fn fetched(step: &mut Step<'_>, bringing: &mut Bringing, witness: u8, entries: Vec<Receipt>) -> Result<(), Refusal> {
    let mut is_of_use = false;
    for receipt in entries {
        let header = receipt.entry.header();
        if header.seq < bringing.seq() {
            // Somebody else showed it in the meantime.
            is_of_use = true;
            continue;
        }
        let is_next = SlotId::of(header) == bringing.slot()?;
        let verified = receipt.verify(&bringing.book.policy).ok().filter(|_| is_next);
        let Some(entry) = verified.and_then(|entry| entry.verify().ok()) else { break };
        if advance(step, bringing, entry.entry().clone(), entry.cert().clone()).is_err() {
            break;
        }
        is_of_use = true;
    }
    if !is_of_use {
        trouble(step, bringing, witness, "does not show the entries that it claims to have".to_owned())?;
    }
    Ok(())
}

fn reported(step: &mut Step<'_>, bringing: &mut Bringing, witness: u8, report: SignedReport) -> Result<(), Refusal> {
    let Some(state) = &bringing.row.state else { return Ok(()) };
    let findings = &report.findings;
    let is_asked =
        report.witness == witness && findings.slot == bringing.slot()? && findings.ballot == bringing.row.slot.ballot;
    let genuine = report.clone().unverified(&state.keys().writer, &bringing.book.policy);
    if !is_asked || !genuine.is_ok_and(|genuine| genuine.verify().is_ok()) {
        return trouble(step, bringing, witness, "gave a report that is none".to_owned());
    }
    let work = &mut bringing.row.slot;
    work.reports.retain(|before| before.witness != witness);
    let is_known = names(&report).all(|hash| work.entry(hash).is_some());
    work.reports.push(report);
    if !is_known {
        let before = bringing.recoverer(step, witness)?;
        step.put(Key::Recoverer(bringing.book.id, witness), Recoverer { has_shown: false, ..before });
    }
    Ok(())
}

fn voted(step: &mut Step<'_>, bringing: &mut Bringing, witness: u8, vote: Vote, phase: Phase) -> Result<(), Refusal> {
    let Some(entry) = bringing.row.slot.choice else { return Ok(()) };
    let ballot = if phase == Phase::Fast { 0 } else { bringing.row.slot.ballot };
    let statement = Statement { slot: bringing.slot()?, ballot, phase, entry };
    let policy = &bringing.book.policy;
    let verify = |vote: &Vote| vote.unverified(policy).and_then(|vote| vote.verify().ok());
    let is_asked = vote.witness == witness && vote.statement == statement;
    if !is_asked || verify(&vote).is_none() {
        return trouble(step, bringing, witness, "gave a vote that is none".to_owned());
    }
    let work = &mut bringing.row.slot;
    let votes = if phase == Phase::Commit { &mut work.committed } else { &mut work.prepared };
    votes.retain(|before| before.witness != witness);
    votes.push(vote);
    let genuine: Vec<GenuineVote> = votes.iter().filter_map(verify).collect();
    if phase == Phase::Prepare {
        work.prepcert = PrepCert::of(&genuine, policy);
        return Ok(());
    }
    let (Some(cert), Some(entry)) = (Cert::of(&genuine, policy), work.chosen().cloned()) else { return Ok(()) };
    if work.rotation.as_ref().is_none_or(|rotation| rotation.hash() != entry.hash()) {
        bringing.row.completed = bringing.row.completed.saturating_add(1);
    }
    advance(step, bringing, entry, cert)
}

/// An entry that is cited came, or did not.
fn cited(
    step: &mut Step<'_>,
    bringing: &mut Bringing,
    witness: u8,
    place: (AccountId, u64),
    entries: Vec<Receipt>,
) -> Result<(), Refusal> {
    let mut standing = bringing.recoverer(step, witness)?;
    standing.asked_for.push(place);
    step.put(Key::Recoverer(bringing.book.id, witness), standing);
    let receipt = entries.into_iter().next().filter(|receipt| {
        let header = receipt.entry.header();
        (header.chain, header.seq) == place
    });
    let verified = receipt.and_then(|receipt| receipt.verify(&bringing.book.policy).ok()?.verify().ok());
    if let Some(verified) = verified.filter(|_| bringing.missing().contains(&place)) {
        bringing.row.slot.cited.push(verified.receipt());
    }
    Ok(())
}
