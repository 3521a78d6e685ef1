//! What the vectors are made of.

pub(crate) mod bundle;
pub(crate) mod content;
pub(crate) mod conversation;
pub(crate) mod direct;
pub(crate) mod handshake;
pub(crate) mod identity;
pub(crate) mod mailbox;

use std::convert::Infallible;

use data_encoding::HEXLOWER;
use kinfolk_crypto::{DeviceKeys, RecoveryKey, RecoveryPhrase, Sigchain};
use kinfolk_wire::time::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};
use serde_json::{Value, json};

/// The moment at which everything in the vectors begins: 2026-01-01 00:00 UTC.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_millis(1_767_225_600_000);

pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

/// A generator with a fixed seed that remembers what it gave since it was last asked.
pub(crate) struct Transcript {
    source: ChaCha20Rng,
    given: Vec<u8>,
}

impl Transcript {
    /// The generator of one file.
    pub(crate) fn of(file: &str) -> Self {
        let seed = kinfolk_crypto::kdf::sha256(&[b"kinfolk vectors ", file.as_bytes()]);
        Self { source: ChaCha20Rng::from_seed(seed), given: Vec::new() }
    }

    /// Everything that was given since the last call, as hex.
    pub(crate) fn drawn(&mut self) -> String {
        hex(std::mem::take(&mut self.given))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill_bytes(&mut bytes);
        bytes
    }
}

impl TryRng for Transcript {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.array()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.array()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.source.fill_bytes(out);
        self.given.extend_from_slice(out);
        Ok(())
    }
}

impl TryCryptoRng for Transcript {}

/// A person with one device, and all their secrets.
pub(crate) struct Person {
    pub(crate) phrase: RecoveryPhrase,
    pub(crate) keys: DeviceKeys,
    pub(crate) chain: Sigchain,
    entropy: String,
    sealed_name: Vec<u8>,
}

impl Person {
    pub(crate) fn new(rng: &mut Transcript) -> Self {
        rng.drawn();
        let phrase = RecoveryPhrase::generate(rng);
        let entropy = rng.drawn();
        let keys = DeviceKeys::generate(rng);
        let sealed_name: [u8; 40] = rng.array();
        rng.drawn();
        let chain = Sigchain::found(&RecoveryKey::from_phrase(&phrase), &keys, sealed_name.to_vec(), BEGINNING);
        Self { phrase, keys, chain, entropy, sealed_name: sealed_name.to_vec() }
    }

    /// Their secrets, from which everything else about them follows.
    pub(crate) fn secrets(&self) -> Value {
        // The stored form is version u8, DSK seed 32, DIK private key 32.
        let stored = self.keys.to_bytes();
        let stored = stored.as_slice();
        json!({
            "entropy": self.entropy,
            "dsk_private": hex(&stored[1..33]),
            "dik_private": hex(&stored[33..65]),
            "sealed_name": hex(&self.sealed_name),
            "made_at": BEGINNING.as_millis(),
        })
    }
}
