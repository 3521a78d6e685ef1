//! People and devices: who is a contact, which device a peer is.

use kinfolk_crypto::identity::{Sigchain, conversation_id};
use kinfolk_wire::ids::{ConversationId, DeviceId, IdentityId, PeerId};
use kinfolk_wire::sigchain::DeviceCertificate;

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

/// The device with this id, where its row is there and can be read. One that cannot must not stop what has to be done
/// for others too.
pub(crate) fn readable_device(step: &Step<'_>, id: DeviceId) -> Result<Option<Device>, Refusal> {
    match device(step, id) {
        Ok(device) => Ok(Some(device)),
        Err(refusal) if refusal.is_damage() => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// What a contact's sigchain says of a device, where it certifies it.
pub(crate) fn certificate(
    step: &Step<'_>,
    whose: IdentityId,
    id: DeviceId,
) -> Result<Option<DeviceCertificate>, Refusal> {
    let chain = contact(step, whose)?.sigchain.as_ref().and_then(|bytes| Sigchain::verify(bytes).ok());
    Ok(chain.and_then(|chain| chain.device(id).cloned()))
}

/// Takes a device in as a person's, unless it is another's. Says whether it is theirs now.
pub(crate) fn take_device(step: &mut Step<'_>, id: DeviceId, whose: IdentityId) -> Result<bool, Refusal> {
    if let Some(known) = step.find::<Device>(&Key::Device(id))? {
        return Ok(known.identity == whose);
    }
    step.put(Key::Device(id), new_device(id, whose));
    Ok(true)
}

/// The devices of a person with which this one talks, with one more: those that introduced themselves, which are not
/// all that the sigchain certifies.
pub(crate) fn devices_with(step: &Step<'_>, before: Option<&Contact>, id: DeviceId) -> Result<Vec<DeviceId>, Refusal> {
    let mut devices = Vec::new();
    for known in before.map_or(&[][..], |before| &before.devices) {
        if *known != id && step.has(&Key::Device(*known))? {
            devices.push(*known);
        }
    }
    devices.push(id);
    Ok(devices)
}

/// Whether there are as many contacts as there may be, the removed ones with them.
pub(crate) fn is_full(step: &Step<'_>) -> Result<bool, Refusal> {
    Ok(step.scan(&Scan::all(Table::Contact, crate::query::CONTACTS))?.rows.len() >= crate::query::CONTACTS)
}

/// A device of which nothing is known yet but whose it is.
const fn new_device(device: DeviceId, identity: IdentityId) -> Device {
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
        reinits_in_a_row: 0,
        failed_dials: 0,
        knows_prekey: 0,
        dial_at: None,
        knows_addresses: Vec::new(),
        reset_told_at: None,
    }
}

/// The device that a peer last proved to be, where its row can be read.
pub(crate) fn device_of(step: &Step<'_>, peer: PeerId) -> Result<Option<Device>, Refusal> {
    match step.find::<DeviceId>(&Key::Peer(peer))? {
        Some(id) => readable_device(step, id),
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
    contacts_that(step, is_open)
}

/// All people from whom something may come: contacts, and those who have not answered yet.
pub(crate) fn expected_contacts(step: &Step<'_>) -> Result<Vec<Contact>, Refusal> {
    contacts_that(step, |contact| is_open(contact) || !contact.blocked && contact.state == ContactState::Requested)
}

fn contacts_that(step: &Step<'_>, wanted: impl Fn(&Contact) -> bool) -> Result<Vec<Contact>, Refusal> {
    let found = step.scan(&Scan::all(Table::Contact, crate::query::CONTACTS))?;
    let contacts = found.rows.into_iter().filter_map(|(_, row)| match row {
        Row::Contact(contact) => Some(contact),
        _ => None,
    });
    Ok(contacts.filter(wanted).collect())
}

/// Whether both agreed and neither is blocked.
pub(crate) fn is_open(contact: &Contact) -> bool {
    contact.state == ContactState::Accepted && !contact.blocked
}

/// Whether something may wait for a person: a contact's mail, or a no to somebody who asked.
pub(crate) fn is_answered(contact: &Contact) -> bool {
    !contact.blocked && matches!(contact.state, ContactState::Accepted | ContactState::Declined)
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
