//! What waits for a device that is not there goes to the hosts its person has named (docs/protocol/07-mailbox.md).
//!
//! An item of the outbox is deposited at [`limits::MAILBOX_COPIES`] of them. Once two have it, or the one there is, it
//! is in custody: the item leaves the outbox as if the device had taken it, and what is not receipted in time is said
//! again. Hosts that do not take it give way to the next; when there is none left the round is tried again later.

use kinfolk_crypto::PairRoot;
use kinfolk_crypto::mailbox::{DirectionKey, Slot};
use kinfolk_wire::ids::{DeviceId, PeerId};
use kinfolk_wire::limits;
use kinfolk_wire::mailbox::{Host, Refused, Reply};
use kinfolk_wire::time::Span;

use super::errands::{Group, Parcel, Payment};
use super::{directory, errands, outbox, tokens};
use crate::effect::Work;
use crate::event::Event;
use crate::refusal::Refusal;
use crate::services::outbox::Departure;
use crate::step::Step;
use crate::store::{Alarm, Custody, Device, Errand, Key, Message, MessageState, OutboxItem, Post, Row, Scan};

/// How long a device has to take something itself before it goes to mailboxes.
const GRACE: Span = Span::from_secs(2);
/// The first wait before a round of deposits is tried again.
const AGAIN: Span = Span::from_secs(60);
/// The shortest, where a host says when.
const SHORTEST_WAIT: Span = Span::from_secs(1);
/// The longest.
pub(crate) const LONGEST_WAIT: Span = Span::from_secs(45 * 60);
/// Items of one device that are under way to hosts.
const AT_ONCE: usize = 16;
/// Items that are read at a time, and how often in one round: some that no host takes now may stand before others.
const PAGE: usize = 32;
const PAGES: usize = 64;
/// Hosts that must have an envelope before it counts as taken into custody.
const ENOUGH: usize = 2;
/// The most work that is done for one deposit, in bits: some seconds.
pub(crate) const MOST_WORK: u8 = 24;
/// Where it shows that an older copy of this profile was put back, numbers go on after the next multiple of this, which
/// recipients look for.
pub(crate) const JUMP: u64 = 1_024;
/// The numbers of a day go on after this many times the day, so that its first is known to whoever knows none before.
const DAY_NUMBERS: u64 = 4_096;

/// The number after which those of a day go on, at the least.
pub(crate) fn before_day(day: u32) -> u64 {
    u64::from(day).saturating_mul(DAY_NUMBERS)
}

/// The same, of the day that a number belongs to.
pub(crate) const fn before_day_of(number: u64) -> u64 {
    let before = number.saturating_sub(1);
    before.saturating_sub(before % DAY_NUMBERS)
}

/// Something waits for a device: where it is not linked and has hosts, a round of deposits is planned.
pub(crate) fn plan(step: &mut Step<'_>, device_id: DeviceId) -> Result<(), Refusal> {
    let Some(post) = step.find::<Post>(&Key::Post(device_id))? else { return Ok(()) };
    if post.hosts.is_empty() || post.deposit_at.is_some() || step.has(&Key::LinkOf(device_id))? {
        return Ok(());
    }
    let failed = directory::device(step, device_id)?.failed_dials > 0;
    set(step, device_id, post, if failed { Span::ZERO } else { GRACE });
    Ok(())
}

/// Whether something can be deposited for a device.
pub(crate) fn is_possible(step: &Step<'_>, device_id: DeviceId) -> Result<bool, Refusal> {
    Ok(step.find::<Post>(&Key::Post(device_id))?.is_some_and(|post| !post.hosts.is_empty()))
}

