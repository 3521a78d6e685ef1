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

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a transcript, to be altered one by one.
    #[derive(Clone)]
    struct Parts {
        identities: [IdentityId; 2],
        devices: [DeviceId; 2],
        keys: [[u8; 32]; 7],
        ids: [u32; 3],
        kem_key: Box<[u8; KEM_KEY]>,
        ciphertext: Box<[u8; KEM_CIPHERTEXT]>,
        one_time: bool,
        invite: Option<InviteId>,
    }

    fn parts() -> Parts {
        Parts {
            identities: [1, 2].map(|byte| IdentityId::new([byte; 32])),
            devices: [3, 4].map(|byte| DeviceId::new([byte; 16])),
            keys: [5, 6, 7, 8, 9, 10, 11].map(|byte| [byte; 32]),
            ids: [12, 13, 14],
            kem_key: Box::new([15; KEM_KEY]),
            ciphertext: Box::new([16; KEM_CIPHERTEXT]),
            one_time: true,
            invite: None,
        }
    }

    fn hash(parts: &Parts) -> [u8; 32] {
        let [signing_a, identity_a, signing_b, identity_b, ephemeral, signed, one_time] = &parts.keys;
        let [identity, their_identity] = &parts.identities;
        let [device, their_device] = &parts.devices;
        let [signed_id, one_time_id, kem_id] = parts.ids.map(PrekeyId);
        Transcript {
            initiator: Party { identity, device, signing_key: signing_a, identity_key: identity_a },
            responder: Party {
                identity: their_identity,
                device: their_device,
                signing_key: signing_b,
                identity_key: identity_b,
            },
            ephemeral_key: ephemeral,
            signed_prekey: (signed_id, signed),
            one_time_prekey: parts.one_time.then_some((one_time_id, one_time)),
            kem_prekey: (kem_id, &parts.kem_key),
            kem_ciphertext: &parts.ciphertext,
            invite: parts.invite.as_ref(),
        }
        .hash()
    }

    #[test]
    fn a06_every_part_of_the_transcript_counts() {
        let mut seen = vec![hash(&parts())];
        let mut altered = |alter: &dyn Fn(&mut Parts)| {
            let mut parts = parts();
            alter(&mut parts);
            let hash = hash(&parts);
            assert!(!seen.contains(&hash));
            seen.push(hash);
        };
        for at in 0..2 {
            altered(&|parts| parts.identities[at] = IdentityId::new([0; 32]));
            altered(&|parts| parts.devices[at] = DeviceId::new([0; 16]));
        }
        for at in 0..7 {
            altered(&|parts| parts.keys[at] = [0; 32]);
        }
        for at in 0..3 {
            altered(&|parts| parts.ids[at] = 0);
        }
        altered(&|parts| parts.identities.swap(0, 1));
        altered(&|parts| parts.kem_key[1_183] ^= 1);
        altered(&|parts| parts.ciphertext[1_087] ^= 1);
        altered(&|parts| parts.one_time = false);
        altered(&|parts| parts.invite = Some(InviteId::new([0; 16])));
        altered(&|parts| parts.invite = Some(InviteId::new([1; 16])));
    }
}
