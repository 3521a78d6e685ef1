//! Identify: only what other protocols need of it, which is the list of protocols a node speaks.
//!
//! We say no version and no address. What others say of addresses, theirs or ours, is not kept and not dialled.

use libp2p::identify;
use libp2p::identity::PublicKey;

/// What every node says of itself.
const AGENT: &str = "kinfolk";
const PROTOCOL_VERSION: &str = "kinfolk/1";

pub(crate) fn behaviour(key: PublicKey) -> identify::Behaviour {
    identify::Behaviour::new(
        identify::Config::new(PROTOCOL_VERSION.to_owned(), key)
            .with_agent_version(AGENT.to_owned())
            .with_hide_listen_addrs(true)
            .with_push_listen_addr_updates(false)
            .with_cache_size(0),
    )
}

pub(crate) fn on_event(event: &identify::Event) {
    match event {
        identify::Event::Received { peer_id, .. } => tracing::trace!(%peer_id, "identified"),
        identify::Event::Error { peer_id, error, .. } => tracing::debug!(%peer_id, %error, "not identified"),
        other => tracing::trace!(?other, "identify"),
    }
}
