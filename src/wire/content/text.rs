use minicbor::{Decode, Encode};

use crate::{codec, limits};

/// A text message: 1 to [`limits::TEXT`] bytes of UTF-8.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Text {
    #[n(0)]
    #[cbor(decode_with = "decode_text")]
    text: String,
}

/// Why a text cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is nothing in it.
    #[error("there is nothing in this message; write something first")]
    Empty,
    /// It is over the limit.
    #[error("a text has at most {limit} bytes, this one has {found}; send it in parts or as a file")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
        /// Its bytes.
        found: usize,
    },
}

impl Text {
    /// Reads a text as typed.
    ///
    /// # Errors
    /// [`TextError`] where it is empty or too long.
    pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
        let text = text.into();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > limits::TEXT {
            return Err(TextError::TooLong { limit: limits::TEXT, found: text.len() });
        }
        Ok(Self { text })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn decode_text<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<String, minicbor::decode::Error> {
    let text = codec::bounded_text(d, limits::TEXT)?;
    if text.is_empty() {
        return Err(minicbor::decode::Error::message("empty text"));
    }
    Ok(text)
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes)", self.text.len())
    }
}
