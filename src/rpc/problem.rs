//! What went wrong.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A problem as RFC 9457 writes it, with a code for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "about:blank", "title": "Not Found", "status": 404, "code": "unknown_contact",
    "detail": "there is no contact \"Zoe\"; `kinfolk contacts` lists them"
}))]
pub struct Problem {
    /// Always `about:blank`: the code says the rest.
    #[serde(rename = "type")]
    pub kind: String,
    /// The phrase of the HTTP status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, for programs: stable, in snake_case.
    pub code: String,
    /// What went wrong and what to do, for the person.
    pub detail: String,
}
