//! Payments through four witnesses: real nodes with logs on this disk, and wallets that ask them over loopback, all on
//! this machine; beside what the disk and the network take by themselves in the same run.
//!
//! `cargo bench -p kinfolk-node --bench payments`. A payment is final here when its payer holds the votes of a quorum and
//! has verified them; the next begins when all four witnesses have run it. Rates are the clock's: everything, four witnesses and the
//! wallets, shares the cores of this machine.
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

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use figures::{ROUNDS, median_micros, ratios, show, show_at_least, show_at_most};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kinfolk_engine::query;
use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::entry::{Body, Claim, Class, Ctl, Entry, Out, OutRef, Position};
use kinfolk_ledger::inception::{Inception, Recovery};
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::policy::{Code, Limits, LoadedPolicy, Policy, Witness};
use kinfolk_ledger::signature::{SecretKey, key_hash};
use kinfolk_ledger::vote::{Cert, Receipt};
use kinfolk_net::{Command, CommandSender, Event, RequestId};
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_node::config::NetworkConfig;
use kinfolk_node::entropy::{Entropy, SystemEntropy};
use kinfolk_node::{Handle, NodeConfig, create_profile, start};
use kinfolk_store::{Backend, Options, Unlock};
use kinfolk_wire::ids::{AccountId, EntryHash, PeerId};
use kinfolk_wire::invite::Address;
use kinfolk_wire::name::Name;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LISTEN: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
/// Wallets, each with an account and a connection to each witness.
const WALLETS: u8 = 48;
/// Nodes that they share, so that none has more connections than it keeps.
const LINES: u8 = 4;
/// Payments of each wallet in a round, one after the other.
const PAYMENTS: usize = 60;
/// Payments of one wallet alone in a round.
const ALONE: usize = 150;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let home = tempfile::tempdir_in(".").unwrap();
    let mut town = Town::found(home.path()).await;
    let mut wallets = town.wallets().await;
    println!("four witnesses and {WALLETS} wallets in one process, median of {ROUNDS} rounds (least .. most)\n");
    let [mut rate, mut cpu, mut alone, mut floor] = <[Vec<f64>; 4]>::default();
    for _ in 0..ROUNDS {
        let (began, cpu_began) = (Instant::now(), cpu_micros());
        let tasks = wallets.into_iter().map(|mut wallet| {
            tokio::spawn(async move {
                for _ in 0..PAYMENTS {
                    wallet.pay().await;
                }
                wallet
            })
        });
        let tasks: Vec<_> = tasks.collect();
        wallets = Vec::new();
        for task in tasks {
            wallets.push(task.await.unwrap());
        }
        let payments = f64::from(WALLETS) * PAYMENTS as f64;
        rate.push(payments / began.elapsed().as_secs_f64());
        cpu.push((cpu_micros() - cpu_began) / payments);

        let mut times = Vec::new();
        for _ in 0..ALONE {
            times.push(wallets[0].pay().await);
        }
        alone.push(median_micros(&times));
        floor.push(median_micros(&wallets[0].asked().await) + median_micros(&syncs(home.path())));
    }
    show_at_least("certified payments, all wallets at once", "a second", &rate, 1_500.0);
    show("  CPU, four witnesses and the wallet together", "us each", &cpu);
    show("one wallet alone: payment to final, p50", "us", &alone);
    show("a question that changes nothing, and a sync of 700 bytes, p50", "us", &floor);
    show_at_most("  ratio", "x", &ratios(&alone, &floor), 4.0);
    for (number, handle) in town.handles.iter().enumerate() {
        let status = handle.witness_status().await.unwrap().unwrap();
        println!("witness {number}: {} entries, {} votes, {} bytes", status.entries, status.votes, status.log_bytes);
        handle.stop().await;
    }
}

/// How long the disk takes for as much as a vote and an entry are.
fn syncs(dir: &Path) -> Vec<Duration> {
    let mut file = tempfile::tempfile_in(dir).unwrap();
    let times = (0..50).map(|_| {
        let began = Instant::now();
        file.write_all(&[7; 700]).unwrap();
        file.sync_data().unwrap();
        began.elapsed()
    });
    times.collect()
}

fn cpu_micros() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

/// Where a witness is.
type At = (PeerId, Vec<Address>);

struct Town {
    handles: Vec<Handle>,
    at: Vec<At>,
    policy: Arc<LoadedPolicy>,
    issuer: SecretKey,
    lines: Vec<Arc<Line>>,
}

