//! Money: currencies, payments, and this node as a witness. An amount is decimal text in its currency's own decimals.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::message::Sender;

/// What names one's own node among witnesses.
pub const OWN: &str = "me";

/// A currency to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCurrency {
    /// 1 to 8 capital letters and digits.
    pub code: String,
    /// Digits after the decimal point, 0 to 9.
    pub decimals: u8,
    /// Contacts whose nodes witness, and `me` for this one.
    pub witnesses: Vec<String>,
    /// The most that may ever be in circulation; absent for no limit but the ledger's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_supply: Option<String>,
    /// How many witnesses may be faulty; absent for as many as so many bear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub faults: Option<u8>,
}

/// A currency to be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptCurrency {
    /// Its link, or the code or id of one that a contact told of.
    pub currency: String,
}

/// A currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Currency {
    /// Its id.
    pub currency: String,
    /// What it is called. Not unique: the id is.
    pub code: String,
    /// Digits after the decimal point.
    pub decimals: u8,
    /// Its witnesses.
    pub witnesses: Vec<Witness>,
    /// How many of them make a payment final.
    pub quorum: usize,
    /// How many of them may be faulty.
    pub faults: usize,
    /// The most that may be in circulation.
    pub max_supply: String,
    /// Whether this person issues it.
    pub issuer: bool,
    /// Whether this person takes it, or has only been told of it.
    pub state: CurrencyState,
    /// Who told of it, where it is not taken yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered_by: Option<String>,
    /// This person's account in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What was ever minted, where this person issues it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minted: Option<String>,
    /// Whether an account from before this profile is to be looked for, before the one here is used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsearched: bool,
    /// Why nothing more can be paid from the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// Brings it to others.
    pub link: String,
}

/// Whether a currency is used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CurrencyState {
    /// A contact told of it.
    Offered,
    /// This person takes it.
    Accepted,
}

/// The words that bring an account back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoverAccount {
    /// The 24 words of the recovery phrase, apart by white space.
    pub words: String,
}

impl std::fmt::Debug for RecoverAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoverAccount { .. }")
    }
}

/// How far the bringing back of an account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recovery {
    /// The currency.
    pub currency: String,
    /// What it is called.
    pub code: String,
    /// How far it is.
    pub state: RecoveryState,
    /// The account, once it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How many witnesses must answer.
    pub need: usize,
    /// Witnesses that answer; none once it is over.
    pub answered: Vec<Witness>,
    /// Those that do not, and why, as far as they said; none once it is over.
    pub waits_for: Vec<Witness>,
    /// Payments of the lost phone that were under way, and are made now.
    pub completed: u64,
    /// Why it does not go on although witnesses answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
}

/// How far the bringing back of an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryState {
    /// The witnesses are asked whether there is one.
    Searching,
    /// There is: what was under way is completed, and its key exchanged.
    Taking,
    /// It is this profile's, and can be used.
    Done,
    /// There is none; this profile has a new one.
    Nothing,
}

/// Why nothing more can be paid from an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stopped {
    /// `frozen`: two entries were signed for one place. `behind`: this profile is an older copy. `recovered`: it was brought
    /// back elsewhere. `recovering`: it is being brought back here.
    pub reason: String,
    /// What proves it to anybody, as the ledger encodes it, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// A witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Witness {
    /// Its node.
    pub peer: String,
    /// The key it votes with.
    pub key: String,
    /// Who runs it, where that is known here.
    pub name: Option<String>,
    /// The same for a screen.
    pub display_name: Option<String>,
    /// What is wrong with it, where something was when it was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// All currencies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Currencies {
    /// By their codes.
    pub currencies: Vec<Currency>,
}

/// What there is of one class of a currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Balance {
    /// The currency.
    pub currency: String,
    /// What it is called.
    pub code: String,
    /// `cash` or `card`.
    pub class: Class,
    /// What can be spent now.
    pub amount: String,
    /// What is on its way out and not final.
    pub pending: String,
    /// What was promised without witnesses and may not become final: no part of what can be spent. Absent where it is
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_risk: Option<String>,
}

/// What money may be used for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Goes anywhere.
    #[default]
    Cash,
    /// Goes to merchants that the issuer certified.
    Card,
}

/// What the money of a payment may be used for: a merchant is paid with card money first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentClass {
    /// It is cash.
    Cash,
    /// It is card money.
    Card,
    /// Some of it is card money.
    Both,
}

/// All balances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Balances {
    /// By currency, cash first.
    pub balances: Vec<Balance>,
}

