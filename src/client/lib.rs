//! Typed client of the local door
