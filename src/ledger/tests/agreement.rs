//! Payments, double spends and recoveries among witnesses with real keys.

use kinfolk_ledger::account::{Committed, Refusal};
use kinfolk_ledger::chain::Invalid;
use kinfolk_ledger::entry::{Body, Class, Ctl, Entry, Position};
use kinfolk_ledger::equivocation::{EquivocationProof, ProofError};
use kinfolk_ledger::rules::NotValid;
use kinfolk_ledger::signature::key_hash;
use kinfolk_ledger::slot::SlotRefusal;
use kinfolk_ledger::vote::{Cert, CertError, Mode, Receipt};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::support::*;

fn town() -> Town {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    town.rich(1, 1_000);
    town
}

#[test]
fn a_payment_is_final_with_a_quorum_and_claimed_by_its_payee() {
    let mut town = town();
    let entry = town.pay(0, 1, 250);
    let paid = town.settle(&entry).unwrap();
    assert_eq!(paid.cert().mode, Mode::Fast);
    let claims = vec![claim(&paid, 0)];
    let entry = town.next(1, Body { claims, ..body() });
    town.settle(&entry).unwrap();
    let (anna, bela) = (town.chain(0), town.chain(1));
    assert_eq!(town.state(anna).balances().free, 750);
    assert_eq!(town.state(bela).balances().free, 1_250);
}

#[test]
fn a_receipt_proves_a_payment_with_the_policy_alone() {
    let mut town = town();
    let entry = town.pay(0, 1, 250);
    let paid = town.settle(&entry).unwrap();
    let read = Receipt::decode(&paid.receipt().encode()).unwrap();
    assert_eq!(read.verify(&town.policy).unwrap().verify().unwrap(), paid);
}

#[test]
fn votes_that_came_make_a_certificate_without_the_forged_ones_which_are_told() {
    let mut town = town();
    let entry = town.pay(0, 1, 250);
    let mut votes: Vec<_> = (0..4).map(|at| town.vote(at, entry.clone()).unwrap()).collect();
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let whole = Cert::gather(&votes, &town.policy, &mut rng);
    assert_eq!((whole.cert.map(|cert| cert.sigs.len()), whole.forged), (Some(4), vec![]));
    // One witness's signature under another's name; a quorum is left.
    votes[1].signature = votes[2].signature;
    let gathered = Cert::gather(&votes, &town.policy, &mut rng);
    assert_eq!(gathered.forged, [1]);
    let cert = gathered.cert.unwrap();
    assert!(cert.sigs.iter().map(|(witness, _)| witness).eq([0, 2, 3]));
    cert.attach(entry, &town.policy).unwrap().verify().unwrap();
    // A place that the policy does not have, and too few.
    votes[3].witness = 9;
    let gathered = Cert::gather(&votes, &town.policy, &mut rng);
    assert_eq!((gathered.cert, gathered.forged), (None, vec![9, 1]));
}

#[test]
fn e01_of_two_entries_for_one_place_at_most_one_is_certified_and_the_other_is_a_proof() {
    let mut town = town();
    let (one, other) = (town.pay(0, 1, 1_000), town.pay(0, 2, 1_000));
    for at in [0, 1] {
        town.vote(at, one.clone()).unwrap();
    }
    for at in [2, 3] {
        town.vote(at, other.clone()).unwrap();
    }
    // Two partitions of two; neither has a quorum, and after the heal neither gets one.
    for at in [0, 1] {
        let refusal = town.vote(at, other.clone()).unwrap_err();
        assert_eq!(refusal, Refusal::Slot(SlotRefusal::Conflict { first: one.hash() }));
    }
    assert!(town.certify(&one).is_err() && town.certify(&other).is_err());
    let first = town.booths[0].account(one.header().chain).entry(&one.hash()).unwrap().clone();
    let proof = EquivocationProof::Writer(first.signed_header().unwrap(), other.signed_header().unwrap());
    let proof = EquivocationProof::decode(&proof.encode()).unwrap();
    proof.clone().unverified(&key(10, 0).vk(), &town.policy).unwrap().verify().unwrap();
    assert!(proof.unverified(&key(10, 1).vk(), &town.policy).unwrap().verify().is_err());
    let same = EquivocationProof::Writer(one.signed_header().unwrap(), one.signed_header().unwrap());
    assert_eq!(same.unverified(&key(10, 0).vk(), &town.policy).unwrap_err(), ProofError::Compatible);
}

