//! A node of a world: an engine, its store, and a driver that gathers turns into batches and can die between any two
//! steps.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_engine::event::{Event, MessagePlace, Notice};
use kinfolk_engine::input::{Delivery, Report};
use kinfolk_engine::store::{Change, Changes, ContactState, Key, MemoryStore, Overlay, Read, ReadError, Row};
use kinfolk_engine::{Answer, Effect, Input, Refusal, Rejection, Turn, found, query, turn};
use kinfolk_wire::direct::NackCode;
use kinfolk_wire::ids::{ConversationId, IdentityId, PayloadDigest, PeerId};
use kinfolk_wire::invite::Address;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use crate::faults::{Fault, Weather};
use crate::model::Errand;
use crate::mutant::Mutant;
use crate::network::Life;
use crate::watch;

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
    /// Whether its batch waits for the disk.
    pub waits_for_disk: bool,
    /// Milliseconds by which its clock is ahead.
    pub clock_error: i64,
    /// Lines that its screen was told of, in the order they came.
    pub shown: Vec<MessagePlace>,
    /// Turns that the engine refused for reasons that are no person's fault.
    pub failures: Vec<String>,
    /// Lines that have ever been on its disk.
    pub kept: BTreeSet<MessagePlace>,
    /// Ciphertexts that have ever been on its disk, with their sessions.
    pub sealed: BTreeSet<PayloadDigest>,
    index: usize,
    deaths: u64,
    moves: usize,
    batch: Batch,
    /// What happened only once and whose batch the disk did not take.
    heard_in_vain: Vec<Input>,
    /// Up to where each conversation has been read, where that is told.
    told_read: BTreeMap<ConversationId, u64>,
    backup: Option<MemoryStore>,
}

/// Turns on their way to the disk.
#[derive(Default)]
struct Batch {
    changes: Changes,
    waiting: Vec<Release>,
    frames: Vec<Delivery>,
    once: Vec<Input>,
    sealed: Vec<PayloadDigest>,
}

/// What leaves a node.
pub enum Release {
    /// To the network or the faces.
    Effect(Effect),
    /// To a person.
    Answer(Errand, Result<Answer, Refusal>),
}

/// What a commit came to.
#[derive(Default)]
pub struct Outcome {
    /// What left the node.
    pub released: Vec<Release>,
    /// Errands that nobody will answer any more.
    pub unanswered: Vec<Errand>,
    /// Whether the node died.
    pub crashed: bool,
    /// Whether the disk did not take the batch.
    pub failed: bool,
}

