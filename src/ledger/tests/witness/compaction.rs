//! A witness whose log is written anew, and chains that go on from a checkpoint.

use kinfolk_ledger::account::{Account, Committed};
use kinfolk_ledger::chain::{ChainState, Invalid};
use kinfolk_ledger::checkpoint::{Checkpoint, CheckpointError};
use kinfolk_ledger::entry::OutRef;
use kinfolk_ledger::gossip::{Exposure, Naming};
use kinfolk_ledger::witness::CompactError;
use kinfolk_wire::ids::StateHash;
use rand_core::Rng;

use super::*;

impl Ring {
    /// Somebody's checkpoint, certified and run by all.
    fn checkpoint(&mut self, number: u8) -> Receipt {
        let state_root = self.town.state(self.town.chain(number)).root();
        let entry = self.town.next(number, Body { ctl: Some(Ctl::Checkpoint { state_root }), ..body() });
        self.settle(&entry)
    }

    fn paid(&mut self, from: u8, to: u8, units: u64) -> Receipt {
        let entry = self.town.pay(from, to, units);
        self.settle(&entry)
    }

    /// Writes the log anew, so many lines at a time, while `meanwhile` happens.
    fn compact(&mut self, at: u8, lines: usize, mut meanwhile: impl FnMut(&mut Self)) {
        let place = usize::from(at);
        let mut compaction = self.witnesses[place].compact().unwrap();
        while !self.witnesses[place].compact_some(&mut compaction, lines).unwrap() {
            meanwhile(self);
        }
        let witness = self.witnesses.remove(place);
        witness.finish_compaction(&mut compaction, self.now).unwrap();
        self.witnesses.insert(place, witness.compacted(compaction).unwrap());
    }

    fn entries(&mut self, at: u8, chain: AccountId, from: u64) -> Reply {
        let currency = self.town.policy.currency();
        self.ask(at, Request::Entries { currency, chain, from, to: from + 256 })
    }

    fn shown(&mut self, at: u8, chain: AccountId) -> Checkpoint {
        match self.entries(at, chain, 0) {
            Reply::Checkpoint(checkpoint) => checkpoint,
            other => panic!("{other:?}"),
        }
    }
}

/// A chain with payments, claims, a refund and checkpoints, whole.
fn story() -> (Ring, Vec<Receipt>) {
    let mut ring = Ring::with_rich(4, 1);
    ring.town.rich(1, 500);
    let receipts = ring.receipts();
    (0..4).for_each(|at| ring.commit(at, &receipts));
    let mut own: Vec<Receipt> = receipts.into_iter().filter(|r| r.entry.header().chain == ring.town.chain(0)).collect();
    for round in 0..4 {
        own.push(ring.paid(0, 1, 10 + round));
        let came = ring.paid(1, 0, 50 + round);
        let came = came.verify(&ring.town.policy).unwrap().verify().unwrap();
        let refund_of = claim(&came, 0).out;
        let refund = Out { refund_of: Some(refund_of), ..Out::cash(ring.town.chain(1), amount(5)) };
        let entry = ring.town.next(0, Body { claims: vec![claim(&came, 0)], outs: vec![refund], ..body() });
        own.push(ring.settle(&entry));
        own.push(ring.checkpoint(0));
    }
    own.push(ring.paid(0, 1, 3));
    (ring, own)
}

#[test]
fn i12_a_chain_goes_on_from_a_checkpoint_as_from_its_first_entry() {
    let (ring, own) = story();
    let policies = &ring.town.policies;
    let genuine = |receipt: &Receipt| receipt.clone().verify(&ring.town.policy).unwrap().verify().unwrap();
    let mut whole = Account::new(ring.town.chain(0));
    let mut checkpoints = Vec::new();
    for receipt in &own {
        if matches!(receipt.entry.body().ctl, Some(Ctl::Checkpoint { .. })) {
            let state = Box::new(whole.state().unwrap().clone());
            checkpoints.push(Checkpoint { receipt: receipt.clone(), state });
        }
        assert_eq!(whole.commit(genuine(receipt), policies), Ok(Committed::Executed(1)));
    }
    assert_eq!(checkpoints.len(), 4);
    for checkpoint in checkpoints {
        let seq = checkpoint.seq();
        for before in [0, 2] {
            // From nothing, and from where a witness was that then missed the rest; with what came too early.
            let mut account = Account::new(ring.town.chain(0));
            let known = own.iter().take(before).chain(own.last());
            known.for_each(|receipt| assert!(account.commit(genuine(receipt), policies).is_ok()));
            let adopted = checkpoint.clone().verify_among(policies).unwrap().verify().unwrap();
            assert!(matches!(account.adopt(adopted.clone(), policies), Ok(Committed::Executed(_))));
            for receipt in own.iter().filter(|receipt| receipt.entry.header().seq > seq) {
                account.commit(genuine(receipt), policies).unwrap();
            }
            assert_eq!(account.state(), whole.state(), "checkpoint {seq}");
            assert_eq!(account.state().unwrap().root(), whole.state().unwrap().root());
            assert_eq!(account.adopt(adopted, policies), Ok(Committed::Known), "what is past changes nothing");
            assert_eq!(account.state(), whole.state());
        }
    }
}

