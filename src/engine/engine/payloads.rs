//! What devices of contacts have sealed for this one, whatever way it came: opened, and passed on to whom it is for.

use kinfolk_wire::content::{Body, Content};
use kinfolk_wire::direct::NackCode;
use kinfolk_wire::ids::{DeviceId, IdentityId, PayloadDigest, PeerId};

use crate::features::wallet::Final;
use crate::features::{contacts, conversations, mailboxes, wallet};
use crate::input::Delivery;
use crate::refusal::Refusal;
use crate::services::by_hand::Came;
use crate::services::sessions::Opening;
use crate::services::{directory, healing, host, sessions, tokens};
use crate::step::{Rejection, Step};
use crate::store::{Key, Link};

pub(super) fn received(step: &mut Step<'_>, delivery: Delivery, body: &[u8]) -> Result<(), Refusal> {
    let link: Option<Link> = step.find(&Key::Link(delivery.peer))?;
    let Some(device) = link.and_then(|link| link.device) else {
        step.reject(Rejection::Stranger);
        step.refuse(delivery, NackCode::Later);
        return Ok(());
    };
    let from = directory::device(step, device)?.identity;
    let contact = directory::contact(step, from)?;
    if contact.blocked {
        step.reject(Rejection::Stranger);
        step.refuse(delivery, NackCode::Refused);
        return Ok(());
    }
    match sessions::open(step, device, body)? {
        Opening::Content(content, digest) => {
            opened(step, Some(delivery.peer), device, from, *content, digest)?;
            step.acknowledge(delivery);
        }
        Opening::Malformed => {
            step.reject(Rejection::Malformed);
            step.acknowledge(delivery);
        }
        Opening::Again(row) => {
            conversations::received_again(step, from, &row)?;
            step.acknowledge(delivery);
        }
        Opening::Failed(digest) => {
            step.reject(Rejection::Undecryptable);
            healing::failed(step, device, digest)?;
            step.refuse(delivery, NackCode::Undecryptable);
        }
    }
    Ok(())
}

fn opened(
    step: &mut Step<'_>,
    peer: Option<PeerId>,
    device: DeviceId,
    from: IdentityId,
    content: Content,
    digest: PayloadDigest,
) -> Result<(), Refusal> {
    match content.body {
        Body::Receipt(receipt) => conversations::receipt(step, device, from, content.conversation, &receipt),
        Body::NeedReinit(need) => healing::asked(step, device, &need),
        Body::Reach(reach) => contacts::reached(step, peer, device, reach),
        Body::Request(_) | Body::Accept(_) | Body::Decline => {
            contacts::heard(step, from, content.body)?;
            mailboxes::tell(step, device)
        }
        Body::Mailboxes(mailboxes) => mailboxes::heard_of_hosts(step, device, mailboxes),
        Body::Serving(serving) => {
            mailboxes::heard_of_serving(step, device, serving)?;
            tokens::want(step, device)
        }
        Body::TokensWanted(wanted) => host::tokens_wanted(step, device, from, &wanted),
        Body::TokensIssued(issued) => {
            tokens::issued(step, device, &issued)?;
            mailboxes::tell_everybody(step)
        }
        Body::Currency(card) => wallet::currencies::heard(step, from, &card),
        Body::AccountWanted(wanted) => wallet::receiving::account_wanted(step, from, wanted),
        Body::PayTo(pay_to) => wallet::receiving::pay_to(step, from, pay_to),
        Body::TabSettled(settled) => wallet::tabs::receiving::settled(step, from, &settled),
        Body::MerchantWanted(wanted) => wallet::merchants::wanted(step, from, wanted),
        Body::MerchantCertified(certified) => wallet::merchants::certified(step, from, certified),
        Body::Promise(promise) => {
            // As for a line: nobody promises who was not let in.
            if contacts::may_speak(step, from)? {
                wallet::promised::came(step, from, &promise)
            } else {
                step.reject(Rejection::Misplaced);
                Ok(())
            }
        }
        Body::Payment(_) | Body::PaymentRequest(_) | Body::TabPayment(_) => money(step, device, from, &content, digest),
        Body::Text(_) | Body::Sticker(_) | Body::Location(_) | Body::Unknown { .. } if content.body.is_shown() => {
            // A line may overtake the yes that came before it, but nobody speaks who was not let in.
            if contacts::may_speak(step, from)? {
                conversations::receive(step, device, from, &content, digest)
            } else {
                step.reject(Rejection::Misplaced);
                Ok(())
            }
        }
        _ => Ok(()),
    }
}

/// A line about money: the wallet says whether it is true.
fn money(
    step: &mut Step<'_>,
    device: DeviceId,
    from: IdentityId,
    content: &Content,
    digest: PayloadDigest,
) -> Result<(), Refusal> {
    if !contacts::may_speak(step, from)? {
        step.reject(Rejection::Misplaced);
        return Ok(());
    }
    let is_true = conversations::is_known(step, from, content.id)?
        || match &content.body {
            Body::Payment(payment) => wallet::receiving::paid(step, from, payment)?,
            Body::PaymentRequest(invoice) => wallet::invoices::came(step, from, invoice)?,
            Body::TabPayment(payment) => wallet::tabs::receiving::paid(step, from, payment)?,
            _ => false,
        };
    if is_true { conversations::receive(step, device, from, content, digest) } else { Ok(()) }
}

/// Whoever was paid is handed the receipt, as a line. Who is no contact any more has to be told otherwise.
pub(super) fn hand_over(step: &mut Step<'_>, Final { contact, payment }: Final) -> Result<(), Refusal> {
    if directory::find(step, contact)?.is_some_and(|contact| directory::is_open(&contact)) {
        conversations::say_to(step, contact, Body::Payment(payment))?;
    }
    Ok(())
}

/// Something that a contact's device left for this one. Where it lay proves the two devices, as a hello does.
pub(super) fn collected(step: &mut Step<'_>, device: DeviceId, payload: &[u8]) -> Result<Came, Refusal> {
    let (came, digest) = open(step, device, payload)?;
    if let Some(digest) = digest {
        healing::failed(step, device, digest)?;
    }
    Ok(came)
}

/// The same, but for what is done about something that does not open: its digest is given back.
pub(super) fn open(
    step: &mut Step<'_>,
    device: DeviceId,
    payload: &[u8],
) -> Result<(Came, Option<PayloadDigest>), Refusal> {
    let from = directory::device(step, device)?.identity;
    match sessions::open(step, device, payload)? {
        Opening::Content(content, digest) => {
            opened(step, None, device, from, *content, digest).map(|()| (Came::New, None))
        }
        Opening::Malformed => {
            step.reject(Rejection::Malformed);
            Ok((Came::New, None))
        }
        Opening::Again(row) => conversations::received_again(step, from, &row).map(|()| (Came::Again, None)),
        Opening::Failed(digest) => {
            step.reject(Rejection::Undecryptable);
            Ok((Came::Unopened, Some(digest)))
        }
    }
}
