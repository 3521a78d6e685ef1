//! A change of witnesses, with witnesses whole: closed epochs, chains that are crossed, certificates that were hidden.

use std::num::NonZeroU32;

use kinfolk_ledger::entry::{Body, Ctl, Entry, Out};
use kinfolk_ledger::escrow::{Opening, Proposer, Stamp, TabAct, TabState};
use kinfolk_ledger::inception::Inception;
use kinfolk_ledger::limits;
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_ledger::policy::{
    Endorsement, LoadedPolicy, Policies, Policy, PolicyError, SignedPolicy, Witness as Named,
};
use kinfolk_ledger::recovery::{Findings, Recover, SignedReport};
use kinfolk_ledger::signature::key_hash;
use kinfolk_ledger::slot::CLOSING;
use kinfolk_ledger::vote::{Cert, PrepCert, Receipt, SlotId, Vote};
use kinfolk_ledger::witness::{ShelfError, Witness};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::time::Span;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::support::shelf::{Failure, PaperShelf};
use super::support::*;
use super::tabs;

type Paper = Witness<PaperShelf>;

/// Eight witnesses, known by their numbers, of whom each policy names some.
struct Parish {
    town: Town,
    policies: Policies,
    witnesses: Vec<Paper>,
    rng: ChaCha20Rng,
}

impl Parish {
    /// Under a policy of the first four, somebody with money.
    fn new() -> Self {
        let mut town = Town::new(4, 1);
        town.open_issuer();
        town.rich(0, 1_000);
        town.rich(1, 1_000);
        let policies = Policies::from(town.policy.clone());
        let witnesses = (0..8).map(|number| Witness::open(PaperShelf::new(key(2, number))).unwrap()).collect();
        let mut parish = Self { town, policies, witnesses, rng: ChaCha20Rng::seed_from_u64(1) };
        let receipts: Vec<_> = parish.town.certified.values().map(|certified| certified.receipt()).collect();
        for number in 0..4 {
            parish.witnesses[number].serve(parish.town.policy.signed()).unwrap();
            parish.commit(number, &receipts);
        }
        parish
    }

    fn receipts(&self) -> Vec<Receipt> {
        self.town.certified.values().map(|certified| certified.receipt()).collect()
    }

    fn ask(&mut self, number: usize, request: Request) -> Reply {
        self.witnesses[number].answer(vec![request], NOW, &mut self.rng).unwrap().remove(0)
    }

    fn commit(&mut self, number: usize, receipts: &[Receipt]) {
        for receipt in receipts {
            let reply = self.ask(number, Request::Commit { receipt: receipt.clone() });
            assert!(matches!(reply, Reply::Ack { .. }), "witness {number}: {reply:?}");
        }
    }

    /// The next policy, with these witnesses, as its issuer signs it.
    fn proposed(&self, numbers: &[u8]) -> SignedPolicy {
        let named = |number: &u8| Named { vk: key(2, *number).vk(), peer_id: PeerId::new([*number; 38]) };
        let witnesses: Vec<_> = numbers.iter().map(named).collect();
        let f = ((witnesses.len() - 1) / 3) as u8;
        Policy { witnesses, f, ..self.policies.current().next() }.sign(&issuer())
    }

    fn endorse(&mut self, number: usize, policy: &SignedPolicy) -> Option<Endorsement> {
        let request = Request::Succeed { currency: self.town.policy.currency(), policy: policy.clone() };
        match self.ask(number, request) {
            Reply::Succeeded { endorsement, .. } => endorsement,
            Reply::Refused(_) => None,
            other => panic!("{other:?}"),
        }
    }

    /// Old witnesses endorse the policy, and old and new ones hear that it is in force.
    fn change(&mut self, by: &[usize], numbers: &[u8]) -> SignedPolicy {
        let policy = self.proposed(numbers);
        let endorsements: Vec<_> = by.iter().map(|number| self.endorse(*number, &policy).unwrap()).collect();
        let policy = policy.endorsed(endorsements);
        self.policies.extend(policy.clone()).unwrap();
        let all: Vec<_> = self.policies.iter().map(|policy| policy.signed()).collect();
        let receipts = self.receipts();
        for number in numbers.iter().map(|number| usize::from(*number)) {
            self.witnesses[number].serve_since(all.clone()).unwrap();
            self.commit(number, &receipts);
        }
        policy
    }

