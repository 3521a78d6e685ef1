//! Bringing back an account whose phone is lost (docs/protocol/12-wallet.md, section 6).
//!
//! 1. *Search.* The phrase may have some accounts in a currency. Witnesses are asked for one after the other, until one
//!    shows an entry of such an account, or a quorum knows none.
//! 2. *Take.* All certified entries are fetched and run. At the next place a ballot is held with the recovery key: what
//!    the old writer had under way is completed if it may have been certified; if nothing may, the exchange of the key is
//!    what stands there. So it goes from place to place until the exchange does.
//! 3. *Adopt.* The account is this profile's, and goes on like any other.
//!
//! Whatever is said is kept in the same turn, so that a node that stops at any point goes on with the same ballot and the
//! same entries. The root of the keys is kept only until the account is adopted.

mod asking;
mod hearing;

use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::entry::{Body, Ctl, Entry, OutRef};
use kinfolk_ledger::inception::Recovery;
use kinfolk_ledger::limits;
use kinfolk_ledger::recovery::{GenuineReport, SignedReport, admitted};
use kinfolk_ledger::signature::{SecretKey, key_hash};
use kinfolk_ledger::slot::pick::Pick;
use kinfolk_ledger::vote::{Cert, Receipt, SlotId};
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, PeerId};
use kinfolk_wire::time::Span;

use super::book::{Book, writer};
use super::keys::{Words, candidates, inception, recovery_key, seed_of};
use super::{checkpoints, currencies};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{
    Alarm, Candidate, Key, KeyMaterial, OwnEntry, Recoverer, Recovering, RecoveryPhase, SlotWork, Stopped, Stuck,
    Wallet,
};

pub(crate) use hearing::replied;

/// The first wait before witnesses are asked again; each next one is twice as long, up to the longest.
const AGAIN: Span = Span::from_secs(2);
pub(crate) const LONGEST_WAIT: Span = Span::from_secs(60);
/// Entries that are asked for at once.
const ENTRIES: u64 = 64;
/// Entries that are kept of what witnesses have voted for at one place.
const BODIES: usize = 8;
/// Bytes of receipts that go along with an entry.
const CITED: usize = 16_000;
/// How far one witness's word raises a ballot: so that none drives it to where there is no higher one.
const RAISE: u32 = 1_000;

/// An account that is brought back, and its currency.
pub(super) struct Bringing {
    pub(super) book: Book,
    pub(super) row: Recovering,
}

/// Begins to bring back this person's account in a currency, or goes on.
pub(crate) fn begin(step: &mut Step<'_>, which: &str, words: &Words) -> Result<CurrencyId, Refusal> {
    if step.profile()?.identity != words.identity {
        return Err(Refusal::OtherWords);
    }
    let mut book = Book::open(step, currencies::find(&step.reads(), which)?)?;
    let (id, code) = (book.id, book.policy.policy().code.to_string());
    let refused = |why| Err(Refusal::NotRecoverable { code: code.clone(), why });
    if book.is_issuing() {
        return refused("you issue it, and the account that issues has no recovery key");
    }
    if step.find::<Wallet>(&Key::Wallet)?.is_none() {
        let set = Wallet::another_set(step);
        step.put(Key::Wallet, Wallet::of(&words.root, set, false));
    }
    let before: Option<Recovering> = step.find(&Key::Recovering(id))?;
    if let Some(row) = before.filter(Recovering::is_under_way) {
        return ask_anew(step, &mut Bringing { book, row }, 0).map(|()| id);
    }
    let candidates = candidates(&words.root, id);
    let own = candidates.iter().find(|candidate| candidate.account == book.account.account).copied();
    let waits = book.account.certified < book.signed();
    let found = match (book.account.state.is_some(), own) {
        (true, None) => return refused("the account here was made before accounts had recovery keys"),
        (true, Some(_)) if waits && book.account.stopped.is_none() => {
            return refused("a payment waits for its witnesses, and would not be made; run this when it is final");
        }
        (true, own) => own,
        (false, _) if book.account.last_movement > 0 => {
            return refused("the account here is in use, and its key is here");
        }
        (false, _) => None,
    };
    let state = if found.is_some() { replayed(step, &book)? } else { None };
    let mut slot = SlotWork::default();
    if found.is_some() && state.is_none() {
        let opening = *book.own(step, 0)?.entry;
        (slot.choice, slot.bodies) = (Some(opening.hash()), vec![opening]);
    }
    book.account.stopped = Some(Stopped::Recovering);
    book.save(step);
    let row = Recovering {
        phase: if found.is_some() { RecoveryPhase::Taking } else { RecoveryPhase::Searching },
        root: Some(words.root.clone()),
        candidates,
        found,
        group: u64::from_be_bytes(step.random()) | 1,
        state,
        seed: KeyMaterial::new(&step.random::<32>()),
        slot,
        again_at: None,
        tries: 0,
        nothing_at: Vec::new(),
        completed: 0,
    };
    let mut bringing = Bringing { book, row };
    bringing.forget(step);
    step.emit(Event::CurrencyChanged(id))?;
    ask_anew(step, &mut bringing, 0).map(|()| id)
}

