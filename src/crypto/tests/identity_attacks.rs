//! Attacks on who somebody is: prekeys, hellos, invites, knocks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test says so by failing"
)]

mod support;

use ed25519_dalek::SigningKey;
use kinfolk_crypto::label::Label;
use kinfolk_crypto::sign::{is_admissible, sign, verify_strict, verify_zip215};
use kinfolk_crypto::{
    BundleError, DecryptError, DeviceKeys, HandshakeError, InviteError, InviteSecret, LastResortSecret, LocalDevice,
    OneTimePrekeySecret, PairRoot, ResponderPrekeys, SecretBytes, Sigchain, SigchainError, SignatureError,
    SignedPrekeySecret, VerifiedBundle, VerifiedOneTimePrekey, device_id, initiate, open_invite, respond, sign_hello,
    sign_invite, verify_hello,
};
use kinfolk_wire::bundle::{OneTimePrekey, PrekeyBundle, PrekeyId};
use kinfolk_wire::codec::{DecodeError, to_cbor};
use kinfolk_wire::direct::{Hello, Role};
use kinfolk_wire::envelope::InitMessage;
use kinfolk_wire::ids::{DeviceId, IdentityId, PeerId, SigchainHead};
use kinfolk_wire::invite::{Address, Invite, InviteLink, NETWORK, Uses, VERSION};
use kinfolk_wire::name::Name;
use kinfolk_wire::sigchain::{
    Change, DeviceCertificate, DeviceRole, Entry, Genesis, SigchainBytes, Signed, VERSION as SIGCHAIN_VERSION,
};
use kinfolk_wire::time::{Span, Timestamp};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use support::{End, NOW, Person, message, rng};

/// A sigchain made by hand, for what no honest program makes.
struct Forger {
    recovery: SigningKey,
    device: SigningKey,
}

impl Forger {
    fn new(seed: u8) -> Self {
        Self { recovery: SigningKey::from_bytes(&[seed; 32]), device: SigningKey::from_bytes(&[seed ^ 0xff; 32]) }
    }

    fn genesis(&self) -> (IdentityId, Signed) {
        let payload = to_cbor(&Genesis {
            version: SIGCHAIN_VERSION,
            recovery_key: self.recovery.verifying_key().to_bytes(),
            nonce: [0; 32],
        });
        let identity = IdentityId::new(Sha256::digest(&payload).into());
        let signature = sign(&self.recovery, Label::Genesis, &[&payload]);
        (identity, Signed { payload, signature, countersignature: None })
    }

    fn chain(&self, identity_key: [u8; 32]) -> SigchainBytes {
        let (identity, genesis) = self.genesis();
        let payload = to_cbor(&Entry {
            version: SIGCHAIN_VERSION,
            identity,
            sequence: 1,
            parents: vec![SigchainHead::new(*identity.as_bytes())],
            made_at: NOW,
            author: None,
            change: Change::AddDevice(DeviceCertificate {
                device: device_id(self.device.verifying_key().as_bytes(), &identity_key),
                signing_key: self.device.verifying_key().to_bytes(),
                identity_key,
                role: DeviceRole::Full,
                sealed_name: vec![],
            }),
        });
        let entry = Signed {
            signature: sign(&self.recovery, Label::Entry, &[&payload]),
            countersignature: Some(sign(&self.device, Label::NewDevice, &[&payload])),
            payload,
        };
        SigchainBytes { genesis, entries: vec![entry] }
    }

    fn sign_bundle(&self, bundle: &mut PrekeyBundle) {
        bundle.signature = sign(&self.device, Label::Bundle, &[&bundle.signed_bytes()]);
    }
}

