//! Which addresses are dialled, and on whose word.
//!
//! A multiaddr is a way to make this node send packets to a host of somebody else's choice. So what strangers say
//! (identify, the hash table) is dialled only where it is on the open internet and not a privileged service; what is
//! heard on the local network only there; what a contact, an invite or the person themselves says, anywhere that an
//! address can be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use kinfolk_wire::invite::Address;
use kinfolk_wire::limits;
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::{Multiaddr, Protocol};

use crate::range::IpRange;

/// The first port that is not kept for the system's own services.
const UNPRIVILEGED: u16 = 1_024;

/// How an address is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Quic,
    Tcp,
}

/// The parts of an address that this program can dial or listen on: `ip / udp / quic-v1` or `ip / tcp`, then perhaps
/// `p2p`, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) socket: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) peer: Option<libp2p::PeerId>,
}

impl Place {
    /// Reads the parts; `None` for names, relays, web sockets and everything else.
    pub(crate) fn of(address: &Multiaddr) -> Option<Self> {
        Self::read(address.iter())
    }

    fn read<'a>(mut parts: impl Iterator<Item = Protocol<'a>>) -> Option<Self> {
        let ip: IpAddr = match parts.next()? {
            Protocol::Ip4(ip) => ip.into(),
            Protocol::Ip6(ip) => ip.into(),
            _ => return None,
        };
        let (port, transport) = match parts.next()? {
            Protocol::Tcp(port) => (port, Transport::Tcp),
            Protocol::Udp(port) if matches!(parts.next()?, Protocol::QuicV1) => (port, Transport::Quic),
            _ => return None,
        };
        let peer = match parts.next() {
            None => None,
            Some(Protocol::P2p(peer)) => Some(peer),
            Some(_) => return None,
        };
        parts.next().is_none().then_some(Self { socket: SocketAddr::new(ip, port), transport, peer })
    }

    /// The address without `p2p`.
    pub(crate) fn multiaddr(&self) -> Multiaddr {
        let ip = Multiaddr::from(self.socket.ip());
        match self.transport {
            Transport::Quic => ip.with(Protocol::Udp(self.socket.port())).with(Protocol::QuicV1),
            Transport::Tcp => ip.with(Protocol::Tcp(self.socket.port())),
        }
    }
}

/// A way to a node: straight to a place, or over one relay that is at a place, `PLACE/p2p/RELAY/p2p-circuit`; then
/// perhaps `p2p`, and nothing else. Two relays in a row are no way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    /// Where the first packet goes: the node's own place, or the relay's.
    pub(crate) place: Place,
    pub(crate) relay: Option<libp2p::PeerId>,
    pub(crate) peer: Option<libp2p::PeerId>,
}

impl Route {
    pub(crate) fn of(address: &Multiaddr) -> Option<Self> {
        let mut halves = address.iter().collect::<Vec<_>>();
        let Some(at) = halves.iter().position(|part| *part == Protocol::P2pCircuit) else {
            let place = Place::of(address)?;
            return Some(Self { place, relay: None, peer: place.peer });
        };
        let beyond = halves.split_off(at);
        let place = Place::read(halves.into_iter())?;
        let relay = Some(place.peer?);
        let peer = match &beyond[..] {
            [_] => None,
            [_, Protocol::P2p(peer)] => Some(*peer),
            _ => return None,
        };
        (peer.is_none() || peer != relay).then_some(Self { place, relay, peer })
    }

    /// The address without the `p2p` of the node it leads to.
    pub(crate) fn multiaddr(&self) -> Multiaddr {
        let place = self.place.multiaddr();
        match self.relay {
            Some(relay) => place.with(Protocol::P2p(relay)).with(Protocol::P2pCircuit),
            None => place,
        }
    }
}

/// Reads the text of an address; `None` if this program cannot listen there.
pub(crate) fn read(address: &Address) -> Option<Place> {
    Place::of(&address.as_str().parse().ok()?)
}

