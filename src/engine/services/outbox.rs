//! What waits to be sent: one row for each payload until somebody has taken it.
//!
//! An item leaves when the other side has committed it. A link sends what it has not sent yet, in order, at most
//! [`WINDOW`] at once; when a link goes, the next one begins again with everything that was not taken, and the other
//! side drops what it knows.

use kinfolk_crypto::handshake::payload_digest;
use kinfolk_wire::content::{Body, Content, NeedReinit};
use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::ids::{DeviceId, PeerId};
use kinfolk_wire::limits;
use kinfolk_wire::time::Span;

use super::{links, sessions};
use crate::event::MessagePlace;
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Key, Link, Message, OutboxItem, Row, Scan, Table, Unreceipted};

/// Payloads under way on one link.
const WINDOW: u32 = 256;
/// How long a link may owe an acknowledgement before it is given up.
const STALL_AFTER: Span = Span::from_secs(20);

/// How long an item that was not taken waits on a link that is still there.
const TRY_AGAIN: Span = Span::from_secs(2);

/// The same for one that did not open on any session.
const TRY_UNOPENED_AGAIN: Span = Span::from_secs(600);

/// What became of a line because an item left the outbox.
pub(crate) enum Departure {
    /// Somebody has taken it.
    Taken(MessagePlace),
    /// It was given up.
    GivenUp(MessagePlace),
}

/// Seals a content to a device and puts it into the outbox; sends it at once where a link is free.
pub(crate) fn queue(
    step: &mut Step<'_>,
    device: DeviceId,
    content: &Content,
    line: Option<MessagePlace>,
) -> Result<(), Refusal> {
    let payload = sessions::seal(step, device, content)?;
    let number = step.next_request()?;
    let item = OutboxItem {
        payload,
        // A line is found again where it stands.
        content: if line.is_some() { Vec::new() } else { content.encode() },
        line,
        expires_at: step.now.after(limits::OUTBOX_LIFETIME),
    };
    step.put(Key::Outbox(device, number), item);
    flow(step, device)
}

/// Sends what is next for a device, as far as its link has room.
pub(crate) fn flow(step: &mut Step<'_>, device: DeviceId) -> Result<(), Refusal> {
    let Some(peer) = step.find::<PeerId>(&Key::LinkOf(device))? else { return Ok(()) };
    let Some(mut link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(()) };
    if !link.greeted {
        return Ok(());
    }
    let room = WINDOW.saturating_sub(link.in_flight);
    if room == 0 {
        return Ok(());
    }
    let waiting = step.scan(&Scan::outbox_after(device, link.cursor, room as usize))?;
    if waiting.rows.is_empty() {
        return Ok(());
    }
    for (key, row) in waiting.rows {
        let (Key::Outbox(_, number), Row::OutboxItem(item)) = (key, row) else { continue };
        link.cursor = number;
        link.in_flight += 1;
        step.send(number, peer, FrameKind::Payload, item.payload);
    }
    links::watch(step, peer, &mut link, STALL_AFTER);
    step.put(Key::Link(peer), link);
    Ok(())
}

/// The other side has committed an item. Says which line it carried.
pub(crate) fn taken(step: &mut Step<'_>, peer: PeerId, number: u64) -> Result<Option<Departure>, Refusal> {
    let Some((device, item)) = settle(step, peer, number)? else { return Ok(None) };
    step.delete(Key::Outbox(device, number));
    if let Some(line) = item.line {
        let digest = payload_digest(&item.payload);
        step.put(Key::Unreceipted(device, line.id), Unreceipted { line, digest });
    }
    flow(step, device)?;
    Ok(item.line.map(Departure::Taken))
}

/// An item was not taken: it is sent again on this link in a while, or on the next one. One that did not open waits
/// longer; meanwhile the other side starts a new session, on which it is sealed anew.
pub(crate) fn not_taken(step: &mut Step<'_>, peer: PeerId, number: u64, code: NackCode) -> Result<(), Refusal> {
    if settle(step, peer, number)?.is_none() {
        return Ok(());
    }
    let Some(mut link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(()) };
    link.cursor = link.cursor.min(number.saturating_sub(1));
    let wait = match code {
        NackCode::Undecryptable => TRY_UNOPENED_AGAIN,
        NackCode::Refused | NackCode::Later => TRY_AGAIN,
    };
    links::look_again(step, peer, &mut link, wait);
    step.put(Key::Link(peer), link);
    Ok(())
}

