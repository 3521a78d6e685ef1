//! A mailbox host beside the disk that it stands on: deposits a second through the engine and the store, a batch of turns
//! to a commit as the node's driver makes them, on one core; and the memory that what is kept takes.
//!
//! `cargo bench -p kinfolk-store --bench mailbox`, with a number behind `--` for fewer envelopes. Profiles lie in the
//! build's own directory, which must be on a real disk. What is compared runs in turns, slice by slice. Time is the
//! clock's: on a busy machine compare ratios, not figures.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bench prints, and stops where something fails"
)]

#[path = "support/figures.rs"]
mod figures;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::Instant;

use figures::{ROUNDS, ratios, show, show_at_least, show_at_most};
use kinfolk_crypto::tokens::{TokenKey, TokenRequest};
use kinfolk_engine::input::{AskId, Command, MailboxOffer, Report};
use kinfolk_engine::store::{Changes, Key, Overlay, Read, Row, Serving};
use kinfolk_engine::{Effect, Input, found, turn};
use kinfolk_store::{Backend, Derivation, Options, Store, Unlock};
use kinfolk_wire::ids::{MailboxTag, PeerId};
use kinfolk_wire::mailbox::{Admission, Bucket, Collect, Deposit, Found, Reply, Request, Stamp, TAGS, Token};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns in one commit, as in the driver.
const BATCH: usize = 256;
/// Batches of each kind in a slice, and slices in a round.
const SLICE: usize = 4;
const SLICES: usize = 4;
/// What is asked of a host: deposits a second, and megabytes for so many envelopes.
const RATE: f64 = 3_000.0;
const ENVELOPES: usize = 100_000;
const MEGABYTES: f64 = 60.0;
/// Room for all of them eight times over, so that the share of strangers is not half full either.
const CAPACITY: u64 = 1 << 40;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOST: PeerId = PeerId::new([9; PeerId::LENGTH]);
/// What a process of its own is for, so that its memory is of nothing else.
const STAGE: &str = "KINFOLK_BENCH_STAGE";
const STORES: &str = "stores";
const OPENS: &str = "opens";

fn main() {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(ENVELOPES);
    let dir = std::env::args_os().nth(1).map(PathBuf::from);
    match (std::env::var(STAGE).as_deref(), dir) {
        (Ok(STORES), Some(dir)) => return stored(&dir, count),
        (Ok(OPENS), Some(dir)) => return opened(&dir, count),
        _ => {}
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    on_one_core();
    rates(&dir.path().join("rates"), count);
    println!("\n{count} envelopes of {} bytes", Bucket::Line.bytes());
    for stage in [STORES, OPENS] {
        let mut apart = Process::new(std::env::current_exe().unwrap());
        apart.arg(dir.path().join("resident")).arg(count.to_string()).env(STAGE, stage);
        assert!(apart.status().unwrap().success());
    }
}

/// From here on this process has one core, and those that it starts.
fn on_one_core() {
    let all = sched_getaffinity(None).unwrap();
    let first = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)).unwrap();
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).unwrap();
}

/// A host as the driver runs it.
struct Host {
    store: Store,
    rng: ChaCha20Rng,
    key: TokenKey,
    epoch: u32,
    deposits: u64,
}

impl Host {
    fn create(dir: &Path) -> Self {
        let options = Options { derivation: Derivation::Least };
        let mut store = kinfolk_store::create(dir, Backend::Sled, Unlock::KeyFile, options).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let founded = found(NOW, &mut rng, Name::new("Host").unwrap(), None, &[7; 32], HOST).unwrap();
        store.commit(&founded.changes).unwrap();
        let offer = MailboxOffer { capacity: CAPACITY, work_bits: 0 };
        for input in [Input::Started, Input::Command(Command::ServeMailbox(Some(offer)))] {
            let made = turn(NOW, &mut rng, &store, input).unwrap();
            store.commit(&made.changes).unwrap();
        }
        let Some(Row::Serving(Serving { epoch, .. })) = store.get(&Key::Serving).unwrap() else { panic!("no host") };
        let Some(Row::KeyMaterial(key)) = store.get(&Key::TokenKey(epoch)).unwrap() else { panic!("no key") };
        let key = TokenKey::from_bytes(key.as_slice()).unwrap();
        Self { store, rng, key, epoch, deposits: 0 }
    }

    /// Requests as they come from the network, each with what admits it.
    fn requests(&mut self, admissions: Vec<Admission>) -> Vec<Vec<u8>> {
        let deposit = |admission| {
            self.deposits += 1;
            let blob = tag(self.deposits).as_bytes().repeat(Bucket::Line.bytes() / MailboxTag::LENGTH);
            let tag = tag(self.deposits);
            Request::Deposit(Deposit { tag, lifetime: 720, erasure: [1; 32], admission, blob }).encode()
        };
        admissions.into_iter().map(deposit).collect()
    }

    fn tokens(&mut self, count: usize) -> Vec<Token> {
        let (state, blinded) = TokenRequest::begin(&mut self.rng, self.epoch, count).unwrap();
        let (evaluated, proof) = self.key.issue(&mut self.rng, &blinded).unwrap();
        TokenRequest::finish(state.as_slice(), &self.key.public_key(), &evaluated, &proof).unwrap()
    }

    fn by_tokens(&mut self, count: usize) -> Vec<Vec<u8>> {
        let tokens = (0..count.div_ceil(BATCH)).flat_map(|_| self.tokens(BATCH)).collect::<Vec<_>>();
        self.requests(tokens.into_iter().take(count).map(|token| Admission::Tokens(vec![token])).collect())
    }

