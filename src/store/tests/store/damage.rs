//! Damage to the files of the database: bits flipped, blocks exchanged, ends cut off, files gone.
//!
//! Whatever was done to them, a profile that opens shows each row as it was last written or says that it is damaged or
//! missing, and counts what it could give out. One that does not open is left as it is for a rescue, which gives out
//! only rows that were written.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use kinfolk_engine::store::{Key, Read, ReadError, Row};
use kinfolk_store::{Backend, OpenError, Unlock, rescue};

use super::copy::copy_dir;
use super::rows::*;

/// Offsets at which a bit is flipped.
const OFFSETS: usize = 100;
/// Lines that are written once, and lines that every round writes again.
const LINES: u64 = 600;
const ROUNDS: u64 = 4;
const REWRITTEN: u64 = 50;

/// Every version of every row that a profile of these tests has held, the newest last.
fn versions() -> BTreeMap<Key, Vec<Row>> {
    let mut versions: BTreeMap<Key, Vec<Row>> = BTreeMap::new();
    for round in 0..ROUNDS {
        for (key, row) in rows_of(round) {
            versions.entry(key).or_default().push(row);
        }
    }
    versions
}

fn rows_of(round: u64) -> Vec<(Key, Row)> {
    let share = LINES / ROUNDS;
    let new = (round * share..(round + 1) * share).map(|number| {
        let length = if number % 40 == 0 { 9_000 } else { 300 };
        (line(1, number), message(&bytes(length, number)))
    });
    let again = (0..REWRITTEN).map(|number| (line(2, number), message(&bytes(300, 1_000_000 * round + number))));
    let session = (Key::Session(device(3), session(3)), secret(&bytes(2_000, 7_000_000 + round)));
    new.chain(again).chain([session]).collect()
}

/// Writes all rounds, in commits of ten rows.
fn fill(dir: &Path, backend: Backend) -> kinfolk_store::Store {
    let mut store = create(dir, backend);
    for round in 0..ROUNDS {
        for rows in rows_of(round).chunks(10) {
            put(&mut store, rows.to_vec());
        }
    }
    store
}

/// A profile after a clean stop.
fn stopped(dir: &Path, backend: Backend) {
    fill(dir, backend).close().unwrap();
}

/// A profile as a process that was killed leaves it.
fn killed(dir: &Path, backend: Backend) {
    let work = dir.join("work");
    let store = fill(&work, backend);
    copy_dir(&work, dir);
    drop(store);
    fs::remove_dir_all(work).unwrap();
}

/// How the process that wrote a profile ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Stopped,
    Killed,
}

impl Ended {
    fn make(self, dir: &Path, backend: Backend) {
        match self {
            Self::Stopped => stopped(dir, backend),
            Self::Killed => killed(dir, backend),
        }
    }
}

/// What a look at a profile gave.
#[derive(Debug, Default, Clone, Copy)]
struct Outcome {
    opened: bool,
    rows: usize,
    /// Rows that were shown as they were some commits ago.
    old: usize,
}

/// The files of the database, one behind the other.
struct Files {
    files: Vec<(PathBuf, u64)>,
}

impl Files {
    fn of(profile: &Path) -> Self {
        let mut files = Vec::new();
        for entry in fs::read_dir(profile.join("store/rows")).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                files.push((entry.path(), entry.metadata().unwrap().len()));
            }
        }
        files.sort();
        Self { files }
    }

    fn length(&self) -> u64 {
        self.files.iter().map(|(_, length)| length).sum()
    }

    fn largest(&self) -> (PathBuf, u64) {
        self.files.iter().max_by_key(|(_, length)| *length).unwrap().clone()
    }

    /// What a clean stop leaves of sled's log, so that the next opening need not read it.
    fn snapshot(&self) -> Option<Vec<u8>> {
        let named = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with("snap.");
        self.files.iter().find(|(path, _)| named(path)).map(|(path, _)| fs::read(path).unwrap())
    }

    /// Flips one bit.
    fn flip(&self, mut offset: u64, bit: u8) {
        for (path, length) in &self.files {
            if offset < *length {
                let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
                let mut byte = [0];
                file.read_exact_at(&mut byte, offset).unwrap();
                file.write_all_at(&[byte[0] ^ 1 << bit], offset).unwrap();
                return;
            }
            offset -= length;
        }
        panic!("no byte there");
    }

    fn contents(&self) -> Vec<Vec<u8>> {
        self.files.iter().map(|(path, _)| fs::read(path).unwrap()).collect()
    }
}

/// Random places, from a seed that is shown.
fn chances(seed: u64, count: usize) -> impl Iterator<Item = (u64, u8)> {
    let bytes = bytes(count * 9, seed);
    let numbers: Vec<(u64, u8)> =
        bytes.chunks_exact(9).map(|chunk| (u64::from_be_bytes(chunk[..8].try_into().unwrap()), chunk[8] % 8)).collect();
    numbers.into_iter()
}

