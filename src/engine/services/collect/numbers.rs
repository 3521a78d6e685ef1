//! Which numbers have come from a device, whatever way, and which are asked for next.

use crate::services::deposit;
use crate::store::Post;

/// Runs of numbers passed over that are still asked for; of older ones only what is said again will come.
const MOST_RUNS: usize = 1_024;
/// The same of those that came by hand, ahead of what hosts were asked for.
const MOST_BY_HAND: usize = 1_024;
/// Days' worth of numbers behind the newest one of which nothing comes any more: an item waits for 30 days to be sent, and
/// for 30 more where it was left.
const DAYS_BEHIND: u32 = 64;
/// First numbers of a day that are asked for.
const STARTS: usize = 4;
/// Runs of numbers passed over that are asked for of a day, and of each of them so many.
const RUNS_OF_DAY: usize = 4;
const OF_RUN: usize = 2;

/// Whether a number has come, whatever way.
pub(super) fn has_come(post: &Post, number: u64) -> bool {
    if number > post.highest_seen { post.by_hand.contains(number) } else { !post.missing.contains(number) }
}

/// The numbers that may come next: those after the highest that was found at a host, and after the highest that came by
/// hand.
pub(super) fn next(post: &Post, count: u64) -> Vec<u64> {
    let after = |last: u64| (1..=count).map(move |ahead| last.saturating_add(ahead));
    let by_hand = post.by_hand.highest().into_iter().flat_map(after);
    let mut numbers: Vec<u64> = after(post.highest_seen).chain(by_hand).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.retain(|number| !post.by_hand.contains(*number));
    numbers
}

/// Numbers of a day that may be there though nothing tells of them: its first ones, and those that were passed over.
pub(super) fn of_day(post: &Post, day: u32) -> Vec<u64> {
    let first = deposit::before_day(day).saturating_add(1);
    let last = deposit::before_day(day.saturating_add(1));
    let starts = (first..=last).take(STARTS).filter(|number| !has_come(post, *number));
    let passed = post.missing.within(first..=last).take(RUNS_OF_DAY).flat_map(|run| run.take(OF_RUN));
    let mut numbers: Vec<u64> = starts.chain(passed).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Notes that a number has come. Says whether it had not before.
pub(super) fn mark(post: &mut Post, number: u64) -> bool {
    if number <= post.highest_seen {
        return post.missing.remove(number);
    }
    let ahead = post.by_hand.split_off(number.saturating_add(1));
    let mut before = std::mem::replace(&mut post.by_hand, ahead);
    let is_new = !before.remove(number);
    post.missing.insert(post.highest_seen.saturating_add(1)..=number.saturating_sub(1));
    post.missing.remove_all(&before);
    let oldest = deposit::before_day_of(number).saturating_sub(deposit::before_day(DAYS_BEHIND));
    if post.missing.lowest().is_some_and(|lowest| lowest <= oldest) {
        post.missing = post.missing.split_off(oldest.saturating_add(1));
    }
    post.missing.forget_lowest(MOST_RUNS);
    post.highest_seen = number;
    catch_up(post);
    is_new
}

/// Notes that a number has come by hand. Says whether it had not before.
///
/// What hosts have is asked for in the order of its numbers. A number that comes by hand may be far ahead of what lies
/// there, and must not have that passed over: it is kept apart until what is before it has come.
pub(crate) fn mark_by_hand(post: &mut Post, number: u64) -> bool {
    if number <= post.highest_seen {
        return post.missing.remove(number);
    }
    let is_new = !post.by_hand.contains(number);
    post.by_hand.insert(number..=number);
    catch_up(post);
    while post.by_hand.runs() > MOST_BY_HAND
        && let Some(lowest) = post.by_hand.lowest()
    {
        mark(post, lowest);
    }
    is_new
}

/// Goes on where what came by hand follows at once.
fn catch_up(post: &mut Post) {
    while post.by_hand.remove(post.highest_seen.saturating_add(1)) {
        post.highest_seen = post.highest_seen.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_by_hand_passes_nothing_over_that_lies_at_hosts() {
        let mut post = Post::default();
        assert!(mark_by_hand(&mut post, 5_000));
        assert!(!mark_by_hand(&mut post, 5_000));
        assert!(post.highest_seen == 0 && post.missing.is_empty());
        assert_eq!(next(&post, 2), [1, 2, 5_001, 5_002]);
        assert!(!mark(&mut post, 5_000));
    }

    #[test]
    fn numbers_that_come_both_ways_in_any_order_are_each_new_once() {
        let mut state = 1_u64;
        for _ in 0..50 {
            let mut post = Post::default();
            let mut known = std::collections::BTreeSet::new();
            for _ in 0..300 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let number = (state >> 40) % 200 + 1;
                let is_new = if state >> 63 == 0 { mark(&mut post, number) } else { mark_by_hand(&mut post, number) };
                assert_eq!(is_new, known.insert(number), "{number}");
                assert!((1..=200).all(|number| has_come(&post, number) == known.contains(&number)), "{post:?}");
            }
        }
    }

    #[test]
    fn numbers_of_long_ago_are_not_waited_for() {
        let mut post = Post::default();
        for day in 1..300 {
            let first = deposit::before_day(day).saturating_add(1);
            assert!(mark(&mut post, first));
            assert!(!has_come(&post, first + 1) && !has_come(&post, first - 1) || day == 1);
        }
        let oldest = deposit::before_day(299 - DAYS_BEHIND);
        assert_eq!((post.missing.lowest(), post.missing.runs()), (Some(oldest + 2), 64));
        assert!(has_come(&post, oldest) && !has_come(&post, oldest + 2));
    }

    #[test]
    fn d03_numbers_by_hand_without_end_take_no_room_without_end() {
        let mut post = Post::default();
        for number in 1..20_000 {
            assert!(mark_by_hand(&mut post, 3 * number));
        }
        assert!(post.by_hand.runs() <= MOST_BY_HAND && post.missing.runs() <= MOST_RUNS, "{post:?}");
        assert!(!mark_by_hand(&mut post, 3 * 19_999));
    }
}
