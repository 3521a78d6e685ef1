//! What a face shows of money.

use std::collections::BTreeMap;

use kinfolk_ledger::amount::in_text;
use kinfolk_ledger::entry::{Class, Destination, Out};
use kinfolk_ledger::policy::{Code, LoadedPolicy, SignedPolicy};
use kinfolk_ledger::receipt_file::ReceiptFile;
use kinfolk_ledger::vote::Receipt;
use kinfolk_wire::content::{CURRENCY_SCHEME, CurrencyCard, Payment, Sum, Text};
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, IdentityId, NoteHash, PeerId, Vk};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Timestamp;

use super::find;
use crate::features::wallet::book::loaded;
use crate::features::wallet::currencies;
use crate::refusal::Refusal;
use crate::store::{
    Account, Contact, Currency, CurrencyStanding, Device, Footing, Handed, Key, Movement, MovementKind, MovementPlace,
    Outcome, OwnEntry, Payee, Promised, Read, ReadError, Recoverer, Recovering, RecoveryPhase, Row, Scan, Standing,
    Stopped, Stuck, Table, WitnessKey,
};

/// A currency as a face shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrencyView {
    /// Its id.
    pub id: CurrencyId,
    /// Its policy.
    pub policy: LoadedPolicy,
    /// Whether this person takes it.
    pub is_accepted: bool,
    /// Who told of it, where it is not taken yet.
    pub offered_by: Option<Name>,
    /// Whether this person issues it.
    pub is_issuer: bool,
    /// Its witnesses.
    pub witnesses: Vec<WitnessView>,
    /// The link to it.
    pub link: CurrencyCard,
    /// This person's account in it.
    pub account: Option<AccountId>,
    /// What was minted and burned, where this person issues it.
    pub supply: Option<(u64, u64)>,
    /// Whether one from before is to be looked for, before this one is used.
    pub is_unsearched: bool,
    /// Why nothing more is signed for the account.
    pub stopped: Option<Stopped>,
}

/// A witness as a face shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessView {
    /// Its node.
    pub peer: PeerId,
    /// Its key.
    pub vk: Vk,
    /// Who runs it, where it is a contact's or one's own.
    pub name: Option<Name>,
    /// Why it is not asked now.
    pub trouble: Option<String>,
}

/// What there is of one class of a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceView {
    /// The currency.
    pub currency: CurrencyId,
    /// Its policy.
    pub policy: LoadedPolicy,
    /// Whether it is card money.
    pub is_card: bool,
    /// Smallest units that can be spent now.
    pub units: u64,
    /// Smallest units on their way out and not final.
    pub pending: u64,
    /// Smallest units that were promised to this person and are not certified: at risk, and not to be spent.
    pub at_risk: u64,
}

/// How far a payment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentState {
    /// It was paid by voucher of a tab: the payee has it for certain, up to what is in the tab.
    Tab,
    /// Its payee has it without a quorum of witnesses, at risk.
    Unwitnessed,
    /// Votes are gathered.
    Voting,
    /// So many witnesses refuse it that it finds no quorum now.
    Refused,
    /// It stands for ever.
    Final,
}

/// Money that came or went, as a face shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentView {
    /// The currency.
    pub currency: CurrencyId,
    /// Its policy.
    pub policy: LoadedPolicy,
    /// The entry.
    pub entry: EntryHash,
    /// What it was.
    pub kind: MovementKind,
    /// When.
    pub at: Timestamp,
    /// Smallest units.
    pub units: u64,
    /// How many of them are card money.
    pub card: u64,
    /// Whether it was signed here.
    pub is_own: bool,
    /// The other side, where known.
    pub contact: Option<(IdentityId, Name)>,
    /// The other side's account.
    pub account: AccountId,
    /// What for.
    pub memo: Option<Text>,
    /// How far it has come.
    pub state: PaymentState,
    /// Votes that are there.
    pub have: usize,
    /// Votes that are needed.
    pub need: usize,
    /// Why its payee was not handed it before it is final, where they might have been.
    pub kept_back: Option<String>,
    /// That its payer signed two entries for one place, where that was found.
    pub proof: Option<Vec<u8>>,
    /// Which witnesses keep it waiting, and why.
    pub waits_for: Vec<WitnessView>,
    /// Whose payment it pays back.
    pub refund_of: Option<EntryHash>,
    /// The invoice that it pays.
    pub invoice: Option<NoteHash>,
    /// The tab that it has to do with.
    pub tab: Option<AccountId>,
}

