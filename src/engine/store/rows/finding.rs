//! Finding each other: what a device of a contact is told through the hash table, and what it told.

use kinfolk_wire::ids::DeviceId;
use kinfolk_wire::invite::Address;
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

/// What goes to and comes from one device through the hash table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Finding {
    /// The version of the last record that was written for it.
    #[n(0)]
    pub version_given: u64,
    /// The addresses in that.
    #[n(1)]
    pub given: Vec<Address>,
    /// When it was written.
    #[n(2)]
    pub given_at: Option<Timestamp>,
    /// When the next is due, where one is.
    #[n(3)]
    pub write_at: Option<Timestamp>,
    /// Whether it has its turn then.
    #[n(4)]
    pub writes_in_turn: bool,
    /// The highest version that was read of it.
    #[n(5)]
    pub version_taken: u64,
    /// The addresses in that; forgotten when it is reached.
    #[n(6)]
    pub found: Vec<Address>,
    /// When it is looked for next, where it is.
    #[n(7)]
    pub look_at: Option<Timestamp>,
    /// Whether it has its turn then.
    #[n(8)]
    pub looks_in_turn: bool,
    /// How often it was looked for since it was last reached.
    #[n(9)]
    pub looks: u32,
    /// Records of which no copy was taken since one was.
    #[n(10)]
    pub failures: u32,
}

/// The hash table as the network reports it. Volatile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct HashTable {
    /// Whether there is a node to ask.
    #[n(0)]
    pub is_joined: bool,
    /// Nodes that the person named to begin with and that were not reached, and why.
    #[n(1)]
    pub tried: Vec<Tried>,
    /// When the next record may be written or looked for.
    #[n(2)]
    pub free_at: Option<Timestamp>,
}

impl HashTable {
    /// Nodes of which is kept that they were tried.
    pub const TRIED: usize = 16;
}

/// A node that was tried in vain.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Tried {
    /// Where, as the person named it.
    #[n(0)]
    pub address: Address,
    /// What was wrong, in words.
    #[n(1)]
    pub reason: String,
}

/// What was asked of the hash table, so that its answer is understood. Volatile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Search {
    /// A record was written for a device.
    #[n(1)]
    Write {
        /// Which.
        #[n(0)]
        device: DeviceId,
        /// Under which version.
        #[n(1)]
        version: u64,
    },
    /// A device was looked for.
    #[n(2)]
    Look {
        /// Which.
        #[n(0)]
        device: DeviceId,
        /// Under which day.
        #[n(1)]
        day: u32,
        /// At which place.
        #[n(2)]
        place: u8,
        /// Whether the day is one ahead of ours.
        #[n(3)]
        is_ahead: bool,
        /// Whether something was found on the way here.
        #[n(4)]
        has_found: bool,
    },
}
