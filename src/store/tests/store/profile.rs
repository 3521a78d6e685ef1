//! Profiles: made, opened, locked, refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use kinfolk_engine::store::Read;
use kinfolk_store::{
    Backend, ChangeError, CreateError, OpenError, Unlock, change_passphrase, exists, needs_passphrase,
};

use super::rows::*;

pub(crate) const PASSPHRASE: Unlock<'_> = Unlock::Passphrase("correct horse battery staple");

/// Every path under a directory, with its permissions.
fn modes(dir: &Path) -> Vec<(String, bool, u32)> {
    let mut out = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        let name = entry.path().display().to_string();
        out.push((name, metadata.is_dir(), metadata.permissions().mode() & 0o777));
        if metadata.is_dir() {
            out.extend(modes(&entry.path()));
        }
    }
    out
}

#[test]
fn a_passphrase_opens_what_it_made_and_nothing_else_does() {
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        let mut store = kinfolk_store::create(dir.path(), backend, PASSPHRASE, QUICK).unwrap();
        put(&mut store, [(line(1, 1), message(b"hello"))]);
        store.close().unwrap();
        assert!(needs_passphrase(dir.path()).unwrap());
        let open = |unlock| kinfolk_store::open(dir.path(), unlock);
        for wrong in ["correct horse battery stapl", "", "Correct horse battery staple"] {
            assert!(matches!(open(Unlock::Passphrase(wrong)), Err(OpenError::WrongPassphrase)));
        }
        assert!(matches!(open(Unlock::KeyFile), Err(OpenError::NeedsPassphrase)));
        let store = open(PASSPHRASE).unwrap();
        assert_eq!(store.get(&line(1, 1)).unwrap(), Some(message(b"hello")));
        assert_eq!((store.backend(), store.schema(), store.rows()), (backend, 1, 1));
    }
}

#[test]
fn the_time_of_the_derivation_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    kinfolk_store::create(dir.path(), Backend::Redb, PASSPHRASE, QUICK).unwrap().close().unwrap();
    let timings = kinfolk_store::open(dir.path(), PASSPHRASE).unwrap().timings();
    assert!(timings.unlock > Duration::ZERO && timings.open > Duration::ZERO, "{timings:?}");
}

#[test]
fn a_key_file_opens_a_profile_without_a_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), Backend::Sled).close().unwrap();
    assert!(!needs_passphrase(dir.path()).unwrap());
    assert!(matches!(kinfolk_store::open(dir.path(), PASSPHRASE), Err(OpenError::NoPassphrase)));
    open(dir.path()).close().unwrap();
    let key = dir.path().join("store/key");
    let bytes = fs::read(&key).unwrap();
    fs::write(&key, &bytes[..31]).unwrap();
    assert!(matches!(kinfolk_store::open(dir.path(), Unlock::KeyFile), Err(OpenError::KeysDamaged { .. })));
    fs::write(&key, [9; 32]).unwrap();
    assert!(matches!(kinfolk_store::open(dir.path(), Unlock::KeyFile), Err(OpenError::KeysDamaged { .. })));
    fs::write(&key, bytes).unwrap();
    open(dir.path()).close().unwrap();
}

#[test]
fn everything_of_a_profile_is_for_its_owner_only() {
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("new/profile");
        let mut store = create(&place, backend);
        put(&mut store, (0..3_000).map(|number| (line(1, number), message(&bytes(500, number)))));
        store.close().unwrap();
        let closed = modes(&place);
        let store = open(&place);
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
        let modes = modes(&place);
        assert!(modes.iter().any(|(name, ..)| name.ends_with("store/key")));
        for (name, is_dir, mode) in modes.into_iter().chain(closed) {
            assert_eq!(mode, if is_dir { 0o700 } else { 0o600 }, "{name}");
        }
        drop(store);
    }
}

#[test]
fn a_profile_is_not_made_over_another() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path(), Backend::Sled);
    put(&mut store, [(line(1, 1), message(b"still here"))]);
    let busy = kinfolk_store::create(dir.path(), Backend::Redb, Unlock::KeyFile, QUICK);
    assert!(matches!(busy, Err(CreateError::Busy { process: Some(process), .. }) if process == std::process::id()));
    store.close().unwrap();
    let again = kinfolk_store::create(dir.path(), Backend::Redb, Unlock::KeyFile, QUICK);
    assert!(matches!(again, Err(CreateError::Exists { .. })));
    fs::remove_file(dir.path().join("store/format")).unwrap();
    let again = kinfolk_store::create(dir.path(), Backend::Redb, Unlock::KeyFile, QUICK);
    assert!(matches!(again, Err(CreateError::Exists { .. })), "a lost marker is no reason to begin anew");
}

