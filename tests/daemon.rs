//! Real processes: the binary as a person runs it, killed when it least expects it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it ran"
)]

#[path = "daemon/bad_input.rs"]
mod bad_input;
#[path = "daemon/bundles.rs"]
mod bundles;
#[path = "daemon/contract.rs"]
mod contract;
#[path = "support/copy.rs"]
mod copy;
#[path = "daemon/disk.rs"]
mod disk;
#[path = "daemon/home.rs"]
mod home;
#[path = "daemon/interop.rs"]
mod interop;
#[path = "daemon/killed.rs"]
mod killed;
#[path = "daemon/logs.rs"]
mod logs;
#[path = "daemon/mailbox.rs"]
mod mailbox;
#[path = "daemon/making.rs"]
mod making;
#[path = "daemon/reach.rs"]
mod reach;
#[path = "daemon/rescue.rs"]
mod rescue;
#[path = "daemon/running.rs"]
mod running;
#[path = "support/skip.rs"]
mod skip;
#[path = "support/small_disk.rs"]
mod small_disk;
#[path = "daemon/wallet.rs"]
mod wallet;
