//! Payments without witnesses: what a payee is handed, what they risk, and how it becomes money once.

use kinfolk_engine::query::{self, PaymentState};
use kinfolk_engine::store::{Changes, Key, Outcome, Payer, Promised, Row, Table};
use kinfolk_engine::{Rejection, input};
use kinfolk_ledger::message::Request;
use kinfolk_ledger::promise::Promise;
use kinfolk_wire::content::{Body, Promise as PromiseBody};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::EntryHash;
use kinfolk_wire::time::Span;

use crate::bank::Bank;
use crate::town::peer;

const FINAL: (PaymentState, usize) = (PaymentState::Final, 3);
const AT_RISK: (PaymentState, usize) = (PaymentState::Unwitnessed, 0);

/// Bea (1) has 100 and has paid before, so that what she has is certified; then the witnesses go away.
fn cut_off() -> Bank {
    let mut bank = Bank::open();
    bank.mint("100", Some(1)).unwrap();
    bank.pay(1, 2, "1").unwrap();
    bank.pass(Span::from_secs(120));
    bank.down.extend([1, 2, 3, 4]);
    bank
}

fn at_risk(bank: &Bank, who: usize) -> u64 {
    let balances = query::balances(&bank.town.people[who].store).unwrap();
    balances.iter().map(|view| view.at_risk).sum()
}

fn rows(bank: &Bank, who: usize) -> Vec<Promised> {
    let rows = bank.town.table(who, Table::Promised);
    rows.into_iter().map(|(_, row)| if let Row::Promised(row) = row { row } else { panic!("{row:?}") }).collect()
}

/// What somebody was handed, as their node keeps it.
fn handed(bank: &Bank, who: usize) -> Promise {
    *rows(bank, who).pop().unwrap().promise.unwrap()
}

fn promise(bank: &Bank, who: usize, promise: &Promise, units: u64) -> PromiseBody {
    let view = query::currency(&bank.town.people[who].store, "MANGO").unwrap();
    let policy = view.policy.policy();
    let sum = kinfolk_wire::content::Sum { currency: view.id, code: policy.code.padded(), decimals: 2, units };
    PromiseBody { sum, promise: promise.encode(), memo: None }
}

/// Somebody says what their program would not say.
fn says(bank: &mut Bank, from: usize, to: usize, said: PromiseBody) -> Vec<Rejection> {
    let content = bank.town.content(from, to, 0, Body::Promise(said));
    let payload = bank.town.forge(from, to, &content);
    bank.town.receive(to, peer(from), FrameKind::Payload, payload).rejections
}

/// A copy of Bea's node pays the same money to somebody else. Her node, as it was before that, and the two entries.
fn pays_twice(bank: &mut Bank, (one, other): (usize, usize), amount: &str) -> (EntryHash, EntryHash) {
    let before = bank.town.people[1].store.clone();
    let first = bank.pay(1, one, amount).unwrap();
    bank.pass(Span::from_secs(3));
    bank.restore(1, before);
    let second = bank.pay(1, other, amount).unwrap();
    bank.pass(Span::from_secs(3));
    (first, second)
}

#[test]
fn without_witnesses_a_payee_has_it_at_risk_after_two_seconds_and_for_good_when_they_are_back() {
    let mut bank = cut_off();
    let paid = bank.pay_for(1, 2, "12.50", Some("eggs")).unwrap();
    assert_eq!(bank.state(1, paid), (PaymentState::Voting, 0));
    assert!(rows(&bank, 2).is_empty(), "it may yet find its quorum");
    bank.pass(Span::from_millis(1_900));
    assert!(rows(&bank, 2).is_empty());
    bank.pass(Span::from_millis(200));
    assert_eq!((bank.state(1, paid), bank.state(2, paid)), (AT_RISK, AT_RISK));
    let came = bank.payment(2, paid);
    assert_eq!((came.units, came.memo.unwrap().as_str(), came.waits_for.len()), (1_250, "eggs", 4));
    assert_eq!((bank.balance(2), at_risk(&bank, 2)), ((100, 0), 1_250), "it is no balance");
    assert_eq!(bank.pay(2, 3, "1.01").unwrap_err().code(), "not_enough", "and cannot be spent");
    assert_eq!(bank.refund(2, paid).unwrap_err().code(), "not_refundable");
    assert!(query::receipt(&bank.town.people[2].store, paid).unwrap().is_none(), "nor proved");
    assert_eq!(bank.town.lines(2, 1).len(), 1, "the payment before");

    bank.pass(Span::from_secs(600));
    assert_eq!(bank.state(2, paid), AT_RISK);
    bank.down.clear();
    bank.pass(Span::from_secs(120));
    assert_eq!((bank.state(1, paid), bank.state(2, paid)), (FINAL, FINAL));
    assert_eq!((bank.balance(2), at_risk(&bank, 2)), ((1_350, 0), 0), "once, whoever brought it");
    assert_eq!((bank.town.lines(2, 1).len(), bank.town.lines(1, 2).len()), (2, 2), "and one line");
    assert!(rows(&bank, 2).is_empty());
    let on = bank.pay(2, 3, "13.50").unwrap();
    assert_eq!(bank.state(2, on), FINAL);
    assert_eq!(bank.everything(), 10_000);
}

