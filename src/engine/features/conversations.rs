//! Conversations: saying something, hearing it once, in the same order everywhere, and telling that it came
//! (docs/protocol/05-content.md).

use kinfolk_crypto::identity::conversation_id;
use kinfolk_wire::content::{Body, Content, Receipt};
use kinfolk_wire::ids::{ConversationId, DeviceId, IdentityId, MessageId, PayloadDigest};
use kinfolk_wire::limits;
use kinfolk_wire::time::Span;

use crate::event::{Event, MessagePlace};
use crate::query::CONTACTS;
use crate::refusal::Refusal;
use crate::services::outbox::Departure;
use crate::services::{directory, outbox, sessions};
use crate::step::{Rejection, Step};
use crate::store::{
    Alarm, Contact, ContactState, Conversation, Key, Message, MessageState, Opened, PendingReceipts, Row, Scan, Table,
};

/// How long receipts gather before they are sent together.
pub(crate) const RECEIPT_DELAY: Span = Span::from_millis(50);

/// Lines that are looked at when a conversation is marked as read; those before stay as they are.
const LINES_READ_AT_ONCE: usize = 10_000;

/// Says something. Asking twice with the same id says it once.
pub(crate) fn send(
    step: &mut Step<'_>,
    id: Option<MessageId>,
    conversation_id: ConversationId,
    body: Body,
) -> Result<(MessagePlace, MessageState), Refusal> {
    check_sendable(&body)?;
    let own = step.profile()?.identity;
    let conversation = known(step, conversation_id)?;
    let contact = directory::contact(step, conversation.contact)?;
    check_open(&contact)?;
    let id = match id {
        Some(id) => {
            if let Some(said) = said_before(step, conversation_id, own, id, &body)? {
                return Ok(said);
            }
            id
        }
        None => MessageId::new(step.random()),
    };
    say(step, own, contact, conversation_id, conversation, id, body)
}

/// Says something that the wallet has to say to a contact.
pub(crate) fn say_to(
    step: &mut Step<'_>,
    contact: IdentityId,
    body: Body,
) -> Result<(MessagePlace, MessageState), Refusal> {
    let own = step.profile()?.identity;
    let contact = directory::contact(step, contact)?;
    check_open(&contact)?;
    let (conversation_id, conversation) = directory::conversation(step, own, contact.identity)?;
    let id = MessageId::new(step.random());
    say(step, own, contact, conversation_id, conversation, id, body)
}

fn say(
    step: &mut Step<'_>,
    own: IdentityId,
    contact: Contact,
    conversation_id: ConversationId,
    conversation: Conversation,
    id: MessageId,
    body: Body,
) -> Result<(MessagePlace, MessageState), Refusal> {
    let lamport = conversation.lamport.saturating_add(1);
    let content = Content { id, conversation: conversation_id, sent_at: step.now, lamport, body };
    let place = MessagePlace { conversation: conversation_id, lamport, sender: own, id };
    let state = if contact.devices.is_empty() { MessageState::NotDelivered } else { MessageState::Queued };
    keep(step, place, &content, state);
    step.put(Key::Conversation(conversation_id), Conversation { lamport, ..conversation });
    step.emit(Event::MessageAdded(place))?;
    for device in contact.devices {
        outbox::queue(step, device, &content, Some(place))?;
    }
    Ok((place, state))
}

/// The conversation with this id; where it is one with somebody who has not agreed, that is what is said.
fn known(step: &Step<'_>, id: ConversationId) -> Result<Conversation, Refusal> {
    if let Some(conversation) = step.find(&Key::Conversation(id))? {
        return Ok(conversation);
    }
    let own = step.profile()?.identity;
    for (_, row) in step.scan(&Scan::all(Table::Contact, CONTACTS))?.rows {
        if let Row::Contact(contact) = row
            && conversation_id(&own, &contact.identity) == id
        {
            check_open(&contact)?;
        }
    }
    Err(Refusal::UnknownConversation)
}

fn check_sendable(body: &Body) -> Result<(), Refusal> {
    match body {
        Body::Sticker(sticker) if crate::stickers::find(sticker).is_none() => {
            Err(Refusal::UnknownSticker(sticker.to_string()))
        }
        Body::Text(_) | Body::Sticker(_) | Body::Location(_) => Ok(()),
        _ => Err(Refusal::NotSendable),
    }
}

fn check_open(contact: &Contact) -> Result<(), Refusal> {
    let name = || contact.name.to_string();
    if contact.blocked {
        return Err(Refusal::Blocked(name()));
    }
    match contact.state {
        ContactState::Accepted => Ok(()),
        ContactState::Requested | ContactState::Asking => Err(Refusal::NotAccepted(name())),
        ContactState::Declined => Err(Refusal::Declined(name())),
        ContactState::Removed => Err(Refusal::UnknownContact),
    }
}

