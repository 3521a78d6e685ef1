//! The index of the log: rows in a database, sealed, which can be made again from the log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kinfolk_crypto::aead::{self, TAG};
use kinfolk_ledger::witness::RowKey;
use kinfolk_wire::codec::Reader;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::frame::ID;
use crate::backend::{self, Backend, Batch, Disk, Fault};
use crate::profile::layout;
use crate::seal::{NONCE, NoRandomness, PIECE, random};

/// A row of another format does not open, and the index is made again.
const FORMAT: &[u8] = b"kinfolk witness row 2";
const META: [u8; 1] = [0];
const PIECES: u8 = 0xfe;
/// Bytes of a name's keyed hash.
const NAME: usize = 16;

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct IndexKeys {
    values: [u8; 32],
    names: [u8; 32],
    #[zeroize(skip)]
    id: [u8; ID],
}

/// An open index.
pub(super) struct Index {
    disk: Box<dyn Disk>,
    keys: IndexKeys,
    /// Up to where it says what the log says.
    until: u64,
}

/// Why a row cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowError {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("a row is not as it was written")]
    Damaged,
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl Index {
    /// Opens the index of the log with this id; makes it anew where there is none, where it is another log's, or where it
    /// cannot be read.
    pub(super) fn open(dir: &Path, key: &[u8; 32], id: &[u8; ID], first: u64) -> Result<Self, Fault> {
        let keys = IndexKeys {
            values: blake3::derive_key("kinfolk witness 1: rows", key),
            names: blake3::derive_key("kinfolk witness 1: names", key),
            id: *id,
        };
        Self::open_with(dir, keys, first)
    }

    /// An empty index for another log with the same keys.
    pub(super) fn beside(&self, dir: &Path, id: &[u8; ID], first: u64) -> Result<Self, Fault> {
        Self::open_with(dir, IndexKeys { id: *id, ..self.keys.clone() }, first)
    }

    fn open_with(dir: &Path, keys: IndexKeys, first: u64) -> Result<Self, Fault> {
        let keys = || keys.clone();
        if dir.exists() && !spoiled(dir).exists() {
            let opened = backend::open(Backend::Sled, dir).map_err(RowError::from).and_then(|disk| {
                let mut index = Self { disk, keys: keys(), until: first };
                let meta = index.get(&META)?.ok_or(RowError::Damaged)?;
                let mut reader = Reader::new("index of a witness", &meta);
                index.until = reader.u64().map_err(|_| RowError::Damaged)?;
                Ok(index)
            });
            match opened {
                Ok(index) => return Ok(index),
                Err(RowError::Fault(fault @ Fault::Full)) => return Err(fault),
                Err(error) => {
                    tracing::warn!(%error, "the witness's index cannot be read, and is made again from its log")
                }
            }
        }
        for leftover in [dir.to_path_buf(), spoiled(dir)] {
            let removed = if leftover.is_dir() { fs::remove_dir_all(&leftover) } else { fs::remove_file(&leftover) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        layout::private_dir(dir)?;
        let disk = backend::make(Backend::Sled, dir)?;
        let mut index = Self { disk, keys: keys(), until: first };
        index.put(Vec::new(), first).map_err(|error| match error {
            RowError::Fault(fault) => fault,
            other => Fault::Disk(other.to_string()),
        })?;
        Ok(index)
    }

    /// A row.
    pub(super) fn row(&self, key: &RowKey) -> Result<Option<Vec<u8>>, RowError> {
        self.get(&self.place(key))
    }

    /// Puts rows, all or none.
    pub(super) fn put(&mut self, rows: Vec<(RowKey, Vec<u8>)>, until: u64) -> Result<(), RowError> {
        let mut batch = Batch::default();
        for (key, row) in rows {
            self.seal_into(&mut batch, &self.place(&key), &row)?;
        }
        self.seal_into(&mut batch, &META, &until.to_be_bytes())?;
        self.disk.apply(&batch)?;
        self.until = until;
        Ok(())
    }

    pub(super) const fn until(&self) -> u64 {
        self.until
    }

    pub(super) fn close(self) -> Result<(), Fault> {
        self.disk.close()
    }

    fn place(&self, key: &RowKey) -> Vec<u8> {
        let name = |table: u8, parts: [&[u8]; 2]| {
            let mut hasher = blake3::Hasher::new_keyed(&self.keys.names);
            hasher.update(&[table]).update(parts[0]).update(parts[1]);
            let hash = hasher.finalize();
            let mut at = vec![table];
            at.extend(hash.as_bytes().iter().take(NAME));
            at
        };
        match key {
            RowKey::Totals => vec![1],
            RowKey::Account(currency, chain) => name(2, [currency.as_bytes(), chain.as_bytes()]),
            RowKey::Entry(currency, chain, seq) => {
                let mut at = name(3, [currency.as_bytes(), chain.as_bytes()]);
                at.extend_from_slice(&seq.to_be_bytes());
                at
            }
            RowKey::Proof(number) => [&[4][..], &number.to_be_bytes()].concat(),
        }
    }

    /// A row is sealed whole and cut into pieces below 4 KiB, since longer values leave the part of sled that is synced.
    fn seal_into(&self, batch: &mut Batch, at: &[u8], row: &[u8]) -> Result<(), NoRandomness> {
        let mut nonce = [0; NONCE];
        random(&mut nonce)?;
        let mut sealed = [&nonce[..], row].concat();
        if let Some(buffer) = sealed.get_mut(NONCE..) {
            let tag = aead::xseal(&self.keys.values, &nonce, &self.associated(at), buffer);
            sealed.extend_from_slice(&tag);
        }
        let count = u16::try_from(sealed.len().div_ceil(PIECE)).unwrap_or(u16::MAX);
        for (index, part) in (0_u16..).zip(sealed.chunks(PIECE)) {
            if index == 0 {
                batch.put(at.to_vec(), [&count.to_be_bytes()[..], part].concat());
            } else {
                batch.put(piece_at(at, index), part.to_vec());
            }
        }
        Ok(())
    }

    fn get(&self, at: &[u8]) -> Result<Option<Vec<u8>>, RowError> {
        let Some(head) = self.disk.get(at)? else { return Ok(None) };
        let (count, part) = head.split_first_chunk::<2>().ok_or(RowError::Damaged)?;
        let mut sealed = part.to_vec();
        for index in 1..u16::from_be_bytes(*count) {
            sealed.extend(self.disk.get(&piece_at(at, index))?.ok_or(RowError::Damaged)?);
        }
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(RowError::Damaged)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(RowError::Damaged)?;
        let mut row = ciphertext.to_vec();
        aead::xopen(&self.keys.values, nonce, &self.associated(at), &mut row, tag).map_err(|_| RowError::Damaged)?;
        Ok(Some(row))
    }

    fn associated(&self, at: &[u8]) -> Vec<u8> {
        [FORMAT, &self.keys.id, at].concat()
    }
}

fn piece_at(at: &[u8], index: u16) -> Vec<u8> {
    [&[PIECES][..], at, &index.to_be_bytes()].concat()
}

/// Says that an index is to be made again.
pub(super) fn spoil(dir: &Path) {
    if let Err(error) = layout::private_file(&spoiled(dir)) {
        tracing::warn!(%error, "the witness's index cannot be marked as damaged; remove its directory");
    }
}

fn spoiled(dir: &Path) -> PathBuf {
    dir.with_extension("damaged")
}
