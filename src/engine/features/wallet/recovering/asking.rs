//! What is asked of a witness next.

use kinfolk_ledger::message::Request;
use kinfolk_ledger::recovery::Recover;
use kinfolk_ledger::vote::Vote;
use kinfolk_wire::ids::AccountId;

use super::super::{checkpoints, currencies};
use super::{Bringing, ENTRIES};
use crate::effect::{Effect, RequestId};
use crate::refusal::Refusal;
use crate::services::errands::Group;
use crate::step::Step;
use crate::store::{Inquiry, Key, Recoverer, RecoveryInquiry, RecoveryPhase};

/// Asks a witness what is to be asked of it next.
pub(super) fn ask(step: &mut Step<'_>, bringing: &mut Bringing, witness: u8) -> Result<(), Refusal> {
    let standing = bringing.recoverer(step, witness)?;
    if standing.asked.is_some() || standing.trouble.is_some() {
        return Ok(());
    }
    let asked = match bringing.row.phase {
        RecoveryPhase::Searching => about_candidate(bringing, witness, &standing),
        RecoveryPhase::Taking => about_place(step, bringing, witness, &standing)?,
        RecoveryPhase::Done | RecoveryPhase::Nothing => None,
    };
    match asked {
        Some((what, request)) => send(step, bringing, witness, what, &request),
        None => Ok(()),
    }
}

fn about_candidate(bringing: &Bringing, witness: u8, standing: &Recoverer) -> Option<(RecoveryInquiry, Request)> {
    let number = standing.candidate;
    let chain = bringing.row.candidates.get(usize::try_from(number).ok()?)?.account;
    if bringing.row.nothing_at.contains(&witness) {
        return None;
    }
    let currency = bringing.book.id;
    Some(match standing.next {
        Some(_) => (RecoveryInquiry::First(number), Request::Entries { currency, chain, from: 0, to: 1 }),
        None => (RecoveryInquiry::Candidate(number), Request::Pending { currency, chain }),
    })
}

/// What is asked of a witness about the next place of the account.
fn about_place(
    step: &Step<'_>,
    bringing: &mut Bringing,
    witness: u8,
    standing: &Recoverer,
) -> Result<Option<(RecoveryInquiry, Request)>, Refusal> {
    let (currency, chain, seq) = (bringing.book.id, bringing.candidate()?.account, bringing.seq());
    let pending = Some((RecoveryInquiry::Pending, Request::Pending { currency, chain }));
    let next = match standing.next {
        Some(next) if standing.has_shown || next != seq => next,
        _ => return Ok(pending),
    };
    if next > seq {
        let to = next.min(seq.saturating_add(ENTRIES));
        return Ok(Some((RecoveryInquiry::Entries, Request::Entries { currency, chain, from: seq, to })));
    }
    if next < seq {
        let request = checkpoints::bringing(step, bringing.book.id, next)?;
        return Ok(Some((RecoveryInquiry::Commit(next), request)));
    }
    let voted = |votes: &[Vote]| votes.iter().any(|vote| vote.witness == witness);
    let slot = bringing.slot()?;
    if bringing.row.state.is_none() {
        let Some(entry) = bringing.row.slot.chosen().cloned() else { return Ok(None) };
        if voted(&bringing.row.slot.prepared) {
            return Ok(None);
        }
        let propose = || Request::Propose { entry, cited: bringing.cited() };
        return Ok(wanted(bringing, standing).or_else(|| Some((RecoveryInquiry::Propose(seq), propose()))));
    }
    let work = &mut bringing.row.slot;
    work.ballot = work.ballot.max(1);
    let ballot = work.ballot;
    if let Some(prepared) = &work.prepcert {
        let lock = || Request::Lock { slot, prepared: prepared.clone() };
        return Ok((!voted(&work.committed)).then(|| (RecoveryInquiry::Lock(seq, ballot), lock())));
    }
    if !work.has_report_of(witness) {
        let recover = Recover::sign(slot, ballot, None, &[(0, &bringing.key()?)]);
        return Ok(Some((RecoveryInquiry::Report(seq, ballot), Request::Recover(recover))));
    }
    let work = &bringing.row.slot;
    let Some(entry) = work.chosen().cloned() else { return Ok(None) };
    if voted(&work.prepared) {
        return Ok(None);
    }
    let reports = || work.reports.clone();
    let prepare = || Request::Prepare { ballot, entry, reports: reports(), cited: bringing.cited() };
    Ok(wanted(bringing, standing).or_else(|| Some((RecoveryInquiry::Prepare(seq, ballot), prepare()))))
}

/// An entry that is cited and that this witness may have, where another one lacks it.
fn wanted(bringing: &Bringing, standing: &Recoverer) -> Option<(RecoveryInquiry, Request)> {
    if !bringing.row.slot.wants_cited {
        return None;
    }
    let missing = bringing.missing();
    let (chain, seq) = missing.into_iter().find(|place| !standing.asked_for.contains(place))?;
    let to = seq.saturating_add(1);
    let request = Request::Entries { currency: bringing.book.id, chain, from: seq, to };
    Some((RecoveryInquiry::Cited(chain, seq), request))
}

fn send(
    step: &mut Step<'_>,
    bringing: &Bringing,
    witness: u8,
    what: RecoveryInquiry,
    request: &Request,
) -> Result<(), Refusal> {
    let currency = bringing.book.id;
    let Some(named) = bringing.book.policy.policy().witnesses.get(usize::from(witness)) else { return Ok(()) };
    let reach = currencies::whereabouts(&step.reads(), &bringing.book.currency, named.peer_id)?;
    let number = step.next_request()?;
    let before = bringing.recoverer(step, witness)?;
    step.put(Key::Recoverer(currency, witness), Recoverer { asked: Some(number), ..before });
    step.put(Key::Inquiry(number), Inquiry::Recovery { currency, witness, what });
    let group = match bringing.row.phase {
        RecoveryPhase::Searching => bringing.row.group,
        _ => account_group(bringing.candidate()?.account),
    };
    step.effect(Effect::Inquire {
        request: RequestId(number),
        host: reach.peer,
        addresses: reach.addresses,
        group,
        body: request.encode(),
    });
    Ok(())
}

fn account_group(account: AccountId) -> u64 {
    let mut group = [0; 16];
    for (to, from) in group.iter_mut().zip(account.as_bytes()) {
        *to = *from;
    }
    Group::of(&group).0
}
