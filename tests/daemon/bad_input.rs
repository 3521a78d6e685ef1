//! What is typed wrongly gets a clear error with what to do next, and loses nothing.

use std::fs;
use std::path::Path;

use crate::copy::copy_dir;
use crate::home::{Home, binary, friends, lines, start, wait_for};

#[test]
fn commands_without_a_node_or_a_profile_say_so_with_3() {
    let home = Home::empty();
    assert_eq!(home.error(&["contacts"]), ("no_profile".to_owned(), 3));
    let home = Home::new("Anna");
    assert_eq!(home.error(&["send", "Ben", "hello"]), ("no_node".to_owned(), 3));
    let said = home.run(&["send", "Ben", "hello"]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("kinfolk run"), "no word on what to do");
}

#[test]
fn wrong_usage_ends_with_2() {
    let home = Home::new("Anna");
    for arguments in
        [&["no-such-command"][..], &["send"], &["invite", "--expires", "soon"], &["history", "Ben", "--last", "x"]]
    {
        assert_eq!(home.error(arguments).1, 2, "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_sent_is_named() {
    let ((anna, _anna_runs), (ben, _ben_runs)) = friends();
    let long = "x".repeat(32_769);
    for (arguments, code) in [
        (&["send", "Nobody", "hello"][..], "unknown_contact"),
        (&["send", "Ben", ""], "invalid_text"),
        (&["send", "Ben", &long], "invalid_text"),
        (&["send", "Ben", "--location", "91,0"], "invalid_location"),
        (&["send", "Ben", "--sticker", "kin/no-such"], "unknown_sticker"),
        (&["history", "Nobody"], "unknown_contact"),
        (&["add", "kinfolk:AAAA"], "invalid_link"),
        (&["add", "https://example.org/"], "invalid_link"),
    ] {
        let (found, exit) = anna.error(arguments);
        assert_eq!((found.as_str(), exit), (code, 1), "{:?}", &arguments[..2]);
    }
    let said = anna.run(&["send", "Ben", &long]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("32768"), "the limit is not named");
    assert!(anna.json(&["history", "Ben"]).is_empty());
    assert!(ben.json(&["history", "Anna"]).is_empty());
}

#[test]
fn b05_a_link_that_was_used_or_has_expired_or_is_ones_own_is_refused() {
    let ((anna, _anna_runs), (_ben, _ben_runs)) = friends();
    let own = anna.json(&["invite"])[0]["link"].as_str().unwrap().to_owned();
    assert_eq!(anna.error(&["add", &own]).0, "own_invite");
    let short = anna.json(&["invite", "--expires", "1s"])[0]["link"].as_str().unwrap().to_owned();
    let carol = Home::new("Carol");
    let _carol_runs = carol.start(0);
    crate::home::wait_for_expiry();
    assert_eq!(carol.error(&["add", &short]), ("invite_expired".to_owned(), 1));
    // One that somebody has used already: only the node that made it knows.
    let once = anna.json(&["invite", "--once"])[0]["link"].as_str().unwrap().to_owned();
    let states = |home: &Home| home.json(&["contacts"]).iter().map(|one| one["state"].to_string()).collect::<Vec<_>>();
    let dan = Home::new("Dan");
    let _dan_runs = dan.start(0);
    dan.json(&["add", &once]);
    wait_for(&dan, "the yes", |dan| states(dan) == ["\"accepted\""]);
    carol.json(&["add", &once]);
    wait_for(&carol, "the no", |carol| states(carol) == ["\"declined\""]);
    assert!(anna.json(&["contacts"]).iter().all(|contact| contact["name"] != "Carol"));
}

#[test]
fn a_name_two_contacts_share_lists_both() {
    let anna = Home::new("Anna");
    let _anna_runs = anna.start(0);
    let others = [Home::new("Ben"), Home::new("Ben")];
    let _running: Vec<_> = others.iter().map(|home| home.start(0)).collect();
    for home in &others {
        let link = anna.json(&["invite", "--once"])[0]["link"].as_str().unwrap().to_owned();
        home.json(&["add", &link]);
    }
    crate::home::wait_for(&anna, "both", |home| home.json(&["contacts"]).len() == 2);
    let (code, words, exit) = anna.refusal(&["send", "Ben", "hello"]);
    assert_eq!((code.as_str(), exit), ("ambiguous_contact", 1));
    for contact in anna.json(&["contacts"]) {
        let id = &contact["contact"].as_str().unwrap()[..8];
        assert!(words.contains(id), "{id} is not in: {words}");
    }
}

/// What is wrong with a profile, put right by nothing in this table.
type Wrong = fn(&Path);

#[test]
fn whatever_is_wrong_with_a_profile_or_with_what_run_is_told_has_a_name_and_an_exit() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let place = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = place.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (unknown, no_database) = (file("unknown.toml", "colour = 1\n"), file("store.toml", "store = \"paper\"\n"));
    let (not_toml, words) = (file("not.toml", "= ="), file("words", "one two three"));
    let nowhere = place.path().join("nowhere").to_str().unwrap().to_owned();
    let well: Wrong = |_| {};
    let none: Wrong = |dir| fs::remove_dir_all(dir).unwrap();
    let foreign: Wrong = |dir| fs::write(dir.join("store/format"), "SQLite format 3").unwrap();
    let no_marker: Wrong = |dir| fs::remove_file(dir.join("store/format")).unwrap();
    let newer: Wrong = |dir| {
        let format = fs::read_to_string(dir.join("store/format")).unwrap();
        fs::write(dir.join("store/format"), format.replace("schema 1\n", "schema 999\n")).unwrap();
    };
    let cut: Wrong = |dir| fs::write(dir.join("store/vault"), "short").unwrap();
    let other_key: Wrong = |dir| fs::write(dir.join("store/key"), [7; 32]).unwrap();
    let no_rows: Wrong = |dir| fs::remove_file(dir.join("store/rows/db")).unwrap();
    let letters: Wrong = |dir| {
        fs::remove_dir_all(dir).unwrap();
        fs::create_dir(dir).unwrap();
        fs::write(dir.join("letter.txt"), "dear Ben").unwrap();
    };
    let table: &[(Wrong, &[&str], &str, i32)] = &[
        (foreign, &["run", "--no-mdns"], "foreign_profile", 1),
        (foreign, &["history", "Ben"], "foreign_profile", 1),
        (no_marker, &["run", "--no-mdns"], "foreign_profile", 1),
        (newer, &["run", "--no-mdns"], "newer_profile", 1),
        (newer, &["status"], "newer_profile", 1),
        (cut, &["run", "--no-mdns"], "keys_damaged", 1),
        (other_key, &["run", "--no-mdns"], "keys_damaged", 1),
        (no_rows, &["run", "--no-mdns"], "store_damaged", 1),
        (no_rows, &["status"], "store_damaged", 1),
        (letters, &["init"], "foreign_profile", 1),
        (letters, &["run", "--no-mdns"], "foreign_profile", 1),
        (none, &["init", "--restore-phrase", &words], "invalid_phrase", 1),
        (none, &["init", "--restore-phrase", &nowhere], "phrase_file", 1),
        (none, &["init", "--name", ""], "invalid_name", 1),
        (none, &["init", "--config", &no_database], "config_file", 1),
        (none, &["--passphrase-file", &nowhere, "init"], "passphrase_file", 1),
        (well, &["run", "--no-mdns", "--config", &unknown], "config_file", 1),
        (well, &["run", "--no-mdns", "--config", &not_toml], "config_file", 1),
        (well, &["run", "--no-mdns", "--config", &nowhere], "config_file", 1),
        (well, &["run", "--no-mdns", "--api", &taken], "api", 1),
        (well, &["run", "--no-mdns", "--api", "192.0.2.1:80"], "wrong_usage", 2),
        (well, &["run", "--no-mdns", "--listen", "here"], "invalid_address", 1),
        (well, &["run", "--no-mdns", "--listen", "/ip4/192.0.2.1/tcp/0"], "invalid_address", 1),
        (well, &["invite", "--expires", "400d"], "wrong_usage", 2),
        (well, &["invite"], "no_node", 3),
    ];
    for (number, (wrong, arguments, code, exit)) in table.iter().enumerate() {
        let home = Home::new("Anna");
        wrong(&home.dir);
        let (found, words, ended) = home.refusal(arguments);
        assert_eq!((found.as_str(), ended), (*code, *exit), "{number}: {arguments:?}: {words}");
        // For people the same with a word on what to do.
        let said = home.run(arguments);
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.lines().count() > 1 || said.contains("; "), "{number}: {arguments:?}: {said}");
    }
}

