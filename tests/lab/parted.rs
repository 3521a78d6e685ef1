//! Two people between whom the network falls apart for a while.

use crate::home::Home;
use crate::people::{Transport, introduce, lines, say, start, texts, wait_for_online, wait_for_state};
use crate::world::World;

fn part_and_heal(test: &str, transport: Transport) {
    let Some(mut world) = World::new(test) else { return };
    let (here, there) = (world.public(), world.public());
    let (anna, ben) = (Home::new("Anna"), Home::new("Ben"));
    let _anna_runs = start(&anna, &here, transport, 4_001);
    let _ben_runs = start(&ben, &there, transport, 4_001);
    introduce(&anna, &ben);
    wait_for_state(&anna, "Ben", &say(&anna, "Ben", "before"), "delivered");

    world.part(&here, &there);
    // Into a connection of which nobody knows yet that it is dead.
    let mut hers = vec![say(&anna, "Ben", "Anna, at once")];
    let mut his = vec![say(&ben, "Anna", "Ben, at once")];
    wait_for_online(&anna, "Ben", false);
    wait_for_online(&ben, "Anna", false);
    for number in 0..5 {
        hers.push(say(&anna, "Ben", &format!("Anna, later {number}")));
        his.push(say(&ben, "Anna", &format!("Ben, later {number}")));
    }
    assert_eq!((lines(&anna, "Ben").len(), lines(&ben, "Anna").len()), (7, 7), "nothing came through");

    world.heal();
    for (hers, his) in hers.iter().zip(&his) {
        wait_for_state(&anna, "Ben", hers, "delivered");
        wait_for_state(&ben, "Anna", his, "delivered");
    }
    let mut expected = vec!["before".to_owned()];
    for name in ["Anna", "Ben"] {
        expected.push(format!("{name}, at once"));
        expected.extend((0..5).map(|number| format!("{name}, later {number}")));
    }
    expected.sort();
    assert_eq!(texts(&anna, "Ben"), expected);
    assert_eq!(texts(&ben, "Anna"), expected);
}

#[test]
fn what_is_said_while_the_network_is_parted_comes_when_it_heals_by_quic() {
    part_and_heal("what_is_said_while_the_network_is_parted_comes_when_it_heals_by_quic", Transport::Quic);
}

#[test]
fn what_is_said_while_the_network_is_parted_comes_when_it_heals_by_tcp() {
    part_and_heal("what_is_said_while_the_network_is_parted_comes_when_it_heals_by_tcp", Transport::Tcp);
}
