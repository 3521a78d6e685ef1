use std::collections::BTreeSet;

use kinfolk_wire::address_record::{PLACES, SIZES};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use kinfolk_wire::time::Timestamp;

use super::*;
use crate::identity::{RecoveryKey, RecoveryPhrase, Sigchain};
use crate::test_support::rng;

const BOB: DeviceId = DeviceId::new([3; 16]);
const SPOT: Spot = Spot { day: 20_000, place: 0 };

struct Alice {
    keys: DeviceKeys,
    certificate: DeviceCertificate,
}

impl Alice {
    fn new(seed: u64) -> Self {
        let rng = &mut rng(seed);
        let recovery = RecoveryKey::from_phrase(&RecoveryPhrase::generate(rng));
        let keys = DeviceKeys::generate(rng);
        let chain = Sigchain::found(&recovery, &keys, Vec::new(), Timestamp::from_millis(1));
        let certificate = chain.device(keys.device()).unwrap().clone();
        Self { keys, certificate }
    }

    fn to_bob(&self) -> DirectionKey {
        DirectionKey::new(&[1; 32], self.keys.device(), BOB)
    }
}

fn record(addresses: usize, length: usize) -> AddressRecord {
    let address = Address::new(&format!("/{}", "a".repeat(length.saturating_sub(1)))).unwrap();
    AddressRecord { version: 5, peer: PeerId::new([4; 38]), addresses: vec![address; addresses] }
}

#[test]
fn a_record_comes_back_from_its_spot_and_from_no_other() {
    let (alice, mallory) = (Alice::new(1), Alice::new(2));
    let key = alice.to_bob();
    for (record, size) in [(record(0, 20), 0), (record(8, 64), 0), (record(8, 256), 1)] {
        let value = key.seal_record(&alice.keys, BOB, SPOT, &record).unwrap();
        assert_eq!(value.len(), SIZES[size]);
        let open = |key: &DirectionKey, spot, to| key.open_record(&alice.certificate, to, spot, &value);
        assert_eq!(open(&key, SPOT, BOB), Ok(record.clone()));
        for other in [Spot { day: 20_001, ..SPOT }, Spot { day: 19_999, ..SPOT }, Spot { place: 1, ..SPOT }] {
            assert_eq!(open(&key, other, BOB), Err(RecordError::Seal), "{other:?}");
        }
        let device = alice.keys.device();
        let others = [
            DirectionKey::new(&[1; 32], BOB, device),
            DirectionKey::new(&[2; 32], device, BOB),
            DirectionKey::new(&[1; 32], device, DeviceId::new([4; 16])),
        ];
        for other in others {
            assert_eq!(open(&other, SPOT, BOB), Err(RecordError::Seal));
        }
        // Signed for another device, or by another one, under the right key.
        assert_eq!(open(&key, SPOT, DeviceId::new([4; 16])), Err(RecordError::Signature));
        assert_eq!(key.open_record(&mallory.certificate, BOB, SPOT, &value), Err(RecordError::Signature));
    }
}

#[test]
fn a_record_that_was_altered_anywhere_is_none() {
    let alice = Alice::new(1);
    let value = alice.to_bob().seal_record(&alice.keys, BOB, SPOT, &record(1, 30)).unwrap();
    let open = |value: &[u8]| alice.to_bob().open_record(&alice.certificate, BOB, SPOT, value);
    for at in 0..value.len() {
        let mut altered = value.clone();
        altered[at] ^= 1;
        assert_eq!(open(&altered), Err(RecordError::Seal), "{at}");
    }
    for length in [0, 1, 25, 41, 42, 767, 2_559] {
        let cut: Vec<u8> = value.iter().copied().cycle().take(length).collect();
        assert_eq!(open(&cut), Err(RecordError::Seal), "{length}");
    }
}

