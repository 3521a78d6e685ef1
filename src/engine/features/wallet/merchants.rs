//! Who may take card money: asking the issuer, certifying, and what is paid with it (docs/protocol/12-wallet.md, section 8).
//!
//! A merchant asks the issuer, who says yes by hand: nobody is certified or renewed without the issuer's person. The
//! certificate goes with *pay to* and with invoices to whoever pays, since it stands in the output that it allows.

use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::entry::{Class, MerchantCert, Out};
use kinfolk_ledger::policy::LoadedPolicy;
use kinfolk_wire::content::{Body, MerchantCertificate, MerchantCertified, MerchantWanted};
use kinfolk_wire::ids::{AccountId, CurrencyId, IdentityId, NoteHash};
use kinfolk_wire::time::{Span, Timestamp};

use super::book::{Book, secret};
use super::{currencies, orders, receiving};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::services::directory;
use crate::step::{Rejection, Step};
use crate::store::{Account, Alarm, Key, Merchant, Movement, MovementKind, Row, Scan};

/// For how many days a merchant is certified, at the least and at the most.
const LEAST: u64 = 2;
const MOST: u64 = 1_096;
/// A payment may wait for its quorum, and is never replaced: one that stands on a certificate is signed no later than so
/// long before its end.
pub(crate) const SPENT_BEFORE: Span = Span::from_days(1);
/// The issuer is asked again so long before the end, or when a third of the time is left where that is less.
const RENEWED_BEFORE: Span = Span::from_days(30);
/// How often a certificate is looked after, and the issuer asked again.
pub(crate) const LONGEST_WAIT: Span = Span::from_days(7);

/// Asks the issuer of a currency for a certificate.
pub(crate) fn register(step: &mut Step<'_>, which: &str, issuer: Option<IdentityId>) -> Result<CurrencyId, Refusal> {
    let book = Book::open(step, currencies::find(&step.reads(), which)?)?;
    let policy = book.policy.policy();
    let code = policy.code.to_string();
    if book.is_issuing() {
        return Err(Refusal::IssuerIsNoMerchant(code));
    }
    if !policy.classes.contains(&Class::Card) {
        return Err(Refusal::NoCardMoney(code));
    }
    book.searched()?;
    if let Some(stopped) = &book.account.stopped {
        return Err(Refusal::AccountStopped(Box::new(stopped.clone())));
    }
    let before = own(step, book.id)?;
    let known = match (issuer, &before) {
        (Some(issuer), _) => Some(issuer),
        (None, Some(before)) => Some(before.issuer),
        (None, None) => minter(step, book.id)?,
    };
    let Some(issuer) = known else { return Err(Refusal::IssuerUnknown(code)) };
    orders::payable(step, issuer)?;
    let account = book.account.account;
    let before = before.filter(|before| before.account == account);
    let merchant = Merchant {
        account,
        issuer,
        asked_at: Some(step.now),
        certificate: before.and_then(|before| before.certificate),
        look_at: before.and_then(|before| before.look_at),
    };
    ask(step, book.id, merchant)?;
    Ok(book.id)
}

fn ask(step: &mut Step<'_>, currency: CurrencyId, merchant: Merchant) -> Result<(), Refusal> {
    let own = step.profile()?.identity;
    step.put(Key::Merchant(currency, own), merchant);
    currencies::say(
        step,
        merchant.issuer,
        &Body::MerchantWanted(MerchantWanted { currency, account: merchant.account }),
    )?;
    step.emit(Event::MerchantChanged(currency, own))
}

/// This person as a merchant.
fn own(step: &Step<'_>, currency: CurrencyId) -> Result<Option<Merchant>, Refusal> {
    step.find(&Key::Merchant(currency, step.profile()?.identity))
}

/// Who made money for this person, which the issuer alone does.
fn minter(step: &Step<'_>, currency: CurrencyId) -> Result<Option<IdentityId>, Refusal> {
    let rows = step.scan(&Scan::movements(currency, usize::MAX))?.rows;
    Ok(rows.into_iter().find_map(|(_, row)| match row {
        Row::Movement(Movement { kind: MovementKind::Minted, seq: None, contact, .. }) => contact,
        _ => None,
    }))
}

