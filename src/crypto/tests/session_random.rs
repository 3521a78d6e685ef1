//! Any interleaving of sending, delivering, losing, repeating and restarting, in both directions at once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says so by failing"
)]

mod support;

use kinfolk_crypto::{DecryptError, Session};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use support::{End, message, rng, talking};

/// What may happen. `true` is Alice's side; numbers choose among what is on its way.
#[derive(Debug, Clone)]
enum Happening {
    Send(bool),
    Deliver(bool, usize),
    Repeat(bool, usize),
    Lose(bool, usize),
    Forge(bool, usize, usize),
    Restart(bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    let (side, which) = (any::<bool>(), any::<prop::sample::Index>());
    prop_oneof![
        10 => side.prop_map(Happening::Send),
        8 => (side, 0..20_usize).prop_map(|(to, which)| Happening::Deliver(to, which)),
        2 => (side, 0..1_000_usize).prop_map(|(to, which)| Happening::Repeat(to, which)),
        1 => (side, 0..20_usize).prop_map(|(to, which)| Happening::Lose(to, which)),
        1 => (side, 0..20_usize, which).prop_map(|(to, which, at)| Happening::Forge(to, which, at.index(400))),
        1 => side.prop_map(Happening::Restart),
    ]
}

/// One direction: payloads with the text they carry.
#[derive(Default)]
struct Way {
    flying: Vec<(Vec<u8>, Vec<u8>)>,
    opened: Vec<Vec<u8>>,
    sent: u32,
    lost: usize,
}

struct World {
    rng: ChaCha20Rng,
    ends: [End; 2],
    /// To Alice, to Bob.
    ways: [Way; 2],
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let (alice, bob) = talking(&mut rng);
        Self { rng, ends: [alice, bob], ways: Default::default() }
    }

    fn happen(&mut self, happening: &Happening) {
        match *happening {
            Happening::Send(alice) => {
                let from = usize::from(!alice);
                let way = &mut self.ways[1 - from];
                let text = format!("{from} says {}", way.sent).into_bytes();
                way.sent += 1;
                let payload = self.ends[from].send(&mut self.rng, &text);
                way.flying.push((text, payload));
            }
            Happening::Deliver(alice, which) => self.deliver(usize::from(!alice), which),
            Happening::Repeat(alice, which) => {
                let to = usize::from(!alice);
                let way = &self.ways[to];
                if let Some(payload) = way.opened.get(which % way.opened.len().max(1)) {
                    let before = self.ends[to].session.to_bytes();
                    // Of a chain that was replaced and owes nothing, the header key is gone too.
                    let refusal = self.ends[to].receive(payload).unwrap_err();
                    assert!(matches!(refusal, DecryptError::Duplicate | DecryptError::Unreadable), "{refusal:?}");
                    assert_eq!(self.ends[to].session.to_bytes(), before);
                }
            }
            Happening::Lose(alice, which) => {
                let way = &mut self.ways[usize::from(!alice)];
                if !way.flying.is_empty() {
                    way.flying.remove(which % way.flying.len());
                    way.lost += 1;
                }
            }
            Happening::Forge(alice, which, at) => {
                let to = usize::from(!alice);
                let way = &self.ways[to];
                let Some((_, payload)) = way.flying.get(which % way.flying.len().max(1)) else {
                    return;
                };
                let mut payload = message(payload).bytes.to_vec();
                // Header nonce, header or body.
                let at = 3 + at % (payload.len() - 3);
                payload[at] ^= 1;
                let before = self.ends[to].session.to_bytes();
                assert_eq!(self.ends[to].receive(&payload), Err(DecryptError::Unreadable));
                assert_eq!(self.ends[to].session.to_bytes(), before);
            }
            Happening::Restart(alice) => self.ends[usize::from(!alice)].restart(),
        }
    }

    fn deliver(&mut self, to: usize, which: usize) {
        let way = &mut self.ways[to];
        if way.flying.is_empty() {
            return;
        }
        let (text, payload) = way.flying.remove(which % way.flying.len());
        let opened = self.ends[to].receive(&payload).unwrap();
        assert_eq!(opened.as_slice(), text);
        self.ways[to].opened.push(payload);
    }

    fn deliver_the_rest(&mut self) {
        for to in [0, 1] {
            while !self.ways[to].flying.is_empty() {
                self.deliver(to, 17);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_opens_once_whatever_happens_on_the_way(
        seed in any::<u64>(),
        happenings in prop::collection::vec(happening(), 300..600),
    ) {
        let mut world = World::new(seed);
        for happening in &happenings {
            world.happen(happening);
        }
        world.deliver_the_rest();
        // What is stored for later is exactly what was lost and then overtaken.
        for (end, way) in world.ends.iter().zip(&world.ways) {
            prop_assert!(end.skipped.len() <= way.lost);
        }
    }

    #[test]
    fn a17_after_a_rollback_nothing_opens_as_what_it_is_not(
        seed in any::<u64>(),
        happenings in prop::collection::vec(happening(), 20..60),
        later in prop::collection::vec((any::<bool>(), any::<bool>()), 20..60),
    ) {
        let mut world = World::new(seed);
        for happening in &happenings {
            world.happen(happening);
        }
        // Alice's device is restored to an older copy of itself after it has sent and received more.
        let copy = world.ends[0].session.to_bytes();
        for _ in 0..5 {
            world.happen(&Happening::Send(true));
            world.happen(&Happening::Deliver(false, 0));
            world.happen(&Happening::Send(false));
            world.happen(&Happening::Deliver(true, 0));
        }
        world.ends[0].session = Session::from_bytes(copy.as_slice()).unwrap();
        for (number, (alice, restart)) in later.into_iter().enumerate() {
            let from = usize::from(!alice);
            let text = format!("{from} says, later, {number}").into_bytes();
            let payload = world.ends[from].send(&mut world.rng, &text);
            if let Ok(opened) = world.ends[1 - from].receive(&payload) {
                prop_assert_eq!(opened.as_slice(), &text[..]);
            }
            if restart {
                world.ends[from].restart();
            }
        }
    }
}

#[test]
fn everything_delivered_leaves_nothing_stored() {
    let mut world = World::new(99);
    for round in 0..700_usize {
        world.happen(&Happening::Send(round % 3 != 0));
        if round % 2 == 0 {
            world.happen(&Happening::Deliver(round % 5 != 0, round));
        }
    }
    world.deliver_the_rest();
    assert!(world.ends.iter().all(|end| end.skipped.is_empty()));
}
