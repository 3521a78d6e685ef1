//! What is under way on a link: how much at once, what is sent again and when, and when a link is given up.
//!
//! The row of a link names each outbox item that is under way on it or is to be sent on it again. An outcome counts for
//! the item that it names, however often it comes and whatever else was sent meanwhile.

use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::{DeviceId, PeerId};
use kinfolk_wire::time::Span;

use super::links;
use super::outgoing::Outgoing;
use crate::effect::Effect;
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Alarm, Key, Link, OutboxItem, Row, Scan};

/// Payloads under way on one link.
const WINDOW: usize = 256;
/// How long an item that was not taken waits on a link that is still there.
pub(crate) const TRY_AGAIN: Span = Span::from_secs(2);
/// How long a link may owe an outcome before it is given up.
const STALL_AFTER: Span = Span::from_secs(20);
/// The longest wait of an item that is to be sent again.
pub(crate) const LONGEST_WAIT: Span = Span::from_secs(600);

/// Sends what is next for a device, as far as its link has room: first what is to be sent again now, then what was never
/// sent on it.
pub(crate) fn flow(step: &mut Step<'_>, device: DeviceId) -> Result<(), Refusal> {
    let Some(peer) = step.find::<PeerId>(&Key::LinkOf(device))? else { return Ok(()) };
    let Some(mut link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(()) };
    if !link.greeted {
        return Ok(());
    }
    for number in due_again(step, &link) {
        link.again.remove(&number);
        if let Some(item) = step.find::<OutboxItem>(&Key::Outbox(device, number))? {
            send(step, peer, &mut link, number, item.payload);
        }
    }
    // What comes later does not overtake what is about to be sent again by more than the window: a receiver opens nothing
    // that is too far ahead of what it has.
    let soon = step.now.after(TRY_AGAIN);
    let overtaken = link.again.values().filter(|at| **at <= soon).count();
    let room = WINDOW.saturating_sub(link.in_flight.len().saturating_add(overtaken));
    if room > 0 && link.behind {
        let next = step.scan(&Scan::outbox_after(device, link.cursor, room))?;
        link.behind = next.rows.len() >= room || next.damaged > 0;
        for (key, row) in next.rows {
            let (Key::Outbox(_, number), Row::OutboxItem(item)) = (key, row) else { continue };
            link.cursor = number;
            send(step, peer, &mut link, number, item.payload);
        }
    }
    watch(step, peer, &mut link);
    step.put(Key::Link(peer), link);
    Ok(())
}

/// Sends what was just put last into the outbox of a device, where nothing waits before it and its link has room.
pub(crate) fn queued(step: &mut Step<'_>, device: DeviceId, number: u64, payload: Vec<u8>) -> Result<(), Refusal> {
    let Some(peer) = step.find::<PeerId>(&Key::LinkOf(device))? else { return Ok(()) };
    let Some(mut link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(()) };
    if !link.greeted || link.behind || !link.again.is_empty() || link.in_flight.len() >= WINDOW {
        link.behind = true;
        step.put(Key::Link(peer), link);
        return flow(step, device);
    }
    link.cursor = number;
    send(step, peer, &mut link, number, payload);
    watch(step, peer, &mut link);
    step.put(Key::Link(peer), link);
    Ok(())
}

fn due_again(step: &Step<'_>, link: &Link) -> Vec<u64> {
    let latest = step.now.after(LONGEST_WAIT);
    let room = WINDOW.saturating_sub(link.in_flight.len());
    // A wait that is longer than any was set before the clock was turned back.
    let due = link.again.iter().filter(|(_, at)| **at <= step.now || **at > latest);
    due.map(|(number, _)| *number).take(room).collect()
}

fn send(step: &mut Step<'_>, peer: PeerId, link: &mut Link, number: u64, payload: Vec<u8>) {
    if link.in_flight.is_empty() {
        link.acknowledged_at = step.now;
    }
    link.in_flight.insert(number);
    step.send(Outgoing::Outbox(number), peer, FrameKind::Payload, payload);
}

/// An item has an outcome: it is no longer under way on the link with a peer. Says whose device that is.
pub(crate) fn settle(step: &mut Step<'_>, peer: PeerId, number: u64) -> Result<Option<DeviceId>, Refusal> {
    let Some(mut link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(None) };
    link.in_flight.remove(&number);
    link.again.remove(&number);
    link.acknowledged_at = step.now;
    let device = link.device;
    step.put(Key::Link(peer), link);
    Ok(device)
}

/// An item was not taken: it is sent again in a while.
pub(crate) fn again(step: &mut Step<'_>, peer: PeerId, number: u64, wait: Span) -> Result<(), Refusal> {
    let Some(mut link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(()) };
    link.again.insert(number, step.now.after(wait));
    watch(step, peer, &mut link);
    step.put(Key::Link(peer), link);
    Ok(())
}

/// An item is no longer in the outbox: nothing is owed for it and it is not sent again.
pub(crate) fn forget(step: &mut Step<'_>, device: DeviceId, number: u64) -> Result<(), Refusal> {
    match step.find::<PeerId>(&Key::LinkOf(device))? {
        Some(peer) => settle(step, peer, number).map(|_| ()),
        None => Ok(()),
    }
}

/// Keeps an alarm on a link that owes outcomes or has something to send again.
fn watch(step: &mut Step<'_>, peer: PeerId, link: &mut Link) {
    let owed = (!link.in_flight.is_empty()).then(|| link.acknowledged_at.after(STALL_AFTER));
    let again = link.again.values().min().copied();
    let Some(due) = owed.into_iter().chain(again).min() else { return };
    // One that rings too early finds nothing to do and is set anew.
    if link.look_at.is_none_or(|set| due < set) {
        step.set_alarm(Alarm::LinkStalled(peer), link.look_at, due);
        link.look_at = Some(due);
    }
}

/// The alarm of a link rang: it is given up where it owes an outcome for too long, and else has its items sent.
pub(crate) fn look_after(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    let Some(mut link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(()) };
    link.look_at = None;
    link.acknowledged_at = link.acknowledged_at.min(step.now);
    let stalled = !link.in_flight.is_empty() && step.now.since(link.acknowledged_at) >= STALL_AFTER;
    let device = link.device;
    step.put(Key::Link(peer), link);
    match device {
        _ if stalled => {
            step.effect(Effect::Disconnect(peer));
            links::disconnected(step, peer)
        }
        Some(device) => flow(step, device),
        None => Ok(()),
    }
}
