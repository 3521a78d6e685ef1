//! A home whose router lets others in where it is asked to.

use std::time::{Duration, Instant};

use crate::home::Home;
use crate::mapper::{MISSING, Mapper};
use crate::people::look_until;
use crate::punch::Scene;
use crate::skip::skip;
use crate::world::{Nat, World};

/// What a node says of how it is reached.
fn why(home: &Home) -> String {
    home.json(&["status"])[0]["reachability"]["why"].as_str().unwrap().to_owned()
}

#[test]
fn who_has_a_router_that_maps_ports_is_reached_straight_from_behind_any_router() {
    const TEST: &str = "who_has_a_router_that_maps_ports_is_reached_straight_from_behind_any_router";
    if !Mapper::is_there() {
        return skip(TEST, MISSING);
    }
    for his in [Nat::Symmetric, Nat::PortRestricted] {
        let Some(scene) = Scene::set(TEST, Nat::Mapping, his) else { return };
        let outside = format!("/ip4/{}/udp/4001/quic-v1", scene.hers.outside);
        look_until("the router's word", || why(&scene.anna).contains(&outside));
        let begun = Instant::now();
        let _ben_runs = scene.ben_comes(0);
        scene.go_straight(begun);
        println!("{his:?}: straight after {:?}", begun.elapsed());
    }
}

#[test]
fn whoever_comes_into_another_network_asks_the_router_there() {
    const TEST: &str = "whoever_comes_into_another_network_asks_the_router_there";
    if !Mapper::is_there() {
        return skip(TEST, MISSING);
    }
    let Some(mut world) = World::new(TEST) else { return };
    let mut site = world.home(Nat::Mapping);
    site.stop_mapping();
    let anna = Home::new("Anna");
    let _running = anna.start_at(&site.space.wrapper(), &["--listen", "/ip4/0.0.0.0/udp/4001/quic-v1"]);
    let outside = format!("/ip4/{}/udp/4001/quic-v1", site.outside);
    // What comes in the first second belongs to the network in which it started.
    let begun = Instant::now();
    look_until("some time to pass", || begun.elapsed() > Duration::from_secs(2));
    site.move_home();
    look_until("the router's word", || why(&anna).contains(&outside));
}
