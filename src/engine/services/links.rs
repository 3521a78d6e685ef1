//! Streams with peers: who is at the other end, when to dial, when one is given up (docs/protocol/06-direct.md).
//!
//! A link says nothing about a person until its peer has proved, in a *Hello*, to be a device of theirs.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_crypto::hello::{sign_hello, verify_hello};
use kinfolk_crypto::identity::Sigchain;
use kinfolk_crypto::prekeys::VerifiedBundle;
use kinfolk_wire::bundle::PrekeyBundle;
use kinfolk_wire::direct::{FrameKind, Hello, NackCode, Prekeys, Role};
use kinfolk_wire::ids::{DeviceId, PeerId};
use kinfolk_wire::invite::Address;
use kinfolk_wire::time::Span;

use super::outgoing::Outgoing;
use super::{deposit, directory, healing, outbox, prekeys};
use crate::effect::Effect;
use crate::event::Event;
use crate::input::Delivery;
use crate::refusal::Refusal;
use crate::step::{Rejection, Step};
use crate::store::{Alarm, Asking, Contact, ContactState, Device, Key, Link, Profile};

/// The first wait before dialling again, and the longest.
const DIAL_AGAIN: Span = Span::from_secs(1);
const DIAL_AGAIN_AT_MOST: Span = Span::from_secs(300);
/// The longest wait with what chance adds to it.
pub(crate) const LONGEST_WAIT: Span = Span::from_secs(450);

/// How long a peer has for its hello, from when the stream opened.
const HELLO_WITHIN: Span = Span::from_secs(10);

/// The wait before the next dial after this many have failed: doubling, with up to half of it again at random.
pub(crate) fn backoff(step: &mut Step<'_>, failed: u32) -> Span {
    let base = DIAL_AGAIN.times(1 << failed.min(20)).min(DIAL_AGAIN_AT_MOST).as_millis();
    let chance = u64::from(u32::from_be_bytes(step.random()));
    Span::from_millis(base + chance % (base / 2 + 1))
}

/// A stream is open.
pub(crate) fn connected(step: &mut Step<'_>, peer: PeerId, role: Role, address: Address) -> Result<(), Refusal> {
    if let Some(old) = step.find::<Link>(&Key::Link(peer))? {
        step.clear_alarm(Alarm::LinkStalled(peer), old.look_at);
        unlink(step, peer, old.device)?;
    }
    let link = Link {
        opened: role == Role::Dialer,
        address,
        device: None,
        greeted: false,
        knocked: None,
        cursor: 0,
        behind: true,
        in_flight: BTreeSet::new(),
        acknowledged_at: step.now,
        look_at: None,
        again: BTreeMap::new(),
    };
    step.put(Key::Link(peer), link);
    expect_hello(step, peer)?;
    // The dialer speaks first.
    if role == Role::Dialer { greet(step, peer) } else { Ok(()) }
}

/// Where the peer was a contact's device when last seen: if it does not say who it is, the link is given up.
fn expect_hello(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    let Some(mut device) = directory::device_of(step, peer)? else { return Ok(()) };
    if directory::find(step, device.identity)?.is_some_and(|contact| directory::is_open(&contact)) {
        let wait = backoff(step, device.failed_dials.saturating_add(4));
        dial_after(step, &mut device, wait);
        step.put(Key::Device(device.device), device);
    }
    Ok(())
}

fn unlink(step: &mut Step<'_>, peer: PeerId, device: Option<DeviceId>) -> Result<(), Refusal> {
    if let Some(device) = device
        && step.find::<PeerId>(&Key::LinkOf(device))? == Some(peer)
    {
        step.delete(Key::LinkOf(device));
    }
    Ok(())
}

/// A stream is gone: tells who is no longer there and plans the next dial.
pub(crate) fn disconnected(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    let Some(link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(()) };
    step.delete(Key::Link(peer));
    step.clear_alarm(Alarm::LinkStalled(peer), link.look_at);
    unlink(step, peer, link.device)?;
    let Some(mut device) = directory::device_of(step, peer)? else { return Ok(()) };
    let Some(contact) = directory::find(step, device.identity)? else { return Ok(()) };
    if link.device.is_some() {
        let identity = contact.identity;
        step.mention(Event::PeerOnline(identity, false));
        step.put(Key::Contact(identity), Contact { last_seen: Some(step.now), ..contact.clone() });
    }
    if directory::is_open(&contact) {
        let wait = backoff(step, device.failed_dials);
        dial_after(step, &mut device, wait);
        let id = device.device;
        step.put(Key::Device(id), device);
        deposit::plan_for_waiting(step, id)?;
    }
    Ok(())
}

