//! Prekeys: what somebody needs to start a session with a device that is not there (docs/protocol/03-handshake.md).

use crate::codec::{DecodeError, Reader};
use crate::ids::{DeviceId, IdentityId, SigchainHead};
use crate::time::Timestamp;

/// The version of the bundle layout.
pub const VERSION: u8 = 1;
/// Length of an ML-KEM-768 encapsulation key (FIPS 203, table 3).
pub const KEM_KEY: usize = 1_184;
/// Length of an ML-KEM-768 ciphertext (FIPS 203, table 3).
pub const KEM_CIPHERTEXT: usize = 1_088;

/// Names one prekey of a device; 0 names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrekeyId(pub u32);

/// A device's signed prekey and last-resort KEM key.
///
/// ```text
/// ver u8 | identity 32 | device 16 | DSK 32 | DIK 32 | spk_id u32 | SPK 32 | lrk_id u32 | LRK 1184
///        | not_before u64 | not_after u64 | sigchain_head 32 | signature 64
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PrekeyBundle {
    /// Whose device it is.
    pub identity: IdentityId,
    /// The device.
    pub device: DeviceId,
    /// Ed25519 device signing key, `DSK`.
    pub signing_key: [u8; 32],
    /// X25519 device identity key, `DIK`.
    pub identity_key: [u8; 32],
    /// Names `SPK`.
    pub signed_prekey_id: PrekeyId,
    /// X25519 signed prekey, `SPK`.
    pub signed_prekey: [u8; 32],
    /// Names `LRK`.
    pub last_resort_id: PrekeyId,
    /// ML-KEM-768 last-resort key, `LRK`.
    pub last_resort_key: Box<[u8; KEM_KEY]>,
    /// Not to be used before.
    pub not_before: Timestamp,
    /// Not to be used after.
    pub not_after: Timestamp,
    /// The newest sigchain entry the device knew when it signed.
    pub sigchain_head: SigchainHead,
    /// Ed25519 by `DSK` over `kinfolk/1 bundle` and everything before.
    pub signature: [u8; 64],
}

impl PrekeyBundle {
    /// Length of the layout.
    pub const LENGTH: usize = 1 + 32 + 16 + 32 + 32 + 4 + 32 + 4 + KEM_KEY + 8 + 8 + 32 + 64;

    /// The bytes that are signed: the layout without its signature.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::LENGTH);
        out.push(VERSION);
        out.extend_from_slice(self.identity.as_bytes());
        out.extend_from_slice(self.device.as_bytes());
        out.extend_from_slice(&self.signing_key);
        out.extend_from_slice(&self.identity_key);
        out.extend_from_slice(&self.signed_prekey_id.0.to_be_bytes());
        out.extend_from_slice(&self.signed_prekey);
        out.extend_from_slice(&self.last_resort_id.0.to_be_bytes());
        out.extend_from_slice(self.last_resort_key.as_slice());
        out.extend_from_slice(&self.not_before.as_millis().to_be_bytes());
        out.extend_from_slice(&self.not_after.as_millis().to_be_bytes());
        out.extend_from_slice(self.sigchain_head.as_bytes());
        out
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.signed_bytes();
        out.extend_from_slice(&self.signature);
        out
    }

    /// Reads exactly one bundle.
    ///
    /// # Errors
    /// [`DecodeError`] for another length or version.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new("prekey bundle", bytes);
        let version = r.u8()?;
        if version != VERSION {
            return Err(DecodeError::UnknownVersion { what: "prekey bundle", found: version.into() });
        }
        let bundle = Self {
            identity: IdentityId::new(r.array()?),
            device: DeviceId::new(r.array()?),
            signing_key: r.array()?,
            identity_key: r.array()?,
            signed_prekey_id: PrekeyId(r.u32()?),
            signed_prekey: r.array()?,
            last_resort_id: PrekeyId(r.u32()?),
            last_resort_key: Box::new(r.array()?),
            not_before: Timestamp::from_millis(r.u64()?),
            not_after: Timestamp::from_millis(r.u64()?),
            sigchain_head: SigchainHead::new(r.array()?),
            signature: r.array()?,
        };
        r.finish()?;
        Ok(bundle)
    }
}

impl std::fmt::Debug for PrekeyBundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrekeyBundle")
            .field("device", &self.device)
            .field("signed_prekey_id", &self.signed_prekey_id)
            .field("last_resort_id", &self.last_resort_id)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// A pair of keys for one handshake: `id u32 | X25519 32 | ML-KEM-768 1184 | signature 64`.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimePrekey {
    /// Names the pair.
    pub id: PrekeyId,
    /// X25519 public key.
    pub x25519_key: [u8; 32],
    /// ML-KEM-768 encapsulation key.
    pub kem_key: Box<[u8; KEM_KEY]>,
    /// Ed25519 by the device over `kinfolk/1 otk`, the device id and everything before.
    pub signature: [u8; 64],
}

impl OneTimePrekey {
    /// Length of the layout.
    pub const LENGTH: usize = 4 + 32 + KEM_KEY + 64;

    /// The bytes that are signed, after the label and the device id.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::LENGTH);
        out.extend_from_slice(&self.id.0.to_be_bytes());
        out.extend_from_slice(&self.x25519_key);
        out.extend_from_slice(self.kem_key.as_slice());
        out
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.signed_bytes();
        out.extend_from_slice(&self.signature);
        out
    }

    /// Reads exactly one.
    ///
    /// # Errors
    /// [`DecodeError`] for another length.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new("one-time prekey", bytes);
        let prekey = Self {
            id: PrekeyId(r.u32()?),
            x25519_key: r.array()?,
            kem_key: Box::new(r.array()?),
            signature: r.array()?,
        };
        r.finish()?;
        Ok(prekey)
    }
}

impl std::fmt::Debug for OneTimePrekey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OneTimePrekey").field(&self.id).finish()
    }
}