/// Whether it leads over a relay.
pub(crate) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The other end of a connection; nothing but the circuit where it came in over a relay.
pub(crate) fn other_end(endpoint: &ConnectedPoint) -> Multiaddr {
    match endpoint {
        ConnectedPoint::Listener { .. } if endpoint.is_relayed() => Protocol::P2pCircuit.into(),
        endpoint => endpoint.get_remote_address().clone(),
    }
}

/// What stands for the other end of a connection that came in over a relay: from where is not told.
const OVER_A_RELAY: &str = "/p2p-circuit";

/// Writes an address as the driver knows it, without the `p2p` of the node it leads to.
pub(crate) fn write(address: &Multiaddr) -> Option<Address> {
    let text = match Route::of(address) {
        Some(route) => route.multiaddr().to_string(),
        None if is_relayed(address) => OVER_A_RELAY.to_owned(),
        None => address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect::<Multiaddr>().to_string(),
    };
    Address::new(&text).ok()
}

/// On the word of a contact, an invite or the person: one host, one port, be it the node's or its relay's.
pub(crate) fn may_be_dialled_if_vouched(address: &Multiaddr) -> bool {
    Route::of(address).is_some_and(|Route { place, .. }| is_one_host(place.socket.ip()) && place.socket.port() != 0)
}

/// Where a node may be on such a word, as far as it can be dialled; what is over the limit is not tried.
pub(crate) fn vouched(addresses: &[Address], node: libp2p::PeerId) -> Vec<Multiaddr> {
    addresses
        .iter()
        .filter_map(|address| Route::of(&address.as_str().parse().ok()?))
        .filter(|route| route.peer.is_none_or(|peer| peer == node) && route.relay != Some(node))
        .map(|route| route.multiaddr())
        .filter(may_be_dialled_if_vouched)
        .take(limits::ADDRESSES)
        .collect()
}

/// On the word of somebody on the local network: a host of that network, no privileged service.
pub(crate) fn may_be_dialled_from_neighbours(address: &Multiaddr) -> bool {
    Place::of(address).is_some_and(|Place { socket, .. }| {
        let here = match socket.ip() {
            IpAddr::V4(ip) => (ip.is_private() || ip.is_link_local()) && !is_metadata_service(ip),
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
        };
        (here || is_global(socket.ip())) && is_open_port(socket.port())
    })
}

/// What counts as the open internet for this node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Global(Vec<IpRange>);

impl Global {
    pub(crate) fn new(also: &[IpRange]) -> Self {
        Self(also.to_vec())
    }

    pub(crate) fn holds(&self, ip: IpAddr) -> bool {
        is_global(ip) || self.0.iter().any(|range| range.holds(ip))
    }
}

/// On the word of a stranger: a host on the open internet, no privileged service.
pub(crate) fn may_be_dialled_from_strangers(address: &Multiaddr) -> bool {
    Place::of(address).is_some_and(|Place { socket, .. }| is_global(socket.ip()) && is_open_port(socket.port()))
}

pub(crate) fn is_open_port(port: u16) -> bool {
    port >= UNPRIVILEGED || port == 80 || port == 443
}

fn is_one_host(ip: IpAddr) -> bool {
    let unusable = ip.is_unspecified() || ip.is_multicast();
    match ip {
        IpAddr::V4(ip) => !unusable && !ip.is_broadcast() && ip.octets()[0] != 0,
        IpAddr::V6(ip) => !unusable && ip.to_ipv4_mapped().is_none(),
    }
}

/// Where cloud machines keep their credentials, inside the link-local range.
fn is_metadata_service(ip: Ipv4Addr) -> bool {
    ip == Ipv4Addr::new(169, 254, 169, 254)
}

/// Neither private nor special. The ranges for documentation pass: no packet to them reaches anybody.
pub(crate) fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_global_v4(ip),
        IpAddr::V6(ip) => is_global_v6(ip),
    }
}

