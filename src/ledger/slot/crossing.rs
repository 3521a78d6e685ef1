//! How a place of a chain is taken over from one set of witnesses to the next.
//!
//! A currency's *epoch* is the time of one policy. An epoch ends at a witness when it *closes* it: it writes down that it
//! votes in it no more, for the one policy after it that it names, and only then says so. Of any chain it says from then on,
//! to whoever asks, what it last did there: a *closing report*. It is a report for [`CLOSING`], the ballot above all
//! ballots, which nobody can propose in; so to close an epoch is to promise that ballot in all slots of it at once. A
//! witness of a later epoch votes at a chain only after it *crossed* it: it was shown closing reports of a quorum of each
//! epoch that lies between the chain's last certificate and its own.
//!
//! # Why two entries of one place are never both certified, also in two epochs
//!
//! An entry may be certified in the epoch that its header names or in any later one. Let epoch `g` have `n`, `f`, `q`, and
//! let a correct witness of a later epoch, which stands at place `t` of a chain, cross it from `g` by closing reports of `R`,
//! `|R| >= q`, none of which stands further than `t`. A report that stands further is not taken: its chain has a
//! certificate for `t`, which is to be brought first.
//!
//! 1. *Closing reports are the last word.* A correct witness in `R` takes no step in any slot of `g` after it. A slot at
//!    which it does not stand yet it has never voted in, and never will in `g`.
//! 2. *Nothing above `t` is ever certified in `g`.* The correct witnesses in `R`, at least `q - f`, have not voted there and
//!    will not. What is left are at most `n - (q - f) = 2f` votes, and `q >= 2f + 1`.
//! 3. *If `v` is certified at `t` in `g`*, now or later, hidden or not, the reports admit `v` alone, or nothing yet. That is
//!    the claim of the slot protocol ([`super`], step 3) for the ballot `b` = [`CLOSING`]: in it `w` was prepared after
//!    [`pick()`] admitted it, and here it is voted for after the same; the rest of that proof speaks only of promises made
//!    before reports, which 1 gives. A report of a place before `t` is one of nothing, which by 1 is true.
//! 4. *Two epochs.* Let `v` be certified at `t` in `g`, and `w` at `t` in `h > g`. Look at any correct vote, fast or to
//!    prepare, for `w` in `h`. Who gave it stood at `t` and had crossed the chain from `g`, at `t` or before, or the entry
//!    before `t` was certified in an epoch after `g`. If at `t`, then `w` is `v` by 3. If before, nothing would be certified at
//!    `t` in `g` by 2. If the entry before `t` has a certificate of an epoch `k > g`, some correct witness of `k` voted for it,
//!    having crossed from `g` at `t - 1` or before, or by an earlier certificate of an epoch after `g`, and so on down; the
//!    first in that row crossed from `g` at a place before `t`, and again by 2 nothing is certified at `t` in `g`. A commit vote
//!    stands on a prepare certificate, in which there is a correct vote to prepare.
//! 5. *Several epochs passed.* Reports of each of them are needed, and an entry is voted for only if each admits it. So what
//!    was certified in any of them is the only one left. A quorum of the last epoch alone would not do: a faulty witness of
//!    it can report a vote for another entry, and make that possible.
//! 6. *An account that nobody has opened* may have been opened in any epoch since the one that its inception names as its
//!    first, and is crossed from each of them.
//!
//! Nothing is assumed about when a policy comes into force: 1 to 6 use the closing reports alone. That a quorum closed its
//! epoch before the next policy is in force lets it come to an end, and that each names one policy after it lets only one be
//! next. A crossing is known to be true for ever; one that is forgotten is asked for again.
//!
//! # What can be stuck, and who can make it so
//!
//! Fewer than a quorum of an epoch's witnesses cannot close it, and what is not closed cannot be changed: with more than `f` of them
//! gone for good there is no next epoch. Closing reports are signed and final, so that whoever keeps them needs those witnesses
//! no more: who crosses a chain keeps what it was shown. Where a writer signed two entries, the reports may not tell
//! yet, or the place is *frozen*, exactly as in a recovery.
//!
//! `tests/epochs.rs` gives this code to a model checker.

