//! What is left when the power goes.
//!
//! A child process makes a profile and commits to it under `strace`, telling in a file what was acknowledged. The
//! recorded calls are then replayed into a model of a disk that keeps only what was synced, plus whatever of the rest
//! chance lets through: whole writes, torn writes, or none. At random moments the disk is laid out in a directory and
//! opened: every acknowledged row must be there, every batch whole or absent.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail the test, and tell what they did"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kinfolk_engine::store::{Changes, Key, Message, MessageState, Read, Row, Scan};
use kinfolk_wire::ids::{ConversationId, IdentityId, MessageId};
use kinfolk_wire::time::Timestamp;

use crate::skip;
use crate::{Backend, Derivation, Options, Store, Unlock};
use disk::Disk;

mod chance;
mod disk;
mod trace;
mod votes;

const ROLE: &str = "KINFOLK_STORE_POWER_LOSS_CHILD";
const TRIALS: u64 = 96;
const TRACED: &str = "trace=openat,creat,write,pwrite64,pwritev,writev,fsync,fdatasync,sync_file_range,rename,renameat,\
                      renameat2,unlink,unlinkat,rmdir,ftruncate,mkdir,mkdirat";

/// What the child does with its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Adds lines, and writes some of them anew.
    Growing,
    /// Writes the same rows over and over, so that segments are emptied and used again.
    Churning,
}

impl Work {
    const fn batches(self) -> u64 {
        match self {
            Self::Growing => 150,
            Self::Churning => 120,
        }
    }

