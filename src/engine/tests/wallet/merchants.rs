//! Card money: who may take it, what is paid with it, and what comes back.

use kinfolk_engine::Refusal;
use kinfolk_engine::input::{Command, NewInvoice};
use kinfolk_engine::query::{self, MerchantView, PaymentState};
use kinfolk_engine::store::{Changes, Currency, Key, Merchant, MovementKind};
use kinfolk_engine::{Answer, Rejection};
use kinfolk_ledger::entry::MerchantCert;
use kinfolk_ledger::signature::SecretKey;
use kinfolk_wire::content::{Body, MerchantCertificate, MerchantCertified, PayTo};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::{EntryHash, NoteHash, Signature};
use kinfolk_wire::time::Span;

use crate::bank::Bank;
use crate::town::peer;

/// Anna issues; Bea is a merchant, or wants to be; Cora has card money.
const BEA: usize = 1;
const CORA: usize = 2;
const DORA: usize = 3;

const FINAL: (PaymentState, usize) = (PaymentState::Final, 3);

fn register(bank: &mut Bank, who: usize) -> Result<(), Refusal> {
    let issuer = Some(bank.town.people[0].identity);
    let register = Command::RegisterMerchant { currency: "MANGO".to_owned(), issuer };
    bank.order(who, register).map(|_| ())
}

fn certify(bank: &mut Bank, by: usize, who: usize, days: u64) -> Result<(), Refusal> {
    let contact = bank.town.people[who].identity;
    let lifetime = Span::from_days(days);
    bank.order(by, Command::CertifyMerchant { contact, currency: "MANGO".to_owned(), lifetime }).map(|_| ())
}

fn card(bank: &mut Bank, to: usize, amount: &str) -> EntryHash {
    let to = Some(bank.town.people[to].identity);
    let mint = Command::Mint { currency: "MANGO".to_owned(), amount: amount.to_owned(), to, card: true };
    match bank.order(0, mint).unwrap() {
        Answer::Payment(entry) => entry,
        other => panic!("{other:?}"),
    }
}

/// What somebody has: smallest units of cash, and of card money.
fn has(bank: &Bank, who: usize) -> (u64, u64) {
    let balances = query::balances(&bank.town.people[who].store).unwrap();
    let of = |card: bool| balances.iter().find(|view| view.is_card == card).map_or(0, |view| view.units);
    (of(false), of(true))
}

fn shown(bank: &Bank, at: usize, who: usize) -> Option<MerchantView> {
    let merchants = query::merchants(&bank.town.people[at].store, bank.town.now).unwrap();
    merchants.into_iter().find(|view| view.who == bank.town.people[who].identity)
}

fn takes_card(bank: &Bank, payer: usize, payee: usize) -> bool {
    let store = &bank.town.people[payer].store;
    let currency = query::currency(store, "MANGO").unwrap().id;
    query::takes_card(store, currency, bank.town.people[payee].identity, bank.town.now).unwrap()
}

/// A bank in which Bea is a merchant for a year.
fn shop() -> Bank {
    let mut bank = Bank::open();
    register(&mut bank, BEA).unwrap();
    certify(&mut bank, 0, BEA, 365).unwrap();
    bank
}

fn class(bank: &Bank, who: usize, entry: EntryHash) -> (MovementKind, u64, u64) {
    let view = bank.payment(who, entry);
    (view.kind, view.units, view.card)
}

#[test]
fn nobody_takes_card_money_before_the_issuer_has_said_so_by_hand() {
    let mut bank = Bank::open();
    card(&mut bank, CORA, "10");
    assert_eq!(certify(&mut bank, 0, BEA, 365).unwrap_err().code(), "not_registered");
    register(&mut bank, BEA).unwrap();
    bank.pass(Span::from_days(1));
    let (asked, own) = (shown(&bank, 0, BEA).unwrap(), shown(&bank, BEA, BEA).unwrap());
    assert!(asked.asked_at.is_some() && !asked.is_certified && !asked.is_own);
    assert!(own.asked_at.is_some() && !own.is_certified && own.is_own);
    assert_eq!(asked.account, own.account);
    let refused = bank.pay(CORA, BEA, "4").unwrap_err();
    assert!(refused.to_string().contains("card money goes only to merchants"), "{refused}");

    certify(&mut bank, 0, BEA, 365).unwrap();
    for at in [0, BEA] {
        let view = shown(&bank, at, BEA).unwrap();
        assert!(view.is_certified && view.asked_at.is_none(), "{view:?}");
        assert_eq!(view.expires, Some(bank.town.now.after(Span::from_days(365))));
    }
    // Those who were told where Bea's money goes are told of the certificate, unasked.
    assert!(takes_card(&bank, CORA, BEA) && takes_card(&bank, 0, BEA));
    assert!(!takes_card(&bank, CORA, DORA));
    let paid = bank.pay(CORA, BEA, "4").unwrap();
    assert_eq!(bank.state(CORA, paid), FINAL);
}

