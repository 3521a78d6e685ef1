//! The public halves: signed here, verified there.

use kinfolk_wire::bundle::{KEM_KEY, OneTimePrekey, PrekeyBundle, PrekeyId};
use kinfolk_wire::ids::{DeviceId, IdentityId, SigchainHead};
use kinfolk_wire::time::{Span, Timestamp};

use super::{LastResortSecret, OneTimePrekeySecret, SignedPrekeySecret};
use crate::dh::is_low_order;
use crate::identity::{DeviceKeys, Sigchain};
use crate::kem::{Kem, KemPrivate, MlKem768};
use crate::label::Label;
use crate::sign::{SignatureError, verify_strict};

/// How far a bundle may lie outside its validity and still be used: 30 days either way. A clock that is wrong by days
/// or weeks must not keep two people apart, and the private halves of a bundle live 30 days beyond it anyway.
pub const CLOCK_SLACK: Span = Span::from_days(30);

/// A bundle that bears the signature of a device that its owner's sigchain certifies.
#[derive(Debug, Clone)]
pub struct VerifiedBundle {
    bundle: PrekeyBundle,
}

/// A one-time pair that the same device signed.
#[derive(Debug, Clone)]
pub struct VerifiedOneTimePrekey {
    device: DeviceId,
    prekey: OneTimePrekey,
}

/// Why a bundle or a one-time pair is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It names a person, a device or keys other than the sigchain does.
    #[error("these prekeys are of another device than the sigchain certifies")]
    Device,
    /// The device did not sign it.
    #[error("these prekeys were not signed by the device they name")]
    Signature(#[from] SignatureError),
    /// A key in it that no honest device makes.
    #[error("these prekeys contain a key that cannot be used")]
    WeakKey,
    /// Too old, or of a time that has not come, by more than [`CLOCK_SLACK`].
    #[error("these prekeys are valid from {not_before:?} to {not_after:?}, by this clock it is {now:?}")]
    Validity {
        /// From when on they are valid.
        not_before: Timestamp,
        /// Until when.
        not_after: Timestamp,
        /// The time by which they were judged.
        now: Timestamp,
    },
}

/// Signs the bundle of a device.
#[must_use]
pub fn sign_bundle(
    keys: &DeviceKeys,
    identity: IdentityId,
    signed_prekey: &SignedPrekeySecret,
    last_resort: &LastResortSecret,
    not_before: Timestamp,
    not_after: Timestamp,
    head: SigchainHead,
) -> PrekeyBundle {
    let mut bundle = PrekeyBundle {
        identity,
        device: keys.device(),
        signing_key: keys.signing_key(),
        identity_key: keys.identity_key(),
        signed_prekey_id: signed_prekey.id(),
        signed_prekey: *signed_prekey.pair().public(),
        last_resort_id: last_resort.id(),
        last_resort_key: Box::new(*last_resort.seed().expand().public()),
        not_before,
        not_after,
        sigchain_head: head,
        signature: [0; 64],
    };
    bundle.signature = keys.sign(Label::Bundle, &[&bundle.signed_bytes()]);
    bundle
}

/// Signs a one-time pair of a device.
#[must_use]
pub fn sign_one_time_prekey(keys: &DeviceKeys, secret: &OneTimePrekeySecret) -> OneTimePrekey {
    let mut prekey = OneTimePrekey {
        id: secret.id(),
        x25519_key: *secret.pair().public(),
        kem_key: Box::new(*secret.seed().expand().public()),
        signature: [0; 64],
    };
    prekey.signature = keys.sign(Label::OneTimePrekey, &[keys.device().as_bytes(), &prekey.signed_bytes()]);
    prekey
}

impl VerifiedBundle {
    /// Checks a bundle against its owner's sigchain, by the clock `now`.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn verify(bundle: &PrekeyBundle, sigchain: &Sigchain, now: Timestamp) -> Result<Self, BundleError> {
        let device = sigchain.device(bundle.device).ok_or(BundleError::Device)?;
        let named = bundle.identity == sigchain.identity()
            && bundle.signing_key == device.signing_key
            && bundle.identity_key == device.identity_key;
        if !named {
            return Err(BundleError::Device);
        }
        verify_strict(&device.signing_key, Label::Bundle, &[&bundle.signed_bytes()], &bundle.signature)?;
        let PrekeyBundle { not_before, not_after, .. } = *bundle;
        if now < not_before.before(CLOCK_SLACK) || now > not_after.after(CLOCK_SLACK) {
            return Err(BundleError::Validity { not_before, not_after, now });
        }
        if is_low_order(&bundle.signed_prekey) || !MlKem768::is_valid(&bundle.last_resort_key) {
            return Err(BundleError::WeakKey);
        }
        Ok(Self { bundle: bundle.clone() })
    }

    /// Whose device it is.
    #[must_use]
    pub const fn identity(&self) -> IdentityId {
        self.bundle.identity
    }

    /// The device.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        self.bundle.device
    }

    /// The newest sigchain entry that the device knew when it signed: where the caller's chain lacks it, that one is old.
    #[must_use]
    pub const fn sigchain_head(&self) -> SigchainHead {
        self.bundle.sigchain_head
    }

    pub(crate) const fn wire(&self) -> &PrekeyBundle {
        &self.bundle
    }
}

impl VerifiedOneTimePrekey {
    /// Checks that a one-time pair is by the device of a bundle.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn verify(prekey: &OneTimePrekey, bundle: &VerifiedBundle) -> Result<Self, BundleError> {
        let device = bundle.device();
        if prekey.id == PrekeyId(0) {
            return Err(BundleError::Device);
        }
        verify_strict(
            &bundle.wire().signing_key,
            Label::OneTimePrekey,
            &[device.as_bytes(), &prekey.signed_bytes()],
            &prekey.signature,
        )?;
        if is_low_order(&prekey.x25519_key) || !MlKem768::is_valid(&prekey.kem_key) {
            return Err(BundleError::WeakKey);
        }
        Ok(Self { device, prekey: prekey.clone() })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> PrekeyId {
        self.prekey.id
    }

    pub(crate) const fn device(&self) -> DeviceId {
        self.device
    }

    pub(crate) const fn x25519_key(&self) -> &[u8; 32] {
        &self.prekey.x25519_key
    }

    pub(crate) const fn kem_key(&self) -> &[u8; KEM_KEY] {
        &self.prekey.kem_key
    }
}
