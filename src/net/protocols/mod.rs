//! One file for each protocol: how it is set up, and what its events mean to this node.

pub(crate) mod circuits;
pub(crate) mod dialback;
pub(crate) mod direct;
pub(crate) mod framing;
pub(crate) mod gossip;
pub(crate) mod identify;
pub(crate) mod kad;
pub(crate) mod mdns;
pub(crate) mod ping;
pub(crate) mod punch;
pub(crate) mod questions;
pub(crate) mod relay;
pub(crate) mod upnp;
