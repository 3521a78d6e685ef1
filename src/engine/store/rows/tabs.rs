//! Tabs: money that is put aside for one payee, and paid by voucher.

use kinfolk_ledger::escrow::holding::{Holding, Standings};
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, IdentityId};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

use super::KeyMaterial;

/// A tab of this person's, or of a contact's for this person.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Tab {
    /// Its currency.
    #[n(0)]
    pub currency: CurrencyId,
    /// The other side, where it is known.
    #[n(1)]
    pub contact: Option<IdentityId>,
    /// The entry that funds it.
    #[n(2)]
    pub funding: EntryHash,
    /// When it was opened, or first heard of.
    #[n(3)]
    pub at: Timestamp,
    /// This side of it; none while the entry that funds it is not certified.
    #[n(4)]
    pub holding: Option<Box<Holding>>,
    /// Which parts of it payments that came have named: from a sum in all to another, ascending and apart. The payee's.
    #[n(5)]
    pub paid: Vec<(u64, u64)>,
    /// When it is looked after again.
    #[n(6)]
    pub again_at: Option<Timestamp>,
    /// How often witnesses were asked again since something came of it.
    #[n(7)]
    pub tries: u32,
    /// Whether it was opened with a phone that is lost: what was promised there is not known.
    #[n(8)]
    pub is_adopted: bool,
    /// The seed of this side's key.
    #[n(9)]
    pub key: KeyMaterial,
}

/// What a movement has to do with a tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TabPart {
    /// The tab's chain.
    #[n(0)]
    pub tab: AccountId,
    /// For a payment by voucher: all that was paid by voucher with it, in smallest units.
    #[n(1)]
    pub total: Option<u64>,
}

/// What witnesses have said of a tab, and what they were asked. Kept while the node runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct TabTalk {
    /// What each said, by its place.
    #[n(0)]
    pub standings: Standings,
    /// Whose answer is waited for, and to which question.
    #[n(1)]
    pub asked: Vec<(u8, u64)>,
}
