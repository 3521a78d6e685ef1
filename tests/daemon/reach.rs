//! What `status` says of how a node is reached, and what the switches change.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::home::{Home, Running, befriend, start};

const PATIENCE: Duration = Duration::from_secs(60);

/// A node in a network of its own, where loopback is the open internet.
fn cut_off(dir: &Path, switches: &[&str]) -> Running {
    let all = ["--listen", "/ip4/127.0.0.1/udp/0/quic-v1", "--also-global", "127.0.0.0/8"];
    start(dir, &[&all, switches].concat())
}

/// What a node says of how it is reached, once that fits.
fn reachability(home: &Home, fits: impl Fn(&str, &str) -> bool) -> (String, String) {
    let since = Instant::now();
    loop {
        let status = home.json(&["status"]).remove(0);
        let text = |field: &str| match &status["reachability"][field] {
            Value::String(text) => text.clone(),
            other => panic!("{other}"),
        };
        let (state, why) = (text("state"), text("why"));
        if fits(&state, &why) {
            return (state, why);
        }
        assert!(since.elapsed() < PATIENCE, "still {state}: {why}");
    }
}

#[test]
fn status_says_who_came_through_and_whether_the_node_relays() {
    let (anna, ben) = (Home::new("Anna"), Home::new("Ben"));
    let (state, why) = reachability(&anna, |_, _| true);
    assert_eq!((state.as_str(), why.as_str()), ("unknown", "this node runs without a network"));
    let running = (cut_off(&anna.dir, &[]), cut_off(&ben.dir, &["--no-relay"]));
    let (state, why) = reachability(&anna, |_, _| true);
    assert_eq!(state, "private");
    assert!(why.contains("nobody to ask yet"), "{why}");
    befriend(&anna, &ben);
    let (_, why) = reachability(&anna, |state, why| state == "public" && why.contains("relays"));
    let at = running.0.ready["addresses"][0].as_str().unwrap();
    assert_eq!(why, format!("the only word so far: one node could reach {at}; it relays for contacts"));
    let (_, why) = reachability(&ben, |state, _| state == "public");
    assert!(!why.contains("relays"), "{why}");
    // Its contact relays, and three have not come through yet: it has that way as well.
    let since = Instant::now();
    let ways = || ben.json(&["status"])[0]["addresses"].as_array().unwrap().clone();
    while !ways().iter().any(|at| at.as_str().unwrap().ends_with("/p2p-circuit")) {
        assert!(since.elapsed() < PATIENCE, "{:?}", ways());
    }
    running.0.interrupt();
    running.1.interrupt();
    let wrong = anna.error(&["run", "--no-mdns", "--no-upnp", "--also-global", "everywhere"]);
    assert_eq!(wrong, ("invalid_address".to_owned(), 1));
}
