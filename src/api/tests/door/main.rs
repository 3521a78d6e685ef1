//! The door as programs outside meet it: real nodes, real sockets, raw HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod damage;
mod document;
mod events;
mod guard;
mod http;
mod robustness;
mod routes;
mod world;
