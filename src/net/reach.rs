//! Where this node can be reached, on whose word, and who relays for it (docs/protocol/09-reach.md).
//!
//! This table does nothing itself: it is told what happened and says what is to be done. Three rules are kept here.
//!
//! **Nobody's word alone.** An address is believed when three nodes have dialled it and come through, or all of those
//! that were asked where fewer are known. Only contacts and the nodes that the person named are asked. What a router or
//! a node says that we are at is a place to ask about, and to try in hole punching, never an address to tell.
//!
//! **Contacts only.** A node relays for contacts and has contacts relay; it looks for that in what they say they speak.
//!
//! **Eight addresses.** What is told of this node is bounded, the likelier first.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use kinfolk_wire::invite::Address;
use kinfolk_wire::limits;
use libp2p::PeerId;
use libp2p::core::ConnectedPoint;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::swarm::{ConnectionId, StreamProtocol};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::address::{self, Global, Place, Route, Transport};
use crate::config;
use crate::event::{Event, Reachability};
use crate::protocols::relay::HOP;

#[cfg(test)]
mod tests;

/// Nodes that must have come through; where fewer were asked, all of them.
const AGREEING: usize = 3;
/// Addresses of one relay that are told.
const TOLD_OF_RELAY: usize = 2;
/// Nodes that are asked about an address.
const ASKED: usize = 6;
/// How long what a node has found holds, before it is asked again when it connects anew.
const HOLDS: Duration = Duration::from_secs(30 * 60);
/// What is due is looked at this often at the most.
const BREATH: Duration = Duration::from_millis(10);
/// How often the wait before a contact is asked again to relay may double.
const DOUBLINGS: u32 = 6;
/// Places for hole punching that are remembered; libp2p remembers a few more, and forgets the oldest as well.
const CANDIDATES: usize = 2 * limits::ADDRESSES;
/// Places of which it is remembered who came through.
const PLACES: usize = 64;
/// What a node speaks that dials others back.
const DIALS_BACK: StreamProtocol = StreamProtocol::new("/libp2p/autonat/2/dial-request");

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Do {
    /// Have this contact relay: listen at this address, and tell [`Reach::asked_to_relay`] what came of it.
    Reserve { relay: PeerId, at: Multiaddr },
    /// Have this node dial us at these addresses.
    Ask { node: PeerId, addresses: Vec<Multiaddr> },
    /// Try this place in hole punching.
    Candidate(Multiaddr),
    /// Relay for others, reachable here now and there before.
    Serve { before: Vec<Multiaddr>, now: Vec<Multiaddr> },
    /// Tell the driver.
    Tell(Event),
}

/// All that is known of how this node is reached.
pub(crate) struct Reach {
    settings: config::Reach,
    global: Global,
    /// The nodes that the person named.
    named: BTreeSet<PeerId>,
    contacts: watch::Sender<BTreeSet<PeerId>>,
    /// Straight connections.
    connections: BTreeMap<ConnectionId, Connection>,
    /// Our own places, in the order in which they came.
    listening: Vec<Multiaddr>,
    mapped: Vec<Multiaddr>,
    found: BTreeMap<Multiaddr, BTreeMap<PeerId, Finding>>,
    /// What each node was asked since it connected: it is not asked the same twice.
    asked: BTreeMap<PeerId, BTreeSet<Multiaddr>>,
    /// Places for hole punching, the newest last.
    candidates: VecDeque<Multiaddr>,
    relays: BTreeMap<PeerId, Relay>,
    listeners: HashMap<ListenerId, PeerId>,
    told: Vec<Address>,
    said: Reachability,
    serving: Vec<Multiaddr>,
    /// When the first contact was there that might relay.
    could_relay: Option<Instant>,
    listens: bool,
    /// Whether something has happened since it was last said what is to be done, and when that changes by itself.
    stirred: bool,
    due: Option<Instant>,
}

struct Connection {
    node: PeerId,
    /// Whether we dialled: what the other side sees of us is then where our router let us out.
    ours: bool,
    at: Multiaddr,
    relays: bool,
    dials_back: bool,
    seen: Option<Multiaddr>,
}

#[derive(Debug, Clone, Copy)]
enum Finding {
    Asked(Instant),
    Reached(Instant),
    NotReached(Instant),
}

impl Finding {
    const fn at(self) -> Instant {
        match self {
            Self::Asked(at) | Self::Reached(at) | Self::NotReached(at) => at,
        }
    }
}

