//! The wallet: currencies, paying and being paid (docs/protocol/12-wallet.md).
//!
//! | file | what it holds |
//! |---|---|
//! | [`currencies`] | making a currency, taking one, telling contacts of it |
//! | [`book`] | one account with its currency: its keys, what it has, and what is signed for it |
//! | [`checkpoints`] | how an account stands, so that witnesses can let go of what is before |
//! | [`orders`] | what a person wants done with money: mint, pay, pay back |
//! | [`invoices`] | asking for money, and paying what is asked for |
//! | [`merchants`] | who may take card money, and what is paid with it |
//! | [`keys`] | the keys of accounts, as they follow from the recovery phrase |
//! | [`settling`] | taking an entry to the witnesses until it is final, and to all of them afterwards |
//! | [`receiving`] | money that comes, and telling contacts where it goes |
//! | [`promising`] | handing a payment over at risk, where the witnesses do not answer |
//! | [`promised`] | what was handed over so to this person |
//! | [`carrying`] | taking that to the witnesses |
//! | [`recovering`] | bringing back an account whose phone is lost |
//! | [`tabs`] | money put aside for one payee, who is paid by voucher |
//! | [`adopting`] | what becomes of such an account: its history and its money |
//!
//! **One entry for one place.** What is signed is kept in the same turn, before anything leaves, and is never replaced: a
//! payment that found no quorum waits, and is the same payment when it goes on. So the account's state is that after
//! all that was signed, and the next entry stands on those that wait.
//!
//! Witnesses are asked from a network identity of the account's own, so that none of them learns whose account it is.

pub(crate) mod adopting;
pub(crate) mod book;
pub(crate) mod carrying;
pub(crate) mod checkpoints;
pub(crate) mod currencies;
pub(crate) mod invoices;
pub(crate) mod keys;
pub(crate) mod merchants;
pub(crate) mod orders;
pub(crate) mod promised;
pub(crate) mod promising;
pub(crate) mod receiving;
pub(crate) mod recovering;
pub(crate) mod settling;
pub(crate) mod tabs;

use kinfolk_wire::content::Payment;
use kinfolk_wire::ids::{CurrencyId, EntryHash, IdentityId};

use crate::event::Event;
use crate::refusal::Refusal;
use crate::step::Step;

/// A payment of ours is final, and whoever was paid is to be handed it.
#[derive(Debug)]
pub(crate) struct Final {
    /// Whom.
    pub(crate) contact: IdentityId,
    /// What.
    pub(crate) payment: Payment,
}

fn changed(step: &mut Step<'_>, currency: CurrencyId, entry: EntryHash) -> Result<(), Refusal> {
    step.emit(Event::PaymentChanged(currency, entry))
}
