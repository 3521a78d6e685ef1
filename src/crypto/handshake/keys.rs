//! From the shared secrets to the keys of a session.

use zeroize::Zeroizing;

use crate::kdf::{NO_SALT, derive};
use crate::label::Label;
use crate::secret::Key;

/// What a handshake derives, in the order of the output.
pub(crate) struct HandshakeKeys {
    /// `RK0`.
    pub(crate) root: Key,
    /// `HKa`: under which the initiator seals its first headers.
    pub(crate) initiator_header: Key,
    /// `NHKb`: under which the responder seals its first headers.
    pub(crate) responder_header: Key,
    /// `PQ0`.
    pub(crate) post_quantum: Key,
    /// `SID`.
    pub(crate) session: Key,
    /// `PAIR`.
    pub(crate) pair: Key,
}

/// The shared secrets, in the order of `KM`.
pub(super) struct SharedSecrets {
    pub(super) identity_with_signed: Key,
    pub(super) ephemeral_with_identity: Key,
    pub(super) ephemeral_with_signed: Key,
    pub(super) ephemeral_with_one_time: Option<Key>,
    pub(super) encapsulated: Zeroizing<[u8; 32]>,
}

impl SharedSecrets {
    pub(super) fn derive(&self, transcript: &[u8; 32]) -> HandshakeKeys {
        let mut material = Zeroizing::new(Vec::with_capacity(6 * 32));
        material.extend_from_slice(&[0xff; 32]);
        let agreed = [
            Some(&self.identity_with_signed),
            Some(&self.ephemeral_with_identity),
            Some(&self.ephemeral_with_signed),
            self.ephemeral_with_one_time.as_ref(),
        ];
        for secret in agreed.into_iter().flatten() {
            material.extend_from_slice(secret.as_bytes());
        }
        material.extend_from_slice(self.encapsulated.as_slice());
        let [root, initiator_header, responder_header, post_quantum, session, pair] =
            derive(&NO_SALT, &material, &[Label::Handshake.as_bytes(), transcript]);
        HandshakeKeys { root, initiator_header, responder_header, post_quantum, session, pair }
    }
}
