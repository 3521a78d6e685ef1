//! The hash table among real nodes: what is put there is found, also where many of the nodes lie.

use std::collections::BTreeSet;
use std::time::Duration;

use kinfolk_net::{Command, Config, Event, RequestId, Unreached};
use kinfolk_wire::address_record::{LIFETIME, SIZES};
use kinfolk_wire::ids::{PeerId, RecordKey};
use kinfolk_wire::invite::Address;

use crate::support::{Node, Over, address, seed};

const DAY: Duration = Duration::from_millis(LIFETIME.as_millis());

/// The seed of a network key.
pub(crate) fn numbered(kind: u8, number: u16) -> [u8; 32] {
    let mut seed = [kind; 32];
    seed[..2].copy_from_slice(&number.to_be_bytes());
    seed
}

/// A host of its own network (/24) on this machine.
pub(crate) fn host(kind: u8, number: u16) -> Address {
    let [high, low] = number.to_be_bytes();
    address(&format!("/ip4/127.{kind}.{low}.{}/udp/0/quic-v1", 10 + high))
}

/// What libp2p calls a node.
pub(crate) fn node_id(peer: PeerId) -> libp2p::PeerId {
    libp2p::PeerId::from_bytes(peer.as_bytes()).unwrap()
}

pub(crate) fn named(node: &Node) -> Address {
    address(&format!("{}/p2p/{}", node.address, node_id(node.peer)))
}

pub(crate) async fn server(kind: u8, number: u16, bootstrap: Vec<Address>) -> Node {
    member(kind, number, bootstrap, true).await
}

async fn member(kind: u8, number: u16, bootstrap: Vec<Address>, serves: bool) -> Node {
    let change = |config: &mut Config| {
        config.listen = vec![host(kind, number)];
        config.bootstrap = bootstrap;
        config.dht_server = serves;
        config.dht_private = true;
    };
    Node::start_with(numbered(kind, number), Over::Quic, change).await
}

/// Servers that all begin at the first, whose events nobody else wants.
pub(crate) async fn servers(count: u16) -> Vec<Node> {
    let mut nodes = vec![server(1, 0, Vec::new()).await];
    for number in 1..count {
        let first = named(&nodes[0]);
        nodes.push(server(1, number, vec![first]).await);
    }
    for node in &mut nodes[1..] {
        joined(node).await;
    }
    nodes
}

pub(crate) async fn client(kind: u8, number: u16, bootstrap: Vec<Address>) -> Node {
    let mut node = member(kind, number, bootstrap, false).await;
    joined(&mut node).await;
    node
}

pub(crate) async fn joined(node: &mut Node) {
    node.until("to join", |event| matches!(event, Event::Joined).then_some(())).await;
}

pub(crate) fn key(number: u64) -> RecordKey {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    RecordKey::new(bytes)
}

pub(crate) async fn publish(node: &mut Node, key: RecordKey, value: Vec<u8>) -> u32 {
    let request = node.request();
    node.command(Command::Publish { request, key, value, lifetime: DAY });
    node.until("to publish", |event| match event {
        Event::Published { request: of, copies } if of == request => Some(copies),
        _ => None,
    })
    .await
}

