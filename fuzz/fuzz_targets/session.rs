#![no_main]

libfuzzer_sys::fuzz_target!(|script: &[u8]| kinfolk_fuzz::play_session(script));
