//! The port to the store, and the schema: every record that is kept is a [`Key`] and a [`Row`].
//!
//! The store (floor 4) implements [`Read`] and commits [`Changes`] in one atomic batch. It sees keys as a table number
//! and [`Segment`]s, so that it can blind names and keep orders, and rows as bytes. A key's whole text is sealed beside
//! its row, so that an export finds it again.
//!
//! Rows are deterministic CBOR behind a version byte: a record can gain an optional field without a migration, and
//! anything else is a new version with a function that reads the old one.
//!
//! *Volatile* keys describe connections. They live in memory, go with the process, and are never written to disk.

mod changes;
mod key;
mod key_bytes;
mod memory;
mod mend;
mod rows;
mod scan;

pub use changes::*;
pub use key::*;
pub use memory::*;
pub use mend::mend;
pub use rows::*;
pub use scan::*;

/// What a scan found. Among keys with the same number the order is unspecified.
#[derive(Debug, Default)]
pub struct Scanned {
    /// The rows that could be read.
    pub rows: Vec<(Key, Row)>,
    /// How many could not.
    pub damaged: usize,
}

/// Why the store cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A row is there and cannot be opened or understood.
    #[error("a record of the store is damaged ({table:?}): {reason}")]
    Damaged {
        /// Where it stands.
        table: Table,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk or the back-end failed.
    #[error("the store cannot be read: {0}")]
    Disk(String),
}

/// The store as a turn sees it.
pub trait Read {
    /// The row of a key.
    ///
    /// # Errors
    /// [`ReadError`].
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError>;

    /// The rows of a scan, in its order.
    ///
    /// # Errors
    /// [`ReadError::Disk`]; damaged rows are counted instead.
    fn scan(&self, scan: &Scan) -> Result<Scanned, ReadError>;
}

#[cfg(test)]
mod tests;
