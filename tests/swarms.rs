//! Swarms: real nodes on the loopback interface, in one process, with real stores and real streams.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it ran"
)]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kinfolk::engine::Answer;
use kinfolk::engine::input::{Admission, Command};
use kinfolk::engine::query::{self, ContactView, Line};
use kinfolk::engine::store::{ContactState, Key, MessageState, Read, Row, Scan, Table};
use kinfolk::node::clock::SystemClock;
use kinfolk::node::config::NetworkConfig;
use kinfolk::node::entropy::{Entropy, NoEntropy, SystemEntropy};
use kinfolk::node::{CommandError, Handle, Node, NodeConfig, create_profile, start};
use kinfolk::store::{Backend, Options, Unlock};
use kinfolk::wire::content::{Body, Text};
use kinfolk::wire::ids::{ConversationId, IdentityId};
use kinfolk::wire::invite::{Address, Uses};
use kinfolk::wire::name::Name;
use kinfolk::wire::time::Span;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

#[path = "swarms/churn.rs"]
mod churn;
#[path = "swarms/payments.rs"]
mod payments;

/// Held by a test with many nodes: two of them at once would wait for each other's.
fn alone() -> MutexGuard<'static, ()> {
    static CROWD: Mutex<()> = Mutex::new(());
    CROWD.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Person {
    home: tempfile::TempDir,
    identity: IdentityId,
    node: Node,
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    block_on_within(PATIENCE, future)
}

fn block_on_within<T>(patience: Duration, future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(patience, future).await.expect("it took too long") })
}

fn network() -> NodeConfig {
    network_at("/ip4/127.0.0.1/udp/0/quic-v1")
}

fn network_at(listen: &str) -> NodeConfig {
    let listen = vec![Address::new(listen).unwrap()];
    // Twenty nodes in one process take about as much as one is allowed.
    let memory = Some(16 << 30);
    NodeConfig { network: Some(NetworkConfig { listen, memory, ..NetworkConfig::default() }) }
}

async fn person(name: &str, backend: Backend) -> Person {
    person_with(name, backend, SystemEntropy).await
}

async fn person_with(name: &str, backend: Backend, entropy: impl Entropy) -> Person {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("profile");
    let mut store = kinfolk::store::create(&dir, backend, Unlock::KeyFile, Options::default()).unwrap();
    let created = create_profile(&mut store, &SystemClock, &mut SystemEntropy, Name::new(name).unwrap(), None).unwrap();
    let node = start(store, network(), SystemClock, entropy).unwrap();
    until(&node.handle, |handle| async move {
        let listening = handle.query(query::listening).await.unwrap().unwrap();
        (!listening.addresses.is_empty()).then_some(())
    })
    .await;
    Person { home, identity: created.profile.identity, node }
}

/// Waits until something is so, looking again at each notice.
async fn until<T, F: Future<Output = Option<T>>>(handle: &Handle, so: impl Fn(Handle) -> F) -> T {
    let mut notices = handle.subscribe();
    loop {
        if let Some(found) = so(handle.clone()).await {
            return found;
        }
        // Notices that were missed are a reason to look as well.
        drop(notices.recv().await);
    }
}

async fn invite(host: &Person, uses: Uses) -> kinfolk::wire::invite::InviteLink {
    let command = Command::CreateInvite { uses, lifetime: Span::from_days(1), admission: Admission::Accept };
    match host.node.handle.command(command).await.unwrap() {
        Answer::Invite(link) => link,
        other => panic!("{other:?}"),
    }
}

async fn befriend(asker: &Person, host: &Person) {
    let link = invite(host, Uses::Once).await;
    asker.node.handle.command(Command::AddContact { link, name: None }).await.unwrap();
    contact_in(asker, host.identity, ContactState::Accepted).await;
    contact_in(host, asker.identity, ContactState::Accepted).await;
}

