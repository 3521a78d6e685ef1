//! Mail that waits at hosts while its reader is away, and hosts that do not do what they should.

use kinfolk_engine::event::Event;
use kinfolk_engine::input::{Command, MailboxChoice, MailboxOffer, Report};
use kinfolk_engine::store::{Conversation, Hosts, Key, MessageState, Post, Purse, Table};
use kinfolk_engine::{Effect, Input, query};
use kinfolk_wire::content::{Body, Mailboxes, Serving};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::GroupElement;
use kinfolk_wire::mailbox::{Host, Request};
use kinfolk_wire::time::Span;

use super::town::mailbox_host::{Conduct, MailboxHost};
use super::town::{Town, address, peer};

/// The numbers of model hosts begin here.
const HOSTS: usize = 50;
/// Those of a day go on after this many times the day.
const DAY_NUMBERS: u64 = 4_096;

fn card(number: usize) -> Host {
    Host { peer: peer(HOSTS + number), addresses: vec![address(HOSTS + number)], work_bits: 0 }
}

/// Anna and Bea, contacts, each of whom has named the same hosts of these conducts.
fn friends_with(conducts: &[Conduct]) -> Town {
    let mut town = Town::of_friends(2);
    for (number, conduct) in conducts.iter().enumerate() {
        let host = MailboxHost { conduct: *conduct, ..MailboxHost::default() };
        town.hosts.insert(HOSTS + number, host);
        for who in [0, 1] {
            town.input(who, Input::Command(Command::AddMailbox(MailboxChoice::Host(card(number)))));
        }
    }
    town.pass(Span::from_secs(30));
    town
}

fn states(town: &Town, who: usize, other: usize) -> Vec<MessageState> {
    town.lines(who, other).iter().map(|line| line.state).collect()
}

/// A says something while B is away, goes, B comes, goes, and A comes: never both.
fn never_together(town: &mut Town, words: &[&str]) {
    town.sleep(1);
    for word in words {
        town.say(0, 1, word);
    }
    town.pass(Span::from_secs(3_600));
    town.sleep(0);
    town.wake(1);
    town.pass(Span::from_secs(3_600));
    town.sleep(1);
    town.wake(0);
    town.pass(Span::from_secs(3_600));
}

/// B goes, A is there for half a day, and B comes to fetch what was said again.
fn a_says_again_what_is_not_receipted(town: &mut Town) {
    town.sleep(1);
    town.wake(0);
    town.pass(Span::from_hours(12));
    town.sleep(0);
    town.wake(1);
    town.pass(Span::from_secs(60));
}

#[test]
fn two_who_are_never_there_together_talk_and_learn_that_it_arrived() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    town.sleep(1);
    town.say(0, 1, "are you there?");
    town.pass(Span::from_secs(60));
    assert_eq!(states(&town, 0, 1), [MessageState::Sent]);
    let custody = query::custody(&town.people[0].store, town.lines(0, 1)[0].place).unwrap();
    assert_eq!(custody, [peer(HOSTS), peer(HOSTS + 1), peer(HOSTS + 2)]);
    town.sleep(0);
    town.wake(1);
    town.pass(Span::from_secs(60));
    assert_eq!(town.heard(1, 0), ["are you there?"]);
    town.say(1, 0, "I was asleep");
    town.pass(Span::from_secs(60));
    town.sleep(1);
    town.wake(0);
    town.pass(Span::from_secs(60));
    assert_eq!(town.heard(0, 1), ["I was asleep"]);
    assert_eq!(states(&town, 0, 1), [MessageState::Delivered, MessageState::Received]);
}

