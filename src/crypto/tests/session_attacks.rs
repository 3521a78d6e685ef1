//! Attacks on a session: replay, reflection, redirection, alteration, leaks, floods.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says so by failing"
)]

mod support;

use kinfolk_crypto::{DecryptError, HandshakeError, Session, SessionBytesError};
use kinfolk_wire::codec::DecodeError;
use kinfolk_wire::envelope::{InitMessage, Payload, RatchetMessage};
use kinfolk_wire::ids::InviteId;
use kinfolk_wire::time::Span;
use rand_core::Rng;
use support::{End, NOW, Person, message, rng, talking};

#[test]
fn a01_a_replayed_message_is_refused_and_changes_nothing() {
    let rng = &mut rng(1);
    let (mut alice, mut bob) = talking(rng);
    let [overtaken, ahead] = [alice.send(rng, b"0"), alice.send(rng, b"1")];
    bob.receive(&ahead).unwrap();
    bob.receive(&overtaken).unwrap();
    let before = bob.session.to_bytes();
    for payload in [&overtaken, &ahead] {
        assert_eq!(bob.receive(payload), Err(DecryptError::Duplicate));
        assert_eq!(bob.session.to_bytes(), before);
    }
    assert!(bob.skipped.is_empty());
}

#[test]
fn a01_a_repeated_first_message_is_known_by_its_ephemeral_key() {
    let rng = &mut rng(2);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let mut ours = End::new(alice.begin(rng, &bob, true, None).session);
    let first = ours.send(rng, b"hello");
    let mut theirs = End::new(bob.answer(&alice, &first, None).unwrap().session);
    let init = InitMessage::decode(&first).unwrap();
    assert_eq!(theirs.session.init_digest(), Some(kinfolk_crypto::init_digest(&init.ephemeral_key)));
    assert_eq!(theirs.receive(&first), Err(DecryptError::Duplicate));
}

#[test]
fn a02_a_message_reflected_to_its_sender_does_not_open() {
    let rng = &mut rng(3);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let mut ours = End::new(alice.begin(rng, &bob, true, None).session);
    let first = ours.send(rng, b"hello");
    assert_eq!(ours.receive(&first), Err(DecryptError::Unreadable));
    // As a first message to herself, under either name.
    for from in [&alice, &bob] {
        let refusal = alice.answer(from, &first, None).unwrap_err();
        assert_eq!(refusal, HandshakeError::Message(DecryptError::Unreadable));
    }
    let mut theirs = End::new(bob.answer(&alice, &first, None).unwrap().session);
    let reply = theirs.send(rng, b"yes");
    assert_eq!(theirs.receive(&reply), Err(DecryptError::Unreadable));
    ours.receive(&reply).unwrap();
}

#[test]
fn a03_a_message_opens_in_no_other_session() {
    let rng = &mut rng(4);
    let (alice, bob, carol) = (Person::new(rng), Person::new(rng), Person::new(rng));
    let open = |from: &Person, to: &Person, rng: &mut _| {
        let mut ours = End::new(from.begin(rng, to, true, None).session);
        let first = ours.send(rng, b"hello");
        let theirs = End::new(to.answer(from, &first, None).unwrap().session);
        (ours, theirs)
    };
    let (mut to_bob, mut at_bob) = open(&alice, &bob, rng);
    let (_, mut at_bob_again) = open(&alice, &bob, rng);
    let (_, mut at_carol) = open(&alice, &carol, rng);
    let payload = to_bob.send(rng, b"for Bob, here");
    for end in [&mut at_bob_again, &mut at_carol] {
        assert_eq!(end.receive(&payload), Err(DecryptError::Unreadable));
    }
    assert_eq!(at_bob.receive(&payload).unwrap().as_slice(), b"for Bob, here");
}

