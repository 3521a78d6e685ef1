//! Two people at home who are there together: over a contact that relays, and straight from there where their routers
//! let them.
//!
//! `KINFOLK_LAB_TRIES=20` tries each kind of router so often.

use std::time::{Duration, Instant};

use crate::home::{Home, Running};
use crate::people::{Transport, introduce, look_until, say, start, wait_for_online, wait_for_state};
use crate::world::{Nat, Site, World};

/// How long two people have to go straight, and how long a word takes at most where they have.
const STRAIGHT_WITHIN: Duration = Duration::from_secs(60);
const A_WORD: &str = "2s";

/// Tries after which Anna's node starts again: a contact may have a node dial so often in ten minutes, and no more.
const TRIES_OF_A_CONTACT: u16 = 10;

fn tries() -> u16 {
    std::env::var("KINFOLK_LAB_TRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// Anna and Ben at home, contacts of each other and of Eve, who relays for both; Ben's node is yet to start.
pub(crate) struct Scene {
    world: World,
    square: Site,
    pub(crate) hers: Site,
    his: Site,
    pub(crate) anna: Home,
    pub(crate) ben: Home,
    _eve: Home,
    _eve_runs: Running,
    anna_runs: Option<Running>,
}

impl Scene {
    pub(crate) fn set(test: &str, hers: Nat, his: Nat) -> Option<Self> {
        World::new(test).map(|world| Self::set_in(world, hers, his))
    }

    /// Each of the two meets Eve where she is, and goes home. There Anna makes an invite, and Ben comes with it over Eve.
    pub(crate) fn set_in(mut world: World, hers: Nat, his: Nat) -> Self {
        let square = world.public();
        let (hers, his) = (world.home(hers), world.home(his));
        let [anna, ben, eve] = ["Anna", "Ben", "Eve"].map(Home::new);
        let eve_runs = start(&eve, &square, Transport::Quic, 4_001);
        for home in [&anna, &ben] {
            let running = start(home, &square, Transport::Quic, 4_002);
            introduce(&eve, home);
            running.interrupt();
        }
        let anna_runs = Some(start_relayed(&anna, &hers));
        let ben_runs = start(&ben, &his, Transport::Quic, 4_001);
        introduce(&anna, &ben);
        ben_runs.interrupt();
        wait_for_online(&anna, "Ben", false);
        Self { world, square, hers, his, anna, ben, _eve: eve, _eve_runs: eve_runs, anna_runs }
    }

    /// Ben comes and is connected with Anna. Each time from another port: no router of theirs has let anybody in there.
    pub(crate) fn ben_comes(&self, number: u16) -> Running {
        let running = start(&self.ben, &self.his, Transport::Quic, 4_002 + number);
        wait_for_online(&self.ben, "Anna", true);
        wait_for_online(&self.anna, "Ben", true);
        running
    }

    fn ben_goes(&self, running: Running) {
        running.interrupt();
        wait_for_online(&self.anna, "Ben", false);
    }

    fn anna_starts_again(&mut self) {
        self.anna_runs.take().unwrap().interrupt();
        self.anna_runs = Some(start_relayed(&self.anna, &self.hers));
    }

    /// Whether words find their way both ways while nobody reaches the relay: sooner than it would be missed.
    pub(crate) fn are_straight(&self) -> bool {
        self.world.part(&self.square, &self.hers);
        self.world.part(&self.square, &self.his);
        let arrives = |from: &Home, to: &str| {
            from.run(&["send", to, "without Eve", "--wait", "delivered", "--timeout", A_WORD]).status.success()
        };
        let straight = arrives(&self.anna, "Ben") && arrives(&self.ben, "Anna");
        self.world.heal();
        straight
    }

    pub(crate) fn go_straight(&self, begun: Instant) {
        while !self.are_straight() {
            assert!(begun.elapsed() < STRAIGHT_WITHIN, "still over the relay");
        }
    }

    pub(crate) fn talk(&self) {
        wait_for_state(&self.anna, "Ben", &say(&self.anna, "Ben", "over there"), "delivered");
        wait_for_state(&self.ben, "Anna", &say(&self.ben, "Anna", "over here"), "delivered");
    }
}

/// Starts a node at home, and waits until others find it over a relay.
fn start_relayed(home: &Home, site: &Site) -> Running {
    let running = start(home, site, Transport::Quic, 4_001);
    look_until("a relay", || home.json(&["status"])[0]["addresses"].to_string().contains("p2p-circuit"));
    running
}

/// Each time that Ben comes, the two end up with a connection that needs nobody else.
fn go_straight(test: &str, nat: Nat) {
    let Some(mut scene) = Scene::set(test, nat, nat) else { return };
    for number in 0..tries() {
        if number > 0 && number.is_multiple_of(TRIES_OF_A_CONTACT) {
            scene.anna_starts_again();
        }
        let begun = Instant::now();
        let ben_runs = scene.ben_comes(number);
        scene.go_straight(begun);
        println!("{nat:?}, try {number}: straight after {:?}", begun.elapsed());
        scene.ben_goes(ben_runs);
    }
}

/// Each time that Ben comes, the two talk over the relay, because there is no other way.
fn stay_with_the_relay(test: &str, hers: Nat, his: Nat) {
    let Some(scene) = Scene::set(test, hers, his) else { return };
    for number in 0..tries() {
        let begun = Instant::now();
        let ben_runs = scene.ben_comes(number);
        scene.talk();
        println!("{hers:?} and {his:?}, try {number}: over the relay after {:?}", begun.elapsed());
        if number == 0 {
            assert!(!scene.are_straight(), "{hers:?} and {his:?}: straight through such routers?");
            scene.talk();
        }
        scene.ben_goes(ben_runs);
    }
}

#[test]
fn people_behind_port_restricted_routers_go_straight_every_time() {
    go_straight("people_behind_port_restricted_routers_go_straight_every_time", Nat::PortRestricted);
}

#[test]
fn people_behind_carriers_routers_go_straight_every_time() {
    go_straight("people_behind_carriers_routers_go_straight_every_time", Nat::CarrierGrade);
}

#[test]
fn people_behind_symmetric_routers_talk_over_a_relay_every_time() {
    const TEST: &str = "people_behind_symmetric_routers_talk_over_a_relay_every_time";
    stay_with_the_relay(TEST, Nat::Symmetric, Nat::Symmetric);
}
