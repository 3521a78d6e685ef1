//! A line of a witness's log, and what of it is still to be written.

use std::collections::BTreeMap;

use kinfolk_wire::codec::{DecodeError, from_cbor, to_cbor};
use kinfolk_wire::ids::{CurrencyId, PolicyHash};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

use super::shelf::{Position, Shelf};
use crate::account::Record;
use crate::chain::KeptState;
use crate::checkpoint::GenuineCheckpoint;
use crate::equivocation::EquivocationProof;
use crate::limits;
use crate::policy::SignedPolicy;
use crate::recovery::SignedReport;
use crate::slot::held::VoteLog;
use crate::vote::Receipt;

/// What a witness writes down. Everything else that it keeps follows from these, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[allow(clippy::large_enum_variant, reason = "one at a time, on its way to bytes or from them")]
pub enum Line {
    /// It serves this currency, of which this is the first policy, from now on.
    #[n(0)]
    Policy(#[n(0)] SignedPolicy),
    /// What it is about to say.
    #[n(1)]
    Vote(#[n(0)] Record),
    /// An entry that is final, whose certificate it has verified.
    #[n(2)]
    Certified(#[n(0)] Receipt),
    /// Two entries for one place by one writer, both verified.
    #[n(3)]
    Proof(#[n(0)] EquivocationProof),
    /// More witnesses of this currency are faulty than it bears: it is served no more.
    #[n(4)]
    Broken(#[n(0)] CurrencyId),
    /// It votes in this epoch no more, and endorses this policy after it and no other.
    #[n(5)]
    Closed {
        /// Of which currency.
        #[n(0)]
        currency: CurrencyId,
        /// Which epoch.
        #[n(1)]
        epoch: u32,
        /// The policy after it.
        #[n(2)]
        policy: PolicyHash,
    },
    /// This policy is in force, and the epoch before it is over.
    #[n(6)]
    Next {
        /// Of which currency.
        #[n(0)]
        currency: CurrencyId,
        /// The policy, with its endorsements.
        #[n(1)]
        policy: SignedPolicy,
    },
    /// Closing reports by which a chain was crossed, all verified.
    #[n(7)]
    Crossed(#[n(0)] Vec<SignedReport>),
    /// A checkpoint that was run, or that a chain was gone on with: what stands for everything of the chain before it.
    #[n(8)]
    Base(#[n(0)] Receipt, #[n(1)] KeptState),
    /// An entry that is cited by one that was voted for, and is kept for that alone; its chain has gone on.
    #[n(9)]
    Cited(#[n(0)] Receipt),
    /// The lines before this one are those that were needed of another log.
    #[n(10)]
    Compacted(#[n(0)] Compacted),
}

/// What was left of a log, and what it counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Compacted {
    /// When.
    #[n(0)]
    pub at: Timestamp,
    /// The size of the log before, in bytes.
    #[n(1)]
    pub before: u64,
    /// Lines that were let go.
    #[n(2)]
    pub dropped: u64,
    /// Accounts, entries and votes that the witness had counted.
    #[n(3)]
    pub(super) accounts: u64,
    #[n(4)]
    pub(super) entries: u64,
    #[n(5)]
    pub(super) votes: u64,
}

impl Line {
    /// Reads a line of one's own log, of at most [`limits::MESSAGE`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor("line of a witness's log", bytes, limits::MESSAGE)
    }

    /// The bytes in the log.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// The line of a checkpoint.
    pub(super) fn base(checkpoint: &GenuineCheckpoint) -> Self {
        Self::Base(checkpoint.certified().receipt(), KeptState::of(checkpoint.state()))
    }
}

/// The checkpoint that a line of one's own log has.
pub(super) fn checkpoint_of(receipt: Receipt, kept: KeptState) -> GenuineCheckpoint {
    let header = *receipt.entry.header();
    let state = Box::new(kept.within(header.currency, header.chain));
    GenuineCheckpoint::verified_before(receipt.verified_before(), state)
}

/// A line that an answer stands on, and where the log has it if it was written before: that it is known where it stands
/// is what proves that it need not be written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) line: Line,
    pub(super) at: Option<Position>,
}

/// The log of one batch: one append for all that is not in it yet.
pub(super) struct Writing<'a, S> {
    pub(super) shelf: &'a mut S,
    /// What was written now, in order, and where it stands.
    pub(super) written: Vec<(Line, Position)>,
}

impl<S: Shelf> VoteLog<Kept> for Writing<'_, S> {
    type Error = S::Error;

    fn append(&mut self, records: &[Kept]) -> Result<(), S::Error> {
        let mut seen = BTreeMap::new();
        let mut lines = Vec::new();
        let mut kept = Vec::new();
        for Kept { line, at } in records {
            if at.is_some() {
                continue;
            }
            let bytes = line.encode();
            if seen.insert(bytes.clone(), ()).is_none() {
                lines.push(bytes);
                kept.push(line.clone());
            }
        }
        if !lines.is_empty() {
            let positions = self.shelf.append(&lines)?;
            self.written.extend(kept.into_iter().zip(positions));
        }
        Ok(())
    }
}