/// The account after its entries that are certified, as far as this profile knows.
fn replayed(step: &Step<'_>, book: &Book) -> Result<Option<Box<ChainState>>, Refusal> {
    let base = checkpoints::base(step, book.id)?;
    let first = base.as_ref().map_or(0, |base| base.seq());
    let mut state: Option<Box<ChainState>> = base.map(|base| base.state);
    for seq in first..book.account.certified {
        run(&mut state, &book.own(step, seq)?.entry, book)?;
    }
    Ok(state)
}

/// Runs an entry, or says that it cannot be the next.
fn run(state: &mut Option<Box<ChainState>>, entry: &Entry, book: &Book) -> Result<(), Refusal> {
    let mut after = match state.take() {
        Some(state) => state,
        None => {
            let before = ChainState::before(entry, &book.policy);
            Box::new(before.map_err(|error| Refusal::Ledger(error.to_string()))?)
        }
    };
    let change = after.try_entry(entry, &book.policy);
    if let Ok(change) = &change {
        after.apply(change.clone(), entry.body());
    }
    if after.seq() > 0 {
        *state = Some(after);
    }
    change.map(|_| ()).map_err(|error| Refusal::Ledger(error.to_string()))
}

/// The node has started: what is under way goes on.
pub(crate) fn start(step: &mut Step<'_>) -> Result<(), Refusal> {
    for (id, _) in currencies::all(&step.reads())? {
        step.contain(|step| ask_again(step, id))?;
    }
    Ok(())
}

/// A node is there again: where it is a witness that an account waits for, it is asked at once.
pub(crate) fn witness_came(step: &mut Step<'_>, peer: PeerId) -> Result<(), Refusal> {
    for (id, currency) in currencies::all(&step.reads())? {
        let witnesses = &currency.policy.policy.witnesses;
        let Some((place, _)) = (0_u8..).zip(witnesses).find(|(_, witness)| witness.peer_id == peer) else { continue };
        if step.find::<Recoverer>(&Key::Recoverer(id, place))?.is_some_and(|witness| witness.trouble.is_some()) {
            step.contain(|step| ask_again(step, id))?;
        }
    }
    Ok(())
}

/// It is time to ask the witnesses of a currency again.
pub(crate) fn ask_again(step: &mut Step<'_>, id: CurrencyId) -> Result<(), Refusal> {
    let Some(mut bringing) = Bringing::find(step, id)? else { return Ok(()) };
    let tries = bringing.row.tries.saturating_add(1);
    ask_anew(step, &mut bringing, tries)
}

/// All witnesses are asked, those too that were in trouble before; in a higher ballot where the one before came to
/// nothing.
fn ask_anew(step: &mut Step<'_>, bringing: &mut Bringing, tries: u32) -> Result<(), Refusal> {
    let id = bringing.book.id;
    step.clear_alarm(Alarm::Recover(id), bringing.row.again_at);
    (bringing.row.again_at, bringing.row.tries) = (None, tries);
    let hidden = bringing.row.slot.stuck == Some(Stuck::Hidden);
    bringing.row.slot.raise();
    for witness in bringing.places() {
        let before = bringing.recoverer(step, witness)?;
        let next = before.next.filter(|next| *next <= bringing.seq());
        let (trouble, asked_for, has_shown) = (None, Vec::new(), before.has_shown && !hidden);
        step.put(Key::Recoverer(id, witness), Recoverer { trouble, asked_for, next, has_shown, ..before });
    }
    go_on(step, bringing)
}

