//! People of the lab: nodes of the real program, each at a site of its internet.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::home::{Home, Running, binary};
use crate::world::Site;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often something is looked at of which no event tells.
const LOOK: Duration = Duration::from_millis(100);

/// How a node is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Quic,
    Tcp,
}

/// Starts a person's node at a site. What it logs, where `KINFOLK_LOG` asks for it, goes to a file of the directory that
/// `KINFOLK_LAB_LOGS` names, one for each address on the internet.
pub(crate) fn start(home: &Home, site: &Site, transport: Transport, port: u16) -> Running {
    let ip = site.address;
    let address = match transport {
        Transport::Quic => format!("/ip4/{ip}/udp/{port}/quic-v1"),
        Transport::Tcp => format!("/ip4/{ip}/tcp/{port}"),
    };
    let mut wrapper = site.space.wrapper().to_vec();
    let into = std::env::var("KINFOLK_LAB_LOGS").map(|logs| format!("exec \"$0\" \"$@\" 2>>'{logs}/{}'", site.outside));
    if let Ok(into) = &into {
        wrapper.extend(["sh", "-c", into]);
    }
    let ask_router: &[&str] = if site.maps_ports() { &[] } else { &["--no-upnp"] };
    home.start_at(&wrapper, &[&["--listen", &address], ask_router].concat())
}

/// Waits until something is so, looking again whenever the node tells of an event.
pub(crate) fn wait_for(home: &Home, what: &str, so: impl Fn(&Home) -> bool) {
    let begun = Instant::now();
    let since = home.json(&["status"])[0]["seq"].to_string();
    let mut watch = binary()
        .arg("--data")
        .arg(&home.dir)
        .args(["--json", "watch", "--since", &since])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let events = BufReader::new(watch.stdout.take().unwrap());
    let (tell, told) = channel();
    let reader = std::thread::spawn(move || events.lines().try_for_each(|event| tell.send(event).map_err(|_| ())));
    while !so(home) {
        let event = told.recv_timeout(PATIENCE.saturating_sub(begun.elapsed()));
        if event.is_err() {
            let status = home.json(&["status"]);
            watch.kill().ok();
            panic!("waited in vain for {what}: {status:?}");
        }
        // One look for all that has come meanwhile.
        while told.try_recv().is_ok() {}
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
    drop(told);
    reader.join().unwrap().ok();
}

/// Makes two people contacts, whose nodes run and reach each other, and who may know others already.
pub(crate) fn introduce(one: &Home, other: &Home) {
    let link = one.json(&["invite", "--once"])[0]["link"].as_str().unwrap().to_owned();
    let added = other.json(&["add", &link])[0]["contact"].as_str().unwrap().to_owned();
    let own = other.json(&["status"])[0]["identity"].as_str().unwrap().to_owned();
    let knows = |home: &Home, id: &str| {
        home.json(&["contacts"]).iter().any(|contact| contact["contact"] == id && contact["state"] == "accepted")
    };
    wait_for(other, "the yes", |home| knows(home, &added));
    wait_for(one, "the contact", |home| knows(home, &own));
}

/// Says something; says under which number it is known.
pub(crate) fn say(from: &Home, to: &str, text: &str) -> String {
    from.json(&["send", to, text])[0]["message"].as_str().unwrap().to_owned()
}

/// The lines between a person and a contact, oldest first.
pub(crate) fn lines(home: &Home, contact: &str) -> Vec<Value> {
    home.json(&["history", contact, "--last", "500"])
}

fn line(home: &Home, contact: &str, message: &str) -> Option<Value> {
    lines(home, contact).into_iter().find(|line| line["message"] == message)
}

/// Waits until a line that a person said is in a state.
pub(crate) fn wait_for_state(home: &Home, contact: &str, message: &str, state: &str) {
    wait_for(home, state, |home| line(home, contact, message).is_some_and(|line| line["state"] == state));
}

/// Waits until a person has a line.
pub(crate) fn wait_for_line(home: &Home, contact: &str, message: &str) {
    wait_for(home, "a line", |home| line(home, contact, message).is_some());
}

/// Waits until a person knows whether a contact is online.
pub(crate) fn wait_for_online(home: &Home, contact: &str, online: bool) {
    wait_for(home, "a coming or going", |home| {
        home.json(&["contacts"]).iter().any(|known| known["name"] == contact && known["online"] == online)
    });
}

/// Looks again and again until something is so of which no event tells.
pub(crate) fn look_until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    // Nobody speaks on this channel: waiting on it leaves the machine to those who are waited for.
    let (_quiet, moment) = channel::<()>();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        moment.recv_timeout(LOOK).ok();
    }
}

/// Waits until a node has nothing left to say.
pub(crate) fn wait_until_silent(home: &Home) {
    look_until("a node to have said everything", || home.json(&["status"])[0]["outbox"] == 0);
}

/// The texts between a person and a contact, sorted.
pub(crate) fn texts(home: &Home, contact: &str) -> Vec<String> {
    let mut texts: Vec<String> =
        lines(home, contact).iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}
