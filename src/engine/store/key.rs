//! Names of records: tables, keys, and what a store sees of a key.

use std::ops::Deref;

use kinfolk_crypto::SkippedKeyId;
use kinfolk_wire::codec::{self, DecodeError};
use kinfolk_wire::ids::{
    AccountId, ConversationId, CurrencyId, DeviceId, EntryHash, IdentityId, InviteId, MailboxTag, MessageId, NoteHash,
    PayloadDigest, PeerId, SessionId,
};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

use super::key_bytes;

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
    /// This node serves as a mailbox: one row, there while it does.
    Serving,
    /// How much this node keeps for others: one row.
    Stored,
    /// A blob that this node keeps.
    Deposit(MailboxTag),
    /// When it goes: hours since the epoch.
    DepositExpiry(u64, MailboxTag),
    /// A token of this node's that was spent, by epoch and nonce.
    SpentToken(u32, [u8; 16]),
    /// The key under which this node issues tokens, by epoch.
    TokenKey(u32),
    /// How many tokens a contact was issued.
    TokensIssued(IdentityId),
    /// The hosts that this person has named: one row.
    Hosts,
    /// What goes to and comes from a device through mailboxes.
    Post(DeviceId),
    /// Tokens to deposit for a device at a host.
    Purse(DeviceId, PeerId),
    /// Tokens of a host of ours, to be handed to contacts.
    TokenStock(PeerId),
    /// An envelope that is carried for somebody else, in the order in which they came.
    Carried(u64),
    /// Which of them has a tag.
    CarriedPlace(MailboxTag),
    /// How much is carried for others: one row.
    Carriage,
    /// What goes to and comes from a device through the hash table.
    Finding(DeviceId),
    /// A currency.
    Currency(CurrencyId),
    /// The account in a currency.
    Account(CurrencyId),
    /// An entry that was signed for it, by its place in the chain.
    OwnEntry(CurrencyId, u64),
    /// Money that came or went, in the order in which it did.
    Movement(CurrencyId, u64),
    /// Which movement an entry is.
    MovementPlace(EntryHash),
    /// A movement of which the money is still to be claimed.
    Unclaimed(CurrencyId, u64),
    /// Where payments to a contact go.
    Payee(CurrencyId, IdentityId),
    /// A merchant of a currency: this person, or a contact whom this person certifies.
    Merchant(CurrencyId, IdentityId),
    /// A contact who was told where payments in a currency go.
    Told(CurrencyId, IdentityId),
    /// An invoice, by its name.
    Invoice(NoteHash),
    /// A tab, by its chain.
    Tab(AccountId),
    /// Volatile: what witnesses have said of a tab.
    TabTalk(AccountId),
    /// A payment that came without a certificate, by the number of its movement.
    Promised(CurrencyId, u64),
    /// What an entry of one's own stands on, by its place in the chain.
    Footing(CurrencyId, u64),
    /// What is known of an account that pays.
    Payer(AccountId),
    /// What the accounts of this wallet are derived from: one row.
    Wallet,
    /// The bringing back of an account in a currency.
    Recovering(CurrencyId),
    /// The last checkpoint of the account in a currency.
    OwnCheckpoint(CurrencyId),
    /// Volatile: what a witness has answered to who brings an account back, by its place in the policy.
    Recoverer(CurrencyId, u8),
    /// Volatile: how far a witness has come, by its place in the policy.
    Standing(CurrencyId, u8),
    /// Volatile: what was asked of a witness, by the number of the request.
    Inquiry(u64),
    /// Volatile: the key that a node votes with.
    WitnessKey(PeerId),
    /// Volatile: the hash table as the network reports it: one row.
    HashTable,
    /// Volatile: what was asked of the hash table, by the number of the request.
    Search(u64),
    /// Volatile: what was asked of a host, by the number of the request.
    Errand(u64),
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
    /// Deposit at mailboxes what waits for a device.
    #[n(6)]
    Deposit(#[n(0)] DeviceId),
    /// Ask the mailboxes for mail.
    #[n(7)]
    Poll,
    /// Go on throwing away what this node keeps for others until an hour since the epoch, and no longer. There while there
    /// is more than one turn has time for.
    #[n(8)]
    ThrowAway(#[n(0)] u64),
    /// Write down for a device, in the hash table, where this node is.
    #[n(12)]
    Write(#[n(0)] DeviceId),
    /// Look for a device in the hash table.
    #[n(13)]
    Look(#[n(0)] DeviceId),
    /// Ask the witnesses of a currency again.
    #[n(14)]
    Settle(#[n(0)] CurrencyId),
    /// Ask the witnesses of a currency again that keep an account from being brought back.
    #[n(15)]
    Recover(#[n(0)] CurrencyId),
    /// See what is to be done with a tab.
    #[n(84)]
    Tab(#[n(0)] AccountId),
    /// Ask a device to start anew, for what came from it and did not open.
    #[n(20)]
    Heal(#[n(0)] DeviceId),
    /// Look after one's certificate as a merchant of a currency.
    #[n(88)]
    Merchant(#[n(0)] CurrencyId),
    /// See whether a payment of this person's has found its quorum, and promise it to its payee if not.
    #[n(80)]
    Promise(#[n(0)] EntryHash),
    /// Take a payment that was promised to the witnesses again.
    #[n(81)]
    Carry(#[n(0)] EntryHash),
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

pub(super) fn name(from: &[u8], width: usize) -> Segment {
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
    Serving = 21,
    Stored = 22,
    Deposit = 23,
    DepositExpiry = 24,
    SpentToken = 25,
    TokenKey = 26,
    TokensIssued = 27,
    Hosts = 28,
    Post = 29,
    Purse = 30,
    TokenStock = 31,
    Carried = 32,
    CarriedPlace = 33,
    Carriage = 34,
    Finding = 40,
    Currency = 41,
    Account = 42,
    OwnEntry = 43,
    Movement = 44,
    MovementPlace = 45,
    Unclaimed = 46,
    Payee = 47,
    Wallet = 48,
    Recovering = 49,
    Invoice = 50,
    Tab = 54,
    Promised = 51,
    Footing = 52,
    Payer = 53,
    Merchant = 57,
    Told = 58,
    OwnCheckpoint = 59,
    Link = 200,
    LinkOf = 201,
    Listening = 202,
    Knocks = 203,
    Errand = 204,
    HashTable = 210,
    Search = 211,
    Standing = 212,
    Inquiry = 213,
    WitnessKey = 214,
    Recoverer = 215,
    TabTalk = 216,
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
            Self::Serving => Table::Serving,
            Self::Stored => Table::Stored,
            Self::Deposit(_) => Table::Deposit,
            Self::DepositExpiry(..) => Table::DepositExpiry,
            Self::SpentToken(..) => Table::SpentToken,
            Self::TokenKey(_) => Table::TokenKey,
            Self::TokensIssued(_) => Table::TokensIssued,
            Self::Hosts => Table::Hosts,
            Self::Post(_) => Table::Post,
            Self::Purse(..) => Table::Purse,
            Self::TokenStock(_) => Table::TokenStock,
            Self::Carried(_) => Table::Carried,
            Self::CarriedPlace(_) => Table::CarriedPlace,
            Self::Carriage => Table::Carriage,
            Self::Finding(_) => Table::Finding,
            Self::Currency(_) => Table::Currency,
            Self::Account(_) => Table::Account,
            Self::OwnEntry(..) => Table::OwnEntry,
            Self::Movement(..) => Table::Movement,
            Self::MovementPlace(_) => Table::MovementPlace,
            Self::Unclaimed(..) => Table::Unclaimed,
            Self::Payee(..) => Table::Payee,
            Self::Merchant(..) => Table::Merchant,
            Self::Told(..) => Table::Told,
            Self::Invoice(_) => Table::Invoice,
            Self::Tab(_) => Table::Tab,
            Self::TabTalk(_) => Table::TabTalk,
            Self::Promised(..) => Table::Promised,
            Self::Footing(..) => Table::Footing,
            Self::Payer(_) => Table::Payer,
            Self::Wallet => Table::Wallet,
            Self::Recovering(_) => Table::Recovering,
            Self::OwnCheckpoint(_) => Table::OwnCheckpoint,
            Self::Recoverer(..) => Table::Recoverer,
            Self::Standing(..) => Table::Standing,
            Self::Inquiry(_) => Table::Inquiry,
            Self::WitnessKey(_) => Table::WitnessKey,
            Self::HashTable => Table::HashTable,
            Self::Search(_) => Table::Search,
            Self::Errand(_) => Table::Errand,
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
            Self::Link(_)
                | Self::LinkOf(_)
                | Self::Listening
                | Self::Knocks
                | Self::Errand(_)
                | Self::HashTable
                | Self::Search(_)
                | Self::Recoverer(..)
                | Self::TabTalk(_)
                | Self::Standing(..)
                | Self::Inquiry(_)
                | Self::WitnessKey(_)
                | Self::Timer(_, Alarm::LinkStalled(_))
        )
    }

    /// Its parts after the table, as the store sees them.
    #[must_use]
    pub fn segments(&self) -> Segments {
        match self {
            Self::Profile
            | Self::Counters
            | Self::Listening
            | Self::Knocks
            | Self::Serving
            | Self::Stored
            | Self::Hosts
            | Self::Carriage
            | Self::Wallet
            | Self::HashTable => Segments::of([]),
            Self::Deposit(tag) | Self::CarriedPlace(tag) => Segments::of([name(tag.as_bytes(), 16)]),
            Self::DepositExpiry(hour, tag) => Segments::of([Segment::Order(*hour), name(tag.as_bytes(), 16)]),
            Self::SpentToken(epoch, nonce) => Segments::of([Segment::Order((*epoch).into()), name(nonce, 16)]),
            Self::TokenKey(epoch) => Segments::of([Segment::Order((*epoch).into())]),
            Self::Errand(number) | Self::Carried(number) | Self::Search(number) | Self::Inquiry(number) => {
                Segments::of([Segment::Order(*number)])
            }
            Self::Currency(currency)
            | Self::Account(currency)
            | Self::Recovering(currency)
            | Self::OwnCheckpoint(currency) => Segments::of([name(currency.as_bytes(), 16)]),
            Self::OwnEntry(currency, number)
            | Self::Movement(currency, number)
            | Self::Unclaimed(currency, number)
            | Self::Promised(currency, number)
            | Self::Footing(currency, number) => Segments::of([name(currency.as_bytes(), 16), Segment::Order(*number)]),
            Self::Payer(account) => Segments::of([name(account.as_bytes(), 16)]),
            Self::MovementPlace(entry) => Segments::of([name(entry.as_bytes(), 16)]),
            Self::Invoice(invoice) => Segments::of([name(invoice.as_bytes(), 16)]),
            Self::Tab(tab) | Self::TabTalk(tab) => Segments::of([name(tab.as_bytes(), 16)]),
            Self::Payee(currency, contact) | Self::Merchant(currency, contact) | Self::Told(currency, contact) => {
                Segments::of([name(currency.as_bytes(), 16), name(contact.as_bytes(), 16)])
            }
            Self::Standing(currency, witness) | Self::Recoverer(currency, witness) => {
                Segments::of([name(currency.as_bytes(), 16), Segment::Order((*witness).into())])
            }
            Self::Purse(device, host) => Segments::of([name(device.as_bytes(), 16), name(host.as_bytes(), 16)]),
            Self::Prekey(kind, id) => Segments::of([Segment::Order(*kind as u64), Segment::Order((*id).into())]),
            Self::Contact(id) | Self::Asking(id) | Self::PendingReceipts(id) | Self::TokensIssued(id) => {
                Segments::of([name(id.as_bytes(), 16)])
            }
            Self::Device(id) | Self::LinkOf(id) | Self::Post(id) | Self::Finding(id) => {
                Segments::of([name(id.as_bytes(), 16)])
            }
            Self::Peer(id) | Self::Link(id) | Self::TokenStock(id) | Self::WitnessKey(id) => {
                Segments::of([name(id.as_bytes(), 16)])
            }
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

impl Key {
    /// The key as it is sealed beside its row.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        key_bytes::encode(self)
    }

    /// Reads a key that [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        key_bytes::decode(bytes)
    }
}
