//! Money put aside for one payee: paid with nobody reached, redeemed, and what is left comes back.

use kinfolk_engine::input::Command;
use kinfolk_engine::query::{self, PaymentState, TabState, TabView};
use kinfolk_engine::store::{Key, MovementKind, Payee};
use kinfolk_engine::{Answer, Refusal, Rejection};
use kinfolk_ledger::escrow::Voucher;
use kinfolk_ledger::message::Request;
use kinfolk_ledger::signature::SecretKey;
use kinfolk_wire::content::{Body, PayTo, TabPayment, Text};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::{AccountId, EntryHash};
use kinfolk_wire::time::Span;

use crate::bank::Bank;
use crate::town::peer;

const DAY: Span = Span::from_days(1);

fn try_open(bank: &mut Bank, from: usize, to: usize, amount: &str, lifetime: Span) -> Result<AccountId, Refusal> {
    let (contact, currency) = (bank.town.people[to].identity, "MANGO".to_owned());
    match bank.order(from, Command::OpenTab { contact, amount: amount.to_owned(), currency, lifetime })? {
        Answer::Tab(tab) => Ok(tab),
        other => panic!("{other:?}"),
    }
}

fn open(bank: &mut Bank, amount: &str) -> AccountId {
    try_open(bank, 1, 2, amount, DAY).unwrap()
}

fn pay_by(bank: &mut Bank, who: usize, tab: AccountId, amount: &str) -> Result<EntryHash, Refusal> {
    let memo = Some(Text::new("a stop").unwrap());
    match bank.order(who, Command::PayTab { tab, amount: amount.to_owned(), memo })? {
        Answer::Payment(entry) => Ok(entry),
        other => panic!("{other:?}"),
    }
}

fn pay(bank: &mut Bank, tab: AccountId, amount: &str) -> EntryHash {
    pay_by(bank, 1, tab, amount).unwrap()
}

fn view(bank: &Bank, who: usize, tab: AccountId) -> TabView {
    query::tab(&bank.town.people[who].store, tab, bank.town.now).unwrap().unwrap()
}

fn sums(bank: &Bank, who: usize, tab: AccountId) -> (u64, u64, u64, u64) {
    let view = view(bank, who, tab);
    (view.funded, view.promised, view.redeemed, view.left)
}

fn state(bank: &Bank, who: usize, entry: EntryHash) -> PaymentState {
    bank.payment(who, entry).state
}

fn kinds(bank: &Bank, who: usize) -> Vec<(MovementKind, u64)> {
    let payments = query::payments(&bank.town.people[who].store, None, 100).unwrap();
    payments.iter().map(|view| (view.kind, view.units)).collect()
}

fn with_ten() -> Bank {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank
}

fn all_away(bank: &mut Bank) {
    bank.down.extend([1, 2, 3, 4]);
}

