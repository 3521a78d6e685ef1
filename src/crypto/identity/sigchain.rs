//! The sigchain: an append-only, signed list of a person's devices.
//!
//! A [`SigchainBytes`] is what came over the wire; a [`Sigchain`] is one whose every signature was checked. This
//! version reads chains in one line: entry `n` has sequence `n` and the entry before it as its only parent. The first
//! certifies the first device and is by the recovery key; further ones are by the recovery key or by a device of role
//! `Full` that the chain has certified before. Each is countersigned by the device it introduces.

use kinfolk_wire::codec::{DecodeError, to_cbor};
use kinfolk_wire::ids::{DeviceId, IdentityId, SigchainHead};
use kinfolk_wire::limits;
use kinfolk_wire::sigchain::{Change, DeviceCertificate, DeviceRole, Entry, Genesis, SigchainBytes, Signed, VERSION};
use kinfolk_wire::time::Timestamp;

use super::{DeviceKeys, RecoveryKey, device_id};
use crate::dh::is_low_order;
use crate::kdf::sha256;
use crate::label::Label;
use crate::sign::{SignatureError, is_admissible, verify_zip215};

/// A sigchain whose every signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sigchain {
    identity: IdentityId,
    recovery_key: [u8; 32],
    heads: Vec<SigchainHead>,
    devices: Vec<DeviceCertificate>,
    wire: SigchainBytes,
}

/// Why a sigchain is not believed. Entries are counted from 1; 0 is the genesis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigchainError {
    /// Not the encoding of a genesis or an entry.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// A signature or countersignature is missing, superfluous or not genuine.
    #[error("sigchain entry {entry}: the signature is not genuine")]
    Signature {
        /// Which entry.
        entry: usize,
    },
    /// A key that no honest device has.
    #[error("sigchain entry {entry}: the key is not one that a device could have made")]
    WeakKey {
        /// Which entry.
        entry: usize,
    },
    /// A device under an id that is not its own.
    #[error("sigchain entry {entry}: the device's id is not that of its keys")]
    DeviceId {
        /// Which entry.
        entry: usize,
    },
    /// An entry of another chain, or not the next of this one.
    #[error("sigchain entry {entry} does not continue the chain before it")]
    OutOfOrder {
        /// Which entry.
        entry: usize,
    },
    /// Its author may not certify devices.
    #[error("sigchain entry {entry}: its author may not certify devices")]
    Author {
        /// Which entry.
        entry: usize,
    },
    /// A key that the chain has already.
    #[error("sigchain entry {entry}: the device or its key is there already")]
    Repeated {
        /// Which entry.
        entry: usize,
    },
    /// No device at all, or too many.
    #[error("a sigchain has 1 to {limit} devices, this one has {found}", limit = limits::DEVICES)]
    Devices {
        /// How many there are.
        found: usize,
    },
}

impl Sigchain {
    /// The chain of a new identity with its first device. `sealed_name` has at most [`limits::SEALED_NAME`] bytes.
    #[must_use]
    pub fn found(recovery: &RecoveryKey, device: &DeviceKeys, sealed_name: Vec<u8>, now: Timestamp) -> Self {
        let genesis = recovery.genesis();
        let genesis_bytes = to_cbor(&genesis);
        let identity = IdentityId::new(sha256(&[&genesis_bytes]));
        let certificate = DeviceCertificate {
            device: device.device(),
            signing_key: device.signing_key(),
            identity_key: device.identity_key(),
            role: DeviceRole::Full,
            sealed_name,
        };
        let entry = to_cbor(&Entry {
            version: VERSION,
            identity,
            sequence: 1,
            parents: vec![head_of(&genesis_bytes)],
            made_at: now,
            author: None,
            change: Change::AddDevice(certificate.clone()),
        });
        Self {
            identity,
            recovery_key: genesis.recovery_key,
            heads: vec![head_of(&genesis_bytes), head_of(&entry)],
            devices: vec![certificate],
            wire: SigchainBytes {
                genesis: Signed {
                    signature: recovery.sign(Label::Genesis, &genesis_bytes),
                    payload: genesis_bytes,
                    countersignature: None,
                },
                entries: vec![Signed {
                    signature: recovery.sign(Label::Entry, &entry),
                    countersignature: Some(device.sign(Label::NewDevice, &[&entry])),
                    payload: entry,
                }],
            },
        }
    }

