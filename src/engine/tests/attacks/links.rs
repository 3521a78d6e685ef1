//! Invite links: altered, expired, used again, one's own; and what whoever comes by them is told.

use kinfolk_crypto::{InviteSecret, open_invite};
use kinfolk_engine::input::{Command, Report};
use kinfolk_engine::store::{Contact, ContactState, Key, Table};
use kinfolk_engine::{Effect, Input, Refusal};
use kinfolk_wire::direct::{FrameKind, NackCode, Role};
use kinfolk_wire::ids::MessageId;
use kinfolk_wire::invite::{InviteLink, Uses};
use kinfolk_wire::time::Span;

use crate::town::{STRANGER, Town, address, peer, secret, text};

fn try_ask(town: &mut Town, who: usize, link: &InviteLink) -> Result<(), Refusal> {
    let command = Command::AddContact { link: link.clone(), name: None };
    town.try_input(who, Input::Command(command)).map(|_| ())
}

fn state(town: &Town, who: usize, other: usize) -> Option<ContactState> {
    town.contact(who, other).map(|contact| contact.state)
}

#[test]
fn b05_an_altered_link_makes_nobody_ask() {
    let mut town = Town::of_strangers(2);
    let link = town.link(0, Uses::Once).to_string();
    let before = town.kept(1);
    let mut read = 0;
    for at in "kinfolk:".len()..link.len() {
        let mut altered = link.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let Ok(altered) = String::from_utf8(altered).unwrap().parse::<InviteLink>() else { continue };
        read += 1;
        let refusal = try_ask(&mut town, 1, &altered).unwrap_err();
        assert_eq!(refusal.code(), "invalid_invite", "character {at}: {refusal}");
    }
    assert!(read > 400, "only {read} were read as links at all");
    assert_eq!(town.kept(1), before);
}

#[test]
fn whoever_has_not_agreed_is_written_to_by_nobody_and_that_is_what_is_said() {
    let mut town = Town::of_strangers(3);
    let link = town.link_for(0, Uses::Once, Span::from_hours(1));
    town.sleep(0);
    town.ask(1, &link);
    let code = |town: &mut Town, other: usize| {
        let conversation = town.conversation(1, other);
        let before = town.kept(1);
        let all = [
            Command::SendMessage { id: None, conversation, body: text("hello?") },
            Command::MarkRead(conversation, MessageId::new([1; 16])),
            Command::AllowReadReceipts(conversation, true),
        ];
        let codes = all.map(|command| town.try_input(1, Input::Command(command)).unwrap_err().code());
        assert_eq!(town.kept(1), before);
        codes
    };
    assert_eq!(code(&mut town, 0), ["not_accepted"; 3]);
    assert_eq!(code(&mut town, 2), ["unknown_chat"; 3]);
    town.pass(Span::from_hours(2));
    assert_eq!(code(&mut town, 0), ["declined"; 3]);
    let anna = town.people[0].identity;
    town.input(1, Input::Command(Command::RemoveContact(anna)));
    assert_eq!(code(&mut town, 0), ["unknown_contact"; 3]);
}

#[test]
fn b05_an_expired_link_and_ones_own_ask_nobody() {
    let mut town = Town::of_strangers(2);
    let link = town.link_for(0, Uses::Many, Span::from_hours(1));
    assert!(matches!(try_ask(&mut town, 0, &link), Err(Refusal::OwnInvite)));
    town.pass(Span::from_hours(1));
    let before = town.kept(1);
    assert!(matches!(try_ask(&mut town, 1, &link), Err(Refusal::InviteExpired)));
    assert_eq!(town.kept(1), before);
}

#[test]
fn b05_a_request_that_is_under_way_when_its_link_expires_comes_to_an_end() {
    let mut town = Town::of_strangers(2);
    let link = town.link_for(0, Uses::Many, Span::from_hours(1));
    town.sleep(0);
    town.ask(1, &link);
    town.pass(Span::from_hours(2));
    town.wake(0);
    town.pass(Span::from_hours(1));
    assert_eq!(state(&town, 1, 0), Some(ContactState::Declined));
    assert!(town.contact(0, 1).is_none());
    assert!(town.table(1, Table::Asking).is_empty());
}

