//! A slot of an escrow chain under the model checker: several proposers, no fast votes, and ballot 1 without reports.
//!
//! Who is faulty is as in `model.rs`. Which ballot belongs to whom is not modelled: anybody may propose anything in any
//! ballot, which is more than the witnesses let through.

use stateright::{Checker, Model};

use super::model::{Mutant, World};

fn world(ballots: u32, mutant: Mutant) -> World {
    World { escrow: true, ..World::new(4, 1, ballots, &[1, 2], mutant) }
}

#[test]
fn e09_of_an_escrow_chain_no_two_entries_of_a_slot_are_certified() {
    let checker = World { sights: true, ..world(2, Mutant::None) }.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    let states = checker.unique_state_count();
    assert!(states > 1_000, "only {states} states");
}

#[test]
fn e09_witnesses_of_an_escrow_chain_that_forget_or_are_too_few_are_caught() {
    for mutant in [Mutant::ForgetsItsVotes, Mutant::QuorumOneTooSmall] {
        let checker = world(1, mutant).checker().threads(2).spawn_bfs().join();
        let found = checker.discovery("at most one entry is certified");
        assert!(found.is_some(), "{mutant:?} is not caught in {} states", checker.unique_state_count());
    }
}
