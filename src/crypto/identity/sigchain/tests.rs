use super::*;
use crate::identity::RecoveryPhrase;
use crate::test_support::{NOW, rng};

/// A person's keys, and their chain by hand.
struct Owner {
    recovery: RecoveryKey,
    first: DeviceKeys,
    chain: Sigchain,
}

fn owner(seed: u64) -> Owner {
    let rng = &mut rng(seed);
    let recovery = RecoveryKey::from_phrase(&RecoveryPhrase::generate(rng));
    let first = DeviceKeys::generate(rng);
    let chain = Sigchain::found(&recovery, &first, vec![1, 2, 3], NOW);
    Owner { recovery, first, chain }
}

fn certificate(device: &DeviceKeys, role: DeviceRole) -> DeviceCertificate {
    DeviceCertificate {
        device: device.device(),
        signing_key: device.signing_key(),
        identity_key: device.identity_key(),
        role,
        sealed_name: Vec::new(),
    }
}

/// The next entry of a chain that adds a device, as its author would write it.
fn entry(chain: &Sigchain, author: Option<DeviceId>, certificate: DeviceCertificate) -> Entry {
    Entry {
        version: VERSION,
        identity: chain.identity(),
        sequence: chain.heads.len() as u64,
        parents: vec![chain.head()],
        made_at: NOW,
        author,
        change: Change::AddDevice(certificate),
    }
}

enum Author<'a> {
    Recovery(&'a RecoveryKey),
    Device(&'a DeviceKeys),
}

fn signed(entry: &Entry, author: &Author<'_>, device: &DeviceKeys) -> Signed {
    let payload = to_cbor(entry);
    let signature = match author {
        Author::Recovery(recovery) => recovery.sign(Label::Entry, &payload),
        Author::Device(author) => author.sign(Label::Entry, &[&payload]),
    };
    let countersignature = Some(device.sign(Label::NewDevice, &[&payload]));
    Signed { payload, signature, countersignature }
}

fn with(chain: &Sigchain, signed: Signed) -> Result<Sigchain, SigchainError> {
    let mut wire = chain.to_wire();
    wire.entries.push(signed);
    Sigchain::verify(&wire)
}

#[test]
fn a_founded_chain_verifies_to_itself() {
    let Owner { chain, first, .. } = owner(1);
    let wire = SigchainBytes::decode(&chain.to_wire().encode()).unwrap();
    assert_eq!(Sigchain::verify(&wire).as_ref(), Ok(&chain));
    assert_eq!(chain.devices().len(), 1);
    assert_eq!(chain.device(first.device()).unwrap().role, DeviceRole::Full);
    assert_eq!(chain.device(DeviceId::new([0; 16])), None);
    assert!(chain.contains(&chain.head()));
    assert!(chain.contains(&SigchainHead::new(*chain.identity().as_bytes())));
    assert!(!chain.contains(&SigchainHead::new([0; 32])));
}

#[test]
fn the_phrase_alone_names_the_identity() {
    let rng = &mut rng(2);
    let phrase = RecoveryPhrase::generate(rng);
    let again = RecoveryPhrase::from_words(&phrase.words().join(" ")).unwrap();
    let found = |phrase: &RecoveryPhrase, rng: &mut _| {
        Sigchain::found(&RecoveryKey::from_phrase(phrase), &DeviceKeys::generate(rng), Vec::new(), NOW).identity()
    };
    assert_eq!(found(&phrase, rng), found(&again, rng));
    let other = RecoveryPhrase::generate(rng);
    assert_ne!(found(&phrase, rng), found(&other, rng));
}

#[test]
fn every_altered_byte_of_a_chain_is_refused() {
    let wire = owner(3).chain.to_wire();
    let bytes = wire.encode();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        if let Ok(altered) = SigchainBytes::decode(&altered) {
            assert!(Sigchain::verify(&altered).is_err(), "byte {at}");
        }
    }
}

#[test]
fn further_devices_are_certified_by_the_recovery_key_or_by_a_full_device() {
    let Owner { recovery, first, chain } = owner(4);
    let rng = &mut rng(5);
    let (second, third) = (DeviceKeys::generate(rng), DeviceKeys::generate(rng));
    let add = entry(&chain, Some(first.device()), certificate(&second, DeviceRole::Limited));
    let two = with(&chain, signed(&add, &Author::Device(&first), &second)).unwrap();
    assert_eq!(two.devices().len(), 2);
    let add = entry(&two, None, certificate(&third, DeviceRole::Full));
    let three = with(&two, signed(&add, &Author::Recovery(&recovery), &third)).unwrap();
    assert_eq!(three.device(third.device()).unwrap().signing_key, third.signing_key());

    assert!(three.extends(&two) && two.extends(&chain) && chain.extends(&chain));
    assert!(!chain.extends(&two) && !owner(6).chain.extends(&chain));
    // Another second device: neither history contains the other.
    let fork = entry(&chain, None, certificate(&third, DeviceRole::Full));
    let fork = with(&chain, signed(&fork, &Author::Recovery(&recovery), &third)).unwrap();
    assert!(!fork.extends(&two) && !two.extends(&fork) && fork.extends(&chain));
}

