//! Ping: a connection that gives no sign of life is closed, so that what waits on it is reported lost.

use libp2p::ping;
use libp2p::swarm::ConnectionId;

use crate::config::Deadlines;

pub(crate) fn behaviour(deadlines: &Deadlines) -> ping::Behaviour {
    let each = deadlines.silence / 2;
    ping::Behaviour::new(ping::Config::new().with_interval(each).with_timeout(each))
}

/// The connection that is dead, if one is. A node that does not speak ping is not dead.
pub(crate) fn on_event(event: ping::Event) -> Option<ConnectionId> {
    match event.result {
        Ok(round_trip) => {
            tracing::trace!(peer = %event.peer, ?round_trip, "ping");
            None
        }
        Err(ping::Failure::Unsupported) => None,
        Err(failure) => {
            tracing::debug!(peer = %event.peer, %failure, "no answer to a ping");
            Some(event.connection)
        }
    }
}
