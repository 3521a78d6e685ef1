//! Real nodes on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says when it is skipped"
)]

mod asking;
mod delivery;
mod dialling;
mod finding;
mod gossip;
mod gossip_interop;
mod hostile;
mod limits;
mod mailbox;
mod raw;
mod relay;
#[path = "../../../../tests/support/skip.rs"]
mod skip;
mod support;
mod swarms;
mod sybils;
mod witness;
