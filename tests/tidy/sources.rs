//! What sources may not say, and how they must begin.

use super::tree::{self, File};
use super::{Faults, none, some};

/// Tests that wait by the clock, each with the reason why nothing else can be waited for.
const MAY_SLEEP: [(&str, &str); 2] = [
    (
        "src/store/tests/store/process.rs",
        "kills a process at a moment drawn at random; the sleep is the drawing, and nothing is waited for",
    ),
    ("benches/program.rs", "measures what a node costs while it does nothing; the sleep is what is measured"),
];

/// What the pure floors never name, and what it would break.
const IMPURE: [(&str, &str); 16] = [
    ("Instant", "the time is an input"),
    ("SystemTime", "the time is an input"),
    ("std::net", "sockets are the network floor's"),
    ("std::fs", "files are the store's"),
    ("std::env", "settings are the node's"),
    ("std::process", "processes are the node's"),
    ("std::thread", "one turn, one thread"),
    ("Mutex", "state has one owner"),
    ("RwLock", "state has one owner"),
    ("tokio", "nothing waits here"),
    ("async", "nothing waits here"),
    ("HashMap", "its order differs from run to run"),
    ("HashSet", "its order differs from run to run"),
    ("getrandom", "randomness is an input"),
    ("thread_local", "the simulator has many nodes in one process"),
    ("static mut", "the simulator has many nodes in one process"),
];

const UNBOUNDED: [&str; 3] = ["unbounded_channel", "UnboundedSender", "mpsc::unbounded"];

/// Names of what must not be compared by `==`.
const SECRETS: [&str; 10] =
    ["mac", "tag", "token", "ticket", "secret", "passphrase", "password", "commitment", "private_key", "chain_key"];

const POOR_NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "manager", "common", "misc", "stuff"];

/// Names of the impure things in a file of a pure floor.
fn impure(path: &str, code: &str) -> Faults {
    IMPURE
        .iter()
        .filter(|(name, _)| tree::names(code, name))
        .map(|(name, why)| format!("{path}: names {name}, but {why}"))
        .collect()
}

/// Channels without a bound: by their names, and `channel()`, which the standard library makes without one.
fn unbounded(path: &str, code: &str) -> Faults {
    let squeezed: String = code.split_whitespace().collect();
    let without_size = squeezed.match_indices("channel").any(|(at, found)| {
        let after = &squeezed[at + found.len()..];
        let call = after.strip_prefix("::<").and_then(|rest| rest.split_once(">(")).map_or(after, |(_, rest)| rest);
        let before = &squeezed[..at];
        let one_value = before.ends_with("oneshot::") || before.ends_with('_');
        !one_value && (after.starts_with("()") || (after.starts_with("::<") && call.starts_with(')')))
    });
    let named = UNBOUNDED.iter().filter(|name| tree::names(code, name)).map(|name| (*name).to_owned());
    named
        .chain(without_size.then(|| "channel()".to_owned()))
        .map(|name| format!("{path}: {name} has no bound, and memory is bounded by us"))
        .collect()
}

/// Tests that are switched off, or wait by the clock without an excuse.
fn sleeping_tests(path: &str, code: &str) -> Faults {
    let mut faults = Faults::new();
    let squeezed: String = code.split_whitespace().collect();
    if squeezed.contains("#[ignore") || squeezed.contains(",ignore)]") || squeezed.contains(",ignore=") {
        faults.push(format!("{path}: a test is ignored"));
    }
    let sleeps = ["thread::sleep", "time::sleep"].iter().any(|name| tree::names(code, name));
    if sleeps && !MAY_SLEEP.iter().any(|(excused, _)| *excused == path) {
        faults.push(format!("{path}: a test sleeps instead of waiting for what it waits for"));
    }
    faults
}

/// Secrets and authenticators that are compared by `==`, which stops at the first difference and so tells where it is.
fn telling_comparisons(path: &str, code: &str) -> Faults {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let is_secret = |name: &str| SECRETS.iter().any(|secret| name == *secret || name.ends_with(&format!("_{secret}")));
    let mut faults = Faults::new();
    for operator in ["==", "!="] {
        for (at, _) in code.match_indices(operator) {
            let left = code[..at].trim_end_matches(|c: char| c.is_whitespace() || c == '(' || c == ')');
            let left = &left[left.rfind(|c| !word(c)).map_or(0, |before| before + 1)..];
            let right = code[at + 2..].trim_start_matches(|c: char| c.is_whitespace() || c == '&' || c == '*');
            let right = right.split(|c: char| !word(c) && c != '.').next().unwrap_or_default();
            let right = right.rsplit('.').next().unwrap_or_default();
            if let Some(name) = [left, right].into_iter().find(|name| is_secret(name)) {
                faults.push(format!("{path}: compares {name} with {operator}; use subtle"));
            }
        }
    }
    faults
}

