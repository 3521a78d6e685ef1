//! The two databases a profile can stand on, behind one port.
//!
//! A [`Disk`] is an ordered map of bytes with atomic, durable batches. It sees blinded keys and sealed values only.
//! What a database does wrong stays in here: its panics become [`Fault`]s, a handle that a failed write has spoiled is
//! opened again, and the space for the next batch is taken before the batch is begun.

use std::cell::Cell;
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::str::FromStr;

pub(crate) mod ballast;
mod between;
mod held;
mod redb;
mod sled;
mod space;
mod tail;
mod walk;
mod worker;

pub(crate) use ballast::open as open_with_ballast;
pub(crate) use space::forget_cached;

/// Which database holds the rows of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// sled 0.34.
    Sled,
    /// redb 4.
    Redb,
}

impl Backend {
    /// All there are, the first being the one to take where nobody chose.
    pub const ALL: [Self; 2] = [Self::Sled, Self::Redb];
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
        })
    }
}

/// A text that names no back-end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected sled or redb as the store, found {found:?}")]
pub struct UnknownBackend {
    /// What was read, cut to 80 characters.
    pub found: String,
}

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, UnknownBackend> {
        Self::ALL
            .into_iter()
            .find(|backend| backend.to_string() == text)
            .ok_or_else(|| UnknownBackend { found: text.chars().take(80).collect() })
    }
}

/// What went wrong below.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("no space is left on the disk")]
    Full,
    #[error("the database is damaged: {0}")]
    Damaged(String),
    #[error("{0}")]
    Disk(String),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Disk(error.to_string()),
        }
    }
}

/// Keys from one on, up to but without another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) from: Vec<u8>,
    pub(crate) until: Option<Vec<u8>>,
}

impl KeyRange {
    pub(crate) fn under(prefix: &[u8]) -> Self {
        Self { from: prefix.to_vec(), until: successor(prefix) }
    }
}

/// The least key that is greater than every key with this prefix.
pub(crate) fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut out = prefix.get(..=last)?.to_vec();
    let byte = out.last_mut()?;
    *byte = byte.checked_add(1)?;
    Some(out)
}

/// Which part of the space a batch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Room {
    /// What leaves a reserve for a disk that is full.
    #[default]
    Ordinary,
    /// The reserve too.
    Reserve,
}

/// Puts and deletes that become durable together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) room: Room,
}

impl Batch {
    pub(crate) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.push((key, Some(value)));
    }

    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.writes.push((key, None));
    }

    fn bytes(&self) -> u64 {
        let sizes = self.writes.iter().map(|(key, value)| key.len().saturating_add(value.as_ref().map_or(0, Vec::len)));
        sizes.fold(0u64, |sum, size| sum.saturating_add(u64::try_from(size).unwrap_or(u64::MAX)))
    }
}

/// Called with each pair of a walk.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// An ordered map of bytes on a disk.
pub(crate) trait Disk: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault>;

    /// Visits the pairs of a range in order and returns how many stretches of it could not be read.
    fn walk(&self, range: &KeyRange, backwards: bool, visit: Visit<'_>) -> Result<usize, Fault>;

    /// Writes a batch, whole or not at all; it is on the disk when this returns. After a fault the map is what it was
    /// before, or has the whole batch.
    fn apply(&self, batch: &Batch) -> Result<(), Fault>;

    /// Throws away what is kept for a rescue, once it is known that no row is missing.
    fn settle(&self) -> Result<(), Fault>;

    /// Makes sure that everything which can be read is on the disk.
    fn confirm(&self) -> Result<(), Fault>;

    /// Leaves the files so that the next opening is quick.
    fn close(self: Box<Self>) -> Result<(), Fault>;
}

/// Opens the database of a directory. One whose files are gone is damaged: no other is made in its place.
pub(crate) fn open(backend: Backend, dir: &Path) -> Result<Box<dyn Disk>, Fault> {
    Ok(match backend {
        Backend::Sled => Box::new(sled::SledDisk::open(dir)?),
        Backend::Redb => Box::new(redb::RedbDisk::open(dir)?),
    })
}

/// Which database a directory holds, by its files.
pub(crate) fn recognise(dir: &Path) -> Option<Backend> {
    [(Backend::Sled, sled::LOG), (Backend::Redb, redb::FILE)]
        .into_iter()
        .find_map(|(backend, file)| dir.join(file).is_file().then_some(backend))
}

/// Makes a database in an empty directory, and opens it.
pub(crate) fn make(backend: Backend, dir: &Path) -> Result<Box<dyn Disk>, Fault> {
    Ok(match backend {
        Backend::Sled => Box::new(sled::SledDisk::make(dir)?),
        Backend::Redb => Box::new(redb::RedbDisk::make(dir)?),
    })
}

/// That a file of a database which there was is gone, or empty.
fn gone(name: &str) -> Fault {
    Fault::Damaged(format!("the file {name} of the database is gone or empty"))
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the thread that asks is in the hands of a database, so that its panic is caught and becomes an error.
///
/// For the panic hook of a program, which has nothing to tell its user then.
#[must_use]
pub fn contains_panics() -> bool {
    let of_sled =
        |name: &str| name.starts_with("sled-io-") || ["log flusher", CLOSING_THREAD, WRITING_THREAD].contains(&name);
    GUARDED.get() || std::thread::current().name().is_some_and(of_sled)
}

/// The name of the thread in which a spoiled database is dropped.
const CLOSING_THREAD: &str = "store-closing";
/// The name of the threads in which a database writes.
const WRITING_THREAD: &str = "store-writing";

/// Runs what a database does, and turns a panic of it into a fault.
fn guarded<T>(what: &str, run: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let outer = GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(run));
    GUARDED.set(outer);
    outcome.unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        tracing::warn!(what, "the database gave up");
        Err(Fault::Damaged(format!("{what}: {}", said.chars().take(200).collect::<String>())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_reads_what_it_shows() {
        for backend in Backend::ALL {
            assert_eq!(backend.to_string().parse(), Ok(backend));
        }
        assert!("sqlite".parse::<Backend>().is_err());
    }

    #[test]
    fn the_successor_of_a_prefix_is_above_all_under_it() {
        assert_eq!(successor(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(successor(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(successor(&[255, 255]), None);
        assert_eq!(successor(&[]), None);
    }

    #[test]
    fn a_panic_below_is_a_fault_and_known_as_contained_while_it_happens() {
        let fault = guarded("reading", || -> Result<(), Fault> {
            assert!(contains_panics());
            panic!("the page is gone")
        });
        assert_eq!(fault, Err(Fault::Damaged("reading: the page is gone".to_owned())));
        assert!(!contains_panics());
    }
}