#[test]
fn a06_a_bundle_signed_again_by_another_misleads_nobody() {
    let rng = &mut rng(1);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    // Mallory certifies Alice's agreement key as her own device's, and signs Alice's prekeys as her own.
    let mallory = Forger::new(7);
    let chain = Sigchain::verify(&mallory.chain(alice.keys.identity_key())).unwrap();
    let mut bundle = alice.bundle();
    bundle.identity = chain.identity();
    bundle.device = chain.devices()[0].device;
    bundle.signing_key = chain.devices()[0].signing_key;
    mallory.sign_bundle(&mut bundle);
    let verified = VerifiedBundle::verify(&bundle, &chain, NOW).unwrap();
    assert_eq!(verified.identity(), chain.identity());

    // Bob writes to Mallory; she hands it on to Alice as Bob's.
    let mut session = initiate(rng, NOW, bob.local(), &verified, None, None).unwrap().session;
    let payload = session.encrypt(rng, NOW, b"for Mallory").unwrap();
    let refusal = alice.answer(&bob, &payload, None).unwrap_err();
    assert_eq!(refusal, HandshakeError::Message(DecryptError::Unreadable));
}

#[test]
fn a06_the_keys_of_a_bundle_must_be_those_that_the_sigchain_certifies() {
    let rng = &mut rng(2);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let good = alice.bundle();
    assert!(VerifiedBundle::verify(&good, &alice.chain, NOW).is_ok());
    let refused = |alter: &dyn Fn(&mut PrekeyBundle)| {
        let mut bundle = good.clone();
        alter(&mut bundle);
        VerifiedBundle::verify(&bundle, &alice.chain, NOW).unwrap_err()
    };
    assert_eq!(refused(&|bundle| bundle.identity = bob.chain.identity()), BundleError::Device);
    assert_eq!(refused(&|bundle| bundle.device = bob.keys.device()), BundleError::Device);
    assert_eq!(refused(&|bundle| bundle.signing_key = bob.keys.signing_key()), BundleError::Device);
    assert_eq!(refused(&|bundle| bundle.identity_key = bob.keys.identity_key()), BundleError::Device);
    let signature = BundleError::Signature(SignatureError);
    assert_eq!(refused(&|bundle| bundle.signed_prekey[0] ^= 1), signature);
    assert_eq!(refused(&|bundle| bundle.last_resort_key[0] ^= 1), signature);
    assert_eq!(refused(&|bundle| bundle.signed_prekey_id = PrekeyId(99)), signature);
    assert_eq!(refused(&|bundle| bundle.not_after = NOW), signature);
    assert_eq!(refused(&|bundle| bundle.sigchain_head = SigchainHead::new([0; 32])), signature);
    assert_eq!(VerifiedBundle::verify(&good, &bob.chain, NOW).unwrap_err(), BundleError::Device);
}

#[test]
fn a_clock_wrong_by_a_month_does_not_keep_people_apart_and_by_more_it_does() {
    let rng = &mut rng(3);
    let alice = Person::new(rng);
    let bundle = alice.bundle();
    let month = Span::from_days(30);
    let verdict = |now| VerifiedBundle::verify(&bundle, &alice.chain, now).map(|_| ());
    let (early, late) = (bundle.not_before.before(month), bundle.not_after.after(month));
    assert_eq!(verdict(early), Ok(()));
    assert_eq!(verdict(late), Ok(()));
    let second = Span::from_millis(1);
    assert!(matches!(verdict(early.before(second)), Err(BundleError::Validity { .. })));
    assert!(matches!(verdict(late.after(second)), Err(BundleError::Validity { .. })));
    assert!(matches!(verdict(Timestamp::from_millis(u64::MAX)), Err(BundleError::Validity { .. })));
}

