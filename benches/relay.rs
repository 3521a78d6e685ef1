//! A frame to another node and its acknowledgement back, over a relay, beside the same two steps straight.
//!
//! `cargo bench -p kinfolk-net --bench relay`. All nodes run in this process, over loopback; what is compared runs in
//! turns. Time is the clock's: on a busy machine compare ratios, not figures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench prints, and stops where something fails"
)]

#[path = "support/figures.rs"]
mod figures;
#[path = "support/streams.rs"]
mod streams;

use figures::{ROUNDS, ratios, show, show_at_most};
use streams::{BODY, Ours};

const ROUND_TRIPS: usize = 2_000;
/// Of frames of the size of a whole message, so many are within what a circuit carries.
const PIPELINED: usize = 5_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("{BODY}-byte frames, three nodes on loopback, median of {ROUNDS} rounds (least .. most)\n");
    for (name, listen) in [("QUIC", "/ip4/127.0.0.1/udp/0/quic-v1"), ("TCP+Noise+Yamux", "/ip4/127.0.0.1/tcp/0")] {
        runtime.block_on(over(name, listen));
    }
}

async fn over(name: &str, listen: &str) {
    let mut straight = Ours::connect(listen, BODY).await;
    let mut relayed = Ours::connect_over_relay(listen, BODY).await;
    straight.round_trips(ROUND_TRIPS / 10).await;
    relayed.round_trips(ROUND_TRIPS / 10).await;
    let [mut straight_trip, mut relayed_trip, mut straight_rate, mut relayed_rate] = <[Vec<f64>; 4]>::default();
    for _ in 0..ROUNDS {
        straight_trip.push(straight.round_trips(ROUND_TRIPS).await);
        relayed_trip.push(relayed.round_trips(ROUND_TRIPS).await);
        straight_rate.push(straight.pipelined(PIPELINED).await);
        relayed_rate.push(relayed.pipelined(PIPELINED).await);
    }
    show(&format!("{name}: straight, frame and acknowledgement, p50"), "us", &straight_trip);
    show(&format!("{name}: over a relay, p50"), "us", &relayed_trip);
    show_at_most("  ratio", "x", &ratios(&relayed_trip, &straight_trip), 2.2);
    show(&format!("{name}: straight, pipelined, each acknowledged"), "frames/s", &straight_rate);
    show(&format!("{name}: over a relay, pipelined"), "frames/s", &relayed_rate);
    show("  ratio", "x", &ratios(&relayed_rate, &straight_rate));
    println!();
}