/// Asks whatever is to be asked, decides what can be decided, and keeps it.
fn go_on(step: &mut Step<'_>, bringing: &mut Bringing) -> Result<(), Refusal> {
    loop {
        for witness in bringing.places() {
            asking::ask(step, bringing, witness)?;
        }
        if !decide(step, bringing)? {
            break;
        }
    }
    step.put(Key::Recovering(bringing.book.id), bringing.row.clone());
    if bringing.row.phase != RecoveryPhase::Searching {
        step.mention(Event::CurrencyChanged(bringing.book.id));
    }
    Ok(())
}

impl Recovering {
    /// Whether something is still to be done.
    pub(crate) const fn is_under_way(&self) -> bool {
        matches!(self.phase, RecoveryPhase::Searching | RecoveryPhase::Taking)
    }
}

impl SlotWork {
    /// Leaves a ballot that came to nothing.
    fn raise(&mut self) {
        if self.ballot == 0 || (self.stuck.is_none() && self.promised < self.ballot) {
            return;
        }
        let told = self.promised.saturating_add(1).min(self.ballot.saturating_add(RAISE));
        *self = Self {
            ballot: self.ballot.saturating_add(1).max(told),
            bodies: std::mem::take(&mut self.bodies),
            rotation: self.rotation.take(),
            cited: std::mem::take(&mut self.cited),
            wants_cited: self.wants_cited,
            ..Self::default()
        };
    }

    fn entry(&self, hash: EntryHash) -> Option<&Entry> {
        self.bodies.iter().chain(self.rotation.as_deref()).find(|entry| entry.hash() == hash)
    }

    fn chosen(&self) -> Option<&Entry> {
        self.choice.and_then(|hash| self.entry(hash))
    }

    fn has_report_of(&self, witness: u8) -> bool {
        self.reports.iter().any(|report| report.witness == witness)
    }
}

fn names(report: &SignedReport) -> impl Iterator<Item = EntryHash> + use<> {
    let locked = report.findings.lock.as_ref().map(|lock| lock.entry);
    let voted = report.findings.v0.map(|signed| signed.header.hash());
    locked.into_iter().chain(voted)
}

impl Bringing {
    /// What is under way in a currency, if anything is.
    fn find(step: &Step<'_>, id: CurrencyId) -> Result<Option<Self>, Refusal> {
        let row: Option<Recovering> = step.find(&Key::Recovering(id))?;
        match row.filter(Recovering::is_under_way) {
            Some(row) => Ok(Some(Self { book: Book::open(step, id)?, row })),
            None => Ok(None),
        }
    }

    fn places(&self) -> impl Iterator<Item = u8> + use<> {
        (0_u8..).take(self.book.policy.quorum().n())
    }

    fn recoverer(&self, step: &Step<'_>, witness: u8) -> Result<Recoverer, Refusal> {
        Ok(step.find(&Key::Recoverer(self.book.id, witness))?.unwrap_or_default())
    }

    /// Forgets what witnesses have said.
    fn forget(&self, step: &mut Step<'_>) {
        for witness in self.places() {
            step.put(Key::Recoverer(self.book.id, witness), Recoverer::default());
        }
    }

    fn seq(&self) -> u64 {
        self.row.state.as_ref().map_or(0, |state| state.seq())
    }

    /// The account that is brought back.
    fn candidate(&self) -> Result<Candidate, Refusal> {
        self.row.found.ok_or(Refusal::Inconsistent("an account is brought back that was not found"))
    }

    fn root(&self) -> Result<&KeyMaterial, Refusal> {
        self.row.root.as_ref().ok_or(Refusal::Inconsistent("the keys of an account that is brought back are gone"))
    }

    fn key(&self) -> Result<SecretKey, Refusal> {
        let candidate = self.candidate()?;
        Ok(recovery_key(self.root()?, candidate.set, candidate.number))
    }

    fn slot(&self) -> Result<SlotId, Refusal> {
        let (currency, epoch) = (self.book.id, self.book.policy.epoch());
        Ok(SlotId { currency, epoch, chain: self.candidate()?.account, seq: self.seq() })
    }

