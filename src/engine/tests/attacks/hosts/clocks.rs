//! What is kept goes in time, by a clock that was confirmed.

use kinfolk_engine::store::Deposited;

use super::*;

const YEARS: Span = Span::from_days(3_650);

fn leave_for(inn: &mut Inn, of: u64, lifetime: u16) {
    let deposit = Deposit { lifetime, ..inn.worked(of, Bucket::Line, 0) };
    assert_eq!(inn.deposit(deposit), Reply::Done);
}

#[test]
fn a_deposit_is_kept_for_as_long_as_was_asked_and_then_goes_with_all_that_was_noted() {
    let mut inn = Inn::open(1 << 20, 0);
    // An hour that has all but ended does not count.
    inn.pass(Span::from_secs(59 * 60));
    for (of, lifetime) in [(1, 1), (2, 24), (3, 720)] {
        leave_for(&mut inn, of, lifetime);
        let Deposited { expires, .. } = inn.row(&Key::Deposit(tag(of))).unwrap();
        assert!(Timestamp::from_millis(expires * HOUR.as_millis()) >= inn.now.after(HOUR.times(lifetime.into())));
    }
    inn.ask(&Request::Erase(vec![erasure(2)]));
    let mut hours = 0;
    for (lifetime, left) in [(1, vec![1, 3]), (24, vec![3]), (720, vec![3])] {
        inn.pass(Span::from_hours(lifetime - hours));
        hours = lifetime;
        assert_eq!(inn.there(0..4), left, "after {hours} hours");
    }
    inn.pass(Span::from_hours(3));
    assert_eq!(inn.there(0..4), Vec::<u64>::new());
    assert_eq!((inn.table(Table::Deposit), inn.table(Table::DepositExpiry)), (vec![], vec![]));
    assert_eq!(inn.stored(), Stored::default());
}

#[test]
fn g07_a_clock_that_jumps_for_an_hour_and_back_costs_nobody_anything() {
    for (ahead, far) in [(true, YEARS), (false, YEARS), (true, Span::from_days(40)), (false, Span::from_days(3))] {
        let mut inn = Inn::open(1 << 20, 0);
        inn.pass(Span::from_hours(3));
        for (of, lifetime) in [(1, 5), (2, 720)] {
            leave_for(&mut inn, of, lifetime);
        }
        let right = inn.now;
        inn.set_clock(if ahead { right.after(far) } else { right.before(far) });
        inn.pass(Span::from_secs(50 * 60));
        assert_eq!(inn.there(0..3), [1, 2], "{ahead} {far:?}");
        inn.set_clock(right.after(Span::from_secs(50 * 60)));
        inn.pass(Span::from_hours(4));
        assert_eq!(inn.there(0..3), [1, 2], "{ahead} {far:?}");
        inn.pass(Span::from_days(25));
        assert_eq!(inn.there(0..3), [2], "{ahead} {far:?}");
        inn.pass(Span::from_days(6));
        assert_eq!(inn.there(0..3), Vec::<u64>::new(), "{ahead} {far:?}");
    }
}

#[test]
fn g07_what_came_while_the_clock_was_ahead_does_not_stay_for_years() {
    let mut inn = Inn::open(1 << 20, 0);
    let right = inn.now;
    inn.set_clock(right.after(YEARS));
    leave_for(&mut inn, 1, 24);
    inn.set_clock(right);
    inn.pass(Span::from_days(29));
    assert_eq!(inn.there(0..2), [1]);
    for (key, row) in inn.table(Table::Deposit) {
        let (Key::Deposit(tag), Some(Deposited { expires, .. })) = (key, Deposited::of(row)) else { panic!("{key:?}") };
        assert!(inn.row::<kinfolk_engine::store::Nothing>(&Key::DepositExpiry(expires, tag)).is_some());
    }
    inn.pass(Span::from_days(3));
    assert_eq!(inn.there(0..2), Vec::<u64>::new());
    assert_eq!(inn.stored(), Stored::default());
}

#[test]
fn g07_a_clock_at_either_end_of_time_stops_nothing() {
    for at in [0, u64::MAX] {
        let mut inn = Inn::open(1 << 20, 0);
        inn.set_clock(Timestamp::from_millis(at));
        if at == 0 {
            leave_for(&mut inn, 1, 24);
            assert_eq!(inn.there(0..2), [1]);
        } else {
            let deposit = inn.worked_at(1, u32::MAX);
            assert!(matches!(inn.ask(&Request::Deposit(deposit)), Reply::Refused(Refused::Work { .. })));
        }
        assert_eq!(inn.ask(&Request::Erase(vec![erasure(2)])), Reply::Done);
    }
}

#[test]
fn what_expires_at_once_is_thrown_away_in_bounded_turns() {
    let mut inn = Inn::open(1 << 30, 0);
    for of in 0..10_000 {
        assert_eq!(inn.leave(of, Bucket::Line), Reply::Done);
    }
    inn.pass(Span::from_hours(24));
    assert_eq!(inn.stored().blobs, 10_000);
    let end = inn.now.after(Span::from_hours(3));
    let mut turns = Vec::new();
    while let Some(at) = next_wakeup(&inn.store).unwrap().filter(|at| *at <= end) {
        inn.now = inn.now.max(at);
        let before = inn.stored().blobs;
        inn.input(Input::Wake);
        turns.push(before - inn.stored().blobs);
    }
    turns.retain(|gone| *gone > 0);
    assert_eq!(turns, [4_096, 4_096, 10_000 - 2 * 4_096]);
    assert_eq!((inn.table(Table::Deposit), inn.table(Table::DepositExpiry)), (vec![], vec![]));
    assert!(inn.table(Table::Timer).len() <= 2, "nothing is left to do");
}

impl Inn {
    /// A deposit with work that was done for another hour.
    fn worked_at(&self, of: u64, hour: u32) -> Deposit {
        let blob = blob(of, Bucket::Line);
        let admission = Admission::Work(Stamp { hour, nonce: 0 });
        Deposit { tag: tag(of), lifetime: 24, erasure: [0; 32], admission, blob }
    }
}
