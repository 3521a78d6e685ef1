//! kinfolk: everyday life in one app, with no company, no server and nobody who can switch it off.
//!
//! This is the façade for tests, examples and programs that carry a node inside them; the program itself is
//! `kinfolk run`. **It has not been audited.**
//!
//! The floors of the house, from the ground up; arrows of imports go down only (docs/architecture.md):
//!
//! | floor | room | what it is |
//! |---|---|---|
//! | 6 | [`api`], [`client`], [`rpc`], `cli` | the local door, and the faces that use it |
//! | 5 | [`node`] | the only loop: engine, store and network driven together |
//! | 4 | [`store`], [`net`] | the disk and the network: hands without rules |
//! | 3 | [`engine`] | the rules: one input in, changes and effects out |
//! | 2 | [`ledger`] | money: entries, votes, what an account has |
//! | 1 | [`crypto`] | identity, handshake, ratchet |
//! | 0 | [`wire`] | what crosses the network |
//!
//! ```no_run
//! use kinfolk::node::{self, NodeConfig};
//! use kinfolk::store::{self, Backend, Options, Unlock};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut store = store::create("anna".as_ref(), Backend::Sled, Unlock::KeyFile, Options::default())?;
//! let name = kinfolk::wire::name::Name::new("Anna")?;
//! let clock = node::clock::SystemClock;
//! let mut entropy = node::entropy::SystemEntropy;
//! let created = node::create_profile(&mut store, &clock, &mut entropy, name, None)?;
//! let node = node::start(store, NodeConfig::default(), clock, entropy)?;
//! # drop((created, node));
//! # Ok(())
//! # }
//! ```

pub use kinfolk_api as api;
pub use kinfolk_client as client;
pub use kinfolk_crypto as crypto;
pub use kinfolk_engine as engine;
pub use kinfolk_ledger as ledger;
pub use kinfolk_net as net;
pub use kinfolk_node as node;
pub use kinfolk_rpc as rpc;
pub use kinfolk_store as store;
pub use kinfolk_wire as wire;
