//! Which currencies a witness serves, and how it is.

use kinfolk_wire::ids::{CurrencyId, Vk};

use super::line::{Kept, Line};
use super::shelf::Shelf;
use super::{ShelfError, Totals, Witness};
use crate::limits;
use crate::policy::{Code, LoadedPolicy, PolicyError, SignedPolicy};
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
    /// The witness's place in the policy.
    pub place: u8,
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
}

impl<S: Shelf> Witness<S> {
    /// Serves a currency from now on, if its policy names this witness.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn serve(&mut self, policy: SignedPolicy) -> Result<CurrencyId, ServeError<S::Error>> {
        let loaded = policy.clone().load().map_err(ServeError::Policy)?;
        let currency = loaded.currency();
        if self.stopped {
            return Err(ServeError::Shelf(ShelfError::Stopped));
        }
        if self.served.contains_key(&currency) {
            return Ok(currency);
        }
        if self.served.len() >= limits::SERVED {
            return Err(ServeError::TooMany);
        }
        if self.place_in(&loaded).is_none() {
            return Err(ServeError::NotNamed { code: loaded.policy().code, vk: self.vk });
        }
        let written = self.write(vec![Held::new(Kept { line: Line::Policy(policy), at: None }, ())]);
        written.map_err(ServeError::Shelf)?;
        Ok(currency)
    }

    /// The policy of a currency that is served.
    #[must_use]
    pub fn policy(&self, currency: &CurrencyId) -> Option<&LoadedPolicy> {
        self.served.get(currency).map(|served| &served.policy)
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> Status {
        let currencies = self.served.iter().map(|(currency, served)| ServedCurrency {
            currency: *currency,
            code: served.policy.policy().code,
            place: served.place,
            witnesses: served.policy.quorum().n(),
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
        }
    }

    pub(super) fn place_in(&self, policy: &LoadedPolicy) -> Option<u8> {
        let place = policy.policy().witnesses.iter().position(|witness| witness.vk == self.vk)?;
        u8::try_from(place).ok()
    }
}
