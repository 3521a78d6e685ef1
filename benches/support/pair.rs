//! Two people on real profiles, driven by hand: what the drivers of two nodes do, one thing after the other in one
//! thread and with no network between, so that each stage is measured alone.
#![allow(dead_code, reason = "not every bench needs all of it")]

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use kinfolk_engine::effect::RequestId;
use kinfolk_engine::input::{Admission, Command, Delivery, Report};
use kinfolk_engine::store::{Changes, ContactState, Overlay};
use kinfolk_engine::{Answer, Effect, Input, query, turn};
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_node::create_profile;
use kinfolk_node::entropy::{Entropy, SystemEntropy};
use kinfolk_store::{Backend, Options, Store, Unlock};
use kinfolk_wire::content::{Body, Text};
use kinfolk_wire::direct::Role;
use kinfolk_wire::ids::{ConversationId, IdentityId, PeerId};
use kinfolk_wire::invite::{Address, Uses};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;
use rustix::time::{ClockId, clock_gettime};

/// As many turns in one commit as the driver takes.
pub(crate) const BATCH: usize = 256;

/// What one side has spent: CPU time of the process, in which nothing else is busy.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    pub(crate) turns: Duration,
    pub(crate) commits: Duration,
    /// How many commits, each with its sync.
    pub(crate) syncs: u32,
}

pub(crate) fn process_cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

struct Side {
    store: Store,
    identity: IdentityId,
    peer: PeerId,
    inputs: VecDeque<Input>,
    spent: Spent,
}

pub(crate) struct Pair {
    sides: [Side; 2],
    /// Which request a frame that is under way carries, by who sent it and its number.
    under_way: BTreeMap<(usize, u64), RequestId>,
    frames: u64,
    bytes: usize,
    turns: [u32; 2],
    batches: [u32; 2],
    connected: bool,
}