/// All currencies that this person has heard of.
///
/// # Errors
/// [`ReadError`].
pub fn currencies(read: &dyn Read) -> Result<Vec<CurrencyView>, ReadError> {
    let mut views = Vec::new();
    for (id, currency) in currencies::all(read)? {
        views.push(currency_view(read, id, &currency)?);
    }
    views.sort_by_key(|view| (view.policy.policy().code.to_string(), view.id));
    Ok(views)
}

/// The currency that somebody means by a code or an id.
///
/// # Errors
/// [`Refusal`].
pub fn currency(read: &dyn Read, which: &str) -> Result<CurrencyView, Refusal> {
    let id = currencies::find(read, which)?;
    let currency: Currency = find(read, &Key::Currency(id))?.ok_or_else(Refusal::no_such_currency)?;
    Ok(currency_view(read, id, &currency)?)
}

fn policy(currency: &Currency) -> Result<LoadedPolicy, ReadError> {
    loaded(currency).map_err(|refusal| ReadError::Damaged { table: Table::Currency, reason: refusal.to_string() })
}

fn currency_view(read: &dyn Read, id: CurrencyId, currency: &Currency) -> Result<CurrencyView, ReadError> {
    let policy = policy(currency)?;
    let offered_by = match currency.standing {
        CurrencyStanding::Offered(contact) => {
            find::<Contact>(read, &Key::Contact(contact))?.map(|contact| contact.name)
        }
        CurrencyStanding::Accepted => None,
    };
    let account: Option<Account> = find(read, &Key::Account(id))?;
    let supply = account.as_ref().and_then(|account| account.state.as_ref()?.supply());
    let card = currencies::card(read, currency)?;
    Ok(CurrencyView {
        id,
        is_accepted: currency.standing == CurrencyStanding::Accepted,
        offered_by,
        is_issuer: currency.issuer.is_some(),
        witnesses: witnesses(read, id, &policy)?,
        link: card,
        supply: supply.map(|supply| (supply.minted, supply.burned)),
        account: account.as_ref().map(|account| account.account),
        is_unsearched: account.as_ref().is_some_and(|account| account.unsearched),
        stopped: account.and_then(|account| account.stopped),
        policy,
    })
}

fn witnesses(read: &dyn Read, id: CurrencyId, policy: &LoadedPolicy) -> Result<Vec<WitnessView>, ReadError> {
    let mut views = Vec::new();
    for (place, witness) in (0_u8..).zip(&policy.policy().witnesses) {
        let standing: Option<Standing> = find(read, &Key::Standing(id, place))?;
        let name = name_of(read, witness.peer_id)?;
        let trouble = standing.and_then(|standing| standing.trouble);
        views.push(WitnessView { peer: witness.peer_id, vk: witness.vk, name, trouble });
    }
    Ok(views)
}

fn name_of(read: &dyn Read, peer: PeerId) -> Result<Option<Name>, ReadError> {
    if let Some(own) = super::profile(read)?.filter(|own| own.peer == peer) {
        return Ok(Some(own.name));
    }
    let Some(device) = find::<kinfolk_wire::ids::DeviceId>(read, &Key::Peer(peer))? else { return Ok(None) };
    let Some(device) = find::<Device>(read, &Key::Device(device))? else { return Ok(None) };
    Ok(find::<Contact>(read, &Key::Contact(device.identity))?.map(|contact| contact.name))
}

