//! One account and its currency: its keys, what it has, and what is signed for it.

use std::collections::BTreeMap;

use kinfolk_crypto::kdf::hkdf;
use kinfolk_ledger::amount::in_text;
use kinfolk_ledger::chain::{ChainState, Invalid};
use kinfolk_ledger::entry::{Body, Claim, Class, Ctl, Entry, Header, Out, OutRef, Position};
use kinfolk_ledger::inception::Inception;
use kinfolk_ledger::limits;
use kinfolk_ledger::policy::LoadedPolicy;
use kinfolk_ledger::signature::SecretKey;
use kinfolk_wire::content::Sum;
use kinfolk_wire::ids::{AccountId, CurrencyId, EntryHash, NoteHash};
use zeroize::Zeroizing;

use super::checkpoints;
use super::keys::inception;
use super::promising;
use crate::refusal::Refusal;
use crate::step::Step;
use crate::store::{
    Account, Currency, CurrencyStanding, Footing, Key, KeyMaterial, Movement, OwnEntry, Row, Scan, Stopped, Wallet,
};

/// Movements with unclaimed money that are looked at for one entry, the oldest first.
const LOOKED_AT: usize = 1_024;
/// Bytes of receipts that go along with an entry: the question has [`limits::MESSAGE`], and the entry up to
/// [`limits::BODY`] of them.
const CITED: usize = 40_000;
/// What the receipt of new money is reckoned as, which is looked up when it is wanted.
const RECEIPT_OF_ONES_OWN: usize = 2_500;
/// Incoming payments that gather before they are claimed without a payment to go with.
pub(super) const GATHERED: usize = 32;

/// A currency that this person takes, and their account in it.
pub(crate) struct Book {
    pub(crate) id: CurrencyId,
    pub(crate) policy: LoadedPolicy,
    pub(crate) currency: Currency,
    pub(crate) account: Account,
}

/// What an entry is to do.
#[derive(Default)]
pub(super) struct Order {
    pub(super) outs: Vec<Out>,
    pub(super) ctl: Option<Ctl>,
    pub(super) memo_hash: Option<NoteHash>,
    /// A movement of which the money is claimed whatever else is, and whose receipt goes along.
    pub(super) about: Option<u64>,
}

impl Book {
    /// The book of a currency that this person takes.
    pub(crate) fn open(step: &Step<'_>, id: CurrencyId) -> Result<Self, Refusal> {
        let currency: Currency = step.find(&Key::Currency(id))?.ok_or_else(Refusal::no_such_currency)?;
        let policy = loaded(&currency)?;
        if currency.standing != CurrencyStanding::Accepted {
            return Err(Refusal::CurrencyNotAccepted(policy.policy().code.to_string()));
        }
        let account = step.find(&Key::Account(id))?.ok_or(Refusal::Inconsistent("a currency has no account"))?;
        Ok(Self { id, policy, currency, account })
    }

    /// A new account in a currency.
    pub(super) fn begin(
        step: &mut Step<'_>,
        policy: &LoadedPolicy,
        issuer: Option<&KeyMaterial>,
    ) -> Result<Account, Refusal> {
        let wallet: Option<Wallet> = step.find(&Key::Wallet)?;
        let unsearched = issuer.is_none() && wallet.as_ref().is_some_and(|wallet| wallet.is_restored);
        let (seed, recovery) = match (issuer, wallet) {
            (Some(issuer), _) => (issuer.clone(), None),
            (None, Some(wallet)) => wallet.account(step, policy.currency())?,
            // Of a profile that was made before accounts followed from the phrase.
            (None, None) => (KeyMaterial::new(&step.random::<32>()), None),
        };
        let account = match issuer {
            Some(_) => policy.issuing_account(),
            None => inception(&seed, policy.currency(), recovery).account(),
        };
        Ok(Account {
            account,
            seed,
            state: None,
            certified: 0,
            last_movement: 0,
            again_at: None,
            tries: 0,
            stopped: None,
            recovery,
            unsearched,
        })
    }

    pub(crate) fn save(&self, step: &mut Step<'_>) {
        step.put(Key::Account(self.id), self.account.clone());
    }

    /// How many entries were signed.
    pub(super) fn signed(&self) -> u64 {
        self.account.state.as_ref().map_or(0, |state| state.seq())
    }