#[test]
fn five_payments_while_all_witnesses_are_away_are_money_when_they_are_back_and_the_rest_returns() {
    let mut bank = with_ten();
    let tab = open(&mut bank, "8");
    assert_eq!((view(&bank, 1, tab).state, bank.balance(1)), (TabState::Open, (200, 0)));
    all_away(&mut bank);
    bank.asked.clear();
    let paid: Vec<EntryHash> = (0..5).map(|_| pay(&mut bank, tab, "1")).collect();
    assert!(bank.asked.is_empty(), "nobody is asked: {:?}", bank.asked);
    for entry in &paid {
        assert_eq!((state(&bank, 1, *entry), state(&bank, 2, *entry)), (PaymentState::Tab, PaymentState::Tab));
        let came = bank.payment(2, *entry);
        assert_eq!((came.kind, came.units, came.tab), (MovementKind::Received, 100, Some(tab)));
        assert_eq!(came.memo.unwrap().as_str(), "a stop");
    }
    assert_eq!((sums(&bank, 1, tab), sums(&bank, 2, tab)), ((800, 500, 0, 300), (800, 500, 0, 300)));
    assert_eq!(bank.balance(2), (0, 0), "it is spent only once it is redeemed");
    assert_eq!((bank.town.lines(1, 2).len(), bank.town.lines(2, 1).len()), (5, 5));

    bank.order(2, Command::RedeemTab(tab)).unwrap();
    bank.pass(Span::from_secs(30));
    assert_eq!(view(&bank, 2, tab).state, TabState::Settling);
    bank.down.clear();
    bank.pass(Span::from_secs(120));
    for entry in &paid {
        assert_eq!((state(&bank, 1, *entry), state(&bank, 2, *entry)), (PaymentState::Final, PaymentState::Final));
    }
    assert_eq!((bank.balance(2), sums(&bank, 1, tab)), ((500, 0), (800, 500, 500, 300)));

    // What was redeemed is money: it opens the payee's account.
    let on = bank.pay(2, 3, "4").unwrap();
    bank.pass(Span::from_secs(5));
    assert_eq!((state(&bank, 2, on), bank.balance(3)), (PaymentState::Final, (400, 0)));

    bank.pass(DAY);
    bank.pass(Span::from_hours(2));
    assert_eq!((view(&bank, 1, tab).state, view(&bank, 2, tab).state), (TabState::Closed, TabState::Closed));
    assert_eq!((bank.balance(1), bank.balance(2)), ((500, 0), (100, 0)));
    assert_eq!(bank.everything(), 1_000);
    let paid = (MovementKind::Paid, 100);
    let opened = (MovementKind::TabOpened, 800);
    let minted = (MovementKind::Minted, 1_000);
    assert_eq!(kinds(&bank, 1), [(MovementKind::TabReturned, 300), paid, paid, paid, paid, paid, opened, minted]);
    // And can be spent.
    let all = bank.pay(1, 3, "5").unwrap();
    bank.pass(Span::from_secs(5));
    assert_eq!(state(&bank, 1, all), PaymentState::Final);
}

#[test]
fn the_payee_redeems_by_itself_while_the_payer_is_gone_for_ever() {
    let mut bank = with_ten();
    let tab = open(&mut bank, "8");
    let paid = pay(&mut bank, tab, "3");
    bank.town.sleep(1);
    bank.deaf.insert(1);
    bank.pass(Span::from_hours(21));
    assert_eq!(state(&bank, 2, paid), PaymentState::Tab);
    bank.pass(Span::from_hours(2));
    assert_eq!((state(&bank, 2, paid), bank.balance(2)), (PaymentState::Final, (300, 0)));
    let on = bank.pay(2, 3, "3").unwrap();
    bank.pass(Span::from_secs(5));
    assert_eq!(state(&bank, 2, on), PaymentState::Final);
}

#[test]
fn a_payee_who_is_gone_for_ever_keeps_nothing_from_the_payer_but_time() {
    let mut bank = with_ten();
    let tab = open(&mut bank, "8");
    let paid = pay(&mut bank, tab, "3");
    bank.town.sleep(2);
    bank.deaf.insert(2);
    let early = bank.order(1, Command::CloseTab(tab)).unwrap_err();
    assert!(early.code() == "tab_not_over" && early.to_string().contains("closes by itself"), "{early}");
    bank.pass(DAY);
    bank.pass(Span::from_hours(2));
    assert_eq!((view(&bank, 1, tab).state, state(&bank, 1, paid)), (TabState::Closed, PaymentState::Final));
    assert_eq!(bank.balance(1), (700, 0), "an honest payer's close pays the voucher");

    // The payee comes back, and is told.
    bank.town.wake(2);
    bank.deaf.clear();
    bank.pass(Span::from_secs(120));
    assert_eq!((state(&bank, 2, paid), bank.balance(2)), (PaymentState::Final, (300, 0)));
    assert_eq!(bank.everything(), 1_000);
}

