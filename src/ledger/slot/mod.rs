//! The slot protocol: how witnesses agree which entry stands at one place of one chain. It is the only agreement there
//! is; everything else follows from what it certifies.
//!
//! A *slot* is a place `(chain, seq)` under one policy: `n` witnesses, of which at most `f` are faulty in any way they
//! like, `n >= 3f + 1`, quorum `q = n - f`. Witnesses do not talk to one another: whoever wants an entry certified asks
//! each of them. Nothing here assumes anything about time, order or delivery.
//!
//! - **Ballot 0, fast.** A witness votes for the first valid entry that its writer proposes, and for no other. `q` such
//!   votes are a certificate.
//! - **Ballot b >= 1, ordered**, where a writer signed two entries or lost the key. *Recover*: a witness promises to take
//!   part in nothing below `b`, and reports its fast vote and its lock. *Prepare*: given reports of `q` witnesses, it
//!   votes for an entry that [`pick()`] admits, for one in each ballot. *Lock*: given `q` prepare votes, it locks
//!   that entry and votes to commit. `q` commit votes are a certificate.
//!
//! # Why two entries of one slot are never both certified
//!
//! Any two quorums have `2q - n = n - 2f >= f + 1` witnesses in common, hence a correct one. What follows speaks of
//! correct witnesses, who keep what they wrote (see [`held`]).
//!
//! 1. *Two fast certificates.* Some correct witness voted in both, and it votes fast for one entry only.
//! 2. *One ballot.* Some correct witness is in any two sets of `q` prepare votes of ballot `b`, and it prepares one entry
//!    in each ballot. So at most one entry has a prepare certificate in ballot `b`, and only that can be locked or
//!    committed there.
//! 3. *Claim.* If `v` is certified in ballot `c`, then whatever has a prepare certificate in a ballot `b > c` is `v`.
//!    By induction over `b`. Let `w` be prepared in `b`, and look at the first correct witness that voted for it there: it
//!    found that `pick` admits `w` for reports of some `R`, `|R| >= q`, each made under a promise to `b`. None of them has
//!    a lock of `b`: that would stand on a prepare certificate of `b`, which by 2 is `w`'s, and so on an earlier correct
//!    vote. Reports with locks above `b` it refuses.
//!    - *`c >= 1`.* `q` witnesses voted to commit `v` in `c`, and one of them, correct, is in `R`. It locked `v` before it
//!      promised `b`, since afterwards it locks nothing below `b`; so it reported that lock or a later one. The highest
//!      lock in the reports is thus of a ballot from `c` to `b - 1`. A lock stands on a prepare certificate, which is
//!      carried along and cannot be invented: in `c` itself it is `v`'s by 2, above by the induction. `pick` admits the
//!      highest lock only, so `w` is `v`.
//!    - *`c = 0`.* `q` witnesses voted fast for `v`: at least `q - f` correct ones. Those of them in `R` did so before
//!      they promised, and reported `v`. So the reports for `v` are at least `q - f - (n - |R|)`, which is exactly
//!      when `pick` holds `v` possible. If there is a lock, its ballot is below `b` and at least 1, and it is `v` by
//!      the induction. If there is none, `pick` admits `v` alone, or nothing where another is possible as well.
//! 4. *Two certificates* of ballots `c < b`: the later has `q` commit votes, of which a correct one stands on a prepare
//!    certificate in `b`, which is of the same entry by 3.
//!
//! # Chains without ballot 0
//!
//! An escrow chain ([`escrow`](crate::escrow)) has several proposers and no fast votes. Its ballots begin with 1, which
//! needs no reports ([`Slot::prepare_first`]): the claim (3) says something of ballots above a certificate's, and there is
//! none below 1. The vote is a promise to 1, so that whoever reports for a higher ballot afterwards does not prepare in 1.
//!
//! # What can be stuck, and who can make it so
//!
//! `pick` can hold two entries possible at once. It waits for more reports then; if all `n` have come and it still does,
//! the slot is *frozen*: it stands until one of the two comes with its certificate. That takes a writer who signed both,
//! and `3f + 1 <= n < 5f + 1`: with all reports in, two possible entries have `q - f` reports each, and
//! `2(q - f) = 2n - 4f <= n` only for `n <= 4f`, so that `n > 4f` never freezes once all have answered, and
//! `n >= 5f + 1` never waits for more than a quorum. Nobody else's chain is touched.
//!
//! How a place is taken over by the witnesses of the next policy stands in [`crossing`].
//!
//! # Where it is checked
//!
//! `tests/model.rs` gives this same code to a model checker, with everything a faulty writer, recoverer and witness can do,
//! and with mutants that must be caught. `docs/protocol/11-ledger.md`, section 7, has the rules for a second program.

