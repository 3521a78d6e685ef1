//! What ends a node that runs, and what does not: signals do, its reader does not.

use std::process::Stdio;
use std::time::Duration;

use kinfolk::client::Client;

use crate::home::{Home, binary, start, terminate, wait_for, within};

/// A node's events after this many fill what the system keeps for a reader many times over.
const EVENTS: usize = 2_000;

/// Makes that many events at a node that knows Ben.
fn stir(home: &Home, events: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::open(&home.dir).await.unwrap();
        let before = client.status().await.unwrap().seq;
        for number in 0..events {
            client.set_verified("Ben", number % 2 == 0).await.unwrap();
        }
        let after = client.status().await.unwrap().seq;
        assert!(after - before >= events as u64, "{before} to {after}");
    });
}

/// Makes Anna know of Ben, who is not there.
fn know_ben(anna: &Home) {
    let ben = Home::new("Ben");
    let ben_runs = ben.start(0);
    let link = ben.json(&["invite"])[0]["link"].as_str().unwrap().to_owned();
    ben_runs.interrupt();
    anna.json(&["add", &link]);
}

#[test]
fn a_node_whose_output_nobody_reads_is_ended_by_a_signal() {
    let anna = Home::new("Anna");
    let running = anna.start(0);
    know_ben(&anna);
    stir(&anna, EVENTS);
    // Its pipe has been full for long.
    running.interrupt();
    assert!(!anna.dir.join("door.json").exists(), "the door stays behind");
}

#[test]
fn a_node_whose_reader_has_gone_runs_on() {
    let anna = Home::new("Anna");
    let mut running = anna.start(0);
    drop(running.out.take());
    know_ben(&anna);
    stir(&anna, 200);
    assert!(running.child.try_wait().unwrap().is_none(), "it ended with its reader");
    running.interrupt();
}

#[test]
fn a_signal_that_comes_with_the_first_line_ends_a_node_in_order() {
    let anna = Home::new("Anna");
    for _ in 0..20 {
        anna.start(0).interrupt();
        assert!(!anna.dir.join("door.json").exists(), "the door stays behind");
    }
}

#[test]
fn a_signal_that_comes_while_a_node_starts_ends_it_in_order() {
    let anna = Home::new("Anna");
    for round in 0..10 {
        let mut child = binary()
            .arg("--data")
            .arg(&anna.dir)
            .args(["run", "--no-mdns", "--listen", "/ip4/127.0.0.1/udp/0/quic-v1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // From when it holds the profile's lock it has something to put in order.
        let holds = |lock: &str| lock.trim() == child.id().to_string();
        while !std::fs::read_to_string(anna.dir.join("lock")).is_ok_and(|lock| holds(&lock)) {
            std::thread::yield_now();
        }
        terminate(&child);
        let ended = within(&mut child, Duration::from_secs(30)).expect("it does not end");
        assert_eq!(ended.code(), Some(0), "round {round}: {ended}");
        assert!(!anna.dir.join("door.json").exists(), "the door stays behind");
    }
}

#[test]
fn the_first_line_names_an_address_of_every_listener() {
    let anna = Home::new("Anna");
    let loopback = ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"];
    let everywhere = ["/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"];
    for listen in [loopback, everywhere].repeat(5) {
        let arguments: Vec<&str> = listen.iter().flat_map(|listen| ["--listen", listen]).collect();
        let running = start(&anna.dir, &arguments);
        let told = running.ready["addresses"].to_string();
        for of in ["/ip4/127.0.0.1/tcp/", "/ip4/127.0.0.1/udp/"] {
            assert!(told.contains(of), "{told}");
        }
        assert_eq!(anna.json(&["status"])[0]["addresses"], running.ready["addresses"], "more came later");
        running.interrupt();
    }
}

#[test]
fn a_copy_of_a_profile_whose_node_runs_does_not_lead_to_that_node() {
    let anna = Home::new("Anna");
    let running = anna.start(0);
    know_ben(&anna);
    let copy = anna.dir.with_file_name("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(anna.dir.join("door.json"), copy.join("door.json")).unwrap();
    let output = binary().arg("--data").arg(&copy).args(["--json", "remove", "Ben"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(anna.json(&["contacts"]).len(), 1, "Anna's own node removed Ben");
    // By another path to the same place it is the same profile.
    let link = anna.dir.with_file_name("link");
    std::os::unix::fs::symlink(&anna.dir, &link).unwrap();
    let output = binary().arg("--data").arg(&link).args(["--json", "remove", "Ben"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    wait_for(&anna, "the removal", |anna| anna.json(&["contacts"]).is_empty());
    running.interrupt();
}
