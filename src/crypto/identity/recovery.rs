//! The recovery key: what the phrase gives, and what outranks every device.

use ed25519_dalek::SigningKey;

use kinfolk_wire::codec::to_cbor;
use kinfolk_wire::ids::IdentityId;
use kinfolk_wire::sigchain::{Genesis, VERSION};

use super::RecoveryPhrase;
use crate::kdf::{NO_SALT, derive, sha256};
use crate::label::Label;
use crate::sign::sign;

/// The Ed25519 key and the nonce that a phrase gives: `HKDF-SHA256(entropy, "kinfolk/1 recovery sign")` and the same
/// with `"kinfolk/1 recovery nonce"`. The phrase alone therefore names its identity. It wipes when dropped.
pub struct RecoveryKey {
    signing_key: SigningKey,
    nonce: [u8; 32],
}

impl RecoveryKey {
    /// The key of a phrase.
    #[must_use]
    pub fn from_phrase(phrase: &RecoveryPhrase) -> Self {
        let [seed] = derive(&NO_SALT, phrase.entropy(), &[Label::RecoverySign.as_bytes()]);
        let [nonce] = derive(&NO_SALT, phrase.entropy(), &[Label::RecoveryNonce.as_bytes()]);
        Self { signing_key: SigningKey::from_bytes(seed.as_bytes()), nonce: *nonce.as_bytes() }
    }

    /// The identity that the phrase names.
    #[must_use]
    pub fn identity(&self) -> IdentityId {
        IdentityId::new(sha256(&[&to_cbor(&self.genesis())]))
    }

    /// The beginning of the identity.
    pub(crate) fn genesis(&self) -> Genesis {
        Genesis { version: VERSION, recovery_key: self.signing_key.verifying_key().to_bytes(), nonce: self.nonce }
    }

    pub(crate) fn sign(&self, label: Label, bytes: &[u8]) -> [u8; 64] {
        sign(&self.signing_key, label, &[bytes])
    }
}