    fn by_work(&mut self, count: usize) -> Vec<Vec<u8>> {
        let hour = (NOW.as_millis() / Span::from_hours(1).as_millis()) as u32;
        self.requests(vec![Admission::Work(Stamp { hour, nonce: 0 }); count])
    }

    /// Takes requests in batches: turns over one overlay, one commit, then the answers.
    fn serve(&mut self, requests: Vec<Vec<u8>>) {
        let mut waiting = requests.into_iter();
        while waiting.len() > 0 {
            let (mut changes, mut answers) = (Changes::default(), Vec::with_capacity(BATCH));
            for body in waiting.by_ref().take(BATCH) {
                let input = Input::Network(Report::Asked { ask: AskId(0), body });
                let overlay = Overlay { base: &self.store, changes: &changes };
                let made = turn(NOW, &mut self.rng, &overlay, input).unwrap();
                changes.extend(made.changes);
                answers.extend(made.effects);
            }
            self.store.commit(&changes).unwrap();
            let done = Reply::Done.encode(1);
            assert!(answers.iter().all(|answer| matches!(answer, Effect::Answer(_, reply) if *reply == done)));
        }
    }
}

fn tag(number: u64) -> MailboxTag {
    let mut bytes = [0; MailboxTag::LENGTH];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&number.wrapping_mul(0xd6e8_feb8_6659_fd93).to_be_bytes());
    MailboxTag::new(bytes)
}

fn seconds(act: impl FnOnce()) -> f64 {
    let began = Instant::now();
    act();
    began.elapsed().as_secs_f64()
}

/// The blobs of a batch appended and synced, once for each batch.
fn append(file: &mut File, batches: usize) {
    for _ in 0..batches {
        file.write_all(&vec![b'k'; BATCH * Bucket::Line.bytes()]).unwrap();
        file.sync_data().unwrap();
    }
}

fn rates(dir: &Path, count: usize) {
    let mut host = Host::create(dir);
    let mut raw = OpenOptions::new().create(true).append(true).open(dir.join("raw")).unwrap();
    let slices = SLICES.min(count.div_ceil(ROUNDS * SLICE * BATCH)).max(1);
    let [mut work, mut tokens, mut limit] = <[Vec<f64>; 3]>::default();
    let warm_up = host.by_work(SLICE * BATCH);
    host.serve(warm_up);
    for _ in 0..ROUNDS {
        let mut spent = [0.0; 3];
        for _ in 0..slices {
            let (worked, paid) = (host.by_work(SLICE * BATCH), host.by_tokens(SLICE * BATCH));
            spent[0] += seconds(|| host.serve(worked));
            spent[1] += seconds(|| host.serve(paid));
            spent[2] += seconds(|| append(&mut raw, SLICE));
        }
        let deposits = (slices * SLICE * BATCH) as f64;
        for (rates, spent) in [&mut work, &mut tokens, &mut limit].into_iter().zip(spent) {
            rates.push(deposits / spent);
        }
    }
    println!(
        "\nenvelopes of {} bytes, {BATCH} to a commit, one core, median of {ROUNDS} rounds (least .. most)\n",
        Bucket::Line.bytes()
    );
    show_at_least("deposits by work of 0 bits, durable", "/s", &work, RATE);
    show_at_least("deposits by tokens, durable", "/s", &tokens, RATE);
    show("the same blobs appended, fdatasync for each batch", "/s", &limit);
    show("  by work beside that", "x", &ratios(&work, &limit));
    show("  by tokens beside that", "x", &ratios(&tokens, &limit));
    host.store.close().unwrap();
}

fn stored(dir: &Path, count: usize) {
    let mut host = Host::create(dir);
    show("resident before anything is stored", "MB", &[resident_megabytes()]);
    let mut rates = Vec::new();
    let mut left = count;
    while left > 0 {
        let some = left.min(16 * BATCH);
        let requests = host.by_work(some);
        rates.push(some as f64 / seconds(|| host.serve(requests)));
        left -= some;
    }
    show_at_most("resident once they are stored", "MB", &[resident_megabytes()], MEGABYTES);
    show("  stored on the way", "/s", &rates);
    host.store.close().unwrap();
}

/// Opens what was stored, and looks under every tag.
fn opened(dir: &Path, count: usize) {
    let store = kinfolk_store::open(dir, Unlock::KeyFile).unwrap();
    show_at_most("resident once they are opened again", "MB", &[resident_megabytes()], MEGABYTES);
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let mut seen = 0;
    let room = 32;
    let spent = seconds(|| {
        let numbers: Vec<u64> = (1..=count as u64).collect();
        for some in numbers.chunks(Found::space(room) / Found::cost(Bucket::Line)) {
            let mut tags: Vec<MailboxTag> = some.iter().copied().map(tag).collect();
            tags.resize(TAGS, tag(0));
            let body = Request::Collect(Collect { room, tags }).encode();
            let input = Input::Network(Report::Asked { ask: AskId(0), body });
            let made = turn(NOW, &mut rng, &store, input).unwrap();
            let [Effect::Answer(_, reply)] = &made.effects[..] else { panic!("no answer") };
            let Ok(Reply::Found(found)) = Reply::decode(reply) else { panic!("nothing is found") };
            seen += found.blobs.len();
        }
    });
    assert_eq!(seen, count);
    show_at_most("resident once all were looked at", "MB", &[resident_megabytes()], MEGABYTES);
    show("  given out on the way", "/s", &[count as f64 / spent]);
}

fn resident_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}
