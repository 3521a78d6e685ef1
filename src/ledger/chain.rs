//! The state of one chain, and what an entry does to it (docs/protocol/11-ledger.md, section 8).
//!
//! A chain's state follows from its own entries alone: whatever an entry claims it says by amount, and the quorum that
//! certified it compared that with the payer's entries. So certified entries can be run again anywhere, from the
//! beginning or from a checkpoint, and give the same state.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_wire::codec::{DecodeError, from_cbor_canonical, to_cbor};
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, KeyHash, StateHash, Vk};
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use crate::amount::{self, Amount};
use crate::domain::Domain;
use crate::entry::{Approval, Body, Class, Ctl, Destination, Entry, Header, Out, OutRef, Position};
use crate::escrow::{TabInvalid, Terms};
use crate::inception::{Inception, InceptionError, Recovery};
use crate::policy::LoadedPolicy;
use crate::signature::key_hash;
use crate::spent::Spent;

/// What an account has of each class, in smallest units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub struct Balances {
    /// Cash.
    #[n(0)]
    pub free: u64,
    /// Card money.
    #[n(1)]
    pub card: u64,
}

impl Balances {
    /// What there is of a class.
    #[must_use]
    pub const fn of(&self, class: Class) -> u64 {
        match class {
            Class::Free => self.free,
            Class::Card => self.card,
        }
    }

    const fn of_mut(&mut self, class: Class) -> &mut u64 {
        match class {
            Class::Free => &mut self.free,
            Class::Card => &mut self.card,
        }
    }
}

/// What the issuer made and ended, in smallest units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub struct Supply {
    /// All that was ever minted.
    #[n(0)]
    pub minted: u64,
    /// All that was ever burned.
    #[n(1)]
    pub burned: u64,
}

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Keys {
    /// Counts the writers from 0.
    #[n(0)]
    pub key_seq: u32,
    /// The one key that signs now.
    #[n(1)]
    pub writer: Vk,
    /// The hash of the one after it.
    #[n(2)]
    pub next: KeyHash,
}

/// A chain after some of its entries.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChainState {
    #[n(0)]
    currency: CurrencyId,
    #[n(1)]
    chain: AccountId,
    #[n(2)]
    seq: u64,
    #[n(3)]
    head: EntryHash,
    #[n(4)]
    keys: Keys,
    #[n(5)]
    recovery: Recovery,
    #[n(6)]
    bal: Balances,
    #[n(7)]
    spent: Spent,
    #[n(8)]
    refunded: Refunded,
    #[n(9)]
    supply: Option<Supply>,
}

/// A state as a witness keeps it at rest, under the currency and the chain: without these two.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct KeptState {
    #[n(0)]
    seq: u64,
    #[n(1)]
    head: EntryHash,
    #[n(2)]
    keys: Keys,
    #[n(3)]
    recovery: Recovery,
    #[n(4)]
    bal: Balances,
    #[n(5)]
    spent: Spent,
    #[n(6)]
    refunded: Refunded,
    #[n(7)]
    supply: Option<Supply>,
}

impl KeptState {
    /// What is kept of a state.
    #[must_use]
    pub fn of(state: &ChainState) -> Self {
        let ChainState { currency: _, chain: _, seq, head, keys, recovery, bal, spent, refunded, supply } =
            state.clone();
        Self { seq, head, keys, recovery, bal, spent, refunded, supply }
    }

    /// The state, of this chain.
    pub(crate) fn within(self, currency: CurrencyId, chain: AccountId) -> ChainState {
        let Self { seq, head, keys, recovery, bal, spent, refunded, supply } = self;
        ChainState { currency, chain, seq, head, keys, recovery, bal, spent, refunded, supply }
    }
}

/// How much was paid back of outputs that this chain received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refunded(BTreeMap<OutRef, Amount>);

impl Refunded {
    /// How much of this output was paid back, in smallest units.
    #[must_use]
    pub fn of(&self, out: &OutRef) -> u64 {
        self.0.get(out).map_or(0, |amount| amount.units())
    }
}

impl<C> Encode<C> for Refunded {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(self.0.len() as u64)?;
        self.0.iter().try_for_each(|(out, amount)| (out, amount).encode(e, c))
    }
}

