//! The handshake: PQXDH over X25519 and ML-KEM-768 (docs/protocol/03-handshake.md).
//!
//! [`initiate`] makes a session with a device that is not there, from its verified prekeys; [`respond`] makes the same
//! session on the other side, from the first message. Both identities, both devices, all keys and the invite stand in
//! the transcript from which the keys are derived, so the two sides share a session only if they agree on who talks to
//! whom and by which keys. The engine calls it; what becomes of the prekeys afterwards is the engine's.
//!
//! ```text
//! KM  = FF*32 | DH(DIKa,SPKb) | DH(EKa,DIKb) | DH(EKa,SPKb) [| DH(EKa,OTKb)] | ss
//! OKM = HKDF-SHA256(salt = 0*32, ikm = KM, info = "kinfolk/1 pqxdh" | SHA256(transcript), 192)
//!     = RK0 | HKa | NHKb | PQ0 | SID | PAIR
//! ```

mod initiate;
mod keys;
mod pair_root;
mod respond;
mod transcript;

use kinfolk_wire::ids::{IdentityId, PayloadDigest};

use crate::dh::LowOrderKey;
use crate::identity::DeviceKeys;
use crate::kdf::sha256;
use crate::session::DecryptError;

pub use initiate::{Initiated, initiate};
pub(crate) use keys::HandshakeKeys;
pub use pair_root::PairRoot;
pub use respond::{Accepted, ResponderPrekeys, respond};

/// The version of the handshake, first in its transcript.
pub const VERSION: u8 = 1;
/// Names the primitives, second in the transcript: no two suites ever derive the same keys.
pub const SUITE: &[u8] = b"X25519+ML-KEM-768 SHA-256 ChaCha20-Poly1305";

/// This device, as one side of a handshake.
#[derive(Clone, Copy)]
pub struct LocalDevice<'a> {
    /// The person whose device it is.
    pub identity: IdentityId,
    /// Its keys.
    pub keys: &'a DeviceKeys,
}

/// Why a handshake did not come about. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The prekeys given are not those that the message names, or not of one device.
    #[error("the handshake names other prekeys")]
    Prekey,
    /// A key of the other side is of low order.
    #[error("the handshake contains a key that cannot be used")]
    WeakKey,
    /// The first message does not open: another sender, recipient, invite or prekey than the handshake was made for, or
    /// an altered message.
    #[error("the first message of the session does not open: {0}")]
    Message(#[from] DecryptError),
}

impl From<LowOrderKey> for HandshakeError {
    fn from(LowOrderKey: LowOrderKey) -> Self {
        Self::WeakKey
    }
}

/// The name of an `Init` by its ephemeral key: the first 16 bytes of `SHA256(EKa)`. It is kept as long as the prekeys
/// it used, so that a repeat finds its session or is dropped, never opened anew.
#[must_use]
pub fn init_digest(ephemeral_key: &[u8; 32]) -> [u8; 16] {
    first_half(sha256(&[ephemeral_key]))
}

/// The name of a payload as it stood in a frame: the first 16 bytes of its SHA-256.
#[must_use]
pub fn payload_digest(payload: &[u8]) -> PayloadDigest {
    PayloadDigest::new(first_half(sha256(&[payload])))
}

fn first_half(hash: [u8; 32]) -> [u8; 16] {
    let mut halves = [[0; 16]; 2];
    halves.as_flattened_mut().copy_from_slice(&hash);
    let [first, _] = halves;
    first
}