#[test]
fn what_the_pair_itself_seals_wrongly_is_malformed_and_nothing_worse() {
    let alice = Alice::new(1);
    let key = alice.to_bob();
    let place = key.record_key(SPOT);
    let signed = |bytes: &[u8]| {
        let signature = alice.keys.sign(Label::AddressRecord, &[BOB.as_bytes(), bytes]);
        [&signature[..], bytes, &[0x80]].concat()
    };
    let whole = signed(&record(1, 30).encode());
    let bad = [vec![], vec![0x80], vec![7; 64], whole[..whole.len() - 1].to_vec(), signed(b""), signed(b"\xa0")];
    for inner in bad {
        let mut padded = inner.clone();
        padded.resize(SIZES[0] - AROUND, 0);
        let tag = aead::xseal(key.record_seal(SPOT).as_bytes(), &[9; NONCE], place.as_bytes(), &mut padded);
        let value = [&[VERSION][..], &[9; NONCE], &padded, &tag].concat();
        let opened = key.open_record(&alice.certificate, BOB, SPOT, &value);
        assert_eq!(opened, Err(RecordError::Malformed), "{inner:?}");
    }
}

#[test]
fn what_is_sealed_again_is_the_same_and_no_nonce_serves_two() {
    let alice = Alice::new(1);
    let seal = |spot, record: &AddressRecord| alice.to_bob().seal_record(&alice.keys, BOB, spot, record).unwrap();
    let one = seal(SPOT, &record(1, 30));
    assert_eq!(seal(SPOT, &record(1, 30)), one);
    for other in [seal(SPOT, &record(1, 31)), seal(Spot { place: 1, ..SPOT }, &record(1, 30))] {
        assert_ne!(other[1..25], one[1..25]);
    }
}

/// Every stretch of eight bytes.
fn stretches(bytes: &[u8]) -> BTreeSet<[u8; 8]> {
    bytes.windows(8).map(|window| window.try_into().unwrap()).collect()
}

#[test]
fn b08_what_is_asked_and_stored_for_one_contact_shares_nothing_with_other_days_places_and_the_way_back() {
    let (alice, bob) = (Alice::new(1), Alice::new(2));
    let ends = [(&alice, &bob), (&bob, &alice)];
    let mut seen: BTreeSet<[u8; 8]> = BTreeSet::new();
    for day in 20_000..20_010 {
        for place in 0..PLACES {
            for (from, to) in ends {
                let to = to.keys.device();
                let key = DirectionKey::new(&[1; 32], from.keys.device(), to);
                let spot = Spot { day, place };
                // The same addresses on every day.
                let value = key.seal_record(&from.keys, to, spot, &record(2, 40)).unwrap();
                assert_eq!(value.len(), SIZES[0]);
                for bytes in [&key.record_key(spot).as_bytes()[..], &value] {
                    let stretches = stretches(bytes);
                    assert!(seen.is_disjoint(&stretches), "{spot:?}");
                    seen.extend(stretches);
                }
            }
        }
    }
    // What is public of either is in none of it.
    for public in [&alice.certificate, &bob.certificate] {
        let known = [&public.signing_key[..], &public.identity_key, public.device.as_bytes(), &[4; 38]].concat();
        assert!(seen.is_disjoint(&stretches(&known)));
    }
}

#[test]
fn a_record_that_just_fits_comes_back_whole_and_one_byte_more_takes_the_next_size() {
    let alice = Alice::new(1);
    let key = alice.to_bob();
    let room = SIZES[0] - AROUND - SIGNATURE - 1;
    let mut met = BTreeSet::new();
    for last in 150..=250 {
        let long = record(1, last).addresses;
        let mut record = record(3, 120);
        record.addresses.extend(long);
        let bytes = record.encode().len();
        let value = key.seal_record(&alice.keys, BOB, SPOT, &record).unwrap();
        assert_eq!(value.len(), SIZES[usize::from(bytes > room)], "{bytes}");
        assert_eq!(key.open_record(&alice.certificate, BOB, SPOT, &value), Ok(record), "{bytes}");
        met.insert(bytes);
    }
    assert!(met.contains(&room) && met.contains(&(room + 1)), "{met:?} of {room}");
}
