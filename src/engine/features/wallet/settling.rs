//! Taking an entry to the witnesses until it is final, and to all of them afterwards.
//!
//! One question at a time for each witness: what it lacks first, then the first entry that is not certified. Whoever
//! gave no answer, or none that helps, is asked again later, at growing intervals, for as long as it takes.

use std::collections::BTreeSet;

use kinfolk_ledger::checkpoint::Checkpoint;
use kinfolk_ledger::entry::{Ctl, Entry};
use kinfolk_ledger::equivocation::EquivocationProof;
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_ledger::vote::{Cert, Receipt, Statement, Vote};
use kinfolk_wire::content::Payment;
use kinfolk_wire::ids::{CurrencyId, PeerId};
use kinfolk_wire::time::Span;

use super::book::{Book, Order, paid_to, receipts};
use super::{Final, carrying, changed, checkpoints, currencies, invoices, promising, recovering, tabs};
use crate::effect::{Effect, RequestId};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::services::errands::Group;
use crate::step::Step;
use crate::store::{Alarm, CurrencyStanding, Inquiry, Key, Movement, MovementKind, Nothing, Standing, Stopped};

/// The first wait before witnesses are asked again; each next one is twice as long.
const AGAIN: Span = Span::from_secs(2);
/// The longest while a payment waits for its quorum, and while only some witnesses lack what is final.
const LONGEST_PENDING: Span = Span::from_secs(60);
pub(crate) const LONGEST_WAIT: Span = Span::from_hours(1);
/// How long money that came waits for a payment to be claimed with.
const CLAIMED_AFTER: Span = Span::from_hours(1);
const NO_VOTE: &str = "gave a vote that is none";
/// Entries that are asked for at once.
const ENTRIES: u64 = 64;

/// The node has started: what waits goes on.
pub(crate) fn start(step: &mut Step<'_>) -> Result<(), Refusal> {
    for (id, currency) in currencies::all(&step.reads())? {
        if currency.standing == CurrencyStanding::Accepted {
            step.contain(|step| look(step, id))?;
        }
    }
    Ok(())
}

/// Witnesses that may be ahead of this profile are found out before it signs anything: the account may have been brought
/// back elsewhere.
fn look(step: &mut Step<'_>, id: CurrencyId) -> Result<(), Refusal> {
    let book = Book::open(step, id)?;
    for witness in places(&book).filter(|_| book.account.certified > 0) {
        let before = standing(step, &book, witness)?;
        if before.next.is_none() {
            step.put(Key::Standing(id, witness), Standing { lacks: true, ..before });
        }
    }
    ask_again(step, id)
}

/// A node is there again: where it is a witness that something waits for, it is asked at once.
pub(crate) fn witness_came(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    for (id, currency) in currencies::all(&step.reads())? {
        if currency.standing != CurrencyStanding::Accepted {
            continue;
        }
        let witnesses = &currency.policy.policy.witnesses;
        let Some((place, _)) = (0_u8..).zip(witnesses).find(|(_, witness)| witness.peer_id == peer) else { continue };
        if step.find::<Standing>(&Key::Standing(id, place))?.is_some_and(|standing| standing.trouble.is_some()) {
            step.contain(|step| ask_again(step, id))?;
        }
    }
    Ok(())
}

/// It is time to ask the witnesses of a currency again.
pub(crate) fn ask_again(step: &mut Step<'_>, id: CurrencyId) -> Result<(), Refusal> {
    let mut book = Book::open(step, id)?;
    let tries = book.account.tries.saturating_add(1);
    ask_anew(step, &mut book, tries)?;
    claim_waiting(step, id)?;
    checkpoints::write_due(step, id)
}

