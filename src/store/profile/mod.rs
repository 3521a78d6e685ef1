//! A profile on the disk: made, opened, its passphrase changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kinfolk_wire::codec::DecodeError;
use zeroize::Zeroizing;

use crate::anchor::Anchor;
use crate::backend::{self, Backend, Batch, Disk, Fault};
use crate::meta::{Meta, MetaError};
use crate::migrate::{self, MigrateError, SCHEMA};
use crate::seal::{DataKey, Keys, NoRandomness, random};
use crate::store::{Store, Timings};
use crate::votes::VotesPlace;
use format::Format;
use layout::Layout;
use lock::{Lock, LockError};
use passphrase::{Cost, Derivation};
use vault::{Kind, Secret, UnlockError, Vault, WrapError};

mod format;
pub(crate) mod layout;
pub(crate) mod lock;
pub(crate) mod passphrase;
mod vault;

/// What unlocks a profile.
#[derive(Clone, Copy)]
pub enum Unlock<'a> {
    /// What the person types.
    Passphrase(&'a str),
    /// A random key in a file of the profile, for its owner only: whoever can read the files can read the profile.
    KeyFile,
}

impl std::fmt::Debug for Unlock<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Passphrase(..)",
            Self::KeyFile => "KeyFile",
        })
    }
}

/// Choices at the making of a profile.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What a passphrase costs to try.
    pub derivation: Derivation,
}

/// Why a profile was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is one.
    #[error("there is a profile in {} already; choose another directory, or use this one", .dir.display())]
    Exists {
        /// Where.
        dir: PathBuf,
    },
    /// The directory holds something else.
    #[error("{} holds other files and no profile, and is left as it is; choose another directory", .dir.display())]
    Foreign {
        /// Where.
        dir: PathBuf,
    },
    /// Another process is at it.
    #[error("another process is working in {}{}; wait for it, or end it", .dir.display(), of_process(*.process))]
    Busy {
        /// Where.
        dir: PathBuf,
        /// Its number, where it is known.
        process: Option<u32>,
    },
    /// Nothing was typed.
    #[error("a passphrase of no characters protects nothing; type one, or choose a key file")]
    EmptyPassphrase,
    /// The system gives no randomness.
    #[error("the system gives no randomness, so no key can be made")]
    NoRandomness,
    /// The disk is full.
    #[error("the disk of {} is full; a profile needs some 10 MB to begin with", .dir.display())]
    Full {
        /// Where.
        dir: PathBuf,
    },
    /// The key cannot be derived.
    #[error("{0}; free some memory and try again")]
    Derive(String),
    /// The disk or the back-end failed.
    #[error("the profile cannot be written to {}: {reason}", .dir.display())]
    Disk {
        /// Where.
        dir: PathBuf,
        /// What the system said.
        reason: String,
    },
}

/// Why a profile did not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none.
    #[error("there is no profile in {}; make one with `kinfolk init`", .dir.display())]
    NotAProfile {
        /// Where.
        dir: PathBuf,
    },
    /// Something else is there, or something unreadable.
    #[error("{} does not hold a profile that this program can read: {reason}", .dir.display())]
    Foreign {
        /// Where.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process has it.
    #[error("a node is running on the profile in {}{}; talk to it, or stop it first", .dir.display(), of_process(*.process))]
    AlreadyOpen {
        /// Where.
        dir: PathBuf,
        /// Its process number, where it is known.
        process: Option<u32>,
    },
    /// The profile has a passphrase and none was given.
    #[error("this profile is locked with a passphrase")]
    NeedsPassphrase,
    /// The profile has no passphrase and one was given.
    #[error("this profile has no passphrase: it is unlocked by its key file")]
    NoPassphrase,
    /// Not the passphrase, or not the key file, of this profile.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// A newer program wrote it.
    #[error("the profile is of schema {found}, this program knows schemas up to {known}; use a newer program")]
    NewerSchema {
        /// Its schema.
        found: u32,
        /// The newest this program knows.
        known: u32,
    },
    /// Part of it cannot be read.
    #[error("the profile is damaged: {what}; save what can be read with `kinfolk rescue NEWDIR`")]
    Damaged {
        /// What, and how.
        what: String,
    },
    /// What its keys are in cannot be read, so nothing else can.
    #[error(
        "the keys of the profile are damaged: {what}. Without them nothing in it can be read: put that file back from \
         a copy, or begin anew; your 24 words bring your identity back with `kinfolk init --restore-phrase FILE`"
    )]
    KeysDamaged {
        /// What, and how.
        what: String,
    },
    /// The database is an older one than was last written.
    #[error(
        "the database has gone back from commit {expected} to {found}: an older copy was put in its place, or its end \
         is damaged; save what can be read with `kinfolk rescue NEWDIR`"
    )]
    LostCommits {
        /// The last commit that this profile remembers.
        expected: u64,
        /// The last commit in the database.
        found: u64,
    },
    /// The disk is full.
    #[error("the disk is full and the profile cannot be opened; free some space")]
    Full,
    /// The disk or the back-end failed.
    #[error("the profile cannot be read: {0}")]
    Disk(String),
}