pub mod crossing;
pub mod held;
pub mod pick;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::quorum::Quorum;
use crate::vote::Phase;
use held::Held;
use pick::{Pick, pick};

/// The ballot of closing reports, above all others: nobody proposes in it ([`crossing`]).
pub const CLOSING: u32 = u32::MAX;

/// An entry that a quorum prepared in a ballot, with what proves that.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct Lock<E, P> {
    /// The ballot, from 1.
    #[n(0)]
    pub ballot: u32,
    /// The entry.
    #[n(1)]
    pub entry: E,
    /// The prepare certificate.
    #[n(2)]
    pub proof: P,
}

/// One witness's part in one slot: all that it may not forget.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot<E, P> {
    /// It takes part in no ballot below this.
    promised: u32,
    /// Its fast vote.
    v0: Option<E>,
    /// Its last prepare vote, and in which ballot.
    prepared: Option<(u32, E)>,
    /// Its last commit vote.
    lock: Option<Lock<E, P>>,
}

/// What is written down before anything is said: a slot is exactly the steps that were written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Step<E, P> {
    /// A fast vote.
    #[n(0)]
    Fast(#[n(0)] E),
    /// A promise to take part in no ballot below this.
    #[n(1)]
    Promise(#[n(0)] u32),
    /// A prepare vote.
    #[n(2)]
    Prepare {
        /// In which ballot.
        #[n(0)]
        ballot: u32,
        /// For what.
        #[n(1)]
        entry: E,
    },
    /// A commit vote.
    #[n(3)]
    Lock(#[n(0)] Lock<E, P>),
}

/// What a witness tells who recovers a slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Report<E, P> {
    /// Its fast vote.
    pub v0: Option<E>,
    /// Its last commit vote.
    pub lock: Option<Lock<E, P>>,
}

/// A vote without a slot and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot<E> {
    /// Which ballot.
    pub ballot: u32,
    /// Which phase.
    pub phase: Phase,
    /// For what.
    pub entry: E,
}

/// A vote that waits for its step to be written.
pub type HeldVote<E, P> = Held<Step<E, P>, Ballot<E>>;

/// Why a witness does not take a step. Its slot is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlotRefusal<E> {
    /// It voted fast for another entry.
    #[error("the witness has voted for another entry at this place")]
    Conflict {
        /// Which.
        first: E,
    },
    /// It takes part in no ballot below that one.
    #[error("the witness takes part in no ballot below {promised}, this is {ballot}")]
    Promised {
        /// What it promised.
        promised: u32,
        /// What was asked.
        ballot: u32,
    },
    /// It did not promise this ballot yet.
    #[error("the witness has promised ballot {promised}, it must promise {ballot} before it prepares there")]
    NotPromised {
        /// What it promised.
        promised: u32,
        /// What was asked.
        ballot: u32,
    },
    /// Ballots of this kind begin with 1.
    #[error("recovery begins with ballot 1")]
    BallotZero,
    /// That ballot is for closing reports.
    #[error("a recovery has no ballot {CLOSING}")]
    Closing,
    /// It prepared another entry in this ballot.
    #[error("the witness has prepared another entry in ballot {ballot}")]
    Prepared {
        /// The ballot.
        ballot: u32,
    },
    /// Fewer reports than a quorum.
    #[error("{needed} reports are needed, these are {found}")]
    TooFewReports {
        /// How many came.
        found: usize,
        /// The quorum.
        needed: usize,
    },
    /// The reports admit another entry only.
    #[error("the reports admit another entry only")]
    Bound {
        /// Which.
        to: E,
    },
    /// More than one entry may have been certified: more reports are needed.
    #[error("the reports do not tell yet which entry may have been certified; ask the other witnesses")]
    Undecided,
    /// All have reported, and two entries may have been certified.
    #[error("the slot is frozen: its writer signed two entries, and only a certificate of one of them ends it")]
    Frozen,
    /// Reports or certificates that cannot be if at most `f` witnesses are faulty.
    #[error("the reports contradict one another: more witnesses are faulty than this currency bears")]
    Broken,
}

