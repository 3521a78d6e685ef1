//! What may never happen while a world runs, whatever the weather.

use std::collections::{BTreeMap, BTreeSet};

use kinfolk_crypto::handshake::payload_digest;
use kinfolk_engine::event::{Event, MessagePlace, Notice};
use kinfolk_engine::store::{Change, Changes, Key, MessageState, Read, Row};
use kinfolk_engine::{Effect, Rejection, Turn};
use kinfolk_wire::direct::{Chain, FrameKind};
use kinfolk_wire::envelope::Payload;
use kinfolk_wire::ids::{PayloadDigest, PeerId};

use crate::node::SimNode;

/// What has left all nodes so far.
#[derive(Debug, Default)]
pub struct Watch {
    /// Header nonces, and the one payload that each was used for.
    nonces: BTreeMap<[u8; 24], PayloadDigest>,
    /// Hosts that said that they keep a line.
    custody: BTreeMap<MessagePlace, BTreeSet<PeerId>>,
}

/// Hosts that must keep a line before it may be shown as sent.
const ENOUGH: usize = 2;

impl Watch {
    /// Looks at an effect as it leaves a node. Says what is wrong with it, if anything is.
    pub fn breach_of_effect(&mut self, from: usize, nodes: &[SimNode], effect: &Effect) -> Option<String> {
        match effect {
            Effect::Send { kind: FrameKind::Payload, body, .. } => self.breach_of_payload(nodes.get(from)?, body),
            Effect::Send { kind: FrameKind::Chain, body, .. } => {
                self.breach_of_payload(nodes.get(from)?, &Chain::decode(body).ok()?.init)
            }
            Effect::Notify(Notice { event, .. }) => self.breach_of_event(from, nodes, event),
            _ => None,
        }
    }

    /// A host has said that it keeps a line.
    pub fn kept(&mut self, line: MessagePlace, host: PeerId) {
        self.custody.entry(line).or_default().insert(host);
    }

    /// A line is shown as sent, delivered or read only when the other side can answer for that, or as sent when hosts can.
    fn breach_of_event(&self, from: usize, nodes: &[SimNode], event: &Event) -> Option<String> {
        let Event::MessageChanged(place, state) = event else { return None };
        let own = nodes.get(from)?;
        let other = nodes
            .iter()
            .find(|node| node.identity != own.identity && node.conversation(own.identity) == place.conversation)?;
        let is_true = match state {
            MessageState::Sent => {
                let enough = hosts_known(own, other).clamp(1, ENOUGH);
                other.kept.contains(place) || self.custody.get(place).is_some_and(|hosts| hosts.len() >= enough)
            }
            MessageState::Delivered => other.kept.contains(place),
            MessageState::Read => other.kept.contains(place) && other.tells_read(place),
            MessageState::Queued | MessageState::NotDelivered | MessageState::Received => true,
        };
        (!is_true).then(|| format!("the message {} was shown as {state:?} before it was", place.id))
    }

    /// What is sealed leaves only when it and its session are on the disk, and no nonce serves twice.
    fn breach_of_payload(&mut self, from: &SimNode, payload: &[u8]) -> Option<String> {
        let digest = payload_digest(payload);
        if !from.sealed.contains(&digest) {
            return Some("a ciphertext left that has not been on the disk".to_owned());
        }
        let nonce = match Payload::decode(payload).ok()? {
            Payload::Ratchet(message) => *message.header_nonce,
            Payload::Init(init) => *init.message.header_nonce,
        };
        let first = *self.nonces.entry(nonce).or_insert(digest);
        (first != digest).then(|| "a header nonce was used for two messages".to_owned())
    }
}

/// What a turn sealed.
pub fn sealed_by(changes: &Changes) -> Vec<PayloadDigest> {
    let sealed = changes.iter().filter_map(|(_, change)| match change {
        Change::Put(Row::OutboxItem(item)) => Some(payload_digest(&item.payload)),
        Change::Put(Row::Asking(asking)) => Chain::decode(&asking.chain).ok().map(|chain| payload_digest(&chain.init)),
        _ => None,
    });
    sealed.collect()
}

/// How many hosts of another a node knows: it may not have heard of all yet.
fn hosts_known(own: &SimNode, other: &SimNode) -> usize {
    let Ok(Some(Row::Contact(contact))) = own.store.get(&Key::Contact(other.identity)) else { return 0 };
    let known = contact.devices.iter().filter_map(|device| match own.store.get(&Key::Post(*device)) {
        Ok(Some(Row::Post(post))) => Some(post.hosts.len()),
        _ => None,
    });
    known.max().unwrap_or(0)
}

/// What a turn may never do to the store: move a session because of something that does not open, or take back a line.
pub fn breach_of_turn(turn: &Turn, base: &dyn Read) -> Option<String> {
    let unopened = turn.rejections.contains(&Rejection::Undecryptable);
    for (key, change) in &turn.changes {
        let before = || base.get(key).ok().flatten();
        match (key, change) {
            (Key::Session(..), Change::Put(row)) if unopened && before().is_some_and(|before| before != *row) => {
                return Some("a message that does not open moved a session".to_owned());
            }
            (Key::SkippedKey(..), Change::Put(_)) if unopened => {
                return Some("a message that does not open left a key behind".to_owned());
            }
            (Key::Message(..), Change::Delete) => return Some("a line was taken away".to_owned()),
            (Key::Message(..), Change::Put(Row::Message(after))) => {
                if let Some(Row::Message(before)) = before()
                    && before.content != after.content
                {
                    return Some("a line was changed".to_owned());
                }
            }
            _ => {}
        }
    }
    None
}
