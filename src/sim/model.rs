//! What every screen must show when the world has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_engine::event::{Event, MessagePlace};
use kinfolk_engine::query::{self, Line};
use kinfolk_engine::store::MessageState;
use kinfolk_wire::content::Body;
use kinfolk_wire::ids::{IdentityId, MessageId};

use crate::node::SimNode;

/// What a person asked their node for, so that the answer can be told apart from others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "few, and each carried out at once")]
pub enum Errand {
    /// Nothing that needs an answer.
    Nothing,
    /// To say something.
    Say(Said),
}

/// Something that somebody wanted to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The id they chose.
    pub id: MessageId,
    /// Who.
    pub from: usize,
    /// To whom.
    pub to: usize,
    /// What.
    pub body: Body,
}

/// What people were told while the world ran.
#[derive(Debug, Default)]
pub struct Model {
    /// Messages whose command was answered with yes.
    accepted: BTreeMap<MessageId, Said>,
    /// Messages whose node died before it could answer: they are on both screens or on none.
    unanswered: BTreeMap<MessageId, Said>,
    /// Lines that a node lost when an older copy of its store was put back.
    rolled_back: BTreeSet<MessageId>,
    /// Lines of ours in such a copy that were not known to have come.
    uncertain: BTreeSet<MessageId>,
    /// Pairs of people of whom one lets the other down: only what both screens show is compared.
    strained: BTreeSet<(usize, usize)>,
}

/// What a screen shows that it must not, or does not show that it must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction(pub String);

type Place = (IdentityId, MessageId);

impl Model {
    /// A person was told that their message is on its way.
    pub fn accepted(&mut self, said: Said) {
        self.unanswered.remove(&said.id);
        self.accepted.insert(said.id, said);
    }

    /// A node died over a message.
    pub fn unanswered(&mut self, said: Said) {
        if !self.accepted.contains_key(&said.id) {
            self.unanswered.insert(said.id, said);
        }
    }

    /// An older copy of a node's store was put back.
    pub fn rolled_back(&mut self, lost: &[MessagePlace], uncertain: Vec<MessageId>) {
        self.rolled_back.extend(lost.iter().map(|place| place.id));
        self.uncertain.extend(uncertain);
    }

    /// Two people no longer talk, or never come to.
    pub fn strain(&mut self, a: usize, b: usize) {
        self.strained.insert((a.min(b), a.max(b)));
    }

