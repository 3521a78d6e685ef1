//! Two people, each at home behind a router, who are never there together; a mailbox on the open internet between them.

use crate::home::{Home, Running};
use crate::people::{
    Transport, introduce, look_until, say, start, texts, wait_for_line, wait_for_state, wait_until_silent,
};
use crate::world::{Nat, Site, World};

const KINDS: [Nat; 3] = [Nat::PortRestricted, Nat::Symmetric, Nat::CarrierGrade];

/// Anna and Ben meet where Eve's node serves both as a mailbox, and go home.
fn meet(square: &Site) -> ([Home; 3], Running) {
    let homes = ["Anna", "Ben", "Eve"].map(Home::new);
    let running = [0, 1, 2].map(|at: u16| start(&homes[usize::from(at)], square, Transport::Quic, 4_001 + at));
    let [anna, ben, eve] = &homes;
    eve.json(&["mailbox", "serve", "--work-bits", "8"]);
    introduce(anna, ben);
    for home in [anna, ben] {
        introduce(eve, home);
        look_until("the mailbox", || home.run(&["mailbox", "add", "Eve"]).status.success());
    }
    homes.iter().for_each(wait_until_silent);
    let [anna_runs, ben_runs, eve_runs] = running;
    ben_runs.interrupt();
    anna_runs.interrupt();
    (homes, eve_runs)
}

/// Whoever is behind such a router talks to people behind all kinds.
fn never_there_together(test: &str, kind: Nat) {
    let Some(mut world) = World::new(test) else { return };
    let square = world.public();
    let (here, others) = (world.home(kind), KINDS.map(|nat| (nat, world.home(nat))));
    let ([anna, ben, _eve], _eve_runs) = meet(&square);
    let mut expected = Vec::new();
    for (nat, there) in &others {
        let [word, answer] = ["said", "answered"].map(|verb| format!("{verb} to somebody behind {nat:?}"));
        let anna_runs = start(&anna, &here, Transport::Quic, 4_001);
        let message = say(&anna, "Ben", &word);
        wait_for_state(&anna, "Ben", &message, "sent");
        anna_runs.interrupt();

        let ben_runs = start(&ben, there, Transport::Quic, 4_001);
        wait_for_line(&ben, "Anna", &message);
        // His receipt lies with Eve when nothing is left to say.
        wait_until_silent(&ben);
        let reply = say(&ben, "Anna", &answer);
        wait_for_state(&ben, "Anna", &reply, "sent");
        ben_runs.interrupt();

        let anna_runs = start(&anna, &here, Transport::Quic, 4_001);
        wait_for_state(&anna, "Ben", &message, "delivered");
        wait_for_line(&anna, "Ben", &reply);
        wait_until_silent(&anna);
        anna_runs.interrupt();
        expected.extend([word, answer]);
    }
    // The last receipt is his to fetch.
    let _ben_runs = start(&ben, &others[0].1, Transport::Quic, 4_001);
    let last = ben.json(&["history", "Anna", "--last", "1"]).remove(0);
    wait_for_state(&ben, "Anna", last["message"].as_str().unwrap(), "delivered");
    expected.sort();
    assert_eq!(texts(&anna, "Ben"), expected);
    assert_eq!(texts(&ben, "Anna"), expected);
}

#[test]
fn who_is_behind_a_port_restricted_router_talks_through_a_mailbox_to_people_behind_all_kinds() {
    const TEST: &str = "who_is_behind_a_port_restricted_router_talks_through_a_mailbox_to_people_behind_all_kinds";
    never_there_together(TEST, Nat::PortRestricted);
}

#[test]
fn who_is_behind_a_symmetric_router_talks_through_a_mailbox_to_people_behind_all_kinds() {
    const TEST: &str = "who_is_behind_a_symmetric_router_talks_through_a_mailbox_to_people_behind_all_kinds";
    never_there_together(TEST, Nat::Symmetric);
}

#[test]
fn who_is_behind_a_carriers_router_talks_through_a_mailbox_to_people_behind_all_kinds() {
    const TEST: &str = "who_is_behind_a_carriers_router_talks_through_a_mailbox_to_people_behind_all_kinds";
    never_there_together(TEST, Nat::CarrierGrade);
}
