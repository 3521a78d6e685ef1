//! The ledger from outside, with real keys and signatures.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test says so by failing"
)]

mod agreement;
mod codec;
mod decoders;
mod epochs;
mod gossip;
mod holdings;
mod money;
mod promise;
mod support;
mod tabs;
mod tabs_vectors;
mod terms;
mod vectors;
mod witness;
mod worlds;
