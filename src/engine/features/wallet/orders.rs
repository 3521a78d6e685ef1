//! What a person wants done with money.

use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::entry::{Class, Ctl, Out};
use kinfolk_ledger::receipt_file::memo_hash;
use kinfolk_wire::content::{AccountWanted, Body, Memo, Text};
use kinfolk_wire::ids::{AccountId, EntryHash, IdentityId, NoteHash};

use super::book::{Book, Order};
use super::{changed, currencies, settling};
use crate::refusal::Refusal;
use crate::services::directory;
use crate::step::Step;
use crate::store::{Key, Movement, MovementKind, MovementPlace, Payee};

/// Asks a contact where payments in a currency go.
pub(crate) fn ask_account(step: &mut Step<'_>, contact: IdentityId, which: &str) -> Result<(), Refusal> {
    let currency = Book::open(step, currencies::find(&step.reads(), which)?)?.id;
    payable(step, contact)?;
    currencies::say(step, contact, &Body::AccountWanted(AccountWanted { currency }))
}

/// The name of a contact with whom there can be money.
pub(super) fn payable(step: &Step<'_>, contact: IdentityId) -> Result<String, Refusal> {
    let contact = directory::contact(step, contact)?;
    let name = contact.name.to_string();
    match directory::is_open(&contact) {
        true => Ok(name),
        false if contact.blocked => Err(Refusal::Blocked(name)),
        false => Err(Refusal::NotAccepted(name)),
    }
}

fn account_of(step: &Step<'_>, book: &Book, contact: IdentityId) -> Result<AccountId, Refusal> {
    let name = payable(step, contact)?;
    let payee: Option<Payee> = step.find(&Key::Payee(book.id, contact))?;
    let code = || book.policy.policy().code.to_string();
    payee.map(|payee| payee.account).ok_or_else(|| Refusal::AccountUnknown { name, code: code() })
}

/// Makes money, for oneself or for a contact.
pub(crate) fn mint(
    step: &mut Step<'_>,
    which: &str,
    amount: &str,
    to: Option<IdentityId>,
    class: Class,
) -> Result<EntryHash, Refusal> {
    let mut book = Book::open(step, currencies::find(&step.reads(), which)?)?;
    let code = book.policy.policy().code.to_string();
    if !book.is_issuing() {
        return Err(Refusal::NotIssuer(code));
    }
    if class == Class::Card && to.is_none() {
        return Err(Refusal::CardToIssuer);
    }
    let amount = currencies::amount(amount, book.policy.policy().decimals)?;
    let account = match to {
        Some(contact) => account_of(step, &book, contact)?,
        None => book.account.account,
    };
    let out = Out { class, ..Out::cash(account, amount) };
    let order = Order { outs: vec![out], ctl: Some(Ctl::Mint { class }), ..Order::default() };
    let going = Going {
        kind: MovementKind::Minted,
        amount,
        class,
        account,
        contact: to,
        memo: None,
        refund_of: None,
        invoice: None,
    };
    go(step, &mut book, order, going)
}

/// Pays a contact in cash.
pub(crate) fn pay(
    step: &mut Step<'_>,
    contact: IdentityId,
    amount: &str,
    which: &str,
    memo: Option<Text>,
) -> Result<EntryHash, Refusal> {
    let mut book = Book::open(step, currencies::find(&step.reads(), which)?)?;
    let amount = currencies::amount(amount, book.policy.policy().decimals)?;
    let account = account_of(step, &book, contact)?;
    transfer(step, &mut book, Transfer { contact, account, amount, memo, invoice: None })
}

/// Cash that goes to a contact.
pub(super) struct Transfer {
    pub(super) contact: IdentityId,
    pub(super) account: AccountId,
    pub(super) amount: Amount,
    pub(super) memo: Option<Text>,
    /// The invoice that it pays.
    pub(super) invoice: Option<NoteHash>,
}

