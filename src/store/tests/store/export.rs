//! Everything out and in again, on another back-end too.

use kinfolk_engine::store::{Key, Read, Row};
use kinfolk_store::{Backend, ExportError, ImportError};

use super::rows::*;

fn rows() -> Vec<(Key, Row)> {
    let mut rows: Vec<(Key, Row)> = (0..1_200)
        .map(|number| (line(1, number), message(&bytes(if number % 100 == 0 { 20_000 } else { 200 }, number))))
        .collect();
    rows.push((Key::Counters, counters(9)));
    rows.push((Key::Session(device(1), session(1)), secret(b"ratchet")));
    rows
}

#[test]
fn rows_go_from_each_back_end_to_each() {
    for from in Backend::ALL {
        for to in Backend::ALL {
            let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let mut store = create(old.path(), from);
            put(&mut store, rows());
            let mut other = create(new.path(), to);
            let report = store.copy_to(&mut other).unwrap();
            assert_eq!((report.rows, report.damaged, report.missing), (1_202, 0, 0), "{from} to {to}");
            other.close().unwrap();
            let other = open(new.path());
            for (key, row) in rows() {
                assert_eq!(other.get(&key).unwrap(), Some(row));
            }
            assert_eq!(other.rows(), 1_202);
        }
    }
}

#[test]
fn rows_are_imported_into_a_new_profile_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path(), Backend::Redb);
    assert_eq!(store.import(rows()).unwrap(), 1_202);
    assert_eq!(store.import(rows()), Err(ImportError::NotEmpty { rows: 1_202 }));
    assert_eq!(store.rows(), 1_202);
}

#[test]
fn an_export_stops_where_the_one_who_takes_the_rows_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = create(dir.path(), Backend::Sled);
    put(&mut store, rows());
    let mut taken = 0;
    let stopped = store.export(|_, _| {
        taken += 1;
        if taken == 7 { Err("full") } else { Ok(()) }
    });
    assert_eq!((stopped, taken), (Err(ExportError::Sink("full")), 7));
}
