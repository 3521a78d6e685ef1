//! Ranges of IP addresses.

use std::net::IpAddr;
use std::str::FromStr;

/// A range of IP addresses, written `ADDRESS/BITS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    address: IpAddr,
    bits: u8,
}

/// Not a range of IP addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no range of IP addresses; write it as 127.0.0.0/8 or fd00::/8")]
pub struct NotARange(String);

impl IpRange {
    /// Whether an address lies in it.
    #[must_use]
    pub fn holds(&self, ip: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            let beyond = width.saturating_sub(self.bits.into());
            a.checked_shr(beyond).unwrap_or(0) == b.checked_shr(beyond).unwrap_or(0)
        };
        match (self.address, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(u32::from(a).into(), u32::from(b).into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
            _ => false,
        }
    }
}

impl FromStr for IpRange {
    type Err = NotARange;

    fn from_str(text: &str) -> Result<Self, NotARange> {
        let read = || {
            let (address, bits) = text.split_once('/')?;
            let (address, bits): (IpAddr, u8) = (address.parse().ok()?, bits.parse().ok()?);
            (bits <= if address.is_ipv4() { 32 } else { 128 }).then_some(Self { address, bits })
        };
        read().ok_or_else(|| NotARange(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_begins_like_it() {
        let holds = |range: &str, ip: &str| range.parse::<IpRange>().unwrap().holds(ip.parse().unwrap());
        assert!(holds("127.0.0.0/8", "127.9.8.7") && !holds("127.0.0.0/8", "128.0.0.1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1") && holds("::/0", "::1"));
        assert!(holds("192.0.2.7/32", "192.0.2.7") && !holds("192.0.2.7/32", "192.0.2.6"));
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe00::1"));
        for text in ["", "127.0.0.1", "127.0.0.0/33", "::/129", "here/8", "127.0.0.0/-1"] {
            assert!(text.parse::<IpRange>().is_err(), "{text}");
        }
    }
}
