//! The sigchain: who a person is, and which devices speak for them (docs/protocol/02-identity.md).
//!
//! A *genesis* names the recovery key; its hash is the person's id. *Entries* certify devices. Both are deterministic
//! CBOR inside [`Signed`]; what was signed is kept and verified as received. Signatures are checked in
//! `kinfolk-crypto`; this file only says what is well-formed.

use std::fmt;

use minicbor::{Decode, Encode};

use crate::codec::{self, DecodeError};
use crate::ids::{DeviceId, IdentityId, SigchainHead};
use crate::limits;
use crate::time::Timestamp;

/// The version of genesis and entries that this program writes and reads.
pub const VERSION: u8 = 1;

/// Bytes and the Ed25519 signature over them, under a label that each use names. What is signed may be secret, as an
/// invite is: it is never printed.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Signed {
    /// The bytes that were signed.
    #[n(0)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_payload")]
    pub payload: Vec<u8>,
    /// The signature, 64 bytes.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub signature: [u8; 64],
    /// A second signature by the key that the payload introduces, where it introduces one.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub countersignature: Option<[u8; 64]>,
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({} bytes)", self.payload.len())
    }
}

fn decode_payload<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<Vec<u8>, minicbor::decode::Error> {
    codec::bounded_bytes(d, limits::INVITE_LINK)
}

/// The beginning of an identity.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Genesis {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// Ed25519 public key that outranks every device.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub recovery_key: [u8; 32],
    /// From the recovery phrase, so that the phrase alone names the identity.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub nonce: [u8; 32],
}

/// One step of an identity's history.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Entry {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// Whose sigchain it belongs to.
    #[n(1)]
    pub identity: IdentityId,
    /// Counts the entries from 1.
    #[n(2)]
    pub sequence: u64,
    /// The heads its author knew, sorted; the genesis (as a head) for the first.
    #[n(3)]
    #[cbor(decode_with = "decode_parents")]
    pub parents: Vec<SigchainHead>,
    /// When it was made, by its author's clock; for display only.
    #[n(4)]
    pub made_at: Timestamp,
    /// Who signed it: a device, or nobody for the recovery key.
    #[n(5)]
    pub author: Option<DeviceId>,
    /// What it does.
    #[n(6)]
    pub change: Change,
}

fn decode_parents<C>(d: &mut minicbor::Decoder<'_>, c: &mut C) -> Result<Vec<SigchainHead>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::PARENTS)
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Change {
    /// Certifies a device.
    #[n(1)]
    AddDevice(#[n(0)] DeviceCertificate),
}

/// A device and its keys, as its owner's sigchain certifies them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct DeviceCertificate {
    /// The device.
    #[n(0)]
    pub device: DeviceId,
    /// Ed25519 device signing key, `DSK`.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub signing_key: [u8; 32],
    /// X25519 device identity key, `DIK`.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub identity_key: [u8; 32],
    /// What the device may do.
    #[n(3)]
    pub role: DeviceRole,
    /// Its name, readable by the owner's devices only; at most [`limits::SEALED_NAME`] bytes.
    #[n(4)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_sealed_name")]
    pub sealed_name: Vec<u8>,
}

fn decode_sealed_name<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<Vec<u8>, minicbor::decode::Error> {
    codec::bounded_bytes(d, limits::SEALED_NAME)
}

/// What a device may do for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum DeviceRole {
    /// Talks, and certifies further devices.
    #[n(1)]
    Full,
    /// Talks.
    #[n(2)]
    Limited,
}

impl Signed {
    /// Reads a signed thing of at most [`limits::SIGCHAIN_ENTRY`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`] naming `what`.
    pub fn decode(what: &'static str, bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::from_cbor_canonical(what, bytes, limits::SIGCHAIN_ENTRY)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::to_cbor(self)
    }
}

impl Genesis {
    /// Reads the payload of a signed genesis.
    ///
    /// # Errors
    /// [`DecodeError`], also for an unknown version.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let genesis: Self = codec::from_cbor_canonical("genesis", payload, limits::SIGCHAIN_ENTRY)?;
        check_version("genesis", genesis.version)?;
        Ok(genesis)
    }
}

impl Entry {
    /// Reads the payload of a signed entry.
    ///
    /// # Errors
    /// [`DecodeError`], also for an unknown version.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let entry: Self = codec::from_cbor_canonical("sigchain entry", payload, limits::SIGCHAIN_ENTRY)?;
        check_version("sigchain entry", entry.version)?;
        Ok(entry)
    }
}

fn check_version(what: &'static str, version: u8) -> Result<(), DecodeError> {
    if version == VERSION { Ok(()) } else { Err(DecodeError::UnknownVersion { what, found: version.into() }) }
}

/// A whole sigchain as it travels: the signed genesis, then the signed entries in an order where parents come first.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SigchainBytes {
    /// The signed genesis.
    #[n(0)]
    pub genesis: Signed,
    /// The signed entries, at most [`limits::SIGCHAIN_ENTRIES`].
    #[n(1)]
    #[cbor(decode_with = "decode_entries")]
    pub entries: Vec<Signed>,
}

fn decode_entries<C>(d: &mut minicbor::Decoder<'_>, c: &mut C) -> Result<Vec<Signed>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::SIGCHAIN_ENTRIES)
}

impl SigchainBytes {
    /// Reads a sigchain of at most [`limits::PAYLOAD`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::from_cbor_canonical("sigchain", bytes, limits::PAYLOAD)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::to_cbor(self)
    }
}
