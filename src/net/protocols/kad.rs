//! The distributed hash table (docs/protocol/10-finding.md): as its client it asks; it answers where the person wants
//! this node to.
//!
//! Nobody enters our table by connecting. A node that we reached and that answers queries is added by hand, at the
//! address where we reached it, only if that address may be dialled on a stranger's word, and only if its network has not
//! its part of the bucket. What the person named, and contacts who serve, are added on that word.

mod joining;
mod lookups;
mod network;
mod shelf;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use kinfolk_wire::invite::Address;
use libp2p::PeerId;
use libp2p::kad::{self, BucketInserts, InboundRequest, Mode, QueryResult, StoreInserts};
use libp2p::multiaddr::Multiaddr;
use libp2p::swarm::{ConnectionId, StreamProtocol};
use tokio::time::Instant;

use crate::address::{self, Place};
use crate::event::Event;
use crate::filtered::Filtered;

use joining::Joining;
use lookups::Lookups;
use network::Network;

pub(crate) use lookups::Job;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/kinfolk/kad/1");
/// Records stay under 4 KiB; an answer carries one of them and twenty nodes.
const PACKET: usize = 16 * 1024;
const QUERY: Duration = Duration::from_secs(30);
/// How many disjoint paths a lookup follows.
const PARALLELISM: NonZeroUsize = NonZeroUsize::new(3).unwrap();
/// Nodes that say where they serve and that are being reached there, at a time.
const VERIFIED_AT_ONCE: usize = 16;
/// How long one such dial may go on before it is forgotten.
const VERIFIED_WITHIN: Duration = Duration::from_secs(30);

pub(crate) type Table = kad::Behaviour<shelf::Shelf>;

/// A node to begin with, as the person named it.
pub(crate) type Named = (PeerId, Place, Address);

/// The table of this node; `bootstrap` is on the person's word. Where `private` is set, the network is not the internet,
/// and private addresses are as good as others.
pub(crate) fn behaviour(local: PeerId, server: bool, private: bool, bootstrap: &[Named]) -> Filtered<Table> {
    let mut config = kad::Config::new(PROTOCOL);
    config
        .set_kbucket_inserts(BucketInserts::Manual)
        .set_record_filtering(StoreInserts::FilterBoth)
        .set_record_ttl(Some(shelf::LIFETIME))
        .set_replication_interval(None)
        .set_publication_interval(None)
        .set_provider_publication_interval(None)
        .set_max_packet_size(PACKET)
        .set_query_timeout(QUERY)
        .set_parallelism(PARALLELISM)
        .disjoint_query_paths(true)
        .set_caching(kad::Caching::Disabled);
    let mut table = kad::Behaviour::with_config(local, shelf::Shelf::new(local), config);
    table.set_mode(Some(if server { Mode::Server } else { Mode::Client }));
    let mut table = Filtered::new(table, rule(private));
    for (peer, place, _) in bootstrap {
        table.vouch(*peer, place.multiaddr());
        table.inner().add_address(peer, place.multiaddr());
    }
    if !bootstrap.is_empty() && table.inner().bootstrap().is_err() {
        tracing::debug!("no node of the hash table to begin with");
    }
    table
}

/// What may be dialled on the word of the table.
const fn rule(private: bool) -> fn(&Multiaddr) -> bool {
    if private { address::may_be_dialled_if_vouched } else { address::may_be_dialled_from_strangers }
}

/// What this node does with the table: what it asks, whom it knows, what it keeps.
pub(crate) struct Finder {
    lookups: Lookups,
    joining: Joining,
    /// Where each connection comes from or leads to.
    networks: HashMap<ConnectionId, (Multiaddr, Network)>,
    /// Nodes that are being reached where they say that they serve.
    verified: HashMap<PeerId, (ConnectionId, Instant)>,
    is_server: bool,
    rule: fn(&Multiaddr) -> bool,
}

impl Finder {
    pub(crate) fn new(server: bool, private: bool, bootstrap: &[Named]) -> Self {
        Self {
            lookups: Lookups::default(),
            joining: Joining::new(bootstrap),
            networks: HashMap::new(),
            verified: HashMap::new(),
            is_server: server,
            rule: rule(private),
        }
    }

    /// Asks something of the table. Says so where there is no room for it.
    pub(crate) fn ask(&mut self, table: &mut Filtered<Table>, job: Job) -> Option<Event> {
        self.lookups.ask(table.inner(), job)
    }

    /// Whether this node, where it listens here, tells others to find it here.
    pub(crate) fn is_shown(&self, listening: &Multiaddr) -> bool {
        self.is_server && (self.rule)(listening)
    }

    /// A contact is this node, and is here: on that word it may enter the table, where it serves.
    pub(crate) fn introduce(&mut self, table: &mut Filtered<Table>, peer: PeerId, mut places: Vec<Multiaddr>) {
        // What a server knows it tells others: no private address of a contact.
        places.retain(|place| !self.is_server || (self.rule)(place));
        if self.joining.introduced(peer, places.clone()) {
            take_in(table, peer, places);
        }
    }

    pub(crate) fn connected(&mut self, connection: ConnectionId, peer: PeerId, at: &Multiaddr) {
        self.networks.insert(connection, (at.clone(), Network::of(at)));
        self.joining.connected(connection, peer);
    }

