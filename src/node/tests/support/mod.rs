//! People with profiles of their own, and nodes on loopback.

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
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A system that gives no randomness while it is told not to, and says when it was asked for some.
#[derive(Clone, Default)]
pub(crate) struct Dry(Arc<(AtomicBool, tokio::sync::Notify)>);

impl Dry {
    pub(crate) fn out(&self, dry: bool) {
        self.0.0.store(dry, Ordering::SeqCst);
    }

    pub(crate) async fn was_asked(&self) {
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

/// Somebody with a profile.
pub(crate) struct Person {
    _home: tempfile::TempDir,
    pub(crate) dir: PathBuf,
    pub(crate) identity: IdentityId,
}

impl Person {
    pub(crate) fn new(name: &str) -> Self {
        Self::on(name, &std::env::temp_dir())
    }

    /// With a profile on this disk.
    pub(crate) fn on(name: &str, disk: &Path) -> Self {
        let home = tempfile::tempdir_in(disk).unwrap();
        let dir = home.path().join("profile");
        let mut store = kinfolk_store::create(&dir, Backend::Sled, Unlock::KeyFile, Options::default()).unwrap();
        let name = Name::new(name).unwrap();
        let created = create_profile(&mut store, &SystemClock, &mut SystemEntropy, name, None).unwrap();
        Self { _home: home, dir, identity: created.profile.identity }
    }
}

/// A node of a profile at this address.
pub(crate) fn at(dir: &Path, listen: &str, entropy: impl Entropy) -> Node {
    let store = kinfolk_store::open(dir, Unlock::KeyFile).unwrap();
    let listen = vec![Address::new(listen).unwrap()];
    let network = NetworkConfig { listen, ..NetworkConfig::default() };
    start(store, NodeConfig { network: Some(network) }, SystemClock, entropy).unwrap()
}

/// Any port of this machine.
pub(crate) const ANYWHERE: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

/// Waits until it is so, looking again at every notice.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(handle: &Handle, so: impl Fn(Handle) -> F) -> T {
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

/// Where a node listens.
pub(crate) async fn address(handle: &Handle) -> String {
    until(handle, |handle| async move {
        handle.query(query::listening).await.unwrap().unwrap().addresses.first().map(ToString::to_string)
    })
    .await
}

/// Waits until a contact is online, or no longer is.
pub(crate) async fn is_online(handle: &Handle, who: IdentityId, online: bool) {
    until(handle, |handle| async move {
        let contact = handle.query(move |read| query::contact(read, who)).await.unwrap().unwrap()?;
        (contact.state == ContactState::Accepted && contact.online == online).then_some(())
    })
    .await;
}

/// Makes contacts of two people whose nodes run, and waits until they are connected.
pub(crate) async fn befriend((anna, hers): (&Person, &Handle), (ben, his): (&Person, &Handle)) {
    address(hers).await;
    address(his).await;
    let invite = Command::CreateInvite { uses: Uses::Once, lifetime: Span::from_days(1), admission: Admission::Accept };
    let Answer::Invite(link) = hers.command(invite).await.unwrap() else { panic!("no link") };
    his.command(Command::AddContact { link, name: None }).await.unwrap();
    is_online(his, anna.identity, true).await;
    is_online(hers, ben.identity, true).await;
}

/// Ends a node, which must have nothing to complain of.
pub(crate) async fn end(node: Node) {
    node.handle.stop().await;
    assert_eq!(tokio::task::spawn_blocking(|| node.thread.join().unwrap()).await.unwrap(), Ok(()));
}
