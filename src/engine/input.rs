//! Everything that can happen to an engine.

use kinfolk_wire::carried::Carried;
use kinfolk_wire::content::{Body, Text};
use kinfolk_wire::direct::{FrameKind, NackCode, Role};
use kinfolk_wire::ids::{AccountId, ConversationId, DeviceId, EntryHash, IdentityId, MessageId, PeerId};
use kinfolk_wire::invite::{Address, InviteLink, Uses};
use kinfolk_wire::mailbox::Host;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;

use crate::effect::RequestId;
use crate::store::Tried;

pub use crate::features::wallet::currencies::NewCurrency;
pub use crate::features::wallet::keys::Words;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The node has started: what was true of connections no longer is.
    Started,
    /// A person or a program wants something done.
    Command(Command),
    /// The network reports.
    Network(Report),
    /// A time that [`next_wakeup`](crate::next_wakeup) named has come. Coming early or often harms nothing.
    Wake,
}

/// What a person or a program wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Make a link for others to become contacts by.
    CreateInvite {
        /// How often it may be used.
        uses: Uses,
        /// How long it is honoured.
        lifetime: Span,
        /// What happens when somebody comes with it.
        admission: Admission,
    },
    /// Ask the person who made this link to become a contact.
    AddContact {
        /// The link.
        link: InviteLink,
        /// What to call them here; else what they call themselves.
        name: Option<Name>,
    },
    /// Say yes to a person who asked.
    AcceptContact(IdentityId),
    /// Say no to a person who asked.
    DeclineContact(IdentityId),
    /// Call a contact something else here.
    RenameContact(IdentityId, Name),
    /// Note that the safety number was compared and is the same, or take that back.
    MarkVerified(IdentityId, bool),
    /// Hear nothing more from a contact.
    Block(IdentityId),
    /// Hear a blocked contact again.
    Unblock(IdentityId),
    /// Forget a contact and what is waiting for them; what was said stays.
    RemoveContact(IdentityId),
    /// Say something.
    SendMessage {
        /// An id the caller chose, so that asking twice says it once.
        id: Option<MessageId>,
        /// Where.
        conversation: ConversationId,
        /// What; only a body that [is shown](Body::is_shown).
        body: Body,
    },
    /// The person has seen everything in a conversation up to here.
    MarkRead(ConversationId, MessageId),
    /// Whether the other side of a conversation is told what has been read.
    AllowReadReceipts(ConversationId, bool),
    /// Call oneself something else.
    RenameSelf(Name),
    /// Serve as a mailbox for one's contacts, or no longer.
    ServeMailbox(Option<MailboxOffer>),
    /// Name a host for what is sent to oneself.
    AddMailbox(MailboxChoice),
    /// Name it no longer.
    RemoveMailbox(PeerId),
    /// Give a page of what is to be carried by hand. Nothing counts as on its way by that alone.
    ExportBundle {
        /// What.
        cargo: Cargo,
        /// Where the page before ended; nothing for the first.
        after: Option<Mark>,
    },
    /// What was exported is written: it is on its way. Some of it, where there is more than one turn has time for.
    BundleExported {
        /// What it was.
        cargo: Cargo,
        /// Where the turn before ended.
        after: Option<Mark>,
    },
    /// Ask nodes with which keys they will vote in a new currency.
    AskWitnessKeys(Vec<WitnessChoice>),
    /// Make a currency, once the keys are there.
    CreateCurrency(NewCurrency),
    /// Take a currency: by its link, or by the code or id of one that a contact told of.
    AcceptCurrency(String),
    /// Bring back this person's account in a currency, whose phone is lost.
    RecoverAccount {
        /// Its code, or its id.
        currency: String,
        /// The recovery phrase.
        words: Words,
    },
    /// Make money; by the issuer only.
    Mint {
        /// Of which currency: its code, or its id.
        currency: String,
        /// As people write it.
        amount: String,
        /// For whom; for oneself where nobody is named.
        to: Option<IdentityId>,
        /// Whether it is card money.
        card: bool,
    },
    /// Ask a contact where payments in a currency go.
    AskAccount {
        /// Whom.
        contact: IdentityId,
        /// Which currency.
        currency: String,
    },
    /// Pay a contact, once it is known where to.
    Pay {
        /// Whom.
        contact: IdentityId,
        /// As people write it.
        amount: String,
        /// Which currency.
        currency: String,
        /// What for.
        memo: Option<Text>,
    },
    /// Ask the issuer of a currency for a certificate that lets this person take card money.
    RegisterMerchant {
        /// Which currency.
        currency: String,
        /// Who issues it; who minted money for this person where nobody is named.
        issuer: Option<IdentityId>,
    },
    /// Certify a contact as a merchant, who has asked for it; by the issuer only.
    CertifyMerchant {
        /// Whom.
        contact: IdentityId,
        /// In which currency.
        currency: String,
        /// For how long.
        lifetime: Span,
    },
    /// Pay back what came by an entry.
    Refund(EntryHash),
    /// Make an invoice, and send it to the contact that it is for.
    CreateInvoice(NewInvoice),
    /// Pay an invoice: by its link, or by the name of one that came.
    PayInvoice(String),
    /// Put cash aside for a contact, who is then paid by voucher.
    OpenTab {
        /// For whom.
        contact: IdentityId,
        /// As people write it.
        amount: String,
        /// Which currency.
        currency: String,
        /// How long it can be paid with.
        lifetime: Span,
    },
    /// Pay by a voucher of a tab.
    PayTab {
        /// Which tab.
        tab: AccountId,
        /// As people write it.
        amount: String,
        /// What for.
        memo: Option<Text>,
    },
    /// Redeem what a tab's vouchers have promised.
    RedeemTab(AccountId),
    /// End a tab.
    CloseTab(AccountId),
    /// Take what came by hand; at most [`RECORDS`](Self::RECORDS) at once.
    ImportBundle(Vec<Carried>),
}

