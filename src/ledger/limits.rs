//! Every size and count of the ledger, each with its reason. Bytes unless the name says otherwise.

use kinfolk_wire::time::Span;

/// A message to or from a witness.
pub const MESSAGE: usize = 65_536;
/// What is gossiped: an account's first entry with a certificate of 31 witnesses is half of it.
pub const GOSSIP: usize = 8_192;
/// A body, encoded: the fullest one has 64 claims and 16 outputs to merchants, and is half of it.
pub const BODY: usize = 16_384;
/// A signed policy: 31 witnesses and the rest of it take less than 3,000 bytes, and the endorsements of a quorum
/// of as many before them 1,400 more; those of all 31 do not fit, and are not needed.
pub const POLICY: usize = kinfolk_wire::limits::POLICY;
/// Policies of a currency, one after the other: a change each month for twenty years.
pub const EPOCHS: u32 = 256;
/// Classes that a policy may list.
pub const CLASSES: usize = 8;
/// Outputs that an entry may claim: what came in since the last payment, of a shop in a quiet hour.
pub const CLAIMS: usize = 64;
/// Outputs of an entry.
pub const OUTS: usize = 16;
/// Certified entries that come along with one that claims or refunds them.
pub const CITED: usize = 64;
/// Certified entries that one question may ask for; an answer has as many of them as fit into [`MESSAGE`].
pub const ENTRIES: usize = 256;
/// Entries of one place that a witness has voted for: fast, to prepare and to commit. Together with the largest bodies
/// they fit into a [`MESSAGE`].
pub const PENDING: usize = 3;
/// A reason in words.
pub const WORDS: usize = 200;
/// Keys that together recover an account.
pub const RECOVERY_KEYS: usize = 7;
/// Certified entries that wait at a witness for those before them, of one chain.
pub const PARKED: usize = 64;
/// Ballots that a witness promises for one account in a minute.
pub const RECOVERIES: u32 = 20;
/// Ballots that a witness promises in a minute for accounts that it has never seen an entry of: anybody can make those up.
pub const STRANGERS: u32 = 60;
/// Currencies that one witness serves.
pub const SERVED: usize = 256;
/// Lines of a witness's log that its index does not have: as many are taken again when it is opened, in some tenths of a
/// second, and so often is the index written.
pub const UNINDEXED: usize = 8_192;
/// Accounts that a witness keeps in memory although the index has them.
pub const DESKS: usize = 4_096;
/// How long a tab may last: so long may the payer's money lie where neither side does anything.
pub const TAB: Span = Span::from_days(30);
/// The payee's ballots of a tab are below this, so that none is ever above all of the payer's.
pub const PAYEE_BALLOTS: u32 = 1_000;
/// A voucher: less than 200 bytes.
pub const VOUCHER: usize = 256;
/// A checkpoint with its state, as a witness keeps it and gives it out: it fits into a [`MESSAGE`] and into a line of the log.
pub const CHECKPOINT: usize = MESSAGE - 256;
/// So many entries after a checkpoint that a witness has written down it writes down the next: where every payment is one,
/// a chain has at most so many entries that are kept, and its log does not grow twice as fast.
pub const CHECKPOINTS: u64 = 16;
/// How far clocks may differ, where a time is judged at all.
pub const CLOCKS: Span = Span::from_secs(300);
/// A promise: inside the seal with a memo, it has [`PLAINTEXT`](kinfolk_wire::limits::PLAINTEXT).
pub const PROMISE: usize = kinfolk_wire::limits::PROMISE;
/// Entries of a promise; how many of them are taken the policy says, which is never more.
pub const PROMISED: usize = 16;
/// Receipts that come with a promise: what one entry can claim.
pub const PROMISED_RECEIPTS: usize = CLAIMS;
/// The state before an entry with a checkpoint that a wallet signs: more would not go into a promise, and each witness
/// hashes it.
pub const FOOTING: usize = 16_384;
