//! Floor 4: the network. Commands down, events up.
//!
//! This room holds one task, the actor, which owns the libp2p swarm, one task for each open stream of
//! `/kinfolk/direct/1`, and one for each visit to a mailbox host or a witness, which has a swarm of its own. The driver
//! calls [`spawn`], hands in [`Command`]s that are never waited for, and reads [`Event`]s. What a frame says is not looked
//! at here, and nothing is decided here: whom to reach, what to send again and whether a stranger may speak is for the
//! engine, and what gossip is worth passing on for whoever judges it.
//!
//! | file | what it holds |
//! |---|---|
//! | [`command`] | what the driver asks; the way in |
//! | [`event`] | what the network tells |
//! | [`config`] | keys, addresses, limits, deadlines |
//! | `actor` | the loop |
//! | `behaviour`, `transports`, `outgoing` | the swarm: what it speaks, and over what |
//! | `protocols` | one file for each protocol; `direct` and `questions` are ours |
//! | `address`, `filtered` | what may be dialled, on whose word |
//! | `reach` | where this node can be reached, who relays for it, and on whose word |
//! | `quiet` | behaviours whose beliefs about that are kept from the others |
//! | `identity` | keys and ids between our types and libp2p's |
//! | `upward` | events that wait for a place |
//!
//! Memory is bounded by us, not by others: the event channel is bounded, the actor polls the swarm only when no event
//! of its own waits for a place, and a stream is read only when what it brought last has been handed up. Commands are
//! served all the while.

mod actor;
mod address;
mod behaviour;
pub mod command;
pub mod config;
pub mod event;
mod filtered;
mod identity;
mod outgoing;
mod protocols;
mod quiet;
mod range;
mod reach;
mod transports;
mod upward;

use std::collections::BTreeSet;

use kinfolk_wire::limits;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use actor::Stopped;
pub use command::{
    AskId, Command, CommandError, CommandSender, Delivery, GossipId, InquiryId, RequestId, Topic, Verdict,
};
pub use config::{Config, Deadlines, Limits, Reach as ReachConfig, Relayed};
pub use event::{AskFailure, DialFailure, Event, Reachability, Unreached};
pub use identity::{node_name, peer_id};
pub use kinfolk_wire::direct::Role;
pub use range::{IpRange, NotARange};
pub use transports::StartError;

use crate::actor::Actor;
use crate::behaviour::Behaviour;
use crate::reach::Reach;

/// A running network. It ends with [`Command::Shutdown`], or when either end of it here is dropped.
#[derive(Debug)]
pub struct Network {
    /// The way in.
    pub commands: CommandSender,
    /// The way out; whoever holds it must go on reading.
    pub events: mpsc::Receiver<Event>,
    /// The loop; ends with an error, or a panic, only for a bug.
    pub task: JoinHandle<Result<(), Stopped>>,
}

/// Starts the network and binds its listeners, inside the tokio runtime that calls.
///
/// # Errors
/// [`StartError`]; nothing is left running then.
pub fn spawn(config: Config) -> Result<Network, StartError> {
    let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
    let bootstrap = config
        .bootstrap
        .iter()
        .map(|address| named_node(address).ok_or_else(|| StartError::NotANode { address: address.clone() }))
        .collect::<Result<Vec<_>, _>>()?;
    let key = identity::keypair(&config.network_key);
    let (contacts, friends) = watch::channel(BTreeSet::new());
    let gossip = protocols::gossip::behaviour().map_err(StartError::Transport)?;
    let mut swarm = transports::swarm(key, &config.deadlines, |key, circuits| {
        Behaviour::new(&config, &bootstrap, key.public(), circuits, gossip, &friends)
    })?;
    transports::listen(&mut swarm, &config.listen)?;
    let answers = usize::try_from(config.limits.connections)
        .unwrap_or(usize::MAX)
        .saturating_mul(limits::STREAM_WINDOW as usize)
        .clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
    // What was asked, what waits to be heard of, and answers that come too late.
    let asked = config.limits.asks.saturating_add(config.limits.inquiries);
    let replies = asked.saturating_mul(2).saturating_add(config.limits.events);
    let replies = replies.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
    let (commands, receiver) = command::lanes(config.limits.commands.max(1), answers, replies);
    let (events_tx, events) = mpsc::channel(config.limits.events.max(1));
    let named = bootstrap.iter().map(|(node, ..)| *node).collect();
    let reach = Reach::new(config.reach.clone(), !config.listen.is_empty(), named, contacts);
    let actor = Actor::new(swarm, peer_id(&config.network_key), &config, &bootstrap, reach, receiver, events_tx);
    Ok(Network { commands, events, task: runtime.spawn(actor.run()) })
}

fn named_node(address: &kinfolk_wire::invite::Address) -> Option<protocols::kad::Named> {
    let place = address::read(address)?;
    Some((place.peer?, place, address.clone()))
}