/// Money that has waited for long is claimed, so that a lost phone takes little with it: what was claimed, the witnesses
/// know.
pub(super) fn claim_waiting(step: &mut Step<'_>, id: CurrencyId) -> Result<(), Refusal> {
    let mut book = Book::open(step, id)?;
    let is_idle = book.account.certified == book.signed() && book.account.stopped.is_none();
    if !is_idle || book.account.recovery.is_none() {
        return Ok(());
    }
    let Some(oldest) = book.unclaimed(step)?.into_values().map(|movement| movement.at).min() else { return Ok(()) };
    let due = oldest.after(CLAIMED_AFTER);
    if due > step.now {
        if book.account.again_at.is_none_or(|before| due < before) {
            step.set_alarm(Alarm::Settle(id), book.account.again_at, due);
            book.account.again_at = Some(due);
            book.save(step);
        }
        return Ok(());
    }
    match book.sign(step, Order::default(), None) {
        Ok(_) => take(step, &mut book),
        // Less than what opens an account.
        Err(Refusal::NotEnough { .. }) => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

/// Something was signed: all witnesses are asked, those too that were in trouble before.
pub(super) fn take(step: &mut Step<'_>, book: &mut Book) -> Result<(), Refusal> {
    ask_anew(step, book, 0)
}

fn ask_anew(step: &mut Step<'_>, book: &mut Book, tries: u32) -> Result<(), Refusal> {
    step.clear_alarm(Alarm::Settle(book.id), book.account.again_at);
    book.account.again_at = None;
    book.account.tries = tries;
    book.save(step);
    for witness in places(book) {
        let standing = standing(step, book, witness)?;
        // What nobody here knows of, it may have invented.
        let next = standing.next.filter(|next| *next <= book.account.certified);
        step.put(Key::Standing(book.id, witness), Standing { trouble: None, refuses: false, next, ..standing });
    }
    ask_all(step, book)
}

fn places(book: &Book) -> impl Iterator<Item = u8> + use<> {
    (0_u8..).take(book.policy.quorum().n())
}

fn standing(step: &Step<'_>, book: &Book, witness: u8) -> Result<Standing, Refusal> {
    Ok(step.find(&Key::Standing(book.id, witness))?.unwrap_or_default())
}

/// Asks every witness what is to be asked of it next.
fn ask_all(step: &mut Step<'_>, book: &mut Book) -> Result<(), Refusal> {
    for witness in places(book) {
        ask(step, book, witness)?;
    }
    Ok(())
}

fn ask(step: &mut Step<'_>, book: &mut Book, witness: u8) -> Result<(), Refusal> {
    let standing = standing(step, book, witness)?;
    if standing.asked.is_some() || standing.trouble.is_some() || book.account.stopped.is_some() {
        return Ok(());
    }
    let (currency, certified) = (book.id, book.account.certified);
    let next = match standing.next {
        Some(next) => next,
        // Whatever it says to the last of what is final tells where it stands.
        None if standing.lacks => certified.saturating_sub(1),
        None => certified,
    };
    if next < certified {
        let commit = checkpoints::bringing(step, book.id, next)?;
        return send(step, book, witness, Inquiry::Commit { currency, witness, seq: next }, &commit);
    }
    if next > certified {
        let request = Request::Entries {
            currency,
            chain: book.account.account,
            from: certified,
            to: next.min(certified.saturating_add(ENTRIES)),
        };
        return send(step, book, witness, Inquiry::Entries { currency, witness }, &request);
    }
    if next == book.signed() {
        return Ok(());
    }
    let own = book.own(step, next)?;
    if own.votes.iter().any(|vote| vote.witness == witness) {
        return Ok(());
    }
    let cited = if standing.cite { receipts(step, book, &own.cited)? } else { Vec::new() };
    let propose = Request::Propose { entry: *own.entry, cited };
    send(step, book, witness, Inquiry::Propose { currency, witness, seq: next }, &propose)
}

fn send(step: &mut Step<'_>, book: &Book, witness: u8, inquiry: Inquiry, request: &Request) -> Result<(), Refusal> {
    let Some(named) = book.policy.policy().witnesses.get(usize::from(witness)) else { return Ok(()) };
    let reach = currencies::whereabouts(&step.reads(), &book.currency, named.peer_id)?;
    let number = step.next_request()?;
    let before = standing(step, book, witness)?;
    step.put(Key::Standing(book.id, witness), Standing { asked: Some(number), ..before });
    step.put(Key::Inquiry(number), inquiry);
    step.effect(Effect::Inquire {
        request: RequestId(number),
        host: reach.peer,
        addresses: reach.addresses,
        group: group_of(book),
        body: request.encode(),
    });
    Ok(())
}

/// The network identity from which the account's witnesses are asked.
pub(super) fn group_of(book: &Book) -> u64 {
    let mut group = [0; 16];
    for (to, from) in group.iter_mut().zip(book.account.account.as_bytes()) {
        *to = *from;
    }
    Group::of(&group).0
}

/// Money came that waits to be claimed: it is, where it is much or has waited for long.
pub(super) fn claim(step: &mut Step<'_>, id: CurrencyId) -> Result<(), Refusal> {
    let mut book = Book::open(step, id)?;
    if book.gather(step)? { take(step, &mut book) } else { claim_waiting(step, id) }
}

/// A witness has answered, or has not. Says which payments are final by that.
pub(crate) fn replied(step: &mut Step<'_>, request: RequestId, body: Option<&[u8]>) -> Result<Vec<Final>, Refusal> {
    let Some(inquiry) = step.find::<Inquiry>(&Key::Inquiry(request.0))? else { return Ok(Vec::new()) };
    step.delete(Key::Inquiry(request.0));
    let reply = body.map(Reply::decode);
    let (currency, witness) = match inquiry {
        Inquiry::Key { peer } => {
            currencies::key_came(step, peer, reply.and_then(Result::ok))?;
            return Ok(Vec::new());
        }
        Inquiry::Recovery { currency, witness, what } => {
            return recovering::replied(step, request, (currency, witness), what, reply);
        }
        Inquiry::Tab { tab, witness } => {
            return tabs::asking::replied(step, request, (tab, witness), reply).map(|()| Vec::new());
        }
        Inquiry::Carry { currency, number, witness, place } => {
            return carrying::replied(step, (currency, number, witness, place), reply).map(|()| Vec::new());
        }
        Inquiry::Propose { currency, witness, .. }
        | Inquiry::Commit { currency, witness, .. }
        | Inquiry::Entries { currency, witness } => (currency, witness),
    };
    let mut book = Book::open(step, currency)?;
    let before = standing(step, &book, witness)?;
    step.put(Key::Standing(currency, witness), Standing { asked: None, ..before });
    let mut finals = Vec::new();
    match reply {
        None => trouble(step, &mut book, witness, "did not answer".to_owned())?,
        Some(Err(_)) => trouble(step, &mut book, witness, "gave an answer that is none".to_owned())?,
        Some(Ok(reply)) => finals = heed(step, &mut book, witness, inquiry, reply)?,
    }
    ask_all(step, &mut book)?;
    if !finals.is_empty() || book.account.again_at.is_none() {
        claim_waiting(step, currency)?;
        checkpoints::write_due(step, currency)?;
    }
    Ok(finals)
}

fn heed(
    step: &mut Step<'_>,
    book: &mut Book,
    witness: u8,
    inquiry: Inquiry,
    reply: Reply,
) -> Result<Vec<Final>, Refusal> {
    match (reply, inquiry) {
        (Reply::Vote(vote), Inquiry::Propose { seq, .. }) => return voted(step, book, witness, seq, vote),
        (
            Reply::Ack { next } | Reply::Refused(Reason::Elsewhere { next }),
            Inquiry::Propose { .. } | Inquiry::Commit { .. },
        ) => stands(step, book, witness, next)?,
        (Reply::Refused(Reason::NotCited { .. }), Inquiry::Propose { .. }) => {
            let before = standing(step, book, witness)?;
            if before.cite {
                trouble(step, book, witness, "does not take the receipts that the payment stands on".to_owned())?;
            } else {
                step.put(Key::Standing(book.id, witness), Standing { cite: true, ..before });
            }
        }
        (Reply::Conflict { first }, Inquiry::Propose { seq, .. }) => {
            let own = book.own(step, seq)?;
            let Some(second) = own.entry.signed_header() else { return Ok(Vec::new()) };
            let proof = EquivocationProof::Writer(first, second);
            forked(step, book, witness, proof)?;
        }
        (Reply::Entries(entries), Inquiry::Entries { .. }) => return found(step, book, witness, entries),
        (Reply::Checkpoint(checkpoint), Inquiry::Entries { .. }) => overtaken(step, book, witness, checkpoint)?,
        (Reply::Refused(reason), _) => {
            if matches!(reason, Reason::Invalid(_) | Reason::Frozen) {
                let before = standing(step, book, witness)?;
                step.put(Key::Standing(book.id, witness), Standing { refuses: true, ..before });
            }
            trouble(step, book, witness, in_words(&reason))?;
        }
        _ => trouble(step, book, witness, "gave an answer to another question".to_owned())?,
    }
    Ok(Vec::new())
}

pub(super) fn in_words(reason: &Reason) -> String {
    match reason {
        Reason::NotServed => "does not serve this currency yet".to_owned(),
        Reason::Unknown => "does not know this account".to_owned(),
        Reason::Elsewhere { .. } => "stands at another place".to_owned(),
        Reason::NotCited { .. } => "lacks what the payment stands on".to_owned(),
        Reason::Later { seconds } => format!("wants to be asked again in {seconds} s"),
        Reason::Frozen => "has this account frozen: two entries were signed for one place".to_owned(),
        Reason::Promised { ballot } => format!("takes part in a recovery of this account (ballot {ballot})"),
        Reason::Epoch { .. } | Reason::NotCrossed { .. } => {
            "votes under another policy than the currency's first; this program pays under the first only".to_owned()
        }
        Reason::Invalid(why) => format!("says: {why}"),
    }
}

/// A witness is asked again later, and what was wrong is told until then.
fn trouble(step: &mut Step<'_>, book: &mut Book, witness: u8, what: String) -> Result<(), Refusal> {
    let before = standing(step, book, witness)?;
    step.put(Key::Standing(book.id, witness), Standing { trouble: Some(what), ..before });
    let is_pending = book.account.certified < book.signed();
    let longest = if is_pending { LONGEST_PENDING } else { LONGEST_WAIT };
    let doubled = AGAIN.as_millis().checked_shl(book.account.tries.min(20)).unwrap_or(u64::MAX);
    let due = step.now.after(Span::from_millis(doubled.min(longest.as_millis())));
    // One that was set while nothing waited may be far off.
    if book.account.again_at.is_none_or(|before| due < before) {
        step.set_alarm(Alarm::Settle(book.id), book.account.again_at, due);
        book.account.again_at = Some(due);
        book.save(step);
    }
    if is_pending {
        step.mention(Event::WitnessTrouble(book.id));
    }
    Ok(())
}

/// A witness stands at this place of the chain.
fn stands(step: &mut Step<'_>, book: &mut Book, witness: u8, next: u64) -> Result<(), Refusal> {
    let before = standing(step, book, witness)?;
    // Whoever stands no further than it stood takes nothing that it is given.
    if before.next.is_some_and(|before| next <= before) {
        return trouble(step, book, witness, "does not take what it is given".to_owned());
    }
    step.put(Key::Standing(book.id, witness), Standing { next: Some(next), ..before });
    Ok(())
}

/// A vote came. Signatures are looked at once there is a quorum of votes, all together; until then a forged one is counted
/// as one that answered, and no more.
fn voted(step: &mut Step<'_>, book: &mut Book, witness: u8, seq: u64, vote: Vote) -> Result<Vec<Final>, Refusal> {
    if seq < book.account.certified {
        return Ok(Vec::new());
    }
    let mut own = book.own(step, seq)?;
    let is_asked = vote.witness == witness && Statement::fast(&own.entry) == vote.statement;
    if !is_asked {
        return trouble(step, book, witness, NO_VOTE.to_owned()).map(|()| Vec::new());
    }
    own.votes.push(vote);
    let mut cert = None;
    if own.votes.len() >= book.policy.quorum().q() {
        let gathered = Cert::gather(&own.votes, &book.policy, &mut step.rng);
        own.votes.retain(|vote| !gathered.forged.contains(&vote.witness));
        for witness in gathered.forged {
            trouble(step, book, witness, NO_VOTE.to_owned())?;
        }
        cert = gathered.cert;
    }
    let hash = own.entry.hash();
    step.put(Key::OwnEntry(book.id, seq), own.clone());
    match cert {
        Some(cert) => certified(step, book, seq, *own.entry, cert),
        None => changed(step, book.id, hash).map(|()| Vec::new()),
    }
}

/// The first entry that was not certified is: it is final.
fn certified(step: &mut Step<'_>, book: &mut Book, seq: u64, entry: Entry, cert: Cert) -> Result<Vec<Final>, Refusal> {
    let own = book.own(step, seq)?;
    let number = own.movement;
    let voters: BTreeSet<u8> = own.votes.iter().map(|vote| vote.witness).collect();
    let receipt = Receipt { entry, cert };
    let kept = crate::store::OwnEntry { votes: Vec::new(), cert: Some(Box::new(receipt.cert.clone())), ..own };
    step.put(Key::OwnEntry(book.id, seq), kept);
    book.account.certified = seq.saturating_add(1);
    book.account.tries = 0;
    step.clear_alarm(Alarm::Settle(book.id), book.account.again_at);
    book.account.again_at = None;
    let mut finals = Vec::new();
    if let Some(number) = number
        && let Some(mut movement) = step.find::<Movement>(&Key::Movement(book.id, number))?
    {
        changed(step, book.id, movement.entry)?;
        invoices::settled(step, &movement)?;
        let claims: Vec<_> = paid_to(&receipt.entry, book.account.account).map(|(claim, _)| claim).collect();
        if !claims.is_empty() {
            movement.claims = claims;
            step.put(Key::Unclaimed(book.id, number), Nothing {});
            step.put(Key::Movement(book.id, number), movement.clone());
        }
        if movement.kind == MovementKind::TabOpened {
            tabs::funded(step, book, &movement, &receipt)?;
        } else if let Some(contact) = movement.contact {
            let is_refund = movement.kind == MovementKind::Refunded;
            let sum = book.sum(movement.amount.units());
            let payment = Payment { sum, receipt: receipt.encode(), memo: movement.memo, is_refund };
            finals.push(Final { contact, payment });
        }
    }
    // Those that were in trouble may help with what waits behind it.
    for witness in places(book) {
        let before = standing(step, book, witness)?;
        let next = before.next.or_else(|| voters.contains(&witness).then_some(seq));
        let lacks = next.is_none();
        step.put(Key::Standing(book.id, witness), Standing { next, lacks, cite: false, ..before });
    }
    book.save(step);
    promising::settled(step, book, seq)?;
    if book.signed() == book.account.certified {
        book.gather(step)?;
    }
    remind(step, book)?;
    Ok(finals)
}

/// Witnesses that could not be asked are asked again while they lack something.
fn remind(step: &mut Step<'_>, book: &mut Book) -> Result<(), Refusal> {
    for witness in places(book) {
        if let Some(what) = standing(step, book, witness)?.trouble {
            trouble(step, book, witness, what)?;
        }
    }
    Ok(())
}

/// Somebody signed another entry for the same place: nothing more is signed for this account.
fn forked(step: &mut Step<'_>, book: &mut Book, witness: u8, proof: EquivocationProof) -> Result<(), Refusal> {
    let Some(state) = &book.account.state else { return Ok(()) };
    let genuine =
        proof.clone().unverified(&state.keys().writer, &book.policy).ok().and_then(|proof| proof.verify().ok());
    if genuine.is_none() {
        return trouble(step, book, witness, "claims a conflict that it cannot show".to_owned());
    }
    book.account.stopped = Some(Stopped::Forked(Box::new(proof)));
    book.save(step);
    step.emit(Event::CurrencyChanged(book.id))
}

/// Certified entries came that this profile did not know to be certified.
fn found(step: &mut Step<'_>, book: &mut Book, witness: u8, entries: Vec<Receipt>) -> Result<Vec<Final>, Refusal> {
    let mut finals = Vec::new();
    let mut is_of_use = false;
    for receipt in entries {
        let seq = book.account.certified;
        let header = receipt.entry.header();
        let genuine = header.chain == book.account.account && header.seq == seq;
        let verified = receipt.verify(&book.policy).ok().filter(|_| genuine).and_then(|entry| entry.verify().ok());
        let Some(entry) = verified else { break };
        let own = if seq < book.signed() { Some(book.own(step, seq)?) } else { None };
        if own.is_some_and(|own| own.entry.hash() == entry.entry().hash()) {
            finals.extend(certified(step, book, seq, entry.entry().clone(), entry.cert().clone())?);
            is_of_use = true;
        } else {
            // Written by a newer copy of this profile. What it knew of its keys and payments is not here.
            let next = standing(step, book, witness)?.next.unwrap_or(seq.saturating_add(1));
            // Only a new key that this profile does not have tells that somebody has the recovery phrase.
            let is_taken = matches!(entry.entry().body().ctl, Some(Ctl::Rotate { .. }));
            book.account.stopped = Some(if is_taken { Stopped::Recovered } else { Stopped::Behind { next } });
            book.save(step);
            step.emit(Event::CurrencyChanged(book.id))?;
            return Ok(finals);
        }
    }
    if !is_of_use {
        trouble(step, book, witness, "does not show the entries that it claims to have".to_owned())?;
    }
    Ok(finals)
}

/// A checkpoint came that stands for entries which this profile does not know: a newer copy of it wrote them, and witnesses
/// have let them go.
fn overtaken(step: &mut Step<'_>, book: &mut Book, witness: u8, checkpoint: Checkpoint) -> Result<(), Refusal> {
    let genuine = checkpoints::genuine(book, book.account.account, checkpoint);
    let Some(genuine) = genuine.filter(|genuine| genuine.state().seq() >= book.account.certified) else {
        return trouble(step, book, witness, "shows a checkpoint that is none of this account".to_owned());
    };
    let key_seq = book.account.state.as_ref().map_or(0, |state| state.keys().key_seq);
    let next = standing(step, book, witness)?.next.unwrap_or_default().max(genuine.state().seq().saturating_add(1));
    let is_taken = genuine.state().keys().key_seq > key_seq;
    book.account.stopped = Some(if is_taken { Stopped::Recovered } else { Stopped::Behind { next } });
    book.save(step);
    step.emit(Event::CurrencyChanged(book.id))
}

/// Whether an entry makes new money.
pub(super) const fn is_mint(entry: &Entry) -> bool {
    matches!(entry.body().ctl, Some(Ctl::Mint { .. }))
}
