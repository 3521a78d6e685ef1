//! Frames of `/kinfolk/direct/1`, the stream between two devices that are both there (docs/protocol/06-direct.md).
//!
//! `u32 length (<= 65,536) | kind u8 | seq u64 | body`. The network floor reads the head of a frame and answers for
//! sequence numbers and acknowledgements; what a body says is for the engine.

use minicbor::{Decode, Encode};

use crate::bundle::{OneTimePrekey, PrekeyBundle};
use crate::codec::{self, DecodeError, Reader};
use crate::ids::{DeviceId, IdentityId, InviteId, SigchainHead};
use crate::limits;
use crate::sigchain::SigchainBytes;

/// The protocol's name on the network.
pub const PROTOCOL: &str = "/kinfolk/direct/1";

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameKind {
    /// Who is at this end; the body is a [`Hello`].
    Hello,
    /// A message 0x11 or 0x12.
    Payload,
    /// Frames that are committed and synced; the body is an [`Ack`].
    Ack,
    /// A frame that is not taken; the body is a [`Nack`].
    Nack,
    /// A stranger with an invite; the body is a [`Knock`].
    Knock,
    /// What is needed to start a session; the body is a [`Prekeys`].
    Prekeys,
    /// The asker's sigchain and first message; the body is a [`Chain`].
    Chain,
}

impl FrameKind {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Payload => 2,
            Self::Ack => 3,
            Self::Nack => 4,
            Self::Knock => 5,
            Self::Prekeys => 6,
            Self::Chain => 7,
        }
    }

    /// Reads the number.
    ///
    /// # Errors
    /// [`DecodeError::UnknownKind`].
    pub fn from_number(number: u8) -> Result<Self, DecodeError> {
        Ok(match number {
            1 => Self::Hello,
            2 => Self::Payload,
            3 => Self::Ack,
            4 => Self::Nack,
            5 => Self::Knock,
            6 => Self::Prekeys,
            7 => Self::Chain,
            other => return Err(DecodeError::UnknownKind { what: "frame", found: other.into() }),
        })
    }
}

/// A frame without its length prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: FrameKind,
    /// Counts the sender's frames on this stream from 1.
    pub sequence: u64,
    /// What it says.
    pub body: Vec<u8>,
}

impl Frame {
    /// Bytes of `kind` and `seq`.
    pub const HEAD: usize = 1 + 8;

    /// Reads a frame; `bytes` is what its length prefix announced.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > limits::FRAME {
            return Err(DecodeError::TooLong { what: "frame", limit: limits::FRAME, found: bytes.len() });
        }
        let mut r = Reader::new("frame", bytes);
        let kind = FrameKind::from_number(r.u8()?)?;
        let sequence = r.u64()?;
        Ok(Self { kind, sequence, body: r.rest().to_vec() })
    }

    /// The bytes on the wire, with the length prefix.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] if the body does not fit a frame.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        let found = self.body.len().saturating_add(Self::HEAD);
        let too_long = DecodeError::TooLong { what: "frame", limit: limits::FRAME, found };
        if found > limits::FRAME {
            return Err(too_long);
        }
        let length = u32::try_from(found).map_err(|_| too_long)?;
        let mut out = Vec::with_capacity(found.saturating_add(4));
        out.extend_from_slice(&length.to_be_bytes());
        out.push(self.kind.number());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.body);
        Ok(out)
    }
}

/// Which end of the stream says hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The end that opened the stream.
    Dialer,
    /// The other.
    Listener,
}

impl Role {
    /// The byte that is signed.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Dialer => 1,
            Self::Listener => 2,
        }
    }

    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Dialer => Self::Listener,
            Self::Listener => Self::Dialer,
        }
    }
}

/// Who is at this end: `identity 32 | device 16 | sigchain head 32 | signature 64`. The signature is by the device
/// signing key over `kinfolk/1 hello | dialer PeerId | listener PeerId | role`, then the first 80 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The person.
    pub identity: IdentityId,
    /// The device.
    pub device: DeviceId,
    /// The newest entry of their sigchain.
    pub sigchain_head: SigchainHead,
    /// By the device signing key.
    pub signature: [u8; 64],
}

impl Hello {
    /// The part that is signed after the label, the peers and the role.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(144);
        out.extend_from_slice(self.identity.as_bytes());
        out.extend_from_slice(self.device.as_bytes());
        out.extend_from_slice(self.sigchain_head.as_bytes());
        out
    }

    /// The body of the frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.signed_bytes();
        out.extend_from_slice(&self.signature);
        out
    }

    /// Reads the body of a frame.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new("hello", bytes);
        let hello = Self {
            identity: IdentityId::new(r.array()?),
            device: DeviceId::new(r.array()?),
            sigchain_head: SigchainHead::new(r.array()?),
            signature: r.array()?,
        };
        r.finish()?;
        Ok(hello)
    }
}

/// Frames that are committed and synced, as inclusive ranges of their sequence numbers: `(first u64 | last u64)*`,
/// ascending, at most [`limits::ACK_RANGES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// Inclusive, ascending, apart from each other.
    pub ranges: Vec<(u64, u64)>,
}

