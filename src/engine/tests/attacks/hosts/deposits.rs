//! What is taken, given out and erased.

use super::*;

#[test]
fn a_deposit_lies_there_until_it_is_erased_by_its_key() {
    let mut inn = Inn::open(1 << 20, 2);
    for (of, bucket) in [(1, Bucket::Line), (2, Bucket::Page), (3, Bucket::Letter)] {
        assert_eq!(inn.deposit(inn.worked(of, bucket, 2)), Reply::Done);
        assert_eq!(inn.collect(ROOM, [of]).blobs, [(0, blob(of, bucket))]);
    }
    assert_eq!(inn.stored(), Stored { by_tokens: 0, by_work: 512 + 2_048 + 8_192, blobs: 3 });
    assert_eq!(inn.ask(&Request::Erase(vec![erasure(1), erasure(3)])), Reply::Done);
    assert_eq!(inn.there(0..5), [2]);
    assert_eq!(inn.stored().blobs, 1);
}

#[test]
fn a_deposit_that_comes_again_is_done_once_and_another_under_its_tag_is_refused() {
    let mut inn = Inn::open(1 << 20, 0);
    let deposit = inn.worked(1, Bucket::Line, 0);
    assert_eq!(inn.deposit(deposit.clone()), Reply::Done);
    let before = inn.store.clone();
    // Without any work that would do, hours later, while another is not taken.
    inn.now = inn.now.after(Span::from_hours(5));
    inn.serve(Some(MailboxOffer { capacity: 1 << 20, work_bits: 60 }));
    assert_eq!(inn.ask(&Request::Deposit(deposit.clone())), Reply::Done);
    let other = Deposit { blob: blob(2, Bucket::Line), ..deposit.clone() };
    let taken = Reply::Refused(Refused::Taken);
    assert_eq!(inn.ask(&Request::Deposit(other.clone())), taken);
    for table in [Table::Deposit, Table::DepositExpiry, Table::Stored] {
        let of_then: Vec<_> = before.iter().filter(|(key, _)| key.table() == table).cloned().collect();
        assert_eq!(inn.table(table), of_then);
    }
    inn.ask(&Request::Erase(vec![erasure(1)]));
    let stored = inn.stored();
    assert_eq!(inn.ask(&Request::Deposit(deposit)), Reply::Done, "a late copy of what was taken");
    assert_eq!(inn.ask(&Request::Deposit(other)), taken, "what was not there would never be looked for again");
    assert_eq!((inn.there(0..3), inn.stored()), (vec![], stored));
}

#[test]
fn d05_a_stamp_counts_at_its_host_in_its_hour_and_the_ones_beside_it() {
    let bits = 10;
    let mut inn = Inn::open(1 << 20, bits);
    let hour = inn.hour();
    let mut of = 0;
    let mut try_with = |inn: &mut Inn, host: PeerId, at: u32, bits: u8| {
        of += 1;
        let deposit = inn.worked(of, Bucket::Line, 0);
        let stamp = stamp(&host, &deposit.tag, &deposit.blob, at, bits).unwrap();
        inn.ask(&Request::Deposit(Deposit { admission: Admission::Work(stamp), ..deposit }))
    };
    for at in [hour - 1, hour, hour + 1] {
        assert_eq!(try_with(&mut inn, HOST, at, bits), Reply::Done);
    }
    let wanted = Reply::Refused(Refused::Work { bits, hour });
    for at in [0, hour - 2, hour + 2, u32::MAX] {
        assert_eq!(try_with(&mut inn, HOST, at, bits), wanted);
    }
    assert_eq!(try_with(&mut inn, PeerId::new([8; PeerId::LENGTH]), hour, bits), wanted);
    assert_eq!(try_with(&mut inn, HOST, hour, 0), wanted);
    assert_eq!(inn.stored().blobs, 3);
    // A letter needs two bits more than is said.
    let letter = |inn: &Inn, of, bits| Deposit {
        admission: Admission::Work(stamp(&HOST, &tag(of), &blob(of, Bucket::Letter), hour, bits).unwrap()),
        ..inn.worked(of, Bucket::Letter, 0)
    };
    let enough = letter(&inn, 90, bits + 2);
    assert_eq!(inn.ask(&Request::Deposit(enough)), Reply::Done);
    let little = letter(&inn, 91, 0);
    assert_eq!(inn.ask(&Request::Deposit(little)), wanted);
}