    fn closing(&mut self, number: usize, epoch: u32, chain: kinfolk_wire::ids::AccountId) -> Vec<SignedReport> {
        let currency = self.town.policy.currency();
        match self.ask(number, Request::Closings { currency, chain, epoch }) {
            Reply::Closings(reports) => reports,
            other => panic!("{other:?}"),
        }
    }

    /// What these witnesses said last of somebody's chain.
    fn closings(&mut self, who: u8, epoch: u32, by: &[usize]) -> Vec<SignedReport> {
        let chain = self.town.chain(who);
        by.iter().map(|number| self.closing(*number, epoch, chain).remove(0)).collect()
    }

    fn cross(&mut self, number: usize, reports: &[SignedReport]) -> Reply {
        self.ask(number, Request::Cross { inception: None, reports: reports.to_vec(), opening: None })
    }

    fn propose(&mut self, number: usize, entry: &Entry) -> Reply {
        self.ask(number, propose(entry))
    }

    /// Somebody's payment, signed in this epoch.
    fn pay(&mut self, from: u8, units: u64, epoch: u32) -> Entry {
        let chain = self.town.chain(from);
        let outs = vec![Out::cash(self.town.chain(7), amount(units))];
        Entry::sign(self.town.state(chain).next_position(epoch), Body { outs, ..body() }, &key(10, from))
    }

    fn certificate(&self, entry: &Entry, votes: &[Vote]) -> Receipt {
        let policy = self.policies.at(votes[0].statement.slot.epoch).unwrap();
        let votes: Vec<_> = votes.iter().map(|vote| vote.unverified(policy).unwrap().verify().unwrap()).collect();
        Receipt { entry: entry.clone(), cert: Cert::of(&votes, policy).unwrap() }
    }

    /// The certificate of fast votes by these witnesses.
    fn certify(&mut self, entry: &Entry, by: &[usize]) -> Receipt {
        let votes: Vec<_> = by.iter().map(|number| vote(self.propose(*number, entry))).collect();
        let receipt = self.certificate(entry, &votes);
        receipt.clone().verify_among(&self.policies).unwrap().verify().unwrap();
        receipt
    }

    fn restart(&mut self, number: usize, change: impl FnOnce(PaperShelf) -> PaperShelf) {
        let witness = self.witnesses.remove(number);
        let shelf = change(witness.into_shelf().restarted());
        self.witnesses.insert(number, Witness::open(shelf).unwrap());
    }

    fn recover(&mut self, who: u8, ballot: u32, epoch: u32) -> (SlotId, Request) {
        let friends = friends(&self.town.policy, who);
        let signers: Vec<_> = friends.iter().take(2).map(|(place, key)| (*place, key)).collect();
        let slot = self.town.slot(who).in_epoch(epoch);
        (slot, Request::Recover(Recover::sign(slot, ballot, None, &signers)))
    }
}

fn propose(entry: &Entry) -> Request {
    Request::Propose { entry: entry.clone(), cited: vec![] }
}

fn vote(reply: Reply) -> Vote {
    match reply {
        Reply::Vote(vote) => vote,
        other => panic!("{other:?}"),
    }
}

fn refused(reason: Reason) -> Reply {
    Reply::Refused(reason)
}

