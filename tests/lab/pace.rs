//! How long a message takes over a relay, beside one that goes straight.

use std::time::{Duration, Instant};

use kinfolk::client::{Client, Events};
use kinfolk::rpc::event::What;
use kinfolk::rpc::message::SendMessage;

use crate::punch::Scene;
use crate::world::{Nat, World};

/// Messages each way of travelling, in turns.
const MESSAGES: usize = 100;
/// By how much the median of the one may exceed the other's.
const AT_MOST: f64 = 2.2;

/// Anna's node, and what Ben's tells.
struct Line {
    anna: Client,
    ben: Events,
}

impl Line {
    async fn of(scene: &Scene) -> Self {
        let (anna, ben) = (Client::open(&scene.anna.dir).await.unwrap(), Client::open(&scene.ben.dir).await.unwrap());
        Self { anna, ben: ben.events(None).await.unwrap() }
    }

    /// From Anna's request to Ben's screen.
    async fn time_of_one(&mut self) -> Duration {
        let begun = Instant::now();
        let wish = SendMessage { text: Some("how long does this take?".to_owned()), ..SendMessage::default() };
        let sent = self.anna.send("Ben", &wish).await.unwrap().message;
        loop {
            let event = self.ben.next().await.unwrap().unwrap();
            if matches!(event.what, What::MessageAdded(message) if message.message == sent) {
                return begun.elapsed();
            }
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The ratio of the medians, where every line takes so long each way.
fn ratio(test: &str, lines_take: Duration) -> Option<f64> {
    let scene = |nat| {
        let mut world = World::new(test)?;
        world.slow_down(lines_take);
        Some(Scene::set_in(world, nat, nat))
    };
    let (straight, relayed) = (scene(Nat::PortRestricted)?, scene(Nat::Symmetric)?);
    let _running = [&straight, &relayed].map(|scene| scene.ben_comes(0));
    straight.go_straight(Instant::now());
    assert!(!relayed.are_straight());
    relayed.talk();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut over, mut directly) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        let (mut relay, mut direct) = (Line::of(&relayed).await, Line::of(&straight).await);
        for _ in 0..MESSAGES {
            over.push(relay.time_of_one().await);
            directly.push(direct.time_of_one().await);
        }
    });
    let (over, directly) = (median(over), median(directly));
    let ratio = over.as_secs_f64() / directly.as_secs_f64();
    println!("lines of {lines_take:?}: p50 over a relay {over:?}, straight {directly:?}: {ratio:.2} x");
    Some(ratio)
}

#[test]
fn a_message_over_a_relay_takes_little_more_than_twice_as_long_as_a_straight_one() {
    const TEST: &str = "a_message_over_a_relay_takes_little_more_than_twice_as_long_as_a_straight_one";
    let Some(ratio) = ratio(TEST, Duration::from_millis(25)) else { return };
    assert!(ratio <= AT_MOST, "{ratio:.2} x");
}
