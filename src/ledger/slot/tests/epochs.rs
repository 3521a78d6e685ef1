//! A place that is taken over by other witnesses, under the model checker: epochs of four witnesses each, of which one is
//! faulty, with everything that [`super::model`] lets the writer, the recoverer and the faulty ones do in each.
//!
//! Whether a witness of one epoch is one of the next as well makes no difference to what it does: it has a slot for each.
//! So the four of the next epoch may be the same four, or others, or some of each. A certificate that nobody has seen yet is
//! one that the votes which were given would make. Closing reports stay true once they were given, so a witness crosses the
//! chain where it votes, with any that there are.

#![allow(clippy::print_stdout, reason = "how many states there are is worth a line")]

use std::collections::{BTreeMap, BTreeSet};

use stateright::{Checker, Model, Property};

use super::model::{Action, Mutant, Reports, State, World};
use crate::slot::CLOSING;
use crate::slot::crossing::{Closing, Crossed, cross};

const A: u8 = 1;
const B: u8 = 2;

/// Epochs one after the other.
#[derive(Debug, Clone)]
struct Change {
    epochs: Vec<World>,
    mutant: Mutant,
    sights: bool,
}

/// What each came to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Epochs(Vec<State>);

impl Epochs {
    fn representative(mut self) -> Self {
        let mut mirrored = Self(self.0.iter().map(State::mirrored).collect());
        for state in self.0.iter_mut().chain(&mut mirrored.0) {
            state.0.sort();
        }
        self.min(mirrored)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    In(usize, Action),
    Close(usize, u8),
}

impl Change {
    fn new(ballots: &[u32], mutant: Mutant) -> Self {
        let epochs = ballots.iter().map(|ballots| World::new(4, 1, *ballots, &[A, B], mutant)).collect();
        Self { epochs, mutant, sights: false }
    }

    /// What a witness of a later epoch can cross this one with.
    fn crossings(&self, epochs: &Epochs, epoch: usize) -> Vec<Crossed<u8>> {
        let mut world = self.epochs[epoch].clone();
        if self.mutant == Mutant::TooFewClosings {
            world.quorum = world.quorum.one_too_small();
        }
        let crossed = |reports: Reports| {
            let closings: BTreeMap<u8, Closing<u8, ()>> =
                reports.into_iter().map(|(by, report)| (by, Closing { next: 0, report })).collect();
            cross(world.quorum, 0, &closings).ok()
        };
        world.telling(&epochs.0[epoch], CLOSING).into_iter().filter_map(crossed).collect()
    }

    /// Whether a witness of this epoch can have crossed the chain so that it may vote for this entry.
    fn may_vote(&self, epochs: &Epochs, epoch: usize, entry: u8) -> bool {
        let first = if self.mutant == Mutant::CrossesTheLastOnly { epoch.saturating_sub(1) } else { 0 };
        let admits = |before| self.crossings(epochs, before).iter().any(|crossed| crossed.admits(0, &entry));
        self.mutant == Mutant::IgnoresClosings || (first..epoch).all(admits)
    }

    fn certified(&self, epochs: &Epochs) -> Vec<BTreeSet<u8>> {
        let each = self.epochs.iter().zip(&epochs.0);
        each.map(|(world, state)| world.certified(state).into_keys().collect()).collect()
    }
}

impl Model for Change {
    type State = Epochs;
    type Action = Event;

    fn init_states(&self) -> Vec<Epochs> {
        vec![Epochs(self.epochs.iter().map(|world| world.init_states().remove(0)).collect())]
    }

    fn actions(&self, epochs: &Epochs, events: &mut Vec<Event>) {
        for (epoch, (world, state)) in self.epochs.iter().zip(&epochs.0).enumerate() {
            let mut actions = Vec::new();
            world.actions(state, &mut actions);
            let may: BTreeMap<u8, bool> =
                [A, B].into_iter().map(|entry| (entry, self.may_vote(epochs, epoch, entry))).collect();
            actions.retain(|action| match action {
                Action::Propose(_, entry) | Action::Prepare(_, _, entry, _) => may[entry],
                _ => true,
            });
            events.extend(actions.into_iter().map(|action| Event::In(epoch, action)));
            if epoch < self.epochs.len() - 1 {
                events.extend((0..world.correct()).map(|witness| Event::Close(epoch, witness)));
            }
        }
    }

