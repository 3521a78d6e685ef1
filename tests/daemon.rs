//! Real processes: the binary as a person runs it, killed when it least expects it.

#[path = "daemon/bad_input.rs"]
mod bad_input;
#[path = "daemon/contract.rs"]
mod contract;
#[path = "daemon/home.rs"]
mod home;
#[path = "daemon/killed.rs"]
mod killed;
#[path = "support/skip.rs"]
mod skip;
