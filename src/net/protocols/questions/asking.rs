//! The substream of a visit: questions out, one behind the other, and their answers back in the same order.

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};

use futures::io::{AsyncRead, AsyncWrite};

use super::To;
use crate::protocols::framing::{ReadError, Reader, Writer};

/// What the substream keeps for reading while nothing comes, and the least that is asked for at a time, in bytes: some
/// dozens of votes.
const AT_REST: usize = 4 * 1024;

/// Why a substream brings no more answers.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// In good order, after at least one answer: what is left may be asked on another.
    #[error("closed by the other side")]
    Left,
    #[error("closed by the other side without an answer")]
    Unanswered,
    #[error("an answer to what was not asked")]
    Unasked,
    #[error(transparent)]
    Broken(#[from] ReadError),
}

/// A substream on which we ask.
pub(super) struct Asking<S> {
    stream: S,
    reader: Reader,
    writer: Writer,
    /// Why nothing more can be written; what comes is read all the same.
    unwritable: Option<io::Error>,
    /// Questions that were put out and not answered.
    put: usize,
    was_answered: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Asking<S> {
    pub(super) fn new(to: To, stream: S) -> Self {
        Self {
            stream,
            reader: Reader::new(0..=to.answer(), AT_REST),
            writer: Writer::default(),
            unwritable: None,
            put: 0,
            was_answered: false,
        }
    }

    /// Puts out those of these questions that were not, and gives the answer to the first of them.
    ///
    /// # Errors
    /// [`Ended`].
    pub(super) fn poll<'q, Q: AsRef<[u8]> + 'q>(
        &mut self,
        cx: &mut Context<'_>,
        questions: &'q VecDeque<Q>,
    ) -> Poll<Result<Vec<u8>, Ended>> {
        loop {
            self.write(cx, questions);
            if let Some(answer) = self.reader.next().map_err(ReadError::Framing)? {
                let answer = answer.to_vec();
                self.put = self.put.checked_sub(1).ok_or(Ended::Unasked)?;
                self.was_answered = true;
                return Poll::Ready(Ok(answer));
            }
            match self.reader.poll_read(cx, &mut self.stream)? {
                Poll::Ready(true) => {}
                Poll::Ready(false) if self.was_answered => return Poll::Ready(Err(Ended::Left)),
                Poll::Ready(false) => return Poll::Ready(Err(Ended::Unanswered)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn write<Q: AsRef<[u8]>>(&mut self, cx: &mut Context<'_>, questions: &VecDeque<Q>) {
        while self.unwritable.is_none() {
            while self.writer.has_room()
                && let Some(question) = questions.get(self.put)
            {
                self.writer.put_body(question.as_ref());
                self.put += 1;
            }
            match self.writer.poll_write(cx, &mut self.stream) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) | Poll::Pending => return,
                Poll::Ready(Err(error)) => self.unwritable = Some(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::task::noop_waker_ref;

    use super::super::wire::Wire;
    use super::*;

    fn poll(asking: &mut Asking<Wire>, questions: &VecDeque<&[u8]>) -> Poll<Result<Vec<u8>, String>> {
        let polled = asking.poll(&mut Context::from_waker(noop_waker_ref()), questions);
        polled.map(|answer| answer.map_err(|ended| ended.to_string()))
    }

    fn ready(answer: &[u8]) -> Poll<Result<Vec<u8>, String>> {
        Poll::Ready(Ok(answer.to_vec()))
    }

    fn ended(ended: &Ended) -> Poll<Result<Vec<u8>, String>> {
        Poll::Ready(Err(ended.to_string()))
    }

    #[test]
    fn questions_that_are_there_together_leave_together_and_each_once() {
        let (wire, mut questions) = (Wire::default(), VecDeque::from([b"a".as_slice(), b"bb", b"ccc"]));
        let mut asking = Asking::new(To::Witness, wire.clone());
        assert!(poll(&mut asking, &questions).is_pending());
        assert_eq!(wire.moves(), (1, 1));
        assert_eq!(wire.heard(), [b"a".as_slice(), b"bb", b"ccc"]);
        wire.says(&[b"A"]);
        assert_eq!(poll(&mut asking, &questions), ready(b"A"));
        questions.pop_front();
        questions.push_back(b"d");
        assert!(poll(&mut asking, &questions).is_pending());
        assert_eq!(wire.heard(), [b"d"], "nothing is asked twice");
        wire.says(&[b"BB", b"CCC", b"D"]);
        for answer in [b"BB".as_slice(), b"CCC", b"D"] {
            assert_eq!(poll(&mut asking, &questions), ready(answer));
            questions.pop_front();
        }
        assert!(poll(&mut asking, &questions).is_pending());
    }

    #[test]
    fn what_is_left_may_be_asked_again_only_where_the_end_comes_after_an_answer_and_inside_none() {
        let questions = VecDeque::from([b"a".as_slice(), b"b"]);
        for (answered, half, expected) in [
            (true, false, Ended::Left),
            (false, false, Ended::Unanswered),
            (true, true, Ended::Broken(crate::protocols::framing::FramingError::Truncated.into())),
        ] {
            let wire = Wire::default();
            let mut asking = Asking::new(To::Witness, wire.clone());
            if answered {
                wire.says(&[b"A"]);
                assert_eq!(poll(&mut asking, &questions), ready(b"A"));
            }
            if half {
                wire.ends().incoming.extend([0, 0]);
            }
            wire.ends().is_over = true;
            assert_eq!(poll(&mut asking, &questions), ended(&expected));
        }
    }

    #[test]
    fn an_answer_to_what_was_not_asked_ends_it() {
        let (wire, questions) = (Wire::default(), VecDeque::from([b"a".as_slice()]));
        let mut asking = Asking::new(To::Mailbox, wire.clone());
        wire.says(&[b"A", b"B"]);
        assert_eq!(poll(&mut asking, &questions), ready(b"A"));
        assert_eq!(poll(&mut asking, &VecDeque::new()), ended(&Ended::Unasked));
    }
}