#[test]
fn votes_that_the_payer_has_are_shown_to_the_payee() {
    let mut bank = cut_off();
    bank.down.remove(&1);
    bank.down.remove(&2);
    let paid = bank.pay(1, 2, "5").unwrap();
    bank.deaf.insert(2);
    bank.pass(Span::from_secs(3));
    assert_eq!(bank.state(2, paid), (PaymentState::Unwitnessed, 2), "two of three");
    bank.deaf.clear();
    bank.down.clear();
    bank.pass(Span::from_secs(120));
    assert_eq!((bank.state(2, paid), bank.balance(2)), (FINAL, (600, 0)));
}

#[test]
fn a_payee_takes_it_to_the_witnesses_when_the_payer_is_gone() {
    let mut bank = cut_off();
    // Three in a row, the last of them to somebody else: the payee of that one brings all three.
    let first = bank.pay(1, 2, "1").unwrap();
    let second = bank.pay(1, 3, "2").unwrap();
    let third = bank.pay(1, 3, "3").unwrap();
    bank.pass(Span::from_secs(3));
    assert_eq!([bank.state(2, first), bank.state(3, second), bank.state(3, third)], [AT_RISK; 3]);
    bank.town.sleep(1);
    bank.deaf.extend([1, 2]);
    bank.down.clear();
    bank.pass(Span::from_secs(120));
    assert_eq!([bank.state(3, second), bank.state(3, third)], [FINAL; 2]);
    assert_eq!((bank.balance(3), at_risk(&bank, 3)), ((500, 0), 0));
    assert_eq!(bank.state(2, first), AT_RISK, "who asks nobody knows nothing");
    // It is money although its payer never says so.
    let on = bank.pay(3, 4, "5").unwrap();
    assert_eq!(bank.state(3, on), FINAL);
    bank.deaf.clear();
    bank.pass(Span::from_secs(120));
    assert_eq!((bank.state(2, first), bank.balance(2)), (FINAL, (200, 0)));
    // The payer comes back, finds it done, and says so: a line, and not money again.
    let lines = bank.town.lines(3, 1).len();
    bank.town.wake(1);
    bank.pass(Span::from_secs(300));
    assert_eq!(bank.state(1, third), FINAL);
    assert_eq!((bank.town.lines(3, 1).len(), bank.balance(3)), (lines + 2, (0, 0)));
    assert_eq!((bank.balance(1), bank.everything()), ((9_300, 0), 10_000));
}

