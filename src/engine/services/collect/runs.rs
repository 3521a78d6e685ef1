//! What lies around what was found: how one find leads to the next.
//!
//! Mail is taken in the order of its numbers as far as it can be, because a session keeps a key for every number that is
//! passed over, and passes over so many at the most. A find far ahead of what has come shows only that there is more: the
//! numbers before it are tried first, evenly spaced, and then on from the lowest that is there.

use std::collections::BTreeMap;

use kinfolk_wire::ids::{DeviceId, PeerId};
use kinfolk_wire::mailbox::ROOM;

use super::{Envelope, Look, SOME_ROOM, WINDOW, add, ask, asked_host, numbers, poll_soon};
use crate::refusal::Refusal;
use crate::services::{deposit, errands};
use crate::step::Step;
use crate::store::{Asked, AskedSlot, Key, Post};

/// Numbers that are asked for where something was found.
const WIDE_WINDOW: u64 = 192;
/// How many numbers a find may be ahead of the one before it, or of one that is known not to be there.
pub(super) const REACH: u64 = 64;
/// How far behind the last find numbers that have not come are looked for.
const FAR_AHEAD: u64 = 4_096;
/// After so many finds at one look the other hosts are asked again soon.
const MANY: usize = 8;

/// The first find that is far ahead, and a number below it: what lies between is wanted first.
#[derive(Debug)]
pub(super) struct Far {
    after: u64,
    find: AskedSlot,
}

/// Sorts what was found by whether it is new, and whether it is its turn. What is far ahead stays where it lies.
pub(super) fn sort(step: &Step<'_>, look: &mut Look, mut envelopes: Vec<Envelope>, reach: u64) -> Result<(), Refusal> {
    envelopes.sort_by_key(|envelope| (envelope.slot.device, envelope.slot.number));
    let mut reached: BTreeMap<DeviceId, u64> = BTreeMap::new();
    for envelope in envelopes {
        let AskedSlot { device, number, .. } = envelope.slot;
        let post: Post = step.find(&Key::Post(device))?.unwrap_or_default();
        if numbers::has_come(&post, number) {
            look.known.push(Asked::Envelope(envelope.slot));
            continue;
        }
        if look.far.contains_key(&device) {
            continue;
        }
        let reached = reached.entry(device).or_insert(post.highest_seen);
        let tried = look.in_vain.iter().filter(|slot| slot.device == device && slot.number < number);
        let after = tried.map(|slot| slot.number).max().unwrap_or_default().max(*reached);
        if number.saturating_sub(after) > reach {
            look.far.insert(device, Far { after, find: envelope.slot });
        } else {
            *reached = number.max(*reached);
            look.envelopes.push(envelope);
        }
    }
    Ok(())
}

/// Asks the host on, and the others soon.
pub(super) fn go_on(step: &mut Step<'_>, host: PeerId, look: &Look, taken: &[AskedSlot]) -> Result<(), Refusal> {
    let mut finds: BTreeMap<DeviceId, (AskedSlot, AskedSlot)> = BTreeMap::new();
    for slot in taken {
        let (first, last) = finds.entry(slot.device).or_insert((*slot, *slot));
        if slot.number < first.number {
            *first = *slot;
        }
        if slot.number > last.number {
            *last = *slot;
        }
    }
    let several = u64::try_from(finds.len().max(1)).unwrap_or(u64::MAX);
    let is_wide = look.more || taken.len() > 1;
    let window = if is_wide { (WIDE_WINDOW / several).max(WINDOW) } else { 2 * WINDOW };
    let mut slots = Vec::new();
    for (device, (first, last)) in &finds {
        let post: Post = step.find(&Key::Post(*device))?.unwrap_or_default();
        slots.extend(around(step, &post, *first, *last, window, look));
    }
    let mut is_refined = false;
    for (device, Far { after, find }) in &look.far {
        if finds.contains_key(device) {
            // Its turn may be next.
            let again = Asked::Envelope(*find);
            if !slots.contains(&again) {
                slots.push(again);
            }
        } else if !look.more {
            let days = find.day.saturating_sub(1)..=find.day;
            add(&mut slots, *device, days, &spaced(*after, find.number, WIDE_WINDOW / 2));
            is_refined = true;
        }
    }
    if slots.is_empty() {
        return Ok(());
    }
    if taken.len() >= MANY || look.more {
        poll_soon(step)?;
    }
    let Some(host) = asked_host(step, host)? else { return Ok(()) };
    ask(step, &host, slots, if is_wide || is_refined { ROOM } else { SOME_ROOM })
}

/// The numbers around finds of one device: up to half of them those of its day that were passed over, from the highest
/// find downwards; the rest those ahead, and the first ones of later days.
fn around(step: &Step<'_>, post: &Post, first: AskedSlot, last: AskedSlot, window: u64, look: &Look) -> Vec<Asked> {
    let mut slots = Vec::new();
    let count = |of: u64| usize::try_from(of).unwrap_or(usize::MAX);
    let is_open = |number: &u64| !look.in_vain.contains(&AskedSlot { number: *number, ..first });
    let passed = post.missing.within(deposit::before_day_of(last.number).saturating_add(1)..=last.number);
    let passed = passed.flat_map(Iterator::rev).filter(is_open);
    let passed: Vec<u64> = passed.take(count(window / 2)).collect();
    let rest = window.saturating_sub(u64::try_from(passed.len()).unwrap_or(window));
    let ahead =
        (1..=FAR_AHEAD).map(|n| last.number.saturating_add(n)).filter(|number| !numbers::has_come(post, *number));
    let ahead: Vec<u64> = ahead.take(count(rest)).collect();
    let next_day = last.day.saturating_add(1);
    add(&mut slots, first.device, first.day..=first.day, &passed);
    add(&mut slots, last.device, last.day..=last.day, &ahead);
    add(&mut slots, last.device, next_day..=next_day, ahead.get(..count(2 * WINDOW)).unwrap_or(&ahead));
    for day in next_day..=errands::day(step.now) {
        let start = deposit::before_day(day).saturating_add(1);
        if !numbers::has_come(post, start) && !ahead.contains(&start) {
            add(&mut slots, last.device, day..=day, &[start]);
        }
    }
    slots
}

/// So many numbers between two, and the second.
fn spaced(after: u64, to: u64, count: u64) -> Vec<u64> {
    let step = to.saturating_sub(after).div_ceil(count.max(1)).max(1);
    let step = usize::try_from(step).unwrap_or(usize::MAX);
    (after.saturating_add(1)..=to).rev().step_by(step).collect()
}
