//! This node as a mailbox: what it takes from strangers for its contacts, keeps, gives out and throws away
//! (docs/protocol/07-mailbox.md).
//!
//! It learns tags and blobs and nothing else. Nothing that it keeps names who deposited a blob or for whom.
//!
//! | file | what it holds |
//! |---|---|
//! | `deposits` | what is taken, given out, erased, thrown away |
//! | `tokens` | what is issued to contacts, and spent |

mod deposits;
mod tokens;

use kinfolk_wire::limits;
use kinfolk_wire::mailbox::{Host, Refused, Reply, Request};
use kinfolk_wire::time::{Span, Timestamp};

use crate::effect::Effect;
use crate::input::{AskId, MailboxOffer};
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Alarm, Key, Listening, Serving};

pub(crate) use super::tokens::put as put_tokens;
pub(crate) use tokens::{is_honoured, token_key, tokens_wanted};

/// The wait before more is thrown away of what one turn had no time for.
pub(crate) const THROW_AWAY_NEXT: Span = Span::from_secs(1);
/// What somebody is told whose question met a record that is damaged, in seconds.
const LATER: u16 = 3_600;

/// Begins to serve, changes what is offered, or ends it. Says how others find it while it serves. What is stored when it
/// ends stays until its time has come.
pub(crate) fn serve(step: &mut Step<'_>, offer: Option<MailboxOffer>) -> Result<Option<Host>, Refusal> {
    let Some(MailboxOffer { capacity, work_bits }) = offer else {
        step.delete(Key::Serving);
        return Ok(None);
    };
    let serving = match step.find::<Serving>(&Key::Serving)? {
        Some(serving) => Serving { capacity, work_bits, ..serving },
        None => Serving { capacity, work_bits, epoch: tokens::next_epoch(step)?, epoch_since: step.now },
    };
    step.put(Key::Serving, serving);
    Ok(card(step)?.map(|(_, host)| host))
}

/// How others find this node as a mailbox, and the epoch of its token key, while it serves.
pub(crate) fn card(step: &Step<'_>) -> Result<Option<(u32, Host)>, Refusal> {
    let Some(serving) = step.find::<Serving>(&Key::Serving)? else { return Ok(None) };
    let listening: Listening = step.find(&Key::Listening)?.unwrap_or_default();
    let addresses = listening.addresses.into_iter().take(limits::ADDRESSES).collect();
    Ok(Some((serving.epoch, Host { peer: step.profile()?.peer, addresses, work_bits: serving.work_bits })))
}

/// Somebody asks, and is answered once.
pub(crate) fn asked(step: &mut Step<'_>, ask: AskId, body: &[u8]) -> Result<(), Refusal> {
    let request = Request::decode(body);
    let room = if let Ok(Request::Collect(collect)) = &request { collect.room } else { 1 };
    let mut reply = Reply::Refused(Refused::Later(LATER));
    step.contain(|step| {
        reply = match request {
            Ok(Request::Deposit(deposit)) => deposits::deposit(step, deposit)?,
            Ok(Request::Collect(collect)) => Reply::Found(deposits::collect(step, &collect)?),
            Ok(Request::Erase(erasures)) => deposits::erase(step, &erasures).map(|()| Reply::Done)?,
            Err(_) => Reply::Refused(Refused::Malformed),
        };
        Ok(())
    })?;
    step.effect(Effect::Answer(ask, reply.encode(room)));
    Ok(())
}

/// Begins a new epoch of tokens when it is time, and throws away what had expired by then. Nothing goes while the clock has
/// only just been set back.
pub(crate) fn housekeeping(step: &mut Step<'_>, by: Timestamp) -> Result<(), Refusal> {
    if by >= step.now {
        return Ok(());
    }
    tokens::housekeeping(step, by)?;
    throw_away(step, deposits::hour(by))
}

/// Throws away what goes by an hour, as much as one turn has time for; the rest soon. What was dated by a clock that was
/// ahead goes when it would if it came now.
pub(crate) fn throw_away(step: &mut Step<'_>, hour: u64) -> Result<(), Refusal> {
    if hour > deposits::hour(step.now) {
        return Ok(());
    }
    let more = deposits::bring_back(step)? | deposits::throw_away(step, hour)? | tokens::forget(step)?;
    if more {
        step.set_alarm(Alarm::ThrowAway(hour), None, step.now.after(THROW_AWAY_NEXT));
    }
    Ok(())
}