/// What there is, by currency and class. A class of which there is nothing is left out, but for cash.
///
/// # Errors
/// [`ReadError`].
pub fn balances(read: &dyn Read) -> Result<Vec<BalanceView>, ReadError> {
    let mut views = Vec::new();
    for view in currencies(read)? {
        let Some(account) = find::<Account>(read, &Key::Account(view.id))? else { continue };
        let mut units: BTreeMap<Class, u64> = BTreeMap::new();
        let mut pending: BTreeMap<Class, u64> = BTreeMap::new();
        for class in [Class::Free, Class::Card] {
            let own = account.state.as_ref().map_or(0, |state| state.balances().of(class));
            units.insert(class, own);
        }
        for (key, _) in read.scan(&Scan::unclaimed(view.id, usize::MAX))?.rows {
            let Key::Unclaimed(_, number) = key else { continue };
            let Some(movement) = find::<Movement>(read, &Key::Movement(view.id, number))? else { continue };
            for claim in movement.claims {
                let sum = units.entry(claim.class).or_default();
                *sum = sum.saturating_add(claim.amt.units());
            }
        }
        let signed = account.state.as_ref().map_or(0, |state| state.seq());
        for seq in account.certified..signed {
            let Some(own) = find::<OwnEntry>(read, &Key::OwnEntry(view.id, seq))? else { continue };
            for out in &own.entry.body().outs {
                let sum = pending.entry(Out::from_class(out)).or_default();
                *sum = sum.saturating_add(out.amt.units());
            }
        }
        let at_risk = at_risk(read, view.id)?;
        for (class, units) in units {
            let pending = pending.get(&class).copied().unwrap_or_default();
            let at_risk = at_risk.get(&class).copied().unwrap_or_default();
            if class == Class::Free || units > 0 || pending > 0 || at_risk > 0 {
                views.push(BalanceView {
                    currency: view.id,
                    policy: view.policy.clone(),
                    is_card: class == Class::Card,
                    units,
                    pending,
                    at_risk,
                });
            }
        }
    }
    Ok(views)
}

/// What was promised and may still become final, by the class that it would be.
fn at_risk(read: &dyn Read, currency: CurrencyId) -> Result<BTreeMap<Class, u64>, ReadError> {
    let mut sums = BTreeMap::new();
    for (key, row) in read.scan(&Scan::promised(currency))?.rows {
        let (Key::Promised(_, number), Row::Promised(promised)) = (key, row) else { continue };
        let movement: Option<Movement> = find(read, &Key::Movement(currency, number))?;
        if let (Some(movement), Outcome::AtRisk) = (movement, promised.outcome) {
            // Card money that a merchant is paid is cash once it is claimed, and nobody else is paid any.
            let sum: &mut u64 = sums.entry(Class::Free).or_default();
            *sum = sum.saturating_add(movement.amount.units());
        }
    }
    Ok(sums)
}

/// Money that came or went, the newest first; of one currency, or of all.
///
/// # Errors
/// [`ReadError`].
pub fn payments(read: &dyn Read, of: Option<CurrencyId>, limit: usize) -> Result<Vec<PaymentView>, ReadError> {
    let mut views = Vec::new();
    for view in currencies(read)? {
        if of.is_some_and(|of| of != view.id) {
            continue;
        }
        for (key, row) in read.scan(&Scan::movements(view.id, limit))?.rows {
            if let (Key::Movement(_, number), Row::Movement(movement)) = (key, row) {
                views.push((movement.at, number, payment_view(read, &view, movement)?));
            }
        }
    }
    views.sort_by_key(|(at, number, _)| std::cmp::Reverse((*at, *number)));
    views.truncate(limit);
    Ok(views.into_iter().map(|(_, _, view)| view).collect())
}

/// The payment with this entry.
///
/// # Errors
/// [`ReadError`].
pub fn payment(read: &dyn Read, entry: EntryHash) -> Result<Option<PaymentView>, ReadError> {
    let Some((place, movement)) = movement(read, entry)? else { return Ok(None) };
    let Some(currency) = find::<Currency>(read, &Key::Currency(place.currency))? else { return Ok(None) };
    let view = currency_view(read, place.currency, &currency)?;
    payment_view(read, &view, movement).map(Some)
}

