//! What people tell each other of mailboxes: where to leave things for them, and what a host gives to whom it serves.

use minicbor::{Decode, Encode};

use crate::ids::{GroupElement, PeerId};
use crate::mailbox::{Host, Token};
use crate::{codec, limits};

/// Where to leave what is for the sender while they are away, and tokens to do so. Replaces what was said before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Mailboxes {
    /// At most [`limits::MAILBOX_HOSTS`].
    #[n(0)]
    #[cbor(decode_with = "decode_hosts")]
    pub hosts: Vec<Host>,
    /// Tokens for the recipient alone, added to those it has; at most [`limits::MAILBOX_HOSTS`] entries.
    #[n(1)]
    #[cbor(decode_with = "decode_shares")]
    pub tokens: Vec<TokenShare>,
    /// Greater in each such word than in the one before it: one with a smaller number than is known came late, and only
    /// its tokens count.
    #[n(2)]
    pub version: u64,
}

/// Tokens of one host.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokenShare {
    /// The host.
    #[n(0)]
    pub peer: PeerId,
    /// At most [`limits::TOKENS_AT_ONCE`].
    #[n(1)]
    #[cbor(decode_with = "decode_tokens")]
    pub tokens: Vec<Token>,
}

/// The sender's node serves as a mailbox for the recipient, or no longer does.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Serving {
    /// Where; none where it no longer does.
    #[n(0)]
    pub host: Option<Host>,
    /// The key under which it issues tokens now.
    #[n(1)]
    pub epoch: u32,
    /// The public half of that key: a point of ristretto255.
    #[n(2)]
    pub key: GroupElement,
    /// Greater in each such word than in the one before it.
    #[n(3)]
    pub version: u64,
}

/// Asks the recipient, who serves the sender, to issue tokens (RFC 9497 section 3.3.2, *blinded elements*).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokensWanted {
    /// Under which key.
    #[n(0)]
    pub epoch: u32,
    /// At most [`limits::TOKENS_AT_ONCE`].
    #[n(1)]
    #[cbor(decode_with = "decode_elements")]
    pub blinded: Vec<GroupElement>,
}

/// Tokens that were asked for, in that order, and the proof that all are under the public key.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokensIssued {
    /// Under which key.
    #[n(0)]
    pub epoch: u32,
    /// At most [`limits::TOKENS_AT_ONCE`]; fewer than asked for, or none, where the share is used up.
    #[n(1)]
    #[cbor(decode_with = "decode_elements")]
    pub evaluated: Vec<GroupElement>,
    /// The proof of RFC 9497 section 2.2, `c | s`.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub proof: [u8; 64],
}

pub(crate) fn decode_hosts<C>(d: &mut minicbor::Decoder<'_>, c: &mut C) -> Result<Vec<Host>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::MAILBOX_HOSTS)
}

fn decode_shares<C>(d: &mut minicbor::Decoder<'_>, c: &mut C) -> Result<Vec<TokenShare>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::MAILBOX_HOSTS)
}

fn decode_tokens<C>(d: &mut minicbor::Decoder<'_>, c: &mut C) -> Result<Vec<Token>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::TOKENS_AT_ONCE)
}

fn decode_elements<C>(d: &mut minicbor::Decoder<'_>, c: &mut C) -> Result<Vec<GroupElement>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::TOKENS_AT_ONCE)
}
