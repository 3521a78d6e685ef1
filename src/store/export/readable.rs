//! Files of a disk that may fail: what it does not give reads as zeros.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::profile::layout;

/// What is lost where the disk does not give a byte: a block of it.
const BLOCK: u64 = 4 << 10;
const AT_ONCE: usize = 1 << 20;

/// Reads from a place on until `out` is full or the file ends; returns how many bytes there were.
pub(super) fn read_at(file: &File, out: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0usize;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let at = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        let read = match file.read_at(rest, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => read_block(file, rest, at)?,
            other => other?,
        };
        if read == 0 {
            break;
        }
        filled = filled.saturating_add(read);
    }
    Ok(filled)
}

/// Reads to the end of a block, or of what is wanted; zeros where that fails.
fn read_block(file: &File, rest: &mut [u8], at: u64) -> io::Result<usize> {
    let length = file.metadata()?.len();
    let end = (at / BLOCK).saturating_add(1).saturating_mul(BLOCK).min(length);
    let wanted = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(rest.len());
    let rest = rest.get_mut(..wanted).unwrap_or_default();
    Ok(file.read_at(rest, at).unwrap_or_else(|error| {
        tracing::warn!(%error, at, "the disk does not give a block");
        rest.fill(0);
        wanted
    }))
}

/// Copies a directory and all in it.
pub(super) fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    layout::private_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &to)?;
        } else if entry.file_type()?.is_file() {
            copy(&entry.path(), &to)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (File::open(from)?, layout::private_file(to)?);
    let mut window = vec![0; AT_ONCE];
    let mut at = 0u64;
    loop {
        let read = read_at(&from, &mut window, at)?;
        let Some(bytes) = window.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        to.write_all_at(bytes, at)?;
        at = at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
}

pub(super) fn remove_dir(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
