//! Every planted fault is caught, in a world that is right without it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it found")]

use kinfolk_sim::mutant::Mutant;
use kinfolk_sim::world::{Plan, World};
use kinfolk_wire::time::Span;

/// Worlds that are tried until one of them catches a fault.
const WORLDS: u64 = 200;

fn plan(seed: u64, mutant: Option<Mutant>) -> Plan {
    let people = 2 + usize::try_from(seed % 3).unwrap();
    Plan {
        people,
        messages: 5,
        storm: true,
        trouble: !seed.is_multiple_of(3) && seed.is_multiple_of(2),
        parted: Span::ZERO,
        mutant,
        mailboxes: 0,
        diary: false,
    }
}

#[test]
fn every_planted_fault_is_caught() {
    let mut missed = Vec::new();
    for mutant in Mutant::ALL {
        let caught = (0..WORLDS).find_map(|seed| {
            let outcome = World::run(seed, plan(seed, Some(mutant))).outcome;
            outcome.err().map(|contradiction| (seed, contradiction))
        });
        match caught {
            Some((seed, contradiction)) => {
                println!("{mutant:?}: seed {seed}: {:.140}", contradiction.0);
                assert_eq!(
                    World::run(seed, plan(seed, None)).outcome,
                    Ok(()),
                    "seed {seed} is wrong without {mutant:?}"
                );
            }
            None => missed.push(mutant),
        }
    }
    assert!(missed.is_empty(), "not caught in {WORLDS} worlds: {missed:?}");
}
