//! Vouchers that come, what the other side says of a tab, and money that a tab pays.

use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::entry::{Claim, Out};
use kinfolk_ledger::escrow::holding::Holding;
use kinfolk_ledger::escrow::{Proposer, Voucher};
use kinfolk_ledger::receipt_file::memo_hash;
use kinfolk_ledger::vote::Receipt;
use kinfolk_wire::content::{Body, TabPayment, TabSettled};
use kinfolk_wire::ids::{AccountId, IdentityId};

use super::{Desk, movement, note};
use crate::features::wallet::book::{Book, paid_to, secret};
use crate::features::wallet::{changed, currencies, keys, settling};
use crate::refusal::Refusal;
use crate::services::directory;
use crate::step::{Rejection, Step};
use crate::store::{Key, Movement, MovementKind, Nothing, Row, Scan, Tab, TabPart};

/// Parts of a tab that payments have named and that do not touch one another, at the most: where so many are missing,
/// the next that come fill gaps.
const PARTS: usize = 64;

/// A contact hands over a payment by voucher. Says whether it is one, which is then a line like any other: of a tab that is
/// funded for this person, signed with its key, for as much more as is said, not seen before.
pub(crate) fn paid(step: &mut Step<'_>, from: IdentityId, payment: &TabPayment) -> Result<bool, Refusal> {
    let taken = take(step, from, payment)?;
    if let Err(rejection) = taken {
        step.reject(rejection);
    }
    Ok(taken.is_ok())
}

fn take(step: &mut Step<'_>, from: IdentityId, payment: &TabPayment) -> Result<Result<(), Rejection>, Refusal> {
    let none = Ok(Err(Rejection::Misplaced));
    let Ok(book) = Book::open(step, payment.sum.currency) else { return none };
    let units = payment.sum.units;
    let (Ok(voucher), Ok(amount)) = (Voucher::decode(&payment.voucher), Amount::new(units)) else { return none };
    let is_said = book.sum(units) == payment.sum && voucher.memo_hash == payment.memo.as_ref().map(memo_hash);
    let Some(begins) = voucher.total.units().checked_sub(units).filter(|_| is_said) else { return none };
    let entry = voucher.name();
    if step.has(&Key::MovementPlace(entry))? {
        return Ok(Err(Rejection::Replay));
    }
    let known: Option<Tab> = step.find(&Key::Tab(voucher.tab))?;
    let Some(row) = known.or_else(|| funded(step, &book, from, payment, voucher.tab)) else { return none };
    if row.contact != Some(from) || row.currency != book.id {
        return none;
    }
    let Some(mut desk) = Desk::of(step, voucher.tab, row)? else { return none };
    let parts = joined(&desk.row.paid, (begins, voucher.total.units()));
    let (Ok(_), Some(parts)) = (desk.holding.take(voucher, step.now), parts) else { return none };
    desk.row.paid = parts;
    let number = desk.book.next_movement();
    let part = TabPart { tab: desk.tab, total: Some(voucher.total.units()) };
    let out = Out::cash(desk.holding.opening().funding.chain, amount);
    let base = movement((entry, MovementKind::Received), step.now, &out, Some(from), part);
    note(step, &desk.book, number, Movement { memo: payment.memo.clone(), ..base })?;
    // One that came late is redeemed at once.
    desk.do_what_is_due(step)?;
    desk.ask_anew(step)?;
    desk.save(step);
    Ok(Ok(()))
}

/// A tab that is new here: what funds it is shown with every voucher.
fn funded(step: &Step<'_>, book: &Book, from: IdentityId, payment: &TabPayment, tab: AccountId) -> Option<Tab> {
    let receipt = Receipt::decode(&payment.funding).ok()?;
    let certified = receipt.verify(&book.policy).ok()?.verify().ok()?;
    let key = keys::tab_seed(&book.account.seed, book.id);
    let vk = secret(&key).vk();
    let holding = Holding::of_payee(&certified, payment.idx, book.account.account, &vk, step.now).ok()?;
    (holding.opening().chain() == tab).then(|| Tab {
        currency: book.id,
        contact: Some(from),
        funding: certified.entry().hash(),
        at: step.now,
        holding: Some(Box::new(holding)),
        paid: Vec::new(),
        again_at: None,
        tries: 0,
        is_adopted: false,
        key,
    })
}

