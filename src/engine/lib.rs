//! The rules: one input in, changes and effects out
