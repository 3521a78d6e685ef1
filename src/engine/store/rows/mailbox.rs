//! Mailboxes: what this node keeps for others, where others keep what is for this person, and what goes through them.

use kinfolk_wire::ids::{DeviceId, GroupElement, IdentityId, InviteId, MailboxTag, PeerId};
use kinfolk_wire::mailbox::{Host, Token};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

use super::{KeyMaterial, Numbers};
use crate::event::MessagePlace;

/// This node serves as a mailbox: one row, there while it does.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Serving {
    /// Bytes of blobs that it keeps at the most.
    #[n(0)]
    pub capacity: u64,
    /// The work it wants for a deposit without tokens, in leading zero bits.
    #[n(1)]
    pub work_bits: u8,
    /// The epoch of the token key in use.
    #[n(2)]
    pub epoch: u32,
    /// When that key was made.
    #[n(3)]
    pub epoch_since: Timestamp,
}

/// How much this node keeps for others: one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Stored {
    /// Bytes of blobs admitted by tokens.
    #[n(0)]
    pub by_tokens: u64,
    /// Bytes of blobs admitted by work.
    #[n(1)]
    pub by_work: u64,
    /// Blobs of both kinds.
    #[n(2)]
    pub blobs: u64,
}

/// A blob that is kept for somebody, or what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Deposited {
    /// The blob; empty once it was erased, so that a late copy is not taken again.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub blob: Vec<u8>,
    /// SHA-256 of the key that erases it; once it was erased, of the blob that it was.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub erasure: [u8; 32],
    /// Hours since the epoch at which it goes, by this node's clock.
    #[n(2)]
    pub expires: u64,
    /// Whether it was admitted by work alone.
    #[n(3)]
    pub by_work: bool,
}

/// Tokens that were issued to a contact of late.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TokensIssuedTo {
    /// How many under the key of which epoch, the newest last.
    #[n(0)]
    pub issued: Vec<(u32, u32)>,
}

/// The hosts that this person has named: one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hosts {
    /// In the order in which they were named.
    #[n(0)]
    pub hosts: Vec<OwnHost>,
    /// When they are asked next.
    #[n(1)]
    pub poll_at: Option<Timestamp>,
    /// When older days were last asked for too.
    #[n(2)]
    pub swept_at: Option<Timestamp>,
    /// The last number under which something was said of mailboxes.
    #[n(3)]
    #[cbor(default)]
    pub last_version: u64,
    /// Hosts of contacts, at which those leave what is for this person.
    #[n(4)]
    #[cbor(default)]
    pub borrowed: Vec<Borrowed>,
}

/// A host of a contact, who leaves there what is for this person, who had none of their own when the two met.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Borrowed {
    /// It.
    #[n(0)]
    pub host: Host,
    /// Until when it is asked, unless they are contacts then.
    #[n(1)]
    pub until: Timestamp,
    /// The device that lends it.
    #[n(2)]
    pub by: DeviceId,
}

/// A host that this person has named.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OwnHost {
    /// It.
    #[n(0)]
    pub host: Host,
    /// When it was named.
    #[n(1)]
    pub added_at: Timestamp,
    /// When it last answered.
    #[n(2)]
    pub answered_at: Option<Timestamp>,
    /// Asked in vain since then.
    #[n(3)]
    pub failures: u32,
    /// Answers that were no answers: what lay there did not open, or what others had was missing.
    #[n(4)]
    pub lies: u32,
}

/// What goes to and comes from one device through mailboxes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Post {
    /// The hosts that its person has named.
    #[n(0)]
    pub hosts: Vec<Host>,
    /// The number of the last envelope that was given into the custody of others for it.
    #[n(1)]
    pub last_sent: u64,
    /// The highest number that came from it.
    #[n(2)]
    pub highest_seen: u64,
    /// Lower numbers that are still asked for.
    #[n(3)]
    pub missing: Numbers,
    /// Our hosts, as it was last told of them.
    #[n(4)]
    pub knows_hosts: Vec<PeerId>,
    /// When the next deposit is due, where one is.
    #[n(5)]
    pub deposit_at: Option<Timestamp>,
    /// Rounds of deposits that failed since one succeeded.
    #[n(6)]
    pub failures: u32,
    /// Whether a host of theirs has said that it has no room, and nothing was left for it since.
    #[n(7)]
    pub is_full: bool,
    /// The device's own node as a mailbox, where it serves us.
    #[n(8)]
    pub serves: Option<Host>,
    /// The key under which it issues tokens: its epoch, and the public half.
    #[n(9)]
    pub token_key: Option<(u32, GroupElement)>,
    /// What it was last told of this node as a mailbox, where this node serves: the epoch of the token key, and the host.
    #[n(10)]
    pub knows_serving: Option<(u32, Host)>,
    /// How many tokens of which of our hosts it was given, since numbers began.
    #[n(11)]
    #[cbor(default)]
    pub tokens_given: Vec<(PeerId, u64)>,
    /// Numbers above the highest that came by hand, while those before them have not come.
    #[n(12)]
    #[cbor(default)]
    pub by_hand: Numbers,
    /// When a host that put a deposit off wants to be asked again.
    #[n(13)]
    pub again_at: Option<Timestamp>,
    /// The number under which its hosts were last told.
    #[n(14)]
    #[cbor(default)]
    pub hosts_version: u64,
    /// And whether it serves.
    #[n(15)]
    #[cbor(default)]
    pub serving_version: u64,
    /// How many envelopes of it were fetched at hosts.
    #[n(16)]
    #[cbor(default)]
    pub fetched: u64,
}

