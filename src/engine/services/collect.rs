//! Mail is fetched from the hosts that this person has named (docs/protocol/07-mailbox.md).
//!
//! Each host is asked at even intervals for the next numbers of every contact, under the days around today, and once a
//! day for those of the month before. What is found is opened, and the host is asked on at once for what follows it.
//! A number that has come is not asked for again; what a host has of it is erased.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use kinfolk_crypto::PairRoot;
use kinfolk_crypto::mailbox::{DirectionKey, Slot};
use kinfolk_crypto::secret::SecretBytes;
use kinfolk_wire::ids::{DeviceId, MailboxTag, PeerId};
use kinfolk_wire::mailbox::{Collect, ERASURES, Erasure, Host, ROOM, Reply, Request, TAGS};
use kinfolk_wire::time::{Span, Timestamp};

use super::errands::Group;
use super::{deposit, directory, errands};
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Alarm, AskedSlot, Device, Errand, Hosts, Key, Post, Profile};

/// How often the hosts are asked.
const POLL: Span = Span::from_secs(12 * 60);
/// By how much chance shortens or lengthens that, at the most.
const JITTER: Span = Span::from_secs(120);
/// The longest wait before the hosts are asked again.
pub(crate) const LONGEST_WAIT: Span = Span::from_secs(14 * 60);
/// How often older days are asked for too.
const SWEEP: Span = Span::from_days(1);
/// How many days back, and how many ahead: for as long as a host keeps mail, and for clocks that differ.
const SWEEP_BACK: u32 = 30;
const SWEEP_AHEAD: u32 = 7;
/// Numbers of one contact that are asked for while nothing is there.
const WINDOW: u64 = 4;
/// And where something was found.
const WIDE_WINDOW: u64 = 192;
/// Numbers that were passed over and are asked for with the others.
const MISSING: usize = 8;
/// Numbers passed over that are still asked for; of older ones only what is said again will come.
const MOST_MISSING: usize = 1_024;
/// Numbers that came by hand, ahead of what hosts were asked for, which are kept in mind.
const MOST_BY_HAND: usize = 4_096;
/// How far ahead a sweep looks, in doubling steps from the end of a window that may be lost as a whole.
const PROBES: std::ops::Range<u32> = 3..14;
/// How many jumps of numbers it looks ahead.
const JUMPS: u64 = 4;
/// The room of a reply where nothing is likely to be there: one line.
const LITTLE_ROOM: u8 = 1;
/// And where a few lines may follow.
const SOME_ROOM: u8 = 8;
/// After so many answers that were none a host is dropped.
const LIES: u32 = 3;

/// An envelope that came out of its seal.
pub(crate) struct Envelope {
    /// Where it lay.
    pub(crate) slot: AskedSlot,
    /// What was inside: a message 0x11 or 0x12.
    pub(crate) payload: SecretBytes,
}

/// What a look at a host came to.
#[derive(Default)]
pub(crate) struct Look {
    /// What is new, in the order of its numbers.
    pub(crate) envelopes: Vec<Envelope>,
    /// What was there and is of no use: it had come before, or is rubbish.
    known: Vec<AskedSlot>,
    /// Whether there was more than room for it.
    more: bool,
}

/// Hosts were named, or the node has just started: they are asked now, for older days too.
pub(crate) fn poll_now(step: &mut Step<'_>) -> Result<(), Refusal> {
    let Some(hosts) = step.find::<Hosts>(&Key::Hosts)? else { return Ok(()) };
    plan(step, Hosts { swept_at: None, ..hosts }, Span::ZERO);
    Ok(())
}

fn plan(step: &mut Step<'_>, hosts: Hosts, wait: Span) {
    if hosts.hosts.is_empty() {
        step.clear_alarm(Alarm::Poll, hosts.poll_at);
        return step.put(Key::Hosts, Hosts { poll_at: None, ..hosts });
    }
    let due = step.now.after(wait);
    step.set_alarm(Alarm::Poll, hosts.poll_at, due);
    step.put(Key::Hosts, Hosts { poll_at: Some(due), ..hosts });
}

