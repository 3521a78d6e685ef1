//! A node under test: its network, and waiting for what it tells.

use std::time::Duration;

use kinfolk_net::{Command, Config, Delivery, Event, Network, RequestId, Role, peer_id, spawn};
use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;

/// Far longer than anything here takes; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Quic,
    Tcp,
}

pub(crate) const BOTH: [Over; 2] = [Over::Quic, Over::Tcp];

impl Over {
    pub(crate) fn any_port(self) -> Address {
        self.port(0)
    }

    pub(crate) fn port(self, port: u16) -> Address {
        address(&match self {
            Self::Quic => format!("/ip4/127.0.0.1/udp/{port}/quic-v1"),
            Self::Tcp => format!("/ip4/127.0.0.1/tcp/{port}"),
        })
    }
}

pub(crate) fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

pub(crate) fn seed(number: u8) -> [u8; 32] {
    [number; 32]
}

/// Two seeds, the one with the smaller `PeerId` first.
pub(crate) fn ordered(one: u8, other: u8) -> ([u8; 32], [u8; 32]) {
    let (one, other) = (seed(one), seed(other));
    if peer_id(&one) < peer_id(&other) { (one, other) } else { (other, one) }
}

pub(crate) struct Node {
    pub(crate) peer: PeerId,
    pub(crate) network: Network,
    pub(crate) address: Address,
    next: u64,
}

impl Node {
    pub(crate) async fn start(seed: [u8; 32], over: Over) -> Self {
        Self::start_with(seed, over, |_| {}).await
    }

    pub(crate) async fn start_with(seed: [u8; 32], over: Over, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(seed);
        config.listen = vec![over.any_port()];
        change(&mut config);
        let network = spawn(config).unwrap();
        let mut node = Self { peer: peer_id(&seed), network, address: over.any_port(), next: 0 };
        node.address = node
            .until("to listen", |event| match event {
                Event::Listening { address } => Some(address),
                _ => None,
            })
            .await;
        node
    }

    pub(crate) fn command(&self, command: Command) {
        self.network.commands.try_send(command).unwrap();
    }

    pub(crate) fn request(&mut self) -> RequestId {
        self.next += 1;
        RequestId(self.next)
    }

    pub(crate) fn dial(&mut self, other: &Self) -> RequestId {
        self.dial_at(other.peer, vec![other.address.clone()])
    }

    pub(crate) fn dial_at(&mut self, peer: PeerId, addresses: Vec<Address>) -> RequestId {
        let request = self.request();
        self.command(Command::Dial { request, peer, addresses });
        request
    }

    pub(crate) fn send(&mut self, peer: PeerId, kind: FrameKind, body: &[u8]) -> RequestId {
        let request = self.request();
        self.command(Command::Send { request, peer, kind, body: body.to_vec() });
        request
    }

    pub(crate) fn acknowledge(&self, delivery: Delivery) {
        self.command(Command::Acknowledge { delivery });
    }

    pub(crate) fn refuse(&self, delivery: Delivery, code: NackCode) {
        self.command(Command::Refuse { delivery, code });
    }

    pub(crate) async fn event(&mut self, what: &str) -> Event {
        match tokio::time::timeout(PATIENCE, self.network.events.recv()).await {
            Ok(Some(event)) => event,
            Ok(None) => panic!("waited {what}, but the network has stopped"),
            Err(_) => panic!("waited {what} for {PATIENCE:?}"),
        }
    }

    /// The first event that fits; those before it are dropped.
    pub(crate) async fn until<T>(&mut self, what: &str, mut fits: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = fits(self.event(what).await) {
                return found;
            }
        }
    }

    pub(crate) async fn connected(&mut self, other: PeerId) -> Role {
        self.until("to connect", |event| match event {
            Event::Connected { peer, role, .. } if peer == other => Some(role),
            Event::DialFailed { reason, .. } => panic!("{reason}"),
            _ => None,
        })
        .await
    }

    pub(crate) async fn disconnected(&mut self, other: PeerId) {
        self.until("to disconnect", |event| {
            matches!(event, Event::Disconnected { peer } if peer == other).then_some(())
        })
        .await;
    }

    pub(crate) async fn received(&mut self) -> (Delivery, FrameKind, Vec<u8>) {
        self.until("to receive", |event| match event {
            Event::Received { delivery, kind, body, .. } => Some((delivery, kind, body)),
            _ => None,
        })
        .await
    }

    /// What became of a request.
    pub(crate) async fn outcome(&mut self, of: RequestId) -> Event {
        self.until("an outcome", |event| match event {
            Event::Sent { request, .. }
            | Event::Refused { request, .. }
            | Event::Lost { request, .. }
            | Event::DialFailed { request, .. }
                if request == of =>
            {
                Some(event)
            }
            _ => None,
        })
        .await
    }

    pub(crate) async fn shut_down(self) {
        self.command(Command::Shutdown);
        tokio::time::timeout(PATIENCE, self.network.task).await.unwrap().unwrap().unwrap();
    }
}

/// `left` dials `right`; both hold the stream, and each has introduced itself.
pub(crate) async fn connect(left: &mut Node, right: &mut Node) {
    left.dial(right);
    assert_eq!(left.connected(right.peer).await, Role::Dialer);
    assert_eq!(right.connected(left.peer).await, Role::Listener);
    greet(left, right).await;
    greet(right, left).await;
}

/// One frame there and its answer back.
pub(crate) async fn greet(from: &mut Node, to: &mut Node) {
    let request = from.send(to.peer, FrameKind::Hello, b"hello");
    let (delivery, kind, body) = to.received().await;
    assert_eq!((kind, body.as_slice()), (FrameKind::Hello, &b"hello"[..]));
    to.acknowledge(delivery);
    assert!(matches!(from.outcome(request).await, Event::Sent { .. }));
}

/// Waits until nobody holds a port that a killed node held. In one process its sockets outlive it for a moment.
pub(crate) async fn until_free(at: &Address) {
    let parts: Vec<&str> = at.as_str().split('/').collect();
    let place = format!("{}:{}", parts[2], parts[4]);
    let mut again = tokio::time::interval(Duration::from_millis(10));
    let free = async {
        while std::net::UdpSocket::bind(&place).is_err() || std::net::TcpListener::bind(&place).is_err() {
            again.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, free).await.expect("the port stays taken");
}

pub(crate) async fn pair(over: Over) -> (Node, Node) {
    let (mut left, mut right) = (Node::start(seed(1), over).await, Node::start(seed(2), over).await);
    connect(&mut left, &mut right).await;
    (left, right)
}
