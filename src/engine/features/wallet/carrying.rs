//! Taking to the witnesses what was promised to this person: anybody may bring a signed entry, so a payer who goes away
//! does not decide whether a payment becomes final.
//!
//! As in `settling`, but of somebody else's chain, of which nothing is here but what came with the promise: the last
//! certified entry and those that follow. Each witness is asked one thing at a time, again at growing intervals.

use kinfolk_ledger::entry::Entry;
use kinfolk_ledger::equivocation::EquivocationProof;
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_ledger::promise::Promise;
use kinfolk_ledger::vote::{Cert, Receipt, Statement, Vote};
use kinfolk_wire::codec::DecodeError;
use kinfolk_wire::ids::{CurrencyId, EntryHash, PeerId};
use kinfolk_wire::time::Span;

use super::book::Book;
use super::{changed, currencies, promised, settling};
use crate::effect::{Effect, RequestId};
use crate::refusal::Refusal;
use crate::services::errands::Group;
use crate::step::Step;
use crate::store::{Alarm, Carrier, CurrencyStanding, Inquiry, Key, MovementPlace, Promised};

/// The first wait before witnesses are asked again; each next one is twice as long.
const AGAIN: Span = Span::from_secs(2);
/// The longest, for as long as the proof of balance that came with it may be old, and afterwards.
const LONGEST_FRESH: Span = Span::from_secs(60);
pub(crate) const LONGEST_WAIT: Span = Span::from_hours(1);

