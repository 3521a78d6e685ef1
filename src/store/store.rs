//! The store of an open profile: the engine's port, and commit.

use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

use kinfolk_engine::store::{Change, Changes, Key, MemoryStore, Read, ReadError, Row, Scan, Scanned, Table};

use crate::anchor::Anchor;
use crate::backend::{Backend, Batch, Disk, Fault, KeyRange, Room};
use crate::meta::Meta;
use crate::place::{self, PIECES};
use crate::profile::lock::Lock;
use crate::recent::Recent;
use crate::seal::{self, Head, Keys, LONGEST_ROW, Parts, SealError, piece_at};
use crate::votes::VotesPlace;

/// A batch, what takes it back, and the store's own row after it.
struct Prepared {
    batch: Batch,
    undo: Batch,
    meta: Meta,
}

/// How long it took to open a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// From the passphrase to the key: what makes guessing dear.
    pub unlock: Duration,
    /// All the rest.
    pub open: Duration,
}

/// Why a batch was not committed. Nothing of it is to be seen then; only where the disk took it and fails on is it to
/// be seen, whole, until the next commit that succeeds, which takes it back first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The disk is full. The store goes on reading, and commits again when there is space.
    #[error("the disk is full: nothing was changed; free some space and try again")]
    Full,
    /// A row is longer than one that could be read back.
    #[error("a row of {table:?} has {found} bytes, the most is {limit}")]
    TooLong {
        /// Its table.
        table: Table,
        /// The limit in bytes.
        limit: usize,
        /// Its bytes.
        found: usize,
    },
    /// The system gives no randomness for the seals.
    #[error("the system gives no randomness, nothing can be sealed")]
    NoRandomness,
    /// The database has lost commits that were on the disk. Nothing more is written to it; it can be read.
    #[error(
        "the database has gone back from commit {expected} to {found}: its disk does not keep what is written; stop \
         the node and save what can be read to another disk with `kinfolk rescue NEWDIR`"
    )]
    Lost {
        /// The last commit that was acknowledged.
        expected: u64,
        /// The last commit in the database.
        found: u64,
    },
    /// The disk or the back-end failed.
    #[error("the store could not be written: {0}; check the disk and try again")]
    Disk(String),
}

impl From<Fault> for CommitError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full => Self::Full,
            Fault::Damaged(reason) | Fault::Disk(reason) => Self::Disk(reason),
        }
    }
}

impl From<seal::NoRandomness> for CommitError {
    fn from(_: seal::NoRandomness) -> Self {
        Self::NoRandomness
    }
}

/// The rows of an open profile. The profile is locked against other processes while it lives.
pub struct Store {
    disk: Box<dyn Disk>,
    keys: Keys,
    meta: Meta,
    anchor: Anchor,
    /// What takes back a batch that failed, where it is not known whether the database took it.
    doubt: Option<Batch>,
    volatile: MemoryStore,
    recent: Recent,
    backend: Backend,
    timings: Timings,
    votes: VotesPlace,
    _lock: Lock,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("backend", &self.backend).field("rows", &self.meta.rows).finish_non_exhaustive()
    }
}

impl Store {
    #[allow(clippy::too_many_arguments, reason = "the parts of a store, put together in one place")]
    pub(crate) fn new(
        lock: Lock,
        backend: Backend,
        disk: Box<dyn Disk>,
        keys: Keys,
        meta: Meta,
        anchor: Anchor,
        timings: Timings,
        votes: VotesPlace,
    ) -> Self {
        let (volatile, recent) = (MemoryStore::default(), Recent::default());
        Self { disk, keys, meta, anchor, doubt: None, volatile, recent, backend, timings, votes, _lock: lock }
    }

    /// Where this profile keeps the votes of its witness, whether it has one or not.
    #[must_use]
    pub const fn votes(&self) -> &VotesPlace {
        &self.votes
    }

    /// Writes changes, all of them or none. When this returns `Ok` they are on the disk and outlast a loss of power;
    /// volatile rows are kept in memory and go with the process.
    ///
    /// # Errors
    /// [`CommitError`]; the changes must not be acknowledged to anyone then.
    pub fn commit(&mut self, changes: &Changes) -> Result<(), CommitError> {
        self.commit_in(Room::Ordinary, changes)
    }

