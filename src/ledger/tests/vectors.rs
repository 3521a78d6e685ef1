//! The frozen vectors of docs/protocol/vectors/ledger.json: made anew and compared byte for byte. The Python program beside
//! them, which was written from the page alone, derives them again (`cargo test -p kinfolk-crypto --test vectors`).
//!
//! `KINFOLK_WRITE_VECTORS=1 cargo test -p kinfolk-ledger --test ledger vectors` writes them instead: only for a new version
//! of the protocol.

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use kinfolk_ledger::chain::ChainState;
use kinfolk_ledger::checkpoint::Checkpoint;
use kinfolk_ledger::entry::{Approval, Body, Class, Ctl, Destination, Entry, MerchantCert, Out, OutRef};
use kinfolk_ledger::equivocation::EquivocationProof;
use kinfolk_ledger::inception::Inception;
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::promise::{Judge, Promise};
use kinfolk_ledger::receipt_file::{invoice_hash, memo_hash};
use kinfolk_ledger::recovery::Recover;
use kinfolk_ledger::signature::{SecretKey, key_hash};
use kinfolk_ledger::vote::{CertifiedEntry, PrepCert, SlotId};
use kinfolk_wire::codec::to_cbor;
use kinfolk_wire::content::{Memo, SignedInvoice, Text};
use kinfolk_wire::sigchain::Signed;
use serde_json::{Value, json};

use super::support::*;

pub(super) fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

pub(super) fn seed(kind: u8, number: u8) -> String {
    let mut seed = [kind; 32];
    seed[1] = number;
    hex(seed)
}

/// What was written, told without encodings.
struct Story {
    town: Town,
    told: Vec<Value>,
}

impl Story {
    fn settle(&mut self, entry: &Entry, signers: &[(u8, String)]) -> CertifiedEntry {
        let certified = self.town.settle(entry).unwrap();
        self.tell(&certified, signers);
        certified
    }

    fn tell(&mut self, certified: &CertifiedEntry, signers: &[(u8, String)]) {
        let entry = certified.entry();
        let header = entry.header();
        let state = self.town.state(header.chain);
        let kind = if matches!(entry.approval(), Approval::Writer(_)) { "writer" } else { "recovery" };
        self.told.push(json!({
            "position": {
                "chain": hex(header.chain.as_bytes()),
                "seq": header.seq,
                "prev": hex(header.prev.as_bytes()),
                "key_seq": header.key_seq,
            },
            "body": body_told(entry.body()),
            "approved_by": kind,
            "signers": signers.iter().map(|(place, seed)| json!([place, seed])).collect::<Vec<_>>(),
            "header": hex(header.to_bytes()),
            "name": hex(entry.hash().as_bytes()),
            "entry": hex(entry.encode()),
            "ballot": certified.cert().ballot,
            "voters": certified.cert().sigs.iter().map(|(witness, _)| witness).collect::<Vec<_>>(),
            "cert": hex(certified.cert().encode()),
            "state": hex(state.encode()),
            "state_root": hex(state.root().as_bytes()),
        }));
    }

    fn issue(&mut self, body: Body) -> CertifiedEntry {
        let chain = self.town.policy.issuing_account();
        let entry = Entry::sign(self.town.state(chain).next_position(0), body, &issuer());
        self.settle(&entry, &[(0, seed(1, 0))])
    }

    fn write(&mut self, who: u8, body: Body) -> CertifiedEntry {
        let entry = self.town.next(who, body);
        self.settle(&entry, &[(0, seed(10, who))])
    }

    fn mint(&mut self, to: u8, class: Class, units: u64) -> CertifiedEntry {
        let out = Out { class, ..Out::cash(self.town.chain(to), amount(units)) };
        self.issue(Body { ctl: Some(Ctl::Mint { class }), outs: vec![out], ..body() })
    }