impl<'b, C> Decode<'b, C> for Refunded {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        let count = d.array()?.ok_or_else(|| decode::Error::message("indefinite array"))?;
        (0..count).map(|_| <(OutRef, Amount)>::decode(d, c)).collect::<Result<_, _>>().map(Self)
    }
}

/// Why an entry cannot stand at the next place of its chain. It leaves no trace there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Another currency.
    #[error("the entry is of another currency")]
    Currency,
    /// Another policy than the one in force.
    #[error("the entry is of epoch {found}, the policy in force is of epoch {expected}")]
    Epoch {
        /// The policy's.
        expected: u32,
        /// The entry's.
        found: u32,
    },
    /// Another chain.
    #[error("the entry is of another chain")]
    Chain,
    /// Not the next place.
    #[error("the next entry of this chain is number {expected}, this is number {found}")]
    Seq {
        /// The next place.
        expected: u64,
        /// The entry's.
        found: u64,
    },
    /// It does not follow the entry before.
    #[error("the entry does not follow the one before it")]
    Prev,
    /// By another writer than the present.
    #[error("the chain's writer has number {expected}, the entry is by number {found}")]
    KeySeq {
        /// The present one's.
        expected: u32,
        /// The entry's.
        found: u32,
    },
    /// The first entry opens the chain, and no other does.
    #[error("the first entry of a chain opens it, and no other does")]
    Open,
    /// An account is opened by an output of some size.
    #[error("an account is opened by claiming an output of at least {least} smallest units")]
    OpenTooSmall {
        /// The least.
        least: Amount,
    },
    /// The account it opens has another id.
    #[error("the account that the entry opens has another id")]
    Inception,
    /// The account cannot begin so.
    #[error(transparent)]
    Keys(#[from] InceptionError),
    /// An entry of this kind has no outputs, or no claims, or must have some.
    #[error("an entry of this kind may not have these claims and outputs")]
    Shape,
    /// Claims that are not ascending, or one twice.
    #[error("claims are ascending, and none is there twice")]
    ClaimOrder,
    /// A class that the currency has not.
    #[error("the currency has no money of that class")]
    Class,
    /// An output that was claimed before.
    #[error("output {idx} of entry {seq} was claimed already")]
    Spent {
        /// The entry.
        seq: u64,
        /// The output.
        idx: u8,
    },
    /// An output to the account itself.
    #[error("an account does not pay itself")]
    ToItself,
    /// An output below the least.
    #[error("the least output is {least} smallest units, this is {found}")]
    TooSmall {
        /// The least.
        least: Amount,
        /// The output's.
        found: Amount,
    },
    /// Not enough money of a class.
    #[error("{needed} smallest units of {class:?} are needed, there are {available}")]
    NotEnough {
        /// Of which class.
        class: Class,
        /// How much there is.
        available: u64,
        /// How much is needed.
        needed: u64,
    },
    /// Card money to somebody that the issuer did not certify as a merchant, or a certificate where none belongs.
    #[error("card money goes to merchants that the issuer certified, and only there is a certificate")]
    Merchant,
    /// A refund in another class than what it refunds, of something this chain did not claim, or for more than it.
    #[error("a refund pays back what this account received, to who paid it, in its class, and no more than that")]
    Refund,
    /// Only the issuer's account does that.
    #[error("only the issuer's account mints and burns")]
    Issuer,
    /// More than the policy allows to be in circulation.
    #[error("at most {most} smallest units may be in circulation, that would be {found}")]
    Supply {
        /// The policy's limit.
        most: Amount,
        /// How much it would be.
        found: u64,
    },
    /// A key that was not promised.
    #[error("the new key is not the one that was promised")]
    NextKey,
    /// The recovery quorum may rotate the key and nothing else.
    #[error("the recovery quorum may rotate the key and nothing else")]
    RecoveryOnly,
    /// The state that the checkpoint names is not this chain's.
    #[error("the checkpoint names another state")]
    StateRoot,
    /// Something that is counted is at its end.
    #[error("a number of this chain is at its end")]
    Exhausted,
    /// What a tab does not bear.
    #[error(transparent)]
    Tab(#[from] TabInvalid),
}

/// What an entry will do to a chain that it was tried on.
#[derive(Debug, Clone)]
pub struct Change {
    head: EntryHash,
    seq: u64,
    keys: Keys,
    bal: Balances,
    /// The sums that refunds have come to.
    refunded: BTreeMap<OutRef, Amount>,
    supply: Option<Supply>,
}

impl ChainState {
    /// The chain before its first entry, as that entry opens it.
    ///
    /// # Errors
    /// [`Invalid`] if it opens another, or nothing.
    pub fn before(entry: &Entry, policy: &LoadedPolicy) -> Result<Self, Invalid> {
        let Some(Ctl::Open(inception)) = &entry.body().ctl else { return Err(Invalid::Open) };
        let header = entry.header();
        if inception.currency != policy.currency() || header.currency != policy.currency() {
            return Err(Invalid::Currency);
        }
        let chain = inception.account();
        if header.chain != chain {
            return Err(Invalid::Inception);
        }
        inception.check()?;
        if header.epoch < inception.first_epoch() {
            return Err(Invalid::Epoch { expected: inception.first_epoch(), found: header.epoch });
        }
        let Inception { currency, writer, next_writer, recovery, .. } = inception.clone();
        Ok(Self {
            currency,
            chain,
            seq: 0,
            head: Header::NOTHING_BEFORE,
            keys: Keys { key_seq: 0, writer, next: next_writer },
            recovery,
            bal: Balances::default(),
            spent: Spent::default(),
            refunded: Refunded::default(),
            supply: (chain == policy.issuing_account()).then(Supply::default),
        })
    }

    /// Tries an entry at the next place: everything that can be judged by this chain alone.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn try_entry(&self, entry: &Entry, policy: &LoadedPolicy) -> Result<Change, Invalid> {
        self.check_place(entry.header(), policy)?;
        let body = entry.body();
        if matches!(body.ctl, Some(Ctl::Open(_))) != (self.seq == 0) {
            return Err(Invalid::Open);
        }
        check_shape(body)?;
        let least = policy.policy().limits.min_open;
        if self.seq == 0 && self.supply.is_none() && !body.claims.iter().any(|claim| claim.amt >= least) {
            return Err(Invalid::OpenTooSmall { least });
        }
        if matches!(entry.approval(), Approval::Recovery(_)) && !matches!(body.ctl, Some(Ctl::Rotate { .. })) {
            return Err(Invalid::RecoveryOnly);
        }
        if matches!(body.ctl, Some(Ctl::Tab(_))) {
            return Err(TabInvalid::Chain.into());
        }
        let mut bal = self.bal;
        self.take_claims(body, policy, &mut bal)?;
        let supply = self.pay(entry, policy, &mut bal)?;
        let refunded = self.pay_back(body)?;
        if let Some(Ctl::Checkpoint { state_root }) = body.ctl
            && state_root != self.root()
        {
            return Err(Invalid::StateRoot);
        }
        Ok(Change {
            head: entry.hash(),
            seq: self.seq.checked_add(1).ok_or(Invalid::Exhausted)?,
            keys: self.next_keys(entry)?,
            bal,
            refunded,
            supply,
        })
    }

    /// Does what was tried.
    pub fn apply(&mut self, change: Change, body: &Body) {
        let Change { head, seq, keys, bal, refunded, supply } = change;
        (self.head, self.seq, self.keys, self.bal, self.supply) = (head, seq, keys, bal, supply);
        for claim in &body.claims {
            self.spent.insert(&claim.out);
        }
        self.refunded.0.extend(refunded);
    }

    fn check_place(&self, header: &Header, policy: &LoadedPolicy) -> Result<(), Invalid> {
        if header.currency != self.currency || header.currency != policy.currency() {
            return Err(Invalid::Currency);
        }
        if header.epoch != policy.epoch() {
            return Err(Invalid::Epoch { expected: policy.epoch(), found: header.epoch });
        }
        if header.chain != self.chain {
            return Err(Invalid::Chain);
        }
        if header.seq != self.seq {
            return Err(Invalid::Seq { expected: self.seq, found: header.seq });
        }
        if header.prev != self.head {
            return Err(Invalid::Prev);
        }
        if header.key_seq != self.keys.key_seq {
            return Err(Invalid::KeySeq { expected: self.keys.key_seq, found: header.key_seq });
        }
        Ok(())
    }

    fn take_claims(&self, body: &Body, policy: &LoadedPolicy, bal: &mut Balances) -> Result<(), Invalid> {
        let outs = body.claims.iter().map(|claim| claim.out);
        let ascending: BTreeSet<OutRef> = outs.clone().collect();
        if !ascending.into_iter().eq(outs) {
            return Err(Invalid::ClaimOrder);
        }
        for claim in &body.claims {
            check_class(claim.class, policy)?;
            if crate::spent::number(&claim.out).is_none() || self.spent.contains(&claim.out) {
                return Err(Invalid::Spent { seq: claim.out.seq, idx: claim.out.idx });
            }
            let balance = bal.of_mut(claim.class);
            let sum = balance.checked_add(claim.amt.units()).filter(|sum| *sum <= amount::MAX);
            *balance = sum.ok_or(Invalid::Exhausted)?;
        }
        Ok(())
    }

    fn pay(&self, entry: &Entry, policy: &LoadedPolicy, bal: &mut Balances) -> Result<Option<Supply>, Invalid> {
        let body = entry.body();
        let minting = match body.ctl {
            Some(Ctl::Mint { class }) => Some(class),
            _ => None,
        };
        let mut minted = 0_u64;
        let mut debits = Balances::default();
        for out in &body.outs {
            check_class(out.class, policy)?;
            let least = least(out, policy);
            if out.amt < least && out.refund_of.is_none() {
                return Err(Invalid::TooSmall { least, found: out.amt });
            }
            // New cash may be the issuer's own; nothing else comes back to where it is.
            if out.to == Destination::Account(self.chain) && minting != Some(Class::Free) {
                return Err(Invalid::ToItself);
            }
            check_terms(out, minting, entry)?;
            let merchant_needed = out.class == Class::Card && out.refund_of.is_none() && minting.is_none();
            if out.merchant.is_some() != merchant_needed {
                return Err(Invalid::Merchant);
            }
            let sum = match minting {
                Some(class) if class == out.class && out.refund_of.is_none() => &mut minted,
                Some(_) => return Err(Invalid::Shape),
                None => debits.of_mut(out.from_class()),
            };
            *sum = sum.checked_add(out.amt.units()).ok_or(Invalid::Exhausted)?;
        }
        let mut supply = self.supply;
        if let (Some(Ctl::Mint { .. }), supply) = (&body.ctl, &mut supply) {
            let supply = supply.as_mut().ok_or(Invalid::Issuer)?;
            supply.minted = supply.minted.checked_add(minted).ok_or(Invalid::Exhausted)?;
            let (most, found) = (policy.policy().max_supply, supply.minted.saturating_sub(supply.burned));
            if found > most.units() {
                return Err(Invalid::Supply { most, found });
            }
        }
        if let Some(Ctl::Burn { amt }) = body.ctl {
            let supply = supply.as_mut().ok_or(Invalid::Issuer)?;
            supply.burned = supply.burned.checked_add(amt.units()).ok_or(Invalid::Exhausted)?;
            debits.free = debits.free.checked_add(amt.units()).ok_or(Invalid::Exhausted)?;
        }
        for class in [Class::Free, Class::Card] {
            let (available, needed) = (bal.of(class), debits.of(class));
            *bal.of_mut(class) =
                available.checked_sub(needed).ok_or(Invalid::NotEnough { class, available, needed })?;
        }
        Ok(supply)
    }

    /// What its refunds come to, with those before. As far as this chain knows: that it claimed what it pays back, and pays
    /// it to where it came from. How much it was, and whether a refund of it is allowed, stands in the payer's entry.
    fn pay_back(&self, body: &Body) -> Result<BTreeMap<OutRef, Amount>, Invalid> {
        let mut sums: BTreeMap<OutRef, Amount> = BTreeMap::new();
        for out in &body.outs {
            let Some(refund_of) = out.refund_of else { continue };
            let claimed = self.spent.contains(&refund_of) || body.claims.iter().any(|claim| claim.out == refund_of);
            if !claimed || out.to != Destination::Account(refund_of.chain) {
                return Err(Invalid::Refund);
            }
            let sum = match sums.get(&refund_of).or_else(|| self.refunded.0.get(&refund_of)) {
                Some(before) => before.plus(out.amt).ok_or(Invalid::Exhausted)?,
                None => out.amt,
            };
            sums.insert(refund_of, sum);
        }
        Ok(sums)
    }

    fn next_keys(&self, entry: &Entry) -> Result<Keys, Invalid> {
        let Some(Ctl::Rotate { writer, next }) = entry.body().ctl else { return Ok(self.keys) };
        if !kinfolk_crypto::sign::is_admissible(writer.as_bytes()) {
            return Err(Invalid::Keys(InceptionError::WeakKey));
        }
        if matches!(entry.approval(), Approval::Writer(_)) && key_hash(&writer) != self.keys.next {
            return Err(Invalid::NextKey);
        }
        Ok(Keys { key_seq: self.keys.key_seq.checked_add(1).ok_or(Invalid::Exhausted)?, writer, next })
    }

    /// The hash of all of it: what a checkpoint names.
    #[must_use]
    pub fn root(&self) -> StateHash {
        StateHash::new(Domain::State.hash(&self.encode()))
    }

    /// Reads a state of at most `limit` bytes: what came with a checkpoint, or what was kept.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8], limit: usize) -> Result<Self, DecodeError> {
        from_cbor_canonical("state of a chain", bytes, limit)
    }

    /// The bytes that are hashed and kept.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// Where the next entry must stand.
    #[must_use]
    pub const fn next_position(&self, epoch: u32) -> Position {
        Position {
            currency: self.currency,
            epoch,
            chain: self.chain,
            seq: self.seq,
            prev: self.head,
            key_seq: self.keys.key_seq,
        }
    }

    /// The account.
    #[must_use]
    pub const fn chain(&self) -> AccountId {
        self.chain
    }

    /// The place of the next entry.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// The last entry; zeros before the first.
    #[must_use]
    pub const fn head(&self) -> EntryHash {
        self.head
    }

    /// Who writes.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Who together may set a new writer.
    #[must_use]
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// What there is of each class.
    #[must_use]
    pub const fn balances(&self) -> Balances {
        self.bal
    }

    /// What was claimed.
    #[must_use]
    pub const fn spent(&self) -> &Spent {
        &self.spent
    }

    /// What was paid back.
    #[must_use]
    pub const fn refunded(&self) -> &Refunded {
        &self.refunded
    }

    /// What was made and ended, if this is the issuer's account.
    #[must_use]
    pub const fn supply(&self) -> Option<Supply> {
        self.supply
    }
}

