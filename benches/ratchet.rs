//! The ratchet beside vodozemac's Olm session, which has neither encrypted headers nor a post-quantum ratchet.
//!
//! `cargo bench -p kinfolk-crypto --bench ratchet`; for newer processors also with `RUSTFLAGS=-Ctarget-cpu=x86-64-v3`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    dead_code,
    reason = "a bench prints, and stops where something fails; each uses a part of what they share"
)]

#[path = "support/mod.rs"]
mod support;

use std::cell::RefCell;

use kinfolk_crypto::{MemorySkippedKeys, Session};
use kinfolk_wire::envelope::RatchetMessage;
use support::{NOW, TEXT, act, deliver, measure, open, pair, rng};
use vodozemac::olm::{Account, OlmMessage, Session as Olm, SessionConfig};

const GAP: usize = 1_000;

fn main() {
    println!("256-byte messages, CPU time of one thread, median of 5 rounds (least .. most)\n");
    same_direction();
    ping_pong();
    gap();
    at_rest();
    sizes();
}

/// Two Olm sessions of which each has heard the other.
fn olm_pair() -> (Olm, Olm) {
    let (anna, mut bela) = (Account::new(), Account::new());
    bela.generate_one_time_keys(1);
    let one_time = *bela.one_time_keys().values().next().unwrap();
    let config = SessionConfig::version_1();
    let mut a = anna.create_outbound_session(config, bela.curve25519_key(), one_time).unwrap();
    let OlmMessage::PreKey(first) = a.encrypt(TEXT).unwrap() else { panic!("a first message") };
    let mut b = bela.create_inbound_session(config, anna.curve25519_key(), &first).unwrap().session;
    olm_deliver(&mut b, &mut a);
    (a, b)
}

fn olm_deliver(from: &mut Olm, to: &mut Olm) {
    // Onto the wire and off it again, as ours goes.
    let OlmMessage::Normal(message) = from.encrypt(TEXT).unwrap() else { panic!("a later message") };
    let message = vodozemac::olm::Message::from_bytes(&message.to_bytes()).unwrap();
    assert_eq!(to.decrypt(&OlmMessage::Normal(message)).unwrap().len(), TEXT.len());
}

fn same_direction() {
    let (offering, quiet, sealing) = (RefCell::new(rng(1)), RefCell::new(rng(2)), RefCell::new(rng(3)));
    let (mut a, mut b) = pair(&mut offering.borrow_mut());
    let (mut c, mut d) = pair(&mut quiet.borrow_mut());
    let (_, mut e) = pair(&mut sealing.borrow_mut());
    let (mut f, mut g) = olm_pair();
    let (mut h, _) = olm_pair();
    let figures = measure(vec![
        act("seal and open, an offer on every eighth unanswered", 4_000, || {
            deliver(&mut offering.borrow_mut(), &mut a, &mut b);
        }),
        act("seal and open, nothing on offer", 4_000, || deliver(&mut quiet.borrow_mut(), &mut d, &mut c)),
        act("Olm: encrypt and decrypt", 4_000, || olm_deliver(&mut f, &mut g)),
        act("seal only, nothing on offer", 4_000, || {
            e.encrypt(&mut *sealing.borrow_mut(), NOW, &TEXT).unwrap();
        }),
        act("Olm: encrypt only", 4_000, || {
            h.encrypt(TEXT).unwrap();
        }),
    ]);
    println!("same direction");
    figures[1].beside(&figures[2], Some(0.6));
    figures[0].beside(&figures[2], Some(0.6));
    figures[3].beside(&figures[4], None);
}

fn ping_pong() {
    let mut rng = rng(4);
    let (mut a, mut b) = pair(&mut rng);
    let (mut c, mut d) = olm_pair();
    let figures = measure(vec![
        act("there and back (2 messages, 2 steps), epochs as they come", 1_000, || {
            deliver(&mut rng, &mut a, &mut b);
            deliver(&mut rng, &mut b, &mut a);
        }),
        act("Olm: there and back", 1_000, || {
            olm_deliver(&mut c, &mut d);
            olm_deliver(&mut d, &mut c);
        }),
    ]);
    println!("a Diffie-Hellman step with every message");
    figures[0].beside(&figures[1], Some(1.25));
}

fn gap() {
    let mut rng = rng(5);
    let (a, mut b) = pair(&mut rng);
    let mut last = Vec::new();
    for _ in 0..=GAP {
        last = b.encrypt(&mut rng, NOW, &TEXT).unwrap();
    }
    let (mut c, mut d) = olm_pair();
    let mut olm_last = None;
    for _ in 0..=GAP {
        olm_last = Some(d.encrypt(TEXT).unwrap());
    }
    let olm_last = olm_last.unwrap();
    let before = c.pickle();
    let empty = MemorySkippedKeys::new();
    let figures = measure(vec![
        act("open after a gap of 1,000", 50, || {
            let opened = a.decrypt(NOW, &RatchetMessage::decode(&last).unwrap(), &empty).unwrap();
            assert_eq!(opened.store.len(), GAP);
        }),
        // Olm has no opening aside: a copy of the session is made each time and measured alone to be taken off.
        act("Olm: the same, which keeps 40 keys of them", 50, || {
            c = copy(&before);
            c.decrypt(&olm_last).unwrap();
        }),
        act("Olm: the copy alone", 50, || {
            drop(copy(&before));
        }),
    ]);
    println!("a gap");
    let olm = support::Figure::sum(&figures[1].name, &[(1.0, &figures[1]), (-1.0, &figures[2])]);
    figures[0].beside(&olm, None);
}

fn copy(pickle: &vodozemac::olm::SessionPickle) -> Olm {
    let text = serde_json::to_string(pickle).unwrap();
    Olm::from_pickle(serde_json::from_str(&text).unwrap())
}

/// What a caller that keeps sessions on disk pays beside each message.
fn at_rest() {
    let mut rng = rng(7);
    let (a, mut b) = pair(&mut rng);
    drop(b.encrypt(&mut rng, NOW, &TEXT).unwrap());
    let stored = b.to_bytes();
    let figures = measure(vec![
        act("a session into its stored form", 4_000, || drop(b.to_bytes())),
        act("a session out of its stored form", 4_000, || drop(Session::from_bytes(stored.as_slice()).unwrap())),
    ]);
    println!("at rest");
    figures.iter().for_each(support::Figure::print);
    println!("bytes of a session at rest: {}, of one that has sent nothing {}\n", stored.len(), a.to_bytes().len());
}

fn sizes() {
    let mut rng = rng(6);
    let (a, mut b) = pair(&mut rng);
    let ours = b.encrypt(&mut rng, NOW, &TEXT).unwrap();
    drop(open(&a, &ours));
    let (_, mut d) = olm_pair();
    let theirs = d.encrypt(TEXT).unwrap().to_parts().1;
    println!("bytes of a message: {} (padded to 320), Olm {}", ours.len(), theirs.len());
}
