//! The node's key and its id, between our types and libp2p's.

use kinfolk_wire::ids::PeerId;
use libp2p::identity::Keypair;
use zeroize::Zeroizing;

/// The id of the node that has this network key (an Ed25519 seed): the identity multihash of its public key.
#[must_use]
pub fn peer_id(network_key: &[u8; 32]) -> PeerId {
    let public = keypair(network_key).public().to_peer_id();
    PeerId::new(ed25519_bytes(&public).unwrap_or([0; PeerId::LENGTH]))
}

/// The text by which people name a node, behind `/p2p/` in an address; nothing for bytes that are no key's.
#[must_use]
pub fn node_name(peer: &PeerId) -> Option<String> {
    to_libp2p(peer).map(|node| node.to_base58())
}

#[allow(clippy::expect_used, reason = "only another length than 32 is refused, and the type holds 32")]
pub(crate) fn keypair(network_key: &[u8; 32]) -> Keypair {
    let mut seed = Zeroizing::new(*network_key);
    Keypair::ed25519_from_bytes(seed.as_mut_slice()).expect("a seed of 32 bytes")
}

/// Our form of a libp2p id; `None` for a key that is not Ed25519, which no transport of ours lets in.
pub(crate) fn from_libp2p(peer: &libp2p::PeerId) -> Option<PeerId> {
    ed25519_bytes(peer).map(PeerId::new)
}

/// libp2p's form of our id; `None` if the bytes are no multihash of a key.
pub(crate) fn to_libp2p(peer: &PeerId) -> Option<libp2p::PeerId> {
    libp2p::PeerId::from_bytes(peer.as_bytes()).ok()
}

fn ed25519_bytes(peer: &libp2p::PeerId) -> Option<[u8; PeerId::LENGTH]> {
    peer.to_bytes().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_identity_multihash_of_the_public_key() {
        // The second seed and public key of RFC 8032, section 7.1.
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let mut expected = vec![0x00, 36, 0x08, 0x01, 0x12, 32];
        expected.extend(public);
        let id = peer_id(&seed);
        assert_eq!(id.as_bytes().as_slice(), expected);
        assert_eq!(from_libp2p(&to_libp2p(&id).unwrap()), Some(id));
    }

    #[test]
    fn bytes_that_are_no_multihash_are_no_node() {
        assert_eq!(to_libp2p(&PeerId::new([0xff; 38])), None);
    }

    fn hex(text: &str) -> [u8; 32] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }
}