#[test]
fn card_money_goes_first_and_is_cash_at_the_merchants() {
    let mut bank = shop();
    card(&mut bank, CORA, "10");
    bank.mint("5", Some(CORA)).unwrap();
    assert_eq!(has(&bank, CORA), (500, 1_000));

    let first = bank.pay(CORA, BEA, "4").unwrap();
    assert_eq!((has(&bank, CORA), has(&bank, BEA)), ((500, 600), (400, 0)));
    // The rest of it, and cash.
    let both = bank.pay_for(CORA, BEA, "8.50", Some("shoes")).unwrap();
    assert_eq!((has(&bank, CORA), has(&bank, BEA)), ((250, 0), (1_250, 0)));
    let cash = bank.pay(CORA, BEA, "1").unwrap();
    assert_eq!(has(&bank, BEA), (1_350, 0));
    for (entry, units, card) in [(first, 400, 400), (both, 850, 600), (cash, 100, 0)] {
        assert_eq!(bank.state(CORA, entry), FINAL);
        assert_eq!(class(&bank, CORA, entry), (MovementKind::Paid, units, card));
        assert_eq!(class(&bank, BEA, entry), (MovementKind::Received, units, card));
    }
    assert_eq!(bank.payment(BEA, both).memo.unwrap().as_str(), "shoes");

    // To a person it is cash or nothing.
    card(&mut bank, CORA, "3");
    let refused = bank.pay(CORA, DORA, "2").unwrap_err();
    assert!(refused.to_string().contains("3.00 MANGO of card money goes only to merchants"), "{refused}");
    let enough = bank.pay(CORA, DORA, "1.50").unwrap();
    assert_eq!(class(&bank, DORA, enough), (MovementKind::Received, 150, 0));
    // And too much is too much of both together.
    let refused = bank.pay(CORA, BEA, "3.01").unwrap_err();
    assert_eq!(refused.code(), "not_enough");
    assert!(refused.to_string().contains("there is 3.00 MANGO, 3.01 MANGO is needed"), "{refused}");

    // What the merchant has is cash to anybody.
    let on = bank.pay(BEA, DORA, "13.50").unwrap();
    assert_eq!(bank.state(BEA, on), FINAL);
}

#[test]
fn what_was_paid_with_card_money_comes_back_as_card_money() {
    let mut bank = shop();
    card(&mut bank, CORA, "10");
    bank.mint("5", Some(CORA)).unwrap();
    let both = bank.pay(CORA, BEA, "12").unwrap();
    let card_alone = {
        card(&mut bank, CORA, "2");
        bank.pay(CORA, BEA, "2").unwrap()
    };
    assert_eq!((has(&bank, CORA), has(&bank, BEA)), ((300, 0), (1_400, 0)));

    let back = bank.refund(BEA, both).unwrap();
    assert_eq!(bank.state(BEA, back), FINAL);
    assert_eq!((has(&bank, CORA), has(&bank, BEA)), ((500, 1_000), (200, 0)));
    assert_eq!(class(&bank, CORA, back), (MovementKind::RefundReceived, 1_200, 1_000));
    assert_eq!(class(&bank, BEA, back), (MovementKind::Refunded, 1_200, 1_000));
    assert_eq!(bank.payment(CORA, back).refund_of, Some(both));
    assert_eq!(bank.refund(BEA, both).unwrap_err().code(), "not_refundable");

    let back = bank.refund(BEA, card_alone).unwrap();
    assert_eq!(class(&bank, CORA, back), (MovementKind::RefundReceived, 200, 200));
    assert_eq!((has(&bank, CORA), has(&bank, BEA)), ((500, 1_200), (0, 0)));
    // It is card money as it was before: for merchants alone.
    assert_eq!(bank.pay(CORA, DORA, "6").unwrap_err().code(), "not_enough");
    let again = bank.pay(CORA, BEA, "12").unwrap();
    assert_eq!(class(&bank, BEA, again), (MovementKind::Received, 1_200, 1_200));
}

fn invoice(bank: &mut Bank, contact: Option<usize>, amount: &str) -> (NoteHash, String) {
    let contact = contact.map(|who| bank.town.people[who].identity);
    let lifetime = Span::from_days(300);
    let (amount, currency) = (amount.to_owned(), "MANGO".to_owned());
    let new = NewInvoice { contact, amount, currency, memo: None, lifetime };
    let Answer::Invoice(id) = bank.order(BEA, Command::CreateInvoice(new)).unwrap() else { panic!("no invoice") };
    let view = query::invoice(&bank.town.people[BEA].store, id, bank.town.now).unwrap().unwrap();
    (id, view.link.to_string())
}

