//! Message keys: `mk` of each ratchet, and the mixture of both that seals one body.

use zeroize::Zeroizing;

use crate::aead::{OpenError, TAG, open, seal};
use crate::kdf::{expand, extract};
use crate::label::Label;
use crate::secret::{Key, SecretBytes};

/// `mk`: what a chain key gives for one message. It wipes when dropped.
pub(crate) struct MessageKey(Key);

impl MessageKey {
    pub(crate) const fn new(key: Key) -> Self {
        Self(key)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// The extract half of `HKDF(salt = mk_pq, ikm = mk_ec, ..)`: as secret as the stronger of the two. It is what is kept
/// of a skipped message, whose header nonce is not known yet. It wipes when dropped.
pub(crate) struct MessageSecret(Key);

impl MessageSecret {
    pub(crate) fn mix(ec: &MessageKey, pq: &MessageKey) -> Self {
        Self(extract(pq.as_bytes(), ec.as_bytes()))
    }

    pub(crate) fn from_bytes(bytes: &SecretBytes) -> Option<Self> {
        <[u8; 32]>::try_from(bytes.as_slice()).ok().map(|key| Self(Key::new(key)))
    }

    pub(crate) fn to_bytes(&self) -> SecretBytes {
        SecretBytes::new(self.0.as_bytes().to_vec())
    }

    /// Seals a padded body in place; returns the tag.
    pub(crate) fn seal(&self, header_nonce: &[u8; 24], associated: &[u8], body: &mut [u8]) -> [u8; TAG] {
        let keys = self.keys(header_nonce);
        seal(&keys.key, &keys.nonce, associated, body)
    }

    /// Opens a body in place.
    pub(crate) fn open(
        &self,
        header_nonce: &[u8; 24],
        associated: &[u8],
        body: &mut [u8],
        tag: &[u8; TAG],
    ) -> Result<(), OpenError> {
        let keys = self.keys(header_nonce);
        open(&keys.key, &keys.nonce, associated, body, tag)
    }

    /// `(k 32, n 12)`, expanded under `"kinfolk/1 msg" | hn`: since `hn` is random, a device that was rolled back and
    /// takes the same message key again still never seals twice under one key and nonce.
    pub(crate) fn keys(&self, header_nonce: &[u8; 24]) -> BodyKeys {
        let bytes = expand::<44>(&self.0, &[Label::Message.as_bytes(), header_nonce]);
        let mut keys = BodyKeys { key: Zeroizing::new([0; 32]), nonce: [0; 12] };
        let (key, nonce) = bytes.split_at(32);
        keys.key.copy_from_slice(key);
        keys.nonce.copy_from_slice(nonce);
        keys
    }
}

/// `(k, n)` of one body.
pub(crate) struct BodyKeys {
    pub(crate) key: Zeroizing<[u8; 32]>,
    pub(crate) nonce: [u8; 12],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a14_the_mixture_needs_both_keys() {
        let key = |byte| MessageKey::new(Key::new([byte; 32]));
        let mixed = MessageSecret::mix(&key(1), &key(2)).to_bytes();
        assert_ne!(mixed, MessageSecret::mix(&key(3), &key(2)).to_bytes());
        assert_ne!(mixed, MessageSecret::mix(&key(1), &key(3)).to_bytes());
        assert_ne!(mixed, MessageSecret::mix(&key(2), &key(1)).to_bytes());
        assert_eq!(mixed, MessageSecret::mix(&key(1), &key(2)).to_bytes());
    }

    #[test]
    fn key_and_nonce_are_the_parts_of_one_hkdf() {
        let (ec, pq, nonce) = ([1; 32], [2; 32], [3; 24]);
        let secret = MessageSecret::mix(&MessageKey::new(Key::new(ec)), &MessageKey::new(Key::new(pq)));
        let keys = secret.keys(&nonce);
        let mut whole = [0; 44];
        assert_eq!(crate::kdf::hkdf(&pq, &ec, &[b"kinfolk/1 msg", &nonce], &mut whole), Ok(()));
        assert_eq!([&keys.key[..], &keys.nonce].concat(), whole);
    }
}
