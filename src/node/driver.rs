//! The loop.
//!
//! ```text
//! wait for a request, an event of the network, or an alarm
//! take what else waits, at most BATCH
//! run the turns over one overlay           nothing has left the process
//! commit the overlay, synced               one sync for all of them
//! let the effects out, answer the callers  in the order of the turns
//! answer the questions                     they see what is committed
//! ```
//!
//! A commit that fails takes its whole batch back: callers are told why, frames are refused for later, and the node
//! lives on with the store as it was.

use std::thread::JoinHandle;
use std::time::Duration;

use kinfolk_engine::event::Notice;
use kinfolk_engine::input::{Delivery, Report};
use kinfolk_engine::store::{Changes, Overlay, Profile};
use kinfolk_engine::{Answer, Effect, Input, Turn, found, next_wakeup, query, turn};
use kinfolk_net::Network;
use kinfolk_store::Store;
use kinfolk_wire::direct::NackCode;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Timestamp;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::clock::Clock;
use crate::config::{NodeConfig, ProfileError, StartError};
use crate::entropy::Entropy;
use crate::handle::{CommandError, Counters, Handle, NOTICES, QUEUE, Question, Request};
use crate::translate;

/// Turns in one commit: enough that a burst pays for one sync, few enough that nobody waits long.
const BATCH: usize = 256;
/// The longest sleep, so that a clock that was set is noticed.
const NAP: Duration = Duration::from_secs(60);
/// The wait before the engine is woken again after a turn of its own failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// A running node.
pub struct Node {
    /// The way in.
    pub handle: Handle,
    /// The driver's thread; ends when the node is stopped, with an error where it could not go on.
    pub thread: JoinHandle<Result<(), Failed>>,
}

/// Why a driver could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node had to stop: {0}")]
pub struct Failed(pub String);

/// What a new profile is told once.
pub struct Created {
    /// The profile.
    pub profile: Profile,
    /// The 24 words of the recovery phrase. They are kept nowhere.
    pub phrase: Vec<zeroize::Zeroizing<String>>,
}

/// Makes a profile in an empty store.
///
/// # Errors
/// [`ProfileError`].
pub fn create_profile(
    store: &mut Store,
    clock: &impl Clock,
    entropy: &mut impl Entropy,
    name: Name,
    phrase: Option<kinfolk_crypto::RecoveryPhrase>,
) -> Result<Created, ProfileError> {
    let network_key = zeroize::Zeroizing::new(entropy.seed()?);
    let peer = kinfolk_net::peer_id(&network_key);
    let founded = found(clock.now(), &mut entropy.generator()?, name, phrase, &network_key, peer)?;
    store.commit(&founded.changes)?;
    Ok(Created { profile: founded.profile, phrase: founded.phrase })
}

/// Starts a node on an open store. Must be called inside a tokio runtime where it is to join the network.
///
/// # Errors
/// [`StartError`].
pub fn start(store: Store, config: NodeConfig, clock: impl Clock, entropy: impl Entropy) -> Result<Node, StartError> {
    let profile = query::profile(&store)?.ok_or(StartError::NoProfile)?;
    let network = config.network.map(|network| join(&profile, network)).transpose()?;
    let (requests, queue) = mpsc::channel(QUEUE);
    let (notices, _) = broadcast::channel(NOTICES);
    let handle = Handle { requests, notices: notices.clone() };
    let driver = Driver {
        store,
        clock,
        entropy,
        queue,
        notices,
        network,
        counters: Counters::default(),
        wake_not_before: None,
        heard_in_vain: Vec::new(),
        stopping: None,
    };
    let thread = std::thread::Builder::new().name("kinfolk-driver".to_owned()).spawn(move || driver.run())?;
    Ok(Node { handle, thread })
}

fn join(profile: &Profile, network: crate::config::NetworkConfig) -> Result<Network, StartError> {
    let seed = <[u8; 32]>::try_from(profile.network_key.as_slice()).map_err(|_| StartError::NoProfile)?;
    let mut config = kinfolk_net::Config::new(seed);
    config.listen = network.listen;
    config.bootstrap = network.bootstrap;
    config.mdns = network.mdns;
    Ok(kinfolk_net::spawn(config)?)
}

struct Driver<C, E> {
    store: Store,
    clock: C,
    entropy: E,
    queue: mpsc::Receiver<Request>,
    notices: broadcast::Sender<Notice>,
    network: Option<Network>,
    counters: Counters,
    wake_not_before: Option<Timestamp>,
    /// Reports to hear again once the store takes batches.
    heard_in_vain: Vec<Report>,
    stopping: Option<oneshot::Sender<()>>,
}

