//! Envelopes that are carried by hand, in any order, by anybody, late, twice, and along with mail of other ways.

use kinfolk_engine::input::{Cargo, Command, MailboxChoice, Mark};
use kinfolk_engine::store::{Carriage, Key, MessageState, Post, Table, Unreceipted};
use kinfolk_engine::{Answer, Imported, Input, query};
use kinfolk_wire::carried::{BY_HAND, Carried};
use kinfolk_wire::ids::MailboxTag;
use kinfolk_wire::invite::Uses;
use kinfolk_wire::mailbox::{Bucket, Host};
use kinfolk_wire::time::Span;

use super::town::mailbox_host::{Conduct, MailboxHost};
use super::town::{Town, address, peer};

const MINUTE: Span = Span::from_secs(60);
const HOST: usize = 50;

/// Everything that an export gives; it is not written yet.
fn pages(town: &mut Town, who: usize, cargo: Cargo) -> Vec<Carried> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let command = Command::ExportBundle { cargo, after };
        let Answer::Bundle { records, next, .. } = town.input(who, Input::Command(command)).answer else { panic!() };
        all.extend(records);
        match next {
            None => return all,
            Some(next) => assert_ne!(after.replace(next), Some(next)),
        }
    }
}

fn written(town: &mut Town, who: usize, cargo: Cargo) {
    let mut after: Option<Mark> = None;
    loop {
        let command = Command::BundleExported { cargo, after };
        let Answer::Exported(next) = town.input(who, Input::Command(command)).answer else { panic!() };
        if next.is_none() {
            return;
        }
        after = next;
    }
}

fn export(town: &mut Town, who: usize, cargo: Cargo) -> Vec<Carried> {
    let records = pages(town, who, cargo);
    written(town, who, cargo);
    records
}

fn import(town: &mut Town, who: usize, records: &[Carried]) -> Imported {
    let mut sum = Imported::default();
    for page in records.chunks(Command::RECORDS) {
        let command = Command::ImportBundle(page.to_vec());
        let Answer::Imported(one) = town.input(who, Input::Command(command)).answer else { panic!() };
        sum.taken += one.taken;
        sum.known += one.known;
        sum.carried += one.carried;
        sum.expired += one.expired;
        sum.damaged += one.damaged;
    }
    sum
}

fn to(town: &Town, who: usize) -> Cargo {
    Cargo::Contact(town.people[who].identity)
}

fn states(town: &Town, who: usize, other: usize) -> Vec<MessageState> {
    town.lines(who, other).iter().map(|line| line.state).collect()
}

/// Anna, Bea and somebody who knows neither; the two are contacts and no longer see each other.
fn apart() -> Town {
    let mut town = Town::of_strangers(3);
    let link = town.link(0, Uses::Once);
    town.ask(1, &link);
    town.pass(Span::from_secs(5));
    town.sleep(0);
    town.sleep(1);
    town.sleep(2);
    town
}

fn say<T: AsRef<str>>(town: &mut Town, from: usize, other: usize, words: &[T]) {
    for word in words {
        town.say(from, other, word.as_ref());
    }
}

fn be_there(town: &mut Town, who: usize) {
    town.wake(who);
    town.pass(MINUTE);
    town.sleep(who);
}

#[test]
fn two_who_are_never_together_talk_by_bundles_and_both_learn_that_it_arrived() {
    let mut town = apart();
    say(&mut town, 0, 1, &["one", "two"]);
    let cargo = to(&town, 1);
    let there = export(&mut town, 0, cargo);
    assert_eq!(states(&town, 0, 1), [MessageState::Sent; 2]);
    let custody = query::custody(&town.people[0].store, town.lines(0, 1)[0].place).unwrap();
    assert_eq!(custody, [BY_HAND]);
    let imported = import(&mut town, 1, &there);
    assert_eq!((imported.known, imported.carried, imported.damaged), (0, 0, 0));
    assert_eq!(imported.taken, there.len() as u64);
    assert_eq!(town.heard(1, 0), ["one", "two"]);
    be_there(&mut town, 1);
    say(&mut town, 1, 0, &["three"]);
    let cargo = to(&town, 0);
    let back = export(&mut town, 1, cargo);
    import(&mut town, 0, &back);
    assert_eq!(town.heard(0, 1), ["three"]);
    assert_eq!(states(&town, 0, 1), [MessageState::Delivered, MessageState::Delivered, MessageState::Received]);
    be_there(&mut town, 0);
    let cargo = to(&town, 1);
    let there = export(&mut town, 0, cargo);
    // What has arrived is not carried again.
    assert!(there.len() < 4, "{there:?}");
    import(&mut town, 1, &there);
    assert_eq!(states(&town, 1, 0).last(), Some(&MessageState::Delivered));
    let waiting = town.table(1, Table::Unreceipted);
    assert_eq!(waiting.len(), 0);
}

