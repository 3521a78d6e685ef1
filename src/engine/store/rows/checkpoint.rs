//! Where an account last said how it stands.

use kinfolk_ledger::checkpoint::Checkpoint;
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

/// The last checkpoint of an account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OwnCheckpoint {
    /// Its place in the chain.
    #[n(0)]
    pub seq: u64,
    /// When it was signed.
    #[n(1)]
    pub at: Timestamp,
    /// The one that stands for entries of which nothing is here, where the account was brought back and witnesses had let
    /// them go.
    #[n(2)]
    pub base: Option<Box<Checkpoint>>,
}
