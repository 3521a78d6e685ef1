#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kinfolk_fuzz::check_ledger(input));
