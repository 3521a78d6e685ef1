//! A payment that no witness has certified yet, and what its payee can know of it (docs/protocol/12-wallet.md, "Payments
//! without witnesses").
//!
//! # What is lost at most, and why never more
//!
//! A [`Promise`] is a signed entry with everything that a witness would need to vote for it: the state of the payer's
//! chain after an entry that a quorum has certified (the *base*: its checkpoint names the hash of the state before it),
//! the entries that were signed since, and the receipts of what these claim. [`Promise::judge`] does with it what a
//! witness does, by the same function ([`rules::validate`](crate::rules::validate)): nothing but the policy is needed.
//!
//! 1. *What is sound becomes final, if its writer signed nothing else.* The base is certified, so every correct witness
//!    comes to the state after it, and to no other (slot/mod.rs). On that state the entries are good one after the other,
//!    and a correct witness that has voted for no other entry of these places votes for them. Anybody may bring them, so
//!    the payer cannot keep it from becoming final by going away. What can: a second entry for one of the places by the
//!    same key, which with the first is a proof against its writer; or the account's recovery quorum. Both are the payer's
//!    own keys. Witnesses that stay away delay it.
//! 2. *So what is lost is lost by the payer's doing, and it is bounded before it is taken.* [`Promise::judge`] refuses a
//!    payment above `payment` of the policy's [`Caps`](crate::policy::Caps), and one that makes, with all that this payer
//!    promised this payee before and that is not final, more than `outstanding`. What was lost never becomes final and
//!    counts for ever. Whatever one payer signs, one payee therefore has never more than `outstanding` that is not final,
//!    and loses no more.
//! 3. *Nobody else loses by it.* What is promised is no balance and is not claimed before its certificate is there, so
//!    no payment stands on it but the payer's own.
//! 4. *Several payees.* A payer can promise the same money to payees that hear of one another only later. Each of them
//!    loses at most `outstanding`: all together, `outstanding` for each that was cut off from the witnesses at the time.
//!    No protocol prevents that while they are cut off. The two signatures meet at the first witness that sees both.
//!
//! `chained` bounds how many entries must all be certified before this one is, `proof_age` how long ago the base was
//! certified: a writer's clock that is ahead is found out by witnesses (rules.rs), so an entry is younger than it says by
//! five minutes at most.

use std::collections::BTreeMap;

use kinfolk_wire::codec::{self, DecodeError, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::{AccountId, NoteHash, Vk};
use kinfolk_wire::time::{Span, Timestamp};
use minicbor::{Decode, Decoder, Encode, decode};

use crate::amount::Amount;
use crate::chain::ChainState;
use crate::entry::{Approval, Claim, Class, Ctl, Destination, Entry, OutRef, SignedHeader};
use crate::equivocation::EquivocationProof;
use crate::limits;
use crate::policy::LoadedPolicy;
use crate::rules::{NotValid, validate};
use crate::vote::{CertifiedEntry, Receipt, Statement, Vote};

/// A signed entry that is not certified, and what lets its payee judge it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Promise {
    /// The state before the base; absent where the base opens the account.
    #[n(0)]
    pub state: Option<ChainState>,
    /// The last entry that is certified: it opens the account, or its checkpoint names that state.
    #[n(1)]
    pub base: Receipt,
    /// What was signed since, in its order, at most [`limits::PROMISED`]; the last is the payment.
    #[n(2)]
    #[cbor(decode_with = "decode_entries")]
    pub entries: Vec<Entry>,
    /// The receipts of what they claim, at most [`limits::PROMISED_RECEIPTS`].
    #[n(3)]
    #[cbor(decode_with = "decode_receipts")]
    pub cited: Vec<Receipt>,
    /// Votes for the first of them, by witness ascending, at most [`WITNESSES`](crate::quorum::WITNESSES).
    #[n(4)]
    #[cbor(decode_with = "decode_votes")]
    pub votes: Vec<Vote>,
}

fn decode_entries<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<Entry>, decode::Error> {
    codec::bounded_list(d, c, limits::PROMISED)
}

fn decode_receipts<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<Receipt>, decode::Error> {
    codec::bounded_list(d, c, limits::PROMISED_RECEIPTS)
}

fn decode_votes<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<Vote>, decode::Error> {
    codec::bounded_list(d, c, crate::quorum::WITNESSES)
}

/// By what a promise is judged, beside itself.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The currency.
    pub policy: &'a LoadedPolicy,
    /// The account that is to be paid.
    pub payee: AccountId,
    /// Smallest units that this payer has promised this payee before and that are not final.
    pub outstanding: u64,
    /// What the payee knows of the payer's chain.
    pub known: &'a [SignedHeader],
    /// By the payee's clock.
    pub now: Timestamp,
}

