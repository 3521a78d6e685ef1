//! What is still out there: for which skipped messages the caller stores keys, and under which header keys their
//! headers may come.

use serde::{Deserialize, Serialize};

use kinfolk_wire::time::{Span, Timestamp};

use super::MAX_SKIPPED;
use super::header_key::HeaderKey;
use super::side::Theirs;
use super::skipped::{SkippedKey, SkippedKeyId, SkippedKeys};

/// After this many days a skipped key is given up: the outbox of the other side has given the message up by then.
const LIFETIME_DAYS: u64 = 30;
const DAY: u64 = Span::from_days(1).as_millis();

/// The account of one session's skipped keys. Its field order is part of the stored form of a session.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Backlog {
    /// How many keys the caller stores.
    stored: u32,
    /// How many of them are of the present chain.
    current: u32,
    /// Everything below this ordinal was opened or given up.
    forgotten: u32,
    /// Chains that were replaced and of which keys are stored, oldest first.
    kept: Vec<KeptChain>,
    /// When keys were stored, in days since the Unix epoch, ascending; each with the ordinal below which they are.
    ages: Vec<Age>,
}

#[derive(Clone, Serialize, Deserialize)]
struct KeptChain {
    header: HeaderKey<Theirs>,
    base: u32,
    length: u32,
    outstanding: u32,
}

#[derive(Clone, Serialize, Deserialize)]
struct Age {
    day: u64,
    below: u32,
}

impl Backlog {
    /// The header keys of replaced chains, newest first, each with the ordinal of its first message and its length.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&HeaderKey<Theirs>, u32, u32)> {
        self.kept.iter().rev().map(|chain| (&chain.header, chain.base, chain.length))
    }

    /// Whether the key of a message was given up.
    pub(crate) const fn is_forgotten(&self, ordinal: u32) -> bool {
        ordinal < self.forgotten
    }

    /// How many header keys are kept: what the stored form is long by.
    pub(crate) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// The present chain is replaced.
    pub(crate) fn replace_chain(&mut self, header: HeaderKey<Theirs>, base: u32, length: u32) {
        let outstanding = std::mem::take(&mut self.current);
        self.kept.push(KeptChain { header, base, length, outstanding });
    }

    /// These keys are to be stored, oldest first.
    pub(crate) fn add(&mut self, keys: &[SkippedKey], now: Timestamp) {
        let Some(newest) = keys.last() else {
            return;
        };
        for key in keys {
            let count = self.count_of(key.id.ordinal());
            *count = count.saturating_add(1);
        }
        self.stored = self.stored.saturating_add(u32::try_from(keys.len()).unwrap_or(u32::MAX));
        let below = newest.id.ordinal().saturating_add(1);
        let day = day_of(now);
        match self.ages.last_mut() {
            Some(age) if age.day >= day => age.below = below,
            _ => self.ages.push(Age { day, below }),
        }
    }

    /// Takes account of the key that was used, gives up what is too much or too old, and drops header keys under which
    /// nothing is stored any more. `skipped` is what the caller stores so far. Returns the keys that it is to delete,
    /// the used one first.
    pub(crate) fn settle(
        &mut self,
        used: Option<SkippedKeyId>,
        now: Timestamp,
        skipped: &dyn SkippedKeys,
    ) -> Vec<SkippedKeyId> {
        let mut removed: Vec<SkippedKeyId> = used.into_iter().collect();
        removed.iter().for_each(|id| self.take(*id));
        removed.extend(self.overflow(skipped));
        removed.extend(self.expired(used, now, skipped));
        self.kept.retain(|chain| chain.outstanding > 0);
        if self.stored == 0 {
            self.ages.clear();
        }
        removed
    }

    fn take(&mut self, id: SkippedKeyId) {
        let count = self.count_of(id.ordinal());
        *count = count.saturating_sub(1);
        self.stored = self.stored.saturating_sub(1);
    }

    fn overflow(&mut self, skipped: &dyn SkippedKeys) -> Vec<SkippedKeyId> {
        let excess = self.stored.saturating_sub(MAX_SKIPPED);
        if excess == 0 {
            return Vec::new();
        }
        let ids = skipped.oldest(usize::try_from(excess).unwrap_or(usize::MAX));
        self.give_up(&ids);
        // A caller that has lost rows has fewer than we counted.
        self.stored = self.stored.min(MAX_SKIPPED);
        ids
    }

    fn expired(&mut self, used: Option<SkippedKeyId>, now: Timestamp, skipped: &dyn SkippedKeys) -> Vec<SkippedKeyId> {
        let today = day_of(now);
        let expired = self.ages.iter().take_while(|age| age.day.saturating_add(LIFETIME_DAYS) < today).count();
        let Some(below) = self.ages.drain(..expired).next_back().map(|age| age.below) else {
            return Vec::new();
        };
        let mut ids = skipped.oldest(usize::try_from(MAX_SKIPPED).unwrap_or(usize::MAX));
        // The caller still stores what was used or gave way just now.
        ids.retain(|id| id.ordinal() < below && !self.is_forgotten(id.ordinal()) && Some(*id) != used);
        self.give_up(&ids);
        self.forgotten = self.forgotten.max(below);
        ids
    }

    fn give_up(&mut self, ids: &[SkippedKeyId]) {
        for id in ids {
            self.take(*id);
            self.forgotten = self.forgotten.max(id.ordinal().saturating_add(1));
        }
    }

    fn count_of(&mut self, ordinal: u32) -> &mut u32 {
        let kept = self
            .kept
            .iter_mut()
            .rev()
            .find(|chain| ordinal.checked_sub(chain.base).is_some_and(|at| at < chain.length));
        match kept {
            Some(chain) => &mut chain.outstanding,
            None => &mut self.current,
        }
    }
}

const fn day_of(time: Timestamp) -> u64 {
    time.as_millis() / DAY
}

#[cfg(test)]
mod tests;
