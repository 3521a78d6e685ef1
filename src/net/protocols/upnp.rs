//! Port mapping: the router is asked to let others in (UPnP), if it is one that can be asked.
//!
//! What it says is a place where others may find us, no more: they have to try it. libp2p looks for the router once;
//! here it is looked for again when this node comes into another network, and now and then where there was none.

use std::collections::VecDeque;
use std::future::Future as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::PeerId;
use libp2p::core::Endpoint;
use libp2p::core::transport::{ListenerId, PortUse};
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::behaviour::{ExpiredListenAddr, NewListenAddr};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};
use libp2p::upnp::{self, Event};
use tokio::time::{Instant, Sleep, sleep};

use crate::quiet::Quiet;

pub(crate) type Mapper = Quiet<Toggle<Asking>>;

/// When a router is looked for again where none maps anything.
const AGAIN: Duration = Duration::from_secs(15 * 60);
/// What comes sooner after a search has begun belongs to its network.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long after that a network has its routes.
const SOON: Duration = Duration::from_secs(2);

/// Asks the router, where the person wants that.
pub(crate) fn behaviour(wanted: bool) -> Mapper {
    Quiet(wanted.then(Asking::default).into())
}

/// What the router has said: an address of its own that leads here, from now on or no longer.
pub(crate) fn on_event(event: Event) -> Option<(Multiaddr, bool)> {
    match event {
        Event::NewExternalAddr { external_addr, .. } => Some((external_addr, true)),
        Event::ExpiredExternalAddr { external_addr, .. } => Some((external_addr, false)),
        Event::GatewayNotFound => {
            tracing::debug!("no router that maps ports");
            None
        }
        Event::NonRoutableGateway => {
            tracing::debug!("the router that maps ports is behind another one");
            None
        }
    }
}

/// One search for a router after the other.
pub(crate) struct Asking {
    search: upnp::tokio::Behaviour,
    begun: Instant,
    /// When the next begins, unless something is mapped then.
    again: Pin<Box<Sleep>>,
    listening: Vec<(ListenerId, Multiaddr)>,
    /// What the router maps: our address and its own.
    mapped: Vec<(Multiaddr, Multiaddr)>,
    told: VecDeque<Event>,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            search: upnp::tokio::Behaviour::default(),
            begun: Instant::now(),
            again: Box::pin(sleep(AGAIN)),
            listening: Vec::new(),
            mapped: Vec::new(),
            told: VecDeque::new(),
        }
    }
}

impl Asking {
    /// Looks for the router of the network in which this node is now.
    fn begin_anew(&mut self) {
        let fresh = Self::default();
        (self.search, self.begun, self.again) = (fresh.search, fresh.begun, fresh.again);
        for (listener_id, addr) in self.listening.iter().filter(|(_, addr)| is_the_routers(addr)) {
            let listener_id = *listener_id;
            self.search.on_swarm_event(FromSwarm::NewListenAddr(NewListenAddr { listener_id, addr }));
        }
    }

    fn begin_in(&mut self, wait: Duration) {
        self.again = Box::pin(sleep(wait));
    }

    /// What led to this address of ours does so no longer.
    fn forget(&mut self, gone: &Multiaddr) {
        let told = self.mapped.extract_if(.., |(local, _)| local == gone);
        self.told
            .extend(told.map(|(local_addr, external_addr)| Event::ExpiredExternalAddr { local_addr, external_addr }));
    }

    fn notice(&mut self, event: &Event) {
        match event {
            Event::NewExternalAddr { local_addr, external_addr } => {
                self.mapped.push((local_addr.clone(), external_addr.clone()));
            }
            Event::ExpiredExternalAddr { external_addr, .. } => {
                self.mapped.retain(|(_, mapped)| mapped != external_addr);
            }
            Event::GatewayNotFound | Event::NonRoutableGateway => {}
        }
    }
}

/// The address of a machine that a router could let others in to.
fn behind_a_router(address: &Multiaddr) -> Option<Ipv4Addr> {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) if ip.is_private() => Some(ip),
        _ => None,
    }
}

/// Whether this is the machine's address in the network of its router. A router maps a port to who asks, and libp2p takes
/// a refusal for another address with the same port, a container's network for one, for the end of the mapping.
fn is_the_routers(address: &Multiaddr) -> bool {
    behind_a_router(address).is_some_and(|ip| outward().is_none_or(|outward| outward == ip))
}

/// The address from which the machine would write to the open internet. Nothing is sent.
fn outward() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address for documentation (RFC 5737); any outside would do.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(local) => Some(*local.ip()),
        SocketAddr::V6(_) => None,
    }
}

impl NetworkBehaviour for Asking {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::NewListenAddr(NewListenAddr { listener_id, addr }) => {
                self.listening.push((listener_id, addr.clone()));
                if self.begun.elapsed() < AT_ONCE {
                    if is_the_routers(addr) {
                        self.search.on_swarm_event(event);
                    }
                } else if self.mapped.is_empty() && behind_a_router(addr).is_some() {
                    self.begin_in(SOON);
                }
            }
            FromSwarm::ExpiredListenAddr(ExpiredListenAddr { listener_id, addr }) => {
                self.listening.retain(|(id, known)| (id, known) != (&listener_id, addr));
                let had_some = !self.mapped.is_empty();
                self.forget(addr);
                self.search.on_swarm_event(event);
                // It left a network, and may have come into another before.
                if had_some && self.mapped.is_empty() {
                    self.begin_in(SOON);
                }
            }
            _ => self.search.on_swarm_event(event),
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        while self.again.as_mut().poll(cx).is_ready() {
            if self.mapped.is_empty() {
                self.begin_anew();
            } else {
                self.begin_in(AGAIN);
            }
        }
        if let Some(event) = self.told.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(event));
        }
        let polled = self.search.poll(cx);
        if let Poll::Ready(ToSwarm::GenerateEvent(event)) = &polled {
            self.notice(event);
        }
        polled
    }
}