#[test]
fn a_change_of_witnesses_is_in_force_with_a_quorum_of_the_old_and_payments_go_on() {
    let mut parish = Parish::new();
    let before = parish.pay(0, 100, 0);
    let before = parish.certify(&before, &[0, 1, 2]);
    let certified = before.clone().verify(&parish.town.policy).unwrap().verify().unwrap();
    parish.town.tell(&certified);
    // Two of the old stay, two are new.
    parish.change(&[0, 1, 2], &[2, 3, 4, 5]);
    let payment = parish.pay(0, 200, 1);
    assert_eq!(parish.propose(4, &payment), refused(Reason::NotCrossed { epoch: 0 }));
    let reports = parish.closings(0, 0, &[0, 1, 2]);
    for number in 2..6 {
        assert_eq!(parish.cross(number, &reports), Reply::Ack { next: 2 });
    }
    let receipt = parish.certify(&payment, &[2, 4, 5]);
    assert_eq!(receipt.cert.epoch, 1);
    for number in 2..6 {
        parish.commit(number, std::slice::from_ref(&receipt));
    }
    // What was crossed once need not be crossed again.
    let certified = receipt.clone().verify_among(&parish.policies).unwrap().verify().unwrap();
    let state = {
        let mut state = parish.town.state(parish.town.chain(0));
        let change = state.try_entry(certified.entry(), parish.policies.at(1).unwrap()).unwrap();
        state.apply(change, certified.entry().body());
        state
    };
    let outs = vec![Out::cash(parish.town.chain(7), amount(5))];
    let next = Entry::sign(state.next_position(1), Body { outs, ..body() }, &key(10, 0));
    parish.certify(&next, &[3, 4, 5]);
    let currency = parish.town.policy.currency();
    let Reply::Policies(all) = parish.ask(4, Request::Policies { currency, from: 0 }) else { panic!("no policies") };
    assert_eq!(Policies::load(all).unwrap(), parish.policies);
    let status = parish.witnesses[4].status();
    assert_eq!((status.currencies[0].epoch, status.currencies[0].place), (1, Some(2)));
}

#[test]
fn e09_a_certificate_that_was_hidden_over_the_change_is_the_only_one_afterwards() {
    let mut parish = Parish::new();
    let (hidden, other) = (parish.pay(0, 1_000, 0), parish.pay(0, 999, 1));
    let receipt = parish.certify(&hidden, &[0, 1, 2]);
    parish.change(&[1, 2, 3], &[4, 5, 6, 7]);
    // One of those that report never saw it, and the two that did are enough.
    let reports = parish.closings(0, 0, &[1, 2, 3]);
    assert_eq!(reports.iter().filter(|report| report.findings.v0.is_some()).count(), 2);
    for number in 4..8 {
        assert_eq!(parish.propose(number, &hidden), refused(Reason::NotCrossed { epoch: 0 }));
        assert_eq!(parish.cross(number, &reports), Reply::Ack { next: 1 });
        assert!(matches!(parish.propose(number, &other), Reply::Refused(Reason::Invalid(_))));
    }
    // What was signed before the change is completed after it, by votes of the next epoch.
    let again = parish.certify(&hidden, &[4, 5, 6]);
    assert_eq!((again.cert.epoch, again.entry.header().epoch), (1, 0));
    parish.commit(4, &[again, receipt]);
}

#[test]
fn e09_a_witness_that_closed_its_epoch_takes_no_part_in_it_however_often_it_restarts() {
    let mut parish = Parish::new();
    let entry = parish.pay(0, 100, 0);
    let (slot, recover) = parish.recover(0, 1, 0);
    let reports: Vec<_> = (1..4)
        .map(|number| match parish.ask(number, recover.clone()) {
            Reply::Report(report) => report,
            other => panic!("{other:?}"),
        })
        .collect();
    // The friends have chosen a new key, and one of the four has not promised yet.
    let friends = friends(&parish.town.policy, 0);
    let signers: Vec<_> = friends.iter().map(|(place, key)| (*place, key)).collect();
    let rotate = Ctl::Rotate { writer: key(30, 0).vk(), next: key_hash(&key(31, 0).vk()) };
    let at = parish.town.state(slot.chain).next_position(0);
    let rotated = Entry::sign_as_recovery(at, Body { ctl: Some(rotate), ..body() }, &signers);
    let prepare = Request::Prepare { ballot: 1, entry: rotated, reports, cited: vec![] };
    let prepared: Vec<_> = (1..4).map(|number| parish.ask(number, prepare.clone())).map(vote).collect();
    let prepared: Vec<_> = prepared.into_iter().map(|vote| parish.town.genuine(vote)).collect();
    let lock = Request::Lock { slot, prepared: PrepCert::of(&prepared, &parish.town.policy).unwrap() };

    let policy = parish.proposed(&[4, 5, 6, 7]);
    let first = parish.endorse(0, &policy).unwrap();
    for change in [|shelf| shelf, PaperShelf::without_index] {
        let over = refused(Reason::Epoch { present: 0 });
        for request in [propose(&entry), recover.clone(), prepare.clone(), lock.clone()] {
            assert_eq!(parish.ask(0, request), over);
        }
        assert_eq!(parish.endorse(0, &policy), Some(first), "the same word again");
        let reports = parish.closings(0, 0, &[0]);
        assert_eq!((reports[0].findings.v0, reports[0].findings.ballot), (None, CLOSING));
        parish.witnesses[0].settle().unwrap();
        parish.restart(0, change);
    }
    // The others have not closed theirs.
    assert!(matches!(parish.ask(1, lock), Reply::Vote(_)));
    let currency = parish.town.policy.currency();
    let closings = Request::Closings { currency, chain: slot.chain, epoch: 0 };
    assert_eq!(parish.ask(1, closings), refused(Reason::Epoch { present: 0 }));
}

