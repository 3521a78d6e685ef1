//! One process at a time.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::layout;

/// Held while a profile is open; the system lets go of it with the process.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why the lock was not had.
#[derive(Debug)]
pub(crate) enum LockError {
    Held { process: Option<u32> },
    Disk(io::Error),
}

impl Lock {
    pub(crate) fn take(path: &Path) -> Result<Self, LockError> {
        let mut file = layout::private_file(path).map_err(LockError::Disk)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut text = String::new();
                let process = Read::by_ref(&mut file)
                    .take(20)
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| text.trim().parse().ok());
                return Err(LockError::Held { process });
            }
            Err(errno) => return Err(LockError::Disk(errno.into())),
        }
        let number = format!("{}\n", std::process::id());
        file.set_len(0).and_then(|()| file.write_all_at(number.as_bytes(), 0)).or_else(|error| {
            // The number is for people; a full disk must not keep them out.
            if error.kind() == io::ErrorKind::StorageFull { Ok(()) } else { Err(LockError::Disk(error)) }
        })?;
        Ok(Self { _file: file })
    }
}
