//! Mailboxes between real nodes: what a host answers over the wire, also when it cannot keep anything just now; and two
//! people who are never online together.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says when it is skipped"
)]

use std::path::Path;
use std::time::Duration;

use kinfolk_crypto::kdf::sha256;
use kinfolk_crypto::mailbox::stamp;
use kinfolk_engine::event::MessagePlace;
use kinfolk_engine::input::{Command, MailboxChoice, MailboxOffer};
use kinfolk_engine::query;
use kinfolk_engine::store::{Key, MessageState, Post, Row};
use kinfolk_net::{AskFailure, Event};
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Answer, Handle};
use kinfolk_wire::content::{Body, Text};
use kinfolk_wire::ids::{IdentityId, MailboxTag};
use kinfolk_wire::mailbox::{Admission, Bucket, Collect, Deposit, Erasure, Found, Host, Refused, Reply, Request, TAGS};

#[path = "../../../tests/support/skip.rs"]
mod skip;
#[path = "../../../tests/support/small_disk.rs"]
mod small_disk;
mod support;

use support::{ANYWHERE, Dry, PATIENCE, Person, address, at, befriend, end, is_online, until};

/// What a host wants here: some hundred hashes.
const WORK: u8 = 8;
const CAPACITY: u64 = 64 << 20;

/// Somebody without a profile, who asks.
struct Stranger {
    network: kinfolk_net::Network,
    host: Host,
    asked: u64,
}

impl Stranger {
    fn of(host: Host) -> Self {
        Self { network: kinfolk_net::spawn(kinfolk_net::Config::new([7; 32])).unwrap(), host, asked: 0 }
    }

    async fn ask(&mut self, request: &Request) -> Result<Reply, AskFailure> {
        self.asked += 1;
        let ask = kinfolk_net::Command::Ask {
            request: kinfolk_net::RequestId(self.asked),
            host: self.host.peer,
            addresses: self.host.addresses.clone(),
            body: request.encode(),
            group: 0,
        };
        self.network.commands.try_send(ask).unwrap();
        match tokio::time::timeout(PATIENCE, self.network.events.recv()).await.unwrap().unwrap() {
            Event::Answered { body, .. } => Ok(Reply::decode(&body).unwrap()),
            Event::Unanswered { reason, .. } => Err(reason),
            other => panic!("{other:?}"),
        }
    }

    /// A deposit with the work that the host wants.
    fn deposit(&self, number: u8, bucket: Bucket) -> Request {
        let (tag, blob) = (MailboxTag::new([number; 16]), vec![number; bucket.bytes()]);
        let hour = u32::try_from(SystemClock.now().as_millis() / 3_600_000).unwrap();
        let found = stamp(&self.host.peer, &tag, &blob, hour, WORK + 2).unwrap();
        let (erasure, admission) = (sha256(&[&[number; 16]]), Admission::Work(found));
        Request::Deposit(Deposit { tag, lifetime: 24, erasure, admission, blob })
    }
}

fn collect(number: u8) -> Request {
    let mut tags = vec![MailboxTag::new([0xff; 16]); TAGS];
    tags[3] = MailboxTag::new([number; 16]);
    Request::Collect(Collect { room: 9, tags })
}

fn nothing() -> Result<Reply, AskFailure> {
    Ok(Reply::Found(Found::default()))
}

/// Has a node serve; says how it is found.
async fn serve(handle: &Handle) -> Host {
    address(handle).await;
    let offer = MailboxOffer { capacity: CAPACITY, work_bits: WORK };
    let Answer::Host(host) = handle.command(Command::ServeMailbox(Some(offer))).await.unwrap() else { panic!() };
    host
}

