//! What people read. Names come from the door in a form made for screens; texts are made safe here. Nothing here prints.

pub(crate) mod bundle;
pub(crate) mod contact;
pub(crate) mod event;
pub(crate) mod invoice;
pub(crate) mod mailbox;
pub(crate) mod merchant;
pub(crate) mod message;
pub(crate) mod qr;
pub(crate) mod rescue;
pub(crate) mod startup;
pub(crate) mod status;
pub(crate) mod tab;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod wallet;

/// The beginning of an id: enough to name it by.
pub(crate) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}
