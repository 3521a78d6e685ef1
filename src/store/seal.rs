//! How a row is sealed.
//!
//! From the profile's data key come subkeys, one for each use. A row's text is its key and its record; it is sealed
//! whole with XChaCha20-Poly1305 under a random nonce, with the format, the table and the stored key as associated
//! data, so that it opens nowhere but in its place. What comes out is cut into pieces below 4 KiB, because longer values
//! leave the part of sled that is synced; since the seal is over the whole, pieces of two rows never pass for one.
//!
//! ```text
//! text   = length of key u16 | Key::encode() | version u64 | Row::encode()
//! sealed = nonce 24 | ciphertext | tag 16
//! head   = "k\xb5\x01" | pieces u8 | length u16 | sealed[..3500]           at the stored key
//! piece  = "k\xb5\x02" | index u8  | length u16 | nonce[..8] | more of it  at 0xfe | stored key | index
//! ```
//!
//! The version is the number of the commit that wrote the row. The marks and lengths let a rescue find rows in the raw
//! bytes of a database that no longer opens.

use kinfolk_crypto::aead::{self, TAG};
use kinfolk_engine::store::{Key, Row};
use kinfolk_wire::codec::Reader;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::place::{self, PIECES};

pub(crate) const HEAD_MARK: [u8; 3] = [b'k', 0xb5, 1];
pub(crate) const PIECE_MARK: [u8; 3] = [b'k', 0xb5, 2];
pub(crate) const NONCE: usize = 24;
/// Bytes of a sealed row in one piece.
pub(crate) const PIECE: usize = 3_500;
/// The longest row in bytes, its version byte included: what `Row::decode` reads back.
pub(crate) const LONGEST_ROW: usize = kinfolk_engine::store::ROW_LIMIT + 1;
/// Bytes of the nonce that a piece bears.
const ROW_ID: usize = 8;
const FORMAT: &[u8] = b"kinfolk row 1";

/// Why a stored value is not the row that should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealError {
    #[error("it is not in the form of a row")]
    Malformed,
    #[error("a piece of it is missing")]
    PieceMissing,
    #[error("its seal is not genuine")]
    NotGenuine,
    #[error("it is sealed for another place")]
    Misplaced,
}

/// The system gives no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no randomness")]
pub(crate) struct NoRandomness;

/// The key from which all others of a profile come.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct DataKey(pub(crate) [u8; 32]);

impl DataKey {
    pub(crate) fn random() -> Result<Self, NoRandomness> {
        let mut key = Self([0; 32]);
        random(&mut key.0)?;
        Ok(key)
    }
}

/// The subkeys of a profile.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Keys {
    values: [u8; 32],
    pub(crate) names: [u8; 32],
    pub(crate) anchor: [u8; 32],
    pub(crate) votes: [u8; 32],
}

impl Keys {
    pub(crate) fn of(key: &DataKey) -> Self {
        Self {
            values: blake3::derive_key("kinfolk store 1: values", &key.0),
            names: blake3::derive_key("kinfolk store 1: names", &key.0),
            anchor: blake3::derive_key("kinfolk store 1: anchor", &key.0),
            votes: blake3::derive_key("kinfolk store 1: votes", &key.0),
        }
    }

    /// Seals a text for the place `at`, and returns what stands there: the head and the pieces after it.
    pub(crate) fn seal(&self, at: &[u8], text: &[u8]) -> Result<Vec<Vec<u8>>, NoRandomness> {
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        let mut sealed = Vec::with_capacity(NONCE.saturating_add(text.len()).saturating_add(TAG));
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(text);
        if let Some(buffer) = sealed.get_mut(NONCE..) {
            let tag = aead::xseal(&self.values, &nonce, &associated(at), buffer);
            sealed.extend_from_slice(&tag);
        }
        let count = u8::try_from(sealed.len().div_ceil(PIECE)).unwrap_or(u8::MAX);
        let row_id = nonce.first_chunk::<ROW_ID>().copied().unwrap_or_default();
        let pieces = sealed.chunks(PIECE).zip(0u8..).map(|(part, index)| {
            let length = u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes();
            if index == 0 {
                [&HEAD_MARK[..], &[count], &length, part].concat()
            } else {
                [&PIECE_MARK[..], &[index], &length, &row_id, part].concat()
            }
        });
        Ok(pieces.collect())
    }