#[test]
fn a_contact_who_stays_on_keeps_what_two_leave_for_each_other() {
    let mut town = Town::of_friends(3);
    let offer = MailboxOffer { capacity: 1 << 20, work_bits: 4 };
    town.input(2, Input::Command(Command::ServeMailbox(Some(offer))));
    town.pass(Span::from_secs(5));
    let cora = town.people[2].identity;
    for who in [0, 1] {
        town.input(who, Input::Command(Command::AddMailbox(MailboxChoice::Contact(cora))));
    }
    town.pass(Span::from_secs(5));
    town.effects.clear();
    let words: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    never_together(&mut town, &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(town.heard(1, 0), words);
    assert_eq!(states(&town, 0, 1), [MessageState::Delivered; 100]);
    assert_eq!(town.lines(2, 0), []);
    // What they were given to pay with went first, then they worked.
    let (mut paid, mut worked) = (0, 0);
    for (who, effect) in &town.effects {
        if let (0, Effect::Ask { body: Request::Deposit(_), work, .. }) = (who, effect) {
            *(if work.is_some() { &mut worked } else { &mut paid }) += 1;
        }
    }
    assert!(paid >= 32, "{paid}");
    assert!(worked > 0 && paid + worked >= 100, "{paid} {worked}");
    // Those who were written to give more.
    town.wake(1);
    town.pass(Span::from_secs(60));
    let purse: Purse = town.row(0, &Key::Purse(town.profile(1).device, peer(2))).unwrap();
    assert!(purse.tokens.len() >= 32, "{}", purse.tokens.len());
    town.input(2, Input::Command(Command::ServeMailbox(None)));
    town.pass(Span::from_secs(5));
    let refusal = town.try_input(0, Input::Command(Command::AddMailbox(MailboxChoice::Contact(cora)))).unwrap_err();
    assert_eq!(refusal.code(), "not_serving");
}

#[test]
fn what_was_taken_is_erased_at_every_host() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    never_together(&mut town, &["one", "two"]);
    town.wake(1);
    town.pass(Span::from_days(2));
    let left: Vec<usize> = town.hosts.values().map(|host| host.kept.len()).collect();
    assert_eq!(left, [0, 0, 0]);
}

#[test]
fn d04_hosts_that_lie_are_survived_while_one_in_three_is_honest() {
    for bad in Conduct::BAD {
        for conducts in [[bad, Conduct::Honest, Conduct::Honest], [Conduct::Honest, bad, bad]] {
            let mut town = friends_with(&conducts);
            let words: Vec<String> = (0..40).map(|number| format!("{bad:?} {number}")).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            never_together(&mut town, &words);
            assert_eq!(town.heard(1, 0), words, "{conducts:?}");
            let states = states(&town, 0, 1);
            assert!(states.iter().all(|state| *state == MessageState::Delivered), "{conducts:?}: {states:?}");
            let traffic: usize = town.hosts.values().map(|host| host.traffic).sum();
            assert!(traffic < 20 << 20, "{conducts:?}: {traffic} bytes");
        }
    }
}

#[test]
fn d04_what_each_host_withholds_the_others_give_at_once() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    town.sleep(1);
    let given = |number: usize| [40, 48, usize::MAX].iter().position(|end| number < *end).unwrap();
    let words: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    for (number, word) in words.iter().enumerate() {
        let before: Vec<_> = town.hosts.values().map(|host| host.kept.clone()).collect();
        town.say(0, 1, word);
        town.pass(Span::from_secs(10));
        for (at, (host, kept)) in town.hosts.values_mut().zip(before).enumerate() {
            if at != given(number) {
                host.kept = kept;
            }
        }
    }
    town.sleep(0);
    town.wake(1);
    town.pass(Span::from_secs(60));
    assert_eq!(town.heard(1, 0), words);
}

/// Says words to somebody who is away; of some of them every host loses what it has.
fn say_and_lose(town: &mut Town, words: &[(&str, bool)]) {
    for (word, is_lost) in words {
        let before: Vec<_> = town.hosts.values().map(|host| host.kept.clone()).collect();
        town.say(0, 1, word);
        town.pass(Span::from_secs(10));
        if *is_lost {
            town.hosts.values_mut().zip(before).for_each(|(host, kept)| host.kept = kept);
        }
    }
    town.sleep(0);
    town.wake(1);
    town.pass(Span::from_secs(60));
}

/// The lines that Bea has of Anna, and how many are missing before each.
fn gaps(town: &Town) -> Vec<(String, u64)> {
    town.heard(1, 0).into_iter().zip(town.lines(1, 0).iter().map(|line| line.missing_before)).collect()
}

