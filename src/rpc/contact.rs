//! People.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// Their identity.
    pub contact: String,
    /// What they are called here, as it was given.
    pub name: String,
    /// The same for a screen: control characters written out, kept from reordering its surroundings.
    pub display_name: String,
    /// The conversation with them.
    pub chat: String,
    /// How far it has come.
    pub state: ContactState,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// Whether nothing more is heard from them.
    pub blocked: bool,
    /// Whether a device of theirs is connected.
    pub online: bool,
    /// When one last was, in milliseconds since the Unix epoch.
    pub last_seen: Option<u64>,
    /// The ids of their devices.
    pub devices: Vec<String>,
    /// How many lines of theirs the person has not seen.
    pub unread: u64,
    /// Whether their mailboxes last said that they have no room, so that what is for them waits here; absent where not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mailbox_full: bool,
    /// Whose name theirs can be taken for; absent where it is nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<NameWarning>,
}

/// A name that can be taken for another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NameWarning {
    /// For whose.
    pub kind: NameWarningKind,
    /// The identity of the contact whose name looks like it; absent where it is one's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The same in words for a screen.
    pub message: String,
}

/// For whose name another can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameWarningKind {
    /// For another contact's.
    LikeContact,
    /// For one's own.
    LikeOwnName,
}

/// How far it has come with a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContactState {
    /// We asked them and they have not answered.
    Requested,
    /// They asked us and the person has not answered.
    Asking,
    /// Both agreed.
    Accepted,
    /// One said no.
    Declined,
    /// Removed here.
    Removed,
}

/// A page of contacts, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactPage {
    /// The contacts.
    pub contacts: Vec<Contact>,
    /// What to ask for as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The number of the newest event that this page knows of.
    pub seq: u64,
}

/// A wish to become a contact of the person who made a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddContact {
    /// The link.
    pub link: String,
    /// What to call them here; else what they call themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A contact that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Added {
    /// Their identity.
    pub contact: String,
    /// What they are called here.
    pub name: String,
    /// The same for a screen.
    pub display_name: String,
    /// How far it has come.
    pub state: ContactState,
    /// Whose name theirs can be taken for; absent where it is nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<NameWarning>,
}

/// The safety number with a contact; the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SafetyNumber {
    /// 12 groups of 5 digits with a space between them.
    pub safety_number: String,
    /// Whether it was compared.
    pub verified: bool,
}

/// Whether the safety number was compared and is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetVerified {
    /// Whether it was.
    pub verified: bool,
}
