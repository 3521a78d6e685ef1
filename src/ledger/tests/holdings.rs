//! Both sides of a tab and four whole witnesses, some of them away: from the first voucher to the last unit.

use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::entry::{Body, Claim, Class, Destination, Entry, OutRef};
use kinfolk_ledger::escrow::holding::{BeginError, Heeded, Holding, MARGIN, NotFunded, Standings, VoucherError};
use kinfolk_ledger::escrow::{Proposer, Stamp, Voucher};
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::recovery::Recover;
use kinfolk_ledger::signature::SecretKey;
use kinfolk_ledger::vote::{Receipt, SlotId};
use kinfolk_wire::ids::NoteHash;
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::support::shelf::PaperShelf;
use super::support::*;
use super::tabs::{funding, redeemer, voucher_key};
use super::witness::Ring;

const DAY: Span = Span::from_days(1);

/// One side, on its disk and in memory.
struct Side {
    holding: Holding,
    standings: Standings,
}

impl Side {
    fn key(&self) -> SecretKey {
        match self.holding.side() {
            Proposer::Payer => voucher_key(),
            Proposer::Payee => redeemer(),
        }
    }

    /// Loses power: what was kept is there.
    fn restart(&mut self) {
        self.holding = Holding::decode(&self.holding.encode()).unwrap();
        self.standings.clear();
    }
}

struct Pair {
    ring: Ring,
    payer: Side,
    payee: Side,
    rng: ChaCha20Rng,
    /// Whether answers are lost, and both sides and witnesses lose power, at random.
    rough: bool,
}

impl Pair {
    fn new(expires: Timestamp, units: u64) -> Self {
        let mut ring = Ring::with_rich(4, 1);
        let entry = funding(&mut ring.town, expires, units);
        let receipt = ring.settle(&entry);
        let certified = receipt.verify(&ring.town.policy).unwrap().verify().unwrap();
        let payer = Holding::of_payer(&certified, 0).unwrap();
        let account = ring.town.chain(1);
        let payee = Holding::of_payee(&certified, 0, account, &redeemer().vk(), NOW).unwrap();
        let side = |holding| Side { holding, standings: Standings::new() };
        let rng = ChaCha20Rng::seed_from_u64(1);
        Self { ring, payer: side(payer), payee: side(payee), rng, rough: false }
    }

    fn pay(&mut self, units: u64) -> Result<Voucher, VoucherError> {
        self.payer.holding.pay(amount(units), None, &voucher_key(), self.ring.now)
    }

    fn side(&mut self, of: Proposer) -> &mut Side {
        match of {
            Proposer::Payer => &mut self.payer,
            Proposer::Payee => &mut self.payee,
        }
    }

    fn begin(&mut self, of: Proposer, closes: bool) -> Result<(), BeginError> {
        let policy = self.ring.town.policy.clone();
        let stamp = Stamp { now: self.ring.now, blind: [7; 16], policy: &policy };
        let side = self.side(of);
        let key = side.key();
        if closes { side.holding.close(stamp, &key) } else { side.holding.redeem(stamp, &key) }
    }

    /// Asks these witnesses until there is nothing to ask, and says what became final by it.
    fn drive(&mut self, of: Proposer, reached: &[u8]) -> Vec<Receipt> {
        let policy = self.ring.town.policy.clone();
        let mut finals = Vec::new();
        for _ in 0..400 {
            let mut asked = false;
            for witness in 0..4 {
                let rough = self.rough && self.rng.next_u32().is_multiple_of(4);
                let side = self.side(of);
                let key = side.key();
                let standing = side.standings.entry(witness).or_default().clone();
                let Some(request) = side.holding.ask(&standing, witness, &policy, &key) else { continue };
                asked = true;
                if !reached.contains(&witness) {
                    side.holding.failed(&mut side.standings, witness, "did not answer", &policy);
                    continue;
                }
                // What leaves was kept before.
                side.holding = Holding::decode(&side.holding.encode()).unwrap();
                let reply = self.ring.ask(witness, request);
                if rough {
                    self.side(of).restart();
                    self.ring.restart(witness, PaperShelf::without_index);
                    continue;
                }
                let side = self.side(of);
                let heeded = side.holding.heed(&mut side.standings, witness, reply, &policy);
                if let Heeded::Certified(receipts) = heeded {
                    finals.extend(receipts);
                }
            }
            if !asked && self.side(of).holding.is_under_way() && reached.len() >= 3 && self.rough {
                let side = self.side(of);
                side.holding.again(&mut side.standings, &policy);
                asked = true;
            }
            if !asked {
                break;
            }
        }
        finals
    }

