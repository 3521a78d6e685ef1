//! The wallet at the door of whole engines, with real witnesses: money that is made, goes, comes and comes back.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test may panic: that is how it fails"
)]

#[path = "../../../ledger/tests/support/shelf.rs"]
#[allow(dead_code, reason = "the ledger's own, which uses all of it")]
mod shelf;
#[path = "../support/town.rs"]
mod town;

mod bank;
mod cheats;
mod checkpoints;
mod invoices;
mod merchants;
mod payments;
mod recovery;
mod tabs;
mod unwitnessed;
mod witnesses;
