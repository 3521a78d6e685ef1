//! The side that was given a link: knock, take the prekeys, send the chain, wait for the answer.

use kinfolk_crypto::identity::Sigchain;
use kinfolk_crypto::invite::{InviteSecret, open_invite};
use kinfolk_crypto::prekeys::VerifiedBundle;
use kinfolk_wire::content::{Accept, Body, Request};
use kinfolk_wire::direct::{Chain, FrameKind, NackCode, Prekeys};
use kinfolk_wire::ids::{IdentityId, PeerId};
use kinfolk_wire::invite::{Address, InviteLink};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;

use super::by_mail::asker as by_mail;
use super::{asking_row, open_conversation, reach};
use crate::effect::Effect;
use crate::input::Delivery;
use crate::refusal::Refusal;
use crate::services::outgoing::Outgoing;
use crate::services::{directory, links, outbox, sessions};
use crate::step::{Rejection, Step};
use crate::store::{Alarm, Asking, Contact, ContactState, Device, Key, KeyMaterial, Link, Post};

/// Asks the maker of a link to become a contact.
pub(crate) fn ask(
    step: &mut Step<'_>,
    link: &InviteLink,
    name: Option<Name>,
) -> Result<(IdentityId, ContactState), Refusal> {
    let opened = open_invite(link)?;
    let profile = step.profile()?;
    if opened.identity == profile.identity {
        return Err(Refusal::OwnInvite);
    }
    if opened.invite.expires_at <= step.now {
        return Err(Refusal::InviteExpired);
    }
    let before = directory::find(step, opened.identity)?;
    if let Some(before) = &before {
        if before.blocked && before.state != ContactState::Removed {
            return Err(Refusal::Blocked(before.name.to_string()));
        }
        if before.state == ContactState::Accepted {
            return Err(Refusal::AlreadyContact(before.name.to_string()));
        }
    }
    if before.is_none() && directory::is_full(step)? {
        return Err(Refusal::TooManyContacts { limit: crate::query::CONTACTS });
    }
    let device = opened.device.device;
    if !directory::take_device(step, device, opened.identity)? {
        return Err(Refusal::DeviceOfAnother);
    }
    let contact = Contact {
        identity: opened.identity,
        name: name.clone().unwrap_or_else(|| opened.invite.name.clone()),
        own_name: Some(opened.invite.name),
        state: ContactState::Requested,
        blocked: false,
        verified: false,
        sigchain: before.as_ref().and_then(|before| before.sigchain.clone()),
        devices: directory::devices_with(step, before.as_ref(), device)?,
        added_at: step.now,
        last_seen: before.as_ref().and_then(|before| before.last_seen),
        invite: None,
        head: before.map_or(kinfolk_wire::ids::SigchainHead::new([0; 32]), |before| before.head),
    };
    give_up(step, opened.identity)?;
    let post: Post = step.find(&Key::Post(device))?.unwrap_or_default();
    if post.hosts.is_empty() {
        step.put(Key::Post(device), Post { hosts: opened.invite.mailboxes.clone(), ..post });
    }
    let mut asking = Asking {
        identity: opened.identity,
        device,
        peer: opened.invite.peer,
        addresses: opened.invite.addresses,
        secret: KeyMaterial::new(&opened.invite.secret),
        expires_at: opened.invite.expires_at,
        failed_dials: 0,
        chain: Vec::new(),
        try_at: None,
        chain_taken: false,
        name,
        attempt: u32::from_be_bytes(step.random()),
        mailboxes: opened.invite.mailboxes,
        uses: opened.invite.uses,
        visited_at: None,
        left_at: Vec::new(),
    };
    try_after(step, &mut asking, Span::ZERO);
    step.put(Key::Asking(opened.identity), asking);
    directory::save(step, contact)?;
    Ok((opened.identity, ContactState::Requested))
}

fn try_after(step: &mut Step<'_>, asking: &mut Asking, wait: Span) {
    let due = step.now.after(wait);
    step.set_alarm(Alarm::Ask(asking.identity), asking.try_at, due);
    asking.try_at = Some(due);
}

/// Stops a request of ours.
pub(crate) fn give_up(step: &mut Step<'_>, identity: IdentityId) -> Result<(), Refusal> {
    if let Some(asking) = asking_row(step, identity)? {
        step.clear_alarm(Alarm::Ask(identity), asking.try_at);
        step.delete(Key::Asking(identity));
    }
    Ok(())
}

