//! What a certified transfer costs one witness, beside the signatures that it cannot do without.
//!
//! `cargo bench -p kinfolk-ledger --bench ledger`. Time is CPU time of this thread. A transfer is everything from the
//! bytes of an entry to a vote, and from the bytes of its certificate to the new balance; the log only keeps records in
//! memory. The floor is one signature made and the same number checked, in batches of the same size, in the same rounds.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a bench prints, and stops where something fails"
)]

#[path = "support/figures.rs"]
mod figures;
#[path = "../src/ledger/tests/support/mod.rs"]
#[allow(dead_code, reason = "a bench needs a part of what tests share")]
mod support;

use std::hint::black_box;

use ed25519_zebra::batch::{Item, Verifier};
use ed25519_zebra::{SigningKey, VerificationKeyBytes};
use figures::{ROUNDS, median, ratios, show, show_at_most};
use kinfolk_ledger::entry::{Body, Entry, Out};
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::signature::verify_batch;
use kinfolk_ledger::slot::held::Held;
use kinfolk_ledger::vote::{Cert, Receipt, Vote};
use kinfolk_ledger::witness::Witness;
use kinfolk_wire::time::Span;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use rustix::time::{ClockId, clock_gettime};
use support::shelf::PaperShelf;
use support::{NOW, Town, amount, body, key};

/// Transfers that are taken together, as a group commit does.
const BATCH: u8 = 64;

fn main() {
    println!("CPU time of one thread, {ROUNDS} rounds in turns, batches of {BATCH}\n");
    transfers(4, 1, 8, Some(125.0), Some(1.8));
    transfers(31, 10, 2, Some(400.0), None);
    whole_witness(8);
    receipt();
}

fn cpu_micros() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
}

fn transfers(n: u8, f: u8, batches: usize, goal: Option<f64>, ratio: Option<f64>) {
    let mut town = Town::new(n, f);
    town.open_issuer();
    (0..BATCH).for_each(|who| {
        town.rich(who, 10_000);
    });
    let q = town.policy.quorum().q();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (mut ours, mut floor, mut singly) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = (0, 0);
    // The first round only warms up.
    for round in 0..=ROUNDS {
        let mut spent = [0.0; 3];
        for _ in 0..batches {
            let entries: Vec<Vec<u8>> =
                (0..BATCH).map(|who| town.pay_as_a_wallet(who, (who + 1) % BATCH, 1).encode()).collect();
            let mut votes: Vec<Vec<Vote>> = vec![Vec::new(); entries.len()];
            for at in 0..q as u8 {
                let (given, micros) = propose(&mut town, at, &entries, &mut rng);
                spent[0] += if at == 0 { micros } else { 0.0 };
                votes.iter_mut().zip(given).for_each(|(votes, vote)| votes.push(vote));
            }
            let certs: Vec<Vec<u8>> = votes
                .iter()
                .map(|votes| {
                    let genuine: Vec<_> = votes.iter().map(|vote| town.genuine(*vote)).collect();
                    Cert::of(&genuine, &town.policy).unwrap().encode()
                })
                .collect();
            bytes = (entries[0].len(), certs[0].len());
            for at in 0..n {
                let micros = commit(&mut town, at, &entries, &certs, &mut rng);
                spent[0] += if at == 0 { micros } else { 0.0 };
            }
            spent[1] += signatures(q, &mut rng, true);
            spent[2] += signatures(q, &mut rng, false);
        }
        if round > 0 {
            let transfers = f64::from(BATCH) * batches as f64;
            ours.push(spent[0] / transfers);
            floor.push(spent[1] / transfers);
            singly.push(spent[2] / transfers);
        }
    }
    println!("n = {n}, q = {q}: {} bytes of an entry and {} of its certificate", bytes.0, bytes.1);
    match goal {
        Some(goal) => show_at_most("a certified transfer at one witness", "us", &ours, goal),
        None => show("a certified transfer at one witness", "us", &ours),
    }
    show(&format!("  floor: 1 signature made, {} checked in batches", q + 1), "us", &floor);
    show(&format!("  the same, each checked alone (n = {n})"), "us", &singly);
    match ratio {
        Some(goal) => show_at_most("  transfer to floor", "x", &ratios(&ours, &floor), goal),
        None => show("  transfer to floor", "x", &ratios(&ours, &floor)),
    }
    let rate: Vec<f64> = ours.iter().map(|micros| 1e6 / micros).collect();
    show("  transfers of one core in a second", "/s", &rate);
    if n == 4 {
        let total = [(bytes.0 + bytes.1) as f64];
        show_at_most("  bytes to one witness", "bytes", &total, 650.0);
    }
    println!();
}