#[test]
fn nothing_counts_as_on_its_way_before_the_bundle_is_written() {
    let mut town = apart();
    say(&mut town, 0, 1, &["one"]);
    let cargo = to(&town, 1);
    let first = pages(&mut town, 0, cargo);
    assert_eq!(states(&town, 0, 1), [MessageState::Queued]);
    say(&mut town, 0, 1, &["two"]);
    written(&mut town, 0, cargo);
    assert_eq!(states(&town, 0, 1), [MessageState::Sent, MessageState::Queued]);
    // The same day, the same bundle, so that whoever has both has one.
    assert_eq!(pages(&mut town, 0, cargo)[..first.len()], first);
}

#[test]
fn a_bundle_that_is_imported_twice_or_by_its_maker_harms_nothing() {
    let mut town = apart();
    say(&mut town, 0, 1, &["one", "two"]);
    let cargo = to(&town, 1);
    let there = export(&mut town, 0, cargo);
    let own = import(&mut town, 0, &there);
    assert_eq!(own, Imported { known: there.len() as u64, ..Imported::default() });
    import(&mut town, 1, &there);
    let before = town.settled(1);
    let again = import(&mut town, 1, &there);
    assert_eq!(again, Imported { known: there.len() as u64, ..Imported::default() });
    assert_eq!(town.settled(1), before);
    for who in [0, 1] {
        assert_eq!(town.table(who, Table::Carried), []);
    }
    // Long after, when what opened is no longer known by its digest, as well.
    town.wake(1);
    town.pass(Span::from_days(40));
    let resets = |town: &Town| town.device(1, 0).reinit_asked_at;
    assert_eq!(import(&mut town, 1, &there).known, there.len() as u64);
    assert_eq!(town.heard(1, 0), ["one", "two"]);
    assert_eq!(resets(&town), None);
}

#[test]
fn a_bundle_finds_its_way_over_somebody_who_knows_neither() {
    let mut town = apart();
    say(&mut town, 0, 1, &["one", "two"]);
    let cargo = to(&town, 1);
    let there = export(&mut town, 0, cargo);
    let imported = import(&mut town, 2, &there);
    assert_eq!(imported, Imported { carried: there.len() as u64, ..Imported::default() });
    assert_eq!(import(&mut town, 2, &there).known, there.len() as u64);
    for cargo in [Cargo::Everything, Cargo::Others] {
        assert_eq!(export(&mut town, 2, cargo), there);
    }
    let onwards = export(&mut town, 2, Cargo::Everything);
    assert_eq!(import(&mut town, 2, &onwards).known, onwards.len() as u64);
    assert_eq!(import(&mut town, 1, &onwards).taken, there.len() as u64);
    assert_eq!(town.heard(1, 0), ["one", "two"]);
    be_there(&mut town, 1);
    let back = export(&mut town, 1, Cargo::Everything);
    import(&mut town, 2, &back);
    let both_ways = export(&mut town, 2, Cargo::Others);
    assert_eq!(both_ways.len(), there.len() + back.len());
    let imported = import(&mut town, 0, &both_ways);
    assert_eq!((imported.taken, imported.known), (back.len() as u64, there.len() as u64));
    assert_eq!(states(&town, 0, 1), [MessageState::Delivered; 2]);
}

