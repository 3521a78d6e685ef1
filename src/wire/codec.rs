//! Reading what strangers sent, and writing it.
//!
//! Two encodings live here (docs/protocol/01-encoding.md). *Layouts* are drawn byte by byte, integers big-endian, and
//! are read with [`Reader`]. Everything else is deterministic CBOR (RFC 8949 section 4.2.1): definite lengths, shortest
//! integers, map keys ascending and unique, at most [`limits::CBOR_DEPTH`] deep. [`from_cbor`] refuses what is not, then
//! reads the type; fields it does not know are skipped, so that a newer node can add one. [`from_cbor_canonical`] also
//! refuses those: it is for what is hashed.

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode};

use crate::limits;

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("{what}: expected {expected} more bytes, found {found}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// How many bytes were needed.
        expected: usize,
        /// How many were left.
        found: usize,
    },
    /// Bytes are left over.
    #[error("{what}: {bytes} bytes left over")]
    Trailing {
        /// What was being read.
        what: &'static str,
        /// How many bytes.
        bytes: usize,
    },
    /// A length or a count is over its limit.
    #[error("{what}: at most {limit}, found {found}")]
    TooLong {
        /// What was being read.
        what: &'static str,
        /// The limit, in the unit of the thing.
        limit: usize,
        /// What was found.
        found: usize,
    },
    /// A version this program does not speak.
    #[error("{what}: version {found} is unknown to this program, it may be too old")]
    UnknownVersion {
        /// What was being read.
        what: &'static str,
        /// The version found.
        found: u64,
    },
    /// A kind this program does not know.
    #[error("{what}: kind {found} is unknown to this program")]
    UnknownKind {
        /// What was being read.
        what: &'static str,
        /// The kind found.
        found: u64,
    },
    /// Well-formed perhaps, but not the one way of writing it.
    #[error("{what}: not in its canonical encoding")]
    NotCanonical {
        /// What was being read.
        what: &'static str,
    },
    /// Anything else that is not what it should be.
    #[error("{what}: malformed")]
    Malformed {
        /// What was being read.
        what: &'static str,
    },
}

/// Reads a drawn layout from front to back.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of `bytes`, which its errors call `what`.
    #[must_use]
    pub const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    /// What has not been read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if there are fewer.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated {
            what: self.what,
            expected: length,
            found: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated {
            what: self.what,
            expected: N,
            found: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] at the end.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(u8::from_be_bytes)
    }

    /// The next two bytes, big-endian.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if there are fewer.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes, big-endian.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if there are fewer.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes, big-endian.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if there are fewer.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Refuses what is left over.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] if anything is.
    pub const fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing { what: self.what, bytes: self.rest.len() })
        }
    }
}

/// The CBOR of a value of ours.
///
/// # Panics
/// Never for the types of this crate: the buffer grows and no encoder of ours fails by itself.
pub fn to_cbor<T: Encode<()>>(value: &T) -> Vec<u8> {
    #[allow(
        clippy::expect_used,
        reason = "writing into a Vec cannot fail and our encoders raise no error of their own"
    )]
    minicbor::to_vec(value).expect("encoding into memory")
}

/// Reads deterministic CBOR of at most `limit` bytes; unknown map keys are skipped.
///
/// # Errors
/// [`DecodeError`] naming `what`.
pub fn from_cbor<'b, T: Decode<'b, ()>>(what: &'static str, bytes: &'b [u8], limit: usize) -> Result<T, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { what, limit, found: bytes.len() });
    }
    check_deterministic(what, bytes)?;
    minicbor::decode(bytes).map_err(|_| DecodeError::Malformed { what })
}

/// Reads CBOR whose every byte must be the one that [`to_cbor`] would write: for what is hashed or signed over.
///
/// # Errors
/// [`DecodeError`] naming `what`.
pub fn from_cbor_canonical<'b, T: Decode<'b, ()> + Encode<()>>(
    what: &'static str,
    bytes: &'b [u8],
    limit: usize,
) -> Result<T, DecodeError> {
    let value: T = from_cbor(what, bytes, limit)?;
    if to_cbor(&value) == bytes { Ok(value) } else { Err(DecodeError::NotCanonical { what }) }
}

/// One array or map that is being walked.
struct Open {
    items: u64,
    /// In a map: the encoded bytes of the last key, where keys and values take turns.
    map: Option<MapPlace>,
}

