//! Accounts say how they stand, witnesses let go of what is before, and everybody gets on with that.

use kinfolk_engine::query::{self, PaymentState};
use kinfolk_engine::store::{Account, Key, MemoryStore, OwnCheckpoint, OwnEntry, RecoveryPhase, Stopped};
use kinfolk_ledger::entry::Ctl;
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_wire::time::Span;

use crate::bank::Bank;

const MONTH: Span = Span::from_hours(30 * 24 + 1);

fn mango(bank: &Bank) -> kinfolk_wire::ids::CurrencyId {
    query::currency(&bank.town.people[0].store, "MANGO").unwrap().id
}

fn account(bank: &Bank, who: usize) -> Account {
    bank.town.row(who, &Key::Account(mango(bank))).unwrap()
}

fn stopped(bank: &Bank, who: usize) -> Option<Stopped> {
    query::currency(&bank.town.people[who].store, "MANGO").unwrap().stopped
}

fn checkpoint(bank: &Bank, who: usize) -> Option<OwnCheckpoint> {
    bank.town.row(who, &Key::OwnCheckpoint(mango(bank)))
}

/// Bea has 6 of 10 left, having paid Cora 4 a month ago, and has said so.
fn a_month_later() -> Bank {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.pay(1, 2, "4").unwrap();
    assert_eq!(checkpoint(&bank, 1), None);
    bank.pass(MONTH);
    bank
}

fn prune(bank: &mut Bank) {
    let now = bank.town.now;
    for (who, mut witness) in std::mem::take(&mut bank.witnesses) {
        let mut compaction = witness.compact().unwrap();
        while !witness.compact_some(&mut compaction, 64).unwrap() {}
        witness.finish_compaction(&mut compaction, now).unwrap();
        bank.witnesses.insert(who, witness.compacted(compaction).unwrap());
    }
}

