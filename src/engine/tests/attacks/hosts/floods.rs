//! Strangers have only work to show, and only their share of the room.

use super::*;

const CAPACITY: u64 = 4 << 20;
const SHARE: u64 = CAPACITY / 8;

#[test]
fn d05_a_hundred_thousand_deposits_by_strangers_fill_their_share_and_no_more() {
    let mut inn = Inn::open(CAPACITY, 0);
    let mut taken = 0;
    for of in 0..100_000 {
        match inn.leave(of, Bucket::Line) {
            Reply::Done => taken += 1,
            Reply::Refused(Refused::Full) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(taken, SHARE / 512);
    assert_eq!(inn.stored(), Stored { by_tokens: 0, by_work: SHARE, blobs: taken });
    assert_eq!(inn.table(Table::Deposit).len(), usize::try_from(taken).unwrap());
    for (of, bucket) in [(300_000, Bucket::Line), (300_001, Bucket::Crate)] {
        assert_eq!(inn.spend(of, bucket), Reply::Done, "those whom it serves have their room");
    }
    assert_eq!(inn.there(300_000..300_002), [300_000, 300_001]);
    inn.pass(Span::from_hours(27));
    assert_eq!(inn.stored(), Stored::default());
    assert_eq!(inn.leave(200_000, Bucket::Line), Reply::Done, "when theirs has gone there is room again");
}

#[test]
fn d05_large_blobs_are_not_admitted_by_work_alone() {
    let mut inn = Inn::open(1 << 30, 0);
    for (of, bucket) in [(1, Bucket::Parcel), (2, Bucket::Crate)] {
        assert_eq!(inn.leave(of, bucket), Reply::Refused(Refused::Full));
    }
    assert_eq!(inn.stored(), Stored::default());
}

#[test]
fn d05_the_fuller_the_share_the_more_work_is_wanted() {
    let mut inn = Inn::open(8 * 16 * 512, 3);
    let mut wanted = Vec::new();
    for of in 0..16 {
        let nothing =
            Deposit { admission: Admission::Work(Stamp { hour: 0, nonce: 0 }), ..inn.worked(of, Bucket::Line, 0) };
        let Reply::Refused(Refused::Work { bits, .. }) = inn.ask(&Request::Deposit(nothing)) else { panic!("taken") };
        wanted.push(bits);
        assert_eq!(inn.leave(of, Bucket::Line), Reply::Done);
    }
    assert_eq!(wanted, [3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7]);
    assert_eq!(inn.leave(16, Bucket::Line), Reply::Refused(Refused::Full));
}

#[test]
fn d05_who_deposits_and_erases_does_not_fill_the_disk_either() {
    let mut inn = Inn::open(CAPACITY, 0);
    let (mut of, mut full) = (0, 0);
    while full == 0 {
        match inn.leave(of, Bucket::Line) {
            Reply::Done => drop(inn.ask(&Request::Erase(vec![erasure(of)]))),
            Reply::Refused(Refused::Full) => full += 1,
            other => panic!("{other:?}"),
        }
        of += 1;
        assert!(of < 100_000);
    }
    assert_eq!(inn.stored().blobs, 0);
    inn.pass(Span::from_hours(27));
    assert_eq!(inn.stored(), Stored::default());
    assert_eq!((inn.table(Table::Deposit), inn.table(Table::DepositExpiry)), (vec![], vec![]));
}

#[test]
fn a_smaller_offer_keeps_what_is_there_and_takes_no_more() {
    let mut inn = Inn::open(CAPACITY, 0);
    for of in 0..20 {
        inn.leave(of, Bucket::Line);
    }
    for capacity in [0, 1, 8 * 512, 20 * 512] {
        inn.serve(Some(MailboxOffer { capacity, work_bits: 0 }));
        assert_eq!(inn.leave(20, Bucket::Line), Reply::Refused(Refused::Full));
    }
    assert_eq!(inn.there(0..21).len(), 20);
}