#[test]
fn a03_a_first_message_opens_for_nobody_else_and_from_nobody_else() {
    let rng = &mut rng(5);
    let (alice, bob, carol) = (Person::new(rng), Person::new(rng), Person::new(rng));
    let invite = InviteId::new([5; 16]);
    let mut ours = End::new(alice.begin(rng, &bob, true, Some(invite)).session);
    let first = ours.send(rng, b"hello");
    let unreadable = HandshakeError::Message(DecryptError::Unreadable);
    assert_eq!(carol.answer(&alice, &first, Some(invite)).unwrap_err(), unreadable);
    assert_eq!(bob.answer(&carol, &first, Some(invite)).unwrap_err(), unreadable);
    assert_eq!(bob.answer(&alice, &first, None).unwrap_err(), unreadable);
    assert_eq!(bob.answer(&alice, &first, Some(InviteId::new([6; 16]))).unwrap_err(), unreadable);
    assert!(bob.answer(&alice, &first, Some(invite)).is_ok());
}

#[test]
fn a04_every_flipped_bit_of_a_message_is_refused_alike() {
    let rng = &mut rng(6);
    let (mut alice, bob) = talking(rng);
    let payload = alice.send(rng, b"hello");
    let before = bob.session.to_bytes();
    let mut opened = 0;
    for bit in 0..payload.len() * 8 {
        let mut altered = message(&payload).bytes.to_vec();
        let Some(byte) = altered.get_mut(bit / 8) else { break };
        *byte ^= 1 << (bit % 8);
        if let Ok(altered) = RatchetMessage::decode(&altered) {
            let refusal = bob.session.decrypt(NOW, &altered, &bob.skipped).unwrap_err();
            assert_eq!(refusal, DecryptError::Unreadable, "bit {bit}");
            opened += 1;
        }
    }
    // All but bits of the kind and of the length reach the seals.
    assert!(opened >= (message(&payload).bytes.len() - 3) * 8);
    assert_eq!(bob.session.to_bytes(), before);
}

#[test]
fn a04_every_flipped_bit_of_a_first_message_is_refused() {
    let rng = &mut rng(7);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let mut ours = End::new(alice.begin(rng, &bob, true, None).session);
    let first = ours.send(rng, b"hello");
    for bit in 8..first.len() * 8 {
        let (at, mut altered) = (bit / 8, first.clone());
        altered[at] ^= 1 << (bit % 8);
        if InitMessage::decode(&altered).is_err() {
            // Its length field: more than there is, or than any header has.
            assert!((InitMessage::PREFIX..InitMessage::PREFIX + 3).contains(&at), "bit {bit}");
            continue;
        }
        match bob.answer(&alice, &altered, None).map(|_| ()) {
            Err(HandshakeError::Prekey) => assert!((33..45).contains(&at), "bit {bit}"),
            Err(HandshakeError::Message(DecryptError::Unreadable)) => {}
            // X25519 takes no notice of the highest bit of a key, but the transcript does.
            other => panic!("bit {bit}: {other:?}"),
        }
    }
    assert!(bob.answer(&alice, &first, None).is_ok());
}

#[test]
fn a10_a_message_of_one_kind_is_not_read_as_another() {
    let rng = &mut rng(8);
    let (mut alice, mut bob) = talking(rng);
    let init = alice.send(rng, b"init");
    let reply = bob.send(rng, b"plain");
    assert!(matches!(RatchetMessage::decode(&init), Err(DecodeError::UnknownKind { .. })));
    assert!(matches!(InitMessage::decode(&reply), Err(DecodeError::UnknownKind { .. })));
    let mut other = reply.clone();
    other[0] = 0x13;
    assert!(matches!(Payload::decode(&other), Err(DecodeError::UnknownKind { .. })));
}

#[test]
fn a11_a_handshake_cannot_be_stripped_of_its_one_time_pair() {
    let rng = &mut rng(9);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let mut ours = End::new(alice.begin(rng, &bob, true, None).session);
    let mut first = ours.send(rng, b"hello");
    // otk_id := 0, kem_id := the last-resort key's.
    first[37..41].copy_from_slice(&[0; 4]);
    first[41..45].copy_from_slice(&8_u32.to_be_bytes());
    let refusal = bob.answer(&alice, &first, None).unwrap_err();
    assert_eq!(refusal, HandshakeError::Message(DecryptError::Unreadable));
}