    /// Opens what is at a place; `piece` fetches the pieces after the head.
    pub(crate) fn open<E: From<SealError>>(
        &self,
        at: &[u8],
        head: &[u8],
        mut piece: impl FnMut(u8) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Zeroizing<Vec<u8>>, E> {
        let head = Head::read(head).ok_or(SealError::Malformed)?;
        let mut sealed = head.part.to_vec();
        for index in 1..head.count {
            let value = piece(index)?.ok_or(SealError::PieceMissing)?;
            let part = Piece::read(&value).ok_or(SealError::Malformed)?;
            sealed.extend_from_slice(part.part);
        }
        Ok(self.open_whole(at, &sealed)?)
    }

    /// Opens a sealed row that has been put together.
    pub(crate) fn open_whole(&self, at: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(SealError::Malformed)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(SealError::Malformed)?;
        let mut text = Zeroizing::new(ciphertext.to_vec());
        aead::xopen(&self.values, nonce, &associated(at), &mut text, tag).map_err(|_| SealError::NotGenuine)?;
        Ok(text)
    }

    /// What a sealed row seems to say, unproven: enough to learn for which place it would have to be sealed.
    pub(crate) fn guess(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
        let (ciphertext, _) = rest.split_last_chunk::<TAG>()?;
        let mut text = Zeroizing::new(vec![0; ciphertext.len()]);
        // Sealing zeros gives the stream that the ciphertext was made with.
        let _tag = aead::xseal(&self.values, nonce, &[], &mut text);
        for (stream, byte) in text.iter_mut().zip(ciphertext) {
            *stream ^= byte;
        }
        Some(text)
    }
}

fn associated(at: &[u8]) -> Vec<u8> {
    // The stored key begins with the table.
    [FORMAT, at].concat()
}

pub(crate) fn random(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(bytes).map_err(|_| NoRandomness)
}

/// The first piece of a sealed row.
pub(crate) struct Head<'a> {
    pub(crate) count: u8,
    pub(crate) part: &'a [u8],
}

impl<'a> Head<'a> {
    /// Reads one from the start of some bytes, which may go on after it.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new("head of a row", bytes);
        let mark: [u8; 3] = reader.array().ok()?;
        let count = reader.u8().ok()?;
        let length = reader.u16().ok()?.into();
        let part = reader.take(length).ok()?;
        (mark == HEAD_MARK && count > 0).then_some(Self { count, part })
    }
}

/// A later piece of a sealed row.
pub(crate) struct Piece<'a> {
    pub(crate) index: u8,
    pub(crate) row: [u8; ROW_ID],
    pub(crate) part: &'a [u8],
}

impl<'a> Piece<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new("piece of a row", bytes);
        let mark: [u8; 3] = reader.array().ok()?;
        let index = reader.u8().ok()?;
        let length = reader.u16().ok()?.into();
        let row = reader.array().ok()?;
        let part = reader.take(length).ok()?;
        (mark == PIECE_MARK).then_some(Self { index, row, part })
    }
}

/// Where a piece of a long row stands.
pub(crate) fn piece_at(at: &[u8], index: u8) -> Vec<u8> {
    [&[PIECES], at, &[index]].concat()
}

