//! Questions of others, to this node as a mailbox and as a witness; and where those of this node go.

use libp2p::request_response;
use tokio::time::Instant;

use super::Actor;
use crate::command::Said;
use crate::protocols::questions::{Ask, Channel, Desk, Taken, To};

impl Actor {
    pub(super) fn ask(&mut self, ask: Ask) {
        let refused = self.visits.ask(ask);
        refused.into_iter().for_each(|event| self.upward.push(event));
    }

    pub(super) fn on_question(&mut self, to: To, event: request_response::Event<Vec<u8>, Vec<u8>>) {
        use request_response::{Event as Happened, Message};
        match event {
            Happened::Message { connection_id, message: Message::Request { request_id, request, channel }, .. } => {
                match self.desk(to).asked(connection_id, request_id, request, channel, Instant::now()) {
                    Taken::Up(event) => self.upward.push(event),
                    Taken::Answer(channel, body) => self.say(to, channel, body),
                }
            }
            Happened::ResponseSent { request_id, .. } => self.desk(to).over(request_id),
            Happened::InboundFailure { request_id, error, .. } => {
                tracing::debug!(%error, "a question was not answered");
                self.desk(to).over(request_id);
            }
            // This swarm asks nothing.
            Happened::Message { message: Message::Response { .. }, .. } | Happened::OutboundFailure { .. } => {}
        }
    }

    pub(super) fn reply(&mut self, Said { to, number, body }: Said) {
        match self.desk(to).answer(number) {
            Some(channel) => self.say(to, channel, body),
            None => tracing::debug!("an answer came too late"),
        }
    }

    /// When a question has waited long enough.
    pub(super) fn unanswered(&self) -> Option<Instant> {
        [self.mailbox.due(), self.witness.due()].into_iter().flatten().min()
    }

    pub(super) fn drop_unanswered(&mut self, now: Instant) {
        self.mailbox.drop_due(now);
        self.witness.drop_due(now);
    }

    fn desk(&mut self, to: To) -> &mut Desk<request_response::InboundRequestId, Channel> {
        match to {
            To::Mailbox => &mut self.mailbox,
            To::Witness => &mut self.witness,
        }
    }

    fn say(&mut self, to: To, channel: Channel, body: Vec<u8>) {
        let behaviour = self.swarm.behaviour_mut();
        let questions = match to {
            To::Mailbox => &mut behaviour.mailbox,
            To::Witness => &mut behaviour.witness,
        };
        // Where it is refused, the one who asked has gone; the swarm says so as well.
        questions.inner().send_response(channel, body).ok();
    }
}