impl Town {
    async fn found(home: &Path) -> Self {
        let lines: Vec<_> = (0..LINES).map(Line::new).collect();
        let (mut handles, mut at, mut witnesses) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..4 {
            let handle = node(&home.join(format!("witness-{number}")));
            let (peer_id, addresses) = found_at(&handle).await;
            let Reply::Witness { vk } = lines[0].ask(0, &(peer_id, addresses.clone()), &Request::Witness).await else {
                panic!("no key")
            };
            witnesses.push(Witness { vk, peer_id });
            handles.push(handle);
            at.push((peer_id, addresses));
        }
        let issuer = SecretKey::from_seed(&[1; 32]);
        let first = Policy::first(issuer.vk(), Code::new("KIN").unwrap(), 2, witnesses);
        let limits = Limits { per_minute: 1_000_000, per_day: 1_000_000, ..first.limits };
        let policy = Policy { limits, ..first }.sign(&issuer);
        for handle in &handles {
            handle.serve_currency(policy.clone()).await.unwrap();
        }
        Self { handles, at, policy: Arc::new(policy.load().unwrap()), issuer, lines }
    }

    /// Wallets with money.
    async fn wallets(&mut self) -> Vec<Wallet> {
        let currency = self.policy.currency();
        let inception = Inception::of_issuer(currency, self.issuer.vk());
        let mut bank = self.wallet(0, self.issuer.clone(), inception.account());
        bank.certify(Body { ctl: Some(Ctl::Open(inception)), ..body() }).await;
        let mut wallets = Vec::new();
        for number in 1..=WALLETS {
            let key = SecretKey::from_seed(&[100 + number; 32]);
            let inception = Inception {
                currency,
                writer: key.vk(),
                next_writer: key_hash(&key.vk()),
                recovery: Recovery::NONE,
                salt: [number; 16],
                since: None,
            };
            let mut wallet = self.wallet(number, key, inception.account());
            let out = Out::cash(wallet.chain, amount(1_000_000));
            let minted = bank.certify(Body { ctl: Some(Ctl::Mint { class: Class::Free }), outs: vec![out], ..body() });
            let header = *minted.await.entry.header();
            let out = OutRef { chain: header.chain, seq: header.seq, idx: 0 };
            let claims = vec![Claim { out, class: Class::Free, amt: amount(1_000_000) }];
            wallet.certify(Body { ctl: Some(Ctl::Open(inception)), claims, ..body() }).await;
            wallets.push(wallet);
        }
        wallets
    }

    fn wallet(&self, number: u8, key: SecretKey, chain: AccountId) -> Wallet {
        Wallet {
            group: u64::from(number) + 1,
            key,
            chain,
            seq: 0,
            prev: EntryHash::new([0; 32]),
            state: None,
            at: self.at.clone(),
            policy: Arc::clone(&self.policy),
            line: Arc::clone(&self.lines[usize::from(number % LINES)]),
        }
    }
}

struct Wallet {
    group: u64,
    key: SecretKey,
    chain: AccountId,
    seq: u64,
    prev: EntryHash,
    state: Option<ChainState>,
    at: Vec<At>,
    policy: Arc<LoadedPolicy>,
    line: Arc<Line>,
}

impl Wallet {
    /// Pays somebody a little; how long it took until it was final.
    async fn pay(&mut self) -> Duration {
        let began = Instant::now();
        // As the wallet's: it says what was there before.
        let ctl = self.state.as_ref().map(|state| Ctl::Checkpoint { state_root: state.root() });
        let body = Body { outs: vec![Out::cash(AccountId::new([9; 32]), amount(1))], ctl, ..body() };
        let (receipt, votes_at) = self.gather(body).await;
        let took = votes_at.duration_since(began);
        self.commit(receipt).await;
        took
    }

    async fn certify(&mut self, body: Body) -> Receipt {
        let (receipt, _) = self.gather(body).await;
        self.commit(receipt.clone()).await;
        receipt
    }

