//! Real nodes on a small internet of our own: network namespaces with routers between them, which translate addresses,
//! lose packets, delay them, and fall apart. Needs root, Linux, and the programs `ip` and `nft` (and `miniupnpd` for one
//! kind of router); is skipped elsewhere, and says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it ran"
)]

#[cfg(target_os = "linux")]
#[path = "lab/far.rs"]
mod far;
#[cfg(target_os = "linux")]
#[path = "daemon/home.rs"]
#[allow(dead_code, reason = "who lives in the lab does less than who is tried on the loopback interface")]
mod home;
#[cfg(target_os = "linux")]
#[path = "lab/homes.rs"]
mod homes;
#[cfg(target_os = "linux")]
#[path = "lab/mapped.rs"]
mod mapped;
#[cfg(target_os = "linux")]
#[path = "lab/mapper.rs"]
mod mapper;
#[cfg(target_os = "linux")]
#[path = "lab/pace.rs"]
mod pace;
#[cfg(target_os = "linux")]
#[path = "lab/parted.rs"]
mod parted;
#[cfg(target_os = "linux")]
#[path = "lab/people.rs"]
mod people;
#[cfg(target_os = "linux")]
#[path = "lab/punch.rs"]
mod punch;
#[cfg(target_os = "linux")]
#[path = "lab/routers.rs"]
mod routers;
#[path = "support/skip.rs"]
mod skip;
#[cfg(target_os = "linux")]
#[path = "lab/slow.rs"]
mod slow;
#[cfg(target_os = "linux")]
#[path = "lab/space.rs"]
mod space;
#[cfg(target_os = "linux")]
#[path = "lab/world.rs"]
mod world;

#[cfg(not(target_os = "linux"))]
#[test]
fn the_lab_is_of_linux() {
    skip::skip("the_lab_is_of_linux", "there are no network namespaces here");
}
