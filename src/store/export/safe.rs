//! A damaged profile made into a new one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kinfolk_engine::store::{Key, mend};

use super::rescue::gather;
use super::{ExportError, ImportError, Importer, RescueReport, readable};
use crate::backend::{Backend, Fault};
use crate::profile::{self, CreateError, OpenError, Options, Unlock, Unlocked, layout};
use crate::store::{CommitError, Store};

/// Saves what can be read of a profile into a new one, which opens with the same passphrase, or with a key file of its
/// own. The old one is not changed.
#[derive(Debug, Clone, Copy)]
pub struct Rescue<'a> {
    /// The profile.
    pub from: &'a Path,
    /// What unlocks it.
    pub unlock: Unlock<'a>,
    /// A directory that is empty, or is not there.
    pub to: &'a Path,
    /// The database of the new profile; that of the old one if nothing is said.
    pub backend: Option<Backend>,
    /// Choices at the making of the new profile.
    pub options: Options,
    /// Whether what was committed last may be lacking: sessions and numbers then go back to what they were.
    pub accepts_loss: bool,
}

/// Why nothing was saved. No new profile is left then.
#[derive(Debug, thiserror::Error)]
pub enum RescueFailed {
    /// The new profile's directory is not its own.
    #[error("{} is not empty; name a directory that is empty, or none that is there yet", .dir.display())]
    NotEmpty {
        /// Which.
        dir: PathBuf,
    },
    /// The new profile would be a part of the old one.
    #[error("{} is inside the profile that is to be rescued; name a directory elsewhere", .dir.display())]
    Inside {
        /// Which.
        dir: PathBuf,
    },
    /// The old profile could not be unlocked.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new profile could not be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The old profile's files could not be read or copied.
    #[error("the files of the profile cannot be read or copied: {0}")]
    Read(String),
    /// The disk of the new profile is full.
    #[error("the disk of {} is full; a rescue needs three times the space of the profile", .dir.display())]
    Full {
        /// Where.
        dir: PathBuf,
    },
    /// The new profile could not be written.
    #[error("the new profile cannot be written: {0}")]
    Write(String),
    /// What was committed last is not to be found.
    #[error(
        "of the last {} changes nothing is to be found, what they held is lost and sessions may have to begin anew; {} \
         rows can be read",
        .report.lost_commits, .report.listed.saturating_add(.report.raw)
    )]
    CommitsLost {
        /// What was found.
        report: RescueReport,
    },
    /// The row that says who the profile is cannot be read.
    #[error(
        "{} rows can be read, but not the one that says who you are, and without it the others are of no use; begin \
         anew, your 24 words bring your identity back with `kinfolk init --restore-phrase FILE`",
        .report.listed.saturating_add(.report.raw)
    )]
    NobodysProfile {
        /// What was found.
        report: RescueReport,
    },
}

/// Whether the rescue of a profile asks for its passphrase.
///
/// # Errors
/// [`OpenError`] where there is no profile, or its vault cannot be read.
pub fn asks_for_passphrase(dir: &Path) -> Result<bool, OpenError> {
    profile::vault_asks_for_passphrase(dir)
}

impl Rescue<'_> {
    /// Does it; `saved` is told now and then how many rows are in the new profile.
    ///
    /// # Errors
    /// [`RescueFailed`].
    pub fn run(&self, saved: &mut dyn FnMut(u64)) -> Result<RescueReport, RescueFailed> {
        let there = self.look()?;
        let unlocked = profile::unlock_damaged(self.from, self.unlock)?;
        let building = self.to.join("unfinished");
        let made = self.build(&unlocked, &building, saved);
        let cleared = readable::remove_dir(&building);
        if made.is_err() && !there {
            // What is in the way of an error is no more than an empty directory.
            drop(fs::remove_dir(self.to));
        }
        let report = made?;
        cleared.map_err(|error| self.written(error.into()))?;
        Ok(report)
    }

    /// Whether the directory is there, which has to be empty then.
    fn look(&self) -> Result<bool, RescueFailed> {
        let dir = self.to.to_path_buf();
        let place = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if self.to.ancestors().any(|above| place(above) == place(self.from)) {
            return Err(RescueFailed::Inside { dir });
        }
        match fs::read_dir(self.to).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(true),
            Ok(false) => Err(RescueFailed::NotEmpty { dir }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => Err(RescueFailed::NotEmpty { dir }),
            Err(error) => Err(self.written(error.into())),
        }
    }

    /// Makes the new profile aside, and puts it in its place when it is whole.
    fn build(
        &self,
        unlocked: &Unlocked,
        building: &Path,
        saved: &mut dyn FnMut(u64),
    ) -> Result<RescueReport, RescueFailed> {
        let failed = |error: io::Error| self.written(error.into());
        layout::private_dir(self.to).map_err(failed)?;
        let backend = self.backend.unwrap_or(unlocked.backend);
        let mut store = profile::create(building, backend, self.unlock, self.options)?;
        let report = self.fill(unlocked, &mut store, &building.join("copy"), saved)?;
        if report.lost_commits > 0 && !self.accepts_loss {
            return Err(RescueFailed::CommitsLost { report });
        }
        let mended = mend(&store).map_err(|error| RescueFailed::Write(error.to_string()))?;
        store.commit(&mended).and_then(|()| store.close()).map_err(|error| self.refused(error))?;
        fs::rename(building.join("store"), self.to.join("store")).map_err(failed)?;
        layout::sync_dir(self.to).map_err(failed)?;
        Ok(report)
    }

    fn fill(
        &self,
        unlocked: &Unlocked,
        store: &mut Store,
        work: &Path,
        saved: &mut dyn FnMut(u64),
    ) -> Result<RescueReport, RescueFailed> {
        let mut importer = Importer::new(store).map_err(|error| self.not_imported(error))?;
        let mut somebodys = false;
        let report = gather(unlocked, work, |key, row, _| {
            somebodys |= key == Key::Profile;
            importer.row(key, row)?;
            saved(importer.rows);
            Ok(())
        });
        let report = report.map_err(|error| match error {
            ExportError::Full => self.written(Fault::Full),
            ExportError::Disk(reason) => RescueFailed::Read(reason),
            ExportError::Sink(error) => self.not_imported(error),
        })?;
        importer.finish().map_err(|error| self.not_imported(error))?;
        if somebodys { Ok(report) } else { Err(RescueFailed::NobodysProfile { report }) }
    }

    fn not_imported(&self, error: ImportError) -> RescueFailed {
        match error {
            ImportError::Commit(error) => self.refused(error),
            error @ ImportError::NotEmpty { .. } => RescueFailed::Write(error.to_string()),
        }
    }

    fn refused(&self, error: CommitError) -> RescueFailed {
        match error {
            CommitError::Full => self.written(Fault::Full),
            other => RescueFailed::Write(other.to_string()),
        }
    }

    fn written(&self, fault: Fault) -> RescueFailed {
        match fault {
            Fault::Full => RescueFailed::Full { dir: self.to.to_path_buf() },
            other => RescueFailed::Write(other.to_string()),
        }
    }
}
