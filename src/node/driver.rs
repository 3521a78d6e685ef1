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
//! A commit that fails takes its whole batch back: callers are told why, frames and questions to this node as a mailbox
//! are refused for later, other reports of the network wait in the backlog, and the node lives on with the store as it was. Where the disk is full, what a person
//! says is kept all the same, out of the reserve.

use std::thread::JoinHandle;
use std::time::Duration;

use kinfolk_engine::event::{Event as NodeEvent, Notice};
use kinfolk_engine::input::{Command, Report};
use kinfolk_engine::refusal::Refusal;
use kinfolk_engine::store::{Changes, Key, Overlay, Profile, Read, ReadError};
use kinfolk_engine::{Answer, Effect, Input, Turn, found, next_wakeup, query, turn};
use kinfolk_net::Network;
use kinfolk_store::{CommitError, Store};
use kinfolk_wire::direct::NackCode;
use kinfolk_wire::ids::PeerId;
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Timestamp;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::backlog::{Backlog, Heard, Kept};
use crate::clock::Clock;
use crate::config::{NodeConfig, ProfileError, StartError};
use crate::entropy::Entropy;
use crate::handle::{CommandError, Counters, Handle, NOTICES, QUEUE, Question, Reachability, Request};
use crate::translate;
use crate::witness::{Answered, Asker, Place, WitnessThread};
use crate::work::{Ask, Worker};

/// Turns in one commit: enough that a burst pays for one sync, few enough that nobody waits long.
const BATCH: usize = 256;
/// The longest sleep, so that a clock that was set is noticed.
const NAP: Duration = Duration::from_secs(60);
/// The wait before the engine is woken again after a turn of its own failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// When somebody is to come again who asks this node as a mailbox meanwhile, in seconds.
const COME_AGAIN: u16 = 10;
/// How long the network may take to say goodbye: a little more than it allows itself.
const GOODBYE: Duration = Duration::from_secs(4);

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
    let place = store.votes().clone();
    let driver = Driver {
        peer: profile.peer,
        witness: WitnessThread::new(place, network.as_ref().map(|network| network.commands.clone())),
        store,
        clock,
        entropy,
        queue,
        notices,
        reachability: network.is_some().then(Reachability::default),
        network,
        counters: Counters::default(),
        is_begun: false,
        wake_not_before: None,
        heard_in_vain: Backlog::default(),
        worker: Worker::new(),
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
    config.reach = network.reach;
    config.dht_server = network.dht_server;
    config.dht_private = network.dht_private;
    config.limits.memory = network.memory.unwrap_or(config.limits.memory);
    config.no_room = crate::witness::no_room();
    Ok(kinfolk_net::spawn(config)?)
}

struct Driver<C, E, P> {
    /// This node.
    peer: PeerId,
    store: Store,
    clock: C,
    entropy: E,
    queue: mpsc::Receiver<Request>,
    notices: broadcast::Sender<Notice>,
    network: Option<Network>,
    counters: Counters,
    /// What the network last said of it; nothing without a network.
    reachability: Option<Reachability>,
    /// Whether the engine's first turn is committed. Before that no report is heard.
    is_begun: bool,
    wake_not_before: Option<Timestamp>,
    /// Reports to hear again once the store takes batches.
    heard_in_vain: Backlog,
    worker: Worker,
    witness: WitnessThread<P>,
    stopping: Option<oneshot::Sender<()>>,
}

/// Who waits for what a command comes to.
struct Caller {
    reply: oneshot::Sender<Result<Answer, CommandError>>,
    /// The command, where it is something that a person said.
    line: Option<Box<Command>>,
}

impl Caller {
    /// A caller that no longer waits is told nothing.
    fn tell(self, outcome: Result<Answer, CommandError>) {
        drop(self.reply.send(outcome));
    }
}

/// What waits for the commit of its batch.
enum Waiting {
    Effect(Effect),
    Reply(Caller, Answer),
}

/// A batch on its way to the disk.
#[derive(Default)]
struct Batch {
    turns: usize,
    changes: Changes,
    waiting: Vec<Waiting>,
    /// How the frames and questions whose turns are in the batch are refused for later if it is not committed.
    refusals: Vec<Effect>,
    /// Other reports of the network whose turns are in the batch: heard again if it is not committed.
    reports: Vec<Heard>,
    /// Whether the engine's first turn is in the batch.
    begins: bool,
    questions: Vec<Question>,
    counters: Vec<oneshot::Sender<Counters>>,
    stop: Option<oneshot::Sender<()>>,
}

