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

/// The time that a payment was given is over. Says who is to be handed what: this payment, and before it those that were
/// signed earlier and whose time is over as well, since what of several is within the caps goes by their order.
pub(crate) fn due(step: &mut Step<'_>, entry: EntryHash) -> Result<Vec<(IdentityId, Body)>, Refusal> {
    let Some(place) = step.find::<MovementPlace>(&Key::MovementPlace(entry))? else { return Ok(Vec::new()) };
    let movement: Option<Movement> = step.find(&Key::Movement(place.currency, place.number))?;
    let Some(last) = movement.and_then(|movement| movement.seq) else { return Ok(Vec::new()) };
    let book = Book::open(step, place.currency)?;
    if last >= book.signed() || book.account.stopped.is_some() {
        return Ok(Vec::new());
    }
    let mut handed = Vec::new();
    for seq in book.account.certified..=last {
        let before = footing(step, &book, seq)?;
        let Some(number) = book.own(step, seq)?.movement else { continue };
        let movement: Option<Movement> = step.find(&Key::Movement(book.id, number))?;
        let is_over = |movement: &Movement| movement.at.after(PROMISED_AFTER) <= step.now;
        let Some(movement) = movement.filter(|movement| movement.kind == MovementKind::Paid) else { continue };
        if before.handed == Some(Handed::Over) || seq < last && (before.handed.is_some() || !is_over(&movement)) {
            continue;
        }
        handed.extend(hand(step, &book, movement, seq, before)?);
    }
    Ok(handed)
}

/// Promises a payment that waits to its payee, if the payee is a contact and would take it; says so if not.
fn hand(
    step: &mut Step<'_>,
    book: &Book,
    movement: Movement,
    seq: u64,
    before: Footing,
) -> Result<Option<(IdentityId, Body)>, Refusal> {
    let Some(contact) = movement.contact else { return Ok(None) };
    if !directory::find(step, contact)?.is_some_and(|contact| directory::is_open(&contact)) {
        return Ok(None);
    }
    let made = promise(step, book, &movement, seq, contact)?;
    let (handed, body) = match made {
        Ok(promise) => {
            let sum = book.sum(movement.amount.units());
            let promise = PromiseBody { sum, promise: promise.encode(), memo: movement.memo };
            (Handed::Over, Some((contact, Body::Promise(promise))))
        }
        Err(why) => (Handed::Kept(why), None),
    };
    step.put(Key::Footing(book.id, seq), Footing { handed: Some(handed), ..before });
    changed(step, book.id, movement.entry)?;
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
        entries.push(*own.entry);
    }
    for at in (certified..book.signed()).filter(|at| *at != seq) {
        let own = book.own(step, at)?;
        if promised_to(step, book, at, own.movement, contact)? {
            let other = own.entry.body().outs.iter().map(|out| out.amt.units());
            outstanding = other.fold(outstanding, u64::saturating_add);
        }
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
