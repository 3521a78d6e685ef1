//! D1: what a decoder allocates for bytes that it is given, and above all for those that lie about their lengths.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test may panic: that is how it fails; and it tells what it measured"
)]

#[allow(dead_code, reason = "the tests of all decoders use more of it")]
mod decoders;
#[allow(dead_code, reason = "the tests of all decoders use more of it")]
mod values;

use allocation_counter::measure;
use decoders::DECODERS;
use kinfolk_wire::mailbox::SCHEME;

/// Beginnings of CBOR items that promise far more than follows, and an array that has all it promises: small things
/// where large ones may be wanted.
const LIES: [&[u8]; 7] = [
    &many_small_things(),
    &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x5b, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff],
    &[0x7a, 0xff, 0xff, 0xff, 0xff],
    &[0x9a, 0x00, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff],
];
const fn many_small_things() -> [u8; 3 + 1_000] {
    let mut array = [0; 1_003];
    array[0] = 0x99;
    [array[1], array[2]] = 1_000_u16.to_be_bytes();
    array
}

/// What a decoder may take whatever the input is: the stack of open items, the first places of a list.
const ALWAYS: u64 = 2_048;

/// The most that was allocated at a time for reading some bytes, and whether they were accepted.
fn cost(read: fn(&[u8]) -> Option<Vec<u8>>, bytes: &[u8]) -> (u64, bool) {
    let mut accepted = false;
    let info = measure(|| accepted = read(bytes).is_some());
    (info.bytes_max, accepted)
}

#[test]
fn d01_lies_about_lengths_cost_nothing() {
    let mut refused = 0;
    for decoder in DECODERS {
        let mut dearest = 0;
        for sample in values::samples(decoder.name) {
            let step = sample.len().div_ceil(400);
            for at in (0..sample.len()).step_by(step) {
                for lie in LIES {
                    let cut = [&sample[..at], lie].concat();
                    let mut altered = sample.clone();
                    altered.splice(at..(at + lie.len()).min(sample.len()), lie.iter().copied());
                    for bytes in [cut, altered] {
                        let (bytes_max, accepted) = cost(decoder.read, &bytes);
                        // What is accepted is also written again here.
                        let limit = if accepted { 6 } else { 2 } * bytes.len() as u64 + ALWAYS;
                        assert!(
                            bytes_max <= limit,
                            "{}: {bytes_max} bytes for {} at {at}, {:02x?}",
                            decoder.name,
                            bytes.len(),
                            &lie[..3]
                        );
                        refused += u64::from(!accepted);
                        dearest = dearest.max(bytes_max);
                    }
                }
            }
        }
        println!("{}: at most {dearest} bytes", decoder.name);
    }
    assert!(refused > 10_000, "only {refused} lies were told");
}

#[test]
fn d01_lies_within_a_link_to_a_host_cost_nothing() {
    let host = kinfolk_wire::codec::to_cbor(&values::plain_host());
    let link = |cbor: &[u8]| format!("{SCHEME}{}", data_encoding::BASE64URL_NOPAD.encode(cbor)).into_bytes();
    let read = decoders::decoder("host_link").read;
    assert!(cost(read, &link(&host)).1);
    // The first lie alone is longer than any link.
    for (at, lie) in (0..host.len()).flat_map(|at| LIES[1..].iter().map(move |lie| (at, lie))) {
        let cut = [&host[..at], lie].concat();
        let altered = [&host[..at], lie, host.get(at + lie.len()..).unwrap_or_default()].concat();
        for bytes in [cut, altered].map(|cbor| link(&cbor)) {
            let (bytes_max, accepted) = cost(read, &bytes);
            let limit = if accepted { 6 } else { 2 } * bytes.len() as u64 + ALWAYS;
            assert!(bytes_max <= limit, "{bytes_max} bytes for {} at {at}, {lie:02x?}", bytes.len());
        }
    }
}

#[test]
fn d01_a_decoder_that_believes_a_length_is_caught() {
    fn believes(bytes: &[u8]) -> Option<Vec<u8>> {
        let length = u32::from_be_bytes(*bytes.last_chunk()?);
        let room: Vec<u8> = Vec::with_capacity(usize::try_from(length >> 12).ok()?);
        (room.capacity() == 0).then_some(room)
    }
    let (bytes_max, accepted) = cost(believes, &[0x7a, 0xff, 0xff, 0xff, 0xff]);
    assert!(!accepted && bytes_max > 2 * 5 + ALWAYS, "{bytes_max} bytes are not noticed");
}