#[test]
fn a_checkpoint_is_believed_by_its_certificate_and_its_hash_alone() {
    let (mut ring, _) = story();
    let chain = ring.town.chain(0);
    ring.compact(0, 100, |_| {});
    let shown = ring.shown(0, chain);
    let policy = ring.town.policy.clone();
    let verify = |checkpoint: Checkpoint| checkpoint.verify(&policy).map(|checkpoint| checkpoint.verify().is_ok());
    assert_eq!(verify(shown.clone()), Ok(true));
    // Another state, that of another entry, an entry that is none, a certificate of nobody.
    let richer = {
        let mut town = Town::new(4, 1);
        town.open_issuer();
        town.rich(0, 1_001);
        Box::new(town.state(chain))
    };
    assert_eq!(verify(Checkpoint { state: richer, ..shown.clone() }), Err(CheckpointError::State));
    // At the very place, with another balance: only the hash tells.
    let mut bytes = shown.state.encode();
    let balance = bytes.windows(3).position(|window| window == [0x06, 0x82, 0x19]).unwrap();
    bytes[balance + 4] ^= 1;
    let altered = Box::new(ChainState::decode(&bytes, usize::MAX).unwrap());
    assert_ne!(altered.balances(), shown.state.balances());
    let altered = Checkpoint { state: altered, ..shown.clone() };
    assert_eq!(verify(altered.clone()), Err(CheckpointError::State));
    let later = Box::new(ring.town.state(chain));
    assert_eq!(verify(Checkpoint { state: later, ..shown.clone() }), Err(CheckpointError::State));
    let paid = ring.paid(0, 1, 1);
    assert_eq!(verify(Checkpoint { receipt: paid, ..shown.clone() }), Err(CheckpointError::Entry));
    let mut nobodys = shown.clone();
    nobodys.receipt.cert.sigs = Default::default();
    assert!(matches!(verify(nobodys.clone()), Err(CheckpointError::Cert(_))));
    // A witness that has nothing of the chain takes the one and none of the others.
    let mut fresh = Witness::open(PaperShelf::new(key(2, 1))).unwrap();
    fresh.serve(ring.town.policy.signed()).unwrap();
    ring.witnesses[1] = fresh;
    assert!(matches!(ring.ask(1, Request::Adopt(nobodys)), Reply::Refused(Reason::Invalid(_))));
    assert!(matches!(ring.ask(1, Request::Adopt(altered)), Reply::Refused(Reason::Invalid(_))));
    assert!(!ring.witnesses[1].status().currencies[0].broken, "nobody stops a witness by inventing a state");
    assert_eq!(ring.next_at(1, chain), 0);
    let next = shown.seq() + 1;
    assert_eq!(ring.ask(1, Request::Adopt(shown.clone())), Reply::Ack { next });
    assert_eq!(ring.ask(1, Request::Adopt(shown.clone())), Reply::Ack { next });
    for change in [|shelf| shelf, PaperShelf::without_index] {
        assert_eq!(ring.next_at(1, chain), next);
        assert_eq!(ring.shown(1, chain), shown, "and gives it to others");
        ring.witnesses[1].settle().unwrap();
        ring.restart(1, change);
    }
    let Reply::Entries(rest) = ring.entries(0, chain, next) else { panic!("no entries") };
    ring.commit(1, &rest);
    let entry = ring.town.pay(0, 1, 2);
    assert!(matches!(ring.propose(1, &entry), Reply::Vote(_)));
}

