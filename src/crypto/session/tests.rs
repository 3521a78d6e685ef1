//! What can only be tried with a session's own keys in hand.

#[cfg(target_os = "linux")]
mod wiping;

use std::collections::BTreeSet;
use std::time::Instant;

use rand_core::Rng;

use kinfolk_wire::envelope::{RATCHET, RatchetMessage};
use kinfolk_wire::time::{Span, Timestamp};

use super::{DecryptError, EncryptError, Session};
use crate::kdf::sha256;
use crate::pad::pad_into;
use crate::ratchet::COUNTER_LIMIT;
use crate::ratchet::header::Header;
use crate::ratchet::message_key::MessageSecret;
use crate::test_support::{End, NOW, message, none, rng, talking};

/// What a lying program does to a header before it seals it.
type Lie<'a> = &'a dyn Fn(&mut Header);

/// A message of `end`, whose program alters the header before it seals it.
fn crafted(end: &mut End, seed: u64, alter: Lie<'_>) -> Vec<u8> {
    let rng = &mut rng(seed);
    let state = &mut *end.session.state;
    let ec = state.double.next_key(rng).unwrap();
    let pq = state.post_quantum.next_key(rng, NOW);
    let mut header = Header {
        ratchet_key: ec.ratchet_key,
        previous: ec.previous,
        number: ec.number,
        pq_epoch: pq.epoch,
        pq_previous: pq.previous,
        pq_number: pq.number,
        offer: pq.offer,
        answer: pq.answer,
    };
    alter(&mut header);
    let mut nonce = [0; 24];
    rng.fill_bytes(&mut nonce);
    let mut sealed = Vec::new();
    header.encode_into(&mut sealed);
    let mut associated = state.id.to_vec();
    associated.push(RATCHET);
    associated.extend_from_slice(&u16::try_from(sealed.len()).unwrap().saturating_add(16).to_be_bytes());
    let tag = state.double.send_header().unwrap().seal(&nonce, &associated, &mut sealed);
    associated.extend([&nonce[..], &sealed, &tag].concat());
    let mut body = Vec::new();
    pad_into(b"crafted", &mut body);
    let tag = MessageSecret::mix(&ec.key, &pq.key).seal(&nonce, &associated, &mut body);
    [&associated[32..], &body, &tag].concat()
}

