//! What is promised to this person: judged, kept apart from what they have, and money once it is certified
//! (docs/protocol/12-wallet.md, "Payments without witnesses").
//!
//! What a payee can lose, and why not more, stands at the top of `src/ledger/promise.rs`. Here it is counted: all that a
//! payer has promised and that did not become final, what was lost with it.

use kinfolk_ledger::entry::SignedHeader;
use kinfolk_ledger::equivocation::EquivocationProof;
use kinfolk_ledger::promise::{Judge, Promise, Sound, Unsound};
use kinfolk_ledger::receipt_file::memo_hash;
use kinfolk_ledger::vote::Receipt;
use kinfolk_wire::content::Promise as PromiseBody;
use kinfolk_wire::ids::{AccountId, CurrencyId, IdentityId};

use super::book::{Book, paid_to};
use super::{carrying, changed, invoices, settling};
use crate::refusal::Refusal;
use crate::step::{Rejection, Step};
use crate::store::{
    Alarm, Carrier, Key, Movement, MovementKind, MovementPlace, Nothing, Outcome, Payer, Promised, Row, Scan,
};

/// Promises of one payer that are taken to the witnesses at a time. A payer who keeps to the rules has no more entries
/// under way than a policy's `chained`.
const OF_ONE: usize = 16;
/// Entries of a payer that are remembered, the newest.
const KNOWN: usize = 64;

/// Everything that was promised in a currency, and is not yet a line.
pub(super) fn all(step: &Step<'_>, currency: CurrencyId) -> Result<Vec<(u64, Promised)>, Refusal> {
    let rows = step.scan(&Scan::promised(currency))?.rows;
    Ok(rows
        .into_iter()
        .filter_map(|(key, row)| match (key, row) {
            (Key::Promised(_, number), Row::Promised(promised)) => Some((number, promised)),
            _ => None,
        })
        .collect())
}

/// A contact promises a payment. What is sound and within the caps is shown, at risk; everything else is dropped.
pub(crate) fn came(step: &mut Step<'_>, from: IdentityId, said: &PromiseBody) -> Result<(), Refusal> {
    let Ok(mut book) = Book::open(step, said.sum.currency) else {
        step.reject(Rejection::Misplaced);
        return Ok(());
    };
    let Some(sound) = read(step, &book, from, said)? else { return Ok(()) };
    let (amount, class, invoice) = (sound.amount(), sound.class(), sound.invoice());
    let (promise, writers) = sound.into_parts();
    let Some(entry) = promise.entries.last() else { return Ok(()) };
    let (entry, chain) = (entry.hash(), entry.header().chain);
    let (number, at) = (book.next_movement(), step.now);
    let headers = std::iter::once(&promise.base.entry).chain(&promise.entries);
    let headers: Vec<SignedHeader> = headers.filter_map(kinfolk_ledger::entry::Entry::signed_header).collect();
    note(step, chain, &headers)?;
    let movement = Movement {
        entry,
        kind: MovementKind::Received,
        at,
        amount,
        class,
        account: chain,
        contact: Some(from),
        memo: said.memo.clone(),
        claims: Vec::new(),
        receipt: None,
        seq: None,
        refund_of: None,
        invoice,
        tab: None,
    };
    let mut row = Promised {
        contact: from,
        chain,
        units: amount.units(),
        outcome: Outcome::AtRisk,
        votes: promise.votes.clone(),
        promise: Some(Box::new(promise)),
        writers,
        certs: Vec::new(),
        carriers: vec![Carrier::default(); book.policy.quorum().n()],
        again_at: None,
        tries: 0,
    };
    step.put(Key::Movement(book.id, number), movement);
    step.put(Key::MovementPlace(entry), MovementPlace { currency: book.id, number });
    book.save(step);
    carrying::take(step, &mut book, number, &mut row)?;
    changed(step, book.id, entry)
}

