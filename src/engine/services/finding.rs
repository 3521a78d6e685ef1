//! Contacts who do not reach each other at any address they know find each other by records in the hash table
//! (docs/protocol/10-finding.md).
//!
//! For each device of a contact that is not connected a record is written, sealed for it alone, under keys that only the
//! two can make and that change every day. A device that was not reached is looked for in the same way. What the table
//! says is believed as far as it opens, is signed and is newer than what was read before; anybody can put anything else
//! there. The addresses in it come after those that the device told by itself.

use kinfolk_crypto::PairRoot;
use kinfolk_crypto::mailbox::DirectionKey;
use kinfolk_crypto::rendezvous::Spot;
use kinfolk_wire::address_record::{AddressRecord, LIFETIME, PLACES, RENEWED_EVERY};
use kinfolk_wire::ids::DeviceId;
use kinfolk_wire::invite::Address;
use kinfolk_wire::limits;
use kinfolk_wire::time::{Span, Timestamp};

use super::{directory, errands, links, prekeys};
use crate::effect::{Effect, RequestId};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::step::{Rejection, Step};
use crate::store::{Alarm, Device, Finding, HashTable, Key, Listening, Search, Tried};

/// Between what is written or looked for on behalf of two devices, so that many contacts make no burst.
const PACE: Span = Span::from_secs(2);
/// How long is waited with a record after something has changed: several addresses come and go together.
const GATHER: Span = Span::from_secs(3);
/// By how much chance shortens the time between two records for one device, at the most.
const JITTER: Span = Span::from_hours(1);
/// The first wait before a record of which no copy was taken is written again, and the longest.
const AGAIN: Span = Span::from_secs(5 * 60);
/// The first wait before a device is looked for again, and the longest, without what chance adds.
const LOOK_AGAIN: Span = Span::from_secs(60);
const LOOK_AGAIN_AT_MOST: Span = Span::from_hours(6);
/// The longest that anybody waits for a turn; with more contacts than have one by then, turns come closer.
const LONGEST_QUEUE: Span = Span::from_hours(6);
/// The longest wait of all.
pub(crate) const LONGEST_WAIT: Span = Span::from_hours(12);
/// Found addresses that are tried beside those that the device told.
const FOUND_TRIED: usize = 4;

fn table(step: &Step<'_>) -> Result<HashTable, Refusal> {
    Ok(step.find(&Key::HashTable)?.unwrap_or_default())
}

fn row(step: &Step<'_>, device: DeviceId) -> Result<Finding, Refusal> {
    Ok(step.find(&Key::Finding(device))?.unwrap_or_default())
}

fn own_addresses(step: &Step<'_>) -> Result<Vec<Address>, Refusal> {
    let listening: Listening = step.find(&Key::Listening)?.unwrap_or_default();
    Ok(listening.addresses.into_iter().take(limits::ADDRESSES).collect())
}

/// The device of a contact who is not blocked, where it has been met and is not connected.
fn missing(step: &Step<'_>, id: DeviceId) -> Result<Option<Device>, Refusal> {
    let Some(device) = directory::readable_device(step, id)? else { return Ok(None) };
    let open = directory::find(step, device.identity)?.is_some_and(|contact| directory::is_open(&contact));
    Ok((open && device.pair_root.is_some() && !step.has(&Key::LinkOf(id))?).then_some(device))
}

fn root(device: &Device) -> Option<PairRoot> {
    PairRoot::from_bytes(device.pair_root.as_ref()?.as_slice()).ok()
}

/// The node has just started: what was asked before is not answered any more, and nobody has a turn.
pub(crate) fn start(step: &mut Step<'_>) -> Result<(), Refusal> {
    each_device(step, |step, id| {
        let Some(mut finding) = step.find::<Finding>(&Key::Finding(id))? else { return Ok(()) };
        step.clear_alarm(Alarm::Write(id), finding.write_at.take());
        step.clear_alarm(Alarm::Look(id), finding.look_at.take());
        step.put(Key::Finding(id), Finding { writes_in_turn: false, looks_in_turn: false, looks: 0, ..finding });
        Ok(())
    })
}

fn each_device(
    step: &mut Step<'_>,
    mut act: impl FnMut(&mut Step<'_>, DeviceId) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    for contact in directory::connected_contacts(step)? {
        for id in contact.devices {
            step.contain(|step| act(step, id))?;
        }
    }
    Ok(())
}