    fn open(&mut self, who: u8, body: Body) -> CertifiedEntry {
        let inception = inception(&self.town.policy, who);
        let at = first_position(&self.town.policy, inception.account());
        let entry = Entry::sign(at, Body { ctl: Some(Ctl::Open(inception)), ..body }, &key(10, who));
        self.settle(&entry, &[(0, seed(10, who))])
    }
}

fn outref_told(out: &OutRef) -> Value {
    json!([hex(out.chain.as_bytes()), out.seq, out.idx])
}

fn body_told(body: &Body) -> Value {
    let class = |class: Class| u8::from(class == Class::Card);
    let outs: Vec<Value> = body
        .outs
        .iter()
        .map(|out| {
            let to = match out.to {
                Destination::Account(to) => json!(hex(to.as_bytes())),
                Destination::Escrow(terms) => json!({ "terms": hex(to_cbor(&terms)) }),
            };
            json!({
                "to": to,
                "class": class(out.class),
                "amount": out.amt.units(),
                "refund_of": out.refund_of.as_ref().map(outref_told),
                "invoice": out.invoice.map(|invoice| hex(invoice.as_bytes())),
                "merchant_until": out.merchant.map(|merchant| merchant.expires.as_millis()),
            })
        })
        .collect();
    let claims: Vec<Value> = body
        .claims
        .iter()
        .map(|claim| json!([outref_told(&claim.out), class(claim.class), claim.amt.units()]))
        .collect();
    let ctl = body.ctl.as_ref().map(|ctl| match ctl {
        Ctl::Open(inception) => json!({ "open": hex(to_cbor(inception)) }),
        Ctl::Rotate { writer, next } => json!({ "rotate": [hex(writer.as_bytes()), hex(next.as_bytes())] }),
        Ctl::Mint { class: of } => json!({ "mint": class(*of) }),
        Ctl::Burn { amt } => json!({ "burn": amt.units() }),
        Ctl::Checkpoint { state_root } => json!({ "checkpoint": hex(state_root.as_bytes()) }),
        Ctl::Tab(done) => json!({ "tab": hex(to_cbor(done)) }),
    });
    json!({
        "ts": body.ts.as_millis(),
        "blind": hex(body.blind),
        "claims": claims,
        "outs": outs,
        "ctl": ctl,
        "memo_hash": body.memo_hash.map(|memo| hex(memo.as_bytes())),
    })
}

/// Cash and cards, a refund, a rotation, a checkpoint, money that ends.
fn tell_ordinary(story: &mut Story) {
    let issuing = story.town.policy.issuing_account();
    let opening = Inception::of_issuer(story.town.policy.currency(), issuer().vk());
    let at = first_position(&story.town.policy, issuing);
    let entry = Entry::sign(at, Body { ctl: Some(Ctl::Open(opening)), ..body() }, &issuer());
    story.settle(&entry, &[(0, seed(1, 0))]);
    let cash = story.mint(0, Class::Free, 1_000);
    let card = story.mint(0, Class::Card, 60);
    story.open(0, Body { claims: vec![claim(&cash, 0)], ..body() });
    let (anna, bela) = (story.town.chain(0), story.town.chain(1));
    let first = story.write(0, Body { outs: vec![Out::cash(bela, amount(250))], ..body() });
    let merchant = Some(MerchantCert::sign(&issuer(), story.town.policy.currency(), bela, NOW));
    let outs = vec![
        Out { class: Class::Card, merchant, ..Out::cash(bela, amount(40)) },
        Out { invoice: Some(kinfolk_wire::ids::NoteHash::new([3; 32])), ..Out::cash(bela, amount(24)) },
    ];
    let memo_hash = Some(kinfolk_wire::ids::NoteHash::new([4; 32]));
    let second = story.write(0, Body { claims: vec![claim(&card, 0)], outs, memo_hash, ..body() });
    story.open(1, Body { claims: vec![claim(&first, 0), claim(&second, 0), claim(&second, 1)], ..body() });
    let refund_of = Some(OutRef { chain: anna, seq: 2, idx: 0 });
    let refund = Out { class: Class::Card, refund_of, ..Out::cash(anna, amount(15)) };
    let back = story.write(1, Body { outs: vec![refund, Out::cash(issuing, amount(30))], ..body() });
    story.write(0, Body { claims: vec![claim(&back, 0)], ..body() });
    story.issue(Body { claims: vec![claim(&back, 1)], ctl: Some(Ctl::Burn { amt: amount(30) }), ..body() });
    let state_root = story.town.state(anna).root();
    story.write(0, Body { ctl: Some(Ctl::Checkpoint { state_root }), ..body() });
    let rotate = Ctl::Rotate { writer: key(11, 0).vk(), next: key_hash(&key(12, 0).vk()) };
    story.write(0, Body { ctl: Some(rotate), ..body() });
}

