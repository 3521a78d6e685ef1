//! A currency with witnesses and people, all in memory, with real keys and signatures.

pub(crate) mod shelf;

use std::collections::BTreeMap;
use std::convert::Infallible;

use kinfolk_ledger::account::{Account, Committed, Record, Refusal};
use kinfolk_ledger::amount::Amount;
use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::entry::{Body, Claim, Class, Ctl, Entry, Out, OutRef, Position};
use kinfolk_ledger::inception::{Inception, Recovery};
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::policy::{Caps, Code, Limits, LoadedPolicy, Policies, Policy, SignedPolicy, VERSION, Witness};
use kinfolk_ledger::recovery::{GenuineReport, Recover, SignedReport};
use kinfolk_ledger::signature::{SecretKey, key_hash};
use kinfolk_ledger::slot::held::VoteLog;
use kinfolk_ledger::vote::{Cert, CertifiedEntry, GenuineVote, PrepCert, SlotId, Vote};
use kinfolk_wire::ids::{AccountId, EntryHash, PeerId, PolicyHash};
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use self::shelf::PaperShelf;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

pub(crate) fn key(kind: u8, number: u8) -> SecretKey {
    let mut seed = [kind; 32];
    seed[1] = number;
    SecretKey::from_seed(&seed)
}

pub(crate) fn issuer() -> SecretKey {
    key(1, 0)
}

pub(crate) fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

pub(crate) fn policy_of(n: u8, f: u8) -> Policy {
    Policy {
        v: VERSION,
        issuer: issuer().vk(),
        code: Code::new("KIN").unwrap(),
        decimals: 2,
        epoch: 0,
        prev: PolicyHash::new([0; 32]),
        witnesses: (0..n).map(|at| Witness { vk: key(2, at).vk(), peer_id: PeerId::new([at; 38]) }).collect(),
        f,
        max_supply: amount(1_000_000),
        classes: vec![Class::Free, Class::Card],
        offline: Caps {
            payment: amount(2_000),
            outstanding: amount(5_000),
            chained: 5,
            proof_age: Span::from_hours(72),
        },
        limits: Limits { min_open: amount(10), min_out: amount(1), per_minute: 20, per_day: 1_000 },
    }
}

pub(crate) fn loaded(n: u8, f: u8) -> LoadedPolicy {
    policy_of(n, f).sign(&issuer()).load().unwrap()
}

/// Somebody with an account and three friends, of whom two can recover it.
pub(crate) fn inception(policy: &LoadedPolicy, number: u8) -> Inception {
    let mut keys: Vec<_> = (0..3).map(|friend| key(20 + friend, number).vk()).collect();
    keys.sort();
    Inception {
        currency: policy.currency(),
        writer: key(10, number).vk(),
        next_writer: key_hash(&key(11, number).vk()),
        recovery: Recovery { keys, k: 2 },
        salt: [number; 16],
        since: None,
    }
}

/// The friends' keys, each with its place.
pub(crate) fn friends(policy: &LoadedPolicy, number: u8) -> Vec<(u8, SecretKey)> {
    let keys = inception(policy, number).recovery.keys;
    let secrets = (0..3).map(|friend| key(20 + friend, number));
    let placed = secrets.map(|secret| (keys.iter().position(|vk| *vk == secret.vk()).unwrap() as u8, secret));
    placed.collect()
}

pub(crate) fn body() -> Body {
    Body { ts: NOW, blind: [7; 16], claims: vec![], outs: vec![], ctl: None, memo_hash: None }
}

/// Where the first entry of an account stands.
pub(crate) fn first_position(policy: &LoadedPolicy, chain: AccountId) -> Position {
    let prev = EntryHash::new([0; 32]);
    Position { currency: policy.currency(), epoch: 0, chain, seq: 0, prev, key_seq: 0 }
}

/// The claim of an output of a certified entry.
pub(crate) fn claim(certified: &CertifiedEntry, idx: u8) -> Claim {
    let header = certified.entry().header();
    let out = &certified.entry().body().outs[usize::from(idx)];
    Claim { out: OutRef { chain: header.chain, seq: header.seq, idx }, class: out.class_once_claimed(), amt: out.amt }
}

#[derive(Default, Clone)]
pub(crate) struct Log(pub(crate) Vec<Record>);

impl VoteLog<Record> for Log {
    type Error = Infallible;

    fn append(&mut self, records: &[Record]) -> Result<(), Infallible> {
        self.0.extend_from_slice(records);
        Ok(())
    }
}

/// One witness and its log.
#[derive(Default, Clone)]
pub(crate) struct Booth {
    pub(crate) accounts: BTreeMap<AccountId, Account>,
    pub(crate) log: Log,
}

impl Booth {
    pub(crate) fn account(&mut self, chain: AccountId) -> &mut Account {
        self.accounts.entry(chain).or_insert_with(|| Account::new(chain))
    }

    /// As after a loss of power: the states that were kept, and the log.
    pub(crate) fn restart(&mut self) {
        for (chain, account) in &mut self.accounts {
            *account = Account::restore(*chain, account.state().cloned(), account.since(), &self.log.0);
        }
    }
}

