//! sled 0.34.7.
//!
//! What its source says, and what is done about it here:
//!
//! - `flush` ends in `sync_file_range`, which keeps neither the file's length nor anything through a loss of power:
//!   every batch is followed by `fdatasync` on the file of the log, opened for that.
//! - Values above some 8 KiB go to files that are never synced: rows come in pieces below 4 KiB.
//! - A failed write spoils the handle for good: it is given up and opened again, and the batch is in the log or not.
//! - A process that dies while a snapshot is written leaves `snap.*.generating`, which the next opening takes for the
//!   newest snapshot and refuses to open at all. Such files are removed first. A snapshot is only a shortcut through
//!   the log: one that cannot be read is set aside, and the whole log is read instead.
//! - The log since the last snapshot is read at every opening, and a snapshot is only written then. [`Disk::close`] opens
//!   once more where anything was written: the next start is quick, and a damaged entry is then a row that cannot be
//!   read, where a log that is read from its start would show the row as it was before.
//! - Its lock may outlive its handle for a moment.
//! - Now and then a flush waits for ever for a write that failed. So what writes does so in a thread of its own, for which
//!   the caller waits for a while only: a flush of somebody else's wakes it, if the failure was noted. Where none helps,
//!   the database lets go of nothing any more, and every call is refused at once until the program is started again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::worker::Worker;
use super::{Batch, Disk, Fault, KeyRange, Visit, guarded, space, tail, walk};
use crate::profile::layout;

pub(super) const LOG: &str = "db";
const CACHE_BYTES: u64 = 8 << 20;
const FLUSH_EVERY_MS: u64 = 500;
const LOCK_ATTEMPTS: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
const DROP_LIMIT: Duration = Duration::from_secs(10);
const PATIENCE: Patience = Patience { wake_after: Duration::from_secs(5), stuck_after: Duration::from_secs(60) };

/// How long a write is waited for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Until it is looked after.
    wake_after: Duration,
    /// After that, until it is given up: far longer than a slow disk needs.
    stuck_after: Duration,
}

pub(super) struct SledDisk {
    dir: PathBuf,
    handle: Mutex<Option<Arc<Handle>>>,
    /// Whether anything was written since the last snapshot.
    written: AtomicBool,
    writer: Worker,
    patience: Patience,
    /// Whether a write was begun that never ends.
    stuck: AtomicBool,
}

struct Handle {
    db: sled::Db,
    log: File,
}

impl From<sled::Error> for Fault {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => error.into(),
            sled::Error::Corruption { at, .. } => {
                Self::Damaged(at.map_or_else(|| "sled".to_owned(), |at| format!("sled, at {at:?}")))
            }
            // What sled says of its own settings when a bit of them is not as it left them.
            sled::Error::Unsupported(why) => Self::Damaged(format!("sled: {why}")),
            other => Self::Disk(other.to_string()),
        }
    }
}

impl SledDisk {
    pub(super) fn open(dir: &Path) -> Result<Self, Fault> {
        Self::of(dir, Handle::open(dir)?)
    }

    pub(super) fn make(dir: &Path) -> Result<Self, Fault> {
        Self::of(dir, Handle::make(dir)?)
    }

    fn of(dir: &Path, handle: Handle) -> Result<Self, Fault> {
        Ok(Self {
            dir: dir.to_path_buf(),
            handle: Mutex::new(Some(Arc::new(handle))),
            written: AtomicBool::new(false),
            writer: Worker::start(super::WRITING_THREAD)?,
            patience: PATIENCE,
            stuck: AtomicBool::new(false),
        })
    }

    fn with<T>(&self, what: &str, run: impl FnOnce(&Handle) -> Result<T, Fault>) -> Result<T, Fault> {
        let handle = self.handle()?;
        guarded(what, || run(&handle))
    }

