//! What a face shows of tabs.

use kinfolk_ledger::escrow::holding::{Holding, MARGIN};
use kinfolk_ledger::escrow::{Opening, Proposer};
use kinfolk_ledger::policy::LoadedPolicy;
use kinfolk_wire::content::TabPayment;
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, IdentityId};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Timestamp;

use super::{PaymentState, find};
use crate::features::wallet::book::loaded;
use crate::refusal::Refusal;
use crate::store::{
    Contact, Currency, Key, Movement, MovementPlace, OwnEntry, Payee, Read, ReadError, Row, Scan, Tab, TabPart, Table,
};

/// How far a tab has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TabState {
    /// What funds it is not final.
    Opening,
    /// It can be paid with.
    Open,
    /// An entry of it is on its way through the witnesses.
    Settling,
    /// It is not paid with any more, and not closed.
    Expired,
    /// It has ended.
    Closed,
}

/// A tab as a face shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TabView {
    /// Its chain.
    pub tab: AccountId,
    /// Its currency.
    pub currency: CurrencyId,
    /// The policy of that.
    pub policy: LoadedPolicy,
    /// Whether this person pays from it.
    pub is_own: bool,
    /// The other side.
    pub contact: Option<(IdentityId, Name)>,
    /// When it was opened, or first heard of.
    pub at: Timestamp,
    /// Until when it can be redeemed.
    pub expires: Timestamp,
    /// What was put aside, in smallest units.
    pub funded: u64,
    /// What vouchers have promised.
    pub promised: u64,
    /// What was redeemed.
    pub redeemed: u64,
    /// What can still be promised.
    pub left: u64,
    /// How far it has come.
    pub state: TabState,
    /// Whether it was opened with a phone that is lost, so that nothing is paid from it any more.
    pub is_adopted: bool,
}

/// All tabs, the newest first.
///
/// # Errors
/// [`ReadError`].
pub fn tabs(read: &dyn Read, now: Timestamp) -> Result<Vec<TabView>, ReadError> {
    let mut views = Vec::new();
    for (key, row) in read.scan(&Scan::all(Table::Tab, usize::MAX))?.rows {
        if let (Key::Tab(tab), Row::Tab(row)) = (key, row) {
            views.extend(view(read, tab, row, now)?);
        }
    }
    views.sort_by_key(|view| std::cmp::Reverse((view.at, view.tab)));
    Ok(views)
}

/// The tab of that name.
///
/// # Errors
/// [`ReadError`].
pub fn tab(read: &dyn Read, tab: AccountId, now: Timestamp) -> Result<Option<TabView>, ReadError> {
    match find::<Tab>(read, &Key::Tab(tab))? {
        Some(row) => view(read, tab, row, now),
        None => Ok(None),
    }
}

/// The one tab whose name begins so.
///
/// # Errors
/// [`Refusal::UnknownTab`], [`Refusal::AmbiguousTab`].
pub fn tab_named(read: &dyn Read, beginning: &str) -> Result<AccountId, Refusal> {
    let rows = read.scan(&Scan::all(Table::Tab, usize::MAX))?.rows;
    let names = rows.into_iter().filter_map(|(key, _)| match key {
        Key::Tab(tab) if !beginning.is_empty() && tab.to_string().starts_with(beginning) => Some(tab),
        _ => None,
    });
    only(names.collect())
}

/// The one tab from which a contact can be paid.
///
/// # Errors
/// [`Refusal::UnknownTab`], [`Refusal::AmbiguousTab`].
pub fn tab_for(read: &dyn Read, contact: IdentityId, now: Timestamp) -> Result<AccountId, Refusal> {
    let is_for = |view: &TabView| view.is_own && view.contact.as_ref().is_some_and(|(whose, _)| *whose == contact);
    let views: Vec<TabView> = tabs(read, now)?.into_iter().filter(is_for).collect();
    let open = views.iter().filter(|view| view.state == TabState::Open && !view.is_adopted).map(|view| view.tab);
    match only(open.collect()) {
        // Of one that is not open it is said why.
        Err(Refusal::UnknownTab) => views.first().map(|view| view.tab).ok_or(Refusal::UnknownTab),
        found => found,
    }
}

fn only(found: Vec<AccountId>) -> Result<AccountId, Refusal> {
    match found[..] {
        [] => Err(Refusal::UnknownTab),
        [one] => Ok(one),
        _ => Err(Refusal::AmbiguousTab(found.iter().map(ToString::to_string).collect())),
    }
}

