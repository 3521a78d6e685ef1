//! Which numbers have come from a device, whatever way, and which are asked for next.

use crate::store::Post;

/// Numbers passed over that are still asked for; of older ones only what is said again will come.
const MOST_MISSING: usize = 1_024;
/// Numbers that came by hand, ahead of what hosts were asked for, which are kept in mind.
const MOST_BY_HAND: usize = 4_096;

/// Whether a number has come, whatever way.
pub(super) fn has_come(post: &Post, number: u64) -> bool {
    if number > post.highest_seen { post.by_hand.contains(&number) } else { !post.missing.contains(&number) }
}

/// The numbers that may come next: those after the highest that was found at a host, and after the highest that came by
/// hand.
pub(super) fn next(post: &Post, count: u64) -> Vec<u64> {
    let after = |last: u64| (1..=count).map(move |ahead| last.saturating_add(ahead));
    let by_hand = post.by_hand.last().into_iter().flat_map(|last| after(*last));
    let mut numbers: Vec<u64> = after(post.highest_seen).chain(by_hand).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.retain(|number| !post.by_hand.contains(number));
    numbers
}

/// Notes that a number has come. Says whether it had not before.
pub(super) fn mark(post: &mut Post, number: u64) -> bool {
    if number <= post.highest_seen {
        return post.missing.remove(&number);
    }
    let is_new = !post.by_hand.contains(&number);
    let oldest = number.saturating_sub(u64::try_from(MOST_MISSING).unwrap_or(u64::MAX));
    let passed = post.highest_seen.saturating_add(1).max(oldest)..number;
    post.missing.extend(passed.filter(|number| !post.by_hand.contains(number)));
    post.highest_seen = number;
    while post.missing.len() > MOST_MISSING {
        post.missing.pop_first();
    }
    post.by_hand = post.by_hand.split_off(&number.saturating_add(1));
    catch_up(post);
    is_new
}

/// Notes that a number has come by hand. Says whether it had not before.
///
/// What hosts have is asked for in the order of its numbers. A number that comes by hand may be far ahead of what lies
/// there, and must not have that passed over: it is kept apart until what is before it has come.
pub(crate) fn mark_by_hand(post: &mut Post, number: u64) -> bool {
    if number <= post.highest_seen {
        return post.missing.remove(&number);
    }
    let is_new = post.by_hand.insert(number);
    catch_up(post);
    while post.by_hand.len() > MOST_BY_HAND
        && let Some(first) = post.by_hand.first().copied()
    {
        post.by_hand.remove(&first);
        mark(post, first);
    }
    is_new
}

/// Goes on where what came by hand follows at once.
fn catch_up(post: &mut Post) {
    while post.by_hand.remove(&post.highest_seen.saturating_add(1)) {
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
        assert_eq!((post.highest_seen, post.missing.len()), (0, 0));
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
    fn d03_numbers_by_hand_without_end_take_no_room_without_end() {
        let mut post = Post::default();
        for number in 1..20_000 {
            assert!(mark_by_hand(&mut post, 3 * number));
        }
        assert!(post.by_hand.len() <= MOST_BY_HAND && post.missing.len() <= MOST_MISSING);
        assert!(!mark_by_hand(&mut post, 3 * 19_999));
    }
}