/// All of it.
pub(crate) struct Town {
    pub(crate) policy: LoadedPolicy,
    pub(crate) policies: Policies,
    pub(crate) booths: Vec<Booth>,
    pub(crate) certified: BTreeMap<(AccountId, u64), CertifiedEntry>,
}

impl Town {
    pub(crate) fn new(n: u8, f: u8) -> Self {
        let policy = loaded(n, f);
        let policies = Policies::from(policy.clone());
        Self { policy, policies, booths: vec![Booth::default(); n.into()], certified: BTreeMap::new() }
    }

    pub(crate) fn vote(&mut self, at: u8, entry: Entry) -> Result<Vote, Refusal> {
        let Self { policies, booths, certified, .. } = self;
        let booth = &mut booths[usize::from(at)];
        let account = booth.account(entry.header().chain);
        let approved = account.approval(entry).unwrap().verify().unwrap();
        let held = account.propose(approved, policies, certified, NOW)?;
        Ok(held.release(&mut booth.log).unwrap().sign(at, &key(2, at)))
    }

    pub(crate) fn genuine(&self, vote: Vote) -> GenuineVote {
        vote.unverified(&self.policy).unwrap().verify().unwrap()
    }

    /// The votes of all that give one, or the first refusal.
    pub(crate) fn certify(&mut self, entry: &Entry) -> Result<CertifiedEntry, Refusal> {
        let n = self.policy.quorum().n() as u8;
        let votes: Vec<_> = (0..n).map(|at| self.vote(at, entry.clone())).collect();
        let given: Vec<_> = votes.iter().flatten().map(|vote| self.genuine(*vote)).collect();
        match Cert::of(&given, &self.policy) {
            Some(cert) => Ok(cert.attach(entry.clone(), &self.policy).unwrap().verify().unwrap()),
            None => Err(votes.into_iter().find_map(Result::err).unwrap()),
        }
    }

    /// Certifies an entry and tells everybody.
    pub(crate) fn settle(&mut self, entry: &Entry) -> Result<CertifiedEntry, Refusal> {
        let certified = self.certify(entry)?;
        self.tell(&certified);
        Ok(certified)
    }

    pub(crate) fn tell(&mut self, certified: &CertifiedEntry) {
        let header = certified.entry().header();
        self.certified.insert((header.chain, header.seq), certified.clone());
        for booth in &mut self.booths {
            let done = booth.account(header.chain).commit(certified.clone(), &self.policies).unwrap();
            assert!(!matches!(done, Committed::Parked));
        }
    }

    pub(crate) fn state(&mut self, chain: AccountId) -> ChainState {
        self.booths[0].account(chain).state().unwrap().clone()
    }

    /// The issuer's account, opened.
    pub(crate) fn open_issuer(&mut self) -> AccountId {
        let inception = Inception::of_issuer(self.policy.currency(), issuer().vk());
        let chain = inception.account();
        let body = Body { ctl: Some(Ctl::Open(inception)), ..body() };
        self.settle(&Entry::sign(first_position(&self.policy, chain), body, &issuer())).unwrap();
        chain
    }

    /// New money for somebody, which they can claim.
    pub(crate) fn mint(&mut self, to: AccountId, class: Class, units: u64) -> Result<CertifiedEntry, Refusal> {
        let issuing = self.policy.issuing_account();
        let at = self.state(issuing).next_position(0);
        let out = Out { class, ..Out::cash(to, amount(units)) };
        let body = Body { ctl: Some(Ctl::Mint { class }), outs: vec![out], ..body() };
        self.settle(&Entry::sign(at, body, &issuer()))
    }

    pub(crate) fn chain(&self, number: u8) -> AccountId {
        inception(&self.policy, number).account()
    }

    /// Opens somebody's account with what came in.
    pub(crate) fn open(&mut self, number: u8, claims: Vec<Claim>) -> Result<CertifiedEntry, Refusal> {
        let inception = inception(&self.policy, number);
        let at = first_position(&self.policy, inception.account());
        let body = Body { ctl: Some(Ctl::Open(inception)), claims, ..body() };
        self.settle(&Entry::sign(at, body, &key(10, number)))
    }

    /// Somebody with this much cash.
    pub(crate) fn rich(&mut self, number: u8, units: u64) -> AccountId {
        let minted = self.mint(self.chain(number), Class::Free, units).unwrap();
        self.open(number, vec![claim(&minted, 0)]).unwrap();
        self.chain(number)
    }

    /// An entry at the next place of somebody's chain.
    pub(crate) fn next(&mut self, number: u8, body: Body) -> Entry {
        let chain = self.chain(number);
        Entry::sign(self.state(chain).next_position(0), body, &key(10, number))
    }

    pub(crate) fn pay(&mut self, from: u8, to: u8, units: u64) -> Entry {
        let outs = vec![Out::cash(self.chain(to), amount(units))];
        self.next(from, Body { outs, ..body() })
    }