impl<E, P> Default for Slot<E, P> {
    fn default() -> Self {
        Self { promised: 0, v0: None, prepared: None, lock: None }
    }
}

impl<E: Copy + Ord, P: Clone> Slot<E, P> {
    /// A slot as it was when these steps had been written.
    #[must_use]
    pub fn replay<'a>(steps: impl IntoIterator<Item = &'a Step<E, P>>) -> Self
    where
        E: 'a,
        P: 'a,
    {
        steps.into_iter().fold(Self::default(), |mut slot, step| {
            slot.take(step);
            slot
        })
    }

    /// Takes part in a step that was written.
    pub fn take(&mut self, step: &Step<E, P>) {
        match step {
            Step::Fast(entry) => self.v0 = Some(*entry),
            Step::Promise(ballot) => self.promised = self.promised.max(*ballot),
            Step::Prepare { ballot, entry } => {
                self.promised = self.promised.max(*ballot);
                self.prepared = Some((*ballot, *entry));
            }
            Step::Lock(lock) => {
                self.promised = self.promised.max(lock.ballot);
                self.lock = Some(lock.clone());
            }
        }
    }

    /// Votes fast for a valid entry of the writer, if it is the first. `valid` is the caller's word that it is one.
    ///
    /// # Errors
    /// [`SlotRefusal::Conflict`], [`SlotRefusal::Promised`].
    pub fn propose(&mut self, entry: E) -> Result<HeldVote<E, P>, SlotRefusal<E>> {
        if let Some(first) = self.v0.filter(|first| *first != entry) {
            return Err(SlotRefusal::Conflict { first });
        }
        if self.promised > 0 {
            return Err(SlotRefusal::Promised { promised: self.promised, ballot: 0 });
        }
        Ok(self.hold(Step::Fast(entry), Ballot { ballot: 0, phase: Phase::Fast, entry }))
    }

    /// Promises a ballot and reports. Asked again for the same ballot it reports again, until it prepares there.
    ///
    /// # Errors
    /// [`SlotRefusal::BallotZero`], [`SlotRefusal::Closing`], [`SlotRefusal::Promised`], [`SlotRefusal::Prepared`].
    #[allow(clippy::type_complexity, reason = "a step held back with the report that stands on it")]
    pub fn recover(&mut self, ballot: u32) -> Result<Held<Step<E, P>, Report<E, P>>, SlotRefusal<E>> {
        check_ballot(ballot)?;
        if ballot < self.promised {
            return Err(SlotRefusal::Promised { promised: self.promised, ballot });
        }
        if self.prepared.is_some_and(|(prepared, _)| prepared == ballot) {
            return Err(SlotRefusal::Prepared { ballot });
        }
        let report = Report { v0: self.v0, lock: self.lock.clone() };
        Ok(self.hold(Step::Promise(ballot), report))
    }

    /// Votes to prepare an entry in the ballot that it promised, if the reports of that ballot admit it. Each report is
    /// under its witness's place.
    ///
    /// # Errors
    /// [`SlotRefusal`].
    pub fn prepare(
        &mut self,
        quorum: Quorum,
        ballot: u32,
        entry: E,
        reports: &BTreeMap<u8, Report<E, P>>,
    ) -> Result<HeldVote<E, P>, SlotRefusal<E>> {
        check_ballot(ballot)?;
        if ballot < self.promised {
            return Err(SlotRefusal::Promised { promised: self.promised, ballot });
        }
        if ballot > self.promised {
            return Err(SlotRefusal::NotPromised { promised: self.promised, ballot });
        }
        if self.prepared.is_some_and(|(prepared, other)| prepared == ballot && other != entry) {
            return Err(SlotRefusal::Prepared { ballot });
        }
        if reports.len() < quorum.q() {
            return Err(SlotRefusal::TooFewReports { found: reports.len(), needed: quorum.q() });
        }
        // Who promised a ballot locks in none above it without promising that: no correct witness reports so.
        if reports.values().filter_map(|report| report.lock.as_ref()).any(|lock| lock.ballot > ballot) {
            return Err(SlotRefusal::Broken);
        }
        match pick(quorum, reports) {
            Pick::Free => {}
            Pick::Bound(to) if to == entry => {}
            Pick::Bound(to) => return Err(SlotRefusal::Bound { to }),
            Pick::Undecided => return Err(SlotRefusal::Undecided),
            Pick::Frozen => return Err(SlotRefusal::Frozen),
            Pick::Broken => return Err(SlotRefusal::Broken),
        }
        Ok(self.hold(Step::Prepare { ballot, entry }, Ballot { ballot, phase: Phase::Prepare, entry }))
    }

    /// Votes to prepare an entry in ballot 1, of a chain that has no ballot 0: nothing can have been certified below, so
    /// that no report is needed, and the vote is the promise.
    ///
    /// # Errors
    /// [`SlotRefusal::Promised`], [`SlotRefusal::Prepared`], [`SlotRefusal::Broken`] where there is a fast vote.
    pub fn prepare_first(&mut self, entry: E) -> Result<HeldVote<E, P>, SlotRefusal<E>> {
        const FIRST: u32 = 1;
        if self.v0.is_some() {
            return Err(SlotRefusal::Broken);
        }
        if self.promised > FIRST {
            return Err(SlotRefusal::Promised { promised: self.promised, ballot: FIRST });
        }
        if self.prepared.is_some_and(|(_, other)| other != entry) {
            return Err(SlotRefusal::Prepared { ballot: FIRST });
        }
        let step = Step::Prepare { ballot: FIRST, entry };
        Ok(self.hold(step, Ballot { ballot: FIRST, phase: Phase::Prepare, entry }))
    }

    /// Locks an entry that a quorum prepared, and votes to commit it. `lock.proof` is the certificate of that, verified.
    ///
    /// # Errors
    /// [`SlotRefusal::BallotZero`], [`SlotRefusal::Closing`], [`SlotRefusal::Promised`], [`SlotRefusal::Broken`].
    pub fn lock(&mut self, lock: Lock<E, P>) -> Result<HeldVote<E, P>, SlotRefusal<E>> {
        let Lock { ballot, entry, .. } = lock;
        check_ballot(ballot)?;
        if ballot < self.promised {
            return Err(SlotRefusal::Promised { promised: self.promised, ballot });
        }
        if self.lock.as_ref().is_some_and(|mine| mine.ballot == ballot && mine.entry != entry) {
            return Err(SlotRefusal::Broken);
        }
        Ok(self.hold(Step::Lock(lock), Ballot { ballot, phase: Phase::Commit, entry }))
    }

    /// What it promised.
    #[must_use]
    pub const fn promised(&self) -> u32 {
        self.promised
    }

    /// Its fast vote.
    #[must_use]
    pub const fn v0(&self) -> Option<E> {
        self.v0
    }

    /// Its last prepare vote.
    #[must_use]
    pub fn prepared(&self) -> Option<E> {
        self.prepared.map(|(_, entry)| entry)
    }

    /// Its last commit vote.
    #[must_use]
    pub const fn locked(&self) -> Option<&Lock<E, P>> {
        self.lock.as_ref()
    }

    /// Takes a step at once, so that nothing contradicts it in the meantime, and keeps back what it lets be said.
    fn hold<A>(&mut self, step: Step<E, P>, answer: A) -> Held<Step<E, P>, A> {
        self.take(&step);
        Held::new(step, answer)
    }
}

/// Ballots of a recovery begin with 1, and the last is not one of them.
const fn check_ballot<E>(ballot: u32) -> Result<(), SlotRefusal<E>> {
    match ballot {
        0 => Err(SlotRefusal::BallotZero),
        CLOSING => Err(SlotRefusal::Closing),
        _ => Ok(()),
    }
}