#[test]
fn d04_a_line_that_all_hosts_lost_is_shown_as_a_gap_until_it_is_said_again() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    town.say(0, 1, "one");
    town.pass(Span::from_secs(5));
    town.sleep(1);
    say_and_lose(&mut town, &[("two", true), ("three", true), ("four", false), ("five", false)]);
    let seen = [("one", 0), ("four", 2), ("five", 0)].map(|(word, gap)| (word.to_owned(), gap));
    assert_eq!(gaps(&town), seen);
    let read = &town.people[1].store;
    for line in town.lines(1, 0) {
        let alone = query::line(read, line.place).unwrap().unwrap();
        assert_eq!(alone, line, "a line alone tells the same");
    }
    let last = query::history(read, town.conversation(1, 0), None, 2).unwrap().lines;
    assert_eq!(last.iter().map(|line| line.missing_before).collect::<Vec<_>>(), [2, 0], "at the end of a page");
    a_says_again_what_is_not_receipted(&mut town);
    let whole = ["one", "two", "three", "four", "five"].map(|word| (word.to_owned(), 0));
    assert_eq!(gaps(&town), whole);
}

#[test]
fn before_the_first_line_that_somebody_has_no_gap_is_shown() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    town.sleep(1);
    say_and_lose(&mut town, &[("one", true), ("two", false)]);
    assert_eq!(gaps(&town), [("two".to_owned(), 0)]);
}

#[test]
fn d04_a_host_that_gives_rubbish_is_dropped_and_contacts_are_told() {
    let mut town = friends_with(&[Conduct::Invents, Conduct::Honest]);
    town.pass(Span::from_secs(3_600));
    for who in [0, 1] {
        let hosts = query::mailbox_hosts(&town.people[who].store).unwrap();
        assert_eq!(hosts.iter().map(|host| host.host.peer).collect::<Vec<_>>(), [peer(HOSTS + 1)]);
        let device = town.profile(1 - who).device;
        let post: Post = town.row(who, &Key::Post(device)).unwrap();
        assert_eq!(post.hosts, [card(1)]);
    }
}

#[test]
fn a_thousand_lines_are_fetched_at_once() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    town.sleep(1);
    let words: Vec<String> = (0..1_000).map(|number| format!("line {number}")).collect();
    for word in &words {
        town.say(0, 1, word);
    }
    town.pass(Span::from_secs(60));
    assert!(states(&town, 0, 1).iter().all(|state| *state == MessageState::Sent));
    town.sleep(0);
    town.wake(1);
    town.pass(Span::from_secs(5));
    assert_eq!(town.heard(1, 0), words);
}

#[test]
fn thousands_of_lines_are_fetched_in_their_order() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    town.sleep(1);
    for number in 0..4_000 {
        town.say(0, 1, &format!("line {number}"));
    }
    town.pass(Span::from_secs(60));
    town.sleep(0);
    town.wake(1);
    town.pass(Span::from_secs(5));
    let of = town.conversation(1, 0);
    let row: Conversation = town.row(1, &Key::Conversation(of)).unwrap();
    assert_eq!(row.unread, 4_000);
    assert!(town.table(1, Table::SkippedKey).is_empty(), "none was overtaken for long");
    town.pass(Span::from_secs(60));
    town.sleep(1);
    town.wake(0);
    town.pass(Span::from_secs(60));
    assert!(town.hosts.values().all(|host| host.kept.is_empty()), "all is erased, lines and receipts");
}

#[test]
fn lines_of_many_days_are_fetched_in_a_minute_though_the_first_have_expired() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    town.sleep(1);
    let mut number = 0;
    for (days, count) in [(3, 150), (1, 70), (1, 300), (9, 40), (16, 2), (1, 250)] {
        town.wake(0);
        for _ in 0..count {
            number += 1;
            town.say(0, 1, &format!("line {number}"));
        }
        town.pass(Span::from_secs(60));
        town.sleep(0);
        town.pass(Span::from_days(days));
    }
    town.wake(1);
    town.pass(Span::from_secs(60));
    let heard: Vec<String> = town.heard(1, 0);
    let missed: Vec<u32> = (1..=number).filter(|number| !heard.contains(&format!("line {number}"))).collect();
    assert!(missed.iter().all(|number| *number <= 150), "{} of {number}: {missed:?}", heard.len());
}

#[test]
fn a_text_that_is_longer_than_the_usual_reply_is_fetched_too() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    let long = "a".repeat(30_000);
    never_together(&mut town, &[&long, "and a short one", &long]);
    assert_eq!(town.heard(1, 0), [&long, "and a short one", &long]);
    assert_eq!(states(&town, 0, 1), [MessageState::Delivered; 3]);
}

