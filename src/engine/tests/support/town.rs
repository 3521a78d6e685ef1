//! A few engines on a network that loses nothing, driven by hand. A test can also play the network: look at what is
//! under way, put something else in its place, make up frames, take nodes away and bring them back.

#![allow(dead_code, reason = "each test uses what it needs")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kinfolk_crypto::mailbox::{bits_for, stamp};
use kinfolk_crypto::{InviteSecret, Session, open_invite};
use kinfolk_engine::effect::RequestId;
use kinfolk_engine::input::{Admission, AskId, Command, Delivery, Report};
use kinfolk_engine::store::{
    Changes, Contact, Device, Key, KeyMaterial, Link, MemoryStore, Profile, Read, ReadError, Record, Row, Scan,
    Scanned, Table,
};
use kinfolk_engine::{Answer, Effect, Input, Refusal, Turn, found, next_wakeup, query, turn};
use kinfolk_wire::content::{Body, Content, Plaintext, Text};
use kinfolk_wire::direct::{FrameKind, NackCode, Role};
use kinfolk_wire::ids::{ConversationId, IdentityId, MessageId, PeerId, RecordKey};
use kinfolk_wire::invite::{Address, InviteLink, Uses};
use kinfolk_wire::mailbox;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

#[allow(unreachable_pub, reason = "the simulator's, which shows it to its own tests")]
#[path = "../../../sim/host.rs"]
pub(crate) mod mailbox_host;

use mailbox_host::MailboxHost;

/// Rows, of which a failed comparison shows the keys alone.
#[derive(Clone, PartialEq)]
pub(crate) struct Rows(pub(crate) Vec<(Key, Row)>);

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(key, _)| key)).finish()
    }
}

/// A peer that is nobody of the town.
pub(crate) const STRANGER: PeerId = PeerId::new([99; PeerId::LENGTH]);

#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) identity: IdentityId,
    pub(crate) store: MemoryStore,
    /// The 24 words.
    pub(crate) words: String,
    asleep: bool,
    /// Rows that cannot be read.
    pub(crate) damaged: BTreeSet<Key>,
    /// Rows that the disk does not give.
    pub(crate) withheld: BTreeSet<Key>,
}

/// A store of which some rows cannot be read.
struct Torn<'a>(&'a Person);

impl Read for Torn<'_> {
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
        if self.0.withheld.contains(key) {
            return Err(ReadError::Disk("an error of input or output".to_owned()));
        }
        match self.0.damaged.contains(key) {
            true => Err(ReadError::Damaged { table: key.table(), reason: "a flipped bit".to_owned() }),
            false => self.0.store.get(key),
        }
    }

    fn scan(&self, scan: &Scan) -> Result<Scanned, ReadError> {
        let mut scanned = self.0.store.scan(scan)?;
        let all = scanned.rows.len();
        scanned.rows.retain(|(key, _)| !self.0.damaged.contains(key));
        scanned.damaged += all - scanned.rows.len();
        Ok(scanned)
    }
}

/// What anybody put under each key, and until when it is there.
pub(crate) type HashTable = BTreeMap<RecordKey, Vec<(Timestamp, Vec<u8>)>>;

#[derive(Clone)]
pub(crate) struct Town {
    pub(crate) now: Timestamp,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) people: Vec<Person>,
    /// What was asked for, by whom.
    pub(crate) effects: Vec<(usize, Effect)>,
    /// Payloads whose sender's number stands here are lost on the way.
    pub(crate) lost: Vec<(usize, u64)>,
    /// What is under way, and to whom.
    pub(crate) reports: VecDeque<(usize, Report)>,
    /// Whether a row was ever damaged: then an alarm may be set twice.
    pub(crate) torn: bool,
    unanswered: BTreeMap<(usize, u64), (usize, RequestId)>,
    connected: BTreeSet<(usize, usize)>,
    /// Mailbox hosts that are nobody's node, by the number of their peer.
    pub(crate) hosts: BTreeMap<usize, MailboxHost>,
    /// Who asked this mailbox what, by the number of the question.
    asked: BTreeMap<u64, (usize, RequestId)>,
    /// Whom each node's network was last told to be a contact's device, or none.
    pub(crate) contacts: BTreeMap<(usize, usize), bool>,
    /// What witnesses were asked: who asks, under which number, whom, and what.
    pub(crate) inquiries: Vec<(usize, RequestId, PeerId, Vec<u8>)>,
    frames: u64,
    /// Where those are who are not at their first address; others reach them there alone.
    pub(crate) moved: BTreeMap<usize, Address>,
    /// By how much clocks are ahead.
    pub(crate) ahead: BTreeMap<usize, Span>,
    /// Nothing where there is no hash table.
    pub(crate) hash_table: Option<HashTable>,
}

