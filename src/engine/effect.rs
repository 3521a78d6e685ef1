//! Everything an engine can ask the world to do. Effects are performed after the turn's changes are on disk, and doing
//! one twice harms nothing.

use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;

use crate::event::Notice;
use crate::input::Delivery;

/// Names a request to the network; its outcome repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What the world is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Open a connection.
    Dial {
        /// To whom.
        peer: PeerId,
        /// Where they may be.
        addresses: Vec<Address>,
    },
    /// Send a frame on the stream with this peer.
    Send {
        /// Repeated by the outcome.
        request: RequestId,
        /// To whom.
        peer: PeerId,
        /// What it is.
        kind: FrameKind,
        /// What it says.
        body: Vec<u8>,
    },
    /// Tell the other side that a frame is committed.
    Acknowledge(Delivery),
    /// Tell the other side that a frame is not taken.
    Refuse(Delivery, NackCode),
    /// Close the connection.
    Disconnect(PeerId),
    /// Tell the faces.
    Notify(Notice),
}
