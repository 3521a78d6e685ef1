//! One turn: the time, chance, reads that see the turn's own writes, and what it asks for. Nothing else is reachable.

use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::time::Timestamp;
use rand_core::CryptoRng;

use crate::effect::{Effect, RequestId};
use crate::event::{Event, Notice};
use crate::input::Delivery;
use crate::refusal::Refusal;
use crate::services::outgoing::Outgoing;
use crate::store::{
    Alarm, Changes, Counters, Events, Key, Nothing, Overlay, Profile, Read, ReadError, Record, Row, Scan, Scanned,
};

/// How many events the log keeps at least; older ones are gone and a face that wants them starts anew.
pub(crate) const EVENTS_KEPT: u64 = 20_000;

/// Something that was thrown away or put off, for the counters: never a sign of what was inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// Somebody claimed to be a device and did not prove it, or is not welcome.
    Hello,
    /// A knock without a good invite, or too many of them.
    Knock,
    /// A first message that does not fit its knock.
    Chain,
    /// Prekeys that are not genuine or go back in time.
    Prekeys,
    /// A payload from a peer that has not said who it is.
    Stranger,
    /// A payload that opened before.
    Replay,
    /// A payload that does not open.
    Undecryptable,
    /// It opened, and what was inside is malformed.
    Malformed,
    /// It opened, and what was inside does not belong in this conversation.
    Misplaced,
    /// Its order number is impossible.
    Order,
    /// Tokens that are not under the key that was announced, or are of no host that was named.
    Tokens,
    /// Something in the hash table that the contact did not write for this device, on this day.
    Record,
    /// It was due, and a record that it needs cannot be read.
    Damaged,
}

impl Rejection {
    /// A name for counters, in snake_case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Knock => "knock",
            Self::Chain => "chain",
            Self::Prekeys => "prekeys",
            Self::Stranger => "stranger",
            Self::Replay => "replay",
            Self::Undecryptable => "undecryptable",
            Self::Malformed => "malformed",
            Self::Misplaced => "misplaced",
            Self::Order => "order",
            Self::Tokens => "tokens",
            Self::Record => "record",
            Self::Damaged => "damaged",
        }
    }
}

/// One turn of an engine.
pub(crate) struct Step<'a> {
    pub(crate) now: Timestamp,
    pub(crate) rng: &'a mut dyn CryptoRng,
    base: &'a dyn Read,
    changes: Changes,
    effects: Vec<Effect>,
    rejections: Vec<Rejection>,
}

/// A turn as it stood at some point.
pub(crate) struct Checkpoint {
    changes: Changes,
    effects: usize,
    rejections: usize,
}

impl<'a> Step<'a> {
    pub(crate) fn new(now: Timestamp, rng: &'a mut dyn CryptoRng, base: &'a dyn Read) -> Self {
        Self { now, rng, base, changes: Changes::default(), effects: Vec::new(), rejections: Vec::new() }
    }

    pub(crate) fn finish(self) -> (Changes, Vec<Effect>, Vec<Rejection>) {
        (self.changes, self.effects, self.rejections)
    }

