//! What the store promises, on every back-end it has.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "helpers of tests fail the test, and tell what they did"
)]

mod damage;
mod export;
mod laws;
mod process;
mod profile;
mod rows;