impl Command {
    /// Records that one turn imports.
    pub const RECORDS: usize = 256;
}

/// What is asked for by a new invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvoice {
    /// Who is asked; nobody in particular where it is to go by its link.
    pub contact: Option<IdentityId>,
    /// As people write it.
    pub amount: String,
    /// Which currency.
    pub currency: String,
    /// What for.
    pub memo: Option<Text>,
    /// How long it can be paid.
    pub lifetime: Span,
}

/// Who is to witness a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WitnessChoice {
    /// This node.
    Own,
    /// A contact's node.
    Contact(IdentityId),
}

/// What is carried by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cargo {
    /// What waits for a contact.
    Contact(IdentityId),
    /// Of that, the line that was said last.
    Newest(IdentityId),
    /// What waits for all contacts, and what is carried for others.
    Everything,
    /// Only what is carried for others.
    Others,
}

/// Where a page of a bundle ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// After an item of what waits for a device.
    Outbox(DeviceId, u64),
    /// After something that is carried for others.
    Carried(u64),
}

/// What a node offers as a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailboxOffer {
    /// Bytes of blobs at the most.
    pub capacity: u64,
    /// The work wanted for a deposit without tokens, in leading zero bits.
    pub work_bits: u8,
}

/// Which host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxChoice {
    /// A contact who serves.
    Contact(IdentityId),
    /// The one of a link.
    Host(Host),
}

/// What happens when somebody comes with an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// They become a contact at once.
    Accept,
    /// The person is asked first.
    Ask,
}

/// What the network reports. Its words are the ones of `kinfolk-net`, which the driver translates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// This node can be reached here.
    Listening(Address),
    /// This node can no longer be reached here.
    NotListening(Address),
    /// A stream with this peer is open.
    Connected {
        /// The peer.
        peer: PeerId,
        /// Which end of the stream this node is.
        role: Role,
        /// Where the peer is.
        address: Address,
    },
    /// The stream with this peer is gone.
    Disconnected(PeerId),
    /// Nobody answered.
    DialFailed(PeerId),
    /// A frame has come and waits for its acknowledgement.
    Received {
        /// Names the frame in the answer.
        delivery: Delivery,
        /// What it is.
        kind: FrameKind,
        /// What it says.
        body: Vec<u8>,
    },
    /// The other side has committed what was sent.
    Sent(PeerId, RequestId),
    /// The other side did not take what was sent.
    Refused(PeerId, RequestId, NackCode),
    /// Nobody knows whether what was sent has arrived.
    Lost(PeerId, RequestId),
    /// Somebody asks this node as a mailbox; wants one answer.
    Asked {
        /// Names the question in the answer.
        ask: AskId,
        /// The request as it came.
        body: Vec<u8>,
    },
    /// A host answered, with the reply as it came.
    Answered(RequestId, Vec<u8>),
    /// A host was not reached, or did not answer.
    Unanswered(RequestId),
    /// A witness answered, with the reply as it came; or was not reached, or did not answer.
    Replied(RequestId, Option<Vec<u8>>),
    /// There is a node of the hash table to ask.
    Joined,
    /// There is none. Of those that the person named to begin with, these were tried in vain.
    NotJoined(Vec<Tried>),
    /// Something was put into the hash table, at so many nodes.
    Published(RequestId, u32),
    /// What lies in the hash table under a key that was asked for: whatever anybody put there.
    Found(RequestId, Vec<Vec<u8>>),
    /// A peer was seen on the local network.
    Discovered {
        /// The peer.
        peer: PeerId,
        /// Where.
        addresses: Vec<Address>,
    },
}

/// Names a question that somebody asked this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// One frame that was received: the peer, the stream and the number on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Delivery {
    /// Who sent it.
    pub peer: PeerId,
    /// The stream, as the network numbers them.
    pub stream: u64,
    /// The sender's number on that stream.
    pub sequence: u64,
}