pub(super) fn transfer(step: &mut Step<'_>, book: &mut Book, transfer: Transfer) -> Result<EntryHash, Refusal> {
    let Transfer { contact, account, amount, memo, invoice } = transfer;
    let memo = memo.map(|text| Memo { text, salt: step.random() });
    let out = Out { invoice, ..Out::cash(account, amount) };
    let order = Order { outs: vec![out], memo_hash: memo.as_ref().map(memo_hash), ..Order::default() };
    let (kind, class, contact) = (MovementKind::Paid, Class::Free, Some(contact));
    let going = Going { kind, amount, class, account, contact, memo, refund_of: None, invoice };
    match go(step, book, order, going) {
        Err(Refusal::NotEnough { available, needed, .. }) => Err(book.too_little(step, available, needed)?),
        done => done,
    }
}

/// Pays back what came by an entry, as far as that was not done already.
pub(crate) fn refund(step: &mut Step<'_>, entry: EntryHash) -> Result<EntryHash, Refusal> {
    let place: MovementPlace = step.find(&Key::MovementPlace(entry))?.ok_or(Refusal::UnknownPayment)?;
    let mut book = Book::open(step, place.currency)?;
    let came: Movement = step.find(&Key::Movement(place.currency, place.number))?.ok_or(Refusal::UnknownPayment)?;
    if came.tab.is_some() {
        return Err(Refusal::NotRefundable("it is of a tab; pay it back as a payment of your own"));
    }
    let [claim] = came.claims[..] else { return Err(Refusal::NotRefundable("it came in several parts")) };
    let why = match came.kind {
        MovementKind::Received => None,
        MovementKind::Minted => Some("new money is not paid back"),
        MovementKind::RefundReceived => Some("it is a refund itself"),
        _ => Some("it went from here"),
    };
    if let Some(why) = why {
        return Err(Refusal::NotRefundable(why));
    }
    let refunded = book.account.state.as_ref().map_or(0, |state| state.refunded().of(&claim.out));
    let Ok(amount) = Amount::new(came.amount.units().saturating_sub(refunded)) else {
        return Err(Refusal::NotRefundable("all of it was paid back already"));
    };
    let account = claim.out.chain;
    let out = Out { class: came.class, refund_of: Some(claim.out), ..Out::cash(account, amount) };
    let order = Order { outs: vec![out], about: Some(place.number), ..Order::default() };
    let (kind, refund_of) = (MovementKind::Refunded, Some((claim.out, entry)));
    let going =
        Going { kind, amount, class: came.class, account, contact: came.contact, memo: None, refund_of, invoice: None };
    go(step, &mut book, order, going)
}

struct Going {
    kind: MovementKind,
    amount: Amount,
    class: Class,
    account: AccountId,
    contact: Option<IdentityId>,
    memo: Option<Memo>,
    refund_of: Option<(kinfolk_ledger::entry::OutRef, EntryHash)>,
    invoice: Option<NoteHash>,
}

/// Signs and keeps an entry, notes the movement that it is, and takes it to the witnesses.
fn go(step: &mut Step<'_>, book: &mut Book, order: Order, going: Going) -> Result<EntryHash, Refusal> {
    let number = book.next_movement();
    let entry = book.sign(step, order, Some(number))?;
    let Going { kind, amount, class, account, contact, memo, refund_of, invoice } = going;
    let seq = Some(book.signed().saturating_sub(1));
    let (at, claims, receipt) = (step.now, Vec::new(), None);
    let tab = None;
    let movement =
        Movement { entry, kind, at, amount, class, account, contact, memo, claims, receipt, seq, refund_of, invoice, tab };
    step.put(Key::Movement(book.id, number), movement);
    step.put(Key::MovementPlace(entry), MovementPlace { currency: book.id, number });
    changed(step, book.id, entry)?;
    settling::take(step, book)?;
    Ok(entry)
}