    pub(super) fn is_issuing(&self) -> bool {
        self.currency.issuer.is_some()
    }

    /// So many smallest units of this currency, for a contact.
    pub(super) fn sum(&self, units: u64) -> Sum {
        let policy = self.policy.policy();
        Sum { currency: self.id, code: policy.code.padded(), decimals: policy.decimals, units }
    }

    /// Smallest units in words.
    pub(super) fn text(&self, units: u64) -> String {
        let policy = self.policy.policy();
        format!("{} {}", in_text(units, policy.decimals), policy.code)
    }

    /// The next number of a movement.
    pub(super) fn next_movement(&mut self) -> u64 {
        self.account.last_movement += 1;
        self.account.last_movement
    }

    /// What was signed at a place.
    pub(super) fn own(&self, step: &Step<'_>, seq: u64) -> Result<OwnEntry, Refusal> {
        step.find(&Key::OwnEntry(self.id, seq))?.ok_or(Refusal::Inconsistent("an entry that was signed is gone"))
    }

    /// Movements of which the money is still to be claimed, the oldest first.
    pub(super) fn unclaimed(&self, step: &Step<'_>) -> Result<BTreeMap<u64, Movement>, Refusal> {
        let rows = step.scan(&Scan::unclaimed(self.id, LOOKED_AT))?.rows;
        let mut found = BTreeMap::new();
        for (key, _) in rows {
            let Key::Unclaimed(_, number) = key else { continue };
            if let Some(movement) = step.find::<Movement>(&Key::Movement(self.id, number))? {
                found.insert(number, movement);
            }
        }
        Ok(found)
    }

    /// Signs what is ordered as the next entry, with whatever of the unclaimed money it can take along, and keeps it. It
    /// is taken to the witnesses afterwards.
    pub(super) fn sign(
        &mut self,
        step: &mut Step<'_>,
        order: Order,
        movement: Option<u64>,
    ) -> Result<EntryHash, Refusal> {
        if let Some(stopped) = &self.account.stopped {
            return Err(Refusal::AccountStopped(Box::new(stopped.clone())));
        }
        self.searched()?;
        let minting = matches!(order.ctl, Some(Ctl::Mint { .. }));
        if minting && self.account.state.is_none() {
            self.put(step, Order { ctl: Some(Ctl::Open(self.inception())), ..Order::default() }, &[], None)?;
        }
        let taken = if minting { Vec::new() } else { self.take(step, order.about)? };
        self.put(step, order, &taken, movement)
    }

    /// Whether this account may be used: in a profile that was brought back another one is looked for first.
    pub(super) fn searched(&self) -> Result<(), Refusal> {
        if let Some(stopped @ Stopped::Recovering) = &self.account.stopped {
            return Err(Refusal::AccountStopped(Box::new(stopped.clone())));
        }
        if self.account.unsearched {
            return Err(Refusal::NotSearched(self.policy.policy().code.to_string()));
        }
        Ok(())
    }

    /// What is claimed along: the greatest sums first, as many as an entry can claim, and as their receipts fit into one
    /// question to a witness that has none of them.
    fn take(&self, step: &Step<'_>, about: Option<u64>) -> Result<Vec<(u64, Vec<Claim>)>, Refusal> {
        let mut waiting: Vec<(u64, Movement)> = self.unclaimed(step)?.into_iter().collect();
        waiting.sort_by_key(|(number, movement)| (Some(*number) != about, std::cmp::Reverse(movement.amount)));
        let (mut places, mut bytes) = (limits::CLAIMS, CITED);
        let mut taken = Vec::new();
        for (number, movement) in waiting {
            let receipt = movement.receipt.map_or(RECEIPT_OF_ONES_OWN, |receipt| receipt.encode().len());
            if let (Some(left), Some(room)) = (places.checked_sub(movement.claims.len()), bytes.checked_sub(receipt)) {
                (places, bytes) = (left, room);
                taken.push((number, movement.claims));
            }
        }
        Ok(taken)
    }

