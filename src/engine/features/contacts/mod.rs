//! Contacts: how two people come to know each other, and what becomes of it.
//!
//! [`asking`] is the side that was given a link, [`answering`] the side that made it (docs/protocol/06-direct.md,
//! "First contact"). A stranger without an invite gets one constant refusal and reaches nobody.

pub(crate) mod answering;
pub(crate) mod asking;
pub(crate) mod by_mail;

use kinfolk_wire::content::{Accept, Body, Reach};
use kinfolk_wire::ids::{DeviceId, IdentityId, PeerId};
use kinfolk_wire::limits;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;

use crate::effect::Effect;
use crate::refusal::Refusal;
use crate::services::outbox::Departure;
use crate::services::{deposit, directory, links, outbox};
use crate::step::{Rejection, Step};
use crate::store::{Alarm, Asking, Contact, ContactState, Device, Key, Listening, Profile};

/// Where this node can be reached.
fn reach(step: &Step<'_>, profile: &Profile) -> Result<Reach, Refusal> {
    let listening: Listening = step.find(&Key::Listening)?.unwrap_or_default();
    Ok(Reach { peer: profile.peer, addresses: listening.addresses.into_iter().take(limits::ADDRESSES).collect() })
}

/// Both agreed: the conversation begins and the devices keep in touch.
fn open_conversation(step: &mut Step<'_>, own: IdentityId, contact: &Contact) -> Result<(), Refusal> {
    let (id, conversation) = directory::conversation(step, own, contact.identity)?;
    if !step.has(&Key::Conversation(id))? {
        step.put(Key::Conversation(id), conversation);
    }
    for id in &contact.devices {
        if let Some(peer) = step.find::<PeerId>(&Key::LinkOf(*id))? {
            step.effect(Effect::Contact { peer, is_one: true });
            links::offer_prekeys(step, *id)?;
        } else {
            let mut device = directory::device(step, *id)?;
            links::dial_after(step, &mut device, Span::ZERO);
            step.put(Key::Device(*id), device);
        }
    }
    Ok(())
}

/// A device of a contact is linked: it is told where this node can be reached now, if that has changed.
pub(crate) fn linked(step: &mut Step<'_>, device_id: DeviceId) -> Result<(), Refusal> {
    let device = directory::device(step, device_id)?;
    let contact = directory::contact(step, device.identity)?;
    if !directory::is_open(&contact) {
        return Ok(());
    }
    let profile = step.profile()?;
    let reach = reach(step, &profile)?;
    if reach.addresses.is_empty() || reach.addresses == device.knows_addresses {
        return Ok(());
    }
    step.put(Key::Device(device_id), Device { knows_addresses: reach.addresses.clone(), ..device });
    let content = outbox::aside(step, profile.identity, contact.identity, Body::Reach(reach));
    outbox::queue(step, device_id, &content, None)
}

/// A contact's device tells where it can be reached from now on.
///
/// What came through a mailbox came on no link; then the device speaks for the node that it last proved to be.
pub(crate) fn reached(
    step: &mut Step<'_>,
    peer: Option<PeerId>,
    device_id: DeviceId,
    reach: Reach,
) -> Result<(), Refusal> {
    let device = directory::device(step, device_id)?;
    let contact = directory::contact(step, device.identity)?;
    // Nobody speaks for another's node: a device says where the one is at which it is.
    if Some(reach.peer) != peer.or(device.peer) || !directory::is_open(&contact) {
        step.reject(Rejection::Misplaced);
        return Ok(());
    }
    let mut addresses = reach.addresses;
    if peer.is_none() {
        // It may have been overtaken by what is known: that goes first.
        addresses.retain(|address| !device.addresses.contains(address));
        addresses.splice(0..0, device.addresses.iter().cloned());
        addresses.truncate(limits::ADDRESSES);
    }
    step.put(Key::Device(device_id), Device { addresses, ..device });
    Ok(())
}

/// Calls a contact something else here.
pub(crate) fn rename(step: &mut Step<'_>, identity: IdentityId, name: Name) -> Result<(), Refusal> {
    let contact = directory::contact(step, identity)?;
    directory::save(step, Contact { name, ..contact })
}

