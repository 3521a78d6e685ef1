//! Every type of the ledger on the wire: read back as it was, in one way only (I13).

use std::fs;
use std::path::PathBuf;

use kinfolk_ledger::checkpoint::Checkpoint;
use kinfolk_ledger::entry::{Body, Class, Ctl, Entry, Header, MerchantCert, Out, OutRef};
use kinfolk_ledger::equivocation::EquivocationProof;
use kinfolk_ledger::escrow::{Opening, Proposer, TabAct, TabState};
use kinfolk_ledger::gossip::{Exposure, Head, Naming};
use kinfolk_ledger::inception::{Inception, Recovery};
use kinfolk_ledger::limits;
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_ledger::policy::{Endorsement, SignedPolicy};
use kinfolk_ledger::promise::Promise;
use kinfolk_ledger::recovery::Recover;
use kinfolk_ledger::signature::key_hash;
use kinfolk_ledger::vote::{PrepCert, Receipt, SlotId, Statement};
use kinfolk_wire::codec::{DecodeError, to_cbor};
use kinfolk_wire::ids::{AccountId, NoteHash};

use super::decoders::{self, DECODERS};
use super::support::*;
use super::tabs;

/// A body with everything in it that a body can have.
fn full_body(town: &mut Town) -> Body {
    let minted = town.mint(town.chain(0), Class::Card, 50).unwrap();
    let to = town.chain(1);
    let merchant = MerchantCert::sign(&issuer(), town.policy.currency(), to, NOW);
    let refund_of = Some(OutRef { chain: to, seq: 300, idx: 15 });
    Body {
        claims: vec![claim(&minted, 0)],
        outs: vec![
            Out::cash(to, amount(23)),
            Out { class: Class::Card, merchant: Some(merchant), ..Out::cash(to, amount(24)) },
            Out { refund_of, invoice: Some(NoteHash::new([3; 32])), ..Out::cash(to, amount((1 << 53) - 1)) },
        ],
        memo_hash: Some(NoteHash::new([4; 32])),
        ..body()
    }
}

/// One thing that travels or is kept, and the decoder that reads it.
struct Sample {
    what: &'static str,
    decoder: &'static str,
    bytes: Vec<u8>,
}

impl Sample {
    const fn new(what: &'static str, decoder: &'static str, bytes: Vec<u8>) -> Self {
        Self { what, decoder, bytes }
    }

    fn place(&self) -> usize {
        DECODERS.iter().position(|decoder| decoder.name == self.decoder).unwrap()
    }

    fn again(&self, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        (DECODERS[self.place()].again)(bytes)
    }
}

/// What there is of tabs.
fn of_tabs() -> Vec<Sample> {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let paid = tabs::funding(&mut town, NOW.after(kinfolk_wire::time::Span::from_days(7)), 500);
    let opening = Opening::of(&paid, 0).unwrap();
    let voucher = tabs::voucher(&opening, 120);
    let state = TabState::new(town.policy.currency(), opening, amount(500));
    let redeem = tabs::signed(&town, &state, Proposer::Payee, TabAct::Redeem(voucher)).unwrap();
    let close = tabs::signed(&town, &state, Proposer::Payer, TabAct::Close(None)).unwrap();
    let recover = Recover::propose(SlotId::of(close.header()), 2, Some(opening), &tabs::voucher_key());
    let cross = Request::Cross { inception: None, reports: vec![], opening: Some(opening) };
    vec![
        Sample::new("what funds a tab", "entry", paid.encode()),
        Sample::new("redeem", "entry", redeem.encode()),
        Sample::new("close", "entry", close.encode()),
        Sample::new("voucher", "voucher", voucher.encode()),
        Sample::new("ballot of a tab", "recover", recover.encode()),
        Sample::new("cross a tab", "request", cross.encode()),
    ]
}

fn checkpoint() -> Checkpoint {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    let chain = town.rich(0, 1_000);
    let state = town.state(chain);
    let entry = town.next(0, Body { ctl: Some(Ctl::Checkpoint { state_root: state.root() }), ..body() });
    Checkpoint { receipt: town.settle(&entry).unwrap().receipt(), state: Box::new(state) }
}

