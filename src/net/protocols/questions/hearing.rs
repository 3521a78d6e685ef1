//! The task of one connection on which somebody asks: its substreams, their questions, and the answers on their way.
//!
//! One turn takes answers, writes, hands up, reads. Answers leave in the order of their questions; those that are there
//! together leave together. What is bounded is what is in hand, questions that are being read, that wait, and whose
//! answers have not left: so many of the connection, beyond which nothing more is read, and so many of the node, beyond
//! which the answer is to come again. At a mailbox so many deposits of the connection in a second as well.
//!
//! **Times.** The first question must be whole in time, counted from the opening; each other from its first byte; unless
//! it is we who do not read. Where it is not, or is none, nothing more is heard on that substream, and what was whole
//! before is still answered. Each question must be answered in time, else its substream is closed; and each answer must
//! leave in time after the one before, else the same. A substream on which nothing is in hand is closed after a while.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite};
use kinfolk_wire::mailbox::{Refused, Reply};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, Sleep};

use super::{Number, To};
use crate::config::Deadlines;
use crate::protocols::framing::{ReadError, Reader, Writer};
use crate::upward::{NobodyListens, Upward};

/// Turns without giving other tasks theirs.
const TURNS: usize = 32;
/// What a substream keeps for reading while nothing comes, and the least that is asked for at a time, in bytes: a few
/// questions of a wallet.
const AT_REST: usize = 4 * 1024;
/// Deposits that one connection may bring in a [`SECOND`].
const DEPOSITS: usize = 10;
const SECOND: Duration = Duration::from_secs(1);
/// The first byte of a deposit.
const DEPOSIT: u8 = 1;
/// When those who bring too many are to come again, in seconds.
const TOO_OFTEN: u16 = 1;

/// A substream that somebody opened, and its place among those of the connection.
pub(super) struct Opened<S> {
    pub(super) stream: S,
    pub(super) place: OwnedSemaphorePermit,
}

/// What comes to a connection's task from the actor. Both senders dropped: it ends.
pub(super) struct Inlets<S> {
    pub(super) streams: mpsc::Receiver<Opened<S>>,
    pub(super) answers: mpsc::Receiver<(u32, Vec<u8>)>,
}

/// What those who ask one thing of this node share.
#[derive(Debug, Clone)]
pub(super) struct Room {
    pub(super) to: To,
    /// The places of all questions in hand.
    pub(super) places: Arc<Semaphore>,
    /// The answer where there is none.
    pub(super) no_room: Arc<[u8]>,
    pub(super) deadlines: Deadlines,
}

