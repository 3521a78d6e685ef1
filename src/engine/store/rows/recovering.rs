//! What accounts are derived from, and the bringing back of one.

use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::entry::Entry;
use kinfolk_ledger::recovery::SignedReport;
use kinfolk_ledger::vote::{PrepCert, Receipt, Vote};
use kinfolk_wire::ids::{AccountId, EntryHash, Vk};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

use super::KeyMaterial;

/// What the accounts of this wallet are derived from.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Wallet {
    /// Which of the phrase's sets of keys this profile has.
    #[n(0)]
    pub set: u8,
    /// What the writers of its accounts are derived from.
    #[n(1)]
    pub seed: KeyMaterial,
    /// The public halves of its recovery keys. The private ones follow from the phrase, which is kept nowhere.
    #[n(2)]
    pub recovery: Vec<Vk>,
    /// Whether there may be accounts of an earlier profile of the same phrase.
    #[n(3)]
    pub is_restored: bool,
}

/// An account that the phrase may have in a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Candidate {
    /// Its id.
    #[n(0)]
    pub account: AccountId,
    /// Of which set its keys are.
    #[n(1)]
    pub set: u8,
    /// The number of its recovery key there.
    #[n(2)]
    pub number: u8,
}

/// The bringing back of the account in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Recovering {
    /// How far it is.
    #[n(0)]
    pub phase: RecoveryPhase,
    /// What everything is derived from; here only until it is done.
    #[n(1)]
    pub root: Option<KeyMaterial>,
    /// The accounts that there may be, in the order in which they are asked for.
    #[n(2)]
    pub candidates: Vec<Candidate>,
    /// The one that there is.
    #[n(3)]
    pub found: Option<Candidate>,
    /// Under which questions about candidates go together.
    #[n(4)]
    pub group: u64,
    /// The account after all entries that are known to be certified; none before the first.
    #[n(5)]
    pub state: Option<Box<ChainState>>,
    /// What the next writers are derived from.
    #[n(6)]
    pub seed: KeyMaterial,
    /// What is done at the next place.
    #[n(7)]
    pub slot: SlotWork,
    /// When witnesses are asked again.
    #[n(8)]
    pub again_at: Option<Timestamp>,
    /// How often they were since something came of it.
    #[n(9)]
    pub tries: u32,
    /// Witnesses that know none of the candidates.
    #[n(10)]
    pub nothing_at: Vec<u8>,
    /// Entries of the writer before that were completed.
    #[n(11)]
    pub completed: u64,
}

/// How far the bringing back of an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum RecoveryPhase {
    /// It is looked for.
    #[n(0)]
    Searching,
    /// It is there, what was under way is completed, and its key is exchanged.
    #[n(1)]
    Taking,
    /// It is this profile's.
    #[n(2)]
    Done,
    /// A quorum knows none.
    #[n(3)]
    Nothing,
}

/// What is done at one place of an account that is brought back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SlotWork {
    /// The ballot, from 1; 0 before the first.
    #[n(0)]
    pub ballot: u32,
    /// What witnesses reported for it, verified.
    #[n(1)]
    pub reports: Vec<SignedReport>,
    /// Entries that witnesses have voted for here, of this account's writer or recovery key.
    #[n(2)]
    pub bodies: Vec<Entry>,
    /// The exchange of the key, once it was signed for this place.
    #[n(3)]
    pub rotation: Option<Box<Entry>>,
    /// What is to stand here.
    #[n(4)]
    pub choice: Option<EntryHash>,
    /// Votes to prepare it, or fast ones, genuine.
    #[n(5)]
    pub prepared: Vec<Vote>,
    /// That a quorum prepared it.
    #[n(6)]
    pub prepcert: Option<PrepCert>,
    /// Votes to commit it, genuine.
    #[n(7)]
    pub committed: Vec<Vote>,
    /// What it cites, as far as witnesses have it.
    #[n(8)]
    pub cited: Vec<Receipt>,
    /// Whether a witness lacks something of that.
    #[n(9)]
    pub wants_cited: bool,
    /// The highest ballot that a witness said it has promised.
    #[n(10)]
    pub promised: u32,
    /// Why this ballot comes to nothing.
    #[n(11)]
    pub stuck: Option<Stuck>,
}

/// Why a ballot comes to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Stuck {
    /// More reports are needed.
    #[n(0)]
    Undecided,
    /// Two entries of the writer may stand here, and all have reported.
    #[n(1)]
    Frozen,
    /// More witnesses are faulty than the currency bears.
    #[n(2)]
    Broken,
    /// What was chosen is not voted for.
    #[n(3)]
    Refused,
    /// Nobody shows the entry that may stand here.
    #[n(4)]
    Hidden,
}

/// What a witness has answered to who brings an account back. Kept while the node runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Recoverer {
    /// The question that waits for its answer.
    #[n(0)]
    pub asked: Option<u64>,
    /// The candidate that it is asked for next.
    #[n(1)]
    pub candidate: u32,
    /// The next place of the account there, where it was told.
    #[n(2)]
    pub next: Option<u64>,
    /// Whether it has shown what it voted for at that place.
    #[n(3)]
    pub has_shown: bool,
    /// What went wrong, in words, until it is asked again.
    #[n(4)]
    pub trouble: Option<String>,
    /// Cited places that it was asked for.
    #[n(5)]
    pub asked_for: Vec<(AccountId, u64)>,
    /// Whether it has answered anything.
    #[n(6)]
    pub has_answered: bool,
}

/// What is asked to bring an account back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum RecoveryInquiry {
    /// Whether it knows a candidate.
    #[n(0)]
    Candidate(#[n(0)] u32),
    /// To show the first entry of one that it says it knows.
    #[n(1)]
    First(#[n(0)] u32),
    /// Where it stands, and what it has voted for there.
    #[n(2)]
    Pending,
    /// Certified entries.
    #[n(3)]
    Entries,
    /// To take one that it lacks.
    #[n(4)]
    Commit(#[n(0)] u64),
    /// A report.
    #[n(5)]
    Report(#[n(0)] u64, #[n(1)] u32),
    /// A vote for what opens the account.
    #[n(6)]
    Propose(#[n(0)] u64),
    /// A vote to prepare.
    #[n(7)]
    Prepare(#[n(0)] u64, #[n(1)] u32),
    /// A vote to commit.
    #[n(8)]
    Lock(#[n(0)] u64, #[n(1)] u32),
    /// An entry that is cited.
    #[n(9)]
    Cited(#[n(0)] AccountId, #[n(1)] u64),
}