#[test]
fn what_was_asked_in_one_batch_with_the_closing_is_reported_or_not_voted_for() {
    let mut parish = Parish::new();
    let (one, other) = (parish.pay(0, 100, 0), parish.pay(1, 100, 0));
    let (currency, policy) = (parish.town.policy.currency(), parish.proposed(&[4, 5, 6, 7]));
    let requests = vec![
        propose(&one),
        Request::Succeed { currency, policy },
        propose(&other),
        Request::Closings { currency, chain: one.header().chain, epoch: 0 },
    ];
    let said = parish.witnesses[0].answer(requests, NOW, &mut parish.rng).unwrap();
    assert!(matches!(said[0], Reply::Vote(_)) && matches!(said[1], Reply::Succeeded { .. }), "{said:?}");
    assert_eq!(said[2], refused(Reason::Epoch { present: 0 }));
    let Reply::Closings(reports) = &said[3] else { panic!("{said:?}") };
    assert_eq!(reports[0].findings.v0, one.signed_header());
}

#[test]
fn e01_of_two_policies_for_one_epoch_at_most_one_gets_a_quorum() {
    let mut parish = Parish::new();
    let (one, other) = (parish.proposed(&[4, 5, 6, 7]), parish.proposed(&[0, 5, 6, 7]));
    let first: Vec<_> = [0, 1].map(|number| parish.endorse(number, &one).unwrap()).to_vec();
    let second: Vec<_> = [2, 3].map(|number| parish.endorse(number, &other).unwrap()).to_vec();
    for (number, policy) in [(0, &other), (1, &other), (2, &one), (3, &one)] {
        assert_eq!(parish.endorse(number, policy), None);
        parish.restart(number, PaperShelf::without_index);
        assert_eq!(parish.endorse(number, policy), None);
    }
    for (policy, endorsements) in [(one, first), (other, second)] {
        let error = parish.policies.clone().extend(policy.endorsed(endorsements)).unwrap_err();
        assert_eq!(error, PolicyError::TooFewEndorsed { found: 2, needed: 3 });
    }
}