/// Why a substream is closed.
#[derive(Debug, thiserror::Error)]
enum Ending {
    #[error("everything is answered")]
    Done,
    #[error("{0} took too long")]
    Late(&'static str),
    #[error("broken: {0}")]
    Broken(std::io::Error),
}

pub(super) struct Hearing<S> {
    /// Which of this node's it is.
    number: u32,
    room: Room,
    inlets: Inlets<S>,
    upward: Upward,
    lines: Vec<Line<S>>,
    /// The number of the last question.
    asked: u32,
    deposits: Deposits,
    /// Since when it ends.
    ending: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Hearing<S> {
    pub(super) fn new(number: u32, room: Room, inlets: Inlets<S>, upward: Upward) -> Self {
        let alarm = Box::pin(tokio::time::sleep(room.deadlines.idle_connection));
        let (lines, deposits) = (Vec::new(), Deposits::default());
        Self { number, room, inlets, upward, lines, asked: 0, deposits, ending: None, alarm }
    }

    /// Runs until the connection has gone and what was to be said has left, or nobody listens.
    pub(super) async fn run(mut self) {
        if let Err(NobodyListens) = std::future::poll_fn(|cx| self.poll(cx)).await {
            tracing::debug!("nobody listens to what is asked");
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NobodyListens>> {
        for _ in 0..TURNS {
            let moved = self.turn(cx)?;
            if self.ending.is_some() && self.lines.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if !moved && !self.poll_alarm(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether anything moved.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, NobodyListens> {
        self.take_streams(cx);
        self.take_answers(cx);
        if self.ending.is_some() {
            self.lines.iter_mut().for_each(Line::give_up);
        }
        loop {
            if self.upward.poll(cx)?.is_pending() {
                self.lines.iter_mut().for_each(|line| line.began = None);
                break;
            }
            let Some((at, body)) = self.read(cx) else { break };
            self.take(at, body);
        }
        Ok(self.write(cx))
    }

    fn take_streams(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(opened) = self.inlets.streams.poll_recv(cx) {
            match opened {
                Some(opened) => self.lines.push(Line::new(opened, self.room.to)),
                None => {
                    self.ending.get_or_insert_with(Instant::now);
                    return;
                }
            }
        }
    }

    fn take_answers(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some((number, body))) = self.inlets.answers.poll_recv(cx) {
            match self.lines.iter_mut().find_map(|line| line.awaited(number)) {
                Some(answer) => *answer = Answer::Ready(body),
                None => tracing::debug!("an answer came too late"),
            }
        }
    }

    /// The next question, of whichever substream has one.
    fn read(&mut self, cx: &mut Context<'_>) -> Option<(usize, Vec<u8>)> {
        let (most, mut at) = (self.room.to.heard_at_once(), 0);
        let mut in_hand: usize = self.lines.iter().map(Line::in_hand).sum();
        while let Some(line) = self.lines.get_mut(at) {
            in_hand -= usize::from(line.is_inside());
            if in_hand < most {
                match line.read(cx) {
                    Ok(Some(question)) => return Some((at, question)),
                    Ok(None) => {}
                    Err(ending) => {
                        tracing::debug!(%ending, "a stream of questions ended");
                        in_hand -= line.in_hand() - usize::from(line.is_inside());
                        self.lines.swap_remove(at);
                        continue;
                    }
                }
            } else {
                line.began = None;
            }
            in_hand += usize::from(line.is_inside());
            at += 1;
        }
        None
    }

    fn take(&mut self, at: usize, body: Vec<u8>) {
        let Some(line) = self.lines.get_mut(at) else { return };
        let now = Instant::now();
        let is_deposit = self.room.to == To::Mailbox && body.first() == Some(&DEPOSIT);
        if is_deposit && !self.deposits.may_come(now) {
            line.answer_at_once(Reply::Refused(Refused::Later(TOO_OFTEN)).encode(0));
        } else if let Ok(place) = Arc::clone(&self.room.places).try_acquire_owned() {
            self.asked = self.asked.wrapping_add(1);
            let number = Number { hearing: self.number, question: self.asked };
            self.upward.push(self.room.to.asked(number.into(), body));
            let answer = Answer::Awaited { number: self.asked, until: now + self.room.deadlines.answer };
            line.questions.push_back(Question { answer, place: Some(place) });
        } else {
            line.answer_at_once(self.room.no_room.to_vec());
        }
    }

    /// Whether anything was written or has ended.
    fn write(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        self.lines.retain_mut(|line| match line.write(cx) {
            Ok(wrote) => {
                moved |= wrote;
                true
            }
            Err(ending) => {
                tracing::debug!(%ending, "a stream of questions ended");
                moved = true;
                false
            }
        });
        moved
    }

    /// Sets the alarm for what is due next; whether anything was due.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> bool {
        let (now, deadlines) = (Instant::now(), self.room.deadlines);
        let over = self.ending.map(|since| (since + deadlines.close, Due::Over("the end")));
        let (mut next, mut was_due) = (now + deadlines.idle_connection, false);
        self.lines.retain_mut(|line| {
            let (at, due) =
                line.deadlines(&deadlines).chain(over).min_by_key(|(at, _)| *at).unwrap_or((next, Due::NoMore));
            if at > now {
                next = next.min(at);
                return true;
            }
            was_due = true;
            match due {
                Due::NoMore => line.hear_no_more(),
                Due::Over(what) => tracing::debug!(ending = %Ending::Late(what), "a stream of questions ended"),
            }
            matches!(due, Due::NoMore)
        });
        if was_due {
            return true;
        }
        // Deadlines mostly move away: the alarm is only set anew when it would ring too late, or has rung.
        if self.alarm.is_elapsed() || next < self.alarm.deadline() {
            self.alarm.as_mut().reset(next);
        }
        while self.alarm.as_mut().poll(cx).is_ready() {
            self.alarm.as_mut().reset(next);
        }
        false
    }
}

/// A question, until its answer is put out.
struct Question {
    answer: Answer,
    /// Nothing for one that is answered here.
    place: Option<OwnedSemaphorePermit>,
}

enum Answer {
    Awaited { number: u32, until: Instant },
    Ready(Vec<u8>),
}

/// What happens to a substream at a deadline.
#[derive(Debug, Clone, Copy)]
enum Due {
    /// Nothing more is heard on it.
    NoMore,
    /// It is closed.
    Over(&'static str),
}

/// One substream.
struct Line<S> {
    stream: S,
    _place: OwnedSemaphorePermit,
    /// Nothing once no more is heard.
    reader: Option<Reader>,
    /// Since when the question that is being read, or the first, has been awaited.
    began: Option<Instant>,
    has_heard: bool,
    /// In order.
    questions: VecDeque<Question>,
    writer: Writer,
    /// Bytes that were ever put into the writer.
    put: u64,
    /// Up to which byte each answer goes that is in the writer.
    leaving: VecDeque<(u64, Option<OwnedSemaphorePermit>)>,
    /// When an answer last left, or something to write came after a rest.
    write_moved: Instant,
    /// When a question or an answer last was whole.
    travelled: Instant,
    closing: Option<Instant>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    fn new(Opened { stream, place }: Opened<S>, to: To) -> Self {
        let now = Instant::now();
        Self {
            stream,
            _place: place,
            reader: Some(Reader::new(0..=to.question(), AT_REST)),
            began: Some(now),
            has_heard: false,
            questions: VecDeque::new(),
            writer: Writer::default(),
            put: 0,
            leaving: VecDeque::new(),
            write_moved: now,
            travelled: now,
            closing: None,
        }
    }

    /// Questions that are being read, wait or are being answered.
    fn in_hand(&self) -> usize {
        self.questions.len() + self.leaving.len() + usize::from(self.is_inside())
    }

    fn is_inside(&self) -> bool {
        self.reader.as_ref().is_some_and(Reader::is_inside)
    }

    /// Where the answer to a question goes, if it is awaited here.
    fn awaited(&mut self, number: u32) -> Option<&mut Answer> {
        let is_it = |answer: &Answer| matches!(answer, Answer::Awaited { number: this, .. } if *this == number);
        self.questions.iter_mut().map(|question| &mut question.answer).find(|answer| is_it(answer))
    }

    fn answer_at_once(&mut self, body: Vec<u8>) {
        self.questions.push_back(Question { answer: Answer::Ready(body), place: None });
    }

    /// What was whole is still answered.
    fn hear_no_more(&mut self) {
        (self.reader, self.began) = (None, None);
    }

    /// No more answers come.
    fn give_up(&mut self) {
        self.hear_no_more();
        let ready = self.questions.iter().take_while(|question| matches!(question.answer, Answer::Ready(_))).count();
        self.questions.truncate(ready);
    }

    /// The next whole question, if there is one.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Option<Vec<u8>>, Ending> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let ended = loop {
            match reader.next() {
                Ok(Some(body)) => {
                    (self.began, self.has_heard, self.travelled) = (None, true, Instant::now());
                    return Ok(Some(body.to_vec()));
                }
                Ok(None) => {}
                Err(error) => break Some(error),
            }
            match reader.poll_read(cx, &mut self.stream) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => break None,
                Poll::Ready(Err(ReadError::Framing(error))) => break Some(error),
                Poll::Ready(Err(ReadError::Stream(error))) => return Err(Ending::Broken(error)),
                Poll::Pending => {
                    if reader.is_inside() || !self.has_heard {
                        self.began.get_or_insert_with(Instant::now);
                    }
                    return Ok(None);
                }
            }
        };
        if let Some(error) = ended {
            tracing::debug!(%error, "the other side broke the framing");
        }
        self.hear_no_more();
        Ok(None)
    }

    /// Puts out what is answered, in order; whether anything moved.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Ending> {
        self.put_answers();
        let mut moved = false;
        while let Poll::Ready(wrote) = self.writer.poll_write(cx, &mut self.stream) {
            if !wrote.map_err(Ending::Broken)? {
                break;
            }
            moved = true;
            self.let_go();
            self.put_answers();
        }
        if self.reader.is_none() && self.questions.is_empty() && self.writer.is_idle() {
            self.closing.get_or_insert_with(Instant::now);
            match Pin::new(&mut self.stream).poll_close(cx) {
                Poll::Ready(Ok(())) => return Err(Ending::Done),
                Poll::Ready(Err(error)) => return Err(Ending::Broken(error)),
                Poll::Pending => {}
            }
        }
        Ok(moved)
    }

    fn put_answers(&mut self) {
        while self.writer.has_room()
            && let Some(Question { answer: Answer::Ready(body), .. }) = self.questions.front()
        {
            // The time an answer may take runs from the moment there is something to write.
            if self.writer.is_idle() {
                self.write_moved = Instant::now();
            }
            let before = self.writer.left();
            self.writer.put_body(body);
            self.put += (self.writer.left() - before) as u64;
            let place = self.questions.pop_front().and_then(|question| question.place);
            self.leaving.push_back((self.put, place));
        }
    }

    /// Gives back the places of the answers that have left.
    fn let_go(&mut self) {
        let left = self.put - self.writer.left() as u64;
        while self.leaving.front().is_some_and(|(end, _)| *end <= left) {
            self.leaving.pop_front();
            self.write_moved = Instant::now();
            self.travelled = self.write_moved;
        }
    }

    fn deadlines(&self, deadlines: &Deadlines) -> impl Iterator<Item = (Instant, Due)> + use<S> {
        let awaited = self.questions.iter().find_map(|question| match question.answer {
            Answer::Awaited { until, .. } => Some(until),
            Answer::Ready(_) => None,
        });
        let is_writing = !self.writer.is_idle();
        let is_quiet = self.reader.is_some() && self.in_hand() == 0 && !is_writing;
        [
            self.began.map(|began| (began + deadlines.frame, Due::NoMore)),
            is_quiet.then(|| (self.travelled + deadlines.idle_connection, Due::NoMore)),
            awaited.map(|until| (until, Due::Over("an answer"))),
            is_writing.then(|| (self.write_moved + deadlines.write, Due::Over("a write"))),
            self.closing.map(|since| (since + deadlines.close, Due::Over("closing"))),
        ]
        .into_iter()
        .flatten()
    }
}

/// The latest deposits of a connection.
#[derive(Debug, Default)]
struct Deposits(VecDeque<Instant>);

impl Deposits {
    fn may_come(&mut self, now: Instant) -> bool {
        while self.0.front().is_some_and(|at| now.duration_since(*at) >= SECOND) {
            self.0.pop_front();
        }
        let may = self.0.len() < DEPOSITS;
        if may {
            self.0.push_back(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use futures::task::noop_waker_ref;

    use super::super::wire::Wire;
    use super::*;
    use crate::event::Event;

    /// A task that is polled by hand, and everything around it.
    struct Heard {
        hearing: Hearing<Wire>,
        streams: Option<mpsc::Sender<Opened<Wire>>>,
        answers: mpsc::Sender<(u32, Vec<u8>)>,
        events: mpsc::Receiver<Event>,
        places: Arc<Semaphore>,
    }

    impl Heard {
        fn new(to: To, places: usize, deadlines: Deadlines) -> Self {
            let (streams, streams_rx) = mpsc::channel(16);
            let (answers, answers_rx) = mpsc::channel(32);
            let (events_tx, events) = mpsc::channel(64);
            let places = Arc::new(Semaphore::new(places));
            let room = Room { to, places: Arc::clone(&places), no_room: b"later".as_slice().into(), deadlines };
            let inlets = Inlets { streams: streams_rx, answers: answers_rx };
            let hearing = Hearing::new(7, room, inlets, Upward::new(events_tx));
            Self { hearing, streams: Some(streams), answers, events, places }
        }

        fn open(&self) -> Wire {
            let (wire, place) = (Wire::default(), Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap());
            self.streams.as_ref().unwrap().try_send(Opened { stream: wire.clone(), place }).ok().unwrap();
            wire
        }

        fn answer(&self, question: u32, body: &[u8]) {
            self.answers.try_send((question, body.to_vec())).unwrap();
        }

        /// Lets the task do what there is to do; whether it goes on.
        fn poll(&mut self) -> bool {
            self.hearing.poll(&mut Context::from_waker(noop_waker_ref())).is_pending()
        }

        /// What went up meanwhile: numbers and bodies.
        fn asked(&mut self) -> Vec<(u32, Vec<u8>)> {
            assert!(self.poll());
            let mut asked = Vec::new();
            while let Ok(event) = self.events.try_recv() {
                let (number, body) = match event {
                    Event::Asked { ask, body } => (ask.0, body),
                    Event::Inquiry { inquiry, body } => (inquiry.0, body),
                    other => panic!("{other:?}"),
                };
                let Number { hearing: 7, question } = number.into() else { panic!("{number:x}") };
                asked.push((question, body));
            }
            asked
        }
    }

    #[tokio::test]
    async fn questions_that_come_together_are_heard_at_once_and_answers_that_are_there_together_leave_together() {
        let mut heard = Heard::new(To::Witness, 100, Deadlines::default());
        let wire = heard.open();
        wire.says(&[b"a", b"b", b"c", b"d"]);
        let asked = heard.asked();
        assert_eq!(asked.iter().map(|(_, body)| body[0]).collect::<Vec<_>>(), b"abcd");
        for (question, body) in asked[1..].iter().rev() {
            heard.answer(*question, body);
        }
        assert!(heard.poll());
        assert_eq!(wire.ends().writes, 0, "the first is missing");
        heard.answer(asked[0].0, b"A");
        assert!(heard.poll());
        assert_eq!(wire.moves(), (1, 1));
        assert_eq!(wire.heard(), [b"A", b"b", b"c", b"d"]);
        assert_eq!(heard.places.available_permits(), 100);
    }

    #[tokio::test]
    async fn d06_a_place_is_taken_until_the_answer_has_left_and_without_one_the_answer_is_to_come_again() {
        let mut heard = Heard::new(To::Witness, 2, Deadlines::default());
        let (wire, other) = (heard.open(), heard.open());
        wire.ends().takes = Some(0);
        wire.says(&[b"a", b"b", b"c"]);
        other.says(&[b"x"]);
        let asked = heard.asked();
        assert_eq!(asked.len(), 2);
        assert_eq!(other.heard(), [b"later"]);
        asked.iter().for_each(|(question, body)| heard.answer(*question, body));
        assert!(heard.poll());
        other.says(&[b"y"]);
        assert_eq!(heard.asked(), []);
        assert_eq!(other.heard(), [b"later"], "the answers are on their way");
        wire.ends().takes = Some(5);
        assert!(heard.poll());
        other.says(&[b"z"]);
        assert_eq!(heard.asked().len(), 1, "one has left");
        wire.ends().takes = None;
        assert!(heard.poll());
        assert_eq!(wire.heard(), [b"a".as_slice(), b"b", b"later"]);
        drop(heard.asked());
        assert_eq!(heard.places.available_permits(), 1, "the one that waits");
    }

    #[tokio::test]
    async fn d06_more_than_sixteen_are_not_even_read_and_what_is_answered_here_counts_as_well() {
        for places in [100, 0] {
            let mut heard = Heard::new(To::Witness, places, Deadlines::default());
            let wire = heard.open();
            wire.ends().takes = Some(0);
            wire.says(&[[7; 1_000].as_slice(); 100]);
            assert_eq!(heard.asked().len(), 16.min(places));
            let unread = wire.ends().incoming.len();
            assert!(unread > 100_000 - 16 * 1_004 - 2 * AT_REST, "{unread}");
            assert_eq!((heard.asked(), wire.ends().incoming.len()), (vec![], unread));
        }
    }

    #[tokio::test]
    async fn d05_deposits_that_come_too_often_are_told_so_on_whatever_substream_they_come() {
        let mut heard = Heard::new(To::Mailbox, 100, Deadlines::default());
        let mut refused = 0;
        for _ in 0..15 {
            let wire = heard.open();
            wire.says(&[&[DEPOSIT], &[2]]);
            wire.ends().is_over = true;
            for (question, _) in heard.asked() {
                heard.answer(question, b"done");
            }
            assert!(heard.poll() && wire.ends().is_closed);
            let told = wire.heard();
            refused += usize::from(told[0] == Reply::Refused(Refused::Later(TOO_OFTEN)).encode(0));
            assert_eq!(told[1], b"done", "another kind of question");
        }
        assert_eq!(refused, 5);
        // A witness counts none.
        let mut heard = Heard::new(To::Witness, 100, Deadlines::default());
        heard.open().says(&[[DEPOSIT].as_slice(); 15]);
        assert_eq!(heard.asked().len(), 15);
    }

    #[tokio::test]
    async fn a_task_whose_connection_has_gone_says_what_it_was_given_and_ends() {
        let mut heard = Heard::new(To::Witness, 100, Deadlines::default());
        let wire = heard.open();
        wire.says(&[b"a", b"b", b"c"]);
        let asked = heard.asked();
        heard.answer(asked[0].0, b"A");
        heard.answer(asked[2].0, b"C");
        heard.streams = None;
        assert!(!heard.poll());
        assert_eq!(wire.heard(), [b"A"]);
        assert!(wire.ends().is_closed);
        assert_eq!(heard.places.available_permits(), 100);
    }

    #[tokio::test]
    async fn d04_each_answer_has_its_own_time_to_leave_and_a_drip_does_not_count() {
        let mut heard = Heard::new(To::Witness, 100, Deadlines::default());
        let wire = heard.open();
        wire.ends().takes = Some(0);
        wire.says(&[b"a", b"b"]);
        for (question, _) in heard.asked() {
            heard.answer(question, &[9; 96]);
        }
        assert!(heard.poll());
        let due = |heard: &Heard| {
            let deadlines = Deadlines { write: Duration::from_secs(1), ..Deadlines::default() };
            heard.hearing.lines[0].deadlines(&deadlines).map(|(at, _)| at).min()
        };
        let (first, mut latest) = (due(&heard), due(&heard));
        for byte in 1..=199 {
            wire.ends().takes = Some(1);
            assert!(heard.poll());
            match byte {
                1..=99 => assert_eq!(due(&heard), first, "{byte}"),
                100 => {
                    latest = due(&heard);
                    assert!(latest > first, "the first has left");
                }
                _ => assert_eq!(due(&heard), latest, "{byte}"),
            }
        }
    }

    #[test]
    fn a_number_is_found_again() {
        for (hearing, question) in [(0, 0), (1, 2), (u32::MAX, 1), (7, u32::MAX)] {
            let number = Number { hearing, question };
            assert_eq!(Number::from(u64::from(number)), number);
        }
    }

    #[test]
    fn d05_the_eleventh_deposit_of_a_connection_in_a_second_comes_too_often() {
        let (mut deposits, start) = (Deposits::default(), Instant::now());
        for number in 0..10 {
            assert!(deposits.may_come(start + Duration::from_millis(50) * number), "{number}");
        }
        assert!(!deposits.may_come(start + Duration::from_millis(999)));
        assert!(deposits.may_come(start + SECOND));
        assert!(!deposits.may_come(start + SECOND));
        assert!(deposits.may_come(start + 3 * SECOND));
        assert_eq!(deposits.0.len(), 1, "nothing is kept of what is long past");
    }
}
