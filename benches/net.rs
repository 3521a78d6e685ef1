//! A frame to another node and its acknowledgement back, beside a plain libp2p stream that echoes the same bytes.
//!
//! `cargo bench -p kinfolk-net --bench net`. Both nodes of each pair run in this process, over loopback; what is compared
//! runs in turns. Time is the clock's: on a busy machine compare ratios, not figures.
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

use figures::{ROUNDS, ratios, show};
use streams::{BODY, Ours, Raw};

const ROUND_TRIPS: usize = 3_000;
const PIPELINED: usize = 30_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("{BODY}-byte frames, two nodes on loopback, median of {ROUNDS} rounds (least .. most)\n");
    for (name, listen) in [("QUIC", "/ip4/127.0.0.1/udp/0/quic-v1"), ("TCP+Noise+Yamux", "/ip4/127.0.0.1/tcp/0")] {
        runtime.block_on(over(name, listen));
    }
}

async fn over(name: &str, listen: &str) {
    let mut ours = Ours::connect(listen, BODY).await;
    let mut raw = Raw::connect(listen).await;
    ours.round_trips(ROUND_TRIPS / 10).await;
    raw.round_trips(ROUND_TRIPS / 10).await;
    let [mut our_trip, mut raw_trip, mut our_rate, mut raw_rate, mut raw_one_way] = <[Vec<f64>; 5]>::default();
    for _ in 0..ROUNDS {
        our_trip.push(ours.round_trips(ROUND_TRIPS).await);
        raw_trip.push(raw.round_trips(ROUND_TRIPS).await);
        our_rate.push(ours.pipelined(PIPELINED).await);
        raw_rate.push(raw.pipelined(PIPELINED).await);
        raw_one_way.push(raw.one_way(PIPELINED).await);
    }
    show(&format!("{name}: frame and acknowledgement, p50"), "us", &our_trip);
    show(&format!("{name}: plain stream, echo, p50"), "us", &raw_trip);
    show("  ratio", "x", &ratios(&our_trip, &raw_trip));
    show(&format!("{name}: pipelined, each acknowledged"), "frames/s", &our_rate);
    show(&format!("{name}: plain stream, pipelined, each echoed"), "frames/s", &raw_rate);
    show("  ratio", "x", &ratios(&our_rate, &raw_rate));
    show(&format!("{name}: plain stream, one way, a flush each"), "frames/s", &raw_one_way);
    println!();
}