impl Ack {
    /// The body of the frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.ranges.iter().flat_map(|(first, last)| [first.to_be_bytes(), last.to_be_bytes()].concat()).collect()
    }

    /// Reads the body of a frame.
    ///
    /// # Errors
    /// [`DecodeError`], also where ranges overlap or run backwards.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "ack";
        let found = bytes.len().div_ceil(16);
        if found > limits::ACK_RANGES {
            return Err(DecodeError::TooLong { what: WHAT, limit: limits::ACK_RANGES, found });
        }
        let mut r = Reader::new(WHAT, bytes);
        let mut ranges: Vec<(u64, u64)> = Vec::with_capacity(found);
        while !r.rest().is_empty() {
            let (first, last) = (r.u64()?, r.u64()?);
            if first > last || ranges.last().is_some_and(|(_, before)| first <= *before) {
                return Err(DecodeError::NotCanonical { what: WHAT });
            }
            ranges.push((first, last));
        }
        Ok(Self { ranges })
    }
}

/// Why a frame is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NackCode {
    /// No; whatever the reason is (unknown, used, expired, blocked look alike).
    Refused,
    /// It did not open on any session of the two devices.
    Undecryptable,
    /// Not now: the queue is full or the disk is.
    Later,
}

/// One frame that is not taken: `seq u64 | code u8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nack {
    /// Which.
    pub sequence: u64,
    /// Why.
    pub code: NackCode,
}

impl Nack {
    /// The body of the frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let code: u8 = match self.code {
            NackCode::Refused => 1,
            NackCode::Undecryptable => 2,
            NackCode::Later => 3,
        };
        let mut out = self.sequence.to_be_bytes().to_vec();
        out.push(code);
        out
    }

    /// Reads the body of a frame.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new("nack", bytes);
        let sequence = r.u64()?;
        let code = match r.u8()? {
            1 => NackCode::Refused,
            2 => NackCode::Undecryptable,
            3 => NackCode::Later,
            other => return Err(DecodeError::UnknownKind { what: "nack", found: other.into() }),
        };
        r.finish()?;
        Ok(Self { sequence, code })
    }
}

/// A stranger with an invite: `invite id 16 | nonce 16 | mac 32`, where mac is HMAC-SHA256 under the invite's secret
/// over `kinfolk/1 knock | nonce | dialer PeerId | listener PeerId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knock {
    /// Which invite.
    pub invite: InviteId,
    /// Random.
    pub nonce: [u8; 16],
    /// Shows that the secret is known, on this connection.
    pub mac: [u8; 32],
}

impl Knock {
    /// The body of the frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [&self.invite.as_bytes()[..], &self.nonce, &self.mac].concat()
    }

    /// Reads the body of a frame.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new("knock", bytes);
        let knock = Self { invite: InviteId::new(r.array()?), nonce: r.array()?, mac: r.array()? };
        r.finish()?;
        Ok(knock)
    }
}

/// What is needed to start a session with the device that sends it. Answers a [`Knock`]; also sent to a contact after
/// the hellos, without a one-time prekey, whenever it has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prekeys {
    /// The sender's sigchain.
    pub sigchain: SigchainBytes,
    /// Its device's bundle.
    pub bundle: PrekeyBundle,
    /// One pair for one handshake.
    pub one_time: Option<OneTimePrekey>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct PrekeysBytes {
    #[n(0)]
    sigchain: SigchainBytes,
    #[n(1)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_keys")]
    bundle: Vec<u8>,
    #[n(2)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_keys")]
    one_time: Vec<u8>,
}

fn decode_keys<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<Vec<u8>, minicbor::decode::Error> {
    codec::bounded_bytes(d, PrekeyBundle::LENGTH)
}

impl Prekeys {
    /// The body of the frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::to_cbor(&PrekeysBytes {
            sigchain: self.sigchain.clone(),
            bundle: self.bundle.encode(),
            one_time: self.one_time.as_ref().map(OneTimePrekey::encode).unwrap_or_default(),
        })
    }

    /// Reads the body of a frame.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let raw: PrekeysBytes = codec::from_cbor("prekeys", bytes, limits::FRAME)?;
        Ok(Self {
            sigchain: raw.sigchain,
            bundle: PrekeyBundle::decode(&raw.bundle)?,
            one_time: (!raw.one_time.is_empty()).then(|| OneTimePrekey::decode(&raw.one_time)).transpose()?,
        })
    }
}

/// The asker's sigchain and first message.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Chain {
    /// The invite they knocked with.
    #[n(0)]
    pub invite: InviteId,
    /// Their sigchain.
    #[n(1)]
    pub sigchain: SigchainBytes,
    /// The device of theirs that speaks.
    #[n(2)]
    pub device: DeviceId,
    /// Its message 0x12; at most [`limits::PAYLOAD`] bytes.
    #[n(3)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_init")]
    pub init: Vec<u8>,
}

fn decode_init<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<Vec<u8>, minicbor::decode::Error> {
    codec::bounded_bytes(d, limits::PAYLOAD)
}

impl Chain {
    /// The body of the frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::to_cbor(self)
    }

    /// Reads the body of a frame.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::from_cbor("chain", bytes, limits::FRAME)
    }
}
