//! Invites: the link, signed by a device, and the secret in it, which never travels but in the link
//! (docs/protocol/02-identity.md).

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use kinfolk_wire::codec::DecodeError;
use kinfolk_wire::direct::Knock;
use kinfolk_wire::ids::{IdentityId, InviteId, PeerId};
use kinfolk_wire::invite::{Invite, InviteLink};
use kinfolk_wire::sigchain::{DeviceCertificate, SigchainBytes, Signed};

use crate::identity::{DeviceKeys, Sigchain, SigchainError};
use crate::kdf::Prf;
use crate::label::Label;
use crate::mailbox::DirectionKey;
use crate::secret::Key;
use crate::sign::{SignatureError, verify_strict};

/// The 16 random bytes of an invite. They wipe when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct InviteSecret([u8; 16]);

impl InviteSecret {
    /// A new secret.
    #[must_use]
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The secret of a link.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes that the link carries.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// How both sides name the invite: the first 16 bytes of `HMAC(secret, "kinfolk/1 id")`.
    #[must_use]
    pub fn id(&self) -> InviteId {
        let [id, _] = halves(&Prf::new(&self.0).over(&[Label::InviteId.as_bytes()]));
        InviteId::new(id)
    }

    /// Knocks on the connection from `dialer` to `listener`.
    #[must_use]
    pub fn knock<R: CryptoRng + ?Sized>(&self, rng: &mut R, dialer: &PeerId, listener: &PeerId) -> Knock {
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        Knock { invite: self.id(), nonce, mac: *self.mac(&nonce, dialer, listener).as_bytes() }
    }

    /// Whether a knock shows that the secret is known at the dialling end of this connection; in constant time.
    #[must_use]
    pub fn check_knock(&self, knock: &Knock, dialer: &PeerId, listener: &PeerId) -> bool {
        let genuine = self.mac(&knock.nonce, dialer, listener).as_bytes().ct_eq(&knock.mac);
        let named = self.id().as_bytes().ct_eq(knock.invite.as_bytes());
        (genuine & named).into()
    }

    /// The key of the prekeys that the maker of the invite leaves at mailbox hosts: `HMAC(secret, "kinfolk/1 meet
    /// prekeys")`.
    #[must_use]
    pub fn prekeys_key(&self) -> DirectionKey {
        DirectionKey::derived(Prf::new(&self.0).over(&[Label::MeetPrekeys.as_bytes()]))
    }

    /// The key of the requests that are left there by whoever has it: `HMAC(secret, "kinfolk/1 meet requests")`.
    #[must_use]
    pub fn requests_key(&self) -> DirectionKey {
        DirectionKey::derived(Prf::new(&self.0).over(&[Label::MeetRequests.as_bytes()]))
    }

    fn mac(&self, nonce: &[u8; 16], dialer: &PeerId, listener: &PeerId) -> Key {
        Prf::new(&self.0).over(&[Label::Knock.as_bytes(), nonce, dialer.as_bytes(), listener.as_bytes()])
    }
}

fn halves(key: &Key) -> [[u8; 16]; 2] {
    let mut halves = [[0; 16]; 2];
    halves.as_flattened_mut().copy_from_slice(key.as_bytes());
    halves
}

/// An invite whose signatures were checked, and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedInvite {
    /// What it says.
    pub invite: Invite,
    /// Who invites.
    pub identity: IdentityId,
    /// With which device.
    pub device: DeviceCertificate,
}

/// Why a link is no genuine invite. Whether it has expired is for the caller, who has a clock.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// What it says cannot be read.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The person behind it is not who the invite says.
    #[error("this invite does not say truly whose it is: {0}")]
    Identity(#[from] SigchainError),
    /// It was altered after it was signed.
    #[error("this invite was altered on its way; ask for it to be sent again")]
    Signature(#[from] SignatureError),
}

/// Signs an invite. The device is the one that `invite.device_entry` certifies.
#[must_use]
pub fn sign_invite(invite: &Invite, keys: &DeviceKeys) -> InviteLink {
    let payload = invite.encode();
    let signature = keys.sign(Label::Invite, &[&payload]);
    InviteLink { signed: Signed { payload, signature, countersignature: None } }
}

/// Checks a link: the genesis, the entry that certifies the device (the first of the sigchain), and the device's
/// signature over all of it.
///
/// # Errors
/// [`InviteError`].
pub fn open_invite(link: &InviteLink) -> Result<OpenedInvite, InviteError> {
    let invite = Invite::decode(&link.signed.payload)?;
    let chain = Sigchain::verify(&SigchainBytes {
        genesis: invite.genesis.clone(),
        entries: vec![invite.device_entry.clone()],
    })?;
    let device = chain.devices().first().ok_or(SigchainError::Devices { found: 0 })?.clone();
    if link.signed.countersignature.is_some() {
        return Err(InviteError::Signature(SignatureError));
    }
    verify_strict(&device.signing_key, Label::Invite, &[&link.signed.payload], &link.signed.signature)?;
    Ok(OpenedInvite { identity: chain.identity(), device, invite })
}
