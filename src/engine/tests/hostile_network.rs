//! Scripts of the fuzz target `engine_scenario`: random ones, and those in `fuzz/corpus/engine_scenario`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic: that is how it fails")]

#[path = "support/scenario.rs"]
mod scenario;

use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a04_whatever_the_network_does_only_what_was_said_is_shown_and_once(script in vec(any::<u8>(), 0..480)) {
        scenario::play(&script);
    }
}

#[test]
fn on_a_calm_network_everything_that_was_said_arrives() {
    const DELIVER: [u8; 4] = [0, 0, 0, 0];
    const SAY: [[u8; 4]; 2] = [[100, 0, 0, 0], [101, 0, 0, 0]];
    let introduction = DELIVER.repeat(20);
    let talk: Vec<u8> = (0..20).flat_map(|turn| [SAY[turn % 2], DELIVER, DELIVER, DELIVER].concat()).collect();
    assert_eq!(scenario::play(&[introduction, talk].concat()), 20);
}

#[test]
fn every_committed_scenario_is_played() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/engine_scenario");
    let mut played = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        scenario::play(&std::fs::read(file.unwrap().path()).unwrap());
        played += 1;
    }
    assert!(played >= 3, "{played} scenarios in {folder}");
}
