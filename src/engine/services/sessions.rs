//! Sealing to a device and opening what it sent: which session, which keys (docs/protocol/04-ratchet.md, "Sessions").
//!
//! A session is changed only by writing its next state into the turn: a turn that fails, or a message that does not
//! open, leaves it as it was.

use kinfolk_crypto::handshake::{LocalDevice, ResponderPrekeys, init_digest, initiate, payload_digest, respond};
use kinfolk_crypto::identity::Sigchain;
use kinfolk_crypto::prekeys::{
    LastResortSecret, OneTimePrekeySecret, SignedPrekeySecret, VerifiedBundle, VerifiedOneTimePrekey,
};
use kinfolk_crypto::secret::SecretBytes;
use kinfolk_crypto::session::Session;
use kinfolk_crypto::{PairRoot, SkippedKeyId, SkippedKeys};
use kinfolk_wire::bundle::{OneTimePrekey, PrekeyBundle, PrekeyId};
use kinfolk_wire::content::{Content, Plaintext};
use kinfolk_wire::envelope::{InitMessage, Payload, RatchetMessage};
use kinfolk_wire::ids::{DeviceId, InviteId, PayloadDigest, SessionId};
use kinfolk_wire::limits;
use kinfolk_wire::time::{Span, Timestamp};

use super::{directory, prekeys};
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{
    AcceptedInit, Contact, Device, Key, KeyMaterial, Opened as OpenedRow, PrekeyKind, Profile, Row, Scan, SessionPlace,
    Table,
};

/// Sessions kept with one device: the active one and seven that only receive.
const SESSIONS: usize = 8;
/// How long a session that is not the active one is kept.
pub(crate) const IDLE_SESSION: Span = Span::from_days(30);
/// How long what opened is remembered, so that it is known when it comes again: as long as a mailbox keeps mail.
pub(crate) const REMEMBER_OPENED_DAYS: u64 = 31;

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
    adopt(step, device, &made.session, &made.pair_root, true);
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
        mailbox_seen: None,
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

/// Lists a new session first, keeps the pair root, and lets go of the oldest sessions beyond the limit.
fn adopt(step: &mut Step<'_>, device: &mut Device, session: &Session, root: &PairRoot, initiated: bool) {
    let id = session.id();
    let crossed = !initiated && device.sessions.first().is_some_and(|active| active.initiated && !active.confirmed);
    if let Some(active) = device.sessions.first_mut() {
        active.crossed |= crossed;
    }
    let smaller = crossed && device.pair_session.is_some_and(|pair| id < pair);
    if device.pair_root.is_none() || smaller {
        device.pair_root = Some(KeyMaterial::new(root.to_bytes().as_slice()));
        device.pair_session = Some(id);
    }
    let place = SessionPlace { session: id, initiated, confirmed: !initiated, made_at: step.now, crossed };
    device.sessions.insert(0, place);
    while device.sessions.len() > SESSIONS {
        if let Some(old) = device.sessions.pop() {
            forget(step, device.device, old.session);
        }
    }
    step.put(Key::Device(device.device), device.clone());
}

/// Wipes a session and the keys that were skipped on it.
pub(crate) fn forget(step: &mut Step<'_>, device: DeviceId, session: SessionId) {
    step.delete(Key::Session(device, session));
    if let Ok(skipped) = step.scan(&Scan::skipped_keys(session, usize::MAX)) {
        for (key, _) in skipped.rows {
            step.delete(key);
        }
    }
}

/// Which session to send on after `session` has opened something: that one, but of two that crossed the smaller id.
fn activate(device: &mut Device, session: SessionId) {
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
    let place = device.sessions.remove(index);
    device.sessions.insert(0, place);
}

struct Skipped<'a, 'b> {
    step: &'a Step<'b>,
    session: SessionId,
}

impl SkippedKeys for Skipped<'_, '_> {
    fn find(&self, id: &SkippedKeyId) -> Option<SecretBytes> {
        let row: KeyMaterial = self.step.find(&Key::SkippedKey(self.session, *id)).ok()??;
        Some(SecretBytes::new(row.as_slice().to_vec()))
    }

    fn oldest(&self, count: usize) -> Vec<SkippedKeyId> {
        let found = self.step.scan(&Scan::skipped_keys(self.session, count)).unwrap_or_default();
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
        Some(plaintext) => Ok(read(step, device_id, &plaintext, place)),
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
        Some(plaintext) => Ok(read(step, device_id, &plaintext, sealed_digest(payload))),
        None => Ok(Opening::Failed(digest)),
    }
}

