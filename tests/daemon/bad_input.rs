//! What is typed wrongly gets a clear error with what to do next, and loses nothing.

use crate::home::{Home, binary, friends, start};

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
    let (code, exit) = anna.error(&["send", "Ben", "hello"]);
    assert_eq!((code.as_str(), exit), ("ambiguous_contact", 1));
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
    std::fs::write(file.path(), "correct horse\n").unwrap();
    let right = file.path().to_str().unwrap();
    home.json(&["--passphrase-file", right, "init", "--name", "Anna"]);
    let other = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(other.path(), "battery staple\n").unwrap();
    let wrong = other.path().to_str().unwrap();
    assert_eq!(home.error(&["--passphrase-file", wrong, "status"]), ("wrong_passphrase".to_owned(), 1));
    assert_eq!(home.json(&["--passphrase-file", right, "status"])[0]["name"], "Anna");
}

#[test]
fn a_directory_that_is_no_profile_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("letter.txt"), "dear Ben").unwrap();
    let output = binary().arg("--data").arg(place.path()).args(["--json", "history", "Ben"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(std::fs::read_to_string(place.path().join("letter.txt")).unwrap(), "dear Ben");
}

#[test]
fn g06_the_process_leaves_no_core_and_cannot_be_looked_into() {
    let home = Home::new("Anna");
    let running = start(&home.dir, &["--listen", "/ip4/127.0.0.1/tcp/0"]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.child.id()));
    match limits {
        Ok(limits) => {
            let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
            assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
        }
        Err(error) => crate::skip::skip("g06_the_process_leaves_no_core", &format!("no /proc here: {error}")),
    }
}
