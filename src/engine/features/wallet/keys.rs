//! The keys of accounts, as they follow from the recovery phrase (docs/protocol/12-wallet.md, section 6).
//!
//! A profile has one *set* of keys: the seed of its accounts' writers, and the public halves of recovery keys. What it
//! does not have is the root of all sets, which follows from the phrase alone. So who takes a phone cannot exchange the
//! keys of its accounts, and who brings a phone back takes another set, of which the lost one knows nothing.

use kinfolk_crypto::kdf::hkdf;
use kinfolk_crypto::{RecoveryKey, RecoveryPhrase};
use kinfolk_ledger::inception::{Inception, Recovery};
use kinfolk_ledger::signature::{SecretKey, key_hash};
use kinfolk_wire::ids::{CurrencyId, IdentityId, Vk};
use zeroize::Zeroizing;

use super::book::writer;
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Account, Candidate, Key, KeyMaterial, Row, Scan, Table, Wallet};

/// Sets of keys of one phrase.
pub(crate) const SETS: u8 = 16;
/// Recovery keys of a set.
pub(crate) const RECOVERY_KEYS: u8 = 64;
/// Recovery keys that an account may have, by its currency: the first of them that no other account has.
pub(crate) const PROBES: u8 = 8;

/// The recovery phrase, as far as money needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub(crate) identity: IdentityId,
    pub(crate) root: KeyMaterial,
}

impl Words {
    /// Reads the 24 words, and wipes them.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn read(text: String) -> Result<Self, Refusal> {
        RecoveryPhrase::from_words(&Zeroizing::new(text)).map(|phrase| Self::of(&phrase)).map_err(Refusal::Phrase)
    }

    /// What a phrase says.
    #[must_use]
    pub fn of(phrase: &RecoveryPhrase) -> Self {
        let root = KeyMaterial::new(phrase.wallet_root().as_slice());
        Self { identity: RecoveryKey::from_phrase(phrase).identity(), root }
    }
}

fn derived(secret: &KeyMaterial, info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // 32 bytes are never more than HKDF has.
    let _asked = hkdf(&[0; 32], secret.as_slice(), info, out.as_mut_slice());
    out
}

/// The seed of the key by which an account redeems vouchers of tabs.
pub(super) fn tab_seed(seed: &KeyMaterial, currency: CurrencyId) -> KeyMaterial {
    KeyMaterial::new(derived(seed, &[b"kinfolk.wallet.v1.tab", currency.as_bytes()]).as_slice())
}

/// The seed of the key that signs the vouchers of the tab which the entry at this place of an account funds.
pub(super) fn voucher_seed(seed: &KeyMaterial, currency: CurrencyId, seq: u64) -> KeyMaterial {
    let info = [&b"kinfolk.wallet.v1.voucher"[..], currency.as_bytes(), &seq.to_be_bytes()];
    KeyMaterial::new(derived(seed, &info).as_slice())
}

/// The same, of whichever set of a phrase the account had its keys then.
pub(super) fn voucher_seeds(root: &KeyMaterial, currency: CurrencyId, seq: u64) -> impl Iterator<Item = KeyMaterial> {
    (0..SETS).map(move |set| voucher_seed(&account_seed(&set_seed(root, set), currency), currency, seq))
}

fn set_seed(root: &KeyMaterial, set: u8) -> KeyMaterial {
    KeyMaterial::new(derived(root, &[b"kinfolk.wallet.v1.set", &[set]]).as_slice())
}

/// A recovery key of a set.
pub(super) fn recovery_key(root: &KeyMaterial, set: u8, number: u8) -> SecretKey {
    SecretKey::from_seed(&derived(root, &[b"kinfolk.wallet.v1.recovery", &[set, number]]))
}

fn account_seed(set_seed: &KeyMaterial, currency: CurrencyId) -> KeyMaterial {
    KeyMaterial::new(derived(set_seed, &[b"kinfolk.wallet.v1.account", currency.as_bytes()]).as_slice())
}

/// The numbers of the recovery keys that an account may have, in the order in which they are tried.
fn numbers(set_seed: &KeyMaterial, currency: CurrencyId) -> impl Iterator<Item = u8> + use<> {
    let [first, ..] = *derived(set_seed, &[b"kinfolk.wallet.v1.place", currency.as_bytes()]);
    (0..PROBES).map(move |probe| first.wrapping_add(probe) & (RECOVERY_KEYS - 1))
}

/// The beginning of an account whose keys come of this seed.
pub(super) fn inception(seed: &KeyMaterial, currency: CurrencyId, recovery: Option<Vk>) -> Inception {
    let mut salt = [0; 16];
    for (to, from) in salt.iter_mut().zip(super::book::salt(seed, currency).iter()) {
        *to = *from;
    }
    Inception {
        currency,
        writer: writer(seed, currency, 0).vk(),
        next_writer: key_hash(&writer(seed, currency, 1).vk()),
        recovery: recovery.map_or(Recovery::NONE, |key| Recovery { keys: vec![key], k: 1 }),
        salt,
        since: None,
    }
}

impl Wallet {
    /// A set of a phrase.
    pub(crate) fn of(root: &KeyMaterial, set: u8, is_restored: bool) -> Self {
        let recovery = (0..RECOVERY_KEYS).map(|number| recovery_key(root, set, number).vk()).collect();
        Self { set, seed: set_seed(root, set), recovery, is_restored }
    }

    /// Any set but the first, which a profile has that is made with new words.
    pub(crate) fn another_set(step: &mut Step<'_>) -> u8 {
        let [drawn] = step.random::<1>();
        1 + drawn % (SETS - 1)
    }

    /// The seed of an account in a currency, and the recovery key that it gets: one that no other account of this profile
    /// has, as long as there is one.
    pub(super) fn account(&self, step: &Step<'_>, currency: CurrencyId) -> Result<(KeyMaterial, Option<Vk>), Refusal> {
        let taken: Vec<Vk> = step
            .scan(&Scan::all(Table::Account, usize::MAX))?
            .rows
            .into_iter()
            .filter_map(|(key, row)| match (key, row) {
                (Key::Account(of), Row::Account(Account { recovery, .. })) if of != currency => recovery,
                _ => None,
            })
            .collect();
        let keys = numbers(&self.seed, currency).filter_map(|number| self.recovery.get(usize::from(number)).copied());
        let mut keys: Vec<Vk> = keys.collect();
        let free = keys.iter().position(|key| !taken.contains(key)).unwrap_or_default();
        let key = if keys.is_empty() { None } else { Some(keys.swap_remove(free)) };
        Ok((account_seed(&self.seed, currency), key))
    }
}

/// All accounts that a phrase may have in a currency, the likeliest first.
pub(super) fn candidates(root: &KeyMaterial, currency: CurrencyId) -> Vec<Candidate> {
    let mut found = Vec::new();
    for set in 0..SETS {
        let seed = set_seed(root, set);
        let unrecoverable = inception(&account_seed(&seed, currency), currency, None);
        for (probe, number) in numbers(&seed, currency).enumerate() {
            let recovery = Recovery { keys: vec![recovery_key(root, set, number).vk()], k: 1 };
            let account = Inception { recovery, ..unrecoverable.clone() }.account();
            found.push((probe, Candidate { account, set, number }));
        }
    }
    found.sort_by_key(|(probe, candidate)| (*probe, candidate.set));
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// What the first writers of a candidate are derived from.
pub(super) fn seed_of(root: &KeyMaterial, candidate: Candidate, currency: CurrencyId) -> KeyMaterial {
    account_seed(&set_seed(root, candidate.set), currency)
}

#[cfg(test)]
mod tests;