#[test]
fn an_invoice_of_a_merchant_is_paid_with_card_money_by_whoever_has_its_link() {
    let mut bank = shop();
    card(&mut bank, CORA, "10");
    bank.mint("5", Some(CORA)).unwrap();
    let (id, link) = invoice(&mut bank, None, "12");
    // The payer knows nothing of the certificate but what the invoice says.
    let currency = query::currency(&bank.town.people[CORA].store, "MANGO").unwrap().id;
    let bea = bank.town.people[BEA].identity;
    let mut changes = Changes::default();
    changes.delete(Key::Payee(currency, bea));
    bank.town.people[CORA].store.commit(&changes);
    let Answer::Payment(paid) = bank.order(CORA, Command::PayInvoice(link)).unwrap() else { panic!("no payment") };
    assert_eq!(bank.state(CORA, paid), FINAL);
    assert_eq!(class(&bank, BEA, paid), (MovementKind::Received, 1_200, 1_000));
    let settled = query::invoice(&bank.town.people[BEA].store, id, bank.town.now).unwrap().unwrap();
    assert_eq!((settled.state, settled.entry), (query::InvoiceState::Paid, Some(paid)));
    assert_eq!(bank.payment(BEA, paid).invoice, Some(id));
}

#[test]
fn e08_a_certificate_is_renewed_by_hand_before_it_ends_and_refused_once_it_is_over() {
    let mut bank = Bank::open();
    register(&mut bank, BEA).unwrap();
    certify(&mut bank, 0, BEA, 90).unwrap();
    card(&mut bank, CORA, "10");
    let ends = shown(&bank, BEA, BEA).unwrap().expires.unwrap();
    let (old, old_link) = invoice(&mut bank, Some(CORA), "1");
    bank.pass(Span::from_days(55));
    assert_eq!(shown(&bank, 0, BEA).unwrap().asked_at, None);
    // A month before, the issuer is asked again, and says nothing.
    bank.pass(Span::from_days(12));
    assert!(shown(&bank, 0, BEA).unwrap().asked_at.is_some(), "the issuer is asked");
    assert_eq!(shown(&bank, BEA, BEA).unwrap().expires, Some(ends), "and nobody renews it by themself");
    assert!(takes_card(&bank, CORA, BEA));

    // So near to the end that a payment might wait beyond it, it is not begun.
    bank.pass(Span::from_days(22));
    let refused = bank.pay(CORA, BEA, "1").unwrap_err();
    assert_eq!(refused.code(), "certificate_over");
    assert!(refused.to_string().contains("kinfolk wallet merchant register MANGO"), "{refused}");
    bank.pass(Span::from_days(2));
    let over = shown(&bank, BEA, BEA).unwrap();
    assert!(!over.is_certified && over.expires == Some(ends));
    assert_eq!(bank.order(CORA, Command::PayInvoice(old.to_string())).unwrap_err().code(), "certificate_over");
    assert_eq!(bank.order(CORA, Command::PayInvoice(old_link)).unwrap_err().code(), "certificate_over");
    let (id, fresh) = invoice(&mut bank, None, "1");
    let made = query::invoice(&bank.town.people[BEA].store, id, bank.town.now).unwrap().unwrap();
    assert_eq!(made.invoice.certificate, None, "an invoice says no certificate that is over");
    assert!(bank.order(CORA, Command::PayInvoice(fresh)).is_err());
    assert_eq!(has(&bank, CORA), (0, 1_000));

    certify(&mut bank, 0, BEA, 90).unwrap();
    let paid = bank.pay(CORA, BEA, "1").unwrap();
    assert_eq!(bank.state(CORA, paid), FINAL);
    let Answer::Payment(paid) = bank.order(CORA, Command::PayInvoice(old.to_string())).unwrap() else {
        panic!("no payment")
    };
    assert_eq!(class(&bank, BEA, paid), (MovementKind::Received, 100, 100), "with the certificate that is good now");
}

#[test]
fn who_asks_in_vain_is_told_why() {
    let mut bank = Bank::open();
    let before = bank.town.kept(BEA);
    let unnamed = Command::RegisterMerchant { currency: "MANGO".to_owned(), issuer: None };
    assert_eq!(bank.order(BEA, unnamed.clone()).unwrap_err().code(), "issuer_unknown");
    assert_eq!(bank.order(0, unnamed.clone()).unwrap_err().code(), "issuer_no_merchant");
    assert_eq!(bank.town.kept(BEA), before);
    assert_eq!(certify(&mut bank, BEA, CORA, 365).unwrap_err().code(), "not_issuer");
    register(&mut bank, BEA).unwrap();
    for days in [0, 1, 1_097] {
        let refused = certify(&mut bank, 0, BEA, days).unwrap_err();
        assert_eq!(refused.code(), "invalid_days");
        assert!(refused.to_string().contains("2 to 1096 days"), "{refused}");
    }
    // Who made money for somebody issues the currency.
    bank.mint("1", Some(CORA)).unwrap();
    bank.order(CORA, unnamed).unwrap();
    assert_eq!(shown(&bank, CORA, CORA).unwrap().issuer, bank.town.people[0].identity);
    assert!(shown(&bank, 0, CORA).unwrap().asked_at.is_some());
}

