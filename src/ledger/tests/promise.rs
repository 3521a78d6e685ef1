//! Payments without witnesses: what a payee takes, what they refuse, and what they lose at most.

use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::entry::{Body, Class, Ctl, Entry, MerchantCert, Out, SignedHeader};
use kinfolk_ledger::promise::{Judge, Promise, Sound, Unsound};
use kinfolk_ledger::rules::NotValid;
use kinfolk_ledger::vote::CertifiedEntry;
use kinfolk_wire::ids::AccountId;
use kinfolk_wire::time::Span;
use proptest::prelude::*;

use crate::support::{NOW, Town, amount, body, claim, issuer, key};

/// Anna (0), whose first entry is certified; what she signs since.
struct Payer {
    town: Town,
    before: Option<ChainState>,
    base: CertifiedEntry,
    state: ChainState,
    entries: Vec<Entry>,
}

impl Payer {
    fn with(units: u64) -> Self {
        let mut town = Town::new(4, 1);
        town.open_issuer();
        let chain = town.rich(0, units);
        let base = town.certified[&(chain, 0)].clone();
        let state = town.state(chain);
        Self { town, before: None, base, state, entries: Vec::new() }
    }

    /// Bela's account.
    fn payee(&self) -> AccountId {
        self.town.chain(1)
    }

    fn sign(&mut self, body: Body) -> Entry {
        let ctl = body.ctl.clone().or_else(|| Some(Ctl::Checkpoint { state_root: self.state.root() }));
        let entry = Entry::sign(self.state.next_position(0), Body { ctl, ..body }, &key(10, 0));
        self.entries.push(entry.clone());
        entry
    }

    /// Signs it, and goes on from there.
    fn write(&mut self, body: Body) -> Entry {
        let entry = self.sign(body);
        let change = self.state.try_entry(&entry, &self.town.policy).unwrap();
        self.state.apply(change, entry.body());
        entry
    }

    fn pay(&mut self, units: u64) -> Entry {
        let outs = vec![Out::cash(self.payee(), amount(units))];
        self.write(Body { outs, ..body() })
    }

    /// What was signed is certified.
    fn settle(&mut self) {
        for entry in std::mem::take(&mut self.entries) {
            self.before = Some(self.town.state(entry.header().chain));
            self.base = self.town.settle(&entry).unwrap();
        }
    }

    fn promise(&self) -> Promise {
        let entries = self.entries.clone();
        Promise { state: self.before.clone(), base: self.base.receipt(), entries, cited: vec![], votes: vec![] }
    }

    fn judge(&self, promise: Promise) -> Result<Sound, Unsound> {
        self.judge_with(promise, 0, &[])
    }

    fn judge_with(&self, promise: Promise, outstanding: u64, known: &[SignedHeader]) -> Result<Sound, Unsound> {
        let payee = self.payee();
        promise.judge(&Judge { policy: &self.town.policy, payee, outstanding, known, now: NOW })
    }
}

#[test]
fn a_promise_stands_on_what_opened_the_account_or_on_a_checkpoint() {
    let mut anna = Payer::with(1_000);
    anna.pay(100);
    let sound = anna.judge(anna.promise()).unwrap();
    assert_eq!((sound.amount(), sound.class(), sound.claims().len()), (amount(100), Class::Free, 1));
    anna.settle();
    anna.pay(200);
    anna.pay(300);
    let promise = anna.promise();
    assert!(promise.state.is_some());
    assert_eq!(anna.judge(promise.clone()).unwrap().amount(), amount(300), "the last of them");
    assert_eq!(Promise::decode(&promise.encode()), Ok(promise));
}

#[test]
fn any_single_alteration_of_a_promise_is_refused() {
    let mut anna = Payer::with(1_000);
    anna.pay(100);
    anna.settle();
    let entry = anna.pay(200);
    let mut promise = anna.promise();
    promise.votes = [0, 2].map(|at| anna.town.vote(at, entry.clone()).unwrap()).to_vec();
    anna.judge(promise.clone()).unwrap();
    let bytes = promise.encode();
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut altered = bytes.clone();
            altered[at] ^= bit;
            let judged = Promise::decode(&altered).map(|altered| anna.judge(altered));
            assert!(!matches!(judged, Ok(Ok(_))), "bit {bit} of byte {at} of {}", bytes.len());
        }
    }
    // Parts left out, put in twice, or in the place of one another.
    let without = |alter: &dyn Fn(&mut Promise)| {
        let mut altered = promise.clone();
        alter(&mut altered);
        anna.judge(altered).unwrap_err()
    };
    assert_eq!(without(&|promise| promise.state = None), Unsound::State);
    assert_eq!(without(&|promise| promise.state = Some(anna.state.clone())), Unsound::State);
    assert!(matches!(without(&|promise| promise.entries.clear()), Unsound::Chained { found: 0, .. }));
    let twice = without(&|promise| promise.entries.push(promise.entries[0].clone()));
    assert!(matches!(twice, Unsound::NotValid(NotValid::Chain(_))), "{twice:?}");
    assert_eq!(without(&|promise| promise.votes.reverse()), Unsound::Votes);
    assert_eq!(without(&|promise| promise.votes.push(promise.votes[1])), Unsound::Votes);
    assert_eq!(without(&|promise| promise.votes[0].witness = 1), Unsound::Votes);
    assert_eq!(without(&|promise| promise.base.cert.sigs = Default::default()), Unsound::NotCertified);
    let uncertified = without(&|promise| promise.base.entry = promise.entries[0].clone());
    assert_eq!(uncertified, Unsound::NotCertified);
}