#[test]
fn mail_of_a_month_ago_is_found_at_the_first_look() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    town.sleep(1);
    town.say(0, 1, "long ago");
    town.pass(Span::from_secs(60));
    town.sleep(0);
    town.pass(Span::from_days(29));
    town.wake(1);
    town.pass(Span::from_secs(5));
    assert_eq!(town.heard(1, 0), ["long ago"]);
}

#[test]
fn g07_clocks_that_are_wrong_by_days_lose_no_mail() {
    for (ahead, days) in [(true, 1), (true, 2), (false, 3), (false, 29)] {
        let mut town = friends_with(&[Conduct::Honest; 3]);
        town.sleep(1);
        let now = town.now;
        town.set_clock(if ahead { now.after(Span::from_days(days)) } else { now.before(Span::from_days(days)) });
        town.say(0, 1, "what day is it?");
        town.pass(Span::from_secs(60));
        town.sleep(0);
        town.now = now.after(Span::from_secs(60));
        town.wake(1);
        town.pass(Span::from_secs(60));
        assert_eq!(town.heard(1, 0), ["what day is it?"], "{days} days, ahead: {ahead}");
    }
}

#[test]
fn an_alarm_that_rings_twice_or_a_restart_deposits_nothing_twice() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    town.sleep(1);
    town.say(0, 1, "once");
    town.pass(Span::from_secs(1));
    town.people[0].store.forget_volatile();
    town.input(0, Input::Started);
    town.pass(Span::from_secs(60));
    let kept: Vec<usize> = town.hosts.values().map(|host| host.kept.len()).collect();
    assert_eq!(kept, [1, 1, 1]);
}

#[test]
fn hosts_that_put_off_are_asked_again_when_they_said() {
    let mut town = friends_with(&[Conduct::Tarries; 3]);
    town.sleep(1);
    for word in ["one", "two", "three"] {
        town.say(0, 1, word);
    }
    town.pass(Span::from_secs(40));
    assert_eq!(states(&town, 0, 1), [MessageState::Sent; 3]);
}

#[test]
fn d04_a_host_that_always_puts_off_or_disputes_every_number_holds_nothing_up() {
    for bad in [Conduct::Defers, Conduct::Disputes] {
        let mut town = friends_with(&[bad, Conduct::Honest, Conduct::Honest]);
        town.sleep(1);
        let words: Vec<String> = (0..30).map(|number| number.to_string()).collect();
        for word in &words {
            town.say(0, 1, word);
        }
        town.pass(Span::from_secs(60));
        assert_eq!(states(&town, 0, 1), [MessageState::Sent; 30], "{bad:?}");
        let post: Post = town.row(0, &Key::Post(town.profile(1).device)).unwrap();
        assert_eq!(post.last_sent % DAY_NUMBERS, 30, "{bad:?}");
        town.sleep(0);
        town.wake(1);
        town.pass(Span::from_secs(5));
        assert_eq!(town.heard(1, 0), words, "{bad:?}");
    }
}

#[test]
fn d04_one_host_alone_makes_no_number_jump() {
    let mut town = friends_with(&[Conduct::Disputes, Conduct::Full, Conduct::Full]);
    town.sleep(1);
    town.say(0, 1, "is there room?");
    town.pass(Span::from_hours(3));
    let post = |town: &Town| town.row::<Post>(0, &Key::Post(town.profile(1).device)).unwrap();
    assert_eq!(post(&town).last_sent % DAY_NUMBERS, 1);
    for host in town.hosts.values_mut().filter(|host| host.conduct == Conduct::Full) {
        host.conduct = Conduct::Honest;
    }
    town.pass(Span::from_hours(1));
    assert_eq!((states(&town, 0, 1), post(&town).last_sent % DAY_NUMBERS), (vec![MessageState::Sent], 1));
}

