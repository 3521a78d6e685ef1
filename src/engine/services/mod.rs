//! What several features need. A service never decides what a person may do; it knows how things are found, sealed and
//! sent.

pub(crate) mod by_hand;
pub(crate) mod collect;
pub(crate) mod deposit;
pub(crate) mod directory;
pub(crate) mod errands;
pub(crate) mod flow;
pub(crate) mod healing;
pub(crate) mod host;
pub(crate) mod links;
pub(crate) mod outbox;
pub(crate) mod outgoing;
pub(crate) mod prekeys;
pub(crate) mod sessions;
pub(crate) mod tokens;
