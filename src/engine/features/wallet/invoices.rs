//! Asking for money, and paying what is asked for (docs/protocol/12-wallet.md, section 7).
//!
//! An invoice is signed by a device of whoever is to be paid, so it says the same whichever way it comes: as a line from
//! them, or as a link that anybody could have altered. A payment names it, so both know which one was paid.

use kinfolk_crypto::invoice::{open_invoice, sign_invoice};
use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::receipt_file::invoice_hash;
use kinfolk_wire::content::{INVOICE_SCHEME, Invoice, MerchantCertificate, SignedInvoice};
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, IdentityId};
use kinfolk_wire::limits::INVOICE_MEMO;

use super::book::Book;
use super::orders::Transfer;
use super::{currencies, merchants, orders};
use crate::event::Event;
use crate::input::NewInvoice;
use crate::query;
use crate::refusal::Refusal;
use crate::services::{directory, prekeys};
use crate::step::{Rejection, Step};
use crate::store::{Invoice as InvoiceRow, InvoiceSide, Key, Movement, Payee};

/// Makes an invoice: for a contact, or for whoever is given the link.
pub(crate) fn make(step: &mut Step<'_>, new: NewInvoice) -> Result<SignedInvoice, Refusal> {
    let book = Book::open(step, currencies::find(&step.reads(), &new.currency)?)?;
    let amount = currencies::amount(&new.amount, book.policy.policy().decimals)?;
    book.searched()?;
    let found = new.memo.as_ref().map_or(0, |memo| memo.as_str().len());
    if found > INVOICE_MEMO {
        return Err(Refusal::InvoiceMemo { found, limit: INVOICE_MEMO });
    }
    if let Some(contact) = new.contact {
        orders::payable(step, contact)?;
    }
    let profile = step.profile()?;
    let keys = prekeys::device_keys(&profile)?;
    let invoice = Invoice {
        number: step.random(),
        sum: book.sum(amount.units()),
        account: book.account.account,
        payee: profile.identity,
        device: profile.device,
        memo: new.memo,
        expires_at: step.now.after(new.lifetime),
        certificate: merchants::own_certificate(step, &book)?,
    };
    let signed = sign_invoice(&invoice, &keys);
    keep(step, signed.clone(), InvoiceSide::Own(new.contact))?;
    Ok(signed)
}

fn keep(step: &mut Step<'_>, signed: SignedInvoice, side: InvoiceSide) -> Result<(), Refusal> {
    let name = invoice_hash(&signed);
    let row = InvoiceRow { signed, at: step.now, side, entry: None };
    step.put(Key::Invoice(name), row);
    step.emit(Event::InvoiceChanged(name))
}

/// Whether an invoice that a contact sent is one: theirs, signed by a device of theirs, of an amount, in the decimals of
/// its currency where that is known. Then it is kept, and where it is paid to is noted.
pub(crate) fn came(step: &mut Step<'_>, from: IdentityId, signed: &SignedInvoice) -> Result<bool, Refusal> {
    let Some(invoice) = genuine(step, from, signed)? else {
        step.reject(Rejection::Misplaced);
        return Ok(false);
    };
    let book = Book::open(step, invoice.sum.currency).ok();
    let is_sum = book.as_ref().is_none_or(|book| book.sum(invoice.sum.units) == invoice.sum);
    if Amount::new(invoice.sum.units).is_err() || !is_sum {
        step.reject(Rejection::Misplaced);
        return Ok(false);
    }
    if let Some(book) = book {
        let account = invoice.account;
        let said = invoice.certificate.filter(|said| merchants::genuine(&book.policy, account, *said).is_some());
        let known = step.find::<Payee>(&Key::Payee(book.id, from))?.filter(|known| known.account == account);
        let tab_key = known.and_then(|known| known.tab_key);
        let certificate = said.or(known.and_then(|known| known.certificate));
        step.put(Key::Payee(book.id, from), Payee { account, certificate, tab_key });
    }
    // It may have come by a link before, and be paid.
    if !step.has(&Key::Invoice(invoice_hash(signed)))? {
        keep(step, signed.clone(), InvoiceSide::Contact(from))?;
    }
    Ok(true)
}

/// What an invoice says, where this contact's device signed it.
fn genuine(step: &Step<'_>, payee: IdentityId, signed: &SignedInvoice) -> Result<Option<Invoice>, Refusal> {
    let Some(said) = signed.invoice().ok().filter(|said| said.payee == payee) else { return Ok(None) };
    let certificate = directory::certificate(step, payee, said.device)?;
    Ok(certificate.and_then(|certificate| open_invoice(signed, &certificate).ok()))
}

