//! Promising a payment to its payee where the witnesses do not answer (docs/protocol/12-wallet.md, "Payments without
//! witnesses").
//!
//! A payment that found no quorum in time is handed to a payee who is a contact, as a promise, with everything that lets
//! them judge it. It is judged here first, by the same rules: what its payee would not take is not sent, and this person
//! is told which cap it was. The payment itself goes on to the witnesses as before, and is the same one.

use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::entry::Ctl;
use kinfolk_ledger::limits;
use kinfolk_ledger::promise::{Judge, Promise, Unsound};
use kinfolk_ledger::vote::Receipt;
use kinfolk_wire::content::{Body, Promise as PromiseBody};
use kinfolk_wire::ids::{EntryHash, IdentityId};
use kinfolk_wire::time::Span;

use super::book::{Book, receipts};
use super::changed;
use crate::refusal::{Refusal, in_words};
use crate::services::directory;
use crate::step::Step;
use crate::store::{Alarm, Footing, Handed, Key, Movement, MovementKind, MovementPlace};

/// How long a payment is given to find its quorum before its payee is handed a promise.
pub(crate) const PROMISED_AFTER: Span = Span::from_secs(2);

/// The checkpoint that an entry carries on which others may stand, where the state is small enough to be shown.
pub(super) fn checkpoint(state: &ChainState) -> Option<Ctl> {
    (state.encode().len() <= limits::FOOTING).then(|| Ctl::Checkpoint { state_root: state.root() })
}

/// A payment was signed: if it finds no quorum soon, its payee is promised it.
pub(super) fn expect(step: &mut Step<'_>, entry: EntryHash) {
    step.set_alarm(Alarm::Promise(entry), None, step.now.after(PROMISED_AFTER));
}

/// The time that a payment was given is over. Says what its payee is to be handed, if anything.
pub(crate) fn due(step: &mut Step<'_>, entry: EntryHash) -> Result<Option<(IdentityId, Body)>, Refusal> {
    let Some(place) = step.find::<MovementPlace>(&Key::MovementPlace(entry))? else { return Ok(None) };
    let movement: Option<Movement> = step.find(&Key::Movement(place.currency, place.number))?;
    let Some(movement) = movement.filter(|movement| movement.kind == MovementKind::Paid) else { return Ok(None) };
    let (Some(seq), Some(contact)) = (movement.seq, movement.contact) else { return Ok(None) };
    let book = Book::open(step, place.currency)?;
    let is_pending = seq >= book.account.certified && seq < book.signed() && book.account.stopped.is_none();
    let is_contact = directory::find(step, contact)?.is_some_and(|contact| directory::is_open(&contact));
    let footing = footing(step, &book, seq)?;
    if !is_pending || !is_contact || footing.handed == Some(Handed::Over) {
        return Ok(None);
    }
    let made = promise(step, &book, &movement, seq, contact)?;
    let (handed, body) = match made {
        Ok(promise) => {
            let promise = PromiseBody {
                sum: book.sum(movement.amount.units()),
                promise: promise.encode(),
                memo: movement.memo.clone(),
            };
            (Handed::Over, Some((contact, Body::Promise(promise))))
        }
        Err(why) => (Handed::Kept(why), None),
    };
    step.put(Key::Footing(book.id, seq), Footing { handed: Some(handed), ..footing });
    changed(step, book.id, entry)?;
    Ok(body)
}

fn footing(step: &Step<'_>, book: &Book, seq: u64) -> Result<Footing, Refusal> {
    Ok(step.find(&Key::Footing(book.id, seq))?.unwrap_or(Footing { state: None, handed: None }))
}

