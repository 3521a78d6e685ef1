//! The slot protocol under a model checker (stateright), with the code of this room inside and not a copy of it.
//!
//! `n` witnesses, `f` of them faulty. Whoever is faulty is not modelled by what they do but by what they can make:
//!
//! - the writer signed two entries, `A` and `B`, and proposes either to any witness at any time;
//! - the recoverer asks any witness for any ballot at any time, shows any set of reports that were ever made, and asks
//!   for a third entry, `C`, where the choice is free;
//! - a faulty witness votes for everything, and reports whatever a report can say: any entry that the writer signed, and
//!   any lock for which there are prepare votes.
//!
//! Messages are never lost for good, come in any order, and come any number of times: whatever was said can be shown to
//! anybody later. A state that can be reached in the world can be reached here, up to the number of ballots.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "numbers of a test are small, and how many states there are is worth a line"
)]

use std::collections::{BTreeMap, BTreeSet};

use stateright::{Checker, Model, Property};

use crate::quorum::Quorum;
use crate::slot::held::VoteLog;
use crate::slot::pick::pick;
use crate::slot::{Ballot, CLOSING, HeldVote, Lock, Report, Slot, SlotRefusal, Step};
use crate::vote::Phase;

const A: u8 = 1;
const B: u8 = 2;
const C: u8 = 3;

/// What is wrong with the correct witnesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Nothing.
    None,
    /// A restart loses what was written.
    ForgetsItsVotes,
    /// `q = n - f - 1`.
    QuorumOneTooSmall,
    /// Reports are shown without their locks.
    PickIgnoresLocks,
    /// Reports are shown without their fast votes.
    PickIgnoresFastVotes,
    /// A promise does not end ballot 0.
    FastVoteAfterPromise,
    /// The first fast vote does not exclude a second.
    FastVoteForTwo,
    /// A promise does not end the locks of lower ballots.
    LockBelowPromise,
    /// A witness votes in an epoch that it closed.
    VoteAfterClosing,
    /// Closing reports are shown without their fast votes.
    ClosingForgetsFastVote,
    /// Closing reports are shown without their locks.
    ClosingForgetsLock,
    /// A witness of the next epoch votes for what the closing reports do not admit.
    IgnoresClosings,
    /// A witness of the next epoch crosses a chain with one closing report too few.
    TooFewClosings,
    /// A witness of the third epoch crosses from the second only.
    CrossesTheLastOnly,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) quorum: Quorum,
    pub(super) ballots: u32,
    /// What a recoverer asks for where the choice is free.
    pub(super) entries: &'static [u8],
    pub(super) mutant: Mutant,
    /// Whether the model also shows what can happen, which takes longer than to find what must not.
    pub(super) sights: bool,
    /// Whether it is of an escrow chain: no ballot 0, and no report before ballot 1.
    pub(super) escrow: bool,
}

/// A correct witness, and all that it ever said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Correct {
    pub(super) slot: Slot<u8, ()>,
    votes: BTreeSet<Ballot<u8>>,
    /// Each with the ballot that it is for.
    pub(super) reports: BTreeSet<(u32, Report<u8, ()>)>,
}

/// The correct witnesses; the faulty ones have the places after them and no memory. Nothing tells one correct witness
/// from another, nor `A` from `B`: of states that differ by such names alone, one is looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct State(pub(super) Vec<Correct>);

impl State {
    fn representative(mut self) -> Self {
        let mut mirrored = self.mirrored();
        self.0.sort();
        mirrored.0.sort();
        self.min(mirrored)
    }

    /// With `A` and `B` in each other's place.
    pub(super) fn mirrored(&self) -> Self {
        let entry = |entry: u8| match entry {
            A => B,
            B => A,
            other => other,
        };
        let lock = |lock: &Lock<u8, ()>| Lock { entry: entry(lock.entry), ..lock.clone() };
        let correct = |Correct { slot, votes, reports }: &Correct| Correct {
            slot: Slot {
                promised: slot.promised,
                v0: slot.v0.map(entry),
                prepared: slot.prepared.map(|(ballot, prepared)| (ballot, entry(prepared))),
                lock: slot.lock.as_ref().map(lock),
            },
            votes: votes.iter().map(|vote| Ballot { entry: entry(vote.entry), ..*vote }).collect(),
            reports: reports
                .iter()
                .map(|(ballot, report)| {
                    (*ballot, Report { v0: report.v0.map(entry), lock: report.lock.as_ref().map(lock) })
                })
                .collect(),
        };
        Self(self.0.iter().map(correct).collect())
    }
}

