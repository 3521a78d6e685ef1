//! What two devices share beyond their sessions.

use kinfolk_wire::ids::DeviceId;

use crate::identity::KeyError;
use crate::mailbox::DirectionKey;
use crate::secret::{Key, SecretBytes};

/// 32 bytes that two devices keep from their first session on, across later ones, so that mail finds its way when
/// ratchets are replaced. Where two first sessions crossed, it is that of the smaller session id. It wipes when dropped.
pub struct PairRoot(Key);

impl PairRoot {
    const VERSION: u8 = 1;
    const LENGTH: usize = 1 + 32;

    pub(crate) const fn new(key: Key) -> Self {
        Self(key)
    }

    /// The key of one direction, `K_dir = HMAC(pair root, sender device | recipient device)`.
    #[must_use]
    pub fn direction_key(&self, sender: DeviceId, recipient: DeviceId) -> DirectionKey {
        DirectionKey::new(self.0.as_bytes(), sender, recipient)
    }

    /// The stored form: `version u8 | root 32`.
    #[must_use]
    pub fn to_bytes(&self) -> SecretBytes {
        let mut out = Vec::with_capacity(Self::LENGTH);
        out.push(Self::VERSION);
        out.extend_from_slice(self.0.as_bytes());
        SecretBytes::new(out)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`KeyError`] for another length or version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes.split_first_chunk() {
            Some(([Self::VERSION], root)) => <[u8; 32]>::try_from(root).ok(),
            _ => None,
        }
        .map(|root| Self(Key::new(root)))
        .ok_or(KeyError { expected: Self::LENGTH, version: Self::VERSION, found: bytes.len() })
    }
}

impl std::fmt::Debug for PairRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PairRoot(..)")
    }
}