#[test]
fn what_is_promised_is_there_is_the_payees_and_was_not_claimed_before() {
    let mut anna = Payer::with(1_000);
    let payee = anna.payee();
    anna.sign(Body { outs: vec![Out::cash(payee, amount(1_001))], ..body() });
    assert!(matches!(anna.judge(anna.promise()), Err(Unsound::NotValid(NotValid::Chain(_)))), "more than there is");
    anna.entries.clear();
    anna.sign(Body { outs: vec![Out::cash(anna.town.chain(2), amount(10))], ..body() });
    assert_eq!(anna.judge(anna.promise()), Err(Unsound::NotPaid), "to somebody else");
    anna.entries.clear();
    let outs = vec![
        Out::cash(payee, amount(10)),
        Out { invoice: Some(kinfolk_wire::ids::NoteHash::new([3; 32])), ..Out::cash(payee, amount(10)) },
    ];
    anna.sign(Body { outs, ..body() });
    assert_eq!(anna.judge(anna.promise()), Err(Unsound::NotPaid), "for two things");
    anna.entries.clear();

    // What came in meanwhile goes along with its receipt, once.
    let came = anna.town.mint(anna.town.chain(0), Class::Free, 500).unwrap();
    let pays = |claims| Body { claims, outs: vec![Out::cash(payee, amount(1_400))], ..body() };
    anna.write(pays(vec![claim(&came, 0)]));
    let with = |cited| Promise { cited, ..anna.promise() };
    let missing = anna.judge(with(vec![]));
    assert!(matches!(missing, Err(Unsound::NotValid(NotValid::NotCited { .. }))), "{missing:?}");
    assert_eq!(anna.judge(with(vec![came.receipt()])).unwrap().amount(), amount(1_400));
    let mut thin = came.receipt();
    thin.cert.sigs = Default::default();
    assert_eq!(anna.judge(with(vec![thin])), Err(Unsound::Cited));
    anna.sign(Body { claims: vec![claim(&came, 0)], outs: vec![Out::cash(payee, amount(1))], ..body() });
    let again = anna.judge(Promise { cited: vec![came.receipt()], ..anna.promise() });
    assert!(matches!(again, Err(Unsound::NotValid(NotValid::Chain(_)))), "{again:?}");
    // By another key than the account's.
    let mut anna = Payer::with(1_000);
    let at = anna.state.next_position(0);
    let outs = vec![Out::cash(payee, amount(10))];
    anna.entries.push(Entry::sign(at, Body { outs, ..body() }, &key(10, 1)));
    assert_eq!(anna.judge(anna.promise()), Err(Unsound::Approval));
}

#[test]
fn card_money_is_promised_to_merchants_alone() {
    let mut anna = Payer::with(1_000);
    let card = anna.town.mint(anna.town.chain(0), Class::Card, 500).unwrap();
    let (payee, currency) = (anna.payee(), anna.town.policy.currency());
    for (merchant, is_taken) in [
        (Some(MerchantCert::sign(&issuer(), currency, payee, NOW)), true),
        (None, false),
        (Some(MerchantCert::sign(&issuer(), currency, anna.town.chain(2), NOW)), false),
        (Some(MerchantCert::sign(&key(10, 1), currency, payee, NOW)), false),
        (Some(MerchantCert::sign(&issuer(), currency, payee, NOW.before(Span::from_secs(301)))), false),
    ] {
        let out = Out { class: Class::Card, merchant, ..Out::cash(payee, amount(500)) };
        anna.sign(Body { claims: vec![claim(&card, 0)], outs: vec![out], ..body() });
        let judged = anna.judge(Promise { cited: vec![card.receipt()], ..anna.promise() });
        assert_eq!(judged.is_ok(), is_taken, "{judged:?}");
        anna.entries.clear();
    }
}

