//! What people do: become contacts, talk, read, and fall out.

use std::collections::BTreeMap;

use kinfolk_engine::input::{Admission, Command};
use kinfolk_engine::store::ContactState;
use kinfolk_engine::{Answer, Effect, Input};
use kinfolk_wire::content::{Body, GeoUri, StickerId, Text};
use kinfolk_wire::ids::{IdentityId, MessageId};
use kinfolk_wire::invite::{InviteLink, Uses};
use kinfolk_wire::time::Span;
use rand_core::Rng;

use super::World;
use crate::faults::Fault;
use crate::model::{Contradiction, Errand, Said};
use crate::network::Happening;
use crate::node::Release;

/// The people of a world.
pub(super) struct People {
    persons: Vec<Person>,
    relations: BTreeMap<(usize, usize), Relation>,
    /// How often somebody was told that a session was started anew.
    pub(super) resets: u64,
}

#[derive(Default, Clone)]
struct Person {
    said: usize,
    tried: usize,
    /// Whether they wait to hear what became of what they said.
    waits: bool,
    /// What they will say again, because nobody told them.
    again: Option<Said>,
    /// Whether they let others know what they have read.
    tells_read: bool,
}

/// One person who has a link of another.
struct Relation {
    link: InviteLink,
    kind: Kind,
    /// Whether what was to happen between them has happened.
    done: bool,
}

/// What becomes of two people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// They talk.
    Friends,
    /// The second asks first, and says yes.
    Asks,
    /// The second asks first, and says no.
    Declines,
    /// One of them blocks the other for a while: the first where it is true.
    Blocks(bool),
    /// The same, for good.
    BlocksForGood(bool),
    /// The first removes the second, and comes back with the same link.
    Removes,
    /// The first has a link for one that somebody else has too.
    Shares(usize),
}

impl People {
    pub(super) fn new(count: usize) -> Self {
        Self { persons: vec![Person::default(); count], relations: BTreeMap::new(), resets: 0 }
    }
}

impl World {
    /// Everybody gets a link of everybody before them.
    pub(super) fn meet(&mut self) {
        for a in 0..self.plan.people {
            for b in 0..a {
                let kind = self.draw_kind(a, b);
                let link = match kind {
                    Kind::Shares(other) => self.people.relations.get(&(other, b)).map(|known| known.link.clone()),
                    _ => self.make_link(b, kind),
                };
                let Some(link) = link else { continue };
                if let Kind::BlocksForGood(_) | Kind::Declines = kind {
                    self.model.strain(a, b);
                }
                self.people.relations.insert((a, b), Relation { link, kind, done: false });
            }
            if let Some(tells) = self.chance(2).checked_sub(1)
                && let Some(person) = self.people.persons.get_mut(a)
            {
                person.tells_read = tells == 0;
            }
            let wait = self.chance(5_000);
            self.later(wait, Happening::Act(a));
        }
    }

    fn draw_kind(&mut self, a: usize, b: usize) -> Kind {
        if !self.plan.trouble {
            return Kind::Friends;
        }
        let shared = (b + 1..a).find(|other| {
            self.people.relations.get(&(*other, b)).is_some_and(|relation| relation.kind == Kind::Friends)
        });
        let one = self.chance(2) == 0;
        match (self.chance(8), shared) {
            (0, Some(other)) => Kind::Shares(other),
            (1, _) => Kind::Asks,
            (2, _) => Kind::Declines,
            (3, _) => Kind::Blocks(one),
            (4, _) => Kind::BlocksForGood(one),
            (5, _) => Kind::Removes,
            _ => Kind::Friends,
        }
    }

    /// A link of somebody's, made while the weather is calm.
    fn make_link(&mut self, maker: usize, kind: Kind) -> Option<InviteLink> {
        let asks = matches!(kind, Kind::Asks | Kind::Declines);
        let once = self.plan.trouble || self.chance(2) == 0;
        let command = Command::CreateInvite {
            uses: if once { Uses::Once } else { Uses::Many },
            lifetime: Span::from_days(365),
            admission: if asks { Admission::Ask } else { Admission::Accept },
        };
        let node = self.nodes.get_mut(maker)?;
        node.turn(self.now, &mut self.rng, None, (Input::Command(command), Errand::Nothing), None);
        let made = node.commit(&mut self.rng, &mut self.weather);
        made.released.into_iter().find_map(|release| match release {
            Release::Answer(_, Ok(Answer::Invite(link))) => Some(link),
            Release::Answer(..) | Release::Effect(Effect::Notify(_) | _) => None,
        })
    }