    /// The same as a wallet does it: the payment says what was there before.
    pub(crate) fn pay_as_a_wallet(&mut self, from: u8, to: u8, units: u64) -> Entry {
        let outs = vec![Out::cash(self.chain(to), amount(units))];
        let state_root = self.state(self.chain(from)).root();
        self.next(from, Body { outs, ctl: Some(Ctl::Checkpoint { state_root }), ..body() })
    }

    /// What a witness says last of somebody's chain.
    pub(crate) fn closing(&mut self, number: u8, at: u8) -> SignedReport {
        let (chain, currency) = (self.chain(number), self.policy.currency());
        let account = self.booths[usize::from(at)].account(chain);
        account.close(currency, 0).unwrap().sign(at, &key(2, at))
    }

    /// What witnesses report of the next place of somebody's chain under a ballot.
    pub(crate) fn reports(&mut self, number: u8, ballot: u32, booths: &[u8]) -> Vec<Result<GenuineReport, Refusal>> {
        let chain = self.chain(number);
        let slot = self.slot(number);
        let friends = friends(&self.policy, number);
        let signers: Vec<_> = friends.iter().take(2).map(|(place, key)| (*place, key)).collect();
        let writer = self.state(chain).keys().writer;
        let policy = &self.policy;
        booths
            .iter()
            .map(|at| {
                let booth = &mut self.booths[usize::from(*at)];
                let recovery = inception(policy, number).recovery;
                let request = Recover::sign(slot, ballot, None, &signers).unverified(&recovery).unwrap();
                let held = booth.account(chain).recover(&request.verify().unwrap(), policy)?;
                let report = held.release(&mut booth.log).unwrap().sign(*at, &key(2, *at));
                Ok(report.unverified(&writer, policy).unwrap().verify().unwrap())
            })
            .collect()
    }

    pub(crate) fn slot(&mut self, number: u8) -> SlotId {
        let chain = self.chain(number);
        let seq = self.state(chain).seq();
        SlotId { currency: self.policy.currency(), epoch: 0, chain, seq }
    }

    pub(crate) fn prepare(
        &mut self,
        at: u8,
        ballot: u32,
        entry: &Entry,
        reports: &[GenuineReport],
    ) -> Result<GenuineVote, Refusal> {
        let Self { policies, booths, certified, .. } = self;
        let booth = &mut booths[usize::from(at)];
        let account = booth.account(entry.header().chain);
        let approved = account.approval(entry.clone()).unwrap().verify().unwrap();
        let held = account.prepare(ballot, approved, reports, policies, certified, NOW)?;
        let vote = held.release(&mut booth.log).unwrap().sign(at, &key(2, at));
        Ok(self.genuine(vote))
    }

    pub(crate) fn lock(&mut self, at: u8, prepared: &PrepCert, slot: SlotId) -> Result<GenuineVote, Refusal> {
        let genuine = prepared.clone().unverified(slot, &self.policy).unwrap().verify().unwrap();
        let booth = &mut self.booths[usize::from(at)];
        let held = booth.account(slot.chain).lock(genuine, &self.policy)?;
        let vote = held.release(&mut booth.log).unwrap().sign(at, &key(2, at));
        Ok(self.genuine(vote))
    }

    /// Prepares and commits an entry at these witnesses, of a ballot that they promised.
    pub(crate) fn order(
        &mut self,
        ballot: u32,
        entry: &Entry,
        reports: &[GenuineReport],
        booths: &[u8],
    ) -> CertifiedEntry {
        let slot = SlotId::of(entry.header());
        let prepared: Vec<_> = booths.iter().map(|at| self.prepare(*at, ballot, entry, reports).unwrap()).collect();
        let prepared = PrepCert::of(&prepared, &self.policy).unwrap();
        let committed: Vec<_> = booths.iter().map(|at| self.lock(*at, &prepared, slot).unwrap()).collect();
        let cert = Cert::of(&committed, &self.policy).unwrap();
        cert.attach(entry.clone(), &self.policy).unwrap().verify().unwrap()
    }
}

/// The policy after this one with the witnesses of these numbers, endorsed by those at some places of the one before, whole
/// witnesses that open for it.
pub(crate) fn successor(policies: &Policies, numbers: &[u8], by: &[u8]) -> SignedPolicy {
    let named = |number: &u8| Witness { vk: key(2, *number).vk(), peer_id: PeerId::new([*number; 38]) };
    let witnesses: Vec<_> = numbers.iter().map(named).collect();
    let f = ((witnesses.len() - 1) / 3) as u8;
    let policy = Policy { witnesses, f, ..policies.current().next() }.sign(&issuer());
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let endorsements: Vec<_> = by
        .iter()
        .map(|number| {
            let mut witness = kinfolk_ledger::witness::Witness::open(PaperShelf::new(key(2, *number))).unwrap();
            witness.serve_since(policies.iter().map(|policy| policy.signed()).collect()).unwrap();
            let request = Request::Succeed { currency: policies.currency(), policy: policy.clone() };
            let endorsement = match witness.answer(vec![request], NOW, &mut rng).unwrap().remove(0) {
                Reply::Succeeded { endorsement, .. } => endorsement,
                _ => None,
            };
            endorsement.unwrap()
        })
        .collect();
    policy.endorsed(endorsements)
}
