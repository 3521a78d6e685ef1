//! A store without a disk.

use std::collections::BTreeMap;

use super::{Change, Changes, Key, Read, ReadError, Row, Scan, Scanned, Segment, Table};

/// A store in memory, for the simulator and for tests: what a real one does, without sealing or disk.
#[derive(Debug, Default, Clone)]
pub struct MemoryStore {
    rows: BTreeMap<Vec<u8>, (Key, Row)>,
}

/// A key as bytes whose order is the order of scans.
fn path(table: Table, segments: &[Segment]) -> Vec<u8> {
    let mut path = vec![table.number()];
    for segment in segments {
        match segment {
            Segment::Name { bytes, .. } => path.extend_from_slice(bytes),
            Segment::Order(order) => path.extend_from_slice(&order.to_be_bytes()),
        }
    }
    path
}

impl MemoryStore {
    /// Applies a batch.
    pub fn commit(&mut self, changes: &Changes) {
        for (key, change) in changes {
            let path = path(key.table(), &key.segments());
            match change {
                Change::Put(row) => {
                    self.rows.insert(path, (*key, row.clone()));
                }
                Change::Delete => {
                    self.rows.remove(&path);
                }
            }
        }
    }

    /// Forgets what is volatile, as the end of a process does.
    pub fn forget_volatile(&mut self) {
        self.rows.retain(|_, (key, _)| !key.is_volatile());
    }

    /// All rows, in the order of scans.
    pub fn iter(&self) -> impl Iterator<Item = &(Key, Row)> {
        self.rows.values()
    }
}

impl Read for MemoryStore {
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
        Ok(self.rows.get(&path(key.table(), &key.segments())).map(|(_, row)| row.clone()))
    }

    fn scan(&self, scan: &Scan) -> Result<Scanned, ReadError> {
        let prefix = path(scan.table, &scan.prefix);
        let under = self.rows.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        let matching = under.filter(|(_, (key, _))| scan.place(key).is_some()).map(|(_, found)| found.clone());
        let rows = if scan.backwards {
            let mut all: Vec<(Key, Row)> = matching.collect();
            all.reverse();
            all.truncate(scan.limit);
            all
        } else {
            matching.take(scan.limit).collect()
        };
        Ok(Scanned { rows, damaged: 0 })
    }
}
