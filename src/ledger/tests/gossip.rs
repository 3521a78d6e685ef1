//! What is gossiped of a currency: whoever has the policy can check it, and nothing that cannot be checked is in it.

use kinfolk_ledger::entry::{Body, Ctl, Entry, Out};
use kinfolk_ledger::equivocation::EquivocationProof;
use kinfolk_ledger::gossip::{About, Exposure, ExposureError, Head, Naming};
use kinfolk_ledger::limits;
use kinfolk_ledger::message::{Reply, Request};
use kinfolk_ledger::signature::key_hash;
use kinfolk_ledger::vote::CertError;
use kinfolk_ledger::witness::Witness;
use kinfolk_wire::ids::AccountId;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::support::shelf::PaperShelf;
use super::support::*;

/// Two entries of somebody for one place.
fn double_spend(town: &mut Town, number: u8) -> [Entry; 2] {
    [7, 8].map(|to| town.pay(number, to, 10))
}

fn proof([one, other]: &[Entry; 2]) -> EquivocationProof {
    EquivocationProof::Writer(one.signed_header().unwrap(), other.signed_header().unwrap())
}

fn opening(town: &Town, chain: AccountId) -> Naming {
    Naming::of(&town.certified[&(chain, 0)].receipt()).unwrap()
}

fn exposure(town: &mut Town, number: u8) -> Exposure {
    let spends = double_spend(town, number);
    Exposure { proof: proof(&spends), key: opening(town, town.chain(number)) }
}

fn rich_town(n: u8, f: u8) -> Town {
    let mut town = Town::new(n, f);
    town.open_issuer();
    town.rich(0, 1_000);
    town.rich(1, 1_000);
    town
}

#[test]
fn a_head_is_checked_with_the_policy_alone_and_says_nothing_of_amounts() {
    for (n, f, longest) in [(4, 1, 600), (31, 10, 2_600)] {
        let mut town = rich_town(n, f);
        let entry = town.pay(0, 1, 123);
        let certified = town.certify(&entry).unwrap();
        let head = Head::of(&certified.receipt());
        let bytes = head.encode();
        assert!(bytes.len() < longest, "{n}: {}", bytes.len());
        assert_eq!(Head::decode(&bytes).unwrap(), head);
        let genuine = head.clone().unverified(&town.policy).unwrap().verify().unwrap();
        assert_eq!(genuine.head(), &head);
        assert_eq!(genuine.head().header.hash(), entry.hash());
        // Of another currency.
        assert!(matches!(head.unverified(&loaded(5, 1)), Err(CertError::Elsewhere)));
    }
}

#[test]
fn e05_any_flipped_bit_of_a_head_or_an_exposure_is_found_with_the_policy() {
    let mut town = rich_town(4, 1);
    let entry = town.pay(0, 1, 123);
    let head = Head::of(&town.certify(&entry).unwrap().receipt()).encode();
    let exposed = exposure(&mut town, 0).encode();
    for (bytes, is_head) in [(head, true), (exposed, false)] {
        assert!(bytes.len() < limits::GOSSIP);
        // One bit of each byte.
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << (at % 8);
            let passes = if is_head {
                Head::decode(&altered)
                    .ok()
                    .and_then(|head| head.unverified(&town.policy).ok())
                    .is_some_and(|head| head.verify().is_ok())
            } else {
                Exposure::decode(&altered)
                    .ok()
                    .and_then(|exposure| exposure.unverified(&town.policy).ok())
                    .is_some_and(|proof| proof.verify().is_ok())
            };
            assert!(!passes, "byte {at} of {}", if is_head { "a head" } else { "an exposure" });
        }
    }
}

#[test]
fn e01_an_exposure_convinces_whoever_has_the_policy_and_brings_whose_key_it_was() {
    let mut town = rich_town(4, 1);
    let exposed = exposure(&mut town, 0);
    assert_eq!(Exposure::decode(&exposed.encode()).unwrap(), exposed);
    let genuine = exposed.clone().unverified(&town.policy).unwrap().verify().unwrap();
    assert_eq!(genuine.proof(), &exposed.proof);

    // Somebody else's account, or an entry that names no key.
    let other = Exposure { key: opening(&town, town.chain(1)), ..exposed.clone() };
    assert!(matches!(other.unverified(&town.policy), Err(ExposureError::Key)));
    let payment = town.pay(0, 1, 5);
    let payment = town.certify(&payment).unwrap().receipt();
    assert_eq!(Naming::of(&payment), None);
    let Naming { header, body, .. } = opening(&town, town.chain(0));
    let altered =
        Naming { header, body: Body { blind: [9; 16], ..body.clone() }, cert: exposed.key.cert.clone(), state: None };
    assert!(matches!(Exposure { key: altered, ..exposed.clone() }.unverified(&town.policy), Err(ExposureError::Key)));
    let payment = Naming { header: *payment.entry.header(), body, cert: payment.cert, state: None };
    assert!(matches!(Exposure { key: payment, ..exposed.clone() }.unverified(&town.policy), Err(ExposureError::Key)));
    // One entry twice is no proof.
    let EquivocationProof::Writer(one, _) = exposed.proof else { panic!() };
    let twice = Exposure { proof: EquivocationProof::Writer(one, one), ..exposed.clone() };
    assert!(matches!(twice.unverified(&town.policy), Err(ExposureError::Proof(_))));
    assert!(matches!(exposed.unverified(&loaded(5, 1)), Err(ExposureError::Elsewhere)));
}

