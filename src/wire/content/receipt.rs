use minicbor::{Decode, Encode};

use crate::ids::MessageId;
use crate::{codec, limits};

/// What the recipient's device has on disk, and what the person has read. Never receipted itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Receipt {
    /// Committed and synced by a device; at most [`limits::RECEIPT_IDS`].
    #[n(0)]
    #[cbor(decode_with = "decode_ids")]
    pub delivered: Vec<MessageId>,
    /// Seen by the person, who allows it to be told; at most [`limits::RECEIPT_IDS`].
    #[n(1)]
    #[cbor(decode_with = "decode_ids")]
    pub read: Vec<MessageId>,
}

fn decode_ids<C>(d: &mut minicbor::Decoder<'_>, c: &mut C) -> Result<Vec<MessageId>, minicbor::decode::Error> {
    codec::bounded_list(d, c, limits::RECEIPT_IDS)
}
