//! The side that made a link: give out invites, answer knocks, take chains, say yes or no.

use kinfolk_crypto::identity::Sigchain;
use kinfolk_crypto::invite::{InviteSecret, sign_invite};
use kinfolk_wire::bundle::PrekeyBundle;
use kinfolk_wire::content::{Accept, Body, Reach, Request};
use kinfolk_wire::direct::{Chain, FrameKind, Knock, NackCode, Prekeys};
use kinfolk_wire::ids::{DeviceId, IdentityId, InviteId, PeerId};
use kinfolk_wire::invite::{Invite, InviteLink, NETWORK, Uses, VERSION};
use kinfolk_wire::time::{Span, Timestamp};

use super::by_mail::maker as by_mail;
use super::{open_conversation, reach};
use crate::input::{Admission, Delivery};
use crate::refusal::Refusal;
use crate::services::outgoing::Outgoing;
use crate::services::sessions::Opening;
use crate::services::{directory, flow, links, outbox, prekeys, sessions};
use crate::step::{Rejection, Step};
use crate::store::{
    Contact, ContactState, Device, InviteRow, Key, KeyMaterial, Knocks, Link, Post, Profile, Row, Scan, Table,
};

/// Knocks that are heard in a minute: with one invite, or with none that is good; and from one peer. Who floods with
/// bad ones takes nothing away from those who come with a good one.
const KNOCKS: usize = 10;
const KNOCKS_OF_ONE: usize = 3;
const KNOCK_WINDOW: Span = Span::from_secs(60);
/// Requests by one invite that wait for the person's answer.
const REQUESTS: usize = 64;
/// How long an expired invite is remembered, so that who came by it late can be told nothing.
const FORGET_AFTER: Span = Span::from_days(1);

/// Makes a link.
pub(crate) fn create_invite(
    step: &mut Step<'_>,
    uses: Uses,
    lifetime: Span,
    admission: Admission,
) -> Result<InviteLink, Refusal> {
    let profile = step.profile()?;
    let secret = InviteSecret::generate(step.rng);
    let expires_at = step.now.after(lifetime);
    let row = InviteRow {
        secret: KeyMaterial::new(secret.as_bytes()),
        uses,
        expires_at,
        ask: admission == Admission::Ask,
        spent_by: None,
        made_at: step.now,
        mailboxes: Vec::new(),
        left: Vec::new(),
        one_time: Vec::new(),
    };
    let entry = profile.sigchain.entries.first().ok_or(Refusal::Inconsistent("the profile's sigchain is empty"))?;
    let mut invite = Invite {
        version: VERSION,
        network: NETWORK,
        genesis: profile.sigchain.genesis.clone(),
        device_entry: entry.clone(),
        name: profile.name.clone(),
        peer: profile.peer,
        addresses: reach(step, &profile)?.addresses,
        secret: *secret.as_bytes(),
        expires_at,
        uses,
        mailboxes: by_mail::hosts_for_link(step)?,
    };
    let keys = prekeys::device_keys(&profile)?;
    // A link has a limit; what is more than it holds gives way, the last first: addresses, of the node and of the hosts,
    // then hosts.
    let link = loop {
        let link = sign_invite(&invite, &keys);
        if link.to_string().len() <= kinfolk_wire::limits::INVITE_LINK || !shorten(&mut invite) {
            break link;
        }
    };
    step.put(Key::Invite(secret.id()), InviteRow { mailboxes: invite.mailboxes, ..row });
    by_mail::leave_prekeys(step, secret.id())?;
    Ok(link)
}

/// Takes from an invite what it can do without most easily. Says whether there was anything.
fn shorten(invite: &mut Invite) -> bool {
    let addresses =
        std::iter::once(&mut invite.addresses).chain(invite.mailboxes.iter_mut().map(|host| &mut host.addresses));
    let most = addresses.max_by_key(|addresses| addresses.len()).filter(|addresses| addresses.len() > 1);
    match most {
        Some(addresses) => addresses.pop().is_some(),
        None => invite.mailboxes.pop().is_some() || invite.addresses.pop().is_some(),
    }
}

