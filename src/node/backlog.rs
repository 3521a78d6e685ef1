//! Reports of the network that were heard in vain: their turn or its commit failed, or they came behind such ones. They
//! are heard again in their order.
//!
//! What is kept is bounded by what this node itself has under way, and by [`MOST`] for what strangers cause, whose coming
//! and going leaves nothing behind.

use std::collections::VecDeque;

use kinfolk_engine::input::Report;
use kinfolk_wire::direct::Role;
use kinfolk_wire::ids::PeerId;

/// Reports that may wait before those who come are sent away, and neighbours are not noted.
pub(crate) const MOST: usize = 1_024;
/// How often a report is heard whose turn fails: at one time in five seconds, for ten minutes.
const TRIES: u32 = 120;

/// A report, and how often its turn has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) report: Report,
    failed: u32,
}

impl From<Report> for Heard {
    fn from(report: Report) -> Self {
        Self { report, failed: 0 }
    }
}

/// What becomes of a report that is to wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It waits, or need not be heard.
    Yes,
    /// There is no room: this peer is to be sent away.
    SendAway(PeerId),
}

/// The reports that wait, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Backlog(VecDeque<Heard>);

impl Backlog {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the oldest.
    pub(crate) fn next(&mut self) -> Option<Heard> {
        self.0.pop_front()
    }

    /// Puts one behind all others. `is_linked` says whether the engine knows of a stream with the peer that a
    /// [`Report::Disconnected`] is about.
    pub(crate) fn push(&mut self, report: Report, is_linked: impl Fn(PeerId) -> bool) -> Kept {
        match report {
            Report::Disconnected(peer) => {
                self.push_end(peer, is_linked);
                Kept::Yes
            }
            report if self.0.len() >= MOST && is_of_strangers(&report) => match report {
                Report::Connected { peer, .. } => Kept::SendAway(peer),
                _ => Kept::Yes,
            },
            report => {
                self.0.push_back(report.into());
                Kept::Yes
            }
        }
    }

    /// A stream whose beginning still waits has never been for the engine; the end of one it knows of is never forgotten.
    fn push_end(&mut self, peer: PeerId, is_linked: impl Fn(PeerId) -> bool) {
        let is_of_it =
            |heard: &Heard| peer_of(&heard.report) == Some(peer) && !matches!(heard.report, Report::Discovered { .. });
        let last = self.0.iter().rposition(is_of_it);
        match last.and_then(|at| Some((at, self.0.get(at)?))) {
            Some((at, heard)) if is_of_strangers(&heard.report) => drop(self.0.remove(at)),
            None if !is_linked(peer) => {}
            _ => self.0.push_back(Report::Disconnected(peer).into()),
        }
    }

    /// Puts back, in their order, what was taken and not committed.
    pub(crate) fn put_back(&mut self, reports: Vec<Heard>) {
        for heard in reports.into_iter().rev() {
            self.0.push_front(heard);
        }
    }

    /// Puts one back whose turn failed, before all others; gives up on it where that was too often.
    pub(crate) fn failed(&mut self, mut heard: Heard) {
        heard.failed += 1;
        if heard.failed < TRIES {
            self.0.push_front(heard);
        } else {
            tracing::error!("a report of the network could not be heard and is given up");
        }
    }
}

/// Whether others cause such reports, as many as they like.
const fn is_of_strangers(report: &Report) -> bool {
    matches!(report, Report::Connected { role: Role::Listener, .. } | Report::Discovered { .. })
}

const fn peer_of(report: &Report) -> Option<PeerId> {
    match report {
        Report::Listening(_)
        | Report::NotListening(_)
        | Report::Joined
        | Report::NotJoined(_)
        | Report::Published(..)
        | Report::Found(..)
        | Report::Asked { .. }
        | Report::Answered(..)
        | Report::Unanswered(_)
        | Report::Replied(..) => None,
        Report::Connected { peer, .. }
        | Report::Disconnected(peer)
        | Report::DialFailed(peer)
        | Report::Sent(peer, _)
        | Report::Refused(peer, ..)
        | Report::Lost(peer, _)
        | Report::Discovered { peer, .. } => Some(*peer),
        Report::Received { delivery, .. } => Some(delivery.peer),
    }
}

#[cfg(test)]
mod tests {
    use kinfolk_engine::effect::RequestId;
    use kinfolk_wire::invite::Address;

    use super::*;

    fn peer(number: u16) -> PeerId {
        let mut id = [0; PeerId::LENGTH];
        id[..2].copy_from_slice(&number.to_be_bytes());
        PeerId::new(id)
    }