/// The alarm of a link rang.
pub(crate) fn look_after(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    if !links::stalled(step, peer, STALL_AFTER)? {
        return Ok(());
    }
    match step.find::<Link>(&Key::Link(peer))?.and_then(|link| link.device) {
        Some(device) => flow(step, device),
        None => Ok(()),
    }
}

/// One item less is under way on a link. Says which, unless it is gone: an outcome may come twice.
fn settle(step: &mut Step<'_>, peer: PeerId, number: u64) -> Result<Option<(DeviceId, OutboxItem)>, Refusal> {
    let Some(mut link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(None) };
    let Some(device) = link.device else { return Ok(None) };
    let Some(item) = step.find::<OutboxItem>(&Key::Outbox(device, number))? else { return Ok(None) };
    link.in_flight = link.in_flight.saturating_sub(1);
    link.acknowledged_at = step.now;
    links::watch(step, peer, &mut link, STALL_AFTER);
    step.put(Key::Link(peer), link);
    Ok(Some((device, item)))
}

/// A new session with a device is there: what it did not take, and what it says did not open, is sealed on it.
pub(crate) fn reseal(step: &mut Step<'_>, device: DeviceId, need: &NeedReinit) -> Result<(), Refusal> {
    let mut again: Vec<(Content, Option<MessagePlace>)> = Vec::new();
    for (key, row) in step.scan(&Scan::unreceipted(device, usize::MAX))?.rows {
        let Row::Unreceipted(row) = row else { continue };
        if need.digests.contains(&row.digest)
            && let Some(content) = content_of(step, row.line)?
        {
            step.delete(key);
            again.push((content, Some(row.line)));
        }
    }
    for (key, row) in step.scan(&Scan::outbox_after(device, 0, usize::MAX))?.rows {
        let Row::OutboxItem(item) = row else { continue };
        let content = match item.line {
            Some(line) => content_of(step, line)?,
            None => Content::decode(&item.content).ok(),
        };
        // Our own request to start anew brings its session with it; sealing it again would be answered for ever.
        if content.as_ref().is_some_and(|content| matches!(content.body, Body::NeedReinit(_))) {
            continue;
        }
        step.delete(key);
        again.extend(content.map(|content| (content, item.line)));
    }
    if let Some(peer) = step.find::<PeerId>(&Key::LinkOf(device))?
        && let Some(link) = step.find::<Link>(&Key::Link(peer))?
    {
        // What was under way is gone from the outbox; its outcomes will find nothing.
        step.put(Key::Link(peer), Link { in_flight: 0, ..link });
    }
    for (content, line) in again {
        queue(step, device, &content, line)?;
    }
    Ok(())
}

fn content_of(step: &Step<'_>, line: MessagePlace) -> Result<Option<Content>, Refusal> {
    let key = Key::Message(line.conversation, line.lamport, line.sender, line.id);
    Ok(step.find::<Message>(&key)?.and_then(|message| Content::decode(&message.content).ok()))
}

/// Empties the outbox of a device that nobody writes to any more.
pub(crate) fn drop_all(step: &mut Step<'_>, device: DeviceId) -> Result<Vec<Departure>, Refusal> {
    let mut gone = Vec::new();
    for (key, row) in step.scan(&Scan::outbox_after(device, 0, usize::MAX))?.rows {
        step.delete(key);
        if let Row::OutboxItem(OutboxItem { line: Some(line), .. }) = row {
            gone.push(Departure::GivenUp(line));
        }
    }
    for (key, _) in step.scan(&Scan::unreceipted(device, usize::MAX))?.rows {
        step.delete(key);
    }
    Ok(gone)
}

/// Gives up what has waited too long.
pub(crate) fn housekeeping(step: &mut Step<'_>) -> Result<Vec<Departure>, Refusal> {
    let mut gone = Vec::new();
    for (key, row) in step.scan(&Scan::all(Table::Outbox, usize::MAX))?.rows {
        let Row::OutboxItem(item) = row else { continue };
        if item.expires_at <= step.now {
            step.delete(key);
            gone.extend(item.line.map(Departure::GivenUp));
        }
    }
    Ok(gone)
}

/// Whether anything waits for a device.
pub(crate) fn is_waiting(step: &Step<'_>, device: DeviceId) -> Result<bool, Refusal> {
    Ok(!step.scan(&Scan::outbox_after(device, 0, 1))?.rows.is_empty())
}