/// A contact that relays for us, or was asked to.
struct Relay {
    standing: Standing,
    failures: u32,
}

enum Standing {
    /// Asked again then.
    Waiting(Instant),
    Asked,
    Held(Vec<Multiaddr>),
}

impl Reach {
    pub(crate) fn new(
        settings: config::Reach,
        listens: bool,
        named: BTreeSet<PeerId>,
        contacts: watch::Sender<BTreeSet<PeerId>>,
    ) -> Self {
        Self {
            global: Global::new(&settings.also_global),
            settings,
            named,
            contacts,
            connections: BTreeMap::new(),
            listening: Vec::new(),
            mapped: Vec::new(),
            found: BTreeMap::new(),
            asked: BTreeMap::new(),
            candidates: VecDeque::new(),
            relays: BTreeMap::new(),
            listeners: HashMap::new(),
            told: Vec::new(),
            said: Reachability::default(),
            serving: Vec::new(),
            could_relay: None,
            listens,
            stirred: true,
            due: None,
        }
    }

    /// A node is a contact's device, or is not any more.
    pub(crate) fn contact(&mut self, node: PeerId, is_one: bool) {
        self.stirred = true;
        self.contacts.send_if_modified(|contacts| if is_one { contacts.insert(node) } else { contacts.remove(&node) });
        if !is_one {
            // What it listens for ends with its connection.
            self.relays.remove(&node);
            self.listeners.retain(|_, relay| *relay != node);
        }
    }

    pub(crate) fn connected(&mut self, node: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        self.stirred = true;
        if endpoint.is_relayed() {
            return;
        }
        let at = endpoint.get_remote_address().clone();
        let connection =
            Connection { node, ours: endpoint.is_dialer(), at, relays: false, dials_back: false, seen: None };
        self.connections.insert(id, connection);
    }

    pub(crate) fn closed(&mut self, id: ConnectionId) {
        self.stirred = true;
        let Some(Connection { node, .. }) = self.connections.remove(&id) else { return };
        if !self.connections.values().any(|other| other.node == node) {
            self.asked.remove(&node);
            // What it has not answered it never will, and may be asked again when it is back.
            self.found.retain(|_, findings| {
                findings.retain(|by, finding| *by != node || !matches!(finding, Finding::Asked(_)));
                !findings.is_empty()
            });
        }
    }

    /// A node has said what it speaks and from where it sees us.
    pub(crate) fn identified(&mut self, id: ConnectionId, speaks: &[StreamProtocol], seen: &Multiaddr) {
        self.stirred = true;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.relays = speaks.contains(&HOP);
        connection.dials_back = speaks.contains(&DIALS_BACK);
        connection.seen = Some(seen.clone());
    }

    /// A place of our own, or one over a relay, is there.
    pub(crate) fn listening(&mut self, listener: ListenerId, at: &Multiaddr) {
        self.stirred = true;
        match self.listeners.get(&listener) {
            None if address::is_relayed(at) => {}
            None => {
                if !self.listening.contains(at) {
                    self.listening.push(at.clone());
                }
            }
            Some(relay) => {
                let is_its = Route::of(at)
                    .is_some_and(|route| route.relay == Some(*relay) && self.global.holds(route.place.socket.ip()));
                let Some(relay) = self.relays.get_mut(relay).filter(|_| is_its) else { return };
                relay.failures = 0;
                match &mut relay.standing {
                    Standing::Held(places) if places.contains(at) || places.len() >= TOLD_OF_RELAY => {}
                    Standing::Held(places) => places.push(at.clone()),
                    standing => *standing = Standing::Held(vec![at.clone()]),
                }
            }
        }
    }

    pub(crate) fn not_listening(&mut self, at: &Multiaddr) {
        self.stirred = true;
        self.listening.retain(|known| known != at);
    }

    /// Whether this is a listener over a relay.
    pub(crate) fn is_of_relay(&self, listener: ListenerId) -> bool {
        self.listeners.contains_key(&listener)
    }

    /// A listener is over: with a relay, it is asked again after a while.
    pub(crate) fn listener_closed(&mut self, listener: ListenerId, now: Instant) {
        self.stirred = true;
        if let Some(relay) = self.listeners.remove(&listener) {
            self.relay_lost(&relay, now);
        }
    }

    /// The relay was asked, or could not be.
    pub(crate) fn asked_to_relay(&mut self, relay: PeerId, listener: Option<ListenerId>, now: Instant) {
        self.stirred = true;
        match listener {
            Some(listener) => drop(self.listeners.insert(listener, relay)),
            None => self.relay_lost(&relay, now),
        }
    }