    /// How many messages were accepted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accepted.len()
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accepted.is_empty()
    }

    /// Whether a line will change its state yet.
    #[must_use]
    pub fn is_pending(&self, line: &Line) -> bool {
        matches!(line.state, MessageState::Queued | MessageState::Sent) && !self.is_excused(line.place.id)
    }

    fn is_excused(&self, id: MessageId) -> bool {
        self.rolled_back.contains(&id) || self.uncertain.contains(&id)
    }

    fn is_strained(&self, a: usize, b: usize) -> bool {
        self.strained.contains(&(a.min(b), a.max(b)))
    }

    /// Whether what waits between two people must come through in the end.
    #[must_use]
    pub fn expects_delivery(&self, a: usize, b: usize) -> bool {
        !self.is_strained(a, b)
    }

    /// Holds the screens of two people against what they were told.
    ///
    /// # Errors
    /// The first [`Contradiction`].
    pub fn check_pair(&self, a: usize, b: usize, nodes: &[SimNode]) -> Result<(), Contradiction> {
        let fail = |text: String| Contradiction(format!("nodes {a} and {b}: {text}"));
        let (Some(first), Some(second)) = (nodes.get(a), nodes.get(b)) else { return Ok(()) };
        let (screen_a, screen_b) = (first.screen(second.identity), second.screen(first.identity));
        self.check_orders(a, b, &screen_a, &screen_b).map_err(fail)?;
        let rolled_back =
            [&screen_a, &screen_b].iter().any(|screen| screen.iter().any(|l| self.is_excused(l.place.id)));
        for (index, node, screen) in [(a, first, &screen_a), (b, second, &screen_b)] {
            self.check_lines(index, self.is_strained(a, b), screen).map_err(fail)?;
            check_told(node, screen).map_err(fail)?;
            if !rolled_back && self.rolled_back.is_empty() {
                check_causality(screen).map_err(fail)?;
                if !self.is_strained(a, b)
                    && let Some(line) = screen.iter().find(|line| line.missing_before > 0)
                {
                    return Err(fail(format!("lines are missing before {} though all have come", line.place.id)));
                }
            }
        }
        Ok(())
    }

    /// Both screens show the same lines in the same order, and all that was accepted.
    fn check_orders(&self, a: usize, b: usize, first: &[Line], second: &[Line]) -> Result<(), String> {
        let order = |screen: &[Line]| -> Vec<Place> { screen.iter().map(|l| (l.place.sender, l.place.id)).collect() };
        let (mut order_a, mut order_b) = (order(first), order(second));
        for order in [&order_a, &order_b] {
            let distinct: BTreeSet<_> = order.iter().collect();
            if distinct.len() != order.len() {
                return Err("a message is shown twice".to_owned());
            }
        }
        let strained = self.is_strained(a, b);
        let excused = |place: &Place, other: &[Place]| (strained || self.is_excused(place.1)) && !other.contains(place);
        let (all_a, all_b) = (order_a.clone(), order_b.clone());
        order_a.retain(|place| !excused(place, &all_b));
        order_b.retain(|place| !excused(place, &all_a));
        if order_a != order_b {
            return Err(format!(
                "the screens differ: {} and {} lines, {order_a:?} {order_b:?}",
                all_a.len(),
                all_b.len()
            ));
        }
        for said in self.accepted.values() {
            let here = [(a, b), (b, a)].contains(&(said.from, said.to));
            let own = if said.from == a { &all_a } else { &all_b };
            if here && !self.is_excused(said.id) && !own.iter().any(|(_, shown)| *shown == said.id) {
                return Err(format!("the message {} was accepted and is shown nowhere", said.id));
            }
        }
        Ok(())
    }

    /// Every line says what its sender said, and has come as far as it must.
    fn check_lines(&self, node: usize, strained: bool, screen: &[Line]) -> Result<(), String> {
        for line in screen {
            let id = line.place.id;
            let Some(said) = self.accepted.get(&id).or_else(|| self.unanswered.get(&id)) else {
                return Err("a message nobody said".to_owned());
            };
            if said.body != line.body {
                return Err("a message says something else".to_owned());
            }
            let right = match line.state {
                MessageState::Received => said.from != node,
                MessageState::Delivered | MessageState::Read => said.from == node,
                _ => said.from == node && (strained || self.is_excused(id)),
            };
            if !right {
                return Err(format!("the message {id} is {:?} on the screen of {node}", line.state));
            }
        }
        Ok(())
    }
}

/// The log tells of every line once, and a screen that was there was told at most once.
fn check_told(node: &SimNode, screen: &[Line]) -> Result<(), String> {
    let log = query::events_after(&node.store, 0, usize::MAX).map(|page| page.events).unwrap_or_default();
    for line in screen {
        let added = Event::MessageAdded(line.place);
        let logged = log.iter().filter(|(_, event)| *event == added).count();
        let told = node.shown.iter().filter(|place| **place == line.place).count();
        if logged != 1 || told > 1 {
            return Err(format!("a screen was told {told} times of one message, and the log {logged} times"));
        }
    }
    if node.failures.is_empty() { Ok(()) } else { Err(format!("the engine failed: {:?}", node.failures)) }
}

/// In one person's own lines the order numbers rise in the order they were said.
fn check_causality(screen: &[Line]) -> Result<(), String> {
    let mut last: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for line in screen {
        let Body::Text(text) = &line.body else { continue };
        let Some(number) = text.as_str().rsplit(' ').next().and_then(|number| number.parse::<u64>().ok()) else {
            continue;
        };
        let now = (line.place.lamport, number);
        if let Some(before) = last.insert(line.place.sender, now)
            && (before.0 >= now.0 || before.1 >= now.1)
        {
            return Err(format!("somebody's lines are out of order: {before:?} stands before {now:?}"));
        }
    }
    Ok(())
}
