//! Payments without witnesses: what was promised here, what this person promised, and what is known of who promises.

use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::entry::SignedHeader;
use kinfolk_ledger::equivocation::EquivocationProof;
use kinfolk_ledger::promise::Promise;
use kinfolk_ledger::vote::{Cert, Receipt, Vote};
use kinfolk_wire::ids::{AccountId, IdentityId, Vk};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

/// A payment that came without a certificate, and how far this profile has come with taking it to the witnesses.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Promised {
    /// Who promised it.
    #[n(0)]
    pub contact: IdentityId,
    /// Their account.
    #[n(1)]
    pub chain: AccountId,
    /// Smallest units.
    #[n(2)]
    pub units: u64,
    /// What became of it.
    #[n(3)]
    pub outcome: Outcome,
    /// What came, while it is taken to the witnesses.
    #[n(4)]
    pub promise: Option<Box<Promise>>,
    /// By whom each of its entries is signed.
    #[n(5)]
    pub writers: Vec<Vk>,
    /// Certificates of its first entries, in their order.
    #[n(6)]
    pub certs: Vec<Cert>,
    /// Votes for the entry after those, genuine.
    #[n(7)]
    pub votes: Vec<Vote>,
    /// How far each witness has come, by its place in the policy.
    #[n(8)]
    pub carriers: Vec<Carrier>,
    /// When witnesses are asked again.
    #[n(9)]
    pub again_at: Option<Timestamp>,
    /// How often they were asked again since something came of it.
    #[n(10)]
    pub tries: u32,
}

/// What became of a promise.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
    /// It is not known yet.
    #[n(0)]
    AtRisk,
    /// It is certified. The row stays until the payer hands over the payment, which is a line then.
    #[n(1)]
    Final,
    /// Another entry was signed for one of its places.
    #[n(2)]
    Broken {
        /// Both signatures, where they are by one key.
        #[n(0)]
        proof: Option<Box<EquivocationProof>>,
        /// The entry that stands there for ever, once that is known.
        #[n(1)]
        stands: Option<Box<Receipt>>,
    },
}

/// How far a witness has come with the chain of somebody who promised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Carrier {
    /// The next place of the chain there, where it was told.
    #[n(0)]
    pub next: Option<u64>,
    /// The question that waits for its answer.
    #[n(1)]
    pub asked: Option<u64>,
    /// Whether it wants the receipts that an entry cites.
    #[n(2)]
    pub cite: bool,
    /// What went wrong, in words, until it is asked again.
    #[n(3)]
    pub trouble: Option<String>,
}

/// What an entry of one's own stands on: kept from the last that is certified onwards, so that others can be shown it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Footing {
    /// The state before the entry; none where it opens the account.
    #[n(0)]
    pub state: Option<Box<ChainState>>,
    /// Whether it was promised to whom it pays.
    #[n(1)]
    pub handed: Option<Handed>,
}

/// What was done when a payment found no quorum in time.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Handed {
    /// Its payee was handed it, at risk.
    #[n(0)]
    Over,
    /// It was not handed over, and waits for the witnesses; why, in words.
    #[n(1)]
    Kept(#[n(0)] String),
}

/// What is known of the account of somebody who pays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Payer {
    /// Entries of theirs that came, the newest last.
    #[n(0)]
    pub known: Vec<SignedHeader>,
    /// That they signed two for one place: nothing is taken of this account without witnesses any more.
    #[n(1)]
    pub proof: Option<Box<EquivocationProof>>,
}