    fn relay_lost(&mut self, relay: &PeerId, now: Instant) {
        let again = self.settings.again;
        if let Some(relay) = self.relays.get_mut(relay) {
            let wait = again.saturating_mul(1 << relay.failures.min(DOUBLINGS));
            relay.failures = relay.failures.saturating_add(1);
            relay.standing = Standing::Waiting(now + wait);
        }
    }

    /// What the router says of the ports that it maps.
    pub(crate) fn mapped(&mut self, at: Multiaddr, there: bool) {
        self.stirred = true;
        self.mapped.retain(|known| *known != at);
        if there {
            self.mapped.push(at);
        }
    }

    /// A node that was asked has dialled us, or could not.
    pub(crate) fn found(&mut self, by: PeerId, at: Multiaddr, reached: bool, now: Instant) {
        self.stirred = true;
        let finding = if reached { Finding::Reached(now) } else { Finding::NotReached(now) };
        self.found.entry(at).or_default().insert(by, finding);
        while self.found.len() > PLACES {
            let heard = |findings: &BTreeMap<PeerId, Finding>| findings.values().map(|finding| finding.at()).max();
            let Some(oldest) = self.found.iter().min_by_key(|(_, findings)| heard(findings)) else { return };
            let oldest = oldest.0.clone();
            self.found.remove(&oldest);
        }
    }

