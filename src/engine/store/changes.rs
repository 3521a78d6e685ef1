//! What a turn changes, and a store as it looks with that.

use std::collections::{BTreeMap, btree_map};
use std::iter::FlatMap;

use super::{Key, Read, ReadError, Row, Scan, Scanned, Table};

/// What becomes of a key.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "nearly every change is a row; boxing each would cost more than it saves")]
pub enum Change {
    /// It has this row.
    Put(Row),
    /// It has none.
    Delete,
}

/// What a turn, or several, changed: committed as one batch or not at all.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    tables: BTreeMap<Table, OfTable>,
}

type OfTable = BTreeMap<Key, Change>;

/// The changes in the order of their keys.
type InOrder<'a> = FlatMap<
    btree_map::Values<'a, Table, OfTable>,
    btree_map::Iter<'a, Key, Change>,
    fn(&'a OfTable) -> btree_map::Iter<'a, Key, Change>,
>;

impl Changes {
    /// Sets a row.
    pub fn put(&mut self, key: Key, row: Row) {
        self.tables.entry(key.table()).or_default().insert(key, Change::Put(row));
    }

    /// Takes a row away.
    pub fn delete(&mut self, key: Key) {
        self.tables.entry(key.table()).or_default().insert(key, Change::Delete);
    }

    /// What became of a key, if anything did.
    #[must_use]
    pub fn find(&self, key: &Key) -> Option<&Change> {
        self.tables.get(&key.table())?.get(key)
    }

    /// What became of the keys of a table.
    fn of_table(&self, table: Table) -> impl Iterator<Item = (&Key, &Change)> {
        self.tables.get(&table).into_iter().flatten()
    }

    /// Lays later changes over these.
    pub fn extend(&mut self, later: Self) {
        for (table, changes) in later.tables {
            self.tables.entry(table).or_default().extend(changes);
        }
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.values().all(BTreeMap::is_empty)
    }

    /// How many keys changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.values().map(BTreeMap::len).sum()
    }

    /// The changes in the order of their keys.
    pub fn iter(&self) -> InOrder<'_> {
        self.tables.values().flat_map(BTreeMap::iter)
    }
}

impl<'a> IntoIterator for &'a Changes {
    type Item = (&'a Key, &'a Change);
    type IntoIter = InOrder<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A store with changes laid over it that are not committed yet.
pub struct Overlay<'a> {
    /// What is under the changes.
    pub base: &'a dyn Read,
    /// What lies over it.
    pub changes: &'a Changes,
}

impl Read for Overlay<'_> {
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
        match self.changes.find(key) {
            Some(Change::Put(row)) => Ok(Some(row.clone())),
            Some(Change::Delete) => Ok(None),
            None => self.base.get(key),
        }
    }

    fn scan(&self, scan: &Scan) -> Result<Scanned, ReadError> {
        let mut laid: Vec<(u64, Key, &Change)> = self
            .changes
            .of_table(scan.table)
            .filter_map(|(key, change)| scan.place(key).map(|order| (order, *key, change)))
            .collect();
        if laid.is_empty() {
            return self.base.scan(scan);
        }
        // What is put stands in for what it hides; only what is taken away makes room for more from under it.
        let gone = laid.iter().filter(|(_, _, change)| matches!(change, Change::Delete)).count();
        let wider = Scan { limit: scan.limit.saturating_add(gone), ..scan.clone() };
        let Scanned { rows, damaged } = self.base.scan(&wider)?;
        laid.sort_by_key(|(order, ..)| *order);
        let mut merged: Vec<(u64, Key, Row)> = rows
            .into_iter()
            .filter(|(key, _)| self.changes.find(key).is_none())
            .map(|(key, row)| (scan.place(&key).unwrap_or_default(), key, row))
            .collect();
        for (order, key, change) in laid {
            if let Change::Put(row) = change {
                merged.push((order, key, row.clone()));
            }
        }
        if scan.backwards {
            merged.sort_by_key(|(order, ..)| std::cmp::Reverse(*order));
        } else {
            merged.sort_by_key(|(order, ..)| *order);
        }
        merged.truncate(scan.limit);
        Ok(Scanned { rows: merged.into_iter().map(|(_, key, row)| (key, row)).collect(), damaged })
    }
}
