//! Contacts look for each other in a hash table to which anybody writes and that anybody reads.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_crypto::PairRoot;
use kinfolk_crypto::mailbox::DirectionKey;
use kinfolk_crypto::rendezvous::Spot;
use kinfolk_engine::input::{Command, Report};
use kinfolk_engine::store::{Device, Finding, HashTable, Key, Table, Tried};
use kinfolk_engine::{Effect, Input, Rejection};
use kinfolk_wire::address_record::{AddressRecord, LIFETIME, PLACES, SIZES};
use kinfolk_wire::ids::{PeerId, RecordKey};
use kinfolk_wire::invite::Address;
use kinfolk_wire::time::{Span, Timestamp};

use crate::town::{Town, address, peer};

const DAY: Span = Span::from_days(1);

/// Anna and Bea, contacts; both have moved while neither was there, so that no address that one knows is good.
fn moved_apart() -> Town {
    let mut town = Town::of_friends(2);
    for who in [0, 1] {
        town.sleep(who);
        town.moved.insert(who, address(70 + who));
    }
    town
}

/// A town with a hash table, in which all but Anna sleep.
fn anna_alone(count: usize) -> Town {
    let mut town = Town::of_friends(count);
    town.hash_table = Some(BTreeMap::new());
    (0..count).for_each(|who| town.sleep(who));
    town.wake(0);
    town.effects.clear();
    town
}

fn are_connected(town: &Town) -> bool {
    town.contact(0, 1).unwrap().online && town.contact(1, 0).unwrap().online
}

/// What somebody put into the table.
fn published(town: &Town, by: usize) -> Vec<(RecordKey, Vec<u8>)> {
    let of_one = town.effects.iter().filter(|(who, _)| *who == by);
    of_one
        .filter_map(|(_, effect)| match effect {
            Effect::Publish { key, value, .. } => Some((*key, value.clone())),
            _ => None,
        })
        .collect()
}

/// What somebody asked the table for.
fn asked(town: &Town, by: usize) -> Vec<RecordKey> {
    let of_one = town.effects.iter().filter(|(who, _)| *who == by);
    of_one
        .filter_map(|(_, effect)| match effect {
            Effect::Find { key, .. } => Some(*key),
            _ => None,
        })
        .collect()
}

fn direction(town: &Town, from: usize, to: usize) -> DirectionKey {
    let root = town.device(to, from).pair_root.unwrap();
    let root = PairRoot::from_bytes(root.as_slice()).unwrap();
    root.direction_key(town.profile(from).device, town.profile(to).device)
}

fn day(at: Timestamp) -> u32 {
    u32::try_from(at.as_millis() / DAY.as_millis()).unwrap()
}

/// A record that a program of one's own could seal for another.
fn sealed(town: &Town, from: usize, to: usize, spot: Spot, record: &AddressRecord) -> Vec<u8> {
    let keys = kinfolk_crypto::DeviceKeys::from_bytes(town.profile(from).device_keys.as_slice()).unwrap();
    direction(town, from, to).seal_record(&keys, town.profile(to).device, spot, record).unwrap()
}

fn record(version: u64, from: usize, at: usize) -> AddressRecord {
    AddressRecord { version, peer: peer(from), addresses: vec![address(at)] }
}

#[test]
fn two_who_both_moved_while_neither_was_there_find_each_other_by_their_records() {
    let mut town = moved_apart();
    town.hash_table = Some(BTreeMap::new());
    town.wake(0);
    town.wake(1);
    town.pass(Span::from_secs(180));
    assert!(are_connected(&town));
    // What was found was taken in the order in which it was trusted.
    let finding: Finding = town.row(0, &Key::Finding(town.profile(1).device)).unwrap();
    assert!(finding.found.is_empty(), "what was found is forgotten once it led there");
    assert_eq!(town.device(0, 1).addresses[0], address(71));
}