pub(crate) async fn find(node: &mut Node, key: RecordKey) -> Vec<Vec<u8>> {
    let request = node.request();
    node.command(Command::Find { request, key });
    node.until("to find", |event| match event {
        Event::Found { request: of, values } if of == request => Some(values),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_among_twenty_nodes_is_found_by_another() {
    let nodes = servers(20).await;
    let mut anna = client(2, 0, vec![named(&nodes[3])]).await;
    let mut bea = client(2, 1, vec![named(&nodes[11])]).await;
    for number in 0..5 {
        let value = vec![u8::try_from(number).unwrap(); SIZES[usize::from(number % 2 == 0)]];
        let copies = publish(&mut anna, key(number), value.clone()).await;
        assert!(copies >= 10, "{copies} copies");
        assert_eq!(find(&mut bea, key(number)).await, [value]);
    }
    assert!(find(&mut bea, key(99)).await.is_empty());
    // What cannot be a record is kept by nobody, whoever says otherwise.
    publish(&mut anna, key(50), vec![1; 100]).await;
    assert!(find(&mut bea, key(50)).await.is_empty());
    // A second value from elsewhere does not hide the first.
    publish(&mut anna, key(51), vec![1; SIZES[0]]).await;
    publish(&mut bea, key(51), vec![2; SIZES[0]]).await;
    let found: BTreeSet<Vec<u8>> = find(&mut bea, key(51)).await.into_iter().collect();
    assert!(found == BTreeSet::from([vec![1; SIZES[0]], vec![2; SIZES[0]]]), "{} values", found.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn any_contact_who_serves_is_a_beginning() {
    let nodes = servers(5).await;
    // Anna takes nobody on this machine into her table on their own word.
    let mut anna = Node::start_with(numbered(2, 0), Over::Quic, |config| config.listen = vec![host(2, 0)]).await;
    assert_eq!(publish(&mut anna, key(1), vec![1; SIZES[0]]).await, 0, "there is nobody to ask");
    anna.dial(&nodes[4]);
    anna.connected(nodes[4].peer).await;
    // Connected, but nobody has said that this is a contact.
    assert!(find(&mut anna, key(1)).await.is_empty());
    anna.command(Command::Introduce { peer: nodes[4].peer, addresses: vec![nodes[4].address.clone()] });
    joined(&mut anna).await;
    assert_eq!(publish(&mut anna, key(1), vec![1; SIZES[0]]).await, 1);
    assert_eq!(find(&mut anna, key(1)).await, [vec![1; SIZES[0]]]);
    // One who does not serve is none, whatever is said of it.
    let ben = member(2, 1, Vec::new(), false).await;
    let mut cora = member(2, 2, Vec::new(), false).await;
    cora.dial(&ben);
    cora.connected(ben.peer).await;
    cora.command(Command::Introduce { peer: ben.peer, addresses: vec![ben.address.clone()] });
    assert_eq!(publish(&mut cora, key(2), vec![1; SIZES[0]]).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_that_is_not_reached_is_named_with_its_reason_and_tried_again() {
    // Over TCP it is known at once that nobody is there.
    let tcp = address("/ip4/127.3.1.10/tcp/0");
    let gone = Node::start_with(numbered(3, 1), Over::Tcp, |config| config.listen = vec![tcp]).await;
    let (at, id) = (gone.address.clone(), node_id(gone.peer));
    gone.shut_down().await;
    let other = server(3, 2, Vec::new()).await;
    let wrong = address(&format!("{}/p2p/{}", other.address, node_id(kinfolk_net::peer_id(&seed(77)))));
    let named_gone = address(&format!("{at}/p2p/{id}"));
    let mut node = member(2, 0, vec![named_gone.clone(), wrong.clone()], false).await;
    let tried = node
        .until("to hear what was tried", |event| match event {
            Event::NotJoined { tried } => Some(tried),
            _ => None,
        })
        .await;
    let expected =
        [(named_gone, "nobody answered at any of the addresses"), (wrong, "another node answers at that address")];
    let expected = expected.map(|(address, reason)| Unreached { address, reason: reason.to_owned() });
    assert_eq!(tried, expected);
    // It is tried again by itself.
    let back = Node::start_with(numbered(3, 1), Over::Quic, |config| {
        config.listen = vec![at];
        config.dht_server = true;
        config.dht_private = true;
    })
    .await;
    joined(&mut node).await;
    drop(back);
}

#[tokio::test(flavor = "multi_thread")]
async fn d10_addresses_that_the_table_names_on_private_networks_are_not_dialled() {
    // The same servers; these two do not know that their network is not the internet.
    let nodes = servers(6).await;
    let mut strict = Node::start_with(numbered(2, 0), Over::Quic, |config| {
        config.listen = vec![host(2, 0)];
        config.bootstrap = vec![named(&nodes[1])];
    })
    .await;
    joined(&mut strict).await;
    let copies = publish(&mut strict, key(1), vec![1; SIZES[0]]).await;
    assert_eq!(copies, 1, "only the named node, on the person's word");
    let mut open = client(2, 1, vec![named(&nodes[1])]).await;
    assert!(publish(&mut open, key(2), vec![1; SIZES[0]]).await > 1, "the others are there");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_questions_at_once_are_answered_all_the_same() {
    let mut node = member(2, 0, Vec::new(), false).await;
    let asked: BTreeSet<RequestId> = (0..1_500)
        .map(|number| {
            let request = node.request();
            node.command(Command::Find { request, key: key(number) });
            request
        })
        .collect();
    let mut answered = BTreeSet::new();
    while answered.len() < asked.len() {
        if let Event::Found { request, values } = node.event("answers").await {
            assert!(values.is_empty() && answered.insert(request));
        }
    }
    assert_eq!(answered, asked);
}