async fn contact_in(person: &Person, who: IdentityId, state: ContactState) -> ContactView {
    until(&person.node.handle, |handle| async move {
        let contact = handle.query(move |read| query::contact(read, who)).await.unwrap().unwrap()?;
        (contact.state == state).then_some(contact)
    })
    .await
}

fn between(a: &Person, b: &Person) -> ConversationId {
    kinfolk::crypto::conversation_id(&a.identity, &b.identity)
}

async fn say(from: &Person, to: &Person, words: &str) {
    let body = Body::Text(Text::new(words).unwrap());
    let command = Command::SendMessage { id: None, conversation: between(from, to), body };
    from.node.handle.command(command).await.unwrap();
}

async fn history(person: &Handle, conversation: ConversationId) -> Vec<Line> {
    person.query(move |read| query::history(read, conversation, None, 10_000)).await.unwrap().unwrap().lines
}

/// Waits until this many lines are here and none of them waits for anything.
async fn settled(person: &Person, conversation: ConversationId, count: usize) -> Vec<Line> {
    until(&person.node.handle, |handle| async move {
        let lines = history(&handle, conversation).await;
        let done = |line: &Line| matches!(line.state, MessageState::Received | MessageState::Delivered);
        (lines.len() == count && lines.iter().all(done)).then_some(lines)
    })
    .await
}

#[test]
fn two_nodes_show_the_same_conversation() {
    block_on(async {
        let (anna, ben) = (person("Anna", Backend::Sled).await, person("Ben", Backend::Redb).await);
        befriend(&ben, &anna).await;
        for number in 0..50 {
            say(&anna, &ben, &format!("from Anna {number}")).await;
            say(&ben, &anna, &format!("from Ben {number}")).await;
        }
        let here = settled(&anna, between(&anna, &ben), 100).await;
        let there = settled(&ben, between(&anna, &ben), 100).await;
        let places = |lines: &[Line]| -> Vec<_> { lines.iter().map(|line| line.place).collect() };
        assert_eq!(places(&here), places(&there));
    });
}

#[test]
fn five_nodes_all_talk_to_all() {
    block_on(async {
        let mut people = Vec::new();
        for name in ["Anna", "Ben", "Carol", "Dan", "Eve"] {
            people.push(person(name, Backend::Sled).await);
        }
        for (index, asker) in people.iter().enumerate() {
            for host in people.iter().take(index) {
                befriend(asker, host).await;
            }
        }
        for from in &people {
            for to in people.iter().filter(|to| to.identity != from.identity) {
                say(from, to, "hello").await;
            }
        }
        for (index, one) in people.iter().enumerate() {
            for other in people.iter().take(index) {
                settled(one, between(one, other), 2).await;
                settled(other, between(one, other), 2).await;
            }
        }
    });
}

#[test]
fn twenty_nodes_in_a_ring_pass_a_word_around() {
    let _alone = alone();
    block_on(async {
        let mut people = Vec::new();
        for number in 0..20 {
            people.push(person(&format!("person {number}"), Backend::Sled).await);
        }
        for (index, asker) in people.iter().enumerate() {
            befriend(asker, &people[(index + 1) % people.len()]).await;
        }
        for (index, from) in people.iter().enumerate() {
            let to = &people[(index + 1) % people.len()];
            say(from, to, &format!("pass it on, {index}")).await;
            settled(to, between(from, to), 1).await;
        }
        for (index, from) in people.iter().enumerate() {
            settled(from, between(from, &people[(index + 1) % people.len()]), 1).await;
        }
    });
}

#[test]
fn both_nodes_start_again_and_find_each_other() {
    block_on(async {
        let (anna, ben) = (person("Anna", Backend::Sled).await, person("Ben", Backend::Sled).await);
        befriend(&ben, &anna).await;
        let conversation = between(&anna, &ben);
        ben.node.handle.stop().await;
        say(&anna, &ben, "said while Ben was away").await;
        let store = kinfolk::store::open(&ben.home.path().join("profile"), Unlock::KeyFile).unwrap();
        let again = start(store, network(), SystemClock, SystemEntropy).unwrap();
        let ben = Person { node: again, ..ben };
        let lines = settled(&ben, conversation, 1).await;
        assert!(matches!(&lines[0].body, Body::Text(text) if text.as_str() == "said while Ben was away"));
        settled(&anna, conversation, 1).await;
    });
}

