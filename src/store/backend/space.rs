//! Space that is taken before it is needed, and what is left in memory of a failed write.
//!
//! A database that meets a full disk in the middle of a write is spoiled until it is opened again. So blocks are
//! reserved behind the end of its file before each batch: a full disk is then met here, where nothing has begun.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};
use rustix::io::Errno;

use super::{Batch, Fault, Room};

/// Reserved beyond what a batch needs: what the database writes on its own account between batches.
pub(crate) const HEADROOM: u64 = 4 << 20;
/// How many bytes a database may write for one byte of a batch, whole pages being written anew.
const AMPLIFICATION: u64 = 8;
/// The longest batch that is taken out of the reserve, so that a few long ones do not use it up.
const LONGEST_FROM_RESERVE: u64 = 16 << 10;
const BLOCK: u64 = 512;

/// After a sync that failed, the system may go on showing what never reached the disk, until it is asked to read it
/// again. So that is asked for before a spoiled database is opened anew.
pub(crate) fn forget_cached(path: &Path) -> Result<(), Fault> {
    let file = File::open(path)?;
    match fadvise(&file, 0, None, Advice::DontNeed) {
        // A file system that keeps nothing cached has nothing to forget.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        Err(errno) => Err(io::Error::from(errno).into()),
    }
}

/// Cuts a file or lets it grow. What is held behind its end is held behind the new one: the system gives it up with what
/// is cut off, and on a full disk another program would have it at once.
pub(super) fn set_length(file: &File, length: u64) -> io::Result<()> {
    let before = file.metadata()?;
    file.set_len(length)?;
    let behind = held(&before).saturating_sub(before.len());
    if length < before.len() && behind > 0 {
        match hold(file, length.saturating_add(behind)) {
            // What is not held will be asked for before the next batch.
            Ok(()) | Err(Errno::NOSPC | Errno::DQUOT | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn held(metadata: &Metadata) -> u64 {
    metadata.blocks().saturating_mul(BLOCK)
}

/// Takes the blocks of a file up to here, beyond its end too.
fn hold(file: &File, until: u64) -> Result<(), Errno> {
    fallocate(file, FallocateFlags::KEEP_SIZE, 0, until)
}

/// Makes sure that the file can grow for a batch, and that something is left behind it.
pub(super) fn reserve(file: &File, batch: &Batch) -> Result<(), Fault> {
    let metadata = file.metadata()?;
    let behind = match batch.room {
        Room::Ordinary => HEADROOM / 2,
        Room::Reserve if batch.bytes() > LONGEST_FROM_RESERVE => return Err(Fault::Full),
        Room::Reserve => HEADROOM / 8,
    };
    let needed = batch.bytes().saturating_mul(AMPLIFICATION).saturating_add(behind);
    let held = held(&metadata);
    if held >= metadata.len().saturating_add(needed) {
        return Ok(());
    }
    let least = metadata.len().saturating_add(needed);
    let some_more = least.saturating_add(HEADROOM / 2);
    match hold(file, some_more).or_else(|_| hold(file, least)) {
        Ok(()) => Ok(()),
        // A file system that cannot reserve: the free space it reports is the next best thing to know.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            let free = rustix::fs::fstatvfs(file).map_err(io::Error::from)?;
            let free = free.f_bavail.saturating_mul(free.f_frsize);
            if free < needed.saturating_add(HEADROOM) { Err(Fault::Full) } else { Ok(()) }
        }
        Err(errno) => Err(io::Error::from(errno).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skip::skip;

    #[test]
    fn what_is_held_behind_the_end_of_a_file_is_held_behind_it_when_it_is_cut() {
        const TEST: &str = "what_is_held_behind_the_end_of_a_file_is_held_behind_it_when_it_is_cut";
        let file = tempfile::tempfile().unwrap();
        file.set_len(3 << 20).unwrap();
        if hold(&file, 1).is_err() {
            return skip(TEST, "this file system holds no blocks for later");
        }
        reserve(&file, &Batch::default()).unwrap();
        let behind = || held(&file.metadata().unwrap()).saturating_sub(file.metadata().unwrap().len());
        let before = behind();
        assert!(before >= HEADROOM, "{before}");
        for length in [1 << 20, 0] {
            set_length(&file, length).unwrap();
            assert_eq!(file.metadata().unwrap().len(), length);
            assert!(behind() >= before, "{length}: {}", behind());
            assert!(held(&file.metadata().unwrap()) <= before + length + (1 << 20), "what was cut off is given back");
        }
    }
}