#[test]
fn b05_a_link_for_one_person_lets_in_the_first() {
    let mut town = Town::of_strangers(3);
    let link = town.link(0, Uses::Once);
    town.ask(1, &link);
    town.pass(Span::from_secs(5));
    let before = town.settled(0);
    town.ask(2, &link);
    town.pass(Span::from_secs(60));
    assert_eq!(state(&town, 2, 0), Some(ContactState::Declined));
    assert_eq!(town.settled(0), before);
    assert_eq!(state(&town, 0, 1), Some(ContactState::Accepted));
}

#[test]
fn b05_of_two_that_come_by_a_link_for_one_at_the_same_time_one_is_let_in() {
    let mut town = Town::of_strangers(3);
    let link = town.link(0, Uses::Once);
    town.ask(1, &link);
    town.ask(2, &link);
    town.pass(Span::from_secs(60));
    let in_by = |who: usize| town.contact(0, who).is_some_and(|contact| contact.state == ContactState::Accepted);
    assert_eq!(usize::from(in_by(1)) + usize::from(in_by(2)), 1);
    assert_eq!(town.sent(0, 1, FrameKind::Prekeys).len().min(1) + town.sent(0, 2, FrameKind::Prekeys).len().min(1), 2);
    let states = [state(&town, 1, 0), state(&town, 2, 0)];
    assert!(states.contains(&Some(ContactState::Accepted)) && states.contains(&Some(ContactState::Declined)));
}

#[test]
fn b05_the_refusal_of_one_link_says_nothing_about_the_next() {
    let mut town = Town::of_strangers(3);
    let (spent, good) = (town.link(0, Uses::Once), town.link(0, Uses::Once));
    town.ask(2, &spent);
    town.pass(Span::from_secs(5));
    town.ask(1, &spent);
    let end = town.now.after(Span::from_secs(5));
    let is_refused = |(who, report): &(usize, Report)| *who == 1 && matches!(report, Report::Refused(..));
    while !town.reports.iter().any(is_refused) {
        assert!(town.step(end));
    }
    // The answer to the first is still under way when she tries the second.
    town.ask(1, &good);
    town.pass(Span::from_secs(60));
    assert_eq!(state(&town, 1, 0), Some(ContactState::Accepted));
}

#[test]
fn b05_a_link_for_many_lets_in_all_who_come_in_time() {
    let mut town = Town::of_strangers(4);
    let link = town.link_for(0, Uses::Many, Span::from_hours(1));
    for guest in [1, 2] {
        town.ask(guest, &link);
        town.pass(Span::from_secs(60));
        assert_eq!(state(&town, 0, guest), Some(ContactState::Accepted));
        assert_eq!(state(&town, guest, 0), Some(ContactState::Accepted));
    }
    town.pass(Span::from_hours(1));
    assert!(matches!(try_ask(&mut town, 3, &link), Err(Refusal::InviteExpired)));
}

#[test]
fn b05_whoever_comes_by_no_good_link_is_told_the_same() {
    let mut town = Town::of_strangers(2);
    let spent = town.link(0, Uses::Once);
    town.ask(1, &spent);
    town.pass(Span::from_secs(60));
    let expired = town.link_for(0, Uses::Many, Span::from_secs(1));
    let free = town.link(0, Uses::Many);
    town.pass(Span::from_secs(60));
    let knocks = [
        ("spent", secret(&spent).knock(&mut town.rng, &STRANGER, &peer(0))),
        ("expired", secret(&expired).knock(&mut town.rng, &STRANGER, &peer(0))),
        ("unknown", InviteSecret::new([5; 16]).knock(&mut town.rng, &STRANGER, &peer(0))),
        ("of another connection", secret(&free).knock(&mut town.rng, &peer(1), &peer(0))),
        ("turned round", secret(&free).knock(&mut town.rng, &peer(0), &STRANGER)),
    ];
    let before = town.settled(0);
    for (why, knock) in knocks {
        town.stranger_comes(0, STRANGER);
        let made = town.receive(0, STRANGER, FrameKind::Knock, knock.encode());
        assert!(matches!(made.effects.as_slice(), [Effect::Refuse(_, NackCode::Refused)]), "{why}: {:?}", made.effects);
        town.pass(Span::from_secs(60));
        town.input(0, Input::Network(Report::Disconnected(STRANGER)));
    }
    assert_eq!(town.settled(0), before);
}