/// Whether something can be deposited for a device, and nothing waits for that.
pub(crate) fn is_idle(step: &Step<'_>, device_id: DeviceId) -> Result<bool, Refusal> {
    let Some(post) = step.find::<Post>(&Key::Post(device_id))? else { return Ok(false) };
    let first = step.scan(&Scan::outbox_after(device_id, 0, PAGE))?.rows;
    let in_custody = |row: &Row| match row {
        Row::OutboxItem(item) => item.custody.as_ref().is_some_and(|custody| custody.hosts.len() >= enough(&post)),
        _ => false,
    };
    Ok(!post.hosts.is_empty() && first.iter().all(|(_, row)| in_custody(row)))
}

/// The node has just started: what was asked before is not answered any more, and what waits is deposited.
pub(crate) fn start(step: &mut Step<'_>, device_id: DeviceId) -> Result<(), Refusal> {
    if !is_possible(step, device_id)? {
        return Ok(());
    }
    outbox::each_item(step, device_id, |step, key, mut item| {
        if let Some(custody) = item.custody.as_mut().filter(|custody| !custody.asked.is_empty()) {
            custody.asked.clear();
            step.put(key, item);
        }
        Ok(())
    })?;
    plan_for_waiting(step, device_id)
}

/// Plans the same where something waits: a link is gone, or hosts have become known.
pub(crate) fn plan_for_waiting(step: &mut Step<'_>, device_id: DeviceId) -> Result<(), Refusal> {
    if outbox::is_waiting(step, device_id)? { plan(step, device_id) } else { Ok(()) }
}

fn set(step: &mut Step<'_>, device: DeviceId, post: Post, wait: Span) {
    let due = step.now.after(wait);
    step.set_alarm(Alarm::Deposit(device), post.deposit_at, due);
    step.put(Key::Post(device), Post { deposit_at: Some(due), ..post });
}

/// It is time to deposit what waits for a device. Hosts that did not take something before are asked again.
pub(crate) fn due(step: &mut Step<'_>, device_id: DeviceId) -> Result<(), Refusal> {
    let Some(mut post) = step.find::<Post>(&Key::Post(device_id))? else { return Ok(()) };
    step.clear_alarm(Alarm::Deposit(device_id), post.deposit_at.take());
    step.put(Key::Post(device_id), post);
    round(step, device_id, true)
}

/// Who deposits for whom.
struct Route {
    device: Device,
    post: Post,
    key: DirectionKey,
    day: u32,
}

impl Route {
    /// The way to a device through mailboxes, where there is one and it is needed.
    fn to(step: &Step<'_>, device_id: DeviceId) -> Result<Option<Self>, Refusal> {
        let Some(post) = step.find::<Post>(&Key::Post(device_id))? else { return Ok(None) };
        let Some(device) = directory::readable_device(step, device_id)? else { return Ok(None) };
        let known = directory::find(step, device.identity)?;
        let open = known.is_some_and(|contact| directory::is_answered(&contact));
        if post.hosts.is_empty() || !open || step.has(&Key::LinkOf(device_id))? {
            return Ok(None);
        }
        let root = device.pair_root.as_ref().and_then(|root| PairRoot::from_bytes(root.as_slice()).ok());
        let Some(root) = root else { return Ok(None) };
        let key = root.direction_key(step.profile()?.device, device_id);
        Ok(Some(Self { key, day: errands::day(step.now), device, post }))
    }

    fn wanted(&self) -> usize {
        self.post.hosts.len().min(limits::MAILBOX_COPIES)
    }

    fn enough(&self) -> usize {
        enough(&self.post)
    }

    const fn slot(&self, host: PeerId, number: u64) -> Slot {
        Slot { host, day: self.day, number }
    }

    /// The hosts for an envelope, the first to be asked first: another order for each, the same on both sides.
    fn ranked(&self, number: u64) -> Vec<Host> {
        let mut hosts = self.post.hosts.clone();
        hosts.sort_by_key(|host| self.key.tag(&Slot { host: host.peer, day: 0, number }));
        hosts
    }
}

/// How many hosts must have an envelope.
fn enough(post: &Post) -> usize {
    post.hosts.len().clamp(1, ENOUGH)
}

