//! A phone is lost, and the account it had comes back with the words: whatever was under way, whoever is away, wherever
//! it is interrupted, and whatever the old phone does.

use kinfolk_engine::input::{Command, NewInvoice, Words};
use kinfolk_engine::query::{self, PaymentState};
use kinfolk_engine::store::{Account, Key, MovementKind, Recovering, RecoveryPhase, Stopped, Wallet};
use kinfolk_ledger::entry::Ctl;
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_wire::time::Span;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::bank::Bank;

fn mango(bank: &Bank) -> kinfolk_wire::ids::CurrencyId {
    query::currency(&bank.town.people[0].store, "MANGO").unwrap().id
}

fn recovering(bank: &Bank, who: usize) -> Recovering {
    bank.town.row(who, &Key::Recovering(mango(bank))).unwrap()
}

fn phase(bank: &Bank, who: usize) -> RecoveryPhase {
    recovering(bank, who).phase
}

fn account(bank: &Bank, who: usize) -> Account {
    bank.town.row(who, &Key::Account(mango(bank))).unwrap()
}

fn stopped(bank: &Bank, who: usize) -> Option<Stopped> {
    query::currency(&bank.town.people[who].store, "MANGO").unwrap().stopped
}

/// Bea has 6 of 10 left, having paid Cora 4.
fn with_six() -> Bank {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.pay(1, 2, "4").unwrap();
    bank
}

/// The account is `new`'s, who can pay with it.
fn spends(bank: &mut Bank, new: usize, amount: &str) {
    assert_eq!(phase(bank, new), RecoveryPhase::Done);
    assert!(recovering(bank, new).root.is_none(), "the root of the keys is forgotten");
    let payee = bank.newcomer(&[new]);
    let paid = bank.pay(new, payee, amount).unwrap();
    bank.pass(Span::from_secs(120));
    assert_eq!(bank.payment(new, paid).state, PaymentState::Final);
    assert!(bank.balance(payee).0 > 0);
}

#[test]
fn the_money_of_a_lost_phone_comes_back_and_the_phone_can_spend_nothing() {
    let mut bank = with_six();
    let old = account(&bank, 1);
    let new = bank.lose(1);
    assert_eq!(bank.balance(new), (0, 0));
    let refused =
        bank.order(new, Command::AskAccount { contact: bank.town.people[2].identity, currency: "MANGO".into() });
    assert!(refused.is_err(), "nobody is a contact any more");
    bank.recover(new).unwrap();
    assert_eq!((phase(&bank, new), bank.balance(new)), (RecoveryPhase::Done, (600, 0)));
    let back = account(&bank, new);
    assert_eq!((back.account, back.recovery), (old.account, old.recovery));
    let keys = *back.state.as_ref().unwrap().keys();
    assert_eq!(keys.key_seq, 1);
    let history = query::payments(&bank.town.people[new].store, None, 10).unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(
        (history[0].kind, history[0].units, history[0].state, &history[0].contact),
        (MovementKind::Paid, 400, PaymentState::Final, &None),
        "whom it was paid to is unknown"
    );
    spends(&mut bank, new, "1");

    // The old phone comes back, and is told.
    bank.town.wake(1);
    bank.settle();
    assert_eq!(stopped(&bank, 1), Some(Stopped::Recovered));
    let refused = bank.pay(1, 3, "5").unwrap_err();
    assert_eq!(refused.code(), "account_recovered");
    assert!(refused.to_string().contains("recovery words"), "{refused}");
    spends(&mut bank, new, "5");
    assert_eq!(bank.balance(new), (0, 0));
    assert!(bank.witnesses.values().all(|witness| witness.status().conflicts == 0));
}

#[test]
fn an_old_phone_that_hears_nothing_and_pays_on_is_stopped_by_its_first_answer() {
    let mut bank = with_six();
    let new = bank.lose(1);
    bank.recover(new).unwrap();
    bank.deaf.insert(1);
    bank.town.wake(1);
    bank.settle();
    let paid: Vec<_> = (0..3).map(|_| bank.pay(1, 3, "1").unwrap()).collect();
    bank.deaf.clear();
    bank.pass(Span::from_secs(300));
    assert_eq!(stopped(&bank, 1), Some(Stopped::Recovered));
    assert!(paid.iter().all(|paid| bank.payment(1, *paid).state == PaymentState::Refused));
    assert_eq!((bank.balance(3), bank.balance(new)), ((0, 0), (600, 0)));
    // What it signed is no proof against the new key, and freezes nothing.
    assert!(bank.witnesses.values().all(|witness| witness.status().conflicts == 0));
    spends(&mut bank, new, "6");
}