/// The same by a whole witness, from the bytes of requests to the bytes of answers, with all that it looks up and notes;
/// its disk is memory.
fn whole_witness(batches: usize) {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    (0..BATCH).for_each(|who| {
        town.rich(who, 10_000);
    });
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut witness = Witness::open(PaperShelf::new(key(2, 0))).unwrap();
    witness.serve(town.policy.signed()).unwrap();
    let known = town.certified.values().map(|certified| certified.receipt()).collect();
    witness.catch_up(known, NOW, &mut rng).unwrap();
    let q = town.policy.quorum().q();
    let (mut ours, mut floor, mut now) = (Vec::new(), Vec::new(), NOW);
    for round in 0..=ROUNDS {
        let mut spent = [0.0; 2];
        for _ in 0..batches {
            let entries: Vec<Entry> = (0..BATCH).map(|who| town.pay_as_a_wallet(who, (who + 1) % BATCH, 1)).collect();
            let proposals =
                entries.iter().map(|entry| Request::Propose { entry: entry.clone(), cited: vec![] }.encode());
            let receipts: Vec<_> = entries.iter().map(|entry| town.settle(entry).unwrap().receipt()).collect();
            let commits = receipts.into_iter().map(|receipt| Request::Commit { receipt }.encode());
            for batch in [proposals.collect::<Vec<_>>(), commits.collect()] {
                let began = cpu_micros();
                let requests = batch.iter().map(|bytes| Request::decode(bytes).unwrap()).collect();
                for reply in witness.answer(requests, now, &mut rng).unwrap() {
                    assert!(matches!(reply, Reply::Vote(_) | Reply::Ack { .. }), "{reply:?}");
                    black_box(reply.encode());
                }
                spent[0] += cpu_micros() - began;
            }
            spent[1] += signatures(q, &mut rng, true);
            // No account is to use up its minute.
            now = now.after(Span::from_secs(60));
        }
        if round > 0 {
            ours.push(spent[0] / (f64::from(BATCH) * batches as f64));
            floor.push(spent[1] / (f64::from(BATCH) * batches as f64));
        }
    }
    show_at_most("a certified transfer at a whole witness, n = 4", "us", &ours, 125.0);
    show_at_most("  transfer to floor", "x", &ratios(&ours, &floor), 1.8);
    println!();
}

/// A batch of proposals at one witness, from bytes to votes, and its microseconds.
fn propose(town: &mut Town, at: u8, entries: &[Vec<u8>], rng: &mut ChaCha20Rng) -> (Vec<Vote>, f64) {
    let Town { policies, booths, certified, .. } = town;
    let booth = &mut booths[usize::from(at)];
    let own = key(2, at);
    let began = cpu_micros();
    let unverified = entries
        .iter()
        .map(|bytes| {
            let entry = Entry::decode(bytes).unwrap();
            booth.account(entry.header().chain).approval(entry).unwrap()
        })
        .collect();
    let held = verify_batch(unverified, rng)
        .into_iter()
        .map(|approved| {
            let approved = approved.unwrap();
            let chain = approved.entry().header().chain;
            booth.account(chain).propose(approved, policies, certified, NOW).unwrap()
        })
        .collect();
    let released = Held::release_all(held, &mut booth.log).unwrap();
    booth.log.0.clear();
    let votes = released
        .into_iter()
        .map(|vote| {
            let vote = vote.sign(at, &own);
            black_box(vote.encode());
            vote
        })
        .collect();
    (votes, cpu_micros() - began)
}