#[test]
fn a_policy_that_too_few_or_others_endorsed_or_that_alters_the_money_is_not_the_next() {
    let mut parish = Parish::new();
    let policy = parish.proposed(&[4, 5, 6, 7]);
    assert!(matches!(
        parish.policies.clone().extend(policy.clone()),
        Err(PolicyError::TooFewEndorsed { found: 0, .. })
    ));
    let good: Vec<_> = (0..3).map(|number| parish.endorse(number, &policy).unwrap()).collect();
    let forged = good.iter().map(|one| Endorsement { witness: (one.witness + 1) % 4, ..*one });
    let forged = policy.clone().endorsed(forged);
    assert!(matches!(parish.policies.clone().extend(forged), Err(PolicyError::Signature(_))));
    let unknown = policy.clone().endorsed(good.iter().map(|one| Endorsement { witness: one.witness + 8, ..*one }));
    assert!(matches!(parish.policies.clone().extend(unknown), Err(PolicyError::Signature(_))));
    let next = || parish.policies.current().next();
    type Alter = fn(&mut Policy);
    let altered: [(Alter, PolicyError); 5] = [
        (|policy| policy.max_supply = amount(2_000_000), PolicyError::Money),
        (|policy| policy.decimals = 3, PolicyError::Money),
        (|policy| policy.classes = vec![kinfolk_ledger::entry::Class::Free], PolicyError::Money),
        (|policy| policy.epoch = 2, PolicyError::Epoch { found: 2, expected: 1 }),
        (|policy| policy.prev = kinfolk_wire::ids::PolicyHash::new([9; 32]), PolicyError::Prev),
    ];
    for (alter, expected) in altered {
        let mut policy = next();
        alter(&mut policy);
        let error = policy.sign(&issuer()).proposed_after(parish.policies.current()).unwrap_err();
        assert_eq!(error, expected);
    }
    let by_thief = next().sign(&key(66, 6));
    assert!(matches!(by_thief.proposed_after(parish.policies.current()), Err(PolicyError::Signature(_))));
}

#[test]
fn a_currency_has_so_many_policies_and_a_witness_of_all_of_them_opens_again() {
    let mut policies = Policies::from(loaded(1, 0));
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut witness = Witness::open(PaperShelf::new(key(2, 0))).unwrap();
    witness.serve(policies.current().signed()).unwrap();
    for epoch in 1..limits::EPOCHS {
        let next = policies.current().next().sign(&issuer());
        let succeed = |policy| vec![Request::Succeed { currency: policies.currency(), policy }];
        let said = witness.answer(succeed(next.clone()), NOW, &mut rng).unwrap();
        let [Reply::Succeeded { endorsement: Some(endorsement), .. }] = said[..] else { panic!("{said:?}") };
        let next = next.endorsed([endorsement]);
        let said = witness.answer(succeed(next.clone()), NOW, &mut rng).unwrap();
        assert_eq!(said, [Reply::Succeeded { epoch, endorsement: Some(endorsement) }]);
        policies.extend(next).unwrap();
    }
    let next = policies.current().next().sign(&issuer());
    assert_eq!(next.proposed_after(policies.current()).unwrap_err(), PolicyError::LastEpoch);
    witness.settle().unwrap();
    for change in [|shelf| shelf, PaperShelf::without_index] {
        witness = Witness::open(change(witness.into_shelf().restarted())).unwrap();
        assert_eq!(witness.policies(&policies.currency()), Some(&policies));
    }
    let asked = Request::Policies { currency: policies.currency(), from: 7 };
    let said = witness.answer(vec![asked], NOW, &mut rng).unwrap().remove(0);
    let size = said.encode().len();
    let Reply::Policies(some) = said else { panic!("{said:?}") };
    assert!(size <= limits::MESSAGE && some.len() > 100 && some[0].policy.epoch == 7);
}

#[test]
fn a_chain_at_rest_over_two_changes_is_crossed_from_both_and_kept_reports_are_enough() {
    let mut parish = Parish::new();
    parish.change(&[0, 1, 2], &[2, 3, 4, 5]);
    let first = parish.closings(0, 0, &[0, 1, 2]);
    // Somebody, anybody, carries the chain over, and pays nothing.
    assert_eq!(parish.cross(4, &first), Reply::Ack { next: 1 });
    parish.restart(4, PaperShelf::without_index);
    parish.change(&[2, 3, 4], &[4, 5, 6, 7]);
    let payment = parish.pay(0, 100, 2);
    let second = parish.closings(0, 1, &[3, 4, 5]);
    assert_eq!(parish.cross(6, &second), Reply::Ack { next: 1 });
    assert_eq!(parish.propose(6, &payment), refused(Reason::NotCrossed { epoch: 0 }));
    // Nobody asks the first witnesses again: who crossed it has what they said.
    let chain = parish.town.chain(0);
    let kept = parish.closing(4, 0, chain);
    assert_eq!(kept, first);
    for number in [4, 6, 7] {
        parish.cross(number, &kept);
        parish.cross(number, &second);
    }
    for change in [|shelf| shelf, PaperShelf::without_index] {
        let receipt = parish.certify(&payment, &[4, 6, 7]);
        assert_eq!(receipt.cert.epoch, 2);
        parish.witnesses[6].settle().unwrap();
        parish.restart(6, change);
    }
}

