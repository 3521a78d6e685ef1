//! Ed25519 (RFC 8032), every signature under a [`Label`] of its own.
//!
//! Two ways of checking, each where it belongs. *Strict* is for what one reader checks once: bundles, prekeys, invites,
//! hellos. *ZIP-215* is for what many must judge alike for ever: sigchains. Both refuse a non-canonical `S`; ZIP-215 is
//! the same alone or in a batch. A key is admitted to a sigchain only if it is canonical and not of small order, so
//! that the two ways agree on every signature an honest signer makes.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use ed25519_zebra::VerificationKey;

use crate::label::Label;

/// A signature that is not by this key over these bytes under this label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not genuine")]
pub struct SignatureError;

/// Signs the parts, one after the other, under a label.
#[must_use]
pub fn sign(key: &SigningKey, label: Label, parts: &[&[u8]]) -> [u8; 64] {
    key.sign(&message(label, parts)).to_bytes()
}

/// Checks a signature strictly: canonical `S`, `A` and `R` not of small order, `R` compared as bytes.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_strict(
    key: &[u8; 32],
    label: Label,
    parts: &[&[u8]],
    signature: &[u8; 64],
) -> Result<(), SignatureError> {
    VerifyingKey::from_bytes(key)
        .and_then(|key| key.verify_strict(&message(label, parts), &Signature::from_bytes(signature)))
        .map_err(|_| SignatureError)
}

/// Checks a signature by the rules of ZIP-215, on which all verifiers agree.
///
/// # Errors
/// [`SignatureError`].
pub fn verify_zip215(
    key: &[u8; 32],
    label: Label,
    parts: &[&[u8]],
    signature: &[u8; 64],
) -> Result<(), SignatureError> {
    VerificationKey::try_from(*key)
        .and_then(|key| key.verify(&(*signature).into(), &message(label, parts)))
        .map_err(|_| SignatureError)
}

/// Whether a public key may enter a sigchain: a point, in its one encoding, not of small order.
#[must_use]
pub fn is_admissible(key: &[u8; 32]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|point| !point.is_weak() && point.to_edwards().compress().as_bytes() == key)
}

fn message(label: Label, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().fold(label.as_bytes().len(), |sum, part| sum.saturating_add(part.len()));
    let mut message = Vec::with_capacity(length);
    message.extend_from_slice(label.as_bytes());
    for part in parts {
        message.extend_from_slice(part);
    }
    message
}
