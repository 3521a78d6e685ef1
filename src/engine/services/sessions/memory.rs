//! What is kept in mind of what opened, so that it is known when it comes again (docs/decisions, 0005).

use kinfolk_wire::bundle::PrekeyId;
use kinfolk_wire::ids::{DeviceId, PayloadDigest};
use kinfolk_wire::time::{Span, Timestamp};

use crate::refusal::Refusal;
use crate::services::prekeys;
use crate::step::Step;
use crate::store::{Key, Opened, PrekeyKind, Row, Scan, Table};

/// For how many days: as long as a mailbox keeps mail.
const REMEMBER_OPENED_DAYS: u64 = 31;

/// How many are forgotten in one turn of every hour: more than a device is sent in it.
const FORGET_AT_ONCE: usize = 32_768;

/// Days since the epoch.
const fn day(now: Timestamp) -> u64 {
    now.as_millis() / Span::from_days(1).as_millis()
}

/// Keeps in mind that a payload opened.
pub(crate) fn remember(step: &mut Step<'_>, device: DeviceId, digest: PayloadDigest, row: Opened) {
    step.put(Key::Opened(day(step.now), device, digest), row);
}

/// Whether a payload opened before. The clock may have been set back since: days ahead are looked at too.
pub(super) fn again(step: &Step<'_>, device: DeviceId, digest: PayloadDigest) -> Result<Option<Opened>, Refusal> {
    let today = day(step.now);
    for day in today.saturating_sub(REMEMBER_OPENED_DAYS)..=today.saturating_add(REMEMBER_OPENED_DAYS) {
        if let Some(row) = step.find(&Key::Opened(day, device, digest))? {
            return Ok(Some(row));
        }
    }
    Ok(None)
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

/// Forgets what opened long before `by`.
pub(super) fn housekeeping(step: &mut Step<'_>, by: Timestamp) -> Result<(), Refusal> {
    if let Some(until) = day(by).checked_sub(REMEMBER_OPENED_DAYS + 1) {
        forget_opened(step, 0, until)?;
    }
    // Of days so far ahead, before the clock was set back, that they are not looked at.
    forget_opened(step, day(step.now).saturating_add(REMEMBER_OPENED_DAYS + 1), u64::MAX)
}

fn forget_opened(step: &mut Step<'_>, from: u64, until: u64) -> Result<(), Refusal> {
    for (key, _) in step.scan(&Scan::opened_between(from, until, FORGET_AT_ONCE))?.rows {
        step.delete(key);
    }
    Ok(())
}
