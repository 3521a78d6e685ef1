//! Two who become contacts by an invite and are never there together.

use kinfolk_engine::input::{Admission, Command, MailboxChoice};
use kinfolk_engine::store::{Contact, ContactState, Hosts, InviteRow, Key, MessageState, Post, PrekeyKind, Table};
use kinfolk_engine::{Answer, Input};
use kinfolk_wire::invite::{InviteLink, Uses};
use kinfolk_wire::mailbox::Host;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;

use crate::town::mailbox_host::{Conduct, MailboxHost};
use crate::town::{Town, address, peer, secret};

/// The numbers of model hosts begin here.
const HOSTS: usize = 50;

fn card(number: usize) -> Host {
    Host { peer: peer(HOSTS + number), addresses: vec![address(HOSTS + number)], work_bits: 0 }
}

/// People who do not know each other; the first has named hosts of these conducts.
fn strangers_with(count: usize, conducts: &[Conduct]) -> Town {
    let mut town = Town::of_strangers(count);
    for (number, conduct) in conducts.iter().enumerate() {
        town.hosts.insert(HOSTS + number, MailboxHost { conduct: *conduct, ..MailboxHost::default() });
        name(&mut town, 0, number);
    }
    town.pass(Span::from_secs(5));
    town
}

fn name(town: &mut Town, who: usize, host: usize) {
    town.input(who, Input::Command(Command::AddMailbox(MailboxChoice::Host(card(host)))));
}

/// Anna's link, after which she goes.
fn link_of_anna(town: &mut Town, uses: Uses) -> InviteLink {
    let link = town.link(0, uses);
    town.pass(Span::from_secs(60));
    town.sleep(0);
    link
}

/// Each is there alone for a while, in this order.
fn take_turns(town: &mut Town, turns: &[usize]) {
    for who in turns {
        town.wake(*who);
        town.pass(Span::from_hours(1));
        town.sleep(*who);
    }
}

fn state(town: &Town, who: usize, other: usize) -> Option<ContactState> {
    town.contact(who, other).map(|contact| contact.state)
}

#[test]
fn two_who_are_never_there_together_become_contacts_and_talk() {
    for bea_has_hosts in [true, false] {
        for uses in [Uses::Once, Uses::Many] {
            let mut town = strangers_with(2, &[Conduct::Honest; 3]);
            if bea_has_hosts {
                name(&mut town, 1, 0);
            }
            let link = link_of_anna(&mut town, uses);
            town.ask(1, &link);
            town.pass(Span::from_secs(60));
            assert_eq!(state(&town, 1, 0), Some(ContactState::Requested));
            town.sleep(1);
            take_turns(&mut town, &[0]);
            assert_eq!(state(&town, 0, 1), Some(ContactState::Accepted));
            town.wake(0);
            town.say(0, 1, "welcome");
            town.pass(Span::from_secs(60));
            assert_eq!(town.lines(0, 1)[0].state, MessageState::Sent);
            town.sleep(0);
            take_turns(&mut town, &[1, 0]);
            assert_eq!(state(&town, 1, 0), Some(ContactState::Accepted));
            assert_eq!(town.heard(1, 0), ["welcome"], "own hosts: {bea_has_hosts}");
            assert_eq!(town.lines(0, 1)[0].state, MessageState::Delivered);
            town.wake(1);
            town.say(1, 0, "glad to be here");
            town.pass(Span::from_secs(60));
            town.sleep(1);
            take_turns(&mut town, &[0, 1]);
            assert_eq!(town.heard(0, 1), ["glad to be here"]);
            assert_eq!(town.lines(1, 0)[1].state, MessageState::Delivered);
        }
    }
}

#[test]
fn d04_hosts_that_lie_keep_nobody_from_becoming_a_contact_while_one_in_three_is_honest() {
    for bad in Conduct::BAD {
        let mut town = strangers_with(2, &[bad, Conduct::Honest, bad]);
        let link = link_of_anna(&mut town, Uses::Once);
        name(&mut town, 1, 1);
        town.ask(1, &link);
        town.pass(Span::from_hours(1));
        town.sleep(1);
        take_turns(&mut town, &[0, 1]);
        assert_eq!([state(&town, 0, 1), state(&town, 1, 0)], [Some(ContactState::Accepted); 2], "{bad:?}");
    }
}

