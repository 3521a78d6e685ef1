//! A witness's log beside what it cannot do without, and a witness that knows a million accounts.
//!
//! `cargo bench -p kinfolk-store --bench votes`; `KINFOLK_ACCOUNTS=0` leaves the accounts out, which take some minutes and
//! 4 GB of disk, and another number of them is taken as given. The files lie in the build's own directory, which must be
//! on a real disk. Votes: the same bytes go to the log and, unsealed, to a plain file with one `fdatasync`, in turns; then
//! a whole witness does it, from requests to signed votes. Accounts: the log is filled with entries that open one each, the
//! index made from it, and the witness is opened in a process of its own, which tells how much memory it takes.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bench prints, and stops where something fails"
)]

#[path = "support/figures.rs"]
mod figures;
#[path = "../src/ledger/tests/support/mod.rs"]
#[allow(dead_code, reason = "a bench needs a part of what tests share")]
mod money;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use figures::{ROUNDS, ratios, show, show_at_most};
use kinfolk_ledger::account::Account;
use kinfolk_ledger::chain::{ChainState, KeptState};
use kinfolk_ledger::entry::{Body, Claim, Class, Ctl, Entry, Out, OutRef, Position as Place};
use kinfolk_ledger::inception::Inception;
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::policy::{Limits, LoadedPolicy, Policies, Witness as Named};
use kinfolk_ledger::signature::SecretKey;
use kinfolk_ledger::signatures::Signatures;
use kinfolk_ledger::vote::{Cert, Mode, Receipt};
use kinfolk_ledger::witness::{Compaction, Line, Shelf, Witness};
use kinfolk_store::{Backend, Derivation, Options, Store, Unlock, Votes};
use kinfolk_wire::ids::{AccountId, PeerId, Signature};
use money::{NOW, amount, body, first_position, issuer, key, policy_of};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Where the process that opens a witness is told its profile.
const PROFILE: &str = "KINFOLK_BENCH_PROFILE";
const ACCOUNTS: u32 = 1_000_000;
/// Batches of each size in a round.
const BATCHES: usize = 20;
/// Proposals that are taken together.
const TOGETHER: u32 = 256;
/// Accounts with a checkpoint, and entries of each before it.
const CHECKPOINTED: u32 = 10_000;
const ENTRIES: u64 = 10;

fn main() {
    if let Some(profile) = std::env::var_os(PROFILE) {
        return reopened(Path::new(&profile));
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    println!("median of {ROUNDS} rounds (least .. most), in turns\n");
    votes(&dir.path().join("votes"));
    witness(&dir.path().join("witness"));
    let accounts = std::env::var("KINFOLK_ACCOUNTS").map_or(ACCOUNTS, |number| number.parse().unwrap());
    compacted(&dir.path().join("compacted"));
    if accounts > 0 {
        known(&dir.path().join("accounts"), accounts);
    }
}

fn profile(dir: &Path) -> Store {
    let options = Options { derivation: Derivation::Least };
    kinfolk_store::create(dir, Backend::Sled, Unlock::KeyFile, options).unwrap()
}

/// A currency of four witnesses, the first of which is this.
fn policy(votes: &Votes) -> LoadedPolicy {
    let mut policy = policy_of(4, 1);
    policy.witnesses[0] = Named { vk: votes.key().vk(), peer_id: PeerId::new([9; 38]) };
    policy.limits = Limits { per_minute: u32::MAX, per_day: u32::MAX, ..policy.limits };
    policy.sign(&issuer()).load().unwrap()
}

/// Somebody, by number: they differ by their salt.
fn somebody(policy: &LoadedPolicy, number: u32) -> Inception {
    static FIRST: OnceLock<Inception> = OnceLock::new();
    let mut inception = FIRST.get_or_init(|| money::inception(policy, 0)).clone();
    inception.currency = policy.currency();
    inception.salt[..4].copy_from_slice(&number.to_be_bytes());
    inception
}

fn writer() -> &'static SecretKey {
    static WRITER: OnceLock<SecretKey> = OnceLock::new();
    WRITER.get_or_init(|| key(10, 0))
}

