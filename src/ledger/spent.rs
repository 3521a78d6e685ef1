//! Which outputs a chain has claimed: for each payer's chain a set of numbers, kept as the runs in it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use kinfolk_wire::ids::AccountId;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use rangemap::RangeInclusiveSet;

use crate::entry::OutRef;
use crate::limits;

/// The claimed outputs of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spent(BTreeMap<AccountId, RangeInclusiveSet<u64>>);

impl Spent {
    /// Whether this output was claimed.
    #[must_use]
    pub fn contains(&self, out: &OutRef) -> bool {
        number(out).is_some_and(|number| self.0.get(&out.chain).is_some_and(|numbers| numbers.contains(&number)))
    }

    /// Notes that this output is claimed.
    pub(crate) fn insert(&mut self, out: &OutRef) {
        if let Some(number) = number(out) {
            self.0.entry(out.chain).or_default().insert(number..=number);
        }
    }

    /// How many runs of numbers it is kept as.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.0.values().map(RangeInclusiveSet::len).sum()
    }
}

/// Outputs in one line: `seq * 16 + idx`. Nothing for a place that no entry has.
pub(crate) fn number(out: &OutRef) -> Option<u64> {
    let width = u64::try_from(limits::OUTS).ok()?;
    let idx = u64::from(out.idx);
    (idx < width).then(|| out.seq.checked_mul(width)?.checked_add(idx)).flatten()
}

impl<C> Encode<C> for Spent {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.array(self.0.len() as u64)?;
        for (chain, numbers) in &self.0 {
            e.array(2)?;
            chain.encode(e, c)?;
            // Each run as the gap before it and the steps from its first to its last number.
            e.array((numbers.len() as u64).saturating_mul(2))?;
            let mut end = 0_u64;
            for run in numbers.iter() {
                e.u64(run.start().saturating_sub(end))?.u64(run.end().saturating_sub(*run.start()))?;
                end = *run.end();
            }
        }
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for Spent {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        let malformed = || decode::Error::message("not a set of outputs");
        let mut spent = BTreeMap::new();
        for _ in 0..d.array()?.ok_or_else(malformed)? {
            if d.array()? != Some(2) {
                return Err(malformed());
            }
            let chain = AccountId::decode(d, c)?;
            let mut numbers = RangeInclusiveSet::new();
            let mut end = 0_u64;
            for _ in 0..d.array()?.ok_or_else(malformed)? / 2 {
                let start = end.checked_add(d.u64()?).ok_or_else(malformed)?;
                end = start.checked_add(d.u64()?).ok_or_else(malformed)?;
                numbers.insert(RangeInclusive::new(start, end));
            }
            spent.insert(chain, numbers);
        }
        Ok(Self(spent))
    }
}