#[test]
fn without_a_hash_table_nothing_is_written_and_nobody_is_looked_for() {
    let mut town = moved_apart();
    town.wake(0);
    town.wake(1);
    town.pass(DAY);
    assert!(!are_connected(&town));
    assert_eq!((published(&town, 0), asked(&town, 0)), (vec![], vec![]));
    assert!(town.table(0, Table::Finding).is_empty());
}

#[test]
fn a_record_is_written_again_before_it_goes_under_keys_of_the_day_and_the_next() {
    let mut town = anna_alone(2);
    let began = town.now;
    let mut rounds: Vec<(Timestamp, BTreeSet<RecordKey>)> = Vec::new();
    while town.now.since(began).as_millis() < 3 * DAY.as_millis() {
        town.effects.clear();
        town.pass(Span::from_secs(60));
        let written = published(&town, 0);
        if !written.is_empty() {
            assert!(written.iter().all(|(_, value)| value.len() == SIZES[0]));
            rounds.push((town.now, written.into_iter().map(|(key, _)| key).collect()));
        }
    }
    assert!((12..=16).contains(&rounds.len()), "{} rounds in three days", rounds.len());
    let key = direction(&town, 0, 1);
    for (at, keys) in &rounds {
        // A minute that has midnight in it has keys of either day.
        let expected = |day: u32| -> BTreeSet<RecordKey> {
            let days = [day, day + 1];
            days.into_iter()
                .flat_map(|day| (0..PLACES).map(move |place| Spot { day, place }))
                .map(|spot| key.record_key(spot))
                .collect()
        };
        let before = day(at.before(Span::from_secs(60)));
        assert!(*keys == expected(day(*at)) || *keys == expected(before), "{at:?}");
    }
    for pair in rounds.windows(2) {
        let apart = pair[1].0.since(pair[0].0);
        assert!(apart <= Span::from_secs(6 * 3_600 + 60) && apart >= Span::from_hours(4), "{apart:?}");
    }
    // At any time there was something under the keys of the day.
    let table = town.hash_table.unwrap();
    for place in 0..PLACES {
        let spot = Spot { day: day(town.now), place };
        assert!(table[&key.record_key(spot)].iter().any(|(until, _)| *until > town.now));
    }
}

#[test]
fn records_for_many_contacts_are_written_one_after_the_other() {
    let mut town = anna_alone(4);
    let mut last = Timestamp::from_millis(0);
    let mut turns = 0;
    let end = town.now.after(Span::from_secs(60));
    while town.step(end) {
        let written = published(&town, 0).len();
        if written > 0 {
            assert_eq!(written, usize::from(2 * PLACES), "two at once");
            assert!(town.now.since(last) >= Span::from_secs(2), "too soon after the last");
            last = town.now;
            turns += 1;
            town.effects.clear();
        }
    }
    assert_eq!(turns, 3);
}

#[test]
fn a_change_of_address_is_written_at_once_and_nothing_is_written_for_who_is_connected() {
    let mut town = Town::of_friends(3);
    town.hash_table = Some(BTreeMap::new());
    for who in 0..3 {
        town.input(who, Input::Network(Report::Joined));
    }
    town.sleep(2);
    town.pass(Span::from_secs(30));
    let key_for = |town: &Town, to: usize| direction(town, 0, to).record_key(Spot { day: day(town.now), place: 0 });
    let written: Vec<RecordKey> = published(&town, 0).into_iter().map(|(key, _)| key).collect();
    assert!(written.contains(&key_for(&town, 2)));
    assert!(!written.contains(&key_for(&town, 1)), "Bea is told directly");
    town.effects.clear();
    let report = Report::Listening(address(80));
    town.input(0, Input::Network(report));
    town.pass(Span::from_secs(30));
    assert_eq!(published(&town, 0).len(), usize::from(2 * PLACES));
}