/// Money to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mint {
    /// The code or id of a currency.
    pub currency: String,
    /// How much.
    pub amount: String,
    /// A contact; absent for oneself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Of which class; cash unless said.
    #[serde(default)]
    pub class: Class,
}

/// A payment to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pay {
    /// A contact.
    pub contact: String,
    /// How much.
    pub amount: String,
    /// The code or id of a currency.
    pub currency: String,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<String>,
}

/// A payment, a refund, or new money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Payment {
    /// Its entry in the ledger.
    pub entry: String,
    /// When it was signed, or came, in milliseconds since the Unix epoch.
    pub at: u64,
    /// What it was.
    pub kind: PaymentKind,
    /// How much.
    pub amount: String,
    /// The currency.
    pub currency: String,
    /// What it is called.
    pub code: String,
    /// Of which class, or of both.
    pub class: PaymentClass,
    /// How much of it is card money; absent where all of it is of one class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// Who paid; null where it is nobody that is known.
    pub from: Option<Sender>,
    /// Who was paid; null where it is nobody that is known.
    pub to: Option<Sender>,
    /// What for.
    pub memo: Option<String>,
    /// How far it has come.
    pub state: PaymentState,
    /// The votes of witnesses.
    pub quorum: Votes,
    /// Why its payee does not have it before it is final, where they might have had it at risk; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_back: Option<String>,
    /// Both signatures of who paid the same money twice, in hexadecimal; only where that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// Which witnesses have not voted, and why, as far as they said; absent once it is final.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<Witness>,
    /// The entry of the payment that it pays back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_of: Option<String>,
    /// The invoice that it pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// The tab that it has to do with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tab: Option<String>,
}

/// Votes of witnesses for a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Votes {
    /// There are so many.
    pub have: usize,
    /// So many make it final.
    pub need: usize,
}

/// What a payment was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// Paid to somebody.
    Paid,
    /// Came from somebody.
    Received,
    /// New money.
    Minted,
    /// Paid back to somebody.
    Refunded,
    /// Came back from somebody.
    RefundReceived,
    /// Put aside for a tab.
    TabOpened,
    /// Redeemed from a tab: the payments by voucher that it is for are shown too.
    TabRedeemed,
    /// Came back from a tab, as the rest.
    TabReturned,
}

/// How far a payment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Its payee has it, at risk: no quorum of witnesses has certified it. It is no part of what they can spend.
    Unwitnessed,
    /// It was paid by voucher of a tab: the payee has it for certain, up to what is in the tab, and redeems it in time.
    Tab,
    /// Votes are gathered. It is not lost, and is not replaced by another.
    Voting,
    /// So many witnesses refuse it that it finds no quorum now. They are asked again. Of one that came without
    /// witnesses: its payer signed another one for the same place.
    Refused,
    /// It stands for ever.
    Final,
}

/// Payments, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Payments {
    /// The payments.
    pub payments: Vec<Payment>,
}

/// A currency that this node is to witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServeCurrency {
    /// Its code, id or link.
    pub currency: String,
}

/// This node as a witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WitnessStatus {
    /// The key it votes with; null while it is none.
    pub key: Option<String>,
    /// The currencies it witnesses.
    pub currencies: Vec<Witnessed>,
    /// Accounts it knows.
    pub accounts: u64,
    /// Certified entries it has.
    pub entries: u64,
    /// Votes and promises it has given.
    pub votes: u64,
    /// Accounts of which it saw two entries for one place.
    pub conflicts: u64,
    /// Requests that it put off because of its quotas.
    pub put_off: u64,
    /// Bytes of its log.
    pub log_bytes: u64,
    /// When its log was last written anew, without what nobody needs any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compacted: Option<LogCompacted>,
    /// Why it witnesses no more until it is started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

/// A witness's log that was written anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogCompacted {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Bytes that it had.
    pub before_bytes: u64,
    /// Bytes that were left.
    pub after_bytes: u64,
    /// Lines that were let go.
    pub dropped: u64,
}

/// A currency that this node witnesses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Witnessed {
    /// Its id.
    pub currency: String,
    /// What it is called.
    pub code: String,
    /// This node's place among the witnesses, from 0.
    pub place: u8,
    /// How many there are.
    pub witnesses: usize,
    /// How many make a payment final.
    pub quorum: usize,
    /// Whether more of its witnesses were found to be faulty than it bears: it is witnessed no more.
    pub broken: bool,
}