    pub(super) fn put(
        &mut self,
        step: &mut Step<'_>,
        order: Order,
        taken: &[(u64, Vec<Claim>)],
        movement: Option<u64>,
    ) -> Result<EntryHash, Refusal> {
        let mut claims: Vec<Claim> = taken.iter().flat_map(|(_, claims)| claims.iter().copied()).collect();
        claims.sort_unstable();
        let ctl = match (&self.account.state, order.ctl) {
            (None, None) => Some(Ctl::Open(self.inception())),
            (Some(state), None) => promising::checkpoint(state),
            (_, ctl) => ctl,
        };
        let seq = self.signed();
        let at = Position {
            currency: self.id,
            epoch: self.policy.epoch(),
            chain: self.account.account,
            seq,
            prev: self.account.state.as_ref().map_or(Header::NOTHING_BEFORE, |state| state.head()),
            key_seq: self.account.state.as_ref().map_or(0, |state| state.keys().key_seq),
        };
        let body =
            Body { ts: step.now, blind: step.random(), claims, outs: order.outs, ctl, memo_hash: order.memo_hash };
        let entry = Entry::sign(at, body, &self.writer());
        let opened = match &self.account.state {
            Some(_) => None,
            None => Some(Box::new(ChainState::before(&entry, &self.policy).map_err(|invalid| self.refusal(invalid))?)),
        };
        // What is refused leaves the book as it was: it is read to say why.
        let before = self.account.state.as_ref().or(opened.as_ref());
        let Some(tried) = before.map(|state| state.try_entry(&entry, &self.policy)) else {
            return Err(Refusal::Inconsistent("an account has no state"));
        };
        let change = tried.map_err(|invalid| self.refusal(invalid))?;
        if let Some(Ctl::Open(_) | Ctl::Checkpoint { .. }) = entry.body().ctl {
            step.put(Key::Footing(self.id, seq), Footing { state: self.account.state.clone(), handed: None });
        }
        let Some(mut state) = self.account.state.take().or(opened) else {
            return Err(Refusal::Inconsistent("an account has no state"));
        };
        state.apply(change, entry.body());
        self.account.state = Some(state);
        let mut cited: Vec<u64> = taken.iter().map(|(number, _)| *number).chain(order.about).collect();
        cited.dedup();
        for (number, _) in taken {
            step.delete(Key::Unclaimed(self.id, *number));
        }
        let hash = entry.hash();
        checkpoints::note(step, self.id, &entry)?;
        step.put(
            Key::OwnEntry(self.id, seq),
            OwnEntry { entry: Box::new(entry), cited, movement, votes: Vec::new(), cert: None },
        );
        self.save(step);
        Ok(hash)
    }

    /// Claims what has gathered where nothing is under way, so that a payment later has places for it.
    pub(super) fn gather(&mut self, step: &mut Step<'_>) -> Result<bool, Refusal> {
        let is_idle = self.account.certified == self.signed() && self.account.stopped.is_none();
        let waiting = step.scan(&Scan::unclaimed(self.id, GATHERED))?.rows.len();
        if !is_idle || waiting < GATHERED {
            return Ok(false);
        }
        self.sign(step, Order::default(), None).map(|_| true)
    }

    /// What the ledger says of an entry, in the person's words.
    fn refusal(&self, invalid: Invalid) -> Refusal {
        match invalid {
            Invalid::NotEnough { class, available, needed } => Refusal::NotEnough {
                class: class_name(class),
                available: self.text(available),
                needed: self.text(needed),
            },
            Invalid::OpenTooSmall { .. } => {
                let (available, needed) = (self.text(0), self.text(1));
                Refusal::NotEnough { class: class_name(Class::Free), available, needed }
            }
            Invalid::Supply { most, found } => {
                Refusal::Supply { most: self.text(most.units()), found: self.text(found) }
            }
            Invalid::Issuer => Refusal::NotIssuer(self.policy.policy().code.to_string()),
            other => Refusal::Ledger(other.to_string()),
        }
    }

    /// What the next entry could pay of a class: what there is, and what can be claimed along.
    pub(super) fn at_hand(&self, step: &Step<'_>, class: Class) -> Result<u64, Refusal> {
        let claimed = self.account.state.as_ref().map_or(0, |state| state.balances().of(class));
        let waiting = self.take(step, None)?.into_iter().flat_map(|(_, claims)| claims);
        let units = waiting.filter(|claim| claim.class == class).map(|claim| claim.amt.units());
        Ok(units.fold(claimed, u64::saturating_add))
    }

