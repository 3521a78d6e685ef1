//! What is gossiped, heard and judged.

use libp2p::gossipsub::{self, MessageAcceptance, MessageId, TopicHash};
use tokio::time::Instant;

use super::Actor;
use crate::command::{GossipId, Topic, Verdict};
use crate::event::Event;
use crate::identity;
use crate::protocols::gossip::desk::Heard;
use crate::protocols::gossip::{self, DEAF, LONGEST};

impl Actor {
    pub(super) fn follow(&mut self, topic: &Topic, follows: bool) {
        let (behaviour, named) = (&mut self.swarm.behaviour_mut().gossip, gossip::named(topic));
        if !follows {
            behaviour.unsubscribe(&named);
            return;
        }
        let followed = behaviour.set_topic_params(named.clone(), gossip::score());
        if let Err(error) = followed {
            tracing::warn!(error, "a topic has no score");
        }
        if let Err(error) = behaviour.subscribe(&named) {
            tracing::warn!(%error, "a topic is not followed");
        }
    }

    pub(super) fn gossip(&mut self, topic: &Topic, message: Vec<u8>) {
        if message.len() > LONGEST {
            tracing::warn!(bytes = message.len(), "too long to be gossiped");
            return;
        }
        // It is a hint: where nobody listens, or all are busy, it is asked for later.
        if let Err(error) = self.swarm.behaviour_mut().gossip.publish(gossip::named(topic), message) {
            tracing::debug!(%error, "not gossiped");
        }
    }

    pub(super) fn judge(&mut self, gossip: GossipId, verdict: Verdict) {
        if let Some((message, from)) = self.gossips.judged(gossip) {
            self.report(&message, from, verdict);
        }
    }

    pub(super) fn on_gossip(&mut self, event: gossipsub::Event) {
        use gossipsub::Event as Happened;
        let (from, message_id, message) = match event {
            Happened::Message { propagation_source, message_id, message } => (propagation_source, message_id, message),
            Happened::Subscribed { peer_id, topic } => return self.follower(&peer_id, &topic, true),
            Happened::Unsubscribed { peer_id, topic } => return self.follower(&peer_id, &topic, false),
            _ => return,
        };
        let (Some(peer), Some(topic)) = (identity::from_libp2p(&from), Topic::read(message.topic.as_str())) else {
            return self.report(&message_id, from, Verdict::Reject);
        };
        match self.gossips.heard(from, message_id.clone(), Instant::now()) {
            Heard::Up(gossip) => self.upward.push(Event::Gossiped { gossip, from: peer, topic, message: message.data }),
            Heard::Over(score) => {
                self.swarm.behaviour_mut().gossip.set_application_score(&from, score);
                self.report(&message_id, from, Verdict::Ignore);
            }
        }
    }

    fn follower(&mut self, node: &libp2p::PeerId, topic: &TopicHash, follows: bool) {
        if let (Some(peer), Some(topic)) = (identity::from_libp2p(node), Topic::read(topic.as_str())) {
            self.upward.push(Event::Follower { peer, topic, follows });
        }
    }

    /// Listens again to whom it is time to.
    pub(super) fn settle_gossip(&mut self) {
        for node in self.gossips.settle(Instant::now()) {
            let behaviour = &mut self.swarm.behaviour_mut().gossip;
            behaviour.remove_blacklisted_peer(&node);
            behaviour.set_application_score(&node, 0.0);
        }
    }

    fn report(&mut self, message: &MessageId, from: libp2p::PeerId, verdict: Verdict) {
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        let behaviour = &mut self.swarm.behaviour_mut().gossip;
        behaviour.report_message_validation_result(message, &from, acceptance);
        if behaviour.peer_score(&from).is_some_and(|score| score <= DEAF)
            && self.gossips.close_ears(from, Instant::now())
        {
            tracing::debug!(%from, "gossips too much, or what nobody may say");
            behaviour.blacklist_peer(&from);
        }
    }
}
