//! The program on a profile with 100,000 messages: how soon it is ready, how long a page of history takes, and what a
//! node that has nothing to do costs.
//!
//! `cargo bench --bench program`. The profile lies in the build's own directory, which must be on a real disk. An empty
//! profile runs beside the full one, in turns.
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
#[path = "support/pair.rs"]
mod pair;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use figures::{ROUNDS, median_micros, ratios, show, show_at_most};
use kinfolk::client::Client;
use kinfolk::engine::event::MessagePlace;
use kinfolk::engine::query;
use kinfolk::store::{Options, Store, Unlock};
use kinfolk::wire::ids::ConversationId;
use pair::Pair;
use rustix::process::{Pid, Signal, kill_process};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MESSAGES: usize = 100_000;
const PAGE: usize = 50;
/// Pages read in a round.
const PAGES: usize = 100;
/// How long a node is watched that does nothing, in each round.
const IDLE: Duration = Duration::from_secs(6);
const PASSPHRASE: &str = "correct horse battery staple";
/// The parts of a second in which Linux counts CPU time for programs, whatever the kernel was built with.
const TICKS: f64 = 100.0;

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let began = Instant::now();
    let mut full = Pair::friends(&dir.path().join("full"));
    full.say("And so they talked until the evening, and the evening was long.", MESSAGES);
    let conversation = full.conversation();
    full.close();
    let mut empty = Pair::friends(&dir.path().join("empty"));
    empty.say("Only this.", 1);
    empty.close();
    println!(
        "{MESSAGES} messages made in {:.0} s; median of {ROUNDS} rounds (least .. most)\n",
        began.elapsed().as_secs_f64()
    );
    let (full, empty) = (dir.path().join("full/ben"), dir.path().join("empty/ben"));
    ready(&full, &empty);
    pages(&full, conversation);
    passphrase(&full);
    idle(&full);
}

/// A node that runs.
struct Running {
    child: Child,
    after: Duration,
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has ended already needs no killing.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Running {
    fn start(dir: &Path) -> Self {
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_kinfolk"))
            .arg("--data")
            .arg(dir)
            .args(["--json", "run", "--no-mdns", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1"])
            .env("KINFOLK_PASSPHRASE", PASSPHRASE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let after = began.elapsed();
        assert!(first.contains("\"ready\""), "{first}");
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self { child, after }
    }

    fn millis(&self) -> f64 {
        self.after.as_secs_f64() * 1e3
    }

    fn end(mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap();
    }
}

fn ready(full: &Path, empty: &Path) {
    let [mut clean, mut beside, mut killed] = <[Vec<f64>; 3]>::default();
    for _ in 0..ROUNDS {
        for (dir, times) in [(full, &mut clean), (empty, &mut beside)] {
            let node = Running::start(dir);
            times.push(node.millis());
            node.end(Signal::TERM);
        }
        Running::start(full).end(Signal::KILL);
        let node = Running::start(full);
        killed.push(node.millis());
        node.end(Signal::TERM);
    }
    show_at_most("start to ready after a clean stop", "ms", &clean, 500.0);
    show("  the same with one message", "ms", &beside);
    show("  ratio", "x", &ratios(&clean, &beside));
    show("start to ready after a kill", "ms", &killed);
    println!();
}

fn pages(dir: &Path, conversation: ConversationId) {
    let store = kinfolk::store::open(dir, Unlock::KeyFile).unwrap();
    let newest = query::history(&store, conversation, None, 1).unwrap().lines[0].place;
    let [mut anywhere, mut last] = <[Vec<f64>; 2]>::default();
    for round in 0..ROUNDS {
        let places = (0..PAGES).map(|page| {
            let lamport = newest.lamport / (PAGES * ROUNDS) as u64 * (page * ROUNDS + round + 1) as u64;
            MessagePlace { lamport: lamport.max(PAGE as u64 + 1), ..newest }
        });
        anywhere.push(median_millis(places.map(|place| page(&store, conversation, Some(place))).collect()));
        last.push(median_millis((0..PAGES).map(|_| page(&store, conversation, None)).collect()));
    }
    show_at_most(&format!("a page of {PAGE} anywhere in the history, from the store"), "ms", &anywhere, 2.0);
    show("the last page", "ms", &last);
    store.close().unwrap();

    let node = Running::start(dir);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut through = Vec::new();
    runtime.block_on(async {
        let client = Client::open(dir).await.unwrap();
        let chat = client.contacts().await.unwrap()[0].chat.clone();
        for _ in 0..ROUNDS {
            let mut times = Vec::new();
            let mut before: Option<String> = None;
            for _ in 0..PAGES {
                let began = Instant::now();
                let page = client.messages(&chat, PAGE, before.as_deref()).await.unwrap();
                times.push(began.elapsed());
                assert_eq!(page.messages.len(), PAGE);
                before = Some(page.messages[0].message.clone());
            }
            through.push(median_millis(times));
        }
    });
    show_at_most(&format!("a page of {PAGE} through the door, page by page back"), "ms", &through, 2.0);
    node.end(Signal::TERM);
    println!();
}

fn page(store: &Store, conversation: ConversationId, before: Option<MessagePlace>) -> Duration {
    let began = Instant::now();
    let page = query::history(store, conversation, before, PAGE).unwrap();
    assert_eq!(page.lines.len(), PAGE);
    began.elapsed()
}

fn median_millis(times: Vec<Duration>) -> f64 {
    median_micros(&times) / 1e3
}

fn passphrase(dir: &Path) {
    kinfolk::store::change_passphrase(dir, Unlock::KeyFile, PASSPHRASE, Options::default()).unwrap();
    let [mut whole, mut derived, mut rest] = <[Vec<f64>; 3]>::default();
    for _ in 0..ROUNDS {
        let store = kinfolk::store::open(dir, Unlock::Passphrase(PASSPHRASE)).unwrap();
        let unlock = store.timings().unlock.as_secs_f64() * 1e3;
        store.close().unwrap();
        let node = Running::start(dir);
        whole.push(node.millis());
        derived.push(unlock);
        rest.push(node.millis() - unlock);
        node.end(Signal::TERM);
    }
    show("start to ready with a passphrase", "ms", &whole);
    show("  its derivation alone (Argon2id)", "ms", &derived);
    show("  the rest", "ms", &rest);
    println!();
}

/// Watched while it runs with the passphrase just set, so that the derivation's memory would show if it stayed.
fn idle(dir: &Path) {
    let node = Running::start(dir);
    let pid = node.child.id();
    std::thread::sleep(Duration::from_secs(2));
    let [mut memory, mut shares] = <[Vec<f64>; 2]>::default();
    for _ in 0..ROUNDS {
        let before = cpu_seconds(pid);
        std::thread::sleep(IDLE);
        shares.push((cpu_seconds(pid) - before) / IDLE.as_secs_f64() * 100.0);
        memory.push(resident_megabytes(pid));
    }
    show_at_most("resident memory of an idle node", "MB", &memory, 60.0);
    show_at_most("CPU of an idle node", "% of one", &shares, 1.0);
    node.end(Signal::TERM);
}

fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
}

fn resident_megabytes(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