#[test]
fn many_who_have_one_link_all_come_and_what_they_left_is_erased() {
    let mut town = strangers_with(4, &[Conduct::Honest; 3]);
    let link = link_of_anna(&mut town, Uses::Many);
    for who in [1, 2, 3] {
        town.ask(who, &link);
    }
    town.pass(Span::from_secs(60));
    for who in [1, 2, 3] {
        town.sleep(who);
    }
    let before = town.hosts[&HOSTS].kept.len();
    take_turns(&mut town, &[0]);
    for who in [1, 2, 3] {
        assert_eq!(state(&town, 0, who), Some(ContactState::Accepted), "{who}");
    }
    // One of prekeys, three requests; then the prekeys and what Anna leaves for each.
    assert_eq!(before, 4);
    let row: InviteRow = town.row(0, &Key::Invite(secret(&link).id())).unwrap();
    assert_eq!((row.left.len(), row.spent_by, row.one_time.len()), (3, None, 0));
    let key = secret(&link).requests_key();
    for host in town.hosts.keys() {
        let kept = |day: u32, place: u64| {
            let slot = kinfolk_crypto::mailbox::Slot { host: peer(*host), day, number: place };
            town.hosts[host].kept.contains_key(&key.tag(&slot))
        };
        let today = u32::try_from(town.now.as_millis() / 86_400_000).unwrap();
        assert!((0..16).all(|place| !kept(today, place) && !kept(today - 1, place)));
    }
}

#[test]
fn b05_a_link_for_one_lets_one_in_who_comes_by_a_mailbox() {
    let mut town = strangers_with(3, &[Conduct::Honest; 3]);
    let link = link_of_anna(&mut town, Uses::Once);
    let is_one_time = |key: &Key| matches!(key, Key::Prekey(PrekeyKind::OneTime, _));
    let one_time = town.table(0, Table::Prekey).iter().filter(|(key, _)| is_one_time(key)).count();
    assert_eq!(one_time, 1, "the same pair lies at every host");
    for who in [1, 2] {
        town.ask(who, &link);
        town.pass(Span::from_secs(60));
        town.sleep(who);
    }
    take_turns(&mut town, &[0, 1, 2]);
    let states = [1, 2].map(|who| state(&town, 0, who));
    assert!(states == [Some(ContactState::Accepted), None] || states == [None, Some(ContactState::Accepted)]);
    let row: InviteRow = town.row(0, &Key::Invite(secret(&link).id())).unwrap();
    assert!(row.spent_by.is_some() && !row.one_time.is_empty());
}

#[test]
fn whoever_is_asked_first_says_yes_or_no_when_they_are_there() {
    for yes in [true, false] {
        let mut town = strangers_with(2, &[Conduct::Honest; 3]);
        let command =
            Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(9), admission: Admission::Ask };
        let Answer::Invite(link) = town.input(0, Input::Command(command)).answer else { panic!("no link") };
        town.pass(Span::from_secs(60));
        town.sleep(0);
        town.ask(1, &link);
        town.pass(Span::from_secs(60));
        town.sleep(1);
        take_turns(&mut town, &[0]);
        assert_eq!(state(&town, 0, 1), Some(ContactState::Asking));
        let bea = town.people[1].identity;
        let answer = if yes { Command::AcceptContact(bea) } else { Command::DeclineContact(bea) };
        town.wake(0);
        town.input(0, Input::Command(answer));
        town.pass(Span::from_secs(60));
        town.sleep(0);
        take_turns(&mut town, &[1]);
        let expected = if yes { ContactState::Accepted } else { ContactState::Declined };
        assert_eq!(state(&town, 1, 0), Some(expected));
    }
}

#[test]
fn who_left_a_request_and_then_meets_the_maker_is_let_in_once() {
    let mut town = strangers_with(2, &[Conduct::Honest; 3]);
    let link = link_of_anna(&mut town, Uses::Once);
    town.ask(1, &link);
    town.pass(Span::from_secs(60));
    town.wake(0);
    town.pass(Span::from_hours(2));
    assert_eq!([state(&town, 0, 1), state(&town, 1, 0)], [Some(ContactState::Accepted); 2]);
    town.say(0, 1, "there you are");
    town.pass(Span::from_secs(5));
    assert_eq!(town.heard(1, 0), ["there you are"]);
    assert_eq!(town.lines(0, 1)[0].state, MessageState::Delivered);
    // Bea has no hosts of her own until she names one; then Anna is told so.
    let hosts = |town: &Town| town.row::<Post>(0, &Key::Post(town.profile(1).device)).unwrap().hosts;
    assert_eq!(hosts(&town), [card(0), card(1), card(2)]);
    name(&mut town, 1, 2);
    town.pass(Span::from_secs(5));
    assert_eq!(hosts(&town), [card(2)]);
    town.sleep(0);
    town.sleep(1);
    town.pass(Span::from_days(61));
    town.wake(1);
    town.pass(Span::from_secs(60));
    let own: Hosts = town.row(1, &Key::Hosts).unwrap();
    assert_eq!((own.hosts.len(), own.borrowed.len()), (1, 0));
}