#[test]
fn a_directory_of_other_things_is_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt;

    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("letters");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.join("letter.txt"), "dear Ben").unwrap();
    let made = kinfolk_store::create(&dir, Backend::Sled, Unlock::KeyFile, QUICK);
    assert!(matches!(made, Err(CreateError::Foreign { .. })));
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    fs::remove_file(dir.join("letter.txt")).unwrap();
    create(&dir, Backend::Sled).close().unwrap();
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn what_a_crash_left_of_a_profile_in_the_making_does_not_stand_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let half = dir.path().join("store.unfinished/rows");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("db"), b"half of something").unwrap();
    assert!(!exists(dir.path()));
    create(dir.path(), Backend::Sled).close().unwrap();
    assert!(exists(dir.path()) && !dir.path().join("store.unfinished").exists());
}

#[test]
fn an_empty_passphrase_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let made = kinfolk_store::create(dir.path(), Backend::Sled, Unlock::Passphrase(""), QUICK);
    assert!(matches!(made, Err(CreateError::EmptyPassphrase)));
    assert!(!exists(dir.path()));
}

#[test]
fn what_is_no_profile_is_called_so_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let open = |path: &Path| kinfolk_store::open(path, Unlock::KeyFile);
    assert!(matches!(open(dir.path()), Err(OpenError::NotAProfile { .. })));
    assert!(matches!(open(&dir.path().join("nowhere")), Err(OpenError::NotAProfile { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    fs::create_dir(dir.path().join("store")).unwrap();
    for marker in [&b"SQLite format 3\0"[..], b"", &[0xff; 9_000], b"kinfolk profile\nschema x\n", b"kinfolk profile"] {
        fs::write(dir.path().join("store/format"), marker).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
        assert!(matches!(needs_passphrase(dir.path()), Err(OpenError::Foreign { .. })));
    }
}

#[test]
fn a_newer_schema_is_refused_by_its_number_before_anything_is_unlocked() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), Backend::Sled).close().unwrap();
    fs::write(dir.path().join("store/format"), "kinfolk profile\nschema 3\nstore punched-cards\n").unwrap();
    let error = kinfolk_store::open(dir.path(), Unlock::KeyFile).unwrap_err();
    assert!(matches!(error, OpenError::NewerSchema { found: 3, known: 1 }));
    assert_eq!(
        error.to_string(),
        "the profile is of schema 3, this program knows schemas up to 1; use a newer program"
    );
}

#[test]
fn g04_a_damaged_vault_is_refused_at_every_byte_and_at_every_length() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), Backend::Redb).close().unwrap();
    let vault = dir.path().join("store/vault");
    let bytes = fs::read(&vault).unwrap();
    let refused = |what: String| {
        let error = kinfolk_store::open(dir.path(), Unlock::KeyFile).unwrap_err();
        assert!(matches!(error, OpenError::KeysDamaged { .. }), "{what}: {error}");
    };
    for index in 0..bytes.len() {
        let mut other = bytes.clone();
        other[index] ^= 0x40;
        fs::write(&vault, other).unwrap();
        refused(format!("byte {index}"));
    }
    for length in (0..bytes.len()).step_by(7) {
        fs::write(&vault, &bytes[..length]).unwrap();
        refused(format!("{length} bytes"));
    }
    fs::write(&vault, [bytes.as_slice(), &[0; 1 << 20]].concat()).unwrap();
    refused("a megabyte more".to_owned());
    fs::remove_file(&vault).unwrap();
    refused("no vault".to_owned());
    fs::write(&vault, bytes).unwrap();
    open(dir.path()).close().unwrap();
}

#[test]
fn g04_the_vault_of_another_profile_does_not_open_this_one() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&one, &two] {
        kinfolk_store::create(dir.path(), Backend::Redb, PASSPHRASE, QUICK).unwrap().close().unwrap();
    }
    fs::copy(one.path().join("store/vault"), two.path().join("store/vault")).unwrap();
    let error = kinfolk_store::open(two.path(), PASSPHRASE).unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[test]
