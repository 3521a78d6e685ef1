//! ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), in place, tag apart.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, XChaCha20Poly1305};

/// Length of a tag in bytes.
pub const TAG: usize = 16;

/// The tag does not fit: another key, nonce, associated data or ciphertext. The buffer holds nothing of the plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the seal is not genuine")]
pub struct OpenError;

/// Encrypts in place with ChaCha20-Poly1305 and returns the tag. A nonce is for one message under one key.
#[must_use]
pub fn seal(key: &[u8; 32], nonce: &[u8; 12], associated: &[u8], buffer: &mut [u8]) -> [u8; TAG] {
    #[allow(clippy::expect_used, reason = "the cipher's limit is 256 GiB, RFC 8439 section 2.8; buffers are in memory")]
    let tag = ChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(nonce.into(), associated, buffer.into())
        .expect("a buffer in memory is within the cipher's limit");
    tag.into()
}

/// Checks the tag, then decrypts in place with ChaCha20-Poly1305.
///
/// # Errors
/// [`OpenError`].
pub fn open(
    key: &[u8; 32],
    nonce: &[u8; 12],
    associated: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG],
) -> Result<(), OpenError> {
    ChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(nonce.into(), associated, buffer.into(), tag.into())
        .map_err(|_| OpenError)
}

/// Encrypts in place with XChaCha20-Poly1305 and returns the tag. A nonce may be random.
#[must_use]
pub fn xseal(key: &[u8; 32], nonce: &[u8; 24], associated: &[u8], buffer: &mut [u8]) -> [u8; TAG] {
    #[allow(clippy::expect_used, reason = "the cipher's limit is 256 GiB, RFC 8439 section 2.8; buffers are in memory")]
    let tag = XChaCha20Poly1305::new(key.into())
        .encrypt_inout_detached(nonce.into(), associated, buffer.into())
        .expect("a buffer in memory is within the cipher's limit");
    tag.into()
}

/// Checks the tag, then decrypts in place with XChaCha20-Poly1305.
///
/// # Errors
/// [`OpenError`].
pub fn xopen(
    key: &[u8; 32],
    nonce: &[u8; 24],
    associated: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG],
) -> Result<(), OpenError> {
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(nonce.into(), associated, buffer.into(), tag.into())
        .map_err(|_| OpenError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_tag_or_associated_data_opens_nothing() {
        let mut buffer = *b"a letter";
        let tag = seal(&[1; 32], &[2; 12], b"to you", &mut buffer);
        let sealed = buffer;
        assert_eq!(open(&[1; 32], &[2; 12], b"to me", &mut buffer, &tag), Err(OpenError));
        let mut other = tag;
        other[15] ^= 1;
        assert_eq!(open(&[1; 32], &[2; 12], b"to you", &mut buffer, &other), Err(OpenError));
        assert_eq!(buffer, sealed);
        assert_eq!(open(&[1; 32], &[2; 12], b"to you", &mut buffer, &tag), Ok(()));
        assert_eq!(&buffer, b"a letter");
    }
}
