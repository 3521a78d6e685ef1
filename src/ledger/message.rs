//! `/kinfolk/ledger/1`: what is asked of a witness, and what it answers (docs/protocol/11-ledger.md, section 10).
//!
//! Questions and answers go over a substream in the same order, each in a frame as mailboxes have it. Whoever wants something
//! certified asks every witness itself; witnesses do not ask one another, but for what one of them has missed. Each
//! question may be asked again, and has the same answer again as long as nothing else has happened at that place.

use kinfolk_wire::codec::{DecodeError, bounded_list, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::{AccountId, CurrencyId, Vk};
use minicbor::{Decode, Decoder, Encode, decode};

use crate::checkpoint::Checkpoint;
use crate::entry::{Entry, SignedHeader};
use crate::escrow::Opening;
use crate::inception::Inception;
use crate::limits;
use crate::policy::{Endorsement, SignedPolicy};
use crate::quorum::WITNESSES;
use crate::recovery::{Recover, SignedReport};
use crate::vote::{PrepCert, Receipt, SlotId, Vote};

/// Policies in one answer.
const EPOCHS: usize = 256;

/// The name of the protocol.
pub const PROTOCOL: &str = "/kinfolk/ledger/1";

/// What is asked of a witness.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[allow(clippy::large_enum_variant, reason = "one at a time, which is taken apart at once")]
pub enum Request {
    /// Which key does it vote with?
    #[n(0)]
    Witness,
    /// Vote fast for an entry.
    #[n(1)]
    Propose {
        /// The entry.
        #[n(0)]
        entry: Entry,
        /// What its claims and refunds name, as far as the witness may lack it: at most [`limits::CITED`]. What does
        /// not fit is brought before, one [`Request::Commit`] each.
        #[n(1)]
        #[cbor(decode_with = "decode_cited")]
        cited: Vec<Receipt>,
    },
    /// Run an entry that is final.
    #[n(2)]
    Commit {
        /// The entry and its certificate.
        #[n(0)]
        receipt: Receipt,
    },
    /// Promise a ballot, and report.
    #[n(3)]
    Recover(#[n(0)] Recover),
    /// Vote to prepare an entry in a ballot.
    #[n(4)]
    Prepare {
        /// The ballot, from 1.
        #[n(0)]
        ballot: u32,
        /// The entry.
        #[n(1)]
        entry: Entry,
        /// Of a quorum or more, for this ballot; at most one of each witness.
        #[n(2)]
        #[cbor(decode_with = "decode_reports")]
        reports: Vec<SignedReport>,
        /// As in [`Request::Propose`].
        #[n(3)]
        #[cbor(decode_with = "decode_cited")]
        cited: Vec<Receipt>,
    },
    /// Lock what a quorum prepared, and vote to commit it.
    #[n(5)]
    Lock {
        /// Of which slot.
        #[n(0)]
        slot: SlotId,
        /// The quorum's votes.
        #[n(1)]
        prepared: PrepCert,
    },
    /// Where does it stand in a chain?
    #[n(6)]
    Head {
        /// The currency.
        #[n(0)]
        currency: CurrencyId,
        /// The chain.
        #[n(1)]
        chain: AccountId,
    },
    /// Entries of a chain, from one place to before another.
    #[n(7)]
    Entries {
        /// The currency.
        #[n(0)]
        currency: CurrencyId,
        /// The chain.
        #[n(1)]
        chain: AccountId,
        /// The first.
        #[n(2)]
        from: u64,
        /// The one after the last; what is more than [`limits::ENTRIES`] after `from` is not answered.
        #[n(3)]
        to: u64,
    },
    /// The policy of a currency.
    #[n(8)]
    Policy {
        /// The currency.
        #[n(0)]
        currency: CurrencyId,
    },
    /// Close the epoch before this policy and endorse it; or, where a quorum has endorsed it, go on with it.
    #[n(9)]
    Succeed {
        /// The currency.
        #[n(0)]
        currency: CurrencyId,
        /// Signed by its issuer, and endorsed by nobody yet or by a quorum.
        #[n(1)]
        policy: SignedPolicy,
    },
    /// What did it last do in a chain, in an epoch that it closed? And what else of that has it been shown?
    #[n(10)]
    Closings {
        /// The currency.
        #[n(0)]
        currency: CurrencyId,
        /// The chain.
        #[n(1)]
        chain: AccountId,
        /// The epoch.
        #[n(2)]
        epoch: u32,
    },
    /// Vote in this chain, whose last entry may be of an epoch before.
    #[n(11)]
    Cross {
        /// How the account begins, where the witness may never have heard of it.
        #[n(0)]
        inception: Option<Inception>,
        /// Closing reports of one epoch, of a quorum or more; at most one of each witness.
        #[n(1)]
        #[cbor(decode_with = "decode_reports")]
        reports: Vec<SignedReport>,
        /// What an escrow chain is, where the witness may have no entry of it.
        #[n(2)]
        opening: Option<Opening>,
    },
    /// The policies of a currency, from an epoch on.
    #[n(12)]
    Policies {
        /// The currency.
        #[n(0)]
        currency: CurrencyId,
        /// The first that is asked for.
        #[n(1)]
        from: u32,
    },
    /// What has it voted for at its next place in a chain? Whoever recovers an account completes that.
    #[n(13)]
    Pending {
        /// The currency.
        #[n(0)]
        currency: CurrencyId,
        /// The chain.
        #[n(1)]
        chain: AccountId,
    },
    /// Go on from a checkpoint, whose state stands for all entries before it: where those are nowhere to be had any more.
    #[n(20)]
    Adopt(#[n(0)] Checkpoint),
}

/// What a witness answers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[allow(clippy::large_enum_variant, reason = "one at a time, which is taken apart at once")]
pub enum Reply {
    /// The key that it votes with, by which a policy names it.
    #[n(0)]
    Witness {
        /// The key.
        #[n(0)]
        vk: Vk,
    },
    /// Its vote: fast, to prepare or to commit, as it was asked.
    #[n(1)]
    Vote(#[n(0)] Vote),
    /// It has voted for another entry of this place. With the header that it was asked to vote for that is a proof.
    #[n(2)]
    Conflict {
        /// The entry that it voted for, as its writer signed it.
        #[n(0)]
        first: SignedHeader,
    },
    /// What it did at this place before it promised the ballot.
    #[n(3)]
    Report(#[n(0)] SignedReport),
    /// The entry is known here, or waits for those before it.
    #[n(4)]
    Ack {
        /// The next place of that chain here.
        #[n(0)]
        next: u64,
    },
    /// Where it stands in a chain; at 0, with nothing, if it knows none of it.
    #[n(5)]
    Head {
        /// The next place.
        #[n(0)]
        next: u64,
        /// The last entry.
        #[n(1)]
        last: Option<Receipt>,
    },
    /// Entries that follow one another, the first that was asked for first: as many as there are, as were asked for, and
    /// as fit into an answer, at most [`limits::ENTRIES`].
    #[n(6)]
    Entries(
        #[n(0)]
        #[cbor(decode_with = "decode_entries")]
        Vec<Receipt>,
    ),
    /// The policy.
    #[n(7)]
    Policy(#[n(0)] SignedPolicy),
    /// It does not do that.
    #[n(8)]
    Refused(#[n(0)] Reason),
    /// The policy is known, and may be in force.
    #[n(9)]
    Succeeded {
        /// The epoch of the policy in force here.
        #[n(0)]
        epoch: u32,
        /// By this witness, if it votes under the policy before and has endorsed no other.
        #[n(1)]
        endorsement: Option<Endorsement>,
    },
    /// Closing reports of a chain: its own first, if it has one, then those that it was shown, as many as fit.
    #[n(10)]
    Closings(
        #[n(0)]
        #[cbor(decode_with = "decode_closings")]
        Vec<SignedReport>,
    ),
    /// Policies that follow one another, the first that was asked for first, as many as there are and fit.
    #[n(11)]
    Policies(
        #[n(0)]
        #[cbor(decode_with = "decode_policies")]
        Vec<SignedPolicy>,
    ),
    /// What it has voted for where it stands.
    #[n(12)]
    Pending {
        /// The next place.
        #[n(0)]
        next: u64,
        /// Entries of that place that it has voted for, at most [`limits::PENDING`].
        #[n(1)]
        #[cbor(decode_with = "decode_pending")]
        entries: Vec<Entry>,
    },
    /// To who asked for entries that were let go: a checkpoint after them, whose state stands for them.
    #[n(20)]
    Checkpoint(#[n(0)] Checkpoint),
}

/// Why a witness does not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Reason {
    /// It serves no such currency.
    #[n(0)]
    NotServed,
    /// It does not know whose account that is.
    #[n(1)]
    Unknown,
    /// It stands at another place of the chain. If that is before the place that was meant, it lacks entries: bring
    /// them and ask again.
    #[n(2)]
    Elsewhere {
        /// The next place here.
        #[n(0)]
        next: u64,
    },
    /// What is claimed or refunded did not come along, and is not here.
    #[n(3)]
    NotCited {
        /// Whose entry.
        #[n(0)]
        chain: AccountId,
        /// Which.
        #[n(1)]
        seq: u64,
    },
    /// Not now: more than the policy lets an account do, or more than the witness can do.
    #[n(4)]
    Later {
        /// How long to wait, in seconds.
        #[n(0)]
        seconds: u32,
    },
    /// Two entries may have been certified here; only the certificate of one ends that.
    #[n(5)]
    Frozen,
    /// It takes part in no ballot below that one: a recovery is under way.
    #[n(6)]
    Promised {
        /// The ballot.
        #[n(0)]
        ballot: u32,
    },
    /// It takes part in nothing of another epoch than this, or of this no more, or is not named by its policy. Bring it
    /// the policies that it lacks, or ask for those that there are.
    #[n(8)]
    Epoch {
        /// The epoch of the last policy that is in force here.
        #[n(0)]
        present: u32,
    },
    /// It has not seen closing reports of this chain and epoch: bring them.
    #[n(9)]
    NotCrossed {
        /// The first epoch of which they are missing.
        #[n(0)]
        epoch: u32,
    },
    /// What is wrong, in words: at most [`limits::WORDS`] bytes. [`Reason::invalid`] cuts what is longer.
    #[n(7)]
    Invalid(
        #[n(0)]
        #[cbor(decode_with = "decode_words")]
        String,
    ),
}

fn decode_cited<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<Receipt>, decode::Error> {
    bounded_list(d, c, limits::CITED)
}

fn decode_reports<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<SignedReport>, decode::Error> {
    bounded_list(d, c, WITNESSES)
}

fn decode_closings<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<SignedReport>, decode::Error> {
    bounded_list(d, c, WITNESSES.saturating_add(1))
}

fn decode_policies<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<SignedPolicy>, decode::Error> {
    bounded_list(d, c, EPOCHS)
}

fn decode_entries<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<Receipt>, decode::Error> {
    bounded_list(d, c, limits::ENTRIES)
}

fn decode_pending<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<Entry>, decode::Error> {
    bounded_list(d, c, limits::PENDING)
}

fn decode_words<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<String, decode::Error> {
    let words = d.str()?;
    if words.len() > limits::WORDS {
        return Err(decode::Error::message("too many words"));
    }
    Ok(words.to_owned())
}

impl Request {
    /// Reads a question of at most [`limits::MESSAGE`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("question to a witness", bytes, limits::MESSAGE)
    }

    /// The body of its frame. Whoever builds one sees to it that it is at most [`limits::MESSAGE`] bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }
}

impl Reply {
    /// Reads an answer of at most [`limits::MESSAGE`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("answer of a witness", bytes, limits::MESSAGE)
    }

    /// The body of its frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }
}

impl Reason {
    /// What is wrong, cut to [`limits::WORDS`] bytes.
    #[must_use]
    pub fn invalid(what: impl ToString) -> Self {
        let mut words = what.to_string();
        words.truncate(words.floor_char_boundary(limits::WORDS));
        Self::Invalid(words)
    }
}
