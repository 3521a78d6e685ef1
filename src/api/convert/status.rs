use std::net::IpAddr;

use axum::http::StatusCode;
use kinfolk_engine::query;
use kinfolk_engine::store::{Profile, Read, ReadError};
use kinfolk_rpc::status as rpc;
use kinfolk_wire::ids::IdentityId;

use crate::problem::Refused;

/// How the node is doing; what the profile takes on the disk is for the caller to fill in.
pub(crate) fn status(read: &dyn Read) -> Result<rpc::Status, Refused> {
    let profile = profile(read)?;
    let addresses: Vec<String> = query::listening(read)?.addresses.iter().map(ToString::to_string).collect();
    Ok(rpc::Status {
        identity: profile.identity.to_string(),
        device: profile.device.to_string(),
        name: profile.name.as_str().to_owned(),
        display_name: profile.name.isolated(),
        reachability: reachability(&addresses),
        addresses,
        node: kinfolk_node::node_name(&profile.peer).unwrap_or_default(),
        hash_table: hash_table(read)?,
        peers: query::peers(read)?.len() as u64,
        contacts: query::contacts(read)?.len() as u64,
        outbox: query::outbox_len(read)? as u64,
        mailboxes: super::mailbox::states(read)?,
        storage_bytes: 0,
        seq: query::last_event(read)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Whether a node of the hash table answers, and which were tried.
pub(crate) fn hash_table(read: &dyn Read) -> Result<rpc::HashTable, ReadError> {
    let table = query::hash_table(read)?;
    let tried = table.tried.into_iter();
    let tried = tried.map(|node| rpc::Tried { address: node.address.to_string(), reason: node.reason }).collect();
    Ok(rpc::HashTable { joined: table.is_joined, tried })
}

/// Who this profile is.
pub(crate) fn own_identity(read: &dyn Read) -> Result<IdentityId, Refused> {
    Ok(profile(read)?.identity)
}

fn profile(read: &dyn Read) -> Result<Profile, Refused> {
    query::profile(read)?.ok_or_else(|| {
        Refused::new(StatusCode::CONFLICT, "no_profile", "this profile has not been set up; run `kinfolk init`")
    })
}

/// What can be said of a node's reach from its addresses alone: only others could say that it is public.
fn reachability(addresses: &[String]) -> rpc::Reachability {
    let (state, why) = if addresses.is_empty() {
        (rpc::Reach::Unknown, "this node is not listening anywhere")
    } else if addresses.iter().filter_map(|address| ip_of(address)).all(is_of_a_local_network) {
        (rpc::Reach::Private, "it listens on addresses of this machine and its local network only")
    } else {
        (rpc::Reach::Unknown, "it has an address of the Internet; nobody outside has confirmed that it answers there")
    };
    rpc::Reachability { state, why: why.to_owned() }
}

/// The IP address that a multiaddr begins with.
fn ip_of(multiaddr: &str) -> Option<IpAddr> {
    let mut parts = multiaddr.split('/').skip(1);
    match parts.next() {
        Some("ip4" | "ip6") => parts.next()?.parse().ok(),
        _ => None,
    }
}

const fn is_of_a_local_network(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = matches!(v4.octets(), [100, 64..=127, ..]);
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_public_on_their_own_word() {
        let of =
            |addresses: &[&str]| reachability(&addresses.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>()).state;
        assert_eq!(of(&[]), rpc::Reach::Unknown);
        assert_eq!(
            of(&["/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/192.168.1.9/tcp/1", "/ip6/fe80::1/tcp/1"]),
            rpc::Reach::Private
        );
        assert_eq!(of(&["/ip4/100.64.0.1/tcp/1", "/ip4/172.31.0.1/tcp/1", "/ip6/::1/tcp/1"]), rpc::Reach::Private);
        assert_eq!(of(&["/ip4/127.0.0.1/tcp/1", "/ip4/203.0.113.5/tcp/1"]), rpc::Reach::Unknown);
        assert_eq!(of(&["/ip6/2001:db8::1/udp/1/quic-v1"]), rpc::Reach::Unknown);
    }
}
