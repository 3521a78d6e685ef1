//! Keys of messages that were overtaken, `MKSKIPPED`. The session makes them; the caller stores them, one row each,
//! and lets the session look them up.

use std::collections::BTreeMap;

use crate::secret::SecretBytes;

/// Names a skipped message within its session: its ordinal among all that the other device has sent. Smaller is older.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SkippedKeyId(u32);

impl SkippedKeyId {
    /// Length of the id in bytes.
    pub const LENGTH: usize = 4;

    pub(crate) const fn new(ordinal: u32) -> Self {
        Self(ordinal)
    }

    pub(crate) const fn ordinal(self) -> u32 {
        self.0
    }

    /// The bytes of the id, in whose order the ids stand.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::LENGTH] {
        self.0.to_be_bytes()
    }

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(u32::from_be_bytes(bytes))
    }
}

/// The key of one skipped message.
#[derive(Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Which message.
    pub id: SkippedKeyId,
    /// What it takes to open it; to be stored sealed.
    pub key: SecretBytes,
}

/// The skipped keys of one session, as its caller stores them.
pub trait SkippedKeys {
    /// The key of a message, if it is stored.
    fn find(&self, id: &SkippedKeyId) -> Option<SecretBytes>;

    /// The `count` oldest that are stored, oldest first; fewer if there are fewer.
    fn oldest(&self, count: usize) -> Vec<SkippedKeyId>;
}

/// Skipped keys in memory, for tests and simulations.
#[derive(Debug, Default)]
pub struct MemorySkippedKeys {
    keys: BTreeMap<SkippedKeyId, SecretBytes>,
}

impl MemorySkippedKeys {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { keys: BTreeMap::new() }
    }

    /// Does what a [`Decrypted`](crate::Decrypted) asks for.
    pub fn apply(&mut self, store: Vec<SkippedKey>, remove: &[SkippedKeyId]) {
        self.keys.extend(store.into_iter().map(|skipped| (skipped.id, skipped.key)));
        for id in remove {
            self.keys.remove(id);
        }
    }

    /// How many are stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl SkippedKeys for MemorySkippedKeys {
    fn find(&self, id: &SkippedKeyId) -> Option<SecretBytes> {
        self.keys.get(id).map(|key| SecretBytes::new(key.as_slice().to_vec()))
    }

    fn oldest(&self, count: usize) -> Vec<SkippedKeyId> {
        self.keys.keys().take(count).copied().collect()
    }
}