/// Whether a contact has said a key by which they redeem.
///
/// # Errors
/// [`ReadError`].
pub fn has_tab_key(read: &dyn Read, currency: CurrencyId, contact: IdentityId) -> Result<bool, ReadError> {
    let payee: Option<Payee> = find(read, &Key::Payee(currency, contact))?;
    Ok(payee.is_some_and(|payee| payee.tab_key.is_some()))
}

/// What a payment by voucher is called, and its tab.
#[must_use]
pub fn tab_payment_of(payment: &TabPayment) -> Option<(EntryHash, AccountId)> {
    let voucher = kinfolk_ledger::escrow::Voucher::decode(&payment.voucher).ok()?;
    Some((voucher.name(), voucher.tab))
}

/// How far a payment by voucher has come: at no risk up to what is in the tab, final once it is redeemed, and refused where the
/// tab ended without it.
pub(super) fn state_of(read: &dyn Read, part: TabPart, movement: &Movement) -> Result<Option<PaymentState>, ReadError> {
    let Some(total) = part.total else { return Ok(None) };
    let row: Option<Tab> = find(read, &Key::Tab(part.tab))?;
    let Some(holding) = row.and_then(|row| row.holding) else { return Ok(Some(PaymentState::Refused)) };
    let state = holding.state();
    Ok(Some(if state.redeemed() >= total {
        PaymentState::Final
    } else if state.is_closed() {
        PaymentState::Refused
    } else if is_late(&holding, movement.at) {
        // It came too late to be safe, and is being redeemed.
        PaymentState::Voting
    } else {
        PaymentState::Tab
    }))
}

fn is_late(holding: &Holding, at: Timestamp) -> bool {
    at.after(MARGIN) >= holding.opening().tab().expires
}

fn view(read: &dyn Read, tab: AccountId, row: Tab, now: Timestamp) -> Result<Option<TabView>, ReadError> {
    let Some(currency) = find::<Currency>(read, &Key::Currency(row.currency))? else { return Ok(None) };
    let damaged = |reason: String| ReadError::Damaged { table: Table::Tab, reason };
    let policy = loaded(&currency).map_err(|refusal| damaged(refusal.to_string()))?;
    let contact = match row.contact {
        Some(contact) => find::<Contact>(read, &Key::Contact(contact))?.map(|known| (contact, known.name)),
        None => None,
    };
    let Some(holding) = row.holding else {
        let Some((expires, funded)) = unfunded(read, row.currency, row.funding)? else { return Ok(None) };
        return Ok(Some(TabView {
            tab,
            currency: row.currency,
            policy,
            is_own: true,
            contact,
            at: row.at,
            expires,
            funded,
            promised: 0,
            redeemed: 0,
            left: funded,
            state: TabState::Opening,
            is_adopted: row.is_adopted,
        }));
    };
    let state = match holding.state().is_closed() {
        true => TabState::Closed,
        false if holding.is_under_way() => TabState::Settling,
        false if is_late(&holding, now) => TabState::Expired,
        false => TabState::Open,
    };
    Ok(Some(TabView {
        tab,
        currency: row.currency,
        policy,
        is_own: holding.side() == Proposer::Payer,
        contact,
        at: row.at,
        expires: holding.opening().tab().expires,
        funded: holding.state().funded().units(),
        promised: holding.promised(),
        redeemed: holding.state().redeemed(),
        left: holding.left(),
        state,
        is_adopted: row.is_adopted,
    }))
}

/// When a tab expires that is not funded yet, and with how much it will be.
fn unfunded(read: &dyn Read, currency: CurrencyId, entry: EntryHash) -> Result<Option<(Timestamp, u64)>, ReadError> {
    let Some(place) = find::<MovementPlace>(read, &Key::MovementPlace(entry))? else { return Ok(None) };
    let Some(movement) = find::<Movement>(read, &Key::Movement(currency, place.number))? else { return Ok(None) };
    let Some(seq) = movement.seq else { return Ok(None) };
    let own: Option<OwnEntry> = find(read, &Key::OwnEntry(currency, seq))?;
    let opening = own.and_then(|own| Opening::of(&own.entry, 0));
    Ok(opening.map(|opening| (opening.tab().expires, movement.amount.units())))
}
