//! Tabs: money that is put aside for one payee, who is paid by voucher (docs/protocol/12-wallet.md, section 11).
//!
//! What is true of a tab, and what is asked of its witnesses, the ledger's [`Holding`] knows. Here it is kept, in the same
//! turn and so before anything that it says leaves, and driven.
//!
//! | file | what it holds |
//! |---|---|
//! | here | opening a tab, paying by voucher, ending a tab, and what was put aside |
//! | [`receiving`] | vouchers that come, and what the other side says of a tab |
//! | [`asking`] | taking an entry of a tab to the witnesses, and doing so by itself when it is time |

pub(crate) mod asking;
pub(crate) mod receiving;

use kinfolk_ledger::entry::{Destination, Out, OutRef};
use kinfolk_ledger::escrow::holding::{BeginError, Holding, MARGIN, VoucherError};
use kinfolk_ledger::escrow::{Opening, Proposer, Tab as Cap, Terms};
use kinfolk_ledger::limits;
use kinfolk_ledger::receipt_file::memo_hash;
use kinfolk_ledger::signature::SecretKey;
use kinfolk_ledger::vote::Receipt;
use kinfolk_wire::content::{Memo, TabPayment, Text};
use kinfolk_wire::ids::{AccountId, EntryHash, IdentityId};
use kinfolk_wire::time::{Span, Timestamp};

use super::book::{Book, Order, secret};
use super::{adopting, changed, currencies, keys, orders, settling};
use crate::refusal::{Refusal, in_words};
use crate::step::Step;
use crate::store::{Key, KeyMaterial, Movement, MovementKind, MovementPlace, Payee, Tab, TabPart, TabTalk};

/// The shortest time that a tab is for.
const SHORTEST: Span = Span::from_days(1);

/// A tab, its account, and what its witnesses have said.
struct Desk {
    tab: AccountId,
    book: Book,
    row: Tab,
    holding: Holding,
    talk: TabTalk,
}

impl Desk {
    /// A tab; nothing where it is not funded yet.
    fn open(step: &Step<'_>, tab: AccountId) -> Result<Option<Self>, Refusal> {
        let row: Tab = step.find(&Key::Tab(tab))?.ok_or(Refusal::UnknownTab)?;
        Self::of(step, tab, row)
    }

    fn of(step: &Step<'_>, tab: AccountId, mut row: Tab) -> Result<Option<Self>, Refusal> {
        let book = Book::open(step, row.currency)?;
        let talk = step.find(&Key::TabTalk(tab))?.unwrap_or_default();
        Ok(row.holding.take().map(|holding| Self { tab, book, row, holding: *holding, talk }))
    }

    /// Keeps all of it, and sees to it that it is looked after in time.
    fn save(mut self, step: &mut Step<'_>) {
        asking::arm(step, self.tab, &mut self.row, &self.holding);
        self.row.holding = Some(Box::new(self.holding));
        step.put(Key::Tab(self.tab), self.row);
        step.put(Key::TabTalk(self.tab), self.talk);
    }

    /// The key of this side.
    fn key(&self) -> Result<SecretKey, Refusal> {
        let key = secret(&self.row.key);
        match key.vk() == *self.holding.opening().tab().key(self.holding.side()) {
            true => Ok(key),
            false => Err(Refusal::Inconsistent("a tab has another key than its account")),
        }
    }

    fn refusal(&self, error: VoucherError, now: Timestamp) -> Refusal {
        let text = |units| self.book.text(units);
        match error {
            VoucherError::OverCap { funded, left, asked } => {
                Refusal::TabOver { left: text(left), funded: text(funded), asked: text(asked) }
            }
            VoucherError::TooLate { expires } => {
                Refusal::TabExpired { expires: moment(expires, now), margin: MARGIN.as_millis() / 3_600_000 }
            }
            VoucherError::Closed | VoucherError::Closing => Refusal::TabClosed,
            VoucherError::Side => Refusal::TabNotPayer,
            other => Refusal::Ledger(other.to_string()),
        }
    }
}

fn moment(expires: Timestamp, now: Timestamp) -> String {
    if expires > now {
        format!("in {}", in_words(expires.since(now)))
    } else {
        format!("{} ago", in_words(now.since(expires)))
    }
}

