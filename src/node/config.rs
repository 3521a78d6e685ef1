//! What a node is started with, and why it may not start.

use kinfolk_engine::refusal::Refusal;
use kinfolk_engine::store::ReadError;
use kinfolk_store::CommitError;
use kinfolk_wire::invite::Address;

/// What a node is started with.
#[derive(Debug, Clone, Default)]
pub struct NodeConfig {
    /// Whether to join the network. Without it the node answers questions and takes commands, and sends nothing.
    pub network: Option<NetworkConfig>,
}

/// How a node joins the network.
#[derive(Debug, Clone, Default)]
pub struct NetworkConfig {
    /// Where to listen, as multiaddrs.
    pub listen: Vec<Address>,
    /// Nodes to begin with.
    pub bootstrap: Vec<Address>,
    /// Whether to look for contacts on the local network.
    pub mdns: bool,
    /// How to be reached from outside, and what to do for contacts there.
    pub reach: kinfolk_net::ReachConfig,
    /// Whether to answer others' queries of the distributed hash table.
    pub dht_server: bool,
    /// Whether the network is not the internet, so that nodes of the hash table may be at private addresses.
    pub dht_private: bool,
    /// Resident memory of the process, in bytes, above which no new connection is made; the usual limit where there is
    /// none. It is the process's, so a program with many nodes needs more.
    pub memory: Option<usize>,
}

/// Why a profile could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The keys could not be made.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The system has no randomness to give.
    #[error(transparent)]
    Entropy(#[from] crate::entropy::NoEntropy),
    /// The store did not take it.
    #[error("the profile could not be written: {0}")]
    Store(#[from] CommitError),
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store holds no profile.
    #[error("this profile has not been set up; run `kinfolk init`")]
    NoProfile,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] ReadError),
    /// The network cannot be joined.
    #[error(transparent)]
    Network(#[from] kinfolk_net::StartError),
    /// The system gives no thread.
    #[error("the system gives no thread: {0}")]
    Thread(#[from] std::io::Error),
}
