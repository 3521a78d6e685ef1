//! What a node has to hear and cannot, because the system fails it for a while, is heard when it is well again; and one
//! that ends says goodbye.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic: that is how it fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kinfolk_engine::input::{Admission, Command};
use kinfolk_engine::query;
use kinfolk_engine::store::ContactState;
use kinfolk_node::clock::SystemClock;
use kinfolk_node::config::NetworkConfig;
use kinfolk_node::entropy::{Entropy, NoEntropy, SystemEntropy};
use kinfolk_node::{Answer, Handle, Node, NodeConfig, create_profile, start};
use kinfolk_store::{Backend, Options, Unlock};
use kinfolk_wire::ids::IdentityId;
use kinfolk_wire::invite::{Address, Uses};
use kinfolk_wire::name::Name;
use kinfolk_wire::time::Span;

/// How long anything may take: far less than a node sleeps that has nothing to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// A system that gives no randomness while it is told not to, and says when it was asked for some.
#[derive(Clone, Default)]
struct Dry(Arc<(AtomicBool, tokio::sync::Notify)>);

impl Dry {
    fn out(&self, dry: bool) {
        self.0.0.store(dry, Ordering::SeqCst);
    }

    async fn was_asked(&self) {
        tokio::time::timeout(PATIENCE, self.0.1.notified()).await.unwrap();
    }
}

impl Entropy for Dry {
    fn seed(&mut self) -> Result<[u8; 32], NoEntropy> {
        if self.0.0.load(Ordering::SeqCst) {
            self.0.1.notify_one();
            return Err(NoEntropy { reason: "the well is dry".to_owned() });
        }
        SystemEntropy.seed()
    }
}

struct Person {
    _home: tempfile::TempDir,
    dir: PathBuf,
    identity: IdentityId,
}

impl Person {
    fn new(name: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("profile");
        let mut store = kinfolk_store::create(&dir, Backend::Sled, Unlock::KeyFile, Options::default()).unwrap();
        let name = Name::new(name).unwrap();
        let created = create_profile(&mut store, &SystemClock, &mut SystemEntropy, name, None).unwrap();
        Self { _home: home, dir, identity: created.profile.identity }
    }
}

/// A node of a profile at this address.
fn at(dir: &Path, listen: &str, entropy: impl Entropy) -> Node {
    let store = kinfolk_store::open(dir, Unlock::KeyFile).unwrap();
    let listen = vec![Address::new(listen).unwrap()];
    let network = NetworkConfig { listen, bootstrap: Vec::new(), mdns: false };
    start(store, NodeConfig { network: Some(network) }, SystemClock, entropy).unwrap()
}

const ANYWHERE: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

async fn until<T, F: Future<Output = Option<T>>>(handle: &Handle, so: impl Fn(Handle) -> F) -> T {
    let look = async {
        let mut notices = handle.subscribe();
        loop {
            if let Some(found) = so(handle.clone()).await {
                return found;
            }
            notices.recv().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap()
}

async fn address(handle: &Handle) -> String {
    until(handle, |handle| async move {
        handle.query(query::listening).await.unwrap().unwrap().addresses.first().map(ToString::to_string)
    })
    .await
}

async fn is_online(handle: &Handle, who: IdentityId, online: bool) {
    until(handle, |handle| async move {
        let contact = handle.query(move |read| query::contact(read, who)).await.unwrap().unwrap()?;
        (contact.state == ContactState::Accepted && contact.online == online).then_some(())
    })
    .await;
}

/// Makes contacts of two people whose nodes run, and waits until they are connected.
async fn befriend((anna, hers): (&Person, &Handle), (ben, his): (&Person, &Handle)) {
    address(hers).await;
    address(his).await;
    let invite = Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(1), admission: Admission::Accept };
    let Answer::Invite(link) = hers.command(invite).await.unwrap() else { panic!("no link") };
    his.command(Command::AddContact { link, name: None }).await.unwrap();
    is_online(his, anna.identity, true).await;
    is_online(hers, ben.identity, true).await;
}

async fn end(node: Node) {
    node.handle.stop().await;
    assert_eq!(tokio::task::spawn_blocking(|| node.thread.join().unwrap()).await.unwrap(), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_gone_is_noticed_though_its_turn_fails_at_first() {
    let (anna, ben, dry) = (Person::new("Anna"), Person::new("Ben"), Dry::default());
    let (hers, his) = (at(&anna.dir, ANYWHERE, dry.clone()), at(&ben.dir, ANYWHERE, SystemEntropy));
    befriend((&anna, &hers.handle), (&ben, &his.handle)).await;
    dry.out(true);
    end(his).await;
    dry.was_asked().await;
    dry.out(false);
    // Sooner than the engine finds out for itself that nobody answers.
    let heard = is_online(&hers.handle, ben.identity, false);
    tokio::time::timeout(Duration::from_secs(12), heard).await.unwrap();
    end(hers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_first_turn_fails_reaches_its_contacts_once_it_does_not() {
    let (anna, ben, dry) = (Person::new("Anna"), Person::new("Ben"), Dry::default());
    let (hers, his) = (at(&anna.dir, ANYWHERE, dry.clone()), at(&ben.dir, ANYWHERE, SystemEntropy));
    befriend((&anna, &hers.handle), (&ben, &his.handle)).await;
    let where_he_is = address(&his.handle).await;
    end(hers).await;
    end(his).await;
    dry.out(true);
    // Where she is now, only she can tell him.
    let hers = at(&anna.dir, ANYWHERE, dry.clone());
    dry.was_asked().await;
    let his = at(&ben.dir, &where_he_is, SystemEntropy);
    address(&his.handle).await;
    dry.out(false);
    is_online(&hers.handle, ben.identity, true).await;
    is_online(&his.handle, anna.identity, true).await;
    end(hers).await;
    end(his).await;
}

#[test]
fn a_node_that_has_stopped_has_left_the_network_and_said_goodbye() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (of_anna, of_ben) = (runtime(), runtime());
    let (anna, ben) = (Person::new("Anna"), Person::new("Ben"));
    let hers = of_anna.block_on(async { at(&anna.dir, ANYWHERE, SystemEntropy) });
    let his = of_ben.block_on(async { at(&ben.dir, ANYWHERE, SystemEntropy) });
    of_ben.block_on(befriend((&anna, &hers.handle), (&ben, &his.handle)));
    // A machine so busy that the network comes to its turn only in a while.
    let busy = Arc::new(AtomicBool::new(true));
    let (over, (tell, begun)) = (busy.clone(), std::sync::mpsc::sync_channel(1));
    of_anna.spawn(async move {
        tell.send(()).unwrap();
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(700) {
            std::hint::spin_loop();
        }
        over.store(false, Ordering::SeqCst);
    });
    begun.recv().unwrap();
    of_anna.block_on(end(hers));
    assert!(!busy.load(Ordering::SeqCst), "the network has not had its turn yet");
    // As at the end of a process: whatever is still under way is cut off.
    of_anna.shutdown_background();
    of_ben.block_on(async {
        let gone = is_online(&his.handle, anna.identity, false);
        tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
        end(his).await;
    });
}
