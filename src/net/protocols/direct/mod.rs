//! `/kinfolk/direct/1` (docs/protocol/06-direct.md): one framed stream between two connected nodes.
//!
//! | file | what it holds |
//! |---|---|
//! | [`behaviour`] | opens and takes streams inside the swarm, and names the connection each belongs to |
//! | [`peers`] | which stream of which connection stays; no I/O, no clock of its own |
//! | [`stream`] | the task of one stream: reading, writing, deadlines |
//! | [`window`] | sequence numbers, what is unacknowledged, ranges |
//! | [`links`] | the tasks of all open streams, and the way to each |
//!
//! **One stream a pair.** Both sides may open. Of two streams the one opened by the smaller `PeerId` stays; of two that
//! the same side opened, the newer. The opener is the `Dialer` of the hello, so both ends agree. What was unanswered
//! on a stream that goes is reported lost, never sent again here: the outbox above has it, and receivers drop
//! duplicates.
//!
//! **Numbers.** Each direction of a stream counts its frames from 1 without a gap, acknowledgements included. All but
//! `Ack` and `Nack` want an answer, and at most 1,024 may want one at a time.
//!
//! **Blame.** A frame that is too long, too short, of an unknown kind, out of turn, over the window, or that answers
//! what was never sent, closes the stream. It harms nobody else.

mod behaviour;
mod links;
mod peers;
mod stream;
mod window;

pub(crate) use behaviour::{Behaviour, Outcome};
pub(crate) use links::{Ended, Links, NotTaken};
pub(crate) use peers::{Action, Peers};
pub(crate) use stream::About;
