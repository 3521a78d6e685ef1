//! The loop: commands in, the swarm, the streams, events out. One line for each thing that can happen.
//!
//! The swarm is polled only while nothing of the actor's own waits for a place in the event channel, so one turn of it
//! adds at most a handful of events. Commands are served all the while, until what they cause piles up too.

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use kinfolk_wire::direct::{FrameKind, NackCode};
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::invite::Address;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, Stream, Swarm, SwarmEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinError;
use tokio::time::Instant;

use crate::address::Route;
use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::command::{Command, CommandReceiver, RequestId};
use crate::config::Config;
use crate::event::{DialFailure, Event};
use crate::protocols::direct::{About, Action, Ended, Links, NotTaken, Outcome, Peers};
use crate::protocols::kad::{self, Finder, Job};
use crate::protocols::mdns::Neighbours;
use crate::protocols::questions::{Ask, Hearings, To, Visits};
use crate::protocols::{gossip, identify, ping, punch, upnp};
use crate::reach::Reach;
use crate::upward::{NobodyListens, Upward};
use crate::{address, identity, transports};

mod answering;
mod gossiping;
mod reaching;

/// Events of the actor's own that may wait; beyond that no command is taken.
const WAITING: usize = 1_024;
/// Commands that are served in one turn.
const AT_ONCE: usize = 128;
/// How long connections are given to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

/// Why the network stopped without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The task of a stream, of a visit, or of one who asks, panicked: a bug.
    #[error("a task of the network has crashed: {0}")]
    Crashed(#[from] JoinError),
}

pub(crate) struct Actor {
    swarm: Swarm<Behaviour>,
    commands: CommandReceiver,
    upward: Upward,
    peers: Peers<Stream>,
    links: Links,
    /// Streams whose `Connected` has not been handed up.
    untold: Vec<oneshot::Sender<()>>,
    /// Where else each connection that is being made could lead.
    attempts: HashMap<ConnectionId, Vec<Multiaddr>>,
    neighbours: Neighbours,
    reach: Reach,
    hearings: Hearings<Stream>,
    visits: Visits,
    finder: Finder,
    gossips: gossip::desk::Desk,
    close: Duration,
}

/// Whether the loop goes on.
enum Turn {
    On,
    Stop,
}