#[test]
fn b07_a_request_that_names_the_node_of_another_is_not_taken() {
    let mut town = strangers_with(3, &[Conduct::Honest; 3]);
    let direct = town.link(0, Uses::Once);
    town.ask(2, &direct);
    town.pass(Span::from_secs(5));
    let link = link_of_anna(&mut town, Uses::Once);
    // Bea says that her node is Cora's.
    let mut changes = kinfolk_engine::store::Changes::default();
    let claimed = kinfolk_engine::store::Profile { peer: peer(2), ..town.profile(1) };
    changes.put(Key::Profile, claimed.into());
    town.people[1].store.commit(&changes);
    town.ask(1, &link);
    town.pass(Span::from_secs(60));
    town.sleep(1);
    take_turns(&mut town, &[0]);
    assert_eq!(state(&town, 0, 1), None);
    assert_eq!(town.row(0, &Key::Peer(peer(2))), Some(town.profile(2).device));
}

#[test]
fn prekeys_are_left_anew_when_they_change_and_not_for_what_is_over() {
    let mut town = strangers_with(1, &[Conduct::Honest]);
    let lasting = town.link(0, Uses::Many);
    let short = town.link_for(0, Uses::Once, Span::from_hours(1));
    town.pass(Span::from_secs(60));
    assert_eq!(town.hosts[&HOSTS].kept.len(), 2);
    let row = |town: &Town, link: &InviteLink| town.row::<InviteRow>(0, &Key::Invite(secret(link).id()));
    let first = row(&town, &lasting).unwrap().left;
    town.pass(Span::from_days(8));
    let second = row(&town, &lasting).unwrap().left;
    assert_ne!(first[0].bundle, second[0].bundle);
    assert_eq!((second.len(), town.hosts[&HOSTS].kept.len()), (1, 3));
    assert_eq!(row(&town, &short), None);
}

#[test]
fn d15_rubbish_in_the_places_of_requests_hurts_nobody_and_is_erased() {
    let mut town = strangers_with(2, &[Conduct::Honest; 3]);
    let link = link_of_anna(&mut town, Uses::Many);
    let day = u32::try_from(town.now.as_millis() / 86_400_000).unwrap();
    let key = secret(&link).requests_key();
    for number in 0..3 {
        for place in 0..15 {
            let slot = kinfolk_crypto::mailbox::Slot { host: peer(HOSTS + number), day, number: place };
            let blob = if place % 2 == 0 { key.seal(&slot, b"no chain").unwrap() } else { vec![7; 512] };
            let digest = kinfolk_crypto::kdf::sha256(&[&key.erasure(&slot).key]);
            town.hosts.get_mut(&(HOSTS + number)).unwrap().kept.insert(key.tag(&slot), (blob, digest));
        }
    }
    town.ask(1, &link);
    town.pass(Span::from_secs(60));
    town.sleep(1);
    take_turns(&mut town, &[0, 1]);
    assert_eq!([state(&town, 0, 1), state(&town, 1, 0)], [Some(ContactState::Accepted); 2]);
    let hosts: Hosts = town.row(0, &Key::Hosts).unwrap();
    assert_eq!(hosts.hosts.len(), 3, "no host is to blame");
    // What is left: prekeys, and what the two have left for each other.
    assert!(town.hosts.values().all(|host| host.kept.len() <= 3), "rubbish is erased");
}

#[test]
fn d15_one_invite_fills_its_request_box_and_no_other() {
    let mut town = strangers_with(2, &[Conduct::Honest]);
    let command = |admission| Command::CreateInvite { uses: Uses::Many, lifetime: Span::from_days(9), admission };
    let link = |town: &mut Town| {
        let made = town.input(0, Input::Command(command(Admission::Ask))).answer;
        let Answer::Invite(link) = made else { panic!("no link") };
        link
    };
    let (leaked, other) = (link(&mut town), link(&mut town));
    // As many as one invite may hold have asked by the first.
    let invite = secret(&leaked).id();
    let mut changes = kinfolk_engine::store::Changes::default();
    let asking = |number: u8| {
        let identity = kinfolk_wire::ids::IdentityId::new([number; 32]);
        let (name, head) = (Name::new("Eve").unwrap(), kinfolk_wire::ids::SigchainHead::new([0; 32]));
        let contact = Contact {
            identity,
            name: name.clone(),
            own_name: Some(name),
            state: ContactState::Asking,
            blocked: false,
            verified: false,
            sigchain: None,
            devices: Vec::new(),
            added_at: town.now,
            last_seen: None,
            invite: Some(invite),
            head,
        };
        (Key::Contact(identity), contact)
    };
    for number in 0..64 {
        let (key, contact) = asking(number);
        changes.put(key, contact.into());
    }
    town.people[0].store.commit(&changes);
    town.ask(1, &leaked);
    town.pass(Span::from_secs(60));
    assert_eq!(state(&town, 0, 1), None);
    assert_eq!(state(&town, 1, 0), Some(ContactState::Declined));
    town.ask(1, &other);
    town.pass(Span::from_secs(60));
    assert_eq!(state(&town, 0, 1), Some(ContactState::Asking));
}
