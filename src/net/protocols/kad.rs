//! The distributed hash table, as its client: it asks, and answers only where the person wants this node to.
//!
//! Nobody enters our table by themselves: a node that we reached and that answers queries is added by hand, at the
//! address where we reached it, and only if that address may be dialled on a stranger's word.

use std::num::NonZeroUsize;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::kad::store::MemoryStore;
use libp2p::kad::{self, BucketInserts, Mode, StoreInserts};
use libp2p::swarm::StreamProtocol;

use crate::address::{self, Place};
use crate::filtered::Filtered;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/kinfolk/kad/1");
/// Records stay under 4 KiB; an answer carries one of them and twenty nodes.
const PACKET: usize = 16 * 1024;
const QUERY: Duration = Duration::from_secs(30);
const PARALLELISM: NonZeroUsize = NonZeroUsize::new(3).unwrap();

pub(crate) type Table = kad::Behaviour<MemoryStore>;

/// The table of this node; `bootstrap` is on the person's word.
pub(crate) fn behaviour(local: PeerId, server: bool, bootstrap: &[(PeerId, Place)]) -> Filtered<Table> {
    let mut config = kad::Config::new(PROTOCOL);
    config
        .set_kbucket_inserts(BucketInserts::Manual)
        .set_record_filtering(StoreInserts::FilterBoth)
        .set_max_packet_size(PACKET)
        .set_query_timeout(QUERY)
        .set_parallelism(PARALLELISM)
        .disjoint_query_paths(true)
        .set_caching(kad::Caching::Disabled);
    let mut table = kad::Behaviour::with_config(local, MemoryStore::new(local), config);
    table.set_mode(Some(if server { Mode::Server } else { Mode::Client }));
    let mut table = Filtered::new(table, address::may_be_dialled_from_strangers);
    for (peer, place) in bootstrap {
        table.vouch(*peer, place.multiaddr());
        table.inner().add_address(peer, place.multiaddr());
    }
    if !bootstrap.is_empty() && table.inner().bootstrap().is_err() {
        tracing::debug!("no node of the hash table to begin with");
    }
    table
}

pub(crate) fn on_event(table: &mut Filtered<Table>, event: kad::Event) {
    match event {
        kad::Event::RoutablePeer { peer, address } | kad::Event::PendingRoutablePeer { peer, address } => {
            if table.allows(&peer, &address) {
                table.inner().add_address(&peer, address);
            } else {
                tracing::debug!(%peer, "not taken into the table: its address may not be dialled");
            }
        }
        other => tracing::trace!(?other, "hash table"),
    }
}
