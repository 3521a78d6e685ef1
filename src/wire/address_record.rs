//! Where a device can be reached, written for one device of a contact and left in the hash table
//! (docs/protocol/10-finding.md).
//!
//! Who stores it learns a key that is random to it and a value of one of two sizes; the floor above seals and signs.

use minicbor::{Decode, Encode};

use crate::codec::{self, DecodeError};
use crate::ids::PeerId;
use crate::invite::Address;
use crate::limits;
use crate::time::Span;

/// The sizes that values have in the hash table, in bytes: for the addresses of most nodes, and for the longest record.
/// Both leave room in a frame of 16 KiB for the twenty nodes that an answer names beside a value.
pub const SIZES: [usize; 2] = [768, 2_560];
/// Places under which a record lies on one day, each with a key of its own: who crowds round one knows of no other.
pub const PLACES: u8 = 3;
/// How often a record is put there again.
pub const RENEWED_EVERY: Span = Span::from_hours(6);
/// How long it stays there.
pub const LIFETIME: Span = Span::from_hours(24);

const WHAT: &str = "address record";
/// A record with as many addresses as there may be, each as long as it may be.
const LONGEST: usize = 2_304;

/// Where a device can be reached.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AddressRecord {
    /// Higher than in every earlier record of this device for the same device: milliseconds since the Unix epoch by its
    /// clock, or one more than the last.
    #[n(0)]
    pub version: u64,
    /// The device's node on the network.
    #[n(1)]
    pub peer: PeerId,
    /// Where that may be reached, relays included, best first; at most [`limits::ADDRESSES`].
    #[n(2)]
    #[cbor(decode_with = "decode_addresses")]
    pub addresses: Vec<Address>,
}

impl std::fmt::Debug for AddressRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddressRecord")
            .field("version", &self.version)
            .field("addresses", &self.addresses.len())
            .finish_non_exhaustive()
    }
}

fn decode_addresses<C>(d: &mut minicbor::Decoder<'_>, c: &mut C) -> Result<Vec<Address>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::ADDRESSES)
}

impl AddressRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// [`DecodeError`], also for fields that it does not have: it is signed.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::from_cbor_canonical(WHAT, bytes, LONGEST)
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::to_cbor(self)
    }
}

/// The smallest size that holds so many bytes.
#[must_use]
pub fn size_for(bytes: usize) -> Option<usize> {
    SIZES.into_iter().find(|size| *size >= bytes)
}

/// Whether something of this length can be a sealed record.
#[must_use]
pub fn is_size(bytes: usize) -> bool {
    SIZES.contains(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(count: usize, length: usize) -> AddressRecord {
        let address = Address::new(&format!("/{}", "a".repeat(length.saturating_sub(1)))).unwrap();
        AddressRecord { version: u64::MAX, peer: PeerId::new([7; 38]), addresses: vec![address; count] }
    }

    #[test]
    fn the_longest_record_is_read_back_and_longer_ones_are_refused() {
        let longest = record(limits::ADDRESSES, limits::ADDRESS);
        assert_eq!(AddressRecord::decode(&longest.encode()), Ok(longest));
        let over = record(limits::ADDRESSES + 1, 20).encode();
        assert!(matches!(AddressRecord::decode(&over), Err(DecodeError::Malformed { .. })));
        assert!(matches!(AddressRecord::decode(&vec![0; LONGEST + 1]), Err(DecodeError::TooLong { .. })));
    }

    #[test]
    fn addresses_of_the_usual_length_fit_the_smaller_size_and_the_longest_the_greater() {
        let seal = 1 + 24 + 16 + 1 + 64;
        assert_eq!(size_for(record(limits::ADDRESSES, 64).encode().len() + seal), Some(SIZES[0]));
        assert_eq!(size_for(record(limits::ADDRESSES, limits::ADDRESS).encode().len() + seal), Some(SIZES[1]));
        assert_eq!(size_for(SIZES[1] + 1), None);
    }

    #[test]
    fn a_record_does_not_show_its_addresses() {
        assert!(!format!("{:?}", record(1, 20)).contains("aaaa"));
    }
}
