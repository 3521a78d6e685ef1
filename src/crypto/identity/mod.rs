//! Who somebody is (docs/protocol/02-identity.md).
//!
//! A person is a recovery phrase: it gives the [`RecoveryKey`], whose signed genesis gives the identity. Their devices
//! have [`DeviceKeys`], and a verified [`Sigchain`] says which devices speak for them. Two people who compare one
//! [`SafetyNumber`] have compared all their devices, present and future. Nothing here knows what a device is called or
//! where it is.

mod conversation;
mod device_keys;
mod phrase;
mod recovery;
mod safety_number;
mod sigchain;

pub use conversation::conversation_id;
pub use device_keys::{DeviceKeys, KeyError, device_id};
pub use phrase::{PhraseError, RecoveryPhrase};
pub use recovery::RecoveryKey;
pub use safety_number::{SafetyNumber, safety_number};
pub use sigchain::{Sigchain, SigchainError};
