//! Sequence numbers, and who still wants an answer.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_wire::direct::{Ack, FrameKind, Nack};
use kinfolk_wire::limits;
use tokio::time::Instant;

use crate::command::RequestId;

/// Frames that may want an answer at a time.
const WINDOW: usize = limits::STREAM_WINDOW as usize;

/// How the other side broke the rules of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WindowError {
    #[error("expected frame {expected}, found frame {found}")]
    OutOfTurn { expected: u64, found: u64 },
    #[error("more than {WINDOW} frames without an answer")]
    Overrun,
    #[error("an answer to frame {found}, but only {sent} were sent")]
    NeverSent { found: u64, sent: u64 },
}

/// The frames we send: their numbers, and the requests that wait for an answer.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    sent: u64,
    unanswered: BTreeMap<u64, (RequestId, Instant)>,
}

impl Outbound {
    /// Whether a frame that wants an answer may be sent.
    pub(crate) fn has_room(&self) -> bool {
        self.unanswered.len() < WINDOW
    }

    /// The number of the next frame.
    pub(crate) fn number(&mut self) -> u64 {
        self.sent = self.sent.saturating_add(1);
        self.sent
    }

    /// The number of the next frame, whose answer `request` waits for.
    pub(crate) fn number_for(&mut self, request: RequestId, now: Instant) -> u64 {
        let number = self.number();
        self.unanswered.insert(number, (request, now));
        number
    }

    /// The requests that these ranges answer; a number that was answered before is passed over.
    ///
    /// # Errors
    /// [`WindowError::NeverSent`].
    pub(crate) fn acknowledged(&mut self, ack: &Ack) -> Result<Vec<RequestId>, WindowError> {
        let mut answered = Vec::new();
        for &(first, last) in &ack.ranges {
            self.check(first)?;
            self.check(last)?;
            let numbers: Vec<u64> = self.unanswered.range(first..=last).map(|(number, _)| *number).collect();
            answered.extend(numbers.iter().filter_map(|number| self.unanswered.remove(number)).map(|(id, _)| id));
        }
        Ok(answered)
    }

    /// The request that this answers, unless it was answered before.
    ///
    /// # Errors
    /// [`WindowError::NeverSent`].
    pub(crate) fn refused(&mut self, nack: Nack) -> Result<Option<RequestId>, WindowError> {
        self.check(nack.sequence)?;
        Ok(self.unanswered.remove(&nack.sequence).map(|(id, _)| id))
    }

    /// When the frame that waits longest was sent.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.unanswered.first_key_value().map(|(_, (_, at))| *at)
    }

    /// Every request that will have no answer.
    pub(crate) fn into_unanswered(self) -> impl Iterator<Item = RequestId> {
        self.unanswered.into_values().map(|(id, _)| id)
    }

    fn check(&self, number: u64) -> Result<(), WindowError> {
        if number == 0 || number > self.sent {
            return Err(WindowError::NeverSent { found: number, sent: self.sent });
        }
        Ok(())
    }
}

/// The frames we receive: whether they come in turn, which want our answer, and the answers that have not left.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    received: u64,
    unanswered: BTreeSet<u64>,
    taken: BTreeSet<u64>,
}

impl Inbound {
    /// A frame has come.
    ///
    /// # Errors
    /// [`WindowError::OutOfTurn`], [`WindowError::Overrun`].
    pub(crate) fn received(&mut self, kind: FrameKind, number: u64) -> Result<(), WindowError> {
        let expected = self.received.saturating_add(1);
        if number != expected {
            return Err(WindowError::OutOfTurn { expected, found: number });
        }
        self.received = number;
        if matches!(kind, FrameKind::Ack | FrameKind::Nack) {
            return Ok(());
        }
        if self.unanswered.len() >= WINDOW {
            return Err(WindowError::Overrun);
        }
        self.unanswered.insert(number);
        Ok(())
    }

    /// Whether anything has come at all.
    pub(crate) fn has_received(&self) -> bool {
        self.received > 0
    }

    /// The frame is taken; the next [`Inbound::take_ack`] says so. `false` if it does not want an answer.
    pub(crate) fn taken(&mut self, number: u64) -> bool {
        self.unanswered.remove(&number) && self.taken.insert(number)
    }

    /// The frame is not taken. `false` if it does not want an answer.
    pub(crate) fn refused(&mut self, number: u64) -> bool {
        self.unanswered.remove(&number)
    }