/// Somebody knocks.
pub(crate) fn knock(step: &mut Step<'_>, delivery: Delivery, body: &[u8]) -> Result<(), Refusal> {
    let known = check_knock(step, delivery.peer, body)?;
    if !count_knock(step, delivery.peer, known.as_ref().map(|(invite, _)| *invite))? {
        step.reject(Rejection::Knock);
        step.refuse(delivery, NackCode::Later);
        return Ok(());
    }
    let Some((invite, mut link)) = known else {
        step.reject(Rejection::Knock);
        step.refuse(delivery, NackCode::Refused);
        return Ok(());
    };
    let profile = step.profile()?;
    let bundle = PrekeyBundle::decode(&profile.bundle).map_err(|_| Refusal::Inconsistent("our own prekeys"))?;
    let one_time = prekeys::hand_out(step, &profile)?;
    let prekeys = Prekeys { sigchain: profile.sigchain, bundle, one_time };
    link.knocked = Some(invite);
    step.put(Key::Link(delivery.peer), link);
    step.acknowledge(delivery);
    step.send(Outgoing::PrekeysForKnock, delivery.peer, FrameKind::Prekeys, prekeys.encode());
    Ok(())
}

/// Counts a knock with a good invite, or with none; says whether there have been few enough.
fn count_knock(step: &mut Step<'_>, peer: PeerId, invite: Option<InviteId>) -> Result<bool, Refusal> {
    let mut knocks: Knocks = step.find(&Key::Knocks)?.unwrap_or_default();
    let now = step.now;
    knocks.recent.retain(|(_, _, at)| *at <= now && now.since(*at) < KNOCK_WINDOW);
    let of_one = knocks.recent.iter().filter(|(who, ..)| *who == peer).count();
    let alike = knocks.recent.iter().filter(|(_, with, _)| *with == invite).count();
    let heard = alike < KNOCKS && of_one < KNOCKS_OF_ONE;
    if heard {
        knocks.recent.push((peer, invite, now));
    }
    step.put(Key::Knocks, knocks);
    Ok(heard)
}

fn check_knock(step: &Step<'_>, peer: PeerId, body: &[u8]) -> Result<Option<(InviteId, Link)>, Refusal> {
    let (Ok(knock), Some(link)) = (Knock::decode(body), step.find::<Link>(&Key::Link(peer))?) else { return Ok(None) };
    let Some(invite) = step.find::<InviteRow>(&Key::Invite(knock.invite))? else { return Ok(None) };
    let Ok(secret) = <[u8; 16]>::try_from(invite.secret.as_slice()) else { return Ok(None) };
    // Whoever is blocked is told what a stranger is told.
    if let Some(device) = directory::device_of(step, peer)?
        && directory::find(step, device.identity)?.is_some_and(|contact| contact.blocked)
    {
        return Ok(None);
    }
    let profile = step.profile()?;
    let (dialer, listener) = links::ends(&profile, peer, link.role());
    let genuine = InviteSecret::new(secret).check_knock(&knock, &dialer, &listener);
    // Somebody whose first answer was lost comes again from the same node.
    let free = invite.spent_by.is_none_or(|(_, spent_by)| spent_by == peer);
    Ok((genuine && free && invite.expires_at > step.now).then_some((knock.invite, link)))
}

/// The asker's sigchain and first message.
pub(crate) fn chain(step: &mut Step<'_>, delivery: Delivery, body: &[u8]) -> Result<(), Refusal> {
    let peer = delivery.peer;
    let link: Option<Link> = step.find(&Key::Link(peer))?;
    let taken = match Chain::decode(body) {
        Ok(chain) if link.is_some_and(|link| link.knocked == Some(chain.invite)) => {
            take_chain(step, Some(peer), chain)?
        }
        Ok(_) | Err(_) => false,
    };
    if taken {
        step.acknowledge(delivery);
    } else {
        step.reject(Rejection::Chain);
        step.refuse(delivery, NackCode::Refused);
    }
    Ok(())
}

