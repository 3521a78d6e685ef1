//! Mail is fetched from the hosts that this person has named (docs/protocol/07-mailbox.md).
//!
//! Each host is asked at even intervals for the next numbers of every contact, under the days around today, and once a
//! day for those of the month before. What is found is opened, and the host is asked on at once for what lies around it.
//! A number that has come is not asked for again; what a host has of it is erased. The same requests ask for what those
//! have left who come by an invite.

mod numbers;
mod places;
mod runs;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use kinfolk_crypto::secret::SecretBytes;
use kinfolk_wire::ids::{DeviceId, MailboxTag, PeerId};
use kinfolk_wire::mailbox::{Collect, ERASURES, Erasure, Host, ROOM, Reply, Request, TAGS};
use kinfolk_wire::time::{Span, Timestamp};

use self::places::Keys;
use self::runs::Far;
use super::errands::Group;
use super::{deposit, directory, errands};
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{
    Alarm, Asked, AskedSlot, Borrowed, Errand, Hosts, InviteRow, Key, MeetingPlace, Post, Row, Scan, Table,
};

pub(crate) use self::numbers::mark_by_hand;
pub(crate) use self::places::request_places;

/// How often the hosts are asked.
const POLL: Span = Span::from_secs(12 * 60);
/// By how much chance shortens or lengthens that, at the most.
const JITTER: Span = Span::from_secs(120);
/// The longest wait before the hosts are asked again.
pub(crate) const LONGEST_WAIT: Span = Span::from_secs(14 * 60);
/// And when much was found: at the hosts that had it not, and where it ended, there may be more.
const SOON: Span = Span::from_secs(10);
/// How often older days are asked for too.
const SWEEP: Span = Span::from_days(1);
/// How many days back, and how many ahead: for as long as a host keeps mail, and for clocks that differ.
const SWEEP_BACK: u32 = 30;
const SWEEP_AHEAD: u32 = 7;
/// Numbers of one contact that are asked for while nothing is there.
const WINDOW: u64 = 4;
/// How far ahead a sweep looks, in doubling steps from the end of a stretch of a day that may be lost as a whole.
const PROBES: std::ops::Range<u32> = 3..12;
/// How many jumps of numbers it looks ahead.
const JUMPS: u64 = 4;
/// The room of a reply where nothing is likely to be there: one line.
const LITTLE_ROOM: u8 = 1;
/// And where a few lines may follow.
const SOME_ROOM: u8 = 8;
/// How long hosts of others are asked for an answer: as long as a request and then the answer may wait.
const BORROWED_FOR: Span = Span::from_days(60);
/// How many of them.
const MOST_BORROWED: usize = 15;
/// Invites that are looked at.
const MOST_INVITES: usize = 256;
/// Places for requests that are looked at at once, those of the days around today first.
const MOST_PLACES: usize = 2_048;
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
    /// Requests of those who come by an invite.
    pub(crate) requests: Vec<(MeetingPlace, SecretBytes)>,
    /// What was there and is of no use: it had come before, or is rubbish.
    known: Vec<Asked>,
    /// Where nothing lay, if it is certain.
    in_vain: BTreeSet<AskedSlot>,
    /// What lies so far ahead that what lies before it is wanted first.
    far: BTreeMap<DeviceId, Far>,
    /// Whether there was more than room for it.
    more: bool,
}

/// Hosts were named, or the node has just started: they are asked now, for older days too.
pub(crate) fn poll_now(step: &mut Step<'_>) -> Result<(), Refusal> {
    let Some(hosts) = step.find::<Hosts>(&Key::Hosts)? else { return Ok(()) };
    plan(step, Hosts { swept_at: None, ..hosts }, Span::ZERO);
    Ok(())
}

/// Much was found: the hosts are asked again soon.
fn poll_soon(step: &mut Step<'_>) -> Result<(), Refusal> {
    let Some(hosts) = step.find::<Hosts>(&Key::Hosts)? else { return Ok(()) };
    if hosts.poll_at.is_none_or(|at| at > step.now.after(SOON)) {
        plan(step, hosts, SOON);
    }
    Ok(())
}