fn changing_the_passphrase_rewrites_one_slot_and_no_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = kinfolk_store::create(dir.path(), Backend::Redb, PASSPHRASE, QUICK).unwrap();
    put(&mut store, [(line(1, 1), message(b"hello"))]);
    store.close().unwrap();
    let rows = || fs::read(dir.path().join("store/rows/redb")).unwrap();
    let (before, change) = (rows(), |from, to| change_passphrase(dir.path(), from, to, QUICK));
    assert!(matches!(change(Unlock::Passphrase("wrong"), "new"), Err(ChangeError::Open(OpenError::WrongPassphrase))));
    assert!(matches!(change(PASSPHRASE, ""), Err(ChangeError::EmptyPassphrase)));
    change(PASSPHRASE, "new").unwrap();
    assert!(rows() == before);
    assert!(matches!(kinfolk_store::open(dir.path(), PASSPHRASE), Err(OpenError::WrongPassphrase)));
    let store = kinfolk_store::open(dir.path(), Unlock::Passphrase("new")).unwrap();
    assert_eq!(store.get(&line(1, 1)).unwrap(), Some(message(b"hello")));
}

#[test]
fn a_profile_with_a_key_file_can_be_given_a_passphrase_even_while_it_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = create(dir.path(), Backend::Sled);
    change_passphrase(dir.path(), Unlock::KeyFile, "now there is one", QUICK).unwrap();
    store.close().unwrap();
    assert!(needs_passphrase(dir.path()).unwrap() && !dir.path().join("store/key").exists());
    assert!(matches!(kinfolk_store::open(dir.path(), Unlock::KeyFile), Err(OpenError::NeedsPassphrase)));
    kinfolk_store::open(dir.path(), Unlock::Passphrase("now there is one")).unwrap();
}

#[test]
fn a_change_of_passphrase_that_died_half_way_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    kinfolk_store::create(dir.path(), Backend::Redb, PASSPHRASE, QUICK).unwrap().close().unwrap();
    fs::write(dir.path().join("store/vault.new"), b"half a vau").unwrap();
    kinfolk_store::open(dir.path(), PASSPHRASE).unwrap().close().unwrap();
    change_passphrase(dir.path(), PASSPHRASE, "new", QUICK).unwrap();
    kinfolk_store::open(dir.path(), Unlock::Passphrase("new")).unwrap();
}

#[test]
fn g03_a_forged_anchor_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path(), Backend::Redb);
    put(&mut store, [(line(1, 1), message(b"here"))]);
    store.close().unwrap();
    let anchor = dir.path().join("store/anchor");
    let mut bytes = fs::read(&anchor).unwrap();
    bytes[0] ^= 0x80;
    fs::write(&anchor, &bytes).unwrap();
    open(dir.path()).close().unwrap();
    fs::remove_file(&anchor).unwrap();
    open(dir.path()).close().unwrap();
}

#[test]
fn g05_nothing_that_was_written_can_be_read_in_the_files() {
    let canaries: [&[u8]; 4] = [b"the canary sings at midnight", &[1; 16], &[0xc7; 16], b"KEYMATERIALCANARY"];
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        let mut store = kinfolk_store::create(dir.path(), backend, PASSPHRASE, QUICK).unwrap();
        for number in 0..200 {
            let row = message(&canaries[0].repeat(1 + number as usize % 400));
            put(&mut store, [(line(1, number), row), (line(0xc7, number), message(canaries[0]))]);
        }
        let session = kinfolk_engine::store::Key::Session(device(0xc7), session(0xc7));
        put(&mut store, [(session, secret(canaries[3]))]);
        store.close().unwrap();
        drop(kinfolk_store::open(dir.path(), PASSPHRASE).unwrap());
        let mut files = 0;
        for (name, is_dir, _) in modes(dir.path()) {
            if is_dir {
                continue;
            }
            let bytes = fs::read(&name).unwrap();
            for canary in canaries.iter().chain([&b"correct horse".as_slice()]) {
                assert!(!bytes.windows(canary.len()).any(|window| window == *canary), "{backend}: {name}");
            }
            files += 1;
        }
        assert!(files >= 6);
    }
}

#[test]
fn g05_what_prints_of_a_store_shows_no_row_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path(), Backend::Redb);
    put(&mut store, [(line(1, 1), message(b"canary"))]);
    assert_eq!(format!("{store:?}"), "Store { backend: Redb, rows: 1, .. }");
    assert_eq!(format!("{PASSPHRASE:?}"), "Passphrase(..)");
}
