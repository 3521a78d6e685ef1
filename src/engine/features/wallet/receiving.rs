//! Money that comes, and telling contacts where it goes.

use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::entry::{Claim, Class, Out};
use kinfolk_ledger::receipt_file::memo_hash;
use kinfolk_ledger::vote::Receipt;
use kinfolk_wire::content::{AccountWanted, Body, PayTo, Payment};
use kinfolk_wire::ids::{IdentityId, NoteHash};

use super::book::{Book, paid_to, secret};
use super::settling::is_mint;
use super::{changed, currencies, invoices, keys, merchants, promised, settling};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::services::directory;
use crate::step::{Rejection, Step};
use crate::store::{Currency, CurrencyStanding, Key, Movement, MovementKind, MovementPlace, Nothing, OwnEntry, Payee};

/// A contact asks where payments go. Only for a currency that this person takes is there an answer.
pub(crate) fn account_wanted(step: &mut Step<'_>, from: IdentityId, wanted: AccountWanted) -> Result<(), Refusal> {
    let currency: Option<Currency> = step.find(&Key::Currency(wanted.currency))?;
    let takes = currency.is_some_and(|currency| currency.standing == CurrencyStanding::Accepted);
    if !takes || !directory::find(step, from)?.is_some_and(|contact| directory::is_open(&contact)) {
        return Ok(());
    }
    let book = Book::open(step, wanted.currency)?;
    // An account that another may take the place of is told to nobody.
    if book.searched().is_err() {
        return Ok(());
    }
    say_account(step, &book, from)
}

/// Tells a contact where payments go: the account, what lets them pay with card money, and the key for tabs.
pub(super) fn say_account(step: &mut Step<'_>, book: &Book, contact: IdentityId) -> Result<(), Refusal> {
    let (currency, account) = (book.id, book.account.account);
    let certificate = merchants::own_certificate(step, book)?;
    let tab_key = Some(secret(&keys::tab_seed(&book.account.seed, book.id)).vk());
    step.put(Key::Told(currency, contact), Nothing {});
    currencies::say(step, contact, &Body::PayTo(PayTo { currency, account, certificate, tab_key }))
}

/// A contact says where payments to them go.
pub(crate) fn pay_to(step: &mut Step<'_>, from: IdentityId, pay_to: PayTo) -> Result<(), Refusal> {
    let takes = step.find::<Currency>(&Key::Currency(pay_to.currency))?;
    if !takes.is_some_and(|currency| currency.standing == CurrencyStanding::Accepted) {
        return Ok(());
    }
    let PayTo { currency, account, certificate, tab_key } = pay_to;
    let policy = Book::open(step, currency)?.policy;
    let certificate = certificate.filter(|said| merchants::genuine(&policy, account, *said).is_some());
    step.put(Key::Payee(currency, from), Payee { account, certificate, tab_key });
    step.mention(Event::PayeeKnown(from));
    Ok(())
}

/// A contact hands over a payment. Says whether it is one, which is then a line like any other: a certificate of the
/// currency's witnesses, to this person's account, of the amount that is said, not seen before.
pub(crate) fn paid(step: &mut Step<'_>, from: IdentityId, payment: &Payment) -> Result<bool, Refusal> {
    let Ok(mut book) = Book::open(step, payment.sum.currency) else {
        step.reject(Rejection::Misplaced);
        return Ok(false);
    };
    let Some(Read { receipt, claims, class, invoice }) = read(&book, payment) else {
        step.reject(Rejection::Misplaced);
        return Ok(false);
    };
    let entry = receipt.entry.hash();
    if let Some(place) = step.find::<MovementPlace>(&Key::MovementPlace(entry))? {
        let is_new = promised::handed_over(step, &mut book, from, place, &receipt)?;
        if !is_new {
            step.reject(Rejection::Replay);
        }
        return Ok(is_new);
    }
    promised::learned(step, &book, &receipt)?;
    let outs = || receipt.entry.body().outs.iter().filter_map(|out| out.refund_of);
    let refund_of = outs().next();
    let kind = match (is_mint(&receipt.entry), refund_of) {
        (true, _) => MovementKind::Minted,
        (false, Some(_)) => MovementKind::RefundReceived,
        (false, None) => MovementKind::Received,
    };
    let refund_of = match refund_of {
        Some(out) if out.chain == book.account.account => {
            step.find::<OwnEntry>(&Key::OwnEntry(book.id, out.seq))?.map(|own| (out, own.entry.hash()))
        }
        _ => None,
    };
    let Ok(amount) = Amount::new(payment.sum.units) else { return Ok(false) };
    let number = book.next_movement();
    let account = receipt.entry.header().chain;
    let movement = Movement {
        entry,
        kind,
        at: step.now,
        amount,
        class,
        account,
        contact: Some(from),
        memo: payment.memo.clone(),
        claims,
        receipt: Some(Box::new(receipt)),
        seq: None,
        refund_of,
        invoice,
        tab: None,
    };
    invoices::paid(step, &movement)?;
    step.put(Key::Movement(book.id, number), movement);
    step.put(Key::MovementPlace(entry), MovementPlace { currency: book.id, number });
    step.put(Key::Unclaimed(book.id, number), Nothing {});
    book.save(step);
    changed(step, book.id, entry)?;
    if book.gather(step)? {
        settling::take(step, &mut book)?;
    } else {
        settling::claim_waiting(step, book.id)?;
    }
    Ok(true)
}

/// A receipt, and what it brings this account.
struct Read {
    receipt: Receipt,
    claims: Vec<Claim>,
    class: Class,
    invoice: Option<NoteHash>,
}

/// The receipt, if it is what the payment says.
fn read(book: &Book, payment: &Payment) -> Option<Read> {
    if book.sum(payment.sum.units) != payment.sum {
        return None;
    }
    let receipt = Receipt::decode(&payment.receipt).ok()?;
    if receipt.entry.body().memo_hash != payment.memo.as_ref().map(memo_hash) {
        return None;
    }
    let certified = receipt.verify(&book.policy).ok()?.verify().ok()?;
    let outs: Vec<(Claim, &Out)> = paid_to(certified.entry(), book.account.account).collect();
    let (_, first) = outs.first()?;
    let invoice = first.invoice;
    // A payment to a merchant may be of both classes.
    let is_card = outs.iter().all(|(_, of)| of.class == Class::Card);
    let class = if is_card { Class::Card } else { Class::Free };
    let refunds = |out: &Out| out.refund_of.map(|of| (of.chain, of.seq));
    let is_one = outs.iter().all(|(_, of)| of.invoice == invoice && refunds(of) == refunds(first));
    let units = outs.iter().map(|(claim, _)| claim.amt.units()).try_fold(0_u64, u64::checked_add)?;
    let is_whole = units == payment.sum.units && is_one;
    let claims = outs.into_iter().map(|(claim, _)| claim).collect();
    is_whole.then(|| Read { receipt: certified.receipt(), claims, class, invoice })
}
