//! The store beside what it cannot do without: a write of the same bytes and one sync.
//!
//! `cargo bench -p kinfolk-store --bench store`. Profiles lie in the build's own directory, which must be on a real
//! disk. What is compared runs in turns, slice by slice. Time is the clock's: on a busy machine compare ratios, not
//! figures.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bench prints, and stops where something fails"
)]

#[path = "../tests/support/copy.rs"]
mod copy;
#[path = "support/figures.rs"]
mod figures;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use copy::copy_dir;
use figures::{ROUNDS, median, ratios, show, show_at_most};
use kinfolk_engine::store::{Changes, Key, Message, MessageState, Read, Scan};
use kinfolk_store::{Backend, Derivation, Options, Store, Unlock};
use kinfolk_wire::ids::{ConversationId, IdentityId, MessageId};
use kinfolk_wire::time::Timestamp;

/// Bytes of a row's content.
const ROW: usize = 300;
/// Batches that one sync is for.
const GROUP: u64 = 64;
/// Commits of each kind in a round, and in a slice of it.
const COMMITS: u64 = 100;
const SLICE: u64 = 10;
/// Rows of the profile that is read and opened.
const ROWS: u64 = 100_000;
const PAGES: u64 = 200;
const PAGE: usize = 50;
/// The time in which a profile is to be open, in milliseconds.
const OPEN_WITHIN: f64 = 300.0;

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    println!("{ROW}-byte rows, median of {ROUNDS} rounds (least .. most)\n");
    for backend in Backend::ALL {
        commits(&dir.path().join(format!("commits-{backend}")), backend);
    }
    for backend in Backend::ALL {
        history(&dir.path().join(format!("history-{backend}")), backend);
    }
}

fn create(dir: &Path, backend: Backend) -> Store {
    kinfolk_store::create(dir, backend, Unlock::KeyFile, Options { derivation: Derivation::Least }).unwrap()
}

fn open(dir: &Path) -> Store {
    kinfolk_store::open(dir, Unlock::KeyFile).unwrap()
}

const CONVERSATION: ConversationId = ConversationId::new([1; 32]);

fn put(changes: &mut Changes, number: u64) {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    let key = Key::Message(CONVERSATION, number, IdentityId::new([2; 32]), MessageId::new(id));
    let content = vec![b'k'; ROW];
    changes.put(key, Message { content, state: MessageState::Delivered, at: Timestamp::from_millis(number) }.into());
}

/// How long each of some acts takes, in microseconds.
fn each(times: u64, mut act: impl FnMut()) -> Vec<f64> {
    let timed = (0..times).map(|_| {
        let began = Instant::now();
        act();
        began.elapsed().as_secs_f64() * 1e6
    });
    timed.collect()
}

/// Bytes written to a plain file, and synced.
struct Raw {
    file: File,
}

impl Raw {
    fn append(&mut self, bytes: usize) {
        self.file.write_all(&vec![b'k'; bytes]).unwrap();
        self.file.sync_data().unwrap();
    }
}

fn commits(dir: &Path, backend: Backend) {
    let mut store = create(dir, backend);
    let mut raw = Raw { file: OpenOptions::new().create(true).append(true).open(dir.join("raw")).unwrap() };
    let mut number = 0;
    let mut commit = |rows: u64| {
        let mut changes = Changes::default();
        for _ in 0..rows {
            put(&mut changes, number);
            number += 1;
        }
        store.commit(&changes).unwrap();
    };
    each(COMMITS, || commit(1));
    each(COMMITS, || raw.append(ROW));
    let mut rounds = <[Vec<f64>; 4]>::default();
    for _ in 0..ROUNDS {
        let mut times = <[Vec<f64>; 4]>::default();
        for _ in 0..COMMITS / SLICE {
            times[0].extend(each(SLICE, || commit(1)));
            times[1].extend(each(SLICE, || raw.append(ROW)));
            times[2].extend(each(SLICE, || commit(GROUP)));
            times[3].extend(each(SLICE, || raw.append(ROW * GROUP as usize)));
        }
        for (round, times) in rounds.iter_mut().zip(times) {
            round.push(median(&times));
        }
    }
    let [one, raw_one, group, raw_group] = rounds;
    show(&format!("{backend}: one row, synced"), "us", &one);
    show(&format!("{ROW} bytes appended, fdatasync"), "us", &raw_one);
    show("  ratio", "x", &ratios(&one, &raw_one));
    show(&format!("{backend}: {GROUP} batches in one commit"), "us", &group);
    show(&format!("the bytes of {GROUP} appended, fdatasync"), "us", &raw_group);
    show("  ratio", "x", &ratios(&group, &raw_group));
    let each: Vec<f64> = group.iter().map(|time| time / GROUP as f64).collect();
    show("  each of them", "us", &each);
    show("  beside one that is committed alone", "x", &ratios(&each, &one));
    println!();
}

fn history(dir: &Path, backend: Backend) {
    let mut store = create(dir, backend);
    let began = Instant::now();
    for first in (0..ROWS).step_by(500) {
        let mut changes = Changes::default();
        (first..first + 500).for_each(|number| put(&mut changes, number));
        store.commit(&changes).unwrap();
    }
    let rate = ROWS as f64 / began.elapsed().as_secs_f64();
    println!("{backend}: {ROWS} rows written in commits of 500: {rate:.0} a second");
    let began = Instant::now();
    store.close().unwrap();
    println!("{backend}: closed in {:.0} ms", began.elapsed().as_secs_f64() * 1e3);

    let [mut pages, mut newest, mut opened, mut cold, mut killed] = <[Vec<f64>; 5]>::default();
    for round in 0..ROUNDS as u64 {
        let store = open(dir);
        opened.push(millis(store.timings().open));
        let mut chance = round;
        pages.push(median(&each(PAGES, || {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            page(&store, PAGE as u64 + (chance >> 33) % (ROWS - PAGE as u64));
        })));
        newest.push(median(&each(PAGES, || page(&store, u64::MAX))));
        store.close().unwrap();
        forget_cached(&dir.join("store/rows"));
        let mut store = open(dir);
        cold.push(millis(store.timings().open));
        let mut changes = Changes::default();
        put(&mut changes, ROWS);
        store.commit(&changes).unwrap();
        // The files as a process that is killed leaves them.
        let copy = dir.join("killed");
        copy_dir(&dir.join("store"), &copy.join("store"));
        let other = open(&copy);
        killed.push(millis(other.timings().open));
        drop(other);
        fs::remove_dir_all(copy).unwrap();
        store.close().unwrap();
    }
    show(&format!("{backend}: a page of {PAGE} anywhere, p50"), "us", &pages);
    show(&format!("{backend}: the newest {PAGE}, p50"), "us", &newest);
    show_at_most(&format!("{backend}: opened after a clean stop, the key apart"), "ms", &opened, OPEN_WITHIN);
    show(&format!("{backend}: the same, read from the disk"), "ms", &cold);
    show(&format!("{backend}: opened after a kill"), "ms", &killed);
    println!();
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn page(store: &Store, before: u64) {
    let page = store.scan(&Scan::messages_back_from(CONVERSATION, before, PAGE)).unwrap();
    assert_eq!(page.rows.len(), PAGE);
}

/// Has the system forget what it keeps of files in memory.
fn forget_cached(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            let file = File::open(entry.path()).unwrap();
            file.sync_all().unwrap();
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        }
    }
}
