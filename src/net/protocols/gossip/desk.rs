//! What was heard and waits for the driver's verdict, and how much each node has brought.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::gossipsub::MessageId;
use tokio::time::Instant;

use super::{DEAF, EXCESS};
use crate::command::GossipId;

/// Messages that one node may bring at once, and how many a second after that.
const BURST: u32 = 256;
const EACH_SECOND: u32 = 32;
/// Messages that wait for a verdict, and how long each does: gossipsub itself forgets one after five seconds.
const WAITING: usize = 1_024;
const PATIENCE: Duration = Duration::from_secs(5);
/// Nodes whose measure is kept; beyond that the one that has been silent for longest is forgotten.
const NODES: usize = 1_024;
/// How long a node that went too far is not listened to.
const DEAF_FOR: Duration = Duration::from_secs(10 * 60);

/// What waits, and who brought how much.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    next: u64,
    waiting: BTreeMap<GossipId, Waiting>,
    nodes: BTreeMap<PeerId, Measure>,
}

#[derive(Debug)]
struct Waiting {
    message: MessageId,
    from: PeerId,
    heard: Instant,
}

#[derive(Debug)]
struct Measure {
    left: u32,
    filled: Instant,
    excess: u32,
    deaf_until: Option<Instant>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Heard {
    /// The driver is to judge it.
    Up(GossipId),
    /// It is passed over, and the node has this score for it.
    Over(f64),
}

impl Measure {
    const fn new(now: Instant) -> Self {
        Self { left: BURST, filled: now, excess: 0, deaf_until: None }
    }

    fn fill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.filled).as_secs();
        if let Ok(seconds @ 1..) = u32::try_from(seconds) {
            self.left = self.left.saturating_add(seconds.saturating_mul(EACH_SECOND)).min(BURST);
            self.excess = self.excess.saturating_sub(seconds.saturating_mul(EACH_SECOND));
            self.filled = now;
        }
    }
}

impl Desk {
    /// A node has brought a message.
    pub(crate) fn heard(&mut self, from: PeerId, message: MessageId, now: Instant) -> Heard {
        if self.nodes.len() >= NODES && !self.nodes.contains_key(&from) {
            let silent = self.nodes.iter().filter(|(_, measure)| measure.deaf_until.is_none());
            if let Some(longest) = silent.min_by_key(|(_, measure)| measure.filled).map(|(node, _)| *node) {
                self.nodes.remove(&longest);
            }
        }
        let measure = self.nodes.entry(from).or_insert_with(|| Measure::new(now));
        measure.fill(now);
        if measure.left == 0 || self.waiting.len() >= WAITING {
            measure.excess = measure.excess.saturating_add(1);
            return Heard::Over((f64::from(measure.excess) * EXCESS).max(2.0 * DEAF));
        }
        measure.left = measure.left.saturating_sub(1);
        let gossip = GossipId(self.next);
        self.next = self.next.saturating_add(1);
        self.waiting.insert(gossip, Waiting { message, from, heard: now });
        Heard::Up(gossip)
    }

    /// What a verdict is about, unless it comes too late or for the second time.
    pub(crate) fn judged(&mut self, gossip: GossipId) -> Option<(MessageId, PeerId)> {
        self.waiting.remove(&gossip).map(|waiting| (waiting.message, waiting.from))
    }

    /// This node went too far. Whether that is news.
    pub(crate) fn close_ears(&mut self, node: PeerId, now: Instant) -> bool {
        let measure = self.nodes.entry(node).or_insert_with(|| Measure::new(now));
        measure.deaf_until.replace(now + DEAF_FOR).is_none()
    }

    /// Forgets what waited for too long; says which nodes are listened to again.
    pub(crate) fn settle(&mut self, now: Instant) -> Vec<PeerId> {
        self.waiting.retain(|_, waiting| now.saturating_duration_since(waiting.heard) < PATIENCE);
        let mut again = Vec::new();
        for (node, measure) in &mut self.nodes {
            if measure.deaf_until.is_some_and(|until| until <= now) {
                *measure = Measure::new(now);
                again.push(*node);
            }
        }
        again
    }

    /// When there is something to settle.
    pub(crate) fn due(&self) -> Option<Instant> {
        let forgotten = self.waiting.values().map(|waiting| waiting.heard + PATIENCE).min();
        let heard_again = self.nodes.values().filter_map(|measure| measure.deaf_until).min();
        forgotten.into_iter().chain(heard_again).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> MessageId {
        MessageId::new(&number.to_be_bytes())
    }

    #[test]
    fn d07_who_brings_more_than_the_measure_is_passed_over_and_then_not_listened_to() {
        let (mut desk, now) = (Desk::default(), Instant::now());
        let [flood, other] = [PeerId::random(), PeerId::random()];
        let outcomes: Vec<Heard> = (0..10_000).map(|number| desk.heard(flood, id(number), now)).collect();
        let up = outcomes.iter().filter(|heard| matches!(heard, Heard::Up(_))).count();
        assert_eq!(up, BURST as usize);
        let deaf_after =
            outcomes.iter().position(|heard| matches!(heard, Heard::Over(score) if *score <= DEAF)).unwrap();
        assert!((1_000..2_000).contains(&deaf_after), "{deaf_after}");
        assert!(matches!(desk.heard(other, id(1), now), Heard::Up(_)));
        // A second later there is room for some, and not for all.
        let later = now + Duration::from_secs(1);
        let up = (0..100).filter(|number| matches!(desk.heard(flood, id(*number), later), Heard::Up(_))).count();
        assert_eq!(up, EACH_SECOND as usize);
        assert!(desk.close_ears(flood, now) && !desk.close_ears(flood, now));
        assert_eq!(desk.settle(now + DEAF_FOR), [flood]);
        assert_eq!(desk.settle(now + DEAF_FOR), []);
    }

    #[test]
    fn a_verdict_counts_once_and_not_too_late() {
        let (mut desk, now) = (Desk::default(), Instant::now());
        let from = PeerId::random();
        let [Heard::Up(one), Heard::Up(other)] = [1, 2].map(|number| desk.heard(from, id(number), now)) else {
            panic!("not heard")
        };
        assert_eq!(desk.judged(one), Some((id(1), from)));
        assert_eq!(desk.judged(one), None);
        assert_eq!(desk.due(), Some(now + PATIENCE));
        desk.settle(now + PATIENCE);
        assert_eq!(desk.judged(other), None);
        assert_eq!(desk.due(), None);
    }

    #[test]
    fn many_nodes_and_many_messages_take_no_more_room_than_is_set_aside() {
        let (mut desk, now) = (Desk::default(), Instant::now());
        for number in 0..3 * WAITING {
            desk.heard(PeerId::random(), id(u32::try_from(number).unwrap()), now);
        }
        assert_eq!((desk.waiting.len(), desk.nodes.len()), (WAITING, NODES));
    }
}