/// The parts with another one, where it touches none of what they have.
fn joined(parts: &[(u64, u64)], (begins, ends): (u64, u64)) -> Option<Vec<(u64, u64)>> {
    if parts.iter().any(|(from, to)| begins < *to && *from < ends) {
        return None;
    }
    let mut all = parts.to_vec();
    all.push((begins, ends));
    all.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (from, to) in all {
        match joined.last_mut() {
            Some((_, end)) if *end == from => *end = to,
            _ => joined.push((from, to)),
        }
    }
    (joined.len() <= PARTS).then_some(joined)
}

/// The other side of a tab shows an entry of it that is certified.
pub(crate) fn settled(step: &mut Step<'_>, from: IdentityId, settled: &TabSettled) -> Result<(), Refusal> {
    let known: Option<Tab> = step.find(&Key::Tab(settled.tab))?;
    if known.is_none_or(|known| known.contact != Some(from)) {
        return Ok(());
    }
    let (Some(mut desk), Ok(receipt)) = (Desk::open(step, settled.tab)?, Receipt::decode(&settled.receipt)) else {
        return Ok(());
    };
    let before = desk.holding.state().redeemed();
    if !desk.holding.learn(&receipt, &desk.book.policy) {
        return Ok(());
    }
    desk.certified(step, &[receipt], before, false)?;
    desk.do_what_is_due(step)?;
    desk.ask_anew(step)?;
    let currency = desk.book.id;
    desk.save(step);
    settling::claim(step, currency)
}

impl Desk {
    /// Entries of the tab are certified: what they pay this person is there to be claimed, payments that they redeem are
    /// final, and the other side is told where it was found out here.
    pub(super) fn certified(
        &mut self,
        step: &mut Step<'_>,
        receipts: &[Receipt],
        before: u64,
        tells: bool,
    ) -> Result<(), Refusal> {
        self.row.tries = 0;
        for receipt in receipts {
            self.bring(step, receipt)?;
            self.tell(step, receipt, tells)?;
        }
        for (_, row) in step.scan(&Scan::movements(self.book.id, usize::MAX))?.rows {
            let Row::Movement(Movement { entry, tab: Some(part), .. }) = row else { continue };
            if part.tab == self.tab && part.total.is_some_and(|total| total > before) {
                changed(step, self.book.id, entry)?;
            }
        }
        Ok(())
    }

    fn bring(&mut self, step: &mut Step<'_>, receipt: &Receipt) -> Result<(), Refusal> {
        let (entry, own) = (receipt.entry.hash(), self.book.account.account);
        let claims: Vec<Claim> = paid_to(&receipt.entry, own).map(|(claim, _)| claim).collect();
        let units = claims.iter().map(|claim| claim.amt.units()).fold(0, u64::saturating_add);
        let Ok(amount) = Amount::new(units) else { return Ok(()) };
        if step.has(&Key::MovementPlace(entry))? {
            return Ok(());
        }
        let opening = *self.holding.opening();
        let (kind, other) = match self.holding.side() {
            Proposer::Payer => (MovementKind::TabReturned, opening.tab().payee),
            Proposer::Payee => (MovementKind::TabRedeemed, opening.funding.chain),
        };
        let part = TabPart { tab: self.tab, total: None };
        let base = movement((entry, kind), step.now, &Out::cash(other, amount), self.row.contact, part);
        let number = self.book.next_movement();
        step.put(Key::Unclaimed(self.book.id, number), Nothing {});
        note(step, &self.book, number, Movement { claims, receipt: Some(Box::new(receipt.clone())), ..base })
    }

    fn tell(&self, step: &mut Step<'_>, receipt: &Receipt, tells: bool) -> Result<(), Refusal> {
        let Some(contact) = self.row.contact.filter(|_| tells) else { return Ok(()) };
        if !directory::find(step, contact)?.is_some_and(|contact| directory::is_open(&contact)) {
            return Ok(());
        }
        let settled = TabSettled { currency: self.book.id, tab: self.tab, receipt: receipt.encode() };
        currencies::say(step, contact, &Body::TabSettled(settled))
    }
}
