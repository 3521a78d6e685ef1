//! Tabs: money put aside, vouchers, and what becomes of them when both sides want another thing.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_ledger::account::{Account, Refusal};
use kinfolk_ledger::chain::Invalid;
use kinfolk_ledger::entry::{Body, Claim, Class, Ctl, Destination, Entry, Out, OutRef};
use kinfolk_ledger::escrow::{Opening, Proposer, Stamp, Tab, TabAct, TabEntry, TabInvalid, TabState, Terms, Voucher};
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_ledger::recovery::{GenuineReport, Recover, SignedReport};
use kinfolk_ledger::rules::NotValid;
use kinfolk_ledger::signature::SecretKey;
use kinfolk_ledger::vote::{Cert, GenuineVote, PrepCert, Receipt, SlotId};
use kinfolk_wire::ids::Signature;
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::support::shelf::PaperShelf;
use super::support::*;
use super::witness::{Ring, propose, refused};

const DAY: Span = Span::from_days(1);
const MINUTE: Span = Span::from_secs(60);

pub(crate) fn redeemer() -> SecretKey {
    key(40, 1)
}

pub(crate) fn voucher_key() -> SecretKey {
    key(41, 0)
}

/// Terms by which the first person pays the second.
pub(crate) fn terms(town: &Town, expires: Timestamp) -> Tab {
    let (redeemer, voucher_key) = (redeemer().vk(), voucher_key().vk());
    Tab { payee: town.chain(1), redeemer, voucher_key, expires, epoch: 0 }
}

fn to_tab(tab: Tab, units: u64) -> Out {
    Out { to: Destination::Escrow(Terms::Tab(tab)), ..Out::cash(tab.payee, amount(units)) }
}

/// A tab of the first person, made a day ago.
pub(crate) fn funding(town: &mut Town, expires: Timestamp, units: u64) -> Entry {
    let outs = vec![to_tab(terms(town, expires), units)];
    town.next(0, Body { ts: NOW.before(DAY), outs, ..body() })
}

pub(crate) fn voucher(opening: &Opening, total: u64) -> Voucher {
    Voucher::sign(opening.chain(), amount(total), None, &voucher_key())
}

fn secret(by: Proposer) -> SecretKey {
    match by {
        Proposer::Payer => voucher_key(),
        Proposer::Payee => redeemer(),
    }
}

/// The tab as witnesses have it.
fn state(town: &mut Town, opening: &Opening, funded: u64) -> TabState {
    let currency = town.policy.currency();
    let known = town.booths[0].account(opening.chain()).tab().cloned();
    known.unwrap_or_else(|| TabState::new(currency, *opening, amount(funded)))
}

pub(crate) fn signed(town: &Town, state: &TabState, by: Proposer, act: TabAct) -> Result<Entry, Invalid> {
    let stamp = Stamp { now: NOW, blind: [7; 16], policy: &town.policy };
    state.sign(by, act, stamp, &secret(by))
}

/// Four witnesses that know a funded tab.
struct Till {
    ring: Ring,
    opening: Opening,
    funded: u64,
    /// Whether a witness loses power after each answer.
    restarts: bool,
}

impl Till {
    fn new(expires: Timestamp, units: u64) -> Self {
        let mut ring = Ring::with_rich(4, 1);
        let entry = funding(&mut ring.town, expires, units);
        ring.settle(&entry);
        let opening = Opening::of(&entry, 0).unwrap();
        Self { ring, opening, funded: units, restarts: true }
    }

    fn state(&mut self) -> TabState {
        state(&mut self.ring.town, &self.opening, self.funded)
    }

    fn entry(&mut self, by: Proposer, act: TabAct) -> Entry {
        let state = self.state();
        signed(&self.ring.town, &state, by, act).unwrap()
    }

    fn redeem(&mut self, total: u64) -> Entry {
        let voucher = voucher(&self.opening, total);
        self.entry(Proposer::Payee, TabAct::Redeem(voucher))
    }

    fn prepare(&mut self, at: u8, ballot: u32, entry: &Entry, reports: &[SignedReport]) -> Reply {
        let (entry, reports) = (entry.clone(), reports.to_vec());
        self.ring.ask(at, Request::Prepare { ballot, entry, reports, cited: vec![] })
    }

    fn recover(&mut self, at: u8, slot: SlotId, ballot: u32) -> Reply {
        let request = Recover::propose(slot, ballot, Some(self.opening), &secret(Proposer::of(ballot)));
        self.ring.ask(at, Request::Recover(request))
    }

