//! The file by which a face finds the door.

use serde::{Deserialize, Serialize};

/// The file's name in the profile directory.
pub const FILE: &str = "door.json";
/// The Unix socket's name in the profile directory.
pub const SOCKET: &str = "door.sock";

/// `door.json`: written with mode 0600 at each start of a node, gone after a clean stop. Whoever can read it can do
/// everything that the person can.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// Where the door listens on the loopback interface, as `http://127.0.0.1:PORT`; nothing where it does not.
    pub url: Option<String>,
    /// What every request carries as `Authorization: Bearer TOKEN`.
    pub token: String,
    /// The path of the Unix socket, absolute; nothing on systems without them.
    pub socket: Option<String>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("url", &self.url).field("socket", &self.socket).finish_non_exhaustive()
    }
}
