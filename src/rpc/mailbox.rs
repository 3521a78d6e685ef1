//! Mailboxes: the nodes that keep what is for a person while they are away, and this node as one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The node that a [`Custodian`] names where a message is carried by hand, which is none.
pub const BY_HAND: &str = "6b696e666f6c6b2f3120636172726965642062792068616e6400000000000000000000000000";
/// What every link to a mailbox begins with.
pub const SCHEME: &str = "kinfolk-mailbox:";
/// What a node offers unless told otherwise, in bytes: 1 GiB.
pub const CAPACITY: u64 = 1 << 30;
/// The least it can offer, in bytes: 1 MiB.
pub const LEAST_CAPACITY: u64 = 1 << 20;
/// The most it can offer, in bytes: 1 TiB.
pub const MOST_CAPACITY: u64 = 1 << 40;
/// The work that a node asks of strangers unless told otherwise, in leading zero bits of a SHA-256 hash.
pub const WORK_BITS: u8 = 20;
/// The most it can ask: of the largest messages a node asks five bits more, and others do 27 at the most.
pub const MOST_WORK_BITS: u8 = 22;

/// A node that keeps what is for this person while they are away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mailbox {
    /// The node.
    pub peer: String,
    /// The identity of the contact whose node it is; null where it is nobody's that is known.
    pub contact: Option<String>,
    /// What they are called here, as it was given.
    pub name: Option<String>,
    /// The same for a screen: control characters written out, kept from reordering its surroundings.
    pub display_name: Option<String>,
    /// How it does.
    pub state: MailboxState,
    /// When it was named, in milliseconds since the Unix epoch.
    pub added_at: u64,
    /// When it last answered, in milliseconds since the Unix epoch; null before it has.
    pub answered_at: Option<u64>,
    /// How often it was asked in vain since then.
    pub failures: u32,
}

/// How a mailbox does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailboxState {
    /// It has not been asked yet.
    New,
    /// It answered when it was last asked.
    Answering,
    /// It did not answer when it was last asked.
    Silent,
    /// It answers, and what it gave was not what had been left there.
    Unreliable,
}

/// Everything about mailboxes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mailboxes {
    /// The nodes that keep what is for this person, in the order in which they were named.
    pub mailboxes: Vec<Mailbox>,
    /// What this node keeps for others; null where it does not serve as a mailbox.
    pub serving: Option<Serving>,
    /// How many messages of this person lie at the mailboxes of others, until those come for them.
    pub waiting: u64,
}

/// A mailbox to name: exactly one of `contact` and `link`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddMailbox {
    /// A contact whose node serves as one: an id, a unique beginning of one, or a unique name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The link of a node that serves as one: `kinfolk-mailbox:` and base64url text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// A mailbox that was named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailboxAdded {
    /// The node.
    pub peer: String,
    /// The identity of the contact whose node it is; null where it is nobody's that is known.
    pub contact: Option<String>,
    /// What they are called here, as it was given.
    pub name: Option<String>,
    /// The same for a screen.
    pub display_name: Option<String>,
}

/// What this node is to offer as a mailbox.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// How much it keeps at the most, in bytes, 1 MiB to 1 TiB; 1 GiB unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_bytes: Option<u64>,
    /// The work it asks of those who have no token of its own, in leading zero bits of a SHA-256 hash, 1 to 22; 20
    /// unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_bits: Option<u8>,
}

/// This node as a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Serving {
    /// The node.
    pub peer: String,
    /// The link by which people who are no contacts name it: `kinfolk-mailbox:` and base64url text.
    pub link: String,
    /// How much it keeps at the most, in bytes.
    pub capacity_bytes: u64,
    /// The work it asks of those who have no token of its own, in leading zero bits of a SHA-256 hash.
    pub work_bits: u8,
    /// How much it keeps, in bytes.
    pub stored_bytes: u64,
    /// In how many messages.
    pub stored_messages: u64,
}

/// A mailbox in the status of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MailboxStatus {
    /// The node.
    pub peer: String,
    /// The identity of the contact whose node it is; null where it is nobody's that is known.
    pub contact: Option<String>,
    /// How it does.
    pub state: MailboxState,
}

/// Who keeps a message until its recipient comes for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Custodian {
    /// The node; `6b69..`, which is none, where the message is carried by hand.
    pub peer: String,
    /// What the contact whose node it is is called here, as it was given; null where it is nobody's that is known.
    pub name: Option<String>,
    /// The same for a screen.
    pub display_name: Option<String>,
}
