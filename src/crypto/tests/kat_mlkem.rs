//! libcrux's ML-KEM-768 beside RustCrypto's: two implementations that share no code must give the same keys,
//! ciphertexts and secrets, and the same wrong secret for a ciphertext that was altered (FIPS 203 section 6.3).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says so by failing")]

use kinfolk_crypto::kdf::sha256;
use kinfolk_crypto::kem::{Kem, KemPrivate, MlKem768};
use ml_kem::{Decapsulate, KeyExport};

const SEEDS: u32 = 400;

/// 32 bytes that depend on the seed's number and on what they are for.
fn bytes(seed: u32, purpose: u8) -> [u8; 32] {
    sha256(&[b"kat ml-kem", &seed.to_be_bytes(), &[purpose]])
}

#[test]
fn two_implementations_of_ml_kem_768_agree_also_on_altered_ciphertexts() {
    let mut implicit_rejections = 0;
    for seed in 0..SEEDS {
        let mut private = [0; 64];
        private[..32].copy_from_slice(&bytes(seed, 0));
        private[32..].copy_from_slice(&bytes(seed, 1));
        let (ours, theirs) = (MlKem768::expand(&private), ml_kem::DecapsulationKey768::from_seed(private.into()));
        assert_eq!(ours.public().as_slice(), theirs.encapsulation_key().to_bytes().as_slice(), "seed {seed}");

        let randomness = bytes(seed, 2);
        let (mut ciphertext, secret) = MlKem768::encapsulate(ours.public(), randomness);
        let (their_ciphertext, their_secret) = theirs.encapsulation_key().encapsulate_deterministic(&randomness.into());
        assert_eq!(ciphertext.as_slice(), their_ciphertext.as_slice(), "seed {seed}");
        assert_eq!(secret.as_slice(), their_secret.as_slice(), "seed {seed}");
        assert_eq!(*ours.decapsulate(&ciphertext), *secret, "seed {seed}");

        let choice = bytes(seed, 3);
        let place = usize::from(u16::from_be_bytes([choice[0], choice[1]])) % ciphertext.len();
        ciphertext[place] ^= 1 << (choice[2] % 8);
        let rejected = ours.decapsulate(&ciphertext);
        assert_eq!(rejected.as_slice(), theirs.decapsulate_slice(ciphertext.as_slice()).unwrap().as_slice());
        implicit_rejections += u32::from(*rejected != *secret);
    }
    assert_eq!(implicit_rejections, SEEDS);
}