struct MapPlace {
    last_key: (usize, usize),
    at_key: bool,
}

/// Refuses anything but one item of deterministic CBOR, without recursion and without allocating more than
/// [`limits::CBOR_DEPTH`] places. Tags, floats, simple values other than booleans and null do not occur in kinfolk.
fn check_deterministic(what: &'static str, bytes: &[u8]) -> Result<(), DecodeError> {
    let malformed = DecodeError::Malformed { what };
    let not_canonical = DecodeError::NotCanonical { what };
    let mut decoder = Decoder::new(bytes);
    let mut stack: Vec<Open> = Vec::new();
    loop {
        let start = decoder.position();
        let kind = decoder.datatype().map_err(|_| malformed.clone())?;
        let (head, opened) = match kind {
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => (decoder.u64().map_err(|_| malformed.clone())?, None),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
                let int = i128::from(decoder.int().map_err(|_| malformed.clone())?);
                (u64::try_from(int.saturating_neg().saturating_sub(1)).map_err(|_| malformed.clone())?, None)
            }
            Type::Bytes => (decoder.bytes().map_err(|_| malformed.clone())?.len() as u64, None),
            Type::String => (decoder.str().map_err(|_| malformed.clone())?.len() as u64, None),
            Type::Bool => {
                decoder.bool().map_err(|_| malformed.clone())?;
                (0, None)
            }
            Type::Null => {
                decoder.null().map_err(|_| malformed.clone())?;
                (0, None)
            }
            Type::Array => {
                let items = decoder.array().map_err(|_| malformed.clone())?.ok_or_else(|| not_canonical.clone())?;
                (items, Some(Open { items, map: None }))
            }
            Type::Map => {
                let pairs = decoder.map().map_err(|_| malformed.clone())?.ok_or_else(|| not_canonical.clone())?;
                let items = pairs.checked_mul(2).ok_or_else(|| malformed.clone())?;
                (pairs, Some(Open { items, map: Some(MapPlace { last_key: (0, 0), at_key: true }) }))
            }
            Type::BytesIndef | Type::StringIndef | Type::ArrayIndef | Type::MapIndef => return Err(not_canonical),
            _ => return Err(malformed),
        };
        if !is_shortest(bytes, start, head) {
            return Err(not_canonical);
        }
        let end = decoder.position();
        if let Some(open) = stack.last_mut() {
            open.items = open.items.saturating_sub(1);
            if let Some(place) = &mut open.map {
                if place.at_key {
                    if opened.is_some() {
                        return Err(malformed);
                    }
                    let last = bytes.get(place.last_key.0..place.last_key.1).unwrap_or_default();
                    let key = bytes.get(start..end).unwrap_or_default();
                    if key <= last {
                        return Err(not_canonical);
                    }
                    place.last_key = (start, end);
                }
                place.at_key = !place.at_key;
            }
        }
        if let Some(open) = opened {
            if stack.len() >= limits::CBOR_DEPTH {
                return Err(DecodeError::TooLong {
                    what,
                    limit: limits::CBOR_DEPTH,
                    found: stack.len().saturating_add(1),
                });
            }
            // Every item takes a byte at least: a count beyond the bytes left is a lie, told before anyone allocates.
            let left = bytes.len().saturating_sub(end) as u64;
            if open.items > left {
                return Err(malformed);
            }
            stack.push(open);
        }
        while stack.last().is_some_and(|open| open.items == 0) {
            stack.pop();
        }
        if stack.is_empty() {
            let left = bytes.len().saturating_sub(decoder.position());
            return if left == 0 { Ok(()) } else { Err(DecodeError::Trailing { what, bytes: left }) };
        }
    }
}

/// Whether the argument of the item at `start` is written in as few bytes as it fits.
fn is_shortest(bytes: &[u8], start: usize, argument: u64) -> bool {
    let additional = bytes.get(start).map_or(0, |first| first & 0x1f);
    match additional {
        24 => argument >= 24,
        25 => argument > u64::from(u8::MAX),
        26 => argument > u64::from(u16::MAX),
        27 => argument > u64::from(u32::MAX),
        _ => true,
    }
}

