//! Requests and replies of `/kinfolk/mailbox/1`, by which envelopes wait at a host while their recipient is away
//! (docs/protocol/07-mailbox.md).
//!
//! Requests one way on a substream and replies the other, in the same order, each behind a length of four bytes. A host
//! learns tags that are used once and blobs of five sizes; who deposits, who collects and what belongs together it is not
//! told.

use minicbor::{Decode, Encode};

use crate::codec::{DecodeError, Reader};
use crate::ids::{MailboxTag, PeerId};
use crate::invite::Address;
use crate::limits;
use crate::{codec, content};

/// The protocol's name on the network.
pub const PROTOCOL: &str = "/kinfolk/mailbox/1";

/// Tags in one [`Request::Collect`]: always as many, made up where there are fewer to ask for.
pub const TAGS: usize = 256;
/// The unit in which a collector says how long the reply is to be, in bytes.
pub const PAGE: usize = 1_024;
/// The most units it may ask for.
pub const ROOM: u8 = 128;
/// Erasures in one [`Request::Erase`].
pub const ERASURES: usize = 1_024;
/// Tokens on one deposit: what a blob of the greatest size costs.
pub const TOKENS: usize = 32;
/// How long a host keeps a blob at the most, in hours: 30 days.
pub const LIFETIME_HOURS: u16 = 720;
/// The longest request after its length: a deposit of the greatest size with its tokens.
pub const REQUEST: usize = 72 * 1_024;
/// The longest reply after its length.
pub const REPLY: usize = ROOM as usize * PAGE;

const WHAT: &str = "mailbox request";
const REPLY_WHAT: &str = "mailbox reply";

/// The sizes that blobs have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// 512 bytes: a line.
    Line,
    /// 2 KiB: a first message, a page of text.
    Page,
    /// 8 KiB.
    Letter,
    /// 32 KiB.
    Parcel,
    /// 64 KiB.
    Crate,
}

impl Bucket {
    /// All of them, the smallest first.
    pub const ALL: [Self; 5] = [Self::Line, Self::Page, Self::Letter, Self::Parcel, Self::Crate];

    /// Bytes of a blob of this size.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Line => 512,
            Self::Page => 2_048,
            Self::Letter => 8_192,
            Self::Parcel => 32_768,
            Self::Crate => 65_536,
        }
    }

    /// How many tokens a deposit of this size costs: one for each 2 KiB.
    #[must_use]
    pub const fn tokens(self) -> usize {
        self.bytes().div_ceil(2_048)
    }

    /// The smallest that holds so many bytes.
    #[must_use]
    pub fn holding(bytes: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.bytes() >= bytes)
    }

    /// The one of exactly this size.
    #[must_use]
    pub fn of(bytes: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.bytes() == bytes)
    }
}

/// What somebody asks a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Keep this.
    Deposit(Deposit),
    /// What lies under these tags?
    Collect(Collect),
    /// These have been taken: throw them away.
    Erase(Vec<Erasure>),
}

/// `1 | tag 16 | lifetime u16 | erasure digest 32 | admission | blob`.
#[derive(Clone, PartialEq, Eq)]
pub struct Deposit {
    /// Where it is to lie; used once.
    pub tag: MailboxTag,
    /// For how many hours, at most [`LIFETIME_HOURS`].
    pub lifetime: u16,
    /// SHA-256 of the key by which it may be erased.
    pub erasure: [u8; 32],
    /// Why the host should take it.
    pub admission: Admission,
    /// A sealed envelope; one of the [`Bucket`] sizes.
    pub blob: Vec<u8>,
}

impl std::fmt::Debug for Deposit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deposit")
            .field("tag", &self.tag)
            .field("lifetime", &self.lifetime)
            .field("admission", &self.admission)
            .field("bytes", &self.blob.len())
            .finish_non_exhaustive()
    }
}

/// Why a host should take a deposit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// `1 | count u8 | (epoch u32 | nonce 16 | output 32)*`: tokens that the host issued to whom it serves, without
    /// being able to tell which (RFC 9497).
    Tokens(Vec<Token>),
    /// `2 | hour u32 | nonce u64`: work that was done for this deposit, at this host, in this hour.
    Work(Stamp),
}

