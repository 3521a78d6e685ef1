//! Two people who are never online together, and a node that keeps what they say until the other comes for it.
//!
//! Hanna serves as a mailbox; Anna and Ben become contacts and name it, and from then on only one of the two is ever
//! there: Anna says something and stops, Ben starts and has it and stops, Anna starts and learns that it was delivered.
//!
//! `cargo run --example mailbox_node` takes no arguments and ends with 0 only if all of this was so.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use kinfolk::engine::Answer;
use kinfolk::engine::event::MessagePlace;
use kinfolk::engine::input::{Admission, Command, MailboxChoice, MailboxOffer};
use kinfolk::engine::query::{self, Line};
use kinfolk::engine::store::{ContactState, Key, MessageState, Read};
use kinfolk::node::clock::SystemClock;
use kinfolk::node::config::NetworkConfig;
use kinfolk::node::entropy::SystemEntropy;
use kinfolk::node::{Handle, Node, NodeConfig, create_profile, start};
use kinfolk::store::{Backend, Options, Unlock};
use kinfolk::wire::content::{Body, Text};
use kinfolk::wire::ids::{ConversationId, IdentityId};
use kinfolk::wire::invite::{Address, Uses};
use kinfolk::wire::mailbox::Host;
use kinfolk::wire::name::Name;
use kinfolk::wire::time::Span;

/// How long all of it may take before the example gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it looks whether something is so of which no notice tells.
const LOOKS: Duration = Duration::from_millis(20);
/// What Hanna keeps at the most, and the work she wants from those who have no token of hers: a moment's.
const OFFER: MailboxOffer = MailboxOffer { capacity: 64 << 20, work_bits: 12 };

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, talk()).await.context("it took too long")? })
}

async fn talk() -> Result<()> {
    let home = tempfile::tempdir()?;
    let hanna = Person::new(home.path(), "Hanna")?;
    let (anna, ben) = (Person::new(home.path(), "Anna")?, Person::new(home.path(), "Ben")?);

    let hosting = hanna.start()?;
    let link = serve(&hosting.handle).await?;
    println!("Hanna serves as a mailbox: {link}");

    let (hers, his) = (anna.start()?, ben.start()?);
    let conversation = befriend((&hers.handle, anna.identity), (&his.handle, ben.identity)).await?;
    let host = Host::from_link(&link)?;
    for node in [&hers.handle, &his.handle] {
        node.command(Command::AddMailbox(MailboxChoice::Host(host.clone()))).await?;
    }
    until_nothing_waits(&hers.handle, ben.identity).await?;
    until_nothing_waits(&his.handle, anna.identity).await?;
    println!("Anna and Ben are contacts and name Hanna's node. Ben stops.");
    stop(his).await;
    until_away(&hers.handle, ben.identity).await?;

    let text = "By the time you read this I am away.";
    let place = say(&hers.handle, conversation, text).await?;
    until_state(&hers.handle, place, MessageState::Sent).await?;
    let custody = hers.handle.query(move |read| query::custody(read, place)).await??;
    ensure!(custody == [host.peer], "somebody else is said to keep it");
    println!("  Anna (sent, kept by Hanna): {text}");
    let kept = hosting.handle.query(query::serving).await??.context("she no longer serves")?;
    ensure!(kept.stored_blobs > 0, "nothing lies there");
    println!("  Hanna keeps {} bytes and cannot read them.", kept.stored_bytes);
    println!("Anna stops, Ben starts.");
    stop(hers).await;

    let his = ben.start()?;
    let line = until_state(&his.handle, place, MessageState::Received).await?;
    ensure!(matches!(&line.body, Body::Text(said) if said.as_str() == text), "something else came");
    println!("  Ben has it: {text}");
    // His receipt waits at Hanna's as well.
    until_nothing_waits(&his.handle, anna.identity).await?;
    println!("Ben stops, Anna starts.");
    stop(his).await;

    let hers = anna.start()?;
    until_state(&hers.handle, place, MessageState::Delivered).await?;
    let again = hers.handle.query(move |read| query::history(read, conversation, None, 50)).await??.lines;
    ensure!(again.len() == 1, "it was said once");
    println!("  Anna (delivered): {text}");
    stop(hers).await;
    stop(hosting).await;
    Ok(())
}