#[test]
fn a12_a_one_time_pair_that_was_deleted_opens_nothing() {
    let rng = &mut rng(10);
    let (alice, mut bob) = (Person::new(rng), Person::new(rng));
    let mut ours = End::new(alice.begin(rng, &bob, true, None).session);
    let first = ours.send(rng, b"hello");
    assert!(bob.answer(&alice, &first, None).is_ok());
    // Another pair takes its place: what names the old one is refused before any key is derived.
    bob.one_time = Person::new(rng).one_time;
    let renamed =
        [&bob.one_time.to_bytes().as_slice()[..4], &[0x77], &bob.one_time.to_bytes().as_slice()[5..]].concat();
    bob.one_time = kinfolk_crypto::OneTimePrekeySecret::from_bytes(&renamed).unwrap();
    assert_eq!(bob.answer(&alice, &first, None).unwrap_err(), HandshakeError::Prekey);
}

#[test]
fn a12_without_one_time_pairs_the_last_resort_key_serves() {
    let rng = &mut rng(11);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    for _ in 0..2 {
        let mut ours = End::new(alice.begin(rng, &bob, false, None).session);
        let first = ours.send(rng, b"hello");
        assert_eq!(InitMessage::decode(&first).unwrap().one_time_prekey, None);
        assert!(bob.answer(&alice, &first, None).is_ok());
    }
}

#[test]
fn a13_the_state_after_a_message_opens_none_before() {
    let rng = &mut rng(12);
    let (mut alice, mut bob) = talking(rng);
    let mut payloads = Vec::new();
    for round in 0..150 {
        let payload = alice.send(rng, b"a secret of the past");
        bob.receive(&payload).unwrap();
        payloads.push(payload);
        if round % 10 == 9 {
            let reply = bob.send(rng, b"ok");
            alice.receive(&reply).unwrap();
        }
    }
    let stolen = Session::from_bytes(bob.session.to_bytes().as_slice()).unwrap();
    for payload in &payloads {
        assert!(stolen.decrypt(NOW, &message(payload), &bob.skipped).is_err());
    }
}

#[test]
fn a14_after_one_round_trip_a_stolen_state_opens_nothing_more() {
    let rng = &mut rng(13);
    let (mut alice, mut bob) = talking(rng);
    let reply = bob.send(rng, b"ok");
    alice.receive(&reply).unwrap();
    let mut stolen = End::new(Session::from_bytes(bob.session.to_bytes().as_slice()).unwrap());

    let before = alice.send(rng, b"still read by the thief");
    bob.receive(&before).unwrap();
    assert!(stolen.receive(&before).is_ok());
    let reply = bob.send(rng, b"a key that the thief has not seen made");
    alice.receive(&reply).unwrap();
    let after = alice.send(rng, b"private again");
    assert_eq!(stolen.receive(&after), Err(DecryptError::Unreadable));
    // Nor with a step of the thief's own making.
    stolen.send(rng, b"a guess");
    assert_eq!(stolen.receive(&after), Err(DecryptError::Unreadable));
    assert_eq!(bob.receive(&after).unwrap().as_slice(), b"private again");
}

/// In how many orders a thousand messages come.
const ORDERS: u64 = 10;

#[test]
fn a15_any_order_of_a_thousand_messages_opens_each_once() {
    for seed in 0..ORDERS {
        let rng = &mut rng(1_400 + seed);
        let (mut alice, mut bob) = talking(rng);
        let payloads: Vec<_> = (0..1_000_u32).map(|number| alice.send(rng, &number.to_be_bytes())).collect();
        let mut order: Vec<usize> = (0..payloads.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, usize::try_from(rng.next_u64()).unwrap() % (last + 1));
        }
        for number in order {
            let opened =
                bob.receive(&payloads[number]).unwrap_or_else(|error| panic!("seed {seed}, {number}: {error}"));
            assert_eq!(opened.as_slice(), u32::try_from(number).unwrap().to_be_bytes(), "seed {seed}");
            assert_eq!(bob.receive(&payloads[number]), Err(DecryptError::Duplicate), "seed {seed}, {number}");
        }
        assert!(bob.skipped.is_empty(), "seed {seed}");
    }
}

