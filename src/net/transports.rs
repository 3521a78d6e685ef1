//! How bytes travel: QUIC first, TCP with Noise and Yamux where QUIC does not get through; and the listeners.
//!
//! Addresses of a node are all dialled, the likelier ones a moment earlier (RFC 8305); the first that answers wins.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use kinfolk_wire::invite::Address;
use libp2p::core::Transport as _;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{self, NetworkBehaviour, Swarm};
use libp2p::{SwarmBuilder, noise, quic, tcp, yamux};

use crate::address::{self, Place, Transport};
use crate::behaviour::Behaviour;
use crate::config::Deadlines;
use crate::outgoing::OwnPort;
use crate::protocols::circuits::{Circuits, circuits};

/// Streams of one connection: one of ours, and those of ping, identify and the hash table.
const STREAMS: usize = 32;
/// What a node may have sent on one QUIC stream, and on all of a connection, before it is read, in bytes.
const STREAM_WINDOW: u32 = 512 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// A handshake, and the whole of a connection's beginning.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Inbound streams of a connection whose protocol is being agreed.
const NEGOTIATING: usize = 16;
/// How often a port is tried while it is being given back.
const RELEASE_EACH: Duration = Duration::from_millis(5);

/// Why the network did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Not an address to listen on.
    #[error(
        "{address} is no address to listen on; write /ip4/0.0.0.0/udp/PORT/quic-v1 or /ip4/0.0.0.0/tcp/PORT, \
         or the same with ip6"
    )]
    NotAnAddress {
        /// What was given.
        address: Address,
    },
    /// Not an address of a node to begin with.
    #[error("{address} names no node; it must end in /p2p/ and the id of the node, after its address and port")]
    NotANode {
        /// What was given.
        address: Address,
    },
    /// Another program listens there.
    #[error("{address} is in use by another program; stop that one, or choose another port (0 takes any free one)")]
    InUse {
        /// What was given.
        address: Address,
    },
    /// The machine has no such address.
    #[error("this machine does not have the address in {address}; 0.0.0.0 or :: takes all it has")]
    NotHere {
        /// What was given.
        address: Address,
    },
    /// The system does not allow it.
    #[error("the system does not let this program listen on {address}; choose a port of 1024 or above")]
    NotAllowed {
        /// What was given.
        address: Address,
    },
    /// Anything else that the system says.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// What was given.
        address: Address,
        /// What the system said.
        reason: String,
    },
    /// A transport could not be set up.
    #[error("the network cannot be set up: {0}")]
    Transport(String),
    /// Called outside of a tokio runtime.
    #[error("the network must be started inside a tokio runtime")]
    NoRuntime,
}

/// Both transports, and circuits over relays, under these behaviours.
pub(crate) fn swarm<B: NetworkBehaviour>(
    key: Keypair,
    deadlines: &Deadlines,
    behaviour: impl FnOnce(&Keypair, Circuits) -> B,
) -> Result<Swarm<B>, StartError> {
    built(key, deadlines, behaviour, |config| config)
}

/// The same for one that speaks first on every stream it opens, and one protocol on each: what it says leaves together
/// with the protocol's name, and is not a round trip later.
pub(crate) fn asking<B: NetworkBehaviour>(
    key: Keypair,
    deadlines: &Deadlines,
    behaviour: impl FnOnce(&Keypair, Circuits) -> B,
) -> Result<Swarm<B>, StartError> {
    built(key, deadlines, behaviour, |config| config.with_substream_upgrade_protocol_override(Version::V1Lazy))
}

