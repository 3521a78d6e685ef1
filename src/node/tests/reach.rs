//! Real nodes of which some can be dialled by nobody: a relay between them, and what each can say of how it is reached.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use kinfolk_engine::event::MessagePlace;
use kinfolk_engine::input::{Admission, Command};
use kinfolk_engine::query;
use kinfolk_engine::store::MessageState;
use kinfolk_net::ReachConfig;
use kinfolk_node::clock::SystemClock;
use kinfolk_node::config::NetworkConfig;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Answer, Handle, Node, NodeConfig, Reachability, start};
use kinfolk_store::Unlock;
use kinfolk_wire::content::{Body, Text};
use kinfolk_wire::ids::IdentityId;
use kinfolk_wire::invite::{Address, Uses};
use kinfolk_wire::time::Span;

#[allow(dead_code, reason = "not every test needs all of it")]
mod support;

use support::{ANYWHERE, Person, end, is_online, until};

/// A node in a network of its own, where loopback is the open internet.
fn node(of: &Person, listen: &[&str]) -> Node {
    let store = kinfolk_store::open(&of.dir, Unlock::KeyFile).unwrap();
    let reach = ReachConfig {
        also_global: vec!["127.0.0.0/8".parse().unwrap()],
        patience: Duration::from_millis(100),
        again: Duration::from_millis(200),
        ..ReachConfig::default()
    };
    let listen = listen.iter().map(|text| Address::new(text).unwrap()).collect();
    let network = NetworkConfig { listen, bootstrap: Vec::new(), mdns: false, reach };
    start(store, NodeConfig { network: Some(network) }, SystemClock, SystemEntropy).unwrap()
}

async fn invite(of: &Handle) -> kinfolk_wire::invite::InviteLink {
    let invite = Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(1), admission: Admission::Accept };
    let Answer::Invite(link) = of.command(invite).await.unwrap() else { panic!("no link") };
    link
}

/// The guest comes by a link of the host's, which names the addresses that the host has now.
async fn come(host: (&Person, &Handle), guest: (&Person, &Handle)) {
    let link = invite(host.1).await;
    guest.1.command(Command::AddContact { link, name: None }).await.unwrap();
    is_online(guest.1, host.0.identity, true).await;
    is_online(host.1, guest.0.identity, true).await;
}

async fn is_reached(handle: &Handle, fits: impl Fn(&Reachability) -> bool) -> Reachability {
    let fits = &fits;
    until(handle, |handle| async move { handle.reachability().await.unwrap().filter(fits) }).await
}

async fn listens(handle: &Handle, fits: impl Fn(&Address) -> bool) -> Address {
    let fits = &fits;
    until(handle, |handle| async move {
        handle.query(query::listening).await.unwrap().unwrap().addresses.into_iter().find(fits)
    })
    .await
}

async fn say(from: &Handle, to: IdentityId, text: &str) -> MessagePlace {
    let contact = from.query(move |read| query::contact(read, to)).await.unwrap().unwrap().unwrap();
    let body = Body::Text(Text::new(text).unwrap());
    let command = Command::SendMessage { id: None, conversation: contact.conversation, body };
    let Answer::Message(place, _) = from.command(command).await.unwrap() else { panic!("not said") };
    place
}

async fn is(handle: &Handle, place: MessagePlace, state: MessageState) {
    until(handle, |handle| async move {
        let line = handle.query(move |read| query::line(read, place)).await.unwrap().unwrap()?;
        (line.state == state).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_whom_nobody_can_dial_meet_and_talk_over_a_contact_that_can_be_reached() {
    let (rita, ben, cora) = (Person::new("Rita"), Person::new("Ben"), Person::new("Cora"));
    let (hers, his, coras) = (node(&rita, &[ANYWHERE]), node(&ben, &[]), node(&cora, &[]));
    listens(&hers.handle, |_| true).await;
    assert_eq!(his.handle.reachability().await.unwrap(), Some(Reachability::default()));
    come((&rita, &hers.handle), (&ben, &his.handle)).await;
    // Ben's node dials hers back, hers believes it, and relays for his.
    let found = is_reached(&hers.handle, |found| found.relaying).await;
    assert_eq!((found.confirmed.as_ref().unwrap().1, found.could_not), (1, 0), "{found:?}");
    is_reached(&his.handle, |found| found.relays == 1).await;
    let way = listens(&his.handle, Address::is_relayed).await;
    // His link leads over her, to somebody whom she does not know.
    come((&ben, &his.handle), (&cora, &coras.handle)).await;
    let place = say(&coras.handle, ben.identity, "hello over there").await;
    is(&coras.handle, place, MessageState::Delivered).await;
    let place = say(&his.handle, cora.identity, "and back").await;
    is(&his.handle, place, MessageState::Delivered).await;
    // Cora is no contact of hers, so that nobody relays for her, and she does not say so.
    assert_eq!(coras.handle.reachability().await.unwrap().unwrap().relays, 0);
    // The relay goes, and with it the way; it comes back, and so does the way, and what was said meanwhile.
    let at = listens(&hers.handle, |_| true).await;
    end(hers).await;
    is_online(&coras.handle, ben.identity, false).await;
    is_reached(&his.handle, |found| found.relays == 0).await;
    let place = say(&coras.handle, ben.identity, "are you still there").await;
    let hers = node(&rita, &[at.as_str()]);
    is_reached(&his.handle, |found| found.relays == 1).await;
    assert_eq!(listens(&his.handle, Address::is_relayed).await, way);
    is(&coras.handle, place, MessageState::Delivered).await;
    for node in [hers, his, coras] {
        end(node).await;
    }
}
