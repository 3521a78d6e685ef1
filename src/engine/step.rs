//! One turn: the time, chance, reads that see the turn's own writes, and what it asks for. Nothing else is reachable.

use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::time::Timestamp;
use rand_core::CryptoRng;

use crate::effect::{Effect, RequestId};
use crate::event::{Event, Notice};
use crate::input::Delivery;
use crate::refusal::Refusal;
use crate::store::{
    Alarm, Changes, Counters, Key, Nothing, Overlay, Profile, Read, ReadError, Record, Row, Scan, Scanned,
};

/// How many events the log keeps; older ones are gone and a face that wants them starts anew.
pub(crate) const EVENTS_KEPT: u64 = 20_000;

/// Something from outside that was thrown away, for the counters: never a sign of what was inside.
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
        Checkpoint { changes: self.changes.clone(), effects: self.effects.len() }
    }

    /// Forgets what was asked for since a checkpoint.
    pub(crate) fn roll_back(&mut self, checkpoint: Checkpoint) {
        self.changes = checkpoint.changes;
        self.effects.truncate(checkpoint.effects);
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

    fn reads(&self) -> Overlay<'_> {
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

    /// Tells the faces, and keeps it in the log.
    pub(crate) fn emit(&mut self, event: Event) -> Result<(), Refusal> {
        let mut counters = self.counters()?;
        counters.last_event += 1;
        let sequence = counters.last_event;
        self.put(Key::Counters, counters);
        self.put(Key::Event(sequence), event.clone());
        if let Some(old) = sequence.checked_sub(EVENTS_KEPT) {
            self.delete(Key::Event(old));
        }
        self.effects.push(Effect::Notify(Notice { sequence: Some(sequence), event }));
        Ok(())
    }

    /// Tells the faces that are there now.
    pub(crate) fn mention(&mut self, event: Event) {
        self.effects.push(Effect::Notify(Notice { sequence: None, event }));
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn send(&mut self, request: u64, peer: PeerId, kind: FrameKind, body: Vec<u8>) {
        self.effect(Effect::Send { request: RequestId(request), peer, kind, body });
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
