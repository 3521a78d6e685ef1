//! Faults of the node's own: a panic in the driver, in a question, in the network. Each ends the node in a defined way,
//! and the profile is whole.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic: that is how it fails")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kinfolk_engine::input::{Admission, Command};
use kinfolk_engine::query;
use kinfolk_engine::store::{Read, Scan, Table};
use kinfolk_node::clock::{Clock, SystemClock};
use kinfolk_node::config::NetworkConfig;
use kinfolk_node::entropy::SystemEntropy;
use kinfolk_node::{Answer, CommandError, Node, NodeConfig, Stopped, create_profile, start};
use kinfolk_store::{Backend, Options, Store, Unlock};
use kinfolk_wire::invite::{Address, Uses};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::{Span, Timestamp};

/// A clock that breaks.
#[derive(Clone, Default)]
struct Broken(Arc<AtomicBool>);

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        assert!(!self.0.load(Ordering::SeqCst), "a bug");
        SystemClock.now()
    }
}

fn make(dir: &Path) -> Store {
    let mut store = kinfolk_store::create(dir, Backend::Sled, Unlock::KeyFile, Options::default()).unwrap();
    create_profile(&mut store, &SystemClock, &mut SystemEntropy, Name::new("Anna").unwrap(), None).unwrap();
    store
}

fn open(dir: &Path) -> Store {
    kinfolk_store::open(dir, Unlock::KeyFile).unwrap()
}

async fn invite(node: &Node) -> Result<Answer, CommandError> {
    let command =
        Command::CreateInvite { uses: Uses::Many, lifetime: Span::from_days(1), admission: Admission::Accept };
    tokio::time::timeout(Duration::from_secs(30), node.handle.command(command)).await.unwrap()
}

/// The node takes nothing more, says so, and leaves a profile that another one runs on: with as many invites as were
/// confirmed.
async fn is_over_and_the_profile_whole(node: Node, dir: &Path, confirmed: usize) {
    tokio::time::timeout(Duration::from_secs(30), node.handle.ended()).await.unwrap();
    assert_eq!(invite(&node).await, Err(CommandError::Stopped));
    assert_eq!(node.handle.query(|_| ()).await, Err(Stopped));
    node.handle.stop().await;
    assert!(node.thread.join().is_err(), "the panic is handed on to whoever joins the driver");
    let store = open(dir);
    let kept = store.scan(&Scan::all(Table::Invite, 10)).unwrap();
    assert_eq!((kept.rows.len(), kept.damaged), (confirmed, 0));
    assert!(query::profile(&store).unwrap().is_some());
    let again = start(store, NodeConfig::default(), SystemClock, SystemEntropy).unwrap();
    invite(&again).await.unwrap();
    again.handle.stop().await;
    assert_eq!(again.thread.join().unwrap(), Ok(()));
}

#[tokio::test]
async fn g08_a_panic_of_the_driver_ends_the_node_and_keeps_what_it_confirmed() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("profile");
    let clock = Broken::default();
    let node = start(make(&dir), NodeConfig::default(), clock.clone(), SystemEntropy).unwrap();
    invite(&node).await.unwrap();
    clock.0.store(true, Ordering::SeqCst);
    assert_eq!(invite(&node).await, Err(CommandError::Stopped), "whoever waits is told");
    is_over_and_the_profile_whole(node, &dir, 1).await;
}

#[tokio::test]
async fn g08_a_panic_in_a_question_ends_the_node_and_keeps_what_it_confirmed() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("profile");
    let node = start(make(&dir), NodeConfig::default(), SystemClock, SystemEntropy).unwrap();
    invite(&node).await.unwrap();
    let asked: Result<(), Stopped> = node.handle.query(|_| panic!("a bug")).await;
    assert_eq!(asked, Err(Stopped));
    is_over_and_the_profile_whole(node, &dir, 1).await;
}

#[test]
fn g08_when_the_network_dies_the_node_ends_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("profile");
    let store = make(&dir);
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let of_the_network = runtime();
    let node = of_the_network.block_on(async {
        let listen = vec![Address::new("/ip4/127.0.0.1/udp/0/quic-v1").unwrap()];
        let network = NetworkConfig { listen, bootstrap: Vec::new(), mdns: false, reach: Default::default() };
        start(store, NodeConfig { network: Some(network) }, SystemClock, SystemEntropy).unwrap()
    });
    runtime().block_on(async {
        invite(&node).await.unwrap();
    });
    // All its tasks are gone at once, as after a panic of the one that owns them.
    of_the_network.shutdown_background();
    runtime().block_on(async {
        tokio::time::timeout(Duration::from_secs(30), node.handle.ended()).await.unwrap();
        let Node { handle, thread } = node;
        let failed = thread.join().unwrap().unwrap_err();
        assert!(failed.to_string().contains("the network ended by itself: the task of the network has"), "{failed}");
        assert_eq!(handle.query(|_| ()).await, Err(Stopped));
        assert_eq!(open(&dir).scan(&Scan::all(Table::Invite, 10)).unwrap().rows.len(), 1);
    });
}