/// Why a passphrase was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The profile does not open with what was given.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nothing was typed.
    #[error("a passphrase of no characters protects nothing; type one")]
    EmptyPassphrase,
    /// No key could be made from it.
    #[error("the new passphrase cannot be used: {0}")]
    Wrap(String),
}

impl From<WrapError> for ChangeError {
    fn from(error: WrapError) -> Self {
        Self::Wrap(error.to_string())
    }
}

fn of_process(process: Option<u32>) -> String {
    process.map(|process| format!(" (process {process})")).unwrap_or_default()
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full => Self::Full,
            Fault::Damaged(what) => Self::Damaged { what },
            Fault::Disk(reason) => Self::Disk(reason),
        }
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Fault::from(error).into()
    }
}

impl From<MetaError> for OpenError {
    fn from(error: MetaError) -> Self {
        match error {
            MetaError::Fault(fault) => fault.into(),
            MetaError::Seal(error) => Self::Damaged { what: format!("the store's own row: {error}") },
        }
    }
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Newer { found, known } => Self::NewerSchema { found, known },
            MigrateError::Fault(fault) => fault.into(),
            MigrateError::NoRandomness => Self::Disk(NoRandomness.to_string()),
            MigrateError::Row { from, reason } => {
                Self::Damaged { what: format!("a row cannot be brought from schema {from} to the next: {reason}") }
            }
        }
    }
}

/// What is needed to read and write the rows of a profile.
pub(crate) struct Unlocked {
    pub(crate) layout: Layout,
    pub(crate) lock: Lock,
    pub(crate) backend: Backend,
    pub(crate) keys: Keys,
    pub(crate) took: Duration,
}

/// Whether there is a profile in a directory, whole or not.
#[must_use]
pub fn exists(dir: &Path) -> bool {
    Layout::of(dir).store().exists()
}

/// Whether a profile asks for a passphrase.
///
/// # Errors
/// [`OpenError`] where there is no profile that this program can read.
pub fn needs_passphrase(dir: &Path) -> Result<bool, OpenError> {
    read_format(&Layout::of(dir))?;
    vault_asks_for_passphrase(dir)
}

/// The same where the marker may be damaged.
pub(crate) fn vault_asks_for_passphrase(dir: &Path) -> Result<bool, OpenError> {
    let layout = Layout::of(dir);
    if !layout.store().exists() {
        return Err(OpenError::NotAProfile { dir: dir.to_path_buf() });
    }
    let vault = read_vault(&layout)?;
    Ok(vault.has(Kind::PASSPHRASE) && !vault.has(Kind::KEY_FILE))
}

