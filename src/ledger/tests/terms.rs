//! Which policies and which accounts there can be.

use kinfolk_ledger::entry::Class;
use kinfolk_ledger::inception::{Inception, InceptionError, Recovery};
use kinfolk_ledger::policy::{Code, Policy, PolicyError, VERSION};
use kinfolk_ledger::quorum::QuorumError;
use kinfolk_wire::ids::{PolicyHash, Vk};

use super::support::*;

fn refused(change: impl FnOnce(&mut Policy)) -> PolicyError {
    let mut policy = policy_of(4, 1);
    change(&mut policy);
    policy.sign(&issuer()).load().unwrap_err()
}

/// The point of order 2.
fn weak() -> Vk {
    let mut bytes = [0xff; 32];
    (bytes[0], bytes[31]) = (0xec, 0x7f);
    Vk::new(bytes)
}

#[test]
fn a_policy_is_loaded_and_names_its_currency() {
    let policy = loaded(4, 1);
    assert_eq!((policy.quorum().n(), policy.quorum().f(), policy.quorum().q()), (4, 1, 3));
    assert_eq!(policy.signed().load().unwrap(), policy);
    assert_ne!(loaded(7, 2).currency(), policy.currency());
    assert_eq!(loaded(1, 0).quorum().q(), 1);
    assert_eq!(loaded(31, 10).quorum().q(), 21);
}

#[test]
fn a_policy_that_cannot_agree_is_refused() {
    let error = refused(|policy| policy.f = 2);
    assert_eq!(error, PolicyError::Quorum(QuorumError { found: 4, faults: 2, needed: 7 }));
    assert!(matches!(refused(|policy| policy.witnesses.clear()), PolicyError::Quorum(_)));
}

#[test]
fn a_policy_with_weak_or_doubled_keys_is_refused() {
    assert_eq!(refused(|policy| policy.witnesses[3] = policy.witnesses[1]), PolicyError::DuplicateKey { witness: 3 });
    let whose = "witness 2".to_owned();
    assert_eq!(refused(|policy| policy.witnesses[2].vk = weak()), PolicyError::WeakKey { whose: whose.clone() });
    // The same point as some key's, written in another way, would be a second witness.
    let twice = Vk::new({
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (0xf0, 0x7f);
        bytes
    });
    assert_eq!(refused(|policy| policy.witnesses[2].vk = twice), PolicyError::WeakKey { whose });
    assert_eq!(refused(|policy| policy.issuer = weak()), PolicyError::WeakKey { whose: "the issuer".to_owned() });
}

#[test]
fn a_policy_of_another_version_epoch_or_shape_is_refused() {
    assert_eq!(refused(|policy| policy.v = VERSION + 1), PolicyError::Version { found: 2 });
    assert_eq!(refused(|policy| policy.epoch = 1), PolicyError::Epoch { found: 1, expected: 0 });
    assert_eq!(refused(|policy| policy.prev = PolicyHash::new([1; 32])), PolicyError::Prev);
    assert_eq!(refused(|policy| policy.decimals = 10), PolicyError::Decimals { found: 10 });
    for classes in [vec![], vec![Class::Card], vec![Class::Card, Class::Free], vec![Class::Free, Class::Free]] {
        assert_eq!(refused(|policy| policy.classes = classes), PolicyError::Classes);
    }
}

#[test]
fn a_policy_that_its_issuer_did_not_sign_is_refused() {
    let signed = policy_of(4, 1).sign(&key(1, 1));
    assert!(matches!(signed.load(), Err(PolicyError::Signature(_))));
    let mut altered = policy_of(4, 1).sign(&issuer());
    altered.policy.max_supply = amount(2_000_000);
    assert!(matches!(altered.load(), Err(PolicyError::Signature(_))));
}

#[test]
fn a_code_is_one_to_eight_capitals_and_digits() {
    for text in ["E", "EUR", "COFFEE26"] {
        assert_eq!(Code::new(text).unwrap().to_string(), text);
    }
    for text in ["", "eur", "E R", "TOOLONGXX", "E\0R", "\u{20ac}"] {
        assert!(Code::new(text).is_err(), "{text:?}");
    }
}

#[test]
fn an_account_with_weak_or_unordered_keys_does_not_begin() {
    let policy = loaded(4, 1);
    let good = inception(&policy, 0);
    assert_eq!(good.check(), Ok(()));
    let with = |keys: Vec<Vk>, k| Inception { recovery: Recovery { keys, k }, ..good.clone() }.check();
    let keys = good.recovery.keys.clone();
    assert_eq!(with(vec![], 0), Ok(()));
    for (keys, k) in
        [(keys.clone(), 0), (keys.clone(), 4), (vec![], 1), (vec![keys[0], keys[0]], 1), (vec![keys[1], keys[0]], 1)]
    {
        assert_eq!(with(keys, k), Err(InceptionError::Recovery));
    }
    assert_eq!(with(vec![weak()], 1), Err(InceptionError::WeakKey));
    assert_eq!(Inception { writer: weak(), ..good }.check(), Err(InceptionError::WeakKey));
}
