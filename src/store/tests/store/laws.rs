//! The port's laws: the store answers as the engine's own store in memory does.

use std::collections::BTreeMap;

use kinfolk_engine::store::{Alarm, Changes, Key, MemoryStore, Read, Row, Scan, Scanned, Table};
use kinfolk_store::{Backend, Store};
use kinfolk_wire::time::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::rows::*;

#[derive(Debug, Clone)]
enum Deed {
    Commit(Vec<(Key, Option<Row>)>),
    Reopen,
}

fn key_and_row() -> impl Strategy<Value = (Key, Option<Row>)> {
    let small = || 0u8..4;
    let length =
        prop_oneof![6 => 0usize..300, 2 => 3_300usize..3_700, 1 => 6_500usize..12_000, 1 => Just(200_000usize)];
    let content = (length, any::<u64>()).prop_map(|(length, seed)| bytes(length, seed));
    let kept = |strategy: BoxedStrategy<(Key, Row)>| (strategy, prop::bool::weighted(0.7));
    let any_row = prop_oneof![
        8 => (small(), 0u64..40, content.clone()).prop_map(|(talk, number, text)| (line(talk, number), message(&text))),
        2 => (small(), small(), content).prop_map(|(one, two, text)| (Key::Session(device(one), session(two)), secret(&text))),
        1 => any::<u64>().prop_map(|number| (Key::Counters, counters(number))),
        2 => (0u64..6, small()).prop_map(|(due, who)| timer(due, Alarm::Dial(device(who)))),
        2 => (0u64..6, small()).prop_map(|(due, who)| timer(due, Alarm::LinkStalled(peer(who)))),
        1 => (small(), small()).prop_map(|(who, at)| (Key::LinkOf(device(who)), peer(at).into())),
    ];
    kept(any_row.boxed()).prop_map(|((key, row), keep)| (key, keep.then_some(row)))
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        12 => prop::collection::vec(key_and_row(), 1..12).prop_map(Deed::Commit),
        1 => Just(Deed::Reopen),
    ]
}

fn scan() -> impl Strategy<Value = Scan> {
    let bound = || prop_oneof![3 => Just(None), 4 => (0u64..45).prop_map(Some)];
    let limit = prop_oneof![Just(usize::MAX), 0usize..20];
    let table = prop_oneof![
        4 => (0u8..4).prop_map(|talk| Scan::messages_back_from(conversation(talk), u64::MAX, 0)),
        2 => Just(Scan::timers_until(Timestamp::from_millis(u64::MAX), 0)),
    ];
    let ordered =
        (table, bound(), bound(), limit.clone(), any::<bool>()).prop_map(|(scan, from, until, limit, backwards)| {
            Scan { from: from.unwrap_or(0), until: until.unwrap_or(u64::MAX), limit, backwards, ..scan }
        });
    let whole = prop_oneof![Just(Table::Message), Just(Table::Session), Just(Table::Counters), Just(Table::LinkOf)]
        .prop_map(|table| Scan::all(table, usize::MAX));
    prop_oneof![4 => ordered, 1 => whole]
}

/// Among keys of one number the order is left open, and with it which of them a limit lets through.
fn agree(scan: &Scan, real: &Scanned, model: &MemoryStore) -> Result<(), TestCaseError> {
    let all = model.scan(&Scan { limit: usize::MAX, ..scan.clone() }).unwrap().rows;
    let expected = model.scan(scan).unwrap().rows;
    prop_assert_eq!(real.damaged, 0);
    prop_assert_eq!(real.rows.len(), expected.len());
    let places = |rows: &[(Key, Row)]| -> Vec<u64> { rows.iter().map(|(key, _)| scan.place(key).unwrap()).collect() };
    prop_assert_eq!(places(&real.rows), places(&expected));
    let all: BTreeMap<Key, Row> = all.into_iter().collect();
    let mut seen = Vec::new();
    for (key, row) in &real.rows {
        prop_assert_eq!(all.get(key), Some(row));
        prop_assert!(!seen.contains(key));
        seen.push(*key);
    }
    Ok(())
}

fn all_rows(store: &Store) -> BTreeMap<Key, Row> {
    let mut rows = BTreeMap::new();
    let report = store
        .export(|key, row| {
            rows.insert(key, row);
            Ok::<_, std::convert::Infallible>(())
        })
        .unwrap();
    assert_eq!((report.damaged, report.missing), (0, 0));
    assert_eq!(report.rows, store.rows());
    rows
}

