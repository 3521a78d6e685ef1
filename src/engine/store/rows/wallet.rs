//! Money: currencies, the account in each, what was signed and what came in.

use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::entry::{Claim, Class, Entry, OutRef};
use kinfolk_ledger::equivocation::EquivocationProof;
use kinfolk_ledger::policy::SignedPolicy;
use kinfolk_ledger::vote::{Cert, Receipt, Vote};
use kinfolk_wire::content::{Memo, MerchantCertificate, Reach, SignedInvoice};
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, IdentityId, NoteHash, Vk};
use kinfolk_wire::time::Timestamp;
use minicbor::{Decode, Encode};

use super::{KeyMaterial, RecoveryInquiry, TabPart};

/// A currency that this person has heard of.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Currency {
    /// Its policy, which was checked.
    #[n(0)]
    pub policy: Box<SignedPolicy>,
    /// Where its witnesses may be.
    #[n(1)]
    pub witnesses: Vec<Reach>,
    /// Whether it is used here.
    #[n(2)]
    pub standing: CurrencyStanding,
    /// The seed of the key that issues it, where this person does.
    #[n(3)]
    pub issuer: Option<KeyMaterial>,
}

/// Whether a currency is used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum CurrencyStanding {
    /// A contact told of it.
    #[n(0)]
    Offered(#[n(0)] IdentityId),
    /// This person takes it.
    #[n(1)]
    Accepted,
}

/// The account in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Account {
    /// Its id.
    #[n(0)]
    pub account: AccountId,
    /// What its keys are derived from.
    #[n(1)]
    pub seed: KeyMaterial,
    /// Its state after all entries that were signed, the ones that are not certified with them; none before the first.
    #[n(2)]
    pub state: Option<Box<ChainState>>,
    /// How many of them are certified.
    #[n(3)]
    pub certified: u64,
    /// The number of the last movement.
    #[n(4)]
    pub last_movement: u64,
    /// When witnesses are asked again, where they are.
    #[n(5)]
    pub again_at: Option<Timestamp>,
    /// How often they were asked again since something came of it.
    #[n(6)]
    pub tries: u32,
    /// Why nothing more is signed for this account.
    #[n(7)]
    pub stopped: Option<Stopped>,
    /// The key that brings it back, of which the private half follows from the recovery phrase alone.
    #[n(8)]
    pub recovery: Option<Vk>,
    /// Whether there may be another one of this person's that is to be looked for before this one is used.
    #[n(9)]
    #[cbor(default)]
    pub unsearched: bool,
}

/// Why nothing more is signed for an account.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Stopped {
    /// Two entries were signed for one place: by an older copy of this profile, or by somebody who has the key.
    #[n(0)]
    Forked(#[n(0)] Box<EquivocationProof>),
    /// Witnesses know entries that this profile does not: it is an older copy.
    #[n(1)]
    Behind {
        /// How many entries there are.
        #[n(0)]
        next: u64,
    },
    /// Its key was exchanged for another with the recovery phrase.
    #[n(2)]
    Recovered,
    /// It is being brought back here with the recovery phrase.
    #[n(3)]
    Recovering,
}

/// An entry that was signed here.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OwnEntry {
    /// The entry.
    #[n(0)]
    pub entry: Box<Entry>,
    /// The movements whose receipts its claims and refunds name.
    #[n(1)]
    pub cited: Vec<u64>,
    /// The movement that it is, where it is one.
    #[n(2)]
    pub movement: Option<u64>,
    /// Votes for it while there is no certificate, one of a witness. Their signatures are looked at together.
    #[n(3)]
    pub votes: Vec<Vote>,
    /// Its certificate.
    #[n(4)]
    pub cert: Option<Box<Cert>>,
}

/// Money that came or went.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Movement {
    /// The entry.
    #[n(0)]
    pub entry: EntryHash,
    /// What it was.
    #[n(1)]
    pub kind: MovementKind,
    /// When it was signed, or came.
    #[n(2)]
    pub at: Timestamp,
    /// How much.
    #[n(3)]
    pub amount: Amount,
    /// Of which class.
    #[n(4)]
    pub class: Class,
    /// The other side's account; one's own for money that was made for oneself.
    #[n(5)]
    pub account: AccountId,
    /// Whose it is, where that is known.
    #[n(6)]
    pub contact: Option<IdentityId>,
    /// What for.
    #[n(7)]
    pub memo: Option<Memo>,
    /// The outputs by which it came.
    #[n(8)]
    pub claims: Vec<Claim>,
    /// The receipt of what came.
    #[n(9)]
    pub receipt: Option<Box<Receipt>>,
    /// The place of what was signed here.
    #[n(10)]
    pub seq: Option<u64>,
    /// What it pays back, by its output and the payer's entry.
    #[n(11)]
    pub refund_of: Option<(OutRef, EntryHash)>,
    /// The invoice that it pays.
    #[n(12)]
    pub invoice: Option<NoteHash>,
    /// The tab that it has to do with.
    #[n(13)]
    pub tab: Option<TabPart>,
}

