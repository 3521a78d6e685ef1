//! The end of sled's log, kept aside while it is opened.
//!
//! When sled opens, it takes the first thing in its last segments that it cannot read for the end of the log, and
//! overwrites what follows. After a crash that is right; after damage it destroys rows. So the last segments are copied
//! before, and thrown away once it is known that nothing is missing. A rescue looks into the copy like into any file.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const SEGMENT: u64 = 512 << 10;
/// How many segments from the last one back.
const KEPT: i64 = 4;
/// A segment begins with a checksum u32, its place in the log i64 and another i64, the last two turned over.
const HEADER: usize = 20;
const TURNED: i64 = i64::MAX;

fn path(dir: &Path) -> PathBuf {
    dir.join("tail")
}

/// Copies the last segments, unless a copy of an opening that did not succeed is there.
pub(super) fn keep(dir: &Path, log: &File) -> io::Result<()> {
    let path = path(dir);
    if path.exists() {
        return Ok(());
    }
    let mut places = Vec::new();
    for index in 0..log.metadata()?.len().div_ceil(SEGMENT) {
        let mut header = [0; HEADER];
        match log.read_exact_at(&mut header, index.saturating_mul(SEGMENT)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            other => other.map(|()| places.push((index, place(&header))))?,
        }
    }
    let last = places.iter().filter_map(|(_, place)| *place).max().unwrap_or_default();
    let from = last.saturating_sub(KEPT);
    let copy = path.with_extension("new");
    let out = crate::profile::layout::private_file(&copy)?;
    let mut written = 0u64;
    // A header that makes no sense may be a damaged one of the end.
    for (index, _) in places.iter().filter(|(_, place)| place.is_none_or(|place| place > from)).rev().take(8) {
        let mut segment = vec![0; usize::try_from(SEGMENT).unwrap_or_default()];
        let read = log.read_at(&mut segment, index.saturating_mul(SEGMENT))?;
        segment.truncate(read);
        out.write_all_at(&segment, written)?;
        written = written.saturating_add(SEGMENT);
    }
    fs::rename(copy, path)
}

/// The number of a segment in the log; none where its header is not one.
fn place(header: &[u8; HEADER]) -> Option<i64> {
    let turned = header.get(4..12)?.try_into().map(i64::from_le_bytes).ok()?;
    let place = turned ^ TURNED;
    let segment = i64::try_from(SEGMENT).ok()?;
    (place >= 0 && place % segment == 0).then_some(place / segment)
}

/// Throws the copy away: nothing was lost.
pub(super) fn forget(dir: &Path) -> io::Result<()> {
    match fs::remove_file(path(dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