/// The node has started: what it asked before is gone.
pub(crate) fn start(step: &mut Step<'_>) -> Result<(), Refusal> {
    for (id, currency) in currencies::all(&step.reads())? {
        if currency.standing == CurrencyStanding::Accepted {
            step.contain(|step| {
                for (number, mut row) in promised::all(step, id)? {
                    if row.promise.is_some() {
                        let mut book = Book::open(step, id)?;
                        row.carriers = vec![Carrier::default(); book.policy.quorum().n()];
                        take(step, &mut book, number, &mut row)?;
                    }
                }
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// A node is there again: where it is a witness that something waits for, it is asked at once.
pub(crate) fn witness_came(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    for (id, currency) in currencies::all(&step.reads())? {
        let witnesses = &currency.policy.policy.witnesses;
        let Some(at) = witnesses.iter().position(|witness| witness.peer_id == peer) else { continue };
        for (_, row) in promised::all(step, id)? {
            let is_wanted = row.carriers.get(at).is_some_and(|carrier| carrier.trouble.is_some());
            if let Some(entry) = row.promise.as_ref().and_then(|promise| promise.entries.last()).filter(|_| is_wanted) {
                let entry = entry.hash();
                step.contain(|step| ask_again(step, entry))?;
            }
        }
    }
    Ok(())
}

/// It is time to ask the witnesses again about what was promised by this entry.
pub(crate) fn ask_again(step: &mut Step<'_>, entry: EntryHash) -> Result<(), Refusal> {
    let Some(place) = step.find::<MovementPlace>(&Key::MovementPlace(entry))? else { return Ok(()) };
    let Some(mut row) = step.find::<Promised>(&Key::Promised(place.currency, place.number))? else { return Ok(()) };
    if row.promise.is_none() {
        return Ok(());
    }
    let mut book = Book::open(step, place.currency)?;
    row.tries = row.tries.saturating_add(1);
    take(step, &mut book, place.number, &mut row)
}

/// Asks every witness, those too that were in trouble, and keeps the row.
pub(super) fn take(step: &mut Step<'_>, book: &mut Book, number: u64, row: &mut Promised) -> Result<(), Refusal> {
    let Some(way) = Way::of(row) else { return Ok(()) };
    step.clear_alarm(Alarm::Carry(way.payment), row.again_at);
    row.again_at = None;
    for carrier in &mut row.carriers {
        carrier.trouble = None;
        // What nobody here knows of, it may have invented.
        carrier.next = carrier.next.filter(|next| *next <= way.certified);
    }
    ask_all(step, book, number, row)?;
    step.put(Key::Promised(book.id, number), row.clone());
    Ok(())
}

/// The places of the payer's chain that it is about.
struct Way {
    /// That of the entry which was certified when it was promised.
    base: u64,
    /// The first after it.
    first: u64,
    /// The first that is not certified.
    certified: u64,
    /// After the payment's.
    end: u64,
    /// The payment.
    payment: EntryHash,
}

impl Way {
    fn of(row: &Promised) -> Option<Self> {
        let promise = row.promise.as_deref()?;
        let base = promise.base.entry.header().seq;
        let first = base.checked_add(1)?;
        let certified = first.checked_add(u64::try_from(row.certs.len()).ok()?)?;
        let end = first.checked_add(u64::try_from(promise.entries.len()).ok()?)?;
        Some(Self { base, first, certified, end, payment: promise.entries.last()?.hash() })
    }

    /// The entry of a place, and its certificate where it has one.
    fn at<'a>(&self, row: &'a Promised, promise: &'a Promise, place: u64) -> Option<(&'a Entry, Option<&'a Cert>)> {
        let index = usize::try_from(place.checked_sub(self.first)?).ok()?;
        Some((promise.entries.get(index)?, row.certs.get(index)))
    }
}

fn ask_all(step: &mut Step<'_>, book: &Book, number: u64, row: &mut Promised) -> Result<(), Refusal> {
    for witness in (0_u8..).take(book.policy.quorum().n()) {
        ask(step, book, number, row, witness)?;
    }
    Ok(())
}

fn ask(step: &mut Step<'_>, book: &Book, number: u64, row: &mut Promised, witness: u8) -> Result<(), Refusal> {
    let (Some(way), Some(promise)) = (Way::of(row), row.promise.clone()) else { return Ok(()) };
    let Some(carrier) = row.carriers.get(usize::from(witness)).cloned() else { return Ok(()) };
    if carrier.asked.is_some() || carrier.trouble.is_some() {
        return Ok(());
    }
    let next = carrier.next.unwrap_or(way.certified);
    if next < way.base {
        let words = "lacks entries of the payer's that are not here".to_owned();
        return trouble(step, book, row, witness, words);
    }
    let request = if next == way.base {
        Request::Commit { receipt: promise.base.clone() }
    } else if next > way.certified {
        let chain = row.chain;
        Request::Entries { currency: book.id, chain, from: way.certified, to: next.min(way.end) }
    } else {
        let Some((entry, cert)) = way.at(row, &promise, next) else { return Ok(()) };
        match cert {
            Some(cert) => Request::Commit { receipt: Receipt { entry: entry.clone(), cert: cert.clone() } },
            None if row.votes.iter().any(|vote| vote.witness == witness) => return Ok(()),
            None => {
                let cited = if carrier.cite { cited_by(entry, &promise) } else { Vec::new() };
                Request::Propose { entry: entry.clone(), cited }
            }
        }
    };
    let request_id = send(step, book, (number, witness, way.certified), row, &request)?;
    if let (Some(carrier), Some(request_id)) = (row.carriers.get_mut(usize::from(witness)), request_id) {
        carrier.asked = Some(request_id);
    }
    Ok(())
}

/// The receipts of what an entry claims.
fn cited_by(entry: &Entry, promise: &Promise) -> Vec<Receipt> {
    let is_cited = |receipt: &&Receipt| {
        let header = receipt.entry.header();
        entry.body().claims.iter().any(|claim| claim.out.chain == header.chain && claim.out.seq == header.seq)
    };
    promise.cited.iter().filter(is_cited).cloned().collect()
}

fn send(
    step: &mut Step<'_>,
    book: &Book,
    (number, witness, place): (u64, u8, u64),
    row: &Promised,
    request: &Request,
) -> Result<Option<u64>, Refusal> {
    let Some(named) = book.policy.policy().witnesses.get(usize::from(witness)) else { return Ok(None) };
    let reach = currencies::whereabouts(&step.reads(), &book.currency, named.peer_id)?;
    let id = step.next_request()?;
    step.put(Key::Inquiry(id), Inquiry::Carry { currency: book.id, number, witness, place });
    // Not the network identity of this person's own account: that they know the payer is nobody's business.
    let mut group = [0; 16];
    for (to, from) in group.iter_mut().zip(row.chain.as_bytes()) {
        *to = *from;
    }
    step.effect(Effect::Inquire {
        request: RequestId(id),
        host: reach.peer,
        addresses: reach.addresses,
        group: Group::of(&group).0,
        body: request.encode(),
    });
    Ok(Some(id))
}

/// A witness has answered about something that was promised, or has not.
pub(super) fn replied(
    step: &mut Step<'_>,
    (currency, number, witness, place): (CurrencyId, u64, u8, u64),
    reply: Option<Result<Reply, DecodeError>>,
) -> Result<(), Refusal> {
    let Some(mut row) = step.find::<Promised>(&Key::Promised(currency, number))? else { return Ok(()) };
    if row.promise.is_none() {
        return Ok(());
    }
    let mut book = Book::open(step, currency)?;
    if let Some(carrier) = row.carriers.get_mut(usize::from(witness)) {
        carrier.asked = None;
    }
    match reply {
        None => trouble(step, &book, &mut row, witness, "did not answer".to_owned())?,
        Some(Err(_)) => trouble(step, &book, &mut row, witness, "gave an answer that is none".to_owned())?,
        Some(Ok(reply)) => heed(step, &mut book, number, &mut row, (witness, place), reply)?,
    }
    if row.promise.is_some() {
        ask_all(step, &book, number, &mut row)?;
        step.put(Key::Promised(currency, number), row);
    }
    Ok(())
}

fn heed(
    step: &mut Step<'_>,
    book: &mut Book,
    number: u64,
    row: &mut Promised,
    (witness, place): (u8, u64),
    reply: Reply,
) -> Result<(), Refusal> {
    match reply {
        Reply::Vote(vote) => voted(step, book, number, row, (witness, place), vote),
        Reply::Ack { next } | Reply::Refused(Reason::Elsewhere { next }) => stands(step, book, row, witness, next),
        Reply::Refused(Reason::NotCited { .. }) => match row.carriers.get_mut(usize::from(witness)) {
            Some(carrier) if !carrier.cite => {
                carrier.cite = true;
                Ok(())
            }
            _ => {
                let words = "does not take the receipts that the payment stands on".to_owned();
                trouble(step, book, row, witness, words)
            }
        },
        Reply::Conflict { first } => conflicts(step, book, number, row, (witness, place), first),
        Reply::Entries(entries) => found(step, book, number, row, witness, entries),
        Reply::Refused(reason) => trouble(step, book, row, witness, settling::in_words(&reason)),
        _ => trouble(step, book, row, witness, "gave an answer to another question".to_owned()),
    }
}

fn trouble(step: &mut Step<'_>, book: &Book, row: &mut Promised, witness: u8, what: String) -> Result<(), Refusal> {
    let Some(way) = Way::of(row) else { return Ok(()) };
    if let Some(carrier) = row.carriers.get_mut(usize::from(witness)) {
        carrier.trouble = Some(what);
    }
    let made = row.promise.as_ref().map_or(step.now, |promise| promise.base.entry.body().ts);
    let is_fresh = step.now.since(made) <= book.policy.policy().offline.proof_age;
    let longest = if is_fresh { LONGEST_FRESH } else { LONGEST_WAIT };
    let doubled = AGAIN.as_millis().checked_shl(row.tries.min(20)).unwrap_or(u64::MAX);
    let due = step.now.after(Span::from_millis(doubled.min(longest.as_millis())));
    if row.again_at.is_none_or(|before| due < before) {
        step.set_alarm(Alarm::Carry(way.payment), row.again_at, due);
        row.again_at = Some(due);
    }
    Ok(())
}

/// A witness stands at this place of the chain.
fn stands(step: &mut Step<'_>, book: &Book, row: &mut Promised, witness: u8, next: u64) -> Result<(), Refusal> {
    let Some(carrier) = row.carriers.get_mut(usize::from(witness)) else { return Ok(()) };
    // Whoever stands no further than it stood takes nothing that it is given.
    if carrier.next.is_some_and(|before| next <= before) {
        return trouble(step, book, row, witness, "does not take what it is given".to_owned());
    }
    carrier.next = Some(next);
    Ok(())
}

fn voted(
    step: &mut Step<'_>,
    book: &mut Book,
    number: u64,
    row: &mut Promised,
    (witness, place): (u8, u64),
    vote: Vote,
) -> Result<(), Refusal> {
    let (Some(way), Some(promise)) = (Way::of(row), row.promise.clone()) else { return Ok(()) };
    if place != way.certified {
        return Ok(());
    }
    let Some((entry, None)) = way.at(row, &promise, place) else { return Ok(()) };
    let entry = entry.clone();
    let is_asked = vote.witness == witness && Statement::fast(&entry) == vote.statement;
    let genuine = vote.unverified(&book.policy).filter(|_| is_asked).and_then(|vote| vote.verify().ok());
    if genuine.is_none() {
        return trouble(step, book, row, witness, "gave a vote that is none".to_owned());
    }
    if !row.votes.iter().any(|before| before.witness == witness) {
        row.votes.push(vote);
    }
    let is_quorum = row.votes.len() >= book.policy.quorum().q();
    let cert = if is_quorum { Cert::gather(&row.votes, &book.policy, &mut step.rng).cert } else { None };
    match cert {
        Some(cert) => certified(step, book, number, row, Receipt { entry, cert }),
        None => changed(step, book.id, way.payment),
    }
}

/// The first entry that was not certified is.
fn certified(
    step: &mut Step<'_>,
    book: &mut Book,
    number: u64,
    row: &mut Promised,
    receipt: Receipt,
) -> Result<(), Refusal> {
    let Some(way) = Way::of(row) else { return Ok(()) };
    if receipt.entry.hash() == way.payment {
        // Whoever needs it now is the payer, who may be gone: each witness is given it, and no answer is waited for.
        let commit = Request::Commit { receipt: receipt.clone() };
        for witness in (0_u8..).take(book.policy.quorum().n()) {
            send(step, book, (number, witness, way.end), row, &commit)?;
        }
        return promised::certified(step, book, number, row, receipt);
    }
    let voters: Vec<u8> = row.votes.drain(..).map(|vote| vote.witness).collect();
    row.certs.push(receipt.cert);
    row.tries = 0;
    for (witness, carrier) in (0_u8..).zip(&mut row.carriers) {
        carrier.cite = false;
        carrier.next = carrier.next.or_else(|| voters.contains(&witness).then_some(way.certified));
    }
    Ok(())
}

/// A witness has voted for another entry that the same key signed for the same place.
fn conflicts(
    step: &mut Step<'_>,
    book: &Book,
    number: u64,
    row: &mut Promised,
    (witness, place): (u8, u64),
    first: kinfolk_ledger::entry::SignedHeader,
) -> Result<(), Refusal> {
    let (Some(way), Some(promise)) = (Way::of(row), row.promise.clone()) else { return Ok(()) };
    let index = place.checked_sub(way.first).and_then(|index| usize::try_from(index).ok());
    let writer = index.and_then(|index| row.writers.get(index));
    let own = way.at(row, &promise, place).and_then(|(entry, _)| entry.signed_header());
    let (Some(writer), Some(own)) = (writer, own) else { return Ok(()) };
    let proof = EquivocationProof::Writer(first, own);
    let genuine = proof.clone().unverified(writer, &book.policy).ok().and_then(|proof| proof.verify().ok());
    if genuine.is_none() {
        return trouble(step, book, row, witness, "claims a conflict that it cannot show".to_owned());
    }
    step.put(Key::Promised(book.id, number), row.clone());
    promised::exposed(step, book, row.chain, &proof)?;
    if let Some(kept) = step.find::<Promised>(&Key::Promised(book.id, number))? {
        *row = kept;
    }
    // That one may be certified already: it is asked for next.
    if let Some(carrier) = row.carriers.get_mut(usize::from(witness)) {
        carrier.next = way.certified.checked_add(1);
    }
    Ok(())
}

/// A witness shows what is certified of the chain.
fn found(
    step: &mut Step<'_>,
    book: &mut Book,
    number: u64,
    row: &mut Promised,
    witness: u8,
    entries: Vec<Receipt>,
) -> Result<(), Refusal> {
    let mut is_of_use = false;
    for receipt in entries {
        let (Some(way), Some(promise)) = (Way::of(row), row.promise.clone()) else { return Ok(()) };
        let header = receipt.entry.header();
        let Some((own, None)) = way.at(row, &promise, way.certified) else { break };
        let is_next = header.chain == row.chain && header.seq == way.certified;
        let verified = receipt.clone().verify(&book.policy).ok().filter(|_| is_next);
        if verified.and_then(|receipt| receipt.verify().ok()).is_none() {
            break;
        }
        is_of_use = true;
        if own.hash() == receipt.entry.hash() {
            // The approval in a receipt proves nothing; that of one's own was verified.
            let receipt = Receipt { entry: own.clone(), cert: receipt.cert };
            certified(step, book, number, row, receipt)?;
        } else {
            step.put(Key::Promised(book.id, number), row.clone());
            return promised::lost(step, book, number, row, receipt);
        }
    }
    if is_of_use {
        Ok(())
    } else {
        trouble(step, book, row, witness, "does not show what it claims to have".to_owned())
    }
}
