//! Floor 0: what crosses the network.
//!
//! This room holds the nouns of the protocol and their encodings: ids, times, sizes, and every message two nodes
//! exchange. Everything above calls it; it calls nothing of ours. It never reads a clock, a socket or a secret key,
//! and it never decides whether a message is *true*, only whether it is *well-formed*: signatures and seals are
//! checked one floor up, in `kinfolk-crypto`.
//!
//! | file | what it holds | written down in |
//! |---|---|---|
//! | [`ids`] | one newtype for each id | docs/protocol/01-encoding.md |
//! | [`time`] | [`Timestamp`](time::Timestamp), [`Span`](time::Span) | docs/protocol/01-encoding.md |
//! | [`limits`] | every size and count, with its reason | docs/protocol/01-encoding.md |
//! | [`codec`] | bounded reading, canonical CBOR | docs/protocol/01-encoding.md |
//! | [`name`] | names people give each other | docs/protocol/01-encoding.md |
//! | [`sigchain`] | genesis and entries of an identity | docs/protocol/02-identity.md |
//! | [`bundle`] | prekey bundle and one-time prekeys | docs/protocol/03-handshake.md |
//! | [`invite`] | the `kinfolk:` link | docs/protocol/02-identity.md |
//! | [`envelope`] | the layouts 0x11 and 0x12 | docs/protocol/04-ratchet.md |
//! | [`content`] | what a person or a node says inside the seal | docs/protocol/05-content.md |
//! | [`direct`] | frames of `/kinfolk/direct/1` | docs/protocol/06-direct.md |
//! | [`mailbox`] | requests and replies of `/kinfolk/mailbox/1` | docs/protocol/07-mailbox.md |
//! | [`ledger`] | name and sizes of `/kinfolk/ledger/1` | docs/protocol/11-ledger.md |
//! | [`address_record`] | where a device can be reached, for one contact's device | docs/protocol/10-finding.md |
//! | [`carried`] | bundles: envelopes that travel by hand | docs/protocol/08-bundle.md |
//!
//! Every decoder checks a length before it allocates, refuses what is left over, and names what it expected.

pub mod address_record;
pub mod bundle;
pub mod carried;
pub mod codec;
pub mod content;
pub mod direct;
pub mod envelope;
pub mod ids;
pub mod invite;
pub mod ledger;
pub mod limits;
pub mod mailbox;
pub mod name;
pub mod sigchain;
pub mod time;
