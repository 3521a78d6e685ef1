//! Everything that the two sides must agree on, as one hash.

use kinfolk_wire::bundle::{KEM_CIPHERTEXT, KEM_KEY, PrekeyId};
use kinfolk_wire::ids::{DeviceId, IdentityId, InviteId};
use sha2::{Digest, Sha256};

use super::{SUITE, VERSION};

/// One device of the two, with its public keys.
pub(super) struct Party<'a> {
    pub(super) identity: &'a IdentityId,
    pub(super) device: &'a DeviceId,
    pub(super) signing_key: &'a [u8; 32],
    pub(super) identity_key: &'a [u8; 32],
}

/// The handshake as both sides see it.
pub(super) struct Transcript<'a> {
    pub(super) initiator: Party<'a>,
    pub(super) responder: Party<'a>,
    pub(super) ephemeral_key: &'a [u8; 32],
    pub(super) signed_prekey: (PrekeyId, &'a [u8; 32]),
    pub(super) one_time_prekey: Option<(PrekeyId, &'a [u8; 32])>,
    pub(super) kem_prekey: (PrekeyId, &'a [u8; KEM_KEY]),
    pub(super) kem_ciphertext: &'a [u8; KEM_CIPHERTEXT],
    pub(super) invite: Option<&'a InviteId>,
}

impl Transcript<'_> {
    /// SHA-256 over every part, each behind its length as a `u32`, in the order of docs/protocol/03-handshake.md. A part
    /// that there is none of has length 0.
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut hash = PartHash(Sha256::new());
        hash.part(&[VERSION]);
        hash.part(SUITE);
        for party in [&self.initiator, &self.responder] {
            hash.part(party.identity.as_bytes());
            hash.part(party.device.as_bytes());
            hash.part(party.signing_key);
            hash.part(party.identity_key);
        }
        hash.part(self.ephemeral_key);
        hash.part(&self.signed_prekey.0.0.to_be_bytes());
        hash.part(self.signed_prekey.1);
        match self.one_time_prekey {
            Some((id, key)) => {
                hash.part(&id.0.to_be_bytes());
                hash.part(key);
            }
            None => {
                hash.part(&[]);
                hash.part(&[]);
            }
        }
        hash.part(&self.kem_prekey.0.0.to_be_bytes());
        hash.part(self.kem_prekey.1);
        hash.part(self.kem_ciphertext);
        hash.part(self.invite.map(InviteId::as_bytes).map_or(&[], |id| id.as_slice()));
        hash.0.finalize().into()
    }
}

struct PartHash(Sha256);

impl PartHash {
    fn part(&mut self, part: &[u8]) {
        debug_assert!(part.len() <= KEM_KEY, "no part is longer than a KEM key");
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        self.0.update(length.to_be_bytes());
        self.0.update(part);
    }
}
