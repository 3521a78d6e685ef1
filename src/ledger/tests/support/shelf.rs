//! A disk in memory, which fails as it is told to.

use std::collections::BTreeMap;

use kinfolk_ledger::signature::SecretKey;
use kinfolk_ledger::witness::{Position, Renewable, RowKey, Shelf, Stretch};

/// What goes wrong with the next append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// So many of its lines will be there, and it says that it failed.
    Told { kept: usize },
    /// None of its lines will be there after a restart, and it says that all is well.
    Untold,
}

/// The failure that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the disk failed")]
pub(crate) struct DiskFailed;

/// A log, an index and a key.
#[derive(Debug, Clone)]
pub(crate) struct PaperShelf {
    key: SecretKey,
    pub(crate) log: Vec<Vec<u8>>,
    rows: BTreeMap<RowKey, Vec<u8>>,
    indexed: usize,
    /// Of the log, what a restart leaves.
    lasting: usize,
    pub(crate) appends: usize,
    pub(crate) next_append: Option<Failure>,
    /// What goes wrong with the next lines of a log beside this one.
    pub(crate) next_copy: Option<Failure>,
}

impl PaperShelf {
    pub(crate) fn new(key: SecretKey) -> Self {
        let (next_append, next_copy) = (None, None);
        Self { key, log: vec![], rows: BTreeMap::new(), indexed: 0, lasting: 0, appends: 0, next_append, next_copy }
    }

    /// As a loss of power leaves it.
    pub(crate) fn restarted(mut self) -> Self {
        self.log.truncate(self.lasting);
        (self.next_append, self.next_copy) = (None, None);
        if self.indexed > self.log.len() {
            self = self.without_index();
        }
        self
    }

    pub(crate) fn without_index(mut self) -> Self {
        self.rows.clear();
        self.indexed = 0;
        self
    }

    /// A witness that forgets: the last lines are gone, although it was told that they would be there.
    pub(crate) fn forgetting(mut self, lines: usize) -> Self {
        self.lasting = self.lasting.saturating_sub(lines);
        self.restarted()
    }
}

impl Shelf for PaperShelf {
    type Error = DiskFailed;

    fn key(&self) -> &SecretKey {
        &self.key
    }

    fn append(&mut self, lines: &[Vec<u8>]) -> Result<Vec<Position>, DiskFailed> {
        self.appends += 1;
        let begin = self.log.len();
        match self.next_append.take() {
            Some(Failure::Told { kept }) => {
                self.log.extend(lines.iter().take(kept).cloned());
                self.lasting = self.log.len();
                return Err(DiskFailed);
            }
            Some(Failure::Untold) => self.log.extend_from_slice(lines),
            None => {
                self.log.extend_from_slice(lines);
                self.lasting = self.log.len();
            }
        }
        Ok((begin..self.log.len()).map(|at| Position::new(at as u64)).collect())
    }

    fn line(&self, at: Position) -> Result<Vec<u8>, DiskFailed> {
        self.log.get(at.number() as usize).cloned().ok_or(DiskFailed)
    }

    fn lines(&self, from: Position) -> Result<Stretch, DiskFailed> {
        let lines = self.log.iter().enumerate().skip(from.number() as usize).take(3);
        let lines: Vec<_> = lines.map(|(at, line)| (Position::new(at as u64), line.clone())).collect();
        let next = Position::new(from.number() + lines.len() as u64);
        Ok(Stretch { lines, next })
    }

    fn row(&self, key: &RowKey) -> Result<Option<Vec<u8>>, DiskFailed> {
        Ok(self.rows.get(key).cloned())
    }

    fn index(&mut self, rows: Vec<(RowKey, Vec<u8>)>, until: Position) -> Result<(), DiskFailed> {
        self.rows.extend(rows);
        self.indexed = until.number() as usize;
        Ok(())
    }

    fn indexed(&self) -> Position {
        Position::new(self.indexed as u64)
    }

    fn end(&self) -> Position {
        Position::new(self.log.len() as u64)
    }
}

impl Renewable for PaperShelf {
    fn first(&self) -> Position {
        Position::new(0)
    }

    fn beside(&self) -> Result<Self, DiskFailed> {
        Ok(Self { next_append: self.next_copy, ..Self::new(self.key.clone()) })
    }

    fn copy(&mut self, lines: &[Vec<u8>]) -> Result<Vec<Position>, DiskFailed> {
        let lasting = self.lasting;
        let copied = self.append(lines);
        self.lasting = lasting;
        copied
    }

    fn finish(&mut self) -> Result<(), DiskFailed> {
        self.lasting = self.log.len();
        Ok(())
    }

    fn replace(&mut self, _old: Self) -> Result<(), DiskFailed> {
        // What is not finished is not there after a loss of power.
        self.log.truncate(self.lasting);
        Ok(())
    }

    fn give_up(self) {}
}