/// The payments whose entries begin so, at most two: enough to tell that it is not one.
///
/// # Errors
/// [`ReadError`].
pub fn payments_named(read: &dyn Read, beginning: &str) -> Result<Vec<EntryHash>, ReadError> {
    let rows = read.scan(&Scan::all(Table::MovementPlace, usize::MAX))?.rows;
    let entries = rows.into_iter().filter_map(|(key, _)| match key {
        Key::MovementPlace(entry) if entry.to_string().starts_with(beginning) => Some(entry),
        _ => None,
    });
    Ok(entries.take(2).collect())
}

fn movement(read: &dyn Read, entry: EntryHash) -> Result<Option<(MovementPlace, Movement)>, ReadError> {
    let Some(place) = find::<MovementPlace>(read, &Key::MovementPlace(entry))? else { return Ok(None) };
    let movement: Option<Movement> = find(read, &Key::Movement(place.currency, place.number))?;
    Ok(movement.map(|movement| (place, movement)))
}

fn payment_view(read: &dyn Read, view: &CurrencyView, movement: Movement) -> Result<PaymentView, ReadError> {
    let quorum = view.policy.quorum();
    let own = match movement.seq {
        Some(seq) => find::<OwnEntry>(read, &Key::OwnEntry(view.id, seq))?,
        None => None,
    };
    let card = card_of(&movement, own.as_ref(), view.account);
    let pending = own.filter(|own| own.cert.is_none());
    let (mut state, mut have, mut waits_for) = (PaymentState::Final, quorum.q(), Vec::new());
    let (mut kept_back, mut proof) = (None, None);
    if let Some(promised) = promised(read, view.id, &movement)? {
        (state, proof) = outcome_of(&promised);
        if state != PaymentState::Final {
            have = votes_for(&promised);
            waits_for = troubles(view, &promised);
        }
    }
    if let Some(own) = pending {
        have = own.votes.len();
        let mut refusing = 0;
        for (place, witness) in (0_u8..).zip(&view.witnesses) {
            let standing: Option<Standing> = find(read, &Key::Standing(view.id, place))?;
            refusing += usize::from(standing.is_some_and(|standing| standing.refuses));
            if !own.votes.iter().any(|vote| vote.witness == place) {
                waits_for.push(witness.clone());
            }
        }
        // What was signed with a key that is exchanged no witness ever votes for.
        let is_over = view.stopped == Some(Stopped::Recovered);
        let is_lost = is_over || refusing > quorum.n().saturating_sub(quorum.q());
        let handed = match movement.seq {
            Some(seq) => find::<Footing>(read, &Key::Footing(view.id, seq))?.and_then(|footing| footing.handed),
            None => None,
        };
        state = match handed {
            _ if is_lost => PaymentState::Refused,
            Some(Handed::Over) => PaymentState::Unwitnessed,
            Some(Handed::Kept(why)) => {
                kept_back = Some(why);
                PaymentState::Voting
            }
            None => PaymentState::Voting,
        };
    }
    if let Some(part) = movement.tab
        && let Some(by_voucher) = super::tabs::state_of(read, part, &movement)?
    {
        state = by_voucher;
        have = if state == PaymentState::Final { quorum.q() } else { 0 };
    }
    let contact = match movement.contact {
        Some(contact) => find::<Contact>(read, &Key::Contact(contact))?.map(|row| (contact, row.name)),
        None => None,
    };
    Ok(PaymentView {
        currency: view.id,
        policy: view.policy.clone(),
        entry: movement.entry,
        kind: movement.kind,
        at: movement.at,
        units: movement.amount.units(),
        card,
        is_own: movement.seq.is_some(),
        contact,
        account: movement.account,
        memo: movement.memo.map(|memo| memo.text),
        state,
        have,
        need: quorum.q(),
        kept_back,
        proof,
        waits_for,
        refund_of: movement.refund_of.map(|(_, entry)| entry),
        invoice: movement.invoice,
        tab: movement.tab.map(|part| part.tab),
    })
}

