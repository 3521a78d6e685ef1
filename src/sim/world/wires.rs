//! The wires of a world: who reaches whom, and what becomes of frames.
//!
//! The life of a stream is told as a real network tells it: a node hears that a stream is there, then everything of it,
//! then what was left unanswered, and that it is gone last. The frames on it fare worse than on a real one, which loses
//! and reorders nothing while it stands.

use kinfolk_engine::effect::RequestId;
use kinfolk_engine::input::{Delivery, Report};
use kinfolk_wire::direct::{FrameKind, NackCode, Role};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use kinfolk_wire::time::{Span, Timestamp};

use super::World;
use crate::faults::Fault;
use crate::network::{Happening, Stream};

/// What is added to the number of a forged frame, so that nobody is told of its answer.
const FORGED: u64 = 1 << 40;

pub(super) fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// In which part of a network that is in two.
const fn part_of(index: usize) -> usize {
    index % 2
}

/// A frame on its way.
struct Frame {
    to: usize,
    stream: u64,
    delivery: Delivery,
    kind: FrameKind,
}

impl World {
    pub(super) fn stream_stands(&self, id: u64) -> bool {
        self.streams.values().any(|stream| stream.id == id)
    }

    /// A node is told what became of a request.
    pub(super) fn settle(&mut self, index: usize, stream: Option<u64>, report: &Report) {
        let (Report::Sent(_, request) | Report::Refused(_, request, _)) = report else { return };
        let of_this = self.streams.values_mut().find(|standing| Some(standing.id) == stream);
        if let Some(stream) = of_this {
            stream.answered(index, *request);
        }
    }

    pub(super) fn index_of(&self, peer: PeerId) -> Option<usize> {
        self.nodes.iter().position(|node| node.peer == peer)
    }

    /// Tells a node something of the life of its streams with another, after everything told before.
    fn tell_of_stream(&mut self, index: usize, other: usize, wait: u64, report: Report) -> Timestamp {
        let told = self.told_of_stream.entry((index, other)).or_insert(self.now);
        *told = (*told).max(self.now.after(Span::from_millis(wait)));
        let at = *told;
        self.tell(index, at, None, report);
        at
    }

    pub(super) fn tell(&mut self, index: usize, at: Timestamp, stream: Option<u64>, report: Report) {
        let Some(node) = self.nodes.get(index).map(crate::node::SimNode::life) else { return };
        self.at(at, Happening::Report { node, stream, report, genuine: None });
    }

    pub(super) fn crashed(&mut self, index: usize) {
        self.alarms.remove(&index);
        for other in 0..self.plan.people {
            self.cut(index, other);
            self.told_of_stream.remove(&(index, other));
        }
        let wait = 500 + self.chance(20_000);
        self.later(wait, Happening::Restart(index));
    }

    /// Breaks the stream between two nodes, if there is one.
    pub(super) fn cut(&mut self, a: usize, b: usize) {
        let Some(stream) = self.streams.remove(&pair(a, b)) else { return };
        for (index, other) in [(a, b), (b, a)] {
            let Some((peer, alive)) =
                self.nodes.get(other).zip(self.nodes.get(index)).map(|(other, node)| (other.peer, node.alive))
            else {
                continue;
            };
            if !alive {
                continue;
            }
            let wait = 10 + self.chance(500);
            for request in stream.lost_by(index) {
                self.tell_of_stream(index, other, wait, Report::Lost(peer, request));
            }
            self.tell_of_stream(index, other, wait, Report::Disconnected(peer));
        }
    }

    pub(super) fn dial(&mut self, from: usize, to: PeerId, addresses: &[Address]) {
        let Some(other) = self.index_of(to) else { return };
        self.perhaps_part(from, other);
        if !self.nodes.get(from).is_some_and(|node| node.alive) {
            return;
        }
        let is_there = self.nodes.get(other).is_some_and(|node| node.alive && addresses.contains(&node.address()));
        let connected = self.streams.contains_key(&pair(from, other));
        if !is_there || connected || self.are_apart(from, other) {
            let wait = 100 + self.chance(2_000);
            let at = self.now.after(Span::from_millis(wait));
            self.tell(from, at, None, Report::DialFailed(to));
            return;
        }
        let id = self.next_stream;
        self.next_stream += 1;
        self.streams.insert(pair(from, other), Stream::new(id, from, other));
        for (index, peer, role) in [(from, other, Role::Dialer), (other, from, Role::Listener)] {
            let Some(there) = self.nodes.get(peer) else { continue };
            let address = if role == Role::Dialer { there.address() } else { came_from(peer) };
            let report = Report::Connected { peer: there.peer, role, address };
            let wait = 1 + self.chance(5);
            self.tell_of_stream(index, peer, wait, report);
        }
    }

    fn are_apart(&self, a: usize, b: usize) -> bool {
        self.apart.contains(&pair(a, b)) || (self.is_parted && part_of(a) != part_of(b))
    }

    /// Whether a node reaches a host.
    pub(super) fn reaches(&self, index: usize, host: usize) -> bool {
        !self.is_parted || part_of(index) == part_of(host)
    }

    /// The network falls into two parts.
    pub(super) fn part(&mut self) {
        self.is_parted = true;
        for (a, b) in self.across() {
            self.cut(a, b);
        }
    }

