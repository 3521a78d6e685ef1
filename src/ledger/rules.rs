//! What a witness finds out before it votes: that an entry is good by its own chain, and that what it cites is so.
//!
//! Voting is the only time at which other chains and the clock are looked at. An entry that a quorum voted for is run by
//! everybody without asking again.

use std::collections::BTreeMap;

use kinfolk_wire::ids::AccountId;
use kinfolk_wire::time::Timestamp;

use crate::chain::{ChainState, Change, Invalid};
use crate::entry::{ApprovedEntry, Body, Class, Ctl, Destination, Out, OutRef};
use crate::escrow::{Proposer, TabAct, TabEntry, TabState};
use crate::limits;
use crate::policy::LoadedPolicy;
use crate::vote::CertifiedEntry;

/// Certified entries that an entry's claims and refunds name: what came with it, or what the witness has itself.
pub trait Cited {
    /// The certified entry at this place.
    fn certified(&self, chain: &AccountId, seq: u64) -> Option<&CertifiedEntry>;
}

impl Cited for BTreeMap<(AccountId, u64), CertifiedEntry> {
    fn certified(&self, chain: &AccountId, seq: u64) -> Option<&CertifiedEntry> {
        self.get(&(*chain, seq))
    }
}

/// Why a witness does not vote for an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotValid {
    /// Its own chain forbids it.
    #[error(transparent)]
    Chain(#[from] Invalid),
    /// What it cites did not come with it.
    #[error("entry {seq} of chain {chain} is cited and did not come with its certificate")]
    NotCited {
        /// Whose.
        chain: AccountId,
        /// Which.
        seq: u64,
    },
    /// A claim of an output that there is not, or of another amount or class, or of somebody else's.
    #[error("what is claimed of entry {seq} of chain {chain} is not this account's to claim")]
    Claim {
        /// Whose.
        chain: AccountId,
        /// Which.
        seq: u64,
    },
    /// A refund of new money, of what a tab paid, of a refund, in another class, or for more than was paid.
    #[error("a refund is of a payment, in its class, and with those before it not for more: {paid} was paid")]
    Refund {
        /// Smallest units of the payment.
        paid: u64,
    },
    /// A merchant's certificate that is not the issuer's.
    #[error("the merchant's certificate is not by the issuer")]
    MerchantSignature,
    /// A merchant's certificate that is over.
    #[error("the merchant's certificate is over since {expired:?}")]
    MerchantExpired {
        /// Since when.
        expired: Timestamp,
    },
    /// A redemption after the tab expired.
    #[error("the tab has expired at {expires:?}: its payee may close it, and redeem no more")]
    TabOver {
        /// When it did.
        expires: Timestamp,
    },
    /// The payer's end of a tab that has not expired.
    #[error("the tab expires at {expires:?}, and until then only its payee may close it")]
    TabNotOver {
        /// When it will.
        expires: Timestamp,
    },
    /// An entry from the future.
    #[error("the entry was made at {made:?}, the witness's clock says {now:?}")]
    Future {
        /// By the writer's clock.
        made: Timestamp,
        /// By the witness's.
        now: Timestamp,
    },
}

/// Judges an entry at the next place of a chain. Without `now` nothing is judged by the clock, as where an entry is
/// completed that somebody may have judged before.
///
/// # Errors
/// [`NotValid`].
pub fn validate(
    state: &ChainState,
    approved: &ApprovedEntry,
    policy: &LoadedPolicy,
    cited: &impl Cited,
    now: Option<Timestamp>,
) -> Result<Change, NotValid> {
    let entry = approved.entry();
    let change = state.try_entry(entry, policy)?;
    check_claims(state, entry.body(), policy, cited)?;
    check_refunds(state, entry.body(), policy, cited)?;
    for out in &entry.body().outs {
        check_merchant(out, policy, now)?;
    }
    check_made(entry.body(), now)?;
    Ok(change)
}