    /// The rows of a batch: where, and how long.
    fn rows(self, batch: u64) -> Vec<(u64, usize)> {
        match self {
            Self::Growing => {
                let long = if batch.is_multiple_of(10) { 9_000 } else { 300 };
                vec![(batch * 2, 300), (batch * 2 + 1, long), (batch % 7, 100)]
            }
            Self::Churning => (0..40).map(|row| ((batch * 17 + row) % 160, 3_000)).collect(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Growing => "growing",
            Self::Churning => "churning",
        }
    }
}

fn line(number: u64) -> Key {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Key::Message(ConversationId::new([1; 32]), number, IdentityId::new([2; 32]), MessageId::new(id))
}

/// A row tells which batch wrote it.
fn row(number: u64, batch: u64, length: usize) -> Row {
    let seed = number.wrapping_mul(1_000_003).wrapping_add(batch);
    let content = chance::Chance::new(seed).bytes(length);
    Message { content, state: MessageState::Queued, at: Timestamp::from_millis(batch) }.into()
}

fn child(dir: &Path, backend: Backend, work: Work) {
    let tell = |text: String| {
        use std::io::Write;
        let mut file = fs::OpenOptions::new().append(true).create(true).open(dir.join("acknowledged")).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let options = Options { derivation: Derivation::Least };
    let mut store = crate::create(&dir.join("profile"), backend, Unlock::KeyFile, options).unwrap();
    tell("made\n".to_owned());
    for batch in 0..work.batches() {
        let mut changes = Changes::default();
        for (number, length) in work.rows(batch) {
            changes.put(line(number), row(number, batch, length));
        }
        store.commit(&changes).unwrap();
        tell(format!("{batch}\n"));
        if batch == work.batches() / 2 {
            store.close().unwrap();
            store = crate::open(&dir.join("profile"), Unlock::KeyFile).unwrap();
        }
    }
    // The process ends here as a killed one does: nothing is closed.
    std::process::exit(0);
}

/// Runs the child under `strace` and returns what it did; nothing where there is no `strace`.
fn record(test: &str, dir: &Path, role: &str, only_flushes: bool) -> Option<Vec<trace::Event>> {
    let trace = dir.join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-xx", "-s", "4000000", "-e", TRACED, "-o"]).arg(&trace);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    command.env(ROLE, format!("{role} {}", dir.display()));
    if only_flushes {
        command.env("KINFOLK_STORE_ONLY_FLUSHES", "1");
    }
    let status = match command.stdout(Stdio::null()).status() {
        Ok(status) => status,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("strace: {error}"),
    };
    assert!(status.success(), "the recorded run failed: {status}");
    Some(trace::read(&fs::read_to_string(&trace).unwrap(), dir))
}

/// How many of the trials lost or tore something.
fn bad_outcomes(events: &[trace::Event], work: Work, seed: u64) -> u64 {
    let made = events.iter().position(|event| event.acknowledges() == Some("made\n")).unwrap();
    let mut bad = 0;
    for trial in 0..TRIALS {
        let mut chance = chance::Chance::new(seed.wrapping_add(trial));
        let until = made + 1 + chance.below(events.len() - made - 1);
        let mut disk = Disk::default();
        let mut acknowledged = None;
        for event in &events[..until] {
            match event.acknowledges() {
                Some(text) => acknowledged = text.trim().parse::<u64>().ok().or(acknowledged),
                None => disk.apply(event),
            }
        }
        let place = tempfile::tempdir().unwrap();
        disk.lay_out(place.path(), &mut chance);
        if let Err(what) = check(&place.path().join("profile"), work, acknowledged) {
            bad += 1;
            if bad <= 3 {
                println!("{} trial {trial}, {until} calls, acknowledged {acknowledged:?}: {what}", work.name());
            }
        }
    }
    bad
}

/// How often the beginning of a segment of sled's log was written again.
fn segments_reused(events: &[trace::Event]) -> usize {
    let mut begun = std::collections::BTreeSet::new();
    let starts = events.iter().filter_map(|event| match event {
        trace::Event::Write { path, at: trace::Place::At(offset), .. }
            if path.ends_with("db") && offset.is_multiple_of(512 << 10) =>
        {
            Some(*offset)
        }
        _ => None,
    });
    starts.filter(|offset| !begun.insert(*offset)).count()
}

/// Opens what is left and compares it with what was acknowledged.
fn check(profile: &Path, work: Work, acknowledged: Option<u64>) -> Result<(), String> {
    let store = crate::open(profile, Unlock::KeyFile).map_err(|error| error.to_string())?;
    let mut scan = Scan::messages_back_from(ConversationId::new([1; 32]), u64::MAX, usize::MAX);
    scan.backwards = false;
    let found = store.scan(&scan).map_err(|error| error.to_string())?;
    if found.damaged > 0 {
        return Err(format!("{} damaged rows", found.damaged));
    }
    // One batch may be on the disk that nobody heard of.
    let kept = acknowledged.map_or(0, |batch| batch + 1);
    let as_after = |batches: u64| {
        let mut expected = std::collections::BTreeMap::new();
        for batch in 0..batches {
            for (number, length) in work.rows(batch) {
                expected.insert(line(number), row(number, batch, length));
            }
        }
        expected
    };
    let found: std::collections::BTreeMap<Key, Row> = found.rows.into_iter().collect();
    if found == as_after(kept) || (kept < work.batches() && found == as_after(kept + 1)) {
        return usable(store);
    }
    Err(format!("{} rows that are not those after {kept} batches, nor after one more", found.len()))
}

fn usable(mut store: Store) -> Result<(), String> {
    let mut changes = Changes::default();
    changes.put(line(1_000_000), row(1, 1, 5_000));
    store.commit(&changes).map_err(|error| error.to_string())?;
    store.close().map_err(|error| error.to_string())
}

fn run(test: &str, backend: Backend, work: Work, only_flushes: bool) -> Option<u64> {
    if let Ok(role) = std::env::var(ROLE) {
        let mut parts = role.splitn(3, ' ');
        let work = if parts.next() == Some("growing") { Work::Growing } else { Work::Churning };
        let backend = parts.next().unwrap().parse().unwrap();
        child(&PathBuf::from(parts.next().unwrap()), backend, work);
    }
    let dir = tempfile::tempdir().unwrap();
    let role = format!("{} {backend}", work.name());
    let Some(events) = record(test, dir.path(), &role, only_flushes) else {
        skip::skip(test, "strace is not installed, so no run can be recorded for the replay of power losses");
        return None;
    };
    if (backend, work) == (Backend::Sled, Work::Churning) {
        assert!(segments_reused(&events) > 3, "the run is too short to say anything about segments used again");
    }
    let seed = 0x5eed;
    let bad = bad_outcomes(&events, work, seed);
    println!(
        "{backend}, {}: {bad} bad outcomes in {TRIALS} trials over {} calls, seed {seed:#x}",
        work.name(),
        events.len()
    );
    Some(bad)
}

#[test]
fn g01_no_acknowledged_row_is_lost_with_the_power_on_sled() {
    let test = "power_loss::g01_no_acknowledged_row_is_lost_with_the_power_on_sled";
    assert!(run(test, Backend::Sled, Work::Growing, false).is_none_or(|bad| bad == 0));
}

#[test]
fn g01_no_acknowledged_row_is_lost_with_the_power_while_sled_reuses_its_segments() {
    let test = "power_loss::g01_no_acknowledged_row_is_lost_with_the_power_while_sled_reuses_its_segments";
    assert!(run(test, Backend::Sled, Work::Churning, false).is_none_or(|bad| bad == 0));
}

#[test]
fn g01_no_acknowledged_row_is_lost_with_the_power_on_redb() {
    let test = "power_loss::g01_no_acknowledged_row_is_lost_with_the_power_on_redb";
    assert!(run(test, Backend::Redb, Work::Growing, false).is_none_or(|bad| bad == 0));
}

#[test]
fn g01_the_replay_catches_a_store_that_only_flushes() {
    let test = "power_loss::g01_the_replay_catches_a_store_that_only_flushes";
    assert!(run(test, Backend::Sled, Work::Growing, true).is_none_or(|bad| bad > TRIALS / 4));
}