    /// Whether an entry is by the account's writer or recovery key and of the place that is next.
    fn is_genuine(&self, entry: &Entry) -> Result<bool, Refusal> {
        let Some(state) = &self.row.state else { return self.opens(entry, self.candidate()?) };
        let approved = entry.clone().approved_by(&state.keys().writer, state.recovery());
        let is_approved = approved.is_some_and(|approved| approved.verify().is_ok());
        Ok(is_approved && SlotId::of(entry.header()) == self.slot()?)
    }

    /// Whether an entry opens a candidate, and is by its writer.
    fn opens(&self, entry: &Entry, candidate: Candidate) -> Result<bool, Refusal> {
        let header = entry.header();
        let here = header.chain == candidate.account && header.seq == 0 && header.currency == self.book.id;
        let Some(Ctl::Open(inception)) = &entry.body().ctl else { return Ok(false) };
        if !here || inception.account() != candidate.account {
            return Ok(false);
        }
        let approved = entry.clone().approved_by(&inception.writer, &Recovery::NONE);
        Ok(approved.is_some_and(|approved| approved.verify().is_ok()))
    }

    fn genuine_reports(&self) -> Vec<GenuineReport> {
        let Some(state) = &self.row.state else { return Vec::new() };
        let (writer, policy) = (state.keys().writer, &self.book.policy);
        let reports = self.row.slot.reports.iter();
        reports.filter_map(|report| report.clone().unverified(&writer, policy).ok()?.verify().ok()).collect()
    }

    /// The places that the chosen entry cites and of which nothing is here.
    fn missing(&self) -> Vec<(AccountId, u64)> {
        let Some(entry) = self.row.slot.chosen() else { return Vec::new() };
        let body = entry.body();
        let claimed = body.claims.iter().map(|claim| claim.out);
        let refunded = body.outs.iter().filter_map(|out| out.refund_of);
        let mut places: Vec<(AccountId, u64)> =
            claimed.chain(refunded).map(|OutRef { chain, seq, .. }| (chain, seq)).collect();
        places.sort_unstable();
        places.dedup();
        let is_here = |place: &(AccountId, u64)| {
            self.row.slot.cited.iter().any(|receipt| {
                let header = receipt.entry.header();
                (header.chain, header.seq) == *place
            })
        };
        places.retain(|place| !is_here(place));
        places
    }

    /// What goes along with the chosen entry, as far as a witness lacked any of it.
    fn cited(&self) -> Vec<Receipt> {
        let mut room = CITED;
        let slot = &self.row.slot;
        let fits = |receipt: &&Receipt| {
            let left = room.checked_sub(receipt.encode().len());
            room = left.unwrap_or(room);
            left.is_some()
        };
        let wanted = if slot.wants_cited { slot.cited.as_slice() } else { &[] };
        wanted.iter().filter(fits).take(limits::CITED).cloned().collect()
    }

    /// The exchange of the key, signed for the next place and kept there.
    fn rotation(&mut self, step: &mut Step<'_>) -> Result<EntryHash, Refusal> {
        if let Some(rotation) = &self.row.slot.rotation {
            return Ok(rotation.hash());
        }
        let Some(state) = &self.row.state else {
            return Err(Refusal::Inconsistent("an account that nobody opened has no key to exchange"));
        };
        let number = state.keys().key_seq.saturating_add(1);
        let next = key_hash(&writer(&self.row.seed, self.book.id, number.saturating_add(1)).vk());
        let ctl = Some(Ctl::Rotate { writer: writer(&self.row.seed, self.book.id, number).vk(), next });
        let (claims, outs) = (Vec::new(), Vec::new());
        let body = Body { ts: step.now, blind: step.random(), claims, outs, ctl, memo_hash: None };
        let at = state.next_position(self.book.policy.epoch());
        let entry = Entry::sign_as_recovery(at, body, &[(0, &self.key()?)]);
        let hash = entry.hash();
        self.row.slot.rotation = Some(Box::new(entry));
        Ok(hash)
    }

