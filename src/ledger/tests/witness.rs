//! Witnesses whole, on a disk in memory that fails as it is told to.

use kinfolk_ledger::entry::{Body, Class, Ctl, Entry, Out};
use kinfolk_ledger::equivocation::EquivocationProof;
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_ledger::policy::PolicyError;
use kinfolk_ledger::recovery::Recover;
use kinfolk_ledger::signature::key_hash;
use kinfolk_ledger::vote::{Cert, GenuineVote, PrepCert, Receipt, SlotId, Vote};
use kinfolk_ledger::witness::{ServeError, Shelf, ShelfError, Witness};
use kinfolk_wire::ids::{AccountId, PolicyHash};
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::support::shelf::{Failure, PaperShelf};
use super::support::*;

mod compaction;

/// Witnesses of the town's currency; the town itself is the model of what is certified.
pub(super) struct Ring {
    pub(super) town: Town,
    pub(super) witnesses: Vec<Witness<PaperShelf>>,
    pub(super) rng: ChaCha20Rng,
    pub(super) now: Timestamp,
}

impl Ring {
    pub(super) fn new(n: u8, f: u8) -> Self {
        let town = Town::new(n, f);
        let witnesses = (0..n)
            .map(|at| {
                let mut witness = Witness::open(PaperShelf::new(key(2, at))).unwrap();
                witness.serve(town.policy.signed()).unwrap();
                witness
            })
            .collect();
        Self { town, witnesses, rng: ChaCha20Rng::seed_from_u64(1), now: NOW }
    }

    /// The issuer's account and that of somebody with money, known to all.
    pub(super) fn with_rich(n: u8, f: u8) -> Self {
        let mut ring = Self::new(n, f);
        ring.town.open_issuer();
        ring.town.rich(0, 1_000);
        let receipts = ring.receipts();
        (0..n).for_each(|at| ring.commit(at, &receipts));
        ring
    }

    fn receipts(&self) -> Vec<Receipt> {
        self.town.certified.values().map(|certified| certified.receipt()).collect()
    }

    pub(super) fn commit(&mut self, at: u8, receipts: &[Receipt]) {
        for receipt in receipts {
            let reply = self.ask(at, Request::Commit { receipt: receipt.clone() });
            assert!(matches!(reply, Reply::Ack { .. }), "{reply:?}");
        }
    }

    pub(super) fn ask(&mut self, at: u8, request: Request) -> Reply {
        self.ask_many(at, vec![request]).remove(0)
    }

    pub(super) fn ask_many(&mut self, at: u8, requests: Vec<Request>) -> Vec<Reply> {
        self.witnesses[usize::from(at)].answer(requests, self.now, &mut self.rng).unwrap()
    }

    fn propose(&mut self, at: u8, entry: &Entry) -> Reply {
        self.ask(at, propose(entry))
    }

