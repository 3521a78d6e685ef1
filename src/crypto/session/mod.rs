//! A session: what two devices share while they talk (docs/protocol/04-ratchet.md).
//!
//! A handshake makes it; [`Session::encrypt`] and [`Session::decrypt`] use it. Encrypting advances the session in
//! place: the caller stores it before the message leaves. Decrypting returns another session and leaves this one as it
//! was, so that a message which does not open has no effect whatever. A session knows nothing of what is said, of the
//! order in which the caller tries sessions, or of when to replace it.

mod decrypt;
mod encrypt;
mod row;
#[cfg(test)]
mod tests;

use std::fmt;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use kinfolk_wire::ids::SessionId;
use kinfolk_wire::time::Timestamp;

use crate::dh::{KeyPair, LowOrderKey};
use crate::handshake::HandshakeKeys;
use crate::ratchet::backlog::Backlog;
use crate::ratchet::double_ratchet::DoubleRatchet;
use crate::ratchet::post_quantum::{Party, PostQuantum};
use crate::ratchet::root_key::Kinfolk;

pub use decrypt::{DecryptError, Decrypted};
pub use encrypt::EncryptError;
pub use row::SessionBytesError;

/// One session of two devices. It wipes when dropped; it cannot be cloned.
pub struct Session {
    /// On the heap, so that moving a session leaves no copy of its keys behind. While it is made or changed there are
    /// copies on the stack, which is wiped at the end of each operation.
    state: Box<State>,
}

/// All of a session. Its field order is the stored form of version 1, which a test holds.
#[derive(Clone, Serialize, Deserialize)]
struct State {
    /// `SID`: in the associated data of everything sealed in this session.
    id: [u8; 32],
    party: Party,
    /// Milliseconds since the Unix epoch.
    created_at: u64,
    init_digest: [u8; 16],
    /// What stands in front of every message until the first reply has opened.
    init_prefix: Option<Vec<u8>>,
    double: DoubleRatchet<Kinfolk>,
    post_quantum: PostQuantum,
    /// The ordinal of the next message to be sent.
    sent: u32,
    /// The ordinal after the last message received.
    received: u32,
    backlog: Backlog,
}

impl Session {
    pub(crate) fn initiated<R: CryptoRng + ?Sized>(
        rng: &mut R,
        now: Timestamp,
        keys: &HandshakeKeys,
        their_prekey: &[u8; 32],
        init_digest: [u8; 16],
        init_prefix: Vec<u8>,
    ) -> Result<Self, LowOrderKey> {
        let HandshakeKeys { root, initiator_header, responder_header, .. } = keys;
        let double = DoubleRatchet::initiate(rng, root, initiator_header, responder_header, their_prekey)?;
        Ok(Self::new(Party::Initiator, now, keys, init_digest, Some(init_prefix), double))
    }

    pub(crate) fn responding(now: Timestamp, keys: &HandshakeKeys, prekey: KeyPair, init_digest: [u8; 16]) -> Self {
        let HandshakeKeys { root, initiator_header, responder_header, .. } = keys;
        let double = DoubleRatchet::respond(root, responder_header, initiator_header, prekey);
        Self::new(Party::Responder, now, keys, init_digest, None, double)
    }

    fn new(
        party: Party,
        now: Timestamp,
        keys: &HandshakeKeys,
        init_digest: [u8; 16],
        init_prefix: Option<Vec<u8>>,
        double: DoubleRatchet<Kinfolk>,
    ) -> Self {
        let state = State {
            id: *keys.session.as_bytes(),
            party,
            created_at: now.as_millis(),
            init_digest,
            init_prefix,
            double,
            post_quantum: PostQuantum::new(party, &keys.post_quantum, now),
            sent: 0,
            received: 0,
            backlog: Backlog::default(),
        };
        Self { state: Box::new(state) }
    }

    /// The id that both sides derive, `SID`.
    #[must_use]
    pub fn id(&self) -> SessionId {
        SessionId::new(self.state.id)
    }

    /// Whether the other side is known to have the session: always for the side that answered, for the other once a
    /// reply has opened.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.state.init_prefix.is_none()
    }

    /// Whether this side began it.
    #[must_use]
    pub fn is_initiator(&self) -> bool {
        self.state.party == Party::Initiator
    }

    /// When it was made, by this device's clock.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.state.created_at)
    }

    /// [`init_digest`](crate::init_digest) of the `Init` that made it, on either side.
    #[must_use]
    pub fn init_digest(&self) -> Option<[u8; 16]> {
        Some(self.state.init_digest)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id())
            .field("party", &self.state.party)
            .field("sent", &self.state.sent)
            .field("received", &self.state.received)
            .finish_non_exhaustive()
    }
}