#[test]
fn caps_are_named_and_what_is_above_them_waits_for_the_witnesses() {
    let mut bank = cut_off();
    let large = bank.pay(1, 2, "20.01").unwrap();
    bank.pass(Span::from_secs(3));
    let kept = |bank: &Bank, entry| bank.payment(1, entry).kept_back.unwrap();
    assert!(kept(&bank, large).contains("20.00 MANGO") && kept(&bank, large).contains("`payment`"));
    assert_eq!(bank.state(1, large), (PaymentState::Voting, 0));
    assert!(rows(&bank, 2).is_empty());

    let mut bank = cut_off();
    let paid: Vec<EntryHash> = (0..3).map(|_| bank.pay(1, 2, "20").unwrap()).collect();
    bank.pass(Span::from_secs(3));
    assert_eq!((bank.state(2, paid[1]), at_risk(&bank, 2)), (AT_RISK, 4_000));
    let why = kept(&bank, paid[2]);
    assert!(why.contains("50.00 MANGO") && why.contains("60.00 MANGO") && why.contains("`outstanding`"), "{why}");
    let other = bank.pay(1, 3, "20").unwrap();
    let fifth = bank.pay(1, 3, "1").unwrap();
    let sixth = bank.pay(1, 3, "1").unwrap();
    bank.pass(Span::from_secs(3));
    assert_eq!([bank.state(3, other), bank.state(3, fifth)], [AT_RISK; 2]);
    assert!(kept(&bank, sixth).contains("`chained`") && kept(&bank, sixth).contains("number 6"));
    bank.down.clear();
    bank.pass(Span::from_secs(120));
    assert_eq!((bank.balance(2), bank.balance(3)), ((6_100, 0), (2_200, 0)), "all the same");
    assert!(bank.payment(1, sixth).kept_back.is_none());

    let mut bank = cut_off();
    bank.pass(Span::from_hours(73));
    let late = bank.pay(1, 2, "1").unwrap();
    bank.pass(Span::from_secs(3));
    assert!(kept(&bank, late).contains("`proof_age`") && kept(&bank, late).contains("3 days"));

    let mut bank = Bank::open();
    bank.mint("100", Some(1)).unwrap();
    bank.down.extend([1, 2, 3, 4]);
    let first = bank.pay(1, 2, "1").unwrap();
    bank.pass(Span::from_secs(3));
    assert!(kept(&bank, first).contains("nothing of this account is certified"), "its first payment opens it");
}

#[test]
fn of_payments_whose_time_is_over_at_once_the_earlier_ones_are_handed_over() {
    for units in ["20", "19.99", "19.98", "19.97", "19.96", "19.95"] {
        let mut bank = cut_off();
        let paid = [(); 3].map(|()| bank.pay(1, 2, units).unwrap());
        bank.pass(Span::from_secs(3));
        assert_eq!([bank.state(2, paid[0]), bank.state(2, paid[1])], [AT_RISK; 2], "{units}");
        assert!(bank.payment(1, paid[2]).kept_back.is_some(), "{units}");
        assert_eq!(rows(&bank, 2).len(), 2, "{units}");
    }
}

#[test]
fn a_payment_that_was_kept_back_is_handed_over_once_the_caps_allow_it() {
    let mut bank = cut_off();
    let paid: Vec<EntryHash> = (0..3).map(|_| bank.pay(1, 2, "20").unwrap()).collect();
    bank.pass(Span::from_secs(3));
    assert!(bank.payment(1, paid[2]).kept_back.is_some());
    // So many answers that one of them becomes final.
    bank.deaf.insert(2);
    bank.answers = Some((1, 11));
    bank.down.clear();
    bank.pass(Span::from_secs(60));
    assert_eq!(bank.state(1, paid[0]), FINAL);
    assert_eq!(bank.state(1, paid[2]).0, PaymentState::Unwitnessed);
    assert_eq!(bank.state(2, paid[2]), AT_RISK);
}

#[test]
fn e19_who_pays_two_people_the_same_is_found_out_and_costs_one_of_them_no_more_than_the_caps() {
    let mut bank = cut_off();
    let (first, second) = pays_twice(&mut bank, (2, 3), "20");
    assert_eq!((bank.state(2, first), bank.state(3, second)), (AT_RISK, AT_RISK), "neither can know");
    bank.down.clear();
    bank.pass(Span::from_secs(180));
    let states = [bank.payment(2, first).state, bank.payment(3, second).state];
    let ends = states.iter().filter(|state| **state == PaymentState::Final).count();
    assert!(ends <= 1, "{states:?}");
    let (loser, lost) = if states[0] == PaymentState::Final { (3, second) } else { (2, first) };
    let view = bank.payment(loser, lost);
    assert_eq!(view.state, PaymentState::Refused);
    assert!(view.proof.is_some(), "both signatures are kept");
    assert_eq!(at_risk(&bank, loser), 0);
    let came = bank.balance(2).0 + bank.balance(3).0;
    assert_eq!(came, 100 + if ends == 1 { 2_000 } else { 0 }, "nobody has it twice");
}

