//! The records: what stands behind each [`Key`].

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_wire::codec::{self, DecodeError};
use kinfolk_wire::direct::Role;
use kinfolk_wire::ids::{
    ConversationId, DeviceId, IdentityId, InviteId, MessageId, PayloadDigest, PeerId, SessionId, SigchainHead,
};
use kinfolk_wire::invite::{Address, Uses};
use kinfolk_wire::name::Name;
use kinfolk_wire::sigchain::SigchainBytes;
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::{Alarm, Key, PrekeyKind, Table};
use crate::event::{Event, MessagePlace};
use kinfolk_crypto::SkippedKeyId;

/// The version byte in front of every row that this program writes.
pub const ROW_VERSION: u8 = 1;
/// The longest row: a message's content, its place and its state.
pub const ROW_LIMIT: usize = 256 * 1024;

/// Secret bytes inside a row; wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyMaterial(Zeroizing<Vec<u8>>);

impl KeyMaterial {
    /// Keeps a copy of secret bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyMaterial({} bytes)", self.0.len())
    }
}

impl<C> Encode<C> for KeyMaterial {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for KeyMaterial {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Self::new(d.bytes()?))
    }
}

/// Who this profile is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Profile {
    /// The person.
    #[n(0)]
    pub identity: IdentityId,
    /// What they call themselves.
    #[n(1)]
    pub name: Name,
    /// Their sigchain.
    #[n(2)]
    pub sigchain: SigchainBytes,
    /// This device's keys, as `kinfolk-crypto` writes them.
    #[n(3)]
    pub device_keys: KeyMaterial,
    /// The Ed25519 seed of this node's key on the network, 32 bytes.
    #[n(4)]
    pub network_key: KeyMaterial,
    /// When the profile was made.
    #[n(5)]
    pub created_at: Timestamp,
    /// This node on the network.
    #[n(6)]
    pub peer: PeerId,
    /// This device.
    #[n(7)]
    pub device: DeviceId,
    /// The newest entry of the sigchain.
    #[n(8)]
    pub head: SigchainHead,
    /// The newest bundle, as it is given out.
    #[n(9)]
    #[cbor(with = "minicbor::bytes")]
    pub bundle: Vec<u8>,
    /// When that was made.
    #[n(10)]
    pub bundle_made_at: Timestamp,
    /// The id of its signed prekey, which counts up with every bundle.
    #[n(11)]
    pub bundle_id: u32,
}

/// The next numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Counters {
    /// The last request or outbox number given out.
    #[n(0)]
    pub last_request: u64,
    /// The last event number given out.
    #[n(1)]
    pub last_event: u64,
    /// The last prekey id given out.
    #[n(2)]
    pub last_prekey: u32,
    /// When housekeeping was last done, by the clock of then, where it has been.
    #[n(3)]
    pub housekept_at: Option<Timestamp>,
}

/// The private half of a prekey.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Prekey {
    /// As `kinfolk-crypto` writes it.
    #[n(0)]
    pub secret: KeyMaterial,
    /// When it was made.
    #[n(1)]
    pub made_at: Timestamp,
    /// When it was replaced, if it was.
    #[n(2)]
    pub replaced_at: Option<Timestamp>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Contact {
    /// Who.
    #[n(0)]
    pub identity: IdentityId,
    /// What they are called here.
    #[n(1)]
    pub name: Name,
    /// What they call themselves, once they said.
    #[n(2)]
    pub own_name: Option<Name>,
    /// How far it has come.
    #[n(3)]
    pub state: ContactState,
    /// Whether nothing more is heard from them.
    #[n(4)]
    pub blocked: bool,
    /// Whether the safety number was compared.
    #[n(5)]
    pub verified: bool,
    /// Their sigchain, once it is known.
    #[n(6)]
    pub sigchain: Option<SigchainBytes>,
    /// Their devices that introduced themselves here, each with a row of its own: not all that the sigchain certifies.
    #[n(7)]
    pub devices: Vec<DeviceId>,
    /// Since when they are known; of a removed one, since when they are removed.
    #[n(8)]
    pub added_at: Timestamp,
    /// When a device of theirs was last connected.
    #[n(9)]
    pub last_seen: Option<Timestamp>,
    /// The invite by which they came, where they came by one of ours.
    #[n(10)]
    pub invite: Option<InviteId>,
    /// The newest entry of their sigchain.
    #[n(11)]
    pub head: SigchainHead,
}