    fn reports(&mut self, slot: SlotId, ballot: u32, at: &[u8]) -> Vec<SignedReport> {
        let reports = at.iter().map(|at| match self.recover(*at, slot, ballot) {
            Reply::Report(report) => report,
            other => panic!("{other:?}"),
        });
        reports.collect()
    }

    /// Prepares and locks at these witnesses, with a loss of power after every answer, and tells all.
    fn order(&mut self, ballot: u32, entry: &Entry, reports: &[SignedReport], at: &[u8]) -> Receipt {
        let slot = SlotId::of(entry.header());
        let vote = |till: &mut Self, at: u8, request: Request| {
            let said = till.ring.ask(at, request.clone());
            if till.restarts {
                till.ring.restart(at, PaperShelf::without_index);
            }
            assert_eq!(till.ring.ask(at, request), said, "the same again has the same answer");
            match said {
                Reply::Vote(vote) => till.ring.town.genuine(vote),
                other => panic!("{other:?}"),
            }
        };
        let request = Request::Prepare { ballot, entry: entry.clone(), reports: reports.to_vec(), cited: vec![] };
        let votes: Vec<_> = at.iter().map(|at| vote(self, *at, request.clone())).collect();
        let prepared = PrepCert::of(&votes, &self.ring.town.policy).unwrap();
        let request = Request::Lock { slot, prepared };
        let votes: Vec<_> = at.iter().map(|at| vote(self, *at, request.clone())).collect();
        let cert = Cert::of(&votes, &self.ring.town.policy).unwrap();
        let receipt = Receipt { entry: entry.clone(), cert };
        self.tell(&receipt);
        receipt
    }

    fn tell(&mut self, receipt: &Receipt) {
        let certified = receipt.clone().verify(&self.ring.town.policy).unwrap().verify().unwrap();
        self.ring.town.tell(&certified);
        (0..4).for_each(|at| self.ring.commit(at, std::slice::from_ref(receipt)));
    }
}

