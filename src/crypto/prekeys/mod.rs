//! Prekeys: what lets others start a session with this device while it is not there (docs/protocol/03-handshake.md).
//!
//! The private halves are here as secrets with their id; the public halves leave in a signed bundle. What comes from
//! others climbs one step of trust: a `PrekeyBundle` of the wire becomes a [`VerifiedBundle`] once it names the keys
//! that its owner's sigchain certifies and bears that device's signature. Only those start a handshake. When a secret
//! is wiped is for the engine: a one-time pair at its first use, the others 30 days after they were replaced.

mod bundle;
mod secrets;

pub use bundle::{BundleError, CLOCK_SLACK, VerifiedBundle, VerifiedOneTimePrekey, sign_bundle, sign_one_time_prekey};
pub use secrets::{LastResortSecret, OneTimePrekeySecret, SignedPrekeySecret};
