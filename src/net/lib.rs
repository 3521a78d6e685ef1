//! Floor 4: the network. Commands down, events up.
//!
//! This room holds one task, the actor, which owns the libp2p swarm, and one task for each open stream of
//! `/kinfolk/direct/1`. The driver calls [`spawn`], hands in [`Command`]s that are never waited for, and reads
//! [`Event`]s. What a frame says is not looked at here, and nothing is decided here: whom to reach, what to send again
//! and whether a stranger may speak is for the engine.
//!
//! | file | what it holds |
//! |---|---|
//! | [`command`] | what the driver asks; the way in |
//! | [`event`] | what the network tells |
//! | [`config`] | keys, addresses, limits, deadlines |
//!
//! Nothing waits for the driver with unbounded memory: the event channel is bounded, the actor polls the swarm only
//! when no event of its own waits for a place, and a stream is read only when what it brought last has been handed up.
//! Commands are served all the while.

pub mod command;
pub mod config;
pub mod event;

pub use command::{Command, CommandError, CommandSender, Delivery, RequestId};
pub use config::{Config, Deadlines, Limits};
pub use event::{DialFailure, Event};
pub use kinfolk_wire::direct::Role;