/// The promise, if it is what it says and may be taken.
fn read(step: &mut Step<'_>, book: &Book, from: IdentityId, said: &PromiseBody) -> Result<Option<Sound>, Refusal> {
    let Ok(promise) = Promise::decode(&said.promise) else {
        step.reject(Rejection::Malformed);
        return Ok(None);
    };
    let Some(entry) = promise.entries.last() else {
        step.reject(Rejection::Malformed);
        return Ok(None);
    };
    if step.has(&Key::MovementPlace(entry.hash()))? {
        step.reject(Rejection::Replay);
        return Ok(None);
    }
    let chain = entry.header().chain;
    let payer: Payer = step.find(&Key::Payer(chain))?.unwrap_or_default();
    let is_said = book.sum(said.sum.units) == said.sum && entry.body().memo_hash == said.memo.as_ref().map(memo_hash);
    let (outstanding, count) = outstanding(step, book.id, from, chain)?;
    if !is_said || payer.proof.is_some() || count >= OF_ONE || book.searched().is_err() {
        step.reject(Rejection::Misplaced);
        return Ok(None);
    }
    let payee = book.account.account;
    let judge = Judge { policy: &book.policy, payee, outstanding, known: &payer.known, now: step.now };
    match promise.judge(&judge) {
        Ok(sound) if sound.amount().units() == said.sum.units => Ok(Some(sound)),
        Err(Unsound::Conflict(proof)) => {
            step.reject(Rejection::Misplaced);
            exposed(step, book, chain, &proof)?;
            Ok(None)
        }
        Ok(_) | Err(_) => {
            step.reject(Rejection::Misplaced);
            Ok(None)
        }
    }
}

/// Smallest units that a contact, or whoever uses this account, has promised and that are not final; and how many promises
/// are on their way. What was lost stays counted.
fn outstanding(
    step: &Step<'_>,
    currency: CurrencyId,
    contact: IdentityId,
    chain: AccountId,
) -> Result<(u64, usize), Refusal> {
    let theirs = |row: &Promised| row.outcome != Outcome::Final && (row.contact == contact || row.chain == chain);
    let rows: Vec<Promised> = all(step, currency)?.into_iter().map(|(_, row)| row).filter(theirs).collect();
    let units = rows.iter().map(|row| row.units).fold(0, u64::saturating_add);
    Ok((units, rows.iter().filter(|row| row.promise.is_some()).count()))
}

/// Remembers entries of an account that pays.
fn note(step: &mut Step<'_>, chain: AccountId, headers: &[SignedHeader]) -> Result<(), Refusal> {
    let mut payer: Payer = step.find(&Key::Payer(chain))?.unwrap_or_default();
    for header in headers {
        if !payer.known.contains(header) {
            payer.known.push(*header);
        }
    }
    payer.known.sort_by_key(|known| known.header.seq);
    let over = payer.known.len().saturating_sub(KNOWN);
    payer.known.drain(..over);
    step.put(Key::Payer(chain), payer);
    Ok(())
}

/// A certified entry of somebody who pays is here: what was promised and does not fit with it is lost.
pub(super) fn learned(step: &mut Step<'_>, book: &Book, receipt: &Receipt) -> Result<(), Refusal> {
    let header = receipt.entry.header();
    note(step, header.chain, receipt.entry.signed_header().as_slice())?;
    for (number, mut row) in all(step, book.id)? {
        let Some(promise) = row.promise.as_deref().filter(|_| row.chain == header.chain) else { continue };
        let at_its_place = |entry: &&kinfolk_ledger::entry::Entry| entry.header().seq == header.seq;
        let is_other = promise.entries.iter().find(at_its_place).is_some_and(|own| own.hash() != receipt.entry.hash());
        if is_other {
            lost(step, book, number, &mut row, receipt.clone())?;
        }
    }
    Ok(())
}

/// Another entry stands where one of these was to stand.
pub(super) fn lost(
    step: &mut Step<'_>,
    book: &Book,
    number: u64,
    row: &mut Promised,
    stands: Receipt,
) -> Result<(), Refusal> {
    let mut found = None;
    for (entry, writer) in row.promise.iter().flat_map(|promise| &promise.entries).zip(&row.writers) {
        if let (Some(one), Some(other)) = (entry.signed_header(), stands.entry.signed_header()) {
            let proof = EquivocationProof::Writer(one, other);
            let genuine = proof.clone().unverified(writer, &book.policy).ok().and_then(|proof| proof.verify().ok());
            found = found.or_else(|| genuine.map(|_| proof));
        }
    }
    if let Some(proof) = &found {
        exposed(step, book, row.chain, proof)?;
    }
    let before = match &row.outcome {
        Outcome::Broken { proof, .. } => proof.clone(),
        Outcome::AtRisk | Outcome::Final => None,
    };
    row.outcome = Outcome::Broken { proof: found.map(Box::new).or(before), stands: Some(Box::new(stands)) };
    close(step, book, number, row)
}

