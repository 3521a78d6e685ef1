//! What every screen must show when the world has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_engine::store::MessageState;
use kinfolk_wire::content::Body;
use kinfolk_wire::ids::MessageId;

use crate::node::SimNode;

/// What people were told while the world ran.
#[derive(Debug, Default)]
pub struct Model {
    /// Messages whose command was answered with yes: sender, recipient, what was said.
    accepted: BTreeMap<MessageId, (usize, usize, Body)>,
    /// Messages whose node died before it could answer: they are on both screens or on none.
    unanswered: BTreeMap<MessageId, (usize, usize, Body)>,
}

/// What a screen shows that it must not, or does not show that it must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction(pub String);

impl Model {
    /// A person was told that their message is on its way.
    pub fn accepted(&mut self, id: MessageId, from: usize, to: usize, body: Body) {
        self.unanswered.remove(&id);
        self.accepted.insert(id, (from, to, body));
    }

    /// A node died over a message.
    pub fn unanswered(&mut self, id: MessageId, from: usize, to: usize, body: Body) {
        self.unanswered.insert(id, (from, to, body));
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

    /// Holds the screens of two people who talked against what they were told.
    ///
    /// # Errors
    /// The first [`Contradiction`].
    pub fn check_pair(&self, a: usize, b: usize, nodes: &[SimNode]) -> Result<(), Contradiction> {
        let fail = |text: String| Err(Contradiction(format!("nodes {a} and {b}: {text}")));
        let (Some(first), Some(second)) = (nodes.get(a), nodes.get(b)) else { return Ok(()) };
        let (screen_a, screen_b) = (first.screen(second.identity), second.screen(first.identity));
        let order = |screen: &[kinfolk_engine::query::Line]| -> Vec<_> {
            screen.iter().map(|line| (line.place.sender, line.place.id)).collect()
        };
        let (order_a, order_b) = (order(&screen_a), order(&screen_b));
        if order_a != order_b {
            return fail(format!("the screens differ: {} and {} lines, {order_a:?} {order_b:?}", order_a.len(), order_b.len()));
        }
        let distinct: BTreeSet<_> = order_a.iter().collect();
        if distinct.len() != order_a.len() {
            return fail("a message is shown twice".to_owned());
        }
        for (node, screen) in [(a, &screen_a), (b, &screen_b)] {
            for line in screen {
                let known = self.accepted.get(&line.place.id).or_else(|| self.unanswered.get(&line.place.id));
                let Some((from, _, body)) = known else { return fail("a message nobody said".to_owned()) };
                if *body != line.body {
                    return fail("a message says something else".to_owned());
                }
                let expected = if *from == node { MessageState::Delivered } else { MessageState::Received };
                if line.state != expected {
                    return fail(format!("the message {} is {:?} on the screen of {node} where it must be {expected:?}", line.place.id, line.state));
                }
            }
        }
        for (id, (from, to, _)) in &self.accepted {
            let here = [(a, b), (b, a)].contains(&(*from, *to));
            if here && !order_a.iter().any(|(_, shown)| shown == id) {
                return fail(format!("the message {id} was accepted and is shown nowhere"));
            }
        }
        for (node, screen) in [(first, &screen_a), (second, &screen_b)] {
            for line in screen {
                let told = node.shown.iter().filter(|place| **place == line.place).count();
                if told > 1 {
                    return fail("a screen was told twice of one message".to_owned());
                }
            }
            if !node.failures.is_empty() {
                return fail(format!("the engine failed: {:?}", node.failures));
            }
        }
        check_causality(&screen_a).map_or(Ok(()), fail)
    }
}

/// In one person's own lines the order numbers rise in the order they were said.
fn check_causality(screen: &[kinfolk_engine::query::Line]) -> Option<String> {
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
            return Some(format!("somebody's lines are out of order: {before:?} stands before {now:?}"));
        }
    }
    None
}