/// The entry that opens somebody's account with 1,000 units, which the issuer's entry of their number brought.
fn opening(policy: &LoadedPolicy, number: u32) -> Entry {
    let inception = somebody(policy, number);
    let at = first_position(policy, inception.account());
    let out = OutRef { chain: policy.issuing_account(), seq: u64::from(number) + 1, idx: 0 };
    let claims = vec![Claim { out, class: Class::Free, amt: amount(1_000) }];
    Entry::sign(at, Body { ctl: Some(Ctl::Open(inception)), claims, ..body() }, writer())
}

/// A receipt as long as a genuine one; nobody verifies what a log of one's own has.
fn receipt(entry: Entry) -> Receipt {
    let sigs = Signatures::new((0..3).map(|witness| (witness, Signature::new([witness; 64]))));
    Receipt { cert: Cert { mode: Mode::Fast, epoch: 0, ballot: 0, entry: entry.hash(), sigs }, entry }
}

/// Lines to the log, and the same bytes to a plain file.
fn votes(dir: &Path) {
    let store = profile(dir);
    let mut votes = store.votes().create().unwrap();
    let policy = policy(&votes);
    let line = Line::Certified(receipt(opening(&policy, 0))).encode();
    println!(
        "the log: lines of {} bytes, sealed; beside them a plain append of as many bytes and fdatasync",
        line.len()
    );
    let mut plain = File::create(dir.join("plain")).unwrap();
    for group in [1, 16, 64, 256] {
        let lines = vec![line.clone(); group];
        let bytes = lines.concat();
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let mut spent = [0.0; 2];
            for _ in 0..BATCHES {
                let began = Instant::now();
                votes.append(&lines).unwrap();
                spent[0] += began.elapsed().as_secs_f64();
                let began = Instant::now();
                plain.write_all(&bytes).unwrap();
                plain.sync_data().unwrap();
                spent[1] += began.elapsed().as_secs_f64();
            }
            // The first round only warms up.
            if round > 0 {
                let lines = (BATCHES * group) as f64;
                ours.push(lines / spent[0]);
                floor.push(lines / spent[1]);
            }
        }
        show(&format!("{group:3} together, durable"), "votes/s", &ours);
        show("    plain append", "/s", &floor);
        show("    plain to ours", "x", &ratios(&floor, &ours));
    }
    println!();
}

/// A whole witness: from requests to votes.
fn witness(dir: &Path) {
    let store = profile(dir);
    let mut votes = store.votes().create().unwrap();
    let policy = policy(&votes);
    votes.append(&[Line::Policy(policy.signed()).encode()]).unwrap();
    let of_all_rounds = TOGETHER * (ROUNDS as u32 + 1);
    let opened: Vec<Entry> = (0..of_all_rounds).map(|number| opening(&policy, number)).collect();
    let lines: Vec<Vec<u8>> = opened.iter().map(|entry| Line::Certified(receipt(entry.clone())).encode()).collect();
    votes.append(&lines).unwrap();
    let mut witness = Witness::open(votes).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut rates = Vec::new();
    for opened in opened.chunks(TOGETHER as usize) {
        let requests =
            opened.iter().map(|entry| Request::Propose { entry: payment(&policy, entry, 1), cited: vec![] }).collect();
        let began = Instant::now();
        let said = witness.answer(requests, NOW, &mut rng).unwrap();
        rates.push(f64::from(TOGETHER) / began.elapsed().as_secs_f64());
        assert!(said.iter().all(|reply| matches!(reply, Reply::Vote(_))));
    }
    let rounds = rates.split_off(1);
    show(&format!("a whole witness, {TOGETHER} proposals together, to signed votes"), "votes/s", &rounds);
    println!();
}

/// The second entry of an account: it pays somebody.
fn payment(policy: &LoadedPolicy, opened: &Entry, units: u64) -> Entry {
    let header = opened.header();
    let at = Place { seq: 1, prev: opened.hash(), ..first_position(policy, header.chain) };
    Entry::sign(at, Body { outs: vec![Out::cash(AccountId::new([5; 32]), amount(units))], ..body() }, writer())
}

