//! Real nodes on loopback.

mod delivery;
mod dialling;
mod hostile;
mod limits;
mod raw;
mod support;
mod swarms;
