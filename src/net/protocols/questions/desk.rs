//! The questions of others that wait for their answers.
//!
//! Bounded: so many in all, counted until the answer is with who asked; so many of one connection, which the behaviour
//! sees to; and at a mailbox so many deposits of one connection in a second. Who asks beyond that is told when to come
//! again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use kinfolk_wire::mailbox::{Refused, Reply};
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::To;
use crate::event::Event;

/// Deposits that one connection may bring in a [`SECOND`].
const DEPOSITS: usize = 10;
const SECOND: Duration = Duration::from_secs(1);
/// The first byte of a deposit.
const DEPOSIT: u8 = 1;
/// What is told those who come too often to a mailbox, and those for whom it has no room, in seconds.
const TOO_OFTEN: u16 = 1;
const NO_ROOM: u16 = 5;

/// The answer of a mailbox that is asked at the wrong time.
fn later(seconds: u16) -> Vec<u8> {
    Reply::Refused(Refused::Later(seconds)).encode(0)
}

/// What becomes of a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<C> {
    /// The driver is told.
    Up(Event),
    /// It is answered here.
    Answer(C, Vec<u8>),
}

/// The questions that wait; `R` names one to the swarm, `C` is where its answer goes.
#[derive(Debug)]
pub(crate) struct Desk<R, C> {
    to: To,
    most: usize,
    patience: Duration,
    /// The answer where there is no room.
    no_room: Vec<u8>,
    last: u64,
    /// The oldest first.
    waiting: BTreeMap<u64, Waiting<R, C>>,
    /// Answered, and the answer is on its way.
    leaving: Vec<R>,
    deposits: HashMap<ConnectionId, VecDeque<Instant>>,
}

#[derive(Debug)]
struct Waiting<R, C> {
    request: R,
    until: Instant,
    channel: C,
}

impl<R: PartialEq, C> Desk<R, C> {
    /// A desk for so many questions to a mailbox, each of which waits so long at the most.
    pub(crate) fn mailbox(most: usize, patience: Duration) -> Self {
        Self::new(To::Mailbox, most, patience, later(NO_ROOM))
    }

    /// The same for a witness, whose answers this room does not know.
    pub(crate) fn witness(most: usize, patience: Duration, no_room: Vec<u8>) -> Self {
        Self::new(To::Witness, most, patience, no_room)
    }

    fn new(to: To, most: usize, patience: Duration, no_room: Vec<u8>) -> Self {
        let (waiting, leaving, deposits) = (BTreeMap::new(), Vec::new(), HashMap::new());
        Self { to, most, patience, no_room, last: 0, waiting, leaving, deposits }
    }

    /// Takes a question.
    pub(crate) fn asked(
        &mut self,
        connection: ConnectionId,
        request: R,
        body: Vec<u8>,
        channel: C,
        now: Instant,
    ) -> Taken<C> {
        let is_deposit = self.to == To::Mailbox && body.first() == Some(&DEPOSIT);
        if is_deposit && !self.may_deposit(connection, now) {
            return Taken::Answer(channel, later(TOO_OFTEN));
        }
        if self.waiting.len() + self.leaving.len() >= self.most {
            return Taken::Answer(channel, self.no_room.clone());
        }
        self.last += 1;
        self.waiting.insert(self.last, Waiting { request, until: now + self.patience, channel });
        Taken::Up(self.to.asked(self.last, body))
    }

    fn may_deposit(&mut self, connection: ConnectionId, now: Instant) -> bool {
        let latest = self.deposits.entry(connection).or_default();
        while latest.front().is_some_and(|at| now.duration_since(*at) >= SECOND) {
            latest.pop_front();
        }
        let may = latest.len() < DEPOSITS;
        if may {
            latest.push_back(now);
        }
        may
    }

    /// Where an answer goes; nothing if it comes too late, or for the second time.
    pub(crate) fn answer(&mut self, number: u64) -> Option<C> {
        let Waiting { request, channel, .. } = self.waiting.remove(&number)?;
        self.leaving.push(request);
        Some(channel)
    }

    /// An answer has arrived, or the one who asked has gone.
    pub(crate) fn over(&mut self, request: R) {
        self.leaving.retain(|leaving| *leaving != request);
        self.waiting.retain(|_, waiting| waiting.request != request);
    }

    /// A connection has closed.
    pub(crate) fn closed(&mut self, connection: ConnectionId) {
        self.deposits.remove(&connection);
    }

