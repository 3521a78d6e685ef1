//! The number that two people compare to know that nobody stands between them.

use std::fmt;

use sha2::{Digest, Sha512};

use kinfolk_wire::ids::IdentityId;

use crate::label::Label;

/// How often the hash is taken: a near match costs an impostor this much more for each try.
const ROUNDS: usize = 5_200;
const GROUPS: usize = 6;

/// 60 digits over two identities, the same for both people: 30 for each identity, the smaller id first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SafetyNumber {
    groups: [[u32; GROUPS]; 2],
}

/// The number of two people. It follows from their identities alone, so one comparison covers all their devices,
/// present and future.
///
/// For each identity `h = SHA-512("kinfolk/1 safety" | id)`, then `h = SHA-512(h | id)`, 5,200 hashes in all; the first
/// 30 bytes are six big-endian numbers of 5 bytes, each taken modulo 100,000.
#[must_use]
pub fn safety_number(a: &IdentityId, b: &IdentityId) -> SafetyNumber {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    SafetyNumber { groups: [digits(first), digits(second)] }
}

fn digits(identity: &IdentityId) -> [u32; GROUPS] {
    let mut hash = Sha512::new().chain_update(Label::Safety.as_bytes()).chain_update(identity.as_bytes()).finalize();
    for _ in 1..ROUNDS {
        hash = Sha512::new().chain_update(hash).chain_update(identity.as_bytes()).finalize();
    }
    let mut groups = [0; GROUPS];
    for (group, chunk) in groups.iter_mut().zip(hash.chunks_exact(5)) {
        *group = chunk.iter().fold(0_u32, |digits, byte| {
            // Modulo 100,000 at every byte, so that 32 bits are enough.
            digits.wrapping_mul(256).wrapping_add(u32::from(*byte)) % 100_000
        });
    }
    groups
}

impl fmt::Display for SafetyNumber {
    /// Twelve groups of five digits, a space between them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, group) in self.groups.as_flattened().iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{group:05}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b04_both_people_read_the_same_sixty_digits() {
        let (a, b) = (IdentityId::new([1; 32]), IdentityId::new([2; 32]));
        let text = safety_number(&a, &b).to_string();
        assert_eq!(text, safety_number(&b, &a).to_string());
        let groups: Vec<&str> = text.split(' ').collect();
        assert_eq!(groups.len(), 12);
        assert!(groups.iter().all(|group| group.len() == 5 && group.bytes().all(|byte| byte.is_ascii_digit())));
    }

    #[test]
    fn b04_another_identity_changes_its_own_half_only() {
        let [a, b, c] = [1, 2, 3].map(|byte| IdentityId::new([byte; 32]));
        let (with_b, with_c) = (safety_number(&a, &b), safety_number(&a, &c));
        assert_eq!(with_b.groups[0], with_c.groups[0]);
        assert!(with_b.groups[1].iter().zip(with_c.groups[1]).all(|(one, other)| *one != other));
    }

    #[test]
    fn the_modulus_by_bytes_is_the_modulus_of_the_number() {
        let identity = IdentityId::new([7; 32]);
        let mut hash = Sha512::digest([Label::Safety.as_bytes(), identity.as_bytes()].concat());
        for _ in 0..5_199 {
            hash = Sha512::digest([hash.as_slice(), identity.as_bytes()].concat());
        }
        let expected: Vec<u64> = hash[..30]
            .chunks(5)
            .map(|chunk| chunk.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)) % 100_000)
            .collect();
        assert_eq!(digits(&identity).map(u64::from).to_vec(), expected);
    }
}
