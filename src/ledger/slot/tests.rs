#![allow(clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

mod epochs;
mod escrow;
mod model;

use proptest::prelude::*;

use super::held::VoteLog;
use super::*;

type Reports = BTreeMap<u8, Report<u8, ()>>;

/// What was written, unless it cannot be.
#[derive(Default)]
struct Paper {
    written: Vec<Step<u8, ()>>,
    full: bool,
}

impl VoteLog<Step<u8, ()>> for Paper {
    type Error = &'static str;

    fn append(&mut self, records: &[Step<u8, ()>]) -> Result<(), Self::Error> {
        if self.full {
            return Err("the disk is full");
        }
        self.written.extend_from_slice(records);
        Ok(())
    }
}

fn quorum(n: usize, f: u8) -> Quorum {
    Quorum::new(n, f).unwrap()
}

/// Reports of fast votes, in the order of the witnesses.
fn fast_votes(votes: &[Option<u8>]) -> Reports {
    let report = |v0: &Option<u8>| Report { v0: *v0, lock: None };
    (0..).zip(votes.iter().map(report)).collect()
}

fn locked(ballot: u32, entry: u8) -> Report<u8, ()> {
    Report { v0: None, lock: Some(Lock { ballot, entry, proof: () }) }
}

#[test]
fn an_entry_that_may_have_been_certified_binds_the_recovery() {
    let (a, b) = (Some(1), Some(2));
    for (votes, expected) in [
        (&[None, None, None][..], Pick::Free),
        (&[a, None, None], Pick::Bound(1)),
        (&[a, a, a], Pick::Bound(1)),
        (&[a, b, None], Pick::Undecided),
        (&[a, b, None, None], Pick::Free),
        (&[a, a, b, None], Pick::Bound(1)),
        (&[a, a, b, b], Pick::Frozen),
    ] {
        assert_eq!(pick(quorum(4, 1), &fast_votes(votes)), expected, "{votes:?}");
    }
}

#[test]
fn the_highest_lock_binds_whatever_was_voted_fast() {
    let mut reports = fast_votes(&[Some(1), Some(1), None]);
    reports.insert(2, locked(1, 2));
    assert_eq!(pick(quorum(4, 1), &reports), Pick::Bound(2));
    reports.insert(3, locked(3, 1));
    assert_eq!(pick(quorum(4, 1), &reports), Pick::Bound(1));
    reports.insert(0, locked(3, 2));
    assert_eq!(pick(quorum(4, 1), &reports), Pick::Broken);
}

#[test]
fn a_recovery_freezes_only_where_there_are_few_witnesses_for_the_faulty_ones() {
    for n in 1..=13_u8 {
        for f in 0..=4_u8 {
            let Ok(quorum) = Quorum::new(n.into(), f) else { continue };
            let all = usize::from(n);
            for size in quorum.q()..=all {
                for (a, b) in (0..=size).flat_map(|a| (0..=size - a).map(move |b| (a, b))) {
                    let votes: Vec<_> =
                        (0..size).map(|at| if at < a { Some(1) } else { (at < a + b).then_some(2) }).collect();
                    let told = pick(quorum, &fast_votes(&votes));
                    assert!(told != Pick::Frozen || (size == all && n <= 4 * f), "n = {n}, f = {f}");
                    assert!(told != Pick::Undecided || n <= 5 * f, "n = {n}, f = {f}");
                }
            }
        }
    }
}

#[test]
fn an_answer_does_not_come_out_of_a_log_that_fails() {
    let mut slot = Slot::<u8, ()>::default();
    let mut full = Paper { full: true, ..Paper::default() };
    assert_eq!(slot.propose(1).unwrap().release(&mut full), Err("the disk is full"));
    // What was not written binds all the same until the restart: it may have been written.
    assert_eq!(slot.propose(2).unwrap_err(), SlotRefusal::Conflict { first: 1 });
    assert_eq!(Slot::replay(&full.written), Slot::<u8, ()>::default());
}

