//! Lines of a conversation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::mailbox::Custodian;

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Its id.
    pub message: String,
    /// The conversation.
    pub chat: String,
    /// Who said it.
    pub from: Sender,
    /// When it was said, in milliseconds since the Unix epoch: by its sender's clock, but never later than it came.
    pub at: u64,
    /// What it is, and so which of the fields below is there.
    pub kind: Kind,
    /// A text, as it was typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A sticker as `PACK/ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticker: Option<String>,
    /// A place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Money that was paid, or is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// What people thought of it.
    pub reactions: Vec<Reaction>,
    /// How far it has come.
    pub state: MessageState,
    /// Who keeps it until its recipient comes for it; absent where nobody does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custody: Vec<Custodian>,
    /// How many lines at the least were said between the one before it here and this one, and have not come; absent where
    /// all have.
    #[serde(default, skip_serializing_if = "is_none_missing")]
    pub missing_before: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_none_missing(missing: &u64) -> bool {
    *missing == 0
}

/// Money that was paid, or is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// How much, in the currency's decimals.
    pub amount: String,
    /// The currency.
    pub currency: String,
    /// What it is called.
    pub code: String,
    /// What for.
    pub memo: Option<String>,
    /// The entry in the ledger; null where it is only asked for.
    pub entry: Option<String>,
    /// The invoice that asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// The tab by whose voucher it was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tab: Option<String>,
}

/// Who said something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sender {
    /// Their identity.
    pub identity: String,
    /// What they are called here, as it was given.
    pub name: String,
    /// The same for a screen: control characters written out, kept from reordering its surroundings.
    pub display_name: String,
}

/// The kinds of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A text.
    Text,
    /// A sticker.
    Sticker,
    /// A place.
    Location,
    /// Money that was paid.
    Payment,
    /// Money that is asked for.
    PaymentRequest,
    /// A kind that only a newer program knows.
    Unknown,
}

/// A place on the WGS-84 globe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Location {
    /// The `geo:` URI of RFC 5870.
    pub geo: String,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// How far off it may be, in metres, where that was said.
    pub accuracy_m: Option<f64>,
}

/// What somebody thought of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// Who.
    pub from: Sender,
}

/// How far a line has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    /// Ours: on our disk.
    Queued,
    /// Ours: somebody has taken custody of it.
    Sent,
    /// Ours: on a disk of theirs.
    Delivered,
    /// Ours: they have seen it, and say so.
    Read,
    /// Ours: given up.
    NotDelivered,
    /// Theirs.
    Received,
}

/// A page of a conversation, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessagePage {
    /// The lines.
    pub messages: Vec<Message>,
    /// What to ask for as `before` to get the page of older lines; absent on the first of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many lines within this page could not be read because the store is damaged there.
    pub damaged: u64,
    /// The number of the newest event that this page knows of.
    pub seq: u64,
}

/// Something to say: exactly one of `text`, `sticker` and `location`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendMessage {
    /// An id chosen by the caller, 32 hexadecimal digits: saying it twice under one id says it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A text of 1 to 32,768 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A sticker as `PACK/ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticker: Option<String>,
    /// A place as `LAT,LON[,METRES]` in decimal degrees or as a `geo:` URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sent {
    /// Its id.
    pub message: String,
    /// The conversation.
    pub chat: String,
    /// How far it has come.
    pub state: MessageState,
    /// Who keeps it until its recipient comes for it; absent where nobody does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custody: Vec<Custodian>,
}

/// Up to where the person has seen a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkSeen {
    /// The id of the last line seen.
    pub message: String,
}

/// Whether the other side is told what has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowReadReceipts {
    /// Whether it is.
    pub allowed: bool,
}
