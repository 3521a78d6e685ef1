//! Processes that share a profile, or die on it.

use std::io::{BufRead, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kinfolk_engine::store::Changes;
use kinfolk_store::{Backend, OpenError, Unlock};

use super::rows::*;

const PROFILE: &str = "KINFOLK_STORE_CHILD_PROFILE";

/// Where this process is the child of one of these tests: its profile.
fn child_of_a_test() -> Option<PathBuf> {
    std::env::var_os(PROFILE).map(PathBuf::from)
}

/// Starts this very test in a process of its own.
fn start(test: &str, profile: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(PROFILE, profile)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn say(text: &str) {
    let mut out = std::io::stdout();
    // On a line of its own, whatever the test harness has begun to say.
    writeln!(out, "\nsaid {text}").unwrap();
    out.flush().unwrap();
}

/// What a child says, line by line, without what the test harness says.
fn heard(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("said ").map(str::to_owned))
}

#[test]
fn a_second_process_is_refused_by_the_number_of_the_first_and_let_in_when_that_is_dead() {
    if let Some(profile) = child_of_a_test() {
        let store = open(&profile);
        say("open");
        // Held until the parent ends this process.
        let mut nothing = Vec::new();
        std::io::stdin().read_to_end(&mut nothing).unwrap();
        drop(store);
        std::process::exit(0);
    }
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), backend).close().unwrap();
        let test = "process::a_second_process_is_refused_by_the_number_of_the_first_and_let_in_when_that_is_dead";
        let mut child = start(test, dir.path());
        assert_eq!(heard(&mut child).next().as_deref(), Some("open"));
        let error = kinfolk_store::open(dir.path(), Unlock::KeyFile).unwrap_err();
        assert!(matches!(error, OpenError::AlreadyOpen { process: Some(process), .. } if process == child.id()));
        let text = error.to_string();
        assert!(
            text.starts_with("a node is running on the profile in ") && text.ends_with("talk to it, or stop it first")
        );
        child.kill().unwrap();
        child.wait().unwrap();
        open(dir.path()).close().unwrap();
    }
}

/// Each batch: two short rows, a long one, and one that every batch writes.
fn batch(number: u64) -> Changes {
    let mut changes = Changes::default();
    changes.put(line(1, number), message(&bytes(200, number)));
    changes.put(line(2, number), message(&bytes(8_000, number)));
    changes.put(line(3, 0), message(&number.to_be_bytes()));
    changes
}

#[test]
fn g01_a_killed_process_loses_nothing_that_it_acknowledged() {
    if let Some(profile) = child_of_a_test() {
        let mut store = open(&profile);
        let first = lines(&store, 1).len() as u64;
        for number in first.. {
            store.commit(&batch(number)).unwrap();
            say(&number.to_string());
        }
    }
    let rounds: u32 = std::env::var("KINFOLK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(10);
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let seed = std::env::var("KINFOLK_SEED").map_or_else(|_| clock(), |seed| seed.parse().unwrap());
    println!("KINFOLK_SEED={seed}, {rounds} rounds for each back-end");
    for backend in Backend::ALL {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), backend).close().unwrap();
        let (mut acknowledged, mut chance) = (0, bytes(2 * rounds as usize, seed).into_iter());
        for round in 0..rounds {
            let test = "process::g01_a_killed_process_loses_nothing_that_it_acknowledged";
            let mut child = start(test, dir.path());
            let mut said = heard(&mut child);
            // Some are killed while they open the profile, some after the first few commits, at any point of one.
            let (heard_before, then) = (chance.next().unwrap() % 12, chance.next().unwrap());
            for _ in 0..heard_before {
                acknowledged = said.next().unwrap().parse::<u64>().unwrap() + 1;
            }
            std::thread::sleep(Duration::from_micros(u64::from(then) * 150));
            child.kill().unwrap();
            child.wait().unwrap();
            for number in said {
                acknowledged = number.parse::<u64>().unwrap() + 1;
            }
            let store = open(dir.path());
            let (short, long) = (lines(&store, 1), lines(&store, 2));
            let there = short.len() as u64;
            assert!(
                there == acknowledged || there == acknowledged + 1,
                "{backend}, round {round}: {there} batches, {acknowledged} acknowledged"
            );
            // One that was on the disk and not yet acknowledged counts from here on.
            acknowledged = there;
            for (number, ((key, row), (_, long))) in (0..).zip(short.into_iter().zip(&long)) {
                assert_eq!((key, row), (line(1, number), message(&bytes(200, number))));
                assert_eq!(*long, message(&bytes(8_000, number)));
            }
            assert_eq!(long.len() as u64, there);
            let last = there.checked_sub(1).map(|number| (line(3, 0), message(&number.to_be_bytes())));
            assert_eq!(lines(&store, 3), last.into_iter().collect::<Vec<_>>());
            assert_eq!(store.rows(), there * 2 + u64::from(there > 0));
            // Left as a crash would leave it, in every other round.
            if round % 2 == 0 { store.close().unwrap() } else { drop(store) }
        }
        println!("{backend}: {acknowledged} batches acknowledged, none lost");
    }
}
