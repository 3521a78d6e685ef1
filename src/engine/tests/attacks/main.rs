//! Attacks and long absences, each at the door of a whole engine: what a network, a stranger or a contact that keeps to
//! no rule can bring about, and what time does. One file for each subject; ids are those of docs/threat-model.md.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

#[path = "../support/town.rs"]
mod town;

mod absences;
mod bundles;
mod clocks;
mod damage;
mod elsewhere;
mod first_messages;
mod hellos;
mod hosts;
mod kinds;
mod knocks;
mod liars;
mod links;
mod mail;
mod meeting;
mod names;
mod oversize;
mod pool;
mod tokens;
mod traces;