/// Accounts with a checkpoint after ten entries, and their witness's log written anew while it votes.
fn compacted(dir: &Path) {
    let store = profile(dir);
    let place = store.votes().clone();
    let mut votes = place.create().unwrap();
    let policy = policy(&votes);
    let policies = Policies::from(policy.clone());
    votes.append(&[Line::Policy(policy.signed()).encode()]).unwrap();
    let mut states = Vec::new();
    for first in (0..CHECKPOINTED).step_by(1_000) {
        let mut lines = Vec::new();
        for number in first..CHECKPOINTED.min(first + 1_000) {
            let opened = opening(&policy, number);
            let mut state = ChainState::before(&opened, &policy).unwrap();
            let mut next = opened;
            for units in 1..=ENTRIES {
                let change = state.try_entry(&next, &policy).unwrap();
                state.apply(change, next.body());
                lines.push(Line::Certified(receipt(next)).encode());
                let outs = vec![Out::cash(AccountId::new([5; 32]), amount(units))];
                next = Entry::sign(state.next_position(0), Body { outs, ..body() }, writer());
            }
            states.push(state);
        }
        votes.append(&lines).unwrap();
    }
    let mut witness = Witness::open(votes).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for chunk in states.chunks_mut(TOGETHER as usize) {
        let requests =
            chunk.iter_mut().map(|state| Request::Commit { receipt: checkpoint(&policies, state) }).collect();
        let said = witness.answer(requests, NOW, &mut rng).unwrap();
        assert!(said.iter().all(|reply| matches!(reply, Reply::Ack { .. })), "{:?}", said[0]);
    }
    let kept = kinfolk_wire::codec::to_cbor(&KeptState::of(&states[0])).len() as f64;
    let each = |bytes: u64| bytes as f64 / f64::from(CHECKPOINTED);
    println!("{CHECKPOINTED} accounts, of {ENTRIES} entries and a checkpoint each; 16 proposals together meanwhile");
    show_at_most("  a checkpointed account at rest, its state", "bytes", &[kept], 300.0);
    let before = each(witness.end().number());
    let mut turns = [Vec::new(), Vec::new()];
    let mut proposed = states.iter_mut();
    let mut turn = |witness: &mut Witness<Votes>, compaction: Option<&mut Compaction<Votes>>| {
        let asked: Vec<_> = proposed.by_ref().take(16).collect();
        let requests = asked.into_iter().map(|state| {
            let outs = vec![Out::cash(AccountId::new([6; 32]), amount(1))];
            let entry = Entry::sign(state.next_position(0), Body { outs, ..body() }, writer());
            Request::Propose { entry, cited: vec![] }
        });
        let requests: Vec<_> = requests.collect();
        let began = Instant::now();
        let done = compaction.is_some_and(|compaction| witness.compact_some(compaction, 64 + 32).unwrap());
        witness.answer(requests, NOW, &mut rng).unwrap();
        (done, began.elapsed().as_secs_f64() * 1e3)
    };
    turns[0].extend((0..200).map(|_| turn(&mut witness, None).1));
    let began = Instant::now();
    let mut compaction = witness.compact().unwrap();
    loop {
        let (done, took) = turn(&mut witness, Some(&mut compaction));
        turns[1].push(took);
        if done && witness.compact_some(&mut compaction, 4_096).unwrap() {
            break;
        }
    }
    let finishing = Instant::now();
    witness.finish_compaction(&mut compaction, NOW).unwrap();
    let mut witness = witness.compacted(compaction).unwrap();
    println!(
        "  written anew in {:.1} s, {} turns; taking the other's place took {:.1} ms",
        began.elapsed().as_secs_f64(),
        turns[1].len(),
        finishing.elapsed().as_secs_f64() * 1e3
    );
    for (what, turns) in ["16 votes, as ever", "16 votes, meanwhile"].iter().zip(&mut turns) {
        turns.sort_by(f64::total_cmp);
        let at = |part: usize| turns[(turns.len() - 1) * part / 100];
        println!("  {what}: p50 {:.1} ms, p99 {:.1} ms, at most {:.1} ms", at(50), at(99), at(100));
    }
    witness.settle().unwrap();
    let after = each(witness.end().number());
    witness.into_shelf().close().unwrap();
    store.close().unwrap();
    let index =
        fs::read_dir(dir.join("witness")).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.is_dir());
    let index = each(fs::metadata(index.unwrap().join("db")).unwrap().len());
    println!(
        "  on the disk: {before:.0} bytes an account in the log before, {after:.0} after; {index:.0} in the index\n"
    );
}