    /// When the oldest question has waited long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|(_, waiting)| waiting.until)
    }

    /// Drops the questions that have waited long enough, and with them where their answers would go.
    pub(crate) fn drop_due(&mut self, now: Instant) {
        while let Some(oldest) = self.waiting.first_entry()
            && oldest.get().until <= now
        {
            tracing::debug!("a question was not answered in time");
            oldest.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn desk(most: usize) -> Desk<u32, u32> {
        Desk::mailbox(most, PATIENCE)
    }

    fn connection(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn ask_of(taken: &Taken<u32>) -> Option<u64> {
        match taken {
            Taken::Up(Event::Asked { ask, .. }) => Some(ask.0),
            Taken::Up(Event::Inquiry { inquiry, .. }) => Some(inquiry.0),
            _ => None,
        }
    }

    fn later(channel: u32, seconds: u16) -> Taken<u32> {
        Taken::Answer(channel, super::later(seconds))
    }

    #[test]
    fn d05_the_eleventh_deposit_of_a_connection_in_a_second_is_told_later() {
        let (mut desk, start) = (desk(1_000), Instant::now());
        for number in 0..10 {
            let now = start + Duration::from_millis(50) * number;
            assert!(ask_of(&desk.asked(connection(1), number, vec![DEPOSIT], 0, now)).is_some(), "{number}");
        }
        let end = start + Duration::from_millis(999);
        assert_eq!(desk.asked(connection(1), 11, vec![DEPOSIT], 7, end), later(7, TOO_OFTEN));
        assert!(ask_of(&desk.asked(connection(1), 12, vec![2], 0, end)).is_some(), "another kind of question");
        assert!(ask_of(&desk.asked(connection(2), 13, vec![DEPOSIT], 0, end)).is_some(), "another connection");
        let next = start + SECOND;
        assert!(ask_of(&desk.asked(connection(1), 14, vec![DEPOSIT], 0, next)).is_some());
        assert_eq!(desk.asked(connection(1), 15, vec![DEPOSIT], 7, next), later(7, TOO_OFTEN));
        desk.closed(connection(1));
        desk.closed(connection(2));
        assert!(desk.deposits.is_empty(), "nothing is kept of who has gone");
    }

    #[test]
    fn d06_a_place_is_taken_until_the_answer_has_arrived() {
        let (mut desk, now) = (desk(2), Instant::now());
        let first = ask_of(&desk.asked(connection(1), 1, vec![2], 1, now)).unwrap();
        assert!(ask_of(&desk.asked(connection(2), 2, vec![2], 2, now)).is_some());
        assert_eq!(desk.asked(connection(3), 3, vec![2], 3, now), later(3, NO_ROOM));
        assert_eq!(desk.answer(first), Some(1));
        assert_eq!(desk.answer(first), None, "one answer each");
        assert_eq!(desk.asked(connection(3), 4, vec![2], 4, now), later(4, NO_ROOM), "its answer is on its way");
        desk.over(1);
        assert!(ask_of(&desk.asked(connection(3), 5, vec![2], 5, now)).is_some());
        // The one who asked went away before the answer.
        desk.over(2);
        assert!(ask_of(&desk.asked(connection(3), 6, vec![2], 6, now)).is_some());
    }

    #[test]
    fn d06_a_witness_has_its_own_words_for_no_room_and_counts_no_deposits() {
        let (mut desk, now) = (Desk::witness(20, PATIENCE, b"later".to_vec()), Instant::now());
        for number in 0..20 {
            let taken = desk.asked(connection(1), number, vec![DEPOSIT], number, now);
            assert!(matches!(taken, Taken::Up(Event::Inquiry { .. })), "{number}");
        }
        assert_eq!(desk.asked(connection(2), 20, vec![DEPOSIT], 7, now), Taken::Answer(7, b"later".to_vec()));
    }

    #[test]
    fn a_question_that_nobody_answers_is_dropped() {
        let (mut desk, start) = (desk(10), Instant::now());
        let first = ask_of(&desk.asked(connection(1), 1, vec![2], 1, start)).unwrap();
        let second = ask_of(&desk.asked(connection(1), 2, vec![2], 2, start + SECOND)).unwrap();
        assert_eq!(desk.due(), Some(start + PATIENCE));
        desk.drop_due(start + PATIENCE);
        assert_eq!(desk.answer(first), None);
        assert_eq!(desk.due(), Some(start + SECOND + PATIENCE));
        assert_eq!(desk.answer(second), Some(2));
        assert_eq!(desk.due(), None);
    }
}