#[test]
fn what_is_carried_for_others_goes_after_a_month() {
    let mut town = apart();
    say(&mut town, 0, 1, &["one"]);
    let there = export(&mut town, 0, Cargo::Everything);
    town.wake(2);
    import(&mut town, 2, &there);
    town.pass(Span::from_days(29));
    assert_eq!(export(&mut town, 2, Cargo::Others), there);
    town.pass(Span::from_days(3));
    assert_eq!(town.table(2, Table::Carried), []);
    assert_eq!(town.table(2, Table::CarriedPlace), []);
    let sum: Carriage = town.row(2, &Key::Carriage).unwrap();
    assert_eq!((sum.bytes, sum.records), (0, 0));
    // And is not taken up again, so that nothing goes in circles for ever.
    let again = import(&mut town, 2, &there);
    assert_eq!(again, Imported { expired: there.len() as u64, ..Imported::default() });
    // Whom it is for takes it all the same.
    assert_eq!(import(&mut town, 1, &there).taken, there.len() as u64);
    assert_eq!(town.heard(1, 0), ["one"]);
}

#[test]
fn d03_what_is_carried_for_others_has_its_bounds_and_the_oldest_goes_first() {
    let mut town = apart();
    let made = |number: u16| {
        let mut tag = [0; 16];
        tag[..2].copy_from_slice(&number.to_be_bytes());
        let day = u32::try_from(1_800_000_000_000_u64 / 86_400_000).unwrap();
        Carried { day, tag: MailboxTag::new(tag), number: [7; 8], blob: vec![9; Bucket::Crate.bytes()] }
    };
    let room = u16::try_from((64 << 20) / Bucket::Crate.bytes()).unwrap();
    for first in (0..room + 200).step_by(200) {
        let records: Vec<Carried> = (first..(first + 200).min(room + 100)).map(made).collect();
        assert_eq!(import(&mut town, 2, &records).carried, records.len() as u64);
    }
    let kept = export(&mut town, 2, Cargo::Others);
    assert_eq!(kept.len(), usize::from(room));
    assert_eq!((kept[0].tag, kept.last().unwrap().tag), (made(100).tag, made(room + 99).tag));
    assert_eq!(town.row::<Carriage>(2, &Key::Carriage).unwrap().bytes, 64 << 20);
    assert_eq!(town.table(2, Table::CarriedPlace).len(), usize::from(room));
}

fn with_mailbox() -> Town {
    let mut town = Town::of_friends(2);
    town.hosts.insert(HOST, MailboxHost { conduct: Conduct::Honest, ..MailboxHost::default() });
    for who in [0, 1] {
        let host = Host { peer: peer(HOST), addresses: vec![address(HOST)], work_bits: 0 };
        town.input(who, Input::Command(Command::AddMailbox(MailboxChoice::Host(host))));
    }
    town.pass(MINUTE);
    town
}

#[test]
fn mail_and_bundles_of_the_same_numbers_come_once_in_whatever_order() {
    let words: Vec<String> = (0..40).map(|number| format!("line {number}")).collect();
    for (turned, halves) in [(false, [0, 1]), (true, [1, 0]), (false, [1, 0]), (true, [0, 1])] {
        let mut town = with_mailbox();
        town.sleep(1);
        let words_of = |half: usize| &words[half * 20..half * 20 + 20];
        say(&mut town, 0, 1, words_of(0));
        town.pass(Span::from_secs(1));
        // Before they go to the mailbox, and under the same numbers.
        let cargo = to(&town, 1);
        let mut early = export(&mut town, 0, cargo);
        town.pass(MINUTE);
        assert_eq!(town.hosts[&HOST].kept.len(), early.len());
        say(&mut town, 0, 1, words_of(1));
        town.pass(MINUTE);
        let mut late = export(&mut town, 0, cargo);
        assert!(late.len() >= 40, "what mailboxes have goes by hand as well: {}", late.len());
        let custody = query::custody(&town.people[0].store, town.lines(0, 1)[0].place).unwrap();
        assert_eq!(
            custody,
            [BY_HAND, peer(HOST)]
                .into_iter()
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        );
        town.sleep(0);
        if turned {
            early.reverse();
            late.reverse();
        }
        let bundles = [early, late];
        import(&mut town, 1, &bundles[halves[0]]);
        town.wake(1);
        town.pass(Span::from_secs(3_600));
        import(&mut town, 1, &bundles[halves[1]]);
        assert_eq!(town.heard(1, 0), words, "{turned} {halves:?}");
        town.sleep(1);
        town.wake(0);
        town.pass(Span::from_secs(3_600));
        assert_eq!(states(&town, 0, 1), [MessageState::Delivered; 40], "{turned} {halves:?}");
    }
}

