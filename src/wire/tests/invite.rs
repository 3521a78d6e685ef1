//! B5, as far as it is read here: a link that is altered, of another network or of another version. Expiry, single use
//! and signatures are the engine's and the crypto floor's.

use kinfolk_wire::codec::DecodeError;
use kinfolk_wire::invite::{Invite, InviteLink, InviteLinkError, NETWORK, VERSION};
use kinfolk_wire::sigchain::Signed;
use proptest::prelude::*;

use crate::values::{self, plain_invite, signed_around};

fn link() -> InviteLink {
    InviteLink { signed: signed_around(plain_invite().encode()) }
}

#[test]
fn a_link_says_what_was_put_into_it() {
    let read: InviteLink = link().to_string().parse().unwrap();
    assert_eq!(Invite::decode(&read.signed.payload), Ok(plain_invite()));
    let pasted = format!("  {}\n", link());
    assert_eq!(pasted.parse(), Ok(link()), "spaces around it come with pasting");
}

#[test]
fn b05_every_altered_character_gives_another_link_or_none() {
    let text = link().to_string();
    for at in 0..text.len() {
        for other in ['A', 'B', '_', '-', '=', '+', ' ', '\u{e9}'] {
            let altered: String = text.chars().enumerate().map(|(i, c)| if i == at { other } else { c }).collect();
            if altered.trim() == text {
                continue;
            }
            if let Ok(read) = altered.parse::<InviteLink>() {
                assert_ne!(read.signed, link().signed, "{other:?} at {at}");
            }
        }
    }
}

#[test]
fn b05_every_altered_bit_of_the_payload_is_refused_or_seen() {
    let payload = plain_invite().encode();
    for at in 0..payload.len() * 8 {
        let mut altered = payload.clone();
        altered[at / 8] ^= 1 << (at % 8);
        if let Ok(read) = Invite::decode(&altered) {
            assert_ne!(read, plain_invite(), "bit {at}");
        }
    }
}

#[test]
fn b05_an_incomplete_link_says_so() {
    let text = link().to_string();
    for length in "kinfolk:".len()..text.len() {
        assert!(matches!(text[..length].parse::<InviteLink>(), Err(InviteLinkError::Damaged(_))), "cut to {length}");
    }
    for other in ["", "kinfolk", "https://example.org", "KINFOLK:AAAA", "hello kinfolk:AAAA"] {
        assert_eq!(other.parse::<InviteLink>(), Err(InviteLinkError::Scheme), "{other:?}");
    }
    assert!(InviteLinkError::Scheme.to_string().contains("copy the whole line"));
}

#[test]
fn b05_an_invite_of_another_network_is_refused() {
    for network in [0, NETWORK + 1, u32::MAX] {
        let bytes = Invite { network, ..plain_invite() }.encode();
        let expected = DecodeError::UnknownKind { what: "network of the invite", found: network.into() };
        assert_eq!(Invite::decode(&bytes), Err(expected));
    }
}

#[test]
fn a11_an_invite_of_another_version_is_refused_by_name() {
    for version in [0, VERSION + 1, u8::MAX] {
        let bytes = Invite { version, ..plain_invite() }.encode();
        assert_eq!(Invite::decode(&bytes), Err(DecodeError::UnknownVersion { what: "invite", found: version.into() }));
    }
}

#[test]
fn the_secret_of_an_invite_is_not_shown() {
    let invite = Invite { secret: [0xc7; 16], ..plain_invite() };
    let signed = Signed { payload: invite.encode(), signature: [1; 64], countersignature: None };
    let link = InviteLink { signed: signed.clone() };
    for shown in [format!("{invite:?}"), format!("{signed:?}"), format!("{link:?}"), format!("{link:#?}")] {
        assert!(!shown.contains("secret") && !shown.contains("Anna"), "{shown}");
        assert!(!shown.contains("199, 199") && !shown.contains("199,\n") && !shown.contains("c7c7"), "{shown}");
    }
}

proptest! {
    #[test]
    fn b05_two_links_that_read_alike_are_written_alike(signed in values::signed(), junk in "[A-Za-z0-9_=-]{0,3}") {
        let text = InviteLink { signed: signed.clone() }.to_string();
        if let Ok(read) = format!("{text}{junk}").parse::<InviteLink>() {
            prop_assert!(junk.is_empty());
            prop_assert_eq!(read.signed, signed);
        }
    }
}
