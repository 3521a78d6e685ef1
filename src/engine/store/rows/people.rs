//! Who there is: this profile and its prekeys, contacts, their devices and sessions, invites.

use kinfolk_wire::ids::{DeviceId, IdentityId, InviteId, PayloadDigest, PeerId, SessionId, SigchainHead};
use kinfolk_wire::invite::{Address, Uses};
use kinfolk_wire::mailbox::Host;
use kinfolk_wire::name::Name;
use kinfolk_wire::sigchain::SigchainBytes;
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

use super::KeyMaterial;

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
    /// Payloads that did not open, and were not told of yet.
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
    /// How often it was asked for a new session soon after the time before.
    #[n(15)]
    #[cbor(default)]
    pub reinits_in_a_row: u8,
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
    /// The hosts that it names.
    #[n(6)]
    #[cbor(default)]
    pub mailboxes: Vec<Host>,
    /// What was left there for whoever comes by it.
    #[n(7)]
    #[cbor(default)]
    pub left: Vec<LeftPrekeys>,
    /// The one-time pair that is left there, where one person may use it.
    #[n(8)]
    #[cbor(with = "minicbor::bytes", default)]
    pub one_time: Vec<u8>,
}

/// Prekeys that were left at a host.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LeftPrekeys {
    /// Where.
    #[n(0)]
    pub host: PeerId,
    /// When.
    #[n(1)]
    pub at: Timestamp,
    /// The id of their signed prekey.
    #[n(2)]
    pub bundle: u32,
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
    /// Hosts at which the two can meet.
    #[n(12)]
    #[cbor(default)]
    pub mailboxes: Vec<Host>,
    /// How often the invite may be used.
    #[n(15)]
    pub uses: Uses,
    /// When those were last asked for the prekeys, or to take the request.
    #[n(13)]
    pub visited_at: Option<Timestamp>,
    /// Which of them have the request.
    #[n(14)]
    #[cbor(default)]
    pub left_at: Vec<PeerId>,
}
