//! A witness's votes on the disk: the log that is the truth, and the index that can be made again from it.
//!
//! ```text
//! <profile>/witness/   0700
//!   lock               held by the process that has the log open
//!   log                the key, and every line that may still be needed (`frame`, `log`)
//!   log.new            the same, while it is written anew (`renewal`)
//!   mark               up to where lines were acknowledged
//!   index/             sled: accounts, and where entries stand in the log (`index`); of a log that was written anew it
//!                      bears the beginning of that one's id in its name
//! ```
//!
//! [`Votes`] is what a [`Witness`](kinfolk_ledger::witness::Witness) stands on. Lines go to the log in one write and one
//! sync for a whole batch, and only then is a word of it said. sled is no place for that: it syncs too little and too
//! late. It has the index, which is written now and then, with the place in the log up to which it is right; the rest is
//! read from the log when it is opened.
//!
//! The key that votes are signed with is the first line of the log. It is in no export and in no backup: whoever restores
//! an older log restores a witness that has forgotten votes, which is what a double spender needs. So a log that lost
//! something which was acknowledged is not opened again, and its witness comes back with a new key.

use std::fmt;
use std::path::{Path, PathBuf};

use kinfolk_ledger::signature::SecretKey;
use kinfolk_ledger::witness::{Position, RowKey, Shelf, Stretch};
use zeroize::Zeroizing;

use crate::backend::Fault;
use crate::profile::layout;
use crate::profile::lock::{Lock, LockError};
use index::{Index, RowError};
use log::{Frames, Log};

mod frame;
mod index;
mod log;
mod renewal;

const INSTEAD: &str = "a witness that may have lost votes must not vote with that key again: stop serving, move the \
                       witness directory of this profile away, and let the issuers name the new key that \
                       `kinfolk witness serve` makes";

/// Why the votes of a witness cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum VotesError {
    /// There are some.
    #[error("there is a witness's log in {} already; it is used as it is", .dir.display())]
    Exists {
        /// Where.
        dir: PathBuf,
    },
    /// There are none.
    #[error("there is no witness's log in {}; `kinfolk witness serve` makes one, with a new key", .dir.display())]
    None {
        /// Where.
        dir: PathBuf,
    },
    /// Another process has it.
    #[error("another process{} has the witness's log in {} open; stop it first", of_process(*.process), .dir.display())]
    Busy {
        /// Where.
        dir: PathBuf,
        /// Its number, where it is known.
        process: Option<u32>,
    },
    /// Another kind of file, or one of a newer program.
    #[error("{} is not a witness's log that this program can read", .file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// Something that was acknowledged is not as it was written.
    #[error("the witness's log {} is damaged at byte {at}: {what}; {INSTEAD}", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in it, in bytes.
        at: u64,
        /// What is wrong.
        what: String,
    },
    /// Something that was acknowledged is gone.
    #[error(
        "the witness's log {} has {found} bytes, and {expected} were acknowledged: an older copy was put in its place, or \
         its end is lost; {INSTEAD}",
        .file.display()
    )]
    Lost {
        /// The file.
        file: PathBuf,
        /// Bytes that were acknowledged.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// An older copy of the log, as it was before it was written anew.
    #[error(
        "the witness's log {} is older than what was acknowledged: it was written anew since, and an older copy was put in \
         its place; {INSTEAD}",
        .file.display()
    )]
    Older {
        /// The file.
        file: PathBuf,
    },
    /// A row of the index is not as it was written.
    #[error("the witness's index {} is damaged: {reason}; start again, and it is made anew from the log", .dir.display())]
    Index {
        /// Where.
        dir: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An append failed before.
    #[error("the witness's log {} could not be written before, and takes nothing more until it is opened anew", .file.display())]
    Failed {
        /// The file.
        file: PathBuf,
    },
    /// A line that could not be read back.
    #[error("a line of a witness's log has at most {limit} bytes, this has {found}")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
        /// Its bytes.
        found: usize,
    },
    /// The disk is full.
    #[error("the disk is full, and the witness's log {} cannot grow; free some space and start again", .file.display())]
    Full {
        /// The file.
        file: PathBuf,
    },
    /// The disk failed.
    #[error("{} cannot be read or written: {reason}; check the disk and start again", .file.display())]
    Disk {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness, so nothing can be sealed")]
    NoRandomness,
}

fn of_process(process: Option<u32>) -> String {
    process.map(|process| format!(" (process {process})")).unwrap_or_default()
}

impl VotesError {
    fn of(file: &Path, error: &std::io::Error) -> Self {
        Self::fault(file, Fault::from(std::io::Error::new(error.kind(), error.to_string())))
    }

    fn fault(file: &Path, fault: Fault) -> Self {
        let file = file.to_path_buf();
        match fault {
            Fault::Full => Self::Full { file },
            Fault::Damaged(reason) | Fault::Disk(reason) => Self::Disk { file, reason },
        }
    }
}

/// Where a profile keeps the votes of its witness, and what they are sealed with. It can be taken to another thread.
#[derive(Clone)]
pub struct VotesPlace {
    dir: PathBuf,
    key: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for VotesPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VotesPlace").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl VotesPlace {
    pub(crate) const fn new(dir: PathBuf, key: Zeroizing<[u8; 32]>) -> Self {
        Self { dir, key }
    }