#[test]
fn a_payee_who_was_away_past_the_margin_redeems_when_the_program_starts() {
    let mut bank = with_ten();
    let tab = open(&mut bank, "8");
    let paid = pay(&mut bank, tab, "3");
    bank.town.sleep(2);
    bank.pass(Span::from_hours(23));
    assert_eq!(bank.payment(1, paid).state, PaymentState::Tab);
    bank.restart(2);
    bank.pass(Span::from_secs(5));
    assert_eq!((state(&bank, 2, paid), state(&bank, 1, paid)), (PaymentState::Final, PaymentState::Final));
}

#[test]
fn whatever_is_interrupted_goes_on_and_nothing_is_signed_twice() {
    // So many answers come to the payee, then both programs start again.
    for answers in 0..9 {
        let mut bank = with_ten();
        let tab = open(&mut bank, "8");
        let paid = pay(&mut bank, tab, "3");
        bank.restart(1);
        bank.restart(2);
        bank.answers = Some((2, answers));
        bank.order(2, Command::RedeemTab(tab)).unwrap();
        bank.restart(2);
        bank.answers = None;
        bank.restart(2);
        bank.pass(Span::from_secs(120));
        assert_eq!((state(&bank, 2, paid), bank.balance(2)), (PaymentState::Final, (300, 0)), "{answers}");
        let prepared = bank.asked.iter().filter_map(|(_, request)| match request {
            Request::Prepare { entry, .. } => Some(entry.hash()),
            _ => None,
        });
        let prepared: std::collections::BTreeSet<EntryHash> = prepared.collect();
        assert_eq!(prepared.len(), 1, "one entry for one place");
        pay(&mut bank, tab, "2");
        bank.answers = Some((1, answers));
        bank.pass(DAY);
        bank.restart(1);
        bank.answers = None;
        bank.pass(Span::from_hours(3));
        assert_eq!((bank.balance(1), bank.balance(2)), ((500, 0), (500, 0)), "{answers}");
    }
}

#[test]
fn what_cannot_be_paid_by_a_tab_is_refused_with_the_limit_named_and_leaves_no_trace() {
    let mut bank = with_ten();
    for lifetime in [Span::from_hours(23), Span::from_days(31)] {
        let refused = try_open(&mut bank, 1, 2, "8", lifetime).unwrap_err();
        assert!(refused.code() == "invalid_lifetime" && refused.to_string().contains("1 to 30 days"), "{refused}");
    }
    assert_eq!(try_open(&mut bank, 1, 2, "10.01", DAY).unwrap_err().code(), "not_enough");
    let tab = open(&mut bank, "8");
    pay(&mut bank, tab, "3");
    let before = (bank.town.kept(1), bank.town.kept(2));
    let over = pay_by(&mut bank, 1, tab, "5.01").unwrap_err();
    assert_eq!(over.code(), "tab_over");
    assert!(over.to_string().contains("5.00 MANGO left of 8.00 MANGO"), "{over}");
    assert_eq!(pay_by(&mut bank, 1, tab, "0").unwrap_err().code(), "invalid_amount");
    assert_eq!(pay_by(&mut bank, 2, tab, "1").unwrap_err().code(), "tab_not_payer");
    assert_eq!(pay_by(&mut bank, 1, AccountId::new([7; 32]), "1").unwrap_err().code(), "unknown_tab");
    assert_eq!(bank.order(1, Command::RedeemTab(tab)).unwrap_err().code(), "tab_not_payee");
    assert_eq!((bank.town.kept(1), bank.town.kept(2)), before);
    pay(&mut bank, tab, "5");
    bank.order(2, Command::RedeemTab(tab)).unwrap();
    bank.pass(Span::from_secs(5));
    assert_eq!(bank.order(2, Command::RedeemTab(tab)).unwrap_err().code(), "tab_closed", "all of it is redeemed");

    bank.mint("10", Some(1)).unwrap();
    let late = open(&mut bank, "2");
    bank.pass(Span::from_hours(22));
    let expired = pay_by(&mut bank, 1, late, "1").unwrap_err();
    assert!(expired.code() == "tab_expired" && expired.to_string().contains("last 2 hours"), "{expired}");
    bank.pass(Span::from_hours(4));
    assert_eq!(pay_by(&mut bank, 1, late, "1").unwrap_err().code(), "tab_closed");

    all_away(&mut bank);
    let waiting = open(&mut bank, "2");
    assert_eq!(pay_by(&mut bank, 1, waiting, "1").unwrap_err().code(), "tab_not_final");
    assert_eq!(view(&bank, 1, waiting).state, TabState::Opening);
}