#[test]
fn a07_low_order_points_are_refused_wherever_they_come_in() {
    let rng = &mut rng(4);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let low = {
        let mut point = [0; 32];
        point[0] = 1;
        point
    };
    let mallory = Forger::new(8);
    let weak = SigchainError::WeakKey { entry: 1 };
    assert_eq!(Sigchain::verify(&mallory.chain(low)).unwrap_err(), weak);

    let chain = Sigchain::verify(&mallory.chain(alice.keys.identity_key())).unwrap();
    let certificate = &chain.devices()[0];
    let bundle = |alter: &dyn Fn(&mut PrekeyBundle)| {
        let mut bundle = alice.bundle();
        bundle.identity = chain.identity();
        bundle.device = certificate.device;
        bundle.signing_key = certificate.signing_key;
        alter(&mut bundle);
        mallory.sign_bundle(&mut bundle);
        VerifiedBundle::verify(&bundle, &chain, NOW)
    };
    assert_eq!(bundle(&|bundle| bundle.signed_prekey = low).unwrap_err(), BundleError::WeakKey);
    assert_eq!(bundle(&|bundle| bundle.last_resort_key.fill(0xff)).unwrap_err(), BundleError::WeakKey);
    let verified = bundle(&|_| {}).unwrap();
    let one_time = |alter: &dyn Fn(&mut OneTimePrekey)| {
        let mut prekey = alice.one_time_wire();
        alter(&mut prekey);
        let bytes = prekey.signed_bytes();
        prekey.signature = sign(&mallory.device, Label::OneTimePrekey, &[certificate.device.as_bytes(), &bytes]);
        VerifiedOneTimePrekey::verify(&prekey, &verified).map(|_| ())
    };
    assert_eq!(one_time(&|_| {}), Ok(()));
    assert_eq!(one_time(&|prekey| prekey.x25519_key = low), Err(BundleError::WeakKey));
    assert_eq!(one_time(&|prekey| prekey.kem_key.fill(0xff)), Err(BundleError::WeakKey));
    assert_eq!(one_time(&|prekey| prekey.id = PrekeyId(0)), Err(BundleError::Device));

    let mut ours = End::new(alice.begin(rng, &bob, true, None).session);
    let mut first = ours.send(rng, b"hello");
    first[1..33].copy_from_slice(&low);
    assert_eq!(bob.answer(&alice, &first, None).unwrap_err(), HandshakeError::WeakKey);
    // A certificate that no sigchain let through, all the same.
    let first = ours.send(rng, b"hello");
    let certificate = DeviceCertificate { identity_key: low, ..alice.certificate().clone() };
    let prekeys = ResponderPrekeys { signed: &bob.signed, last_resort: None, one_time: Some(&bob.one_time) };
    let init = InitMessage::decode(&first).unwrap();
    let refusal = respond(NOW, bob.local(), prekeys, alice.chain.identity(), &certificate, None, &init).unwrap_err();
    assert_eq!(refusal, HandshakeError::WeakKey);
}

/// The order of the base point, little-endian (RFC 8032 section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn a08_a_signature_with_a_larger_s_is_refused_both_ways() {
    let key = SigningKey::from_bytes(&[1; 32]);
    let public = key.verifying_key().to_bytes();
    let mut signature = sign(&key, Label::Entry, &[b"entry"]);
    assert_eq!(verify_strict(&public, Label::Entry, &[b"entry"], &signature), Ok(()));
    assert_eq!(verify_zip215(&public, Label::Entry, &[b"entry"], &signature), Ok(()));
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    assert_eq!(verify_strict(&public, Label::Entry, &[b"entry"], &signature), Err(SignatureError));
    assert_eq!(verify_zip215(&public, Label::Entry, &[b"entry"], &signature), Err(SignatureError));
}

#[test]
fn a08_a_small_order_key_signs_anything_by_zip215_and_enters_no_sigchain() {
    let mut identity_point = [0; 32];
    identity_point[0] = 1;
    // R and A the identity, S = 0.
    let mut signature = [0; 64];
    signature[0] = 1;
    assert_eq!(verify_zip215(&identity_point, Label::Entry, &[b"anything"], &signature), Ok(()));
    assert_eq!(verify_strict(&identity_point, Label::Entry, &[b"anything"], &signature), Err(SignatureError));
    assert!(!is_admissible(&identity_point));
    // Not a point; the identity written with y + p.
    assert!(!is_admissible(&[2; 32]) || SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes() == [2; 32]);
    let mut not_canonical = [0xff; 32];
    not_canonical[0] = 0xee;
    not_canonical[31] = 0x7f;
    assert!(!is_admissible(&not_canonical));
    assert!(is_admissible(&SigningKey::from_bytes(&[3; 32]).verifying_key().to_bytes()));
}