    /// The same in the thread that writes, for as long as may be waited for it.
    fn in_time(
        &self,
        what: &'static str,
        run: impl FnOnce(&Handle) -> Result<(), Fault> + Send + 'static,
    ) -> Result<(), Fault> {
        let (handle, wakes) = (self.handle()?, self.handle()?);
        let awaited = self.writer.run(move || {
            let outcome = guarded(what, || run(&handle));
            drop(handle);
            outcome
        })?;
        let outcome = awaited.within(self.patience.wake_after).or_else(|| {
            // Nobody waits for it, since it may wait for ever itself.
            let waking = thread::Builder::new().name(super::WRITING_THREAD.to_owned());
            drop(waking.spawn(move || drop(wakes.db.flush())));
            awaited.within(self.patience.stuck_after)
        });
        outcome.unwrap_or_else(|| {
            self.stuck.store(true, Ordering::Relaxed);
            Err(stuck())
        })
    }

    fn handle(&self) -> Result<Arc<Handle>, Fault> {
        if self.stuck.load(Ordering::Relaxed) {
            return Err(stuck());
        }
        let mut held = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = &*held {
            return Ok(Arc::clone(handle));
        }
        let handle = Arc::new(Handle::open(&self.dir)?);
        *held = Some(Arc::clone(&handle));
        Ok(handle)
    }

    fn give_up_handle(&self) -> Result<(), Fault> {
        let mut held = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(handle) = held.take() else { return Ok(()) };
        let (done, waiting) = mpsc::sync_channel(1);
        let dropping = thread::Builder::new().name(super::CLOSING_THREAD.to_owned()).spawn(move || {
            let result = guarded("closing", || {
                drop(handle);
                Ok(())
            });
            done.send(result)
        });
        dropping?;
        waiting
            .recv_timeout(DROP_LIMIT)
            .unwrap_or_else(|_| Err(Fault::Disk("the database does not let go of its files".to_owned())))
    }
}

fn stuck() -> Fault {
    Fault::Disk("the database has not answered since the disk failed; stop this program and start it again".to_owned())
}

impl Handle {
    fn open(dir: &Path) -> Result<Self, Fault> {
        remove_unfinished_snapshots(dir)?;
        let log = match OpenOptions::new().read(true).write(true).open(dir.join(LOG)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(super::gone(LOG)),
            other => other?,
        };
        // sled makes a new database of an empty file, whoever emptied it.
        if log.metadata()?.len() == 0 {
            return Err(super::gone(LOG));
        }
        tail::keep(dir, &log)?;
        space::reserve(&log, &Batch::default())
            .or_else(|fault| if fault == Fault::Full { Ok(()) } else { Err(fault) })?;
        let db = match open_db(dir) {
            Err(Fault::Damaged(_)) if set_snapshots_aside(dir)? > 0 => open_db(dir)?,
            other => other?,
        };
        layout::sync_dir(dir)?;
        Ok(Self { db, log })
    }

    fn make(dir: &Path) -> Result<Self, Fault> {
        let db = open_db(dir)?;
        File::open(dir.join("conf"))?.sync_all()?;
        File::open(dir.join("blobs"))?.sync_all()?;
        db.flush()?;
        let log = OpenOptions::new().write(true).open(dir.join(LOG))?;
        log.sync_all()?;
        layout::sync_dir(dir)?;
        Ok(Self { db, log })
    }
}

fn open_db(dir: &Path) -> Result<sled::Db, Fault> {
    let config =
        || sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).flush_every_ms(Some(FLUSH_EVERY_MS)).open();
    for _ in 0..LOCK_ATTEMPTS {
        match guarded("opening", || Ok(config())) {
            Ok(Err(sled::Error::Io(error))) if error.to_string().contains("acquire lock") => thread::sleep(LOCK_PAUSE),
            other => return other?.map_err(Fault::from),
        }
    }
    Err(Fault::Disk("the database is locked by another program".to_owned()))
}

fn snapshots(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("snap.")) {
            found.push(path);
        }
    }
    Ok(found)
}

