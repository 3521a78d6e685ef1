//! The frozen vectors of docs/protocol/vectors: this test makes each file anew, from a generator with a fixed seed, and
//! compares it byte for byte; then a Python program that was written from docs/protocol alone derives them again.
//!
//! `KINFOLK_WRITE_VECTORS=1 cargo test -p kinfolk-crypto --test vectors` writes the files instead: only for a new
//! version of the protocol.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says so by failing"
)]

#[path = "../../../tests/support/skip.rs"]
mod skip;
#[path = "vectors_support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use skip::skip;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol/vectors")
}

fn is_writing() -> bool {
    std::env::var_os("KINFOLK_WRITE_VECTORS").is_some_and(|asked| asked == "1")
}

/// Compares a file with what it should be, or writes it where that is asked for.
fn freeze(name: &str, value: &Value) {
    let path = folder().join(name);
    let text = format!("{}\n", serde_json::to_string_pretty(value).unwrap());
    if is_writing() {
        std::fs::write(&path, &text).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap();
    let differs = frozen.lines().zip(text.lines()).position(|(frozen, made)| frozen != made);
    assert!(frozen == text, "{name} is not what this program makes, from line {differs:?} on");
}

#[test]
fn the_identity_vectors_are_what_this_program_makes() {
    freeze("identity.json", &support::identity::make());
}

#[test]
fn the_prekey_and_handshake_vectors_are_what_this_program_makes() {
    freeze("handshake.json", &support::handshake::make());
}

#[test]
fn the_conversation_vectors_are_what_this_program_makes() {
    freeze("conversation.json", &support::conversation::make());
}

#[test]
fn the_content_vectors_are_what_this_program_makes() {
    freeze("content.json", &support::content::make());
}

#[test]
fn the_direct_vectors_are_what_this_program_makes() {
    freeze("direct.json", &support::direct::make());
}

#[test]
fn the_mailbox_vectors_are_what_this_program_makes() {
    freeze("mailbox.json", &support::mailbox::make());
}

#[test]
fn the_bundle_vectors_are_what_this_program_makes() {
    freeze("bundle.json", &support::bundle::make());
}

/// Where a Python with the packages `cryptography`, `kyber-py` and `mnemonic` may be: named by the environment, in the
/// project's own virtual environment, or the system's.
fn pythons() -> Vec<PathBuf> {
    let venv = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/bin/python");
    let named = std::env::var_os("KINFOLK_PYTHON").map(PathBuf::from);
    named.into_iter().chain([venv, PathBuf::from("python3")]).collect()
}

fn has_packages(python: &PathBuf) -> bool {
    let imports = "import cryptography, kyber_py, mnemonic";
    Command::new(python).args(["-c", imports]).output().is_ok_and(|output| output.status.success())
}

const REDERIVED: &str = "an_independent_program_written_from_the_protocol_pages_derives_every_vector_again";

#[test]
fn an_independent_program_written_from_the_protocol_pages_derives_every_vector_again() {
    if is_writing() {
        skip(REDERIVED, "the vectors are being written; run the test again without KINFOLK_WRITE_VECTORS");
        return;
    }
    let Some(python) = pythons().into_iter().find(has_packages) else {
        assert!(std::env::var_os("KINFOLK_PYTHON").is_none(), "KINFOLK_PYTHON has not the packages that it needs");
        skip(REDERIVED, "no python3 with cryptography, kyber-py and mnemonic; see docs/protocol/vectors/README.md");
        return;
    };
    let output = Command::new(python).arg(folder().join("rederive.py")).output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "rederive.py does not agree:\n{said}{wrong}");
    let checks: usize = said.lines().rev().find_map(|line| line.strip_prefix("checks: ")?.parse().ok()).unwrap();
    assert!(checks >= 1_000, "rederive.py made only {checks} checks");
}
