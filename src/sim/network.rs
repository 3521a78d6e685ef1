//! Connections and frames on their way between the nodes of a world.

use kinfolk_engine::effect::RequestId;
use kinfolk_engine::input::{Delivery, Report};
use kinfolk_wire::direct::FrameKind;
use kinfolk_wire::ids::PeerId;

/// Something that will happen at a time.
#[derive(Debug, Clone)]
pub enum Happening {
    /// A dial reaches the other side.
    Dial {
        /// Who dials.
        from: usize,
        /// Who is dialled.
        to: PeerId,
    },
    /// A report reaches a node, if the stream it belongs to still stands.
    Report {
        /// Which node.
        node: usize,
        /// The stream, where the report belongs to one.
        stream: Option<u64>,
        /// What it is told.
        report: Report,
    },
    /// A node's own alarm.
    Alarm(usize),
    /// A node that crashed starts again.
    Restart(usize),
    /// Two nodes can reach each other again.
    Heal(usize, usize),
    /// A person does the next thing they planned.
    Act(usize),
}

/// A stream between two nodes.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// Its number.
    pub id: u64,
    /// Who opened it.
    pub opener: usize,
    /// The other end.
    pub listener: usize,
    /// Frames sent on it so far by the opener and by the listener.
    pub sent: [u64; 2],
}

impl Stream {
    /// The node at the other end.
    #[must_use]
    pub const fn other(&self, node: usize) -> usize {
        if node == self.opener { self.listener } else { self.opener }
    }

    /// The next sequence number of a node on this stream.
    pub const fn next_sequence(&mut self, node: usize) -> u64 {
        let side = if node == self.opener { 0 } else { 1 };
        self.sent[side] += 1;
        self.sent[side]
    }
}

/// A frame that was sent and may be answered.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The sender's request.
    pub request: RequestId,
    /// How the receiver names it.
    pub delivery: Delivery,
    /// What it is.
    pub kind: FrameKind,
    /// What it says.
    pub body: Vec<u8>,
}