    /// When something is to be done although nothing happens.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    fn next_due(&self) -> Option<Instant> {
        if self.under_way() >= self.settings.relays {
            return None;
        }
        let again = self.relays.iter().filter_map(|(node, relay)| match relay.standing {
            Standing::Waiting(due) if self.way_to_relay(node).is_some() => Some(due),
            _ => None,
        });
        let first = self.could_relay.filter(|_| self.relays.is_empty()).map(|since| since + self.settings.patience);
        again.chain(first).min().filter(|_| self.wants_relay())
    }

    /// What is to be done now.
    pub(crate) fn settle(&mut self, now: Instant) -> Vec<Do> {
        let mut todo = Vec::new();
        if !std::mem::take(&mut self.stirred) && self.due.is_none_or(|due| now < due) {
            return todo;
        }
        self.ask_around(now, &mut todo);
        self.find_relays(now, &mut todo);
        let serving = if self.settings.relay { self.confirmed().into_keys().collect() } else { Vec::new() };
        if serving != self.serving {
            let before = std::mem::replace(&mut self.serving, serving.clone());
            todo.push(Do::Serve { before, now: serving });
        }
        self.tell(&mut todo);
        self.due = self.next_due().map(|due| due.max(now + BREATH));
        todo
    }

    fn is_trusted(&self, node: &PeerId) -> bool {
        self.named.contains(node) || self.contacts.borrow().contains(node)
    }

    /// Has contacts dial us at the addresses at which they, from where they are, should find us.
    fn ask_around(&mut self, now: Instant, todo: &mut Vec<Do>) {
        let mut asked: BTreeMap<PeerId, BTreeSet<Multiaddr>> = BTreeMap::new();
        let mut candidates = BTreeSet::new();
        for connection in self.connections.values().filter(|connection| self.is_trusted(&connection.node)) {
            let places = self.places_seen(connection);
            if connection.dials_back && self.settings.ask {
                asked.entry(connection.node).or_default().extend(places.iter().cloned());
            }
            if connection.ours {
                candidates.extend(places);
            }
        }
        for place in candidates.into_iter().take(limits::ADDRESSES) {
            if !self.candidates.contains(&place) {
                self.candidates.push_back(place.clone());
                todo.push(Do::Candidate(place));
            }
        }
        while self.candidates.len() > CANDIDATES {
            self.candidates.pop_front();
        }
        for (node, places) in asked {
            let addresses: Vec<_> = places.into_iter().filter(|place| self.is_to_ask(&node, place, now)).collect();
            for place in &addresses {
                self.asked.entry(node).or_default().insert(place.clone());
                self.found.entry(place.clone()).or_default().entry(node).or_insert(Finding::Asked(now));
            }
            if !addresses.is_empty() {
                todo.push(Do::Ask { node, addresses });
            }
        }
    }

    fn is_to_ask(&self, node: &PeerId, place: &Multiaddr, now: Instant) -> bool {
        if self.asked.get(node).is_some_and(|asked| asked.contains(place)) {
            return false;
        }
        let Some(findings) = self.found.get(place) else { return true };
        match findings.get(node) {
            Some(finding) => now.saturating_duration_since(finding.at()) >= HOLDS,
            None => findings.len() < ASKED,
        }
    }

    /// Where a node that sees us at some address may find us: there, if that is where we listen from; at each of our
    /// ports there; and where the router has mapped one.
    fn places_seen(&self, connection: &Connection) -> BTreeSet<Multiaddr> {
        let seen = connection.seen.as_ref().and_then(Place::of);
        let Some(seen) = seen.filter(|seen| self.global.holds(seen.socket.ip())) else { return BTreeSet::new() };
        let ip = seen.socket.ip();
        let own = || self.listening.iter().filter_map(Place::of).filter(|own| own.socket.is_ipv4() == ip.is_ipv4());
        let mut places: BTreeSet<Multiaddr> = own()
            .map(|own| Place { socket: (ip, own.socket.port()).into(), ..own })
            .map(|place| place.multiaddr())
            .collect();
        // Over QUIC we dial from where we listen; over TCP from a port of its own (decision 0011).
        let is_of_listener = seen.transport == Transport::Quic || !connection.ours;
        if is_of_listener && own().any(|own| own.transport == seen.transport) {
            places.insert(seen.multiaddr());
        }
        let there = |at: &&Multiaddr| Place::of(at).is_some_and(|at| at.socket.ip() == ip);
        places.extend(self.mapped.iter().filter(there).cloned());
        let is_open = |at: &Multiaddr| Place::of(at).is_some_and(|at| address::is_open_port(at.socket.port()));
        places.into_iter().filter(is_open).take(limits::ADDRESSES).collect()
    }

    /// Addresses that are believed, and how many nodes have come through to each.
    fn confirmed(&self) -> BTreeMap<Multiaddr, usize> {
        let seen_at: BTreeSet<IpAddr> = self
            .connections
            .values()
            .filter(|connection| self.is_trusted(&connection.node))
            .filter_map(|connection| Some(Place::of(connection.seen.as_ref()?)?.socket.ip()))
            .filter(|ip| self.global.holds(*ip))
            .collect();
        // Who has moved to another network is not where they were.
        let is_current = |place: &Multiaddr| {
            seen_at.is_empty()
                || self.mapped.contains(place)
                || Place::of(place).is_some_and(|place| seen_at.contains(&place.socket.ip()))
        };
        let counted = self.found.iter().filter_map(|(place, findings)| {
            let reached = findings.values().filter(|finding| matches!(finding, Finding::Reached(_))).count();
            let not = findings.values().filter(|finding| matches!(finding, Finding::NotReached(_))).count();
            let enough = AGREEING.min(reached + not);
            (reached > 0 && reached >= enough && self.is_ours(place) && is_current(place))
                .then(|| (place.clone(), reached))
        });
        counted.collect()
    }

    /// Whether there is still a listener that such an address may lead to.
    fn is_ours(&self, place: &Multiaddr) -> bool {
        let Some(place) = Place::of(place) else { return false };
        self.listening
            .iter()
            .filter_map(Place::of)
            .any(|own| own.transport == place.transport && own.socket.is_ipv4() == place.socket.is_ipv4())
    }

    /// Until three have come through it is as well to be reached otherwise too.
    fn wants_relay(&self) -> bool {
        self.settings.over_relays && !self.confirmed().values().any(|reached| *reached >= AGREEING)
    }

    fn find_relays(&mut self, now: Instant, todo: &mut Vec<Do>) {
        let ways: BTreeMap<PeerId, Multiaddr> = self
            .connections
            .values()
            .filter(|connection| connection.relays && self.contacts.borrow().contains(&connection.node))
            .filter_map(|connection| Some((connection.node, way_over(connection)?)))
            .collect();
        if ways.is_empty() {
            self.could_relay = None;
            return;
        }
        let since = *self.could_relay.get_or_insert(now);
        let is_heard = self.is_unreached() || now >= since + self.settings.patience || !self.listens;
        if !self.wants_relay() || (!is_heard && self.relays.is_empty()) {
            return;
        }
        for (relay, at) in ways {
            let is_due = match self.relays.get(&relay).map(|relay| &relay.standing) {
                None => true,
                Some(Standing::Waiting(due)) => *due <= now,
                Some(Standing::Asked | Standing::Held(_)) => false,
            };
            if is_due && self.under_way() < self.settings.relays {
                let failures = self.relays.get(&relay).map_or(0, |relay| relay.failures);
                self.relays.insert(relay, Relay { standing: Standing::Asked, failures });
                todo.push(Do::Reserve { relay, at });
            }
        }
    }

    fn under_way(&self) -> usize {
        self.relays.values().filter(|relay| !matches!(relay.standing, Standing::Waiting(_))).count()
    }

    fn way_to_relay(&self, node: &PeerId) -> Option<Multiaddr> {
        self.connections.values().find(|connection| connection.node == *node && connection.relays).and_then(way_over)
    }

    /// Whether somebody has tried to come through and nobody did.
    fn is_unreached(&self) -> bool {
        let mut findings = self.found.values().flat_map(BTreeMap::values);
        findings.any(|finding| matches!(finding, Finding::NotReached(_))) && self.confirmed().is_empty()
    }

    fn over_relays(&self) -> impl Iterator<Item = &Multiaddr> {
        self.relays.values().flat_map(|relay| match &relay.standing {
            Standing::Held(places) => places.as_slice(),
            Standing::Waiting(_) | Standing::Asked => &[],
        })
    }

    /// Tells what is new of our addresses, and of how we are reached.
    fn tell(&mut self, todo: &mut Vec<Do>) {
        let confirmed = self.confirmed();
        let mut places: Vec<&Multiaddr> = confirmed.keys().collect();
        if self.wants_relay() {
            places.extend(self.over_relays());
        }
        let mut own: Vec<&Multiaddr> = self.listening.iter().collect();
        own.sort_by_key(|at| rank(at));
        places.extend(own);
        let mut now: Vec<Address> = Vec::new();
        for address in places.into_iter().filter_map(address::write) {
            if !now.contains(&address) && now.len() < limits::ADDRESSES {
                now.push(address);
            }
        }
        let before = std::mem::replace(&mut self.told, now.clone());
        let gone = before.iter().filter(|address| !now.contains(address)).cloned();
        todo.extend(gone.map(|address| Do::Tell(Event::NotListening { address })));
        let come = now.into_iter().filter(|address| !before.contains(address));
        todo.extend(come.map(|address| Do::Tell(Event::Listening { address })));
        let reachability = self.reachability(&confirmed);
        if self.said != reachability {
            self.said = reachability.clone();
            todo.push(Do::Tell(Event::Reachability(reachability)));
        }
    }

    fn reachability(&self, confirmed: &BTreeMap<Multiaddr, usize>) -> Reachability {
        let best = confirmed.iter().max_by_key(|(_, reached)| **reached);
        let mut could_not = BTreeSet::new();
        let mut could = BTreeSet::new();
        let mut asking = BTreeSet::new();
        for (node, finding) in self.found.values().flatten() {
            match finding {
                Finding::Reached(_) => could.insert(*node),
                Finding::NotReached(_) => could_not.insert(*node),
                Finding::Asked(_) => asking.insert(*node),
            };
        }
        let relays = self.relays.values().filter(|relay| matches!(relay.standing, Standing::Held(_))).count();
        Reachability {
            confirmed: best.and_then(|(at, reached)| Some((address::write(at)?, *reached))),
            came_through: could.len(),
            could_not: could_not.difference(&could).count(),
            asking: asking.iter().filter(|node| !could.contains(*node) && !could_not.contains(*node)).count(),
            relays,
            mapped: self.mapped.first().and_then(address::write),
            relaying: !self.serving.is_empty(),
        }
    }
}

/// Where to listen so that this contact relays.
fn way_over(connection: &Connection) -> Option<Multiaddr> {
    let at = Place::of(&connection.at)?.multiaddr();
    Some(at.with(Protocol::P2p(connection.node)).with(Protocol::P2pCircuit))
}

/// The likelier to be of use to others, the lower.
fn rank(at: &Multiaddr) -> u8 {
    match Place::of(at).map(|place| place.socket.ip()) {
        Some(IpAddr::V4(ip)) if ip.is_loopback() => 3,
        Some(IpAddr::V6(ip)) if ip.is_loopback() => 3,
        Some(IpAddr::V4(ip)) if ip.is_link_local() => 2,
        Some(IpAddr::V6(ip)) if ip.is_unicast_link_local() => 2,
        Some(ip) if address::is_global(ip) => 0,
        Some(_) => 1,
        None => 4,
    }
}

#[cfg(test)]
mod asked_again;
