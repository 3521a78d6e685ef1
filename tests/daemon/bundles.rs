//! Bundles between real processes: two who are never there together, a stick between them, and everything that can be
//! wrong with what is on it.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::home::{Home, befriend, binary, lines, wait_for};
use crate::skip::skip;
use crate::small_disk::{fill_up, on_small_disk, place};

/// Two contacts whose nodes have stopped, and a place for files.
fn apart() -> (Home, Home, tempfile::TempDir) {
    let (anna, ben) = (Home::new("Anna"), Home::new("Ben"));
    let (anna_runs, ben_runs) = (anna.start(0), ben.start(0));
    befriend(&anna, &ben);
    anna_runs.interrupt();
    ben_runs.interrupt();
    (anna, ben, tempfile::tempdir().unwrap())
}

/// Says something while nobody else is there.
fn say(home: &Home, to: &str, words: &[&str]) {
    let runs = home.start(0);
    for word in words {
        assert_eq!(home.json(&["send", to, word])[0]["state"], "queued");
    }
    runs.interrupt();
}

/// The receipts of what was imported are put into the outbox when the node is next there.
fn be_there(home: &Home) {
    let runs = home.start(0);
    wait_for(home, "receipts", |home| home.json(&["status"])[0]["outbox"] != 0);
    runs.interrupt();
}

fn texts(home: &Home, chat: &str) -> Vec<(String, String)> {
    let text = |line: &Value| (line["text"].as_str().unwrap().to_owned(), line["state"].as_str().unwrap().to_owned());
    home.json(&["history", chat]).iter().map(text).collect()
}

fn heard(home: &Home, chat: &str) -> Vec<String> {
    texts(home, chat).into_iter().map(|(text, _)| text).collect()
}