#[test]
fn a_crafted_message_without_a_lie_opens() {
    let (mut alice, mut bob) = talking(&mut rng(1));
    let payload = crafted(&mut alice, 1, &|_| {});
    assert_eq!(bob.receive(&payload).unwrap().as_slice(), b"crafted");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn a15_counters_that_lie_are_refused_at_once() {
    let lies: [(&str, Lie<'_>); 9] = [
        ("number at the end", &|header| header.number = u32::MAX),
        ("number at the limit", &|header| header.number = COUNTER_LIMIT - 1),
        ("both numbers far ahead", &|header| {
            header.number = 1_000_000_000;
            header.pq_number = 1_000_000_000;
        }),
        ("one number ahead of the other", &|header| header.number += 1),
        ("the other ahead of the one", &|header| header.pq_number += 1),
        ("an epoch that has not come", &|header| header.pq_epoch = 1),
        ("an epoch that never comes", &|header| header.pq_epoch = COUNTER_LIMIT - 1),
        ("all at the end", &|header| {
            (header.previous, header.number, header.pq_epoch) = (u32::MAX, u32::MAX, u32::MAX);
            (header.pq_previous, header.pq_number) = (u32::MAX, u32::MAX);
        }),
        ("another ratchet key in the same chain", &|header| header.ratchet_key[0] ^= 1),
    ];
    for (lie, alter) in lies {
        let (mut alice, bob) = talking(&mut rng(2));
        let payload = crafted(&mut alice, 2, alter);
        let before = bob.session.to_bytes();
        // A busy machine may stop us at any time: one try of many must show how long it takes.
        let quick = (0..200).any(|_| {
            let start = Instant::now();
            let refusal = bob.session.decrypt(NOW, &message(&payload), &none()).unwrap_err();
            let took = start.elapsed();
            assert!(
                matches!(refusal, DecryptError::Malformed | DecryptError::TooFarAhead { .. }),
                "{lie}: {refusal:?}"
            );
            took.as_micros() < 1_000
        });
        assert!(quick, "{lie}");
        assert_eq!(bob.session.to_bytes(), before);
    }
}

#[test]
fn a15_lies_about_the_chain_before_are_refused() {
    let lies: [(&str, Lie<'_>, DecryptError); 4] = [
        ("fewer than were received", &|header| header.previous = 0, DecryptError::Malformed),
        (
            "far more than were sent",
            &|header| header.previous += 2_001,
            DecryptError::TooFarAhead { found: 2_001, limit: 2_000 },
        ),
        ("more than the other ratchet counts", &|header| header.previous += 1, DecryptError::Malformed),
        ("a key of low order", &|header| header.ratchet_key = [0; 32], DecryptError::Malformed),
    ];
    for (lie, alter, expected) in lies {
        let (mut alice, mut bob) = talking(&mut rng(3));
        let reply = bob.send(&mut rng(4), b"your turn");
        alice.receive(&reply).unwrap();
        let payload = crafted(&mut alice, 3, alter);
        let refusal = bob.session.decrypt(NOW, &message(&payload), &none()).unwrap_err();
        assert_eq!(refusal, expected, "{lie}");
    }
}

#[test]
fn a_replaced_chain_has_no_more_messages_than_it_had() {
    let rng = &mut rng(5);
    let (mut alice, mut bob) = talking(rng);
    let old = Session::from_bytes(alice.session.to_bytes().as_slice()).unwrap();
    alice.send(rng, b"skipped");
    let reply = bob.send(rng, b"your turn");
    alice.receive(&reply).unwrap();
    let payload = alice.send(rng, b"a new chain");
    bob.receive(&payload).unwrap();
    // Under the header key of the chain before, whose one skipped message keeps it: numbers beyond its length.
    let mut late = End::new(old);
    let payload = crafted(&mut late, 5, &|header| header.number = 2);
    assert_eq!(bob.receive(&payload), Err(DecryptError::Malformed));
    assert_eq!(bob.skipped.len(), 1);
}

#[test]
fn a03_what_is_sealed_bears_the_id_of_its_session() {
    let rng = &mut rng(18);
    let (mut alice, mut bob) = talking(rng);
    let payload = alice.send(rng, b"here");
    let mut elsewhere = bob.session.state.clone();
    elsewhere.id[31] ^= 1;
    let refusal = Session { state: elsewhere }.decrypt(NOW, &message(&payload), &none()).unwrap_err();
    assert_eq!(refusal, DecryptError::Unreadable);
    bob.receive(&payload).unwrap();
}

/// Threads that seal at the same time, each with two ends of its own.
const THREADS: u64 = 8;
/// Keys that all of them use, unless `KINFOLK_KEYS` says how many.
const KEYS: u64 = 3_200;

#[test]
fn a16_no_key_and_nonce_come_twice_even_after_a_crash_between_sealing_and_sending() {
    let keys = std::env::var("KINFOLK_KEYS").map_or(KEYS, |keys| keys.parse().unwrap());
    let rounds = keys.div_ceil(4 * THREADS);
    let mut seen = BTreeSet::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|seed| scope.spawn(move || keys_of(600 + seed, rounds))).collect();
        for thread in threads {
            for key in thread.join().unwrap() {
                assert!(seen.insert(key), "a key and nonce came twice");
            }
        }
    });
    assert_eq!(u64::try_from(seen.len()).unwrap(), rounds * 4 * THREADS);
}

