//! Two people, each at home behind a router, who are never there together; a mailbox on the open internet between them.

use serde_json::json;

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

#[test]
fn people_behind_any_two_routers_who_are_never_there_together_talk_through_a_mailbox() {
    const TEST: &str = "people_behind_any_two_routers_who_are_never_there_together_talk_through_a_mailbox";
    let Some(mut world) = World::new(TEST) else { return };
    let square = world.public();
    let (hers, his) = (KINDS.map(|nat| world.home(nat)), KINDS.map(|nat| world.home(nat)));
    let ([anna, ben, _eve], _eve_runs) = meet(&square);
    let mut expected = Vec::new();
    for (at_hers, here) in hers.iter().enumerate() {
        for (at_his, there) in his.iter().enumerate() {
            let (kind, other) = (KINDS[at_hers], KINDS[at_his]);
            let [word, answer] = ["said", "answered"].map(|verb| format!("{verb} from {kind:?} to {other:?}"));

            let anna_runs = start(&anna, here, Transport::Quic, 4_001);
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

            let anna_runs = start(&anna, here, Transport::Quic, 4_001);
            wait_for_state(&anna, "Ben", &message, "delivered");
            wait_for_line(&anna, "Ben", &reply);
            wait_until_silent(&anna);
            anna_runs.interrupt();
            expected.extend([word, answer]);
        }
    }
    // The last receipt is his to fetch.
    let _ben_runs = start(&ben, &his[0], Transport::Quic, 4_001);
    look_until("the last receipt", || ben.json(&["history", "Anna", "--last", "1"])[0]["state"] == json!("delivered"));
    expected.sort();
    assert_eq!(texts(&anna, "Ben"), expected);
    assert_eq!(texts(&ben, "Anna"), expected);
}
