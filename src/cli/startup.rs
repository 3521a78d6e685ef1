//! What the two commands print that make and run a node, and so cannot ask one.

use kinfolk_client::Events;
use serde::Serialize;

use crate::failure::Failure;
use crate::screen::Screen;
use crate::show;

/// A profile that was set up.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Initialised {
    /// The person.
    pub identity: String,
    /// This device.
    pub device: String,
    /// What the person is called.
    pub name: String,
    /// The words that bring the identity back, 24 of them.
    pub recovery_phrase: Vec<String>,
    /// What opens the profile from now on.
    pub unlocked_by: UnlockedBy,
}

impl std::fmt::Debug for Initialised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Initialised").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// What opens a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnlockedBy {
    /// A passphrase.
    Passphrase,
    /// A random key in a file of the profile, because no passphrase was given.
    KeyFile,
}

/// A node that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename = "ready")]
pub struct Ready {
    /// The person.
    pub identity: String,
    /// This device.
    pub device: String,
    /// Where it listens, as multiaddrs.
    pub addresses: Vec<String>,
    /// Where its door is, as `http://127.0.0.1:PORT`.
    pub api: String,
}

impl Screen {
    /// Prints the outcome of `init`.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn initialised(&mut self, profile: &Initialised) -> Result<(), Failure> {
        self.tell(profile, || show::startup::initialised(profile))
    }

    /// Prints events as they come, until the node is gone.
    ///
    /// # Errors
    /// [`Failure`] where one cannot be read or written.
    pub(crate) async fn follow(&mut self, events: &mut Events) -> Result<(), Failure> {
        while let Some(event) = events.next().await? {
            self.tell(&event, || show::event::line(&event))?;
        }
        Ok(())
    }
}