#[test]
fn an_account_of_this_epoch_is_crossed_from_none_and_an_older_one_that_nobody_opened_from_all() {
    let mut parish = Parish::new();
    let paid = parish.pay(0, 500, 0);
    let paid = parish.certify(&paid, &[0, 1, 2]);
    let certified = paid.verify(&parish.town.policy).unwrap().verify().unwrap();
    parish.town.tell(&certified);
    parish.change(&[0, 1, 2], &[4, 5, 6, 7]);
    let open = |parish: &Parish, since: u32, epoch: u32, salt: u8| {
        let inception =
            Inception { since: NonZeroU32::new(since), salt: [salt; 16], ..inception(&parish.town.policy, 7) };
        let at = kinfolk_ledger::entry::Position { epoch, ..first_position(&parish.town.policy, inception.account()) };
        let body = Body { ctl: Some(Ctl::Open(inception.clone())), ..body() };
        (inception, Entry::sign(at, body, &key(10, 7)))
    };
    let (old, entry) = open(&parish, 0, 1, 7);
    assert_eq!(parish.propose(4, &entry), refused(Reason::NotCrossed { epoch: 0 }));
    let reports: Vec<_> = (0..3).map(|number| parish.closing(number, 0, old.account()).remove(0)).collect();
    assert_eq!(parish.cross(4, &reports), refused(Reason::Unknown));
    let with = Request::Cross { inception: Some(old), reports, opening: None };
    assert_eq!(parish.ask(4, with), Reply::Ack { next: 0 });
    // An output that it could claim is all that is missing.
    let missing =
        |reply: Reply| matches!(reply, Reply::Refused(Reason::Invalid(why)) if why.contains("opened by claiming"));
    assert!(missing(parish.propose(4, &entry)));
    let (_, entry) = open(&parish, 1, 1, 8);
    assert!(missing(parish.propose(4, &entry)));
    // It may not be opened in an epoch before the first that it names.
    let (_, entry) = open(&parish, 1, 0, 9);
    assert!(matches!(parish.propose(4, &entry), Reply::Refused(Reason::Invalid(why)) if why.contains("epoch")));
}

#[test]
fn closing_reports_are_of_one_epoch_and_chain_and_of_a_quorum_and_genuine() {
    let mut parish = Parish::new();
    let entry = parish.pay(0, 100, 0);
    vote(parish.propose(0, &entry));
    parish.change(&[0, 1, 2], &[4, 5, 6, 7]);
    let reports = parish.closings(0, 0, &[0, 1, 2]);
    let others = parish.closings(1, 0, &[2]);
    let is_invalid = |reply: Reply| assert!(matches!(reply, Reply::Refused(Reason::Invalid(_))), "{reply:?}");
    is_invalid(parish.cross(4, &[]));
    is_invalid(parish.cross(4, &reports[..2]));
    is_invalid(parish.cross(4, &[&reports[..2], &others[..]].concat()));
    is_invalid(parish.cross(4, &[&reports[..2], &reports[..1]].concat()));
    let mut forged = reports.clone();
    forged[0].findings.v0 = None;
    is_invalid(parish.cross(4, &forged));
    // What is reported for a ballot is not the last word.
    let mut parish = Parish::new();
    let (_, recover) = parish.recover(0, 1, 0);
    let promised: Vec<_> = (0..3)
        .map(|number| match parish.ask(number, recover.clone()) {
            Reply::Report(report) => report,
            other => panic!("{other:?}"),
        })
        .collect();
    parish.change(&[0, 1, 2], &[4, 5, 6, 7]);
    is_invalid(parish.cross(4, &promised));
    let (_, last) = Parish::new().recover(0, CLOSING, 0);
    is_invalid(Parish::new().ask(0, last));
    // A witness that stands further asks for what is lacking.
    let mut parish = Parish::new();
    let entry = parish.pay(0, 100, 0);
    let receipt = parish.certify(&entry, &[0, 1, 2]);
    parish.commit(0, std::slice::from_ref(&receipt));
    parish.change(&[0, 1, 2], &[4, 5, 6, 7]);
    let reports = parish.closings(0, 0, &[0, 1, 2]);
    assert_eq!(parish.cross(4, &reports), refused(Reason::Elsewhere { next: 1 }));
    parish.commit(4, &[receipt]);
    assert_eq!(parish.cross(4, &reports), Reply::Ack { next: 2 });
}

