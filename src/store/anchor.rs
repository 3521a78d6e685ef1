//! The anchor: the number of the last commit, in a file beside the database.
//!
//! It is written after each commit, in place and without a sync, so it never runs ahead of what is on the disk. A
//! database that has fewer commits than the anchor says has lost some: an older copy was put in its place, or its end
//! is damaged. The file bears a keyed hash; one that is missing or not ours says nothing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use subtle::ConstantTimeEq;

use crate::profile::layout;
use crate::seal::Keys;

const LENGTH: usize = 8 + 32;

pub(crate) struct Anchor {
    file: File,
}

impl Anchor {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: layout::private_file(path)? })
    }

    pub(crate) fn commits(&self, keys: &Keys) -> io::Result<Option<u64>> {
        let mut bytes = [0; LENGTH];
        match self.file.read_exact_at(&mut bytes, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let (number, tag) = bytes.split_at(8);
        let commits = number.try_into().map(u64::from_be_bytes).unwrap_or_default();
        let genuine: bool = Self::tag(keys, commits).as_slice().ct_eq(tag).into();
        Ok(genuine.then_some(commits))
    }

    pub(crate) fn set(&self, keys: &Keys, commits: u64) -> io::Result<()> {
        let mut bytes = [0; LENGTH];
        let (number, tag) = bytes.split_at_mut(8);
        number.copy_from_slice(&commits.to_be_bytes());
        tag.copy_from_slice(&Self::tag(keys, commits));
        self.file.write_all_at(&bytes, 0)
    }

    fn tag(keys: &Keys, commits: u64) -> [u8; 32] {
        *blake3::keyed_hash(&keys.anchor, &commits.to_be_bytes()).as_bytes()
    }
}
