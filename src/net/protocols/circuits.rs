//! Circuits of our own, over relays (libp2p circuit relay v2).
//!
//! libp2p's relay client connects to a relay where there is no connection yet, but gives the circuit up where somebody
//! else is connecting to it already: this node, because the relay is a contact, or another circuit. After a start, when
//! everybody is dialled at once, nobody behind a relay would be reached before the next round. So a circuit is begun
//! once its relay is connected, and until then it waits for whoever connects to it, or has it connected.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::{
    DialOpts as DialOptions, ListenerId, PortUse, Transport, TransportError, TransportEvent,
};
use libp2p::relay::client;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
    dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, watch};

use crate::address::Route;
use crate::quiet::Quiet;

/// The behaviour of circuits, and what watches the connections to their relays.
#[derive(NetworkBehaviour)]
pub(crate) struct Circuits {
    client: Quiet<client::Behaviour>,
    watcher: Watcher,
}

/// What knows which relays are connected or being connected to, and connects to those that are waited for.
pub(crate) struct Watcher {
    relays: Arc<watch::Sender<Relays>>,
    wishes: mpsc::Receiver<Wish>,
    /// The connections that are made for circuits.
    ours: BTreeMap<ConnectionId, PeerId>,
}

/// The transport of circuits.
pub(crate) struct Patient<T> {
    inner: T,
    waiting: Waiting,
}

/// Straight connections to nodes.
#[derive(Debug, Default)]
struct Relays {
    connected: BTreeMap<PeerId, BTreeSet<ConnectionId>>,
    dialled: BTreeMap<ConnectionId, PeerId>,
    /// Those that are about to be dialled for a circuit.
    wanted: BTreeSet<PeerId>,
}

/// A relay that a circuit waits for, and where it is.
type Wish = (PeerId, Multiaddr);

/// Circuits whose relays are about to be dialled; what comes above that is left to the client.
const WISHES: usize = 64;

#[derive(Clone)]
struct Waiting {
    relays: Arc<watch::Sender<Relays>>,
    wishes: mpsc::Sender<Wish>,
}

/// The transport and the behaviour, which belong into the same swarm.
pub(crate) fn circuits(local: PeerId) -> (Patient<client::Transport>, Circuits) {
    let (inner, client) = client::new(local);
    let relays = Arc::new(watch::Sender::new(Relays::default()));
    let (wishes, wished) = mpsc::channel(WISHES);
    let watcher = Watcher { relays: Arc::clone(&relays), wishes: wished, ours: BTreeMap::new() };
    (Patient { inner, waiting: Waiting { relays, wishes } }, Circuits { client: Quiet(client), watcher })
}

/// What a circuit does next.
enum Next {
    Begin,
    Wait,
    Wish,
}

impl Waiting {
    /// Returns once the relay is connected, or has not been reached; the client says why, then.
    async fn until_connected(self, relay: PeerId, place: Multiaddr) {
        let mut changes = self.relays.subscribe();
        let mut wish = Some((relay, place));
        loop {
            let mut next = Next::Begin;
            self.relays.send_if_modified(|relays| {
                next = relays.next(&relay, wish.is_some());
                false
            });
            match next {
                Next::Begin => return,
                Next::Wish => {
                    if wish.take().is_none_or(|wish| self.wishes.try_send(wish).is_err()) {
                        self.relays.send_if_modified(|relays| relays.wanted.remove(&relay));
                        return;
                    }
                }
                Next::Wait => {}
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Relays {
    fn next(&mut self, relay: &PeerId, may_wish: bool) -> Next {
        if self.connected.contains_key(relay) {
            Next::Begin
        } else if self.wanted.contains(relay) || self.dialled.values().any(|dialled| dialled == relay) {
            Next::Wait
        } else if may_wish {
            self.wanted.insert(*relay);
            Next::Wish
        } else {
            Next::Begin
        }
    }
}

impl<T> Transport for Patient<T>
where
    T: Transport + Unpin,
    T::Output: 'static,
    T::Error: 'static,
    T::Dial: Send + 'static,
{
    type Output = T::Output;
    type Error = T::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = Pin<Box<dyn Future<Output = Result<T::Output, T::Error>> + Send>>;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOptions) -> Result<Self::Dial, TransportError<Self::Error>> {
        let over = Route::of(&address).and_then(|route| Some((route.relay?, route.place.multiaddr())));
        let waiting = self.waiting.clone();
        // It does nothing before it is polled.
        let dial = self.inner.dial(address, options)?;
        Ok(Box::pin(async move {
            if let Some((relay, place)) = over {
                waiting.until_connected(relay, place).await;
            }
            dial.await
        }))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

impl NetworkBehaviour for Watcher {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if let Some(peer) = peer {
            self.relays.send_modify(|relays| {
                relays.dialled.insert(connection, peer);
                relays.wanted.remove(&peer);
            });
        }
        Ok(Vec::new())
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
            FromSwarm::ConnectionEstablished(made) => {
                self.ours.remove(&made.connection_id);
                self.relays.send_modify(|relays| {
                    relays.dialled.remove(&made.connection_id);
                    if !made.endpoint.is_relayed() {
                        relays.connected.entry(made.peer_id).or_default().insert(made.connection_id);
                    }
                });
            }
            FromSwarm::ConnectionClosed(closed) => self.relays.send_modify(|relays| {
                if let Some(connections) = relays.connected.get_mut(&closed.peer_id) {
                    connections.remove(&closed.connection_id);
                    if connections.is_empty() {
                        relays.connected.remove(&closed.peer_id);
                    }
                }
            }),
            FromSwarm::DialFailure(failed) => {
                let wanted = self.ours.remove(&failed.connection_id);
                self.relays.send_modify(|relays| {
                    relays.dialled.remove(&failed.connection_id);
                    if let Some(relay) = wanted {
                        relays.wanted.remove(&relay);
                    }
                });
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.wishes.poll_recv(cx) {
            Poll::Ready(Some((relay, place))) => {
                // Where somebody else has begun to connect, that is waited for.
                let opts = DialOpts::peer_id(relay).condition(PeerCondition::NotDialing).addresses(vec![place]).build();
                self.ours.insert(opts.connection_id(), relay);
                Poll::Ready(ToSwarm::Dial { opts })
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
