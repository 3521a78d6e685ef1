//! What waits to be sent: one row for each payload until somebody has taken it.
//!
//! An item leaves when the other side has committed it. When a link goes, the next one begins again with everything that
//! was not taken, and the other side drops what it knows.

use std::collections::BTreeSet;

use kinfolk_crypto::handshake::payload_digest;
use kinfolk_crypto::identity::conversation_id;
use kinfolk_wire::carried::BY_HAND;
use kinfolk_wire::content::{Body, Content, NeedReinit};
use kinfolk_wire::direct::NackCode;
use kinfolk_wire::ids::{DeviceId, IdentityId, MessageId, PayloadDigest, PeerId};
use kinfolk_wire::limits;
use kinfolk_wire::time::{Span, Timestamp};

use super::{deposit, flow, links, sessions};
use crate::event::MessagePlace;
use crate::query;
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Custody, Key, Message, OutboxItem, Row, Scan, Table, Unreceipted};

/// How long an item waits that did not open on any session.
const TRY_UNOPENED_AGAIN: Span = flow::LONGEST_WAIT;

/// Lines that one device took and did not receipt which are sent again at once.
const REPEATED_AT_ONCE: usize = 256;

/// The first wait for a receipt before a line is said again; each next one is twice as long.
const REPEAT: Span = Span::from_hours(1);

/// How old a line is at least that is deposited again.
const DEPOSIT_AGAIN: Span = Span::from_hours(8);

/// How long a line that was taken and not receipted is kept in mind.
const AWAIT_RECEIPT: Span = Span::from_days(60);

/// What became of a line because an item left the outbox.
pub(crate) enum Departure {
    /// Somebody has taken it.
    Taken(MessagePlace),
    /// It was given up.
    GivenUp(MessagePlace),
}

/// A content that is no line: of first contact, of upkeep, or a receipt.
pub(crate) fn aside(step: &mut Step<'_>, own: IdentityId, to: IdentityId, body: Body) -> Content {
    Content {
        id: MessageId::new(step.random()),
        conversation: conversation_id(&own, &to),
        sent_at: step.now,
        lamport: 0,
        body,
    }
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
        payload: payload.clone(),
        // A line is found again where it stands.
        content: if line.is_some() { Vec::new() } else { content.encode() },
        line,
        expires_at: step.now.after(limits::OUTBOX_LIFETIME),
        custody: None,
    };
    step.put(Key::Outbox(device, number), item);
    flow::queued(step, device, number, payload)?;
    deposit::plan(step, device)
}

/// The other side has committed an item. Says which line it carried.
pub(crate) fn taken(step: &mut Step<'_>, peer: PeerId, number: u64) -> Result<Option<Departure>, Refusal> {
    let Some(device) = flow::settle(step, peer, number)? else { return Ok(None) };
    let Some(item) = step.find::<OutboxItem>(&Key::Outbox(device, number))? else { return Ok(None) };
    step.delete(Key::Outbox(device, number));
    if let Some(line) = item.line {
        let digest = payload_digest(&item.payload);
        await_receipt(step, device, line, digest, None)?;
    }
    flow::flow(step, device)?;
    Ok(item.line.map(Departure::Taken))
}

/// An item was not taken: it is sent again on this link in a while, or on the next one. One that did not open waits
/// longer; meanwhile the other side starts a new session, on which it is sealed anew.
pub(crate) fn not_taken(step: &mut Step<'_>, peer: PeerId, number: u64, code: NackCode) -> Result<(), Refusal> {
    let Some(device) = flow::settle(step, peer, number)? else { return Ok(()) };
    if !step.has(&Key::Outbox(device, number))? {
        return Ok(());
    }
    if code == NackCode::Undecryptable {
        links::offer_prekeys_again(step, device)?;
    }
    let wait = match code {
        NackCode::Undecryptable => TRY_UNOPENED_AGAIN,
        NackCode::Refused | NackCode::Later => flow::TRY_AGAIN,
    };
    flow::again(step, peer, number, wait)
}

