//! The making of a profile, cut short, on a full disk, with nobody to read the words, on the other database.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use kinfolk::store::{Backend, Options, Unlock};

use crate::home::{Home, binary, lines, start};
use crate::skip::skip;
use crate::small_disk::{fill_up, on_small_disk, place};

/// What a kill leaves between the store's coming into being and the first row in it.
fn half_made(dir: &Path) {
    drop(kinfolk::store::create(dir, Backend::Sled, Unlock::KeyFile, Options::default()).unwrap());
}

#[test]
fn a_profile_whose_making_was_cut_short_is_made_by_the_next_init() {
    let home = Home::empty();
    half_made(&home.dir);
    let made = &home.json(&["init", "--name", "Anna"])[0];
    assert_eq!(made["recovery_phrase"].as_array().unwrap().len(), 24);
    assert_eq!(home.json(&["status"])[0]["identity"], made["identity"]);
    assert_eq!(home.error(&["init"]), ("profile_exists".to_owned(), 1));
}

#[test]
fn a_profile_whose_making_was_cut_short_is_made_by_the_next_run() {
    let home = Home::empty();
    half_made(&home.dir);
    let running = start(&home.dir, &["--listen", "/ip4/127.0.0.1/tcp/0"]);
    assert_eq!(home.json(&["status"])[0]["identity"], running.ready["identity"]);
    running.interrupt();
}

#[test]
fn init_fails_where_the_words_cannot_be_printed() {
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let full = File::options().write(true).open("/dev/full").unwrap();
    for out in [Stdio::from(closed), Stdio::from(full)] {
        let home = Home::empty();
        let output = binary().arg("--data").arg(&home.dir).args(["--json", "init"]).stdout(out).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1));
        let error = &lines(&output.stderr)[0]["error"];
        assert_eq!(error["code"], "words_not_shown", "{error}");
        assert!(error["message"].as_str().unwrap().contains(home.dir.to_str().unwrap()), "{error}");
    }
}

#[test]
fn g02_a_profile_that_is_made_on_a_full_disk_is_made_when_there_is_space() {
    const TEST: &str = "making::g02_a_profile_that_is_made_on_a_full_disk_is_made_when_there_is_space";
    let Some(place) = place() else {
        return on_small_disk(TEST, "size=32m").unwrap_or_else(|reason| skip(TEST, &reason));
    };
    // Whether the first attempt succeeds with so many kilobytes left; the second one always does.
    let succeeds = |left: u64| {
        let home = Home::empty_at(place.join("anna"));
        let filler = fill_up(&place);
        let length = filler.metadata().unwrap().len();
        File::options().write(true).open(&filler).unwrap().set_len(length.saturating_sub(left << 10)).unwrap();
        let output = home.run(&["--json", "init", "--name", "Anna"]);
        fs::remove_file(&filler).unwrap();
        if !output.status.success() {
            let error = &lines(&output.stderr)[0]["error"];
            assert_eq!(error["code"], "disk_full", "{left} kB left: {error}");
            home.json(&["init", "--name", "Anna"]);
        }
        assert_eq!(home.json(&["status"])[0]["name"], "Anna", "{left} kB left");
        fs::remove_dir_all(&home.dir).unwrap();
        output.status.success()
    };
    // From where it never does to where it does, and closer and closer to the border between.
    let (mut too_little, mut enough) = (0, 24_000);
    assert!(!succeeds(too_little) && succeeds(enough));
    while enough - too_little > 4 {
        let left = u64::midpoint(too_little, enough);
        if succeeds(left) { enough = left } else { too_little = left }
    }
    println!("{enough} kB are enough");
    for left in (too_little.saturating_sub(256)..too_little).step_by(16) {
        succeeds(left);
    }
}

#[test]
fn the_settings_file_chooses_the_database() {
    let config = tempfile::NamedTempFile::new().unwrap();
    fs::write(config.path(), "store = \"redb\"\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\nmdns = false\n").unwrap();
    let config = config.path().to_str().unwrap();
    for make in [&["init", "--name", "Anna", "--config", config][..], &[]] {
        let home = Home::empty();
        if !make.is_empty() {
            home.json(make);
        }
        let running = start(&home.dir, &["--config", config]);
        let address = running.ready["addresses"][0].as_str().unwrap();
        assert!(address.starts_with("/ip4/127.0.0.1/tcp/"), "{address}");
        home.json(&["invite"]);
        running.kill();
        assert!(fs::read_to_string(home.dir.join("store/format")).unwrap().contains("redb"));
        assert_eq!(home.json(&["status"])[0]["contacts"], 0);
    }
}