#[test]
fn a15_two_thousand_missing_messages_are_bridged_and_one_more_is_not() {
    let rng = &mut rng(15);
    let (mut alice, mut bob) = talking(rng);
    let first = alice.send(rng, b"the first of those missing");
    for _ in 0..1_999 {
        alice.send(rng, b"");
    }
    let reachable = alice.send(rng, b"2,000 are missing");
    let beyond = alice.send(rng, b"2,001 are missing");
    let refusal = DecryptError::TooFarAhead { found: 2_001, limit: 2_000 };
    assert_eq!(bob.receive(&beyond), Err(refusal));
    assert!(bob.skipped.is_empty());
    bob.receive(&reachable).unwrap();
    assert_eq!(bob.skipped.len(), 2_000);
    // Now it is only next; and the oldest that was skipped still opens.
    bob.receive(&beyond).unwrap();
    assert_eq!(bob.receive(&first).unwrap().as_slice(), b"the first of those missing");
}

#[test]
fn a15_the_oldest_skipped_keys_give_way_to_new_ones() {
    let rng = &mut rng(16);
    let (mut alice, mut bob) = talking(rng);
    let mut payloads = Vec::new();
    for number in 0..3_002_u32 {
        payloads.push(alice.send(rng, &number.to_be_bytes()));
    }
    bob.receive(&payloads[1_500]).unwrap();
    bob.receive(&payloads[3_001]).unwrap();
    assert_eq!(bob.skipped.len(), 2_000);
    // 3,000 were skipped, the oldest 1,000 of them are given up.
    assert_eq!(bob.receive(&payloads[999]), Err(DecryptError::Unreadable));
    assert_eq!(bob.receive(&payloads[1_000]).unwrap().as_slice(), 1_000_u32.to_be_bytes());
    assert_eq!(bob.receive(&payloads[1_000]), Err(DecryptError::Duplicate));
    assert_eq!(bob.receive(&payloads[3_000]).unwrap().as_slice(), 3_000_u32.to_be_bytes());
}

#[test]
fn a15_skipped_keys_are_given_up_after_thirty_days() {
    let rng = &mut rng(17);
    let (mut alice, mut bob) = talking(rng);
    let [old, also_old] = [alice.send(rng, b"old"), alice.send(rng, b"also old")];
    let mut turn = |alice: &mut End, bob: &mut End, at| {
        let payload = alice.send_at(rng, at, b"there");
        bob.receive_at(at, &payload).unwrap();
        let payload = bob.send_at(rng, at, b"and back");
        alice.receive_at(at, &payload).unwrap();
    };
    turn(&mut alice, &mut bob, NOW);
    turn(&mut alice, &mut bob, NOW);
    turn(&mut alice, &mut bob, NOW.after(Span::from_days(30)));
    assert_eq!(bob.receive_at(NOW.after(Span::from_days(30)), &old).unwrap().as_slice(), b"old");
    turn(&mut alice, &mut bob, NOW.after(Span::from_days(32)));
    assert!(bob.skipped.is_empty());
    assert_eq!(bob.receive(&also_old), Err(DecryptError::Unreadable));
}

#[test]
fn a17_a_restored_copy_never_seals_under_the_same_nonce_and_its_messages_show_nothing_false() {
    let rng = &mut rng(18);
    let (mut alice, mut bob) = talking(rng);
    let copy = alice.session.to_bytes();
    let sent: Vec<_> = (0..5).map(|_| alice.send(rng, &[b'a'; 100])).collect();
    alice.session = Session::from_bytes(copy.as_slice()).unwrap();
    let again: Vec<_> = (0..5).map(|_| alice.send(rng, &[b'b'; 100])).collect();
    for (one, other) in sent.iter().zip(&again) {
        let (one, other) = (message(one), message(other));
        assert_ne!(one.header_nonce, other.header_nonce);
        // Under one key and nonce the two bodies would differ by 'a' ^ 'b' in every byte of the text.
        let differences = one.sealed_body.iter().zip(other.sealed_body).take(100);
        assert!(differences.filter(|(one, other)| *one ^ *other == b'a' ^ b'b').count() < 20);
    }
    for payload in &sent {
        assert_eq!(bob.receive(payload).unwrap().as_slice(), [b'a'; 100]);
    }
    for payload in &again {
        assert_eq!(bob.receive(payload), Err(DecryptError::Duplicate));
    }
}

