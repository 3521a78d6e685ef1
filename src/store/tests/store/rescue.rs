//! A damaged profile made into a new one: what is saved, what is not brought back, and what is refused.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use kinfolk_crypto::SkippedKeyId;
use kinfolk_engine::store::{Key, Prekey, PrekeyKind, Read, Row};
use kinfolk_store::{Backend, OpenError, Rescue, RescueFailed, RescueReport, Unlock};
use kinfolk_wire::time::Timestamp;

use super::copy::copy_dir;
use super::profile::PASSPHRASE;
use super::rows::*;
use super::skip::skip;
use super::small_disk::{PLACE, has, place};

fn rescue<'a>(from: &'a Path, to: &'a Path) -> Rescue<'a> {
    let unlock = Unlock::KeyFile;
    Rescue { from, unlock, to, backend: None, options: QUICK, accepts_loss: false }
}

fn run(rescue: Rescue<'_>) -> Result<RescueReport, RescueFailed> {
    rescue.run(&mut |_| {})
}

/// The row that says whose a profile is. What stands in it is nothing to the store.
fn somebody() -> (Key, Row) {
    (Key::Profile, super::rows::profile())
}

/// Writes a conversation and whose profile it is.
fn fill(store: &mut kinfolk_store::Store, lines: u64) {
    put(store, [somebody()]);
    for number in 0..lines {
        let length = if number % 40 == 0 { 9_000 } else { 300 };
        put(store, [(line(1, number), message(&bytes(length, number)))]);
    }
}

#[test]
fn a_sound_profile_is_carried_over_whole_to_each_database_and_nothing_deleted_comes_back() {
    for from in Backend::ALL {
        for to in Backend::ALL {
            let dir = tempfile::tempdir().unwrap();
            let (old, new) = (dir.path().join("old"), dir.path().join("new"));
            let mut store = kinfolk_store::create(&old, from, PASSPHRASE, QUICK).unwrap();
            fill(&mut store, 200);
            delete(&mut store, (0..50).map(|number| line(1, number)));
            store.close().unwrap();
            let before = lines(&kinfolk_store::open(&old, PASSPHRASE).unwrap(), 1);
            let mut told = 0;
            let rescue = Rescue { unlock: PASSPHRASE, backend: Some(to), ..rescue(&old, &new) };
            let report = rescue.run(&mut |rows| told = rows).unwrap();
            let whole = RescueReport { listed: 151, raw: 0, damaged: 0, expected: Some(151), lost_commits: 0 };
            assert_eq!((report, told), (whole, 151), "{from} to {to}");
            assert!(matches!(kinfolk_store::open(&new, Unlock::KeyFile), Err(OpenError::NeedsPassphrase)));
            let store = kinfolk_store::open(&new, PASSPHRASE).unwrap();
            assert_eq!(store.backend(), to);
            assert!(lines(&store, 1) == before && before.len() == 150, "{from} to {to}");
            let names = fs::read_dir(&new).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            assert_eq!(names, ["lock", "store"], "{from} to {to}");
        }
    }
}

#[test]
fn g03_an_older_copy_of_the_database_is_noticed_and_saved_only_where_the_loss_is_accepted() {
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        let (rows, copy) = (old.join("store/rows"), dir.path().join("copy"));
        let mut store = create(&old, backend);
        put(&mut store, [somebody(), (line(1, 1), message(b"old"))]);
        store.close().unwrap();
        copy_dir(&rows, &copy);
        let mut store = open(&old);
        for number in 2..5 {
            put(&mut store, [(line(1, number), message(b"new"))]);
        }
        store.close().unwrap();
        fs::remove_dir_all(&rows).unwrap();
        copy_dir(&copy, &rows);
        let error = kinfolk_store::open(&old, Unlock::KeyFile).unwrap_err();
        assert!(matches!(error, OpenError::LostCommits { expected: 4, found: 1 }), "{error}");
        assert!(error.to_string().ends_with("save what can be read with `kinfolk rescue NEWDIR`"), "{error}");
        let error = run(rescue(&old, &new)).unwrap_err();
        assert!(matches!(&error, RescueFailed::CommitsLost { report } if report.lost_commits == 3), "{error}");
        assert!(!new.exists(), "{backend}: something of a refused rescue is left");
        let report = run(Rescue { accepts_loss: true, ..rescue(&old, &new) }).unwrap();
        assert_eq!((report.listed, report.lost_commits), (2, 3));
        assert_eq!(lines(&open(&new), 1), [(line(1, 1), message(b"old"))]);
    }
}

#[test]
fn g03_keys_that_were_spent_do_not_come_back_from_the_raw_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    let mut store = create(&old, Backend::Redb);
    fill(&mut store, 50);
    let prekey = |kind, id| {
        let made_at = Timestamp::from_millis(1);
        let secret = kinfolk_engine::store::KeyMaterial::new(b"prekey");
        (Key::Prekey(kind, id), Prekey { secret, made_at, replaced_at: None }.into())
    };
    let spent = [
        (Key::Session(device(1), session(1)), secret(b"ratchet")),
        (Key::SkippedKey(session(1), SkippedKeyId::from_bytes([0, 0, 0, 7])), secret(b"skipped")),
        prekey(PrekeyKind::OneTime, 3),
    ];
    put(&mut store, spent.clone());
    put(&mut store, [prekey(PrekeyKind::Signed, 4)]);
    delete(&mut store, spent.iter().map(|(key, _)| *key));
    store.close().unwrap();
    // Without its first page redb knows nothing of its rows.
    let file = fs::OpenOptions::new().write(true).open(old.join("store/rows/redb")).unwrap();
    file.write_all_at(&[0; 4_096], 0).unwrap();
    let error = kinfolk_store::open(&old, Unlock::KeyFile).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(error.to_string().ends_with("save what can be read with `kinfolk rescue NEWDIR`"), "{error}");
    let report = run(rescue(&old, &new)).unwrap();
    assert_eq!((report.listed, report.raw, report.expected, report.lost_commits), (0, 52, Some(52), 0));
    let store = open(&new);
    assert_eq!(lines(&store, 1).len(), 50);
    assert!(store.get(&Key::Prekey(PrekeyKind::Signed, 4)).unwrap().is_some());
    for (key, _) in spent {
        assert_eq!(store.get(&key).unwrap(), None, "{key:?}");
    }
}