proptest! {
    #[test]
    fn a09_a_signature_under_one_label_is_none_under_another(
        seed in any::<[u8; 32]>(),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let key = SigningKey::from_bytes(&seed);
        let public = key.verifying_key().to_bytes();
        for made in Label::SIGNATURES {
            let signature = sign(&key, made, &[&bytes]);
            for read in Label::SIGNATURES {
                prop_assert_eq!(verify_strict(&public, read, &[&bytes], &signature).is_ok(), made == read);
                prop_assert_eq!(verify_zip215(&public, read, &[&bytes], &signature).is_ok(), made == read);
            }
        }
    }
}

#[test]
fn a10_prekeys_of_one_kind_are_not_taken_for_another() {
    let rng = &mut rng(5);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let one_time = alice.one_time_wire();
    // Another device's, even with the same keys and id.
    let refusal = VerifiedOneTimePrekey::verify(&one_time, &bob.verified()).unwrap_err();
    assert_eq!(refusal, BundleError::Signature(SignatureError));
    // Verified for one device, offered for another.
    let verified = alice.verified_one_time();
    let refusal = initiate(rng, NOW, alice.local(), &bob.verified(), Some(&verified), None).err();
    assert_eq!(refusal, Some(HandshakeError::Prekey));
    // A bundle is no one-time pair, whatever is cut from it.
    let bundle = alice.bundle().encode();
    assert!(OneTimePrekey::decode(&bundle).is_err());
    assert!(PrekeyBundle::decode(&one_time.encode()).is_err());
}

#[test]
fn a11_a_bundle_of_another_version_is_refused_by_name() {
    let rng = &mut rng(6);
    let mut bytes = Person::new(rng).bundle().encode();
    bytes[0] = 2;
    assert!(matches!(PrekeyBundle::decode(&bytes), Err(DecodeError::UnknownVersion { found: 2, .. })));
}

#[test]
fn a05_who_holds_my_device_keys_does_not_write_to_me_as_somebody_else() {
    let rng = &mut rng(7);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    // The thief has Bob's long-term keys, and everything that is public of Alice.
    let stolen = DeviceKeys::from_bytes(bob.keys.to_bytes().as_slice()).unwrap();
    let thief = DeviceKeys::generate(rng);
    for keys in [&stolen, &thief] {
        let ours = LocalDevice { identity: alice.chain.identity(), keys };
        let begun = initiate(rng, NOW, ours, &bob.verified(), Some(&bob.verified_one_time()), None).unwrap();
        let payload = End::new(begun.session).send(rng, b"it is I, Alice");
        let refusal = bob.answer(&alice, &payload, None).unwrap_err();
        assert_eq!(refusal, HandshakeError::Message(DecryptError::Unreadable));
    }
}

fn peers() -> [PeerId; 2] {
    [PeerId::new([1; 38]), PeerId::new([2; 38])]
}

#[test]
fn a_hello_is_for_one_device_on_one_connection_in_one_direction() {
    let rng = &mut rng(8);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let [dialer, listener] = &peers();
    let hello = sign_hello(&alice.keys, alice.chain.identity(), alice.chain.head(), dialer, listener, Role::Dialer);
    let device = alice.certificate();
    assert_eq!(verify_hello(&hello, device, dialer, listener, Role::Dialer), Ok(()));
    let refused = Err(SignatureError);
    assert_eq!(verify_hello(&hello, device, dialer, listener, Role::Listener), refused);
    assert_eq!(verify_hello(&hello, device, listener, dialer, Role::Dialer), refused);
    assert_eq!(verify_hello(&hello, device, dialer, dialer, Role::Dialer), refused);
    assert_eq!(verify_hello(&hello, bob.certificate(), dialer, listener, Role::Dialer), refused);
    let renamed = DeviceCertificate { device: DeviceId::new([0; 16]), ..device.clone() };
    assert_eq!(verify_hello(&hello, &renamed, dialer, listener, Role::Dialer), refused);
    for alter in [
        |hello: &mut Hello| hello.identity = IdentityId::new([0; 32]),
        |hello: &mut Hello| hello.sigchain_head = SigchainHead::new([0; 32]),
        |hello: &mut Hello| hello.signature[63] ^= 0x40,
    ] {
        let mut altered = hello.clone();
        alter(&mut altered);
        assert_eq!(verify_hello(&altered, device, dialer, listener, Role::Dialer), refused);
    }
}

