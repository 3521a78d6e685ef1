//! Where a device finds what another one says of its addresses, and the seal around it (docs/protocol/10-finding.md).
//!
//! Everything follows from the key of one direction between two devices, so that A's record for B and B's for A share
//! nothing, and from the day, so that whoever watches the hash table cannot tell two days of one pair from two pairs.

use kinfolk_wire::address_record::{self, AddressRecord};
use kinfolk_wire::ids::{DeviceId, RecordKey};
use kinfolk_wire::sigchain::DeviceCertificate;

use crate::aead::{self, TAG};
use crate::identity::DeviceKeys;
use crate::kdf::{self, Prf};
use crate::label::Label;
use crate::mailbox::DirectionKey;
use crate::secret::Key;
use crate::sign;

/// The version byte of a sealed record.
const VERSION: u8 = 1;
const NONCE: usize = 24;
const SIGNATURE: usize = 64;
/// What is in front of the sealed part, and behind it.
const AROUND: usize = 1 + NONCE + TAG;

/// One place for a record on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Days since the Unix epoch.
    pub day: u32,
    /// From 0, below [`PLACES`](address_record::PLACES).
    pub place: u8,
}

/// Why a value from the hash table is no record for this device. Anybody can put one there, so nothing follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Of another spot, another pair or the other direction, altered, or no record at all.
    #[error("it does not open")]
    Seal,
    /// It opened, and what is in it is malformed.
    #[error("what is in it is malformed")]
    Malformed,
    /// The device did not sign it.
    #[error("its signature is not genuine")]
    Signature,
}

impl DirectionKey {
    /// The key of the hash table under which the record lies.
    #[must_use]
    pub fn record_key(&self, spot: Spot) -> RecordKey {
        let parts = [Label::Rendezvous.as_bytes(), &spot.day.to_be_bytes(), &[spot.place]];
        RecordKey::new(*Prf::new(self.0.as_bytes()).over(&parts).as_bytes())
    }

    /// Signs and seals a record for `recipient`: `0x01 | nonce 24 | XChaCha20-Poly1305(signature 64 | record | 0x80 |
    /// 00 ..)`, with the key of the hash table as associated data, in the smallest size that holds it. Nothing where none
    /// does, which no record reaches.
    ///
    /// What is sealed again for the same spot is the same value, and no nonce serves two records or two spots.
    #[must_use]
    pub fn seal_record(
        &self,
        keys: &DeviceKeys,
        recipient: DeviceId,
        spot: Spot,
        record: &AddressRecord,
    ) -> Option<Vec<u8>> {
        let bytes = record.encode();
        let signature = keys.sign(Label::AddressRecord, &[recipient.as_bytes(), &bytes]);
        let size = address_record::size_for(AROUND.checked_add(SIGNATURE + 1)?.checked_add(bytes.len())?)?;
        let key = self.record_key(spot);
        let mut padded = Vec::with_capacity(size);
        padded.extend_from_slice(&signature);
        padded.extend_from_slice(&bytes);
        let parts = [Label::RecordNonce.as_bytes(), key.as_bytes(), &padded];
        let mut nonce = [0; NONCE];
        Prf::new(self.0.as_bytes()).over(&parts).as_bytes().iter().zip(&mut nonce).for_each(|(from, to)| *to = *from);
        padded.push(0x80);
        padded.resize(size.checked_sub(AROUND)?, 0);
        let tag = aead::xseal(self.record_seal(spot).as_bytes(), &nonce, key.as_bytes(), &mut padded);
        Some([&[VERSION][..], &nonce, &padded, &tag].concat())
    }

    /// Opens what lay at a spot: a record of the device of this certificate for `recipient`.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn open_record(
        &self,
        sender: &DeviceCertificate,
        recipient: DeviceId,
        spot: Spot,
        value: &[u8],
    ) -> Result<AddressRecord, RecordError> {
        if !address_record::is_size(value.len()) {
            return Err(RecordError::Seal);
        }
        let (version, rest) = value.split_first().ok_or(RecordError::Seal)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(RecordError::Seal)?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>().ok_or(RecordError::Seal)?;
        if *version != VERSION {
            return Err(RecordError::Seal);
        }
        let mut padded = sealed.to_vec();
        let ad = self.record_key(spot);
        aead::xopen(self.record_seal(spot).as_bytes(), nonce, ad.as_bytes(), &mut padded, tag)
            .map_err(|_| RecordError::Seal)?;
        let end = padded.iter().rposition(|byte| *byte != 0).ok_or(RecordError::Malformed)?;
        if padded.get(end) != Some(&0x80) {
            return Err(RecordError::Malformed);
        }
        let signed = padded.get(..end).ok_or(RecordError::Malformed)?;
        let (signature, bytes) = signed.split_first_chunk::<SIGNATURE>().ok_or(RecordError::Malformed)?;
        let record = AddressRecord::decode(bytes).map_err(|_| RecordError::Malformed)?;
        sign::verify_strict(&sender.signing_key, Label::AddressRecord, &[recipient.as_bytes(), bytes], signature)
            .map_err(|_| RecordError::Signature)?;
        Ok(record)
    }

    fn record_seal(&self, spot: Spot) -> Key {
        let info = [Label::RecordSeal.as_bytes(), &spot.day.to_be_bytes(), &[spot.place]];
        let [key] = kdf::derive(&[], self.0.as_bytes(), &info);
        key
    }
}

#[cfg(test)]
mod tests;
