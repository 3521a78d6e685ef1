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
    file: File,
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
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a program that was just begun elsewhere in this process may still have a copy of it.
    fn drop(&mut self) {
        if let Err(error) = flock(&self.file, FlockOperation::Unlock) {
            tracing::debug!(%error, "a lock was not let go of");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_was_let_go_can_be_taken_though_a_copy_of_its_file_is_still_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::take(&path).unwrap();
        assert!(matches!(Lock::take(&path), Err(LockError::Held { .. })));
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        drop(Lock::take(&path).unwrap());
        drop(copy);
    }
}
