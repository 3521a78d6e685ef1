//! The log itself: a file that only grows, and is on the disk before anything is said.
//!
//! Beside it lies the *mark*: up to where the log was acknowledged, written in place after each sync and without one of
//! its own, so that it never runs ahead of what is on the disk. From both follows what an end that cannot be read means:
//! if the mark is not behind it, and no whole frame of a later batch stands after it, then nobody was told of it, and it
//! is cut off. Otherwise something that was acknowledged is damaged, and the log is not used any more.
//!
//! A log that is written anew has an id of its own, and says which it came of. The mark names the log that it is of: where
//! it is of one that this one neither is nor came of, an older copy was put in its place.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use kinfolk_ledger::signature::SecretKey;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::VotesError;
use super::frame::{BEGIN, BatchNonce, FrameKeys, HEAD, ID, LONGEST, MAGIC, MARK, OVERHEAD};
use crate::backend::forget_cached;
use crate::profile::layout;
use crate::seal::random;

/// Bytes that are read at a time, where many frames are read.
const STRETCH: usize = 1 << 20;
/// Bytes that are read where one frame is, which is most often all of it.
const GUESS: usize = 1_536;
/// The versions of the first line: then comes the seed of the key; in the second also the id of the log that it came of.
const FIRST: u8 = 1;
const FIRST_ANEW: u8 = 2;
/// The end that is marked, what proves it, and the log's id; the last was not there from the beginning.
const MARKED: usize = 8 + 32;
const MARKED_WITH_ID: usize = MARKED + ID;

/// An open log.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    mark: File,
    keys: FrameKeys,
    key: SecretKey,
    /// The log that it came of, where it was written anew.
    came_of: Option<[u8; ID]>,
    /// Where the first line stands.
    first: u64,
    /// Where the next line will stand.
    end: u64,
    /// An append failed: nobody knows what of it is on the disk.
    failed: bool,
}

/// Frames that were read whole, each with where it begins; and where the one after them begins.
pub(super) struct Frames {
    pub(super) lines: Vec<(u64, Vec<u8>)>,
    pub(super) next: u64,
}

impl Log {
    /// Makes a log with a new key. It has its name once all of that is on the disk.
    pub(super) fn create(path: &Path, mark: &Path, key: &[u8; 32]) -> Result<(), VotesError> {
        let failed = |error| VotesError::of(path, &error);
        let mut id = [0; ID];
        random(&mut id).map_err(|_| VotesError::NoRandomness)?;
        let mut first = Zeroizing::new([0; 33]);
        if let Some((version, seed)) = first.split_first_mut() {
            *version = FIRST;
            random(seed).map_err(|_| VotesError::NoRandomness)?;
        }
        let mut content = [&MAGIC[..], &id].concat();
        let keys = FrameKeys::of(key, id);
        let nonce = BatchNonce::random().map_err(|_| VotesError::NoRandomness)?;
        keys.seal(&mut content, &nonce, BEGIN, BEGIN, first.as_slice());
        remove(mark).map_err(failed)?;
        layout::replace(path, &content).map_err(failed)
    }

