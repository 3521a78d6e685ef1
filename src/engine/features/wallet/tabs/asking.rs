//! Taking an entry of a tab to the witnesses, and doing so by itself when it is time.

use kinfolk_ledger::escrow::holding::{BeginError, Heeded, Holding};
use kinfolk_ledger::escrow::{Proposer, Stamp};
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_wire::codec::DecodeError;
use kinfolk_wire::ids::{AccountId, PeerId};
use kinfolk_wire::time::Span;

use super::Desk;
use crate::effect::{Effect, RequestId};
use crate::features::wallet::{currencies, settling};
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{Alarm, Inquiry, Key, Row, Scan, Tab, Table};

/// The first wait before witnesses are asked again; each next one is twice as long.
const AGAIN: Span = Span::from_secs(2);
/// The longest of them.
const LONGEST_PENDING: Span = Span::from_secs(60);
/// How often a tab is looked after of which nothing is due.
pub(crate) const LONGEST_WAIT: Span = Span::from_hours(1);

/// All tabs.
fn all(step: &Step<'_>) -> Result<Vec<(AccountId, Tab)>, Refusal> {
    let rows = step.scan(&Scan::all(Table::Tab, usize::MAX))?.rows;
    let tabs = rows.into_iter().filter_map(|(key, row)| match (key, row) {
        (Key::Tab(tab), Row::Tab(row)) => Some((tab, row)),
        _ => None,
    });
    Ok(tabs.collect())
}

/// The node has started: what waits goes on, and what is late is done.
pub(crate) fn start(step: &mut Step<'_>) -> Result<(), Refusal> {
    for (tab, _) in all(step)? {
        step.contain(|step| look_after(step, tab))?;
    }
    Ok(())
}

/// A node is there again: where it is a witness that a tab waits for, it is asked at once.
pub(crate) fn witness_came(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    for (tab, row) in all(step)? {
        if row.holding.is_some_and(|holding| holding.is_under_way()) {
            step.contain(|step| {
                let Some(desk) = Desk::open(step, tab)? else { return Ok(()) };
                let witnesses = &desk.book.policy.policy().witnesses;
                let place =
                    (0_u8..).zip(witnesses).find(|(_, witness)| witness.peer_id == peer).map(|(place, _)| place);
                let standing = place.and_then(|place| desk.talk.standings.get(&place));
                match standing.is_some_and(|standing| standing.trouble().is_some()) {
                    true => look_after(step, tab),
                    false => Ok(()),
                }
            })?;
        }
    }
    Ok(())
}

/// When a tab is looked after next.
pub(super) fn arm(step: &mut Step<'_>, tab: AccountId, row: &mut Tab, holding: &Holding) {
    let due = if holding.is_under_way() {
        let doubled = AGAIN.as_millis().checked_shl(row.tries.min(20)).unwrap_or(u64::MAX);
        Some(step.now.after(Span::from_millis(doubled.min(LONGEST_PENDING.as_millis()))))
    } else {
        // What is due already and could not be begun is tried again.
        let latest = step.now.after(LONGEST_WAIT);
        holding.due().map(|due| if due > step.now { due.min(latest) } else { latest })
    };
    step.clear_alarm(Alarm::Tab(tab), row.again_at);
    if let Some(due) = due {
        step.set_alarm(Alarm::Tab(tab), None, due);
    }
    row.again_at = due;
}

/// It is time to see what is to be done with a tab.
pub(crate) fn look_after(step: &mut Step<'_>, tab: AccountId) -> Result<(), Refusal> {
    let Some(mut desk) = Desk::open(step, tab)? else { return Ok(()) };
    desk.row.tries = desk.row.tries.saturating_add(1);
    desk.do_what_is_due(step)?;
    desk.ask_anew(step)?;
    desk.save(step);
    Ok(())
}

