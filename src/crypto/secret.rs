//! Bytes that wipe themselves.

use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Secret bytes of any length. They wipe when dropped, compare in constant time, and are never printed.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes bytes over; the vector's spare capacity is wiped with it.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.len())
    }
}

/// A symmetric key or shared secret of 32 bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
pub(crate) struct Key([u8; 32]);

impl Key {
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// How much stack an operation on a session takes at the most, in bytes, but for ML-KEM.
pub(crate) const SHALLOW: usize = 16 << 10;
/// How much stack ML-KEM takes at the most, in bytes.
pub(crate) const DEEP: usize = 96 << 10;

/// Runs something that has keys on the stack, and then wipes the stack where it ran.
///
/// What is moved leaves a copy where it was, which nothing wipes: neither dropping the value in its new place, nor any
/// safe code that knows the value. But the next call lies where the one before it lay.
#[inline(never)]
pub(crate) fn wiping_stack<const BYTES: usize, T>(run: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn apart<T>(run: impl FnOnce() -> T) -> T {
        run()
    }
    let out = apart(run);
    wipe_stack::<BYTES>();
    out
}

#[inline(never)]
fn wipe_stack<const BYTES: usize>() {
    let mut area = [0_u8; BYTES];
    std::hint::black_box(&mut area);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_only() {
        assert_eq!(format!("{:?}", SecretBytes::new(vec![7; 5])), "SecretBytes(5 bytes)");
    }

    #[test]
    fn equality_looks_at_every_byte_and_the_length() {
        assert_eq!(SecretBytes::new(vec![1, 2]), SecretBytes::new(vec![1, 2]));
        assert_ne!(SecretBytes::new(vec![1, 2]), SecretBytes::new(vec![1, 3]));
        assert_ne!(SecretBytes::new(vec![1, 2]), SecretBytes::new(vec![1, 2, 0]));
    }
}
