//! Healing: when what a device sends no longer opens, it is asked to start anew (docs/protocol/04-ratchet.md,
//! "Sessions that lost their way").

use kinfolk_wire::content::{Body, NeedReinit};
use kinfolk_wire::ids::{DeviceId, PayloadDigest};
use kinfolk_wire::limits;
use kinfolk_wire::time::Span;

use super::{directory, outbox, sessions};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::step::{Rejection, Step};
use crate::store::{Alarm, ContactState, Device, Key};

/// The first wait before a device is asked again to start anew; each next one is twice as long. Without it a device that
/// sends what nobody can open would have sessions made without end.
const ASK_AGAIN: Span = Span::from_secs(10);
/// The longest.
pub(crate) const LONGEST_WAIT: Span = Span::from_hours(1);
/// After so long without asking the first wait is enough again.
const ASK_SOON_AGAIN: Span = Span::from_hours(2);
/// The person is told once in this time that a device asks for it, so that nobody can fill the log with it.
const TELL_AGAIN: Span = Span::from_secs(60);

/// A payload of a device did not open. The link it came on has proved the device, so that nobody else can force what
/// follows: a new session that carries the digests of what did not open.
pub(crate) fn failed(step: &mut Step<'_>, device_id: DeviceId, digest: PayloadDigest) -> Result<(), Refusal> {
    let mut device = directory::device(step, device_id)?;
    if !device.unopened.contains(&digest) && device.unopened.len() < limits::REINIT_DIGESTS {
        device.unopened.push(digest);
    }
    step.put(Key::Device(device_id), device);
    ask(step, device_id)
}

/// A device asks to start anew, and has: what it did not take is sealed on the new session.
pub(crate) fn asked(step: &mut Step<'_>, device_id: DeviceId, need: &NeedReinit) -> Result<(), Refusal> {
    let from = directory::device(step, device_id)?.identity;
    let contact = directory::contact(step, from)?;
    if !directory::is_open(&contact) && contact.state != ContactState::Requested {
        step.reject(Rejection::Misplaced);
        return Ok(());
    }
    outbox::reseal(step, device_id, need)?;
    let device = directory::device(step, device_id)?;
    let lately = |at| at <= step.now && step.now.since(at) < TELL_AGAIN;
    if device.reset_told_at.is_some_and(lately) {
        return Ok(());
    }
    step.put(Key::Device(device_id), Device { reset_told_at: Some(step.now), ..device });
    step.emit(Event::SessionReset(from))
}

/// Asks a device to start anew, where something of it did not open and prekeys of it are known that are still good; those
/// that it offers later bring the question up again. Where it was asked a moment ago, an alarm does.
pub(crate) fn ask(step: &mut Step<'_>, device_id: DeviceId) -> Result<(), Refusal> {
    let Some(mut device) = step.find::<Device>(&Key::Device(device_id))? else { return Ok(()) };
    if device.unopened.is_empty() || !sessions::can_start(step, &device)? {
        return Ok(());
    }
    // A time that is still to come is of a clock that was set back since.
    let asked_at = device.reinit_asked_at.filter(|at| *at <= step.now);
    if let Some(at) = asked_at {
        let doubled = ASK_AGAIN.times(1 << device.reinits_in_a_row.min(16));
        let due = at.after(doubled.min(LONGEST_WAIT));
        if step.now < due {
            step.set_alarm(Alarm::Heal(device_id), None, due);
            return Ok(());
        }
    }
    let is_soon = asked_at.is_some_and(|at| step.now.since(at) < ASK_SOON_AGAIN);
    device.reinits_in_a_row = if is_soon { device.reinits_in_a_row.saturating_add(1) } else { 0 };
    device.reinit_asked_at = Some(step.now);
    let digests = std::mem::take(&mut device.unopened);
    let from = device.identity;
    step.put(Key::Device(device_id), device);
    sessions::restart(step, device_id)?;
    let own = step.profile()?.identity;
    let content = outbox::aside(step, own, from, Body::NeedReinit(NeedReinit { digests }));
    outbox::queue(step, device_id, &content, None)?;
    step.emit(Event::SessionReset(from))
}
