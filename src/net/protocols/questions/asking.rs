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
