//! The only place where the shapes of the door meet the node's types: a text becomes a real type or a refusal that says
//! what was wrong with it, and an answer becomes plain text and numbers.

pub(crate) mod bundle;
pub(crate) mod contact;
pub(crate) mod event;
pub(crate) mod invite;
pub(crate) mod invoice;
pub(crate) mod mailbox;
pub(crate) mod merchant;
pub(crate) mod message;
pub(crate) mod reach;
pub(crate) mod refusal;
pub(crate) mod status;
pub(crate) mod sticker;
pub(crate) mod tab;
pub(crate) mod wallet;

use kinfolk_wire::ids::MessageId;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;

use crate::problem::Refused;

/// The longest that a link or an invoice may be honoured.
const LONGEST: Span = Span::from_days(366);

/// For how long something is honoured.
fn lifetime(wished: Option<u64>, usual: Span) -> Result<Span, Refused> {
    let lifetime = wished.map_or(usual, Span::from_millis);
    if lifetime == Span::ZERO || lifetime > LONGEST {
        let most = LONGEST.as_millis();
        return Err(Refused::invalid("invalid_expiry", format!("expires_in_ms: expected 1 to {most} (366 days)")));
    }
    Ok(lifetime)
}

/// A name as it was typed.
pub(crate) fn name(text: &str) -> Result<Name, Refused> {
    Name::new(text).map_err(|error| Refused::invalid("invalid_name", error.to_string()))
}

/// The id of a message.
pub(crate) fn message_id(text: &str) -> Result<MessageId, Refused> {
    text.parse().map_err(|error: kinfolk_wire::ids::ParseIdError| Refused::invalid("invalid_id", error.to_string()))
}
