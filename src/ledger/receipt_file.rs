//! A payment in a file: what proves it to anybody, with no node and no network (docs/protocol/12-wallet.md, section 5).

use kinfolk_wire::codec::{DecodeError, from_cbor_canonical, to_cbor};
use kinfolk_wire::content::{Memo, SignedInvoice};
use kinfolk_wire::ids::NoteHash;
use minicbor::{Decode, Encode};

use crate::domain::Domain;
use crate::limits;
use crate::policy::{LoadedPolicy, PolicyError, SignedPolicy};
use crate::signature::SignatureError;
use crate::vote::{CertError, CertifiedEntry, Receipt};

/// What every such file begins with.
pub const MAGIC: &[u8] = b"kinfolk receipt 1\n";

/// A receipt, the policy it stands on, and the words that its entry has only a hash of.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ReceiptFile {
    /// Says who issues the currency and whose votes count.
    #[n(0)]
    pub policy: SignedPolicy,
    /// The entry and its certificate.
    #[n(1)]
    pub receipt: Receipt,
    /// What it was for.
    #[n(2)]
    pub memo: Option<Memo>,
}

/// A file whose every signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedReceipt {
    /// The currency. Whether it is the one that is meant, its id says, not its code.
    pub policy: LoadedPolicy,
    /// The payment.
    pub entry: CertifiedEntry,
    /// What it was for.
    pub memo: Option<Memo>,
}

/// Why a file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptFileError {
    /// Another file.
    #[error("this is no receipt of kinfolk's: such a file begins with \"kinfolk receipt 1\"")]
    NoReceipt,
    /// Cut or altered.
    #[error("the receipt is damaged: {0}")]
    Damaged(#[from] DecodeError),
    /// The currency's policy is not good.
    #[error("the currency's policy is not genuine: {0}")]
    Policy(#[from] PolicyError),
    /// The certificate is not this entry's.
    #[error("the certificate does not prove this payment: {0}")]
    Cert(#[from] CertError),
    /// A signature in it is not genuine.
    #[error("a vote in the certificate is not genuine")]
    Vote(#[from] SignatureError),
    /// The words are not those of the payment.
    #[error("the memo is not the payment's")]
    Memo,
}

/// What stands for a memo in an entry.
#[must_use]
pub fn memo_hash(memo: &Memo) -> NoteHash {
    NoteHash::new(Domain::Memo.hash(&[&memo.salt[..], memo.text.as_str().as_bytes()].concat()))
}

/// What stands for an invoice in an output that pays it, and names it.
#[must_use]
pub fn invoice_hash(invoice: &SignedInvoice) -> NoteHash {
    NoteHash::new(Domain::Invoice.hash(&invoice.0.payload))
}

impl ReceiptFile {
    /// Reads a file of at most [`limits::MESSAGE`] bytes.
    ///
    /// # Errors
    /// [`ReceiptFileError::NoReceipt`], [`ReceiptFileError::Damaged`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ReceiptFileError> {
        let body = bytes.strip_prefix(MAGIC).ok_or(ReceiptFileError::NoReceipt)?;
        Ok(from_cbor_canonical("receipt file", body, limits::MESSAGE)?)
    }

    /// The bytes of the file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [MAGIC, &to_cbor(self)].concat()
    }

    /// Verifies all of it.
    ///
    /// # Errors
    /// [`ReceiptFileError`].
    pub fn verify(self) -> Result<VerifiedReceipt, ReceiptFileError> {
        let policy = self.policy.load()?;
        let entry = self.receipt.verify(&policy)?.verify()?;
        if self.memo.is_some() && entry.entry().body().memo_hash != self.memo.as_ref().map(memo_hash) {
            return Err(ReceiptFileError::Memo);
        }
        Ok(VerifiedReceipt { policy, entry, memo: self.memo })
    }
}
