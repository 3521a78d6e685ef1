//! The thread: takes what waits, has the witness answer it, lets the answers out.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use kinfolk_ledger::gossip::Head;
use kinfolk_ledger::message::{Reason, Reply, Request};
use kinfolk_ledger::policy::SignedPolicy;
use kinfolk_ledger::witness::{Compaction, ServeError, Shelf, Witness};
use kinfolk_net::{CommandSender, Topic, Verdict};
use kinfolk_wire::time::Timestamp;
use tokio::sync::{mpsc, watch};

use super::rumours::{Heard, Rumours};
use super::{Answered, Asker, Job, LogCompacted, Place, STOPPED, Served, WitnessStatus, answer, judge, later};
use crate::entropy::{Entropy, SystemEntropy};
use crate::handle::CommandError;

/// Questions that are answered with one append: enough that a burst pays for one sync, few enough that nobody waits long.
const BATCH: usize = 256;
/// After so long without a question the index is brought up to the log.
const PAUSE: Duration = Duration::from_secs(5);

/// The witness, if there is one.
pub(super) enum State<S> {
    /// Nobody has asked for one yet.
    Absent,
    Open(Box<Witness<S>>),
    /// Its log failed: it says nothing until the node is started again.
    Stopped,
}

pub(super) struct Bench<P: Place> {
    place: P,
    pub(super) state: State<P::Shelf>,
    /// Where the log is being written anew.
    pub(super) compaction: Option<Compaction<P::Shelf>>,
    /// How long the log is when it is written anew next.
    pub(super) compacted_at: u64,
    network: Option<CommandSender>,
    back: mpsc::Sender<Answered>,
    status: watch::Sender<Option<WitnessStatus>>,
    rumours: Rumours,
    /// Proofs against writers that others have been told of.
    exposed: u64,
}

impl<P: Place> Bench<P> {
    pub(super) fn new(
        place: P,
        network: Option<CommandSender>,
        back: mpsc::Sender<Answered>,
        status: watch::Sender<Option<WitnessStatus>>,
    ) -> Self {
        let rumours = Rumours::new(Instant::now());
        let (state, compaction, compacted_at) = (State::Absent, None, P::WRITTEN_ANEW);
        Self { place, state, compaction, compacted_at, network, back, status, rumours, exposed: 0 }
    }

