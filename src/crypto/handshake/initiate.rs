//! The side that begins.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use kinfolk_wire::envelope::init_prefix;
use kinfolk_wire::ids::InviteId;
use kinfolk_wire::time::Timestamp;

use super::keys::SharedSecrets;
use super::transcript::{Party, Transcript};
use super::{HandshakeError, LocalDevice, PairRoot, init_digest};
use crate::dh::KeyPair;
use crate::kem::{Kem, MlKem768};
use crate::prekeys::{VerifiedBundle, VerifiedOneTimePrekey};
use crate::secret::{DEEP, wiping_stack};
use crate::session::Session;

/// What [`initiate`] makes.
pub struct Initiated {
    /// A session that puts the handshake in front of every message until the first reply opened.
    pub session: Session,
    /// Kept if the two devices have none yet.
    pub pair_root: PairRoot,
}

/// Begins a session with the device of a verified bundle: with its one-time pair where there is one, otherwise with its
/// last-resort key. `invite` is the invite by which the two met, if they are strangers; the other side must name the
/// same one.
///
/// # Errors
/// [`HandshakeError::Prekey`] if the one-time pair is of another device, [`HandshakeError::WeakKey`].
pub fn initiate<R: CryptoRng + ?Sized>(
    rng: &mut R,
    now: Timestamp,
    ours: LocalDevice<'_>,
    theirs: &VerifiedBundle,
    one_time: Option<&VerifiedOneTimePrekey>,
    invite: Option<InviteId>,
) -> Result<Initiated, HandshakeError> {
    wiping_stack::<DEEP, _>(|| begin(rng, now, ours, theirs, one_time, invite))
}

fn begin<R: CryptoRng + ?Sized>(
    rng: &mut R,
    now: Timestamp,
    ours: LocalDevice<'_>,
    theirs: &VerifiedBundle,
    one_time: Option<&VerifiedOneTimePrekey>,
    invite: Option<InviteId>,
) -> Result<Initiated, HandshakeError> {
    if one_time.is_some_and(|prekey| prekey.device() != theirs.device()) {
        return Err(HandshakeError::Prekey);
    }
    let bundle = theirs.wire();
    let ephemeral = KeyPair::generate(rng);
    let (kem_id, kem_key) = match one_time {
        Some(prekey) => (prekey.id(), prekey.kem_key()),
        None => (bundle.last_resort_id, &*bundle.last_resort_key),
    };
    let mut randomness = Zeroizing::new([0; 32]);
    rng.fill_bytes(randomness.as_mut_slice());
    let (kem_ciphertext, encapsulated) = MlKem768::encapsulate(kem_key, *randomness);
    let secrets = SharedSecrets {
        identity_with_signed: ours.keys.identity_pair().agree(&bundle.signed_prekey)?,
        ephemeral_with_identity: ephemeral.agree(&bundle.identity_key)?,
        ephemeral_with_signed: ephemeral.agree(&bundle.signed_prekey)?,
        ephemeral_with_one_time: one_time.map(|prekey| ephemeral.agree(prekey.x25519_key())).transpose()?,
        encapsulated,
    };
    let transcript = Transcript {
        initiator: Party {
            identity: &ours.identity,
            device: &ours.keys.device(),
            signing_key: &ours.keys.signing_key(),
            identity_key: &ours.keys.identity_key(),
        },
        responder: Party {
            identity: &bundle.identity,
            device: &bundle.device,
            signing_key: &bundle.signing_key,
            identity_key: &bundle.identity_key,
        },
        ephemeral_key: ephemeral.public(),
        signed_prekey: (bundle.signed_prekey_id, &bundle.signed_prekey),
        one_time_prekey: one_time.map(|prekey| (prekey.id(), prekey.x25519_key())),
        kem_prekey: (kem_id, kem_key),
        kem_ciphertext: &kem_ciphertext,
        invite: invite.as_ref(),
    };
    let keys = secrets.derive(&transcript.hash());
    let prefix = init_prefix(
        ephemeral.public(),
        bundle.signed_prekey_id,
        one_time.map(VerifiedOneTimePrekey::id),
        kem_id,
        &kem_ciphertext,
    );
    let pair_root = PairRoot::new(keys.pair.clone());
    let digest = init_digest(ephemeral.public());
    let session = Session::initiated(rng, now, &keys, &bundle.signed_prekey, digest, prefix)?;
    Ok(Initiated { session, pair_root })
}
