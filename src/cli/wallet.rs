//! `wallet` and `witness`: what is typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

use crate::span::{parse_lifetime, parse_span};

/// What is asked of a node about money.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Wallet {
    /// Currencies: making one, taking one
    #[command(subcommand)]
    Currency(Currency),
    /// Bring back your account in a currency after your phone was lost
    ///
    /// For a profile that was made with `kinfolk init --restore-phrase` and has accepted the currency. The witnesses are asked
    /// for the account; a payment that was under way is completed; then its key is exchanged, so that the lost phone can
    /// spend nothing. It goes on by itself when this command ends; without --words the command shows how far it is.
    Recover {
        /// The currency's code, or its id
        #[arg(value_name = "CURRENCY", value_parser = non_empty)]
        currency: String,
        /// The file with the 24 words
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        words: Option<PathBuf>,
        /// How long to wait until it is done, as in 500ms, 10s or 5m
        #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_span)]
        timeout: Duration,
    },
    /// Make money, where you issue the currency
    Mint {
        /// The currency's code, or its id
        #[arg(value_name = "CURRENCY", value_parser = non_empty)]
        currency: String,
        /// How much, as in 12.50
        #[arg(allow_hyphen_values = true)]
        amount: String,
        /// For this contact [default: for yourself]
        #[arg(long, value_name = "CONTACT", value_parser = non_empty)]
        to: Option<String>,
        /// What the money may be used for
        #[arg(long, value_enum, default_value_t = Class::Cash)]
        class: Class,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap would take it for help")]
        patience: Patience,
    },
    /// Show what you have
    Balance,
    /// Pay a contact
    ///
    /// It is done when it is signed and safe on this device's disk: then it is never lost and never paid twice. It is final
    /// when enough of the currency's witnesses have voted for it.
    Pay {
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap would take it for help")]
        order: Order,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap would take it for help")]
        patience: Patience,
    },
    /// Ask a contact for money
    ///
    /// They see it in the conversation and pay it with `kinfolk wallet invoice pay`, once.
    Request {
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap would take it for help")]
        order: Order,
        /// How long it can be paid, as in 1h or 7d; 366d at most
        #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_lifetime)]
        expires: Duration,
    },
    /// Invoices: making one whose link anybody can pay, paying one
    #[command(subcommand)]
    Invoice(Invoice),
    /// Merchants: taking card money, certifying who may
    #[command(subcommand)]
    Merchant(Merchant),
    /// Tabs: cash put aside for one contact, who is paid from it with no witness reached
    #[command(subcommand)]
    Tab(Tab),
    /// Pay back what came
    Refund {
        /// The entry of what came, or the beginning of it; `kinfolk wallet history` shows it
        #[arg(value_parser = non_empty)]
        entry: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap would take it for help")]
        patience: Patience,
    },
    /// Write what proves a payment to anybody into a file
    Receipt {
        /// The payment's entry, or the beginning of it
        #[arg(value_parser = non_empty)]
        entry: String,
        /// The file; one that is there is not overwritten
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Verify such a file: no node and no network are needed
    VerifyReceipt {
        /// The file
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Show what was paid and what came, the newest last
    History {
        /// Only payments in this currency
        #[arg(long, value_name = "CURRENCY", value_parser = non_empty)]
        currency: Option<String>,
        /// How many, the newest ones
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        last: u32,
    },
}

/// What is asked about currencies.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Currency {
    /// Make a currency whose payments contacts witness
    ///
    /// The witnesses' nodes must be there. They learn of it, and begin when they run `kinfolk witness serve CODE`. Of
    /// four witnesses one may fail or lie, of seven two, of ten three.
    Create {
        /// What it is called: 1 to 8 capital letters and digits, as in EUR
        #[arg(value_parser = non_empty)]
        code: String,
        /// Digits after the point
        #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=9))]
        decimals: u8,
        /// A contact whose node witnesses, or `me` for this one (repeatable)
        #[arg(long, value_name = "CONTACT", required = true, num_args = 1.., value_parser = non_empty)]
        witness: Vec<String>,
        /// The most that may ever be in circulation
        #[arg(long, value_name = "AMOUNT")]
        max_supply: Option<String>,
        /// How many witnesses may fail or lie [default: as many as so many bear]
        #[arg(long, value_name = "N")]
        faults: Option<u8>,
    },
    /// List the currencies you take or were told of
    List,
    /// Show a currency, and the link that brings it to others
    Show {
        /// Its code, or its id
        #[arg(value_name = "CURRENCY", value_parser = non_empty)]
        currency: String,
    },
    /// Take a currency, so that you can be paid in it
    Accept {
        /// Its link, or the code of one that a contact told you of
        #[arg(value_name = "LINK|CODE", value_parser = non_empty)]
        currency: String,
    },
}

/// What is asked about merchants.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Merchant {
    /// Ask the issuer of a currency for a certificate, so that contacts can pay you with card money
    ///
    /// It is asked for again by itself before it ends. Each time the issuer says yes or does not.
    Register {
        /// The currency's code, or its id
        #[arg(value_name = "CURRENCY", value_parser = non_empty)]
        currency: String,
        /// The contact who issues it [default: who made money for you]
        #[arg(long, value_name = "CONTACT", value_parser = non_empty)]
        issuer: Option<String>,
    },
    /// List who takes card money: you, and who asked you for it where you issue a currency
    List,
    /// Let a contact, who has asked for it, take card money in your currency
    ///
    /// Card money becomes cash at a merchant's. Whom you certify can turn it into cash for anybody: know your merchants.
    Certify {
        /// The contact's name, id, or the beginning of one
        #[arg(value_name = "CONTACT", value_parser = non_empty)]
        contact: String,
        /// The currency's code, or its id
        #[arg(value_name = "CURRENCY", value_parser = non_empty)]
        currency: String,
        /// For how many days, 2 to 1096
        #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(2..=1096))]
        days: u32,
    },
}

