use kinfolk_engine::Refusal;
use kinfolk_engine::query::{self, MerchantView};
use kinfolk_engine::store::{Read, ReadError};
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_rpc::merchant as rpc;
use kinfolk_wire::ids::{CurrencyId, IdentityId};

use super::message::Names;
use crate::problem::Refused;

/// Everybody who takes card money here, or asks to.
pub(crate) fn all(read: &dyn Read) -> Result<rpc::Merchants, Refused> {
    let mut names = Names::of(read)?;
    let found = query::merchants(read, SystemClock.now())?;
    let merchants = found.iter().map(|view| merchant(view, &mut names)).collect::<Result<_, _>>()?;
    Ok(rpc::Merchants { merchants })
}

/// One of them: a contact, or this person where nobody is named.
pub(crate) fn one(read: &dyn Read, currency: CurrencyId, who: Option<IdentityId>) -> Result<rpc::Merchant, Refused> {
    let found = view(read, currency, who)?.ok_or(Refusal::UnknownContact)?;
    Ok(merchant(&found, &mut Names::of(read)?)?)
}

/// As far as there is one.
pub(super) fn view(
    read: &dyn Read,
    currency: CurrencyId,
    who: Option<IdentityId>,
) -> Result<Option<MerchantView>, ReadError> {
    let is = |view: &MerchantView| match who {
        Some(who) => view.who == who,
        None => view.is_own,
    };
    Ok(query::merchants(read, SystemClock.now())?.into_iter().find(|view| view.currency == currency && is(view)))
}

/// A merchant for a face.
pub(super) fn merchant(view: &MerchantView, names: &mut Names<'_>) -> Result<rpc::Merchant, ReadError> {
    Ok(rpc::Merchant {
        currency: view.currency.to_string(),
        code: view.code.clone(),
        merchant: names.sender(view.who)?,
        issuer: names.sender(view.issuer)?,
        account: view.account.to_string(),
        state: match (view.is_certified, view.expires) {
            (true, _) => rpc::MerchantState::Certified,
            (false, Some(_)) => rpc::MerchantState::Expired,
            (false, None) => rpc::MerchantState::Asked,
        },
        asked: view.asked_at.map(kinfolk_wire::time::Timestamp::as_millis),
        expires: view.expires.map(kinfolk_wire::time::Timestamp::as_millis),
    })
}
