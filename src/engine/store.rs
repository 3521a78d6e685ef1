//! The port to the store, and the schema: every record that is kept is a [`Key`] and a [`Row`] of this file.
//!
//! The store (floor 4) implements [`Read`] and commits [`Changes`] in one atomic batch. It sees keys as a table number
//! and [`Segment`]s, so that it can blind names and keep orders, and rows as bytes. A key's whole text is sealed beside
//! its row, so that an export finds it again.
//!
//! Rows are deterministic CBOR behind a version byte: a record can gain an optional field without a migration, and
//! anything else is a new version with a function that reads the old one.
//!
//! *Volatile* keys describe connections. They live in memory, go with the process, and are never written to disk.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::iter::FlatMap;
use std::ops::Deref;

use kinfolk_crypto::SkippedKeyId;
use kinfolk_wire::codec::{self, DecodeError};
use kinfolk_wire::ids::{ConversationId, DeviceId, IdentityId, InviteId, MessageId, PayloadDigest, PeerId, SessionId};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

mod rows;

pub use rows::*;

/// Names a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Who this profile is: one row.
    Profile,
    /// The next numbers: one row.
    Counters,
    /// The private half of a prekey of ours.
    Prekey(PrekeyKind, u32),
    /// A person.
    Contact(IdentityId),
    /// A device of a contact: where it is, how to talk to it.
    Device(DeviceId),
    /// Which device a peer last proved to be.
    Peer(PeerId),
    /// An invite of ours.
    Invite(InviteId),
    /// A request of ours to become a contact, while it is under way.
    Asking(IdentityId),
    /// A ratchet session with a device.
    Session(DeviceId, SessionId),
    /// A message key that was skipped.
    SkippedKey(SessionId, SkippedKeyId),
    /// An `Init` that was accepted, by the digest of its ephemeral key.
    AcceptedInit([u8; 16]),
    /// A conversation.
    Conversation(ConversationId),
    /// A line, in its order.
    Message(ConversationId, u64, IdentityId, MessageId),
    /// Where the line with this id stands.
    MessagePlace(ConversationId, IdentityId, MessageId),
    /// What waits to be sent to a device, in its order.
    Outbox(DeviceId, u64),
    /// A line that a device has taken and not receipted.
    Unreceipted(DeviceId, MessageId),
    /// A payload of a device that opened, by the day on which it did (days since the epoch) and its digest.
    Opened(u64, DeviceId, PayloadDigest),
    /// What is to be receipted to a contact with the next batch.
    PendingReceipts(IdentityId),
    /// Something to do at a time.
    Timer(Timestamp, Alarm),
    /// A stretch of the event log.
    Events(u64),
    /// Volatile: a stream with a peer.
    Link(PeerId),
    /// Volatile: the peer that a device is connected as.
    LinkOf(DeviceId),
    /// Volatile: where this node can be reached.
    Listening,
    /// Volatile: how often strangers knocked of late.
    Knocks,
}

/// The kinds of prekeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum PrekeyKind {
    /// X25519 signed prekeys.
    #[n(1)]
    Signed,
    /// ML-KEM last-resort keys.
    #[n(2)]
    LastResort,
    /// One-time pairs.
    #[n(3)]
    OneTime,
}

/// What is to be done at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Alarm {
    /// Try to reach a device.
    #[n(1)]
    Dial(#[n(0)] DeviceId),
    /// Try to reach the maker of an invite.
    #[n(2)]
    Ask(#[n(0)] IdentityId),
    /// Send the receipts that have gathered for a contact.
    #[n(3)]
    Receipts(#[n(0)] IdentityId),
    /// See whether a link still acknowledges. Volatile.
    #[n(4)]
    LinkStalled(#[n(0)] PeerId),
    /// Rotate prekeys, give up what is too old, forget what is spent.
    #[n(5)]
    Housekeeping,
}

/// A part of a key as the store sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// A name, of which the store keeps `width` bytes of a keyed hash.
    Name {
        /// The name itself.
        bytes: NameBytes,
        /// How many bytes of its hash tell names apart.
        width: usize,
    },
    /// A number that keeps its order.
    Order(u64),
}

/// The longest name in a key, in bytes: an alarm with the peer it is for.
const NAME: usize = 48;

/// The bytes of a name, in place: keys are taken apart for every row that is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameBytes {
    bytes: [u8; NAME],
    length: usize,
}

impl Deref for NameBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

/// The parts of one key, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    parts: [Segment; 4],
    length: usize,
}

