//! A message from the request at one node to the line at the other, both sides committed and synced to disk, receipts
//! on: how long one takes beside what it cannot do without, and how many a second beside what their stages add up to.
//!
//! `cargo bench -p kinfolk-node --bench delivery`. Both nodes run in this process, over QUIC on loopback, with profiles
//! in the build's own directory, which must be on a real disk. What is compared runs in turns. Time is the clock's: on
//! a busy machine compare ratios, not figures.
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
#[path = "support/streams.rs"]
mod streams;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use figures::{ROUNDS, median, median_micros, show, show_at_least, show_at_most};
use futures::StreamExt;
use futures::stream;
use kinfolk_engine::event::{Event, Notice};
use kinfolk_engine::input::{Admission, Command};
use kinfolk_engine::store::ContactState;
use kinfolk_engine::{Answer, query};
use kinfolk_node::clock::SystemClock;
use kinfolk_node::config::NetworkConfig;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Handle, NodeConfig, create_profile};
use kinfolk_store::{Backend, Options, Unlock};
use kinfolk_wire::content::{Body, Text};
use kinfolk_wire::ids::{ConversationId, MessageId};
use kinfolk_wire::invite::{Address, Uses};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;
use pair::{Pair, Spent, process_cpu};
use streams::{Ours, Raw};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LISTEN: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
const TEXT: usize = 256;
/// Messages of a round that go one at a time.
const SINGLE: usize = 200;
/// Messages of a round that go as fast as they are taken.
const PIPELINED: usize = 5_000;
/// Requests that wait for their answers at a time.
const REQUESTS: usize = 512;
/// What a commit of one message writes, about.
const WRITTEN: usize = 8_192;
/// What toxcore 0.2.18 reaches, which writes nothing to disk, in messages a second.
const TOXCORE: f64 = 910.0;

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(compare(dir.path()));
}

async fn compare(dir: &Path) {
    let mut chat = Chat::begin(dir).await;
    let mut by_hand = Pair::friends(&dir.join("by hand"));
    let mut raw = Raw::connect(LISTEN).await;
    let mut disk = OpenOptions::new().create(true).append(true).open(dir.join("raw")).unwrap();
    chat.one_by_one(SINGLE / 4).await;
    by_hand.say(&text(), PIPELINED / 4);
    by_hand.spent();
    let mut streams = Ours::connect(LISTEN, by_hand.mean_body()).await;
    streams.pipelined(PIPELINED).await;

    println!("{TEXT}-byte texts, two nodes on loopback over QUIC, median of {ROUNDS} rounds (least .. most)\n");
    let [mut ours, mut trips, mut syncs, mut room, mut rates, mut receipted, mut sums, mut shares] =
        <[Vec<f64>; 8]>::default();
    let mut stages = <[Vec<f64>; 7]>::default();
    for _ in 0..ROUNDS {
        let ours_here = chat.one_by_one(SINGLE).await;
        let (trip, sync) = (raw.round_trips(SINGLE).await, syncs_alone(&mut disk));
        ours.push(ours_here);
        trips.push(trip);
        syncs.push(sync);
        room.push(ours_here - trip - 2.0 * sync);

        let (shown, known) = chat.at_once(PIPELINED).await;
        by_hand.say(&text(), PIPELINED);
        let [from, to] = by_hand.spent();
        let began = process_cpu();
        streams.pipelined(PIPELINED).await;
        let network = process_cpu() - began;
        let synced = |side: Spent| Duration::from_secs_f64(f64::from(side.syncs) * sync / 1e6);
        let alone = [from.turns, from.commits, synced(from), to.turns, to.commits, synced(to), network]
            .map(|spent| spent.as_secs_f64() * 1e6 / PIPELINED as f64);
        let sum: f64 = alone.iter().sum();
        for (stage, spent) in stages.iter_mut().zip(alone) {
            stage.push(spent);
        }
        rates.push(shown);
        receipted.push(known);
        sums.push(sum);
        // Two cores do two things at a time.
        shares.push(shown / (2.0 * 1e6 / sum));
    }
    show("request to MessageAdded on the other side, p50", "us", &ours);
    show("plain stream, echo, p50", "us", &trips);
    show(&format!("{WRITTEN} bytes appended and fdatasync, p50"), "us", &syncs);
    show_at_most("  over one round trip and two syncs", "us", &room, 2_000.0);
    println!();
    show("pipelined, until all are shown", "msg/s", &rates);
    show("pipelined, until all receipts are in", "msg/s", &receipted);
    let names = [
        "sender's turns, CPU",
        "sender's commits, CPU",
        "sender's syncs",
        "receiver's turns, CPU",
        "receiver's commits, CPU",
        "receiver's syncs",
        "network, both sides, CPU",
    ];
    for (name, stage) in names.iter().zip(&stages) {
        show(&format!("  {name}, alone"), "us/msg", stage);
    }
    show("  their sum", "us/msg", &sums);
    show_at_least("  share of what the sum allows on two cores", "x", &shares, 0.5);
    let beside: Vec<f64> = rates.iter().map(|rate| rate / TOXCORE).collect();
    show_at_least("  times toxcore's 910 a second (no disk)", "x", &beside, 3.0);
    println!("  by hand, a commit holds {:.0} and {:.0} turns", by_hand.mean_batch(0), by_hand.mean_batch(1));
    assert!(median(&rates) > 0.0);
    by_hand.close();
    chat.end().await;
}

