//! The two sealed messages of a pair of devices: 0x11, a ratchet message, and 0x12, the same with the handshake in
//! front of it (docs/protocol/03-handshake.md, 04-ratchet.md). Only the outer layout is read here; what is inside the
//! seals is read by `kinfolk-crypto` once it has opened.

use crate::bundle::{KEM_CIPHERTEXT, PrekeyId};
use crate::codec::{DecodeError, Reader};
use crate::limits;

/// First byte of a ratchet message.
pub const RATCHET: u8 = 0x11;
/// First byte of a message that starts a session.
pub const INIT: u8 = 0x12;

/// A ratchet message, borrowed from its bytes: `0x11 | u16 hlen | hn 24 | ehdr hlen | body`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatchetMessage<'a> {
    /// All of it: the associated data of the body is everything before the body.
    pub bytes: &'a [u8],
    /// The random header nonce, 24 bytes.
    pub header_nonce: &'a [u8; 24],
    /// The sealed header with its tag.
    pub sealed_header: &'a [u8],
    /// The sealed body with its tag.
    pub sealed_body: &'a [u8],
}

impl<'a> RatchetMessage<'a> {
    /// Bytes in front of the sealed header.
    pub const PREFIX: usize = 1 + 2 + 24;

    /// Reads the layout; `bytes` is at most [`limits::PAYLOAD`] long.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "ratchet message";
        if bytes.len() > limits::PAYLOAD {
            return Err(DecodeError::TooLong { what: WHAT, limit: limits::PAYLOAD, found: bytes.len() });
        }
        let mut r = Reader::new(WHAT, bytes);
        let kind = r.u8()?;
        if kind != RATCHET {
            return Err(DecodeError::UnknownKind { what: WHAT, found: kind.into() });
        }
        let header_length = usize::from(r.u16()?);
        if header_length > limits::SEALED_HEADER {
            return Err(DecodeError::TooLong { what: WHAT, limit: limits::SEALED_HEADER, found: header_length });
        }
        let nonce = r.take(24)?;
        let header_nonce = nonce.first_chunk().ok_or(DecodeError::Malformed { what: WHAT })?;
        let sealed_header = r.take(header_length)?;
        Ok(Self { bytes, header_nonce, sealed_header, sealed_body: r.rest() })
    }

    /// Everything before the body: what the body's tag also covers.
    #[must_use]
    pub fn before_body(&self) -> &'a [u8] {
        let end = self.bytes.len().saturating_sub(self.sealed_body.len());
        self.bytes.get(..end).unwrap_or_default()
    }
}

/// A message that starts a session:
/// `0x12 | EKa 32 | spk_id u32 | otk_id u32 (0 = none) | kem_id u32 | ct 1088 | ratchet message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitMessage<'a> {
    /// The initiator's ephemeral X25519 key, `EKa`.
    pub ephemeral_key: [u8; 32],
    /// Which signed prekey was used.
    pub signed_prekey: PrekeyId,
    /// Which one-time pair was used, if any.
    pub one_time_prekey: Option<PrekeyId>,
    /// Which KEM key was used: the one-time pair's, or the last-resort key.
    pub kem_prekey: PrekeyId,
    /// The ML-KEM-768 ciphertext.
    pub kem_ciphertext: &'a [u8; KEM_CIPHERTEXT],
    /// The first message of the session.
    pub message: RatchetMessage<'a>,
}

impl<'a> InitMessage<'a> {
    /// Bytes in front of the ratchet message.
    pub const PREFIX: usize = 1 + 32 + 4 + 4 + 4 + KEM_CIPHERTEXT;

    /// Reads the layout; `bytes` is at most [`limits::PAYLOAD`] long.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "init message";
        if bytes.len() > limits::PAYLOAD {
            return Err(DecodeError::TooLong { what: WHAT, limit: limits::PAYLOAD, found: bytes.len() });
        }
        let mut r = Reader::new(WHAT, bytes);
        let kind = r.u8()?;
        if kind != INIT {
            return Err(DecodeError::UnknownKind { what: WHAT, found: kind.into() });
        }
        let ephemeral_key = r.array()?;
        let signed_prekey = PrekeyId(r.u32()?);
        let one_time = r.u32()?;
        let kem_prekey = PrekeyId(r.u32()?);
        let kem_ciphertext = r.take(KEM_CIPHERTEXT)?.first_chunk().ok_or(DecodeError::Malformed { what: WHAT })?;
        Ok(Self {
            ephemeral_key,
            signed_prekey,
            one_time_prekey: (one_time != 0).then_some(PrekeyId(one_time)),
            kem_prekey,
            kem_ciphertext,
            message: RatchetMessage::decode(r.rest())?,
        })
    }
}

/// The bytes in front of the ratchet message of an `Init`.
#[must_use]
pub fn init_prefix(
    ephemeral_key: &[u8; 32],
    signed_prekey: PrekeyId,
    one_time_prekey: Option<PrekeyId>,
    kem_prekey: PrekeyId,
    kem_ciphertext: &[u8; KEM_CIPHERTEXT],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(InitMessage::PREFIX);
    out.push(INIT);
    out.extend_from_slice(ephemeral_key);
    out.extend_from_slice(&signed_prekey.0.to_be_bytes());
    out.extend_from_slice(&one_time_prekey.map_or(0, |id| id.0).to_be_bytes());
    out.extend_from_slice(&kem_prekey.0.to_be_bytes());
    out.extend_from_slice(kem_ciphertext);
    out
}

/// A payload as it stands in a frame: one of the two messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// 0x11.
    Ratchet(RatchetMessage<'a>),
    /// 0x12.
    Init(InitMessage<'a>),
}

impl<'a> Payload<'a> {
    /// Reads either message.
    ///
    /// # Errors
    /// [`DecodeError`], also for another first byte.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match bytes.first() {
            Some(&RATCHET) => RatchetMessage::decode(bytes).map(Self::Ratchet),
            Some(&INIT) => InitMessage::decode(bytes).map(Self::Init),
            Some(&other) => Err(DecodeError::UnknownKind { what: "payload", found: other.into() }),
            None => Err(DecodeError::Truncated { what: "payload", expected: 1, found: 0 }),
        }
    }
}