/// It is time to ask for mail.
pub(crate) fn poll(step: &mut Step<'_>) -> Result<(), Refusal> {
    let Some(mut hosts) = step.find::<Hosts>(&Key::Hosts)? else { return Ok(()) };
    let sweeps = hosts.swept_at.is_none_or(|at| at > step.now || step.now.since(at) >= SWEEP);
    if sweeps {
        hosts.swept_at = Some(step.now);
    }
    let chance = u64::from(u32::from_be_bytes(step.random())) % (2 * JITTER.as_millis() + 1);
    let wait = Span::from_millis(POLL.as_millis() - JITTER.as_millis() + chance);
    let asked: Vec<Host> = hosts.hosts.iter().map(|own| own.host.clone()).collect();
    plan(step, hosts, wait);
    let slots = usual_slots(step, sweeps)?;
    for host in asked {
        ask(step, &host, slots.clone(), LITTLE_ROOM)?;
    }
    Ok(())
}

/// What is asked for though nothing is known to be there.
fn usual_slots(step: &Step<'_>, sweeps: bool) -> Result<Vec<AskedSlot>, Refusal> {
    let today = errands::day(step.now);
    let mut slots = Vec::new();
    for contact in directory::expected_contacts(step)? {
        for device in contact.devices {
            if directory::readable_device(step, device)?.is_none_or(|row| row.pair_root.is_none()) {
                continue;
            }
            let post: Post = step.find(&Key::Post(device))?.unwrap_or_default();
            let mut numbers = next(&post, WINDOW);
            numbers.extend(post.missing.iter().rev().take(MISSING));
            let days = if sweeps { (SWEEP_BACK, SWEEP_AHEAD) } else { (1, 1) };
            add(&mut slots, device, today.saturating_sub(days.0)..=today.saturating_add(days.1), &numbers);
            if sweeps {
                let steps = PROBES.map(|power| post.highest_seen.saturating_add(1 << power));
                // Where numbers go on that jumped.
                let block = post.highest_seen / deposit::JUMP;
                let jumps = (1..=JUMPS).flat_map(|ahead| {
                    let last = block.saturating_add(ahead).saturating_mul(deposit::JUMP);
                    [last.saturating_add(1), last.saturating_add(2)]
                });
                let far: Vec<u64> = steps.chain(jumps).collect();
                add(&mut slots, device, today.saturating_sub(1)..=today.saturating_add(1), &far);
            }
        }
    }
    Ok(slots)
}

/// The numbers that may come next: those after the highest that was found at a host, and after the highest that came by
/// hand.
fn next(post: &Post, count: u64) -> Vec<u64> {
    let after = |last: u64| (1..=count).map(move |ahead| last.saturating_add(ahead));
    let by_hand = post.by_hand.last().into_iter().flat_map(|last| after(*last));
    let mut numbers: Vec<u64> = after(post.highest_seen).chain(by_hand).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.retain(|number| !post.by_hand.contains(number));
    numbers
}

fn add(slots: &mut Vec<AskedSlot>, device: DeviceId, days: std::ops::RangeInclusive<u32>, numbers: &[u64]) {
    let all = days.flat_map(|day| numbers.iter().map(move |number| AskedSlot { device, day, number: *number }));
    slots.extend(all);
}

