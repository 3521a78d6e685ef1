//! Opening what a device sent: on a session that there is, or on one that a first message begins.

use std::cell::RefCell;

use kinfolk_crypto::handshake::{LocalDevice, ResponderPrekeys, init_digest, payload_digest, respond};
use kinfolk_crypto::identity::Sigchain;
use kinfolk_crypto::prekeys::{LastResortSecret, OneTimePrekeySecret, SignedPrekeySecret};
use kinfolk_crypto::secret::SecretBytes;
use kinfolk_crypto::{SkippedKeyId, SkippedKeys};
use kinfolk_wire::content::{Content, Plaintext};
use kinfolk_wire::envelope::{InitMessage, Payload, RatchetMessage};
use kinfolk_wire::ids::{DeviceId, InviteId, PayloadDigest, SessionId};
use kinfolk_wire::time::Timestamp;

use super::memory::{again, remember};
use super::{adopt, load, store};
use crate::refusal::Refusal;
use crate::services::{deposit, directory, prekeys};
use crate::step::Step;
use crate::store::{AcceptedInit, Device, Key, KeyMaterial, Opened as OpenedRow, PrekeyKind, Scan};

/// What came of a payload.
pub(crate) enum Opening {
    /// It opened.
    Content(Box<Content>, PayloadDigest),
    /// It opened, and what was inside is not a content.
    Malformed,
    /// It opened before.
    Again(OpenedRow),
    /// It does not open on any session of the two devices.
    Failed(PayloadDigest),
}

struct Skipped<'a, 'b> {
    step: &'a Step<'b>,
    session: SessionId,
    failure: RefCell<Option<Refusal>>,
}

impl Skipped<'_, '_> {
    fn noted<T: Default>(&self, read: Result<T, Refusal>) -> T {
        read.unwrap_or_else(|refusal| {
            self.failure.borrow_mut().get_or_insert(refusal);
            T::default()
        })
    }
}

impl SkippedKeys for Skipped<'_, '_> {
    fn find(&self, id: &SkippedKeyId) -> Option<SecretBytes> {
        let row: KeyMaterial = self.noted(self.step.find(&Key::SkippedKey(self.session, *id)))?;
        Some(SecretBytes::new(row.as_slice().to_vec()))
    }

    fn oldest(&self, count: usize) -> Vec<SkippedKeyId> {
        let found = self.noted(self.step.scan(&Scan::skipped_keys(self.session, count)).map_err(Refusal::from));
        found
            .rows
            .into_iter()
            .filter_map(|(key, _)| if let Key::SkippedKey(_, id) = key { Some(id) } else { None })
            .collect()
    }
}

/// Opens a payload of a device that has proved who it is.
pub(crate) fn open(step: &mut Step<'_>, device_id: DeviceId, payload: &[u8]) -> Result<Opening, Refusal> {
    let digest = payload_digest(payload);
    let opened = match Payload::decode(payload) {
        Ok(Payload::Ratchet(message)) => open_on_any(step, device_id, &message, None)?,
        Ok(Payload::Init(init)) => {
            let known: Option<AcceptedInit> = step.find(&Key::AcceptedInit(init_digest(&init.ephemeral_key)))?;
            match known {
                Some(known) => open_on_any(step, device_id, &init.message, Some(known.session))?,
                None => open_init_of_contact(step, device_id, &init)?,
            }
        }
        Err(_) => None,
    };
    let place = sealed_digest(payload);
    match opened {
        Some(plaintext) => read(step, device_id, &plaintext, place),
        None => Ok(again(step, device_id, place)?.map_or(Opening::Failed(digest), Opening::Again)),
    }
}

/// The digest by which a payload is known when it comes again: of its ratchet message alone, because what stands in
/// front of it is not looked at once its session is known.
fn sealed_digest(payload: &[u8]) -> PayloadDigest {
    match Payload::decode(payload) {
        Ok(Payload::Init(init)) => payload_digest(init.message.bytes),
        _ => payload_digest(payload),
    }
}

/// Opens the first message of somebody who came by an invite.
pub(crate) fn open_first(
    step: &mut Step<'_>,
    device_id: DeviceId,
    chain: &Sigchain,
    invite: InviteId,
    payload: &[u8],
) -> Result<Opening, Refusal> {
    let digest = payload_digest(payload);
    let Ok(init) = InitMessage::decode(payload) else { return Ok(Opening::Failed(digest)) };
    if step.has(&Key::AcceptedInit(init_digest(&init.ephemeral_key)))? {
        let place = sealed_digest(payload);
        return Ok(again(step, device_id, place)?.map_or(Opening::Failed(digest), Opening::Again));
    }
    match open_init(step, device_id, chain, Some(invite), &init)? {
        Some(plaintext) => read(step, device_id, &plaintext, sealed_digest(payload)),
        None => Ok(Opening::Failed(digest)),
    }
}

fn read(
    step: &mut Step<'_>,
    device: DeviceId,
    plaintext: &SecretBytes,
    digest: PayloadDigest,
) -> Result<Opening, Refusal> {
    remember(step, device, digest, OpenedRow { line: None });
    let Ok(plaintext) = Plaintext::decode(plaintext.as_slice()) else { return Ok(Opening::Malformed) };
    if let Some(seen) = plaintext.mailbox_seen {
        deposit::seen_elsewhere(step, device, seen)?;
    }
    Ok(match Content::decode(&plaintext.content) {
        Ok(content) => Opening::Content(Box::new(content), digest),
        Err(_) => Opening::Malformed,
    })
}

