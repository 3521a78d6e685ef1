//! The rules of money against a plain model of it: what is taken and what is refused, and who has what afterwards.

use std::collections::BTreeMap;

use kinfolk_ledger::account::{Account, Refusal};
use kinfolk_ledger::chain::{ChainState, Invalid};
use kinfolk_ledger::entry::{Body, Claim, Class, Ctl, Entry, MerchantCert, Out, OutRef};
use kinfolk_ledger::rules::NotValid;
use kinfolk_ledger::vote::CertifiedEntry;
use kinfolk_wire::ids::AccountId;
use kinfolk_wire::time::{Span, Timestamp};
use proptest::prelude::*;

use super::support::*;

/// Person 0 is the issuer; 1 to 3 are people, of whom 2 and 3 are merchants.
const PEOPLE: u8 = 4;
const MOST: u64 = 1_000_000;

fn is_merchant(who: u8) -> bool {
    who >= 2
}

#[derive(Debug, Clone)]
enum Act {
    Mint {
        by: u8,
        to: u8,
        class: Class,
        units: u64,
    },
    Burn {
        by: u8,
        units: u64,
    },
    Pay {
        from: u8,
        to: u8,
        class: Class,
        units: u64,
        certified: bool,
    },
    /// Some outputs by number, and whether the first is claimed for another amount or class than it is.
    Claim {
        by: u8,
        outs: Vec<prop::sample::Index>,
        lie: Option<bool>,
    },
    Refund {
        by: u8,
        of: prop::sample::Index,
        units: u64,
        same_class: bool,
    },
    Checkpoint {
        by: u8,
    },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let who = 0..PEOPLE;
    let class = prop_oneof![3 => Just(Class::Free), 2 => Just(Class::Card)];
    let units = prop_oneof![1..40_u64, Just(MOST), Just((1 << 53) - 1)];
    let index = any::<prop::sample::Index>();
    let lie = prop_oneof![8 => Just(None), 1 => any::<bool>().prop_map(Some)];
    let issuer_mostly = prop_oneof![6 => Just(0_u8), 1 => 1..PEOPLE];
    let act = prop_oneof![
        3 => (issuer_mostly.clone(), who.clone(), class.clone(), units.clone())
            .prop_map(|(by, to, class, units)| Act::Mint { by, to, class, units }),
        1 => (issuer_mostly, units.clone()).prop_map(|(by, units)| Act::Burn { by, units }),
        6 => (who.clone(), who.clone(), class, units.clone(), prop::bool::weighted(0.6))
            .prop_map(|(from, to, class, units, certified)| Act::Pay { from, to, class, units, certified }),
        6 => (who.clone(), prop::collection::vec(any::<prop::sample::Index>(), 1..4), lie).prop_map(|(by, outs, lie)| Act::Claim { by, outs, lie }),
        3 => (who.clone(), index, units, prop::bool::weighted(0.8))
            .prop_map(|(by, of, units, same_class)| Act::Refund { by, of, units, same_class }),
        1 => who.prop_map(|by| Act::Checkpoint { by }),
    ];
    prop::collection::vec(act, 1..50)
}

/// An output as a bookkeeper would note it.
#[derive(Debug, Clone)]
struct Note {
    name: OutRef,
    from: u8,
    to: u8,
    class: Class,
    units: u64,
    new_money: bool,
    refund: bool,
    to_merchant: bool,
    claimed: bool,
    paid_back: u64,
}

/// Money as a bookkeeper would keep it.
#[derive(Debug, Default)]
struct Books {
    balances: BTreeMap<(u8, Class), u64>,
    notes: Vec<Note>,
    minted: BTreeMap<Class, u64>,
    burned: u64,
    /// Card money that merchants claimed and so made cash, and cash that refunds made card money.
    card_to_cash: u64,
    cash_to_card: u64,
}

impl Books {
    fn of(&self, who: u8, class: Class) -> u64 {
        self.balances.get(&(who, class)).copied().unwrap_or_default()
    }

