//! TCP connections go out from a port of their own.
//!
//! libp2p's TCP dials from the port that it listens on. When two nodes do so to each other at the same moment, the system
//! makes one connection of the two attempts (simultaneous open, RFC 9293 section 3.5): both ends then believe that they
//! dialled, none answers, and both attempts fail. From another port each attempt is a connection of its own, of which
//! the nodes keep one. What reuses the port on purpose says so by dialling as the listener.

use std::pin::Pin;
use std::task::{Context, Poll};

use libp2p::Multiaddr;
use libp2p::core::Endpoint;
use libp2p::core::transport::{DialOpts, ListenerId, PortUse, Transport, TransportError, TransportEvent};

/// A transport whose dials take a port of their own.
pub(crate) struct OwnPort<T>(pub(crate) T);

impl<T: Transport + Unpin> Transport for OwnPort<T> {
    type Output = T::Output;
    type Error = T::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = T::Dial;

    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Self::Error>> {
        self.0.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.0.remove_listener(id)
    }

    fn dial(&mut self, address: Multiaddr, options: DialOpts) -> Result<Self::Dial, TransportError<Self::Error>> {
        let options = match options.role {
            Endpoint::Dialer => DialOpts { port_use: PortUse::New, ..options },
            Endpoint::Listener => options,
        };
        self.0.dial(address, options)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.0).poll(cx)
    }
}
