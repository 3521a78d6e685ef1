//! The swarm's behaviours: limits first, so that a connection over them is refused before anything else sees it.

use std::collections::BTreeSet;

use libp2p::identity::PublicKey;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{PeerId, connection_limits, memory_connection_limits, ping};
use tokio::sync::watch;

use crate::address::Global;
use crate::config::{Config, Limits};
use crate::filtered::Filtered;
use crate::protocols;
use crate::protocols::questions::To;

/// Connections to one node: its own and ours, when both dial at the same moment; one over a relay beside them, until it
/// has gone; and one on which one of the two is dialled back.
const PER_NODE: u32 = 4;

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    limits: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    ping: ping::Behaviour,
    identify: protocols::identify::Identify,
    pub(crate) kad: Filtered<protocols::kad::Table>,
    mdns: Toggle<protocols::mdns::Finder>,
    pub(crate) direct: protocols::direct::Behaviour,
    mailbox: protocols::questions::Behaviour,
    witness: protocols::questions::Behaviour,
    pub(crate) relay: Toggle<protocols::relay::Relay>,
    circuits: protocols::circuits::Circuits,
    pub(crate) gossip: protocols::gossip::Gossip,
    pub(crate) punch: Toggle<protocols::punch::Punch>,
    pub(crate) ask: Toggle<protocols::dialback::Ask>,
    answer: Toggle<protocols::dialback::Answer>,
    mapper: protocols::upnp::Mapper,
}

impl Behaviour {
    pub(crate) fn new(
        config: &Config,
        bootstrap: &[protocols::kad::Named],
        key: PublicKey,
        circuits: protocols::circuits::Circuits,
        gossip: protocols::gossip::Gossip,
        contacts: &watch::Receiver<BTreeSet<PeerId>>,
    ) -> Self {
        let local = key.to_peer_id();
        let reach = &config.reach;
        let relay = || protocols::relay::relay(local, &reach.relayed, contacts.clone());
        let punch = || protocols::punch::Punch::new(local, contacts.clone());
        let answer = || protocols::dialback::Answer::new(Global::new(&reach.also_global));
        Self {
            limits: connection_limits(&config.limits),
            memory: memory_connection_limits::Behaviour::with_max_bytes(config.limits.memory),
            ping: protocols::ping::behaviour(&config.deadlines),
            identify: protocols::identify::behaviour(key),
            kad: protocols::kad::behaviour(local, config.dht_server, config.dht_private, bootstrap),
            mdns: config.mdns.then(|| finder(local)).flatten().into(),
            direct: protocols::direct::Behaviour::default(),
            mailbox: protocols::questions::Behaviour::answering(To::Mailbox),
            witness: protocols::questions::Behaviour::answering(To::Witness),
            relay: reach.relay.then(relay).into(),
            circuits,
            gossip,
            punch: reach.punch.then(punch).into(),
            ask: reach.ask.then(protocols::dialback::Ask::new).into(),
            answer: reach.ask.then(answer).into(),
            mapper: protocols::upnp::behaviour(reach.upnp),
        }
    }
}

/// A machine where it cannot run is still a machine to talk from.
fn finder(local: PeerId) -> Option<protocols::mdns::Finder> {
    protocols::mdns::behaviour(local)
        .inspect_err(|error| tracing::warn!(%error, "nobody will be found on the local network"))
        .ok()
}

fn connection_limits(limits: &Limits) -> connection_limits::Behaviour {
    connection_limits::Behaviour::new(
        connection_limits::ConnectionLimits::default()
            .with_max_established(Some(limits.connections))
            .with_max_established_incoming(Some(limits.incoming))
            .with_max_pending_incoming(Some(limits.pending_incoming))
            .with_max_pending_outgoing(Some(limits.pending_outgoing))
            .with_max_established_per_peer(Some(PER_NODE)),
    )
}
