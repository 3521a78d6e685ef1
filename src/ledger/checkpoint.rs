//! A certified checkpoint with the state that it names (docs/protocol/11-ledger.md, section 13): together they stand for
//! everything before them on their chain, as an inception stands for a chain that begins.
//!
//! Nobody's word is needed for it. The entry names the hash of the state, a quorum signed the entry, and each honest
//! witness in it had run every entry before: so the state is what those entries give, whoever brings it.

use kinfolk_wire::codec::to_cbor;
use minicbor::{Decode, Encode};

use crate::chain::ChainState;
use crate::entry::Ctl;
use crate::limits;
use crate::policy::{LoadedPolicy, Policies};
use crate::signature::Unverified;
use crate::vote::{CertError, CertifiedEntry, Receipt};

/// A checkpoint as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Checkpoint {
    /// The entry that is one, and its certificate.
    #[n(0)]
    pub receipt: Receipt,
    /// The chain before that entry.
    #[n(1)]
    pub state: Box<ChainState>,
}

/// Why something is no checkpoint, whoever signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The entry is none.
    #[error("the entry is no checkpoint")]
    Entry,
    /// The entry names another state.
    #[error("the checkpoint names another state than the one that came along")]
    State,
    /// The entry is not certified.
    #[error(transparent)]
    Cert(#[from] CertError),
}

/// A checkpoint whose certificate was verified, with the state that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenuineCheckpoint {
    certified: CertifiedEntry,
    state: Box<ChainState>,
}

impl Checkpoint {
    /// The place of the entry in its chain.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.receipt.entry.header().seq
    }

    /// The bytes, as in an answer.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Whether it fits into an answer of a witness and into a line of its log: an account that was paid by more than
    /// some thousand others has a state that does not, and is never pruned.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.encode().len() <= limits::CHECKPOINT
    }

    /// The checkpoint as far as its certificate is genuine, where the policy of that one's epoch is known.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify_among(self, policies: &Policies) -> Result<Unverified<GenuineCheckpoint>, CheckpointError> {
        let policy = policies.at(self.receipt.cert.epoch).ok_or(CertError::Elsewhere)?;
        self.verify(policy)
    }

    /// The checkpoint as far as its certificate is genuine.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(self, policy: &LoadedPolicy) -> Result<Unverified<GenuineCheckpoint>, CheckpointError> {
        let Self { receipt, state } = self;
        let Some(Ctl::Checkpoint { state_root }) = receipt.entry.body().ctl else {
            return Err(CheckpointError::Entry);
        };
        // The state has the currency, the chain, the place and the entry before in it, so that its hash says which it is;
        // the header is compared all the same, since it is the header that others go by.
        let position = receipt.entry.header().position();
        if state.root() != state_root || state.next_position(position.epoch) != position {
            return Err(CheckpointError::State);
        }
        Ok(receipt.verify(policy)?.map(|certified| GenuineCheckpoint { certified, state }))
    }
}

impl GenuineCheckpoint {
    /// One that was verified before it was written down here, or that came of running the entry.
    pub(crate) const fn verified_before(certified: CertifiedEntry, state: Box<ChainState>) -> Self {
        Self { certified, state }
    }

    /// The entry.
    #[must_use]
    pub const fn certified(&self) -> &CertifiedEntry {
        &self.certified
    }

    /// The chain before it.
    #[must_use]
    pub const fn state(&self) -> &ChainState {
        &self.state
    }

    /// Both, as they travel.
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { receipt: self.certified.receipt(), state: self.state.clone() }
    }

    pub(crate) fn into_parts(self) -> (CertifiedEntry, Box<ChainState>) {
        (self.certified, self.state)
    }
}