    /// How far it has come with somebody on a node, and whether they are blocked there.
    fn relation(&self, node: usize, other: usize) -> Option<(ContactState, bool)> {
        let (node, other) = (self.nodes.get(node)?, self.nodes.get(other)?);
        node.relation(other.identity)
    }

    fn are_friends(&self, node: usize, other: usize) -> bool {
        self.relation(node, other) == Some((ContactState::Accepted, false))
    }

    fn order(&mut self, node: usize, command: Command) {
        self.input(node, Input::Command(command), Errand::Nothing, None);
    }

    fn identity(&self, node: usize) -> IdentityId {
        self.nodes.get(node).map_or(IdentityId::new([0; 32]), |node| node.identity)
    }

    /// A person does what they want to do next.
    pub(super) fn act(&mut self, node: usize) {
        if !self.nodes.get(node).is_some_and(|node| node.alive) {
            let wait = 1_000 + self.chance(2_000);
            self.later(wait, Happening::Act(node));
            return;
        }
        self.touch_the_machine(node);
        for other in 0..self.plan.people {
            if other < node {
                self.tend(node, other);
            }
            if other > node {
                self.answer_the_door(node, other);
            }
        }
        self.read_something(node);
        self.say_something(node);
        if !self.is_content(node) {
            let wait = if self.chance(4) == 0 { self.chance(60_000) } else { self.chance(2_000) };
            self.later(wait, Happening::Act(node));
        }
    }

    /// Sets the clock, makes a backup.
    fn touch_the_machine(&mut self, index: usize) {
        let jumps = self.weather.strikes(Fault::ClockJump, &mut self.rng);
        let error = i64::from(self.rng.next_u32() % 6) - 3;
        let millis = i64::from(self.rng.next_u32() % 86_400_000);
        let backs_up = self.chance(3) == 0 && (0..self.plan.people).all(|o| o == index || self.are_friends(index, o));
        let Some(node) = self.nodes.get_mut(index) else { return };
        if jumps {
            node.clock_error = error * 86_400_000 + millis;
        }
        if backs_up && !node.has_backup() {
            node.back_up();
        }
    }

    /// Sees to it that one becomes, and stays or does not stay, somebody's contact.
    fn tend(&mut self, node: usize, other: usize) {
        let Some(relation) = self.people.relations.get(&(node, other)) else { return };
        let (kind, done, link) = (relation.kind, relation.done, relation.link.clone());
        let their = self.identity(other);
        match self.relation(node, other).map(|(state, _)| state) {
            None | Some(ContactState::Declined) if !self.is_refused_for_good(node, other) => {
                self.order(node, Command::AddContact { link, name: None });
            }
            Some(ContactState::Accepted) if kind == Kind::Removes && !done && self.chance(6) == 0 => {
                self.note(|| format!("n{node} removes n{other}"));
                self.model.strain(node, other);
                self.set_done(node, other);
                self.order(node, Command::RemoveContact(their));
            }
            _ => {}
        }
        if let Kind::Blocks(true) | Kind::BlocksForGood(true) = kind {
            self.fall_out(node, other, (node, other));
        }
    }

    /// What the maker of a link does about who came with it.
    fn answer_the_door(&mut self, node: usize, other: usize) {
        let Some(kind) = self.people.relations.get(&(other, node)).map(|relation| relation.kind) else { return };
        let their = self.identity(other);
        if self.relation(node, other).is_some_and(|(state, _)| state == ContactState::Asking) && self.chance(3) == 0 {
            let no = kind == Kind::Declines;
            self.order(node, if no { Command::DeclineContact(their) } else { Command::AcceptContact(their) });
        }
        if let Kind::Blocks(false) | Kind::BlocksForGood(false) = kind {
            self.fall_out(node, other, (other, node));
        }
    }

