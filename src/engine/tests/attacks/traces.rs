//! A refusal leaves no trace: whatever a person commands or a network brings, what is refused changes nothing that is
//! kept and asks for nothing but its own answer.

use kinfolk_engine::effect::RequestId;
use kinfolk_engine::event::Event;
use kinfolk_engine::input::{Admission, Command, Delivery, Report};
use kinfolk_engine::store::{Key, Table};
use kinfolk_engine::{Answer, Effect, Input, Rejection, Turn};
use kinfolk_wire::content::{Body, StickerId};
use kinfolk_wire::direct::{FrameKind, NackCode, Role};
use kinfolk_wire::ids::{ConversationId, IdentityId, MessageId, PeerId};
use kinfolk_wire::invite::{InviteLink, Uses};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;
use proptest::prelude::*;

use crate::town::{STRANGER, Town, address, peer, text};

/// One thing that happens to a town.
#[derive(Debug, Clone)]
enum Act {
    Command(usize, u8, u8),
    /// A frame that was sent before comes to somebody, from a peer, as a kind, with a byte altered.
    Frame {
        which: usize,
        to: usize,
        from: u8,
        kind: u8,
        altered: Option<(usize, u8)>,
    },
    Bytes {
        to: usize,
        from: u8,
        kind: u8,
        body: Vec<u8>,
    },
    Report(usize, u8, u8),
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0..3usize;
    prop_oneof![
        6 => (who.clone(), any::<u8>(), any::<u8>()).prop_map(|(who, what, about)| Act::Command(who, what, about)),
        8 => (any::<usize>(), who.clone(), 0..5u8, any::<u8>(), proptest::option::of((any::<usize>(), any::<u8>())))
            .prop_map(|(which, to, from, kind, altered)| Act::Frame { which, to, from, kind, altered }),
        2 => (who.clone(), 0..5u8, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(to, from, kind, body)| Act::Bytes { to, from, kind, body }),
        2 => (who, any::<u8>(), any::<u8>()).prop_map(|(who, what, about)| Act::Report(who, what, about)),
        4 => (0..90u64).prop_map(Act::Pass),
    ]
}

fn kind(number: u8) -> FrameKind {
    FrameKind::from_number(number % 7 + 1).unwrap()
}

fn from(number: u8) -> PeerId {
    if number < 3 { peer(number.into()) } else { STRANGER }
}

struct World {
    town: Town,
    links: Vec<InviteLink>,
    /// How many turns were refused, and how.
    refused: [usize; 3],
}

impl World {
    fn new() -> Self {
        let mut town = Town::of_strangers(3);
        let links = vec![town.link(0, Uses::Once), town.link(1, Uses::Many)];
        town.ask(1, &links[0]);
        town.pass(Span::from_secs(2));
        town.say(0, 1, "one");
        town.say(1, 0, "two");
        town.pass(Span::from_secs(2));
        town.ask(2, &links[1]);
        Self { town, links, refused: [0; 3] }
    }

    fn command(&mut self, what: u8, about: u8) -> Command {
        let nobody = IdentityId::new([about; 32]);
        let identity = self.town.people.get(usize::from(about % 5)).map_or(nobody, |person| person.identity);
        let own = self.town.people[usize::from(about % 3)].identity;
        let conversation = match about % 7 {
            0 => ConversationId::new([about; 32]),
            other => self.town.conversation(usize::from(other % 3), usize::from((other + 1) % 3)),
        };
        let name = Name::new(["Anna", "Zoe", "\u{202e}x"][usize::from(about % 3)]).unwrap();
        let id = MessageId::new([about % 4; 16]);
        match what % 16 {
            0 => Command::CreateInvite {
                uses: if about.is_multiple_of(2) { Uses::Once } else { Uses::Many },
                lifetime: Span::from_secs(u64::from(about) * 10),
                admission: if about.is_multiple_of(3) { Admission::Ask } else { Admission::Accept },
            },
            1 | 2 => Command::AddContact {
                link: self.links[usize::from(about) % self.links.len()].clone(),
                name: Some(name),
            },
            3 => Command::AcceptContact(identity),
            4 => Command::DeclineContact(identity),
            5 => Command::RenameContact(identity, name),
            6 => Command::MarkVerified(identity, about.is_multiple_of(2)),
            7 => Command::Block(identity),
            8 => Command::Unblock(identity),
            9 => Command::RemoveContact(if about.is_multiple_of(4) { own } else { identity }),
            10 => Command::MarkRead(conversation, id),
            11 => Command::AllowReadReceipts(conversation, about.is_multiple_of(2)),
            12 => Command::SendMessage {
                id: Some(id),
                conversation,
                body: Body::Sticker(StickerId::new("no", "such").unwrap()),
            },
            _ => {
                let id = (about.is_multiple_of(2)).then_some(id);
                Command::SendMessage { id, conversation, body: text(&format!("word {}", about % 8)) }
            }
        }
    }

    fn report(&self, what: u8, about: u8) -> Report {
        let (with, request) = (from(about % 5), RequestId(u64::from(about)));
        match what % 8 {
            0 => Report::Connected { peer: with, role: Role::Listener, address: address(7) },
            1 => Report::Connected { peer: with, role: Role::Dialer, address: address(8) },
            2 => Report::Disconnected(with),
            3 => Report::DialFailed(with),
            4 => Report::Sent(with, request),
            5 => Report::Refused(with, request, [NackCode::Refused, NackCode::Undecryptable][usize::from(about % 2)]),
            6 => Report::Lost(with, request),
            _ => Report::Discovered { peer: with, addresses: vec![address(about.into())] },
        }
    }

