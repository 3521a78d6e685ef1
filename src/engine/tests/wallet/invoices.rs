//! Asking for money, and paying what is asked for.

use kinfolk_crypto::DeviceKeys;
use kinfolk_crypto::invoice::sign_invoice;
use kinfolk_engine::input::{Command, NewCurrency, NewInvoice, WitnessChoice};
use kinfolk_engine::query::{self, InvoiceState, InvoiceView};
use kinfolk_engine::store::{Changes, ContactState, Invoice as InvoiceRow, InvoiceSide, Key};
use kinfolk_engine::{Answer, Refusal, Rejection};
use kinfolk_wire::content::{Body, Invoice, SignedInvoice, Sum, Text};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::{AccountId, EntryHash, NoteHash};
use kinfolk_wire::time::Span;

use crate::bank::Bank;
use crate::town::peer;

fn ask(bank: &mut Bank, who: usize, of: Option<usize>, amount: &str) -> NoteHash {
    let new = NewInvoice {
        contact: of.map(|of| bank.town.people[of].identity),
        amount: amount.to_owned(),
        currency: "mango".to_owned(),
        memo: Some(Text::new("eggs and 米").unwrap()),
        lifetime: Span::from_days(7),
    };
    match bank.order(who, Command::CreateInvoice(new)).unwrap() {
        Answer::Invoice(id) => id,
        other => panic!("{other:?}"),
    }
}

fn pay(bank: &mut Bank, who: usize, which: &str) -> Result<EntryHash, Refusal> {
    match bank.order(who, Command::PayInvoice(which.to_owned()))? {
        Answer::Payment(entry) => Ok(entry),
        other => panic!("{other:?}"),
    }
}

fn shown(bank: &Bank, who: usize, id: NoteHash) -> InvoiceView {
    query::invoice(&bank.town.people[who].store, id, bank.town.now).unwrap().unwrap()
}

fn state(bank: &Bank, who: usize, id: NoteHash) -> (InvoiceState, Option<EntryHash>) {
    let view = shown(bank, who, id);
    (view.state, view.entry)
}

/// What Cora rejects where somebody sends her an invoice.
fn told(bank: &mut Bank, by: usize, invoice: SignedInvoice) -> Vec<Rejection> {
    let content = bank.town.content(by, 2, 1, Body::PaymentRequest(invoice));
    let payload = bank.town.forge(by, 2, &content);
    bank.town.receive(2, peer(by), FrameKind::Payload, payload).rejections
}

fn refused(result: Result<EntryHash, Refusal>) -> &'static str {
    result.unwrap_err().code()
}

#[test]
fn money_that_is_asked_for_is_a_line_and_is_paid_once() {
    let mut bank = Bank::open();
    bank.mint("20", Some(2)).unwrap();
    let id = ask(&mut bank, 1, Some(2), "7.05");
    for (who, other) in [(1, 2), (2, 1)] {
        let lines = bank.town.lines(who, other);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let Body::PaymentRequest(invoice) = &line.body else { panic!("{line:?}") };
        assert_eq!(*invoice, shown(&bank, who, id).link);
        assert_eq!(state(&bank, who, id), (InvoiceState::Open, None));
    }
    let cora = shown(&bank, 2, id);
    assert_eq!((cora.is_own, cora.invoice.sum.units), (false, 705));
    assert_eq!(cora.contact.unwrap().0, bank.town.people[1].identity);

    let paid = pay(&mut bank, 2, &id.to_string()[..8]).unwrap();
    for who in [1, 2] {
        assert_eq!(state(&bank, who, id), (InvoiceState::Paid, Some(paid)));
        let payment = bank.payment(who, paid);
        assert_eq!((payment.invoice, payment.memo.unwrap().as_str()), (Some(id), "eggs and 米"));
    }
    assert_eq!((bank.balance(1), bank.balance(2)), ((705, 0), (1_295, 0)));
    assert_eq!(refused(pay(&mut bank, 2, &id.to_string())), "invoice_paid");
    assert_eq!(bank.balance(2), (1_295, 0));
}

#[test]
fn an_invoice_by_its_link_is_paid_by_whoever_has_it_and_counts_once() {
    let mut bank = Bank::open();
    bank.mint("10", Some(2)).unwrap();
    bank.mint("10", Some(3)).unwrap();
    let id = ask(&mut bank, 1, None, "4");
    let link = shown(&bank, 1, id).link.to_string();
    assert!(link.len() < 600, "{} characters", link.len());
    assert!(query::invoices(&bank.town.people[2].store, bank.town.now).unwrap().is_empty());

    let first = pay(&mut bank, 2, &link).unwrap();
    let second = pay(&mut bank, 3, &format!(" {link}\n")).unwrap();
    // The second is money that came, and can be paid back.
    assert_eq!(state(&bank, 1, id), (InvoiceState::Paid, Some(first)));
    assert_eq!(bank.balance(1), (800, 0));
    assert_eq!(bank.payment(1, second).invoice, Some(id));
    bank.refund(1, second).unwrap();
    assert_eq!((bank.balance(1), bank.balance(3)), ((400, 0), (1_000, 0)));
}