/// The keys and nonces of all that two ends seal, four a round.
fn keys_of(seed: u64, rounds: u64) -> Vec<([u8; 32], [u8; 12])> {
    let rng = &mut rng(seed);
    let (mut alice, mut bob) = talking(rng);
    let mut used = Vec::new();
    for round in 0..rounds {
        for end in [&mut alice, &mut bob] {
            let stored = end.session.to_bytes();
            // The first attempt is sealed, and the device stops before it is stored.
            for _ in 0..2 {
                end.session = Session::from_bytes(stored.as_slice()).unwrap();
                let mut probe = Session::from_bytes(stored.as_slice()).unwrap();
                let same_rng = &mut rng.clone();
                let ec = probe.state.double.next_key(same_rng).unwrap();
                let pq = probe.state.post_quantum.next_key(same_rng, NOW);
                let payload = end.send(rng, b"attempt");
                let message = message(&payload);
                let secret = MessageSecret::mix(&ec.key, &pq.key);
                let associated = [&probe.state.id[..], message.before_body()].concat();
                let (body, tag) = message.sealed_body.split_last_chunk().unwrap();
                let opens = secret.open(message.header_nonce, &associated, &mut body.to_vec(), tag);
                assert!(opens.is_ok(), "these are the keys of the message");
                let keys = secret.keys(message.header_nonce);
                used.push((*keys.key, keys.nonce));
            }
        }
        let payload = alice.send(rng, b"delivered");
        bob.receive(&payload).unwrap();
        if round % 3 == 0 {
            let payload = bob.send(rng, b"delivered");
            alice.receive(&payload).unwrap();
        }
        // What never arrives need not be kept: a long run would bridge more than a session does.
        alice.skipped = none();
        bob.skipped = none();
    }
    used
}

#[test]
fn a13_no_key_that_was_used_is_left_in_the_stored_state() {
    let rng = &mut rng(7);
    let (mut alice, mut bob) = talking(rng);
    let mut used: Vec<[u8; 32]> = Vec::new();
    for _ in 0..40 {
        // Two in each chain: the second is of a chain that goes on.
        for _ in 0..2 {
            let receiving = bob.session.state.double.receiving().unwrap().chain.clone();
            used.extend([*receiving.as_bytes(), *receiving.clone().advance().as_bytes()]);
            let payload = alice.send(rng, b"one");
            bob.receive(&payload).unwrap();
        }
        let reply = bob.send(rng, b"two");
        alice.receive(&reply).unwrap();
    }
    let payload = alice.send(rng, b"the last");
    bob.receive(&payload).unwrap();
    used.push(*bob.session.state.double.receiving().unwrap().chain.as_bytes());
    let payload = alice.send(rng, b"in the same chain");
    bob.receive(&payload).unwrap();
    let stored = [bob.session.to_bytes(), alice.session.to_bytes()];
    for key in &used {
        for stored in &stored {
            assert!(!stored.as_slice().windows(32).any(|window| window == key));
        }
    }
    // The search finds what is there.
    let present = *bob.session.state.double.receiving().unwrap().chain.as_bytes();
    assert!(stored[0].as_slice().windows(32).any(|window| window == present));
}

/// Epochs at both ends.
fn epochs(alice: &End, bob: &End) -> (u32, u32) {
    (alice.session.state.post_quantum.epoch(), bob.session.state.post_quantum.epoch())
}

fn round_trip(rng: &mut rand_chacha::ChaCha20Rng, alice: &mut End, bob: &mut End, now: Timestamp) {
    let payload = alice.send_at(rng, now, b"to");
    bob.receive_at(now, &payload).unwrap();
    let payload = bob.send_at(rng, now, b"fro");
    alice.receive_at(now, &payload).unwrap();
}

