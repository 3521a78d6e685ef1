//! Floor 6: the local door. HTTP/1.1 with JSON under `/v1`, on the loopback interface and on a Unix socket in the
//! profile, for the person's own programs on this machine.
//!
//! [`open`] opens it over a node's [`Handle`]. A handler is three things: read the request into
//! real types, ask the node, reply. What is true and what is allowed is decided by the node; the door only decides who
//! may knock.
//!
//! | file | what it holds |
//! |---|---|
//! | `server` | opening, `door.json`, closing |
//! | `listen` | connections, bounded |
//! | `guard` | who may knock: Host, Origin, Sec-Fetch-Site, token; the headers of every answer |
//! | `token` | the secret of `door.json` |
//! | `extract` | bodies, queries and paths, bounded |
//! | `convert` | the only place where `kinfolk-rpc` meets the node's types |
//! | `problem` | what went wrong, as RFC 9457 |
//! | `feed` | events: subscribe, then read the log, lose nothing, double nothing |
//! | `routes` | the handlers |
//! | [`openapi`] | the description of all this, generated |
//!
//! It never listens beyond the loopback interface, never sends a CORS header, never writes what passes to a log.

mod convert;
mod extract;
mod feed;
mod guard;
mod listen;
pub mod openapi;
mod problem;
mod routes;
mod server;
mod token;

pub use server::{Entrance, OpenDoor, OpenError, open};

use std::path::PathBuf;
use std::sync::Arc;

use kinfolk_node::Handle;
use tokio::sync::watch;

use crate::token::Token;

/// What every handler may use.
#[derive(Clone)]
pub(crate) struct Room(Arc<Furniture>);

struct Furniture {
    node: Handle,
    profile: PathBuf,
    token: Token,
    /// Turns true when the door closes.
    closing: watch::Receiver<bool>,
}

impl Room {
    pub(crate) fn new(node: Handle, profile: PathBuf, token: Token, closing: watch::Receiver<bool>) -> Self {
        Self(Arc::new(Furniture { node, profile, token, closing }))
    }

    pub(crate) fn node(&self) -> &Handle {
        &self.0.node
    }

    pub(crate) fn profile(&self) -> &PathBuf {
        &self.0.profile
    }

    pub(crate) fn token(&self) -> &Token {
        &self.0.token
    }

    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.0.closing.clone()
    }
}