    /// What the turn has asked for so far, to come back to with [`roll_back`](Self::roll_back).
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint { changes: self.changes.clone(), effects: self.effects.len(), rejections: self.rejections.len() }
    }

    /// Forgets what was asked for since a checkpoint.
    pub(crate) fn roll_back(&mut self, checkpoint: Checkpoint) {
        self.changes = checkpoint.changes;
        self.effects.truncate(checkpoint.effects);
        self.rejections.truncate(checkpoint.rejections);
    }

    /// Does something that must not keep the rest of the turn from being done: where a record that it needs is damaged,
    /// it leaves no trace but the count. Says whether it was done.
    pub(crate) fn contain(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Refusal>) -> Result<bool, Refusal> {
        let untouched = self.checkpoint();
        match act(self) {
            Ok(()) => Ok(true),
            Err(refusal) if refusal.is_damage() => {
                self.roll_back(untouched);
                self.reject(Rejection::Damaged);
                Ok(false)
            }
            Err(refusal) => Err(refusal),
        }
    }

    pub(crate) fn reject(&mut self, rejection: Rejection) {
        self.rejections.push(rejection);
    }

    /// The record of a key, where there is one.
    pub(crate) fn find<T: Record>(&self, key: &Key) -> Result<Option<T>, Refusal> {
        match self.reads().get(key)? {
            Some(row) => T::of(row).map(Some).ok_or(Refusal::Inconsistent("a row of another kind than its key")),
            None => Ok(None),
        }
    }

    pub(crate) fn has(&self, key: &Key) -> Result<bool, Refusal> {
        Ok(self.reads().get(key)?.is_some())
    }

    pub(crate) fn scan(&self, scan: &Scan) -> Result<Scanned, ReadError> {
        self.reads().scan(scan)
    }

    pub(crate) fn put(&mut self, key: Key, record: impl Into<Row>) {
        self.changes.put(key, record.into());
    }

    pub(crate) fn delete(&mut self, key: Key) {
        self.changes.delete(key);
    }

    pub(crate) fn reads(&self) -> Overlay<'_> {
        Overlay { base: self.base, changes: &self.changes }
    }

    pub(crate) fn profile(&self) -> Result<Profile, Refusal> {
        self.find(&Key::Profile)?.ok_or(Refusal::NoProfile)
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn counters(&self) -> Result<Counters, Refusal> {
        Ok(self.find(&Key::Counters)?.unwrap_or_default())
    }

    /// A number that no request and no outbox item has had.
    pub(crate) fn next_request(&mut self) -> Result<u64, Refusal> {
        let mut counters = self.counters()?;
        counters.last_request += 1;
        let number = counters.last_request;
        self.put(Key::Counters, counters);
        Ok(number)
    }

    /// An id that no prekey of ours has had; never 0, which names none.
    pub(crate) fn next_prekey(&mut self) -> Result<u32, Refusal> {
        let mut counters = self.counters()?;
        counters.last_prekey += 1;
        let id = counters.last_prekey;
        self.put(Key::Counters, counters);
        Ok(id)
    }

    /// Notes that housekeeping is done now. Says when it was done before: at the beginning of time where it never was, and
    /// now where that time is still to come.
    pub(crate) fn note_housekeeping(&mut self) -> Result<Timestamp, Refusal> {
        let counters = self.counters()?;
        let before = counters.housekept_at.unwrap_or(Timestamp::from_millis(0)).min(self.now);
        self.put(Key::Counters, Counters { housekept_at: Some(self.now), ..counters });
        Ok(before)
    }

    /// Tells the faces, and keeps it in the log.
    pub(crate) fn emit(&mut self, event: Event) -> Result<(), Refusal> {
        let mut counters = self.counters()?;
        counters.last_event += 1;
        let sequence = counters.last_event;
        self.put(Key::Counters, counters);
        self.log(sequence, event.clone())?;
        self.effects.push(Effect::Notify(Notice { sequence: Some(sequence), event }));
        Ok(())
    }

    fn log(&mut self, sequence: u64, event: Event) -> Result<(), Refusal> {
        let number = Events::row_of(sequence);
        let mut row = match self.find::<Events>(&Key::Events(number)) {
            Ok(Some(row)) => row,
            // A log that cannot be read must not keep anything else from happening: it goes on behind a gap.
            Ok(None) | Err(Refusal::Store(ReadError::Damaged { .. })) => Events { first: sequence, events: Vec::new() },
            Err(refusal) => return Err(refusal),
        };
        if row.events.is_empty()
            && let Some(old) = number.checked_sub(Events::row_of(EVENTS_KEPT).saturating_add(1))
        {
            self.delete(Key::Events(old));
        }
        row.events.push(event);
        self.put(Key::Events(number), row);
        Ok(())
    }

    /// Tells the faces that are there now.
    pub(crate) fn mention(&mut self, event: Event) {
        self.effects.push(Effect::Notify(Notice { sequence: None, event }));
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn send(&mut self, request: Outgoing, peer: PeerId, kind: FrameKind, body: Vec<u8>) {
        self.effect(Effect::Send { request: RequestId(request.number()), peer, kind, body });
    }

    pub(crate) fn acknowledge(&mut self, delivery: Delivery) {
        self.effect(Effect::Acknowledge(delivery));
    }

    pub(crate) fn refuse(&mut self, delivery: Delivery, code: NackCode) {
        self.effect(Effect::Refuse(delivery, code));
    }

    /// Sets an alarm, in place of the one of the same kind that was set for `before`.
    pub(crate) fn set_alarm(&mut self, alarm: Alarm, before: Option<Timestamp>, due: Timestamp) {
        self.clear_alarm(alarm, before);
        self.put(Key::Timer(due, alarm), Nothing {});
    }

    pub(crate) fn clear_alarm(&mut self, alarm: Alarm, due: Option<Timestamp>) {
        if let Some(due) = due {
            self.delete(Key::Timer(due, alarm));
        }
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_wire::ids::IdentityId;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::query;
    use crate::store::{MemoryStore, Table};

    /// A store in which one row of the log cannot be read.
    struct Damaged {
        store: MemoryStore,
        at: Option<u64>,
    }

    impl Read for Damaged {
        fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
            match key {
                Key::Events(number) if Some(*number) == self.at => {
                    Err(ReadError::Damaged { table: Table::Event, reason: "a flipped bit".to_owned() })
                }
                key => self.store.get(key),
            }
        }

        fn scan(&self, scan: &Scan) -> Result<Scanned, ReadError> {
            let mut scanned = self.store.scan(scan)?;
            scanned.rows.retain(|(key, _)| self.at.is_none_or(|at| *key != Key::Events(at)));
            Ok(scanned)
        }
    }

    fn event(number: u64) -> Event {
        Event::ContactChanged(IdentityId::new([u8::try_from(number % 251).unwrap(); 32]))
    }

    impl Damaged {
        fn emit(&mut self, numbers: std::ops::RangeInclusive<u64>) {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            for number in numbers {
                let mut step = Step::new(Timestamp::from_millis(1), &mut rng, self);
                step.emit(event(number)).unwrap();
                let (changes, ..) = step.finish();
                self.store.commit(&changes);
            }
        }

        fn after(&self, sequence: u64, limit: usize) -> (Vec<u64>, bool) {
            let page = query::events_after(self, sequence, limit).unwrap();
            assert!(page.events.iter().all(|(number, told)| *told == event(*number)));
            (page.events.into_iter().map(|(number, _)| number).collect(), page.gap)
        }
    }

    #[test]
    fn every_rejection_has_a_name_of_its_own() {
        let all = [
            Rejection::Hello,
            Rejection::Knock,
            Rejection::Chain,
            Rejection::Prekeys,
            Rejection::Stranger,
            Rejection::Replay,
            Rejection::Undecryptable,
            Rejection::Malformed,
            Rejection::Misplaced,
            Rejection::Order,
            Rejection::Tokens,
            Rejection::Record,
            Rejection::Damaged,
        ];
        for rejection in all {
            assert_eq!(rejection.name(), format!("{rejection:?}").to_lowercase());
        }
    }

    #[test]
    fn what_is_contained_leaves_nothing_but_its_count_where_a_row_is_damaged() {
        let (mut rng, log) = (ChaCha8Rng::seed_from_u64(2), Damaged { store: MemoryStore::default(), at: Some(0) });
        let mut step = Step::new(Timestamp::from_millis(1), &mut rng, &log);
        step.reject(Rejection::Replay);
        assert!(
            !step
                .contain(|step| {
                    step.mention(event(1));
                    step.reject(Rejection::Order);
                    step.find::<Events>(&Key::Events(0)).map(|_| ())
                })
                .unwrap()
        );
        assert!(
            step.contain(|step| {
                step.mention(event(2));
                Ok(())
            })
            .unwrap()
        );
        assert!(matches!(step.contain(|_| Err(Refusal::NoProfile)), Err(Refusal::NoProfile)));
        let (changes, effects, rejections) = step.finish();
        assert!(changes.is_empty());
        assert_eq!(effects, [Effect::Notify(Notice { sequence: None, event: event(2) })]);
        assert_eq!(rejections, [Rejection::Replay, Rejection::Damaged]);
    }

    #[test]
    fn the_log_is_read_from_any_number_in_pages_of_any_length() {
        let mut log = Damaged { store: MemoryStore::default(), at: None };
        assert_eq!(log.after(0, 10), (vec![], false));
        log.emit(1..=100);
        for sequence in 0..=100 {
            for limit in [1, 2, 15, 16, 17, 200] {
                let until = (sequence + limit as u64).min(100);
                assert_eq!(log.after(sequence, limit), ((sequence + 1..=until).collect(), false), "{sequence} {limit}");
            }
        }
    }

    #[test]
    fn the_log_keeps_the_newest_events_and_says_where_older_ones_are_gone() {
        let mut log = Damaged { store: MemoryStore::default(), at: None };
        let last = EVENTS_KEPT + 500;
        log.emit(1..=last);
        let (kept, gap) = log.after(0, usize::MAX);
        assert!(gap);
        assert_eq!(kept.last(), Some(&last));
        let held = u64::try_from(kept.len()).unwrap();
        assert!((EVENTS_KEPT..EVENTS_KEPT + 2 * Events::IN_A_ROW as u64).contains(&held), "{held}");
        assert_eq!(log.after(last - EVENTS_KEPT, 1), (vec![last - EVENTS_KEPT + 1], false));
    }

    #[test]
    fn g03_a_damaged_stretch_of_the_log_is_a_gap_and_nothing_else() {
        let mut log = Damaged { store: MemoryStore::default(), at: None };
        log.emit(1..=20);
        log.at = Some(Events::row_of(20));
        log.emit(21..=21);
        // What was put stands where the damage was.
        log.at = None;
        log.emit(22..=22);
        assert_eq!(log.after(20, 9), (vec![21, 22], false));
        assert_eq!(log.after(15, 9), (vec![21, 22], true));
    }
}