#[test]
fn g04_a_locked_profile_without_a_passphrase_asks_for_one() {
    let home = Home::empty();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "correct horse\n").unwrap();
    home.json(&["--passphrase-file", file.path().to_str().unwrap(), "init"]);
    for arguments in [&["status"][..], &["run", "--no-mdns"], &["history", "Ben"]] {
        assert_eq!(home.error(arguments), ("needs_passphrase".to_owned(), 1), "{arguments:?}");
    }
    let said = home.run(&["status"]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("--passphrase-file"), "no word on what to do");
    assert_eq!(home.error(&["init"]), ("profile_exists".to_owned(), 1));
}

#[test]
fn g03_a_damaged_profile_is_told_of_in_words_and_never_by_a_panic() {
    let home = Home::new("Anna");
    let mut told = 0;
    for way in 0..24 {
        let damaged = Home::empty();
        copy_dir(&home.dir, &damaged.dir);
        let path = damaged.dir.join("store/rows/db");
        let mut bytes = fs::read(&path).unwrap();
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        // A stretch of it is gone, each time another.
        let from = written / 24 * way;
        bytes[from..from + 64].fill(0xa5);
        fs::write(&path, &bytes).unwrap();
        let output = damaged.run(&["--json", "status"]);
        let said = lines(&output.stderr);
        match output.status.code() {
            Some(0) => {}
            Some(1) => {
                assert_eq!((said.len(), said[0]["error"]["code"].as_str()), (1, Some("store_damaged")), "{said:?}");
                told += 1;
            }
            other => panic!("way {way}: {other:?}"),
        }
    }
    assert!(told > 0, "no damage was noticed");
}