/// Notes whether the safety number was compared.
pub(crate) fn mark_verified(step: &mut Step<'_>, identity: IdentityId, verified: bool) -> Result<(), Refusal> {
    let contact = directory::contact(step, identity)?;
    directory::save(step, Contact { verified, ..contact })
}

/// Hears nothing more from a contact, or hears them again.
pub(crate) fn block(step: &mut Step<'_>, identity: IdentityId, blocked: bool) -> Result<(), Refusal> {
    let contact = directory::contact(step, identity)?;
    if contact.blocked == blocked {
        return Ok(());
    }
    directory::save(step, Contact { blocked, ..contact.clone() })?;
    if blocked {
        hang_up(step, &contact)
    } else {
        let own = step.profile()?.identity;
        let contact = directory::contact(step, identity)?;
        if directory::is_open(&contact) { open_conversation(step, own, &contact) } else { Ok(()) }
    }
}

fn hang_up(step: &mut Step<'_>, contact: &Contact) -> Result<(), Refusal> {
    for id in &contact.devices {
        let Some(mut device) = directory::readable_device(step, *id)? else { continue };
        step.clear_alarm(Alarm::Dial(*id), device.dial_at.take());
        let peer = device.peer;
        step.put(Key::Device(*id), device);
        let Some(peer) = peer else { continue };
        step.effect(Effect::Contact { peer, is_one: false });
        if step.has(&Key::Link(peer))? {
            step.effect(Effect::Disconnect(peer));
            links::disconnected(step, peer)?;
        }
    }
    Ok(())
}

/// Forgets a contact: sessions, keys, what waits for them. What was said stays. Says which lines were given up.
pub(crate) fn remove(step: &mut Step<'_>, identity: IdentityId) -> Result<Vec<Departure>, Refusal> {
    let contact = directory::contact(step, identity)?;
    let added_at = step.now;
    let removed = Contact { state: ContactState::Removed, verified: false, added_at, ..contact.clone() };
    step.put(Key::Contact(identity), removed);
    hang_up(step, &contact)?;
    step.emit(crate::event::Event::ContactRemoved(identity))?;
    asking::give_up(step, identity)?;
    let mut gone = Vec::new();
    for id in &contact.devices {
        gone.extend(outbox::drop_all(step, *id)?);
        forget_device(step, *id)?;
    }
    Ok(gone)
}

fn forget_device(step: &mut Step<'_>, id: DeviceId) -> Result<(), Refusal> {
    if let Some(device) = directory::readable_device(step, id)? {
        for place in &device.sessions {
            crate::services::sessions::forget(step, id, place.session)?;
        }
        if let Some(peer) = device.peer {
            step.delete(Key::Peer(peer));
        }
        step.clear_alarm(Alarm::Dial(id), device.dial_at);
    }
    step.delete(Key::Device(id));
    deposit::forget(step, id)
}

/// A word of first contact that came on a session: who may say it, and what follows.
pub(crate) fn heard(step: &mut Step<'_>, from: IdentityId, body: Body) -> Result<(), Refusal> {
    match body {
        Body::Accept(accept) => asking::accepted(step, from, &accept),
        Body::Decline => asking::declined(step, from),
        // A request is the first message of a session and nothing else; here it is out of place.
        _ => {
            step.reject(Rejection::Misplaced);
            Ok(())
        }
    }
}

/// Whether this person may say something in a conversation. Somebody who was asked and speaks has said yes.
pub(crate) fn may_speak(step: &mut Step<'_>, from: IdentityId) -> Result<bool, Refusal> {
    let contact = directory::contact(step, from)?;
    match contact.state {
        ContactState::Accepted => Ok(true),
        ContactState::Requested => {
            let name = contact.own_name.clone().unwrap_or(contact.name);
            asking::accepted(step, from, &Accept { name })?;
            Ok(true)
        }
        ContactState::Asking | ContactState::Declined | ContactState::Removed => Ok(false),
    }
}

/// The request of ours to a person, where one is under way.
fn asking_row(step: &Step<'_>, identity: IdentityId) -> Result<Option<Asking>, Refusal> {
    step.find(&Key::Asking(identity))
}
