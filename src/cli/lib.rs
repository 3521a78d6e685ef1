//! Floor 6: the command line.
//!
//! A command line passes two stages: [`parse`] makes what was typed into a [`Parsed`], and the binary's `main` looks at
//! its [`Act`]. `init`, `run` and `rescue` work on the profile itself and are the binary's own; what they print is here
//! ([`Initialised`], [`Ready`], [`Printer`], [`Rescued`]), so that all forms live in one room. Everything else is asked of the node that runs:
//! [`execute`]. Where [`Talk::works_offline`] and no node runs, the binary starts one without a network first.
//!
//! It knows `kinfolk-rpc` and `kinfolk-client` and nothing of the node. It prints only through a [`Screen`], never ends
//! the process, and decides nothing that the node could.

mod arguments;
mod bundle;
mod failure;
mod mailbox;
mod paper;
mod parsed;
mod passphrase;
mod printer;
mod receipt;
mod rescue;
mod screen;
mod show;
mod size;
mod span;
mod startup;
mod talk;
mod wallet;

pub use arguments::{Goal, Init, OnOff, Run, Send, Talk, Where, Whom};
pub use bundle::{Bundle, Export};
pub use failure::{Exit, Failure};
pub use mailbox::{Mailbox, Serve};
pub use paper::Paper;
pub use parsed::{Act, Parsed, Unparsed, parse};
pub use passphrase::{PassphrasePurpose, PassphraseSource, VARIABLE};
pub use printer::Printer;
pub use receipt::{ReceiptOutput, VerifiedReceipt};
pub use rescue::{Database, Rescue, Rescued};
pub use screen::{Form, Screen};
pub use startup::{Initialised, Ready, UnlockedBy};
pub use talk::execute;
pub use wallet::{Class, Currency, Order, Patience, PaymentGoal, Wallet, Witness};
