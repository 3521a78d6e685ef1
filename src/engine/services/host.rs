//! This node as a mailbox: what it takes from strangers for its contacts, keeps, gives out and throws away
//! (docs/protocol/07-mailbox.md).
//!
//! It learns tags and blobs and nothing else. Nothing that it keeps names who deposited a blob or for whom.

use kinfolk_wire::content::TokenShare;
use kinfolk_wire::ids::{DeviceId, GroupElement};
use kinfolk_wire::limits;
use kinfolk_wire::mailbox::{Host, Refused, Reply};

use crate::effect::Effect;
use crate::input::{AskId, MailboxOffer};
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Key, Listening, Serving};

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

/// How others find this node as a mailbox, and the epoch of its token key, while it serves.
pub(crate) fn card(step: &Step<'_>) -> Result<Option<(u32, Host)>, Refusal> {
    let Some(serving) = step.find::<Serving>(&Key::Serving)? else { return Ok(None) };
    let listening: Listening = step.find(&Key::Listening)?.unwrap_or_default();
    let peer = step.profile()?.peer;
    let addresses = listening.addresses.into_iter().take(limits::ADDRESSES).collect();
    Ok(Some((serving.epoch, Host { peer, addresses, work_bits: serving.work_bits })))
}

/// The public half of the key under which this node issues tokens in an epoch.
pub(crate) fn token_key(_step: &Step<'_>, _epoch: u32) -> Result<GroupElement, Refusal> {
    Ok(GroupElement::new([0; 32]))
}

/// A contact gave tokens to deposit for a device of theirs.
pub(crate) fn put_tokens(_step: &mut Step<'_>, _device: DeviceId, _share: TokenShare) -> Result<(), Refusal> {
    Ok(())
}