#[test]
fn e09_a_lock_from_before_the_change_binds_the_friends_after_it() {
    let mut parish = Parish::new();
    let paid = parish.pay(0, 700, 0);
    vote(parish.propose(0, &paid));
    let (slot, recover) = parish.recover(0, 1, 0);
    let report = |reply| match reply {
        Reply::Report(report) => report,
        other => panic!("{other:?}"),
    };
    let reports: Vec<_> = (0..3).map(|number| report(parish.ask(number, recover.clone()))).collect();
    let prepare = Request::Prepare { ballot: 1, entry: paid.clone(), reports, cited: vec![] };
    let prepared: Vec<_> = (0..3).map(|number| vote(parish.ask(number, prepare.clone()))).collect();
    let prepared: Vec<_> = prepared.into_iter().map(|vote| parish.town.genuine(vote)).collect();
    let prepared = PrepCert::of(&prepared, &parish.town.policy).unwrap();
    // Three locked it, so it is final, and nobody has put the certificate together.
    for number in 0..3 {
        vote(parish.ask(number, Request::Lock { slot, prepared: prepared.clone() }));
    }
    parish.change(&[1, 2, 3], &[4, 5, 6, 7]);
    let closings = parish.closings(0, 0, &[1, 2, 3]);
    for number in 4..8 {
        parish.cross(number, &closings);
    }
    let (_, recover) = parish.recover(0, 1, 1);
    let reports: Vec<_> = (4..7).map(|number| report(parish.ask(number, recover.clone()))).collect();
    let friends = friends(&parish.town.policy, 0);
    let signers: Vec<_> = friends.iter().map(|(place, key)| (*place, key)).collect();
    let rotate = Ctl::Rotate { writer: key(30, 0).vk(), next: key_hash(&key(31, 0).vk()) };
    let at = parish.town.state(slot.chain).next_position(1);
    let rotated = Entry::sign_as_recovery(at, Body { ctl: Some(rotate), ..body() }, &signers);
    let ask =
        |entry: &Entry| Request::Prepare { ballot: 1, entry: entry.clone(), reports: reports.clone(), cited: vec![] };
    let reply = parish.ask(4, ask(&rotated));
    assert!(matches!(&reply, Reply::Refused(Reason::Invalid(why)) if why.contains("another entry only")), "{reply:?}");
    vote(parish.ask(4, ask(&paid)));
}

#[test]
fn i14_an_epoch_whose_end_could_not_be_written_is_not_said_to_be_over() {
    let mut parish = Parish::new();
    let policy = parish.proposed(&[4, 5, 6, 7]);
    let mut shelf = parish.witnesses.remove(0).into_shelf();
    shelf.next_append = Some(Failure::Told { kept: 0 });
    parish.witnesses.insert(0, Witness::open(shelf).unwrap());
    let request = Request::Succeed { currency: parish.town.policy.currency(), policy: policy.clone() };
    let said = parish.witnesses[0].answer(vec![request], NOW, &mut parish.rng);
    assert!(matches!(said, Err(ShelfError::Shelf(_))));
    parish.restart(0, |shelf| shelf);
    let entry = parish.pay(0, 100, 0);
    vote(parish.propose(0, &entry));
    parish.endorse(0, &policy).unwrap();
    assert_eq!(parish.closings(0, 0, &[0])[0].findings.v0, entry.signed_header());
}

