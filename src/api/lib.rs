//! The local door: HTTP and server-sent events