/// A key, a version and a record's bytes as they are sealed together.
pub(crate) fn text(key: &Key, version: u64, record: &[u8]) -> Zeroizing<Vec<u8>> {
    let key = key.encode();
    let length = u16::try_from(key.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut text = Zeroizing::new(Vec::with_capacity(key.len().saturating_add(record.len()).saturating_add(10)));
    text.extend_from_slice(&length);
    text.extend_from_slice(&key);
    text.extend_from_slice(&version.to_be_bytes());
    text.extend_from_slice(record);
    text
}

/// The parts of a text; the record is still bytes.
pub(crate) struct Parts<'a> {
    pub(crate) key: Key,
    pub(crate) version: u64,
    pub(crate) record: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(crate) fn read(text: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new("row", text);
        let length = reader.u16().ok()?.into();
        let key = Key::decode(reader.take(length).ok()?).ok()?;
        let version = reader.u64().ok()?;
        Some(Self { key, version, record: reader.rest() })
    }

    /// The row, if the text is at home at this place.
    pub(crate) fn row(self, names: &[u8; 32], at: &[u8]) -> Result<(Key, Row), SealError> {
        if place::of(names, &self.key) != at {
            return Err(SealError::Misplaced);
        }
        let row = Row::decode(self.key.table(), self.record).map_err(|_| SealError::Malformed)?;
        Ok((self.key, row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::of(&DataKey([7; 32]))
    }

    fn open(keys: &Keys, at: &[u8], pieces: &[Vec<u8>]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        keys.open(at, &pieces[0], |index| Ok(pieces.get(usize::from(index)).cloned()))
    }

    #[test]
    fn a_row_of_any_length_comes_back_and_no_value_reaches_4_kib() {
        let keys = keys();
        for length in [0, 1, 3_459, 3_460, 3_461, 7_000, LONGEST_ROW + 300] {
            let text: Vec<u8> = (0..=250).cycle().take(length).collect();
            let pieces = keys.seal(b"\x0dplace", &text).unwrap();
            assert_eq!(pieces.len(), (length + NONCE + TAG).div_ceil(PIECE).max(1));
            assert!(pieces.iter().all(|piece| piece.len() < 4_096));
            assert_eq!(*open(&keys, b"\x0dplace", &pieces).unwrap(), text);
        }
    }

    #[test]
    fn g03_a_row_opens_nowhere_but_in_its_place() {
        let keys = keys();
        let pieces = keys.seal(b"\x0dhere", b"text").unwrap();
        assert_eq!(open(&keys, b"\x0dthere", &pieces), Err(SealError::NotGenuine));
        assert_eq!(open(&keys, b"\x0ehere", &pieces), Err(SealError::NotGenuine));
    }

    #[test]
    fn g03_every_bit_of_a_value_is_under_the_seal() {
        let keys = keys();
        let value = keys.seal(b"\x0dhere", b"a text that nobody may change").unwrap().remove(0);
        for bit in 0..value.len() * 8 {
            let mut other = value.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&keys, b"\x0dhere", &[other]).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn pieces_of_two_versions_of_a_row_do_not_pass_for_one() {
        let keys = keys();
        let old = keys.seal(b"\x0dhere", &[1; 9_000]).unwrap();
        let new = keys.seal(b"\x0dhere", &[2; 9_000]).unwrap();
        let mixed = [new[0].clone(), old[1].clone(), new[2].clone()];
        assert_eq!(open(&keys, b"\x0dhere", &mixed), Err(SealError::NotGenuine));
        assert_eq!(open(&keys, b"\x0dhere", &new[..2]), Err(SealError::PieceMissing));
    }

    #[test]
    fn a_guess_is_the_text_without_the_proof() {
        let keys = keys();
        let mut value = keys.seal(b"\x0dhere", b"what it says").unwrap().remove(0);
        let last = value.len() - 1;
        value[last] ^= 1;
        let head = Head::read(&value).unwrap();
        assert_eq!(**keys.guess(head.part).unwrap(), *b"what it says");
    }

    #[test]
    fn two_seals_of_one_text_share_nothing() {
        let keys = keys();
        let (one, two) = (keys.seal(b"\x0dp", b"text").unwrap(), keys.seal(b"\x0dp", b"text").unwrap());
        assert_ne!(one[0][6..30], two[0][6..30]);
        assert_ne!(one[0][30..34], two[0][30..34]);
    }
}
