//! What may be said only after it was written down.
//!
//! A witness that says something and forgets it may say the opposite after a restart: it is a double spender's friend.
//! So whatever a slot lets be said comes as [`Held`]: the record to write, and the answer, which comes out only through
//! a [`VoteLog`] that was given the record. A slot holds every answer so, a repeated one too: while the first record
//! still waits for its sync, a repetition must not overtake it.

/// Where a witness writes down what it is about to say.
///
/// [`append`](VoteLog::append) returns only when these records, and all that were given to it before, will be there after
/// a loss of power, in this order. One that it has already it need not write again. After an error nothing more may be
/// said until the witness has begun anew from what the log has.
pub trait VoteLog<R> {
    /// Why records could not be written.
    type Error;

    /// Writes records and waits until they are durable.
    ///
    /// # Errors
    /// [`VoteLog::Error`], after which none of the answers that stand on them may be given.
    fn append(&mut self, records: &[R]) -> Result<(), Self::Error>;
}

/// An answer that waits for its record to be durable.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the answer comes out once its record is written"]
pub struct Held<R, A> {
    record: R,
    answer: A,
}

impl<R, A> Held<R, A> {
    pub(crate) const fn new(record: R, answer: A) -> Self {
        Self { record, answer }
    }

    /// What must be written.
    #[must_use]
    pub const fn record(&self) -> &R {
        &self.record
    }

    /// Writes the record, then gives the answer.
    ///
    /// # Errors
    /// The log's, and the answer is gone.
    pub fn release<L: VoteLog<R>>(self, log: &mut L) -> Result<A, L::Error> {
        log.append(std::slice::from_ref(&self.record))?;
        Ok(self.answer)
    }

    /// Writes many records at once, then gives their answers: one sync for all of them.
    ///
    /// # Errors
    /// The log's, and the answers are gone.
    pub fn release_all<L: VoteLog<R>>(held: Vec<Self>, log: &mut L) -> Result<Vec<A>, L::Error> {
        let (records, answers): (Vec<R>, Vec<A>) = held.into_iter().map(|held| (held.record, held.answer)).unzip();
        log.append(&records)?;
        Ok(answers)
    }

    /// The same with more in the record and the answer in another form; it stays held.
    pub(crate) fn map<S, B>(self, record: impl FnOnce(R) -> S, answer: impl FnOnce(A) -> B) -> Held<S, B> {
        Held { record: record(self.record), answer: answer(self.answer) }
    }
}
