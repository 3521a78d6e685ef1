//! Two people talk: what must work.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says so by failing"
)]

mod support;

use kinfolk_crypto::Session;
use kinfolk_wire::envelope::Payload;
use support::{End, Person, rng, talking};

#[test]
fn both_sides_share_session_and_pair_root_with_and_without_a_one_time_pair() {
    for one_time in [true, false] {
        let rng = &mut rng(1);
        let (alice, bob) = (Person::new(rng), Person::new(rng));
        let begun = alice.begin(rng, &bob, one_time, None);
        let mut ours = End::new(begun.session);
        let payload = ours.send(rng, b"hello");
        let accepted = bob.answer(&alice, &payload, None).unwrap();
        assert_eq!(accepted.plaintext.as_slice(), b"hello");
        assert_eq!(accepted.session.id(), ours.session.id());
        assert_eq!(accepted.session.init_digest(), ours.session.init_digest());
        assert_eq!(accepted.pair_root.to_bytes(), begun.pair_root.to_bytes());
        assert!(accepted.store.is_empty());
    }
}

#[test]
fn the_handshake_stands_in_front_until_the_first_reply_opened() {
    let rng = &mut rng(2);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let mut ours = End::new(alice.begin(rng, &bob, true, None).session);
    let payloads = [ours.send(rng, b"0"), ours.send(rng, b"1"), ours.send(rng, b"2")];
    assert!(payloads.iter().all(|payload| matches!(Payload::decode(payload), Ok(Payload::Init(_)))));
    assert!(ours.session.is_initiator() && !ours.session.is_confirmed());

    // The second arrives first; the others find the session that it made.
    let accepted = bob.answer(&alice, &payloads[1], None).unwrap();
    assert_eq!(accepted.plaintext.as_slice(), b"1");
    assert_eq!(accepted.store.len(), 1);
    let mut theirs = End::new(accepted.session);
    theirs.skipped.apply(accepted.store, &[]);
    assert!(!theirs.session.is_initiator() && theirs.session.is_confirmed());
    assert_eq!(theirs.receive(&payloads[0]).unwrap().as_slice(), b"0");
    assert_eq!(theirs.receive(&payloads[2]).unwrap().as_slice(), b"2");
    assert!(theirs.skipped.is_empty());

    let reply = theirs.send(rng, b"yes");
    assert_eq!(ours.receive(&reply).unwrap().as_slice(), b"yes");
    assert!(ours.session.is_confirmed());
    assert!(matches!(Payload::decode(&ours.send(rng, b"3")), Ok(Payload::Ratchet(_))));
}

#[test]
fn sizes_are_those_of_the_specification() {
    let rng = &mut rng(3);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let mut ours = End::new(alice.begin(rng, &bob, true, None).session);
    let first = ours.send(rng, &[b'a'; 256]);
    assert_eq!(first.len(), 1_565);
    let mut theirs = End::new(bob.answer(&alice, &first, None).unwrap().session);
    assert_eq!(theirs.send(rng, &[b'b'; 256]).len(), 432);
}

#[test]
fn a_long_conversation_passes_through_many_epochs_and_restarts() {
    let rng = &mut rng(4);
    let (mut ours, mut theirs) = talking(rng);
    for round in 0..400_u32 {
        let text = round.to_be_bytes();
        let payload = ours.send(rng, &text);
        assert_eq!(theirs.receive(&payload).unwrap().as_slice(), text);
        let payload = theirs.send(rng, &text);
        assert_eq!(ours.receive(&payload).unwrap().as_slice(), text);
        if round % 7 == 0 {
            ours.restart();
            theirs.restart();
        }
    }
    assert!(ours.skipped.is_empty() && theirs.skipped.is_empty());
}

#[test]
fn a_session_survives_its_bytes() {
    let rng = &mut rng(5);
    let (ours, _) = talking(rng);
    let bytes = ours.session.to_bytes();
    assert_eq!(Session::from_bytes(bytes.as_slice()).unwrap().to_bytes(), bytes);
}