#[test]
fn b02_a_ghost_device_is_refused_whoever_else_signs_for_it() {
    let Owner { recovery, first, chain } = owner(7);
    let stranger = owner(8);
    let rng = &mut rng(9);
    let (ghost, limited) = (DeviceKeys::generate(rng), DeviceKeys::generate(rng));
    let ghosts = certificate(&ghost, DeviceRole::Full);

    let by = |author: Option<DeviceId>, signer: &Author<'_>, chain: &Sigchain| {
        with(chain, signed(&entry(chain, author, ghosts.clone()), signer, &ghost))
    };
    let forged = SigchainError::Signature { entry: 2 };
    assert_eq!(by(None, &Author::Recovery(&stranger.recovery), &chain), Err(forged.clone()));
    assert_eq!(by(None, &Author::Device(&first), &chain), Err(forged.clone()));
    assert_eq!(by(Some(first.device()), &Author::Device(&ghost), &chain), Err(forged));
    // A device that the chain has not certified, the new one itself among them.
    let nobody = SigchainError::Author { entry: 2 };
    assert_eq!(by(Some(ghost.device()), &Author::Device(&ghost), &chain), Err(nobody.clone()));
    assert_eq!(by(Some(stranger.first.device()), &Author::Device(&stranger.first), &chain), Err(nobody));
    // A device that may only talk.
    let add = entry(&chain, None, certificate(&limited, DeviceRole::Limited));
    let two = with(&chain, signed(&add, &Author::Recovery(&recovery), &limited)).unwrap();
    let refusal = by(Some(limited.device()), &Author::Device(&limited), &two);
    assert_eq!(refusal, Err(SigchainError::Author { entry: 3 }));
    assert!(by(Some(first.device()), &Author::Device(&first), &two).is_ok());
}

#[test]
fn a_new_device_must_sign_for_itself() {
    let Owner { recovery, chain, first } = owner(10);
    let device = DeviceKeys::generate(&mut rng(11));
    let add = entry(&chain, None, certificate(&device, DeviceRole::Full));
    let good = signed(&add, &Author::Recovery(&recovery), &device);
    assert!(with(&chain, good.clone()).is_ok());
    let refused = Err(SigchainError::Signature { entry: 2 });
    assert_eq!(with(&chain, Signed { countersignature: None, ..good.clone() }), refused);
    assert_eq!(with(&chain, signed(&add, &Author::Recovery(&recovery), &first)), refused);
    assert_eq!(with(&chain, Signed { countersignature: Some(good.signature), ..good }), refused);
    // The genesis introduces nobody.
    let mut wire = chain.to_wire();
    wire.genesis.countersignature = Some(wire.genesis.signature);
    assert_eq!(Sigchain::verify(&wire), Err(SigchainError::Signature { entry: 0 }));
}

#[test]
fn entries_stand_in_one_line_of_one_chain() {
    let Owner { recovery, chain, .. } = owner(12);
    let device = DeviceKeys::generate(&mut rng(13));
    let good = entry(&chain, None, certificate(&device, DeviceRole::Full));
    let refused = |alter: &dyn Fn(&mut Entry)| {
        let mut entry = good.clone();
        alter(&mut entry);
        with(&chain, signed(&entry, &Author::Recovery(&recovery), &device))
    };
    assert!(refused(&|_| {}).is_ok());
    let out_of_order = Err(SigchainError::OutOfOrder { entry: 2 });
    assert_eq!(refused(&|entry| entry.sequence = 3), out_of_order);
    assert_eq!(refused(&|entry| entry.parents = vec![chain.heads[0]]), out_of_order);
    assert_eq!(refused(&|entry| entry.parents.clear()), out_of_order);
    assert_eq!(refused(&|entry| entry.parents.insert(0, chain.heads[0])), out_of_order);
    assert_eq!(refused(&|entry| entry.identity = owner(14).chain.identity()), out_of_order);
    assert!(matches!(refused(&|entry| entry.version = 2), Err(SigchainError::Malformed(_))));
    // The same entry once more, and a chain with its first entry left out.
    let mut wire = chain.to_wire();
    wire.entries.push(wire.entries[0].clone());
    assert_eq!(Sigchain::verify(&wire), out_of_order);
    wire.entries.clear();
    assert_eq!(Sigchain::verify(&wire), Err(SigchainError::Devices { found: 0 }));
}