/// What one turn came to before its batch is committed.
#[derive(Default)]
pub struct Early {
    /// What left the node at once.
    pub released: Vec<Release>,
    /// What an engine must never do and did.
    pub breach: Option<String>,
    /// Whether a payload that nobody altered did not open.
    pub unopened: bool,
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
            waits_for_disk: false,
            clock_error: 0,
            shown: Vec::new(),
            failures: Vec::new(),
            kept: BTreeSet::new(),
            sealed: BTreeSet::new(),
            index,
            deaths: 0,
            moves: 0,
            batch: Batch::default(),
            heard_in_vain: Vec::new(),
            told_read: BTreeMap::new(),
            backup: None,
        }
    }

    /// The node as it lives now.
    #[must_use]
    pub const fn life(&self) -> Life {
        Life { node: self.index, deaths: self.deaths }
    }

    /// Where it is now.
    ///
    /// # Panics
    /// Never: the text is an address.
    #[must_use]
    pub fn address(&self) -> Address {
        #[allow(clippy::expect_used, reason = "the text is an address")]
        Address::new(&format!("/ip4/10.0.{}.{}/udp/4001/quic-v1", self.moves, self.index + 1)).expect("an address")
    }

    /// Whether it is elsewhere than it was at first.
    #[must_use]
    pub const fn has_moved(&self) -> bool {
        self.moves > 0
    }

    /// It will be somewhere else from now on.
    pub const fn move_away(&mut self) {
        self.moves = (self.moves + 1) % 250;
    }

    /// What its clock shows.
    #[must_use]
    pub const fn clock(&self, now: Timestamp) -> Timestamp {
        let error = Span::from_millis(self.clock_error.unsigned_abs());
        if self.clock_error < 0 { now.before(error) } else { now.after(error) }
    }

    /// What waits to be heard again, if the disk did not take its batch.
    pub fn take_heard_in_vain(&mut self) -> Vec<Input> {
        std::mem::take(&mut self.heard_in_vain)
    }

    /// Runs one turn over what its batch has changed so far. `genuine` is what a forged frame was before.
    pub fn turn(
        &mut self,
        now: Timestamp,
        rng: &mut ChaCha8Rng,
        mutant: Option<Mutant>,
        (input, errand): (Input, Errand),
        genuine: Option<Vec<u8>>,
    ) -> Early {
        let is_forged = genuine.is_some();
        let is_command = matches!(input, Input::Command(_));
        // A page of mail is many payloads in one turn, of which one may not open.
        let several = matches!(input, Input::Network(Report::Answered(..)));
        let (mut frame, mut payload) = (None, None);
        match &input {
            Input::Network(Report::Received { delivery, body, .. }) => {
                frame = Some(*delivery);
                payload = Some((*delivery, genuine.unwrap_or_else(|| body.clone())));
            }
            Input::Network(_) | Input::Started => self.batch.once.push(input.clone()),
            Input::Command(_) | Input::Wake => {}
        }
        let base = Overlay { base: &self.store, changes: &self.batch.changes };
        let now = self.clock(now);
        let mut made = match turn(now, rng, &base, input) {
            Ok(made) => made,
            Err(refusal) if is_command => {
                return Early { released: vec![Release::Answer(errand, Err(refusal))], ..Early::default() };
            }
            Err(refusal) => {
                self.failures.push(refusal.to_string());
                let refused = frame.map(|frame| Release::Effect(Effect::Refuse(frame, NackCode::Later)));
                return Early { released: refused.into_iter().collect(), ..Early::default() };
            }
        };
        if let Some(mutant) = mutant {
            mutant.alter(&mut made, &base, now, payload);
        }
        let breach = if several { None } else { watch::breach_of_turn(&made, &base) };
        let unopened = !is_forged && made.rejections.contains(&Rejection::Undecryptable);
        let Turn { changes, effects, answer, .. } = made;
        self.batch.sealed.extend(watch::sealed_by(&changes));
        self.batch.changes.extend(changes);
        self.batch.frames.extend(frame);
        let mut early = Vec::new();
        for effect in effects {
            let jumps = mutant.is_some_and(|mutant| mutant.jumps_the_commit(&effect, frame.is_some()));
            if jumps { &mut early } else { &mut self.batch.waiting }.push(Release::Effect(effect));
        }
        if is_command {
            let jumps = mutant == Some(Mutant::AnswerBeforeCommit);
            let answer = Release::Answer(errand, Ok(answer));
            if jumps { &mut early } else { &mut self.batch.waiting }.push(answer);
        }
        Early { released: early, breach, unopened }
    }

    /// Commits the batch and lets out what waited for it, as far as the weather lets the node live.
    pub fn commit(&mut self, rng: &mut ChaCha8Rng, weather: &mut Weather) -> Outcome {
        self.waits_for_disk = false;
        let Batch { changes, waiting, frames, once, sealed } = std::mem::take(&mut self.batch);
        let to_disk = !changes.is_empty();
        if to_disk && weather.strikes(Fault::CrashBeforeCommit, rng) {
            return self.crash(Vec::new(), waiting);
        }
        if to_disk && weather.strikes(Fault::CommitFails, rng) {
            self.heard_in_vain = once;
            return take_back(waiting, frames);
        }
        self.store.commit(&changes);
        self.note(&changes);
        self.sealed.extend(sealed);
        if to_disk && weather.strikes(Fault::CrashBeforeEffects, rng) {
            return self.crash(Vec::new(), waiting);
        }
        let mut waiting = waiting.into_iter();
        let mut released = Vec::new();
        while let Some(release) = waiting.next() {
            if !released.is_empty() && weather.strikes(Fault::CrashAmidEffects, rng) {
                return self.crash(released, std::iter::once(release).chain(waiting).collect());
            }
            if let Release::Effect(Effect::Notify(Notice { event: Event::MessageAdded(place), sequence: Some(_) })) =
                &release
            {
                self.shown.push(*place);
            }
            released.push(release);
        }
        Outcome { released, ..Outcome::default() }
    }

    /// Remembers what has been on the disk.
    fn note(&mut self, changes: &Changes) {
        for (key, change) in changes {
            match (key, change) {
                (Key::Message(conversation, lamport, sender, id), Change::Put(_)) => {
                    let place =
                        MessagePlace { conversation: *conversation, lamport: *lamport, sender: *sender, id: *id };
                    self.kept.insert(place);
                }
                (Key::Conversation(id), Change::Put(Row::Conversation(row))) if row.read_receipts => {
                    let read = self.told_read.entry(*id).or_default();
                    *read = (*read).max(row.read_until.map_or(0, |place| place.lamport));
                }
                _ => {}
            }
        }
    }

    fn crash(&mut self, released: Vec<Release>, lost: Vec<Release>) -> Outcome {
        self.alive = false;
        self.deaths += 1;
        self.batch = Batch::default();
        self.heard_in_vain.clear();
        self.store.forget_volatile();
        let unanswered = lost
            .into_iter()
            .filter_map(|lost| if let Release::Answer(errand, _) = lost { Some(errand) } else { None })
            .collect();
        Outcome { released, unanswered, crashed: true, failed: false }
    }

    /// Sets its store aside, as a backup of the machine does.
    pub fn back_up(&mut self) {
        let mut copy = self.store.clone();
        copy.forget_volatile();
        self.backup = Some(copy);
    }

    /// Whether there is a backup.
    #[must_use]
    pub const fn has_backup(&self) -> bool {
        self.backup.is_some()
    }

    /// Puts the backup in place of its store. Says which lines are gone.
    pub fn restore(&mut self) -> Vec<MessagePlace> {
        let Some(copy) = self.backup.clone() else { return Vec::new() };
        let lost: Vec<MessagePlace> = places(&self.store).difference(&places(&copy)).copied().collect();
        self.shown.retain(|place| !lost.contains(place));
        self.store = copy;
        lost
    }

    /// Whether the person of this node has read a line and let that be told.
    #[must_use]
    pub fn tells_read(&self, place: &MessagePlace) -> bool {
        self.told_read.get(&place.conversation).is_some_and(|until| *until >= place.lamport)
    }

    /// How far it has come with somebody, and whether they are blocked; nothing for strangers.
    #[must_use]
    pub fn relation(&self, other: IdentityId) -> Option<(ContactState, bool)> {
        let contact = query::contact(&self.store as &dyn Read, other).ok()??;
        Some((contact.state, contact.blocked))
    }

    /// The conversation with somebody.
    #[must_use]
    pub fn conversation(&self, other: IdentityId) -> ConversationId {
        kinfolk_crypto::conversation_id(&self.identity, &other)
    }

    /// The lines of the conversation with somebody, as a screen shows them that is opened now.
    ///
    /// # Panics
    /// If the store cannot be read, which a store in memory always can.
    #[must_use]
    pub fn screen(&self, other: IdentityId) -> Vec<query::Line> {
        #[allow(clippy::expect_used, reason = "a store in memory can be read")]
        let page =
            query::history(&self.store, self.conversation(other), None, usize::MAX - 64).expect("a store in memory");
        page.lines
    }
}

/// The disk did not take a batch: callers are told, frames are refused for later, nothing else leaves.
fn take_back(waiting: Vec<Release>, frames: Vec<Delivery>) -> Outcome {
    let full = || Refusal::Store(ReadError::Disk("the disk is full".to_owned()));
    let told = waiting.into_iter().filter_map(|release| match release {
        Release::Answer(errand, _) => Some(Release::Answer(errand, Err(full()))),
        Release::Effect(_) => None,
    });
    let refused = frames.into_iter().map(|frame| Release::Effect(Effect::Refuse(frame, NackCode::Later)));
    Outcome { released: told.chain(refused).collect(), failed: true, ..Outcome::default() }
}

fn places(store: &MemoryStore) -> BTreeSet<MessagePlace> {
    store
        .iter()
        .filter_map(|(key, _)| match key {
            Key::Message(conversation, lamport, sender, id) => {
                Some(MessagePlace { conversation: *conversation, lamport: *lamport, sender: *sender, id: *id })
            }
            _ => None,
        })
        .collect()
}