    fn in_circulation(&self) -> u64 {
        self.minted.values().sum::<u64>() - self.burned
    }

    fn allows(&self, act: &Act) -> bool {
        match act {
            Act::Mint { by, to, class, units } => {
                *by == 0 && self.in_circulation() + units <= MOST && (*to != 0 || *class == Class::Free)
            }
            Act::Burn { by, units } => *by == 0 && *units <= self.of(0, Class::Free),
            Act::Pay { from, to, class, units, certified } => {
                let fits = match class {
                    Class::Free => !certified,
                    Class::Card => *certified && is_merchant(*to),
                };
                from != to && fits && *units <= self.of(*from, *class)
            }
            Act::Claim { by, outs, lie } => {
                let chosen = self.chosen(outs);
                let mine = |number: &usize| self.notes[*number].to == *by && !self.notes[*number].claimed;
                let twice = chosen.iter().enumerate().any(|(at, number)| chosen[..at].contains(number));
                lie.is_none() && !twice && !chosen.is_empty() && chosen.iter().all(mine)
            }
            Act::Refund { by, of, units, same_class } => {
                self.chosen(std::slice::from_ref(of)).first().is_some_and(|of| {
                    let note = &self.notes[*of];
                    let refundable = note.to == *by && note.claimed && !note.new_money && !note.refund;
                    let fits = *same_class && note.paid_back + units <= note.units;
                    refundable && fits && *units <= self.of(*by, Class::Free)
                })
            }
            Act::Checkpoint { .. } => true,
        }
    }

    fn chosen(&self, outs: &[prop::sample::Index]) -> Vec<usize> {
        if self.notes.is_empty() {
            return Vec::new();
        }
        outs.iter().map(|index| index.index(self.notes.len())).collect()
    }

    fn note(&mut self, act: &Act, name: OutRef) {
        let blank = |from, to, class, units| Note {
            name,
            from,
            to,
            class,
            units,
            new_money: false,
            refund: false,
            to_merchant: false,
            claimed: false,
            paid_back: 0,
        };
        match act {
            Act::Mint { by, to, class, units } => {
                *self.minted.entry(*class).or_default() += units;
                self.notes.push(Note { new_money: true, ..blank(*by, *to, *class, *units) });
            }
            Act::Burn { units, .. } => {
                *self.balances.entry((0, Class::Free)).or_default() -= units;
                self.burned += units;
            }
            Act::Pay { from, to, class, units, certified } => {
                *self.balances.entry((*from, *class)).or_default() -= units;
                self.notes.push(Note { to_merchant: *certified, ..blank(*from, *to, *class, *units) });
            }
            Act::Claim { by, outs, .. } => {
                for number in self.chosen(outs) {
                    let note = &mut self.notes[number];
                    note.claimed = true;
                    let class = if note.to_merchant { Class::Free } else { note.class };
                    self.card_to_cash += if note.to_merchant { note.units } else { 0 };
                    *self.balances.entry((*by, class)).or_default() += note.units;
                }
            }
            Act::Refund { by, of, units, .. } => {
                let of = self.chosen(std::slice::from_ref(of))[0];
                self.notes[of].paid_back += units;
                let (from, class) = (self.notes[of].from, self.notes[of].class);
                *self.balances.entry((*by, Class::Free)).or_default() -= units;
                self.cash_to_card += if class == Class::Card { *units } else { 0 };
                self.notes.push(Note { refund: true, ..blank(*by, from, class, *units) });
            }
            Act::Checkpoint { .. } => {}
        }
    }
}

/// The ledger and the books side by side.
struct Both {
    town: Town,
    books: Books,
    /// The state before each checkpoint.
    snapshots: BTreeMap<(AccountId, u64), Vec<u8>>,
}

