//! Floor 5: the only loop.
//!
//! The driver is one thread that owns the store and runs the engine. It takes what waits in its queues, runs those
//! turns over one overlay, commits once, and only then lets their effects out: an acknowledgement leaves when the
//! message is on disk, a ciphertext leaves when the ratchet that made it is. The floors above hold a [`Handle`], which
//! is only a sender; the network below is commands and events.
//!
//! | file | what it holds |
//! |---|---|
//! | [`config`] | what a node is started with |
//! | [`driver`] | the loop, and the order of its steps |
//! | [`handle`] | the way in for the floors above |
//! | [`clock`], [`entropy`] | the time and the chance that turns are given |
//! | `backlog` | reports that wait until the store takes batches again |
//! | `translate` | the network's words in the engine's, and back |
//! | `work` | the thread that works for deposits at mailboxes |
//! | `witness` | the thread that votes on the entries of ledgers |
//!
//! Nothing is decided here.

mod backlog;
pub mod clock;
pub mod config;
pub mod driver;
pub mod entropy;
pub mod handle;
mod translate;
mod witness;
mod work;

pub use config::{NodeConfig, ProfileError, StartError};
pub use driver::{Created, Failed, Node, create_profile, start};
pub use handle::{Answer, CommandError, Counters, Handle, Reachability, Stopped};
pub use kinfolk_net::node_name;
pub use witness::{LogCompacted, Served, WitnessStatus};