#[test]
fn b05_whoever_is_blocked_is_told_what_a_stranger_is_told() {
    let mut town = Town::of_friends(2);
    let free = town.link(0, Uses::Many);
    town.input(0, Input::Command(Command::Block(town.people[1].identity)));
    town.pass(Span::from_secs(1));
    let before = town.settled(0);
    for with in [secret(&free), InviteSecret::new([5; 16])] {
        let made = town.knock(0, peer(1), &with);
        assert!(matches!(made.effects.as_slice(), [Effect::Refuse(_, NackCode::Refused)]), "{:?}", made.effects);
    }
    assert_eq!(town.settled(0), before);
}

#[test]
fn b05_a_link_of_before_they_were_removed_brings_nobody_back_unasked_and_a_new_one_does() {
    for uses in [Uses::Once, Uses::Many] {
        let mut town = Town::of_strangers(2);
        let first = town.link(0, uses);
        town.ask(1, &first);
        town.pass(Span::from_secs(5));
        let bea = town.people[1].identity;
        // A link that they have from when they were a contact.
        let old = town.link(0, uses);
        town.pass(Span::from_secs(5));
        town.input(0, Input::Command(Command::MarkVerified(bea, true)));
        town.input(0, Input::Command(Command::RemoveContact(bea)));
        for gone in [Table::Device, Table::Peer, Table::Session, Table::SkippedKey, Table::Outbox] {
            assert!(town.table(0, gone).is_empty(), "{gone:?}");
        }
        town.pass(Span::from_secs(60));
        let anna = town.people[0].identity;
        town.input(1, Input::Command(Command::RemoveContact(anna)));
        town.ask(1, &old);
        town.pass(Span::from_secs(60));
        assert_eq!(state(&town, 0, 1), Some(ContactState::Asking), "{uses:?}");
        assert!(!town.row::<Contact>(0, &Key::Contact(bea)).unwrap().verified, "the number is to be compared again");
        town.input(0, Input::Command(Command::RemoveContact(bea)));
        town.input(1, Input::Command(Command::RemoveContact(anna)));
        town.pass(Span::from_secs(60));
        let new = town.link(0, uses);
        town.ask(1, &new);
        town.pass(Span::from_secs(60));
        assert_eq!(state(&town, 0, 1), Some(ContactState::Accepted), "{uses:?}");
        assert_eq!(state(&town, 1, 0), Some(ContactState::Accepted), "{uses:?}");
    }
}

#[test]
fn b05_a_first_message_that_is_repeated_after_its_sender_was_removed_leaves_no_trace() {
    let mut town = Town::of_strangers(2);
    let link = town.link(0, Uses::Many);
    town.ask(1, &link);
    town.pass(Span::from_secs(5));
    let (_, chain) = town.sent(1, 0, FrameKind::Chain).pop().unwrap();
    town.input(0, Input::Command(Command::RemoveContact(town.people[1].identity)));
    town.pass(Span::from_secs(60));
    town.knock(0, peer(1), &secret(&link));
    let before = town.kept(0);
    let made = town.receive(0, peer(1), FrameKind::Chain, chain);
    assert!(matches!(made.effects.as_slice(), [Effect::Refuse(_, NackCode::Refused)]), "{:?}", made.effects);
    assert_eq!(town.kept(0), before);
}

#[test]
fn an_address_that_is_gone_stands_in_no_invite_and_is_told_to_no_contact() {
    let mut town = Town::of_friends(2);
    town.input(0, Input::Network(Report::Listening(address(50))));
    town.input(0, Input::Network(Report::NotListening(address(0))));
    town.input(0, Input::Network(Report::NotListening(address(51))));
    town.pass(Span::from_secs(5));
    let link = town.link(0, Uses::Many);
    assert_eq!(open_invite(&link).unwrap().invite.addresses, [address(50)]);
    assert_eq!(town.device(1, 0).addresses, [address(50)]);
    town.effects.clear();
    town.disconnect(0, 1);
    town.pass(Span::from_secs(60));
    assert!(town.sent(0, 1, FrameKind::Payload).is_empty(), "what they know is not told again");
    // What has changed is told when the link is there again.
    town.disconnect(0, 1);
    town.input(0, Input::Network(Report::NotListening(address(50))));
    town.input(0, Input::Network(Report::Listening(address(52))));
    town.pass(Span::from_secs(60));
    assert_eq!(town.device(1, 0).addresses.last(), Some(&address(52)));
    assert!(!town.device(1, 0).addresses.contains(&address(50)));
}