fn open_on_any(
    step: &mut Step<'_>,
    device_id: DeviceId,
    message: &RatchetMessage<'_>,
    only: Option<SessionId>,
) -> Result<Option<SecretBytes>, Refusal> {
    let device = directory::device(step, device_id)?;
    for place in &device.sessions {
        if only.is_some_and(|only| only != place.session) {
            continue;
        }
        let session = load(step, device_id, place.session)?;
        let skipped = Skipped { step, session: place.session, failure: RefCell::new(None) };
        let opened = session.decrypt(step.now, message, &skipped);
        // A key that could not be read is not one that is not there.
        if let Some(refusal) = skipped.failure.into_inner() {
            return Err(refusal);
        }
        let Ok(opened) = opened else { continue };
        store(step, device_id, &opened.session);
        for key in opened.remove {
            step.delete(Key::SkippedKey(place.session, key));
        }
        for key in opened.store {
            step.put(Key::SkippedKey(place.session, key.id), KeyMaterial::new(key.key.as_slice()));
        }
        let mut after = device.clone();
        activate(&mut after, place.session, step.now);
        if let Some(place) = after.sessions.iter_mut().find(|p| p.session == place.session)
            && !place.confirmed
        {
            place.confirmed = true;
            // Who answers on a session that was begun here has sealed on it anew what it was not known to have got through.
            after.unopened.clear();
        }
        if after != device {
            step.put(Key::Device(device_id), after);
        }
        return Ok(Some(opened.plaintext));
    }
    Ok(None)
}

fn open_init_of_contact(
    step: &mut Step<'_>,
    device_id: DeviceId,
    init: &InitMessage<'_>,
) -> Result<Option<SecretBytes>, Refusal> {
    let device = directory::device(step, device_id)?;
    let contact = directory::contact(step, device.identity)?;
    match contact.sigchain.as_ref().and_then(|bytes| Sigchain::verify(bytes).ok()) {
        Some(chain) => open_init(step, device_id, &chain, None, init),
        None => Ok(None),
    }
}

fn open_init(
    step: &mut Step<'_>,
    device_id: DeviceId,
    chain: &Sigchain,
    invite: Option<InviteId>,
    init: &InitMessage<'_>,
) -> Result<Option<SecretBytes>, Refusal> {
    let mut device = directory::device(step, device_id)?;
    let profile = step.profile()?;
    let Some(signed) = prekeys::find(step, PrekeyKind::Signed, init.signed_prekey)? else { return Ok(None) };
    let Ok(signed) = SignedPrekeySecret::from_bytes(signed.secret.as_slice()) else { return Ok(None) };
    let one_time = match init.one_time_prekey {
        Some(id) => {
            let Some(row) = prekeys::find(step, PrekeyKind::OneTime, id)? else { return Ok(None) };
            let Ok(secret) = OneTimePrekeySecret::from_bytes(row.secret.as_slice()) else { return Ok(None) };
            Some(secret)
        }
        None => None,
    };
    let last_resort = prekeys::find(step, PrekeyKind::LastResort, init.kem_prekey)?
        .and_then(|row| LastResortSecret::from_bytes(row.secret.as_slice()).ok());
    let Some(theirs) = chain.device(device_id) else { return Ok(None) };
    let keys = prekeys::device_keys(&profile)?;
    let ours = LocalDevice { identity: profile.identity, keys: &keys };
    let found = ResponderPrekeys { signed: &signed, last_resort: last_resort.as_ref(), one_time: one_time.as_ref() };
    let Ok(accepted) = respond(step.now, ours, found, chain.identity(), theirs, invite, init) else {
        return Ok(None);
    };
    if let Some(id) = init.one_time_prekey {
        step.delete(Key::Prekey(PrekeyKind::OneTime, id.0));
    }
    let id = accepted.session.id();
    let known = AcceptedInit { session: id, signed_prekey: init.signed_prekey.0 };
    step.put(Key::AcceptedInit(init_digest(&init.ephemeral_key)), known);
    store(step, device_id, &accepted.session);
    for key in accepted.store {
        step.put(Key::SkippedKey(id, key.id), KeyMaterial::new(key.key.as_slice()));
    }
    adopt(step, &mut device, &accepted.session, &accepted.pair_root, false, invite.is_some())?;
    let before = device.clone();
    activate_new(&mut device, id);
    if device != before {
        step.put(Key::Device(device_id), device);
    }
    Ok(Some(accepted.plaintext))
}

/// A session that the other side started stands first unless it crossed with one of ours that has the smaller id.
fn activate_new(device: &mut Device, session: SessionId) {
    if let [new, ours, ..] = device.sessions.as_slice()
        && new.session == session
        && new.crossed
        && ours.crossed
        && ours.session < new.session
    {
        device.sessions.swap(0, 1);
    }
}

/// Which session to send on after `session` has opened something: that one, but of two that crossed the smaller id.
fn activate(device: &mut Device, session: SessionId, now: Timestamp) {
    let Some(index) = device.sessions.iter().position(|place| place.session == session) else { return };
    if let [active, ..] = device.sessions.as_slice()
        && let Some(place) = device.sessions.get(index)
        && active.crossed
        && place.crossed
        && active.initiated != place.initiated
        && active.session < place.session
    {
        return;
    }
    if index == 0 {
        return;
    }
    if let Some(active) = device.sessions.first_mut() {
        active.active_until = now;
    }
    let place = device.sessions.remove(index);
    device.sessions.insert(0, place);
}
