//! A world: from a seed to a verdict.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_engine::effect::RequestId;
use kinfolk_engine::input::{Admission, Command, Delivery, Report};
use kinfolk_engine::store::{ContactState, Read};
use kinfolk_engine::{Answer, Effect, Input, next_wakeup, query};
use kinfolk_wire::content::{Body, GeoUri, StickerId, Text};
use kinfolk_wire::direct::{FrameKind, NackCode, Role};
use kinfolk_wire::ids::{MessageId, PeerId};
use kinfolk_wire::invite::{Address, InviteLink, Uses};
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::faults::{Fault, Weather};
use crate::model::{Contradiction, Model};
use crate::mutant::Mutant;
use crate::network::{Frame, Happening, Stream};
use crate::node::SimNode;

/// What kind of world to make.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many people.
    pub people: usize,
    /// How many messages each says.
    pub messages: usize,
    /// Whether anything goes wrong.
    pub storm: bool,
    /// A fault planted in every engine.
    pub mutant: Option<Mutant>,
}

/// What a world came to.
#[derive(Debug)]
pub struct Verdict {
    /// How often each fault struck.
    pub injected: BTreeMap<Fault, u64>,
    /// How many messages people were told are on their way.
    pub messages: usize,
    /// How many turns ran.
    pub turns: u64,
    /// What is wrong, if anything is.
    pub outcome: Result<(), Contradiction>,
}

/// The moment every world begins at.
const DAWN: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// How long the faults last.
const STORM: Span = Span::from_secs(600);
/// How long a world may take to come to rest after them.
const PATIENCE: Span = Span::from_hours(3);
/// How many things may happen before a world is taken for one that never rests.
const HAPPENINGS: u64 = 60_000;

/// A world.
pub struct World {
    now: Timestamp,
    rng: ChaCha8Rng,
    weather: Weather,
    plan: Plan,
    nodes: Vec<SimNode>,
    happenings: BTreeMap<(Timestamp, u64), Happening>,
    happened: u64,
    turns: u64,
    streams: BTreeMap<(usize, usize), Stream>,
    next_stream: u64,
    /// Frames by the node and name under which the receiver answers them.
    frames: BTreeMap<(usize, Delivery), (usize, RequestId)>,
    apart: BTreeSet<(usize, usize)>,
    alarms: BTreeMap<usize, Timestamp>,
    said: Vec<usize>,
    links: Vec<(usize, usize, InviteLink)>,
    model: Model,
}

impl World {
    /// Runs the world of a seed to its verdict.
    #[must_use]
    pub fn run(seed: u64, plan: Plan) -> Verdict {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut weather = Weather::draw(&mut rng);
        if !plan.storm {
            weather.calm_down();
        }
        let nodes = (0..plan.people).map(|index| SimNode::new(index, DAWN, &mut rng)).collect();
        let mut world = Self {
            now: DAWN,
            rng,
            weather,
            plan,
            nodes,
            happenings: BTreeMap::new(),
            happened: 0,
            turns: 0,
            streams: BTreeMap::new(),
            next_stream: 1,
            frames: BTreeMap::new(),
            apart: BTreeSet::new(),
            alarms: BTreeMap::new(),
            said: vec![0; plan.people],
            links: Vec::new(),
            model: Model::default(),
        };
        let outcome = world.live();
        Verdict { injected: world.weather.injected, messages: world.model.len(), turns: world.turns, outcome }
    }

    fn live(&mut self) -> Result<(), Contradiction> {
        self.begin();
        let storm_ends = DAWN.after(STORM);
        let end = storm_ends.after(PATIENCE);
        let mut raging = true;
        while let Some(((at, number), happening)) = self.happenings.pop_first() {
            if at > storm_ends && raging {
                raging = false;
                self.weather.calm_down();
                self.happenings.insert((at, number), happening);
                self.calm();
                continue;
            }
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.happened += 1;
            if self.happened > HAPPENINGS {
                return Err(Contradiction("the world does not come to rest".to_owned()));
            }
            self.happen(happening);
            if !raging && self.is_at_rest() {
                break;
            }
        }
        for a in 0..self.plan.people {
            for b in 0..a {
                self.model.check_pair(a, b, &self.nodes)?;
            }
        }
        if self.model.is_empty() {
            return Err(Contradiction("nobody said anything".to_owned()));
        }
        Ok(())
    }