#[test]
fn a_second_node_on_one_profile_is_refused() {
    let home = Home::new("Anna");
    let _running = home.start(0);
    assert_eq!(home.error(&["run", "--no-mdns"]), ("already_running".to_owned(), 1));
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port());
    let home = Home::new("Anna");
    assert_eq!(home.error(&["run", "--no-mdns", "--listen", &listen]), ("address_in_use".to_owned(), 1));
}

#[test]
fn g04_a_wrong_passphrase_opens_nothing_and_the_right_one_does() {
    let home = Home::empty();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "correct horse\n").unwrap();
    let right = file.path().to_str().unwrap();
    home.json(&["--passphrase-file", right, "init", "--name", "Anna"]);
    let other = tempfile::NamedTempFile::new().unwrap();
    fs::write(other.path(), "battery staple\n").unwrap();
    let wrong = other.path().to_str().unwrap();
    assert_eq!(home.error(&["--passphrase-file", wrong, "status"]), ("wrong_passphrase".to_owned(), 1));
    assert_eq!(home.json(&["--passphrase-file", right, "status"])[0]["name"], "Anna");
}

#[test]
fn a_directory_that_is_no_profile_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("letter.txt"), "dear Ben").unwrap();
    let output = binary().arg("--data").arg(place.path()).args(["--json", "history", "Ben"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(fs::read_to_string(place.path().join("letter.txt")).unwrap(), "dear Ben");
}

#[test]
fn g06_the_process_leaves_no_core_and_cannot_be_looked_into() {
    let home = Home::new("Anna");
    let running = start(&home.dir, &["--listen", "/ip4/127.0.0.1/tcp/0"]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", running.child.id()));
    match limits {
        Ok(limits) => {
            let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
            assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
        }
        Err(error) => crate::skip::skip("g06_the_process_leaves_no_core", &format!("no /proc here: {error}")),
    }
}