/// There is a hash table to ask: everybody who is missing is written to and looked for.
pub(crate) fn joined(step: &mut Step<'_>) -> Result<(), Refusal> {
    let before = table(step)?;
    step.put(Key::HashTable, HashTable { is_joined: true, tried: Vec::new(), ..before.clone() });
    if before.is_joined && before.tried.is_empty() {
        return Ok(());
    }
    step.mention(Event::HashTable);
    if before.is_joined {
        return Ok(());
    }
    each_device(step, |step, id| {
        plan_write(step, id)?;
        let unreached = directory::device(step, id)?.failed_dials > 0;
        if unreached { missed(step, id) } else { Ok(()) }
    })
}

/// There is none, or none any more.
pub(crate) fn not_joined(step: &mut Step<'_>, mut tried: Vec<Tried>) -> Result<(), Refusal> {
    tried.truncate(HashTable::TRIED);
    let before = table(step)?;
    if before.is_joined || before.tried != tried {
        step.put(Key::HashTable, HashTable { is_joined: false, tried, ..before });
        step.mention(Event::HashTable);
    }
    Ok(())
}

/// This node's addresses have changed.
pub(crate) fn moved(step: &mut Step<'_>) -> Result<(), Refusal> {
    if !table(step)?.is_joined {
        return Ok(());
    }
    each_device(step, plan_write)
}

/// Every hour: contacts who were made or are heard again since.
pub(crate) fn housekeeping(step: &mut Step<'_>) -> Result<(), Refusal> {
    moved(step)
}

/// A device is no longer connected.
pub(crate) fn parted(step: &mut Step<'_>, id: DeviceId) -> Result<(), Refusal> {
    plan_write(step, id)
}

/// A device was not reached: it is looked for, if it is not being looked for already.
pub(crate) fn missed(step: &mut Step<'_>, id: DeviceId) -> Result<(), Refusal> {
    if !table(step)?.is_joined || missing(step, id)?.is_none() {
        return Ok(());
    }
    let finding = row(step, id)?;
    if finding.look_at.is_none() {
        set_look(step, id, finding, Span::ZERO);
    }
    Ok(())
}

/// A device has said hello: nothing is looked for, and where it is may serve others who ask the hash table.
pub(crate) fn met(step: &mut Step<'_>, id: DeviceId) -> Result<(), Refusal> {
    if let Some(mut finding) = step.find::<Finding>(&Key::Finding(id))? {
        step.clear_alarm(Alarm::Look(id), finding.look_at.take());
        finding.looks_in_turn = false;
        step.put(Key::Finding(id), Finding { looks: 0, found: Vec::new(), ..finding });
    }
    introduce(step, id)
}

/// Names a connected contact's node to the hash table: in it or not, it may serve there.
pub(crate) fn introduce(step: &mut Step<'_>, id: DeviceId) -> Result<(), Refusal> {
    let device = directory::device(step, id)?;
    if let Some(peer) = step.find(&Key::LinkOf(id))?
        && !device.addresses.is_empty()
    {
        step.effect(Effect::Introduce { peer, addresses: device.addresses });
    }
    Ok(())
}

/// A device is known no longer.
pub(crate) fn forget(step: &mut Step<'_>, id: DeviceId) -> Result<(), Refusal> {
    if let Some(finding) = step.find::<Finding>(&Key::Finding(id))? {
        step.clear_alarm(Alarm::Write(id), finding.write_at);
        step.clear_alarm(Alarm::Look(id), finding.look_at);
        step.delete(Key::Finding(id));
    }
    Ok(())
}

/// Where a device is tried: at what it told, and at the best of what was found.
pub(crate) fn places(step: &Step<'_>, device: &Device) -> Result<Vec<Address>, Refusal> {
    let mut found = row(step, device.device)?.found;
    found.retain(|address| !device.addresses.contains(address));
    found.truncate(FOUND_TRIED);
    let told = limits::ADDRESSES.saturating_sub(found.len());
    Ok(device.addresses.iter().take(told).cloned().chain(found).collect())
}

fn set_write(step: &mut Step<'_>, id: DeviceId, finding: Finding, due: Timestamp) {
    step.set_alarm(Alarm::Write(id), finding.write_at, due);
    step.put(Key::Finding(id), Finding { write_at: Some(due), ..finding });
}

fn set_look(step: &mut Step<'_>, id: DeviceId, finding: Finding, wait: Span) {
    let due = step.now.after(wait);
    step.set_alarm(Alarm::Look(id), finding.look_at, due);
    step.put(Key::Finding(id), Finding { look_at: Some(due), ..finding });
}

fn chance(step: &mut Step<'_>, up_to: Span) -> Span {
    Span::from_millis(u64::from(u32::from_be_bytes(step.random())) % (up_to.as_millis() + 1))
}