    /// Whether the key is exchanged for this profile's.
    fn is_taken(&self) -> bool {
        self.row.state.as_ref().is_some_and(|state| {
            let keys = state.keys();
            keys.writer == writer(&self.row.seed, self.book.id, keys.key_seq).vk()
        })
    }
}

/// Decides what is to stand at the next place, once all that can report has. Whether there is more to ask by that.
fn decide(step: &mut Step<'_>, bringing: &mut Bringing) -> Result<bool, Refusal> {
    let work = &bringing.row.slot;
    let is_open = work.choice.is_none() && work.prepcert.is_none() && work.stuck.is_none();
    let quorum = bringing.book.policy.quorum();
    if bringing.row.phase != RecoveryPhase::Taking || bringing.row.state.is_none() || !is_open {
        return Ok(false);
    }
    for witness in bringing.places() {
        let standing = bringing.recoverer(step, witness)?;
        let is_awaited = standing.asked.is_some() || !bringing.row.slot.has_report_of(witness);
        if standing.trouble.is_none() && is_awaited {
            return Ok(false);
        }
    }
    let reports = bringing.genuine_reports();
    if reports.len() < quorum.q() {
        return Ok(false);
    }
    let stuck = match admitted(&reports, &bringing.book.policy) {
        Pick::Free => {
            let hash = bringing.rotation(step)?;
            bringing.row.slot.choice = Some(hash);
            return Ok(true);
        }
        Pick::Bound(hash) if bringing.row.slot.entry(hash).is_some() => {
            bringing.row.slot.choice = Some(hash);
            return Ok(true);
        }
        Pick::Bound(_) => Stuck::Hidden,
        Pick::Undecided => Stuck::Undecided,
        Pick::Frozen => Stuck::Frozen,
        Pick::Broken => Stuck::Broken,
    };
    bringing.row.slot.stuck = Some(stuck);
    remind(step, bringing);
    Ok(false)
}

/// Sets the alarm by which witnesses are asked again.
fn remind(step: &mut Step<'_>, bringing: &mut Bringing) {
    let doubled = AGAIN.as_millis().checked_shl(bringing.row.tries.min(20)).unwrap_or(u64::MAX);
    let due = step.now.after(Span::from_millis(doubled.min(LONGEST_WAIT.as_millis())));
    if bringing.row.again_at.is_none_or(|before| due < before) {
        step.set_alarm(Alarm::Recover(bringing.book.id), bringing.row.again_at, due);
        bringing.row.again_at = Some(due);
    }
}

/// A witness is asked again later, and what was wrong is told until then.
fn trouble(step: &mut Step<'_>, bringing: &mut Bringing, witness: u8, what: String) -> Result<(), Refusal> {
    let before = bringing.recoverer(step, witness)?;
    step.put(Key::Recoverer(bringing.book.id, witness), Recoverer { trouble: Some(what), ..before });
    step.mention(Event::CurrencyChanged(bringing.book.id));
    remind(step, bringing);
    Ok(())
}

/// The next entry of the account is certified.
fn advance(step: &mut Step<'_>, bringing: &mut Bringing, entry: Entry, cert: Cert) -> Result<(), Refusal> {
    let (id, seq) = (bringing.book.id, bringing.seq());
    run(&mut bringing.row.state, &entry, &bringing.book)?;
    let before: Option<OwnEntry> = step.find(&Key::OwnEntry(id, seq))?;
    let same = before.filter(|before| before.entry.hash() == entry.hash());
    let (cited, movement) = same.map_or((Vec::new(), None), |same| (same.cited, same.movement));
    checkpoints::note(step, id, &entry)?;
    let entry = Box::new(entry);
    step.put(
        Key::OwnEntry(id, seq),
        OwnEntry { entry, cited, movement, votes: Vec::new(), cert: Some(Box::new(cert)) },
    );
    bringing.row.slot = SlotWork::default();
    bringing.row.tries = 0;
    Ok(())
}

/// What the found account's first writers and its beginning follow from: for who asks which account it is.
pub(super) fn beginning(bringing: &Bringing) -> Result<kinfolk_ledger::inception::Inception, Refusal> {
    let candidate = bringing.candidate()?;
    let seed = seed_of(bringing.root()?, candidate, bringing.book.id);
    Ok(inception(&seed, bringing.book.id, Some(bringing.key()?.vk())))
}