/// Somebody was told who is at this end and did not want to know: dialling them again waits as if nobody had answered.
pub(crate) fn hello_refused(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    if let Some(device) = directory::device_of(step, peer)?
        && !step.has(&Key::LinkOf(device.device))?
    {
        let failed_dials = device.failed_dials.saturating_add(1);
        step.put(Key::Device(device.device), Device { failed_dials, ..device });
    }
    Ok(())
}

/// Plans a dial; the caller keeps the device.
pub(crate) fn dial_after(step: &mut Step<'_>, device: &mut Device, wait: Span) {
    let due = step.now.after(wait);
    step.set_alarm(Alarm::Dial(device.device), device.dial_at, due);
    device.dial_at = Some(due);
}

/// It is time to reach a device.
pub(crate) fn dial(step: &mut Step<'_>, device_id: DeviceId) -> Result<(), Refusal> {
    let Some(mut device) = step.find::<Device>(&Key::Device(device_id))? else { return Ok(()) };
    step.clear_alarm(Alarm::Dial(device_id), device.dial_at.take());
    let open = directory::find(step, device.identity)?.is_some_and(|contact| directory::is_open(&contact));
    let linked = step.has(&Key::LinkOf(device_id))?;
    match device.peer {
        Some(peer) if open && !linked => {
            if step.has(&Key::Link(peer))? {
                press(step, peer)?;
                // Where that gave the link up, the next dial is planned already.
                device = directory::device(step, device_id)?;
            } else if !device.addresses.is_empty() {
                step.effect(Effect::Dial { peer, addresses: device.addresses.clone() });
            }
            let wait = backoff(step, device.failed_dials.saturating_add(4));
            dial_after(step, &mut device, wait);
        }
        _ => {}
    }
    step.put(Key::Device(device_id), device);
    Ok(())
}

/// Nobody answered.
pub(crate) fn dial_failed(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    let Some(mut device) = directory::device_of(step, peer)? else { return Ok(()) };
    if step.has(&Key::LinkOf(device.device))? {
        return Ok(());
    }
    device.failed_dials = device.failed_dials.saturating_add(1);
    let wait = backoff(step, device.failed_dials);
    dial_after(step, &mut device, wait);
    step.put(Key::Device(device.device), device);
    Ok(())
}

/// Plans a dial soon to every contact: the node has just started.
pub(crate) fn dial_everybody(step: &mut Step<'_>) -> Result<(), Refusal> {
    for contact in directory::connected_contacts(step)? {
        for id in contact.devices {
            let Some(mut device) = directory::readable_device(step, id)? else { continue };
            if let Some(peer) = device.peer {
                step.effect(Effect::Contact { peer, is_one: true });
            }
            device.failed_dials = 0;
            dial_after(step, &mut device, Span::ZERO);
            step.put(Key::Device(id), device);
            deposit::start(step, id)?;
        }
    }
    Ok(())
}

/// A peer was seen nearby: if it is a contact's device, it is dialled there now.
pub(crate) fn discovered(step: &mut Step<'_>, peer: PeerId, addresses: &[Address]) -> Result<(), Refusal> {
    let Some(mut device) = directory::device_of(step, peer)? else { return Ok(()) };
    for address in addresses.iter().rev() {
        prefer(&mut device.addresses, address);
    }
    if !step.has(&Key::LinkOf(device.device))? {
        device.failed_dials = 0;
        dial_after(step, &mut device, Span::ZERO);
    }
    step.put(Key::Device(device.device), device);
    Ok(())
}

/// Puts an address first.
pub(crate) fn prefer(addresses: &mut Vec<Address>, best: &Address) {
    addresses.retain(|address| address != best);
    addresses.insert(0, best.clone());
    addresses.truncate(kinfolk_wire::limits::ADDRESSES);
}

/// Whether we tell this person who we are: contacts, somebody who has our request, and somebody who is owed a no.
fn may_greet(step: &Step<'_>, contact: &Contact) -> Result<bool, Refusal> {
    if contact.blocked {
        return Ok(false);
    }
    match contact.state {
        ContactState::Accepted => Ok(true),
        ContactState::Requested => {
            let asking: Option<Asking> = step.find(&Key::Asking(contact.identity))?;
            Ok(asking.is_some_and(|asking| asking.chain_taken))
        }
        ContactState::Declined => is_answer_owed(step, contact),
        ContactState::Asking | ContactState::Removed => Ok(false),
    }
}