    pub(crate) fn closed(&mut self, connection: ConnectionId) {
        self.networks.remove(&connection);
        self.joining.closed(connection);
        self.verified.retain(|_, (dialled, _)| *dialled != connection);
    }

    /// A dial came to nothing.
    pub(crate) fn not_reached(&mut self, peer: &PeerId, connection: ConnectionId, reason: &str) {
        self.joining.not_reached(peer, reason);
        self.verified.retain(|_, (dialled, _)| *dialled != connection);
    }

    /// A node says where it serves. Where it is worth reaching it there, to take it in: a place on the host that it is
    /// connected from, so that nobody has us dial others.
    pub(crate) fn says(
        &mut self,
        table: &mut Filtered<Table>,
        peer: PeerId,
        connection: ConnectionId,
        protocols: &[StreamProtocol],
        places: &[Multiaddr],
    ) -> Vec<Multiaddr> {
        let now = Instant::now();
        self.verified.retain(|_, (_, since)| now.saturating_duration_since(*since) < VERIFIED_WITHIN);
        let Some((at, _)) = self.networks.get(&connection) else { return Vec::new() };
        let host = Place::of(at).map(|place| place.socket.ip());
        if !self.is_server
            || !protocols.contains(&PROTOCOL)
            || self.verified.contains_key(&peer)
            || self.verified.len() >= VERIFIED_AT_ONCE
            || is_known(table, &peer)
        {
            return Vec::new();
        }
        let mut places: Vec<Multiaddr> = places
            .iter()
            .filter_map(Place::of)
            .filter(|place| Some(place.socket.ip()) == host)
            .map(|place| place.multiaddr())
            .filter(|place| (self.rule)(place))
            .collect();
        places.truncate(4);
        places.retain(|place| has_room(table, &peer, place));
        places
    }

    /// Such a dial is under way.
    pub(crate) fn reaching(&mut self, peer: PeerId, connection: ConnectionId) {
        self.verified.insert(peer, (connection, Instant::now()));
    }

    /// When the next thing is to be done that nobody asks for.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.joining.due()
    }

    /// Tries the named nodes once more.
    pub(crate) fn begin_again(&mut self, table: &mut Filtered<Table>) {
        self.joining.begins_again();
        for (peer, place) in self.joining.named() {
            table.inner().add_address(&peer, place);
        }
        if table.inner().bootstrap().is_err() {
            tracing::debug!("no node of the hash table to begin with");
        }
    }

    /// Something happened in the table: what the driver is told of it.
    pub(crate) fn on_event(&mut self, table: &mut Filtered<Table>, event: kad::Event) -> Vec<Event> {
        match event {
            kad::Event::RoutablePeer { peer, address } | kad::Event::PendingRoutablePeer { peer, address } => {
                // The connection on which that was found out stays: the other side may be asking on it already, and
                // would wait for an answer that never comes.
                self.verified.remove(&peer);
                let places = self.joining.serves(peer);
                take_in(table, peer, places);
                if table.allows(&peer, &address) && has_room(table, &peer, &address) {
                    table.inner().add_address(&peer, address);
                } else {
                    tracing::debug!(%peer, "not taken into the table");
                }
                Vec::new()
            }
            kad::Event::UnroutablePeer { peer } => {
                let places = self.joining.serves(peer);
                take_in(table, peer, places);
                Vec::new()
            }
            kad::Event::InboundRequest {
                request: InboundRequest::PutRecord { connection, record: Some(record), .. },
            } => {
                let from = self.networks.get(&connection).map_or(Network::Other, |(_, network)| *network);
                let kept = table.inner().store_mut().keep(record, from, std::time::Instant::now());
                tracing::trace!(kept, "a value for the hash table");
                Vec::new()
            }
            kad::Event::OutboundQueryProgressed { id, result, stats, step } => {
                // One answer is enough to know that there is somebody; that nobody answers is known at the end.
                let answered = lookups::has_answer(&stats).filter(|answered| *answered || step.last);
                // A value goes to nodes that were just found: whether they took it says nothing about the table.
                let counts = !matches!(result, QueryResult::PutRecord(_));
                let news = answered.filter(|_| counts).and_then(|ok| self.joining.asked(ok, Instant::now()));
                let told = self.lookups.progressed(table.inner(), id, result, step.last);
                news.into_iter().chain(told).collect()
            }
            other => {
                tracing::trace!(?other, "hash table");
                Vec::new()
            }
        }
    }
}

fn take_in(table: &mut Filtered<Table>, peer: PeerId, places: Vec<Multiaddr>) {
    if places.is_empty() {
        return;
    }
    table.vouch_for(peer, places.clone());
    for place in places {
        table.inner().add_address(&peer, place);
    }
}

fn is_known(table: &mut Filtered<Table>, peer: &PeerId) -> bool {
    let bucket = table.inner().kbucket(*peer);
    bucket.is_some_and(|bucket| bucket.iter().any(|entry| entry.node.key.preimage() == peer))
}

fn has_room(table: &mut Filtered<Table>, peer: &PeerId, address: &Multiaddr) -> bool {
    table.inner().kbucket(*peer).is_some_and(|bucket| network::has_room(&bucket, peer, address))
}

#[cfg(test)]
mod tests;
