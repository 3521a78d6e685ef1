//! What a face shows of merchants.

use kinfolk_wire::ids::{AccountId, CurrencyId, IdentityId};
use kinfolk_wire::time::Timestamp;

use super::{BalanceView, balances, find, profile};
use crate::features::wallet::{currencies, merchants as feature};
use crate::store::{Key, Merchant, Payee, Read, ReadError, Row, Scan};

/// Somebody who takes card money, or asks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerchantView {
    /// In which currency.
    pub currency: CurrencyId,
    /// What it is called.
    pub code: String,
    /// Whether it is this person.
    pub is_own: bool,
    /// Who.
    pub who: IdentityId,
    /// Who issues the currency, and decides.
    pub issuer: IdentityId,
    /// The account.
    pub account: AccountId,
    /// Since when the issuer's word is waited for.
    pub asked_at: Option<Timestamp>,
    /// Until when it is certified, or was.
    pub expires: Option<Timestamp>,
    /// Whether it is now.
    pub is_certified: bool,
}

/// This person as a merchant, and the merchants of the currencies that they issue; those who wait for an answer first.
///
/// # Errors
/// [`ReadError`].
pub fn merchants(read: &dyn Read, now: Timestamp) -> Result<Vec<MerchantView>, ReadError> {
    let Some(own) = profile(read)? else { return Ok(Vec::new()) };
    let mut views = Vec::new();
    for (currency, row) in currencies::all(read)? {
        for (key, merchant) in read.scan(&Scan::merchants(currency, usize::MAX))?.rows {
            let (Key::Merchant(_, who), Row::Merchant(merchant)) = (key, merchant) else { continue };
            let Merchant { account, issuer, asked_at, certificate, .. } = merchant;
            let expires = certificate.map(|(certificate, _)| certificate.expires);
            views.push(MerchantView {
                currency,
                code: row.policy.policy.code.to_string(),
                is_own: who == own.identity,
                who,
                issuer,
                account,
                asked_at,
                expires,
                is_certified: expires.is_some_and(|expires| expires > now),
            });
        }
    }
    views.sort_by_key(|view| (view.code.clone(), view.asked_at.is_none(), view.expires, view.who));
    Ok(views)
}

/// Whether a contact is known to take card money now.
///
/// # Errors
/// [`ReadError`].
pub fn takes_card(
    read: &dyn Read,
    currency: CurrencyId,
    contact: IdentityId,
    now: Timestamp,
) -> Result<bool, ReadError> {
    let payee: Option<Payee> = find(read, &Key::Payee(currency, contact))?;
    let certificate = payee.and_then(|payee| payee.certificate);
    Ok(certificate.is_some_and(|certificate| feature::is_usable(certificate, now)))
}

/// Whether this person has card money in a currency.
///
/// # Errors
/// [`ReadError`].
pub fn has_card(read: &dyn Read, currency: CurrencyId) -> Result<bool, ReadError> {
    let is = |view: &BalanceView| view.currency == currency && view.is_card && view.units > 0;
    Ok(balances(read)?.iter().any(is))
}
