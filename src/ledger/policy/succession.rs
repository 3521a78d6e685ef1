//! One policy after the other (docs/protocol/11-ledger.md, section 12).
//!
//! A change says who votes from now on, and by which limits. What the money is stays for ever: its issuer, its code, its
//! decimals, its classes, the most there may be. It is in force once a quorum of the witnesses of the policy before have
//! endorsed it, each of which thereby closes its epoch ([`crate::slot::crossing`]) and endorses no other. So a currency has one
//! policy an epoch, and whoever has them all in a row needs nobody's word for them.

use kinfolk_wire::codec::to_cbor;
use kinfolk_wire::ids::{CurrencyId, PolicyHash, Signature};
use minicbor::{Decode, Encode};

use super::{LoadedPolicy, Policy, PolicyError, SignedPolicy};
use crate::domain::Domain;
use crate::limits;
use crate::signature::{SecretKey, SignatureError, Unverified};
use crate::signatures::Signatures;

/// A witness's word that it votes no more in the epoch before this policy, and that this is the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Endorsement {
    /// The witness's place in the policy before.
    #[n(0)]
    pub witness: u8,
    /// Their signature.
    #[n(1)]
    pub signature: Signature,
}

/// An endorsement that a witness may sign: that its epoch is closed is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct ReleasableEndorsement {
    pub(crate) currency: CurrencyId,
    pub(crate) policy: PolicyHash,
}

impl ReleasableEndorsement {
    /// Signs it as the witness at this place of the policy before.
    #[must_use]
    pub fn sign(self, witness: u8, key: &SecretKey) -> Endorsement {
        Endorsement { witness, signature: key.sign(Domain::Succeed, &message(self.currency, self.policy)) }
    }
}

fn message(currency: CurrencyId, policy: PolicyHash) -> Vec<u8> {
    [&currency.as_bytes()[..], policy.as_bytes()].concat()
}

/// A policy that its issuer signed and that may follow the one before it; whether it does, its witnesses say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedPolicy(LoadedPolicy);

impl ProposedPolicy {
    /// Its hash.
    #[must_use]
    pub const fn hash(&self) -> PolicyHash {
        self.0.hash()
    }

    /// An endorsement of it as far as the witness's signature is genuine; nothing if the policy before has no such witness.
    #[must_use]
    pub fn endorsed_by(&self, one: Endorsement, before: &LoadedPolicy) -> Option<Unverified<Endorsement>> {
        let key = before.witness(one.witness)?;
        let bytes = message(self.0.currency(), self.hash());
        Some(Unverified::new(one).signed(key, Domain::Succeed, &bytes, &one.signature))
    }

    /// It, if a quorum of the witnesses of the policy before have endorsed it.
    ///
    /// # Errors
    /// [`PolicyError::TooFewEndorsed`], [`PolicyError::Signature`].
    pub fn in_force(self, before: &LoadedPolicy) -> Result<LoadedPolicy, PolicyError> {
        let needed = before.quorum().q();
        let found = self.0.endorsed.as_ref().map_or(0, Signatures::len);
        if found < needed {
            return Err(PolicyError::TooFewEndorsed { found, needed });
        }
        for (witness, signature) in self.0.endorsed.iter().flat_map(Signatures::iter) {
            let one = Endorsement { witness, signature: *signature };
            self.endorsed_by(one, before).ok_or(PolicyError::Signature(SignatureError))?.verify()?;
        }
        Ok(self.0)
    }
}

impl SignedPolicy {
    /// The same with what witnesses of the policy before said to it: of a quorum of them, since more may not fit.
    #[must_use]
    pub fn endorsed(self, endorsements: impl IntoIterator<Item = Endorsement>) -> Self {
        let signatures = endorsements.into_iter().map(|one| (one.witness, one.signature));
        Self { endorsed: Some(Signatures::new(signatures)), ..self }
    }

