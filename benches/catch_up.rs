//! Somebody comes back to ten thousand messages that wait at three mailbox hosts: how many a second they have on their
//! disk and their screen, from the start of their node to the last line.
//!
//! `cargo bench -p kinfolk-node --bench catch_up`, with a number behind `--` for fewer messages. What waits is left by
//! engines that are driven by hand, because a host takes no more than ten deposits a second on a connection. Then the
//! hosts and the recipient run as nodes of this process, over QUIC on loopback, with profiles in the build's own
//! directory, which must be on a real disk. Beside it: what the hosts give out, written and synced as often as the
//! recipient commits. Time is the clock's: on a busy machine compare ratios, not figures.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench prints, and stops where something fails"
)]

#[path = "support/apart.rs"]
mod apart;
#[path = "support/figures.rs"]
mod figures;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use apart::{Apart, HOSTS};
use figures::{ROUNDS, ratios, show, show_at_least};
use kinfolk_engine::query;
use kinfolk_engine::store::{Key, Read, Row};
use kinfolk_node::clock::SystemClock;
use kinfolk_node::config::NetworkConfig;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Node, NodeConfig};
use kinfolk_store::Unlock;
use kinfolk_wire::ids::ConversationId;
use kinfolk_wire::invite::Address;
use kinfolk_wire::mailbox::Bucket;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is asked: as many messages, as many a second.
const MESSAGES: usize = 10_000;
const RATE: f64 = 2_000.0;
/// How much of what hosts give out is written at a time, beside it: what one of their answers holds.
const AT_ONCE: usize = 192;

fn main() {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(MESSAGES);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let [mut ours, mut limit] = <[Vec<f64>; 2]>::default();
    for round in 0..ROUNDS {
        let dir = dir.path().join(round.to_string());
        let (conversation, ports) = leave(&dir, count);
        ours.push(count as f64 / runtime.block_on(catch_up(&dir, conversation, ports, count)).as_secs_f64());
        limit.push(count as f64 / write(&dir.join("raw"), count).as_secs_f64());
        std::fs::remove_dir_all(&dir).unwrap();
    }
    println!("{count} messages at {HOSTS} hosts, median of {ROUNDS} rounds (least .. most)\n");
    show_at_least("from the start of the node to the last line", "/s", &ours, RATE);
    show("the same blobs appended, fdatasync for each answer of a host", "/s", &limit);
    show("  beside that", "x", &ratios(&ours, &limit));
}

/// Anna leaves messages for Ben at the hosts while he is away.
fn leave(dir: &Path, count: usize) -> (ConversationId, [u16; HOSTS]) {
    let mut world = Apart::begin(dir);
    let conversation = world.meet();
    world.say(conversation, count);
    (conversation, world.end())
}

async fn catch_up(dir: &Path, conversation: ConversationId, ports: [u16; HOSTS], count: usize) -> Duration {
    let hosts: Vec<Node> = (0..HOSTS).map(|host| start(&dir.join(apart::host(host)), ports[host])).collect();
    for host in &hosts {
        while host.handle.query(query::listening).await.unwrap().unwrap().addresses.is_empty() {
            tokio::task::yield_now().await;
        }
    }
    let began = Instant::now();
    let ben = start(&dir.join("ben"), 0);
    let mut told = ben.handle.subscribe();
    let lines = move |read: &dyn Read| match read.get(&Key::Conversation(conversation)).unwrap() {
        Some(Row::Conversation(row)) => row.unread,
        _ => 0,
    };
    while ben.handle.query(lines).await.unwrap() < count as u64 {
        drop(told.recv().await);
    }
    let took = began.elapsed();
    for node in hosts.into_iter().chain([ben]) {
        node.handle.stop().await;
        tokio::task::spawn_blocking(|| node.thread.join().unwrap()).await.unwrap().unwrap();
    }
    took
}

fn start(dir: &Path, port: u16) -> Node {
    let listen = vec![Address::new(&apart::address(port)).unwrap()];
    let network = NetworkConfig { listen, bootstrap: Vec::new(), mdns: false };
    let store = kinfolk_store::open(dir, Unlock::KeyFile).unwrap();
    kinfolk_node::start(store, NodeConfig { network: Some(network) }, SystemClock, SystemEntropy).unwrap()
}

fn write(path: &Path, count: usize) -> Duration {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let began = Instant::now();
    for _ in 0..count.div_ceil(AT_ONCE) {
        file.write_all(&vec![b'k'; AT_ONCE * Bucket::Line.bytes()]).unwrap();
        file.sync_data().unwrap();
    }
    began.elapsed()
}