#[test]
fn every_cap_holds_to_the_unit_and_is_named() {
    let mut anna = Payer::with(100_000);
    let whole = anna.pay(2_000);
    let promise = anna.promise();
    assert!(anna.judge_with(promise.clone(), 3_000, &[]).is_ok());
    let most = amount(5_000);
    assert_eq!(anna.judge_with(promise.clone(), 3_001, &[]), Err(Unsound::Outstanding { most, found: 5_001 }));
    assert!(anna.judge_with(promise.clone(), u64::MAX, &[]).is_err());
    let aged = |age: Span| {
        let judge =
            Judge { policy: &anna.town.policy, payee: anna.payee(), outstanding: 0, known: &[], now: NOW.after(age) };
        promise.clone().judge(&judge)
    };
    assert!(aged(Span::from_hours(72)).is_ok());
    let found = Span::from_millis(72 * 3_600_000 + 1);
    assert_eq!(aged(found), Err(Unsound::ProofAge { most: Span::from_hours(72), found }));
    assert_eq!(whole.header().seq, 1);

    for _ in 1..5 {
        anna.pay(10);
    }
    assert!(anna.judge(anna.promise()).is_ok());
    anna.pay(10);
    assert_eq!(anna.judge(anna.promise()), Err(Unsound::Chained { most: 5, found: 6 }));

    let mut anna = Payer::with(100_000);
    anna.pay(2_001);
    assert_eq!(anna.judge(anna.promise()), Err(Unsound::Payment { most: amount(2_000), found: 2_001 }));
}

#[test]
fn another_entry_for_one_place_is_a_proof_where_the_payee_knows_of_it() {
    let mut anna = Payer::with(1_000);
    let one = anna.pay(100);
    let known = one.signed_header().unwrap();
    let first = anna.promise();
    let mut forked = Payer::with(1_000);
    let other = forked.pay(101);
    let judged = forked.judge_with(forked.promise(), 0, &[known]);
    let Err(Unsound::Conflict(proof)) = judged else { panic!("{judged:?}") };
    let writer = anna.state.keys().writer;
    assert!(proof.unverified(&writer, &anna.town.policy).unwrap().verify().is_ok());
    // What stands on it is known, and this is not what it stands on.
    let next = forked.pay(1).signed_header().unwrap();
    assert_eq!(anna.judge_with(first.clone(), 0, &[next]), Err(Unsound::GoneOn));
    assert!(anna.judge_with(first, 0, &[known]).is_ok(), "itself");
    assert_ne!(one.hash(), other.hash());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// A payer signs whatever they like: several entries for one place, in any order, and shows each to one payee and to
    /// nobody else. What the payee takes and does not get is within the cap; what they take becomes final if nothing else
    /// was signed.
    #[test]
    fn e19_an_equivocating_payer_costs_a_payee_no_more_than_outstanding(
        acts in prop::collection::vec((1_u64..2_400, any::<bool>(), any::<bool>()), 1..14),
        remembers in any::<bool>(),
    ) {
        let mut anna = Payer::with(100_000);
        let genesis = anna.state.clone();
        let (mut taken, mut known, mut is_forked) = (0_u64, Vec::new(), false);
        let mut last_good: Option<Vec<Entry>> = None;
        for (units, back, shown) in acts {
            if back && !anna.entries.is_empty() {
                anna.state = genesis.clone();
                anna.entries.clear();
                is_forked = true;
            }
            let entry = anna.pay(units);
            if !shown {
                continue;
            }
            let memory: &[SignedHeader] = if remembers { &known } else { &[] };
            match anna.judge_with(anna.promise(), taken, memory) {
                Ok(sound) => {
                    taken += sound.amount().units();
                    known.push(entry.signed_header().unwrap());
                    last_good = Some(anna.entries.clone());
                }
                Err(Unsound::Conflict(_) | Unsound::GoneOn) => prop_assert!(is_forked && remembers),
                Err(Unsound::Payment { .. }) => prop_assert!(units > 2_000),
                Err(Unsound::Outstanding { .. }) => prop_assert!(taken + units > 5_000),
                Err(Unsound::Chained { .. }) => prop_assert!(anna.entries.len() > 5),
                Err(other) => prop_assert!(false, "{other:?}"),
            }
            prop_assert!(taken <= anna.town.policy.policy().offline.outstanding.units());
        }
        if let Some(entries) = last_good {
            for entry in entries {
                prop_assert!(anna.town.settle(&entry).is_ok(), "witnesses take what the payee took");
            }
        }
    }
}

#[test]
fn a_transfer_that_says_what_was_there_before_stays_small() {
    let mut anna = Payer::with(1_000);
    let entry = anna.pay(100);
    let certified = anna.town.settle(&entry).unwrap();
    let (entry, cert) = (entry.encode().len(), certified.cert().encode().len());
    println!(
        "{entry} bytes of an entry and {cert} of its certificate; {} of its promise",
        anna.promise().encode().len()
    );
    assert!(entry + cert <= 650, "{entry} and {cert}");
}

#[test]
fn the_ordinary_caps_are_those_of_the_page() {
    let policy = crate::support::policy_of(4, 1);
    let caps = policy.offline;
    assert_eq!((caps.payment, caps.outstanding), (amount(2_000), Amount::new(5_000).unwrap()));
    assert_eq!((caps.chained, caps.proof_age), (5, Span::from_hours(72)));
}
