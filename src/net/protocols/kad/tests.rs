use super::*;

fn table(server: bool, private: bool) -> (Filtered<Table>, Finder) {
    let local = PeerId::random();
    (behaviour(local, server, private, &[]), Finder::new(server, private, &[]))
}

fn routable(text: &str) -> kad::Event {
    kad::Event::RoutablePeer { peer: PeerId::random(), address: text.parse().unwrap() }
}

fn buckets(table: &mut Filtered<Table>) -> Vec<usize> {
    table.inner().kbuckets().map(|bucket| bucket.num_entries()).filter(|count| *count > 0).collect()
}

#[test]
fn d09_a_network_has_two_nodes_in_a_bucket_and_no_more() {
    for network in ["/ip4/93.184.216.{}/tcp/4001", "/ip6/2a00:1450:4001:{}::1/udp/4001/quic-v1"] {
        let (mut table, mut finder) = table(false, false);
        for host in 1..=250 {
            finder.on_event(&mut table, routable(&network.replace("{}", &host.to_string())));
        }
        let counts = buckets(&mut table);
        assert!(counts.len() >= 4 && counts.iter().all(|count| *count <= 2), "{counts:?}");
        // Nodes of other networks find room beside them.
        for other in 0..250 {
            finder.on_event(&mut table, routable(&format!("/ip4/94.1.{other}.1/tcp/4001")));
        }
        assert!(buckets(&mut table).into_iter().max().unwrap() > 10);
    }
}

#[test]
fn d10_nobody_enters_the_table_at_an_address_that_a_stranger_may_not_name() {
    let bad = [
        "/ip4/127.0.0.1/tcp/4001",
        "/ip4/10.0.0.1/tcp/4001",
        "/ip4/169.254.169.254/tcp/4001",
        "/ip4/224.0.0.1/udp/4001/quic-v1",
        "/ip4/93.184.216.34/tcp/22",
        "/ip4/93.184.216.34/tcp/25",
        "/ip6/::1/tcp/4001",
        "/dns4/example.org/tcp/4001",
    ];
    let (mut strict, mut finder) = table(true, false);
    for address in bad {
        finder.on_event(&mut strict, routable(address));
        assert_eq!(buckets(&mut strict), [] as [usize; 0], "{address}");
        assert!(!finder.is_shown(&address.parse().unwrap()));
    }
    // Where the network is not the internet, private ones are as good as others, and the rest is refused as before.
    let (mut private, mut finder) = table(true, true);
    for address in ["/ip4/224.0.0.1/udp/4001/quic-v1", "/dns4/example.org/tcp/4001", "/ip4/0.0.0.0/tcp/4001"] {
        finder.on_event(&mut private, routable(address));
    }
    assert_eq!(buckets(&mut private), [] as [usize; 0]);
    finder.on_event(&mut private, routable("/ip4/10.0.0.1/tcp/4001"));
    assert_eq!(buckets(&mut private), [1]);
}

#[test]
fn a_contact_enters_on_its_word_once_it_serves_and_a_server_passes_no_private_address_on() {
    let place: Multiaddr = "/ip4/192.168.1.9/tcp/4001".parse().unwrap();
    let peer = PeerId::random();
    let (mut client, mut finder) = table(false, false);
    finder.introduce(&mut client, peer, vec![place.clone()]);
    assert!(!is_known(&mut client, &peer), "a contact that does not serve");
    finder.on_event(&mut client, kad::Event::UnroutablePeer { peer });
    assert!(is_known(&mut client, &peer));
    assert!(client.allows(&peer, &place) && !client.allows(&PeerId::random(), &place));
    let (mut server, mut finder) = table(true, false);
    finder.on_event(&mut server, kad::Event::UnroutablePeer { peer });
    finder.introduce(&mut server, peer, vec![place]);
    assert!(!is_known(&mut server, &peer));
    finder.introduce(&mut server, peer, vec!["/ip4/93.184.216.34/tcp/4001".parse().unwrap()]);
    assert!(is_known(&mut server, &peer));
}

#[test]
fn d10_a_server_is_reached_only_on_the_host_that_it_comes_from() {
    let (mut table, mut finder) = table(true, false);
    let (peer, connection) = (PeerId::random(), ConnectionId::new_unchecked(1));
    let protocols = [PROTOCOL];
    let own: Multiaddr = "/ip4/93.184.216.34/udp/4001/quic-v1".parse().unwrap();
    let other: Multiaddr = "/ip4/93.184.216.35/udp/4001/quic-v1".parse().unwrap();
    let service: Multiaddr = "/ip4/93.184.216.34/tcp/25".parse().unwrap();
    let said = [other, service, own.clone()];
    let says = |finder: &mut Finder, table: &mut _, protocols: &[StreamProtocol]| {
        finder.says(table, peer, connection, protocols, &said)
    };
    assert!(says(&mut finder, &mut table, &protocols).is_empty(), "on no connection that is known");
    finder.connected(connection, peer, &"/ip4/93.184.216.34/udp/50000/quic-v1".parse().unwrap());
    assert!(says(&mut finder, &mut table, &[]).is_empty(), "it does not serve");
    assert_eq!(says(&mut finder, &mut table, &protocols), std::slice::from_ref(&own));
    finder.reaching(peer, ConnectionId::new_unchecked(2));
    assert!(says(&mut finder, &mut table, &protocols).is_empty(), "it is being reached already");
    finder.closed(ConnectionId::new_unchecked(2));
    assert_eq!(says(&mut finder, &mut table, &protocols), [own]);
    for number in 0..VERIFIED_AT_ONCE {
        finder.reaching(PeerId::random(), ConnectionId::new_unchecked(10 + number));
    }
    assert!(says(&mut finder, &mut table, &protocols).is_empty(), "enough are being reached");
}
