//! How often one account may have something new from a witness.
//!
//! Counted in whole minutes and days of the witness's clock. It keeps a feeless ledger from being flooded and decides
//! nothing about money, so a restart may forget the last of it.

use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

use crate::limits;
use crate::policy::Limits;

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

/// What an account has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(array)]
pub(super) struct Quota {
    #[n(0)]
    minute: u64,
    #[n(1)]
    in_minute: u32,
    #[n(2)]
    day: u64,
    #[n(3)]
    in_day: u32,
    /// Ballots promised in that minute. Apart, so that a thief who uses up the one does not keep the owner from the other.
    #[n(4)]
    recoveries: u32,
}

impl Quota {
    /// Whether there may be another entry.
    ///
    /// # Errors
    /// How many seconds to wait.
    pub(super) fn entry(self, limits: &Limits, now: Timestamp) -> Result<(), u32> {
        let Self { in_minute, in_day, .. } = self.at(now);
        if in_day >= limits.per_day {
            return Err(seconds_left(now, DAY));
        }
        if in_minute >= limits.per_minute { Err(seconds_left(now, MINUTE)) } else { Ok(()) }
    }

    /// Whether another ballot may be promised.
    ///
    /// # Errors
    /// How many seconds to wait.
    pub(super) fn recovery(self, now: Timestamp) -> Result<(), u32> {
        if self.at(now).recoveries >= limits::RECOVERIES { Err(seconds_left(now, MINUTE)) } else { Ok(()) }
    }

    pub(super) fn count_entry(&mut self, now: Timestamp) {
        let at = self.at(now);
        *self = Self { in_minute: at.in_minute.saturating_add(1), in_day: at.in_day.saturating_add(1), ..at };
    }

    pub(super) fn count_recovery(&mut self, now: Timestamp) {
        let at = self.at(now);
        *self = Self { recoveries: at.recoveries.saturating_add(1), ..at };
    }

    /// As it is at that time: another minute or day begins with nothing used.
    fn at(self, now: Timestamp) -> Self {
        let (minute, day) = (now.as_millis() / MINUTE, now.as_millis() / DAY);
        let mut at = self;
        if at.minute != minute {
            at = Self { minute, in_minute: 0, recoveries: 0, ..at };
        }
        if at.day != day {
            at = Self { day, in_day: 0, ..at };
        }
        at
    }
}

/// Ballots promised for accounts of which the witness has no entry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Strangers {
    minute: u64,
    count: u32,
}

impl Strangers {
    /// Whether there may be another.
    ///
    /// # Errors
    /// How many seconds to wait.
    pub(super) fn recovery(self, now: Timestamp) -> Result<(), u32> {
        if self.at(now).count >= limits::STRANGERS { Err(seconds_left(now, MINUTE)) } else { Ok(()) }
    }

    pub(super) fn count(&mut self, now: Timestamp) {
        let at = self.at(now);
        *self = Self { count: at.count.saturating_add(1), ..at };
    }

    fn at(self, now: Timestamp) -> Self {
        let minute = now.as_millis() / MINUTE;
        if self.minute == minute { self } else { Self { minute, count: 0 } }
    }
}

fn seconds_left(now: Timestamp, span: u64) -> u32 {
    let passed = now.as_millis().checked_rem(span).unwrap_or_default();
    let left = span.saturating_sub(passed).div_ceil(1_000);
    u32::try_from(left).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::Amount;

    const LIMITS: Limits = Limits { min_open: Amount::MAX, min_out: Amount::MAX, per_minute: 2, per_day: 3 };

    #[test]
    fn a_minute_and_a_day_have_so_many_entries_and_then_begin_anew() {
        let mut quota = Quota::default();
        let at = |seconds: u64| Timestamp::from_millis(DAY * 20_000 + seconds * 1_000);
        for _ in 0..2 {
            assert_eq!(quota.entry(&LIMITS, at(10)), Ok(()));
            quota.count_entry(at(10));
        }
        assert_eq!(quota.entry(&LIMITS, at(10)), Err(50));
        assert_eq!(quota.entry(&LIMITS, at(59)), Err(1));
        assert_eq!(quota.entry(&LIMITS, at(60)), Ok(()));
        quota.count_entry(at(60));
        assert_eq!(quota.entry(&LIMITS, at(180)), Err(86_220), "the day's");
        assert_eq!(quota.entry(&LIMITS, at(86_400)), Ok(()));
    }

    #[test]
    fn e07_who_uses_up_the_entries_does_not_keep_the_owner_from_recovering() {
        let (mut quota, now) = (Quota::default(), Timestamp::from_millis(0));
        (0..3).for_each(|_| quota.count_entry(now));
        assert!(quota.entry(&LIMITS, now).is_err() && quota.recovery(now).is_ok());
        (0..limits::RECOVERIES).for_each(|_| quota.count_recovery(now));
        assert_eq!(quota.recovery(now), Err(60));
    }
}
