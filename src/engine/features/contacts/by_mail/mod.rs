//! First contact of two who are never there together (docs/protocol/07-mailbox.md, "Meeting by an invite").
//!
//! An invite names hosts. [`maker`] leaves its prekeys there, under tags that its secret gives; [`asker`] fetches them,
//! and leaves its request in one of a few places that the maker looks at whenever it fetches mail. The answer goes the
//! way of every other envelope, to hosts that the request names.

pub(crate) mod asker;
pub(crate) mod maker;

/// How many places a day has for prekeys: another who has the link may have taken the first.
const PREKEY_PLACES: u64 = 4;