/// Asks a host what lies in slots, in requests of always as many tags; those that are too few are made up.
fn ask(step: &mut Step<'_>, host: &Host, mut slots: Vec<AskedSlot>, room: u8) -> Result<(), Refusal> {
    // Tags of one contact must not stand side by side.
    let mut order: Vec<(u64, AskedSlot)> = Vec::with_capacity(slots.len());
    for slot in slots.drain(..) {
        order.push((u64::from_be_bytes(step.random()), slot));
    }
    order.sort_unstable_by_key(|(chance, _)| *chance);
    let slots: Vec<AskedSlot> = order.into_iter().map(|(_, slot)| slot).collect();
    let keys = Keys::of(step, &slots)?;
    for batch in slots.chunks(TAGS) {
        let mut tags: Vec<MailboxTag> = Vec::with_capacity(TAGS);
        for slot in batch {
            match keys.slot(slot, host.peer) {
                Some((key, slot)) => tags.push(key.tag(&slot)),
                None => tags.push(MailboxTag::new(step.random())),
            }
        }
        while tags.len() < TAGS {
            tags.push(MailboxTag::new(step.random()));
        }
        let errand = Errand::Collect { host: host.peer, slots: batch.to_vec(), room };
        errands::send(step, host, Group::OWN_MAIL, errand, Request::Collect(Collect { room, tags }), None)?;
    }
    Ok(())
}

/// The keys of what devices leave for this one.
struct Keys(BTreeMap<DeviceId, DirectionKey>);

impl Keys {
    fn of(step: &Step<'_>, slots: &[AskedSlot]) -> Result<Self, Refusal> {
        let own: Profile = step.profile()?;
        let mut keys = BTreeMap::new();
        for slot in slots {
            if keys.contains_key(&slot.device) {
                continue;
            }
            let device: Option<Device> = directory::readable_device(step, slot.device)?;
            let root = device.and_then(|device| device.pair_root);
            if let Some(root) = root.and_then(|root| PairRoot::from_bytes(root.as_slice()).ok()) {
                keys.insert(slot.device, root.direction_key(slot.device, own.device));
            }
        }
        Ok(Self(keys))
    }

    fn slot(&self, asked: &AskedSlot, host: PeerId) -> Option<(&DirectionKey, Slot)> {
        let slot = Slot { host, day: asked.day, number: asked.number };
        self.0.get(&asked.device).map(|key| (key, slot))
    }
}

/// A host has answered to a look under tags, or has not: opens what is new.
pub(crate) fn answered(
    step: &mut Step<'_>,
    host: PeerId,
    slots: &[AskedSlot],
    room: u8,
    reply: Option<&Reply>,
) -> Result<Look, Refusal> {
    let Some(Reply::Found(found)) = reply else {
        note(step, host, |own, _| own.failures = own.failures.saturating_add(1))?;
        return Ok(Look::default());
    };
    let keys = Keys::of(step, slots)?;
    let mut look = Look { more: found.more, ..Look::default() };
    let (mut envelopes, mut lies) = (Vec::new(), 0);
    for (index, blob) in &found.blobs {
        // Under a tag that was made up nothing lies: whoever gives something there has invented it.
        let Some(asked) = slots.get(usize::from(*index)) else {
            lies += 1;
            continue;
        };
        let opened = keys.slot(asked, host).and_then(|(key, slot)| key.open(&slot, blob).ok());
        match opened {
            Some(payload) => envelopes.push(Envelope { slot: *asked, payload }),
            // The contact may have left rubbish there as well as the host: it is erased, and nobody is to blame.
            None => look.known.push(*asked),
        }
    }
    note(step, host, |own, now| {
        (own.answered_at, own.failures) = (Some(now), 0);
        own.lies = own.lies.saturating_add(lies);
    })?;
    if found.more && room < ROOM {
        // Some of what is there is larger than the room that it was given.
        ask_again(step, host, slots)?;
    }
    envelopes.sort_by_key(|envelope| (envelope.slot.device, envelope.slot.number));
    for envelope in envelopes {
        let post: Post = step.find(&Key::Post(envelope.slot.device))?.unwrap_or_default();
        if has_come(&post, envelope.slot.number) {
            look.known.push(envelope.slot);
        } else {
            look.envelopes.push(envelope);
        }
    }
    Ok(look)
}

