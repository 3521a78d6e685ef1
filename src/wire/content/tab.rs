//! Tabs between two people: a payment by voucher, and what became of the tab (docs/protocol/12-wallet.md).

use minicbor::{Decode, Encode};

use super::{Memo, Sum};
use crate::codec;
use crate::ids::{AccountId, CurrencyId};
use crate::limits;

/// A payment by voucher, as the payer hands it to the payee: with the entry that funded the tab, nobody else is needed to
/// know that it is good.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TabPayment {
    /// How much more it is than the vouchers before it. A payee shows no payment of which the voucher says otherwise.
    #[n(0)]
    pub sum: Sum,
    /// The voucher as the ledger encodes it (11.14); at most [`limits::TAB_VOUCHER`] bytes.
    #[n(1)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_voucher")]
    pub voucher: Vec<u8>,
    /// The receipt of the entry that funded the tab; at most [`limits::LEDGER_RECEIPT`] bytes.
    #[n(2)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_receipt")]
    pub funding: Vec<u8>,
    /// The output of it that did.
    #[n(3)]
    pub idx: u8,
    /// What it is for.
    #[n(4)]
    pub memo: Option<Memo>,
}

/// An entry of a tab is certified: what was redeemed, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TabSettled {
    /// In which currency.
    #[n(0)]
    pub currency: CurrencyId,
    /// The tab's chain.
    #[n(1)]
    pub tab: AccountId,
    /// The receipt of the entry; at most [`limits::LEDGER_RECEIPT`] bytes.
    #[n(2)]
    #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "decode_receipt")]
    pub receipt: Vec<u8>,
}

fn decode_voucher<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<Vec<u8>, minicbor::decode::Error> {
    codec::bounded_bytes(d, limits::TAB_VOUCHER)
}

fn decode_receipt<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<Vec<u8>, minicbor::decode::Error> {
    codec::bounded_bytes(d, limits::LEDGER_RECEIPT)
}
