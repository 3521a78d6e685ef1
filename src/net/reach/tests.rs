use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;

use super::*;

const OWN: &str = "/ip4/10.0.0.7/udp/4001/quic-v1";
const SEEN: &str = "/ip4/192.0.2.7/udp/4001/quic-v1";
const SEEN_ELSEWHERE: &str = "/ip4/198.51.100.7/udp/4001/quic-v1";

fn node(seed: u8) -> PeerId {
    crate::identity::keypair(&[seed; 32]).public().to_peer_id()
}

fn at(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn listener() -> ListenerId {
    ListenerId::next()
}

/// A node that listens behind a router, with these contacts connected; each has said where it sees us.
struct Lab {
    reach: Reach,
    now: Instant,
    done: Vec<Do>,
}

impl Lab {
    fn new() -> Self {
        let (contacts, _) = watch::channel(BTreeSet::new());
        let mut reach = Reach::new(config::Reach::default(), true, BTreeSet::new(), contacts);
        reach.listening(listener(), &at(OWN));
        let mut lab = Self { reach, now: Instant::now(), done: Vec::new() };
        lab.settle();
        lab
    }

    fn settle(&mut self) {
        self.reach.stirred = true;
        self.done = self.reach.settle(self.now);
    }

    fn connect(&mut self, seed: u8, seen: &str) {
        let id = ConnectionId::new_unchecked(seed.into());
        let address = at(&format!("/ip4/203.0.113.{seed}/udp/4001/quic-v1"));
        let endpoint = ConnectedPoint::Dialer { address, role_override: Endpoint::Dialer, port_use: PortUse::Reuse };
        self.reach.connected(node(seed), id, &endpoint);
        self.reach.identified(id, &[HOP, DIALS_BACK], &at(seen));
        self.settle();
    }

    fn befriend(&mut self, seed: u8, seen: &str) {
        self.reach.contact(node(seed), true);
        self.connect(seed, seen);
    }

    fn found(&mut self, seed: u8, place: &str, reached: bool) {
        self.reach.found(node(seed), at(place), reached, self.now);
        self.settle();
    }

    fn asked(&self) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let asks = self.done.iter().filter_map(|todo| match todo {
            Do::Ask { node, addresses } => Some((*node, addresses.clone())),
            _ => None,
        });
        asks.collect()
    }

    fn reserved(&self) -> Vec<PeerId> {
        let asks = self.done.iter().filter_map(|todo| match todo {
            Do::Reserve { relay, .. } => Some(*relay),
            _ => None,
        });
        asks.collect()
    }

    fn confirmed(&self) -> Option<usize> {
        self.reach.said.confirmed.as_ref().map(|(_, nodes)| *nodes)
    }

    fn told(&self) -> Vec<&str> {
        self.reach.told.iter().map(Address::as_str).collect()
    }
}

#[tokio::test]
async fn three_that_were_asked_must_have_come_through() {
    let mut lab = Lab::new();
    for seed in 2..=5 {
        lab.befriend(seed, SEEN);
        assert_eq!(lab.asked(), [(node(seed), vec![at(SEEN)])]);
    }
    assert_eq!(lab.reach.said.asking, 4);
    lab.found(2, SEEN, false);
    lab.found(3, SEEN, true);
    lab.found(4, SEEN, true);
    assert_eq!((lab.confirmed(), lab.reach.serving.len()), (None, 0));
    assert!(!lab.told().contains(&SEEN), "not told before it is believed");
    lab.found(5, SEEN, true);
    assert_eq!((lab.confirmed(), lab.reach.said.relaying), (Some(3), true));
    assert_eq!(lab.told(), [SEEN, OWN]);
    assert!(lab.done.contains(&Do::Serve { before: Vec::new(), now: vec![at(SEEN)] }));
}