/// How much of a payment is card money, by its entry.
fn card_of(movement: &Movement, own: Option<&OwnEntry>, account: Option<AccountId>) -> u64 {
    let entry = own.map(|own| &*own.entry).or_else(|| movement.receipt.as_ref().map(|receipt| &receipt.entry));
    let to = if movement.seq.is_some() { Some(movement.account) } else { account };
    let (Some(entry), Some(to)) = (entry, to) else {
        return if movement.class == Class::Card { movement.amount.units() } else { 0 };
    };
    let outs = entry.body().outs.iter().filter(|out| out.to == Destination::Account(to) && out.class == Class::Card);
    outs.map(|out| out.amt.units()).fold(0, u64::saturating_add)
}

/// What came of a movement that was promised to this person.
fn promised(read: &dyn Read, currency: CurrencyId, movement: &Movement) -> Result<Option<Promised>, ReadError> {
    if movement.seq.is_some() || movement.receipt.is_some() {
        return Ok(None);
    }
    let place: Option<MovementPlace> = find(read, &Key::MovementPlace(movement.entry))?;
    match place {
        Some(place) => find(read, &Key::Promised(currency, place.number)),
        None => Ok(None),
    }
}

fn outcome_of(promised: &Promised) -> (PaymentState, Option<Vec<u8>>) {
    match &promised.outcome {
        Outcome::AtRisk => (PaymentState::Unwitnessed, None),
        Outcome::Final => (PaymentState::Final, None),
        Outcome::Broken { proof, .. } => (PaymentState::Refused, proof.as_ref().map(|proof| proof.encode())),
    }
}

/// Votes for the payment itself: none while something before it is not certified.
fn votes_for(promised: &Promised) -> usize {
    let before = promised.promise.as_ref().map(|promise| promise.entries.len().saturating_sub(1));
    if before == Some(promised.certs.len()) { promised.votes.len() } else { 0 }
}

fn troubles(view: &CurrencyView, promised: &Promised) -> Vec<WitnessView> {
    let carriers = view.witnesses.iter().zip(&promised.carriers);
    let asked = carriers.map(|(witness, carrier)| WitnessView { trouble: carrier.trouble.clone(), ..witness.clone() });
    let is_missing = |(place, _): &(u8, WitnessView)| !promised.votes.iter().any(|vote| vote.witness == *place);
    (0_u8..).zip(asked).filter(is_missing).map(|(_, witness)| witness).collect()
}

/// What proves a payment to anybody, once it is final.
///
/// # Errors
/// [`ReadError`].
pub fn receipt(read: &dyn Read, entry: EntryHash) -> Result<Option<ReceiptFile>, ReadError> {
    let Some((place, movement)) = movement(read, entry)? else { return Ok(None) };
    let Some(currency) = find::<Currency>(read, &Key::Currency(place.currency))? else { return Ok(None) };
    let receipt = match (movement.receipt, movement.seq) {
        (Some(receipt), _) => Some(*receipt),
        (None, Some(seq)) => find::<OwnEntry>(read, &Key::OwnEntry(place.currency, seq))?
            .and_then(|own| own.cert.map(|cert| Receipt { entry: *own.entry, cert: *cert })),
        (None, None) => None,
    };
    Ok(receipt.map(|receipt| ReceiptFile { policy: *currency.policy, receipt, memo: movement.memo }))
}

/// What a node that was asked for the key it votes with has said.
///
/// # Errors
/// [`ReadError`].
pub fn witness_key(read: &dyn Read, peer: PeerId) -> Result<Option<WitnessKey>, ReadError> {
    find(read, &Key::WitnessKey(peer))
}

/// Whether it is known where payments to a contact go.
///
/// # Errors
/// [`ReadError`].
pub fn is_payable(read: &dyn Read, currency: CurrencyId, contact: IdentityId) -> Result<bool, ReadError> {
    Ok(find::<Payee>(read, &Key::Payee(currency, contact))?.is_some())
}