pub(crate) fn peer(who: usize) -> PeerId {
    PeerId::new([u8::try_from(who).unwrap() + 1; PeerId::LENGTH])
}

fn who_is(peer: PeerId) -> usize {
    usize::from(peer.as_bytes()[0]) - 1
}

pub(crate) fn address(who: usize) -> Address {
    Address::new(&format!("/ip4/192.0.2.{}/udp/4001/quic-v1", who + 1)).unwrap()
}

/// How a frame was refused, where it was.
pub(crate) fn refused(made: &Turn) -> Option<NackCode> {
    made.effects.iter().find_map(|effect| if let Effect::Refuse(_, code) = effect { Some(*code) } else { None })
}

/// The secret of a link.
pub(crate) fn secret(link: &InviteLink) -> InviteSecret {
    InviteSecret::new(open_invite(link).unwrap().invite.secret)
}

fn words(founded: &kinfolk_engine::Founded) -> String {
    founded.phrase.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(" ")
}

pub(crate) fn text(text: &str) -> Body {
    Body::Text(Text::new(text).unwrap())
}

impl Town {
    /// People who do not know each other: Anna, Bea, Cora, Dora, Emma.
    pub(crate) fn of_strangers(count: usize) -> Self {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let people = (0..count).map(|who| {
            let name = Name::new(["Anna", "Bea", "Cora", "Dora", "Emma"][who]).unwrap();
            let founded = found(now, &mut rng, name, None, &[7; 32], peer(who)).unwrap();
            let mut store = MemoryStore::default();
            store.commit(&founded.changes);
            Person {
                identity: founded.profile.identity,
                store,
                words: words(&founded),
                asleep: false,
                damaged: BTreeSet::new(),
                withheld: BTreeSet::new(),
            }
        });
        let people = people.collect();
        let mut town = Self {
            now,
            rng,
            people,
            effects: Vec::new(),
            lost: Vec::new(),
            reports: VecDeque::new(),
            torn: false,
            unanswered: BTreeMap::new(),
            connected: BTreeSet::new(),
            hosts: BTreeMap::new(),
            asked: BTreeMap::new(),
            contacts: BTreeMap::new(),
            inquiries: Vec::new(),
            frames: 0,
            moved: BTreeMap::new(),
            ahead: BTreeMap::new(),
            hash_table: None,
        };
        for who in 0..count {
            town.start(who);
        }
        town
    }

    /// The same, every one a contact of every other, all connected.
    pub(crate) fn of_friends(count: usize) -> Self {
        let mut town = Self::of_strangers(count);
        for (host, guest) in (0..count).flat_map(|host| (host + 1..count).map(move |guest| (host, guest))) {
            let link = town.link(host, Uses::Once);
            town.ask(guest, &link);
            town.pass(Span::from_secs(5));
        }
        for who in 0..count {
            assert_eq!(query::contacts(&town.people[who].store).unwrap().len(), count - 1);
        }
        town.effects.clear();
        town
    }

    /// Somebody who knew nobody: their number.
    pub(crate) fn newcomer(&mut self) -> usize {
        let new = self.people.len();
        let name = Name::new("Finn").unwrap();
        let founded = found(self.now, &mut self.rng, name, None, &[7; 32], peer(new)).unwrap();
        let (mut store, identity) = (MemoryStore::default(), founded.profile.identity);
        store.commit(&founded.changes);
        let (damaged, withheld) = (BTreeSet::new(), BTreeSet::new());
        self.people.push(Person { identity, store, words: words(&founded), asleep: false, damaged, withheld });
        self.start(new);
        new
    }