#[test]
fn an_epoch_is_replaced_after_sixty_four_messages_and_the_sides_take_turns() {
    let rng = &mut rng(8);
    let (mut alice, mut bob) = talking(rng);
    // One message was sent already. The offer goes out with the 65th, its answer comes back with the next.
    for _ in 0..31 {
        round_trip(rng, &mut alice, &mut bob, NOW);
    }
    assert_eq!(epochs(&alice, &bob), (0, 0));
    round_trip(rng, &mut alice, &mut bob, NOW);
    round_trip(rng, &mut alice, &mut bob, NOW);
    assert_eq!(epochs(&alice, &bob), (1, 1));
    for _ in 0..200 {
        round_trip(rng, &mut alice, &mut bob, NOW);
    }
    let (one, other) = epochs(&alice, &bob);
    assert!(one >= 6 && one.abs_diff(other) <= 1, "{one} {other}");
}

#[test]
fn an_epoch_is_replaced_after_a_day() {
    let rng = &mut rng(9);
    let (mut alice, mut bob) = talking(rng);
    let almost = NOW.after(Span::from_millis(Span::from_hours(24).as_millis() - 1));
    round_trip(rng, &mut alice, &mut bob, almost);
    round_trip(rng, &mut alice, &mut bob, almost);
    assert_eq!(epochs(&alice, &bob), (0, 0));
    let day = NOW.after(Span::from_hours(24));
    round_trip(rng, &mut alice, &mut bob, day);
    assert_eq!(epochs(&alice, &bob), (1, 1));
}

#[test]
fn a_lost_answer_blocks_nothing_and_mail_of_the_epoch_before_still_opens() {
    let rng = &mut rng(10);
    let (mut alice, mut bob) = talking(rng);
    let day = NOW.after(Span::from_hours(24));
    let offer = alice.send_at(rng, day, b"with an offer");
    bob.receive_at(day, &offer).unwrap();
    // The answer rides on each of these; all but the last are delayed.
    let delayed: Vec<_> = (0..3).map(|_| bob.send_at(rng, day, b"delayed")).collect();
    assert_eq!(epochs(&alice, &bob), (0, 1));
    // Alice has not seen it: both go on under the epoch before.
    let payload = alice.send_at(rng, day, b"meanwhile");
    bob.receive_at(day, &payload).unwrap();
    let overtaken = alice.send_at(rng, day, b"under the old epoch");
    let payload = bob.send_at(rng, day, b"arrives");
    alice.receive_at(day, &payload).unwrap();
    assert_eq!(epochs(&alice, &bob), (1, 1));
    // The first under the new epoch overtakes the last under the old one.
    let payload = alice.send_at(rng, day, b"under the new epoch");
    bob.receive_at(day, &payload).unwrap();
    assert_eq!(bob.receive_at(day, &overtaken).unwrap().as_slice(), b"under the old epoch");
    for payload in &delayed {
        assert_eq!(alice.receive_at(day, payload).unwrap().as_slice(), b"delayed");
    }
    round_trip(rng, &mut alice, &mut bob, day);
    assert!(alice.skipped.is_empty() && bob.skipped.is_empty());
}

#[test]
fn a14_each_ratchet_alone_heals_what_was_stolen() {
    let rng = &mut rng(11);
    let (mut alice, mut bob) = talking(rng);
    let stolen = bob.session.state.clone();
    let day = NOW.after(Span::from_hours(24));
    for _ in 0..3 {
        round_trip(rng, &mut alice, &mut bob, day);
    }
    assert_eq!(epochs(&alice, &bob), (1, 1));
    let payload = alice.send_at(rng, day, b"private again");
    let open = |session: &Session| session.decrypt(day, &message(&payload), &none()).map(|opened| opened.plaintext);

    // Who has broken X25519 and so knows all of the double ratchet still lacks the new epoch, and knowing its counters
    // does not help.
    let mut thief = bob.session.state.clone();
    thief.post_quantum = stolen.post_quantum.clone();
    assert!(open(&Session { state: thief }).is_err());
    let mut thief = bob.session.state.clone();
    thief.post_quantum = thief.post_quantum.without_keys();
    assert_eq!(open(&Session { state: thief }).err(), Some(DecryptError::Unreadable));
    // Who has broken ML-KEM and so knows all of the post-quantum ratchet still lacks the new step.
    let mut thief = bob.session.state.clone();
    thief.double = stolen.double.clone();
    assert!(open(&Session { state: thief }).is_err());
    let whole = Session { state: bob.session.state.clone() };
    assert_eq!(open(&whole).unwrap().as_slice(), b"private again");
}

