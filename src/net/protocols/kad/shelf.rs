//! What this node keeps for the hash table: values that can be address records, for a day, in places of which no network
//! of writers takes more than its part.
//!
//! Whoever stores a value learns its key and can write there too. So a key has room for values from several networks,
//! and whoever asks is given them in turn: with many nodes asked, the genuine one is among the answers.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kinfolk_wire::address_record;
use kinfolk_wire::ids::RecordKey;
use libp2p::PeerId;
use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey as TableKey};

use super::network::Network;

/// Values at the most.
const RECORDS: usize = 16_384;
/// From one network.
const RECORDS_OF_ONE: usize = 1_024;
/// Under one key.
const RECORDS_OF_A_KEY: usize = 4;
/// How long at the most; as long as whoever writes asks for, and no more.
pub(crate) const LIFETIME: Duration = Duration::from_millis(address_record::LIFETIME.as_millis());

type Key = [u8; RecordKey::LENGTH];

#[derive(Debug)]
struct Kept {
    value: Vec<u8>,
    from: Network,
    until: Instant,
}

/// The values.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    keys: BTreeMap<Key, Vec<Kept>>,
    /// Of each network: what it wrote, the first to go first.
    of: BTreeMap<Network, BTreeSet<(Instant, Key)>>,
    count: usize,
    turn: Cell<usize>,
}

impl Shelf {
    /// An empty one. Nodes that are asked the same begin at different values.
    pub(crate) fn new(local: PeerId) -> Self {
        let turn = local.to_bytes().last().map_or(0, |byte| usize::from(*byte));
        Self { turn: Cell::new(turn), ..Self::default() }
    }

    /// Keeps a value that came from a network. Says whether it does.
    pub(crate) fn keep(&mut self, record: Record, from: Network, now: Instant) -> bool {
        let Ok(key) = <Key>::try_from(record.key.as_ref()) else { return false };
        let until = record.expires.map_or(now + LIFETIME, |until| until.min(now + LIFETIME));
        if !address_record::is_size(record.value.len()) || record.publisher.is_some() || until <= now {
            return false;
        }
        self.throw_away(now);
        self.take_from(&key, from);
        if self.keys.get(&key).is_some_and(|kept| kept.len() >= RECORDS_OF_A_KEY) {
            let oldest = self.keys.get(&key).and_then(|kept| kept.iter().min_by_key(|kept| kept.until));
            if let Some(network) = oldest.map(|kept| kept.from) {
                self.take_from(&key, network);
            }
        }
        if self.of.get(&from).is_some_and(|own| own.len() >= RECORDS_OF_ONE) {
            self.take_first_of(from);
        } else if self.count >= RECORDS {
            // Whoever has most gives way.
            let greatest = self.of.iter().max_by_key(|(_, own)| own.len()).map(|(network, _)| *network);
            greatest.into_iter().for_each(|network| self.take_first_of(network));
        }
        self.keys.entry(key).or_default().push(Kept { value: record.value, from, until });
        self.of.entry(from).or_default().insert((until, key));
        self.count += 1;
        true
    }

    fn throw_away(&mut self, now: Instant) {
        let over: Vec<(Network, Key)> = self
            .of
            .iter()
            .flat_map(|(network, own)| {
                own.iter().take_while(|(until, _)| *until <= now).map(|(_, key)| (*network, *key))
            })
            .collect();
        for (network, key) in over {
            self.take_from(&key, network);
        }
    }

    fn take_first_of(&mut self, network: Network) {
        if let Some((_, key)) = self.of.get(&network).and_then(|own| own.first().copied()) {
            self.take_from(&key, network);
        }
    }

    /// Takes away what a network wrote under a key, if it did.
    fn take_from(&mut self, key: &Key, network: Network) {
        let Some(kept) = self.keys.get_mut(key) else { return };
        let Some(at) = kept.iter().position(|kept| kept.from == network) else { return };
        let until = kept.remove(at).until;
        if kept.is_empty() {
            self.keys.remove(key);
        }
        if let Some(own) = self.of.get_mut(&network) {
            own.remove(&(until, *key));
            if own.is_empty() {
                self.of.remove(&network);
            }
        }
        self.count = self.count.saturating_sub(1);
    }
}

impl RecordStore for Shelf {
    type RecordsIter<'a> = std::iter::Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = std::iter::Empty<Cow<'a, ProviderRecord>>;

