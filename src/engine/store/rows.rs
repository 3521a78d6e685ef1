//! The records: what stands behind each [`Key`].

mod checkpoint;
mod finding;
mod links;
mod mailbox;
mod numbers;
mod people;
mod promises;
mod recovering;
mod tabs;
mod talk;
mod wallet;

use kinfolk_wire::codec::{self, DecodeError};
use kinfolk_wire::ids::{DeviceId, PeerId};
use minicbor::{Decode, Encode};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Table;
use crate::event::MessagePlace;

pub use checkpoint::*;
pub use finding::*;
pub use links::*;
pub use mailbox::*;
pub use numbers::Numbers;
pub use people::*;
pub use promises::*;
pub use recovering::*;
pub use tabs::*;
pub use talk::*;
pub use wallet::*;

/// The version byte in front of every row that this program writes.
pub const ROW_VERSION: u8 = 1;
/// The longest row: a message's content, its place and its state.
pub const ROW_LIMIT: usize = 256 * 1024;

/// Secret bytes inside a row; wiped when dropped, compared in constant time, never printed.
#[derive(Clone)]
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

impl PartialEq for KeyMaterial {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KeyMaterial {}

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
    KeyMaterial(KeyMaterial) = Session | SkippedKey | TokenKey,
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
    /// A timer has nothing but its key, nor have the index of what a host keeps, what was spent there, the money that is
    /// still to be claimed, and who was told where money goes.
    Nothing(Nothing) = Timer | DepositExpiry | SpentToken | Unclaimed | Told,
    /// A stretch of the event log.
    Events(Events) = Event,
    /// This node as a mailbox.
    Serving(Serving) = Serving,
    /// How much it keeps.
    Stored(Stored) = Stored,
    /// What it keeps.
    Deposited(Deposited) = Deposit,
    /// What it issued to a contact.
    TokensIssuedTo(TokensIssuedTo) = TokensIssued,
    /// The hosts of this person.
    Hosts(Hosts) = Hosts,
    /// What goes through mailboxes, by device.
    Post(Post) = Post,
    /// Tokens.
    Purse(Purse) = Purse | TokenStock,
    /// What is carried for others.
    CarriedFor(CarriedFor) = Carried,
    /// Which of it has a tag.
    CarriedPlace(CarriedPlace) = CarriedPlace,
    /// How much it is.
    Carriage(Carriage) = Carriage,
    /// Something asked of a host.
    Errand(Errand) = Errand,
    /// What goes through the hash table, by device.
    Finding(Finding) = Finding,
    /// The hash table.
    HashTable(HashTable) = HashTable,
    /// Something asked of it.
    Search(Search) = Search,
    /// A currency.
    Currency(Currency) = Currency,
    /// The account in it.
    Account(Account) = Account,
    /// An entry that was signed here.
    OwnEntry(OwnEntry) = OwnEntry,
    /// Money that came or went.
    Movement(Movement) = Movement,
    /// Which movement an entry is.
    MovementPlace(MovementPlace) = MovementPlace,
    /// Where payments to a contact go.
    Payee(Payee) = Payee,
    /// Somebody who takes card money, or wants to.
    Merchant(Merchant) = Merchant,
    /// An invoice.
    Invoice(Invoice) = Invoice,
    /// A tab.
    Tab(Tab) = Tab,
    /// What witnesses have said of it.
    TabTalk(TabTalk) = TabTalk,
    /// A payment that came without a certificate.
    Promised(Promised) = Promised,
    /// What an entry of one's own stands on.
    Footing(Footing) = Footing,
    /// What is known of an account that pays.
    Payer(Payer) = Payer,
    /// What accounts are derived from.
    Wallet(Wallet) = Wallet,
    /// The bringing back of an account.
    Recovering(Recovering) = Recovering,
    /// What a witness has answered to that.
    Recoverer(Recoverer) = Recoverer,
    /// The last checkpoint of an account.
    OwnCheckpoint(OwnCheckpoint) = OwnCheckpoint,
    /// How far a witness has come.
    Standing(Standing) = Standing,
    /// Something asked of a witness.
    Inquiry(Inquiry) = Inquiry,
    /// The key of a witness.
    WitnessKey(WitnessKey) = WitnessKey,
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
