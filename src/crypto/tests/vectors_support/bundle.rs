//! Page 8: records, bundles, what is left of damaged ones, and lines.

use kinfolk_crypto::mailbox::{DirectionKey, Slot};
use kinfolk_wire::carried::{self, BY_HAND, Bundle, BundleWriter, Carried};
use kinfolk_wire::ids::DeviceId;
use serde_json::{Value, json};

use super::mailbox::long;
use super::{Transcript, hex};

/// A day of the vectors.
const DAY: u32 = 20_454;

pub(crate) fn make() -> Value {
    let rng = &mut Transcript::of("bundle");
    let pair_root: [u8; 32] = rng.array();
    let devices = [DeviceId::new(rng.array()), DeviceId::new(rng.array())];
    let keys = [[0, 1], [1, 0]].map(|[from, to]| DirectionKey::new(&pair_root, devices[from], devices[to]));
    let (said, records): (Vec<Value>, Vec<Carried>) = [
        (0, DAY, 1, 1),
        (0, DAY, 2, 470),
        (0, DAY, 3, 471),
        (0, DAY + 1, 1, 1),
        (1, DAY, 1, 8_000),
        (1, u32::MAX, u64::MAX, 20_000),
        (1, 0, 0x0102_0304_0506_0708, 65_000),
    ]
    .into_iter()
    .map(|(direction, day, number, length)| record(rng, &keys[direction], direction, day, number, length))
    .unzip();
    let bundles: Vec<(Vec<usize>, Vec<u8>)> = [vec![], vec![0], vec![0, 1, 2, 3], (0..records.len()).collect()]
        .into_iter()
        .map(|of: Vec<usize>| {
            let bytes = bundle(of.iter().map(|at| &records[*at]));
            (of, bytes)
        })
        .collect();
    json!({
        "pair_root": hex(pair_root),
        "devices": devices.map(|device| hex(device.as_bytes())),
        "records": said,
        "bundles": bundles.iter().map(|(of, bytes)| json!({
            "records": of,
            "bundle": long(bytes),
            "lines": carried::lines(bytes),
        })).collect::<Vec<Value>>(),
        "damaged": damaged(&bundles[2].1, &records),
    })
}

fn record(
    rng: &mut Transcript,
    key: &DirectionKey,
    direction: usize,
    day: u32,
    number: u64,
    length: usize,
) -> (Value, Carried) {
    let begins: [u8; 16] = rng.array();
    let payload: Vec<u8> = begins.iter().copied().cycle().take(length).collect();
    let slot = Slot { host: BY_HAND, day, number };
    let (tag, blob) = (key.tag(&slot), key.seal(&slot, &payload).unwrap());
    let masked = key.mask(&tag, number.to_be_bytes());
    let said = json!({
        "direction": direction,
        "day": day,
        "number": number,
        "payload": { "repeats": hex(begins), "length": length },
        "tag": hex(tag.as_bytes()),
        "masked": hex(masked),
        "blob": long(&blob),
    });
    (said, Carried { day, tag, number: masked, blob })
}

fn bundle<'a>(records: impl Iterator<Item = &'a Carried>) -> Vec<u8> {
    let mut writer = BundleWriter::default();
    for record in records {
        assert!(writer.push(record));
    }
    let bytes = writer.finish();
    assert!(Bundle::decode(&bytes).unwrap().is_whole());
    bytes
}

/// The third bundle, altered at a byte or cut: which of its records are still taken, and how many are known to be gone.
fn damaged(bundle: &[u8], records: &[Carried]) -> Vec<Value> {
    let first = 17;
    let second = first + records[0].length();
    let end = bundle.len() - 16;
    let altered = [3, 15, first, first + 4, first + 40, second + 2, second + 100, end + 1, end + 6, bundle.len() - 1];
    let cut = [first + 10, second, second + 300, end, bundle.len() - 1];
    let told = |what: Value, bytes: &[u8]| {
        let read = Bundle::decode(bytes).ok();
        let taken = read.as_ref().map_or(vec![], |read| {
            read.records.iter().map(|record| records.iter().position(|known| known == record).unwrap()).collect()
        });
        json!({ "how": what, "taken": taken, "readable": read.is_some() })
    };
    let altered = altered.into_iter().map(|at| {
        let mut bytes = bundle.to_vec();
        bytes[at] ^= 0x20;
        told(json!({ "altered": at }), &bytes)
    });
    altered.chain(cut.into_iter().map(|at| told(json!({ "cut": at }), &bundle[..at]))).collect()
}
