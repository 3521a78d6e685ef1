//! The `kinfolk:` link by which two people become contacts (docs/protocol/02-identity.md).

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};

use crate::codec::{self, DecodeError};
use crate::ids::PeerId;
use crate::mailbox::Host;
use crate::name::Name;
use crate::sigchain::Signed;
use crate::time::Timestamp;
use crate::{content, limits};

/// The version of the invite.
pub const VERSION: u8 = 1;
/// Names the network that invites of this program belong to; another number is another network.
pub const NETWORK: u32 = 1;
/// What every link begins with.
pub const SCHEME: &str = "kinfolk:";

/// What an invite says; signed by the device that made it.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Invite {
    /// [`VERSION`].
    #[n(0)]
    pub version: u8,
    /// [`NETWORK`].
    #[n(1)]
    pub network: u32,
    /// The signed genesis of the inviting person.
    #[n(2)]
    pub genesis: Signed,
    /// The signed entry that certifies the device that made the invite.
    #[n(3)]
    pub device_entry: Signed,
    /// What the inviting person calls themselves.
    #[n(4)]
    pub name: Name,
    /// The device's node on the network.
    #[n(5)]
    pub peer: PeerId,
    /// Where it may be reached, as multiaddrs; at most [`limits::ADDRESSES`] of [`limits::ADDRESS`] bytes.
    #[n(6)]
    #[cbor(decode_with = "decode_addresses")]
    pub addresses: Vec<Address>,
    /// 16 random bytes that only the link carries.
    #[n(7)]
    #[cbor(with = "minicbor::bytes")]
    pub secret: [u8; 16],
    /// When it stops being honoured.
    #[n(8)]
    pub expires_at: Timestamp,
    /// How often it may be used.
    #[n(9)]
    pub uses: Uses,
    /// Hosts at which the two can meet when they are never there together; at most [`limits::MAILBOX_HOSTS`].
    #[n(10)]
    #[cbor(decode_with = "content::decode_hosts")]
    pub mailboxes: Vec<Host>,
}

/// How often an invite may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Uses {
    /// By one person.
    #[n(1)]
    Once,
    /// By anybody who has it, until it expires.
    #[n(2)]
    Many,
}

/// A multiaddr in its text form, at most [`limits::ADDRESS`] bytes. Only the network floor reads it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(String);

impl Address {
    /// Keeps a text as an address.
    ///
    /// # Errors
    /// [`DecodeError::TooLong`] or [`DecodeError::Malformed`] (an address begins with `/` and is printable ASCII).
    pub fn new(text: &str) -> Result<Self, DecodeError> {
        if text.len() > limits::ADDRESS {
            return Err(DecodeError::TooLong { what: "address", limit: limits::ADDRESS, found: text.len() });
        }
        if !text.starts_with('/') || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(DecodeError::Malformed { what: "address" });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it leads over another node that relays (docs/protocol/09-reach.md): a way round, not a place.
    #[must_use]
    pub fn is_relayed(&self) -> bool {
        self.0.split('/').any(|part| part == "p2p-circuit")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<C> Encode<C> for Address {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Address {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.str()?).map_err(|_| minicbor::decode::Error::message("not an address"))
    }
}

fn decode_addresses<C>(d: &mut minicbor::Decoder<'_>, c: &mut C) -> Result<Vec<Address>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::ADDRESSES)
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invite").field("expires_at", &self.expires_at).field("uses", &self.uses).finish_non_exhaustive()
    }
}

impl Invite {
    /// Reads the payload of a link.
    ///
    /// # Errors
    /// [`DecodeError`], also for an unknown version or another network.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let invite: Self = codec::from_cbor_canonical("invite", payload, limits::INVITE_LINK)?;
        if invite.version != VERSION {
            return Err(DecodeError::UnknownVersion { what: "invite", found: invite.version.into() });
        }
        if invite.network != NETWORK {
            return Err(DecodeError::UnknownKind { what: "network of the invite", found: invite.network.into() });
        }
        Ok(invite)
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::to_cbor(self)
    }
}

/// A whole link: `kinfolk:` and base64url (RFC 4648 section 5, without padding) of a [`Signed`] invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteLink {
    /// The invite as it was signed.
    pub signed: Signed,
}

/// Why a text is no link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InviteLinkError {
    /// It does not begin as one.
    #[error("an invite link begins with {SCHEME}; copy the whole line you were sent")]
    Scheme,
    /// It is longer than any link.
    #[error("an invite link has at most {limit} characters, this one has {found}", limit = limits::INVITE_LINK)]
    TooLong {
        /// Its characters.
        found: usize,
    },
    /// It was cut or altered on the way.
    #[error("this invite link is damaged or incomplete; ask for it to be sent again")]
    Damaged(#[from] DecodeError),
}

impl FromStr for InviteLink {
    type Err = InviteLinkError;

    fn from_str(text: &str) -> Result<Self, InviteLinkError> {
        let text = text.trim();
        let encoded = text.strip_prefix(SCHEME).ok_or(InviteLinkError::Scheme)?;
        if text.len() > limits::INVITE_LINK {
            return Err(InviteLinkError::TooLong { found: text.len() });
        }
        let bytes =
            BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| DecodeError::Malformed { what: "invite link" })?;
        Ok(Self { signed: codec::from_cbor_canonical("invite link", &bytes, limits::INVITE_LINK)? })
    }
}

impl fmt::Display for InviteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", BASE64URL_NOPAD.encode(&self.signed.encode()))
    }
}
