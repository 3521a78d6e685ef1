use axum::http::StatusCode;
use kinfolk_engine::input::{MailboxChoice, MailboxOffer};
use kinfolk_engine::query::{self, HostView, ServingView};
use kinfolk_engine::store::{Key, Read, ReadError, Row, Scan, Table, Unreceipted};
use kinfolk_rpc::mailbox as rpc;
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::mailbox::{Host, HostLinkError};

use super::contact::named;
use super::message::Names;
use crate::problem::Refused;

/// How many lines that nobody has receipted are counted at the most.
const COUNTED: usize = 100_000;
/// What every id of a node begins with, in hexadecimal digits: it says what kind of key follows.
const PREFIX: usize = 12;
/// The least of an id that names a node.
const LEAST: usize = 4;

/// Everything about mailboxes.
pub(crate) fn overview(read: &dyn Read) -> Result<rpc::Mailboxes, Refused> {
    let mut names = Names::of(read)?;
    let hosts = query::mailbox_hosts(read)?;
    Ok(rpc::Mailboxes {
        mailboxes: hosts.iter().map(|host| mailbox(host, &mut names)).collect::<Result<_, _>>()?,
        serving: query::serving(read)?.as_ref().map(serving),
        waiting: waiting(read)?,
    })
}

/// The same for the status of the node.
pub(crate) fn states(read: &dyn Read) -> Result<Vec<rpc::MailboxStatus>, ReadError> {
    let status = |view: HostView| rpc::MailboxStatus {
        peer: view.host.peer.to_string(),
        contact: view.contact.map(|contact| contact.to_string()),
        state: state(&view),
    };
    Ok(query::mailbox_hosts(read)?.into_iter().map(status).collect())
}

fn mailbox(view: &HostView, names: &mut Names<'_>) -> Result<rpc::Mailbox, ReadError> {
    let contact = view.contact.map(|contact| names.sender(contact)).transpose()?;
    Ok(rpc::Mailbox {
        peer: view.host.peer.to_string(),
        contact: contact.as_ref().map(|contact| contact.identity.clone()),
        name: contact.as_ref().map(|contact| contact.name.clone()),
        display_name: contact.map(|contact| contact.display_name),
        state: state(view),
        added_at: view.added_at.as_millis(),
        answered_at: view.answered_at.map(kinfolk_wire::time::Timestamp::as_millis),
        failures: view.failures,
    })
}

const fn state(view: &HostView) -> rpc::MailboxState {
    match (view.failures, view.lies, view.answered_at) {
        (1.., ..) => rpc::MailboxState::Silent,
        (_, 1.., _) => rpc::MailboxState::Unreliable,
        (.., Some(_)) => rpc::MailboxState::Answering,
        (.., None) => rpc::MailboxState::New,
    }
}

/// Lines of ours that lie at mailboxes.
fn waiting(read: &dyn Read) -> Result<u64, ReadError> {
    let found = read.scan(&Scan::all(Table::Unreceipted, COUNTED))?.rows.into_iter();
    let mut lines: Vec<_> = found
        .filter_map(|(_, row)| match row {
            Row::Unreceipted(Unreceipted { line, custody: Some(hosts), .. }) if !hosts.is_empty() => Some(line),
            _ => None,
        })
        .map(|line| (line.conversation, line.id))
        .collect();
    // One for each device of theirs.
    lines.sort_unstable();
    lines.dedup();
    Ok(lines.len() as u64)
}

/// What this node keeps for others.
pub(crate) fn serving(view: &ServingView) -> rpc::Serving {
    rpc::Serving {
        peer: view.host.peer.to_string(),
        link: view.host.link(),
        capacity_bytes: view.capacity,
        work_bits: view.host.work_bits,
        stored_bytes: view.stored_bytes,
        stored_messages: view.stored_blobs,
    }
}

/// What this node keeps for others, where it does.
pub(crate) fn serving_now(read: &dyn Read) -> Result<rpc::Serving, Refused> {
    query::serving(read)?.as_ref().map(serving).ok_or_else(|| {
        let detail = "this node does not serve as a mailbox; begin with `kinfolk mailbox serve`";
        Refused::new(StatusCode::CONFLICT, "not_serving", detail)
    })
}

