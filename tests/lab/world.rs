//! A small internet: one router in the middle, and what is attached to it. The addresses are those that are kept for
//! documentation (RFC 5737), which the program takes for ones of the open internet, and which nobody outside has.
//!
//! ```text
//! public(192.0.2.4i+2) ---- internet ---- 203.0.113.4i+2 [router] 192.168.1.1 ---- home(192.168.1.2)
//!                              |
//!                              +--------- 198.51.100.4i+2 [carrier] 100.64.0.1 ---- 100.64.0.2 [router] ...
//! ```

use std::net::Ipv4Addr;
use std::sync::OnceLock;
use std::time::Duration;

use crate::mapper::Mapper;
use crate::skip::skip;
use crate::slow::SlowLine;
use crate::space::{Space, sweep};

/// How a home is behind its router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nat {
    /// One port outside for each inside, and everybody may answer there: RFC 3489's full cone.
    FullCone,
    /// One port outside for each inside; only who was written to may answer, from where they were written to.
    PortRestricted,
    /// A port outside for every partner, drawn at random.
    Symmetric,
    /// A port-restricted router behind the carrier's, which is such another.
    CarrierGrade,
    /// A port-restricted router that lets others in where it is asked to (UPnP).
    Mapping,
}

/// A machine of this internet, and the router before it where there is one.
#[derive(Debug)]
pub(crate) struct Site {
    /// Where processes run.
    pub(crate) space: Space,
    /// The address it has itself.
    pub(crate) address: Ipv4Addr,
    /// The address under which others see it.
    pub(crate) outside: Ipv4Addr,
    routers: Vec<Space>,
    _line: Option<SlowLine>,
    mapper: Option<Mapper>,
}

impl Site {
    /// From now on the router before it cannot be asked.
    pub(crate) fn stop_mapping(&mut self) {
        self.mapper = None;
    }

    /// The router has another network and can be asked there, and then the machine comes into that network.
    pub(crate) fn move_home(&mut self) {
        let [gateway, address] = [1, 2].map(|last| Ipv4Addr::new(192, 168, 7, last));
        self.routers[0].ip("address flush dev lan").unwrap();
        self.routers[0].ip(&format!("address add {gateway}/30 dev lan")).unwrap();
        self.mapper = Some(Mapper::start(&self.routers[0]).unwrap());
        self.space.ip(&format!("address del {}/30 dev wan", self.address)).unwrap();
        self.space.ip(&format!("address add {address}/30 dev wan")).unwrap();
        self.space.ip(&format!("route add default via {gateway}")).unwrap();
        self.address = address;
    }

    /// Whether the router before it can be asked to let others in.
    pub(crate) const fn maps_ports(&self) -> bool {
        self.mapper.is_some()
    }
}

/// The whole internet.
#[derive(Debug)]
pub(crate) struct World {
    internet: Space,
    attached: u8,
    lines_take: Option<Duration>,
}

/// The rules of the internet's router: what is lost, and who cannot reach whom.
const INTERNET: &str = "
    table ip lab {
        chain lost { }
        chain parted { }
        chain forward { type filter hook forward priority 0; jump parted; jump lost; }
    }";

/// What every home's router does: whoever is inside may speak to whoever is outside, and hear their answers. What comes
/// unasked is dropped without a word: where the router refused it, or kept a note of it, its port would be taken.
fn router(masquerade: &str, unasked: &str, let_in: &str) -> String {
    format!(
        "table ip lab {{
            chain input {{ type filter hook input priority 0; iifname wan ct state != {{ established, related }} drop; }}
            chain forward {{
                type filter hook forward priority 0; policy drop;
                iifname lan accept; ct state {{ established, related }} accept; {let_in}
            }}
            chain into {{ type nat hook prerouting priority -100; {unasked} }}
            chain out {{ type nat hook postrouting priority 100; oifname wan {masquerade}; }}
        }}"
    )
}

impl Nat {
    fn rules(self, inside: Ipv4Addr) -> String {
        match self {
            Self::PortRestricted | Self::CarrierGrade => router("masquerade", "", ""),
            Self::Symmetric => router("masquerade fully-random", "", ""),
            Self::FullCone => router("masquerade", &format!("iifname wan dnat to {inside};"), "ct status dnat accept;"),
            Self::Mapping => router("masquerade", "", "ct status dnat accept;"),
        }
    }
}

impl World {
    /// An internet with nothing attached, or `None` where there can be none here: then the test is skipped, and that is
    /// said.
    pub(crate) fn new(test: &str) -> Option<Self> {
        static POSSIBLE: OnceLock<Result<(), String>> = OnceLock::new();
        match POSSIBLE.get_or_init(possible) {
            Ok(()) => Some(Self::try_new().unwrap()),
            Err(reason) => {
                skip(test, reason);
                None
            }
        }
    }

