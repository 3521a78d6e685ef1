//! Numbers of envelopes, as runs of them: a week's worth that was passed over is one run.

use std::ops::RangeInclusive;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rangemap::RangeInclusiveSet;

/// A set of numbers. Encoded as an array of pairs, the first and the last of each run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers(RangeInclusiveSet<u64>);

impl Numbers {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a number is one of them.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        self.0.contains(&number)
    }

    /// The highest of them.
    #[must_use]
    pub fn highest(&self) -> Option<u64> {
        self.0.iter().next_back().map(|run| *run.end())
    }

    /// How many runs there are.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.0.len()
    }

    /// The lowest of them.
    #[must_use]
    pub fn lowest(&self) -> Option<u64> {
        self.0.first().map(|run| *run.start())
    }

    /// The runs in a range, the highest first, cut off at its ends.
    pub fn within(&self, range: RangeInclusive<u64>) -> impl Iterator<Item = RangeInclusive<u64>> {
        let (first, last) = range.into_inner();
        let inside = (first <= last).then(|| self.0.overlapping(first..=last).rev());
        inside.into_iter().flatten().map(move |run| first.max(*run.start())..=last.min(*run.end()))
    }

    /// Adds numbers that follow each other; nothing where the last is before the first.
    pub fn insert(&mut self, numbers: RangeInclusive<u64>) {
        if !numbers.is_empty() {
            self.0.insert(numbers);
        }
    }

    /// Takes a number out. Says whether it was one of them.
    pub fn remove(&mut self, number: u64) -> bool {
        let was_there = self.contains(number);
        self.0.remove(number..=number);
        was_there
    }

    /// Takes out what is among others, too.
    pub fn remove_all(&mut self, others: &Self) {
        for run in others.0.iter() {
            self.0.remove(run.clone());
        }
    }

    /// Cuts off all from a number on, and gives them.
    pub fn split_off(&mut self, from: u64) -> Self {
        let below = Self(from.checked_sub(1).into_iter().flat_map(|last| self.within(0..=last)).collect());
        self.remove_all(&below);
        std::mem::replace(self, below)
    }

    /// Forgets the lowest runs until there are so many at the most.
    pub fn forget_lowest(&mut self, runs: usize) {
        while self.0.len() > runs
            && let Some(lowest) = self.0.first().cloned()
        {
            self.0.remove(lowest);
        }
    }
}

impl<C> Encode<C> for Numbers {
    fn encode<W: Write>(&self, to: &mut Encoder<W>, context: &mut C) -> Result<(), encode::Error<W::Error>> {
        let runs: Vec<(u64, u64)> = self.0.iter().map(|run| (*run.start(), *run.end())).collect();
        runs.encode(to, context)
    }
}

impl<'b, C> Decode<'b, C> for Numbers {
    fn decode(from: &mut Decoder<'b>, context: &mut C) -> Result<Self, decode::Error> {
        let mut numbers = Self::default();
        for (first, last) in Vec::<(u64, u64)>::decode(from, context)? {
            numbers.insert(first..=last);
        }
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_of_runs_is_a_set(changes in prop::collection::vec((0..80_u64, 0..80_u64, any::<bool>()), 0..60)) {
            let (mut runs, mut plain) = (Numbers::default(), BTreeSet::new());
            for (first, last, adds) in changes {
                if adds {
                    runs.insert(first..=last);
                    plain.extend(first..=last);
                } else {
                    prop_assert_eq!(runs.remove(first), plain.remove(&first));
                }
                prop_assert_eq!(runs.is_empty(), plain.is_empty());
                prop_assert_eq!(runs.highest(), plain.last().copied());
                prop_assert_eq!(runs.lowest(), plain.first().copied());
                let inside: Vec<u64> = runs.within(first..=last).flat_map(Iterator::rev).collect();
                prop_assert!(inside.into_iter().eq(plain.iter().rev().copied().filter(|n| (first..=last).contains(n))));
                let (mut low, mut rest) = (runs.clone(), runs.clone());
                let high = low.split_off(last);
                rest.remove_all(&low);
                prop_assert_eq!(&rest, &high);
                prop_assert!((0..80).all(|n| low.contains(n) == (n < last && plain.contains(&n))));
                prop_assert_eq!(runs.contains(last), plain.contains(&last));
            }
            let bytes = minicbor::to_vec(&runs).unwrap();
            prop_assert_eq!(minicbor::decode::<Numbers>(&bytes).unwrap(), runs);
        }
    }

    #[test]
    fn the_ends_of_all_numbers_are_numbers() {
        let mut all = Numbers::default();
        all.insert(0..=u64::MAX);
        assert!(all.remove(0) && all.remove(u64::MAX) && !all.remove(u64::MAX));
        assert_eq!((all.lowest(), all.highest(), all.runs()), (Some(1), Some(u64::MAX - 1), 1));
        assert_eq!(all.within(0..=0).next(), None);
    }

    #[test]
    fn the_lowest_runs_go_first() {
        let mut numbers = Numbers::default();
        for start in [10, 20, 30] {
            numbers.insert(start..=start + 5);
        }
        numbers.forget_lowest(2);
        assert!(!numbers.contains(15) && numbers.contains(20) && numbers.contains(35));
    }
}
