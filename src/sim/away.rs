//! A town of people who are seldom there: each is connected for a share of the time, and what they say to each other
//! finds its way by mailboxes of which a third misbehaves. Nothing breaks here that the stormy worlds break; there are
//! many more people and days instead, and what is asked is how soon everything has come and what it costs.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_engine::effect::RequestId;
use kinfolk_engine::event::{Event, Notice};
use kinfolk_engine::input::{Admission, Command, Delivery, MailboxChoice, Report};
use kinfolk_engine::store::MemoryStore;
use kinfolk_engine::{Answer, Effect, Input, found, next_wakeup, turn};
use kinfolk_wire::content::{Body, Text};
use kinfolk_wire::direct::{FrameKind, NackCode, Role};
use kinfolk_wire::ids::{IdentityId, MessageId, PeerId};
use kinfolk_wire::invite::{Address, Uses};
use kinfolk_wire::mailbox::Host;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::host::{Conduct, MailboxHost};

/// The moment everything begins at.
const DAWN: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// How long everybody is there at first, to become contacts.
const MEETING: Span = Span::from_secs(600);
/// How long one is there at a time, on average, in milliseconds.
const STAY: u64 = 90 * 60_000;
/// The longest absence: nobody is away for a whole day, in which nothing could reach them.
const LONGEST_ABSENCE: u64 = 20 * 3_600_000;
/// How long after the last line all must have come.
const DRAIN: Span = Span::from_hours(72);
/// What a connection costs both ways before anything is asked on it, in bytes: a QUIC handshake with the post-quantum key
/// exchange, rounded up.
pub const HANDSHAKE_BYTES: u64 = 8_000;
/// The longest sleep of a driver, in milliseconds.
const NAP: u64 = 600_000;

/// What kind of town.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many people.
    pub people: usize,
    /// How many contacts each has at least.
    pub contacts: usize,
    /// For how long they talk; then for three days nobody says anything new.
    pub talk: Span,
    /// The share of the time that each is there, in hundredths.
    pub there: u64,
    /// How often each says something while there, on average.
    pub says_every: Span,
    /// The share of people who never say anything and to whom nothing is said, in hundredths.
    pub silent: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Lines that were said.
    pub said: u64,
    /// Of them, those on the other screen within 24 hours.
    pub within_a_day: u64,
    /// And within 72.
    pub within_three_days: u64,
    /// Those that came twice.
    pub twice: u64,
    /// Those of which the sender knows that they came.
    pub known: u64,
    /// Lines that were said while the other was away.
    pub to_the_absent: u64,
    /// The delays of all that came, in milliseconds, ascending.
    pub delays: Vec<u64>,
    /// Bytes a day of a silent person's node that is always there, handshakes with it.
    pub idle_bytes_a_day: u64,
    /// The same of the busiest node.
    pub most_bytes_a_day: u64,
    /// Turns of engines.
    pub turns: u64,
}

struct Person {
    identity: IdentityId,
    peer: PeerId,
    store: MemoryStore,
    there: bool,
    /// Counts comings and goings, so that what was meant for an earlier stay is not heard.
    stay: u64,
    alarm: Option<Timestamp>,
    contacts: Vec<usize>,
    silent: bool,
    bytes: u64,
}

enum Happening {
    Alarm(usize, u64),
    Hear(usize, u64, Report),
    Comes(usize),
    Goes(usize),
    Speaks(usize),
}

/// A frame that was sent and is not answered.
struct Unanswered {
    from: usize,
    request: RequestId,
}

struct Town {
    plan: Plan,
    now: Timestamp,
    rng: ChaCha8Rng,
    people: Vec<Person>,
    hosts: Vec<(Host, MailboxHost)>,
    happenings: BTreeMap<(Timestamp, u64), Happening>,
    numbered: u64,
    streams: BTreeSet<(usize, usize)>,
    unanswered: BTreeMap<(usize, u64), Unanswered>,
    frames: u64,
    said: BTreeMap<MessageId, (Timestamp, bool)>,
    came: BTreeMap<MessageId, Timestamp>,
    known: BTreeSet<MessageId>,
    outcome: Outcome,
}