/// Puts cash aside for a contact. It can be paid with once it is final.
pub(crate) fn open(
    step: &mut Step<'_>,
    contact: IdentityId,
    amount: &str,
    which: &str,
    lifetime: Span,
) -> Result<AccountId, Refusal> {
    let mut book = Book::open(step, currencies::find(&step.reads(), which)?)?;
    let amount = currencies::amount(amount, book.policy.policy().decimals)?;
    if lifetime < SHORTEST || lifetime > limits::TAB {
        return Err(Refusal::TabLifetime { most: limits::TAB.as_millis() / SHORTEST.as_millis() });
    }
    let name = orders::payable(step, contact)?;
    let code = book.policy.policy().code.to_string();
    let Some(Payee { account, tab_key, .. }) = step.find(&Key::Payee(book.id, contact))? else {
        return Err(Refusal::AccountUnknown { name, code });
    };
    let redeemer = tab_key.ok_or(Refusal::NoTabs { name, code })?;
    let seq = book.signed();
    let key = keys::voucher_seed(&book.account.seed, book.id, seq);
    let voucher_key = secret(&key).vk();
    let (expires, epoch) = (step.now.after(lifetime), book.policy.epoch());
    let terms = Terms::Tab(Cap { payee: account, redeemer, voucher_key, expires, epoch });
    let tab = Opening { terms, funding: OutRef { chain: book.account.account, seq, idx: 0 } }.chain();
    let out = Out { to: Destination::Escrow(terms), ..Out::cash(account, amount) };
    let number = book.next_movement();
    let entry = match book.sign(step, Order { outs: vec![out], ..Order::default() }, Some(number)) {
        Err(Refusal::NotEnough { available, needed, .. }) => return Err(book.too_little(step, available, needed)?),
        signed => signed?,
    };
    let (kind, part) = (MovementKind::TabOpened, TabPart { tab, total: None });
    let out = Out::cash(account, amount);
    let movement = Movement { seq: Some(seq), ..movement((entry, kind), step.now, &out, Some(contact), part) };
    note(step, &book, number, movement)?;
    let row = Tab {
        currency: book.id,
        contact: Some(contact),
        funding: entry,
        at: step.now,
        holding: None,
        paid: Vec::new(),
        again_at: None,
        tries: 0,
        is_adopted: false,
        key,
    };
    step.put(Key::Tab(tab), row);
    settling::take(step, &mut book)?;
    Ok(tab)
}

/// A movement of a tab, with nothing that only some have.
fn movement(
    (entry, kind): (EntryHash, MovementKind),
    at: Timestamp,
    out: &Out,
    contact: Option<IdentityId>,
    part: TabPart,
) -> Movement {
    let account = match out.to {
        Destination::Account(account) => account,
        Destination::Escrow(Terms::Tab(tab)) => tab.payee,
    };
    Movement {
        entry,
        kind,
        at,
        amount: out.amt,
        class: out.class,
        account,
        contact,
        memo: None,
        claims: Vec::new(),
        receipt: None,
        seq: None,
        refund_of: None,
        invoice: None,
        tab: Some(part),
    }
}

fn note(step: &mut Step<'_>, book: &Book, number: u64, movement: Movement) -> Result<(), Refusal> {
    let entry = movement.entry;
    step.put(Key::Movement(book.id, number), movement);
    step.put(Key::MovementPlace(entry), MovementPlace { currency: book.id, number });
    book.save(step);
    changed(step, book.id, entry)
}

/// The entry that funds a tab is certified: vouchers can be signed.
pub(super) fn funded(step: &mut Step<'_>, book: &Book, movement: &Movement, receipt: &Receipt) -> Result<(), Refusal> {
    let Some(part) = movement.tab else { return Ok(()) };
    let Some(row) = step.find::<Tab>(&Key::Tab(part.tab))? else { return Ok(()) };
    keep_funded(step, book, part.tab, row, receipt)
}

fn keep_funded(
    step: &mut Step<'_>,
    book: &Book,
    tab: AccountId,
    mut row: Tab,
    receipt: &Receipt,
) -> Result<(), Refusal> {
    let certified = receipt.clone().verify(&book.policy).ok().and_then(|entry| entry.verify().ok());
    let holding = certified.and_then(|entry| Holding::of_payer(&entry, 0).ok());
    let holding = holding.ok_or(Refusal::Inconsistent("what funds a tab is none"))?;
    asking::arm(step, tab, &mut row, &holding);
    row.holding = Some(Box::new(holding));
    step.put(Key::Tab(tab), row);
    Ok(())
}