/// The next entry of an account, which is its checkpoint, certified by the three other witnesses; the state goes on by it.
fn checkpoint(policies: &Policies, state: &mut ChainState) -> Receipt {
    let policy = policies.current();
    let ctl = Some(Ctl::Checkpoint { state_root: state.root() });
    let entry = Entry::sign(state.next_position(0), Body { ctl, ..body() }, writer());
    let votes: Vec<_> = (1..4)
        .map(|place| {
            let mut account = Account::restore(state.chain(), Some(state.clone()), 0, []);
            let approved = account.approval(entry.clone()).unwrap().verify().unwrap();
            let cited = std::collections::BTreeMap::new();
            let held = account.propose(approved, policies, &cited, NOW).unwrap();
            let vote = held.release(&mut money::Log::default()).unwrap().sign(place, &key(2, place));
            vote.unverified(policy).unwrap().verify().unwrap()
        })
        .collect();
    let change = state.try_entry(&entry, policy).unwrap();
    state.apply(change, entry.body());
    Receipt { cert: Cert::of(&votes, policy).unwrap(), entry }
}

/// A witness that knows so many accounts.
fn known(dir: &Path, accounts: u32) {
    let store = profile(dir);
    let place = store.votes().clone();
    let mut votes = place.create().unwrap();
    let policy = policy(&votes);
    votes.append(&[Line::Policy(policy.signed()).encode()]).unwrap();
    let began = Instant::now();
    for first in (0..accounts).step_by(10_000) {
        let lines = (first..accounts.min(first + 10_000))
            .map(|number| Line::Certified(receipt(opening(&policy, number))).encode());
        votes.append(&lines.collect::<Vec<_>>()).unwrap();
    }
    println!("{accounts} accounts, opened by an entry each: written in {:.1} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    let mut witness = Witness::open(votes).unwrap();
    witness.settle().unwrap();
    println!("the index made from the whole log in {:.1} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    witness.into_shelf().close().unwrap();
    println!("closed in {:.1} s", began.elapsed().as_secs_f64());
    store.close().unwrap();
    let bytes = |name: &str| fs::metadata(dir.join("witness").join(name)).unwrap().len() as f64 / f64::from(accounts);
    println!("on the disk: {:.0} bytes an account in the log, {:.0} in the index", bytes("log"), bytes("index/db"));
    println!("opened again after a clean end:");
    child(dir);
    println!("opened again after that one was killed, 4,096 lines behind its index:");
    child(dir);
}

fn child(dir: &Path) {
    let status = Command::new(std::env::current_exe().unwrap()).env(PROFILE, dir).status().unwrap();
    assert!(status.success());
}

/// A process of its own: opens the witness, asks it of accounts all over, and has it vote.
fn reopened(dir: &Path) {
    let began = Instant::now();
    let store = kinfolk_store::open(dir, Unlock::KeyFile).unwrap();
    let profile = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let votes = store.votes().open().unwrap();
    let mut witness = Witness::open(votes).unwrap();
    show_at_most("  opened", "s", &[began.elapsed().as_secs_f64()], 10.0);
    show_at_most("  resident", "MB", &[resident()], 600.0);
    let accounts = u32::try_from(witness.status().accounts).unwrap();
    let policy = witness.policy(&witness.status().currencies[0].currency).unwrap().clone();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let step = (accounts / 4_096).max(1) as usize;
    // Other accounts in each of the two runs.
    let skip = usize::from(dir.join("again").exists());
    fs::write(dir.join("again"), b"").unwrap();
    let numbers: Vec<u32> = (0..accounts).step_by(step).map(|number| number + skip as u32).take(4_096).collect();
    let mut spent = 0.0;
    for numbers in numbers.chunks(TOGETHER as usize) {
        let requests: Vec<Request> = numbers
            .iter()
            .map(|number| Request::Propose { entry: payment(&policy, &opening(&policy, *number), 1), cited: vec![] })
            .collect();
        let began = Instant::now();
        let said = witness.answer(requests, NOW, &mut rng).unwrap();
        spent += began.elapsed().as_secs_f64();
        assert!(said.iter().all(|reply| matches!(reply, Reply::Vote(_))), "{:?}", said[0]);
    }
    show("  votes for accounts that are not in memory, 256 together", "votes/s", &[numbers.len() as f64 / spent]);
    show_at_most("  resident then", "MB", &[resident()], 600.0);
    println!("  (the profile itself opened in {profile:.2} s)");
    // As a killed process ends.
    std::process::exit(0);
}

fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1_024.0
}