/// Two entries for one place, and the recovery that completes one of them; then the lost key is replaced.
fn tell_recovery(story: &mut Story) -> Value {
    let (one, other) = (story.town.pay_as_a_wallet(1, 0, 100), story.town.pay(1, 0, 101));
    let slot = story.town.slot(1);
    let friends = friends(&story.town.policy, 1);
    let placed: Vec<(u8, &SecretKey)> = friends.iter().take(2).map(|(place, key)| (*place, key)).collect();
    let seeds: Vec<(u8, String)> = placed.iter().map(|(place, key)| (*place, friend_seed(key))).collect();
    let votes: Vec<_> = [0, 1].map(|at| story.town.vote(at, one.clone()).unwrap()).to_vec();
    let recover = Recover::sign(slot, 1, None, &placed);
    let reports: Vec<_> = story.town.reports(1, 1, &[0, 1, 2]).into_iter().map(Result::unwrap).collect();
    let prepared: Vec<_> = [0, 1, 2].map(|at| story.town.prepare(at, 1, &one, &reports).unwrap()).to_vec();
    let prepared = PrepCert::of(&prepared, &story.town.policy).unwrap();
    story.town.lock(0, &prepared, slot).unwrap();
    let later: Vec<_> = story.town.reports(1, 2, &[0, 2, 3]).into_iter().map(Result::unwrap).collect();
    let certified = story.town.order(2, &one, &later, &[0, 2, 3]);
    story.town.tell(&certified);
    story.tell(&certified, &[(0, seed(10, 1))]);

    let reports_after: Vec<_> = story.town.reports(1, 1, &[1, 2, 3]).into_iter().map(Result::unwrap).collect();
    let rotate = Ctl::Rotate { writer: key(30, 1).vk(), next: key_hash(&key(31, 1).vk()) };
    let at = story.town.state(slot.chain).next_position(0);
    let replaced = Entry::sign_as_recovery(at, Body { ctl: Some(rotate), ..body() }, &placed);
    let certified = story.town.order(1, &replaced, &reports_after, &[1, 2, 3]);
    story.town.tell(&certified);
    story.tell(&certified, &seeds);

    let proof = EquivocationProof::Writer(one.signed_header().unwrap(), other.signed_header().unwrap());
    json!({
        "slot": slot_told(&slot),
        "one": hex(one.encode()),
        "other": { "body": body_told(other.body()), "entry": hex(other.encode()) },
        "writer_seed": seed(10, 1),
        "proof": hex(proof.encode()),
        "fast_votes": votes.iter().map(|vote| hex(vote.encode())).collect::<Vec<_>>(),
        "recovery_seeds": seeds.iter().map(|(place, seed)| json!([place, seed])).collect::<Vec<_>>(),
        "recover": hex(recover.encode()),
        "reports_of_ballot_1": reports.iter().map(|report| hex(report.signed().encode())).collect::<Vec<_>>(),
        "prepared_in_ballot_1": hex(to_cbor(&prepared)),
        "reports_of_ballot_2": later.iter().map(|report| hex(report.signed().encode())).collect::<Vec<_>>(),
    })
}