    async fn gather(&mut self, body: Body) -> (Receipt, Instant) {
        let (currency, chain, seq, prev) = (self.policy.currency(), self.chain, self.seq, self.prev);
        let entry = Entry::sign(Position { currency, epoch: 0, chain, seq, prev, key_seq: 0 }, body, &self.key);
        let request = Request::Propose { entry: entry.clone(), cited: vec![] };
        let mut asked: FuturesUnordered<_> = self.at.iter().map(|at| self.line.ask(self.group, at, &request)).collect();
        let (mut votes, mut cert) = (Vec::new(), None);
        while let Some(reply) = asked.next().await {
            let Reply::Vote(vote) = reply else { panic!("{reply:?}") };
            votes.push(vote);
            // As a wallet does: the first votes of a quorum, verified together.
            if votes.len() == self.policy.quorum().q() {
                let gathered = Cert::gather(&votes, &self.policy, &mut SystemEntropy.generator().unwrap());
                cert = gathered.cert.map(|cert| (cert, Instant::now()));
            }
        }
        let (cert, at) = cert.unwrap();
        let mut state = self.state.take().unwrap_or_else(|| ChainState::before(&entry, &self.policy).unwrap());
        let change = state.try_entry(&entry, &self.policy).unwrap();
        state.apply(change, entry.body());
        self.state = Some(state);
        (self.seq, self.prev) = (seq + 1, entry.hash());
        (Receipt { entry, cert }, at)
    }

    async fn commit(&self, receipt: Receipt) {
        for reply in self.ask_all(&Request::Commit { receipt }).await {
            assert!(matches!(reply, Reply::Ack { .. }), "{reply:?}");
        }
    }

    async fn ask_all(&self, request: &Request) -> Vec<Reply> {
        let asked = self.at.iter().map(|at| self.line.ask(self.group, at, request));
        futures::future::join_all(asked).await
    }

    /// How long a question takes that changes nothing.
    async fn asked(&self) -> Vec<Duration> {
        let mut times = Vec::new();
        for _ in 0..200 {
            let began = Instant::now();
            self.line.ask(self.group, &self.at[0], &Request::Witness).await;
            times.push(began.elapsed());
        }
        times
    }
}

/// The network that some wallets share; witnesses see a stranger for each.
struct Line {
    commands: CommandSender,
    waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<Reply>>>>,
    last: AtomicU64,
}

impl Line {
    fn new(number: u8) -> Arc<Self> {
        let mut network = kinfolk_net::spawn(kinfolk_net::Config::new([7 + number; 32])).unwrap();
        let waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<Reply>>>> = Arc::default();
        let line = Self { commands: network.commands, waiting: Arc::clone(&waiting), last: AtomicU64::new(0) };
        tokio::spawn(async move {
            while let Some(event) = network.events.recv().await {
                match event {
                    Event::Replied { request, body } => {
                        let reply = waiting.lock().unwrap().remove(&request.0).unwrap();
                        reply.send(Reply::decode(&body).unwrap()).unwrap();
                    }
                    other => panic!("{other:?}"),
                }
            }
        });
        Arc::new(line)
    }

    async fn ask(&self, group: u64, (host, addresses): &At, request: &Request) -> Reply {
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let (reply, replied) = oneshot::channel();
        self.waiting.lock().unwrap().insert(number, reply);
        let (host, addresses, body) = (*host, addresses.clone(), request.encode());
        let inquire = Command::Inquire { request: RequestId(number), host, addresses, group, body };
        self.commands.try_send(inquire).unwrap();
        replied.await.unwrap()
    }
}

fn body() -> Body {
    Body { ts: SystemClock.now(), blind: [7; 16], claims: vec![], outs: vec![], ctl: None, memo_hash: None }
}

fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

fn node(dir: &Path) -> Handle {
    let mut store = kinfolk_store::create(dir, Backend::Sled, Unlock::KeyFile, Options::default()).unwrap();
    create_profile(&mut store, &SystemClock, &mut SystemEntropy, Name::new("Wilma").unwrap(), None).unwrap();
    let network = NetworkConfig { listen: vec![Address::new(LISTEN).unwrap()], ..NetworkConfig::default() };
    start(store, NodeConfig { network: Some(network) }, SystemClock, SystemEntropy).unwrap().handle
}

async fn found_at(handle: &Handle) -> At {
    let peer = handle.query(|read| query::profile(read).unwrap().unwrap().peer).await.unwrap();
    let mut notices = handle.subscribe();
    loop {
        let addresses = handle.query(query::listening).await.unwrap().unwrap().addresses;
        if !addresses.is_empty() {
            return (peer, addresses);
        }
        notices.recv().await.unwrap();
    }
}
