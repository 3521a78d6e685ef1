//! A file whose changes wait.
//!
//! When redb opens a file that a process did not close, it may go back to an older root and write that down; after
//! damage this gives away the pages of the newest commit. So what it writes while it opens is kept in memory, and
//! reaches the disk only once it is known that no commit is missing. Until then the file is as it was.
//!
//! What lies behind the end of the file reads as zeros. redb takes a read that fails for the end of the whole database;
//! zeros it takes for one damaged page, and the others can still be had.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use redb::StorageBackend;

use super::space;

#[derive(Debug)]
enum Deed {
    Write { offset: u64, bytes: Vec<u8> },
    SetLength(u64),
    Sync,
}

#[derive(Debug)]
pub(super) struct HeldFile {
    file: File,
    /// What waits; none where nothing is held back any more.
    waiting: Mutex<Option<Vec<Deed>>>,
}

impl HeldFile {
    pub(super) const fn new(file: File, holds: bool) -> Self {
        Self { file, waiting: Mutex::new(if holds { Some(Vec::new()) } else { None }) }
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Lets everything through, in its order, and holds nothing back from now on.
    pub(super) fn release(&self) -> io::Result<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(deeds) = &*waiting {
            for deed in deeds {
                match deed {
                    Deed::Write { offset, bytes } => self.file.write_all_at(bytes, *offset)?,
                    Deed::SetLength(length) => space::set_length(&self.file, *length)?,
                    Deed::Sync => self.file.sync_data()?,
                }
            }
        }
        *waiting = None;
        Ok(())
    }

    fn hold_or(&self, deed: Deed, run: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Some(deeds) => {
                deeds.push(deed);
                Ok(())
            }
            None => run(),
        }
    }
}

/// The same file in the hands of redb.
#[derive(Debug)]
pub(super) struct Shared(pub(super) Arc<HeldFile>);

impl StorageBackend for Shared {
    fn len(&self) -> io::Result<u64> {
        let mut length = self.0.file.metadata()?.len();
        for deed in self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten() {
            match deed {
                Deed::Write { offset, bytes } => {
                    length = length.max(offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
                }
                Deed::SetLength(to) => length = *to,
                Deed::Sync => {}
            }
        }
        Ok(length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        out.fill(0);
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.file.read_at(rest, offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX))) {
                Ok(0) => break,
                Ok(read) => filled = filled.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        for deed in waiting.iter().flatten() {
            match deed {
                Deed::Write { offset: at, bytes } => lay_over(out, offset, bytes, *at),
                Deed::SetLength(length) => {
                    let kept = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
                    out.iter_mut().skip(kept).for_each(|byte| *byte = 0);
                }
                Deed::Sync => {}
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.hold_or(Deed::SetLength(length), || space::set_length(&self.0.file, length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.hold_or(Deed::Sync, || self.0.file.sync_data())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let held = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if held {
            self.0.hold_or(Deed::Write { offset, bytes: bytes.to_vec() }, || self.0.file.write_all_at(bytes, offset))
        } else {
            self.0.file.write_all_at(bytes, offset)
        }
    }
}

/// Copies into `out`, which begins at `start`, what of `bytes`, which begin at `at`, falls into it.
fn lay_over(out: &mut [u8], start: u64, bytes: &[u8], at: u64) {
    let skip_out = usize::try_from(at.saturating_sub(start)).unwrap_or(usize::MAX);
    let skip_bytes = usize::try_from(start.saturating_sub(at)).unwrap_or(usize::MAX);
    for (to, from) in out.iter_mut().skip(skip_out).zip(bytes.iter().skip(skip_bytes)) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_read_and_reaches_the_file_only_when_it_is_released() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"0123456789", 0).unwrap();
        let held = Arc::new(HeldFile::new(file, true));
        let shared = Shared(Arc::clone(&held));
        shared.write(8, b"abcd").unwrap();
        shared.write(2, b"xy").unwrap();
        shared.sync_data().unwrap();
        assert_eq!(shared.len().unwrap(), 12);
        let mut out = [0; 10];
        shared.read(1, &mut out).unwrap();
        assert_eq!(&out, b"1xy4567abc");
        assert_eq!(held.file().metadata().unwrap().len(), 10);
        shared.set_len(5).unwrap();
        shared.set_len(7).unwrap();
        let mut out = [9; 7];
        shared.read(0, &mut out).unwrap();
        assert_eq!((&out, shared.len().unwrap()), (b"01xy4\0\0", 7));
        held.release().unwrap();
        let mut out = [9; 7];
        held.file().read_exact_at(&mut out, 0).unwrap();
        assert_eq!((&out, held.file().metadata().unwrap().len()), (b"01xy4\0\0", 7));
        shared.write(0, b"through").unwrap();
        held.file().read_exact_at(&mut out, 0).unwrap();
        assert_eq!(&out, b"through");
        shared.read(5, &mut out).unwrap();
        assert_eq!(&out, b"gh\0\0\0\0\0");
    }
}