#[test]
fn i14_a_witness_with_a_new_log_gives_the_same_answers() {
    for lines in [1, 7, 1_000] {
        let (mut ring, own) = story();
        let chain = ring.town.chain(0);
        let (one, other) = (ring.town.pay(0, 1, 250), ring.town.pay(0, 1, 251));
        let vote = ring.propose(0, &one);
        let slot = ring.town.slot(1);
        let promised = {
            let friends = friends(&ring.town.policy, 1);
            let signers: Vec<_> = friends.iter().take(2).map(|(place, key)| (*place, key)).collect();
            Request::Recover(Recover::sign(slot, 3, None, &signers))
        };
        let report = ring.ask(0, promised.clone());
        assert!(matches!(report, Reply::Report(_)));
        let before = (ring.log_lines(0), ring.witnesses[0].status());
        ring.compact(0, lines, |_| {});
        for change in [|shelf| shelf, PaperShelf::without_index, |shelf| shelf] {
            assert_eq!(ring.propose(0, &one), vote);
            assert_eq!(ring.propose(0, &other), Reply::Conflict { first: one.signed_header().unwrap() });
            assert_eq!(ring.ask(0, promised.clone()), report);
            let currency = ring.town.policy.currency();
            let head = ring.ask(0, Request::Head { currency, chain });
            assert_eq!(head, Reply::Head { next: own.len() as u64, last: own.last().cloned() });
            let second = ring.town.pay(1, 0, 9);
            assert_eq!(ring.propose(0, &second), refused(Reason::Promised { ballot: 3 }), "as it has promised");
            ring.witnesses[0].settle().unwrap();
            ring.restart(0, change);
        }
        let status = ring.witnesses[0].status();
        assert_eq!(
            (status.accounts, status.entries, status.votes, status.conflicts),
            (before.1.accounts, before.1.entries, before.1.votes, 1)
        );
        let (compacted, bytes) = status.compacted.unwrap();
        assert_eq!((compacted.at, compacted.before), (NOW, before.0 as u64));
        assert!(bytes < compacted.before && compacted.dropped > 20, "{compacted:?}, {bytes}");
    }
}

#[test]
fn i14_what_is_said_while_the_log_is_written_anew_is_in_the_new_one() {
    for seed in 0..24_u64 {
        let (mut ring, _) = story();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        // What witness 0 alone has voted for, and nobody has certified yet.
        let mut waits: [Option<(Entry, Reply)>; 2] = [None, None];
        let mut left = 24;
        ring.compact(0, 1 + seed as usize % 5, |ring| {
            if left == 0 {
                return;
            }
            left -= 1;
            ring.now = ring.now.after(Span::from_secs(60));
            let who = (rng.next_u32() % 2) as u8;
            let own = &mut waits[usize::from(who)];
            match (own.take(), rng.next_u32() % 4) {
                (Some((entry, said)), 0 | 1) => {
                    assert_eq!(ring.propose(0, &entry), said);
                    *own = Some((entry, said));
                }
                (Some((entry, _)), _) => drop(ring.settle(&entry)),
                (None, 0) => drop(ring.paid(who, 1 - who, 1)),
                (None, 1) => drop(ring.checkpoint(who)),
                (None, 2) => ring.restart_others(),
                (None, _) => {
                    let entry = ring.town.pay(who, 1 - who, 2);
                    let said = ring.propose(0, &entry);
                    assert!(matches!(said, Reply::Vote(_)));
                    *own = Some((entry, said));
                }
            }
        });
        for change in [|shelf| shelf, PaperShelf::without_index] {
            ring.restart(0, change);
            for who in 0..2 {
                let chain = ring.town.chain(who);
                assert_eq!(ring.next_at(0, chain), ring.town.state(chain).seq(), "seed {seed}");
            }
            for (entry, said) in waits.iter().flatten() {
                assert_eq!(ring.propose(0, entry), *said, "seed {seed}");
            }
        }
    }
}

impl Ring {
    fn restart_others(&mut self) {
        (1..4).for_each(|at| self.restart(at, PaperShelf::without_index));
    }
}

#[test]
fn what_was_paid_before_a_checkpoint_and_never_claimed_is_claimed_with_its_receipt() {
    let mut ring = Ring::with_rich(4, 1);
    let paid = ring.paid(0, 1, 250);
    ring.checkpoint(0);
    for at in 0..4 {
        ring.compact(at, 100, |_| {});
        ring.restart(at, PaperShelf::without_index);
    }
    let certified = paid.clone().verify(&ring.town.policy).unwrap().verify().unwrap();
    let inception = inception(&ring.town.policy, 1);
    let at = first_position(&ring.town.policy, inception.account());
    let open = Body { ctl: Some(Ctl::Open(inception)), claims: vec![claim(&certified, 0)], ..body() };
    let open = Entry::sign(at, open, &key(10, 1));
    let chain = ring.town.chain(0);
    assert_eq!(ring.propose(0, &open), refused(Reason::NotCited { chain, seq: 1 }), "it is let go");
    let with = Request::Propose { entry: open.clone(), cited: vec![paid.clone()] };
    let votes: Vec<_> = (0..4).map(|at| ring.vote(at, with.clone())).collect();
    let receipt = Receipt { cert: Cert::of(&votes, &ring.town.policy).unwrap(), entry: open };
    (0..4).for_each(|at| ring.commit(at, std::slice::from_ref(&receipt)));
    ring.town.tell(&receipt.clone().verify(&ring.town.policy).unwrap().verify().unwrap());
    assert_eq!(ring.town.state(ring.town.chain(1)).balances().free, 250);
    // Once, for ever.
    ring.checkpoint(1);
    ring.compact(0, 100, |_| {});
    let again = ring.town.next(1, Body { claims: vec![claim(&certified, 0)], ..body() });
    let with = Request::Propose { entry: again, cited: vec![paid] };
    let OutRef { seq, idx, .. } = claim(&certified, 0).out;
    let spent = Reason::invalid(Invalid::Spent { seq, idx });
    assert_eq!(ring.ask(0, with), refused(spent));
}