#[test]
fn g07_clocks_that_differ_by_a_day_find_each_other() {
    for fast in [0, 1] {
        let mut town = moved_apart();
        town.hash_table = Some(BTreeMap::new());
        town.ahead.insert(fast, DAY);
        // One of them only looks: the other alone has to be found.
        town.wake(fast);
        town.pass(Span::from_secs(30));
        town.wake(1 - fast);
        let seen = town.row::<Finding>(1 - fast, &Key::Finding(town.profile(fast).device));
        assert!(seen.is_none_or(|finding| finding.version_taken == 0));
        town.pass(Span::from_secs(180));
        assert!(are_connected(&town), "{fast} is ahead");
    }
}

#[test]
fn a_clock_that_was_set_back_does_not_make_new_records_look_old() {
    let mut town = anna_alone(2);
    town.pass(Span::from_secs(30));
    let bea = town.profile(1).device;
    let before = town.row::<Finding>(0, &Key::Finding(bea)).unwrap().version_given;
    town.set_clock(town.now.before(Span::from_days(20)));
    town.input(0, Input::Network(Report::Listening(address(80))));
    town.pass(Span::from_secs(60));
    let after: Finding = town.row(0, &Key::Finding(bea)).unwrap();
    assert!(after.version_given > before);
    assert_eq!(after.given.len(), 2);
}

/// Anna looks for Bea, who has moved and sleeps; the table holds these values under every key.
fn looks_at(values: impl Fn(&Town, Spot) -> Vec<Vec<u8>>) -> Town {
    let mut town = moved_apart();
    let mut table: BTreeMap<RecordKey, Vec<(Timestamp, Vec<u8>)>> = BTreeMap::new();
    for day in [day(town.now), day(town.now) + 1] {
        for place in 0..PLACES {
            let spot = Spot { day, place };
            let there = values(&town, spot).into_iter().map(|value| (town.now.after(LIFETIME), value)).collect();
            table.insert(direction(&town, 1, 0).record_key(spot), there);
        }
    }
    town.hash_table = Some(table);
    town.effects.clear();
    town.wake(0);
    town.pass(Span::from_secs(120));
    assert!(!asked(&town, 0).is_empty());
    town
}

/// What Anna took.
fn taken(town: &Town) -> Finding {
    town.row(0, &Key::Finding(town.profile(1).device)).unwrap()
}

#[test]
fn d08_of_all_that_lies_under_a_key_the_newest_genuine_record_counts() {
    let town = looks_at(|town, spot| {
        let other_day = Spot { day: spot.day + 1, ..spot };
        let mut altered = sealed(town, 1, 0, spot, &record(99, 1, 66));
        altered[100] ^= 1;
        vec![
            vec![],
            vec![7; 5],
            vec![7; SIZES[0]],
            vec![7; SIZES[1]],
            vec![7; 1 << 20],
            sealed(town, 1, 0, spot, &record(5, 1, 60)),
            // Of another day, of the way back, of another's making, altered.
            sealed(town, 1, 0, other_day, &record(90, 1, 61)),
            sealed(town, 0, 1, spot, &record(91, 0, 62)),
            altered,
            sealed(town, 1, 0, spot, &record(7, 1, 63)),
            sealed(town, 1, 0, spot, &record(6, 1, 64)),
        ]
    });
    let finding = taken(&town);
    assert_eq!((finding.version_taken, finding.found), (7, vec![address(63)]));
    assert!(town.effects.iter().any(|(who, effect)| {
        *who == 0
            && matches!(effect, Effect::Dial { addresses, .. } if addresses.last() == Some(&address(63)) && addresses.len() > 1)
    }));
    let strange = [60, 61, 62, 64, 66].map(address);
    let dialled = |wanted: &Address| {
        town.effects.iter().any(|(who, effect)| {
            *who == 0 && matches!(effect, Effect::Dial { addresses, .. } if addresses.contains(wanted))
        })
    };
    assert!(!strange.iter().any(dialled));
}