#[test]
fn a13_the_root_of_the_epoch_before_is_gone() {
    let rng = &mut rng(19);
    let (mut alice, mut bob) = talking(rng);
    let before = *alice.session.state.post_quantum.root();
    assert_eq!(before, *bob.session.state.post_quantum.root());
    let day = NOW.after(Span::from_hours(24));
    round_trip(rng, &mut alice, &mut bob, day);
    round_trip(rng, &mut alice, &mut bob, day);
    assert_eq!(alice.session.state.post_quantum.root(), bob.session.state.post_quantum.root());
    for end in [&alice, &bob] {
        assert!(!end.session.to_bytes().as_slice().windows(32).any(|window| window == before));
    }
}

#[test]
fn a14_an_altered_answer_never_reaches_the_ratchet() {
    let rng = &mut rng(12);
    let (mut alice, mut bob) = talking(rng);
    let day = NOW.after(Span::from_hours(24));
    let offer = alice.send_at(rng, day, b"with an offer");
    bob.receive_at(day, &offer).unwrap();
    let answer = bob.send_at(rng, day, b"with its answer");
    let before = alice.session.to_bytes();
    for at in (30..answer.len()).step_by(13) {
        let mut altered = answer.clone();
        altered[at] ^= 1;
        assert_eq!(alice.receive_at(day, &altered), Err(DecryptError::Unreadable));
    }
    assert_eq!(alice.session.to_bytes(), before);
    alice.receive_at(day, &answer).unwrap();
    assert_eq!(epochs(&alice, &bob), (1, 1));
}

#[test]
fn an_offer_out_of_turn_or_with_an_invalid_key_is_ignored() {
    let rng = &mut rng(13);
    let (mut alice, mut bob) = talking(rng);
    let payload = crafted(&mut alice, 13, &|header| header.offer = Some(Box::new([0xff; 1_184])));
    bob.receive(&payload).unwrap();
    bob.send(rng, b"no answer");
    assert_eq!(epochs(&alice, &bob), (0, 0));

    // Epoch 1 is the initiator's to offer.
    let (mut alice, mut bob) = talking(rng);
    let key = Box::new(*crate::kem::KemPrivate::public(&<crate::kem::MlKem768 as crate::kem::Kem>::expand(&[1; 64])));
    bob.send(rng, b"makes a step");
    let payload = crafted(&mut bob, 14, &|header| header.offer = Some(key.clone()));
    alice.receive(&payload).unwrap();
    alice.send(rng, b"no answer");
    assert_eq!(epochs(&alice, &bob), (0, 0));
    // The same key in the right direction is answered.
    let payload = crafted(&mut alice, 15, &|header| header.offer = Some(key.clone()));
    bob.receive(&payload).unwrap();
    bob.send(rng, b"an answer");
    assert_eq!(epochs(&alice, &bob), (0, 1));
}

#[test]
fn a_session_that_has_sent_all_it_can_says_so_and_changes_nothing() {
    let rng = &mut rng(14);
    let (mut alice, _) = talking(rng);
    alice.session.state.sent = COUNTER_LIMIT;
    let before = alice.session.to_bytes();
    assert_eq!(alice.session.encrypt(rng, NOW, b"one more"), Err(EncryptError::Spent));
    assert_eq!(alice.session.to_bytes(), before);
    alice.session.state.sent = COUNTER_LIMIT - 1;
    assert!(alice.session.encrypt(rng, NOW, b"the last").is_ok());
    assert_eq!(alice.session.encrypt(rng, NOW, b"one more"), Err(EncryptError::Spent));
}

