use kinfolk_engine::Refusal;
use kinfolk_engine::query::{self, TabState, TabView};
use kinfolk_engine::store::{Read, ReadError};
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_rpc::tab as rpc;
use kinfolk_wire::ids::AccountId;

use super::contact::named;
use super::message::Names;
use crate::problem::Refused;

/// All tabs.
pub(crate) fn all(read: &dyn Read) -> Result<rpc::Tabs, Refused> {
    let mut names = Names::of(read)?;
    let found = query::tabs(read, SystemClock.now())?;
    let tabs = found.iter().map(|view| tab(view, &mut names)).collect::<Result<_, _>>()?;
    Ok(rpc::Tabs { tabs })
}

/// One tab.
pub(crate) fn one(read: &dyn Read, id: AccountId) -> Result<rpc::Tab, Refused> {
    let view = query::tab(read, id, SystemClock.now())?.ok_or(Refusal::UnknownTab)?;
    Ok(tab(&view, &mut Names::of(read)?)?)
}

/// The tab that somebody means: by its name, or the beginning of it, or the contact whom it is for.
pub(crate) fn meant(read: &dyn Read, text: &str) -> Result<AccountId, Refused> {
    match query::tab_named(read, text) {
        Err(Refusal::UnknownTab) => match named(read, text) {
            Ok(contact) => Ok(query::tab_for(read, contact.identity, SystemClock.now())?),
            Err(_) => Err(Refusal::UnknownTab.into()),
        },
        found => Ok(found?),
    }
}

fn tab(view: &TabView, names: &mut Names<'_>) -> Result<rpc::Tab, ReadError> {
    let own = Some(names.own()?);
    let other = view.contact.as_ref().map(|(contact, _)| names.sender(*contact)).transpose()?;
    let (from, to) = if view.is_own { (own, other) } else { (other, own) };
    let text = |units| query::amount_text(&view.policy, units);
    Ok(rpc::Tab {
        tab: view.tab.to_string(),
        from,
        to,
        currency: view.currency.to_string(),
        code: view.policy.policy().code.to_string(),
        amount: text(view.funded),
        paid: text(view.promised),
        redeemed: text(view.redeemed),
        left: text(view.left),
        at: view.at.as_millis(),
        expires: view.expires.as_millis(),
        state: match view.state {
            TabState::Opening => rpc::TabState::Opening,
            TabState::Open => rpc::TabState::Open,
            TabState::Settling => rpc::TabState::Settling,
            TabState::Expired => rpc::TabState::Expired,
            TabState::Closed => rpc::TabState::Closed,
        },
    })
}