fn next_at(bank: &mut Bank, witness: usize, who: usize) -> u64 {
    let (currency, chain) = (mango(bank), account(bank, who).account);
    let request = Request::Head { currency, chain };
    match bank.ask(witness, request) {
        Reply::Head { next, .. } => next,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_account_says_how_it_stands_a_month_after_it_last_did_if_anything_was_signed() {
    let mut bank = a_month_later();
    let written = checkpoint(&bank, 1).unwrap();
    let entries = account(&bank, 1).certified;
    assert_eq!(written.seq + 1, entries, "nothing was signed since");
    let own: OwnEntry = bank.town.row(1, &Key::OwnEntry(mango(&bank), written.seq)).unwrap();
    assert!(matches!(own.entry.body().ctl, Some(Ctl::Checkpoint { .. })) && own.cert.is_some());
    assert_eq!(bank.balance(1), (600, 0));
    // Nothing more is said while nothing is done.
    bank.pass(MONTH);
    assert_eq!((checkpoint(&bank, 1), account(&bank, 1).certified), (Some(written.clone()), entries));
    let history = query::payments(&bank.town.people[1].store, None, 10).unwrap();
    assert_eq!(history.len(), 2, "it is no payment");
    // And a month after the last, once something was.
    let paid = bank.pay(1, 3, "1").unwrap();
    assert_eq!(bank.payment(1, paid).state, PaymentState::Final);
    bank.pass(Span::from_secs(60));
    let again = checkpoint(&bank, 1).unwrap();
    // The payment says it itself.
    assert_eq!((again.seq, account(&bank, 1).certified), (written.seq + 1, entries + 1));
    assert_eq!(bank.witnesses.values().map(|witness| witness.status().conflicts).sum::<u64>(), 0);
}

#[test]
fn witnesses_let_go_of_what_is_past_and_everybody_pays_on() {
    let mut bank = a_month_later();
    prune(&mut bank);
    let first = Request::Entries { currency: mango(&bank), chain: account(&bank, 1).account, from: 0, to: 1 };
    assert!(matches!(bank.ask(1, first), Reply::Checkpoint(_)));
    let paid = bank.pay(1, 3, "1").unwrap();
    // What was paid before, and is claimed only now.
    let back = bank.pay(2, 1, "4").unwrap();
    assert_eq!(bank.payment(1, paid).state, PaymentState::Final);
    assert_eq!(bank.payment(2, back).state, PaymentState::Final);
    bank.pass(Span::from_hours(2));
    assert_eq!((bank.balance(1), bank.balance(3)), ((900, 0), (100, 0)));
    let refund = bank.refund(1, back).unwrap();
    assert_eq!(bank.payment(1, refund).state, PaymentState::Final);
    assert_eq!(bank.everything(), 1_000);
}

#[test]
fn the_account_of_a_lost_phone_comes_back_from_a_checkpoint_and_brings_on_a_witness_that_lacks_it() {
    let mut bank = a_month_later();
    // One witness loses everything but its currency, as a new one has nothing.
    bank.pay(1, 3, "1").unwrap();
    prune(&mut bank);
    bank.begin_again(4);
    let new = bank.lose(1);
    bank.recover(new).unwrap();
    bank.pass(Span::from_secs(300));
    let phase = bank.town.row::<kinfolk_engine::store::Recovering>(new, &Key::Recovering(mango(&bank))).unwrap().phase;
    assert_eq!((phase, bank.balance(new)), (RecoveryPhase::Done, (500, 0)));
    let history = query::payments(&bank.town.people[new].store, None, 10).unwrap();
    assert_eq!(history.len(), 1, "what is before the checkpoint is not told any more");
    assert!(bank.asked.iter().any(|(at, request)| *at == 4 && matches!(request, Request::Adopt(_))));
    assert_eq!(next_at(&mut bank, 4, new), account(&bank, new).certified);
    let payee = bank.newcomer(&[new]);
    let paid = bank.pay(new, payee, "2").unwrap();
    bank.pass(Span::from_secs(120));
    assert_eq!(bank.payment(new, paid).state, PaymentState::Final);
    // The old one is told by the key that the checkpoint or the entries after it name.
    bank.town.wake(1);
    bank.settle();
    assert_eq!(stopped(&bank, 1), Some(Stopped::Recovered));
}

/// Seventeen payments later witnesses have let go of the places that an older copy knows.
fn overtaken() -> (Bank, MemoryStore) {
    let mut bank = Bank::open();
    bank.mint("10", Some(1)).unwrap();
    bank.pay(1, 2, "4").unwrap();
    let older = bank.town.people[1].store.clone();
    // Each says how the account stands; witnesses keep every sixteenth.
    for _ in 0..17 {
        bank.pay(1, 2, "0.01").unwrap();
    }
    bank.pass(MONTH);
    prune(&mut bank);
    (bank, older)
}

#[test]
fn e10_an_older_copy_that_a_checkpoint_has_overtaken_pays_nothing_more() {
    let (mut bank, older) = overtaken();
    bank.restore(1, older);
    bank.pass(Span::from_secs(60));
    let next = account(&bank, 1).certified + 17;
    assert_eq!(stopped(&bank, 1), Some(Stopped::Behind { next }));
    assert!(bank.pay(1, 2, "5").is_err());
    assert_eq!(bank.witnesses.values().map(|witness| witness.status().conflicts).sum::<u64>(), 0);
}

#[test]
fn a_checkpoint_of_another_account_or_of_nobody_stops_no_wallet() {
    let (mut bank, older) = overtaken();
    // Whoever answers leaves out the certificate.
    bank.forge = Some(|_, _, reply| match reply {
        Reply::Checkpoint(mut checkpoint) => {
            checkpoint.receipt.cert.sigs = Default::default();
            Reply::Checkpoint(checkpoint).encode()
        }
        reply => reply.encode(),
    });
    bank.restore(1, older);
    bank.pass(Span::from_secs(60));
    assert_eq!(stopped(&bank, 1), None);
    let trouble = query::currency(&bank.town.people[1].store, "MANGO").unwrap();
    assert!(format!("{trouble:?}").contains("none of this account"), "{trouble:?}");
}
