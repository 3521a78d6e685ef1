//! `wallet verify-receipt`: what is printed.

use serde::Serialize;

use crate::failure::Failure;
use crate::screen::Screen;
use crate::show;

/// A payment in a file that was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifiedReceipt {
    /// Always true: what is not verified is refused.
    pub valid: bool,
    /// The entry in the ledger.
    pub entry: String,
    /// When it was signed, by its payer's clock, in milliseconds since the Unix epoch.
    pub at: u64,
    /// What it pays.
    pub outputs: Vec<ReceiptOutput>,
    /// The currency. Two may have one code; the id is the currency.
    pub currency: String,
    /// What it is called.
    pub code: String,
    /// The key of who issues it.
    pub issuer: String,
    /// The payer's account.
    pub from: String,
    /// What for.
    pub memo: Option<String>,
    /// Witnesses that voted.
    pub votes: usize,
    /// Votes that make a payment final.
    pub quorum: usize,
}

/// One output of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptOutput {
    /// The payee's account.
    pub to: String,
    /// How much.
    pub amount: String,
    /// `cash` or `card`.
    pub class: &'static str,
}

impl Screen {
    /// Prints what a receipt proves.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be written.
    pub fn verified_receipt(&mut self, receipt: &VerifiedReceipt) -> Result<(), Failure> {
        self.tell(receipt, || show::wallet::verified(receipt))
    }
}