/// What waits for the commit of its batch.
enum Waiting {
    Effect(Effect),
    Reply(oneshot::Sender<Result<Answer, CommandError>>, Answer),
}

/// A batch on its way to the disk.
#[derive(Default)]
struct Batch {
    turns: usize,
    changes: Changes,
    waiting: Vec<Waiting>,
    /// Frames whose turns are in the batch: refused for later if it is not committed.
    deliveries: Vec<Delivery>,
    /// Other reports of the network whose turns are in the batch: heard again if it is not committed.
    reports: Vec<Report>,
    questions: Vec<Question>,
    counters: Vec<oneshot::Sender<Counters>>,
    stop: Option<oneshot::Sender<()>>,
}

/// What the loop woke up for.
enum Woken {
    Request(Option<Request>),
    Network(Option<kinfolk_net::Event>),
    Alarm,
}

impl<C: Clock, E: Entropy> Driver<C, E> {
    fn run(mut self) -> Result<(), Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| Failed(format!("no timer: {error}")))?;
        let outcome = runtime.block_on(self.drive());
        if let Some(network) = self.network.take() {
            // A network that has stopped already needs no telling.
            drop(network.commands.try_send(kinfolk_net::Command::Shutdown));
        }
        if let Err(failed) = &outcome {
            tracing::error!(%failed, "the driver stops");
        }
        let stopping = self.stopping.take();
        if let Err(error) = self.store.close() {
            tracing::warn!(%error, "the store was not put in order; nothing is lost, the next start takes longer");
        }
        if let Some(reply) = stopping
            && reply.send(()).is_err()
        {
            tracing::debug!("whoever stopped the node did not wait for it");
        }
        outcome
    }

    async fn drive(&mut self) -> Result<(), Failed> {
        let mut batch = Batch::default();
        self.step(&mut batch, Input::Started, None, None);
        self.commit(&mut batch)?;
        loop {
            let woken = self.wait().await;
            match woken {
                Woken::Request(None) => return Ok(()),
                Woken::Request(Some(request)) => self.take(&mut batch, request),
                Woken::Network(None) => return Err(Failed("the network ended by itself".to_owned())),
                Woken::Network(Some(event)) => self.hear(&mut batch, event),
                Woken::Alarm => {
                    for report in std::mem::take(&mut self.heard_in_vain) {
                        self.hear_report(&mut batch, report);
                    }
                    self.step(&mut batch, Input::Wake, None, None);
                }
            }
            self.drain(&mut batch);
            self.commit(&mut batch)?;
            for question in std::mem::take(&mut batch.questions) {
                question(&self.store);
            }
            for reply in std::mem::take(&mut batch.counters) {
                drop(reply.send(self.counters.clone()));
            }
            if let Some(reply) = batch.stop.take() {
                // Sent when the store is closed, so that another process can open it at once.
                self.stopping = Some(reply);
                return Ok(());
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let sleep = tokio::time::sleep(self.sleep());
        let events = self.network.as_mut().map(|network| &mut network.events);
        let event = async {
            match events {
                Some(events) => events.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            request = self.queue.recv() => Woken::Request(request),
            event = event => Woken::Network(event),
            () = sleep => Woken::Alarm,
        }
    }

    fn sleep(&self) -> Duration {
        let next = match next_wakeup(&self.store) {
            Ok(next) => next,
            // A disk that cannot be read now may be read later.
            Err(error) => {
                tracing::warn!(%error, "the store does not say what is due");
                return AFTER_FAILURE;
            }
        };
        let now = self.clock.now();
        let next = match (next, self.wake_not_before) {
            (Some(next), Some(not_before)) => Some(next.max(not_before)),
            (None, Some(not_before)) if !self.heard_in_vain.is_empty() => Some(not_before),
            (next, _) => next,
        };
        next.map_or(NAP, |next| Duration::from_millis(next.since(now).as_millis()).min(NAP))
    }

    /// Takes what else waits, in turns from both sides, so that neither starves the other.
    fn drain(&mut self, batch: &mut Batch) {
        let mut empty = false;
        while !empty && batch.turns < BATCH && batch.stop.is_none() {
            empty = true;
            if let Ok(request) = self.queue.try_recv() {
                self.take(batch, request);
                empty = false;
            }
            let event = self.network.as_mut().and_then(|network| network.events.try_recv().ok());
            if let Some(event) = event {
                self.hear(batch, event);
                empty = false;
            }
        }
    }

    fn take(&mut self, batch: &mut Batch, request: Request) {
        match request {
            Request::Command(command, reply) => self.step(batch, Input::Command(*command), Some(reply), None),
            Request::Question(question) => batch.questions.push(question),
            Request::Counters(reply) => batch.counters.push(reply),
            Request::Stop(reply) => batch.stop = Some(reply),
        }
    }

    fn hear(&mut self, batch: &mut Batch, event: kinfolk_net::Event) {
        let Some(report) = translate::report(event) else { return };
        if self.heard_in_vain.is_empty() {
            return self.hear_report(batch, report);
        }
        // What came first is heard first: the rest waits behind it until the store takes batches again.
        match report {
            Report::Received { delivery, .. } => self.perform(Effect::Refuse(delivery, NackCode::Later)),
            report => self.heard_in_vain.push(report),
        }
    }

    fn hear_report(&mut self, batch: &mut Batch, report: Report) {
        let delivery = match &report {
            Report::Received { delivery, .. } => Some(*delivery),
            other => {
                batch.reports.push(other.clone());
                None
            }
        };
        self.step(batch, Input::Network(report), None, delivery);
    }

    /// Runs one turn over what the batch has changed so far.
    fn step(
        &mut self,
        batch: &mut Batch,
        input: Input,
        reply: Option<oneshot::Sender<Result<Answer, CommandError>>>,
        delivery: Option<Delivery>,
    ) {
        batch.turns += 1;
        let now = self.clock.now();
        let outcome = match self.entropy.generator() {
            Ok(mut generator) => {
                let overlay = Overlay { base: &self.store, changes: &batch.changes };
                turn(now, &mut generator, &overlay, input).map_err(|refusal| {
                    tracing::debug!(code = refusal.code(), "refused");
                    CommandError::from(&refusal)
                })
            }
            Err(error) => Err(CommandError::Refused { code: "no_entropy", message: error.to_string() }),
        };
        match outcome {
            Ok(Turn { changes, effects, answer, rejections }) => {
                batch.changes.extend(changes);
                batch.waiting.extend(effects.into_iter().map(Waiting::Effect));
                batch.waiting.extend(reply.map(|reply| Waiting::Reply(reply, answer)));
                batch.deliveries.extend(delivery);
                for rejection in rejections {
                    *self.counters.entry(rejection).or_default() += 1;
                }
            }
            Err(error) => {
                match reply {
                    // A caller that no longer waits has lost nothing: nothing was done.
                    Some(reply) => drop(reply.send(Err(error))),
                    None => tracing::warn!(%error, "a turn failed"),
                }
                match delivery {
                    Some(delivery) => self.perform(Effect::Refuse(delivery, NackCode::Later)),
                    None => self.wake_not_before = Some(now.after(span(AFTER_FAILURE))),
                }
            }
        }
    }

    fn commit(&mut self, batch: &mut Batch) -> Result<(), Failed> {
        batch.turns = 0;
        let changes = std::mem::take(&mut batch.changes);
        let waiting = std::mem::take(&mut batch.waiting);
        let deliveries = std::mem::take(&mut batch.deliveries);
        let reports = std::mem::take(&mut batch.reports);
        if changes.is_empty() && waiting.is_empty() {
            return Ok(());
        }
        match self.store.commit(&changes) {
            Ok(()) => {
                let mut lost = Vec::new();
                for item in waiting {
                    match item {
                        Waiting::Effect(Effect::Notify(notice)) => drop(self.notices.send(notice)),
                        Waiting::Effect(effect) => lost.extend(self.try_perform(effect)),
                        Waiting::Reply(reply, answer) => drop(reply.send(Ok(answer))),
                    }
                }
                for report in lost {
                    self.step(batch, Input::Network(report), None, None);
                }
                if batch.turns > 0 { self.commit(batch) } else { Ok(()) }
            }
            Err(error) => {
                tracing::warn!(%error, "a batch was not committed");
                for item in waiting {
                    if let Waiting::Reply(reply, _) = item {
                        drop(reply.send(Err(CommandError::from(&error))));
                    }
                }
                for delivery in deliveries {
                    self.perform(Effect::Refuse(delivery, NackCode::Later));
                }
                self.heard_in_vain.extend(reports);
                self.wake_not_before = Some(self.clock.now().after(span(AFTER_FAILURE)));
                Ok(())
            }
        }
    }

    fn perform(&self, effect: Effect) {
        drop(self.try_perform(effect));
    }

    /// Asks the network; says what the engine is to be told where that has no room.
    fn try_perform(&self, effect: Effect) -> Option<Report> {
        let command = translate::command(effect)?;
        let network = self.network.as_ref()?;
        match network.commands.try_send(command) {
            Ok(()) => None,
            Err(kinfolk_net::CommandError::Full(command) | kinfolk_net::CommandError::Stopped(command)) => {
                translate::not_taken(command)
            }
        }
    }
}

fn span(duration: Duration) -> kinfolk_wire::time::Span {
    kinfolk_wire::time::Span::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