#[test]
fn an_invoice_waits_for_its_quorum_and_is_not_paid_a_second_time_meanwhile() {
    let mut bank = Bank::open();
    bank.mint("10", Some(2)).unwrap();
    let id = ask(&mut bank, 1, Some(2), "4");
    bank.down.extend([3, 4]);
    let paid = pay(&mut bank, 2, &id.to_string()).unwrap();
    assert_eq!(state(&bank, 2, id), (InvoiceState::Paying, Some(paid)));
    assert_eq!(state(&bank, 1, id), (InvoiceState::Open, None));
    bank.restart(2);
    assert_eq!(refused(pay(&mut bank, 2, &id.to_string())), "invoice_paid");
    // Its time passes while it waits: it was paid in time.
    bank.pass(Span::from_days(8));
    bank.down.clear();
    bank.pass(Span::from_hours(2));
    for who in [1, 2] {
        assert_eq!(state(&bank, who, id), (InvoiceState::Paid, Some(paid)));
    }
    assert_eq!((bank.balance(1), bank.balance(2)), ((400, 0), (600, 0)));
}

#[test]
fn an_invoice_that_cannot_be_paid_is_refused_and_leaves_no_trace() {
    let mut bank = Bank::open();
    bank.mint("10", Some(2)).unwrap();
    let (id, late) = (ask(&mut bank, 1, Some(2), "4"), ask(&mut bank, 1, None, "11"));
    let (link, dear) = (shown(&bank, 1, id).link.to_string(), shown(&bank, 1, late).link.to_string());
    let before = bank.town.kept(2);
    assert_eq!(refused(pay(&mut bank, 1, &link)), "invoice_own");
    assert_eq!(refused(pay(&mut bank, 2, &dear)), "not_enough");
    assert_eq!(refused(pay(&mut bank, 2, "")), "unknown_invoice");
    assert_eq!(refused(pay(&mut bank, 2, "00ff")), "unknown_invoice");
    assert_eq!(refused(pay(&mut bank, 2, "kinfolk:invoice/AAAA")), "invalid_invoice_link");
    assert_eq!(refused(pay(&mut bank, 2, &format!("{link}{}", "A".repeat(1_200)))), "invalid_invoice_link");
    let new = NewInvoice {
        contact: None,
        amount: "1".to_owned(),
        currency: "MANGO".to_owned(),
        memo: Some(Text::new("x".repeat(401)).unwrap()),
        lifetime: Span::from_days(1),
    };
    let wrong = NewInvoice { memo: None, amount: "0".to_owned(), ..new.clone() };
    assert_eq!(bank.order(2, Command::CreateInvoice(new)).unwrap_err().code(), "memo_too_long");
    assert_eq!(bank.order(2, Command::CreateInvoice(wrong)).unwrap_err().code(), "invalid_amount");
    assert_eq!(bank.town.kept(2), before);

    bank.pass(Span::from_days(7));
    let expired = pay(&mut bank, 2, &link).unwrap_err();
    assert_eq!(expired.code(), "invoice_expired");
    bank.pass(Span::from_days(3));
    let expired = pay(&mut bank, 2, &link).unwrap_err().to_string();
    assert!(expired.contains("3 days ago"), "{expired}");
    assert_eq!(state(&bank, 2, id).0, InvoiceState::Expired);
    assert_eq!(bank.balance(2), (1_000, 0));
}

#[test]
fn an_invoice_of_somebody_who_is_no_contact_or_in_an_unknown_currency_is_not_paid() {
    let mut bank = Bank::open();
    bank.mint("10", Some(2)).unwrap();
    let id = ask(&mut bank, 1, None, "4");
    let link = shown(&bank, 1, id).link.to_string();
    let bea = bank.town.people[1].identity;
    bank.order(2, Command::RemoveContact(bea)).unwrap();
    let contact = query::contact(&bank.town.people[2].store, bea).unwrap();
    assert!(contact.is_none_or(|contact| contact.state == ContactState::Removed));
    assert_eq!(refused(pay(&mut bank, 2, &link)), "invoice_of_stranger");
    assert_eq!(bank.balance(2), (1_000, 0));

    let witnesses = vec![WitnessChoice::Own];
    bank.order(0, Command::AskWitnessKeys(witnesses.clone())).unwrap();
    let pear = NewCurrency { code: "PEAR".to_owned(), decimals: 2, witnesses, faults: None, max_supply: None };
    bank.order(0, Command::CreateCurrency(pear)).unwrap();
    let new = NewInvoice {
        contact: None,
        amount: "1".to_owned(),
        currency: "PEAR".to_owned(),
        memo: None,
        lifetime: Span::from_days(1),
    };
    let Answer::Invoice(id) = bank.order(0, Command::CreateInvoice(new)).unwrap() else { panic!("no invoice") };
    let link = shown(&bank, 0, id).link.to_string();
    assert_eq!(refused(pay(&mut bank, 3, &link)), "unknown_currency");
}