    fn connected(number: u16, role: Role) -> Report {
        let address = Address::new("/ip4/192.0.2.1/udp/1/quic-v1").unwrap();
        Report::Connected { peer: peer(number), role, address }
    }

    fn waiting(backlog: &mut Backlog) -> Vec<Report> {
        std::iter::from_fn(|| backlog.next()).map(|heard| heard.report).collect()
    }

    const NOBODY: fn(PeerId) -> bool = |_| false;

    #[test]
    fn strangers_that_come_and_go_leave_nothing_behind() {
        let mut backlog = Backlog::default();
        for number in 0..10_000 {
            assert_eq!(backlog.push(connected(number, Role::Listener), NOBODY), Kept::Yes);
            backlog.push(Report::Disconnected(peer(number)), NOBODY);
        }
        assert!(backlog.is_empty());
    }

    #[test]
    fn strangers_that_stay_are_sent_away_once_there_is_no_room_and_ones_own_are_not() {
        let mut backlog = Backlog::default();
        let sent_away = (0..5_000)
            .filter(|number| backlog.push(connected(*number, Role::Listener), NOBODY) == Kept::SendAway(peer(*number)));
        assert_eq!(sent_away.count(), 5_000 - MOST);
        for number in 0..5_000 {
            backlog.push(Report::Discovered { peer: peer(number), addresses: Vec::new() }, NOBODY);
        }
        // Those who were sent away go, which nobody need hear.
        for number in 2_000..5_000 {
            backlog.push(Report::Disconnected(peer(number)), NOBODY);
        }
        assert_eq!(backlog.push(connected(6_000, Role::Dialer), NOBODY), Kept::Yes);
        assert_eq!(backlog.push(Report::DialFailed(peer(6_001)), NOBODY), Kept::Yes);
        backlog.push(Report::Disconnected(peer(6_002)), |_| true);
        let waiting = waiting(&mut backlog);
        assert_eq!(waiting.len(), MOST + 3);
        assert_eq!(waiting.last(), Some(&Report::Disconnected(peer(6_002))));
    }

    #[test]
    fn the_end_of_a_known_stream_is_never_forgotten() {
        let mut backlog = Backlog::default();
        backlog.push(Report::Sent(peer(1), RequestId(7)), NOBODY);
        backlog.push(Report::Disconnected(peer(1)), |_| true);
        // A second stream, of which nobody hears; then a third, which stays.
        backlog.push(connected(1, Role::Listener), NOBODY);
        backlog.push(Report::Disconnected(peer(1)), |_| true);
        backlog.push(connected(1, Role::Listener), NOBODY);
        let expected =
            [Report::Sent(peer(1), RequestId(7)), Report::Disconnected(peer(1)), connected(1, Role::Listener)];
        assert_eq!(waiting(&mut backlog), expected);
        // A dial of ours that came to nothing is told, or nobody would try again.
        backlog.push(connected(3, Role::Dialer), NOBODY);
        backlog.push(Report::Disconnected(peer(3)), NOBODY);
        assert_eq!(waiting(&mut backlog), [connected(3, Role::Dialer), Report::Disconnected(peer(3))]);
    }

    #[test]
    fn what_a_mailbox_answered_waits_however_many_strangers_come() {
        let mut backlog = Backlog::default();
        for number in 0..2_000 {
            backlog.push(connected(number, Role::Listener), NOBODY);
        }
        let outcomes = [Report::Answered(RequestId(1), vec![0]), Report::Unanswered(RequestId(2))];
        for outcome in &outcomes {
            assert_eq!(backlog.push(outcome.clone(), NOBODY), Kept::Yes);
        }
        assert_eq!(waiting(&mut backlog)[MOST..], outcomes);
    }

    #[test]
    fn what_is_put_back_is_heard_first_and_in_its_order() {
        let mut backlog = Backlog::default();
        for number in 0..4 {
            backlog.push(Report::DialFailed(peer(number)), NOBODY);
        }
        let taken: Vec<Heard> = (0..3).filter_map(|_| backlog.next()).collect();
        backlog.put_back(taken);
        let expected: Vec<Report> = (0..4).map(|number| Report::DialFailed(peer(number))).collect();
        assert_eq!(waiting(&mut backlog), expected);
    }

    #[test]
    fn a_report_whose_turn_fails_for_ever_is_given_up() {
        let mut backlog = Backlog::default();
        backlog.push(Report::DialFailed(peer(1)), NOBODY);
        let mut tries = 0;
        while let Some(heard) = backlog.next() {
            tries += 1;
            backlog.failed(heard);
        }
        assert_eq!(tries, TRIES);
    }
}
