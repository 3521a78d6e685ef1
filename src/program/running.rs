//! `run`: the node of a profile behind its door, until it is told to stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use kinfolk_api::{Entrance, OpenDoor};
use kinfolk_cli::{Failure, Form, Init, Parsed, Ready, Run, Screen};
use kinfolk_client::Client;
use kinfolk_engine::query;
use kinfolk_node::clock::SystemClock;
use kinfolk_node::config::NetworkConfig;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Handle, Node, NodeConfig, StartError};
use kinfolk_store::{Backend, Store};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;

use super::settings::Settings;
use super::{failed, no_door, profile};

/// How long the first line waits for the addresses of all listeners.
const ADDRESSES_WITHIN: Duration = Duration::from_secs(2);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(10);

/// Runs the node of the profile, making the profile first where there is none.
pub(crate) async fn run(parsed: &Parsed, run: &Run, screen: &mut Screen) -> Result<(), Failure> {
    let settings = Settings::read(run.config.as_deref())?;
    let store = open_or_make(parsed, &settings, screen)?;
    let own = query::profile(&store)
        .map_err(|error| failed("store_failed", error.to_string()))?
        .ok_or_else(|| failed("no_profile", "this profile has not been set up; run `kinfolk init`"))?;
    let network = network(run, &settings, own.peer)?;
    let listeners = network.listen.len();
    let node = start(store, network)?;
    let door = run.api.or(settings.api).unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let door = match kinfolk_api::open(node.handle.clone(), &parsed.profile, Entrance::Announced(door)).await {
        Ok(door) => door,
        Err(error) => {
            stop(node).await?;
            return Err(no_door(&error));
        }
    };
    let ready = Ready {
        identity: own.identity.to_string(),
        device: own.device.to_string(),
        addresses: addresses(&node.handle, listeners).await,
        api: door.url().unwrap_or_default().to_owned(),
    };
    let shown = serve(&door, &ready, screen, &node.handle).await;
    door.close().await;
    stop(node).await?;
    shown
}

fn open_or_make(parsed: &Parsed, settings: &Settings, screen: &mut Screen) -> Result<Store, Failure> {
    if kinfolk_store::exists(&parsed.profile) {
        return profile::open(parsed);
    }
    let backend = settings.store.as_deref().map_or(Ok(Backend::Sled), |name| {
        name.parse::<Backend>().map_err(|error| failed("config_file", error.to_string()))
    })?;
    let (store, made) = profile::make(parsed, &Init { name: None, restore_phrase: None }, backend)?;
    match screen.form() {
        Form::People => screen.initialised(&made)?,
        // The first line of the results is the ready event, so that this one stands beside them.
        Form::Json => Screen::new(Form::Json, std::io::stderr(), std::io::stderr(), None).initialised(&made)?,
    }
    Ok(store)
}

fn start(store: Store, network: NetworkConfig) -> Result<Node, Failure> {
    let config = NodeConfig { network: Some(network) };
    kinfolk_node::start(store, config, SystemClock, SystemEntropy).map_err(|error| match &error {
        StartError::Network(kinfolk_net::StartError::InUse { .. }) => failed("address_in_use", error.to_string()),
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
    Ok(NetworkConfig { listen, bootstrap, mdns })
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

/// Where the node listens, once every listener has said so.
async fn addresses(handle: &Handle, listeners: usize) -> Vec<String> {
    let known = async || match handle.query(query::listening).await {
        Ok(Ok(listening)) => listening.addresses.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let all = async {
        loop {
            let addresses: Vec<String> = known().await;
            if addresses.len() >= listeners {
                return addresses;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(ADDRESSES_WITHIN, all).await {
        Ok(addresses) => addresses,
        Err(_) => known().await,
    }
}

/// Prints the first line and what happens after it, until the node ends or is told to.
async fn serve(door: &OpenDoor, ready: &Ready, screen: &mut Screen, node: &Handle) -> Result<(), Failure> {
    let client = Client::new(door.door().clone());
    let mut events = client.events(None).await?;
    screen.ready(ready)?;
    tokio::select! {
        () = told_to_stop() => Ok(()),
        () = node.ended() => Err(failed("node_failed", "the node had to stop; KINFOLK_LOG=error shows why")),
        followed = screen.follow(&mut events) => followed,
    }
}

async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a handler the system ends the process at the next signal, and nothing committed is lost.
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!(%error, "signals cannot be heard");
        std::future::pending::<()>().await;
    }
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
