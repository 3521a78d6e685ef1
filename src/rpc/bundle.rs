//! Bundles: messages that are carried by hand, as a file or as lines of text.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a bundle as a file.
pub const FILE: &str = "application/octet-stream";
/// The media type of a bundle as lines, each for one QR code.
pub const LINES: &str = "text/plain; charset=utf-8";
/// The longest bundle, in bytes.
pub const LIMIT: usize = 96 << 20;
/// The header of an exported bundle that says how many messages of this person's are in it: lines and receipts.
pub const MESSAGES: &str = "kinfolk-messages";
/// The header that says how many it carries for others.
pub const CARRIED: &str = "kinfolk-carried";

/// What is to be carried by hand: what waits for one contact, for all of them, or what is carried for others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportBundle {
    /// Only what waits for this contact: an id, a unique beginning of one, or a unique name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Of that, only the message that was said last, as lines of text for QR codes.
    #[serde(default, skip_serializing_if = "is_false")]
    pub newest: bool,
    /// Only what is carried for others.
    #[serde(default, skip_serializing_if = "is_false")]
    pub carried: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What became of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportedBundle {
    /// How many messages came for this person that were new: lines and receipts.
    pub taken: u64,
    /// How many were there already, or are this person's own, or are of somebody who is not heard.
    pub known: u64,
    /// How many are for others and kept, to be carried onwards.
    pub carried: u64,
    /// How many were damaged or missing, as far as can be told.
    pub damaged: u64,
    /// How many are for others and too old to be carried; absent where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub expired: u64,
    /// Where the bundle is damaged; absent where it is whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<Stretch>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A part of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stretch {
    /// Its first byte, from 0.
    pub from: u64,
    /// The first byte after it; where it is the same, something is missing there.
    pub until: u64,
}