#[test]
fn e01_a_witness_that_votes_twice_is_proved_by_its_votes() {
    let mut town = town();
    let mut twin = town.booths[3].clone();
    let (one, other) = (town.pay(0, 1, 1_000), town.pay(0, 2, 1_000));
    let first = town.vote(3, one).unwrap();
    std::mem::swap(&mut twin, &mut town.booths[3]);
    let second = town.vote(3, other.clone()).unwrap();
    let third = town.vote(2, other).unwrap();
    let any = key(10, 0).vk();
    let proof = EquivocationProof::Witness(first, second);
    proof.unverified(&any, &town.policy).unwrap().verify().unwrap();
    let by_two = EquivocationProof::Witness(first, third);
    assert_eq!(by_two.unverified(&any, &town.policy).unwrap_err(), ProofError::Compatible);
}

#[test]
fn e10_a_writer_who_rolled_back_cannot_spend_again() {
    let mut town = town();
    let chain = town.chain(0);
    let old = town.state(chain);
    let entry = town.pay(0, 1, 1_000);
    town.settle(&entry).unwrap();
    let again = Entry::sign(
        old.next_position(0),
        Body { outs: vec![kinfolk_ledger::entry::Out::cash(town.chain(2), amount(1_000))], ..body() },
        &key(10, 0),
    );
    let refusal = town.certify(&again).unwrap_err();
    assert_eq!(refusal, Refusal::NotValid(NotValid::Chain(Invalid::Seq { expected: 2, found: 1 })));
}

#[test]
fn e10_a_witness_that_restarts_gives_the_same_vote_and_no_other() {
    let mut town = town();
    let (one, other) = (town.pay(0, 1, 1_000), town.pay(0, 2, 1_000));
    let before = town.vote(0, one.clone()).unwrap();
    town.booths[0].restart();
    assert_eq!(town.vote(0, other).unwrap_err(), Refusal::Slot(SlotRefusal::Conflict { first: one.hash() }));
    assert_eq!(town.vote(0, one.clone()).unwrap(), before);
    assert!(town.booths[0].account(one.header().chain).entry(&one.hash()).is_some());
}

#[test]
fn two_of_four_certify_nothing_and_three_do() {
    let mut town = town();
    let entry = town.pay(0, 1, 5);
    let mut votes = Vec::new();
    for at in [0, 1, 2] {
        assert!(Cert::of(&votes, &town.policy).is_none());
        let vote = town.vote(at, entry.clone()).unwrap();
        votes.push(town.genuine(vote));
    }
    let twice = [votes[0], votes[0], votes[1]];
    assert!(Cert::of(&twice, &town.policy).is_none(), "one witness is counted once");
    let cert = Cert::of(&votes, &town.policy).unwrap();
    let two = Cert {
        sigs: kinfolk_ledger::signatures::Signatures::new(cert.sigs.iter().take(2).map(|(w, s)| (w, *s))),
        ..cert.clone()
    };
    assert_eq!(two.attach(entry.clone(), &town.policy).unwrap_err(), CertError::TooFew { found: 2, needed: 3 });
    let other = town.pay(0, 1, 6);
    assert_eq!(cert.clone().attach(other, &town.policy).unwrap_err(), CertError::OtherEntry);
    let ordered = Cert { mode: Mode::Ordered, ballot: 1, ..cert.clone() };
    assert!(ordered.attach(entry.clone(), &town.policy).unwrap().verify().is_err(), "fast votes commit nothing");
    assert!(Cert { ballot: 1, ..cert }.attach(entry, &town.policy).is_err());
}