/// One of each.
fn samples() -> Vec<Sample> {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let full = full_body(&mut town);
    let full = town.next(0, full);
    let entry = town.pay_as_a_wallet(0, 1, 250);
    let other = town.pay_as_a_wallet(0, 1, 251);
    let vote = town.vote(0, entry.clone()).unwrap();
    let friends = friends(&town.policy, 0);
    let signers: Vec<_> = friends.iter().map(|(place, key)| (*place, key)).collect();
    let slot = town.slot(0);
    let recover = Recover::sign(slot, 3, Some(inception(&town.policy, 0)), &signers);
    let rotate = Ctl::Rotate { writer: key(30, 0).vk(), next: key_hash(&key(31, 0).vk()) };
    let at = town.state(entry.header().chain).next_position(0);
    let rotated = Entry::sign_as_recovery(at, Body { ctl: Some(rotate), ..body() }, &signers);
    let reports: Vec<_> = town.reports(0, 1, &[0, 1, 2]).into_iter().map(Result::unwrap).collect();
    let prepared: Vec<_> = [0, 1, 2].map(|at| town.prepare(at, 1, &entry, &reports).unwrap()).to_vec();
    let prepared = PrepCert::of(&prepared, &town.policy).unwrap();
    town.lock(0, &prepared, slot).unwrap();
    let report = town.reports(0, 2, &[0]).remove(0).unwrap().signed().clone();
    assert!(report.findings.lock.is_some() && report.findings.v0.is_some());
    let writers = EquivocationProof::Writer(entry.signed_header().unwrap(), other.signed_header().unwrap());
    let witnesses = EquivocationProof::Witness(vote, vote);
    let state = town.state(entry.header().chain);
    let receipt = town.certified[&(entry.header().chain, 0)].receipt();
    let head = Head::of(&receipt);
    let exposure = Exposure { proof: writers.clone(), key: Naming::of(&receipt).unwrap() };
    let next = successor(&town.policies, &[2, 3, 4, 5], &[0, 1, 2]);
    let closing = town.closing(0, 0);
    let later = Inception { since: std::num::NonZeroU32::new(3), ..inception(&town.policy, 0) };
    let endorsement = Endorsement { witness: 2, signature: next.signature };
    let checkpoint = checkpoint();
    let mut samples = vec![
        Sample::new("policy", "policy", town.policy.signed().encode()),
        Sample::new("full entry", "entry", full.encode()),
        Sample::new("entry by recovery", "entry", rotated.encode()),
        Sample::new("vote", "vote", vote.encode()),
        Sample::new("recover", "recover", recover.encode()),
        Sample::new("report", "report", report.encode()),
        Sample::new("proof against a writer", "proof", writers.encode()),
        Sample::new("proof against a witness", "proof", witnesses.encode()),
        Sample::new("receipt", "receipt", receipt.encode()),
        Sample::new("state", "state", state.encode()),
    ];
    samples.extend(of_tabs());
    let promise = Promise {
        state: Some(state),
        base: receipt.clone(),
        entries: vec![entry.clone(), other.clone()],
        cited: vec![receipt.clone()],
        votes: vec![vote],
    };
    let opening = Promise { state: None, cited: vec![], votes: vec![], ..promise.clone() };
    samples.push(Sample::new("promise", "promise", promise.encode()));
    samples.push(Sample::new("promise on an opening", "promise", opening.encode()));
    let (currency, chain) = (slot.currency, slot.chain);
    let cited = vec![receipt.clone()];
    let questions = [
        ("which key", Request::Witness),
        ("propose", Request::Propose { entry: entry.clone(), cited: cited.clone() }),
        ("commit", Request::Commit { receipt: receipt.clone() }),
        ("recover", Request::Recover(recover)),
        ("prepare", Request::Prepare { ballot: 1, entry, reports: vec![report.clone(); 2], cited }),
        ("lock", Request::Lock { slot, prepared }),
        ("head", Request::Head { currency, chain }),
        ("entries", Request::Entries { currency, chain, from: 3, to: 1 << 40 }),
        ("policy", Request::Policy { currency }),
        ("succeed", Request::Succeed { currency, policy: next.clone() }),
        ("closings", Request::Closings { currency, chain, epoch: 3 }),
        ("cross", Request::Cross { inception: Some(later), reports: vec![closing.clone(); 2], opening: None }),
        ("policies", Request::Policies { currency, from: 1 }),
        ("pending", Request::Pending { currency, chain }),
        ("adopt", Request::Adopt(checkpoint.clone())),
    ];
    samples.extend(questions.map(|(what, question)| Sample::new(what, "request", question.encode())));
    let answers = [
        ("its key", Reply::Witness { vk: key(2, 0).vk() }),
        ("vote", Reply::Vote(vote)),
        ("conflict", Reply::Conflict { first: other.signed_header().unwrap() }),
        ("report", Reply::Report(report)),
        ("ack", Reply::Ack { next: 24 }),
        ("no head", Reply::Head { next: 0, last: None }),
        ("head", Reply::Head { next: 1, last: Some(receipt.clone()) }),
        ("no entries", Reply::Entries(vec![])),
        ("entries", Reply::Entries(vec![receipt.clone(), receipt])),
        ("policy", Reply::Policy(town.policy.signed())),
        ("succeeded", Reply::Succeeded { epoch: 2, endorsement: Some(endorsement) }),
        ("succeeded without a word", Reply::Succeeded { epoch: 2, endorsement: None }),
        ("closings", Reply::Closings(vec![closing.clone(), closing.clone()])),
        ("policies", Reply::Policies(vec![town.policy.signed(), next.clone()])),
        ("nothing pending", Reply::Pending { next: 0, entries: vec![] }),
        ("pending", Reply::Pending { next: 7, entries: vec![rotated.clone()] }),
        ("checkpoint", Reply::Checkpoint(checkpoint)),
    ];
    samples.extend(answers.map(|(what, answer)| Sample::new(what, "reply", answer.encode())));
    let reasons = [
        Reason::NotServed,
        Reason::Unknown,
        Reason::Elsewhere { next: 300 },
        Reason::NotCited { chain, seq: 7 },
        Reason::Later { seconds: 60 },
        Reason::Frozen,
        Reason::Promised { ballot: 2 },
        Reason::Epoch { present: 3 },
        Reason::NotCrossed { epoch: 2 },
        Reason::invalid("for no reason at all"),
    ];
    samples.extend(reasons.map(|reason| Sample::new("refused", "reply", Reply::Refused(reason).encode())));
    let steps = town.booths[0].log.0.iter().rev().take(4);
    samples.extend(steps.map(|record| Sample::new("record", "record", record.encode())));
    samples.push(Sample::new("head that is gossiped", "head", head.encode()));
    samples.push(Sample::new("policy after another", "policy", next.encode()));
    samples.push(Sample::new("closing report", "report", closing.encode()));
    samples.push(Sample::new("exposure", "exposure", exposure.encode()));
    samples
}