fn check_class(class: Class, policy: &LoadedPolicy) -> Result<(), Invalid> {
    if policy.policy().classes.contains(&class) { Ok(()) } else { Err(Invalid::Class) }
}

/// Which kinds of entries have claims and outputs.
fn check_shape(body: &Body) -> Result<(), Invalid> {
    let (claims, outs) = (!body.claims.is_empty(), !body.outs.is_empty());
    let fits = match &body.ctl {
        Some(Ctl::Open(_)) => true,
        None => claims || outs,
        Some(Ctl::Mint { .. }) => !claims && outs,
        Some(Ctl::Burn { .. }) => !outs,
        Some(Ctl::Checkpoint { .. }) => true,
        Some(Ctl::Rotate { .. }) => !claims && !outs,
        Some(Ctl::Tab(_)) => false,
    };
    if fits { Ok(()) } else { Err(Invalid::Shape) }
}

/// The least that an output may have: one that opens a chain as much as one that opens an account.
fn least(out: &Out, policy: &LoadedPolicy) -> Amount {
    let limits = &policy.policy().limits;
    match out.to {
        Destination::Account(_) => limits.min_out,
        Destination::Escrow(_) => limits.min_open.max(limits.min_out),
    }
}

/// What goes to terms is plain cash, on terms that this entry may make.
fn check_terms(out: &Out, minting: Option<Class>, entry: &Entry) -> Result<(), Invalid> {
    let Destination::Escrow(Terms::Tab(tab)) = out.to else { return Ok(()) };
    let is_plain = out.class == Class::Free && out.refund_of.is_none() && out.invoice.is_none();
    if !is_plain || out.merchant.is_some() || minting.is_some() {
        return Err(TabInvalid::NotCash.into());
    }
    Ok(tab.check(entry.header(), entry.body())?)
}
