//! A world: from a seed to a verdict.
//!
//! | file | what it holds |
//! |---|---|
//! | `world.rs` | time, the loop, the nodes' turns and commits |
//! | `wires.rs` | dials, streams, frames and their answers |
//! | `mailboxes.rs` | hosts, what is asked of them and their answers |
//! | `people.rs` | what people do: become contacts, talk, read, fall out |

mod mailboxes;
mod people;
mod wires;

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_engine::event::Notice;
use kinfolk_engine::input::Report;
use kinfolk_engine::{Effect, Event, Input, next_wakeup};
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::faults::{Fault, Weather};
use crate::model::{Contradiction, Errand, Model};
use crate::mutant::Mutant;
use crate::network::{FrameName, Happening, Life, Stream};
use crate::node::{Release, SimNode};
use crate::watch::Watch;
use mailboxes::Mailboxes;
use people::People;

/// What kind of world to make.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many people.
    pub people: usize,
    /// How many messages each says.
    pub messages: usize,
    /// Whether anything goes wrong.
    pub storm: bool,
    /// Whether people ask before they admit, decline, block, remove, and pass on each other's links.
    pub trouble: bool,
    /// How many mailbox hosts everybody names, of which a third misbehaves.
    pub mailboxes: usize,
    /// For how long, from the storm's first minute on, the network is in two parts, between which nothing passes.
    pub parted: Span,
    /// A fault planted in every engine.
    pub mutant: Option<Mutant>,
    /// Whether to keep a diary.
    pub diary: bool,
}

/// What a world came to.
#[derive(Debug)]
pub struct Verdict {
    /// How often each fault struck.
    pub injected: BTreeMap<Fault, u64>,
    /// How many messages people were told are on their way.
    pub messages: usize,
    /// How many lines waited for the other part of a network that was in two, when it became one again.
    pub waited: usize,
    /// How many turns ran.
    pub turns: u64,
    /// What is wrong, if anything is.
    pub outcome: Result<(), Contradiction>,
    /// Everything that happened, where the plan wanted it kept.
    pub diary: Vec<String>,
}

/// The moment every world begins at.
const DAWN: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// How long the faults last.
const STORM: Span = Span::from_secs(600);
/// How long a world may take to come to rest after them: a session is asked to start anew once an hour at most, and mail
/// that lies under another day because clocks differ is asked for once a day.
const PATIENCE: Span = Span::from_hours(26);
/// How many things may happen before a world is taken for one that never rests.
const HAPPENINGS: u64 = 60_000;
/// How many more for each second that the network is in two parts.
const HAPPENINGS_PARTED: u64 = 100;
/// When the network falls apart, in milliseconds: at some moment of the first half minute, in which people meet.
const PARTS_WITHIN: u64 = 30_000;
/// The longest sleep of a driver, in milliseconds.
const NAP: u64 = 60_000;
/// How long a driver waits after the disk refused a batch, in milliseconds.
const AFTER_FAILURE: u64 = 5_000;

/// A world.
pub struct World {
    now: Timestamp,
    rng: ChaCha8Rng,
    weather: Weather,
    plan: Plan,
    nodes: Vec<SimNode>,
    happenings: BTreeMap<(Timestamp, u64), Happening>,
    numbered: u64,
    turns: u64,
    streams: BTreeMap<(usize, usize), Stream>,
    next_stream: u64,
    /// Frames by the node and name under which the receiver answers them: their sender and its request.
    frames: BTreeMap<FrameName, (usize, kinfolk_engine::effect::RequestId)>,
    /// When each node was last told that a stream with another came or went: reports of one pair keep their order.
    told_of_stream: BTreeMap<(usize, usize), Timestamp>,
    apart: BTreeSet<(usize, usize)>,
    is_parted: bool,
    waited: usize,
    alarms: BTreeMap<usize, Timestamp>,
    hosts: Mailboxes,
    people: People,
    model: Model,
    watch: Watch,
    breach: Option<Contradiction>,
    diary: Vec<String>,
}

