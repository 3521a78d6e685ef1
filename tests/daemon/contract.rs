//! Command lines, JSON fields and exit codes that scripts rely on.

use crate::home::{Home, friends, start, wait_for};

#[test]
fn init_tells_who_one_is_and_the_words_once() {
    let home = Home::empty();
    let made = &home.json(&["init", "--name", "Anna"])[0];
    assert_eq!(made["identity"].as_str().unwrap().len(), 64);
    assert_eq!(made["device"].as_str().unwrap().len(), 32);
    assert_eq!(made["name"], "Anna");
    assert_eq!(made["recovery_phrase"].as_array().unwrap().len(), 24);
    let status = &home.json(&["status"])[0];
    assert_eq!(status["identity"], made["identity"]);
    for field in ["addresses", "reachability", "peers", "contacts", "outbox", "mailboxes", "storage_bytes"] {
        assert!(!status[field].is_null(), "{field}");
    }
    assert_eq!(home.error(&["init"]), ("profile_exists".to_owned(), 1));
}

#[test]
fn the_recovery_phrase_alone_names_the_identity() {
    let (first, second) = (Home::empty(), Home::empty());
    let made = &first.json(&["init"])[0];
    let words: Vec<&str> =
        made["recovery_phrase"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), words.join(" ")).unwrap();
    let again = &second.json(&["init", "--restore-phrase", file.path().to_str().unwrap()])[0];
    assert_eq!(again["identity"], made["identity"]);
    assert_ne!(again["device"], made["device"]);
}

#[test]
fn run_on_an_empty_profile_makes_one_and_is_ready() {
    let home = Home::empty();
    let node = start(&home.dir, &["--listen", "/ip4/127.0.0.1/tcp/0"]);
    assert_eq!(node.ready["event"], "ready");
    assert!(node.ready["api"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(node.ready["addresses"][0].as_str().unwrap().starts_with("/ip4/127.0.0.1/tcp/"));
    assert_eq!(home.json(&["status"])[0]["identity"], node.ready["identity"]);
    node.interrupt();
    assert!(!home.dir.join("door.json").exists(), "the door stays behind");
}

#[test]
fn two_people_talk() {
    let ((anna, anna_runs), (ben, ben_runs)) = friends();
    let sent = &anna.json(&["send", "Ben", "Good morning", "--wait", "delivered", "--timeout", "20s"])[0];
    assert_eq!(sent["state"], "delivered");
    anna.json(&["send", "Ben", "--sticker", "kin/hello", "--wait", "delivered"]);
    ben.json(&["send", "Anna", "--location", "47.3769,8.5417,12.5", "--wait", "delivered"]);
    let (here, there) = (anna.json(&["history", "Ben"]), ben.json(&["history", "Anna"]));
    assert_eq!(here.len(), 3);
    for (line, other) in here.iter().zip(&there) {
        assert_eq!(line["message"], other["message"]);
        assert_eq!(line["from"]["identity"], other["from"]["identity"]);
        assert_eq!(line["chat"], other["chat"]);
    }
    assert_eq!(there[0]["text"], "Good morning");
    assert_eq!(there[0]["state"], "received");
    assert_eq!(there[1]["sticker"], "kin/hello");
    assert_eq!(here[2]["location"]["geo"], "geo:47.3769,8.5417;u=12.5");
    assert_eq!(here[2]["location"]["accuracy_m"], 12.5);
    let (ours, theirs) = (&anna.json(&["verify", "Ben"])[0], &ben.json(&["verify", "Anna"])[0]);
    assert_eq!(ours["safety_number"], theirs["safety_number"]);
    assert_eq!(ours["verified"], false);
    assert_eq!(anna.json(&["verify", "Ben", "--mark"])[0]["verified"], true);
    // Both stop; what was said is read without a node.
    anna_runs.interrupt();
    ben_runs.interrupt();
    assert_eq!(ben.json(&["history", "Anna", "--last", "1"])[0]["location"], here[2]["location"]);
}

#[test]
fn what_is_said_to_somebody_away_arrives_when_they_are_back() {
    let ((anna, _anna_runs), (ben, ben_runs)) = friends();
    let port = ben_runs.port();
    ben_runs.kill();
    assert_eq!(anna.json(&["send", "Ben", "Are you there?"])[0]["state"], "queued");
    let _ben_runs = ben.start(port);
    wait_for(&ben, "the message", |home| !home.json(&["history", "Anna"]).is_empty());
    assert_eq!(ben.json(&["history", "Anna"])[0]["text"], "Are you there?");
}

#[test]
fn a_blocked_contact_is_not_heard_and_one_unblocked_is() {
    let ((anna, _anna_runs), (ben, _ben_runs)) = friends();
    anna.json(&["block", "Ben"]);
    assert_eq!(anna.error(&["send", "Ben", "hello"]), ("blocked".to_owned(), 1));
    let sent = &ben.json(&["send", "Anna", "Hello?"])[0];
    assert_eq!(sent["state"], "queued");
    assert!(anna.json(&["history", "Ben"]).is_empty());
    anna.json(&["unblock", "Ben"]);
    wait_for(&anna, "the message", |home| !home.json(&["history", "Ben"]).is_empty());
}
