//! Alarms: what is due by the clock, and what is to be done every hour.

use kinfolk_wire::time::{Span, Timestamp};

use super::settle;
use crate::features::contacts::by_mail::maker;
use crate::features::contacts::{answering, asking};
use crate::features::wallet::{carrying, currencies, merchants, promising, recovering, settling, tabs};
use crate::features::{conversations, mailboxes};
use crate::refusal::Refusal;
use crate::services::{
    by_hand, collect, deposit, directory, finding, flow, healing, host, links, outbox, prekeys, sessions, tokens,
};
use crate::step::Step;
use crate::store::{Alarm, Key, Scan, Table};

/// How often what is old is looked for.
pub(super) const HOUSEKEEPING: Span = Span::from_hours(1);
/// How many alarms one turn answers; the rest wait for the next.
const ALARMS: usize = 64;

pub(super) fn wake(step: &mut Step<'_>) -> Result<(), Refusal> {
    let due = step.scan(&Scan::timers_until(step.now, ALARMS))?;
    for (key, _) in due.rows {
        ring(step, key)?;
    }
    notice_clock_set_back(step)
}

/// An alarm rings. Where a record that it needs is damaged it rings again later, and the others ring now.
fn ring(step: &mut Step<'_>, key: Key) -> Result<(), Refusal> {
    let Key::Timer(_, alarm) = key else { return Ok(()) };
    step.delete(key);
    if !step.contain(|step| carry_out(step, alarm))? {
        step.set_alarm(alarm, None, step.now.after(longest_wait(alarm)));
    }
    Ok(())
}

fn carry_out(step: &mut Step<'_>, alarm: Alarm) -> Result<(), Refusal> {
    match alarm {
        Alarm::Dial(device) => links::dial(step, device),
        Alarm::Ask(identity) => asking::try_now(step, identity),
        Alarm::Receipts(contact) => conversations::send_receipts(step, contact),
        Alarm::LinkStalled(peer) => flow::look_after(step, peer),
        Alarm::Deposit(device) => deposit::due(step, device),
        Alarm::Poll => collect::poll(step),
        Alarm::ThrowAway(hour) => host::throw_away(step, hour),
        Alarm::Write(device) => finding::write(step, device),
        Alarm::Look(device) => finding::look(step, device),
        Alarm::Settle(currency) => settling::ask_again(step, currency),
        Alarm::Recover(currency) => recovering::ask_again(step, currency),
        Alarm::Tab(tab) => tabs::asking::look_after(step, tab),
        Alarm::Heal(device) => healing::ask(step, device),
        Alarm::Merchant(currency) => merchants::look_after(step, currency),
        Alarm::Promise(entry) => {
            let due = promising::due(step, entry)?;
            due.into_iter().try_for_each(|(contact, body)| currencies::say(step, contact, &body))
        }
        Alarm::Carry(entry) => carrying::ask_again(step, entry),
        Alarm::Housekeeping => housekeeping(step),
    }
}

/// The longest wait that an alarm is ever set for.
const fn longest_wait(alarm: Alarm) -> Span {
    match alarm {
        Alarm::Dial(_) | Alarm::Ask(_) => links::LONGEST_WAIT,
        Alarm::Receipts(_) => conversations::RECEIPT_DELAY,
        Alarm::LinkStalled(_) => flow::LONGEST_WAIT,
        Alarm::Deposit(_) => deposit::LONGEST_WAIT,
        Alarm::Poll => collect::LONGEST_WAIT,
        Alarm::ThrowAway(_) => host::THROW_AWAY_NEXT,
        Alarm::Write(_) | Alarm::Look(_) => finding::LONGEST_WAIT,
        Alarm::Settle(_) => settling::LONGEST_WAIT,
        Alarm::Recover(_) => recovering::LONGEST_WAIT,
        Alarm::Tab(_) => tabs::asking::LONGEST_WAIT,
        Alarm::Heal(_) => healing::LONGEST_WAIT,
        Alarm::Merchant(_) => merchants::LONGEST_WAIT,
        Alarm::Promise(_) => promising::PROMISED_AFTER,
        Alarm::Carry(_) => carrying::LONGEST_WAIT,
        Alarm::Housekeeping => HOUSEKEEPING,
    }
}

/// Alarms that are further off than they are ever set for were set before the clock was turned back. They ring now.
/// Housekeeping is the last of all, so that its alarm tells whether to look at the others.
pub(super) fn notice_clock_set_back(step: &mut Step<'_>) -> Result<(), Refusal> {
    let last = Scan { backwards: true, ..Scan::all(Table::Timer, 1) };
    let is_impossible = |now: Timestamp, key: &Key| match key {
        Key::Timer(due, alarm) => *due > now.after(longest_wait(*alarm)),
        _ => false,
    };
    if !step.scan(&last)?.rows.iter().any(|(key, _)| is_impossible(step.now, key)) {
        return Ok(());
    }
    for (key, _) in step.scan(&Scan::all(Table::Timer, usize::MAX))?.rows {
        if is_impossible(step.now, &key) && step.has(&key)? {
            ring(step, key)?;
        }
    }
    Ok(())
}

/// What is to be done every hour.
///
/// How old a thing is that is to be forgotten is told by the clock of the time before: a clock that is set ahead for less
/// than an hour destroys nothing, and what waited while the node was not there has an hour to be taken.
fn housekeeping(step: &mut Step<'_>) -> Result<(), Refusal> {
    let by = step.note_housekeeping()?;
    if prekeys::housekeeping(step, by)? {
        sessions::forget_answered(step)?;
    }
    for contact in directory::connected_contacts(step)? {
        for device in contact.devices {
            step.contain(|step| {
                links::offer_prekeys(step, device)?;
                if step.has(&Key::LinkOf(device))? {
                    mailboxes::tell(step, device)?;
                    tokens::want(step, device)?;
                }
                outbox::repeat_unreceipted(step, device, by)
            })?;
        }
    }
    sessions::housekeeping(step, by)?;
    answering::housekeeping(step, by)?;
    maker::leave_all(step)?;
    step.contain(|step| host::housekeeping(step, by))?;
    step.contain(tokens::housekeeping)?;
    step.contain(finding::housekeeping)?;
    step.contain(|step| by_hand::housekeeping(step, by))?;
    let gone = outbox::housekeeping(step, by)?;
    settle(step, &gone)?;
    step.set_alarm(Alarm::Housekeeping, None, step.now.after(HOUSEKEEPING));
    Ok(())
}
