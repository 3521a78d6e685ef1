use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use crate::{codec, limits};

/// A sticker: its pack and its id in the pack, written `PACK/ID`. Each is 1 to [`limits::STICKER_ID`] characters of
/// `a-z 0-9 _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(map)]
pub struct StickerId {
    #[n(0)]
    #[cbor(decode_with = "decode_part")]
    pack: String,
    #[n(1)]
    #[cbor(decode_with = "decode_part")]
    sticker: String,
}

/// A text that names no sticker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a sticker as PACK/ID in lower-case letters, digits, - and _, found {found:?}")]
pub struct StickerIdError {
    /// What was read, cut to 80 characters.
    pub found: String,
}

impl StickerId {
    /// The sticker of that pack.
    ///
    /// # Errors
    /// [`StickerIdError`] where a part is empty, too long or in another alphabet.
    pub fn new(pack: &str, sticker: &str) -> Result<Self, StickerIdError> {
        if is_part(pack) && is_part(sticker) {
            Ok(Self { pack: pack.to_owned(), sticker: sticker.to_owned() })
        } else {
            Err(StickerIdError { found: format!("{pack}/{sticker}").chars().take(80).collect() })
        }
    }

    /// The pack.
    #[must_use]
    pub fn pack(&self) -> &str {
        &self.pack
    }

    /// The id in the pack.
    #[must_use]
    pub fn sticker(&self) -> &str {
        &self.sticker
    }
}

fn is_part(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= limits::STICKER_ID
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

fn decode_part<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<String, minicbor::decode::Error> {
    let part = codec::bounded_text(d, limits::STICKER_ID)?;
    if is_part(&part) { Ok(part) } else { Err(minicbor::decode::Error::message("not a sticker id")) }
}

impl FromStr for StickerId {
    type Err = StickerIdError;

    fn from_str(text: &str) -> Result<Self, StickerIdError> {
        let (pack, sticker) =
            text.split_once('/').ok_or_else(|| StickerIdError { found: text.chars().take(80).collect() })?;
        Self::new(pack, sticker)
    }
}

impl fmt::Display for StickerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pack, self.sticker)
    }
}
