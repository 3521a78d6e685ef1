//! Two engines on a network that loses nothing, driven by hand.

use std::collections::VecDeque;

use kinfolk_engine::effect::RequestId;
use kinfolk_engine::input::{Admission, Command, Delivery, Report};
use kinfolk_engine::store::{Alarm, Key, MemoryStore};
use kinfolk_engine::{Answer, Effect, Input, Turn, found, next_wakeup, query, turn};
use kinfolk_wire::content::{Body, Text};
use kinfolk_wire::direct::{FrameKind, NackCode, Role};
use kinfolk_wire::ids::{ConversationId, IdentityId, PeerId};
use kinfolk_wire::invite::{Address, Uses};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::{Span, Timestamp};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

pub(crate) struct Duo {
    pub(crate) now: Timestamp,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) stores: [MemoryStore; 2],
    pub(crate) identities: [IdentityId; 2],
    /// Payloads whose sender's number stands here are lost on the way.
    pub(crate) lost: Vec<(usize, u64)>,
    /// Bea's program tells nobody what has come.
    pub(crate) receipts_are_lost: bool,
    /// Bea's program has just started, and wants everything later.
    pub(crate) refuses: bool,
    pub(crate) effects: Vec<(usize, Effect)>,
    reports: VecDeque<(usize, Report)>,
    requests: Vec<(usize, Delivery, RequestId)>,
    connected: bool,
    frames: u64,
}

fn is_of_receipts(key: &Key) -> bool {
    matches!(key, Key::PendingReceipts(_) | Key::Timer(_, Alarm::Receipts(_)))
}

pub(crate) fn peer(who: usize) -> PeerId {
    PeerId::new([u8::try_from(who).unwrap() + 1; PeerId::LENGTH])
}

fn address(who: usize) -> Address {
    Address::new(&format!("/ip4/192.0.2.{}/udp/4001/quic-v1", who + 1)).unwrap()
}

impl Duo {
    /// Two people who are contacts and connected.
    pub(crate) fn friends() -> Self {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let founded = [0, 1].map(|who| {
            let name = Name::new(["Anna", "Bea"][who]).unwrap();
            found(now, &mut rng, name, None, &[7; 32], peer(who)).unwrap()
        });
        let stores = founded.each_ref().map(|founded| {
            let mut store = MemoryStore::default();
            store.commit(&founded.changes);
            store
        });
        let mut duo = Self {
            now,
            rng,
            stores,
            identities: founded.map(|founded| founded.profile.identity),
            lost: Vec::new(),
            receipts_are_lost: false,
            refuses: false,
            effects: Vec::new(),
            reports: VecDeque::new(),
            requests: Vec::new(),
            connected: false,
            frames: 0,
        };
        for who in [0, 1] {
            duo.input(who, Input::Started);
            duo.input(who, Input::Network(Report::Listening(address(who))));
        }
        let command =
            Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(7), admission: Admission::Accept };
        let Answer::Invite(link) = duo.input(0, Input::Command(command)).answer else { panic!("no link") };
        duo.input(1, Input::Command(Command::AddContact { link, name: None }));
        duo.pass(Span::from_secs(5));
        assert_eq!(query::contacts(&duo.stores[1]).unwrap().len(), 1);
        duo
    }

    pub(crate) fn conversation(&self) -> ConversationId {
        kinfolk_crypto::conversation_id(&self.identities[0], &self.identities[1])
    }

    pub(crate) fn say(&mut self, who: usize, text: &str) {
        let body = Body::Text(Text::new(text).unwrap());
        let command = Command::SendMessage { id: None, conversation: self.conversation(), body };
        self.input(who, Input::Command(command));
    }

    pub(crate) fn lines(&self, who: usize) -> Vec<query::Line> {
        query::history(&self.stores[who], self.conversation(), None, 1_000).unwrap().lines
    }

    pub(crate) fn input(&mut self, who: usize, input: Input) -> Turn {
        let mut made = turn(self.now, &mut self.rng, &self.stores[who], input).unwrap();
        if self.receipts_are_lost && who == 1 {
            let owed: Vec<Key> = made.changes.iter().map(|(key, _)| *key).filter(is_of_receipts).collect();
            owed.into_iter().for_each(|key| made.changes.delete(key));
        }
        self.stores[who].commit(&made.changes);
        for effect in &made.effects {
            self.effects.push((who, effect.clone()));
            self.effect(who, effect.clone());
        }
        made
    }

    fn effect(&mut self, who: usize, effect: Effect) {
        let other = 1 - who;
        match effect {
            Effect::Dial { .. } if !self.connected => {
                self.connected = true;
                for (at, role) in [(who, Role::Dialer), (other, Role::Listener)] {
                    let report = Report::Connected { peer: peer(1 - at), role, address: address(1 - at) };
                    self.reports.push_back((at, report));
                }
            }
            Effect::Send { request, kind, body, .. } if self.connected => {
                self.frames += 1;
                let delivery = Delivery { peer: peer(who), stream: 1, sequence: self.frames };
                self.requests.push((other, delivery, request));
                if self.refuses && who == 0 {
                    self.reports.push_back((0, Report::Refused(peer(1), request, NackCode::Later)));
                } else if kind != FrameKind::Payload || !self.lost.contains(&(who, request.0)) {
                    self.reports.push_back((other, Report::Received { delivery, kind, body }));
                }
            }
            Effect::Acknowledge(delivery) => self.answer(who, delivery, None),
            Effect::Refuse(delivery, code) => self.answer(who, delivery, Some(code)),
            Effect::Disconnect(_) if self.connected => {
                self.connected = false;
                self.reports.clear();
                for at in [0, 1] {
                    self.reports.push_back((at, Report::Disconnected(peer(1 - at))));
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self, who: usize, delivery: Delivery, code: Option<NackCode>) {
        let Some((_, _, request)) = self.requests.iter().find(|(at, known, _)| *at == who && *known == delivery) else {
            return;
        };
        let report = match code {
            None => Report::Sent(peer(who), *request),
            Some(code) => Report::Refused(peer(who), *request, code),
        };
        self.reports.push_back((1 - who, report));
    }

    /// Lets time pass: what is under way arrives, alarms ring.
    pub(crate) fn pass(&mut self, span: Span) {
        let end = self.now.after(span);
        for _ in 0..10_000 {
            if let Some((who, report)) = self.reports.pop_front() {
                self.input(who, Input::Network(report));
                continue;
            }
            let due = self.stores.each_ref().map(|store| next_wakeup(store).unwrap());
            let Some((at, who)) = (0..2).filter_map(|who| due[who].map(|at| (at, who))).min() else { break };
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.input(who, Input::Wake);
        }
        self.now = self.now.max(end);
    }
}
