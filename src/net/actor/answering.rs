//! Questions of others, to this node as a mailbox and as a witness; and where those of this node go.

use super::Actor;
use crate::command::Said;
use crate::protocols::questions::{Ask, Outcome, To};

impl Actor {
    pub(super) fn ask(&mut self, ask: Ask) {
        let refused = self.visits.ask(ask);
        refused.into_iter().for_each(|event| self.upward.push(event));
    }

    pub(super) fn on_asked(&mut self, to: To, outcome: Outcome) {
        match outcome {
            Outcome::Heard { connection, stream, place } => {
                self.hearings.opened(to, connection, stream, place, self.upward.sender());
            }
            // This swarm asks nothing.
            Outcome::Opened { .. } | Outcome::Failed { .. } => {}
        }
    }

    /// Says what waits to be said.
    pub(super) fn reply_all(&mut self, first: Option<Said>) {
        let mut next = first;
        while let Some(Said { to, number, body }) = next {
            self.hearings.answer(to, number, body);
            next = self.commands.replies.try_recv().ok();
        }
    }
}
