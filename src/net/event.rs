//! What the network tells the driver.

use std::fmt;

use kinfolk_wire::direct::{FrameKind, NackCode, Role};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;

use crate::command::{AskId, Delivery, GossipId, InquiryId, RequestId, Topic};

/// What the network tells. For one node the order is `Connected`, then everything of that stream, `Disconnected` last.
#[derive(Clone, PartialEq, Eq)]
pub enum Event {
    /// This node can be reached here.
    Listening {
        /// Where.
        address: Address,
    },
    /// This node can no longer be reached here, or there is a better place to tell.
    NotListening {
        /// Where.
        address: Address,
    },
    /// How this node can be reached from outside has changed.
    Reachability(Reachability),
    /// A listener has failed.
    ListenFailed {
        /// What the system said.
        reason: String,
    },
    /// The stream to a node is open and usable. Frames sent from now on travel on it.
    Connected {
        /// To whom.
        peer: PeerId,
        /// `Dialer` at the end that opened the stream, `Listener` at the other: both ends agree.
        role: Role,
        /// The other end of the connection that carries the stream. Where the other side opened the connection this
        /// is where it came from, which need not be where it listens.
        address: Address,
    },
    /// The stream is closed. Everything unanswered on it was reported [`Event::Lost`] before this.
    Disconnected {
        /// To whom.
        peer: PeerId,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Which.
        request: RequestId,
        /// Who was to be reached.
        peer: PeerId,
        /// Why.
        reason: DialFailure,
    },
    /// A frame from a node: `Hello`, `Payload`, `Knock`, `Prekeys` or `Chain`. It wants one answer.
    Received {
        /// What the answer must name.
        delivery: Delivery,
        /// Who sent it.
        peer: PeerId,
        /// What it is.
        kind: FrameKind,
        /// What it says; at most [`limits::FRAME`](kinfolk_wire::limits::FRAME) bytes, not looked at.
        body: Vec<u8>,
    },
    /// The other side has committed and synced what was sent.
    Sent {
        /// Which.
        request: RequestId,
        /// To whom.
        peer: PeerId,
    },
    /// The other side does not take it.
    Refused {
        /// Which.
        request: RequestId,
        /// To whom.
        peer: PeerId,
        /// Why.
        code: NackCode,
    },
    /// Not connected, or the stream closed before an answer, or too much waits already: whether it arrived is not
    /// known, and nothing will send it again but the caller.
    Lost {
        /// Which.
        request: RequestId,
        /// To whom.
        peer: PeerId,
    },
    /// Somebody asks this node as a mailbox. It wants one answer, within [`Deadlines::answer`](crate::Deadlines).
    Asked {
        /// What the answer must name.
        ask: AskId,
        /// What it says; at most [`mailbox::REQUEST`](kinfolk_wire::mailbox::REQUEST) bytes, not looked at but for
        /// the first.
        body: Vec<u8>,
    },
    /// A mailbox host has answered.
    Answered {
        /// Which question.
        request: RequestId,
        /// What it says; at most [`mailbox::REPLY`](kinfolk_wire::mailbox::REPLY) bytes, not looked at.
        body: Vec<u8>,
    },
    /// A mailbox host was not asked, or has not answered: whether it did what it was asked is not known.
    Unanswered {
        /// Which question.
        request: RequestId,
        /// Why.
        reason: AskFailure,
    },
    /// Somebody asks this node as a witness. It wants one answer, within [`Deadlines::answer`](crate::Deadlines).
    Inquiry {
        /// What the answer must name.
        inquiry: InquiryId,
        /// What it says; at most [`ledger::MESSAGE`](kinfolk_wire::ledger::MESSAGE) bytes, not looked at.
        body: Vec<u8>,
    },
    /// A witness has answered.
    Replied {
        /// Which question.
        request: RequestId,
        /// What it says; at most [`ledger::MESSAGE`](kinfolk_wire::ledger::MESSAGE) bytes, not looked at.
        body: Vec<u8>,
    },
    /// A witness was not asked, or has not answered: whether it did what it was asked is not known.
    Unreplied {
        /// Which question.
        request: RequestId,
        /// Why.
        reason: AskFailure,
    },
    /// There is a node of the distributed hash table to ask.
    Joined,
    /// There is none.
    NotJoined {
        /// The nodes that the person named to begin with, none of which was of use.
        tried: Vec<Unreached>,
    },
    /// A value was put into the distributed hash table.
    Published {
        /// Which.
        request: RequestId,
        /// How many nodes say that they keep it; those may lie.
        copies: u32,
    },
    /// What lies in the distributed hash table under a key. Anybody can put anything there.
    Found {
        /// What was asked.
        request: RequestId,
        /// Each once, at most 64; of [`SIZES`](kinfolk_wire::address_record::SIZES) bytes, not looked at.
        values: Vec<Vec<u8>>,
    },
    /// A connected node follows a topic, or no longer: one to be asked what this node has missed.
    Follower {
        /// Which node.
        peer: PeerId,
        /// About what.
        topic: Topic,
        /// Whether it follows it.
        follows: bool,
    },
    /// Something was gossiped about a topic that this node follows. It is to be judged with
    /// [`Command::Judge`](crate::Command::Judge); until then it goes no further.
    Gossiped {
        /// Names it in the verdict.
        gossip: GossipId,
        /// Who brought it, which is not who made it.
        from: PeerId,
        /// About what.
        topic: Topic,
        /// At most 8 KiB, not looked at.
        message: Vec<u8>,
    },
    /// A node shows itself on the local network. Anybody there can claim this, so the addresses have been filtered
    /// and only a node that is known should be dialled.
    Discovered {
        /// Who says so.
        peer: PeerId,
        /// Every address it has named and that passes, the newest [`limits::ADDRESSES`](kinfolk_wire::limits::ADDRESSES).
        addresses: Vec<Address>,
    },
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { address } => f.debug_struct("Listening").field("address", address).finish(),
            Self::NotListening { address } => f.debug_struct("NotListening").field("address", address).finish(),
            Self::Reachability(reachability) => f.debug_tuple("Reachability").field(reachability).finish(),
            Self::ListenFailed { reason } => f.debug_struct("ListenFailed").field("reason", reason).finish(),
            Self::Connected { peer, role, address } => {
                f.debug_struct("Connected").field("peer", peer).field("role", role).field("address", address).finish()
            }
            Self::Disconnected { peer } => f.debug_struct("Disconnected").field("peer", peer).finish(),
            Self::DialFailed { request, peer, reason } => f
                .debug_struct("DialFailed")
                .field("request", request)
                .field("peer", peer)
                .field("reason", reason)
                .finish(),
            Self::Received { delivery, kind, body, .. } => f
                .debug_struct("Received")
                .field("delivery", delivery)
                .field("kind", kind)
                .field("bytes", &body.len())
                .finish(),
            Self::Sent { request, peer } => {
                f.debug_struct("Sent").field("request", request).field("peer", peer).finish()
            }
            Self::Refused { request, peer, code } => {
                f.debug_struct("Refused").field("request", request).field("peer", peer).field("code", code).finish()
            }
            Self::Lost { request, peer } => {
                f.debug_struct("Lost").field("request", request).field("peer", peer).finish()
            }
            Self::Asked { ask, body } => f.debug_struct("Asked").field("ask", ask).field("bytes", &body.len()).finish(),
            Self::Answered { request, body } => {
                f.debug_struct("Answered").field("request", request).field("bytes", &body.len()).finish()
            }
            Self::Unanswered { request, reason } => {
                f.debug_struct("Unanswered").field("request", request).field("reason", reason).finish()
            }
            Self::Inquiry { inquiry, body } => {
                f.debug_struct("Inquiry").field("inquiry", inquiry).field("bytes", &body.len()).finish()
            }
            Self::Replied { request, body } => {
                f.debug_struct("Replied").field("request", request).field("bytes", &body.len()).finish()
            }
            Self::Unreplied { request, reason } => {
                f.debug_struct("Unreplied").field("request", request).field("reason", reason).finish()
            }
            Self::Joined => f.write_str("Joined"),
            Self::NotJoined { tried } => f.debug_struct("NotJoined").field("tried", tried).finish(),
            Self::Published { request, copies } => {
                f.debug_struct("Published").field("request", request).field("copies", copies).finish()
            }
            Self::Found { request, values } => {
                f.debug_struct("Found").field("request", request).field("values", &values.len()).finish()
            }
            Self::Follower { peer, topic, follows } => {
                f.debug_struct("Follower").field("peer", peer).field("topic", topic).field("follows", follows).finish()
            }
            Self::Gossiped { gossip, from, topic, message } => f
                .debug_struct("Gossiped")
                .field("gossip", gossip)
                .field("from", from)
                .field("topic", topic)
                .field("bytes", &message.len())
                .finish(),
            Self::Discovered { peer, addresses } => {
                f.debug_struct("Discovered").field("peer", peer).field("addresses", addresses).finish()
            }
        }
    }
}

