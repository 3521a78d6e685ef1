//! The libp2p actor: commands down, events up
