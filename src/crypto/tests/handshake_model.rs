//! The model of the handshake, where the model checker is there: no attack is found on it, and one is found on a worse
//! handshake, so that the model is seen to be able to fail.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::process::Command;

#[path = "../../../tests/support/skip.rs"]
mod skip;

const MODEL: &str = include_str!("../../../docs/protocol/models/handshake.vp");

/// What the checker says of a model and whether it found an attack, or nothing where there is no checker.
///
/// One session of each side: with two it does not end within five minutes.
fn check(test: &str, model: &str) -> Option<(String, bool)> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("handshake.vp");
    std::fs::write(&file, model).unwrap();
    let verifpal = std::env::var_os("KINFOLK_VERIFPAL").unwrap_or_else(|| "verifpal".into());
    let checked = Command::new(verifpal).args(["verify", "--sessions", "1", "--fail-on-attack"]).arg(&file).output();
    match checked {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let found = match output.status.code() {
                Some(0) => false,
                Some(2) => true,
                _ => panic!("{said}{}", String::from_utf8_lossy(&output.stderr)),
            };
            Some((said, found))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skip::skip(test, "verifpal is not installed (cargo install verifpal, Rust 1.98)");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a20_no_attack_is_found_on_the_model_of_the_handshake() {
    let Some((said, found)) = check("a20_no_attack_is_found_on_the_model_of_the_handshake", MODEL) else { return };
    assert!(!found, "{said}");
    assert_eq!(said.matches("PASS + ").count(), 5, "four queries and the sum of them: {said}");
}

#[test]
fn a20_the_model_shows_the_attack_where_the_senders_own_key_is_left_out() {
    const TEST: &str = "a20_the_model_shows_the_attack_where_the_senders_own_key_is_left_out";
    let worse = MODEL.replace("DH_KEX(ben_spk_pub, anna_dik), ", "").replace("DH_KEX(anna_dik_pub, ben_spk), ", "");
    assert_eq!(MODEL.len() - worse.len(), 62, "both sides leave it out");
    let Some((said, found)) = check(TEST, &worse) else { return };
    assert!(found && said.contains("FAIL x authentication? Anna -> Ben: sealed_first"), "{said}");
}