/// The last number that was used, as far as is known, once it shows that some were used before.
const fn after_a_jump(last: u64) -> u64 {
    (last / JUMP).saturating_add(1).saturating_mul(JUMP)
}

/// Asks hosts to take what waits, as much as may be under way at once; nothing while a later time is set.
fn round(step: &mut Step<'_>, device_id: DeviceId, anew: bool) -> Result<(), Refusal> {
    let Some(mut route) = Route::to(step, device_id)? else { return Ok(()) };
    if route.post.deposit_at.is_some() {
        return Ok(());
    }
    let (mut under_way, mut left, mut after) = (0, false, 0);
    for _ in 0..PAGES {
        let page = step.scan(&Scan::outbox_after(device_id, after, PAGE))?.rows;
        let is_last = page.len() < PAGE;
        for (key, row) in page {
            let (Key::Outbox(_, number), Row::OutboxItem(item)) = (key, row) else { continue };
            after = number;
            if under_way < AT_ONCE {
                match look_at(step, &mut route, number, item, anew)? {
                    Some(true) => under_way += 1,
                    Some(false) => left = true,
                    None => {}
                }
            }
        }
        if is_last || under_way >= AT_ONCE {
            break;
        }
    }
    if under_way == 0 && left {
        let said = route.post.again_at.take().filter(|at| *at > step.now);
        let failures = route.post.failures.saturating_add(u32::from(said.is_none()));
        let wait = match said {
            Some(at) => at.since(step.now),
            None => AGAIN.times(1 << failures.min(10).saturating_sub(1)).min(LONGEST_WAIT),
        };
        set(step, device_id, Post { failures, ..route.post }, wait);
    } else {
        step.put(Key::Post(device_id), route.post);
    }
    Ok(())
}

/// Asks hosts to take an item, if it needs more. Says whether any is to answer; nothing where it needs none.
fn look_at(
    step: &mut Step<'_>,
    route: &mut Route,
    number: u64,
    mut item: OutboxItem,
    anew: bool,
) -> Result<Option<bool>, Refusal> {
    let key = Key::Outbox(route.device.device, number);
    if item.custody.as_ref().is_some_and(|custody| custody.hosts.len() >= route.enough()) {
        return Ok(None);
    }
    if has_arrived(step, &item)? {
        outbox::remove(step, key)?;
        return Ok(None);
    }
    if let Some(custody) = &mut item.custody
        && anew
    {
        custody.refused.clear();
    }
    let under_way = ask_next(step, route, number, &mut item)?;
    step.put(key, item);
    Ok(Some(under_way))
}

/// The number of an item among what goes to its device by way of others, which it is given the first time, and anew on
/// another day when nobody has it.
pub(crate) fn number(post: &mut Post, custody: &mut Custody, day: u32) -> u64 {
    let is_held = custody.is_bundled || !custody.hosts.is_empty() || !custody.asked.is_empty();
    if custody.number == 0 || (!is_held && custody.number <= before_day(day)) {
        post.last_sent = post.last_sent.max(before_day(day)).saturating_add(1);
        custody.number = post.last_sent;
    }
    custody.number
}

/// Whether the line of an item is on a disk of theirs already.
pub(crate) fn has_arrived(step: &Step<'_>, item: &OutboxItem) -> Result<bool, Refusal> {
    let Some(line) = item.line else { return Ok(false) };
    let message: Option<Message> = step.find(&Key::Message(line.conversation, line.lamport, line.sender, line.id))?;
    Ok(message.is_some_and(|message| matches!(message.state, MessageState::Delivered | MessageState::Read)))
}