/// A promise that is good as far as anybody can know who sees its payer only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    promise: Promise,
    writers: Vec<Vk>,
    claims: Vec<Claim>,
    class: Class,
    amount: Amount,
    invoice: Option<NoteHash>,
}

/// Why a promise is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// More than is taken of one payment.
    #[error("of one payment {most} smallest units are taken without witnesses, this is {found}")]
    Payment {
        /// The policy's cap.
        most: Amount,
        /// The payment.
        found: u64,
    },
    /// More than one payer may have outstanding.
    #[error("of one payer {most} smallest units are taken without witnesses, with this it would be {found}")]
    Outstanding {
        /// The policy's cap.
        most: Amount,
        /// With this payment.
        found: u64,
    },
    /// Too many entries without a certificate, or none.
    #[error("{most} entries in a row are taken without a certificate, these are {found}")]
    Chained {
        /// The policy's cap.
        most: u8,
        /// The entries.
        found: usize,
    },
    /// The base is too old.
    #[error("what the payer had was certified {found:?} ago, {most:?} at most are taken")]
    ProofAge {
        /// The policy's cap.
        most: Span,
        /// Its age.
        found: Span,
    },
    /// The base is not certified by the witnesses of this policy.
    #[error("what the payment stands on is not certified")]
    NotCertified,
    /// The base names no state, or another one.
    #[error("the last certified entry does not tell what the payer has")]
    State,
    /// An entry that its writer did not sign.
    #[error("an entry is not signed by the account's writer")]
    Approval,
    /// An entry that a witness would not vote for.
    #[error(transparent)]
    NotValid(#[from] NotValid),
    /// A receipt that is none.
    #[error("the receipt of something that is claimed is none")]
    Cited,
    /// A vote that is none, or not for the first entry.
    #[error("a vote is none")]
    Votes,
    /// The last entry does not pay this account, or not in one class for one invoice, or is something else than a payment.
    #[error("the entry does not pay this account")]
    NotPaid,
    /// Its writer signed another entry for one of these places.
    #[error("the payer signed another entry for the same place")]
    Conflict(Box<EquivocationProof>),
    /// The payee knows that the chain went on in another way.
    #[error("the payer's account has gone on in another way")]
    GoneOn,
}

