//! What a damaged profile still holds.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use kinfolk_engine::store::{Key, Row};

use super::ExportError;
use super::carve::Carved;
use crate::backend::{self, Fault, KeyRange};
use crate::meta::Meta;
use crate::place::{META, PIECES};
use crate::profile::{self, OpenError, Unlock, Unlocked, layout};
use crate::seal::{Parts, SealError, piece_at};
use crate::store::Failed;

/// Where a rescued row was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In the database, as it lists its rows.
    Listed,
    /// In the raw bytes of the files. It is genuine, and the newest that was found; it may have been deleted.
    Raw,
}

/// What a rescue found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RescueReport {
    /// Rows that the database lists.
    pub listed: u64,
    /// Rows found in the raw bytes beyond those, or newer than those.
    pub raw: u64,
    /// Rows that the database lists and that cannot be read.
    pub damaged: u64,
    /// How many rows there should be, where the store's own row could be read.
    pub expected: Option<u64>,
}

/// Gives out what can still be read of a profile, in whatever state its database is; nothing of it is changed.
///
/// The database is opened in a copy, for which there must be space.
///
/// # Errors
/// [`ExportError::Disk`] where the profile cannot be unlocked or copied; damage is counted instead.
pub fn rescue<E>(
    dir: &Path,
    unlock: Unlock<'_>,
    mut sink: impl FnMut(Key, Row, Origin) -> Result<(), E>,
) -> Result<RescueReport, RescueError<E>> {
    let unlocked = profile::unlock(dir, unlock).map_err(RescueError::Open)?;
    let disk = |error: io::Error| RescueError::Stopped(ExportError::Disk(error.to_string()));
    let mut carved = Carved::search(&unlocked.keys, &unlocked.layout.rows()).map_err(disk)?;
    let copy = unlocked.layout.dir().join("rescue");
    remove(&copy).map_err(disk)?;
    copy_dir(&unlocked.layout.rows(), &copy).map_err(disk)?;
    let mut report = RescueReport::default();
    let mut refused = None;
    // Whatever the database cannot list is looked for in the raw bytes.
    let listing = list(&unlocked, &copy, &mut report, &mut carved, |key, row, origin| match sink(key, row, origin) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            refused = Some(error);
            ControlFlow::Break(())
        }
    });
    if let Err(fault) = listing {
        tracing::warn!(%fault, "the database does not list its rows");
    }
    remove(&copy).map_err(disk)?;
    if refused.is_none() {
        carved
            .rest(&unlocked.keys, |key, row| {
                report.raw = report.raw.saturating_add(1);
                refused = sink(key, row, Origin::Raw).err();
                refused.is_none()
            })
            .map_err(disk)?;
    }
    refused.map_or(Ok(report), |error| Err(RescueError::Stopped(ExportError::Sink(error))))
}

/// Why a rescue stopped.
#[derive(Debug, thiserror::Error)]
pub enum RescueError<E> {
    /// The profile could not be unlocked.
    #[error(transparent)]
    Open(OpenError),
    /// Reading or giving out did not go on.
    #[error(transparent)]
    Stopped(ExportError<E>),
}

fn list(
    unlocked: &Unlocked,
    rows: &Path,
    report: &mut RescueReport,
    carved: &mut Carved,
    mut sink: impl FnMut(Key, Row, Origin) -> ControlFlow<()>,
) -> Result<(), Fault> {
    let keys = &unlocked.keys;
    let disk = backend::open(unlocked.backend, rows)?;
    report.expected = Meta::get(keys, &*disk).ok().flatten().map(|meta| meta.rows);
    let mut damaged = 0u64;
    let range = KeyRange { from: vec![META.saturating_add(1)], until: Some(vec![PIECES]) };
    let unreadable = disk.walk(&range, false, &mut |at, head| {
        let opened = keys.open(at, head, |index| Ok::<_, Failed>(disk.get(&piece_at(at, index))?)).and_then(|text| {
            let parts = Parts::read(&text).ok_or(SealError::Malformed)?;
            let version = parts.version;
            Ok((version, parts.row(&keys.names, at)?))
        });
        let Ok((version, (key, row))) = opened else {
            damaged = damaged.saturating_add(1);
            return ControlFlow::Continue(());
        };
        match carved.newer(keys, &key, version) {
            Ok(Some(newer)) => {
                report.raw = report.raw.saturating_add(1);
                sink(key, newer, Origin::Raw)
            }
            Ok(None) | Err(_) => {
                report.listed = report.listed.saturating_add(1);
                sink(key, row, Origin::Listed)
            }
        }
    })?;
    report.damaged = damaged.saturating_add(u64::try_from(unreadable).unwrap_or(u64::MAX));
    disk.close()
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    layout::private_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}
