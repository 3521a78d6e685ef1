//! Many nodes, and nodes that find each other.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command as Process;
use std::time::Duration;

use kinfolk_net::{Config, DialFailure, Event, peer_id, spawn};
use kinfolk_wire::direct::FrameKind;

use crate::support::{Node, Over, address, seed};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_nodes_talk_all_to_all_when_everybody_dials_everybody() {
    const NODES: u8 = 20;
    let mut nodes = Vec::new();
    for number in 0..NODES {
        let over = if number % 2 == 0 { Over::Quic } else { Over::Tcp };
        nodes.push(Node::start(seed(100 + number), over).await);
    }
    let places: BTreeMap<_, _> = nodes.iter().map(|node| (node.peer, node.address.clone())).collect();
    let (done_tx, done) = tokio::sync::watch::channel(0);
    let meet = |mut node: Node| {
        let (places, done_tx, mut done) = (places.clone(), done_tx.clone(), done.clone());
        async move {
            let mut open = BTreeMap::new();
            let (mut heard_by, mut heard_from) = (BTreeSet::new(), BTreeSet::new());
            let others: Vec<_> = places.keys().filter(|peer| **peer != node.peer).copied().collect();
            for peer in &others {
                node.dial_at(*peer, vec![places[peer].clone()]);
            }
            let mut met_all = false;
            // Whoever has met everybody goes on answering until everybody has.
            loop {
                let event = tokio::select! {
                    event = node.event("to meet everybody") => event,
                    _ = done.wait_for(|done| *done == NODES) => return,
                };
                match event {
                    Event::Connected { peer, .. } => {
                        open.insert(node.send(peer, FrameKind::Hello, b"hello"), peer);
                    }
                    Event::Received { delivery, peer, .. } => {
                        heard_from.insert(peer);
                        node.acknowledge(delivery);
                    }
                    Event::Sent { request, .. } => heard_by.extend(open.remove(&request)),
                    Event::Disconnected { peer }
                    | Event::DialFailed { peer, reason: DialFailure::NoStream | DialFailure::Unreachable, .. } => {
                        // Where 380 handshakes share a busy machine, one may take too long.
                        node.dial_at(peer, vec![places[&peer].clone()]);
                    }
                    Event::Lost { .. } | Event::DialFailed { reason: DialFailure::Connected, .. } => {}
                    other => panic!("{other:?}"),
                }
                if !met_all && heard_by.len() == others.len() && heard_from.len() == others.len() {
                    met_all = true;
                    done_tx.send_modify(|done| *done += 1);
                }
            }
        }
    };
    let tasks: Vec<_> = nodes.into_iter().map(|node| tokio::spawn(meet(node))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*done.borrow(), NODES);
}

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "KINFOLK_INSIDE_NAMESPACE";

/// A network of our own with one interface that carries multicast, so that nothing leaves this machine.
const NAMESPACE: &str = "ip link add lan0 type veth peer name end0 && ip addr add 10.77.0.1/24 dev lan0 && \
    ip link set end0 up && ip link set lan0 up multicast on && ip link set lo up && \
    ip route add 224.0.0.0/4 dev lan0 && exec \"$0\" \"$@\"";

#[test]
fn nodes_on_one_network_find_each_other() {
    const NAME: &str = "swarms::nodes_on_one_network_find_each_other";
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(find_each_other());
        return;
    }
    let possible = Process::new("unshare").args(["-n", "sh", "-c", NAMESPACE, "true"]).output();
    if !possible.as_ref().is_ok_and(|done| done.status.success()) {
        let reason = possible
            .map_or_else(|error| error.to_string(), |done| String::from_utf8_lossy(&done.stderr).trim().to_owned());
        crate::skip::skip(NAME, &format!("no network namespace with multicast can be made here: {reason}"));
        return;
    }
    let inside = Process::new("unshare")
        .args(["-n", "sh", "-c", NAMESPACE])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&inside.stdout);
    assert!(inside.status.success() && told.contains("found each other"), "{told}{:?}", inside.stderr);
}

async fn find_each_other() {
    let start = |number: u8, mdns: bool| {
        let mut config = Config::new(seed(number));
        config.listen = vec![address("/ip4/0.0.0.0/udp/0/quic-v1"), address("/ip4/0.0.0.0/tcp/0")];
        config.mdns = mdns;
        spawn(config).unwrap()
    };
    let _hidden = start(3, false);
    let (mut left, _right) = (start(1, true), start(2, true));
    let mut told = Vec::new();
    let seen = async {
        while let Some(event) = left.events.recv().await {
            if let Event::Discovered { peer, addresses } = event {
                let whole = addresses.len() == 2;
                told.push((peer, addresses));
                if whole {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("nobody was found");
    assert!(told.len() <= 2, "told once, or once more with what came late: {told:?}");
    for (peer, addresses) in &told {
        assert_eq!(*peer, peer_id(&seed(2)));
        assert!(addresses.iter().all(|at| at.as_str().starts_with("/ip4/10.77.0.1/")), "{addresses:?}");
    }
    println!("found each other");
}
