//! A question to a witness and its reply, on a connection that is there, beside a plain libp2p stream that is held open
//! and echoes as many bytes: the difference is what it costs that each question is one.
//!
//! `cargo bench -p kinfolk-net --bench asking`. Both nodes of each pair run in this process, over loopback; what is
//! compared runs in turns. Rates and times are the clock's: on a busy machine compare ratios. CPU time is that of the
//! whole process, so of both ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench prints, and stops where something fails"
)]

#[path = "support/figures.rs"]
mod figures;
#[path = "support/streams.rs"]
mod streams;

use std::time::Instant;

use figures::{ROUNDS, median_micros, ratios, show};
use kinfolk_net::{Command, Config, Event, Network, RequestId, peer_id, spawn};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use rustix::time::{ClockId, clock_gettime};
use streams::Raw;

/// A transfer with what it claims; a vote.
const QUESTION: usize = 650;
const REPLY: usize = 100;
const ROUND_TRIPS: usize = 2_000;
const PIPELINED: usize = 20_000;
/// Questions of a connection under way at a time.
const AT_ONCE: usize = 8;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("{QUESTION}-byte questions, {REPLY}-byte replies, median of {ROUNDS} rounds (least .. most)\n");
    for (name, listen) in [("QUIC", "/ip4/127.0.0.1/udp/0/quic-v1"), ("TCP+Noise+Yamux", "/ip4/127.0.0.1/tcp/0")] {
        runtime.block_on(over(name, listen));
    }
}

async fn over(name: &str, listen: &str) {
    let mut asking = Asking::connect(listen).await;
    let mut raw = Raw::connect(listen).await;
    asking.round_trips(ROUND_TRIPS / 10).await;
    raw.round_trips(ROUND_TRIPS / 10).await;
    let [mut trip, mut raw_trip, mut raw_rate, mut one, mut twenty, mut cpu] = <[Vec<f64>; 6]>::default();
    let mut alone = Vec::new();
    for _ in 0..ROUNDS {
        let began = cpu_micros();
        trip.push(asking.round_trips(ROUND_TRIPS).await);
        alone.push((cpu_micros() - began) / ROUND_TRIPS as f64);
        raw_trip.push(raw.round_trips(ROUND_TRIPS).await);
        one.push(asking.pipelined(PIPELINED, 1).await);
        let (began, count) = (cpu_micros(), PIPELINED);
        twenty.push(asking.pipelined(count, 20).await);
        cpu.push((cpu_micros() - began) / count as f64);
        raw_rate.push(raw.pipelined(PIPELINED).await);
    }
    show(&format!("{name}: question and reply, p50"), "us", &trip);
    show("  CPU, both ends", "us each", &alone);
    show(&format!("{name}: plain stream, echo, p50"), "us", &raw_trip);
    show("  ratio", "x", &ratios(&trip, &raw_trip));
    show(&format!("{name}: one account, {AT_ONCE} at a time"), "a second", &one);
    show(&format!("{name}: twenty accounts, {AT_ONCE} at a time each"), "a second", &twenty);
    show("  CPU, both ends", "us each", &cpu);
    show(&format!("{name}: plain stream, pipelined, each echoed"), "a second", &raw_rate);
    show("  ratio of twenty accounts to it", "x", &ratios(&twenty, &raw_rate));
    println!();
}

/// A node that asks, and one that replies at once.
struct Asking {
    left: Network,
    right: PeerId,
    at: Address,
    requests: u64,
}

impl Asking {
    async fn connect(listen: &str) -> Self {
        let left = spawn(Config::new([1; 32])).unwrap();
        let mut config = Config::new([2; 32]);
        config.listen = vec![Address::new(listen).unwrap()];
        let mut right = spawn(config).unwrap();
        let Some(Event::Listening { address: at }) = right.events.recv().await else { panic!() };
        tokio::spawn(async move {
            while let Some(event) = right.events.recv().await {
                if let Event::Inquiry { inquiry, .. } = event {
                    right.commands.try_send(Command::Reply { inquiry, body: vec![0x76; REPLY] }).unwrap();
                }
            }
        });
        Self { left, right: peer_id(&[2; 32]), at, requests: 0 }
    }

    fn ask(&mut self, group: u64) {
        self.requests += 1;
        let (request, host, addresses) = (RequestId(self.requests), self.right, vec![self.at.clone()]);
        let body = vec![0x6b; QUESTION];
        self.left.commands.try_send(Command::Inquire { request, host, addresses, group, body }).unwrap();
    }

    async fn replied(&mut self) {
        match self.left.events.recv().await {
            Some(Event::Replied { .. }) => {}
            other => panic!("{other:?}"),
        }
    }

    async fn round_trips(&mut self, count: usize) -> f64 {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            self.ask(0);
            self.replied().await;
            times.push(began.elapsed());
        }
        median_micros(&times)
    }

    async fn pipelined(&mut self, count: usize, groups: usize) -> f64 {
        let began = Instant::now();
        let (mut sent, mut done) = (0, 0);
        while done < count {
            while sent < count && sent - done < AT_ONCE * groups {
                self.ask((sent % groups) as u64);
                sent += 1;
            }
            self.replied().await;
            done += 1;
        }
        count as f64 / began.elapsed().as_secs_f64()
    }
}

fn cpu_micros() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}
