//! Port mapping: the router is asked to let others in (UPnP), if it is one that can be asked.
//!
//! What it says is a place where others may find us, no more: they have to try it. libp2p looks for the router once;
//! here it is looked for again when this node comes into another network, and now and then where there was none.

use std::collections::VecDeque;
use std::future::Future as _;
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

/// When a router is looked for again where there was none.
const AGAIN: Duration = Duration::from_secs(15 * 60);

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

/// After this a search counts as over, though nothing has come of it: a router may be there and map nothing.
const SEARCH: Duration = Duration::from_secs(30);

/// One search for a router after the other.
pub(crate) struct Asking {
    search: upnp::tokio::Behaviour,
    begun: Instant,
    /// Whether it is known what there is.
    is_over: bool,
    again: Option<Pin<Box<Sleep>>>,
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
            is_over: false,
            again: None,
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
        (self.search, self.begun, self.is_over, self.again) = (fresh.search, fresh.begun, false, None);
        let gone = self.mapped.drain(..);
        self.told
            .extend(gone.map(|(local_addr, external_addr)| Event::ExpiredExternalAddr { local_addr, external_addr }));
        for (listener_id, addr) in &self.listening {
            let listener_id = *listener_id;
            self.search.on_swarm_event(FromSwarm::NewListenAddr(NewListenAddr { listener_id, addr }));
        }
    }

    /// Whether a search has ended and nothing is mapped.
    fn is_in_vain(&self) -> bool {
        self.mapped.is_empty() && (self.is_over || self.begun.elapsed() > SEARCH)
    }

    fn notice(&mut self, event: &Event) {
        match event {
            Event::NewExternalAddr { local_addr, external_addr } => {
                self.is_over = true;
                self.mapped.push((local_addr.clone(), external_addr.clone()));
            }
            Event::ExpiredExternalAddr { external_addr, .. } => {
                self.mapped.retain(|(_, mapped)| mapped != external_addr);
            }
            Event::GatewayNotFound | Event::NonRoutableGateway => {
                self.is_over = true;
                self.again = Some(Box::pin(sleep(AGAIN)));
            }
        }
    }
}

/// Whether a router could let others in there.
fn is_behind_a_router(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Ip4(ip)) if ip.is_private())
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
                if is_behind_a_router(addr) && self.is_in_vain() {
                    return self.begin_anew();
                }
            }
            FromSwarm::ExpiredListenAddr(ExpiredListenAddr { listener_id, addr }) => {
                self.listening.retain(|(id, known)| (id, known) != (&listener_id, addr));
                let had_some = !self.mapped.is_empty();
                self.mapped.retain(|(local, external)| {
                    let stays = local != addr;
                    if !stays {
                        let (local_addr, external_addr) = (local.clone(), external.clone());
                        self.told.push_back(Event::ExpiredExternalAddr { local_addr, external_addr });
                    }
                    stays
                });
                // It left a network, and may have come into another before.
                if had_some && self.mapped.is_empty() {
                    return self.begin_anew();
                }
            }
            _ => {}
        }
        self.search.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if self.again.as_mut().is_some_and(|again| again.as_mut().poll(cx).is_ready()) {
            self.begin_anew();
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
