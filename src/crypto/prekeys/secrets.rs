//! The private halves. X25519 keys are stored with their public key beside them; ML-KEM keys as their 64-byte seed.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use kinfolk_wire::bundle::PrekeyId;

use crate::dh::KeyPair;
use crate::identity::KeyError;
use crate::kem::{Kem, MlKem768, SEED};
use crate::secret::SecretBytes;

const VERSION: u8 = 1;

/// The private half of a signed prekey, `SPK` (X25519). It wipes when dropped.
pub struct SignedPrekeySecret {
    id: PrekeyId,
    pair: KeyPair,
}

/// The private half of a last-resort key, `LRK` (ML-KEM-768). It wipes when dropped.
pub struct LastResortSecret {
    id: PrekeyId,
    seed: KemSeed,
}

/// The private half of a one-time pair, `OTK` (X25519 and ML-KEM-768). It wipes when dropped.
pub struct OneTimePrekeySecret {
    id: PrekeyId,
    pair: KeyPair,
    seed: KemSeed,
}

/// The seed of an ML-KEM-768 private key. It wipes when dropped.
pub(crate) struct KemSeed(Zeroizing<[u8; SEED]>);

impl KemSeed {
    fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = Zeroizing::new([0; SEED]);
        rng.fill_bytes(seed.as_mut_slice());
        Self(seed)
    }

    pub(crate) fn expand(&self) -> <MlKem768 as Kem>::Private {
        MlKem768::expand(&self.0)
    }
}

impl SignedPrekeySecret {
    const LENGTH: usize = 1 + 4 + 32 + 32;

    /// A new key under an id, which is not 0.
    #[must_use]
    pub fn generate<R: CryptoRng + ?Sized>(id: PrekeyId, rng: &mut R) -> Self {
        Self { id, pair: KeyPair::generate(rng) }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> PrekeyId {
        self.id
    }

    pub(crate) const fn pair(&self) -> &KeyPair {
        &self.pair
    }

    /// The stored form: `version u8 | id u32 | secret 32 | public 32`.
    #[must_use]
    pub fn to_bytes(&self) -> SecretBytes {
        store(Self::LENGTH, self.id, &[self.pair.secret(), self.pair.public()])
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`KeyError`] for another length or version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut stored = Stored::new(bytes, Self::LENGTH)?;
        Ok(Self { id: stored.id()?, pair: stored.pair()? })
    }
}

impl LastResortSecret {
    const LENGTH: usize = 1 + 4 + SEED;

    /// A new key under an id, which is not 0.
    #[must_use]
    pub fn generate<R: CryptoRng + ?Sized>(id: PrekeyId, rng: &mut R) -> Self {
        Self { id, seed: KemSeed::generate(rng) }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> PrekeyId {
        self.id
    }

    pub(crate) const fn seed(&self) -> &KemSeed {
        &self.seed
    }

    /// The stored form: `version u8 | id u32 | seed 64`.
    #[must_use]
    pub fn to_bytes(&self) -> SecretBytes {
        store(Self::LENGTH, self.id, &[self.seed.0.as_slice()])
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`KeyError`] for another length or version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut stored = Stored::new(bytes, Self::LENGTH)?;
        Ok(Self { id: stored.id()?, seed: stored.seed()? })
    }
}

impl OneTimePrekeySecret {
    const LENGTH: usize = 1 + 4 + 32 + 32 + SEED;

    /// A new pair under an id, which is not 0: on the wire 0 means that there is none.
    #[must_use]
    pub fn generate<R: CryptoRng + ?Sized>(id: PrekeyId, rng: &mut R) -> Self {
        Self { id, pair: KeyPair::generate(rng), seed: KemSeed::generate(rng) }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> PrekeyId {
        self.id
    }

    pub(crate) const fn pair(&self) -> &KeyPair {
        &self.pair
    }

    pub(crate) const fn seed(&self) -> &KemSeed {
        &self.seed
    }

    /// The stored form: `version u8 | id u32 | secret 32 | public 32 | seed 64`.
    #[must_use]
    pub fn to_bytes(&self) -> SecretBytes {
        store(Self::LENGTH, self.id, &[self.pair.secret(), self.pair.public(), self.seed.0.as_slice()])
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`KeyError`] for another length or version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut stored = Stored::new(bytes, Self::LENGTH)?;
        Ok(Self { id: stored.id()?, pair: stored.pair()?, seed: stored.seed()? })
    }
}

fn store(length: usize, id: PrekeyId, parts: &[&[u8]]) -> SecretBytes {
    let mut out = Vec::with_capacity(length);
    out.push(VERSION);
    out.extend_from_slice(&id.0.to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    SecretBytes::new(out)
}

struct Stored<'a> {
    rest: &'a [u8],
    error: KeyError,
}

impl<'a> Stored<'a> {
    fn new(bytes: &'a [u8], expected: usize) -> Result<Self, KeyError> {
        let error = KeyError { expected, version: VERSION, found: bytes.len() };
        match bytes.split_first() {
            Some((&VERSION, rest)) if bytes.len() == expected => Ok(Self { rest, error }),
            _ => Err(error),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], KeyError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(self.error)?;
        self.rest = rest;
        Ok(taken)
    }

    fn id(&mut self) -> Result<PrekeyId, KeyError> {
        self.take().map(|bytes| PrekeyId(u32::from_be_bytes(*bytes)))
    }

    fn pair(&mut self) -> Result<KeyPair, KeyError> {
        Ok(KeyPair::from_parts(*self.take()?, *self.take()?))
    }

    fn seed(&mut self) -> Result<KemSeed, KeyError> {
        self.take().map(|seed| KemSeed(Zeroizing::new(*seed)))
    }
}
