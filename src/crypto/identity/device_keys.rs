//! The two long-term keys of a device: one signs, one agrees. They are separate keys, never one used twice. The
//! device's id follows from both, so that nobody can certify a device under the id of another.

use ed25519_dalek::SigningKey;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use kinfolk_wire::ids::DeviceId;

use crate::dh::KeyPair;
use crate::kdf::sha256;
use crate::label::Label;
use crate::secret::SecretBytes;
use crate::sign::sign;

/// A device's id with its private keys: `DSK` (Ed25519) and `DIK` (X25519). They wipe when dropped.
pub struct DeviceKeys {
    device: DeviceId,
    signing_key: SigningKey,
    identity_key: KeyPair,
}

/// Bytes that are not the stored form of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these are not the stored keys that were expected: {expected} bytes of version {version}, found {found} bytes")]
pub struct KeyError {
    /// How many bytes the stored form has.
    pub expected: usize,
    /// Its version.
    pub version: u8,
    /// How many bytes were found.
    pub found: usize,
}

impl DeviceKeys {
    const VERSION: u8 = 1;
    const LENGTH: usize = 1 + 32 + 32;

    /// Keys of a new device.
    #[must_use]
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self::of(SigningKey::from_bytes(&seed), KeyPair::generate(rng))
    }

    fn of(signing_key: SigningKey, identity_key: KeyPair) -> Self {
        let device = device_id(signing_key.verifying_key().as_bytes(), identity_key.public());
        Self { device, signing_key, identity_key }
    }

    /// The device.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// The Ed25519 public key, `DSK`.
    #[must_use]
    pub fn signing_key(&self) -> [u8; 32] {
        self.signing_key.verifying_key().to_bytes()
    }

    /// The X25519 public key, `DIK`.
    #[must_use]
    pub const fn identity_key(&self) -> [u8; 32] {
        *self.identity_key.public()
    }

    pub(crate) const fn identity_pair(&self) -> &KeyPair {
        &self.identity_key
    }

    pub(crate) fn sign(&self, label: Label, parts: &[&[u8]]) -> [u8; 64] {
        sign(&self.signing_key, label, parts)
    }

    /// The stored form: `version u8 | DSK seed 32 | DIK secret 32`.
    #[must_use]
    pub fn to_bytes(&self) -> SecretBytes {
        let mut out = Vec::with_capacity(Self::LENGTH);
        out.push(Self::VERSION);
        out.extend_from_slice(self.signing_key.as_bytes());
        out.extend_from_slice(self.identity_key.secret());
        SecretBytes::new(out)
    }

    /// Reads the stored form; the public keys are computed, which takes some 40 microseconds.
    ///
    /// # Errors
    /// [`KeyError`] for another length or version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let error = KeyError { expected: Self::LENGTH, version: Self::VERSION, found: bytes.len() };
        let ([Self::VERSION], rest) = bytes.split_first_chunk().ok_or(error)? else {
            return Err(error);
        };
        let (seed, rest) = rest.split_first_chunk().ok_or(error)?;
        let secret = <[u8; 32]>::try_from(rest).map_err(|_| error)?;
        Ok(Self::of(SigningKey::from_bytes(seed), KeyPair::from_secret(secret)))
    }
}

/// The id of the device that has these public keys, `SHA256("kinfolk/1 dev id" | DSK | DIK)[..16]` (docs/protocol/02,
/// section 2.4).
#[must_use]
pub fn device_id(signing_key: &[u8; 32], identity_key: &[u8; 32]) -> DeviceId {
    let mut halves = [[0; 16]; 2];
    halves.as_flattened_mut().copy_from_slice(&sha256(&[Label::DeviceId.as_bytes(), signing_key, identity_key]));
    let [id, _] = halves;
    DeviceId::new(id)
}
