//! kill -9 in the middle of a stream of messages, on either side, at random points: every message that was acknowledged
//! to the sender's command is shown exactly once on the other side.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kinfolk::client::Client;
use kinfolk::rpc::message::SendMessage;

use crate::home::{Home, Running, friends};

/// Messages of one round.
const MESSAGES: u64 = 1_000;
/// Requests under way at once.
const AT_ONCE: u64 = 32;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A small generator, so that a seed finds a round again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn g01_kill_9_amid_a_stream_of_a_thousand_messages_loses_and_doubles_nothing() {
    let rounds = number("KINFOLK_KILL_ROUNDS", 20);
    let seed = number("KINFOLK_KILL_SEED", 1);
    println!("{rounds} rounds, seed {seed}");
    let mut chance = Chance(seed);
    let ((anna, mut anna_runs), (ben, mut ben_runs)) = friends();
    let ports = (anna_runs.port(), ben_runs.port());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..rounds {
        let after = chance.below(MESSAGES);
        let kill_sender = chance.below(2) == 0;
        let (acknowledged, ended) = (AtomicU64::new(0), AtomicU64::new(0));
        let mut heard = runtime.block_on(async {
            let stream = stream(&anna, round, &acknowledged, &ended);
            let killer = async {
                // Where too few are acknowledged, the round fails below.
                while acknowledged.load(Ordering::Relaxed) < after && ended.load(Ordering::Relaxed) < MESSAGES {
                    tokio::task::yield_now().await;
                }
                let victim = if kill_sender { &mut anna_runs } else { &mut ben_runs };
                victim.child.kill().unwrap();
                victim.child.wait().unwrap();
                if kill_sender {
                    *victim = restarted(&anna, ports.0);
                } else {
                    *victim = restarted(&ben, ports.1);
                }
            };
            let (heard, ()) = tokio::join!(stream, killer);
            heard
        });
        // Where it is not the sender's node that dies, none of its answers may be missing.
        let least = if kill_sender { after } else { MESSAGES };
        let found = heard.len() as u64;
        assert!(found >= least, "seed {seed}, round {round}: {found} were acknowledged, at least {least} expected");
        expected.append(&mut heard);
    }
    let shown = runtime.block_on(all_shown(&anna, &ben, &expected));
    for (id, round) in &expected {
        assert_eq!(shown.get(id), Some(&1), "seed {seed}, round {round}: {id} is shown {:?} times", shown.get(id));
    }
    assert!(shown.values().all(|times| *times == 1), "seed {seed}: a message is shown twice");
}

fn restarted(home: &Home, port: u16) -> Running {
    home.start(port)
}

/// Sends the messages of one round; says which of them the node acknowledged.
async fn stream(anna: &Home, round: u64, acknowledged: &AtomicU64, ended: &AtomicU64) -> BTreeMap<String, u64> {
    use in_turns::in_flight;
    let tasks = (0..MESSAGES).map(|number| {
        let dir = anna.dir.clone();
        async move {
            let client = Client::open(&dir).await.ok()?;
            let wish = SendMessage { text: Some(format!("round {round} number {number}")), ..SendMessage::default() };
            let sent = client.patient(Duration::from_secs(20)).send("Ben", &wish).await.ok()?;
            Some(sent.message)
        }
    });
    let mut heard = BTreeMap::new();
    in_flight(tasks, AT_ONCE, |outcome| {
        ended.fetch_add(1, Ordering::Relaxed);
        if let Some(id) = outcome {
            acknowledged.fetch_add(1, Ordering::Relaxed);
            heard.insert(id, round);
        }
    })
    .await;
    heard
}

/// Waits until everything that was acknowledged is there, and counts how often each message is shown.
async fn all_shown(anna: &Home, ben: &Home, expected: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let client = Client::open(&ben.dir).await.unwrap();
    let mut since = 0;
    loop {
        let mut shown: BTreeMap<String, u64> = BTreeMap::new();
        let mut before: Option<String> = None;
        loop {
            let page = client.messages("Anna", 500, before.as_deref()).await.unwrap();
            for message in &page.messages {
                *shown.entry(message.message.clone()).or_default() += 1;
            }
            match page.next {
                Some(next) => before = Some(next),
                None => break,
            }
        }
        if expected.keys().all(|id| shown.contains_key(id)) {
            return shown;
        }
        // Something must happen within a minute, or something is lost.
        let page = client.poll(since, Duration::from_secs(60)).await.unwrap();
        if page.events.is_empty() {
            let missing: Vec<_> = expected.iter().filter(|(id, _)| !shown.contains_key(*id)).collect();
            panic!("messages are missing and nothing happens any more: {}", both_sides(anna, &client, &missing).await);
        }
        since = page.events.iter().filter_map(|event| event.seq).max().unwrap_or(since).max(since);
    }
}

/// What both nodes say of messages that do not come: id and round of each, and how far it is for its sender.
async fn both_sides(anna: &Home, ben: &Client, missing: &[(&String, &u64)]) -> String {
    let anna = Client::open(&anna.dir).await.unwrap();
    let mut said = format!("{} are missing", missing.len());
    for (id, round) in missing {
        let state = anna.message("Ben", id).await.map(|message| message.state);
        write!(said, "\n{id} of round {round}: {state:?}").unwrap();
    }
    for (name, client, other) in [("Anna", &anna, "Ben"), ("Ben", ben, "Anna")] {
        let (status, contact) = (client.status().await, client.contact(other).await);
        write!(said, "\n{name}: {status:?}\n{name} of {other}: {contact:?}").unwrap();
    }
    said
}

mod in_turns {
    use tokio::task::JoinSet;

    /// Runs futures, at most `limit` at once, and hands each outcome over as it comes.
    pub(super) async fn in_flight<F, T>(futures: impl Iterator<Item = F>, limit: u64, mut outcome: impl FnMut(T))
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let mut running = JoinSet::new();
        for future in futures {
            if running.len() as u64 >= limit
                && let Some(done) = running.join_next().await
            {
                outcome(done.unwrap());
            }
            running.spawn(future);
        }
        while let Some(done) = running.join_next().await {
            outcome(done.unwrap());
        }
    }
}