/// One token, for up to 2 KiB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(map)]
pub struct Token {
    /// Under which of the host's keys.
    #[n(0)]
    pub epoch: u32,
    /// What its first holder drew.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub nonce: [u8; 16],
    /// The first half of the function's output.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub output: [u8; 32],
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// What shows that work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Hours since the Unix epoch.
    pub hour: u32,
    /// What was found.
    pub nonce: u64,
}

/// `2 | room u8 | tag 16 * 256`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collect {
    /// How long the reply is to be, in units of [`PAGE`]; 1 to [`ROOM`].
    pub room: u8,
    /// Exactly [`TAGS`].
    pub tags: Vec<MailboxTag>,
}

/// `tag 16 | key 16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// What is to go.
    pub tag: MailboxTag,
    /// Its SHA-256 came with the deposit.
    pub key: [u8; 16],
}

impl Request {
    const DEPOSIT: u8 = 1;
    const COLLECT: u8 = 2;
    const ERASE: u8 = 3;

    /// The bytes after the length.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Deposit(deposit) => deposit.encode(),
            Self::Collect(Collect { room, tags }) => {
                let mut out = vec![Self::COLLECT, *room];
                tags.iter().for_each(|tag| out.extend_from_slice(tag.as_bytes()));
                out
            }
            Self::Erase(erasures) => {
                let mut out = vec![Self::ERASE];
                for erasure in erasures {
                    out.extend_from_slice(erasure.tag.as_bytes());
                    out.extend_from_slice(&erasure.key);
                }
                out
            }
        }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > REQUEST {
            return Err(DecodeError::TooLong { what: WHAT, limit: REQUEST, found: bytes.len() });
        }
        let mut r = Reader::new(WHAT, bytes);
        match r.u8()? {
            Self::DEPOSIT => Deposit::decode(r).map(Self::Deposit),
            Self::COLLECT => {
                let room = r.u8()?;
                if !(1..=ROOM).contains(&room) {
                    return Err(DecodeError::Malformed { what: WHAT });
                }
                let tags = (0..TAGS).map(|_| r.array().map(MailboxTag::new)).collect::<Result<_, _>>()?;
                r.finish()?;
                Ok(Self::Collect(Collect { room, tags }))
            }
            Self::ERASE => {
                let found = r.rest().len().div_ceil(32);
                if found == 0 || found > ERASURES {
                    return Err(DecodeError::TooLong { what: WHAT, limit: ERASURES, found });
                }
                let mut erasures = Vec::with_capacity(found);
                while !r.rest().is_empty() {
                    erasures.push(Erasure { tag: MailboxTag::new(r.array()?), key: r.array()? });
                }
                Ok(Self::Erase(erasures))
            }
            other => Err(DecodeError::UnknownKind { what: WHAT, found: other.into() }),
        }
    }
}

impl Deposit {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.blob.len().saturating_add(128));
        out.push(Request::DEPOSIT);
        out.extend_from_slice(self.tag.as_bytes());
        out.extend_from_slice(&self.lifetime.to_be_bytes());
        out.extend_from_slice(&self.erasure);
        match &self.admission {
            Admission::Tokens(tokens) => {
                out.push(1);
                out.push(u8::try_from(tokens.len()).unwrap_or(u8::MAX));
                for token in tokens {
                    out.extend_from_slice(&token.epoch.to_be_bytes());
                    out.extend_from_slice(&token.nonce);
                    out.extend_from_slice(&token.output);
                }
            }
            Admission::Work(stamp) => {
                out.push(2);
                out.extend_from_slice(&stamp.hour.to_be_bytes());
                out.extend_from_slice(&stamp.nonce.to_be_bytes());
            }
        }
        out.extend_from_slice(&self.blob);
        out
    }

    fn decode(mut r: Reader<'_>) -> Result<Self, DecodeError> {
        let tag = MailboxTag::new(r.array()?);
        let lifetime = r.u16()?;
        if !(1..=LIFETIME_HOURS).contains(&lifetime) {
            return Err(DecodeError::Malformed { what: WHAT });
        }
        let erasure = r.array()?;
        let admission = match r.u8()? {
            1 => {
                let found = usize::from(r.u8()?);
                if found == 0 || found > TOKENS {
                    return Err(DecodeError::TooLong { what: WHAT, limit: TOKENS, found });
                }
                let read = |r: &mut Reader<'_>| {
                    Ok::<_, DecodeError>(Token { epoch: r.u32()?, nonce: r.array()?, output: r.array()? })
                };
                Admission::Tokens((0..found).map(|_| read(&mut r)).collect::<Result<_, _>>()?)
            }
            2 => Admission::Work(Stamp { hour: r.u32()?, nonce: r.u64()? }),
            other => return Err(DecodeError::UnknownKind { what: WHAT, found: other.into() }),
        };
        let blob = r.rest();
        if Bucket::of(blob.len()).is_none() {
            return Err(DecodeError::Malformed { what: WHAT });
        }
        Ok(Self { tag, lifetime, erasure, admission, blob: blob.to_vec() })
    }

    /// Its size.
    #[must_use]
    pub fn bucket(&self) -> Option<Bucket> {
        Bucket::of(self.blob.len())
    }
}