impl Segments {
    fn of<const N: usize>(given: [Segment; N]) -> Self {
        const { assert!(N <= 4) };
        let mut parts = [Segment::Order(0); 4];
        for (part, segment) in parts.iter_mut().zip(given) {
            *part = segment;
        }
        Self { parts, length: N }
    }
}

impl Deref for Segments {
    type Target = [Segment];

    fn deref(&self) -> &[Segment] {
        self.parts.get(..self.length).unwrap_or(&self.parts)
    }
}

fn name(from: &[u8], width: usize) -> Segment {
    debug_assert!(from.len() <= NAME, "a name of {} bytes", from.len());
    let mut bytes = [0; NAME];
    for (to, byte) in bytes.iter_mut().zip(from) {
        *to = *byte;
    }
    Segment::Name { bytes: NameBytes { bytes, length: from.len().min(NAME) }, width }
}

/// The tables: the first byte of every key in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the key of the same name")]
pub enum Table {
    Profile = 1,
    Counters = 2,
    Prekey = 3,
    Contact = 4,
    Device = 5,
    Peer = 6,
    Invite = 7,
    Asking = 8,
    Session = 9,
    SkippedKey = 10,
    AcceptedInit = 11,
    Conversation = 12,
    Message = 13,
    MessagePlace = 14,
    Outbox = 15,
    Unreceipted = 16,
    Opened = 17,
    PendingReceipts = 18,
    Timer = 19,
    Event = 20,
    Link = 200,
    LinkOf = 201,
    Listening = 202,
    Knocks = 203,
}

impl Table {
    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl Key {
    /// The table it is in.
    #[must_use]
    pub const fn table(&self) -> Table {
        match self {
            Self::Profile => Table::Profile,
            Self::Counters => Table::Counters,
            Self::Prekey(..) => Table::Prekey,
            Self::Contact(_) => Table::Contact,
            Self::Device(_) => Table::Device,
            Self::Peer(_) => Table::Peer,
            Self::Invite(_) => Table::Invite,
            Self::Asking(_) => Table::Asking,
            Self::Session(..) => Table::Session,
            Self::SkippedKey(..) => Table::SkippedKey,
            Self::AcceptedInit(_) => Table::AcceptedInit,
            Self::Conversation(_) => Table::Conversation,
            Self::Message(..) => Table::Message,
            Self::MessagePlace(..) => Table::MessagePlace,
            Self::Outbox(..) => Table::Outbox,
            Self::Unreceipted(..) => Table::Unreceipted,
            Self::Opened(..) => Table::Opened,
            Self::PendingReceipts(_) => Table::PendingReceipts,
            Self::Timer(..) => Table::Timer,
            Self::Events(_) => Table::Event,
            Self::Link(_) => Table::Link,
            Self::LinkOf(_) => Table::LinkOf,
            Self::Listening => Table::Listening,
            Self::Knocks => Table::Knocks,
        }
    }

    /// Whether it is kept in memory only.
    #[must_use]
    pub const fn is_volatile(&self) -> bool {
        matches!(
            self,
            Self::Link(_) | Self::LinkOf(_) | Self::Listening | Self::Knocks | Self::Timer(_, Alarm::LinkStalled(_))
        )
    }

    /// Its parts after the table, as the store sees them.
    #[must_use]
    pub fn segments(&self) -> Segments {
        match self {
            Self::Profile | Self::Counters | Self::Listening | Self::Knocks => Segments::of([]),
            Self::Prekey(kind, id) => Segments::of([Segment::Order(*kind as u64), Segment::Order((*id).into())]),
            Self::Contact(id) | Self::Asking(id) | Self::PendingReceipts(id) => Segments::of([name(id.as_bytes(), 16)]),
            Self::Device(id) | Self::LinkOf(id) => Segments::of([name(id.as_bytes(), 16)]),
            Self::Peer(id) | Self::Link(id) => Segments::of([name(id.as_bytes(), 16)]),
            Self::Invite(id) => Segments::of([name(id.as_bytes(), 16)]),
            Self::Session(device, session) => Segments::of([name(device.as_bytes(), 16), name(session.as_bytes(), 16)]),
            Self::SkippedKey(session, id) => {
                Segments::of([name(session.as_bytes(), 16), Segment::Order(u32::from_be_bytes(id.to_bytes()).into())])
            }
            Self::AcceptedInit(digest) => Segments::of([name(digest, 16)]),
            Self::Conversation(id) => Segments::of([name(id.as_bytes(), 16)]),
            Self::Message(conversation, lamport, sender, id) => Segments::of([
                name(conversation.as_bytes(), 16),
                Segment::Order(*lamport),
                name(sender.as_bytes(), 8),
                name(id.as_bytes(), 8),
            ]),
            Self::MessagePlace(conversation, sender, id) => {
                Segments::of([name(conversation.as_bytes(), 16), name(sender.as_bytes(), 8), name(id.as_bytes(), 16)])
            }
            Self::Outbox(device, number) => Segments::of([name(device.as_bytes(), 16), Segment::Order(*number)]),
            Self::Unreceipted(device, id) => Segments::of([name(device.as_bytes(), 16), name(id.as_bytes(), 16)]),
            Self::Opened(day, device, digest) => {
                Segments::of([Segment::Order(*day), name(device.as_bytes(), 8), name(digest.as_bytes(), 16)])
            }
            Self::Timer(due, alarm) => {
                Segments::of([Segment::Order(due.as_millis()), name(&codec::to_cbor(alarm), 16)])
            }
            Self::Events(number) => Segments::of([Segment::Order(*number)]),
        }
    }
}

/// A question for many rows of one table: those under a prefix, within bounds of the number that follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The table.
    pub table: Table,
    /// The first segments of the keys.
    pub prefix: Vec<Segment>,
    /// The least value of the [`Segment::Order`] after the prefix.
    pub from: u64,
    /// Its greatest value.
    pub until: u64,
    /// Greatest first.
    pub backwards: bool,
    /// At most this many rows.
    pub limit: usize,
}