/// What a program that minds no caps would hand over for an entry of Bea's.
fn uncapped(bank: &Bank, seq: u64) -> Promise {
    let currency = query::currency(&bank.town.people[1].store, "MANGO").unwrap().id;
    let own = |seq| bank.town.row::<kinfolk_engine::store::OwnEntry>(1, &Key::OwnEntry(currency, seq)).unwrap();
    let base = (0..seq).rev().find(|seq| own(*seq).cert.is_some()).unwrap();
    let footing: kinfolk_engine::store::Footing = bank.town.row(1, &Key::Footing(currency, base)).unwrap();
    Promise {
        state: footing.state.map(|state| *state),
        base: kinfolk_ledger::vote::Receipt { entry: *own(base).entry, cert: *own(base).cert.unwrap() },
        entries: (base + 1..=seq).map(|seq| *own(seq).entry).collect(),
        cited: Vec::new(),
        votes: Vec::new(),
    }
}

#[test]
fn e19_a_payer_who_minds_no_caps_has_no_more_outstanding_than_they_say() {
    let mut bank = cut_off();
    for _ in 0..4 {
        bank.pay(1, 2, "17").unwrap();
    }
    let taken: Vec<bool> = (1..5)
        .map(|seq| {
            let said = promise(&bank, 2, &uncapped(&bank, seq), 1_700);
            says(&mut bank, 1, 2, said).is_empty()
        })
        .collect();
    assert_eq!((taken, at_risk(&bank, 2)), (vec![true, true, false, false], 3_400));
    // What was lost stays counted, and is not made room for by what comes after it.
    let currency = query::currency(&bank.town.people[1].store, "MANGO").unwrap().id;
    let (number, row) = (1..9)
        .find_map(|number| Some((number, bank.town.row::<Promised>(2, &Key::Promised(currency, number))?)))
        .unwrap();
    let mut lost = Changes::default();
    let outcome = Outcome::Broken { proof: None, stands: None };
    lost.put(Key::Promised(currency, number), Row::Promised(Promised { outcome, ..row }));
    bank.town.people[2].store.commit(&lost);
    assert_eq!(at_risk(&bank, 2), 1_700);
    let said = promise(&bank, 2, &uncapped(&bank, 3), 1_700);
    assert_eq!(says(&mut bank, 1, 2, said), [Rejection::Misplaced]);
}

#[test]
fn two_promises_for_one_place_to_one_payee_prove_it_at_once() {
    let mut bank = cut_off();
    let (first, second) = pays_twice(&mut bank, (2, 2), "5");
    assert_eq!(bank.payment(2, first).state, PaymentState::Refused);
    assert!(bank.payment(2, first).proof.is_some());
    assert!(query::payment(&bank.town.people[2].store, second).unwrap().is_none());
    let before = bank.town.people[1].store.clone();
    bank.restore(1, before);
    let third = bank.pay(1, 2, "1").unwrap();
    bank.pass(Span::from_secs(3));
    assert!(query::payment(&bank.town.people[2].store, third).unwrap().is_none(), "it stands on one of the two");
    // The account counts as frozen, also for what has nothing to do with those two.
    let chain = bank.town.row::<Promised>(2, &Key::Promised(bank.payment(2, first).currency, 2)).unwrap().chain;
    let payer: Payer = bank.town.row(2, &Key::Payer(chain)).unwrap();
    let mut elsewhere = cut_off();
    let mut frozen = Changes::default();
    frozen.put(Key::Payer(chain), Row::Payer(Payer { known: Vec::new(), ..payer }));
    elsewhere.town.people[2].store.commit(&frozen);
    let fresh = elsewhere.pay(1, 2, "1").unwrap();
    elsewhere.pass(Span::from_secs(3));
    assert!(query::payment(&elsewhere.town.people[2].store, fresh).unwrap().is_none());
    // One of the two may be certified all the same, and is money then.
    bank.down.clear();
    bank.pass(Span::from_secs(180));
    let state = bank.payment(2, first).state;
    // Or the other, and what stands on that.
    let other = if query::payment(&bank.town.people[2].store, second).unwrap().is_some() { 700 } else { 100 };
    assert_eq!(bank.balance(2).0, if state == PaymentState::Final { 600 } else { other });
}