/// Somebody with a profile on the disk, whose node runs now and then.
struct Person {
    home: PathBuf,
    identity: IdentityId,
}

impl Person {
    fn new(parent: &Path, name: &str) -> Result<Self> {
        let home = parent.join(name);
        let mut store = kinfolk::store::create(&home, Backend::Sled, Unlock::KeyFile, Options::default())?;
        let founded = create_profile(&mut store, &SystemClock, &mut SystemEntropy, Name::new(name)?, None)?;
        Ok(Self { home, identity: founded.profile.identity })
    }

    fn start(&self) -> Result<Node> {
        let store = kinfolk::store::open(&self.home, Unlock::KeyFile)?;
        let listen = vec![Address::new("/ip4/127.0.0.1/udp/0/quic-v1")?];
        let network = NetworkConfig { listen, bootstrap: Vec::new(), mdns: false, reach: Default::default() };
        Ok(start(store, NodeConfig { network: Some(network) }, SystemClock, SystemEntropy)?)
    }
}

async fn stop(node: Node) {
    node.handle.stop().await;
}

/// Has a node serve, and says the link to it.
async fn serve(node: &Handle) -> Result<String> {
    until_listening(node).await?;
    let Answer::Host(host) = node.command(Command::ServeMailbox(Some(OFFER))).await? else { bail!("it serves nobody") };
    Ok(host.link())
}

async fn until_listening(node: &Handle) -> Result<()> {
    let mut notices = node.subscribe();
    while node.query(query::listening).await??.addresses.is_empty() {
        notices.recv().await?;
    }
    Ok(())
}

/// Makes contacts of two people, and says where they talk.
async fn befriend(one: (&Handle, IdentityId), other: (&Handle, IdentityId)) -> Result<ConversationId> {
    until_listening(one.0).await?;
    let invite = Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(1), admission: Admission::Accept };
    let Answer::Invite(link) = one.0.command(invite).await? else { bail!("no link came back") };
    other.0.command(Command::AddContact { link, name: None }).await?;
    until_contact(one.0, other.1).await?;
    until_contact(other.0, one.1).await
}

async fn until_contact(node: &Handle, who: IdentityId) -> Result<ConversationId> {
    let mut notices = node.subscribe();
    loop {
        match node.query(move |read| query::contact(read, who)).await?? {
            Some(contact) if contact.state == ContactState::Accepted => return Ok(contact.conversation),
            Some(contact) if contact.state == ContactState::Declined => bail!("{} declined", contact.name),
            _ => notices.recv().await?,
        };
    }
}

async fn until_away(node: &Handle, who: IdentityId) -> Result<()> {
    let mut notices = node.subscribe();
    while node.query(move |read| query::contact(read, who)).await??.is_some_and(|contact| contact.online) {
        notices.recv().await?;
    }
    Ok(())
}

async fn say(node: &Handle, conversation: ConversationId, text: &str) -> Result<MessagePlace> {
    let body = Body::Text(Text::new(text)?);
    let said = node.command(Command::SendMessage { id: None, conversation, body }).await?;
    let Answer::Message(place, _) = said else { bail!("it was not said") };
    Ok(place)
}

/// Waits until a line is here and has come so far.
async fn until_state(node: &Handle, place: MessagePlace, state: MessageState) -> Result<Line> {
    let mut notices = node.subscribe();
    loop {
        match node.query(move |read| query::line(read, place)).await?? {
            Some(line) if line.state == state => return Ok(line),
            _ => notices.recv().await?,
        };
    }
}

/// Waits until a node owes its contact nothing: it is on the contact's disk, or a mailbox keeps it.
async fn until_nothing_waits(node: &Handle, who: IdentityId) -> Result<()> {
    let nothing_waits = move |read: &dyn Read| {
        let owes_receipts = read.get(&Key::PendingReceipts(who))?.is_some();
        query::outbox_len(read).map(|waiting| waiting == 0 && !owes_receipts)
    };
    let mut looks = tokio::time::interval(LOOKS);
    while !node.query(nothing_waits).await?? {
        looks.tick().await;
    }
    Ok(())
}