/// An account was brought back, of which this certified entry may have funded a tab. What is left of it comes back when it
/// has expired; vouchers are signed no more, since those of the lost phone are not known.
pub(super) fn adopted(
    step: &mut Step<'_>,
    book: &Book,
    root: Option<&KeyMaterial>,
    receipt: &Receipt,
) -> Result<(), Refusal> {
    let Some(opening) = Opening::of(&receipt.entry, 0) else { return Ok(()) };
    let (tab, header) = (opening.chain(), receipt.entry.header());
    let before: Option<Tab> = step.find(&Key::Tab(tab))?;
    if before.as_ref().is_some_and(|before| before.holding.is_some()) {
        return Ok(());
    }
    let keys = root.into_iter().flat_map(|root| keys::voucher_seeds(root, book.id, header.seq));
    let Some(key) = keys.into_iter().find(|key| secret(key).vk() == opening.tab().voucher_key) else { return Ok(()) };
    let row = match before {
        Some(before) => before,
        None => Tab {
            currency: book.id,
            contact: adopting::whose(step, book.id, opening.tab().payee)?,
            funding: receipt.entry.hash(),
            at: receipt.entry.body().ts,
            holding: None,
            paid: Vec::new(),
            again_at: None,
            tries: 0,
            is_adopted: true,
            key,
        },
    };
    keep_funded(step, book, tab, row, receipt)
}

/// A payment by voucher, to be handed to its payee.
#[derive(Debug)]
pub(crate) struct Paid {
    pub(crate) contact: IdentityId,
    pub(crate) payment: TabPayment,
    pub(crate) entry: EntryHash,
}

/// Pays by voucher. Nobody is asked; the voucher is kept with the turn, before it leaves.
pub(crate) fn pay(step: &mut Step<'_>, tab: AccountId, amount: &str, memo: Option<Text>) -> Result<Paid, Refusal> {
    let Some(mut desk) = Desk::open(step, tab)? else { return Err(Refusal::TabNotFunded) };
    if desk.holding.side() == Proposer::Payee {
        return Err(Refusal::TabNotPayer);
    }
    if let Some(stopped) = &desk.book.account.stopped {
        return Err(Refusal::AccountStopped(Box::new(stopped.clone())));
    }
    if desk.row.is_adopted {
        return Err(Refusal::TabAdopted);
    }
    let contact = desk.row.contact.ok_or(Refusal::UnknownContact)?;
    orders::payable(step, contact)?;
    let amount = currencies::amount(amount, desk.book.policy.policy().decimals)?;
    let memo = memo.map(|text| Memo { text, salt: step.random() });
    let key = desk.key()?;
    let signed = desk.holding.pay(amount, memo.as_ref().map(memo_hash), &key, step.now);
    let voucher = signed.map_err(|error| desk.refusal(error, step.now))?;
    let number = desk.book.next_movement();
    let (entry, opening) = (voucher.name(), *desk.holding.opening());
    let part = TabPart { tab, total: Some(voucher.total.units()) };
    let out = Out::cash(opening.tab().payee, amount);
    let base = movement((entry, MovementKind::Paid), step.now, &out, Some(contact), part);
    note(step, &desk.book, number, Movement { memo: memo.clone(), ..base })?;
    let payment = TabPayment {
        sum: desk.book.sum(amount.units()),
        voucher: voucher.encode(),
        funding: desk.holding.funding().encode(),
        idx: opening.funding.idx,
        memo,
    };
    desk.save(step);
    Ok(Paid { contact, payment, entry })
}

/// Redeems what a tab's vouchers have promised, or ends the tab. Where that is under way, the witnesses are asked again.
pub(crate) fn end(step: &mut Step<'_>, tab: AccountId, closes: bool) -> Result<(), Refusal> {
    let Some(mut desk) = Desk::open(step, tab)? else { return Err(Refusal::TabNotFunded) };
    if desk.holding.state().is_closed() {
        return Err(Refusal::TabClosed);
    }
    match desk.begin(step, closes)? {
        Ok(()) | Err(BeginError::UnderWay) => {}
        Err(BeginError::Nothing) => return Err(Refusal::TabNothing),
        Err(BeginError::Side) => return Err(Refusal::TabNotPayee),
        Err(BeginError::NotYet { expires }) => return Err(Refusal::TabNotOver(moment(expires, step.now))),
        Err(BeginError::Invalid(invalid)) => return Err(Refusal::Ledger(invalid.to_string())),
    }
    desk.row.tries = 0;
    desk.ask_anew(step)?;
    desk.save(step);
    Ok(())
}