    /// Until the driver has ended, and what it asked is answered.
    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        if self.place.is_there() {
            self.open();
            self.rumours.tell(self.network.as_ref());
        }
        let mut is_settled = false;
        loop {
            let first = if self.compaction.is_some() { in_between(queue) } else { queue.recv_timeout(PAUSE) };
            let first = match first {
                Ok(job) => job,
                // Nobody asks for anything: the time is the new log's.
                Err(RecvTimeoutError::Timeout) if self.compaction.is_some() => {
                    self.compact(0);
                    continue;
                }
                Err(RecvTimeoutError::Timeout) if is_settled => match queue.recv() {
                    Ok(job) => job,
                    Err(_) => break,
                },
                Err(RecvTimeoutError::Timeout) => {
                    self.settle();
                    is_settled = true;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut asked = 0_usize;
            let batch = std::iter::once(first).chain(queue.try_iter().take(BATCH - 1));
            self.take(batch.inspect(|_| asked = asked.saturating_add(1)));
            self.compact(asked);
            self.rumours.tell(self.network.as_ref());
            is_settled = false;
        }
        self.give_up_compaction();
        self.settle();
        if let State::Open(witness) = self.state
            && let Err(error) = P::close(witness.into_shelf())
        {
            tracing::warn!(%error, "the witness's log was not put in order; nothing is lost, the next start takes longer");
        }
    }

    fn take(&mut self, batch: impl Iterator<Item = Job>) {
        let (mut askers, mut requests, mut now) = (Vec::new(), Vec::new(), Timestamp::from_millis(0));
        for job in batch {
            match job {
                Job::Question { asker, body, at } => match Request::decode(&body) {
                    Ok(request) => {
                        askers.push(asker);
                        requests.push(request);
                        now = now.max(at);
                    }
                    Err(error) => self.say(asker, &Reply::Refused(Reason::invalid(error))),
                },
                Job::Serve(policy, reply) => {
                    let served = self.serve(*policy);
                    self.follow();
                    self.tell_status();
                    // Whoever no longer waits is told nothing.
                    drop(reply.send(served));
                }
                // Whoever no longer waits is told nothing.
                Job::Status(reply) => drop(reply.send(self.status.borrow().clone())),
                Job::Gossiped { gossip, topic, message } => {
                    let verdict = self.hear(&topic, &message);
                    judge(self.network.as_ref(), gossip, verdict);
                }
            }
        }
        if requests.is_empty() {
            return;
        }
        let heads = requests.iter().map(head_of).collect::<Vec<_>>();
        let replies = self.answer(requests, now);
        self.tell_status();
        if replies.iter().any(|reply| matches!(reply, Reply::Succeeded { .. })) {
            self.follow();
        }
        for (asker, reply) in askers.into_iter().zip(&replies) {
            self.say(asker, reply);
        }
        self.gossip_heads(&heads, &replies);
        self.gossip_proofs();
    }

    /// Tells of the chains that have come further.
    fn gossip_heads(&mut self, heads: &[Option<Head>], replies: &[Reply]) {
        let Some(network) = &self.network else { return };
        let now = Instant::now();
        for (head, reply) in heads.iter().zip(replies) {
            if let (Some(head), Reply::Ack { next }) = (head, reply)
                && *next > head.header.seq
                && let Some(said) = self.rumours.head(head, now)
                && let Err(error) = network.try_send(said)
            {
                tracing::debug!(%error, "a head was not gossiped");
            }
        }
    }

    /// Tells of the writers who were caught since the last time.
    fn gossip_proofs(&mut self) {
        let (State::Open(witness), Some(network)) = (&mut self.state, &self.network) else { return };
        if witness.status().conflicts == self.exposed {
            return;
        }
        let exposures = witness.exposures(self.exposed);
        match exposures {
            Ok((exposures, next)) => {
                self.exposed = next;
                for exposure in exposures {
                    if let Some(said) = self.rumours.exposure(&exposure, Instant::now())
                        && let Err(error) = network.try_send(said)
                    {
                        tracing::debug!(%error, "a proof was not gossiped");
                    }
                }
            }
            Err(error) => self.stopped(&error.to_string()),
        }
    }

    /// Judges gossip, and keeps a proof before anybody hears it from here.
    fn hear(&mut self, topic: &Topic, message: &[u8]) -> Verdict {
        let proof = match self.rumours.hear(topic, message, Instant::now()) {
            Heard::Nothing(verdict) => return verdict,
            Heard::Proof(proof) => proof,
        };
        if let State::Open(witness) = &mut self.state {
            match witness.keep_proof(&proof) {
                Ok(_) => self.tell_status(),
                Err(error) => self.stopped(&error.to_string()),
            }
        }
        Verdict::Accept
    }

    fn answer(&mut self, requests: Vec<Request>, now: Timestamp) -> Vec<Reply> {
        if matches!(self.state, State::Absent) && requests.contains(&Request::Witness) {
            self.open();
        }
        let count = requests.len();
        let witness = match &mut self.state {
            State::Absent => return vec![Reply::Refused(Reason::NotServed); count],
            State::Stopped => return vec![later(STOPPED); count],
            State::Open(witness) => witness,
        };
        let mut generator = match SystemEntropy.generator() {
            Ok(generator) => generator,
            Err(error) => {
                tracing::warn!(%error, "the witness cannot check signatures");
                return vec![later(super::NO_ROOM); count];
            }
        };
        match witness.answer(requests, now, &mut generator) {
            Ok(replies) => replies,
            Err(error) => {
                self.stopped(&error);
                vec![later(STOPPED); count]
            }
        }
    }

    fn serve(&mut self, policy: SignedPolicy) -> Result<Served, CommandError> {
        if matches!(self.state, State::Absent) {
            self.open();
        }
        let State::Open(witness) = &mut self.state else {
            let why = self.status.borrow().as_ref().and_then(|status| status.stopped.clone());
            let message = why.unwrap_or_else(|| "the witness has stopped".to_owned());
            return Err(CommandError::Refused { code: "witness_stopped", message });
        };
        match witness.serve(policy) {
            Ok(currency) => serving(witness)
                .into_iter()
                .find(|served| served.currency == currency)
                .ok_or_else(|| CommandError::Refused { code: "witness_failed", message: "not served".to_owned() }),
            Err(error) => {
                let code = match &error {
                    ServeError::Policy(_) => "bad_policy",
                    ServeError::NotNamed { .. } => "not_named",
                    ServeError::TooMany => "too_many_currencies",
                    ServeError::Shelf(_) => "witness_failed",
                };
                let refused = CommandError::Refused { code, message: error.to_string() };
                if let ServeError::Shelf(error) = &error {
                    self.stopped(error);
                }
                Err(refused)
            }
        }
    }

    fn open(&mut self) {
        let opened = self.place.open().and_then(|shelf| Witness::open(shelf).map_err(|error| error.to_string()));
        match opened {
            Ok(witness) => {
                self.exposed = witness.status().conflicts;
                self.state = State::Open(Box::new(witness));
                self.measure();
                self.follow();
                self.tell_status();
            }
            Err(error) => self.stopped(&error),
        }
    }

    /// Follows what is said of the currencies that are served.
    fn follow(&mut self) {
        let State::Open(witness) = &self.state else { return };
        for served in witness.status().currencies {
            if let Some(policies) = witness.policies(&served.currency) {
                self.rumours.follow(policies);
            }
        }
    }

    /// Brings the index up to the log.
    fn settle(&mut self) {
        if let State::Open(witness) = &mut self.state
            && let Err(error) = witness.settle()
        {
            self.stopped(&error);
        }
    }

    pub(super) fn stopped(&mut self, error: &dyn std::fmt::Display) {
        tracing::error!(%error, "the witness stops; the rest of the node goes on");
        self.tell_status();
        self.state = State::Stopped;
        self.status.send_modify(|status| {
            status.get_or_insert_default().stopped = Some(error.to_string());
        });
    }

    fn say(&self, asker: Asker, reply: &Reply) {
        if let Some(answered) = answer(asker, reply, self.network.as_ref())
            && self.back.blocking_send(answered).is_err()
        {
            tracing::debug!("the driver has ended");
        }
    }

    pub(super) fn tell_status(&self) {
        let State::Open(witness) = &self.state else { return };
        let kept = witness.status();
        self.status.send_replace(Some(WitnessStatus {
            vk: Some(kept.vk),
            currencies: serving(witness),
            accounts: kept.accounts,
            entries: kept.entries,
            votes: kept.votes,
            conflicts: kept.conflicts,
            refused: kept.refused_by_quota,
            log_bytes: P::bytes(witness.end()),
            compacted: kept.compacted.map(|(compacted, after)| LogCompacted {
                at: compacted.at,
                before: compacted.before,
                after,
                dropped: compacted.dropped,
            }),
            stopped: None,
        }));
    }
}

/// What waits, if anything does.
fn in_between(queue: &Receiver<Job>) -> Result<Job, RecvTimeoutError> {
    queue.try_recv().map_err(|error| match error {
        TryRecvError::Empty => RecvTimeoutError::Timeout,
        TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
    })
}

fn head_of(request: &Request) -> Option<Head> {
    match request {
        Request::Commit { receipt } => Some(Head::of(receipt)),
        _ => None,
    }
}

fn serving<S: Shelf>(witness: &Witness<S>) -> Vec<Served> {
    let served = witness.status().currencies.into_iter().filter_map(|served| {
        let quorum = witness.policy(&served.currency)?.quorum();
        Some(Served {
            currency: served.currency,
            code: served.code,
            place: served.place?,
            witnesses: quorum.n(),
            quorum: quorum.q(),
            broken: served.broken,
        })
    });
    served.collect()
}