/// How a node is found, whether it serves or not.
async fn host(handle: &Handle) -> Host {
    address(handle).await;
    let peer = handle.query(|read| query::profile(read).unwrap().unwrap().peer).await.unwrap();
    let addresses = handle.query(|read| query::listening(read).unwrap().addresses).await.unwrap();
    Host { peer, addresses, work_bits: WORK }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_answers_strangers_over_the_wire_and_one_that_does_not_serve_says_so() {
    let hanna = Person::new("Hanna");
    let node = at(&hanna.dir, ANYWHERE, SystemEntropy);
    let mut stranger = Stranger::of(host(&node.handle).await);
    let deposit = stranger.deposit(1, Bucket::Line);
    assert_eq!(stranger.ask(&deposit).await, Ok(Reply::Refused(Refused::NotServing)));
    assert_eq!(stranger.ask(&collect(1)).await, nothing());
    serve(&node.handle).await;
    assert_eq!(stranger.ask(&deposit).await, Ok(Reply::Done));
    let found = Found { more: false, blobs: vec![(3, vec![1; Bucket::Line.bytes()])] };
    assert_eq!(stranger.ask(&collect(1)).await, Ok(Reply::Found(found)));
    let erase = Request::Erase(vec![Erasure { tag: MailboxTag::new([1; 16]), key: [1; 16] }]);
    assert_eq!(stranger.ask(&erase).await, Ok(Reply::Done));
    assert_eq!(stranger.ask(&collect(1)).await, nothing());
    end(node).await;
    assert!(matches!(stranger.ask(&deposit).await, Err(AskFailure::Unreachable | AskFailure::Broken)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_while_the_host_is_behind_is_told_to_come_later() {
    let (hanna, dry) = (Person::new("Hanna"), Dry::default());
    let node = at(&hanna.dir, ANYWHERE, dry.clone());
    let mut stranger = Stranger::of(serve(&node.handle).await);
    let deposit = stranger.deposit(1, Bucket::Line);
    dry.out(true);
    let told = stranger.ask(&deposit).await;
    assert!(matches!(told, Ok(Reply::Refused(Refused::Later(1..)))), "{told:?}");
    dry.was_asked().await;
    dry.out(false);
    assert_eq!(stranger.ask(&collect(1)).await, nothing(), "what was refused was not kept");
    assert_eq!(stranger.ask(&deposit).await, Ok(Reply::Done));
    end(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g03_a_deposit_that_the_disk_does_not_take_is_told_later_and_is_not_there() {
    const TEST: &str = "g03_a_deposit_that_the_disk_does_not_take_is_told_later_and_is_not_there";
    let Some(place) = small_disk::place() else {
        return small_disk::on_small_disk(TEST, "size=40m").unwrap_or_else(|reason| skip::skip(TEST, &reason));
    };
    let hanna = Person::on("Hanna", &place);
    let node = at(&hanna.dir, ANYWHERE, SystemEntropy);
    let mut stranger = Stranger::of(serve(&node.handle).await);
    let filler = small_disk::fill_up(&place);
    let mut kept = Vec::new();
    let refused = loop {
        let number = u8::try_from(kept.len() + 1).unwrap();
        match stranger.ask(&stranger.deposit(number, Bucket::Letter)).await.unwrap() {
            Reply::Done => kept.push(number),
            Reply::Refused(Refused::Later(seconds)) if seconds > 1 => break number,
            // So many deposits a second.
            Reply::Refused(Refused::Later(_)) => tokio::task::yield_now().await,
            other => panic!("{other:?}"),
        }
    };
    std::fs::remove_file(filler).unwrap();
    assert_eq!(stranger.ask(&collect(refused)).await, nothing());
    assert!(!kept.is_empty(), "the disk took nothing at all");
    for number in kept {
        let Ok(Reply::Found(Found { blobs, .. })) = stranger.ask(&collect(number)).await else { panic!("{number}") };
        assert!(matches!(&blobs[..], [(3, blob)] if *blob == [number; Bucket::Letter.bytes()]), "{number}");
    }
    let again = loop {
        match stranger.ask(&stranger.deposit(refused, Bucket::Letter)).await {
            // So many deposits a second.
            Ok(Reply::Refused(Refused::Later(1))) => tokio::task::yield_now().await,
            told => break told,
        }
    };
    assert_eq!(again, Ok(Reply::Done));
    end(node).await;
}

/// Waits until it is so, looking again and again: there is no notice of it.
async fn at_last(
    handle: &Handle,
    what: &str,
    so: impl Fn(&dyn kinfolk_engine::store::Read) -> bool + Copy + Send + 'static,
) {
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let looking = async {
        while !handle.query(so).await.unwrap() {
            again.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looking).await.is_ok(), "waited {what}");
}

/// Waits until a node knows where to leave things for a contact.
async fn knows_hosts_of(handle: &Handle, who: IdentityId) {
    at_last(handle, "to hear of a mailbox", move |read| {
        let contact = query::contact(read, who).unwrap().unwrap();
        contact.devices.iter().any(|device| {
            let row = read.get(&Key::Post(*device)).unwrap();
            matches!(row, Some(Row::Post(Post { hosts, .. })) if !hosts.is_empty())
        })
    })
    .await;
}

async fn say(handle: &Handle, to: IdentityId, text: &str) -> MessagePlace {
    let contact = handle.query(move |read| query::contact(read, to)).await.unwrap().unwrap().unwrap();
    let body = Body::Text(Text::new(text).unwrap());
    let command = Command::SendMessage { id: None, conversation: contact.conversation, body };
    let Answer::Message(place, _) = handle.command(command).await.unwrap() else { panic!("not said") };
    place
}

async fn is(handle: &Handle, place: MessagePlace, state: MessageState) {
    until(handle, |handle| async move {
        let line = handle.query(move |read| query::line(read, place)).await.unwrap().unwrap()?;
        (line.state == state).then_some(())
    })
    .await;
}

async fn node(dir: &Path) -> kinfolk_node::Node {
    let node = at(dir, ANYWHERE, SystemEntropy);
    address(&node.handle).await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_are_never_online_together_talk_by_a_host_and_learn_what_was_delivered() {
    let (anna, ben, hanna) = (Person::new("Anna"), Person::new("Ben"), Person::new("Hanna"));
    let hosting = node(&hanna.dir).await;
    let host = serve(&hosting.handle).await;
    let (hers, his) = (node(&anna.dir).await, node(&ben.dir).await);
    befriend((&anna, &hers.handle), (&ben, &his.handle)).await;
    for (handle, other, who) in [(&hers.handle, &his.handle, anna.identity), (&his.handle, &hers.handle, ben.identity)]
    {
        handle.command(Command::AddMailbox(MailboxChoice::Host(host.clone()))).await.unwrap();
        knows_hosts_of(other, who).await;
    }
    end(his).await;
    is_online(&hers.handle, ben.identity, false).await;

    let place = say(&hers.handle, ben.identity, "by way of Hanna").await;
    is(&hers.handle, place, MessageState::Sent).await;
    let custody = hers.handle.query(move |read| query::custody(read, place)).await.unwrap().unwrap();
    assert_eq!(custody, [host.peer]);
    end(hers).await;

    let his = node(&ben.dir).await;
    is(&his.handle, place, MessageState::Received).await;
    let line = his.handle.query(move |read| query::line(read, place)).await.unwrap().unwrap().unwrap();
    assert_eq!(line.body, Body::Text(Text::new("by way of Hanna").unwrap()));
    // His receipt, too, waits for her.
    let to = anna.identity;
    at_last(&his.handle, "to leave a receipt", move |read| {
        let owes = read.get(&Key::PendingReceipts(to)).unwrap().is_some();
        !owes && query::outbox_len(read).unwrap() == 0
    })
    .await;
    end(his).await;

    let hers = node(&anna.dir).await;
    is(&hers.handle, place, MessageState::Delivered).await;
    end(hers).await;
    end(hosting).await;
}