    /// It as what its issuer wants to follow this policy.
    ///
    /// # Errors
    /// [`PolicyError`], naming the first thing that is wrong.
    pub fn proposed_after(self, before: &LoadedPolicy) -> Result<ProposedPolicy, PolicyError> {
        let quorum = self.policy.check()?;
        let (old, new) = (before.policy(), &self.policy);
        let expected = before.epoch().checked_add(1).filter(|epoch| *epoch < limits::EPOCHS);
        let expected = expected.ok_or(PolicyError::LastEpoch)?;
        if new.epoch != expected {
            return Err(PolicyError::Epoch { found: new.epoch, expected });
        }
        if new.prev != before.hash() {
            return Err(PolicyError::Prev);
        }
        let money = |policy: &Policy| (policy.issuer, policy.code, policy.decimals, policy.max_supply);
        if money(old) != money(new) || old.classes != new.classes {
            return Err(PolicyError::Money);
        }
        Ok(ProposedPolicy(self.signed_by_issuer(quorum, Some(before.currency()))?))
    }
}

/// The policies of a currency from its first, none left out: the last is the one in force as far as is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    first: LoadedPolicy,
    later: Vec<LoadedPolicy>,
}

impl From<LoadedPolicy> for Policies {
    /// Of a currency's first policy: it is the only kind that is loaded alone.
    fn from(first: LoadedPolicy) -> Self {
        Self { first, later: Vec::new() }
    }
}

impl Policies {
    /// Those of a currency, its first policy first.
    ///
    /// # Errors
    /// [`PolicyError`] of the first that is wrong.
    pub fn load(policies: impl IntoIterator<Item = SignedPolicy>) -> Result<Self, PolicyError> {
        let mut policies = policies.into_iter();
        let mut loaded = Self::from(policies.next().ok_or(PolicyError::None)?.load()?);
        policies.try_for_each(|next| loaded.extend(next))?;
        Ok(loaded)
    }

    /// Adds the one after the last.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn extend(&mut self, next: SignedPolicy) -> Result<(), PolicyError> {
        let next = next.proposed_after(self.current())?.in_force(self.current())?;
        self.later.push(next);
        Ok(())
    }

    /// The one in force.
    #[must_use]
    pub fn current(&self) -> &LoadedPolicy {
        self.later.last().unwrap_or(&self.first)
    }

    /// The one of an epoch.
    #[must_use]
    pub fn at(&self, epoch: u32) -> Option<&LoadedPolicy> {
        match epoch.checked_sub(1) {
            None => Some(&self.first),
            Some(later) => self.later.get(usize::try_from(later).ok()?),
        }
    }

    /// All of them, from the first.
    pub fn iter(&self) -> impl Iterator<Item = &LoadedPolicy> {
        [&self.first].into_iter().chain(&self.later)
    }

    /// The currency.
    #[must_use]
    pub const fn currency(&self) -> CurrencyId {
        self.first.currency()
    }
}

impl LoadedPolicy {
    /// Its hash, which the policy after it names.
    #[must_use]
    pub const fn hash(&self) -> PolicyHash {
        self.hash
    }

    /// The same policy with other witnesses, for the issuer to sign.
    #[must_use]
    pub fn next(&self) -> Policy {
        Policy { epoch: self.policy.epoch.saturating_add(1), prev: self.hash, ..self.policy.clone() }
    }
}

impl SignedPolicy {
    /// What was checked, as far as its issuer signed it. The currency's id is the hash of its first policy.
    pub(super) fn signed_by_issuer(
        self,
        quorum: crate::quorum::Quorum,
        currency: Option<CurrencyId>,
    ) -> Result<LoadedPolicy, PolicyError> {
        let bytes = to_cbor(&self.policy);
        let issuer = self.policy.issuer;
        let Self { policy, signature, endorsed } = self;
        Unverified::new(()).signed(&issuer, Domain::Policy, &bytes, &signature).verify()?;
        let hash = Domain::Policy.hash(&bytes);
        let currency = currency.unwrap_or(CurrencyId::new(hash));
        let issuing_account = crate::inception::Inception::of_issuer(currency, issuer).account();
        Ok(LoadedPolicy { policy, signature, endorsed, hash: PolicyHash::new(hash), currency, quorum, issuing_account })
    }
}
