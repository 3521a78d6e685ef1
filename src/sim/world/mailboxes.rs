//! The mailbox hosts of a world. What is asked of them is lost on its way, or their answer is, or it comes twice.

use kinfolk_engine::Input;
use kinfolk_engine::effect::RequestId;
use kinfolk_engine::input::{Command, MailboxChoice, Report};
use kinfolk_engine::store::{Errand, Key, Read, Row};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use kinfolk_wire::mailbox::{Host, Reply};
use kinfolk_wire::time::Span;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::World;
use crate::faults::Fault;
use crate::host::{Conduct, MailboxHost};
use crate::model;

/// The hosts.
pub(super) struct Mailboxes(Vec<(Host, MailboxHost)>);

impl Mailboxes {
    /// So many hosts, of which every third misbehaves in one way or another.
    pub(super) fn draw(count: usize, rng: &mut ChaCha8Rng) -> Self {
        let hosts = (0..count).map(|number| {
            let mut peer = [0; PeerId::LENGTH];
            rng.fill_bytes(&mut peer);
            let bad = Conduct::BAD.get(rng.next_u32() as usize % Conduct::BAD.len()).copied().unwrap_or_default();
            let conduct = if number % 3 == 2 { bad } else { Conduct::Honest };
            #[allow(clippy::expect_used, reason = "the text is an address")]
            let address =
                Address::new(&format!("/ip4/198.51.100.{}/udp/4001/quic-v1", number % 250 + 1)).expect("an address");
            let card = Host { peer: PeerId::new(peer), addresses: vec![address], work_bits: 0 };
            (card, MailboxHost { conduct, ..MailboxHost::default() })
        });
        Self(hosts.collect())
    }
}

impl World {
    /// Everybody names all hosts.
    pub(super) fn name_hosts(&mut self) {
        let cards: Vec<Host> = self.hosts.0.iter().map(|(card, _)| card.clone()).collect();
        for node in 0..self.plan.people {
            for card in &cards {
                let command = Command::AddMailbox(MailboxChoice::Host(card.clone()));
                self.input(node, Input::Command(command), model::Errand::Nothing, None);
            }
        }
    }

    /// Notes which line a host says that it keeps.
    fn note_custody(&mut self, index: usize, request: RequestId, host: PeerId, reply: Option<&[u8]>) {
        let done = reply.is_some_and(|reply| Reply::decode(reply) == Ok(Reply::Done));
        let asked = self.nodes.get(index).and_then(|node| node.store.get(&Key::Errand(request.0)).ok().flatten());
        if let Some(Row::Errand(Errand::Deposit { line: Some(line), .. })) = asked
            && done
        {
            self.watch.kept(line, host);
        }
    }

    /// A node asks a host.
    pub(super) fn ask_host(&mut self, index: usize, request: RequestId, host: PeerId, body: &[u8]) {
        let lost = self.weather.strikes(Fault::Loss, &mut self.rng);
        let number = self.hosts.0.iter().position(|(card, _)| card.peer == host);
        let reached = number.filter(|number| !lost && self.reaches(index, *number));
        let known = reached.and_then(|number| self.hosts.0.get_mut(number));
        let reply = known.and_then(|(_, host)| host.answer(body));
        self.note_custody(index, request, host, reply.as_deref());
        let answer_lost = self.weather.strikes(Fault::Loss, &mut self.rng);
        let report = match reply.filter(|_| !answer_lost) {
            Some(reply) => Report::Answered(request, reply),
            None => Report::Unanswered(request),
        };
        let mut wait = 20 + self.chance(200);
        if self.weather.strikes(Fault::Delay, &mut self.rng) {
            wait += self.chance(20_000);
        }
        if self.weather.strikes(Fault::Duplication, &mut self.rng) {
            let at = self.now.after(Span::from_millis(wait + 1 + self.chance(2_000)));
            self.tell(index, at, None, report.clone());
        }
        let at = self.now.after(Span::from_millis(wait));
        self.tell(index, at, None, report);
    }
}
