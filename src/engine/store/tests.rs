use kinfolk_wire::codec;
use kinfolk_wire::ids::{DeviceId, IdentityId, PeerId};
use kinfolk_wire::time::Timestamp;
use proptest::prelude::*;

use super::*;

fn device(number: u8) -> DeviceId {
    DeviceId::new([number; DeviceId::LENGTH])
}

fn row(number: u64) -> Row {
    Counters { last_event: number, ..Counters::default() }.into()
}

/// What is done to a key, and what its row says then.
fn changes() -> impl Strategy<Value = Vec<(Key, Option<u64>)>> {
    let key = prop_oneof![
        (0..3u8, 0..12u64).prop_map(|(who, number)| Key::Outbox(device(who), number)),
        (0..12u64).prop_map(Key::Events),
        Just(Key::Counters),
    ];
    prop::collection::vec((key, prop::option::weighted(0.6, 0..100u64)), 0..40)
}

fn of(changes: &[(Key, Option<u64>)]) -> Changes {
    let mut made = Changes::default();
    for (key, to) in changes {
        match to {
            Some(number) => made.put(*key, row(*number)),
            None => made.delete(*key),
        }
    }
    made
}

proptest! {
    #[test]
    fn changes_laid_over_a_store_read_like_changes_committed_to_it(
        before in changes(),
        over in changes(),
        (who, from, until, limit, backwards) in (0..4u8, 0..12u64, 0..14u64, 0..6usize, any::<bool>()),
    ) {
        let mut base = MemoryStore::default();
        base.commit(&of(&before));
        let over = of(&over);
        let mut committed = base.clone();
        committed.commit(&over);
        let overlay = Overlay { base: &base, changes: &over };
        let scan = match who {
            3 => Scan { from, until, limit, backwards, ..Scan::all(Table::Event, 0) },
            who => Scan { from, until, limit, backwards, ..Scan::outbox_after(device(who), 0, 0) },
        };
        prop_assert_eq!(overlay.scan(&scan).unwrap().rows, committed.scan(&scan).unwrap().rows);
        for (key, _) in over.iter() {
            prop_assert_eq!(overlay.get(key).unwrap(), committed.get(key).unwrap());
        }
    }

    #[test]
    fn later_changes_lie_over_earlier_ones_in_the_order_of_keys(first in changes(), then in changes()) {
        let mut both = of(&first);
        both.extend(of(&then));
        let at_once = of(&[first, then].concat());
        let told = |changes: &Changes| changes.iter().map(|(key, change)| format!("{key:?} {change:?}")).collect::<Vec<_>>();
        prop_assert_eq!(told(&both), told(&at_once));
        prop_assert_eq!(both.len(), both.iter().count());
        prop_assert_eq!(both.is_empty(), both.iter().next().is_none());
        prop_assert!(both.iter().map(|(key, _)| *key).is_sorted());
    }
}

#[test]
fn every_name_in_a_key_has_room_for_all_its_bytes() {
    let (identity, peer) = (IdentityId::new([255; IdentityId::LENGTH]), PeerId::new([255; PeerId::LENGTH]));
    let alarms = [
        Alarm::Dial(device(255)),
        Alarm::Ask(identity),
        Alarm::Receipts(identity),
        Alarm::LinkStalled(peer),
        Alarm::Write(device(255)),
        Alarm::Look(device(255)),
        Alarm::Heal(device(255)),
        Alarm::Housekeeping,
    ];
    for alarm in alarms {
        let text = codec::to_cbor(&alarm);
        let segments = Key::Timer(Timestamp::from_millis(1), alarm).segments();
        let Some(Segment::Name { bytes, .. }) = segments.get(1) else { panic!("{segments:?}") };
        assert_eq!(**bytes, *text);
    }
    assert_eq!(Key::Peer(peer).segments().len(), 1);
}