fn remove_unfinished_snapshots(dir: &Path) -> io::Result<()> {
    for path in snapshots(dir)? {
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn set_snapshots_aside(dir: &Path) -> io::Result<usize> {
    let found = snapshots(dir)?;
    for path in &found {
        tracing::warn!("a snapshot of the database cannot be read; the log is read from its start");
        fs::remove_file(path)?;
    }
    Ok(found.len())
}

impl Disk for SledDisk {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.with("reading", |handle| Ok(handle.db.get(key)?.map(|value| value.to_vec())))
    }

    fn walk(&self, range: &KeyRange, backwards: bool, visit: Visit<'_>) -> Result<usize, Fault> {
        let handle = self.handle()?;
        walk::past_damage(
            &|range, backwards, visit| guarded("reading", || pass(&handle.db, range, backwards, visit)),
            range,
            backwards,
            visit,
        )
    }

    fn apply(&self, batch: &Batch) -> Result<(), Fault> {
        self.with("reserving", |handle| space::reserve(&handle.log, batch))?;
        let mut writes = sled::Batch::default();
        for (key, value) in &batch.writes {
            match value {
                Some(value) => writes.insert(key.as_slice(), value.as_slice()),
                None => writes.remove(key.as_slice()),
            }
        }
        let applied = self.in_time("writing", move |handle| {
            handle.db.apply_batch(writes)?;
            handle.db.flush()?;
            sync(&handle.log)?;
            Ok(())
        });
        match applied {
            Ok(()) => {
                self.written.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(fault) => {
                self.give_up_handle()?;
                space::forget_cached(&self.dir.join(LOG))?;
                Err(fault)
            }
        }
    }

    fn settle(&self) -> Result<(), Fault> {
        Ok(tail::forget(&self.dir)?)
    }

    fn confirm(&self) -> Result<(), Fault> {
        self.in_time("syncing", |handle| {
            handle.db.flush()?;
            Ok(sync(&handle.log)?)
        })
    }

    fn close(self: Box<Self>) -> Result<(), Fault> {
        self.give_up_handle()?;
        if self.written.load(Ordering::Relaxed) {
            drop(self.handle()?);
            self.give_up_handle()?;
            layout::make_private(&self.dir)?;
        }
        self.settle()
    }
}

#[cfg(not(test))]
fn sync(log: &File) -> io::Result<()> {
    log.sync_data()
}

/// In tests of this crate, a store that only flushes can be had, for the harness of power losses to catch.
#[cfg(test)]
fn sync(log: &File) -> io::Result<()> {
    if std::env::var_os("KINFOLK_STORE_ONLY_FLUSHES").is_some() { Ok(()) } else { log.sync_data() }
}

fn pass(db: &sled::Db, range: &KeyRange, backwards: bool, visit: Visit<'_>) -> Result<(), Fault> {
    let mut pairs = match &range.until {
        Some(until) if *until <= range.from => return Ok(()),
        Some(until) => db.range(range.from.as_slice()..until.as_slice()),
        None => db.range(range.from.as_slice()..),
    };
    while let Some(pair) = if backwards { pairs.next_back() } else { pairs.next() } {
        let (key, value) = pair?;
        if visit(&key, &value).is_break() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g02_a_write_that_never_ends_is_given_up_and_everything_after_it_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = SledDisk::make(dir.path()).unwrap();
        let mut batch = Batch::default();
        batch.put(b"before".to_vec(), b"kept".to_vec());
        disk.apply(&batch).unwrap();
        disk.patience = Patience { wake_after: Duration::from_millis(1), stuck_after: Duration::from_millis(1) };
        let (_never, told) = mpsc::sync_channel::<()>(0);
        let waited = disk.in_time("writing", move |_| {
            told.recv().ok();
            Ok(())
        });
        assert_eq!(waited, Err(stuck()));
        disk.patience = PATIENCE;
        assert_eq!(disk.apply(&batch), Err(stuck()));
        assert_eq!(disk.get(b"before"), Err(stuck()));
        assert_eq!(disk.confirm(), Err(stuck()));
        assert!(stuck().to_string().contains("start it again"));
    }
}