    /// Whether there is a log.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.log().exists()
    }

    /// Makes a log with a new key, and opens it.
    ///
    /// # Errors
    /// [`VotesError`].
    pub fn create(&self) -> Result<Votes, VotesError> {
        layout::private_dir(&self.dir).map_err(|error| VotesError::of(&self.dir, &error))?;
        let lock = self.lock()?;
        if self.exists() {
            return Err(VotesError::Exists { dir: self.dir.clone() });
        }
        Log::create(&self.log(), &self.dir.join("mark"), &self.key)?;
        if let Some(profile) = self.dir.parent() {
            layout::sync_dir(profile).map_err(|error| VotesError::of(profile, &error))?;
        }
        self.open_with(lock)
    }

    /// Opens the log that there is. What was never acknowledged of its end is cut off; an index that cannot be read is
    /// made again.
    ///
    /// # Errors
    /// [`VotesError`].
    pub fn open(&self) -> Result<Votes, VotesError> {
        if !self.exists() {
            return Err(VotesError::None { dir: self.dir.clone() });
        }
        let lock = self.lock()?;
        self.open_with(lock)
    }

    fn open_with(&self, lock: Lock) -> Result<Votes, VotesError> {
        let mut index_dir = self.dir.join("index");
        let mut index = None;
        let log = Log::open(&self.log(), &self.dir.join("mark"), &self.key, |id, first| {
            index_dir = renewal::index_dir(&self.dir, id);
            let opened = Index::open(&index_dir, &self.key, id, first);
            let opened = opened.map_err(|fault| VotesError::fault(&index_dir, fault))?;
            let until = opened.until();
            index = Some(opened);
            Ok(until)
        })?;
        let index = index.ok_or_else(|| VotesError::None { dir: index_dir.clone() })?;
        renewal::tidy(&self.dir, &index_dir);
        Ok(Votes { log, index, index_dir, dir: self.dir.clone(), lock: Some(lock) })
    }

    fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    fn lock(&self) -> Result<Lock, VotesError> {
        Lock::take(&self.dir.join("lock")).map_err(|error| match error {
            LockError::Held { process } => VotesError::Busy { dir: self.dir.clone(), process },
            LockError::Disk(error) => VotesError::of(&self.dir, &error),
        })
    }
}

/// The open votes of a witness: its log, its key, its index. Locked against other processes while it lives.
pub struct Votes {
    log: Log,
    index: Index,
    index_dir: PathBuf,
    dir: PathBuf,
    /// Not while it is beside another.
    lock: Option<Lock>,
}

impl fmt::Debug for Votes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Votes").field("bytes", &self.log.end()).finish_non_exhaustive()
    }
}

impl Votes {
    /// Leaves the files so that the next opening is quick. What the index does not have yet stays in the log.
    ///
    /// # Errors
    /// [`VotesError`]; nothing of the log is lost.
    pub fn close(self) -> Result<(), VotesError> {
        let Self { index, index_dir, .. } = self;
        index.close().map_err(|fault| VotesError::fault(&index_dir, fault))
    }

    /// A process that is killed after it has written lines and before they are on the disk.
    #[cfg(test)]
    pub(crate) fn append_and_be_killed(self, lines: &[Vec<u8>]) -> Result<(), VotesError> {
        self.log.append_and_be_killed(lines)
    }

    fn row_error(&self, error: RowError) -> VotesError {
        match error {
            RowError::Fault(Fault::Full) => VotesError::Full { file: self.index_dir.clone() },
            RowError::NoRandomness(_) => VotesError::NoRandomness,
            RowError::Fault(Fault::Disk(reason)) => VotesError::Disk { file: self.index_dir.clone(), reason },
            error @ (RowError::Damaged | RowError::Fault(Fault::Damaged(_))) => {
                index::spoil(&self.index_dir);
                VotesError::Index { dir: self.index_dir.clone(), reason: error.to_string() }
            }
        }
    }
}

impl Shelf for Votes {
    type Error = VotesError;

    fn key(&self) -> &SecretKey {
        self.log.key()
    }

    fn append(&mut self, lines: &[Vec<u8>]) -> Result<Vec<Position>, VotesError> {
        Ok(self.log.append(lines)?.into_iter().map(Position::new).collect())
    }

    fn line(&self, at: Position) -> Result<Vec<u8>, VotesError> {
        self.log.line(at.number())
    }

    fn lines(&self, from: Position) -> Result<Stretch, VotesError> {
        let Frames { lines, next } = self.log.lines(from.number())?;
        let lines = lines.into_iter().map(|(at, line)| (Position::new(at), line)).collect();
        Ok(Stretch { lines, next: Position::new(next) })
    }

    fn row(&self, key: &RowKey) -> Result<Option<Vec<u8>>, VotesError> {
        self.index.row(key).map_err(|error| self.row_error(error))
    }

    fn index(&mut self, rows: Vec<(RowKey, Vec<u8>)>, until: Position) -> Result<(), VotesError> {
        let put = self.index.put(rows, until.number());
        put.map_err(|error| self.row_error(error))
    }

    fn indexed(&self) -> Position {
        Position::new(self.index.until())
    }

    fn end(&self) -> Position {
        Position::new(self.log.end())
    }
}
