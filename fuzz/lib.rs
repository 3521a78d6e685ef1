//! What the fuzz targets check: the same as the tests of the floors, on whatever bytes the fuzzer makes up.

#[path = "../src/wire/tests/decoders.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod decoders;
#[path = "../src/ledger/tests/decoders.rs"]
mod ledger;
#[path = "../src/engine/tests/support/scenario.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod scenario;
#[path = "../src/crypto/tests/support/script.rs"]
mod script;
#[path = "../src/crypto/tests/support/mod.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod support;

/// Gives bytes to the decoder of that name, which must not panic and must keep the form of what it accepts.
pub fn check(name: &str, bytes: &[u8]) {
    decoders::check(name, bytes);
    decoders::check_small_texts(bytes);
}

/// Gives bytes to the decoder of the ledger that the first of them names, as [`check`] does.
pub fn check_ledger(input: &[u8]) {
    ledger::check(input);
}

/// Plays a script on a session of two devices.
pub fn play_session(script: &[u8]) {
    script::play(script);
}

/// Plays a script on two engines and the network between them.
pub fn play_scenario(script: &[u8]) {
    scenario::play(script);
}
