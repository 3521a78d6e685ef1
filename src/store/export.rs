//! Everything out, everything in, and what a damaged profile still holds.

use std::ops::ControlFlow;

use kinfolk_engine::store::{Changes, Key, Row};

use crate::backend::Fault;
use crate::store::{CommitError, Store};

mod carve;
mod readable;
mod rescue;
mod safe;

pub use rescue::{Origin, RescueError, RescueReport, rescue};
pub use safe::{Rescue, RescueFailed, asks_for_passphrase};

/// Rows of one batch of an import, and their bytes.
const BATCH_ROWS: usize = 500;
const BATCH_BYTES: usize = 512 << 10;

/// What an export found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExportReport {
    /// Rows that were read and given out.
    pub rows: u64,
    /// Rows, or stretches of them, that are there and cannot be read.
    pub damaged: u64,
    /// Rows that the store counts and that were neither given out nor found damaged.
    pub missing: u64,
}

/// Why an export stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError<E> {
    /// The disk is full.
    #[error("the disk is full; free some space and try again")]
    Full,
    /// The disk or the back-end failed.
    #[error("the store cannot be read: {0}")]
    Disk(String),
    /// Whoever takes the rows did.
    #[error(transparent)]
    Sink(E),
}

impl<E> From<Fault> for ExportError<E> {
    fn from(fault: Fault) -> Self {
        if fault == Fault::Full { Self::Full } else { Self::Disk(fault.to_string()) }
    }
}

/// Why an import stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Rows are imported into a new profile only: two profiles do not mix.
    #[error("the profile has {rows} rows already; rows are imported into a new one only")]
    NotEmpty {
        /// How many it has.
        rows: u64,
    },
    /// A batch was not committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl Store {
    /// Gives out every row that can be read, sessions and keys included: to change back-ends, or to rescue.
    ///
    /// # Errors
    /// [`ExportError`]; damaged rows are counted instead.
    pub fn export<E>(&self, mut sink: impl FnMut(Key, Row) -> Result<(), E>) -> Result<ExportReport, ExportError<E>> {
        let mut report = ExportReport::default();
        let mut refused = None;
        let walked = self.walk(|key, row| match sink(key, row) {
            Ok(()) => {
                report.rows = report.rows.saturating_add(1);
                ControlFlow::Continue(())
            }
            Err(error) => {
                refused = Some(error);
                ControlFlow::Break(())
            }
        });
        let damaged = walked?;
        if let Some(error) = refused {
            return Err(ExportError::Sink(error));
        }
        report.damaged = u64::try_from(damaged).unwrap_or(u64::MAX);
        report.missing = self.rows().saturating_sub(report.rows).saturating_sub(report.damaged);
        Ok(report)
    }

    /// Takes rows into a new profile, in batches, each of them on the disk before the next; returns how many.
    ///
    /// # Errors
    /// [`ImportError`]; the profile is not whole then and should be made anew.
    pub fn import(&mut self, rows: impl IntoIterator<Item = (Key, Row)>) -> Result<u64, ImportError> {
        let mut importer = Importer::new(self)?;
        for (key, row) in rows {
            importer.row(key, row)?;
        }
        importer.finish()
    }

    /// Copies every row that can be read into a new profile, which may stand on another back-end.
    ///
    /// # Errors
    /// [`ExportError`]; the new profile is not whole then.
    pub fn copy_to(&self, other: &mut Self) -> Result<ExportReport, ExportError<ImportError>> {
        let mut importer = Importer::new(other).map_err(ExportError::Sink)?;
        let report = self.export(|key, row| importer.row(key, row))?;
        importer.finish().map_err(ExportError::Sink)?;
        Ok(report)
    }
}

struct Importer<'a> {
    store: &'a mut Store,
    changes: Changes,
    bytes: usize,
    rows: u64,
}

impl<'a> Importer<'a> {
    fn new(store: &'a mut Store) -> Result<Self, ImportError> {
        match store.rows() {
            0 => Ok(Self { store, changes: Changes::default(), bytes: 0, rows: 0 }),
            rows => Err(ImportError::NotEmpty { rows }),
        }
    }

    fn row(&mut self, key: Key, row: Row) -> Result<(), ImportError> {
        self.bytes = self.bytes.saturating_add(row.encode().len());
        self.changes.put(key, row);
        self.rows = self.rows.saturating_add(1);
        if self.changes.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ImportError> {
        self.bytes = 0;
        Ok(self.store.commit(&std::mem::take(&mut self.changes))?)
    }

    fn finish(mut self) -> Result<u64, ImportError> {
        self.flush()?;
        Ok(self.rows)
    }
}