#[test]
fn e19_an_entry_that_took_the_place_leaves_the_promise_refused_with_both_signatures() {
    let mut bank = cut_off();
    let (first, second) = pays_twice(&mut bank, (2, 3), "20");
    // The second is certified, whoever was handed the first asks nobody meanwhile.
    bank.town.sleep(2);
    bank.down.clear();
    bank.pass(Span::from_secs(120));
    assert_eq!((bank.state(3, second), bank.state(2, first)), (FINAL, AT_RISK));
    bank.town.wake(2);
    bank.pass(Span::from_secs(120));
    let view = bank.payment(2, first);
    assert_eq!((view.state, view.proof.is_some(), bank.balance(2)), (PaymentState::Refused, true, (100, 0)));
    let row = rows(&bank, 2).pop().unwrap();
    assert!(matches!(row.outcome, Outcome::Broken { proof: Some(_), stands: Some(_) }), "{:?}", row.outcome);
    assert!(row.promise.is_none(), "nothing more is asked");
    let asked = bank.asked.len();
    bank.pass(Span::from_hours(2));
    let about_it = |asked: &Request| match asked {
        Request::Propose { entry, .. } => entry.header().chain == row.chain,
        Request::Entries { chain, .. } => *chain == row.chain,
        _ => false,
    };
    assert!(!bank.asked[asked..].iter().any(|(_, asked)| about_it(asked)));
}

#[test]
fn what_was_promised_counts_once_however_often_it_is_said_and_to_its_payee_alone() {
    let mut bank = cut_off();
    let paid = bank.pay(1, 2, "5").unwrap();
    bank.pass(Span::from_secs(3));
    let genuine = handed(&bank, 2);
    let said = promise(&bank, 2, &genuine, 500);
    assert_eq!(says(&mut bank, 1, 2, said.clone()), [Rejection::Replay]);
    assert_eq!(says(&mut bank, 1, 3, said.clone()), [Rejection::Misplaced], "to somebody else");
    let more = PromiseBody { sum: kinfolk_wire::content::Sum { units: 600, ..said.sum }, ..said.clone() };
    assert_eq!(says(&mut bank, 1, 3, more), [Rejection::Misplaced]);
    assert_eq!((bank.state(2, paid), at_risk(&bank, 2), rows(&bank, 3).len()), (AT_RISK, 500, 0));
    bank.down.clear();
    bank.pass(Span::from_secs(120));
    assert_eq!(says(&mut bank, 1, 2, said), [Rejection::Replay], "final, and said again");
    assert_eq!((bank.state(2, paid), bank.balance(2), at_risk(&bank, 2)), (FINAL, (600, 0), 0));
}

#[test]
fn both_go_on_where_they_were_after_a_crash() {
    for lost in 0..14 {
        let mut bank = cut_off();
        let paid = bank.pay(1, 2, "5").unwrap();
        bank.pass(Span::from_secs(3));
        bank.down.clear();
        // Of what the two ask so many answers come, and then both nodes stop.
        bank.answers = Some((1 + lost % 2, lost / 2));
        bank.deaf.insert(2 - lost % 2);
        bank.pass(Span::from_secs(30));
        bank.restart(2);
        bank.restart(1);
        (bank.answers, bank.deaf) = (None, [].into());
        bank.pass(Span::from_secs(120));
        assert_eq!((bank.state(1, paid), bank.state(2, paid)), (FINAL, FINAL), "{lost}");
        assert_eq!((bank.balance(2), at_risk(&bank, 2)), ((600, 0), 0), "{lost}");
        assert_eq!(bank.town.lines(2, 1).len(), 2, "{lost}");
        assert_eq!(bank.everything(), 10_000, "{lost}");
    }
}

#[test]
fn an_invoice_is_paid_when_the_payment_is_final_and_not_before() {
    let mut bank = cut_off();
    let new = input::NewInvoice {
        contact: Some(bank.town.people[1].identity),
        amount: "7".to_owned(),
        currency: "MANGO".to_owned(),
        memo: None,
        lifetime: Span::from_hours(24),
    };
    let made = bank.order(2, input::Command::CreateInvoice(new)).unwrap();
    let kinfolk_engine::Answer::Invoice(name) = made else { panic!("{made:?}") };
    bank.order(1, input::Command::PayInvoice(name.to_string())).unwrap();
    bank.pass(Span::from_secs(3));
    let state = |bank: &Bank| {
        let row: kinfolk_engine::store::Invoice = bank.town.row(2, &Key::Invoice(name)).unwrap();
        row.entry.is_some()
    };
    assert_eq!((at_risk(&bank, 2), state(&bank)), (700, false));
    bank.down.clear();
    bank.pass(Span::from_secs(120));
    assert!(state(&bank));
}