/// Takes the chain of somebody who has shown that they have the invite: from this peer, or at a mailbox host.
pub(super) fn take_chain(step: &mut Step<'_>, peer: Option<PeerId>, chain: Chain) -> Result<bool, Refusal> {
    let Some(invite) = step.find::<InviteRow>(&Key::Invite(chain.invite))? else { return Ok(false) };
    let Ok(sigchain) = Sigchain::verify(&chain.sigchain) else { return Ok(false) };
    let profile = step.profile()?;
    let identity = sigchain.identity();
    if identity == profile.identity || sigchain.device(chain.device).is_none() {
        return Ok(false);
    }
    if invite.spent_by.is_some_and(|(spent_by, _)| spent_by != identity) || invite.expires_at <= step.now {
        return Ok(false);
    }
    let before = directory::find(step, identity)?;
    if let Some(before) = &before {
        if before.blocked {
            return Ok(false);
        }
        let known = before.sigchain.as_ref().and_then(|bytes| Sigchain::verify(bytes).ok());
        if known.is_some_and(|known| !sigchain.extends(&known)) {
            return Ok(false);
        }
    }
    if before.is_none() && directory::is_full(step)? {
        return Ok(false);
    }
    if invite.ask && before.is_none() && has_full_box(step, chain.invite)? {
        return Ok(false);
    }
    let untouched = step.checkpoint();
    if !directory::take_device(step, chain.device, identity)? {
        return Ok(false);
    }
    match sessions::open_first(step, chain.device, &sigchain, chain.invite, &chain.init)? {
        Opening::Content(content, _) => {
            if let Body::Request(request) = content.body
                && request.invite == chain.invite
                && peer.is_none_or(|peer| request.reach.peer == peer)
                && may_be_at(step, chain.device, request.reach.peer)?
            {
                let asker = Asker { identity, sigchain, chain, before };
                admit(step, &profile, invite, asker, request)?;
                return Ok(true);
            }
        }
        // The same first message again: our answer was lost, and the outbox still has it.
        Opening::Again(_) if directory::contact(step, identity).is_ok() => return Ok(true),
        Opening::Again(_) | Opening::Malformed | Opening::Failed(_) => {}
    }
    step.roll_back(untouched);
    Ok(false)
}

/// Whether as many have asked by an invite, and wait for an answer, as may.
fn has_full_box(step: &Step<'_>, invite: InviteId) -> Result<bool, Refusal> {
    let contacts = step.scan(&Scan::all(Table::Contact, crate::query::CONTACTS))?.rows;
    let waits = |row: &Row| match row {
        Row::Contact(contact) => contact.state == ContactState::Asking && contact.invite == Some(invite),
        _ => false,
    };
    Ok(contacts.iter().filter(|(_, row)| waits(row)).count() >= REQUESTS)
}

/// Whether a device may be at a node, as it says: it is neither this one nor that of another.
fn may_be_at(step: &Step<'_>, device: DeviceId, peer: PeerId) -> Result<bool, Refusal> {
    let known: Option<DeviceId> = step.find(&Key::Peer(peer))?;
    Ok(peer != step.profile()?.peer && known.is_none_or(|known| known == device))
}

/// Who came, after everything about them was checked.
struct Asker {
    identity: IdentityId,
    sigchain: Sigchain,
    chain: Chain,
    before: Option<Contact>,
}