    /// The same for what must not be lost because the disk is full: where it is short, some kilobytes, it may take of the
    /// space that is held in reserve, of which there is enough for a hundred messages.
    ///
    /// # Errors
    /// As those of [`commit`](Self::commit).
    pub fn commit_from_reserve(&mut self, changes: &Changes) -> Result<(), CommitError> {
        self.commit_in(Room::Reserve, changes)
    }

    fn commit_in(&mut self, room: Room, changes: &Changes) -> Result<(), CommitError> {
        self.end_doubt()?;
        if let Some(mut prepared) = self.prepare(changes)? {
            prepared.batch.room = room;
            if let Err(error) = self.write(prepared) {
                self.recent.forget();
                return Err(error);
            }
            self.recent.committed(changes);
        }
        let mut volatile = Changes::default();
        for (key, change) in changes.iter().filter(|(key, _)| key.is_volatile()) {
            match change {
                Change::Put(row) => volatile.put(*key, row.clone()),
                Change::Delete => volatile.delete(*key),
            }
        }
        self.volatile.commit(&volatile);
        Ok(())
    }

    /// What is to be written; none where nothing is for the disk.
    fn prepare(&self, changes: &Changes) -> Result<Option<Prepared>, CommitError> {
        let (mut batch, mut undo) = (Batch::default(), Batch::default());
        let mut meta = self.meta.clone();
        meta.commits = meta.commits.saturating_add(1);
        for (key, change) in changes.iter().filter(|(key, _)| !key.is_volatile()) {
            let at = place::of(&self.keys.names, key);
            let before = self.pieces_at(&at, &mut undo)?;
            let after = match change {
                Change::Put(row) => self.put(key, row, &at, meta.commits, &mut batch)?,
                Change::Delete => 0,
            };
            if after == 0 && before > 0 {
                batch.delete(at.clone());
            }
            for index in after.max(1)..before {
                batch.delete(piece_at(&at, index));
            }
            for index in before.max(1)..after {
                undo.delete(piece_at(&at, index));
            }
            match (before, after) {
                (0, 1..) => meta.rows = meta.rows.saturating_add(1),
                (1.., 0) => meta.rows = meta.rows.saturating_sub(1),
                _ => {}
            }
        }
        if batch.writes.is_empty() {
            return Ok(None);
        }
        meta.put(&self.keys, &mut batch)?;
        self.meta.put(&self.keys, &mut undo)?;
        Ok(Some(Prepared { batch, undo, meta }))
    }

    fn put(&self, key: &Key, row: &Row, at: &[u8], version: u64, batch: &mut Batch) -> Result<u8, CommitError> {
        let record = row.encode();
        if record.len() > LONGEST_ROW {
            return Err(CommitError::TooLong { table: key.table(), limit: LONGEST_ROW, found: record.len() });
        }
        let text = seal::text(key, version, &record);
        let mut count = 0;
        for (index, value) in (0u8..).zip(self.keys.seal(at, &text)?) {
            batch.put(if index == 0 { at.to_vec() } else { piece_at(at, index) }, value);
            count = index.saturating_add(1);
        }
        Ok(count)
    }

