//! A contact's record put into and found in a hash table of two hundred nodes, beside one question to one node.
//!
//! `cargo bench -p kinfolk-net --bench finding`. All nodes run in this process, over loopback, each in a network (/24) of
//! its own; `-- 50` takes fifty nodes. Time is the clock's: on a busy machine compare ratios, not figures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a bench prints, and stops where something fails"
)]

use std::time::{Duration, Instant};

use kinfolk_net::{Command, Config, Event, Network, RequestId, node_name, peer_id, spawn};
use kinfolk_wire::address_record::{LIFETIME, SIZES};
use kinfolk_wire::ids::RecordKey;
use kinfolk_wire::invite::Address;

const NODES: u16 = 200;
const RECORDS: u64 = 200;
/// Round trips one after the other without which nobody comes from a table of twenty nodes to the twenty nearest of two
/// hundred, connects to them and asks them: a question, a handshake of one trip, a question.
const TRIPS: f64 = 3.0;
const PATIENCE: Duration = Duration::from_secs(120);

struct Node {
    network: Network,
    named: Address,
    asked: u64,
}

impl Node {
    async fn start(kind: u8, number: u16, serves: bool, bootstrap: Vec<Address>) -> Self {
        let [high, low] = number.to_be_bytes();
        let mut seed = [kind; 32];
        seed[..2].copy_from_slice(&[high, low]);
        let mut config = Config::new(seed);
        let listen = format!("/ip4/127.{kind}.{low}.{}/udp/0/quic-v1", 10 + high);
        config.listen = vec![Address::new(&listen).unwrap()];
        // That of the process, in which all nodes are.
        config.limits.memory = usize::MAX;
        (config.bootstrap, config.dht_server, config.dht_private) = (bootstrap, serves, true);
        let mut network = spawn(config).unwrap();
        let at = loop {
            if let Some(Event::Listening { address }) = network.events.recv().await {
                break address;
            }
        };
        let named = format!("{at}/p2p/{}", node_name(&peer_id(&seed)).unwrap());
        Self { network, named: Address::new(&named).unwrap(), asked: 0 }
    }

    async fn until<T>(&mut self, mut fits: impl FnMut(Event) -> Option<T>) -> T {
        let look = async {
            loop {
                if let Some(found) = fits(self.network.events.recv().await.unwrap()) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap()
    }

    async fn joined(&mut self) {
        self.until(|event| matches!(event, Event::Joined).then_some(())).await;
    }

    /// Leaves the node to itself. Says where it is.
    fn serve(self) -> Address {
        let Self { mut network, named, .. } = self;
        tokio::spawn(async move {
            while network.events.recv().await.is_some() {}
            drop(network);
        });
        named
    }

    async fn publish(&mut self, key: RecordKey, value: Vec<u8>) -> u32 {
        self.asked += 1;
        let request = RequestId(self.asked);
        let lifetime = Duration::from_millis(LIFETIME.as_millis());
        self.network.commands.try_send(Command::Publish { request, key, value, lifetime }).unwrap();
        self.until(|event| match event {
            Event::Published { request: of, copies } if of == request => Some(copies),
            _ => None,
        })
        .await
    }

    async fn find(&mut self, key: RecordKey) -> usize {
        self.asked += 1;
        let request = RequestId(self.asked);
        self.network.commands.try_send(Command::Find { request, key }).unwrap();
        self.until(|event| match event {
            Event::Found { request: of, values } if of == request => Some(values.len()),
            _ => None,
        })
        .await
    }
}

fn key(number: u64) -> RecordKey {
    let mut bytes = [9; 32];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    RecordKey::new(bytes)
}

fn show(what: &str, mut took: Vec<Duration>) -> f64 {
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    println!("{what:<52} p50 {:8.2} ms   p95 {:8.2} ms   most {:8.2} ms", at(0.5), at(0.95), at(1.0));
    at(0.95)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let began = Instant::now();
    let mut one = Node::start(30, 0, true, Vec::new()).await;
    let mut alone = Node::start(31, 0, false, vec![one.named.clone()]).await;
    alone.joined().await;
    let mut trips = Vec::new();
    for number in 0..500 {
        let asked = Instant::now();
        alone.find(key(number)).await;
        trips.push(asked.elapsed());
    }
    let trip = show("one question to one node", trips);
    one.network.events.close();

    let count: u16 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(NODES);
    let mut nodes = vec![Node::start(40, 0, true, Vec::new()).await.serve()];
    for number in 1..count {
        // Each begins at another of the first ten.
        let named = nodes[usize::from(number % 10).min(nodes.len() - 1)].clone();
        let mut node = Node::start(40, number, true, vec![named]).await;
        node.joined().await;
        nodes.push(node.serve());
    }
    println!("{count} nodes are there after {:.1} s", began.elapsed().as_secs_f64());
    let mut anna = Node::start(41, 0, false, vec![nodes[3].clone()]).await;
    anna.joined().await;
    let mut put = Vec::new();
    let mut copies = 0;
    for number in 0..RECORDS {
        let asked = Instant::now();
        copies += anna.publish(key(number), vec![1; SIZES[0]]).await;
        put.push(asked.elapsed());
    }
    show("a record put, all copies taken", put);
    println!("copies of a record: {:.1}", f64::from(copies) / RECORDS as f64);

    // Everybody who looks has just started: no connection is there but to one node.
    let (mut cold, mut warm, mut missed) = (Vec::new(), Vec::new(), 0);
    for number in 0..RECORDS / 2 {
        let begin = nodes[usize::try_from(number * 7 % u64::from(count)).unwrap()].clone();
        let mut bea = Node::start(42, u16::try_from(number).unwrap(), false, vec![begin]).await;
        bea.joined().await;
        let asked = Instant::now();
        missed += usize::from(bea.find(key(2 * number)).await == 0);
        cold.push(asked.elapsed());
        let asked = Instant::now();
        missed += usize::from(bea.find(key(2 * number + 1)).await == 0);
        warm.push(asked.elapsed());
        bea.network.commands.try_send(Command::Shutdown).unwrap();
        bea.network.task.await.unwrap().unwrap();
    }
    let p95 = show("a record found by a node that has just started", cold);
    show("the next", warm);
    println!("not found: {missed} of {RECORDS}");
    println!("p95 over {TRIPS} round trips: {:.1} x (goal: p95 under 1,000 ms: {p95:.0} ms)", p95 / (TRIPS * trip));
}