impl Scan {
    /// All rows of a table, at most `limit`.
    #[must_use]
    pub const fn all(table: Table, limit: usize) -> Self {
        Self { table, prefix: Vec::new(), from: 0, until: u64::MAX, backwards: false, limit }
    }

    /// Rows under a prefix, in ascending order.
    #[must_use]
    pub const fn under(table: Table, prefix: Vec<Segment>, limit: usize) -> Self {
        Self { table, prefix, from: 0, until: u64::MAX, backwards: false, limit }
    }

    /// The lines of a conversation up to an order number, newest first.
    #[must_use]
    pub fn messages_back_from(conversation: ConversationId, until: u64, limit: usize) -> Self {
        let prefix = vec![name(conversation.as_bytes(), 16)];
        Self { table: Table::Message, prefix, from: 0, until, backwards: true, limit }
    }

    /// What waits for a device after a number, oldest first.
    #[must_use]
    pub fn outbox_after(device: DeviceId, number: u64, limit: usize) -> Self {
        let prefix = vec![name(device.as_bytes(), 16)];
        Self { table: Table::Outbox, prefix, from: number.saturating_add(1), until: u64::MAX, backwards: false, limit }
    }

    /// Timers due by a moment, earliest first.
    #[must_use]
    pub const fn timers_until(due: Timestamp, limit: usize) -> Self {
        Self { table: Table::Timer, prefix: Vec::new(), from: 0, until: due.as_millis(), backwards: false, limit }
    }

    /// The rows of the log in which events after a number stand, in order; rows for at least `limit` of them.
    #[must_use]
    pub const fn events_after(sequence: u64, limit: usize) -> Self {
        let from = Events::row_of(sequence.saturating_add(1));
        let limit = (limit / Events::IN_A_ROW).saturating_add(2);
        Self { table: Table::Event, prefix: Vec::new(), from, until: u64::MAX, backwards: false, limit }
    }