    /// Everybody listens, and everybody has a link of everybody before them.
    fn begin(&mut self) {
        for node in 0..self.plan.people {
            self.input(node, Input::Started);
            self.input(node, Input::Network(Report::Listening(address_of(node))));
        }
        for a in 0..self.plan.people {
            for b in 0..a {
                let command = Command::CreateInvite {
                    uses: if self.rng.next_u32().is_multiple_of(2) { Uses::Once } else { Uses::Many },
                    lifetime: Span::from_days(7),
                    admission: Admission::Accept,
                };
                // A node that dies over it is asked again.
                let link = loop {
                    if let Some(Ok(Answer::Invite(link))) = self.input(b, Input::Command(command.clone())) {
                        break link;
                    }
                    self.revive(b);
                };
                self.links.push((a, b, link));
            }
            let wait = self.chance(5_000);
            self.later(wait, Happening::Act(a));
        }
    }

    fn revive(&mut self, node: usize) {
        if let Some(dead) = self.nodes.get_mut(node)
            && !dead.alive
        {
            dead.alive = true;
            self.input(node, Input::Started);
            self.input(node, Input::Network(Report::Listening(address_of(node))));
        }
    }

    /// The faults are over: what is broken is mended, and everybody finishes what they wanted to say.
    fn calm(&mut self) {
        self.apart.clear();
        for node in 0..self.plan.people {
            self.revive(node);
            self.later(1, Happening::Act(node));
        }
    }

    fn is_at_rest(&self) -> bool {
        self.nodes.iter().enumerate().all(|(index, node)| {
            let quiet = query::outbox_len(&node.store).is_ok_and(|waiting| waiting == 0);
            quiet && self.said.get(index).is_some_and(|said| *said >= self.plan.messages) && self.is_delivered(index)
        })
    }

    fn is_delivered(&self, index: usize) -> bool {
        let Some(node) = self.nodes.get(index) else { return true };
        self.nodes.iter().enumerate().filter(|(other, _)| *other != index).all(|(_, other)| {
            node.screen(other.identity).iter().all(|line| {
                !matches!(
                    line.state,
                    kinfolk_engine::store::MessageState::Queued | kinfolk_engine::store::MessageState::Sent
                )
            })
        })
    }

    fn later(&mut self, millis: u64, happening: Happening) {
        self.happened += 1;
        let at = self.now.after(Span::from_millis(millis));
        self.happenings.insert((at, self.happened), happening);
    }

