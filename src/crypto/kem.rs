//! ML-KEM-768 (FIPS 203) behind a small trait, so that another implementation can take its place.
//!
//! Private keys are kept as their 64-byte seed (`d | z`, FIPS 203 section 7.1) and expanded when they are used. The
//! implementation is libcrux's, whose core is formally verified; its incremental interface is never used.

use libcrux_ml_kem::mlkem768::{self, MlKem768Ciphertext, MlKem768PrivateKey, MlKem768PublicKey};
use zeroize::{Zeroize, Zeroizing};

use kinfolk_wire::bundle::{KEM_CIPHERTEXT, KEM_KEY};

use crate::secret::{DEEP, wiping_stack};

/// Length of the seed of a private key in bytes.
pub const SEED: usize = 64;
/// A key encapsulation mechanism with the sizes of ML-KEM-768.
pub trait Kem {
    /// A private key, expanded; it wipes when dropped.
    type Private: KemPrivate;

    /// Expands a seed.
    fn expand(seed: &[u8; SEED]) -> Self::Private;

    /// Whether a public key is well-formed (FIPS 203 section 7.2, the modulus check).
    fn is_valid(key: &[u8; KEM_KEY]) -> bool;

    /// A ciphertext for the holder of a valid key and the secret that it carries, from 32 random bytes.
    fn encapsulate(key: &[u8; KEM_KEY], randomness: [u8; 32]) -> (Box<[u8; KEM_CIPHERTEXT]>, Zeroizing<[u8; 32]>);
}

/// A private key, expanded from its seed.
pub trait KemPrivate {
    /// The public key.
    fn public(&self) -> &[u8; KEM_KEY];

    /// The secret in a ciphertext; of a ciphertext that was altered, another secret (FIPS 203 section 6.3, implicit
    /// rejection).
    fn decapsulate(&self, ciphertext: &[u8; KEM_CIPHERTEXT]) -> Zeroizing<[u8; 32]>;
}

/// ML-KEM-768.
#[derive(Debug, Clone, Copy)]
pub struct MlKem768;

/// A private key of [`MlKem768`].
pub struct MlKem768Private {
    private: Box<MlKem768PrivateKey>,
    public: MlKem768PublicKey,
}

impl Drop for MlKem768Private {
    fn drop(&mut self) {
        self.private[0..].zeroize();
    }
}

impl Kem for MlKem768 {
    type Private = MlKem768Private;

    fn expand(seed: &[u8; SEED]) -> MlKem768Private {
        wiping_stack::<DEEP, _>(|| {
            let (private, public) = mlkem768::generate_key_pair(*seed).into_parts();
            MlKem768Private { private: Box::new(private), public }
        })
    }

    fn is_valid(key: &[u8; KEM_KEY]) -> bool {
        mlkem768::validate_public_key(&MlKem768PublicKey::from(key))
    }

    fn encapsulate(key: &[u8; KEM_KEY], randomness: [u8; 32]) -> (Box<[u8; KEM_CIPHERTEXT]>, Zeroizing<[u8; 32]>) {
        wiping_stack::<DEEP, _>(|| {
            let (ciphertext, shared) = mlkem768::encapsulate(&MlKem768PublicKey::from(key), randomness);
            (Box::new(ciphertext.into()), Zeroizing::new(shared))
        })
    }
}

impl KemPrivate for MlKem768Private {
    fn public(&self) -> &[u8; KEM_KEY] {
        self.public.as_slice()
    }

    fn decapsulate(&self, ciphertext: &[u8; KEM_CIPHERTEXT]) -> Zeroizing<[u8; 32]> {
        wiping_stack::<DEEP, _>(|| {
            Zeroizing::new(mlkem768::decapsulate(&self.private, &MlKem768Ciphertext::from(ciphertext)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_share_a_secret_and_an_altered_ciphertext_gives_another() {
        let private = MlKem768::expand(&[3; SEED]);
        assert!(MlKem768::is_valid(private.public()));
        let (mut ciphertext, shared) = MlKem768::encapsulate(private.public(), [4; 32]);
        assert_eq!(*private.decapsulate(&ciphertext), *shared);
        ciphertext[0] ^= 1;
        assert_ne!(*private.decapsulate(&ciphertext), *shared);
    }

    #[test]
    fn a_key_beyond_the_modulus_is_invalid() {
        assert!(!MlKem768::is_valid(&[0xff; KEM_KEY]));
    }
}