#[test]
fn one_line_by_hand_strands_nothing_that_lies_at_mailboxes() {
    let mut town = with_mailbox();
    town.sleep(1);
    let words: Vec<String> = (0..1_500).map(|number| format!("line {number}")).collect();
    say(&mut town, 0, 1, &words);
    town.pass(MINUTE);
    town.say(0, 1, "the last");
    let cargo = Cargo::Newest(town.people[1].identity);
    let one = export(&mut town, 0, cargo);
    assert_eq!(one.len(), 1);
    town.sleep(0);
    assert_eq!(import(&mut town, 1, &one).taken, 1);
    assert_eq!(town.heard(1, 0), ["the last"]);
    let post: Post = town.row(1, &Key::Post(town.profile(0).device)).unwrap();
    assert!(post.missing.is_empty() && post.by_hand.runs() == 1, "{post:?}");
    town.wake(1);
    town.pass(MINUTE);
    let lines = query::history(&town.people[1].store, town.conversation(1, 0), None, 2_000).unwrap().lines;
    assert_eq!(lines.len(), 1_501);
    // The other way round: what is said after it is found, though what came before is still missing.
    assert!(town.row::<Post>(1, &Key::Post(town.profile(0).device)).unwrap().by_hand.is_empty());
}

#[test]
fn mail_behind_what_came_by_hand_is_found_though_something_before_it_is_lost() {
    let mut town = with_mailbox();
    town.sleep(1);
    let cargo = to(&town, 1);
    say(&mut town, 0, 1, &(0..30).map(|number| format!("line {number}")).collect::<Vec<_>>());
    let all = export(&mut town, 0, cargo);
    // The first eleven never come: neither this way nor the other.
    import(&mut town, 1, &all[11..]);
    town.pass(Span::from_secs(1));
    town.pass(MINUTE);
    town.hosts.get_mut(&HOST).unwrap().kept.clear();
    town.say(0, 1, "after them");
    town.pass(MINUTE);
    town.sleep(0);
    town.wake(1);
    town.pass(MINUTE);
    assert_eq!(town.heard(1, 0).last().unwrap(), "after them");
}

#[test]
fn what_was_carried_is_said_directly_too_where_the_two_meet_and_shown_once() {
    let mut town = apart();
    say(&mut town, 0, 1, &["one", "two"]);
    let cargo = to(&town, 1);
    let there = export(&mut town, 0, cargo);
    town.wake(0);
    town.wake(1);
    town.pass(MINUTE);
    assert_eq!(town.heard(1, 0), ["one", "two"]);
    assert_eq!(states(&town, 0, 1), [MessageState::Delivered; 2]);
    assert_eq!(town.table(0, Table::Outbox), []);
    let late = import(&mut town, 1, &there);
    assert_eq!(late.known, there.len() as u64);
    assert_eq!(town.heard(1, 0), ["one", "two"]);
}

#[test]
fn a_receipt_that_comes_by_hand_empties_the_outbox() {
    let mut town = apart();
    say(&mut town, 0, 1, &["one", "two"]);
    let cargo = to(&town, 1);
    let there = export(&mut town, 0, cargo);
    import(&mut town, 1, &there);
    be_there(&mut town, 1);
    let cargo = to(&town, 0);
    let back = export(&mut town, 1, cargo);
    import(&mut town, 0, &back);
    let left = query::outbox_len(&town.people[0].store).unwrap();
    assert!(town.table(0, Table::Unreceipted).is_empty());
    assert!(left <= 2, "{left}: no line is left, only what nobody receipts");
    let lines = town.table(0, Table::Outbox);
    assert!(lines.iter().all(|(_, row)| !format!("{row:?}").contains("line: Some")), "{lines:?}");
}

#[test]
fn g07_clocks_that_are_days_apart_and_a_month_on_the_way_lose_nothing() {
    for (ahead, days) in [(true, 0), (true, 5), (true, 40), (false, 5), (false, 29), (false, 400)] {
        let mut town = apart();
        let now = town.now;
        town.now = if ahead { now.after(Span::from_days(days)) } else { now.before(Span::from_days(days)) };
        say(&mut town, 0, 1, &["what day is it?"]);
        let cargo = to(&town, 1);
        let there = export(&mut town, 0, cargo);
        town.now = now;
        assert_eq!(import(&mut town, 1, &there).taken, there.len() as u64, "{days} days, ahead: {ahead}");
        assert_eq!(town.heard(1, 0), ["what day is it?"]);
    }
}