    /// Somebody's phone is gone, and they make another profile of their words: the number of the new one.
    pub(crate) fn lose(&mut self, who: usize) -> usize {
        let new = self.people.len();
        let phrase = kinfolk_crypto::RecoveryPhrase::from_words(&self.people[who].words).unwrap();
        let name = query::profile(&self.people[who].store).unwrap().unwrap().name;
        let founded = found(self.now, &mut self.rng, name, Some(phrase), &[7; 32], peer(new)).unwrap();
        assert_eq!(founded.profile.identity, self.people[who].identity);
        let mut store = MemoryStore::default();
        store.commit(&founded.changes);
        self.people.push(Person { store, words: words(&founded), asleep: false, ..self.people[who].clone() });
        self.sleep(who);
        self.start(new);
        new
    }

    fn start(&mut self, who: usize) {
        self.input(who, Input::Started);
        self.input(who, Input::Network(Report::Listening(self.whereabouts(who))));
        if self.hash_table.is_some() {
            self.input(who, Input::Network(Report::Joined));
        }
    }

    /// Where somebody is.
    pub(crate) fn whereabouts(&self, who: usize) -> Address {
        self.moved.get(&who).cloned().unwrap_or_else(|| address(who))
    }

    /// What somebody's clock says.
    pub(crate) fn clock(&self, who: usize) -> Timestamp {
        self.now.after(self.ahead.get(&who).copied().unwrap_or(Span::ZERO))
    }

    pub(crate) fn link(&mut self, who: usize, uses: Uses) -> InviteLink {
        self.link_for(who, uses, Span::from_days(60))
    }

    pub(crate) fn link_for(&mut self, who: usize, uses: Uses, lifetime: Span) -> InviteLink {
        let command = Command::CreateInvite { uses, lifetime, admission: Admission::Accept };
        let Answer::Invite(link) = self.input(who, Input::Command(command)).answer else { panic!("no link") };
        link
    }

    pub(crate) fn ask(&mut self, who: usize, link: &InviteLink) {
        self.input(who, Input::Command(Command::AddContact { link: link.clone(), name: None }));
    }

    pub(crate) fn conversation(&self, one: usize, other: usize) -> ConversationId {
        kinfolk_crypto::conversation_id(&self.people[one].identity, &self.people[other].identity)
    }

    pub(crate) fn say(&mut self, from: usize, to: usize, words: &str) -> MessageId {
        let conversation = self.conversation(from, to);
        let command = Command::SendMessage { id: None, conversation, body: text(words) };
        match self.input(from, Input::Command(command)).answer {
            Answer::Message(place, _) => place.id,
            other => panic!("{other:?}"),
        }
    }

    /// What a person sees of the conversation with another.
    pub(crate) fn lines(&self, who: usize, other: usize) -> Vec<query::Line> {
        query::history(&self.people[who].store, self.conversation(who, other), None, 2_000).unwrap().lines
    }

    /// The words of the lines that another said.
    pub(crate) fn heard(&self, who: usize, other: usize) -> Vec<String> {
        let from = self.people[other].identity;
        let theirs = self.lines(who, other).into_iter().filter(|line| line.place.sender == from);
        theirs
            .map(|line| match line.body {
                Body::Text(text) => text.as_str().to_owned(),
                other => format!("{other:?}"),
            })
            .collect()
    }

    pub(crate) fn contact(&self, who: usize, other: usize) -> Option<query::ContactView> {
        query::contact(&self.people[who].store, self.people[other].identity).unwrap()
    }

    pub(crate) fn row<T: Record>(&self, who: usize, key: &Key) -> Option<T> {
        self.people[who].store.get(key).unwrap().and_then(T::of)
    }

    pub(crate) fn profile(&self, who: usize) -> Profile {
        self.row(who, &Key::Profile).unwrap()
    }

    /// The row of another's one device.
    pub(crate) fn device(&self, who: usize, other: usize) -> Device {
        self.row(who, &Key::Device(self.profile(other).device)).unwrap()
    }

    /// The rows of a table.
    pub(crate) fn table(&self, who: usize, table: Table) -> Vec<(Key, Row)> {
        self.people[who].store.iter().filter(|(key, _)| key.table() == table).cloned().collect()
    }

