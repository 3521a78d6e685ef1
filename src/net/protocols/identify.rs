//! Identify: the list of protocols a node speaks, and from where it sees us.
//!
//! We say no version and no address. What others say of their addresses is not kept and not dialled; what they say of
//! ours is a place to try, on the word of a contact only (`reach`).

use libp2p::identify;
use libp2p::identity::PublicKey;

use crate::quiet::Quiet;

/// What every node says of itself.
const AGENT: &str = "kinfolk";
const PROTOCOL_VERSION: &str = "kinfolk/1";

pub(crate) type Identify = Quiet<identify::Behaviour>;

pub(crate) fn behaviour(key: PublicKey) -> Identify {
    Quiet(identify::Behaviour::new(
        identify::Config::new(PROTOCOL_VERSION.to_owned(), key)
            .with_agent_version(AGENT.to_owned())
            .with_hide_listen_addrs(true)
            .with_push_listen_addr_updates(false)
            .with_cache_size(0),
    ))
}

pub(crate) fn on_event(event: &identify::Event) {
    match event {
        identify::Event::Received { peer_id, .. } => tracing::trace!(%peer_id, "identified"),
        identify::Event::Error { peer_id, error, .. } => tracing::debug!(%peer_id, %error, "not identified"),
        other => tracing::trace!(?other, "identify"),
    }
}