    fn play(&mut self, act: Act) {
        match act {
            Act::Command(who, what, about) => {
                let command = self.command(what, about);
                let before = self.town.kept(who);
                let effects = self.town.effects.len();
                match self.town.try_input(who, Input::Command(command.clone())) {
                    Ok(Turn { answer: Answer::Invite(link), .. }) => self.links.push(link),
                    Ok(_) => {}
                    Err(_) => {
                        self.refused[0] += 1;
                        assert_eq!(self.town.kept(who), before, "{command:?}");
                        assert_eq!(self.town.effects.len(), effects, "{command:?}");
                    }
                }
            }
            Act::Frame { which, to, from: by, kind: as_kind, altered } => {
                let sent: Vec<_> = self
                    .town
                    .effects
                    .iter()
                    .filter_map(|(who, effect)| match effect {
                        Effect::Send { kind, body, .. } => Some((*who, *kind, body.clone())),
                        _ => None,
                    })
                    .collect();
                let Some((sender, true_kind, mut body)) = sent.get(which % sent.len().max(1)).cloned() else { return };
                if let Some((at, bits)) = altered {
                    let at = at % body.len().max(1);
                    if let Some(byte) = body.get_mut(at) {
                        *byte ^= bits;
                    }
                }
                let by = if by == 4 { peer(sender) } else { from(by) };
                self.hear(to, by, if as_kind < 128 { true_kind } else { kind(as_kind) }, body);
            }
            Act::Bytes { to, from: by, kind: as_kind, body } => self.hear(to, from(by), kind(as_kind), body),
            Act::Report(who, what, about) => {
                let report = self.report(what, about);
                self.town.input(who, Input::Network(report));
            }
            Act::Pass(seconds) => self.town.pass(Span::from_secs(seconds)),
        }
    }

    fn hear(&mut self, to: usize, by: PeerId, kind: FrameKind, body: Vec<u8>) {
        let before = self.town.kept(to);
        let settled = self.town.settled(to);
        let made = self.town.receive(to, by, kind, body);
        if made.rejections.is_empty() {
            return;
        }
        match made.rejections.as_slice() {
            // Whose device is at the other end is proved: it is asked for a new session.
            [Rejection::Undecryptable] => {
                self.refused[1] += 1;
                assert_eq!(self.town.settled(to), settled);
                assert!(made.changes.iter().all(|(key, _)| is_of_a_session(key)), "{:?}", made.changes);
                assert!(made.effects.iter().all(|effect| heals(effect, by)), "{:?}", made.effects);
            }
            // It opened, so that its key is used up; what it said counts for nothing but a receipt.
            [Rejection::Replay | Rejection::Malformed | Rejection::Misplaced | Rejection::Order] => {
                self.refused[1] += 1;
                assert_eq!(self.town.settled(to), settled, "{:?}", made.rejections);
                assert!(made.effects.iter().all(|effect| is_answer(effect, by)), "{:?}", made.effects);
            }
            [_] => {
                self.refused[2] += 1;
                assert_eq!(self.town.kept(to), before, "{:?}", made.rejections);
                assert!(matches!(made.effects.as_slice(), [Effect::Refuse(delivery, _)] if delivery.peer == by));
                assert!(made.changes.iter().all(|(key, _)| matches!(key, Key::Knocks)), "{:?}", made.changes);
            }
            several => panic!("one frame, {several:?}"),
        }
        once_answered(&made, by);
    }
}

fn once_answered(made: &Turn, by: PeerId) {
    let answers: Vec<&Delivery> = made
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Acknowledge(delivery) | Effect::Refuse(delivery, _) => Some(delivery),
            _ => None,
        })
        .collect();
    assert!(matches!(answers.as_slice(), [delivery] if delivery.peer == by), "{answers:?}");
}

fn is_of_a_session(key: &Key) -> bool {
    matches!(
        key.table(),
        Table::Device
            | Table::Session
            | Table::SkippedKey
            | Table::Outbox
            | Table::Counters
            | Table::Event
            | Table::Link
            | Table::Timer
    )
}

fn is_answer(effect: &Effect, by: PeerId) -> bool {
    match effect {
        Effect::Acknowledge(delivery) | Effect::Refuse(delivery, _) => delivery.peer == by,
        // Receipts that had gathered fill a batch and go.
        Effect::Send { kind, peer, .. } => *kind == FrameKind::Payload && *peer == by,
        _ => false,
    }
}

fn heals(effect: &Effect, by: PeerId) -> bool {
    match effect {
        Effect::Notify(notice) => matches!(notice.event, Event::SessionReset(_)),
        other => is_answer(other, by),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_refusal_leaves_no_trace(acts in proptest::collection::vec(act(), 1..90)) {
        let mut world = World::new();
        for act in acts {
            world.play(act);
        }
    }
}

#[test]
fn the_worlds_of_that_property_see_refusals_of_every_sort() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let acts = proptest::collection::vec(act(), 90);
    let mut refused = [0; 3];
    for _ in 0..12 {
        let mut world = World::new();
        for act in acts.new_tree(&mut runner).unwrap().current() {
            world.play(act);
        }
        for (total, seen) in refused.iter_mut().zip(world.refused) {
            *total += seen;
        }
    }
    assert!(refused.iter().all(|count| *count >= 20), "{refused:?}");
}