    /// All that survives the process.
    pub(crate) fn kept(&self, who: usize) -> Rows {
        Rows(self.people[who].store.iter().filter(|(key, _)| !key.is_volatile()).cloned().collect())
    }

    /// What somebody was told and has agreed to: people, requests, invites, lines.
    pub(crate) fn settled(&self, who: usize) -> Rows {
        let told = [
            Table::Profile,
            Table::Contact,
            Table::Peer,
            Table::Invite,
            Table::Asking,
            Table::Conversation,
            Table::Message,
            Table::MessagePlace,
        ];
        let rows = self.people[who].store.iter().filter(|(key, _)| told.contains(&key.table())).cloned();
        let rows = rows.map(|(key, row)| match row {
            Row::Contact(contact) => (key, Row::Contact(Contact { last_seen: None, ..contact })),
            row => (key, row),
        });
        Rows(rows.collect())
    }

    /// Frames of a kind that one sent to another, oldest first.
    pub(crate) fn sent(&self, from: usize, to: usize, wanted: FrameKind) -> Vec<(RequestId, Vec<u8>)> {
        let of_one = self.effects.iter().filter(|(who, _)| *who == from);
        of_one
            .filter_map(|(_, effect)| match effect {
                Effect::Send { request, peer: at, kind, body } if *at == peer(to) && *kind == wanted => {
                    Some((*request, body.clone()))
                }
                _ => None,
            })
            .collect()
    }

    /// Seals bytes on the session that one would send on to another, as a program of theirs that keeps to no rule could.
    pub(crate) fn seal_as(&mut self, from: usize, to: usize, bytes: &[u8]) -> Vec<u8> {
        let device = self.device(from, to);
        let key = Key::Session(device.device, device.sessions[0].session);
        let row: KeyMaterial = self.row(from, &key).unwrap();
        let mut session = Session::from_bytes(row.as_slice()).unwrap();
        let payload = session.encrypt(&mut self.rng, self.now, bytes).unwrap();
        let mut changes = Changes::default();
        changes.put(key, KeyMaterial::new(session.to_bytes().as_slice()).into());
        self.people[from].store.commit(&changes);
        payload
    }

    /// The same with a content.
    pub(crate) fn forge(&mut self, from: usize, to: usize, content: &Content) -> Vec<u8> {
        let plaintext = Plaintext {
            sender_head: self.profile(from).head,
            recipient_head: self.profile(to).head.prefix(),
            mailbox_seen: None,
            content: content.encode(),
        };
        self.seal_as(from, to, &plaintext.encode())
    }

    /// A content of one for another, in the conversation of the two.
    pub(crate) fn content(&mut self, from: usize, to: usize, lamport: u64, body: Body) -> Content {
        let mut id = [0; 16];
        self.rng.fill_bytes(&mut id);
        let conversation = self.conversation(from, to);
        Content { id: MessageId::new(id), conversation, sent_at: self.now, lamport, body }
    }

    /// A frame comes that nobody waits for an answer to.
    pub(crate) fn receive(&mut self, who: usize, from: PeerId, kind: FrameKind, body: Vec<u8>) -> Turn {
        self.try_receive(who, from, kind, body).unwrap()
    }

    pub(crate) fn try_receive(
        &mut self,
        who: usize,
        from: PeerId,
        kind: FrameKind,
        body: Vec<u8>,
    ) -> Result<Turn, Refusal> {
        self.frames += 1;
        let delivery = Delivery { peer: from, stream: 1, sequence: self.frames };
        self.try_input(who, Input::Network(Report::Received { delivery, kind, body }))
    }

    /// A peer that is nobody of the town knocks, on a stream that it opens where it has none.
    pub(crate) fn knock(&mut self, who: usize, stranger: PeerId, with: &InviteSecret) -> Turn {
        if self.row::<Link>(who, &Key::Link(stranger)).is_none() {
            self.stranger_comes(who, stranger);
        }
        let knock = with.knock(&mut self.rng, &stranger, &peer(who));
        self.receive(who, stranger, FrameKind::Knock, knock.encode())
    }

    /// A peer that is nobody of the town opens a stream.
    pub(crate) fn stranger_comes(&mut self, who: usize, stranger: PeerId) {
        let report = Report::Connected { peer: stranger, role: Role::Listener, address: address(90) };
        self.input(who, Input::Network(report));
    }

