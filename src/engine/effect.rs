//! Everything an engine can ask the world to do. Effects are performed after the turn's changes are on disk, and doing
//! one twice harms nothing.

use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::ids::{PeerId, RecordKey};
use kinfolk_wire::invite::Address;
use kinfolk_wire::mailbox;
use kinfolk_wire::time::Span;

use crate::event::Notice;
use crate::input::{AskId, Delivery};

/// Names a request to the network; its outcome repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Work that a deposit wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// The hour that goes into it, by the host's clock.
    pub hour: u32,
    /// Leading zero bits.
    pub bits: u8,
}

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
    /// This node is a contact's device from now on, or no longer: contacts relay for each other.
    Contact {
        /// Which node.
        peer: PeerId,
        /// Whether it is one.
        is_one: bool,
    },
    /// Ask a mailbox host, as nobody in particular: from a network identity that is used for this alone.
    Ask {
        /// Repeated by the outcome.
        request: RequestId,
        /// Whom.
        host: PeerId,
        /// Where they may be.
        addresses: Vec<Address>,
        /// What the host may see on one connection; asks of another group get an identity of their own.
        group: u64,
        /// What.
        body: mailbox::Request,
        /// The work to be done first, where the stamp of a deposit is still to be found.
        work: Option<Work>,
    },
    /// Answer somebody who asked this node as a mailbox.
    Answer(AskId, Vec<u8>),
    /// Ask a witness, as nobody in particular, like a mailbox host. The node's own witness is asked the same way.
    Inquire {
        /// Repeated by the outcome.
        request: RequestId,
        /// Whom.
        host: PeerId,
        /// Where they may be.
        addresses: Vec<Address>,
        /// What the witness may see on one connection.
        group: u64,
        /// What, as it travels.
        body: Vec<u8>,
    },
    /// Put something into the hash table.
    Publish {
        /// Repeated by the outcome.
        request: RequestId,
        /// Under which key.
        key: RecordKey,
        /// What.
        value: Vec<u8>,
        /// For how long.
        lifetime: Span,
    },
    /// Look for something in the hash table.
    Find {
        /// Repeated by the outcome.
        request: RequestId,
        /// Under which key.
        key: RecordKey,
    },
    /// Somebody whom this person knows is this peer: it may enter the hash table's list of nodes, where it serves.
    Introduce {
        /// The peer.
        peer: PeerId,
        /// Where it is.
        addresses: Vec<Address>,
    },
    /// Tell the faces.
    Notify(Notice),
}
