//! Identity, handshake, ratchet, seals: pure