    pub(crate) fn input(&mut self, who: usize, input: Input) -> Turn {
        self.try_input(who, input).unwrap()
    }

    pub(crate) fn try_input(&mut self, who: usize, input: Input) -> Result<Turn, Refusal> {
        let made = turn(self.clock(who), &mut self.rng, &Torn(&self.people[who]), input)?;
        self.people[who].store.commit(&made.changes);
        assert!(self.torn || self.alarms_are_set_once(who), "{:?}", self.table(who, Table::Timer));
        for effect in &made.effects {
            self.effects.push((who, effect.clone()));
            self.effect(who, effect.clone());
        }
        Ok(made)
    }

    fn alarms_are_set_once(&self, who: usize) -> bool {
        let mut seen = BTreeSet::new();
        let timers = self.people[who].store.iter().filter_map(|(key, _)| match key {
            Key::Timer(_, alarm) => Some(*alarm),
            _ => None,
        });
        timers.into_iter().all(|alarm| seen.insert(alarm))
    }

    fn effect(&mut self, who: usize, effect: Effect) {
        match effect {
            Effect::Dial { peer: at, addresses } => {
                let to = who_is(at);
                let elsewhere = self.moved.contains_key(&to) && !addresses.contains(&self.whereabouts(to));
                if elsewhere || self.people.get(to).is_none_or(|person| person.asleep) {
                    self.reports.push_back((who, Report::DialFailed(at)));
                } else {
                    self.connect(who, to);
                }
            }
            Effect::Send { request, peer: at, kind, body } => {
                let to = who_is(at);
                if self.connected.contains(&pair(who, to)) {
                    self.frames += 1;
                    let delivery = Delivery { peer: peer(who), stream: 1, sequence: self.frames };
                    self.unanswered.insert((to, self.frames), (who, request));
                    if kind != FrameKind::Payload || !self.lost.contains(&(who, request.0)) {
                        self.reports.push_back((to, Report::Received { delivery, kind, body }));
                    }
                }
            }
            Effect::Acknowledge(delivery) => self.answer(who, delivery, None),
            Effect::Refuse(delivery, code) => self.answer(who, delivery, Some(code)),
            Effect::Disconnect(at) => self.disconnect(who, who_is(at)),
            Effect::Ask { request, host, mut body, work, .. } => {
                if let (mailbox::Request::Deposit(deposit), Some(work)) = (&mut body, work) {
                    let bits = bits_for(work.bits, deposit.bucket().unwrap());
                    let stamp = stamp(&host, &deposit.tag, &deposit.blob, work.hour, bits).unwrap();
                    deposit.admission = mailbox::Admission::Work(stamp);
                }
                self.ask_host(who, request, host, body.encode());
            }
            Effect::Answer(AskId(number), body) => {
                if let Some((asker, request)) = self.asked.remove(&number) {
                    self.reports.push_back((asker, Report::Answered(request, body)));
                }
            }
            Effect::Contact { peer, is_one } => {
                self.contacts.insert((who, who_is(peer)), is_one);
            }
            Effect::Publish { request, key, value, lifetime } => {
                let until = self.now.after(lifetime);
                let copies = self.hash_table.as_mut().map_or(0, |table| {
                    table.entry(key).or_default().push((until, value));
                    20
                });
                self.reports.push_back((who, Report::Published(request, copies)));
            }
            Effect::Find { request, key } => {
                let there = self.hash_table.as_ref().and_then(|table| table.get(&key));
                let values = there.into_iter().flatten().filter(|(until, _)| *until > self.now);
                let values = values.map(|(_, value)| value.clone()).collect();
                self.reports.push_back((who, Report::Found(request, values)));
            }
            Effect::Inquire { request, host, body, .. } => self.inquiries.push((who, request, host, body)),
            Effect::Introduce { .. } | Effect::Notify(_) => {}
        }
    }