    fn next_state(&self, epochs: &Epochs, event: Event) -> Option<Epochs> {
        let mut next = epochs.clone();
        match event {
            Event::In(epoch, action) => next.0[epoch] = self.epochs[epoch].step(&epochs.0[epoch], &action)?,
            Event::Close(epoch, witness) => {
                let correct = &mut next.0[epoch].0[usize::from(witness)];
                let report = correct.slot.close();
                correct.reports.insert((CLOSING, report));
            }
        }
        (next != *epochs).then(|| next.representative())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![Property::<Self>::always("at most one entry is certified", |change, epochs| {
            change.certified(epochs).into_iter().flatten().collect::<BTreeSet<u8>>().len() <= 1
        })];
        if self.sights {
            properties.extend([
                Property::<Self>::sometimes("certified in the first epoch only", |change, epochs| {
                    change.certified(epochs).iter().rposition(|certified| !certified.is_empty()) == Some(0)
                }),
                Property::<Self>::sometimes("certified in the last epoch only", |change, epochs| {
                    let certified = change.certified(epochs);
                    certified.iter().position(|certified| !certified.is_empty()) == Some(certified.len() - 1)
                }),
                Property::<Self>::sometimes("certified in all", |change, epochs| {
                    change.certified(epochs).iter().all(|certified| !certified.is_empty())
                }),
            ]);
        }
        properties
    }
}

/// Searches all states; returns how many there are.
fn agreement_holds(ballots: &[u32]) -> usize {
    let change = Change { sights: true, ..Change::new(ballots, Mutant::None) };
    let checker = change.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    println!("epochs of {ballots:?} ballots: {} states", checker.unique_state_count());
    checker.unique_state_count()
}

/// Searches until the mutant is caught.
fn caught(mutant: Mutant, ballots: &[u32]) {
    let checker = Change::new(ballots, mutant).checker().threads(2).spawn_bfs().join();
    let found = checker.discovery("at most one entry is certified").is_some();
    assert!(found, "{mutant:?} is not caught in {} states", checker.unique_state_count());
}

/// `KINFOLK_EPOCH_MODEL=1,1` asks for other epochs than the ordinary ones: the ballots of each.
#[test]
fn e09_over_a_change_of_witnesses_no_two_entries_of_a_place_are_certified() {
    if let Ok(asked) = std::env::var("KINFOLK_EPOCH_MODEL") {
        let ballots: Vec<u32> = asked.split(',').map(|number| number.parse().unwrap()).collect();
        agreement_holds(&ballots);
        return;
    }
    assert!(agreement_holds(&[1, 0]) > 5_000);
    assert!(agreement_holds(&[0, 1]) > 5_000);
}

#[test]
fn e09_a_place_at_rest_over_two_changes_of_witnesses_has_one_certified_entry() {
    assert!(agreement_holds(&[0, 0, 0]) > 1_000);
}

#[test]
fn e09_a_witness_that_votes_in_an_epoch_that_it_closed_lets_a_double_spend_through() {
    caught(Mutant::VoteAfterClosing, &[0, 0]);
}

#[test]
fn e09_a_witness_that_ignores_closing_reports_lets_a_double_spend_through() {
    caught(Mutant::IgnoresClosings, &[0, 0]);
}

#[test]
fn e09_a_closing_report_that_forgets_its_fast_vote_lets_a_double_spend_through() {
    caught(Mutant::ClosingForgetsFastVote, &[0, 0]);
}

#[test]
fn e09_a_closing_report_that_forgets_its_lock_lets_a_double_spend_through() {
    caught(Mutant::ClosingForgetsLock, &[1, 0]);
}

#[test]
fn e09_one_closing_report_too_few_lets_a_double_spend_through() {
    caught(Mutant::TooFewClosings, &[0, 0]);
}

#[test]
fn e09_a_chain_that_is_crossed_from_the_last_epoch_only_lets_a_double_spend_through() {
    caught(Mutant::CrossesTheLastOnly, &[0, 0, 0]);
}