#[test]
fn nothing_is_put_aside_for_a_contact_whose_program_said_no_key() {
    let mut bank = with_ten();
    let currency = query::currency(&bank.town.people[0].store, "MANGO").unwrap().id;
    let key = Key::Payee(currency, bank.town.people[2].identity);
    let payee: Payee = bank.town.row(1, &key).unwrap();
    // As an older program says it.
    let said = PayTo { currency, account: payee.account, certificate: None, tab_key: None };
    let content = bank.town.content(2, 1, 0, Body::PayTo(said));
    let payload = bank.town.forge(2, 1, &content);
    bank.town.receive(1, peer(2), FrameKind::Payload, payload);
    let refused = try_open(&mut bank, 1, 2, "8", DAY).unwrap_err();
    assert!(refused.code() == "no_tab_key" && refused.to_string().contains("Cora"), "{refused}");
}

#[test]
fn two_tabs_of_two_people_do_not_touch_each_other() {
    let mut bank = with_ten();
    let first = open(&mut bank, "3");
    let second = open(&mut bank, "4");
    let third = try_open(&mut bank, 1, 3, "3", Span::from_days(2)).unwrap();
    let contact = bank.town.people[2].identity;
    let store = &bank.town.people[1].store;
    let ambiguous = query::tab_for(store, contact, bank.town.now).unwrap_err();
    assert!(ambiguous.to_string().contains(&first.to_string()) && ambiguous.code() == "ambiguous_tab");
    assert_eq!(query::tab_for(store, bank.town.people[3].identity, bank.town.now).unwrap(), third);
    let nobody = query::tab_for(store, bank.town.people[4].identity, bank.town.now);
    assert_eq!(nobody.unwrap_err().code(), "unknown_tab");
    assert_eq!(query::tab_named(store, &first.to_string()[..12]).unwrap(), first);
    let paid = [pay(&mut bank, first, "1"), pay(&mut bank, second, "2"), pay(&mut bank, third, "3")];
    bank.order(2, Command::CloseTab(first)).unwrap();
    bank.pass(Span::from_secs(5));
    let states: Vec<PaymentState> = paid.iter().map(|entry| state(&bank, 1, *entry)).collect();
    assert_eq!(states, [PaymentState::Final, PaymentState::Tab, PaymentState::Tab]);
    assert_eq!((bank.balance(1), bank.balance(2)), ((200, 0), (100, 0)), "the payee can close early");
    bank.pass(DAY);
    bank.pass(DAY);
    bank.pass(Span::from_hours(2));
    assert_eq!((bank.balance(1), bank.balance(2), bank.balance(3)), ((400, 0), (300, 0), (300, 0)));
}

/// Bea says something that her program would not say.
fn says(bank: &mut Bank, to: usize, payment: TabPayment) -> Vec<Rejection> {
    let lamport = 1 + bank.town.lines(to, 1).len() as u64;
    let content = bank.town.content(1, to, lamport, Body::TabPayment(payment));
    let payload = bank.town.forge(1, to, &content);
    bank.town.receive(to, peer(1), FrameKind::Payload, payload).rejections
}

