//! Relaying: circuits of others over this node (libp2p circuit relay v2).
//!
//! A node that can be reached from outside relays for its contacts: only they may have it listen for them, and only
//! so many. Whoever wants to reach one of them may begin a circuit, contact or not, because the contact's contacts are
//! not ours; so those are bounded for each node, each IP address and all together. A circuit carries messages and the
//! beginning of a straight connection, and is cut after so many bytes or so long.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::multiaddr::Multiaddr;
use libp2p::relay::{Behaviour, Config, HOP_PROTOCOL_NAME, Status};
use libp2p::swarm::behaviour::{ExternalAddrConfirmed, ExternalAddrExpired};
use libp2p::swarm::{FromSwarm, NetworkBehaviour, StreamProtocol};
use tokio::sync::watch;

use crate::config::Relayed;
use crate::quiet::Quiet;

/// Reservations of one contact: one on each connection that it may have.
const RESERVATIONS_EACH: usize = 2;
/// What an IP address may do, in parts of what a node may: several stand behind one router.
const BEHIND_AN_ADDRESS: u32 = 4;
/// Reservations that a contact may ask for in an hour.
const RESERVATIONS_AN_HOUR: u32 = 120;
const HOUR: Duration = Duration::from_secs(60 * 60);

/// The relay in the node's swarm; it relays nothing until it is told to.
pub(crate) type Relay = Quiet<Behaviour>;

/// What a node says of itself that relays.
pub(crate) const HOP: StreamProtocol = HOP_PROTOCOL_NAME;

/// The relay of this node, which listens for these contacts only.
pub(crate) fn relay(local: PeerId, limits: &Relayed, contacts: watch::Receiver<BTreeSet<PeerId>>) -> Relay {
    let mut config = Config {
        max_reservations: limits.reservations,
        max_reservations_per_peer: RESERVATIONS_EACH,
        reservation_duration: limits.reservation,
        reservation_rate_limiters: Vec::new(),
        max_circuits: limits.circuits,
        // The crate lets one more through than this says.
        max_circuits_per_peer: limits.circuits_each.saturating_sub(1),
        max_circuit_duration: limits.duration,
        max_circuit_bytes: limits.bytes,
        circuit_src_rate_limiters: Vec::new(),
    };
    config.reservation_rate_limiters.push(Box::new(move |peer: PeerId, _: &Multiaddr, _| {
        let is_contact = contacts.borrow().contains(&peer);
        if !is_contact {
            tracing::debug!(%peer, "is no contact, and nobody to relay for");
        }
        is_contact
    }));
    let config = config.reservation_rate_per_peer(an_hour(RESERVATIONS_AN_HOUR), each(RESERVATIONS_AN_HOUR));
    let (by_node, by_address) = (limits.circuits_an_hour, limits.circuits_an_hour.saturating_mul(BEHIND_AN_ADDRESS));
    let config = config
        .circuit_src_per_peer(an_hour(by_node), each(by_node))
        .circuit_src_per_ip(an_hour(by_address), each(by_address));
    let mut relay = Behaviour::new(local, config);
    relay.set_status(Some(Status::Disable));
    Quiet(relay)
}

/// How many, from none at all to all at once.
fn an_hour(many: u32) -> NonZeroU32 {
    NonZeroU32::new(many).unwrap_or(NonZeroU32::MIN)
}

/// How long it takes until one more is allowed.
fn each(many: u32) -> Duration {
    HOUR / an_hour(many).get()
}

/// Where the relay says that it can be reached, from now on; nowhere means that it relays no longer.
pub(crate) fn serve(Quiet(relay): &mut Relay, before: &[Multiaddr], now: &[Multiaddr]) {
    for addr in before.iter().filter(|address| !now.contains(address)) {
        relay.on_swarm_event(FromSwarm::ExternalAddrExpired(ExternalAddrExpired { addr }));
    }
    for addr in now.iter().filter(|address| !before.contains(address)) {
        relay.on_swarm_event(FromSwarm::ExternalAddrConfirmed(ExternalAddrConfirmed { addr }));
    }
    relay.set_status(Some(if now.is_empty() { Status::Disable } else { Status::Enable }));
}