/// A contact asks to be certified. The person is told, and decides.
pub(crate) fn wanted(step: &mut Step<'_>, from: IdentityId, wanted: MerchantWanted) -> Result<(), Refusal> {
    let MerchantWanted { currency, account } = wanted;
    let is_open = directory::find(step, from)?.is_some_and(|contact| directory::is_open(&contact));
    let book = Book::open(step, currency).ok().filter(|book| is_open && book.is_issuing());
    let Some(book) = book.filter(|book| book.account.account != account) else {
        step.reject(Rejection::Misplaced);
        return Ok(());
    };
    let before: Option<Merchant> = step.find(&Key::Merchant(book.id, from))?;
    let same = before.filter(|before| before.account == account);
    // Who asks again before there is an answer says nothing new.
    if same.is_some_and(|before| before.asked_at.is_some()) {
        return Ok(());
    }
    let certificate = same.and_then(|before| before.certificate);
    let issuer = step.profile()?.identity;
    let merchant = Merchant { account, issuer, asked_at: Some(step.now), certificate, look_at: None };
    step.put(Key::Merchant(book.id, from), merchant);
    step.emit(Event::MerchantChanged(book.id, from))
}

/// Certifies a contact who has asked for it.
pub(crate) fn certify(
    step: &mut Step<'_>,
    contact: IdentityId,
    which: &str,
    lifetime: Span,
) -> Result<CurrencyId, Refusal> {
    let book = Book::open(step, currencies::find(&step.reads(), which)?)?;
    let code = book.policy.policy().code.to_string();
    let Some(issuer) = &book.currency.issuer else { return Err(Refusal::NotIssuer(code)) };
    if lifetime < Span::from_days(LEAST) || lifetime > Span::from_days(MOST) {
        return Err(Refusal::CertificateDays { least: LEAST, most: MOST });
    }
    let name = orders::payable(step, contact)?;
    let Some(merchant) = step.find::<Merchant>(&Key::Merchant(book.id, contact))? else {
        return Err(Refusal::NotRegistered { name, code });
    };
    let (currency, account) = (book.id, merchant.account);
    let signed = MerchantCert::sign(&secret(issuer), currency, account, step.now.after(lifetime));
    let certificate = MerchantCertificate { expires: signed.expires, signature: signed.signature };
    let kept = Merchant { asked_at: None, certificate: Some((certificate, step.now)), ..merchant };
    step.put(Key::Merchant(currency, contact), kept);
    let body = Body::MerchantCertified(MerchantCertified { currency, account, certificate });
    currencies::say(step, contact, &body)?;
    step.emit(Event::MerchantChanged(currency, contact))?;
    Ok(currency)
}

/// The issuer's word has come. Those who were told where money goes are told that they may pay with card money.
pub(crate) fn certified(step: &mut Step<'_>, from: IdentityId, said: MerchantCertified) -> Result<(), Refusal> {
    let MerchantCertified { currency, account, certificate } = said;
    let merchant = own(step, currency)?.filter(|own| own.issuer == from && own.account == account);
    let book = Book::open(step, currency).ok().filter(|book| book.account.account == account);
    let (Some(merchant), Some(book)) = (merchant, book) else {
        step.reject(Rejection::Misplaced);
        return Ok(());
    };
    let is_newer = merchant.certificate.is_none_or(|(before, _)| before.expires < certificate.expires);
    if !is_newer || certificate.expires <= step.now || genuine(&book.policy, account, certificate).is_none() {
        step.reject(Rejection::Misplaced);
        return Ok(());
    }
    let kept = Merchant { asked_at: None, certificate: Some((certificate, step.now)), ..merchant };
    look_again(step, currency, kept)?;
    for (key, _) in step.scan(&Scan::told(currency, usize::MAX))?.rows {
        if let Key::Told(_, contact) = key
            && directory::find(step, contact)?.is_some_and(|contact| directory::is_open(&contact))
        {
            step.contain(|step| receiving::say_account(step, &book, contact))?;
        }
    }
    let own = step.profile()?.identity;
    step.emit(Event::MerchantChanged(currency, own))
}