fn certificate(bank: &Bank) -> MerchantCertificate {
    let currency = query::currency(&bank.town.people[BEA].store, "MANGO").unwrap().id;
    let row: Merchant = bank.town.row(BEA, &Key::Merchant(currency, bank.town.people[BEA].identity)).unwrap();
    row.certificate.unwrap().0
}

fn say(bank: &mut Bank, by: usize, to: usize, body: Body) -> Vec<Rejection> {
    let content = bank.town.content(by, to, 0, body);
    let payload = bank.town.forge(by, to, &content);
    bank.town.receive(to, peer(by), FrameKind::Payload, payload).rejections
}

/// A certificate that was altered, of another account, of another issuer, or that nobody asked for.
#[test]
fn e03_a_certificate_that_is_not_the_issuers_word_for_this_account_counts_for_nothing() {
    let mut bank = shop();
    card(&mut bank, CORA, "10");
    let store = &bank.town.people[CORA].store;
    let currency = query::currency(store, "MANGO").unwrap().id;
    let of = |who: usize| query::currency(&bank.town.people[who].store, "MANGO").unwrap().account.unwrap();
    let (bea, dora) = (of(BEA), of(DORA));
    let genuine = certificate(&bank);
    let later = MerchantCertificate { expires: genuine.expires.after(Span::from_days(1)), ..genuine };
    let blank = MerchantCertificate { signature: Signature::new([0; 64]), ..genuine };
    for (by, account, certificate) in [(DORA, dora, genuine), (BEA, bea, later), (BEA, bea, blank)] {
        bank.order(CORA, Command::AskAccount { contact: bank.town.people[by].identity, currency: "MANGO".into() })
            .unwrap();
        say(
            &mut bank,
            by,
            CORA,
            Body::PayTo(PayTo { currency, account, certificate: Some(certificate), tab_key: None }),
        );
        assert!(!takes_card(&bank, CORA, by), "{by}");
        assert_eq!(bank.pay(CORA, by, "1").unwrap_err().code(), "not_enough");
    }
    // To the merchant: nobody else's word, though the issuer signed it, nor an altered one, nor one that was not asked for.
    let row: Currency = bank.town.row(0, &Key::Currency(currency)).unwrap();
    let issuer = SecretKey::from_seed(row.issuer.unwrap().as_slice().try_into().unwrap());
    let MerchantCert { expires, signature } = MerchantCert::sign(&issuer, currency, bea, later.expires);
    let newer = MerchantCertificate { expires, signature };
    let expires = shown(&bank, BEA, BEA).unwrap().expires;
    for (by, to, account, certificate) in
        [(0, BEA, bea, later), (CORA, BEA, bea, newer), (0, BEA, dora, genuine), (0, DORA, dora, genuine)]
    {
        let said = Body::MerchantCertified(MerchantCertified { currency, account, certificate });
        assert_eq!(say(&mut bank, by, to, said), [Rejection::Misplaced], "{by} {to}");
    }
    assert_eq!(shown(&bank, BEA, BEA).unwrap().expires, expires);
    assert!(shown(&bank, DORA, DORA).is_none());
    // A request to somebody who issues nothing is none.
    let wanted = kinfolk_wire::content::MerchantWanted { currency, account: bea };
    assert_eq!(say(&mut bank, BEA, DORA, Body::MerchantWanted(wanted)), [Rejection::Misplaced]);
    assert!(shown(&bank, DORA, BEA).is_none());
}

#[test]
fn a_payment_of_both_classes_that_waits_is_the_same_after_a_restart() {
    let mut bank = shop();
    card(&mut bank, CORA, "10");
    bank.mint("5", Some(CORA)).unwrap();
    bank.down.extend([3, 4]);
    let paid = bank.pay(CORA, BEA, "12").unwrap();
    assert_eq!(bank.state(CORA, paid).0, PaymentState::Voting);
    let pending: Vec<(bool, u64, u64)> = query::balances(&bank.town.people[CORA].store)
        .unwrap()
        .iter()
        .map(|view| (view.is_card, view.units, view.pending))
        .collect();
    assert_eq!(pending, [(false, 300, 200), (true, 0, 1_000)]);
    bank.restart(CORA);
    bank.down.clear();
    bank.pass(Span::from_secs(120));
    assert_eq!(bank.state(CORA, paid), FINAL);
    assert_eq!((has(&bank, CORA), has(&bank, BEA)), ((300, 0), (1_200, 0)));
}