#[test]
fn a_repeated_answer_waits_for_its_record_as_well() {
    let mut slot = Slot::<u8, ()>::default();
    let (first, again) = (slot.propose(1).unwrap(), slot.propose(1).unwrap());
    assert_eq!(first.record(), again.record());
    let mut paper = Paper::default();
    let said = Held::release_all(vec![first, again], &mut paper).unwrap();
    assert_eq!(said[0], said[1]);
    assert_eq!(paper.written.len(), 2);
}

#[test]
fn e01_a_witness_votes_fast_for_one_entry_of_a_place() {
    let mut slot = Slot::<u8, ()>::default();
    let vote = slot.propose(1).unwrap().release(&mut Paper::default()).unwrap();
    assert_eq!(vote, Ballot { ballot: 0, phase: Phase::Fast, entry: 1 });
    assert_eq!(slot.propose(2).unwrap_err(), SlotRefusal::Conflict { first: 1 });
}

#[test]
fn a_refused_step_leaves_no_trace() {
    let mut slot = Slot::<u8, ()>::default();
    slot.propose(1).unwrap().release(&mut Paper::default()).unwrap();
    slot.recover(2).unwrap().release(&mut Paper::default()).unwrap();
    let before = slot.clone();
    let few = fast_votes(&[Some(1)]);
    let other = fast_votes(&[Some(2), Some(2), Some(2)]);
    assert!(slot.propose(2).is_err() && slot.propose(1).is_err());
    assert!(slot.recover(0).is_err() && slot.recover(1).is_err());
    assert!(slot.prepare(quorum(4, 1), 2, 1, &few).is_err());
    assert!(slot.prepare(quorum(4, 1), 2, 1, &other).is_err());
    assert!(slot.prepare(quorum(4, 1), 3, 2, &other).is_err());
    assert!(slot.lock(Lock { ballot: 1, entry: 1, proof: () }).is_err());
    assert_eq!(slot, before);
}

#[derive(Debug, Clone)]
enum Request {
    Propose(u8),
    Recover(u32),
    Prepare(u32, u8, Vec<Option<u8>>),
    Lock(u32, u8),
}

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let vote = prop::option::of(1..3_u8);
    prop::collection::vec(
        prop_oneof![
            (1..3_u8).prop_map(Request::Propose),
            (0..4_u32).prop_map(Request::Recover),
            (0..4_u32, 1..3_u8, prop::collection::vec(vote, 2..5)).prop_map(|(b, e, v)| Request::Prepare(b, e, v)),
            (0..4_u32, 1..3_u8).prop_map(|(ballot, entry)| Request::Lock(ballot, entry)),
        ],
        0..24,
    )
}

proptest! {
    #[test]
    fn e10_a_witness_that_restarts_from_its_log_has_forgotten_nothing_it_said(requests in requests()) {
        let (mut slot, mut paper) = (Slot::<u8, ()>::default(), Paper::default());
        let mut said: Vec<Ballot<u8>> = Vec::new();
        for request in requests {
            let vote = match request {
                Request::Propose(entry) => slot.propose(entry),
                Request::Recover(ballot) => {
                    if let Ok(held) = slot.recover(ballot) {
                        held.release(&mut paper).unwrap();
                    }
                    continue;
                }
                Request::Prepare(ballot, entry, votes) => {
                    slot.prepare(quorum(4, 1), ballot, entry, &fast_votes(&votes))
                }
                Request::Lock(ballot, entry) => slot.lock(Lock { ballot, entry, proof: () }),
            };
            said.extend(vote.map(|held| held.release(&mut paper).unwrap()));
            prop_assert_eq!(&Slot::replay(&paper.written), &slot);
        }
        // And it never contradicts itself.
        for one in &said {
            let agrees = said.iter().all(|other| {
                (one.ballot, one.phase) != (other.ballot, other.phase) || one.entry == other.entry
            });
            prop_assert!(agrees, "{one:?}");
        }
    }
}
