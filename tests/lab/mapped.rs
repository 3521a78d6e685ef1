//! A home whose router lets others in where it is asked to.

use std::time::Instant;

use crate::mapper::{MISSING, Mapper};
use crate::people::look_until;
use crate::punch::Scene;
use crate::skip::skip;
use crate::world::Nat;

#[test]
fn who_has_a_router_that_maps_ports_is_reached_straight_from_behind_any_router() {
    const TEST: &str = "who_has_a_router_that_maps_ports_is_reached_straight_from_behind_any_router";
    if !Mapper::is_there() {
        return skip(TEST, MISSING);
    }
    for his in [Nat::Symmetric, Nat::PortRestricted] {
        let Some(scene) = Scene::set(TEST, Nat::Mapping, his) else { return };
        let outside = format!("/ip4/{}/udp/4001/quic-v1", scene.hers.outside);
        let why = || scene.anna.json(&["status"])[0]["reachability"]["why"].as_str().unwrap().to_owned();
        look_until("the router's word", || why().contains(&outside));
        println!("{}", why());
        let begun = Instant::now();
        let _ben_runs = scene.ben_comes(0);
        scene.go_straight(begun);
        println!("{his:?}: straight after {:?}", begun.elapsed());
    }
}