#[test]
fn e09_what_was_redeemed_of_a_tab_and_hidden_over_the_change_is_the_only_one_afterwards() {
    let mut parish = Parish::new();
    let paid = tabs::funding(&mut parish.town, NOW.after(Span::from_days(1)), 100);
    let paid = parish.certify(&paid, &[0, 1, 2]);
    let opening = Opening::of(&paid.entry, 0).unwrap();
    (0..4).for_each(|number| parish.commit(number, std::slice::from_ref(&paid)));
    let certified = paid.clone().verify(&parish.town.policy).unwrap().verify().unwrap();
    parish.town.tell(&certified);
    let state = TabState::new(parish.town.policy.currency(), opening, amount(100));
    let redeem = |total, policy: &LoadedPolicy| {
        let stamp = Stamp { now: NOW, blind: [7; 16], policy };
        state.sign(Proposer::Payee, TabAct::Redeem(tabs::voucher(&opening, total)), stamp, &tabs::redeemer()).unwrap()
    };
    let hidden = redeem(60, &parish.town.policy.clone());
    let prepare = |entry: &Entry| Request::Prepare {
        ballot: 1,
        entry: entry.clone(),
        reports: vec![],
        cited: vec![paid.clone()],
    };
    let order = |parish: &mut Parish, entry: &Entry, by: &[usize]| {
        let votes: Vec<_> = by.iter().map(|number| vote(parish.ask(*number, prepare(entry)))).collect();
        let slot = votes[0].statement.slot;
        let policy = parish.policies.at(slot.epoch).unwrap();
        let genuine: Vec<_> = votes.iter().map(|vote| vote.unverified(policy).unwrap().verify().unwrap()).collect();
        let prepared = PrepCert::of(&genuine, policy).unwrap();
        let lock = |prepared: &PrepCert| Request::Lock { slot, prepared: prepared.clone() };
        let votes: Vec<_> = by.iter().map(|number| vote(parish.ask(*number, lock(&prepared)))).collect();
        parish.certificate(entry, &votes)
    };
    let receipt = order(&mut parish, &hidden, &[0, 1, 2]);
    parish.change(&[1, 2, 3], &[4, 5, 6, 7]);
    let other = redeem(40, parish.policies.current());
    assert_eq!(parish.ask(4, prepare(&other)), refused(Reason::NotCrossed { epoch: 0 }));
    let chain = opening.chain();
    let reports: Vec<_> = [1, 2, 3].map(|number| parish.closing(number, 0, chain).remove(0)).to_vec();
    let cross =
        |reports: &[SignedReport], opening| Request::Cross { inception: None, reports: reports.to_vec(), opening };
    assert_eq!(parish.ask(4, cross(&reports, None)), refused(Reason::Unknown));
    // A faulty witness of the old says that it voted fast for what there is no fast vote for.
    let lie = Findings { v0: other.signed_header(), ..reports[2].findings.clone() };
    let lies = [reports[0].clone(), reports[1].clone(), tabs::lying(&lie, 3)];
    let said = parish.ask(4, cross(&lies, Some(opening)));
    assert!(matches!(&said, Reply::Refused(Reason::Invalid(why)) if why.contains("no fast votes")), "{said:?}");
    for number in 4..7 {
        assert_eq!(parish.ask(number, cross(&reports, Some(opening))), Reply::Ack { next: 0 });
        parish.restart(number, PaperShelf::without_index);
        let said = parish.ask(number, prepare(&other));
        assert!(matches!(&said, Reply::Refused(Reason::Invalid(why)) if why.contains("admit another")), "{said:?}");
    }
    let again = order(&mut parish, &hidden, &[4, 5, 6]);
    assert_eq!((receipt.cert.epoch, again.cert.epoch, receipt.entry == again.entry), (0, 1, true));
    parish.commit(7, std::slice::from_ref(&receipt));
    parish.commit(7, std::slice::from_ref(&again));
}
