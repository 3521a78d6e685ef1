//! Two people at home who are there together: over a contact that relays, and straight from there where their routers
//! let them.
//!
//! `KINFOLK_LAB_TRIES=20` tries each kind of router so often.

use std::path::Path;
use std::time::Instant;

use crate::home::{Home, Running};
use crate::homes::meet;
use crate::people::{Transport, look_until, say, start_logged, wait_for_online, wait_for_state, wait_until_silent};
use crate::world::{Nat, Site, World};

/// What a log says when two nodes have gone from a relay to a straight connection.
const STRAIGHT: &str = "straight now";

fn tries() -> u32 {
    std::env::var("KINFOLK_LAB_TRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

fn says(log: &Path, what: &str) -> bool {
    std::fs::read_to_string(log).is_ok_and(|text| text.contains(what))
}

/// Anna and Ben at home, contacts of each other and of Eve, who relays for both; Ben's node is yet to start.
struct Scene {
    world: World,
    square: Site,
    hers: Site,
    his: Site,
    anna: Home,
    ben: Home,
    _eve: Home,
    _eve_runs: Running,
    _anna_runs: Running,
    logs: tempfile::TempDir,
}

impl Scene {
    fn set(test: &str, hers: Nat, his: Nat) -> Option<Self> {
        let mut world = World::new(test)?;
        let square = world.public();
        let (hers, his) = (world.home(hers), world.home(his));
        let ([anna, ben, eve], eve_runs) = meet(&square);
        let logs = tempfile::tempdir().unwrap();
        let anna_runs = start_logged(&anna, &hers, Transport::Quic, 4_001, &logs.path().join("anna"));
        look_until("a relay", || anna.json(&["status"])[0]["addresses"].to_string().contains("p2p-circuit"));
        // Ben finds in his mailbox where she is.
        wait_until_silent(&anna);
        Some(Self { world, square, hers, his, anna, ben, _eve: eve, _eve_runs: eve_runs, _anna_runs: anna_runs, logs })
    }

    /// Ben comes and is connected with Anna; says what he wrote to his log.
    fn ben_comes(&self, try_number: u32) -> (Running, std::path::PathBuf) {
        let log = self.logs.path().join(format!("ben {try_number}"));
        let running = start_logged(&self.ben, &self.his, Transport::Quic, 4_001, &log);
        wait_for_online(&self.ben, "Anna", true);
        wait_for_online(&self.anna, "Ben", true);
        (running, log)
    }

    fn talk(&self) {
        wait_for_state(&self.anna, "Ben", &say(&self.anna, "Ben", "over there"), "delivered");
        wait_for_state(&self.ben, "Anna", &say(&self.ben, "Anna", "over here"), "delivered");
    }
}

/// Each time that Ben comes, the two end up with a connection that needs nobody else.
fn goes_straight(test: &str, nat: Nat) {
    let Some(scene) = Scene::set(test, nat, nat) else { return };
    for number in 0..tries() {
        let begun = Instant::now();
        let (ben_runs, log) = scene.ben_comes(number);
        look_until("a straight connection", || says(&log, STRAIGHT));
        println!("{nat:?}, try {number}: straight after {:?}", begun.elapsed());
        // The relay is out of reach for both.
        scene.world.part(&scene.square, &scene.hers);
        scene.world.part(&scene.square, &scene.his);
        let cut = Instant::now();
        scene.talk();
        // Sooner than anybody would notice that a relay is gone, and look for another way.
        assert!(cut.elapsed().as_secs() < 10, "{nat:?}, try {number}: {:?}", cut.elapsed());
        scene.world.heal();
        ben_runs.interrupt();
        wait_for_online(&scene.anna, "Ben", false);
    }
}

/// Each time that Ben comes, the two talk over the relay, because there is no other way.
fn stays_with_the_relay(test: &str, hers: Nat, his: Nat) {
    let Some(scene) = Scene::set(test, hers, his) else { return };
    for number in 0..tries() {
        let begun = Instant::now();
        let (ben_runs, log) = scene.ben_comes(number);
        scene.talk();
        println!("{hers:?} and {his:?}, try {number}: over the relay after {:?}", begun.elapsed());
        assert!(!says(&log, STRAIGHT), "{hers:?} and {his:?}, try {number}: straight?");
        ben_runs.interrupt();
        wait_for_online(&scene.anna, "Ben", false);
    }
}

#[test]
fn people_behind_port_restricted_routers_go_straight_every_time() {
    goes_straight("people_behind_port_restricted_routers_go_straight_every_time", Nat::PortRestricted);
}

#[test]
fn people_behind_carriers_routers_go_straight_every_time() {
    goes_straight("people_behind_carriers_routers_go_straight_every_time", Nat::CarrierGrade);
}

#[test]
fn people_behind_symmetric_routers_talk_over_a_relay_every_time() {
    const TEST: &str = "people_behind_symmetric_routers_talk_over_a_relay_every_time";
    stays_with_the_relay(TEST, Nat::Symmetric, Nat::Symmetric);
}