impl Actor {
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        local: PeerId,
        config: &Config,
        bootstrap: &[kad::Named],
        reach: Reach,
        commands: CommandReceiver,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            swarm,
            commands,
            hearings: Hearings::new(config),
            visits: Visits::new(&config.limits, config.deadlines, &events),
            upward: Upward::new(events),
            peers: Peers::new(local),
            links: Links::new(config.limits, config.deadlines),
            untold: Vec::new(),
            attempts: HashMap::new(),
            neighbours: Neighbours::default(),
            reach,
            finder: Finder::new(config.dht_server, config.dht_private, bootstrap),
            gossips: gossip::desk::Desk::default(),
            close: config.deadlines.close,
        }
    }

    pub(crate) async fn run(mut self) -> Result<(), Stopped> {
        while let Turn::On = self.turn().await? {}
        self.shut_down().await
    }

    async fn turn(&mut self) -> Result<Turn, Stopped> {
        if self.upward.is_empty() {
            self.untold.clear();
        }
        let (quiet, room) = (self.upward.is_empty(), self.upward.len() < WAITING);
        let (gathered, unreached) = (self.neighbours.due(), self.reach.due());
        let (unjoined, unjudged) = (self.finder.due(), self.gossips.due());
        tokio::select! {
            () = self.commands.shutdown.notified() => return Ok(Turn::Stop),
            answer = self.commands.answers.recv() => match answer {
                Some(answer) => {
                    self.links.answer(answer);
                    self.answer_all();
                }
                None => return Ok(Turn::Stop),
            },
            said = self.commands.replies.recv() => match said {
                Some(said) => self.reply_all(Some(said)),
                None => return Ok(Turn::Stop),
            },
            command = self.commands.work.recv(), if room => match command {
                Some(command) => self.serve_all(command),
                None => return Ok(Turn::Stop),
            },
            handed_up = std::future::poll_fn(|cx| self.upward.poll(cx)), if !quiet => {
                if let Err(NobodyListens) = handed_up {
                    return Ok(Turn::Stop);
                }
            }
            ended = self.links.ended() => {
                let Ended { peer, stream } = ended?;
                let actions = self.peers.ended(peer, stream);
                self.act(actions);
            }
            ended = self.visits.ended() => ended?,
            ended = self.hearings.ended() => ended?,
            event = self.swarm.select_next_some(), if quiet => self.on_swarm(event),
            () = tokio::time::sleep_until(unjoined.unwrap_or_else(Instant::now)), if unjoined.is_some() => {
                self.finder.begin_again(&mut self.swarm.behaviour_mut().kad);
            }
            () = tokio::time::sleep_until(gathered.unwrap_or_else(Instant::now)), if gathered.is_some() => {
                self.neighbours.tell().into_iter().for_each(|event| self.upward.push(event));
            }
            () = tokio::time::sleep_until(unjudged.unwrap_or_else(Instant::now)), if unjudged.is_some() => {
                self.settle_gossip();
            }
            () = tokio::time::sleep_until(unreached.unwrap_or_else(Instant::now)), if unreached.is_some() => {}
        }
        self.settle_reach();
        Ok(Turn::On)
    }

    /// Serves what waits, as far as there is room for what it causes.
    fn serve_all(&mut self, first: Command) {
        self.serve(first);
        for _ in 1..AT_ONCE {
            if self.upward.len() >= WAITING {
                return;
            }
            match self.commands.work.try_recv() {
                Ok(command) => self.serve(command),
                Err(_) => return,
            }
        }
    }

    fn serve(&mut self, command: Command) {
        match command {
            Command::Dial { request, peer, addresses } => self.dial(request, peer, &addresses),
            Command::Send { request, peer, kind, body } => self.send(request, peer, kind, body),
            Command::Ask { request, host, addresses, body, group } => {
                self.ask(Ask { to: To::Mailbox, request, host, addresses, body, group });
            }
            Command::Inquire { request, host, addresses, group, body } => {
                self.ask(Ask { to: To::Witness, request, host, addresses, body, group });
            }
            Command::Contact { peer, is_one } => {
                if let Some(node) = identity::to_libp2p(&peer) {
                    self.reach.contact(node, is_one);
                }
            }
            Command::Publish { request, key, value, lifetime } => {
                self.search(Job::Publish { request, key, value, lifetime });
            }
            Command::Find { request, key } => self.search(Job::Find { request, key }),
            Command::Follow { topic, follows } => self.follow(&topic, follows),
            Command::Gossip { topic, message } => self.gossip(&topic, message),
            Command::Judge { gossip, verdict } => self.judge(gossip, verdict),
            Command::Introduce { peer, addresses } => self.introduce(peer, &addresses),
            Command::Disconnect { peer } => self.disconnect(peer),
            // These come by the other lanes, or by the bell.
            Command::Acknowledge { .. }
            | Command::Refuse { .. }
            | Command::Answer { .. }
            | Command::Reply { .. }
            | Command::Shutdown => {}
        }
    }

    fn search(&mut self, job: Job) {
        let refused = self.finder.ask(&mut self.swarm.behaviour_mut().kad, job);
        refused.into_iter().for_each(|event| self.upward.push(event));
    }

    fn introduce(&mut self, peer: PeerId, addresses: &[Address]) {
        if let Some(node) = identity::to_libp2p(&peer) {
            let places = address::vouched(addresses, node);
            self.finder.introduce(&mut self.swarm.behaviour_mut().kad, node, places);
        }
    }

    fn on_table(&mut self, event: libp2p::kad::Event) {
        let told = self.finder.on_event(&mut self.swarm.behaviour_mut().kad, event);
        told.into_iter().for_each(|event| self.upward.push(event));
    }

    fn on_identify(&mut self, event: &libp2p::identify::Event) {
        identify::on_event(event);
        let libp2p::identify::Event::Received { connection_id, peer_id, info } = event else { return };
        let table = &mut self.swarm.behaviour_mut().kad;
        let places = self.finder.says(table, *peer_id, *connection_id, &info.protocols, &info.listen_addrs);
        if let Ok(connection) = self.make_connection(Some(*peer_id), places) {
            self.finder.reaching(*peer_id, connection);
        }
    }

    fn answer_all(&mut self) {
        while let Ok(answer) = self.commands.answers.try_recv() {
            self.links.answer(answer);
        }
    }

    fn send(&mut self, request: RequestId, peer: PeerId, kind: FrameKind, body: Vec<u8>) {
        match self.links.send(self.peers.stream(&peer), request, kind, body) {
            Ok(()) => {}
            Err(NotTaken::Lost) => self.upward.push(Event::Lost { request, peer }),
            Err(NotTaken::Unsendable) => self.upward.push(Event::Refused { request, peer, code: NackCode::Refused }),
        }
    }

    fn disconnect(&mut self, peer: PeerId) {
        // What was answered before this command is in the other lane by now.
        self.answer_all();
        let actions = self.peers.disconnect(peer);
        self.act(actions);
    }

    fn dial(&mut self, request: RequestId, peer: PeerId, addresses: &[Address]) {
        self.notice_ending(&peer);
        let node = identity::to_libp2p(&peer);
        let places = node.map(|node| address::vouched(addresses, node)).unwrap_or_default();
        let actions = self.peers.dial(request, peer, places);
        self.act(actions);
    }

    fn connect(&mut self, request: RequestId, peer: PeerId, places: Vec<Multiaddr>) {
        match self.make_connection(identity::to_libp2p(&peer), places.clone()) {
            Ok(connection) => self.peers.dialling(request, peer, connection, places),
            Err(reason) => self.upward.push(Event::DialFailed { request, peer, reason }),
        }
    }

    fn make_connection(
        &mut self,
        node: Option<libp2p::PeerId>,
        places: Vec<Multiaddr>,
    ) -> Result<ConnectionId, DialFailure> {
        let node = node.filter(|_| !places.is_empty()).ok_or(DialFailure::NoAddress)?;
        let addresses = places.iter().map(|place| place.clone().with(Protocol::P2p(node))).collect();
        let options = DialOpts::peer_id(node).condition(PeerCondition::Always).addresses(addresses).build();
        let connection = options.connection_id();
        self.swarm.dial(options).map_err(|error| dial_failure(&error))?;
        self.attempts.insert(connection, places);
        Ok(connection)
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.reach.connected(peer_id, connection_id, &endpoint);
                self.connected(peer_id, connection_id, &address::other_end(&endpoint));
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                self.connection_closed(&peer_id, connection_id, cause.as_ref());
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(node), connection_id, error } => {
                self.connection_failed(node, connection_id, &error);
            }
            SwarmEvent::IncomingConnectionError { error, .. } => tracing::debug!(%error, "a connection was not taken"),
            SwarmEvent::NewListenAddr { listener_id, address } => {
                if self.finder.is_shown(&address) {
                    self.swarm.add_external_address(address.clone());
                }
                self.reach.listening(listener_id, &address);
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.swarm.remove_external_address(&address);
                self.reach.not_listening(&address);
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => self.listener_closed(listener_id, reason),
            SwarmEvent::ListenerError { error, .. } => tracing::debug!(%error, "listener"),
            other => tracing::trace!(?other, "swarm"),
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Direct(outcome) => self.on_stream(outcome),
            BehaviourEvent::Ping(event) => self.on_ping(event),
            BehaviourEvent::Kad(event) => self.on_table(event),
            BehaviourEvent::Mdns(event) => self.neighbours.on_event(event, Instant::now()),
            BehaviourEvent::Identify(event) => {
                self.on_identified(&event);
                self.on_identify(&event);
            }
            BehaviourEvent::Ask(found) => self.on_found(found),
            BehaviourEvent::Punch(event) => punch::on_event(&event),
            BehaviourEvent::Mapper(event) => {
                upnp::on_event(event).into_iter().for_each(|(at, there)| self.reach.mapped(at, there));
            }
            BehaviourEvent::Relay(event) => tracing::debug!(?event, "relay"),
            BehaviourEvent::Circuits(event) => tracing::debug!(?event, "circuit"),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Answer(never) => match never {},
            BehaviourEvent::Mailbox(event) => self.on_asked(To::Mailbox, event),
            BehaviourEvent::Witness(event) => self.on_asked(To::Witness, event),
            BehaviourEvent::Limits(never) | BehaviourEvent::Memory(never) => match never {},
        }
    }

    fn on_ping(&mut self, event: libp2p::ping::Event) {
        if let Some(connection) = ping::on_event(event) {
            self.swarm.close_connection(connection);
        }
    }

    fn on_stream(&mut self, outcome: Outcome) {
        let (Outcome::Opened { peer: node, .. } | Outcome::Failed { peer: node, .. }) = &outcome;
        let Some(peer) = identity::from_libp2p(node) else { return };
        self.notice_ending(&peer);
        let actions = match outcome {
            Outcome::Opened { connection, role, stream, .. } => {
                self.peers.opened(peer, connection, role, stream, Instant::now())
            }
            Outcome::Failed { connection, .. } => self.peers.open_failed(peer, connection),
        };
        self.act(actions);
    }

    fn connected(&mut self, node: libp2p::PeerId, connection: ConnectionId, at: &Multiaddr) {
        self.attempts.remove(&connection);
        self.finder.connected(connection, node, at);
        let (Some(peer), Some(address)) = (identity::from_libp2p(&node), address::write(at)) else {
            self.swarm.close_connection(connection);
            return;
        };
        let actions = self.peers.connected(peer, connection, address);
        self.act(actions);
    }

    fn connection_closed(
        &mut self,
        node: &libp2p::PeerId,
        connection: ConnectionId,
        cause: Option<&libp2p::swarm::ConnectionError>,
    ) {
        tracing::debug!(%node, ?cause, "connection closed");
        self.hearings.closed(connection);
        self.reach.closed(connection);
        self.finder.closed(connection);
        let Some(peer) = identity::from_libp2p(node) else { return };
        let actions = self.peers.connection_closed(peer, connection);
        self.act(actions);
    }

    fn connection_failed(&mut self, node: libp2p::PeerId, connection: ConnectionId, error: &DialError) {
        tracing::debug!(%node, %error, "not connected");
        self.finder.not_reached(&node, connection, &dial_failure(error).to_string());
        let Some(peer) = identity::from_libp2p(&node) else { return };
        let places = self.attempts.remove(&connection).unwrap_or_default();
        let again = match error {
            // The first answer came from somebody else. That must not hide the right node at the next address.
            DialError::WrongPeerId { address, .. } | DialError::LocalPeerId { address } => {
                let wrong = Route::of(address).map(|route| route.multiaddr());
                let rest = places.into_iter().filter(|place| Some(place) != wrong.as_ref()).collect();
                self.make_connection(Some(node), rest).ok()
            }
            _ => None,
        };
        match again {
            Some(again) => self.peers.redialling(peer, connection, again),
            None => {
                let actions = self.peers.dial_failed(peer, connection, dial_failure(error));
                self.act(actions);
            }
        }
    }

    /// A stream whose task still tells what became of its frames is in nobody's way.
    fn notice_ending(&mut self, peer: &PeerId) {
        if self.peers.stream(peer).is_some_and(|stream| self.links.is_over(stream)) {
            self.peers.ending(peer);
        }
    }

    fn act(&mut self, actions: Vec<Action<Stream>>) {
        for action in actions {
            match action {
                Action::Connect { request, peer, places } => self.connect(request, peer, places),
                Action::Open { peer, connection } => self.open(&peer, connection),
                Action::Start { peer, stream, role, io } => self.start(About { peer, stream, role }, io),
                Action::Close { stream } => self.links.close(stream),
                Action::CloseConnection { connection } => drop(self.swarm.close_connection(connection)),
                Action::CloseAll { peer } => self.close_all(&peer),
                Action::Tell(event) => self.upward.push(event),
            }
        }
    }

    fn open(&mut self, peer: &PeerId, connection: ConnectionId) {
        if let Some(node) = identity::to_libp2p(peer) {
            self.swarm.behaviour_mut().direct.open(node, connection);
        }
    }

    fn start(&mut self, about: About, io: Stream) {
        let (tell, told) = oneshot::channel();
        self.untold.push(tell);
        self.links.start(about, io, self.upward.sender(), told);
    }

    fn close_all(&mut self, peer: &PeerId) {
        if let Some(node) = identity::to_libp2p(peer) {
            // Nothing to close is fine too.
            self.swarm.disconnect_peer_id(node).ok();
        }
    }

    /// Lets the streams close, says goodbye on the connections, and hands up what is left if anybody takes it.
    async fn shut_down(mut self) -> Result<(), Stopped> {
        self.answer_all();
        let said = self.commands.replies.try_recv().ok();
        self.reply_all(said);
        self.hearings.close_all();
        self.visits.shut_down().await;
        self.untold.clear();
        self.links.close_all();
        let outcome = tokio::time::timeout(self.close + GOODBYE, self.close_streams()).await.unwrap_or(Ok(()));
        let nodes: Vec<libp2p::PeerId> = self.swarm.connected_peers().copied().collect();
        for node in nodes {
            self.swarm.disconnect_peer_id(node).ok();
        }
        let goodbye = async {
            while self.swarm.network_info().num_peers() > 0 {
                self.swarm.select_next_some().await;
            }
        };
        tokio::time::timeout(GOODBYE, goodbye).await.ok();
        transports::release(self.swarm, GOODBYE).await;
        tokio::time::timeout(GOODBYE, self.upward.drain()).await.ok();
        outcome
    }

    async fn close_streams(&mut self) -> Result<(), Stopped> {
        let mut heard = true;
        while !(self.links.is_empty() && self.hearings.is_empty()) {
            let waiting = heard && !self.upward.is_empty();
            tokio::select! {
                ended = self.links.ended() => self.upward.push(Event::Disconnected { peer: ended?.peer }),
                ended = self.hearings.ended() => ended?,
                handed_up = std::future::poll_fn(|cx| self.upward.poll(cx)), if waiting => heard = handed_up.is_ok(),
                _ = self.swarm.select_next_some() => {}
            }
        }
        Ok(())
    }
}

fn dial_failure(error: &DialError) -> DialFailure {
    match error {
        DialError::NoAddresses => DialFailure::NoAddress,
        DialError::LocalPeerId { .. } => DialFailure::Oneself,
        DialError::WrongPeerId { .. } => DialFailure::AnotherNode,
        DialError::Denied { .. } => DialFailure::Full,
        DialError::Aborted => DialFailure::Cancelled,
        DialError::Transport(_) | DialError::DialPeerConditionFalse(_) => DialFailure::Unreachable,
    }
}