    /// Opens a log. What nobody was told of is cut off. `indexed` says from where on lines are to be read, once it has
    /// the log's id and the place of its first line.
    pub(super) fn open(
        path: &Path,
        mark: &Path,
        key: &[u8; 32],
        indexed: impl FnOnce(&[u8; ID], u64) -> Result<u64, VotesError>,
    ) -> Result<Self, VotesError> {
        let failed = |error| VotesError::of(path, &error);
        let file = File::options().read(true).write(true).open(path).map_err(failed)?;
        // What a killed process wrote may not be on the disk yet, and what a failed sync left in memory may never be.
        file.sync_data().map_err(failed)?;
        forget_cached(path)
            .map_err(|fault| VotesError::Disk { file: path.to_path_buf(), reason: fault.to_string() })?;
        let length = file.metadata().map_err(failed)?.len();
        let damaged = |at, what: &str| VotesError::Damaged { file: path.to_path_buf(), at, what: what.to_owned() };
        let mut begin = [0; 22 + ID];
        match file.read_exact_at(&mut begin, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(damaged(0, "it is cut short")),
            other => other.map_err(failed)?,
        }
        let (magic, id) = begin.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(VotesError::Foreign { file: path.to_path_buf() });
        }
        let keys = FrameKeys::of(key, id.try_into().unwrap_or_default());
        let first = Zeroizing::new(read_frame(&file, BEGIN, GUESS).map_err(failed)?);
        let line = keys.open(BEGIN, &first).ok_or_else(|| damaged(BEGIN, "the frame with its key is not whole"))?;
        let (seed, came_of) = first_line(&line).ok_or_else(|| damaged(BEGIN, "its key is of another version"))?;
        let key = SecretKey::from_seed(seed);
        let first = BEGIN.saturating_add(as_u64(line.len().saturating_add(OVERHEAD)));
        let mark = layout::private_file(mark).map_err(failed)?;
        let path = path.to_path_buf();
        let mut log = Self { path, file, mark, keys, key, came_of, first, end: length, failed: false };
        let indexed = indexed(log.keys.id(), first)?.max(first);
        let marked = log.marked()?.unwrap_or(first);
        log.find_end(indexed, marked, length)?;
        log.set_mark();
        Ok(log)
    }

    /// Reads from where the index stands to the end, and cuts off what nobody was told of.
    fn find_end(&mut self, indexed: u64, marked: u64, length: u64) -> Result<(), VotesError> {
        if indexed > length || marked > length {
            let expected = indexed.max(marked);
            return Err(VotesError::Lost { file: self.path.clone(), expected, found: length });
        }
        let mut end = indexed;
        while end < length {
            let frames = self.whole_frames(end)?;
            if frames.next == end {
                break;
            }
            end = frames.next;
        }
        if end == length {
            return Ok(());
        }
        let known =
            marked > end || self.has_later_batch(end, length).map_err(|error| VotesError::of(&self.path, &error))?;
        if known {
            let what = "what stands there was acknowledged, and is not whole".to_owned();
            return Err(VotesError::Damaged { file: self.path.clone(), at: end, what });
        }
        tracing::warn!(bytes = length.saturating_sub(end), "an unfinished end of the witness's log was cut off");
        let cut = self.file.set_len(end).and_then(|()| self.file.sync_data());
        cut.map_err(|error| VotesError::of(&self.path, &error))?;
        self.end = end;
        Ok(())
    }

    /// Whether a whole frame stands somewhere after `bad` whose batch began after it: what is at `bad` was on the disk then.
    fn has_later_batch(&self, bad: u64, length: u64) -> io::Result<bool> {
        let mut rest = vec![0; usize::try_from(length.saturating_sub(bad)).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut rest, bad)?;
        let found = (1..rest.len()).any(|offset| {
            let Some(bytes) = rest.get(offset..).filter(|bytes| bytes.starts_with(MARK)) else { return false };
            let at = bad.saturating_add(as_u64(offset));
            self.keys.head(at, bytes).is_some_and(|head| head.start > bad) && self.keys.open(at, bytes).is_some()
        });
        Ok(found)
    }

    /// Writes lines at the end; when it returns they are on the disk. Says where each stands.
    pub(super) fn append(&mut self, lines: &[Vec<u8>]) -> Result<Vec<u64>, VotesError> {
        let places = self.copy(lines)?;
        self.finish()?;
        self.set_mark();
        Ok(places)
    }

    /// Writes lines at the end, which are on the disk once this log is finished.
    pub(super) fn copy(&mut self, lines: &[Vec<u8>]) -> Result<Vec<u64>, VotesError> {
        if self.failed {
            return Err(VotesError::Failed { file: self.path.clone() });
        }
        let (frames, places) = self.frames(lines)?;
        if let Err(error) = self.file.write_all_at(&frames, self.end) {
            self.failed = true;
            return Err(VotesError::of(&self.path, &error));
        }
        self.end = self.end.saturating_add(as_u64(frames.len()));
        Ok(places)
    }

    /// Waits until all that was written is on the disk.
    pub(super) fn finish(&mut self) -> Result<(), VotesError> {
        let synced = sync(&self.file);
        self.failed |= synced.is_err();
        synced.map_err(|error| VotesError::of(&self.path, &error))
    }

    /// An empty log with the same key and an id of its own, which comes of this one.
    pub(super) fn beside(&self, path: &Path) -> Result<Self, VotesError> {
        let failed = |error| VotesError::of(path, &error);
        remove(path).map_err(failed)?;
        let mut id = [0; ID];
        random(&mut id).map_err(|_| VotesError::NoRandomness)?;
        let frame = Zeroizing::new(read_frame(&self.file, BEGIN, GUESS).map_err(failed)?);
        let own = self.keys.open(BEGIN, &frame);
        let seed = own.as_ref().and_then(|line| first_line(line)).map(|(seed, _)| seed);
        let seed = seed.ok_or_else(|| VotesError::Damaged {
            file: self.path.clone(),
            at: BEGIN,
            what: "the frame with its key is not whole".to_owned(),
        })?;
        let line = Zeroizing::new([&[FIRST_ANEW][..], seed, self.keys.id()].concat());
        let keys = self.keys.with_id(id);
        let mut content = [&MAGIC[..], &id].concat();
        let nonce = BatchNonce::random().map_err(|_| VotesError::NoRandomness)?;
        keys.seal(&mut content, &nonce, BEGIN, BEGIN, &line);
        let file = layout::private_file(path).map_err(failed)?;
        file.write_all_at(&content, 0).map_err(failed)?;
        let (first, mark) = (as_u64(content.len()), self.mark.try_clone().map_err(failed)?);
        let (path, key, came_of) = (path.to_path_buf(), self.key.clone(), Some(*self.keys.id()));
        Ok(Self { path, file, mark, keys, key, came_of, first, end: first, failed: false })
    }

    /// Removes it.
    pub(super) fn remove(self) -> io::Result<()> {
        remove(&self.path)
    }

    /// Takes the name of the log that it came of. What it has must be on the disk before.
    pub(super) fn take_name(&mut self, path: &Path) -> Result<(), VotesError> {
        let failed = |error| VotesError::of(path, &error);
        std::fs::rename(&self.path, path).map_err(failed)?;
        // Until the name is on the disk, a loss of power may bring the other log back, which lacks what is said from now on.
        path.parent().map_or(Ok(()), layout::sync_dir).map_err(failed)?;
        self.path = path.to_path_buf();
        self.set_mark();
        Ok(())
    }

    /// A process that is killed after it has written and before it has synced.
    #[cfg(test)]
    pub(super) fn append_and_be_killed(self, lines: &[Vec<u8>]) -> Result<(), VotesError> {
        let (frames, _) = self.frames(lines)?;
        self.file.write_all_at(&frames, self.end).map_err(|error| VotesError::of(&self.path, &error))
    }

    /// The frames of a batch, and where each will stand.
    fn frames(&self, lines: &[Vec<u8>]) -> Result<(Vec<u8>, Vec<u64>), VotesError> {
        let nonce = BatchNonce::random().map_err(|_| VotesError::NoRandomness)?;
        let mut frames = Vec::new();
        let mut places = Vec::with_capacity(lines.len());
        for line in lines {
            if line.len() > LONGEST {
                return Err(VotesError::TooLong { limit: LONGEST, found: line.len() });
            }
            let at = self.end.saturating_add(as_u64(frames.len()));
            self.keys.seal(&mut frames, &nonce, at, self.end, line);
            places.push(at);
        }
        Ok((frames, places))
    }

    /// The line at a place.
    pub(super) fn line(&self, at: u64) -> Result<Vec<u8>, VotesError> {
        let frame = read_frame(&self.file, at, GUESS).map_err(|error| VotesError::of(&self.path, &error))?;
        let line = self.keys.open(at, &frame).ok_or_else(|| VotesError::Damaged {
            file: self.path.clone(),
            at,
            what: "a line that should stand there is not whole".to_owned(),
        })?;
        Ok(line.to_vec())
    }

    /// Some lines from a place on; none at the end.
    pub(super) fn lines(&self, from: u64) -> Result<Frames, VotesError> {
        let frames = self.whole_frames(from)?;
        if frames.lines.is_empty() && from < self.end {
            let what = "a line that should stand there is not whole".to_owned();
            return Err(VotesError::Damaged { file: self.path.clone(), at: from, what });
        }
        Ok(frames)
    }

    /// Frames from a place on, up to the first that is not whole, but no more than a stretch of them.
    fn whole_frames(&self, from: u64) -> Result<Frames, VotesError> {
        let failed = |error| VotesError::of(&self.path, &error);
        let wanted = usize::try_from(self.end.saturating_sub(from)).unwrap_or(usize::MAX).min(STRETCH);
        let mut bytes = read_up_to(&self.file, from, wanted).map_err(failed)?;
        let mut frames = Frames { lines: Vec::new(), next: from };
        let mut offset = 0_usize;
        while let Some(rest) = bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            let at = from.saturating_add(as_u64(offset));
            let Some(line) = self.keys.open(at, rest) else {
                // Its end may lie beyond the stretch, which is more than one frame long.
                let cut = as_u64(bytes.len()).saturating_add(from) < self.end;
                if cut && offset == 0 {
                    bytes = read_frame(&self.file, from, GUESS).map_err(failed)?;
                    if self.keys.open(from, &bytes).is_none() {
                        break;
                    }
                    continue;
                }
                break;
            };
            offset = offset.saturating_add(line.len()).saturating_add(OVERHEAD);
            frames.lines.push((at, line.to_vec()));
            frames.next = from.saturating_add(as_u64(offset));
        }
        Ok(frames)
    }

    fn marked(&self) -> Result<Option<u64>, VotesError> {
        let bytes = read_up_to(&self.mark, 0, MARKED_WITH_ID).map_err(|error| VotesError::of(&self.path, &error))?;
        let Some((number, rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
        let Some((tag, id)) = rest.split_first_chunk::<32>() else { return Ok(None) };
        let end = u64::from_be_bytes(*number);
        let own = self.keys.id();
        let of = id.try_into().unwrap_or(*own);
        let genuine: bool = self.keys.mark_of(&of, end).as_slice().ct_eq(tag).into();
        if genuine && of != *own && Some(of) != self.came_of {
            return Err(VotesError::Older { file: self.path.clone() });
        }
        Ok((genuine && of == *own).then_some(end))
    }

    /// Without a sync, and of no consequence where it fails: it then says less than it could.
    fn set_mark(&self) {
        let bytes = [&self.end.to_be_bytes()[..], &self.keys.mark(self.end), self.keys.id()].concat();
        if let Err(error) = self.mark.write_all_at(&bytes, 0) {
            tracing::warn!(%error, "the mark of the witness's log was not written");
        }
    }

    pub(super) const fn key(&self) -> &SecretKey {
        &self.key
    }

    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    pub(super) const fn id(&self) -> &[u8; ID] {
        self.keys.id()
    }
}

/// The seed of the key, and the log that this one came of.
fn first_line(line: &[u8]) -> Option<(&[u8; 32], Option<[u8; ID]>)> {
    let (version, rest) = line.split_first()?;
    let (seed, came_of) = rest.split_first_chunk::<32>()?;
    match *version {
        FIRST if came_of.is_empty() => Some((seed, None)),
        FIRST_ANEW => Some((seed, Some(came_of.try_into().ok()?))),
        _ => None,
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The bytes of the frame at a place, as far as its head tells how many they are; else what could be read.
fn read_frame(file: &File, at: u64, guess: usize) -> io::Result<Vec<u8>> {
    let bytes = read_up_to(file, at, guess)?;
    let length = bytes.get(4..8).and_then(|length| length.try_into().ok()).map_or(0, u32::from_be_bytes);
    let whole = usize::try_from(length).unwrap_or(usize::MAX).min(LONGEST).saturating_add(OVERHEAD).max(HEAD);
    if whole > bytes.len() { read_up_to(file, at, whole) } else { Ok(bytes) }
}

fn read_up_to(file: &File, at: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at.saturating_add(as_u64(filled))) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(not(test))]
fn sync(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// In tests of this crate, a log that is not synced can be had, for the harness of power losses to catch.
#[cfg(test)]
fn sync(file: &File) -> io::Result<()> {
    if std::env::var_os("KINFOLK_STORE_ONLY_FLUSHES").is_some() { Ok(()) } else { file.sync_data() }
}
