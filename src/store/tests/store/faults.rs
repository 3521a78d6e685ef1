//! A disk that is full, fails or may not be written, and a process that may open no more files.
//!
//! What holds in all of them: a batch is acknowledged and stays, or is refused and is not there; the store goes on
//! reading; and it commits again without being opened anew once the fault is over.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use kinfolk_engine::store::{Changes, Read};
use kinfolk_store::{Backend, CommitError, CreateError, OpenError, Store, Unlock};

use super::rows::*;
use super::skip::skip;
use super::small_disk::{PLACE, fill_up, has, on_small_disk, place, with_open_files};

/// A batch: two short rows, a long one, and one that every batch writes.
fn batch(number: u64) -> Changes {
    let mut changes = Changes::default();
    changes.put(line(1, number), message(&bytes(300, number)));
    changes.put(line(2, number), message(&bytes(9_000, number)));
    changes.put(line(3, 0), message(&number.to_be_bytes()));
    changes
}

/// The batches that a store acknowledged, of those that it was given.
#[derive(Default)]
struct Kept {
    given: u64,
    acknowledged: Vec<u64>,
}

impl Kept {
    fn commit(&mut self, store: &mut Store) -> Result<(), CommitError> {
        let number = self.given;
        self.given += 1;
        store.commit(&batch(number))?;
        self.acknowledged.push(number);
        Ok(())
    }

    /// Commits until a batch is refused.
    fn commit_until_refused(&mut self, store: &mut Store) -> CommitError {
        loop {
            if let Err(error) = self.commit(store) {
                return error;
            }
            assert!(self.given < 20_000, "nothing is refused");
        }
    }

    /// Every acknowledged batch is there, whole; of the others nothing, and nothing else.
    fn check(&self, store: &Store) {
        self.check_lines(store);
        assert_eq!(store.rows(), 2 * self.acknowledged.len() as u64 + u64::from(!self.acknowledged.is_empty()));
    }

    fn check_lines(&self, store: &Store) {
        let expected = |talk, length| -> Vec<_> {
            self.acknowledged.iter().map(|number| (line(talk, *number), message(&bytes(length, *number)))).collect()
        };
        assert!(lines(store, 1) == expected(1, 300), "short rows are not those that were acknowledged");
        assert!(lines(store, 2) == expected(2, 9_000), "long rows are not those that were acknowledged");
        let last = self.acknowledged.last().map(|number| (line(3, 0), message(&number.to_be_bytes())));
        assert_eq!(lines(store, 3), last.into_iter().collect::<Vec<_>>());
    }
}

/// Batches that are committed before the disk becomes full.
const BEFORE: usize = 20;

/// A store with some batches on a disk that has just become full, and what took the space.
fn on_a_full_disk(dir: &Path, backend: Backend) -> (Store, Kept, PathBuf) {
    let mut store = create(dir, backend);
    let mut kept = Kept::default();
    for _ in 0..BEFORE {
        kept.commit(&mut store).unwrap();
    }
    (store, kept, fill_up(dir.parent().unwrap()))
}

/// Batches for which there is space at least when the disk has become full.
const RESERVED: usize = 20;