/// What is to be offered.
pub(crate) fn offer(wish: &rpc::Serve) -> Result<MailboxOffer, Refused> {
    let capacity = wish.capacity_bytes.unwrap_or(rpc::CAPACITY);
    if !(rpc::LEAST_CAPACITY..=rpc::MOST_CAPACITY).contains(&capacity) {
        let (least, most) = (rpc::LEAST_CAPACITY, rpc::MOST_CAPACITY);
        let detail = format!("capacity_bytes: expected {least} (1 MiB) to {most} (1 TiB), found {capacity}");
        return Err(Refused::invalid("invalid_capacity", detail));
    }
    let work_bits = wish.work_bits.unwrap_or(rpc::WORK_BITS);
    if !(1..=rpc::MOST_WORK_BITS).contains(&work_bits) {
        let detail = format!("work_bits: expected 1 to {}, found {work_bits}", rpc::MOST_WORK_BITS);
        return Err(Refused::invalid("invalid_work_bits", detail));
    }
    Ok(MailboxOffer { capacity, work_bits })
}

/// Which mailbox is meant.
pub(crate) fn choice(read: &dyn Read, wish: &rpc::AddMailbox) -> Result<MailboxChoice, Refused> {
    match (&wish.contact, &wish.link) {
        (Some(contact), None) => Ok(MailboxChoice::Contact(named(read, contact)?.identity)),
        (None, Some(link)) => Host::from_link(link)
            .map(MailboxChoice::Host)
            .map_err(|error: HostLinkError| Refused::invalid("invalid_mailbox_link", error.to_string())),
        _ => Err(Refused::invalid("invalid_mailbox", "expected exactly one of contact and link")),
    }
}

/// A mailbox that was named.
pub(crate) fn added(read: &dyn Read, host: &Host) -> Result<rpc::MailboxAdded, Refused> {
    let custodian = custodian(read, host.peer, &mut Names::of(read)?)?;
    let contact = owner(read, host.peer)?.map(|contact| contact.to_string());
    Ok(rpc::MailboxAdded { peer: custodian.peer, contact, name: custodian.name, display_name: custodian.display_name })
}

/// The mailbox that a text names: its node's id, a beginning of it (with or without what all such ids begin with), or the
/// contact whose node it is. A whole id goes before everything.
pub(crate) fn find(read: &dyn Read, text: &str) -> Result<PeerId, Refused> {
    let unknown = || {
        let detail = format!("{:?} is none of your mailboxes; `kinfolk mailbox list` shows them", shortened(text));
        Refused::new(StatusCode::NOT_FOUND, "unknown_mailbox", detail)
    };
    let hosts = query::mailbox_hosts(read)?;
    let lower = text.to_lowercase();
    if let Some(whole) = hosts.iter().find(|view| view.host.peer.to_string() == lower) {
        return Ok(whole.host.peer);
    }
    let contact = match named(read, text) {
        Ok(contact) => Some(contact.identity),
        Err(refused) if refused.code == "unknown_contact" => None,
        Err(refused) => return Err(refused),
    };
    let begins = |id: &str| {
        let key = id.get(PREFIX..).unwrap_or_default();
        (lower.len() >= LEAST && key.starts_with(&lower)) || (lower.len() >= PREFIX + LEAST && id.starts_with(&lower))
    };
    let is_meant = |view: &&HostView| {
        begins(&view.host.peer.to_string()) || contact.is_some_and(|contact| view.contact == Some(contact))
    };
    let found: Vec<PeerId> = hosts.iter().filter(is_meant).map(|view| view.host.peer).collect();
    match found.as_slice() {
        [] => Err(unknown()),
        [one] => Ok(*one),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            let detail = format!("{:?} could be any of: {}", shortened(text), ids.join(", "));
            Err(Refused::new(StatusCode::CONFLICT, "ambiguous_mailbox", detail))
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Who keeps something: a node, and the contact whose it is where that is known.
pub(crate) fn custodian(read: &dyn Read, peer: PeerId, names: &mut Names<'_>) -> Result<rpc::Custodian, ReadError> {
    let contact = owner(read, peer)?.map(|contact| names.sender(contact)).transpose()?;
    let (name, display_name) = contact.map(|contact| (contact.name, contact.display_name)).unzip();
    Ok(rpc::Custodian { peer: peer.to_string(), name, display_name })
}

/// The person whose node this is: oneself, or a contact.
fn owner(read: &dyn Read, peer: PeerId) -> Result<Option<kinfolk_wire::ids::IdentityId>, ReadError> {
    if let Some(profile) = query::profile(read)?.filter(|profile| profile.peer == peer) {
        return Ok(Some(profile.identity));
    }
    // Who keeps it can be told where the row of the person is damaged: by the node alone.
    let read = |key: Key| match read.get(&key) {
        Err(ReadError::Damaged { .. }) => Ok(None),
        found => found,
    };
    let Some(Row::DeviceId(device)) = read(Key::Peer(peer))? else { return Ok(None) };
    let Some(Row::Device(device)) = read(Key::Device(device))? else { return Ok(None) };
    Ok(Some(device.identity))
}