/// Bea pays 1 while only these witnesses hear it; then all are there, and her phone is gone.
fn pending_at(bank: &mut Bank, heard_by: &[usize]) -> kinfolk_wire::ids::EntryHash {
    bank.down.extend((1..5).filter(|at| !heard_by.contains(at)));
    let paid = bank.pay(1, 2, "1").unwrap();
    bank.down.clear();
    paid
}

#[test]
fn what_may_have_been_certified_is_completed_first_and_what_cannot_have_been_is_not() {
    for (heard_by, is_completed) in [(&[1][..], false), (&[1, 2], true), (&[2, 3, 4], true), (&[1, 2, 3, 4], true)] {
        let mut bank = with_six();
        bank.deaf.insert(1);
        let paid = pending_at(&mut bank, heard_by);
        let new = bank.lose(1);
        bank.deaf.clear();
        bank.recover(new).unwrap();
        assert_eq!(phase(&bank, new), RecoveryPhase::Done, "{heard_by:?}");
        let left = if is_completed { 500 } else { 600 };
        assert_eq!((bank.balance(new), recovering(&bank, new).completed), ((left, 0), u64::from(is_completed)));
        let entries: Vec<_> = query::payments(&bank.town.people[new].store, None, 9).unwrap();
        assert_eq!(entries.iter().any(|one| one.entry == paid), is_completed, "{heard_by:?}");
        spends(&mut bank, new, "5");

        // The old phone hears what became of its payment, and hands it over.
        bank.town.wake(1);
        bank.pass(Span::from_secs(120));
        assert_eq!(stopped(&bank, 1), Some(Stopped::Recovered));
        let state = if is_completed { PaymentState::Final } else { PaymentState::Refused };
        assert_eq!(bank.payment(1, paid).state, state, "{heard_by:?}");
    }
}

#[test]
fn an_account_whose_first_payment_was_under_way_is_found_and_opened() {
    for heard_by in [&[3][..], &[1, 2], &[1, 2, 3, 4]] {
        let mut bank = Bank::open();
        bank.mint("10", Some(1)).unwrap();
        bank.deaf.insert(1);
        let paid = pending_at(&mut bank, heard_by);
        let new = bank.lose(1);
        bank.deaf.clear();
        bank.recover(new).unwrap();
        bank.pass(Span::from_secs(60));
        assert_eq!((phase(&bank, new), bank.balance(new)), (RecoveryPhase::Done, (900, 0)), "{heard_by:?}");
        assert_eq!(bank.payment(new, paid).state, PaymentState::Final);
        spends(&mut bank, new, "9");
    }
}

#[test]
fn a_witness_that_lacks_what_the_pending_payment_stands_on_is_given_it() {
    let mut bank = with_six();
    bank.down.insert(4);
    bank.mint("3", Some(1)).unwrap();
    // Emma's node never hears of that money.
    bank.deaf.insert(0);
    bank.down.extend([3]);
    bank.deaf.insert(1);
    bank.pay(1, 2, "8").unwrap();
    bank.down.clear();
    bank.down.insert(3);
    let new = bank.lose(1);
    bank.deaf.remove(&1);
    bank.recover(new).unwrap();
    bank.pass(Span::from_secs(60));
    assert_eq!((phase(&bank, new), bank.balance(new)), (RecoveryPhase::Done, (100, 0)));
    let cited = |(at, request): &(usize, Request)| {
        *at == 4 && matches!(request, Request::Prepare { cited, .. } if !cited.is_empty())
    };
    assert!(bank.asked.iter().any(cited));
}