use std::collections::BTreeMap;

use super::pick::{Pick, pick};
use super::{CLOSING, Report};
use crate::quorum::Quorum;

/// What a witness of an epoch that is closed said of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing<E, P> {
    /// The place at which it stands.
    pub next: u64,
    /// What it did there.
    pub report: Report<E, P>,
}

/// What closing reports of one epoch admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossed<E> {
    place: u64,
    bound: Option<E>,
}

/// Why a chain is not crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CrossRefusal {
    /// Fewer reports than a quorum.
    #[error("closing reports of {needed} witnesses are needed, these are {found}; ask the others")]
    TooFewReports {
        /// How many came.
        found: usize,
        /// The quorum.
        needed: usize,
    },
    /// One of them stands further in the chain.
    #[error("a closing report stands at entry {next} of this chain: bring the entries before it first")]
    Further {
        /// Where it stands.
        next: u64,
    },
    /// More than one entry may have been certified.
    #[error("the closing reports do not tell yet which entry may have been certified; ask the other witnesses")]
    Undecided,
    /// All have reported, and two entries may have been certified.
    #[error("the place is frozen: its writer signed two entries, and only a certificate of one of them ends it")]
    Frozen,
    /// Reports that cannot be if at most `f` witnesses are faulty.
    #[error("the closing reports contradict one another: more witnesses are faulty than this currency bears")]
    Broken,
}

/// Crosses a chain from an epoch of this quorum, at the place where it stands here. Each report is under its witness's place.
///
/// # Errors
/// [`CrossRefusal`].
pub fn cross<E: Copy + Ord, P: Clone>(
    quorum: Quorum,
    place: u64,
    closings: &BTreeMap<u8, Closing<E, P>>,
) -> Result<Crossed<E>, CrossRefusal> {
    if closings.len() < quorum.q() {
        return Err(CrossRefusal::TooFewReports { found: closings.len(), needed: quorum.q() });
    }
    if let Some(next) = closings.values().map(|closing| closing.next).max().filter(|next| *next > place) {
        return Err(CrossRefusal::Further { next });
    }
    let nothing = Report { v0: None, lock: None };
    let at_place = |closing: &Closing<E, P>| {
        if closing.next == place { closing.report.clone() } else { nothing.clone() }
    };
    let reports = closings.iter().map(|(witness, closing)| (*witness, at_place(closing))).collect();
    let bound = match pick(quorum, &reports) {
        Pick::Free => None,
        Pick::Bound(entry) => Some(entry),
        Pick::Undecided => return Err(CrossRefusal::Undecided),
        Pick::Frozen => return Err(CrossRefusal::Frozen),
        Pick::Broken => return Err(CrossRefusal::Broken),
    };
    Ok(Crossed { place, bound })
}

impl<E: Copy + Eq> Crossed<E> {
    /// The one entry that may be voted for at this place; nothing if there is no such.
    #[must_use]
    pub fn bound_at(&self, place: u64) -> Option<E> {
        self.bound.filter(|_| place == self.place)
    }

    /// Whether an entry may be voted for at this place, as far as that epoch goes.
    #[must_use]
    pub fn admits(&self, place: u64, entry: &E) -> bool {
        self.bound_at(place).is_none_or(|bound| bound == *entry)
    }
}

impl<E: Copy + Ord, P: Clone> super::Slot<E, P> {
    /// Says the last of this slot, in an epoch that is closed: that it is must be on the disk. It takes no other step.
    pub fn close(&mut self) -> Report<E, P> {
        self.promised = CLOSING;
        Report { v0: self.v0, lock: self.lock.clone() }
    }
}