/// Runs a town from a seed.
#[must_use]
pub fn run(seed: u64, plan: Plan) -> Outcome {
    let mut town = Town::found(seed, plan);
    town.meet();
    town.live();
    town.judge()
}

fn address(index: usize) -> Address {
    #[allow(clippy::expect_used, reason = "the text is an address")]
    Address::new(&format!("/ip4/10.{}.{}.1/udp/4001/quic-v1", index / 256, index % 256)).expect("an address")
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Town {
    fn found(seed: u64, plan: Plan) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let people = (0..plan.people).map(|index| person(index, &plan, &mut rng)).collect();
        let hosts = (0..plan.people.div_ceil(30) * 3).map(|number| host(number, &mut rng)).collect();
        Self {
            plan,
            now: DAWN,
            rng,
            people,
            hosts,
            happenings: BTreeMap::new(),
            numbered: 0,
            streams: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            frames: 0,
            said: BTreeMap::new(),
            came: BTreeMap::new(),
            known: BTreeSet::new(),
            outcome: Outcome::default(),
        }
    }

    /// Everybody names three hosts and becomes a contact of those after them.
    fn meet(&mut self) {
        let count = self.people.len();
        for index in 0..count {
            self.come(index);
        }
        for index in 0..count {
            let first = index % (self.hosts.len() / 3) * 3;
            for (card, _) in self.hosts.get(first..first + 3).unwrap_or_default().to_vec() {
                self.input(index, Input::Command(Command::AddMailbox(MailboxChoice::Host(card))));
            }
            for step in 1..=self.plan.contacts.div_ceil(2) {
                let other = (index + step * step) % count;
                if other == index || self.people.get(index).is_some_and(|person| person.contacts.contains(&other)) {
                    continue;
                }
                self.introduce(index, other);
            }
        }
        self.until(DAWN.after(MEETING));
    }

    fn introduce(&mut self, one: usize, other: usize) {
        let lifetime = Span::from_days(1);
        let create = Command::CreateInvite { uses: Uses::Once, lifetime, admission: Admission::Accept };
        if let Some(Answer::Invite(link)) = self.input(one, Input::Command(create)) {
            self.input(other, Input::Command(Command::AddContact { link, name: None }));
            for (a, b) in [(one, other), (other, one)] {
                if let Some(person) = self.people.get_mut(a) {
                    person.contacts.push(b);
                }
            }
        }
        // Those who meet do so one after the other.
        self.until(self.now.after(Span::from_millis(20)));
    }

    fn live(&mut self) {
        for index in 0..self.people.len() {
            // The first of the silent stays for good, to measure what that costs.
            if self.is_measured(index) {
                continue;
            }
            let wait = self.chance(STAY * 100 / self.plan.there.max(1));
            self.later(wait, Happening::Goes(index));
            if !self.people.get(index).is_some_and(|person| person.silent) {
                let wait = self.chance(self.plan.says_every.as_millis());
                self.later(wait, Happening::Speaks(index));
            }
        }
        for person in &mut self.people {
            person.bytes = 0;
        }
        let end = self.now.after(self.plan.talk).after(DRAIN);
        self.until(end);
    }

    fn is_measured(&self, index: usize) -> bool {
        self.people.iter().position(|person| person.silent) == Some(index)
    }

    fn judge(mut self) -> Outcome {
        for (id, (at, absent)) in &self.said {
            self.outcome.said += 1;
            self.outcome.to_the_absent += u64::from(*absent);
            self.outcome.known += u64::from(self.known.contains(id));
            let Some(came) = self.came.get(id) else { continue };
            let delay = came.since(*at);
            self.outcome.within_a_day += u64::from(delay <= Span::from_hours(24));
            self.outcome.within_three_days += u64::from(delay <= Span::from_hours(72));
            self.outcome.delays.push(delay.as_millis());
        }
        self.outcome.delays.sort_unstable();
        let day = Span::from_days(1).as_millis();
        let lived = (self.plan.talk.as_millis() + DRAIN.as_millis()).max(1);
        let a_day = |bytes: u64| bytes.saturating_mul(day) / lived;
        let idle = self.people.iter().find(|person| person.silent);
        self.outcome.idle_bytes_a_day = idle.map_or(0, |person| a_day(person.bytes));
        self.outcome.most_bytes_a_day = a_day(self.people.iter().map(|person| person.bytes).max().unwrap_or(0));
        self.outcome
    }

    fn chance(&mut self, below: u64) -> u64 {
        self.rng.next_u64() % below.max(1)
    }

    fn later(&mut self, millis: u64, happening: Happening) {
        self.numbered += 1;
        self.happenings.insert((self.now.after(Span::from_millis(millis)), self.numbered), happening);
    }

    fn until(&mut self, end: Timestamp) {
        while let Some(entry) = self.happenings.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((at, _), happening) = entry.remove_entry();
            self.now = self.now.max(at);
            self.happen(happening);
        }
        self.now = self.now.max(end);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Alarm(index, stay) => {
                let now = self.now;
                let due = self.people.get_mut(index).filter(|person| person.there && person.stay == stay);
                if let Some(person) = due.filter(|person| person.alarm.is_some_and(|at| at <= now)) {
                    person.alarm = None;
                    self.input(index, Input::Wake);
                }
            }
            Happening::Hear(index, stay, report) => {
                if self.people.get(index).is_some_and(|person| person.there && person.stay == stay) {
                    self.input(index, Input::Network(report));
                }
            }
            Happening::Comes(index) => {
                self.come(index);
                let wait = STAY / 2 + self.chance(STAY);
                self.later(wait, Happening::Goes(index));
            }
            Happening::Goes(index) => {
                self.go(index);
                // As long away as makes the share of time that they are there, seldom much longer.
                let usual = STAY * (100 - self.plan.there) / self.plan.there.max(1);
                let long = self.chance(50) == 0;
                let wait = if long { self.chance(LONGEST_ABSENCE) } else { usual / 2 + self.chance(usual) };
                self.later(wait, Happening::Comes(index));
            }
            Happening::Speaks(index) => self.speak(index),
        }
    }

    fn come(&mut self, index: usize) {
        if let Some(person) = self.people.get_mut(index) {
            person.there = true;
            person.stay += 1;
            person.alarm = None;
        }
        self.input(index, Input::Started);
        self.input(index, Input::Network(Report::Listening(address(index))));
    }

    fn go(&mut self, index: usize) {
        if let Some(person) = self.people.get_mut(index) {
            person.there = false;
            person.store.forget_volatile();
        }
        let gone: Vec<(usize, usize)> =
            self.streams.iter().filter(|(a, b)| *a == index || *b == index).copied().collect();
        for (a, b) in gone {
            self.cut(a, b);
        }
    }

    fn cut(&mut self, a: usize, b: usize) {
        if !self.streams.remove(&pair(a, b)) {
            return;
        }
        for (index, other) in [(a, b), (b, a)] {
            let Some(peer) = self.people.get(other).map(|person| person.peer) else { continue };
            let lost: Vec<(usize, u64)> = self
                .unanswered
                .iter()
                .filter(|((to, _), frame)| *to == other && frame.from == index)
                .map(|(name, _)| *name)
                .collect();
            for name in lost {
                if let Some(frame) = self.unanswered.remove(&name) {
                    self.tell(index, 500, Report::Lost(peer, frame.request));
                }
            }
            self.tell(index, 500, Report::Disconnected(peer));
        }
    }

    fn tell(&mut self, index: usize, millis: u64, report: Report) {
        if let Some(stay) = self.people.get(index).filter(|person| person.there).map(|person| person.stay) {
            self.later(millis, Happening::Hear(index, stay, report));
        }
    }

    fn speak(&mut self, index: usize) {
        let every = self.plan.says_every.as_millis();
        let talking = self.now < DAWN.after(MEETING).after(self.plan.talk);
        if !talking {
            return;
        }
        let wait = every / 2 + self.chance(every);
        self.later(wait, Happening::Speaks(index));
        let Some(person) = self.people.get(index).filter(|person| person.there) else { return };
        let talkative = |other: &&usize| self.people.get(**other).is_some_and(|person| !person.silent);
        let others: Vec<usize> = person.contacts.iter().filter(talkative).copied().collect();
        let own = person.identity;
        let at = usize::try_from(self.chance(others.len() as u64)).unwrap_or_default();
        let Some(other) = others.get(at).and_then(|other| self.people.get(*other)) else { return };
        let absent = !other.there;
        let conversation = kinfolk_crypto::conversation_id(&own, &other.identity);
        let Ok(text) = Text::new(format!("line {}", self.said.len())) else { return };
        let command = Command::SendMessage { id: None, conversation, body: Body::Text(text) };
        if let Some(Answer::Message(place, _)) = self.input(index, Input::Command(command)) {
            self.said.insert(place.id, (self.now, absent));
        }
    }

    fn input(&mut self, index: usize, input: Input) -> Option<Answer> {
        self.outcome.turns += 1;
        let person = self.people.get_mut(index)?;
        let made = turn(self.now, &mut self.rng, &person.store, input).ok()?;
        person.store.commit(&made.changes);
        for effect in made.effects {
            self.effect(index, effect);
        }
        self.set_alarm(index);
        Some(made.answer)
    }

    fn set_alarm(&mut self, index: usize) {
        let now = self.now;
        let Some(person) = self.people.get_mut(index) else { return };
        let wait = match next_wakeup(&person.store) {
            Ok(Some(due)) => due.since(now).as_millis().min(NAP),
            _ => NAP,
        };
        let due = now.after(Span::from_millis(wait));
        if person.alarm.is_none_or(|set| due < set) {
            person.alarm = Some(due);
            let stay = person.stay;
            self.later(wait, Happening::Alarm(index, stay));
        }
    }

    fn index_of(&self, peer: PeerId) -> Option<usize> {
        let bytes = peer.as_bytes();
        let index = usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
        self.people.get(index).filter(|person| person.peer == peer).map(|_| index)
    }

    fn count_bytes(&mut self, index: usize, bytes: usize) {
        if let Some(person) = self.people.get_mut(index) {
            person.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        }
    }

    fn effect(&mut self, index: usize, effect: Effect) {
        match effect {
            Effect::Dial { peer, .. } => self.dial(index, peer),
            Effect::Send { request, peer, kind, body } => self.send(index, peer, request, kind, body),
            Effect::Acknowledge(delivery) => self.answer(index, delivery, None),
            Effect::Refuse(delivery, code) => self.answer(index, delivery, Some(code)),
            Effect::Disconnect(peer) => {
                if let Some(other) = self.index_of(peer) {
                    self.cut(index, other);
                }
            }
            Effect::Ask { request, host, body, .. } => self.ask(index, request, host, &body.encode()),
            Effect::Notify(Notice { event: Event::MessageAdded(place), .. }) => {
                if self.people.get(index).is_some_and(|person| person.identity != place.sender)
                    && self.came.insert(place.id, self.now).is_some()
                {
                    self.outcome.twice += 1;
                }
            }
            Effect::Notify(Notice { event: Event::MessageChanged(place, state), .. }) => {
                if state == kinfolk_engine::store::MessageState::Delivered {
                    self.known.insert(place.id);
                }
            }
            Effect::Notify(_)
            | Effect::Answer(..)
            | Effect::Inquire { .. }
            | Effect::Contact { .. }
            | Effect::Publish { .. }
            | Effect::Find { .. }
            | Effect::Introduce { .. } => {}
        }
    }

    fn dial(&mut self, from: usize, peer: PeerId) {
        let other = self.index_of(peer).filter(|other| self.people.get(*other).is_some_and(|person| person.there));
        let Some(other) = other.filter(|other| !self.streams.contains(&pair(from, *other))) else {
            return self.tell(from, 2_000, Report::DialFailed(peer));
        };
        self.streams.insert(pair(from, other));
        let Some(own) = self.people.get(from).map(|person| person.peer) else { return };
        self.tell(from, 100, Report::Connected { peer, role: Role::Dialer, address: address(other) });
        self.tell(other, 100, Report::Connected { peer: own, role: Role::Listener, address: address(from) });
    }

    fn send(&mut self, from: usize, peer: PeerId, request: RequestId, kind: FrameKind, body: Vec<u8>) {
        self.count_bytes(from, body.len());
        let own = self.people.get(from).map(|person| person.peer);
        let to = self.index_of(peer).filter(|other| self.streams.contains(&pair(from, *other)));
        let (Some(to), Some(own)) = (to, own) else {
            return self.tell(from, 1, Report::Lost(peer, request));
        };
        self.count_bytes(to, body.len());
        self.frames += 1;
        let delivery = Delivery { peer: own, stream: 1, sequence: self.frames };
        self.unanswered.insert((to, self.frames), Unanswered { from, request });
        self.tell(to, 101, Report::Received { delivery, kind, body });
    }

    fn answer(&mut self, index: usize, delivery: Delivery, code: Option<NackCode>) {
        let Some(frame) = self.unanswered.remove(&(index, delivery.sequence)) else { return };
        let Some(peer) = self.people.get(index).map(|person| person.peer) else { return };
        let report = match code {
            None => Report::Sent(peer, frame.request),
            Some(code) => Report::Refused(peer, frame.request, code),
        };
        self.tell(frame.from, 100, report);
    }

    fn ask(&mut self, index: usize, request: RequestId, host: PeerId, body: &[u8]) {
        let reply = self.hosts.iter_mut().find(|(card, _)| card.peer == host).and_then(|(_, host)| host.answer(body));
        // A connection for each question is the most that it can cost.
        let overhead = usize::try_from(HANDSHAKE_BYTES).unwrap_or(usize::MAX);
        self.count_bytes(index, body.len() + overhead + reply.as_ref().map_or(0, Vec::len));
        let wait = 200 + self.chance(300);
        self.tell(index, wait, reply.map_or(Report::Unanswered(request), |reply| Report::Answered(request, reply)));
    }
}

