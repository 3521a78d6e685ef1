//! Why a turn did nothing. A refusal leaves no trace: neither changes nor effects of its turn remain.

use kinfolk_crypto::PhraseError;
use kinfolk_crypto::handshake::HandshakeError;
use kinfolk_crypto::invite::InviteError;
use kinfolk_crypto::session::EncryptError;

use kinfolk_ledger::amount::AmountTextError;
use kinfolk_wire::content::{CurrencyLinkError, InvoiceLinkError};
use kinfolk_wire::time::Span;

use crate::store::{ReadError, Stopped};

/// Why a command was refused. What it says is for the person; [`code`](Self::code) is for programs.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The profile is not there.
    #[error("this profile has not been set up; run `kinfolk init`")]
    NoProfile,
    /// There is no such contact.
    #[error("there is no such contact; `kinfolk contacts` lists them")]
    UnknownContact,
    /// There is no such conversation.
    #[error("there is no such conversation; `kinfolk contacts` lists the people you can write to")]
    UnknownConversation,
    /// There is no such message.
    #[error("there is no such message in this conversation")]
    UnknownMessage,
    /// There is no such sticker.
    #[error("there is no sticker {0}; `kinfolk stickers` lists them")]
    UnknownSticker(String),
    /// The other person has not agreed yet.
    #[error("{0} has not accepted yet; messages can be sent once they have")]
    NotAccepted(String),
    /// The other person said no.
    #[error("{0} has declined; ask them for a new invite")]
    Declined(String),
    /// They are blocked here.
    #[error("{0} is blocked; `kinfolk unblock` lifts it")]
    Blocked(String),
    /// Nobody waits for this answer.
    #[error("{0} is not waiting for an answer")]
    NotAsking(String),
    /// A link of one's own.
    #[error("this is your own invite; send it to the person you want to talk to")]
    OwnInvite,
    /// The link's time has run out.
    #[error("this invite has expired; ask for a new one")]
    InviteExpired,
    /// No more people can be contacts.
    #[error("you have {limit} contacts, which is the limit; remove some with `kinfolk remove`")]
    TooManyContacts {
        /// How many there may be.
        limit: usize,
    },
    /// The link names a device that another contact has.
    #[error("this invite names a device that belongs to another of your contacts; ask for a new one")]
    DeviceOfAnother,
    /// A contact who does not serve as a mailbox.
    #[error("{0} does not serve as a mailbox; they begin with `kinfolk mailbox serve`")]
    NotServing(String),
    /// No such host was named.
    #[error("this is none of your mailboxes; `kinfolk mailbox list` shows them")]
    UnknownMailbox,
    /// No more hosts can be named.
    #[error("you have {limit} mailboxes, which is the limit; remove one with `kinfolk mailbox remove`")]
    TooManyMailboxes {
        /// How many there may be.
        limit: usize,
    },
    /// One's own node.
    #[error("this node cannot be its own mailbox: it is away when you are; name a node that stays on")]
    OwnMailbox,
    /// They are a contact already.
    #[error("{0} is already your contact")]
    AlreadyContact(String),
    /// The link is not what it claims to be.
    #[error("this invite link is not genuine ({0}); ask for a new one")]
    Invite(#[from] InviteError),
    /// No such currency.
    #[error("there is no currency {0} here; `kinfolk wallet currency list` shows them, a link brings in another")]
    UnknownCurrency(String),
    /// Two currencies that are meant by the same word.
    #[error("more than one currency is called {0}; name it by its id, `kinfolk wallet currency list` shows them")]
    AmbiguousCurrency(String),
    /// A currency that this person does not take.
    #[error("you do not take {0} yet; `kinfolk wallet currency accept {0}` does")]
    CurrencyNotAccepted(String),
    /// A code that another currency here has.
    #[error("you use another currency that is called {0}; two with one name would be taken for each other")]
    CodeTaken(String),
    /// No more currencies can be taken.
    #[error("you take {limit} currencies, which is the limit")]
    TooManyCurrencies {
        /// How many there may be.
        limit: usize,
    },
    /// The link to a currency is not one.
    #[error("{0}")]
    CurrencyLink(CurrencyLinkError),
    /// A witness has not said with which key it votes.
    #[error("{0} did not answer as a witness; ask them to start their node, then try again")]
    WitnessSilent(String),
    /// One key twice.
    #[error("{0} is named twice as a witness, or has the key of another")]
    WitnessTwice(String),
    /// No witnesses, or too many.
    #[error("a currency has 1 to {limit} witnesses, these are {found}")]
    Witnesses {
        /// How many were named.
        found: usize,
        /// The most.
        limit: usize,
    },
    /// Not an amount.
    #[error("{0}")]
    Amount(AmountTextError),
    /// Not enough money.
    #[error("not enough {class}: there is {available}, {needed} is needed; `kinfolk wallet balance` shows all of it")]
    NotEnough {
        /// Of which class.
        class: &'static str,
        /// How much there is.
        available: String,
        /// How much is needed.
        needed: String,
    },
    /// Not enough cash, and card money, which goes to merchants alone.
    #[error(
        "not enough cash: there is {available}, {needed} is needed; your {card} of card money goes only to merchants"
    )]
    OnlyCard {
        /// How much cash there is.
        available: String,
        /// How much is needed.
        needed: String,
        /// How much card money there is.
        card: String,
    },
    /// A merchant's certificate is over, or so nearly that a payment that stands on it might not become final.
    #[error(
        "{name} may no longer take card money in {code}, and there is not enough cash: they renew their certificate with \
         `kinfolk wallet merchant register {code}`"
    )]
    CertificateOver {
        /// The merchant.
        name: String,
        /// The currency.
        code: String,
    },
    /// Who issues a currency is not known here.
    #[error("it is not known here which of your contacts issues {0}: name them with --issuer")]
    IssuerUnknown(String),
    /// Who issues a currency is no merchant of it.
    #[error("you issue {0} yourself, and certify others; card money is not spent with its issuer")]
    IssuerIsNoMerchant(String),
    /// There is no card money.
    #[error("{0} has no card money, so that nobody needs a certificate to be paid in it")]
    NoCardMoney(String),
    /// Nobody asked for a certificate.
    #[error(
        "{name} has not asked to take card money in {code}: they do with `kinfolk wallet merchant register {code}`"
    )]
    NotRegistered {
        /// The contact.
        name: String,
        /// The currency.
        code: String,
    },
    /// A certificate for too short or too long.
    #[error("a merchant is certified for {least} to {most} days")]
    CertificateDays {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// More than may be in circulation.
    #[error("at most {most} may be in circulation, that would be {found}")]
    Supply {
        /// The limit.
        most: String,
        /// How much it would be.
        found: String,
    },
    /// Only the issuer makes money.
    #[error("only who made {0} can mint it; ask them")]
    NotIssuer(String),
    /// Card money for oneself.
    #[error("card money is minted for somebody: name them with --to")]
    CardToIssuer,
    /// Where the payment would go is not known.
    #[error("{name} has not said yet where {code} goes: they must take {code} and be there once; they were asked")]
    AccountUnknown {
        /// The contact.
        name: String,
        /// The currency.
        code: String,
    },
    /// No such payment.
    #[error("there is no such payment here; `kinfolk wallet history` shows them")]
    UnknownPayment,
    /// A payment that is not paid back.
    #[error("this payment cannot be paid back: {0}")]
    NotRefundable(&'static str),
    /// No such tab.
    #[error("there is no such tab here; `kinfolk wallet tab list` shows them")]
    UnknownTab,
    /// Several tabs are meant by that.
    #[error("that may be one of several tabs; name one of them: {}", .0.join(", "))]
    AmbiguousTab(Vec<String>),
    /// A tab for too long, or too short a time.
    #[error("a tab is for 1 to {most} days")]
    TabLifetime {
        /// The longest.
        most: u64,
    },
    /// The contact has said no key by which they redeem.
    #[error("{name} has said no key for tabs in {code}: their program is older, or not there; ask them to update it")]
    NoTabs {
        /// The contact.
        name: String,
        /// The currency.
        code: String,
    },
    /// The entry that funds it is not certified.
    #[error(
        "this tab is not final yet, and nobody can be paid from it before; `kinfolk wallet history` shows how far it is"
    )]
    TabNotFunded,
    /// The payee's side.
    #[error("this tab is for you: whoever opened it pays from it")]
    TabNotPayer,
    /// The payer's side.
    #[error(
        "this tab is yours to pay from; whom it is for redeems it, and what is left comes back when it has expired"
    )]
    TabNotPayee,
    /// It was opened with a phone that is lost.
    #[error("this tab was opened with the lost phone, and what was paid from it is not known here; open another")]
    TabAdopted,
    /// More than is left.
    #[error("the tab has {left} left of {funded}, and this is {asked}; pay less, or open another")]
    TabOver {
        /// What is not promised.
        left: String,
        /// What was put aside.
        funded: String,
        /// What was asked for.
        asked: String,
    },
    /// Its time is over, or nearly.
    #[error("the tab expires {}, and nothing is paid from it in its last {} hours; open another", .expires, .margin)]
    TabExpired {
        /// When, in words.
        expires: String,
        /// For how long before that it is not used.
        margin: u64,
    },
    /// It has ended, or is ending.
    #[error("the tab is closed, or being closed; open another")]
    TabClosed,
    /// The payer's, and not over.
    #[error(
        "the tab expires {0}; until a few minutes after that only its payee can close it, and then it closes by itself"
    )]
    TabNotOver(String),
    /// No voucher that is not redeemed.
    #[error("there is nothing to redeem: all that came by this tab is redeemed")]
    TabNothing,
    /// The link to an invoice is not one.
    #[error("{0}")]
    InvoiceLink(InvoiceLinkError),
    /// No such invoice.
    #[error("there is no such invoice here; `kinfolk wallet invoice list` shows them")]
    UnknownInvoice,
    /// Several invoices begin so.
    #[error("several invoices begin so; write more of it: {}", .0.join(", "))]
    AmbiguousInvoice(Vec<String>),
    /// What an invoice is for is too long.
    #[error("what an invoice is for has at most {limit} bytes, this has {found}")]
    InvoiceMemo {
        /// Its bytes.
        found: usize,
        /// The most.
        limit: usize,
    },
    /// Its time is over.
    #[error("this invoice expired {} ago; ask for a new one", in_words(*.since))]
    InvoiceExpired {
        /// For how long it has been.
        since: Span,
    },
    /// It is paid, or being paid.
    #[error("this invoice was paid from here already: `kinfolk wallet history` shows {0}")]
    InvoicePaid(String),
    /// It asks this person's own account to be paid.
    #[error("this is an invoice of your own: give its link to whoever is to pay it")]
    InvoiceOwn,
    /// Whoever made it is no contact.
    #[error(
        "this invoice is by somebody who is not among your contacts: add them first (`kinfolk add LINK`), then pay it"
    )]
    InvoiceOfStranger,
    /// It was altered, or is not by whom it says.
    #[error("this invoice is not by whom it says, or was altered on its way; do not pay it, ask for it again")]
    InvoiceForged,
    /// Nothing more is signed for an account.
    #[error("{}", stopped_in_words(.0))]
    AccountStopped(Box<Stopped>),
    /// Words that are no recovery phrase.
    #[error("{0}")]
    Phrase(PhraseError),
    /// The recovery phrase of another person.
    #[error("these words are somebody else's: an account comes back in a profile that was made with its own words")]
    OtherWords,
    /// An account that cannot be brought back, or need not.
    #[error("the account in {code} is not brought back: {why}")]
    NotRecoverable {
        /// The currency.
        code: String,
        /// Why.
        why: &'static str,
    },
    /// Another account of this person's may be there.
    #[error(
        "this profile was made from its recovery words, and may have money in {0} from before: first run `kinfolk wallet \
         recover {0} --words FILE`, which looks for it"
    )]
    NotSearched(String),
    /// The ledger's rules forbid it.
    #[error("{0}")]
    Ledger(String),
    /// An id the caller chose is taken by another message.
    #[error("a message with this id was sent already")]
    IdTaken,
    /// A body that is no line of a conversation.
    #[error("this kind of content cannot be sent as a message")]
    NotSendable,
    /// A message is too large once encoded.
    #[error("this message is too large to send ({found} of at most {limit} bytes); send it in parts")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
        /// Its bytes.
        found: usize,
    },
    /// A session cannot be started.
    #[error("no session can be started with this device: {0}")]
    Handshake(#[from] HandshakeError),
    /// A session cannot be used.
    #[error("the message could not be encrypted: {0}")]
    Encrypt(#[from] EncryptError),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] ReadError),
    /// A record that must be there is not, or is not what it must be.
    #[error("the store contradicts itself: {0}; make a backup and report this")]
    Inconsistent(&'static str),
}

/// The largest unit of which there is a whole one.
pub(crate) fn in_words(span: Span) -> String {
    let seconds = span.as_millis() / 1_000;
    let (count, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7_199 => (seconds / 60, "minute"),
        7_200..=172_799 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn stopped_in_words(stopped: &Stopped) -> String {
    match stopped {
        Stopped::Forked(_) => {
            "this account is frozen: two entries were signed for one place, by an older copy of this \
                               profile or by somebody who has its key; `kinfolk wallet currency show` has the proof"
                .to_owned()
        }
        Stopped::Behind { next } => format!(
            "this profile is an older copy: the witnesses know {next} entries of this account; pay from the newer copy"
        ),
        Stopped::Recovered => "this account was brought back elsewhere with its recovery words, and its key exchanged: \
                               nothing can be paid from here any more; if that was not you, whoever it was has your words"
            .to_owned(),
        Stopped::Recovering => "this account is being brought back with its recovery words, and can be used when that is \
                                done; `kinfolk wallet recover CURRENCY` shows how far it is"
            .to_owned(),
    }
}

impl Refusal {
    pub(crate) fn no_such_currency() -> Self {
        Self::UnknownCurrency("of that id".to_owned())
    }

    /// Whether it comes of records that are damaged, and not of a disk that answers nothing.
    pub(crate) const fn is_damage(&self) -> bool {
        matches!(self, Self::Store(ReadError::Damaged { .. }) | Self::Inconsistent(_))
    }

    /// A name for programs, in snake_case.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoProfile => "no_profile",
            Self::UnknownContact => "unknown_contact",
            Self::UnknownConversation => "unknown_chat",
            Self::UnknownMessage => "unknown_message",
            Self::UnknownSticker(_) => "unknown_sticker",
            Self::NotAccepted(_) => "not_accepted",
            Self::Declined(_) => "declined",
            Self::Blocked(_) => "blocked",
            Self::NotAsking(_) => "not_asking",
            Self::OwnInvite => "own_invite",
            Self::InviteExpired => "invite_expired",
            Self::TooManyContacts { .. } => "too_many_contacts",
            Self::DeviceOfAnother => "invalid_invite",
            Self::NotServing(_) => "not_serving",
            Self::UnknownMailbox => "unknown_mailbox",
            Self::TooManyMailboxes { .. } => "too_many_mailboxes",
            Self::OwnMailbox => "own_mailbox",
            Self::AlreadyContact(_) => "already_contact",
            Self::Invite(_) => "invalid_invite",
            Self::UnknownCurrency(_) => "unknown_currency",
            Self::AmbiguousCurrency(_) => "ambiguous_currency",
            Self::CurrencyNotAccepted(_) => "currency_not_accepted",
            Self::CodeTaken(_) => "code_taken",
            Self::TooManyCurrencies { .. } => "too_many_currencies",
            Self::CurrencyLink(_) => "invalid_currency_link",
            Self::WitnessSilent(_) => "witness_silent",
            Self::WitnessTwice(_) => "witness_twice",
            Self::Witnesses { .. } => "invalid_witnesses",
            Self::Amount(_) => "invalid_amount",
            Self::NotEnough { .. } | Self::OnlyCard { .. } => "not_enough",
            Self::CertificateOver { .. } => "certificate_over",
            Self::IssuerUnknown(_) => "issuer_unknown",
            Self::IssuerIsNoMerchant(_) => "issuer_no_merchant",
            Self::NoCardMoney(_) => "no_card_money",
            Self::NotRegistered { .. } => "not_registered",
            Self::CertificateDays { .. } => "invalid_days",
            Self::Supply { .. } => "supply_exceeded",
            Self::NotIssuer(_) => "not_issuer",
            Self::CardToIssuer => "card_to_issuer",
            Self::AccountUnknown { .. } => "account_unknown",
            Self::UnknownPayment => "unknown_payment",
            Self::NotRefundable(_) => "not_refundable",
            Self::UnknownTab => "unknown_tab",
            Self::AmbiguousTab(_) => "ambiguous_tab",
            Self::TabLifetime { .. } => "invalid_lifetime",
            Self::NoTabs { .. } => "no_tab_key",
            Self::TabNotFunded => "tab_not_final",
            Self::TabNotPayer => "tab_not_payer",
            Self::TabNotPayee => "tab_not_payee",
            Self::TabAdopted => "tab_adopted",
            Self::TabOver { .. } => "tab_over",
            Self::TabExpired { .. } => "tab_expired",
            Self::TabClosed => "tab_closed",
            Self::TabNotOver(_) => "tab_not_over",
            Self::TabNothing => "tab_nothing",
            Self::InvoiceLink(_) => "invalid_invoice_link",
            Self::UnknownInvoice => "unknown_invoice",
            Self::AmbiguousInvoice(_) => "ambiguous_invoice",
            Self::InvoiceMemo { .. } => "memo_too_long",
            Self::InvoiceExpired { .. } => "invoice_expired",
            Self::InvoicePaid(_) => "invoice_paid",
            Self::InvoiceOwn => "invoice_own",
            Self::InvoiceOfStranger => "invoice_of_stranger",
            Self::InvoiceForged => "invoice_forged",
            Self::AccountStopped(stopped) => match **stopped {
                Stopped::Forked(_) => "account_frozen",
                Stopped::Behind { .. } => "account_behind",
                Stopped::Recovered => "account_recovered",
                Stopped::Recovering => "account_recovering",
            },
            Self::Phrase(_) => "invalid_phrase",
            Self::OtherWords => "other_words",
            Self::NotRecoverable { .. } => "not_recoverable",
            Self::NotSearched(_) => "account_not_searched",
            Self::Ledger(_) => "refused_by_ledger",
            Self::IdTaken => "id_taken",
            Self::NotSendable => "not_sendable",
            Self::TooLarge { .. } => "too_large",
            Self::Handshake(_) => "no_session",
            Self::Encrypt(_) => "not_encrypted",
            Self::Store(ReadError::Damaged { .. }) => "store_damaged",
            Self::Store(ReadError::Disk(_)) => "store_failed",
            Self::Inconsistent(_) => "store_inconsistent",
        }
    }
}