#[test]
fn ordinals_at_the_end_of_the_count_are_refused() {
    let rng = &mut rng(15);
    let (mut alice, mut bob) = talking(rng);
    let reply = bob.send(rng, b"your turn");
    alice.receive(&reply).unwrap();
    bob.session.state.received = COUNTER_LIMIT;
    let payload = alice.send(rng, b"beyond");
    assert_eq!(bob.receive(&payload), Err(DecryptError::Malformed));
}

#[test]
fn a_body_without_padding_is_refused_though_it_is_genuine() {
    let rng = &mut rng(16);
    let (mut alice, mut bob) = talking(rng);
    let payload = crafted(&mut alice, 16, &|_| {});
    // The same message sealed again over a body of zeros.
    let mut copy = bob.session.state.clone();
    let (mut double, mut pq) = (copy.double.receiving().unwrap().chain.clone(), copy.post_quantum.clone());
    let header = Header {
        ratchet_key: [0; 32],
        previous: 0,
        number: 0,
        pq_epoch: 0,
        pq_previous: 0,
        pq_number: bob.session.state.received,
        offer: None,
        answer: None,
    };
    let mut walk = pq.walk(&header, copy.received, copy.received).unwrap();
    let secret = MessageSecret::mix(&double.advance(), &walk.next_key(copy.received));
    pq.keep(&header, walk.into_last());
    copy.received += 1;
    let genuine = RatchetMessage::decode(&payload).unwrap();
    let associated = [&bob.session.state.id[..], genuine.before_body()].concat();
    let mut body = vec![0; 160];
    let tag = secret.seal(genuine.header_nonce, &associated, &mut body);
    let forged = [genuine.before_body(), &body, &tag].concat();
    assert_eq!(bob.receive(&forged), Err(DecryptError::Malformed));
    assert_eq!(bob.receive(&payload).unwrap().as_slice(), b"crafted");
}

#[test]
fn the_stored_form_of_version_1_does_not_change() {
    let rng = &mut rng(17);
    let (mut alice, mut bob) = talking(rng);
    let digest = |end: &End| {
        let bytes = end.session.to_bytes();
        let hash = sha256(&[bytes.as_slice()]);
        (bytes.len(), data_encoding::HEXLOWER.encode(&hash[..8]))
    };
    let mut seen = vec![digest(&alice), digest(&bob)];
    // An offer out, keys skipped in a chain that was replaced, an answer out.
    let day = NOW.after(Span::from_hours(24));
    alice.send_at(rng, day, b"lost");
    let payload = alice.send_at(rng, day, b"with an offer");
    bob.receive_at(day, &payload).unwrap();
    seen.extend([digest(&alice), digest(&bob)]);
    let payload = bob.send_at(rng, day, b"with its answer");
    alice.receive_at(day, &payload).unwrap();
    let payload = alice.send_at(rng, day, b"a new chain");
    seen.extend([digest(&alice), digest(&bob)]);
    bob.receive_at(day, &payload).unwrap();
    seen.push(digest(&bob));
    let expected: [(usize, &str); 7] = FROZEN;
    assert_eq!(seen.iter().map(|(length, hash)| (*length, hash.as_str())).collect::<Vec<_>>(), expected);
}

/// Length and hash of the stored sessions above. They change only together with the version byte.
const FROZEN: [(usize, &str); 7] = [
    (1_571, "bc62cfb2d7d3da62"),
    (372, "c60e882ffd7810d2"),
    (2_822, "5f8b869b1256a01a"),
    (1_562, "d4d54214daff14e5"),
    (533, "62bf30548b376ddf"),
    (1_660, "b58a2c841b7ad8fb"),
    (411, "776494e6d5ed24c8"),
];
