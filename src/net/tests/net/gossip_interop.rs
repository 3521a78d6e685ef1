//! A second client, in Python on py-libp2p, gossips by way of a node of ours.

use std::path::PathBuf;
use std::process::{Command as Program, Stdio};

use kinfolk_net::{Command, Event, GossipId, Topic, Verdict, node_name};

use crate::skip::skip;
use crate::support::{Node, Over, seed};

const TEST: &str = "a_second_client_hears_gossip_and_is_heard_as_far_as_it_is_judged_well";

/// A Python with the packages of `tests/interop/requirements.txt`: named by the environment, in the project's own
/// virtual environment, or the system's.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("KINFOLK_INTEROP_PYTHON").map(PathBuf::from);
    let venv = root().join("target/venv-interop/bin/python");
    let has_packages = |python: &PathBuf| {
        let tried = Program::new(python).args(["-c", "import libp2p, multiaddr, trio"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let found = named.clone().into_iter().chain([venv, PathBuf::from("python3")]).find(has_packages);
    assert!(named.is_none() || found == named, "KINFOLK_INTEROP_PYTHON has not the packages that it needs");
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

async fn heard(node: &mut Node) -> (GossipId, Vec<u8>) {
    node.until("to hear gossip", |event| match event {
        Event::Gossiped { gossip, message, .. } => Some((gossip, message)),
        _ => None,
    })
    .await
}

async fn follower(node: &mut Node, of: Option<kinfolk_wire::ids::PeerId>) {
    node.until("a follower", |event| match event {
        Event::Follower { peer, follows: true, .. } => (of.is_none() || of == Some(peer)).then_some(()),
        _ => None,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_client_hears_gossip_and_is_heard_as_far_as_it_is_judged_well() {
    let Some(python) = python() else {
        return skip(TEST, "no python3 with libp2p, multiaddr and trio; scripts/test.sh installs them");
    };
    let topic = Topic::new("interop/gossip").unwrap();
    let mut between = Node::start(seed(1), Over::Tcp).await;
    let mut other = Node::start(seed(2), Over::Tcp).await;
    for node in [&between, &other] {
        node.command(Command::Follow { topic: topic.clone(), follows: true });
    }
    other.dial(&between);
    follower(&mut other, Some(between.peer)).await;
    follower(&mut between, Some(other.peer)).await;

    let address = format!("{}/p2p/{}", between.address, node_name(&between.peer).unwrap());
    let mut client = Program::new(python);
    client.arg(root().join("tests/interop/gossip.py")).args([&address, topic.as_str()]);
    let client = client.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    follower(&mut between, None).await;

    other.command(Command::Gossip { topic: topic.clone(), message: b"said by another node".to_vec() });
    let mut judged = Vec::new();
    while judged.len() < 3 {
        let (gossip, message) = heard(&mut between).await;
        let verdict = if message.ends_with(b"rubbish") { Verdict::Reject } else { Verdict::Accept };
        between.command(Command::Judge { gossip, verdict });
        judged.push(String::from_utf8(message).unwrap());
    }
    judged.sort();
    assert_eq!(judged, ["python: in earnest", "python: rubbish", "said by another node"]);
    assert_eq!(heard(&mut other).await.1, b"python: in earnest", "and not what was refused");
    other.command(Command::Gossip { topic, message: b"heard by another node".to_vec() });
    let (gossip, _) = heard(&mut between).await;
    between.command(Command::Judge { gossip, verdict: Verdict::Accept });
    let output = tokio::task::spawn_blocking(|| client.wait_with_output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "it is not content:\n{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("checks: 4"), "{said}");
}
