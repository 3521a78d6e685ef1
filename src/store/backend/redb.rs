//! redb 4: a tree of pages, copied on write, two syncs a commit.
//!
//! It does by itself what sled has to be helped with. After an error of the disk it refuses everything until it is
//! opened again, which is done here; and it trusts its pages after a clean stop, so that a damaged one may make it
//! panic, which is caught, or hides rows. Checking every page at each start would take 0.1 s for 100,000 rows, so it is
//! left to redb, which does it after an end that was not clean, and to a rescue, which counts. What it writes while it opens is held back until the store knows that nothing is missing.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError, TableDefinition};

use super::held::{HeldFile, Shared};
use super::{Batch, Disk, Fault, KeyRange, Visit, guarded, space, walk};
use crate::profile::layout;

pub(super) const FILE: &str = "redb";
const ROWS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("rows");
const CACHE_BYTES: usize = 16 << 20;

pub(super) struct RedbDisk {
    dir: PathBuf,
    handle: Mutex<Option<Arc<Handle>>>,
}

struct Handle {
    db: Database,
    file: Arc<HeldFile>,
}

impl From<redb::Error> for Fault {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Self::Damaged(format!("redb: {error}"))
            }
            redb::Error::Io(error) => error.into(),
            redb::Error::Corrupted(what) => Self::Damaged(format!("redb: {what}")),
            redb::Error::TableDoesNotExist(_) => Self::Damaged("redb: the table of rows is not there".to_owned()),
            other => Self::Disk(other.to_string()),
        }
    }
}

macro_rules! faults {
    ($($error:ty),*) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}

faults!(DatabaseError, StorageError, redb::TransactionError, redb::TableError, redb::CommitError);

impl RedbDisk {
    pub(super) fn open(dir: &Path) -> Result<Self, Fault> {
        Ok(Self::of(dir, Handle::open(dir)?))
    }

    pub(super) fn make(dir: &Path) -> Result<Self, Fault> {
        Ok(Self::of(dir, Handle::make(dir)?))
    }

    fn of(dir: &Path, handle: Handle) -> Self {
        Self { dir: dir.to_path_buf(), handle: Mutex::new(Some(Arc::new(handle))) }
    }

    fn with<T>(&self, what: &str, run: impl FnOnce(&Handle) -> Result<T, Fault>) -> Result<T, Fault> {
        let handle = self.handle()?;
        let outcome = guarded(what, || run(&handle));
        drop(handle);
        self.unless_refused(outcome)
    }

    /// Once a call of the system has failed, redb refuses everything: it is opened again when it is needed next.
    fn unless_refused<T>(&self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        if matches!(outcome, Err(Fault::Disk(_) | Fault::Full)) {
            self.give_up_handle()?;
        }
        outcome
    }

    fn handle(&self) -> Result<Arc<Handle>, Fault> {
        let mut held = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = &*held {
            return Ok(Arc::clone(handle));
        }
        let handle = Arc::new(Handle::open(&self.dir)?);
        *held = Some(Arc::clone(&handle));
        Ok(handle)
    }

    fn give_up_handle(&self) -> Result<(), Fault> {
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner).take();
        guarded("closing", || {
            drop(handle);
            Ok(())
        })
    }
}

impl Handle {
    fn open(dir: &Path) -> Result<Self, Fault> {
        let file = match OpenOptions::new().read(true).write(true).open(dir.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(super::gone(FILE)),
            other => other?,
        };
        // redb makes a new database of an empty file, whoever emptied it.
        if file.metadata()?.len() == 0 {
            return Err(super::gone(FILE));
        }
        Self::of(HeldFile::new(file, true))
    }

    fn make(dir: &Path) -> Result<Self, Fault> {
        let handle = Self::of(HeldFile::new(layout::private_file(&dir.join(FILE))?, false))?;
        guarded("making", || {
            let write = handle.db.begin_write()?;
            write.open_table(ROWS)?;
            write.commit()?;
            Ok(())
        })?;
        handle.file.file().sync_all()?;
        layout::sync_dir(dir)?;
        Ok(handle)
    }

    fn of(file: HeldFile) -> Result<Self, Fault> {
        let file = Arc::new(file);
        let db = guarded("opening", || {
            let mut builder = Builder::new();
            builder.set_cache_size(CACHE_BYTES);
            Ok(builder.create_with_backend(Shared(Arc::clone(&file)))?)
        })?;
        Ok(Self { db, file })
    }
}

impl Disk for RedbDisk {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.with("reading", |handle| {
            let table = handle.db.begin_read()?.open_table(ROWS)?;
            Ok(table.get(key)?.map(|value| value.value().to_vec()))
        })
    }

    fn walk(&self, range: &KeyRange, backwards: bool, visit: Visit<'_>) -> Result<usize, Fault> {
        let handle = self.handle()?;
        let walked = walk::past_damage(
            &|range, backwards, visit| guarded("reading", || pass(&handle.db, range, backwards, visit)),
            range,
            backwards,
            visit,
        );
        drop(handle);
        self.unless_refused(walked)
    }

    fn apply(&self, batch: &Batch) -> Result<(), Fault> {
        space::reserve(self.handle()?.file.file(), batch)?;
        let applied = self.with("writing", |handle| {
            handle.file.release()?;
            let write = handle.db.begin_write()?;
            {
                let mut table = write.open_table(ROWS)?;
                for (key, value) in &batch.writes {
                    match value {
                        Some(value) => drop(table.insert(key.as_slice(), value.as_slice())?),
                        None => drop(table.remove(key.as_slice())?),
                    }
                }
            }
            write.commit()?;
            Ok(())
        });
        if applied.is_err() {
            self.give_up_handle()?;
            space::forget_cached(&self.dir.join(FILE))?;
        }
        applied
    }

    fn settle(&self) -> Result<(), Fault> {
        self.with("settling", |handle| Ok(handle.file.release()?))
    }

    fn confirm(&self) -> Result<(), Fault> {
        self.with("syncing", |handle| {
            handle.file.release()?;
            Ok(handle.file.file().sync_data()?)
        })
    }

    fn close(self: Box<Self>) -> Result<(), Fault> {
        self.settle()?;
        self.give_up_handle()
    }
}

fn pass(db: &Database, range: &KeyRange, backwards: bool, visit: Visit<'_>) -> Result<(), Fault> {
    let table = db.begin_read()?.open_table(ROWS)?;
    let mut pairs = match &range.until {
        Some(until) if *until <= range.from => return Ok(()),
        Some(until) => table.range(range.from.as_slice()..until.as_slice())?,
        None => table.range(range.from.as_slice()..)?,
    };
    while let Some(pair) = if backwards { pairs.next_back() } else { pairs.next() } {
        let (key, value) = pair?;
        if visit(key.value(), value.value()).is_break() {
            break;
        }
    }
    Ok(())
}
