//! An invoice: how much is asked for, by whom, what for and until when; signed by whoever is to be paid
//! (docs/protocol/12-wallet.md, section 7).

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};

use super::{MerchantCertificate, Sum, Text};
use crate::codec::{self, DecodeError};
use crate::ids::{AccountId, DeviceId, IdentityId};
use crate::limits;
use crate::sigchain::Signed;
use crate::time::Timestamp;

/// What every link to an invoice begins with.
pub const INVOICE_SCHEME: &str = "kinfolk:invoice/";

/// What an invoice says; signed by a device of the payee.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Invoice {
    /// Random, so that no two invoices are the same.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub number: [u8; 16],
    /// How much.
    #[n(1)]
    pub sum: Sum,
    /// To this account.
    #[n(2)]
    pub account: AccountId,
    /// Whose it is.
    #[n(3)]
    pub payee: IdentityId,
    /// The device that signs.
    #[n(4)]
    pub device: DeviceId,
    /// What for; at most [`limits::INVOICE_MEMO`] bytes.
    #[n(5)]
    pub memo: Option<Text>,
    /// From then on nobody pays it.
    #[n(6)]
    pub expires_at: Timestamp,
    /// What lets the account take card money, where it is a merchant's.
    #[n(7)]
    pub certificate: Option<MerchantCertificate>,
}

impl Invoice {
    /// The bytes that are signed, of which the hash is the invoice's name.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::to_cbor(self)
    }

    /// Reads what was signed.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let what = "invoice";
        let invoice: Self = codec::from_cbor_canonical(what, bytes, limits::INVOICE)?;
        match &invoice.memo {
            Some(memo) if memo.as_str().len() > limits::INVOICE_MEMO => Err(DecodeError::Malformed { what }),
            _ => Ok(invoice),
        }
    }
}

/// An invoice as it was signed: a line of a conversation, or a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInvoice(pub Signed);

impl<C> Encode<C> for SignedInvoice {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        Encode::encode(&self.0, e, c)
    }
}

impl<'b, C> Decode<'b, C> for SignedInvoice {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, decode::Error> {
        let signed = <Signed as Decode<C>>::decode(d, c)?;
        if Invoice::decode(&signed.payload).is_err() || signed.countersignature.is_some() {
            return Err(decode::Error::message("not an invoice"));
        }
        Ok(Self(signed))
    }
}

impl SignedInvoice {
    /// What it says, which nobody has vouched for yet.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn invoice(&self) -> Result<Invoice, DecodeError> {
        Invoice::decode(&self.0.payload)
    }
}

/// A text that is no link to an invoice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceLinkError {
    /// It begins with something else.
    #[error("a link to an invoice begins with {INVOICE_SCHEME}")]
    Scheme,
    /// It is longer than any.
    #[error("a link to an invoice has at most {} characters, this has {found}", limits::INVOICE_LINK)]
    TooLong {
        /// Its characters.
        found: usize,
    },
    /// It is damaged.
    #[error("this link to an invoice is damaged, copy all of it: {0}")]
    Damaged(#[from] DecodeError),
}

impl FromStr for SignedInvoice {
    type Err = InvoiceLinkError;

    fn from_str(text: &str) -> Result<Self, InvoiceLinkError> {
        let text = text.trim();
        let encoded = text.strip_prefix(INVOICE_SCHEME).ok_or(InvoiceLinkError::Scheme)?;
        if text.len() > limits::INVOICE_LINK {
            return Err(InvoiceLinkError::TooLong { found: text.len() });
        }
        let what = "link to an invoice";
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| DecodeError::Malformed { what })?;
        Ok(codec::from_cbor_canonical(what, &bytes, limits::INVOICE_LINK)?)
    }
}

impl fmt::Display for SignedInvoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{INVOICE_SCHEME}{}", BASE64URL_NOPAD.encode(&codec::to_cbor(self)))
    }
}
