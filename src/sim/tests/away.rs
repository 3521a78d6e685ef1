//! People who are seldom there: everything comes, once, within days.
//!
//! `KINFOLK_SIM_PEOPLE` and `KINFOLK_SIM_HOURS` make a larger town that talks for longer; a thousand people take some
//! minutes in a release build.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it found")]

use kinfolk_sim::away::{Plan, run};
use kinfolk_wire::time::Span;

fn read(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn people_who_are_there_a_third_of_the_time_have_everything_within_three_days() {
    let plan = Plan {
        people: usize::try_from(read("KINFOLK_SIM_PEOPLE", 24)).unwrap(),
        contacts: 4,
        talk: Span::from_hours(read("KINFOLK_SIM_HOURS", 12)),
        there: 30,
        says_every: Span::from_hours(2),
        silent: 10,
    };
    let seed = read("KINFOLK_SIM_SEED", 1);
    let outcome = run(seed, plan);
    let said = outcome.said;
    let at = |share: usize| outcome.delays.get(outcome.delays.len() * share / 100).map(|millis| millis / 1_000);
    println!(
        "seed {seed}: {said} lines, {} to the absent; {} within 24 h ({:.3} %), {} within 72 h ({:.3} %), {} twice; \
         {} known to have come; p50 {:?} s, p90 {:?} s, p99 {:?} s; idle {} kB a day, at most {} kB; {} turns",
        outcome.to_the_absent,
        outcome.within_a_day,
        100.0 * outcome.within_a_day as f64 / said as f64,
        outcome.within_three_days,
        100.0 * outcome.within_three_days as f64 / said as f64,
        outcome.twice,
        outcome.known,
        at(50),
        at(90),
        at(99),
        outcome.idle_bytes_a_day / 1_000,
        outcome.most_bytes_a_day / 1_000,
        outcome.turns,
    );
    assert!(said > 10 && outcome.to_the_absent * 3 > said, "{said} {}", outcome.to_the_absent);
    assert_eq!(outcome.twice, 0);
    assert_eq!(outcome.within_three_days, said);
    assert_eq!(outcome.known, said);
    assert!(outcome.idle_bytes_a_day < 5_000_000, "{}", outcome.idle_bytes_a_day);
}
