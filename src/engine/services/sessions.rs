//! Sealing to a device: which session, which keys (docs/protocol/04-ratchet.md, "Sessions"). What opens what comes back is
//! in [`opening`], what is kept in mind of it in [`memory`].
//!
//! A session is changed only by writing its next state into the turn: a turn that fails, or a message that does not
//! open, leaves it as it was.

mod memory;
mod opening;

use kinfolk_crypto::PairRoot;
use kinfolk_crypto::handshake::{LocalDevice, initiate};
use kinfolk_crypto::identity::Sigchain;
use kinfolk_crypto::prekeys::{VerifiedBundle, VerifiedOneTimePrekey};
use kinfolk_crypto::session::Session;
use kinfolk_wire::bundle::{OneTimePrekey, PrekeyBundle};
use kinfolk_wire::content::{Content, Plaintext};
use kinfolk_wire::ids::{DeviceId, InviteId, SessionId};
use kinfolk_wire::limits;
use kinfolk_wire::time::{Span, Timestamp};

use super::{directory, prekeys};
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Contact, Device, Key, KeyMaterial, Post, Profile, Scan, SessionPlace};

pub(crate) use memory::{forget_answered, remember};
pub(crate) use opening::{Opening, open, open_first};

/// Sessions kept with one device: the active one and seven that only receive.
const SESSIONS: usize = 8;
/// How long a session that is not the active one is kept.
pub(crate) const IDLE_SESSION: Span = Span::from_days(30);

/// Seals a content to a device on its active session, starting one where there is none.
pub(crate) fn seal(step: &mut Step<'_>, device_id: DeviceId, content: &Content) -> Result<Vec<u8>, Refusal> {
    let mut device = directory::device(step, device_id)?;
    let contact = directory::contact(step, device.identity)?;
    let profile = step.profile()?;
    let mut session = match device.sessions.first() {
        Some(place) => load(step, device_id, place.session)?,
        None => {
            let (bundle, chain) = known_bundle(&device, &contact)?;
            start(step, &profile, &mut device, &bundle, &chain, None, None)?
        }
    };
    seal_on(step, &profile, &contact, &device, &mut session, content)
}

/// Starts a session by an invite and seals the first content on it.
pub(crate) fn seal_first(
    step: &mut Step<'_>,
    device_id: DeviceId,
    chain: &Sigchain,
    bundle: &PrekeyBundle,
    one_time: Option<&OneTimePrekey>,
    invite: InviteId,
    content: &Content,
) -> Result<Vec<u8>, Refusal> {
    let mut device = directory::device(step, device_id)?;
    let contact = directory::contact(step, device.identity)?;
    let profile = step.profile()?;
    let mut session = start(step, &profile, &mut device, bundle, chain, one_time, Some(invite))?;
    seal_on(step, &profile, &contact, &device, &mut session, content)
}

/// Starts a session from the newest bundle that is known, whatever sessions there are, and makes it the active one.
pub(crate) fn restart(step: &mut Step<'_>, device_id: DeviceId) -> Result<(), Refusal> {
    let mut device = directory::device(step, device_id)?;
    let contact = directory::contact(step, device.identity)?;
    let profile = step.profile()?;
    let (bundle, chain) = known_bundle(&device, &contact)?;
    let session = start(step, &profile, &mut device, &bundle, &chain, None, None)?;
    store(step, device_id, &session);
    Ok(())
}

/// Whether prekeys of a device are known with which a session can be started now.
pub(crate) fn can_start(step: &Step<'_>, device: &Device) -> Result<bool, Refusal> {
    let contact = directory::contact(step, device.identity)?;
    let known = known_bundle(device, &contact);
    Ok(known.is_ok_and(|(bundle, chain)| VerifiedBundle::verify(&bundle, &chain, step.now).is_ok()))
}

fn known_bundle(device: &Device, contact: &Contact) -> Result<(PrekeyBundle, Sigchain), Refusal> {
    const WHAT: Refusal = Refusal::Inconsistent("the sigchain or the prekeys of a contact");
    let chain = contact.sigchain.as_ref().and_then(|bytes| Sigchain::verify(bytes).ok()).ok_or(WHAT)?;
    let bundle = PrekeyBundle::decode(&device.bundle).map_err(|_| WHAT)?;
    Ok((bundle, chain))
}

fn start(
    step: &mut Step<'_>,
    profile: &Profile,
    device: &mut Device,
    bundle: &PrekeyBundle,
    chain: &Sigchain,
    one_time: Option<&OneTimePrekey>,
    invite: Option<InviteId>,
) -> Result<Session, Refusal> {
    let theirs = VerifiedBundle::verify(bundle, chain, step.now)
        .map_err(|_| Refusal::Inconsistent("the prekeys of a contact"))?;
    let one_time = one_time.and_then(|prekey| VerifiedOneTimePrekey::verify(prekey, &theirs).ok());
    let keys = prekeys::device_keys(profile)?;
    let ours = LocalDevice { identity: profile.identity, keys: &keys };
    let made = initiate(step.rng, step.now, ours, &theirs, one_time.as_ref(), invite)?;
    adopt(step, device, &made.session, &made.pair_root, true, invite.is_some())?;
    Ok(made.session)
}

