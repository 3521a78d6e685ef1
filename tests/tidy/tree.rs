//! The files of the house, and just enough reading of Rust and TOML for the rules.

use std::fs;
use std::path::Path;

/// A text file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// From the root of the workspace, with `/`.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
}

/// An item of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// The table's name, without brackets.
    pub(crate) table: String,
    /// Left of the first `=`, trimmed.
    pub(crate) key: String,
    /// Right of it, trimmed, with its comment.
    pub(crate) value: String,
}

const SKIPPED: [&str; 5] = ["target", "corpus", "artifacts", "proptest-regressions", "node_modules"];
const TEXT: [&str; 9] = [".rs", ".toml", ".md", ".sh", ".py", ".json", ".yml", ".js", "run"];

/// Every text file of the workspace except what builds leave behind.
pub(crate) fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(root, root, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.iter().any(|file| file.path == "src/wire/lib.rs"), "not the root of the workspace");
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let hidden = name.starts_with('.') && name != ".ci";
            if !hidden && !SKIPPED.contains(&name.as_str()) {
                collect(root, &path, found);
            }
        } else if TEXT.iter().any(|end| name.ends_with(end)) {
            let relative = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            if let Ok(text) = fs::read_to_string(&path) {
                found.push(File { path: relative, text });
            }
        }
    }
}

/// The Rust sources among them.
pub(crate) fn rust() -> Vec<File> {
    files().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

/// The text of one file of the workspace.
pub(crate) fn read(path: &str) -> String {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Rust without comments and without what stands between quotes; line numbers stay.
pub(crate) fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw_string(rest, &out) {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = hashes + 2;
            rest[open..].find(&close).map_or(rest.len(), |end| open + end + close.len())
        } else if first == '"' {
            string_end(rest)
        } else if first == '\'' {
            char_end(rest)
        } else {
            0
        };
        if skipped == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (gone, after) = rest.split_at(skipped);
            out.push(' ');
            out.extend(gone.chars().filter(|c| *c == '\n'));
            rest = after;
        }
    }
    out
}

/// The number of `#` if a raw string begins here.
fn raw_string(rest: &str, before: &str) -> Option<usize> {
    let in_a_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_') && !before.ends_with('b');
    let after = rest.strip_prefix('r').filter(|_| !in_a_word)?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn string_end(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// Where a character literal ends, or 0 for a lifetime.
fn char_end(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => rest[3.min(rest.len())..].find('\'').map_or(0, |end| end + 4),
        Some((at, c)) if rest[at + c.len_utf8()..].starts_with('\'') => at + c.len_utf8() + 1,
        _ => 0,
    }
}

/// The code of a source that is built into the program: without the tests at its bottom.
pub(crate) fn shipped(file: &File) -> Option<String> {
    if is_test(&file.path) {
        return None;
    }
    let text = match file.text.find("\n#[cfg(test)]\nmod tests") {
        Some(at) => &file.text[..at],
        None => &file.text,
    };
    Some(code(text))
}

/// Whether the file is only ever built for tests.
pub(crate) fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "benches") || path.ends_with("/tests.rs")
}

/// Whether a name stands in some code as a word of its own.
pub(crate) fn names(code: &str, word: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let inside = code[..at].ends_with(letter);
        let goes_on = word.ends_with(letter) && code[at + word.len()..].starts_with(letter);
        !inside && !goes_on
    })
}

/// The crate a file belongs to: `wire` for `src/wire/ids.rs`, nothing for the root's own.
pub(crate) fn room(path: &str) -> Option<&str> {
    path.strip_prefix("src/")?.split_once('/').map(|(room, _)| room)
}

/// The items of a manifest. An array over several lines is joined.
pub(crate) fn items(manifest: &str) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut table = String::new();
    let mut open = false;
    for line in manifest.lines() {
        let bare = line.trim();
        if open {
            let last = items.last_mut().unwrap();
            last.value.push_str(bare);
            open = !bare.starts_with(']');
        } else if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = name.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, value)) = bare.split_once('=').filter(|_| !bare.starts_with('#')) {
            let value = value.trim().to_owned();
            open = value == "[";
            items.push(Item { table: table.clone(), key: key.trim().to_owned(), value });
        }
    }
    items
}

#[test]
fn comments_and_quotes_are_no_code() {
    let text = r####"a // b
c "d \" e" f /* g */ h r#"i "j" k"# l 'm' n '\'' o <'p> "####;
    let words: Vec<String> = code(text).split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, ["a", "c", "f", "h", "l", "n", "o", "<'p>"]);
    assert!(names("use std::fs;", "std::fs") && !names("use std::fsx;", "std::fs") && !names("my_tokio", "tokio"));
}

#[test]
fn a_manifest_is_read_by_tables() {
    let read = items("[a]\nb = 1 # why\n[c.d]\ne = [\n \"f\",\n]\n# g = 2\nh.workspace = true\n");
    let item = |table: &str, key: &str, value: &str| Item {
        table: table.to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
    };
    assert_eq!(read, [item("a", "b", "1 # why"), item("c.d", "e", "[\"f\",]"), item("c.d", "h.workspace", "true"),]);
}
