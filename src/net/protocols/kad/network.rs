//! The network an address belongs to, as far as others can have many addresses of one: /24, and /48 of IPv6.

use std::net::IpAddr;

use libp2p::kad::KBucketRef;
use libp2p::multiaddr::Multiaddr;
use libp2p::{PeerId, kad};

use crate::address::Place;

/// Nodes of one network in one bucket.
const IN_A_BUCKET: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Network {
    V4([u8; 3]),
    V6([u8; 6]),
    /// What cannot be read counts as one.
    Other,
}

impl Network {
    pub(crate) fn of(address: &Multiaddr) -> Self {
        Place::of(address).map_or(Self::Other, |place| Self::of_ip(place.socket.ip()))
    }

    pub(crate) fn of_ip(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }
}

/// Whether a bucket has room for this node at this address: for a node that is in it already, and for two of a network.
pub(crate) fn has_room(
    bucket: &KBucketRef<'_, kad::KBucketKey<PeerId>, kad::Addresses>,
    peer: &PeerId,
    address: &Multiaddr,
) -> bool {
    let network = Network::of(address);
    let of_it = bucket
        .iter()
        .filter(|entry| entry.node.key.preimage() != peer)
        .filter(|entry| entry.node.value.iter().any(|known| Network::of(known) == network));
    of_it.count() < IN_A_BUCKET
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::of(&text.parse().unwrap())
    }

    #[test]
    fn d09_addresses_that_one_person_easily_has_count_as_one_network() {
        assert_eq!(network("/ip4/93.184.216.1/tcp/1"), network("/ip4/93.184.216.255/udp/2/quic-v1"));
        assert_ne!(network("/ip4/93.184.216.1/tcp/1"), network("/ip4/93.184.217.1/tcp/1"));
        assert_eq!(network("/ip6/2a00:1450:4001:1::1/tcp/1"), network("/ip6/2a00:1450:4001:ffff::9/tcp/1"));
        assert_ne!(network("/ip6/2a00:1450:4001::1/tcp/1"), network("/ip6/2a00:1450:4002::1/tcp/1"));
        assert_eq!(network("/dns4/a.example/tcp/1"), network("/memory/1"));
    }
}
