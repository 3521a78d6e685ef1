//! `run`: the node of a profile behind its door, until it is told to stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use kinfolk_api::{Entrance, OpenDoor};
use kinfolk_cli::{Failure, Parsed, Printer, Ready, Run, Screen};
use kinfolk_client::Client;
use kinfolk_engine::event::Notice;
use kinfolk_engine::store::Profile;
use kinfolk_engine::{Event, query};
use kinfolk_net::{NotARange, ReachConfig};
use kinfolk_node::clock::SystemClock;
use kinfolk_node::config::NetworkConfig;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Handle, Node, NodeConfig, StartError};
use kinfolk_store::Store;
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use tokio::sync::broadcast::{self, error::RecvError};

use super::settings::Settings;
use super::signals::Signals;
use super::{failed, no_door, profile};

/// How long the first line waits for the addresses of all listeners.
const ADDRESSES_WITHIN: Duration = Duration::from_secs(2);
/// How long a listener on all interfaces has told of no other when it has told of all.
const QUIET: Duration = Duration::from_millis(20);
/// How a multiaddr begins that stands for all interfaces.
const EVERYWHERE: [&str; 2] = ["/ip4/0.0.0.0/", "/ip6/::/"];

/// How long the end waits until what happened is printed.
const PRINTED_WITHIN: Duration = Duration::from_millis(500);

/// Runs the node of the profile, making the profile first where there is none.
pub(crate) async fn run(parsed: &Parsed, run: &Run, screen: &mut Screen) -> Result<(), Failure> {
    let settings = Settings::read(run.config.as_deref())?;
    let backend = settings.backend()?;
    // Until here a signal ends the process by itself, also while somebody is asked: nothing is open yet.
    let passphrase = profile::passphrase(parsed)?;
    let mut signals = Signals::hear()?;
    let store = profile::open_or_make(parsed, backend, &passphrase, screen)?;
    let own = query::profile(&store)
        .map_err(|error| failed("store_failed", error.to_string()))?
        .ok_or_else(|| failed("no_profile", "this profile has not been set up; run `kinfolk init`"))?;
    let network = network(run, &settings, own.peer)?;
    let listeners = network.listen.clone();
    let node = start(store, network)?;
    let address = run.api.or(settings.api).unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let door = match kinfolk_api::open(node.handle.clone(), &parsed.profile, Entrance::Announced(address)).await {
        Ok(door) => door,
        Err(error) => {
            stop(node).await?;
            return Err(no_door(&error));
        }
    };
    let printer = match screen.printer() {
        Ok(printer) => printer,
        Err(failure) => {
            door.close().await;
            stop(node).await?;
            return Err(failure);
        }
    };
    tokio::select! {
        () = signals.stop() => {}
        () = node.handle.ended() => {}
        () = tell(&door, &own, &listeners, &printer, &node.handle) => {}
    }
    printer.finish(PRINTED_WITHIN).await;
    door.close().await;
    stop(node).await
}

/// Prints the first line and what happens after it. Does not return.
async fn tell(door: &OpenDoor, own: &Profile, listeners: &[Address], printer: &Printer, node: &Handle) {
    // A log that cannot be read has given no number either.
    let since = node.query(|read| query::last_event(read).unwrap_or_default()).await.unwrap_or_default();
    let ready = Ready {
        identity: own.identity.to_string(),
        device: own.device.to_string(),
        addresses: addresses(node, listeners).await,
        api: door.url().unwrap_or_default().to_owned(),
    };
    printer.ready(&ready).await;
    printer.follow(&Client::new(door.door().clone()), since).await;
}

fn start(store: Store, network: NetworkConfig) -> Result<Node, Failure> {
    let config = NodeConfig { network: Some(network) };
    kinfolk_node::start(store, config, SystemClock, SystemEntropy).map_err(|error| match &error {
        StartError::Network(kinfolk_net::StartError::InUse { .. }) => failed("address_in_use", error.to_string()),
        StartError::Network(
            kinfolk_net::StartError::NotAnAddress { .. }
            | kinfolk_net::StartError::NotANode { .. }
            | kinfolk_net::StartError::NotHere { .. }
            | kinfolk_net::StartError::NotAllowed { .. },
        ) => failed("invalid_address", error.to_string()),
        StartError::Network(_) => failed("network", error.to_string()),
        _ => failed("not_started", error.to_string()),
    })
}