/// Pays the invoice that somebody means: by its link, or by the name of one that came, or the beginning of it.
pub(crate) fn pay(step: &mut Step<'_>, which: &str) -> Result<EntryHash, Refusal> {
    let signed = meant(step, which)?;
    let name = invoice_hash(&signed);
    let said = signed.invoice().map_err(|_| Refusal::InvoiceForged)?;
    if said.payee == step.profile()?.identity {
        return Err(Refusal::InvoiceOwn);
    }
    let known: Option<InvoiceRow> = step.find(&Key::Invoice(name))?;
    if let Some(entry) = known.as_ref().and_then(|known| known.entry) {
        return Err(Refusal::InvoicePaid(entry.to_string()));
    }
    if said.expires_at <= step.now {
        return Err(Refusal::InvoiceExpired { since: step.now.since(said.expires_at) });
    }
    match orders::payable(step, said.payee) {
        Err(Refusal::UnknownContact) => return Err(Refusal::InvoiceOfStranger),
        other => other?,
    };
    let Some(invoice) = genuine(step, said.payee, &signed)? else { return Err(Refusal::InvoiceForged) };
    let mut book = Book::open(step, invoice.sum.currency)?;
    let amount = Amount::new(invoice.sum.units).map_err(|_| Refusal::InvoiceForged)?;
    if book.sum(amount.units()) != invoice.sum {
        return Err(Refusal::InvoiceForged);
    }
    let Invoice { payee, account, memo, certificate, .. } = invoice;
    let certificate = newest(step, book.id, (payee, account), certificate)?;
    let transfer = Transfer { contact: payee, account, certificate, amount, memo, invoice: Some(name) };
    let entry = orders::transfer(step, &mut book, transfer)?;
    let side = InvoiceSide::Contact(payee);
    let row = known.unwrap_or(InvoiceRow { signed, at: step.now, side, entry: None });
    step.put(Key::Invoice(name), InvoiceRow { entry: Some(entry), ..row });
    step.emit(Event::InvoiceChanged(name))?;
    Ok(entry)
}

/// Of what the invoice says and what the payee has said since, the certificate that ends last: it may have been renewed.
fn newest(
    step: &Step<'_>,
    currency: CurrencyId,
    (payee, account): (IdentityId, AccountId),
    said: Option<MerchantCertificate>,
) -> Result<Option<MerchantCertificate>, Refusal> {
    let known: Option<Payee> = step.find(&Key::Payee(currency, payee))?;
    let known = known.filter(|known| known.account == account).and_then(|known| known.certificate);
    Ok(said.into_iter().chain(known).max_by_key(|certificate| certificate.expires))
}

fn meant(step: &Step<'_>, which: &str) -> Result<SignedInvoice, Refusal> {
    if which.trim().starts_with(INVOICE_SCHEME) {
        return which.parse().map_err(Refusal::InvoiceLink);
    }
    let name = query::invoice_named(&step.reads(), which.trim())?;
    let row: InvoiceRow = step.find(&Key::Invoice(name))?.ok_or(Refusal::UnknownInvoice)?;
    Ok(row.signed)
}

/// Money came for an invoice of this person's: it is paid if that is what it asks for, and was not before.
pub(super) fn paid(step: &mut Step<'_>, movement: &Movement) -> Result<(), Refusal> {
    let Some(name) = movement.invoice else { return Ok(()) };
    let Some(row) = step.find::<InvoiceRow>(&Key::Invoice(name))? else { return Ok(()) };
    let Ok(invoice) = row.signed.invoice() else { return Ok(()) };
    let is_own = matches!(row.side, InvoiceSide::Own(_)) && row.entry.is_none();
    if is_own && movement.amount.units() >= invoice.sum.units {
        step.put(Key::Invoice(name), InvoiceRow { entry: Some(movement.entry), ..row });
        step.emit(Event::InvoiceChanged(name))?;
    }
    Ok(())
}

/// A payment of ours is final, or has come nearer to it: so is the invoice that it pays.
pub(super) fn settled(step: &mut Step<'_>, movement: &Movement) -> Result<(), Refusal> {
    match movement.invoice {
        Some(name) => step.emit(Event::InvoiceChanged(name)),
        None => Ok(()),
    }
}