/// What a look gave has been dealt with, but for what needs a record that cannot be read: that stays where it is. The
/// rest is noted and erased, and the host is asked on. Says whether the host is given up for what it answered.
pub(crate) fn dealt_with(step: &mut Step<'_>, host: PeerId, look: &Look, taken: &[AskedSlot]) -> Result<bool, Refusal> {
    let mut posts: BTreeMap<DeviceId, Post> = BTreeMap::new();
    for slot in taken {
        let post = match posts.entry(slot.device) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(step.find(&Key::Post(slot.device))?.unwrap_or_default()),
        };
        mark(post, slot.number);
    }
    for (device, post) in posts {
        step.put(Key::Post(device), post);
    }
    erase(step, host, taken, &look.known)?;
    if !taken.is_empty() {
        go_on(step, host, taken, look.more)?;
    }
    drop_liar(step, host)
}

/// Whether a number has come, whatever way.
fn has_come(post: &Post, number: u64) -> bool {
    if number > post.highest_seen { post.by_hand.contains(&number) } else { !post.missing.contains(&number) }
}

fn note(
    step: &mut Step<'_>,
    host: PeerId,
    change: impl FnOnce(&mut crate::store::OwnHost, Timestamp),
) -> Result<(), Refusal> {
    let Some(mut hosts) = step.find::<Hosts>(&Key::Hosts)? else { return Ok(()) };
    if let Some(own) = hosts.hosts.iter_mut().find(|own| own.host.peer == host) {
        change(own, step.now);
        step.put(Key::Hosts, hosts);
    }
    Ok(())
}

fn drop_liar(step: &mut Step<'_>, host: PeerId) -> Result<bool, Refusal> {
    let Some(mut hosts) = step.find::<Hosts>(&Key::Hosts)? else { return Ok(false) };
    let before = hosts.hosts.len();
    hosts.hosts.retain(|own| own.host.peer != host || own.lies < LIES);
    let dropped = hosts.hosts.len() < before;
    if dropped {
        step.put(Key::Hosts, hosts);
    }
    Ok(dropped)
}

/// Notes that a number has come. Says whether it had not before.
fn mark(post: &mut Post, number: u64) -> bool {
    if number <= post.highest_seen {
        return post.missing.remove(&number);
    }
    let is_new = !post.by_hand.contains(&number);
    let oldest = number.saturating_sub(u64::try_from(MOST_MISSING).unwrap_or(u64::MAX));
    let passed = post.highest_seen.saturating_add(1).max(oldest)..number;
    post.missing.extend(passed.filter(|number| !post.by_hand.contains(number)));
    post.highest_seen = number;
    while post.missing.len() > MOST_MISSING {
        post.missing.pop_first();
    }
    post.by_hand = post.by_hand.split_off(&number.saturating_add(1));
    catch_up(post);
    is_new
}

/// Notes that a number has come by hand. Says whether it had not before.
///
/// What hosts have is asked for in the order of its numbers. A number that comes by hand may be far ahead of what lies
/// there, and must not have that passed over: it is kept apart until what is before it has come.
pub(crate) fn mark_by_hand(post: &mut Post, number: u64) -> bool {
    if number <= post.highest_seen {
        return post.missing.remove(&number);
    }
    let is_new = post.by_hand.insert(number);
    catch_up(post);
    while post.by_hand.len() > MOST_BY_HAND
        && let Some(first) = post.by_hand.first().copied()
    {
        post.by_hand.remove(&first);
        mark(post, first);
    }
    is_new
}

/// Goes on where what came by hand follows at once.
fn catch_up(post: &mut Post) {
    while post.by_hand.remove(&post.highest_seen.saturating_add(1)) {
        post.highest_seen = post.highest_seen.saturating_add(1);
    }
}

/// Has every host throw away what was taken, and the one that gave it what was known before.
fn erase(step: &mut Step<'_>, host: PeerId, taken: &[AskedSlot], known: &[AskedSlot]) -> Result<(), Refusal> {
    let hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    let all = [taken, known].concat();
    let keys = Keys::of(step, &all)?;
    for own in hosts.hosts {
        let peer = own.host.peer;
        let gone = if peer == host { all.as_slice() } else { taken };
        let erasures: Vec<Erasure> =
            gone.iter().filter_map(|asked| keys.slot(asked, peer)).map(|(key, slot)| key.erasure(&slot)).collect();
        for batch in erasures.chunks(ERASURES) {
            let body = Request::Erase(batch.to_vec());
            errands::send(step, &own.host, Group::OWN_MAIL, Errand::Erase { host: peer }, body, None)?;
        }
    }
    Ok(())
}