/// Opens a damaged profile and holds it to what is promised.
///
/// Where sled reads its log, for want of the snapshot that a clean stop leaves, it passes over an entry that is damaged
/// and takes the page as it was before: a row `may_be_old` then, as it was some commits ago. It is never anything that
/// was not written.
fn look(profile: &Path, versions: &BTreeMap<Key, Vec<Row>>, may_be_old: bool, what: &str) -> Outcome {
    let mut old = 0;
    let mut check = |key: &Key, row: &Row, count: bool| {
        let written = versions.get(key).map_or(&[][..], Vec::as_slice);
        if written.last() != Some(row) {
            assert!(may_be_old && written.contains(row), "{what}: an altered row, {key:?}");
            old += usize::from(count);
        }
    };
    match kinfolk_store::open(profile, Unlock::KeyFile) {
        Ok(store) => {
            let mut given = BTreeMap::new();
            let report = store.export(|key, row| {
                assert!(given.insert(key, row).is_none(), "{what}: a row was given out twice");
                Ok::<_, Infallible>(())
            });
            let report = report.unwrap();
            given.iter().for_each(|(key, row)| check(key, row, true));
            assert_eq!(report.rows, given.len() as u64, "{what}");
            let lost = versions.len() - given.len();
            assert_eq!(lost > 0, report.damaged + report.missing > 0, "{what}: {lost} rows lost, and {report:?}");
            for key in versions.keys() {
                match store.get(key) {
                    Ok(Some(row)) => check(key, &row, false),
                    // redb trusts its pages after a clean stop: one that leads to others and is damaged may hide rows.
                    Ok(None) => {
                        assert!(what.starts_with("redb") || !given.contains_key(key), "{what}: a row is hidden")
                    }
                    Err(ReadError::Damaged { .. }) => {}
                    Err(error) => panic!("{what}: {error}"),
                }
            }
            for scanned in [lines(&store, 1), lines(&store, 2)] {
                // The same goes for the order in which redb lists what stands on pages that changed places.
                let sorted = scanned.is_sorted_by(|one, two| number_of(one.0) < number_of(two.0));
                assert!(what.starts_with("redb") || sorted, "{what}: out of order");
                scanned.iter().for_each(|(key, row)| check(key, row, false));
            }
            drop(store);
            // What an export misses, and says that it misses, a rescue looks for in the raw bytes.
            let rows = if lost > 0 { rescued(profile, versions, what).max(given.len()) } else { given.len() };
            Outcome { opened: true, rows, old }
        }
        Err(OpenError::Damaged { .. } | OpenError::LostCommits { .. }) => {
            Outcome { opened: false, rows: rescued(profile, versions, what), old }
        }
        Err(error) => panic!("{what}: {error}"),
    }
}

fn number_of(key: Key) -> u64 {
    match key {
        Key::Message(_, number, ..) => number,
        other => panic!("{other:?}"),
    }
}

/// Rescues what can be, and counts it: nothing but rows that were written, each once.
fn rescued(profile: &Path, versions: &BTreeMap<Key, Vec<Row>>, what: &str) -> usize {
    let mut given = BTreeMap::new();
    let report = rescue(profile, Unlock::KeyFile, &profile.join("copied"), |key, row, _| {
        assert!(given.insert(key, row).is_none(), "{what}: a row was rescued twice");
        Ok::<_, Infallible>(())
    });
    let report = report.unwrap();
    for (key, row) in &given {
        assert!(versions[key].contains(row), "{what}: a row was rescued that nobody wrote");
    }
    assert_eq!(report.listed + report.raw, given.len() as u64, "{what}");
    given.len()
}

/// A database that gives up on damage panics, and that is caught: no word of it is for whoever runs the tests.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !kinfolk_store::contains_panics() {
                loud(panic);
            }
        }));
    });
}

/// Damages copies of a profile in as many ways as told, and looks at each; at least this share of rows must come out.
fn trials(ended: Ended, ways: u64, least: f64, damage: impl Fn(&Files, u64)) {
    quiet();
    for backend in Backend::ALL {
        let place = tempfile::tempdir().unwrap();
        let whole = place.path().join("whole");
        ended.make(&whole, backend);
        let versions = versions();
        let (mut opened, mut fewest, mut old) = (0, usize::MAX, 0);
        for way in 0..ways {
            let copy = whole_copy(&whole, place.path());
            let files = Files::of(&copy);
            let snapshot = files.snapshot();
            damage(&files, way);
            let may_be_old = backend == Backend::Sled && (ended == Ended::Killed || files.snapshot() != snapshot);
            let outcome = look(&copy, &versions, may_be_old, &format!("{backend}, way {way}"));
            old += outcome.old;
            opened += usize::from(outcome.opened);
            fewest = fewest.min(outcome.rows);
        }
        let share = fewest as f64 / versions.len() as f64;
        println!(
            "{backend}: {opened} of {ways} opened, at worst {fewest} of {} rows came out, {old} old",
            versions.len()
        );
        assert!(share >= least, "{backend}: {fewest} of {} rows", versions.len());
    }
}

