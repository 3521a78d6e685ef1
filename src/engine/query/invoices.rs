//! What a face shows of invoices.

use kinfolk_ledger::receipt_file::invoice_hash;
use kinfolk_wire::content::{Invoice, SignedInvoice};
use kinfolk_wire::ids::{EntryHash, IdentityId, NoteHash};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Timestamp;

use super::{PaymentState, find, payment};
use crate::refusal::Refusal;
use crate::store::{Contact, Invoice as InvoiceRow, InvoiceSide, Key, Read, ReadError, Row, Scan, Table};

/// How far an invoice has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceState {
    /// It is not paid.
    Open,
    /// It is not paid, and its time is over.
    Expired,
    /// It was paid from here, and that is not final.
    Paying,
    /// It is paid, for ever.
    Paid,
}

/// An invoice as a face shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceView {
    /// Its name.
    pub id: NoteHash,
    /// What it says.
    pub invoice: Invoice,
    /// Brings it to whoever is to pay it.
    pub link: SignedInvoice,
    /// When it was made, or came.
    pub at: Timestamp,
    /// Whether this person is to be paid.
    pub is_own: bool,
    /// Who is to pay, or to be paid, where that is known.
    pub contact: Option<(IdentityId, Name)>,
    /// How far it has come.
    pub state: InvoiceState,
    /// The entry that pays it.
    pub entry: Option<EntryHash>,
}

/// All invoices, the newest first.
///
/// # Errors
/// [`ReadError`].
pub fn invoices(read: &dyn Read, now: Timestamp) -> Result<Vec<InvoiceView>, ReadError> {
    let mut views = Vec::new();
    for (key, row) in read.scan(&Scan::all(Table::Invoice, usize::MAX))?.rows {
        if let (Key::Invoice(id), Row::Invoice(row)) = (key, row) {
            views.push(view(read, id, row, now)?);
        }
    }
    views.sort_by_key(|view| std::cmp::Reverse((view.at, view.id)));
    Ok(views)
}

/// The invoice of that name.
///
/// # Errors
/// [`ReadError`].
pub fn invoice(read: &dyn Read, id: NoteHash, now: Timestamp) -> Result<Option<InvoiceView>, ReadError> {
    find::<InvoiceRow>(read, &Key::Invoice(id))?.map(|row| view(read, id, row, now)).transpose()
}

/// The name of an invoice.
#[must_use]
pub fn invoice_name(signed: &SignedInvoice) -> NoteHash {
    invoice_hash(signed)
}

/// The one invoice whose name begins so.
///
/// # Errors
/// [`Refusal::UnknownInvoice`], [`Refusal::AmbiguousInvoice`].
pub fn invoice_named(read: &dyn Read, beginning: &str) -> Result<NoteHash, Refusal> {
    let rows = read.scan(&Scan::all(Table::Invoice, usize::MAX))?.rows;
    let names = rows.into_iter().filter_map(|(key, _)| match key {
        Key::Invoice(id) if id.to_string().starts_with(beginning) => Some(id),
        _ => None,
    });
    let found: Vec<NoteHash> = names.take(2).collect();
    match (found[..].split_first(), beginning) {
        (_, "") | (None, _) => Err(Refusal::UnknownInvoice),
        (Some((one, [])), _) => Ok(*one),
        _ => Err(Refusal::AmbiguousInvoice(found.iter().map(ToString::to_string).collect())),
    }
}

fn view(read: &dyn Read, id: NoteHash, row: InvoiceRow, now: Timestamp) -> Result<InvoiceView, ReadError> {
    let damaged = |reason: &str| ReadError::Damaged { table: Table::Invoice, reason: reason.to_owned() };
    let invoice = row.signed.invoice().map_err(|_| damaged("an invoice that cannot be read"))?;
    let (is_own, contact) = match row.side {
        InvoiceSide::Own(asked) => (true, asked),
        InvoiceSide::Contact(payee) => (false, Some(payee)),
    };
    let contact = match contact {
        Some(contact) => find::<Contact>(read, &Key::Contact(contact))?.map(|known| (contact, known.name)),
        None => None,
    };
    let state = match row.entry {
        Some(entry) => match payment(read, entry)?.map(|payment| payment.state) {
            None | Some(PaymentState::Final) => InvoiceState::Paid,
            Some(PaymentState::Tab | PaymentState::Voting | PaymentState::Unwitnessed | PaymentState::Refused) => {
                InvoiceState::Paying
            }
        },
        None if invoice.expires_at <= now => InvoiceState::Expired,
        None => InvoiceState::Open,
    };
    Ok(InvoiceView { id, invoice, link: row.signed, at: row.at, is_own, contact, state, entry: row.entry })
}
