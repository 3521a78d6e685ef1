//! Floor 1: keys, and everything that is done with them.
//!
//! This room proves who somebody is, starts a session with a device that may not be there, and seals what is said in
//! it. The engine calls it; it calls only the wire floor. It never reads a clock, never draws randomness by itself
//! (both are arguments), never stores anything and never decides what a message means.
//!
//! | room | what it holds | written down in |
//! |---|---|---|
//! | [`identity`] | recovery phrase, device keys, sigchain, safety number | docs/protocol/02-identity.md |
//! | [`hello`], [`invite`] | who is at the other end of a stream; the `kinfolk:` link | docs/protocol/02-identity.md, 06-direct.md |
//! | [`invoice`] | who asks for money | docs/protocol/12-wallet.md |
//! | [`prekeys`] | what lets others start a session with this device | docs/protocol/03-handshake.md |
//! | [`handshake`] | PQXDH: X25519 and ML-KEM-768 in one agreement | docs/protocol/03-handshake.md |
//! | [`session`] | encrypt and decrypt, one pair of devices | docs/protocol/04-ratchet.md |
//! | [`ratchet`] | the double ratchet and the post-quantum ratchet beside it | docs/protocol/04-ratchet.md |
//! | [`mailbox`], [`tokens`] | tags, seals and stamps of what waits at a mailbox host; blind tokens | docs/protocol/07-mailbox.md |
//! | [`rendezvous`] | where a device's addresses lie in the hash table, and the seal around them | docs/protocol/10-finding.md |
//! | [`aead`], [`kdf`], [`dh`], [`kem`], [`sign`], [`pad`], [`label`], [`secret`] | the primitives as this program uses them | docs/protocol/01-encoding.md |
//!
//! Rules that hold everywhere: an all-zero Diffie-Hellman result is refused; what is signed begins with a label of its
//! own; a message is opened aside and only then is the state replaced, so that one which fails leaves no trace; secrets
//! wipe when dropped and no `Debug` shows them. Randomness is taken from an infallible generator: the caller seeds it
//! from the system, and a system that has none to give fails there, before anything here has begun.

pub mod aead;
pub mod dh;
pub mod handshake;
pub mod hello;
pub mod identity;
pub mod invite;
pub mod invoice;
pub mod kdf;
pub mod kem;
pub mod label;
pub mod mailbox;
pub mod pad;
pub mod prekeys;
pub mod ratchet;
pub mod rendezvous;
pub mod secret;
pub mod session;
pub mod sign;
#[cfg(test)]
#[path = "../../tests/support/skip.rs"]
mod skip;
mod stored;
#[cfg(test)]
#[path = "tests/support/mod.rs"]
mod test_support;
pub mod tokens;

#[cfg(test)]
extern crate self as kinfolk_crypto;

pub use handshake::{
    Accepted, HandshakeError, Initiated, LocalDevice, PairRoot, ResponderPrekeys, init_digest, initiate,
    payload_digest, respond,
};
pub use hello::{sign_hello, verify_hello};
pub use identity::{
    DeviceKeys, KeyError, PhraseError, RecoveryKey, RecoveryPhrase, SafetyNumber, Sigchain, SigchainError,
    conversation_id, device_id, safety_number,
};
pub use invite::{InviteError, InviteSecret, OpenedInvite, open_invite, sign_invite};
pub use prekeys::{
    BundleError, LastResortSecret, OneTimePrekeySecret, SignedPrekeySecret, VerifiedBundle, VerifiedOneTimePrekey,
    sign_bundle, sign_one_time_prekey,
};
pub use ratchet::skipped::{MemorySkippedKeys, SkippedKey, SkippedKeyId, SkippedKeys};
pub use secret::SecretBytes;
pub use session::{DecryptError, Decrypted, EncryptError, Session, SessionBytesError};
pub use sign::SignatureError;
