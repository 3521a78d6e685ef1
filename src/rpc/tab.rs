//! Tabs: money put aside for one payee, who is paid by voucher.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::message::Sender;

/// A tab to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenTab {
    /// The contact whom it is for.
    pub contact: String,
    /// How much cash is put aside.
    pub amount: String,
    /// The code or id of a currency.
    pub currency: String,
    /// For how long, in days: 1 to 30; 7 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// A payment by voucher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PayTab {
    /// A tab's name, or the beginning of it; or the contact whom the only open tab is for.
    pub tab: String,
    /// How much.
    pub amount: String,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
}

/// A tab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tab {
    /// Its name.
    pub tab: String,
    /// Who pays from it; null where it is nobody that is known.
    pub from: Option<Sender>,
    /// Whom it is for; null where it is nobody that is known.
    pub to: Option<Sender>,
    /// The currency.
    pub currency: String,
    /// What it is called.
    pub code: String,
    /// What was put aside.
    pub amount: String,
    /// What was paid from it by voucher.
    pub paid: String,
    /// What of that was redeemed.
    pub redeemed: String,
    /// What can still be paid from it.
    pub left: String,
    /// When it was opened, or first heard of, in milliseconds since the Unix epoch.
    pub at: u64,
    /// Until when it can be redeemed.
    pub expires: u64,
    /// How far it has come.
    pub state: TabState,
}

/// How far a tab has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TabState {
    /// What funds it is not final yet.
    Opening,
    /// It can be paid from.
    Open,
    /// Something is being redeemed, or it is being closed.
    Settling,
    /// It is not paid from any more, and closes by itself.
    Expired,
    /// It has ended.
    Closed,
}

/// Tabs, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tabs {
    /// The tabs.
    pub tabs: Vec<Tab>,
}
