//! What is said: conversations, lines, what waits to be sent or receipted, and the log of events.

use kinfolk_wire::ids::{IdentityId, MessageId, PayloadDigest, PeerId};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

use crate::event::{Event, MessagePlace};

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Conversation {
    /// The other person.
    #[n(0)]
    pub contact: IdentityId,
    /// The highest order number seen.
    #[n(1)]
    pub lamport: u64,
    /// How many lines of theirs the person has not seen.
    #[n(2)]
    pub unread: u64,
    /// Up to where the person has seen it.
    #[n(3)]
    pub read_until: Option<MessagePlace>,
    /// Whether the other side is told.
    #[n(4)]
    pub read_receipts: bool,
    /// Lines of theirs that came after lines that stand behind them had been seen.
    #[n(5)]
    pub late: Vec<MessageId>,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Message {
    /// The encoded content.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub content: Vec<u8>,
    /// How far it has come.
    #[n(1)]
    pub state: MessageState,
    /// When it was written here or came here, by this device's clock.
    #[n(2)]
    pub at: Timestamp,
}

/// How far a line has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum MessageState {
    /// Ours: on our disk.
    #[n(1)]
    Queued,
    /// Ours: somebody has taken custody.
    #[n(2)]
    Sent,
    /// Ours: on a disk of theirs.
    #[n(3)]
    Delivered,
    /// Ours: they have seen it, and say so.
    #[n(4)]
    Read,
    /// Ours: given up.
    #[n(5)]
    NotDelivered,
    /// Theirs.
    #[n(6)]
    Received,
}

/// What waits to be sent to a device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OutboxItem {
    /// The message 0x11 or 0x12; empty where it must be sealed anew first.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub payload: Vec<u8>,
    /// The encoded content inside, to seal it anew.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub content: Vec<u8>,
    /// The line it carries, if it carries one.
    #[n(2)]
    pub line: Option<MessagePlace>,
    /// When it is given up.
    #[n(3)]
    pub expires_at: Timestamp,
    /// Its way through mailboxes, once it is on it.
    #[n(4)]
    pub custody: Option<Custody>,
}

/// The way of an outbox item through mailboxes, and by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Custody {
    /// Its number among what goes to its device in the custody of others.
    #[n(0)]
    pub number: u64,
    /// Hosts that have it.
    #[n(1)]
    pub hosts: Vec<PeerId>,
    /// Hosts that were asked and have not answered.
    #[n(2)]
    pub asked: Vec<PeerId>,
    /// Hosts that did not take it, in the order in which they were asked.
    #[n(3)]
    pub refused: Vec<PeerId>,
    /// Those of them that said that something else lies under its number.
    #[n(5)]
    #[cbor(default)]
    pub taken: Vec<PeerId>,
    /// Whether it went into a bundle of which it is not known yet that it was written.
    #[n(4)]
    #[cbor(default)]
    pub is_bundled: bool,
}

/// A line that was taken and is not receipted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Unreceipted {
    /// The line.
    #[n(0)]
    pub line: MessagePlace,
    /// The payload that carried it.
    #[n(1)]
    pub digest: PayloadDigest,
    /// The hosts that took it into custody; none where its device took it itself.
    #[n(2)]
    pub custody: Option<Vec<PeerId>>,
    /// When it was taken, or last said again.
    #[n(3)]
    pub since: Option<Timestamp>,
    /// How often it was said again.
    #[n(4)]
    #[cbor(default)]
    pub repeats: u32,
}

/// A payload that opened, so that it is known when it comes again.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Opened {
    /// The line it carried, if it carried one.
    #[n(0)]
    pub line: Option<MessagePlace>,
}

/// What is to be receipted with the next batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PendingReceipts {
    /// Committed here.
    #[n(0)]
    pub delivered: Vec<MessageId>,
    /// Seen by the person.
    #[n(1)]
    pub read: Vec<MessageId>,
    /// The time of its timer.
    #[n(2)]
    pub due: Option<Timestamp>,
}

/// A stretch of the event log. Several share a row, because a burst of messages is a burst of events, and a row each
/// would cost as much as the message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Events {
    /// The number of the first.
    #[n(0)]
    pub first: u64,
    /// They and those after it, in order.
    #[n(1)]
    pub events: Vec<Event>,
}

impl Events {
    /// How many share a row.
    pub const IN_A_ROW: usize = 16;

    /// The number of the row in which an event stands.
    #[must_use]
    pub const fn row_of(sequence: u64) -> u64 {
        sequence / Self::IN_A_ROW as u64
    }

    /// The events with their numbers.
    pub fn numbered(self) -> impl Iterator<Item = (u64, Event)> {
        (self.first..).zip(self.events)
    }
}
