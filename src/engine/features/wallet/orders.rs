//! What a person wants done with money.

use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::entry::{Claim, Class, Ctl, Out};
use kinfolk_ledger::receipt_file::memo_hash;
use kinfolk_wire::content::{AccountWanted, Body, Memo, MerchantCertificate, Text};
use kinfolk_wire::ids::{AccountId, EntryHash, IdentityId, NoteHash};

use super::book::{Book, Order};
use super::{changed, currencies, merchants, promising, settling};
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

fn payee_of(step: &Step<'_>, book: &Book, contact: IdentityId) -> Result<Payee, Refusal> {
    let name = payable(step, contact)?;
    let payee: Option<Payee> = step.find(&Key::Payee(book.id, contact))?;
    let code = || book.policy.policy().code.to_string();
    payee.ok_or_else(|| Refusal::AccountUnknown { name, code: code() })
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
        Some(contact) => payee_of(step, &book, contact)?.account,
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

/// Pays a contact: a merchant with card money first, everybody else in cash.
pub(crate) fn pay(
    step: &mut Step<'_>,
    contact: IdentityId,
    amount: &str,
    which: &str,
    memo: Option<Text>,
) -> Result<EntryHash, Refusal> {
    let mut book = Book::open(step, currencies::find(&step.reads(), which)?)?;
    let amount = currencies::amount(amount, book.policy.policy().decimals)?;
    let Payee { account, certificate, .. } = payee_of(step, &book, contact)?;
    transfer(step, &mut book, Transfer { contact, account, certificate, amount, memo, invoice: None })
}

/// Money that goes to a contact.
pub(super) struct Transfer {
    pub(super) contact: IdentityId,
    pub(super) account: AccountId,
    /// What lets them take card money, where they are a merchant.
    pub(super) certificate: Option<MerchantCertificate>,
    pub(super) amount: Amount,
    pub(super) memo: Option<Text>,
    /// The invoice that it pays.
    pub(super) invoice: Option<NoteHash>,
}

pub(super) fn transfer(step: &mut Step<'_>, book: &mut Book, transfer: Transfer) -> Result<EntryHash, Refusal> {
    let Transfer { contact, account, certificate, amount, memo, invoice } = transfer;
    let memo = memo.map(|text| Memo { text, salt: step.random() });
    let genuine = certificate.and_then(|certificate| merchants::genuine(&book.policy, account, certificate));
    let usable = genuine.filter(|_| certificate.is_some_and(|said| merchants::is_usable(said, step.now)));
    let least = book.policy.policy().limits.min_out.units();
    let (card, cash) = match usable {
        Some(_) => merchants::split(amount.units(), book.at_hand(step, Class::Card)?, least),
        None => (0, amount.units()),
    };
    let outs = merchants::outputs(book, account, usable, (card, cash), invoice);
    let order = Order { outs, memo_hash: memo.as_ref().map(memo_hash), ..Order::default() };
    let class = if cash == 0 { Class::Card } else { Class::Free };
    let (kind, contact) = (MovementKind::Paid, Some(contact));
    let going = Going { kind, amount, class, account, contact, memo, refund_of: None, invoice };
    match go(step, book, order, going) {
        Err(Refusal::NotEnough { available, needed, .. }) => {
            let certified = (genuine.is_some(), usable.is_some());
            Err(too_little(step, book, contact, certified, (amount, available, needed))?)
        }
        done => done,
    }
}

/// Why there is not enough for a payment, and whether card money could have been used.
fn too_little(
    step: &Step<'_>,
    book: &Book,
    contact: Option<IdentityId>,
    (is_merchant, is_usable): (bool, bool),
    (amount, available, needed): (Amount, String, String),
) -> Result<Refusal, Refusal> {
    let card = book.at_hand(step, Class::Card)?;
    if is_usable && card > 0 {
        let available = book.at_hand(step, Class::Free)?.saturating_add(card);
        let (available, needed) = (book.text(available), book.text(amount.units()));
        return Ok(Refusal::NotEnough { class: "money", available, needed });
    }
    match contact {
        Some(contact) if is_merchant && card > 0 => {
            let (name, code) = (payable(step, contact)?, book.policy.policy().code.to_string());
            Ok(Refusal::CertificateOver { name, code })
        }
        _ => book.too_little(step, available, needed),
    }
}

/// Pays back what came by an entry, as far as that was not done already: each part as the class that it was.
pub(crate) fn refund(step: &mut Step<'_>, entry: EntryHash) -> Result<EntryHash, Refusal> {
    let place: MovementPlace = step.find(&Key::MovementPlace(entry))?.ok_or(Refusal::UnknownPayment)?;
    let mut book = Book::open(step, place.currency)?;
    let came: Movement = step.find(&Key::Movement(place.currency, place.number))?.ok_or(Refusal::UnknownPayment)?;
    if came.tab.is_some() {
        return Err(Refusal::NotRefundable("it is of a tab; pay it back as a payment of your own"));
    }
    if came.seq.is_none() && came.receipt.is_none() {
        return Err(Refusal::NotRefundable("it is not final; once it is, it can be paid back"));
    }
    let why = match came.kind {
        MovementKind::Received => None,
        MovementKind::Minted => Some("new money is not paid back"),
        MovementKind::RefundReceived => Some("it is a refund itself"),
        _ => Some("it went from here"),
    };
    if let Some(why) = why {
        return Err(Refusal::NotRefundable(why));
    }
    let mut outs = Vec::new();
    for claim in &came.claims {
        let refunded = book.account.state.as_ref().map_or(0, |state| state.refunded().of(&claim.out));
        let Ok(amount) = Amount::new(claim.amt.units().saturating_sub(refunded)) else { continue };
        let class = paid_as(&came, claim);
        outs.push(Out { class, refund_of: Some(claim.out), ..Out::cash(claim.out.chain, amount) });
    }
    let sum = outs.iter().map(|out| out.amt.units()).fold(0, u64::saturating_add);
    let (Ok(amount), Some(refunds)) = (Amount::new(sum), outs.first().and_then(|out| out.refund_of)) else {
        return Err(Refusal::NotRefundable("all of it was paid back already"));
    };
    let account = refunds.chain;
    let class = if outs.iter().all(|out| out.class == Class::Card) { Class::Card } else { Class::Free };
    let order = Order { outs, about: Some(place.number), ..Order::default() };
    let (kind, refund_of) = (MovementKind::Refunded, Some((refunds, entry)));
    let going = Going { kind, amount, class, account, contact: came.contact, memo: None, refund_of, invoice: None };
    go(step, &mut book, order, going)
}

/// The class of what was claimed, as its payer paid it: a merchant's card money is cash to them, and goes back as what it
/// was.
fn paid_as(came: &Movement, claim: &Claim) -> Class {
    let outs = came.receipt.as_ref().map(|receipt| &receipt.entry.body().outs);
    outs.and_then(|outs| outs.get(usize::from(claim.out.idx))).map_or(came.class, |out| out.class)
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
    let movement = Movement {
        entry,
        kind,
        at,
        amount,
        class,
        account,
        contact,
        memo,
        claims,
        receipt,
        seq,
        refund_of,
        invoice,
        tab,
    };
    step.put(Key::Movement(book.id, number), movement);
    step.put(Key::MovementPlace(entry), MovementPlace { currency: book.id, number });
    changed(step, book.id, entry)?;
    promising::expect(step, entry);
    settling::take(step, book)?;
    Ok(entry)
}