    /// One blocks the other, and makes up again if they are to; when the storm is over at the latest.
    fn fall_out(&mut self, node: usize, other: usize, relation: (usize, usize)) {
        let Some((state, blocked)) = self.relation(node, other) else { return };
        let Some(kind) = self.people.relations.get(&relation).map(|relation| relation.kind) else { return };
        let done = self.people.relations.get(&relation).is_some_and(|relation| relation.done);
        let for_good = matches!(kind, Kind::BlocksForGood(_));
        let now = self.weather.is_calm() || self.chance(6) == 0;
        let their = self.identity(other);
        if state != ContactState::Accepted || !now {
            return;
        }
        if blocked && !for_good {
            self.order(node, Command::Unblock(their));
        } else if !blocked && (for_good || (!done && !self.weather.is_calm())) {
            self.set_done(relation.0, relation.1);
            self.order(node, Command::Block(their));
        }
    }

    fn set_done(&mut self, a: usize, b: usize) {
        if let Some(relation) = self.people.relations.get_mut(&(a, b)) {
            relation.done = true;
        }
    }

    /// Whether a person who was refused has understood that it will not change.
    fn is_refused_for_good(&self, node: usize, other: usize) -> bool {
        let rivals = self.rivals(node, other);
        let taken = rivals
            .iter()
            .any(|rival| self.relation(other, *rival).is_some_and(|(state, _)| state == ContactState::Accepted));
        let declines = self.people.relations.get(&(node, other)).is_some_and(|known| known.kind == Kind::Declines);
        let said_no = self.relation(other, node).is_some_and(|(state, _)| state == ContactState::Declined);
        (taken || (declines && said_no)) && self.relation(node, other).is_some()
    }

    /// Who else has the link that somebody has of another.
    fn rivals(&self, node: usize, other: usize) -> Vec<usize> {
        let Some(own) = self.people.relations.get(&(node, other)) else { return Vec::new() };
        let of_other = self.people.relations.iter().filter(|((asker, maker), _)| *maker == other && *asker != node);
        of_other.filter(|(_, relation)| relation.link == own.link).map(|((asker, _), _)| *asker).collect()
    }

    /// Whether a person has said all they want to say, and has come as far with everybody as they will.
    pub(super) fn is_content(&self, node: usize) -> bool {
        let settled = (0..self.plan.people).filter(|other| *other != node).all(|other| self.is_settled(node, other));
        let friends = (0..self.plan.people).any(|other| other != node && self.are_friends(node, other));
        let person = self.people.persons.get(node);
        let has_spoken = person.is_none_or(|p| p.said >= self.plan.messages && !p.waits && p.again.is_none());
        settled && (has_spoken || !friends)
    }

    fn is_settled(&self, node: usize, other: usize) -> bool {
        let (asker, maker) = (node.max(other), node.min(other));
        let Some(relation) = self.people.relations.get(&(asker, maker)) else { return true };
        let state = self.relation(node, other);
        match relation.kind {
            Kind::Declines => state.is_some_and(|(state, _)| state == ContactState::Declined),
            Kind::BlocksForGood(asker_blocks) if asker_blocks == (node == asker) => {
                state == Some((ContactState::Accepted, true))
            }
            // Who is blocked before the yes has come waits for it in vain.
            Kind::BlocksForGood(_) => state.is_some(),
            _ if !self.rivals(asker, maker).is_empty() => {
                let theirs = self.relation(maker, asker).is_some_and(|(state, _)| state == ContactState::Accepted);
                if theirs {
                    state == Some((ContactState::Accepted, false))
                } else {
                    node == maker || state.is_some_and(|(state, _)| state == ContactState::Declined)
                }
            }
            _ => state == Some((ContactState::Accepted, false)),
        }
    }

    /// Everybody came as far with everybody as they had to, and a link for one was good for one.
    pub(super) fn judge_relations(&self) -> Result<(), Contradiction> {
        for ((asker, maker), relation) in &self.people.relations {
            let rivals = self.rivals(*asker, *maker);
            let admitted =
                |node: &usize| self.relation(*maker, *node).is_some_and(|(state, _)| state == ContactState::Accepted);
            let count = rivals.iter().chain(std::iter::once(asker)).filter(|node| admitted(node)).count();
            if !rivals.is_empty() && count != 1 {
                return Err(Contradiction(format!("a link of {maker} for one person let in {count}")));
            }
            for (node, other) in [(*asker, *maker), (*maker, *asker)] {
                if !self.is_settled(node, other) {
                    let state = self.relation(node, other);
                    return Err(Contradiction(format!("{node} and {other} ({:?}) came to {state:?}", relation.kind)));
                }
            }
        }
        Ok(())
    }

