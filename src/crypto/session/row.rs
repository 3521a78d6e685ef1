//! The stored form of a session: a version byte, then postcard of its state.

use super::{Session, State};
use crate::secret::{SHALLOW, SecretBytes, wiping_stack};

const VERSION: u8 = 1;
/// More than a session without kept header keys takes: no spare copy of its keys is left behind by a growing buffer.
const ROOM: usize = 4_096;
/// More than each kept header key takes.
const ROOM_KEPT: usize = 64;

/// Bytes that are no stored session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionBytesError {
    /// A version this program does not know.
    #[error("the session was stored in version {found}, this program reads version {VERSION}")]
    Version {
        /// The version found.
        found: u8,
    },
    /// Damaged.
    #[error("the stored session is damaged")]
    Malformed,
}

impl Session {
    /// The stored form, to be sealed at rest.
    ///
    /// # Panics
    /// Never: the buffer has room for every state there is.
    #[must_use]
    pub fn to_bytes(&self) -> SecretBytes {
        let kept = self.state.backlog.kept().saturating_mul(ROOM_KEPT);
        let mut out = Vec::with_capacity(ROOM.saturating_add(kept));
        out.push(VERSION);
        #[allow(
            clippy::expect_used,
            reason = "writing into a Vec cannot fail, and no type of ours refuses to be written"
        )]
        let out = postcard::to_extend(&*self.state, out).expect("a state can be written into memory");
        SecretBytes::new(out)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`SessionBytesError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SessionBytesError> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                let (state, left) = wiping_stack::<SHALLOW, _>(|| postcard::take_from_bytes::<Box<State>>(rest))
                    .map_err(|_| SessionBytesError::Malformed)?;
                if left.is_empty() { Ok(Self { state }) } else { Err(SessionBytesError::Malformed) }
            }
            Some((&found, _)) => Err(SessionBytesError::Version { found }),
            None => Err(SessionBytesError::Malformed),
        }
    }
}