fn said_before(
    step: &Step<'_>,
    conversation: ConversationId,
    own: IdentityId,
    id: MessageId,
    body: &Body,
) -> Result<Option<(MessagePlace, MessageState)>, Refusal> {
    let Some(place) = step.find::<MessagePlace>(&Key::MessagePlace(conversation, own, id))? else { return Ok(None) };
    let message = find(step, place)?.ok_or(Refusal::Inconsistent("a line is not where it should stand"))?;
    match Content::decode(&message.content) {
        Ok(content) if content.body == *body => Ok(Some((place, message.state))),
        _ => Err(Refusal::IdTaken),
    }
}

fn key(place: MessagePlace) -> Key {
    Key::Message(place.conversation, place.lamport, place.sender, place.id)
}

fn find(step: &Step<'_>, place: MessagePlace) -> Result<Option<Message>, Refusal> {
    step.find(&key(place))
}

fn keep(step: &mut Step<'_>, place: MessagePlace, content: &Content, state: MessageState) {
    step.put(key(place), Message { content: content.encode(), state, at: step.now });
    step.put(Key::MessagePlace(place.conversation, place.sender, place.id), place);
}

/// Whether a line of a contact is here already.
pub(crate) fn is_known(step: &Step<'_>, from: IdentityId, id: MessageId) -> Result<bool, Refusal> {
    let own = step.profile()?.identity;
    step.has(&Key::MessagePlace(conversation_id(&own, &from), from, id))
}

/// A line of a contact has come, on a session with one of their devices.
pub(crate) fn receive(
    step: &mut Step<'_>,
    device: DeviceId,
    from: IdentityId,
    content: &Content,
    digest: PayloadDigest,
) -> Result<(), Refusal> {
    let own = step.profile()?.identity;
    if content.conversation != conversation_id(&own, &from) {
        step.reject(Rejection::Misplaced);
        return Ok(());
    }
    let (id, conversation) = directory::conversation(step, own, from)?;
    let known: Option<MessagePlace> = step.find(&Key::MessagePlace(id, from, content.id))?;
    if let Some(place) = known {
        sessions::remember(step, device, digest, Opened { line: Some(place) });
        step.reject(Rejection::Replay);
        return owe_receipt(step, from, place.id);
    }
    if content.lamport == 0 || content.lamport > conversation.lamport.saturating_add(limits::LAMPORT_JUMP) {
        step.reject(Rejection::Order);
        return Ok(());
    }
    let place = MessagePlace { conversation: id, lamport: content.lamport, sender: from, id: content.id };
    keep(step, place, content, MessageState::Received);
    sessions::remember(step, device, digest, Opened { line: Some(place) });
    let lamport = conversation.lamport.max(content.lamport);
    let unread = conversation.unread.saturating_add(1);
    let mut late = conversation.late;
    if conversation.read_until.is_some_and(|read| content.lamport <= read.lamport) && late.len() < limits::RECEIPT_IDS {
        late.push(content.id);
    }
    step.put(Key::Conversation(id), Conversation { lamport, unread, late, ..conversation });
    step.emit(Event::MessageAdded(place))?;
    owe_receipt(step, from, content.id)
}

/// A payload came again: the receipt for what it carried is repeated.
pub(crate) fn received_again(step: &mut Step<'_>, from: IdentityId, opened: &Opened) -> Result<(), Refusal> {
    step.reject(Rejection::Replay);
    match opened.line {
        Some(place) => owe_receipt(step, from, place.id),
        None => Ok(()),
    }
}

fn owe_receipt(step: &mut Step<'_>, to: IdentityId, id: MessageId) -> Result<(), Refusal> {
    owe(step, to, |pending| {
        if !pending.delivered.contains(&id) {
            pending.delivered.push(id);
        }
    })
}

fn owe(step: &mut Step<'_>, to: IdentityId, note: impl FnOnce(&mut PendingReceipts)) -> Result<(), Refusal> {
    let mut pending: PendingReceipts = step.find(&Key::PendingReceipts(to))?.unwrap_or_default();
    note(&mut pending);
    let full = pending.delivered.len() >= limits::RECEIPT_IDS || pending.read.len() >= limits::RECEIPT_IDS;
    if pending.due.is_none() {
        let due = step.now.after(RECEIPT_DELAY);
        step.set_alarm(Alarm::Receipts(to), None, due);
        pending.due = Some(due);
    }
    step.put(Key::PendingReceipts(to), pending);
    if full { send_receipts(step, to) } else { Ok(()) }
}

