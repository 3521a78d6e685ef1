//! What a face shows of mailboxes: the hosts a person has named, what this node keeps for others, who has custody.

use kinfolk_wire::ids::{DeviceId, IdentityId, PeerId};
use kinfolk_wire::mailbox::Host;
use kinfolk_wire::time::Timestamp;

use super::find;
use crate::event::MessagePlace;
use crate::store::{
    Contact, Conversation, Hosts, Key, Listening, Profile, Read, ReadError, Serving, Stored, Unreceipted,
};

/// A host that this person has named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostView {
    /// It.
    pub host: Host,
    /// The contact whose node it is, where it is one's.
    pub contact: Option<IdentityId>,
    /// When it was named.
    pub added_at: Timestamp,
    /// When it last answered.
    pub answered_at: Option<Timestamp>,
    /// Asked in vain since then.
    pub failures: u32,
    /// Answers that were no answers.
    pub lies: u32,
}

/// What this node keeps for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServingView {
    /// How others find it.
    pub host: Host,
    /// Bytes of blobs that it keeps at the most.
    pub capacity: u64,
    /// Bytes of blobs that it keeps.
    pub stored_bytes: u64,
    /// How many blobs.
    pub stored_blobs: u64,
}

/// The hosts that this person has named, in that order.
///
/// # Errors
/// [`ReadError`].
pub fn mailbox_hosts(read: &dyn Read) -> Result<Vec<HostView>, ReadError> {
    let hosts: Hosts = find(read, &Key::Hosts)?.unwrap_or_default();
    let view = |own: crate::store::OwnHost| {
        Ok(HostView {
            contact: whose(read, own.host.peer)?,
            added_at: own.added_at,
            answered_at: own.answered_at,
            failures: own.failures,
            lies: own.lies,
            host: own.host,
        })
    };
    hosts.hosts.into_iter().map(view).collect()
}

fn whose(read: &dyn Read, peer: PeerId) -> Result<Option<IdentityId>, ReadError> {
    let Some(device) = find::<DeviceId>(read, &Key::Peer(peer))? else { return Ok(None) };
    let device: Option<crate::store::Device> = find(read, &Key::Device(device))?;
    Ok(device.map(|device| device.identity))
}

/// What this node keeps for others, while it serves.
///
/// # Errors
/// [`ReadError`].
pub fn serving(read: &dyn Read) -> Result<Option<ServingView>, ReadError> {
    let (Some(serving), Some(profile)) = (find::<Serving>(read, &Key::Serving)?, find::<Profile>(read, &Key::Profile)?)
    else {
        return Ok(None);
    };
    let listening: Listening = find(read, &Key::Listening)?.unwrap_or_default();
    let stored: Stored = find(read, &Key::Stored)?.unwrap_or_default();
    Ok(Some(ServingView {
        host: Host {
            peer: profile.peer,
            addresses: listening.addresses.into_iter().take(kinfolk_wire::limits::ADDRESSES).collect(),
            work_bits: serving.work_bits,
        },
        capacity: serving.capacity,
        stored_bytes: stored.by_tokens.saturating_add(stored.by_work),
        stored_blobs: stored.blobs,
    }))
}

/// The hosts that have a line of ours in custody until its recipient comes for it.
///
/// # Errors
/// [`ReadError`].
pub fn custody(read: &dyn Read, place: MessagePlace) -> Result<Vec<PeerId>, ReadError> {
    let Some(conversation) = find::<Conversation>(read, &Key::Conversation(place.conversation))? else {
        return Ok(Vec::new());
    };
    let contact: Option<Contact> = find(read, &Key::Contact(conversation.contact))?;
    let mut hosts = Vec::new();
    for device in contact.map(|contact| contact.devices).unwrap_or_default() {
        let row: Option<Unreceipted> = find(read, &Key::Unreceipted(device, place.id))?;
        hosts.extend(row.and_then(|row| row.custody).unwrap_or_default());
    }
    hosts.sort_unstable();
    hosts.dedup();
    Ok(hosts)
}