#[test]
fn b05_an_invite_for_one_person_lets_in_one() {
    block_on(async {
        let (anna, ben) = (person("Anna", Backend::Sled).await, person("Ben", Backend::Sled).await);
        let carol = person("Carol", Backend::Sled).await;
        let link = invite(&anna, Uses::Once).await;
        ben.node.handle.command(Command::AddContact { link: link.clone(), name: None }).await.unwrap();
        contact_in(&ben, anna.identity, ContactState::Accepted).await;
        carol.node.handle.command(Command::AddContact { link, name: None }).await.unwrap();
        contact_in(&carol, anna.identity, ContactState::Declined).await;
        let contacts = anna.node.handle.query(query::contacts).await.unwrap().unwrap();
        assert_eq!(contacts.len(), 1);
    });
}

/// A system that gives randomness only until it is told to stop.
struct Dry(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Entropy for Dry {
    fn seed(&mut self) -> Result<[u8; 32], NoEntropy> {
        if self.0.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(NoEntropy { reason: "the well is dry".to_owned() });
        }
        SystemEntropy.seed()
    }
}

/// Waits until a person knows whether another is connected.
async fn online(person: &Handle, who: IdentityId, online: bool) {
    until(person, |handle| async move {
        let contact = handle.query(move |read| query::contact(read, who)).await.unwrap().unwrap()?;
        (contact.online == online).then_some(())
    })
    .await;
}

/// All rows of these tables, connections included.
async fn rows(person: &Handle) -> Vec<(Key, Row)> {
    const TABLES: [Table; 8] = [
        Table::Counters,
        Table::Invite,
        Table::Session,
        Table::Conversation,
        Table::Message,
        Table::Outbox,
        Table::Event,
        Table::Link,
    ];
    let all = |read: &dyn Read| TABLES.map(|table| read.scan(&Scan::all(table, 10_000)).unwrap().rows).concat();
    person.query(all).await.unwrap()
}

#[test]
fn a18_without_randomness_nothing_is_sent_or_kept() {
    block_on(async {
        let dry = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let anna = person_with("Anna", Backend::Sled, Dry(dry.clone())).await;
        let ben = person("Ben", Backend::Sled).await;
        befriend(&ben, &anna).await;
        say(&anna, &ben, "before").await;
        settled(&anna, between(&anna, &ben), 1).await;
        online(&anna.node.handle, ben.identity, true).await;

        dry.store(true, std::sync::atomic::Ordering::SeqCst);
        let text = |words: &str| Command::SendMessage {
            id: None,
            conversation: between(&anna, &ben),
            body: Body::Text(Text::new(words).unwrap()),
        };
        let invite =
            Command::CreateInvite { uses: Uses::Many, lifetime: Span::from_days(1), admission: Admission::Accept };
        // What comes from Ben meanwhile changes her rows as well. What she keeps of a refused command
        // would change them every time.
        let mut nothing_kept = false;
        for _ in 0..20 {
            let before = rows(&anna.node.handle).await;
            for command in [text("without"), invite.clone()] {
                let refused = anna.node.handle.command(command).await.unwrap_err();
                assert!(matches!(refused, CommandError::Refused { code: "no_randomness", .. }), "{refused:?}");
            }
            nothing_kept |= rows(&anna.node.handle).await == before;
        }
        assert!(nothing_kept, "something is kept");

        dry.store(false, std::sync::atomic::Ordering::SeqCst);
        // Whatever had been sent would have come before this.
        say(&anna, &ben, "after").await;
        let lines = settled(&ben, between(&anna, &ben), 2).await;
        assert!(matches!(&lines[1].body, Body::Text(text) if text.as_str() == "after"), "{lines:?}");
    });
}