/// Types that keep secret bytes and have their comparison derived: it stops at the first byte that differs.
fn derived_comparisons(path: &str, code: &str) -> Faults {
    let mut faults = Faults::new();
    for (at, _) in code.match_indices("#[derive(") {
        let Some((derived, rest)) = code[at..].split_once(")]") else { continue };
        let body = rest.split_inclusive([';', '}']).next().unwrap_or_default();
        let keeps_secrets = body.contains("struct ") && body.contains("Zeroizing<");
        if keeps_secrets && tree::names(derived, "PartialEq") {
            faults.push(format!("{path}: derives the comparison of secret bytes; use subtle"));
        }
    }
    faults
}

/// Tests that say by themselves that they are skipped: nobody would count them.
fn uncounted_skips(path: &str, text: &str) -> Faults {
    let quiet = [concat!("\"skip", "ped: "), concat!("\"SKIP", "PED"), concat!("\"skip", "ping ")];
    quiet
        .iter()
        .filter(|words| text.contains(**words) && path != "tests/support/skip.rs")
        .map(|_| format!("{path}: says that it is skipped without tests/support/skip.rs, so it is not counted"))
        .collect()
}

/// The test code of a source: all of a test file, the bottom of another.
fn test_code(file: &File) -> String {
    if tree::is_test(&file.path) {
        return tree::code(&file.text);
    }
    file.text.find("\n#[cfg(test)]\nmod tests").map(|at| tree::code(&file.text[at..])).unwrap_or_default()
}

/// Files whose name says nothing about what is in them.
fn poor_name(path: &str) -> Faults {
    let parts = path.trim_end_matches(".rs").split(['/', '_']);
    parts
        .filter(|part| POOR_NAMES.contains(part))
        .map(|part| format!("{path}: \"{part}\" names nothing; name the type or act that is in it"))
        .collect()
}

/// Rooms that do not open with their page.
fn page(path: &str, text: &str) -> Faults {
    let opens_a_room = path.ends_with("/lib.rs") || path.ends_with("/mod.rs") || path == "src/main.rs";
    if opens_a_room && !text.starts_with("//! ") {
        return vec![format!("{path}: does not begin with its page (//!)")];
    }
    Faults::new()
}

