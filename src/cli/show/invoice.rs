use kinfolk_rpc::invoice::{Invoice, InvoiceState};
use kinfolk_rpc::message::Sender;

use super::short;
use super::text::contained;
use super::time::moment;

/// An invoice that was made, with its link for whoever is to pay it.
pub(crate) fn made(invoice: &Invoice) -> String {
    let (amount, code, until) = (&invoice.amount, contained(&invoice.code), moment(invoice.expires));
    let asked = match &invoice.from {
        Some(who) => format!("Asked {} for {amount} {code}.", who.display_name),
        None => format!("Whoever has the link can pay {amount} {code}, once."),
    };
    format!("{asked} It can be paid until {until}. (invoice {})\n{}", short(&invoice.invoice), invoice.link)
}

/// An invoice on several lines.
pub(crate) fn page(invoice: &Invoice) -> String {
    let mut page = format!("{}\n", line(invoice));
    page.push_str(&format!("  invoice     {}\n", invoice.invoice));
    page.push_str(&format!("  until       {}\n", moment(invoice.expires)));
    if let Some(entry) = &invoice.entry {
        page.push_str(&format!("  paid by     entry {entry}\n"));
    }
    page.push_str(&format!("{}\n", invoice.link));
    page
}

/// Invoices, one a line.
pub(crate) fn list(invoices: &[Invoice]) -> String {
    if invoices.is_empty() {
        return "No invoices yet. Make one with kinfolk wallet request or kinfolk wallet invoice create.\n".to_owned();
    }
    invoices.iter().map(|invoice| format!("{}\n", line(invoice))).collect()
}

/// An invoice in one line.
pub(crate) fn line(invoice: &Invoice) -> String {
    let name = |who: &Option<Sender>| {
        who.as_ref().map_or_else(|| "whoever has the link".to_owned(), |who| who.display_name.clone())
    };
    let state = match invoice.state {
        InvoiceState::Open => "open",
        InvoiceState::Expired => "expired",
        InvoiceState::Paying => "paid, not final yet",
        InvoiceState::Paid => "paid",
    };
    let memo = invoice.memo.as_ref().map(|memo| format!(": {}", contained(memo))).unwrap_or_default();
    let (when, id, amount) = (moment(invoice.at), short(&invoice.invoice), &invoice.amount);
    let (code, from, to) = (contained(&invoice.code), name(&invoice.from), name(&invoice.to));
    format!("{when}  {id}  {amount:>10} {code} from {from} to {to}, {state}{memo}")
}
