//! What a face is told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::contact::Contact;
use crate::invoice::Invoice;
use crate::mailbox::Custodian;
use crate::merchant::Merchant;
use crate::message::{Message, MessageState};
use crate::status::HashTable;
use crate::wallet::{Currency, Payment};

/// The request header that says where a stream of events is to be resumed.
pub const LAST_EVENT_ID: &str = "last-event-id";

/// An event: its number in the log, where it is kept there, and what happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number, from 1. An event without one is for those who listen now and is kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened; `event` names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A line appeared in a conversation, ours or theirs; shown as it is now.
    MessageAdded(Message),
    /// A line came further.
    MessageChanged {
        /// Its id.
        message: String,
        /// The conversation.
        chat: String,
        /// How far.
        state: MessageState,
        /// Who keeps it until its recipient comes for it; absent where nobody does.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        custody: Vec<Custodian>,
    },
    /// A line appeared that can no longer be read, because the store is damaged there.
    MessageDamaged {
        /// Its id.
        message: String,
        /// The conversation.
        chat: String,
    },
    /// Somebody became a contact, asked to, or was asked.
    ContactAdded(Contact),
    /// Something about a contact changed: state, name, devices, verification, blocking.
    ContactChanged(Contact),
    /// A contact is gone.
    ContactRemoved {
        /// Their identity.
        contact: String,
    },
    /// The session with a contact's device was started anew because messages no longer opened.
    SessionReset {
        /// Their identity.
        contact: String,
        /// What they are called here.
        name: String,
        /// The same for a screen.
        display_name: String,
    },
    /// A contact came or went. Never numbered.
    PeerOnline {
        /// Their identity.
        contact: String,
        /// What they are called here.
        name: String,
        /// The same for a screen.
        display_name: String,
        /// Whether they are there now.
        online: bool,
    },
    /// A mailbox answered with what was none of what had been left there, again and again: it is named no longer.
    MailboxDropped(Custodian),
    /// A payment came, was signed, has more votes, or is final; shown as it is now.
    PaymentChanged(Payment),
    /// An invoice was made, came, is being paid or is paid; shown as it is now.
    InvoiceChanged(Invoice),
    /// Somebody takes card money now, asks to, or no longer does; shown as it is now.
    MerchantChanged(Merchant),
    /// A currency was made, told of or taken, or its account can pay no more; shown as it is now.
    CurrencyChanged(Currency),
    /// A node of the hash table answers now, or none does any more. Never numbered.
    HashTable(HashTable),
    /// Events are missing before this one: the log no longer goes back to where it was asked for. Read everything anew;
    /// the stream goes on after `seq`.
    Reset,
}

impl What {
    /// The names of all events, as `event` has them.
    pub const NAMES: [&'static str; 15] = [
        "message_added",
        "message_changed",
        "message_damaged",
        "contact_added",
        "contact_changed",
        "contact_removed",
        "session_reset",
        "peer_online",
        "mailbox_dropped",
        "payment_changed",
        "invoice_changed",
        "merchant_changed",
        "currency_changed",
        "hash_table",
        "reset",
    ];

    /// What `event` says.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::MessageAdded(_) => "message_added",
            Self::MessageChanged { .. } => "message_changed",
            Self::MessageDamaged { .. } => "message_damaged",
            Self::ContactAdded(_) => "contact_added",
            Self::ContactChanged(_) => "contact_changed",
            Self::ContactRemoved { .. } => "contact_removed",
            Self::SessionReset { .. } => "session_reset",
            Self::PeerOnline { .. } => "peer_online",
            Self::MailboxDropped(_) => "mailbox_dropped",
            Self::PaymentChanged(_) => "payment_changed",
            Self::InvoiceChanged(_) => "invoice_changed",
            Self::MerchantChanged(_) => "merchant_changed",
            Self::CurrencyChanged(_) => "currency_changed",
            Self::HashTable(_) => "hash_table",
            Self::Reset => "reset",
        }
    }
}

/// What a long poll answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// The events, in order.
    pub events: Vec<Event>,
    /// What to ask for as `since` the next time.
    pub next: u64,
}