#[test]
fn what_is_cited_by_an_entry_that_waits_is_kept_until_that_is_certified() {
    let mut ring = Ring::with_rich(4, 1);
    ring.town.rich(1, 500);
    let receipts = ring.receipts();
    (0..4).for_each(|at| ring.commit(at, &receipts));
    let paid = ring.paid(0, 1, 250);
    let certified = paid.verify(&ring.town.policy).unwrap().verify().unwrap();
    let waits = ring.town.next(1, Body { claims: vec![claim(&certified, 0)], ..body() });
    for at in 0..4 {
        ring.vote(at, propose(&waits));
    }
    ring.checkpoint(0);
    for _ in 0..2 {
        ring.compact(0, 1, |_| {});
        ring.restart(0, PaperShelf::without_index);
        let Reply::Entries(shown) = ring.entries(0, ring.town.chain(0), 1) else { panic!("it was let go") };
        assert_eq!(shown[0], certified.receipt());
    }
    let receipt = ring.settle(&waits);
    assert_eq!(receipt.entry, waits);
    ring.compact(0, 1, |_| {});
    ring.shown(0, ring.town.chain(0));
}

#[test]
fn a_new_log_that_fails_is_given_up_and_the_witness_goes_on() {
    for kept in [0, 1] {
        let (mut ring, _) = story();
        let lines = ring.log_lines(0);
        let failing = |shelf: &mut PaperShelf| shelf.next_copy = Some(Failure::Told { kept });
        ring.shelf(0, failing);
        let witness = &mut ring.witnesses[0];
        let mut compaction = witness.compact().unwrap();
        let failed = witness.compact_some(&mut compaction, 10);
        assert!(matches!(failed, Err(CompactError::Fresh(ShelfError::Shelf(_)))), "{failed:?}");
        assert!(!witness.status().stopped);
        let entry = ring.town.pay(0, 1, 7);
        assert!(matches!(ring.propose(0, &entry), Reply::Vote(_)));
        ring.restart(0, |shelf| shelf);
        assert_eq!(ring.log_lines(0), lines + 1);
        ring.compact(0, 10, |_| {});
    }
}

#[test]
fn where_every_payment_is_a_checkpoint_few_are_written_down_with_their_state() {
    let mut ring = Ring::with_rich(4, 1);
    let before = ring.log_lines(0);
    for _ in 0..33 {
        ring.now = ring.now.after(Span::from_secs(60));
        ring.checkpoint(0);
    }
    // A vote and an entry of each, and of the first, the seventeenth and the thirty-third a line with the state.
    assert_eq!(ring.log_lines(0), before + 2 * 33 + 3);
    ring.compact(0, 100, |_| {});
    assert_eq!(ring.shown(0, ring.town.chain(0)).seq(), 33);
}

#[test]
fn e01_a_writer_whose_first_entries_were_let_go_is_exposed_by_a_checkpoint() {
    let mut ring = Ring::with_rich(4, 1);
    ring.checkpoint(0);
    ring.compact(0, 100, |_| {});
    let (one, other) = (ring.town.pay(0, 1, 250), ring.town.pay(0, 1, 251));
    ring.vote(0, propose(&one));
    assert!(matches!(ring.propose(0, &other), Reply::Conflict { .. }));
    let (exposures, next) = ring.witnesses[0].exposures(0).unwrap();
    assert_eq!((exposures.len(), next), (1, 1));
    let heard = Exposure::decode(&exposures[0].encode()).unwrap();
    assert!(heard.clone().unverified(&ring.town.policy).unwrap().verify().is_ok());
    // A state that the checkpoint does not name says nothing of a key, nor does a checkpoint without one.
    let mut state = heard.key.state.clone();
    let forged = Exposure { key: Naming { state: state.take(), ..heard.key.clone() }, ..heard.clone() };
    assert!(forged.unverified(&ring.town.policy).is_ok());
    let without = Exposure { key: Naming { state: None, ..heard.key.clone() }, ..heard.clone() };
    assert!(without.unverified(&ring.town.policy).is_err());
    let mut body = heard.key.body.clone();
    body.ctl = Some(Ctl::Checkpoint { state_root: StateHash::new([1; 32]) });
    let other = Exposure { key: Naming { body, ..heard.key.clone() }, ..heard };
    assert!(other.unverified(&ring.town.policy).is_err());
}
