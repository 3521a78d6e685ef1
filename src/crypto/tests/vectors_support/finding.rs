//! Page 10: where address records lie, and what lies there.

use kinfolk_crypto::DeviceKeys;
use kinfolk_crypto::kdf::hkdf;
use kinfolk_crypto::label::Label;
use kinfolk_crypto::mailbox::DirectionKey;
use kinfolk_crypto::rendezvous::Spot;
use kinfolk_wire::address_record::{AddressRecord, PLACES};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use serde_json::{Value, json};

use super::mailbox::long;
use super::{BEGINNING, Transcript, hex};

/// The day of [`BEGINNING`].
const DAY: u32 = 20_454;

pub(crate) fn make() -> Value {
    let rng = &mut Transcript::of("finding");
    let pair_root: [u8; 32] = rng.array();
    let devices = [DeviceKeys::generate(rng), DeviceKeys::generate(rng)];
    let short = |last: u8| format!("/ip4/192.0.2.{last}/udp/4001/quic-v1");
    let full: Vec<String> = (0..8).map(|last| format!("/{}{last}", "x".repeat(254))).collect();
    let lists = [vec![short(1)], vec![], (1..=8).map(short).collect(), full];
    let mut records = Vec::new();
    for (number, addresses) in lists.iter().enumerate() {
        for sender in [0, 1] {
            let peer = PeerId::new(rng.array());
            let version = BEGINNING.as_millis() + number as u64;
            records.push(record(
                &pair_root,
                &devices,
                sender,
                AddressRecord {
                    version,
                    peer,
                    addresses: addresses.iter().map(|text| Address::new(text).unwrap()).collect(),
                },
            ));
        }
    }
    json!({
        "pair_root": hex(pair_root),
        "devices": devices.each_ref().map(|keys| {
            let bytes = keys.to_bytes();
            let (signing, identity) = bytes.as_slice()[1..].split_at(32);
            json!({ "device": hex(keys.device().as_bytes()), "dsk_private": hex(signing), "dik_private": hex(identity) })
        }),
        "records": records,
    })
}

fn record(pair_root: &[u8; 32], devices: &[DeviceKeys; 2], sender: usize, record: AddressRecord) -> Value {
    let (keys, recipient) = (&devices[sender], devices[1 - sender].device());
    let direction = DirectionKey::new(pair_root, keys.device(), recipient);
    let at: Vec<Value> = [0, DAY, DAY + 1, u32::MAX]
        .into_iter()
        .flat_map(|day| (0..PLACES).map(move |place| Spot { day, place }))
        .map(|spot| {
            let value = direction.seal_record(keys, recipient, spot, &record).unwrap();
            let mut seal = [0; 32];
            let info = [Label::RecordSeal.as_bytes(), &spot.day.to_be_bytes(), &[spot.place]];
            hkdf(&[], direction.to_bytes().as_slice(), &info, &mut seal).unwrap();
            json!({
                "day": spot.day,
                "place": spot.place,
                "key": hex(direction.record_key(spot).as_bytes()),
                "seal_key": hex(seal),
                "nonce": hex(&value[1..25]),
                "value": long(&value),
            })
        })
        .collect();
    json!({
        "sender": sender,
        "k_dir": hex(direction.to_bytes().as_slice()),
        "version": record.version,
        "peer": hex(record.peer.as_bytes()),
        "addresses": record.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "record": hex(record.encode()),
        "at": at,
    })
}