    /// What opened on days from one to another, both included.
    #[must_use]
    pub const fn opened_between(from: u64, until: u64, limit: usize) -> Self {
        Self { table: Table::Opened, prefix: Vec::new(), from, until, backwards: false, limit }
    }

    /// The lines that a device has not receipted.
    #[must_use]
    pub fn unreceipted(device: DeviceId, limit: usize) -> Self {
        Self::under(Table::Unreceipted, vec![name(device.as_bytes(), 16)], limit)
    }

    /// The skipped keys of a session, oldest first.
    #[must_use]
    pub fn skipped_keys(session: SessionId, limit: usize) -> Self {
        Self::under(Table::SkippedKey, vec![name(session.as_bytes(), 16)], limit)
    }

    /// The number by which a matching key is ordered, or nothing where the key does not match.
    #[must_use]
    pub fn place(&self, key: &Key) -> Option<u64> {
        if key.table() != self.table {
            return None;
        }
        let segments = key.segments();
        if !segments.starts_with(&self.prefix) {
            return None;
        }
        let order = match segments.get(self.prefix.len()) {
            Some(Segment::Order(order)) => *order,
            Some(Segment::Name { .. }) | None => 0,
        };
        (self.from..=self.until).contains(&order).then_some(order)
    }
}

/// What a scan found. Among keys with the same number the order is unspecified.
#[derive(Debug, Default)]
pub struct Scanned {
    /// The rows that could be read.
    pub rows: Vec<(Key, Row)>,
    /// How many could not.
    pub damaged: usize,
}

/// Why the store cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A row is there and cannot be opened or understood.
    #[error("a record of the store is damaged ({table:?}): {reason}")]
    Damaged {
        /// Where it stands.
        table: Table,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk or the back-end failed.
    #[error("the store cannot be read: {0}")]
    Disk(String),
}

/// The store as a turn sees it.
pub trait Read {
    /// The row of a key.
    ///
    /// # Errors
    /// [`ReadError`].
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError>;

    /// The rows of a scan, in its order.
    ///
    /// # Errors
    /// [`ReadError::Disk`]; damaged rows are counted instead.
    fn scan(&self, scan: &Scan) -> Result<Scanned, ReadError>;
}

/// What becomes of a key.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "nearly every change is a row; boxing each would cost more than it saves")]
pub enum Change {
    /// It has this row.
    Put(Row),
    /// It has none.
    Delete,
}

/// What a turn, or several, changed: committed as one batch or not at all.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    tables: BTreeMap<Table, OfTable>,
}

type OfTable = BTreeMap<Key, Change>;

/// The changes in the order of their keys.
type InOrder<'a> = FlatMap<
    btree_map::Values<'a, Table, OfTable>,
    btree_map::Iter<'a, Key, Change>,
    fn(&'a OfTable) -> btree_map::Iter<'a, Key, Change>,
>;

impl Changes {
    /// Sets a row.
    pub fn put(&mut self, key: Key, row: Row) {
        self.tables.entry(key.table()).or_default().insert(key, Change::Put(row));
    }

    /// Takes a row away.
    pub fn delete(&mut self, key: Key) {
        self.tables.entry(key.table()).or_default().insert(key, Change::Delete);
    }

    /// What became of a key, if anything did.
    #[must_use]
    pub fn find(&self, key: &Key) -> Option<&Change> {
        self.tables.get(&key.table())?.get(key)
    }

    /// What became of the keys of a table.
    fn of_table(&self, table: Table) -> impl Iterator<Item = (&Key, &Change)> {
        self.tables.get(&table).into_iter().flatten()
    }

    /// Lays later changes over these.
    pub fn extend(&mut self, later: Self) {
        for (table, changes) in later.tables {
            self.tables.entry(table).or_default().extend(changes);
        }
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.values().all(BTreeMap::is_empty)
    }

    /// How many keys changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.values().map(BTreeMap::len).sum()
    }

    /// The changes in the order of their keys.
    pub fn iter(&self) -> InOrder<'_> {
        self.tables.values().flat_map(BTreeMap::iter)
    }
}

impl<'a> IntoIterator for &'a Changes {
    type Item = (&'a Key, &'a Change);
    type IntoIter = InOrder<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A store with changes laid over it that are not committed yet.
pub struct Overlay<'a> {
    /// What is under the changes.
    pub base: &'a dyn Read,
    /// What lies over it.
    pub changes: &'a Changes,
}