fn plan(step: &mut Step<'_>, hosts: Hosts, wait: Span) {
    if hosts.hosts.is_empty() && hosts.borrowed.is_empty() {
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
    give_back(step, &mut hosts)?;
    let hosts_asked = asked_hosts(&hosts);
    plan(step, hosts, wait);
    let mut asked = usual_places(step, sweeps)?;
    asked.extend(meeting_places(step, sweeps)?);
    for host in hosts_asked {
        ask(step, &host, asked.clone(), LITTLE_ROOM)?;
    }
    Ok(())
}

/// This person's hosts, and those of contacts that they use.
fn asked_hosts(hosts: &Hosts) -> Vec<Host> {
    let is_own = |host: &Host| hosts.hosts.iter().any(|own| own.host.peer == host.peer);
    let mut borrowed: Vec<&Host> = hosts.borrowed.iter().map(|borrowed| &borrowed.host).collect();
    borrowed.sort_by_key(|host| host.peer);
    borrowed.dedup_by_key(|host| host.peer);
    borrowed.retain(|host| !is_own(host));
    hosts.hosts.iter().map(|own| &own.host).chain(borrowed).cloned().collect()
}

/// Looks at hosts that another person has named for what they leave there for this one, who has none. Says which: none
/// where too many are borrowed.
pub(crate) fn borrow(step: &mut Step<'_>, by: DeviceId, lent: &[Host]) -> Result<Vec<Host>, Refusal> {
    let mut hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    let until = step.now.after(BORROWED_FOR);
    hosts.borrowed.retain(|borrowed| borrowed.by != by);
    let room = MOST_BORROWED.saturating_sub(hosts.borrowed.len());
    let lent: Vec<Host> = lent.iter().take(room).cloned().collect();
    hosts.borrowed.extend(lent.iter().map(|host| Borrowed { host: host.clone(), until, by }));
    match hosts.poll_at {
        Some(_) => step.put(Key::Hosts, hosts),
        None => plan(step, hosts, POLL),
    }
    Ok(lent)
}

/// Gives borrowed hosts back whose time is over, unless this person still needs them to hear from a contact.
fn give_back(step: &Step<'_>, hosts: &mut Hosts) -> Result<(), Refusal> {
    let mut kept = Vec::new();
    for borrowed in hosts.borrowed.drain(..) {
        let by = directory::readable_device(step, borrowed.by)?;
        let by = by.map(|device| directory::find(step, device.identity)).transpose()?.flatten();
        let is_needed = hosts.hosts.is_empty() && by.is_some_and(|contact| directory::is_open(&contact));
        let until = if is_needed { step.now.after(BORROWED_FOR) } else { borrowed.until };
        if until > step.now {
            kept.push(Borrowed { until, ..borrowed });
        }
    }
    hosts.borrowed = kept;
    Ok(())
}

/// Where requests of those may lie who come by an invite.
fn meeting_places(step: &Step<'_>, sweeps: bool) -> Result<Vec<Asked>, Refusal> {
    let today = errands::day(step.now);
    let days = if sweeps { (SWEEP_BACK, 1) } else { (1, 1) };
    let mut places = Vec::new();
    for (key, row) in step.scan(&Scan::all(Table::Invite, MOST_INVITES))?.rows {
        let (Key::Invite(invite), Row::Invite(row)) = (key, row) else { continue };
        let InviteRow { uses, expires_at, spent_by, mailboxes, made_at, .. } = row;
        if mailboxes.is_empty() || expires_at <= step.now || spent_by.is_some() {
            continue;
        }
        let first = today.saturating_sub(days.0).max(errands::day(made_at).saturating_sub(1));
        for day in first..=today.saturating_add(days.1) {
            places.extend((0..request_places(uses)).map(|place| MeetingPlace { invite, day, place }));
        }
    }
    places.sort_by_key(|place| place.day.abs_diff(today));
    places.truncate(MOST_PLACES);
    Ok(places.into_iter().map(Asked::Request).collect())
}

/// What is asked for though nothing is known to be there.
fn usual_places(step: &Step<'_>, sweeps: bool) -> Result<Vec<Asked>, Refusal> {
    let today = errands::day(step.now);
    let mut slots = Vec::new();
    for contact in directory::expected_contacts(step)? {
        for device in contact.devices {
            if directory::readable_device(step, device)?.is_none_or(|row| row.pair_root.is_none()) {
                continue;
            }
            let post: Post = step.find(&Key::Post(device))?.unwrap_or_default();
            let days = if sweeps { (SWEEP_BACK, SWEEP_AHEAD) } else { (1, 1) };
            for day in today.saturating_sub(days.0)..=today.saturating_add(days.1) {
                let mut numbers = numbers::next(&post, WINDOW);
                numbers.extend(numbers::of_day(&post, day));
                add(&mut slots, device, day..=day, &numbers);
            }
            if sweeps {
                for day in today.saturating_sub(1)..=today.saturating_add(1) {
                    add(&mut slots, device, day..=day, &far_ahead(post.highest_seen.max(deposit::before_day(day))));
                }
            }
        }
    }
    Ok(slots)
}

/// Numbers far behind one, by which something shows where those before it are lost, or numbers have jumped.
fn far_ahead(after: u64) -> Vec<u64> {
    let steps = PROBES.map(|power| after.saturating_add(1 << power));
    let jumps = (1..=JUMPS).flat_map(|ahead| {
        let last = (after / deposit::JUMP).saturating_add(ahead).saturating_mul(deposit::JUMP);
        [last.saturating_add(1), last.saturating_add(2)]
    });
    steps.chain(jumps).collect()
}

fn add(slots: &mut Vec<Asked>, device: DeviceId, days: std::ops::RangeInclusive<u32>, numbers: &[u64]) {
    let all = days
        .flat_map(|day| numbers.iter().map(move |number| Asked::Envelope(AskedSlot { device, day, number: *number })));
    slots.extend(all);
}

/// Asks a host what lies in slots, in requests of always as many tags; those that are too few are made up.
fn ask(step: &mut Step<'_>, host: &Host, asked: Vec<Asked>, room: u8) -> Result<(), Refusal> {
    // Tags of one contact must not stand side by side.
    let mut order: Vec<(u64, Asked)> = Vec::with_capacity(asked.len());
    for asked in asked {
        order.push((u64::from_be_bytes(step.random()), asked));
    }
    order.sort_unstable_by_key(|(chance, _)| *chance);
    let asked: Vec<Asked> = order.into_iter().map(|(_, asked)| asked).collect();
    let keys = Keys::of(step, &asked)?;
    for batch in asked.chunks(TAGS) {
        let mut tags: Vec<MailboxTag> = Vec::with_capacity(TAGS);
        for place in batch {
            match keys.slot(place, host.peer) {
                Some((key, slot)) => tags.push(key.tag(&slot)),
                None => tags.push(MailboxTag::new(step.random())),
            }
        }
        while tags.len() < TAGS {
            tags.push(MailboxTag::new(step.random()));
        }
        let errand = Errand::Collect { host: host.peer, asked: batch.to_vec(), room };
        errands::send(step, host, Group::OWN_MAIL, errand, Request::Collect(Collect { room, tags }), None)?;
    }
    Ok(())
}

/// A host has answered to a look under tags, or has not: opens what is new.
pub(crate) fn answered(
    step: &mut Step<'_>,
    host: PeerId,
    asked: &[Asked],
    room: u8,
    reply: Option<&Reply>,
) -> Result<Look, Refusal> {
    let Some(Reply::Found(found)) = reply else {
        note(step, host, |own, _| own.failures = own.failures.saturating_add(1))?;
        return Ok(Look::default());
    };
    let keys = Keys::of(step, asked)?;
    let mut look = Look { more: found.more, ..Look::default() };
    let (mut envelopes, mut lies) = (Vec::new(), 0);
    for (index, blob) in &found.blobs {
        // Under a tag that was made up nothing lies: whoever gives something there has invented it.
        let Some(place) = asked.get(usize::from(*index)) else {
            lies += 1;
            continue;
        };
        let opened = keys.slot(place, host).and_then(|(key, slot)| key.open(&slot, blob).ok());
        match (opened, place) {
            (Some(payload), Asked::Envelope(slot)) => envelopes.push(Envelope { slot: *slot, payload }),
            (Some(payload), Asked::Request(place)) => look.requests.push((*place, payload)),
            // The contact may have left rubbish there as well as the host: it is erased, and nobody is to blame.
            (None, _) => look.known.push(*place),
        }
    }
    note(step, host, |own, now| {
        (own.answered_at, own.failures) = (Some(now), 0);
        own.lies = own.lies.saturating_add(lies);
    })?;
    if !found.more {
        look.in_vain = asked.iter().filter_map(Asked::slot).collect();
        for envelope in &envelopes {
            look.in_vain.remove(&envelope.slot);
        }
    } else if room < ROOM {
        // Some of what is there is larger than the room that it was given.
        ask_again(step, host, asked)?;
    }
    // Of what does not fit even so, there is no telling what lies before it.
    let reach = if found.more && room >= ROOM { u64::MAX } else { runs::REACH };
    runs::sort(step, &mut look, envelopes, reach)?;
    Ok(look)
}

/// What a look gave has been dealt with, but for what needs a record that cannot be read: that stays where it is. The
/// rest is noted and erased, and the host is asked on. Says whether the host is given up for what it answered.
pub(crate) fn dealt_with(
    step: &mut Step<'_>,
    host: PeerId,
    look: &Look,
    taken: &[AskedSlot],
    heard: &[MeetingPlace],
) -> Result<bool, Refusal> {
    let mut posts: BTreeMap<DeviceId, Post> = BTreeMap::new();
    for slot in taken {
        let post = match posts.entry(slot.device) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(step.find(&Key::Post(slot.device))?.unwrap_or_default()),
        };
        if numbers::mark(post, slot.number) {
            post.fetched = post.fetched.saturating_add(1);
        }
    }
    for (device, post) in posts {
        step.put(Key::Post(device), post);
    }
    let taken_places: Vec<Asked> = taken.iter().copied().map(Asked::Envelope).collect();
    let heard = heard.iter().copied().map(Asked::Request);
    erase(step, host, &taken_places, &look.known.iter().copied().chain(heard).collect::<Vec<_>>())?;
    runs::go_on(step, host, look, taken)?;
    drop_liar(step, host)
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

/// Has every host throw away what was taken, and the one that gave it what was known before.
fn erase(step: &mut Step<'_>, host: PeerId, taken: &[Asked], known: &[Asked]) -> Result<(), Refusal> {
    let hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    let all = [taken, known].concat();
    let keys = Keys::of(step, &all)?;
    for own in asked_hosts(&hosts) {
        let peer = own.peer;
        let gone = if peer == host { all.as_slice() } else { taken };
        let erasures: Vec<Erasure> =
            gone.iter().filter_map(|asked| keys.slot(asked, peer)).map(|(key, slot)| key.erasure(&slot)).collect();
        for batch in erasures.chunks(ERASURES) {
            let body = Request::Erase(batch.to_vec());
            errands::send(step, &own, Group::OWN_MAIL, Errand::Erase { host: peer }, body, None)?;
        }
    }
    Ok(())
}

fn asked_host(step: &Step<'_>, host: PeerId) -> Result<Option<Host>, Refusal> {
    let hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    Ok(asked_hosts(&hosts).into_iter().find(|known| known.peer == host))
}

/// Asks for the same with as much room as there is.
fn ask_again(step: &mut Step<'_>, host: PeerId, asked: &[Asked]) -> Result<(), Refusal> {
    match asked_host(step, host)? {
        Some(host) => ask(step, &host, asked.to_vec(), ROOM),
        None => Ok(()),
    }
}