/// Reports of one ballot, each under its witness's place.
pub(super) type Reports = BTreeMap<u8, Report<u8, ()>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Propose(u8, u8),
    First(u8, u8),
    Recover(u8, u32),
    Prepare(u8, u32, u8, Reports),
    Lock(u8, u32, u8),
    Restart(u8),
}

/// A log that never fails: what is lost is lost in [`Action::Restart`].
struct Paper;

impl VoteLog<Step<u8, ()>> for Paper {
    type Error = std::convert::Infallible;

    fn append(&mut self, _: &[Step<u8, ()>]) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl World {
    pub(super) fn new(n: usize, f: u8, ballots: u32, entries: &'static [u8], mutant: Mutant) -> Self {
        let quorum = Quorum::new(n, f).unwrap();
        let quorum = if mutant == Mutant::QuorumOneTooSmall { quorum.one_too_small() } else { quorum };
        Self { quorum, ballots, entries, mutant, sights: false, escrow: false }
    }

    pub(super) fn correct(&self) -> u8 {
        u8::try_from(self.quorum.n() - self.quorum.f()).unwrap()
    }

    /// Whether so many votes can be shown: those of correct witnesses, and the faulty ones' as wanted.
    fn has_quorum(&self, state: &State, vote: Ballot<u8>) -> bool {
        let given = state.0.iter().filter(|witness| witness.votes.contains(&vote)).count();
        given + self.quorum.f() >= self.quorum.q()
    }

    /// What a correct witness can have certified, as far as everything that was said goes.
    pub(super) fn certified(&self, state: &State) -> BTreeMap<u8, BTreeSet<u32>> {
        let mut certified: BTreeMap<u8, BTreeSet<u32>> = BTreeMap::new();
        for vote in state.0.iter().flat_map(|witness| &witness.votes) {
            if vote.phase != Phase::Prepare && self.has_quorum(state, *vote) {
                certified.entry(vote.entry).or_default().insert(vote.ballot);
            }
        }
        certified
    }

    /// Everything that a faulty witness can report under any ballot, and nothing at all.
    fn lies(&self, state: &State) -> Vec<Option<Report<u8, ()>>> {
        let mut locks = vec![None];
        for ballot in 1..=self.ballots {
            for entry in self.entries.iter().copied() {
                if self.has_quorum(state, Ballot { ballot, phase: Phase::Prepare, entry }) {
                    locks.push(Some(Lock { ballot, entry, proof: () }));
                }
            }
        }
        let reports = locks.iter().flat_map(|lock| {
            let fast: &[Option<u8>] = if self.escrow { &[None] } else { &[None, Some(A), Some(B)] };
            fast.iter().map(move |v0| Some(Report { v0: *v0, lock: lock.clone() }))
        });
        reports.chain([None]).collect()
    }

    /// Every set of reports of a ballot that somebody can show.
    fn shown(&self, state: &State, ballot: u32) -> BTreeSet<Reports> {
        let mut sets = BTreeSet::from([BTreeMap::new()]);
        for witness in 0..self.correct() {
            let given = state.0[usize::from(witness)].reports.iter().filter(|(of, _)| *of == ballot);
            for (_, report) in given {
                let with: Vec<_> = sets
                    .iter()
                    .filter(|set| !set.contains_key(&witness))
                    .map(|set| {
                        let mut set = set.clone();
                        set.insert(witness, report.clone());
                        set
                    })
                    .collect();
                sets.extend(with);
            }
        }
        // Faulty witnesses have no memory, so it does not matter which of them says what.
        let lies = self.lies(state);
        let enough = self.quorum.q().saturating_sub(self.quorum.f());
        sets.retain(|set| set.len() >= enough);
        for witness in self.correct()..u8::try_from(self.quorum.n()).unwrap() {
            sets = sets
                .iter()
                .flat_map(|set| {
                    lies.iter().filter(|lie| self.in_order(set, witness, lie.as_ref())).map(|lie| {
                        let mut set = set.clone();
                        set.extend(lie.clone().map(|lie| (witness, lie)));
                        set
                    })
                })
                .collect();
        }
        for set in std::mem::take(&mut sets) {
            sets.insert(self.spoilt(set, ballot));
        }
        sets
    }

    /// Of sets that differ by which faulty witness says what, one.
    fn in_order(&self, set: &Reports, witness: u8, lie: Option<&Report<u8, ()>>) -> bool {
        witness == self.correct() || set.get(&(witness - 1)) <= lie
    }

    fn spoilt(&self, set: Reports, ballot: u32) -> Reports {
        let spoil = |Report { v0, lock }| match self.mutant {
            Mutant::ClosingForgetsFastVote if ballot == CLOSING => Report { v0: None, lock },
            Mutant::ClosingForgetsLock if ballot == CLOSING => Report { v0, lock: None },
            Mutant::PickIgnoresLocks => Report { v0, lock: None },
            Mutant::PickIgnoresFastVotes => Report { v0: None, lock },
            _ => Report { v0, lock },
        };
        set.into_iter().map(|(witness, report)| (witness, spoil(report))).collect()
    }

    /// A witness as the mutant makes it forget, for this one step.
    fn forgetful(&self, slot: &Slot<u8, ()>, action: &Action) -> Slot<u8, ()> {
        let mut slot = slot.clone();
        match (self.mutant, action) {
            (Mutant::FastVoteAfterPromise, Action::Propose(..)) => slot.promised = 0,
            (Mutant::VoteAfterClosing, _) if slot.promised == CLOSING => slot.promised = 0,
            (Mutant::FastVoteForTwo, Action::Propose(..)) => slot.v0 = None,
            (Mutant::LockBelowPromise, Action::Lock(..)) => slot.promised = 0,
            _ => {}
        }
        slot
    }

    fn vote(
        &self,
        state: &State,
        witness: u8,
        action: &Action,
        ask: impl FnOnce(&mut Slot<u8, ()>) -> Result<HeldVote<u8, ()>, SlotRefusal<u8>>,
    ) -> Option<State> {
        let mut next = state.clone();
        let before = &state.0[usize::from(witness)].slot;
        let mut slot = self.forgetful(before, action);
        let vote = ask(&mut slot).ok()?.release(&mut Paper).unwrap();
        slot.promised = slot.promised.max(before.promised);
        let correct = &mut next.0[usize::from(witness)];
        correct.slot = slot;
        correct.votes.insert(vote);
        (next != *state).then_some(next)
    }

    /// Of the sets of reports that can be shown, one for each thing that they admit.
    pub(super) fn telling(&self, state: &State, ballot: u32) -> Vec<Reports> {
        let mut by_pick = Vec::new();
        for reports in self.shown(state, ballot) {
            let honest = reports.values().filter_map(|report| report.lock.as_ref()).all(|lock| lock.ballot <= ballot);
            let told = (reports.len() >= self.quorum.q() && honest).then(|| pick(self.quorum, &reports));
            if let Some(told) = told.filter(|told| by_pick.iter().all(|(known, _)| known != told)) {
                by_pick.push((told, reports));
            }
        }
        by_pick.into_iter().map(|(_, reports)| reports).collect()
    }

    pub(super) fn step(&self, state: &State, action: &Action) -> Option<State> {
        match *action {
            Action::Propose(witness, entry) => self.vote(state, witness, action, |slot| slot.propose(entry)),
            Action::First(witness, entry) => self.vote(state, witness, action, |slot| slot.prepare_first(entry)),
            Action::Recover(witness, ballot) => {
                let mut next = state.clone();
                let correct = &mut next.0[usize::from(witness)];
                let report = correct.slot.recover(ballot).ok()?.release(&mut Paper).unwrap();
                correct.reports.insert((ballot, report));
                (next != *state).then_some(next)
            }
            Action::Prepare(witness, ballot, entry, ref reports) => {
                self.vote(state, witness, action, |slot| slot.prepare(self.quorum, ballot, entry, reports))
            }
            Action::Lock(witness, ballot, entry) => {
                let prepared = Ballot { ballot, phase: Phase::Prepare, entry };
                if !self.has_quorum(state, prepared) {
                    return None;
                }
                self.vote(state, witness, action, |slot| slot.lock(Lock { ballot, entry, proof: () }))
            }
            Action::Restart(witness) => {
                let mut next = state.clone();
                next.0[usize::from(witness)].slot = Slot::default();
                (self.mutant == Mutant::ForgetsItsVotes && next != *state).then_some(next)
            }
        }
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State(vec![Correct::default(); usize::from(self.correct())])]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let mut seen = BTreeSet::new();
        let different = (0..self.correct()).filter(|witness| seen.insert(&state.0[usize::from(*witness)]));
        let different: Vec<u8> = different.collect();
        for witness in different.iter().copied() {
            let begin =
                |entry| if self.escrow { Action::First(witness, entry) } else { Action::Propose(witness, entry) };
            actions.extend([A, B].map(begin));
            actions.push(Action::Restart(witness));
            for ballot in 1..=self.ballots {
                actions.push(Action::Recover(witness, ballot));
                actions.extend(self.entries.iter().map(|entry| Action::Lock(witness, ballot, *entry)));
            }
        }
        for ballot in 1..=self.ballots {
            let at = |witness: &u8| state.0[usize::from(*witness)].slot.promised == ballot;
            let promised: Vec<u8> = different.iter().copied().filter(at).collect();
            if promised.is_empty() {
                continue;
            }
            for reports in self.telling(state, ballot) {
                for entry in self.entries.iter().copied() {
                    actions.extend(promised.iter().map(|by| Action::Prepare(*by, ballot, entry, reports.clone())));
                }
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.step(state, &action).map(State::representative)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![Property::<Self>::always("at most one entry is certified", |world, state| {
            world.certified(state).len() <= 1
        })];
        if self.sights && self.escrow {
            properties.extend([
                Property::<Self>::sometimes("certified in the first ballot", |world, state| {
                    world.certified(state).values().any(|ballots| ballots.contains(&1))
                }),
                Property::<Self>::sometimes("certified in the first ballot, and again above", |world, state| {
                    world.certified(state).values().any(|ballots| ballots.contains(&1) && ballots.len() > 1)
                }),
            ]);
        } else if self.sights {
            properties.extend([
                Property::<Self>::sometimes("certified fast", |world, state| {
                    world.certified(state).values().any(|ballots| ballots.contains(&0))
                }),
                Property::<Self>::sometimes("certified fast, and again after a recovery", |world, state| {
                    world.certified(state).values().any(|ballots| ballots.contains(&0) && ballots.len() > 1)
                }),
                Property::<Self>::sometimes("certified in the last ballot only", |world, state| {
                    world.certified(state).values().any(|ballots| ballots.first() == Some(&world.ballots))
                }),
            ]);
        }
        properties
    }
}

/// Searches all states; returns how many there are.
fn agreement_holds(n: usize, f: u8, ballots: u32, entries: &'static [u8]) -> usize {
    let world = World { sights: true, ..World::new(n, f, ballots, entries, Mutant::None) };
    let checker = world.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    checker.unique_state_count()
}

/// Searches until the mutant is caught; returns the length of the counterexample.
fn caught(mutant: Mutant, ballots: u32) -> usize {
    let checker = World::new(4, 1, ballots, &[A, B], mutant).checker().threads(2).spawn_bfs().join();
    let path = checker.discovery("at most one entry is certified");
    path.unwrap_or_else(|| panic!("{mutant:?} is not caught in {} states", checker.unique_state_count()))
        .into_actions()
        .len()
}

/// `KINFOLK_SLOT_MODEL=n,f,ballots` asks for another size than the ordinary one, and three entries.
fn asked() -> Option<(usize, u8, u32)> {
    let text = std::env::var("KINFOLK_SLOT_MODEL").ok()?;
    let numbers: Vec<u32> = text.split(',').map(|number| number.parse().unwrap()).collect();
    let [n, f, ballots] = numbers[..] else { panic!("KINFOLK_SLOT_MODEL is n,f,ballots") };
    Some((n.try_into().unwrap(), f.try_into().unwrap(), ballots))
}

#[test]
fn e09_of_four_witnesses_with_one_faulty_no_two_entries_of_a_slot_are_certified() {
    let states = agreement_holds(4, 1, 2, &[A, B]);
    assert!(states > 50_000, "only {states} states");
    let states = agreement_holds(4, 1, 1, &[A, B, C]);
    assert!(states > 500, "only {states} states");
}

#[test]
fn e09_no_other_number_of_witnesses_certifies_two_entries_of_a_slot() {
    let (n, f, ballots) = asked().unwrap_or((5, 1, 1));
    let states = agreement_holds(n, f, ballots, &[A, B, C]);
    println!("n = {n}, f = {f}, {ballots} ballots, three entries: {states} states");
    assert!(states > 1_000, "only {states} states");
}

#[test]
fn e09_a_witness_that_forgets_its_vote_lets_a_double_spend_through() {
    caught(Mutant::ForgetsItsVotes, 1);
}

#[test]
fn e09_a_quorum_that_is_one_too_small_lets_a_double_spend_through() {
    caught(Mutant::QuorumOneTooSmall, 1);
}

#[test]
fn e09_a_recovery_that_ignores_locks_lets_a_double_spend_through() {
    caught(Mutant::PickIgnoresLocks, 2);
}

#[test]
fn e09_a_recovery_that_ignores_fast_votes_lets_a_double_spend_through() {
    caught(Mutant::PickIgnoresFastVotes, 1);
}

#[test]
fn e09_a_fast_vote_after_a_promise_lets_a_double_spend_through() {
    caught(Mutant::FastVoteAfterPromise, 1);
}

#[test]
fn e09_a_fast_vote_for_two_entries_lets_a_double_spend_through() {
    caught(Mutant::FastVoteForTwo, 1);
}

#[test]
fn e09_a_lock_below_a_promise_lets_a_double_spend_through() {
    caught(Mutant::LockBelowPromise, 2);
}
