//! Space that is taken before it is needed, and what is left in memory of a failed write.
//!
//! A database that meets a full disk in the middle of a write is spoiled until it is opened again. So blocks are
//! reserved behind the end of its file before each batch: a full disk is then met here, where nothing has begun.

use std::fs::File;
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
pub(super) fn forget_cached(path: &Path) -> Result<(), Fault> {
    let file = File::open(path)?;
    match fadvise(&file, 0, None, Advice::DontNeed) {
        // A file system that keeps nothing cached has nothing to forget.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        Err(errno) => Err(io::Error::from(errno).into()),
    }
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
    let held = metadata.blocks().saturating_mul(BLOCK);
    if held >= metadata.len().saturating_add(needed) {
        return Ok(());
    }
    let length = metadata.len().saturating_add(needed).saturating_add(HEADROOM / 2);
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, length) {
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
