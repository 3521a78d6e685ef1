//! The beginning of an account: its keys, of which the hash is the account's id.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use kinfolk_crypto::sign::is_admissible;
use kinfolk_wire::codec::{self, to_cbor};
use kinfolk_wire::ids::{AccountId, CurrencyId, KeyHash, Vk};
use minicbor::{Decode, Decoder, Encode, decode};

use crate::domain::Domain;
use crate::limits;

/// Whose account it is, in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Inception {
    /// The currency.
    #[n(0)]
    pub currency: CurrencyId,
    /// The one key that signs its entries.
    #[n(1)]
    pub writer: Vk,
    /// The hash of the key after it, so that who steals the first cannot name the second.
    #[n(2)]
    pub next_writer: KeyHash,
    /// Who together may set a new writer.
    #[n(3)]
    pub recovery: Recovery,
    /// Random, so that one person's accounts have nothing in common.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub salt: [u8; 16],
    /// The epoch in which the account may first be opened; absent for 0. Nothing is asked of witnesses before it.
    #[n(5)]
    pub since: Option<NonZeroU32>,
}

/// The recovery quorum: `k` of at most [`limits::RECOVERY_KEYS`] keys. None at all means that a lost key is lost.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Recovery {
    /// The keys, ascending.
    #[n(0)]
    #[cbor(decode_with = "decode_keys")]
    pub keys: Vec<Vk>,
    /// How many of them must sign.
    #[n(1)]
    pub k: u8,
}

fn decode_keys<C>(d: &mut Decoder<'_>, c: &mut C) -> Result<Vec<Vk>, decode::Error> {
    codec::bounded_list(d, c, limits::RECOVERY_KEYS)
}

/// Why an account cannot begin so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InceptionError {
    /// A key of small order or in another than its one encoding.
    #[error("a key is not one that somebody could have made")]
    WeakKey,
    /// Recovery keys that are not ascending, or a number of them that is none or more than there are.
    #[error("recovery needs ascending keys and from one to all of them, or no keys and none of them")]
    Recovery,
}

impl Recovery {
    /// No recovery.
    pub const NONE: Self = Self { keys: Vec::new(), k: 0 };
}

impl Inception {
    /// The id of the account.
    #[must_use]
    pub fn account(&self) -> AccountId {
        AccountId::new(Domain::Inception.hash(&to_cbor(self)))
    }

    /// The one account of a currency that mints and burns. Nothing in it is free to choose: a stranger who began another
    /// one under the issuer's key, with recovery keys of their own, would have an ordinary account.
    #[must_use]
    pub const fn of_issuer(currency: CurrencyId, issuer: Vk) -> Self {
        let next_writer = KeyHash::new([0; 32]);
        Self { currency, writer: issuer, next_writer, recovery: Recovery::NONE, salt: [0; 16], since: None }
    }

    /// The first epoch in which it may be opened.
    #[must_use]
    pub fn first_epoch(&self) -> u32 {
        self.since.map_or(0, NonZeroU32::get)
    }

    /// Checks its keys.
    ///
    /// # Errors
    /// [`InceptionError`].
    pub fn check(&self) -> Result<(), InceptionError> {
        let Recovery { keys, k } = &self.recovery;
        if !keys.iter().chain([&self.writer]).all(|key| is_admissible(key.as_bytes())) {
            return Err(InceptionError::WeakKey);
        }
        let ascending: BTreeSet<&Vk> = keys.iter().collect();
        let in_order = ascending.into_iter().eq(keys);
        let k = usize::from(*k);
        if !in_order || k > keys.len() || (k == 0) != keys.is_empty() {
            return Err(InceptionError::Recovery);
        }
        Ok(())
    }
}
