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

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(bytes: [u8; 5], one_time: bool) -> SharedSecrets {
        let [a, b, c, d, e] = bytes.map(|byte| [byte; 32]);
        SharedSecrets {
            identity_with_signed: Key::new(a),
            ephemeral_with_identity: Key::new(b),
            ephemeral_with_signed: Key::new(c),
            ephemeral_with_one_time: one_time.then(|| Key::new(d)),
            encapsulated: Zeroizing::new(e),
        }
    }

    fn all(keys: &HandshakeKeys) -> [[u8; 32]; 6] {
        let HandshakeKeys { root, initiator_header, responder_header, post_quantum, session, pair } = keys;
        [root, initiator_header, responder_header, post_quantum, session, pair].map(|key| *key.as_bytes())
    }

    #[test]
    fn a05_every_shared_secret_and_the_transcript_count() {
        let transcript = [0xaa; 32];
        let mut seen = vec![all(&secrets([1, 2, 3, 4, 5], true).derive(&transcript))];
        for (secrets, transcript) in [
            (secrets([0, 2, 3, 4, 5], true), transcript),
            (secrets([1, 0, 3, 4, 5], true), transcript),
            (secrets([1, 2, 0, 4, 5], true), transcript),
            (secrets([1, 2, 3, 0, 5], true), transcript),
            (secrets([1, 2, 3, 4, 0], true), transcript),
            (secrets([2, 1, 3, 4, 5], true), transcript),
            (secrets([1, 2, 3, 4, 5], false), transcript),
            (secrets([1, 2, 3, 4, 5], true), [0xab; 32]),
        ] {
            let keys = all(&secrets.derive(&transcript));
            assert!(seen.iter().all(|before| before.iter().zip(keys).all(|(one, other)| *one != other)));
            seen.push(keys);
        }
    }

    #[test]
    fn the_keys_of_a_session_are_six_different_ones() {
        let keys = all(&secrets([1, 2, 3, 4, 5], true).derive(&[0; 32]));
        for (at, key) in keys.iter().enumerate() {
            assert!(keys.iter().skip(at.saturating_add(1)).all(|other| other != key));
        }
    }
}
