//! Merchants: who may take card money.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::message::Sender;

/// A wish to take card money in a currency, which its issuer grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterMerchant {
    /// The code or id of a currency.
    pub currency: String,
    /// The contact who issues it; absent for who made money for this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// A contact who is to take card money in a currency of this person's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertifyMerchant {
    /// The contact, who has asked for it.
    pub contact: String,
    /// The code or id of the currency.
    pub currency: String,
    /// For how long, in days: 2 to 1,096; 365 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// Somebody who takes card money, or asks to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Merchant {
    /// The currency.
    pub currency: String,
    /// What it is called.
    pub code: String,
    /// Who.
    pub merchant: Sender,
    /// Who issues the currency.
    pub issuer: Sender,
    /// The merchant's account.
    pub account: String,
    /// Whether they may take card money now.
    pub state: MerchantState,
    /// Since when the issuer's word is waited for, in milliseconds since the Unix epoch; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<u64>,
    /// Until when they may take it, or might, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

/// Whether somebody may take card money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MerchantState {
    /// Not yet: the issuer has not said anything.
    Asked,
    /// Yes.
    Certified,
    /// No longer.
    Expired,
}

/// This person as a merchant, and the merchants of the currencies that they issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Merchants {
    /// Those who wait for an answer first.
    pub merchants: Vec<Merchant>,
}
