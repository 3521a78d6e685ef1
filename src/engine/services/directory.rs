//! People and devices: who is a contact, which device a peer is.

use kinfolk_crypto::identity::conversation_id;
use kinfolk_wire::ids::{ConversationId, DeviceId, IdentityId, PeerId};

use crate::event::Event;
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Asking, Contact, ContactState, Conversation, Device, Key, Row, Scan, Table};

/// The contact with this identity, the removed ones too.
pub(crate) fn find(step: &Step<'_>, identity: IdentityId) -> Result<Option<Contact>, Refusal> {
    step.find(&Key::Contact(identity))
}

/// The contact with this identity.
pub(crate) fn contact(step: &Step<'_>, identity: IdentityId) -> Result<Contact, Refusal> {
    find(step, identity)?.filter(|contact| contact.state != ContactState::Removed).ok_or(Refusal::UnknownContact)
}

/// Keeps a contact and tells the faces.
pub(crate) fn save(step: &mut Step<'_>, contact: Contact) -> Result<(), Refusal> {
    let identity = contact.identity;
    let known = find(step, identity)?.is_some_and(|before| before.state != ContactState::Removed);
    step.put(Key::Contact(identity), contact);
    step.emit(if known { Event::ContactChanged(identity) } else { Event::ContactAdded(identity) })
}

/// The device with this id.
pub(crate) fn device(step: &Step<'_>, device: DeviceId) -> Result<Device, Refusal> {
    step.find(&Key::Device(device))?.ok_or(Refusal::Inconsistent("a contact's device has no row"))
}

/// A device of which nothing is known yet but whose it is.
pub(crate) const fn new_device(device: DeviceId, identity: IdentityId) -> Device {
    Device {
        device,
        identity,
        peer: None,
        addresses: Vec::new(),
        bundle: Vec::new(),
        pair_root: None,
        pair_session: None,
        sessions: Vec::new(),
        unopened: Vec::new(),
        reinit_asked_at: None,
        failed_dials: 0,
        knows_prekey: 0,
        dial_at: None,
        knows_addresses: Vec::new(),
        failed_opens: 0,
    }
}

/// The device that a peer last proved to be.
pub(crate) fn device_of(step: &Step<'_>, peer: PeerId) -> Result<Option<Device>, Refusal> {
    match step.find::<DeviceId>(&Key::Peer(peer))? {
        Some(id) => step.find(&Key::Device(id)),
        None => Ok(None),
    }
}

/// The request of ours that is under way to a peer.
pub(crate) fn asking_of(step: &Step<'_>, peer: PeerId) -> Result<Option<Asking>, Refusal> {
    let found = step.scan(&Scan::all(Table::Asking, crate::query::CONTACTS))?;
    Ok(found.rows.into_iter().find_map(|(_, row)| match row {
        Row::Asking(asking) if asking.peer == peer => Some(asking),
        _ => None,
    }))
}

/// All contacts whose devices we want to stay connected with.
pub(crate) fn connected_contacts(step: &Step<'_>) -> Result<Vec<Contact>, Refusal> {
    let found = step.scan(&Scan::all(Table::Contact, crate::query::CONTACTS))?;
    Ok(found
        .rows
        .into_iter()
        .filter_map(|(_, row)| match row {
            Row::Contact(contact) if is_open(&contact) => Some(contact),
            _ => None,
        })
        .collect())
}

/// Whether both agreed and neither is blocked.
pub(crate) fn is_open(contact: &Contact) -> bool {
    contact.state == ContactState::Accepted && !contact.blocked
}

/// The conversation with a contact, which begins when they become one.
pub(crate) fn conversation(
    step: &Step<'_>,
    own: IdentityId,
    contact: IdentityId,
) -> Result<(ConversationId, Conversation), Refusal> {
    let id = conversation_id(&own, &contact);
    let row = step.find(&Key::Conversation(id))?.unwrap_or(Conversation {
        contact,
        lamport: 0,
        unread: 0,
        read_until: None,
        read_receipts: false,
        late: Vec::new(),
    });
    Ok((id, row))
}