    /// How many pieces the row at a place has now, which are noted. Where its head cannot be read, as many as it might
    /// have.
    fn pieces_at(&self, at: &[u8], undo: &mut Batch) -> Result<u8, CommitError> {
        let head = match self.disk.get(at) {
            Err(Fault::Damaged(_)) => return Ok(u8::MAX),
            other => other?,
        };
        let Some(head) = head else {
            undo.delete(at.to_vec());
            return Ok(0);
        };
        let count = Head::read(&head).map_or(u8::MAX, |head| head.count);
        undo.put(at.to_vec(), head);
        for index in 1..count {
            match self.disk.get(&piece_at(at, index)) {
                Ok(Some(piece)) => undo.put(piece_at(at, index), piece),
                Ok(None) | Err(Fault::Damaged(_)) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(count)
    }

    fn write(&mut self, prepared: Prepared) -> Result<(), CommitError> {
        let Prepared { batch, undo, meta } = prepared;
        if let Err(fault) = self.disk.apply(&batch) {
            match self.took_it() {
                Ok(false) => return Err(fault.into()),
                // The database took the batch and failed after it: it is committed, once it is sure to stay.
                Ok(true) if self.disk.confirm().is_ok() => tracing::warn!(%fault, "the disk failed, and kept a batch"),
                _ => {
                    self.doubt = Some(undo);
                    return Err(fault.into());
                }
            }
        }
        self.meta = meta;
        if let Err(error) = self.anchor.set(&self.keys, self.meta.commits) {
            // The rows are safe; what suffers is how early a rollback would be noticed.
            tracing::warn!(%error, "the anchor of the store could not be written");
        }
        Ok(())
    }

    /// Whether the database took a batch and failed after it.
    fn took_it(&self) -> Result<bool, CommitError> {
        let there = Meta::get(&self.keys, &*self.disk).map_err(|error| CommitError::Disk(error.to_string()))?;
        let (expected, found) = (self.meta.commits, there.map_or(0, |meta| meta.commits));
        if found < expected { Err(CommitError::Lost { expected, found }) } else { Ok(found > expected) }
    }

    /// Takes a batch back that was refused and is there all the same.
    fn end_doubt(&mut self) -> Result<(), CommitError> {
        if let Some(undo) = &self.doubt {
            if self.took_it()? {
                self.disk.apply(undo)?;
                self.recent.forget();
            }
            self.doubt = None;
        }
        Ok(())
    }

    fn open_row(&self, at: &[u8], head: &[u8]) -> Result<(Key, Row), Failed> {
        let text = self.keys.open(at, head, |index| Ok::<_, Failed>(self.disk.get(&piece_at(at, index))?))?;
        let parts = Parts::read(&text).ok_or(SealError::Malformed)?;
        Ok(parts.row(&self.keys.names, at)?)
    }

    /// Visits every row and counts those that cannot be read.
    pub(crate) fn walk(&self, mut visit: impl FnMut(Key, Row) -> ControlFlow<()>) -> Result<usize, Fault> {
        let mut damaged = 0usize;
        let mut failed = None;
        let range = KeyRange { from: vec![place::META.saturating_add(1)], until: Some(vec![PIECES]) };
        let unreadable = self.disk.walk(&range, false, &mut |at, head| match self.open_row(at, head) {
            Ok((key, row)) => visit(key, row),
            Err(Failed::Fault(fault @ (Fault::Disk(_) | Fault::Full))) => {
                failed = Some(fault);
                ControlFlow::Break(())
            }
            Err(_) => {
                damaged = damaged.saturating_add(1);
                ControlFlow::Continue(())
            }
        })?;
        failed.map_or(Ok(damaged.saturating_add(unreadable)), Err)
    }

    /// How many rows the store keeps, by its own count.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.meta.rows
    }

    /// The database it stands on.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        self.backend
    }

    /// The schema of its rows.
    #[must_use]
    pub const fn schema(&self) -> u32 {
        self.meta.schema
    }

    /// How long the opening took.
    #[must_use]
    pub const fn timings(&self) -> Timings {
        self.timings
    }

    /// Closes the profile so that the next opening is quick. Dropping it loses nothing either.
    ///
    /// # Errors
    /// [`CommitError::Disk`] or [`CommitError::Full`] where the files could not be put in order; no row is lost.
    pub fn close(self) -> Result<(), CommitError> {
        Ok(self.disk.close()?)
    }
}

/// Why a row was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl Failed {
    fn into_read_error(self, table: Table) -> ReadError {
        match self {
            Self::Fault(Fault::Damaged(reason)) => ReadError::Damaged { table, reason },
            Self::Fault(fault) => ReadError::Disk(fault.to_string()),
            Self::Seal(error) => ReadError::Damaged { table, reason: error.to_string() },
        }
    }
}