/// Whether the last record for a device still says where this node is, and is not old.
fn is_told(step: &Step<'_>, finding: &Finding) -> Result<bool, Refusal> {
    let recent = |at: Timestamp| at <= step.now && step.now.since(at) < RENEWED_EVERY;
    Ok(finding.given_at.is_some_and(recent) && finding.given == own_addresses(step)?)
}

/// Plans a record for a device that needs one: soon, or when the last one is to be renewed.
fn plan_write(step: &mut Step<'_>, id: DeviceId) -> Result<(), Refusal> {
    if !table(step)?.is_joined || missing(step, id)?.is_none() || own_addresses(step)?.is_empty() {
        return Ok(());
    }
    let finding = row(step, id)?;
    let told = is_told(step, &finding)?;
    let due = match finding.given_at {
        Some(at) if told => at.after(RENEWED_EVERY).before(chance(step, JITTER)),
        _ => step.now.after(GATHER),
    };
    if finding.write_at.is_none_or(|planned| !finding.writes_in_turn && !told && due < planned) {
        set_write(step, id, finding, due);
    }
    Ok(())
}

/// When it is somebody's turn who has waited: nothing where that is now.
fn turn(step: &mut Step<'_>, is_in_turn: bool) -> Result<Option<Timestamp>, Refusal> {
    let table = table(step)?;
    if is_in_turn {
        return Ok(None);
    }
    let latest = step.now.after(LONGEST_QUEUE);
    let free_at = table.free_at.filter(|at| *at > step.now && *at <= latest);
    let next = free_at.unwrap_or(step.now).after(PACE);
    step.put(Key::HashTable, HashTable { free_at: Some(next), ..table });
    Ok(free_at)
}

/// It is time to write down for a device where this node is.
pub(crate) fn write(step: &mut Step<'_>, id: DeviceId) -> Result<(), Refusal> {
    let mut finding = row(step, id)?;
    step.clear_alarm(Alarm::Write(id), finding.write_at.take());
    let is_in_turn = std::mem::take(&mut finding.writes_in_turn);
    let addresses = own_addresses(step)?;
    let Some(device) = missing(step, id)?.filter(|_| !addresses.is_empty()) else {
        step.put(Key::Finding(id), finding);
        return Ok(());
    };
    let (true, Some(root)) = (table(step)?.is_joined, root(&device)) else {
        step.put(Key::Finding(id), finding);
        return Ok(());
    };
    if let Some(at) = turn(step, is_in_turn)? {
        set_write(step, id, Finding { writes_in_turn: true, ..finding }, at);
        return Ok(());
    }
    finding.version_given = step.now.as_millis().max(finding.version_given.saturating_add(1));
    finding.given.clone_from(&addresses);
    finding.given_at = Some(step.now);
    let record = AddressRecord { version: finding.version_given, peer: step.profile()?.peer, addresses };
    publish(step, &device, &root, &record)?;
    let due = step.now.after(RENEWED_EVERY).before(chance(step, JITTER));
    set_write(step, id, finding, due);
    Ok(())
}

/// Puts a record at every place of this day and the next.
fn publish(step: &mut Step<'_>, device: &Device, root: &PairRoot, record: &AddressRecord) -> Result<(), Refusal> {
    let profile = step.profile()?;
    let (keys, own) = (prekeys::device_keys(&profile)?, profile.device);
    let direction = root.direction_key(own, device.device);
    let today = errands::day(step.now);
    for day in [today, today.saturating_add(1)] {
        for place in 0..PLACES {
            let spot = Spot { day, place };
            let Some(value) = direction.seal_record(&keys, device.device, spot, record) else { continue };
            let request = step.next_request()?;
            step.put(Key::Search(request), Search::Write { device: device.device, version: record.version });
            let key = direction.record_key(spot);
            step.effect(Effect::Publish { request: RequestId(request), key, value, lifetime: LIFETIME });
        }
    }
    Ok(())
}

/// What became of one place of a record. Where nobody took it, it is written again before its time.
pub(crate) fn published(step: &mut Step<'_>, request: RequestId, copies: u32) -> Result<(), Refusal> {
    let key = Key::Search(request.0);
    let Some(Search::Write { device, version }) = step.find(&key)? else { return Ok(()) };
    step.delete(key);
    let Some(mut finding) = step.find::<Finding>(&Key::Finding(device))? else { return Ok(()) };
    if finding.version_given != version {
        return Ok(());
    }
    if copies > 0 {
        if finding.failures > 0 {
            step.put(Key::Finding(device), Finding { failures: 0, ..finding });
        }
        return Ok(());
    }
    finding.failures = finding.failures.saturating_add(1);
    let wait = AGAIN.times(1 << (finding.failures.min(40) / u32::from(2 * PLACES))).min(RENEWED_EVERY);
    let due = step.now.after(wait);
    if !finding.writes_in_turn && finding.write_at.is_none_or(|planned| due < planned) {
        set_write(step, device, finding, due);
    } else {
        step.put(Key::Finding(device), finding);
    }
    Ok(())
}