fn text() -> String {
    "k".repeat(TEXT)
}

fn syncs_alone(file: &mut File) -> f64 {
    let times: Vec<Duration> = (0..SINGLE)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&[0x6b; WRITTEN]).unwrap();
            file.sync_data().unwrap();
            began.elapsed()
        })
        .collect();
    median_micros(&times)
}

/// Two whole nodes whose people are contacts.
struct Chat {
    anna: Handle,
    ben: Handle,
    conversation: ConversationId,
    told_anna: Receiver<Notice>,
    told_ben: Receiver<Notice>,
    said: u64,
}

impl Chat {
    async fn begin(dir: &Path) -> Self {
        let [anna, ben] = ["anna", "ben"].map(|name| node(&dir.join(name), name));
        let (told_anna, mut told_ben) = (anna.subscribe(), ben.subscribe());
        while anna.query(query::listening).await.unwrap().unwrap().addresses.is_empty() {
            tokio::task::yield_now().await;
        }
        let invite =
            Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(1), admission: Admission::Accept };
        let Answer::Invite(link) = anna.command(invite).await.unwrap() else { panic!("no link") };
        ben.command(Command::AddContact { link, name: None }).await.unwrap();
        let conversation = loop {
            let contacts = ben.query(query::contacts).await.unwrap().unwrap();
            match contacts.first() {
                Some(contact) if contact.state == ContactState::Accepted => break contact.conversation,
                _ => told_ben.recv().await.unwrap(),
            };
        };
        Self { anna, ben, conversation, told_anna, told_ben, said: 0 }
    }

    fn next(&mut self) -> (MessageId, Command) {
        self.said += 1;
        let mut id = [0; MessageId::LENGTH];
        id[..8].copy_from_slice(&self.said.to_be_bytes());
        let id = MessageId::new(id);
        let body = Body::Text(Text::new(text()).unwrap());
        (id, Command::SendMessage { id: Some(id), conversation: self.conversation, body })
    }

    /// One after the other: the middle time from the request to the line on the other side.
    async fn one_by_one(&mut self, count: usize) -> f64 {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, command) = self.next();
            let began = Instant::now();
            let (answer, ()) = futures::join!(self.anna.command(command), shown(&mut self.told_ben, id));
            times.push(began.elapsed());
            answer.unwrap();
        }
        median_micros(&times)
    }

    /// As fast as they are taken: messages a second until the last is shown, and until the last receipt is in.
    async fn at_once(&mut self, count: usize) -> (f64, f64) {
        let commands: Vec<(MessageId, Command)> = (0..count).map(|_| self.next()).collect();
        let last = commands.last().unwrap().0;
        let began = Instant::now();
        let anna = self.anna.clone();
        let requests = stream::iter(commands)
            .map(|(_, command)| anna.command(command))
            .buffered(REQUESTS)
            .for_each(|answer| async { drop(answer.unwrap()) });
        let all_shown = async {
            shown(&mut self.told_ben, last).await;
            began.elapsed()
        };
        let ((), shown) = futures::join!(requests, all_shown);
        while self.anna.query(query::outbox_len).await.unwrap().unwrap() > 0 {
            told(&mut self.told_anna).await;
        }
        let known = began.elapsed();
        (count as f64 / shown.as_secs_f64(), count as f64 / known.as_secs_f64())
    }

    async fn end(self) {
        let mut lines = 0;
        let mut before = None;
        let conversation = self.conversation;
        loop {
            let page =
                self.ben.query(move |read| query::history(read, conversation, before, 200)).await.unwrap().unwrap();
            lines += page.lines.len() as u64;
            before = page.lines.first().map(|line| line.place);
            if page.lines.is_empty() {
                break;
            }
        }
        assert_eq!(lines, self.said, "what was said and what is shown");
        self.anna.stop().await;
        self.ben.stop().await;
    }
}

fn node(dir: &Path, name: &str) -> Handle {
    let mut store = kinfolk_store::create(dir, Backend::Sled, Unlock::KeyFile, Options::default()).unwrap();
    create_profile(&mut store, &SystemClock, &mut SystemEntropy, Name::new(name).unwrap(), None).unwrap();
    let network = NetworkConfig {
        listen: vec![Address::new(LISTEN).unwrap()],
        bootstrap: Vec::new(),
        mdns: false,
        reach: Default::default(),
    };
    let config = NodeConfig { network: Some(network) };
    kinfolk_node::start(store, config, SystemClock, SystemEntropy).unwrap().handle
}

/// Waits until a line is told of.
async fn shown(told_ben: &mut Receiver<Notice>, id: MessageId) {
    loop {
        if let Some(Notice { event: Event::MessageAdded(place), .. }) = told(told_ben).await
            && place.id == id
        {
            return;
        }
    }
}

/// The next notice, if it was not lost among too many.
async fn told(notices: &mut Receiver<Notice>) -> Option<Notice> {
    match notices.recv().await {
        Ok(notice) => Some(notice),
        Err(RecvError::Lagged(_)) => None,
        Err(RecvError::Closed) => panic!("the node ended"),
    }
}