#[test]
fn d14_the_network_is_told_who_is_a_contact_and_who_is_not_any_more() {
    let mut town = Town::of_strangers(3);
    let link = town.link(0, Uses::Many);
    town.input(0, Input::Network(Report::Connected { peer: STRANGER, role: Role::Listener, address: address(2) }));
    town.pass(Span::from_secs(5));
    assert!(town.contacts.is_empty(), "strangers: {:?}", town.contacts);
    town.ask(1, &link);
    town.pass(Span::from_secs(60));
    assert_eq!((town.contacts.get(&(0, 1)), town.contacts.get(&(1, 0))), (Some(&true), Some(&true)));
    // A node that starts again knows at once, before anybody has said hello.
    town.contacts.clear();
    town.input(0, Input::Started);
    assert_eq!(town.contacts.get(&(0, 1)), Some(&true));
    town.input(0, Input::Command(Command::Block(town.people[1].identity)));
    assert_eq!(town.contacts.get(&(0, 1)), Some(&false));
    town.pass(Span::from_secs(60));
    assert_eq!(town.contacts.get(&(0, 1)), Some(&false), "whoever is blocked does not come back by saying hello");
    town.input(0, Input::Command(Command::Unblock(town.people[1].identity)));
    town.pass(Span::from_secs(600));
    assert_eq!(town.contacts.get(&(0, 1)), Some(&true));
    town.input(0, Input::Command(Command::RemoveContact(town.people[1].identity)));
    assert_eq!(town.contacts.get(&(0, 1)), Some(&false));
    assert!(!town.contacts.contains_key(&(0, 2)));
}

#[test]
fn whoever_is_turned_away_dials_ever_more_rarely() {
    let mut town = Town::of_friends(2);
    town.input(0, Input::Command(Command::Block(town.people[1].identity)));
    town.pass(Span::from_secs(600));
    town.effects.clear();
    town.pass(Span::from_hours(2));
    let dials = town.effects.iter().filter(|(who, effect)| *who == 1 && matches!(effect, Effect::Dial { .. })).count();
    assert!((5..40).contains(&dials), "{dials} times in two hours");
    town.input(0, Input::Command(Command::Unblock(town.people[1].identity)));
    town.say(1, 0, "again?");
    town.pass(Span::from_secs(600));
    assert_eq!(town.heard(0, 1), ["again?"]);
}

#[test]
fn b05_a_chain_without_a_knock_on_its_own_connection_is_refused() {
    let mut town = Town::of_strangers(2);
    let link = town.link(0, Uses::Many);
    town.ask(1, &link);
    let end = town.now.after(Span::from_secs(5));
    let chain = loop {
        if let Some((0, Report::Received { kind: FrameKind::Chain, body, .. })) = town.reports.front().cloned() {
            break body;
        }
        assert!(town.step(end));
    };
    // Its maker knocked, but on a stream that is gone.
    let mut aside = town.clone();
    aside.input(0, Input::Network(Report::Disconnected(peer(1))));
    let report = Report::Connected { peer: peer(1), role: Role::Listener, address: address(1) };
    aside.input(0, Input::Network(report));
    let made = aside.receive(0, peer(1), FrameKind::Chain, chain.clone());
    assert!(matches!(made.effects.as_slice(), [Effect::Refuse(_, NackCode::Refused)]));
    assert!(aside.table(0, Table::Contact).is_empty());

    town.stranger_comes(0, STRANGER);
    let made = town.receive(0, STRANGER, FrameKind::Chain, chain.clone());
    assert!(matches!(made.effects.as_slice(), [Effect::Refuse(_, NackCode::Refused)]));
    // Nor does it serve whoever has the link too and repeats the chain of somebody else.
    town.knock(0, STRANGER, &secret(&link));
    let made = town.receive(0, STRANGER, FrameKind::Chain, chain);
    assert!(matches!(made.effects.as_slice(), [Effect::Refuse(_, NackCode::Refused)]));
    assert!(town.table(0, Table::Contact).is_empty());
    assert!(town.table(0, Table::Session).is_empty());
    town.pass(Span::from_secs(60));
    assert_eq!(state(&town, 0, 1), Some(ContactState::Accepted), "on the connection of its maker it does");
}