/// A new session with a device is there: what it did not take, and what it says did not open, is sealed on it.
pub(crate) fn reseal(step: &mut Step<'_>, device: DeviceId, need: &NeedReinit) -> Result<(), Refusal> {
    let mut again: Vec<(Content, Option<MessagePlace>)> = Vec::new();
    let mut lines = BTreeSet::new();
    for (key, row) in step.scan(&Scan::unreceipted(device, usize::MAX))?.rows {
        let Row::Unreceipted(row) = row else { continue };
        if need.digests.contains(&row.digest)
            && let Some(content) = content_of(step, row.line)?
        {
            step.delete(key);
            lines.insert(row.line);
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
        remove(step, key)?;
        // One that was carried by hand waits here as well.
        if item.line.is_none_or(|line| lines.insert(line)) {
            again.extend(content.map(|content| (content, item.line)));
        }
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

/// A line was taken: its receipt is waited for.
fn await_receipt(
    step: &mut Step<'_>,
    device: DeviceId,
    line: MessagePlace,
    digest: PayloadDigest,
    custody: Option<Vec<PeerId>>,
) -> Result<(), Refusal> {
    let key = Key::Unreceipted(device, line.id);
    let repeats = step.find::<Unreceipted>(&key)?.map_or(0, |before| before.repeats);
    step.put(key, Unreceipted { line, digest, custody, since: Some(step.now), repeats });
    Ok(())
}

/// Hosts have taken an item into custody for its device. A line is waited for until its receipt, and a receipt is
/// repeated when it is missed; any other word stays, to be said directly as well.
pub(crate) fn into_custody(
    step: &mut Step<'_>,
    device: DeviceId,
    number: u64,
    item: OutboxItem,
    custody: Custody,
) -> Result<(), Refusal> {
    let key = Key::Outbox(device, number);
    if let Some(line) = item.line {
        note_custody(step, device, line, &item.payload, custody.hosts)?;
        return remove(step, key);
    }
    let is_receipt = Content::decode(&item.content).is_ok_and(|content| matches!(content.body, Body::Receipt(_)));
    if is_receipt {
        return remove(step, key);
    }
    step.put(key, OutboxItem { custody: Some(custody), ..item });
    Ok(())
}

/// A line is in the custody of hosts, or carried by hand, beside those who had it before.
pub(crate) fn note_custody(
    step: &mut Step<'_>,
    device: DeviceId,
    line: MessagePlace,
    payload: &[u8],
    mut hosts: Vec<PeerId>,
) -> Result<(), Refusal> {
    let key = Key::Unreceipted(device, line.id);
    let before: Option<Unreceipted> = step.find(&key)?;
    for host in before.and_then(|row| row.custody).unwrap_or_default() {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    await_receipt(step, device, line, payload_digest(payload), Some(hosts))
}

/// Lines are receipted by a device: those that were carried by hand need no longer wait for it.
pub(crate) fn receipted(step: &mut Step<'_>, device: DeviceId, lines: &[MessageId]) -> Result<(), Refusal> {
    let mut by_hand = BTreeSet::new();
    for line in lines {
        let key = Key::Unreceipted(device, *line);
        let row: Option<Unreceipted> = step.find(&key)?;
        if row.and_then(|row| row.custody).is_some_and(|hosts| hosts.contains(&BY_HAND)) {
            by_hand.insert(*line);
        }
        step.delete(key);
    }
    if by_hand.is_empty() {
        return Ok(());
    }
    each_item(step, device, |step, key, item| match item.line {
        Some(line) if by_hand.contains(&line.id) => remove(step, key),
        _ => Ok(()),
    })
}

/// Takes an item away that nobody has taken.
pub(crate) fn remove(step: &mut Step<'_>, key: Key) -> Result<(), Refusal> {
    step.delete(key);
    match key {
        Key::Outbox(device, number) => flow::forget(step, device, number),
        _ => Ok(()),
    }
}

/// Empties the outbox of a device that nobody writes to any more.
pub(crate) fn drop_all(step: &mut Step<'_>, device: DeviceId) -> Result<Vec<Departure>, Refusal> {
    let mut gone = Vec::new();
    each_item(step, device, |step, key, item| {
        gone.extend(item.line.map(Departure::GivenUp));
        remove(step, key)
    })?;
    for (key, _) in step.scan(&Scan::unreceipted(device, usize::MAX))?.rows {
        step.delete(key);
    }
    Ok(gone)
}

/// Gives up what had waited too long by then.
pub(crate) fn housekeeping(step: &mut Step<'_>, by: Timestamp) -> Result<Vec<Departure>, Refusal> {
    let mut gone = Vec::new();
    let latest = step.now.after(limits::OUTBOX_LIFETIME);
    for (_, row) in step.scan(&Scan::all(Table::Contact, query::CONTACTS))?.rows {
        let Row::Contact(contact) = row else { continue };
        for device in contact.devices {
            each_item(step, device, |step, key, item| {
                if item.expires_at <= by {
                    gone.extend(item.line.map(Departure::GivenUp));
                    remove(step, key)?;
                } else if item.expires_at > latest {
                    // The clock was set back since.
                    step.put(key, OutboxItem { expires_at: latest, ..item });
                }
                Ok(())
            })?;
        }
    }
    Ok(gone)
}

pub(crate) fn each_item(
    step: &mut Step<'_>,
    device: DeviceId,
    mut act: impl FnMut(&mut Step<'_>, Key, OutboxItem) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut after = Some(0);
    while let Some(number) = after {
        let page = query::outbox_page(|scan| step.scan(scan), device, number)?;
        after = page.last().map(|(number, _)| *number);
        for (number, item) in page {
            act(step, Key::Outbox(device, number), item)?;
        }
    }
    Ok(())
}

/// A device is linked: what it took on an earlier link, or hosts have in custody for it, and what it has not receipted is
/// said to it again, at most so many lines, the newest. It knows what it has, and a receipt that was on its way when the
/// earlier link went, or lies with a host that was asked a moment too early, is there at once.
pub(crate) fn repeat_to_linked(step: &mut Step<'_>, device: DeviceId) -> Result<(), Refusal> {
    repeat(step, device, REPEATED_AT_ONCE, |_| true)
}

/// Somebody goes to a device: what hosts have in custody for it is said to it this way as well, at most so many lines,
/// the newest. It knows what it has.
pub(crate) fn repeat_custody(step: &mut Step<'_>, device: DeviceId, limit: usize) -> Result<(), Refusal> {
    repeat(step, device, limit, |row| row.custody.is_some())
}

fn repeat(
    step: &mut Step<'_>,
    device: DeviceId,
    limit: usize,
    which: impl Fn(&Unreceipted) -> bool,
) -> Result<(), Refusal> {
    let mut held = Vec::new();
    for (_, row) in step.scan(&Scan::unreceipted(device, usize::MAX))?.rows {
        if let Row::Unreceipted(row) = row
            && which(&row)
        {
            held.push(row.line);
        }
    }
    if held.is_empty() {
        return Ok(());
    }
    let mut waiting = BTreeSet::new();
    each_item(step, device, |_, _, item| {
        waiting.extend(item.line);
        Ok(())
    })?;
    held.retain(|line| !waiting.contains(line));
    held.sort_by_key(|line| line.lamport);
    let newest = held.split_off(held.len().saturating_sub(limit));
    for line in newest {
        if let Some(content) = content_of(step, line)? {
            queue(step, device, &content, Some(line))?;
        }
    }
    Ok(())
}

/// Sends a device again what it took hours ago and never receipted: where an older copy of a profile was put
/// back, here or there, a receipt came to what is gone, and whoever has a line receipts it again. Called every hour; a
/// line is repeated after 1, 2, 4, 8 ... hours more, through mailboxes after 8 at the least. What was too old by then is
/// no longer waited for.
pub(crate) fn repeat_unreceipted(step: &mut Step<'_>, device: DeviceId, by: Timestamp) -> Result<(), Refusal> {
    let linked = step.has(&Key::LinkOf(device))?;
    let busy = if linked { is_waiting(step, device)? } else { !deposit::is_idle(step, device)? };
    if busy {
        return Ok(());
    }
    let youngest = if linked { Span::ZERO } else { DEPOSIT_AGAIN };
    let mut again = Vec::new();
    for (key, row) in step.scan(&Scan::unreceipted(device, usize::MAX))?.rows {
        let Row::Unreceipted(row) = row else { continue };
        let line = row.line;
        let written = Key::Message(line.conversation, line.lamport, line.sender, line.id);
        let Some(at) = step.find::<Message>(&written)?.map(|message| message.at) else { continue };
        let since = row.since.unwrap_or(at);
        let wait = REPEAT.times(1 << row.repeats.min(10)).max(youngest);
        if by.since(at) > AWAIT_RECEIPT {
            step.delete(key);
        } else if (since > step.now || step.now.since(since) >= wait) && again.len() < REPEATED_AT_ONCE {
            let repeats = row.repeats.saturating_add(1);
            step.put(key, Unreceipted { since: Some(step.now), repeats, ..row });
            again.extend(content_of(step, line)?.map(|content| (content, line)));
        }
    }
    for (content, line) in again {
        queue(step, device, &content, Some(line))?;
    }
    Ok(())
}

/// Whether anything waits for a device.
pub(crate) fn is_waiting(step: &Step<'_>, device: DeviceId) -> Result<bool, Refusal> {
    Ok(!step.scan(&Scan::outbox_after(device, 0, 1))?.rows.is_empty())
}