/// It is time to try: dial, or knock where a stream is open.
pub(crate) fn try_now(step: &mut Step<'_>, identity: IdentityId) -> Result<(), Refusal> {
    let Some(mut asking) = asking_row(step, identity)? else { return Ok(()) };
    asking.try_at = None;
    if !asking.chain_taken && asking.expires_at <= step.now {
        give_up(step, identity)?;
        return set_state(step, identity, ContactState::Declined);
    }
    let wait = links::backoff(step, asking.failed_dials.saturating_add(4));
    try_after(step, &mut asking, wait);
    let (peer, addresses) = (asking.peer, asking.addresses.clone());
    step.put(Key::Asking(identity), asking.clone());
    if step.has(&Key::Link(peer))? {
        if asking.chain_taken { links::greet_again(step, peer) } else { knock(step, peer) }
    } else {
        step.effect(Effect::Dial { peer, addresses });
        Ok(())
    }
}

/// Starts again at once with every request under way: the node has just started.
pub(crate) fn try_all(step: &mut Step<'_>) -> Result<(), Refusal> {
    let found = step.scan(&crate::store::Scan::all(crate::store::Table::Asking, crate::query::CONTACTS))?;
    for (_, row) in found.rows {
        if let crate::store::Row::Asking(mut asking) = row {
            asking.failed_dials = 0;
            try_after(step, &mut asking, Span::ZERO);
            step.put(Key::Asking(asking.identity), asking);
        }
    }
    Ok(())
}

/// The peer of a request was seen nearby: it is tried there now.
pub(crate) fn discovered(step: &mut Step<'_>, peer: PeerId, addresses: &[Address]) -> Result<(), Refusal> {
    let Some(mut asking) = directory::asking_of(step, peer)? else { return Ok(()) };
    for address in addresses.iter().rev() {
        links::prefer(&mut asking.addresses, address);
    }
    if !step.has(&Key::Link(peer))? {
        asking.failed_dials = 0;
        try_after(step, &mut asking, Span::ZERO);
    }
    step.put(Key::Asking(asking.identity), asking);
    Ok(())
}

/// The peer of a request could not be reached.
pub(crate) fn dial_failed(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    let Some(mut asking) = directory::asking_of(step, peer)? else { return Ok(()) };
    asking.failed_dials = asking.failed_dials.saturating_add(1);
    let wait = links::backoff(step, asking.failed_dials);
    try_after(step, &mut asking, wait);
    by_mail::visit(step, &mut asking)?;
    step.put(Key::Asking(asking.identity), asking);
    Ok(())
}

/// Shows that the invite's secret is known, where a request to this peer is under way and its chain is not taken.
pub(crate) fn knock(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    let Some(asking) = directory::asking_of(step, peer)? else { return Ok(()) };
    if asking.chain_taken {
        return links::greet(step, peer);
    }
    let Some(link) = step.find::<Link>(&Key::Link(peer))? else { return Ok(()) };
    let secret = secret(&asking)?;
    let profile = step.profile()?;
    let (dialer, listener) = links::ends(&profile, peer, link.role());
    let knock = secret.knock(step.rng, &dialer, &listener);
    step.send(Outgoing::Knock(asking.attempt), peer, FrameKind::Knock, knock.encode());
    Ok(())
}

pub(super) fn secret(asking: &Asking) -> Result<InviteSecret, Refusal> {
    <[u8; 16]>::try_from(asking.secret.as_slice())
        .map(InviteSecret::new)
        .map_err(|_| Refusal::Inconsistent("the secret of an invite"))
}

/// The maker of the link sent what is needed to start a session: the chain goes back.
pub(crate) fn prekeys(step: &mut Step<'_>, asking: Asking, delivery: Delivery, body: &[u8]) -> Result<(), Refusal> {
    let chain = if asking.chain.is_empty() { make_chain(step, &asking, body)? } else { Some(asking.chain.clone()) };
    match chain {
        Some(chain) => {
            step.acknowledge(delivery);
            let attempt = asking.attempt;
            step.put(Key::Asking(asking.identity), Asking { chain: chain.clone(), ..asking });
            step.send(Outgoing::Chain(attempt), delivery.peer, FrameKind::Chain, chain);
        }
        None => {
            step.reject(Rejection::Prekeys);
            step.refuse(delivery, NackCode::Refused);
        }
    }
    Ok(())
}

/// Makes the first message with the prekeys that the maker of the link offers.
fn make_chain(step: &mut Step<'_>, asking: &Asking, body: &[u8]) -> Result<Option<Vec<u8>>, Refusal> {
    match Prekeys::decode(body) {
        Ok(offered) => make_chain_with(step, asking, offered),
        Err(_) => Ok(None),
    }
}

