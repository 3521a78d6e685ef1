//! How a node is reached from outside, in words.

use std::net::IpAddr;

use kinfolk_node::Reachability;
use kinfolk_rpc::status as rpc;

/// What can be said: on the word of those who tried; else from its addresses alone, and then never that it is public.
pub(crate) fn reachability(addresses: &[String], known: Option<&Reachability>) -> rpc::Reachability {
    let Some(known) = known else { return said(rpc::Reach::Unknown, "this node runs without a network".to_owned()) };
    let relays = match known.relays {
        0 => None,
        1 => Some("one contact relays for it".to_owned()),
        some => Some(format!("{} contacts relay for it", number(some))),
    };
    if let Some((at, came_through)) = &known.confirmed {
        let by = if known.mapped.as_ref() == Some(at) { "; the router maps this port" } else { "" };
        let relaying = if known.relaying { "; it relays for contacts" } else { "" };
        let word = if *came_through == 1 { "the only word so far: " } else { "" };
        let why = format!("{word}{} could reach {at}{by}{relaying}", nodes(*came_through));
        return said(rpc::Reach::Public, why);
    }
    let tried = match known.could_not {
        0 => None,
        some => Some(format!("{} tried to reach this node from outside, and none could", nodes(some))),
    };
    let mapped =
        known.mapped.as_ref().map(|at| format!("the router says that it maps {at}, and nobody has confirmed it"));
    match (relays, tried) {
        (Some(relays), tried) => {
            let tried = tried.unwrap_or_else(|| "nobody has reached this node from outside".to_owned());
            said(rpc::Reach::Relayed, format!("{tried}; {relays}"))
        }
        (None, Some(tried)) => {
            let why = [Some(tried), mapped, Some("no contact relays for it".to_owned())];
            said(rpc::Reach::Private, why.into_iter().flatten().collect::<Vec<_>>().join("; "))
        }
        (None, None) if known.asking > 0 => {
            said(rpc::Reach::Unknown, format!("{} trying to reach it from outside", are(known.asking)))
        }
        (None, None) => mapped.map_or_else(|| on_its_own_word(addresses), |why| said(rpc::Reach::Unknown, why)),
    }
}

fn on_its_own_word(addresses: &[String]) -> rpc::Reachability {
    if addresses.is_empty() {
        return said(rpc::Reach::Unknown, "this node is not listening anywhere".to_owned());
    }
    let is_local = addresses.iter().filter_map(|address| ip_of(address)).all(is_of_a_local_network);
    let (state, why) = if is_local {
        let why = "it listens on addresses of this machine and its local network only, and there was nobody to ask yet \
                   whether it is reached from outside";
        (rpc::Reach::Private, why)
    } else {
        (rpc::Reach::Unknown, "it has an address of the Internet; nobody outside has confirmed that it answers there")
    };
    said(state, why.to_owned())
}

const fn said(state: rpc::Reach, why: String) -> rpc::Reachability {
    rpc::Reachability { state, why }
}

fn number(many: usize) -> String {
    match many {
        1 => "one".to_owned(),
        2 => "two".to_owned(),
        3 => "three".to_owned(),
        more => more.to_string(),
    }
}

fn nodes(many: usize) -> String {
    if many == 1 { "one node".to_owned() } else { format!("{} nodes", number(many)) }
}

fn are(many: usize) -> String {
    format!("{} {}", nodes(many), if many == 1 { "is" } else { "are" })
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
    use kinfolk_wire::invite::Address;

    use super::*;

    #[test]
    fn nobody_is_called_public_on_their_own_word() {
        let of = |addresses: &[&str]| {
            let addresses: Vec<_> = addresses.iter().map(|a| (*a).to_owned()).collect();
            reachability(&addresses, Some(&Reachability::default())).state
        };
        assert_eq!(of(&[]), rpc::Reach::Unknown);
        assert_eq!(
            of(&["/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/192.168.1.9/tcp/1", "/ip6/fe80::1/tcp/1"]),
            rpc::Reach::Private
        );
        assert_eq!(of(&["/ip4/100.64.0.1/tcp/1", "/ip4/172.31.0.1/tcp/1", "/ip6/::1/tcp/1"]), rpc::Reach::Private);
        assert_eq!(of(&["/ip4/127.0.0.1/tcp/1", "/ip4/203.0.113.5/tcp/1"]), rpc::Reach::Unknown);
        assert_eq!(of(&["/ip6/2001:db8::1/udp/1/quic-v1"]), rpc::Reach::Unknown);
        assert_eq!(reachability(&[], None).state, rpc::Reach::Unknown);
    }

    #[test]
    fn what_others_have_found_is_said_in_words() {
        let at = Address::new("/ip4/203.0.113.5/udp/4001/quic-v1").unwrap();
        let of = |known: Reachability| {
            let rpc::Reachability { state, why } = reachability(&["/ip4/10.0.0.7/tcp/1".to_owned()], Some(&known));
            (state, why)
        };
        let none = Reachability::default;
        assert_eq!(
            of(Reachability { confirmed: Some((at.clone(), 3)), came_through: 3, relaying: true, ..none() }),
            (rpc::Reach::Public, format!("three nodes could reach {at}; it relays for contacts"))
        );
        let mapped = Some(at.clone());
        assert_eq!(
            of(Reachability { confirmed: Some((at.clone(), 1)), came_through: 1, mapped: mapped.clone(), ..none() }),
            (rpc::Reach::Public, format!("the only word so far: one node could reach {at}; the router maps this port"))
        );
        assert_eq!(
            of(Reachability { could_not: 4, relays: 2, ..none() }).1,
            "4 nodes tried to reach this node from outside, and none could; two contacts relay for it"
        );
        assert_eq!(of(Reachability { relays: 1, ..none() }).0, rpc::Reach::Relayed);
        let (state, why) = of(Reachability { could_not: 1, mapped: mapped.clone(), ..none() });
        assert_eq!(state, rpc::Reach::Private);
        assert!(
            why.starts_with("one node tried") && why.contains("the router says") && why.contains("no contact relays")
        );
        assert_eq!(
            of(Reachability { asking: 2, mapped, ..none() }),
            (rpc::Reach::Unknown, "two nodes are trying to reach it from outside".to_owned())
        );
    }
}