    /// Somebody asks a mailbox.
    pub(crate) fn ask_host(&mut self, who: usize, request: RequestId, host: PeerId, body: Vec<u8>) {
        let at = who_is(host);
        if let Some(model) = self.hosts.get_mut(&at) {
            let report = match model.answer(&body) {
                Some(reply) => Report::Answered(request, reply),
                None => Report::Unanswered(request),
            };
            self.reports.push_back((who, report));
            return;
        }
        if self.people.get(at).is_none_or(|person| person.asleep) {
            self.reports.push_back((who, Report::Unanswered(request)));
        } else {
            self.frames += 1;
            self.asked.insert(self.frames, (who, request));
            self.reports.push_back((at, Report::Asked { ask: AskId(self.frames), body }));
        }
    }

    fn answer(&mut self, who: usize, delivery: Delivery, code: Option<NackCode>) {
        if let Some((sender, request)) = self.unanswered.remove(&(who, delivery.sequence)) {
            let report = match code {
                None => Report::Sent(peer(who), request),
                Some(code) => Report::Refused(peer(who), request, code),
            };
            self.reports.push_back((sender, report));
        }
    }

    fn connect(&mut self, dialer: usize, listener: usize) {
        if self.connected.insert(pair(dialer, listener)) {
            for (at, other, role) in [(dialer, listener, Role::Dialer), (listener, dialer, Role::Listener)] {
                let report = Report::Connected { peer: peer(other), role, address: self.whereabouts(other) };
                self.reports.push_back((at, report));
            }
        }
    }

    /// The stream of two breaks: what is under way on it is gone.
    pub(crate) fn disconnect(&mut self, one: usize, other: usize) {
        if self.connected.remove(&pair(one, other)) {
            let of_the_two = |at: usize, with: PeerId| pair(at, who_is(with)) == pair(one, other);
            self.reports.retain(|(at, report)| match report {
                Report::Received { delivery, .. } => !of_the_two(*at, delivery.peer),
                Report::Sent(with, _) | Report::Refused(with, ..) | Report::Lost(with, _) => !of_the_two(*at, *with),
                Report::Connected { peer: with, .. } | Report::Disconnected(with) => !of_the_two(*at, *with),
                _ => true,
            });
            for (at, with) in [(one, other), (other, one)] {
                self.reports.push_back((at, Report::Disconnected(peer(with))));
            }
        }
    }

    /// A node ends: nobody reaches it, nothing rings there.
    pub(crate) fn sleep(&mut self, who: usize) {
        for other in 0..self.people.len() {
            self.disconnect(who, other);
        }
        self.reports.retain(|(at, _)| *at != who);
        self.people[who].asleep = true;
        self.people[who].store.forget_volatile();
    }

    /// And starts again.
    pub(crate) fn wake(&mut self, who: usize) {
        self.people[who].asleep = false;
        self.start(who);
    }

    /// Somebody sets the clock of all nodes; they notice when they next look.
    pub(crate) fn set_clock(&mut self, now: Timestamp) {
        self.now = now;
        for who in 0..self.people.len() {
            if !self.people[who].asleep {
                self.input(who, Input::Wake);
            }
        }
    }

    /// Rings what is due now, or hears the oldest report, or rings what is due by a moment. Says whether there was
    /// anything.
    pub(crate) fn step(&mut self, end: Timestamp) -> bool {
        if self.ring(self.now) {
            return true;
        }
        match self.reports.pop_front() {
            Some((who, report)) => {
                self.input(who, Input::Network(report));
                true
            }
            None => self.ring(end),
        }
    }

    fn ring(&mut self, end: Timestamp) -> bool {
        let awake = self.people.iter().enumerate().filter(|(_, person)| !person.asleep);
        let due = awake.filter_map(|(who, person)| {
            let ahead = self.ahead.get(&who).copied().unwrap_or(Span::ZERO);
            next_wakeup(&person.store).unwrap().map(|at| (at.before(ahead), who))
        });
        match due.min().filter(|(at, _)| *at <= end) {
            Some((at, who)) => {
                self.now = self.now.max(at);
                self.input(who, Input::Wake);
                true
            }
            None => false,
        }
    }

    /// Lets time pass: what is under way arrives, alarms ring.
    pub(crate) fn pass(&mut self, span: Span) {
        let end = self.now.after(span);
        let mut steps = 0;
        while self.step(end) {
            steps += 1;
            assert!(steps < 60_000, "it never comes to rest");
        }
        self.now = self.now.max(end);
    }
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}