fn whole_copy(whole: &Path, place: &Path) -> PathBuf {
    let copy = place.join("copy");
    if copy.exists() {
        fs::remove_dir_all(&copy).unwrap();
    }
    copy_dir(whole, &copy);
    copy
}

fn flip_one(files: &Files, way: u64) {
    let (offset, bit) = chances(0x3b17_0000 + way, 1).next().unwrap();
    files.flip(offset % files.length(), bit);
}

#[test]
fn g03_a_bit_flipped_at_any_of_a_hundred_offsets_alters_no_row_and_the_others_come_out() {
    trials(Ended::Stopped, OFFSETS as u64, 0.9, flip_one);
}

#[test]
fn g03_a_bit_flipped_after_a_kill_alters_no_row_and_the_others_come_out() {
    trials(Ended::Killed, OFFSETS as u64, 0.9, flip_one);
}

#[test]
fn g03_bits_flipped_at_a_hundred_offsets_at_once_alter_nothing_and_most_rows_come_out() {
    trials(Ended::Stopped, 5, 0.5, |files, way| {
        for (offset, bit) in chances(0x3b18_0000 + way, OFFSETS) {
            files.flip(offset % files.length(), bit);
        }
    });
}

#[test]
fn g03_blocks_that_change_places_alter_no_row() {
    const BLOCK: u64 = 4_096;
    trials(Ended::Stopped, 20, 0.5, |files, way| {
        let (path, length) = files.largest();
        let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut places = chances(0x3b19_0000 + way, 2).map(|(place, _)| place % (length / BLOCK) * BLOCK);
        let (one, two) = (places.next().unwrap(), places.next().unwrap());
        let block = |at| {
            let mut block = [0; BLOCK as usize];
            file.read_exact_at(&mut block, at).unwrap();
            block
        };
        let (first, second) = (block(one), block(two));
        file.write_all_at(&second, one).unwrap();
        file.write_all_at(&first, two).unwrap();
    });
}

#[test]
fn g03_an_end_that_is_cut_off_alters_no_row() {
    trials(Ended::Killed, 20, 0.0, |files, way| {
        let (path, length) = files.largest();
        let (place, _) = chances(0x3b1a_0000 + way, 1).next().unwrap();
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(place % length).unwrap();
    });
}

#[test]
fn g03_a_database_file_that_is_gone_or_empty_is_damage_and_no_new_one_is_made() {
    for backend in Backend::ALL {
        let place = tempfile::tempdir().unwrap();
        stopped(place.path(), backend);
        let (file, _) = Files::of(place.path()).largest();
        for emptied in [true, false] {
            if emptied {
                fs::write(&file, b"").unwrap();
            } else {
                fs::remove_file(&file).unwrap();
            }
            for _ in 0..2 {
                let error = kinfolk_store::open(place.path(), Unlock::KeyFile).unwrap_err();
                assert!(matches!(error, OpenError::Damaged { .. }), "{backend}: {error}");
                assert!(error.to_string().contains("is gone or empty"), "{backend}: {error}");
            }
            assert_eq!(fs::metadata(&file).map(|metadata| metadata.len()).ok(), emptied.then_some(0), "{backend}");
            assert_eq!(rescued(place.path(), &versions(), "gone"), 0);
        }
    }
}

#[test]
fn g03_a_database_that_is_refused_keeps_for_a_rescue_what_it_had() {
    let versions = versions();
    quiet();
    for backend in Backend::ALL {
        let place = tempfile::tempdir().unwrap();
        let whole = place.path().join("whole");
        killed(&whole, backend);
        let mut refused = 0;
        for way in 0..20 {
            let copy = whole_copy(&whole, place.path());
            let files = Files::of(&copy);
            for (offset, bit) in chances(0x3b1b_0000 + way, 4) {
                files.flip(offset % files.length(), bit);
            }
            let what = format!("{backend}, way {way}");
            let before = files.contents();
            if kinfolk_store::open(&copy, Unlock::KeyFile).is_ok() {
                continue;
            }
            refused += 1;
            if backend == Backend::Redb {
                assert!(files.contents() == before, "{what}: the file was changed");
            }
            let after = rescued(&copy, &versions, &what);
            for ((path, _), bytes) in files.files.iter().zip(before) {
                fs::write(path, bytes).unwrap();
            }
            let untouched = rescued(&copy, &versions, &what);
            assert!(after >= untouched, "{what}: {after} rows after it was opened, {untouched} before");
        }
        println!("{backend}: {refused} of 20 refused");
        assert!(refused > 0, "{backend}: none was refused, so nothing is shown");
    }
}
