//! Two people and three mailbox hosts on real profiles, driven by hand in virtual time and never connected: what one has
//! for the other is left at the hosts.

use std::collections::VecDeque;
use std::net::UdpSocket;
use std::path::Path;

use kinfolk_crypto::mailbox::{bits_for, stamp};
use kinfolk_engine::effect::{RequestId, Work};
use kinfolk_engine::input::{Admission, AskId, Command, MailboxChoice, MailboxOffer, Report};
use kinfolk_engine::store::{Changes, Overlay};
use kinfolk_engine::{Answer, Effect, Input, next_wakeup, query, turn};
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_node::create_profile;
use kinfolk_node::entropy::{Entropy, SystemEntropy};
use kinfolk_store::{Backend, Options, Store, Unlock};
use kinfolk_wire::content::{Body, Text};
use kinfolk_wire::ids::{ConversationId, PeerId};
use kinfolk_wire::invite::{Address, Uses};
use kinfolk_wire::mailbox::{Admission as Admitted, Bucket, Request};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

pub(crate) const HOSTS: usize = 3;
/// As many turns in one commit as the driver takes.
const BATCH: usize = 256;
const ANNA: usize = HOSTS;
const BEN: usize = HOSTS + 1;
/// How long before now it all happens.
const AGO: Span = Span::from_hours(6);

/// The directory of a host's profile.
pub(crate) fn host(number: usize) -> String {
    format!("host{number}")
}

pub(crate) fn address(port: u16) -> String {
    format!("/ip4/127.0.0.1/udp/{port}/quic-v1")
}

struct Side {
    store: Store,
    peer: PeerId,
    port: u16,
    inputs: VecDeque<Input>,
    is_away: bool,
}

pub(crate) struct Apart {
    sides: Vec<Side>,
    now: Timestamp,
    rng: ChaCha20Rng,
    /// Who asked what, by the number under which the host was asked.
    asked: Vec<(usize, RequestId)>,
}

impl Apart {
    /// Profiles in this directory: hosts that serve, and two who have named them.
    pub(crate) fn begin(dir: &Path) -> Self {
        let names = (0..HOSTS).map(host).chain(["anna".to_owned(), "ben".to_owned()]);
        let sides = names.map(|name| {
            let dir = dir.join(&name);
            std::fs::create_dir_all(dir.parent().unwrap()).unwrap();
            let mut store = kinfolk_store::create(&dir, Backend::Sled, Unlock::KeyFile, Options::default()).unwrap();
            let name = Name::new(&name).unwrap();
            let profile = create_profile(&mut store, &SystemClock, &mut SystemEntropy, name, None).unwrap().profile;
            // A port that is free now; the node takes it later.
            let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            Side { store, peer: profile.peer, port, inputs: VecDeque::new(), is_away: false }
        });
        let sides: Vec<Side> = sides.collect();
        let rng = ChaCha20Rng::from_seed(SystemEntropy.seed().unwrap());
        let mut world = Self { sides, now: SystemClock.now().before(AGO), rng, asked: Vec::new() };
        for who in 0..world.sides.len() {
            let listens = Address::new(&address(world.sides[who].port)).unwrap();
            world.give(who, Input::Started);
            world.give(who, Input::Network(Report::Listening(listens)));
        }
        for number in 0..HOSTS {
            let offer = MailboxOffer { capacity: 1 << 40, work_bits: 0 };
            let Answer::Host(card) = world.command(number, Command::ServeMailbox(Some(offer))) else {
                panic!("no host")
            };
            for who in [ANNA, BEN] {
                world.command(who, Command::AddMailbox(MailboxChoice::Host(card.clone())));
            }
        }
        world.run();
        world
    }