/// The nodes of people who are to witness, by the person; one's own where nobody is named.
///
/// # Errors
/// [`ReadError`].
pub fn witness_peer(read: &dyn Read, contact: Option<IdentityId>) -> Result<Option<PeerId>, ReadError> {
    let Some(contact) = contact else { return Ok(super::profile(read)?.map(|own| own.peer)) };
    let Some(contact) = find::<Contact>(read, &Key::Contact(contact))? else { return Ok(None) };
    for device in contact.devices {
        if let Some(peer) = find::<Device>(read, &Key::Device(device))?.and_then(|device| device.peer) {
            return Ok(Some(peer));
        }
    }
    Ok(None)
}

/// Smallest units as people write them in a currency.
#[must_use]
pub fn amount_text(policy: &LoadedPolicy, units: u64) -> String {
    in_text(units, policy.policy().decimals)
}

/// The amount and the currency's code of a line about money, as far as it has one.
#[must_use]
pub fn sum_text(sum: &Sum) -> (String, String) {
    let code = Code::from_padded(sum.code).map_or_else(|_| "?".to_owned(), |code| code.to_string());
    (in_text(sum.units, sum.decimals.min(9)), code)
}

/// The entry that a payment is.
#[must_use]
pub fn entry_of(payment: &Payment) -> Option<EntryHash> {
    Receipt::decode(&payment.receipt).ok().map(|receipt| receipt.entry.hash())
}

/// What proves to anybody that nothing more is to be taken from an account, where there is such a proof.
#[must_use]
pub fn proof(stopped: &Stopped) -> Option<Vec<u8>> {
    match stopped {
        Stopped::Forked(proof) => Some(proof.encode()),
        Stopped::Behind { .. } | Stopped::Recovered | Stopped::Recovering => None,
    }
}

/// The policy of the currency that somebody means: by a code or an id of one that is known here, or by a link.
///
/// # Errors
/// [`Refusal`].
pub fn policy_of(read: &dyn Read, which: &str) -> Result<SignedPolicy, Refusal> {
    if which.trim().starts_with(CURRENCY_SCHEME) {
        let card: CurrencyCard = which.parse().map_err(Refusal::CurrencyLink)?;
        return Ok(currencies::read_policy(&card)?.signed());
    }
    Ok(currency(read, which)?.policy.signed())
}

/// How far the bringing back of an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryView {
    /// The currency.
    pub currency: CurrencyId,
    /// What it is called.
    pub code: Code,
    /// How far it is.
    pub phase: RecoveryPhase,
    /// The account, once it was found.
    pub account: Option<AccountId>,
    /// Witnesses that answered and are in no trouble.
    pub answered: Vec<WitnessView>,
    /// The others, and why, as far as that is known.
    pub waits_for: Vec<WitnessView>,
    /// How many must answer.
    pub need: usize,
    /// Payments of the lost phone that were completed.
    pub completed: u64,
    /// What keeps it from going on where witnesses do answer.
    pub stuck: Option<Stuck>,
}

/// How far the bringing back of an account is; nothing where none was ever begun here.
///
/// # Errors
/// [`Refusal`].
pub fn recovery(read: &dyn Read, which: &str) -> Result<Option<RecoveryView>, Refusal> {
    let view = currency(read, which)?;
    let Some(row) = find::<Recovering>(read, &Key::Recovering(view.id))? else { return Ok(None) };
    let (mut answered, mut waits_for) = (Vec::new(), Vec::new());
    for (place, witness) in (0_u8..).zip(view.witnesses).filter(|_| row.is_under_way()) {
        let said: Recoverer = find(read, &Key::Recoverer(view.id, place))?.unwrap_or_default();
        let has_answered = said.has_answered && said.trouble.is_none();
        let shown = WitnessView { trouble: said.trouble, ..witness };
        if has_answered { answered.push(shown) } else { waits_for.push(shown) }
    }
    Ok(Some(RecoveryView {
        currency: view.id,
        code: view.policy.policy().code,
        phase: row.phase,
        account: row.found.map(|found| found.account),
        answered,
        waits_for,
        need: view.policy.quorum().q(),
        completed: row.completed,
        stuck: row.slot.stuck,
    }))
}