#[test]
fn e03_an_entry_of_another_currency_or_epoch_is_refused() {
    let mut town = town();
    let mut elsewhere = Town::new(7, 2);
    elsewhere.open_issuer();
    let at = town.pay(0, 1, 5);
    let mut position = town.state(at.header().chain).next_position(1);
    let entry = Entry::sign(position, at.body().clone(), &key(10, 0));
    assert_eq!(town.certify(&entry).unwrap_err(), Refusal::Ahead { present: 0 });
    position.epoch = 0;
    position.currency = elsewhere.policy.currency();
    let entry = Entry::sign(position, at.body().clone(), &key(10, 0));
    assert_eq!(town.certify(&entry).unwrap_err(), Refusal::NotValid(NotValid::Chain(Invalid::Currency)));
    // A certificate of one currency is none in another, though a witness has the same key in both.
    let paid = town.certify(&at).unwrap();
    assert_eq!(paid.cert().clone().attach(paid.entry().clone(), &elsewhere.policy).unwrap_err(), CertError::Elsewhere);
}

#[test]
fn certified_entries_that_come_out_of_order_and_twice_wait_their_turn() {
    let mut town = town();
    let mut late = town.booths[0].clone();
    let chain = town.chain(0);
    let mut paid = Vec::new();
    for units in 1..=5 {
        let entry = town.pay(0, 1, units);
        paid.push(town.settle(&entry).unwrap());
    }
    for at in [4, 2, 3, 2, 1] {
        assert_eq!(late.account(chain).commit(paid[at].clone(), &town.policies).unwrap(), Committed::Parked);
    }
    assert_eq!(late.account(chain).commit(paid[0].clone(), &town.policies).unwrap(), Committed::Executed(5));
    assert_eq!(late.account(chain).commit(paid[3].clone(), &town.policies).unwrap(), Committed::Known);
    assert_eq!(late.account(chain).state(), town.booths[1].account(chain).state());
}

#[test]
fn a_lost_key_is_replaced_by_the_recovery_quorum() {
    let mut town = town();
    let reports: Vec<_> = town.reports(0, 1, &[0, 1, 2]).into_iter().map(Result::unwrap).collect();
    let chain = town.chain(0);
    let new = key(30, 0);
    let rotate = Ctl::Rotate { writer: new.vk(), next: key_hash(&key(31, 0).vk()) };
    let friends = friends(&town.policy, 0);
    let signers: Vec<_> = friends.iter().skip(1).map(|(place, key)| (*place, key)).collect();
    let at = town.state(chain).next_position(0);
    let entry = Entry::sign_as_recovery(at, Body { ctl: Some(rotate), ..body() }, &signers);
    let rotated = town.order(1, &entry, &reports, &[0, 1, 2]);
    assert_eq!(rotated.cert().mode, Mode::Ordered);
    town.tell(&rotated);
    assert_eq!(town.state(chain).keys().writer, new.vk());
    let old = town.pay(0, 1, 1);
    assert!(town.booths[0].account(chain).approval(old).unwrap().verify().is_err(), "the old key is nobody's");
    let outs = vec![kinfolk_ledger::entry::Out::cash(town.chain(1), amount(1))];
    let entry = Entry::sign(town.state(chain).next_position(0), Body { outs, ..body() }, &new);
    town.settle(&entry).unwrap();
}

#[test]
fn the_recovery_quorum_moves_no_money() {
    let mut town = town();
    let at = town.pay(0, 1, 1_000);
    let friends = friends(&town.policy, 0);
    let all: Vec<_> = friends.iter().map(|(place, key)| (*place, key)).collect();
    let position = town.state(at.header().chain).next_position(0);
    let theft = Entry::sign_as_recovery(position, at.body().clone(), &all);
    let refusal = town.certify(&theft).unwrap_err();
    assert_eq!(refusal, Refusal::NotValid(NotValid::Chain(Invalid::RecoveryOnly)));
    let alone = Entry::sign_as_recovery(position, at.body().clone(), &all[..1]);
    assert!(town.booths[0].account(at.header().chain).approval(alone).is_none(), "one of two is too few");
}

#[test]
fn a_payment_that_may_be_certified_is_completed_by_the_recovery() {
    let mut town = town();
    let paid = town.pay(0, 1, 700);
    let hidden = town.certify(&paid).unwrap();
    // The certificate is lost with the phone. Whichever three witnesses answer, they go on with the payment.
    let reports: Vec<_> = town.reports(0, 1, &[1, 2, 3]).into_iter().map(Result::unwrap).collect();
    let other = town.pay(0, 2, 700);
    let refusal = town.prepare(1, 1, &other, &reports).unwrap_err();
    assert_eq!(refusal, Refusal::Slot(SlotRefusal::Bound { to: paid.hash() }));
    let refusal = town.vote(1, paid.clone()).unwrap_err();
    assert_eq!(refusal, Refusal::Slot(SlotRefusal::Promised { promised: 1, ballot: 0 }));
    let again = town.order(1, &paid, &reports, &[1, 2, 3]);
    assert_eq!(again.entry(), hidden.entry());
    town.tell(&again);
    town.tell(&hidden);
}