    fn later(&mut self, span: Span) {
        self.ring.now = self.ring.now.after(span);
    }

    fn again(&mut self, of: Proposer) {
        let policy = self.ring.town.policy.clone();
        let side = self.side(of);
        side.holding.again(&mut side.standings, &policy);
    }
}

fn paid(entry: &Entry) -> Vec<u64> {
    entry.body().outs.iter().map(|out| out.amt.units()).collect()
}

#[test]
fn five_payments_with_all_witnesses_away_are_money_when_they_are_back_and_the_rest_returns() {
    for rough in [false, true] {
        let mut pair = Pair::new(NOW.after(DAY), 100);
        pair.rough = rough;
        let mut vouchers: Vec<Voucher> = (1..=5).map(|units| pair.pay(units).unwrap()).collect();
        // Lost, repeated and overtaken ones harm nothing.
        vouchers.swap(1, 3);
        let lost = vouchers.remove(0);
        let taken: Vec<Option<u64>> = [&vouchers[..], &vouchers[..]]
            .concat()
            .into_iter()
            .map(|voucher| pair.payee.holding.take(voucher, NOW).unwrap().map(|taken| taken.more.units()))
            .collect();
        assert_eq!(taken, [Some(10), None, None, Some(5), None, None, None, None]);
        assert_eq!(pair.payee.holding.take(lost, NOW), Ok(None));
        assert_eq!((pair.payee.holding.unredeemed(), pair.payer.holding.left()), (15, 85));
        // Nobody there.
        pair.begin(Proposer::Payee, false).unwrap();
        assert_eq!(pair.drive(Proposer::Payee, &[]), []);
        pair.payee.restart();
        // A quorum is back.
        let redeemed = pair.drive(Proposer::Payee, &[0, 2, 3]);
        assert_eq!(redeemed.iter().map(|receipt| paid(&receipt.entry)).collect::<Vec<_>>(), [[15]]);
        assert_eq!(pair.payee.holding.unredeemed(), 0);
        assert_eq!(pair.begin(Proposer::Payee, false), Err(BeginError::Nothing));
        // The payer knows nothing of that, and has the rest after the expiry by themselves.
        let due = pair.payer.holding.due().unwrap();
        assert!(matches!(pair.begin(Proposer::Payer, true), Err(BeginError::NotYet { .. })));
        pair.ring.now = due;
        pair.begin(Proposer::Payer, true).unwrap();
        let learnt = pair.drive(Proposer::Payer, &[0, 1, 2, 3]);
        assert_eq!(learnt, redeemed, "the one before was the payee's");
        pair.begin(Proposer::Payer, true).unwrap();
        let closed = pair.drive(Proposer::Payer, &[0, 1, 2]);
        assert_eq!(closed.iter().map(|receipt| paid(&receipt.entry)).collect::<Vec<_>>(), [[85]]);
        assert!(pair.payer.holding.state().is_closed() && pair.payer.holding.due().is_none());
        assert_eq!(pair.pay(1), Err(VoucherError::Closed));
        assert!(pair.payee.holding.learn(&closed[0], &pair.ring.town.policy));
        assert!(!pair.payee.holding.learn(&closed[0], &pair.ring.town.policy));
        claimed(&mut pair, &[(0, 0, 1, 15), (1, 0, 0, 85)]);
    }
}

