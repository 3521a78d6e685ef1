//! Contacts who moved find each other by way of other people's nodes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use kinfolk_engine::query;
use kinfolk_engine::store::{Finding, Key, Read, Row, Scan, Table};
use kinfolk_node::clock::SystemClock;
use kinfolk_node::config::NetworkConfig;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Handle, Node, NodeConfig, start};
use kinfolk_store::Unlock;
use kinfolk_wire::invite::Address;

#[allow(dead_code, reason = "other tests use more of it")]
mod support;

use support::{PATIENCE, Person, address, befriend, end, is_online, until};

/// A node at any port of this address, in a network that is not the internet. Over TCP it is known at once that nobody
/// is there any more.
fn at(dir: &Path, host: &str, bootstrap: &[Address], dht_server: bool) -> Node {
    let store = kinfolk_store::open(dir, Unlock::KeyFile).unwrap();
    let listen = vec![Address::new(&format!("/ip4/{host}/tcp/0")).unwrap()];
    let network = NetworkConfig {
        listen,
        bootstrap: bootstrap.to_vec(),
        dht_server,
        dht_private: true,
        ..NetworkConfig::default()
    };
    start(store, NodeConfig { network: Some(network) }, SystemClock, SystemEntropy).unwrap()
}

/// How a node is named to others.
async fn named(handle: &Handle) -> Address {
    let at = address(handle).await;
    let peer = handle.query(|read| query::profile(read).unwrap().unwrap().peer).await.unwrap();
    Address::new(&format!("{at}/p2p/{}", kinfolk_net::node_name(&peer).unwrap())).unwrap()
}

async fn joined(handle: &Handle) {
    until(
        handle,
        |handle| async move { handle.query(query::hash_table).await.unwrap().unwrap().is_joined.then_some(()) },
    )
    .await;
}

/// Waits until a record was written and every answer to that is in. Nobody is told of it, so it is looked for again.
async fn written(handle: &Handle, to: &Person) {
    let identity = to.identity;
    let is_written = move |read: &dyn Read| {
        let Some(Row::Contact(contact)) = read.get(&Key::Contact(identity)).unwrap() else { return false };
        let asked = read.scan(&Scan::all(Table::Search, 1)).unwrap();
        let finding = read.get(&Key::Finding(contact.devices[0])).unwrap();
        asked.rows.is_empty() && matches!(finding, Some(Row::Finding(Finding { version_given: 1.., failures: 0, .. })))
    };
    let mut again = tokio::time::interval(Duration::from_millis(50));
    let look = async {
        while !handle.query(is_written).await.unwrap() {
            again.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_who_moved_while_one_was_away_is_found_by_the_record_and_nothing_else() {
    let hosts = [Person::new("Hanna"), Person::new("Hugo"), Person::new("Heidi")];
    let first = at(&hosts[0].dir, "127.20.1.1", &[], true);
    let beginning = [named(&first.handle).await];
    let second = at(&hosts[1].dir, "127.20.2.1", &beginning, true);
    let third = at(&hosts[2].dir, "127.20.3.1", &beginning, true);
    for host in [&second, &third] {
        joined(&host.handle).await;
    }
    let (anna, ben) = (Person::new("Anna"), Person::new("Ben"));
    let hers = at(&anna.dir, "127.21.1.1", &beginning, false);
    let his = at(&ben.dir, "127.21.2.1", &beginning, false);
    befriend((&anna, &hers.handle), (&ben, &his.handle)).await;
    let old = address(&his.handle).await;
    end(hers).await;
    end(his).await;
    // Ben moves while Anna is away, and Anna before she comes back: neither knows where the other is.
    let his = at(&ben.dir, "127.21.3.1", &beginning, false);
    assert_ne!(address(&his.handle).await, old);
    written(&his.handle, &anna).await;
    let hers = at(&anna.dir, "127.21.4.1", &beginning, false);
    is_online(&hers.handle, ben.identity, true).await;
    is_online(&his.handle, anna.identity, true).await;
    for node in [hers, his, third, second, first] {
        end(node).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_that_nobody_is_at_is_told_to_who_asks() {
    let anna = Person::new("Anna");
    let nobody = "/ip4/127.20.9.1/tcp/9/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf";
    let node = at(&anna.dir, "127.21.9.1", &[Address::new(nobody).unwrap()], false);
    let tried = until(&node.handle, |handle| async move {
        let table = handle.query(query::hash_table).await.unwrap().unwrap();
        (!table.is_joined && !table.tried.is_empty()).then_some(table.tried)
    })
    .await;
    let told: Vec<(&str, &str)> = tried.iter().map(|node| (node.address.as_str(), node.reason.as_str())).collect();
    assert_eq!(told, [(nobody, "nobody answered at any of the addresses")]);
    end(node).await;
}