/// It is time to look for a device. When next is planned at once, so that an answer that never comes stops nothing.
pub(crate) fn look(step: &mut Step<'_>, id: DeviceId) -> Result<(), Refusal> {
    let mut finding = row(step, id)?;
    step.clear_alarm(Alarm::Look(id), finding.look_at.take());
    let is_in_turn = std::mem::take(&mut finding.looks_in_turn);
    if missing(step, id)?.is_none() || !table(step)?.is_joined {
        step.put(Key::Finding(id), finding);
        return Ok(());
    }
    if let Some(at) = turn(step, is_in_turn)? {
        let wait = at.since(step.now);
        set_look(step, id, Finding { looks_in_turn: true, ..finding }, wait);
        return Ok(());
    }
    let base = LOOK_AGAIN.times(1 << finding.looks.min(20)).min(LOOK_AGAIN_AT_MOST);
    let wait = Span::from_millis(base.as_millis() + chance(step, base).as_millis() / 2);
    finding.looks = finding.looks.saturating_add(1);
    set_look(step, id, finding, wait);
    let day = errands::day(step.now);
    ask(step, Search::Look { device: id, day, place: 0, is_ahead: false, has_found: false })
}

/// Asks for what lies at one spot.
fn ask(step: &mut Step<'_>, search: Search) -> Result<(), Refusal> {
    let Search::Look { device, day, place, .. } = search else { return Ok(()) };
    let Some(direction) = from_device(step, device)? else { return Ok(()) };
    let request = step.next_request()?;
    step.put(Key::Search(request), search);
    step.effect(Effect::Find { request: RequestId(request), key: direction.record_key(Spot { day, place }) });
    Ok(())
}

/// The key of what a missing device writes for this one.
fn from_device(step: &Step<'_>, id: DeviceId) -> Result<Option<DirectionKey>, Refusal> {
    let Some(root) = missing(step, id)?.as_ref().and_then(root) else { return Ok(None) };
    Ok(Some(root.direction_key(id, step.profile()?.device)))
}

/// What lies at a spot, by whomever: the newest that is genuine counts, and the next spot is asked for.
pub(crate) fn found(step: &mut Step<'_>, request: RequestId, values: &[Vec<u8>]) -> Result<(), Refusal> {
    let key = Key::Search(request.0);
    let Some(Search::Look { device, day, place, is_ahead, has_found }) = step.find(&key)? else { return Ok(()) };
    step.delete(key);
    let has_found = take(step, device, Spot { day, place }, values)? || has_found;
    let next = place.saturating_add(1);
    if next < PLACES {
        ask(step, Search::Look { device, day, place: next, is_ahead, has_found })
    } else if !has_found && !is_ahead {
        ask(step, Search::Look { device, day: day.saturating_add(1), place: 0, is_ahead: true, has_found })
    } else {
        Ok(())
    }
}

/// Takes the newest genuine record among these, if it is newer than the last: its addresses are dialled.
fn take(step: &mut Step<'_>, id: DeviceId, spot: Spot, values: &[Vec<u8>]) -> Result<bool, Refusal> {
    let (Some(mut device), Some(direction)) = (missing(step, id)?, from_device(step, id)?) else { return Ok(false) };
    let Some(sender) = directory::certificate(step, device.identity, device.device)? else { return Ok(false) };
    let own = step.profile()?.device;
    let mut newest: Option<AddressRecord> = None;
    for value in values {
        match direction.open_record(&sender, own, spot, value) {
            // Nobody speaks for another's node.
            Ok(record) if device.peer != Some(record.peer) => step.reject(Rejection::Misplaced),
            Ok(record) if newest.as_ref().is_none_or(|best| record.version > best.version) => newest = Some(record),
            Ok(_) => {}
            Err(_) => step.reject(Rejection::Record),
        }
    }
    let finding = row(step, id)?;
    let Some(record) = newest.filter(|record| record.version > finding.version_taken) else { return Ok(false) };
    step.put(Key::Finding(id), Finding { version_taken: record.version, found: record.addresses, ..finding });
    links::dial_after(step, &mut device, Span::ZERO);
    step.put(Key::Device(id), device);
    Ok(true)
}