/// What a host answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `0`: it is done, and on disk.
    Done,
    /// `1 | reason u8 | number u32`: it is not.
    Refused(Refused),
    /// `2 | more u8 | count u16 | (index u8 | blob size class u8 | blob)* | zeros`, to as many units of [`PAGE`] as were
    /// asked for: what lies under the tags that were asked, in their order.
    Found(Found),
}

/// Why a host does not do what it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It serves nobody.
    NotServing,
    /// It has no room for more of this kind.
    Full,
    /// It wants work of at least so many bits, done in its present hour or one beside it.
    Work {
        /// Leading zero bits.
        bits: u8,
        /// Hours since the Unix epoch, by its clock.
        hour: u32,
    },
    /// A token is not one of its own, is spent, or is of an epoch that is over.
    Tokens,
    /// Something else lies under this tag.
    Taken,
    /// Not now; in so many seconds.
    Later(u16),
    /// It does not understand the request.
    Malformed,
}

/// What lies under tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Whether there was more than room for it.
    pub more: bool,
    /// Which of the tags, from 0, ascending, and what lies there.
    pub blobs: Vec<(u8, Vec<u8>)>,
}

impl Found {
    /// Bytes that a blob takes in a reply.
    #[must_use]
    pub const fn cost(bucket: Bucket) -> usize {
        bucket.bytes().saturating_add(2)
    }

    /// Bytes for blobs in a reply of so many units.
    #[must_use]
    pub fn space(room: u8) -> usize {
        usize::from(room).saturating_mul(PAGE).saturating_sub(4)
    }
}

impl Reply {
    const DONE: u8 = 0;
    const REFUSED: u8 = 1;
    const FOUND: u8 = 2;

    /// The bytes after the length. A [`Found`] is filled up to `room` units.
    #[must_use]
    pub fn encode(&self, room: u8) -> Vec<u8> {
        match self {
            Self::Done => vec![Self::DONE],
            Self::Refused(why) => {
                let (reason, number) = match *why {
                    Refused::NotServing => (1, 0),
                    Refused::Full => (2, 0),
                    Refused::Work { bits, hour } => (3, u32::from(bits) << 24 | (hour & 0x00ff_ffff)),
                    Refused::Tokens => (4, 0),
                    Refused::Taken => (5, 0),
                    Refused::Later(seconds) => (6, u32::from(seconds)),
                    Refused::Malformed => (7, 0),
                };
                let mut out = vec![Self::REFUSED, reason];
                out.extend_from_slice(&number.to_be_bytes());
                out
            }
            Self::Found(found) => {
                let length = usize::from(room).saturating_mul(PAGE);
                let mut out = Vec::with_capacity(length);
                out.extend_from_slice(&[Self::FOUND, u8::from(found.more)]);
                out.extend_from_slice(&u16::try_from(found.blobs.len()).unwrap_or(u16::MAX).to_be_bytes());
                for (index, blob) in &found.blobs {
                    let class = Bucket::ALL.iter().position(|bucket| bucket.bytes() == blob.len());
                    out.extend_from_slice(&[
                        *index,
                        class.and_then(|class| u8::try_from(class).ok()).unwrap_or(u8::MAX),
                    ]);
                    out.extend_from_slice(blob);
                }
                out.resize(length.max(out.len()), 0);
                out
            }
        }
    }

