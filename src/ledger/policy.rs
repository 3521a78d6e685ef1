//! A currency: who issues it, who witnesses it, and by which limits (docs/protocol/11-ledger.md, section 3).
//!
//! A [`SignedPolicy`] is what came over the wire; a [`LoadedPolicy`] is one that was checked, and everything that judges
//! entries asks for that. The hash of a currency's first policy is the currency's id. Whoever accepts a currency chooses
//! that one; how its witnesses and limits are changed stands in `succession`.

use std::collections::BTreeSet;
use std::fmt;

use kinfolk_crypto::sign::is_admissible;
use kinfolk_wire::codec::{self, DecodeError, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::{AccountId, CurrencyId, PeerId, PolicyHash, Signature, Vk};
use kinfolk_wire::time::Span;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::amount::Amount;
use crate::domain::Domain;
use crate::entry::Class;
use crate::limits;
use crate::quorum::{Quorum, QuorumError, WITNESSES};
use crate::signature::{SecretKey, SignatureError};
use crate::signatures::Signatures;

pub mod succession;

pub use succession::{Endorsement, Policies, ProposedPolicy};

/// The version of policies that this program writes and reads.
pub const VERSION: u8 = 1;

/// The name of a currency: 1 to 8 capital letters and digits, such as `EUR`. Not unique: the id is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code([u8; 8]);

/// A text that is no [`Code`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a currency's code is 1 to 8 of A-Z and 0-9")]
pub struct CodeError;

impl Code {
    /// The code with this text.
    ///
    /// # Errors
    /// [`CodeError`].
    pub fn new(text: &str) -> Result<Self, CodeError> {
        let mut padded = [0; 8];
        padded.get_mut(..text.len()).ok_or(CodeError)?.copy_from_slice(text.as_bytes());
        Self::from_padded(padded)
    }

    /// The bytes, filled with zeros.
    #[must_use]
    pub const fn padded(&self) -> [u8; 8] {
        self.0
    }

    /// The code of these bytes.
    ///
    /// # Errors
    /// [`CodeError`].
    pub fn from_padded(padded: [u8; 8]) -> Result<Self, CodeError> {
        let length = padded.iter().position(|byte| *byte == 0).unwrap_or(padded.len());
        let (text, rest) = padded.split_at_checked(length).ok_or(CodeError)?;
        let plain = text.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if length > 0 && plain && rest.iter().all(|byte| *byte == 0) { Ok(Self(padded)) } else { Err(CodeError) }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().filter(|byte| **byte != 0).try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

impl<C> Encode<C> for Code {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Code {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let padded = d.bytes()?.try_into().map_err(|_| decode::Error::message("not a code"))?;
        Self::from_padded(padded).map_err(|_| decode::Error::message("not a code"))
    }
}

/// Who signs votes, and where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Witness {
    /// Verifies their votes.
    #[n(0)]
    pub vk: Vk,
    /// Their node.
    #[n(1)]
    pub peer_id: PeerId,
}

/// How much a wallet may take before it is certified: what is at risk where no witness can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Caps {
    /// Of one payment.
    #[n(0)]
    pub payment: Amount,
    /// Of all such payments that one payer has outstanding.
    #[n(1)]
    pub outstanding: Amount,
    /// Entries that build on one another without a certificate.
    #[n(2)]
    pub chained: u8,
    /// How old the proof of the payer's balance may be, milliseconds.
    #[n(3)]
    pub proof_age: Span,
}

/// What keeps an open and feeless ledger from being flooded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Limits {
    /// The least output by which an account can be opened.
    #[n(0)]
    pub min_open: Amount,
    /// The least output.
    #[n(1)]
    pub min_out: Amount,
    /// Entries of one account in a minute.
    #[n(2)]
    pub per_minute: u32,
    /// Entries of one account in a day.
    #[n(3)]
    pub per_day: u32,
}

