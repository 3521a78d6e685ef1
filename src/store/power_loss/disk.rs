//! A disk that keeps what was synced, and of the rest what chance lets through.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::chance::Chance;
use super::trace::{Event, Place};

const SECTOR: usize = 512;

type Inode = usize;

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

/// A file: what lasts of it, and what was done since.
#[derive(Debug, Default)]
struct File {
    lasting: Vec<u8>,
    pending: Vec<Change>,
    /// How many changes last, ever since.
    settled: usize,
    /// Its length as programs see it.
    length: usize,
}

#[derive(Debug, Clone)]
enum NameChange {
    Add { path: PathBuf, inode: Inode },
    MakeDir { path: PathBuf },
    Remove { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
}

impl NameChange {
    /// Whether it is in a directory, so that a sync of that makes it last.
    fn is_in(&self, dir: &Path) -> bool {
        match self {
            Self::Add { path, .. } | Self::MakeDir { path } | Self::Remove { path } => path.parent() == Some(dir),
            Self::Rename { from, to } => from.parent() == Some(dir) || to.parent() == Some(dir),
        }
    }
}

/// Names, with directories apart from files.
#[derive(Debug, Default, Clone)]
struct Names {
    files: BTreeMap<PathBuf, Inode>,
    dirs: Vec<PathBuf>,
}

impl Names {
    fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Add { path, inode } => {
                self.files.insert(path.clone(), *inode);
            }
            NameChange::MakeDir { path } => self.dirs.push(path.clone()),
            NameChange::Remove { path } => {
                self.files.remove(path);
                self.dirs.retain(|dir| dir != path);
            }
            NameChange::Rename { from, to } => {
                let moved = |path: &Path| {
                    path.strip_prefix(from)
                        .ok()
                        .map(|rest| if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) })
                };
                self.files =
                    std::mem::take(&mut self.files).into_iter().fold(BTreeMap::new(), |mut files, (path, inode)| {
                        match moved(&path) {
                            Some(new) => files.insert(new, inode),
                            None if path == *to && self.dirs.iter().all(|dir| dir != from) => None,
                            None => files.insert(path, inode),
                        };
                        files
                    });
                self.dirs = self.dirs.iter().map(|dir| moved(dir).unwrap_or_else(|| dir.clone())).collect();
            }
        }
    }
}

/// The model.
#[derive(Debug, Default)]
pub(super) struct Disk {
    files: Vec<File>,
    seen: Names,
    lasting: Names,
    pending: Vec<(usize, NameChange)>,
    renames: usize,
    /// Syncs under way: how many of the changes, ever since, they cover.
    syncs: HashMap<usize, (Option<Inode>, usize)>,
}

impl Disk {
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Open { path, truncates } => match self.seen.files.get(path) {
                Some(inode) if *truncates => self.change(*inode, Change::Truncate { length: 0 }),
                Some(_) => {}
                None => {
                    let inode = self.files.len();
                    self.files.push(File::default());
                    self.rename(NameChange::Add { path: path.clone(), inode });
                }
            },
            Event::Write { path, at, bytes } => {
                if let Some(inode) = self.seen.files.get(path).copied() {
                    let offset = match at {
                        Place::At(offset) => *offset,
                        Place::End => self.files[inode].length,
                    };
                    self.change(inode, Change::Write { offset, bytes: bytes.clone() });
                }
            }
            Event::Truncate { path, length } => {
                if let Some(inode) = self.seen.files.get(path).copied() {
                    self.change(inode, Change::Truncate { length: *length });
                }
            }
            Event::MakeDir { path } => self.rename(NameChange::MakeDir { path: path.clone() }),
            Event::Remove { path } => self.rename(NameChange::Remove { path: path.clone() }),
            Event::Rename { from, to } => self.rename(NameChange::Rename { from: from.clone(), to: to.clone() }),
            Event::SyncBegins { path, call } => {
                let inode = self.seen.files.get(path).copied();
                let covered = inode.map_or(self.renames, |inode| {
                    let file = &self.files[inode];
                    file.settled + file.pending.len()
                });
                self.syncs.insert(*call, (inode, covered));
            }
            Event::SyncEnds { path, call } => self.sync(path, *call),
        }
    }

    fn change(&mut self, inode: Inode, change: Change) {
        let file = &mut self.files[inode];
        match &change {
            Change::Write { offset, bytes } => file.length = file.length.max(offset + bytes.len()),
            Change::Truncate { length } => file.length = *length,
        }
        file.pending.push(change);
    }

    fn rename(&mut self, change: NameChange) {
        self.seen.apply(&change);
        self.pending.push((self.renames, change));
        self.renames += 1;
    }

    fn sync(&mut self, path: &Path, call: usize) {
        match self.syncs.remove(&call) {
            Some((Some(inode), covered)) => {
                let file = &mut self.files[inode];
                // Another sync may have ended in between and taken some of these along.
                for change in file.pending.drain(..covered.saturating_sub(file.settled)) {
                    keep(&mut file.lasting, &change, usize::MAX);
                    file.settled += 1;
                }
            }
            Some((None, covered)) => {
                let lasting = &mut self.lasting;
                self.pending.retain(|(number, change)| {
                    let lasts = *number < covered && change.is_in(path);
                    if lasts {
                        lasting.apply(change);
                    }
                    !lasts
                });
            }
            None => {}
        }
    }

    /// Writes into a directory what the disk holds after the power went.
    pub(super) fn lay_out(&self, dir: &Path, chance: &mut Chance) {
        let mut names = self.lasting.clone();
        // A journal keeps the order of names: some of the first that were not synced may last.
        for (_, change) in self.pending.iter().take(chance.below(self.pending.len() + 1)) {
            names.apply(change);
        }
        for path in &names.dirs {
            fs::create_dir_all(dir.join(path)).unwrap();
        }
        // In a third of the trials nothing unsynced lasts, in a third most of it, in a third some, torn.
        let mood = chance.below(3);
        for (path, inode) in &names.files {
            let file = &self.files[*inode];
            let mut content = file.lasting.clone();
            for change in &file.pending {
                match mood {
                    1 if chance.below(8) > 0 => keep(&mut content, change, usize::MAX),
                    2 if chance.below(2) > 0 => keep(&mut content, change, chance.below(64) * SECTOR),
                    _ => {}
                }
            }
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

/// Applies a change, of a write at most so many bytes.
fn keep(content: &mut Vec<u8>, change: &Change, most: usize) {
    match change {
        Change::Write { offset, bytes } => {
            let bytes = &bytes[..bytes.len().min(most)];
            let end = offset + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[*offset..end].copy_from_slice(bytes);
        }
        Change::Truncate { length } => content.resize(*length, 0),
    }
}
