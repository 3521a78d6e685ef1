//! A walk that goes on behind what cannot be read.
//!
//! A database stops at its first damaged page. Where the next sound one begins it does not say; so places further on
//! are tried, in growing steps until the walk goes on from one, then back by halves to the nearest such place.

use std::ops::ControlFlow;

use super::between::Number;
use super::{Fault, KeyRange, Visit};

/// Visits the pairs of a range until there are no more, or the visitor has enough, or something cannot be read.
pub(super) type Pass<'a> = &'a dyn Fn(&KeyRange, bool, Visit<'_>) -> Result<(), Fault>;

/// Walks over a range, in as many passes as it takes; returns how many stretches could not be read.
pub(super) fn past_damage(pass: Pass<'_>, range: &KeyRange, backwards: bool, visit: Visit<'_>) -> Result<usize, Fault> {
    let mut range = range.clone();
    let mut unreadable = 0usize;
    loop {
        let mut last = None;
        let passed = pass(&range, backwards, &mut |key, value| {
            last = Some(key.to_vec());
            visit(key, value)
        });
        match passed {
            Ok(()) => return Ok(unreadable),
            Err(Fault::Damaged(_)) => {}
            Err(fault) => return Err(fault),
        }
        unreadable = unreadable.saturating_add(1);
        let beyond = if backwards {
            range.until = last.or(range.until);
            below(pass, &range).map(|until| range.until = Some(until))
        } else {
            if let Some(key) = last {
                range.from = [key.as_slice(), &[0]].concat();
            }
            above(pass, &range).map(|from| range.from = from)
        };
        if beyond.is_none() {
            return Ok(unreadable);
        }
    }
}

/// Whether a walk gets anywhere in a range. It does not from the end of the page before a damaged one either.
fn goes(pass: Pass<'_>, from: Number, until: Number, backwards: bool) -> bool {
    let range = KeyRange { from: from.key(), until: Some(until.key()) };
    pass(&range, backwards, &mut |_, _| ControlFlow::Break(())).is_ok()
}

fn above(pass: Pass<'_>, range: &KeyRange) -> Option<Vec<u8>> {
    let start = Number::of(&range.from);
    let end = range.until.as_deref().map_or(Number::GREATEST, Number::of);
    let goes = |place| goes(pass, place, end, false);
    let (mut low, mut high) = (start, end);
    for probe in (0..Number::BITS).map_while(|bit| start.up(bit).filter(|probe| *probe < end)) {
        if goes(probe) {
            high = probe;
            break;
        }
        low = probe;
    }
    while low.middle(high) > low {
        let middle = low.middle(high);
        if goes(middle) { high = middle } else { low = middle }
    }
    (high < end).then(|| high.key())
}

fn below(pass: Pass<'_>, range: &KeyRange) -> Option<Vec<u8>> {
    let start = range.until.as_deref().map_or(Number::GREATEST, Number::of);
    let floor = Number::of(&range.from);
    let goes = |place| goes(pass, floor, place, true);
    let (mut high, mut low) = (start, floor);
    for probe in (0..Number::BITS).map_while(|bit| start.down(bit).filter(|probe| *probe > floor)) {
        if goes(probe) {
            low = probe;
            break;
        }
        high = probe;
    }
    while low.middle(high) > low {
        let middle = low.middle(high);
        if goes(middle) { low = middle } else { high = middle }
    }
    (low > floor).then(|| low.key())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of ten keys each, of which some cannot be read.
    fn pass_over(damaged: &'static [usize]) -> impl Fn(&KeyRange, bool, Visit<'_>) -> Result<(), Fault> {
        move |range, backwards, visit| {
            let keys = (0..1_000u32).map(|number| [&[13; 30], number.to_be_bytes().as_slice()].concat());
            let inside = |key: &Vec<u8>| *key >= range.from && range.until.as_ref().is_none_or(|until| key < until);
            let mut keys: Vec<(usize, Vec<u8>)> = keys.enumerate().filter(|(_, key)| inside(key)).collect();
            if backwards {
                keys.reverse();
            }
            for (index, key) in keys {
                if damaged.contains(&(index / 10)) {
                    return Err(Fault::Damaged(format!("page {}", index / 10)));
                }
                if visit(&key, &[]).is_break() {
                    return Ok(());
                }
            }
            Ok(())
        }
    }

    fn walk(damaged: &'static [usize], backwards: bool) -> (usize, usize) {
        let mut seen = Vec::new();
        let unreadable = past_damage(&pass_over(damaged), &KeyRange::under(&[13]), backwards, &mut |key, _| {
            seen.push(key.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
        assert!(if backwards { seen.iter().rev().is_sorted() } else { seen.is_sorted() });
        (seen.len(), unreadable)
    }

    #[test]
    fn every_page_but_the_damaged_ones_is_walked_over_both_ways() {
        for backwards in [false, true] {
            assert_eq!(walk(&[], backwards), (1_000, 0));
            assert_eq!(walk(&[40], backwards), (990, 1));
            assert_eq!(walk(&[3, 4, 5, 60], backwards), (960, 2));
            assert_eq!(walk(&[0], backwards), (990, 1));
            assert_eq!(walk(&[99], backwards), (990, 1));
        }
    }
}
