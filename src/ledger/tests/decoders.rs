//! Every decoder of the ledger, and what must hold for any bytes given to it. Used by the tests of this folder and by the
//! fuzz target `ledger`.

use kinfolk_ledger::account::Record;
use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::entry::Entry;
use kinfolk_ledger::equivocation::EquivocationProof;
use kinfolk_ledger::escrow::Voucher;
use kinfolk_ledger::gossip::{Exposure, Head};
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::policy::SignedPolicy;
use kinfolk_ledger::promise::Promise;
use kinfolk_ledger::recovery::{Recover, SignedReport};
use kinfolk_ledger::vote::{Receipt, Vote};
use kinfolk_wire::codec::DecodeError;

/// One decoder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoder {
    pub(crate) name: &'static str,
    /// Reads, and writes again what was read.
    pub(crate) again: fn(&[u8]) -> Result<Vec<u8>, DecodeError>,
}

/// All of them; an input of the fuzz target begins with the place of one in here.
pub(crate) const DECODERS: [Decoder; 15] = [
    Decoder { name: "policy", again: |bytes| SignedPolicy::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "entry", again: |bytes| Entry::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "vote", again: |bytes| Vote::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "recover", again: |bytes| Recover::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "report", again: |bytes| SignedReport::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "proof", again: |bytes| EquivocationProof::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "receipt", again: |bytes| Receipt::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "state", again: |bytes| ChainState::decode(bytes, 4_096).map(|read| read.encode()) },
    Decoder { name: "record", again: |bytes| Record::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "request", again: |bytes| Request::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "reply", again: |bytes| Reply::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "head", again: |bytes| Head::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "exposure", again: |bytes| Exposure::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "voucher", again: |bytes| Voucher::decode(bytes).map(|read| read.encode()) },
    Decoder { name: "promise", again: |bytes| Promise::decode(bytes).map(|read| read.encode()) },
];

/// Gives an input of the fuzz target to its decoder: whatever is accepted is written in one way only. Whether it was
/// accepted.
pub(crate) fn check(input: &[u8]) -> bool {
    let Some((place, bytes)) = input.split_first() else { return false };
    let Decoder { name, again } = DECODERS[usize::from(*place) % DECODERS.len()];
    again(bytes).is_ok_and(|read| {
        assert_eq!(read, bytes, "{name}");
        true
    })
}