fn is_global_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || a == 0
        || (a == 100 && (64..128).contains(&b)) // shared by carriers, RFC 6598
        || (a == 192 && b == 0 && c == 0) // protocol assignments, RFC 6890
        || (a == 192 && b == 88 && c == 99) // old 6to4 relays, RFC 7526
        || (a == 198 && (18..20).contains(&b)) // benchmarks, RFC 2544
        || a >= 224; // multicast, reserved, broadcast
    !special
}

fn is_global_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let in_global_unicast = a & 0xe000 == 0x2000;
    let carries_v4 = (a == 0x2001 && b == 0) || a == 0x2002; // Teredo and 6to4 can name a private IPv4 host
    in_global_unicast && !carries_v4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    const GLOBAL: [&str; 7] = [
        "/ip4/93.184.216.34/udp/4001/quic-v1",
        "/ip4/93.184.216.34/tcp/4001",
        "/ip4/93.184.216.34/tcp/443",
        "/ip4/93.184.216.34/udp/80/quic-v1",
        "/ip4/192.0.2.7/tcp/4001",
        "/ip6/2a00:1450:4001::1/udp/4001/quic-v1",
        "/ip6/2606:4700::1111/tcp/65535",
    ];

    const PRIVATE: [&str; 7] = [
        "/ip4/10.1.2.3/tcp/4001",
        "/ip4/172.16.0.1/udp/4001/quic-v1",
        "/ip4/172.31.255.254/tcp/4001",
        "/ip4/192.168.1.1/tcp/4001",
        "/ip4/169.254.10.10/tcp/4001",
        "/ip6/fd00::1/udp/4001/quic-v1",
        "/ip6/fe80::1/tcp/4001",
    ];

    /// What nobody's word but the person's or a contact's opens.
    const HERE_ONLY: [&str; 8] = [
        "/ip4/127.0.0.1/tcp/4001",
        "/ip4/127.8.9.1/udp/4001/quic-v1",
        "/ip6/::1/tcp/4001",
        "/ip4/169.254.169.254/tcp/8080",
        "/ip4/100.64.0.1/tcp/4001",
        "/ip4/198.18.0.1/tcp/4001",
        "/ip6/2002:7f00:1::1/tcp/4001",
        "/ip6/2001:0:53aa:64c::1/tcp/4001",
    ];

    /// What nobody's word opens.
    const NOWHERE: [&str; 19] = [
        "/ip4/0.0.0.0/tcp/4001",
        "/ip4/0.1.2.3/tcp/4001",
        "/ip6/::/udp/4001/quic-v1",
        "/ip4/224.0.0.251/udp/5353/quic-v1",
        "/ip4/255.255.255.255/udp/4001/quic-v1",
        "/ip6/ff02::fb/udp/5353/quic-v1",
        "/ip6/::ffff:127.0.0.1/tcp/4001",
        "/ip4/93.184.216.34/tcp/0",
        "/ip4/93.184.216.34/udp/4001",
        "/ip4/93.184.216.34/tcp/4001/ws",
        "/dns4/example.org/tcp/4001",
        "/dnsaddr/example.org",
        "/memory/7",
        "/unix/socket",
        "/ip4/93.184.216.34",
        "/ip4/93.184.216.34/tcp/4001/p2p-circuit",
        "/ip4/93.184.216.34/tcp/4001/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf/p2p-circuit/p2p-circuit",
        "/ip4/224.0.0.1/tcp/4001/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf/p2p-circuit",
        "/dns4/example.org/tcp/4001/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf/p2p-circuit",
    ];

    /// A node behind a relay: nothing for strangers or neighbours to name.
    const RELAYED: &str =
        "/ip4/93.184.216.34/tcp/4001/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf/p2p-circuit";

    #[test]
    fn d10_a_stranger_names_hosts_on_the_open_internet_only() {
        for text in GLOBAL {
            assert!(may_be_dialled_from_strangers(&address(text)), "{text}");
        }
        for text in PRIVATE.iter().chain(&HERE_ONLY).chain(&NOWHERE) {
            assert!(!may_be_dialled_from_strangers(&address(text)), "{text}");
        }
    }

    #[test]
    fn d10_a_neighbour_names_hosts_of_the_network_but_no_loopback_and_no_metadata_service() {
        for text in GLOBAL.iter().chain(&PRIVATE) {
            assert!(may_be_dialled_from_neighbours(&address(text)), "{text}");
        }
        for text in HERE_ONLY.iter().chain(&NOWHERE) {
            assert!(!may_be_dialled_from_neighbours(&address(text)), "{text}");
        }
    }

    #[test]
    fn d10_neither_names_a_privileged_service() {
        for port in [1, 22, 25, 53, 79, 81, 110, 143, 442, 444, 465, 587, 993, 1_023] {
            for ip in ["93.184.216.34", "192.168.1.1"] {
                let tcp = address(&format!("/ip4/{ip}/tcp/{port}"));
                let quic = address(&format!("/ip4/{ip}/udp/{port}/quic-v1"));
                for rule in [may_be_dialled_from_strangers, may_be_dialled_from_neighbours] {
                    assert!(!rule(&tcp), "{tcp}");
                    assert!(!rule(&quic), "{quic}");
                }
            }
        }
    }

    #[test]
    fn d10_a_contact_names_any_host_but_no_group_of_hosts() {
        for text in GLOBAL.iter().chain(&PRIVATE).chain(&HERE_ONLY) {
            assert!(may_be_dialled_if_vouched(&address(text)), "{text}");
        }
        for text in NOWHERE {
            assert!(!may_be_dialled_if_vouched(&address(text)), "{text}");
        }
    }

    #[test]
    fn d14_a_way_over_a_relay_is_one_hop_and_on_the_word_of_a_contact_only() {
        let over = address(RELAYED);
        assert!(may_be_dialled_if_vouched(&over));
        assert!(!may_be_dialled_from_strangers(&over) && !may_be_dialled_from_neighbours(&over));
        let (relay, node) = (identity("relay"), identity("node"));
        let full = |relay, node| {
            let at = address("/ip4/93.184.216.34/tcp/4001");
            at.with(Protocol::P2p(relay)).with(Protocol::P2pCircuit).with(Protocol::P2p(node))
        };
        let route = Route::of(&full(relay, node)).unwrap();
        assert_eq!((route.relay, route.peer), (Some(relay), Some(node)));
        assert_eq!(route.multiaddr().with(Protocol::P2p(node)), full(relay, node));
        assert_eq!(Route::of(&full(relay, relay)), None);
        let there = Address::new(&full(relay, node).to_string()).unwrap();
        assert_eq!(vouched(std::slice::from_ref(&there), node), [route.multiaddr()]);
        // Neither another node's, nor a way to the relay over itself.
        assert!(vouched(&[there], identity("another")).is_empty());
        let bare = Address::new(&route.multiaddr().to_string()).unwrap();
        assert!(vouched(&[bare], relay).is_empty());
        let twice = full(relay, node).with(Protocol::P2pCircuit);
        assert_eq!(Route::of(&twice), None);
    }

    #[test]
    fn what_came_in_over_a_relay_is_written_as_no_place() {
        let from = Multiaddr::from(Protocol::P2p(identity("node")));
        assert_eq!(write(&from.with(Protocol::P2pCircuit)).unwrap().as_str(), OVER_A_RELAY);
    }

    fn identity(name: &str) -> libp2p::PeerId {
        let mut seed = [0; 32];
        seed[..name.len()].copy_from_slice(name.as_bytes());
        crate::identity::keypair(&seed).public().to_peer_id()
    }

    #[test]
    fn an_address_is_written_without_the_node_it_leads_to() {
        let full = address("/ip4/10.0.0.1/tcp/4001/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf");
        assert_eq!(write(&full).unwrap().as_str(), "/ip4/10.0.0.1/tcp/4001");
        assert_eq!(Place::of(&full).unwrap().multiaddr(), address("/ip4/10.0.0.1/tcp/4001"));
    }
}
