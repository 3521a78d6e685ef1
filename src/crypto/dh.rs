//! X25519 (RFC 7748). A result of all zeros is refused (RFC 7748 section 6.1): it means that the other key is one of
//! the few points of low order, whose result anybody can tell.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::secret::Key;

/// The other key gives an all-zero result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key of the other side is of low order")]
pub struct LowOrderKey;

/// A private key with its public key beside it, so that it is computed once.
#[derive(Clone, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
pub struct KeyPair {
    secret: Key,
    #[zeroize(skip)]
    public: [u8; 32],
}

impl KeyPair {
    /// A new pair.
    #[must_use]
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let secret = StaticSecret::random_from_rng(rng);
        Self { public: PublicKey::from(&secret).to_bytes(), secret: Key::new(secret.to_bytes()) }
    }

    /// The pair with this private key.
    #[must_use]
    pub fn from_secret(secret: [u8; 32]) -> Self {
        let secret = StaticSecret::from(secret);
        Self { public: PublicKey::from(&secret).to_bytes(), secret: Key::new(secret.to_bytes()) }
    }

    /// The pair as it was stored: the public key is taken at its word.
    pub(crate) const fn from_parts(secret: [u8; 32], public: [u8; 32]) -> Self {
        Self { secret: Key::new(secret), public }
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }

    pub(crate) const fn secret(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }

    /// The shared secret with another public key.
    pub(crate) fn agree(&self, theirs: &[u8; 32]) -> Result<Key, LowOrderKey> {
        let secret = StaticSecret::from(*self.secret.as_bytes());
        let shared = secret.diffie_hellman(&PublicKey::from(*theirs));
        if shared.was_contributory() { Ok(Key::new(shared.to_bytes())) } else { Err(LowOrderKey) }
    }

    /// The shared secret with another public key, 32 bytes.
    ///
    /// # Errors
    /// [`LowOrderKey`] if it is all zeros.
    pub fn diffie_hellman(&self, theirs: &[u8; 32]) -> Result<zeroize::Zeroizing<[u8; 32]>, LowOrderKey> {
        self.agree(theirs).map(|key| zeroize::Zeroizing::new(*key.as_bytes()))
    }
}

/// Whether a public key is one of the points of low order: times any clamped scalar it gives zero. Not in constant time:
/// it is asked of what others have published.
pub(crate) fn is_low_order(public: &[u8; 32]) -> bool {
    let mut canonical = *public;
    let [.., top] = &mut canonical;
    *top &= 0x7f;
    LOW_ORDER.contains(&canonical)
}

/// Every encoding, without the top bit that RFC 7748 ignores, of a point whose order divides 8, on the curve or on its
/// twist (Cremers and Jackson 2019, "Prime, Order Please!", table 1): 0, 1, two of order 8, and p - 1, p, p + 1.
const LOW_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a07_every_low_order_point_is_refused() {
        let pair = KeyPair::from_secret([9; 32]);
        for point in LOW_ORDER {
            for top in [0, 0x80] {
                let mut point = point;
                point[31] |= top;
                assert_eq!(pair.diffie_hellman(&point).map(|_| ()), Err(LowOrderKey), "{point:02x?}");
                assert!(is_low_order(&point));
            }
        }
        assert!(!is_low_order(pair.public()));
    }
}
