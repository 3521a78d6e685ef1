use kinfolk_rpc::contact::{Contact, ContactState, NameWarning};

use super::short;
use super::time::moment;

/// Contacts, one a line. The name comes last: its width on a screen is anybody's guess.
pub(crate) fn list(contacts: &[Contact]) -> String {
    if contacts.is_empty() {
        return "Nobody yet. Make a link for somebody with: kinfolk invite\n".to_owned();
    }
    contacts.iter().map(|contact| format!("{}\n", line(contact))).collect()
}

fn line(contact: &Contact) -> String {
    let seen = match contact.last_seen {
        _ if contact.online => "online".to_owned(),
        Some(millis) => moment(millis),
        None => "never seen".to_owned(),
    };
    let mut line =
        format!("{:8}  {:9}  {:20}  {}", short(&contact.contact), standing(contact), seen, contact.display_name);
    if contact.verified {
        line.push_str("  (verified)");
    }
    if contact.unread > 0 {
        line.push_str(&format!("  ({} new)", contact.unread));
    }
    if contact.mailbox_full {
        line.push_str("  (their mailboxes are full)");
    }
    line.push_str(&warning(contact.warning.as_ref()));
    line
}

/// What a person is to know of a name, in a line of its own; nothing where there is nothing to say.
pub(crate) fn warning(warning: Option<&NameWarning>) -> String {
    warning.map(|warning| format!("\n  Careful: {}", warning.message)).unwrap_or_default()
}

/// How it stands with a contact.
pub(crate) const fn standing(contact: &Contact) -> &'static str {
    match contact.state {
        _ if contact.blocked => "blocked",
        ContactState::Requested => "requested",
        ContactState::Asking => "asking",
        ContactState::Accepted => "contact",
        ContactState::Declined => "declined",
        ContactState::Removed => "removed",
    }
}