#[test]
fn crossed_initiations_give_both_sides_the_same_two_sessions() {
    let rng = &mut rng(19);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let mut alices = End::new(alice.begin(rng, &bob, true, None).session);
    let mut bobs = End::new(bob.begin(rng, &alice, true, None).session);
    let (from_alice, from_bob) = (alices.send(rng, b"from Alice"), bobs.send(rng, b"from Bob"));
    let mut at_bob = End::new(bob.answer(&alice, &from_alice, None).unwrap().session);
    let mut at_alice = End::new(alice.answer(&bob, &from_bob, None).unwrap().session);
    assert_eq!(alices.session.id(), at_bob.session.id());
    assert_eq!(bobs.session.id(), at_alice.session.id());
    assert_ne!(alices.session.id(), bobs.session.id());

    // Both sides see the same smaller id, and either session carries both directions.
    for (ours, theirs) in [(&mut alices, &mut at_bob), (&mut at_alice, &mut bobs)] {
        for round in 0..3_u8 {
            let payload = ours.send(rng, &[round]);
            assert_eq!(theirs.receive(&payload).unwrap().as_slice(), [round]);
            let payload = theirs.send(rng, &[round]);
            assert_eq!(ours.receive(&payload).unwrap().as_slice(), [round]);
        }
        assert!(ours.session.is_confirmed() && theirs.session.is_confirmed());
    }
}

#[test]
fn d01_damaged_session_bytes_are_refused_or_harmless() {
    let rng = &mut rng(20);
    let (mut alice, mut bob) = talking(rng);
    alice.send(rng, b"lost");
    let payload = alice.send(rng, b"overtakes");
    bob.receive(&payload).unwrap();
    let reply = bob.send(rng, b"ok");
    alice.receive(&reply).unwrap();
    let payload = alice.send(rng, b"a new chain");
    bob.receive(&payload).unwrap();
    let next = alice.send(rng, b"next");
    let bytes = bob.session.to_bytes();
    let bytes = bytes.as_slice();

    for length in 0..bytes.len() {
        assert!(Session::from_bytes(&bytes[..length]).is_err());
    }
    assert_eq!(Session::from_bytes(&[bytes, &[0]].concat()).err(), Some(SessionBytesError::Malformed));
    let mut other = bytes.to_vec();
    other[0] = 2;
    assert_eq!(Session::from_bytes(&other).err(), Some(SessionBytesError::Version { found: 2 }));

    for bit in 8..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let Ok(mut session) = Session::from_bytes(&damaged) else { continue };
        if let Ok(opened) = session.decrypt(NOW, &message(&next), &bob.skipped) {
            assert_eq!(opened.plaintext.as_slice(), b"next");
        }
        if bit % 16 == 0 {
            assert!(session.encrypt(rng, NOW, b"still no panic").is_ok());
        }
    }
}

#[test]
fn d02_a_text_over_the_limit_is_refused_and_the_next_one_goes() {
    let rng = &mut rng(21);
    let (mut alice, mut bob) = talking(rng);
    let limit = kinfolk_wire::limits::PLAINTEXT;
    let before = alice.session.to_bytes();
    assert!(alice.session.encrypt(rng, NOW, &vec![1; limit + 1]).is_err());
    assert_eq!(alice.session.to_bytes(), before);
    let payload = alice.send(rng, &vec![1; limit]);
    assert!(payload.len() <= kinfolk_wire::limits::PAYLOAD);
    assert_eq!(bob.receive(&payload).unwrap().len(), limit);
}
