//! What becomes of an account that was brought back: its history as far as its own entries tell it, and its money.

use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::entry::{Class, Destination, Entry};
use kinfolk_ledger::escrow::{Opening, Terms};
use kinfolk_ledger::vote::Receipt;
use kinfolk_wire::content::Payment;
use kinfolk_wire::ids::{AccountId, IdentityId};

use super::recovering::{Bringing, beginning};
use super::{Final, settling, tabs};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{
    Account, Alarm, Key, Movement, MovementKind, MovementPlace, Nothing, OwnEntry, Payee, Recoverer, RecoveryPhase,
    Row, Scan, Standing, TabPart, Table, Wallet,
};

/// A quorum knows no account of this phrase: the one that is here may be used.
pub(super) fn nothing(step: &mut Step<'_>, bringing: &mut Bringing) -> Result<(), Refusal> {
    bringing.book.account.unsearched = false;
    bringing.book.account.stopped = None;
    bringing.book.save(step);
    close(step, bringing, RecoveryPhase::Nothing);
    step.emit(Event::CurrencyChanged(bringing.book.id))
}

/// Nothing more is asked, and the root of the keys is forgotten.
fn close(step: &mut Step<'_>, bringing: &mut Bringing, phase: RecoveryPhase) {
    step.clear_alarm(Alarm::Recover(bringing.book.id), bringing.row.again_at);
    let row = &mut bringing.row;
    (row.phase, row.root, row.again_at) = (phase, None, None);
    (row.candidates, row.state) = (Vec::new(), None);
    step.put(Key::Recovering(bringing.book.id), row.clone());
    for (place, _) in (0_u8..).zip(&bringing.book.policy.policy().witnesses) {
        step.put(Key::Recoverer(bringing.book.id, place), Recoverer::default());
    }
}

/// The key is exchanged: the account is this profile's. Says which payments of this profile were completed.
pub(super) fn adopt(step: &mut Step<'_>, mut bringing: Bringing) -> Result<Vec<Final>, Refusal> {
    let inception = beginning(&bringing)?;
    let Some(state) = bringing.row.state.take() else {
        return Err(Refusal::Inconsistent("an account that was brought back has no state"));
    };
    change_set(step, &bringing)?;
    let (id, before) = (bringing.book.id, bringing.book.account.clone());
    let mut signed = before.state.as_ref().map_or(0, |state| state.seq());
    while signed > state.seq() {
        signed = signed.saturating_sub(1);
        step.delete(Key::OwnEntry(id, signed));
    }
    step.clear_alarm(Alarm::Settle(id), before.again_at);
    let certified = state.seq();
    bringing.book.account = Account {
        account: inception.account(),
        seed: bringing.row.seed.clone(),
        state: Some(state),
        certified,
        last_movement: before.last_movement,
        again_at: None,
        tries: 0,
        stopped: None,
        recovery: inception.recovery.keys.first().copied(),
        unsearched: false,
    };
    let finals = completed(step, &bringing, before.certified)?;
    write_history(step, &mut bringing)?;
    bringing.book.save(step);
    close(step, &mut bringing, RecoveryPhase::Done);
    for (place, _) in (0_u8..).zip(&bringing.book.policy.policy().witnesses) {
        let (lacks, asked) = (true, None);
        step.put(Key::Standing(id, place), Standing { lacks, asked, ..Standing::default() });
    }
    settling::take(step, &mut bringing.book)?;
    step.emit(Event::CurrencyChanged(id))?;
    Ok(finals)
}

/// Whoever has the lost phone has its set of keys: no new account is of that set.
fn change_set(step: &mut Step<'_>, bringing: &Bringing) -> Result<(), Refusal> {
    let (Some(root), Some(found)) = (&bringing.row.root, bringing.row.found) else { return Ok(()) };
    let Some(wallet) = step.find::<Wallet>(&Key::Wallet)? else { return Ok(()) };
    if wallet.set != found.set {
        return Ok(());
    }
    let mut set = found.set;
    while set == found.set {
        set = Wallet::another_set(step);
    }
    step.put(Key::Wallet, Wallet::of(root, set, wallet.is_restored));
    Ok(())
}

