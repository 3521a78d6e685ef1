//! This node as a mailbox: what it takes from strangers for its contacts, keeps, gives out and throws away
//! (docs/protocol/07-mailbox.md).
//!
//! It learns tags and blobs and nothing else. Nothing that it keeps names who deposited a blob or for whom.

use kinfolk_wire::mailbox::{Host, Refused, Reply};

use crate::effect::Effect;
use crate::input::{AskId, MailboxOffer};
use crate::refusal::Refusal;
use crate::step::Step;

/// Begins to serve, changes what is offered, or ends it. Says how others find it while it serves.
pub(crate) fn serve(_step: &mut Step<'_>, _offer: Option<MailboxOffer>) -> Result<Option<Host>, Refusal> {
    Ok(None)
}

/// Somebody asks.
pub(crate) fn asked(step: &mut Step<'_>, ask: AskId, _body: &[u8]) -> Result<(), Refusal> {
    let reply = Reply::Refused(Refused::NotServing);
    step.effect(Effect::Answer(ask, reply.encode(1)));
    Ok(())
}