    fn vote(&mut self, at: u8, request: Request) -> GenuineVote {
        match self.ask(at, request) {
            Reply::Vote(vote) => self.town.genuine(vote),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn settle(&mut self, entry: &Entry) -> Receipt {
        let n = self.witnesses.len() as u8;
        let votes: Vec<_> = (0..n).map(|at| self.vote(at, propose(entry))).collect();
        let cert = Cert::of(&votes, &self.town.policy).unwrap();
        let certified = cert.attach(entry.clone(), &self.town.policy).unwrap().verify().unwrap();
        self.town.tell(&certified);
        (0..n).for_each(|at| self.commit(at, &[certified.receipt()]));
        certified.receipt()
    }

    /// Loses power and comes back from its disk.
    pub(super) fn restart(&mut self, at: u8, change: impl FnOnce(PaperShelf) -> PaperShelf) {
        let witness = self.witnesses.remove(usize::from(at));
        let shelf = change(witness.into_shelf().restarted());
        self.witnesses.insert(usize::from(at), Witness::open(shelf).unwrap());
    }

    fn shelf(&mut self, at: u8, change: impl FnOnce(&mut PaperShelf)) {
        let witness = self.witnesses.remove(usize::from(at));
        let mut shelf = witness.into_shelf();
        change(&mut shelf);
        self.witnesses.insert(usize::from(at), Witness::open(shelf).unwrap());
    }

    fn log_lines(&mut self, at: u8) -> usize {
        let mut lines = 0;
        self.shelf(at, |shelf| lines = shelf.log.len());
        lines
    }

    pub(super) fn next_at(&mut self, at: u8, chain: AccountId) -> u64 {
        let currency = self.town.policy.currency();
        match self.ask(at, Request::Head { currency, chain }) {
            Reply::Head { next, .. } => next,
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn propose(entry: &Entry) -> Request {
    Request::Propose { entry: entry.clone(), cited: vec![] }
}

pub(super) fn refused(reason: Reason) -> Reply {
    Reply::Refused(reason)
}

#[test]
fn votes_of_a_quorum_certify_and_everybody_runs_what_is_certified() {
    let mut ring = Ring::with_rich(4, 1);
    let entry = ring.town.pay(0, 1, 250);
    let receipt = ring.settle(&entry);
    let chain = ring.town.chain(0);
    for at in 0..4 {
        let currency = ring.town.policy.currency();
        let head = ring.ask(at, Request::Head { currency, chain });
        assert_eq!(head, Reply::Head { next: 2, last: Some(receipt.clone()) });
        let entries = ring.ask(at, Request::Entries { currency, chain, from: 1, to: 9 });
        assert_eq!(entries, Reply::Entries(vec![receipt.clone()]));
        assert_eq!(ring.ask(at, Request::Policy { currency }), Reply::Policy(ring.town.policy.signed()));
        assert_eq!(ring.ask(at, Request::Witness), Reply::Witness { vk: key(2, at).vk() });
    }
    let status = ring.witnesses[0].status();
    assert_eq!((status.accounts, status.entries, status.votes, status.conflicts), (2, 4, 1, 0));
    assert_eq!((status.currencies.len(), status.currencies[0].place), (1, Some(0)));
}

#[test]
fn i14_nothing_is_said_when_the_log_fails_and_nothing_more_until_the_witness_is_opened_anew() {
    for kept in [0, 1] {
        let mut ring = Ring::with_rich(4, 1);
        let (one, other) = (ring.town.pay(0, 1, 250), ring.town.pay(0, 1, 251));
        ring.shelf(0, |shelf| shelf.next_append = Some(Failure::Told { kept }));
        let witness = &mut ring.witnesses[0];
        assert!(matches!(witness.answer(vec![propose(&one)], NOW, &mut ring.rng), Err(ShelfError::Shelf(_))));
        assert!(matches!(witness.answer(vec![Request::Witness], NOW, &mut ring.rng), Err(ShelfError::Stopped)));
        assert!(matches!(witness.settle(), Err(ShelfError::Stopped)));
        assert!(witness.status().stopped);
        ring.restart(0, |shelf| shelf);
        let reply = ring.propose(0, &other);
        // What may have been written binds; what was not does not.
        assert_eq!(matches!(reply, Reply::Vote(_)), kept == 0, "{reply:?}");
        assert_eq!(matches!(reply, Reply::Conflict { .. }), kept == 1, "{reply:?}");
    }
}

#[test]
fn the_same_request_again_has_the_same_answer_and_writes_nothing() {
    let mut ring = Ring::with_rich(4, 1);
    let entry = ring.town.pay(0, 1, 250);
    let first = ring.propose(0, &entry);
    let lines = ring.log_lines(0);
    assert_eq!(ring.propose(0, &entry), first);
    assert_eq!(ring.ask_many(0, vec![propose(&entry), propose(&entry)]), [first.clone(), first.clone()]);
    ring.restart(0, |shelf| shelf);
    assert_eq!(ring.propose(0, &entry), first);
    ring.witnesses[0].settle().unwrap();
    ring.restart(0, |shelf| shelf);
    assert_eq!(ring.propose(0, &entry), first);
    ring.restart(0, PaperShelf::without_index);
    assert_eq!(ring.propose(0, &entry), first);
    assert_eq!(ring.log_lines(0), lines);
    let receipt = ring.receipts().remove(0);
    ring.commit(0, &[receipt.clone(), receipt]);
    assert_eq!(ring.log_lines(0), lines);
}

#[test]
fn a_batch_with_one_request_twice_writes_it_once() {
    let mut ring = Ring::with_rich(4, 1);
    let entry = ring.town.pay(0, 1, 250);
    let lines = ring.log_lines(0);
    let said = ring.ask_many(0, vec![propose(&entry), propose(&entry)]);
    assert_eq!(said[0], said[1]);
    assert_eq!(ring.log_lines(0), lines + 1);
}

#[test]
fn e01_a_second_entry_is_answered_with_the_first_and_the_proof_is_kept_once() {
    let mut ring = Ring::with_rich(4, 1);
    let entries: Vec<_> = (250..254).map(|units| ring.town.pay(0, 1, units)).collect();
    let vote = ring.propose(0, &entries[0]);
    let first = entries[0].signed_header().unwrap();
    for other in &entries[1..] {
        assert_eq!(ring.propose(0, other), Reply::Conflict { first });
    }
    assert_eq!(ring.propose(0, &entries[0]), vote, "the first stands");
    for change in [|shelf| shelf, PaperShelf::without_index] {
        let proofs = ring.witnesses[0].proofs(0).unwrap();
        assert_eq!(proofs, [EquivocationProof::Writer(first, entries[1].signed_header().unwrap())]);
        let genuine = proofs[0].clone().unverified(&key(10, 0).vk(), &ring.town.policy).unwrap().verify();
        assert!(genuine.is_ok());
        assert_eq!(ring.witnesses[0].status().conflicts, 1);
        ring.witnesses[0].settle().unwrap();
        assert_eq!(ring.witnesses[0].proofs(0).unwrap().len(), 1);
        assert_eq!(ring.witnesses[0].proofs(1).unwrap().len(), 0);
        ring.restart(0, change);
        assert_eq!(ring.propose(0, &entries[2]), Reply::Conflict { first });
    }
    // Somebody who cannot sign for the writer makes no conflict.
    let at = ring.town.state(ring.town.chain(0)).next_position(0);
    let forged = Entry::sign(at, Body { outs: vec![Out::cash(ring.town.chain(1), amount(9))], ..body() }, &key(99, 0));
    assert!(matches!(ring.propose(1, &forged), Reply::Refused(Reason::Invalid(_))));
}

#[test]
fn e01_a_double_spend_of_what_is_final_is_proved_as_well() {
    let mut ring = Ring::with_rich(4, 1);
    let (one, other) = (ring.town.pay(0, 1, 250), ring.town.pay(0, 1, 999));
    ring.settle(&one);
    let first = one.signed_header().unwrap();
    assert_eq!(ring.propose(0, &other), Reply::Conflict { first });
    assert_eq!(ring.witnesses[0].status().conflicts, 1);
    assert_eq!(ring.propose(0, &one), refused(Reason::Elsewhere { next: 2 }));
    assert_eq!(ring.witnesses[0].status().conflicts, 1);
}

#[test]
fn one_batch_is_one_append_whatever_is_in_it() {
    let mut ring = Ring::with_rich(4, 1);
    let paid = ring.town.pay(0, 1, 250);
    let paid = ring.town.settle(&paid).unwrap();
    let inception = inception(&ring.town.policy, 1);
    let at = first_position(&ring.town.policy, inception.account());
    let open = Body { ctl: Some(Ctl::Open(inception)), claims: vec![claim(&paid, 0)], ..body() };
    let open = Entry::sign(at, open, &key(10, 1));
    let (next, second) = (ring.town.pay(0, 1, 50), ring.town.pay(0, 1, 51));
    ring.shelf(0, |shelf| shelf.appends = 0);
    let currency = ring.town.policy.currency();
    let chain = ring.town.chain(0);
    let said = ring.ask_many(
        0,
        vec![
            Request::Head { currency, chain },
            Request::Commit { receipt: paid.receipt() },
            propose(&open),
            propose(&next),
            propose(&second),
        ],
    );
    assert!(matches!(said[0], Reply::Head { next: 1, .. }), "{:?}", said[0]);
    assert_eq!(said[1], Reply::Ack { next: 2 });
    assert!(matches!(said[2], Reply::Vote(_)), "what it claims was committed in this batch: {:?}", said[2]);
    assert!(matches!(said[3], Reply::Vote(_)), "{:?}", said[3]);
    assert_eq!(said[4], Reply::Conflict { first: next.signed_header().unwrap() });
    ring.shelf(0, |shelf| assert_eq!(shelf.appends, 1));
    ring.restart(0, PaperShelf::without_index);
    assert_eq!(ring.propose(0, &next), said[3]);
    assert_eq!(ring.propose(0, &open), said[2]);
}

#[test]
fn a_bad_signature_in_a_batch_spoils_nobody_elses() {
    let mut ring = Ring::with_rich(4, 1);
    let good = ring.town.pay(0, 1, 250);
    let at = ring.town.state(ring.town.policy.issuing_account()).next_position(0);
    let outs = vec![Out::cash(ring.town.chain(1), amount(1))];
    let bad = Entry::sign(at, Body { ctl: Some(Ctl::Mint { class: Class::Free }), outs, ..body() }, &key(99, 9));
    let said = ring.ask_many(0, vec![propose(&bad), propose(&good), propose(&bad)]);
    assert!(matches!(said[0], Reply::Refused(Reason::Invalid(_))) && said[0] == said[2]);
    assert!(matches!(said[1], Reply::Vote(_)));
}

#[test]
fn what_comes_too_early_waits_through_a_restart_and_is_run_in_its_turn() {
    let mut ring = Ring::with_rich(4, 1);
    let receipts: Vec<_> = (1..=5)
        .map(|units| {
            let entry = ring.town.pay(0, 1, units);
            ring.town.settle(&entry).unwrap().receipt()
        })
        .collect();
    let chain = ring.town.chain(0);
    for receipt in receipts[1..].iter().rev() {
        assert_eq!(ring.ask(0, Request::Commit { receipt: receipt.clone() }), Reply::Ack { next: 1 });
    }
    for change in [|shelf| shelf, PaperShelf::without_index] {
        ring.witnesses[0].settle().unwrap();
        ring.restart(0, change);
        assert_eq!(ring.next_at(0, chain), 1);
        assert_eq!(ring.propose(0, &receipts[1].entry), refused(Reason::Elsewhere { next: 1 }));
    }
    assert_eq!(ring.ask(0, Request::Commit { receipt: receipts[0].clone() }), Reply::Ack { next: 6 });
    ring.restart(0, |shelf| shelf);
    assert_eq!(ring.next_at(0, chain), 6);
    let lines = ring.log_lines(0);
    assert_eq!(lines, 1 + 3 + 5, "each is written once");
}

#[test]
fn what_is_too_far_ahead_is_not_taken_and_said_so() {
    let mut ring = Ring::with_rich(4, 1);
    let receipts: Vec<_> = (1..=70)
        .map(|_| {
            let entry = ring.town.pay(0, 1, 1);
            ring.town.settle(&entry).unwrap().receipt()
        })
        .collect();
    for receipt in &receipts[1..=64] {
        assert_eq!(ring.ask(0, Request::Commit { receipt: receipt.clone() }), Reply::Ack { next: 1 });
    }
    let far = Request::Commit { receipt: receipts[69].clone() };
    assert_eq!(ring.ask(0, far), refused(Reason::Elsewhere { next: 1 }));
    let caught_up = ring.witnesses[0].catch_up(receipts, NOW, &mut ring.rng).unwrap();
    assert_eq!(caught_up.last(), Some(&Ok(71)));
}

#[test]
fn e07_an_account_has_so_many_new_entries_in_a_minute() {
    let mut ring = Ring::with_rich(4, 1);
    ring.now = Timestamp::from_millis(NOW.as_millis() / 60_000 * 60_000 + 15_000);
    for _ in 0..20 {
        let entry = ring.town.pay(0, 1, 1);
        assert!(matches!(ring.propose(0, &entry), Reply::Vote(_)));
        assert!(matches!(ring.propose(0, &entry), Reply::Vote(_)), "a repetition is not counted");
        let certified = ring.town.settle(&entry).unwrap();
        ring.commit(0, &[certified.receipt()]);
    }
    let entry = ring.town.pay(0, 1, 1);
    assert_eq!(ring.propose(0, &entry), refused(Reason::Later { seconds: 45 }));
    assert_eq!(ring.witnesses[0].status().refused_by_quota, 1);
    // Others are not kept waiting, and recovering is not.
    assert!(matches!(ring.propose(1, &entry), Reply::Refused(Reason::Elsewhere { .. })));
    let slot = SlotId::of(entry.header());
    assert!(matches!(ring.ask(0, recover(&ring.town, slot, 1)), Reply::Report(_)));
    ring.now = ring.now.after(Span::from_secs(45));
    let other = ring.town.mint(ring.town.chain(1), Class::Free, 20).unwrap();
    ring.commit(0, &[other.receipt()]);
    let entry = ring.town.next(0, Body { ts: ring.now, ..entry.body().clone() });
    assert_eq!(ring.propose(0, &entry), refused(Reason::Promised { ballot: 1 }));
}

#[test]
fn e07_ballots_for_accounts_that_nobody_opened_are_few() {
    let mut ring = Ring::new(4, 1);
    let ask = |ring: &Ring, number: u8, ballot: u32| {
        let inception = inception(&ring.town.policy, number);
        let slot = SlotId { currency: inception.currency, epoch: 0, chain: inception.account(), seq: 0 };
        let friends = friends(&ring.town.policy, number);
        let keys: Vec<_> = friends.iter().map(|(place, key)| (*place, key)).collect();
        let mut recover = Recover::sign(slot, 1, Some(inception), &keys);
        recover.ballot = ballot;
        Request::Recover(recover)
    };
    // What nobody signed so is not counted.
    for number in 100..170 {
        let forged = ask(&ring, number, 2);
        assert!(matches!(ring.ask(0, forged), Reply::Refused(Reason::Invalid(_))));
    }
    let requests = (0..70).map(|number| ask(&ring, number, 1)).collect();
    let replies = ring.ask_many(0, requests);
    let reports = replies.iter().filter(|reply| matches!(reply, Reply::Report(_))).count();
    let refused = replies.iter().filter(|reply| matches!(reply, Reply::Refused(Reason::Later { .. }))).count();
    assert_eq!((reports, refused), (60, 10));
}

fn recover(town: &Town, slot: SlotId, ballot: u32) -> Request {
    let friends = friends(&town.policy, 0);
    let signers: Vec<_> = friends.iter().take(2).map(|(place, key)| (*place, key)).collect();
    Request::Recover(Recover::sign(slot, ballot, None, &signers))
}

/// The whole of a recovery by messages, with a loss of power after every answer.
fn recovered(ring: &mut Ring, entry: &Entry, ballot: u32, change: fn(PaperShelf) -> PaperShelf) -> Receipt {
    let slot = SlotId::of(entry.header());
    let asked = recover(&ring.town, slot, ballot);
    let mut ask = |ring: &mut Ring, at: u8, request: &Request| {
        let reply = ring.ask(at, request.clone());
        ring.restart(at, change);
        reply
    };
    let reports: Vec<_> = (0..3)
        .map(|at| match ask(ring, at, &asked) {
            Reply::Report(report) => report,
            other => panic!("{other:?}"),
        })
        .collect();
    let prepare = Request::Prepare { ballot, entry: entry.clone(), reports, cited: vec![] };
    let votes = |ring: &mut Ring, request: Request, ask: &mut dyn FnMut(&mut Ring, u8, &Request) -> Reply| {
        let votes = (0..3).map(|at| match ask(ring, at, &request) {
            Reply::Vote(vote) => ring.town.genuine(vote),
            other => panic!("{other:?}"),
        });
        votes.collect::<Vec<GenuineVote>>()
    };
    let prepared = votes(ring, prepare, &mut ask);
    let prepared = PrepCert::of(&prepared, &ring.town.policy).unwrap();
    let committed = votes(ring, Request::Lock { slot, prepared }, &mut ask);
    let cert = Cert::of(&committed, &ring.town.policy).unwrap();
    Receipt { entry: entry.clone(), cert }
}

#[test]
fn e10_a_recovery_outlasts_a_loss_of_power_after_every_answer() {
    for change in [|shelf| shelf, PaperShelf::without_index] {
        let mut ring = Ring::with_rich(4, 1);
        let (one, other) = (ring.town.pay(0, 1, 250), ring.town.pay(0, 1, 251));
        // Three vote for the one, and the fourth for the other: the one may be certified, so it is what is recovered.
        for at in 0..3 {
            ring.vote(at, propose(&one));
        }
        ring.vote(3, propose(&other));
        let receipt = recovered(&mut ring, &one, 3, change);
        let certified = receipt.clone().verify(&ring.town.policy).unwrap().verify().unwrap();
        assert_eq!(ring.propose(0, &one), refused(Reason::Promised { ballot: 3 }), "no fast vote after a promise");
        assert_eq!(ring.ask(3, Request::Commit { receipt }), Reply::Ack { next: 2 });
        ring.town.tell(&certified);
        (0..3).for_each(|at| ring.commit(at, &[certified.receipt()]));
        assert_eq!(ring.next_at(0, ring.town.chain(0)), 2);
    }
}

#[test]
fn e10_a_step_that_was_written_for_one_place_is_written_again_for_the_next() {
    let mut ring = Ring::with_rich(4, 1);
    let entry = ring.town.pay(0, 1, 250);
    for at in 0..3 {
        ring.vote(at, propose(&entry));
    }
    let receipt = recovered(&mut ring, &entry, 1, |shelf| shelf);
    let certified = receipt.clone().verify(&ring.town.policy).unwrap().verify().unwrap();
    ring.town.tell(&certified);
    // The certified entry, and the same ballot of the next place, in one batch.
    let next = ring.town.pay(0, 1, 1);
    let asked = recover(&ring.town, SlotId::of(next.header()), 1);
    let said = ring.ask_many(0, vec![Request::Commit { receipt }, asked.clone()]);
    assert!(matches!(said[1], Reply::Report(_)), "{:?}", said[1]);
    ring.restart(0, |shelf| shelf);
    assert_eq!(ring.propose(0, &next), refused(Reason::Promised { ballot: 1 }));
    assert_eq!(ring.ask(0, asked), said[1]);
}

#[test]
fn an_account_is_recovered_by_its_friends_who_rotate_the_key() {
    let mut ring = Ring::with_rich(4, 1);
    let friends = friends(&ring.town.policy, 0);
    let signers: Vec<_> = friends.iter().map(|(place, key)| (*place, key)).collect();
    let rotate = Ctl::Rotate { writer: key(30, 0).vk(), next: key_hash(&key(31, 0).vk()) };
    let at = ring.town.state(ring.town.chain(0)).next_position(0);
    let rotated = Entry::sign_as_recovery(at, Body { ctl: Some(rotate), ..body() }, &signers);
    assert!(matches!(ring.propose(0, &rotated), Reply::Refused(Reason::Invalid(_))), "not in ballot 0");
    let receipt = recovered(&mut ring, &rotated, 1, |shelf| shelf);
    (0..4).for_each(|at| ring.commit(at, std::slice::from_ref(&receipt)));
    let certified = receipt.verify(&ring.town.policy).unwrap().verify().unwrap();
    ring.town.tell(&certified);
    let at = ring.town.state(ring.town.chain(0)).next_position(0);
    let outs = vec![Out::cash(ring.town.chain(1), amount(5))];
    let by_thief = Entry::sign(at, Body { outs: outs.clone(), ..body() }, &key(10, 0));
    assert!(matches!(ring.propose(0, &by_thief), Reply::Refused(Reason::Invalid(_))));
    let by_owner = Entry::sign(at, Body { outs, ..body() }, &key(30, 0));
    assert!(matches!(ring.propose(0, &by_owner), Reply::Vote(_)));
}

#[test]
fn what_a_writer_signed_is_reported_although_the_friends_approve_the_same_entry_later() {
    let mut ring = Ring::with_rich(4, 1);
    let friends = friends(&ring.town.policy, 0);
    let signers: Vec<_> = friends.iter().map(|(place, key)| (*place, key)).collect();
    let ctl = Some(Ctl::Rotate { writer: key(11, 0).vk(), next: key_hash(&key(12, 0).vk()) });
    let at = ring.town.state(ring.town.chain(0)).next_position(0);
    let (body, slot) = (Body { ctl, ..body() }, ring.town.slot(0));
    let by_writer = Entry::sign(at, body.clone(), &key(10, 0));
    let by_friends = Entry::sign_as_recovery(at, body, &signers);
    for at in 0..4 {
        ring.vote(at, propose(&by_writer));
    }
    recovered(&mut ring, &by_friends, 1, |shelf| shelf);
    let Reply::Report(report) = ring.ask(0, recover(&ring.town, slot, 2)) else { panic!("no report") };
    assert_eq!(report.findings.v0, by_writer.signed_header());
}

#[test]
fn what_is_cited_comes_along_or_is_there_already() {
    let mut ring = Ring::with_rich(4, 1);
    let entry = ring.town.pay(0, 1, 250);
    let paid = ring.town.settle(&entry).unwrap();
    let inception = inception(&ring.town.policy, 1);
    let at = first_position(&ring.town.policy, inception.account());
    let open = Body { ctl: Some(Ctl::Open(inception)), claims: vec![claim(&paid, 0)], ..body() };
    let open = Entry::sign(at, open, &key(10, 1));
    let chain = ring.town.chain(0);
    assert_eq!(ring.propose(0, &open), refused(Reason::NotCited { chain, seq: 1 }));
    let with = Request::Propose { entry: open.clone(), cited: vec![paid.receipt()] };
    assert!(matches!(ring.ask(0, with), Reply::Vote(_)));
    ring.commit(1, &[paid.receipt()]);
    assert!(matches!(ring.propose(1, &open), Reply::Vote(_)));
    // A certificate that is none is not taken for one.
    let mut forged = paid.receipt();
    forged.cert.sigs = Default::default();
    let with = Request::Propose { entry: open.clone(), cited: vec![forged] };
    assert!(matches!(ring.ask(2, with), Reply::Refused(Reason::Invalid(_))));
}

#[test]
fn a_witness_that_lacks_entries_says_so_and_takes_them_from_another() {
    let mut ring = Ring::with_rich(4, 1);
    for units in 1..=3 {
        let entry = ring.town.pay(0, 1, units);
        let certified = ring.town.settle(&entry).unwrap();
        (0..3).for_each(|at| ring.commit(at, &[certified.receipt()]));
    }
    let entry = ring.town.pay(0, 1, 9);
    assert_eq!(ring.propose(3, &entry), refused(Reason::Elsewhere { next: 1 }));
    let (currency, chain) = (ring.town.policy.currency(), ring.town.chain(0));
    let Reply::Entries(missed) = ring.ask(0, Request::Entries { currency, chain, from: 1, to: 256 }) else {
        panic!("no entries")
    };
    let caught_up = ring.witnesses[3].catch_up(missed, NOW, &mut ring.rng).unwrap();
    assert_eq!(caught_up, [Ok(2), Ok(3), Ok(4)]);
    assert!(matches!(ring.propose(3, &entry), Reply::Vote(_)));
}

#[test]
fn a_policy_that_names_others_is_not_served() {
    let town = Town::new(4, 1);
    let mut witness = Witness::open(PaperShelf::new(key(2, 7))).unwrap();
    assert!(matches!(witness.serve(town.policy.signed()), Err(ServeError::NotNamed { .. })));
    let mut other = policy_of(4, 1);
    other.prev = PolicyHash::new([1; 32]);
    assert!(matches!(witness.serve(other.sign(&issuer())), Err(ServeError::Policy(PolicyError::Prev))));
    let mut ring = Ring::new(4, 1);
    let mut forged = ring.town.policy.signed();
    forged.policy.decimals = 3;
    assert!(matches!(ring.witnesses[0].serve(forged), Err(ServeError::Policy(PolicyError::Signature(_)))));
    assert_eq!(ring.witnesses[0].serve(ring.town.policy.signed()).unwrap(), ring.town.policy.currency(), "once more");
    assert_eq!(ring.log_lines(0), 1);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let entry = {
        ring.town.open_issuer();
        ring.town.rich(0, 1_000);
        ring.town.pay(0, 1, 5)
    };
    let said = witness.answer(vec![propose(&entry)], NOW, &mut rng).unwrap();
    assert_eq!(said, [refused(Reason::NotServed)]);
}

/// A certificate of all witnesses, each of which signs whatever it is given.
fn certified_by_all(town: &Town, entry: &Entry) -> Receipt {
    let votes: Vec<Vote> = (0..4)
        .map(|at| {
            let mut booth = Booth::default();
            let state = town.booths[0].accounts[&entry.header().chain].clone();
            booth.accounts.insert(entry.header().chain, state);
            let account = booth.account(entry.header().chain);
            let approved = account.approval(entry.clone()).unwrap().verify().unwrap();
            let held = account.propose(approved, &town.policies, &town.certified, NOW).unwrap();
            held.release(&mut booth.log).unwrap().sign(at, &key(2, at))
        })
        .collect();
    let votes: Vec<_> = votes.into_iter().map(|vote| town.genuine(vote)).collect();
    Receipt { entry: entry.clone(), cert: Cert::of(&votes, &town.policy).unwrap() }
}

#[test]
fn a_witness_stops_serving_a_currency_of_which_too_many_witnesses_are_faulty() {
    for parked in [false, true] {
        let mut ring = Ring::with_rich(4, 1);
        let (one, other) = (ring.town.pay(0, 1, 250), ring.town.pay(0, 1, 251));
        let (one, other) = (certified_by_all(&ring.town, &one), certified_by_all(&ring.town, &other));
        ring.commit(0, std::slice::from_ref(&one));
        if parked {
            ring.restart(0, PaperShelf::without_index);
        }
        let currency = ring.town.policy.currency();
        let said = ring.ask_many(0, vec![Request::Commit { receipt: other.clone() }, Request::Commit { receipt: one }]);
        assert!(matches!(&said[0], Reply::Refused(Reason::Invalid(why)) if why.contains("faulty")), "{:?}", said[0]);
        let next = ring.town.pay(0, 1, 1);
        for change in [|shelf| shelf, PaperShelf::without_index] {
            assert!(matches!(ring.propose(0, &next), Reply::Refused(Reason::Invalid(why)) if why.contains("faulty")));
            assert!(ring.witnesses[0].status().currencies[0].broken);
            assert!(matches!(ring.ask(0, Request::Policy { currency }), Reply::Policy(_)), "it may still be read");
            ring.witnesses[0].settle().unwrap();
            ring.restart(0, change);
        }
    }
}

#[test]
fn two_witnesses_on_one_shelf_are_one_witness_after_the_other() {
    let mut shelf = PaperShelf::new(key(2, 0));
    let town = Town::new(4, 1);
    Witness::open(&mut shelf).unwrap().serve(town.policy.signed()).unwrap();
    let again = Witness::open(&mut shelf).unwrap();
    assert_eq!(again.status().currencies.len(), 1);
    assert_eq!(again.vk(), shelf.key().vk());
}

#[test]
fn e10_a_disk_that_lies_or_forgets_makes_a_witness_sign_twice_and_its_votes_prove_it() {
    let lies: fn(&mut PaperShelf) = |shelf| shelf.next_append = Some(Failure::Untold);
    let is_honest: fn(&mut PaperShelf) = |_| {};
    for (before, lost) in [(lies, 0), (is_honest, 1)] {
        let mut ring = Ring::with_rich(4, 1);
        let (one, other) = (ring.town.pay(0, 1, 250), ring.town.pay(0, 1, 251));
        ring.shelf(0, before);
        let Reply::Vote(first) = ring.propose(0, &one) else { panic!("no vote") };
        ring.restart(0, |shelf| shelf.forgetting(lost));
        let Reply::Vote(second) = ring.propose(0, &other) else { panic!("it has forgotten nothing") };
        let proof = EquivocationProof::Witness(first, second);
        assert!(proof.unverified(&key(10, 0).vk(), &ring.town.policy).unwrap().verify().is_ok());
    }
}

#[test]
fn what_was_voted_for_and_is_not_certified_is_shown_whole_so_that_it_can_be_completed() {
    let mut ring = Ring::with_rich(4, 1);
    let (currency, chain) = (ring.town.policy.currency(), ring.town.chain(0));
    let pending = |ring: &mut Ring, chain| ring.ask(0, Request::Pending { currency, chain });
    assert_eq!(pending(&mut ring, chain), Reply::Pending { next: 1, entries: vec![] });
    let entry = ring.town.pay(0, 1, 250);
    ring.vote(0, propose(&entry));
    let shown = Reply::Pending { next: 1, entries: vec![entry.clone()] };
    assert_eq!(pending(&mut ring, chain), shown);
    ring.restart(0, |shelf| shelf);
    assert_eq!(pending(&mut ring, chain), shown);
    let receipt = ring.settle(&entry);
    assert_eq!(pending(&mut ring, chain), Reply::Pending { next: 2, entries: vec![] });
    assert_eq!(receipt.entry, entry);
    // Of an account that nobody has opened, what opens it.
    assert_eq!(pending(&mut ring, ring_stranger()), Reply::Pending { next: 0, entries: vec![] });
    let elsewhere = Request::Pending { currency: kinfolk_wire::ids::CurrencyId::new([9; 32]), chain };
    assert_eq!(ring.ask(0, elsewhere), refused(Reason::NotServed));
}

fn ring_stranger() -> AccountId {
    AccountId::new([9; 32])
}
