//! What is gossiped of a currency (docs/protocol/11-ledger.md, section 11): how far chains have come, and who was caught
//! signing two things. Whoever has the policy can check either, alone and at once, and passes on nothing else.
//!
//! A [`Head`] has no amounts and no names, and no signature of its writer, which only some could check: what cannot be
//! checked could be altered, and each alteration would be news. An [`Exposure`] brings the certified entry that says whose
//! key it is, without its writer's approval for the same reason: so there is one to be had only of accounts that witnesses
//! have opened, and nobody can make up millions.

use kinfolk_wire::codec::{DecodeError, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::{CurrencyId, Vk};
use minicbor::{Decode, Encode};

use crate::chain::ChainState;
use crate::checkpoint::Checkpoint;
use crate::entry::{Body, Ctl, Header};
use crate::equivocation::{EquivocationProof, GenuineProof, ProofError};
use crate::limits;
use crate::policy::LoadedPolicy;
use crate::signature::Unverified;
use crate::vote::{Cert, CertError, Receipt};

/// What a currency's gossip is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// [`Head`]s.
    Heads,
    /// [`Exposure`]s.
    Proofs,
}

impl About {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Heads, Self::Proofs];

    /// The topic's name, without what the network puts before it: `ledger/`, the currency in lower-case hexadecimal, and
    /// `/heads` or `/proofs`.
    #[must_use]
    pub fn topic(self, currency: CurrencyId) -> String {
        let kind = match self {
            Self::Heads => "heads",
            Self::Proofs => "proofs",
        };
        format!("ledger/{currency}/{kind}")
    }
}

/// The last certified entry of a chain, without what it says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Head {
    /// The entry's header.
    #[n(0)]
    pub header: Header,
    /// Its certificate.
    #[n(1)]
    pub cert: Cert,
}

/// A head whose certificate was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenuineHead(Head);

impl GenuineHead {
    /// The head.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.0
    }
}

impl Head {
    /// The head that a receipt shows.
    #[must_use]
    pub fn of(receipt: &Receipt) -> Self {
        Self { header: *receipt.entry.header(), cert: receipt.cert.clone() }
    }

    /// Reads a head of at most [`limits::GOSSIP`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("head of a chain", bytes, limits::GOSSIP)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// The head as far as its certificate is genuine.
    ///
    /// # Errors
    /// [`CertError`].
    pub fn unverified(self, policy: &LoadedPolicy) -> Result<Unverified<GenuineHead>, CertError> {
        let (header, cert) = (self.header, self.cert.clone());
        cert.over(&header, policy, GenuineHead(self))
    }
}

/// A certified entry that says which key is the chain's: the one that opened it or handed it over, or a checkpoint after
/// that.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Naming {
    /// The entry's header.
    #[n(0)]
    pub header: Header,
    /// Its body.
    #[n(1)]
    pub body: Body,
    /// Its certificate.
    #[n(2)]
    pub cert: Cert,
    /// The state before it, where it is a checkpoint: that says whose key it is.
    #[n(3)]
    pub state: Option<Box<ChainState>>,
}

impl Naming {
    /// What a receipt says of a key; nothing if its entry names none.
    #[must_use]
    pub fn of(receipt: &Receipt) -> Option<Self> {
        let (header, body) = (*receipt.entry.header(), receipt.entry.body().clone());
        let naming = Self { header, body, cert: receipt.cert.clone(), state: None };
        naming.key().is_some().then_some(naming)
    }

    /// What a checkpoint says of a key.
    #[must_use]
    pub fn of_checkpoint(checkpoint: Checkpoint) -> Option<Self> {
        let Checkpoint { receipt, state } = checkpoint;
        let (header, body) = (*receipt.entry.header(), receipt.entry.body().clone());
        let naming = Self { header, body, cert: receipt.cert, state: Some(state) };
        naming.key().is_some().then_some(naming)
    }

    /// The key, and how many the chain had before it.
    #[must_use]
    pub fn key(&self) -> Option<(Vk, u32)> {
        match (&self.body.ctl, &self.state) {
            (Some(Ctl::Open(inception)), None) => Some((inception.writer, 0)),
            (Some(Ctl::Rotate { writer, .. }), None) => Some((*writer, self.header.key_seq.checked_add(1)?)),
            (Some(Ctl::Checkpoint { state_root }), Some(state)) if state.root() == *state_root => {
                Some((state.keys().writer, state.keys().key_seq))
            }
            _ => None,
        }
    }
}

/// A proof against a writer, and whose key signed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Exposure {
    /// Two signed headers for one place.
    #[n(0)]
    pub proof: EquivocationProof,
    /// What made that key the chain's.
    #[n(1)]
    pub key: Naming,
}

/// Why something is no exposure, whoever signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExposureError {
    /// Not about a writer of this currency.
    #[error("the proof is not about a writer of this currency")]
    Elsewhere,
    /// The entry does not say whose key it is.
    #[error("the entry that comes along does not name the key that signed")]
    Key,
    /// No proof.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The entry is not certified.
    #[error(transparent)]
    Cert(#[from] CertError),
}

impl Exposure {
    /// Reads an exposure of at most [`limits::GOSSIP`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("exposure of a writer", bytes, limits::GOSSIP)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// The proof as far as its signatures and the certificate of the entry are genuine.
    ///
    /// # Errors
    /// [`ExposureError`].
    pub fn unverified(self, policy: &LoadedPolicy) -> Result<Unverified<GenuineProof>, ExposureError> {
        let EquivocationProof::Writer(one, _) = &self.proof else { return Err(ExposureError::Elsewhere) };
        let (header, named) = (one.header, self.key.header);
        if header.currency != policy.currency() {
            return Err(ExposureError::Elsewhere);
        }
        let (writer, key_seq) = self.key.key().ok_or(ExposureError::Key)?;
        if named.chain != header.chain || key_seq != header.key_seq || named.body != self.key.body.hash() {
            return Err(ExposureError::Key);
        }
        let certified = self.key.cert.over(&named, policy, ())?;
        Ok(self.proof.unverified(&writer, policy)?.and(&certified))
    }
}