    /// Looks at a conversation to its end.
    fn read_something(&mut self, node: usize) {
        let Some(person) = self.people.persons.get(node) else { return };
        let tells = person.tells_read;
        let other = usize::try_from(self.chance(self.plan.people as u64)).unwrap_or_default();
        let (Some(own), Some(their)) = (self.nodes.get(node), self.nodes.get(other)) else { return };
        let conversation = own.conversation(their.identity);
        let last = own.screen(their.identity).into_iter().rfind(|line| line.place.sender == their.identity);
        if other == node || !own.alive {
            return;
        }
        if let Some(last) = last {
            if tells {
                self.order(node, Command::AllowReadReceipts(conversation, true));
            }
            self.order(node, Command::MarkRead(conversation, last.place.id));
        }
    }

    fn say_something(&mut self, node: usize) {
        let Some(person) = self.people.persons.get(node).cloned() else { return };
        if person.waits || !self.nodes.get(node).is_some_and(|node| node.alive) {
            return;
        }
        let said = match person.again {
            Some(again) => Some(again),
            None if person.said >= self.plan.messages => None,
            None => self.think_of_something(node, person.tried),
        };
        let Some(said) = said else { return };
        let Some((own, their)) = self.nodes.get(node).zip(self.nodes.get(said.to)) else { return };
        let conversation = own.conversation(their.identity);
        let command = Command::SendMessage { id: Some(said.id), conversation, body: said.body.clone() };
        if let Some(person) = self.people.persons.get_mut(node) {
            person.waits = true;
            person.again = None;
        }
        self.input(node, Input::Command(command), Errand::Say(said), None);
    }

    fn think_of_something(&mut self, node: usize, number: usize) -> Option<Said> {
        let friends: Vec<usize> = (0..self.plan.people).filter(|o| *o != node && self.are_friends(node, *o)).collect();
        let choice = self.chance(friends.len() as u64);
        let to = *friends.get(usize::try_from(choice).ok()?)?;
        let body = self.words(node, number)?;
        let mut id = [0; 16];
        self.rng.fill_bytes(&mut id);
        if let Some(person) = self.people.persons.get_mut(node) {
            person.tried += 1;
        }
        Some(Said { id: MessageId::new(id), from: node, to, body })
    }

    fn words(&mut self, node: usize, number: usize) -> Option<Body> {
        match self.chance(8) {
            0 => StickerId::new("kin", kinfolk_engine::stickers::packs().first()?.stickers.first()?.id)
                .ok()
                .map(Body::Sticker),
            1 => "geo:47.3769,8.5417".parse::<GeoUri>().ok().map(Body::Location),
            _ => Text::new(format!("from {node} number {number}")).ok().map(Body::Text),
        }
    }

    /// A person is told what became of an errand.
    pub(super) fn answered(&mut self, errand: Errand, yes: bool) {
        let Errand::Say(said) = errand else { return };
        if let Some(person) = self.people.persons.get_mut(said.from) {
            person.waits = false;
            person.said += usize::from(yes);
        }
        if yes {
            self.model.accepted(said);
        }
    }

    /// A node has forgotten what its person wanted to say again under the same name.
    pub(super) fn give_up_saying(&mut self, node: usize) {
        if let Some(person) = self.people.persons.get_mut(node) {
            person.again = None;
        }
    }

    /// A node died over an errand. Its person asks for the same again, or lets it be.
    pub(super) fn unanswered(&mut self, errand: Errand) {
        let Errand::Say(said) = errand else { return };
        let again = self.chance(2) == 0;
        if let Some(person) = self.people.persons.get_mut(said.from) {
            person.waits = false;
            person.said += usize::from(!again);
            person.again = again.then(|| said.clone());
        }
        self.model.unanswered(said);
    }
}
