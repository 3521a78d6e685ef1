//! A network that lies, and people who pretend. Scripts of the fuzz target `engine_scenario`: random ones, and those in
//! `fuzz/corpus/engine_scenario`; then scenes with a plot.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic: that is how it fails")]

#[path = "support/scenario.rs"]
mod scenario;

use kinfolk_engine::query::{self, ResolveError};
use kinfolk_engine::store::ContactState;
use kinfolk_wire::direct::FrameKind;
use proptest::collection::vec;
use proptest::prelude::*;
use scenario::{STRANGER, World};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a04_whatever_the_network_does_only_what_was_said_is_shown_and_once(script in vec(any::<u8>(), 0..480)) {
        scenario::play(&script);
    }
}

#[test]
fn on_a_calm_network_everything_that_was_said_arrives() {
    const DELIVER: [u8; 4] = [0, 0, 0, 0];
    const SAY: [[u8; 4]; 2] = [[100, 0, 0, 0], [101, 0, 0, 0]];
    let introduction = DELIVER.repeat(20);
    let talk: Vec<u8> = (0..20).flat_map(|turn| [SAY[turn % 2], DELIVER, DELIVER, DELIVER].concat()).collect();
    assert_eq!(scenario::play(&[introduction, talk].concat()), 20);
}

#[test]
fn every_committed_scenario_is_played() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/engine_scenario");
    let mut played = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        scenario::play(&std::fs::read(file.unwrap().path()).unwrap());
        played += 1;
    }
    assert!(played >= 3, "{played} scenarios in {folder}");
}

#[test]
fn b07_a_hello_of_a_contact_is_worth_nothing_on_the_connection_of_another_peer() {
    let mut world = World::new();
    world.settle();
    let bea = world.nodes[1].identity;
    assert!(query::contact(&world.nodes[0].store, bea).unwrap().unwrap().online);
    let hello = world.sent.iter().find(|flight| flight.to == 0 && flight.kind == FrameKind::Hello).cloned().unwrap();
    world.say(1);
    let message = world.flights.pop().unwrap();
    assert_eq!((message.to, message.kind), (0, FrameKind::Payload));

    world.stranger_comes(0, 9);
    world.receive(0, STRANGER, FrameKind::Hello, hello.body);
    world.receive(0, STRANGER, FrameKind::Payload, message.body.clone());
    assert!(world.nodes[0].shown.is_empty(), "a stranger's frame was shown");

    let peer = world.nodes[1].peer;
    world.receive(0, peer, FrameKind::Payload, message.body);
    assert_eq!(world.nodes[0].shown.len(), 1, "and from her own peer it is");
}

#[test]
fn b01_another_identity_under_a_contacts_name_is_another_contact() {
    let mut world = World::new();
    world.settle();
    let bea = world.nodes[1].identity;
    world.replace_bea("Bea");
    world.settle();
    let other = world.nodes[1].identity;
    let anna = &world.nodes[0].store;
    let contacts = query::contacts(anna).unwrap();
    assert_eq!(contacts.len(), 2);
    let [first, second] = [bea, other].map(|identity| query::contact(anna, identity).unwrap().unwrap());
    assert_ne!((first.identity, first.conversation), (second.identity, second.conversation));
    assert_eq!(second.state, ContactState::Accepted);
    assert!(!second.verified);
    assert!(matches!(query::resolve(anna, "Bea"), Err(ResolveError::Ambiguous { .. })), "the name alone names nobody");
}