#[tokio::test]
async fn where_fewer_are_known_all_must_agree_and_relays_are_kept_beside() {
    let mut lab = Lab::new();
    lab.befriend(2, SEEN);
    lab.befriend(3, SEEN);
    lab.found(2, SEEN, true);
    assert_eq!(lab.confirmed(), Some(1));
    lab.found(3, SEEN, false);
    assert_eq!((lab.confirmed(), lab.reserved().len()), (None, 2));
    lab.found(3, SEEN, true);
    assert_eq!(lab.confirmed(), Some(2));
    assert!(lab.reach.wants_relay(), "two words are not three");
}

#[tokio::test]
async fn d14_strangers_are_not_asked_and_what_they_see_is_no_place_to_try() {
    let mut lab = Lab::new();
    lab.connect(2, SEEN);
    assert_eq!(lab.done, []);
    lab.found(2, SEEN, true);
    lab.now += 2 * lab.reach.settings.patience;
    lab.settle();
    assert!(lab.reserved().is_empty(), "nor to relay");
    // The same node, once it is a contact's.
    lab.reach.contact(node(2), true);
    lab.settle();
    assert!(lab.done.contains(&Do::Candidate(at(SEEN))));
}

#[tokio::test]
async fn d14_a_private_address_is_no_place_to_ask_about_but_where_it_counts_as_global() {
    let mut lab = Lab::new();
    for (seed, seen) in
        [(2, "/ip4/10.1.1.1/udp/4001/quic-v1"), (3, "/ip4/127.0.0.1/udp/4001/quic-v1"), (4, "/p2p-circuit")]
    {
        lab.befriend(seed, seen);
        assert!(lab.asked().is_empty() && !lab.done.iter().any(|todo| matches!(todo, Do::Candidate(_))), "{seen}");
    }
    lab.reach.global = Global::new(&["127.0.0.0/8".parse().unwrap()]);
    lab.settle();
    assert_eq!(lab.asked(), [(node(3), vec![at("/ip4/127.0.0.1/udp/4001/quic-v1")])]);
}

#[tokio::test]
async fn a_port_that_the_router_gave_is_asked_about_beside_our_own() {
    let mut lab = Lab::new();
    lab.reach.listening(listener(), &at("/ip4/10.0.0.7/tcp/4001"));
    lab.reach.mapped(at("/ip4/192.0.2.7/tcp/9999"), true);
    lab.befriend(2, "/ip4/192.0.2.7/udp/61000/quic-v1");
    let mut places: Vec<String> = lab.asked()[0].1.iter().map(ToString::to_string).collect();
    places.sort();
    let all =
        ["/tcp/4001", "/tcp/9999", "/udp/4001/quic-v1", "/udp/61000/quic-v1"].map(|at| format!("/ip4/192.0.2.7{at}"));
    assert_eq!(places, all);
    // What our own connection out was seen at over TCP leads to nobody.
    lab.befriend(3, "/ip4/192.0.2.7/tcp/62000");
    assert!(!lab.asked()[0].1.contains(&at("/ip4/192.0.2.7/tcp/62000")));
}

#[tokio::test]
async fn whoever_moves_to_another_network_is_no_longer_where_they_were() {
    let mut lab = Lab::new();
    lab.befriend(2, SEEN);
    lab.found(2, SEEN, true);
    assert_eq!(lab.confirmed(), Some(1));
    lab.reach.closed(ConnectionId::new_unchecked(2));
    lab.settle();
    assert_eq!(lab.confirmed(), Some(1), "nobody says otherwise");
    lab.befriend(3, SEEN_ELSEWHERE);
    assert_eq!((lab.confirmed(), lab.reach.said.relaying), (None, false));
    assert!(!lab.told().contains(&SEEN));
}

#[tokio::test]
async fn nobody_is_asked_the_same_twice_while_connected_and_not_soon_after() {
    let mut lab = Lab::new();
    lab.befriend(2, SEEN);
    assert_eq!(lab.asked().len(), 1);
    lab.found(2, SEEN, true);
    lab.now += HOLDS;
    lab.settle();
    assert!(lab.asked().is_empty());
    lab.reach.closed(ConnectionId::new_unchecked(2));
    lab.connect(2, SEEN);
    assert_eq!(lab.asked().len(), 1);
    assert_eq!(lab.confirmed(), Some(1), "until there is another answer, the old one holds");
    lab.found(2, SEEN, false);
    assert_eq!(lab.confirmed(), None);
    lab.reach.closed(ConnectionId::new_unchecked(2));
    lab.connect(2, SEEN);
    assert!(lab.asked().is_empty());
}