fn invite(person: &Person, secret: &InviteSecret) -> Invite {
    let wire = person.chain.to_wire();
    Invite {
        version: VERSION,
        network: NETWORK,
        genesis: wire.genesis,
        device_entry: wire.entries[0].clone(),
        name: Name::new("Alice").unwrap(),
        peer: PeerId::new([3; 38]),
        addresses: vec![Address::new("/ip4/192.0.2.1/udp/4001/quic-v1").unwrap()],
        secret: *secret.as_bytes(),
        expires_at: NOW.after(Span::from_days(7)),
        uses: Uses::Once,
        mailboxes: Vec::new(),
    }
}

#[test]
fn an_invite_opens_to_who_made_it_after_its_way_as_text() {
    let rng = &mut rng(9);
    let alice = Person::new(rng);
    let invite = invite(&alice, &InviteSecret::generate(rng));
    let text = sign_invite(&invite, &alice.keys).to_string();
    let opened = open_invite(&text.parse().unwrap()).unwrap();
    assert_eq!(opened.invite, invite);
    assert_eq!(opened.identity, alice.chain.identity());
    assert_eq!(&opened.device, alice.certificate());
}

#[test]
fn b05_every_altered_byte_of_an_invite_is_refused() {
    let rng = &mut rng(10);
    let alice = Person::new(rng);
    let link = sign_invite(&invite(&alice, &InviteSecret::generate(rng)), &alice.keys);
    let bytes = link.signed.encode();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        if let Ok(signed) = Signed::decode("invite link", &altered) {
            assert!(open_invite(&InviteLink { signed }).is_err(), "byte {at}");
        }
    }
}

#[test]
fn b05_an_invite_in_anothers_name_is_refused() {
    let rng = &mut rng(11);
    let (alice, mallory) = (Person::new(rng), Person::new(rng));
    let secret = InviteSecret::generate(rng);
    // Alice's genesis and device, signed by Mallory's device.
    let link = sign_invite(&invite(&alice, &secret), &mallory.keys);
    assert_eq!(open_invite(&link).unwrap_err(), InviteError::Signature(SignatureError));
    // Alice's genesis, Mallory's device.
    let mut mixed = invite(&alice, &secret);
    mixed.device_entry = mallory.chain.to_wire().entries[0].clone();
    let refusal = open_invite(&sign_invite(&mixed, &mallory.keys)).unwrap_err();
    assert_eq!(refusal, InviteError::Identity(SigchainError::OutOfOrder { entry: 1 }));
    // A second signature where there is none.
    let mut link = sign_invite(&invite(&alice, &secret), &alice.keys);
    link.signed.countersignature = Some(link.signed.signature);
    assert_eq!(open_invite(&link).unwrap_err(), InviteError::Signature(SignatureError));
    // Another network, properly signed.
    let mut other = invite(&alice, &secret);
    other.network = 2;
    let refusal = open_invite(&sign_invite(&other, &alice.keys)).unwrap_err();
    assert!(matches!(refusal, InviteError::Malformed(DecodeError::UnknownKind { found: 2, .. })));
}

#[test]
fn a19_a_knock_that_differs_in_any_byte_is_refused() {
    let rng = &mut rng(12);
    let secret = InviteSecret::generate(rng);
    let [dialer, listener] = &peers();
    let knock = secret.knock(rng, dialer, listener);
    assert!(secret.check_knock(&knock, dialer, listener));
    assert!(!secret.check_knock(&knock, listener, dialer));
    assert!(!InviteSecret::new([0; 16]).check_knock(&knock, dialer, listener));
    for at in 0..32 {
        let mut altered = knock.clone();
        altered.mac[at] ^= 1;
        assert!(!secret.check_knock(&altered, dialer, listener));
    }
    let mut altered = knock.clone();
    altered.nonce[0] ^= 1;
    assert!(!secret.check_knock(&altered, dialer, listener));
    let mut altered = knock;
    altered.invite = InviteSecret::new([0; 16]).id();
    assert!(!secret.check_knock(&altered, dialer, listener));
}