/// How far it has come with a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ContactState {
    /// We asked them.
    #[n(1)]
    Requested,
    /// They asked us, and the person has not answered.
    #[n(2)]
    Asking,
    /// Both agreed.
    #[n(3)]
    Accepted,
    /// One said no.
    #[n(4)]
    Declined,
    /// Removed here; kept so that an old link does not bring them back unasked.
    #[n(5)]
    Removed,
}

/// A device of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Device {
    /// Which.
    #[n(0)]
    pub device: DeviceId,
    /// Whose.
    #[n(1)]
    pub identity: IdentityId,
    /// The peer it last proved to be.
    #[n(2)]
    pub peer: Option<PeerId>,
    /// Where that peer may be, best first.
    #[n(3)]
    pub addresses: Vec<Address>,
    /// Its newest prekey bundle, as it was received.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub bundle: Vec<u8>,
    /// The pair root, once a session has been.
    #[n(5)]
    pub pair_root: Option<KeyMaterial>,
    /// The session that the pair root is from.
    #[n(6)]
    pub pair_session: Option<SessionId>,
    /// The sessions with it; the first is the one to send on.
    #[n(7)]
    pub sessions: Vec<SessionPlace>,
    /// Payloads that did not open since one last did.
    #[n(8)]
    pub unopened: Vec<PayloadDigest>,
    /// When it was last asked for a new session.
    #[n(9)]
    pub reinit_asked_at: Option<Timestamp>,
    /// Dials that failed since one succeeded.
    #[n(10)]
    pub failed_dials: u32,
    /// Our signed prekey that it last acknowledged.
    #[n(11)]
    pub knows_prekey: u32,
    /// The time of its pending dial timer.
    #[n(12)]
    pub dial_at: Option<Timestamp>,
    /// Our addresses that it was last told.
    #[n(13)]
    pub knows_addresses: Vec<Address>,
    /// When the person was last told that the device asked to start anew.
    #[n(14)]
    pub reset_told_at: Option<Timestamp>,
}

/// A session in the list of its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SessionPlace {
    /// Which.
    #[n(0)]
    pub session: SessionId,
    /// Whether this side started it.
    #[n(1)]
    pub initiated: bool,
    /// Whether anything of the other side has opened on it.
    #[n(2)]
    pub confirmed: bool,
    /// Until when it was the active one; of the active one, since when it is there.
    #[n(3)]
    pub active_until: Timestamp,
    /// Whether the other side was starting one at the same time.
    #[n(4)]
    pub crossed: bool,
}

/// An `Init` that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AcceptedInit {
    /// The session that it made.
    #[n(0)]
    pub session: SessionId,
    /// The signed prekey of ours that it named. Once that is wiped nothing can open the `Init` again, and this row goes.
    #[n(1)]
    pub signed_prekey: u32,
}

/// An invite of ours.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct InviteRow {
    /// Its secret, 16 bytes.
    #[n(0)]
    pub secret: KeyMaterial,
    /// How often it may be used.
    #[n(1)]
    pub uses: Uses,
    /// Until when.
    #[n(2)]
    pub expires_at: Timestamp,
    /// Whether the person is asked first.
    #[n(3)]
    pub ask: bool,
    /// Who used it, and from which peer, where it may be used once.
    #[n(4)]
    pub spent_by: Option<(IdentityId, PeerId)>,
    /// When it was made.
    #[n(5)]
    pub made_at: Timestamp,
}

