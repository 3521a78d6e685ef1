//! What the swarm tells of how this node is reached, and what is to be done about it.

use libp2p::core::transport::ListenerId;
use tokio::time::Instant;

use super::Actor;
use crate::event::Event;
use crate::protocols::dialback::Found;
use crate::protocols::{identify, relay};
use crate::reach::Do;

impl Actor {
    pub(super) fn on_found(&mut self, Found { by, address, reached }: Found) {
        tracing::debug!(%by, %address, reached, "dialled back");
        self.reach.found(by, address, reached, Instant::now());
    }

    pub(super) fn on_identified(&mut self, event: &libp2p::identify::Event) {
        if let libp2p::identify::Event::Received { connection_id, info, .. } = event {
            self.reach.identified(*connection_id, &info.protocols, &info.observed_addr);
        }
        identify::on_event(event);
    }

    pub(super) fn listener_closed(&mut self, listener: ListenerId, reason: std::io::Result<()>) {
        match reason {
            Err(error) if !self.reach.is_of_relay(listener) => {
                self.upward.push(Event::ListenFailed { reason: error.to_string() });
            }
            reason => tracing::debug!(?reason, "a listener is closed"),
        }
        self.reach.listener_closed(listener, Instant::now());
    }

    /// Does what is to be done for this node to be reached.
    pub(super) fn settle_reach(&mut self) {
        let now = Instant::now();
        loop {
            let todo = self.reach.settle(now);
            if todo.is_empty() {
                return;
            }
            todo.into_iter().for_each(|todo| self.carry_out(todo, now));
        }
    }

    fn carry_out(&mut self, todo: Do, now: Instant) {
        let behaviour = self.swarm.behaviour_mut();
        match todo {
            Do::Reserve { relay, at } => {
                tracing::debug!(%relay, "asked to relay");
                let listener = self.swarm.listen_on(at);
                let listener = listener.inspect_err(|error| tracing::debug!(%error, "cannot ask a relay")).ok();
                self.reach.asked_to_relay(relay, listener, now);
            }
            Do::Ask { node, addresses } => {
                if let Some(ask) = behaviour.ask.as_mut() {
                    ask.ask(&node, &addresses);
                }
            }
            Do::Candidate(place) => behaviour.punch.as_mut().into_iter().for_each(|punch| punch.candidate(&place)),
            Do::Serve { before, now } => {
                behaviour.relay.as_mut().into_iter().for_each(|relay| relay::serve(relay, &before, &now));
            }
            Do::Tell(event) => self.upward.push(event),
        }
    }
}
