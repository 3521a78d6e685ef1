//! Ed25519 under the rules of ZIP-215, one signature at a time or many together, with one verdict.
//!
//! Whatever decides agreement must be judged alike by all for ever. ZIP-215 says exactly which signatures are good
//! (`S` below the group order, points in any encoding, the equation multiplied by the cofactor), and its batch equation
//! accepts what the single one accepts and nothing else, but for a chance of 2^-128 that the random coefficients decide.
//! A batch takes the coefficients of all signatures of one key together, so that what a few witnesses signed costs a
//! third of what single checks cost.
//!
//! [`Unverified`] keeps what was signed out of reach until its signatures are found good, by either way.

use std::fmt;

use ed25519_zebra::batch::{Item, Verifier};
use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use kinfolk_wire::ids::{KeyHash, Signature, Vk};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::domain::Domain;

/// A signature, or one of several, that is not by its key over its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not genuine")]
pub struct SignatureError;

/// A key that signs for a writer, a witness or an issuer. Wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<SigningKey>);

impl SecretKey {
    /// The key of this seed (RFC 8032).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Zeroizing::new(SigningKey::from_bytes(seed)))
    }

    /// What verifies its signatures.
    #[must_use]
    pub fn vk(&self) -> Vk {
        Vk::new(self.0.verification_key().into())
    }

    pub(crate) fn sign(&self, domain: Domain, bytes: &[u8]) -> Signature {
        Signature::new(self.0.sign(&domain.message(bytes)).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey of {:?}", self.vk())
    }
}

/// What stands for a key until it is shown.
#[must_use]
pub fn key_hash(key: &Vk) -> KeyHash {
    KeyHash::new(Domain::Key.hash(key.as_bytes()))
}

/// A value that becomes usable once every signature it stands on is found good.
#[derive(Debug, Clone)]
#[must_use]
pub struct Unverified<T> {
    value: T,
    items: Vec<Item>,
}

impl<T> Unverified<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { value, items: Vec::new() }
    }

    /// Adds a signature that the value stands on.
    pub(crate) fn signed(mut self, key: &Vk, domain: Domain, bytes: &[u8], signature: &Signature) -> Self {
        let message = domain.message(bytes);
        let signature = ed25519_zebra::Signature::from(*signature.as_bytes());
        self.items.push(Item::from((VerificationKeyBytes::from(*key.as_bytes()), signature, message.as_slice())));
        self
    }

    /// Stands on what another stands on as well.
    pub(crate) fn and<U>(mut self, other: &Unverified<U>) -> Self {
        self.items.extend_from_slice(&other.items);
        self
    }

    /// Both, which stand on the signatures of both.
    pub(crate) fn with<U, V>(self, other: Unverified<U>, both: impl FnOnce(T, U) -> V) -> Unverified<V> {
        let Self { value, mut items } = self;
        items.extend(other.items);
        Unverified { value: both(value, other.value), items }
    }

    /// How many signatures it stands on.
    #[must_use]
    pub const fn signatures(&self) -> usize {
        self.items.len()
    }

    /// The same in another type, still unverified: to verify values of several kinds in one batch. A function and no
    /// closure, so that the value goes nowhere else.
    pub fn of_kind<U>(self, kind: fn(T) -> U) -> Unverified<U> {
        self.map(kind)
    }

    pub(crate) fn map<U>(self, into: impl FnOnce(T) -> U) -> Unverified<U> {
        Unverified { value: into(self.value), items: self.items }
    }

    /// Checks one signature after the other.
    ///
    /// # Errors
    /// [`SignatureError`] if one is not genuine.
    pub fn verify(self) -> Result<T, SignatureError> {
        for item in self.items {
            item.verify_single().map_err(|_| SignatureError)?;
        }
        Ok(self.value)
    }
}

/// Checks all signatures of many values together. Where one is not genuine all are checked singly, so that a stranger's
/// bad signature costs time and spoils nobody else's.
pub fn verify_batch<T>(values: Vec<Unverified<T>>, rng: &mut impl CryptoRng) -> Vec<Result<T, SignatureError>> {
    let mut verifier = Verifier::new();
    for item in values.iter().flat_map(|value| &value.items) {
        verifier.queue(item.clone());
    }
    if verifier.verify(rng).is_ok() {
        values.into_iter().map(|value| Ok(value.value)).collect()
    } else {
        values.into_iter().map(Unverified::verify).collect()
    }
}

#[cfg(test)]
mod tests;