/// A request of ours to become a contact.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Asking {
    /// The inviting person.
    #[n(0)]
    pub identity: IdentityId,
    /// Their device that made the invite.
    #[n(1)]
    pub device: DeviceId,
    /// Its node.
    #[n(2)]
    pub peer: PeerId,
    /// Where the invite says it is.
    #[n(3)]
    pub addresses: Vec<Address>,
    /// The invite's secret, 16 bytes.
    #[n(4)]
    pub secret: KeyMaterial,
    /// Until when the invite is honoured.
    #[n(5)]
    pub expires_at: Timestamp,
    /// Dials that failed so far.
    #[n(6)]
    pub failed_dials: u32,
    /// The sigchain of ours that goes with the first message, and that message, once it was made.
    #[n(7)]
    #[cbor(with = "minicbor::bytes")]
    pub chain: Vec<u8>,
    /// The time of the pending timer.
    #[n(8)]
    pub try_at: Option<Timestamp>,
    /// Whether the other side has taken the chain and the answer is awaited.
    #[n(9)]
    pub chain_taken: bool,
    /// What the person wants to call them, if they said.
    #[n(10)]
    pub name: Option<Name>,
    /// Which attempt this is: what is answered to an earlier one says nothing about it.
    #[n(11)]
    pub attempt: u32,
}

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

/// A stream with a peer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Link {
    /// Which end this node is: whether it opened the stream.
    #[n(0)]
    pub opened: bool,
    /// Where the peer is.
    #[n(1)]
    pub address: Address,
    /// The device it proved to be.
    #[n(2)]
    pub device: Option<DeviceId>,
    /// Whether we said who we are.
    #[n(3)]
    pub greeted: bool,
    /// The invite it knocked with, once the knock was good.
    #[n(4)]
    pub knocked: Option<InviteId>,
    /// The last outbox number that was sent on it.
    #[n(5)]
    pub cursor: u64,
    /// Whether there may be more after it.
    #[n(10)]
    pub behind: bool,
    /// Outbox items under way on it.
    #[n(6)]
    pub in_flight: BTreeSet<u64>,
    /// When it was opened, or what is under way on it last had an outcome.
    #[n(7)]
    pub acknowledged_at: Timestamp,
    /// The time of its pending timer.
    #[n(8)]
    pub look_at: Option<Timestamp>,
    /// Outbox items that were not taken on it, and when they are to be sent again.
    #[n(9)]
    pub again: BTreeMap<u64, Timestamp>,
}

impl Link {
    /// Which end of the stream this node is.
    #[must_use]
    pub const fn role(&self) -> Role {
        if self.opened { Role::Dialer } else { Role::Listener }
    }
}

/// How often strangers knocked of late.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Knocks {
    /// Who, with which invite where it was a good one, and when, within the last minute.
    #[n(0)]
    pub recent: Vec<(PeerId, Option<InviteId>, Timestamp)>,
}