/// Makes a profile and opens it. The directory is made if it is not there; what is made is for its owner only. One that
/// holds other things is left alone.
///
/// # Errors
/// [`CreateError`]; nothing of a profile is left then.
pub fn create(dir: &Path, backend: Backend, unlock: Unlock<'_>, options: Options) -> Result<Store, CreateError> {
    if matches!(unlock, Unlock::Passphrase("")) {
        return Err(CreateError::EmptyPassphrase);
    }
    let started = Instant::now();
    let failed = |error: io::Error| create_error(dir, error.into());
    if Layout::of(dir).is_foreign().map_err(failed)? {
        return Err(CreateError::Foreign { dir: dir.to_path_buf() });
    }
    layout::private_dir(dir).map_err(failed)?;
    let layout = Layout::of(dir);
    let lock = Lock::take(&layout.lock()).map_err(|error| match error {
        LockError::Held { process } => CreateError::Busy { dir: dir.to_path_buf(), process },
        LockError::Disk(error) => failed(error),
    })?;
    if exists(dir) {
        return Err(CreateError::Exists { dir: dir.to_path_buf() });
    }
    let unfinished = Layout::unfinished(dir);
    let clear = || match fs::remove_dir_all(unfinished.store()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    clear().map_err(failed)?;
    let (keys, took) = match fill(&unfinished, backend, unlock, options) {
        Ok(filled) => filled,
        Err(error) => {
            clear().map_err(failed)?;
            return Err(error);
        }
    };
    fs::rename(unfinished.store(), layout.store()).and_then(|()| layout::sync_dir(dir)).map_err(failed)?;
    let unlocked = Unlocked { layout, lock, backend, keys, took };
    finish_opening(unlocked, started).map_err(|error| match error {
        OpenError::Full => CreateError::Full { dir: dir.to_path_buf() },
        other => CreateError::Disk { dir: dir.to_path_buf(), reason: other.to_string() },
    })
}

fn create_error(dir: &Path, fault: Fault) -> CreateError {
    let dir = dir.to_path_buf();
    match fault {
        Fault::Full => CreateError::Full { dir },
        Fault::Damaged(reason) | Fault::Disk(reason) => CreateError::Disk { dir, reason },
    }
}

/// Writes all of a new profile into a directory that is not yet its own, and syncs it.
fn fill(
    layout: &Layout,
    backend: Backend,
    unlock: Unlock<'_>,
    options: Options,
) -> Result<(Keys, Duration), CreateError> {
    let failed = |error: io::Error| create_error(layout.dir(), error.into());
    let broken = |fault: Fault| create_error(layout.dir(), fault);
    layout::private_dir(layout.store()).map_err(failed)?;
    layout::private_dir(&layout.rows()).map_err(failed)?;
    let data_key = DataKey::random().map_err(|_| CreateError::NoRandomness)?;
    let started = Instant::now();
    let mut vault = Vault::new();
    match unlock {
        Unlock::Passphrase(passphrase) => {
            vault.set(&Secret::Passphrase(passphrase.as_bytes()), Cost::choose(options.derivation), &data_key)
        }
        Unlock::KeyFile => {
            let mut key = Zeroizing::new([0; 32]);
            random(key.as_mut_slice()).map_err(|_| CreateError::NoRandomness)?;
            layout::replace(&layout.key(), key.as_slice()).map_err(failed)?;
            vault.set(&Secret::KeyFile(&key), Cost::choose(Derivation::Least), &data_key)
        }
    }
    .map_err(|error| match error {
        WrapError::NoRandomness(_) => CreateError::NoRandomness,
        WrapError::Derive(error) => CreateError::Derive(error.to_string()),
        WrapError::NoRoom => CreateError::Derive(error.to_string()),
    })?;
    let took = started.elapsed();
    layout::replace(&layout.vault(), &vault.write()).map_err(failed)?;
    let keys = Keys::of(&data_key);
    backend::ballast::load(&layout.ballast()).map_err(broken)?;
    let disk = backend::make(backend, &layout.rows()).map_err(broken)?;
    let mut batch = Batch::default();
    Meta::new(SCHEMA).put(&keys, &mut batch).map_err(|_| CreateError::NoRandomness)?;
    disk.apply(&batch).and_then(|()| disk.close()).map_err(broken)?;
    Anchor::open(&layout.anchor()).and_then(|anchor| anchor.set(&keys, 0)).map_err(failed)?;
    layout::make_private(layout.store()).map_err(failed)?;
    layout::replace(&layout.format(), Format { schema: SCHEMA, backend }.write().as_bytes()).map_err(failed)?;
    Ok((keys, took))
}

/// Opens a profile: takes its lock, unlocks its vault, brings its rows to this program's schema.
///
/// # Errors
/// [`OpenError`].
pub fn open(dir: &Path, unlock: Unlock<'_>) -> Result<Store, OpenError> {
    let started = Instant::now();
    finish_opening(self::unlock(dir, unlock)?, started)
}

/// Takes the lock and unlocks the vault; the database is not touched.
pub(crate) fn unlock(dir: &Path, unlock: Unlock<'_>) -> Result<Unlocked, OpenError> {
    let layout = Layout::of(dir);
    let backend = read_format(&layout)?.backend;
    unlock_on(layout, backend, unlock)
}

/// The same where the marker may be damaged, too: the files of the database tell which it is.
pub(crate) fn unlock_damaged(dir: &Path, unlock: Unlock<'_>) -> Result<Unlocked, OpenError> {
    let layout = Layout::of(dir);
    let backend = match read_format(&layout) {
        Ok(format) => format.backend,
        Err(error @ OpenError::Foreign { .. }) => backend::recognise(&layout.rows()).ok_or(error)?,
        Err(error) => return Err(error),
    };
    unlock_on(layout, backend, unlock)
}

fn unlock_on(layout: Layout, backend: Backend, unlock: Unlock<'_>) -> Result<Unlocked, OpenError> {
    let lock = take_lock(&layout)?;
    let vault = read_vault(&layout)?;
    let started = Instant::now();
    let data_key = unlock_vault(&layout, &vault, unlock)?;
    Ok(Unlocked { keys: Keys::of(&data_key), took: started.elapsed(), backend, layout, lock })
}

fn take_lock(layout: &Layout) -> Result<Lock, OpenError> {
    Lock::take(&layout.lock()).map_err(|error| match error {
        LockError::Held { process } => OpenError::AlreadyOpen { dir: layout.dir().to_path_buf(), process },
        LockError::Disk(error) => error.into(),
    })
}

fn finish_opening(unlocked: Unlocked, started: Instant) -> Result<Store, OpenError> {
    let Unlocked { layout, lock, backend, keys, took } = unlocked;
    let disk = backend::open_with_ballast(backend, &layout.rows(), &layout.ballast())?;
    let mut meta = read_meta(&keys, &*disk)?;
    let anchor = Anchor::open(&layout.anchor())?;
    if let Some(expected) = anchor.commits(&keys)?
        && expected > meta.commits
    {
        return Err(OpenError::LostCommits { expected, found: meta.commits });
    }
    disk.settle()?;
    if migrate::run(&*disk, &keys, &mut meta, migrate::MIGRATIONS)? {
        layout::replace(&layout.format(), Format { schema: meta.schema, backend }.write().as_bytes())?;
    }
    let timings = Timings { unlock: took, open: started.elapsed().saturating_sub(took) };
    let votes = VotesPlace::new(layout.witness(), Zeroizing::new(keys.votes));
    Ok(Store::new(lock, backend, disk, keys, meta, anchor, timings, votes))
}

pub(crate) fn read_meta(keys: &Keys, disk: &dyn Disk) -> Result<Meta, OpenError> {
    Meta::get(keys, disk)?.ok_or_else(|| OpenError::Damaged { what: "the store's own row is missing".to_owned() })
}

/// Locks a profile with another passphrase from now on. One slot of the vault is written anew; no row is.
///
/// Works on a profile that is open, too. A profile with a key file has a passphrase afterwards and no key file.
///
/// # Errors
/// [`ChangeError`]; the profile is as it was then.
pub fn change_passphrase(dir: &Path, current: Unlock<'_>, new: &str, options: Options) -> Result<(), ChangeError> {
    if new.is_empty() {
        return Err(ChangeError::EmptyPassphrase);
    }
    let layout = Layout::of(dir);
    read_format(&layout)?;
    let mut vault = read_vault(&layout)?;
    let data_key = unlock_vault(&layout, &vault, current)?;
    vault.set(&Secret::Passphrase(new.as_bytes()), Cost::choose(options.derivation), &data_key)?;
    vault.remove(Kind::KEY_FILE);
    layout::replace(&layout.vault(), &vault.write()).map_err(OpenError::from)?;
    match fs::remove_file(layout.key()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::from(error).into()),
        _ => Ok(layout::sync_dir(layout.store()).map_err(OpenError::from)?),
    }
}