/// What the tab paid is claimed by whose it is: place, output, person, units.
fn claimed(pair: &mut Pair, what: &[(u64, u8, u8, u64)]) {
    let chain = pair.payee.holding.state().chain();
    let currency = pair.ring.town.policy.currency();
    for witness in 0..4 {
        let side = &mut pair.payee;
        side.standings.clear();
        let done: Vec<Receipt> = (0..side.holding.state().seq())
            .map(|seq| match pair.ring.ask(0, Request::Entries { currency, chain, from: seq, to: seq + 1 }) {
                Reply::Entries(mut entries) => entries.remove(0),
                other => panic!("{other:?}"),
            })
            .collect();
        pair.ring.commit(witness, &done);
        if witness == 0 {
            for receipt in &done {
                let certified = receipt.clone().verify(&pair.ring.town.policy).unwrap().verify().unwrap();
                pair.ring.town.tell(&certified);
            }
        }
    }
    for (seq, idx, person, units) in what.iter().copied() {
        let claim = Claim { out: OutRef { chain, seq, idx }, class: Class::Free, amt: amount(units) };
        if person == 1 {
            pair.ring.town.open(1, vec![claim]).unwrap();
        } else {
            let entry = pair.ring.town.next(person, Body { claims: vec![claim], ..body() });
            pair.ring.settle(&entry);
        }
    }
}

#[test]
fn t8_with_the_payer_gone_for_ever_the_payee_has_all_that_was_promised() {
    let mut pair = Pair::new(NOW.after(DAY), 100);
    let voucher = pair.pay(60).unwrap();
    assert!(pair.payee.holding.take(voucher, NOW).unwrap().unwrap().is_safe);
    pair.ring.now = pair.payee.holding.due().unwrap();
    assert_eq!(pair.ring.now, NOW.after(DAY).before(MARGIN));
    pair.begin(Proposer::Payee, false).unwrap();
    assert_eq!(pair.drive(Proposer::Payee, &[1, 2, 3]).len(), 1);
    // A payee who is long done may end it, and the payer finds the rest at home.
    pair.later(Span::from_days(60));
    pair.again(Proposer::Payee);
    pair.begin(Proposer::Payee, true).unwrap();
    let closed = pair.drive(Proposer::Payee, &[0, 1, 2]);
    assert_eq!(paid(&closed[0].entry), [40]);
    assert_eq!(closed[0].entry.body().outs[0].to, Destination::Account(pair.ring.town.chain(0)));
}

#[test]
fn t8_with_the_payee_gone_past_the_expiry_the_payer_has_the_rest_and_pays_the_last_voucher() {
    let mut pair = Pair::new(NOW.after(DAY), 100);
    let voucher = pair.pay(60).unwrap();
    pair.payee.holding.take(voucher, NOW).unwrap();
    pair.ring.now = pair.payer.holding.due().unwrap();
    pair.begin(Proposer::Payer, true).unwrap();
    let closed = pair.drive(Proposer::Payer, &[0, 1, 2, 3]);
    assert_eq!(paid(&closed[0].entry), [60, 40]);
    // The payee who comes back asks for it in vain, and learns that it is paid.
    pair.begin(Proposer::Payee, false).unwrap();
    assert_eq!(pair.drive(Proposer::Payee, &[0, 1, 2, 3]), closed);
    assert!(pair.payee.holding.state().is_closed() && pair.payee.holding.unredeemed() == 0);
}

#[test]
fn t8_a_payee_who_comes_late_but_before_the_payer_is_paid_all_the_same() {
    let mut pair = Pair::new(NOW.after(DAY), 100);
    let voucher = pair.pay(60).unwrap();
    pair.later(Span::from_days(3));
    let taken = pair.payee.holding.take(voucher, pair.ring.now).unwrap().unwrap();
    assert!(!taken.is_safe, "it came too late to be sure");
    pair.begin(Proposer::Payee, false).unwrap();
    assert_eq!(paid(&pair.drive(Proposer::Payee, &[0, 1, 2])[0].entry), [60, 40]);
}