/// How this node can be reached from outside, and on whose word (docs/protocol/09-reach.md).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reachability {
    /// Where, if that is believed, and how many nodes have come through there.
    pub confirmed: Option<(Address, usize)>,
    /// Nodes that were asked and came through, at any address.
    pub came_through: usize,
    /// Nodes that were asked and could not.
    pub could_not: usize,
    /// Nodes that are trying.
    pub asking: usize,
    /// Contacts that relay for this node.
    pub relays: usize,
    /// An address of the router that it says leads here.
    pub mapped: Option<Address>,
    /// Whether this node relays for its contacts.
    pub relaying: bool,
}

/// A node that the person named to begin with, and that was of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// As the person named it.
    pub address: Address,
    /// What was wrong, in words.
    pub reason: String,
}

/// Why a dial came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialFailure {
    /// None of the addresses is one this program can dial.
    #[error("none of the addresses can be dialled")]
    NoAddress,
    /// Nobody answered at any address.
    #[error("nobody answered at any of the addresses")]
    Unreachable,
    /// Another node answers there: the address is old, or somebody lied.
    #[error("another node answers at that address")]
    AnotherNode,
    /// It is this node.
    #[error("that is this node itself")]
    Oneself,
    /// The limits on connections or memory leave no place, or too many dials wait already.
    #[error("too many connections, or too little memory, for another one")]
    Full,
    /// A node answers that does not speak `/kinfolk/direct/1`, or it closed the connection again.
    #[error("a node answers there, but it opens no stream to us")]
    NoStream,
    /// The stream is open already; nothing was done.
    #[error("connected already")]
    Connected,
    /// It was ended by `Disconnect` or `Shutdown`.
    #[error("given up because the connection was closed here")]
    Cancelled,
}

/// Why a question to a mailbox host, or to a witness, has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskFailure {
    /// None of the addresses is one this program can dial.
    #[error("none of the addresses can be dialled")]
    NoAddress,
    /// It is longer than a question may be.
    #[error("the question is too long")]
    TooLong,
    /// Too many questions wait already.
    #[error("too many questions wait already")]
    Full,
    /// Nobody answered at any address.
    #[error("nobody answered at any of the addresses")]
    Unreachable,
    /// Another node answers there: the address is old, or somebody lied.
    #[error("another node answers at that address")]
    AnotherNode,
    /// A node answers that does not speak the protocol of such questions.
    #[error("a node answers there, but it does not know such questions")]
    NotSpoken,
    /// It took too long.
    #[error("the node took too long to answer")]
    Silent,
    /// It closed the connection, or what it said is no answer.
    #[error("the node closed the connection, or gave no proper answer")]
    Broken,
}