#[test]
fn g04_what_an_older_copy_of_a_profile_says_is_found_behind_what_was_said_since() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    town.sleep(1);
    let older = town.people[0].store.clone();
    for word in ["one", "two", "three"] {
        town.say(0, 1, word);
    }
    town.pass(Span::from_secs(60));
    town.sleep(0);
    town.people[0].store = older;
    town.wake(0);
    town.say(0, 1, "after the older copy was put back");
    town.pass(Span::from_secs(60));
    assert_eq!(states(&town, 0, 1), [MessageState::Sent]);
    let post: Post = town.row(0, &Key::Post(town.profile(1).device)).unwrap();
    assert_eq!(post.last_sent % DAY_NUMBERS, 1_025);
    town.sleep(0);
    town.wake(1);
    town.pass(Span::from_secs(60));
    // The copy has gone another way with its session than what was said since, so only one of the two opens at once.
    let heard = town.heard(1, 0);
    assert!(heard == ["one", "two", "three"] || heard == ["after the older copy was put back"], "{heard:?}");
    let known: Post = town.row(1, &Key::Post(town.profile(0).device)).unwrap();
    assert_eq!(known.highest_seen, post.last_sent);
    a_says_again_what_is_not_receipted(&mut town);
    let after = town.heard(1, 0).into_iter().filter(|word| word == "after the older copy was put back").count();
    assert_eq!(after, 1);
}

#[test]
fn d04_rubbish_that_a_contact_leaves_under_tags_of_theirs_is_no_fault_of_the_host() {
    let mut town = friends_with(&[Conduct::Honest; 3]);
    town.sleep(1);
    let words: Vec<String> = (0..3).map(|number| number.to_string()).collect();
    for word in &words {
        town.say(0, 1, word);
    }
    town.pass(Span::from_secs(60));
    town.sleep(0);
    for host in town.hosts.values_mut() {
        host.kept.values_mut().for_each(|(blob, _)| blob.fill(7));
    }
    town.wake(1);
    town.pass(Span::from_secs(60));
    assert_eq!(town.heard(1, 0), Vec::<String>::new());
    assert_eq!(query::mailbox_hosts(&town.people[1].store).unwrap().len(), 3);
    assert!(town.hosts.values().all(|host| host.kept.is_empty()), "rubbish is erased");
    a_says_again_what_is_not_receipted(&mut town);
    assert_eq!(town.heard(1, 0), words, "and what should have been there is said once more");
}

#[test]
fn a_word_about_mailboxes_that_was_overtaken_replaces_no_newer_one() {
    let mut town = friends_with(&[Conduct::Honest; 2]);
    let offer = MailboxOffer { capacity: 1 << 20, work_bits: 0 };
    town.input(1, Input::Command(Command::ServeMailbox(Some(offer))));
    town.pass(Span::from_secs(5));
    let device = town.profile(1).device;
    let post = |town: &Town| town.row::<Post>(0, &Key::Post(device)).unwrap();
    let before = post(&town);
    assert_eq!((before.hosts.len(), before.serves.is_some()), (2, true));
    let overtaken = before.hosts_version.min(before.serving_version) - 1;
    let say = |town: &mut Town, version| {
        let key = GroupElement::new([1; 32]);
        for body in [
            Body::Mailboxes(Mailboxes { hosts: vec![card(9)], tokens: Vec::new(), version }),
            Body::Serving(Serving { host: None, epoch: 0, key, version }),
        ] {
            let content = town.content(1, 0, 0, body);
            let payload = town.forge(1, 0, &content);
            assert!(town.receive(0, peer(1), FrameKind::Payload, payload).rejections.is_empty());
        }
    };
    say(&mut town, overtaken);
    let known = post(&town);
    assert_eq!((known.hosts, known.serves), (before.hosts.clone(), before.serves.clone()));
    say(&mut town, before.hosts_version.max(before.serving_version) + 1);
    let known = post(&town);
    assert_eq!((known.hosts, known.serves), (vec![card(9)], None));
}

#[test]
fn full_mailboxes_keep_the_line_here_and_it_goes_when_there_is_room() {
    let mut town = friends_with(&[Conduct::Full, Conduct::Full]);
    town.sleep(1);
    town.say(0, 1, "is there room?");
    town.pass(Span::from_secs(600));
    assert_eq!(states(&town, 0, 1), [MessageState::Queued]);
    assert!(town.contact(0, 1).unwrap().mailbox_full);
    let told = |town: &Town| {
        let events = query::events_after(&town.people[0].store, 0, 1_000).unwrap().events;
        events.iter().filter(|(_, event)| matches!(event, Event::ContactChanged(_))).count()
    };
    let before = told(&town);
    for host in town.hosts.values_mut() {
        host.conduct = Conduct::Honest;
    }
    town.pass(Span::from_secs(3_600));
    assert_eq!(states(&town, 0, 1), [MessageState::Sent]);
    assert!(!town.contact(0, 1).unwrap().mailbox_full);
    assert_eq!(told(&town), before + 1);
}