#[test]
fn t6_what_the_payee_has_half_brought_through_is_completed_by_the_payer() {
    let mut pair = Pair::new(NOW.after(DAY), 100);
    let voucher = pair.pay(60).unwrap();
    pair.payee.holding.take(voucher, NOW).unwrap();
    pair.begin(Proposer::Payee, false).unwrap();
    // All prepare; one locks, and then the payee is gone.
    let policy = pair.ring.town.policy.clone();
    for witness in [0, 1, 2, 0] {
        let side = &mut pair.payee;
        let standing = side.standings.entry(witness).or_default().clone();
        let request = side.holding.ask(&standing, witness, &policy, &redeemer()).unwrap();
        let reply = pair.ring.ask(witness, request);
        assert!(matches!(reply, Reply::Vote(_)), "{reply:?}");
        pair.payee.holding.heed(&mut pair.payee.standings, witness, reply, &policy);
    }
    pair.ring.now = pair.payer.holding.due().unwrap();
    pair.begin(Proposer::Payer, true).unwrap();
    // The witness that has locked it is there.
    let completed = pair.drive(Proposer::Payer, &[0, 1, 3]);
    assert_eq!(completed.iter().map(|receipt| paid(&receipt.entry)).collect::<Vec<_>>(), [[60]]);
    pair.again(Proposer::Payer);
    pair.begin(Proposer::Payer, true).unwrap();
    assert_eq!(paid(&pair.drive(Proposer::Payer, &[0, 1, 2, 3])[0].entry), [40]);
}

#[test]
fn a_ballot_that_others_are_above_is_left_for_a_higher_one_of_the_same_side() {
    let mut pair = Pair::new(NOW.after(DAY), 100);
    pair.ring.now = pair.payer.holding.due().unwrap();
    pair.begin(Proposer::Payer, true).unwrap();
    // An older copy of the payer promised more, and forgot it.
    let (currency, chain) = (pair.ring.town.policy.currency(), pair.payer.holding.state().chain());
    let slot = SlotId { currency, epoch: 0, chain, seq: 0 };
    let above = Recover::propose(slot, 8, Some(*pair.payer.holding.opening()), &voucher_key());
    for witness in 0..3 {
        assert!(matches!(pair.ring.ask(witness, Request::Recover(above.clone())), Reply::Report(_)));
    }
    assert_eq!(pair.drive(Proposer::Payer, &[0, 1, 2, 3]), []);
    pair.again(Proposer::Payer);
    assert_eq!(paid(&pair.drive(Proposer::Payer, &[0, 1, 2, 3])[0].entry), [100]);
}

#[test]
fn what_a_payer_cannot_promise_is_refused_with_the_limit_and_what_is_left() {
    let mut pair = Pair::new(NOW.after(DAY), 100);
    pair.pay(60).unwrap();
    assert_eq!(pair.pay(41), Err(VoucherError::OverCap { funded: 100, left: 40, asked: 41 }));
    pair.pay(40).unwrap();
    assert_eq!(pair.pay(1), Err(VoucherError::OverCap { funded: 100, left: 0, asked: 1 }));
    let mut late = Pair::new(NOW.after(DAY), 100);
    let expires = NOW.after(DAY);
    late.ring.now = expires.before(MARGIN);
    assert_eq!(late.pay(1), Err(VoucherError::TooLate { expires }));
    late.ring.now = late.payer.holding.due().unwrap();
    late.begin(Proposer::Payer, true).unwrap();
    assert_eq!(late.begin(Proposer::Payer, true), Err(BeginError::UnderWay));
}

