//! Schemas, and the way from each to the next.
//!
//! A migration is one short function over one row. The frame walks all rows in the order of their places, in batches;
//! each batch also writes how far it came, so that a crash between two batches loses nothing and repeats nothing. A
//! function must leave rows of its target alone: one that it moves ahead may be met again.

use std::ops::ControlFlow;

use kinfolk_engine::store::Key;

use crate::backend::{Batch, Disk, Fault, KeyRange};
use crate::meta::Meta;
use crate::place::{self, META, PIECES};
use crate::seal::{Head, Keys, NoRandomness, Parts, piece_at};

/// The schema that this program reads and writes.
pub const SCHEMA: u32 = 1;

/// Rows of one batch.
const BATCH: usize = 256;

/// From the schema of its index + 1 to the next.
pub(crate) const MIGRATIONS: &[Migration] = &[];

/// What becomes of one row, given its key and its record.
pub(crate) type Migration = fn(&Key, &[u8]) -> Result<Migrated, String>;

/// What a migration makes of a row.
#[cfg_attr(not(test), allow(dead_code, reason = "there is one schema as yet, so nothing migrates outside tests"))]
pub(crate) enum Migrated {
    /// It stays.
    Keep,
    /// It becomes this record, at this key.
    Put(Key, Vec<u8>),
    /// It goes.
    Delete,
}

/// Why the rows could not be brought to this program's schema.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateError {
    #[error("the rows are of schema {found}, this program knows schemas up to {known}")]
    Newer { found: u32, known: u32 },
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("{NoRandomness}")]
    NoRandomness,
    #[error("from schema {from}: {reason}")]
    Row { from: u32, reason: String },
}

/// Brings the rows to the newest schema; says whether there was anything to do.
pub(crate) fn run(
    disk: &dyn Disk,
    keys: &Keys,
    meta: &mut Meta,
    migrations: &[Migration],
) -> Result<bool, MigrateError> {
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX).saturating_add(1);
    if meta.schema > known {
        return Err(MigrateError::Newer { found: meta.schema, known });
    }
    let started_at = meta.schema;
    while let Some(migration) = meta.schema.checked_sub(1).and_then(|done| migrations.get(usize::try_from(done).ok()?))
    {
        tracing::info!(from = meta.schema, "bringing the profile to the next schema");
        while step(disk, keys, meta, *migration)? {}
    }
    Ok(meta.schema > started_at)
}

/// Migrates the next rows; says whether there may be more of them.
fn step(disk: &dyn Disk, keys: &Keys, meta: &mut Meta, migration: Migration) -> Result<bool, MigrateError> {
    let from = [meta.migrated_to.as_slice(), &[0]].concat();
    let range = KeyRange { from, until: Some(vec![PIECES]) };
    let mut heads = Vec::new();
    disk.walk(&range, false, &mut |at, head| {
        if at.first() != Some(&META) {
            heads.push((at.to_vec(), head.to_vec()));
        }
        if heads.len() < BATCH { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let mut next = meta.clone();
    next.commits = next.commits.saturating_add(1);
    let more = heads.len() == BATCH;
    match heads.last() {
        Some((at, _)) if more => next.migrated_to.clone_from(at),
        _ => {
            next.migrated_to.clear();
            next.schema = next.schema.saturating_add(1);
        }
    }
    let mut batch = Batch::default();
    for (at, head) in &heads {
        migrate_row(disk, keys, &mut next, migration, at, head, &mut batch)?;
    }
    next.put(keys, &mut batch).map_err(|_| MigrateError::NoRandomness)?;
    disk.apply(&batch)?;
    *meta = next;
    Ok(more)
}

fn migrate_row(
    disk: &dyn Disk,
    keys: &Keys,
    meta: &mut Meta,
    migration: Migration,
    at: &[u8],
    head: &[u8],
    batch: &mut Batch,
) -> Result<(), MigrateError> {
    let opened = keys.open(at, head, |index| disk.get(&piece_at(at, index)).map_err(Failed::Fault));
    let text = match opened {
        Ok(text) => text,
        Err(Failed::Fault(fault)) => return Err(fault.into()),
        // A damaged row stays what it is; it is counted where rows are read.
        Err(Failed::Seal) => return Ok(()),
    };
    let Some(parts) = Parts::read(&text) else { return Ok(()) };
    let table = parts.key.table();
    let outcome = migration(&parts.key, parts.record)
        .map_err(|reason| MigrateError::Row { from: meta.schema, reason: format!("{table:?}: {reason}") })?;
    let (key, record) = match outcome {
        Migrated::Keep => return Ok(()),
        Migrated::Delete => {
            remove(at, head, batch);
            meta.rows = meta.rows.saturating_sub(1);
            return Ok(());
        }
        Migrated::Put(key, record) => (key, record),
    };
    remove(at, head, batch);
    let to = place::of(&keys.names, &key);
    let text = crate::seal::text(&key, meta.commits, &record);
    for (index, value) in (0u8..).zip(keys.seal(&to, &text).map_err(|_| MigrateError::NoRandomness)?) {
        batch.put(if index == 0 { to.clone() } else { piece_at(&to, index) }, value);
    }
    Ok(())
}

fn remove(at: &[u8], head: &[u8], batch: &mut Batch) {
    batch.delete(at.to_vec());
    for index in 1..Head::read(head).map_or(1, |head| head.count) {
        batch.delete(piece_at(at, index));
    }
}

enum Failed {
    Fault(Fault),
    Seal,
}

impl From<crate::seal::SealError> for Failed {
    fn from(_: crate::seal::SealError) -> Self {
        Self::Seal
    }
}

#[cfg(test)]
mod tests;
