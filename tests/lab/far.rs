//! Two people far apart: a packet takes 300 ms each way, and one of five is lost.

use std::time::{Duration, Instant};

use crate::home::Home;
use crate::people::{Transport, introduce, say, start, texts, wait_for_state};
use crate::world::World;

const DELAY: Duration = Duration::from_millis(300);
const LOSS: u8 = 20;
const LINES: usize = 10;

fn talk_from_afar(test: &str, transport: Transport) {
    let Some(mut world) = World::new(test) else { return };
    let here = world.public();
    world.slow_down(DELAY);
    let there = world.public();
    world.lose(LOSS);
    let (anna, ben) = (Home::new("Anna"), Home::new("Ben"));
    let _anna_runs = start(&anna, &here, transport, 4_001);
    let _ben_runs = start(&ben, &there, transport, 4_001);
    let begun = Instant::now();
    introduce(&anna, &ben);
    println!("{transport:?}: contacts after {:?}", begun.elapsed());
    let mut said = Vec::new();
    for number in 0..LINES {
        let (hers, his) = (format!("from Anna {number}"), format!("from Ben {number}"));
        said.push((say(&anna, "Ben", &hers), say(&ben, "Anna", &his)));
    }
    for (hers, his) in &said {
        wait_for_state(&anna, "Ben", hers, "delivered");
        wait_for_state(&ben, "Anna", his, "delivered");
    }
    println!("{transport:?}: all is said and known to have come after {:?}", begun.elapsed());
    let mut expected: Vec<String> =
        (0..LINES).flat_map(|number| [format!("from Anna {number}"), format!("from Ben {number}")]).collect();
    expected.sort();
    assert_eq!(texts(&anna, "Ben"), expected);
    assert_eq!(texts(&ben, "Anna"), expected);
}

#[test]
fn people_far_apart_talk_by_quic_though_a_fifth_is_lost() {
    talk_from_afar("people_far_apart_talk_by_quic_though_a_fifth_is_lost", Transport::Quic);
}

#[test]
fn people_far_apart_talk_by_tcp_though_a_fifth_is_lost() {
    talk_from_afar("people_far_apart_talk_by_tcp_though_a_fifth_is_lost", Transport::Tcp);
}