/// A batch of certificates at one witness, from bytes to balances; microseconds.
fn commit(town: &mut Town, at: u8, entries: &[Vec<u8>], certs: &[Vec<u8>], rng: &mut ChaCha20Rng) -> f64 {
    let chains: Vec<_> = (0..BATCH).map(|who| town.chain(who)).collect();
    let Town { policy, policies, booths, .. } = town;
    let booth = &mut booths[usize::from(at)];
    let began = cpu_micros();
    let unverified = entries
        .iter()
        .zip(certs)
        .zip(chains)
        .map(|((entry, bytes), chain)| {
            let cert = Cert::decode(bytes).unwrap();
            // Who voted has the entry; the others are sent it.
            let known = booth.account(chain).entry(&cert.entry).cloned();
            let entry = known.unwrap_or_else(|| Entry::decode(entry).unwrap());
            cert.attach(entry, policy).unwrap()
        })
        .collect();
    for certified in verify_batch(unverified, rng) {
        let certified = certified.unwrap();
        booth.account(certified.entry().header().chain).commit(certified, policies).unwrap();
    }
    cpu_micros() - began
}

/// What nobody can do without: microseconds for a batch of transfers. Every writer has a key, and `q` witnesses have.
fn signatures(q: usize, rng: &mut ChaCha20Rng, together: bool) -> f64 {
    let key = |kind: u8, number: usize| SigningKey::from_bytes(&[kind, number as u8].repeat(16).try_into().unwrap());
    let messages: Vec<Vec<u8>> = (0..BATCH).map(|number| vec![number; 168]).collect();
    let writers: Vec<Signed<'_>> =
        messages.iter().enumerate().map(|(number, message)| signed(&key(1, number), message)).collect();
    let witnesses: Vec<Signed<'_>> =
        messages.iter().flat_map(|message| (0..q).map(move |at| signed(&key(2, at), &message[..135]))).collect();
    let own = key(2, 0);
    let began = cpu_micros();
    for message in &messages {
        black_box(own.sign(&message[..135]));
    }
    for signed in [writers, witnesses] {
        let items = signed.into_iter().map(Item::from);
        if together {
            let mut verifier = Verifier::new();
            items.for_each(|item| verifier.queue(item));
            verifier.verify(&mut *rng).unwrap();
        } else {
            items.for_each(|item| item.verify_single().unwrap());
        }
    }
    cpu_micros() - began
}

/// A key, its signature, and over what.
type Signed<'a> = (VerificationKeyBytes, ed25519_zebra::Signature, &'a [u8]);

fn signed<'a>(key: &SigningKey, message: &'a [u8]) -> Signed<'a> {
    (VerificationKeyBytes::from(key), key.sign(message), message)
}

/// A receipt from its bytes, with the policy alone.
fn receipt() {
    let mut town = Town::new(4, 1);
    town.open_issuer();
    town.rich(0, 1_000);
    let outs = vec![Out::cash(town.chain(1), amount(1))];
    let entry = town.next(0, Body { outs, ..body() });
    let bytes = town.settle(&entry).unwrap().receipt().encode();
    let rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let began = cpu_micros();
            for _ in 0..200 {
                black_box(Receipt::decode(&bytes).unwrap().verify(&town.policy).unwrap().verify().unwrap());
            }
            (cpu_micros() - began) / 200.0
        })
        .collect();
    show_at_most("a receipt read and verified, n = 4", "us", &rounds, 1_000.0);
    assert!(median(&rounds) > 0.0);
}