/// What a movement was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum MovementKind {
    /// Paid to somebody.
    #[n(0)]
    Paid,
    /// Came from somebody.
    #[n(1)]
    Received,
    /// New money, for oneself or for somebody.
    #[n(2)]
    Minted,
    /// Paid back to somebody.
    #[n(3)]
    Refunded,
    /// Came back from somebody.
    #[n(4)]
    RefundReceived,
    /// Put aside for a tab.
    #[n(5)]
    TabOpened,
    /// Redeemed from a tab.
    #[n(6)]
    TabRedeemed,
    /// Came back from a tab, as the rest.
    #[n(7)]
    TabReturned,
}

/// Which movement an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct MovementPlace {
    /// In which currency.
    #[n(0)]
    pub currency: CurrencyId,
    /// Its number.
    #[n(1)]
    pub number: u64,
}

/// An invoice, of this person's or of a contact's.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Invoice {
    /// What was signed, and by whom; that was checked.
    #[n(0)]
    pub signed: SignedInvoice,
    /// When it was made, or came.
    #[n(1)]
    pub at: Timestamp,
    /// Who is to be paid.
    #[n(2)]
    pub side: InvoiceSide,
    /// The entry that pays it.
    #[n(3)]
    pub entry: Option<EntryHash>,
}

/// Who is to be paid by an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum InvoiceSide {
    /// This person, who asked a contact, or whoever has the link.
    #[n(0)]
    Own(#[n(0)] Option<IdentityId>),
    /// This contact.
    #[n(1)]
    Contact(#[n(0)] IdentityId),
}

/// Where payments to a contact go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Payee {
    /// Their account.
    #[n(0)]
    pub account: AccountId,
    /// What lets it take card money, which was found to be the issuer's.
    #[n(1)]
    pub certificate: Option<MerchantCertificate>,
    /// The key by which they redeem vouchers, where they have said one.
    #[n(2)]
    pub tab_key: Option<Vk>,
}

/// Somebody who is a merchant in a currency, or wants to be: this person, or a contact, where this person issues it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Merchant {
    /// Their account.
    #[n(0)]
    pub account: AccountId,
    /// Who issues the currency.
    #[n(1)]
    pub issuer: IdentityId,
    /// Since when the issuer's word is waited for.
    #[n(2)]
    pub asked_at: Option<Timestamp>,
    /// The certificate of this account, and since when it is there.
    #[n(3)]
    pub certificate: Option<(MerchantCertificate, Timestamp)>,
    /// When it is looked after, where it is this person's.
    #[n(4)]
    pub look_at: Option<Timestamp>,
}

/// How far one witness has come with one account. Kept while the node runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Standing {
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
    /// Whether it refuses the entry that waits, by the rules.
    #[n(4)]
    pub refuses: bool,
    /// Whether it may lack what is final, where it never said where it stands.
    #[n(5)]
    pub lacks: bool,
}

/// A question to a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum Inquiry {
    /// Which key it votes with.
    #[n(0)]
    Key {
        /// Which node.
        #[n(0)]
        peer: kinfolk_wire::ids::PeerId,
    },
    /// A vote for an entry of one's own.
    #[n(1)]
    Propose {
        /// Of which account.
        #[n(0)]
        currency: CurrencyId,
        /// Which witness.
        #[n(1)]
        witness: u8,
        /// Which entry.
        #[n(2)]
        seq: u64,
    },
    /// To take a certified entry.
    #[n(2)]
    Commit {
        /// Of which account.
        #[n(0)]
        currency: CurrencyId,
        /// Which witness.
        #[n(1)]
        witness: u8,
        /// Which entry.
        #[n(2)]
        seq: u64,
    },
    /// To bring an account back.
    #[n(4)]
    Recovery {
        /// Of which currency.
        #[n(0)]
        currency: CurrencyId,
        /// Which witness.
        #[n(1)]
        witness: u8,
        /// What.
        #[n(2)]
        what: RecoveryInquiry,
    },
    /// About a tab.
    #[n(84)]
    Tab {
        /// Its chain.
        #[n(0)]
        tab: AccountId,
        /// Which witness.
        #[n(1)]
        witness: u8,
    },
    /// For a payment that was promised to this person.
    #[n(80)]
    Carry {
        /// In which currency.
        #[n(0)]
        currency: CurrencyId,
        /// Which movement.
        #[n(1)]
        number: u64,
        /// Which witness.
        #[n(2)]
        witness: u8,
        /// The first place of the payer's chain that was not certified then.
        #[n(3)]
        place: u64,
    },
    /// For certified entries that this profile does not know to be certified.
    #[n(3)]
    Entries {
        /// Of which account.
        #[n(0)]
        currency: CurrencyId,
        /// Which witness.
        #[n(1)]
        witness: u8,
    },
}

/// The key that a node votes with, as it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct WitnessKey {
    /// None until it answers.
    #[n(0)]
    pub vk: Option<Vk>,
    /// Whether the question came to nothing.
    #[n(1)]
    pub failed: bool,
}