    /// The network is one again; what waits for the other part is counted.
    pub(super) fn reunite(&mut self) {
        self.is_parted = false;
        self.waited = self.across().into_iter().map(|(a, b)| self.pending(a, b) + self.pending(b, a)).sum();
    }

    /// How many of a node's lines to another are not known to have come.
    fn pending(&self, index: usize, other: usize) -> usize {
        let (Some(node), Some(other)) = (self.nodes.get(index), self.nodes.get(other)) else { return 0 };
        let is_own = |line: &&kinfolk_engine::query::Line| line.place.sender == node.identity;
        node.screen(other.identity).iter().filter(is_own).filter(|line| self.model.is_pending(line)).count()
    }

    fn across(&self) -> Vec<(usize, usize)> {
        let people = self.plan.people;
        let pairs = (0..people).flat_map(|a| (0..a).map(move |b| (a, b)));
        pairs.filter(|(a, b)| part_of(*a) != part_of(*b)).collect()
    }

    /// Perhaps two nodes cannot reach each other for a while.
    fn perhaps_part(&mut self, a: usize, b: usize) {
        if self.weather.strikes(Fault::Partition, &mut self.rng) {
            self.apart.insert(pair(a, b));
            self.cut(a, b);
            let wait = 1_000 + self.chance(120_000);
            self.later(wait, Happening::Heal(a, b));
        }
    }

    pub(super) fn send(&mut self, index: usize, peer: PeerId, request: RequestId, kind: FrameKind, body: Vec<u8>) {
        let Some(other) = self.index_of(peer) else { return };
        self.perhaps_part(index, other);
        if self.weather.strikes(Fault::Disconnection, &mut self.rng) {
            self.cut(index, other);
        }
        let own = self.nodes.get(index).map(|node| node.peer);
        let (Some(stream), Some(own)) = (self.streams.get_mut(&pair(index, other)), own) else {
            let at = self.now.after(Span::from_millis(1));
            self.tell(index, at, None, Report::Lost(peer, request));
            return;
        };
        let delivery = Delivery { peer: own, stream: stream.id, sequence: stream.sends(index, request) };
        let frame = Frame { to: other, stream: stream.id, delivery, kind };
        self.frames.insert((other, delivery), (index, request));
        if kind == FrameKind::Payload && self.weather.strikes(Fault::Forgery, &mut self.rng) {
            self.forge(&frame, &body);
        }
        if self.weather.strikes(Fault::Duplication, &mut self.rng) {
            self.put_on_the_way(&frame, body.clone(), None);
        }
        if !self.weather.strikes(Fault::Loss, &mut self.rng) {
            self.put_on_the_way(&frame, body, None);
        }
    }

    /// Somebody sends an altered copy in front of a frame. More often than not it is the end that is altered: what is
    /// there is opened last.
    fn forge(&mut self, frame: &Frame, body: &[u8]) {
        let mut altered = body.to_vec();
        let length = altered.len() as u64;
        let from_end = if self.chance(3) == 0 { length } else { length.min(64) };
        let back = 1 + self.chance(from_end);
        let at = usize::try_from(length.saturating_sub(back)).unwrap_or_default();
        if let Some(byte) = altered.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        let mut delivery = frame.delivery;
        delivery.sequence += FORGED;
        self.put_on_the_way(&Frame { delivery, ..*frame }, altered, Some(body.to_vec()));
    }

    fn put_on_the_way(&mut self, frame: &Frame, body: Vec<u8>, genuine: Option<Vec<u8>>) {
        let report = Report::Received { delivery: frame.delivery, kind: frame.kind, body };
        // In order unless the weather says otherwise: a later frame is never put on the way before an earlier one.
        let mut wait = 10;
        if self.weather.strikes(Fault::Delay, &mut self.rng) {
            wait += self.chance(5_000);
        }
        if self.weather.strikes(Fault::Reordering, &mut self.rng) {
            wait += self.chance(200);
        }
        let Some(node) = self.nodes.get(frame.to).map(crate::node::SimNode::life) else { return };
        // A stream that its other end has not heard of yet has no frames for it either.
        let connected = self.told_of_stream.get(&(frame.to, self.sender_of(frame))).copied().unwrap_or(self.now);
        let at = self.now.after(Span::from_millis(wait)).max(connected);
        self.at(at, Happening::Report { node, stream: Some(frame.stream), report, genuine });
    }

    fn sender_of(&self, frame: &Frame) -> usize {
        self.index_of(frame.delivery.peer).unwrap_or(frame.to)
    }

    /// A node answers a frame.
    pub(super) fn reply(&mut self, index: usize, delivery: Delivery, refusal: Option<NackCode>) {
        let Some((sender, request)) = self.frames.get(&(index, delivery)).copied() else { return };
        if self.weather.strikes(Fault::Loss, &mut self.rng) {
            return;
        }
        let Some(own) = self.nodes.get(index).map(|node| node.peer) else { return };
        let report = match refusal {
            None => Report::Sent(own, request),
            Some(code) => Report::Refused(own, request, code),
        };
        let at = self.now.after(Span::from_millis(10));
        self.tell(sender, at, Some(delivery.stream), report);
    }
}

/// Where a node seems to be that has dialled: nobody answers there.
fn came_from(index: usize) -> Address {
    #[allow(clippy::expect_used, reason = "the text is an address")]
    Address::new(&format!("/ip4/192.0.2.{}/udp/50000/quic-v1", index + 1)).expect("an address")
}