fn built<B: NetworkBehaviour>(
    key: Keypair,
    deadlines: &Deadlines,
    behaviour: impl FnOnce(&Keypair, Circuits) -> B,
    further: impl FnOnce(swarm::Config) -> swarm::Config,
) -> Result<Swarm<B>, StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::Transport(error.to_string());
    let (over_relays, circuits) = circuits(key.public().to_peer_id());
    Ok(SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_quic_config(|config| quic_config(config, deadlines))
        // Before TCP, whose dials do not look at what follows the port.
        .with_other_transport(|key| {
            let noise = noise::Config::new(key)?;
            Ok(over_relays.upgrade(Version::V1Lazy).authenticate(noise).multiplex(yamux_config()))
        })
        .map_err(|error| failed(&error))?
        .with_other_transport(|key| {
            let tcp = OwnPort(tcp::tokio::Transport::new(tcp::Config::default().nodelay(true)));
            let noise = noise::Config::new(key)?;
            Ok(tcp.upgrade(Version::V1Lazy).authenticate(noise).multiplex(yamux_config()))
        })
        .map_err(|error| failed(&error))?
        .with_behaviour(|key| behaviour(key, circuits))
        .map_err(|error| failed(&error))?
        .with_swarm_config(|config| {
            let config = config
                .with_smart_dial()
                .with_idle_connection_timeout(deadlines.idle_connection)
                .with_max_negotiating_inbound_streams(NEGOTIATING);
            further(config)
        })
        .with_connection_timeout(HANDSHAKE)
        .build())
}

fn yamux_config() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(STREAMS);
    config
}

fn quic_config(mut config: quic::Config, deadlines: &Deadlines) -> quic::Config {
    config.handshake_timeout = HANDSHAKE;
    config.max_idle_timeout = u32::try_from(deadlines.silence.as_millis()).unwrap_or(u32::MAX);
    config.keep_alive_interval = deadlines.silence / 3;
    config.max_stream_data = STREAM_WINDOW;
    config.max_connection_data = CONNECTION_WINDOW;
    config.max_concurrent_stream_limit = u32::try_from(STREAMS).unwrap_or(u32::MAX);
    config
}

/// Listens on every address, or on none.
pub(crate) fn listen(swarm: &mut Swarm<Behaviour>, addresses: &[Address]) -> Result<(), StartError> {
    let mut places = Vec::with_capacity(addresses.len());
    for address in addresses {
        let not_an_address = || StartError::NotAnAddress { address: address.clone() };
        let place = address::read(address).filter(|place| place.peer.is_none()).ok_or_else(not_an_address)?;
        try_to_bind(&place).map_err(|error| refused(address, &error))?;
        places.push((address, place));
    }
    for (address, place) in places {
        swarm
            .listen_on(place.multiaddr())
            .map_err(|error| StartError::Listen { address: address.clone(), reason: error.to_string() })?;
    }
    Ok(())
}

/// Binds a plain socket for a moment. The TCP transport shares its port with its own outgoing connections, and would
/// share it with another node of the same user without a word; a plain listener does not. And what the system says to
/// either transport is no longer to be told apart where it comes out.
fn try_to_bind(place: &Place) -> io::Result<()> {
    match place.transport {
        Transport::Quic => UdpSocket::bind(place.socket).map(drop),
        Transport::Tcp => TcpListener::bind(place.socket).map(drop),
    }
}

fn refused(address: &Address, error: &io::Error) -> StartError {
    let address = address.clone();
    match error.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse { address },
        io::ErrorKind::AddrNotAvailable => StartError::NotHere { address },
        io::ErrorKind::PermissionDenied => StartError::NotAllowed { address },
        _ => StartError::Listen { address, reason: error.to_string() },
    }
}

/// Closes everything, and waits a moment for the system to have the ports back: whoever starts again finds them free.
pub(crate) async fn release(swarm: Swarm<Behaviour>, patience: Duration) {
    let places: Vec<Place> = swarm.listeners().filter_map(Place::of).collect();
    drop(swarm);
    let mut again = tokio::time::interval(RELEASE_EACH);
    let released = async {
        while places.iter().any(|place| try_to_bind(place).is_err()) {
            again.tick().await;
        }
    };
    if tokio::time::timeout(patience, released).await.is_err() {
        tracing::debug!("a port is still taken after the network has stopped");
    }
}