#[test]
fn what_somebody_altered_is_lost_alone() {
    let mut town = apart();
    say(&mut town, 0, 1, &["one", "two", "three"]);
    let cargo = to(&town, 1);
    let mut there = export(&mut town, 0, cargo);
    let at = there.len() - 2;
    there[at].blob[100] ^= 1;
    let imported = import(&mut town, 1, &there);
    assert_eq!((imported.damaged, imported.taken), (1, there.len() as u64 - 1));
    assert_eq!(town.heard(1, 0), ["one", "three"]);
    // Whole, it is taken later.
    there[at].blob[100] ^= 1;
    let imported = import(&mut town, 1, &there);
    assert_eq!((imported.taken, imported.known), (1, there.len() as u64 - 1));
    assert_eq!(town.heard(1, 0), ["one", "two", "three"]);
}

#[test]
fn h09_who_finds_bundles_learns_neither_sender_nor_recipient_nor_what_belongs_together() {
    let mut town = Town::of_friends(3);
    (0..3).for_each(|who| town.sleep(who));
    for other in [1, 2] {
        say(&mut town, 0, other, &(0..20).map(|number| format!("line {number}")).collect::<Vec<_>>());
    }
    let first = export(&mut town, 0, Cargo::Everything);
    town.now = town.now.after(Span::from_days(1));
    let second = export(&mut town, 0, Cargo::Everything);
    assert_eq!(first.len(), second.len());
    let mut parts = std::collections::BTreeSet::new();
    let ids: Vec<Vec<u8>> = (0..3)
        .flat_map(|who| {
            let profile = town.profile(who);
            [profile.identity.as_bytes().to_vec(), profile.device.as_bytes().to_vec(), profile.peer.as_bytes().to_vec()]
        })
        .collect();
    for record in first.iter().chain(&second) {
        assert!(Bucket::of(record.blob.len()).is_some());
        // No four bytes of a tag or number come twice, so that none hints at another.
        let tag = record.tag.as_bytes();
        assert!(tag.chunks(4).chain(record.number.chunks(4)).all(|part| parts.insert(part.to_vec())), "{record:?}");
        let all = [&tag[..], &record.number, &record.blob].concat();
        assert!(ids.iter().all(|id| !all.windows(8).any(|window| window == &id[..8])));
    }
}

#[test]
fn b06_a_blocked_contact_is_not_heard_by_hand_and_not_carried() {
    let mut town = apart();
    say(&mut town, 0, 1, &["hello?"]);
    let cargo = to(&town, 1);
    let there = export(&mut town, 0, cargo);
    let anna = town.people[0].identity;
    town.input(1, Input::Command(Command::Block(anna)));
    assert_eq!(import(&mut town, 1, &there).known, there.len() as u64);
    assert_eq!((town.heard(1, 0).len(), town.table(1, Table::Carried).len()), (0, 0));
    let cargo = Cargo::Contact(anna);
    let refusal = town.try_input(1, Input::Command(Command::ExportBundle { cargo, after: None })).unwrap_err();
    assert_eq!(refusal.code(), "blocked");
    town.input(1, Input::Command(Command::Unblock(anna)));
    assert_eq!(import(&mut town, 1, &there).taken, there.len() as u64);
    assert_eq!(town.heard(1, 0), ["hello?"]);
}

#[test]
fn a_thousand_lines_travel_in_pages_and_in_order() {
    let mut town = apart();
    let words: Vec<String> = (0..1_000).map(|number| format!("line {number}")).collect();
    say(&mut town, 0, 1, &words);
    let there = export(&mut town, 0, Cargo::Everything);
    assert!(there.len() >= 1_000);
    assert!(states(&town, 0, 1).iter().all(|state| *state == MessageState::Sent));
    let unreceipted = town.table(0, Table::Unreceipted);
    assert_eq!(unreceipted.len(), 1_000);
    import(&mut town, 1, &there);
    assert_eq!(town.heard(1, 0), words);
    let row: Unreceipted = town.row(0, &unreceipted[0].0).unwrap();
    assert_eq!(row.custody, Some(vec![BY_HAND]));
}