#[tokio::test]
async fn two_or_three_contacts_relay_and_one_that_is_lost_is_asked_ever_more_rarely() {
    let mut lab = Lab::new();
    for seed in 2..=6 {
        lab.befriend(seed, SEEN);
    }
    assert!(lab.reserved().is_empty(), "first it is waited for what others find");
    assert_eq!(lab.reach.due(), Some(lab.now + lab.reach.settings.patience));
    lab.found(2, SEEN, false);
    let relays = lab.reserved();
    assert_eq!(relays.len(), 3);
    let relay = relays[0];
    let mut waits = Vec::new();
    for _ in 0..10 {
        lab.reach.asked_to_relay(relay, None, lab.now);
        lab.settle();
        // Others take its place; only this one is looked at.
        while let [other, ..] = lab.reserved()[..] {
            lab.reach.relays.remove(&other);
            lab.reach.connections.retain(|_, connection| connection.node != other);
            lab.settle();
        }
        let due = lab.reach.due().unwrap();
        waits.push((due - lab.now).as_secs());
        lab.now = due;
        lab.settle();
        assert!(lab.reserved().contains(&relay));
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 320, 320, 320]);
    let held = listener();
    lab.reach.asked_to_relay(relay, Some(held), lab.now);
    let way = |of: PeerId, ip: &str| at(&format!("/ip4/{ip}/udp/4001/quic-v1/p2p/{of}/p2p-circuit"));
    // Not where it is not, not somewhere private, and not everywhere.
    for bad in [way(node(9), "203.0.113.2"), way(relay, "10.0.0.1")] {
        lab.reach.listening(held, &bad);
    }
    assert_eq!(lab.reach.over_relays().count(), 0);
    for number in 1..=9 {
        lab.reach.listening(held, &way(relay, &format!("203.0.113.{number}")));
    }
    assert_eq!(lab.reach.over_relays().count(), TOLD_OF_RELAY);
    lab.settle();
    assert_eq!(lab.reach.said.relays, 1);
    lab.reach.listener_closed(held, lab.now);
    lab.settle();
    assert_eq!(lab.reach.said.relays, 0);
    assert_eq!(lab.reach.relays[&relay].failures, 1, "what was held is asked for again soon");
}

#[tokio::test]
async fn nothing_is_looked_at_again_before_something_happens_or_is_due() {
    let mut lab = Lab::new();
    lab.befriend(2, SEEN);
    let due = lab.reach.due().unwrap();
    assert_eq!(due, lab.now + lab.reach.settings.patience);
    lab.reach.told.clear();
    assert_eq!(lab.reach.settle(due - Duration::from_millis(1)), []);
    let done = lab.reach.settle(due);
    assert!(matches!(done[..], [Do::Reserve { .. }, Do::Tell(_)]), "{done:?}");
    assert_eq!((lab.reach.due(), lab.reach.settle(due + HOLDS)), (None, Vec::new()));
}

#[tokio::test]
async fn a_node_is_told_to_be_at_eight_places_at_most_and_the_likelier_first() {
    let mut lab = Lab::new();
    for number in 1..=12 {
        lab.reach.listening(listener(), &at(&format!("/ip4/127.0.0.{number}/tcp/4001")));
    }
    lab.settle();
    assert_eq!(lab.told().len(), limits::ADDRESSES);
    assert_eq!(lab.told()[0], OWN);
    lab.befriend(2, SEEN);
    lab.found(2, SEEN, true);
    assert_eq!((lab.told().len(), lab.told()[0]), (limits::ADDRESSES, SEEN));
    let gone = lab.done.iter().filter(|todo| matches!(todo, Do::Tell(Event::NotListening { .. }))).count();
    assert_eq!(gone, 1);
}
