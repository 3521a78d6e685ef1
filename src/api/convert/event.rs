use std::cell::OnceCell;

use kinfolk_engine::Event;
use kinfolk_engine::query::{self, People};
use kinfolk_engine::store::{Read, ReadError};
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_rpc::contact as rpc_contact;
use kinfolk_rpc::event as rpc;
use kinfolk_wire::ids::IdentityId;

use super::contact::contact;
use super::mailbox::custodian;
use super::message::{Names, message, state};

/// A page of the log.
pub(crate) struct Page {
    /// What there is to tell.
    pub(crate) events: Vec<rpc::Event>,
    /// The number that the next page follows.
    pub(crate) last: u64,
    /// Whether there may be more.
    pub(crate) more: bool,
}

/// The log after a number. Where events are missing there, because the log no longer goes back so far, is damaged, or is
/// another one altogether, a reset stands for them and the log goes on after its end.
pub(crate) fn page(read: &dyn Read, since: u64, limit: usize) -> Result<Page, ReadError> {
    let found = query::events_after(read, since, limit)?;
    let newest = query::last_event(read)?;
    let mut page = Page { events: Vec::new(), last: since, more: found.events.len() >= limit };
    let whole = found.events.iter().zip(since.saturating_add(1)..).all(|((number, _), expected)| *number == expected);
    if found.gap || since > newest || !whole {
        page.events.push(rpc::Event { seq: Some(newest), what: rpc::What::Reset });
        page.last = newest;
        page.more = false;
        return Ok(page);
    }
    let (mut names, people) = (Names::of(read)?, OnceCell::new());
    for (number, event) in found.events {
        page.last = number;
        page.events.extend(said(read, &mut names, &people, &event)?.map(|what| rpc::Event { seq: Some(number), what }));
    }
    Ok(page)
}

/// An event for a face; nothing where what it tells of is gone by now, which a later event tells.
pub(crate) fn what(read: &dyn Read, event: &Event) -> Result<Option<rpc::What>, ReadError> {
    said(read, &mut Names::of(read)?, &OnceCell::new(), event)
}

/// The contacts are read once for many events, and only where one of them is told of.
fn person_as_known<'a>(
    read: &'a dyn Read,
    people: &OnceCell<People<'a>>,
    identity: IdentityId,
) -> Result<Option<rpc_contact::Contact>, ReadError> {
    let people = match people.get() {
        Some(people) => people,
        None => {
            let found = People::of(read)?;
            people.get_or_init(|| found)
        }
    };
    match people.contact(identity) {
        Ok(view) => Ok(view.map(|view| contact(&view))),
        // Who cannot be read any more is not told of, and the log goes on.
        Err(ReadError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn said<'a>(
    read: &'a dyn Read,
    names: &mut Names<'_>,
    people: &OnceCell<People<'a>>,
    event: &Event,
) -> Result<Option<rpc::What>, ReadError> {
    Ok(match event {
        Event::MessageAdded(place) => match query::line(read, *place) {
            Ok(line) => line.map(|line| message(&line, names)).transpose()?.map(rpc::What::MessageAdded),
            Err(ReadError::Damaged { .. }) => {
                Some(rpc::What::MessageDamaged { message: place.id.to_string(), chat: place.conversation.to_string() })
            }
            Err(error) => return Err(error),
        },
        Event::MessageChanged(place, how_far) => Some(rpc::What::MessageChanged {
            message: place.id.to_string(),
            chat: place.conversation.to_string(),
            state: state(*how_far),
            custody: names.custody(*place, *how_far)?,
        }),
        Event::ContactAdded(identity) => person_as_known(read, people, *identity)?.map(rpc::What::ContactAdded),
        Event::ContactChanged(identity) => person_as_known(read, people, *identity)?.map(rpc::What::ContactChanged),
        Event::ContactRemoved(identity) => Some(rpc::What::ContactRemoved { contact: identity.to_string() }),
        Event::SessionReset(identity) => {
            let (contact, name, display_name) = person(names, *identity)?;
            Some(rpc::What::SessionReset { contact, name, display_name })
        }
        Event::PeerOnline(identity, online) => {
            let (contact, name, display_name) = person(names, *identity)?;
            Some(rpc::What::PeerOnline { contact, name, display_name, online: *online })
        }
        Event::PaymentChanged(_, entry) => query::payment(read, *entry)?
            .map(|view| super::wallet::payment(&view, names))
            .transpose()?
            .map(rpc::What::PaymentChanged),
        Event::InvoiceChanged(id) => query::invoice(read, *id, SystemClock.now())?
            .map(|view| super::invoice::invoice(&view, names))
            .transpose()?
            .map(rpc::What::InvoiceChanged),
        Event::MerchantChanged(currency, who) => super::merchant::view(read, *currency, Some(*who))?
            .map(|view| super::merchant::merchant(&view, names))
            .transpose()?
            .map(rpc::What::MerchantChanged),
        Event::CurrencyChanged(currency) => {
            let known = query::currencies(read)?.into_iter().find(|view| view.id == *currency);
            known.map(|view| rpc::What::CurrencyChanged(super::wallet::currency(&view)))
        }
        // `status` tells where; the wallet's routes wait for the others.
        Event::Listening | Event::WitnessAnswered(_) | Event::WitnessTrouble(_) | Event::PayeeKnown(_) => None,
        Event::HashTable => Some(rpc::What::HashTable(super::status::hash_table(read)?)),
        Event::MailboxDropped(peer) => Some(rpc::What::MailboxDropped(custodian(read, *peer, names)?)),
    })
}

fn person(names: &mut Names<'_>, identity: IdentityId) -> Result<(String, String, String), ReadError> {
    let sender = names.sender(identity)?;
    Ok((sender.identity, sender.name, sender.display_name))
}
