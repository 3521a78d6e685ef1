//! What the driver asks of the hash table: values put at the nodes nearest to a key, and everything that lies there.
//!
//! A few are under way at a time, the others wait.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use kinfolk_wire::address_record;
use kinfolk_wire::ids::RecordKey;
use libp2p::PeerId;
use libp2p::kad::{
    GetClosestPeersError, GetClosestPeersOk, GetRecordOk, PutRecordError, QueryId, QueryResult, QueryStats, Quorum,
    Record,
};

use super::Table;
use crate::command::RequestId;
use crate::event::Event;

/// Under way at a time.
const AT_ONCE: usize = 8;
/// Waiting.
const QUEUED: usize = 1_024;
/// Nodes that a value is put at: the twenty nearest, and those that other paths end at.
const COPIES: usize = 40;
/// Values that are given to the driver.
const VALUES: usize = 64;

/// Something the driver asks.
#[derive(Debug)]
pub(crate) enum Job {
    Publish { request: RequestId, key: RecordKey, value: Vec<u8>, lifetime: Duration },
    Find { request: RequestId, key: RecordKey },
}

#[derive(Debug)]
enum Running {
    /// The nodes nearest to the key of a value are sought.
    Seek {
        request: RequestId,
        record: Record,
    },
    Put {
        request: RequestId,
        nodes: usize,
    },
    Find {
        request: RequestId,
        values: Vec<Vec<u8>>,
    },
}

#[derive(Debug, Default)]
pub(crate) struct Lookups {
    waiting: VecDeque<Job>,
    running: HashMap<QueryId, Running>,
}

impl Lookups {
    /// Takes a job on. What there is no room for fails at once.
    pub(crate) fn ask(&mut self, table: &mut Table, job: Job) -> Option<Event> {
        if self.waiting.len() >= QUEUED {
            return Some(job.in_vain());
        }
        self.waiting.push_back(job);
        self.go_on(table);
        None
    }

    fn go_on(&mut self, table: &mut Table) {
        while self.running.len() < AT_ONCE {
            let Some(job) = self.waiting.pop_front() else { return };
            let (query, running) = match job {
                Job::Publish { request, key, value, lifetime } => {
                    let expires = Instant::now().checked_add(lifetime);
                    let record = Record { expires, ..Record::new(key.as_bytes().to_vec(), value) };
                    (table.get_closest_peers(key.as_bytes().to_vec()), Running::Seek { request, record })
                }
                Job::Find { request, key } => {
                    let values = Vec::new();
                    (table.get_record(key.as_bytes().to_vec().into()), Running::Find { request, values })
                }
            };
            self.running.insert(query, running);
        }
    }

    /// A query has come further. Whether any node answered it is told with the last word on it.
    pub(crate) fn progressed(
        &mut self,
        table: &mut Table,
        id: QueryId,
        result: QueryResult,
        is_last: bool,
    ) -> Option<Event> {
        if let (Some(Running::Find { values, .. }), QueryResult::GetRecord(Ok(GetRecordOk::FoundRecord(found)))) =
            (self.running.get_mut(&id), &result)
        {
            let value = &found.record.value;
            if address_record::is_size(value.len()) && values.len() < VALUES && !values.contains(value) {
                values.push(value.clone());
            }
        }
        if !is_last {
            return None;
        }
        let told = match self.running.remove(&id)? {
            Running::Seek { request, record } => {
                let nodes: Vec<PeerId> = nearest(result);
                if nodes.is_empty() {
                    Some(Event::Published { request, copies: 0 })
                } else {
                    let count = nodes.len();
                    let query = table.put_record_to(record, nodes.into_iter(), Quorum::All);
                    self.running.insert(query, Running::Put { request, nodes: count });
                    None
                }
            }
            Running::Put { request, nodes } => Some(Event::Published { request, copies: copies(&result, nodes) }),
            Running::Find { request, values } => Some(Event::Found { request, values }),
        };
        self.go_on(table);
        told
    }
}

impl Job {
    fn in_vain(self) -> Event {
        match self {
            Self::Publish { request, .. } => Event::Published { request, copies: 0 },
            Self::Find { request, .. } => Event::Found { request, values: Vec::new() },
        }
    }
}

fn nearest(result: QueryResult) -> Vec<PeerId> {
    let peers = match result {
        QueryResult::GetClosestPeers(
            Ok(GetClosestPeersOk { peers, .. }) | Err(GetClosestPeersError::Timeout { peers, .. }),
        ) => peers,
        _ => Vec::new(),
    };
    peers.into_iter().map(|found| found.peer_id).take(COPIES).collect()
}

fn copies(result: &QueryResult, nodes: usize) -> u32 {
    let taken = match result {
        QueryResult::PutRecord(Err(
            PutRecordError::QuorumFailed { success, .. } | PutRecordError::Timeout { success, .. },
        )) => success.len(),
        QueryResult::PutRecord(Ok(_)) => nodes,
        _ => 0,
    };
    u32::try_from(taken).unwrap_or(u32::MAX)
}

/// Whether a node answered; nothing where none was asked.
pub(crate) fn has_answer(stats: &QueryStats) -> Option<bool> {
    (stats.num_requests() > 0).then_some(stats.num_successes() > 0)
}
