//! A file of nothing, to be given up when the disk is full.
//!
//! Opening a database again after a failed write takes some space itself. Where there is none, the ballast is thrown
//! off, so that a node on a full disk can go on reading; and nothing is written until there is room for it again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::{Backend, Batch, Disk, Fault, KeyRange, Room, Visit};
use crate::profile::layout;

/// What opening takes at the most: a copy of the end of sled's log, and a snapshot.
const BYTES: u64 = 5 << 20;

/// Takes the space, if it is not taken.
pub(crate) fn load(path: &Path) -> Result<(), Fault> {
    let file = layout::private_file(path)?;
    match fallocate(&file, FallocateFlags::empty(), 0, BYTES) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(errno) => {
            drop(file);
            throw_off(path)?;
            Err(io::Error::from(errno).into())
        }
    }
}

fn throw_off(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A database with ballast.
struct Ballasted {
    inner: Box<dyn Disk>,
    path: PathBuf,
    loaded: AtomicBool,
}

/// Opens the database of a directory; on a full disk, at the cost of the ballast.
pub(crate) fn open(backend: Backend, rows: &Path, path: &Path) -> Result<Box<dyn Disk>, Fault> {
    let inner = match super::open(backend, rows) {
        Err(Fault::Full) => {
            throw_off(path)?;
            super::open(backend, rows)?
        }
        other => other?,
    };
    layout::make_private(rows)?;
    let loaded = AtomicBool::new(path.exists());
    Ok(Box::new(Ballasted { inner, path: path.to_path_buf(), loaded }))
}

impl Ballasted {
    fn reading<T>(&self, read: impl Fn() -> Result<T, Fault>) -> Result<T, Fault> {
        match read() {
            Err(Fault::Full) if self.loaded.load(Ordering::Relaxed) => {
                throw_off(&self.path)?;
                self.loaded.store(false, Ordering::Relaxed);
                read()
            }
            other => other,
        }
    }
}

impl Disk for Ballasted {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        self.reading(|| self.inner.get(key))
    }

    fn walk(&self, range: &KeyRange, backwards: bool, visit: Visit<'_>) -> Result<usize, Fault> {
        // A walk that meets a full disk meets it while the database is opened, before the first pair.
        match self.inner.walk(range, backwards, visit) {
            Err(Fault::Full) if self.loaded.load(Ordering::Relaxed) => {
                throw_off(&self.path)?;
                self.loaded.store(false, Ordering::Relaxed);
                self.inner.walk(range, backwards, visit)
            }
            other => other,
        }
    }

    fn apply(&self, batch: &Batch) -> Result<(), Fault> {
        if batch.room == Room::Ordinary && !self.loaded.load(Ordering::Relaxed) {
            load(&self.path)?;
            self.loaded.store(true, Ordering::Relaxed);
        }
        self.inner.apply(batch)
    }

    fn settle(&self) -> Result<(), Fault> {
        self.inner.settle()
    }

    fn confirm(&self) -> Result<(), Fault> {
        self.inner.confirm()
    }

    fn close(self: Box<Self>) -> Result<(), Fault> {
        self.inner.close()
    }
}