/// Reads an array of at most `limit` items, counted before any is kept.
///
/// # Errors
/// That of the decoder, also for more items.
pub fn bounded_list<'b, T: Decode<'b, C>, C>(
    d: &mut Decoder<'b>,
    context: &mut C,
    limit: usize,
) -> Result<Vec<T>, minicbor::decode::Error> {
    let count = d.array()?.ok_or_else(|| minicbor::decode::Error::message("indefinite array"))?;
    if count > limit as u64 {
        return Err(minicbor::decode::Error::message("too many items"));
    }
    (0..count).map(|_| T::decode(d, context)).collect()
}

/// Reads a byte string of at most `limit` bytes.
///
/// # Errors
/// That of the decoder, also for more bytes.
pub fn bounded_bytes(d: &mut Decoder<'_>, limit: usize) -> Result<Vec<u8>, minicbor::decode::Error> {
    let bytes = d.bytes()?;
    if bytes.len() > limit {
        return Err(minicbor::decode::Error::message("byte string too long"));
    }
    Ok(bytes.to_vec())
}

/// Reads a text of at most `limit` bytes of UTF-8.
pub(crate) fn bounded_text(d: &mut Decoder<'_>, limit: usize) -> Result<String, minicbor::decode::Error> {
    let text = d.str()?;
    if text.len() > limit {
        return Err(minicbor::decode::Error::message("text too long"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> Result<(), DecodeError> {
        check_deterministic("test", bytes)
    }

    #[test]
    fn deterministic_items_pass() {
        for bytes in [
            &[0x00][..],
            &[0x17],
            &[0x18, 24],
            &[0x20],
            &[0x38, 24],
            &[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x40],
            &[0x61, b'a'],
            &[0x80],
            &[0xa0],
            &[0xa2, 0x00, 0x01, 0x01, 0x80],
            &[0xf4],
            &[0xf6],
        ] {
            assert_eq!(check(bytes), Ok(()), "{bytes:02x?}");
        }
    }

    #[test]
    fn d01_other_ways_of_writing_the_same_are_refused() {
        for bytes in [
            &[0x18, 23][..],                 // long integer
            &[0x19, 0, 255],                 // longer integer
            &[0x38, 23],                     // long negative integer
            &[0x58, 1, 0],                   // long length
            &[0xb8, 1, 0, 0],                // long map length
            &[0x9f, 0xff],                   // indefinite array
            &[0xbf, 0xff],                   // indefinite map
            &[0x5f, 0x40, 0xff],             // indefinite bytes
            &[0xa2, 0x00, 0x00, 0x00, 0x00], // duplicate key
            &[0xa2, 0x01, 0x00, 0x00, 0x00], // keys not ascending
        ] {
            assert_eq!(check(bytes), Err(DecodeError::NotCanonical { what: "test" }), "{bytes:02x?}");
        }
    }

    #[test]
    fn d01_lies_about_lengths_are_refused() {
        for bytes in [
            &[][..],
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x9a, 0xff, 0xff, 0xff, 0xff],
            &[0x61, 0xff],                   // not UTF-8
            &[0xc0, 0x00],                   // tag
            &[0xfb, 0, 0, 0, 0, 0, 0, 0, 0], // float
            &[0xa1, 0x80, 0x00],             // a map key that is an array
        ] {
            assert_eq!(check(bytes), Err(DecodeError::Malformed { what: "test" }), "{bytes:02x?}");
        }
        assert_eq!(check(&[0, 0]), Err(DecodeError::Trailing { what: "test", bytes: 1 }));
    }

    #[test]
    fn d01_depth_is_bounded() {
        let nested = |depth: usize| {
            let mut bytes = vec![0x81; depth];
            bytes.push(0x00);
            bytes
        };
        assert_eq!(check(&nested(limits::CBOR_DEPTH)), Ok(()));
        assert!(matches!(check(&nested(limits::CBOR_DEPTH + 1)), Err(DecodeError::TooLong { .. })));
        assert!(matches!(check(&nested(10_000)), Err(DecodeError::TooLong { .. })));
    }

    #[test]
    fn a_reader_reads_big_endian_and_refuses_the_rest() {
        let mut reader = Reader::new("test", &[1, 0, 2, 0, 0, 0, 3, 9]);
        assert_eq!((reader.u8(), reader.u16(), reader.u32()), (Ok(1), Ok(2), Ok(3)));
        assert_eq!(reader.clone().finish(), Err(DecodeError::Trailing { what: "test", bytes: 1 }));
        assert_eq!(reader.u64(), Err(DecodeError::Truncated { what: "test", expected: 8, found: 1 }));
    }
}
