//! Which crate may import which: the table "May import" of docs/architecture.md.

use super::tree::{self, Item, items};
use super::{Faults, none, some};

/// From the ground up: a room, and what it may import. The root may import all.
const MAY_IMPORT: [(&str, &[&str]); 12] = [
    ("wire", &[]),
    ("rpc", &[]),
    ("crypto", &["wire"]),
    ("ledger", &["wire", "crypto"]),
    ("engine", &["wire", "crypto", "ledger"]),
    ("sim", &["wire", "crypto", "engine"]),
    ("store", &["wire", "crypto", "ledger", "engine"]),
    ("net", &["wire"]),
    ("node", &["wire", "crypto", "ledger", "engine", "store", "net"]),
    ("api", &["wire", "rpc", "crypto", "engine", "node"]),
    ("client", &["rpc"]),
    ("cli", &["rpc", "client"]),
];

/// Where the table says which part of a room another may use: nothing else of it is named there.
const PARTS: [(&str, &str, &[&str]); 6] = [
    ("ledger", "kinfolk_crypto", &["sign::is_admissible"]),
    ("store", "kinfolk_engine", &["store"]),
    ("store", "kinfolk_crypto", &["aead"]),
    ("store", "kinfolk_ledger", &["witness", "signature::SecretKey", "limits"]),
    ("node", "kinfolk_crypto", &["RecoveryPhrase", "mailbox"]),
    ("api", "kinfolk_crypto", &["identity::safety_number"]),
];

/// What a room's tests may import beyond that, each with its reason.
const TESTS_MAY_IMPORT: [(&str, &str, &str); 1] =
    [("api", "store", "its tests start real nodes, and a node stands on a store")];

/// Dependencies that floors 0 to 3 and the simulator never have: they wait, or they decide by themselves.
const NOT_PURE: [&str; 14] = [
    "tokio",
    "futures",
    "libp2p",
    "libp2p-stream",
    "sled",
    "redb",
    "rustix",
    "getrandom",
    "axum",
    "hyper",
    "hyper-util",
    "tracing-subscriber",
    "tempfile",
    "directories",
];

const PURE: [&str; 6] = ["wire", "rpc", "crypto", "ledger", "engine", "sim"];

/// Every import of ours by a manifest that its room may not have.
fn arrows(room: &str, manifest: &str) -> Faults {
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
        return vec![format!("src/{room} stands in no line of the table of arrows")];
    };
    let mut faults = Faults::new();
    for Item { table, key, .. } in items(manifest) {
        let in_tests = table.ends_with("dev-dependencies");
        let Some(imported) = key.strip_prefix("kinfolk-").filter(|_| table.ends_with("dependencies")) else { continue };
        let imported = imported.split('.').next().unwrap_or(imported);
        let excused = in_tests && TESTS_MAY_IMPORT.iter().any(|(from, to, _)| *from == room && *to == imported);
        if !allowed.contains(&imported) && !excused {
            faults.push(format!("src/{room}/Cargo.toml: [{table}] {room} may not import {imported}"));
        }
    }
    faults
}

/// Dependencies of a pure room that wait or read the world.
fn impure_dependencies(room: &str, manifest: &str) -> Faults {
    items(manifest)
        .into_iter()
        .filter(|item| item.table == "dependencies" && PURE.contains(&room))
        .filter(|item| NOT_PURE.contains(&item.key.split('.').next().unwrap_or(&item.key)))
        .map(|item| format!("src/{room}/Cargo.toml: {} does not belong on a floor that never waits", item.key))
        .collect()
}

/// Names of our own crates in a room's code that its manifest may not import.
fn named_crates(room: &str, path: &str, code: &str) -> Faults {
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == room) else {
        // The root's own folders; a crate that the table does not know is found by its manifest.
        return Faults::new();
    };
    MAY_IMPORT
        .iter()
        .filter(|(other, _)| *other != room && !allowed.contains(other))
        .filter(|(other, _)| tree::names(code, &format!("kinfolk_{other}")))
        .map(|(other, _)| format!("{path}: names kinfolk_{other}"))
        .collect()
}

/// What a room uses of another beyond its [`PARTS`].
fn parts(room: &str, path: &str, code: &str) -> Faults {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let mut faults = Faults::new();
    for (_, other, allowed) in PARTS.iter().filter(|(name, ..)| *name == room) {
        for (at, _) in code.match_indices(other) {
            let after = code[at + other.len()..].strip_prefix("::").unwrap_or_default();
            let fits = |part: &str| after.strip_prefix(part).is_some_and(|rest| !rest.starts_with(letter));
            if !allowed.iter().any(|part| fits(part)) {
                faults.push(format!("{path}: uses {other}::{}", after.lines().next().unwrap_or_default()));
            }
        }
    }
    faults
}

