//! Rows that are about to be read again, kept open in memory: who we are, whom we talk to and the sessions, which nearly
//! every turn reads; and what was just written about messages under way. They are what is on the disk; whatever makes
//! that doubtful empties the memory. Key material in them is wiped when it goes.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use kinfolk_engine::store::{Change, Changes, Key, Row, Table};

/// Rows of each sort at most: more than that many conversations, or messages, are rarely under way at once.
const STANDING: usize = 512;
const PASSING: usize = 4_096;

#[derive(Default)]
pub(crate) struct Recent {
    standing: RefCell<Shelf>,
    passing: RefCell<Shelf>,
}

/// Rows in the order in which they came; the oldest gives way.
#[derive(Default)]
struct Shelf {
    rows: BTreeMap<Key, Row>,
    order: VecDeque<Key>,
}

impl Shelf {
    fn keep(&mut self, most: usize, key: &Key, row: &Row) {
        if self.rows.insert(*key, row.clone()).is_none() {
            self.order.push_back(*key);
        }
        while self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.rows.remove(&oldest);
            }
        }
    }
}

impl Recent {
    pub(crate) fn get(&self, key: &Key) -> Option<Row> {
        let (shelf, _) = self.shelf(key.table())?;
        shelf.borrow().rows.get(key).cloned()
    }

    /// A row was read from the disk.
    pub(crate) fn read(&self, key: &Key, row: &Row) {
        if is_standing(key.table()) {
            self.standing.borrow_mut().keep(STANDING, key, row);
        }
    }

    /// Changes are on the disk.
    pub(crate) fn committed(&self, changes: &Changes) {
        for (key, change) in changes {
            let Some((shelf, most)) = self.shelf(key.table()) else { continue };
            match change {
                Change::Put(row) => shelf.borrow_mut().keep(most, key, row),
                // Its place in the order goes when it comes to be the oldest.
                Change::Delete => drop(shelf.borrow_mut().rows.remove(key)),
            }
        }
    }

    pub(crate) fn forget(&self) {
        self.standing.take();
        self.passing.take();
    }

    const fn shelf(&self, table: Table) -> Option<(&RefCell<Shelf>, usize)> {
        match table {
            Table::Outbox | Table::Message | Table::MessagePlace => Some((&self.passing, PASSING)),
            table if is_standing(table) => Some((&self.standing, STANDING)),
            _ => None,
        }
    }
}

const fn is_standing(table: Table) -> bool {
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
        for number in 0..2 * u64::try_from(PASSING).unwrap() {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            let device = DeviceId::new(id);
            recent.read(&Key::Device(device), &counters(number));
            let mut changes = Changes::default();
            changes.put(Key::Outbox(device, number), counters(number));
            recent.committed(&changes);
            for (shelf, most) in [(&recent.standing, STANDING), (&recent.passing, PASSING)] {
                let held = usize::try_from(number + 1).unwrap().min(most);
                assert_eq!((shelf.borrow().rows.len(), shelf.borrow().order.len()), (held, held));
            }
            assert_eq!(recent.get(&Key::Device(device)), Some(counters(number)), "the newest is there");
        }
        recent.forget();
        assert!(recent.standing.borrow().rows.is_empty() && recent.passing.borrow().rows.is_empty());
    }
}