fn why(reply: &Reply) -> &str {
    match reply {
        Reply::Refused(Reason::Invalid(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_redeemed_is_money_and_what_is_left_comes_back() {
    let mut till = Till::new(NOW.after(DAY), 100);
    let (chain, mine) = (till.opening.chain(), till.ring.town.chain(0));
    let first = till.redeem(30);
    let first = till.order(1, &first, &[], &[0, 1, 2]);
    assert_eq!(first.entry.body().outs, [Out::cash(till.ring.town.chain(1), amount(30))]);
    // From the index alone, which has the state of a tab like that of an account.
    for at in 0..4_u8 {
        till.ring.witnesses[usize::from(at)].settle().unwrap();
        till.ring.restart(at, |shelf| shelf);
        assert_eq!(till.ring.next_at(at, chain), 1);
    }
    // Growing sums: the next pays the difference, whatever was in between.
    let second = till.redeem(75);
    let second = till.order(1, &second, &[], &[1, 2, 3]);
    assert_eq!(second.entry.body().outs[0].amt, amount(45));
    till.ring.now = NOW.after(DAY).after(Span::from_secs(300));
    let last = voucher(&till.opening, 80);
    let close = till.entry(Proposer::Payer, TabAct::Close(Some(last)));
    let reports = till.reports(SlotId::of(close.header()), 2, &[0, 1, 2]);
    let close = till.order(2, &close, &reports, &[0, 1, 2]);
    assert_eq!(close.entry.body().outs, [Out::cash(till.ring.town.chain(1), amount(5)), Out::cash(mine, amount(20))]);
    let closed = till.state();
    assert!(closed.is_closed() && closed.left() == 0 && closed.redeemed() == 80);
    // Both claim what came, like any other money.
    let rest = Claim { out: OutRef { chain, seq: 2, idx: 1 }, class: Class::Free, amt: amount(20) };
    let claimed = till.ring.town.next(0, Body { claims: vec![rest], ..body() });
    till.ring.settle(&claimed);
    assert_eq!(till.ring.town.state(mine).balances().free, 1_000 - 80);
    let claims = [(0, 30), (1, 45), (2, 5)].map(|(seq, units)| Claim {
        out: OutRef { chain, seq, idx: 0 },
        class: Class::Free,
        amt: amount(units),
    });
    till.ring.town.open(1, claims.to_vec()).unwrap();
    assert_eq!(till.ring.town.state(till.ring.town.chain(1)).balances().free, 80);
    assert_eq!(till.ring.witnesses[0].status().accounts, 2, "a tab is no account");
}

#[test]
fn a_tab_that_was_drawn_on_to_its_end_is_closed_by_that() {
    let mut till = Till::new(NOW.after(DAY), 100);
    let all = till.redeem(100);
    till.order(1, &all, &[], &[0, 1, 2]);
    let state = till.state();
    assert!(state.is_closed());
    let more = signed(&till.ring.town, &state, Proposer::Payee, TabAct::Close(None));
    assert!(matches!(more, Err(Invalid::Tab(TabInvalid::Closed))));
}

#[test]
fn e08_until_a_tab_expires_only_its_payee_takes_from_it_by_the_witnesses_clocks() {
    let expires = NOW.after(DAY);
    let mut till = Till::new(expires, 100);
    let close = till.entry(Proposer::Payer, TabAct::Close(None));
    let redeem = till.redeem(60);
    let slot = SlotId::of(close.header());
    let edge = expires.after(Span::from_secs(300));
    till.ring.now = edge.before(Span::from_millis(1));
    assert!(why(&till.recover(0, slot, 2)).contains("payee opens ballots"));
    assert!(matches!(till.recover(3, slot, 3), Reply::Report(_)), "the payee's");
    assert!(matches!(till.prepare(0, 1, &redeem, &[]), Reply::Vote(_)));
    till.ring.now = edge;
    assert!(why(&till.prepare(1, 1, &redeem, &[])).contains("redeem no more"));
    assert!(why(&till.recover(1, slot, 3)).contains("payer"));
    assert!(matches!(till.prepare(0, 1, &redeem, &[]), Reply::Vote(_)), "what it said it says again");
    let late = till.entry(Proposer::Payee, TabAct::Close(Some(voucher(&till.opening, 60))));
    assert!(matches!(till.prepare(1, 1, &late, &[]), Reply::Vote(_)), "nobody is hurt by a payee who comes late");
    assert!(matches!(till.recover(2, slot, 2), Reply::Report(_)));
    let reports = till.reports(slot, 4, &[1, 2, 3]);
    till.ring.now = till.ring.now.before(MINUTE);
    assert!(why(&till.recover(0, slot, 6)).contains("payee opens ballots"));
    assert!(why(&till.prepare(2, 4, &close, &reports)).contains("only its payee may close"), "a clock that went back");
}

#[test]
fn e08_what_the_payee_may_have_redeemed_in_time_binds_the_payer_afterwards() {
    let mut till = Till::new(NOW.after(DAY), 100);
    let redeem = till.redeem(60);
    let slot = SlotId::of(redeem.header());
    let votes: Vec<GenuineVote> = (0..3)
        .map(|at| match till.prepare(at, 1, &redeem, &[]) {
            Reply::Vote(vote) => till.ring.town.genuine(vote),
            other => panic!("{other:?}"),
        })
        .collect();
    let prepared = PrepCert::of(&votes, &till.ring.town.policy).unwrap();
    assert!(matches!(till.ring.ask(0, Request::Lock { slot, prepared }), Reply::Vote(_)));
    till.ring.now = NOW.after(DAY).after(DAY);
    let close = till.entry(Proposer::Payer, TabAct::Close(None));
    let reports = till.reports(slot, 2, &[0, 1, 3]);
    assert!(why(&till.prepare(1, 2, &close, &reports)).contains("admit another entry"));
    let done = till.order(2, &redeem, &reports, &[1, 2, 3].map(|at| if at == 2 { 0 } else { at }));
    assert_eq!(done.entry.body().outs[0].amt, amount(60));
    let rest = till.entry(Proposer::Payer, TabAct::Close(None));
    let reports = till.reports(SlotId::of(rest.header()), 2, &[1, 2, 3]);
    assert_eq!(till.order(2, &rest, &reports, &[1, 2, 3]).entry.body().outs[0].amt, amount(40));
}

#[test]
fn e01_an_escrow_chain_has_no_fast_votes_and_nobody_binds_it_by_reporting_one() {
    let mut till = Till::new(NOW.before(MINUTE.times(60)), 100);
    let close = till.entry(Proposer::Payer, TabAct::Close(None));
    let redeem = till.redeem(100);
    assert!(why(&till.ring.ask(0, propose(&redeem))).contains("ballots from 1"));
    let slot = SlotId::of(close.header());
    let mut reports = till.reports(slot, 2, &[0, 1, 2]);
    // A faulty witness says that it voted fast for what the payee would have liked to redeem in time.
    let lie = kinfolk_ledger::recovery::Findings { v0: redeem.signed_header(), ..reports[2].findings.clone() };
    reports[2] = lying(&lie, 2);
    assert!(why(&till.prepare(0, 2, &redeem, &reports)).contains("not of this ballot"));
    assert!(why(&till.prepare(0, 2, &close, &reports)).contains("not of this ballot"));
    let honest = till.reports(slot, 2, &[0, 1, 2]);
    assert!(why(&till.prepare(0, 2, &redeem, &honest)).contains("whom the ballot belongs to"));
    till.order(2, &close, &honest, &[0, 1, 2]);
}

/// Findings that a witness signs although they are not so.
pub(crate) fn lying(findings: &kinfolk_ledger::recovery::Findings, at: u8) -> SignedReport {
    SignedReport { findings: findings.clone(), witness: at, signature: raw_report(findings, at) }
}

fn raw_report(findings: &kinfolk_ledger::recovery::Findings, at: u8) -> Signature {
    let bytes = kinfolk_wire::codec::to_cbor(findings);
    let message = [kinfolk_ledger::domain::Domain::Report.as_str().as_bytes(), &bytes].concat();
    let mut seed = [2; 32];
    seed[1] = at;
    Signature::new(ed25519_zebra::SigningKey::from(seed).sign(&message).to_bytes())
}

#[test]
fn e03_a_tab_is_funded_once_by_the_output_that_its_id_names() {
    let mut till = Till::new(NOW.after(DAY), 100);
    // Of more than there is.
    let rich = TabState::new(till.ring.town.policy.currency(), till.opening, amount(500));
    let too_much =
        signed(&till.ring.town, &rich, Proposer::Payee, TabAct::Redeem(voucher(&till.opening, 300))).unwrap();
    assert!(why(&till.prepare(0, 1, &too_much, &[])).contains("not this account's to claim"));
    // Of an output that nobody certified.
    let funding = OutRef { seq: 7, ..till.opening.funding };
    let invented = Opening { funding, ..till.opening };
    let state = TabState::new(till.ring.town.policy.currency(), invented, amount(100));
    let entry = signed(&till.ring.town, &state, Proposer::Payee, TabAct::Redeem(voucher(&invented, 10))).unwrap();
    let chain = funding.chain;
    assert_eq!(till.prepare(0, 1, &entry, &[]), refused(Reason::NotCited { chain, seq: 7 }));
    // By an account.
    let out = till.opening.funding;
    let steal = Body { claims: vec![Claim { out, class: Class::Free, amt: amount(100) }], ..body() };
    let steal = till.ring.town.next(0, steal);
    assert!(why(&till.ring.ask(0, propose(&steal))).contains("not this account's to claim"));
    // Under another id.
    let other = Opening { terms: Terms::Tab(Tab { epoch: 1, ..*till.opening.tab() }), ..till.opening };
    assert_ne!(other.chain(), till.opening.chain());
}

#[test]
fn e03_a_voucher_is_of_one_tab_and_grows_and_is_redeemed_once() {
    let mut till = Till::new(NOW.after(DAY), 100);
    let entry = till.redeem(30);
    till.order(1, &entry, &[], &[0, 1, 2]);
    let (state, opening) = (till.state(), till.opening);
    let refused = |act: TabAct| signed(&till.ring.town, &state, Proposer::Payee, act).unwrap_err();
    let redeemed = |total| Invalid::Tab(TabInvalid::Redeemed { total, redeemed: 30 });
    assert_eq!(refused(TabAct::Redeem(voucher(&opening, 30))), redeemed(30));
    assert_eq!(refused(TabAct::Redeem(voucher(&opening, 29))), redeemed(29));
    assert_eq!(refused(TabAct::Close(Some(voucher(&opening, 29)))), redeemed(29));
    let over = Invalid::Tab(TabInvalid::OverCap { total: 101, funded: 100 });
    assert_eq!(refused(TabAct::Redeem(voucher(&opening, 101))), over);
    let other = Opening { funding: OutRef { idx: 1, ..opening.funding }, ..opening };
    assert_eq!(refused(TabAct::Redeem(voucher(&other, 40))), Invalid::Tab(TabInvalid::Voucher));
    // Signed by another key, and with another sum than was signed.
    let forged = [
        Voucher::sign(opening.chain(), amount(40), None, &redeemer()),
        Voucher { total: amount(41), ..voucher(&opening, 40) },
    ];
    for voucher in forged {
        let entry = till.entry(Proposer::Payee, TabAct::Redeem(voucher));
        assert!(why(&till.prepare(0, 1, &entry, &[])).contains("not genuine"));
        assert!(voucher.unverified(&till.opening.tab().voucher_key).verify().is_err());
    }
}

#[test]
fn what_a_tab_pays_follows_from_its_voucher_and_by_whom_it_is() {
    let mut till = Till::new(NOW.after(DAY), 100);
    let good = till.redeem(30);
    let at = state(&mut till.ring.town, &till.opening, 100);
    let stamp = Stamp { now: NOW, blind: [7; 16], policy: &till.ring.town.policy };
    let payers = at.sign(Proposer::Payer, TabAct::Redeem(voucher(&till.opening, 30)), stamp, &voucher_key());
    assert_eq!(payers.unwrap_err(), Invalid::Tab(TabInvalid::Proposer));
    let position = kinfolk_ledger::entry::Position {
        currency: till.ring.town.policy.currency(),
        epoch: 0,
        chain: at.chain(),
        seq: 0,
        prev: at.head(),
        key_seq: 1,
    };
    let change = |change: fn(&mut Body)| {
        let mut body = good.body().clone();
        change(&mut body);
        Entry::sign(position, body, &redeemer())
    };
    for (changed, expected) in [
        (change(|body| body.outs[0].amt = amount(31)), TabInvalid::Outs),
        (change(|body| body.outs[0].invoice = Some(kinfolk_wire::ids::NoteHash::new([1; 32]))), TabInvalid::Outs),
        (change(|body| body.outs.clear()), TabInvalid::Outs),
        (change(|body| body.claims.clear()), TabInvalid::Opening),
        (change(|body| body.memo_hash = Some(kinfolk_wire::ids::NoteHash::new([1; 32]))), TabInvalid::Opening),
        (
            change(|body| {
                if let Some(Ctl::Tab(TabEntry { opening, .. })) = &mut body.ctl {
                    *opening = None;
                }
            }),
            TabInvalid::Opening,
        ),
    ] {
        let tried = at.try_entry(&changed, &till.ring.town.policy).unwrap_err();
        assert_eq!(tried, Invalid::Tab(expected));
    }
    let by_thief = Entry::sign(position, good.body().clone(), &voucher_key());
    assert!(why(&till.prepare(0, 1, &by_thief, &[])).contains("not genuine"));
    assert!(at.try_entry(&good, &till.ring.town.policy).is_ok());
}

#[test]
fn what_funds_a_tab_is_plain_cash_for_another_and_for_thirty_days_at_most() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let tab = terms(&town, NOW.after(DAY));
    let out = to_tab(tab, 100);
    let mut tried = |out: Out| {
        let entry = town.next(0, Body { outs: vec![out], ..body() });
        let state = town.state(town.chain(0));
        state.try_entry(&entry, &town.policy).map(|_| ())
    };
    let of = |tab: Tab| Out { to: Destination::Escrow(Terms::Tab(tab)), ..out.clone() };
    assert_eq!(tried(out.clone()), Ok(()));
    assert_eq!(tried(of(Tab { expires: NOW.after(Span::from_days(30)), ..tab })), Ok(()));
    let most = Span::from_days(30);
    let too_long = NOW.after(most).after(Span::from_millis(1));
    for (out, expected) in [
        (of(Tab { expires: too_long, ..tab }), TabInvalid::Expires { most }.into()),
        (of(Tab { expires: NOW, ..tab }), TabInvalid::Expires { most }.into()),
        (of(Tab { epoch: 1, ..tab }), TabInvalid::Epoch.into()),
        (of(Tab { payee: inception(&loaded(4, 1), 0).account(), ..tab }), TabInvalid::ToItself.into()),
        (of(Tab { voucher_key: kinfolk_wire::ids::Vk::new([0; 32]), ..tab }), TabInvalid::WeakKey.into()),
        (of(Tab { redeemer: kinfolk_wire::ids::Vk::new([0; 32]), ..tab }), TabInvalid::WeakKey.into()),
        (Out { class: Class::Card, ..out.clone() }, TabInvalid::NotCash.into()),
        (Out { invoice: Some(kinfolk_wire::ids::NoteHash::new([1; 32])), ..out.clone() }, TabInvalid::NotCash.into()),
        (Out { amt: amount(9), ..out.clone() }, Invalid::TooSmall { least: amount(10), found: amount(9) }),
    ] {
        assert_eq!(tried(out), Err(expected));
    }
    let minted = Body { ctl: Some(Ctl::Mint { class: Class::Free }), outs: vec![out], ..body() };
    let at = town.state(town.policy.issuing_account());
    let entry = Entry::sign(at.next_position(0), minted, &issuer());
    assert_eq!(at.try_entry(&entry, &town.policy).map(|_| ()), Err(TabInvalid::NotCash.into()));
}

#[test]
fn what_a_tab_paid_is_not_refunded_into_a_chain_that_nobody_has() {
    let mut till = Till::new(NOW.after(DAY), 100);
    let paid = till.redeem(30);
    let paid = till.order(1, &paid, &[], &[0, 1, 2]);
    let paid = paid.verify(&till.ring.town.policy).unwrap().verify().unwrap();
    till.ring.town.open(1, vec![claim(&paid, 0)]).unwrap();
    let refund_of = Some(claim(&paid, 0).out);
    let back = Out { refund_of, ..Out::cash(till.opening.chain(), amount(30)) };
    let entry = till.ring.town.next(1, Body { outs: vec![back], ..body() });
    let refused = till.ring.town.certify(&entry).unwrap_err();
    assert_eq!(refused, Refusal::NotValid(NotValid::Refund { paid: 30 }));
}

#[test]
fn e07_redeeming_a_unit_at_a_time_is_counted_as_entries_are() {
    let mut till = Till { restarts: false, ..Till::new(NOW.after(DAY), 100) };
    for total in 1..=20 {
        let entry = till.redeem(total);
        till.order(1, &entry, &[], &[0, 1, 2]);
    }
    let entry = till.redeem(21);
    assert!(matches!(till.prepare(0, 1, &entry, &[]), Reply::Refused(Reason::Later { .. })));
}

#[test]
fn i01_whatever_is_done_with_tabs_no_money_comes_or_goes() {
    for seed in 0..24 {
        histories(seed);
    }
}

/// A town in which the first two put money aside for each other, and take it, and have it back.
fn histories(seed: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut town = Town::new(4, 1);
    town.open_issuer();
    for number in 0..2 {
        town.rich(number, 1_000);
    }
    let mut tabs: Vec<(Opening, u8, u64)> = Vec::new();
    for _ in 0..40 {
        let pick = rng.next_u32();
        match pick % 5 {
            0 => {
                let from = (pick >> 8) as u8 % 2;
                let expires = if pick & 0x10 == 0 { NOW.after(DAY) } else { NOW.before(MINUTE.times(10)) };
                let tab = Tab { payee: town.chain(1 - from), ..terms(&town, expires) };
                let outs = vec![to_tab(tab, 10 + u64::from(pick >> 16) % 90)];
                let entry = town.next(from, Body { ts: NOW.before(DAY), outs, ..body() });
                if town.settle(&entry).is_ok() {
                    tabs.push((Opening::of(&entry, 0).unwrap(), from, entry.body().outs[0].amt.units()));
                }
            }
            1..=3 if !tabs.is_empty() => {
                let (opening, _, funded) = tabs[(pick >> 8) as usize % tabs.len()];
                let at = state(&mut town, &opening, funded);
                let total = 1 + u64::from(pick >> 16) % funded;
                let voucher = voucher(&opening, total);
                let (by, act) = match pick % 5 {
                    1 => (Proposer::Payee, TabAct::Redeem(voucher)),
                    2 => (Proposer::Payee, TabAct::Close((pick & 0x20 == 0).then_some(voucher))),
                    _ => (Proposer::Payer, TabAct::Close((pick & 0x20 == 0).then_some(voucher))),
                };
                if let Ok(entry) = signed(&town, &at, by, act) {
                    agree(&mut town, &opening, by, &entry);
                }
            }
            _ => claim_all(&mut town, (pick >> 8) as u8 % 2),
        }
        conserved(&mut town, &tabs, seed);
    }
}

/// Certifies an entry of a tab if the witnesses let it.
fn agree(town: &mut Town, opening: &Opening, by: Proposer, entry: &Entry) {
    let ballot = if by == Proposer::Payee { 1 } else { 2 };
    let slot = SlotId::of(entry.header());
    let reports: Vec<_> = match by {
        Proposer::Payee => Vec::new(),
        Proposer::Payer => (0..4).filter_map(|at| report(town, at, opening, slot, ballot, NOW)).collect(),
    };
    let votes: Vec<_> = (0..4).filter_map(|at| town.prepare(at, ballot, entry, &reports).ok()).collect();
    let Some(prepared) = PrepCert::of(&votes, &town.policy) else { return };
    let votes: Vec<_> = (0..4).filter_map(|at| town.lock(at, &prepared, slot).ok()).collect();
    let cert = Cert::of(&votes, &town.policy).unwrap();
    let certified = cert.attach(entry.clone(), &town.policy).unwrap().verify().unwrap();
    town.tell(&certified);
}

fn report(
    town: &mut Town,
    at: u8,
    opening: &Opening,
    slot: SlotId,
    ballot: u32,
    now: Timestamp,
) -> Option<GenuineReport> {
    let request = Recover::propose(slot, ballot, Some(*opening), &secret(Proposer::of(ballot)));
    let request = request.unverified_of(opening.tab()).unwrap().verify().unwrap();
    let booth = &mut town.booths[usize::from(at)];
    let held = booth.account(slot.chain).recover_tab(&request, &town.policy, now).ok()?;
    let report = held.release(&mut booth.log).unwrap().sign(at, &key(2, at));
    Some(report.unverified(&redeemer().vk(), &town.policy).unwrap().verify().unwrap())
}

fn outputs(town: &Town) -> BTreeMap<OutRef, Out> {
    let mut found = BTreeMap::new();
    for ((chain, seq), certified) in &town.certified {
        for (idx, out) in (0..).zip(&certified.entry().body().outs) {
            found.insert(OutRef { chain: *chain, seq: *seq, idx }, out.clone());
        }
    }
    found
}

fn claimed(town: &Town) -> Vec<OutRef> {
    town.certified
        .values()
        .flat_map(|certified| certified.entry().body().claims.iter().map(|claim| claim.out))
        .collect()
}

fn claim_all(town: &mut Town, number: u8) {
    let (chain, before) = (town.chain(number), claimed(town));
    let mine =
        outputs(town).into_iter().filter(|(out, of)| of.to == Destination::Account(chain) && !before.contains(out));
    let claims: Vec<Claim> = mine.map(|(out, of)| Claim { out, class: Class::Free, amt: of.amt }).take(64).collect();
    if !claims.is_empty() {
        let entry = town.next(number, Body { claims, ..body() });
        town.settle(&entry).unwrap();
    }
}

/// I1 with open tabs, and I2.
fn conserved(town: &mut Town, tabs: &[(Opening, u8, u64)], seed: u64) {
    let claimed = claimed(town);
    let once: BTreeSet<&OutRef> = claimed.iter().collect();
    assert_eq!(once.len(), claimed.len(), "seed {seed}: an output was claimed twice");
    let unclaimed: u64 =
        outputs(town).iter().filter(|(out, _)| !once.contains(out)).map(|(_, out)| out.amt.units()).sum();
    let issuing = town.policy.issuing_account();
    let supply = town.state(issuing).supply().unwrap();
    let chains = [issuing, town.chain(0), town.chain(1)];
    let balances: u64 = chains.iter().map(|chain| town.state(*chain).balances().free).sum();
    // What nobody has opened yet is an output that nobody has claimed.
    let open =
        |opening: &Opening| town.booths[0].accounts.get(&opening.chain()).and_then(Account::tab).map(TabState::left);
    let escrows: u64 = tabs.iter().filter_map(|(opening, ..)| open(opening)).sum();
    assert_eq!(supply.minted - supply.burned, balances + unclaimed + escrows, "seed {seed}");
}

#[test]
fn e09_raced_by_both_sides_round_the_expiry_no_two_entries_of_a_tab_are_certified() {
    let (mut by_payee, mut by_payer) = (0, 0);
    for seed in 0..160 {
        match race(seed) {
            Some(Proposer::Payee) => by_payee += 1,
            Some(Proposer::Payer) => by_payer += 1,
            None => panic!("seed {seed}: nobody came to an end"),
        }
    }
    assert!(by_payee > 10 && by_payer > 10, "{by_payee} and {by_payer}");
}

/// Both sides ask what they like of four witnesses, each with a clock of its own and the last without a memory, in any
/// order. By whom the entry is that is certified in the end.
fn race(seed: u64) -> Option<Proposer> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let expires = NOW;
    let paid = funding(&mut town, expires, 100);
    town.settle(&paid).unwrap();
    let opening = Opening::of(&paid, 0).unwrap();
    let at = state(&mut town, &opening, 100);
    let entries = [
        signed(&town, &at, Proposer::Payee, TabAct::Redeem(voucher(&opening, 60))).unwrap(),
        signed(&town, &at, Proposer::Payee, TabAct::Close(Some(voucher(&opening, 70)))).unwrap(),
        signed(&town, &at, Proposer::Payer, TabAct::Close(Some(voucher(&opening, 10)))).unwrap(),
        signed(&town, &at, Proposer::Payer, TabAct::Close(None)).unwrap(),
    ];
    let slot = SlotId::of(entries[0].header());
    let clocks: Vec<i64> = (0..4).map(|_| i64::from(rng.next_u32() % 600) - 300).collect();
    let mut votes: BTreeMap<Statement2, Vec<GenuineVote>> = BTreeMap::new();
    let mut reports: BTreeMap<u32, BTreeMap<u8, GenuineReport>> = BTreeMap::new();
    let mut certified: BTreeSet<usize> = BTreeSet::new();
    for step in 0..230_i64 {
        let truth = i64::try_from(expires.as_millis() / 1_000).unwrap() + (step - 60) * 10;
        let (witness, ballot) = ((rng.next_u32() % 4) as u8, 1 + rng.next_u32() % 5);
        let now = Timestamp::from_millis(u64::try_from(truth + clocks[usize::from(witness)]).unwrap() * 1_000);
        // The last witness has no memory.
        if witness == 3 {
            town.booths[3].accounts.remove(&opening.chain());
        }
        match rng.next_u32() % 3 {
            0 => {
                if let Some(report) = report(&mut town, witness, &opening, slot, ballot, now) {
                    reports.entry(ballot).or_default().insert(witness, report);
                }
            }
            1 => {
                let of = (rng.next_u32() % 4) as usize;
                let shown: Vec<_> =
                    reports.get(&ballot).into_iter().flatten().map(|(_, report)| report.clone()).collect();
                let shown = if ballot == 1 && rng.next_u32() % 2 == 0 { vec![] } else { shown };
                if witness == 3 {
                    // It promises whatever is wanted.
                    let _ = report(&mut town, 3, &opening, slot, ballot, now);
                }
                if let Ok(vote) = prepare_at(&mut town, witness, ballot, &entries[of], &shown, now) {
                    votes.entry((ballot, false, of)).or_default().push(vote);
                }
            }
            _ => {
                for of in 0..entries.len() {
                    let given = distinct(votes.get(&(ballot, false, of)));
                    let Some(prepared) = PrepCert::of(&given, &town.policy) else { continue };
                    if let Ok(vote) = town.lock(witness, &prepared, slot) {
                        votes.entry((ballot, true, of)).or_default().push(vote);
                    }
                    let given = distinct(votes.get(&(ballot, true, of)));
                    if Cert::of(&given, &town.policy).is_some() {
                        certified.insert(of);
                    }
                }
            }
        }
        assert!(certified.len() <= 1, "seed {seed}: {certified:?}");
    }
    let last = certified.first().copied().or_else(|| finish(&mut town, &opening, slot, &entries))?;
    Some(if last < 2 { Proposer::Payee } else { Proposer::Payer })
}

/// A ballot, whether it is of a commit, and the entry.
type Statement2 = (u32, bool, usize);

fn distinct(votes: Option<&Vec<GenuineVote>>) -> Vec<GenuineVote> {
    let by: BTreeMap<u8, GenuineVote> = votes.into_iter().flatten().map(|vote| (vote.vote().witness, *vote)).collect();
    by.into_values().collect()
}

fn prepare_at(
    town: &mut Town,
    at: u8,
    ballot: u32,
    entry: &Entry,
    reports: &[GenuineReport],
    now: Timestamp,
) -> Result<GenuineVote, Refusal> {
    let Town { policies, booths, certified, .. } = town;
    let booth = &mut booths[usize::from(at)];
    let account = booth.account(entry.header().chain);
    let approved = account.approval(entry.clone()).unwrap().verify().unwrap();
    let held = account.prepare(ballot, approved, reports, policies, certified, now)?;
    let vote = held.release(&mut booth.log).unwrap().sign(at, &key(2, at));
    Ok(town.genuine(vote))
}

/// The payer ends it long after, with the correct witnesses there: T4.
fn finish(town: &mut Town, opening: &Opening, slot: SlotId, entries: &[Entry]) -> Option<usize> {
    let (now, ballot) = (NOW.after(DAY), 8);
    let reports: Vec<_> = (0..3).filter_map(|at| report(town, at, opening, slot, ballot, now)).collect();
    let order = [3, 2, 1, 0];
    for of in order {
        let votes: Vec<_> =
            (0..3).filter_map(|at| prepare_at(town, at, ballot, &entries[of], &reports, now).ok()).collect();
        let Some(prepared) = PrepCert::of(&votes, &town.policy) else { continue };
        let votes: Vec<_> = (0..3).filter_map(|at| town.lock(at, &prepared, slot).ok()).collect();
        return Cert::of(&votes, &town.policy).map(|_| of);
    }
    None
}

#[test]
fn e10_a_witness_prepares_one_entry_of_a_tab_in_ballot_one_whatever_it_is_asked() {
    let mut till = Till::new(NOW.after(DAY), 100);
    let (one, other) = (till.redeem(30), till.redeem(31));
    assert!(matches!(till.prepare(0, 1, &one, &[]), Reply::Vote(_)));
    for change in [|shelf| shelf, PaperShelf::without_index] {
        till.ring.witnesses[0].settle().unwrap();
        till.ring.restart(0, change);
        assert_eq!(till.prepare(0, 1, &other, &[]), refused(Reason::Promised { ballot: 1 }));
    }
    let slot = SlotId::of(one.header());
    assert!(matches!(till.recover(0, slot, 3), Reply::Report(_)));
    assert_eq!(till.prepare(0, 1, &one, &[]), refused(Reason::Promised { ballot: 3 }), "after a promise above");
}