/// What an issuer says of a currency.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Policy {
    /// [`VERSION`].
    #[n(0)]
    pub v: u8,
    /// Who mints, burns and certifies merchants.
    #[n(1)]
    pub issuer: Vk,
    /// The name.
    #[n(2)]
    pub code: Code,
    /// Digits after the decimal point: 0 to 9.
    #[n(3)]
    pub decimals: u8,
    /// Counts the policies of a currency from 0.
    #[n(4)]
    pub epoch: u32,
    /// The policy before; zeros at epoch 0.
    #[n(5)]
    pub prev: PolicyHash,
    /// 1 to [`WITNESSES`]; a witness is known by its place here.
    #[n(6)]
    #[cbor(decode_with = "decode_witnesses")]
    pub witnesses: Vec<Witness>,
    /// How many of them may be faulty.
    #[n(7)]
    pub f: u8,
    /// The most that may be in circulation.
    #[n(8)]
    pub max_supply: Amount,
    /// The classes of money there are: ascending, cash first.
    #[n(9)]
    #[cbor(decode_with = "decode_classes")]
    pub classes: Vec<Class>,
    /// What a wallet may take unwitnessed.
    #[n(10)]
    pub offline: Caps,
    /// Against floods.
    #[n(11)]
    pub limits: Limits,
}

fn decode_witnesses<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<Witness>, decode::Error> {
    codec::bounded_list(d, c, WITNESSES)
}

fn decode_classes<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<Class>, decode::Error> {
    codec::bounded_list(d, c, limits::CLASSES)
}

/// A policy and its issuer's signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SignedPolicy {
    /// The policy.
    #[n(0)]
    pub policy: Policy,
    /// By its issuer.
    #[n(1)]
    pub signature: Signature,
    /// By witnesses of the policy before; absent of a first policy, and of one that nobody has endorsed yet.
    #[n(2)]
    pub endorsed: Option<Signatures>,
}

/// Why a policy is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A version this program does not know.
    #[error("policy version {found} is unknown to this program")]
    Version {
        /// The version.
        found: u8,
    },
    /// Not the policy of the next epoch.
    #[error("the next policy is of epoch {expected}, this is of epoch {found}; bring those before it first")]
    Epoch {
        /// The epoch.
        found: u32,
        /// The next one; 0 is a currency's first.
        expected: u32,
    },
    /// It follows another policy, or is a first one that follows any.
    #[error("the policy does not follow the one before it")]
    Prev,
    /// It alters what the money is.
    #[error("a change of policy keeps the issuer, the code, the decimals, the classes and the most there may be")]
    Money,
    /// There are as many as there can be.
    #[error("a currency has at most {limit} policies, one after the other", limit = limits::EPOCHS)]
    LastEpoch,
    /// A first policy that somebody endorsed.
    #[error("a first policy is endorsed by nobody")]
    Endorsed,
    /// Its issuer wants it, and too few of the witnesses before have closed their epoch for it.
    #[error("{needed} witnesses of the policy before must have endorsed it, {found} have")]
    TooFewEndorsed {
        /// How many have.
        found: usize,
        /// The quorum of the policy before.
        needed: usize,
    },
    /// No policy at all.
    #[error("there is no policy")]
    None,
    /// Too many digits after the decimal point.
    #[error("at most 9 decimals, found {found}")]
    Decimals {
        /// How many.
        found: u8,
    },
    /// Too few or too many witnesses.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// A key of small order or in another than its one encoding: signatures by it mean nothing.
    #[error("the key of {whose} is not one that somebody could have made")]
    WeakKey {
        /// Whose it is.
        whose: String,
    },
    /// Two witnesses with one key are one witness.
    #[error("witness {witness} has the key of one before it")]
    DuplicateKey {
        /// Which, counted from 0.
        witness: usize,
    },
    /// Classes that are not ascending from cash.
    #[error("classes are ascending and begin with cash")]
    Classes,
    /// The issuer did not sign it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl Policy {
    /// The first policy of a currency, as most are: of its witnesses as many may be faulty as can be borne, cash and card
    /// money and no end of it, 20 of one payment and 50 of one payer taken unwitnessed, the ordinary quotas.
    #[must_use]
    pub fn first(issuer: Vk, code: Code, decimals: u8, witnesses: Vec<Witness>) -> Self {
        let most = witnesses.len().saturating_sub(1).checked_div(3).unwrap_or_default();
        let whole = |number: u64| Amount::from_text(&number.to_string(), decimals).unwrap_or(Amount::MAX);
        Self {
            v: VERSION,
            issuer,
            code,
            decimals,
            epoch: 0,
            prev: PolicyHash::new([0; 32]),
            witnesses,
            f: u8::try_from(most).unwrap_or(u8::MAX),
            max_supply: Amount::MAX,
            classes: vec![Class::Free, Class::Card],
            offline: Caps { payment: whole(20), outstanding: whole(50), chained: 5, proof_age: Span::from_hours(72) },
            limits: Limits { min_open: Amount::LEAST, min_out: Amount::LEAST, per_minute: 20, per_day: 1_000 },
        }
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, issuer: &SecretKey) -> SignedPolicy {
        let signature = issuer.sign(Domain::Policy, &to_cbor(&self));
        SignedPolicy { policy: self, signature, endorsed: None }
    }

    fn check(&self) -> Result<Quorum, PolicyError> {
        if self.v != VERSION {
            return Err(PolicyError::Version { found: self.v });
        }
        if self.decimals > 9 {
            return Err(PolicyError::Decimals { found: self.decimals });
        }
        let quorum = Quorum::new(self.witnesses.len(), self.f)?;
        if !is_admissible(self.issuer.as_bytes()) {
            return Err(PolicyError::WeakKey { whose: "the issuer".to_owned() });
        }
        let mut keys = BTreeSet::new();
        for (index, witness) in self.witnesses.iter().enumerate() {
            if !is_admissible(witness.vk.as_bytes()) {
                return Err(PolicyError::WeakKey { whose: format!("witness {index}") });
            }
            if !keys.insert(witness.vk) {
                return Err(PolicyError::DuplicateKey { witness: index });
            }
        }
        let ascending = self.classes.iter().zip(self.classes.iter().skip(1)).all(|(one, next)| one < next);
        if self.classes.first() != Some(&Class::Free) || !ascending {
            return Err(PolicyError::Classes);
        }
        Ok(quorum)
    }
}

