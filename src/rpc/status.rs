//! The node itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::mailbox::MailboxStatus;

/// Who this profile is and how its node is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The person.
    pub identity: String,
    /// This device.
    pub device: String,
    /// What the person calls themselves.
    pub name: String,
    /// The same for a screen: control characters written out, kept from reordering its surroundings.
    pub display_name: String,
    /// Where this node listens, as multiaddrs; empty while it runs without a network.
    pub addresses: Vec<String>,
    /// What others write behind an address and `/p2p/` to begin at this node; empty where its key has no such name.
    pub node: String,
    /// Whether others can reach it.
    pub reachability: Reachability,
    /// Whether there is anybody to ask where contacts are.
    pub hash_table: HashTable,
    /// How many peers are connected.
    pub peers: u64,
    /// How many contacts there are.
    pub contacts: u64,
    /// How many payloads wait to be taken by somebody.
    pub outbox: u64,
    /// The mailboxes that keep what is for this person, in the order in which they were named.
    pub mailboxes: Vec<MailboxStatus>,
    /// What the profile takes on the disk, in bytes.
    pub storage_bytes: u64,
    /// The number of the newest event in the log.
    pub seq: u64,
    /// The version of the program.
    pub version: String,
}

/// The hash table in which contacts leave for each other where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HashTable {
    /// Whether a node of it answers.
    pub joined: bool,
    /// Nodes that this one was to begin with, where none of them is of use.
    pub tried: Vec<Tried>,
}

/// A node that was tried in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tried {
    /// Its multiaddr, as it was named.
    pub address: String,
    /// What was wrong.
    pub reason: String,
}

/// Whether others can reach a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reachability {
    /// The verdict.
    pub state: Reach,
    /// What it rests on, for the person.
    pub why: String,
}

/// How a node can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// By anybody.
    Public,
    /// Through another node.
    Relayed,
    /// From its own network only.
    Private,
    /// Nobody has tried.
    Unknown,
}

/// What to call oneself, or a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The name: 1 to 64 characters in at most 256 bytes.
    pub name: String,
}