macro_rules! rows {
    ($($(#[$doc:meta])* $variant:ident($record:ty) = $($table:ident)|+,)*) => {
        /// A record of any kind.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Row {
            $($(#[$doc])* $variant($record),)*
        }

        impl Row {
            /// The bytes that are kept: a version and the record.
            #[must_use]
            pub fn encode(&self) -> Zeroizing<Vec<u8>> {
                let record = match self { $(Self::$variant(record) => Zeroizing::new(codec::to_cbor(record)),)* };
                let mut out = Zeroizing::new(Vec::with_capacity(record.len().saturating_add(1)));
                out.push(ROW_VERSION);
                out.extend_from_slice(&record);
                out
            }

            /// Reads the row of a table.
            ///
            /// # Errors
            /// [`DecodeError`], also for a version of another program.
            pub fn decode(table: Table, bytes: &[u8]) -> Result<Self, DecodeError> {
                const WHAT: &str = "row";
                match bytes.split_first() {
                    Some((&ROW_VERSION, record)) => Ok(match table {
                        $($(Table::$table)|+ => Self::$variant(codec::from_cbor(WHAT, record, ROW_LIMIT)?),)*
                    }),
                    Some((&found, _)) => Err(DecodeError::UnknownVersion { what: WHAT, found: found.into() }),
                    None => Err(DecodeError::Truncated { what: WHAT, expected: 1, found: 0 }),
                }
            }
        }

        $(impl From<$record> for Row {
            fn from(record: $record) -> Self { Self::$variant(record) }
        })*

        $(impl Record for $record {
            fn of(row: Row) -> Option<Self> {
                match row { Row::$variant(record) => Some(record), _ => None }
            }
        })*
    };
}

/// A record that a row holds.
pub trait Record: Into<Row> + Sized {
    /// The record, where the row is of its kind.
    fn of(row: Row) -> Option<Self>;
}

rows! {
    /// Who this profile is.
    Profile(Profile) = Profile,
    /// The next numbers.
    Counters(Counters) = Counters,
    /// A prekey.
    Prekey(Prekey) = Prekey,
    /// A person.
    Contact(Contact) = Contact,
    /// A device.
    Device(Device) = Device,
    /// The device that a peer proved to be.
    DeviceId(DeviceId) = Peer,
    /// An invite.
    Invite(InviteRow) = Invite,
    /// A request of ours.
    Asking(Asking) = Asking,
    /// Secret bytes: a session or a skipped key.
    KeyMaterial(KeyMaterial) = Session | SkippedKey,
    /// An `Init` that was accepted.
    AcceptedInit(AcceptedInit) = AcceptedInit,
    /// A conversation.
    Conversation(Conversation) = Conversation,
    /// A line.
    Message(Message) = Message,
    /// Where a line stands.
    MessagePlace(MessagePlace) = MessagePlace,
    /// What waits to be sent.
    OutboxItem(OutboxItem) = Outbox,
    /// What was taken and is not receipted.
    Unreceipted(Unreceipted) = Unreceipted,
    /// A payload that opened.
    Opened(Opened) = Opened,
    /// Receipts to send.
    PendingReceipts(PendingReceipts) = PendingReceipts,
    /// A timer has nothing but its key.
    Nothing(Nothing) = Timer,
    /// A stretch of the event log.
    Events(Events) = Event,
    /// A stream.
    Link(Link) = Link,
    /// A peer.
    PeerId(PeerId) = LinkOf,
    /// Where this node can be reached.
    Listening(Listening) = Listening,
    /// Knocks of late.
    Knocks(Knocks) = Knocks,
}

/// A record with nothing in it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Nothing {}

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

/// Where this node can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Listening {
    /// Multiaddrs, in the order they were reported.
    #[n(0)]
    pub addresses: Vec<Address>,
}

#[derive(Encode, Decode)]
enum KeyBytes {
    #[n(1)]
    Profile,
    #[n(2)]
    Counters,
    #[n(3)]
    Prekey(#[n(0)] PrekeyKind, #[n(1)] u32),
    #[n(4)]
    Contact(#[n(0)] IdentityId),
    #[n(5)]
    Device(#[n(0)] DeviceId),
    #[n(6)]
    Peer(#[n(0)] PeerId),
    #[n(7)]
    Invite(#[n(0)] InviteId),
    #[n(8)]
    Asking(#[n(0)] IdentityId),
    #[n(9)]
    Session(#[n(0)] DeviceId, #[n(1)] SessionId),
    #[n(10)]
    SkippedKey(
        #[n(0)] SessionId,
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        [u8; SkippedKeyId::LENGTH],
    ),
    #[n(11)]
    AcceptedInit(
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        [u8; 16],
    ),
    #[n(12)]
    Conversation(#[n(0)] ConversationId),
    #[n(13)]
    Message(#[n(0)] ConversationId, #[n(1)] u64, #[n(2)] IdentityId, #[n(3)] MessageId),
    #[n(14)]
    MessagePlace(#[n(0)] ConversationId, #[n(1)] IdentityId, #[n(2)] MessageId),
    #[n(15)]
    Outbox(#[n(0)] DeviceId, #[n(1)] u64),
    #[n(16)]
    Unreceipted(#[n(0)] DeviceId, #[n(1)] MessageId),
    #[n(17)]
    Opened(#[n(0)] u64, #[n(1)] DeviceId, #[n(2)] PayloadDigest),
    #[n(18)]
    PendingReceipts(#[n(0)] IdentityId),
    #[n(19)]
    Timer(#[n(0)] Timestamp, #[n(1)] Alarm),
    #[n(20)]
    Events(#[n(0)] u64),
    #[n(21)]
    Link(#[n(0)] PeerId),
    #[n(22)]
    LinkOf(#[n(0)] DeviceId),
    #[n(23)]
    Listening,
    #[n(24)]
    Knocks,
}

pub(super) fn encode_key(key: &Key) -> Vec<u8> {
    codec::to_cbor(&match *key {
        Key::Profile => KeyBytes::Profile,
        Key::Counters => KeyBytes::Counters,
        Key::Prekey(kind, id) => KeyBytes::Prekey(kind, id),
        Key::Contact(id) => KeyBytes::Contact(id),
        Key::Device(id) => KeyBytes::Device(id),
        Key::Peer(id) => KeyBytes::Peer(id),
        Key::Invite(id) => KeyBytes::Invite(id),
        Key::Asking(id) => KeyBytes::Asking(id),
        Key::Session(device, session) => KeyBytes::Session(device, session),
        Key::SkippedKey(session, id) => KeyBytes::SkippedKey(session, id.to_bytes()),
        Key::AcceptedInit(digest) => KeyBytes::AcceptedInit(digest),
        Key::Conversation(id) => KeyBytes::Conversation(id),
        Key::Message(conversation, lamport, sender, id) => KeyBytes::Message(conversation, lamport, sender, id),
        Key::MessagePlace(conversation, sender, id) => KeyBytes::MessagePlace(conversation, sender, id),
        Key::Outbox(device, number) => KeyBytes::Outbox(device, number),
        Key::Unreceipted(device, id) => KeyBytes::Unreceipted(device, id),
        Key::Opened(day, device, digest) => KeyBytes::Opened(day, device, digest),
        Key::PendingReceipts(id) => KeyBytes::PendingReceipts(id),
        Key::Timer(due, alarm) => KeyBytes::Timer(due, alarm),
        Key::Events(number) => KeyBytes::Events(number),
        Key::Link(peer) => KeyBytes::Link(peer),
        Key::LinkOf(device) => KeyBytes::LinkOf(device),
        Key::Listening => KeyBytes::Listening,
        Key::Knocks => KeyBytes::Knocks,
    })
}

pub(super) fn decode_key(bytes: &[u8]) -> Result<Key, DecodeError> {
    Ok(match codec::from_cbor_canonical("key of a row", bytes, 256)? {
        KeyBytes::Profile => Key::Profile,
        KeyBytes::Counters => Key::Counters,
        KeyBytes::Prekey(kind, id) => Key::Prekey(kind, id),
        KeyBytes::Contact(id) => Key::Contact(id),
        KeyBytes::Device(id) => Key::Device(id),
        KeyBytes::Peer(id) => Key::Peer(id),
        KeyBytes::Invite(id) => Key::Invite(id),
        KeyBytes::Asking(id) => Key::Asking(id),
        KeyBytes::Session(device, session) => Key::Session(device, session),
        KeyBytes::SkippedKey(session, id) => Key::SkippedKey(session, SkippedKeyId::from_bytes(id)),
        KeyBytes::AcceptedInit(digest) => Key::AcceptedInit(digest),
        KeyBytes::Conversation(id) => Key::Conversation(id),
        KeyBytes::Message(conversation, lamport, sender, id) => Key::Message(conversation, lamport, sender, id),
        KeyBytes::MessagePlace(conversation, sender, id) => Key::MessagePlace(conversation, sender, id),
        KeyBytes::Outbox(device, number) => Key::Outbox(device, number),
        KeyBytes::Unreceipted(device, id) => Key::Unreceipted(device, id),
        KeyBytes::Opened(day, device, digest) => Key::Opened(day, device, digest),
        KeyBytes::PendingReceipts(id) => Key::PendingReceipts(id),
        KeyBytes::Timer(due, alarm) => Key::Timer(due, alarm),
        KeyBytes::Events(number) => Key::Events(number),
        KeyBytes::Link(peer) => Key::Link(peer),
        KeyBytes::LinkOf(device) => Key::LinkOf(device),
        KeyBytes::Listening => Key::Listening,
        KeyBytes::Knocks => Key::Knocks,
    })
}
