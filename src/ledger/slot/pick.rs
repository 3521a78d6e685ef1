//! Which entry a recovery must go on with, given what witnesses reported.

use std::collections::{BTreeMap, BTreeSet};

use super::{Lock, Report};
use crate::quorum::Quorum;

/// What reports admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick<E> {
    /// This entry only: it is locked, or may have been certified.
    Bound(E),
    /// Any: none can have been certified.
    Free,
    /// Two or more may have been certified, and not all witnesses have reported.
    Undecided,
    /// Two or more may have been certified, and all have reported.
    Frozen,
    /// Two entries locked in one ballot: more than `f` witnesses are faulty.
    Broken,
}

/// The highest lock wins. Without one, an entry is *possible* if it can have `q` fast votes: those reported, those of
/// the witnesses that did not report, and those of `f` that may have lied. One possible entry is bound; none leaves the
/// choice free; of two nothing is known yet.
#[must_use]
pub fn pick<E: Copy + Ord, P>(quorum: Quorum, reports: &BTreeMap<u8, Report<E, P>>) -> Pick<E> {
    let locks = || reports.values().filter_map(|report| report.lock.as_ref());
    if let Some(highest) = locks().map(|lock| lock.ballot).max() {
        let entries: BTreeSet<E> =
            locks().filter(|lock| lock.ballot == highest).map(|Lock { entry, .. }| *entry).collect();
        return match (entries.first(), entries.len()) {
            (Some(entry), 1) => Pick::Bound(*entry),
            _ => Pick::Broken,
        };
    }
    let mut voted: BTreeMap<E, usize> = BTreeMap::new();
    for entry in reports.values().filter_map(|report| report.v0) {
        let votes = voted.entry(entry).or_default();
        *votes = votes.saturating_add(1);
    }
    let silent = quorum.n().saturating_sub(reports.len());
    let unknown = silent.saturating_add(quorum.f());
    let possible: Vec<E> = voted
        .into_iter()
        .filter(|(_, votes)| votes.saturating_add(unknown) >= quorum.q())
        .map(|(entry, _)| entry)
        .collect();
    match possible.as_slice() {
        [] => Pick::Free,
        [entry] => Pick::Bound(*entry),
        _ if silent > 0 => Pick::Undecided,
        _ => Pick::Frozen,
    }
}
