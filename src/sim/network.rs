//! Connections and frames on their way between the nodes of a world.

use std::collections::BTreeMap;

use kinfolk_engine::effect::RequestId;
use kinfolk_engine::input::{Delivery, Report};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;

/// Something that will happen at a time.
#[derive(Debug, Clone)]
pub enum Happening {
    /// A dial reaches the other side, if it is at one of these addresses.
    Dial {
        /// Who dials.
        from: usize,
        /// Who is dialled.
        to: PeerId,
        /// Where.
        addresses: Vec<Address>,
    },
    /// A report reaches a node, unless it has died meanwhile.
    Report {
        /// Which node, and in which of its lives.
        node: Life,
        /// The stream that must still stand, where the report is about a frame.
        stream: Option<u64>,
        /// What it is told.
        report: Report,
        /// What a forged frame was before it was altered.
        genuine: Option<Vec<u8>>,
    },
    /// The disk is ready for a node's batch.
    Commit(Life),
    /// A node's own alarm.
    Alarm(usize),
    /// A node that crashed starts again.
    Restart(usize),
    /// Two nodes can reach each other again.
    Heal(usize, usize),
    /// The network falls into two parts.
    Part,
    /// It is one again.
    Reunite,
    /// A person does the next thing they planned.
    Act(usize),
}

/// A node between two crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Which node.
    pub node: usize,
    /// How often it has died before.
    pub deaths: u64,
}

/// A stream between two nodes.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Its number.
    pub id: u64,
    /// Who opened it.
    pub opener: usize,
    /// The other end.
    pub listener: usize,
    /// Frames sent on it so far by the opener and by the listener.
    sent: [u64; 2],
    /// What waits for an answer: by the sender and the frame's number.
    unanswered: BTreeMap<(usize, u64), RequestId>,
}

impl Stream {
    /// A stream on which nothing has been sent.
    #[must_use]
    pub const fn new(id: u64, opener: usize, listener: usize) -> Self {
        Self { id, opener, listener, sent: [0, 0], unanswered: BTreeMap::new() }
    }

    /// Numbers a frame of a node and notes that it waits for an answer.
    pub fn sends(&mut self, node: usize, request: RequestId) -> u64 {
        let side = usize::from(node != self.opener);
        self.sent[side] += 1;
        self.unanswered.insert((node, self.sent[side]), request);
        self.sent[side]
    }

    /// The answer to a request of a node has come.
    pub fn answered(&mut self, node: usize, request: RequestId) {
        self.unanswered.retain(|(sender, _), waiting| *sender != node || *waiting != request);
    }

    /// What a node has sent and has no answer to.
    #[must_use]
    pub fn lost_by(&self, node: usize) -> Vec<RequestId> {
        let of_node = self.unanswered.iter().filter(|((sender, _), _)| *sender == node);
        of_node.map(|(_, request)| *request).collect()
    }
}

/// Names a frame that was sent: its receiver, and how the receiver names it.
pub type FrameName = (usize, Delivery);