/// Asks as many hosts as an item still needs. Says whether any is to answer.
fn ask_next(step: &mut Step<'_>, route: &mut Route, item: u64, row: &mut OutboxItem) -> Result<bool, Refusal> {
    let mut custody = row.custody.take().unwrap_or_default();
    number(&mut route.post, &mut custody, route.day);
    let missing = route.wanted().saturating_sub(custody.hosts.len() + custody.asked.len());
    let tried = |host: &Host| {
        [&custody.hosts, &custody.asked, &custody.refused].into_iter().any(|known| known.contains(&host.peer))
    };
    let next: Vec<Host> = route.ranked(custody.number).into_iter().filter(|host| !tried(host)).take(missing).collect();
    for host in next {
        let work = Payment::work(step.now, host.work_bits);
        let errand =
            Errand::Deposit { device: route.device.device, item, host: host.peer, line: row.line, again: false };
        if ask(step, route, &host, custody.number, &row.payload, work, errand)? {
            custody.asked.push(host.peer);
        } else {
            custody.refused.push(host.peer);
        }
    }
    let under_way = !custody.asked.is_empty();
    row.custody = Some(custody);
    Ok(under_way)
}

/// Asks one host, with tokens where there are any and it may be paid with them, else for work. Says whether it was
/// asked: what fits no blob is not.
fn ask(
    step: &mut Step<'_>,
    route: &Route,
    host: &Host,
    number: u64,
    payload: &[u8],
    work: Payment,
    errand: Errand,
) -> Result<bool, Refusal> {
    let device = route.device.device;
    let Some(parcel) = Parcel::seal(&route.key, &route.slot(host.peer, number), payload) else { return Ok(false) };
    let may_pay = matches!(errand, Errand::Deposit { again: false, .. });
    let tokens = if may_pay { tokens::take(step, device, host.peer, parcel.price())? } else { None };
    let payment = tokens.map_or(work, Payment::Tokens);
    parcel.leave(step, host, Group::of(device.as_bytes()), errand, payment)?;
    Ok(true)
}

/// A deposit that has an outcome.
pub(crate) struct Outcome {
    /// For whom it was.
    pub(crate) device: DeviceId,
    /// Of which outbox item.
    pub(crate) item: u64,
    /// At which host.
    pub(crate) host: PeerId,
    /// The line that the item carries.
    pub(crate) line: Option<crate::event::MessagePlace>,
    /// Whether it was asked a second time.
    pub(crate) again: bool,
}

