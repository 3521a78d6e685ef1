//! Who may take card money: asking the issuer, and the issuer's word (docs/protocol/12-wallet.md).

use minicbor::{Decode, Encode};

use crate::ids::{AccountId, CurrencyId, Signature};
use crate::time::Timestamp;

/// The issuer's word that an account is a merchant's, as it stands in an output of the ledger (11.4). What it signs names
/// currency and account, which stand beside it wherever it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct MerchantCertificate {
    /// Until when.
    #[n(0)]
    pub expires: Timestamp,
    /// By the issuer.
    #[n(1)]
    pub signature: Signature,
}

/// Asks the issuer of a currency to certify the sender as a merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MerchantWanted {
    /// Which currency.
    #[n(0)]
    pub currency: CurrencyId,
    /// The sender's account in it.
    #[n(1)]
    pub account: AccountId,
}

/// The recipient is certified as a merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MerchantCertified {
    /// In which currency.
    #[n(0)]
    pub currency: CurrencyId,
    /// Which account of theirs.
    #[n(1)]
    pub account: AccountId,
    /// What lets it take card money.
    #[n(2)]
    pub certificate: MerchantCertificate,
}
