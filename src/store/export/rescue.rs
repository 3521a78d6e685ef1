//! What a damaged profile still holds.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use kinfolk_engine::store::{Key, PrekeyKind, Row};

use super::ExportError;
use super::carve::Carved;
use super::readable::{copy_dir, remove_dir};
use crate::anchor::Anchor;
use crate::backend::{self, Disk, Fault, KeyRange};
use crate::meta::Meta;
use crate::place::{META, PIECES};
use crate::profile::{self, OpenError, Unlock, Unlocked};
use crate::seal::{Keys, Parts, SealError, piece_at};
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
    /// Rows, or stretches of them, that the database lists and that cannot be read.
    pub damaged: u64,
    /// How many rows there should be, where the store's own row could be read.
    pub expected: Option<u64>,
    /// Acknowledged commits of which no trace was found, the newest ones.
    pub lost_commits: u64,
}

/// Gives out what can still be read of a profile, in whatever state its database is; nothing of it is changed.
///
/// The database is opened in a copy, which is made at `work` and removed afterwards. Where the database lists all the
/// rows that it should have, those are given out. Where it does not, what it lacks is looked for in the raw bytes of its
/// files, among which are rows that had been deleted: keys that serve once and sessions are not brought back from there.
///
/// # Errors
/// [`RescueError`]; damage is counted instead.
pub fn rescue<E>(
    dir: &Path,
    unlock: Unlock<'_>,
    work: &Path,
    sink: impl FnMut(Key, Row, Origin) -> Result<(), E>,
) -> Result<RescueReport, RescueError<E>> {
    let unlocked = profile::unlock_damaged(dir, unlock).map_err(RescueError::Open)?;
    gather(&unlocked, work, sink).map_err(RescueError::Stopped)
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

/// The same for a profile that is unlocked.
pub(super) fn gather<E>(
    unlocked: &Unlocked,
    work: &Path,
    mut sink: impl FnMut(Key, Row, Origin) -> Result<(), E>,
) -> Result<RescueReport, ExportError<E>> {
    let disk = |error: io::Error| ExportError::from(Fault::from(error));
    let keys = &unlocked.keys;
    let mut refused = None;
    let mut gathering = Gathering {
        keys,
        carved: Carved::search(keys, &unlocked.layout.rows()).map_err(disk)?,
        acknowledged: Anchor::open(&unlocked.layout.anchor()).and_then(|anchor| anchor.commits(keys)).ok().flatten(),
        report: RescueReport::default(),
        newest: 0,
        sink: |key, row, origin| match sink(key, row, origin) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                refused = Some(error);
                ControlFlow::Break(())
            }
        },
    };
    remove_dir(work).map_err(disk)?;
    copy_dir(&unlocked.layout.rows(), work).map_err(disk)?;
    let whole = gathering.list(unlocked, work).unwrap_or_else(|fault| {
        tracing::warn!(%fault, "the database does not list its rows");
        Some(false)
    });
    remove_dir(work).map_err(disk)?;
    if whole == Some(false) {
        gathering.look_in_raw_bytes().map_err(disk)?;
    }
    let report = gathering.report();
    refused.map_or(Ok(report), |error| Err(ExportError::Sink(error)))
}

struct Gathering<'a, S> {
    keys: &'a Keys,
    carved: Carved,
    /// The last commit that the profile remembers.
    acknowledged: Option<u64>,
    report: RescueReport,
    /// The newest commit of which a row was found.
    newest: u64,
    sink: S,
}

impl<S: FnMut(Key, Row, Origin) -> ControlFlow<()>> Gathering<'_, S> {
    /// Gives out what the database lists, and where the raw bytes have it newer, that. Returns whether nothing is
    /// lacking, or nothing where nobody takes any more.
    fn list(&mut self, unlocked: &Unlocked, rows: &Path) -> Result<Option<bool>, Fault> {
        let disk = backend::open(unlocked.backend, rows)?;
        let meta = Meta::get(self.keys, &*disk).ok().flatten();
        let commits = meta.as_ref().map_or(0, |meta| meta.commits);
        self.newest = commits;
        self.report.expected = meta.as_ref().map(|meta| meta.rows);
        // What is newer than every commit is of one that was refused, or that a process died in.
        let last = commits.max(self.acknowledged.unwrap_or_default());
        let (mut damaged, mut stopped) = (0u64, false);
        let range = KeyRange { from: vec![META.saturating_add(1)], until: Some(vec![PIECES]) };
        let unreadable = disk.walk(&range, false, &mut |at, head| {
            let Ok((version, key, row)) = open(self.keys, &*disk, at, head) else {
                damaged = damaged.saturating_add(1);
                return ControlFlow::Continue(());
            };
            let given = match self.carved.newer(self.keys, &key, version) {
                Ok(Some((version, newer))) if version <= last => {
                    self.newest = self.newest.max(version);
                    self.report.raw = self.report.raw.saturating_add(1);
                    (self.sink)(key, newer, Origin::Raw)
                }
                _ => {
                    self.report.listed = self.report.listed.saturating_add(1);
                    (self.sink)(key, row, Origin::Listed)
                }
            };
            stopped = given.is_break();
            given
        })?;
        disk.close()?;
        self.report.damaged = damaged.saturating_add(u64::try_from(unreadable).unwrap_or(u64::MAX));
        if stopped {
            return Ok(None);
        }
        let there = self.report.listed.saturating_add(self.report.raw);
        Ok(Some(self.report.damaged == 0 && self.report.expected == Some(there) && commits == last))
    }

    /// Gives out what the raw bytes have and the database does not list.
    fn look_in_raw_bytes(&mut self) -> io::Result<()> {
        if let Some(meta) = self.carved.meta().filter(|meta| meta.commits >= self.newest) {
            self.newest = meta.commits;
            self.report.expected = Some(meta.rows);
        }
        let (report, newest, sink) = (&mut self.report, &mut self.newest, &mut self.sink);
        self.carved.rest(self.keys, |key, version, row| {
            *newest = (*newest).max(version);
            if may_be_spent(&key) {
                return true;
            }
            report.raw = report.raw.saturating_add(1);
            sink(key, row, Origin::Raw).is_continue()
        })
    }

    fn report(self) -> RescueReport {
        RescueReport { lost_commits: self.acknowledged.unwrap_or_default().saturating_sub(self.newest), ..self.report }
    }
}

fn open(keys: &Keys, disk: &dyn Disk, at: &[u8], head: &[u8]) -> Result<(u64, Key, Row), Failed> {
    let text = keys.open(at, head, |index| Ok::<_, Failed>(disk.get(&piece_at(at, index))?))?;
    let parts = Parts::read(&text).ok_or(SealError::Malformed)?;
    let version = parts.version;
    let (key, row) = parts.row(&keys.names, at)?;
    Ok((version, key, row))
}

/// Whether a row that only the raw bytes have may have been deleted so that nobody can use it again. What else was
/// deleted does no harm when it comes back, and what is lost with these is made anew.
const fn may_be_spent(key: &Key) -> bool {
    matches!(key, Key::Session(..) | Key::SkippedKey(..) | Key::Prekey(PrekeyKind::OneTime, _))
}
