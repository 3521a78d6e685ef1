//! The side that answers.

use kinfolk_wire::envelope::InitMessage;
use kinfolk_wire::ids::{IdentityId, InviteId};
use kinfolk_wire::sigchain::DeviceCertificate;
use kinfolk_wire::time::Timestamp;

use super::keys::SharedSecrets;
use super::transcript::{Party, Transcript};
use super::{HandshakeError, LocalDevice, PairRoot, init_digest};
use crate::kem::KemPrivate;
use crate::prekeys::{LastResortSecret, OneTimePrekeySecret, SignedPrekeySecret};
use crate::ratchet::skipped::{MemorySkippedKeys, SkippedKey};
use crate::secret::{DEEP, SecretBytes, wiping_stack};
use crate::session::Session;

/// The private halves that an `Init` names, as far as they are still there.
#[derive(Clone, Copy)]
pub struct ResponderPrekeys<'a> {
    /// The signed prekey.
    pub signed: &'a SignedPrekeySecret,
    /// The last-resort key; needed if no one-time pair was used.
    pub last_resort: Option<&'a LastResortSecret>,
    /// The one-time pair, if one was used. It is to be deleted in the commit that keeps the session.
    pub one_time: Option<&'a OneTimePrekeySecret>,
}

/// What [`respond`] makes.
#[derive(Debug)]
pub struct Accepted {
    /// The session.
    pub session: Session,
    /// Kept if the two devices have none yet.
    pub pair_root: PairRoot,
    /// What the first message says.
    pub plaintext: SecretBytes,
    /// Keys of messages that were sent before this one and have not arrived: to be stored like those of
    /// [`Decrypted`](crate::Decrypted).
    pub store: Vec<SkippedKey>,
}

/// Answers an `Init` of a device that its owner's verified sigchain certifies, and opens the message in it. `invite` is
/// the invite by which the two met, if they are strangers.
///
/// # Errors
/// [`HandshakeError`]; nothing was used up.
pub fn respond(
    now: Timestamp,
    ours: LocalDevice<'_>,
    prekeys: ResponderPrekeys<'_>,
    their_identity: IdentityId,
    theirs: &DeviceCertificate,
    invite: Option<InviteId>,
    init: &InitMessage<'_>,
) -> Result<Accepted, HandshakeError> {
    wiping_stack::<DEEP, _>(|| answer(now, ours, prekeys, their_identity, theirs, invite, init))
}

fn answer(
    now: Timestamp,
    ours: LocalDevice<'_>,
    prekeys: ResponderPrekeys<'_>,
    their_identity: IdentityId,
    theirs: &DeviceCertificate,
    invite: Option<InviteId>,
    init: &InitMessage<'_>,
) -> Result<Accepted, HandshakeError> {
    if init.signed_prekey != prekeys.signed.id() {
        return Err(HandshakeError::Prekey);
    }
    let one_time = match (init.one_time_prekey, prekeys.one_time) {
        (None, _) => None,
        (Some(id), Some(secret)) if secret.id() == id => Some(secret),
        (Some(_), _) => return Err(HandshakeError::Prekey),
    };
    let (kem_id, kem_seed) = match (one_time, prekeys.last_resort) {
        (Some(secret), _) => (secret.id(), secret.seed()),
        (None, Some(secret)) => (secret.id(), secret.seed()),
        (None, None) => return Err(HandshakeError::Prekey),
    };
    if init.kem_prekey != kem_id {
        return Err(HandshakeError::Prekey);
    }
    let signed = prekeys.signed.pair();
    let kem = kem_seed.expand();
    let secrets = SharedSecrets {
        identity_with_signed: signed.agree(&theirs.identity_key)?,
        ephemeral_with_identity: ours.keys.identity_pair().agree(&init.ephemeral_key)?,
        ephemeral_with_signed: signed.agree(&init.ephemeral_key)?,
        ephemeral_with_one_time: one_time.map(|secret| secret.pair().agree(&init.ephemeral_key)).transpose()?,
        encapsulated: kem.decapsulate(init.kem_ciphertext),
    };
    let transcript = Transcript {
        initiator: Party {
            identity: &their_identity,
            device: &theirs.device,
            signing_key: &theirs.signing_key,
            identity_key: &theirs.identity_key,
        },
        responder: Party {
            identity: &ours.identity,
            device: &ours.keys.device(),
            signing_key: &ours.keys.signing_key(),
            identity_key: &ours.keys.identity_key(),
        },
        ephemeral_key: &init.ephemeral_key,
        signed_prekey: (prekeys.signed.id(), signed.public()),
        one_time_prekey: one_time.map(|secret| (secret.id(), secret.pair().public())),
        kem_prekey: (kem_id, kem.public()),
        kem_ciphertext: init.kem_ciphertext,
        invite: invite.as_ref(),
    };
    let keys = secrets.derive(&transcript.hash());
    let session = Session::responding(now, &keys, signed.clone(), init_digest(&init.ephemeral_key));
    let opened = session.decrypt(now, &init.message, &MemorySkippedKeys::new())?;
    Ok(Accepted {
        session: opened.session,
        pair_root: PairRoot::new(keys.pair.clone()),
        plaintext: opened.plaintext,
        store: opened.store,
    })
}