/// Sends the receipts that have gathered for a contact.
pub(crate) fn send_receipts(step: &mut Step<'_>, to: IdentityId) -> Result<(), Refusal> {
    let Some(pending) = step.find::<PendingReceipts>(&Key::PendingReceipts(to))? else { return Ok(()) };
    step.clear_alarm(Alarm::Receipts(to), pending.due);
    step.delete(Key::PendingReceipts(to));
    let Some(contact) = directory::find(step, to)? else { return Ok(()) };
    if !directory::is_open(&contact) {
        return Ok(());
    }
    let own = step.profile()?.identity;
    let receipt = Receipt { delivered: pending.delivered, read: pending.read };
    let content = outbox::aside(step, own, to, Body::Receipt(receipt));
    for device in contact.devices {
        outbox::queue(step, device, &content, None)?;
    }
    Ok(())
}

/// A contact's device tells what has come and what was read.
pub(crate) fn receipt(
    step: &mut Step<'_>,
    device: DeviceId,
    from: IdentityId,
    conversation: ConversationId,
    receipt: &Receipt,
) -> Result<(), Refusal> {
    let own = step.profile()?.identity;
    if conversation != conversation_id(&own, &from) {
        step.reject(Rejection::Misplaced);
        return Ok(());
    }
    let ours = |id: &MessageId| step.has(&Key::MessagePlace(conversation, own, *id));
    let mut known = Vec::new();
    for id in receipt.delivered.iter().chain(&receipt.read) {
        if ours(id)? {
            known.push(*id);
        }
    }
    outbox::receipted(step, device, &known)?;
    let delivered = receipt.delivered.iter().map(|id| (id, MessageState::Delivered));
    let read = receipt.read.iter().map(|id| (id, MessageState::Read));
    for (id, state) in delivered.chain(read) {
        let Some(place) = step.find::<MessagePlace>(&Key::MessagePlace(conversation, own, *id))? else { continue };
        advance(step, place, state)?;
    }
    Ok(())
}

/// Moves a line of ours forward, never back.
fn advance(step: &mut Step<'_>, place: MessagePlace, state: MessageState) -> Result<(), Refusal> {
    let Some(message) = find(step, place)? else { return Ok(()) };
    let forward = match (message.state, state) {
        (MessageState::Received, _) => false,
        // What was given up may still turn out to have come.
        (MessageState::NotDelivered, MessageState::Delivered | MessageState::Read) => true,
        (MessageState::NotDelivered, _) => false,
        (MessageState::Delivered | MessageState::Read, MessageState::NotDelivered) => false,
        (before, after) => after > before,
    };
    if forward {
        step.put(key(place), Message { state, ..message });
        step.emit(Event::MessageChanged(place, state))?;
    }
    Ok(())
}

/// A line left the outbox.
pub(crate) fn departed(step: &mut Step<'_>, departure: &Departure) -> Result<(), Refusal> {
    match departure {
        Departure::Taken(place) => advance(step, *place, MessageState::Sent),
        Departure::GivenUp(place) => advance(step, *place, MessageState::NotDelivered),
    }
}

/// The person has seen a conversation up to a line.
pub(crate) fn mark_read(step: &mut Step<'_>, id: ConversationId, message: MessageId) -> Result<(), Refusal> {
    let conversation = known(step, id)?;
    let place: MessagePlace =
        step.find(&Key::MessagePlace(id, conversation.contact, message))?.ok_or(Refusal::UnknownMessage)?;
    let contact = conversation.contact;
    let before = conversation.read_until;
    if before.is_some_and(|before| before.lamport > place.lamport) {
        return Ok(());
    }
    let (mut newly_read, mut unread) = (conversation.late.clone(), 0);
    let from = before.map_or(0, |before| before.lamport);
    let scan = Scan { from, ..Scan::messages_back_from(id, u64::MAX, LINES_READ_AT_ONCE) };
    for (key, _) in step.scan(&scan)?.rows {
        let Key::Message(_, lamport, sender, id) = key else { continue };
        if sender != contact || before.is_some_and(|before| lamport == before.lamport) {
            continue;
        }
        if lamport > place.lamport {
            unread += 1;
        } else {
            newly_read.push(id);
        }
    }
    let after = Conversation { unread, read_until: Some(place), late: Vec::new(), ..conversation.clone() };
    if after == conversation {
        return Ok(());
    }
    step.put(Key::Conversation(id), after);
    if conversation.read_receipts {
        for id in newly_read {
            owe(step, contact, |pending| pending.read.push(id))?;
        }
    }
    step.emit(Event::ContactChanged(contact))
}

/// Whether the other side of a conversation is told what has been read.
pub(crate) fn allow_read_receipts(step: &mut Step<'_>, id: ConversationId, allowed: bool) -> Result<(), Refusal> {
    let conversation = known(step, id)?;
    step.put(Key::Conversation(id), Conversation { read_receipts: allowed, ..conversation });
    Ok(())
}