fn is_answer_owed(step: &Step<'_>, contact: &Contact) -> Result<bool, Refusal> {
    for device in &contact.devices {
        if outbox::is_waiting(step, *device)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Says who is at this end, once, where the peer was a contact's device when last seen.
pub(crate) fn greet(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    let Some(mut link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(()) };
    let Some(device) = directory::device_of(step, peer)? else { return Ok(()) };
    let Some(contact) = directory::find(step, device.identity)? else { return Ok(()) };
    if link.greeted || !may_greet(step, &contact)? || contact.sigchain.is_none() {
        return Ok(());
    }
    let profile = step.profile()?;
    let keys = prekeys::device_keys(&profile)?;
    let (dialer, listener) = ends(&profile, peer, link.role());
    let hello = sign_hello(&keys, profile.identity, profile.head, &dialer, &listener, link.role());
    link.greeted = true;
    step.put(Key::Link(peer), link);
    step.send(Outgoing::Hello, peer, FrameKind::Hello, hello.encode());
    Ok(())
}

/// Says once more who is at this end, to somebody who may not have heard it and owes an answer.
pub(crate) fn greet_again(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    if let Some(link) = step.find::<Link>(&Key::Link(peer))?
        && link.device.is_some()
    {
        step.put(Key::Link(peer), Link { greeted: false, ..link });
        return greet(step, peer);
    }
    press(step, peer)
}

/// A peer has not said who it is, and should: it is greeted. Where it was greeted already and has had time to answer,
/// the link is given up, so that the next one begins anew.
pub(crate) fn press(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    match step.find::<Link>(&Key::Link(peer))? {
        Some(link) if link.greeted && link.device.is_none() => {
            if link.acknowledged_at <= step.now && step.now.since(link.acknowledged_at) < HELLO_WITHIN {
                return Ok(());
            }
            step.effect(Effect::Disconnect(peer));
            disconnected(step, peer)
        }
        _ => greet(step, peer),
    }
}

/// The dialer and the listener of a stream of which this node is one end.
pub(crate) fn ends(profile: &Profile, peer: PeerId, role: Role) -> (PeerId, PeerId) {
    match role {
        Role::Dialer => (profile.peer, peer),
        Role::Listener => (peer, profile.peer),
    }
}

/// Somebody says who they are. Says which device is now linked, if the words were true and welcome.
pub(crate) fn hello(step: &mut Step<'_>, delivery: Delivery, body: &[u8]) -> Result<Option<DeviceId>, Refusal> {
    let peer = delivery.peer;
    let Some(device) = check_hello(step, peer, body)? else {
        step.reject(Rejection::Hello);
        step.refuse(delivery, NackCode::Refused);
        return Ok(None);
    };
    step.acknowledge(delivery);
    let Some(mut link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(None) };
    let mut device = directory::device(step, device)?;
    let contact = directory::contact(step, device.identity)?;
    link.device = Some(device.device);
    // What leads over a relay is a way round, and not put before a place.
    if link.opened && !link.address.is_relayed() {
        prefer(&mut device.addresses, &link.address);
    }
    step.put(Key::Link(peer), link);
    step.put(Key::LinkOf(device.device), peer);
    step.put(Key::Peer(peer), device.device);
    step.clear_alarm(Alarm::Dial(device.device), device.dial_at);
    device.dial_at = None;
    device.failed_dials = 0;
    if let Some(before) = device.peer.replace(peer).filter(|before| *before != peer) {
        step.effect(Effect::Contact { peer: before, is_one: false });
    }
    let (id, identity) = (device.device, device.identity);
    step.put(Key::Device(id), device);
    step.put(Key::Contact(identity), Contact { last_seen: Some(step.now), ..contact.clone() });
    if directory::is_open(&contact) {
        step.effect(Effect::Contact { peer, is_one: true });
    }
    if !may_greet(step, &contact)? {
        return Ok(None);
    }
    greet(step, peer)?;
    if directory::is_open(&contact) {
        step.mention(Event::PeerOnline(identity, true));
        offer_prekeys(step, id)?;
    }
    Ok(Some(id))
}

fn check_hello(step: &Step<'_>, peer: PeerId, body: &[u8]) -> Result<Option<DeviceId>, Refusal> {
    let (Ok(hello), Some(link)) = (Hello::decode(body), step.find::<Link>(&Key::Link(peer))?) else { return Ok(None) };
    let Some(contact) = directory::find(step, hello.identity)? else { return Ok(None) };
    let welcome = match contact.state {
        ContactState::Accepted | ContactState::Requested | ContactState::Asking => true,
        ContactState::Declined => is_answer_owed(step, &contact)?,
        ContactState::Removed => false,
    };
    if contact.blocked || !welcome {
        return Ok(None);
    }
    let Some(chain) = contact.sigchain.as_ref().and_then(|bytes| Sigchain::verify(bytes).ok()) else { return Ok(None) };
    let Some(certificate) = chain.device(hello.device) else { return Ok(None) };
    let known = directory::readable_device(step, hello.device)?;
    if known.is_none_or(|device| device.identity != hello.identity) {
        return Ok(None);
    }
    let profile = step.profile()?;
    let (dialer, listener) = ends(&profile, peer, link.role());
    let said = verify_hello(&hello, certificate, &dialer, &listener, link.role().other());
    Ok(said.is_ok().then_some(hello.device))
}

/// Sends our newest bundle to a linked device that does not have it.
pub(crate) fn offer_prekeys(step: &mut Step<'_>, device: DeviceId) -> Result<(), Refusal> {
    let profile = step.profile()?;
    let device = directory::device(step, device)?;
    let Some(peer) = step.find::<PeerId>(&Key::LinkOf(device.device))? else { return Ok(()) };
    if device.knows_prekey == profile.bundle_id {
        return Ok(());
    }
    let bundle = PrekeyBundle::decode(&profile.bundle).map_err(|_| Refusal::Inconsistent("our own prekeys"))?;
    let prekeys = Prekeys { sigchain: profile.sigchain, bundle, one_time: None };
    step.send(Outgoing::Prekeys(profile.bundle_id), peer, FrameKind::Prekeys, prekeys.encode());
    Ok(())
}

/// A device could not open something of ours: it gets our bundle once more, so that it can ask to start anew.
pub(crate) fn offer_prekeys_again(step: &mut Step<'_>, device: DeviceId) -> Result<(), Refusal> {
    let row = directory::device(step, device)?;
    step.put(Key::Device(device), Device { knows_prekey: 0, ..row });
    offer_prekeys(step, device)
}

/// A device has our bundle.
pub(crate) fn prekeys_taken(step: &mut Step<'_>, peer: PeerId, bundle: u32) -> Result<(), Refusal> {
    if let Some(device) = directory::device_of(step, peer)? {
        step.put(Key::Device(device.device), Device { knows_prekey: bundle, ..device });
    }
    Ok(())
}

/// A linked device sent its newest sigchain and bundle. A chain that does not extend the known one is refused.
pub(crate) fn prekeys_offered(step: &mut Step<'_>, delivery: Delivery, body: &[u8]) -> Result<(), Refusal> {
    let accepted = match step.find::<Link>(&Key::Link(delivery.peer))?.and_then(|link| link.device) {
        Some(device) => take_prekeys(step, device, body)?,
        None => false,
    };
    if accepted {
        step.acknowledge(delivery);
    } else {
        step.reject(Rejection::Prekeys);
        step.refuse(delivery, NackCode::Refused);
    }
    Ok(())
}

fn take_prekeys(step: &mut Step<'_>, device_id: DeviceId, body: &[u8]) -> Result<bool, Refusal> {
    let Ok(offered) = Prekeys::decode(body) else { return Ok(false) };
    let device = directory::device(step, device_id)?;
    let contact = directory::contact(step, device.identity)?;
    let Ok(chain) = Sigchain::verify(&offered.sigchain) else { return Ok(false) };
    let known = contact.sigchain.as_ref().and_then(|bytes| Sigchain::verify(bytes).ok());
    if chain.identity() != contact.identity || known.is_some_and(|known| !chain.extends(&known)) {
        return Ok(false);
    }
    if offered.bundle.device != device_id || VerifiedBundle::verify(&offered.bundle, &chain, step.now).is_err() {
        return Ok(false);
    }
    step.put(Key::Device(device_id), Device { bundle: offered.bundle.encode(), ..device });
    if chain.head() != contact.head {
        directory::save(step, Contact { sigchain: Some(offered.sigchain), head: chain.head(), ..contact })?;
    }
    healing::ask(step, device_id)?;
    Ok(true)
}