/// Other witnesses, and a payment that was on its way when they came.
fn tell_change(story: &mut Story) -> Value {
    let town = &mut story.town;
    let slot = town.slot(0);
    let outs = vec![Out::cash(town.chain(1), amount(77))];
    // The writer since its rotation.
    let entry = Entry::sign(town.state(slot.chain).next_position(0), Body { outs, ..body() }, &key(11, 0));
    for at in [0, 1] {
        town.vote(at, entry.clone()).unwrap();
    }
    let numbers = [2, 4, 5, 6];
    let signed = successor(&town.policies, &numbers, &[0, 2, 3]);
    town.policies.extend(signed.clone()).unwrap();
    let writer = town.state(slot.chain).keys().writer;
    let closings: Vec<_> = [0, 1, 2].map(|at| town.closing(0, at)).to_vec();
    let genuine: Vec<_> = closings
        .iter()
        .map(|closing| closing.clone().closing(slot.seq, &writer, &town.policy).unwrap().verify().unwrap())
        .collect();
    let policy = town.policies.current().clone();
    let votes: Vec<_> = (0_u8..3)
        .map(|place| {
            let mut booth = town.booths[2].clone();
            let account = booth.account(slot.chain);
            account.cross(&genuine, &town.policy).unwrap();
            let approved = account.approval(entry.clone()).unwrap().verify().unwrap();
            let held = account.propose(approved, &town.policies, &town.certified, NOW).unwrap();
            let vote = held.release(&mut booth.log).unwrap().sign(place, &key(2, numbers[usize::from(place)]));
            vote.unverified(&policy).unwrap().verify().unwrap()
        })
        .collect();
    let cert = kinfolk_ledger::vote::Cert::of(&votes, &policy).unwrap();
    let later = Inception { since: std::num::NonZeroU32::new(1), ..inception(&town.policy, 2) };
    json!({
        "witnesses": numbers.map(|number| json!([seed(2, number), hex([number; 38])])),
        "f": 1,
        "hash": hex(policy.hash().as_bytes()),
        "endorsed_by": [0, 2, 3],
        "signed": hex(signed.encode()),
        "slot": slot_told(&slot),
        "entry": hex(entry.encode()),
        "voted": [0, 1],
        "closing_reports": closings.iter().map(|closing| hex(closing.encode())).collect::<Vec<_>>(),
        "writer_seed": seed(11, 0),
        "voters": [0, 1, 2],
        "cert": hex(cert.encode()),
        "later_account": { "inception": hex(to_cbor(&later)), "account": hex(later.account().as_bytes()) },
    })
}

/// What stands for all entries of an account before its checkpoint, as it is brought and shown.
fn tell_pruning(story: &Story) -> Value {
    let town = &story.town;
    let mut account = kinfolk_ledger::account::Account::new(town.chain(0));
    let entries = town.certified.iter().filter(|((chain, _), _)| *chain == town.chain(0));
    for (_, certified) in entries {
        if matches!(certified.entry().body().ctl, Some(Ctl::Checkpoint { .. })) {
            let state = Box::new(account.state().unwrap().clone());
            let checkpoint = Checkpoint { receipt: certified.receipt(), state };
            assert!(checkpoint.clone().verify(&town.policy).unwrap().verify().is_ok());
            return json!({
                "entry": hex(certified.entry().encode()),
                "checkpoint": hex(checkpoint.encode()),
                "question": hex(Request::Adopt(checkpoint.clone()).encode()),
                "answer": hex(Reply::Checkpoint(checkpoint).encode()),
            });
        }
        account.commit(certified.clone(), &town.policies).unwrap();
    }
    panic!("there is no checkpoint in the story")
}