impl Both {
    fn new() -> Self {
        let mut town = Town::new(1, 0);
        town.open_issuer();
        let mut books = Books::default();
        for who in 1..PEOPLE {
            let chain = town.rich(who, 10);
            *books.balances.entry((who, Class::Free)).or_default() += 10;
            *books.minted.entry(Class::Free).or_default() += 10;
            assert_eq!(town.state(chain).balances().free, 10);
        }
        Self { town, books, snapshots: BTreeMap::new() }
    }

    fn chain(&self, who: u8) -> AccountId {
        if who == 0 { self.town.policy.issuing_account() } else { self.town.chain(who) }
    }

    fn body(&mut self, act: &Act) -> Option<Body> {
        let pay = |out: Out| Body { outs: vec![out], ..body() };
        Some(match act {
            Act::Mint { to, class, units, .. } => {
                let out = Out { class: *class, ..Out::cash(self.chain(*to), amount(*units)) };
                Body { ctl: Some(Ctl::Mint { class: *class }), ..pay(out) }
            }
            Act::Burn { units, .. } => Body { ctl: Some(Ctl::Burn { amt: amount(*units) }), ..body() },
            Act::Pay { from, to, class, units, certified } => {
                let chain = self.chain(*to);
                // Who is no merchant shows the certificate of one who is.
                let of = if is_merchant(*to) { chain } else { self.chain(2) };
                let merchant = certified.then(|| MerchantCert::sign(&issuer(), self.town.policy.currency(), of, NOW));
                // Some say what was there before, as wallets do.
                let state_root = self.town.state(self.chain(*from)).root();
                let ctl = (units % 2 == 0).then_some(Ctl::Checkpoint { state_root });
                Body { ctl, ..pay(Out { class: *class, merchant, ..Out::cash(chain, amount(*units)) }) }
            }
            Act::Claim { outs, lie, .. } => {
                let mut claims: Vec<Claim> =
                    self.books.chosen(outs).into_iter().map(|at| self.claim(&self.books.notes[at])).collect();
                match (lie, claims.first_mut()) {
                    (Some(true), Some(claim)) => claim.amt = amount(claim.amt.units() + 1),
                    (Some(false), Some(claim)) => {
                        claim.class = if claim.class == Class::Free { Class::Card } else { Class::Free };
                    }
                    _ => {}
                }
                claims.sort();
                Body { claims, ..body() }
            }
            Act::Refund { of, units, same_class, .. } => {
                let note = self.books.notes.get(*self.books.chosen(std::slice::from_ref(of)).first()?)?;
                let other = if note.class == Class::Free { Class::Card } else { Class::Free };
                let class = if *same_class { note.class } else { other };
                pay(Out { class, refund_of: Some(note.name), ..Out::cash(self.chain(note.from), amount(*units)) })
            }
            Act::Checkpoint { by } => {
                let chain = self.chain(*by);
                let state = self.town.state(chain);
                self.snapshots.insert((chain, state.seq()), state.encode());
                Body { ctl: Some(Ctl::Checkpoint { state_root: state.root() }), ..body() }
            }
        })
    }

    fn claim(&self, note: &Note) -> Claim {
        let class = if note.to_merchant { Class::Free } else { note.class };
        Claim { out: note.name, class, amt: amount(note.units) }
    }

    fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        let (Act::Mint { by, .. }
        | Act::Burn { by, .. }
        | Act::Pay { from: by, .. }
        | Act::Claim { by, .. }
        | Act::Refund { by, .. }
        | Act::Checkpoint { by }) = act;
        let allowed = self.books.allows(act);
        let Some(body) = self.body(act) else { return Ok(()) };
        let chain = self.chain(*by);
        let before = self.town.state(chain);
        let writer = if *by == 0 { issuer() } else { key(10, *by) };
        let entry = Entry::sign(before.next_position(0), body, &writer);
        let settled = self.town.settle(&entry);
        prop_assert_eq!(settled.is_ok(), allowed, "{:?}: {:?}", act, settled.err());
        if allowed {
            self.books.note(act, OutRef { chain, seq: before.seq(), idx: 0 });
        } else {
            prop_assert_eq!(self.town.state(chain), before, "a refusal leaves no trace");
        }
        Ok(())
    }

    /// I1, I4, I5 and the books.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let mut total = BTreeMap::<Class, u64>::new();
        for who in 0..PEOPLE {
            let chain = self.chain(who);
            let state = self.town.state(chain);
            for class in [Class::Free, Class::Card] {
                let has = state.balances().of(class);
                prop_assert_eq!(has, self.books.of(who, class), "{} of person {}", has, who);
                prop_assert!(has <= MOST);
                *total.entry(class).or_default() += has;
            }
            let cards_came = self.books.notes.iter().any(|note| {
                note.to == who && note.class == Class::Card && !note.to_merchant && (note.new_money || note.refund)
            });
            prop_assert!(state.balances().card == 0 || cards_came, "card money moved from person to person");
        }
        for note in self.books.notes.iter().filter(|note| !note.claimed) {
            *total.entry(note.class).or_default() += note.units;
        }
        let chain = self.chain(0);
        let supply = self.town.state(chain).supply().unwrap();
        prop_assert_eq!(supply.minted, self.books.minted.values().sum::<u64>());
        prop_assert_eq!(supply.burned, self.books.burned);
        prop_assert_eq!(supply.minted - supply.burned, total.values().sum::<u64>());
        let made = |class| self.books.minted.get(&class).copied().unwrap_or_default();
        let (to_cash, to_card) = (self.books.card_to_cash, self.books.cash_to_card);
        let had = |class| total.get(&class).copied().unwrap_or_default();
        prop_assert_eq!(made(Class::Free) + to_cash, had(Class::Free) + to_card + self.books.burned);
        prop_assert_eq!(made(Class::Card) + to_card, had(Class::Card) + to_cash);
        Ok(())
    }

    fn entries(&self, chain: AccountId) -> Vec<CertifiedEntry> {
        self.town.certified.range((chain, 0)..=(chain, u64::MAX)).map(|(_, certified)| certified.clone()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.min(1_000_000) / 4, ..ProptestConfig::default() })]

    #[test]
    fn e09_money_is_conserved_and_every_rule_is_kept(acts in acts()) {
        let mut both = Both::new();
        for act in &acts {
            both.act(act)?;
            both.check()?;
        }
    }

    #[test]
    fn e09_certified_entries_in_any_order_and_any_number_make_the_same_state(
        acts in acts(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..120),
    ) {
        let mut both = Both::new();
        for act in &acts {
            both.act(act)?;
        }
        for who in 0..PEOPLE {
            let chain = both.chain(who);
            let entries = both.entries(chain);
            // Every number once, each linked to the one before.
            for (at, pair) in entries.windows(2).enumerate() {
                prop_assert_eq!(pair[1].entry().header().seq, at as u64 + 1);
                prop_assert_eq!(pair[1].entry().header().prev, pair[0].entry().hash());
            }
            let mut late = Account::new(chain);
            for entry in order.iter().map(|index| &entries[index.index(entries.len())]).chain(&entries) {
                late.commit(entry.clone(), &both.town.policies).unwrap();
            }
            let state = both.town.state(chain);
            prop_assert_eq!(late.state(), Some(&state));
            prop_assert_eq!(ChainState::decode(&state.encode(), 1 << 20).unwrap(), state);
        }
    }

    #[test]
    fn a_chain_from_its_checkpoint_is_the_chain_from_its_beginning(acts in acts()) {
        let mut both = Both::new();
        for act in &acts {
            both.act(act)?;
        }
        for ((chain, seq), bytes) in &both.snapshots {
            let kept = ChainState::decode(bytes, 1 << 20).unwrap();
            let mut pruned = Account::restore(*chain, Some(kept), 0, []);
            for entry in &both.entries(*chain)[usize::try_from(*seq).unwrap()..] {
                pruned.commit(entry.clone(), &both.town.policies).unwrap();
            }
            let state = both.town.state(*chain);
            prop_assert_eq!(pruned.state(), Some(&state));
        }
    }
}