    fn chance(&mut self, below: u64) -> u64 {
        u64::from(self.rng.next_u32()) % below.max(1)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Dial { from, to } => self.dial(from, to),
            Happening::Report { node, stream, report } => {
                let stands = stream.is_none_or(|stream| self.stream_stands(node, stream));
                if stands {
                    self.input(node, Input::Network(report));
                }
            }
            Happening::Alarm(node) => {
                if self.alarms.get(&node).is_some_and(|due| *due <= self.now) {
                    self.alarms.remove(&node);
                    self.input(node, Input::Wake);
                }
            }
            Happening::Restart(node) => self.revive(node),
            Happening::Heal(a, b) => {
                self.apart.remove(&pair(a, b));
            }
            Happening::Act(node) => self.act(node),
        }
    }

    fn stream_stands(&self, node: usize, id: u64) -> bool {
        self.streams.iter().any(|((a, b), stream)| stream.id == id && (*a == node || *b == node))
    }

    /// Gives a node an input and carries out what it asks.
    fn input(&mut self, node: usize, input: Input) -> Option<Result<Answer, kinfolk_engine::Refusal>> {
        let sim = self.nodes.get_mut(node)?;
        if !sim.alive {
            return None;
        }
        self.turns += 1;
        if std::env::var("TR").is_ok() { #[allow(clippy::print_stderr, reason="x")] { eprintln!("{} n{node} {:?}", self.now.since(DAWN).as_millis(), input); } }
        let outcome = sim.run(self.now, &mut self.rng, &mut self.weather, self.plan.mutant, input);
        for effect in outcome.effects {
            if std::env::var("TR").is_ok() { #[allow(clippy::print_stderr, reason="x")] { let e=format!("{effect:?}"); eprintln!("      -> {}", &e[..e.len().min(260)]); } }
            self.effect(node, effect);
        }
        if std::env::var("TR").is_ok() && outcome.crashed { #[allow(clippy::print_stderr, reason="x")] { eprintln!("      CRASHED"); } }
        if outcome.crashed {
            self.crashed(node);
        } else {
            self.set_alarm(node);
        }
        outcome.answer
    }

    fn set_alarm(&mut self, node: usize) {
        let Some(sim) = self.nodes.get(node) else { return };
        let Ok(Some(due)) = next_wakeup(&sim.store) else { return };
        let due = due.max(self.now);
        if self.alarms.get(&node).is_none_or(|set| due < *set) {
            self.alarms.insert(node, due);
            self.happened += 1;
            self.happenings.insert((due, self.happened), Happening::Alarm(node));
        }
    }

    fn crashed(&mut self, node: usize) {
        self.alarms.remove(&node);
        for other in 0..self.plan.people {
            self.cut(node, other);
        }
        let wait = 500 + self.chance(20_000);
        self.later(wait, Happening::Restart(node));
    }

    /// Breaks the stream between two nodes, if there is one.
    fn cut(&mut self, a: usize, b: usize) {
        if self.streams.remove(&pair(a, b)).is_some() {
            for (node, other) in [(a, b), (b, a)] {
                if let Some(peer) = self.nodes.get(other).map(|other| other.peer) {
                    let wait = 10 + self.chance(500);
                    self.later(wait, Happening::Report { node, stream: None, report: Report::Disconnected(peer) });
                }
            }
        }
    }

    fn index_of(&self, peer: PeerId) -> Option<usize> {
        self.nodes.iter().position(|node| node.peer == peer)
    }

    fn effect(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Dial { peer, .. } => {
                let wait = 20 + self.chance(100);
                self.later(wait, Happening::Dial { from: node, to: peer });
            }
            Effect::Send { request, peer, kind, body } => self.send(node, peer, request, kind, body),
            Effect::Acknowledge(delivery) => self.answer(node, delivery, None),
            Effect::Refuse(delivery, code) => self.answer(node, delivery, Some(code)),
            Effect::Disconnect(peer) => {
                if let Some(other) = self.index_of(peer) {
                    self.cut(node, other);
                }
            }
            Effect::Notify(_) => {}
        }
    }

    fn dial(&mut self, from: usize, to: PeerId) {
        let Some(other) = self.index_of(to) else { return };
        if self.weather.strikes(Fault::Partition, &mut self.rng) {
            self.apart.insert(pair(from, other));
            self.cut(from, other);
            let wait = 1_000 + self.chance(120_000);
            self.later(wait, Happening::Heal(from, other));
        }
        let reachable = self.nodes.get(other).is_some_and(|node| node.alive) && !self.apart.contains(&pair(from, other));
        if !self.nodes.get(from).is_some_and(|node| node.alive) || self.streams.contains_key(&pair(from, other)) {
            return;
        }
        if !reachable {
            let wait = 100 + self.chance(2_000);
            self.later(wait, Happening::Report { node: from, stream: None, report: Report::DialFailed(to) });
            return;
        }
        let id = self.next_stream;
        self.next_stream += 1;
        self.streams.insert(pair(from, other), Stream { id, opener: from, listener: other, sent: [0, 0] });
        for (node, peer, role) in [(from, other, Role::Dialer), (other, from, Role::Listener)] {
            let Some(sim) = self.nodes.get(peer) else { continue };
            let report = Report::Connected { peer: sim.peer, role, address: address_of(peer) };
            let wait = 1 + self.chance(5);
            self.later(wait, Happening::Report { node, stream: Some(id), report });
        }
    }

    fn send(&mut self, node: usize, peer: PeerId, request: RequestId, kind: FrameKind, body: Vec<u8>) {
        let Some(other) = self.index_of(peer) else { return };
        if self.weather.strikes(Fault::Disconnection, &mut self.rng) {
            self.cut(node, other);
        }
        let own = self.nodes.get(node).map(|node| node.peer);
        let (Some(stream), Some(own)) = (self.streams.get_mut(&pair(node, other)), own) else {
            self.later(1, Happening::Report { node, stream: None, report: Report::Lost(peer, request) });
            return;
        };
        let delivery = Delivery { peer: own, stream: stream.id, sequence: stream.next_sequence(node) };
        let id = stream.id;
        self.frames.insert((other, delivery), (node, request));
        let mut frame = Frame { request, delivery, kind, body };
        if kind == FrameKind::Payload && self.weather.strikes(Fault::Forgery, &mut self.rng) {
            // Somebody sends an altered copy in front of it, which nobody is told about.
            let mut forged = frame.clone();
            forged.delivery.sequence += 1 << 40;
            let at = usize::try_from(self.chance(forged.body.len() as u64)).unwrap_or_default();
            if let Some(byte) = forged.body.get_mut(at) {
                *byte ^= 1 << (at % 8);
            }
            self.put_on_the_way(other, id, &forged);
        }
        if self.weather.strikes(Fault::Duplication, &mut self.rng) {
            self.put_on_the_way(other, id, &frame);
        }
        if self.weather.strikes(Fault::Loss, &mut self.rng) {
            frame.body.clear();
            return;
        }
        self.put_on_the_way(other, id, &frame);
    }

    fn put_on_the_way(&mut self, to: usize, stream: u64, frame: &Frame) {
        let report = Report::Received { delivery: frame.delivery, kind: frame.kind, body: frame.body.clone() };
        // In order unless the weather says otherwise: a later frame is never put on the way before an earlier one.
        let mut wait = 10;
        if self.weather.strikes(Fault::Delay, &mut self.rng) {
            wait += self.chance(5_000);
        }
        if self.weather.strikes(Fault::Reordering, &mut self.rng) {
            wait += self.chance(200);
        }
        self.later(wait, Happening::Report { node: to, stream: Some(stream), report });
    }

    fn answer(&mut self, node: usize, delivery: Delivery, refusal: Option<NackCode>) {
        let Some((sender, request)) = self.frames.get(&(node, delivery)).copied() else { return };
        if self.weather.strikes(Fault::Loss, &mut self.rng) {
            return;
        }
        let Some(own) = self.nodes.get(node).map(|node| node.peer) else { return };
        let report = match refusal {
            None => Report::Sent(own, request),
            Some(code) => Report::Refused(own, request, code),
        };
        self.later(10, Happening::Report { node: sender, stream: Some(delivery.stream), report });
    }

    /// A person does what they want to do next: becomes a contact, says something.
    fn act(&mut self, node: usize) {
        if !self.nodes.get(node).is_some_and(|node| node.alive) {
            let wait = 1_000 + self.chance(2_000);
            self.later(wait, Happening::Act(node));
            return;
        }
        let links: Vec<_> = self.links.iter().filter(|(a, ..)| *a == node).cloned().collect();
        for (_, other, link) in links {
            let state = self.contact_state(node, other);
            if state.is_none() || state == Some(ContactState::Declined) {
                self.input(node, Input::Command(Command::AddContact { link, name: None }));
            }
        }
        let said = self.said.get(node).copied().unwrap_or_default();
        if said >= self.plan.messages {
            return;
        }
        self.say_something(node, said);
        let wait = if self.chance(4) == 0 { self.chance(60_000) } else { self.chance(2_000) };
        self.later(wait, Happening::Act(node));
    }

    fn contact_state(&self, node: usize, other: usize) -> Option<ContactState> {
        let (node, other) = (self.nodes.get(node)?, self.nodes.get(other)?);
        query::contact(&node.store as &dyn Read, other.identity).ok()?.map(|contact| contact.state)
    }

    fn say_something(&mut self, node: usize, number: usize) {
        let friends: Vec<usize> = (0..self.plan.people)
            .filter(|other| *other != node && self.contact_state(node, *other) == Some(ContactState::Accepted))
            .collect();
        let Ok(count) = u64::try_from(friends.len()) else { return };
        if count == 0 {
            return;
        }
        let choice = usize::try_from(self.chance(count)).unwrap_or_default();
        let Some(other) = friends.get(choice).copied() else { return };
        let Some((own, their)) = self.nodes.get(node).zip(self.nodes.get(other)).map(|(a, b)| (a.identity, b.identity))
        else {
            return;
        };
        let Some(body) = self.words(node, number) else { return };
        let mut id = [0; 16];
        self.rng.fill_bytes(&mut id);
        let id = MessageId::new(id);
        let conversation = kinfolk_crypto::conversation_id(&own, &their);
        let command = Command::SendMessage { id: Some(id), conversation, body: body.clone() };
        match self.input(node, Input::Command(command)) {
            Some(Ok(_)) => self.model.accepted(id, node, other, body),
            Some(Err(_)) => return,
            None => self.model.unanswered(id, node, other, body),
        }
        if let Some(said) = self.said.get_mut(node) {
            *said += 1;
        }
    }

    fn words(&mut self, node: usize, number: usize) -> Option<Body> {
        match self.chance(8) {
            0 => StickerId::new("kin", kinfolk_engine::stickers::packs().first()?.stickers.first()?.id)
                .ok()
                .map(Body::Sticker),
            1 => "47.3769,8.5417,12".parse::<GeoUri>().ok().map(Body::Location),
            _ => Text::new(format!("from {node} number {number}")).ok().map(Body::Text),
        }
    }
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// # Panics
/// Never: the text is an address.
fn address_of(node: usize) -> Address {
    #[allow(clippy::expect_used, reason = "the text is an address")]
    Address::new(&format!("/ip4/10.0.0.{}/udp/4001/quic-v1", node + 1)).expect("an address")
}
