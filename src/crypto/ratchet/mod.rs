//! The ratchets of a session (docs/protocol/04-ratchet.md): one file for each symbol of the papers.
//!
//! Two of them turn side by side. The *double ratchet* with header encryption (Signal, "The Double Ratchet Algorithm",
//! revision 3, section 4) steps with X25519 whenever the conversation changes direction. The *post-quantum ratchet*
//! steps with a whole ML-KEM-768 key now and then. Every message takes one key from each, mixed into one
//! `MessageSecret`: who would read it must break both. [`Session`](crate::Session) is the
//! only caller.
//!
//! | file | symbol |
//! |---|---|
//! | `root_key` | `RK`, and the step that gives the next |
//! | `chain_key` | `CK` of either ratchet |
//! | `header_key` | `HK`, `NHK` |
//! | `message_key` | `mk`, and the mixture `(k, n)` |
//! | `header` | what is sealed in front of a body: `DHs`, `PN`, `N` and the post-quantum part |
//! | `double_ratchet` | who sends on which chain |
//! | `post_quantum` | epochs, offers and answers |
//! | `walk` | from the last message received to the one at hand |
//! | [`skipped`] | `MKSKIPPED`, which the caller stores |
//! | `backlog` | what of it is still out there, and when it is given up |
//!
//! Both ratchets give each message of a direction the same place in a count from 0, its *ordinal*: the lengths of all
//! chains before plus its number in the present one. A header whose two ordinals differ is refused, and a skipped message
//! needs one row, not two.

pub(crate) mod backlog;
pub(crate) mod chain_key;
pub(crate) mod double_ratchet;
#[doc(hidden)]
pub mod hazmat;
pub(crate) mod header;
pub(crate) mod header_key;
pub(crate) mod message_key;
pub(crate) mod post_quantum;
pub(crate) mod root_key;
pub(crate) mod side;
pub mod skipped;
pub(crate) mod walk;

/// How far one chain may be ahead of what was received: 2,000 lost messages, some 2 ms of work, and only the other
/// device can cause it. Checked before anything is derived.
pub const MAX_JUMP: u32 = 2_000;
/// How many keys of skipped messages a session keeps; the oldest give way.
pub const MAX_SKIPPED: u32 = 2_000;
/// No counter of a session reaches this: it seals so many messages and no more.
pub const COUNTER_LIMIT: u32 = 1 << 31;
