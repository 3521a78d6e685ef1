//! What the binary does that no floor does alone: make a profile, run its node behind its door, answer a command where
//! no node runs, and rescue a profile that is damaged.

pub(crate) mod hardening;
pub(crate) mod logs;
pub(crate) mod panics;
pub(crate) mod profile;
pub(crate) mod receipts;
pub(crate) mod rescue;
pub(crate) mod running;
pub(crate) mod settings;
pub(crate) mod signals;
pub(crate) mod talking;

use kinfolk_api::OpenError;
use kinfolk_cli::{Exit, Failure};

/// A failure that ends the process with 1.
pub(crate) fn failed(code: &str, message: impl Into<String>) -> Failure {
    Failure::new(Exit::Refused, code, message)
}

/// The door does not open.
pub(crate) fn no_door(error: &OpenError) -> Failure {
    match error {
        OpenError::File { reason, .. } if reason.kind() == std::io::ErrorKind::StorageFull => {
            failed("disk_full", error.to_string())
        }
        _ => failed("api", error.to_string()),
    }
}