#[test]
fn e03_what_a_payee_is_shown_is_good_by_the_policy_alone_or_is_refused() {
    let mut pair = Pair::new(NOW.after(DAY), 100);
    let funding = pair.payer.holding.funding().clone();
    let policy = pair.ring.town.policy.clone();
    let (account, key) = (pair.ring.town.chain(1), redeemer().vk());
    let certified = funding.verify(&policy).unwrap().verify().unwrap();
    let shown = |idx, account, key, now| Holding::of_payee(&certified, idx, account, &key, now).map(|_| ());
    assert_eq!(shown(0, account, key, NOW), Ok(()));
    assert_eq!(shown(1, account, key, NOW), Err(NotFunded::NoTab));
    assert_eq!(shown(0, pair.ring.town.chain(0), key, NOW), Err(NotFunded::NotMine));
    assert_eq!(shown(0, account, voucher_key().vk(), NOW), Err(NotFunded::NotMine));
    let expires = NOW.after(DAY);
    assert_eq!(shown(0, account, key, expires.before(MARGIN)), Err(NotFunded::TooLate { expires }));
    let good = pair.pay(10).unwrap();
    let over = Voucher::sign(good.tab, amount(101), None, &voucher_key());
    let memo = Some(NoteHash::new([1; 32]));
    let tab = kinfolk_wire::ids::AccountId::new([9; 32]);
    for (voucher, expected) in [
        (Voucher { total: amount(11), ..good }, VoucherError::NotGenuine),
        (Voucher { memo_hash: memo, ..good }, VoucherError::NotGenuine),
        (Voucher::sign(good.tab, amount(20), None, &redeemer()), VoucherError::NotGenuine),
        (Voucher { tab, ..good }, VoucherError::OtherTab),
        (over, VoucherError::OverCap { funded: 100, left: 100, asked: 101 }),
    ] {
        assert_eq!(pair.payee.holding.take(voucher, NOW), Err(expected));
    }
    assert_eq!(pair.payee.holding.take(good, NOW).unwrap().unwrap().more, Amount::new(10).unwrap());
    assert_eq!(pair.payer.holding.take(good, NOW), Err(VoucherError::Side));
}

#[test]
fn e01_a_payer_who_asks_before_the_expiry_is_promised_nothing_and_hinders_nobody() {
    let mut pair = Pair::new(NOW.after(DAY), 100);
    let voucher = pair.pay(60).unwrap();
    pair.payee.holding.take(voucher, NOW).unwrap();
    // A payer whose clock is ahead, or who lies.
    let now = pair.ring.now;
    pair.ring.now = pair.payer.holding.due().unwrap();
    pair.begin(Proposer::Payer, true).unwrap();
    pair.ring.now = now;
    assert_eq!(pair.drive(Proposer::Payer, &[0, 1, 2, 3]), []);
    assert!(pair.payer.standings.values().all(|standing| standing.trouble().is_some()));
    pair.begin(Proposer::Payee, false).unwrap();
    assert_eq!(paid(&pair.drive(Proposer::Payee, &[0, 1, 2])[0].entry), [60]);
}

#[test]
fn e07_a_payee_who_opens_the_highest_ballots_leaves_the_payer_higher_ones() {
    let mut pair = Pair::new(NOW.after(DAY), 100);
    let (currency, chain) = (pair.ring.town.policy.currency(), pair.payer.holding.state().chain());
    let slot = SlotId { currency, epoch: 0, chain, seq: 0 };
    let opening = *pair.payer.holding.opening();
    let mut ask = |ballot: u32, key: &SecretKey| {
        let request = Request::Recover(Recover::propose(slot, ballot, Some(opening), key));
        let replies = (0..4).map(|witness| pair.ring.ask(witness, request.clone()));
        replies.filter(|reply| matches!(reply, Reply::Report(_))).count()
    };
    assert_eq!(ask(u32::MAX - 2, &redeemer()), 0);
    assert_eq!(ask(1_001, &redeemer()), 0);
    assert_eq!(ask(999, &redeemer()), 4);
    pair.ring.now = pair.payer.holding.due().unwrap();
    pair.begin(Proposer::Payer, true).unwrap();
    assert_eq!(pair.drive(Proposer::Payer, &[0, 1, 2, 3]), []);
    pair.again(Proposer::Payer);
    assert_eq!(paid(&pair.drive(Proposer::Payer, &[0, 1, 2, 3])[0].entry), [100]);
}
