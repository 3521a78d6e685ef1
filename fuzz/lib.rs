//! What the fuzz targets check: the same as the tests of the wire floor, on whatever bytes the fuzzer makes up.

#[path = "../src/wire/tests/decoders.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod decoders;

/// Gives bytes to the decoder of that name, which must not panic and must keep the form of what it accepts.
pub fn check(name: &str, bytes: &[u8]) {
    decoders::check(name, bytes);
    decoders::check_small_texts(bytes);
}
