//! Why a turn did nothing. A refusal leaves no trace: neither changes nor effects of its turn remain.

use kinfolk_crypto::handshake::HandshakeError;
use kinfolk_crypto::invite::InviteError;
use kinfolk_crypto::session::EncryptError;

use crate::store::ReadError;

/// Why a command was refused. What it says is for the person; [`code`](Self::code) is for programs.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The profile is not there.
    #[error("this profile has not been set up; run `kinfolk init`")]
    NoProfile,
    /// There is no such contact.
    #[error("there is no such contact; `kinfolk contacts` lists them")]
    UnknownContact,
    /// There is no such conversation.
    #[error("there is no such conversation; `kinfolk contacts` lists the people you can write to")]
    UnknownConversation,
    /// There is no such message.
    #[error("there is no such message in this conversation")]
    UnknownMessage,
    /// There is no such sticker.
    #[error("there is no sticker {0}; `kinfolk stickers` lists them")]
    UnknownSticker(String),
    /// The other person has not agreed yet.
    #[error("{0} has not accepted yet; messages can be sent once they have")]
    NotAccepted(String),
    /// The other person said no.
    #[error("{0} has declined; ask them for a new invite")]
    Declined(String),
    /// They are blocked here.
    #[error("{0} is blocked; `kinfolk unblock` lifts it")]
    Blocked(String),
    /// Nobody waits for this answer.
    #[error("{0} is not waiting for an answer")]
    NotAsking(String),
    /// A link of one's own.
    #[error("this is your own invite; send it to the person you want to talk to")]
    OwnInvite,
    /// The link's time has run out.
    #[error("this invite has expired; ask for a new one")]
    InviteExpired,
    /// No more people can be contacts.
    #[error("you have {limit} contacts, which is the limit; remove some with `kinfolk remove`")]
    TooManyContacts {
        /// How many there may be.
        limit: usize,
    },
    /// The link names a device that another contact has.
    #[error("this invite names a device that belongs to another of your contacts; ask for a new one")]
    DeviceOfAnother,
    /// A contact who does not serve as a mailbox.
    #[error("{0} does not serve as a mailbox; they begin with `kinfolk mailbox serve`")]
    NotServing(String),
    /// No such host was named.
    #[error("this is none of your mailboxes; `kinfolk mailbox list` shows them")]
    UnknownMailbox,
    /// No more hosts can be named.
    #[error("you have {limit} mailboxes, which is the limit; remove one with `kinfolk mailbox remove`")]
    TooManyMailboxes {
        /// How many there may be.
        limit: usize,
    },
    /// One's own node.
    #[error("this node cannot be its own mailbox: it is away when you are; name a node that stays on")]
    OwnMailbox,
    /// They are a contact already.
    #[error("{0} is already your contact")]
    AlreadyContact(String),
    /// The link is not what it claims to be.
    #[error("this invite link is not genuine ({0}); ask for a new one")]
    Invite(#[from] InviteError),
    /// An id the caller chose is taken by another message.
    #[error("a message with this id was sent already")]
    IdTaken,
    /// A body that is no line of a conversation.
    #[error("this kind of content cannot be sent as a message")]
    NotSendable,
    /// A message is too large once encoded.
    #[error("this message is too large to send ({found} of at most {limit} bytes); send it in parts")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
        /// Its bytes.
        found: usize,
    },
    /// A session cannot be started.
    #[error("no session can be started with this device: {0}")]
    Handshake(#[from] HandshakeError),
    /// A session cannot be used.
    #[error("the message could not be encrypted: {0}")]
    Encrypt(#[from] EncryptError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] ReadError),
    /// A record that must be there is not, or is not what it must be.
    #[error("the store contradicts itself: {0}; make a backup and report this")]
    Inconsistent(&'static str),
}

impl Refusal {
    /// Whether it comes of records that are damaged, and not of a disk that answers nothing.
    pub(crate) const fn is_damage(&self) -> bool {
        matches!(self, Self::Store(ReadError::Damaged { .. }) | Self::Inconsistent(_))
    }

    /// A name for programs, in snake_case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoProfile => "no_profile",
            Self::UnknownContact => "unknown_contact",
            Self::UnknownConversation => "unknown_chat",
            Self::UnknownMessage => "unknown_message",
            Self::UnknownSticker(_) => "unknown_sticker",
            Self::NotAccepted(_) => "not_accepted",
            Self::Declined(_) => "declined",
            Self::Blocked(_) => "blocked",
            Self::NotAsking(_) => "not_asking",
            Self::OwnInvite => "own_invite",
            Self::InviteExpired => "invite_expired",
            Self::TooManyContacts { .. } => "too_many_contacts",
            Self::DeviceOfAnother => "invalid_invite",
            Self::NotServing(_) => "not_serving",
            Self::UnknownMailbox => "unknown_mailbox",
            Self::TooManyMailboxes { .. } => "too_many_mailboxes",
            Self::OwnMailbox => "own_mailbox",
            Self::AlreadyContact(_) => "already_contact",
            Self::Invite(_) => "invalid_invite",
            Self::IdTaken => "id_taken",
            Self::NotSendable => "not_sendable",
            Self::TooLarge { .. } => "too_large",
            Self::Handshake(_) => "no_session",
            Self::Encrypt(_) => "not_encrypted",
            Self::Store(ReadError::Damaged { .. }) => "store_damaged",
            Self::Store(ReadError::Disk(_)) => "store_failed",
            Self::Inconsistent(_) => "store_inconsistent",
        }
    }
}
