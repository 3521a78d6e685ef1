//! Two people in one process, over the loopback interface: a contact by invite, a text, a sticker, a place, receipts;
//! then both nodes are stopped, started again on the same profiles, and the history is printed from disk.
//!
//! `cargo run --example two_peer_chat` takes no arguments and ends with 0 only if everything arrived.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use kinfolk::engine::input::{Admission, Command};
use kinfolk::engine::query::{self, Line};
use kinfolk::engine::store::{ContactState, MessageState};
use kinfolk::engine::{Answer, Event};
use kinfolk::node::clock::SystemClock;
use kinfolk::node::config::NetworkConfig;
use kinfolk::node::entropy::SystemEntropy;
use kinfolk::node::{Handle, Node, NodeConfig, create_profile, start};
use kinfolk::store::{Backend, Options, Unlock};
use kinfolk::wire::content::{Body, Text};
use kinfolk::wire::ids::{ConversationId, IdentityId};
use kinfolk::wire::invite::{Address, Uses};
use kinfolk::wire::name::Name;
use kinfolk::wire::time::Span;

/// How long all of it may take before the example gives up.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, talk()).await.context("it took too long")? })
}

async fn talk() -> Result<()> {
    let home = tempfile::tempdir()?;
    let (anna_home, ben_home) = (home.path().join("anna"), home.path().join("ben"));
    let anna = move_in(&anna_home, "Anna")?;
    let ben = move_in(&ben_home, "Ben")?;
    let (anna_id, ben_id) = (identity(&anna.handle).await?, identity(&ben.handle).await?);

    println!("Anna makes an invite, Ben opens it.");
    until_listening(&anna.handle).await?;
    let invite = Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(1), admission: Admission::Accept };
    let Answer::Invite(link) = anna.handle.command(invite).await? else { bail!("no link came back") };
    ben.handle.command(Command::AddContact { link, name: None }).await?;
    let conversation = befriended(&ben.handle, anna_id).await?;
    befriended(&anna.handle, ben_id).await?;

    println!("Anna writes, Ben answers with a sticker and a place.");
    say(&anna.handle, conversation, Body::Text(Text::new("Good morning! Where shall we meet?")?)).await?;
    say(&ben.handle, conversation, Body::Sticker("kin/hello".parse()?)).await?;
    say(&ben.handle, conversation, Body::Location("47.3769,8.5417,25".parse()?)).await?;
    until_delivered(&anna.handle, conversation, 3).await?;
    until_delivered(&ben.handle, conversation, 3).await?;

    println!("Everything arrived and was receipted. Both nodes stop and start again.");
    anna.handle.stop().await;
    ben.handle.stop().await;
    let (anna, ben) = (come_home(&anna_home)?, come_home(&ben_home)?);
    let before = history(&anna.handle, conversation).await?;
    let after = history(&ben.handle, conversation).await?;
    let places = |lines: &[Line]| -> BTreeSet<_> { lines.iter().map(|line| line.place).collect() };
    ensure!(before.len() == 3 && places(&before) == places(&after), "the two histories differ");
    for line in &before {
        let who = if line.place.sender == anna_id { "Anna" } else { "Ben" };
        println!("  {who}: {}", shown(&line.body));
    }
    anna.handle.stop().await;
    ben.handle.stop().await;
    Ok(())
}

fn move_in(home: &Path, name: &str) -> Result<Node> {
    let mut store = kinfolk::store::create(home, Backend::Sled, Unlock::KeyFile, Options::default())?;
    create_profile(&mut store, &SystemClock, &mut SystemEntropy, Name::new(name)?, None)?;
    begin(store)
}

fn come_home(home: &Path) -> Result<Node> {
    begin(kinfolk::store::open(home, Unlock::KeyFile)?)
}

fn begin(store: kinfolk::store::Store) -> Result<Node> {
    let listen = vec![Address::new("/ip4/127.0.0.1/udp/0/quic-v1")?];
    let network = NetworkConfig { listen, bootstrap: Vec::new(), mdns: false, reach: Default::default() };
    Ok(start(store, NodeConfig { network: Some(network) }, SystemClock, SystemEntropy)?)
}

async fn identity(node: &Handle) -> Result<IdentityId> {
    Ok(node.query(query::profile).await??.context("no profile")?.identity)
}

async fn until_listening(node: &Handle) -> Result<()> {
    let mut notices = node.subscribe();
    while node.query(query::listening).await??.addresses.is_empty() {
        notices.recv().await?;
    }
    Ok(())
}

/// Waits until both agreed, and says where they talk.
async fn befriended(node: &Handle, who: IdentityId) -> Result<ConversationId> {
    let mut notices = node.subscribe();
    loop {
        match node.query(move |read| query::contact(read, who)).await?? {
            Some(contact) if contact.state == ContactState::Accepted => return Ok(contact.conversation),
            Some(contact) if contact.state == ContactState::Declined => bail!("{} declined", contact.name),
            _ => notices.recv().await?,
        };
    }
}

async fn say(node: &Handle, conversation: ConversationId, body: Body) -> Result<()> {
    node.command(Command::SendMessage { id: None, conversation, body }).await?;
    Ok(())
}

/// Waits until this many lines are here, and those of this node's person are on the other side's disk.
async fn until_delivered(node: &Handle, conversation: ConversationId, count: usize) -> Result<()> {
    let mut notices = node.subscribe();
    loop {
        let lines = history(node, conversation).await?;
        let done = |line: &Line| matches!(line.state, MessageState::Received | MessageState::Delivered);
        if lines.len() == count && lines.iter().all(done) {
            return Ok(());
        }
        while !matches!(notices.recv().await?.event, Event::MessageAdded(_) | Event::MessageChanged(..)) {}
    }
}

async fn history(node: &Handle, conversation: ConversationId) -> Result<Vec<Line>> {
    Ok(node.query(move |read| query::history(read, conversation, None, 50)).await??.lines)
}

fn shown(body: &Body) -> String {
    match body {
        Body::Text(text) => text.as_str().to_owned(),
        Body::Sticker(sticker) => format!("[sticker {sticker}]"),
        Body::Location(place) => format!("[{place}]"),
        _ => "[something else]".to_owned(),
    }
}
