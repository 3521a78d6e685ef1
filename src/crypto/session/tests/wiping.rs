//! What is left in a process's memory of keys that were used.
//!
//! Two ends talk in a thread of their own, whose stack is left as the talk left it: both ends are stored and read again
//! at every message, both ratchets step. Every key of theirs is remembered, masked. Then both ends are dropped, and all
//! the memory is searched.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use rand_core::{TryCryptoRng, TryRng};

use crate::ratchet::chain_key::ChainKey;
use crate::ratchet::message_key::MessageSecret;
use crate::ratchet::side::Theirs;
use crate::ratchet::skipped::SkippedKeys;
use crate::skip::skip;
use crate::test_support::{End, NOW, rng, talking};

const TEST: &str = "session::tests::wiping::a13_keys_that_were_used_are_nowhere_in_memory";
const ALONE: &str = "KINFOLK_TEST_ALONE";
/// No key stands in memory as it is remembered.
const MASK: u8 = 0xa5;

type Masked = [u8; 32];

fn masked(key: &[u8; 32]) -> Masked {
    key.map(|byte| byte ^ MASK)
}

/// Draws bytes and keeps none.
struct Drawn(u64);

impl TryRng for Drawn {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.0 >> 56) as u8;
        }
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

/// Runs something so many bytes further down the stack, and leaves those in between as they are.
#[inline(never)]
fn further_down<const BYTES: usize, T>(run: impl FnOnce() -> T) -> T {
    let between = [const { MaybeUninit::<u8>::uninit() }; BYTES];
    black_box(&between);
    let out = run();
    black_box(&between);
    out
}

#[inline(never)]
fn wipe_further_down() {
    let mut area = [0_u8; 256 << 10];
    black_box(&mut area);
}

/// Remembers all keys that two ends have now, and those of the message that comes next. What that leaves on the stack is
/// wiped: it is not of the program.
fn remember(ends: &[End; 2], keys: &mut BTreeSet<Masked>) {
    #[inline(never)]
    fn all(ends: &[End; 2], keys: &mut BTreeSet<Masked>) {
        for end in ends {
            let state = &end.session.state;
            let post_quantum = state.post_quantum.secrets();
            keys.extend(state.double.secrets().iter().chain(&post_quantum).map(|key| masked(key.as_bytes())));
            for id in end.skipped.oldest(usize::MAX) {
                keys.insert(masked(end.skipped.find(&id).unwrap().as_slice().try_into().unwrap()));
            }
            if let Some(receiving) = state.double.receiving() {
                let ec = receiving.chain.clone().advance();
                let pq = ChainKey::<Theirs>::new(post_quantum[2].clone()).advance();
                let mixed = MessageSecret::mix(&ec, &pq).to_bytes();
                keys.extend([ec.as_bytes(), pq.as_bytes(), mixed.as_slice().try_into().unwrap()].map(masked));
            }
        }
    }
    further_down::<{ 1 << 20 }, ()>(|| {
        all(ends, keys);
        wipe_further_down();
    });
}

/// One end sends and the other receives; both are stored and read again. Messages in `held` come after those that
/// follow them.
#[inline(never)]
fn say(ends: &mut [End; 2], from: usize, drawn: &mut Drawn, held: &mut Vec<Vec<u8>>, hold: bool) {
    let payload = ends[from].session.encrypt(drawn, NOW, b"what is said").unwrap();
    ends[from].restart();
    if hold {
        held.push(payload);
        return;
    }
    for payload in std::iter::once(payload).chain(held.drain(..)) {
        assert_eq!(ends[from ^ 1].receive(&payload).unwrap().as_slice(), b"what is said");
        ends[from ^ 1].restart();
    }
}

