//! Our own prekeys: made, given out, found again, rotated, forgotten (docs/protocol/03-handshake.md).

use kinfolk_crypto::identity::DeviceKeys;
use kinfolk_crypto::prekeys::{
    LastResortSecret, OneTimePrekeySecret, SignedPrekeySecret, sign_bundle, sign_one_time_prekey,
};
use kinfolk_wire::bundle::{OneTimePrekey, PrekeyId};
use kinfolk_wire::time::{Span, Timestamp};

use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Key, KeyMaterial, Prekey, PrekeyKind, Profile, Row, Scan, Table};

/// How long a bundle is given out before a new one is made.
pub(crate) const ROTATE_AFTER: Span = Span::from_days(7);
/// How long the private halves are kept after that: as long as a mailbox keeps mail.
pub(crate) const KEEP_REPLACED: Span = Span::from_days(30);
/// How long a bundle is valid: until its private halves are wiped.
const VALID_FOR: Span = Span::from_days(37);
/// How long a one-time pair that was handed out waits for its handshake.
const ONE_TIME_LIFETIME: Span = Span::from_days(30);
/// What is dated further ahead than this was made before the clock was set back.
const AHEAD: Span = Span::from_days(1);
/// How many one-time pairs may be out at once.
const ONE_TIME_OUT: usize = 64;

pub(crate) fn device_keys(profile: &Profile) -> Result<DeviceKeys, Refusal> {
    DeviceKeys::from_bytes(profile.device_keys.as_slice())
        .map_err(|_| Refusal::Inconsistent("the device keys of the profile"))
}

/// Makes a new bundle, and notes that the one before is replaced.
pub(crate) fn rotate(step: &mut Step<'_>, profile: &mut Profile) -> Result<(), Refusal> {
    let id = PrekeyId(step.next_prekey()?);
    let signed = SignedPrekeySecret::generate(id, step.rng);
    let last_resort = LastResortSecret::generate(id, step.rng);
    let now = step.now;
    for kind in [PrekeyKind::Signed, PrekeyKind::LastResort] {
        let old = Key::Prekey(kind, profile.bundle_id);
        if let Some(prekey) = step.find::<Prekey>(&old)? {
            step.put(old, Prekey { replaced_at: Some(now), ..prekey });
        }
    }
    keep(step, PrekeyKind::Signed, id, signed.to_bytes().as_slice());
    keep(step, PrekeyKind::LastResort, id, last_resort.to_bytes().as_slice());
    let keys = device_keys(profile)?;
    let bundle = sign_bundle(&keys, profile.identity, &signed, &last_resort, now, now.after(VALID_FOR), profile.head);
    profile.bundle = bundle.encode();
    profile.bundle_made_at = now;
    profile.bundle_id = id.0;
    step.put(Key::Profile, profile.clone());
    Ok(())
}

fn keep(step: &mut Step<'_>, kind: PrekeyKind, id: PrekeyId, secret: &[u8]) {
    let row = Prekey { secret: KeyMaterial::new(secret), made_at: step.now, replaced_at: None };
    step.put(Key::Prekey(kind, id.0), row);
}

/// A fresh one-time pair to hand out, unless too many are out already.
pub(crate) fn hand_out(step: &mut Step<'_>, profile: &Profile) -> Result<Option<OneTimePrekey>, Refusal> {
    let out = step.scan(&one_time_scan(ONE_TIME_OUT))?.rows.len();
    if out >= ONE_TIME_OUT {
        return Ok(None);
    }
    let id = PrekeyId(step.next_prekey()?);
    let secret = OneTimePrekeySecret::generate(id, step.rng);
    keep(step, PrekeyKind::OneTime, id, secret.to_bytes().as_slice());
    Ok(Some(sign_one_time_prekey(&device_keys(profile)?, &secret)))
}

fn one_time_scan(limit: usize) -> Scan {
    let kind = PrekeyKind::OneTime as u64;
    Scan { from: kind, until: kind, ..Scan::all(Table::Prekey, limit) }
}

/// The private half of a prekey, where it is still kept.
pub(crate) fn find(step: &Step<'_>, kind: PrekeyKind, id: PrekeyId) -> Result<Option<Prekey>, Refusal> {
    step.find(&Key::Prekey(kind, id.0))
}

/// Rotates when it is time and forgets what had been kept long enough by then. Says whether a signed prekey was wiped.
pub(crate) fn housekeeping(step: &mut Step<'_>, by: Timestamp) -> Result<bool, Refusal> {
    let mut profile = step.profile()?;
    let latest = step.now.after(AHEAD);
    // Others refuse a bundle of a time that has not come.
    if step.now.since(profile.bundle_made_at) >= ROTATE_AFTER || profile.bundle_made_at > latest {
        rotate(step, &mut profile)?;
    }
    let mut wiped = false;
    for (key, row) in step.scan(&Scan::all(Table::Prekey, 4_096))?.rows {
        let (Key::Prekey(kind, _), Row::Prekey(prekey)) = (key, row) else { continue };
        if prekey.made_at > latest || prekey.replaced_at.is_some_and(|at| at > latest) {
            let replaced_at = prekey.replaced_at.map(|at| at.min(step.now));
            step.put(key, Prekey { made_at: prekey.made_at.min(step.now), replaced_at, ..prekey });
            continue;
        }
        let spent = match (kind, prekey.replaced_at) {
            (PrekeyKind::OneTime, _) => by.since(prekey.made_at) > ONE_TIME_LIFETIME,
            (_, Some(replaced_at)) => by.since(replaced_at) > KEEP_REPLACED,
            (_, None) => false,
        };
        if spent {
            step.delete(key);
            wiped |= kind == PrekeyKind::Signed;
        }
    }
    Ok(wiped)
}
