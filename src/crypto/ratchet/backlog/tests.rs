use super::*;
use crate::ratchet::skipped::MemorySkippedKeys;
use crate::secret::{Key, SecretBytes};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn keys(ordinals: std::ops::Range<u32>) -> Vec<SkippedKey> {
    ordinals.map(|ordinal| SkippedKey { id: SkippedKeyId::new(ordinal), key: SecretBytes::new(vec![0; 32]) }).collect()
}

fn header(byte: u8) -> HeaderKey<Theirs> {
    HeaderKey::new(Key::new([byte; 32]))
}

/// A backlog together with what its caller stores.
#[derive(Default)]
struct Account {
    backlog: Backlog,
    stored: MemorySkippedKeys,
}

impl Account {
    fn skip(&mut self, ordinals: std::ops::Range<u32>, now: Timestamp) -> Vec<u32> {
        let new = keys(ordinals);
        self.backlog.add(&new, now);
        let removed = self.backlog.settle(None, now, &self.stored);
        self.stored.apply(new, &removed);
        assert_eq!(u32::try_from(self.stored.len()), Ok(self.backlog.stored));
        removed.into_iter().map(SkippedKeyId::ordinal).collect()
    }

    fn use_up(&mut self, ordinal: u32) {
        assert_eq!(self.use_up_at(ordinal, NOW), [ordinal]);
    }

    fn use_up_at(&mut self, ordinal: u32, now: Timestamp) -> Vec<u32> {
        let removed = self.backlog.settle(Some(SkippedKeyId::new(ordinal)), now, &self.stored);
        self.stored.apply(Vec::new(), &removed);
        assert_eq!(u32::try_from(self.stored.len()), Ok(self.backlog.stored));
        removed.into_iter().map(SkippedKeyId::ordinal).collect()
    }

    fn chains(&self) -> Vec<(u32, u32)> {
        self.backlog.headers().map(|(_, base, length)| (base, length)).collect()
    }
}

#[test]
fn the_oldest_give_way_when_there_are_too_many() {
    let mut account = Account::default();
    assert!(account.skip(0..1_500, NOW).is_empty());
    assert!(account.skip(1_501..2_001, NOW).is_empty());
    assert_eq!(account.skip(2_002..2_005, NOW), [0, 1, 2]);
    assert!(account.backlog.is_forgotten(2) && !account.backlog.is_forgotten(3));
    assert_eq!(account.stored.len(), 2_000);
}

#[test]
fn a_header_key_lives_as_long_as_a_skipped_key_under_it() {
    let mut account = Account::default();
    account.skip(0..2, NOW);
    account.backlog.replace_chain(header(1), 0, 5);
    account.skip(5..6, NOW);
    account.backlog.replace_chain(header(2), 5, 3);
    account.skip(8..9, NOW);
    assert_eq!(account.chains(), [(5, 3), (0, 5)]);
    account.use_up(0);
    assert_eq!(account.chains(), [(5, 3), (0, 5)]);
    account.use_up(1);
    assert_eq!(account.chains(), [(5, 3)]);
    account.use_up(8);
    assert_eq!(account.chains(), [(5, 3)]);
    account.use_up(5);
    assert!(account.chains().is_empty());
    assert_eq!(account.backlog.kept(), 0);
}

#[test]
fn a_chain_that_owes_nothing_leaves_no_header_key() {
    let mut account = Account::default();
    account.backlog.replace_chain(header(1), 0, 5);
    assert!(account.backlog.settle(None, NOW, &account.stored).is_empty());
    assert!(account.chains().is_empty());
}

#[test]
fn what_gives_way_takes_its_header_key_along() {
    let mut account = Account::default();
    account.skip(0..3, NOW);
    account.backlog.replace_chain(header(1), 0, 4);
    account.skip(4..2_000, NOW);
    assert_eq!(account.chains(), [(0, 4)]);
    assert_eq!(account.skip(2_001..2_005, NOW), [0, 1, 2]);
    assert!(account.chains().is_empty());
    assert_eq!(account.backlog.current, 2_000);
}

#[test]
fn keys_are_given_up_after_thirty_days_and_not_before() {
    let mut account = Account::default();
    let day = |days| NOW.after(Span::from_days(days));
    account.skip(0..2, day(0));
    account.backlog.replace_chain(header(1), 0, 4);
    account.skip(4..6, day(1));
    assert!(account.skip(7..8, day(30)).is_empty());
    assert_eq!(account.skip(9..10, day(31)), [0, 1]);
    assert!(account.chains().is_empty());
    assert!(account.backlog.is_forgotten(1) && !account.backlog.is_forgotten(2));
    assert_eq!(account.skip(11..12, day(32)), [4, 5]);
    assert_eq!(account.skip(13..14, day(400)), [7, 9, 11]);
    assert_eq!(account.backlog.ages.len(), 1);
}

#[test]
fn a_key_used_on_the_day_it_would_be_given_up_counts_once() {
    let mut account = Account::default();
    let day = |days| NOW.after(Span::from_days(days));
    account.skip(0..2, day(0));
    account.skip(3..4, day(10));
    account.backlog.replace_chain(header(1), 0, 5);
    assert_eq!(account.use_up_at(1, day(31)), [1, 0]);
    assert_eq!(account.chains(), [(0, 5)]);
    assert_eq!(account.use_up_at(3, day(31)), [3]);
    assert!(account.chains().is_empty());
}

#[test]
fn what_gave_way_is_not_given_up_a_second_time() {
    let mut account = Account::default();
    account.skip(0..1_000, NOW);
    account.skip(1_001..2_001, NOW.after(Span::from_days(10)));
    account.backlog.replace_chain(header(1), 0, 2_002);
    assert_eq!(account.skip(2_003..2_004, NOW.after(Span::from_days(31))).len(), 1_000);
    assert_eq!((account.backlog.stored, account.backlog.current), (1_001, 1));
    assert_eq!(account.chains(), [(0, 2_002)]);
}

#[test]
fn a_clock_that_was_set_back_gives_up_nothing_early() {
    let mut account = Account::default();
    account.skip(0..1, NOW);
    account.skip(2..3, NOW.before(Span::from_days(1_000)));
    assert_eq!(account.backlog.ages.len(), 1);
    assert!(account.skip(4..5, NOW.after(Span::from_days(30))).is_empty());
    assert_eq!(account.skip(6..7, NOW.after(Span::from_days(31))), [0, 2]);
}

#[test]
fn when_nothing_is_stored_nothing_is_remembered_of_its_age() {
    let mut account = Account::default();
    account.skip(0..1, NOW);
    assert_eq!(account.backlog.ages.len(), 1);
    account.use_up(0);
    assert!(account.backlog.ages.is_empty());
    assert_eq!((account.backlog.stored, account.backlog.current), (0, 0));
}

#[test]
fn a_caller_that_lost_its_rows_is_not_asked_for_them_for_ever() {
    let mut backlog = Backlog::default();
    backlog.add(&keys(0..2_500), NOW);
    assert!(backlog.settle(None, NOW, &MemorySkippedKeys::new()).is_empty());
    assert_eq!(backlog.stored, MAX_SKIPPED);
}
