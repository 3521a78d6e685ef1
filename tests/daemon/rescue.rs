//! A damaged profile, from the first error to a node that shows what could be saved.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::copy::copy_dir;
use crate::home::{Home, Running, friends, lines, wait_for};

/// Lines that each of two people says.
const LINES: usize = 40;

/// Two people who have said a good deal, and what each line was.
fn talked() -> ((Home, Running), (Home, Running), BTreeSet<String>) {
    let ((anna, anna_runs), (ben, ben_runs)) = friends();
    let mut said = BTreeSet::new();
    for number in 0..LINES {
        for (home, other) in [(&anna, "Ben"), (&ben, "Anna")] {
            let text = format!("line {number} to {other}, {}", "and so on ".repeat(number % 7));
            home.json(&["send", other, &text]);
            said.insert(text);
        }
    }
    let all = |home: &Home, with: &str| shown(home, with).len() == 2 * LINES;
    wait_for(&anna, "all lines", |home| all(home, "Ben"));
    wait_for(&ben, "all lines", |home| all(home, "Anna"));
    ((anna, anna_runs), (ben, ben_runs), said)
}

fn shown(home: &Home, with: &str) -> Vec<String> {
    let text = |line: &Value| line["text"].as_str().unwrap().to_owned();
    home.json(&["history", with, "--last", "1000"]).iter().map(text).collect()
}

fn database(home: &Home) -> PathBuf {
    home.dir.join("store/rows/db")
}

/// Flips a bit at as many places of a file as told, the same each time.
fn flip(path: &Path, places: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let mut state: u64 = 0x7e5c_0e01;
    for _ in 0..places {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (place, mut byte) = ((state >> 16) % length, [0]);
        file.read_exact_at(&mut byte, place).unwrap();
        file.write_all_at(&[byte[0] ^ 1 << (state % 8)], place).unwrap();
    }
}

/// Rescues into a new home, and what was counted.
fn rescued(home: &Home, more: &[&str]) -> (Home, Value) {
    let new = Home::empty();
    let report = home.json(&[&["rescue", new.dir.to_str().unwrap()], more].concat()).remove(0);
    let count = |field: &str| report[field].as_u64().unwrap_or_else(|| panic!("{report}"));
    assert!(count("listed") + count("raw") > 0 && report.get("damaged").is_some(), "{report}");
    (new, report)
}

