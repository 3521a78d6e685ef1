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
//! - The log since the last snapshot is read at every opening, and a snapshot is only written then: [`Disk::close`]
//!   opens once more where much was written, so that the next start is quick.
//! - Its lock may outlive its handle for a moment.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::between::Number;
use super::{Batch, Disk, Fault, KeyRange, Visit, guarded, space, tail};
use crate::profile::layout;

const LOG: &str = "db";
const CACHE_BYTES: u64 = 16 << 20;
const FLUSH_EVERY_MS: u64 = 500;
/// How much may be written before closing leaves a snapshot.
const SNAPSHOT_AFTER_BYTES: u64 = 1 << 20;
const LOCK_ATTEMPTS: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
const DROP_LIMIT: Duration = Duration::from_secs(10);

pub(super) struct SledDisk {
    dir: PathBuf,
    handle: Mutex<Option<Arc<Handle>>>,
    written: AtomicU64,
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
            other => Self::Disk(other.to_string()),
        }
    }
}

impl SledDisk {
    pub(super) fn open(dir: &Path) -> Result<Self, Fault> {
        let handle = Handle::open(dir)?;
        let written = AtomicU64::new(0);
        Ok(Self { dir: dir.to_path_buf(), handle: Mutex::new(Some(Arc::new(handle))), written })
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

impl Handle {
    fn open(dir: &Path) -> Result<Self, Fault> {
        let fresh = !dir.join(LOG).exists();
        remove_unfinished_snapshots(dir)?;
        if !fresh {
            let log = OpenOptions::new().read(true).write(true).open(dir.join(LOG))?;
            tail::keep(dir, &log)?;
            space::reserve(&log, 0).or_else(|fault| if fault == Fault::Full { Ok(()) } else { Err(fault) })?;
        }
        let db = match open_db(dir) {
            Err(Fault::Damaged(_)) if set_snapshots_aside(dir)? > 0 => open_db(dir)?,
            other => other?,
        };
        let log = OpenOptions::new().write(true).open(dir.join(LOG))?;
        if fresh {
            File::open(dir.join("conf"))?.sync_all()?;
            File::open(dir.join("blobs"))?.sync_all()?;
            db.flush()?;
            log.sync_all()?;
        }
        File::open(dir)?.sync_all()?;
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
        self.with("reading", |handle| {
            let mut walk = Walk { db: &handle.db, visit, unreadable: 0 };
            if backwards { walk.down(range) } else { walk.up(range) }?;
            Ok(walk.unreadable)
        })
    }

    fn apply(&self, batch: &Batch) -> Result<(), Fault> {
        let bytes = batch.bytes();
        self.with("reserving", |handle| reserve(&handle.log, bytes))?;
        let applied = self.with("writing", |handle| {
            let mut writes = sled::Batch::default();
            for (key, value) in &batch.writes {
                match value {
                    Some(value) => writes.insert(key.as_slice(), value.as_slice()),
                    None => writes.remove(key.as_slice()),
                }
            }
            handle.db.apply_batch(writes)?;
            handle.db.flush()?;
            sync(&handle.log)?;
            Ok(())
        });
        match applied {
            Ok(()) => {
                self.written.fetch_add(bytes, Ordering::Relaxed);
                Ok(())
            }
            Err(fault) => {
                self.give_up_handle()?;
                Err(fault)
            }
        }
    }

    fn settle(&self) -> Result<(), Fault> {
        Ok(tail::forget(&self.dir)?)
    }

    fn close(self: Box<Self>) -> Result<(), Fault> {
        self.give_up_handle()?;
        if self.written.load(Ordering::Relaxed) >= SNAPSHOT_AFTER_BYTES {
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

#[cfg(not(test))]
fn reserve(log: &File, bytes: u64) -> Result<(), Fault> {
    space::reserve(log, bytes)
}

/// In tests of this crate, a store that only flushes can be had, for the harness of power losses to catch.
#[cfg(test)]
fn sync(log: &File) -> io::Result<()> {
    if std::env::var_os("KINFOLK_STORE_ONLY_FLUSHES").is_some() { Ok(()) } else { log.sync_data() }
}

/// In tests of this crate, a store that does not reserve space can be had, so that sled itself meets the full disk.
#[cfg(test)]
fn reserve(log: &File, bytes: u64) -> Result<(), Fault> {
    if std::env::var_os("KINFOLK_STORE_RESERVES_NOTHING").is_some() { Ok(()) } else { space::reserve(log, bytes) }
}

/// A walk that goes on behind leaves that cannot be read.
struct Walk<'a> {
    db: &'a sled::Db,
    visit: Visit<'a>,
    unreadable: usize,
}

impl Walk<'_> {
    fn up(&mut self, range: &KeyRange) -> Result<(), Fault> {
        let mut from = range.from.clone();
        loop {
            let Some(stuck) = self.up_until_stuck(&from, range.until.as_deref())? else { return Ok(()) };
            self.unreadable = self.unreadable.saturating_add(1);
            match readable_above(self.db, &stuck, range.until.as_deref()) {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
    }

    /// Where the walk could not go on, if it could not.
    fn up_until_stuck(&mut self, from: &[u8], until: Option<&[u8]>) -> Result<Option<Vec<u8>>, Fault> {
        let mut next = from.to_vec();
        let pairs = match until {
            Some(until) if until <= from => return Ok(None),
            Some(until) => self.db.range(from..until),
            None => self.db.range(from..),
        };
        for pair in pairs {
            match pair {
                Ok((key, value)) => {
                    if (self.visit)(&key, &value).is_break() {
                        return Ok(None);
                    }
                    next = [key.as_ref(), &[0]].concat();
                }
                Err(sled::Error::Corruption { .. }) => return Ok(Some(next)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    fn down(&mut self, range: &KeyRange) -> Result<(), Fault> {
        let mut until = range.until.clone();
        loop {
            let Some(stuck) = self.down_until_stuck(&range.from, until.as_deref())? else { return Ok(()) };
            self.unreadable = self.unreadable.saturating_add(1);
            match readable_below(self.db, stuck.as_deref(), &range.from) {
                Some(next) => until = Some(next),
                None => return Ok(()),
            }
        }
    }

    #[allow(clippy::option_option, reason = "not stuck, or stuck below a key, or stuck below everything")]
    fn down_until_stuck(&mut self, from: &[u8], until: Option<&[u8]>) -> Result<Option<Option<Vec<u8>>>, Fault> {
        let mut next = until.map(<[u8]>::to_vec);
        let pairs = match until {
            Some(until) if until <= from => return Ok(None),
            Some(until) => self.db.range(from..until),
            None => self.db.range(from..),
        };
        for pair in pairs.rev() {
            match pair {
                Ok((key, value)) => {
                    if (self.visit)(&key, &value).is_break() {
                        return Ok(None);
                    }
                    next = Some(key.to_vec());
                }
                Err(sled::Error::Corruption { .. }) => return Ok(Some(next)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }
}

/// Whether a walk upwards gets anywhere from here. It does not from the end of the leaf before a damaged one either.
fn goes_up(db: &sled::Db, from: Number, until: Number) -> bool {
    guarded("probing", || Ok(db.range(from.key()..until.key()).next().transpose()?)).is_ok()
}

/// Whether a walk downwards does.
fn goes_down(db: &sled::Db, until: Number, from: Number) -> bool {
    guarded("probing", || Ok(db.range(from.key()..until.key()).next_back().transpose()?)).is_ok()
}

/// A place above `stuck` from which the walk goes on: growing steps until it does, then back towards `stuck`.
fn readable_above(db: &sled::Db, stuck: &[u8], until: Option<&[u8]>) -> Option<Vec<u8>> {
    let start = Number::of(stuck);
    let end = until.map_or(Number::GREATEST, Number::of);
    let (mut low, mut high) = (start, None);
    for bit in 0..Number::BITS {
        let probe = start.up(bit).filter(|probe| *probe < end)?;
        if goes_up(db, probe, end) {
            high = Some(probe);
            break;
        }
        low = probe;
    }
    let mut high = high?;
    while low.middle(high) > low {
        let middle = low.middle(high);
        if goes_up(db, middle, end) { high = middle } else { low = middle }
    }
    Some(high.key())
}

/// The same downwards: a place below which the walk goes on.
fn readable_below(db: &sled::Db, stuck: Option<&[u8]>, from: &[u8]) -> Option<Vec<u8>> {
    let start = stuck.map_or(Number::GREATEST, Number::of);
    let floor = Number::of(from);
    let (mut high, mut low) = (start, None);
    for bit in 0..Number::BITS {
        let probe = start.down(bit).filter(|probe| *probe > floor)?;
        if goes_down(db, probe, floor) {
            low = Some(probe);
            break;
        }
        high = probe;
    }
    let mut low = low?;
    while low.middle(high) > low {
        let middle = low.middle(high);
        if goes_down(db, middle, floor) { low = middle } else { high = middle }
    }
    Some(low.key())
}
