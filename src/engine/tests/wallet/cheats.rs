//! Who pays with nothing, twice, or with somebody else's money.

use kinfolk_engine::query::PaymentState;
use kinfolk_engine::store::Stopped;
use kinfolk_engine::{Rejection, query};
use kinfolk_ledger::policy::{Code, Policy};
use kinfolk_ledger::signature::SecretKey;
use kinfolk_ledger::vote::Receipt;
use kinfolk_wire::content::{Body, CurrencyCard, Memo, Payment, Text};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::time::Span;

use crate::bank::Bank;
use crate::town::peer;

/// Bea has paid Cora 4; the payment as Cora was handed it.
fn paid() -> (Bank, Payment) {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.pay_for(1, 2, "4", Some("eggs")).unwrap();
    let lines = bank.town.lines(2, 1);
    let Body::Payment(payment) = &lines[0].body else { panic!("{lines:?}") };
    let payment = payment.clone();
    (bank, payment)
}

/// A contact tells of more currencies than anybody has.
#[test]
fn offers_of_one_contact_leave_room_for_those_of_others() {
    let mut bank = Bank::open();
    let known = |bank: &Bank| query::currencies(&bank.town.people[2].store).unwrap().len();
    let card = |number: u8| {
        let view = query::currency(&bank.town.people[0].store, "MANGO").unwrap();
        let key = SecretKey::from_seed(&[number; 32]);
        let code = Code::new(&format!("C{number}")).unwrap();
        let policy = Policy { issuer: key.vk(), code, ..view.policy.policy().clone() }.sign(&key);
        CurrencyCard { policy: policy.encode(), witnesses: Vec::new() }
    };
    let cards: Vec<CurrencyCard> = (1..20).map(card).collect();
    for card in &cards {
        let content = bank.town.content(1, 2, 0, Body::Currency(card.clone()));
        let payload = bank.town.forge(1, 2, &content);
        bank.town.receive(2, peer(1), FrameKind::Payload, payload);
    }
    assert_eq!(known(&bank), 1 + 8);
    let content = bank.town.content(3, 2, 0, Body::Currency(cards[15].clone()));
    let payload = bank.town.forge(3, 2, &content);
    bank.town.receive(2, peer(3), FrameKind::Payload, payload);
    assert_eq!(known(&bank), 1 + 8 + 1);
    // What is no policy is not kept.
    let damaged = CurrencyCard { policy: vec![7; 90], witnesses: Vec::new() };
    let content = bank.town.content(3, 2, 0, Body::Currency(damaged));
    let payload = bank.town.forge(3, 2, &content);
    assert_eq!(bank.town.receive(2, peer(3), FrameKind::Payload, payload).rejections, [Rejection::Malformed]);
    bank.order(2, kinfolk_engine::input::Command::AcceptCurrency("C3".to_owned())).unwrap();
}

/// Bea says something that her program would not say.
fn says(bank: &mut Bank, to: usize, payment: Payment) -> Vec<Rejection> {
    let lamport = 1 + bank.town.lines(to, 1).len() as u64;
    let content = bank.town.content(1, to, lamport, Body::Payment(payment));
    let payload = bank.town.forge(1, to, &content);
    bank.town.receive(to, peer(1), FrameKind::Payload, payload).rejections
}

#[test]
fn a_payment_that_is_not_what_it_says_is_neither_money_nor_a_line() {
    let (mut bank, genuine) = paid();
    let receipt = Receipt::decode(&genuine.receipt).unwrap();
    let altered = |alter: &dyn Fn(&mut Payment)| {
        let mut payment = genuine.clone();
        alter(&mut payment);
        payment
    };
    let mut thin = receipt.clone();
    thin.cert.sigs = kinfolk_ledger::signatures::Signatures::new(thin.cert.sigs.iter().take(2).map(|(w, s)| (w, *s)));
    let lies = [
        altered(&|payment| payment.sum.units = 40_000),
        altered(&|payment| payment.sum.decimals = 0),
        altered(&|payment| payment.sum.code = *b"EURO\0\0\0\0"),
        altered(&|payment| payment.sum.currency = kinfolk_wire::ids::CurrencyId::new([9; 32])),
        altered(&|payment| payment.memo = None),
        altered(&|payment| payment.memo = Some(Memo { text: Text::new("a house").unwrap(), salt: [0; 16] })),
        altered(&|payment| payment.receipt = thin.encode()),
        altered(&|payment| payment.receipt = receipt.entry.encode()),
        altered(&|payment| payment.receipt.clear()),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let before = (bank.balance(2), bank.town.lines(2, 1).len());
        assert_eq!(says(&mut bank, 2, lie), [Rejection::Misplaced], "{number}");
        assert_eq!((bank.balance(2), bank.town.lines(2, 1).len()), before, "{number}");
    }
}

