//! Port mapping: the router is asked to let others in (UPnP), if it is one that can be asked.
//!
//! What it says is a place where others may find us, no more: they have to try it.

use libp2p::multiaddr::Multiaddr;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::upnp;

use crate::quiet::Quiet;

pub(crate) type Mapper = Quiet<Toggle<upnp::tokio::Behaviour>>;

/// Asks the router, where the person wants that.
pub(crate) fn behaviour(wanted: bool) -> Mapper {
    Quiet(wanted.then(upnp::tokio::Behaviour::default).into())
}

/// What the router has said: an address of its own that leads here, from now on or no longer.
pub(crate) fn on_event(event: upnp::Event) -> Option<(Multiaddr, bool)> {
    match event {
        upnp::Event::NewExternalAddr { external_addr, .. } => Some((external_addr, true)),
        upnp::Event::ExpiredExternalAddr { external_addr, .. } => Some((external_addr, false)),
        upnp::Event::GatewayNotFound => {
            tracing::debug!("no router that maps ports");
            None
        }
        upnp::Event::NonRoutableGateway => {
            tracing::debug!("the router that maps ports is behind another one");
            None
        }
    }
}