/// Where the money goes is changed on the way, and what Bea signed comes from somebody else.
#[test]
fn an_invoice_that_was_altered_or_is_told_by_another_is_not_paid_and_is_no_line() {
    let mut bank = Bank::open();
    bank.mint("10", Some(2)).unwrap();
    let id = ask(&mut bank, 1, None, "4");
    let genuine = shown(&bank, 1, id).link;
    let said = genuine.invoice().unwrap();
    let altered = [
        Invoice { account: AccountId::new([9; 32]), ..said.clone() },
        Invoice { payee: bank.town.people[3].identity, ..said.clone() },
        Invoice { number: [3; 16], ..said.clone() },
    ];
    let with = |invoice: &Invoice| {
        let mut signed = genuine.clone();
        signed.0.payload = invoice.encode();
        signed
    };
    for invoice in &altered {
        assert_eq!(refused(pay(&mut bank, 2, &with(invoice).to_string())), "invoice_forged");
    }
    for (by, invoice) in [(3, genuine.clone()), (1, with(&altered[0])), (3, with(&altered[1]))] {
        assert_eq!(told(&mut bank, by, invoice), [Rejection::Misplaced]);
    }
    assert!(bank.town.lines(2, 1).is_empty() && bank.town.lines(2, 3).is_empty());
    assert!(query::invoices(&bank.town.people[2].store, bank.town.now).unwrap().is_empty());
    // The genuine one of Bea is a line, and is paid.
    assert!(told(&mut bank, 1, genuine).is_empty());
    pay(&mut bank, 2, &id.to_string()).unwrap();
}

fn signed_by(bank: &Bank, who: usize, invoice: &Invoice) -> SignedInvoice {
    sign_invoice(invoice, &DeviceKeys::from_bytes(bank.town.profile(who).device_keys.as_slice()).unwrap())
}

/// Dora's device signs that Bea is to be paid, into Dora's account.
#[test]
fn nobody_asks_for_money_in_the_name_of_somebody_else() {
    let mut bank = Bank::open();
    bank.mint("10", Some(2)).unwrap();
    let id = ask(&mut bank, 3, None, "4");
    let said = shown(&bank, 3, id).invoice;
    let invoice = signed_by(&bank, 3, &Invoice { payee: bank.town.people[1].identity, ..said });
    assert_eq!(told(&mut bank, 3, invoice.clone()), [Rejection::Misplaced]);
    assert_eq!(refused(pay(&mut bank, 2, &invoice.to_string())), "invoice_forged");
    assert!(bank.town.lines(2, 3).is_empty());
    assert_eq!(bank.balance(2), (1_000, 0));
}

/// A payer's program can name any invoice in a payment.
#[test]
fn an_invoice_is_paid_by_no_less_than_it_asks_for_and_only_its_maker_s() {
    for own in [true, false] {
        let mut bank = Bank::open();
        bank.mint("10", Some(2)).unwrap();
        let id = ask(&mut bank, 1, Some(2), "4");
        let view = shown(&bank, 1, id);
        let (side, sum) = if own {
            let sum = Sum { units: 401, ..view.invoice.sum };
            (InvoiceSide::Own(None), sum)
        } else {
            (InvoiceSide::Contact(bank.town.people[2].identity), view.invoice.sum)
        };
        let signed = signed_by(&bank, 1, &Invoice { sum, ..view.invoice });
        let mut changes = Changes::default();
        changes.put(Key::Invoice(id), InvoiceRow { signed, at: view.at, side, entry: None }.into());
        bank.town.people[1].store.commit(&changes);

        let paid = pay(&mut bank, 2, &id.to_string()).unwrap();
        assert_eq!(bank.payment(1, paid).invoice, Some(id));
        assert_eq!(bank.balance(1), (400, 0));
        assert_eq!(state(&bank, 1, id), (InvoiceState::Open, None));
    }
}