#[test]
fn a_line_that_no_host_took_is_numbered_anew_on_another_day() {
    let mut town = friends_with(&[Conduct::Full, Conduct::Full]);
    town.sleep(1);
    town.say(0, 1, "of the first day");
    let post = |town: &Town| town.row::<Post>(0, &Key::Post(town.profile(1).device)).unwrap();
    let day_of = |town: &Town| post(town).last_sent / DAY_NUMBERS - town.now.as_millis() / 86_400_000;
    town.pass(Span::from_secs(60));
    assert_eq!(day_of(&town), 0);
    town.pass(Span::from_days(3));
    for host in town.hosts.values_mut() {
        host.conduct = Conduct::Honest;
    }
    town.pass(Span::from_secs(3_600));
    assert_eq!((states(&town, 0, 1), day_of(&town)), (vec![MessageState::Sent], 0));
    town.sleep(0);
    town.wake(1);
    town.pass(Span::from_secs(60));
    assert_eq!(town.heard(1, 0), ["of the first day"]);
}

#[test]
fn g03_mail_that_needs_a_damaged_record_stays_at_its_hosts_and_the_rest_comes() {
    let mut town = Town::of_friends(3);
    for number in 0..3 {
        town.hosts.insert(HOSTS + number, MailboxHost::default());
        for who in 0..3 {
            town.input(who, Input::Command(Command::AddMailbox(MailboxChoice::Host(card(number)))));
        }
    }
    town.pass(Span::from_secs(30));
    town.sleep(2);
    town.say(0, 2, "from Anna");
    town.say(1, 2, "from Bea");
    town.pass(Span::from_secs(60));
    town.sleep(0);
    town.sleep(1);
    let device = town.device(2, 0);
    let session = Key::Session(device.device, device.sessions[0].session);
    town.torn = true;
    town.people[2].damaged.insert(session);
    town.wake(2);
    town.pass(Span::from_secs(60));
    assert_eq!((town.heard(2, 0), town.heard(2, 1)), (vec![], vec!["from Bea".to_owned()]));
    town.people[2].damaged.clear();
    town.pass(Span::from_days(1));
    assert_eq!(town.heard(2, 0), ["from Anna"]);
}

#[test]
fn only_five_hosts_can_be_named_and_none_twice() {
    let mut town = Town::of_friends(2);
    let add = |number| Input::Command(Command::AddMailbox(MailboxChoice::Host(card(number))));
    for number in [0, 1, 2, 3, 4, 0, 4] {
        town.input(0, add(number));
    }
    let refusal = town.try_input(0, add(5)).unwrap_err();
    assert_eq!(refusal.code(), "too_many_mailboxes");
    let own = Host { peer: peer(0), ..card(0) };
    let refusal = town.try_input(0, Input::Command(Command::AddMailbox(MailboxChoice::Host(own)))).unwrap_err();
    assert_eq!(refusal.code(), "own_mailbox");
    town.input(0, Input::Command(Command::RemoveMailbox(peer(HOSTS))));
    let refusal = town.try_input(0, Input::Command(Command::RemoveMailbox(peer(HOSTS)))).unwrap_err();
    assert_eq!(refusal.code(), "unknown_mailbox");
    let bea = town.people[1].identity;
    let refusal = town.try_input(0, Input::Command(Command::AddMailbox(MailboxChoice::Contact(bea)))).unwrap_err();
    assert_eq!(refusal.code(), "not_serving");
    assert_eq!(town.row::<Hosts>(0, &Key::Hosts).unwrap().hosts.len(), 4);
}

#[test]
fn an_answer_to_nothing_changes_nothing() {
    let mut town = friends_with(&[Conduct::Honest]);
    let before = town.kept(0);
    for report in [
        Report::Answered(kinfolk_engine::effect::RequestId(u64::MAX), vec![0]),
        Report::Unanswered(kinfolk_engine::effect::RequestId(0)),
    ] {
        town.input(0, Input::Network(report));
    }
    assert_eq!(town.kept(0), before);
}