    fn try_new() -> Result<Self, String> {
        let internet = Space::new()?;
        internet.forward()?;
        internet.rules(INTERNET)?;
        Ok(Self { internet, attached: 0, lines_take: None })
    }

    /// A machine with a public address.
    pub(crate) fn public(&mut self) -> Site {
        self.attach_public().unwrap()
    }

    /// On the lines of those who are attached from now on everything takes so long, each way.
    pub(crate) const fn slow_down(&mut self, takes: Duration) {
        self.lines_take = Some(takes);
    }

    /// A machine at home.
    pub(crate) fn home(&mut self, nat: Nat) -> Site {
        self.attach_home(nat).unwrap()
    }

    /// From now on so many of a hundred packets are lost on the internet.
    pub(crate) fn lose(&self, percent: u8) {
        self.internet.rules(&format!("add rule ip lab lost numgen random mod 100 < {percent} drop")).unwrap();
    }

    /// From now on two sites cannot reach each other.
    pub(crate) fn part(&self, one: &Site, other: &Site) {
        let (one, other) = (one.outside, other.outside);
        let both = [(one, other), (other, one)];
        let rules = both.map(|(from, to)| format!("add rule ip lab parted ip saddr {from} ip daddr {to} drop\n"));
        self.internet.rules(&rules.concat()).unwrap();
    }

    /// From now on everybody can reach everybody.
    pub(crate) fn heal(&self) {
        self.internet.rules("flush chain ip lab parted").unwrap();
    }

    /// Attaches a namespace by its interface `wan`, under an address of a network; says which.
    fn attach(&mut self, space: &Space, network: [u8; 3]) -> Result<(Ipv4Addr, Option<SlowLine>), String> {
        let number = self.attached;
        self.attached += 1;
        let [a, b, c] = network;
        let [gateway, address] = [1, 2].map(|last| Ipv4Addr::new(a, b, c, number * 4 + last));
        let name = format!("to{number}");
        let line = match self.lines_take {
            Some(takes) => Some(SlowLine::new(number, (&self.internet, &name), (space, "wan"), takes)?),
            None => {
                self.internet.cable(&name, space, "wan")?;
                None
            }
        };
        connect((&self.internet, &name, gateway), (space, "wan", address))?;
        Ok((address, line))
    }

    fn attach_public(&mut self) -> Result<Site, String> {
        let space = Space::new()?;
        let (address, line) = self.attach(&space, [192, 0, 2])?;
        Ok(Site { space, address, outside: address, routers: Vec::new(), _line: line, mapper: None })
    }

    fn attach_home(&mut self, nat: Nat) -> Result<Site, String> {
        let (space, home_router) = (Space::new()?, Space::new()?);
        let [gateway, address] = [1, 2].map(|last| Ipv4Addr::new(192, 168, 1, last));
        home_router.cable("lan", &space, "wan")?;
        connect((&home_router, "lan", gateway), (&space, "wan", address))?;
        home_router.forward()?;
        home_router.rules(&nat.rules(address))?;
        let mut routers = vec![home_router];
        let (outside, line) = if nat == Nat::CarrierGrade {
            let carrier = Space::new()?;
            let [inner, customer] = [1, 2].map(|last| Ipv4Addr::new(100, 64, 0, last));
            carrier.cable("lan", &routers[0], "wan")?;
            connect((&carrier, "lan", inner), (&routers[0], "wan", customer))?;
            carrier.forward()?;
            carrier.rules(&nat.rules(customer))?;
            let attached = self.attach(&carrier, [198, 51, 100])?;
            routers.push(carrier);
            attached
        } else {
            // Neither side of UPnP believes that an address of the documentation is a public one.
            self.attach(&routers[0], if nat == Nat::Mapping { [20, 0, 113] } else { [203, 0, 113] })?
        };
        let mapper = if nat == Nat::Mapping { Some(Mapper::start(&routers[0])?) } else { None };
        Ok(Site { space, address, outside, routers, _line: line, mapper })
    }
}

/// Gives both ends of a cable their addresses, and the lower one its way out.
fn connect(upper: (&Space, &str, Ipv4Addr), lower: (&Space, &str, Ipv4Addr)) -> Result<(), String> {
    for (space, interface, address) in [upper, lower] {
        space.ip(&format!("address add {address}/30 dev {interface}"))?;
    }
    lower.0.ip(&format!("route add default via {}", upper.2))
}

/// Whether there can be such an internet here: tries everything that is needed once, small.
fn possible() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root can make network namespaces".to_owned());
    }
    sweep();
    let mut world = World::try_new()?;
    world.internet.rules("add rule ip lab lost numgen random mod 100 < 0 drop")?;
    world.attach_home(Nat::FullCone)?;
    world.attach_home(Nat::Symmetric)?;
    world.slow_down(Duration::from_millis(1));
    world.attach_public().map(drop)
}