fn admit(
    step: &mut Step<'_>,
    profile: &Profile,
    invite: InviteRow,
    asker: Asker,
    request: Request,
) -> Result<(), Refusal> {
    let Asker { identity, sigchain, chain, before } = asker;
    let Reach { peer, addresses } = request.reach;
    let device = directory::device(step, chain.device)?;
    step.put(Key::Device(chain.device), Device { peer: Some(peer), addresses, ..device });
    step.put(Key::Peer(peer), chain.device);
    // What was said since counts more than what a request says that lay somewhere.
    let post: Post = step.find(&Key::Post(chain.device))?.unwrap_or_default();
    if post.hosts.is_empty() {
        step.put(Key::Post(chain.device), Post { hosts: request.mailboxes, ..post });
    }
    if invite.uses == Uses::Once {
        step.put(Key::Invite(chain.invite), InviteRow { spent_by: Some((identity, peer)), ..invite.clone() });
    }
    let devices = directory::devices_with(step, before.as_ref(), chain.device)?;
    // A link of before they were removed does not bring them back unasked.
    let was_removed = |before: &Contact| before.state == ContactState::Removed && invite.made_at <= before.added_at;
    let ask = invite.ask || before.as_ref().is_some_and(was_removed);
    let known = before.filter(|before| before.state != ContactState::Removed);
    let state = match known.as_ref().map(|before| before.state) {
        // Somebody who is a contact stays one; somebody we asked ourselves needs no asking.
        Some(ContactState::Accepted | ContactState::Requested) => ContactState::Accepted,
        _ if ask => ContactState::Asking,
        _ => ContactState::Accepted,
    };
    let contact = Contact {
        identity,
        name: known.as_ref().map_or_else(|| request.name.clone(), |before| before.name.clone()),
        own_name: Some(request.name),
        state,
        blocked: false,
        verified: known.as_ref().is_some_and(|before| before.verified),
        sigchain: Some(chain.sigchain),
        devices,
        added_at: known.as_ref().map_or(step.now, |before| before.added_at),
        last_seen: Some(step.now),
        invite: Some(chain.invite),
        head: sigchain.head(),
    };
    directory::save(step, contact)?;
    if state == ContactState::Accepted { say_yes(step, profile, identity) } else { Ok(()) }
}

/// Says yes to a person who asked.
pub(crate) fn accept(step: &mut Step<'_>, identity: IdentityId) -> Result<(), Refusal> {
    let contact = directory::contact(step, identity)?;
    if contact.state != ContactState::Asking {
        return Err(Refusal::NotAsking(contact.name.to_string()));
    }
    directory::save(step, Contact { state: ContactState::Accepted, ..contact })?;
    let profile = step.profile()?;
    say_yes(step, &profile, identity)
}

fn say_yes(step: &mut Step<'_>, profile: &Profile, identity: IdentityId) -> Result<(), Refusal> {
    let contact = directory::contact(step, identity)?;
    super::asking::give_up(step, identity)?;
    open_conversation(step, profile.identity, &contact)?;
    answer(step, profile, &contact, Body::Accept(Accept { name: profile.name.clone() }))
}

/// Says no to a person who asked.
pub(crate) fn decline(step: &mut Step<'_>, identity: IdentityId) -> Result<(), Refusal> {
    let contact = directory::contact(step, identity)?;
    if contact.state != ContactState::Asking {
        return Err(Refusal::NotAsking(contact.name.to_string()));
    }
    let profile = step.profile()?;
    let contact = Contact { state: ContactState::Declined, ..contact };
    directory::save(step, contact.clone())?;
    // The answer leaves on the link the asker keeps or opens; until then it waits.
    answer(step, &profile, &contact, Body::Decline)
}

fn answer(step: &mut Step<'_>, profile: &Profile, contact: &Contact, body: Body) -> Result<(), Refusal> {
    let content = outbox::aside(step, profile.identity, contact.identity, body);
    for device in &contact.devices {
        outbox::queue(step, *device, &content, None)?;
        if let Some(peer) = directory::device(step, *device)?.peer {
            links::greet(step, peer)?;
        }
        flow::flow(step, *device)?;
    }
    Ok(())
}

/// Forgets invites that had expired by then.
pub(crate) fn housekeeping(step: &mut Step<'_>, by: Timestamp) -> Result<(), Refusal> {
    for (key, row) in step.scan(&Scan::all(Table::Invite, 10_000))?.rows {
        if let Row::Invite(invite) = row
            && invite.expires_at.after(FORGET_AFTER) <= by
        {
            step.delete(key);
        }
    }
    Ok(())
}
