//! Two engines and a network that a script of bytes owns: it delivers, loses, repeats, holds back and alters frames,
//! makes up others, cuts connections, crashes nodes and turns the clock. The fuzz target `engine_scenario` makes up
//! scripts; a test replays them.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_engine::effect::RequestId;
use kinfolk_engine::event::{Event, Notice};
use kinfolk_engine::input::{Admission, Command, Delivery, Report};
use kinfolk_engine::store::MemoryStore;
use kinfolk_engine::{Answer, Effect, Input, Refusal, found, next_wakeup, query, turn};
use kinfolk_wire::content::{Body, Text};
use kinfolk_wire::direct::{FrameKind, NackCode, Role};
use kinfolk_wire::ids::{IdentityId, MessageId, PeerId};
use kinfolk_wire::invite::{Address, Uses};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

const DAWN: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// Longer scripts only repeat what shorter ones do.
const STEPS: usize = 120;
/// A peer that is neither of the two.
pub(crate) const STRANGER: PeerId = PeerId::new([9; PeerId::LENGTH]);

/// A frame under way: to whom, from whom, under which request of the sender's.
#[derive(Clone)]
pub(crate) struct Flight {
    pub(crate) to: usize,
    request: RequestId,
    pub(crate) kind: FrameKind,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Node {
    pub(crate) peer: PeerId,
    pub(crate) identity: IdentityId,
    pub(crate) store: MemoryStore,
    /// What its person said, by id.
    said: BTreeMap<MessageId, Body>,
    /// What its screen was told of.
    pub(crate) shown: BTreeSet<(IdentityId, MessageId)>,
}

pub(crate) struct World {
    now: Timestamp,
    rng: ChaCha8Rng,
    pub(crate) nodes: [Node; 2],
    connected: bool,
    pub(crate) flights: Vec<Flight>,
    /// Every frame that was sent.
    pub(crate) sent: Vec<Flight>,
    /// Who is to be told of the fate of a frame that was received: sender and request.
    unanswered: BTreeMap<(usize, u64), (usize, RequestId)>,
    next_frame: u64,
    spoken: u32,
}

fn is_contradiction(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Inconsistent(_) | Refusal::Store(_) | Refusal::NoProfile)
}

/// Plays a script. Whatever it says: nothing is shown that the other person did not say, nothing is shown twice, and no
/// turn panics. Says how many lines came from one person to the other.
///
/// # Panics
/// If any of that does not hold.
pub(crate) fn play(script: &[u8]) -> usize {
    let mut world = World::new();
    for step in script.as_chunks::<4>().0.iter().take(STEPS) {
        world.ring();
        world.step(*step);
        world.check();
    }
    world.come_to_rest();
    world.check();
    let arrived = |node: &Node| node.shown.iter().filter(|(sender, _)| *sender != node.identity).count();
    world.nodes.iter().map(arrived).sum()
}

impl Node {
    fn new(rng: &mut ChaCha8Rng, name: &str, number: u8) -> Self {
        let peer = PeerId::new([number; PeerId::LENGTH]);
        let founded = found(DAWN, rng, Name::new(name).unwrap(), None, &[number; 32], peer).unwrap();
        let mut store = MemoryStore::default();
        store.commit(&founded.changes);
        Self { peer, identity: founded.profile.identity, store, said: BTreeMap::new(), shown: BTreeSet::new() }
    }
}

