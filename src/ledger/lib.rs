//! Floor 2: money.
//!
//! This room says what an entry of the ledger is, who must have signed it, which of two that exclude each other stands,
//! and what an account has. Witnesses and wallets call it; it calls the wire floor, and of the keys one question: whether
//! a key is one that somebody could have made. It never reads a clock, never draws randomness, never stores or sends
//! anything; what must be on the disk before it is said it keeps back until a log was given it ([`slot::held`]).
//!
//! | room | what it holds |
//! |---|---|
//! | [`policy`], [`quorum`] | a currency: its issuer, its witnesses, how many of them agree |
//! | [`inception`], [`entry`], [`amount`] | an account's beginning, and what its writer signs |
//! | [`vote`], [`signatures`] | votes and certificates; a receipt |
//! | [`receipt_file`] | a receipt in a file, which needs nobody's word |
//! | [`slot`] | the one agreement: which entry stands at a place. **The safety argument is there.** |
//! | [`recovery`] | how a slot is recovered whose writer lost the key, or signed two entries |
//! | [`equivocation`] | proofs of two signatures that exclude each other |
//! | [`escrow`] | money put aside on terms: tabs, and the vouchers that are paid with. **Why nobody loses is there.** |
//! | [`chain`], [`spent`] | what an account has, and what an entry does to it |
//! | [`rules`] | what a witness finds out before it votes |
//! | [`checkpoint`] | a certified checkpoint with its state, which stands for everything before it |
//! | [`account`] | one chain at one witness |
//! | [`witness`] | a witness whole, but for its disk and network: batches of requests, the log before the answers |
//! | [`promise`] | a payment before its witnesses have seen it. **What its payee risks at most is there.** |
//! | [`gossip`] | what everybody hears of a currency: heads of chains, and who signed two things |
//! | [`message`] | what is asked of a witness, and what it answers |
//! | [`signature`], [`domain`] | ZIP-215, single and in batches; what bytes are signed and hashed for |
//!
//! The same thing climbs a ladder of types, and each step is a function from one rung to the next: an
//! [`Entry`](entry::Entry) was decoded, an [`ApprovedEntry`](entry::ApprovedEntry) is its writer's, a
//! [`CertifiedEntry`](vote::CertifiedEntry) is final. Between the rungs stands
//! [`Unverified`](signature::Unverified), which one batch or one check opens. All of it is written down in
//! docs/protocol/11-ledger.md.

pub mod account;
pub mod amount;
pub mod chain;
pub mod checkpoint;
pub mod domain;
pub mod entry;
pub mod equivocation;
pub mod escrow;
pub mod gossip;
pub mod inception;
pub mod limits;
pub mod message;
pub mod policy;
pub mod promise;
pub mod quorum;
pub mod receipt_file;
pub mod recovery;
pub mod rules;
pub mod signature;
pub mod signatures;
pub mod slot;
pub mod spent;
#[cfg(test)]
#[path = "tests/support/mod.rs"]
#[allow(
    dead_code,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests inside need a part of what those outside share, and their numbers are small"
)]
mod test_support;
pub mod vote;
pub mod witness;

#[cfg(test)]
extern crate self as kinfolk_ledger;