#[test]
fn everything_is_read_back_as_it_was() {
    for sample in samples() {
        assert_eq!(sample.again(&sample.bytes).unwrap(), sample.bytes, "{}", sample.what);
    }
}

#[test]
fn e06_a_flipped_bit_is_refused_or_is_another_thing_and_never_the_same_in_other_bytes() {
    for sample in samples() {
        for bit in 0..sample.bytes.len() * 8 {
            let mut flipped = sample.bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(read) = sample.again(&flipped) {
                assert_eq!(read, flipped, "{}: bit {bit}", sample.what);
            }
        }
    }
}

#[test]
fn e06_bytes_left_over_or_missing_are_refused() {
    for sample in samples() {
        for length in 0..sample.bytes.len() {
            assert!(sample.again(&sample.bytes[..length]).is_err(), "{}: {length} bytes", sample.what);
        }
        let more = [&sample.bytes[..], &[0]].concat();
        assert!(sample.again(&more).is_err(), "{}", sample.what);
    }
}

/// The seeds of the fuzz target `ledger` are these samples; `KINFOLK_WRITE_SEEDS=1` writes them. What the fuzzer finds lies
/// beside them.
#[test]
fn e06_every_committed_input_of_the_fuzzer_is_replayed() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/ledger");
    let samples = samples();
    for (number, sample) in samples.iter().enumerate() {
        let path = folder.join(format!("seed-{number}"));
        let input = [&[u8::try_from(sample.place()).unwrap()], &sample.bytes[..]].concat();
        if std::env::var_os("KINFOLK_WRITE_SEEDS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &input).unwrap();
        }
        assert!(fs::read(&path).is_ok_and(|committed| committed == input), "{} is of another time", path.display());
    }
    let inputs = fs::read_dir(&folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    assert!(inputs.filter(|input| decoders::check(input)).count() >= samples.len());
}

#[test]
fn e05_any_flipped_bit_of_a_receipt_is_found_with_the_policy() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let entry = town.pay_as_a_wallet(0, 1, 250);
    let paid = town.settle(&entry).unwrap();
    let bytes = paid.receipt().encode();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let verified = Receipt::decode(&flipped)
            .ok()
            .and_then(|receipt| receipt.verify(&town.policy).ok())
            .and_then(|unverified| unverified.verify().ok());
        // The writer's own signature is no part of what witnesses certify, nor of the entry's name.
        if let Some(read) = verified {
            assert_eq!((read.entry().hash(), read.entry().body()), (entry.hash(), entry.body()), "bit {bit}");
            assert_ne!(read.entry().approval(), entry.approval(), "bit {bit}");
        }
    }
}

#[test]
fn e05_the_name_of_an_entry_does_not_depend_on_its_signature() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let entry = town.pay_as_a_wallet(0, 1, 5);
    let at = town.state(entry.header().chain).next_position(0);
    let other = Entry::sign(at, entry.body().clone(), &key(99, 9));
    assert_ne!(other.approval(), entry.approval());
    assert_eq!(other.hash(), entry.hash());
}

