//! A node of a world: an engine, its store, and a driver that can die between any two steps.

use kinfolk_engine::event::{Event, MessagePlace, Notice};
use kinfolk_engine::store::MemoryStore;
use kinfolk_engine::{Answer, Effect, Input, Refusal, Turn, found, query, turn};
use kinfolk_wire::ids::{IdentityId, PeerId};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Timestamp;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use crate::faults::{Fault, Weather};
use crate::mutant::Mutant;

/// A node.
pub struct SimNode {
    /// Who it is.
    pub identity: IdentityId,
    /// Its id on the network.
    pub peer: PeerId,
    /// What is on its disk, and what is volatile.
    pub store: MemoryStore,
    /// Whether it runs.
    pub alive: bool,
    /// Lines that its screen was told of, in the order they came.
    pub shown: Vec<MessagePlace>,
    /// How many turns were refused by the engine for reasons that are no person's fault.
    pub failures: Vec<String>,
}

/// What a node asks of the world after a turn.
pub struct Outcome {
    /// Effects that left the node.
    pub effects: Vec<Effect>,
    /// What the caller was told; nothing where the node died first.
    pub answer: Option<Result<Answer, Refusal>>,
    /// Whether the node died.
    pub crashed: bool,
}

impl SimNode {
    /// A node with a fresh profile.
    ///
    /// # Panics
    /// If no profile can be made.
    pub fn new(index: usize, now: Timestamp, rng: &mut ChaCha8Rng) -> Self {
        let mut peer = [0; PeerId::LENGTH];
        rng.fill_bytes(&mut peer);
        let peer = PeerId::new(peer);
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        let name = format!("node{index}");
        #[allow(clippy::expect_used, reason = "a world without its people cannot begin")]
        let founded = {
            let name = Name::new(&name).expect("a short name");
            found(now, rng, name, None, &key, peer).expect("a profile")
        };
        let mut store = MemoryStore::default();
        store.commit(&founded.changes);
        Self {
            identity: founded.profile.identity,
            peer,
            store,
            alive: true,
            shown: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// Runs one turn and does what a driver does with it, as far as the weather lets it live.
    pub fn run(
        &mut self,
        now: Timestamp,
        rng: &mut ChaCha8Rng,
        weather: &mut Weather,
        mutant: Option<Mutant>,
        input: Input,
    ) -> Outcome {
        let is_command = matches!(input, Input::Command(_));
        let frame = match &input {
            Input::Network(kinfolk_engine::input::Report::Received { delivery, .. }) => Some(*delivery),
            _ => None,
        };
        let outcome = turn(now, rng, &self.store, input);
        let mut made = match outcome {
            Ok(made) => made,
            Err(refusal) => return self.refused(refusal, is_command, frame),
        };
        if let Some(mutant) = mutant {
            mutant.alter(&mut made);
        }
        let Turn { changes, effects, answer, .. } = made;
        let (early, effects): (Vec<Effect>, Vec<Effect>) =
            effects.into_iter().partition(|effect| mutant.is_some_and(|mutant| mutant.jumps_the_commit(effect)));
        if !changes.is_empty() && weather.strikes(Fault::CrashBeforeCommit, rng) {
            return self.crash(early);
        }
        self.store.commit(&changes);
        if !changes.is_empty() && weather.strikes(Fault::CrashBeforeEffects, rng) {
            return self.crash(early);
        }
        let mut left = early;
        let effects_count = effects.len();
        for (index, effect) in effects.into_iter().enumerate() {
            if index > 0 && index < effects_count && weather.strikes(Fault::CrashAmidEffects, rng) {
                return self.crash(left);
            }
            if let Effect::Notify(Notice { event: Event::MessageAdded(place), sequence: Some(_) }) = &effect {
                self.shown.push(*place);
            }
            left.push(effect);
        }
        Outcome { effects: left, answer: Some(Ok(answer)), crashed: false }
    }

    fn refused(
        &mut self,
        refusal: Refusal,
        is_command: bool,
        frame: Option<kinfolk_engine::input::Delivery>,
    ) -> Outcome {
        if !is_command {
            self.failures.push(refusal.to_string());
        }
        let effects = frame
            .map(|delivery| Effect::Refuse(delivery, kinfolk_wire::direct::NackCode::Later))
            .into_iter()
            .collect();
        Outcome { effects, answer: Some(Err(refusal)), crashed: false }
    }

    fn crash(&mut self, left: Vec<Effect>) -> Outcome {
        self.alive = false;
        self.store.forget_volatile();
        Outcome { effects: left, answer: None, crashed: true }
    }

    /// The lines of the conversation with somebody, as a screen shows them that is opened now.
    ///
    /// # Panics
    /// If the store cannot be read, which a store in memory always can.
    #[must_use]
    pub fn screen(&self, other: IdentityId) -> Vec<query::Line> {
        let conversation = kinfolk_crypto::conversation_id(&self.identity, &other);
        #[allow(clippy::expect_used, reason = "a store in memory can be read")]
        let page = query::history(&self.store, conversation, None, usize::MAX - 64).expect("a store in memory");
        page.lines
    }
}
