//! Nodes of the hash table that lie: five for each honest one, each in a network of its own.

use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt, StreamExt};
use kinfolk_wire::address_record::SIZES;
use kinfolk_wire::ids::RecordKey;
use libp2p::core::ConnectedPoint;
use libp2p::identity::Keypair;
use libp2p::kad::KBucketKey;
use libp2p::swarm::{NetworkBehaviour, Stream, StreamProtocol, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, SwarmBuilder, identify};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::finding::{client, find, key, named, publish, servers};
use crate::support::{Node, PATIENCE};

/// As many as a test has time for; `cargo bench -p kinfolk-net --bench finding` has more.
const HONEST: u16 = 10;
const SYBILS: u16 = 50;
/// More than a lookup asks at its end.
const CROWD: u16 = 25;

#[derive(NetworkBehaviour)]
struct Liar {
    identify: identify::Behaviour,
    stream: libp2p_stream::Behaviour,
}

type Gang = Arc<Vec<(PeerId, Multiaddr)>>;

/// The kinds of messages, and the field that says which (the Kademlia page of the libp2p specifications).
const PUT_VALUE: u64 = 0;
const KIND: u64 = 1;
const KEY: u64 = 2;
const CLOSER: u64 = 8;

async fn varint(from: &mut (impl AsyncRead + Unpin)) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        from.read_exact(&mut byte).await.ok()?;
        number |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// What a query is, and for which key.
async fn read_query(message: &[u8]) -> Option<(u64, Vec<u8>)> {
    let (mut kind, mut key, mut rest) = (0, Vec::new(), message);
    while !rest.is_empty() {
        let tag = varint(&mut rest).await?;
        let number = varint(&mut rest).await?;
        match (tag >> 3, tag & 7) {
            (KIND, 0) => kind = number,
            (field, 2) => {
                let (bytes, after) = rest.split_at_checked(usize::try_from(number).ok()?)?;
                rest = after;
                if field == KEY {
                    key = bytes.to_vec();
                }
            }
            _ => {}
        }
    }
    Some((kind, key))
}

/// Answers the queries on one stream: a value is said to be kept, for everything else there are only other liars.
async fn lie(mut stream: Stream, gang: Gang) -> Option<()> {
    loop {
        let length = usize::try_from(varint(&mut stream).await?).ok().filter(|length| *length <= 1 << 16)?;
        let mut message = vec![0; length];
        stream.read_exact(&mut message).await.ok()?;
        let (kind, key) = read_query(&message).await?;
        if kind != PUT_VALUE {
            let target = KBucketKey::new(key.clone());
            let mut nearest: Vec<_> = gang.iter().collect();
            nearest.sort_by_key(|(peer, _)| KBucketKey::from(*peer).distance(&target));
            message.clear();
            put_varint(&mut message, KIND << 3);
            put_varint(&mut message, kind);
            put_bytes(&mut message, KEY, &key);
            for (peer, at) in nearest.into_iter().take(20) {
                let mut node = Vec::new();
                put_bytes(&mut node, 1, &peer.to_bytes());
                put_bytes(&mut node, 2, &at.to_vec());
                put_bytes(&mut message, CLOSER, &node);
            }
        }
        let mut answer = Vec::new();
        put_varint(&mut answer, message.len() as u64);
        answer.extend_from_slice(&message);
        stream.write_all(&answer).await.ok()?;
        stream.flush().await.ok()?;
    }
}

/// The key of a liar: the n-th that is as near to a place as wanted, in leading bits that are the same.
fn keys(count: u16, near: Option<(RecordKey, u32)>) -> Vec<Keypair> {
    let fits = |key: &Keypair| {
        near.is_none_or(|(place, bits)| {
            let distance =
                KBucketKey::from(key.public().to_peer_id()).distance(&KBucketKey::new(place.as_bytes().to_vec()));
            distance.ilog2().is_none_or(|highest| highest < 256 - bits)
        })
    };
    let mut seeds = (0_u32..).map(|number| {
        let mut seed = [0x66; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        Keypair::ed25519_from_bytes(seed).unwrap()
    });
    (0..count).map(|_| seeds.find(fits).unwrap()).collect()
}

async fn listening(swarm: &mut Swarm<Liar>) -> Multiaddr {
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            return address;
        }
    }
}