    /// Anna and Ben become contacts by way of the hosts; then Ben goes.
    pub(crate) fn meet(&mut self) -> ConversationId {
        let invite =
            Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(1), admission: Admission::Accept };
        let Answer::Invite(link) = self.command(ANNA, invite) else { panic!("no link") };
        self.run();
        self.command(BEN, Command::AddContact { link, name: None });
        self.pass(Span::from_hours(1));
        let contacts = query::contacts(&self.sides[ANNA].store).unwrap();
        assert_eq!(contacts.len(), 1);
        self.sides[BEN].is_away = true;
        contacts[0].conversation
    }

    /// Anna says so many things to Ben; returns when hosts have all of them.
    pub(crate) fn say(&mut self, conversation: ConversationId, count: usize) {
        for number in 0..count {
            let body = Body::Text(Text::new(format!("message {number}")).unwrap());
            self.give(ANNA, Input::Command(Command::SendMessage { id: None, conversation, body }));
        }
        while query::outbox_len(&self.sides[ANNA].store).unwrap() > 0 || !self.sides[ANNA].inputs.is_empty() {
            self.pass(Span::from_secs(1));
        }
    }

    /// Closes the profiles; says where the hosts are.
    pub(crate) fn end(self) -> [u16; HOSTS] {
        let ports = [0, 1, 2].map(|number| self.sides[number].port);
        for side in self.sides {
            side.store.close().unwrap();
        }
        ports
    }

    fn give(&mut self, who: usize, input: Input) {
        self.sides[who].inputs.push_back(input);
    }

    fn command(&mut self, who: usize, command: Command) -> Answer {
        self.run();
        self.give(who, Input::Command(command));
        self.batch(who).unwrap()
    }

    /// All that is due until then.
    fn pass(&mut self, span: Span) {
        let end = self.now.after(span);
        loop {
            self.run();
            let there = (0..self.sides.len()).filter(|who| !self.sides[*who].is_away);
            let next = there.filter_map(|who| Some((next_wakeup(&self.sides[who].store).unwrap()?, who))).min();
            match next {
                Some((due, who)) if due <= end => {
                    self.now = self.now.max(due);
                    self.give(who, Input::Wake);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn run(&mut self) {
        while self.sides.iter().any(|side| !side.inputs.is_empty()) {
            for who in 0..self.sides.len() {
                self.batch(who);
            }
        }
    }

    /// Turns over one overlay, one commit, then their effects; gives the answer to the last.
    fn batch(&mut self, who: usize) -> Option<Answer> {
        let Side { store, inputs, .. } = &mut self.sides[who];
        let (mut changes, mut effects, mut answer) = (Changes::default(), Vec::new(), None);
        let waiting = inputs.len().min(BATCH);
        for input in inputs.drain(..waiting) {
            let overlay = Overlay { base: &*store, changes: &changes };
            let made = turn(self.now, &mut self.rng, &overlay, input).unwrap();
            changes.extend(made.changes);
            effects.extend(made.effects);
            answer = Some(made.answer);
        }
        if answer.is_some() {
            store.commit(&changes).unwrap();
        }
        for effect in effects {
            self.carry_out(who, effect);
        }
        answer
    }

    fn carry_out(&mut self, who: usize, effect: Effect) {
        match effect {
            Effect::Dial { peer, .. } => self.give(who, Input::Network(Report::DialFailed(peer))),
            Effect::Ask { request, host, mut body, work, .. } => {
                if let (Request::Deposit(deposit), Some(Work { hour, bits })) = (&mut body, work) {
                    let bits = bits_for(bits, Bucket::of(deposit.blob.len()).unwrap());
                    deposit.admission = Admitted::Work(stamp(&host, &deposit.tag, &deposit.blob, hour, bits).unwrap());
                }
                let at = self.sides.iter().position(|side| side.peer == host).unwrap();
                let ask = AskId(self.asked.len() as u64);
                self.asked.push((who, request));
                self.give(at, Input::Network(Report::Asked { ask, body: body.encode() }));
            }
            Effect::Answer(ask, reply) => {
                let (asker, request) = self.asked[usize::try_from(ask.0).unwrap()];
                self.give(asker, Input::Network(Report::Answered(request, reply)));
            }
            _ => {}
        }
    }
}
