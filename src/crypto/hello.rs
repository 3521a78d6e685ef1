//! The hello of a stream: a device proves that it, and nobody in between, is at this end of this connection
//! (docs/protocol/06-direct.md). What is signed names both ends of the connection and which of them speaks, so a hello
//! is worth nothing on another connection or in the other direction.

use kinfolk_wire::direct::{Hello, Role};
use kinfolk_wire::ids::{IdentityId, PeerId, SigchainHead};
use kinfolk_wire::sigchain::DeviceCertificate;

use crate::identity::DeviceKeys;
use crate::label::Label;
use crate::sign::{SignatureError, verify_strict};

/// Says hello as `identity`'s device, on the connection from `dialer` to `listener`, at the end that `role` names.
#[must_use]
pub fn sign_hello(
    keys: &DeviceKeys,
    identity: IdentityId,
    head: SigchainHead,
    dialer: &PeerId,
    listener: &PeerId,
    role: Role,
) -> Hello {
    let mut hello = Hello { identity, device: keys.device(), sigchain_head: head, signature: [0; 64] };
    hello.signature =
        keys.sign(Label::Hello, &[dialer.as_bytes(), listener.as_bytes(), &[role.number()], &hello.signed_bytes()]);
    hello
}

/// Checks a hello that came from the end that `role` names, against the device that it claims to be. The caller has
/// looked the device up in the sigchain of the identity that the hello names.
///
/// # Errors
/// [`SignatureError`], also if the certificate is of another device.
pub fn verify_hello(
    hello: &Hello,
    device: &DeviceCertificate,
    dialer: &PeerId,
    listener: &PeerId,
    role: Role,
) -> Result<(), SignatureError> {
    if hello.device != device.device {
        return Err(SignatureError);
    }
    verify_strict(
        &device.signing_key,
        Label::Hello,
        &[dialer.as_bytes(), listener.as_bytes(), &[role.number()], &hello.signed_bytes()],
        &hello.signature,
    )
}
