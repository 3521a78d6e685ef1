//! The header keys, `HK` and `NHK`: nobody but the two devices sees counters or ratchet keys.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::side::{Ours, Theirs};
use crate::aead::{TAG, xopen, xseal};
use crate::secret::Key;

/// The key under which one side's headers are sealed, for the length of one chain. It wipes when dropped.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct HeaderKey<S> {
    key: Key,
    side: PhantomData<S>,
}

impl<S> HeaderKey<S> {
    pub(crate) const fn new(key: Key) -> Self {
        Self { key, side: PhantomData }
    }

    #[cfg(test)]
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }
}

impl HeaderKey<Ours> {
    /// Seals a header in place with XChaCha20-Poly1305 under its random nonce; returns the tag.
    pub(crate) fn seal(&self, nonce: &[u8; 24], associated: &[u8], header: &mut [u8]) -> [u8; TAG] {
        xseal(self.key.as_bytes(), nonce, associated, header)
    }
}

impl HeaderKey<Theirs> {
    /// Opens a sealed header, if it was sealed under this key.
    pub(crate) fn open(&self, nonce: &[u8; 24], associated: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (ciphertext, tag) = sealed.split_last_chunk()?;
        let mut header = Zeroizing::new(ciphertext.to_vec());
        xopen(self.key.as_bytes(), nonce, associated, &mut header, tag).ok()?;
        Some(header)
    }
}
