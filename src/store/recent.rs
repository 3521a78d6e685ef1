//! Rows that nearly every turn reads, kept open in memory: who we are, whom we talk to, and the sessions. They are what
//! is on the disk; whatever makes that doubtful empties the memory. Key material in them is wiped when it goes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use kinfolk_engine::store::{Change, Changes, Key, Row, Table};

/// Rows at most; more than that many conversations are rarely under way at once.
const ROWS: usize = 512;

#[derive(Default)]
pub(crate) struct Recent {
    rows: RefCell<BTreeMap<Key, Row>>,
}

impl Recent {
    pub(crate) fn get(&self, key: &Key) -> Option<Row> {
        self.rows.borrow().get(key).cloned()
    }

    /// A row was read from the disk.
    pub(crate) fn read(&self, key: &Key, row: &Row) {
        if is_kept(key.table()) {
            self.keep(key, row);
        }
    }

    /// Changes are on the disk.
    pub(crate) fn committed(&self, changes: &Changes) {
        for (key, change) in changes.iter().filter(|(key, _)| is_kept(key.table())) {
            match change {
                Change::Put(row) => self.keep(key, row),
                Change::Delete => drop(self.rows.borrow_mut().remove(key)),
            }
        }
    }

    pub(crate) fn forget(&self) {
        self.rows.borrow_mut().clear();
    }

    fn keep(&self, key: &Key, row: &Row) {
        let mut rows = self.rows.borrow_mut();
        if rows.len() >= ROWS && !rows.contains_key(key) {
            rows.clear();
        }
        rows.insert(*key, row.clone());
    }
}

const fn is_kept(table: Table) -> bool {
    matches!(
        table,
        Table::Profile
            | Table::Counters
            | Table::Contact
            | Table::Device
            | Table::Peer
            | Table::Session
            | Table::Conversation
            | Table::PendingReceipts
    )
}

#[cfg(test)]
mod tests {
    use kinfolk_engine::store::{Counters, Nothing};
    use kinfolk_wire::ids::DeviceId;

    use super::*;

    fn counters(last_event: u64) -> Row {
        Counters { last_event, ..Counters::default() }.into()
    }

    #[test]
    fn what_was_committed_or_read_last_is_what_is_there() {
        let recent = Recent::default();
        recent.read(&Key::Counters, &counters(1));
        assert_eq!(recent.get(&Key::Counters), Some(counters(1)));
        let mut changes = Changes::default();
        changes.put(Key::Counters, counters(2));
        changes.put(Key::Events(1), Nothing {}.into());
        recent.committed(&changes);
        assert_eq!(recent.get(&Key::Counters), Some(counters(2)));
        assert_eq!(recent.get(&Key::Events(1)), None, "what is read once is not kept");
        let mut changes = Changes::default();
        changes.delete(Key::Counters);
        recent.committed(&changes);
        assert_eq!(recent.get(&Key::Counters), None);
    }

    #[test]
    fn it_holds_so_many_rows_and_no_more() {
        let recent = Recent::default();
        for number in 0..2 * u64::try_from(ROWS).unwrap() {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            recent.read(&Key::Device(DeviceId::new(id)), &counters(number));
            assert!(recent.rows.borrow().len() <= ROWS);
        }
        recent.forget();
        assert!(recent.rows.borrow().is_empty());
    }
}