#[test]
fn a_node_that_does_not_serve_takes_nothing_and_gives_out_what_it_has() {
    let mut inn = Inn::closed();
    let refused = Reply::Refused(Refused::NotServing);
    assert_eq!(inn.leave(1, Bucket::Line), refused);
    let host = inn.serve(Some(MailboxOffer { capacity: 1 << 20, work_bits: 3 })).unwrap();
    assert_eq!((host.peer, host.work_bits), (HOST, 3));
    for of in 1..4 {
        assert_eq!(inn.leave(of, Bucket::Line), Reply::Done);
    }
    assert_eq!(inn.serve(None), None);
    assert_eq!(inn.leave(4, Bucket::Line), refused);
    assert_eq!(inn.there(1..5), [1, 2, 3]);
    inn.ask(&Request::Erase(vec![erasure(2)]));
    assert_eq!(inn.there(1..5), [1, 3]);
    inn.pass(Span::from_hours(27));
    assert_eq!(inn.there(1..5), Vec::<u64>::new());
    assert_eq!(inn.table(Table::Deposit), []);
}

#[test]
fn d04_a_reply_has_the_length_that_was_asked_for_whatever_lies_there() {
    let mut inn = Inn::open(1 << 30, 0);
    for of in 0..40 {
        assert_eq!(inn.leave(of, if of % 2 == 0 { Bucket::Line } else { Bucket::Letter }), Reply::Done);
    }
    for room in [1, 4, 17, 68, ROOM] {
        for of in [vec![], vec![1], (0..40).collect(), (0..40).rev().collect::<Vec<u64>>()] {
            let mut tags: Vec<MailboxTag> = of.iter().copied().map(tag).collect();
            tags.resize_with(TAGS, || tag(77_777));
            let request = Request::Collect(Collect { room, tags });
            let (reply, made) = inn.ask_raw(request.encode());
            assert_eq!(reply.len(), usize::from(room) * kinfolk_wire::mailbox::PAGE);
            assert!(made.changes.is_empty(), "reading leaves no trace");
            let Reply::Found(found) = Reply::decode(&reply).unwrap() else { panic!("nothing was found") };
            assert_eq!(found.more, found.blobs.len() < of.len());
            for (index, lies) in &found.blobs {
                let of = of[usize::from(*index)];
                assert_eq!(*lies, blob(of, Bucket::of(lies.len()).unwrap()));
            }
        }
    }
    let given: Vec<u8> = inn.collect(68, 0..40).blobs.into_iter().map(|(index, _)| index).collect();
    let expected: Vec<u8> = (0..15).chain((16..40).step_by(2)).collect();
    assert_eq!(given, expected, "in the order of the tags, then what still fits");
}

#[test]
fn d04_whoever_lacks_the_key_erases_nothing_and_is_told_the_same() {
    let mut inn = Inn::open(1 << 20, 0);
    inn.leave(1, Bucket::Line);
    let before = inn.store.clone();
    let digest = sha256(&[&erasure(1).key]);
    let mut close = erasure(1).key;
    close[15] ^= 1;
    let wrong = [[0; 16], close, erasure(2).key, digest[..16].try_into().unwrap()];
    let mut erasures: Vec<Erasure> = wrong.map(|key| Erasure { tag: tag(1), key }).to_vec();
    erasures.push(erasure(2));
    let (told, made) = inn.ask_raw(Request::Erase(erasures).encode());
    assert!(made.changes.is_empty());
    assert_eq!(inn.there(0..3), [1]);
    assert!(before.iter().eq(inn.store.iter()));
    assert_eq!(inn.ask_raw(Request::Erase(vec![erasure(1)]).encode()).0, told);
    assert_eq!(inn.ask_raw(Request::Erase(vec![erasure(1)]).encode()).0, told);
    assert_eq!(inn.there(0..3), Vec::<u64>::new());
}

#[test]
fn d01_what_is_no_request_is_refused_and_leaves_no_trace() {
    let mut inn = Inn::open(1 << 20, 0);
    let good = Request::Deposit(inn.worked(1, Bucket::Line, 0)).encode();
    for body in [vec![], vec![9; 40], good[..good.len() - 1].to_vec(), [&good[..], &[0]].concat(), vec![3; 100_000]] {
        let (reply, made) = inn.ask_raw(body);
        assert_eq!(Reply::decode(&reply), Ok(Reply::Refused(Refused::Malformed)));
        assert!(made.changes.is_empty());
    }
}

#[test]
fn a_deposit_changes_three_rows_of_which_a_batch_shares_one() {
    let mut inn = Inn::open(1 << 20, 0);
    let (_, made) = inn.ask_raw(Request::Deposit(inn.worked(1, Bucket::Line, 0)).encode());
    let changed: Vec<Key> = made.changes.iter().map(|(key, _)| *key).collect();
    assert!(matches!(changed[..], [Key::Stored, Key::Deposit(_), Key::DepositExpiry(..)]), "{changed:?}");
}