/// Movements that stand stay; what was signed here and does not stand goes; what is new is told by the entries alone.
fn write_history(step: &mut Step<'_>, bringing: &mut Bringing) -> Result<(), Refusal> {
    let book = &mut bringing.book;
    let id = book.id;
    for (key, row) in step.scan(&Scan::movements(id, usize::MAX))?.rows {
        let (Key::Movement(_, number), Row::Movement(movement)) = (key, row) else { continue };
        if let Some(seq) = movement.seq {
            let own: Option<OwnEntry> = step.find(&Key::OwnEntry(id, seq))?;
            if own.is_none_or(|own| own.entry.hash() != movement.entry) {
                step.delete(key);
                step.delete(Key::MovementPlace(movement.entry));
                step.delete(Key::Unclaimed(id, number));
                if let Some(part) = movement.tab {
                    step.delete(Key::Tab(part.tab));
                }
                continue;
            }
        }
        let spent = book.account.state.as_ref().map(|state| state.spent());
        let is_spent = |out| spent.is_some_and(|spent| spent.contains(out));
        if movement.claims.iter().any(|claim| !is_spent(&claim.out)) {
            step.put(Key::Unclaimed(id, number), Nothing {});
        } else {
            step.delete(Key::Unclaimed(id, number));
        }
    }
    for seq in 0..book.account.certified {
        // Of what is before a checkpoint that was gone on with, witnesses tell nothing any more.
        let Some(own) = step.find::<OwnEntry>(&Key::OwnEntry(id, seq))? else { continue };
        if let Some(cert) = own.cert.clone() {
            tabs::adopted(
                step,
                book,
                bringing.row.root.as_ref(),
                &Receipt { entry: (*own.entry).clone(), cert: *cert },
            )?;
        }
        if own.movement.is_some() {
            continue;
        }
        let Some(movement) = paid_by(step, id, &own.entry)? else { continue };
        let (number, entry) = (book.next_movement(), movement.entry);
        step.put(Key::Movement(id, number), movement);
        step.put(Key::MovementPlace(entry), MovementPlace { currency: id, number });
        step.put(Key::OwnEntry(id, seq), OwnEntry { movement: Some(number), ..own });
    }
    Ok(())
}

/// The payment that an entry is, where it is one.
fn paid_by(step: &Step<'_>, id: kinfolk_wire::ids::CurrencyId, entry: &Entry) -> Result<Option<Movement>, Refusal> {
    let Some(first) = entry.body().outs.first() else { return Ok(None) };
    let (account, tab) = match first.to {
        Destination::Account(account) => (account, None),
        Destination::Escrow(Terms::Tab(tab)) => (tab.payee, Opening::of(entry, 0).map(|opening| opening.chain())),
    };
    let same = || entry.body().outs.iter().filter(|out| out.to == first.to);
    let is_card = same().all(|out| out.class == Class::Card);
    let Ok(amount) = Amount::new(same().map(|out| out.amt.units()).fold(0, u64::saturating_add)) else {
        return Ok(None);
    };
    let kind = match (first.refund_of, tab) {
        (Some(_), _) => MovementKind::Refunded,
        (None, Some(_)) => MovementKind::TabOpened,
        (None, None) => MovementKind::Paid,
    };
    Ok(Some(Movement {
        entry: entry.hash(),
        kind,
        at: entry.body().ts,
        amount,
        class: if is_card { Class::Card } else { Class::Free },
        account,
        contact: whose(step, id, account)?,
        memo: None,
        claims: Vec::new(),
        receipt: None,
        seq: Some(entry.header().seq),
        refund_of: None,
        invoice: first.invoice,
        tab: tab.map(|tab| TabPart { tab, total: None }),
    }))
}

/// The contact who said that payments to them go to this account.
pub(super) fn whose(
    step: &Step<'_>,
    id: kinfolk_wire::ids::CurrencyId,
    account: AccountId,
) -> Result<Option<IdentityId>, Refusal> {
    let rows = step.scan(&Scan::all(Table::Payee, usize::MAX))?.rows;
    Ok(rows.into_iter().find_map(|(key, row)| match (key, row) {
        (Key::Payee(of, contact), Row::Payee(Payee { account: named, .. })) if of == id && named == account => {
            Some(contact)
        }
        _ => None,
    }))
}

/// Payments of this profile that were not final before: their payees are to be handed them.
fn completed(step: &Step<'_>, bringing: &Bringing, from: u64) -> Result<Vec<Final>, Refusal> {
    let book = &bringing.book;
    let mut finals = Vec::new();
    for seq in from..book.account.certified {
        let Some(own) = step.find::<OwnEntry>(&Key::OwnEntry(book.id, seq))? else { continue };
        let (Some(number), Some(cert)) = (own.movement, own.cert) else { continue };
        let movement: Option<Movement> = step.find(&Key::Movement(book.id, number))?;
        let Some(Movement { contact: Some(contact), kind, amount, memo, .. }) = movement else { continue };
        // Its payee is handed vouchers.
        if kind == MovementKind::TabOpened {
            continue;
        }
        let receipt = Receipt { entry: *own.entry, cert: *cert };
        let (sum, is_refund) = (book.sum(amount.units()), kind == MovementKind::Refunded);
        finals.push(Final { contact, payment: Payment { sum, receipt: receipt.encode(), memo, is_refund } });
    }
    Ok(finals)
}
