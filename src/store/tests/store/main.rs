//! What the store promises, on every back-end it has.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "helpers of tests fail the test, and tell what they did"
)]

#[path = "../../../../tests/support/copy.rs"]
mod copy;
mod damage;
mod export;
mod faults;
mod laws;
#[path = "../../../ledger/tests/support/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    reason = "a part of what the ledger's tests share"
)]
mod money;
mod process;
mod profile;
mod rescue;
mod rows;
#[path = "../../../../tests/support/skip.rs"]
mod skip;
#[path = "../../../../tests/support/small_disk.rs"]
mod small_disk;
mod votes;
