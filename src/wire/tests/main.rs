//! The wire floor from outside: every type survives its bytes, and no bytes hurt a decoder.
//!
//! [`decoders`] lists every decoder with what must hold for whatever it accepts; the fuzz targets in `fuzz/` check the
//! same. [`values`] makes the values, fixed and random. Attack ids (docs/threat-model.md) stand in the names of tests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test may panic: that is how it fails"
)]

mod corpus;
mod decoders;
mod hostile;
mod invite;
mod oversize;
mod round_trips;
mod values;
