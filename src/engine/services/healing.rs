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
use crate::store::{ContactState, Device, Key};

/// One request to start anew per device in this time.
const ASK_AGAIN: Span = Span::from_hours(1);
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

/// Asks a device to start anew, where something of it did not open, it was not asked lately, and prekeys of it are known
/// that are still good; those that it offers later bring the question up again.
pub(crate) fn ask(step: &mut Step<'_>, device_id: DeviceId) -> Result<(), Refusal> {
    let mut device = directory::device(step, device_id)?;
    let lately = |at| at <= step.now && step.now.since(at) < ASK_AGAIN;
    if device.unopened.is_empty() || device.reinit_asked_at.is_some_and(lately) || !sessions::can_start(step, &device)?
    {
        return Ok(());
    }
    let digests = std::mem::take(&mut device.unopened);
    let from = device.identity;
    step.put(Key::Device(device_id), Device { reinit_asked_at: Some(step.now), ..device });
    sessions::restart(step, device_id)?;
    let own = step.profile()?.identity;
    let content = outbox::aside(step, own, from, Body::NeedReinit(NeedReinit { digests }));
    outbox::queue(step, device_id, &content, None)?;
    step.emit(Event::SessionReset(from))
}