/// A host has answered to a deposit, or has not. Says which line is in custody now.
pub(crate) fn answered(
    step: &mut Step<'_>,
    outcome: &Outcome,
    reply: Option<&Reply>,
) -> Result<Option<Departure>, Refusal> {
    let Outcome { device, item, host, .. } = *outcome;
    let key = Key::Outbox(device, item);
    let Some(mut row) = step.find::<OutboxItem>(&key)? else {
        return late(step, outcome, reply).map(|()| None);
    };
    let mut custody = row.custody.take().unwrap_or_default();
    custody.asked.retain(|asked| *asked != host);
    let Some(mut post) = step.find::<Post>(&Key::Post(device))? else { return Ok(None) };
    let was_full = post.is_full;
    match reply {
        Some(Reply::Done) => {
            if !custody.hosts.contains(&host) {
                custody.hosts.push(host);
            }
            post.failures = 0;
        }
        Some(Reply::Refused(Refused::Taken)) => {
            if !custody.taken.contains(&host) {
                custody.taken.push(host);
            }
            custody.refused.push(host);
        }
        Some(Reply::Refused(Refused::Work { bits, hour })) if !outcome.again && *bits <= MOST_WORK => {
            for known in post.hosts.iter_mut().filter(|known| known.peer == host) {
                known.work_bits = *bits;
            }
            step.put(Key::Post(device), post.clone());
            if again(step, outcome, custody.number, &row.payload, Payment::Work(Work { hour: *hour, bits: *bits }))? {
                custody.asked.push(host);
            }
        }
        Some(Reply::Refused(Refused::Tokens)) if !outcome.again => {
            // Tokens of an epoch that is over, or spent by an older copy of this profile.
            step.delete(Key::Purse(device, host));
            let bits = post.hosts.iter().find(|known| known.peer == host).map_or(0, |known| known.work_bits);
            let work = Payment::work(step.now, bits);
            if again(step, outcome, custody.number, &row.payload, work)? {
                custody.asked.push(host);
            }
        }
        Some(Reply::Refused(Refused::Later(seconds))) => {
            // It gives way to the next, and is asked again when it said where there is none.
            let at = step.now.after(Span::from_secs(u64::from(*seconds)).max(SHORTEST_WAIT).min(LONGEST_WAIT));
            let sooner = post.again_at.filter(|known| *known > step.now && *known < at);
            post.again_at = sooner.or(Some(at));
            custody.refused.push(host);
        }
        Some(Reply::Refused(Refused::Full)) => {
            post.is_full = true;
            custody.refused.push(host);
        }
        _ => custody.refused.push(host),
    }
    let enough = enough(&post);
    if custody.hosts.is_empty() && custody.asked.is_empty() && custody.taken.len() >= enough {
        // One host may lie; so many have had this number: the profile was put back to an older state since.
        post.last_sent = after_a_jump(post.last_sent);
        custody = Custody::default();
    }
    post.is_full &= custody.hosts.len() < enough;
    if post.is_full != was_full {
        let whose = directory::device(step, device)?.identity;
        step.emit(Event::ContactChanged(whose))?;
    }
    step.put(Key::Post(device), post);
    if custody.hosts.len() >= enough {
        let line = row.line;
        outbox::into_custody(step, device, item, row, custody)?;
        round(step, device, false)?;
        return Ok(line.map(Departure::Taken));
    }
    let is_idle = custody.asked.is_empty();
    row.custody = Some(custody);
    step.put(key, row);
    if is_idle {
        round(step, device, false)?;
    }
    Ok(None)
}

/// Asks a host once more that wants something else.
fn again(step: &mut Step<'_>, outcome: &Outcome, number: u64, payload: &[u8], work: Payment) -> Result<bool, Refusal> {
    let Some(route) = Route::to(step, outcome.device)? else { return Ok(false) };
    let Some(host) = route.post.hosts.iter().find(|host| host.peer == outcome.host).cloned() else { return Ok(false) };
    let Outcome { device, item, line, .. } = *outcome;
    let errand = Errand::Deposit { device, item, host: host.peer, line, again: true };
    ask(step, &route, &host, number, payload, work, errand)
}

/// A copy more than was waited for.
fn late(step: &mut Step<'_>, outcome: &Outcome, reply: Option<&Reply>) -> Result<(), Refusal> {
    let Some(line) = outcome.line else { return Ok(()) };
    let key = Key::Unreceipted(outcome.device, line.id);
    if reply == Some(&Reply::Done)
        && let Some(mut row) = step.find::<crate::store::Unreceipted>(&key)?
        && let Some(hosts) = &mut row.custody
        && !hosts.contains(&outcome.host)
    {
        hosts.push(outcome.host);
        step.put(key, row);
    }
    Ok(())
}

/// Nothing goes to a device any more.
pub(crate) fn forget(step: &mut Step<'_>, device: DeviceId) -> Result<(), Refusal> {
    if let Some(post) = step.find::<Post>(&Key::Post(device))? {
        step.clear_alarm(Alarm::Deposit(device), post.deposit_at);
        step.delete(Key::Post(device));
    }
    Ok(())
}

/// The other side has seen a number that was not given out here: this profile was put back to an older state.
pub(crate) fn seen_elsewhere(step: &mut Step<'_>, device: DeviceId, seen: u64) -> Result<(), Refusal> {
    let Some(post) = step.find::<Post>(&Key::Post(device))? else { return Ok(()) };
    if seen > post.last_sent {
        step.put(Key::Post(device), Post { last_sent: after_a_jump(seen), ..post });
    }
    Ok(())
}
