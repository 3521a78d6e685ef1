//! The log is written anew where it has grown, between what is asked and with what time is left.

use kinfolk_ledger::witness::CompactError;

use super::Place;
use super::bench::{Bench, State};
use crate::clock::{Clock, SystemClock};

/// Lines that are gone through between two batches of questions: some milliseconds. To them come twice as many as questions
/// were answered, so that the end is reached however many come.
const LINES: usize = 64;
/// How often the log has grown to so many times what was left of it, before it is written anew again: what is copied then
/// is no more than what was written in between.
const GROWN: u64 = 2;

impl<P: Place> Bench<P> {
    /// Finds out how long the log is to be when it is written anew next.
    pub(super) fn measure(&mut self) {
        let State::Open(witness) = &self.state else { return };
        let left = witness.status().compacted.map_or(0, |(_, after)| after);
        self.compacted_at = P::WRITTEN_ANEW.max(left.saturating_mul(GROWN));
    }

    /// Goes on with the new log, or begins one where it is time. So many questions were answered just now.
    pub(super) fn compact(&mut self, answered: usize) {
        let State::Open(witness) = &mut self.state else { return self.give_up_compaction() };
        let Some(compaction) = &mut self.compaction else {
            if P::bytes(witness.end()) < self.compacted_at {
                return;
            }
            match witness.compact() {
                Ok(compaction) => self.compaction = Some(compaction),
                Err(error) => self.not_compacted(&error),
            }
            return;
        };
        match witness.compact_some(compaction, LINES.saturating_add(answered.saturating_mul(2))) {
            Ok(false) => {}
            Ok(true) => self.renew(),
            Err(CompactError::InUse(error)) => {
                self.give_up_compaction();
                self.stopped(&error);
            }
            Err(CompactError::Fresh(error)) => {
                self.give_up_compaction();
                self.not_compacted(&error);
            }
        }
    }

    /// The new log takes the place of the one that there is.
    fn renew(&mut self) {
        let Some(mut compaction) = self.compaction.take() else { return };
        let State::Open(witness) = std::mem::replace(&mut self.state, State::Stopped) else { return };
        if let Err(error) = witness.finish_compaction(&mut compaction, SystemClock.now()) {
            self.state = State::Open(witness);
            compaction.give_up();
            return self.not_compacted(&error);
        }
        match witness.compacted(compaction) {
            Ok(witness) => {
                self.state = State::Open(Box::new(witness));
                self.measure();
                self.tell_status();
            }
            Err(error) => self.stopped(&error),
        }
    }

    pub(super) fn give_up_compaction(&mut self) {
        if let Some(compaction) = self.compaction.take() {
            compaction.give_up();
        }
    }

    /// It goes on with the log that there is, and tries again when that has grown as much again.
    fn not_compacted(&mut self, error: &dyn std::fmt::Display) {
        tracing::warn!(%error, "the witness's log was not written anew; the witness goes on with the one that it has");
        if let State::Open(witness) = &self.state {
            self.compacted_at = P::bytes(witness.end()).saturating_mul(GROWN);
        }
    }
}