/// Keeps this person's row, and looks after it in a week or when the certificate ends.
fn look_again(step: &mut Step<'_>, currency: CurrencyId, merchant: Merchant) -> Result<(), Refusal> {
    let next = step.now.after(LONGEST_WAIT);
    let due = merchant.certificate.map_or(next, |(certificate, _)| next.min(certificate.expires.max(step.now)));
    step.set_alarm(Alarm::Merchant(currency), merchant.look_at, due);
    let own = step.profile()?.identity;
    step.put(Key::Merchant(currency, own), Merchant { look_at: Some(due), ..merchant });
    Ok(())
}

/// A certificate that ends soon is asked for anew. The issuer's person decides as they did the first time.
pub(crate) fn look_after(step: &mut Step<'_>, currency: CurrencyId) -> Result<(), Refusal> {
    let Some(merchant) = own(step, currency)? else { return Ok(()) };
    let merchant = Merchant { look_at: None, ..merchant };
    let own = step.profile()?.identity;
    let account: Option<Account> = step.find(&Key::Account(currency))?;
    let is_own = account.is_some_and(|account| account.account == merchant.account);
    let Some((certificate, since)) = merchant.certificate.filter(|(said, _)| is_own && said.expires > step.now) else {
        step.put(Key::Merchant(currency, own), merchant);
        return step.emit(Event::MerchantChanged(currency, own));
    };
    look_again(step, currency, merchant)?;
    let third = certificate.expires.since(since).as_millis() / 3;
    let ahead = Span::from_millis(third.min(RENEWED_BEFORE.as_millis()));
    let is_open = directory::find(step, merchant.issuer)?.is_some_and(|issuer| directory::is_open(&issuer));
    if is_open && certificate.expires <= step.now.after(ahead) {
        let asked_at = merchant.asked_at.or(Some(step.now));
        let look_at = self::own(step, currency)?.and_then(|own| own.look_at);
        ask(step, currency, Merchant { asked_at, look_at, ..merchant })?;
    }
    Ok(())
}

/// The certificate of this person's account, while it is good.
pub(super) fn own_certificate(step: &Step<'_>, book: &Book) -> Result<Option<MerchantCertificate>, Refusal> {
    let merchant = own(step, book.id)?.filter(|own| own.account == book.account.account);
    let certificate = merchant.and_then(|merchant| merchant.certificate).map(|(certificate, _)| certificate);
    Ok(certificate.filter(|certificate| certificate.expires > step.now))
}

/// The certificate as the ledger has it, where the issuer signed it for this account.
pub(crate) fn genuine(
    policy: &LoadedPolicy,
    account: AccountId,
    certificate: MerchantCertificate,
) -> Option<MerchantCert> {
    let MerchantCertificate { expires, signature } = certificate;
    MerchantCert { expires, signature }.unverified(&policy.policy().issuer, policy.currency(), account).verify().ok()
}

/// Whether a payment may be signed now that stands on a certificate.
pub(crate) fn is_usable(certificate: MerchantCertificate, now: Timestamp) -> bool {
    certificate.expires > now.after(SPENT_BEFORE)
}

/// How much of a payment is card money, and how much cash: card money first, and no part below the least output.
pub(super) fn split(amount: u64, card: u64, least: u64) -> (u64, u64) {
    let card = match amount.min(card) {
        whole if whole == amount => whole,
        part if amount.saturating_sub(part) >= least => part,
        // The cash that is left would be too little to be paid.
        _ => amount.saturating_sub(least),
    };
    let card = if card < least { 0 } else { card };
    (card, amount.saturating_sub(card))
}

/// The outputs of a payment to an account.
pub(super) fn outputs(
    book: &Book,
    account: AccountId,
    certificate: Option<MerchantCert>,
    (card, cash): (u64, u64),
    invoice: Option<NoteHash>,
) -> Vec<Out> {
    let policy = book.policy.policy();
    let part = |class: Class, units: u64| {
        let merchant = certificate.filter(|_| class == Class::Card);
        Amount::new(units).ok().map(|amount| Out { class, merchant, invoice, ..Out::cash(account, amount) })
    };
    debug_assert!(policy.classes.contains(&Class::Card) || card == 0, "card money of a currency that has none");
    [part(Class::Card, card), part(Class::Free, cash)].into_iter().flatten().collect()
}
