//! Floor 0: what crosses the local socket.
//!
//! The shapes of version 1 of the door: requests, answers, events, problems, the file by which a face finds the door,
//! and the routes. They are for readers outside: strings, numbers and tags, ids as lower-case hexadecimal text, times in
//! milliseconds since the Unix epoch. `kinfolk-api` serves them, `kinfolk-client` asks for them, and the command line
//! prints them as they are with `--json`.
//!
//! Nothing here knows a type of the node, checks whether an id is one, or does any I/O. Within version 1 a field may be
//! added and a reader ignores what it does not know; a name, once given, stays.
//!
//! | file | what it holds |
//! |---|---|
//! | [`door`] | [`Door`](door::Door): `door.json` |
//! | [`route`] | paths and how to build them |
//! | [`status`] | the node itself |
//! | [`contact`] | people |
//! | [`invite`] | links |
//! | [`message`] | lines of a conversation |
//! | [`mailbox`] | nodes that keep messages for people who are away |
//! | [`bundle`] | messages that are carried by hand |
//! | [`sticker`] | stickers |
//! | [`wallet`], [`invoice`], [`merchant`], [`tab`] | money |
//! | [`event`] | what a face is told |
//! | [`problem`] | what went wrong, as RFC 9457 writes it |

pub mod bundle;
pub mod contact;
pub mod door;
pub mod event;
pub mod invite;
pub mod invoice;
pub mod mailbox;
pub mod merchant;
pub mod message;
pub mod problem;
pub mod route;
pub mod status;
pub mod sticker;
pub mod tab;
pub mod wallet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// It is done, and there is nothing more to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({"ok": true}))]
pub struct Done {
    /// Always true.
    pub ok: bool,
}

impl Done {
    /// The only one there is.
    #[must_use]
    pub const fn new() -> Self {
        Self { ok: true }
    }
}

impl Default for Done {
    fn default() -> Self {
        Self::new()
    }
}
