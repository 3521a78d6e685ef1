//! Mailboxes: serving as one, naming one's own, and telling contacts of both (docs/protocol/07-mailbox.md).

use kinfolk_wire::ids::PeerId;
use kinfolk_wire::mailbox::Host;

use crate::input::{MailboxChoice, MailboxOffer};
use crate::refusal::Refusal;
use crate::services::host;
use crate::step::Step;

/// Serves contacts as a mailbox, or no longer. Says how this node is found while it does.
pub(crate) fn serve(step: &mut Step<'_>, offer: Option<MailboxOffer>) -> Result<Option<Host>, Refusal> {
    host::serve(step, offer)
}

/// Names a host for what is sent to this person.
pub(crate) fn add(_step: &mut Step<'_>, choice: MailboxChoice) -> Result<Host, Refusal> {
    match choice {
        MailboxChoice::Host(host) => Ok(host),
        MailboxChoice::Contact(_) => Err(Refusal::UnknownContact),
    }
}

/// Names a host no longer.
pub(crate) fn remove(_step: &mut Step<'_>, _host: PeerId) -> Result<(), Refusal> {
    Err(Refusal::UnknownContact)
}