fn read(step: &mut Step<'_>, device: DeviceId, plaintext: &SecretBytes, digest: PayloadDigest) -> Opening {
    remember(step, device, digest, OpenedRow { line: None });
    let content = Plaintext::decode(plaintext.as_slice()).and_then(|plaintext| Content::decode(&plaintext.content));
    match content {
        Ok(content) => Opening::Content(Box::new(content), digest),
        Err(_) => Opening::Malformed,
    }
}

/// Days since the epoch.
pub(crate) const fn day(now: Timestamp) -> u64 {
    now.as_millis() / Span::from_days(1).as_millis()
}

/// Keeps in mind that a payload opened.
pub(crate) fn remember(step: &mut Step<'_>, device: DeviceId, digest: PayloadDigest, row: OpenedRow) {
    step.put(Key::Opened(day(step.now), device, digest), row);
}

/// Whether a payload opened before. The clock may have been set back since: days ahead are looked at too.
fn again(step: &Step<'_>, device: DeviceId, digest: PayloadDigest) -> Result<Option<OpenedRow>, Refusal> {
    let today = day(step.now);
    for day in today.saturating_sub(REMEMBER_OPENED_DAYS)..=today.saturating_add(REMEMBER_OPENED_DAYS) {
        if let Some(row) = step.find(&Key::Opened(day, device, digest))? {
            return Ok(Some(row));
        }
    }
    Ok(None)
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
        let skipped = Skipped { step, session: place.session };
        let Ok(opened) = session.decrypt(step.now, message, &skipped) else { continue };
        store(step, device_id, &opened.session);
        for key in opened.remove {
            step.delete(Key::SkippedKey(place.session, key));
        }
        for key in opened.store {
            step.put(Key::SkippedKey(place.session, key.id), KeyMaterial::new(key.key.as_slice()));
        }
        let mut after = device.clone();
        activate(&mut after, place.session);
        if let Some(place) = after.sessions.iter_mut().find(|p| p.session == place.session) {
            place.confirmed = true;
        }
        after.unopened.clear();
        after.failed_opens = 0;
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
    adopt(step, &mut device, &accepted.session, &accepted.pair_root, false);
    let before = device.clone();
    activate_new(&mut device, id);
    device.unopened.clear();
    device.failed_opens = 0;
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

/// Forgets which first messages were accepted whose signed prekey is wiped: none of them can be opened again.
pub(crate) fn forget_answered(step: &mut Step<'_>) -> Result<(), Refusal> {
    for (key, row) in step.scan(&Scan::all(Table::AcceptedInit, usize::MAX))?.rows {
        let Row::AcceptedInit(accepted) = row else { continue };
        if prekeys::find(step, PrekeyKind::Signed, PrekeyId(accepted.signed_prekey))?.is_none() {
            step.delete(key);
        }
    }
    Ok(())
}

/// Drops sessions that have not been the active one for long, and what opened long ago.
pub(crate) fn housekeeping(step: &mut Step<'_>) -> Result<(), Refusal> {
    for contact in directory::connected_contacts(step)? {
        for device_id in contact.devices {
            let mut device = directory::device(step, device_id)?;
            let now = step.now;
            let (keep, old): (Vec<_>, Vec<_>) = device
                .sessions
                .iter()
                .enumerate()
                .partition(|(index, place)| *index == 0 || now.since(place.made_at) < IDLE_SESSION);
            let old: Vec<SessionId> = old.into_iter().map(|(_, place)| place.session).collect();
            if old.is_empty() {
                continue;
            }
            let keep = keep.into_iter().map(|(_, place)| *place).collect();
            for session in old {
                forget(step, device_id, session);
            }
            device.sessions = keep;
            step.put(Key::Device(device_id), device);
        }
    }
    let today = day(step.now);
    if let Some(until) = today.checked_sub(REMEMBER_OPENED_DAYS + 1) {
        forget_opened(step, 0, until)?;
    }
    // Of days so far ahead, before the clock was set back, that they are not looked at.
    forget_opened(step, today.saturating_add(REMEMBER_OPENED_DAYS + 1), u64::MAX)
}

fn forget_opened(step: &mut Step<'_>, from: u64, until: u64) -> Result<(), Refusal> {
    for (key, _) in step.scan(&Scan::opened_between(from, until, 4_096))?.rows {
        step.delete(key);
    }
    Ok(())
}