#[test]
fn d08_a_record_that_was_read_before_says_nothing_the_second_time() {
    let mut town = looks_at(|town, spot| vec![sealed(town, 1, 0, spot, &record(7, 1, 63))]);
    assert_eq!(taken(&town).version_taken, 7);
    let table = town.hash_table.as_mut().unwrap();
    table.values_mut().for_each(Vec::clear);
    // An old one of Bea's, kept by whoever stored it.
    let spots: Vec<Spot> = (0..PLACES).map(|place| Spot { day: day(town.now), place }).collect();
    for spot in spots {
        let (key, until) = (direction(&town, 1, 0).record_key(spot), town.now.after(LIFETIME));
        let value = sealed(&town, 1, 0, spot, &record(6, 1, 64));
        town.hash_table.as_mut().unwrap().insert(key, vec![(until, value)]);
    }
    town.effects.clear();
    town.pass(Span::from_hours(2));
    assert!(!asked(&town, 0).is_empty());
    assert_eq!((taken(&town).version_taken, taken(&town).found), (7, vec![address(63)]));
}

#[test]
fn b07_a_contact_does_not_speak_for_the_node_of_another_in_a_record() {
    let town = looks_at(|town, spot| {
        let elsewhere = AddressRecord { version: 7, peer: PeerId::new([50; 38]), addresses: vec![address(63)] };
        let own = AddressRecord { peer: peer(0), ..elsewhere.clone() };
        vec![sealed(town, 1, 0, spot, &elsewhere), sealed(town, 1, 0, spot, &own)]
    });
    assert_eq!((taken(&town).version_taken, taken(&town).found), (0, vec![]));
}

#[test]
fn what_lies_there_and_is_no_record_is_counted_and_changes_nothing() {
    let mut town = moved_apart();
    town.hash_table = Some(BTreeMap::new());
    town.wake(0);
    // To just before the answer: the request is known by then.
    let request = loop {
        let found = town.effects.iter().find_map(|(_, effect)| match effect {
            Effect::Find { request, .. } => Some(*request),
            _ => None,
        });
        if let Some(request) = found {
            break request;
        }
        assert!(town.step(town.now.after(Span::from_secs(60))));
    };
    let before = town.row::<Device>(0, &Key::Device(town.profile(1).device));
    let made = town.input(0, Input::Network(Report::Found(request, vec![vec![1; SIZES[0]], vec![2; 9]])));
    assert_eq!(made.rejections, [Rejection::Record, Rejection::Record]);
    assert_eq!(town.row::<Device>(0, &Key::Device(town.profile(1).device)), before);
    // The same answer again, and one to nothing that was asked.
    for number in [request.0, 1 << 40] {
        let again = Report::Found(kinfolk_engine::effect::RequestId(number), vec![vec![1; SIZES[0]]]);
        let made = town.input(0, Input::Network(again));
        assert!(made.rejections.is_empty() && made.effects.is_empty() && made.changes.is_empty());
    }
}

#[test]
fn who_is_not_found_is_looked_for_ever_more_rarely() {
    let mut town = anna_alone(2);
    town.moved.insert(1, address(71));
    town.pass(DAY);
    // Both places of two days each time.
    let looks = asked(&town, 0).len() / usize::from(2 * PLACES);
    assert!((9..=14).contains(&looks), "{looks}");
    town.effects.clear();
    town.pass(DAY);
    let looks = asked(&town, 0).len() / usize::from(2 * PLACES);
    assert!((2..=5).contains(&looks), "{looks}");
}

#[test]
fn a_table_that_takes_nothing_is_tried_again_without_haste() {
    let mut town = anna_alone(2);
    town.hash_table = None;
    town.pass(DAY);
    let rounds = published(&town, 0).len() / usize::from(2 * PLACES);
    assert!((6..=12).contains(&rounds), "{rounds}");
    town.hash_table = Some(BTreeMap::new());
    town.pass(Span::from_hours(7));
    assert!(town.hash_table.as_ref().unwrap().len() >= 4);
    assert_eq!(town.row::<Finding>(0, &Key::Finding(town.profile(1).device)).unwrap().failures, 0);
}

