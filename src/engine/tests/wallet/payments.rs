//! What a person does with money.

use kinfolk_engine::Refusal;
use kinfolk_engine::input::Command;
use kinfolk_engine::query::{self, PaymentState};
use kinfolk_engine::store::MovementKind;
use kinfolk_ledger::receipt_file::{ReceiptFile, ReceiptFileError};
use kinfolk_wire::content::Body;

use crate::bank::Bank;

const FINAL: (PaymentState, usize) = (PaymentState::Final, 3);

#[test]
fn money_is_made_paid_on_and_paid_back_and_all_of_it_is_somewhere() {
    let mut bank = Bank::open();
    let minted = bank.mint("100", None).unwrap();
    assert_eq!(bank.state(0, minted), FINAL);
    assert_eq!(bank.balance(0), (10_000, 0));

    let paid = bank.pay_for(0, 1, "12.50", Some("bread and 米")).unwrap();
    assert_eq!(bank.state(0, paid), FINAL);
    assert_eq!((bank.balance(0), bank.balance(1)), ((8_750, 0), (1_250, 0)));
    let came = bank.payment(1, paid);
    assert_eq!((came.kind, came.state, came.units), (MovementKind::Received, PaymentState::Final, 1_250));
    assert_eq!(came.memo.unwrap().as_str(), "bread and 米");
    assert_eq!(came.contact.unwrap().0, bank.town.people[0].identity);

    // The payee's first payment opens their account with what came.
    let on = bank.pay(1, 2, "2.50").unwrap();
    assert_eq!(bank.state(1, on), FINAL);
    assert_eq!((bank.balance(1), bank.balance(2)), ((1_000, 0), (250, 0)));

    let back = bank.refund(2, on).unwrap();
    assert_eq!(bank.state(2, back), FINAL);
    assert_eq!((bank.balance(1), bank.balance(2)), ((1_250, 0), (0, 0)));
    let refund = bank.payment(1, back);
    assert_eq!((refund.kind, refund.refund_of), (MovementKind::RefundReceived, Some(on)));
    assert_eq!(bank.payment(2, back).refund_of, Some(on));

    assert_eq!(bank.everything(), 10_000);
    let history: Vec<MovementKind> =
        query::payments(&bank.town.people[1].store, None, 10).unwrap().iter().map(|view| view.kind).collect();
    assert_eq!(history, [MovementKind::RefundReceived, MovementKind::Paid, MovementKind::Received]);
}

#[test]
fn a_payment_is_a_line_in_the_conversation_of_both() {
    let mut bank = Bank::open();
    bank.mint("5", Some(1)).unwrap();
    let paid = bank.pay(1, 2, "3").unwrap();
    bank.settle();
    for (who, other) in [(1, 2), (2, 1)] {
        let lines = bank.town.lines(who, other);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let Body::Payment(payment) = &line.body else { panic!("{line:?}") };
        assert_eq!((payment.sum.units, query::entry_of(payment)), (300, Some(paid)));
        assert_eq!(query::sum_text(&payment.sum), ("3.00".to_owned(), "MANGO".to_owned()));
    }
}

#[test]
fn what_cannot_be_paid_is_refused_with_the_limit_named_and_leaves_no_trace() {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    let before = bank.town.kept(1);
    let said = |refused: Result<_, Refusal>| -> (&'static str, String) {
        let refused = refused.map(|_: kinfolk_wire::ids::EntryHash| ()).unwrap_err();
        (refused.code(), refused.to_string())
    };
    let (code, words) = said(bank.pay(1, 2, "10.01"));
    assert_eq!(code, "not_enough");
    assert!(words.contains("10.00 MANGO") && words.contains("10.01 MANGO"), "{words}");
    for amount in ["0", "-1", "1e3", "1.001", "", "90071992547409.92", "1,5"] {
        assert_eq!(said(bank.pay(1, 2, amount)).0, "invalid_amount", "{amount}");
    }
    assert_eq!(said(bank.refund(1, kinfolk_wire::ids::EntryHash::new([7; 32]))).0, "unknown_payment");
    let to_bea = |currency: &str| Command::Pay {
        contact: bank.town.people[2].identity,
        amount: "1".to_owned(),
        currency: currency.to_owned(),
        memo: None,
    };
    let (unknown, offered) = (to_bea("PEAR"), to_bea("MANG"));
    assert_eq!(bank.order(1, unknown).unwrap_err().code(), "unknown_currency");
    assert_eq!(bank.order(1, offered).unwrap_err().code(), "unknown_currency");
    let mint = Command::Mint { currency: "MANGO".to_owned(), amount: "1".to_owned(), to: None, card: false };
    assert_eq!(bank.order(1, mint).unwrap_err().code(), "not_issuer");
    assert_eq!(bank.town.kept(1), before);

    let card = Command::Mint { currency: "MANGO".to_owned(), amount: "1".to_owned(), to: None, card: true };
    assert_eq!(bank.order(0, card).unwrap_err().code(), "card_to_issuer");
    assert_eq!(said(bank.mint("90071992547409.91", None)).0, "supply_exceeded");
}

#[test]
fn card_money_is_shown_apart_and_does_not_go_to_people() {
    let mut bank = Bank::open();
    let to = Some(bank.town.people[1].identity);
    let card = Command::Mint { currency: "MANGO".to_owned(), amount: "5".to_owned(), to, card: true };
    bank.order(0, card).unwrap();
    let balances = query::balances(&bank.town.people[1].store).unwrap();
    let shown: Vec<(bool, u64)> = balances.iter().map(|view| (view.is_card, view.units)).collect();
    assert_eq!(shown, [(false, 0), (true, 500)]);
    let refused = bank.pay(1, 2, "1").unwrap_err();
    assert_eq!(refused.code(), "not_enough");
    assert!(refused.to_string().contains("card money goes only to merchants"), "{refused}");
}