fn network(run: &Run, settings: &Settings, peer: PeerId) -> Result<NetworkConfig, Failure> {
    let said = |first: &[String], then: &[String]| if first.is_empty() { then.to_vec() } else { first.to_vec() };
    let listen = said(&run.listen, &settings.listen);
    let listen = if listen.is_empty() { default_listen(peer) } else { parse(&listen)? };
    let bootstrap = parse(&said(&run.bootstrap, &settings.bootstrap))?;
    let mdns = !run.no_mdns && settings.mdns.unwrap_or(true);
    let dht_server = run.dht_server || settings.dht_server.unwrap_or(false);
    let dht_private = run.dht_private || settings.dht_private.unwrap_or(false);
    Ok(NetworkConfig { listen, bootstrap, mdns, dht_server, dht_private, memory: None, reach: reach(run, settings)? })
}

fn reach(run: &Run, settings: &Settings) -> Result<ReachConfig, Failure> {
    let ranges = run.also_global.iter().map(|text| text.parse());
    let also_global =
        ranges.collect::<Result<_, NotARange>>().map_err(|error| failed("invalid_address", error.to_string()))?;
    Ok(ReachConfig {
        relay: !run.no_relay && settings.relay.unwrap_or(true),
        upnp: !run.no_upnp && settings.upnp.unwrap_or(true),
        over_relays: settings.over_relays.unwrap_or(true),
        punch: settings.punch.unwrap_or(true),
        also_global,
        ..ReachConfig::default()
    })
}

fn parse(texts: &[String]) -> Result<Vec<Address>, Failure> {
    texts
        .iter()
        .map(|text| Address::new(text).map_err(|_| failed("invalid_address", format!("{text} is not a multiaddr"))))
        .collect()
}

/// All interfaces, QUIC and TCP, on a port that follows from the node's id: the same after each start, so that contacts
/// find it again, and another for each node. Where it is taken, any free one.
fn default_listen(peer: PeerId) -> Vec<Address> {
    let [.., high, low] = *peer.as_bytes();
    let port = 20_000 + u16::from_be_bytes([high, low]) % 12_000;
    let port = if is_free(port) { port } else { 0 };
    [format!("/ip4/0.0.0.0/udp/{port}/quic-v1"), format!("/ip4/0.0.0.0/tcp/{port}")]
        .iter()
        .filter_map(|text| Address::new(text).ok())
        .collect()
}

fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
        && std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

/// Where the node listens, once every listener has said so, and those on all interfaces have said all.
async fn addresses(node: &Handle, listeners: &[Address]) -> Vec<String> {
    let mut notices = node.subscribe();
    let everywhere = listeners.iter().any(|listener| EVERYWHERE.iter().any(|any| listener.as_str().contains(any)));
    let all = async {
        loop {
            let known = known_addresses(node).await;
            if listeners.iter().all(|listener| known.iter().any(|address| is_of(address, listener.as_str()))) {
                break;
            }
            if let Err(RecvError::Closed) = notices.recv().await {
                break;
            }
        }
        while everywhere && tokio::time::timeout(QUIET, another(&mut notices)).await.is_ok() {}
    };
    // A listener that says nothing for so long is told of by the log.
    drop(tokio::time::timeout(ADDRESSES_WITHIN, all).await);
    known_addresses(node).await
}

async fn known_addresses(node: &Handle) -> Vec<String> {
    match node.query(query::listening).await {
        Ok(Ok(listening)) => listening.addresses.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}

/// Returns when where the node can be reached has changed.
async fn another(notices: &mut broadcast::Receiver<Notice>) {
    loop {
        match notices.recv().await {
            Ok(Notice { event: Event::Listening, .. }) => return,
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Whether an address is one of those that a listener takes: where that one takes any host or port, any will do.
fn is_of(address: &str, listener: &str) -> bool {
    let mut found = address.split('/');
    let takes_any = |asked: &str| matches!(asked, "0.0.0.0" | "::" | "0");
    listener.split('/').all(|asked| found.next().is_some_and(|found| found == asked || takes_any(asked)))
}

/// Ends a node and waits until its store is closed.
pub(crate) async fn stop(node: Node) -> Result<(), Failure> {
    node.handle.stop().await;
    let thread = node.thread;
    let joined = tokio::task::spawn_blocking(move || thread.join()).await;
    match joined {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(failed("node_failed", error.to_string())),
        Ok(Err(_)) | Err(_) => Err(failed("node_failed", "the node ended by a fault of its own; please report it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_for_the_listeners_it_is_of() {
        let address = "/ip4/192.168.1.9/udp/20417/quic-v1";
        for of in [address, "/ip4/0.0.0.0/udp/20417/quic-v1", "/ip4/0.0.0.0/udp/0/quic-v1"] {
            assert!(is_of(address, of), "{of}");
        }
        for other in [
            "/ip4/192.168.1.10/udp/20417/quic-v1",
            "/ip4/0.0.0.0/udp/20418/quic-v1",
            "/ip4/0.0.0.0/tcp/0",
            "/ip6/::/udp/0/quic-v1",
        ] {
            assert!(!is_of(address, other), "{other}");
        }
    }
}