#[test]
fn e07_an_account_that_nobody_opened_cannot_be_exposed() {
    let mut town = rich_town(4, 1);
    // Made up at home, as many as one likes, each with two entries that its writer signed.
    let inception = inception(&town.policy, 9);
    let at = first_position(&town.policy, inception.account());
    let entries = [1, 2].map(|blind| {
        let body = Body { ctl: Some(Ctl::Open(inception.clone())), blind: [blind; 16], ..body() };
        Entry::sign(at, body, &key(10, 9))
    });
    let cert = opening(&town, town.chain(0)).cert;
    let uncertified = Naming { header: *entries[0].header(), body: entries[0].body().clone(), cert, state: None };
    let made_up = Exposure { proof: proof(&entries), key: uncertified };
    assert!(matches!(made_up.unverified(&town.policy), Err(ExposureError::Cert(_))));
    // Too few witnesses, too.
    let mut exposed = exposure(&mut town, 0);
    let votes = double_spend(&mut town, 1);
    exposed.proof = proof(&votes);
    assert!(exposed.unverified(&town.policy).is_err());
}

#[test]
fn e01_a_witness_tells_the_others_of_a_double_spend_and_each_keeps_it_once() {
    let mut town = rich_town(4, 1);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let receipts: Vec<_> = town.certified.values().map(|certified| certified.receipt()).collect();
    let mut witnesses: Vec<_> = (0..2)
        .map(|at| {
            let mut witness = Witness::open(PaperShelf::new(key(2, at))).unwrap();
            witness.serve(town.policy.signed()).unwrap();
            for receipt in &receipts {
                let commit = Request::Commit { receipt: receipt.clone() };
                let reply = witness.answer(vec![commit], NOW, &mut rng).unwrap().remove(0);
                assert!(matches!(reply, Reply::Ack { .. }), "{reply:?}");
            }
            witness
        })
        .collect();
    assert_eq!(witnesses[0].exposures(0).unwrap(), (vec![], 0));
    for entry in double_spend(&mut town, 0) {
        witnesses[0].answer(vec![Request::Propose { entry, cited: vec![] }], NOW, &mut rng).unwrap();
    }
    let (exposures, next) = witnesses[0].exposures(0).unwrap();
    assert_eq!((exposures.len(), next), (1, 1));
    assert_eq!(witnesses[0].exposures(next).unwrap(), (vec![], 1));

    let genuine = exposures[0].clone().unverified(&town.policy).unwrap().verify().unwrap();
    let mut other = witnesses.remove(1);
    assert!(other.keep_proof(&genuine).unwrap());
    assert!(!other.keep_proof(&genuine).unwrap(), "once");
    assert_eq!(other.status().conflicts, 1);
    // It is in the log, and the account goes on by its own doing or not at all.
    let mut other = Witness::open(other.into_shelf().restarted()).unwrap();
    assert_eq!(other.status().conflicts, 1);
    assert!(!other.keep_proof(&genuine).unwrap());
    assert_eq!(other.exposures(0).unwrap(), (exposures, 1));
    let entry = town.pay(0, 7, 10);
    let reply = other.answer(vec![Request::Propose { entry, cited: vec![] }], NOW, &mut rng).unwrap().remove(0);
    assert!(matches!(reply, Reply::Vote(_)), "{reply:?}");
}

#[test]
fn e01_after_a_key_was_handed_over_the_entry_that_did_it_comes_along() {
    let mut town = rich_town(4, 1);
    let (old, new) = (key(10, 0), key(11, 0));
    let rotation = Ctl::Rotate { writer: new.vk(), next: key_hash(&key(12, 0).vk()) };
    let entry = town.next(0, Body { ctl: Some(rotation), ..body() });
    let rotated = town.settle(&entry).unwrap();
    let chain = town.chain(0);
    let at = town.state(chain).next_position(0);
    let spends = [7, 8].map(|to| {
        let outs = vec![Out::cash(town.chain(to), amount(10))];
        Entry::sign(at, Body { outs, ..body() }, &new)
    });
    let exposed = Exposure { proof: proof(&spends), key: Naming::of(&rotated.receipt()).unwrap() };
    assert!(exposed.clone().unverified(&town.policy).unwrap().verify().is_ok());
    let with_the_first = Exposure { key: opening(&town, chain), ..exposed.clone() };
    assert!(matches!(with_the_first.unverified(&town.policy), Err(ExposureError::Key)));
    // The one who had the key before did not sign these.
    let forged = [7, 8].map(|to| {
        let outs = vec![Out::cash(town.chain(to), amount(10))];
        Entry::sign(at, Body { outs, ..body() }, &old)
    });
    let forged = Exposure { proof: proof(&forged), ..exposed.clone() };
    assert!(forged.unverified(&town.policy).unwrap().verify().is_err());

    // A witness finds that entry by itself.
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut witness = Witness::open(PaperShelf::new(key(2, 0))).unwrap();
    witness.serve(town.policy.signed()).unwrap();
    let receipts: Vec<_> = town.certified.values().map(|certified| certified.receipt()).collect();
    let requests = receipts.into_iter().map(|receipt| Request::Commit { receipt }).collect();
    witness.answer(requests, NOW, &mut rng).unwrap();
    for entry in spends {
        witness.answer(vec![Request::Propose { entry, cited: vec![] }], NOW, &mut rng).unwrap();
    }
    assert_eq!(witness.exposures(0).unwrap().0, [exposed]);
}

#[test]
fn topics_name_the_currency_and_differ() {
    let currency = loaded(4, 1).currency();
    let [heads, proofs] = About::ALL.map(|about| about.topic(currency));
    assert_eq!(heads, format!("ledger/{currency}/heads"));
    assert_ne!(heads, proofs);
}
