//! Nodes with their doors open.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use kinfolk_api::{Entrance, OpenDoor};
use kinfolk_node::clock::SystemClock;
use kinfolk_node::config::NetworkConfig;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Node, NodeConfig};
use kinfolk_store::{Backend, Options, Unlock};
use kinfolk_wire::invite::Address;
use kinfolk_wire::name::Name;
use serde_json::Value;

use crate::http::{Answer, Knock};

pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A node, its profile and its door.
pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) node: Node,
    pub(crate) door: OpenDoor,
}

impl House {
    /// A node without a network.
    pub(crate) async fn alone(name: &str) -> Self {
        Self::start(name, None).await
    }

    /// A node on the network of this machine.
    pub(crate) async fn connected(name: &str) -> Self {
        let listen = vec![Address::new("/ip4/127.0.0.1/udp/0/quic-v1").unwrap()];
        Self::start(name, Some(NetworkConfig { listen, bootstrap: vec![], mdns: false, reach: Default::default() }))
            .await
    }

    async fn start(name: &str, network: Option<NetworkConfig>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let profile = dir.path().join("profile");
        let node = node(&profile, name, network);
        let door = kinfolk_api::open(node.handle.clone(), &profile, Entrance::Announced(ANY_PORT)).await.unwrap();
        Self { dir, node, door }
    }

    pub(crate) fn profile(&self) -> std::path::PathBuf {
        self.dir.path().join("profile")
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.door.url().unwrap().strip_prefix("http://").unwrap()
    }

    pub(crate) fn socket(&self) -> &str {
        self.door.door().socket.as_deref().unwrap()
    }

    pub(crate) fn token(&self) -> &str {
        &self.door.door().token
    }

    /// A request as an honest program makes it over TCP.
    pub(crate) fn honest(&self, method: &str, target: &str) -> Knock {
        Knock::new(method, target)
            .with("Host", self.address())
            .with("Authorization", &format!("Bearer {}", self.token()))
    }

    /// The same over the Unix socket.
    pub(crate) fn local(&self, method: &str, target: &str) -> Knock {
        Knock::new(method, target).with("Host", "localhost").with("Authorization", &format!("Bearer {}", self.token()))
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.local("GET", target).through(self.socket()).await
    }

    pub(crate) async fn ask(&self, method: &str, target: &str, body: &str) -> Answer {
        self.local(method, target).json(body).through(self.socket()).await
    }

    /// The answer to a request that must succeed.
    pub(crate) async fn must(&self, method: &str, target: &str, body: &str) -> Value {
        let answer = self.ask(method, target, body).await;
        assert_eq!(answer.status, 200, "{method} {target}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// A link of somebody who is not there.
    pub(crate) async fn link_of_a_stranger() -> String {
        let stranger = Self::alone("Bo").await;
        let link = stranger.must("POST", "/v1/invites", "{}").await["link"].as_str().unwrap().to_owned();
        stranger.close().await;
        link
    }

    /// A node without a network that knows one person, called Bo, by an invite; with that person's identity.
    pub(crate) async fn with_a_contact() -> (Self, String) {
        let link = Self::link_of_a_stranger().await;
        let house = Self::alone("Al").await;
        let added = house.must("POST", "/v1/contacts", &format!("{{\"link\":\"{link}\"}}")).await;
        assert_eq!(added["state"], "requested");
        (house, added["contact"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn close(self) -> tempfile::TempDir {
        self.door.close().await;
        self.node.handle.stop().await;
        self.node.thread.join().unwrap().unwrap();
        self.dir
    }
}

fn node(profile: &Path, name: &str, network: Option<NetworkConfig>) -> Node {
    let mut store = kinfolk_store::create(profile, Backend::Sled, Unlock::KeyFile, Options::default()).unwrap();
    let name = Name::new(name).unwrap();
    kinfolk_node::create_profile(&mut store, &SystemClock, &mut SystemEntropy, name, None).unwrap();
    kinfolk_node::start(store, NodeConfig { network }, SystemClock, SystemEntropy).unwrap()
}

/// Two nodes that are contacts: Al, whom Bo asked by a link.
pub(crate) async fn two_contacts() -> (House, House) {
    let (al, bo) = (House::connected("Al").await, House::connected("Bo").await);
    while al.get("/v1/status").await.json()["addresses"].as_array().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let since = bo.get("/v1/status").await.json()["seq"].as_u64().unwrap();
    let link = al.must("POST", "/v1/invites", "{}").await["link"].as_str().unwrap().to_owned();
    bo.must("POST", "/v1/contacts", &format!("{{\"link\":\"{link}\"}}")).await;
    let mut next = since;
    loop {
        let page = bo.get(&format!("/v1/events?since={next}&wait=30")).await.json();
        let events = page["events"].as_array().unwrap();
        assert!(!events.is_empty(), "Al has not answered in time");
        if events.iter().any(|event| event["state"] == "accepted") {
            return (al, bo);
        }
        next = page["next"].as_u64().unwrap();
    }
}