/// Members that are missing, unknown, out of the order of the floors, or not built by default.
fn members(manifest: &str, rooms: &[String]) -> Faults {
    let list = |key: &str| -> Vec<String> {
        items(manifest)
            .into_iter()
            .filter(|item| item.table == "workspace" && item.key == key)
            .flat_map(|item| item.value.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
            .collect()
    };
    let expected: Vec<String> = MAY_IMPORT
        .iter()
        .filter(|(room, _)| rooms.iter().any(|known| known == room))
        .map(|(room, _)| format!("src/{room}"))
        .collect();
    let mut faults = Faults::new();
    if list("members") != expected {
        faults.push(format!("Cargo.toml: members are {:?}, in floor order they are {expected:?}", list("members")));
    }
    let by_default = [vec![".".to_owned()], expected].concat();
    if list("default-members") != by_default {
        faults
            .push(format!("Cargo.toml: default-members are not \".\" and the members: {:?}", list("default-members")));
    }
    faults
}

fn rooms() -> Vec<(String, String)> {
    tree::files()
        .into_iter()
        .filter_map(|file| {
            let room = file.path.strip_prefix("src/")?.strip_suffix("/Cargo.toml")?.to_owned();
            Some((room, file.text))
        })
        .collect()
}

#[test]
fn no_arrow_runs_up() {
    let rooms = rooms();
    assert!(rooms.len() >= 12, "found only {} crates", rooms.len());
    none(rooms.iter().flat_map(|(room, manifest)| arrows(room, manifest)).collect());
    none(rooms.iter().flat_map(|(room, manifest)| impure_dependencies(room, manifest)).collect());

    some(arrows("wire", "[dependencies]\nkinfolk-crypto.workspace = true\n"));
    some(arrows("net", "[dependencies]\nkinfolk-engine = { path = \"../engine\" }\n"));
    some(arrows("cli", "[dev-dependencies]\nkinfolk-node.workspace = true\n"));
    some(arrows("engine", "[target.'cfg(unix)'.dependencies]\nkinfolk-store.workspace = true\n"));
    some(arrows("cellar", "[dependencies]\n"));
    some(impure_dependencies("engine", "[dependencies]\ntokio.workspace = true\n"));
    none(arrows("crypto", "[dependencies]\nkinfolk-wire.workspace = true\n"));
    none(impure_dependencies("engine", "[dev-dependencies]\ntempfile.workspace = true\n"));
}

#[test]
fn no_source_names_a_floor_it_may_not_know() {
    let mut faults = Faults::new();
    for file in tree::rust() {
        let Some(room) = tree::room(&file.path) else { continue };
        if let Some(code) = tree::shipped(&file) {
            faults.extend(named_crates(room, &file.path, &code));
            faults.extend(parts(room, &file.path, &code));
        }
    }
    none(faults);
    some(named_crates("wire", "x.rs", "use kinfolk_engine::Engine;"));
    some(parts("store", "x.rs", "use kinfolk_engine::input::Input;"));
    some(parts("store", "x.rs", "use kinfolk_engine::{store, input};"));
    some(parts("api", "x.rs", "kinfolk_crypto::session::Session"));
    some(parts("node", "x.rs", "kinfolk_crypto::RecoveryPhrases"));
    none(parts("store", "x.rs", "use kinfolk_engine::store::Read; use kinfolk_crypto::aead::{self, TAG};"));
    none(parts("net", "x.rs", "use kinfolk_wire::ids::PeerId;"));
}

#[test]
fn members_stand_in_floor_order() {
    let rooms: Vec<String> = rooms().into_iter().map(|(room, _)| room).collect();
    none(members(&tree::read("Cargo.toml"), &rooms));
    let both = ["wire".to_owned(), "crypto".to_owned()];
    some(members("[workspace]\nmembers = [\n\"src/crypto\", \"src/wire\",\n]\n", &both));
    some(members("[workspace]\nmembers = [\"src/wire\"]\ndefault-members = [\".\", \"src/wire\"]\n", &both));
    some(members("[workspace]\nmembers = [\"src/wire\", \"src/crypto\"]\ndefault-members = [\".\"]\n", &both));
}
