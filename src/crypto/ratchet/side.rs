//! Whose chain a key belongs to. Keys of the two sides are two types, so that the wrong one does not compile.

/// Chains on which this device sends.
#[derive(Clone, Copy)]
pub(crate) enum Ours {}

/// Chains on which the other device sends.
#[derive(Clone, Copy)]
pub(crate) enum Theirs {}
