//! Reading what `strace -f -y -xx` wrote.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A call that changed something, or made it last. Paths are below the recorded directory.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// A file came to be, or lost its content.
    Open {
        path: PathBuf,
        truncates: bool,
    },
    Write {
        path: PathBuf,
        at: Place,
        bytes: Vec<u8>,
    },
    Truncate {
        path: PathBuf,
        length: usize,
    },
    MakeDir {
        path: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    /// A sync began: what was written before it will last once it has ended.
    SyncBegins {
        path: PathBuf,
        call: usize,
    },
    SyncEnds {
        path: PathBuf,
        call: usize,
    },
}

/// Where a write goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    At(usize),
    /// At the file's position, which is its end in everything recorded here.
    End,
}

impl Event {
    /// What was told outside the profile.
    pub(super) fn acknowledges(&self) -> Option<&str> {
        match self {
            Self::Write { path, bytes, .. } if path == Path::new("acknowledged") => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}

/// The events of a trace, in the order in which the calls ended; a sync also where it began.
pub(super) fn read(text: &str, dir: &Path) -> Vec<Event> {
    let mut begun: HashMap<&str, (String, usize)> = HashMap::new();
    let mut events = Vec::new();
    for (call, line) in text.lines().enumerate() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            if let Some(path) = synced(start, dir) {
                events.push(Event::SyncBegins { path, call });
            }
            begun.insert(process, (start.to_owned(), call));
        } else if rest.starts_with("<... ") {
            let (Some((start, began)), Some((_, end))) = (begun.remove(process), rest.split_once(" resumed>")) else {
                continue;
            };
            finish(&format!("{start}{end}"), began, dir, &mut events);
        } else {
            if let Some(path) = synced(rest, dir) {
                events.push(Event::SyncBegins { path, call });
            }
            finish(rest, call, dir, &mut events);
        }
    }
    events
}

fn synced(call: &str, dir: &Path) -> Option<PathBuf> {
    let arguments = call.strip_prefix("fsync(").or_else(|| call.strip_prefix("fdatasync("))?;
    described(arguments, dir)
}

/// The path in `5</some/file>`.
fn described(text: &str, dir: &Path) -> Option<PathBuf> {
    let (_, rest) = text.split_once('<')?;
    let path = unescape_text(rest.split_once('>')?.0);
    Some(Path::new(&path).strip_prefix(dir).ok()?.to_path_buf())
}

fn unescape_text(text: &str) -> String {
    if text.contains("\\x") { String::from_utf8(unescape(text)).unwrap_or_default() } else { text.to_owned() }
}

fn unescape(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| u8::try_from(digit).unwrap());
    text.split("\\x")
        .skip(1)
        .filter_map(|pair| match pair.as_bytes() {
            [high, low, ..] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

/// The strings in quotes among the arguments.
fn quoted(text: &str) -> Vec<&str> {
    text.split('"').skip(1).step_by(2).collect()
}

fn finish(call: &str, number: usize, dir: &Path, events: &mut Vec<Event>) {
    let Some((arguments, result)) = call.rsplit_once(" = ") else { return };
    let Some(arguments) = arguments.trim_end().strip_suffix(')') else { return };
    if result.starts_with('-') || result.starts_with('?') {
        return;
    }
    let Some((name, arguments)) = arguments.split_once('(') else { return };
    let below =
        |text: &str| -> Option<PathBuf> { Some(Path::new(&unescape_text(text)).strip_prefix(dir).ok()?.to_path_buf()) };
    let paths: Vec<Option<PathBuf>> = quoted(arguments).into_iter().map(below).collect();
    let first = || paths.first().cloned().flatten();
    let event = match name {
        "openat" | "creat" if arguments.contains("O_CREAT") || name == "creat" => {
            first().map(|path| Event::Open { path, truncates: arguments.contains("O_TRUNC") || name == "creat" })
        }
        "mkdir" | "mkdirat" => first().map(|path| Event::MakeDir { path }),
        "unlink" | "unlinkat" | "rmdir" => first().map(|path| Event::Remove { path }),
        "rename" | "renameat" | "renameat2" => match paths.as_slice() {
            [Some(from), Some(to)] => Some(Event::Rename { from: from.clone(), to: to.clone() }),
            _ => None,
        },
        "write" | "pwrite64" => described(arguments, dir).map(|path| {
            let bytes = quoted(arguments).first().map(|text| unescape(text)).unwrap_or_default();
            let written: usize = result.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
            assert_eq!(bytes.len(), written, "the trace cut a write short: {path:?}");
            let last = arguments.rsplit(", ").next().and_then(|offset| offset.parse().ok());
            let at = if name == "pwrite64" { Place::At(last.unwrap()) } else { Place::End };
            Event::Write { path, at, bytes }
        }),
        "ftruncate" => described(arguments, dir).map(|path| Event::Truncate {
            path,
            length: arguments.rsplit(", ").next().and_then(|length| length.parse().ok()).unwrap(),
        }),
        "fsync" | "fdatasync" => described(arguments, dir).map(|path| Event::SyncEnds { path, call: number }),
        "writev" | "pwritev" => {
            assert!(described(arguments, dir).is_none(), "a call that the replay does not know: {name}");
            None
        }
        _ => None,
    };
    events.extend(event);
}