#[test]
fn e03_a_receipt_is_money_once_and_for_its_payee_alone() {
    let (mut bank, genuine) = paid();
    assert_eq!(says(&mut bank, 2, genuine.clone()), [Rejection::Replay], "the same again");
    assert_eq!(says(&mut bank, 3, genuine), [Rejection::Misplaced], "to somebody else");
    assert_eq!((bank.balance(2), bank.balance(3)), ((400, 0), (0, 0)));
    let spent = bank.pay(2, 3, "4").unwrap();
    assert_eq!(bank.payment(2, spent).state, PaymentState::Final);
    assert_eq!(bank.everything(), 1_000);
}

#[test]
fn e01_an_older_copy_that_pays_again_is_frozen_by_its_own_doing_and_harms_nobody() {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.down.extend([3, 4]);
    let copy = bank.town.people[1].store.clone();
    let first = bank.pay(1, 2, "10").unwrap();
    assert_eq!(bank.payment(1, first).state, PaymentState::Voting);
    let newer = bank.town.people[1].store.clone();

    // The same money from the older copy, to somebody else.
    bank.restore(1, copy);
    let second = bank.pay(1, 3, "10").unwrap();
    assert_ne!(first, second);
    assert_ne!(bank.payment(1, second).state, PaymentState::Final);
    let view = query::currency(&bank.town.people[1].store, "MANGO").unwrap();
    assert!(matches!(view.stopped, Some(Stopped::Forked(_))), "{:?}", view.stopped);
    assert!(!query::proof(view.stopped.as_ref().unwrap()).unwrap().is_empty());
    assert_eq!(bank.pay(1, 3, "1").unwrap_err().code(), "account_frozen");
    assert!(bank.witnesses[&1].status().conflicts > 0);

    // Who signed first is served, by the newer copy; the others pay on.
    bank.restore(1, newer);
    bank.down.clear();
    bank.pass(Span::from_secs(120));
    assert_eq!((bank.balance(2), bank.balance(3)), ((1_000, 0), (0, 0)));
    assert_eq!(bank.payment(1, first).state, PaymentState::Final);
    let on = bank.pay(2, 4, "10").unwrap();
    assert_eq!(bank.payment(2, on).state, PaymentState::Final);
}

#[test]
fn e10_an_older_copy_that_the_witnesses_are_ahead_of_pays_nothing_more() {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.pay(1, 2, "1").unwrap();
    let copy = bank.town.people[1].store.clone();
    bank.pay(1, 2, "2").unwrap();
    bank.restore(1, copy.clone());
    // It finds out when it starts, and where nobody answers then, when it pays.
    assert_eq!(bank.pay(1, 3, "9").unwrap_err().code(), "account_behind");
    bank.deaf.insert(1);
    bank.restore(1, copy);
    let again = bank.pay(1, 3, "9").unwrap();
    bank.deaf.clear();
    bank.pass(Span::from_secs(120));
    assert_ne!(bank.payment(1, again).state, PaymentState::Final);
    assert_eq!(bank.balance(3), (0, 0));
    let stopped = query::currency(&bank.town.people[1].store, "MANGO").unwrap().stopped;
    assert!(stopped.is_some(), "it says why");
    assert!(bank.pay(1, 3, "1").unwrap_err().code().starts_with("account_"));
}

#[test]
fn e10_a_copy_that_signed_and_forgot_the_certificate_finds_it_again() {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.down.extend([2, 3, 4]);
    let paid = bank.pay(1, 2, "4").unwrap();
    let copy = bank.town.people[1].store.clone();
    bank.down.clear();
    bank.pass(Span::from_secs(60));
    assert_eq!(bank.payment(1, paid).state, PaymentState::Final);
    // A copy from before the votes came, with the entry in it.
    bank.restore(1, copy);
    bank.pass(Span::from_secs(120));
    assert_eq!(
        (bank.payment(1, paid).state, bank.balance(1), bank.balance(2)),
        (PaymentState::Final, (600, 0), (400, 0))
    );
}
