//! The documents: what they point at exists.

use std::collections::BTreeSet;

use super::tree::{self, File};
use super::{Faults, none, some};

/// Links of a Markdown page to files that are not there.
fn dead_links(path: &str, text: &str, files: &dyn Fn(&str) -> bool) -> Faults {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets
        .filter(|target| !target.contains("://") && !target.starts_with('#'))
        .map(|target| target.split('#').next().unwrap_or(target))
        .filter(|target| !files(&resolve(folder, target)))
        .map(|target| format!("{path}: links to {target}, which is not there"))
        .collect()
}

fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." => {
                parts.pop();
            }
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Pages under docs/ that a source names and nobody wrote.
fn missing_pages(file: &File, files: &BTreeSet<String>) -> Faults {
    file.text
        .match_indices("docs/")
        .map(|(at, _)| &file.text[at..])
        .filter_map(|rest| rest.find(".md").map(|end| &rest[..end + 3]))
        .filter(|page| page.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c)))
        .filter(|page| !files.contains(*page))
        .map(|page| format!("{}: names {page}, which is not there", file.path))
        .collect()
}

#[test]
fn every_page_that_is_named_exists() {
    let files = tree::files();
    let paths: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let exists = |path: &str| root.join(path).exists();
    let sources = files.iter().filter(|file| !file.path.starts_with("tests/tidy"));
    let mut faults: Faults = sources.flat_map(|file| missing_pages(file, &paths)).collect();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        faults.extend(dead_links(&file.path, &file.text, &exists));
    }
    faults.dedup();
    none(faults);

    let file = |text: &str| File { path: "x.rs".to_owned(), text: text.to_owned() };
    some(missing_pages(&file("see docs/nowhere.md"), &paths));
    some(dead_links("docs/x.md", "[y](z.md)", &|_| false));
    none(dead_links("docs/x.md", "[y](../z.md#part) [a](https://b.c) [d](#e)", &|path| path == "z.md"));
}