impl Read for Overlay<'_> {
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
        match self.changes.find(key) {
            Some(Change::Put(row)) => Ok(Some(row.clone())),
            Some(Change::Delete) => Ok(None),
            None => self.base.get(key),
        }
    }

    fn scan(&self, scan: &Scan) -> Result<Scanned, ReadError> {
        let mut laid: Vec<(u64, Key, &Change)> = self
            .changes
            .of_table(scan.table)
            .filter_map(|(key, change)| scan.place(key).map(|order| (order, *key, change)))
            .collect();
        if laid.is_empty() {
            return self.base.scan(scan);
        }
        // What is put stands in for what it hides; only what is taken away makes room for more from under it.
        let gone = laid.iter().filter(|(_, _, change)| matches!(change, Change::Delete)).count();
        let wider = Scan { limit: scan.limit.saturating_add(gone), ..scan.clone() };
        let Scanned { rows, damaged } = self.base.scan(&wider)?;
        laid.sort_by_key(|(order, ..)| *order);
        let mut merged: Vec<(u64, Key, Row)> = rows
            .into_iter()
            .filter(|(key, _)| self.changes.find(key).is_none())
            .map(|(key, row)| (scan.place(&key).unwrap_or_default(), key, row))
            .collect();
        for (order, key, change) in laid {
            if let Change::Put(row) = change {
                merged.push((order, key, row.clone()));
            }
        }
        if scan.backwards {
            merged.sort_by_key(|(order, ..)| std::cmp::Reverse(*order));
        } else {
            merged.sort_by_key(|(order, ..)| *order);
        }
        merged.truncate(scan.limit);
        Ok(Scanned { rows: merged.into_iter().map(|(_, key, row)| (key, row)).collect(), damaged })
    }
}

/// A store in memory, for the simulator and for tests: what a real one does, without sealing or disk.
#[derive(Debug, Default, Clone)]
pub struct MemoryStore {
    rows: BTreeMap<Vec<u8>, (Key, Row)>,
}

/// A key as bytes whose order is the order of scans.
fn path(table: Table, segments: &[Segment]) -> Vec<u8> {
    let mut path = vec![table.number()];
    for segment in segments {
        match segment {
            Segment::Name { bytes, .. } => path.extend_from_slice(bytes),
            Segment::Order(order) => path.extend_from_slice(&order.to_be_bytes()),
        }
    }
    path
}

impl MemoryStore {
    /// Applies a batch.
    pub fn commit(&mut self, changes: &Changes) {
        for (key, change) in changes {
            let path = path(key.table(), &key.segments());
            match change {
                Change::Put(row) => {
                    self.rows.insert(path, (*key, row.clone()));
                }
                Change::Delete => {
                    self.rows.remove(&path);
                }
            }
        }
    }

    /// Forgets what is volatile, as the end of a process does.
    pub fn forget_volatile(&mut self) {
        self.rows.retain(|_, (key, _)| !key.is_volatile());
    }

    /// All rows, in the order of scans.
    pub fn iter(&self) -> impl Iterator<Item = &(Key, Row)> {
        self.rows.values()
    }
}

impl Read for MemoryStore {
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
        Ok(self.rows.get(&path(key.table(), &key.segments())).map(|(_, row)| row.clone()))
    }

    fn scan(&self, scan: &Scan) -> Result<Scanned, ReadError> {
        let prefix = path(scan.table, &scan.prefix);
        let under = self.rows.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        let matching = under.filter(|(_, (key, _))| scan.place(key).is_some()).map(|(_, found)| found.clone());
        let rows = if scan.backwards {
            let mut all: Vec<(Key, Row)> = matching.collect();
            all.reverse();
            all.truncate(scan.limit);
            all
        } else {
            matching.take(scan.limit).collect()
        };
        Ok(Scanned { rows, damaged: 0 })
    }
}

impl Key {
    /// The key as it is sealed beside its row.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        rows::encode_key(self)
    }

    /// Reads a key that [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        rows::decode_key(bytes)
    }
}

#[cfg(test)]
mod tests;