fn named(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The same command with something on its standard input.
fn import_lines(home: &Home, input: &str) -> std::process::Output {
    let mut command = binary();
    command.arg("--data").arg(&home.dir).args(["--json", "bundle", "import", "-"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn two_who_are_never_there_together_talk_by_files_and_learn_that_it_arrived() {
    let (anna, ben, sticks) = apart();
    say(&anna, "Ben", &["one", "two"]);
    let file = sticks.path().join("for-ben.bundle");
    let exported = &anna.json(&["bundle", "export", "Ben", named(&file)])[0];
    assert_eq!((&exported["file"], &exported["carried"]), (&named(&file).into(), &0.into()), "{exported}");
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(exported["bytes"], bytes.len());
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(sticks.path()).unwrap().count(), 1, "no draft is left");
    let line = &anna.json(&["history", "Ben"])[0];
    assert_eq!(line["state"], "sent");
    assert_eq!(line["custody"][0]["peer"], kinfolk::rpc::mailbox::BY_HAND);
    let people = anna.run(&["history", "Ben"]);
    assert!(String::from_utf8_lossy(&people.stdout).contains("(sent, carried by hand)"), "{people:?}");
    // Nothing of it can be read by whoever finds it.
    assert!(!bytes.windows(3).any(|three| three == b"one" || three == b"Ben"));
    let imported = &ben.json(&["bundle", "import", named(&file)])[0];
    assert_eq!(imported["taken"], exported["messages"], "{imported}");
    assert_eq!((&imported["known"], &imported["carried"], &imported["damaged"]), (&0.into(), &0.into(), &0.into()));
    assert_eq!(heard(&ben, "Anna"), ["one", "two"]);
    let again = &ben.json(&["bundle", "import", named(&file)])[0];
    assert_eq!((&again["taken"], &again["known"]), (&0.into(), &exported["messages"]));
    assert_eq!(heard(&ben, "Anna"), ["one", "two"]);
    be_there(&ben);
    let back = sticks.path().join("for-anna.bundle");
    ben.json(&["bundle", "export", "--all", named(&back)]);
    anna.json(&["bundle", "import", named(&back)]);
    let delivered = |word: &str| (word.to_owned(), "delivered".to_owned());
    assert_eq!(texts(&anna, "Ben"), [delivered("one"), delivered("two")]);
}

#[test]
fn a_bundle_travels_on_with_somebody_who_knows_neither() {
    let (anna, ben, sticks) = apart();
    let cora = Home::new("Cora");
    say(&anna, "Ben", &["over two hands"]);
    let (first, second) = (sticks.path().join("first"), sticks.path().join("second"));
    let messages = anna.json(&["bundle", "export", "--all", named(&first)])[0]["messages"].clone();
    let (code, _) = cora.error(&["bundle", "export", "--carry", named(&second)]);
    assert_eq!(code, "nothing_to_export");
    let imported = &cora.json(&["bundle", "import", named(&first)])[0];
    assert_eq!((&imported["taken"], &imported["carried"]), (&0.into(), &messages));
    let people = cora.run(&["bundle", "import", named(&first)]);
    assert!(String::from_utf8_lossy(&people.stdout).contains("had come before"), "{people:?}");
    let exported = &cora.json(&["bundle", "export", "--carry", named(&second)])[0];
    assert_eq!((&exported["messages"], &exported["carried"]), (&0.into(), &messages));
    ben.json(&["bundle", "import", named(&second)]);
    assert_eq!(heard(&ben, "Anna"), ["over two hands"]);
}

#[test]
fn a_short_text_goes_by_qr_codes_and_by_lines_in_any_order() {
    let (anna, ben, _place) = apart();
    say(&anna, "Ben", &["first", "meet me at noon"]);
    let people = anna.run(&["bundle", "export", "Ben", "--qr"]);
    let shown = String::from_utf8(people.stdout).unwrap();
    assert!(shown.contains('█') && shown.contains("1 of "), "{shown}");
    let told = &anna.json(&["bundle", "export", "Ben", "--qr"])[0];
    let mut codes: Vec<String> =
        told["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect();
    assert!(codes.iter().all(|line| shown.contains(line.as_str())), "the same as the pictures say");
    assert_eq!(told["messages"], 1);
    codes.reverse();
    let missing = import_lines(&ben, &codes[1..].join("\n"));
    let error = &lines(&missing.stderr)[0]["error"];
    assert_eq!((error["code"].as_str(), missing.status.code()), (Some("bundle_lines_missing"), Some(1)), "{error}");
    let output = import_lines(&ben, &codes.join("\n"));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(lines(&output.stdout)[0]["taken"], 1);
    assert_eq!(heard(&ben, "Anna"), ["meet me at noon"]);
    let states: Vec<String> = texts(&anna, "Ben").into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["queued", "sent"]);
}

#[test]
fn g04_what_is_wrong_with_a_bundle_is_told_and_the_rest_is_saved() {
    let (anna, ben, sticks) = apart();
    say(&anna, "Ben", &["one", "two", "three"]);
    let file = sticks.path().join("stick");
    let all = anna.json(&["bundle", "export", "Ben", named(&file)])[0]["messages"].as_u64().unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let other = sticks.path().join("other");
    let import = |bytes: &[u8]| {
        std::fs::write(&other, bytes).unwrap();
        ben.refusal(&["bundle", "import", named(&other)])
    };
    for (bytes, code, words) in [
        (&b"a letter to the editor"[..], "not_a_bundle", "not a bundle"),
        (b"", "not_a_bundle", "not a bundle"),
        (b"\x89kinfolk bundle\x02\xfd and what follows", "newer_bundle", "version 2"),
        (&bytes[..40], "damaged_bundle", "damaged as a whole"),
    ] {
        let (found, message, exit) = import(bytes);
        assert_eq!((found.as_str(), exit), (code, 1), "{message}");
        assert!(message.contains(words), "{message}");
    }
    let (code, message, _) = ben.refusal(&["bundle", "import", "no-such-file"]);
    assert!(code == "bundle_file" && message.contains("no-such-file"), "{message}");
    assert!(heard(&ben, "Anna").is_empty());
    // Damaged in the middle: the others are taken, and it is told what is lost.
    let mut altered = bytes.clone();
    let middle = bytes.len() - 300;
    altered[middle] ^= 1;
    std::fs::write(&other, &altered).unwrap();
    let output = ben.run(&["--json", "bundle", "import", named(&other)]);
    assert!(output.status.success(), "{output:?}");
    let imported = &lines(&output.stdout)[0];
    assert_eq!((&imported["taken"], &imported["damaged"]), (&(all - 1).into(), &1.into()), "{imported}");
    let (from, until) = (&imported["damage"][0]["from"], &imported["damage"][0]["until"]);
    assert!(from.as_u64().unwrap() <= middle as u64 && (middle as u64) < until.as_u64().unwrap(), "{imported}");
    let warning = &lines(&output.stderr)[0]["warning"];
    assert_eq!(warning["code"], "damaged_bundle");
    assert_eq!(heard(&ben, "Anna"), ["one", "two"]);
    // Cut: known from one that is whole.
    std::fs::write(&other, &bytes[..bytes.len() - 5]).unwrap();
    let cut = &ben.json(&["bundle", "import", named(&other)])[0];
    assert!(cut["damage"][0]["from"].as_u64().is_some(), "{cut}");
    assert_eq!((&cut["taken"], &cut["known"]), (&1.into(), &(all - 1).into()), "{cut}");
    let whole = &ben.json(&["bundle", "import", named(&file)])[0];
    assert_eq!((&whole["known"], &whole["damaged"]), (&all.into(), &0.into()));
    assert_eq!(heard(&ben, "Anna"), ["one", "two", "three"]);
}

#[test]
fn what_cannot_be_exported_is_told_and_nothing_counts_as_on_its_way() {
    let (anna, _ben, sticks) = apart();
    let file = sticks.path().join("stick");
    let error = |arguments: &[&str]| anna.error(&[&["bundle", "export"], arguments].concat());
    let refused = |code: &str| (code.to_owned(), 1);
    let drained = anna.run(&["--json", "bundle", "export", "Ben", named(&file)]);
    if drained.status.success() {
        // What the two had still to tell each other of addresses was in it.
        std::fs::remove_file(&file).unwrap();
    }
    assert_eq!(error(&["Ben", "--qr"]), refused("nothing_to_export"));
    assert_eq!(error(&["--carry", named(&file)]), refused("nothing_to_export"));
    assert_eq!(error(&["Zoe", named(&file)]), refused("unknown_contact"));
    assert!(!file.exists(), "a refusal leaves no file");
    say(&anna, "Ben", &["one"]);
    std::fs::write(&file, "something dear").unwrap();
    assert_eq!(error(&["Ben", named(&file)]), refused("file_exists"));
    assert_eq!(std::fs::read(&file).unwrap(), b"something dear");
    assert_eq!(error(&["Ben", "/no/such/place/stick"]), refused("bundle_file"));
    assert_eq!(error(&["Ben"]).1, 2);
    assert_eq!(error(&["Ben", "--all", named(&file)]).1, 2);
    assert_eq!(texts(&anna, "Ben")[0].1, "queued");
    anna.json(&["bundle", "export", "Ben", named(&file), "--force"]);
    assert_eq!(texts(&anna, "Ben")[0].1, "sent");
    assert!(std::fs::read(&file).unwrap().starts_with(b"\x89kinfolk bundle"));
    assert_eq!(std::fs::read_dir(sticks.path()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn a_stick_without_room_keeps_the_line_queued() {
    const TEST: &str = "bundles::a_stick_without_room_keeps_the_line_queued";
    let Some(stick) = place() else {
        return on_small_disk(TEST, "size=1m").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    let (anna, _ben, _place) = apart();
    say(&anna, "Ben", &["one"]);
    fill_up(&stick);
    let file = stick.join("for-ben");
    let (code, message, exit) = anna.refusal(&["bundle", "export", "Ben", named(&file)]);
    assert_eq!((code.as_str(), exit), ("no_space", 1), "{message}");
    assert_eq!(std::fs::read_dir(&stick).unwrap().count(), 1, "no draft is left");
    assert_eq!(texts(&anna, "Ben")[0].1, "queued");
}