#[test]
fn e07_a_message_that_is_too_long_is_refused_before_it_is_read() {
    let zeros = vec![0; limits::MESSAGE + 1];
    let long = |what| DecodeError::TooLong { what, limit: limits::MESSAGE, found: limits::MESSAGE + 1 };
    assert_eq!(Request::decode(&zeros).unwrap_err(), long("question to a witness"));
    assert_eq!(Reply::decode(&zeros).unwrap_err(), long("answer of a witness"));
}

#[test]
fn e07_a_reason_has_two_hundred_bytes_and_whole_letters() {
    let Reason::Invalid(words) = Reason::invalid("ä".repeat(150)) else { panic!("another reason") };
    assert_eq!(words, "ä".repeat(100));
    let Reason::Invalid(words) = Reason::invalid(format!("a{}", "ä".repeat(150))) else { panic!("another reason") };
    assert_eq!(words.len(), 199);
    let longer = Reply::Refused(Reason::Invalid("a".repeat(limits::WORDS + 1)));
    assert!(Reply::decode(&longer.encode()).is_err());
}

#[test]
fn e06_map_keys_in_another_order_and_unknown_ones_are_refused() {
    let town = Town::new(4, 1);
    let bytes = town.policy.signed().encode();
    assert_eq!(bytes[0], 0xa2);
    let mut unknown = bytes.clone();
    unknown[0] = 0xa3;
    unknown.extend_from_slice(&[0x02, 0x00]);
    assert!(SignedPolicy::decode(&unknown).is_err());
    let policy = to_cbor(town.policy.policy());
    let (first, second) = bytes[1..].split_at(1 + policy.len());
    assert!(SignedPolicy::decode(&[&[0xa2], second, first].concat()).is_err());
}

#[test]
fn layouts_have_the_lengths_that_are_written_down() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let entry = town.pay_as_a_wallet(0, 1, 5);
    let header = entry.header().to_bytes();
    assert_eq!(header.len(), Header::LENGTH);
    assert_eq!(Header::from_bytes(&header).unwrap(), *entry.header());
    assert!(Header::from_bytes(&[&[2], &header[1..]].concat()).is_err(), "another version");
    let vote = town.vote(0, entry).unwrap();
    let statement = vote.statement.to_bytes();
    assert_eq!(statement.len(), Statement::LENGTH);
    for phase in [1, 2, 3, 0xff] {
        let mut wrong = statement.clone();
        wrong[80] = phase;
        assert!(Statement::from_bytes(&wrong).is_err(), "ballot 0 has no phase {phase}");
    }
}

#[test]
fn an_entry_is_one_with_its_body() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let (one, other) = (town.pay_as_a_wallet(0, 1, 5).encode(), town.pay(0, 1, 6).encode());
    let at = one.iter().zip(&other).rposition(|(a, b)| a != b).unwrap();
    let mut mixed = one.clone();
    mixed[at] = other[at];
    assert!(Entry::decode(&mixed).is_err());
}

#[test]
fn e07_lists_longer_than_their_limit_are_refused_before_they_are_read() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let out = Out::cash(AccountId::new([1; 32]), amount(1));
    let claims = |count: u64| {
        let chain = AccountId::new([2; 32]);
        let claim = |seq| kinfolk_ledger::entry::Claim {
            out: OutRef { chain, seq, idx: 0 },
            class: Class::Free,
            amt: amount(1),
        };
        (0..count).map(claim).collect::<Vec<_>>()
    };
    for (claims, outs, fits) in [(claims(64), 16, true), (claims(65), 1, false), (claims(1), 17, false)] {
        let entry = town.next(0, Body { claims, outs: vec![out.clone(); outs], ..body() });
        assert_eq!(Entry::decode(&entry.encode()).is_ok(), fits);
    }
    let receipt = town.certified.values().next().unwrap().receipt();
    for (cited, fits) in [(limits::CITED, true), (limits::CITED + 1, false)] {
        let cited = vec![receipt.clone(); cited];
        let request = Request::Propose { entry: town.pay_as_a_wallet(0, 1, 5), cited };
        assert_eq!(Request::decode(&request.encode()).is_ok(), fits);
    }
    let many = Recovery { keys: (0..8).map(|at| key(40, at).vk()).collect(), k: 1 };
    let inception = kinfolk_ledger::inception::Inception { recovery: many, ..inception(&town.policy, 0) };
    let recover = Recover::sign(town.slot(0), 1, Some(inception), &[]);
    assert!(Recover::decode(&recover.encode()).is_err());
}
