//! Invoices: money that is asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::message::Sender;

/// An invoice to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvoice {
    /// A contact who is asked, and gets it as a line of the conversation; absent where it goes by its link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// How much.
    pub amount: String,
    /// The code or id of a currency.
    pub currency: String,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
    /// How long it can be paid, in milliseconds; 30 days unless said, 366 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
}

/// An invoice to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayInvoice {
    /// Its link, or the name of one that came, or the beginning of it.
    pub invoice: String,
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invoice {
    /// Its name.
    pub invoice: String,
    /// Brings it to whoever is to pay it.
    pub link: String,
    /// When it was made, or came, in milliseconds since the Unix epoch.
    pub at: u64,
    /// How much.
    pub amount: String,
    /// The currency.
    pub currency: String,
    /// What it is called.
    pub code: String,
    /// Who is to pay; null for whoever has the link.
    pub from: Option<Sender>,
    /// Who is to be paid.
    pub to: Option<Sender>,
    /// What for.
    pub memo: Option<String>,
    /// Until when it can be paid, in milliseconds since the Unix epoch.
    pub expires: u64,
    /// How far it has come.
    pub state: InvoiceState,
    /// The entry that pays it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
}

/// How far an invoice has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceState {
    /// It is not paid.
    Open,
    /// It is not paid, and its time is over.
    Expired,
    /// It was paid from here, and that is not final yet.
    Paying,
    /// It is paid, for ever.
    Paid,
}

/// Invoices, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invoices {
    /// The invoices.
    pub invoices: Vec<Invoice>,
}