/// Reads stored keys and writes them again.
type Read = fn(&[u8]) -> Option<SecretBytes>;

#[test]
fn stored_keys_survive_their_bytes_and_nothing_else_is_read_as_them() {
    let rng = &mut rng(13);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let keys = DeviceKeys::from_bytes(alice.keys.to_bytes().as_slice()).unwrap();
    assert_eq!((keys.device(), keys.signing_key(), keys.identity_key()), {
        let device = alice.certificate();
        (device.device, device.signing_key, device.identity_key)
    });
    let stored = [
        alice.keys.to_bytes(),
        alice.signed.to_bytes(),
        alice.last_resort.to_bytes(),
        alice.one_time.to_bytes(),
        alice.begin(rng, &bob, true, None).pair_root.to_bytes(),
    ];
    let read: [Read; 5] = [
        |bytes| DeviceKeys::from_bytes(bytes).ok().map(|keys| keys.to_bytes()),
        |bytes| SignedPrekeySecret::from_bytes(bytes).ok().map(|key| key.to_bytes()),
        |bytes| LastResortSecret::from_bytes(bytes).ok().map(|key| key.to_bytes()),
        |bytes| OneTimePrekeySecret::from_bytes(bytes).ok().map(|key| key.to_bytes()),
        |bytes| PairRoot::from_bytes(bytes).ok().map(|key| key.to_bytes()),
    ];
    for (own, bytes) in stored.iter().enumerate() {
        let bytes = bytes.as_slice();
        for (other, read) in read.iter().enumerate() {
            let lengths_agree = stored[own].len() == stored[other].len();
            assert_eq!(read(bytes).is_some_and(|again| again.as_slice() == bytes), own == other || lengths_agree);
        }
        let read = read[own];
        assert_eq!(read(&bytes[..bytes.len() - 1]), None);
        assert_eq!(read(&[bytes, &[0]].concat()), None);
        assert_eq!(read(&[]), None);
        let mut version = bytes.to_vec();
        version[0] = 2;
        assert_eq!(read(&version), None);
    }
    let error = DeviceKeys::from_bytes(&[1]).err().unwrap();
    assert_eq!((error.expected, error.version, error.found), (alice.keys.to_bytes().as_slice().len(), 1, 1));
}

#[test]
fn a_pair_root_gives_each_direction_its_own_key() {
    let rng = &mut rng(14);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let root = alice.begin(rng, &bob, true, None).pair_root;
    let (a, b) = (alice.keys.device(), bob.keys.device());
    assert_ne!(root.direction_key(a, b).to_bytes(), root.direction_key(b, a).to_bytes());
    let other = alice.begin(rng, &bob, true, None).pair_root;
    assert_ne!(root.direction_key(a, b).to_bytes(), other.direction_key(a, b).to_bytes());
    assert_eq!(root.direction_key(a, b).to_bytes().len(), 32);
}

#[test]
fn nothing_secret_is_printed() {
    let rng = &mut rng(15);
    let (alice, bob) = (Person::new(rng), Person::new(rng));
    let mut begun = alice.begin(rng, &bob, true, None);
    let payload = begun.session.encrypt(rng, NOW, b"hello").unwrap();
    let accepted = bob.answer(&alice, &payload, None).unwrap();
    let shown = format!("{accepted:?}");
    assert!(shown.contains("PairRoot(..)") && shown.contains("SecretBytes(5 bytes)"), "{shown}");
    let opened = format!("{:?}", accepted.session.decrypt(NOW, &message(&payload), &support::none()));
    assert!(!opened.contains("104, 101, 108, 108, 111"));
}