fn read_format(layout: &Layout) -> Result<Format, OpenError> {
    let dir = layout.dir().to_path_buf();
    if !layout.store().exists() {
        return Err(OpenError::NotAProfile { dir });
    }
    let foreign = |reason: String| OpenError::Foreign { dir: dir.clone(), reason };
    let bytes = read_short(&layout.format(), format::LONGEST)
        .map_err(|error| foreign(format!("its marker cannot be read: {error}")))?;
    if let Some(found) = Format::schema(&bytes).filter(|schema| *schema > SCHEMA) {
        return Err(OpenError::NewerSchema { found, known: SCHEMA });
    }
    Format::read(&bytes).map_err(|error| foreign(format!("its marker is unknown: {error}")))
}

fn read_vault(layout: &Layout) -> Result<Vault, OpenError> {
    let bytes = read_short(&layout.vault(), vault::LONGEST)
        .map_err(|error| OpenError::KeysDamaged { what: format!("the vault cannot be read: {error}") })?;
    Vault::read(&bytes).map_err(|error| match error {
        DecodeError::UnknownVersion { found, .. } => OpenError::Foreign {
            dir: layout.dir().to_path_buf(),
            reason: format!("its vault is of version {found}; use a newer program"),
        },
        other => OpenError::KeysDamaged { what: format!("the vault: {other}") },
    })
}

