//! What every manifest and every `clippy.toml` must say.

use super::tree::{self, items};
use super::{Faults, none, some};

/// Dependencies in the workspace's table whose line does not say what they are for.
fn uncommented_dependencies(manifest: &str) -> Faults {
    items(manifest)
        .into_iter()
        .filter(|item| item.table == "workspace.dependencies" && !item.key.starts_with("kinfolk-"))
        .filter(|item| item.value.rsplit_once('#').is_none_or(|(_, why)| why.trim().len() < 5))
        .map(|item| format!("Cargo.toml: {} does not say what it is for", item.key))
        .collect()
}

/// Dependencies that do not take their version from the workspace.
fn own_versions(path: &str, manifest: &str) -> Faults {
    items(manifest)
        .into_iter()
        .filter(|item| item.table.ends_with("dependencies") && item.table != "workspace.dependencies")
        .filter(|item| !item.key.ends_with(".workspace") && !item.value.contains("workspace = true"))
        .map(|item| format!("{path}: {} has a version of its own", item.key))
        .collect()
}

/// Lints that a manifest lacks: it takes the workspace's, or repeats all of them with their levels.
fn lints(path: &str, manifest: &str, workspace: &str) -> Faults {
    let own = items(manifest);
    if own.iter().any(|item| item.table == "lints" && item.key == "workspace" && item.value == "true") {
        return Faults::new();
    }
    items(workspace)
        .into_iter()
        .filter_map(|item| Some((item.table.strip_prefix("workspace.")?.to_owned(), item.key, item.value)))
        .filter(|(table, ..)| table.starts_with("lints."))
        .filter(|(table, key, value)| {
            !own.iter().any(|item| (&item.table, &item.key, &item.value) == (table, key, value))
        })
        .map(|(table, key, value)| format!("{path}: [{table}] lacks {key} = {value}"))
        .collect()
}

/// What a room's `clippy.toml` must ban. It replaces the root's, so it must repeat that too.
fn bans(room: &str, clippy: Option<&str>, root: &str) -> Faults {
    let pure = ["wire", "rpc", "crypto", "ledger", "engine", "sim"].contains(&room);
    let banned: &[&str] = if pure {
        &[
            "std::time::Instant::now",
            "std::time::SystemTime::now",
            "std::sync::Mutex",
            "std::collections::HashMap",
            "std::collections::HashSet",
            "std::thread::spawn",
        ]
    } else {
        &["tokio::sync::mpsc::unbounded_channel", "std::sync::mpsc::channel"]
    };
    let path = format!("src/{room}/clippy.toml");
    let Some(clippy) = clippy else { return vec![format!("{path}: not there")] };
    let missing_bans = banned.iter().filter(|name| !clippy.contains(&format!("path = \"{name}\"")));
    let missing_lines = root.lines().filter(|line| !clippy.lines().any(|own| own == *line));
    missing_bans
        .map(|name| format!("{path}: does not ban {name}"))
        .chain(missing_lines.map(|line| format!("{path}: does not repeat {line}")))
        .collect()
}

/// Packages of the lock file that come from anywhere but the registry, or without a checksum.
fn sources(lock: &str) -> Faults {
    let mut faults = Faults::new();
    for package in lock.split("[[package]]").skip(1) {
        let line = |key: &str| package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        let name = line("name").unwrap_or_default();
        match line("source") {
            None if name.trim_matches('"').starts_with("kinfolk") => {}
            Some("\"registry+https://github.com/rust-lang/crates.io-index\"") if line("checksum").is_some() => {}
            other => {
                faults.push(format!("Cargo.lock: {name} comes from {}", other.unwrap_or("a place it does not name")))
            }
        }
    }
    faults
}

/// What runs while building, or escapes the compiler's checks, in a crate of ours.
fn escapes(path: &str, manifest: &str, workspace: &str) -> Faults {
    let own = items(manifest);
    let forbidden = |items: &[tree::Item], prefix: &str| {
        items.iter().any(|item| {
            item.table == format!("{prefix}lints.rust") && item.key == "unsafe_code" && item.value == "\"forbid\""
        })
    };
    let by_workspace = own.iter().any(|item| item.table == "lints" && item.key == "workspace" && item.value == "true");
    let mut faults = Faults::new();
    if !(forbidden(&own, "") || by_workspace && forbidden(&items(workspace), "workspace.")) {
        faults.push(format!("{path}: unsafe code is not forbidden"));
    }
    if own.iter().any(|item| item.key == "build" || item.table == "build-dependencies") {
        faults.push(format!("{path}: something runs while it is built"));
    }
    faults
}