/// What was a key of two ends before, and what is one now, after a talk.
fn talk(ends: &mut [End; 2]) -> (BTreeSet<Masked>, BTreeSet<Masked>) {
    let (mut ever, mut now, mut held) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let drawn = &mut Drawn(0x5eed);
    for round in 0..60 {
        for (from, hold) in [(0, round % 3 == 0), (0, false), (1, false), (1, round % 2 == 0), (1, false)] {
            remember(ends, &mut ever);
            further_down::<{ 64 << 10 }, ()>(|| say(ends, from, drawn, &mut held, hold));
        }
    }
    remember(ends, &mut now);
    (ever, now)
}

/// Two ends that have just begun. Who they are, and the keys of their devices, are not looked for.
fn made() -> [End; 2] {
    #[inline(never)]
    fn made() -> [End; 2] {
        talking(&mut rng(13)).into()
    }
    let ends = made();
    wipe_further_down();
    ends
}

/// Keys that are found in the writable memory of this process, and how many bytes that has.
fn search(keys: &BTreeSet<Masked>) -> (BTreeSet<Masked>, usize) {
    let mut begins = vec![false; 1 << 16];
    for key in keys {
        begins[usize::from(u16::from_be_bytes([key[0] ^ MASK, key[1] ^ MASK]))] = true;
    }
    let (mut found, mut searched) = (BTreeSet::new(), 0);
    let memory = File::open("/proc/self/mem").unwrap();
    let mut window = vec![0_u8; (1 << 20) + 31];
    for line in fs::read_to_string("/proc/self/maps").unwrap().lines() {
        let mut words = line.split(' ');
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let (start, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
        for at in (start..end).step_by(1 << 20) {
            let length = usize::try_from(end.saturating_sub(at).min((1 << 20) + 31)).unwrap();
            // What the system maps for itself cannot be read.
            let Ok(read) = memory.read_at(&mut window[..length], at) else { break };
            searched = read.saturating_add(searched);
            for bytes in window[..read].windows(32) {
                if begins[usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))] {
                    let bytes = masked(bytes.try_into().unwrap());
                    if keys.contains(&bytes) {
                        found.insert(bytes);
                    }
                }
            }
        }
        // What was read is no place where a key was left.
        window.fill(0);
    }
    (found, searched)
}

#[test]
#[allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a stack that nobody uses any more is searched")]
fn a13_keys_that_were_used_are_nowhere_in_memory() {
    if std::env::var_os(ALONE).is_none() {
        if let Err(error) = File::open("/proc/self/mem") {
            return skip(TEST, &format!("a process cannot look at its own memory here: {error}"));
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST, "--nocapture"])
            .env(ALONE, "1")
            .output();
        let output = output.unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let (done, wait) = mpsc::sync_channel(1);
    let (go_on, told) = mpsc::sync_channel::<()>(1);
    let talking = thread::Builder::new().stack_size(8 << 20).spawn(move || {
        let mut ends = further_down::<{ 2 << 20 }, _>(made);
        done.send(talk(&mut ends)).unwrap();
        told.recv().unwrap();
        further_down::<{ 64 << 10 }, ()>(|| drop(ends));
        done.send(Default::default()).unwrap();
        // Its stack stays as it is until it has been searched.
        told.recv().unwrap();
    });
    let (before, now) = wait.recv().unwrap();
    let all: BTreeSet<Masked> = before.union(&now).copied().collect();
    assert!(all.len() > 1_500, "there were only {} keys", all.len());
    let (found, _) = search(&now);
    assert!(found.len() >= 8, "only {} of {} keys in use were found", found.len(), now.len());
    go_on.send(()).unwrap();
    wait.recv().unwrap();
    let (left, searched) = search(&all);
    println!("{} of {} keys are left in {searched} bytes, {} while they were used", left.len(), all.len(), found.len());
    // A key that is leaked is found.
    let leaked = all.first().copied().unwrap();
    let leak = black_box(Box::leak(Box::new(masked(&leaked))));
    assert!(search(&all).0.contains(&leaked), "a key that was leaked was not found");
    leak.fill(0);
    go_on.send(()).unwrap();
    talking.unwrap().join().unwrap();
    assert_eq!(left.len(), 0, "keys that were used are left in memory");
}
