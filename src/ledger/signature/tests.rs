//! One signature at a time and many together give one verdict, on signatures that are made to divide them as well.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "arithmetic of a group does not overflow"
)]

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha512};

use super::*;

const MESSAGE: &[u8] = b"a vote";

/// The order of the group's prime part, little-endian (RFC 8032).
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Every encoding of a point of small order, canonical or not.
fn small_order() -> Vec<[u8; 32]> {
    // y and y + p with either sign, for every y that such a point has and that fits again: p - 1, p, p + 1.
    let near_p = [0xec, 0xed, 0xee].map(|low| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (low, 0x7f);
        bytes
    });
    let canonical = EIGHT_TORSION.iter().map(|point| point.compress().to_bytes());
    let mut found: Vec<[u8; 32]> = canonical
        .chain(near_p)
        .flat_map(|bytes| {
            [0, 0x80].map(|sign| {
                let mut signed = bytes;
                signed[31] = (signed[31] & 0x7f) | sign;
                signed
            })
        })
        .filter(|bytes| CompressedEdwardsY(*bytes).decompress().is_some_and(|point| point.is_small_order()))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn signature(r: [u8; 32], s: [u8; 32]) -> Signature {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&r);
    bytes[32..].copy_from_slice(&s);
    Signature::new(bytes)
}

fn of(key: [u8; 32], signature: &Signature) -> Unverified<()> {
    Unverified::new(()).signed(&Vk::new(key), Domain::Vote, MESSAGE, signature)
}

/// What single checks say, after it was found that batches of one, of all, and of all good ones say the same.
fn verdicts(values: &[Unverified<()>]) -> Vec<bool> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let singly: Vec<bool> = values.iter().map(|value| value.clone().verify().is_ok()).collect();
    for (value, single) in values.iter().zip(&singly) {
        let mut verifier = Verifier::new();
        value.items.iter().for_each(|item| verifier.queue(item.clone()));
        assert_eq!(verifier.verify(&mut rng).is_ok(), *single);
    }
    let mut verifier = Verifier::new();
    for (value, _) in values.iter().zip(&singly).filter(|(_, single)| **single) {
        value.items.iter().for_each(|item| verifier.queue(item.clone()));
    }
    assert!(verifier.verify(&mut rng).is_ok(), "good ones together are good");
    let together: Vec<bool> = verify_batch(values.to_vec(), &mut rng).iter().map(Result::is_ok).collect();
    assert_eq!(together, singly);
    singly
}

fn challenge(r: &[u8; 32], key: &[u8; 32]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(Domain::Vote.message(MESSAGE)).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

/// A signature by a key and with an `R` that both have a part of small order.
fn mixed(secret: u64, nonce: u64, key_part: usize, r_part: usize) -> ([u8; 32], Signature) {
    let (a, r) = (Scalar::from(secret), Scalar::from(nonce));
    let key = (ED25519_BASEPOINT_POINT * a + EIGHT_TORSION[key_part]).compress().to_bytes();
    let point = (ED25519_BASEPOINT_POINT * r + EIGHT_TORSION[r_part]).compress().to_bytes();
    let s = r + challenge(&point, &key) * a;
    (key, signature(point, s.to_bytes()))
}

#[test]
fn the_196_cases_of_small_order_are_taken_singly_and_together() {
    let points = small_order();
    assert_eq!(points.len(), 14);
    let pairs = points.iter().flat_map(|key| points.iter().map(move |r| (*key, *r)));
    let cases: Vec<_> = pairs.map(|(key, r)| of(key, &signature(r, [0; 32]))).collect();
    assert_eq!(cases.len(), 196);
    assert!(verdicts(&cases).into_iter().all(|good| good), "ZIP-215 takes them all");
}

#[test]
fn parts_of_small_order_divide_nobody() {
    let parts = (0..8).flat_map(|key| (0..8).map(move |r| (key, r)));
    let cases: Vec<_> = parts
        .map(|(key_part, r_part)| {
            let (key, signature) = mixed(77, 99, key_part, r_part);
            of(key, &signature)
        })
        .collect();
    assert!(verdicts(&cases).into_iter().all(|good| good));
}

#[test]
fn e05_a_second_signature_made_by_adding_the_order_is_refused() {
    let (key, good) = mixed(77, 99, 0, 0);
    let mut bytes = *good.as_bytes();
    let mut carry = 0;
    for (byte, order) in bytes[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = ((sum & 0xff) as u8, sum >> 8);
    }
    assert_eq!(verdicts(&[of(key, &good), of(key, &Signature::new(bytes))]), [true, false]);
}

#[test]
fn no_key_of_small_order_is_admitted() {
    for bytes in small_order() {
        assert!(!kinfolk_crypto::sign::is_admissible(&bytes));
    }
}

#[test]
fn a_bad_signature_in_a_batch_spoils_no_other() {
    let secret = SecretKey::from_seed(&[5; 32]);
    let mut cases: Vec<_> = (0..9_u8)
        .map(|number| {
            let bytes = [number; 7];
            Unverified::new(number).signed(&secret.vk(), Domain::Vote, &bytes, &secret.sign(Domain::Vote, &bytes))
        })
        .collect();
    let forged = secret.sign(Domain::Report, &[4; 7]);
    cases[4] = Unverified::new(4).signed(&secret.vk(), Domain::Vote, &[4; 7], &forged);
    let found = verify_batch(cases, &mut ChaCha20Rng::seed_from_u64(2));
    let expected: Vec<_> = (0..9).map(|number| if number == 4 { Err(SignatureError) } else { Ok(number) }).collect();
    assert_eq!(found, expected);
}

proptest! {
    #[test]
    fn one_verdict_on_altered_signatures(
        cases in prop::collection::vec((1..u64::MAX, 1..u64::MAX, 0..8_usize, 0..8_usize, 0..96_usize, any::<u8>()), 1..12),
    ) {
        let values: Vec<_> = cases
            .into_iter()
            .map(|(secret, nonce, key_part, r_part, at, by)| {
                let (mut key, signature) = mixed(secret, nonce, key_part, r_part);
                let mut bytes = *signature.as_bytes();
                match at.checked_sub(64) {
                    Some(at) => key[at] ^= by,
                    None => bytes[at] ^= by,
                }
                of(key, &Signature::new(bytes))
            })
            .collect();
        verdicts(&values);
    }
}