fn refusal(town: &mut Town, by: u8, body: Body) -> NotValid {
    let entry = town.next(by, body);
    match town.certify(&entry).unwrap_err() {
        Refusal::NotValid(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn e02_a_payment_of_more_than_there_is_says_how_much_there_is() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(1, 100);
    for units in [101, (1 << 53) - 1] {
        let outs = vec![Out::cash(town.chain(2), amount(units))];
        let reason = refusal(&mut town, 1, Body { outs, ..body() });
        let expected = Invalid::NotEnough { class: Class::Free, available: 100, needed: units };
        assert_eq!(reason, NotValid::Chain(expected));
    }
    // Sums are checked as well as amounts.
    let outs = vec![Out::cash(town.chain(2), amount((1 << 53) - 1)); 16];
    assert!(matches!(refusal(&mut town, 1, Body { outs, ..body() }), NotValid::Chain(Invalid::NotEnough { .. })));
}

#[test]
fn e03_an_output_is_claimed_once_in_one_entry_or_in_two() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(1, 100);
    let minted = town.mint(town.chain(1), Class::Free, 50).unwrap();
    let twice = vec![claim(&minted, 0), claim(&minted, 0)];
    let reason = refusal(&mut town, 1, Body { claims: twice, ..body() });
    assert_eq!(reason, NotValid::Chain(Invalid::ClaimOrder));
    let claims = vec![claim(&minted, 0)];
    let entry = town.next(1, Body { claims: claims.clone(), ..body() });
    town.settle(&entry).unwrap();
    let reason = refusal(&mut town, 1, Body { claims, ..body() });
    let seq = minted.entry().header().seq;
    assert_eq!(reason, NotValid::Chain(Invalid::Spent { seq, idx: 0 }));
}

#[test]
fn a_claim_needs_the_entry_it_names_and_its_certificate() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(1, 100);
    let minted = town.mint(town.chain(1), Class::Free, 50).unwrap();
    let header = *minted.entry().header();
    town.certified.remove(&(header.chain, header.seq));
    let reason = refusal(&mut town, 1, Body { claims: vec![claim(&minted, 0)], ..body() });
    assert_eq!(reason, NotValid::NotCited { chain: header.chain, seq: header.seq });
}

#[test]
fn an_account_is_opened_by_money_of_some_size() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    let minted = town.mint(town.chain(1), Class::Free, 9).unwrap();
    let least = amount(10);
    let expected = NotValid::Chain(Invalid::OpenTooSmall { least });
    assert_eq!(town.open(1, vec![claim(&minted, 0)]).unwrap_err(), Refusal::NotValid(expected.clone()));
    assert_eq!(town.open(1, vec![]).unwrap_err(), Refusal::NotValid(expected));
}

#[test]
fn e08_a_merchants_certificate_ends_by_the_witnesses_clock_and_not_by_the_writers() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(1, 100);
    let minted = town.mint(town.chain(1), Class::Card, 50).unwrap();
    let claims = vec![claim(&minted, 0)];
    let entry = town.next(1, Body { claims, ..body() });
    town.settle(&entry).unwrap();
    let to = town.chain(2);
    let currency = town.policy.currency();
    let pay = |expires: Timestamp, by: u8, ts: Timestamp| {
        let merchant = Some(MerchantCert::sign(&key(1, by), currency, to, expires));
        Body { ts, outs: vec![Out { class: Class::Card, merchant, ..Out::cash(to, amount(5)) }], ..body() }
    };
    let over = NOW.before(Span::from_secs(301));
    let reason = refusal(&mut town, 1, pay(over, 0, over.before(Span::from_hours(1))));
    assert_eq!(reason, NotValid::MerchantExpired { expired: over });
    assert_eq!(refusal(&mut town, 1, pay(NOW, 1, NOW)), NotValid::MerchantSignature);
    let ahead = NOW.after(Span::from_secs(301));
    assert_eq!(refusal(&mut town, 1, pay(NOW, 0, ahead)), NotValid::Future { made: ahead, now: NOW });
    let entry = town.next(1, pay(NOW, 0, NOW));
    town.settle(&entry).unwrap();
}

