#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use std::sync::atomic::{AtomicU32, Ordering};

use kinfolk_engine::store::{Changes, KeyMaterial};
use kinfolk_wire::ids::{DeviceId, SessionId};

use super::*;
use crate::backend::{self, Backend, Visit};
use crate::profile::{self, Options, Unlock, Unlocked};
use crate::{Derivation, create};

/// Below the mark, which must not be mistaken for content.
const ROWS: u8 = 160;

/// A database that fails once its commits are used up, as a process that dies does.
struct Dying<'a> {
    inner: &'a dyn Disk,
    left: AtomicU32,
}

impl Disk for Dying<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.inner.get(key)
    }

    fn walk(&self, range: &KeyRange, backwards: bool, visit: Visit<'_>) -> Result<usize, Fault> {
        self.inner.walk(range, backwards, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), Fault> {
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
            return Err(Fault::Disk("dead".to_owned()));
        }
        self.inner.apply(batch)
    }

    fn settle(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn confirm(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Fault> {
        Ok(())
    }
}

fn session(outer: u8, inner: u8) -> Key {
    Key::Session(DeviceId::new([outer; 16]), SessionId::new([inner; 32]))
}

/// A profile of 800 rows, some of them long.
fn profile(dir: &std::path::Path, backend: Backend) -> (Unlocked, Box<dyn Disk>) {
    let mut store = create(dir, backend, Unlock::KeyFile, Options { derivation: Derivation::Least }).unwrap();
    for outer in 0..5 {
        let mut changes = Changes::default();
        for inner in 0..ROWS {
            let length = if inner % 40 == 0 { 9_000 } else { 20 };
            changes.put(session(outer, inner), KeyMaterial::new(&vec![inner; length]).into());
        }
        store.commit(&changes).unwrap();
    }
    store.close().unwrap();
    let unlocked = profile::unlock(dir, Unlock::KeyFile).unwrap();
    let disk = backend::open(backend, &unlocked.layout.rows()).unwrap();
    (unlocked, disk)
}

/// Not idempotent on purpose: each row shows how often it was met.
fn mark(key: &Key, record: &[u8]) -> Result<Migrated, String> {
    Ok(Migrated::Put(*key, [record, &[0xaa]].concat()))
}

fn drop_every_other(key: &Key, _: &[u8]) -> Result<Migrated, String> {
    match key {
        Key::Session(_, session) if session.as_bytes()[0] % 2 == 1 => Ok(Migrated::Delete),
        _ => Ok(Migrated::Keep),
    }
}

/// How many marks each record bears at its end.
fn marks(unlocked: &Unlocked, disk: &dyn Disk) -> Vec<usize> {
    let keys = &unlocked.keys;
    let mut out = Vec::new();
    disk.walk(&KeyRange { from: vec![1], until: Some(vec![PIECES]) }, false, &mut |at, head| {
        let text = keys.open(at, head, |index| disk.get(&piece_at(at, index)).map_err(Failed::Fault)).ok().unwrap();
        let record = Parts::read(&text).unwrap().record;
        out.push(record.iter().rev().take_while(|byte| **byte == 0xaa).count());
        ControlFlow::Continue(())
    })
    .unwrap();
    out
}

fn meta(unlocked: &Unlocked, disk: &dyn Disk) -> Meta {
    Meta::get(&unlocked.keys, disk).unwrap().unwrap()
}

#[test]
fn a_profile_of_this_schema_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (unlocked, disk) = profile(dir.path(), Backend::Redb);
    let mut known = meta(&unlocked, &*disk);
    let before = known.clone();
    assert!(!run(&*disk, &unlocked.keys, &mut known, MIGRATIONS).unwrap());
    assert_eq!((&known, meta(&unlocked, &*disk)), (&before, before.clone()));
}

#[test]
fn migrations_run_in_order_over_every_row_once() {
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        let (unlocked, disk) = profile(dir.path(), backend);
        let mut known = meta(&unlocked, &*disk);
        assert!(run(&*disk, &unlocked.keys, &mut known, &[mark, drop_every_other, mark]).unwrap());
        assert_eq!((known.schema, known.rows), (4, 5 * u64::from(ROWS) / 2));
        assert_eq!(meta(&unlocked, &*disk), known);
        let marks = marks(&unlocked, &*disk);
        assert_eq!(marks.len(), 5 * usize::from(ROWS) / 2);
        assert!(marks.iter().all(|marks| *marks == 2), "{backend}");
    }
}

#[test]
fn a_migration_that_dies_between_two_batches_goes_on_where_it_was() {
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        let (unlocked, disk) = profile(dir.path(), backend);
        let (mut deaths, mut known) = (0, meta(&unlocked, &*disk));
        loop {
            let dying = Dying { inner: &*disk, left: AtomicU32::new(1) };
            match run(&dying, &unlocked.keys, &mut known, &[mark, mark]) {
                Ok(_) => break,
                Err(MigrateError::Fault(Fault::Disk(_))) => deaths += 1,
                Err(other) => panic!("{other}"),
            }
            // What a new process knows is what is on the disk.
            known = meta(&unlocked, &*disk);
        }
        assert!(deaths >= 6, "{deaths}");
        assert!(marks(&unlocked, &*disk).iter().all(|marks| *marks == 2), "{backend}");
        assert_eq!(known.schema, 3);
    }
}

#[test]
fn a_row_that_cannot_be_migrated_stops_the_migration_by_name_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (unlocked, disk) = profile(dir.path(), Backend::Sled);
    let mut known = meta(&unlocked, &*disk);
    let before = known.clone();
    let error = run(&*disk, &unlocked.keys, &mut known, &[|_, _| Err("a field is missing".to_owned())]).unwrap_err();
    assert_eq!(error.to_string(), "from schema 1: Session: a field is missing");
    assert_eq!(meta(&unlocked, &*disk), before);
}

#[test]
fn rows_of_a_newer_schema_are_refused_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let (unlocked, disk) = profile(dir.path(), Backend::Redb);
    let mut known = Meta { schema: 7, ..meta(&unlocked, &*disk) };
    let error = run(&*disk, &unlocked.keys, &mut known, MIGRATIONS).unwrap_err();
    assert_eq!(error.to_string(), "the rows are of schema 7, this program knows schemas up to 1");
}

#[test]
fn the_schema_is_the_number_of_migrations_and_one() {
    assert_eq!(SCHEMA, u32::try_from(MIGRATIONS.len()).unwrap() + 1);
}
