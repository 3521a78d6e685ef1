//! What the store promises, on every back-end it has.

mod damage;
mod export;
mod laws;
mod process;
mod profile;
mod rows;
