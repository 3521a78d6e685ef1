//! Gossip (libp2p gossipsub 1.2): what everybody who follows a topic hears, sooner or later and from anybody.
//!
//! It is a hint, no more: messages get lost under load, and whoever needs all of them asks for them. Nothing is passed
//! on before the driver has judged it, nobody is named as its author, and a message is known by its bytes, so that the
//! same one in another envelope is the same one. Who brings more than anybody can say in earnest, or what is refused, is
//! not listened to for a while.

pub(crate) mod desk;

use std::time::Duration;

use libp2p::gossipsub::{
    self, ConfigBuilder, IdentTopic, IdentityTransform, MaxCountSubscriptionFilter, Message, MessageAuthenticity,
    MessageId, PeerScoreParams, PeerScoreThresholds, TopicHash, TopicScoreParams, TopicSubscriptionFilter,
    ValidationMode,
};

use crate::command::Topic;

/// Longest message, in bytes.
pub(crate) const LONGEST: usize = 8 << 10;
/// What an envelope adds to a message: its topic and some lengths.
const ENVELOPE: usize = 256;
/// Topics that this node follows, or that one node may say it follows.
pub(crate) const TOPICS: usize = 64;
/// How long a message is known, so that it is not heard twice.
const KNOWN_FOR: Duration = Duration::from_secs(10 * 60);
/// From this score on nothing is taken from a node.
pub(crate) const DEAF: f64 = -100.0;
/// What a refused message costs, times the square of their number: the fourth one is the last.
const REFUSED: f64 = -10.0;
/// What is left of that after each second.
const REFUSED_DECAY: f64 = 0.99;
/// What a message over the measure costs.
pub(crate) const EXCESS: f64 = -0.1;

/// Topics of this protocol, and not too many of them.
pub(crate) type Ours = MaxCountSubscriptionFilter<OurTopics>;
pub(crate) type Gossip = gossipsub::Behaviour<IdentityTransform, Ours>;

pub(crate) struct OurTopics;

impl TopicSubscriptionFilter for OurTopics {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        Topic::read(topic.as_str()).is_some()
    }
}

/// The behaviour, which follows nothing yet; or what is wrong with the settings above, which a test builds.
pub(crate) fn behaviour() -> Result<Gossip, String> {
    let config = ConfigBuilder::default()
        .validate_messages()
        // What says who it is of is taken too, from programs that cannot leave it out; nobody reads it.
        .validation_mode(ValidationMode::None)
        .message_id_fn(known_as)
        .max_transmit_size(LONGEST + ENVELOPE)
        .duplicate_cache_time(KNOWN_FOR)
        .build()
        .map_err(|error| error.to_string())?;
    let filter = MaxCountSubscriptionFilter {
        filter: OurTopics,
        max_subscribed_topics: TOPICS,
        max_subscriptions_per_request: TOPICS,
    };
    let mut behaviour =
        gossipsub::Behaviour::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, filter)?;
    let scores = PeerScoreParams {
        app_specific_weight: 1.0,
        // Homes behind one address are not one node.
        ip_colocation_factor_weight: 0.0,
        ..PeerScoreParams::default()
    };
    let thresholds = PeerScoreThresholds {
        gossip_threshold: DEAF / 4.0,
        publish_threshold: DEAF / 2.0,
        graylist_threshold: DEAF,
        ..PeerScoreThresholds::default()
    };
    behaviour.with_peer_score(scores, thresholds)?;
    Ok(behaviour)
}

/// What counts in a topic: only what was refused. Nobody has to bring anything.
pub(crate) fn score() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.0,
        first_message_deliveries_weight: 0.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: REFUSED,
        invalid_message_deliveries_decay: REFUSED_DECAY,
        ..TopicScoreParams::default()
    }
}

/// The topic as gossipsub knows it.
pub(crate) fn named(topic: &Topic) -> IdentTopic {
    IdentTopic::new(topic.as_str())
}

fn known_as(message: &Message) -> MessageId {
    let mut hash = blake3::Hasher::new_derive_key("kinfolk gossip message 1");
    hash.update(&u64::try_from(message.topic.as_str().len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(message.topic.as_str().as_bytes());
    hash.update(&message.data);
    MessageId::new(hash.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_taken() {
        behaviour().unwrap();
        score().validate().unwrap();
    }

    #[test]
    fn a_message_is_known_by_its_topic_and_bytes_and_not_by_its_envelope() {
        let message = |topic: &str, data: &[u8], sequence_number| Message {
            source: None,
            data: data.to_vec(),
            sequence_number,
            topic: TopicHash::from_raw(topic),
        };
        let known = known_as(&message("a", b"bc", None));
        assert_eq!(known, known_as(&message("a", b"bc", Some(7))));
        assert_ne!(known, known_as(&message("ab", b"c", None)));
        assert_ne!(known, known_as(&message("a", b"bd", None)));
    }
}
