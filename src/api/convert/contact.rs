use data_encoding::BASE64URL_NOPAD;
use kinfolk_engine::lookalikes::NameWarning;
use kinfolk_engine::query::{self, ContactView};
use kinfolk_engine::store::{ContactState, Read};
use kinfolk_rpc::contact as rpc;
use kinfolk_wire::ids::IdentityId;
use kinfolk_wire::invite::InviteLink;

use crate::problem::Refused;

/// A contact for a face.
pub(crate) fn contact(view: &ContactView) -> rpc::Contact {
    rpc::Contact {
        contact: view.identity.to_string(),
        name: view.name.as_str().to_owned(),
        display_name: view.name.isolated(),
        chat: view.conversation.to_string(),
        state: state(view.state),
        verified: view.verified,
        blocked: view.blocked,
        online: view.online,
        last_seen: view.last_seen.map(kinfolk_wire::time::Timestamp::as_millis),
        devices: view.devices.iter().map(ToString::to_string).collect(),
        unread: view.unread,
        mailbox_full: view.mailbox_full,
        warning: view.warning.as_ref().map(warning),
    }
}

fn warning(warning: &NameWarning) -> rpc::NameWarning {
    let (kind, contact) = match warning {
        NameWarning::LikeContact(identity, _) => (rpc::NameWarningKind::LikeContact, Some(identity.to_string())),
        NameWarning::LikeOwnName => (rpc::NameWarningKind::LikeOwnName, None),
    };
    rpc::NameWarning { kind, contact, message: warning.to_string() }
}

const fn state(state: ContactState) -> rpc::ContactState {
    match state {
        ContactState::Requested => rpc::ContactState::Requested,
        ContactState::Asking => rpc::ContactState::Asking,
        ContactState::Accepted => rpc::ContactState::Accepted,
        ContactState::Declined => rpc::ContactState::Declined,
        ContactState::Removed => rpc::ContactState::Removed,
    }
}

/// The contact that a text names. A whole id goes before any name, as people may call themselves what they like.
pub(crate) fn named(read: &dyn Read, text: &str) -> Result<ContactView, Refused> {
    if let Ok(id) = text.parse::<IdentityId>() {
        if let Some(view) = query::contact(read, id)? {
            return Ok(view);
        }
        if let Some(view) =
            query::contacts(read)?.into_iter().find(|view| view.conversation.as_bytes() == id.as_bytes())
        {
            return Ok(view);
        }
    }
    Ok(query::resolve(read, text)?)
}

/// A page of contacts after a cursor.
pub(crate) fn page(read: &dyn Read, after: Option<&str>, limit: usize) -> Result<rpc::ContactPage, Refused> {
    let all = query::contacts(read)?;
    let after = after.map(Cursor::parse).transpose()?;
    let mut rest = all.iter().filter(|view| after.as_ref().is_none_or(|after| Cursor::of(view) > *after));
    let contacts: Vec<&ContactView> = rest.by_ref().take(limit).collect();
    let next = rest.next().and(contacts.last()).map(|last| Cursor::of(last).to_text());
    Ok(rpc::ContactPage { contacts: contacts.into_iter().map(contact).collect(), next, seq: query::last_event(read)? })
}

/// A place in the order of contacts: name, then identity.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Cursor {
    name: String,
    identity: IdentityId,
}

impl Cursor {
    fn of(view: &ContactView) -> Self {
        Self { name: view.name.as_str().to_owned(), identity: view.identity }
    }

    fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(&[self.identity.as_bytes(), self.name.as_bytes()].concat())
    }

    fn parse(text: &str) -> Result<Self, Refused> {
        let unknown = || Refused::invalid("invalid_cursor", "after: expected what the page before gave as next");
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| unknown())?;
        let (identity, name) = bytes.split_first_chunk().ok_or_else(unknown)?;
        let name = String::from_utf8(name.to_vec()).map_err(|_| unknown())?;
        Ok(Self { name, identity: IdentityId::new(*identity) })
    }
}

/// A link as it was pasted.
pub(crate) fn link(text: &str) -> Result<InviteLink, Refused> {
    text.parse()
        .map_err(|error: kinfolk_wire::invite::InviteLinkError| Refused::invalid("invalid_link", error.to_string()))
}

/// The safety number with a contact.
pub(crate) fn safety_number(own: &IdentityId, view: &ContactView) -> rpc::SafetyNumber {
    let number = kinfolk_crypto::identity::safety_number(own, &view.identity);
    rpc::SafetyNumber { safety_number: number.to_string(), verified: view.verified }
}

/// Somebody who was asked, and how far it has come.
pub(crate) fn added(view: &ContactView, how_far: ContactState) -> rpc::Added {
    rpc::Added {
        contact: view.identity.to_string(),
        name: view.name.as_str().to_owned(),
        display_name: view.name.isolated(),
        state: state(how_far),
        warning: view.warning.as_ref().map(warning),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_and_other_texts_are_refused() {
        let cursor = Cursor { name: "Zoë\u{202e}".into(), identity: IdentityId::new([7; 32]) };
        assert!(Cursor::parse(&cursor.to_text()).is_ok_and(|parsed| parsed == cursor));
        for text in ["", "AAAA", "!", "é"] {
            assert_eq!(Cursor::parse(text).err().map(|refused| refused.code), Some("invalid_cursor"), "{text}");
        }
    }
}
