//! What comes by others: from mailbox hosts, and by hand.

use std::collections::BTreeSet;

use kinfolk_wire::carried::Carried;
use kinfolk_wire::mailbox::Reply;

use super::{Imported, payloads, settle};
use crate::effect::RequestId;
use crate::features::contacts::by_mail::{asker, maker};
use crate::features::mailboxes;
use crate::input::Command;
use crate::refusal::Refusal;
use crate::services::by_hand::{self, Came, Sorted};
use crate::services::collect::Envelope;
use crate::services::{collect, deposit, healing};
use crate::step::Step;
use crate::store::{Errand, Key};

/// What a host was asked has an outcome: its reply, or none.
pub(super) fn answered(step: &mut Step<'_>, request: RequestId, body: Option<&[u8]>) -> Result<(), Refusal> {
    let key = Key::Errand(request.0);
    let Some(errand) = step.find::<Errand>(&key)? else { return Ok(()) };
    step.delete(key);
    let reply = body.and_then(|body| Reply::decode(body).ok());
    match errand {
        Errand::Deposit { device, item, host, line, again } => {
            let outcome = deposit::Outcome { device, item, host, line, again };
            let gone = deposit::answered(step, &outcome, reply.as_ref())?;
            settle(step, gone.as_slice())
        }
        Errand::Collect { host, asked, room } => {
            let look = collect::answered(step, host, &asked, room, reply.as_ref())?;
            let (mut taken, mut heard) = (Vec::new(), Vec::new());
            for (place, request) in &look.requests {
                if step.contain(|step| maker::requested(step, place.invite, request.as_slice()))? {
                    heard.push(*place);
                }
            }
            for Envelope { slot, payload } in &look.envelopes {
                if step.contain(|step| payloads::collected(step, slot.device, payload.as_slice()).map(|_| ()))? {
                    taken.push(*slot);
                }
            }
            let dropped = collect::dealt_with(step, host, &look, &taken, &heard)?;
            for device in taken.iter().map(|slot| slot.device).collect::<BTreeSet<_>>() {
                step.contain(|step| mailboxes::tell(step, device))?;
            }
            if dropped { mailboxes::dropped(step, host) } else { Ok(()) }
        }
        Errand::Erase { .. } => Ok(()),
        Errand::LeavePrekeys(left) => maker::answered(step, &left, reply.as_ref()),
        Errand::FindPrekeys { identity, attempt, host, places } => {
            asker::prekeys_found(step, identity, attempt, host, &places, reply.as_ref())
        }
        Errand::LeaveRequest(left) => asker::answered(step, &left, reply.as_ref()),
    }
}

/// Takes what came by hand.
pub(super) fn import(step: &mut Step<'_>, mut records: Vec<Carried>) -> Result<Imported, Refusal> {
    records.truncate(Command::RECORDS);
    let sorted = by_hand::sort(step, records)?;
    let Sorted { known, carried, expired, damaged, .. } = sorted;
    let mut tally = Imported { taken: 0, known, carried, expired, damaged };
    let mut from = BTreeSet::new();
    for envelope in sorted.envelopes {
        let mut came = Came::Unopened;
        from.insert(envelope.slot.device);
        step.contain(|step| {
            let (opened, digest) = payloads::open(step, envelope.slot.device, envelope.payload.as_slice())?;
            came = by_hand::settle(step, envelope.slot, opened)?;
            match digest {
                Some(digest) if came == Came::Unopened => healing::failed(step, envelope.slot.device, digest),
                _ => Ok(()),
            }
        })?;
        match came {
            Came::New => tally.taken += 1,
            Came::Again => tally.known += 1,
            Came::Unopened => tally.damaged += 1,
        }
    }
    for device in from {
        step.contain(|step| mailboxes::tell(step, device))?;
    }
    Ok(tally)
}