#[test]
fn the_store_answers_as_the_store_in_memory_does() {
    for backend in Backend::ALL {
        let deeds = (prop::collection::vec(deed(), 1..16), prop::collection::vec(scan(), 12));
        let mut runner = TestRunner::new(Config { cases: 16, failure_persistence: None, ..Config::default() });
        let run = runner.run(&deeds, |(deeds, scans)| {
            let dir = tempfile::tempdir().unwrap();
            let mut store = create(dir.path(), backend);
            let mut model = MemoryStore::default();
            for deed in &deeds {
                match deed {
                    Deed::Commit(rows) => {
                        let mut changes = Changes::default();
                        for (key, row) in rows {
                            match row {
                                Some(row) => changes.put(*key, row.clone()),
                                None => changes.delete(*key),
                            }
                        }
                        store.commit(&changes).unwrap();
                        model.commit(&changes);
                    }
                    Deed::Reopen => {
                        store.close().unwrap();
                        store = open(dir.path());
                        model.forget_volatile();
                    }
                }
            }
            for (key, _) in
                deeds.iter().flat_map(|deed| if let Deed::Commit(rows) = deed { rows.as_slice() } else { &[] })
            {
                prop_assert_eq!(store.get(key).unwrap(), model.get(key).unwrap());
            }
            for scan in &scans {
                agree(scan, &store.scan(scan).unwrap(), &model)?;
            }
            let lasting: BTreeMap<Key, Row> =
                model.iter().filter(|(key, _)| !key.is_volatile()).map(|(key, row)| (*key, row.clone())).collect();
            prop_assert_eq!(all_rows(&store), lasting);
            Ok(())
        });
        if let Err(error) = run {
            panic!("{backend}: {error}");
        }
    }
}

#[test]
fn a_row_of_any_length_comes_back_after_a_restart_and_shrinks_without_a_trace() {
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        let mut store = create(dir.path(), backend);
        for length in [0, 3_400, 3_500, 7_000, 70_000, 250_000, 10_000, 1] {
            let row = message(&bytes(length, 5));
            put(&mut store, [(line(1, 1), row.clone())]);
            store.close().unwrap();
            store = open(dir.path());
            assert_eq!(store.get(&line(1, 1)).unwrap(), Some(row), "{backend}, {length} bytes");
            assert_eq!((all_rows(&store).len(), store.rows()), (1, 1));
        }
        delete(&mut store, [line(1, 1)]);
        assert_eq!((all_rows(&store).len(), store.rows()), (0, 0));
        assert_eq!(store.get(&line(1, 1)).unwrap(), None);
    }
}

#[test]
fn a_row_too_long_to_be_read_back_is_refused_with_its_limit_and_nothing_of_the_batch_stays() {
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        let mut store = create(dir.path(), backend);
        let mut changes = Changes::default();
        changes.put(line(1, 1), message(b"short"));
        changes.put(line(1, 2), message(&bytes(300_000, 1)));
        let error = store.commit(&changes).unwrap_err();
        assert_eq!(error.to_string(), "a row of Message has 300012 bytes, the most is 262145");
        assert_eq!((store.rows(), lines(&store, 1).len()), (0, 0));
    }
}

#[test]
fn volatile_rows_go_with_the_process_and_never_touch_the_disk() {
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        let mut store = create(dir.path(), backend);
        let (stalled, nothing) = timer(7, Alarm::LinkStalled(peer(1)));
        put(&mut store, [(Key::LinkOf(device(1)), peer(9).into()), (stalled, nothing)]);
        put(&mut store, [timer(8, Alarm::Housekeeping)]);
        assert_eq!(store.get(&Key::LinkOf(device(1))).unwrap(), Some(peer(9).into()));
        let timers = Scan::timers_until(Timestamp::from_millis(10), 10);
        assert_eq!(store.scan(&timers).unwrap().rows.len(), 2);
        assert_eq!(store.rows(), 1);
        store.close().unwrap();
        let store = open(dir.path());
        assert_eq!(store.get(&Key::LinkOf(device(1))).unwrap(), None);
        assert_eq!(store.scan(&timers).unwrap().rows.len(), 1);
    }
}

#[test]
fn a_page_of_the_last_fifty_is_the_last_fifty_newest_first() {
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        let mut store = create(dir.path(), backend);
        put(&mut store, (0..500).map(|number| (line(1, number), message(&number.to_be_bytes()))));
        put(&mut store, (0..500).map(|number| (line(2, number), message(b"another talk"))));
        let page = store.scan(&Scan::messages_back_from(conversation(1), 300, 50)).unwrap().rows;
        let expected: Vec<Key> = (251..=300).rev().map(|number| line(1, number)).collect();
        assert_eq!(page.iter().map(|(key, _)| *key).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_store_is_sent_to_the_thread_that_owns_it() {
    fn is_send<T: Send>() {}
    is_send::<Store>();
}
