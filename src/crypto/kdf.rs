//! HMAC-SHA256 (RFC 2104), HKDF-SHA256 (RFC 5869) and SHA-256, as the protocol uses them.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::secret::Key;

/// A salt of zeros: what RFC 5869 says to take where there is none.
pub(crate) const NO_SALT: [u8; 32] = [0; 32];

/// More bytes were asked of HKDF-SHA256 than the 8,160 it has (RFC 5869 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("HKDF-SHA256 gives at most 8160 bytes, {asked} were asked for")]
pub struct TooMuch {
    /// How many bytes.
    pub asked: usize,
}

/// An HMAC-SHA256 under one key, ready to be used more than once.
#[derive(Clone)]
pub(crate) struct Prf(Hmac<Sha256>);

impl Prf {
    pub(crate) fn new(key: &[u8]) -> Self {
        #[allow(clippy::expect_used, reason = "HMAC takes a key of any length, RFC 2104 section 2")]
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }

    pub(crate) fn over(self, parts: &[&[u8]]) -> Key {
        let mut mac = self.0;
        for part in parts {
            mac.update(part);
        }
        let mut output = mac.finalize().into_bytes();
        let key = Key::new(output.into());
        output.as_mut_slice().zeroize();
        key
    }
}

/// HMAC-SHA256 over the parts one after the other.
#[must_use]
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(*Prf::new(key).over(parts).as_bytes())
}

/// HKDF-SHA256: extract under `salt`, expand under the parts of `info` one after the other, fill `out`.
///
/// # Errors
/// [`TooMuch`] if `out` is longer than 8,160 bytes.
pub fn hkdf(salt: &[u8], ikm: &[u8], info: &[&[u8]], out: &mut [u8]) -> Result<(), TooMuch> {
    let asked = out.len();
    Hkdf::<Sha256>::new(Some(salt), ikm).expand_multi_info(info, out).map_err(|_| TooMuch { asked })
}

/// HKDF-SHA256 to `N` keys of 32 bytes, in the order of the output.
pub(crate) fn derive<const N: usize>(salt: &[u8], ikm: &[u8], info: &[&[u8]]) -> [Key; N] {
    expand_keys(&Hkdf::<Sha256>::new(Some(salt), ikm), info)
}

/// The extract half of HKDF-SHA256.
pub(crate) fn extract(salt: &[u8], ikm: &[u8]) -> Key {
    Prf::new(salt).over(&[ikm])
}

/// The expand half of HKDF-SHA256, to `N` bytes of which there may be 8,160.
pub(crate) fn expand<const N: usize>(prk: &Key, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 8_160) };
    let mut out = Zeroizing::new([0; N]);
    #[allow(clippy::expect_used, reason = "a key of 32 bytes is long enough, and N is checked above")]
    Hkdf::<Sha256>::from_prk(prk.as_bytes())
        .map_err(|_| ())
        .and_then(|hkdf| hkdf.expand_multi_info(info, out.as_mut_slice()).map_err(|_| ()))
        .expect("HKDF within its limits");
    out
}

fn expand_keys<const N: usize>(hkdf: &Hkdf<Sha256>, info: &[&[u8]]) -> [Key; N] {
    const { assert!(N <= 255) };
    let mut out = Zeroizing::new([[0; 32]; N]);
    #[allow(clippy::expect_used, reason = "N blocks are within the 255 of RFC 5869, checked above")]
    hkdf.expand_multi_info(info, out.as_flattened_mut()).expect("HKDF within its limits");
    out.map(Key::new)
}

/// SHA-256 of the parts one after the other.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_derive_agree() {
        let (salt, ikm, info) = ([1; 32], [2; 64], [&b"one"[..], b"two"]);
        let mut whole = [0; 96];
        assert_eq!(hkdf(&salt, &ikm, &info, &mut whole), Ok(()));
        let keys: [Key; 3] = derive(&salt, &ikm, &[b"onetwo"]);
        assert_eq!(whole, keys.map(|key| *key.as_bytes()).as_flattened());
        assert_eq!(*expand::<96>(&extract(&salt, &ikm), &info), whole);
    }

    #[test]
    fn more_than_hkdf_has_is_refused() {
        assert_eq!(hkdf(&[], &[], &[], &mut [0; 8_161]), Err(TooMuch { asked: 8_161 }));
    }
}