impl Promise {
    /// Reads a promise of at most [`limits::PROMISE`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("promise", bytes, limits::PROMISE)
    }

    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Judges it whole, by the policy alone.
    ///
    /// # Errors
    /// [`Unsound`], naming the first thing that is wrong.
    pub fn judge(self, by: &Judge<'_>) -> Result<Sound, Unsound> {
        let caps = by.policy.policy().offline;
        let found = self.entries.len();
        if found == 0 || found > usize::from(caps.chained) {
            return Err(Unsound::Chained { most: caps.chained, found });
        }
        let mut state = self.footing(by)?;
        let age = by.now.since(self.base.entry.body().ts);
        if age > caps.proof_age {
            return Err(Unsound::ProofAge { most: caps.proof_age, found: age });
        }
        let cited = self.certified(by.policy)?;
        let mut writers = Vec::with_capacity(found);
        for entry in &self.entries {
            let writer = state.keys().writer;
            let Approval::Writer(_) = entry.approval() else { return Err(Unsound::Approval) };
            let approved = entry.clone().approved_by(&writer, state.recovery()).ok_or(Unsound::Approval)?;
            let approved = approved.verify().map_err(|_| Unsound::Approval)?;
            compare(entry, &writer, by)?;
            let change = validate(&state, &approved, by.policy, &cited, Some(by.now))?;
            state.apply(change, entry.body());
            writers.push(writer);
        }
        self.check_votes(by.policy)?;
        let Paid { claims, class, amount, invoice } = self.paid(by.payee)?;
        if amount > caps.payment {
            return Err(Unsound::Payment { most: caps.payment, found: amount.units() });
        }
        let sum = by.outstanding.saturating_add(amount.units());
        if sum > caps.outstanding.units() {
            return Err(Unsound::Outstanding { most: caps.outstanding, found: sum });
        }
        Ok(Sound { promise: self, writers, claims, class, amount, invoice })
    }

    /// The state after the base.
    fn footing(&self, by: &Judge<'_>) -> Result<ChainState, Unsound> {
        let base = &self.base.entry;
        let unverified = self.base.clone().verify(by.policy).map_err(|_| Unsound::NotCertified)?;
        unverified.verify().map_err(|_| Unsound::NotCertified)?;
        let mut state = match (&self.state, &base.body().ctl) {
            (None, Some(Ctl::Open(_))) => ChainState::before(base, by.policy).map_err(NotValid::from)?,
            (Some(state), Some(Ctl::Checkpoint { state_root })) if state.root() == *state_root => state.clone(),
            _ => return Err(Unsound::State),
        };
        // The certificate does not say who signed the base. That is looked at as well, so that not one byte is free.
        let writer = state.keys().writer;
        let approved = base.clone().approved_by(&writer, state.recovery()).ok_or(Unsound::Approval)?;
        approved.verify().map_err(|_| Unsound::Approval)?;
        compare(base, &writer, by)?;
        let change = state.try_entry(base, by.policy).map_err(NotValid::from)?;
        state.apply(change, base.body());
        Ok(state)
    }

    fn certified(&self, policy: &LoadedPolicy) -> Result<BTreeMap<(AccountId, u64), CertifiedEntry>, Unsound> {
        let mut cited = BTreeMap::new();
        for receipt in &self.cited {
            let unverified = receipt.clone().verify(policy).map_err(|_| Unsound::Cited)?;
            let certified = unverified.verify().map_err(|_| Unsound::Cited)?;
            let header = certified.entry().header();
            cited.insert((header.chain, header.seq), certified);
        }
        Ok(cited)
    }

    fn check_votes(&self, policy: &LoadedPolicy) -> Result<(), Unsound> {
        let first = self.entries.first().ok_or(Unsound::Votes)?;
        let mut before = None;
        for vote in &self.votes {
            let is_next = before.is_none_or(|before| before < vote.witness);
            if !is_next || vote.statement != Statement::fast(first) {
                return Err(Unsound::Votes);
            }
            vote.unverified(policy).ok_or(Unsound::Votes)?.verify().map_err(|_| Unsound::Votes)?;
            before = Some(vote.witness);
        }
        Ok(())
    }

    fn paid(&self, payee: AccountId) -> Result<Paid, Unsound> {
        let entry = self.entries.last().ok_or(Unsound::NotPaid)?;
        let (chain, seq) = (entry.header().chain, entry.header().seq);
        if !matches!(entry.body().ctl, None | Some(Ctl::Checkpoint { .. })) {
            return Err(Unsound::NotPaid);
        }
        let mut paid: Option<Paid> = None;
        for (idx, out) in (0_u8..).zip(&entry.body().outs) {
            if out.to != Destination::Account(payee) {
                continue;
            }
            let claim = Claim { out: OutRef { chain, seq, idx }, class: out.class_once_claimed(), amt: out.amt };
            let Paid { mut claims, class, amount, invoice } = match paid.take() {
                None => Paid { claims: Vec::new(), class: out.class, amount: out.amt, invoice: out.invoice },
                Some(before) => {
                    let amount = before.amount.plus(out.amt).ok_or(Unsound::NotPaid)?;
                    Paid { amount, ..before }
                }
            };
            if class != out.class || invoice != out.invoice || out.refund_of.is_some() {
                return Err(Unsound::NotPaid);
            }
            claims.push(claim);
            paid = Some(Paid { claims, class, amount, invoice });
        }
        paid.ok_or(Unsound::NotPaid)
    }
}

/// What an entry pays an account.
struct Paid {
    claims: Vec<Claim>,
    class: Class,
    amount: Amount,
    invoice: Option<NoteHash>,
}

/// Whether an entry that its writer did sign fits with what is known of the chain.
fn compare(entry: &Entry, writer: &Vk, by: &Judge<'_>) -> Result<(), Unsound> {
    let header = entry.header();
    let Some(signed) = entry.signed_header() else { return Err(Unsound::Approval) };
    for known in by.known.iter().filter(|known| known.header.chain == header.chain) {
        let proof = EquivocationProof::Writer(*known, signed);
        let genuine = proof.clone().unverified(writer, by.policy).ok().and_then(|proof| proof.verify().ok());
        if genuine.is_some() {
            return Err(Unsound::Conflict(Box::new(proof)));
        }
        let after = header.seq.checked_add(1).is_some_and(|after| known.header.seq == after);
        let same_place = known.header.seq == header.seq && known.header.hash() != header.hash();
        if same_place || (after && known.header.prev != header.hash()) {
            return Err(Unsound::GoneOn);
        }
    }
    Ok(())
}

impl Sound {
    /// The promise.
    #[must_use]
    pub const fn promise(&self) -> &Promise {
        &self.promise
    }

    /// The promise itself, and by whom each of its entries is signed.
    #[must_use]
    pub fn into_parts(self) -> (Promise, Vec<Vk>) {
        (self.promise, self.writers)
    }

    /// What the payee claims once it is certified.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// As what it is paid.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// How much.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        self.amount
    }

    /// The invoice that it pays.
    #[must_use]
    pub const fn invoice(&self) -> Option<NoteHash> {
        self.invoice
    }
}
