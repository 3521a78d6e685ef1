//! Mailboxes: serving as one, naming one's own, and telling contacts of both (docs/protocol/07-mailbox.md).

use kinfolk_wire::content::{Body, Mailboxes, Serving, TokenShare};
use kinfolk_wire::ids::{DeviceId, IdentityId, PeerId};
use kinfolk_wire::limits;
use kinfolk_wire::mailbox::Host;

use crate::event::Event;
use crate::input::{MailboxChoice, MailboxOffer};
use crate::refusal::Refusal;
use crate::services::{collect, deposit, directory, host, outbox, tokens};
use crate::step::Step;
use crate::store::{Hosts, Key, OwnHost, Post};

/// Tokens of one host that a contact is given at once.
const TOKENS_GIVEN: usize = 32;
/// Left of them when it is given more.
const TOKENS_LEFT: u64 = 8;

/// Serves contacts as a mailbox, or no longer. Says how this node is found while it does.
pub(crate) fn serve(step: &mut Step<'_>, offer: Option<MailboxOffer>) -> Result<Option<Host>, Refusal> {
    let host = host::serve(step, offer)?;
    tell_everybody(step)?;
    Ok(host)
}

/// Names a host for what is sent to this person.
pub(crate) fn add(step: &mut Step<'_>, choice: MailboxChoice) -> Result<Host, Refusal> {
    let host = match choice {
        MailboxChoice::Host(host) => host,
        MailboxChoice::Contact(identity) => of_contact(step, identity)?,
    };
    if host.peer == step.profile()?.peer {
        return Err(Refusal::OwnMailbox);
    }
    let mut hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    let is_full = hosts.hosts.len() >= limits::MAILBOX_HOSTS;
    match hosts.hosts.iter_mut().find(|own| own.host.peer == host.peer) {
        Some(own) => own.host = host.clone(),
        None if is_full => return Err(Refusal::TooManyMailboxes { limit: limits::MAILBOX_HOSTS }),
        None => hosts.hosts.push(OwnHost {
            host: host.clone(),
            added_at: step.now,
            answered_at: None,
            failures: 0,
            lies: 0,
        }),
    }
    step.put(Key::Hosts, hosts);
    collect::poll_now(step)?;
    tell_everybody(step)?;
    Ok(host)
}

/// The node of a contact who serves.
fn of_contact(step: &Step<'_>, identity: IdentityId) -> Result<Host, Refusal> {
    let contact = directory::contact(step, identity)?;
    for device in &contact.devices {
        let post: Option<Post> = step.find(&Key::Post(*device))?;
        if let Some(host) = post.and_then(|post| post.serves) {
            return Ok(host);
        }
    }
    Err(Refusal::NotServing(contact.name.to_string()))
}

/// Names a host no longer.
pub(crate) fn remove(step: &mut Step<'_>, host: PeerId) -> Result<(), Refusal> {
    let mut hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    let before = hosts.hosts.len();
    hosts.hosts.retain(|own| own.host.peer != host);
    if hosts.hosts.len() == before {
        return Err(Refusal::UnknownMailbox);
    }
    step.put(Key::Hosts, hosts);
    tell_everybody(step)
}

/// A host was dropped for what it answered.
pub(crate) fn dropped(step: &mut Step<'_>, host: PeerId) -> Result<(), Refusal> {
    step.emit(Event::MailboxDropped(host))?;
    tell_everybody(step)
}

/// Tells all contacts what they do not know yet: where to leave things for this person, and whether this node serves.
pub(crate) fn tell_everybody(step: &mut Step<'_>) -> Result<(), Refusal> {
    for contact in directory::connected_contacts(step)? {
        for device in contact.devices {
            step.contain(|step| tell(step, device))?;
        }
    }
    Ok(())
}

/// Tells a device what it does not know yet.
pub(crate) fn tell(step: &mut Step<'_>, device: DeviceId) -> Result<(), Refusal> {
    let Some(row) = directory::readable_device(step, device)? else { return Ok(()) };
    let known = directory::find(step, row.identity)?;
    if !known.is_some_and(|contact| directory::is_open(&contact)) || row.sessions.is_empty() {
        return Ok(());
    }
    tell_of_hosts(step, device, row.identity)?;
    tell_of_serving(step, device, row.identity)
}

fn tell_of_hosts(step: &mut Step<'_>, device: DeviceId, to: IdentityId) -> Result<(), Refusal> {
    let hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    let post: Post = step.find(&Key::Post(device))?.unwrap_or_default();
    let named = hosts_for(&hosts, device);
    let peers: Vec<PeerId> = named.iter().map(|host| host.peer).collect();
    let tokens = shares(step, device, &peers, &post)?;
    if post.knows_hosts == peers && tokens.is_empty() {
        return Ok(());
    }
    let tokens_given = given(&peers, &post, &tokens);
    // Taking from the stock may have said something to this very device.
    let post: Post = step.find(&Key::Post(device))?.unwrap_or_default();
    step.put(Key::Post(device), Post { knows_hosts: peers, tokens_given, ..post });
    let version = next_version(step)?;
    say(step, device, to, Body::Mailboxes(Mailboxes { hosts: named, tokens, version }))
}