#[test]
fn a_currency_needs_its_witnesses_and_its_code_for_itself() {
    let mut bank = Bank::before();
    bank.down.insert(2);
    let silent = bank.create("MANGO", &[1, 2, 3, 4]).unwrap_err();
    assert!(silent.code() == "witness_silent" && silent.to_string().contains("Cora"), "{silent}");
    bank.down.clear();
    assert_eq!(bank.create("MANGO", &[1, 1]).unwrap_err().code(), "witness_twice");
    assert_eq!(bank.create("MANGO", &[]).unwrap_err().code(), "invalid_witnesses");
    assert_eq!(bank.create("mango", &[1]).unwrap_err().code(), "refused_by_ledger");
    bank.create("MANGO", &[1, 2, 3, 4]).unwrap();
    assert_eq!(bank.create("MANGO", &[1, 2, 3, 4]).unwrap_err().code(), "code_taken");
    bank.create("PEAR", &[0]).unwrap();
    let known = query::currencies(&bank.town.people[3].store).unwrap();
    let codes: Vec<String> = known.iter().map(|view| view.policy.policy().code.to_string()).collect();
    assert_eq!(codes, ["MANGO", "PEAR"], "the second by its link");
}

#[test]
fn nothing_is_paid_back_twice_and_not_everything_is_paid_back() {
    let mut bank = Bank::open();
    let minted = bank.mint("10", Some(1)).unwrap();
    assert_eq!(bank.refund(1, minted).unwrap_err().code(), "not_refundable");
    let paid = bank.pay(1, 2, "4").unwrap();
    assert_eq!(bank.refund(1, paid).unwrap_err().code(), "not_refundable", "it went from here");
    let back = bank.refund(2, paid).unwrap();
    assert_eq!(bank.refund(2, paid).unwrap_err().code(), "not_refundable");
    assert_eq!(bank.refund(1, back).unwrap_err().code(), "not_refundable", "a refund");
    assert_eq!((bank.balance(1), bank.balance(2)), ((1_000, 0), (0, 0)));
}

#[test]
fn many_small_payments_are_gathered_so_that_one_large_one_finds_room() {
    let mut bank = Bank::open();
    bank.mint("100", Some(1)).unwrap();
    for number in 0..70 {
        // The quota of an account is twenty entries a minute.
        bank.pass(kinfolk_wire::time::Span::from_secs(4));
        let paid = bank.pay(1, 2, "0.10").unwrap();
        assert_eq!(bank.state(1, paid), FINAL, "{number}");
    }
    assert_eq!(bank.balance(2), (700, 0));
    let all = bank.pay(2, 3, "7").unwrap();
    assert_eq!(bank.state(2, all), FINAL);
    assert_eq!((bank.balance(2), bank.balance(3)), ((0, 0), (700, 0)));
}

#[test]
fn the_greatest_of_what_came_goes_into_a_payment_first() {
    let mut bank = Bank::open();
    bank.mint("100", Some(1)).unwrap();
    bank.pay(1, 2, "1").unwrap();
    bank.deaf.insert(2);
    bank.pay(2, 3, "1").unwrap();
    // While that waits nothing is gathered, and more comes than one entry can claim.
    for _ in 0..66 {
        bank.pass(kinfolk_wire::time::Span::from_secs(4));
        bank.pay(1, 2, "0.01").unwrap();
    }
    bank.pay(1, 2, "50").unwrap();
    let large = bank.pay(2, 3, "50.10").unwrap();
    bank.deaf.clear();
    bank.pass(kinfolk_wire::time::Span::from_secs(120));
    assert_eq!(bank.state(2, large), FINAL);
    assert_eq!((bank.balance(2), bank.balance(3)), ((56, 0), (5_110, 0)));
}

#[test]
fn a_receipt_proves_a_payment_to_anybody_and_an_altered_one_nothing() {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    let paid = bank.pay_for(1, 2, "4", Some("rent")).unwrap();
    for who in [1, 2] {
        let file = query::receipt(&bank.town.people[who].store, paid).unwrap().unwrap().encode();
        let verified = ReceiptFile::decode(&file).unwrap().verify().unwrap();
        assert_eq!(verified.entry.entry().hash(), paid);
        assert_eq!(verified.memo.as_ref().unwrap().text.as_str(), "rent");
        for at in 0..file.len() {
            let mut altered = file.clone();
            altered[at] ^= 1;
            // The writer's own signature is no part of what is proved: the certificate says what stands.
            if let Ok(proved) = ReceiptFile::decode(&altered).and_then(ReceiptFile::verify) {
                let approval = proved.entry.entry().approval() != verified.entry.entry().approval();
                let same = proved.entry.entry().header() == verified.entry.entry().header();
                assert!(approval && same && proved.memo == verified.memo, "byte {at}");
            }
        }
    }
    assert_eq!(ReceiptFile::decode(b"something else"), Err(ReceiptFileError::NoReceipt));
    bank.down.extend([1, 2]);
    let waiting = bank.pay(1, 2, "1").unwrap();
    assert!(query::receipt(&bank.town.people[1].store, waiting).unwrap().is_none(), "not final, no receipt");
}