/// Liars know each other and nobody else, answer every query with those of them that are nearest, say that they keep
/// what they are given, and keep nothing. They come to these nodes as servers do. Ends when the set is dropped.
async fn liars(keys: Vec<Keypair>, honest: &[Node]) -> JoinSet<()> {
    let count = keys.len();
    let mut swarms = Vec::new();
    for (number, key) in keys.into_iter().enumerate() {
        let local = key.public().to_peer_id();
        let mut swarm = SwarmBuilder::with_existing_identity(key)
            .with_tokio()
            .with_quic()
            .with_behaviour(|key| {
                let config = identify::Config::new("kinfolk/1".to_owned(), key.public());
                Liar { identify: identify::Behaviour::new(config), stream: libp2p_stream::Behaviour::new() }
            })
            .unwrap()
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
            .build();
        swarm.listen_on(format!("/ip4/127.66.{number}.1/udp/0/quic-v1").parse().unwrap()).unwrap();
        let at = listening(&mut swarm).await;
        swarm.add_external_address(at.clone());
        swarms.push((local, at, swarm));
    }
    let gang: Gang = Arc::new(swarms.iter().map(|(peer, at, _)| (*peer, at.clone())).collect());
    let (tell, mut reached) = mpsc::channel(1_024);
    let mut tasks = JoinSet::new();
    for (number, (_, _, mut swarm)) in swarms.into_iter().enumerate() {
        let protocol = StreamProtocol::new("/kinfolk/kad/1");
        let mut queries = swarm.behaviour().stream.new_control().accept(protocol).unwrap();
        let gang = Arc::clone(&gang);
        tasks.spawn(async move {
            while let Some((_, stream)) = queries.next().await {
                tokio::spawn(lie(stream, Arc::clone(&gang)));
            }
        });
        let to = &honest[number % honest.len()];
        swarm.dial(named(to).as_str().parse::<Multiaddr>().unwrap()).unwrap();
        let tell = tell.clone();
        tasks.spawn(async move {
            loop {
                let event = swarm.select_next_some().await;
                if let SwarmEvent::ConnectionEstablished { endpoint: ConnectedPoint::Listener { .. }, .. } = event {
                    // Only the first of them are waited for.
                    tell.try_send(()).ok();
                }
            }
        });
    }
    // They are taken in once they were reached where they say they are.
    for _ in 0..count / 3 {
        tokio::time::timeout(PATIENCE, reached.recv()).await.expect("the liars are not taken in").unwrap();
    }
    tasks
}

fn value(number: u64) -> Vec<u8> {
    vec![u8::try_from(number % 250).unwrap() + 1; SIZES[0]]
}

/// Whether a value is found, at the second look at the latest: whoever finds nothing looks again.
async fn is_found(by: &mut Node, place: RecordKey, wanted: &Vec<u8>) -> bool {
    find(by, place).await.contains(wanted) || find(by, place).await.contains(wanted)
}

/// Percent of these that hold.
fn share(found: &[bool]) -> usize {
    found.iter().filter(|found| **found).count() * 100 / found.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn d08_with_five_liars_for_each_honest_node_records_are_found() {
    const RECORDS: u64 = 8;
    let nodes = servers(HONEST).await;
    let lying = liars(keys(SYBILS, None), &nodes).await;
    let mut anna = client(2, 0, vec![named(&nodes[0]), named(&nodes[5]), named(&nodes[8])]).await;
    let mut bea = client(2, 1, vec![named(&nodes[1]), named(&nodes[6]), named(&nodes[9])]).await;
    let (mut first, mut any) = (Vec::new(), Vec::new());
    for number in 0..RECORDS {
        let mut found = Vec::new();
        for place in [key(3 * number), key(3 * number + 1), key(3 * number + 2)] {
            publish(&mut anna, place, value(number)).await;
            found.push(is_found(&mut bea, place, &value(number)).await);
        }
        first.push(found[0]);
        any.push(found.contains(&true));
    }
    println!("d08 measured: {}% found at one place, {}% at any", share(&first), share(&any));
    assert!(share(&any) >= 95, "{}%", share(&any));
    drop(lying);
}

#[tokio::test(flavor = "multi_thread")]
async fn d08_liars_who_crowd_round_one_place_do_not_hide_a_record_at_its_others() {
    const RECORDS: u64 = 20;
    let nodes = servers(HONEST).await;
    // Nearer to the first place than any honest node, and all of them.
    let place = key(1_000);
    let lying = liars(keys(CROWD, Some((place, 8))), &nodes).await;
    let mut anna = client(2, 0, vec![named(&nodes[0]), named(&nodes[5]), named(&nodes[8])]).await;
    let mut bea = client(2, 1, vec![named(&nodes[1]), named(&nodes[6]), named(&nodes[9])]).await;
    let (mut first, mut any) = (Vec::new(), Vec::new());
    for number in 0..RECORDS {
        // Every record here has the crowded place for its first.
        let mut found = Vec::new();
        for place in [place, key(2_000 + 2 * number), key(2_001 + 2 * number)] {
            publish(&mut anna, place, value(number)).await;
            found.push(is_found(&mut bea, place, &value(number)).await);
        }
        first.push(found[0]);
        any.push(found.contains(&true));
    }
    println!("d08 measured: {}% found at the crowded place, {}% at any", share(&first), share(&any));
    assert!(share(&any) >= 95, "{}%", share(&any));
    drop(lying);
}
