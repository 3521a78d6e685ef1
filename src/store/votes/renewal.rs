//! A log that is written anew, and its index, beside those that are in use.
//!
//! The new log has the name `log.new` until all of it is on the disk; then it is renamed, and the directory synced, before
//! anything is said of which only the new log knows. A loss of power leaves the one or the other: of `log.new` nothing is
//! ever read. The index of a log is found by the log's id, so that none is renamed while it is open; whatever else lies
//! there is of a log that is gone, and is removed when the votes are opened.

use std::fs;
use std::path::{Path, PathBuf};

use kinfolk_ledger::witness::{Position, Renewable};

use super::frame::ID;
use super::log::{self, Log};
use super::{Votes, VotesError};

const NEW: &str = "log.new";
const INDEX: &str = "index";

/// Where the index of the log with this id is: of one that was written anew, under its own name.
pub(super) fn index_dir(dir: &Path, id: &[u8; ID]) -> PathBuf {
    let own = named(dir, id);
    if own.exists() { own } else { dir.join(INDEX) }
}

fn named(dir: &Path, id: &[u8; ID]) -> PathBuf {
    let number = id.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    dir.join(format!("{INDEX}-{number:016x}"))
}

/// Removes what is left of logs that are gone, or that were never finished.
pub(super) fn tidy(dir: &Path, index: &Path) {
    let removed = log::remove(&dir.join(NEW)).and_then(|()| {
        for entry in fs::read_dir(dir)? {
            let (path, name) = (entry.as_ref().map(fs::DirEntry::path), entry.as_ref().map(fs::DirEntry::file_name));
            if let (Ok(path), Ok(name)) = (path, name)
                && name.to_string_lossy().starts_with(INDEX)
                && path.is_dir()
                && path != index
            {
                fs::remove_dir_all(path)?;
            }
        }
        Ok(())
    });
    if let Err(error) = removed {
        tracing::warn!(%error, "what is left of a witness's older log was not removed");
    }
}

impl Renewable for Votes {
    fn first(&self) -> Position {
        Position::new(self.log.first())
    }

    fn beside(&self) -> Result<Self, VotesError> {
        tidy(&self.dir, &self.index_dir);
        let log = Log::beside(&self.log, &self.dir.join(NEW))?;
        let index_dir = named(&self.dir, log.id());
        let index = self.index.beside(&index_dir, log.id(), log.first());
        let index = index.map_err(|fault| VotesError::fault(&index_dir, fault))?;
        Ok(Self { log, index, index_dir, dir: self.dir.clone(), lock: None })
    }

    fn copy(&mut self, lines: &[Vec<u8>]) -> Result<Vec<Position>, VotesError> {
        Ok(self.log.copy(lines)?.into_iter().map(Position::new).collect())
    }

    fn finish(&mut self) -> Result<(), VotesError> {
        self.log.finish()
    }

    fn give_up(self) {
        let Self { log, index, index_dir, .. } = self;
        drop(index);
        let removed = log.remove().and_then(|()| fs::remove_dir_all(&index_dir));
        if let Err(error) = removed {
            tracing::warn!(%error, "what was written of a witness's new log was not removed");
        }
    }

    fn replace(&mut self, old: Self) -> Result<(), VotesError> {
        self.log.take_name(&self.dir.join("log"))?;
        let Self { lock, .. } = old;
        self.lock = lock;
        tidy(&self.dir, &self.index_dir);
        Ok(())
    }
}