#[test]
fn a_lock_survives_to_the_next_ballot() {
    let mut town = town();
    let (paid, other) = (town.pay(0, 1, 700), town.pay(0, 2, 700));
    town.vote(0, paid.clone()).unwrap();
    let reports: Vec<_> = town.reports(0, 1, &[0, 1, 2]).into_iter().map(Result::unwrap).collect();
    let slot = town.slot(0);
    let prepared: Vec<_> = [0, 1, 2].map(|at| town.prepare(at, 1, &paid, &reports).unwrap()).to_vec();
    assert!(town.prepare(0, 1, &other, &reports).is_err());
    let prepared = kinfolk_ledger::vote::PrepCert::of(&prepared, &town.policy).unwrap();
    town.lock(0, &prepared, slot).unwrap();
    town.booths[0].restart();
    let reports: Vec<_> = town.reports(0, 2, &[0, 1, 3]).into_iter().map(Result::unwrap).collect();
    let refusal = town.prepare(3, 2, &other, &reports).unwrap_err();
    assert_eq!(refusal, Refusal::Slot(SlotRefusal::Bound { to: paid.hash() }));
    let certified = town.order(2, &paid, &reports, &[0, 1, 3]);
    town.tell(&certified);
}

#[test]
fn an_equivocating_writer_freezes_their_own_slot_and_nobody_elses() {
    let mut town = town();
    let (one, other) = (town.pay(0, 1, 1_000), town.pay(0, 2, 1_000));
    for (at, entry) in [(0, &one), (1, &one), (2, &other), (3, &other)] {
        town.vote(at, entry.clone()).unwrap();
    }
    let reports: Vec<_> = town.reports(0, 1, &[0, 1, 2, 3]).into_iter().map(Result::unwrap).collect();
    for entry in [&one, &other] {
        assert_eq!(town.prepare(0, 1, entry, &reports).unwrap_err(), Refusal::Slot(SlotRefusal::Frozen));
        let refusal = town.prepare(0, 1, entry, &reports[..3]).unwrap_err();
        assert!(matches!(refusal, Refusal::Slot(SlotRefusal::Undecided)));
    }
    let entry = town.pay(1, 0, 5);
    town.settle(&entry).unwrap();
}

#[test]
fn a_report_of_an_entry_that_nobody_signed_is_not_genuine() {
    let mut town = town();
    let entry = town.pay(0, 1, 5);
    town.vote(0, entry.clone()).unwrap();
    let report = town.reports(0, 1, &[0]).remove(0).unwrap().signed().clone();
    let writer = key(10, 0).vk();
    let mut forged = report.clone();
    let mut header = forged.findings.v0.unwrap();
    header.header.body = kinfolk_wire::ids::BodyHash::new([9; 32]);
    forged.findings.v0 = Some(header);
    assert!(forged.unverified(&writer, &town.policy).unwrap().verify().is_err());
    assert!(report.clone().unverified(&key(10, 1).vk(), &town.policy).unwrap().verify().is_err());
    assert!(report.unverified(&writer, &town.policy).unwrap().verify().is_ok());
}

#[test]
fn a_planned_hand_over_needs_the_key_that_was_promised() {
    let mut town = town();
    let (promised, next) = (key(11, 0), key_hash(&key(12, 0).vk()));
    let stolen = town.next(0, Body { ctl: Some(Ctl::Rotate { writer: key(66, 6).vk(), next }), ..body() });
    assert_eq!(town.certify(&stolen).unwrap_err(), Refusal::NotValid(NotValid::Chain(Invalid::NextKey)));
    let entry = town.next(0, Body { ctl: Some(Ctl::Rotate { writer: promised.vk(), next }), ..body() });
    town.settle(&entry).unwrap();
    let chain = town.chain(0);
    assert_eq!((town.state(chain).keys().key_seq, town.state(chain).keys().writer), (1, promised.vk()));
}