#[test]
fn a_voucher_that_is_not_what_it_says_is_neither_money_nor_a_line() {
    let mut bank = with_ten();
    let tab = open(&mut bank, "8");
    pay(&mut bank, tab, "3");
    let lines = bank.town.lines(2, 1);
    let Body::TabPayment(genuine) = lines[0].body.clone() else { panic!("{lines:?}") };
    let voucher = Voucher::decode(&genuine.voucher).unwrap();
    let total = |units| kinfolk_ledger::amount::Amount::new(units).unwrap();
    let forged = |units, tab| Voucher::sign(tab, total(units), None, &SecretKey::from_seed(&[9; 32])).encode();
    let sum = |units| kinfolk_wire::content::Sum { units, ..genuine.sum };
    let altered = [
        // By another key, of another tab, for more than it says, with another memo, altered, and none at all.
        TabPayment { voucher: forged(400, tab), sum: sum(100), memo: None, ..genuine.clone() },
        TabPayment { voucher: forged(400, AccountId::new([3; 32])), sum: sum(100), memo: None, ..genuine.clone() },
        TabPayment { sum: sum(301), ..genuine.clone() },
        TabPayment { memo: None, ..genuine.clone() },
        TabPayment { voucher: Voucher { total: total(301), ..voucher }.encode(), ..genuine.clone() },
        TabPayment { voucher: vec![7; 80], ..genuine.clone() },
    ];
    for payment in altered {
        assert_eq!(says(&mut bank, 2, payment.clone()), [Rejection::Misplaced], "{payment:?}");
    }
    assert_eq!(says(&mut bank, 2, genuine.clone()), [Rejection::Replay]);
    assert_eq!(bank.town.lines(2, 1).len(), 1);
    // It is Cora's, and no money for anybody else.
    assert_eq!(says(&mut bank, 3, genuine.clone()), [Rejection::Misplaced]);
    assert_eq!(sums(&bank, 2, tab), (800, 300, 0, 500));
}

#[test]
fn vouchers_that_overtake_each_other_are_each_a_line_and_no_part_is_named_twice() {
    let mut bank = with_ten();
    let tab = open(&mut bank, "8");
    // Elsewhere they are sent, so that here they come as they come.
    let mut other = bank.again();
    for amount in ["1", "2", "3"] {
        pay(&mut other, tab, amount);
    }
    let mut liar = bank.again();
    pay(&mut liar, tab, "7");
    let Body::TabPayment(twice) = liar.town.lines(1, 2).remove(0).body else { panic!() };
    let mut vouchers = Vec::new();
    for line in other.town.lines(1, 2) {
        let Body::TabPayment(payment) = line.body else { panic!() };
        vouchers.push(payment);
    }
    let [first, second, third] = &vouchers[..] else { panic!("{vouchers:?}") };
    let said = [third, first].map(|voucher| says(&mut bank, 2, (*voucher).clone()));
    assert_eq!(said, [vec![], vec![]]);
    assert_eq!(says(&mut bank, 2, third.clone()), [Rejection::Replay]);
    assert_eq!(says(&mut bank, 2, second.clone()), []);
    let came: u64 = kinds(&bank, 2).iter().map(|(_, units)| units).sum();
    assert_eq!((came, sums(&bank, 2, tab).1), (600, 600));
    // Genuine, by a payer who says less than was paid before, and so names a part a second time.
    assert_eq!(says(&mut bank, 2, twice), [Rejection::Misplaced]);
    assert_eq!((bank.town.lines(2, 1).len(), sums(&bank, 2, tab).1), (3, 600));
}

#[test]
fn the_rest_of_a_lost_phones_tab_comes_back_to_the_new_one() {
    let mut bank = with_ten();
    let tab = open(&mut bank, "8");
    let paid = pay(&mut bank, tab, "3");
    let new = bank.lose(1);
    bank.recover(new).unwrap();
    bank.pass(Span::from_secs(120));
    assert_eq!((bank.balance(new), view(&bank, new, tab).state), ((200, 0), TabState::Open));
    assert_eq!(pay_by(&mut bank, new, tab, "1").unwrap_err().code(), "tab_adopted");
    bank.pass(DAY);
    bank.pass(Span::from_hours(2));
    assert_eq!((state(&bank, 2, paid), bank.balance(2)), (PaymentState::Final, (300, 0)));
    assert_eq!(bank.balance(new), (700, 0));
}
