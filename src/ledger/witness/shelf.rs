//! The port to the disk: a log that is the truth, and an index of it that can be made again.

use kinfolk_wire::ids::{AccountId, CurrencyId};
use minicbor::{Decode, Encode};

use crate::signature::SecretKey;

/// Where a line of the log begins, or where the next one will: greater the later it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Position(#[n(0)] u64);

impl Position {
    /// A position; only the keeper of a log knows one.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// Names a row of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// What the witness counts, and which policies it serves.
    Totals,
    /// A chain's state, and where the log has what the witness did at its next place.
    Account(CurrencyId, AccountId),
    /// Where the log has the certified entry at a place of a chain.
    Entry(CurrencyId, AccountId, u64),
    /// Where the log has a proof against a writer, counted from 0.
    Proof(u64),
}

/// Lines of the log that follow one another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stretch {
    /// Each with where it begins. None: the log ends here.
    pub lines: Vec<(Position, Vec<u8>)>,
    /// Where the line after them begins, or will.
    pub next: Position,
}

/// What a witness has on the disk. Bytes are handed over as they are; whoever keeps them seals them.
///
/// After any error the witness asks nothing more of it: it is to be opened anew.
pub trait Shelf {
    /// What went wrong with the disk.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The key that votes are signed with. It comes into being with the log, and is lost with it.
    fn key(&self) -> &SecretKey;

    /// Writes lines at the end of the log, and says where each begins. When this returns, they and all before them will
    /// be there after a loss of power.
    ///
    /// # Errors
    /// Nobody knows then which of them are in the log.
    fn append(&mut self, lines: &[Vec<u8>]) -> Result<Vec<Position>, Self::Error>;

    /// The line that begins there.
    ///
    /// # Errors
    /// Where it cannot be read whole.
    fn line(&self, at: Position) -> Result<Vec<u8>, Self::Error>;

    /// Some lines from there on, as many as are read at a time.
    ///
    /// # Errors
    /// Where one cannot be read whole.
    fn lines(&self, from: Position) -> Result<Stretch, Self::Error>;

    /// What the index says, as of the last [`index`](Self::index).
    ///
    /// # Errors
    /// Where it cannot be read.
    fn row(&self, key: &RowKey) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Puts rows into the index, all or none, which then says what the log says before `until`.
    ///
    /// # Errors
    /// The index is as it was, or has all of them.
    fn index(&mut self, rows: Vec<(RowKey, Vec<u8>)>, until: Position) -> Result<(), Self::Error>;

    /// Up to where the index says what the log says.
    fn indexed(&self) -> Position;

    /// Where the next line will begin.
    fn end(&self) -> Position;
}

/// A log that can be written anew: another one beside it takes its place, whole.
pub trait Renewable: Shelf + Sized {
    /// Where the first line of the log begins.
    fn first(&self) -> Position;

    /// An empty log with the same key, beside this one. What is left of one that was begun before and given up goes.
    ///
    /// # Errors
    /// It cannot be made; this one is as it was.
    fn beside(&self) -> Result<Self, Self::Error>;

    /// Writes lines at the end of a log beside another, which need not be there after a loss of power yet.
    ///
    /// # Errors
    /// As of [`append`](Shelf::append).
    fn copy(&mut self, lines: &[Vec<u8>]) -> Result<Vec<Position>, Self::Error>;

    /// When this returns, all lines that were copied will be there after a loss of power, as soon as the log is the one
    /// that is opened.
    ///
    /// # Errors
    /// Nobody knows then which of them will.
    fn finish(&mut self) -> Result<(), Self::Error>;

    /// Puts this log, which is finished, in the place of the one that it was made beside. When this returns, it is the one
    /// that is opened, after a loss of power as well; at no time is there none.
    ///
    /// # Errors
    /// Nobody knows then which of the two is opened.
    fn replace(&mut self, old: Self) -> Result<(), Self::Error>;

    /// Removes this log, which was begun beside another and is not needed.
    fn give_up(self);
}

impl<S: Shelf> Shelf for &mut S {
    type Error = S::Error;

    fn key(&self) -> &SecretKey {
        (**self).key()
    }

    fn append(&mut self, lines: &[Vec<u8>]) -> Result<Vec<Position>, S::Error> {
        (**self).append(lines)
    }

    fn line(&self, at: Position) -> Result<Vec<u8>, S::Error> {
        (**self).line(at)
    }

    fn lines(&self, from: Position) -> Result<Stretch, S::Error> {
        (**self).lines(from)
    }

    fn row(&self, key: &RowKey) -> Result<Option<Vec<u8>>, S::Error> {
        (**self).row(key)
    }

    fn index(&mut self, rows: Vec<(RowKey, Vec<u8>)>, until: Position) -> Result<(), S::Error> {
        (**self).index(rows, until)
    }

    fn indexed(&self) -> Position {
        (**self).indexed()
    }

    fn end(&self) -> Position {
        (**self).end()
    }
}