/// A payment without witnesses: what is certified, what was signed since, and two votes.
fn tell_promise() -> Value {
    let mut story = Story { town: Town::new(4, 1), told: Vec::new() };
    let opening = Inception::of_issuer(story.town.policy.currency(), issuer().vk());
    let at = first_position(&story.town.policy, story.town.policy.issuing_account());
    let entry = Entry::sign(at, Body { ctl: Some(Ctl::Open(opening)), ..body() }, &issuer());
    story.settle(&entry, &[(0, seed(1, 0))]);
    let cash = story.mint(0, Class::Free, 1_000);
    story.open(0, Body { claims: vec![claim(&cash, 0)], ..body() });
    let more = story.mint(0, Class::Free, 60);
    let (anna, bela) = (story.town.chain(0), story.town.chain(1));
    let before = story.town.state(anna);
    let pays = |state: &ChainState, claims, units| Body {
        claims,
        outs: vec![Out::cash(bela, amount(units))],
        ctl: Some(Ctl::Checkpoint { state_root: state.root() }),
        ..body()
    };
    let base = story.write(0, pays(&before, vec![], 250));
    let mut state = story.town.state(anna);
    let mut entries = Vec::new();
    for (claims, units) in [(vec![claim(&more, 0)], 40), (vec![], 770)] {
        let entry = Entry::sign(state.next_position(0), pays(&state, claims, units), &key(10, 0));
        let change = state.try_entry(&entry, &story.town.policy).unwrap();
        state.apply(change, entry.body());
        entries.push(entry);
    }
    let votes = [0, 2].map(|at| story.town.vote(at, entries[0].clone()).unwrap()).to_vec();
    let promise = Promise { state: Some(before), base: base.receipt(), entries, cited: vec![more.receipt()], votes };
    let judge = Judge { policy: &story.town.policy, payee: bela, outstanding: 4_230, known: &[], now: NOW };
    assert_eq!(promise.clone().judge(&judge).unwrap().amount(), amount(770));
    json!({
        "entries": story.told,
        "base": story.told.len() - 1,
        "cited": story.told.len() - 2,
        "writer_seed": seed(10, 0),
        "uncertified": promise.entries.iter().map(|entry| {
            json!({ "body": body_told(entry.body()), "entry": hex(entry.encode()) })
        }).collect::<Vec<_>>(),
        "voters": [0, 2],
        "payee": hex(bela.as_bytes()),
        "units": 770,
        "promise": hex(promise.encode()),
    })
}

fn friend_seed(key: &SecretKey) -> String {
    let friends = (0..3).find(|friend| support_key(20 + friend).vk() == key.vk()).unwrap();
    seed(20 + friends, 1)
}

fn support_key(kind: u8) -> SecretKey {
    key(kind, 1)
}

fn slot_told(slot: &SlotId) -> Value {
    json!({ "chain": hex(slot.chain.as_bytes()), "seq": slot.seq })
}

/// What reports admit: fast votes `A` and `B`, locks by ballot.
fn picks() -> Vec<Value> {
    use kinfolk_ledger::quorum::Quorum;
    use kinfolk_ledger::slot::pick::{Pick, pick};
    use kinfolk_ledger::slot::{Lock, Report};
    let vote = |letter: char| match letter {
        'A' => Some('A'),
        'B' => Some('B'),
        _ => None,
    };
    let cases = [
        (4, 1, "---", ""),
        (4, 1, "A--", ""),
        (4, 1, "AB-", ""),
        (4, 1, "AB--", ""),
        (4, 1, "AABB", ""),
        (4, 1, "AAB", ""),
        (4, 1, "AAB-", ""),
        (4, 1, "AAA", "2B"),
        (4, 1, "---", "1A 3B"),
        (6, 1, "AABB-", ""),
        (6, 1, "AAABBB", ""),
        (7, 2, "AABB-", ""),
        (7, 2, "A----", ""),
        (7, 2, "-----", ""),
        (7, 2, "AAABBBB", ""),
        (1, 0, "A", ""),
    ];
    let told = cases.map(|(n, f, votes, locks)| {
        let mut reports: std::collections::BTreeMap<u8, Report<char, ()>> =
            (0..).zip(votes.chars().map(|letter| Report { v0: vote(letter), lock: None })).collect();
        for (at, lock) in (0_u8..).zip(locks.split_whitespace()) {
            let (ballot, entry) = lock.split_at(1);
            let lock = Lock { ballot: ballot.parse().unwrap(), entry: entry.chars().next().unwrap(), proof: () };
            reports.get_mut(&at).unwrap().lock = Some(lock);
        }
        let admits = match pick(Quorum::new(n, f).unwrap(), &reports) {
            Pick::Bound(entry) => entry.to_string(),
            Pick::Free => "any".to_owned(),
            Pick::Undecided => "wait".to_owned(),
            Pick::Frozen => "frozen".to_owned(),
            Pick::Broken => "broken".to_owned(),
        };
        json!({ "n": n, "f": f, "fast_votes": votes, "locks": locks, "admits": admits })
    });
    told.to_vec()
}