fn unlock_vault(layout: &Layout, vault: &Vault, unlock: Unlock<'_>) -> Result<DataKey, OpenError> {
    let key;
    let secret = match unlock {
        Unlock::Passphrase(passphrase) => {
            if !vault.has(Kind::PASSPHRASE) {
                return Err(OpenError::NoPassphrase);
            }
            Secret::Passphrase(passphrase.as_bytes())
        }
        Unlock::KeyFile => {
            if !vault.has(Kind::KEY_FILE) {
                return Err(OpenError::NeedsPassphrase);
            }
            let unreadable = |reason: String| OpenError::KeysDamaged { what: format!("the key file: {reason}") };
            let bytes = read_short(&layout.key(), 32).map_err(|error| unreadable(error.to_string()))?;
            let bytes = Zeroizing::new(bytes);
            key = Zeroizing::new(
                <[u8; 32]>::try_from(bytes.as_slice())
                    .map_err(|_| unreadable(format!("expected 32 bytes, found {}", bytes.len())))?,
            );
            Secret::KeyFile(&key)
        }
    };
    vault.unlock(&secret).map_err(|error| match error {
        UnlockError::WrongSecret | UnlockError::NoSlot => match unlock {
            Unlock::Passphrase(_) => OpenError::WrongPassphrase,
            Unlock::KeyFile => OpenError::KeysDamaged { what: "the key file is not the one of this vault".to_owned() },
        },
        UnlockError::Damaged => OpenError::KeysDamaged { what: "the vault".to_owned() },
        UnlockError::Derive(error) => OpenError::Disk(format!("{error}; free some memory and try again")),
    })
}

/// Reads a file that is not expected to be longer than some bytes, and no more of it than that and one.
fn read_short(path: &Path, longest: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(longest).unwrap_or(u64::MAX).saturating_add(1);
    io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, limit), &mut bytes)?;
    Ok(bytes)
}