#[test]
fn g11_every_package_comes_from_the_registry_with_its_checksum() {
    let lock = tree::read("Cargo.lock");
    assert!(lock.matches("[[package]]").count() > 100);
    none(sources(&lock));
    some(sources("[[package]]\nname = \"x\"\nsource = \"git+https://example.org/x#1\"\n"));
    some(sources("[[package]]\nname = \"x\"\nversion = \"1\"\n"));
    some(sources("[[package]]\nname = \"x\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n"));
}

#[test]
fn g11_no_crate_of_ours_has_unsafe_code_or_a_build_script() {
    let workspace = tree::read("Cargo.toml");
    let files = tree::files();
    let crates = files.iter().filter(|file| file.path.ends_with("Cargo.toml") && !file.path.starts_with("fuzz/"));
    none(crates.flat_map(|file| escapes(&file.path, &file.text, &workspace)).collect());
    none(
        files
            .iter()
            .filter(|file| file.path.ends_with("build.rs"))
            .map(|file| format!("{}: a build script", file.path))
            .collect(),
    );
    some(escapes("x", "[lints.rust]\nunsafe_code = \"deny\"\n", &workspace));
    some(escapes("x", "[lints]\nworkspace = true\n", "[workspace.lints.rust]\n"));
    some(escapes("x", "[package]\nbuild = \"build.rs\"\n[lints]\nworkspace = true\n", &workspace));
}

#[test]
fn every_dependency_says_what_it_is_for() {
    none(uncommented_dependencies(&tree::read("Cargo.toml")));
    some(uncommented_dependencies("[workspace.dependencies]\nleft-pad = \"1\"\n"));
    some(uncommented_dependencies("[workspace.dependencies]\nleft-pad = \"1\" #\n"));
    none(uncommented_dependencies("[workspace.dependencies]\nleft-pad = \"1\" # pads on the left\n"));
}

#[test]
fn every_version_stands_in_the_root_once() {
    let manifests: Vec<_> = tree::files()
        .into_iter()
        .filter(|file| file.path.ends_with("Cargo.toml") && !file.path.starts_with("fuzz/"))
        .collect();
    none(manifests.iter().flat_map(|file| own_versions(&file.path, &file.text)).collect());
    some(own_versions("x", "[dependencies]\nserde = \"1\"\n"));
    some(own_versions("x", "[dev-dependencies]\nserde = { version = \"1\" }\n"));
    none(own_versions("x", "[dependencies]\nserde.workspace = true\nlibc = { workspace = true }\n"));
}

#[test]
fn every_crate_has_the_lints() {
    let workspace = tree::read("Cargo.toml");
    let crates: Vec<_> = tree::files()
        .into_iter()
        .filter(|file| file.path.ends_with("Cargo.toml") && !file.path.starts_with("fuzz/"))
        .collect();
    none(crates.iter().flat_map(|file| lints(&file.path, &file.text, &workspace)).collect());
    some(lints("x", "[package]\nname = \"x\"\n", &workspace));
    some(lints("x", "[lints.rust]\nunsafe_code = \"allow\"\n", "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"));
    none(lints("x", "[lints]\nworkspace = true\n", &workspace));
}

#[test]
fn every_room_bans_what_its_floor_must_not_do() {
    let root = tree::read("clippy.toml");
    let files = tree::files();
    let clippy = |room: &str| {
        let path = format!("src/{room}/clippy.toml");
        files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    };
    let rooms = files.iter().filter_map(|file| file.path.strip_prefix("src/")?.strip_suffix("/Cargo.toml"));
    none(rooms.flat_map(|room| bans(room, clippy(room), &root)).collect());
    some(bans("engine", None, &root));
    some(bans("engine", Some(&root), &root));
    some(bans("net", clippy("net"), &format!("{root}allow-something-new = true\n")));
}
