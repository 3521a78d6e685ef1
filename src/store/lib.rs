//! Floor 4: the disk. Keeps the engine's rows sealed, and gives them back.
//!
//! A profile is a directory. [`create`] makes one, [`open`] unlocks it, and the [`Store`] that comes out answers the
//! engine's [`Read`](kinfolk_engine::store::Read) port and takes its changes with [`Store::commit`]: one batch, whole
//! or not at all, on the disk when the call returns. The node's driver (floor 5) owns the one `Store` of a process.
//!
//! | room | what it holds |
//! |---|---|
//! | `store` | [`Store`]: get, scan, commit |
//! | `profile` | [`create`], [`open`], the vault of keys, the passphrase, the lock, the marker |
//! | `seal`, `place` | how a row is sealed, and where it stands: names blinded, orders kept |
//! | `recent` | the rows that nearly every turn reads, open in memory |
//! | `backend` | [`Backend`]: sled and redb behind one small port, and the space they are sure to have |
//! | `migrate` | schema versions, each one short function |
//! | `votes` | a witness's votes: a log of its own, synced before a word of it is said, and its index |
//! | `export` | everything out, everything in, and the rescue of what a damaged profile still holds |
//!
//! It decides nothing about messages, never waits for a network, never writes anything of a row unsealed, and never
//! lets a fault of a back-end out as a panic.

mod anchor;
mod backend;
mod export;
mod meta;
mod migrate;
mod place;
mod profile;
mod recent;
mod seal;
mod store;
mod votes;

pub use backend::{Backend, UnknownBackend, contains_panics};
pub use export::{
    ExportError, ExportReport, ImportError, Origin, Rescue, RescueError, RescueFailed, RescueReport,
    asks_for_passphrase, rescue,
};
pub use migrate::SCHEMA;
pub use profile::passphrase::Derivation;
pub use profile::{
    ChangeError, CreateError, OpenError, Options, Unlock, change_passphrase, create, exists, needs_passphrase, open,
};
pub use store::{CommitError, Store, Timings};
pub use votes::{Votes, VotesError, VotesPlace};

#[cfg(test)]
mod power_loss;
#[cfg(test)]
#[path = "../../tests/support/skip.rs"]
mod skip;