/// Paths and places of one machine.
fn machine(path: &str, text: &str) -> Faults {
    let places = [
        concat!("/wo", "rk/"),
        concat!("/tm", "p/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("../sha", "red"),
    ];
    places
        .iter()
        .filter(|place| text.contains(*place))
        .map(|place| format!("{path}: names {place}, which is a place on somebody's machine"))
        .collect()
}

/// A feature that knows another, or a service that knows a feature.
fn features(path: &str, code: &str, all: &[String]) -> Faults {
    let Some(within) = path.strip_prefix("src/engine/") else { return Faults::new() };
    let own = within.strip_prefix("features/").map(|rest| rest.split(['/', '.']).next().unwrap_or(rest));
    if own.is_none() && !within.starts_with("services/") || own == Some("mod") {
        return Faults::new();
    }
    let squeezed: String =
        code.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ::", "::").replace(":: ", "::");
    let mut faults = Faults::new();
    for other in all.iter().filter(|other| Some(other.as_str()) != own) {
        let prefixes = if own.is_some() { &["features::", "super::"][..] } else { &["features::"][..] };
        for prefix in prefixes {
            let direct = tree::names(&squeezed, &format!("{prefix}{other}"));
            let grouped = squeezed.match_indices(&format!("{prefix}{{")).any(|(at, _)| {
                let group = squeezed[at..].split(';').next().unwrap_or_default();
                tree::names(group, other)
            });
            if direct || grouped {
                faults.push(format!("{path}: knows {other}; let engine.rs route between features"));
            }
        }
    }
    faults.dedup();
    faults
}

fn feature_names() -> Vec<String> {
    let mut names: Vec<String> = tree::rust()
        .iter()
        .filter_map(|file| {
            let rest = file.path.strip_prefix("src/engine/features/")?;
            rest.split(['/', '.']).next().filter(|name| *name != "mod").map(str::to_owned)
        })
        .collect();
    names.dedup();
    names
}

#[test]
fn the_pure_floors_name_nothing_impure() {
    let pure = ["wire", "rpc", "crypto", "ledger", "engine", "sim"];
    let mut faults = Faults::new();
    for file in tree::rust() {
        if tree::room(&file.path).is_some_and(|room| pure.contains(&room)) {
            faults.extend(tree::shipped(&file).map(|code| impure(&file.path, &code)).unwrap_or_default());
        }
    }
    none(faults);
    for bad in
        ["use std::time::Instant;", "std::fs::read(p)", "let m: HashMap<u8, u8>;", "async fn f() {}", "tokio::spawn(f)"]
    {
        some(impure("x.rs", bad));
    }
    none(impure("x.rs", &tree::code("let instant = 1; // std::fs\n")));
}

#[test]
fn every_channel_has_a_bound() {
    let mut faults = Faults::new();
    for file in tree::rust() {
        if file.path.starts_with("src/") {
            faults.extend(tree::shipped(&file).map(|code| unbounded(&file.path, &code)).unwrap_or_default());
        }
    }
    none(faults);
    some(unbounded("x.rs", "let (tx, rx) = mpsc::unbounded_channel();"));
    some(unbounded("x.rs", "let (tx, rx) = std::sync::mpsc::channel();"));
    some(unbounded("x.rs", "let (tx, rx) = mpsc::channel::<Vec<u8>>();"));
    none(unbounded("x.rs", "let (tx, rx) = mpsc::channel(64);"));
    none(unbounded("x.rs", "let (tx, rx) = mpsc::channel::<Vec<u8>>(64);"));
    none(unbounded("x.rs", "let (tx, rx) = oneshot::channel();"));
}

#[test]
fn no_test_is_ignored_or_sleeps() {
    none(tree::rust().iter().flat_map(|file| sleeping_tests(&file.path, &test_code(file))).collect());
    some(sleeping_tests("x.rs", "#[test]\n#[ignore]\nfn f() {}"));
    some(sleeping_tests("x.rs", "#[ignore = \"slow\"]"));
    some(sleeping_tests("x.rs", "#[cfg_attr(not(unix), ignore)]"));
    some(sleeping_tests("x.rs", "std::thread::sleep(SECOND);"));
    some(sleeping_tests("x.rs", "tokio::time::sleep(SECOND).await;"));
    for (path, reason) in MAY_SLEEP {
        assert!(reason.len() > 20, "{path}: why?");
        assert!(!sleeping_tests("x.rs", &tree::code(&tree::read(path))).is_empty(), "{path} needs no excuse any more");
    }
}

#[test]
fn a19_no_secret_is_compared_by_an_operator_that_stops_early() {
    let mut faults = Faults::new();
    for file in tree::rust() {
        if file.path.starts_with("src/") {
            faults.extend(tree::shipped(&file).map(|code| telling_comparisons(&file.path, &code)).unwrap_or_default());
            faults.extend(tree::shipped(&file).map(|code| derived_comparisons(&file.path, &code)).unwrap_or_default());
        }
    }
    none(faults);
    for bad in ["if self.mac == other", "if given != &self.token {", "bearer_token == expected", "a != *invite.secret"]
    {
        some(telling_comparisons("x.rs", bad));
    }
    none(telling_comparisons("x.rs", "if tag_length == 16 && macro_count != 2 {"));
    some(derived_comparisons("x.rs", "#[derive(Clone, PartialEq)]\npub struct Key(Zeroizing<Vec<u8>>);"));
    none(derived_comparisons("x.rs", "#[derive(Clone)]\nstruct Key(Zeroizing<Vec<u8>>);\nfn f() {}"));
    none(derived_comparisons("x.rs", "#[derive(PartialEq)]\nstruct Plain { a: u8 }\nstruct Key(Zeroizing<Vec<u8>>);"));
}

#[test]
fn every_skipped_test_is_counted() {
    none(tree::rust().iter().flat_map(|file| uncounted_skips(&file.path, &file.text)).collect());
    some(uncounted_skips("x.rs", concat!("println!(\"skip", "ped: no luck\");")));
    none(uncounted_skips("x.rs", "skip(\"a test\", \"no luck\");"));
}

#[test]
fn every_file_name_says_what_is_in_it() {
    none(tree::rust().iter().flat_map(|file| poor_name(&file.path)).collect());
    some(poor_name("src/engine/util.rs"));
    some(poor_name("tests/common/mod.rs"));
    some(poor_name("src/net/peer_manager.rs"));
    none(poor_name("src/net/peer.rs"));
}

#[test]
fn every_room_opens_with_its_page() {
    none(tree::rust().iter().flat_map(|file| page(&file.path, &file.text)).collect());
    some(page("src/wire/lib.rs", "pub mod x;\n"));
    some(page("src/wire/content/mod.rs", "\n//! late\n"));
    none(page("src/wire/ids.rs", "use std::fmt;\n"));
}

#[test]
fn no_file_names_a_place_on_a_machine() {
    none(tree::files().iter().flat_map(|file| machine(&file.path, &file.text)).collect());
    some(machine("x.rs", concat!("let path = \"/tm", "p/x\";")));
}

#[test]
fn no_feature_knows_another() {
    let names = feature_names();
    let mut faults = Faults::new();
    for file in tree::rust() {
        faults.extend(tree::shipped(&file).map(|code| features(&file.path, &code, &names)).unwrap_or_default());
    }
    none(faults);
    let two = ["calls".to_owned(), "wallet".to_owned()];
    for bad in [
        "use crate::features::wallet;",
        "use crate::features::{wallet::Card, x};",
        "use super::wallet::Card;",
        "use super::{wallet, x};",
        "use super::super::wallet;",
    ] {
        some(features("src/engine/features/calls.rs", bad, &two));
    }
    some(features("src/engine/services/outbox.rs", "use crate::features::wallet;", &two));
    none(features("src/engine/features/wallet/card.rs", "use super::wallet::Card; use crate::services::outbox;", &two));
    none(features("src/engine/engine.rs", "use crate::features::{calls, wallet};", &two));
}

#[test]
fn the_program_begins_with_a_table_of_contents() {
    let lines = tree::read("src/main.rs").lines().count();
    assert!(lines <= 150, "src/main.rs has {lines} lines; it only says what runs what");
}