#[test]
fn witnesses_that_are_away_are_named_and_waited_for() {
    let mut bank = with_six();
    let new = bank.lose(1);
    bank.down.insert(4);
    bank.recover(new).unwrap();
    assert_eq!(phase(&bank, new), RecoveryPhase::Done, "one of four may be away");
    spends(&mut bank, new, "1");

    let again = bank.lose(new);
    bank.down.insert(3);
    bank.recover(again).unwrap();
    bank.pass(Span::from_secs(300));
    let view = query::recovery(&bank.town.people[again].store, "MANGO").unwrap().unwrap();
    assert_eq!((view.phase, view.need, view.answered.len()), (RecoveryPhase::Taking, 3, 2));
    let names: Vec<usize> = view.waits_for.iter().map(|witness| usize::from(witness.peer.as_bytes()[0]) - 1).collect();
    assert_eq!(names, [3, 4]);
    assert!(view.waits_for.iter().all(|witness| witness.trouble.as_deref() == Some("did not answer")));
    let finn = bank.newcomer(&[again]);
    assert_eq!(bank.pay(again, finn, "1").unwrap_err().code(), "account_recovering");
    assert_eq!(stopped(&bank, again), Some(Stopped::Recovering));
    bank.restart(again);
    bank.down.clear();
    bank.pass(Span::from_secs(120));
    assert_eq!((phase(&bank, again), bank.balance(again)), (RecoveryPhase::Done, (500, 0)));
    // The words bring it back as often as it takes, each time with a key that those before do not have.
    assert_eq!(account(&bank, again).state.unwrap().keys().key_seq, 2);
    bank.town.wake(new);
    bank.pass(Span::from_secs(120));
    assert_eq!(stopped(&bank, new), Some(Stopped::Recovered));
    spends(&mut bank, again, "5");
}

#[test]
fn a_node_that_stops_at_any_point_goes_on_and_exchanges_the_key_once() {
    let points = [false, true].map(|has_pending| {
        let mut bank = with_six();
        if has_pending {
            bank.deaf.insert(1);
            pending_at(&mut bank, &[1, 2]);
        }
        let new = bank.lose(1);
        bank.deaf.clear();
        let mut left = 0;
        while !stops_after(&mut bank.again(), new, left, if has_pending { 500 } else { 600 }) {
            left += 1;
        }
        left
    });
    assert!(points[0] > 15 && points[1] > points[0], "{points:?}");
}

/// So many answers come before the node starts again. Whether it was done with them.
fn stops_after(bank: &mut Bank, new: usize, left: usize, expected: u64) -> bool {
    bank.answers = Some((new, left));
    bank.recover(new).unwrap();
    let was_whole = phase(bank, new) == RecoveryPhase::Done;
    bank.answers = None;
    bank.restart(new);
    bank.pass(Span::from_secs(200));
    assert_eq!((phase(bank, new), bank.balance(new)), (RecoveryPhase::Done, (expected, 0)), "{left}");
    assert_eq!(account(bank, new).state.unwrap().keys().key_seq, 1, "{left}");
    let rotations: std::collections::BTreeSet<_> = bank
        .asked
        .iter()
        .filter_map(|(_, request)| match request {
            Request::Prepare { entry, .. } if matches!(entry.body().ctl, Some(Ctl::Rotate { .. })) => {
                Some(entry.hash())
            }
            _ => None,
        })
        .collect();
    assert_eq!(rotations.len(), 1, "{left}: one exchange for one place");
    was_whole
}

#[test]
fn words_of_somebody_else_bring_nothing_back_and_leave_no_trace() {
    let mut bank = with_six();
    let new = bank.lose(1);
    let before = bank.town.kept(new);
    let words = Words::read(bank.town.people[2].words.clone()).unwrap();
    let refused = bank.order(new, Command::RecoverAccount { currency: "MANGO".into(), words }).unwrap_err();
    assert_eq!(refused.code(), "other_words");
    assert_eq!(Words::read("some words".to_owned()).unwrap_err().code(), "invalid_phrase");
    assert_eq!(bank.town.kept(new), before);
}

