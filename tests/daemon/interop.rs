//! A second client, written in Python on py-libp2p from docs/protocol alone, meets the program.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::home::{Home, start, wait_for};
use crate::mailbox::{look_until, outbox_is_empty};
use crate::skip::skip;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/interop")
}

/// A Python with the packages of `tests/interop/requirements.txt`: named by the environment, in the project's own
/// virtual environment, or the system's.
fn python() -> Option<PathBuf> {
    let venv = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/venv-interop/bin/python");
    let named = std::env::var_os("KINFOLK_INTEROP_PYTHON").map(PathBuf::from);
    let has_packages = |python: &PathBuf| {
        let tried = Command::new(python)
            .args(["-c", "import cbor2, cryptography, kyber_py, libp2p, mnemonic, nacl, trio"])
            .output();
        tried.is_ok_and(|output| output.status.success())
    };
    let found = named.clone().into_iter().chain([venv, PathBuf::from("python3")]).find(has_packages);
    assert!(named.is_none() || found == named, "KINFOLK_INTEROP_PYTHON has not the packages that it needs");
    found
}

/// The client, about to do something; nothing where it cannot run here.
fn client(test: &str, arguments: &[&str]) -> Option<Command> {
    let Some(python) = python() else {
        skip(test, "no python3 with libp2p, pynacl, cbor2 and what the vectors need; scripts/test.sh installs them");
        return None;
    };
    let mut command = Command::new(python);
    command.arg(folder().join("interop.py")).args(arguments).stdin(Stdio::null());
    Some(command)
}

/// How many checks it says that it made.
fn count(said: &str) -> Option<usize> {
    said.lines().rev().find_map(|line| line.strip_prefix("checks: ")?.parse().ok())
}

/// Runs the client, and says how many checks it made; nothing where it cannot run here.
fn checks(test: &str, act: &str, link: &str) -> Option<usize> {
    let output = client(test, &[act, link])?.output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "interop.py {act} is not content:\n{said}{wrong}");
    Some(count(&said).unwrap())
}

#[test]
fn a_second_client_identifies_and_pings_a_node() {
    let anna = Home::new("Anna");
    let _runs = start(&anna.dir, &["--listen", "/ip4/127.0.0.1/tcp/0"]);
    let link = anna.json(&["invite"])[0]["link"].as_str().unwrap().to_owned();
    let made = checks("a_second_client_identifies_and_pings_a_node", "greet", &link);
    assert!(made.is_none_or(|checks| checks >= 6), "{made:?}");
}

#[test]
fn a_second_client_leaves_fetches_and_erases_at_a_mailbox() {
    let eve = Home::new("Eve");
    let _runs = start(&eve.dir, &["--listen", "/ip4/127.0.0.1/tcp/0"]);
    let serving = eve.json(&["mailbox", "serve", "--work-bits", "10"]).remove(0);
    let link = serving["link"].as_str().unwrap();
    let made = checks("a_second_client_leaves_fetches_and_erases_at_a_mailbox", "mailbox", link);
    assert!(made.is_none_or(|checks| checks >= 60), "{made:?}");
    assert_eq!(eve.json(&["mailbox", "status"])[0]["stored_messages"], 0, "all was erased");
}

#[test]
fn a_second_client_becomes_a_contact_leaves_a_message_and_fetches_the_answer() {
    let (eve, ben) = (Home::new("Eve"), Home::new("Ben"));
    let listen = ["--listen", "/ip4/127.0.0.1/tcp/0"];
    let (_eve_runs, ben_runs) = (start(&eve.dir, &listen), start(&ben.dir, &listen));
    let serving = eve.json(&["mailbox", "serve", "--work-bits", "8"]).remove(0);
    let mailbox = serving["link"].as_str().unwrap();
    ben.json(&["mailbox", "add", mailbox]);
    let invite = ben.json(&["invite", "--once"])[0]["link"].as_str().unwrap().to_owned();
    let test = "a_second_client_becomes_a_contact_leaves_a_message_and_fetches_the_answer";
    let Some(mut command) = client(test, &["correspond", &invite, mailbox]) else { return };
    let mut pia = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(pia.stdout.take().unwrap());

    // Both were there; from here on they are not at once.
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "left\n");
    let contact = ben.json(&["contacts"]).remove(0);
    assert_eq!((&contact["name"], &contact["state"]), (&"Pia".into(), &"accepted".into()));
    ben_runs.interrupt();
    let ben_runs = start(&ben.dir, &listen);
    wait_for(&ben, "what the other program left", |ben| !ben.json(&["history", "Pia"]).is_empty());
    assert_eq!(ben.json(&["history", "Pia"])[0]["text"], "Hello from another program");
    let sent = ben.json(&["send", "Pia", "Hello yourself", "--wait", "sent", "--timeout", "60s"]).remove(0);
    assert_eq!(sent["custody"][0]["peer"], serving["peer"]);
    look_until("the receipt to be kept, too", || outbox_is_empty(&ben));
    ben_runs.interrupt();

    pia.stdin.take().unwrap().write_all(b"gone\n").unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut out, &mut said).unwrap();
    assert!(pia.wait().unwrap().success(), "it is not content; its words are above");
    assert!(count(&said).unwrap() >= 50, "{said}");
    // The prekeys of the invite lie there until their time has come.
    assert_eq!(eve.json(&["mailbox", "status"])[0]["stored_messages"], 1, "both erased what they took");
}
