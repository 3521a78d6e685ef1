//! Contacts that lie about who and where they are: two people with one device, a device more, another's node.

use ed25519_dalek::SigningKey;
use kinfolk_crypto::label::Label;
use kinfolk_crypto::sign::sign;
use kinfolk_crypto::{DeviceKeys, RecoveryKey, RecoveryPhrase, Sigchain};
use kinfolk_engine::event::Event;
use kinfolk_engine::input::Command;
use kinfolk_engine::store::{Changes, Contact, Device, Key, Profile};
use kinfolk_engine::{Input, Rejection, query};
use kinfolk_wire::bundle::PrekeyBundle;
use kinfolk_wire::codec::to_cbor;
use kinfolk_wire::content::{Body, NeedReinit, Reach};
use kinfolk_wire::direct::{FrameKind, Prekeys};
use kinfolk_wire::ids::{IdentityId, PeerId};
use kinfolk_wire::invite::Uses;
use kinfolk_wire::sigchain::{Change, DeviceCertificate, DeviceRole, Entry, SigchainBytes, Signed, VERSION};
use kinfolk_wire::time::Span;

use crate::town::{Town, address, peer};

/// The key with which a device signs. The stored form is docs/protocol/02's DSK seed behind a version.
fn signing_key(keys: &DeviceKeys) -> SigningKey {
    SigningKey::from_bytes(keys.to_bytes().as_slice()[1..33].try_into().unwrap())
}

fn keys(town: &Town, who: usize) -> DeviceKeys {
    DeviceKeys::from_bytes(town.profile(who).device_keys.as_slice()).unwrap()
}

/// Somebody's sigchain, with a device more that their first one certifies.
fn one_device_more(town: &mut Town, who: usize) -> SigchainBytes {
    let (first, new) = (keys(town, who), DeviceKeys::generate(&mut town.rng));
    let profile = town.profile(who);
    let payload = to_cbor(&Entry {
        version: VERSION,
        identity: profile.identity,
        sequence: 2,
        parents: vec![profile.head],
        made_at: town.now,
        author: Some(first.device()),
        change: Change::AddDevice(DeviceCertificate {
            device: new.device(),
            signing_key: new.signing_key(),
            identity_key: new.identity_key(),
            role: DeviceRole::Full,
            sealed_name: Vec::new(),
        }),
    });
    let signed = Signed {
        signature: sign(&signing_key(&first), Label::Entry, &[&payload]),
        countersignature: Some(sign(&signing_key(&new), Label::NewDevice, &[&payload])),
        payload,
    };
    let mut chain = profile.sigchain;
    chain.entries.push(signed);
    assert_eq!(Sigchain::verify(&chain).unwrap().devices().len(), 2);
    chain
}

/// Somebody gives their device a second identity, and goes by it from now on.
fn is_somebody_else_now(town: &mut Town, who: usize) {
    let recovery = RecoveryKey::from_phrase(&RecoveryPhrase::generate(&mut town.rng));
    let chain = Sigchain::found(&recovery, &keys(town, who), Vec::new(), town.now);
    let before = town.profile(who);
    let bundle = PrekeyBundle {
        identity: chain.identity(),
        sigchain_head: chain.head(),
        ..PrekeyBundle::decode(&before.bundle).unwrap()
    };
    let signature = sign(&signing_key(&keys(town, who)), Label::Bundle, &[&bundle.signed_bytes()]);
    let profile = Profile {
        identity: chain.identity(),
        head: chain.head(),
        sigchain: chain.to_wire(),
        bundle: PrekeyBundle { signature, ..bundle }.encode(),
        ..before
    };
    let mut changes = Changes::default();
    changes.put(Key::Profile, profile.into());
    for (key, _) in town.table(who, kinfolk_engine::store::Table::Contact) {
        changes.delete(key);
    }
    town.people[who].store.commit(&changes);
    town.people[who].identity = chain.identity();
}

fn resets(town: &Town, who: usize) -> usize {
    let events = query::events_after(&town.people[who].store, 0, 1_000).unwrap().events;
    events.iter().filter(|(_, event)| matches!(event, Event::SessionReset(_))).count()
}

#[test]
fn b07_a_device_that_one_person_has_makes_nobody_else_of_another() {
    // Whoever asks.
    let mut town = Town::of_friends(3);
    let (first, device) = (town.people[2].identity, town.profile(2).device);
    is_somebody_else_now(&mut town, 2);
    let second = town.people[2].identity;
    let link = town.link(0, Uses::Many);
    let before = town.row::<Device>(0, &Key::Device(device)).unwrap();
    town.ask(2, &link);
    town.pass(Span::from_secs(60));
    let known = |town: &Town, who: IdentityId| town.row::<Contact>(0, &Key::Contact(who));
    assert!(known(&town, second).is_none() && known(&town, first).is_some());
    let after = town.row::<Device>(0, &Key::Device(device)).unwrap();
    assert_eq!((after.identity, after.sessions.len()), (first, before.sessions.len()));

    // Whoever is asked.
    let link = town.link(2, Uses::Many);
    let command = Command::AddContact { link, name: None };
    let kept = town.kept(0);
    let refusal = town.try_input(0, Input::Command(command)).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "this invite names a device that belongs to another of your contacts; ask for a new one"
    );
    assert_eq!(town.kept(0), kept);
}