#[test]
fn a_profile_of_old_words_uses_no_account_before_it_has_looked_and_begins_one_where_there_is_none() {
    let mut bank = Bank::open();
    let new = bank.lose(1);
    bank.down.insert(2);
    let finn = bank.newcomer(&[new, 0]);
    bank.mint("10", Some(finn)).unwrap();
    assert_eq!(bank.pay(finn, new, "1").unwrap_err().code(), "account_unknown", "it tells nobody of an account");
    let pay = Command::CreateInvoice(NewInvoice {
        contact: Some(bank.town.people[finn].identity),
        amount: "1".to_owned(),
        currency: "MANGO".to_owned(),
        memo: None,
        lifetime: Span::from_days(1),
    });
    assert_eq!(bank.order(new, pay.clone()).unwrap_err().code(), "account_not_searched");
    let own = account(&bank, new).account;
    bank.recover(new).unwrap();
    assert_eq!(phase(&bank, new), RecoveryPhase::Nothing);
    assert!(recovering(&bank, new).root.is_none());
    assert_eq!(account(&bank, new).account, own);
    assert_ne!(account(&bank, 1).account, own, "the lost phone does not have its keys");
    bank.order(new, pay).unwrap();
    bank.pay(finn, new, "3").unwrap();
    assert_eq!(bank.balance(new), (300, 0));
    // In use, with its key here.
    assert_eq!(bank.recover(new).unwrap_err().code(), "not_recoverable");
    // And found in its turn, by the next phone.
    let paid = bank.pay(new, finn, "1").unwrap();
    assert_eq!(bank.payment(new, paid).state, PaymentState::Final);
    let third = bank.lose(new);
    bank.recover(third).unwrap();
    assert_eq!((phase(&bank, third), bank.balance(third)), (RecoveryPhase::Done, (200, 0)));
    let sets = [new, third].map(|who| bank.town.row::<Wallet>(who, &Key::Wallet).unwrap().set);
    assert_ne!(sets[0], sets[1], "accounts that begin now are not of the lost phone's set");
}

#[test]
fn who_issues_and_who_waits_is_told_why_nothing_is_brought_back() {
    let mut bank = with_six();
    let refused = bank.recover(0).unwrap_err();
    assert!(refused.code() == "not_recoverable" && refused.to_string().contains("you issue it"), "{refused}");
    bank.down.extend([3, 4]);
    bank.pay(1, 2, "1").unwrap();
    let refused = bank.recover(1).unwrap_err();
    assert!(refused.code() == "not_recoverable" && refused.to_string().contains("final"), "{refused}");
    // An account from before there were recovery keys.
    let mut before = account(&bank, 1);
    before.recovery = None;
    let mut bank = Bank::before();
    let mut changes = kinfolk_engine::store::Changes::default();
    changes.delete(Key::Wallet);
    bank.town.people[1].store.commit(&changes);
    bank.create("MANGO", &[1, 2, 3, 4]).unwrap();
    bank.mint("10", Some(1)).unwrap();
    bank.pay(1, 2, "1").unwrap();
    assert_eq!(account(&bank, 1).recovery, None);
    let refused = bank.recover(1).unwrap_err();
    assert!(refused.code() == "not_recoverable" && refused.to_string().contains("before"), "{refused}");
    // Its next ones have them.
    assert!(bank.town.row::<Wallet>(1, &Key::Wallet).is_none(), "a refusal leaves no trace");
}

#[test]
fn a_copy_that_was_stopped_is_brought_on_with_what_it_knows() {
    let mut bank = with_six();
    let copy = bank.town.people[1].store.clone();
    bank.pay(1, 3, "2").unwrap();
    bank.restore(1, copy);
    assert!(matches!(stopped(&bank, 1), Some(Stopped::Behind { .. })));
    bank.recover(1).unwrap();
    bank.pass(Span::from_secs(60));
    assert_eq!((phase(&bank, 1), bank.balance(1), stopped(&bank, 1)), (RecoveryPhase::Done, (400, 0), None));
    let history = query::payments(&bank.town.people[1].store, None, 10).unwrap();
    let shown: Vec<_> =
        history.iter().map(|one| (one.units, one.contact.as_ref().map(|who| who.1.as_str().to_owned()))).collect();
    let of = |name: &str| Some(name.to_owned());
    assert_eq!(shown, [(200, of("Dora")), (400, of("Cora")), (1_000, of("Anna"))]);
    let paid = bank.pay(1, 2, "4").unwrap();
    assert_eq!(bank.payment(1, paid).state, PaymentState::Final);
}