/// Judges an entry at the next place of a tab, as [`validate`] does one of an account.
///
/// # Errors
/// [`NotValid`].
pub fn validate_tab(
    state: &TabState,
    approved: &ApprovedEntry,
    policy: &LoadedPolicy,
    cited: &impl Cited,
    now: Option<Timestamp>,
) -> Result<(), NotValid> {
    let entry = approved.entry();
    state.try_entry(entry, policy)?;
    let opening = state.opening();
    for claim in &entry.body().claims {
        let (output, _) = output(&claim.out, policy, cited)?;
        let is_funding = output.to == Destination::Escrow(opening.terms) && output.class == Class::Free;
        if !is_funding || output.amt != claim.amt {
            return Err(NotValid::Claim { chain: claim.out.chain, seq: claim.out.seq });
        }
    }
    let Some(now) = now else { return Ok(()) };
    let (expires, is_over) = (opening.tab().expires, opening.tab().is_over(now));
    let is_redeem = matches!(entry.body().ctl, Some(Ctl::Tab(TabEntry { act: TabAct::Redeem(_), .. })));
    match Proposer::at(entry.header().key_seq) {
        Some(Proposer::Payee) if is_over && is_redeem => Err(NotValid::TabOver { expires }),
        Some(Proposer::Payer) if !is_over => Err(NotValid::TabNotOver { expires }),
        _ => check_made(entry.body(), Some(now)),
    }
}

fn check_made(body: &Body, now: Option<Timestamp>) -> Result<(), NotValid> {
    match now {
        Some(now) if body.ts > now.after(limits::CLOCKS) => Err(NotValid::Future { made: body.ts, now }),
        _ => Ok(()),
    }
}

/// The output that is named, and whether it is one that is not refunded: new money, or out of an escrow chain.
fn output<'a>(out: &OutRef, policy: &LoadedPolicy, cited: &'a impl Cited) -> Result<(&'a Out, bool), NotValid> {
    let OutRef { chain, seq, idx } = *out;
    let certified = cited.certified(&chain, seq).ok_or(NotValid::NotCited { chain, seq })?;
    let (header, body) = (certified.entry().header(), certified.entry().body());
    let is_there = header.currency == policy.currency() && header.chain == chain && header.seq == seq;
    let output = body.outs.get(usize::from(idx)).filter(|_| is_there).ok_or(NotValid::Claim { chain, seq })?;
    Ok((output, matches!(body.ctl, Some(Ctl::Mint { .. } | Ctl::Tab(_)))))
}

fn check_claims(state: &ChainState, body: &Body, policy: &LoadedPolicy, cited: &impl Cited) -> Result<(), NotValid> {
    for claim in &body.claims {
        let (output, _) = output(&claim.out, policy, cited)?;
        let mine = output.to == Destination::Account(state.chain());
        if !mine || output.amt != claim.amt || output.class_once_claimed() != claim.class {
            return Err(NotValid::Claim { chain: claim.out.chain, seq: claim.out.seq });
        }
    }
    Ok(())
}

fn check_refunds(state: &ChainState, body: &Body, policy: &LoadedPolicy, cited: &impl Cited) -> Result<(), NotValid> {
    let mut now_paid_back: BTreeMap<OutRef, u64> = BTreeMap::new();
    for out in &body.outs {
        let Some(refund_of) = out.refund_of else { continue };
        let (original, is_final) = output(&refund_of, policy, cited)?;
        let paid = original.amt.units();
        let sum = now_paid_back.entry(refund_of).or_insert_with(|| state.refunded().of(&refund_of));
        *sum = sum.saturating_add(out.amt.units());
        let refundable = !is_final && original.refund_of.is_none() && original.class == out.class;
        let mine = original.to == Destination::Account(state.chain());
        if !refundable || !mine || *sum > paid {
            return Err(NotValid::Refund { paid });
        }
    }
    Ok(())
}

fn check_merchant(out: &Out, policy: &LoadedPolicy, now: Option<Timestamp>) -> Result<(), NotValid> {
    let (Some(merchant), Class::Card) = (out.merchant, out.class) else { return Ok(()) };
    let Destination::Account(to) = out.to else { return Ok(()) };
    if now.is_some_and(|now| merchant.expires.after(limits::CLOCKS) < now) {
        return Err(NotValid::MerchantExpired { expired: merchant.expires });
    }
    let unverified = merchant.unverified(&policy.policy().issuer, policy.currency(), to);
    unverified.verify().map(|_| ()).map_err(|_| NotValid::MerchantSignature)
}