#[test]
fn b01_a_sigchain_that_grows_is_shown_and_stops_nothing() {
    let mut town = Town::of_friends(3);
    let anna = town.people[0].identity;
    town.input(1, Input::Command(Command::MarkVerified(anna, true)));
    let sigchain = one_device_more(&mut town, 0);
    let bundle = PrekeyBundle::decode(&town.profile(0).bundle).unwrap();
    let offered = Prekeys { sigchain: sigchain.clone(), bundle, one_time: None };
    let made = town.receive(1, peer(0), FrameKind::Prekeys, offered.encode());
    assert!(made.rejections.is_empty(), "{:?}", made.rejections);
    let told = query::events_after(&town.people[1].store, 0, 1_000).unwrap().events;
    assert!(matches!(told.last(), Some((_, Event::ContactChanged(who))) if *who == anna));
    assert!(town.contact(1, 0).unwrap().verified, "the safety number is that of the person");
    // Nothing that goes through all devices stumbles over one that has not been heard of.
    town.say(1, 0, "to the one that was there");
    town.pass(Span::from_hours(3));
    town.sleep(1);
    town.wake(1);
    town.pass(Span::from_secs(600));
    town.say(1, 2, "and to Cora");
    town.say(0, 1, "and back");
    town.pass(Span::from_secs(60));
    assert_eq!(town.heard(0, 1), ["to the one that was there"]);
    assert_eq!((town.heard(2, 1), town.heard(1, 0)), (vec!["and to Cora".to_owned()], vec!["and back".to_owned()]));
    for command in [Command::Block(anna), Command::Unblock(anna), Command::RemoveContact(anna)] {
        town.input(1, Input::Command(command));
    }
    assert!(town.contact(1, 0).is_none());

    // The same where somebody comes with it by a link.
    let mut town = Town::of_strangers(2);
    let sigchain = one_device_more(&mut town, 0);
    let profile = Profile { head: Sigchain::verify(&sigchain).unwrap().head(), sigchain, ..town.profile(0) };
    let mut changes = Changes::default();
    changes.put(Key::Profile, profile.into());
    town.people[0].store.commit(&changes);
    let link = town.link(1, Uses::Once);
    town.ask(0, &link);
    town.pass(Span::from_secs(60));
    town.say(1, 0, "welcome");
    town.pass(Span::from_hours(3));
    town.sleep(1);
    town.wake(1);
    town.pass(Span::from_secs(60));
    assert_eq!(town.heard(0, 1), ["welcome"]);
}

#[test]
fn b07_nobody_says_that_they_are_at_the_node_of_another() {
    let mut town = Town::of_friends(3);
    let (bea, cora) = (town.profile(1).device, town.device(0, 2));
    let reach = Reach { peer: peer(1), addresses: vec![address(2)] };
    let content = town.content(2, 0, 0, Body::Reach(reach));
    let payload = town.forge(2, 0, &content);
    let made = town.receive(0, peer(2), FrameKind::Payload, payload);
    assert_eq!(made.rejections, [Rejection::Misplaced]);
    assert_eq!(town.row(0, &Key::Peer(peer(1))), Some(bea));
    assert_eq!(town.device(0, 2).peer, cora.peer);
    // Blocking the liar hangs up on them and on nobody else.
    town.input(0, Input::Command(Command::Block(town.people[2].identity)));
    assert_eq!(town.row::<PeerId>(0, &Key::LinkOf(bea)), Some(peer(1)));
    // Where they themselves are, they may say.
    let mut town = Town::of_friends(3);
    let content = town.content(2, 0, 0, Body::Reach(Reach { peer: peer(2), addresses: vec![address(7)] }));
    let payload = town.forge(2, 0, &content);
    assert!(town.receive(0, peer(2), FrameKind::Payload, payload).rejections.is_empty());
    assert_eq!(town.device(0, 2).addresses, [address(7)]);
}

#[test]
fn a_contact_that_asks_to_start_anew_without_end_fills_no_log() {
    let mut town = Town::of_friends(2);
    for _ in 0..50 {
        let content = town.content(1, 0, 0, Body::NeedReinit(NeedReinit { digests: Vec::new() }));
        let payload = town.forge(1, 0, &content);
        assert!(town.receive(0, peer(1), FrameKind::Payload, payload).rejections.is_empty());
    }
    assert_eq!(resets(&town, 0), 1);
    town.pass(Span::from_secs(61));
    let content = town.content(1, 0, 0, Body::NeedReinit(NeedReinit { digests: Vec::new() }));
    let payload = town.forge(1, 0, &content);
    town.receive(0, peer(1), FrameKind::Payload, payload);
    assert_eq!(resets(&town, 0), 2);
    town.input(0, Input::Command(Command::Block(town.people[1].identity)));
}

#[test]
fn a17_both_are_told_when_a_session_begins_anew() {
    let mut town = Town::of_friends(2);
    town.receive(1, peer(0), FrameKind::Payload, vec![kinfolk_wire::envelope::INIT; 900]);
    town.pass(Span::from_secs(5));
    assert_eq!([resets(&town, 0), resets(&town, 1)], [1, 1]);
}
