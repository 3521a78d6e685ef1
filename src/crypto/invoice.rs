//! Signing an invoice as the device that asks for the money (docs/protocol/12-wallet.md, section 7).

use kinfolk_wire::content::{Invoice, SignedInvoice};
use kinfolk_wire::sigchain::{DeviceCertificate, Signed};

use crate::identity::DeviceKeys;
use crate::label::Label;
use crate::sign::{SignatureError, verify_strict};

/// Signs an invoice with the keys of the device that it names.
#[must_use]
pub fn sign_invoice(invoice: &Invoice, keys: &DeviceKeys) -> SignedInvoice {
    let payload = invoice.encode();
    let signature = keys.sign(Label::Invoice, &[&payload]);
    SignedInvoice(Signed { payload, signature, countersignature: None })
}

/// What an invoice says, if the device that it names signed it. The caller has looked the device up in the sigchain of
/// the payee that the invoice names.
///
/// # Errors
/// [`SignatureError`], also if the certificate is of another device.
pub fn open_invoice(signed: &SignedInvoice, device: &DeviceCertificate) -> Result<Invoice, SignatureError> {
    let invoice = signed.invoice().map_err(|_| SignatureError)?;
    if invoice.device != device.device {
        return Err(SignatureError);
    }
    verify_strict(&device.signing_key, Label::Invoice, &[&signed.0.payload], &signed.0.signature)?;
    Ok(invoice)
}
