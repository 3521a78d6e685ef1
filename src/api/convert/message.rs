use std::collections::BTreeMap;

use axum::http::StatusCode;
use kinfolk_engine::event::MessagePlace;
use kinfolk_engine::query::{self, Line};
use kinfolk_engine::store::{Key, MessageState, Read, ReadError, Row};
use kinfolk_rpc::mailbox::Custodian;
use kinfolk_rpc::message as rpc;
use kinfolk_wire::content::{Body, GeoUri, GeoUriError, StickerIdError, Sum, Text, TextError};
use kinfolk_wire::ids::{ConversationId, IdentityId};
use kinfolk_wire::name::Name;

use super::contact::named;
use super::mailbox::custodian;
use crate::problem::Refused;

/// The conversation that a text names: by its own id, which also finds those whose contact was removed, or by the
/// contact it is with.
pub(crate) fn conversation(read: &dyn Read, text: &str) -> Result<ConversationId, Refused> {
    if let Ok(id) = text.parse() {
        match read.get(&Key::Conversation(id)) {
            // Its lines can be read where its own row cannot.
            Ok(Some(_)) | Err(ReadError::Damaged { .. }) => return Ok(id),
            Ok(None) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(named(read, text)?.conversation)
}

/// Where the message with this id stands.
pub(crate) fn place(read: &dyn Read, conversation: ConversationId, id: &str) -> Result<MessagePlace, Refused> {
    let unknown =
        || Refused::new(StatusCode::NOT_FOUND, "unknown_message", "there is no such message in this conversation");
    query::place_of(read, conversation, super::message_id(id)?)?.ok_or_else(unknown)
}

/// One message.
pub(crate) fn one(read: &dyn Read, place: MessagePlace) -> Result<rpc::Message, Refused> {
    let line = query::line(read, place)?.ok_or_else(|| {
        Refused::new(StatusCode::NOT_FOUND, "unknown_message", "there is no such message in this conversation")
    })?;
    Ok(message(&line, &mut Names::of(read)?)?)
}

/// The newest `last` lines of a conversation, or of those before a place.
pub(crate) fn page(
    read: &dyn Read,
    conversation: ConversationId,
    before: Option<MessagePlace>,
    last: usize,
) -> Result<rpc::MessagePage, Refused> {
    let found = query::history(read, conversation, before, last + 1)?;
    let surplus = found.lines.len().saturating_sub(last);
    let lines = found.lines.get(surplus..).unwrap_or_default();
    let mut names = Names::of(read)?;
    Ok(rpc::MessagePage {
        next: (surplus > 0).then(|| lines.first().map(|line| line.place.id.to_string())).flatten(),
        messages: lines.iter().map(|line| message(line, &mut names)).collect::<Result<_, _>>()?,
        damaged: found.damaged as u64,
        seq: query::last_event(read)?,
    })
}

/// A line for a face.
pub(crate) fn message(line: &Line, names: &mut Names<'_>) -> Result<rpc::Message, ReadError> {
    let mut message = rpc::Message {
        message: line.place.id.to_string(),
        chat: line.place.conversation.to_string(),
        from: names.sender(line.place.sender)?,
        at: line.sent_at.min(line.at).as_millis(),
        kind: rpc::Kind::Unknown,
        text: None,
        sticker: None,
        location: None,
        money: None,
        reactions: Vec::new(),
        state: state(line.state),
        custody: names.custody(line.place, line.state)?,
        missing_before: line.missing_before,
    };
    match &line.body {
        Body::Text(text) => {
            message.kind = rpc::Kind::Text;
            message.text = Some(text.as_str().to_owned());
        }
        Body::Sticker(sticker) => {
            message.kind = rpc::Kind::Sticker;
            message.sticker = Some(sticker.to_string());
        }
        Body::Location(place) => {
            message.kind = rpc::Kind::Location;
            message.location = Some(location(place));
        }
        Body::Payment(payment) => {
            message.kind = rpc::Kind::Payment;
            let entry = query::entry_of(payment).map(|entry| entry.to_string());
            message.money = Some(money(&payment.sum, payment.memo.as_ref().map(|memo| &memo.text), entry, None));
        }
        Body::TabPayment(payment) => {
            message.kind = rpc::Kind::Payment;
            let named = query::tab_payment_of(payment);
            let entry = named.map(|(entry, _)| entry.to_string());
            let memo = payment.memo.as_ref().map(|memo| &memo.text);
            let tab = named.map(|(_, tab)| tab.to_string());
            message.money = Some(rpc::Money { tab, ..money(&payment.sum, memo, entry, None) });
        }
        Body::PaymentRequest(signed) => {
            message.kind = rpc::Kind::PaymentRequest;
            if let Ok(invoice) = signed.invoice() {
                let name = query::invoice_name(signed).to_string();
                message.money = Some(money(&invoice.sum, invoice.memo.as_ref(), None, Some(name)));
            }
        }
        _ => {}
    }
    Ok(message)
}

fn money(sum: &Sum, memo: Option<&Text>, entry: Option<String>, invoice: Option<String>) -> rpc::Money {
    let (amount, code) = query::sum_text(sum);
    let memo = memo.map(|memo| memo.as_str().to_owned());
    rpc::Money { amount, currency: sum.currency.to_string(), code, memo, entry, invoice, tab: None }
}

fn location(place: &GeoUri) -> rpc::Location {
    rpc::Location {
        geo: place.to_string(),
        lat: place.latitude().degrees(),
        lon: place.longitude().degrees(),
        accuracy_m: place.accuracy_m(),
    }
}

/// How far a line has come.
pub(crate) const fn state(state: MessageState) -> rpc::MessageState {
    match state {
        MessageState::Queued => rpc::MessageState::Queued,
        MessageState::Sent => rpc::MessageState::Sent,
        MessageState::Delivered => rpc::MessageState::Delivered,
        MessageState::Read => rpc::MessageState::Read,
        MessageState::NotDelivered => rpc::MessageState::NotDelivered,
        MessageState::Received => rpc::MessageState::Received,
    }
}

/// A line that was said.
pub(crate) fn sent(read: &dyn Read, place: MessagePlace, how_far: MessageState) -> Result<rpc::Sent, Refused> {
    Ok(rpc::Sent {
        message: place.id.to_string(),
        chat: place.conversation.to_string(),
        state: state(how_far),
        custody: Names::of(read)?.custody(place, how_far)?,
    })
}

/// What is to be said.
pub(crate) fn body(wish: &rpc::SendMessage) -> Result<Body, Refused> {
    match (&wish.text, &wish.sticker, &wish.location) {
        (Some(text), None, None) => match Text::new(text.as_str()) {
            Ok(text) => Ok(Body::Text(text)),
            Err(error @ TextError::Empty) => Err(Refused::invalid("invalid_text", error.to_string())),
            Err(error @ TextError::TooLong { .. }) => {
                Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_text", error.to_string()))
            }
        },
        (None, Some(sticker), None) => sticker
            .parse()
            .map(Body::Sticker)
            .map_err(|error: StickerIdError| Refused::invalid("invalid_sticker", error.to_string())),
        (None, None, Some(place)) => place
            .parse()
            .map(Body::Location)
            .map_err(|error: GeoUriError| Refused::invalid("invalid_location", error.to_string())),
        _ => Err(Refused::invalid("invalid_content", "expected exactly one of text, sticker and location")),
    }
}

/// What people are called here; each is looked up once.
pub(crate) struct Names<'a> {
    read: &'a dyn Read,
    known: BTreeMap<IdentityId, rpc::Sender>,
}

impl<'a> Names<'a> {
    pub(crate) fn of(read: &'a dyn Read) -> Result<Self, ReadError> {
        let own = query::profile(read)?.map(|profile| (profile.identity, sender(profile.identity, &profile.name)));
        Ok(Self { read, known: own.into_iter().collect() })
    }

    /// The person whose profile this is.
    pub(crate) fn own(&mut self) -> Result<rpc::Sender, ReadError> {
        let own = query::profile(self.read)?.map_or(IdentityId::new([0; 32]), |profile| profile.identity);
        self.sender(own)
    }

    /// Somebody who said something, also where the contact was removed since, or cannot be read.
    pub(crate) fn sender(&mut self, identity: IdentityId) -> Result<rpc::Sender, ReadError> {
        if let Some(known) = self.known.get(&identity) {
            return Ok(known.clone());
        }
        let found = match self.read.get(&Key::Contact(identity)) {
            Ok(Some(Row::Contact(contact))) => sender(identity, &contact.name),
            // What they said can still be read where their own row cannot.
            Ok(_) | Err(ReadError::Damaged { .. }) => {
                let short: String = identity.to_string().chars().take(8).collect();
                rpc::Sender { identity: identity.to_string(), name: short.clone(), display_name: short }
            }
            Err(error) => return Err(error),
        };
        self.known.insert(identity, found.clone());
        Ok(found)
    }

    /// Who keeps a line that has come this far until its recipient comes for it.
    pub(crate) fn custody(&mut self, place: MessagePlace, how_far: MessageState) -> Result<Vec<Custodian>, ReadError> {
        if how_far != MessageState::Sent {
            return Ok(Vec::new());
        }
        let hosts = match query::custody(self.read, place) {
            Ok(hosts) => hosts,
            // The line itself can be read where what became of it cannot.
            Err(ReadError::Damaged { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        hosts.into_iter().map(|host| custodian(self.read, host, self)).collect()
    }
}

fn sender(identity: IdentityId, name: &Name) -> rpc::Sender {
    rpc::Sender { identity: identity.to_string(), name: name.as_str().to_owned(), display_name: name.isolated() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(wish: &rpc::SendMessage) -> &'static str {
        body(wish).unwrap_err().code
    }

    #[test]
    fn a_message_is_exactly_one_thing() {
        let text = rpc::SendMessage { text: Some("hi".into()), ..rpc::SendMessage::default() };
        assert!(matches!(body(&text), Ok(Body::Text(_))));
        assert_eq!(refused(&rpc::SendMessage::default()), "invalid_content");
        assert_eq!(refused(&rpc::SendMessage { sticker: Some("kin/hello".into()), ..text }), "invalid_content");
    }

    #[test]
    fn what_cannot_be_said_is_named() {
        let wish = rpc::SendMessage::default;
        assert_eq!(refused(&rpc::SendMessage { text: Some(String::new()), ..wish() }), "invalid_text");
        assert_eq!(refused(&rpc::SendMessage { text: Some("a".repeat(32_769)), ..wish() }), "invalid_text");
        assert_eq!(refused(&rpc::SendMessage { sticker: Some("../x".into()), ..wish() }), "invalid_sticker");
        assert_eq!(refused(&rpc::SendMessage { location: Some("91,0".into()), ..wish() }), "invalid_location");
    }
}
