//! The network's words in the engine's, and back.

use std::time::Duration;

use kinfolk_engine::Effect;
use kinfolk_engine::effect::RequestId;
use kinfolk_engine::input::{AskId, Delivery, Report};
use kinfolk_engine::store::Tried;
use kinfolk_net::{Command, Event};
use kinfolk_wire::mailbox::{Refused, Reply};

use crate::work::Ask;

const fn delivery_up(delivery: kinfolk_net::Delivery) -> Delivery {
    Delivery { peer: delivery.peer, stream: delivery.stream, sequence: delivery.sequence }
}

const fn delivery_down(delivery: Delivery) -> kinfolk_net::Delivery {
    kinfolk_net::Delivery { peer: delivery.peer, stream: delivery.stream, sequence: delivery.sequence }
}

/// What the engine is told of an event of the network, if anything.
pub(crate) fn report(event: Event) -> Option<Report> {
    Some(match event {
        Event::Listening { address } => Report::Listening(address),
        Event::NotListening { address } => Report::NotListening(address),
        Event::ListenFailed { reason } => {
            tracing::warn!("one of the addresses to listen at cannot be had");
            tracing::debug!(reason, "not listening");
            return None;
        }
        // For the driver.
        Event::Reachability(_) => return None,
        Event::Connected { peer, role, address } => Report::Connected { peer, role, address },
        Event::Disconnected { peer } => Report::Disconnected(peer),
        Event::DialFailed { peer, .. } => Report::DialFailed(peer),
        Event::Received { delivery, kind, body, .. } => {
            Report::Received { delivery: delivery_up(delivery), kind, body }
        }
        Event::Sent { request, peer } => Report::Sent(peer, RequestId(request.0)),
        Event::Refused { request, peer, code } => Report::Refused(peer, RequestId(request.0), code),
        Event::Lost { request, peer } => Report::Lost(peer, RequestId(request.0)),
        Event::Asked { ask, body } => Report::Asked { ask: AskId(ask.0), body },
        Event::Answered { request, body } => Report::Answered(RequestId(request.0), body),
        Event::Unanswered { request, reason } => {
            tracing::debug!(request = request.0, %reason, "a mailbox gave no answer");
            Report::Unanswered(RequestId(request.0))
        }
        // For the driver.
        Event::Inquiry { .. } | Event::Follower { .. } | Event::Gossiped { .. } => return None,
        Event::Replied { request, body } => Report::Replied(RequestId(request.0), Some(body)),
        Event::Unreplied { request, reason } => {
            tracing::debug!(request = request.0, %reason, "a witness gave no answer");
            Report::Replied(RequestId(request.0), None)
        }
        Event::Joined => Report::Joined,
        Event::NotJoined { tried } => {
            tracing::warn!(nodes = tried.len(), "no node of the hash table answers; `status` tells which were tried");
            let tried = tried.into_iter();
            Report::NotJoined(tried.map(|node| Tried { address: node.address, reason: node.reason }).collect())
        }
        Event::Published { request, copies } => Report::Published(RequestId(request.0), copies),
        Event::Found { request, values } => Report::Found(RequestId(request.0), values),
        Event::Discovered { peer, addresses } => Report::Discovered { peer, addresses },
    })
}

/// What the network is asked for an effect; nothing for what is not its business.
pub(crate) fn command(effect: Effect) -> Option<Command> {
    Some(match effect {
        Effect::Dial { peer, addresses } => Command::Dial { request: kinfolk_net::RequestId(0), peer, addresses },
        Effect::Send { request, peer, kind, body } => {
            Command::Send { request: kinfolk_net::RequestId(request.0), peer, kind, body }
        }
        Effect::Acknowledge(delivery) => Command::Acknowledge { delivery: delivery_down(delivery) },
        Effect::Refuse(delivery, code) => Command::Refuse { delivery: delivery_down(delivery), code },
        Effect::Disconnect(peer) => Command::Disconnect { peer },
        Effect::Contact { peer, is_one } => Command::Contact { peer, is_one },
        Effect::Ask { request, host, addresses, body, work: _, group } => {
            question(Ask { request, host, addresses, body, group })
        }
        Effect::Answer(ask, body) => Command::Answer { ask: kinfolk_net::AskId(ask.0), body },
        Effect::Publish { request, key, value, lifetime } => {
            let lifetime = Duration::from_millis(lifetime.as_millis());
            Command::Publish { request: kinfolk_net::RequestId(request.0), key, value, lifetime }
        }
        Effect::Find { request, key } => Command::Find { request: kinfolk_net::RequestId(request.0), key },
        Effect::Introduce { peer, addresses } => Command::Introduce { peer, addresses },
        Effect::Inquire { request, host, addresses, group, body } => {
            Command::Inquire { request: kinfolk_net::RequestId(request.0), host, addresses, group, body }
        }
        Effect::Notify(_) => return None,
    })
}

/// What the network is asked for a question to a mailbox on which no more work is to be done.
pub(crate) fn question(Ask { request, host, addresses, body, group }: Ask) -> Command {
    let request = kinfolk_net::RequestId(request.0);
    Command::Ask { request, host, addresses, body: body.encode(), group }
}

/// What somebody is told who asks this node as a mailbox at the wrong time: when to come again.
pub(crate) fn later(ask: AskId, seconds: u16) -> Effect {
    Effect::Answer(ask, Reply::Refused(Refused::Later(seconds)).encode(0))
}

/// What the engine is told when the network had no room for a command.
pub(crate) fn not_taken(command: Command) -> Option<Report> {
    match command {
        Command::Send { request, peer, .. } => Some(Report::Lost(peer, RequestId(request.0))),
        Command::Dial { peer, .. } => Some(Report::DialFailed(peer)),
        Command::Ask { request, .. } => Some(Report::Unanswered(RequestId(request.0))),
        Command::Inquire { request, .. } => Some(Report::Replied(RequestId(request.0), None)),
        Command::Publish { request, .. } => Some(Report::Published(RequestId(request.0), 0)),
        Command::Find { request, .. } => Some(Report::Found(RequestId(request.0), Vec::new())),
        // A contact is introduced again with its next hello.
        Command::Introduce { .. } => None,
        // The other side sends again what was not acknowledged, and asks again what was not answered; a stalled link is
        // given up again later; whose device a node is comes again with its next hello.
        Command::Acknowledge { .. }
        | Command::Refuse { .. }
        | Command::Answer { .. }
        | Command::Reply { .. }
        // Hints.
        | Command::Follow { .. }
        | Command::Gossip { .. }
        | Command::Judge { .. }
        | Command::Contact { .. }
        | Command::Disconnect { .. }
        | Command::Shutdown => None,
    }
}