/// Its payer signed two entries for one place: nothing more is taken of this account without witnesses, and what was
/// promised with one of the two is lost, unless that one is certified all the same.
pub(super) fn exposed(
    step: &mut Step<'_>,
    book: &Book,
    chain: AccountId,
    proof: &EquivocationProof,
) -> Result<(), Refusal> {
    let mut payer: Payer = step.find(&Key::Payer(chain))?.unwrap_or_default();
    payer.proof.get_or_insert_with(|| Box::new(proof.clone()));
    step.put(Key::Payer(chain), payer);
    let EquivocationProof::Writer(one, other) = proof else { return Ok(()) };
    let names = [one.header.hash(), other.header.hash()];
    for (number, row) in all(step, book.id)? {
        let is_of_it = row.promise.as_ref().is_some_and(|promise| {
            promise.entries.iter().any(|entry| names.contains(&entry.hash()) && entry.header().chain == chain)
        });
        if is_of_it && row.outcome == Outcome::AtRisk {
            let outcome = Outcome::Broken { proof: Some(Box::new(proof.clone())), stands: None };
            step.put(Key::Promised(book.id, number), Promised { outcome, ..row });
            tell(step, book, number)?;
        }
    }
    Ok(())
}

fn tell(step: &mut Step<'_>, book: &Book, number: u64) -> Result<(), Refusal> {
    match step.find::<Movement>(&Key::Movement(book.id, number))? {
        Some(movement) => changed(step, book.id, movement.entry),
        None => Ok(()),
    }
}

/// It is decided: nothing more is taken to the witnesses.
fn close(step: &mut Step<'_>, book: &Book, number: u64, row: &mut Promised) -> Result<(), Refusal> {
    if let Some(entry) = row.promise.as_ref().and_then(|promise| promise.entries.last()) {
        step.clear_alarm(Alarm::Carry(entry.hash()), row.again_at);
    }
    (row.promise, row.again_at) = (None, None);
    (row.certs, row.votes, row.writers, row.carriers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    step.put(Key::Promised(book.id, number), row.clone());
    tell(step, book, number)
}

/// What was promised is certified: it is money, from now on and once.
pub(super) fn certified(
    step: &mut Step<'_>,
    book: &mut Book,
    number: u64,
    row: &mut Promised,
    receipt: Receipt,
) -> Result<(), Refusal> {
    let Some(movement) = step.find::<Movement>(&Key::Movement(book.id, number))? else { return Ok(()) };
    if row.outcome == Outcome::Final || movement.entry != receipt.entry.hash() {
        return Ok(());
    }
    row.outcome = Outcome::Final;
    close(step, book, number, row)?;
    let claims = paid_to(&receipt.entry, book.account.account).map(|(claim, _)| claim).collect();
    let movement = Movement { claims, receipt: Some(Box::new(receipt)), ..movement };
    invoices::paid(step, &movement)?;
    step.put(Key::Movement(book.id, number), movement);
    step.put(Key::Unclaimed(book.id, number), Nothing {});
    if book.gather(step)? { settling::take(step, book) } else { settling::claim_waiting(step, book.id) }
}

/// The payer hands over the payment that was promised. Says whether it is a line now: it is once.
pub(super) fn handed_over(
    step: &mut Step<'_>,
    book: &mut Book,
    from: IdentityId,
    place: MovementPlace,
    receipt: &Receipt,
) -> Result<bool, Refusal> {
    let row: Option<Promised> = step.find(&Key::Promised(place.currency, place.number))?;
    let Some(mut row) = row.filter(|row| row.contact == from && place.currency == book.id) else { return Ok(false) };
    certified(step, book, place.number, &mut row, receipt.clone())?;
    step.delete(Key::Promised(place.currency, place.number));
    Ok(true)
}