/// A witness has answered, or has not.
pub(in crate::features::wallet) fn replied(
    step: &mut Step<'_>,
    request: RequestId,
    (tab, witness): (AccountId, u8),
    reply: Option<Result<Reply, DecodeError>>,
) -> Result<(), Refusal> {
    let Some(mut desk) = Desk::open(step, tab)? else { return Ok(()) };
    desk.talk.asked.retain(|(_, number)| *number != request.0);
    let (holding, standings, policy) = (&mut desk.holding, &mut desk.talk.standings, &desk.book.policy);
    let before = holding.state().redeemed();
    let heeded = match reply {
        None => {
            holding.failed(standings, witness, "did not answer", policy);
            Heeded::Nothing
        }
        Some(Err(_)) => {
            holding.failed(standings, witness, "gave an answer that is none", policy);
            Heeded::Nothing
        }
        Some(Ok(reply)) => holding.heed(standings, witness, reply, policy),
    };
    let finals = match heeded {
        Heeded::Certified(receipts) => receipts,
        Heeded::Nothing => Vec::new(),
    };
    if !finals.is_empty() {
        desk.certified(step, &finals, before, true)?;
        desk.do_what_is_due(step)?;
    }
    desk.ask_all(step)?;
    let currency = desk.book.id;
    desk.save(step);
    if finals.is_empty() { Ok(()) } else { settling::claim(step, currency) }
}

impl Desk {
    /// Begins what is due, where nothing is under way: the payee redeems in time, the payer has the rest afterwards.
    pub(super) fn do_what_is_due(&mut self, step: &mut Step<'_>) -> Result<(), Refusal> {
        let is_due = self.holding.due().is_some_and(|due| due <= step.now) && !self.holding.is_under_way();
        // An account that another profile has now is that one's to bring to an end. What was promised is redeemed all the same.
        let is_mine = self.book.account.stopped.is_none() || self.holding.side() == Proposer::Payee;
        if is_due && is_mine {
            let closes = self.holding.side() == Proposer::Payer;
            // What cannot be begun now is tried again later.
            if self.begin(step, closes)?.is_ok() {
                self.row.tries = 0;
            }
        }
        Ok(())
    }

    pub(super) fn begin(&mut self, step: &mut Step<'_>, closes: bool) -> Result<Result<(), BeginError>, Refusal> {
        let key = self.key()?;
        let stamp = Stamp { now: step.now, blind: step.random(), policy: &self.book.policy };
        Ok(if closes { self.holding.close(stamp, &key) } else { self.holding.redeem(stamp, &key) })
    }

    /// Asks all witnesses, those too that were in trouble before.
    pub(super) fn ask_anew(&mut self, step: &mut Step<'_>) -> Result<(), Refusal> {
        if !self.holding.is_under_way() {
            return Ok(());
        }
        self.holding.again(&mut self.talk.standings, &self.book.policy);
        self.ask_all(step)
    }

    /// Asks every witness what is to be asked of it next.
    pub(super) fn ask_all(&mut self, step: &mut Step<'_>) -> Result<(), Refusal> {
        let key = self.key()?;
        for witness in (0_u8..).take(self.book.policy.quorum().n()) {
            if self.talk.asked.iter().any(|(asked, _)| *asked == witness) {
                continue;
            }
            let standing = self.talk.standings.entry(witness).or_default().clone();
            if let Some(request) = self.holding.ask(&standing, witness, &self.book.policy, &key) {
                self.send(step, witness, &request)?;
            }
        }
        Ok(())
    }

    /// Under the account's network group, as all that is asked for it.
    fn send(&mut self, step: &mut Step<'_>, witness: u8, request: &Request) -> Result<(), Refusal> {
        let Some(named) = self.book.policy.policy().witnesses.get(usize::from(witness)) else { return Ok(()) };
        let reach = currencies::whereabouts(&step.reads(), &self.book.currency, named.peer_id)?;
        let number = step.next_request()?;
        self.talk.asked.push((witness, number));
        step.put(Key::Inquiry(number), Inquiry::Tab { tab: self.tab, witness });
        step.effect(Effect::Inquire {
            request: RequestId(number),
            host: reach.peer,
            addresses: reach.addresses,
            group: settling::group_of(&self.book),
            body: request.encode(),
        });
        Ok(())
    }
}