#[test]
fn a_stranger_who_opens_an_account_under_the_issuers_key_mints_nothing() {
    let mut town = town();
    let mut inception = inception(&town.policy, 5);
    inception.writer = issuer().vk();
    let chain = inception.account();
    let minted = town.mint(chain, Class::Free, 50).unwrap();
    let open = Body { ctl: Some(Ctl::Open(inception)), claims: vec![claim(&minted, 0)], ..body() };
    town.settle(&Entry::sign(first_position(&town.policy, chain), open, &issuer())).unwrap();
    let outs = vec![kinfolk_ledger::entry::Out::cash(town.chain(1), amount(50))];
    let mint = Body { ctl: Some(Ctl::Mint { class: Class::Free }), outs, ..body() };
    let entry = Entry::sign(town.state(chain).next_position(0), mint, &issuer());
    assert_eq!(town.certify(&entry).unwrap_err(), Refusal::NotValid(NotValid::Chain(Invalid::Issuer)));
}

#[test]
fn where_nothing_can_have_been_certified_only_the_recovery_quorum_chooses() {
    let mut town = town();
    let reports: Vec<_> = town.reports(0, 1, &[0, 1, 2]).into_iter().map(Result::unwrap).collect();
    let thiefs = town.pay(0, 2, 1_000);
    assert_eq!(town.prepare(0, 1, &thiefs, &reports).unwrap_err(), Refusal::NotRecoverys);
}

#[test]
fn an_entry_of_the_recovery_quorum_gets_no_fast_vote() {
    let mut town = town();
    let chain = town.chain(0);
    let rotate = Ctl::Rotate { writer: key(30, 0).vk(), next: key_hash(&key(31, 0).vk()) };
    let friends = friends(&town.policy, 0);
    let signers: Vec<_> = friends.iter().map(|(place, key)| (*place, key)).collect();
    let at = town.state(chain).next_position(0);
    let entry = Entry::sign_as_recovery(at, Body { ctl: Some(rotate), ..body() }, &signers);
    assert_eq!(town.certify(&entry).unwrap_err(), Refusal::RecoveryInBallotZero);
    assert_eq!(town.booths[0].account(chain).slot(0).v0(), None);
}

#[test]
fn every_part_of_an_entrys_place_must_be_the_next() {
    let mut town = town();
    let paid = town.pay(0, 1, 5);
    let at = town.state(paid.header().chain).next_position(0);
    let prev = kinfolk_wire::ids::EntryHash::new([9; 32]);
    for (at, expected) in [
        (Position { prev, ..at }, Invalid::Prev),
        (Position { seq: at.seq + 1, ..at }, Invalid::Seq { expected: 1, found: 2 }),
        (Position { key_seq: 1, ..at }, Invalid::KeySeq { expected: 0, found: 1 }),
    ] {
        let entry = Entry::sign(at, paid.body().clone(), &key(10, 0));
        assert_eq!(town.certify(&entry).unwrap_err(), Refusal::NotValid(NotValid::Chain(expected)));
    }
}

#[test]
fn a_witness_keeps_few_entries_of_a_slot_however_many_ballots_there_are() {
    let mut town = town();
    let friends = friends(&town.policy, 0);
    let signers: Vec<_> = friends.iter().map(|(place, key)| (*place, key)).collect();
    let chain = town.chain(0);
    let mut hashes = Vec::new();
    for ballot in 1..=8 {
        let reports: Vec<_> = town.reports(0, ballot, &[0, 1, 2]).into_iter().map(Result::unwrap).collect();
        let rotate = Ctl::Rotate { writer: key(40, ballot as u8).vk(), next: key_hash(&key(31, 0).vk()) };
        let at = town.state(chain).next_position(0);
        let entry = Entry::sign_as_recovery(at, Body { ctl: Some(rotate), ..body() }, &signers);
        town.prepare(0, ballot, &entry, &reports).unwrap();
        hashes.push(entry.hash());
    }
    let kept = hashes.iter().filter(|hash| town.booths[0].account(chain).entry(hash).is_some()).count();
    assert_eq!(kept, 1);
}
