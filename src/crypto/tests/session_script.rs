//! Scripts of the fuzz target `session`: random ones, and those in `fuzz/corpus/session`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic: that is how it fails"
)]

#[path = "support/script.rs"]
mod script;
mod support;

use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a01_whatever_the_network_does_what_opens_was_sent_and_opens_once(script in vec(any::<u8>(), 0..600)) {
        script::play(&script);
    }
}

#[test]
fn every_committed_script_is_played() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/session");
    let mut played = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        script::play(&std::fs::read(file.unwrap().path()).unwrap());
        played += 1;
    }
    assert!(played >= 3, "{played} scripts in {folder}");
}