    /// Not enough cash, and what of card money there is.
    pub(super) fn too_little(&self, step: &Step<'_>, available: String, needed: String) -> Result<Refusal, Refusal> {
        let claimed = self.account.state.as_ref().map_or(0, |state| state.balances().of(Class::Card));
        let waiting = self
            .unclaimed(step)?
            .into_values()
            .flat_map(|movement| movement.claims)
            .filter(|claim| claim.class == Class::Card);
        let card = waiting.map(|claim| claim.amt.units()).fold(claimed, u64::saturating_add);
        Ok(match card {
            0 => Refusal::NotEnough { class: class_name(Class::Free), available, needed },
            card => Refusal::OnlyCard { available, needed, card: self.text(card) },
        })
    }

    fn inception(&self) -> Inception {
        match &self.currency.issuer {
            Some(_) => Inception::of_issuer(self.id, self.policy.policy().issuer),
            None => inception(&self.account.seed, self.id, self.account.recovery),
        }
    }

    /// The key that signs now.
    fn writer(&self) -> SecretKey {
        if let Some(issuer) = &self.currency.issuer {
            return secret(issuer);
        }
        let number = self.account.state.as_ref().map_or(0, |state| state.keys().key_seq);
        writer(&self.account.seed, self.id, number)
    }
}

/// The policy of a currency, which was checked before it was kept.
pub(crate) fn loaded(currency: &Currency) -> Result<LoadedPolicy, Refusal> {
    currency.policy.clone().load().map_err(|_| Refusal::Inconsistent("the policy of a currency is no longer good"))
}

/// What a class of money is called.
pub(crate) const fn class_name(class: Class) -> &'static str {
    match class {
        Class::Free => "cash",
        Class::Card => "card money",
    }
}

/// What an entry pays to an account.
pub(super) fn paid_to<'a>(entry: &'a Entry, account: AccountId) -> impl Iterator<Item = (Claim, &'a Out)> + use<'a> {
    let (chain, seq) = (entry.header().chain, entry.header().seq);
    let to = kinfolk_ledger::entry::Destination::Account(account);
    (0_u8..).zip(&entry.body().outs).filter(move |(_, out)| out.to == to).map(move |(idx, out)| {
        let claim = Claim { out: OutRef { chain, seq, idx }, class: out.class_once_claimed(), amt: out.amt };
        (claim, out)
    })
}

/// The key of a seed of 32 bytes.
pub(super) fn secret(seed: &KeyMaterial) -> SecretKey {
    let mut bytes = Zeroizing::new([0; 32]);
    for (to, from) in bytes.iter_mut().zip(seed.as_slice()) {
        *to = *from;
    }
    SecretKey::from_seed(&bytes)
}

fn derived(seed: &KeyMaterial, what: &[u8], currency: CurrencyId, number: u32) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    let info = [&b"kinfolk.wallet.v1."[..], what, currency.as_bytes(), &number.to_be_bytes()];
    // 32 bytes are never more than HKDF has.
    let _asked = hkdf(&[0; 32], seed.as_slice(), &info, out.as_mut_slice());
    out
}

/// The writer with this number of an account.
pub(super) fn writer(seed: &KeyMaterial, currency: CurrencyId, number: u32) -> SecretKey {
    SecretKey::from_seed(&derived(seed, b"writer", currency, number))
}

/// What the salt of an account is taken from.
pub(super) fn salt(seed: &KeyMaterial, currency: CurrencyId) -> Zeroizing<[u8; 32]> {
    derived(seed, b"salt", currency, 0)
}

/// The receipts that an entry cites, as far as they are here.
pub(super) fn receipts(
    step: &Step<'_>,
    book: &Book,
    cited: &[u64],
) -> Result<Vec<kinfolk_ledger::vote::Receipt>, Refusal> {
    let mut receipts = Vec::new();
    for number in cited {
        let Some(Row::Movement(movement)) = step.find::<Movement>(&Key::Movement(book.id, *number))?.map(Row::from)
        else {
            continue;
        };
        let receipt = match (movement.receipt, movement.seq) {
            (Some(receipt), _) => Some(*receipt),
            // New money of one's own.
            (None, Some(seq)) => {
                let own = book.own(step, seq)?;
                own.cert.map(|cert| kinfolk_ledger::vote::Receipt { entry: *own.entry, cert: *cert })
            }
            (None, None) => None,
        };
        receipts.extend(receipt);
    }
    Ok(receipts)
}