impl Read for Store {
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
        if key.is_volatile() {
            return self.volatile.get(key);
        }
        if let Some(row) = self.recent.get(key) {
            return Ok(Some(row));
        }
        let table = key.table();
        let at = place::of(&self.keys.names, key);
        let head = self.disk.get(&at).map_err(|fault| Failed::from(fault).into_read_error(table))?;
        let Some(head) = head else { return Ok(None) };
        match self.open_row(&at, &head) {
            Ok((found, row)) if found == *key => {
                self.recent.read(key, &row);
                Ok(Some(row))
            }
            Ok(_) => Err(Failed::from(SealError::Misplaced).into_read_error(table)),
            Err(failed) => Err(failed.into_read_error(table)),
        }
    }

    fn scan(&self, scan: &Scan) -> Result<Scanned, ReadError> {
        let volatile = self.volatile.scan(scan)?.rows;
        let mut scanned = Scanned::default();
        let mut failed = None;
        let range = place::range(&self.keys.names, scan);
        let walked = self.disk.walk(&range, scan.backwards, &mut |at, head| {
            if scanned.rows.len() >= scan.limit {
                return ControlFlow::Break(());
            }
            match self.open_row(at, head) {
                Ok((key, row)) => {
                    if scan.place(&key).is_some() {
                        scanned.rows.push((key, row));
                    }
                }
                Err(Failed::Fault(fault @ (Fault::Disk(_) | Fault::Full))) => {
                    failed = Some(fault);
                    return ControlFlow::Break(());
                }
                Err(_) => scanned.damaged = scanned.damaged.saturating_add(1),
            }
            if scanned.rows.len() < scan.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let disk = |fault: Fault| ReadError::Disk(fault.to_string());
        scanned.damaged = scanned.damaged.saturating_add(walked.map_err(disk)?);
        failed.map_or(Ok(()), |fault| Err(disk(fault)))?;
        if !volatile.is_empty() {
            merge(&mut scanned.rows, volatile, scan);
        }
        Ok(scanned)
    }
}

/// Lays rows of memory among those of the disk, in the order of a scan.
fn merge(rows: &mut Vec<(Key, Row)>, more: Vec<(Key, Row)>, scan: &Scan) {
    rows.extend(more);
    let place = |key: &Key| scan.place(key).unwrap_or_default();
    if scan.backwards {
        rows.sort_by_key(|(key, _)| std::cmp::Reverse(place(key)));
    } else {
        rows.sort_by_key(|(key, _)| place(key));
    }
    rows.truncate(scan.limit);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kinfolk_engine::store::Counters;

    use super::*;
    use crate::Derivation;
    use crate::backend::Visit;
    use crate::place::META;
    use crate::profile::{Options, Unlock, create};

    /// A disk that lost what it had said was on it, and takes nothing more.
    struct GoneBack(BTreeMap<Vec<u8>, Vec<u8>>);

    impl Disk for GoneBack {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
            Ok(self.0.get(key).cloned())
        }

        fn walk(&self, _: &KeyRange, _: bool, _: Visit<'_>) -> Result<usize, Fault> {
            Ok(0)
        }

        fn apply(&self, _: &Batch) -> Result<(), Fault> {
            Err(Fault::Disk("it fails".to_owned()))
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

    #[test]
    fn g03_a_database_that_goes_back_while_it_is_open_takes_nothing_more_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { derivation: Derivation::Least };
        let mut store = create(dir.path(), Backend::Redb, Unlock::KeyFile, options).unwrap();
        let counters = |last_request| {
            let mut changes = Changes::default();
            changes.put(Key::Counters, Counters { last_request, ..Counters::default() }.into());
            changes
        };
        store.commit(&counters(1)).unwrap();
        let at = place::of(&store.keys.names, &Key::Counters);
        let before = [vec![META], at].map(|at| (at.clone(), store.disk.get(&at).unwrap().unwrap()));
        for number in 2..=4 {
            store.commit(&counters(number)).unwrap();
        }
        store.disk = Box::new(GoneBack(before.into()));
        assert_eq!(store.commit(&counters(5)), Err(CommitError::Disk("it fails".to_owned())));
        for _ in 0..2 {
            let refused = store.commit(&counters(5)).unwrap_err();
            assert_eq!(refused, CommitError::Lost { expected: 4, found: 1 });
            assert!(refused.to_string().ends_with("with `kinfolk rescue NEWDIR`"), "{refused}");
        }
        let row = Counters { last_request: 1, ..Counters::default() };
        assert_eq!(store.get(&Key::Counters).unwrap(), Some(row.into()));
    }
}