fn make() -> Value {
    let mut story = Story { town: Town::new(4, 1), told: Vec::new() };
    let policy = story.town.policy.clone();
    tell_ordinary(&mut story);
    let recovery = tell_recovery(&mut story);
    let accounts: Vec<Value> = (0..2)
        .map(|who| {
            let inception = inception(&policy, who);
            json!({
                "writer_seed": seed(10, who),
                "next_seed": seed(11, who),
                "recovery_seeds": (20..23).map(|kind| seed(kind, who)).collect::<Vec<_>>(),
                "k": 2,
                "salt": hex(inception.salt),
                "inception": hex(to_cbor(&inception)),
                "account": hex(inception.account().as_bytes()),
            })
        })
        .collect();
    let pruning = tell_pruning(&story);
    let change = tell_change(&mut story);
    let told = policy.policy();
    json!({
        "policy": {
            "issuer_seed": seed(1, 0),
            "code": "KIN",
            "decimals": told.decimals,
            "witnesses": (0..4).map(|at| json!([seed(2, at), hex([at; 38])])).collect::<Vec<_>>(),
            "f": told.f,
            "max_supply": told.max_supply.units(),
            "classes": [0, 1],
            "offline": [2_000, 5_000, 5, 259_200_000],
            "limits": [10, 1, 20, 1_000],
            "signed": hex(policy.signed().encode()),
            "currency": hex(policy.currency().as_bytes()),
            "issuing_account": hex(policy.issuing_account().as_bytes()),
        },
        "accounts": accounts,
        "entries": story.told,
        "recovery": recovery,
        "change": change,
        "pruning": pruning,
        "promise": tell_promise(),
        "picks": picks(),
        "notes": [note()],
    })
}

/// What an entry has only a hash of.
fn note() -> Value {
    let memo = Memo { text: Text::new("for the roof").unwrap(), salt: [5; 16] };
    let payload = vec![0xa1, 0x00, 0x50];
    let invoice = SignedInvoice(Signed { payload: payload.clone(), signature: [0; 64], countersignature: None });
    json!({
        "memo": memo.text.as_str(),
        "salt": hex(memo.salt),
        "memo_hash": hex(memo_hash(&memo).as_bytes()),
        "invoice": hex(payload),
        "invoice_name": hex(invoice_hash(&invoice).as_bytes()),
    })
}

#[test]
fn the_ledger_vectors_are_what_this_program_makes() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol/vectors/ledger.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&make()).unwrap());
    if std::env::var_os("KINFOLK_WRITE_VECTORS").is_some_and(|asked| asked == "1") {
        std::fs::write(&path, &text).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap();
    let differs = frozen.lines().zip(text.lines()).position(|(frozen, made)| frozen != made);
    assert!(frozen == text, "ledger.json is not what this program makes, from line {differs:?} on");
}