fn seal_on(
    step: &mut Step<'_>,
    profile: &Profile,
    contact: &Contact,
    device: &Device,
    session: &mut Session,
    content: &Content,
) -> Result<Vec<u8>, Refusal> {
    let plaintext = Plaintext {
        sender_head: profile.head,
        recipient_head: contact.head.prefix(),
        mailbox_seen: step.find::<Post>(&Key::Post(device.device))?.map(|post| post.highest_seen),
        content: content.encode(),
    };
    let bytes = plaintext.encode();
    if bytes.len() > limits::PLAINTEXT {
        return Err(Refusal::TooLarge { limit: limits::PLAINTEXT, found: bytes.len() });
    }
    let payload = session.encrypt(step.rng, step.now, &bytes)?;
    store(step, device.device, session);
    Ok(payload)
}

fn load(step: &Step<'_>, device: DeviceId, session: SessionId) -> Result<Session, Refusal> {
    let row: KeyMaterial = step
        .find(&Key::Session(device, session))?
        .ok_or(Refusal::Inconsistent("a session that is listed is missing"))?;
    Session::from_bytes(row.as_slice()).map_err(|_| Refusal::Inconsistent("a session cannot be read"))
}

fn store(step: &mut Step<'_>, device: DeviceId, session: &Session) {
    step.put(Key::Session(device, session.id()), KeyMaterial::new(session.to_bytes().as_slice()));
}

/// Lists a new session first and lets go of the oldest sessions beyond the limit. The pair root stays, but for one from
/// an invite: whoever comes by one may have forgotten that there was another.
fn adopt(
    step: &mut Step<'_>,
    device: &mut Device,
    session: &Session,
    root: &PairRoot,
    initiated: bool,
    by_invite: bool,
) -> Result<(), Refusal> {
    let id = session.id();
    let crossed = !initiated && device.sessions.first().is_some_and(|active| active.initiated && !active.confirmed);
    if let Some(active) = device.sessions.first_mut() {
        active.crossed |= crossed;
        active.active_until = step.now;
    }
    let smaller = crossed && device.pair_session.is_some_and(|pair| id < pair);
    if device.pair_root.is_none() || smaller || by_invite && !crossed {
        device.pair_root = Some(KeyMaterial::new(root.to_bytes().as_slice()));
        device.pair_session = Some(id);
        number_anew(step, device.device)?;
    }
    let place = SessionPlace { session: id, initiated, confirmed: !initiated, active_until: step.now, crossed };
    device.sessions.insert(0, place);
    while device.sessions.len() > SESSIONS {
        if let Some(old) = device.sessions.pop() {
            forget(step, device.device, old.session)?;
        }
    }
    step.put(Key::Device(device.device), device.clone());
    Ok(())
}

/// What goes through mailboxes begins again under a new pair root, and nothing that was told is known to be known.
fn number_anew(step: &mut Step<'_>, device: DeviceId) -> Result<(), Refusal> {
    if let Some(Post { hosts, deposit_at, serves, token_key, .. }) = step.find::<Post>(&Key::Post(device))? {
        step.put(Key::Post(device), Post { hosts, deposit_at, serves, token_key, ..Post::default() });
    }
    Ok(())
}

/// Wipes a session and the keys that were skipped on it.
pub(crate) fn forget(step: &mut Step<'_>, device: DeviceId, session: SessionId) -> Result<(), Refusal> {
    step.delete(Key::Session(device, session));
    for (key, _) in step.scan(&Scan::skipped_keys(session, usize::MAX))?.rows {
        step.delete(key);
    }
    Ok(())
}

/// Drops sessions that have not been the active one for long before `by`, and what is kept in mind of what opened long
/// before it.
pub(crate) fn housekeeping(step: &mut Step<'_>, by: Timestamp) -> Result<(), Refusal> {
    for contact in directory::connected_contacts(step)? {
        for device_id in contact.devices {
            let Some(mut device) = directory::readable_device(step, device_id)? else { continue };
            let (keep, old): (Vec<_>, Vec<_>) = device
                .sessions
                .iter()
                .enumerate()
                .partition(|(index, place)| *index == 0 || by.since(place.active_until) < IDLE_SESSION);
            let old: Vec<SessionId> = old.into_iter().map(|(_, place)| place.session).collect();
            if old.is_empty() {
                continue;
            }
            let keep = keep.into_iter().map(|(_, place)| *place).collect();
            for session in old {
                forget(step, device_id, session)?;
            }
            device.sessions = keep;
            step.put(Key::Device(device_id), device);
        }
    }
    memory::housekeeping(step, by)
}
