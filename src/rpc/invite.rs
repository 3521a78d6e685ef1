//! Links by which people become contacts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A wish for a link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvite {
    /// How often it may be used; many times unless said.
    #[serde(default)]
    pub uses: Uses,
    /// How long it is honoured, in milliseconds; 7 days unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
    /// What happens when somebody comes with it; they are accepted unless said otherwise.
    #[serde(default)]
    pub admission: Admission,
}

/// How often a link may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Uses {
    /// By one person.
    Once,
    /// By anybody who has it, until it expires.
    #[default]
    Many,
}

/// What happens when somebody comes with a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// They become a contact at once.
    #[default]
    Accept,
    /// The person is asked first.
    Ask,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Invite {
    /// The link: `kinfolk:` and base64url text.
    pub link: String,
}