    /// The answers that have not left, as ranges; at most [`limits::ACK_RANGES`] of them, the rest next time.
    pub(crate) fn take_ack(&mut self) -> Option<Ack> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        while let Some(&number) = self.taken.first() {
            let full = ranges.len() == limits::ACK_RANGES;
            match ranges.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
                _ if full => break,
                _ => ranges.push((number, number)),
            }
            self.taken.pop_first();
        }
        (!ranges.is_empty()).then_some(Ack { ranges })
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_wire::direct::NackCode;

    use super::*;

    fn ack(ranges: &[(u64, u64)]) -> Ack {
        Ack { ranges: ranges.to_vec() }
    }

    fn sent(count: u64) -> Outbound {
        let mut outbound = Outbound::default();
        for id in 1..=count {
            assert_eq!(outbound.number_for(RequestId(100 + id), Instant::now()), id);
        }
        outbound
    }

    fn received(count: u64) -> Inbound {
        let mut inbound = Inbound::default();
        for number in 1..=count {
            inbound.received(FrameKind::Payload, number).unwrap();
        }
        inbound
    }

    #[tokio::test]
    async fn an_answer_names_the_requests_it_answers_once() {
        let mut outbound = sent(5);
        assert_eq!(outbound.acknowledged(&ack(&[(2, 3), (5, 5)])).unwrap(), [102, 103, 105].map(RequestId));
        assert_eq!(outbound.acknowledged(&ack(&[(1, 5)])).unwrap(), [101, 104].map(RequestId));
        assert_eq!(outbound.acknowledged(&ack(&[(1, 5)])).unwrap(), []);
        assert_eq!(outbound.refused(Nack { sequence: 4, code: NackCode::Later }).unwrap(), None);
    }

    #[tokio::test]
    async fn d02_an_answer_to_what_was_never_sent_is_a_breach() {
        for ranges in [[(0, 1)], [(6, 6)], [(1, 6)], [(1, u64::MAX)]] {
            assert!(matches!(sent(5).acknowledged(&ack(&ranges)), Err(WindowError::NeverSent { .. })), "{ranges:?}");
        }
        for sequence in [0, 6, u64::MAX] {
            assert!(sent(5).refused(Nack { sequence, code: NackCode::Refused }).is_err());
        }
    }

    #[tokio::test]
    async fn the_window_closes_at_its_size_and_opens_with_each_answer() {
        let mut outbound = sent(WINDOW as u64);
        assert!(!outbound.has_room());
        outbound.acknowledged(&ack(&[(7, 7)])).unwrap();
        assert!(outbound.has_room());
        assert_eq!(outbound.into_unanswered().count(), WINDOW - 1);
    }

    #[test]
    fn d02_a_frame_out_of_turn_is_a_breach() {
        for found in [0, 1, 2, 4, u64::MAX] {
            let mut inbound = received(2);
            assert_eq!(inbound.received(FrameKind::Payload, found), Err(WindowError::OutOfTurn { expected: 3, found }));
        }
    }

    #[test]
    fn d02_a_sender_that_overruns_the_window_is_in_breach() {
        let mut inbound = received(WINDOW as u64);
        let next = WINDOW as u64 + 1;
        assert_eq!(inbound.received(FrameKind::Ack, next), Ok(()));
        assert_eq!(inbound.received(FrameKind::Payload, next + 1), Err(WindowError::Overrun));
    }

    #[test]
    fn answers_become_ranges_in_any_order() {
        let mut inbound = received(10);
        for number in [9, 1, 3, 2, 8] {
            assert!(inbound.taken(number));
        }
        assert!(inbound.refused(5));
        assert_eq!(inbound.take_ack(), Some(ack(&[(1, 3), (8, 9)])));
        assert_eq!(inbound.take_ack(), None);
        for number in [5, 9, 11] {
            assert!(!inbound.taken(number), "{number}");
        }
        assert_eq!(inbound.take_ack(), None);
    }

    #[test]
    fn more_ranges_than_one_answer_holds_go_in_several() {
        let mut inbound = received(WINDOW as u64);
        let taken: Vec<u64> = (1..=WINDOW as u64).step_by(2).collect();
        for number in &taken {
            assert!(inbound.taken(*number));
        }
        let mut told = Vec::new();
        while let Some(ack) = inbound.take_ack() {
            assert_eq!(Ack::decode(&ack.encode()).as_ref(), Ok(&ack));
            told.extend(ack.ranges.iter().map(|(first, _)| *first));
        }
        assert_eq!(told, taken);
    }
}