#[test]
fn one_witness_that_lies_neither_keeps_the_account_back_nor_changes_what_is_in_it() {
    let lies: [crate::bank::Forgery; 6] = [
        |at, request, reply| match request {
            Request::Recover(_) | Request::Prepare { .. } if at == 4 => {
                Reply::Refused(Reason::Promised { ballot: u32::MAX }).encode()
            }
            _ => reply.encode(),
        },
        |at, request, reply| match request {
            Request::Pending { .. } if at == 4 => Reply::Pending { next: 1 << 50, entries: Vec::new() }.encode(),
            _ => reply.encode(),
        },
        |at, request, reply| match request {
            Request::Pending { .. } if at == 4 => Reply::Pending { next: 0, entries: Vec::new() }.encode(),
            Request::Recover(_) if at == 4 => Reply::Refused(Reason::Elsewhere { next: 0 }).encode(),
            _ => reply.encode(),
        },
        |at, _, reply| if at == 4 { Vec::new() } else { reply.encode() },
        |at, _, reply| match reply {
            Reply::Report(mut report) if at == 4 => {
                report.findings.v0 = None;
                Reply::Report(report).encode()
            }
            reply => reply.encode(),
        },
        |at, _, reply| match reply {
            Reply::Vote(mut vote) if at == 4 => {
                vote.witness = 0;
                Reply::Vote(vote).encode()
            }
            reply => reply.encode(),
        },
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let mut bank = with_six();
        bank.deaf.insert(1);
        pending_at(&mut bank, &[1, 2, 3]);
        let new = bank.lose(1);
        bank.deaf.clear();
        bank.forge = Some(lie);
        bank.recover(new).unwrap();
        bank.pass(Span::from_secs(600));
        assert_eq!((phase(&bank, new), bank.balance(new)), (RecoveryPhase::Done, (500, 0)), "{number}");
        assert!(recovering(&bank, new).slot.ballot < 100_000, "{number}");
    }
}

#[test]
fn whatever_the_old_phone_does_meanwhile_the_account_is_taken_and_no_money_is_made_or_lost() {
    for seed in 0..40 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bank = with_six();
        let new = bank.lose(1);
        bank.town.wake(1);
        bank.down.extend((1..5).filter(|_| rng.next_u32() % 3 == 0));
        bank.recover(new).unwrap();
        for _ in 0..12 {
            bank.down.clear();
            bank.down.extend((1..5).filter(|_| rng.next_u32() % 3 == 0));
            match rng.next_u32() % 5 {
                0 | 1 => drop(bank.pay(1, 3, "0.25")),
                2 => bank.restart(new),
                3 => bank.restart(1),
                _ => {}
            }
            bank.pass(Span::from_secs(u64::from(rng.next_u32() % 5)));
        }
        bank.down.clear();
        bank.pass(Span::from_secs(400));
        assert_eq!((phase(&bank, new), stopped(&bank, 1)), (RecoveryPhase::Done, Some(Stopped::Recovered)), "{seed}");
        assert_eq!(bank.balance(new).0 + bank.balance(2).0 + bank.balance(3).0, 1_000, "{seed}");
        assert!(bank.witnesses.values().all(|witness| witness.status().conflicts == 0), "{seed}");
        spends(&mut bank, new, "1");
    }
}

#[test]
fn money_that_nobody_used_is_claimed_within_an_hour_and_comes_back_as_well() {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.pass(Span::from_secs(1_800));
    bank.mint("5", Some(1)).unwrap();
    bank.pass(Span::from_secs(1_700));
    assert!(account(&bank, 1).state.is_none(), "it waits for a payment to go with");
    bank.pass(Span::from_secs(200));
    assert_eq!((account(&bank, 1).certified, bank.balance(1)), (1, (1_500, 0)));
    bank.mint("2", Some(1)).unwrap();
    bank.pass(Span::from_secs(3_700));
    assert_eq!((account(&bank, 1).certified, bank.balance(1)), (2, (1_700, 0)));
    let new = bank.lose(1);
    bank.recover(new).unwrap();
    assert_eq!((phase(&bank, new), bank.balance(new)), (RecoveryPhase::Done, (1_700, 0)));
    spends(&mut bank, new, "17");
}