impl Pair {
    /// Two people who are contacts, with profiles in `anna` and `ben` under `dir`.
    pub(crate) fn friends(dir: &Path) -> Self {
        let sides = ["anna", "ben"].map(|name| {
            let mut store =
                kinfolk_store::create(&dir.join(name), Backend::Sled, Unlock::KeyFile, Options::default()).unwrap();
            let name = Name::new(name).unwrap();
            let profile = create_profile(&mut store, &SystemClock, &mut SystemEntropy, name, None).unwrap().profile;
            let (identity, peer) = (profile.identity, profile.peer);
            Side { store, identity, peer, inputs: VecDeque::new(), spent: Spent::default() }
        });
        let mut pair = Self {
            sides,
            under_way: BTreeMap::new(),
            frames: 0,
            bytes: 0,
            turns: [0; 2],
            batches: [0; 2],
            connected: false,
        };
        for who in [0, 1] {
            pair.give(who, Input::Started);
            pair.give(who, Input::Network(Report::Listening(address(who))));
        }
        pair.run();
        let invite =
            Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(1), admission: Admission::Accept };
        pair.give(0, Input::Command(invite));
        let Some(Answer::Invite(link)) = pair.batch(0) else { panic!("no link") };
        pair.give(1, Input::Command(Command::AddContact { link, name: None }));
        while pair.sides.iter().any(|side| !has_contact(&side.store)) {
            pair.pass();
        }
        pair
    }

    pub(crate) fn conversation(&self) -> ConversationId {
        kinfolk_crypto::conversation_id(&self.sides[0].identity, &self.sides[1].identity)
    }

    pub(crate) const fn store(&self, who: usize) -> &Store {
        &self.sides[who].store
    }

    /// The first says this, as often as `count`, in batches; returns when the second has it, has receipted it, and the
    /// first knows so.
    pub(crate) fn say(&mut self, text: &str, count: usize) {
        let mut left = count;
        while left > 0 {
            for _ in 0..left.min(BATCH) {
                let body = Body::Text(Text::new(text).unwrap());
                self.give(
                    0,
                    Input::Command(Command::SendMessage { id: None, conversation: self.conversation(), body }),
                );
            }
            left = left.saturating_sub(BATCH);
            self.run();
        }
        while query::outbox_len(self.store(0)).unwrap() + query::outbox_len(self.store(1)).unwrap() > 0 {
            self.pass();
        }
    }

    /// What both sides have spent since this was last asked.
    pub(crate) fn spent(&mut self) -> [Spent; 2] {
        self.sides.each_mut().map(|side| std::mem::take(&mut side.spent))
    }

    /// The mean length of a frame, in bytes.
    pub(crate) fn mean_body(&self) -> usize {
        self.bytes / self.frames as usize
    }

    /// The mean number of turns in a commit of one side.
    pub(crate) fn mean_batch(&self, who: usize) -> f64 {
        f64::from(self.turns[who]) / f64::from(self.batches[who])
    }

    pub(crate) fn close(self) {
        for side in self.sides {
            side.store.close().unwrap();
        }
    }

    /// Lets both do what waits and what is due.
    fn pass(&mut self) {
        self.give(0, Input::Wake);
        self.give(1, Input::Wake);
        self.run();
    }

    fn give(&mut self, who: usize, input: Input) {
        self.sides[who].inputs.push_back(input);
    }

    fn run(&mut self) {
        while let Some(who) = (0..2).find(|who| !self.sides[*who].inputs.is_empty()) {
            self.batch(who);
        }
    }

    /// One batch of the driver. Returns the last turn's answer.
    fn batch(&mut self, who: usize) -> Option<Answer> {
        let side = &mut self.sides[who];
        let (mut changes, mut effects, mut last) = (Changes::default(), Vec::new(), None);
        let began = process_cpu();
        for input in side.inputs.drain(..BATCH.min(side.inputs.len())) {
            let mut rng = SystemEntropy.generator().unwrap();
            let overlay = Overlay { base: &side.store, changes: &changes };
            let turn = turn(SystemClock.now(), &mut rng, &overlay, input).unwrap();
            assert!(turn.rejections.is_empty(), "{:?}", turn.rejections);
            changes.extend(turn.changes);
            effects.extend(turn.effects);
            last = Some(turn.answer);
            self.turns[who] += 1;
        }
        side.spent.turns += process_cpu() - began;
        let began = process_cpu();
        side.store.commit(&changes).unwrap();
        side.spent.commits += process_cpu() - began;
        side.spent.syncs += 1;
        self.batches[who] += 1;
        for effect in effects {
            self.perform(who, effect);
        }
        last
    }

    fn perform(&mut self, who: usize, effect: Effect) {
        let other = 1 - who;
        let (here, there) = (self.sides[who].peer, self.sides[other].peer);
        match effect {
            Effect::Dial { .. } if !self.connected => {
                self.connected = true;
                let dialled = Report::Connected { peer: there, role: Role::Dialer, address: address(other) };
                let heard = Report::Connected { peer: here, role: Role::Listener, address: address(who) };
                self.give(who, Input::Network(dialled));
                self.give(other, Input::Network(heard));
            }
            Effect::Send { request, kind, body, .. } => {
                self.frames += 1;
                self.bytes += body.len();
                self.under_way.insert((who, self.frames), request);
                let delivery = Delivery { peer: here, stream: 1, sequence: self.frames };
                self.give(other, Input::Network(Report::Received { delivery, kind, body }));
            }
            Effect::Acknowledge(delivery) => {
                if let Some(request) = self.under_way.remove(&(other, delivery.sequence)) {
                    self.give(other, Input::Network(Report::Sent(here, request)));
                }
            }
            Effect::Refuse(_, code) => panic!("a frame was refused: {code:?}"),
            _ => {}
        }
    }
}

fn has_contact(store: &Store) -> bool {
    query::contacts(store).unwrap().iter().any(|contact| contact.state == ContactState::Accepted)
}

fn address(who: usize) -> Address {
    Address::new(&format!("/ip4/127.0.0.1/udp/{}/quic-v1", 4_001 + who)).unwrap()
}