#[test]
fn no_device_and_no_key_enters_twice() {
    let Owner { recovery, first, chain } = owner(15);
    let device = DeviceKeys::generate(&mut rng(16));
    let refused = |alter: &dyn Fn(&mut DeviceCertificate), signer: &DeviceKeys| {
        let mut certificate = certificate(&device, DeviceRole::Full);
        alter(&mut certificate);
        certificate.device = device_id(&certificate.signing_key, &certificate.identity_key);
        let add = entry(&chain, None, certificate);
        with(&chain, signed(&add, &Author::Recovery(&recovery), signer)).map(|_| ())
    };
    assert_eq!(refused(&|_| {}, &device), Ok(()));
    let repeated = Err(SigchainError::Repeated { entry: 2 });
    assert_eq!(refused(&|certificate| certificate.signing_key = first.signing_key(), &first), repeated);
    assert_eq!(refused(&|certificate| certificate.identity_key = first.identity_key(), &device), repeated);
    let recovery_key = recovery.genesis().recovery_key;
    assert_eq!(refused(&|certificate| certificate.signing_key = recovery_key, &device), repeated);
}

#[test]
fn b07_a_device_enters_no_chain_under_an_id_that_is_not_of_its_keys() {
    let Owner { recovery, first, chain } = owner(21);
    let (device, others) = (DeviceKeys::generate(&mut rng(22)), owner(23).first);
    assert_eq!(device.device(), device_id(&device.signing_key(), &device.identity_key()));
    let refused = |id: DeviceId| {
        let certificate = DeviceCertificate { device: id, ..certificate(&device, DeviceRole::Full) };
        let add = entry(&chain, None, certificate);
        with(&chain, signed(&add, &Author::Recovery(&recovery), &device)).map(|_| ())
    };
    assert_eq!(refused(device.device()), Ok(()));
    let misnamed = Err(SigchainError::DeviceId { entry: 2 });
    assert_eq!(refused(others.device()), misnamed);
    assert_eq!(refused(first.device()), misnamed);
    assert_eq!(refused(device_id(&device.signing_key(), &others.identity_key())), misnamed);
    assert_eq!(refused(device_id(&others.signing_key(), &device.identity_key())), misnamed);
    // Nor is the id of somebody else's keys had by naming the keys: their owner does not sign for it.
    let stolen = entry(&chain, None, super::tests::certificate(&others, DeviceRole::Full));
    let stolen = with(&chain, signed(&stolen, &Author::Recovery(&recovery), &device));
    assert_eq!(stolen, Err(SigchainError::Signature { entry: 2 }));
}

#[test]
fn a08_weak_keys_enter_no_chain() {
    let Owner { recovery, chain, .. } = owner(17);
    let device = DeviceKeys::generate(&mut rng(18));
    let mut identity_point = [0; 32];
    identity_point[0] = 1;
    let refused = |alter: &dyn Fn(&mut DeviceCertificate)| {
        let mut certificate = certificate(&device, DeviceRole::Full);
        alter(&mut certificate);
        let mut signed = signed(&entry(&chain, None, certificate), &Author::Recovery(&recovery), &device);
        // What a key of small order signs by ZIP-215: R the identity, S = 0.
        let mut anything = [0; 64];
        anything[0] = 1;
        signed.countersignature = Some(anything);
        with(&chain, signed)
    };
    let weak = Err(SigchainError::WeakKey { entry: 2 });
    assert_eq!(refused(&|certificate| certificate.signing_key = identity_point), weak);
    assert_eq!(refused(&|certificate| certificate.identity_key = [0; 32]), weak);

    let genesis = Genesis { version: VERSION, recovery_key: identity_point, nonce: [0; 32] };
    let mut signature = [0; 64];
    signature[0] = 1;
    let genesis = Signed { payload: to_cbor(&genesis), signature, countersignature: None };
    let refusal = Sigchain::verify(&SigchainBytes { genesis, entries: Vec::new() });
    assert_eq!(refusal, Err(SigchainError::WeakKey { entry: 0 }));
}

#[test]
fn a_chain_has_no_more_devices_than_the_limit() {
    let Owner { recovery, mut chain, .. } = owner(19);
    let rng = &mut rng(20);
    for number in 2..=limits::DEVICES + 1 {
        let device = DeviceKeys::generate(rng);
        let add = entry(&chain, None, certificate(&device, DeviceRole::Full));
        match with(&chain, signed(&add, &Author::Recovery(&recovery), &device)) {
            Ok(longer) => chain = longer,
            Err(refusal) => {
                assert_eq!((number, refusal), (17, SigchainError::Devices { found: 17 }));
                return;
            }
        }
    }
    panic!("17 devices were let in");
}