impl SignedPolicy {
    /// Reads a policy of at most [`limits::POLICY`] bytes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        from_cbor_canonical("policy", bytes, limits::POLICY)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Checks a currency's first policy whole. Those after it are loaded one after the other ([`Policies`]).
    ///
    /// # Errors
    /// [`PolicyError`], naming the first thing that is wrong.
    pub fn load(self) -> Result<LoadedPolicy, PolicyError> {
        let quorum = self.policy.check()?;
        if self.policy.epoch != 0 {
            return Err(PolicyError::Epoch { found: self.policy.epoch, expected: 0 });
        }
        if self.policy.prev != PolicyHash::new([0; 32]) {
            return Err(PolicyError::Prev);
        }
        if self.endorsed.is_some() {
            return Err(PolicyError::Endorsed);
        }
        self.signed_by_issuer(quorum, None)
    }
}

/// A policy that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedPolicy {
    policy: Policy,
    signature: Signature,
    endorsed: Option<Signatures>,
    hash: PolicyHash,
    currency: CurrencyId,
    quorum: Quorum,
    issuing_account: AccountId,
}

impl LoadedPolicy {
    /// What it says.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The currency.
    #[must_use]
    pub const fn currency(&self) -> CurrencyId {
        self.currency
    }

    /// The epoch, which every entry and vote names.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.policy.epoch
    }

    /// The sizes that agreement rests on.
    #[must_use]
    pub const fn quorum(&self) -> Quorum {
        self.quorum
    }

    /// The one account that mints and burns.
    #[must_use]
    pub const fn issuing_account(&self) -> AccountId {
        self.issuing_account
    }

    /// The key of a witness, by its place.
    #[must_use]
    pub fn witness(&self, index: u8) -> Option<&Vk> {
        self.policy.witnesses.get(usize::from(index)).map(|witness| &witness.vk)
    }

    /// It as it travels.
    #[must_use]
    pub fn signed(&self) -> SignedPolicy {
        SignedPolicy { policy: self.policy.clone(), signature: self.signature, endorsed: self.endorsed.clone() }
    }
}