/// Where a device may leave things: at this person's hosts, or, where there are none, at those that it lends them.
fn hosts_for(hosts: &Hosts, device: DeviceId) -> Vec<Host> {
    if hosts.hosts.is_empty() {
        hosts.borrowed.iter().filter(|borrowed| borrowed.by == device).map(|borrowed| borrowed.host.clone()).collect()
    } else {
        hosts.hosts.iter().map(|own| own.host.clone()).collect()
    }
}

/// Tokens for a device that has used up most of what it was given: one went with each envelope that came, at the least.
fn shares(step: &mut Step<'_>, device: DeviceId, peers: &[PeerId], post: &Post) -> Result<Vec<TokenShare>, Refusal> {
    let own_node = directory::device(step, device)?.peer;
    let mut shares = Vec::new();
    for peer in peers {
        // Who is the host needs no leave to use it.
        if Some(*peer) == own_node || given_of(post, *peer) >= post.fetched.saturating_add(TOKENS_LEFT) {
            continue;
        }
        let tokens = tokens::share(step, *peer, TOKENS_GIVEN)?;
        if !tokens.is_empty() {
            shares.push(TokenShare { peer: *peer, tokens });
        }
    }
    Ok(shares)
}

fn given_of(post: &Post, peer: PeerId) -> u64 {
    post.tokens_given.iter().find(|(known, _)| *known == peer).map_or(0, |(_, given)| *given)
}

/// How many a device has been given once it has these shares. What it had used up is counted as given.
fn given(peers: &[PeerId], post: &Post, shares: &[TokenShare]) -> Vec<(PeerId, u64)> {
    let now = |peer: &PeerId| match shares.iter().find(|share| share.peer == *peer) {
        Some(share) => {
            let before = given_of(post, *peer).max(post.fetched);
            (*peer, before.saturating_add(u64::try_from(share.tokens.len()).unwrap_or(u64::MAX)))
        }
        None => (*peer, given_of(post, *peer)),
    };
    peers.iter().map(now).collect()
}

fn tell_of_serving(step: &mut Step<'_>, device: DeviceId, to: IdentityId) -> Result<(), Refusal> {
    let post: Post = step.find(&Key::Post(device))?.unwrap_or_default();
    let card = host::card(step)?;
    // Nobody finds a node that cannot be reached: it is told once it can.
    if post.knows_serving == card || card.as_ref().is_some_and(|(_, host)| host.addresses.is_empty()) {
        return Ok(());
    }
    step.put(Key::Post(device), Post { knows_serving: card.clone(), ..post });
    let (epoch, host) = card.map_or((0, None), |(epoch, host)| (epoch, Some(host)));
    let (key, version) = (host::token_key(step, epoch)?, next_version(step)?);
    say(step, device, to, Body::Serving(Serving { host, epoch, key, version }))
}

/// A number greater than any that was used for what is said of mailboxes, also by a newer state of this profile that was
/// put back since: the time, or one more than the last.
fn next_version(step: &mut Step<'_>) -> Result<u64, Refusal> {
    let hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    let version = hosts.last_version.saturating_add(1).max(step.now.as_millis());
    step.put(Key::Hosts, Hosts { last_version: version, ..hosts });
    Ok(version)
}

fn say(step: &mut Step<'_>, device: DeviceId, to: IdentityId, body: Body) -> Result<(), Refusal> {
    let own = step.profile()?.identity;
    let content = outbox::aside(step, own, to, body);
    outbox::queue(step, device, &content, None)
}

/// A contact tells where to leave things for them.
pub(crate) fn heard_of_hosts(step: &mut Step<'_>, device: DeviceId, mailboxes: Mailboxes) -> Result<(), Refusal> {
    let post: Post = step.find(&Key::Post(device))?.unwrap_or_default();
    if mailboxes.version >= post.hosts_version {
        let (hosts, hosts_version) = (mailboxes.hosts, mailboxes.version);
        step.put(Key::Post(device), Post { hosts, hosts_version, failures: 0, is_full: false, ..post });
    }
    for share in mailboxes.tokens {
        host::put_tokens(step, device, share)?;
    }
    deposit::plan_for_waiting(step, device)
}

/// A contact serves as a mailbox, or no longer does.
pub(crate) fn heard_of_serving(step: &mut Step<'_>, device: DeviceId, serving: Serving) -> Result<(), Refusal> {
    let row = directory::device(step, device)?;
    let post: Post = step.find(&Key::Post(device))?.unwrap_or_default();
    // An older word that was overtaken.
    if serving.version < post.serving_version {
        return Ok(());
    }
    // A device speaks for its own node alone.
    if let Some(host) = &serving.host
        && row.peer != Some(host.peer)
    {
        step.reject(crate::step::Rejection::Misplaced);
        return Ok(());
    }
    let token_key = serving.host.as_ref().map(|_| (serving.epoch, serving.key));
    let peer = serving.host.as_ref().map(|host| host.peer);
    let serving_version = serving.version;
    step.put(Key::Post(device), Post { serves: serving.host.clone(), token_key, serving_version, ..post });
    // Where it is one of ours, what is known of it is brought up to date.
    let mut hosts: Hosts = step.find(&Key::Hosts)?.unwrap_or_default();
    if let Some(card) = serving.host
        && let Some(own) = hosts.hosts.iter_mut().find(|own| Some(own.host.peer) == peer)
        && own.host != card
    {
        own.host = card;
        step.put(Key::Hosts, hosts);
    }
    step.emit(Event::ContactChanged(row.identity))
}
