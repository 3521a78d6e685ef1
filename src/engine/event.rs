//! What faces are told. Events that matter later are kept in a log and numbered; presence is not.

use kinfolk_wire::ids::{ConversationId, CurrencyId, EntryHash, IdentityId, MessageId, NoteHash, PeerId};
use minicbor::{Decode, Encode};

use crate::store::MessageState;

/// Something that happened and that a face wants to show.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// A line appeared in a conversation, ours or theirs.
    #[n(1)]
    MessageAdded(#[n(0)] MessagePlace),
    /// The state of a line changed.
    #[n(2)]
    MessageChanged(#[n(0)] MessagePlace, #[n(1)] MessageState),
    /// Somebody became a contact, asked to, or was asked.
    #[n(3)]
    ContactAdded(#[n(0)] IdentityId),
    /// Something about a contact changed: state, name, devices, verification, blocking.
    #[n(4)]
    ContactChanged(#[n(0)] IdentityId),
    /// A contact is gone.
    #[n(5)]
    ContactRemoved(#[n(0)] IdentityId),
    /// The session with a contact's device was started anew because messages no longer opened.
    #[n(6)]
    SessionReset(#[n(0)] IdentityId),
    /// A contact came or went. Never kept.
    #[n(7)]
    PeerOnline(#[n(0)] IdentityId, #[n(1)] bool),
    /// Where this node can be reached has changed. Never kept.
    #[n(8)]
    Listening,
    /// A mailbox host gave answers that were none, and is no longer one of ours.
    #[n(9)]
    MailboxDropped(#[n(0)] PeerId),
    /// A payment came, was signed, has more votes, or is final.
    #[n(30)]
    PaymentChanged(#[n(0)] CurrencyId, #[n(1)] EntryHash),
    /// A currency was made, offered or taken, or nothing more is signed for the account in it.
    #[n(31)]
    CurrencyChanged(#[n(0)] CurrencyId),
    /// A node has said with which key it votes, or has not. Never kept.
    #[n(32)]
    WitnessAnswered(#[n(0)] PeerId),
    /// A witness keeps a payment waiting. Never kept.
    #[n(33)]
    WitnessTrouble(#[n(0)] CurrencyId),
    /// A contact has said where payments to them go. Never kept.
    #[n(34)]
    PayeeKnown(#[n(0)] IdentityId),
    /// An invoice was made, came, or is being paid.
    #[n(36)]
    InvoiceChanged(#[n(0)] NoteHash),
    /// Somebody is certified as a merchant of a currency, asks to be, or is no longer.
    #[n(88)]
    MerchantChanged(#[n(0)] CurrencyId, #[n(1)] IdentityId),
    /// Whether there is a node of the hash table to ask has changed, or which were tried in vain. Never kept.
    #[n(20)]
    HashTable,
}

/// Where a line stands: enough to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct MessagePlace {
    /// The conversation.
    #[n(0)]
    pub conversation: ConversationId,
    /// Its order number.
    #[n(1)]
    pub lamport: u64,
    /// Who said it.
    #[n(2)]
    pub sender: IdentityId,
    /// Its id.
    #[n(3)]
    pub id: MessageId,
}

/// An event on its way to the faces: with its number in the log, or without one where it is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its number, from 1.
    pub sequence: Option<u64>,
    /// What happened.
    pub event: Event,
}
