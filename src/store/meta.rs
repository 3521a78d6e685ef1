//! The store's own row: which schema the rows are in, how many there are, and how many commits were made.
//!
//! It is sealed like any other and changes with every commit, in the same batch.

use kinfolk_wire::codec::Reader;

use crate::backend::{Batch, Disk, Fault};
use crate::place::META;
use crate::seal::{Keys, NoRandomness, SealError};

const AT: [u8; 1] = [META];
const VERSION: u8 = 1;

/// What the store knows about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) schema: u32,
    /// Commits since the profile was made.
    pub(crate) commits: u64,
    /// Rows that are kept, pieces not counted.
    pub(crate) rows: u64,
    /// The stored key up to which the migration to the next schema has come, while one is under way.
    pub(crate) migrated_to: Vec<u8>,
}

/// Why the store's own row cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetaError {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl Meta {
    pub(crate) const fn new(schema: u32) -> Self {
        Self { schema, commits: 0, rows: 0, migrated_to: Vec::new() }
    }

    pub(crate) fn put(&self, keys: &Keys, batch: &mut Batch) -> Result<(), NoRandomness> {
        let mut text = vec![VERSION];
        text.extend_from_slice(&self.schema.to_be_bytes());
        text.extend_from_slice(&self.commits.to_be_bytes());
        text.extend_from_slice(&self.rows.to_be_bytes());
        text.extend_from_slice(&self.migrated_to);
        for head in keys.seal(&AT, &text)?.into_iter().take(1) {
            batch.put(AT.to_vec(), head);
        }
        Ok(())
    }

    pub(crate) fn get(keys: &Keys, disk: &dyn Disk) -> Result<Option<Self>, MetaError> {
        let Some(head) = disk.get(&AT)? else { return Ok(None) };
        let text = keys.open(&AT, &head, |_| Ok::<_, MetaError>(None))?;
        Ok(Some(Self::read(&text).ok_or(SealError::Malformed)?))
    }

    /// Reads sealed bytes, if they are a store's own row.
    pub(crate) fn open(keys: &Keys, sealed: &[u8]) -> Option<Self> {
        Self::read(&keys.open_whole(&AT, sealed).ok()?)
    }

    fn read(text: &[u8]) -> Option<Self> {
        let mut reader = Reader::new("the store's own row", text);
        if reader.u8().ok()? != VERSION {
            return None;
        }
        Some(Self {
            schema: reader.u32().ok()?,
            commits: reader.u64().ok()?,
            rows: reader.u64().ok()?,
            migrated_to: reader.rest().to_vec(),
        })
    }
}