impl World {
    /// Runs the world of a seed to its verdict.
    #[must_use]
    pub fn run(seed: u64, plan: Plan) -> Verdict {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut weather = Weather::draw(&mut rng);
        if plan.trouble {
            // What a person did and their node forgot, they would do again; these people do things once.
            weather.without(Fault::Rollback);
        }
        let nodes = (0..plan.people).map(|index| SimNode::new(index, DAWN, &mut rng)).collect();
        let hosts = Mailboxes::draw(plan.mailboxes, &mut rng);
        let mut world = Self {
            now: DAWN,
            rng,
            weather,
            plan,
            nodes,
            happenings: BTreeMap::new(),
            numbered: 0,
            turns: 0,
            streams: BTreeMap::new(),
            next_stream: 1,
            frames: BTreeMap::new(),
            told_of_stream: BTreeMap::new(),
            apart: BTreeSet::new(),
            is_parted: false,
            waited: 0,
            alarms: BTreeMap::new(),
            hosts,
            people: People::new(plan.people),
            model: Model::default(),
            watch: Watch::default(),
            breach: None,
            diary: Vec::new(),
        };
        let outcome = world.live();
        Verdict {
            injected: world.weather.injected,
            messages: world.model.len(),
            waited: world.waited,
            turns: world.turns,
            outcome,
            diary: world.diary,
        }
    }

    fn live(&mut self) -> Result<(), Contradiction> {
        for node in 0..self.plan.people {
            self.start(node);
        }
        self.meet();
        self.name_hosts();
        if self.plan.storm {
            self.weather.rage();
        }
        let storm_ends = self.now.after(STORM.max(self.plan.parted));
        if self.plan.parted > Span::ZERO {
            let wait = self.chance(PARTS_WITHIN);
            self.later(wait, Happening::Part);
            self.at(storm_ends, Happening::Reunite);
        }
        let most = HAPPENINGS + HAPPENINGS_PARTED * self.plan.parted.as_millis() / 1_000;
        let end = storm_ends.after(PATIENCE);
        let (mut raging, mut happened, mut looked_at) = (true, 0, self.now);
        while let Some(((at, number), happening)) = self.happenings.pop_first() {
            if at > storm_ends && raging {
                raging = false;
                self.happenings.insert((at, number), happening);
                self.calm();
                continue;
            }
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            happened += 1;
            if happened > most {
                return Err(Contradiction("the world does not come to rest".to_owned()));
            }
            self.happen(happening);
            if let Some(breach) = self.breach.take() {
                return Err(breach);
            }
            if !raging && self.now.since(looked_at) >= Span::from_secs(1) {
                looked_at = self.now;
                if self.is_at_rest() {
                    break;
                }
            }
        }
        self.judge()
    }

    fn judge(&self) -> Result<(), Contradiction> {
        for a in 0..self.plan.people {
            for b in 0..a {
                self.model.check_pair(a, b, &self.nodes)?;
            }
        }
        self.judge_relations()?;
        if self.model.is_empty() && !self.plan.trouble {
            return Err(Contradiction("nobody said anything".to_owned()));
        }
        Ok(())
    }

    /// The faults are over: what is broken is mended, and everybody finishes what they wanted to do. Whoever has moved is
    /// seen on the local network, so that even those who all moved at once find each other; the others must dial.
    fn calm(&mut self) {
        self.weather.calm_down();
        self.apart.clear();
        for node in 0..self.plan.people {
            self.revive(node);
            self.later(1, Happening::Act(node));
        }
        for node in 0..self.plan.people {
            for other in (0..self.plan.people).filter(|other| *other != node) {
                let Some((seen, from)) = self.nodes.get(other).zip(self.nodes.get(node)) else { continue };
                if !seen.has_moved() {
                    continue;
                }
                let report = Report::Discovered { peer: seen.peer, addresses: vec![seen.address()] };
                let node = from.life();
                // Again later, to whoever has forgotten it with the person.
                for wait in [2, 30 * 60_000, 3 * 3_600_000] {
                    let report = report.clone();
                    self.later(wait, Happening::Report { node, stream: None, report, genuine: None });
                }
            }
        }
    }

    fn is_at_rest(&self) -> bool {
        (0..self.plan.people).all(|node| self.is_content(node) && self.is_delivered(node))
    }