#[test]
fn g03_a_marker_that_cannot_be_read_keeps_no_rescue_from_its_rows() {
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        let mut store = create(&old, backend);
        fill(&mut store, 20);
        store.close().unwrap();
        fs::write(old.join("store/format"), b"kinfolk prof").unwrap();
        assert!(matches!(kinfolk_store::open(&old, Unlock::KeyFile), Err(OpenError::Foreign { .. })));
        assert!(!kinfolk_store::asks_for_passphrase(&old).unwrap());
        assert_eq!(run(rescue(&old, &new)).unwrap().listed, 21);
        let store = open(&new);
        assert_eq!((store.backend(), lines(&store, 1).len()), (backend, 20));
    }
}

#[test]
fn a_rescue_that_is_refused_leaves_both_places_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    let mut store = kinfolk_store::create(&old, Backend::Sled, PASSPHRASE, QUICK).unwrap();
    put(&mut store, [(line(1, 1), message(b"hello"))]);
    let with = |unlock| Rescue { unlock, ..rescue(&old, &new) };
    let open = |error: &RescueFailed| match error {
        RescueFailed::Open(error) => error.to_string(),
        other => panic!("{other}"),
    };
    let error = run(with(PASSPHRASE)).unwrap_err();
    assert!(open(&error).starts_with("a node is running on the profile in "), "{error}");
    store.close().unwrap();
    assert_eq!(open(&run(with(Unlock::Passphrase("wrong"))).unwrap_err()), "wrong passphrase");
    assert!(!new.exists());

    fs::create_dir(&new).unwrap();
    fs::write(new.join("letter.txt"), b"dear Bea").unwrap();
    assert!(matches!(run(with(PASSPHRASE)), Err(RescueFailed::NotEmpty { .. })));
    let file = new.join("letter.txt");
    assert!(matches!(run(Rescue { to: &file, ..with(PASSPHRASE) }), Err(RescueFailed::NotEmpty { .. })));
    assert_eq!(fs::read(&file).unwrap(), b"dear Bea");
    let inside = old.join("new");
    assert!(matches!(run(Rescue { to: &inside, ..with(PASSPHRASE) }), Err(RescueFailed::Inside { .. })));
    fs::remove_file(file).unwrap();

    let error = run(with(PASSPHRASE)).unwrap_err();
    assert!(matches!(&error, RescueFailed::NobodysProfile { report } if report.listed == 1), "{error}");
    assert_eq!(fs::read_dir(&new).unwrap().count(), 0, "an empty directory that was there stays, and stays empty");
    let store = kinfolk_store::open(&old, PASSPHRASE).unwrap();
    assert_eq!(lines(&store, 1), [(line(1, 1), message(b"hello"))]);
}

/// Reads of the database's file that fail, of some tens.
const UNREAD: &str = "6..9";

#[test]
fn g03_blocks_that_the_disk_does_not_give_cost_their_own_rows_only() {
    const TEST: &str = "rescue::g03_blocks_that_the_disk_does_not_give_cost_their_own_rows_only";
    const LINES: u64 = 4_000;
    if let Some(place) = place() {
        let report = run(Rescue { accepts_loss: true, ..rescue(&place.join("old"), &place.join("new")) }).unwrap();
        println!("\n{report:?}");
        return;
    }
    if !has("strace") {
        return skip(TEST, "strace is not installed, so no call can be made to fail");
    }
    for (backend, file) in [(Backend::Sled, "db"), (Backend::Redb, "redb")] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = create(&dir.path().join("old"), backend);
        put(&mut store, [somebody()]);
        for hundred in 0..LINES / 100 {
            let numbers = hundred * 100..(hundred + 1) * 100;
            put(&mut store, numbers.map(|number| (line(1, number), message(&bytes(600, number)))));
        }
        store.close().unwrap();
        let trace = dir.path().join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(&trace).arg("-P").arg(dir.path().join("old/store/rows").join(file));
        command.args(["-e", "trace=pread64", "-e", &format!("inject=pread64:error=EIO:when={UNREAD}")]);
        command.arg(std::env::current_exe().unwrap()).args(["--exact", TEST, "--nocapture"]);
        let output = command.env(PLACE, dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{backend}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
        let injected = fs::read_to_string(&trace).unwrap().matches("(INJECTED)").count();
        assert!(injected > 0, "{backend}: no read failed");
        let saved = lines(&open(&dir.path().join("new")), 1);
        for (key, row) in &saved {
            let Key::Message(_, number, ..) = key else { panic!("{key:?}") };
            assert_eq!(*row, message(&bytes(600, *number)), "{backend}: line {number} is altered");
        }
        println!("{backend}: {injected} reads failed, {} of {LINES} lines saved", saved.len());
        assert!(saved.len() as u64 * 10 >= LINES * 9, "{backend}: {} lines", saved.len());
    }
}