    /// Reads a reply.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > REPLY {
            return Err(DecodeError::TooLong { what: REPLY_WHAT, limit: REPLY, found: bytes.len() });
        }
        let malformed = DecodeError::Malformed { what: REPLY_WHAT };
        let mut r = Reader::new(REPLY_WHAT, bytes);
        match r.u8()? {
            Self::DONE => {
                r.finish()?;
                Ok(Self::Done)
            }
            Self::REFUSED => {
                let (reason, number) = (r.u8()?, r.u32()?);
                r.finish()?;
                let [bits, ..] = number.to_be_bytes();
                Ok(Self::Refused(match reason {
                    1 => Refused::NotServing,
                    2 => Refused::Full,
                    3 => Refused::Work { bits, hour: number & 0x00ff_ffff },
                    4 => Refused::Tokens,
                    5 => Refused::Taken,
                    6 => Refused::Later(u16::try_from(number).map_err(|_| malformed)?),
                    7 => Refused::Malformed,
                    other => return Err(DecodeError::UnknownKind { what: REPLY_WHAT, found: other.into() }),
                }))
            }
            Self::FOUND => {
                let more = match r.u8()? {
                    0 => false,
                    1 => true,
                    _ => return Err(malformed),
                };
                let count = usize::from(r.u16()?);
                if count > TAGS {
                    return Err(DecodeError::TooLong { what: REPLY_WHAT, limit: TAGS, found: count });
                }
                let mut blobs: Vec<(u8, Vec<u8>)> = Vec::new();
                for _ in 0..count {
                    let (index, class) = (r.u8()?, r.u8()?);
                    let bucket =
                        Bucket::ALL.get(usize::from(class)).ok_or(DecodeError::Malformed { what: REPLY_WHAT })?;
                    if blobs.last().is_some_and(|(before, _)| *before >= index) {
                        return Err(DecodeError::NotCanonical { what: REPLY_WHAT });
                    }
                    blobs.push((index, r.take(bucket.bytes())?.to_vec()));
                }
                if r.rest().iter().any(|byte| *byte != 0) {
                    return Err(DecodeError::NotCanonical { what: REPLY_WHAT });
                }
                Ok(Self::Found(Found { more, blobs }))
            }
            other => Err(DecodeError::UnknownKind { what: REPLY_WHAT, found: other.into() }),
        }
    }
}

/// A host as it is named to others: inside the seal, and in the link that a host gives out.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Host {
    /// Its node.
    #[n(0)]
    pub peer: PeerId,
    /// Where that is; at most [`limits::ADDRESSES`].
    #[n(1)]
    #[cbor(decode_with = "content::decode_addresses")]
    pub addresses: Vec<Address>,
    /// The work it wants for a deposit without tokens, in leading zero bits.
    #[n(2)]
    pub work_bits: u8,
}

/// What every link to a host begins with.
pub const SCHEME: &str = "kinfolk-mailbox:";

/// Why a text is no link to a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostLinkError {
    /// It does not begin as one.
    #[error("a link to a mailbox begins with {SCHEME}; copy the whole line you were sent")]
    Scheme,
    /// It is longer than any link.
    #[error("a link to a mailbox has at most {limit} characters, this one has {found}", limit = limits::INVITE_LINK)]
    TooLong {
        /// Its characters.
        found: usize,
    },
    /// It was cut or altered on the way.
    #[error("this link to a mailbox is damaged or incomplete; ask for it to be sent again")]
    Damaged(#[from] DecodeError),
}

impl Host {
    /// The link by which people who are no contacts learn of a host: [`SCHEME`] and base64url without padding.
    #[must_use]
    pub fn link(&self) -> String {
        format!("{SCHEME}{}", data_encoding::BASE64URL_NOPAD.encode(&codec::to_cbor(self)))
    }

    /// Reads a link.
    ///
    /// # Errors
    /// [`HostLinkError`].
    pub fn from_link(text: &str) -> Result<Self, HostLinkError> {
        let text = text.trim();
        let encoded = text.strip_prefix(SCHEME).ok_or(HostLinkError::Scheme)?;
        if text.len() > limits::INVITE_LINK {
            return Err(HostLinkError::TooLong { found: text.len() });
        }
        let what = "link to a mailbox";
        let bytes =
            data_encoding::BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| DecodeError::Malformed { what })?;
        Ok(codec::from_cbor_canonical(what, &bytes, limits::INVITE_LINK)?)
    }
}

#[cfg(test)]
mod tests;
