use kinfolk_engine::Refusal;
use kinfolk_engine::input::NewInvoice;
use kinfolk_engine::query::{self, InvoiceState, InvoiceView};
use kinfolk_engine::store::{Read, ReadError};
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_rpc::invoice as rpc;
use kinfolk_wire::ids::NoteHash;
use kinfolk_wire::time::Span;

use super::message::Names;
use super::{lifetime, wallet};
use crate::problem::Refused;

/// How long an invoice can be paid unless somebody says otherwise.
const USUAL: Span = Span::from_days(30);

/// What is to be asked for.
pub(crate) fn wanted(read: &dyn Read, wish: rpc::CreateInvoice) -> Result<NewInvoice, Refused> {
    let rpc::CreateInvoice { contact, amount, currency, memo, expires_in_ms } = wish;
    let contact = contact.map(|contact| wallet::contact(read, &contact)).transpose()?;
    Ok(NewInvoice { contact, amount, currency, memo: wallet::memo(memo)?, lifetime: lifetime(expires_in_ms, USUAL)? })
}

/// The invoice of that name.
pub(crate) fn one(read: &dyn Read, id: NoteHash) -> Result<rpc::Invoice, Refused> {
    let view = query::invoice(read, id, SystemClock.now())?.ok_or(Refusal::UnknownInvoice)?;
    Ok(invoice(&view, &mut Names::of(read)?)?)
}

/// The newest invoices.
pub(crate) fn page(read: &dyn Read, last: usize) -> Result<rpc::Invoices, Refused> {
    let mut names = Names::of(read)?;
    let found = query::invoices(read, SystemClock.now())?;
    let invoices = found.iter().take(last).map(|view| invoice(view, &mut names)).collect::<Result<_, _>>()?;
    Ok(rpc::Invoices { invoices })
}

/// An invoice for a face.
pub(crate) fn invoice(view: &InvoiceView, names: &mut Names<'_>) -> Result<rpc::Invoice, ReadError> {
    let own = Some(names.own()?);
    let other = view.contact.as_ref().map(|(contact, _)| names.sender(*contact)).transpose()?;
    let (from, to) = if view.is_own { (other, own) } else { (own, other) };
    let (amount, code) = query::sum_text(&view.invoice.sum);
    Ok(rpc::Invoice {
        invoice: view.id.to_string(),
        link: view.link.to_string(),
        at: view.at.as_millis(),
        amount,
        currency: view.invoice.sum.currency.to_string(),
        code,
        from,
        to,
        memo: view.invoice.memo.as_ref().map(|memo| memo.as_str().to_owned()),
        expires: view.invoice.expires_at.as_millis(),
        state: match view.state {
            InvoiceState::Open => rpc::InvoiceState::Open,
            InvoiceState::Expired => rpc::InvoiceState::Expired,
            InvoiceState::Paying => rpc::InvoiceState::Paying,
            InvoiceState::Paid => rpc::InvoiceState::Paid,
        },
        entry: view.entry.map(|entry| entry.to_string()),
    })
}