    /// Whether all that a node has to say has come to everybody it can come to.
    fn is_delivered(&self, index: usize) -> bool {
        let Some(node) = self.nodes.get(index) else { return true };
        (0..self.plan.people).filter(|other| *other != index).all(|other| {
            let Some(their) = self.nodes.get(other).map(|other| other.identity) else { return true };
            !self.model.expects_delivery(index, other)
                || node.screen(their).iter().all(|line| !self.model.is_pending(line))
        })
    }

    fn later(&mut self, millis: u64, happening: Happening) {
        self.at(self.now.after(Span::from_millis(millis)), happening);
    }

    fn at(&mut self, moment: Timestamp, happening: Happening) {
        self.numbered += 1;
        self.happenings.insert((moment, self.numbered), happening);
    }

    fn chance(&mut self, below: u64) -> u64 {
        u64::from(self.rng.next_u32()) % below.max(1)
    }

    fn note(&mut self, entry: impl FnOnce() -> String) {
        if self.plan.diary {
            let at = self.now.since(DAWN).as_millis();
            self.diary.push(format!("{at} {}", entry()));
        }
    }

    fn is_current(&self, life: Life) -> bool {
        self.nodes.get(life.node).is_some_and(|node| node.alive && node.life() == life)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Dial { from, to, addresses } => self.dial(from, to, &addresses),
            Happening::Report { node, stream, report, genuine } => {
                if self.is_current(node) && stream.is_none_or(|stream| self.stream_stands(stream)) {
                    self.settle(node.node, stream, &report);
                    self.hear(node.node, report, genuine);
                }
            }
            Happening::Commit(life) => {
                if self.is_current(life) {
                    self.commit(life.node);
                }
            }
            Happening::Alarm(node) => {
                if self.alarms.get(&node).is_some_and(|due| *due <= self.now) {
                    self.alarms.remove(&node);
                    self.input(node, Input::Wake, Errand::Nothing, None);
                }
            }
            Happening::Restart(node) => self.revive(node),
            Happening::Heal(a, b) => {
                self.apart.remove(&wires::pair(a, b));
            }
            Happening::Part => self.part(),
            Happening::Reunite => self.reunite(),
            Happening::Act(node) => self.act(node),
        }
    }

    fn start(&mut self, node: usize) {
        let Some(address) = self.nodes.get(node).map(SimNode::address) else { return };
        self.input(node, Input::Started, Errand::Nothing, None);
        self.hear(node, Report::Listening(address), None);
    }

    /// Starts a node that has died; perhaps somewhere else, perhaps with an older copy of its store.
    fn revive(&mut self, index: usize) {
        let moves = self.weather.strikes(Fault::Move, &mut self.rng);
        let Some(node) = self.nodes.get_mut(index) else { return };
        if node.alive {
            return;
        }
        node.alive = true;
        if moves {
            node.move_away();
        }
        if node.has_backup() && self.weather.strikes(Fault::Rollback, &mut self.rng) {
            let lost = node.restore();
            let uncertain = self.own_uncertain(index);
            self.note(|| format!("n{index} RESTORED"));
            self.model.rolled_back(&lost, uncertain);
            self.give_up_saying(index);
        }
        self.start(index);
    }

    /// A node's own lines that it does not know to have come.
    fn own_uncertain(&self, index: usize) -> Vec<kinfolk_wire::ids::MessageId> {
        let Some(node) = self.nodes.get(index) else { return Vec::new() };
        let lines = self.nodes.iter().flat_map(|other| node.screen(other.identity));
        lines.filter(|line| self.model.is_pending(line)).map(|line| line.place.id).collect()
    }

    fn hear(&mut self, node: usize, report: Report, genuine: Option<Vec<u8>>) {
        self.input(node, Input::Network(report), Errand::Nothing, genuine);
    }

    /// Gives a node an input, after what it heard in vain, and has its batch committed now or when the disk is ready.
    fn input(&mut self, index: usize, input: Input, errand: Errand, genuine: Option<Vec<u8>>) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        if !node.alive {
            return;
        }
        for input in node.take_heard_in_vain() {
            self.turn(index, input, Errand::Nothing, None);
        }
        self.turn(index, input, errand, genuine);
        let Some(node) = self.nodes.get_mut(index) else { return };
        if node.waits_for_disk {
            return;
        }
        if self.weather.strikes(Fault::SlowDisk, &mut self.rng) {
            node.waits_for_disk = true;
            let life = node.life();
            let wait = 1 + self.chance(200);
            self.later(wait, Happening::Commit(life));
        } else {
            self.commit(index);
        }
    }

    fn turn(&mut self, index: usize, input: Input, errand: Errand, genuine: Option<Vec<u8>>) {
        self.turns += 1;
        self.note(|| format!("n{index} {input:?}"));
        let Some(node) = self.nodes.get_mut(index) else { return };
        let early = node.turn(self.now, &mut self.rng, self.plan.mutant, (input, errand), genuine);
        if let Some(breach) = early.breach {
            self.breach(index, &breach);
        }
        if early.unopened && !self.may_lose_sessions() {
            self.breach(index, "what a device of theirs sealed does not open");
        }
        self.release(index, early.released);
    }

    /// Whether something in this world takes sessions away.
    fn may_lose_sessions(&self) -> bool {
        self.plan.trouble || self.weather.has_struck(Fault::Rollback)
    }

    fn breach(&mut self, node: usize, text: &str) {
        self.note(|| format!("n{node} BREACH {text}"));
        self.breach.get_or_insert_with(|| Contradiction(format!("node {node}: {text}")));
    }

    fn commit(&mut self, index: usize) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        let outcome = node.commit(&mut self.rng, &mut self.weather);
        self.release(index, outcome.released);
        for errand in outcome.unanswered {
            self.unanswered(errand);
        }
        if outcome.crashed {
            self.note(|| format!("n{index} CRASHED"));
            self.crashed(index);
        } else if outcome.failed {
            self.note(|| format!("n{index} NOT COMMITTED"));
            let due = self.now.after(Span::from_millis(AFTER_FAILURE));
            self.alarms.insert(index, due);
            self.at(due, Happening::Alarm(index));
        } else {
            self.set_alarm(index);
        }
    }

    fn set_alarm(&mut self, index: usize) {
        let Some(node) = self.nodes.get(index) else { return };
        let Ok(next) = next_wakeup(&node.store) else { return };
        let wait = next.map_or(NAP, |due| due.since(node.clock(self.now)).as_millis().min(NAP));
        let due = self.now.after(Span::from_millis(wait));
        if self.alarms.get(&index).is_none_or(|set| due < *set) {
            self.alarms.insert(index, due);
            self.at(due, Happening::Alarm(index));
        }
    }

    /// What leaves a node is looked at, and goes where it is meant to.
    fn release(&mut self, index: usize, released: Vec<Release>) {
        for release in released {
            match release {
                Release::Effect(effect) => {
                    self.note(|| format!("    n{index} -> {effect:?}"));
                    if let Some(breach) = self.watch.breach_of_effect(index, &self.nodes, &effect) {
                        self.breach(index, &breach);
                    }
                    self.effect(index, effect);
                }
                Release::Answer(errand, answer) => self.answered(errand, answer.is_ok()),
            }
        }
    }

    fn effect(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Dial { peer, addresses } => {
                let wait = 20 + self.chance(100);
                self.later(wait, Happening::Dial { from: node, to: peer, addresses });
            }
            Effect::Send { request, peer, kind, body } => self.send(node, peer, request, kind, body),
            Effect::Acknowledge(delivery) => self.reply(node, delivery, None),
            Effect::Refuse(delivery, code) => self.reply(node, delivery, Some(code)),
            Effect::Disconnect(peer) => {
                if let Some(other) = self.index_of(peer) {
                    self.cut(node, other);
                }
            }
            Effect::Notify(Notice { event: Event::SessionReset(_), .. }) => self.people.resets += 1,
            Effect::Ask { request, host, body, .. } => self.ask_host(node, request, host, &body.encode()),
            // There is no hash table in these worlds, and no engine is told of one.
            Effect::Notify(_)
            | Effect::Answer(..)
            | Effect::Inquire { .. }
            | Effect::Contact { .. }
            | Effect::Publish { .. }
            | Effect::Find { .. }
            | Effect::Introduce { .. } => {}
        }
    }
}
