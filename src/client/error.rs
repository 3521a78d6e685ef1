use std::path::PathBuf;
use std::time::Duration;

use kinfolk_rpc::problem::Problem;

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No node runs for the profile.
    #[error("no node is running for this profile")]
    NoNode,
    /// The file by which the door is found cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    DoorFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The node said no, and why.
    #[error("{}", .0.detail)]
    Refused(Problem),
    /// There was no answer in time.
    #[error("the node has not answered within {} ms", after.as_millis())]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// The conversation with the node broke off, or made no sense.
    #[error("the conversation with the node broke off: {0}")]
    Broken(String),
}
