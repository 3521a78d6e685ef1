//! The files of a profile, and how they are made: private, whole, and on the disk before anything relies on them.
//!
//! ```text
//! <dir>/            0700
//!   lock            held by the process that has the profile open; its number stands in it
//!   store/          0700; comes into being by one rename when all of it is on the disk
//!     format        what this is, readable without a key
//!     vault         the data key, wrapped
//!     key           only where there is no passphrase: the key that unwraps it
//!     anchor        the number of the last commit
//!     ballast       space to give up when the disk is full
//!     rows/         the database
//!   witness/        0700; only where the node is a witness: its votes (`votes`)
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const DIR_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Where the files of a profile are.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    dir: PathBuf,
    store: PathBuf,
}

impl Layout {
    pub(crate) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), store: dir.join("store") }
    }

    /// The same profile while it is being made.
    pub(crate) fn unfinished(dir: &Path) -> Self {
        Self { dir: dir.to_path_buf(), store: dir.join("store.unfinished") }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// Whether the directory holds things, and none of them a profile's.
    pub(crate) fn is_foreign(&self) -> io::Result<bool> {
        let is_empty = match fs::read_dir(&self.dir) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(error),
        };
        let ours = [self.lock(), self.store.clone(), Self::unfinished(&self.dir).store];
        Ok(!is_empty && !ours.iter().any(|ours| ours.exists()))
    }

    pub(crate) fn format(&self) -> PathBuf {
        self.store.join("format")
    }

    pub(crate) fn vault(&self) -> PathBuf {
        self.store.join("vault")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.store.join("key")
    }

    pub(crate) fn anchor(&self) -> PathBuf {
        self.store.join("anchor")
    }

    pub(crate) fn ballast(&self) -> PathBuf {
        self.store.join("ballast")
    }

    pub(crate) fn witness(&self) -> PathBuf {
        self.dir.join("witness")
    }

    pub(crate) fn rows(&self) -> PathBuf {
        self.store.join("rows")
    }
}

/// Makes a directory for its owner only, or makes it so.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIR_MODE).recursive(true).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(DIR_MODE)),
        Err(error) => Err(error),
    }
}

/// Opens a file for its owner only, made if it is not there.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)
}

/// Puts a whole new content in the place of a file: after a crash there is the old one or the new one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    if let Err(error) = write() {
        // Half a file is of no use to anyone; that it could not be written is what the caller learns.
        drop(fs::remove_file(&fresh));
        return Err(error);
    }
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes the names in a directory last.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Takes every permission of others away, in a whole tree.
pub(crate) fn make_private(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::set_permissions(entry.path(), Permissions::from_mode(DIR_MODE))?;
            make_private(&entry.path())?;
        } else {
            fs::set_permissions(entry.path(), Permissions::from_mode(FILE_MODE))?;
        }
    }
    Ok(())
}