/// What a turn came to.
enum Outcome {
    Done,
    /// The rules or the rows said no, and would again.
    Refused,
    /// The disk or the system failed: another time it may be well.
    Later,
}

/// What the loop woke up for.
enum Woken {
    Request(Option<Request>),
    Network(Option<kinfolk_net::Event>),
    Stamped(Ask),
    Replied(Answered),
    Alarm,
}

impl<C: Clock, E: Entropy, P: Place> Driver<C, E, P> {
    fn run(mut self) -> Result<(), Failed> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| Failed(format!("no timer: {error}")))?;
        let outcome = runtime.block_on(self.drive());
        // While the network is still there to carry what it was about to say.
        self.witness.stop();
        let left = self.network.take().map_or(Ok(()), |network| runtime.block_on(leave(network)));
        let outcome = match (outcome, left) {
            (Ok(()), left) => left,
            (Err(failed), Ok(())) => Err(failed),
            (Err(failed), Err(why)) => Err(Failed(format!("{}: {}", failed.0, why.0))),
        };
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
        self.begin(&mut batch);
        self.commit(&mut batch)?;
        loop {
            let woken = self.wait().await;
            match woken {
                Woken::Request(None) => return Ok(()),
                Woken::Request(Some(request)) => self.take(&mut batch, request),
                Woken::Network(None) => return Err(Failed("the network ended by itself".to_owned())),
                Woken::Network(Some(event)) => self.hear(&mut batch, event),
                Woken::Stamped(ask) => {
                    let lost = self.try_send(translate::question(ask));
                    lost.into_iter().for_each(|report| self.hear_report(&mut batch, report));
                }
                Woken::Replied((request, body)) => {
                    self.hear_report(&mut batch, Report::Replied(request, Some(body)));
                }
                Woken::Alarm if !self.is_begun => self.begin(&mut batch),
                Woken::Alarm => self.wake(&mut batch),
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
            ask = self.worker.stamped() => Woken::Stamped(ask),
            answered = self.witness.answered() => Woken::Replied(answered),
            () = sleep => Woken::Alarm,
        }
    }

    fn sleep(&self) -> Duration {
        if self.is_behind() {
            return self.wake_not_before.map_or(Duration::ZERO, |not_before| self.until(not_before).min(AFTER_FAILURE));
        }
        let next = match next_wakeup(&self.store) {
            Ok(next) => next,
            // A disk that cannot be read now may be read later.
            Err(error) => {
                tracing::warn!(%error, "the store does not say what is due");
                return AFTER_FAILURE;
            }
        };
        let next = match (next, self.wake_not_before) {
            (Some(next), Some(not_before)) => Some(next.max(not_before)),
            (next, _) => next,
        };
        next.map_or(NAP, |next| self.until(next).min(NAP))
    }

    fn until(&self, moment: Timestamp) -> Duration {
        Duration::from_millis(moment.since(self.clock.now()).as_millis())
    }

    /// Whether what the network reports has to wait behind what could not be heard before.
    fn is_behind(&self) -> bool {
        !self.is_begun || !self.heard_in_vain.is_empty()
    }

    /// The engine's first turn; tried again at each alarm until it is committed.
    fn begin(&mut self, batch: &mut Batch) {
        match self.step(batch, Input::Started, None) {
            Outcome::Done => batch.begins = true,
            // Another try would be refused as well; what the node can do, it does.
            Outcome::Refused => self.is_begun = true,
            Outcome::Later => self.wait_a_while(),
        }
    }

    /// Hears first what was heard in vain, as much as goes into a batch.
    fn wake(&mut self, batch: &mut Batch) {
        while batch.turns < BATCH
            && let Some(heard) = self.heard_in_vain.next()
        {
            if let Outcome::Later = self.hear_again(batch, heard) {
                return;
            }
        }
        if self.heard_in_vain.is_empty() {
            match self.step(batch, Input::Wake, None) {
                Outcome::Done => {}
                // What is due stays due, so that it would be tried at once for ever.
                Outcome::Refused | Outcome::Later => self.wait_a_while(),
            }
        }
    }

    fn wait_a_while(&mut self) {
        self.wake_not_before = Some(self.clock.now().after(span(AFTER_FAILURE)));
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
            Request::Command(command, reply) => {
                let line = matches!(*command, Command::SendMessage { .. }).then(|| command.clone());
                // What it came to is told to the caller.
                self.step(batch, Input::Command(*command), Some(Caller { reply, line }));
            }
            Request::Question(question) => batch.questions.push(question),
            Request::Counters(reply) => batch.counters.push(reply),
            // A caller that no longer waits is told nothing.
            Request::Reachability(reply) => drop(reply.send(self.reachability.clone())),
            Request::Serve(policy, reply) => self.witness.serve(*policy, reply),
            Request::Witness(reply) => self.witness.status(reply),
            Request::Stop(reply) => batch.stop = Some(reply),
        }
    }

    fn hear(&mut self, batch: &mut Batch, event: kinfolk_net::Event) {
        if let kinfolk_net::Event::Reachability(reachability) = event {
            self.reachability = Some(reachability);
            // Nobody may be listening.
            drop(self.notices.send(Notice { sequence: None, event: NodeEvent::Listening }));
            return;
        }
        match event {
            kinfolk_net::Event::Inquiry { inquiry, body } => {
                // It is no turn, but the driver has other things to do as well.
                batch.turns += 1;
                let now = self.clock.now();
                // It goes back by the network.
                drop(self.witness.ask(Asker::Somebody(inquiry), body, now));
            }
            kinfolk_net::Event::Gossiped { gossip, topic, message, .. } => {
                batch.turns += 1;
                self.witness.gossiped(gossip, topic, message);
            }
            event => {
                if let Some(report) = translate::report(event) {
                    self.hear_report(batch, report);
                }
            }
        }
    }

    /// What came first is heard first: where something waits, the rest waits behind it until the store takes batches.
    fn hear_report(&mut self, batch: &mut Batch, report: Report) {
        // What only has to wait counts as well, so that requests are not starved by it.
        batch.turns += usize::from(self.is_behind());
        match report {
            Report::Received { delivery, .. } => {
                self.hear_or_refuse(batch, report, Effect::Refuse(delivery, NackCode::Later));
            }
            Report::Asked { ask, .. } => self.hear_or_refuse(batch, report, translate::later(ask, COME_AGAIN)),
            report if self.is_behind() => {
                let store = &self.store;
                // Where it cannot be told, there may be one.
                let is_linked = |peer| !matches!(store.get(&Key::Link(peer)), Ok(None));
                if let Kept::SendAway(peer) = self.heard_in_vain.push(report, is_linked) {
                    self.perform(Effect::Disconnect(peer));
                }
            }
            report => drop(self.hear_again(batch, report.into())),
        }
    }

    /// Hears what comes again if it is refused for later.
    fn hear_or_refuse(&mut self, batch: &mut Batch, report: Report, refusal: Effect) {
        if self.is_behind() {
            return self.perform(refusal);
        }
        match self.step(batch, Input::Network(report), None) {
            Outcome::Done => batch.refusals.push(refusal),
            Outcome::Refused | Outcome::Later => self.perform(refusal),
        }
    }

    fn hear_again(&mut self, batch: &mut Batch, heard: Heard) -> Outcome {
        let outcome = self.step(batch, Input::Network(heard.report.clone()), None);
        match outcome {
            Outcome::Done => batch.reports.push(heard),
            Outcome::Refused => {}
            Outcome::Later => {
                self.heard_in_vain.failed(heard);
                self.wait_a_while();
            }
        }
        outcome
    }

    /// Runs one turn over what the batch has changed so far.
    fn step(&mut self, batch: &mut Batch, input: Input, caller: Option<Caller>) -> Outcome {
        batch.turns += 1;
        let now = self.clock.now();
        let outcome = match self.entropy.generator() {
            Ok(mut generator) => {
                let overlay = Overlay { base: &self.store, changes: &batch.changes };
                turn(now, &mut generator, &overlay, input).map_err(|refusal| {
                    tracing::debug!(code = refusal.code(), "refused");
                    let may_pass = matches!(refusal, Refusal::Store(ReadError::Disk(_)));
                    (CommandError::from(&refusal), if may_pass { Outcome::Later } else { Outcome::Refused })
                })
            }
            Err(error) => {
                let refused = CommandError::Refused { code: "no_randomness", message: error.to_string() };
                Err((refused, Outcome::Later))
            }
        };
        match outcome {
            Ok(Turn { changes, effects, answer, rejections }) => {
                batch.changes.extend(changes);
                batch.waiting.extend(effects.into_iter().map(Waiting::Effect));
                batch.waiting.extend(caller.map(|caller| Waiting::Reply(caller, answer)));
                for rejection in rejections {
                    *self.counters.entry(rejection).or_default() += 1;
                }
                Outcome::Done
            }
            Err((error, outcome)) => {
                match caller {
                    Some(caller) => caller.tell(Err(error)),
                    None => tracing::warn!(%error, "a turn failed"),
                }
                outcome
            }
        }
    }

    fn commit(&mut self, batch: &mut Batch) -> Result<(), Failed> {
        batch.turns = 0;
        let changes = std::mem::take(&mut batch.changes);
        let waiting = std::mem::take(&mut batch.waiting);
        let refusals = std::mem::take(&mut batch.refusals);
        let reports = std::mem::take(&mut batch.reports);
        let begins = std::mem::take(&mut batch.begins);
        if changes.is_empty() && waiting.is_empty() {
            self.is_begun |= begins;
            return Ok(());
        }
        match self.store.commit(&changes) {
            Ok(()) => {
                self.is_begun |= begins;
                self.let_out(batch, waiting);
                if batch.turns > 0 { self.commit(batch) } else { Ok(()) }
            }
            Err(error) => {
                tracing::warn!(%error, "a batch was not committed");
                for item in waiting {
                    match item {
                        Waiting::Reply(Caller { reply, line: Some(line) }, _) if error == CommitError::Full => {
                            self.keep(batch, *line, reply);
                        }
                        Waiting::Reply(caller, _) => caller.tell(Err(CommandError::from(&error))),
                        Waiting::Effect(_) => {}
                    }
                }
                refusals.into_iter().for_each(|refusal| self.perform(refusal));
                self.heard_in_vain.put_back(reports);
                self.wait_a_while();
                Ok(())
            }
        }
    }

    /// What is committed leaves, and callers are told.
    fn let_out(&mut self, batch: &mut Batch, waiting: Vec<Waiting>) {
        let mut lost = Vec::new();
        for item in waiting {
            match item {
                Waiting::Effect(Effect::Notify(notice)) => drop(self.notices.send(notice)),
                Waiting::Effect(effect) => lost.extend(self.try_perform(effect)),
                Waiting::Reply(caller, answer) => caller.tell(Ok(answer)),
            }
        }
        for report in lost {
            self.hear_report(batch, report);
        }
    }

    /// Keeps what a person said although the disk is full, out of the reserve. It goes out like any other line; what
    /// becomes of it is noted when there is space.
    fn keep(&mut self, batch: &mut Batch, line: Command, reply: oneshot::Sender<Result<Answer, CommandError>>) {
        let mut alone = Batch::default();
        self.step(&mut alone, Input::Command(line), Some(Caller { reply, line: None }));
        match self.store.commit_from_reserve(&alone.changes) {
            Ok(()) => self.let_out(batch, alone.waiting),
            Err(error) => {
                for item in alone.waiting {
                    if let Waiting::Reply(caller, _) = item {
                        caller.tell(Err(CommandError::from(&error)));
                    }
                }
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        drop(self.try_perform(effect));
    }

    /// Asks the network; says what the engine is to be told where that has no room.
    fn try_perform(&mut self, effect: Effect) -> Option<Report> {
        match effect {
            Effect::Ask { request, host, addresses, body, work: Some(work), group } if self.network.is_some() => {
                let ask = Ask { request, host, addresses, body, group };
                self.worker.start(ask, work).err().map(Report::Unanswered)
            }
            Effect::Inquire { request, host, body, .. } if host == self.peer => {
                let refused = self.witness.ask(Asker::Oneself(request), body, self.clock.now());
                refused.map(|(request, body)| Report::Replied(request, Some(body)))
            }
            effect => self.try_send(translate::command(effect)?),
        }
    }

    fn try_send(&self, command: kinfolk_net::Command) -> Option<Report> {
        let network = self.network.as_ref()?;
        match network.commands.try_send(command) {
            Ok(()) => None,
            Err(kinfolk_net::CommandError::Full(command) | kinfolk_net::CommandError::Stopped(command)) => {
                translate::not_taken(command)
            }
        }
    }
}

/// Tells the network to end, and waits until it has said goodbye. What it still has to tell is of no use any more.
async fn leave(network: Network) -> Result<(), Failed> {
    let Network { commands, events, task } = network;
    // A network that has stopped already needs no telling.
    drop(commands.try_send(kinfolk_net::Command::Shutdown));
    drop(events);
    match tokio::time::timeout(GOODBYE, task).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(stopped))) => Err(Failed(stopped.to_string())),
        Ok(Err(error)) => Err(Failed(format!("the task of the network has crashed: {error}"))),
        Err(_) => {
            tracing::warn!("the network takes too long to say goodbye");
            Ok(())
        }
    }
}

fn span(duration: Duration) -> kinfolk_wire::time::Span {
    kinfolk_wire::time::Span::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