#[test]
fn g02_a_full_disk_refuses_batches_and_takes_them_again_when_there_is_space() {
    const TEST: &str = "faults::g02_a_full_disk_refuses_batches_and_takes_them_again_when_there_is_space";
    let Some(place) = place() else {
        return on_small_disk(TEST, "size=40m").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    for backend in Backend::ALL {
        let dir = place.join(backend.to_string());
        let (mut store, mut kept, filler) = on_a_full_disk(&dir, backend);
        let refused = kept.commit_until_refused(&mut store);
        assert_eq!(refused, CommitError::Full, "{backend}");
        assert_eq!(refused.to_string(), "the disk is full: nothing was changed; free some space and try again");
        let taken = kept.acknowledged.len() - BEFORE;
        println!("{backend}: {taken} batches were taken out of the reserve");
        assert!(taken >= RESERVED, "{backend}: only {taken} batches were taken out of the reserve");
        for _ in 0..5 {
            kept.check(&store);
            assert_eq!(kept.commit(&mut store), Err(CommitError::Full), "{backend}");
        }
        fs::remove_file(filler).unwrap();
        for _ in 0..5 {
            kept.commit(&mut store).unwrap();
        }
        kept.check(&store);
        store.close().unwrap();
        kept.check(&open(&dir));
        fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn g02_what_must_not_be_lost_is_kept_on_a_full_disk_out_of_the_reserve() {
    const TEST: &str = "faults::g02_what_must_not_be_lost_is_kept_on_a_full_disk_out_of_the_reserve";
    let Some(place) = place() else {
        return on_small_disk(TEST, "size=40m").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    let short = |number: u64| {
        let mut changes = Changes::default();
        changes.put(line(9, number), message(&bytes(300, number)));
        changes
    };
    for backend in Backend::ALL {
        let dir = place.join(backend.to_string());
        let (mut store, mut kept, filler) = on_a_full_disk(&dir, backend);
        assert_eq!(kept.commit_until_refused(&mut store), CommitError::Full);
        let number = kept.given - 1;
        assert_eq!(store.commit(&batch(number)), Err(CommitError::Full), "{backend}");
        store.commit_from_reserve(&batch(number)).unwrap();
        kept.acknowledged.push(number);
        let many = (0..100).take_while(|number| store.commit_from_reserve(&short(*number)).is_ok()).count();
        assert!(many >= 20, "{backend}: {many}");
        println!("{backend}: {many} short rows were kept");
        let all: Vec<_> = (0..many as u64).map(|number| (line(9, number), message(&bytes(300, number)))).collect();
        kept.check_lines(&store);
        assert!(lines(&store, 9) == all, "{backend}");
        drop(store);
        let mut store = open(&dir);
        assert!(lines(&store, 9) == all, "{backend}");
        fs::remove_file(filler).unwrap();
        kept.commit(&mut store).unwrap();
        store.close().unwrap();
        fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn g02_a_profile_opens_on_a_full_disk_and_commits_when_there_is_space() {
    const TEST: &str = "faults::g02_a_profile_opens_on_a_full_disk_and_commits_when_there_is_space";
    let Some(place) = place() else {
        return on_small_disk(TEST, "size=40m").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    for backend in Backend::ALL {
        for closes in [true, false] {
            let dir = place.join(backend.to_string());
            let (mut store, mut kept, filler) = on_a_full_disk(&dir, backend);
            assert_eq!(kept.commit_until_refused(&mut store), CommitError::Full);
            if closes {
                // Whether the files could be put in order is another matter than whether the rows are there.
                drop(store.close());
            } else {
                drop(store);
            }
            let mut store = open(&dir);
            kept.check(&store);
            // A database that is opened may give space back, and take a few batches more.
            assert_eq!(kept.commit_until_refused(&mut store), CommitError::Full, "{backend}");
            kept.check(&store);
            fs::remove_file(filler).unwrap();
            kept.commit(&mut store).unwrap();
            kept.check(&store);
            store.close().unwrap();
            kept.check(&open(&dir));
            fs::remove_dir_all(dir).unwrap();
        }
    }
}

#[test]
fn g02_a_profile_that_does_not_fit_is_not_made_and_leaves_nothing() {
    const TEST: &str = "faults::g02_a_profile_that_does_not_fit_is_not_made_and_leaves_nothing";
    let Some(place) = place() else {
        return on_small_disk(TEST, "size=1m").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    for backend in Backend::ALL {
        let error = kinfolk_store::create(&place, backend, Unlock::KeyFile, QUICK).unwrap_err();
        assert!(matches!(error, CreateError::Full { .. }), "{backend}: {error}");
        assert!(error.to_string().ends_with("is full; a profile needs some 10 MB to begin with"));
        assert!(!kinfolk_store::exists(&place) && !place.join("store.unfinished").exists());
    }
}

#[test]
fn g02_a_disk_with_no_file_left_to_give_loses_nothing() {
    const TEST: &str = "faults::g02_a_disk_with_no_file_left_to_give_loses_nothing";
    let Some(place) = place() else {
        return on_small_disk(TEST, "size=64m,nr_inodes=64").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    for backend in Backend::ALL {
        let dir = place.join(backend.to_string());
        let mut store = create(&dir, backend);
        let mut kept = Kept::default();
        let files: Vec<PathBuf> =
            (0..).map(|number| place.join(number.to_string())).take_while(|path| File::create(path).is_ok()).collect();
        assert!((10..64).contains(&files.len()), "{}", files.len());
        for _ in 0..50 {
            kept.commit(&mut store).unwrap();
        }
        drop(store);
        match kinfolk_store::open(&dir, Unlock::KeyFile) {
            Ok(store) => kept.check(&store),
            Err(error) => assert!(matches!(error, OpenError::Full), "{backend}: {error}"),
        }
        for file in files {
            fs::remove_file(file).unwrap();
        }
        let mut store = open(&dir);
        kept.check(&store);
        kept.commit(&mut store).unwrap();
        kept.check(&store);
        store.close().unwrap();
        fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn g02_a_file_system_that_may_only_be_read_is_named_and_nothing_is_lost() {
    const TEST: &str = "faults::g02_a_file_system_that_may_only_be_read_is_named_and_nothing_is_lost";
    let Some(place) = place() else {
        return on_small_disk(TEST, "size=64m").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    let remount = |how: &str| {
        let options = format!("remount,{how}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&place).status().unwrap().success());
    };
    for backend in Backend::ALL {
        let dir = place.join(backend.to_string());
        let mut store = create(&dir, backend);
        let mut kept = Kept::default();
        for _ in 0..10 {
            kept.commit(&mut store).unwrap();
        }
        store.close().unwrap();
        remount("ro");
        let error = kinfolk_store::open(&dir, Unlock::KeyFile).unwrap_err();
        assert!(matches!(error, OpenError::Disk(_)), "{backend}: {error}");
        assert!(error.to_string().contains("Read-only file system"), "{error}");
        let made = kinfolk_store::create(&place.join("other"), backend, Unlock::KeyFile, QUICK).unwrap_err();
        assert!(made.to_string().contains("Read-only file system"), "{made}");
        remount("rw");
        let mut store = open(&dir);
        kept.check(&store);
        kept.commit(&mut store).unwrap();
        kept.check(&store);
        store.close().unwrap();
    }
}

#[test]
fn g02_a_process_that_may_open_no_more_files_goes_on_with_those_it_has() {
    const TEST: &str = "faults::g02_a_process_that_may_open_no_more_files_goes_on_with_those_it_has";
    let Some(place) = place() else {
        return with_open_files(TEST, 64).unwrap_or_else(|reason| skip(TEST, &reason));
    };
    for backend in Backend::ALL {
        let (dir, other) = (place.join(backend.to_string()), place.join(format!("other-{backend}")));
        create(&other, backend).close().unwrap();
        let mut store = create(&dir, backend);
        let mut kept = Kept::default();
        let files: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        assert!((10..64).contains(&files.len()), "{}", files.len());
        for _ in 0..50 {
            kept.commit(&mut store).unwrap();
        }
        kept.check(&store);
        let error = kinfolk_store::open(&other, Unlock::KeyFile).unwrap_err();
        assert!(error.to_string().contains("Too many open files"), "{backend}: {error}");
        drop(files);
        open(&other).close().unwrap();
        kept.commit(&mut store).unwrap();
        kept.check(&store);
        store.close().unwrap();
        kept.check(&open(&dir));
    }
}

/// A fault of the disk: which calls on the database's file fail, with what, and from which on.
const FAULTS: [(&str, &str, &str); 7] = [
    ("pwrite64", "EIO", "12..14"),
    ("pwrite64", "EIO", "15"),
    ("pwrite64", "ENOSPC", "13..18"),
    ("pwrite64", "EROFS", "14..24"),
    ("fdatasync", "EIO", "20..22"),
    ("fdatasync", "EIO", "25"),
    ("fdatasync", "ENOSPC", "21..24"),
];

#[test]
fn g02_calls_that_fail_refuse_whole_batches_and_the_store_goes_on() {
    const TEST: &str = "faults::g02_calls_that_fail_refuse_whole_batches_and_the_store_goes_on";
    if let Some(place) = place() {
        return through_faults(&place);
    }
    if !has("strace") {
        return skip(TEST, "strace is not installed, so no call can be made to fail");
    }
    for backend in Backend::ALL {
        let file = if backend == Backend::Sled { "store/rows/db" } else { "store/rows/redb" };
        let mut met = 0;
        for (call, error, when) in
            FAULTS.into_iter().filter(|(call, ..)| backend == Backend::Redb || !IN_REDB.contains(call))
        {
            let dir = tempfile::tempdir().unwrap();
            create(dir.path(), backend).close().unwrap();
            let trace = dir.path().join("trace");
            let mut command = Command::new("strace");
            command.args(["-f", "-qq", "-o"]).arg(&trace).arg("-P").arg(dir.path().join(file));
            command.args(["-e", &format!("trace={call},fadvise64")]);
            command.args(["-e", &format!("inject={call}:error={error}:when={when}")]);
            command.arg(std::env::current_exe().unwrap()).args(["--exact", TEST, "--nocapture"]);
            let output = command.env(PLACE, dir.path()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success(),
                "{backend}, {call} with {error} at {when}: {:?}\n{said}\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
            let calls = fs::read_to_string(&trace).unwrap();
            let injected = calls.matches("(INJECTED)").count();
            // What a failed sync left in memory is not read again as if it were on the disk.
            let (forgotten, asked) = (calls.matches("fadvise64(").count(), "POSIX_FADV_DONTNEED");
            assert!(injected == 0 || (forgotten > 0 && calls.contains(asked)), "{backend}, {call}: {calls}");
            let told = said.lines().find_map(|line| line.strip_prefix("told ")).unwrap().to_owned();
            println!("{backend}: {call} {error} at {when}: {injected} calls failed; {told}");
            met += usize::from(injected > 0);
        }
        let expected = if backend == Backend::Sled { 3 } else { 7 };
        assert!(met >= expected, "{backend}: only {met} of the faults were met");
    }
}

#[test]
fn g02_a_disk_that_cannot_be_read_is_named_and_costs_nothing_when_it_can_again() {
    const TEST: &str = "faults::g02_a_disk_that_cannot_be_read_is_named_and_costs_nothing_when_it_can_again";
    if let Some(place) = place() {
        let opened = kinfolk_store::open(&place, Unlock::KeyFile);
        println!("\ntold {}", opened.map_or_else(|error| error.to_string(), |_| "nothing".to_owned()));
        return;
    }
    if !has("strace") {
        return skip(TEST, "strace is not installed, so no call can be made to fail");
    }
    for (backend, file) in [(Backend::Sled, "db"), (Backend::Redb, "redb")] {
        for closes in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let mut store = create(dir.path(), backend);
            let mut kept = Kept::default();
            for _ in 0..30 {
                kept.commit(&mut store).unwrap();
            }
            if closes {
                store.close().unwrap();
            } else {
                drop(store);
            }
            let mut named = 0;
            for when in ["1+", "1", "2", "3..5", "4+"] {
                let mut command = Command::new("strace");
                command.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(dir.path().join("store/rows").join(file));
                command.args(["-e", "trace=pread64", "-e", &format!("inject=pread64:error=EIO:when={when}")]);
                command.arg(std::env::current_exe().unwrap()).args(["--exact", TEST, "--nocapture"]);
                let output = command.env(PLACE, dir.path()).output().unwrap();
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "{backend}, {when}: {said}");
                let told = said.lines().find_map(|line| line.strip_prefix("told ")).unwrap();
                println!("{backend}, reads fail at {when}: {told}");
                named += usize::from(told != "nothing");
                let clear = ["nothing", "the profile cannot be read: ", "the profile is damaged: "];
                assert!(clear.iter().any(|begin| told.starts_with(begin)), "{backend}, {when}: {told}");
            }
            assert!(named > 0, "{backend}: no read failed");
            let mut store = open(dir.path());
            kept.check(&store);
            kept.commit(&mut store).unwrap();
            kept.check(&store);
        }
    }
}

/// Faults that go on: each thread that sled starts meets them again, so that they end with the process only.
const LASTING: [(&str, &str, &str); 4] = [
    ("pwrite64", "EIO", "12..14"),
    ("pwrite64", "EIO", "9+"),
    ("pwrite64", "ENOSPC", "13..18"),
    ("fdatasync", "EIO", "20+"),
];
/// Batches that are given to a store while its disk fails.
const GIVEN: u64 = 150;
/// How long one of them may take: far longer than any does, which is to open the database again a few times.
const PATIENCE: Duration = Duration::from_secs(100);

#[test]
fn g02_sled_never_waits_for_ever_for_a_disk_that_fails_and_keeps_what_it_acknowledged() {
    const TEST: &str = "faults::g02_sled_never_waits_for_ever_for_a_disk_that_fails_and_keeps_what_it_acknowledged";
    if let Some(place) = place() {
        return give_all(&place);
    }
    if !has("strace") {
        return skip(TEST, "strace is not installed, so no call can be made to fail");
    }
    for (call, error, when) in LASTING {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), Backend::Sled).close().unwrap();
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(dir.path().join("store/rows/db"));
        command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:error={error}:when={when}")]);
        command.arg(std::env::current_exe().unwrap()).args(["--exact", TEST, "--nocapture"]);
        let mut child = command.env(PLACE, dir.path()).stdout(Stdio::piped()).spawn().unwrap();
        let (tell, heard) = mpsc::sync_channel(1);
        let out = BufReader::new(child.stdout.take().unwrap());
        let listening = thread::spawn(move || {
            let said =
                out.lines().map_while(Result::ok).filter_map(|line| line.strip_prefix("said ").map(str::to_owned));
            said.for_each(|said| tell.send(said).unwrap());
        });
        let what = format!("{call} with {error} at {when}");
        let mut kept = Kept::default();
        loop {
            match heard.recv_timeout(PATIENCE) {
                Ok(said) => {
                    if said == "kept" {
                        kept.acknowledged.push(kept.given);
                    }
                    kept.given += 1;
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    child.kill().unwrap();
                    panic!("{what}: batch {} is still waited for", kept.given);
                }
            }
        }
        listening.join().unwrap();
        assert!(child.wait().unwrap().success(), "{what}");
        assert_eq!(kept.given, GIVEN, "{what}");
        println!("sled, {what}: {} of {GIVEN} batches kept", kept.acknowledged.len());
        assert!(kept.acknowledged.len() < usize::try_from(GIVEN).unwrap(), "{what}: no batch was refused");
        let mut store = open(dir.path());
        // A batch in doubt is taken back by the next that succeeds, which this process, not knowing of it, does not.
        let refused = lines(&store, 1).len() as u64 - kept.acknowledged.len() as u64;
        assert!(refused <= 1, "{what}: {refused} refused batches are there");
        if refused == 0 {
            kept.check(&store);
            kept.commit(&mut store).unwrap();
            kept.check(&store);
        }
        store.close().unwrap();
    }
}

fn give_all(profile: &Path) {
    let mut store = (0..50).find_map(|_| kinfolk_store::open(profile, Unlock::KeyFile).ok()).unwrap();
    for number in 0..GIVEN {
        let outcome = if store.commit(&batch(number)).is_ok() { "kept" } else { "refused" };
        let mut out = std::io::stdout();
        writeln!(out, "\nsaid {outcome}").unwrap();
        out.flush().unwrap();
    }
    // Closing would only try again.
    std::process::exit(0);
}

/// Calls that are made to fail under redb only: now and then sled waits for ever for a write that failed.
const IN_REDB: [&str; 1] = ["pwrite64"];

/// Commits that must succeed one after the other before the faults count as over: the calls that fail are counted in each
/// thread of the database by itself.
const IN_A_ROW: usize = 60;

/// Commits while calls fail, until none has failed for a while.
fn through_faults(profile: &Path) {
    let mut store = (0..50).find_map(|_| kinfolk_store::open(profile, Unlock::KeyFile).ok()).unwrap();
    let (mut kept, mut refusals, mut unread) = (Kept::default(), Vec::new(), 0);
    let mut in_a_row = 0;
    while in_a_row < IN_A_ROW {
        assert!(kept.given < 2_000, "the faults never end");
        match kept.commit(&mut store) {
            Ok(()) => in_a_row += 1,
            Err(error) => {
                assert!(matches!(error, CommitError::Full | CommitError::Disk(_)), "{error}");
                assert!(error.to_string().contains("try again"), "{error}");
                refusals.push(error.to_string());
                in_a_row = 0;
            }
        }
        // Where the disk fails once more while the database is looked into, that is said; and a refused batch that it
        // took is taken back by the next commit that succeeds.
        if in_a_row > 0 {
            kept.check(&store);
        } else if store.get(&line(1, 0)).is_err() {
            unread += 1;
        }
    }
    kept.check(&store);
    drop(store);
    let store = open(profile);
    kept.check(&store);
    refusals.dedup();
    println!(
        "\ntold {} of {} batches kept, {unread} looks failed, refused: {refusals:?}",
        kept.acknowledged.len(),
        kept.given
    );
}