#[test]
fn g03_what_can_be_read_of_a_damaged_profile_is_saved_and_its_node_runs_and_talks_on() {
    let ((anna, anna_runs), (ben, ben_runs), said) = talked();
    anna_runs.interrupt();
    flip(&database(&anna), 300);
    // Where the damage lies differs from run to run: the profile is refused, or shows what it can.
    let output = anna.run(&["history", "Ben", "--last", "1000"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() {
        assert!(shown(&anna, "Ben").iter().all(|text| said.contains(text)));
    } else {
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("error: the ") && told.contains("kinfolk rescue NEWDIR"), "{told}");
        assert_eq!(anna.error(&["run", "--no-mdns"]), ("store_damaged".to_owned(), 1));
    }

    let before = fs::read(database(&anna)).unwrap();
    let (new, report) = rescued(&anna, &["--accept-loss"]);
    assert!(fs::read(database(&anna)).unwrap() == before, "the rescue changed the damaged file");
    let _runs = new.start(0);
    let saved = shown(&new, "Ben");
    println!("{report}, {} of {} lines", saved.len(), said.len());
    assert!(saved.iter().all(|text| said.contains(text)), "a line that nobody said: {saved:?}");
    assert_eq!(saved.iter().collect::<BTreeSet<_>>().len(), saved.len(), "a line is shown twice");
    assert!(saved.len() * 10 >= said.len() * 7, "{} of {} lines", saved.len(), said.len());
    drop(ben_runs);
    drop(ben);
}

#[test]
fn g03_an_older_database_is_refused_and_saved_only_where_the_loss_is_accepted() {
    let ((anna, anna_runs), (ben, _ben_runs), said) = talked();
    anna_runs.interrupt();
    let (rows, copy) = (anna.dir.join("store/rows"), anna.dir.join("copy"));
    copy_dir(&rows, &copy);
    let anna_runs = anna.start(0);
    anna.json(&["send", "Ben", "after the copy", "--wait", "delivered", "--timeout", "60s"]);
    anna_runs.interrupt();
    fs::remove_dir_all(&rows).unwrap();
    fs::rename(&copy, &rows).unwrap();
    assert_eq!(anna.error(&["run", "--no-mdns"]), ("store_damaged".to_owned(), 1));

    let new = Home::empty();
    let to = new.dir.to_str().unwrap();
    assert_eq!(anna.error(&["rescue", to]), ("commits_lost".to_owned(), 1));
    assert!(!new.dir.exists());
    let (new, report) = rescued(&anna, &["--accept-loss", "--store", "redb"]);
    assert_eq!((report["damaged"].as_u64(), report["listed"].as_u64()), (Some(0), report["expected"].as_u64()));
    assert!(new.dir.join("store/rows/redb").exists());
    let _runs = new.start(0);
    assert_eq!(shown(&new, "Ben").into_iter().collect::<BTreeSet<_>>(), said);
    // Both had gone on since: what is said now comes through all the same, on a session begun anew.
    new.json(&["send", "Ben", "from the rescued", "--wait", "delivered", "--timeout", "120s"]);
    ben.json(&["send", "Anna", "to the rescued", "--wait", "delivered", "--timeout", "120s"]);
    assert!(shown(&ben, "Anna").contains(&"from the rescued".to_owned()));
    assert!(shown(&new, "Ben").contains(&"to the rescued".to_owned()));
}

#[test]
fn a_rescue_that_cannot_be_made_says_why_and_leaves_everything() {
    let anna = Home::new("Anna");
    let new = Home::empty();
    let to = new.dir.to_str().unwrap();
    let running = anna.start(0);
    assert_eq!(anna.error(&["rescue", to]), ("already_running".to_owned(), 1));
    running.interrupt();
    assert_eq!(new.error(&["rescue", to]), ("no_profile".to_owned(), 1));
    assert_eq!(anna.error(&["rescue"]).1, 2);
    assert_eq!(anna.error(&["rescue", to, "--store", "punched-cards"]).1, 2);
    assert_eq!(anna.error(&["rescue", anna.dir.join("new").to_str().unwrap()]), ("not_empty".to_owned(), 1));
    assert!(!new.dir.exists());
    fs::create_dir_all(&new.dir).unwrap();
    fs::write(new.dir.join("letter.txt"), "dear Ben").unwrap();
    assert_eq!(anna.error(&["rescue", to]), ("not_empty".to_owned(), 1));
    assert_eq!(fs::read_dir(&new.dir).unwrap().count(), 1);
    fs::remove_file(new.dir.join("letter.txt")).unwrap();
    let output = anna.run(&["rescue", to]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && told.starts_with("Saved "), "{told}");
    assert!(told.contains(&format!("kinfolk --data {to} run")), "{told}");
    assert_eq!(lines(&new.run(&["--json", "status"]).stdout)[0]["name"], "Anna");
}

#[test]
fn g04_a_rescue_needs_the_passphrase_and_the_new_profile_has_it() {
    let (home, new) = (Home::empty(), Home::empty());
    let file = |text: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        (file, path)
    };
    let ((_right, right), (_wrong, wrong)) = (file("correct horse\n"), file("battery staple\n"));
    home.json(&["--passphrase-file", &right, "init", "--name", "Anna"]);
    let to = new.dir.to_str().unwrap();
    assert_eq!(home.error(&["--passphrase-file", &wrong, "rescue", to]), ("wrong_passphrase".to_owned(), 1));
    assert!(!new.dir.exists());
    home.json(&["--passphrase-file", &right, "rescue", to]);
    assert_eq!(new.error(&["--passphrase-file", &wrong, "status"]).0, "wrong_passphrase");
    assert_eq!(new.json(&["--passphrase-file", &right, "status"])[0]["name"], "Anna");
}
