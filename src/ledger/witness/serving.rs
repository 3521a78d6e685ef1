//! Which currencies a witness serves, and how it is.

use kinfolk_wire::ids::{CurrencyId, Vk};

use super::line::{Compacted, Kept, Line};
use super::shelf::Shelf;
use super::{ShelfError, Totals, Witness};
use crate::limits;
use crate::policy::{Code, LoadedPolicy, Policies, PolicyError, SignedPolicy};
use crate::slot::held::Held;

/// Why a currency is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError<E> {
    /// The policy is none.
    #[error(transparent)]
    Policy(PolicyError),
    /// It names others.
    #[error("the policy of {code} does not name this witness, whose key is {vk}")]
    NotNamed {
        /// The currency's name.
        code: Code,
        /// The witness's key.
        vk: Vk,
    },
    /// As many as it can.
    #[error("a witness serves at most {limit} currencies", limit = limits::SERVED)]
    TooMany,
    /// The disk.
    #[error(transparent)]
    Shelf(ShelfError<E>),
}

/// One currency at a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServedCurrency {
    /// The currency.
    pub currency: CurrencyId,
    /// Its name.
    pub code: Code,
    /// The epoch of the policy in force here.
    pub epoch: u32,
    /// The witness's place in it, where it is named there.
    pub place: Option<u8>,
    /// Of how many.
    pub witnesses: usize,
    /// More of its witnesses are faulty than it bears, so that this one has stopped serving it.
    pub broken: bool,
}

/// How a witness is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its key.
    pub vk: Vk,
    /// What it serves, by currency.
    pub currencies: Vec<ServedCurrency>,
    /// Accounts that were opened here.
    pub accounts: u64,
    /// Certified entries that were written down.
    pub entries: u64,
    /// Votes and promises that were written down.
    pub votes: u64,
    /// Writers of whom there is a proof that they signed two entries for one place.
    pub conflicts: u64,
    /// Requests that were refused because there had been too many, since it was opened.
    pub refused_by_quota: u64,
    /// Its log failed; it must be opened anew.
    pub stopped: bool,
    /// When its log was last written anew, and how many bytes it had afterwards.
    pub compacted: Option<(Compacted, u64)>,
}

impl<S: Shelf> Witness<S> {
    /// Serves a currency from now on, if its policy names this witness.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn serve(&mut self, policy: SignedPolicy) -> Result<CurrencyId, ServeError<S::Error>> {
        self.serve_since(vec![policy])
    }

    /// Serves a currency of which these are the policies, from its first and none left out, if one of them names this
    /// witness.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn serve_since(&mut self, policies: Vec<SignedPolicy>) -> Result<CurrencyId, ServeError<S::Error>> {
        let loaded = Policies::load(policies).map_err(ServeError::Policy)?;
        let currency = loaded.currency();
        if self.stopped {
            return Err(ServeError::Shelf(ShelfError::Stopped));
        }
        let known = self.served.get(&currency).map(|served| served.policies.clone());
        if known.is_none() && self.served.len() >= limits::SERVED {
            return Err(ServeError::TooMany);
        }
        if !loaded.iter().any(|policy| self.place_in(policy).is_some()) {
            return Err(ServeError::NotNamed { code: loaded.current().policy().code, vk: self.vk });
        }
        let mut lines = Vec::new();
        for policy in loaded.iter() {
            let line = match known.as_ref().map(|known| known.at(policy.epoch())) {
                Some(Some(known)) if known.hash() == policy.hash() => continue,
                Some(Some(_)) => return Err(ServeError::Policy(PolicyError::Prev)),
                _ if policy.epoch() == 0 => Line::Policy(policy.signed()),
                _ => Line::Next { currency, policy: policy.signed() },
            };
            lines.push(Held::new(Kept { line, at: None }, ()));
        }
        self.write(lines).map_err(ServeError::Shelf)?;
        Ok(currency)
    }

    /// The policy in force of a currency that is served.
    #[must_use]
    pub fn policy(&self, currency: &CurrencyId) -> Option<&LoadedPolicy> {
        self.policies(currency).map(Policies::current)
    }

    /// The policies of a currency that is served.
    #[must_use]
    pub fn policies(&self, currency: &CurrencyId) -> Option<&Policies> {
        self.served.get(currency).map(|served| &served.policies)
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> Status {
        let currencies = self.served.iter().map(|(currency, served)| ServedCurrency {
            currency: *currency,
            code: served.policy().policy().code,
            epoch: served.present(),
            place: served.place,
            witnesses: served.policy().quorum().n(),
            broken: served.broken,
        });
        let Totals { accounts, entries, votes, proofs, .. } = self.totals;
        Status {
            vk: self.vk,
            currencies: currencies.collect(),
            accounts,
            entries,
            votes,
            conflicts: proofs,
            refused_by_quota: self.refused_by_quota,
            stopped: self.stopped,
            compacted: self.totals.compacted.map(|(compacted, at)| (compacted, at.number())),
        }
    }

    pub(super) fn place_in(&self, policy: &LoadedPolicy) -> Option<u8> {
        place_of(&self.vk, policy)
    }
}

/// The place of a witness with this key in a policy.
pub(super) fn place_of(vk: &Vk, policy: &LoadedPolicy) -> Option<u8> {
    let place = policy.policy().witnesses.iter().position(|witness| witness.vk == *vk)?;
    u8::try_from(place).ok()
}