/// The promise of an entry that waits; or why its payee would not take it, in words.
fn promise(
    step: &Step<'_>,
    book: &Book,
    movement: &Movement,
    seq: u64,
    contact: IdentityId,
) -> Result<Result<Promise, String>, Refusal> {
    let nothing = "nothing of this account is certified yet that shows what it has; the next payment that is final \
                   changes that";
    let certified = book.account.certified;
    let Some(last) = certified.checked_sub(1) else { return Ok(Err(nothing.to_owned())) };
    let base = book.own(step, last)?;
    let Some(cert) = base.cert else { return Err(Refusal::Inconsistent("a certified entry has no certificate")) };
    let state = footing(step, book, last)?.state.map(|state| *state);
    let (mut entries, mut cited, mut outstanding) = (Vec::new(), Vec::new(), 0_u64);
    let mut votes = Vec::new();
    for at in certified..=seq {
        let own = book.own(step, at)?;
        cited.extend(receipts(step, book, &own.cited)?);
        if at == certified {
            votes.clone_from(&own.votes);
            votes.sort_by_key(|vote| vote.witness);
        }
        if at < seq && promised_to(step, book, at, own.movement, contact)? {
            let before = own.entry.body().outs.iter().map(|out| out.amt.units());
            outstanding = before.fold(outstanding, u64::saturating_add);
        }
        entries.push(*own.entry);
    }
    let promise = Promise { state, base: Receipt { entry: *base.entry, cert: *cert }, entries, cited, votes };
    let found = promise.encode().len();
    if found > limits::PROMISE || promise.cited.len() > limits::PROMISED_RECEIPTS {
        return Ok(Err("it stands on more than can be shown at once; it claims too many payments".to_owned()));
    }
    let payee = movement.account;
    let judge = Judge { policy: &book.policy, payee, outstanding, known: &[], now: step.now };
    Ok(match promise.clone().judge(&judge) {
        Ok(_) => Ok(promise),
        Err(Unsound::State) => Err(nothing.to_owned()),
        Err(why) => Err(words(book, &why)),
    })
}

/// Whether a payment that waits was promised to this contact.
fn promised_to(
    step: &Step<'_>,
    book: &Book,
    seq: u64,
    movement: Option<u64>,
    contact: IdentityId,
) -> Result<bool, Refusal> {
    let Some(number) = movement else { return Ok(false) };
    let of: Option<Movement> = step.find(&Key::Movement(book.id, number))?;
    let is_theirs = of.is_some_and(|movement| movement.contact == Some(contact));
    Ok(is_theirs && footing(step, book, seq)?.handed == Some(Handed::Over))
}

/// Why a promise is not taken, and what helps.
pub(super) fn words(book: &Book, why: &Unsound) -> String {
    match why {
        Unsound::Payment { most, found } => format!(
            "without witnesses {} are taken of one payment at the most (the currency's cap `payment`), this is {}; pay \
             less at once, or wait",
            book.text(most.units()),
            book.text(*found)
        ),
        Unsound::Outstanding { most, found } => format!(
            "without witnesses one payer may have {} outstanding with one payee (the currency's cap `outstanding`), with \
             this it would be {}; wait until those before are final",
            book.text(most.units()),
            book.text(*found)
        ),
        Unsound::Chained { most, found } => format!(
            "without witnesses {most} entries may wait in a row (the currency's cap `chained`), this is number {found}; \
             wait until those before are final"
        ),
        Unsound::ProofAge { most, found } => format!(
            "what this account has was certified {} ago, and without witnesses {} is the most (the currency's cap \
             `proof_age`); the next payment that is final changes that",
            in_words(*found),
            in_words(*most)
        ),
        other => other.to_string(),
    }
}

/// An entry is certified: it is what the next ones stand on, and what was kept back may be promised now.
pub(super) fn settled(step: &mut Step<'_>, book: &Book, seq: u64) -> Result<(), Refusal> {
    if let Some(before) = seq.checked_sub(1) {
        step.delete(Key::Footing(book.id, before));
    }
    for at in seq.saturating_add(1)..book.signed() {
        if matches!(footing(step, book, at)?.handed, Some(Handed::Kept(_))) {
            let entry = book.own(step, at)?.entry.hash();
            expect(step, entry);
        }
    }
    Ok(())
}
