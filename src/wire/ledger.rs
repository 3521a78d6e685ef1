//! What a node without a ledger knows of `/kinfolk/ledger/1`, by which wallets ask witnesses: its name and its sizes
//! (docs/protocol/11-ledger.md).
//!
//! Questions one way on a substream and answers the other, in the same order, each behind a length of four bytes. What
//! they say is the ledger's business.

/// The protocol's name on the network.
pub const PROTOCOL: &str = "/kinfolk/ledger/1";

/// The longest question, and the longest answer, after its length.
pub const MESSAGE: usize = 65_536;