#[test]
fn nothing_is_written_for_and_nobody_looks_for_who_is_blocked_or_removed() {
    for command in [Command::Block, Command::RemoveContact] {
        let mut town = anna_alone(2);
        let bea = town.people[1].identity;
        town.input(0, Input::Command(command(bea)));
        town.effects.clear();
        town.pass(Span::from_days(2));
        assert_eq!((published(&town, 0), asked(&town, 0)), (vec![], vec![]), "{:?}", command(bea));
    }
    let mut town = anna_alone(2);
    let bea = town.people[1].identity;
    town.input(0, Input::Command(Command::RemoveContact(bea)));
    assert!(town.table(0, Table::Finding).is_empty());
}

#[test]
fn who_is_heard_again_is_written_to_again() {
    let mut town = anna_alone(2);
    let bea = town.people[1].identity;
    town.input(0, Input::Command(Command::Block(bea)));
    town.pass(Span::from_hours(8));
    town.effects.clear();
    town.input(0, Input::Command(Command::Unblock(bea)));
    town.pass(Span::from_hours(2));
    assert!(!published(&town, 0).is_empty());
}

/// Every stretch of eight bytes.
fn stretches(bytes: &[u8]) -> BTreeSet<[u8; 8]> {
    bytes.windows(8).map(|window| window.try_into().unwrap()).collect()
}

#[test]
fn b08_what_is_asked_and_written_on_one_day_shares_nothing_with_the_day_after_the_next() {
    let mut town = anna_alone(2);
    let traffic = |town: &mut Town| {
        town.effects.clear();
        town.pass(Span::from_hours(12));
        let asked: BTreeSet<RecordKey> = asked(town, 0).into_iter().collect();
        let written: BTreeMap<RecordKey, Vec<u8>> = published(town, 0).into_iter().collect();
        assert!(!asked.is_empty() && !written.is_empty());
        assert!(asked.iter().all(|key| !written.contains_key(key)), "the two directions have keys of their own");
        let keys = asked.iter().chain(written.keys()).flat_map(|key| stretches(key.as_bytes()));
        keys.chain(written.values().flat_map(|value| stretches(value))).collect::<BTreeSet<_>>()
    };
    let first = traffic(&mut town);
    town.pass(Span::from_hours(36));
    let second = traffic(&mut town);
    assert!(first.is_disjoint(&second));
    // Nothing of it is what others know of Anna or Bea.
    for who in [0, 1] {
        let (profile, node) = (town.profile(who), peer(who));
        let known = [profile.device.as_bytes(), &profile.identity.as_bytes()[..16], &node.as_bytes()[..16]];
        for bytes in known {
            assert!(first.is_disjoint(&stretches(bytes)));
        }
    }
}

#[test]
fn what_was_tried_to_begin_with_is_kept_for_who_asks() {
    let mut town = Town::of_friends(2);
    let tried = vec![Tried { address: address(9), reason: "nobody answered at any of the addresses".to_owned() }];
    town.input(0, Input::Network(Report::NotJoined(tried.clone())));
    let table: HashTable = town.row(0, &Key::HashTable).unwrap();
    assert_eq!((table.is_joined, table.tried), (false, tried));
    town.input(0, Input::Network(Report::Joined));
    let table: HashTable = town.row(0, &Key::HashTable).unwrap();
    assert_eq!((table.is_joined, table.tried), (true, vec![]));
    let many = vec![Tried { address: address(9), reason: String::new() }; 100];
    town.input(0, Input::Network(Report::NotJoined(many)));
    assert_eq!(town.row::<HashTable>(0, &Key::HashTable).unwrap().tried.len(), HashTable::TRIED);
}
