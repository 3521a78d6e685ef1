//! What people tell each other of money: a currency there is, where to pay to, what was paid
//! (docs/protocol/12-wallet.md).

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64URL_NOPAD;
use minicbor::{Decode, Encode};

use super::{MerchantCertificate, Reach, Text};
use crate::codec::{self, DecodeError};
use crate::ids::{AccountId, CurrencyId, Vk};
use crate::limits;

/// What every link to a currency begins with.
pub const CURRENCY_SCHEME: &str = "kinfolk:currency/";

/// A currency and where its witnesses may be: what a link to it says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct CurrencyCard {
    /// The signed policy as the ledger encodes it (11.3); at most [`limits::POLICY`] bytes.
    #[n(0)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_policy")]
    pub policy: Vec<u8>,
    /// Where witnesses were last seen; at most [`limits::WITNESSES`].
    #[n(1)]
    #[cbor(decode_with = "decode_witnesses")]
    pub witnesses: Vec<Reach>,
}

fn decode_policy<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<Vec<u8>, minicbor::decode::Error> {
    codec::bounded_bytes(d, limits::POLICY)
}

fn decode_witnesses<C>(d: &mut minicbor::Decoder<'_>, c: &mut C) -> Result<Vec<Reach>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::WITNESSES)
}

/// A text that is no link to a currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CurrencyLinkError {
    /// It begins with something else.
    #[error("a link to a currency begins with {CURRENCY_SCHEME}")]
    Scheme,
    /// It is longer than any.
    #[error("a link to a currency has at most {} characters, this has {found}", limits::CURRENCY_LINK)]
    TooLong {
        /// Its characters.
        found: usize,
    },
    /// It is damaged.
    #[error("this link to a currency is damaged, copy all of it: {0}")]
    Damaged(#[from] DecodeError),
}

impl FromStr for CurrencyCard {
    type Err = CurrencyLinkError;

    fn from_str(text: &str) -> Result<Self, CurrencyLinkError> {
        let text = text.trim();
        let encoded = text.strip_prefix(CURRENCY_SCHEME).ok_or(CurrencyLinkError::Scheme)?;
        if text.len() > limits::CURRENCY_LINK {
            return Err(CurrencyLinkError::TooLong { found: text.len() });
        }
        let what = "link to a currency";
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| DecodeError::Malformed { what })?;
        Ok(codec::from_cbor_canonical(what, &bytes, limits::CURRENCY_LINK)?)
    }
}

impl fmt::Display for CurrencyCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{CURRENCY_SCHEME}{}", BASE64URL_NOPAD.encode(&codec::to_cbor(self)))
    }
}

/// Asks which account of the recipient's payments in a currency go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AccountWanted {
    /// In which currency.
    #[n(0)]
    pub currency: CurrencyId,
}

/// Payments to the sender go to this account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct PayTo {
    /// In this currency.
    #[n(0)]
    pub currency: CurrencyId,
    /// The account.
    #[n(1)]
    pub account: AccountId,
    /// The key by which the sender redeems vouchers of a tab (11.14), where their program has tabs.
    #[n(3)]
    pub tab_key: Option<Vk>,
    /// What lets it take card money, where it is a merchant's.
    #[n(2)]
    pub certificate: Option<MerchantCertificate>,
}

/// So much of a currency, with what it takes to write it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Sum {
    /// Which currency.
    #[n(0)]
    pub currency: CurrencyId,
    /// Its code (11.3), filled with zeros.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub code: [u8; 8],
    /// Its digits after the decimal point.
    #[n(2)]
    pub decimals: u8,
    /// Smallest units.
    #[n(3)]
    pub units: u64,
}

/// A payment that is final, as the payer hands it to the payee: the receipt is the money.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Payment {
    /// How much. A payee shows no payment whose receipt says otherwise.
    #[n(0)]
    pub sum: Sum,
    /// The receipt as the ledger encodes it (11.5); at most [`limits::LEDGER_RECEIPT`] bytes.
    #[n(1)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_receipt")]
    pub receipt: Vec<u8>,
    /// What it is for.
    #[n(2)]
    pub memo: Option<Memo>,
    /// Whether it pays an earlier payment back.
    #[n(3)]
    pub is_refund: bool,
}

fn decode_receipt<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<Vec<u8>, minicbor::decode::Error> {
    codec::bounded_bytes(d, limits::LEDGER_RECEIPT)
}

/// A payment that no quorum has certified yet, as the payer hands it to the payee: money at risk, and not to be spent.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Promise {
    /// How much. A payee takes no promise that says otherwise.
    #[n(0)]
    pub sum: Sum,
    /// The promise as the ledger encodes it (page 12); at most [`limits::PROMISE`] bytes.
    #[n(1)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_promise")]
    pub promise: Vec<u8>,
    /// What it is for.
    #[n(2)]
    pub memo: Option<Memo>,
}

fn decode_promise<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<Vec<u8>, minicbor::decode::Error> {
    codec::bounded_bytes(d, limits::PROMISE)
}

/// What a payment is for. The ledger has only a hash of both parts, which tells nobody anything.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Memo {
    /// In words.
    #[n(0)]
    pub text: Text,
    /// Random, so that nobody guesses the words from the hash.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub salt: [u8; 16],
}
