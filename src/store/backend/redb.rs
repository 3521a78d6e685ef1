//! redb 4: a tree of pages, copied on write, two syncs a commit.
//!
//! It does by itself what sled has to be helped with. After an error of the disk it refuses everything until it is
//! opened again, which is done here; and it trusts its pages after a clean stop, so that a damaged one may make it
//! panic, which is caught.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError, TableDefinition};

use super::{Batch, Disk, Fault, KeyRange, Visit, guarded, space};

const FILE: &str = "redb";
const ROWS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("rows");
const CACHE_BYTES: usize = 16 << 20;

pub(super) struct RedbDisk {
    dir: PathBuf,
    handle: Mutex<Option<Arc<Handle>>>,
}

struct Handle {
    db: Database,
    file: File,
}

impl From<redb::Error> for Fault {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Self::Damaged(format!("redb: {error}"))
            }
            redb::Error::Io(error) => error.into(),
            redb::Error::Corrupted(what) => Self::Damaged(format!("redb: {what}")),
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
        let handle = Handle::open(dir)?;
        Ok(Self { dir: dir.to_path_buf(), handle: Mutex::new(Some(Arc::new(handle))) })
    }

    fn with<T>(&self, what: &str, run: impl FnOnce(&Handle) -> Result<T, Fault>) -> Result<T, Fault> {
        let handle = self.handle()?;
        guarded(what, || run(&handle))
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
        let path = dir.join(FILE);
        let fresh = !path.exists();
        let db = guarded("opening", || {
            let mut builder = Builder::new();
            builder.set_cache_size(CACHE_BYTES);
            let db = if fresh { builder.create(&path)? } else { builder.open(&path)? };
            if fresh {
                let write = db.begin_write()?;
                write.open_table(ROWS)?;
                write.commit()?;
            }
            Ok(db)
        })?;
        let file = OpenOptions::new().write(true).open(&path)?;
        if fresh {
            file.sync_all()?;
            File::open(dir)?.sync_all()?;
        }
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
        self.with("reading", |handle| {
            let table = handle.db.begin_read()?.open_table(ROWS)?;
            let mut pairs = match &range.until {
                Some(until) if *until <= range.from => return Ok(0),
                Some(until) => table.range(range.from.as_slice()..until.as_slice())?,
                None => table.range(range.from.as_slice()..)?,
            };
            while let Some(pair) = if backwards { pairs.next_back() } else { pairs.next() } {
                let (key, value) = pair?;
                if visit(key.value(), value.value()).is_break() {
                    break;
                }
            }
            Ok(0)
        })
    }

    fn apply(&self, batch: &Batch) -> Result<(), Fault> {
        self.with("reserving", |handle| space::reserve(&handle.file, batch.bytes()))?;
        let applied = self.with("writing", |handle| {
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
        }
        applied
    }

    fn settle(&self) -> Result<(), Fault> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), Fault> {
        self.give_up_handle()
    }
}
