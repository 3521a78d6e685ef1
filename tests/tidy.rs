//! Reads every manifest and source of the house and holds what Cargo and Clippy cannot: the arrows between the floors,
//! what the pure floors may not name, what tests may not do, and that every attack has its test or its line in
//! docs/threat-model.md.
//!
//! Each rule is a function from text to faults. It is tried twice: on the whole tree, where it must find nothing, and on
//! a small bad example, where it must find something.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic: that is how it fails")]

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/attacks.rs"]
mod attacks;
#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/pages.rs"]
mod pages;
#[path = "tidy/sources.rs"]
mod sources;
#[path = "tidy/tree.rs"]
mod tree;

/// What a rule found: empty, or one line for each fault.
type Faults = Vec<String>;

/// Fails with every fault on a line of its own.
#[track_caller]
fn none(faults: Faults) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

/// Fails if the rule let the bad example pass.
#[track_caller]
fn some(faults: Faults) {
    assert!(!faults.is_empty(), "the rule does not see its own bad example");
}