/// What is asked about tabs.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Tab {
    /// Put cash aside for a contact
    ///
    /// Once that is final, they can be paid from it while no witness answers, and run no risk up to what is in it. What is left
    /// comes back by itself when it has expired.
    Open {
        /// The contact's name, id, or the beginning of one
        #[arg(value_parser = non_empty)]
        contact: String,
        /// How much, as in 12.50
        #[arg(allow_hyphen_values = true)]
        amount: String,
        /// The currency's code, or its id
        #[arg(value_name = "CURRENCY", value_parser = non_empty)]
        currency: String,
        /// For how many days
        #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=30))]
        days: u32,
    },
    /// Pay from a tab, at once
    Pay {
        /// Its name, the beginning of it, or the contact whom your only open tab is for
        #[arg(value_name = "TAB|CONTACT", value_parser = non_empty)]
        tab: String,
        /// How much, as in 12.50
        #[arg(allow_hyphen_values = true)]
        amount: String,
        /// What for; only the contact can read it
        #[arg(long, value_name = "TEXT")]
        memo: Option<String>,
    },
    /// End a tab: one for you at any time, one of yours once it has expired
    ///
    /// What was paid from it is redeemed, and the rest goes back.
    Close {
        /// Its name, or the beginning of it
        #[arg(value_parser = non_empty)]
        tab: String,
    },
    /// Redeem what was paid to you from a tab, so that you can spend it
    ///
    /// It is done without being asked two hours before the tab expires, if this node is running and witnesses answer.
    Redeem {
        /// Its name, or the beginning of it
        #[arg(value_parser = non_empty)]
        tab: String,
    },
    /// List tabs, yours and those for you, the newest last
    List,
    /// Show a tab
    Show {
        /// Its name, the beginning of it, or the contact whom it is for
        #[arg(value_name = "TAB|CONTACT", value_parser = non_empty)]
        tab: String,
    },
}

/// What is asked about invoices.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Invoice {
    /// Ask whoever has the link for money, as a shop does
    Create {
        /// How much, as in 12.50
        #[arg(allow_hyphen_values = true)]
        amount: String,
        /// The currency's code, or its id
        #[arg(value_name = "CURRENCY", value_parser = non_empty)]
        currency: String,
        /// What for; whoever has the link can read it
        #[arg(long, value_name = "TEXT")]
        memo: Option<String>,
        /// How long it can be paid, as in 1h or 7d; 366d at most
        #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_lifetime)]
        expires: Duration,
        /// Show it as a QR code even where that is not a terminal
        #[arg(long)]
        qr: bool,
    },
    /// Pay an invoice of a contact, once
    Pay {
        /// Its link, or the name of one that came, or the beginning of it
        #[arg(value_name = "LINK|INVOICE", value_parser = non_empty)]
        invoice: String,
        #[command(flatten)]
        #[allow(missing_docs, reason = "clap would take it for help")]
        patience: Patience,
    },
    /// List invoices, yours and those that came, the newest last
    List {
        /// How many, the newest ones
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        last: u32,
    },
    /// Show an invoice, and its link
    Show {
        /// Its name, or the beginning of it; `kinfolk wallet invoice list` shows it
        #[arg(value_parser = non_empty)]
        invoice: String,
        /// Show it as a QR code even where that is not a terminal
        #[arg(long)]
        qr: bool,
    },
}

/// Between whom, how much, of what, what for.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Order {
    /// The contact's name, id, or the beginning of one
    #[arg(value_parser = non_empty)]
    pub contact: String,
    /// How much, as in 12.50
    #[arg(allow_hyphen_values = true)]
    pub amount: String,
    /// The currency's code, or its id
    #[arg(value_name = "CURRENCY", value_parser = non_empty)]
    pub currency: String,
    /// What for; only the contact can read it
    #[arg(long, value_name = "TEXT")]
    pub memo: Option<String>,
}

/// How long somebody waits.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Patience {
    /// Wait until it has come this far
    #[arg(long, value_name = "STATE")]
    pub wait: Option<PaymentGoal>,
    /// How long to wait, as in 500ms, 10s or 5m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_span)]
    pub timeout: Duration,
}

/// How far a payment is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PaymentGoal {
    /// Enough witnesses have voted: it stands for ever
    Final,
}

/// What money may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Class {
    /// It goes anywhere
    Cash,
    /// It goes to merchants that the issuer certified
    Card,
}

/// What is asked of a node as a witness.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Witness {
    /// Vote for payments in a currency that names this node as a witness
    ///
    /// A witness votes for the first payment that an account signs for each place, and remembers that for ever. Do not
    /// restore its directory from a backup.
    Serve {
        /// The currency's code, its id, or its link
        #[arg(value_name = "CURRENCY|LINK", value_parser = non_empty)]
        currency: String,
    },
    /// Show what this node witnesses
    Status,
}

fn non_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it cannot be empty".to_owned()) } else { Ok(text.to_owned()) }
}