    /// Checks a chain from its genesis on.
    ///
    /// # Errors
    /// [`SigchainError`], naming the first entry that is wrong.
    pub fn verify(bytes: &SigchainBytes) -> Result<Self, SigchainError> {
        let genesis = Genesis::decode(&bytes.genesis.payload)?;
        if !is_admissible(&genesis.recovery_key) {
            return Err(SigchainError::WeakKey { entry: 0 });
        }
        if bytes.genesis.countersignature.is_some() {
            return Err(SigchainError::Signature { entry: 0 });
        }
        let payload = &bytes.genesis.payload;
        verify_zip215(&genesis.recovery_key, Label::Genesis, &[payload], &bytes.genesis.signature)
            .map_err(|SignatureError| SigchainError::Signature { entry: 0 })?;
        let mut chain = Self {
            identity: IdentityId::new(sha256(&[payload])),
            recovery_key: genesis.recovery_key,
            heads: vec![head_of(payload)],
            devices: Vec::new(),
            wire: SigchainBytes { genesis: bytes.genesis.clone(), entries: Vec::new() },
        };
        for signed in &bytes.entries {
            chain.append(signed)?;
        }
        if chain.devices.is_empty() {
            return Err(SigchainError::Devices { found: 0 });
        }
        Ok(chain)
    }

    fn append(&mut self, signed: &Signed) -> Result<(), SigchainError> {
        let number = self.heads.len();
        let entry = Entry::decode(&signed.payload)?;
        let continues = entry.identity == self.identity
            && entry.sequence == number as u64
            && entry.parents.as_slice() == self.heads.last().map(std::slice::from_ref).unwrap_or_default();
        if !continues {
            return Err(SigchainError::OutOfOrder { entry: number });
        }
        let Change::AddDevice(certificate) = entry.change;
        self.check_author(entry.author, number)?.check(signed, number)?;
        self.check_new_device(&certificate, signed, number)?;
        self.heads.push(head_of(&signed.payload));
        self.devices.push(certificate);
        self.wire.entries.push(signed.clone());
        Ok(())
    }

    fn check_author(&self, author: Option<DeviceId>, entry: usize) -> Result<AuthorKey<'_>, SigchainError> {
        let Some(author) = author else {
            return Ok(AuthorKey(&self.recovery_key));
        };
        match self.device(author) {
            Some(device) if device.role == DeviceRole::Full => Ok(AuthorKey(&device.signing_key)),
            _ => Err(SigchainError::Author { entry }),
        }
    }

    fn check_new_device(
        &self,
        certificate: &DeviceCertificate,
        signed: &Signed,
        entry: usize,
    ) -> Result<(), SigchainError> {
        if !is_admissible(&certificate.signing_key) || is_low_order(&certificate.identity_key) {
            return Err(SigchainError::WeakKey { entry });
        }
        let repeated = certificate.signing_key == self.recovery_key
            || self.devices.iter().any(|known| {
                known.signing_key == certificate.signing_key || known.identity_key == certificate.identity_key
            });
        if repeated {
            return Err(SigchainError::Repeated { entry });
        }
        if certificate.device != device_id(&certificate.signing_key, &certificate.identity_key) {
            return Err(SigchainError::DeviceId { entry });
        }
        if self.devices.len() >= limits::DEVICES {
            return Err(SigchainError::Devices { found: self.devices.len().saturating_add(1) });
        }
        let countersignature = signed.countersignature.as_ref().ok_or(SigchainError::Signature { entry })?;
        verify_zip215(&certificate.signing_key, Label::NewDevice, &[&signed.payload], countersignature)
            .map_err(|SignatureError| SigchainError::Signature { entry })
    }

    /// Whose chain it is.
    #[must_use]
    pub const fn identity(&self) -> IdentityId {
        self.identity
    }

    /// The newest entry.
    #[must_use]
    pub fn head(&self) -> SigchainHead {
        self.heads.last().copied().unwrap_or(SigchainHead::new(*self.identity.as_bytes()))
    }

    /// Whether an entry, or the genesis, is part of this chain.
    #[must_use]
    pub fn contains(&self, head: &SigchainHead) -> bool {
        self.heads.contains(head)
    }

    /// The certificate of a device, if the chain certifies it.
    #[must_use]
    pub fn device(&self, device: DeviceId) -> Option<&DeviceCertificate> {
        self.devices.iter().find(|certificate| certificate.device == device)
    }

    /// All devices, in the order in which they were certified.
    #[must_use]
    pub fn devices(&self) -> &[DeviceCertificate] {
        &self.devices
    }

    /// The chain as it travels.
    #[must_use]
    pub fn to_wire(&self) -> SigchainBytes {
        self.wire.clone()
    }

    /// Whether this chain is `older` or a continuation of it. If neither of two chains of one identity extends the
    /// other, somebody shows different histories to different people; if only the older one does, history was rolled back.
    #[must_use]
    pub fn extends(&self, older: &Self) -> bool {
        self.heads.starts_with(&older.heads)
    }
}

struct AuthorKey<'a>(&'a [u8; 32]);

impl AuthorKey<'_> {
    fn check(&self, signed: &Signed, entry: usize) -> Result<(), SigchainError> {
        verify_zip215(self.0, Label::Entry, &[&signed.payload], &signed.signature)
            .map_err(|SignatureError| SigchainError::Signature { entry })
    }
}

/// How a genesis or an entry is named as a head: SHA-256 of the bytes that were signed.
fn head_of(payload: &[u8]) -> SigchainHead {
    SigchainHead::new(sha256(&[payload]))
}

#[cfg(test)]
mod tests;