#[test]
fn a_checkpoint_of_another_state_is_refused() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(1, 100);
    town.rich(2, 100);
    let chain = town.chain(2);
    let state_root = town.state(chain).root();
    let reason = refusal(&mut town, 1, Body { ctl: Some(Ctl::Checkpoint { state_root }), ..body() });
    assert_eq!(reason, NotValid::Chain(Invalid::StateRoot));
    let outs = vec![Out::cash(chain, amount(1))];
    let reason = refusal(&mut town, 1, Body { outs, ctl: Some(Ctl::Checkpoint { state_root }), ..body() });
    assert_eq!(reason, NotValid::Chain(Invalid::StateRoot), "also where it pays");
}

#[test]
fn an_account_at_rest_is_small() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(1, 100);
    let chain = town.chain(1);
    let bytes = town.state(chain).encode().len();
    assert!(bytes <= 400, "{bytes} bytes");
    println!("an account with three recovery keys and one claim: {bytes} bytes");
}

#[test]
fn refunds_go_back_once_to_who_paid_and_no_further() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    let anna = town.rich(1, 100);
    let bela = town.rich(2, 100);
    let entry = town.pay(1, 2, 30);
    let paid = town.settle(&entry).unwrap();
    let name = claim(&paid, 0).out;
    let refund = |to, of, class, units| Out { class, refund_of: Some(of), ..Out::cash(to, amount(units)) };
    let back = |units| Body { outs: vec![refund(anna, name, Class::Free, units)], ..body() };
    assert_eq!(refusal(&mut town, 2, back(5)), NotValid::Chain(Invalid::Refund), "not claimed yet");
    let claims = vec![claim(&paid, 0)];
    let entry = town.next(2, Body { claims, ..back(10) });
    let refunded = town.settle(&entry).unwrap();
    assert_eq!(refusal(&mut town, 2, back(21)), NotValid::Refund { paid: 30 });
    let in_two = vec![refund(anna, name, Class::Free, 11), refund(anna, name, Class::Free, 10)];
    assert_eq!(refusal(&mut town, 2, Body { outs: in_two, ..body() }), NotValid::Refund { paid: 30 });
    let outs = vec![refund(anna, name, Class::Card, 5)];
    assert_eq!(refusal(&mut town, 2, Body { outs, ..body() }), NotValid::Refund { paid: 30 });
    let outs = vec![refund(town.chain(3), name, Class::Free, 5)];
    assert_eq!(refusal(&mut town, 2, Body { outs, ..body() }), NotValid::Chain(Invalid::Refund));
    let entry = town.next(2, back(20));
    town.settle(&entry).unwrap();
    assert_eq!(town.state(bela).refunded().of(&name), 30);
    assert_eq!(refusal(&mut town, 2, back(1)), NotValid::Refund { paid: 30 });
    // Neither a refund nor new money is refunded.
    let claims = vec![claim(&refunded, 0)];
    let entry = town.next(1, Body { claims, ..body() });
    town.settle(&entry).unwrap();
    let outs = vec![refund(bela, claim(&refunded, 0).out, Class::Free, 1)];
    assert_eq!(refusal(&mut town, 1, Body { outs, ..body() }), NotValid::Refund { paid: 10 });
    let issuing = town.policy.issuing_account();
    let minted = OutRef { chain: issuing, seq: 1, idx: 0 };
    assert!(town.state(anna).spent().contains(&minted));
    let outs = vec![refund(issuing, minted, Class::Free, 1)];
    assert_eq!(refusal(&mut town, 1, Body { outs, ..body() }), NotValid::Refund { paid: 100 });
}