impl World {
    /// Anna and Bea; Bea has a link of Anna's and asks.
    pub(crate) fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let nodes = [Node::new(&mut rng, "Anna", 1), Node::new(&mut rng, "Bea", 2)];
        let mut world = Self {
            now: DAWN,
            rng,
            nodes,
            connected: false,
            flights: Vec::new(),
            sent: Vec::new(),
            unanswered: BTreeMap::new(),
            next_frame: 0,
            spoken: 0,
        };
        for who in [0, 1] {
            world.start(who);
        }
        world.introduce();
        world
    }

    fn start(&mut self, who: usize) {
        self.input(who, Input::Started);
        self.input(who, Input::Network(Report::Listening(address(who))));
    }

    fn introduce(&mut self) {
        let invite =
            Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(7), admission: Admission::Accept };
        let Some(Answer::Invite(link)) = self.input(0, Input::Command(invite)) else { panic!("no invite") };
        self.input(1, Input::Command(Command::AddContact { link, name: None }));
    }

    /// In Bea's place comes somebody else under this name, with a link of Anna's.
    pub(crate) fn replace_bea(&mut self, name: &str) {
        self.disconnect();
        self.nodes[1] = Node::new(&mut self.rng, name, 3);
        self.start(1);
        self.introduce();
    }

    /// Delivers all that is under way, and what follows from it.
    pub(crate) fn settle(&mut self) {
        for _ in 0..200 {
            self.ring();
            let Some(flight) = self.pick(0, true) else { return };
            self.deliver(&flight);
        }
    }

    fn step(&mut self, [act, which, what, more]: [u8; 4]) {
        let who = usize::from(act & 1);
        match act >> 1 {
            0..=49 => {
                if let Some(flight) = self.pick(which, true) {
                    self.deliver(&flight);
                }
            }
            50..=61 => self.say(who),
            62..=69 => {
                if let Some(mut flight) = self.pick(which, what & 1 == 0).filter(|flight| !flight.body.is_empty()) {
                    let at = (usize::from(what) << 8 | usize::from(more)) % flight.body.len();
                    flight.body[at] ^= 1 << (which % 8);
                    self.deliver(&flight);
                }
            }
            70..=77 => {
                if let Some(flight) = self.pick(which, false) {
                    self.deliver(&flight);
                }
            }
            78..=83 => {
                if let Some(flight) = self.pick(which, true) {
                    self.tell_fate(1 - flight.to, flight.request, Fate::Lost);
                }
            }
            84..=87 => {
                // Bytes of one kind under the name of another.
                if let Some(mut flight) = self.pick(which, false) {
                    flight.kind = kind(what);
                    self.deliver(&flight);
                }
            }
            88..=91 => {
                // A stranger repeats what it saw.
                let body = self.pick(which, false).map(|flight| flight.body).unwrap_or_default();
                self.receive(who, STRANGER, kind(what), body);
            }
            92..=95 => self.receive(who, self.nodes[1 - who].peer, kind(which), vec![what; usize::from(more)]),
            96..=99 => self.stranger_comes(who, which),
            100..=105 => self.disconnect(),
            106..=110 => self.crash(who),
            111..=114 => self.now = self.now.after(Span::from_secs(u64::from(what) * u64::from(more))),
            115 => self.now = self.now.before(Span::from_secs(u64::from(what) * 60)),
            116 => self.command(who, Command::Block),
            117 => self.command(who, Command::Unblock),
            _ => {
                self.input(who, Input::Wake);
            }
        }
    }

    /// Wakes who is due, as a driver does.
    fn ring(&mut self) {
        for who in [0, 1] {
            if next_wakeup(&self.nodes[who].store).unwrap().is_some_and(|due| due <= self.now) {
                self.input(who, Input::Wake);
            }
        }
    }

    fn command(&mut self, who: usize, command: impl Fn(IdentityId) -> Command) {
        let other = self.nodes[1 - who].identity;
        self.input(who, Input::Command(command(other)));
    }

    fn pick(&mut self, which: u8, take: bool) -> Option<Flight> {
        // The oldest most of the time, so that a conversation comes about.
        let at = if which < 200 { 0 } else { usize::from(which) % self.flights.len().max(1) };
        if take && at < self.flights.len() { Some(self.flights.remove(at)) } else { self.flights.get(at).cloned() }
    }

    pub(crate) fn say(&mut self, who: usize) {
        let other = self.nodes[1 - who].identity;
        let Ok(Some(contact)) = query::contact(&self.nodes[who].store, other) else { return };
        self.spoken += 1;
        let body = Body::Text(Text::new(format!("message {}", self.spoken)).unwrap());
        let command = Command::SendMessage { id: None, conversation: contact.conversation, body: body.clone() };
        if let Some(Answer::Message(place, _)) = self.input(who, Input::Command(command)) {
            self.nodes[who].said.insert(place.id, body);
        }
    }

    /// A peer that is neither of the two opens a stream.
    pub(crate) fn stranger_comes(&mut self, who: usize, from: u8) {
        let report = Report::Connected { peer: STRANGER, role: Role::Listener, address: address(from.into()) };
        self.input(who, Input::Network(report));
    }

    fn connect(&mut self) {
        if !self.connected {
            self.connected = true;
            for (who, role) in [(1, Role::Dialer), (0, Role::Listener)] {
                let peer = self.nodes[1 - who].peer;
                self.input(who, Input::Network(Report::Connected { peer, role, address: address(1 - who) }));
            }
        }
    }

    fn disconnect(&mut self) {
        if self.connected {
            self.connected = false;
            for flight in std::mem::take(&mut self.flights) {
                self.tell_fate(1 - flight.to, flight.request, Fate::Lost);
            }
            self.unanswered.clear();
            for who in [0, 1] {
                let peer = self.nodes[1 - who].peer;
                self.input(who, Input::Network(Report::Disconnected(peer)));
            }
        }
    }

    fn crash(&mut self, who: usize) {
        self.nodes[who].store.forget_volatile();
        self.connected = false;
        self.flights.clear();
        self.unanswered.clear();
        let peer = self.nodes[who].peer;
        self.input(1 - who, Input::Network(Report::Disconnected(peer)));
        self.start(who);
    }

    fn deliver(&mut self, flight: &Flight) {
        if !self.connected {
            return;
        }
        let from = 1 - flight.to;
        self.unanswered.insert((flight.to, self.next_frame + 1), (from, flight.request));
        self.receive(flight.to, self.nodes[from].peer, flight.kind, flight.body.clone());
    }

    pub(crate) fn receive(&mut self, who: usize, peer: PeerId, kind: FrameKind, body: Vec<u8>) {
        self.next_frame += 1;
        let delivery = Delivery { peer, stream: 1, sequence: self.next_frame };
        self.input(who, Input::Network(Report::Received { delivery, kind, body }));
    }

    fn tell_fate(&mut self, sender: usize, request: RequestId, fate: Fate) {
        let peer = self.nodes[1 - sender].peer;
        let report = match fate {
            Fate::Taken => Report::Sent(peer, request),
            Fate::Refused(code) => Report::Refused(peer, request, code),
            Fate::Lost => Report::Lost(peer, request),
        };
        self.input(sender, Input::Network(report));
    }

    pub(crate) fn input(&mut self, who: usize, input: Input) -> Option<Answer> {
        let node = &mut self.nodes[who];
        let made = match turn(self.now, &mut self.rng, &node.store, input.clone()) {
            Ok(made) => made,
            // A person may be told no. The network and time are never refused: what they bring is dealt with.
            Err(refusal) if matches!(input, Input::Command(_)) && !is_contradiction(&refusal) => return None,
            Err(refusal) => panic!("{refusal}: {input:?}"),
        };
        node.store.commit(&made.changes);
        for effect in made.effects {
            self.effect(who, effect);
        }
        Some(made.answer)
    }

    fn effect(&mut self, who: usize, effect: Effect) {
        let other = self.nodes[1 - who].peer;
        match effect {
            Effect::Dial { peer, .. } if peer == other => self.connect(),
            Effect::Dial { peer, .. } => {
                self.input(who, Input::Network(Report::DialFailed(peer)));
            }
            Effect::Send { request, peer, kind, body } if peer == other && self.connected => {
                let flight = Flight { to: 1 - who, request, kind, body };
                self.sent.push(flight.clone());
                self.flights.push(flight);
            }
            Effect::Send { request, peer, .. } => {
                self.input(who, Input::Network(Report::Lost(peer, request)));
            }
            Effect::Acknowledge(delivery) => self.answered(who, delivery, Fate::Taken),
            Effect::Refuse(delivery, code) => self.answered(who, delivery, Fate::Refused(code)),
            Effect::Disconnect(peer) if peer == other => self.disconnect(),
            Effect::Publish { request, .. } => {
                self.input(who, Input::Network(Report::Published(request, 0)));
            }
            Effect::Find { request, .. } => {
                self.input(who, Input::Network(Report::Found(request, Vec::new())));
            }
            Effect::Disconnect(_)
            | Effect::Answer(..)
            | Effect::Inquire { .. }
            | Effect::Contact { .. }
            | Effect::Introduce { .. } => {}
            Effect::Ask { request, .. } => {
                self.input(who, Input::Network(Report::Unanswered(request)));
            }
            Effect::Notify(Notice { event: Event::MessageAdded(place), sequence: Some(_) }) => {
                let node = &mut self.nodes[who];
                assert!(node.shown.insert((place.sender, place.id)), "a screen was told twice of {place:?}");
            }
            Effect::Notify(_) => {}
        }
    }

    fn answered(&mut self, who: usize, delivery: Delivery, fate: Fate) {
        if let Some((sender, request)) = self.unanswered.remove(&(who, delivery.sequence)) {
            self.tell_fate(sender, request, fate);
        }
    }

    /// What every screen shows was said by the person whose name stands at it, and stands there once.
    pub(crate) fn check(&self) {
        for (who, node) in self.nodes.iter().enumerate() {
            let other = &self.nodes[1 - who];
            let Ok(Some(contact)) = query::contact(&node.store, other.identity) else { continue };
            let page = query::history(&node.store, contact.conversation, None, 1_000).unwrap();
            let mut seen = BTreeSet::new();
            for line in &page.lines {
                assert!(seen.insert((line.place.sender, line.place.id)), "shown twice: {:?}", line.place);
                let speaker = if line.place.sender == node.identity { node } else { other };
                assert_eq!(line.place.sender, speaker.identity, "a line of nobody");
                assert_eq!(speaker.said.get(&line.place.id), Some(&line.body), "a line that was not said");
            }
        }
    }

    /// The network is kind for a while: what is under way arrives, alarms ring.
    fn come_to_rest(&mut self) {
        for _ in 0..200 {
            if self.flights.is_empty() {
                let wakeups = self.nodes.each_ref().map(|node| next_wakeup(&node.store).unwrap());
                let Some(next) = wakeups.into_iter().flatten().min() else { return };
                self.now = self.now.max(next);
                self.ring();
            } else {
                let flight = self.flights.remove(0);
                self.deliver(&flight);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Fate {
    Taken,
    Refused(NackCode),
    Lost,
}

fn kind(number: u8) -> FrameKind {
    FrameKind::from_number(number % 7 + 1).unwrap()
}

fn address(who: usize) -> Address {
    Address::new(&format!("/ip4/192.0.2.{}/udp/4001/quic-v1", who + 1)).unwrap()
}
