//! From the last message received to the one at hand, over the end of a chain if it must be.

use super::chain_key::ChainKey;
use super::message_key::MessageKey;
use super::side::Theirs;

/// A copy of the receiving chains of one ratchet, advanced message by message.
pub(crate) struct Walk {
    /// The chain before the last one, and the ordinal at which it ends.
    first: Option<(ChainKey<Theirs>, u32)>,
    last: ChainKey<Theirs>,
}

impl Walk {
    pub(crate) const fn along(chain: ChainKey<Theirs>) -> Self {
        Self { first: None, last: chain }
    }

    pub(crate) const fn across(first: ChainKey<Theirs>, end: u32, last: ChainKey<Theirs>) -> Self {
        Self { first: Some((first, end)), last }
    }

    /// The key of the next message, whose ordinal this is.
    pub(crate) fn next_key(&mut self, ordinal: u32) -> MessageKey {
        match &mut self.first {
            Some((chain, end)) if ordinal < *end => chain.advance(),
            _ => self.last.advance(),
        }
    }

    /// The chain on which the walk ended.
    pub(crate) fn into_last(self) -> ChainKey<Theirs> {
        self.last
    }
}
