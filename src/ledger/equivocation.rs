//! Proofs that somebody signed two things of which they may sign one. They need no witness and convince everybody.

use kinfolk_wire::codec::{DecodeError, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::Vk;
use minicbor::{Decode, Encode};

use crate::entry::SignedHeader;
use crate::limits;
use crate::policy::LoadedPolicy;
use crate::signature::Unverified;
use crate::vote::Vote;

/// Two signatures that exclude each other.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum EquivocationProof {
    /// A writer signed two entries for one place of a chain.
    #[n(0)]
    Writer(#[n(0)] SignedHeader, #[n(1)] SignedHeader),
    /// A witness voted for two entries in one phase of one ballot of a slot.
    #[n(1)]
    Witness(#[n(0)] Vote, #[n(1)] Vote),
}

/// Why something is no proof, whoever signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Both are the same, or of different places, writers, witnesses, ballots or phases.
    #[error("the two do not exclude each other")]
    Compatible,
    /// The policy has no such witness, currency or epoch.
    #[error("the proof is about a witness that this policy does not have")]
    UnknownWitness,
}

/// A proof whose both signatures were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenuineProof(EquivocationProof);

impl GenuineProof {
    /// The proof.
    #[must_use]
    pub const fn proof(&self) -> &EquivocationProof {
        &self.0
    }
}

impl EquivocationProof {
    /// Reads a proof.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("proof of two signatures", bytes, limits::MESSAGE)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// The proof as far as both signatures are genuine. `writer` is the key that the headers' `key_seq` names, which
    /// follows from the chain; of a witness's votes the policy has the key.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn unverified(self, writer: &Vk, policy: &LoadedPolicy) -> Result<Unverified<GenuineProof>, ProofError> {
        match &self {
            Self::Writer(one, other) => {
                let place = |signed: &SignedHeader| {
                    let header = signed.header;
                    (header.currency, header.chain, header.seq, header.key_seq)
                };
                if place(one) != place(other) || one.header.hash() == other.header.hash() {
                    return Err(ProofError::Compatible);
                }
                let both = two(one.unverified(writer), &other.unverified(writer));
                Ok(both.map(|()| GenuineProof(self)))
            }
            Self::Witness(one, other) => {
                let place = |vote: &Vote| {
                    let statement = vote.statement;
                    (vote.witness, statement.slot, statement.ballot, statement.phase)
                };
                if place(one) != place(other) || one.statement.entry == other.statement.entry {
                    return Err(ProofError::Compatible);
                }
                let one = one.unverified(policy).ok_or(ProofError::UnknownWitness)?;
                let other = other.unverified(policy).ok_or(ProofError::UnknownWitness)?;
                Ok(two(one, &other).map(|()| GenuineProof(self)))
            }
        }
    }
}

fn two<T: Clone>(one: Unverified<T>, other: &Unverified<T>) -> Unverified<()> {
    one.map(|_| ()).and(other)
}