pub(super) fn make_chain_with(
    step: &mut Step<'_>,
    asking: &Asking,
    offered: Prekeys,
) -> Result<Option<Vec<u8>>, Refusal> {
    let Ok(chain) = Sigchain::verify(&offered.sigchain) else { return Ok(None) };
    if chain.identity() != asking.identity
        || offered.bundle.device != asking.device
        || VerifiedBundle::verify(&offered.bundle, &chain, step.now).is_err()
    {
        return Ok(None);
    }
    let contact = directory::contact(step, asking.identity)?;
    let known = contact.sigchain.as_ref().and_then(|bytes| Sigchain::verify(bytes).ok());
    if known.is_some_and(|known| !chain.extends(&known)) {
        return Ok(None);
    }
    let contact = Contact { sigchain: Some(offered.sigchain), head: chain.head(), ..contact };
    step.put(Key::Contact(asking.identity), contact);
    let device = directory::device(step, asking.device)?;
    let device = Device {
        bundle: offered.bundle.encode(),
        peer: Some(asking.peer),
        addresses: asking.addresses.clone(),
        ..device
    };
    step.put(Key::Device(asking.device), device);
    step.put(Key::Peer(asking.peer), asking.device);
    let invite = secret(asking)?.id();
    let profile = step.profile()?;
    let reach = reach(step, &profile)?;
    let mailboxes = by_mail::hosts_for_answer(step, asking)?;
    let named: Vec<PeerId> = mailboxes.iter().map(|host| host.peer).collect();
    let request = Request { name: profile.name.clone(), invite, reach, mailboxes };
    let content = outbox::aside(step, profile.identity, asking.identity, Body::Request(request));
    let one_time = offered.one_time.as_ref();
    let init = sessions::seal_first(step, asking.device, &chain, &offered.bundle, one_time, invite, &content)?;
    by_mail::told(step, asking, &named)?;
    let chain = Chain { invite, sigchain: profile.sigchain, device: profile.device, init };
    Ok(Some(chain.encode()))
}

/// The request to a peer, where what was answered is of this attempt and not of one before it.
fn asking_by(step: &Step<'_>, peer: PeerId, attempt: u32) -> Result<Option<Asking>, Refusal> {
    Ok(directory::asking_of(step, peer)?.filter(|asking| asking.attempt == attempt))
}

/// The other side has our chain and, where it asks its person first, will answer later.
pub(crate) fn chain_taken(step: &mut Step<'_>, peer: PeerId, attempt: u32) -> Result<(), Refusal> {
    let Some(asking) = asking_by(step, peer, attempt)? else { return Ok(()) };
    step.put(Key::Asking(asking.identity), Asking { chain_taken: true, ..asking });
    links::greet(step, peer)
}

/// The other side said no to a knock or a chain. It does not say why.
pub(crate) fn refused(step: &mut Step<'_>, peer: PeerId, attempt: u32, code: NackCode) -> Result<(), Refusal> {
    let Some(mut asking) = asking_by(step, peer, attempt)? else { return Ok(()) };
    if code == NackCode::Later {
        let wait = links::backoff(step, 6);
        try_after(step, &mut asking, wait);
        step.put(Key::Asking(asking.identity), asking);
        return Ok(());
    }
    give_up(step, asking.identity)?;
    set_state(step, asking.identity, ContactState::Declined)
}

fn set_state(step: &mut Step<'_>, identity: IdentityId, state: ContactState) -> Result<(), Refusal> {
    let contact = directory::contact(step, identity)?;
    directory::save(step, Contact { state, ..contact })
}

/// They said yes.
pub(crate) fn accepted(step: &mut Step<'_>, from: IdentityId, accept: &Accept) -> Result<(), Refusal> {
    let contact = directory::contact(step, from)?;
    if contact.state == ContactState::Accepted {
        return Ok(());
    }
    let Some(asking) = asking_row(step, from)? else {
        step.reject(Rejection::Misplaced);
        return Ok(());
    };
    give_up(step, from)?;
    let name = asking.name.unwrap_or_else(|| accept.name.clone());
    let own_name = Some(accept.name.clone());
    let contact = Contact { state: ContactState::Accepted, name, own_name, ..contact };
    directory::save(step, contact.clone())?;
    let own = step.profile()?.identity;
    open_conversation(step, own, &contact)
}

/// They said no.
pub(crate) fn declined(step: &mut Step<'_>, from: IdentityId) -> Result<(), Refusal> {
    if asking_row(step, from)?.is_none() {
        step.reject(Rejection::Misplaced);
        return Ok(());
    }
    give_up(step, from)?;
    set_state(step, from, ContactState::Declined)
}