    fn get(&self, key: &TableKey) -> Option<Cow<'_, Record>> {
        let kept = self.keys.get(key.as_ref())?;
        let now = Instant::now();
        let there: Vec<&Kept> = kept.iter().filter(|kept| kept.until > now).collect();
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let Kept { value, until, .. } = there.get(turn.checked_rem(there.len())?)?;
        let record = Record { key: key.clone(), value: value.clone(), publisher: None, expires: Some(*until) };
        Some(Cow::Owned(record))
    }

    /// Nothing is kept but by [`keep`](Shelf::keep).
    fn put(&mut self, _: Record) -> Result<()> {
        Err(Error::MaxRecords)
    }

    fn remove(&mut self, _: &TableKey) {}

    /// Nothing is passed on: whoever wrote it writes it again.
    fn records(&self) -> Self::RecordsIter<'_> {
        std::iter::empty()
    }

    fn add_provider(&mut self, _: ProviderRecord) -> Result<()> {
        Err(Error::MaxProvidedKeys)
    }

    fn providers(&self, _: &TableKey) -> Vec<ProviderRecord> {
        Vec::new()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        std::iter::empty()
    }

    fn remove_provider(&mut self, _: &TableKey, _: &PeerId) {}
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn network(number: u16) -> Network {
        let [a, b] = number.to_be_bytes();
        Network::of_ip(std::net::Ipv4Addr::new(93, a, b, 7).into())
    }

    fn record(key: u64, byte: u8) -> Record {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&key.to_be_bytes());
        Record::new(bytes.to_vec(), vec![byte; address_record::SIZES[0]])
    }

    fn at(shelf: &Shelf, key: u64) -> BTreeSet<u8> {
        (0..8).filter_map(|_| shelf.get(&record(key, 0).key).map(|found| found.value[0])).collect()
    }

    #[test]
    fn only_what_can_be_a_record_is_kept() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        let good = record(1, 1);
        let publisher = Some(PeerId::random());
        let bad = [
            Record { key: vec![1; 31].into(), ..good.clone() },
            Record { key: vec![1; 33].into(), ..good.clone() },
            Record { value: vec![1; 767], ..good.clone() },
            Record { value: vec![], ..good.clone() },
            Record { value: vec![1; 65_000], ..good.clone() },
            Record { expires: Some(now), ..good.clone() },
            Record { publisher, ..good.clone() },
        ];
        for bad in bad {
            assert!(!shelf.keep(bad, network(1), now));
        }
        assert!(shelf.put(good.clone()).is_err());
        assert!(shelf.add_provider(ProviderRecord::new(vec![1; 32], PeerId::random(), vec![])).is_err());
        assert!(shelf.get(&good.key).is_none());
        assert!(shelf.keep(good.clone(), network(1), now));
        assert_eq!(shelf.get(&good.key).unwrap().value, good.value);
        assert!(shelf.records().next().is_none());
    }

    #[test]
    fn nothing_stays_longer_than_a_day_whatever_it_asks_for() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        let long = Record { expires: Some(now + 40 * LIFETIME), ..record(1, 1) };
        assert!(shelf.keep(long, network(1), now));
        assert!(shelf.get(&record(1, 0).key).unwrap().expires.unwrap() <= now + LIFETIME);
        shelf.keep(record(2, 2), network(1), now + LIFETIME);
        assert_eq!((shelf.count, shelf.keys.len()), (1, 1));
    }

    #[test]
    fn d08_who_writes_over_a_key_does_not_hide_what_others_wrote_there() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        shelf.keep(record(1, 1), network(1), now);
        for _ in 0..50 {
            shelf.keep(record(1, 66), network(2), now + Duration::from_secs(1));
        }
        assert_eq!(at(&shelf, 1), BTreeSet::from([1, 66]));
        shelf.keep(record(1, 2), network(1), now + Duration::from_secs(2));
        assert_eq!(at(&shelf, 1), BTreeSet::from([2, 66]), "its own writer replaces it");
    }

    #[test]
    fn d08_a_flood_from_one_network_takes_no_place_of_others() {
        let (mut shelf, now) = (Shelf::default(), Instant::now());
        for key in 0..50 {
            shelf.keep(record(key, 1), network(1), now);
        }
        for key in 0..5_000 {
            shelf.keep(record(1_000_000 + key, 66), network(2), now + Duration::from_secs(key));
        }
        assert_eq!(shelf.of[&network(2)].len(), RECORDS_OF_ONE);
        assert_eq!(shelf.count, 50 + RECORDS_OF_ONE);
        // From as many networks as there are places for one of each.
        for key in 0..20_000 {
            let from = network(3 + u16::try_from(key % 100).unwrap());
            shelf.keep(record(2_000_000 + key, 66), from, now + Duration::from_secs(key));
        }
        assert_eq!(shelf.count, RECORDS);
        assert!((0..50).all(|key| at(&shelf, key) == BTreeSet::from([1])));
        assert_eq!(shelf.of.values().map(BTreeSet::len).sum::<usize>(), shelf.count);
    }
}
