//! Rows out of the raw bytes of database files, whatever state these are in.
//!
//! The heads of rows bear a mark and a length, so they are found without the database; what a head seems to say tells
//! where it would belong; and only if its seal is genuine for that place is it taken. Of several versions of a row the
//! newest counts. A row that was deleted may still be found: the files do not say.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use kinfolk_engine::store::{Key, Row};

use super::readable;
use crate::meta::Meta;
use crate::place;
use crate::seal::{HEAD_MARK, Head, Keys, PIECE, PIECE_MARK, Parts, Piece};

/// Bytes that are looked at together.
const WINDOW: usize = 1 << 20;
/// The longest head or piece in bytes, its own front included.
const LONGEST: usize = PIECE + 64;

/// Where the newest versions of rows lie in the files.
pub(super) struct Carved {
    files: Vec<PathBuf>,
    found: BTreeMap<Key, Found>,
    pieces: BTreeMap<([u8; 8], u8), Spot>,
    /// The store's own row after the newest commit of which one was found.
    meta: Option<Meta>,
}

#[derive(Debug, Clone, Copy)]
struct Spot {
    file: usize,
    offset: u64,
}

struct Found {
    version: u64,
    head: Spot,
}

impl Carved {
    /// Looks through every file of a directory.
    pub(super) fn search(keys: &Keys, dir: &Path) -> io::Result<Self> {
        let mut carved = Self { files: Vec::new(), found: BTreeMap::new(), pieces: BTreeMap::new(), meta: None };
        carved.list(dir)?;
        let mut long = Vec::new();
        for (file, path) in carved.files.clone().into_iter().enumerate() {
            scan(&path, &mut |offset, bytes| {
                let spot = Spot { file, offset };
                if let Some(piece) = Piece::read(bytes) {
                    carved.pieces.insert((piece.row, piece.index), spot);
                } else if let Some(head) = Head::read(bytes) {
                    if head.count > 1 {
                        long.push(spot);
                    } else if let Some((key, version, _)) = genuine(keys, head.part) {
                        carved.take(key, version, spot);
                    } else if let Some(meta) = Meta::open(keys, head.part)
                        && carved.meta.as_ref().is_none_or(|known| known.commits < meta.commits)
                    {
                        carved.meta = Some(meta);
                    }
                }
            })?;
        }
        for spot in long {
            if let Some((key, version, _)) = carved.whole(spot)?.and_then(|sealed| genuine(keys, &sealed)) {
                carved.take(key, version, spot);
            }
        }
        Ok(carved)
    }

    /// The store's own row after the newest commit of which one was found.
    pub(super) const fn meta(&self) -> Option<&Meta> {
        self.meta.as_ref()
    }

    /// The newest version of a row, if it is newer than `than`; it is not asked for again.
    pub(super) fn newer(&mut self, keys: &Keys, key: &Key, than: u64) -> io::Result<Option<(u64, Row)>> {
        match self.found.remove(key) {
            Some(found) if found.version > than => Ok(self.row(keys, found.head)?.map(|row| (found.version, row))),
            _ => Ok(None),
        }
    }

    /// The rows that nobody asked for, with their versions.
    pub(super) fn rest(&mut self, keys: &Keys, mut visit: impl FnMut(Key, u64, Row) -> bool) -> io::Result<()> {
        for (key, found) in std::mem::take(&mut self.found) {
            if let Some(row) = self.row(keys, found.head)?
                && !visit(key, found.version, row)
            {
                break;
            }
        }
        Ok(())
    }

    fn list(&mut self, dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.list(&entry.path())?;
            } else if entry.file_type()?.is_file() {
                self.files.push(entry.path());
            }
        }
        self.files.sort();
        Ok(())
    }

    fn take(&mut self, key: Key, version: u64, head: Spot) {
        if self.found.get(&key).is_none_or(|found| found.version <= version) {
            self.found.insert(key, Found { version, head });
        }
    }

    fn row(&self, keys: &Keys, head: Spot) -> io::Result<Option<Row>> {
        Ok(self.whole(head)?.and_then(|sealed| genuine(keys, &sealed)).map(|(_, _, row)| row))
    }

    /// A sealed row put together from its pieces, where all are there.
    fn whole(&self, spot: Spot) -> io::Result<Option<Vec<u8>>> {
        let bytes = self.read(spot)?;
        let Some(head) = Head::read(&bytes) else { return Ok(None) };
        let mut sealed = head.part.to_vec();
        let Some(row) = sealed.first_chunk().copied() else { return Ok(None) };
        for index in 1..head.count {
            let Some(spot) = self.pieces.get(&(row, index)) else { return Ok(None) };
            let bytes = self.read(*spot)?;
            let Some(piece) = Piece::read(&bytes) else { return Ok(None) };
            sealed.extend_from_slice(piece.part);
        }
        Ok(Some(sealed))
    }

    fn read(&self, spot: Spot) -> io::Result<Vec<u8>> {
        let Some(path) = self.files.get(spot.file) else { return Ok(Vec::new()) };
        let mut bytes = vec![0; LONGEST];
        let read = readable::read_at(&File::open(path)?, &mut bytes, spot.offset)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

/// A sealed row that is genuine for the place it names.
fn genuine(keys: &Keys, sealed: &[u8]) -> Option<(Key, u64, Row)> {
    let guess = keys.guess(sealed)?;
    let at = place::of(&keys.names, &Parts::read(&guess)?.key);
    let text = keys.open_whole(&at, sealed).ok()?;
    let parts = Parts::read(&text)?;
    let version = parts.version;
    let (key, row) = parts.row(&keys.names, &at).ok()?;
    Some((key, version, row))
}

/// Calls `visit` with the place and the bytes of everything that begins like a head or a piece.
fn scan(path: &Path, visit: &mut dyn FnMut(u64, &[u8])) -> io::Result<()> {
    let file = File::open(path)?;
    let mut window = Vec::new();
    let mut start = 0u64;
    loop {
        let held = window.len();
        window.resize(WINDOW, 0);
        let behind = start.saturating_add(u64::try_from(held).unwrap_or(u64::MAX));
        let read = readable::read_at(&file, window.get_mut(held..).unwrap_or_default(), behind)?;
        window.truncate(held.saturating_add(read));
        let ended = read == 0;
        let fresh = if ended { window.len() } else { window.len().saturating_sub(LONGEST) };
        for (index, front) in window.windows(HEAD_MARK.len()).enumerate().take(fresh) {
            if (front == HEAD_MARK || front == PIECE_MARK)
                && let Some(bytes) = window.get(index..)
            {
                visit(start.saturating_add(u64::try_from(index).unwrap_or(u64::MAX)), bytes);
            }
        }
        if ended {
            return Ok(());
        }
        window.drain(..fresh);
        start = start.saturating_add(u64::try_from(fresh).unwrap_or(u64::MAX));
    }
}