/// An envelope that is carried for somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CarriedFor {
    /// The tag of its place.
    #[n(0)]
    pub tag: MailboxTag,
    /// The day of its place.
    #[n(1)]
    pub day: u32,
    /// The number of its place, as the two devices hide it.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub number: [u8; 8],
    /// The envelope.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub blob: Vec<u8>,
    /// When it came.
    #[n(4)]
    pub since: Timestamp,
}

/// Which of the envelopes that are carried has a tag.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CarriedPlace {
    /// Its number, in the order in which they came.
    #[n(0)]
    pub sequence: u64,
}

/// How much is carried for others: one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Carriage {
    /// Bytes of blobs.
    #[n(0)]
    pub bytes: u64,
    /// How many.
    #[n(1)]
    pub records: u64,
    /// The number of the last that came.
    #[n(2)]
    pub last: u64,
}

/// Tokens of one host, to deposit for one device; or in stock, to be handed on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Purse {
    /// Not spent.
    #[n(0)]
    pub tokens: Vec<Token>,
    /// What is needed to finish tokens that were asked for, as `kinfolk-crypto` writes it.
    #[n(1)]
    pub awaited: Option<KeyMaterial>,
    /// When they were asked for.
    #[n(2)]
    pub asked_at: Option<Timestamp>,
}

/// What was asked of a host, so that its answer is understood. Volatile.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Errand {
    /// A deposit of an outbox item.
    #[n(1)]
    Deposit {
        /// For whom.
        #[n(0)]
        device: DeviceId,
        /// The number of the item in the outbox.
        #[n(1)]
        item: u64,
        /// At which host.
        #[n(2)]
        host: PeerId,
        /// The line that the item carries, if it carries one.
        #[n(3)]
        line: Option<MessagePlace>,
        /// Whether the host is asked a second time, as it wanted to be.
        #[n(4)]
        again: bool,
    },
    /// A look under tags.
    #[n(2)]
    Collect {
        /// At which host.
        #[n(0)]
        host: PeerId,
        /// What stands behind the first tags of the request, in their order; the others are made up.
        #[n(1)]
        asked: Vec<Asked>,
        /// How much room the reply has.
        #[n(2)]
        room: u8,
    },
    /// An erasure.
    #[n(3)]
    Erase {
        /// At which host.
        #[n(0)]
        host: PeerId,
    },
    /// Prekeys for whoever comes by an invite.
    #[n(4)]
    LeavePrekeys(#[n(0)] PrekeysUnderWay),
    /// A look for the prekeys of the maker of an invite.
    #[n(5)]
    FindPrekeys {
        /// Whose.
        #[n(0)]
        identity: IdentityId,
        /// Of which attempt.
        #[n(1)]
        attempt: u32,
        /// At which host.
        #[n(2)]
        host: PeerId,
        /// What stands behind the first tags, in their order: days and places.
        #[n(3)]
        places: Vec<(u32, u64)>,
    },
    /// A request to become a contact.
    #[n(6)]
    LeaveRequest(#[n(0)] RequestUnderWay),
}

/// Prekeys on their way to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PrekeysUnderWay {
    /// For whoever comes by this invite.
    #[n(0)]
    pub invite: InviteId,
    /// To which host.
    #[n(1)]
    pub host: PeerId,
    /// For which of the places of the day.
    #[n(2)]
    pub place: u64,
    /// The id of their signed prekey.
    #[n(3)]
    pub bundle: u32,
    /// Whether the host is asked a second time, as it wanted to be.
    #[n(4)]
    pub again: bool,
}

/// A request to become a contact, on its way to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RequestUnderWay {
    /// Whose contact.
    #[n(0)]
    pub identity: IdentityId,
    /// Which attempt it is of.
    #[n(1)]
    pub attempt: u32,
    /// To which host.
    #[n(2)]
    pub host: PeerId,
    /// For which of the places of the day.
    #[n(3)]
    pub place: u64,
    /// How many were tried before.
    #[n(4)]
    pub tried: u64,
    /// Whether the host is asked a second time, as it wanted to be.
    #[n(5)]
    pub again: bool,
}

/// What stands behind a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Asked {
    /// An envelope of a device.
    #[n(1)]
    Envelope(#[n(0)] AskedSlot),
    /// A request by an invite.
    #[n(2)]
    Request(#[n(0)] MeetingPlace),
}

impl Asked {
    /// Where an envelope is asked for.
    #[must_use]
    pub const fn slot(&self) -> Option<AskedSlot> {
        match self {
            Self::Envelope(slot) => Some(*slot),
            Self::Request(_) => None,
        }
    }
}

/// A place for requests by an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MeetingPlace {
    /// By which invite.
    #[n(0)]
    pub invite: InviteId,
    /// Left on which day.
    #[n(1)]
    pub day: u32,
    /// Which of that day.
    #[n(2)]
    pub place: u64,
}

/// A place for envelopes of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(map)]
pub struct AskedSlot {
    /// From which device.
    #[n(0)]
    pub device: DeviceId,
    /// Deposited on which day.
    #[n(1)]
    pub day: u32,
    /// With which number.
    #[n(2)]
    pub number: u64,
}