fn own_host(step: &Step<'_>, host: PeerId) -> Result<Option<Host>, Refusal> {
    let hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    Ok(hosts.hosts.into_iter().map(|own| own.host).find(|own| own.peer == host))
}

/// Asks for the same with as much room as there is.
fn ask_again(step: &mut Step<'_>, host: PeerId, slots: &[AskedSlot]) -> Result<(), Refusal> {
    match own_host(step, host)? {
        Some(host) => ask(step, &host, slots.to_vec(), ROOM),
        None => Ok(()),
    }
}

/// Where something lay, more may lie behind it.
fn go_on(step: &mut Step<'_>, host: PeerId, new: &[AskedSlot], more: bool) -> Result<(), Refusal> {
    let Some(host) = own_host(step, host)? else { return Ok(()) };
    let mut last: BTreeMap<DeviceId, u32> = BTreeMap::new();
    for slot in new {
        let day = last.entry(slot.device).or_insert(slot.day);
        *day = (*day).max(slot.day);
    }
    let several = u64::try_from(last.len().max(1)).unwrap_or(u64::MAX);
    let window = if more || new.len() > 1 { (WIDE_WINDOW / several).max(WINDOW) } else { 2 * WINDOW };
    let mut slots = Vec::new();
    for (device, day) in last {
        let post: Post = step.find(&Key::Post(device))?.unwrap_or_default();
        let ahead = |count: u64| (1..=count).map(|n| post.highest_seen.saturating_add(n)).collect::<Vec<u64>>();
        // What did not fit is asked for first.
        let passed = post.missing.iter().rev().take(usize::try_from(window).unwrap_or(MISSING)).copied();
        let passed: Vec<u64> = passed.collect();
        let rest = window.saturating_sub(u64::try_from(passed.len()).unwrap_or(window)).max(WINDOW);
        add(&mut slots, device, day..=day, &passed);
        add(&mut slots, device, day..=day, &ahead(rest));
        add(&mut slots, device, day.saturating_add(1)..=day.saturating_add(1), &ahead(2 * WINDOW));
    }
    ask(step, &host, slots, if window > 2 * WINDOW { ROOM } else { SOME_ROOM })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_by_hand_passes_nothing_over_that_lies_at_hosts() {
        let mut post = Post::default();
        assert!(mark_by_hand(&mut post, 5_000));
        assert!(!mark_by_hand(&mut post, 5_000));
        assert_eq!((post.highest_seen, post.missing.len()), (0, 0));
        assert_eq!(next(&post, 2), [1, 2, 5_001, 5_002]);
        assert!(!mark(&mut post, 5_000));
    }

    #[test]
    fn numbers_that_come_both_ways_in_any_order_are_each_new_once() {
        let mut state = 1_u64;
        for _ in 0..50 {
            let mut post = Post::default();
            let mut known = std::collections::BTreeSet::new();
            for _ in 0..300 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let number = (state >> 40) % 200 + 1;
                let is_new = if state >> 63 == 0 { mark(&mut post, number) } else { mark_by_hand(&mut post, number) };
                assert_eq!(is_new, known.insert(number), "{number}");
                assert!((1..=200).all(|number| has_come(&post, number) == known.contains(&number)), "{post:?}");
            }
        }
    }

    #[test]
    fn d03_numbers_by_hand_without_end_take_no_room_without_end() {
        let mut post = Post::default();
        for number in 1..20_000 {
            assert!(mark_by_hand(&mut post, 3 * number));
        }
        assert!(post.by_hand.len() <= MOST_BY_HAND && post.missing.len() <= MOST_MISSING);
        assert!(!mark_by_hand(&mut post, 3 * 19_999));
    }
}
