//! Every type survives its own bytes.

use kinfolk_wire::bundle::{OneTimePrekey, PrekeyBundle};
use kinfolk_wire::codec::to_cbor;
use kinfolk_wire::content::{Content, GeoUri, Plaintext, StickerId};
use kinfolk_wire::direct::{Ack, Chain, Frame, Hello, Knock, Nack, Prekeys, Role};
use kinfolk_wire::envelope::Payload;
use kinfolk_wire::invite::{Invite, InviteLink};
use kinfolk_wire::limits;
use kinfolk_wire::mailbox::{Host, PAGE, REQUEST, Reply, Request};
use kinfolk_wire::name::Name;
use kinfolk_wire::sigchain::{Entry, Genesis, SigchainBytes, Signed};
use proptest::prelude::*;

use crate::decoders::{DECODERS, check};
use crate::values;

proptest! {
    #[test]
    fn a_frame_survives(value in values::frame()) {
        let bytes = value.encode().unwrap();
        let (length, frame) = bytes.split_first_chunk::<4>().unwrap();
        prop_assert_eq!(u32::from_be_bytes(*length) as usize, frame.len());
        prop_assert_eq!(Frame::decode(frame), Ok(value));
    }

    #[test]
    fn a_hello_survives(value in values::hello()) {
        prop_assert_eq!(Hello::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn an_ack_survives(value in values::ack()) {
        prop_assert_eq!(Ack::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn a_nack_survives(value in values::nack()) {
        prop_assert_eq!(Nack::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn a_knock_survives(value in values::knock()) {
        prop_assert_eq!(Knock::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn prekeys_survive(value in values::prekeys()) {
        prop_assert_eq!(Prekeys::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn a_chain_survives(value in values::chain()) {
        prop_assert_eq!(Chain::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn a_bundle_survives(value in values::bundle()) {
        let bytes = value.encode();
        prop_assert_eq!(bytes.len(), PrekeyBundle::LENGTH);
        prop_assert_eq!(PrekeyBundle::decode(&bytes), Ok(value));
    }

    #[test]
    fn a_one_time_prekey_survives(value in values::one_time_prekey()) {
        let bytes = value.encode();
        prop_assert_eq!(bytes.len(), OneTimePrekey::LENGTH);
        prop_assert_eq!(OneTimePrekey::decode(&bytes), Ok(value));
    }

    #[test]
    fn a_sigchain_survives(value in values::sigchain()) {
        prop_assert_eq!(SigchainBytes::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn a_signed_thing_survives(value in values::signed()) {
        prop_assert_eq!(Signed::decode("signed", &value.encode()), Ok(value));
    }

    #[test]
    fn a_genesis_survives(value in values::genesis()) {
        prop_assert_eq!(Genesis::decode(&to_cbor(&value)), Ok(value));
    }

    #[test]
    fn an_entry_survives(value in values::entry()) {
        prop_assume!(to_cbor(&value).len() <= limits::SIGCHAIN_ENTRY);
        prop_assert_eq!(Entry::decode(&to_cbor(&value)), Ok(value));
    }

    #[test]
    fn an_invite_survives(value in values::invite()) {
        prop_assume!(value.encode().len() <= limits::INVITE_LINK);
        prop_assert_eq!(Invite::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn a_link_survives(signed in values::signed()) {
        let link = InviteLink { signed };
        prop_assert_eq!(link.to_string().parse(), Ok(link));
    }

    #[test]
    fn a_content_survives(value in values::content()) {
        prop_assert_eq!(Content::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn a_plaintext_survives(value in values::plaintext()) {
        prop_assert_eq!(Plaintext::decode(&value.encode()), Ok(value));
    }

    #[test]
    fn a_place_survives(value in values::place()) {
        prop_assert_eq!(value.to_string().parse::<GeoUri>(), Ok(value));
    }

    #[test]
    fn a_sticker_survives(value in values::sticker()) {
        prop_assert_eq!(value.to_string().parse::<StickerId>(), Ok(value));
    }

    #[test]
    fn a_name_survives(value in values::name()) {
        prop_assert_eq!(Name::new(value.as_str()), Ok(value));
    }

    #[test]
    fn a_mailbox_request_survives(value in values::mailbox_request()) {
        let bytes = value.encode();
        prop_assert!(bytes.len() <= REQUEST);
        prop_assert_eq!(Request::decode(&bytes), Ok(value));
    }

    #[test]
    fn a_mailbox_reply_survives_and_is_as_long_as_was_asked((value, room) in values::mailbox_reply()) {
        let bytes = value.encode(room);
        if matches!(value, Reply::Found(_)) {
            prop_assert_eq!(bytes.len(), usize::from(room) * PAGE);
        }
        prop_assert_eq!(Reply::decode(&bytes), Ok(value));
    }

    #[test]
    fn a_link_to_a_host_survives(value in values::host()) {
        prop_assume!(value.link().len() <= limits::INVITE_LINK);
        prop_assert_eq!(Host::from_link(&value.link()), Ok(value));
    }

    #[test]
    fn the_two_messages_are_told_apart(ratchet in values::ratchet(), init in values::init()) {
        prop_assert!(matches!(Payload::decode(&ratchet), Ok(Payload::Ratchet(_))));
        prop_assert!(matches!(Payload::decode(&init), Ok(Payload::Init(_))));
    }
}

#[test]
fn whatever_is_written_is_read_by_its_own_decoder() {
    for decoder in DECODERS {
        for sample in values::samples(decoder.name) {
            assert!(check(decoder.name, &sample), "{}", decoder.name);
        }
    }
}

#[test]
fn an_absent_one_time_prekey_is_zero_on_the_wire() {
    let bytes = values::init_message(None, &values::ratchet_message([0; 24], &[], &[]));
    assert_eq!(bytes[37..41], [0; 4]);
    let Ok(Payload::Init(message)) = Payload::decode(&bytes) else { panic!("not an init") };
    assert_eq!(message.one_time_prekey, None);
}

#[test]
fn the_two_ends_of_a_stream_sign_different_bytes() {
    for role in [Role::Dialer, Role::Listener] {
        assert_ne!(role.number(), role.other().number());
        assert_eq!(role.other().other(), role);
    }
}
