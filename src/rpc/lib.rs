//! What crosses the local socket
