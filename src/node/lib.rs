//! The only loop: engine, store and network driven together