fn person(index: usize, plan: &Plan, rng: &mut ChaCha8Rng) -> Person {
    let mut bytes = [0; PeerId::LENGTH];
    rng.fill_bytes(&mut bytes);
    let [high, low] = u16::try_from(index).unwrap_or(u16::MAX).to_be_bytes();
    bytes[0] = high;
    bytes[1] = low;
    let peer = PeerId::new(bytes);
    let mut key = [0; 32];
    rng.fill_bytes(&mut key);
    #[allow(clippy::expect_used, reason = "a town without its people cannot begin")]
    let founded =
        found(DAWN, rng, Name::new(&format!("person{index}")).expect("a name"), None, &key, peer).expect("a profile");
    let mut store = MemoryStore::default();
    store.commit(&founded.changes);
    Person {
        identity: founded.profile.identity,
        peer,
        store,
        there: false,
        stay: 0,
        alarm: None,
        contacts: Vec::new(),
        silent: (index as u64 * 37) % 100 < plan.silent,
        bytes: 0,
    }
}

fn host(number: usize, rng: &mut ChaCha8Rng) -> (Host, MailboxHost) {
    let mut bytes = [0xff; PeerId::LENGTH];
    rng.fill_bytes(bytes.split_at_mut(2).1);
    let conduct = if number % 3 == 2 {
        Conduct::BAD.get(number / 3 % Conduct::BAD.len()).copied().unwrap_or_default()
    } else {
        Conduct::Honest
    };
    let card = Host { peer: PeerId::new(bytes), addresses: vec![address(number)], work_bits: 0 };
    (card, MailboxHost { conduct, ..MailboxHost::default() })
}
